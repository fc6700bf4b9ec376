"""Settlement arithmetic a second time, in plain integers and fractions.

Written from the rulebook's prose alone, one basket at a time and without numpy or polars, so that
``test_oracle.py`` can hold the vectorised code against something that shares no line with it.
Slow, direct and short on purpose: a reader with the rulebook beside it should be able to check
every function in a minute.

One rule here is not a plain reading of "averages at exactly one half": published weights are
rounded to 1e-8, each by less than one unit, so a cumulative weight that is one half before
rounding may miss it by up to as many units as there are members. :func:`median_parts` therefore
takes a cumulative weight within ``n`` units of one half as exactly one half, ``n`` being the
number of members with positive weight.
"""

from __future__ import annotations

from fractions import Fraction
from math import isqrt

ONE = 10**8
"""A weight of one, in published units of 1e-8."""


def half_up(numerator: int, denominator: int) -> int:
    """One rounding half up of a non-negative ratio."""
    whole, rest = divmod(numerator, denominator)
    return whole + 1 if 2 * rest >= denominator else whole


# --- weights -------------------------------------------------------------------------------------


def known_or_quartile(volumes: list[int | None]) -> list[int]:
    """Unknown volumes become the 25th percentile of the known ones; nobody known: all equal.

    Volumes are integers and stay so: the percentile is the smallest known volume that at least a
    quarter of the known ones do not exceed, never a mean of two.
    """
    known = [v for v in volumes if v is not None]
    if not known:
        return [1] * len(volumes)
    quartile = min(v for v in known if 4 * sum(u <= v for u in known) >= len(known))
    return [quartile if v is None else v for v in volumes]


def cap_of(n: int) -> Fraction:
    """c(N) = max(0.08, 1.2 / N)."""
    return max(Fraction(8, 100), Fraction(12, 10 * n))


def weights(volumes: list[int | None], rooted: bool, cap: Fraction | None = None) -> list[int]:
    """Capped weights in units of 1e-8, summing to one by largest remainder, ties to the first.

    ``cap`` is given for the panels of the 40% trim (5%) and c(N) otherwise.
    """
    x = known_or_quartile(volumes)
    if rooted:
        x = [isqrt(v * 10**12) for v in x]
    n = sum(1 for v in x if v > 0)
    c = cap_of(n) if cap is None else cap
    if c * n < 1:
        x = [1 if v > 0 else 0 for v in x]
        c = Fraction(1)
    cn, cd = c.numerator, c.denominator
    at_cap: set[int] = set()
    while True:
        rest = cd - cn * len(at_cap)  # what the cap leaves, in 1/cd
        free = sum(v for j, v in enumerate(x) if j not in at_cap)
        over = {j for j, v in enumerate(x) if j not in at_cap and v * rest > cn * free}
        if not over:
            break
        at_cap |= over
    if free == 0:
        free = 1
    # Every share over the common denominator cd * free.
    shares = [cn * free if j in at_cap else v * rest for j, v in enumerate(x)]
    parts = [divmod(s * ONE, cd * free) for s in shares]
    units = [whole for whole, _ in parts]
    order = sorted(range(len(x)), key=lambda j: (-parts[j][1], j))
    for j in order[: ONE - sum(units)]:
        units[j] += 1
    return units


# --- estimators ----------------------------------------------------------------------------------


def quantile_parts(
    prices: list[int], units: list[int], numerator: int, denominator: int, slack: int = 0
) -> tuple[int, int]:
    """Weighted quantile as (sum, count) of one value, or of two where the level is met exactly."""
    in_order = sorted(range(len(prices)), key=prices.__getitem__)  # equal prices: by member
    rows = [(prices[j], units[j]) for j in in_order if units[j] > 0]
    target = sum(units) * numerator
    total = 0
    for k, (p, w) in enumerate(rows):
        total += w
        if abs(total * denominator - target) <= slack * denominator and k + 1 < len(rows):
            return p + rows[k + 1][0], 2
        if total * denominator > target:
            return p, 1
    return rows[-1][0], 1


