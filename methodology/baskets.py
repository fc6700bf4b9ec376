"""Baskets of a composite: who enters, at what weight, linked how (rulebook 13.1-13.4)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

from methodology.definition import CompositeDefinition, Methodology
from methodology.errors import CoverageError
from methodology.register_continuity import Event, breaks
from methodology.units import round_half_up
from methodology.weights import capped_shares, publish_weights

QUANTITY_UNITS = 10**12
DIVISOR_UNITS = 10**15
POINT_UNITS = 100
ENTRY_DAYS = 15
"""A model enters a basket after a price on this many consecutive index days (rulebook 13.4)."""


@dataclass(frozen=True, slots=True)
class Good:
    """One model that could enter: developer group, its domicile, whether weights are open."""

    model: str
    developer: str
    domicile: str
    is_open: bool


@dataclass(frozen=True, slots=True)
class ModelPrice:
    """One model's price on one day, nano-units per Mtok, and what is known of it."""

    price_nano: int
    is_confirmed: bool
    observation_id: str


Prices = Mapping[str, Mapping[tuple[str, date], ModelPrice]]
"""Price source id (``TKR`` or a source) to prices by (model, index day)."""


@dataclass(frozen=True, slots=True)
class Constituent:
    """One model in a basket: where its price comes from, its weight and its fixed quantity."""

    model: str
    developer: str
    price_source: str
    link_price_nano: int
    weight_e8: int
    quantity_e12: int


@dataclass(frozen=True, slots=True)
class Basket:
    """Quantities fixed at a link day, and the divisor that makes the level continuous there."""

    linked_on: date
    constituents: tuple[Constituent, ...]
    divisor_e15: int
    volume_from: date
    volume_to: date

    def as_record(self) -> dict[str, object]:
        """Return the basket as the plain content of a record."""
        return {
            "linked_on": self.linked_on.isoformat(),
            "divisor_e15": str(self.divisor_e15),
            "volume_from": self.volume_from.isoformat(),
            "volume_to": self.volume_to.isoformat(),
            "constituents": [
                {
                    "model": c.model,
                    "developer": c.developer,
                    "price_source": c.price_source,
                    "link_price_nano": str(c.link_price_nano),
                    "weight_e8": str(c.weight_e8),
                    "quantity_e12": str(c.quantity_e12),
                }
                for c in self.constituents
            ],
        }


def basket_from_record(content: Mapping[str, Any]) -> Basket:
    """Return the basket that :meth:`Basket.as_record` wrote."""
    return Basket(
        linked_on=date.fromisoformat(content["linked_on"]),
        constituents=tuple(
            Constituent(
                c["model"],
                c["developer"],
                c["price_source"],
                int(c["link_price_nano"]),
                int(c["weight_e8"]),
                int(c["quantity_e12"]),
            )
            for c in content["constituents"]
        ),
        divisor_e15=int(content["divisor_e15"]),
        volume_from=date.fromisoformat(content["volume_from"]),
        volume_to=date.fromisoformat(content["volume_to"]),
    )


def volume_period(link_day: date, rules: Methodology) -> tuple[date, date]:
    """Return the first and last day whose volumes weigh a basket linked on ``link_day``."""
    last = link_day - timedelta(days=rules.composite.volume_lag_days)
    return last - timedelta(days=rules.composite.volume_days - 1), last


def in_segment(good: Good, definition: CompositeDefinition, tiers: Mapping[str, str]) -> bool:
    """Return whether a model belongs to the part of the market a composite is of (rulebook 13.8).

    Args:
        good: the model.
        definition: domiciles, licence of the weights and tier; what it does not name admits all.
        tiers: tier by model; a model without one stands in no composite of a tier.
    """
    return (
        (not definition.domiciles or good.domicile in definition.domiciles)
        and definition.open_weights in (None, good.is_open)
        and definition.tier in (None, tiers.get(good.model))
    )


