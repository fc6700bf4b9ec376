"""Published daily values to a final settlement price, in integers (rulebook 17).

Everything here is a function of its arguments: values by day as they were published, the frozen
list of pricing days, the tick, and what a contract says about days without a value. Values are
integers of 10^-decimals; a mean is the ratio of two integers until the one rounding to the tick.
No calendar library, no clock, no ledger.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from itertools import pairwise
from typing import Final, Literal

from methodology.units import round_half_up

FILLED: Final = ("CARRY", "MODEL")
"""Levels whose value is not of the day itself; they count up to a share only (rulebook 17.4)."""

State = Literal["COUNTED", "OVER_CAP", "NO_FIX", "NOT_PUBLISHED", "PENDING"]
STATES: Final = ("COUNTED", "OVER_CAP", "NO_FIX", "NOT_PUBLISHED", "PENDING")
"""What became of one pricing day (rulebook 17.4)."""

Status = Literal["FINAL", "RUNNING", "FSP_FAIL"]
Failure = Literal["", "TOO_FEW_DAYS", "LAST_DAY_MISSING"]
Answer = Literal["YES", "NO", "NO_DETERMINATION", "PENDING"]


@dataclass(frozen=True, slots=True)
class Missing:
    """What a contract says about days without a value of their own (rulebook 17.4, 17.5).

    ``filled_share``: `CARRY` and `MODEL` days count up to this share of the pricing days.
    ``enough_share``: below this share of counted days the look-back begins, and ends once it is
    met. ``look_back_days``: how many earlier days are looked at, at most. ``accept_share``: what
    must count after the look-back; ``None`` is ``enough_share``, and at least one day always must.
    ``needs_last_day``: there is no price unless the last pricing day counts.
    """

    filled_share: Fraction = Fraction(1, 5)
    enough_share: Fraction = Fraction(4, 5)
    look_back_days: int = 10
    accept_share: Fraction | None = None
    needs_last_day: bool = False


@dataclass(frozen=True, slots=True)
class Day:
    """One day of the working: its value as published and whether it counted.

    ``units`` is ``None`` when there is no value, ``level`` the waterfall level or empty when
    nothing was published.
    """

    day: date
    units: int | None
    level: str
    state: State
    is_look_back: bool = False


@dataclass(frozen=True, slots=True)
class Meter:
    """How far a delivery period is settled (rulebook 17.8).

    ``locked_units`` is the exact sum of the values that count so far, in 10^-decimals; with the
    days still to come it can only grow, never change.
    """

    days: int
    days_fixed: int
    days_left: int
    days_counted: int
    days_lost: int
    locked_units: int

    @property
    def share_fixed(self) -> Fraction:
        """Share of the pricing days that are over."""
        return Fraction(self.days_fixed, self.days)


@dataclass(frozen=True, slots=True)
class Settlement:
    """A final settlement price with its full working (rulebook 17.3).

    ``days`` are the pricing days in order, ``looked_back`` the earlier days that were looked at,
    latest first. ``total_units`` over ``count`` is the mean in 10^-decimals, of the days counted.
    ``fsp_ticks`` is the price in ticks; ``None`` unless ``status`` is ``FINAL``.
    """

    status: Status
    failure: Failure
    days: tuple[Day, ...]
    looked_back: tuple[Day, ...]
    decimals: int
    tick: Fraction
    total_units: int
    count: int
    fsp_ticks: int | None
    meter: Meter

    @property
    def mean(self) -> Fraction | None:
        """Exact mean of the days counted, in money or points; ``None`` of no days."""
        if not self.count:
            return None
        return Fraction(self.total_units, self.count * 10**self.decimals)

    @property
    def mean_ticks(self) -> int | None:
        """The mean in ticks, rounded half up once: final or, while days are left, as it stands."""
        return None if self.mean is None else to_ticks(self.mean, self.tick)

    @property
    def fsp(self) -> str | None:
        """The price as decimal text with the tick's decimals; ``None`` without one."""
        return None if self.fsp_ticks is None else ticks_text(self.fsp_ticks, self.tick)


