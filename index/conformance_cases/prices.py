"""Rounding, screens, restatement (TV13, TV17, TV19)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from typing import Any

import numpy as np

from index.conformance_cases.orders import cases_of
from index.conformance_cases.sheet import NotUnderstood, Sheet, decimals_of, exact
from methodology import restatement, screens
from methodology.definition import load_methodology
from methodology.units import NANO, round_half_up


def _text(units: int, decimals: int) -> str:
    whole, part = divmod(abs(units), 10**decimals)
    sign = "-" if units < 0 else ""
    return f"{sign}{whole}.{part:0{decimals}d}" if decimals else f"{sign}{whole}"


def rounding(sheet: Sheet) -> None:
    """Check half-up rounding on the decimal value, and the traps beside it (TV17)."""
    for n, case in enumerate(cases_of(sheet), 1):
        name = str(case.get("id", f"{case.get('value', n)} to {case.get('quantum', '?')}"))
        with sheet.guard(name, dict(case)):
            _rounded(sheet, case, name)


def _rounded(sheet: Sheet, case: Mapping[str, Any], name: str) -> None:
    value, quantum = exact(case.get("value")), exact(case.get("quantum"))
    digits = decimals_of(case["quantum"])
    steps = abs(value) / quantum
    units = round_half_up(steps.numerator, steps.denominator) * (-1 if value < 0 else 1)
    half_up = _text(int(units * quantum * 10**digits), digits)
    told = Decimal(str(case["value"]))
    even = format(told.quantize(Decimal(str(case["quantum"])), ROUND_HALF_EVEN), "f")
    trap = str(round(float(told), digits))
    made = {
        "half_up": (half_up, "units.round_half_up (adopted)"),
        "expected": (half_up, "units.round_half_up (adopted)"),
        "expected_half_up": (half_up, "units.round_half_up (adopted)"),
        "half_even": (even, "convention: half to even"),
        "binary_float_round": (trap, "convention: round() of a binary float"),
    }
    for field, (got, note) in made.items():
        if field in case:
            is_text = isinstance(case[field], str) and field != "binary_float_round"
            expected = case[field] if is_text else exact(case[field])
            sheet.check(f"{name}.{field}", expected, got if is_text else exact(got), note)
    sheet.rest(case, name, {"value", "quantum", *made})


def hysteresis(sheet: Sheet) -> None:
    """Check a screen with re-entry at a smaller bound, step by step (TV19)."""
    steps = sheet.get("steps", "cases", "rows")
    if not isinstance(steps, list):
        raise NotUnderstood("no steps")
    exclude, reenter = _bounds(sheet)
    rules = load_methodology().gross.model_copy(
        update={"exclude_ratio": 1 + exclude, "reenter_ratio": 1 + reenter}
    )
    middle = NANO
    note = (
        f"screens.gross_errors at {float(exclude):g} and {float(reenter):g}; "
        "a fall enters by its size in percent"
    )
    is_out = False
    for n, step in enumerate(steps, 1):
        name = f"t={step.get('t', n)}"
        dev, told = step.get("dev", step.get("deviation")), step.get("state", step.get("expected"))
        if dev is None or told is None:
            sheet.unknown(name, dict(step), "a step needs dev and state")
            continue
        text = str(dev).strip().replace("−", "-")
        size = abs(exact(text.rstrip("%").lstrip("+"))) / (100 if text.endswith("%") else 1)
        price = np.array([[int(middle * (1 + size)), *[middle] * 4]], np.int64)
        out, _ = screens.gross_errors(
            price,
            np.full((1, 5), 20, np.int64),
            np.array([[is_out, False, False, False, False]]),
            rules,
        )
        is_out = bool(out[0, 0])
        sheet.check(f"{name}.{text}", told, "OUT" if is_out else "IN", note)


def _bounds(sheet: Sheet) -> tuple[Fraction, Fraction]:
    names = ("parameter", "exclude", "exclude_above", "threshold", "param")
    told, back = sheet.get(*names), sheet.get("reenter", "reentry", "re_entry", "reenter_below")

    def share(value: Any) -> Fraction:
        text = str(value)
        found = exact(text.rstrip("%"))
        return found / 100 if text.endswith("%") or found >= 1 else found

    if told is None:
        found = re.search(r"(\d+(?:\.\d+)?)%", str(sheet.told.get("what", "")))
        if found is None:
            raise NotUnderstood("no parameter of the screen in the file")
        told = found[0]
    exclude = share(told)
    return exclude, share(back) if back is not None else exclude / 2


def restated(sheet: Sheet) -> None:
    """Check the two-part restatement test (TV13)."""
    published = exact(sheet.get("published", "original", "value"))
    threshold = exact(sheet.get("threshold", default="0.001"))
    low, high = restatement.limits(published, threshold)
    note = "restatement.py, exact; more than the threshold"
    digits = decimals_of(sheet.told.get("published", sheet.told.get("original")))
    told = sheet.get("exact", "expected_exact", "expected_limits")
    if isinstance(told, list):
        sheet.check("exact", told, [high, low] if exact(told[0]) > published else [low, high], note)
    for field, got in (("restate_if_above", high), ("restate_if_below", low)):
        value = sheet.get(field)
        if value is not None:
            sheet.check(field, value, got, f"limit printed with {digits} decimals", digits)
    for case in sheet.get("cases", "rows", default=[]):
        name = str(case.get("id", f"corrected {case.get('corrected')}"))
        with sheet.guard(name, dict(case)):
            _restated(sheet, case, name, published, threshold)


def _restated(
    sheet: Sheet, case: Mapping[str, Any], name: str, published: Fraction, threshold: Fraction
) -> None:
    if "corrected" not in case or not {"restate", "expected"} & set(case):
        raise NotUnderstood("a case needs corrected and restate")
    until = datetime(2026, 1, 1, 23, 59, 59)
    is_late = case.get("same_day", case.get("is_same_day", True)) is False
    outcome = restatement.decide(
        exact(case.get("published", published)),
        exact(case["corrected"]),
        until.replace(day=2) if is_late else until,
        until,
        exact(case.get("threshold", threshold)),
    )
    told = case.get("restate", case.get("expected"))
    late = ", a day late" if is_late else ""
    sheet.check(name, told, outcome == "RESTATE", f"restatement.py, more than the threshold{late}")
    known = {"corrected", "restate", "expected", "same_day", "is_same_day"}
    sheet.rest(case, name, known | {"published", "threshold"})
