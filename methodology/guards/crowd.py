"""What others ask for the same good, and whether another path says the same of the same seller.

Two questions, two uses. The *cross-section* is the median price of the good over the other legal
groups, on any source: a slipped figure stands far from it. *Confirmation* is another source, of
another path, that shows the same group's price of the same good: then the seller moved, not the
source. Prices that stand refused count for confirmation too, or two sources that saw one real move
would wait for each other for ever.
"""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from methodology.eligibility import Registers
from methodology.guards.figures import identified
from methodology.guards.state import GuardState

GOOD = ["instrument_id", "meter", "tenor", "currency"]
"""What makes two offers comparable."""

PEERS: dict[str, pl.DataType] = {
    "path": pl.String(),
    "owner": pl.String(),
    **dict.fromkeys(GOOD, pl.String()),
    "nano": pl.Int64(),
    "shown": pl.Int64(),
}
"""Columns of the peers: whose statement, whose price, of what, the last accepted figure and the
last one shown."""


def peers(states: Iterable[GuardState], registers: Registers) -> pl.DataFrame:
    """Return the followed offers of other sources, as their own states remember them.

    Args:
        states: the states of any sources; those that are not proven, or quarantined as a whole,
            confirm nothing and are left out.
        registers: reviewed lines, as for ``inspect``.

    Returns:
        Rows with the columns of :data:`PEERS`, sorted.
    """
    found = [pl.DataFrame(schema=PEERS)]
    for state in states:
        if not state.memory.is_proven or state.memory.reason is not None:
            continue
        found.append(
            identified(state.offers, registers)
            .filter(pl.col("instrument_id").is_not_null())
            .select(pl.lit(state.memory.path).alias("path"), *list(PEERS)[1:])
        )
    return pl.concat(found).unique(maintain_order=True).sort(list(PEERS))


def with_crowd(rows: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
    """Return compared rows with ``median`` and ``groups`` of the good without the row's own owner.

    Args:
        rows: compared rows: ``source``, ``owner``, the columns of :data:`GOOD`, ``was``.
        others: the output of :func:`peers`, without the source's own rows.

    Returns:
        The rows in the same order with ``median`` (nano; null without others; the lower one of an
        even number) and ``groups`` (how many it is of). Other sellers of the same body take part
        with the price they had before it.
    """
    ask = ["source", *GOOD]
    followed = rows.filter(pl.col("instrument_id").is_not_null())
    wanted = followed.select(ask).unique(maintain_order=True)
    own = followed.filter(pl.col("was").is_not_null()).select(
        *ask, "owner", pl.col("was").alias("nano")
    )
    far = others.filter(pl.col("nano") > 0).join(wanted, on=GOOD, how="inner")
    table = (
        pl.concat([own, far.select(own.columns)])
        .group_by([*ask, "owner"], maintain_order=True)
        .agg(_lower_median("nano"))
        .sort([*ask, "nano", "owner"])
        .with_columns(pl.int_range(pl.len()).over(ask).alias("rank"))
    )
    groups = table.group_by(ask, maintain_order=True).agg(pl.col("nano").alias("all"))
    found = rows.join(groups, on=ask, how="left", maintain_order="left").join(
        table.select(*ask, "owner", "rank"), on=[*ask, "owner"], how="left", maintain_order="left"
    )
    left = pl.col("all").list.len().cast(pl.Int64) - pl.col("rank").is_not_null().cast(pl.Int64)
    middle = (left - 1) // 2
    place = middle + (pl.col("rank").is_not_null() & (pl.col("rank") <= middle)).cast(pl.Int64)
    return found.with_columns(
        pl.when(left > 0).then(pl.col("all").list.get(place, null_on_oob=True)).alias("median"),
        left.fill_null(0).alias("groups"),
    ).drop("all", "rank")


def with_confirmation(rows: pl.DataFrame, others: pl.DataFrame, part: int) -> pl.DataFrame:
    """Return rows with ``is_confirmed``: another path shows this figure of this owner and good.

    ``is_told`` says whether another path shows any figure of it. ``others`` must hold no row of
    the source's own path.
    """
    ask = ["owner", *GOOD]
    shown = (
        pl.concat([others.select(*ask, told=pl.col(name)) for name in ("nano", "shown")])
        .filter(pl.col("told") > 0)
        .unique()
    )
    pairs = (
        rows.with_row_index("_i")
        .select("_i", *ask, "nano")
        .join(shown, on=ask, how="inner")
        .with_columns(
            ((pl.col("told") - pl.col("nano")).abs() * part <= pl.col("told")).alias("same")
        )
        .group_by("_i")
        .agg(pl.col("same").any())
    )
    return (
        rows.with_row_index("_i")
        .join(pairs, on="_i", how="left", maintain_order="left")
        .with_columns(
            pl.col("same").fill_null(False).alias("is_confirmed"),
            pl.col("same").is_not_null().alias("is_told"),
        )
        .drop("_i", "same")
    )


def _lower_median(name: str) -> pl.Expr:
    ordered = pl.col(name).sort()
    return ordered.get((pl.len() - 1) // 2).alias(name)
