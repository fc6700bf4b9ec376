"""Which offers may count in an index, and why others may not (rulebook 2.2, 2.5 to 2.9, 4.5)."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import polars as pl

from methodology.definition import Methodology, RateDefinition
from methodology.representative import PriceTable
from methodology.rights import Rights, refusal

SETTLEMENT_TIERS = ("E1", "E2", "E3")
"""Evidence a settlement print admits by itself; E4 would need an E3 beside it (rulebook 2.5)."""


def refusals(definition: RateDefinition, rules: Methodology | None, rights: Rights) -> pl.Expr:
    """Return the first reason for which an offer cannot count, null if none."""
    reason: Any = pl.when(~pl.col("provider_class").is_in(definition.classes)).then(
        pl.format("CLASS_{}", pl.col("provider_class").str.to_uppercase())
    )
    if definition.regions:
        reason = reason.when(~pl.col("region").is_in(definition.regions).fill_null(False)).then(
            pl.lit("REGION_NOT_IN_INDEX")
        )
    if rules and rules.evidence and rules.evidence.needs_right:
        for source in definition.sources:
            code = refusal(source, definition.admission, rights)
            if code:
                reason = reason.when(pl.col("source") == source).then(pl.lit(code))
    if definition.admission == "settlement":
        reason = reason.when(~pl.col("tier").is_in(SETTLEMENT_TIERS)).then(
            pl.format("EVIDENCE_{}_NOT_ADMISSIBLE", pl.col("tier"))
        )
    if rules and rules.marketplace and "MKT" in definition.classes:
        deep = [s for s in definition.sources if s in rights and rights[s].depth]
        reason = reason.when(~pl.col("source").is_in(deep)).then(pl.lit("NO_VERIFIED_DEPTH"))
    if rules and rules.spot and definition.tenor == "spot":
        reason = reason.when(pl.col("is_administered")).then(pl.lit("SPOT_ADMINISTERED"))
    told: pl.Expr = reason.otherwise(None)
    return told


def against_on_demand(
    rows: pl.DataFrame, table: PriceTable, definition: RateDefinition, meter: str, share: Fraction
) -> pl.DataFrame:
    """Return spot offers, ``is_administered`` where the price is this very share of on-demand."""
    same = ["day", "source", "provider", "region", "gpu_count"]
    posted = table.select(
        (pl.col("instrument_id") == definition.instrument)
        & (pl.col("tenor") == "on_demand")
        & pl.col("source").is_in(definition.sources),
        meter,
    ).select(*same, pl.col("price_nano").alias("on_demand_nano"))
    fixed = (
        rows.with_row_index("row")
        .join(posted, on=same, how="inner", nulls_equal=True)
        .filter(
            pl.col("price_nano") * share.denominator == pl.col("on_demand_nano") * share.numerator
        )["row"]
        .unique()
    )
    numbered = rows.with_row_index("row")
    is_fixed = pl.col("row").is_in(fixed.implode()).alias("is_administered")
    return numbered.with_columns(is_fixed).drop("row")


def outranked(rows: pl.DataFrame) -> pl.DataFrame:
    """Return offers, those refused whose group shows better evidence that day (rulebook 2.6)."""
    is_free = pl.col("reason").is_null()
    best = pl.col("tier").filter(is_free).min().over("day", "group")
    worse = (is_free & (pl.col("tier") > best)).fill_null(False)
    return rows.with_columns(
        pl.when(worse).then(pl.lit("OUTRANKED")).otherwise("reason").alias("reason")
    )
