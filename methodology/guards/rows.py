"""Rows that are no price of what they are listed as (rulebook 2.11, rows)."""

from __future__ import annotations

import polars as pl

from methodology.guards.figures import LISTING
from methodology.guards.moves import marked
from methodology.guards.thresholds import Thresholds

PLAIN = r"^[\x21-\x7E\p{Han}](?:[\x20-\x7E\p{Han}]*[\x21-\x7E\p{Han}])?$"
"""Names of printable ASCII and Chinese characters: none of these is drawn like another of them.
Blanks at an end, zero-width marks, accents, full-width and Cyrillic or Greek letters are outside,
and no Unicode normal form would make them equal to the letter they look like."""

SELLER = ["source", "provider", "currency"]
MAKER = [*SELLER, "tenor"]


def confusable() -> pl.Expr:
    """Return an expression: a name of the row can be mistaken for another (any frame of quotes)."""
    return ~(pl.col("provider").str.contains(PLAIN) & pl.col("listing_id").str.contains(PLAIN))


def with_swaps(rows: pl.DataFrame, limits: Thresholds) -> pl.DataFrame:
    """Return compared rows with ``SWAPPED_MODELS`` where two offers exchanged all their prices.

    Both must be of one seller; a list price and an interruptible one may be two listings. A token
    offer must have two meters: single figures meet by chance.
    """
    signature = (
        rows.filter(pl.col("was").is_not_null())
        .sort("meter")
        .group_by(LISTING, maintain_order=True)
        .agg(
            pl.format("{}:{}", "meter", "nano").str.join(" ").alias("now_all"),
            pl.format("{}:{}", "meter", "was").str.join(" ").alias("was_all"),
            pl.col("size").max().alias("most"),
            pl.len().alias("meters"),
            (pl.col("meter") == "GPU_H").any().alias("is_gpu"),
            pl.col("currency").first(),
        )
        .filter((pl.col("most") >= limits.swap) & (pl.col("is_gpu") | (pl.col("meters") >= 2)))
    )
    pair = signature.join(
        signature,
        left_on=[*SELLER, "now_all", "was_all"],
        right_on=[*SELLER, "was_all", "now_all"],
        how="inner",
        suffix="_with",
    ).filter(pl.col("listing_id") != pl.col("listing_id_with"))
    pair = pair.select(*LISTING, pl.col("listing_id_with").alias("twin")).unique(
        LISTING, keep="first", maintain_order=True
    )
    found = rows.join(pair, on=LISTING, how="left", nulls_equal=True, maintain_order="left")
    told = pl.format("its prices are those that {} had, and the reverse", "twin")
    return marked(found, pl.col("twin").is_not_null(), "SWAPPED_MODELS", told).drop("twin")


def with_exchanged(rows: pl.DataFrame, limits: Thresholds) -> pl.DataFrame:
    """Return compared rows with ``SWAPPED_METERS`` where one listing exchanged two of its prices.

    Input became output and output input, or the interruptible price the list price, to the last
    digit: two fields of the source changed places. What another path shows alike stands.
    """
    one = ["source", "provider", "listing_id", "region", "gpu_count", "currency"]
    one += ["window_start_min", "window_end_min"]
    moved = rows.filter((pl.col("size") >= limits.swap) & ~pl.col("is_confirmed"))
    if moved.height < 2:
        return rows
    mine = moved.select(*one, "meter", "tenor", "nano", "was")
    pairs = (
        mine.join(
            mine,
            left_on=[*one, "nano", "was"],
            right_on=[*one, "was", "nano"],
            how="inner",
            nulls_equal=True,
            suffix="_with",
        )
        .filter(
            (pl.col("meter") == pl.col("meter_with")) != (pl.col("tenor") == pl.col("tenor_with"))
        )
        .sort("meter_with", "tenor_with")
        .unique([*one, "meter", "tenor"], keep="first", maintain_order=True)
        .select(*one, "meter", "tenor", twin=pl.format("{} {}", "meter_with", "tenor_with"))
    )
    key = [*one, "meter", "tenor"]
    found = rows.join(pairs, on=key, how="left", nulls_equal=True, maintain_order="left")
    told = pl.format("{} {} has the price that {} had, and the reverse", "meter", "tenor", "twin")
    return marked(found, pl.col("twin").is_not_null(), "SWAPPED_METERS", told).drop("twin")


