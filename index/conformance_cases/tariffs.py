"""Prices by time of day and blends (TV18)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from fractions import Fraction
from typing import Any

import polars as pl

from index.conformance_cases.sheet import NotUnderstood, Sheet, exact
from methodology import schemas
from methodology.definition import load_methodology
from methodology.representative import blend
from methodology.tariffs import collapse_tariffs
from methodology.units import NANO, round_half_up

_CLOCK = re.compile(r"(\d{1,2}):(\d\d)\s*(?:-|–|to)\s*(\d{1,2}):(\d\d)")
_METERS = {"input": "IN", "cache_miss": "IN", "cache_hit": "CIN", "cached": "CIN", "output": "OUT"}


def _windows(sheet: Sheet) -> list[tuple[int, int]]:
    told = sheet.get("peak_windows", "windows", "peak_hours", "peak")
    words = str(told) if told is not None else str(sheet.told.get("what", ""))
    found = _CLOCK.findall(words)
    if not found:
        raise NotUnderstood("no peak window like 09:00-12:00 in what or peak_windows")
    return [(int(a) * 60 + int(b), int(c) * 60 + int(d)) for a, b, c, d in found]


def _collapsed(off: Fraction, peak: Fraction, windows: list[tuple[int, int]], unit: int) -> int:
    """Return the mean round the clock through the project's own rule, in parts of ``unit``."""
    row = {
        "observation_id": "0" * 64,
        "source": "vector",
        "provider": "p",
        "group": "p",
        "provider_class": "host",
        "instrument_id": "i",
        "listing_id": "l",
        "meter": "IN",
        "unit": "usd_per_mtok",
        "is_inexact": False,
        "tenor": "on_demand",
        "is_official_date": False,
        "status": "offered",
        "observed_at": datetime(2026, 1, 1),
        "tier": "E3",
        "licence_id": "facts",
        "capture_sha256": "0" * 64,
    }
    rows = [row | {"price_nano": int(off * unit)}] + [
        row
        | {"price_nano": int(peak * unit), "window_start_min": a % 1440, "window_end_min": b % 1440}
        for a, b in windows
    ]
    made = collapse_tariffs(schemas.frame(schemas.Observation, rows))["price_nano"].to_list()
    if len(made) != 1 or made[0] is None:
        raise NotUnderstood("the windows overlap: no price round the clock")
    return int(made[0])


def tariff(sheet: Sheet) -> None:
    """Check prices round the clock, and blends of them (TV18)."""
    windows = _windows(sheet)
    off = sheet.get("official_off_peak", "off_peak", "offpeak")
    peak = sheet.get("official_peak", "peak_prices", "peak")
    multiple = sheet.get("peak_multiple", "multiplier")
    if not isinstance(off, Mapping):
        raise NotUnderstood("no prices off_peak by meter")
    if not isinstance(peak, Mapping):
        if multiple is None:
            raise NotUnderstood("no prices at peak by meter")
        peak = {name: exact(price) * exact(multiple) for name, price in off.items()}
    whole: dict[str, Fraction] = {}
    for name, price in off.items():
        # In 1/1440 of a nano-unit the mean over 1,440 minutes is exact.
        fine = _collapsed(exact(price), exact(peak[name]), windows, NANO * 1440)
        whole[name] = Fraction(fine, NANO * 1440)
        nano = _collapsed(exact(price), exact(peak[name]), windows, NANO)
        rounded = whole[name] * NANO
        sheet.check(
            f"{name}.nano",
            round_half_up(rounded.numerator, rounded.denominator),
            nano,
            "tariffs.collapse_tariffs, one rounding to nano",
        )
    expected = sheet.get("expected_atc", "expected_around_the_clock", "expected", default={})
    for name, told in expected.items():
        if name not in whole:
            sheet.unknown(f"expected_atc.{name}", told, "no such meter among the prices")
            continue
        parts = told if isinstance(told, Mapping) else {"value": told}
        for field, value in parts.items():
            sheet.check(f"atc.{name}.{field}", value, whole[name], "tariffs.collapse_tariffs")
    _blends(sheet, whole, off, peak)


def _blends(
    sheet: Sheet, whole: Mapping[str, Fraction], off: Mapping[str, Any], peak: Mapping[str, Any]
) -> None:
    sets = {
        "peak": {k: exact(v) for k, v in peak.items()},
        "offpeak": {k: exact(v) for k, v in off.items()},
        "off_peak": {k: exact(v) for k, v in off.items()},
        "": whole,
    }
    made: dict[str, Fraction] = {}
    for field in [name for name in sheet.told if re.match(r"expected_blend", name)]:
        found = re.search(r"blend_(\d+)_?to_?(\d+)(?:_(.*))?$", field)
        kind = (found[3] or "") if found else ""
        if found is None or kind not in sets:
            continue
        sheet.take(field)
        made[field] = _blend(sets[kind], int(found[1]), int(found[2]))
        _figures(sheet, field, sheet.told[field], made[field], "representative.blend")
    for field in [name for name in sheet.told if "vat" in name or "tax" in name]:
        rate = re.search(r"(\d+(?:\.\d+)?)pct", field)
        told = sheet.told[field]
        if rate is None or not isinstance(told, Mapping):
            continue
        sheet.take(field)
        for name, value in told.items():
            if name in made:
                got = made[name] / (1 + Fraction(rate[1]) / 100)
                _figures(sheet, f"{field}.{name}", value, got, "exact division by 1 + rate")
            elif not re.match("note|why|source", name):
                sheet.unknown(f"{field}.{name}", value, "no such blend above")


def _figures(sheet: Sheet, case: str, told: Any, got: Fraction, note: str) -> None:
    for field, value in (told if isinstance(told, Mapping) else {"": told}).items():
        sheet.check(f"{case}.{field}" if field else case, value, got, note)


def _blend(prices: Mapping[str, Fraction], inputs: int, outputs: int) -> Fraction:
    """Return the blend through the project's own rule, in parts so fine that it is exact."""
    meters: dict[str, Fraction] = {}
    for name, price in prices.items():
        meter = next((m for word, m in reversed(_METERS.items()) if word in name.lower()), None)
        if meter and (meter not in meters or "miss" in name):
            meters[meter] = price
    if not {"IN", "OUT"} <= set(meters):
        raise NotUnderstood("a blend needs an input and an output price")
    unit = NANO
    for price in meters.values():
        unit = unit * (price * unit * (inputs + outputs)).denominator
    unit *= inputs + outputs
    rows = [
        {
            "offer": 0,
            "day": 0,
            "meter": meter,
            "price_nano": int(price * unit),
            "is_official": False,
            "is_confirmed": True,
            "is_steady": True,
            "seen_us": 0,
            "piece": n,
        }
        for n, (meter, price) in enumerate(sorted(meters.items()))
    ]
    made = blend(pl.DataFrame(rows), {"BLD": {"IN": inputs, "OUT": outputs}}, load_methodology())
    units = made.filter(pl.col("meter") == "BLD")["price_nano"].to_list()
    return Fraction(int(units[0]), unit)
