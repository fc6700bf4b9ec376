"""Listings of a marketplace to one price of its depth (rulebook 4.5).

A marketplace shows asks, and one machine stands there in several sizes: eight GPUs, four, two, one.
Counting listings counts the machine four times, and the median ask is what nobody has taken. So
listings are first reduced to machines, machines to hosts, and the price is that of the cheapest
GPUs a buyer could have at once.

Integers throughout: prices in nano-units per GPU-hour, counts of GPUs. Frames in, frames out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import polars as pl

from methodology.units import MAX_PRICE_NANO

MAX_GPUS: Final = 10**6
"""GPUs of one listing, at most: keeps every sum of price by GPUs inside 128 bits."""

STATUSES: Final = ("PRICED", "FEW_GPUS", "FEW_HOSTS")
"""What a market gave: a price, or too little to have one (GPUs are tested first)."""


@dataclass(frozen=True, slots=True)
class Depth:
    """How deep a market is looked into (rulebook 4.5, table ``marketplace`` of the parameters).

    ``max_depth_gpus`` and ``depth_share``: D is the smaller of the first and this share of the
    verified GPUs on offer, cut to whole GPUs. ``host_cap``: one host gives at most this share of
    the D GPUs, cut to whole GPUs. ``min_gpus``, ``min_hosts``: below them there is no price.
    """

    max_depth_gpus: int = 64
    depth_share: Fraction = Fraction(1, 2)
    min_gpus: int = 16
    min_hosts: int = 4
    host_cap: Fraction = Fraction(1, 4)


def machines(listings: pl.DataFrame, by: Sequence[str] = ()) -> pl.DataFrame:
    """Return one row per machine: the listing that offers the most of it.

    Args:
        listings: ``listing_id``, ``machine_id`` (null: the host is one machine), ``host_id``,
            ``gpus`` (1 or more), ``price_nano`` (per GPU-hour, 0 or more), and the columns of
            ``by``. A column ``is_verified``, if there, drops the rows where it is not true.
        by: columns that separate markets, for example the partition and the GPU.

    Returns:
        ``by``, ``host_id``, ``machine_id``, ``listing_id``, ``gpus``, ``price_nano``,
        ``listings`` (how many listings stood for the machine), sorted by these in this order. Of
        several listings the one with the most GPUs stands, then the cheaper, then the lower
        listing id.

    Raises:
        ValueError: a host, count or price is missing or out of bounds; the message names the row.
    """
    if "is_verified" in listings.columns:
        listings = listings.filter(pl.col("is_verified"))
    gpus, price = pl.col("gpus").cast(pl.Int64), pl.col("price_nano").cast(pl.Int64)
    bad = listings.filter(
        pl.col("host_id").is_null()
        | ~gpus.is_between(1, MAX_GPUS).fill_null(False)
        | ~price.is_between(0, MAX_PRICE_NANO).fill_null(False)
    )
    if bad.height:
        row = bad.row(0, named=True)
        raise ValueError(
            f"listing {row['listing_id']!r}: host {row['host_id']!r}, gpus {row['gpus']!r}, "
            f"price_nano {row['price_nano']!r}: a host, 1 to {MAX_GPUS} GPUs and a price are needed"
        )
    owner = [*by, "host_id", "machine_id"]
    return (
        listings.with_columns(gpus.alias("gpus"), price.alias("price_nano"))
        .sort("gpus", "price_nano", "listing_id", descending=[True, False, False])
        .group_by(owner, maintain_order=True)
        .agg(
            pl.col("listing_id", "gpus", "price_nano").first(),
            pl.len().cast(pl.Int64).alias("listings"),
        )
        .sort(*owner, nulls_last=False)
    )


def hosts(listings: pl.DataFrame, by: Sequence[str] = ()) -> pl.DataFrame:
    """Return one row per host: its GPUs, and what they cost together.

    Args:
        listings: as for :func:`machines`.
        by: as for :func:`machines`.

    Returns:
        ``by``, ``host_id``, ``machines``, ``gpus``, ``price_nano`` (mean per GPU over its machines,
        rounded half up once), sorted by the first two.
    """
    owner = [*by, "host_id"]
    gpus = pl.col("gpus").cast(pl.Int128)
    total = (pl.col("price_nano").cast(pl.Int128) * gpus).sum()
    mean = (2 * total + gpus.sum()) // (2 * gpus.sum())
    return (
        machines(listings, by)
        .group_by(owner, maintain_order=True)
        .agg(
            pl.len().cast(pl.Int64).alias("machines"),
            pl.col("gpus").sum(),
            mean.cast(pl.Int64).alias("price_nano"),
        )
        .sort(*owner)
    )


def depth_prices(
    listings: pl.DataFrame, by: Sequence[str] = (), depth: Depth | None = None
) -> pl.DataFrame:
    """Return the price of each market: the mean of its cheapest GPUs, no host having too many.

    From the cheapest machine upwards (ties: host, then machine, in order of their ids) GPUs are
    taken until D are reached; a machine may be taken in part, and of one host at most
    ``floor(host_cap * D)`` GPUs. Where so few are left that D cannot be reached, the price is the
    mean of those.

    Args:
        listings: as for :func:`machines`.
        by: columns that separate markets; without any, all rows are one market.
        depth: the parameters; ``None`` stands for those of rulebook 4.5.

    Returns:
        One row per market, sorted by ``by``: ``hosts``, ``gpus`` (on offer, each machine once),
        ``depth_gpus`` (D), ``priced_gpus`` (taken), ``price_nano`` (rounded half up once; null
        without a price) and ``status``, one of :data:`STATUSES`. No listing gives no row.

    Raises:
        ValueError: as :func:`machines`.
    """
    rule = depth or Depth()
    market = list(by) or ["_market"]
    rows = machines(listings, by)
    if not by:
        rows = rows.with_columns(pl.lit(0, dtype=pl.Int64).alias("_market"))
    gpus = pl.col("gpus")
    share, cap = rule.depth_share, rule.host_cap
    rows = rows.with_columns(
        gpus.sum().over(market).alias("all_gpus"),
        pl.col("host_id").n_unique().over(market).cast(pl.Int64).alias("hosts"),
    )
    part = pl.col("all_gpus") * share.numerator // share.denominator
    rows = rows.with_columns(
        pl.min_horizontal(part, pl.lit(rule.max_depth_gpus, dtype=pl.Int64)).alias("depth_gpus")
    ).with_columns((pl.col("depth_gpus") * cap.numerator // cap.denominator).alias("host_limit"))
    rows = rows.sort(*market, "price_nano", "host_id", "machine_id", nulls_last=False)
    before = gpus.cum_sum().over([*market, "host_id"]) - gpus
    rows = rows.with_columns(
        (pl.col("host_limit") - before).clip(lower_bound=0).alias("room")
    ).with_columns(pl.min_horizontal("gpus", "room").alias("allowed"))
    taken_before = pl.col("allowed").cum_sum().over(market) - pl.col("allowed")
    left = (pl.col("depth_gpus") - taken_before).clip(lower_bound=0)
    rows = rows.with_columns(pl.min_horizontal("allowed", left).alias("taken"))
    taken = pl.col("taken").sum().cast(pl.Int128)
    cost = (pl.col("price_nano").cast(pl.Int128) * pl.col("taken").cast(pl.Int128)).sum()
    status = (
        pl.when(pl.col("gpus") < rule.min_gpus)
        .then(pl.lit("FEW_GPUS"))
        .when((pl.col("hosts") < rule.min_hosts) | (pl.col("priced_gpus") == 0))
        .then(pl.lit("FEW_HOSTS"))
        .otherwise(pl.lit("PRICED"))
    )
    found = (
        rows.group_by(market, maintain_order=True)
        .agg(
            pl.col("hosts").first(),
            pl.col("all_gpus").first().alias("gpus"),
            pl.col("depth_gpus").first(),
            pl.col("taken").sum().alias("priced_gpus"),
            ((2 * cost + taken) // pl.when(taken > 0).then(2 * taken))
            .cast(pl.Int64)
            .alias("price_nano"),
        )
        .with_columns(status.alias("status"))
        .with_columns(pl.when(pl.col("status") == "PRICED").then(pl.col("price_nano")))
        .sort(market)
    )
    return found if by else found.drop("_market")
