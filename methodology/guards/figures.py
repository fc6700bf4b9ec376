"""Quotes to comparable figures: one integer per offer, whatever its source calls the unit.

An *offer key* is what makes two quotes of a source the same offer at two moments. The unit is no
part of it: a source that turns from dollars per token to dollars per million tokens, and says so,
has not moved.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from fractions import Fraction

import polars as pl

from methodology.eligibility import Registers
from methodology.errors import PriceError
from methodology.units import INSTANCE_UNITS, to_nano

KEY = (
    "source",
    "provider",
    "listing_id",
    "meter",
    "tenor",
    "region",
    "gpu_count",
    "window_start_min",
    "window_end_min",
)
"""What identifies an offer between two bodies of a source."""

LISTING = [name for name in KEY if name != "meter"]
"""An offer with all its meters."""

KEY_TYPES: dict[str, pl.DataType] = {
    "source": pl.String(),
    "provider": pl.String(),
    "listing_id": pl.String(),
    "meter": pl.String(),
    "tenor": pl.String(),
    "region": pl.String(),
    "gpu_count": pl.Int32(),
    "window_start_min": pl.Int16(),
    "window_end_min": pl.Int16(),
}

SIDES = {
    "IN": "in",
    "BAT_IN": "in",
    "CIN": "cached",
    "OUT": "out",
    "BAT_OUT": "out",
    "GPU_H": "hour",
}
"""Meter to the side of an offer it prices; a fault often takes one side only."""


def figures(quotes: pl.DataFrame, registers: Registers) -> pl.DataFrame:
    """Return the comparable figure of each quote.

    Args:
        quotes: ``schemas.Quote`` rows of one or more sources.
        registers: reviewed lines; they say which listings are the same good, whose a seller is,
            and how many GPUs a machine has whose source does not say.

    Returns:
        One row per quote in the same order: ``row`` (its place), the offer key, ``currency``,
        ``observed_at``, ``effective_from``, ``effective_to``, ``text``, ``nano`` (1e-9 of the
        currency per million tokens or GPU-hour; zero stays zero; null where the row is not offered
        or its figure is none), ``is_below_zero``, ``instrument_id`` (null: not followed), ``owner``
        (legal group, else the seller as spelled), ``gpus`` (stated or reviewed; null: unknown).
    """
    rows = identified(quotes.with_row_index("row"), registers).with_columns(
        pl.when(pl.col("status") == "offered").then("price_text").alias("text"),
        pl.coalesce("gpu_count", "reviewed_gpus").cast(pl.Int32).alias("gpus"),
    )
    asked = ["text", "quoted_unit", "gpus"]
    told = rows.filter(pl.col("text").is_not_null()).select(asked).unique(maintain_order=True)
    nano = pl.Series("nano", [_nano(*each) for each in told.rows()], dtype=pl.Int64)
    rows = rows.join(
        told.with_columns(nano), on=asked, how="left", nulls_equal=True, maintain_order="left"
    )
    return rows.select(
        "row",
        *KEY,
        "currency",
        "observed_at",
        "effective_from",
        "effective_to",
        "text",
        pl.when(pl.col("nano") >= 0).then("nano").alias("nano"),
        (pl.col("nano") < 0).fill_null(False).alias("is_below_zero"),
        "instrument_id",
        "owner",
        "gpus",
    )


def identified(offers: pl.DataFrame, registers: Registers) -> pl.DataFrame:
    """Return offers with what reviewed lines say of them (rulebook 2.2).

    Adds ``instrument_id`` (null: not followed), ``owner`` (the legal group, else the seller as
    spelled) and ``reviewed_gpus`` (null: no line says).
    """
    lines = registers.listings
    exact = lines.filter(pl.col("spelling") != "*").select(
        "source",
        pl.col("spelling").alias("provider"),
        "listing_id",
        pl.col("instrument_id").alias("own_id"),
        pl.col("gpu_count").alias("own_gpus"),
    )
    anyone = lines.filter(pl.col("spelling") == "*").select(
        "source",
        "listing_id",
        pl.col("instrument_id").alias("any_id"),
        pl.col("gpu_count").alias("any_gpus"),
    )
    sellers = registers.providers.select("source", pl.col("spelling").alias("provider"), "group")
    return (
        offers.join(
            exact, on=["source", "provider", "listing_id"], how="left", maintain_order="left"
        )
        .join(anyone, on=["source", "listing_id"], how="left", maintain_order="left")
        .join(sellers, on=["source", "provider"], how="left", maintain_order="left")
        .with_columns(
            pl.coalesce("own_id", "any_id").alias("instrument_id"),
            pl.coalesce("group", "provider").alias("owner"),
            pl.coalesce("own_gpus", "any_gpus").alias("reviewed_gpus"),
        )
        .drop("own_id", "any_id", "group", "own_gpus", "any_gpus")
    )


def _nano(text: str, unit: str, gpus: int | None) -> int | None:
    """Return the figure in nano, -1 for one below zero, None for one that is none."""
    try:
        # An unknown number of GPUs does not stop a comparison of a machine with itself.
        return to_nano(text, unit, gpus or (1 if unit in INSTANCE_UNITS else None))[0]
    except PriceError as error:
        return -1 if error.reason == "NEGATIVE_PRICE" else None


def standing(rows: pl.DataFrame, at: datetime) -> pl.DataFrame:
    """Return the row of each offer that holds at a moment: its newest, neither over nor to come.

    Of several rows of one moment the lowest price stands, as everywhere (rulebook 2.4).

    Args:
        rows: the output of :func:`figures`.
        at: the moment, naive UTC.
    """
    begun = pl.col("effective_from").is_null() | (pl.col("effective_from") <= at)
    holds = pl.col("effective_to").is_null() | (pl.col("effective_to") > at)
    return (
        rows.filter(pl.col("nano").is_not_null() & begun & holds)
        .with_columns(pl.coalesce("effective_from", "observed_at").alias("since"))
        .sort("since", "observed_at", -pl.col("nano"), "row")
        .unique(KEY, keep="last", maintain_order=True)
        .drop("since")
        # the order of a body's rows decides nothing
        .sort(KEY, nulls_last=True)
    )


def signed(now: str, was: str) -> pl.Expr:
    """Return a ratio in thousandths, negative for a fall, of two columns of positive nano.

    Prices are at most 1e15 nano (rulebook 3.4), so the product stays below 2**63.
    """
    up, down = pl.col(now), pl.col(was)
    rise = up * 1000 // down
    fall = down * 1000 // up
    return pl.when(up >= down).then(rise).otherwise(-fall)


def is_near(ratio: pl.Expr, of: Fraction, part: int) -> pl.Expr:
    """Return whether a ratio in thousandths is within one part in ``part`` of a factor or its
    inverse, in the direction that the factor says (above one: a rise)."""
    size = of if of >= 1 else 1 / of
    exact = int(size * 1000)
    far = (ratio.abs() - exact).abs() * part <= exact
    return far & ((ratio > 0) if of >= 1 else (ratio < 0))


def is_whole(ratio: pl.Expr, part: int, most: int = 16) -> pl.Expr:
    """Return whether a ratio is a whole factor from 2 to ``most``, up or down."""
    size = ratio.abs()
    nearest = (size + 500) // 1000
    close = (size - nearest * 1000).abs() * part <= nearest * 1000
    return nearest.is_between(2, most) & close


def is_power(ratio: pl.Expr, part: int) -> pl.Expr:
    """Return whether a ratio is a power of ten from 10 to 1e9, up or down."""
    size = ratio.abs()
    return pl.any_horizontal(
        (size - 10**k * 1000).abs() * part <= 10**k * 1000 for k in range(1, 10)
    )


def is_any(ratio: pl.Expr, factors: Sequence[Fraction], part: int) -> pl.Expr:
    """Return whether a ratio is one of some factors or one of their inverses."""
    near = [is_near(ratio, each, part) for f in factors for each in (f, 1 / f)]
    return pl.any_horizontal(near) if near else pl.lit(False)
