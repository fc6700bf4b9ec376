"""Composites between quarterly links: entries, exits, and baskets made for them (rulebook 13.9).

Everything here is a function of the basket, the day and reviewed lines, so a day can be determined
again alone. A link made here changes which models there are, never a price: the old and the new
basket have the same level on the link day.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from fractions import Fraction

from methodology.baskets import (
    DIVISOR_UNITS,
    POINT_UNITS,
    QUANTITY_UNITS,
    Basket,
    Good,
    Prices,
    choose_sources,
    in_segment,
    make_basket,
    volume_period,
)
from methodology.definition import CompositeDefinition, Methodology
from methodology.errors import CoverageError
from methodology.register_continuity import Event, breaks
from methodology.units import round_half_up
from methodology.weights import publish_weights

FIRST_RULES = "1.0.0"
"""Definitions of this methodology version know quarterly links only."""


@dataclass(frozen=True, slots=True)
class Market:
    """What a link is made from: models, their prices and tokens, tiers, reviewed lines.

    ``volumes``: tokens by model and UTC day. ``tiers``: tier by model on the link day.
    """

    goods: Sequence[Good]
    prices: Prices
    volumes: Mapping[tuple[str, date], int]
    tiers: Mapping[str, str]
    events: Sequence[Event]


def has_continuity(definition: CompositeDefinition, rules: Methodology) -> bool:
    """Return whether a composite may be linked between quarters (rulebook 13.9)."""
    return rules.continuity is not None and definition.methodology != FIRST_RULES


def ended(basket: Basket, day: date, events: Sequence[Event]) -> dict[str, date]:
    """Return the constituents whose price series has ended by ``day``, with the day it ended.

    From that day on what the source states is another product's price, or none.
    """
    found = {}
    for c in basket.constituents:
        past = [d for d in breaks(events, c.model, c.price_source) if basket.linked_on < d <= day]
        if past:
            found[c.model] = min(past)
    return found


def link_out(
    basket: Basket, gone: Collection[str], used: Mapping[str, int], day: date, level: int,
    rules: Methodology,
) -> Basket:  # fmt: skip
    """Return the basket without some constituents, at the same level on the day.

    Quantities of the others stay; weights are their shares of what is left at the day's prices,
    published by largest remainder. ``D = sum(q p) / level`` over what is left.

    Args:
        basket: the basket in force.
        gone: models that leave.
        used: price per constituent of the day, nano-units; an imputed one counts.
        day: the day of overlap.
        level: level of the day in hundredths of a point.
        rules: least numbers of models and developers.

    Raises:
        CoverageError: too few models or developers would be left.
    """
    kept = [c for c in basket.constituents if c.model not in gone]
    developers = {c.developer for c in kept}
    limits = rules.composite
    if len(kept) < limits.min_models or len(developers) < limits.min_developers:
        raise CoverageError(
            f"without {', '.join(sorted(gone))}: {len(kept)} models of {len(developers)} developers"
            f" on {day}; at least {limits.min_models} of {limits.min_developers} are needed"
        )
    worths = [c.quantity_e12 * used[c.model] for c in kept]
    worth = sum(worths)
    weights = publish_weights([Fraction(w, worth) for w in worths])
    constituents = tuple(
        replace(c, link_price_nano=used[c.model], weight_e8=weight)
        for c, weight in zip(kept, weights, strict=True)
    )
    divisor = round_half_up(worth * DIVISOR_UNITS * POINT_UNITS, level * QUANTITY_UNITS * 10**9)
    return replace(basket, linked_on=day, constituents=constituents, divisor_e15=divisor)


def share_of(basket: Basket, models: Collection[str], used: Mapping[str, int]) -> Fraction:
    """Return the part of a basket's worth that some constituents have at the prices used."""
    worth = {c.model: c.quantity_e12 * used[c.model] for c in basket.constituents}
    whole = sum(worth.values())
    return Fraction(sum(worth[m] for m in worth if m in models), whole)


