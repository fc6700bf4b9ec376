"""Random faults put into real source-days, thousands to one call of the guards.

Each *injection* is a copy of a sample of a source-day under a name of its own: some of its figures
are multiplied by one factor, the rest stay as the source said them. It counts as caught when every
slipped figure is refused at this first fetch: one that gets through would have been published.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from methodology.guards import inspection, moves
from methodology.guards.thresholds import Thresholds
from methodology.units import MAX_PRICE_NANO
from tests.guard_worlds import LIMITS, World

SCOPES = ("source", "source, most", "provider", "listing", "side of source", "side of listing")
KINDS = ("power of ten", "any factor", "GPUs of a machine")
SIDE = {"in": ("in", "cached"), "out": ("out",)}


@dataclass(frozen=True)
class Tally:
    """One line per injection: scope, kind, factor, n (slipped offers), caught, collateral."""

    rows: pl.DataFrame

    def share(self, *by: str) -> pl.DataFrame:
        """Return injections, misses and the share caught, by columns."""
        told = [
            pl.len().alias("injections"),
            (~pl.col("caught")).sum().alias("missed"),
            (pl.col("caught").mean() * 100).round(4).alias("percent"),
        ]
        return self.rows.group_by(by).agg(told).sort(by) if by else self.rows.select(told)


def sample(world: World, dice: np.random.Generator, most: int) -> World:
    """Return a world with some of its listings only: as few as one, so small sources occur too."""
    listed = ["provider", "listing_id"]
    both = world.now.select(listed).unique(maintain_order=True)
    old = world.before.select(listed).unique(maintain_order=True)
    both = both.join(old, on=listed, how="semi", maintain_order="left").sort(listed)
    size = int(dice.choice([1, 2, 3, 4, 6, 10, 25, 60, most]))
    if both.height > size:
        # Whole sellers first, so that a seller's offers stay together.
        start = int(dice.integers(both.height - size + 1))
        both = both.slice(start, size)
    kept = [
        rows.join(both, on=listed, how="semi", maintain_order="left")
        for rows in (world.before, world.now)
    ]
    goods = kept[1]["instrument_id"].drop_nulls().unique().implode()
    return World(world.name, *kept, world.others.filter(pl.col("instrument_id").is_in(goods)))


def factors(kind: str, count: int, dice: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return numerators and denominators of ``count`` factors of a kind."""
    up = dice.random(count) < 0.5
    if kind == "power of ten":
        size = 1000 * 10 ** dice.integers(1, 7, count)
    elif kind == "any factor":
        size = (1000 * 10 ** dice.uniform(1, 6, count)).astype(np.int64)
    else:
        size = np.full(count, 8000)
    one = np.full(count, 1000)
    return np.where(up, size, one), np.where(up, one, size)


def plan(world: World, count: int, dice: np.random.Generator) -> pl.DataFrame:
    """Return what each copy of a world suffers: scope, kind, factor, whose, which side."""
    is_gpu = bool((world.now["meter"] == "GPU_H").any())
    stated = bool((world.now["gpus"].fill_null(1) > 1).any())
    lists = world.now.select("provider", "listing_id").unique(maintain_order=True)
    scopes = [s for s in SCOPES if not (is_gpu and "side" in s)]
    kinds = [k for k in KINDS if is_gpu or "GPU" not in k]
    scope, kind = dice.choice(scopes, count), dice.choice(kinds, count)
    if not stated and (lists.height < 3):
        # Half the price of an unknown machine may be half the price: nothing can tell.
        kind = np.where(kind == KINDS[2], KINDS[0], kind)
    picked = lists[dice.integers(lists.height, size=count).tolist()]
    numerator, denominator = np.ones(count, np.int64), np.ones(count, np.int64)
    for name in kinds:
        n, d = factors(name, count, dice)
        numerator = np.where(kind == name, n, numerator)
        denominator = np.where(kind == name, d, denominator)
    return pl.DataFrame(
        {
            "copy": [f"copy{i:06d}" for i in range(count)],
            "scope": scope,
            "kind": kind,
            "numerator": numerator,
            "denominator": denominator,
            "of_provider": picked["provider"],
            "of_listing": picked["listing_id"],
            "of_side": dice.choice(["in", "out"], count),
            "keep": dice.integers(70, 100, count),
        }
    )


