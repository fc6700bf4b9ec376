"""What moving a value would take: the nearest own price that does it, its cost and its gain.

Rulebook 16. The straight pieces of :mod:`methodology.resistance` give the price; the estimator
itself confirms it to the unit.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import lru_cache

from methodology.resistance import Panel, Piece, pieces, rate


@lru_cache(maxsize=2048)
def nearest_price(panel: Panel, member: int, target: Fraction) -> int | None:
    """Return the own price nearest to today's at which the rate has moved by ``target``.

    Args:
        panel: who stood.
        member: place of the member.
        target: change of the rate, above 0 for a rise and below 0 for a fall.

    Returns:
        Nano-units above 0, exact to the unit: one unit nearer does not reach it. ``None`` when no
        own price does.
    """
    goal, price = rate(panel) * (1 + target), panel.prices[member]
    if target > 0:
        for piece in pieces(panel, member):
            found = _up(piece, price, goal)
            if found is not None and (exact := _confirmed(panel, member, found, goal, 1, piece)):
                return exact
        return None
    for piece in reversed(pieces(panel, member)):
        found = _down(piece, price, goal)
        if found is not None and (exact := _confirmed(panel, member, found, goal, -1, piece)):
            return exact
    return None


def _up(piece: Piece, price: int, goal: Fraction) -> int | None:
    """Return the lowest own price of a piece, at or above today's, that lifts the rate to goal."""
    low = max(piece.low, price)
    if piece.high is not None and low > piece.high:
        return None
    need = goal * piece.total - piece.base
    if piece.slope == 0:
        return low if need <= 0 else None
    lowest = max(low, -(-need.numerator // (need.denominator * piece.slope)))
    return lowest if piece.high is None or lowest <= piece.high else None


def _down(piece: Piece, price: int, goal: Fraction) -> int | None:
    """Return the highest own price of a piece, at or below today's, that takes the rate to goal."""
    high = price if piece.high is None else min(piece.high, price)
    low = max(piece.low, 1)
    if high < low:
        return None
    need = goal * piece.total - piece.base
    if piece.slope == 0:
        return high if need >= 0 else None
    highest = min(high, need.numerator // (need.denominator * piece.slope))
    return highest if highest >= low else None


def _confirmed(
    panel: Panel, member: int, price: int, goal: Fraction, step: int, piece: Piece
) -> int | None:
    """Return the price, or the one a unit on, once the estimator itself reaches the goal there.

    At a price equal to another's the order of groups decides, not the piece.
    """
    for candidate in (price, price + step):
        if candidate < max(piece.low, 1) or (piece.high is not None and candidate > piece.high):
            continue
        prices = (*panel.prices[:member], candidate, *panel.prices[member + 1 :])
        reached = rate(replace(panel, prices=prices))
        if reached >= goal if step > 0 else reached <= goal:
            return candidate
    return None


def cost_per_unit(price: int, moved: int | None, days: int) -> int | None:
    """Return what a moved price forgoes per unit of daily volume over ``days``, in nano-units."""
    return None if moved is None else abs(moved - price) * days


def gain(base: Fraction, target: Fraction, position: int) -> Fraction:
    """Return what a position of so many units earns when the rate moves by ``target``; nano."""
    return base * abs(target) * position
