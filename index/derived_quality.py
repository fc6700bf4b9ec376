"""The quality-adjusted index over a pass: months of first-party prices (rulebook 19.5 to 19.9)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import polars as pl

from index.outcome import DerivedDay, DerivedSeries, Inputs, SessionPlan
from methodology import quality_series, register, usage
from methodology.definition import Methodology
from methodology.derived_definitions import QualityDefinition
from methodology.errors import DefinitionError
from methodology.quality_series import POINTS, MonthPrice
from methodology.units import round_half_up
from methodology.weights import publish_weights

MONTH_DAYS = 15
"""A model has a month's price if its developer posted one on at least so many days of it."""


@dataclass(frozen=True)
class Feed:
    """What an index is computed from: tokens by model, and prices by month (its first day)."""

    tokens: dict[str, int]
    volume_from: date
    volume_to: date
    months: dict[date, dict[str, MonthPrice]]


def _volumes(definition: QualityDefinition, inputs: Inputs) -> tuple[dict[str, int], date, date]:
    """Return tokens by model of the newest period of the named source, and the period."""
    known = register.token_listing_map().rename({"listing_id": "subject"})
    rows = (
        inputs.volumes.filter(pl.col("source") == definition.volume_source)
        .filter(pl.col("meter").is_in(["total", "prompt", "completion"]))
        .join(known, on=["source", "subject"], how="inner")
    )
    ends = rows["period_end"].max()
    if not isinstance(ends, date):
        return {}, definition.inception, definition.inception
    mine = rows.filter(pl.col("period_end") == ends)
    starts = mine["period_start"].min()
    summed = mine.group_by("instrument_id").agg(pl.col("quantity").sum()).sort("instrument_id")
    assert isinstance(starts, date)
    return dict(summed.iter_rows()), starts, ends - timedelta(days=1)


def feed(
    definition: QualityDefinition, inputs: Inputs, one: SessionPlan, rules: Methodology
) -> Feed:
    """Return the tokens and the monthly prices of an index; no value yet (rulebook 19.5).

    A month's price of a model is the mean of its developer's own blended prices of the days that
    have one, the lowest listing of each day, from the first source of the definition that has at
    least :data:`MONTH_DAYS` such days in that month; rounded half up to nano.
    """
    models = [
        m
        for m in register.load_models()
        if not definition.domiciles or m.domicile in definition.domiciles
    ]
    developers = pl.DataFrame(
        [(m.id, m.developer) for m in models], schema=["instrument_id", "developer"], orient="row"
    )
    tokens, volume_from, volume_to = _volumes(definition, inputs)
    tokens = {m.id: tokens[m.id] for m in models if tokens.get(m.id, 0) > 0}
    is_own = (pl.col("provider_class") == "first_party") & (pl.col("unit") == "usd_per_mtok")
    dates = pl.DataFrame({"day": range(len(one.index_days)), "date": one.index_days}).with_columns(
        pl.col("day").cast(pl.Int64)
    )
    daily = (
        one.table.select(is_own, definition.meter)
        .filter(~pl.col("is_suspect") & pl.col("source").is_in(definition.sources))
        .join(developers, on="instrument_id")
        .filter(pl.col("group") == pl.col("developer"))
        .group_by("source", "instrument_id", "day")
        .agg(pl.col("price_nano").min())
        .with_columns(pl.col("day").cast(pl.Int64))
        .join(dates, on="day")
        .with_columns(pl.col("date").dt.truncate("1mo").alias("month"))
        .filter(pl.col("month") >= definition.inception)
        .group_by("month", "source", "instrument_id")
        .agg(pl.col("price_nano").sum().alias("total"), pl.len().alias("days"))
        .filter(pl.col("days") >= MONTH_DAYS)
        .sort("month", "source", "instrument_id")
    )
    rank = {source: n for n, source in enumerate(definition.sources)}
    months: dict[date, dict[str, MonthPrice]] = {}
    for month, source, model, total, days in daily.select(
        "month", "source", "instrument_id", "total", "days"
    ).iter_rows():
        if model not in tokens:
            continue
        held = months.setdefault(month, {})
        if model not in held or rank[source] < rank[held[model].source]:
            held[model] = MonthPrice(round_half_up(total, days), days, source)
    return Feed(tokens, volume_from, volume_to, months)


def input_rows(fed: Feed, day: date) -> list[dict[str, Any]]:
    """Return the lines of a fixing's inputs: each model's price of each month, and its tokens."""
    return [
        {
            "month": f"{month:%Y-%m}",
            "model": model,
            "source": price.source,
            "days": price.days,
            "price_nano": price.price_nano,
            "tokens": fed.tokens[model],
        }
        for month in sorted(fed.months)
        if month <= day
        for model, price in sorted(fed.months[month].items())
    ]


