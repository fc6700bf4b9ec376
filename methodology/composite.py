"""Composites of models: baskets, divisors, links, and the unit value beside them (rulebook 13).

``TKX`` is a Young index in index-number language: quantities are fixed at the link day from capped
expenditure shares, and the level moves with prices alone. ``TEX`` is spend divided by tokens: it
moves when users change models, so it stands beside the index and never inside it.

Everything is integers: weights of 1e-8, quantities of 1e-12 Mtok, divisors of 1e-15, prices in
nano-units, levels in hundredths of a point.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from methodology.baskets import (
    DIVISOR_UNITS,
    ENTRY_DAYS,
    POINT_UNITS,
    QUANTITY_UNITS,
    Basket,
    Constituent,
    Good,
    ModelPrice,
    Prices,
    basket_from_record,
    basket_shares,
    choose_sources,
    in_segment,
    level_units,
    make_basket,
    volume_period,
)
from methodology.definition import Methodology
from methodology.units import round_half_up


@dataclass(frozen=True, slots=True)
class CompositeState:
    """What one day leaves for the next; per model, prices in nano-units and day ordinals.

    ``link_skipped``: a link day has passed without a new basket (rulebook 13.6). It is no part of
    the record of the state: the fixing itself says it with a flag.
    """

    previous: dict[str, int]
    sighted: dict[str, date]
    used: dict[str, int]
    seen: dict[str, date]
    held: dict[str, int]
    value_units: int = 0
    value_day: date | None = None
    carried: int = 0
    link_skipped: bool = False

    @classmethod
    def empty(cls) -> CompositeState:
        """Return the state before the first day."""
        return cls({}, {}, {}, {}, {})

    def as_record(self) -> dict[str, object]:
        """Return the state as the plain content of a ``panel_state`` record."""
        return {
            "previous": dict(self.previous),
            "sighted": {m: d.isoformat() for m, d in self.sighted.items()},
            "used": dict(self.used),
            "seen": {m: d.isoformat() for m, d in self.seen.items()},
            "held": dict(self.held),
            "value_units": self.value_units,
            "value_day": self.value_day.isoformat() if self.value_day else None,
            "carried": self.carried,
        }


def state_from_record(content: Mapping[str, Any]) -> CompositeState:
    """Return the state that :meth:`CompositeState.as_record` wrote, no link skipped."""
    when = content["value_day"]
    return CompositeState(
        previous=dict(content["previous"]),
        sighted={m: date.fromisoformat(d) for m, d in content["sighted"].items()},
        used=dict(content["used"]),
        seen={m: date.fromisoformat(d) for m, d in content["seen"].items()},
        held=dict(content["held"]),
        value_units=content["value_units"],
        value_day=date.fromisoformat(when) if when else None,
        carried=content["carried"],
    )


def relink(state: CompositeState, basket: Basket, day: date) -> CompositeState:
    """Return the state with which a newly linked basket starts: its own link-day prices."""
    prices = {c.model: c.link_price_nano for c in basket.constituents}
    days = dict.fromkeys(prices, day)
    return replace(state, previous=prices, used=prices, seen=days, sighted=days, held={})


def speaks_as_rates(rules: Methodology) -> bool:
    """Return whether a composite carries and flags its days as a rate does (rulebook 10.5, 11.5).

    Composites did not under 1.0.0, whose fixings are recomputed as they were made.
    """
    return rules.continuity is not None


@dataclass(frozen=True, slots=True)
class CompositeDay:
    """One day of a composite: level, value in hundredths of a point, and each model's part."""

    ref_date: date
    waterfall: str
    value_units: int | None
    models: int
    weight_e8: int
    rows: tuple[dict[str, Any], ...]