def fast_entrants(
    definition: CompositeDefinition, market: Market, basket: Basket, day: date, rules: Methodology
) -> list[str]:
    """Return the models that may enter on the first day of a month without waiting for a quarter.

    A model of the segment outside the basket whose tokens are more than
    ``continuity.fast_entry_share`` of the segment's, over the ``continuity.fast_entry_days`` days
    that end where the volume period of the day ends, and which has the price history that 13.4
    asks for. Nobody enters on another day, or when a day of the period has no volumes.
    """
    limits = rules.continuity
    if limits is None or day.day != 1:
        return []
    last = volume_period(day, rules)[1]
    days = [last - timedelta(days=n) for n in range(limits.fast_entry_days)]
    spoken = {when for _, when in market.volumes}
    if not spoken.issuperset(days):
        return []
    universe = [g for g in market.goods if in_segment(g, definition, market.tiers)]
    tokens = {g.model: sum(market.volumes.get((g.model, d), 0) for d in days) for g in universe}
    whole, inside = sum(tokens.values()), {c.model for c in basket.constituents}
    limit = limits.fast_entry_share
    large = [
        g
        for g in universe
        if g.model not in inside and tokens[g.model] * limit.denominator > whole * limit.numerator
    ]
    return sorted(choose_sources(large, market.prices, definition.sources, day, market.events))


def link_between(
    definition: CompositeDefinition,
    market: Market,
    basket: Basket,
    day: date,
    used: Mapping[str, int],
    seen: Mapping[str, date],
    level: int,
    rules: Methodology,
) -> Basket | None:
    """Return the basket linked on a day that is no quarterly link day, ``None`` without cause.

    In this order: an announced exit is linked out on its last overlap day; an exit without notice
    of more than ``continuity.extraordinary_share`` of the worth calls for a new basket of the
    models that remain, made on the first of ``continuity.extraordinary_days`` index days on which
    one can be made, and on the last of them it is linked out if none could; a smaller one is
    imputed and linked out on the last day it may be; a model with fast entry joins on the first
    of a month.

    Args:
        definition: the composite.
        market: models, prices, volumes, tiers, lines.
        basket: the basket in force.
        day: an index day with a value.
        used: price per constituent of the day, imputed ones included.
        seen: last day each constituent was observed.
        level: level of the day in hundredths of a point.
        rules: parameters.

    Raises:
        CoverageError: there is cause, but no basket of the least size can be made.
    """
    limits = rules.continuity
    if limits is None or not has_continuity(definition, rules):
        return None
    constituents = {c.model for c in basket.constituents}
    announced = {
        c.model
        for c in basket.constituents
        for e in market.events
        if e.kind == "exit" and e.day == day and e.model == c.model and e.touches(c.price_source)
    }
    if announced:
        return link_out(basket, announced, used, day, level, rules)
    gone = ended(basket, day, market.events)
    if gone:
        if share_of(basket, gone, used) > limits.extraordinary_share:
            place = (day - min(gone.values())).days + 1
            if place <= limits.extraordinary_days:
                try:
                    return make_basket(
                        definition, market.goods, market.prices, market.volumes, day, rules, level,
                        tiers=market.tiers, events=market.events, only=constituents - set(gone),
                    )  # fmt: skip
                except CoverageError:
                    if place == limits.extraordinary_days:
                        return link_out(basket, gone, used, day, level, rules)
        limit = timedelta(days=rules.imputation.max_days)
        late = {m for m in gone if m in seen and day - seen[m] >= limit}
        if late:
            return link_out(basket, late, used, day, level, rules)
    entrants = fast_entrants(definition, market, basket, day, rules)
    if entrants:
        return make_basket(
            definition, market.goods, market.prices, market.volumes, day, rules, level,
            tiers=market.tiers, events=market.events, only=constituents.union(entrants),
        )  # fmt: skip
    return None


def pro_forma(
    definition: CompositeDefinition,
    market: Market,
    link_day: date,
    level: int,
    rules: Methodology,
) -> Basket:
    """Return the basket that a quarterly link would make, as it is shown ahead (rulebook 13.9).

    Its volumes are those of the link itself, known by then; prices and entries are those of the
    day ``continuity.pro_forma_days`` before. Quantities and divisor change with the prices until
    the link day; the weights do not, unless a model loses its price.

    Raises:
        CoverageError: no basket can be made; the version has no such rule.
    """
    if rules.continuity is None:
        raise CoverageError(f"{definition.index_id}: methodology {rules.version} shows no basket")
    shown_on = link_day - timedelta(days=rules.continuity.pro_forma_days)
    return make_basket(
        definition, market.goods, market.prices, market.volumes, link_day, rules, level,
        tiers=market.tiers, events=market.events, priced_on=shown_on,
    )  # fmt: skip


__all__ = [
    "FIRST_RULES",
    "Market",
    "ended",
    "fast_entrants",
    "has_continuity",
    "link_between",
    "link_out",
    "pro_forma",
    "share_of",
]
