"""Moves that many offers of a source share (rulebook 2.11, sources and sellers).

If three fifths of the offers moved by one ratio, their median moved by it: so the ratio is found
without trying any, by sorting integers, and counted around the median.
"""

from __future__ import annotations

import polars as pl

from methodology.guards.figures import is_any, is_power, is_whole
from methodology.guards.moves import per_gpu
from methodology.guards.thresholds import Thresholds

SLICES = [
    "source",
    "provider",
    "listing_id",
    "meter",
    "tenor",
    "region",
    "window_start_min",
    "move",
]
"""Offers of one machine in several sizes that moved alike are one witness."""

MACHINE = ["source", "provider", "listing_id", "tenor", "region"]
"""One listing of one seller, in whatever sizes."""

FOUND = {
    "source": pl.String(),
    "provider": pl.String(),
    "side": pl.String(),
    "reason": pl.String(),
    "detail": pl.String(),
    "is_note": pl.Boolean(),
}
"""A shared move: of whom (null: all sellers), of which side (null: all), refused or noted."""


def shared_moves(rows: pl.DataFrame, limits: Thresholds) -> pl.DataFrame:
    """Return the moves that most offers of a source, a side or a seller share.

    Args:
        rows: compared rows (``moves.compared``).
        limits: shares, factors and tolerances.

    Returns:
        Rows of :data:`FOUND`. ``is_note`` marks a uniform move of one seller that no unit and no
        currency explains and that is smaller than a factor of two: it is told, not refused.
    """
    far = (pl.col("size") >= limits.moved) | per_gpu(limits)
    if not rows.select(far.any()).item():  # each way of sharing needs a row that moved
        return pl.DataFrame(schema=FOUND)
    sides = pl.when(pl.col("side") == "cached").then(pl.lit("in")).otherwise("side").alias("side")
    machines = rows.select(MACHINE).unique(maintain_order=True).with_row_index("machine")
    witnesses = (
        rows.unique(SLICES, maintain_order=True)
        .with_columns(sides)
        .join(machines, on=MACHINE, how="left", nulls_equal=True, maintain_order="left")
    )
    found = [
        _shared(witnesses, ["source"], limits),
        _shared(witnesses.filter(pl.col("side").is_in(["in", "out"])), ["source", "side"], limits),
        _shared(witnesses, ["source", "provider"], limits),
        _shared(
            witnesses.filter(pl.col("side").is_in(["in", "out"])),
            ["source", "provider", "side"],
            limits,
        ),
    ]
    return pl.concat(found)


def _shared(rows: pl.DataFrame, by: list[str], limits: Thresholds) -> pl.DataFrame:
    """Return the shared moves of one way of taking offers together."""
    sizes = rows.group_by(by).agg(pl.len().alias("shown"))
    rows = rows.filter(pl.col("move").is_not_null())
    middle = pl.col("move").sort().get((pl.len() - 1) // 2)
    near = (pl.col("move") - pl.col("middle")).abs() * limits.tolerance <= pl.col("middle").abs()
    # A ratio of the machine's own GPUs differs between machines and is one cause all the same.
    each = rows.with_columns(middle.over(by).alias("middle")).with_columns(
        near.alias("near"), per_gpu(limits).alias("per_gpu")
    )
    moved = pl.col("middle").abs() >= limits.moved
    alike = each.group_by(by, maintain_order=True).agg(
        pl.len().alias("all"),
        pl.col("near").sum().alias("same"),
        (pl.col("per_gpu")).sum().alias("gpus"),
        pl.col("machine").filter("near").n_unique().alias("listings"),
        pl.col("machine").filter("per_gpu").n_unique().alias("machines"),
        pl.col("provider").filter("near").n_unique().alias("sellers"),
        pl.col("middle").first(),
        (pl.col("side") == "hour").any().alias("is_gpu"),
        pl.col("is_told").filter("near").sum().alias("told"),
        pl.col("is_confirmed").filter("near").sum().alias("confirmed"),
    )
    n, d = limits.share_numerator, limits.share_denominator
    size = pl.col("middle").abs()
    is_seller = "provider" in by
    whole = pl.col("is_gpu") & is_whole(pl.col("middle"), limits.unit_tolerance)
    power = is_power(pl.col("middle"), limits.tolerance)
    wide = [r for r in limits.rates.values() if r >= 2 or 2 * r <= 1]
    close = list(limits.rates.values())
    currency = is_any(pl.col("middle"), wide if is_seller else close, limits.currency_tolerance)
    unit = whole | power | currency
    many = pl.col("listings") >= limits.many
    if is_seller:
        refused = unit | (many & (size > limits.jump))
    else:
        refused = (
            unit
            | (many & (size >= limits.uniform))
            | (size > limits.jump)
            | (pl.col("sellers") >= limits.crowd)
        )
    shared = moved & (pl.col("same") * d >= pl.col("all") * n) & (pl.col("listings") >= limits.few)
    known = limits.matched * pl.col("all") >= pl.col("shown")
    machines = (pl.col("gpus") * d >= pl.col("all") * n) & (pl.col("machines") >= limits.few)
    confirmed = (pl.col("told") > 0) & (2 * pl.col("confirmed") >= pl.col("told"))
    told = pl.format("{} of {} matched offers moved by {}/1000", "same", "all", pl.col("middle"))
    seller = pl.col("provider") if is_seller else pl.lit(None, pl.String)
    side = pl.col("side") if "side" in by else pl.lit(None, pl.String)
    return (
        alike.join(sizes, on=by, how="left", maintain_order="left")
        .filter((shared | machines) & known & ~confirmed)
        .with_columns(
            pl.when(machines & ~shared)
            .then(pl.lit("UNIT_SWITCH"))
            .when(currency & ~(whole | power))
            .then(pl.lit("CURRENCY_SWITCH"))
            .when(refused | machines)
            .then(pl.lit("ONE_SIDED" if "side" in by else "UNIT_SWITCH"))
            .otherwise(pl.lit("UNIFORM_MOVE"))
            .alias("reason"),
            told.alias("detail"),
        )
        .select(
            "source",
            seller.alias("provider"),
            side.alias("side"),
            "reason",
            "detail",
            (pl.col("reason") == "UNIFORM_MOVE").alias("is_note"),
        )
    )
