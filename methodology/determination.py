"""One index day, for many indices at once: screens, imputation, estimator, level (rulebook 4-10).

The same function publishes a day and re-determines years: it takes one day's prices and the state
that the day before left, and returns what the day yields and the state it leaves. Arrays are
``[i, g]``: indices by legal groups in id order. Everything that decides is an integer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from methodology import screens, waterfall
from methodology.definition import Methodology
from methodology.estimators import CODES, Ints, exact_sums, kept_by_panel, sort_panel
from methodology.panels import Vintage, weights_for
from methodology.screens import Bools
from methodology.units import round_half_up

STATES: Final = (
    "NOT_MEMBER",
    "OBSERVED",
    "HELD",
    "IMPUTED",
    "DROPPED",
)
"""What a group is in a day's fixing; a code in an array is a place in this tuple."""

NOT_MEMBER, OBSERVED, HELD, IMPUTED, DROPPED = range(5)

REASONS: Final = (
    "",
    "NO_PRICE",
    "JUMP_UNCONFIRMED",
    "OUT_BELOW_HALF_IN",
    "GROSS_ERROR",
    "CONFIRMED_SAME_PATH",
    "MOVED_WITH_CROWD",
    "IMPUTED_TOO_LONG",
    "CONFIRMED_TWO_PATHS",
)
"""Why: a code in an array is a place in this tuple."""

R_NO_PRICE, R_JUMP, R_SUSPECT, R_GROSS, R_CONFIRMED, R_CROWD, R_TOO_LONG, R_TWO_PATHS = range(1, 9)

NEVER: Final = -(10**6)
"""A day number before all days."""


@dataclass
class State:
    """What one day leaves for the next; the ``panel_state`` of a record.

    ``previous`` and ``previous_day``: last accepted representative price and its day; ``used``:
    the price that stood in the last determined value; ``seen_day``: last day the group counted;
    ``sighted_day``: last day it showed any price, held or refused ones included; ``held``: days
    held so far; ``excluded``: out by the gross-error screen; ``dropped``: out of the vintage for
    good; ``value_day``: day of the last determined value per index; ``carried`` and ``modelled``:
    days since then on which the value was repeated, or moved with the parent (rulebook 10.4);
    ``parent_value``: the parent's published value in units, 0 unless it was FULL or REDUCED.
    """

    previous: Ints
    previous_day: Ints
    used: Ints
    seen_day: Ints
    sighted_day: Ints
    held: Ints
    excluded: Bools
    dropped: Bools
    value_day: Ints
    carried: Ints
    modelled: Ints
    parent_value: Ints

    @classmethod
    def empty(cls, indices: int, groups: int) -> State:
        """Return the state before the first day."""
        shape = (indices, groups)
        return cls(
            previous=np.zeros(shape, np.int64),
            previous_day=np.full(shape, NEVER, np.int64),
            used=np.zeros(shape, np.int64),
            seen_day=np.full(shape, NEVER, np.int64),
            sighted_day=np.full(shape, NEVER, np.int64),
            held=np.zeros(shape, np.int64),
            excluded=np.zeros(shape, np.bool_),
            dropped=np.zeros(shape, np.bool_),
            value_day=np.full(indices, NEVER, np.int64),
            carried=np.zeros(indices, np.int64),
            modelled=np.zeros(indices, np.int64),
            parent_value=np.zeros(indices, np.int64),
        )


@dataclass(frozen=True)
class Prices:
    """One day's representative prices: nano-units (0: none) and what is known of each.

    ``has_two_paths``: ``is_confirmed`` rests on two independent paths or the seller's own date.
    """

    price: Ints
    is_confirmed: Bools
    is_suspect: Bools
    is_fresh: Bools
    is_evidenced: Bools
    has_two_paths: bool = False


