"""Determinations to the content of records: what a fixing says of itself.

A *draft* is everything of a fixing but its place in the log. Drafts are a function of the inputs
and the rules alone, so publishing and verifying make the same ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import polars as pl

from index.determine import CompositeSeries, Outcome
from index.draft_composites import draft_composite, draft_unit_value
from index.draft_derived import back_cast_rows, draft_derived
from index.draft_rates import Draft, draft_rate
from index.frames import to_lines
from index.publication.record import decimal_text
from index.selection import Selection, offers_of, select
from methodology import clock
from methodology.definition import (
    CompositeDefinition,
    Definition,
    DerivedDefinition,
    Methodology,
    RateDefinition,
)
from methodology.series import LEVEL_BASE
from methodology.units import round_half_up


@cache
def software() -> str:
    """Return name and version of this software, as records state it."""
    try:
        return f"spotfix/{version('spotfix')}"
    except PackageNotFoundError:
        return "spotfix/0"


def draft_all(
    outcome: Outcome, selections: Mapping[str, Selection], rules: Methodology
) -> dict[str, Draft]:
    """Return the draft of every selected fixing."""
    plans = {p.index_id: (s, p) for s in outcome.rates.values() for p in s.plans}
    made = {}
    for name, chosen in selections.items():
        definition = chosen.definition
        if isinstance(definition, RateDefinition):
            series, p = plans[name]
            made[name] = draft_rate(series, p, chosen, outcome.crosses, rules)
        elif isinstance(definition, DerivedDefinition):
            made[name] = draft_derived(outcome, chosen, rules)
        elif definition.family == "TKX":
            composite = outcome.composites.get(name, CompositeSeries(definition))
            made[name] = draft_composite(composite, chosen, outcome, rules)
        else:
            values = outcome.unit_values.get(name, {})
            made[name] = draft_unit_value(definition, values, chosen, rules)
    return made


def back_cast(
    outcome: Outcome, definitions: Mapping[str, Definition], until: Mapping[str, date | None]
) -> bytes:
    """Return the whole back-cast as canonical lines: one row per index and day, flagged ``_BT``.

    Rates carry value, chained level and panel size; composites their points; unit values theirs.
    A day without a value is a row with ``NO_FIX`` and null, never a missing row.
    """
    frames = []
    columns = {
        "index_id": pl.String, "ref_date": pl.Date, "flag": pl.String, "waterfall": pl.String,
        "value": pl.String, "level": pl.String, "vintage": pl.String, "groups": pl.Int64,
        "weight": pl.Int64, "is_covered": pl.Boolean, "has_held": pl.Boolean,
        "has_imputed": pl.Boolean,
    }  # fmt: skip
    stops = pl.DataFrame(
        [(k, v) for k, v in until.items() if v],
        schema={"index_id": pl.String, "stop": pl.Date},
        orient="row",
    )
    for series in outcome.rates.values():
        rows = series.fixings.join(stops, on="index_id").filter(
            pl.col("ref_date") <= pl.col("stop")
        )
        frames.append(
            rows.select(
                "index_id",
                "ref_date",
                pl.lit("_BT").alias("flag"),
                "waterfall",
                _units_text("value_units", pl.col("decimals")).alias("value"),
                _units_text("chained_level", pl.lit(4)).alias("level"),
                "vintage",
                "groups",
                "weight",
                "is_covered",
                "has_held",
                "has_imputed",
            )
        )
    told: list[tuple[Any, ...]] = []
    for name, made in outcome.composites.items():
        ended = until.get(name) or made.definition.inception
        for day in clock.days(made.definition.inception, ended):
            one = made.days.get(day)
            if one is None:  # no basket could be linked: each day says so
                told.append(
                    (name, day, "_BT", "NO_FIX", None, None, None, 0, 0, True, False, False)
                )
                continue
            text = decimal_text(one.value_units, 2)
            basket = made.basket_on(day)
            told.append(
                (
                    name, day, "_BT", one.waterfall, text, text,
                    basket.linked_on.isoformat() if basket else None, one.models, one.weight_e8,
                    True, any(r["status"] == "HELD" for r in one.rows),
                    any(r["status"] == "IMPUTED" for r in one.rows),
                )
            )  # fmt: skip
    for name, values in outcome.unit_values.items():
        stop = until.get(name)
        since = definitions[name]
        if stop is None or not isinstance(since, CompositeDefinition):
            continue
        for day in clock.days(since.inception, stop):
            found = values.get(day)
            value = decimal_text(round_half_up(found[0], found[1] * 1000), 6) if found else None
            level = "REDUCED" if found else "NO_FIX"
            told.append(
                (name, day, "_BT", level, value, None, None, None, None, True, False, False)
            )
    for name, derived in outcome.derived.items():
        told += back_cast_rows(name, derived, until.get(name))
    frames.append(pl.DataFrame(told, schema=columns, orient="row"))
    return to_lines(pl.concat(frames).sort("index_id", "ref_date"))


def _units_text(column: str, decimals: pl.Expr) -> pl.Expr:
    """Return integer units as decimal text, null kept; exact, without floats."""
    scale = pl.lit(10, pl.Int64).pow(decimals)
    whole = (pl.col(column) // scale).cast(pl.String)
    part = (pl.col(column) % scale).cast(pl.String)
    padded = part.str.pad_start(decimals.cast(pl.UInt64), "0")
    return pl.when(pl.col(column).is_not_null()).then(whole + pl.lit(".") + padded)


def scheduled(definition: Definition, day: date, revision: int) -> datetime:
    """Return when a revision is due: r0 provisional, r1 final (naive UTC)."""
    at = clock.provisional_at if revision == 0 else clock.final_at
    return at(definition.session, day)


__all__ = [
    "LEVEL_BASE",
    "Draft",
    "Selection",
    "back_cast",
    "draft_all",
    "offers_of",
    "scheduled",
    "select",
    "software",
]
