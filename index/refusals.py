"""Prices that the guards refused, as rows: what a manifest cites and an intake applies (2.11)."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from methodology.guards.figures import KEY, KEY_TYPES

REFUSALS: dict[str, pl.DataType] = {
    "captured_at": pl.Datetime("us"),
    "capture_sha256": pl.String(),
    **KEY_TYPES,
    "price_text": pl.String(),
    "reason": pl.String(),
    "detail": pl.String(),
}
"""One refused price: the round, the body, the offer, the figure, the reason in code and words."""


def applied(
    quotes: pl.DataFrame, refusals: pl.DataFrame, captured_at: datetime | None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return quotes without the refused prices, and a rejection for each of them.

    Args:
        quotes: ``schemas.Quote`` rows of one capture, or those that depth made of several.
        refusals: :data:`REFUSALS` rows of any captures.
        captured_at: the capture's time; None: each row's own ``observed_at``, as asks have it.

    Returns:
        The same rows in the same order, a refused one without a price and ``unknown``;
        ``schemas.Rejection`` rows of stage ``validate``.
    """
    when = pl.col("observed_at") if captured_at is None else pl.lit(captured_at)
    ask = ["captured_at", "capture_sha256", *KEY, "price_text"]
    told = refusals.select(*ask, "reason", "detail").unique(ask, keep="first", maintain_order=True)
    marked = quotes.with_columns(when.cast(pl.Datetime("us")).alias("captured_at")).join(
        told, on=ask, how="left", nulls_equal=True, maintain_order="left"
    )
    hit = pl.col("reason").is_not_null()
    rejections = marked.filter(hit).select(
        "source",
        "provider",
        "listing_id",
        pl.lit("validate").alias("stage"),
        "reason",
        "detail",
        "capture_sha256",
    )
    kept = marked.with_columns(
        pl.when(~hit).then("price_text").alias("price_text"),
        pl.when(hit).then(pl.lit("unknown")).otherwise("status").alias("status"),
    )
    return kept.select(quotes.columns), rejections
