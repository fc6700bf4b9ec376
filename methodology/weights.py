"""Volumes to capped, published weights (rulebook 5).

A weight is published with eight decimals and used as published: an integer of 1e-8, summing to
exactly 10**8 over the panel.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import isqrt

WEIGHT_UNITS = 10**8
"""Units in a weight of one."""

ROOT_SCALE = 10**12
"""The square root of a volume is taken as ``isqrt(v * 10**12)`` (rulebook 5.2)."""


def root_volume(volume: int) -> int:
    """Return the integer square root of a proxy volume, in millionths (rulebook 5.2)."""
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
