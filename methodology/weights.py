"""Volumes to capped, published weights (rulebook 5).

A weight is published with eight decimals and used as published: an integer of 1e-8, summing to
exactly 10**8 over the panel.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import isqrt

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

WEIGHT_UNITS = 10**8
"""Units in a weight of one."""

ROOT_SCALE = 10**12
"""The square root of a volume is taken as ``isqrt(v * 10**12)`` (rulebook 5.2)."""


def root_volume(volume: int) -> int:
    """Return the integer square root of a proxy volume, in millionths (rulebook 5.2).

    Raises:
        ValueError: the volume is below zero.
    """
    if volume < 0:
        raise ValueError(f"a volume is never negative, got {volume}")
    return isqrt(volume * ROOT_SCALE)


def fill_unknown(volumes: Sequence[int | None]) -> list[int]:
    """Return volumes with each unknown one replaced by the 25th percentile of the known.

    The percentile is the order statistic of rank ``ceil(n/4)``. All unknown gives all ones: the
    panel is then equally weighted.
    """
    known = sorted(v for v in volumes if v is not None)
    if not known:
        return [1] * len(volumes)
    quarter = known[(len(known) + 3) // 4 - 1]
    return [quarter if v is None else v for v in volumes]


def cap_for(members: int, floor: Fraction, numerator: Fraction) -> Fraction:
    """Return the ceiling on one legal group's weight: ``max(floor, numerator / members)``."""
    return max(floor, numerator / members)


def capped_shares(volumes: Sequence[int], cap: Fraction) -> list[Fraction]:
    """Return exact shares of ``volumes``, none above ``cap``, the excess spread in proportion.

    Redistribution repeats until no share exceeds the cap (vector TV07; S&P DJI and MSCI group
    entities use the same rule). Comparisons are of exact fractions, so there is no tolerance.

    Args:
        volumes: non-negative integers, one per legal group, in group order.
        cap: largest allowed share, above 0.

    Returns:
        Shares summing to exactly 1. One member: 1. A cap that cannot hold (``cap * n < 1`` over
        positive volumes) gives equal shares to the positive volumes. All zero: equal shares.

    Raises:
        ValueError: a negative volume, an empty panel, or a cap that is not positive.
    """
    if not volumes or min(volumes) < 0 or cap <= 0:
        raise ValueError("capped_shares needs non-negative volumes, a panel and a positive cap")
    positive = [i for i, v in enumerate(volumes) if v > 0] or list(range(len(volumes)))
    values = [v if any(volumes) else 1 for v in volumes]
    if cap * len(positive) <= 1:
        share = Fraction(1, len(positive))
        return [share if i in set(positive) else Fraction(0) for i in range(len(volumes))]
    fixed: set[int] = set()
    while True:
        loose_total = sum(values[i] for i in positive if i not in fixed)
        left = 1 - cap * len(fixed)
        over = {i for i in positive if i not in fixed and values[i] * left > cap * loose_total}
        if not over:
            break
        fixed |= over
    shares = [Fraction(0)] * len(volumes)
    for i in positive:
        shares[i] = cap if i in fixed else left * values[i] / loose_total
    return shares


def publish_weights(shares: Sequence[Fraction]) -> list[int]:
    """Return shares as integers of 1e-8 that sum to exactly 10**8, by largest remainder.

    Equal remainders go to the earlier member, so the order (legal group id) decides, not chance.

    Raises:
        ValueError: the shares do not sum to one.
    """
    if sum(shares) != 1:
        raise ValueError(f"shares sum to {sum(shares)}, not 1")
    exact = [share * WEIGHT_UNITS for share in shares]
    units = [int(e) for e in exact]
    missing = WEIGHT_UNITS - sum(units)
    by_remainder = sorted(range(len(units)), key=lambda i: (units[i] - exact[i], i))
    for i in by_remainder[:missing]:
        units[i] += 1
    return units


def panel_weights(
    volumes: Sequence[int | None], *, rooted: bool, cap_floor: Fraction, cap_numerator: Fraction
) -> list[int]:
    """Return published weights of a panel from its volumes (rulebook 5.1 to 5.4).

    Args:
        volumes: integers per legal group in group order, ``None`` where unknown; all ``None`` (or
            all equal) gives equal weights.
        rooted: take square roots first, as for router-observed volumes and capacity proxies.
        cap_floor: the cap never falls below this share.
        cap_numerator: the cap is this divided by the number of groups, if larger.

    Returns:
        Integers of 1e-8 summing to 10**8.
    """
    filled = fill_unknown(volumes)
    base = [root_volume(v) for v in filled] if rooted else filled
    members = sum(1 for v in base if v > 0) or len(base)
    return publish_weights(capped_shares(base, cap_for(members, cap_floor, cap_numerator)))


MAX_FAST_VOLUME = 10**15
"""Volumes up to here are weighed in 64 bits; a panel with a larger one takes the slower road."""

_FAST = 1 << 61
"""Bound on a common denominator of shares that leaves room for a remainder and its correction."""


def root_volumes(volumes: Ints) -> Ints:
    """Return :func:`root_volume` of each volume, none above :data:`MAX_FAST_VOLUME`.

    A floating square root only proposes the root, off by one at most. What decides is the exact
    difference ``v * 10**12 - r * r``: it is below 2**47, so 64 bits hold it although both of its
    terms wrap around.

    Raises:
        ValueError: a volume is negative or too large for this road.
    """
    if volumes.size and (volumes.min() < 0 or volumes.max() > MAX_FAST_VOLUME):
        raise ValueError(f"volumes here are 0 to {MAX_FAST_VOLUME}")
    root: Ints = (np.sqrt(volumes) * 10**6).astype(np.int64)
    off = volumes * ROOT_SCALE - root * root
    high, low = off < 0, off > 2 * root
    if high.any() or low.any():
        root += low.astype(np.int64) - high
    return root


