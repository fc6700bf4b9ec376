"""Quotes to observations: mapped, exact, bounded, or refused with a reason (rulebook 2, 6.1).

Nothing is guessed: a seller or listing that no reviewed register line names is refused as
unmapped, a currency that is not pinned is refused, a figure that cannot be exact is refused.
A refused *price* also ends the life of the older price of the same listing: the seller said
something new, even if it cannot be used.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import polars as pl

from methodology import schemas
from methodology.errors import PriceError
from methodology.parameters import Bounds
from methodology.units import GPU_UNITS, NANO, to_nano

CURRENCIES = ("USD", "CNY", "EUR")
"""Currencies with a canonical unit; any other is refused, never converted here."""


@dataclass(frozen=True, slots=True)
class Registers:
    """Reviewed lines as frames.

    ``providers``: source, spelling, provider, group, provider_class, domicile.
    ``listings``: source, spelling (``*`` for any seller), listing_id, instrument_id, gpu_count.
    ``licences``: source, licence_id.
    """

    providers: pl.DataFrame
    listings: pl.DataFrame
    licences: pl.DataFrame


SLICE = 50_000
"""Rows whose texts are held at once while their ids are made."""


def normalise(
    quotes: pl.DataFrame, registers: Registers, bounds: Bounds
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return observations and rejections for quotes; every quote is in at least one of the two.

    Args:
        quotes: ``schemas.Quote`` rows, any order.
        registers: reviewed mapping lines.
        bounds: credible price bounds.

    Returns:
        ``schemas.Observation`` rows in a fixed order, whatever the order of the input, and
        ``schemas.Rejection`` rows. A quote refused for its *price* yields both: a rejection, and
        an observation of status ``unknown`` without price, which ends the older price.
    """
    mapped = _map(quotes, registers)
    unmapped = mapped.filter(pl.col("provider_id").is_null() | pl.col("instrument_id").is_null())
    known = mapped.filter(
        pl.col("provider_id").is_not_null() & pl.col("instrument_id").is_not_null()
    )
    priced = _price(known, bounds)
    refused = priced.filter(pl.col("reason").is_not_null())
    observations = _conflicts(_observations(priced))
    clashes = observations.filter(pl.col("clash") > 1)
    kept = observations.filter(pl.col("clash") == 1).drop("clash")
    rejections = pl.concat(
        [
            _rejections(
                unmapped,
                pl.when(pl.col("provider_id").is_null())
                .then(pl.lit("UNMAPPED_PROVIDER"))
                .otherwise(pl.lit("UNMAPPED_LISTING")),
                pl.format("{} of {}", "listing_id", "provider"),
            ),
            _rejections(refused, pl.col("reason"), pl.col("detail")),
            _rejections(
                clashes,
                pl.lit("CONFLICTING_ROWS"),
                pl.format(
                    "the same or another row stands for this moment; not used: {}",
                    pl.col("price_nano").cast(pl.String).fill_null("no price"),
                ),
            ),
        ]
    )
    order = ["source", "provider", "listing_id", "reason", "detail", "capture_sha256"]
    return kept.select(list(schemas.schema_of(schemas.Observation))), rejections.sort(order)


def _map(quotes: pl.DataFrame, registers: Registers) -> pl.DataFrame:
    providers = registers.providers.select(
        "source",
        pl.col("spelling").alias("provider"),
        pl.col("provider").alias("provider_id"),
        "group",
        "provider_class",
    )
    exact = registers.listings.filter(pl.col("spelling") != "*").rename(
        {"spelling": "provider", "instrument_id": "exact_id", "gpu_count": "exact_gpus"}
    )
    anyone = registers.listings.filter(pl.col("spelling") == "*").drop("spelling")
    anyone = anyone.rename({"instrument_id": "any_id", "gpu_count": "any_gpus"})
    return (
        quotes.join(providers, on=["source", "provider"], how="left")
        .join(exact, on=["source", "provider", "listing_id"], how="left")
        .join(anyone, on=["source", "listing_id"], how="left")
        .join(registers.licences, on="source", how="left")
        .with_columns(
            pl.coalesce("exact_id", "any_id").alias("instrument_id"),
            pl.coalesce("gpu_count", "exact_gpus", "any_gpus").cast(pl.Int32).alias("gpu_count"),
        )
    )