def settle(
    values: Mapping[date, int | None],
    pricing_days: Sequence[date],
    earlier: Sequence[date] = (),
    *,
    decimals: int,
    tick: Fraction,
    missing: Missing | None = None,
    levels: Mapping[date, str] | None = None,
    as_of: date | None = None,
) -> Settlement:
    """Return the final settlement price of one delivery period, or why there is none.

    Args:
        values: by day, the final published value in 10^-decimals, zero or more; ``None`` says
            that the day was published as ``NO_FIX``. A day that is not in it was not published.
        pricing_days: the frozen list of the period, in order, without repeats.
        earlier: days before the first pricing day, the latest first, of the contract's own kind
            (sessions, or calendar days). Only the first ``missing.look_back_days`` are used.
        decimals: published decimals of the values.
        tick: the smallest step of the price, such as ``Fraction("0.001")``.
        missing: the contract's rules; ``None``: those of rulebook 17.4 and 17.5.
        levels: by day, the waterfall level; a day not in it is of the day itself.
        as_of: the last day whose window has closed; later pricing days are ``PENDING`` and the
            status is ``RUNNING``. ``None``: all are over.

    Raises:
        ValueError: no pricing days, days out of order or overlapping, a value below zero, or a
            tick that is not above zero: faults of the caller, never of the data.
    """
    rules, kinds = missing or Missing(), levels or {}
    _check(values, pricing_days, earlier, tick)
    wanted = len(pricing_days)
    room = int(rules.filled_share * wanted)
    made: list[Day] = []
    for day in pricing_days:
        if as_of is not None and day > as_of:
            made.append(Day(day, None, "", "PENDING"))
            continue
        one = _judge(day, values, kinds, room, is_look_back=False)
        room -= _takes_room(one)
        made.append(one)
    meter = _meter(made)
    looked: list[Day] = []
    if not meter.days_left:
        for day in earlier[: rules.look_back_days]:
            if _counted([*made, *looked]) >= rules.enough_share * wanted:
                break
            one = _judge(day, values, kinds, room, is_look_back=True)
            room -= _takes_room(one)
            looked.append(one)
    counted = [d.units for d in (*made, *looked) if d.state == "COUNTED" and d.units is not None]
    failure: Failure = ""
    if not meter.days_left:
        accept = rules.enough_share if rules.accept_share is None else rules.accept_share
        if not counted or len(counted) < accept * wanted:
            failure = "TOO_FEW_DAYS"
        elif rules.needs_last_day and made[-1].state != "COUNTED":
            failure = "LAST_DAY_MISSING"
    status: Status = "RUNNING" if meter.days_left else "FSP_FAIL" if failure else "FINAL"
    found = Settlement(
        status, failure, tuple(made), tuple(looked), decimals, tick, sum(counted), len(counted),
        None, meter,
    )  # fmt: skip
    if status != "FINAL":
        return found
    return Settlement(
        status, failure, found.days, found.looked_back, decimals, tick, found.total_units,
        found.count, found.mean_ticks, meter,
    )  # fmt: skip


def _check(
    values: Mapping[date, int | None],
    pricing_days: Sequence[date],
    earlier: Sequence[date],
    tick: Fraction,
) -> None:
    if not pricing_days:
        raise ValueError("settle needs at least one pricing day")
    if any(a >= b for a, b in pairwise(pricing_days)):
        raise ValueError("pricing days must be in order and without repeats")
    if any(a <= b for a, b in pairwise([pricing_days[0], *earlier])):
        raise ValueError("earlier days must precede the first pricing day, the latest first")
    if tick <= 0:
        raise ValueError(f"a tick is above zero, got {tick}")
    for day, units in values.items():
        if units is not None and units < 0:
            raise ValueError(f"{day}: a published value is never below zero, got {units}")


def _judge(
    day: date,
    values: Mapping[date, int | None],
    levels: Mapping[date, str],
    room: int,
    *,
    is_look_back: bool,
) -> Day:
    """Return what becomes of a day that is over, with ``room`` filled days still admitted."""
    if day not in values:
        return Day(day, None, "", "NOT_PUBLISHED", is_look_back)
    units, level = values[day], levels.get(day, "")
    if units is None:
        return Day(day, None, level or "NO_FIX", "NO_FIX", is_look_back)
    state: State = "OVER_CAP" if level in FILLED and room < 1 else "COUNTED"
    return Day(day, units, level, state, is_look_back)


def _takes_room(one: Day) -> int:
    return int(one.level in FILLED and one.state == "COUNTED")


def _counted(days: Sequence[Day]) -> int:
    return sum(one.state == "COUNTED" for one in days)


def _meter(days: Sequence[Day]) -> Meter:
    left = sum(one.state == "PENDING" for one in days)
    counted = _counted(days)
    locked = sum(one.units or 0 for one in days if one.state == "COUNTED")
    fixed = len(days) - left
    return Meter(len(days), fixed, left, counted, fixed - counted, locked)


def to_ticks(value: Fraction, tick: Fraction) -> int:
    """Return a non-negative value in ticks, rounded half up once (rulebook 3.2)."""
    ratio = value / tick
    return round_half_up(ratio.numerator, ratio.denominator)


def ticks_text(ticks: int, tick: Fraction) -> str:
    """Return ticks as decimal text with the decimals of the tick, e.g. 2884 of 0.001 ``2.884``.

    Raises:
        ValueError: the tick is no finite decimal.
    """
    places = next((p for p in range(19) if (tick * 10**p).denominator == 1), None)
    if places is None:
        raise ValueError(f"a tick is a finite decimal, got {tick}")
    return units_text(ticks * int(tick * 10**places), places)


def units_text(units: int, decimals: int) -> str:
    """Return a non-negative integer of 10^-decimals as decimal text."""
    whole, part = divmod(units, 10**decimals)
    return f"{whole}.{part:0{decimals}d}" if decimals else str(whole)


def decide(
    units: int | None, level: str, strike: Fraction, *, decimals: int, places: int,
    is_filled_admitted: bool = False,
) -> Answer:  # fmt: skip
    """Return whether a published value settles an event ``YES`` or ``NO`` (rulebook 17.9).

    The value is rounded half up once to ``places`` decimals; ``YES`` only if the rounded value is
    strictly greater than the strike: equal is ``NO``.

    Args:
        units: the value in 10^-decimals; ``None``: no value, hence no determination.
        level: its waterfall level; `CARRY` and `MODEL` give no determination unless admitted.
        strike: the strike.
        decimals: published decimals of the value.
        places: decimals at which it is compared.
        is_filled_admitted: whether the contract admits `CARRY` and `MODEL`.
    """
    if units is None or (level in FILLED and not is_filled_admitted):
        return "NO_DETERMINATION"
    rounded = Fraction(round_half_up(units * 10**places, 10**decimals), 10**places)
    return "YES" if rounded > strike else "NO"
