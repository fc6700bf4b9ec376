"""Usage over a pass: measured volumes with their linked level, and disclosures (rulebook 20)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl

from index import composites
from index.outcome import DerivedDay, DerivedSeries, Inputs, SessionPlan
from methodology import clock, register, usage
from methodology.composite import volume_period
from methodology.definition import Methodology
from methodology.derived_definitions import UsageDefinition
from methodology.usage import Disclosure

UNIT = "Mtok/day"
NO_CURRENCY = "XXX"
"""ISO 4217's code for no currency."""


def rows_of(definition: UsageDefinition, inputs: Inputs) -> pl.DataFrame:
    """Return the volume rows that an index may read, sorted: of its source, and of its subject."""
    mine = pl.col("source") == definition.volume_source
    if definition.basis == "disclosed":
        mine = mine & (pl.col("subject") == definition.subject)
    return inputs.volumes.filter(mine).sort(inputs.volumes.columns)


def rows_on(
    definition: UsageDefinition, inputs: Inputs, day: date, rules: Methodology
) -> pl.DataFrame:
    """Return the volume rows that one fixing reads."""
    rows = rows_of(definition, inputs)
    if definition.basis == "disclosed":
        return rows.filter(pl.col("as_of") <= clock.cut_off(definition.session, day))
    first, last = volume_period(day, rules)
    end = last + timedelta(days=1)
    return rows.filter((pl.col("period_start") >= first) & (pl.col("period_end") <= end))


def last_measured(
    definition: UsageDefinition,
    inputs: Inputs,
    index_days: Sequence[date],
    stop: date | None,
    rules: Methodology,
) -> date | None:
    """Return the last index day whose 28 days of volumes are all known."""
    spoken = {day for _, day in composites.model_tokens(rows_of(definition, inputs))}
    known = [
        day
        for day in index_days
        if (stop is None or day <= stop)
        and spoken.issuperset(clock.days(*volume_period(day, rules)))
    ]
    return known[-1] if known else None


def series(
    definition: UsageDefinition,
    inputs: Inputs,
    one: SessionPlan,
    days: Sequence[date],
    rules: Methodology,
    before: Mapping[str, Any] | None,
) -> DerivedSeries:
    """Return usage over index days; ``before``: the state that an earlier fixing recorded."""
    made = DerivedSeries(definition, NO_CURRENCY, UNIT, usage.DECIMALS)
    if definition.basis == "disclosed":
        rows = rows_of(definition, inputs)
        figures = [
            Disclosure(quantity, start, end, as_of)
            for quantity, start, end, as_of in rows.select(
                "quantity", "period_start", "period_end", "as_of"
            ).iter_rows()
        ]
        figures += _recorded(before)
        for day in days:
            made.days[day] = disclosed_day(definition, figures, day)
        return made
    prices = composites.model_prices(one, {}, "BLD", rules.composite.tkr_min_groups)
    tokens = composites.model_tokens(rows_of(definition, inputs))
    spoken = {day for _, day in tokens}
    state: Mapping[str, Any] = before or {}
    for day in days:
        used = clock.days(*volume_period(day, rules))
        if not spoken.issuperset(used):
            reason = "volumes of its 28 days are missing (rulebook 20.1)"
            made.days[day] = DerivedDay(None, "NO_FIX", reason, (), dict(state))
            continue
        sold: dict[str, int] = {}
        for model, when in tokens:
            if used[0] <= when <= used[-1]:
                sold[model] = sold.get(model, 0) + tokens[model, when]
        posted = {
            model: next(
                (
                    prices[s][model, day].price_nano
                    for s in definition.sources
                    if (model, day) in prices.get(s, {})
                ),
                0,
            )
            for model in sold
        }
        made.days[day] = measured_day(definition, sold, posted, len(used), state)
        state = made.days[day].state
    return made


def _recorded(before: Mapping[str, Any] | None) -> list[Disclosure]:
    """Return the figure that the last fixing stood on: a live run has no table of disclosures."""
    if not before or before.get("tokens") is None:
        return []
    start, end = (date.fromisoformat(before[k]) for k in ("period_start", "period_end"))
    stated = datetime.fromisoformat(before["stated_at"]).replace(tzinfo=None)
    return [Disclosure(int(before["tokens"]), start, end, stated)]


