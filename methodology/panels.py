"""Candidates and frozen panels: who may count, with what weight, from when (rulebook 5, 8.1).

A vintage is a panel frozen on one day: its legal groups, the one source that serves each, their
published weights and the estimator that its size calls for. The index of month M uses the vintage
frozen on the first index day of M-3; an index too young for that uses its ``BOOTSTRAP`` vintage,
frozen on the first day from its effective date with enough groups. Where no panel could be frozen
on the due day (the sources did not cover it) the vintage in force stays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Any

import polars as pl

from methodology import clock
from methodology.admission import (
    against_on_demand,
    outranked,
    refusals,
)
from methodology.definition import Methodology, RateDefinition
from methodology.estimators import MEDIAN, TRIM25, TRIM40
from methodology.representative import PriceTable
from methodology.rights import Rights, load_rights, path_of
from methodology.weights import panel_weights

BOOTSTRAP = "BOOTSTRAP"


@dataclass(frozen=True, slots=True)
class Vintage:
    """One frozen panel.

    ``groups`` in id order, with the ``sources`` that serve them and ``weights`` in units of 1e-8;
    ``volumes`` are the quantities behind the weights (``None`` for equal weights), ``basis`` their
    rank (``V4`` equal), ``estimator`` the name fixed by the panel's size.
    """

    id: str
    frozen_on: date
    groups: tuple[str, ...]
    sources: tuple[str, ...]
    weights: tuple[int, ...]
    volumes: tuple[int | None, ...]
    basis: str
    estimator: str

    def as_record(self) -> dict[str, object]:
        """Return the vintage as the plain content of a basket record."""
        members = [
            {
                "group": g,
                "source": s,
                "weight": f"{w // 10**8}.{w % 10**8:08d}",
                "volume": None if v is None else str(v),
            }
            for g, s, w, v in zip(
                self.groups, self.sources, self.weights, self.volumes, strict=True
            )
        ]
        return {
            "vintage": self.id,
            "frozen_on": self.frozen_on.isoformat(),
            "estimator": self.estimator,
            "volume_rank": self.basis,
            "members": members,
        }


def vintage_from_record(content: Mapping[str, Any]) -> Vintage:
    """Return the vintage that :meth:`Vintage.as_record` wrote."""
    members = content["members"]
    return Vintage(
        id=content["vintage"],
        frozen_on=date.fromisoformat(content["frozen_on"]),
        groups=tuple(m["group"] for m in members),
        sources=tuple(m["source"] for m in members),
        weights=tuple(int(m["weight"].replace(".", "")) for m in members),
        volumes=tuple(None if m["volume"] is None else int(m["volume"]) for m in members),
        basis=content["volume_rank"],
        estimator=content["estimator"],
    )


def candidates(
    table: PriceTable,
    definition: RateDefinition,
    meter: str,
    needs_two_paths: bool = False,
    rules: Methodology | None = None,
    rights: Rights | None = None,
) -> pl.DataFrame:
    """Return who could count for one index, one row per day, legal group and source.

    Of several offers of one group the one that a new customer would take stands: for GPU-hours
    the 8-GPU node, else the largest; then the lowest price; then the listing id. Where a regional
    twin has no price that day the other speaks for the group.

    Args:
        table: representative prices.
        definition: the index.
        meter: one of its meters.
        needs_two_paths: a jump is confirmed only by the seller's own date, or by another source
            on another path, of the index or not, that shows the same price of the group within
            0.5%, as live prints require; otherwise a second capture of the same source confirms
            it too (rulebook 6.2).
        rules: the parameters; those of 1.0.0, and ``None``, know nothing of rights, of ranks of
            evidence, of depth and of administered spot prices (rulebook 2.6, 2.8, 2.9, 4.5).
        rights: the register of sources; ``None`` is the packaged one.

    Returns:
        day, group, source, provider, listing_id, price_nano, is_confirmed, is_suspect, seen_us,
        tier, observation_id, ``reason`` (null: admitted; else why it cannot count), sorted by day,
        group, source. Refused offers are kept beside the admitted one so that they can be shown.
    """
    known = load_rights() if rights is None else rights
    is_source = pl.col("source").is_in(definition.sources)
    is_offer = (
        (pl.col("instrument_id") == definition.instrument)
        & (pl.col("tenor") == definition.tenor)
        & pl.col("unit").is_in(["usd_per_mtok", "usd_per_gpu_hour"])
    )
    if needs_two_paths:
        # Whoever shows the price may confirm it; only the sources of the index are counted.
        rows = _confirmed_by_another(table.select(is_offer, meter), known).filter(is_source)
    else:
        rows = table.select(is_offer & is_source, meter)
    if rules and rules.spot and definition.tenor == "spot":
        rows = against_on_demand(rows, table, definition, meter, rules.spot.administered_share)
    reason = refusals(definition, rules, known)
    rows = rows.with_columns(reason.alias("reason"))
    if rules and rules.evidence and rules.evidence.best_tier_only:
        rows = outranked(rows)
    gpus = pl.col("gpu_count").fill_null(0)
    best_first = rows.with_columns((gpus == 8).alias("is_node"), gpus.alias("gpus")).sort(
        ["day", "group", "source", "is_node", "gpus", "price_nano", "provider", "listing_id"],
        descending=[False, False, False, True, True, False, False, False],
    )
    rank = pl.int_range(pl.len()).over(
        ["day", "group", "source", pl.col("reason").is_null()], mapping_strategy="group_to_rows"
    )
    return best_first.with_columns(
        pl.when((rank > 0) & pl.col("reason").is_null())
        .then(pl.lit("OTHER_OFFER_OF_GROUP"))
        .otherwise("reason")
        .alias("reason")
    ).select(
        "day",
        "group",
        "source",
        "provider",
        "listing_id",
        "price_nano",
        "is_confirmed",
        "is_suspect",
        "seen_us",
        "tier",
        "observation_id",
        "reason",
    )


def speaking(admitted: pl.DataFrame, definition: RateDefinition, rights: Rights) -> pl.DataFrame:
    """Return who speaks for a group, by the source that serves it: rows with a ``slot``.

    A source speaks for itself. Where it has no price that counts, the group's price of *another*
    tier speaks, of several sources the first of the definition; a source of the same tier never
    stands in (rulebook 2.6).

    Args:
        admitted: :func:`candidates` rows without a reason.
        definition: for the order of sources.
        rights: tells each source's tier; for one without a line nobody stands in.
    """
    own = admitted.with_columns(pl.col("source").alias("slot"))
    tiers = {s: rights[s].tier for s in definition.sources if s in rights}
    if len(set(tiers.values()) | set(admitted["tier"].unique())) < 2:
        return own
    rank = {source: place for place, source in enumerate(definition.sources)}
    slots = pl.DataFrame(
        {"slot": list(tiers), "usual": list(tiers.values())},
        schema={"slot": pl.String, "usual": pl.String},
    )
    first = (
        admitted.sort(
            "day",
            "group",
            "tier",
            pl.col("source").replace_strict(rank, return_dtype=pl.Int64),
        )
        .unique(["day", "group"], keep="first", maintain_order=True)
        .join(slots, how="cross")
        .filter(pl.col("tier") != pl.col("usual"))
        .join(own, on=["day", "group", "slot"], how="anti")
    )
    return pl.concat([own, first.select(own.columns)])


def _confirmed_by_another(rows: pl.DataFrame, rights: Rights) -> pl.DataFrame:
    """Return rows confirmed only by the seller's own date, or by another path within 0.5%."""
    paths = {str(source): path_of(str(source), rights) for source in rows["source"].unique()}
    numbered = rows.with_row_index("row").with_columns(
        pl.col("source").replace_strict(paths, default=None, return_dtype=pl.String).alias("path")
    )
    others = numbered.select(
        "day", "group", pl.col("path").alias("by"), pl.col("price_nano").alias("other_nano")
    )
    agreed = (
        numbered.join(others, on=["day", "group"], how="inner")
        .filter(
            (pl.col("path") != pl.col("by"))
            & (200 * (pl.col("price_nano") - pl.col("other_nano")).abs() <= pl.col("price_nano"))
        )["row"]
        .unique()
    )
    by_another = pl.col("row").is_in(agreed.implode())
    return numbered.with_columns((pl.col("is_official") | by_another).alias("is_confirmed")).drop(
        "row", "path"
    )


