"""Rows that are shown and not used: those of sources no whole body of which is known.

An unproven source is asked, archived and parsed, so that its first body can be compared with the
seller's page (``spotfix record``). Until a person has done that, not one of its rows may move a
number: each becomes a refusal that says so (rulebook 2.12).
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from collectors.base import Parsed
from methodology import schemas
from methodology.depth import Ask

UNPROVEN = "SOURCE_UNPROVEN"


def withheld(parsed: Parsed) -> Parsed:
    """Return what an unproven source yields: nothing but refusals, one for each of its rows."""
    name = "{} {}"
    told = [
        _refused(parsed.quotes, "provider", "listing_id", pl.format(name, "meter", "price_text")),
        _refused(parsed.asks, "provider", "listing_id", pl.format(name, "market", "price_text")),
        _refused(parsed.volumes, None, "subject", pl.format(name, "meter", "quantity")),
        _refused(parsed.rates, None, "quote", pl.format(name, "base", "rate_text")),
    ]
    return Parsed(
        quotes=schemas.empty(schemas.Quote),
        volumes=schemas.empty(schemas.Volume),
        rates=schemas.empty(schemas.Rate),
        rejections=pl.concat([parsed.rejections, *told]),
        asks=schemas.empty(Ask),
    )


def _refused(rows: pl.DataFrame, provider: str | None, listing: str, what: pl.Expr) -> pl.DataFrame:
    return rows.select(
        "source",
        (pl.col(provider) if provider else pl.lit("")).alias("provider"),
        pl.col(listing).alias("listing_id"),
        pl.lit("eligibility").alias("stage"),
        pl.lit(UNPROVEN).alias("reason"),
        what.fill_null("no price").alias("detail"),
        "capture_sha256",
    )


def admitted(source_id: str, parsed: Parsed, is_proven: Callable[[str], bool]) -> Parsed:
    """Return what a source yields as it is when it is proven, else :func:`withheld`."""
    return parsed if is_proven(source_id) else withheld(parsed)
