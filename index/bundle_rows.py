"""From full dated tables to change rows, without letting an old price outlive its source."""

from __future__ import annotations

import polars as pl

SERIES = ["source", "provider", "listing_id", "meter", "tenor", "region", "gpu_count"]
"""What makes two quotes the same series of one offer."""


def last_known(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the last row of each series, in order of first appearance."""
    return (
        rows.with_row_index("_at")
        .sort("observed_at", "_at")
        .group_by(SERIES, maintain_order=True)
        .last()
        .select(rows.columns)
    )


def body_diff(known: pl.DataFrame, body: pl.DataFrame) -> pl.DataFrame:
    """Return the rows by which one whole body ends what was known before it.

    Args:
        known: the last row of each series before the body, with ``instrument_id``.
        body: every row of the body, with ``instrument_id``; one moment, one digest.

    Returns:
        A ``withdrawn`` row for each series of a listing that the body no longer holds, and an
        ``unknown`` row for each series that a listing still held no longer prices. Series already
        withdrawn are not withdrawn again.
    """
    moment, digest = body["observed_at"][0], body["capture_sha256"][0]
    listing = ["source", "provider", "listing_id"]
    held = body.select(listing).unique().with_columns(pl.lit(True).alias("_held"))
    return (
        known.filter(pl.col("status") != "withdrawn")
        .join(body.select(SERIES).unique(), on=SERIES, how="anti", nulls_equal=True)
        .join(held, on=listing, how="left", maintain_order="left")
        .with_columns(
            pl.when(pl.col("_held").fill_null(False))
            .then(pl.lit("unknown"))
            .otherwise(pl.lit("withdrawn"))
            .alias("status"),
            pl.lit(None, pl.String).alias("price_text"),
            pl.lit(moment).cast(pl.Datetime("us")).alias("observed_at"),
            pl.lit(digest).alias("capture_sha256"),
        )
        .select(known.columns)
    )


def change_rows(rows: pl.DataFrame, moments: pl.Series) -> pl.DataFrame:
    """Return the rows of full dated tables at which a series begins, changes or ends.

    Args:
        rows: quotes of status ``offered``, at most one per series and moment.
        moments: the moments of all tables, also of those in which a series is missing.

    Returns:
        For each series its first row, each row whose price text differs from that of the table
        before, and a ``withdrawn`` row at the first table that no longer holds it.
    """
    series = rows.group_by(SERIES, maintain_order=True).agg(
        pl.col("observed_at").min().alias("_first")
    )
    grid = series.join(moments.alias("observed_at").to_frame(), how="cross").filter(
        pl.col("observed_at") >= pl.col("_first")
    )
    full = grid.join(
        rows, on=[*SERIES, "observed_at"], how="left", nulls_equal=True, maintain_order="left"
    ).sort([*SERIES, "observed_at"], nulls_last=False)
    gone = pl.col("status").is_null()
    before = pl.struct("status", "price_text").shift(1).over(SERIES)
    carried = [n for n in rows.columns if n not in [*SERIES, "observed_at", "price_text", "status"]]
    return (
        full.with_columns(
            pl.when(gone).then(pl.lit("withdrawn")).otherwise("status").alias("status"),
            *(pl.col(name).forward_fill().over(SERIES) for name in carried),
        )
        .filter(
            (pl.col("observed_at") == pl.col("_first"))
            | before.is_null()
            | (before != pl.struct("status", "price_text"))
        )
        .select(rows.columns)
    )