def disclosed_day(
    definition: UsageDefinition, figures: Sequence[Disclosure], day: date
) -> DerivedDay:
    """Return one day of a disclosed series: the figure that stands, never interpolated."""
    one = usage.standing(figures, clock.cut_off(definition.session, day))
    if one is None:
        reason = "nothing had been disclosed (rulebook 20.4)"
        return DerivedDay(None, "NO_FIX", reason, (), {"tokens": None})
    age = one.age(day)
    state = {
        "tokens": str(one.tokens),
        "period_start": one.period_start.isoformat(),
        "period_end": one.period_end.isoformat(),
        "stated_at": clock.iso(one.stated_at),
        "age_days": age,
    }
    rows = (
        {
            "group": definition.subject,
            "source": definition.volume_source,
            "meter": "total",
            "status": "OBSERVED" if age <= definition.max_age_days else "DROPPED",
            "reason": "" if age <= definition.max_age_days else "DISCLOSURE_TOO_OLD",
            "quantity_e12": str(one.tokens * 10**6),
        },
    )
    last = (one.period_end - timedelta(days=1)).isoformat()
    period = last if one.days == 1 else f"{one.period_start} to {last}"
    told = f"disclosed on {one.stated_at:%Y-%m-%d} for {period}, {age} days before this day"
    if age > definition.max_age_days:
        reason = f"{told}: more than {definition.max_age_days} (rulebook 20.4)"
        return DerivedDay(None, "NO_FIX", reason, rows, state, footnotes=(told,))
    return DerivedDay(
        usage.per_day_units(one.tokens, one.days),
        "REDUCED",
        None,
        rows,
        state,
        is_stale=age > definition.stale_after_days,
        groups=1,
        footnotes=(told,),
    )


def measured_day(
    definition: UsageDefinition,
    sold: Mapping[str, int],
    posted: Mapping[str, int],
    days: int,
    before: Mapping[str, Any],
) -> DerivedDay:
    """Return one day of measured use, linked to the state of the day before that had a value.

    Args:
        definition: the index.
        sold: tokens of the period by model.
        posted: the developer's own blended price of the day by model, nano-units; 0: none.
        days: length of the period.
        before: ``level_e4``, ``tokens`` and ``prices`` of the last day with a value; empty: the
            first day.
    """
    sold = {model: tokens for model, tokens in sold.items() if tokens > 0}
    developers = {m.id: m.developer for m in register.load_models()}
    was = {m: int(t) for m, t in before.get("tokens", {}).items()}
    level = usage.LEVEL_START
    linked = usage.linked_level(int(before["level_e4"]), sold, was) if was else level
    priced = {m: (p, sold[m]) for m, p in posted.items() if p and m in sold}
    spent = sum(p * t for p, t in priced.values())
    price, quantity = Decimal(before.get("price", 1000)), Decimal(before.get("quantity", 1000))
    if was:
        earlier = {m: (int(p), was[m]) for m, p in before["prices"].items()}
        ratio = usage.tornqvist(earlier, priced)
        both = [m for m in priced if m in earlier]
        if ratio is not None:
            first = sum(earlier[m][0] * earlier[m][1] for m in both)
            last = sum(priced[m][0] * priced[m][1] for m in both)
            price = usage.DIGITS.multiply(price, ratio)
            step = usage.quantity_ratio(first, last, ratio)
            quantity = usage.DIGITS.multiply(quantity, step)
    rows = tuple(
        {
            "model": model,
            "developer": developers.get(model, ""),
            "source": definition.volume_source,
            "status": "OBSERVED",
            "reason": "",
            "price_nano": posted.get(model) or None,
            "quantity_e12": str(sold[model] * 10**6),
        }
        for model in sorted(sold)
    )
    level = int(before["level_e4"]) if linked is None else linked
    state = {
        "level_e4": str(level),
        "tokens": {m: str(t) for m, t in sorted(sold.items())},
        "prices": {m: str(p) for m, (p, _) in sorted(priced.items())},
        "expenditure_nano": str(spent),
        "price": usage.text(price, 12),
        "quantity": usage.text(quantity, 12),
    }
    units = usage.per_day_units(sum(sold.values()), days)
    groups = len({developers.get(m, "") for m in sold})
    return DerivedDay(
        units,
        "REDUCED",
        None,
        rows,
        state,
        level_units=level,
        groups=groups,
    )
