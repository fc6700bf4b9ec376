"""What moved a unit value from one day to the next, in parts that add up exactly (rulebook 13.11).

A unit value is ``sum(s P)``: shares of tokens times prices. Each product is split by the means of
both days (``change of xy = mean x * change of y + mean y * change of x``), so the parts do not
depend on an order of steps, and nothing is left over. Ratios are exact until the parts are
published in units, by largest remainder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

TOTAL = "ALL"
"""The one meter of a model whose tokens are known as one total at one price."""

EFFECTS = ("price", "mix", "cache", "entry_exit", "fx")
"""The parts, in the order in which ties of the remainder are resolved."""

HALF = Fraction(1, 2)


@dataclass(frozen=True, slots=True)
class Use:
    """One model on one day.

    ``tokens``: count by meter, either ``ALL`` alone or ``IN`` (uncached), ``CIN``, ``OUT``.
    ``prices``: by the same meters, per token in any unit, in the currency in which they are
    posted; a missing ``CIN`` counts as ``IN``. ``rate``: index currency per posted currency.
    """

    tokens: Mapping[str, int]
    prices: Mapping[str, Fraction]
    rate: Fraction = Fraction(1)

    @property
    def count(self) -> int:
        """All tokens."""
        return sum(self.tokens.values())

    def price(self, meter: str) -> Fraction:
        """Return the posted price of a meter; cached input without one costs as input."""
        return (
            self.prices["IN"] if meter == "CIN" and "CIN" not in self.prices else self.prices[meter]
        )

    @property
    def spend(self) -> Fraction:
        """Tokens times prices, in the currency of the index."""
        return self.rate * sum((n * self.price(m) for m, n in self.tokens.items()), Fraction(0))


def unit_value(uses: Mapping[str, Use]) -> Fraction | None:
    """Return spend by tokens over models; ``None`` without tokens."""
    count = sum(use.count for use in uses.values())
    return sum((use.spend for use in uses.values()), Fraction(0)) / count if count else None


def split(before: Mapping[str, Use], after: Mapping[str, Use]) -> dict[str, Fraction]:
    """Return the parts of the change of a unit value; their sum is the change, exactly.

    Args:
        before: the models of the earlier day; they have tokens.
        after: those of the later day; they have tokens.

    Raises:
        ValueError: one of the days has no tokens, or a model is metered differently on both.
    """
    then, now = unit_value(before), unit_value(after)
    if then is None or now is None:
        raise ValueError("a day without tokens has no unit value to split")
    parts = dict.fromkeys(EFFECTS, Fraction(0))
    both = sorted(set(before) & set(after))
    old = {m: before[m] for m in both}
    new = {m: after[m] for m in both}
    then_both, now_both = unit_value(old), unit_value(new)
    if then_both is None or now_both is None:
        return parts | {"entry_exit": now - then}
    parts["entry_exit"] = (now - now_both) - (then - then_both)
    whole_old, whole_new = sum(u.count for u in old.values()), sum(u.count for u in new.values())
    for model in both:
        _add_model(parts, old[model], new[model], whole_old, whole_new)
    return parts


def _add_model(
    parts: dict[str, Fraction], old: Use, new: Use, whole_old: int, whole_new: int
) -> None:
    if (TOTAL in old.tokens) != (TOTAL in new.tokens):
        raise ValueError("a model is metered in total on one day and in parts on the other")
    share_old, share_new = Fraction(old.count, whole_old), Fraction(new.count, whole_new)
    share = HALF * (share_old + share_new)
    made_old, made_new = _composition(old, new), _composition(new, old)
    posted_old = sum((c * old.price(m) for m, c in made_old.items()), Fraction(0))
    posted_new = sum((c * new.price(m) for m, c in made_new.items()), Fraction(0))
    rate = HALF * (old.rate + new.rate)
    # What did not move adds nothing, and fractions are slow: most prices and rates did not.
    parts["mix"] += HALF * (posted_old * old.rate + posted_new * new.rate) * (share_new - share_old)
    if new.rate != old.rate:
        parts["fx"] += share * HALF * (posted_old + posted_new) * (new.rate - old.rate)
    weight = share * rate
    mean = {m: HALF * (old.price(m) + new.price(m)) for m in made_old}
    for meter, part in made_old.items():
        moved = new.price(meter) - old.price(meter)
        if moved:
            parts["price"] += weight * HALF * (part + made_new[meter]) * moved
    if TOTAL in made_old:
        return
    hit_old, hit_new = _cached(made_old, made_new), _cached(made_new, made_old)
    input_old, input_new = (m["IN"] + m["CIN"] for m in (made_old, made_new))
    hit, more_input = HALF * (hit_old + hit_new), input_new - input_old
    if hit_new != hit_old:
        dearer = mean["CIN"] - mean["IN"]
        parts["cache"] += weight * HALF * (input_old + input_new) * (hit_new - hit_old) * dearer
    if more_input:
        input_price = (1 - hit) * mean["IN"] + hit * mean["CIN"]
        parts["mix"] += weight * more_input * (input_price - mean["OUT"])


def _composition(use: Use, other: Use) -> dict[str, Fraction]:
    """Return the parts of a model's tokens by meter; without tokens, those of the other day."""
    counted = use if use.count else other
    meters = (TOTAL,) if TOTAL in use.tokens else ("IN", "CIN", "OUT")
    if not counted.count:
        return dict.fromkeys(meters, Fraction(1, len(meters)))
    return {m: Fraction(counted.tokens.get(m, 0), counted.count) for m in meters}


