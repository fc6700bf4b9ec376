"""Order statistics by the name of their convention, beside the adopted ones (rulebook 7.4).

One weighted median has four values by four textbooks. What settles is ``average_at_exact_half``,
trimmed means with kept weights, and both come from :mod:`methodology.estimators` in integers.
This module names the others, so that a figure from other software can be told apart, and holds
the robust statistics that describe a panel. Nothing here enters a fixing.

Weighted functions work on exact fractions; statistics with a constant or a logarithm are floats.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import combinations
from typing import Final

Numbers = Sequence[Fraction]
Quantile = Callable[[Numbers, Numbers, Fraction], Fraction]


def _ordered(x: Numbers, w: Numbers) -> tuple[list[Fraction], list[Fraction], list[Fraction]]:
    """Return prices, weights and cumulative shares in order of price, weightless ones dropped."""
    if len(x) != len(w) or any(one < 0 for one in w) or not sum(w):
        raise ValueError("as many weights as values, none negative, at least one positive")
    pairs = sorted((a, b) for a, b in zip(x, w, strict=True) if b > 0)
    total, sofar, shares = sum(w), Fraction(0), []
    for _, weight in pairs:
        sofar += weight
        shares.append(Fraction(sofar) / total)
    return [Fraction(a) for a, _ in pairs], [Fraction(b) for _, b in pairs], shares


def average_at_exact_share(x: Numbers, w: Numbers, share: Fraction) -> Fraction:
    """Return the first value whose cumulative share exceeds ``share``; a tie averages two.

    The adopted convention (rulebook 7.4), here on fractions and without the slack for rounded
    weights: R ``quantile(type = 2)`` on replicated data.
    """
    values, _, shares = _ordered(x, w)
    at = next((n for n, c in enumerate(shares) if c >= share), len(values) - 1)
    if shares[at] == share and at + 1 < len(values):
        return (values[at] + values[at + 1]) / 2
    return values[at]


def lower(x: Numbers, w: Numbers, share: Fraction) -> Fraction:
    """Return the first value whose cumulative share reaches ``share`` (inverted CDF, type 1)."""
    values, _, shares = _ordered(x, w)
    return values[next((n for n, c in enumerate(shares) if c >= share), len(values) - 1)]


def upper(x: Numbers, w: Numbers, share: Fraction) -> Fraction:
    """Return the first value whose cumulative share exceeds ``share`` (the high median)."""
    values, _, shares = _ordered(x, w)
    return values[next((n for n, c in enumerate(shares) if c > share), len(values) - 1)]


def midpoint_cdf(x: Numbers, w: Numbers, share: Fraction) -> Fraction:
    """Return the value interpolated between the middles of the members' shares (wquantiles)."""
    values, weights, shares = _ordered(x, w)
    total = sum(weights)
    middles = [c - weight / (2 * total) for c, weight in zip(shares, weights, strict=True)]
    return _interpolate(values, middles, share, None)


def step_halfway(x: Numbers, w: Numbers, share: Fraction) -> Fraction:
    """Return the mean of the two values around ``share``, the value itself when met exactly.

    spatstat's type 2: a step function of the cumulative share that takes the middle of each step.
    """
    values, _, shares = _ordered(x, w)
    return _interpolate(values, shares, share, Fraction(1, 2))


def linear_cdf(x: Numbers, w: Numbers, share: Fraction) -> Fraction:
    """Return the value interpolated along the cumulative shares (spatstat's type 4)."""
    values, _, shares = _ordered(x, w)
    return _interpolate(values, shares, share, None)


def _interpolate(
    values: Numbers, places: Numbers, share: Fraction, fixed: Fraction | None
) -> Fraction:
    """Interpolate values at places, flat outside; ``fixed``: this part instead of the distance."""
    if share <= places[0]:
        return values[0]
    for n in range(1, len(values)):
        if share == places[n]:
            return values[n]
        if share < places[n]:
            part = (share - places[n - 1]) / (places[n] - places[n - 1]) if fixed is None else fixed
            return values[n - 1] + part * (values[n] - values[n - 1])
    return values[-1]


QUANTILES: Final[dict[str, Quantile]] = {
    "average_at_exact_half": average_at_exact_share,
    "lower": lower,
    "upper": upper,
    "midpoint_cdf": midpoint_cdf,
    "spatstat_type_2": step_halfway,
    "spatstat_type_4": linear_cdf,
}
"""Convention of a weighted quantile by name; the first is the adopted one."""


def weighted_mean(x: Numbers, w: Numbers) -> Fraction:
    """Return the weighted arithmetic mean, exactly."""
    return sum((a * b for a, b in zip(x, w, strict=True)), Fraction(0)) / sum(w)


def winsorised_mean(x: Numbers, w: Numbers, share: Fraction) -> Fraction:
    """Return the weighted mean after both tails of ``share`` took the value at their edge.

    The tail's weight is allotted in proportion: a member that lies partly in the tail keeps its
    value for the rest. The edge value is that of the member at which the tail ends, as on data
    replicated until the edge falls on a whole unit (``scipy.stats.mstats.winsorize``).
    """
    values, weights, shares = _ordered(x, w)
    low = next(v for v, c in zip(values, shares, strict=True) if c > share)
    high = next(v for v, c in zip(values, shares, strict=True) if c >= 1 - share)
    return weighted_mean([min(max(v, low), high) for v in values], weights)


