"""Tariffs by time of day and of the week: the windows, and the mean they become (rulebook 4.4).

A window is two numbers, start and end, the end exclusive. A number is a day times 1,440 plus a
minute of that day, in UTC. Day 0 is every day, so a window by time of day is two minutes of the
day; days 1 to 7 are Monday to Sunday. Both ends of a window are of one kind. A window may run past
midnight and, on Sunday, into Monday; one that ends where it starts covers the whole day or week.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import polars as pl

from methodology.eligibility import SERIES

DAY: Final = 1440
"""Minutes of a day."""

WEEK: Final = 7 * DAY
"""Minutes of a week."""

END: Final = DAY + WEEK
"""First number that is no minute: the end of Sunday."""

EVERY_DAY: Final = frozenset(range(1, 8))
"""Monday, 1, to Sunday, 7."""

DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

Window = tuple[int, int]

_MOMENT = [*SERIES, "group", "provider_class", "observed_at", "effective_from", "effective_to"]


def windows(
    start: int, end: int, *, days: Iterable[int] = EVERY_DAY, zone: int = 0
) -> list[Window]:
    """Return the windows in UTC of hours that a seller keeps on some days of its own week.

    Args:
        start: first minute of the day there, 0 to 1439.
        end: minute at which it ends, 1 to 1440; not after ``start``: on the next day.
        days: days on which it *starts*, by the seller's clock, 1 (Monday) to 7 (Sunday).
        zone: minutes by which the seller's clock is ahead of UTC. A window that starts before
            midnight UTC starts on the day before.

    Returns:
        One window of every day where ``days`` are all seven; else one for each day, from Monday
        by the seller's clock.

    Raises:
        ValueError: no day, a day or minute that is none, or a window that would meet itself.
    """
    wanted = frozenset(days)
    if not wanted or not wanted <= EVERY_DAY:
        raise ValueError(f"days {sorted(wanted)}: needs some of 1 (Monday) to 7 (Sunday)")
    if not (0 <= start < DAY and 0 < end <= DAY):
        raise ValueError(f"{start} to {end}: needs minutes of a day, the start before 1440")
    if wanted == EVERY_DAY:
        return [((start - zone) % DAY, (end - zone) % DAY)]
    length = (end - start) % DAY or DAY
    opens = [(DAY * (day - 1) + start - zone) % WEEK for day in sorted(wanted)]
    return [(DAY + at, DAY + (at + length) % WEEK) for at in opens]


def spelled(start: int, end: int) -> str:
    """Return a window in words, such as ``Monday 22:00 to Tuesday 01:00 UTC``.

    Raises:
        ValueError: a number that is no minute of a day or week, or ends of two kinds.
    """
    if not (0 <= start < END and 0 <= end < END and (start < DAY) == (end < DAY)):
        raise ValueError(f"{start} to {end} is no window of a day or of a week")
    if start < DAY:
        return f"every day {_clock(start)} to {_clock(end)} UTC"
    first, last = (DAYS[at // DAY - 1] for at in (start, end))
    return f"{first} {_clock(start)} to {last} {_clock(end)} UTC"


def _clock(at: int) -> str:
    return f"{at % DAY // 60:02}:{at % 60:02}"


def collapse_tariffs(observations: pl.DataFrame) -> pl.DataFrame:
    """Return observations without tariff windows: each schedule becomes its mean over a week.

    A schedule is the set of rows of one series, meter and moment: at most one row without a
    window (the price outside any window) and rows with windows of the day or of the week. The mean
    is exact over 10,080 minutes and rounded half up once to nano-units; for windows of the day it
    is the mean over 1,440 (vector TV18). When the windows leave minutes that no price covers, or
    overlap, or one price is missing, the price is null: half a tariff is not a price.
    """
    bounds = ["window_start_min", "window_end_min"]
    has_window = pl.any_horizontal(pl.col(bounds).is_not_null())
    if not observations.select(has_window.any()).item():
        return observations.drop(bounds)
    is_tariff = has_window.any().over(_MOMENT)
    plain = observations.filter(~is_tariff).drop(bounds)
    start, end = (pl.col(name).cast(pl.Int64) for name in bounds)
    daily = start < DAY
    length = pl.when(daily).then((end - start) % DAY).otherwise((end - start) % WEEK)
    whole = pl.when(daily).then(DAY).otherwise(WEEK)
    is_known = (daily == (end < DAY)) & start.is_between(0, END - 1) & end.is_between(0, END - 1)
    is_outside = start.is_null() & end.is_null()
    rows = observations.filter(is_tariff).with_columns(
        pl.struct(_MOMENT).rank("dense").alias("schedule"),
        pl.when(length == 0).then(whole).otherwise(length).alias("length"),
        # A window of the day is there seven times a week; the price outside, as often as it may.
        pl.when(daily).then(7).when(start.is_not_null()).then(1).alias("times"),
        (is_known | is_outside).fill_null(False).alias("is_window"),
    )
    rows = rows.join(_apart(rows), on="schedule", how="left", maintain_order="left")
    inside = (pl.col("length") * pl.col("times")).sum()
    minutes = (
        pl.when(pl.col("times").is_null())
        .then(WEEK - inside.over("schedule"))
        .otherwise(pl.col("length") * pl.col("times"))
    )
    rows = rows.with_columns(minutes.alias("minutes"))
    base = pl.col("times").is_null().sum()
    is_whole = (
        pl.col("is_apart").fill_null(False).all()
        & pl.col("is_window").all()
        & (inside <= WEEK)
        & (base <= 1)
        & (pl.col("minutes").sum() == WEEK)
        & pl.col("price_nano").is_not_null().all()
    )
    # 1e15 times 20,160 would overflow: whole weeks of the price first, then what is left.
    parts = pl.col("price_nano") // WEEK * pl.col("minutes")
    rest = (pl.col("price_nano") % WEEK * pl.col("minutes")).sum()
    mean = parts.sum() + (2 * rest + WEEK) // (2 * WEEK)
    collapsed = (
        rows.sort("window_start_min", nulls_last=False)
        .group_by(_MOMENT, maintain_order=True)
        .agg(
            pl.when(is_whole).then(mean).alias("price_nano"),
            pl.col("observation_id").str.join("+"),
            pl.col("is_official_date").all(),
            pl.col("is_inexact").any(),
            pl.when(is_whole).then(pl.lit("offered")).otherwise(pl.lit("unknown")).alias("status"),
            pl.col("tier").max(),
            pl.col("licence_id").first(),
            pl.col("capture_sha256").first(),
        )
    )
    return pl.concat([plain, collapsed.select(plain.columns)])


def _apart(rows: pl.DataFrame) -> pl.DataFrame:
    """Return, per schedule, whether each window closes before the next one of the week opens."""
    start = pl.col("window_start_min").cast(pl.Int64)
    opens = (
        pl.when(pl.col("times") == 7)
        .then(pl.concat_list(start + DAY * n for n in range(7)))
        .otherwise(pl.concat_list(start - DAY))
    )
    week = (
        rows.filter(pl.col("times").is_not_null())
        .select("schedule", "length", opens.alias("opens"))
        .explode("opens")
        .sort("schedule", "opens")
    )
    after = pl.col("opens").shift(-1).fill_null(pl.col("opens").first() + WEEK)
    is_apart = (after >= pl.col("opens") + pl.col("length")).all()
    return week.group_by("schedule", maintain_order=True).agg(is_apart.alias("is_apart"))
