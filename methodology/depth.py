"""Asks of a marketplace to the one quote that its depth makes (rulebook 4.5).

A source that shows each machine on offer, with its host, yields *asks*. The asks of one body, good
and tenor are one market; its depth price becomes a quote like any other and lives by the same
rules from there on: a body speaks until the next one, and each hourly partition takes the price
of the body that holds at its end (rulebook 4.1, 4.2). So a marketplace has one representative
price, and its legal group one vote.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandera.polars as pa
import polars as pl

from methodology import marketplace, schemas
from methodology.errors import PriceError
from methodology.parameters import Methodology
from methodology.units import GPU_UNITS, nano_to_text, to_nano

if TYPE_CHECKING:
    from polars import Datetime as UTC  # noqa: N814
else:
    UTC = pl.Datetime("us")

MARKET = ["source", "provider", "market", "tenor", "region", "observed_at"]
"""What separates two markets; one body of a source has one moment."""

KNOWN = ["tier", "capture_sha256"]


class Ask(pa.DataFrameModel):
    """One listing of a marketplace: some GPUs of one machine of one host, at the host's price."""

    class Config:
        """As strict as every frame that crosses a boundary."""

        strict = True
        ordered = True

    source: pl.String = pa.Field(description="id of the source that was read")
    provider: pl.String = pa.Field(description="the marketplace, spelled as the source spells it")
    market: pl.String = pa.Field(description="the marketplace's own name of the good")
    listing_id: pl.String = pa.Field(description="the listing's own id")
    machine_id: pl.String = pa.Field(nullable=True, description="null: the host is one machine")
    host_id: pl.String = pa.Field(description="who lets the machine")
    gpus: pl.Int64 = pa.Field(ge=1, le=1024, description="GPUs of this listing")
    price_text: pl.String = pa.Field(description="the figure, verbatim")
    quoted_unit: pl.String = pa.Field(
        isin=sorted(GPU_UNITS), description="what one price_text buys"
    )
    currency: pl.String = pa.Field(isin=["USD"], description="ISO 4217 code")
    is_verified: pl.Boolean = pa.Field(description="the marketplace vouches for the machine")
    tenor: pl.String = pa.Field(isin=["on_demand", "spot"], description="what is bought")
    region: pl.String = pa.Field(nullable=True, description="region of the market; null: any")
    observed_at: UTC = pa.Field(description="when the source showed this row, UTC")
    tier: pl.String = pa.Field(isin=list(schemas.TIERS), description="evidence tier")
    capture_sha256: pl.String = pa.Field(
        str_matches=r"^[0-9a-f]{64}$", description="digest of the body"
    )


def depth_quotes(asks: pl.DataFrame, rules: Methodology) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return one quote per market and moment that is deep enough, and what was refused.

    Args:
        asks: :class:`Ask` rows, any order.
        rules: the parameters; without a table ``marketplace`` nothing is priced.

    Returns:
        ``schemas.Quote`` rows: ``listing_id`` is the market, ``price_text`` the depth price per
        GPU-hour with nine decimals, status ``offered``; a market that is too thin has a row of
        status ``unknown`` without a price, which ends its older one. ``schemas.Rejection`` rows:
        each ask that is not verified (``NOT_VERIFIED``) or whose price is none, with the code of
        ``units.to_nano``, and each thin market (``FEW_GPUS``, ``FEW_HOSTS``). An ask that entered
        a market stands in its count of GPUs, or behind another listing of its machine.
    """
    if asks.is_empty() or rules.marketplace is None:
        return schemas.empty(schemas.Quote), schemas.empty(schemas.Rejection)
    schemas.validate(Ask, asks, "marketplace")
    priced = asks.hstack(_priced(asks))
    unverified = priced.filter(~pl.col("is_verified"))
    broken = priced.filter(pl.col("is_verified") & pl.col("reason").is_not_null())
    good = priced.filter(pl.col("is_verified") & pl.col("reason").is_null())
    limits = marketplace.Depth(**dict(rules.marketplace))
    found = marketplace.depth_prices(good, MARKET, limits)
    known = good.select(*MARKET, *KNOWN).unique(MARKET, keep="first", maintain_order=True)
    found = found.join(known, on=MARKET, how="left", nulls_equal=True, maintain_order="left")
    thin = found.filter(pl.col("status") != "PRICED")
    refused = [
        _refused(unverified, "listing_id", pl.lit("NOT_VERIFIED"), pl.format("{}", "market")),
        _refused(broken, "listing_id", pl.col("reason"), pl.col("detail")),
        _refused(
            thin,
            "market",
            pl.col("status"),
            pl.format("{} GPUs of {} hosts", "gpus", "hosts"),
        ),
    ]
    order = ["source", "provider", "listing_id", "reason", "detail", "capture_sha256"]
    return _quotes(found), pl.concat(refused).sort(order)


def _priced(asks: pl.DataFrame) -> pl.DataFrame:
    told: list[tuple[int | None, str | None, str | None]] = []
    for text, unit, gpus in asks.select("price_text", "quoted_unit", "gpus").iter_rows():
        try:
            nano, _ = to_nano(text, unit, gpus)
            if nano == 0:
                raise PriceError("ZERO_PRICE", f"{text} {unit}: free or not offered, not a price")
            told.append((nano, None, None))
        except PriceError as error:
            told.append((None, error.reason, error.detail))
    columns: dict[str, Any] = {"price_nano": pl.Int64, "reason": pl.String, "detail": pl.String}
    return pl.DataFrame(told, schema=columns, orient="row")


def _quotes(found: pl.DataFrame) -> pl.DataFrame:
    rows = [
        {
            "source": row["source"],
            "provider": row["provider"],
            "listing_id": row["market"],
            "meter": "GPU_H",
            "price_text": None if row["price_nano"] is None else nano_to_text(row["price_nano"]),
            "quoted_unit": "per_gpu_hour",
            "currency": "USD",
            "tenor": row["tenor"],
            "region": row["region"],
            "is_official_date": False,
            "status": "unknown" if row["price_nano"] is None else "offered",
            "observed_at": row["observed_at"],
            "tier": row["tier"],
            "capture_sha256": row["capture_sha256"],
        }
        for row in found.sort(MARKET, nulls_last=False).iter_rows(named=True)
    ]
    return schemas.validate(schemas.Quote, schemas.frame(schemas.Quote, rows), "marketplace")


def _refused(rows: pl.DataFrame, listing: str, reason: pl.Expr, detail: pl.Expr) -> pl.DataFrame:
    return rows.select(
        "source",
        "provider",
        pl.col(listing).alias("listing_id"),
        pl.lit("eligibility").alias("stage"),
        reason.alias("reason"),
        detail.alias("detail"),
        "capture_sha256",
    )