def panel_weights_many(
    volumes: Ints, present: Bools, *, rooted: bool, caps: tuple[Ints, Ints]
) -> Ints:
    """Return published weights of many panels at once: :func:`panel_weights`, row by row.

    Args:
        volumes: int64 ``[i, n]``, zero or more, known for whoever is present.
        present: bool ``[i, n]``: who is in the panel; the others get weight zero.
        rooted: take square roots first.
        caps: numerator and denominator of each panel's cap, int64 ``[i]``, positive, the
            denominator at most 4096; see :func:`cap_for`.

    Returns:
        int64 ``[i, n]`` in units of 1e-8; each row sums to 10**8, or to 0 if nobody is present.

    Raises:
        ValueError: a volume is negative, or a cap is not positive or too finely stated.
    """
    size = volumes.shape[:1]
    top, bottom = (np.broadcast_to(part, size).astype(np.int64) for part in caps)
    if not volumes.size:
        return np.zeros(volumes.shape, np.int64)
    if min(top.min(), bottom.min()) <= 0 or max(top.max(), bottom.max()) > 4096:
        raise ValueError("a cap is a positive fraction with terms of at most 4096")
    shown = volumes * present
    if shown.min() < 0:
        raise ValueError(f"a volume is never negative, got {shown.min()}")
    is_large = shown.max(-1) > MAX_FAST_VOLUME
    if is_large.any():
        shown[is_large] = 0
    base = root_volumes(shown) if rooted else shown
    positive = base > 0
    members = np.count_nonzero(positive, axis=-1)
    silent = np.flatnonzero(members == 0)
    if silent.size:  # nobody has a volume: all who are present are alike
        positive[silent] = present[silent]
        base[silent] = positive[silent]
        members[silent] = np.count_nonzero(positive[silent], axis=-1)
    alike = np.flatnonzero(top * members <= bottom)
    if alike.size:  # the cap cannot hold: ones under a cap of one have equal shares
        base[alike] = positive[alike]
        top[alike] = bottom[alike] = 1
    is_large |= base.sum(-1, dtype=np.float64) * np.maximum(top, bottom) >= _FAST
    if is_large.any():
        base[is_large] = 0
    units = _publish_many(*_cap_many(base, top, bottom))
    for i in np.flatnonzero(is_large).tolist():
        here = np.flatnonzero(present[i])
        listed = [int(v) for v in volumes[i, here]]
        listed = [root_volume(v) for v in listed] if rooted else listed
        limit = Fraction(int(caps[0][i]), int(caps[1][i]))
        units[i, here] = publish_weights(capped_shares(listed, limit))
    return units


def _cap_many(base: Ints, top: Ints, bottom: Ints) -> tuple[Ints, Ints]:
    """Return shares as numerators ``[i, n]`` over one denominator a row, none above its cap.

    The rounds of :func:`capped_shares` in one step. They set the largest members to the cap, and
    none that stays under it once those above it are set. With the members in order of size, member
    j is set exactly if its share of what the j-1 above it leave is over the cap; and if one is
    not, no smaller one is. So the number of those set is the number of members for whom that holds.
    """
    size = base.shape[-1]
    ranked = np.sort(base, axis=-1)
    with_smaller = np.cumsum(ranked, -1)
    left = bottom[:, None] - top[:, None] * np.arange(size - 1, -1, -1)
    over = ranked * np.maximum(left, 0) > top[:, None] * with_smaller
    at_cap = np.count_nonzero(over, axis=-1)
    total = with_smaller[np.arange(len(base)), size - 1 - at_cap]
    # Whoever is set has more than the cap in this proportion, whoever is not has at most the cap.
    shares = np.minimum(base * (bottom - top * at_cap)[:, None], (top * total)[:, None])
    return shares, np.maximum(1, bottom * total)


def _publish_many(shares: Ints, whole: Ints) -> Ints:
    """Return :func:`publish_weights` of each row of ``shares / whole``; a row of zeros stays.

    The quotient is proposed by floats, off by one at most, and settled by its exact remainder,
    which 64 bits hold although the product it comes from wraps around.
    """
    wholes = whole[:, None]
    units: Ints = (shares * (WEIGHT_UNITS / whole)[:, None]).astype(np.int64)
    rest = shares * WEIGHT_UNITS - units * wholes
    low, high = rest < 0, rest >= wholes
    if low.any() or high.any():
        step = high.astype(np.int64) - low
        units += step
        rest -= step * wholes
    if rest.min(initial=0) < 0 or (rest >= wholes).any():
        raise ArithmeticError("a share was proposed further off than one unit; nothing is guessed")
    given = units.sum(-1)
    missing = np.where(given > 0, WEIGHT_UNITS - given, 0)
    size = shares.shape[-1]
    ranked = np.sort(rest, axis=-1)
    place = np.minimum(size - missing, size - 1)[:, None]
    least = np.take_along_axis(ranked, place, -1)
    least[missing == 0] = np.iinfo(np.int64).max
    more = rest >= least
    tied = np.flatnonzero(np.count_nonzero(more, axis=-1) > missing)
    if tied.size:  # equal remainders go to the earlier member
        larger, equal = rest[tied] > least[tied], rest[tied] == least[tied]
        spare = missing[tied] - np.count_nonzero(larger, axis=-1)
        more[tied] = larger | (equal & (np.cumsum(equal, -1) <= spare[:, None]))
    result: Ints = units + more
    return result
