"""What the CSV bodies of the GPU sources share: strict reading; rows kept and rows refused.

Nothing here knows a provider. A caller reads a table of text columns, adds the columns of
``methodology.schemas.Quote`` and a nullable ``reason`` and ``detail``, and gets a ``Parsed`` back
in which each row is a quote (no reason) or a rejection (a reason).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

import polars as pl

from collectors.base import Capture, Parsed
from collectors.csv_tables import read_text
from collectors.times import FIRST, LAST, days
from collectors.visible import no_name, shown_texts
from methodology import schemas
from methodology.errors import ParseError, PriceError

DECIMAL = r"^[0-9]{1,20}(\.[0-9]{0,40})?([eE][+-]?[0-9]{1,2})?$"
"""A plain decimal, as ``methodology.units.exact`` takes it."""

DAY = timedelta(days=1)

ZERO = r"^0+(\.0*)?([eE][+-]?[0-9]{1,2})?$"


def read_csv(capture: Capture, body: bytes, columns: Sequence[str]) -> pl.DataFrame:
    """Return a CSV body as text columns, null where a field is empty.

    Args:
        capture: names the source in messages.
        body: the CSV with its header line first.
        columns: columns that must be there; others are kept.

    Raises:
        ParseError: ``NOT_CSV`` when lines are ragged, truncated or not UTF-8; ``COLUMNS`` when a
            needed column is missing; ``EMPTY`` when there is no row.
    """
    rows = read_text(capture, body)
    missing = [name for name in columns if name not in rows.columns]
    if missing:
        raise ParseError(
            capture.source,
            "COLUMNS",
            f"column {missing[0]!r} is missing; got {rows.columns[:8]}; compare with the provider's"
            " documentation and review the column map",
        )
    if rows.is_empty():
        raise ParseError(capture.source, "EMPTY", "the table has a header and no row")
    # A quoted empty field ("") is as empty as an unquoted one.
    return rows.with_columns(pl.all().replace("", None))


def price_reason(column: str) -> pl.Expr:
    """Return the reason a price text is refused, null when it is a positive plain decimal.

    Reasons: ``NO_PRICE`` (empty field), ``NEGATIVE_PRICE``, ``NOT_A_NUMBER``, ``ZERO_PRICE``: zero
    in a price table means "not offered", never "free".
    """
    text = pl.col(column)
    return (
        pl.when(text.is_null() | (text == ""))
        .then(pl.lit("NO_PRICE"))
        .when(text.str.contains(r"^-[0-9.]"))
        .then(pl.lit("NEGATIVE_PRICE"))
        .when(~text.str.contains(DECIMAL))
        .then(pl.lit("NOT_A_NUMBER"))
        .when(text.str.contains(ZERO))
        .then(pl.lit("ZERO_PRICE"))
    )


def detail_of(error: PriceError) -> str:
    """Return the words of a refused figure without its reason code, which has its own column."""
    return str(error).removeprefix(f"{error.reason}: ")


def day_utc(column: str) -> pl.Expr:
    """Return an ISO date column as the first moment of that day in UTC, null when it is no date."""
    return days(pl.col(column)).cast(pl.Datetime("us"))


def refuse_duplicates(rows: pl.DataFrame, key: Sequence[str], price: str) -> pl.DataFrame:
    """Mark all but one row of each key among the rows that have no ``reason`` yet.

    A new customer can buy at the lowest of several posted prices, so the cheapest is kept, the
    first of them in body order. The others become ``DUPLICATE_ROW`` (the same price text) or
    ``DUPLICATE_LISTING`` (a dearer one). Row order is unchanged.
    """
    is_open = pl.col("reason").is_null()
    # Ranking compares decimals exactly; ties fall to body order.
    ranked = rows.with_row_index("_at").with_columns(
        pl.when(is_open).then(pl.col(price).cast(pl.Decimal(38, 15), strict=False)).alias("_price")
    )
    best = (
        ranked.filter(is_open)
        .sort([*key, "_price", "_at"], nulls_last=True)
        .group_by(list(key), maintain_order=True)
        .agg(pl.col("_at").first().alias("_kept"), pl.col(price).first().alias("_kept_price"))
    )
    joined = ranked.join(best, on=list(key), how="left", nulls_equal=True).sort("_at")
    is_extra = pl.col("reason").is_null() & (pl.col("_at") != pl.col("_kept"))
    same = pl.col(price) == pl.col("_kept_price")
    return joined.with_columns(
        pl.when(is_extra & same)
        .then(pl.lit("DUPLICATE_ROW"))
        .when(is_extra)
        .then(pl.lit("DUPLICATE_LISTING"))
        .otherwise(pl.col("reason"))
        .alias("reason"),
        pl.when(is_extra)
        .then(pl.format("{} {}; the row at {} is kept", pl.lit(price), price, "_kept_price"))
        .otherwise(pl.col("detail"))
        .alias("detail"),
    ).drop("_at", "_price", "_kept", "_kept_price")


def split(capture: Capture, rows: pl.DataFrame) -> Parsed:
    """Return the rows without a ``reason`` as quotes and the others as rejections, in body order.

    Columns of ``Quote`` that ``rows`` lacks are null. ``source`` and ``capture_sha256`` are filled
    from the capture. Refused here: ``MALFORMED_ROW`` for a name that is none
    (``collectors.visible``), ``BAD_DATE`` for a moment outside the years a price can be of
    (``collectors.times``), ``SEEN_IN_FUTURE`` for what is later than the day after the fetching.
    """
    schema = schemas.schema_of(schemas.Quote)
    filled = rows.with_columns(
        pl.lit(capture.source).alias("source"), pl.lit(capture.sha256).alias("capture_sha256")
    )
    absent = [pl.lit(None, dtype=schema[n]).alias(n) for n in schema if n not in filled.columns]
    is_open = pl.col("reason").is_null()
    is_odd = no_name("provider") | no_name("listing_id") | no_name("region")
    is_dated = pl.all_horizontal(
        pl.col(column).dt.date().is_between(FIRST, LAST).fill_null(value=True)
        for column in ("observed_at", "effective_from", "effective_to")
    )
    filled = filled.with_columns(absent).with_columns(
        pl.when(is_open & is_odd)
        .then(pl.lit("MALFORMED_ROW"))
        .when(is_open & ~is_dated)
        .then(pl.lit("BAD_DATE"))
        .when(is_open & (pl.col("observed_at") > capture.observed_at + DAY))
        .then(pl.lit("SEEN_IN_FUTURE"))
        .otherwise("reason")
        .alias("reason")
    )
    quotes = filled.filter(pl.col("reason").is_null()).select(
        pl.col(name).cast(dtype) for name, dtype in schema.items()
    )
    refused = filled.filter(pl.col("reason").is_not_null()).select(
        pl.col("source"),
        shown_texts(pl.col("provider")).alias("provider"),
        shown_texts(pl.col("listing_id")).alias("listing_id"),
        pl.lit("parse").alias("stage"),
        pl.col("reason"),
        shown_texts(pl.col("detail")).str.slice(0, 500).alias("detail"),
        pl.col("capture_sha256"),
    )
    return Parsed(
        quotes=schemas.validate(schemas.Quote, quotes, capture.source),
        rejections=schemas.validate(schemas.Rejection, refused, capture.source),
    )


def dated_instances(
    capture: Capture,
    columns: Sequence[str],
    provider: str,
    listing: str,
    tenor_of_price: Mapping[str, str],
) -> Parsed:
    """Return quotes from a table of dated instance prices, a mirror in history mode (tier E4).

    Args:
        capture: the CSV body.
        columns: columns it must have, among them ``date`` and ``region``.
        provider: the seller, the same in each row.
        listing: column with the seller's machine type.
        tenor_of_price: price column to the tenor it prices. An empty field in any but the first is
            no offer; an empty field in the first is refused as ``NO_PRICE``.

    Each price field is one row; ``observed_at`` is 00:00 UTC of ``date``. ``gpu_count`` is null.
    One quote per day, region, machine and tenor; of several the cheapest is kept.
    """
    table = read_csv(capture, capture.body, columns)
    first = next(iter(tenor_of_price))
    rows = (
        table.with_row_index("_row")
        .unpivot(list(tenor_of_price), index=["_row", "date", "region", listing])
        .filter(pl.col("value").is_not_null() | (pl.col("variable") == first))
        .sort("_row", maintain_order=True)
        .with_columns(
            pl.col("variable").replace_strict(dict(tenor_of_price)).alias("tenor"),
            pl.col("value").alias("price_text"),
            day_utc("date").alias("observed_at"),
        )
        .with_columns(
            pl.when(pl.col("observed_at").is_null())
            .then(pl.lit("BAD_DATE"))
            .when(pl.col(listing).is_null() | pl.col("region").is_null())
            .then(pl.lit("MALFORMED_ROW"))
            .otherwise(price_reason("price_text"))
            .alias("reason"),
            pl.format(
                "date {} region {} {} {}",
                pl.col("date").fill_null("empty"),
                pl.col("region").fill_null("empty"),
                "variable",
                pl.col("value").fill_null("empty"),
            ).alias("detail"),
            pl.lit(provider).alias("provider"),
            pl.col(listing).alias("listing_id"),
            pl.lit("GPU_H").alias("meter"),
            pl.lit("per_instance_hour").alias("quoted_unit"),
            pl.lit("USD").alias("currency"),
            pl.lit(False).alias("is_official_date"),
            pl.lit("offered").alias("status"),
            pl.lit("E4").alias("tier"),
        )
    )
    key = ["observed_at", "region", "listing_id", "tenor"]
    return split(capture, refuse_duplicates(rows, key, "price_text"))
