"""Dated change rows of a catalogue, read from Parquet: one row per listing and change.

Two catalogues keep their past as a table: a row says that from this moment a listing carried these
figures, or was deleted. :func:`parse_changes` turns such a table into quotes, column-wise, keeping
one rule throughout: whenever the catalogue stops giving a figure it once gave, a row of status
``unknown`` or ``withdrawn`` ends it, so that no price outlives its source.

Figures are binary floats; their text is ``repr``, the shortest decimal that reads back as the same
float, which is what the catalogue's authors typed.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import timedelta

import polars as pl
from polars.exceptions import PolarsError
from pyarrow import ArrowException, parquet

from collectors.base import Capture, Parsed
from collectors.times import FIRST, LAST
from collectors.visible import no_name, shown_texts
from methodology import schemas
from methodology.errors import ParseError

STATES = ("ok", "inherited", "deleted", "refused")
"""What a change row says: figures; figures left to another entry; gone; not one of our goods."""

REQUIRED_METERS = ("IN", "OUT")
"""A listing that gives none of these is no longer priced; the other meters are optional."""

DAY = timedelta(days=1)
LEAST, MOST = 1e-30, 1e15
"""Binary figures outside these are bytes gone astray, no prices; nothing is computed with them."""

_KEY = ("provider", "listing_id", "meter")


def read_table(capture: Capture, columns: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """Return the Parquet body with the named columns checked; others are kept.

    Raises:
        ParseError: ``NOT_PARQUET``, or ``SHAPE`` for a missing column or another type.
    """
    try:
        # Arrow's reader raises on a damaged file; the one in Polars 2.1 can panic, and a panic
        # is no Exception: it would end the whole run instead of this source. Arrow looks at the
        # bytes of texts only when asked to, and Polars trusts it.
        columnar = parquet.read_table(io.BytesIO(capture.body))
        columnar.validate(full=True)
        table = pl.DataFrame(columnar)
    except (ArrowException, PolarsError, OSError, ValueError) as error:
        raise ParseError(capture.source, "NOT_PARQUET", f"{capture.url}: {error}") from error
    for name, dtype in columns.items():
        found = table.schema.get(name)
        if found != dtype:
            raise ParseError(
                capture.source,
                "SHAPE",
                f"{capture.url}: column {name!r} is {found}, expected {dtype}; "
                "compare with the documented shape",
            )
    return table


def decimal_text(values: pl.Series) -> pl.Series:
    """Return floats as their shortest round-trip decimal text; null stays null."""
    distinct = values.unique().drop_nulls()
    texts = pl.Series([repr(value) for value in distinct.to_list()], dtype=pl.String)
    return values.replace_strict(distinct, texts, default=None, return_dtype=pl.String)


def parse_changes(
    capture: Capture,
    changes: pl.DataFrame,
    meters: Mapping[str, str],
    unit: str,
    rejections: pl.DataFrame,
) -> Parsed:
    """Return quotes and rejections of dated change rows.

    Args:
        capture: the body the rows came from.
        changes: ``provider``, ``listing_id``, ``observed_at`` (naive UTC), ``state`` (one of
            :data:`STATES`), ``note`` (text for the rejection of a state) and the Float64 columns
            named in ``meters``, in time order.
        meters: column name to meter.
        unit: quoted unit of the figures.
        rejections: rows already refused; columns ``provider``, ``listing_id``, ``reason``,
            ``detail``.

    Returns:
        Quotes in row order, then in the order of ``meters``. A positive figure is ``offered``. A
        zero, negative or absurd figure gives a rejection and a row ``unknown``, and so does an
        absent figure of a required meter (``PRICE_MISSING``, ``PRICE_INHERITED``, once per change
        row); an absent optional figure gives ``unknown`` only where one was known before.
        ``deleted`` gives ``withdrawn`` for every meter known before; when none was, the rejection
        ``NEVER_QUOTED``. ``refused`` gives ``unknown`` for every meter known before. A row whose
        name is none (``collectors.visible``) is ``MALFORMED_ROW``, one later than the day after the
        fetching ``SEEN_IN_FUTURE``, one from before the years a price can be of ``BAD_DATE``
        (``collectors.times``); none of them says anything about an older price.
    """
    odd = (
        pl.when(no_name("provider") | no_name("listing_id"))
        .then(pl.lit("MALFORMED_ROW"))
        .when(pl.col("observed_at") > capture.observed_at + DAY)
        .then(pl.lit("SEEN_IN_FUTURE"))
        .when(pl.col("observed_at") < pl.lit(FIRST))
        .then(pl.lit("BAD_DATE"))
    )
    changes = changes.with_columns(odd.alias("odd"))
    rejections = pl.concat([rejections, _odd_refusals(changes.drop_nulls("odd"))])
    changes = changes.filter(pl.col("odd").is_null())
    long = (
        changes.with_row_index("row")
        .unpivot(
            on=list(meters),
            index=["row", "provider", "listing_id", "observed_at", "state", "note"],
            variable_name="field",
            value_name="value",
        )
        .with_columns(
            pl.col("field").replace_strict(dict(meters), return_dtype=pl.String).alias("meter"),
            pl.col("field")
            .replace_strict({name: i for i, name in enumerate(meters)}, return_dtype=pl.Int32)
            .alias("rank"),
        )
        .sort("row", "rank")
    )
    priced = pl.col("state").is_in(["ok", "inherited"])
    required = pl.col("meter").is_in(REQUIRED_METERS)
    shown = priced & (pl.col("value").is_not_null() | required)
    long = long.with_columns(
        decimal_text(long["value"]).alias("text"),
        shown.cum_max().over(_KEY).alias("known"),
        pl.when(~priced)
        .then(None)
        .when(pl.col("value").is_null() & required)
        .then(
            pl.when(pl.col("state") == "inherited")
            .then(pl.lit("PRICE_INHERITED"))
            .otherwise(pl.lit("PRICE_MISSING"))
        )
        .when(~pl.col("value").is_finite())
        .then(pl.lit("NOT_A_NUMBER"))
        .when(pl.col("value") < 0)
        .then(pl.lit("NEGATIVE_PRICE"))
        .when(pl.col("value") == 0)
        .then(pl.lit("FREE_OFFER"))
        .when(~pl.col("value").is_between(LEAST, MOST))
        .then(pl.lit("NOT_A_NUMBER"))
        .alias("reason"),
    ).with_columns(
        pl.when(pl.col("state") == "deleted")
        .then(pl.when("known").then(pl.lit("withdrawn")))
        .when(pl.col("state") == "refused")
        .then(pl.when("known").then(pl.lit("unknown")))
        .when(pl.col("reason").is_not_null())
        .then(pl.lit("unknown"))
        .when(pl.col("value").is_null())
        .then(pl.when("known").then(pl.lit("unknown")))
        .otherwise(pl.lit("offered"))
        .alias("status")
    )
    return Parsed(
        quotes=_quotes(capture, long.filter(pl.col("status").is_not_null()), unit),
        rejections=rejection_frame(
            capture, pl.concat([rejections, _figure_refusals(long), _row_refusals(long)])
        ),
    )


def _odd_refusals(odd: pl.DataFrame) -> pl.DataFrame:
    """Change rows whose names are none, or whose time none of a price in this body can be.

    A table may hold times that no calendar has: such a time is shown as the number it is.
    """
    at = pl.col("observed_at")
    known = at.is_between(pl.lit(FIRST), pl.lit(LAST))
    shown = (
        pl.when(known).then(at).cast(pl.String),
        pl.format("{} us since 1970", at.dt.epoch("us")),
    )
    return odd.select(
        "provider",
        "listing_id",
        pl.col("odd").alias("reason"),
        pl.format("{} at {}", "state", pl.coalesce(shown)).alias("detail"),
    )


def _figure_refusals(long: pl.DataFrame) -> pl.DataFrame:
    """Figures that are no price, one rejection each."""
    absent = ["PRICE_MISSING", "PRICE_INHERITED"]
    return long.filter(pl.col("reason").is_not_null() & ~pl.col("reason").is_in(absent)).select(
        "provider",
        "listing_id",
        "reason",
        pl.format("{} is {} at {}", "field", "text", "observed_at").alias("detail"),
    )


def _row_refusals(long: pl.DataFrame) -> pl.DataFrame:
    """Change rows without figures, one rejection each."""
    absent = long.filter(pl.col("reason").is_in(["PRICE_MISSING", "PRICE_INHERITED"]))
    gone = long.filter(pl.col("state") == "deleted").group_by("row", maintain_order=True)
    never = gone.agg(pl.all().first(), pl.col("known").any().alias("any")).filter(~pl.col("any"))
    return pl.concat(
        [
            absent.unique("row", keep="first", maintain_order=True).select(
                "provider",
                "listing_id",
                "reason",
                pl.format("no figure at {}: {}", "observed_at", "note").alias("detail"),
            ),
            never.select(
                "provider",
                "listing_id",
                pl.lit("NEVER_QUOTED").alias("reason"),
                pl.format("deleted at {} without a price before", "observed_at").alias("detail"),
            ),
        ]
    )


def field_refusals(changes: pl.DataFrame, fields: Mapping[str, str]) -> pl.DataFrame:
    """Return one refusal per listing and unmeasured price field: field name to reason code."""
    return (
        changes.select("provider", "listing_id", *fields)
        .unpivot(on=list(fields), index=["provider", "listing_id"], variable_name="field")
        .drop_nulls("value")
        .unique(["provider", "listing_id", "field"], keep="first", maintain_order=True)
        .select(
            "provider",
            "listing_id",
            pl.col("field").replace_strict(dict(fields), return_dtype=pl.String).alias("reason"),
            pl.format("{} carries a price", "field").alias("detail"),
        )
    )


def rejection_frame(capture: Capture, refused: pl.DataFrame) -> pl.DataFrame:
    """Return refusals (provider, listing_id, reason, detail) as Rejection rows."""
    return refused.select(
        pl.lit(capture.source).alias("source"),
        shown_texts(pl.col("provider")).alias("provider"),
        shown_texts(pl.col("listing_id")).alias("listing_id"),
        pl.lit("parse").alias("stage"),
        "reason",
        shown_texts(pl.col("detail")).str.slice(0, 500).alias("detail"),
        pl.lit(capture.sha256).alias("capture_sha256"),
    )


def _quotes(capture: Capture, rows: pl.DataFrame, unit: str) -> pl.DataFrame:
    offered = pl.col("status") == "offered"
    given = {
        "source": pl.lit(capture.source),
        "price_text": pl.when(offered).then("text"),
        "quoted_unit": pl.lit(unit),
        "currency": pl.lit("USD"),
        "tenor": pl.lit("on_demand"),
        "is_official_date": pl.lit(False),
        "tier": pl.lit("E4"),
        "capture_sha256": pl.lit(capture.sha256),
    }
    kept = {"provider", "listing_id", "meter", "status", "observed_at"}
    return rows.select(
        (pl.col(name) if name in kept else given.get(name, pl.lit(None))).cast(dtype).alias(name)
        for name, dtype in schemas.schema_of(schemas.Quote).items()
    )