def determine_composite(
    basket: Basket,
    prices: Prices,
    day: date,
    state: CompositeState,
    rules: Methodology,
    ended: Collection[str] = (),
) -> tuple[CompositeDay, CompositeState]:
    """Return one index day of a composite and the state it leaves (rulebook 13.5).

    A constituent's price jumps are held one day unless confirmed, as for a rate. One without a
    price is imputed with the movement of the others, ``p(t) = p(s) V(t) / V(s)`` where V is the
    worth of the quantities of those observed on both days, for at most the imputation limit;
    after that the index has no value until a basket is linked without it. A constituent is never
    dropped from a basket between links: that would be a price move without a price.

    Without a value the last one is carried, but only while a constituent is observed or held
    (rulebook 10.5); rules of 1.0.0 carried over silence as well.

    ``ended``: constituents whose source prices another product by now, or nothing (rulebook
    13.9); what it still states for them is not read.
    """
    jump, used, rows = rules.jump.token_ratio, dict[str, int](), []
    previous, sighted = dict(state.previous), dict(state.sighted)
    seen, held = dict(state.seen), dict(state.held)
    statuses: dict[str, tuple[str, str]] = {}
    for c in basket.constituents:
        found = _stated(prices, c, day, ended)
        last = state.sighted.get(c.model)
        recent = last is not None and (day - last).days * 24 <= rules.waterfall.carried_input_hours
        was = state.previous.get(c.model, 0) if recent else 0
        if found is None:
            statuses[c.model] = ("IMPUTED", "EXITED" if c.model in ended else "NO_PRICE")
            continue
        sighted[c.model] = day
        now = found.price_nano
        far = was and (
            now * jump.denominator > was * jump.numerator
            or now * jump.numerator < was * jump.denominator
        )
        if far and not found.is_confirmed:
            held[c.model] = state.held.get(c.model, 0) + 1
            if held[c.model] <= rules.jump.max_held_days:
                used[c.model], statuses[c.model] = was, ("HELD", "JUMP_UNCONFIRMED")
                seen[c.model] = day
            else:
                statuses[c.model] = ("IMPUTED", "JUMP_UNCONFIRMED")
            continue
        held[c.model] = 0
        previous[c.model] = used[c.model] = now
        seen[c.model] = day
        statuses[c.model] = ("OBSERVED", "CONFIRMED_SAME_PATH" if far else "")
    observed = set(used)
    weight = sum(c.weight_e8 for c in basket.constituents if c.model in observed)
    share = rules.waterfall.reduced_weight
    enough = (
        len(observed) >= rules.composite.min_models
        and weight * share.denominator >= 10**8 * share.numerator
    )
    limit = rules.imputation.max_days
    for c in basket.constituents:
        if c.model not in observed and enough:
            last = state.seen.get(c.model)
            if last is None or (day - last).days > limit or c.model not in state.used:
                enough, statuses[c.model] = False, ("DROPPED", "IMPUTED_TOO_LONG")
                continue
            used[c.model] = _imputed(basket, c.model, observed, used, state.used)
    for c in basket.constituents:
        found = _stated(prices, c, day, ended)
        rows.append(
            {
                "model": c.model,
                "developer": c.developer,
                "source": c.price_source,
                "weight_e8": c.weight_e8,
                "quantity_e12": c.quantity_e12,
                "quoted_nano": found.price_nano if found else None,
                "price_nano": used.get(c.model),
                "status": statuses[c.model][0],
                "reason": statuses[c.model][1],
                "observation_id": found.observation_id if found else None,
            }
        )
    if enough:
        units = level_units(basket, used)
        after = CompositeState(
            previous, sighted, used, seen, held, units, day, 0, state.link_skipped
        )
        return CompositeDay(day, "REDUCED", units, len(observed), weight, tuple(rows)), after
    base = replace(state, previous=previous, sighted=sighted, seen=seen, held=held, carried=0)
    unbroken = state.value_day is not None and (day - state.value_day).days == state.carried + 1
    may = bool(observed) or not speaks_as_rates(rules)
    if may and unbroken and state.carried < rules.waterfall.carry_max_days:
        after = replace(base, carried=state.carried + 1)
        told = CompositeDay(day, "CARRY", state.value_units, len(observed), weight, tuple(rows))
        return told, after
    return CompositeDay(day, "NO_FIX", None, len(observed), weight, tuple(rows)), base


def _stated(
    prices: Prices, constituent: Constituent, day: date, ended: Collection[str]
) -> ModelPrice | None:
    if constituent.model in ended:
        return None
    return prices.get(constituent.price_source, {}).get((constituent.model, day))


def _imputed(
    basket: Basket,
    model: str,
    observed: set[str],
    now: Mapping[str, int],
    before: Mapping[str, int],
) -> int:
    common = [c for c in basket.constituents if c.model in observed and c.model in before]
    worth_now = sum(c.quantity_e12 * now[c.model] for c in common)
    worth_before = sum(c.quantity_e12 * before[c.model] for c in common)
    if worth_before == 0:
        return before[model]
    return round_half_up(before[model] * worth_now, worth_before)


def unit_value_nano(tokens: Mapping[str, int], prices: Mapping[str, int]) -> tuple[int, int] | None:
    """Return spend divided by tokens as an exact ratio of nano-units per Mtok (rulebook 13.7).

    Args:
        tokens: token count per model.
        prices: nano-units per Mtok per model.

    Returns:
        ``(numerator, denominator)``, or ``None`` when no priced model has tokens. Models without
        a price are left out of both sums.
    """
    counted = [(quantity, prices[model]) for model, quantity in tokens.items() if model in prices]
    count = sum(quantity for quantity, _ in counted)
    return (sum(q * p for q, p in counted), count) if count else None


__all__ = [
    "DIVISOR_UNITS",
    "ENTRY_DAYS",
    "POINT_UNITS",
    "QUANTITY_UNITS",
    "Basket",
    "CompositeDay",
    "CompositeState",
    "Constituent",
    "Good",
    "ModelPrice",
    "Prices",
    "basket_from_record",
    "basket_shares",
    "choose_sources",
    "determine_composite",
    "in_segment",
    "level_units",
    "make_basket",
    "relink",
    "speaks_as_rates",
    "state_from_record",
    "unit_value_nano",
    "volume_period",
]
