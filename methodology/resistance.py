"""Can one seller move it? What a group could do to a value, from its published panel.

Rulebook 16. Everything is an exact ratio of integers: prices that stood in nano-units, published
weights of 1e-8, and the kept weights that the estimator gives them. A change is ``R'/R - 1``, R the
exact rate before its own rounding. Screens and imputed prices are taken as they stood that day.

Where one price of a panel varies and the others stand, the rate is linear between the prices of the
others. :func:`pieces` gives these straight pieces; their ends and slopes answer every question
about one group without a search.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import combinations
from typing import Final

import numpy as np

from methodology.estimators import MEDIAN, TRIMS, kept
from methodology.screens import ln_micro
from methodology.units import round_half_up
from methodology.weights import publish_weights

LN_SCALE: Final = 10**18
"""A ratio is held with this many units before its logarithm is taken."""


@dataclass(frozen=True, slots=True)
class Panel:
    """The members that stood in one value, in group order.

    ``prices``: nano-units above 0; ``weights``: units of 1e-8 above 0; ``estimator``: a name of
    :mod:`methodology.estimators`.
    """

    groups: tuple[str, ...]
    prices: tuple[int, ...]
    weights: tuple[int, ...]
    estimator: str

    def __post_init__(self) -> None:
        """Raise ValueError for no panel: nobody, odd lengths, a price or weight of zero."""
        if not self.groups or not len(self.groups) == len(self.prices) == len(self.weights):
            raise ValueError("a panel needs one price and one weight for each of its groups")
        if min(self.prices) <= 0 or min(self.weights) <= 0:
            raise ValueError("a member stands with a price and a weight above zero")


@dataclass(frozen=True, slots=True)
class Piece:
    """One straight piece of the rate over one own price: ``(base + slope * p) / total``.

    It holds for ``low <= p <= high`` in nano-units; ``high`` ``None``: without end.
    """

    low: int
    high: int | None
    base: int
    slope: int
    total: int

    def at(self, price: int) -> Fraction:
        """Return the rate at an own price inside the piece."""
        return Fraction(self.base + self.slope * price, self.total)


@dataclass(frozen=True, slots=True)
class Reach:
    """The lowest and the highest rate that a free choice of prices can give.

    ``high`` ``None``: it grows without bound.
    """

    low: Fraction
    high: Fraction | None


@dataclass(frozen=True, slots=True)
class Breakdown:
    """How many of the largest groups together move the value without bound.

    ``share``: what the estimator allows by theory; ``groups``, ``weight``: the fewest groups that
    do it in this panel and their weight, ``None`` and 0 when all of them together cannot.
    """

    share: Fraction
    groups: int | None
    weight: int


def _kept(rows: Sequence[Sequence[int]], estimator: str) -> list[list[int]]:
    """Return kept weights for panels in price order, one row each."""
    weight = np.array(rows, dtype=np.int64)
    found: list[list[int]] = kept(weight, estimator, (weight > 0).sum(-1)).tolist()
    return found


def rate_of(prices: Sequence[int | Fraction], weights: Sequence[int], estimator: str) -> Fraction:
    """Return the exact rate of a panel in nano-units (rulebook 7.1), ties in the order given.

    Raises:
        ValueError: no weight is above zero.
    """
    if not any(weights):
        raise ValueError("no member has a weight: there is no rate")
    return _rate_of(tuple(prices), tuple(weights), estimator)


@lru_cache(maxsize=4096)
def _rate_of(
    prices: tuple[int | Fraction, ...], weights: tuple[int, ...], estimator: str
) -> Fraction:
    """Return :func:`rate_of`: most panels stand as they stood the day before."""
    order = sorted(range(len(prices)), key=lambda g: prices[g])
    share = _kept([[weights[g] for g in order]], estimator)[0]
    top = sum((k * Fraction(prices[g]) for k, g in zip(share, order, strict=True)), Fraction(0))
    return top / sum(share)


@lru_cache(maxsize=256)
def rate(panel: Panel) -> Fraction:
    """Return the exact rate of the panel in nano-units."""
    return rate_of(panel.prices, panel.weights, panel.estimator)


def own_change(panel: Panel, member: int, move: Fraction) -> Fraction:
    """Return the change of the rate when one member's price moves by ``move`` of itself.

    Args:
        panel: who stood.
        member: place of the member.
        move: relative move of its price, for example 1/10 or -1/10; above -1.
    """
    prices: list[int | Fraction] = list(panel.prices)
    prices[member] = panel.prices[member] * (1 + move)
    return rate_of(prices, panel.weights, panel.estimator) / rate(panel) - 1


def leave_out_change(
    panel: Panel, member: int, weights: Sequence[int] | None = None
) -> Fraction | None:
    """Return the change of the rate with one member left out; ``None`` if it stood alone.

    Args:
        panel: who stood.
        member: place of the member.
        weights: weights of the others in group order, formed anew (rulebook 8.5). Without them the
            others keep their published weights among each other (rulebook 7.5).
    """
    others = [g for g in range(len(panel.groups)) if g != member]
    if not others:
        return None
    left = [panel.weights[g] for g in others] if weights is None else list(weights)
    if not any(left):
        return None
    return rate_of([panel.prices[g] for g in others], left, panel.estimator) / rate(panel) - 1


@lru_cache(maxsize=256)
def pieces(panel: Panel, member: int) -> tuple[Piece, ...]:
    """Return the rate over one member's own price, from 0 upwards, in straight pieces.

    A piece ends where the own price passes the price of another member. Pieces of no length stand
    between equal prices of others.
    """
    others = sorted(
        (g for g in range(len(panel.groups)) if g != member), key=lambda g: panel.prices[g]
    )
    prices = [panel.prices[g] for g in others]
    weights = [panel.weights[g] for g in others]
    own = panel.weights[member]
    rows = _kept(
        [[*weights[:at], own, *weights[at:]] for at in range(len(others) + 1)], panel.estimator
    )
    made = []
    for at, row in enumerate(rows):
        rest = [*row[:at], *row[at + 1 :]]
        made.append(
            Piece(
                low=prices[at - 1] if at else 0,
                high=prices[at] if at < len(prices) else None,
                base=sum(k * p for k, p in zip(rest, prices, strict=True)),
                slope=row[at],
                total=sum(row),
            )
        )
    return tuple(made)


@lru_cache(maxsize=2048)
def any_price(panel: Panel, member: int) -> Reach:
    """Return what one member can make of the rate with any price from 0 to infinity; exact."""
    ends: list[Fraction] = []
    is_bounded = True
    for piece in pieces(panel, member):
        ends.append(piece.at(piece.low))
        if piece.high is not None:
            ends.append(piece.at(piece.high))
        elif piece.slope:
            is_bounded = False
    return Reach(min(ends), max(ends) if is_bounded else None)


def together(panel: Panel, members: Sequence[int]) -> Reach:
    """Return what several members can make of the rate, their prices all at 0 or all at infinity.

    The estimators rise with every price, so no other choice of prices reaches further.
    """
    acting = set(members)
    others = sorted(
        (g for g in range(len(panel.groups)) if g not in acting), key=lambda g: panel.prices[g]
    )
    theirs = [panel.weights[g] for g in members]
    rest = [panel.weights[g] for g in others]
    down, up = _kept([theirs + rest, rest + theirs], panel.estimator)
    prices = [panel.prices[g] for g in others]
    low = sum(k * p for k, p in zip(down[len(theirs) :], prices, strict=True))
    high = sum(k * p for k, p in zip(up[: len(rest)], prices, strict=True))
    bounded = not any(up[len(rest) :])
    return Reach(Fraction(low, sum(down)), Fraction(high, sum(up)) if bounded else None)


def largest_groups(panel: Panel, count: int) -> list[int]:
    """Return the places of the ``count`` heaviest members, and of all as heavy as the last of them.

    One unit of 1e-8 is no difference: it is what rounding gave to one of equals (rulebook 5.4).
    """
    order = sorted(range(len(panel.groups)), key=lambda g: (-panel.weights[g], g))
    if len(order) <= count:
        return order
    bar = panel.weights[order[count - 1]] - 1
    return [g for g in order if panel.weights[g] >= bar]


def worst_pair(panel: Panel, count: int) -> tuple[tuple[int, int], Reach] | None:
    """Return the pair among the largest members that moves the rate furthest, and how far.

    Furthest is the largest absolute change, no bound before any; equal pairs in order of weight.
    ``None`` for fewer than two members.
    """
    base = rate(panel)
    best: tuple[tuple[int, int], Reach] | None = None
    furthest: Fraction | None = Fraction(-1)
    for pair in combinations(largest_groups(panel, count), 2):
        reach = together(panel, pair)
        far = largest_change(base, reach)
        size = None if far is None else abs(far)
        if furthest is not None and (size is None or size > furthest):
            best, furthest = (pair, reach), size
    return best


def largest_change(base: Fraction, reach: Reach) -> Fraction | None:
    """Return the end of a reach that is furthest from the rate, as a change; ``None``: no bound."""
    if reach.high is None:
        return None
    up, down = reach.high / base - 1, reach.low / base - 1
    return up if up >= -down else down


def largest_ln(base: Fraction, reach: Reach) -> int | None:
    """Return the larger absolute logarithm of a reach in millionths; ``None``: no bound."""
    if reach.high is None or reach.low == 0:
        return None
    return max(ln_change_micro(reach.high / base), -ln_change_micro(reach.low / base))


def ln_change_micro(ratio: Fraction) -> int:
    """Return the natural logarithm of a ratio in millionths, from ``screens.ln_micro``.

    Two rounded logarithms are subtracted, so the last digit may be off by one.

    Raises:
        ValueError: the ratio is not positive, or so small that nothing is left of it.
    """
    units = round_half_up(ratio.numerator * LN_SCALE, ratio.denominator)
    return ln_micro(units) - ln_micro(LN_SCALE)


def breakdown(panel: Panel) -> Breakdown:
    """Return the breakdown point: by theory, and by search over the largest members of the panel.

    The search puts the heaviest members on top one after the other until the estimator keeps some
    of their weight: from there on their price moves the rate without bound. Downwards a rate ends
    at zero, so only the upper end is looked at.
    """
    n, d = (1, 2) if panel.estimator == MEDIAN else TRIMS[panel.estimator]
    order = sorted(range(len(panel.groups)), key=lambda g: (-panel.weights[g], g))
    for count in range(1, len(order) + 1):
        if together(panel, order[:count]).high is None:
            weight = sum(panel.weights[g] for g in order[:count])
            return Breakdown(Fraction(n, d), count, weight)
    return Breakdown(Fraction(n, d), None, 0)


def groups_by_theory(panel: Panel) -> int:
    """Return how many of the largest members carry more than the estimator's breakdown share.

    For the median exactly half is enough, within the slack of rulebook 7.4; for a trimmed mean
    exactly the trim is not.
    """
    total, reached = sum(panel.weights), 0
    for count, weight in enumerate(sorted(panel.weights, reverse=True), 1):
        reached += weight
        if panel.estimator == MEDIAN:
            if 2 * reached >= total - 2 * len(panel.weights):
                return count
        elif reached * TRIMS[panel.estimator][1] > total * TRIMS[panel.estimator][0]:
            return count
    return len(panel.weights)


def under_weights(panel: Panel, weights: Sequence[int]) -> Fraction:
    """Return the rate of the same prices and estimator under other weights."""
    return rate_of(panel.prices, weights, panel.estimator)


def equal_weights(panel: Panel) -> list[int]:
    """Return equal published weights: every cap of rulebook 5.3 lets them stand."""
    return publish_weights([Fraction(1, len(panel.groups))] * len(panel.groups))


def raw_weights(volumes: Sequence[int]) -> list[int] | None:
    """Return published shares of volumes as they are, no root and no cap; ``None`` if all are 0."""
    total = sum(volumes)
    return publish_weights([Fraction(v, total) for v in volumes]) if total else None
