"""A derived index's day as the fields of its record (rulebook 18 to 20)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import polars as pl

from index.draft_rates import Draft, concentration, draft_rate
from index.frames import to_lines
from index.ledger.canonical import canonical
from index.outcome import DerivedDay, DerivedSeries, Outcome
from index.publication.record import decimal_text, ratio_text
from index.selection import Selection
from methodology.definition import Methodology
from methodology.derived_definitions import SpreadDefinition, UsageDefinition
from methodology.spread import worse_grade

_ROWS: dict[str, Any] = {
    "group": pl.String, "model": pl.String, "developer": pl.String, "instrument_id": pl.String,
    "meter": pl.String, "source": pl.String, "status": pl.String, "reason": pl.String,
    "price_nano": pl.Int64, "quoted_nano": pl.Int64, "weight_e8": pl.Int64,
    "quantity_e12": pl.String,
}  # fmt: skip
"""Fields of a derived contribution: price times quantity, over the lines, is the value."""

_NONE = DerivedDay(None, "NO_FIX", "not determined in this pass (rulebook 18.1)", (), {})


def draft_derived(outcome: Outcome, chosen: Selection, rules: Methodology) -> Draft:
    """Return the draft of one day of a derived index."""
    definition, day = chosen.definition, chosen.ref_date
    made = outcome.derived[chosen.index_id]
    told = made.days.get(day, _NONE)
    legs = _legs(outcome, chosen, rules)
    units, prev = told.value_units, made.before(day)
    is_points = made.unit == "points"
    level_decimals = made.decimals if is_points else rules.precision.level_decimals
    counted = [r for r in told.rows if r["status"] == "OBSERVED"]
    weights = [r["weight_e8"] for r in told.rows if r.get("weight_e8")]
    base = made.base_date()
    has_change = not isinstance(definition, SpreadDefinition) and bool(units and prev)
    fields: dict[str, Any] = {
        "family": "TOKEN",
        "currency": made.currency,
        "unit": made.unit,
        "decimals": made.decimals,
        "value": decimal_text(units, made.decimals),
        "level": decimal_text(told.level_units, level_decimals),
        "base_date": base.isoformat() if base else None,
        "prev_value": decimal_text(prev, made.decimals),
        "change_pct": ratio_text((units - prev) * 100, prev, 4)
        if has_change and units is not None and prev
        else None,
        "alt": [],
        **dict.fromkeys(("p1", "p25", "p50", "p75", "p99", "min", "max", "dispersion")),
        "loo_low": None,
        "loo_high": None,
        "volume_basis": "FIXED_WEIGHT" if legs else "OBSERVED",
        "basket_version": None,
        "n_collected": len(told.rows),
        "n_used": len(counted) if units is not None else 0,
        "n_excluded": len(told.rows) - (len(counted) if units is not None else 0),
        "n_sources": len({r["source"] for r in counted}),
        "n_providers": told.groups,
        **concentration(weights, units is not None),
        "weight_share": decimal_text(10**8, 8) if weights and units is not None else None,
        "fresh_share": None,
        "waterfall": told.waterfall,
        "grade": _grade(told, legs),
        "grade_components": None,
        "footnotes": list(told.footnotes),
        "no_fix_reason": told.no_fix_reason,
    }
    is_use = isinstance(definition, UsageDefinition)
    flags = [
        ("DERIVED", True),
        ("MIRRORED_EVIDENCE", not is_use and not legs),
        ("DISCLOSED", is_use and getattr(definition, "basis", "") == "disclosed"),
        ("STALE_DISCLOSURE", told.is_stale),
    ]
    raised = {name for name, is_on in flags if is_on}
    inherited = {flag for leg in legs.values() for flag in leg.flags}
    rows = pl.DataFrame([{**dict.fromkeys(_ROWS), **row} for row in told.rows], schema=_ROWS)
    return Draft(
        chosen,
        fields,
        to_lines(rows),
        canonical({"index_id": chosen.index_id, **told.state}) + b"\n",
        tuple(sorted(raised | inherited)),
    )


def _legs(outcome: Outcome, chosen: Selection, rules: Methodology) -> Mapping[str, Draft]:
    """Return what each leg of a spread says of the day, as its own fixing would."""
    found: dict[str, Draft] = {}
    for leg in chosen.legs:
        series = outcome.rates[leg.definition.session]
        plan = next(p for p in series.plans if p.index_id == leg.index_id)
        found[leg.index_id] = draft_rate(series, plan, leg, outcome.crosses, rules)
    return found


def _grade(told: DerivedDay, legs: Mapping[str, Draft]) -> str:
    """Return the grade: a spread's legs' worse one; else C of a fresh value, D of a stale one."""
    if told.value_units is None:
        return "D"
    if legs:
        return worse_grade(leg.fields["grade"] for leg in legs.values())
    return "D" if told.is_stale else "C"


def back_cast_rows(
    name: str, made: DerivedSeries, stop: date | None
) -> list[tuple[str | int | bool | date | None, ...]]:
    """Return the back-cast's rows of a derived index: one for each of its days up to ``stop``."""
    decimals = made.decimals if made.unit == "points" else 4
    return [
        (
            name, day, "_BT", one.waterfall, decimal_text(one.value_units, made.decimals),
            decimal_text(one.level_units, decimals), None, one.groups, None, True, False, False,
        )
        for day, one in sorted(made.days.items())
        if stop is not None and day <= stop
    ]  # fmt: skip
