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


def sort_panel(price: Ints, weight: Ints) -> tuple[npt.NDArray[np.intp], Ints, Ints]:
    """Return the sorting order, sorted prices and sorted weights along the last axis.

    Ties keep the order of the columns, which callers arrange by legal group id. A member without
    weight sorts by its price like any other and simply keeps nothing.
    """
    order = np.argsort(price, axis=-1, kind="stable")
    return order, np.take_along_axis(price, order, -1), np.take_along_axis(weight, order, -1)


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
    """
    total = weight.sum(-1, keepdims=True)
    above = np.cumsum(weight, -1) * denominator - total * numerator
    slack = np.asarray(slack, dtype=np.int64)[..., None] * denominator
    counted = weight > 0
    ties = counted & (np.abs(above) <= slack) & (total > 0)
    tied = ties.any(-1, keepdims=True)
    at = np.where(tied, _first(ties), _first(counted & (above > 0)))
    after = _first(counted & (np.cumsum(at, -1) > at))
    has_next = after.any(-1, keepdims=True)
    kept = np.where(tied & has_next, at + after, 2 * at)
    result: Ints = kept.astype(np.int64)
    return result


def _first(found: npt.NDArray[np.bool_]) -> Ints:
    first: Ints = (found & (np.cumsum(found, -1) == 1)).astype(np.int64)
    return first


def kept_trimmed(weight: Ints, trim: tuple[int, int]) -> Ints:
    """Return kept weights of the trimmed mean: the middle of the weight, pro rata at both edges.

    For a trim of ``num/den`` per tail: ``k = max(0, min(den*b, (den-num)*W) - max(den*a, num*W))``
    where ``[a, b]`` is the member's interval of cumulative weight (rulebook 7.1, 7.2; vector
    TV06). The kept weights sum to ``(den - 2*num) * W``. Continuous in every price and weight.

    Args:
        weight: int64 ``[..., n]`` in price order; ``den * W`` must stay below 2**63.
        trim: numerator and denominator of the share cut from each tail.
    """
    numerator, denominator = trim
    total = weight.sum(-1, keepdims=True)
    upper = np.cumsum(weight, -1)
    lower = upper - weight
    top = np.minimum(denominator * upper, (denominator - numerator) * total)
    bottom = np.maximum(denominator * lower, numerator * total)
    middle: Ints = np.maximum(0, top - bottom)
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
        raise OverflowError("price, kept weight or panel size beyond the exact range")
    if price.size and (price.min() < 0 or weight.min() < 0):
        raise OverflowError("prices and kept weights are never negative")
    low = (price & ((1 << LIMB_BITS) - 1)) * weight
    high = (price >> LIMB_BITS) * weight
    sums = zip(high.sum(-1).tolist(), low.sum(-1).tolist(), strict=True)
    return [(h << LIMB_BITS) + item for h, item in sums], weight.sum(-1).tolist()
