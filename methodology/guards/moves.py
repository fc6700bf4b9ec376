"""Figures against their own history and the cross-section (rulebook 2.11, rows).

The functions take rows of any number of sources at once, so a campaign can put a thousand faults
to one call; in a run there is one source.
"""

from __future__ import annotations

import polars as pl

from methodology.guards.crowd import with_confirmation, with_crowd
from methodology.guards.figures import KEY, LISTING, SIDES, is_any, signed
from methodology.guards.thresholds import Thresholds

UNITS = 500
"""A factor of a unit at row level: within one part in this many (figures are rounded)."""


def compared(
    now: pl.DataFrame, before: pl.DataFrame, others: pl.DataFrame, limits: Thresholds
) -> pl.DataFrame:
    """Return standing rows beside what is remembered and what others ask.

    Args:
        now: the output of ``figures.standing``.
        before: a state's offers whose history still counts: the offer key, ``currency``,
            ``nano``, ``recent``, ``today``.
        others: the output of ``crowd.peers`` without the source's own path.
        limits: how near a confirmation must be.

    Returns:
        The rows with positive figures, with ``was`` (last accepted, null: none), ``recent``,
        ``move`` (signed thousandths, null without history), ``size`` (its absolute), ``side``,
        ``offer`` (a number for all meters of one offer), ``median``, ``groups``, ``is_confirmed``,
        ``is_told``, ``is_back`` (an earlier accepted price of the same offer), ``is_new`` (never
        seen before), ``stuck``, ``stuck_reason`` (the figure with which an offer was refused that
        was never accepted, and why).
    """
    known = before.select(
        *KEY,
        "currency",
        pl.col("nano").alias("was"),
        "recent",
        "today",
        pl.when(pl.col("nano").is_null()).then("shown").alias("stuck"),
        pl.when(pl.col("nano").is_null()).then("held").alias("stuck_reason"),
        pl.lit(False).alias("is_new"),
    )
    rows = (
        now.filter(pl.col("nano") > 0)
        .join(known, on=[*KEY, "currency"], how="left", nulls_equal=True, maintain_order="left")
        .with_columns(
            signed("nano", "was").alias("move"),
            pl.col("meter").replace_strict(SIDES, return_dtype=pl.String).alias("side"),
            pl.col("recent").list.contains(pl.col("nano")).fill_null(False).alias("is_back"),
            pl.col("is_new").fill_null(True),
        )
        .with_columns(pl.col("move").abs().alias("size"))
    )
    offers = rows.select(LISTING).unique(maintain_order=True).with_row_index("offer")
    rows = rows.join(offers, on=LISTING, how="left", nulls_equal=True, maintain_order="left")
    return with_confirmation(with_crowd(rows, others), others, limits.confirm)


def apart(one: str, other: str) -> pl.Expr:
    """Return how far two columns of positive nano are apart, in thousandths, never below 1000."""
    high, low = pl.max_horizontal(one, other), pl.min_horizontal(one, other)
    return high * 1000 // low


def slipped(rows: pl.DataFrame, limits: Thresholds) -> pl.DataFrame:
    """Return compared rows with ``reason`` and ``detail`` where a figure alone shows the fault.

    A cached-input price is only tested for moves that no seller made in earnest; these go to 55
    times. It goes with its offer: when one meter of an offer is refused, all are, because half a
    tariff is not a price.
    """
    sides = _sides(rows, limits)
    usual = (pl.col("side") == "cached") & (pl.col("size") < limits.cached)
    excused = pl.col("is_back") | pl.col("is_confirmed") | usual.fill_null(True)
    known = pl.col("was").is_not_null()
    hit = pl.when(known).then(_jumped(limits)).otherwise(_astray(limits)).fill_null(False)
    return with_siblings(
        with_strangers(
            sides.with_columns((hit & ~excused).alias("hit"))
            .with_columns(
                pl.when(pl.col("hit") & known & (pl.col("other_side") < limits.moved))
                .then(pl.lit("ONE_SIDED"))
                .when("hit")
                .then(pl.lit("UNIT_SWITCH"))
                .alias("reason"),
                pl.when("hit").then(_told()).alias("detail"),
            )
            .drop("hit", "other_side", "is_alike", "was_absurd"),
            limits,
        )
    )


