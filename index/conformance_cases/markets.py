"""Listings of a marketplace, each machine once (TV20)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

import polars as pl

from index.conformance_cases.sheet import NotUnderstood, Sheet, decimals_of, exact
from index.conformance_cases.statistics import quantile
from methodology import marketplace
from methodology.definition import load_methodology
from methodology.units import NANO, round_half_up


def deduplicated(sheet: Sheet) -> None:
    """Check that one machine in several sizes counts once (TV20)."""
    rows = sheet.get("input_rows", "rows", "input")
    if not isinstance(rows, list):
        raise NotUnderstood("no rows of listings")
    _market(sheet, sheet.told, "", rows)
    sheet.take("naive_median_of_listings", "depth", "parameters")
    sheet.take("expected_after_dedup", "expected")


def _market(sheet: Sheet, case: Mapping[str, Any], name: str, rows: list[Any]) -> None:
    def cell(row: Mapping[str, Any], *names: str) -> Any:
        return next((row[one] for one in names if one in row), None)

    asks = [exact(cell(r, "per_gpu", "price", "price_per_gpu", "usd_per_gpu")) for r in rows]
    frame = pl.DataFrame(
        {
            "listing_id": [str(cell(r, "listing", "listing_id", "id")) for r in rows],
            "machine_id": [
                None if (m := cell(r, "machine", "machine_id")) is None else str(m) for r in rows
            ],
            "host_id": [str(cell(r, "host", "host_id")) for r in rows],
            "gpus": [int(cell(r, "gpus", "num_gpus", "gpu_count")) for r in rows],
            "price_nano": [round_half_up(*(a * NANO).as_integer_ratio()) for a in asks],
            "is_verified": [cell(r, "verified", "is_verified") is not False for r in rows],
        },
        schema_overrides={"machine_id": pl.String},
    )
    by_host = marketplace.hosts(frame)
    one = {
        "hosts": by_host.height,
        "gpus": int(by_host["gpus"].sum()),
        "machines": int(by_host["machines"].sum()),
    }
    expected = case.get("expected_after_dedup", case.get("expected", {}))
    digits = decimals_of(expected, [a for r in rows for a in r.values()])
    machines = marketplace.machines(frame)
    prices, gpus = machines["price_nano"].to_list(), machines["gpus"].to_list()
    cost = sum(p * g for p, g in zip(prices, gpus, strict=True))
    priced = marketplace.depth_prices(frame, depth=_depth(case)).row(0, named=True)
    figures: dict[str, Any] = one | {
        "gpus_by_host": dict(zip(by_host["host_id"], by_host["gpus"], strict=True)),
        "price_by_host": {
            h: Fraction(p, NANO) for h, p in by_host.select("host_id", "price_nano").iter_rows()
        },
        "depth_vwap_all": Fraction(cost, sum(gpus) * NANO),
        "spec_median_gpu_weighted": quantile(prices, gpus, Fraction(1, 2)) / NANO,
        "depth_gpus": priced["depth_gpus"],
        "priced_gpus": priced["priced_gpus"],
        "status": priced["status"],
    }
    rpp = priced["price_nano"]
    for alias in ("rpp", "price", "depth_price", "representative_price"):
        figures[alias] = None if rpp is None else Fraction(rpp, NANO)
    figures |= {"vwap": figures["depth_vwap_all"], "total_gpus": one["gpus"]}
    figures["median_gpu_weighted"] = figures["spec_median_gpu_weighted"]
    for field, value in expected.items():
        if field not in figures:
            sheet.unknown(f"{name}{field}", value, "no rule here knows this field")
            continue
        got = figures[field]
        if isinstance(value, Mapping) and isinstance(got, Mapping):
            for key in sorted({*value, *got}):
                ours = got.get(key)
                sheet.check(f"{name}{field}.{key}", value.get(key), ours, "marketplace.hosts")
            continue
        at = digits if isinstance(got, Fraction) else None
        sheet.check(f"{name}{field}", value, got, f"marketplace.py, to {digits} decimals", at)
    if "naive_median_of_listings" in case:
        naive = quantile(asks, None, Fraction(1, 2))
        sheet.check(
            f"{name}naive_median_of_listings", case["naive_median_of_listings"], naive,
            "convention: median of listings, not adopted",
        )  # fmt: skip


def _with(depth: marketplace.Depth, name: str, value: Any) -> marketplace.Depth:
    return replace(depth, **{name: value})


def _depth(case: Mapping[str, Any]) -> marketplace.Depth:
    """Return the parameters of depth: the rulebook's, with those the file states in their place."""
    rules = load_methodology().marketplace
    depth = marketplace.Depth()
    if rules is not None:
        depth = marketplace.Depth(
            rules.max_depth_gpus,
            Fraction(rules.depth_share),
            rules.min_gpus,
            rules.min_hosts,
            Fraction(rules.host_cap),
        )
    told = case.get("depth", case.get("parameters"))
    for name, value in told.items() if isinstance(told, Mapping) else ():
        if name in ("depth_share", "host_cap"):
            depth = _with(depth, name, exact(value))
        elif name in ("max_depth_gpus", "min_gpus", "min_hosts"):
            depth = _with(depth, name, int(value))
    return depth