def injected(world: World, wounds: pl.DataFrame, dice: np.random.Generator) -> pl.DataFrame:
    """Return all copies of the next body with their wounds; ``is_slipped`` marks them."""
    rows = world.now.drop("source").join(wounds, how="cross")
    luck = pl.Series("luck", dice.integers(0, 100, rows.height))
    # Most of a source: whole listings, as a source that converts some of its pages.
    listed = ["copy", "provider", "listing_id"]
    rows = rows.with_columns(luck).with_columns(pl.col("luck").first().over(listed))
    side = pl.col("meter").replace_strict(
        {"IN": "in", "BAT_IN": "in", "CIN": "in", "OUT": "out", "BAT_OUT": "out", "GPU_H": "hour"}
    )
    mine = pl.col("provider") == pl.col("of_provider")
    listing = mine & (pl.col("listing_id") == pl.col("of_listing"))
    scope = pl.col("scope")
    chosen = (
        (scope == "source")
        | ((scope == "source, most") & (pl.col("luck") < pl.col("keep")))
        | ((scope == "provider") & mine)
        | ((scope == "listing") & listing)
        | ((scope == "side of source") & (side == pl.col("of_side")))
        | ((scope == "side of listing") & listing & (side == pl.col("of_side")))
    )
    # A machine whose number of GPUs is stated slips by that number.
    own = pl.col("gpus").cast(pl.Int64) * 1000
    by_gpus = (pl.col("kind") == KINDS[2]) & (pl.col("gpus") > 1)
    up = pl.col("numerator") > 1000
    n = pl.when(by_gpus & up).then(own).otherwise("numerator")
    d = pl.when(by_gpus & ~up).then(own).otherwise("denominator")
    # A single machine slips by its own number of GPUs, never by an unknown one.
    unknown = (pl.col("kind") == KINDS[2]) & (pl.col("gpus") == 1)
    chosen = chosen & ~unknown.fill_null(False)
    slipped = (pl.col("nano").cast(pl.Int128) * n + d // 2) // d
    return rows.with_columns(
        pl.when(chosen).then(slipped).otherwise("nano").alias("new"), chosen.alias("is_slipped")
    ).with_columns(pl.col("copy").alias("source"))


def put(world: World, count: int, dice: np.random.Generator, limits: Thresholds) -> pl.DataFrame:
    """Return the tally of ``count`` injections into one sampled source-day."""
    wounds = plan(world, count, dice)
    rows = injected(world, wounds, dice)
    # Above the bound of arithmetic and below one nano other clauses refuse (rulebook 3.3, 3.4).
    held = rows["new"].is_between(1, MAX_PRICE_NANO)
    now = rows.filter(held).with_columns(pl.col("new").cast(pl.Int64).alias("nano"))
    before = world.before.drop("source").join(
        wounds.select(pl.col("copy").alias("source")), how="cross"
    )
    compared = moves.compared(
        now.drop("new", *(c for c in wounds.columns if c != "copy"), "luck"),
        before,
        world.others,
        limits,
    )
    judged, shared = inspection.judge(compared, limits)
    whole = shared.filter(pl.col("provider").is_null() & ~pl.col("is_note"))
    judged = judged.join(
        whole.select("source").unique(), on="source", how="left", maintain_order="left"
    ).with_columns(
        (
            pl.col("reason").is_not_null()
            | pl.col("source").is_in(whole["source"].unique().implode())
        ).alias("refused")
    )
    per = judged.group_by("source").agg(
        (pl.col("is_slipped") & ~pl.col("refused")).sum().alias("through"),
        (~pl.col("is_slipped") & pl.col("refused")).any().alias("collateral"),
    )
    offers = rows.group_by("source").agg(
        pl.struct("provider", "listing_id").filter("is_slipped").n_unique().alias("n"),
        pl.struct("provider", "listing_id").n_unique().alias("offers"),
        pl.col("is_slipped").sum().alias("figures"),
    )
    return (
        wounds.rename({"copy": "source"})
        .join(offers, on="source")
        .join(per, on="source", how="left")
        .filter(pl.col("figures") > 0)
        .with_columns(
            (pl.col("through").fill_null(0) == 0).alias("caught"), pl.lit(world.name).alias("world")
        )
    )


def campaign(
    worlds: Sequence[World], count: int, seed: int, limits: Thresholds = LIMITS, most: int = 150
) -> Tally:
    """Return the tally of ``count`` injections into random source-days."""
    dice = np.random.default_rng(seed)
    found: list[pl.DataFrame] = []
    done = 0
    while done < count:
        world = sample(worlds[int(dice.integers(len(worlds)))], dice, most)
        if world.now.is_empty():
            continue
        copies = max(1, min(400, count - done, 40_000 // world.now.height))
        found.append(put(world, copies, dice, limits))
        done += found[-1].height
    size = pl.max_horizontal("numerator", "denominator") / 1000
    rows = pl.concat(found).with_columns(
        pl.when(pl.col("n") == 1)
        .then(pl.lit("1"))
        .when(pl.col("n") < 5)
        .then(pl.lit("2-4"))
        .otherwise(pl.lit("5+"))
        .alias("offers_hit"),
        pl.when(size < 10)
        .then(pl.lit("a below 10"))
        .when(size < 100)
        .then(pl.lit("b 10-100"))
        .when(size < 1000)
        .then(pl.lit("c 100-1e3"))
        .when(size < 10**4)
        .then(pl.lit("d 1e3-1e4"))
        .otherwise(pl.lit("e 1e4-1e6"))
        .alias("factor"),
    )
    return Tally(rows)
