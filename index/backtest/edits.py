"""What a scenario does to observations: frames in, frames out (rulebook 12.5).

Each edit says what sources show from a moment on. A source still speaks; what it shows changes. So
an edited day is a covered one, as every live day is (rulebook 10.3). Rows before the moment stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from fractions import Fraction

import polars as pl

from methodology.parameters import Bounds
from methodology.representative import Coverage
from methodology.segments import KEY
from methodology.units import NANO

STILL_LISTED = timedelta(hours=26)
"""A row of a snapshot source older than this stands for no offer any more (rulebook 4.1)."""

SAME_BODY = timedelta(minutes=5)
"""Rows of one snapshot body differ in their moment by seconds."""


def in_force(observations: pl.DataFrame, coverage: Coverage, at: datetime) -> pl.DataFrame:
    """Return the rows whose prices stand at a moment, all tariff windows of an offer together.

    Args:
        observations: ``schemas.Observation`` rows.
        coverage: for each source's mode.
        at: naive UTC.

    Returns:
        The same columns; offers withdrawn or without a price by then have no row.
    """
    modes = coverage.spans.select("source", "mode").unique()
    is_schedule = pl.col("mode") == "schedule"
    began = (
        pl.when(is_schedule)
        .then(pl.col("effective_from").fill_null(datetime(1970, 1, 1)))
        .otherwise(pl.max_horizontal("observed_at", "effective_from"))
    )
    rows = observations.join(modes, on="source", how="inner").with_columns(began.alias("began"))
    rows = rows.filter(pl.col("began") <= at)
    newest = pl.col("began") == pl.col("began").max().over(KEY)
    rows = rows.filter(newest)
    rows = rows.filter(pl.col("observed_at") == pl.col("observed_at").max().over(KEY))
    body = pl.col("observed_at").max().over("source") - SAME_BODY
    is_listed = (pl.col("mode") != "snapshot") | (
        (pl.col("observed_at") >= body) & (pl.col("observed_at") > at - STILL_LISTED)
    )
    stands = pl.col("effective_to").is_null() | (pl.col("effective_to") > at)
    rows = rows.filter(is_listed & stands & pl.col("price_nano").is_not_null())
    return rows.select(*observations.columns, "mode")


def gone(
    observations: pl.DataFrame, coverage: Coverage, who: pl.Expr, at: datetime
) -> pl.DataFrame:
    """Return observations in which some offers are withdrawn at a moment and never return."""
    mine = in_force(observations, coverage, at).filter(who)
    ends = _dated(mine, at).with_columns(
        pl.lit(None, pl.Int64).alias("price_nano"), pl.lit("withdrawn").alias("status")
    )
    return pl.concat([_before(observations, coverage, who, at), ends.select(observations.columns)])


def times(
    observations: pl.DataFrame,
    coverage: Coverage,
    who: pl.Expr,
    at: datetime,
    factor: Fraction,
    bounds: Bounds,
) -> pl.DataFrame:
    """Return observations in which some offers cost a multiple from a moment on.

    Prices are rounded half up to nano. A price that leaves the bounds of rulebook 6.1 loses its
    figure, as it would on arrival: the older price ends and no new one stands (rulebook 2.4).
    """
    mine = in_force(observations, coverage, at).filter(who)
    starts = _scaled(_dated(mine, at), factor, bounds).select(observations.columns)
    later = _scaled(_after(observations, coverage, who, at), factor, bounds)
    return pl.concat([_before(observations, coverage, who, at), starts, later])


def times_each(
    observations: pl.DataFrame,
    coverage: Coverage,
    moments: Mapping[str, datetime],
    factor: Fraction,
    bounds: Bounds,
) -> pl.DataFrame:
    """Return observations in which each named group's prices change at a moment of its own."""
    for group, at in sorted(moments.items()):
        observations = times(observations, coverage, pl.col("group") == group, at, factor, bounds)
    return observations


def back_again(
    edited: pl.DataFrame, original: pl.DataFrame, coverage: Coverage, at: datetime
) -> pl.DataFrame:
    """Return edited observations in which everything stands again as it did, from a moment on."""
    everyone = pl.lit(True)
    returned = _dated(in_force(original, coverage, at), at).select(original.columns)
    before = _before(edited, coverage, everyone, at)
    return pl.concat([before, returned, _after(original, coverage, everyone, at)])


def _dated(rows: pl.DataFrame, at: datetime) -> pl.DataFrame:
    """Return rows as their sources would date them at a moment: a schedule states its own day."""
    is_schedule = pl.col("mode") == "schedule"
    return rows.with_columns(
        pl.when(is_schedule)
        .then(pl.lit(at))
        .otherwise("effective_from")
        .cast(pl.Datetime("us"))
        .alias("effective_from"),
        pl.when(is_schedule)
        .then("observed_at")
        .otherwise(pl.lit(at))
        .cast(pl.Datetime("us"))
        .alias("observed_at"),
        (pl.col("is_official_date") | is_schedule).alias("is_official_date"),
        (pl.col("observation_id") + "~").alias("observation_id"),
    )


def _is_after(coverage: Coverage, at: datetime) -> pl.Expr:
    scheduled = coverage.spans.filter(pl.col("mode") == "schedule")["source"].unique().to_list()
    return (
        pl.when(pl.col("source").is_in(scheduled))
        .then(pl.col("effective_from").fill_null(datetime(1970, 1, 1)) > at)
        .otherwise(pl.col("observed_at") > at)
    )


def _before(
    observations: pl.DataFrame, coverage: Coverage, who: pl.Expr, at: datetime
) -> pl.DataFrame:
    return observations.filter(~(who & _is_after(coverage, at)))


def _after(
    observations: pl.DataFrame, coverage: Coverage, who: pl.Expr, at: datetime
) -> pl.DataFrame:
    return observations.filter(who & _is_after(coverage, at))


def _scaled(rows: pl.DataFrame, factor: Fraction, bounds: Bounds) -> pl.DataFrame:
    n, d = factor.numerator, factor.denominator
    is_gpu = pl.col("unit") == "usd_per_gpu_hour"

    def nano(gpu: Fraction, token: Fraction) -> pl.Expr:
        return pl.when(is_gpu).then(int(gpu * NANO)).otherwise(int(token * NANO))

    moved = (2 * pl.col("price_nano") * n + d) // (2 * d)
    low, high = nano(bounds.gpu_min, bounds.token_min), nano(bounds.gpu_max, bounds.token_max)
    is_in = moved.is_between(low, high)
    return rows.with_columns(
        pl.when(is_in).then(moved).alias("price_nano"),
        pl.when(is_in | pl.col("price_nano").is_null())
        .then("status")
        .otherwise(pl.lit("unknown"))
        .alias("status"),
    )