def is_enough(month: Mapping[str, MonthPrice], rules: Methodology) -> bool:
    """Return whether a month has the models and developers that a basket needs (13.4)."""
    developers = {m.id: m.developer for m in register.load_models()}
    return (
        len(month) >= rules.composite.min_models
        and len({developers[m] for m in month}) >= rules.composite.min_developers
    )


def series(
    definition: QualityDefinition,
    inputs: Inputs,
    one: SessionPlan,
    days: Sequence[date],
    rules: Methodology,
) -> DerivedSeries:
    """Return the index at the month ends among ``days``; a month without a value says why.

    Raises:
        DefinitionError: the methodology has no chapter on quality-adjusted prices.
    """
    if rules.quality_adjusted is None:
        raise DefinitionError(f"{definition.index_id}: methodology {rules.version} has no chapter")
    window = rules.quality_adjusted.window_months
    made = DerivedSeries(definition, definition.currency, "points", rules.precision.points_decimals)
    if inputs.is_live:
        reason = "a live pass holds days, not the months of a window (rulebook 19.9)"
        made.days = {d: DerivedDay(None, "NO_FIX", reason, (), {"months": []}) for d in days}
        return made
    fed = feed(definition, inputs, one, rules)
    kept = [m for m in sorted(fed.months) if is_enough(fed.months[m], rules)]
    prices = [{k: v.price_nano for k, v in fed.months[m].items()} for m in kept]
    levels = quality_series.series(prices, [fed.tokens] * len(prices), window)
    place = {month: n for n, month in enumerate(kept)}
    for day in days:
        if day < definition.inception:
            continue
        n = place.get(day.replace(day=1))
        made.days[day] = _day(definition, fed, kept, prices, levels, n, window, rules)
    return made


def _day(
    definition: QualityDefinition,
    fed: Feed,
    kept: Sequence[date],
    prices: Sequence[Mapping[str, int]],
    levels: Sequence[int | None],
    n: int | None,
    window: int,
    rules: Methodology,
) -> DerivedDay:
    if n is None:
        need = f"{rules.composite.min_models} models of {rules.composite.min_developers} developers"
        reason = f"fewer than {need} have a price of the month (rulebook 19.5)"
        return DerivedDay(None, "NO_FIX", reason, (), {"months": []})
    if levels[n] is None:
        reason = (
            f"fewer than {window} months so far (rulebook 19.7)"
            if len(kept) < window
            else "the months of the window have no models in common (rulebook 19.6)"
        )
        return DerivedDay(None, "NO_FIX", reason, (), {"months": []})
    month = fed.months[kept[n]]
    developers = {m.id: m.developer for m in register.load_models()}
    models = sorted(month)
    spent = [month[m].price_nano * fed.tokens[m] for m in models]
    shares = [Fraction(one, sum(spent)) for one in spent]
    weights = dict(zip(models, publish_weights(shares), strict=True))
    rows = tuple(
        {
            "model": m,
            "developer": developers[m],
            "source": month[m].source,
            "status": "OBSERVED",
            "reason": "",
            "price_nano": month[m].price_nano,
            "weight_e8": weights[m],
            "quantity_e12": str(fed.tokens[m] * 10**6),
        }
        for m in models
    )
    # The first window publishes all its months at once; after it, each month ends its own window.
    used = slice(0, window) if n < window else slice(n + 1 - window, n + 1)
    state = {
        "months": [f"{m:%Y-%m}" for m in kept[used]],
        "published_e2": [str(level) for level in levels[used]],
        "volume_from": fed.volume_from.isoformat(),
        "volume_to": fed.volume_to.isoformat(),
        "hedonic": _hedonic(prices, n),
    }
    return DerivedDay(
        levels[n],
        "REDUCED",
        None,
        rows,
        state,
        level_units=levels[n],
        groups=len({developers[m] for m in models}),
    )


def _hedonic(prices: Sequence[Mapping[str, int]], n: int) -> str | None:
    """Return the hedonic index of the months so far, in points with two decimals (19.8)."""
    traits = {m.id: (int(m.open_weights), int(m.domicile == "CN")) for m in register.load_models()}
    logs = quality_series.hedonic(prices[: n + 1], traits)
    if logs is None:
        return None
    points = usage.DIGITS.multiply(Decimal(1000), usage.DIGITS.exp(logs[-1]))
    return usage.text(points, len(str(POINTS)) - 1)
