"""A body whose prices all changed by one whole factor changed its unit (rulebook 2.10).

A price list that turns from the price of a machine to the price of one of its GPUs, or back,
moves every seller at once. The crowd would release each of those jumps (6.2), and nobody would
differ from the others (6.3), so it is caught where two bodies of one source can be compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

import polars as pl

from methodology.parameters import Methodology
from methodology.units import GPU_UNITS

FACTORS = range(2, 17)
"""Whole factors that the GPUs of one machine can explain."""

TOLERANCE = Fraction(1, 200)
"""How far a listing's own change may be from the whole factor."""

MIN_SELLERS = 3
"""Fewer sellers with prices in both bodies show nothing."""

_OFFER = ["provider", "listing_id", "meter", "tenor", "region", "gpu_count", "quoted_unit"]


def without_shifted(quotes: pl.DataFrame, rules: Methodology) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return quotes with the GPU prices of shifted bodies taken out, and a rejection for each.

    Args:
        quotes: ``schemas.Quote`` rows of any sources, any order; ``capture_sha256`` is the body.
        rules: the version in force; 1.0.0 has no such rule.

    Returns:
        The same rows in the same order, those refused without a price and of status ``unknown``;
        ``schemas.Rejection`` rows with ``UNIT_SHIFT`` and the factor, one per refused price.
    """
    priced = quotes.filter(
        pl.col("quoted_unit").is_in(list(GPU_UNITS)) & pl.col("price_text").is_not_null()
    )
    factors: dict[tuple[str, str], str] = {}
    if rules.version != "1.0.0":
        for (source,), rows in priced.group_by("source", maintain_order=True):
            for body, factor in _shifted(rows):
                factors[str(source), body] = factor
    told = pl.DataFrame(
        [(source, body, factor) for (source, body), factor in sorted(factors.items())],
        schema={"source": pl.String, "capture_sha256": pl.String, "factor": pl.String},
        orient="row",
    )
    marked = quotes.join(
        told, on=["source", "capture_sha256"], how="left", maintain_order="left"
    ).with_columns(
        (
            pl.col("factor").is_not_null()
            & pl.col("quoted_unit").is_in(list(GPU_UNITS))
            & pl.col("price_text").is_not_null()
        ).alias("hit")
    )
    rejections = marked.filter("hit").select(
        "source",
        "provider",
        "listing_id",
        pl.lit("normalise").alias("stage"),
        pl.lit("UNIT_SHIFT").alias("reason"),
        pl.format(
            "price_text {}: more than half of the body's prices are {} those of the body before",
            "price_text",
            "factor",
        ).alias("detail"),
        "capture_sha256",
    )
    kept = marked.with_columns(
        pl.when(~pl.col("hit")).then("price_text").alias("price_text"),
        pl.when("hit").then(pl.lit("unknown")).otherwise("status").alias("status"),
    )
    return kept.select(quotes.columns), rejections


def _shifted(rows: pl.DataFrame) -> Iterator[tuple[str, str]]:
    """Yield the bodies of one source that are in another unit than the last one that was not."""
    before: Mapping[tuple[Any, ...], Fraction] = {}
    by_body = rows.group_by("capture_sha256", maintain_order=True).agg(
        pl.col("observed_at").max().alias("at")
    )
    for body in by_body.sort("at", "capture_sha256")["capture_sha256"]:
        mine = rows.filter(pl.col("capture_sha256") == body).sort("observed_at")
        now = _prices(mine)
        factor = _common_factor(before, now)
        if factor:
            yield body, factor
        else:
            before = now


def _prices(rows: pl.DataFrame) -> dict[tuple[Any, ...], Fraction]:
    found: dict[tuple[Any, ...], Fraction] = {}
    for *offer, text in rows.select(*_OFFER, "price_text").iter_rows():
        try:
            price = Fraction(text)
        except (ValueError, ZeroDivisionError):  # refused later, with its own reason
            continue
        if price > 0:
            found[tuple(offer)] = price
    return found


def _common_factor(
    before: Mapping[tuple[Any, ...], Fraction], now: Mapping[tuple[Any, ...], Fraction]
) -> str:
    """Return the factor that more than half of the common offers share, in words, or ``""``."""
    common = [offer for offer in now if offer in before]
    if len({offer[0] for offer in common}) < MIN_SELLERS:
        return ""
    counts: Counter[str] = Counter()
    for offer in common:
        up = now[offer] / before[offer]
        for change, words in ((up, "{} times"), (1 / up, "1/{} of")):
            nearest = round(change)
            if nearest in FACTORS and abs(change - nearest) <= TOLERANCE * nearest:
                counts[words.format(nearest)] += 1
    for words, count in counts.most_common(1):
        if 2 * count > len(common):
            return words
    return ""