def with_absurd(rows: pl.DataFrame, limits: Thresholds) -> pl.DataFrame:
    """Return compared rows with ``ABSURD_RATIO`` where output and input contradict each other.

    Some goods that nobody follows have such ratios in earnest (a model whose output tokens are
    pictures), so without a followed good only an offer that had a credible ratio is refused.
    """

    def of(name: str, meter: str) -> pl.Expr:
        return pl.col(name).filter(pl.col("meter") == meter).first().over("offer")

    def ratio(name: str) -> pl.Expr:
        return of(name, "OUT") * 1000 // of(name, "IN")

    credible = {
        name: ratio(name).is_between(limits.out_in_min, limits.out_in_max)
        for name in ("nano", "was")
    }
    hit = ~credible["nano"] & (pl.col("instrument_id").is_not_null() | credible["was"])
    told = pl.format("output is {}/1000 of input", ratio("nano"))
    return marked(rows, hit & (pl.col("meter") == "OUT"), "ABSURD_RATIO", told)


def with_placeholders(rows: pl.DataFrame, limits: Thresholds) -> pl.DataFrame:
    """Return compared rows with ``SENTINEL`` where one figure stands for goods far apart.

    A seller's offers on one figure, at least ``placeholder`` listings, are compared with what
    they cost before, or at first sight with the same seller's other tenors and the cross-section.
    If these are ``placeholder`` times apart, the figure is a filler and no price.
    """
    same = [*MAKER, "meter", "nano"]
    offer = ["source", "provider", "listing_id", "meter", "region", "gpu_count"]
    tenors = rows.group_by(offer, maintain_order=True).agg(
        pl.col("tenor").n_unique().alias("tenors"),
        pl.col("nano").min().alias("low"),
        pl.col("nano").max().alias("high"),
    )
    each = rows.join(tenors, on=offer, how="left", nulls_equal=True, maintain_order="left")
    sibling = pl.when(pl.col("tenors") == 2).then(
        pl.when(pl.col("low") == pl.col("nano")).then("high").otherwise("low")
    )
    first_sight = pl.when(pl.col("meter") == "GPU_H").then(pl.coalesce(sibling, "median"))
    moved = pl.when(pl.col("size") >= limits.moved).then("was")
    each = each.with_columns(
        pl.when(pl.col("was").is_null()).then(first_sight).otherwise(moved).alias("usual")
    ).with_columns(
        pl.col("listing_id")
        .filter(pl.col("usual").is_not_null())
        .n_unique()
        .over(same)
        .alias("many"),
        pl.col("listing_id")
        .filter(pl.col("size") >= limits.moved)
        .n_unique()
        .over([*MAKER, "meter"])
        .alias("movers"),
        pl.col("usual").max().over(same).alias("dear"),
        pl.col("usual").min().over(same).alias("cheap"),
    )
    # On a day when a seller reprices much, some figures meet.
    crowd = 2 * pl.col("many") >= pl.col("movers")
    hit = (
        (pl.col("many") >= limits.placeholder)
        & (pl.col("was").is_null() | crowd)
        & (pl.col("dear") >= limits.placeholder * pl.col("cheap"))
        & pl.col("usual").is_not_null()
    )
    told = pl.format(
        "{} nano stands for {} listings that cost {} to {}", "nano", "many", "cheap", "dear"
    )
    gone = ["tenors", "low", "high", "usual", "many", "movers", "dear", "cheap"]
    return marked(each, hit, "SENTINEL", told).drop(gone)


def with_third_prices(rows: pl.DataFrame, limits: Thresholds) -> pl.DataFrame:
    """Return compared rows with ``MANY_PRICES`` where a new figure follows several of one day.

    ``today`` holds the prices already accepted on the UTC day of the body, empty on a new day.
    Interruptible and community offers are markets and may move all day.
    """
    is_list = pl.col("tenor").is_in(["on_demand", "reserved"])
    new = ~pl.col("today").list.contains(pl.col("nano"))
    full = pl.col("today").list.len() >= limits.prices_a_day
    told = pl.format("{} is price number {} of one day", "nano", pl.col("today").list.len() + 1)
    return marked(rows, is_list & new & full, "MANY_PRICES", told)


def slices(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the offers that are one machine in several sizes at one price per GPU, noted once.

    Columns ``source``, ``provider``, ``listing_id``, ``detail``. They weigh as one in every count
    of the guards; of a group one price stands anyway (rulebook 2.6).
    """
    one = ["source", "provider", "listing_id", "meter", "tenor", "region", "nano"]
    return (
        rows.filter((pl.col("meter") == "GPU_H") & pl.col("gpu_count").is_not_null())
        .group_by(one, maintain_order=True)
        .agg(pl.col("gpu_count").unique().sort().alias("sizes"))
        .filter(pl.col("sizes").list.len() > 1)
        .select(
            "source",
            "provider",
            "listing_id",
            pl.format(
                "one price per GPU in sizes {}",
                pl.col("sizes").cast(pl.List(pl.String)).list.join(", "),
            ).alias("detail"),
        )
    )