def choose_sources(
    goods: Sequence[Good],
    prices: Prices,
    order: Sequence[str],
    link_day: date,
    events: Sequence[Event] = (),
) -> dict[str, str]:
    """Return the price source of each model that can enter on the link day.

    The first source in ``order`` with a price on each of the last :data:`ENTRY_DAYS` index days.
    ``TKR`` serves open models only. A model that no source prices so long is absent. Prices from
    before an exit, a redirect or new terms do not count beside later ones (rulebook 13.9): they
    are those of another product. What has left, or leaves on the day, cannot enter.
    """
    days = [link_day - timedelta(days=n) for n in range(ENTRY_DAYS)]
    left = {e.model for e in events if e.kind == "exit" and e.day == link_day}
    chosen: dict[str, str] = {}
    for good in goods:
        for source in order:
            if (source == "TKR" and not good.is_open) or good.model in left:
                continue
            held = prices.get(source, {})
            broken = any(days[-1] < day <= link_day for day in breaks(events, good.model, source))
            if not broken and all((good.model, day) in held for day in days):
                chosen[good.model] = source
                break
    return chosen


def basket_shares(
    goods: Sequence[Good], expenditure: Mapping[str, int], rules: Methodology
) -> dict[str, Fraction]:
    """Return capped expenditure shares: no developer above its cap, no model above its own.

    Each developer's ceiling is the lower of the developer cap and the model cap times its number
    of models; the excess is spread in proportion over the developers below theirs; then, inside
    each developer, over its models (vector TV07 level by level). Where the ceilings together
    cannot reach one, every developer stands at its ceiling scaled up alike.

    With four developers their ceilings are one at most, whatever they spend: each stands at its
    ceiling. Six models of four developers (the least a basket has) reach 0.9 or 0.85 in sum, so
    every developer stands a tenth or three seventeenths above its ceiling, and both caps are
    passed by that part.

    Args:
        goods: the models of the basket.
        expenditure: spend per model, any integer unit.
        rules: the two caps.

    Returns:
        Exact shares by model, summing to 1, in order of model id.
    """
    limits = rules.composite
    members: dict[str, list[str]] = {}
    for good in sorted(goods, key=lambda g: g.model):
        members.setdefault(good.developer, []).append(good.model)
    developers = sorted(members)
    totals = [sum(expenditure[m] for m in members[d]) for d in developers]
    ceilings = [min(limits.developer_cap, limits.model_cap * len(members[d])) for d in developers]
    outer = _capped_each(totals, ceilings)
    shares: dict[str, Fraction] = {}
    for developer, share in zip(developers, outer, strict=True):
        models = members[developer]
        inner_cap = min(Fraction(1), limits.model_cap / share) if share else Fraction(1)
        inner = capped_shares([expenditure[m] for m in models], inner_cap)
        shares |= {m: share * part for m, part in zip(models, inner, strict=True)}
    return dict(sorted(shares.items()))


def _capped_each(values: Sequence[int], ceilings: Sequence[Fraction]) -> list[Fraction]:
    room = sum(ceilings)
    if room <= 1:
        return [c / room for c in ceilings]
    fixed: set[int] = set()
    while True:
        left = 1 - sum((ceilings[i] for i in fixed), Fraction(0))
        loose = sum(v for i, v in enumerate(values) if i not in fixed)
        over = {
            i
            for i, v in enumerate(values)
            if i not in fixed and loose and v * left > ceilings[i] * loose
        }
        if not over:
            break
        fixed |= over
    return [
        ceilings[i] if i in fixed else left * v / loose if loose else Fraction(0)
        for i, v in enumerate(values)
    ]