@dataclass(frozen=True)
class Frozen:
    """The panels in force today as arrays, and the rules that hold for each index.

    ``weight``: units of 1e-8, 0 for non-members; ``estimator``: codes of ``estimators.CODES``;
    ``volumes``: per index the volumes behind the weights in group order of the vintage;
    ``parent``: per index the place of the index that lends its movement, -1 for none; ``None``
    when no index has a parent.
    """

    weight: Ints
    estimator: npt.NDArray[np.int8]
    jump_ratio: Ints
    is_small: Bools
    is_capped: Bools
    is_covered: Bools
    vintages: Sequence[Vintage | None]
    places: Sequence[npt.NDArray[np.intp]]
    parent: npt.NDArray[np.intp] | None = None


@dataclass
class Day:
    """What one day yields, per index ``[i]`` and per group ``[i, g]``.

    ``level`` codes of ``waterfall.LEVELS``; ``numerator`` and ``denominator``: the exact rate in
    nano-units as Python integers (0/1 without a value); ``price`` the price that stood for each
    group, ``kept`` its kept weight, ``used_weight`` the weight it entered with; ``status`` codes of
    ``STATES``; ``reason`` codes of ``REASONS``.
    """

    level: npt.NDArray[np.int8]
    numerator: list[int]
    denominator: list[int]
    groups: Ints
    weight: Ints
    fresh: Ints
    evidenced: Ints
    dispersed: Bools
    price: Ints
    kept: Ints
    used_weight: Ints
    status: npt.NDArray[np.int8]
    reason: npt.NDArray[np.int8]
    panel_break: Bools = field(default_factory=lambda: np.zeros(0, np.bool_))


def determine(
    day: int, prices: Prices, frozen: Frozen, state: State, rules: Methodology
) -> tuple[Day, State]:
    """Return one day's determination and the state it leaves (rulebook 4 to 10).

    Args:
        day: the day's number, for ages; any origin, days consecutive.
        prices: today's representative prices of the source that serves each group.
        frozen: the panels in force.
        state: what the previous day left; it is not changed.
        rules: the parameters.
    """
    member = frozen.weight > 0
    covered = frozen.is_covered[:, None] & member & ~state.dropped
    accepted, status, reason, held = _hold(day, prices, frozen, state, covered, rules)
    observed = (status == OBSERVED) | (status == HELD)
    excluded, dispersed = screens.gross_errors(
        accepted, np.where(observed, frozen.weight, 0), state.excluded, rules.gross
    )
    status[excluded] = IMPUTED
    reason[excluded] = R_GROSS
    counted = observed & ~excluded
    stale_hours = rules.waterfall.carried_input_hours // 24
    recent = counted | (covered & (day - state.seen_day <= stale_hours) & (state.used > 0))
    weigh = frozen.weight
    total = weigh.sum(-1)
    of_vintage = rules.evidence is not None  # 1.0.0 took shares of the weight that counts
    level = waterfall.level_from_inputs(
        counted.sum(-1),
        np.where(counted, weigh, 0).sum(-1),
        np.where(counted & prices.is_fresh, weigh, 0).sum(-1),
        np.where(counted & prices.is_evidenced, weigh, 0).sum(-1),
        recent.sum(-1),
        np.where(recent, weigh, 0).sum(-1),
        total,
        frozen.is_small,
        frozen.is_capped | (dispersed & of_vintage),
        rules.waterfall,
        of_vintage,
    )
    level[~frozen.is_covered] = waterfall.NO_FIX
    valued = level <= waterfall.CARRIED_INPUT
    filled, status, reason, used_weight = _fill(
        day, accepted, counted, status, reason, frozen, state, valued, rules
    )
    numerator, denominator, kept = estimate(filled, used_weight, frozen.estimator, valued)
    is_unbroken = state.value_day == day - 1 - state.carried - state.modelled
    may_model, may_carry = waterfall.without_value(
        level,
        frozen.is_covered & ~valued & (total > 0) & is_unbroken,
        state.modelled,
        state.carried,
        frozen.parent,
        state.parent_value,
        rules.waterfall,
    )
    level[may_model], level[may_carry] = waterfall.MODEL, waterfall.CARRY
    newly_dropped = covered & (status == DROPPED) & (reason == R_TOO_LONG)
    result = Day(
        level=level,
        numerator=numerator,
        denominator=denominator,
        groups=counted.sum(-1),
        weight=np.where(counted, weigh, 0).sum(-1),
        fresh=np.where(counted & prices.is_fresh, weigh, 0).sum(-1),
        evidenced=np.where(counted & prices.is_evidenced, weigh, 0).sum(-1),
        dispersed=dispersed & frozen.is_covered,
        price=filled,
        kept=kept,
        used_weight=used_weight,
        status=status,
        reason=reason,
        panel_break=(state.dropped & member).any(-1) | newly_dropped.any(-1),
    )
    fresh_price = status == OBSERVED
    after = State(
        previous=np.where(fresh_price, accepted, state.previous),
        previous_day=np.where(fresh_price, day, state.previous_day),
        used=np.where(valued[:, None] & member, filled, state.used),
        seen_day=np.where(counted, day, state.seen_day),
        sighted_day=np.where(covered & (prices.price > 0), day, state.sighted_day),
        held=held,
        # Who shows no price today has not come back inside the bound: the state stays.
        excluded=np.where(observed, excluded, state.excluded),
        dropped=state.dropped | newly_dropped,
        value_day=np.where(valued, day, state.value_day),
        carried=np.where(may_carry, state.carried + 1, np.where(may_model, state.carried, 0)),
        modelled=np.where(may_model, state.modelled + 1, np.where(may_carry, state.modelled, 0)),
        parent_value=np.zeros_like(state.parent_value),
    )
    return result, after


