"""Observations to segments: intervals in which each price was the last seen (rulebook 4.1-4.3)."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from methodology.definition import Methodology
from methodology.eligibility import SERIES
from methodology.tariffs import collapse_tariffs

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
