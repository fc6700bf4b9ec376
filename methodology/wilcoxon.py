"""The estimate that R's ``wilcox.test(exact = FALSE)`` prints, as a named convention.

It looks like a Hodges-Lehmann estimate and is not one: the centre is where a signed-rank statistic,
a step function, changes sign, searched to 1e-4. On small samples the third digit differs from the
exact median of pairwise means (:func:`methodology.order_statistics.hodges_lehmann`). Here so that
a figure from there can be told apart; nothing uses it.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence


def signed_rank(values: Sequence[float], centre: float) -> float:
    """Return the normalised signed-rank statistic of the values around a centre.

    Zeros are left out and equal distances share the mean of their ranks.

    Raises:
        ZeroDivisionError: every value is the centre.
    """
    off = [one - centre for one in values if one != centre]
    n, size = len(off), sorted(abs(one) for one in off)
    rank = {one: size.index(one) + (size.count(one) + 1) / 2 for one in size}
    above = sum(rank[abs(one)] for one in off if one > 0) - n * (n + 1) / 4
    ties = sum(size.count(one) ** 3 - size.count(one) for one in set(size))
    return above / math.sqrt(n * (n + 1) * (2 * n + 1) / 24 - ties / 48)


def brent(function: Callable[[float], float], low: float, high: float, tolerance: float) -> float:
    """Return a root between two points of opposite sign, by Brent's method of 1973.

    Inverse quadratic interpolation or a secant where it gains, bisection where it does not; on a
    step function the result depends on this very order of steps, which is that of R's ``uniroot``.
    """
    last, best, other = low, high, low
    f_last, f_best = function(low), function(high)
    f_other = f_last
    while True:
        before = best - last
        if abs(f_other) < abs(f_best):
            last, best, other = best, other, best
            f_last, f_best, f_other = f_best, f_other, f_best
        least = 2 * sys.float_info.epsilon * abs(best) + tolerance / 2
        step = (other - best) / 2
        if abs(step) <= least or f_best == 0:
            return best
        if abs(before) >= least and abs(f_last) > abs(f_best):
            step = _interpolated(last, best, other, (f_last, f_best, f_other), before, least, step)
        if abs(step) < least:
            step = math.copysign(least, step)
        last, f_last = best, f_best
        best += step
        f_best = function(best)
        if f_best * f_other > 0:
            other, f_other = last, f_last


def _interpolated(
    last: float,
    best: float,
    other: float,
    heights: tuple[float, float, float],
    before: float,
    least: float,
    bisection: float,
) -> float:
    """Return the interpolated step where it stays well inside, else the bisection's."""
    f_last, f_best, f_other = heights
    width = other - best
    if last == other:
        ratio = f_best / f_last
        p, q = width * ratio, 1 - ratio
    else:
        q, to_other, to_last = f_last / f_other, f_best / f_other, f_best / f_last
        p = to_last * (width * q * (q - to_other) - (best - last) * (to_other - 1))
        q = (q - 1) * (to_other - 1) * (to_last - 1)
    p, q = (p, -q) if p > 0 else (-p, q)
    if p < 0.75 * width * q - abs(least * q) / 2 and p < abs(before * q / 2):
        return p / q
    return bisection


def estimate(values: Sequence[float]) -> float:
    """Return the pseudo-median R prints without exact ranks: a root to 1e-4, not the exact one.

    Raises:
        ValueError: no values, or all the same.
    """
    if not values or min(values) == max(values):
        raise ValueError("the search needs two different values")
    return brent(lambda c: signed_rank(values, c), min(values), max(values), 1e-4)