def _hold(
    day: int, prices: Prices, frozen: Frozen, state: State, covered: Bools, rules: Methodology
) -> tuple[Ints, npt.NDArray[np.int8], npt.NDArray[np.int8], Ints]:
    """Apply hold-and-confirm: the accepted price, its status and reason, days held so far."""
    price = np.where(covered, prices.price, 0)
    comparable = day - state.sighted_day <= rules.waterfall.carried_input_hours // 24
    previous = np.where(comparable, state.previous, 0)
    jumped, with_crowd = screens.jumps(price, previous, covered, frozen.jump_ratio, rules.jump)
    suspect = prices.is_suspect & (price > 0)
    must_hold = (jumped & ~prices.is_confirmed & ~with_crowd) | suspect
    may_hold = must_hold & (previous > 0) & (state.held < rules.jump.max_held_days)
    status = np.full(price.shape, NOT_MEMBER, dtype=np.int8)
    reason = np.zeros(price.shape, dtype=np.int8)
    missing = covered & ((price == 0) | (must_hold & ~may_hold))
    status[missing] = IMPUTED
    status[covered & may_hold] = HELD
    status[covered & (price > 0) & ~must_hold] = OBSERVED
    reason[covered & (price == 0)] = R_NO_PRICE
    reason[covered & must_hold] = R_JUMP
    reason[covered & suspect] = R_SUSPECT
    let_through = covered & jumped & ~must_hold
    reason[let_through & with_crowd] = R_CROWD
    reason[let_through & prices.is_confirmed] = R_TWO_PATHS if prices.has_two_paths else R_CONFIRMED
    held = np.where(covered, np.where(must_hold, state.held + 1, 0), state.held)
    accepted = np.where(status == HELD, previous, np.where(status == OBSERVED, price, 0))
    return accepted, status, reason, held


def _fill(
    day: int,
    accepted: Ints,
    counted: Bools,
    status: npt.NDArray[np.int8],
    reason: npt.NDArray[np.int8],
    frozen: Frozen,
    state: State,
    valued: Bools,
    rules: Methodology,
) -> tuple[Ints, npt.NDArray[np.int8], npt.NDArray[np.int8], Ints]:
    """Impute every member that does not count, or drop it: prices, status, reason, weights."""
    filled = np.where(counted, accepted, 0)
    used_weight = frozen.weight.copy()
    absent = (frozen.weight > 0) & ~counted
    status[absent & state.dropped] = DROPPED
    reason[absent & state.dropped] = R_TOO_LONG
    too_long = absent & ~state.dropped & (day - state.seen_day > rules.imputation.max_days)
    can = absent & ~state.dropped & ~too_long & (state.used > 0) & valued[:, None]
    for i in np.flatnonzero(valued & absent.any(-1)).tolist():  # panels with a gap, not rows
        filled[i] = _impute(i, filled[i], counted[i], can[i], frozen, state, rules)
    gone = absent & (filled == 0) & valued[:, None]
    status[gone] = DROPPED
    reason[gone & too_long & (state.used > 0)] = R_TOO_LONG
    for i in np.flatnonzero(gone.any(-1)).tolist():
        used_weight[i] = weights_of(i, ~gone[i], frozen, rules)
    return filled, status, reason, used_weight