def _sides(rows: pl.DataFrame, limits: Thresholds) -> pl.DataFrame:
    """Return rows with what the other meters of the offer did.

    ``other_side``: the largest move of the other side; ``is_alike``: input and output are both
    known and every meter moved by one ratio; ``was_absurd``: output and input contradicted each
    other before and do no more.
    """
    move, side = pl.col("move"), pl.col("side")

    def most(of: str) -> pl.Expr:
        return pl.col("size").filter(side == of).max().over("offer")

    def was(meter: str) -> pl.Expr:
        return pl.col("was").filter(pl.col("meter") == meter).first().over("offer")

    def now(meter: str) -> pl.Expr:
        return pl.col("nano").filter(pl.col("meter") == meter).first().over("offer")

    low, high = move.min().over("offer"), move.max().over("offer")
    one_ratio = (high - low).abs() * UNITS <= 5 * low.abs()
    was_credible, is_credible = (
        (of("OUT") * 1000 // of("IN")).is_between(limits.out_in_min, limits.out_in_max)
        for of in (was, now)
    )
    return rows.with_columns(
        pl.when(side == "in")
        .then(most("out"))
        .when(side == "out")
        .then(most("in"))
        .alias("other_side"),
        (one_ratio & most("in").is_not_null() & most("out").is_not_null())
        .fill_null(False)
        .alias("is_alike"),
        (~was_credible & is_credible).fill_null(False).alias("was_absurd"),
    )


def _jumped(limits: Thresholds) -> pl.Expr:
    """Return whether a figure left its own history as a unit or a slip of the hand would."""
    size, distance, was_far = pl.col("size"), apart("nano", "median"), apart("was", "median")
    rates = is_any(pl.col("move"), list(limits.rates.values()), limits.currency_tolerance)
    # One meter alone meets a currency rate by chance; all meters of an offer do not.
    rates = rates.fill_null(True).all().over("offer")
    # A figure that comes from far away to the others corrects an old fault.
    corrects = ((was_far >= limits.own) & (distance <= limits.uniform)).fill_null(False)
    corrects = corrects | pl.col("was_absurd")
    # All meters by one ratio that no unit explains: sellers cut to a fifth (chapter 6 holds it).
    priced = pl.col("is_alike") & (size <= limits.cut)
    # No GPU-hour of any tenor moved by such a factor between two days of the bodies at hand.
    hour = pl.col("meter") == "GPU_H"
    return (
        per_gpu(limits)
        | ((size > limits.jump) & (distance > limits.jump) & ~priced).fill_null(False)
        | ((size > limits.jump) & (hour | rates) & ~corrects)
        | ((size >= limits.own) & ~corrects)
    )


def per_gpu(limits: Thresholds) -> pl.Expr:
    """Return whether a figure moved by the number of GPUs of its own machine."""
    gpus = pl.col("gpus").cast(pl.Int64) * 1000
    close = (pl.col("size") - gpus).abs() * limits.unit_tolerance <= gpus
    return ((pl.col("gpus") >= 2) & close).fill_null(False)


def _astray(limits: Thresholds) -> pl.Expr:
    """Return whether a figure without history is far from what several others ask."""
    return (pl.col("groups") >= limits.first_groups) & (apart("nano", "median") >= limits.first)


def with_strangers(rows: pl.DataFrame, limits: Thresholds) -> pl.DataFrame:
    """Return rows with every new offer of a seller refused where several of them are astray.

    Offers that nobody else sells cannot be compared; they share the unit of those that can. What
    was refused so, and was never accepted, stays refused while its figure stays.
    """
    can = (pl.col("groups") >= limits.first_groups) & pl.col("is_new")
    astray = pl.col("offer").filter(can & pl.col("reason").is_not_null()).n_unique()
    comparable = pl.col("offer").filter(can).n_unique()
    seller = ["source", "provider"]
    most = astray * limits.share_denominator >= comparable * limits.share_numerator
    rows = marked(
        rows,
        pl.col("is_new") & ((astray >= limits.few) & most).over(seller),
        "UNIT_SWITCH",
        pl.lit("first seen with other offers of the seller that are far from the cross-section"),
    )
    listing = ["source", "provider", "listing_id"]
    slipped_too = (pl.col("reason").is_not_null() & pl.col("was").is_not_null()).any().over(listing)
    rows = marked(
        rows,
        pl.col("is_new") & slipped_too,
        "UNIT_SWITCH",
        pl.lit("first seen beside offers of the same listing that are refused"),
    )
    same = ((pl.col("stuck") == pl.col("nano")) & ~pl.col("is_confirmed")).fill_null(False)
    still = same.all().over("offer")
    told = pl.format("{} nano is still the figure with which it was first refused", "nano")
    return with_siblings(
        rows.with_columns(
            pl.when(still & pl.col("reason").is_null())
            .then("stuck_reason")
            .otherwise("reason")
            .alias("reason"),
            pl.when(still & pl.col("reason").is_null())
            .then(told)
            .otherwise("detail")
            .alias("detail"),
        )
    )


def _told() -> pl.Expr:
    first = pl.format(
        "{} is first seen at {} nano; the others' median is {}", "meter", "nano", "median"
    )
    median = pl.col("median").cast(pl.String).fill_null("unknown")
    later = pl.format(
        "{} went from {} to {} nano; the others' median is {}", "meter", "was", "nano", median
    )
    return pl.when(pl.col("was").is_null()).then(first).otherwise(later)


def with_siblings(rows: pl.DataFrame) -> pl.DataFrame:
    """Return rows with the reason of an offer's first refused meter on all its meters."""
    return rows.with_columns(
        pl.coalesce("reason", pl.col("reason").drop_nulls().first().over("offer")).alias("reason"),
        pl.coalesce("detail", pl.col("detail").drop_nulls().first().over("offer")).alias("detail"),
    )


def marked(rows: pl.DataFrame, hit: pl.Expr, reason: str, detail: pl.Expr) -> pl.DataFrame:
    """Return rows with a reason on those hit that have none yet, siblings included."""
    new = hit.fill_null(False) & pl.col("reason").is_null()
    return with_siblings(
        rows.with_columns(
            pl.when(new).then(pl.lit(reason)).otherwise("reason").alias("reason"),
            pl.when(new).then(detail).otherwise("detail").alias("detail"),
        )
    )