def estimator_for(members: int, rules: Methodology) -> str:
    """Return the estimator that a panel of this many groups calls for (rulebook 7.1).

    Below ``estimator.median`` it is the weighted median too: the small-panel rule.
    """
    if members >= rules.estimator.trimmed_40:
        return TRIM40
    return TRIM25 if members >= rules.estimator.trimmed_25 else MEDIAN


def weights_for(
    volumes: Sequence[int | None], basis: str, estimator: str, rules: Methodology
) -> tuple[int, ...]:
    """Return published weights for a panel (or what is left of it) under its estimator."""
    limits = rules.weights
    largest = estimator == TRIM40
    return tuple(
        panel_weights(
            volumes,
            rooted=basis in ("V2", "V3"),
            cap_floor=limits.cap_largest_panels if largest else limits.cap_floor,
            cap_numerator=Fraction(0) if largest else limits.cap_numerator,
        )
    )


def freeze(
    vintage_id: str,
    frozen_on: date,
    rows: pl.DataFrame,
    definition: RateDefinition,
    rules: Methodology,
    volumes: Mapping[str, int] | None = None,
) -> Vintage:
    """Return the panel of one day: every admitted group, each served by its first source.

    Args:
        vintage_id: ``BOOTSTRAP`` or the delivery month, ``2026-08``.
        frozen_on: the day.
        rows: :func:`candidates` rows of that day, admitted ones only.
        definition: for the order of its sources.
        rules: weights, caps, estimator sizes.
        volumes: quantity per legal group, of one rank (V2, router-observed); used when they are
            known for three quarters of the groups, otherwise the weights are equal (V4).
    """
    rank = {source: place for place, source in enumerate(definition.sources)}
    chosen = (
        rows.with_columns(
            pl.col("source").replace_strict(rank, return_dtype=pl.Int64).alias("rank")
        )
        .sort("group", "rank")
        .unique("group", keep="first", maintain_order=True)
    )
    groups = chosen["group"].to_list()
    estimator = estimator_for(len(groups), rules)
    known = [(volumes or {}).get(group) for group in groups]
    has_rank = 4 * sum(v is not None for v in known) >= 3 * len(groups)
    basis, quantities = ("V2", known) if volumes and has_rank else ("V4", [None] * len(groups))
    return Vintage(
        id=vintage_id,
        frozen_on=frozen_on,
        groups=tuple(groups),
        sources=tuple(chosen["source"].to_list()),
        weights=weights_for(quantities, basis, estimator, rules),
        volumes=tuple(quantities),
        basis=basis,
        estimator=estimator,
    )