def _impute(
    i: int,
    price: Ints,
    counted: Bools,
    can: Bools,
    frozen: Frozen,
    state: State,
    rules: Methodology,
) -> Ints:
    """Return one panel's prices with the imputable ones filled in (rulebook 8.4, vector SD01).

    ``p(t) = p(s) * R(t) / R(s)``: s is the last day with a value, R the same estimator over the
    members observed today that also stood in the value of s, with capped weights of their own.
    """
    base = counted & (state.used[i] > 0)
    if not can.any() or not base.any():
        return price
    weight = weights_of(i, base, frozen, rules)
    code = frozen.estimator[i : i + 1]
    yes = np.array([True])
    now, now_of, _ = estimate(np.where(base, price, 0)[None], weight[None], code, yes)
    was, was_of, _ = estimate(np.where(base, state.used[i], 0)[None], weight[None], code, yes)
    filled = price.copy()
    for g in np.flatnonzero(can):
        up = int(state.used[i, g]) * now[0] * was_of[0]
        filled[g] = round_half_up(up, was[0] * now_of[0])
    return filled


def weights_of(i: int, present: Bools, frozen: Frozen, rules: Methodology) -> Ints:
    """Return published weights of part of a panel, from its own volumes, capped anew."""
    vintage = frozen.vintages[i]
    weight = np.zeros(frozen.weight.shape[1], np.int64)
    if vintage is None or not present.any():
        return weight
    places = frozen.places[i]
    here = present[places]
    volumes = [v for v, is_here in zip(vintage.volumes, here, strict=True) if is_here]
    weight[places[here]] = weights_for(volumes, vintage.basis, vintage.estimator, rules)
    return weight


def estimate(
    price: Ints, weight: Ints, estimator: npt.NDArray[np.int8], valued: Bools
) -> tuple[list[int], list[int], Ints]:
    """Return the exact rate of each panel as numerator and denominator, and the kept weights."""
    weight = np.where((price > 0) & valued[:, None], weight, 0)
    order, sorted_price, sorted_weight = sort_panel(price, weight)
    slack = (sorted_weight > 0).sum(-1)
    sorted_kept = kept_by_panel(sorted_weight, estimator, slack)
    numerator, denominator = exact_sums(sorted_price, sorted_kept)
    kept = np.empty_like(sorted_kept)
    np.put_along_axis(kept, order, sorted_kept, -1)
    return numerator, [max(1, d) for d in denominator], kept


def leave_one_out(
    price: Ints, weight: Ints, estimator: str
) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Return the lowest and highest rate with any one member left out, as exact ratios.

    Published instead of a bootstrap band: the panel is a census of sellers, not a sample.
    ``None`` when fewer than two members stand.
    """
    standing = np.flatnonzero((weight > 0) & (price > 0))
    if standing.size < 2:
        return None
    without = np.repeat(weight[None, standing], standing.size, axis=0)
    np.fill_diagonal(without, 0)
    prices = np.repeat(price[None, standing], standing.size, axis=0)
    codes = np.full(standing.size, CODES[estimator], np.int8)
    tops, bottoms, _ = estimate(prices, without, codes, np.ones(standing.size, np.bool_))
    ranked = sorted(zip(tops, bottoms, strict=True), key=lambda r: r[0] * 10**30 // r[1])
    return ranked[0], ranked[-1]