def _price(rows: pl.DataFrame, bounds: Bounds) -> pl.DataFrame:
    keys = ["price_text", "quoted_unit", "gpu_count"]
    offered = rows.filter(pl.col("status") == "offered").select(keys).unique()
    told: list[tuple[int | None, bool, str | None, str | None]] = []
    for text, unit, gpus in offered.rows():  # distinct figures, not rows
        try:
            if text is None:
                raise PriceError("PRICE_MISSING", "an offered row without a price")
            nano, inexact = to_nano(text, unit, gpus)
            low, high = (
                (bounds.gpu_min, bounds.gpu_max)
                if unit in GPU_UNITS
                else (bounds.token_min, bounds.token_max)
            )
            if nano == 0:
                raise PriceError("ZERO_PRICE", f"{text} {unit}: free or not offered, not a price")
            if not low * NANO <= nano <= high * NANO:
                raise PriceError("OUT_OF_BOUNDS", f"{text} {unit} is outside {low} to {high}")
            told.append((nano, inexact, None, None))
        except PriceError as error:
            told.append((None, False, error.reason, error.detail))
    figures = offered.hstack(
        pl.DataFrame(
            told,
            schema={
                "price_nano": pl.Int64,
                "is_inexact": pl.Boolean,
                "reason": pl.String,
                "detail": pl.String,
            },
            orient="row",
        )
    )
    priced = rows.join(figures, on=keys, how="left", nulls_equal=True)
    wrong_currency = ~pl.col("currency").is_in(CURRENCIES)
    refusals = [
        (wrong_currency, "CURRENCY_NOT_PINNED", pl.format("currency {}", "currency")),
        (
            pl.col("tax_included").fill_null(False),
            "TAX_INCLUDED",
            pl.lit("the price includes a tax whose rate no register line states"),
        ),
    ]
    for condition, reason, detail in refusals:
        hit = condition & pl.col("reason").is_null() & (pl.col("status") == "offered")
        priced = priced.with_columns(
            pl.when(hit).then(pl.lit(reason)).otherwise(pl.col("reason")).alias("reason"),
            pl.when(hit).then(detail).otherwise(pl.col("detail")).alias("detail"),
        )
    refused = pl.col("reason").is_not_null()
    return priced.with_columns(
        pl.when(~refused & (pl.col("status") == "offered")).then("price_nano").alias("price_nano"),
        pl.when(refused).then(pl.lit("unknown")).otherwise("status").alias("status"),
        pl.col("is_inexact").fill_null(False),
    )


def _observations(priced: pl.DataFrame) -> pl.DataFrame:
    good = (
        pl.when(pl.col("quoted_unit").is_in(list(GPU_UNITS)))
        .then(pl.lit("gpu_hour"))
        .otherwise(pl.lit("mtok"))
    )
    # A refused row of another currency is in a unit that no index counts.
    known = pl.when(pl.col("currency").is_in(CURRENCIES)).then("currency").otherwise(pl.lit("USD"))
    unit = pl.format("{}_per_{}", known.str.to_lowercase(), good)
    columns = [c for c in schemas.schema_of(schemas.Observation) if c != "observation_id"]
    rows = priced.with_columns(pl.col("provider_id").alias("provider"), unit.alias("unit"))
    rows = rows.select(columns)
    whole = pl.concat_str(
        [pl.col(c).cast(pl.String).fill_null("~") for c in columns], separator="\x1f"
    )
    ids = [
        hashlib.sha256(text.encode()).hexdigest()
        for part in rows.iter_slices(SLICE)
        for text in part.select(whole).to_series().to_list()
    ]
    return rows.with_columns(pl.Series("observation_id", ids, dtype=pl.String))


SERIES = [
    "source",
    "provider",
    "listing_id",
    "instrument_id",
    "meter",
    "unit",
    "tenor",
    "region",
    "gpu_count",
]
"""What makes two observations the same series of one offer (tariff windows apart)."""


def _conflicts(rows: pl.DataFrame) -> pl.DataFrame:
    moment = [*SERIES, "window_start_min", "window_end_min", "effective_from", "observed_at"]
    ordered = rows.sort([*moment, "price_nano", "observation_id"], nulls_last=True)
    return ordered.with_columns(
        pl.int_range(1, pl.len() + 1).over(moment, mapping_strategy="group_to_rows").alias("clash")
    )


def _rejections(rows: pl.DataFrame, reason: pl.Expr, detail: pl.Expr) -> pl.DataFrame:
    return rows.select(
        "source",
        "provider",
        "listing_id",
        pl.lit("normalise").alias("stage"),
        reason.alias("reason"),
        detail.alias("detail"),
        "capture_sha256",
    )