def trimmed_by_heads(x: Numbers, share: Fraction) -> Fraction:
    """Return the mean without the ``floor(n * share)`` lowest and as many highest values.

    R ``mean(trim =)`` and ``scipy.stats.trim_mean``: whole heads, so it jumps with n. Ours goes by
    weight and cuts in proportion (rulebook 7.2).

    Raises:
        ValueError: nothing is left.
    """
    ordered, tail = sorted(Fraction(one) for one in x), math.floor(len(x) * share)
    kept = ordered[tail : len(ordered) - tail]
    if not kept:
        raise ValueError(f"a trim of {share} a tail leaves nothing of {len(x)} values")
    return sum(kept, Fraction(0)) / len(kept)


def trim_counts(contributors: int, parts: int = 4) -> tuple[int, int, int]:
    """Return how many contributors a head-count trim drops above, below, and averages.

    ``1/parts`` of the heads per tail, to the nearest head, a half downwards: 18 of a panel lose
    4 and 4, 15 lose 4 and 4, 14 lose 3 and 3. History only: our trim goes by weight, in
    proportion (rulebook 7.2).

    Raises:
        ValueError: nobody contributes.
    """
    if contributors < 1:
        raise ValueError(f"a panel has at least one contributor, got {contributors}")
    tail = (2 * contributors + parts - 1) // (2 * parts)
    return tail, tail, contributors - 2 * tail


def median(x: Numbers) -> Fraction:
    """Return the middle value, or the mean of the two middle ones."""
    ordered = sorted(Fraction(one) for one in x)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def mad(x: Numbers) -> Fraction:
    """Return the median absolute deviation from the median, unscaled."""
    middle = median(x)
    return median([abs(one - middle) for one in x])


def mad_of_logs(x: Numbers) -> float:
    """Return the median absolute deviation of natural logarithms, unscaled."""
    logs = sorted(math.log(one) for one in x)
    middle = _float_median(logs)
    return _float_median(sorted(abs(one - middle) for one in logs))


def _float_median(ordered: Sequence[float]) -> float:
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


MAD_SCALE: Final = Fraction(14826, 10000)
"""Makes the median absolute deviation estimate a normal standard deviation."""


def hodges_lehmann(x: Numbers) -> Fraction:
    """Return the median of all pairwise means, each value with itself included, exactly.

    ``wilcox.test`` in R returns a root found numerically instead, which differs in the third
    digit on small samples.
    """
    pairs = [(a + b) / 2 for a, b in combinations(x, 2)]
    return median([*(Fraction(one) for one in x), *pairs])


def huber(x: Numbers, k: float = 1.5, tolerance: float = 1e-6) -> float:
    """Return Huber's estimate of location with the scaled median absolute deviation as scale.

    The mean of the values cut at ``k`` scales from itself, found by repetition from the median.
    It stops as ``MASS::huber`` and ``robustbase::huberM`` do: when a step is below ``tolerance``
    scales the value *before* that step is returned, so the sixth digit is theirs, too. With a
    scale of zero it is the median.
    """
    scale = float(MAD_SCALE * mad(x))
    values, centre = [float(one) for one in x], float(median(x))
    while scale > 0:
        cut = [min(max(one, centre - k * scale), centre + k * scale) for one in values]
        after = math.fsum(cut) / len(cut)
        if abs(after - centre) < tolerance * scale:
            break
        centre = after
    return centre


QN_FACTORS: Final = (
    0.399356,
    0.99365,
    0.51321,
    0.84401,
    0.61220,
    0.85877,
    0.66993,
    0.87344,
    0.72014,
    0.88906,
    0.75743,
)
"""Finite-sample factors of Qn for 2 to 12 values, as robustbase 0.95 has them."""

SN_FACTORS: Final = (0.743, 1.851, 0.954, 1.351, 0.993, 1.198, 1.005, 1.131)
"""Finite-sample factors of Sn for 2 to 9 values (Croux and Rousseeuw 1992)."""


def qn(x: Numbers) -> float:
    """Return Rousseeuw and Croux's Qn with the constants of robustbase.

    The k-th smallest distance between two values, ``k = h(h-1)/2`` and ``h = n//2 + 1``, times
    2.21914 and a factor for small samples.

    Raises:
        ValueError: fewer than two values.
    """
    n = len(x)
    if n < 2:
        raise ValueError("Qn needs two values")
    h = n // 2 + 1
    order = h * (h - 1) // 2
    raw = float(sorted(abs(a - b) for a, b in combinations(x, 2))[order - 1])
    scaled = 2.21914 * raw
    if n <= 12:
        return scaled * QN_FACTORS[n - 2]
    if n % 2:
        return scaled / (1 + (1.60188 + (-2.1284 - 5.172 / n) / n) / n)
    return scaled / (1 + (3.67561 + (1.9654 + (6.987 - 77 / n) / n) / n) / n)


def sn(x: Numbers) -> float:
    """Return Rousseeuw and Croux's Sn: the low median of each value's high median distance.

    Raises:
        ValueError: fewer than two values.
    """
    n = len(x)
    if n < 2:
        raise ValueError("Sn needs two values")
    inner = sorted(sorted(abs(a - b) for b in x)[n // 2] for a in x)
    scaled = 1.1926 * float(inner[(n + 1) // 2 - 1])
    if n <= 9:
        return scaled * SN_FACTORS[n - 2]
    return scaled * n / (n - 0.9) if n % 2 else scaled


def quantile_type_7(x: Numbers, share: Fraction) -> Fraction:
    """Return the quantile interpolated between order statistics, as R and numpy do by default."""
    ordered = sorted(Fraction(one) for one in x)
    place = (len(ordered) - 1) * Fraction(share)
    at = math.floor(place)
    after = ordered[min(at + 1, len(ordered) - 1)]
    return ordered[at] + (place - at) * (after - ordered[at])


def iqr_type_7(x: Numbers) -> Fraction:
    """Return the distance between the quartiles of type 7."""
    return quantile_type_7(x, Fraction(3, 4)) - quantile_type_7(x, Fraction(1, 4))