def start_size(definition: RateDefinition, rules: Methodology) -> int:
    """Return how many groups a vintage needs to exist."""
    if definition.small_panel:
        return rules.estimator.small_panel
    return max(rules.vintage.start_groups, rules.estimator.median)


def vintages(
    admitted: pl.DataFrame,
    index_days: Sequence[date],
    definition: RateDefinition,
    rules: Methodology,
    volumes: Callable[[date], Mapping[str, int]] | None = None,
    known: Mapping[str, Vintage] | None = None,
) -> list[Vintage | None]:
    """Return the vintage in force on each index day, ``None`` before the index can start.

    Args:
        admitted: :func:`candidates` rows without a reason, all days.
        index_days: the days, unbroken; ``day`` in ``admitted`` counts in this list.
        definition: the index.
        rules: sizes, lead time.
        volumes: gives, for a freeze day, the volumes that :func:`freeze` takes.
        known: vintages frozen earlier, by id; they are used as they stand.
    """
    need = start_size(definition, rules)
    sizes = admitted.group_by("day").agg(pl.col("group").n_unique().alias("groups"))
    enough = {day for day, groups in sizes.rows() if groups >= need}
    by_day = admitted.partition_by("day", as_dict=True)
    made = dict(known or {})
    started = bool(made)
    newest = made[max(made, key=lambda name: (name != BOOTSTRAP, name))] if made else None
    place = {day: n for n, day in enumerate(index_days)}
    found: list[Vintage | None] = []

    def make(name: str, at: int) -> Vintage:
        day = index_days[at]
        known_volumes = volumes(day) if volumes else None
        return freeze(name, day, by_day[(at,)], definition, rules, known_volumes)

    for n, day in enumerate(index_days):
        if not started and n in enough and day >= definition.effective_from:
            made[BOOTSTRAP] = make(BOOTSTRAP, n)
            started = True
        if not started:
            found.append(None)
            continue
        name = f"{day:%Y-%m}"
        due = clock.month_start(day, -rules.vintage.months_ahead)
        at = place.get(due, -1)
        if name not in made and at in enough and due >= definition.effective_from:
            made[name] = make(name, at)
        last = found[-1] if found and found[-1] else newest or made[BOOTSTRAP]
        found.append(made.get(name, last))
    return found