def median_parts(prices: list[int], units: list[int]) -> tuple[int, int]:
    """Weighted median with the allowance of the module docstring."""
    return quantile_parts(prices, units, 1, 2, slack=len(units) - units.count(0))


def trimmed_parts(prices: list[int], units: list[int], trim: Fraction) -> tuple[int, int]:
    """Weighted mean of what lies between ``trim`` and 1 - ``trim``, pro rata at the edges."""
    n, d = trim.numerator, trim.denominator
    whole = sum(units)
    low, high = n * whole, (d - n) * whole
    reached = top = kept = 0
    for p, w in sorted(zip(prices, units, strict=True)):
        a, b = reached * d, (reached + w) * d
        reached += w
        k = max(0, min(b, high) - max(a, low))
        top += p * k
        kept += k
    return top, kept


def estimator_of(n: int) -> str:
    """Which estimator a panel of ``n`` groups uses; fewer than three have none."""
    if n < 3:
        return "none"
    return "median" if n < 10 else "trim25" if n < 25 else "trim40"


def value_parts(prices: list[int], units: list[int], estimator: str) -> tuple[int, int]:
    """The rate as an exact ratio of integers, in nano-units."""
    if estimator == "median":
        return median_parts(prices, units)
    return trimmed_parts(prices, units, Fraction(1, 4) if estimator == "trim25" else Fraction(2, 5))


def published(parts: tuple[int, int], decimals: int, fx_e6: int | None = None) -> int:
    """The published figure in units of its last decimal, rounded once; in CNY where fx is given."""
    numerator, denominator = parts
    if fx_e6 is not None:
        numerator, denominator = numerator * fx_e6, denominator * 10**6
    return half_up(numerator * 10**decimals, denominator * 10**9)


# --- continuity and screens ----------------------------------------------------------------------


def imputed(previous: int, now: tuple[int, int], before: tuple[int, int]) -> int:
    """A missing price carried by the movement of the rate over those observed (SD01)."""
    return half_up(previous * now[0] * before[1], now[1] * before[0])


def moved_more(price: int, reference: tuple[int, int], ratio: Fraction) -> bool:
    """|ln(price / reference)| > ln(ratio), decided in integers."""
    top, bottom = price * reference[1], reference[0]
    n, d = ratio.numerator, ratio.denominator
    return top * d > bottom * n or top * n < bottom * d


def holds(price: int, previous: int, ratio: Fraction, others: list[tuple[int, int]]) -> bool:
    """S1: a jump is held unless two other groups moved at least 10% the same way.

    ``others`` are the other groups' (price, previous price).
    """
    if not moved_more(price, (previous, 1), ratio):
        return False
    # A fall of 10% is the same distance as a rise of 10%, measured in logarithms.
    same = [p * 10 >= q * 11 if price > previous else p * 11 <= q * 10 for p, q in others]
    return sum(same) < 2


def excluded(
    prices: list[int], units: list[int], was: list[bool], out: int = 4, back: int = 2
) -> tuple[list[bool], bool]:
    """S2: who is a gross error against the median of the others, and whether all are kept instead.

    Out beyond ln 4; someone out comes back only below ln 2. More than a quarter of the weight
    out: nobody is, and the panel is dispersed.
    """
    result = []
    for i, p in enumerate(prices):
        others = prices[:i] + prices[i + 1 :], units[:i] + units[i + 1 :]
        if not any(others[1]):
            result.append(False)
            continue
        top, count = median_parts(*others)
        high, low = max(p * count, top), min(p * count, top)
        result.append(high >= low * back if was[i] else high > low * out)
    gone = sum(w for w, is_out in zip(units, result, strict=True) if is_out)
    if gone * 4 > sum(units):
        return [False] * len(prices), True
    return result, False
