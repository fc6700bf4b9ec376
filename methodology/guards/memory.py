"""What a round leaves in the state, and what is only noted (rulebook 2.11)."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from methodology.eligibility import Registers
from methodology.guards import rows
from methodology.guards.figures import KEY, identified
from methodology.guards.state import OFFERS, GuardState, Round
from methodology.guards.thresholds import Thresholds

NOTE = {
    "source": pl.String(),
    "provider": pl.String(),
    "listing_id": pl.String(),
    "code": pl.String(),
    "detail": pl.String(),
}
"""Columns of a note."""


def remembered(
    offers: pl.DataFrame,
    now: pl.DataFrame,
    refused: pl.DataFrame,
    at: datetime,
    limits: Thresholds,
) -> pl.DataFrame:
    """Return the offers of a state after a round.

    An accepted figure becomes the history; a refused one is only remembered as shown, so the
    fault stays a fault for as long as it lasts. An offer not seen for ``memory_days`` is dropped.

    Args:
        offers: those before the round (``state.OFFERS``).
        now: the output of ``figures.standing``.
        refused: the refused prices: offer key, ``nano``, ``reason``.
        at: moment of the round.
        limits: how much is remembered.
    """
    key = list(KEY)
    why = refused.select(*key, "reason").unique(key, keep="first", maintain_order=True)
    shown = (
        now.select(*key, "currency", "nano")
        .filter(pl.col("nano") > 0)
        .join(why, on=key, how="left", nulls_equal=True, maintain_order="left")
        .rename({"nano": "_shown", "currency": "_currency"})
        .with_columns(pl.lit(True).alias("_seen"))
    )
    # A refused figure that is no price (a sentinel) is not shown, but its offer is held.
    held_only = (
        why.join(shown.select(key), on=key, how="anti", nulls_equal=True)
        .join(offers.select(key), on=key, how="semi", nulls_equal=True)
        .with_columns(
            pl.lit(None, pl.String).alias("_currency"),
            pl.lit(None, pl.Int64).alias("_shown"),
            pl.lit(True).alias("_seen"),
        )
        .select(shown.columns)
    )
    after = offers.join(
        pl.concat([shown, held_only]),
        on=key,
        how="full",
        coalesce=True,
        nulls_equal=True,
        maintain_order="left_right",
    )
    seen = pl.col("_seen").fill_null(False)
    good = seen & pl.col("reason").is_null()
    bad = seen & pl.col("reason").is_not_null()
    price = pl.col("nano")
    # A price in another currency is another history.
    same = good & (pl.col("_shown") == price) & (pl.col("_currency") == pl.col("currency"))
    changed = good & ~same.fill_null(False)
    moment, day = pl.lit(at, pl.Datetime("us")), pl.lit(at.date(), pl.Date)
    earlier = (
        pl.when(
            (price.is_not_null() & (pl.col("_currency") == pl.col("currency"))).fill_null(False)
        )
        .then(pl.concat_list(price, pl.col("recent").fill_null(pl.lit([], pl.List(pl.Int64)))))
        .otherwise(pl.lit([], pl.List(pl.Int64)))
        .list.unique(maintain_order=True)
        .list.head(limits.recent)
    )
    of_day = (
        pl.when((pl.col("day") == day).fill_null(False))
        .then("today")
        .otherwise(pl.lit([], pl.List(pl.Int64)))
    )
    was_held = pl.col("held").is_not_null()
    after = after.with_columns(
        pl.when(good).then("_shown").otherwise("nano").alias("nano"),
        pl.when(good)
        .then("_currency")
        .otherwise(pl.coalesce("currency", "_currency"))
        .alias("currency"),
        pl.when(good).then(moment).otherwise("good_at").alias("good_at"),
        pl.when(changed).then(moment).otherwise("since").alias("since"),
        pl.when(changed)
        .then(pl.lit(1, pl.Int64))
        .when(same)
        .then(pl.col("streak") + 1)
        .otherwise(pl.col("streak").fill_null(0))
        .alias("streak"),
        pl.when(changed)
        .then(earlier)
        .otherwise(pl.col("recent").fill_null(pl.lit([], pl.List(pl.Int64))))
        .alias("recent"),
        pl.when(good)
        .then(pl.concat_list(of_day, "_shown").list.unique(maintain_order=True))
        .otherwise(pl.col("today").fill_null(pl.lit([], pl.List(pl.Int64))))
        .alias("today"),
        pl.when(good).then(day).otherwise("day").alias("day"),
        pl.when(seen).then(pl.coalesce("_shown", "shown")).otherwise("shown").alias("shown"),
        pl.when(seen).then(moment).otherwise("shown_at").alias("shown_at"),
        pl.when(bad).then("reason").when(~good).then("held").alias("held"),
        pl.when(bad & was_held)
        .then("held_since")
        .when(bad)
        .then(moment)
        .when(~good)
        .then("held_since")
        .alias("held_since"),
    )
    oldest = at - timedelta(days=limits.memory_days)
    return (
        after.filter(pl.col("shown_at") >= oldest)
        .select(pl.col(name).cast(dtype) for name, dtype in OFFERS.items())
        .sort(KEY, nulls_last=True)
    )


def noted(
    state: GuardState,
    now: pl.DataFrame,
    quotes: pl.DataFrame,
    judged: pl.DataFrame,
    shared: pl.DataFrame,
    facts: Round,
    registers: Registers,
    limits: Thresholds,
) -> pl.DataFrame:
    """Return what was seen and refuses nothing, one line per fact.

    ``CARRIED_FORWARD``: the source itself says that it saw the row long ago; the row lives no
    longer than its own date allows (4.1). ``HARD_CODED``: a price has stood for a month in which
    most prices of the source moved; a list price may. ``DUPLICATE_SLICE``: one machine in several
    sizes. ``NAME_DRIFT``: a followed listing is gone. ``ROW_COUNT``: many more rows than last
    time. ``UNIFORM_MOVE``: one seller changed its prices by one ratio, less than a factor of two.
    """
    found = [
        rows.slices(now).with_columns(pl.lit("DUPLICATE_SLICE").alias("code")),
        _fixed(state, now, facts, limits),
        _gone(state, quotes, registers),
        shared.filter("is_note").select(
            "source",
            pl.col("provider").fill_null(""),
            pl.lit("").alias("listing_id"),
            "detail",
            pl.lit("UNIFORM_MOVE").alias("code"),
        ),
    ]
    if facts.mode == "snapshot":
        found.append(_stale(now, facts, limits))
    least, whole = limits.rows
    seen, last = now.height, state.memory.rows
    if last is not None and last >= limits.rows_from and last * (2 * whole - least) < seen * whole:
        told = {"source": facts.source, "provider": "", "listing_id": ""}
        told |= {"detail": f"{seen} offers after {last}", "code": "ROW_COUNT"}
        found.append(pl.DataFrame([told]))
    columns = [pl.col(name).cast(dtype) for name, dtype in NOTE.items()]
    return pl.concat([each.select(columns) for each in found]).sort(list(NOTE))


def _stale(now: pl.DataFrame, facts: Round, limits: Thresholds) -> pl.DataFrame:
    oldest = facts.captured_at - timedelta(hours=limits.stale_hours)
    return now.filter(pl.col("observed_at") < oldest).select(
        "source",
        "provider",
        "listing_id",
        pl.format("seen by the source at {}", pl.col("observed_at").dt.to_string("iso")).alias(
            "detail"
        ),
        pl.lit("CARRIED_FORWARD").alias("code"),
    )


def _fixed(state: GuardState, now: pl.DataFrame, facts: Round, limits: Thresholds) -> pl.DataFrame:
    """Return offers whose price stood for ``fixed_days`` while most of their source moved."""
    edge = facts.captured_at - timedelta(days=limits.fixed_days)
    known = now.join(
        state.offers.filter(pl.col("since").is_not_null()).select(*KEY, "since", was="nano"),
        on=list(KEY),
        how="inner",
        nulls_equal=True,
    )
    still = (pl.col("since") <= edge) & (pl.col("was") == pl.col("nano"))
    if known.height < limits.rows_from or 2 * known.select(still.sum()).item() > known.height:
        return pl.DataFrame(schema=NOTE)
    return known.filter(still).select(
        "source",
        "provider",
        "listing_id",
        pl.format("{} unchanged since {}", "meter", pl.col("since").dt.to_string("iso")).alias(
            "detail"
        ),
        pl.lit("HARD_CODED").alias("code"),
    )


def _gone(state: GuardState, quotes: pl.DataFrame, registers: Registers) -> pl.DataFrame:
    """Return followed listings that the body before had and this one does not name at all."""
    last = state.offers.filter(pl.col("shown_at") == pl.col("shown_at").max())
    listed = ["source", "provider", "listing_id"]
    missing = last.join(quotes.select(listed).unique(), on=listed, how="anti")
    return (
        identified(missing, registers)
        .filter(pl.col("instrument_id").is_not_null())
        .select(
            *listed,
            pl.format("was in the body before; followed as {}", "instrument_id").alias("detail"),
            pl.lit("NAME_DRIFT").alias("code"),
        )
        .unique(maintain_order=True)
    )
