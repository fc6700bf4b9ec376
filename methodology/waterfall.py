"""Which level applies, by numbers alone (rulebook 10).

There is no judgement and no code path for any: a level follows from how many groups were seen,
how much of the vintage's weight they carry, how fresh and of what evidence they are.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from methodology.estimators import Ints
from methodology.parameters import Waterfall
from methodology.units import round_half_up

LEVELS: Final = ("FULL", "REDUCED", "CARRIED_INPUT", "MODEL", "CARRY", "NO_FIX")
"""Levels in order; a code in an array is a place in this tuple."""

FULL, REDUCED, CARRIED_INPUT, MODEL, CARRY, NO_FIX = range(6)


def level_from_inputs(
    groups: Ints,
    weight: Ints,
    fresh: Ints,
    evidenced: Ints,
    carried_groups: Ints,
    carried_weight: Ints,
    total: Ints,
    is_small: npt.NDArray[np.bool_],
    is_capped: npt.NDArray[np.bool_],
    rules: Waterfall,
    is_of_vintage: bool = True,
) -> npt.NDArray[np.int8]:
    """Return FULL, REDUCED, CARRIED_INPUT or NO_FIX per index; the past decides the others.

    Args:
        groups: groups seen and counted today.
        weight: their vintage weight, units of 1e-8.
        fresh: the weight seen within the fetch-age limit.
        evidenced: the weight with evidence E1 to E3.
        carried_groups: groups counted when prices up to 72 h old count as well.
        carried_weight: their weight.
        total: the vintage's whole weight.
        is_small: the index lives by the small-panel rule.
        is_capped: at most REDUCED (reference and internal prints).
        rules: the triggers.
        is_of_vintage: whether fresh and evidenced are, for FULL, shares of the vintage's weight
            (from 1.1.0 on) or of the weight that counts (1.0.0).
    """
    small = np.where(is_small, rules.small_groups, rules.reduced_groups)

    def at_least(part: Ints, share_of: Ints, share: tuple[int, int]) -> npt.NDArray[np.bool_]:
        result: npt.NDArray[np.bool_] = part * share[1] >= share_of * share[0]
        return result

    full_weight = rules.full_weight.as_integer_ratio()
    half = rules.reduced_weight.as_integer_ratio()
    # Shares of what counts would rise when a stale price goes away; of the vintage they cannot.
    whole = total if is_of_vintage else weight
    is_full = (
        (groups >= rules.full_groups)
        & at_least(weight, total, full_weight)
        & at_least(fresh, whole, rules.full_fresh.as_integer_ratio())
        & at_least(evidenced, whole, rules.full_evidence.as_integer_ratio())
        & ~is_capped
    )
    exists = total > 0
    is_reduced = (groups >= small) & at_least(weight, total, half) & exists
    is_carried = (carried_groups >= small) & at_least(carried_weight, total, half) & exists
    level = np.full(groups.shape, NO_FIX, dtype=np.int8)
    level[is_carried & (groups > 0)] = CARRIED_INPUT
    level[is_reduced] = REDUCED
    level[is_reduced & is_full] = FULL
    return level


def without_value(
    level: npt.NDArray[np.int8],
    may: npt.NDArray[np.bool_],
    modelled: Ints,
    carried: Ints,
    parent: npt.NDArray[np.intp] | None,
    parent_value: Ints,
    rules: Waterfall,
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Return which indices without a value move with their parent, and which repeat the last one.

    Args:
        level: today's levels from the inputs.
        may: no value today, and none of the days since the last determined one had none.
        modelled: days since then that moved with the parent.
        carried: days since then that repeated the value.
        parent: place of each parent, -1 for none; ``None`` when no index has one.
        parent_value: its value of the day before, 0 unless it was FULL or REDUCED.
        rules: the limits.
    """
    may_model = np.zeros(level.shape, np.bool_)
    if parent is not None:
        lends = (parent >= 0) & (level[parent] <= REDUCED) & (parent_value > 0)
        may_model = may & lends & (modelled < rules.model_max_days)
    return may_model, may & ~may_model & (carried < rules.carry_max_days)


def moved_with_parent(last: int, before: int, now: int, rules: Waterfall) -> int:
    """Return the value of a MODEL day: the last one, moved as the parent moved (rulebook 10.4).

    Args:
        last: the last published value in units.
        before: the parent's published value of the day before, in units.
        now: the parent's published value of the day, in the same units.
        rules: for the daily limit of the movement.
    """
    limit = rules.model_daily_limit
    top, bottom = now, before
    if abs(now - before) * limit.denominator > before * limit.numerator:
        step = limit.numerator if now > before else -limit.numerator
        top, bottom = limit.denominator + step, limit.denominator
    return round_half_up(last * top, bottom)
