"""Observations to segments: intervals in which each price was the last seen (rulebook 4.1-4.3)."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from methodology.definition import Methodology
from methodology.eligibility import SERIES

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US

KEY = [*SERIES, "group", "provider_class"]


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the sources at hand can speak about.

    ``spans``: source, mode, covered_from, covered_to (naive UTC, end exclusive), one row per
    unbroken interval. ``captures``: source, captured_at, one row per body of a snapshot source.

    Modes: a ``snapshot`` speaks from one capture to the next, at most the fetch-age limit; a
    ``history`` of dated changes counts as observed at every midnight inside its spans and never
    after them; a ``schedule`` carries the seller's own dates of validity.
    """

    spans: pl.DataFrame
    captures: pl.DataFrame


def collapse_tariffs(observations: pl.DataFrame) -> pl.DataFrame:
    """Return observations without tariff windows: each schedule becomes its 24-hour mean.

    A schedule is the set of rows of one series, meter and moment: at most one row without a
    window (the price outside any window) and rows with windows, which may wrap midnight. The mean
    is exact over 1,440 minutes and rounded half up once to nano-units (vector TV18). When the
    windows leave minutes that no price covers, or overlap, or one price is missing, the price is
    null: half a tariff is not a price.
    """
    moment = [*KEY, "observed_at", "effective_from", "effective_to"]
    tariff = pl.col("window_start_min").is_not_null()
    is_tariff = tariff.any().over(moment)
    plain = observations.filter(~is_tariff)
    windowed = observations.filter(is_tariff)
    if windowed.is_empty():
        return plain.drop("window_start_min", "window_end_min")
    start = pl.col("window_start_min").cast(pl.Int64)
    length = (pl.col("window_end_min").cast(pl.Int64) - start) % 1440
    length = pl.when(length == 0).then(1440).otherwise(length)
    inside = length.filter(tariff).sum()
    base = pl.col("price_nano").filter(~tariff)
    in_windows = (pl.col("price_nano") * length).filter(tariff).sum()
    outside = pl.when(inside == 1440).then(0).otherwise(base.first() * (1440 - inside))
    opens = start.filter(tariff)  # sorted: each window must close before the next one opens
    closes = opens + length.filter(tariff)
    is_apart = (opens.shift(-1).fill_null(opens.first() + 1440) >= closes).all()
    is_whole = (
        is_apart
        & (inside <= 1440)
        & (base.len() <= 1)
        & ((inside == 1440) | (base.len() == 1))
        & pl.col("price_nano").is_not_null().all()
    )
    collapsed = (
        windowed.sort("window_start_min", nulls_last=False)
        .group_by(moment, maintain_order=True)
        .agg(
            pl.when(is_whole).then((2 * (in_windows + outside) + 1440) // 2880).alias("price_nano"),
            pl.col("observation_id").str.join("+"),
            pl.col("is_official_date").all(),
            pl.col("is_inexact").any(),
            pl.when(is_whole).then(pl.lit("offered")).otherwise(pl.lit("unknown")).alias("status"),
            pl.col("tier").max(),
            pl.col("licence_id").first(),
            pl.col("capture_sha256").first(),
        )
    )
    plain = plain.drop("window_start_min", "window_end_min")
    return pl.concat([plain, collapsed.select(plain.columns)])


def segments(observations: pl.DataFrame, coverage: Coverage, rules: Methodology) -> pl.DataFrame:
    """Return the intervals in which each price was the last thing seen of its series.

    Args:
        observations: ``schemas.Observation`` rows, any order.
        coverage: spans and captures of the sources; rows of a source without a span are unused.
        rules: for the fetch-age limit.

    Returns:
        One row per interval, sorted by series and start: the series columns, ``price_nano``
        (never null), ``from_us`` and ``until_us`` (microseconds UTC, end exclusive), ``run_us``
        (start of the unbroken run of this price), ``mode``, ``is_official_date``, ``tier``,
        ``observation_id`` (joined by ``+`` where a tariff was collapsed), and two numbers for
        cheap joins: ``offer`` (the series without its meter) and ``piece`` (the row).
    """
    rows = collapse_tariffs(observations).join(
        coverage.spans.select("source", "mode").unique(), on="source", how="inner"
    )
    is_schedule = pl.col("mode") == "schedule"
    seen, stated = pl.col("observed_at").dt.epoch("us"), pl.col("effective_from").dt.epoch("us")
    start = (
        pl.when(is_schedule)
        .then(stated.fill_null(0))
        .otherwise(pl.max_horizontal(seen, stated.fill_null(0)))
    )
    series = [*KEY, "mode"]
    rows = rows.with_columns(start.alias("from_us")).sort(
        [*series, "from_us", "observed_at", "observation_id"], nulls_last=True
    )
    rows = rows.with_columns(
        pl.col("from_us").shift(-1).over(series).alias("next_us"),
        pl.col("effective_to").dt.epoch("us").alias("to_us"),
    )
    rows = rows.join(
        _capture_ends(rows, coverage.captures), on=["source", "observed_at"], how="left"
    )
    limit = seen + rules.window.max_fetch_age_hours * HOUR_US
    until = pl.min_horizontal(
        "next_us",
        "to_us",
        pl.when(pl.col("mode") == "snapshot").then(pl.min_horizontal("capture_end_us", limit)),
    )
    rows = rows.with_columns(until.alias("until_us"))
    clipped = rows.join(
        coverage.spans.select(
            "source",
            pl.col("covered_from").dt.epoch("us").alias("span_from_us"),
            pl.col("covered_to").dt.epoch("us").alias("span_to_us"),
        ),
        on="source",
        how="inner",
    ).with_columns(
        pl.max_horizontal("from_us", "span_from_us").alias("from_us"),
        pl.min_horizontal("until_us", "span_to_us").alias("until_us"),
    )
    alive = clipped.filter(
        (pl.col("from_us") < pl.col("until_us")) & pl.col("price_nano").is_not_null()
    )
    alive = alive.sort([*series, "from_us"], nulls_last=True)
    breaks = (
        (pl.col("price_nano") != pl.col("price_nano").shift(1))
        | (pl.col("from_us") > pl.col("until_us").shift(1))
    ).fill_null(True)
    runs = alive.with_columns(breaks.over(series).cum_sum().over(series).alias("run"))
    return runs.select(
        pl.int_range(pl.len(), dtype=pl.Int64).alias("piece"),
        pl.struct(c for c in KEY if c != "meter").rank("dense").cast(pl.Int64).alias("offer"),
        *KEY,
        "mode",
        "price_nano",
        "from_us",
        "until_us",
        pl.col("from_us").min().over([*series, "run"]).alias("run_us"),
        "is_official_date",
        "tier",
        "observation_id",
    )


def _capture_ends(rows: pl.DataFrame, captures: pl.DataFrame) -> pl.DataFrame:
    """Return, per source and moment seen, when the source's *next* body was captured."""
    moments = rows.select("source", "observed_at").unique().sort("source", "observed_at")
    own = captures.select("source", "captured_at").unique().sort("source", "captured_at")
    own = own.with_columns(
        pl.col("captured_at").shift(-1).over("source").dt.epoch("us").alias("capture_end_us")
    )
    joined = moments.join_asof(
        own,
        left_on="observed_at",
        right_on="captured_at",
        by="source",
        strategy="forward",
        check_sortedness=False,
    )
    return joined.select("source", "observed_at", "capture_end_us")