def _cached(made: Mapping[str, Fraction], other: Mapping[str, Fraction]) -> Fraction:
    """Return the cached part of input; a day without input has that of the other day."""
    for one in (made, other):
        if one["IN"] + one["CIN"]:
            return one["CIN"] / (one["IN"] + one["CIN"])
    return Fraction(0)


def publish(parts: Mapping[str, Fraction], change: int) -> dict[str, int]:
    """Return the parts in whole units that sum to the published change.

    Each part is rounded down; the units that are then missing go to the parts with the largest
    remainders, ties in the order of :data:`EFFECTS`. The published change differs from the exact
    one by less than a unit, because both values were rounded; so a part that is exactly whole
    keeps its figure, and a part that is zero stays zero.

    Args:
        parts: exact parts in units of the published figure.
        change: difference of the two published figures, in those units.

    Raises:
        ValueError: the change is a unit or more away from the sum of the parts.
    """
    exact = sum(parts.values(), Fraction(0))
    if abs(exact - change) >= 1:
        raise ValueError(f"a change of {change} units is not that of parts that sum to {exact}")
    floors = {name: parts[name].numerator // parts[name].denominator for name in EFFECTS}
    missing = change - sum(floors.values())
    by_remainder = sorted(EFFECTS, key=lambda n: (floors[n] - parts[n], EFFECTS.index(n)))
    return {n: floors[n] + (n in by_remainder[:missing]) for n in EFFECTS}


def chain_step(
    level_e6: int, weights: Mapping[str, int], before: Mapping[str, int], after: Mapping[str, int]
) -> int:
    """Return the next level of a chained index of matched models (rulebook 13.10).

    ``round_half_up( level * sum(w p(t)/p(s)) / sum(w) )`` over the models with a weight and a
    price on both days; with none of them the level stays.

    Args:
        level_e6: level of the earlier day, in millionths of a point.
        weights: published weights of the basket.
        before: prices of the earlier day, positive.
        after: prices of the later day.
    """
    matched = sorted(m for m in weights if m in before and m in after)
    whole = sum(weights[m] for m in matched)
    if not whole:
        return level_e6
    moved = sum((weights[m] * Fraction(after[m], before[m]) for m in matched), Fraction(0))
    level = level_e6 * moved / whole
    return (2 * level.numerator + level.denominator) // (2 * level.denominator)


__all__ = ["EFFECTS", "TOTAL", "Use", "chain_step", "publish", "split", "unit_value"]
