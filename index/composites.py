"""Composites over a pass: model prices, daily tokens, baskets through time, unit values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta

import polars as pl

from index.outcome import CompositeSeries, SessionPlan
from methodology import clock, composite, continuity, fx, register, register_evaluations
from methodology.composite import Basket, CompositeState, Good, ModelPrice
from methodology.definition import (
    CompositeDefinition,
    Methodology,
)
from methodology.errors import CoverageError
from methodology.register_continuity import load_events
from methodology.series import Series
from methodology.units import round_half_up


def model_tokens(volumes: pl.DataFrame) -> dict[tuple[str, date], int]:
    """Return tokens by model and UTC day, prompt and completion together.

    A figure for several days stands on the last of them and zero on the others: it counts in
    full for a period that holds all its days, and no shorter period of this rulebook exists.
    Where a day has both a total and its parts the parts stand. Subjects are mapped to models by
    exact id; the rest is left out.
    """
    known = register.token_listing_map().rename({"listing_id": "subject"})
    parts = pl.col("meter").is_in(["prompt", "completion"])
    summed = (
        volumes.join(known, on=["source", "subject"], how="inner")
        .group_by("instrument_id", "period_start", "period_end")
        .agg(
            pl.col("quantity").filter(parts).sum().alias("parts"),
            pl.col("quantity").filter(pl.col("meter") == "total").sum().alias("total"),
        )
        .sort("instrument_id", "period_start", "period_end")
    )
    found: dict[tuple[str, date], int] = {}
    for model, start, end, of_parts, total in summed.iter_rows():
        for day in clock.days(start, end - timedelta(days=1)):
            found.setdefault((model, day), 0)
        found[model, end - timedelta(days=1)] += of_parts or total
    return found


def goods() -> list[Good]:
    """Return every model of the register as a possible constituent."""
    return [Good(m.id, m.developer, m.domicile, m.open_weights) for m in register.load_models()]


def model_prices(
    one: SessionPlan,
    rates: Mapping[str, Series],
    meter: str,
    min_groups: int,
    since: date | None = None,
) -> dict[str, dict[tuple[str, date], ModelPrice]]:
    """Return prices by source, model and index day: first-party posts, and TKR fixings.

    A developer's own price is the lowest of its listings of that model on one source. A TKR
    fixing counts on the index day of the first cut-off at or after its own. Days before ``since``
    are left out.
    """
    key = (meter, min_groups, since)
    made = one.memo.get(key)
    if made is None or made[0] is not rates:
        made = one.memo[key] = (rates, _model_prices(one, rates, meter, min_groups, since))
    prices: dict[str, dict[tuple[str, date], ModelPrice]] = made[1]
    return prices


def _model_prices(
    one: SessionPlan, rates: Mapping[str, Series], meter: str, min_groups: int, since: date | None
) -> dict[str, dict[tuple[str, date], ModelPrice]]:
    developers = pl.DataFrame(
        [(m.id, m.developer) for m in register.load_models()],
        schema=["instrument_id", "developer"],
        orient="row",
    )
    first = (since - one.index_days[0]).days if since else 0
    is_own = (pl.col("provider_class") == "first_party") & (pl.col("unit") == "usd_per_mtok")
    rows = (
        one.table.select(is_own, meter)
        .filter(~pl.col("is_suspect") & (pl.col("day") >= first))
        .join(developers, on="instrument_id")
        .filter(pl.col("group") == pl.col("developer"))
        .sort("source", "instrument_id", "day", "price_nano", "provider", "listing_id")
        .unique(["source", "instrument_id", "day"], keep="first", maintain_order=True)
    )
    found: dict[str, dict[tuple[str, date], ModelPrice]] = {}
    confirmed_by = "is_official" if one.needs_two_paths else "is_confirmed"
    for source, model, day, price, confirmed, observation in rows.select(
        "source", "instrument_id", "day", "price_nano", confirmed_by, "observation_id"
    ).iter_rows():
        key = (model, one.index_days[day])
        found.setdefault(source, {})[key] = ModelPrice(price, confirmed, observation)
    for session, made in rates.items():
        later = (
            1
            if clock.cut_off(session, date(2026, 1, 2))
            > clock.cut_off(one.session, date(2026, 1, 2))
            else 0
        )
        wanted = made.fixings.filter(
            pl.col("index_id").str.starts_with("TKR-")
            & pl.col("index_id").str.ends_with(f"-{meter}")
            & pl.col("waterfall").is_in(["FULL", "REDUCED", "CARRIED_INPUT"])
            & (pl.col("groups") >= min_groups)
            & (pl.col("ref_date") >= one.index_days[0] + timedelta(days=first - 1))
        )
        for name, day, units, decimals in wanted.select(
            "index_id", "ref_date", "value_units", "decimals"
        ).iter_rows():
            model = name.removeprefix("TKR-").removesuffix(f"-{meter}")
            key = (model, day + timedelta(days=later))
            price = ModelPrice(units * 10 ** (9 - decimals), True, name)
            found.setdefault("TKR", {})[key] = price
    return found


def needed_since(definition: CompositeDefinition, rules: Methodology) -> date:
    """Return the first day whose prices a composite can read: those that weigh its first basket.

    That is the volume period before the inception (rulebook 13.3), and no less than the days on
    which an entrant must have shown a price (13.4).
    """
    back = rules.composite.volume_days + rules.composite.volume_lag_days
    return definition.inception - timedelta(days=max(back, composite.ENTRY_DAYS) + 1)


def _in_currency(
    prices: dict[str, dict[tuple[str, date], ModelPrice]],
    definition: CompositeDefinition,
    crosses: Mapping[date, int],
    rules: Methodology,
) -> dict[str, dict[tuple[str, date], ModelPrice]]:
    if definition.currency == "USD":
        return prices
    converted: dict[str, dict[tuple[str, date], ModelPrice]] = {}
    for source, held in prices.items():
        for (model, day), price in held.items():
            rate = fx.rate_for(definition.session, day, crosses, rules.fx.max_age_days)
            if rate is not None:
                nano = round_half_up(price.price_nano * rate.rate_e6, 10**6)
                converted.setdefault(source, {})[model, day] = ModelPrice(
                    nano, price.is_confirmed, price.observation_id
                )
    return converted


def composite_series(
    definition: CompositeDefinition,
    one: SessionPlan,
    rates: Mapping[str, Series],
    crosses: Mapping[date, int],
    tokens: Mapping[tuple[str, date], int],
    stop: date,
    rules: Methodology,
    before: tuple[Basket, CompositeState] | None,
) -> CompositeSeries:
    """Return one TKX from its inception, or from a recorded basket and state, to ``stop``.

    A basket is linked anew on the first index day of each quarter with overlap pricing; where the
    volumes of its period are missing the old basket stays and the day is noted. Between quarters
    it is linked where exits and entries call for it. Without any basket the series is empty and
    its print is ``NO_FIX``.
    """
    prices = _in_currency(
        model_prices(
            one,
            rates,
            definition.meter or "BLD",
            rules.composite.tkr_min_groups,
            needed_since(definition, rules),
        ),
        definition,
        crosses,
        rules,
    )
    made = CompositeSeries(definition)
    everything = goods()
    events = load_events() if continuity.has_continuity(definition, rules) else ()

    def market(day: date) -> continuity.Market:
        """Return what a link on a day is made from; tiers as known when its volumes end."""
        known = composite.volume_period(day, rules)[1]
        tiers = register_evaluations.tiers_on(known, rules.tiers)
        return continuity.Market(everything, prices, tokens, tiers, events)

    def linked(day: date, level: int | None = None) -> Basket:
        return composite.make_basket(
            definition, everything, prices, tokens, day, rules, level,
            tiers=market(day).tiers, events=events,
        )  # fmt: skip

    if before is not None:
        basket, state = before
        todo = [day for day in one.index_days[one.first :] if day <= stop]
    elif definition.inception in one.index_days:
        try:
            basket = linked(definition.inception)
        except CoverageError as error:
            made.no_basket_reason = str(error)
            return made
        state = CompositeState.empty()
        todo = clock.days(definition.inception, stop)
    else:
        return made
    made.baskets[basket.linked_on] = basket
    for day in todo:
        gone = continuity.ended(basket, day, events)
        told, state = composite.determine_composite(basket, prices, day, state, rules, gone)
        made.days[day], made.states[day] = told, state
        if told.value_units is None or day == definition.inception:
            continue
        try:
            if day.day == 1 and day.month in (1, 4, 7, 10):
                new: Basket | None = linked(day, told.value_units)
            elif told.waterfall == "REDUCED":
                new = continuity.link_between(
                    definition, market(day), basket, day, state.used, state.seen,
                    told.value_units, rules,
                )  # fmt: skip
            else:
                new = None
        except CoverageError:
            made.skipped_links.append(day)
            state = made.states[day] = replace(state, link_skipped=True)
            continue
        if new is not None:
            made.baskets[day] = basket = new
            state = composite.relink(state, basket, day)
    return made


def unit_values(
    definition: CompositeDefinition,
    one: SessionPlan,
    rates: Mapping[str, Series],
    crosses: Mapping[date, int],
    tokens: Mapping[tuple[str, date], int],
    stop: date,
    rules: Methodology,
) -> dict[date, tuple[int, int]]:
    """Return spend over tokens by index day, as exact ratios; days without volumes are absent.

    The tokens of a day are those of the 28 days that would weigh a basket linked on it; each model
    is priced at its developer's own blended post of the index day.
    """
    prices = _in_currency(
        model_prices(
            one, rates, "BLD", rules.composite.tkr_min_groups, needed_since(definition, rules)
        ),
        definition,
        crosses,
        rules,
    )
    wanted = [g.model for g in goods() if composite.in_segment(g, definition, {})]
    spoken = {day for _, day in tokens}
    found: dict[date, tuple[int, int]] = {}
    for day in clock.days(definition.inception, stop):
        used = clock.days(*composite.volume_period(day, rules))
        if not spoken.issuperset(used):
            continue
        sold = {model: sum(tokens.get((model, when), 0) for when in used) for model in wanted}
        posted = {
            model: next(
                (
                    prices[source][model, day].price_nano
                    for source in definition.sources
                    if (model, day) in prices.get(source, {})
                ),
                None,
            )
            for model in wanted
        }
        value = composite.unit_value_nano(sold, {m: p for m, p in posted.items() if p})
        if value is not None:
            found[day] = value
    return found
