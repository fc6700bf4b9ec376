"""Series, drift, the triple print, panels over time, resistance: figures from one outcome."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction
from typing import Any, Final

import numpy as np
import polars as pl

from index.backtest.anomalies import Values
from index.backtest.passes import History
from index.draft_rates import draft_rate
from index.outcome import Outcome
from index.publication.record import ratio_text
from index.resistance import resistance_lines
from index.selection import Selection
from index.triple import triple_lines
from methodology import clock, quality
from methodology import determination as det
from methodology.definition import RateDefinition

Row = dict[str, Any]

CHARTS: Final = (
    ("H100 by the hour, neoclouds", ("GPR-H100-SXM-80-OD-NEO-GLB", "GPR-H100-ANY-OD-NEO-GLB")),
    (
        "H200 and B200 by the hour, neoclouds",
        ("GPR-H200-ANY-OD-NEO-GLB", "GPR-B200-ANY-OD-NEO-GLB"),
    ),
    (
        "H100 and A100 by the hour, three hyperscalers",
        ("GPR-H100-SXM-80-OD-HYP-US", "GPR-A100-SXM-80-OD-HYP-US"),
    ),
    ("Token composites", ("TKX-ALL-BLD", "TKX-US-BLD", "TKX-CN-BLD")),
    (
        "Open models across their sellers",
        ("TKR-gpt-oss-120b-BLD", "TKR-deepseek-v3.2-BLD", "TKR-llama-3.3-70b-instruct-BLD"),
    ),
)
"""Title of each chart of levels, and the main indices in it."""

MAIN: Final = tuple(name for _, names in CHARTS for name in names)
DRIFT: Final = ("TKX-ALL-BLD", "QAX-ALL")
REVIEW_PCT, REVIEW_MONTHS = 5, 12
"""A composite is reviewed when it drifts by more than so much over so many months."""

FAMILIES: Final = ("TKR", "GPR", "TKX", "TEX", "SPK", "QAX", "USE")


def series(history: History, published: Values, first: date, last: date) -> dict[str, Row]:
    """Return the main indices day by day: unit, days, values as published (null: no value).

    Each runs from its first value, or ``first``, to where its sources end.
    """
    found: dict[str, Row] = {}
    for name in MAIN:
        stop = history.until.get(name)
        known = sorted(d for (i, d), v in published.items() if i == name and v is not None)
        if stop is None or not known:
            continue
        start = max(first, date.fromisoformat(known[0]))
        days = [d.isoformat() for d in clock.days(start, min(stop, last))]
        unit = {"GPR": "USD per GPU-hour", "TKR": "USD per million tokens"}.get(name[:3], "points")
        values = [published.get((name, day)) for day in days]
        found[name] = {"unit": unit, "days": days, "values": values}
    return found


def drift(published: Values, first: date, last: date) -> Row:
    """Return how the composite moved against the quality-adjusted index, month by month.

    The composite of a month is the mean of its days with a value, as the other index takes the
    mean of a month's prices (19.5); half a month of values is needed. Both are 1000 in the first
    month they share. Drift is their ratio less one, in percent.
    """
    composite, adjusted = DRIFT
    monthly: dict[str, list[Fraction]] = {}
    for (name, day), value in published.items():
        if name == composite and value is not None and first.isoformat() <= day <= last.isoformat():
            monthly.setdefault(day[:7], []).append(Fraction(value))
    other = {
        day[:7]: Fraction(value)
        for (name, day), value in published.items()
        if name == adjusted and value is not None and day <= last.isoformat()
    }
    rows: list[Row] = []
    base: tuple[Fraction, Fraction] | None = None
    for month in sorted(set(monthly) & set(other)):
        if len(monthly[month]) < 15:
            continue
        mean = sum(monthly[month], Fraction(0)) / len(monthly[month])
        base = base or (mean, other[month])
        fixed, free = 1000 * mean / base[0], 1000 * other[month] / base[1]
        change = 100 * (fixed / free - 1)
        rows.append(
            {
                "month": month,
                "days": len(monthly[month]),
                "composite": ratio_text(fixed.numerator, fixed.denominator, 2),
                "adjusted": ratio_text(free.numerator, free.denominator, 2),
                "drift_pct": ratio_text(change.numerator, change.denominator, 6),
            }
        )
    is_whole = len(rows) > REVIEW_MONTHS
    over = abs(Fraction(rows[-1]["drift_pct"])) > REVIEW_PCT if rows else None
    return {
        "composite": composite,
        "adjusted": adjusted,
        "review_pct": REVIEW_PCT,
        "review_months": REVIEW_MONTHS,
        "months": rows,
        "is_whole_window": is_whole,
        "is_over_threshold": over,
    }


def triple(history: History, outcome: Outcome, first: date) -> list[Row]:
    """Return the three prints of the main composites, day by day (rulebook 13.10, 13.11)."""
    wanted = {n: made for n, made in outcome.composites.items() if n in MAIN}
    mine = replace(outcome, composites=wanted)
    body = triple_lines(mine, history.taken.inputs, history.rules)
    rows = (json.loads(line) for line in body.splitlines())
    return [r for r in rows if r["ref_date"] >= first.isoformat()]


def families(
    history: History, published: Values, first: date, last: date
) -> dict[str, list[list[Any]]]:
    """Return, per family, how many indices have a value, as runs ``[from, to, count]`` of days."""
    counted: dict[str, dict[str, int]] = {name: {} for name in FAMILIES}
    for (name, day), value in published.items():
        if value is not None and name[:3] in counted:
            counted[name[:3]][day] = counted[name[:3]].get(day, 0) + 1
    days = [d.isoformat() for d in clock.days(first, last)]
    found: dict[str, list[list[Any]]] = {}
    for family in FAMILIES:
        if not any(name.startswith(family) for name in history.until):
            continue
        runs: list[list[Any]] = []
        for day in days:
            count = counted[family].get(day, 0)
            if runs and runs[-1][2] == count:
                runs[-1][1] = day
            else:
                runs.append([day, day, count])
        found[family] = runs
    return found


def panels(history: History, outcome: Outcome, first: date, last: date) -> dict[str, list[Row]]:
    """Return the panel of each main index over time, as runs of days on which nothing changed.

    Groups that counted, the size of the panel, the effective number of those that counted (12.1),
    their weight in percent, level; of a composite constituents in place of groups.
    """
    found: dict[str, list[Row]] = {}
    for name in MAIN:
        stop = history.until.get(name)
        if stop is None:
            continue
        days = (
            _composite_days(outcome, name) if name.startswith("TKX") else _rate_days(outcome, name)
        )
        runs: list[Row] = []
        for day, row in sorted(days.items()):
            if not first <= day <= min(stop, last):
                continue
            before = runs[-1] if runs else None
            is_next = before and date.fromisoformat(before["to"]) + timedelta(days=1) == day
            if before and is_next and all(before[k] == v for k, v in row.items()):
                before["to"] = day.isoformat()
            else:
                runs.append({"from": day.isoformat(), "to": day.isoformat(), **row})
        found[name] = runs
    return found


def _shape(waterfall: str, counted: Sequence[int], size: int) -> Row:
    effective = quality.effective_n(counted)
    weight = Fraction(sum(counted), 10**6)
    return {
        "waterfall": waterfall,
        "counted": len(counted),
        "panel": size,
        "effective_n": ratio_text(effective.numerator, effective.denominator, 2),
        "weight_pct": ratio_text(weight.numerator, weight.denominator, 2),
    }


def _composite_days(outcome: Outcome, name: str) -> dict[date, Row]:
    made = outcome.composites.get(name)
    return {
        day: _shape(
            told.waterfall,
            [r["weight_e8"] for r in told.rows if r["status"] in ("OBSERVED", "HELD")],
            len(told.rows),
        )
        for day, told in (made.days.items() if made else ())
    }


def _rate_days(outcome: Outcome, name: str) -> dict[date, Row]:
    found: dict[date, Row] = {}
    for one in outcome.rates.values():
        i = next((n for n, p in enumerate(one.plans) if p.index_id == name), None)
        if i is None:
            continue
        place = {g: n for n, g in enumerate(one.groups[i])}
        counts = np.isin(one.status[:, i], (det.OBSERVED, det.HELD))
        rows = one.fixings.filter(pl.col("index_id") == name).select("ref_date", "waterfall")
        for day, waterfall in rows.iter_rows():
            d = (day - one.index_days[0]).days
            vintage = one.plans[i].vintages[d]
            if vintage is None:
                continue
            weights = zip(vintage.groups, vintage.weights, strict=True)
            counted = [w for g, w in weights if counts[d, place[g]]]
            found[day] = _shape(waterfall, counted, len(vintage.groups))
    return found


def grades(history: History, outcome: Outcome, first: date, last: date) -> dict[str, list[Row]]:
    """Return the grade of each main index on the first of each month and on its last day.

    It is the one that publishing gives (rulebook 12); a composite's follows from its level.
    """
    found: dict[str, list[Row]] = {}
    plans = {p.index_id: (s, p) for s in outcome.rates.values() for p in s.plans}
    by_id = history.by_id
    for name in MAIN:
        stop = history.until.get(name)
        if stop is None:
            continue
        ends = min(stop, last)
        days = sorted({d for d in clock.days(first, ends) if d.day == 1} | {ends})
        found[name] = []
        if name in outcome.composites:
            told = outcome.composites[name].days
            for day in (d for d in days if d in told):
                grade = "C" if told[day].waterfall == "REDUCED" else "D"
                found[name].append({"day": day.isoformat(), "grade": grade})
        elif name in plans:
            one, p = plans[name]
            fixed = set(one.fixings.filter(pl.col("index_id") == name)["ref_date"])
            definition = by_id[name]
            assert isinstance(definition, RateDefinition)
            for day in (d for d in days if d in fixed):
                offers = p.rows.filter(pl.col("day") == (day - one.index_days[0]).days).drop("day")
                chosen = Selection(name, definition, day, offers, b"", b"")
                draft = draft_rate(one, p, chosen, outcome.crosses, history.rules)
                found[name].append({"day": day.isoformat(), "grade": draft.fields["grade"]})
    return found


def resistance(history: History, outcome: Outcome, last: date) -> list[Row]:
    """Return the resistance lines of the main indices on their last day (rulebook 16)."""
    stops = {name: history.until.get(name) for name in MAIN}
    due: Mapping[str, date] = {name: min(day, last) for name, day in stops.items() if day}
    body = resistance_lines(
        outcome, due, history.by_id, history.rules, history.taken.inputs.volumes
    )
    return [json.loads(line) for line in body.splitlines()]
