"""Weighted order statistics in integers (rulebook 7).

Every estimator is expressed as *kept* weights: integers ``k_i`` such that the rate is
``sum(p_i * k_i) / sum(k_i)``. So a median and a trimmed mean are published, checked and recomputed
by one formula, with one division and one rounding at the very end.

All functions take arrays whose last axis is the panel, already sorted by price (ties by legal
group id); any leading axes are independent panels. A member with weight zero keeps nothing.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

MEDIAN: Final = "weighted_median"
TRIM25: Final = "trimmed_mean_25"
TRIM40: Final = "trimmed_mean_40"

TRIMS: Final = {TRIM25: (1, 4), TRIM40: (2, 5)}
"""Estimator name to the trimmed share of each tail, as numerator and denominator."""

LIMB_BITS: Final = 25

MAX_WEIGHT_SUM: Final = 1 << 53
"""Weights of a panel sum to less than this; published ones sum to 10**8."""


def sort_panel(price: Ints, weight: Ints) -> tuple[npt.NDArray[np.intp], Ints, Ints]:
    """Return the sorting order, sorted prices and sorted weights along the last axis.

    Ties keep the order of the columns, which callers arrange by legal group id. A member without
    weight sorts by its price like any other and simply keeps nothing.
    """
    order = np.argsort(price, axis=-1, kind="stable")
    return order, np.take_along_axis(price, order, -1), np.take_along_axis(weight, order, -1)


def _refuse_wrapping(weight: Ints) -> None:
    """Raise where cumulative weights could leave 64 bits: they would wrap without a word."""
    if weight.size:
        least, most = int(weight.min()), int(weight.max())
        if least < 0 or most * weight.shape[-1] >= MAX_WEIGHT_SUM:
            raise OverflowError(
                f"weights of {least} to {most} for {weight.shape[-1]} members: they are never"
                f" negative and sum to less than 2**53"
            )


def kept_at_quantile(weight: Ints, numerator: int, denominator: int, slack: Ints | int = 0) -> Ints:
    """Return kept weights of the weighted quantile ``numerator/denominator``, averaging at ties.

    The quantile is the first price whose cumulative weight exceeds the share; when the cumulative
    weight equals the share exactly, it is the mean of that price and the next (vector TV05, the
    convention ``average_at_exact_half``). ``slack`` widens "equals" to a distance in weight units:
    weights published at 8 decimals are each off by less than one unit, so a cumulative weight of n
    of them is off by less than n, and without the slack a six-member equal panel would average or
    not depending on who received the rounding unit (rulebook 7.4).

    Args:
        weight: int64 ``[..., n]`` in price order, zero or more, summing to less than 2**53.
        numerator: share above, as ``numerator / denominator``.
        denominator: see ``numerator``; at most 100.
        slack: non-negative distance from the exact share still treated as a tie.

    Returns:
        int64 ``[..., n]``: 0, 1 (two members share a tie) or 2 (one member holds the quantile);
        all zero when no weight is positive.

    Raises:
        OverflowError: a weight is negative, or they could sum to 2**53; nothing is ever wrapped.
    """
    _refuse_wrapping(weight)
    if not weight.shape[-1]:
        return weight.astype(np.int64)
    upper = np.cumsum(weight, -1)
    first, second = places_at_quantile(upper, numerator, denominator, slack)
    place = np.arange(weight.shape[-1])
    result: Ints = (place == first[..., None]).astype(np.int64) + (place == second[..., None])
    return result


def places_at_quantile(
    upper: Ints, numerator: int, denominator: int, slack: Ints | int = 0
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return the two places whose mean price is the weighted quantile; mostly one place twice.

    The rule is that of :func:`kept_at_quantile`, which is made from these places. Cumulative
    weights only rise, so the first place at or above the share is found by counting those below.

    Args:
        upper: int64 ``[..., n]``, n at least 1: cumulative weights in price order.
        numerator: share above, as ``numerator / denominator``.
        denominator: see ``numerator``; at most 100.
        slack: non-negative distance from the exact share still treated as a tie.

    Returns:
        Two arrays ``[...]`` of places, the second not before the first; both ``n``, which is no
        place, when no weight is positive.
    """
    panels, size = upper.shape[:-1], upper.shape[-1]
    upper = upper.reshape(-1, size)
    total = upper[:, -1]
    share = total * numerator
    near = np.broadcast_to(np.asarray(slack, np.int64), panels).reshape(-1) * denominator
    # The least cumulative weight at or above the share. At least 1: a member without weight in
    # front of all others has reached nothing and holds nothing.
    least = np.maximum(-((near - share) // denominator), 1)
    first = (upper >= least[:, None]).argmax(-1)
    reached = upper[np.arange(len(upper)), first]
    tied = np.flatnonzero(reached * denominator - share <= near)
    second = first.copy()
    if tied.size:
        # Members without weight after the tied one repeat its cumulative weight: pass over them.
        is_after = upper[tied] > reached[tied, None]
        second[tied] = np.where(is_after.any(-1), is_after.argmax(-1), first[tied])
    first[total == 0] = second[total == 0] = size
    return first.reshape(panels), second.reshape(panels)


def kept_trimmed(weight: Ints, trim: tuple[int, int] | tuple[Ints, Ints]) -> Ints:
    """Return kept weights of the trimmed mean: the middle of the weight, pro rata at both edges.

    For a trim of ``num/den`` per tail: ``k = max(0, min(den*b, (den-num)*W) - max(den*a, num*W))``
    where ``[a, b]`` is the member's interval of cumulative weight (rulebook 7.1, 7.2; vector
    TV06). The kept weights sum to ``(den - 2*num) * W``. Continuous in every price and weight.

    Args:
        weight: int64 ``[..., n]`` in price order, zero or more, summing to less than 2**53.
        trim: numerator and denominator, at most 100, of the share cut from each tail; as arrays
            of shape ``[..., 1]`` where each panel has its own.

    Raises:
        OverflowError: a weight is negative, or they could sum to 2**53; nothing is ever wrapped.
    """
    _refuse_wrapping(weight)
    return kept_between(np.cumsum(weight, -1), trim)


def kept_between(upper: Ints, trim: tuple[int, int] | tuple[Ints, Ints]) -> Ints:
    """Return :func:`kept_trimmed` from cumulative weights that are at hand already."""
    numerator, denominator = trim
    total = upper[..., -1:]
    low, high = numerator * total, (denominator - numerator) * total
    # The same in fewer steps: k is how far the end of the interval moves between the two cuts.
    reached = np.minimum(np.maximum(denominator * upper, low), high)
    middle: Ints = reached.copy()
    middle[..., 1:] -= reached[..., :-1]
    middle[..., :1] -= low
    return middle


def kept(weight: Ints, estimator: str, slack: Ints | int = 0) -> Ints:
    """Return the kept weights of a named estimator; see the two functions above.

    Raises:
        KeyError: the estimator's name is not one of this module's constants.
    """
    if estimator == MEDIAN:
        return kept_at_quantile(weight, 1, 2, slack)
    return kept_trimmed(weight, TRIMS[estimator])


def kept_by_panel(weight: Ints, estimator: npt.NDArray[np.int8], slack: Ints) -> Ints:
    """Return kept weights where each panel has its own estimator code.

    Args:
        weight: int64 ``[i, n]`` in price order.
        estimator: int8 ``[i]``: 0 weighted median, 1 trimmed mean 25%, 2 trimmed mean 40%.
        slack: int64 ``[i]``: tie distance for the median.
    """
    chosen = [kept_at_quantile(weight, 1, 2, slack)]
    chosen += [kept_trimmed(weight, TRIMS[name]) for name in (TRIM25, TRIM40)]
    result: Ints = np.choose(estimator[:, None], chosen).astype(np.int64)
    return result


CODES: Final = {MEDIAN: 0, TRIM25: 1, TRIM40: 2}


def exact_sums(price: Ints, weight: Ints) -> tuple[list[int], list[int]]:
    """Return ``sum(p * k)`` and ``sum(k)`` per panel as Python integers, without overflow.

    The price is split at 25 bits so that each partial sum stays inside int64: with prices below
    2**50, kept weights below 2**29 and at most 512 members no product can wrap.

    Args:
        price: int64 ``[i, n]``, nano-units, 0 to 10**15.
        weight: int64 ``[i, n]``, kept weights, 0 to 5 * 10**8.

    Raises:
        OverflowError: an input is outside these bounds; nothing is ever wrapped.
    """
    if price.size and (price.max() > 10**15 or weight.max() > 5 * 10**8 or price.shape[-1] > 512):
        raise OverflowError(
            f"price, kept weight or panel size beyond the exact range: {price.max()}, "
            f"{weight.max()}, {price.shape[-1]}; at most 10**15, 5 * 10**8 and 512"
        )
    if price.size and (price.min() < 0 or weight.min() < 0):
        raise OverflowError("prices and kept weights are never negative")
    low = (price & ((1 << LIMB_BITS) - 1)) * weight
    high = (price >> LIMB_BITS) * weight
    sums = zip(high.sum(-1).tolist(), low.sum(-1).tolist(), strict=True)
    return [(h << LIMB_BITS) + item for h, item in sums], weight.sum(-1).tolist()


def small_sums(price: Ints, weight: Ints) -> tuple[Ints, Ints]:
    """Return what :func:`exact_sums` returns, as int64 arrays, where every sum fits in 63 bits.

    Prices in ticks are small enough for it, prices in nano-units mostly are not.

    Args:
        price: int64 ``[i, n]``, zero or more, in any unit.
        weight: int64 ``[i, n]``, kept weights, zero or more.

    Raises:
        OverflowError: a sum of this size could pass 2**63; nothing is ever wrapped.
    """
    if price.size:
        if price.min() < 0 or weight.min() < 0:
            raise OverflowError("prices and kept weights are never negative")
        most = int(price.max()) * int(weight.max()) * price.shape[-1]
        if most >= 1 << 63:
            raise OverflowError(f"a sum of products could reach {most}, beyond 63 bits")
    return (price * weight).sum(-1), weight.sum(-1)
