"""Hold-and-confirm, gross error, outlier flag: each decides on integers (rulebook 6).

Arrays are ``[i, g]``: indices by legal groups, price 0 where there is none.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from methodology.estimators import Ints, kept_at_quantile
from methodology.parameters import Gross, Jump

Bools = npt.NDArray[np.bool_]

RATIO_UNITS = 10**6
"""Screen ratios and logarithms are published, and decided on, with six decimals."""

_LN = Context(prec=40, rounding=ROUND_HALF_EVEN)


@lru_cache(maxsize=65536)
def ln_micro(price_nano: int) -> int:
    """Return the natural logarithm of a price in nano-units, in millionths, correctly rounded.

    Decimal arithmetic with 40 digits, so the digits do not depend on a machine's libm.

    Raises:
        ValueError: the price is not positive.
    """
    if price_nano <= 0:
        raise ValueError("a logarithm needs a positive price")
    value = Decimal(price_nano).ln(_LN) * RATIO_UNITS
    return int(value.to_integral_value(ROUND_HALF_EVEN))


def beyond(price: Ints, reference: Ints, ratio: Fraction) -> Bools:
    """Return where ``price`` differs from ``reference`` by more than a factor, exactly.

    ``|ln(price/reference)| > ln(ratio)`` as cross-multiplied integers; exactly at the ratio is
    not beyond it. False where either is 0.
    """
    n, d = ratio.numerator, ratio.denominator
    far = (price * d > reference * n) | (price * n < reference * d)
    result: Bools = far & (price > 0) & (reference > 0)
    return result


def jumps(
    price: Ints, previous: Ints, member: Bools, ratio: npt.NDArray[np.int64], rules: Jump
) -> tuple[Bools, Bools]:
    """Return where a price jumped, and where the crowd moved with it (rulebook 6.2).

    Args:
        price: today's representative prices, 0 if none.
        previous: the last accepted ones, 0 if none or too old to compare.
        member: panel membership; only members make a crowd.
        ratio: int64 ``[i, 2]``: numerator and denominator of the jump ratio of each index.
        rules: the crowd's parameters.

    Returns:
        ``(jumped, with_crowd)``: beyond the ratio; and at least ``crowd_groups`` *other* members
        moved by ``crowd_ratio`` or more in the same direction.
    """
    n, d = ratio[:, :1], ratio[:, 1:]
    known = (price > 0) & (previous > 0)
    jumped: Bools = ((price * d > previous * n) | (price * n < previous * d)) & known
    crowd_n, crowd_d = rules.crowd_ratio.numerator, rules.crowd_ratio.denominator
    rose = (price * crowd_d >= previous * crowd_n) & known & member
    fell = (price * crowd_n <= previous * crowd_d) & known & member
    others_rose = rose.sum(-1, keepdims=True) - rose
    others_fell = fell.sum(-1, keepdims=True) - fell
    up, need = price > previous, rules.crowd_groups
    with_crowd = np.where(up, others_rose >= need, others_fell >= need)
    return jumped, with_crowd & known


def median_of_others(price: Ints, weight: Ints) -> Ints:
    """Return twice the weighted median of the *other* groups, per group (0 if there are none).

    Twice, so that a mean of two prices stays an integer.

    Args:
        price: int64 ``[i, g]``; a group without a price must have weight 0.
        weight: int64 ``[i, g]``: published weights of observed members, else 0.
    """
    groups = price.shape[-1]
    order = np.argsort(price, axis=-1, kind="stable")
    sorted_price = np.take_along_axis(price, order, -1)
    sorted_weight = np.take_along_axis(weight, order, -1)
    without = np.repeat(sorted_weight[:, None, :], groups, axis=1)
    without[:, np.arange(groups), np.arange(groups)] = 0
    slack = (without > 0).sum(-1)
    kept = kept_at_quantile(without, 1, 2, slack)
    twice = (kept * sorted_price[:, None, :]).sum(-1)
    result: Ints = np.empty_like(twice)
    np.put_along_axis(result, order, twice, -1)
    return result


def gross_errors(
    price: Ints, weight: Ints, was_excluded: Bools, rules: Gross
) -> tuple[Bools, npt.NDArray[np.bool_]]:
    """Return the excluded groups and the indices that are dispersed instead (rulebook 6.3).

    A group is excluded when its price is beyond ``exclude_ratio`` from the weighted median of the
    others, and comes back only when inside ``reenter_ratio`` (vector TV19's hysteresis). When
    that would exclude more than ``max_excluded_share`` of the observed weight nobody is excluded:
    it is a segmented market, not an error.

    Args:
        price: observed prices ``[i, g]``, 0 if none.
        weight: published weights of observed members, else 0.
        was_excluded: the state left by the day before.
        rules: the parameters.
    """
    seen = (weight > 0) & (price > 0)
    lowest = np.where(seen, price, np.iinfo(np.int64).max).min(-1)
    highest = np.where(seen, price, 0).max(-1)
    # Any median of others lies between lowest and highest: where these are within the ratio and
    # nobody is out already, nobody can be excluded, and the medians need not be computed.
    wide = seen.any(-1) & beyond(
        highest, np.where(seen.any(-1), lowest, 0), Fraction(rules.exclude_ratio)
    )
    look = wide | (was_excluded & seen).any(-1)
    excluded = np.zeros(price.shape, np.bool_)
    if look.any():
        excluded[look] = _excluded(price[look], weight[look], seen[look], was_excluded[look], rules)
    observed = np.where(seen, weight, 0).sum(-1)
    lost = np.where(excluded, weight, 0).sum(-1)
    share = rules.max_excluded_share
    dispersed = lost * share.denominator > observed * share.numerator
    return excluded & ~dispersed[:, None], dispersed


def _excluded(price: Ints, weight: Ints, seen: Bools, was_excluded: Bools, rules: Gross) -> Bools:
    middle = median_of_others(price, np.where(seen, weight, 0))
    out = beyond(2 * price, middle, Fraction(rules.exclude_ratio))
    inside = (2 * price < middle * rules.reenter_ratio) & (2 * price * rules.reenter_ratio > middle)
    result: Bools = seen & (middle > 0) & (out | (was_excluded & ~inside))
    return result


def outliers(price: Ints, observed: Bools, rules: Gross) -> Bools:
    """Return observed groups further than four robust deviations in log price (rulebook 6.4).

    A flag only: trimming has already removed the price. Decided on logarithms published with six
    decimals; the deviation is 1.4826 times the median absolute deviation. A panel whose deviation
    is zero flags nobody.

    Args:
        price: one panel's prices, int64 ``[g]``.
        observed: which of them count.
        rules: the parameters.
    """
    flagged = np.zeros(price.shape, dtype=np.bool_)
    logs = np.array([ln_micro(int(p)) for p in price[observed]], dtype=np.int64)
    if logs.size < 3:
        return flagged
    twice_off = np.abs(2 * logs - _twice_median(logs))
    twice_mad = _twice_median(twice_off)
    limit = rules.outlier_mads * rules.mad_scale
    far = 2 * twice_off * limit.denominator > twice_mad * limit.numerator
    flagged[observed] = far & (twice_mad > 0)
    return flagged


def _twice_median(values: Ints) -> int:
    ordered = np.sort(values)
    half = len(ordered) // 2
    low = ordered[half] if len(ordered) % 2 else ordered[half - 1]
    return int(low + ordered[half])