def make_basket(
    definition: CompositeDefinition,
    goods: Sequence[Good],
    prices: Prices,
    volumes: Mapping[tuple[str, date], int],
    link_day: date,
    rules: Methodology,
    level_units: int | None = None,
    *,
    tiers: Mapping[str, str] | None = None,
    events: Sequence[Event] = (),
    only: Collection[str] | None = None,
    priced_on: date | None = None,
) -> Basket:
    """Return the basket linked on one day, with a divisor that keeps the level unbroken there.

    Args:
        definition: segment, domiciles, price sources in order of preference.
        goods: every model of the register.
        prices: by source, model and index day, in the index's own currency.
        volumes: tokens by model and UTC day.
        link_day: the day of overlap pricing; today's prices price old and new basket alike.
        rules: caps, periods, minimum sizes.
        level_units: the level on the link day in hundredths of a point; ``None`` at inception,
            which starts at the base.
        tiers: tier by model, for a segment by capability.
        events: reviewed lines of what happened to models (rulebook 13.9).
        only: models that may enter, where a link admits no others (rulebook 13.9).
        priced_on: the day whose prices and entry count, for a basket shown ahead of its link day;
            the link day itself unless given.

    Raises:
        CoverageError: a day of the volume period has no volume at all, or the basket would have
            too few models or developers; the message says which.
    """
    first, last = volume_period(link_day, rules)
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    spoken = {day for _, day in volumes}
    silent = [day for day in days if day not in spoken]
    if silent:
        raise CoverageError(
            f"{definition.index_id}: no volumes on {silent[0]} ({len(silent)} days of {first} to "
            f"{last}); a basket cannot be linked on {link_day}"
        )
    universe = [
        g
        for g in goods
        if in_segment(g, definition, tiers or {}) and (only is None or g.model in only)
    ]
    at = priced_on or link_day
    sources = choose_sources(universe, prices, definition.sources, at, events)
    spend: dict[str, int] = {}
    for good in universe:
        source = sources.get(good.model)
        tokens = sum(volumes.get((good.model, day), 0) for day in days)
        if source and tokens:
            spend[good.model] = tokens * _mean_price(prices[source], good.model, days, at)
    inside = [g for g in universe if g.model in spend]
    limits = rules.composite
    developers = {g.developer for g in inside}
    if len(inside) < limits.min_models or len(developers) < limits.min_developers:
        raise CoverageError(
            f"{definition.index_id}: {len(inside)} models of {len(developers)} developers on "
            f"{link_day}; at least {limits.min_models} of {limits.min_developers} are needed"
        )
    shares = basket_shares(inside, spend, rules)
    weights = publish_weights(list(shares.values()))
    owner = {g.model: g.developer for g in inside}
    constituents = []
    for model, weight in zip(shares, weights, strict=True):
        price = prices[sources[model]][model, at].price_nano
        quantity = round_half_up(10 * weight * QUANTITY_UNITS, price)
        constituents.append(
            Constituent(model, owner[model], sources[model], price, weight, quantity)
        )
    worth = sum(c.quantity_e12 * c.link_price_nano for c in constituents)
    level = level_units or limits.base * POINT_UNITS
    divisor = round_half_up(worth * DIVISOR_UNITS * POINT_UNITS, level * QUANTITY_UNITS * 10**9)
    return Basket(link_day, tuple(constituents), divisor, first, last)


def _mean_price(
    held: Mapping[tuple[str, date], ModelPrice], model: str, days: Sequence[date], link_day: date
) -> int:
    """Return the mean price over the volume days that have one, else the link day's price."""
    found = [held[model, day].price_nano for day in days if (model, day) in held]
    found = found or [held[model, link_day].price_nano]
    return round_half_up(sum(found), len(found))


def level_units(basket: Basket, used: Mapping[str, int]) -> int:
    """Return the level in hundredths of a point: ``sum(q p) / D``, rounded half up once.

    Args:
        basket: quantities and divisor as published.
        used: price per constituent in nano-units; every constituent has one.
    """
    worth = sum(c.quantity_e12 * used[c.model] for c in basket.constituents)
    return round_half_up(
        worth * DIVISOR_UNITS * POINT_UNITS, basket.divisor_e15 * QUANTITY_UNITS * 10**9
    )
