"""One index ready to be determined, the state between its days, and what the days yielded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from methodology import determination as det
from methodology import panels
from methodology.definition import Methodology, RateDefinition
from methodology.errors import DefinitionError
from methodology.estimators import Ints
from methodology.panels import Vintage
from methodology.rights import Rights

LEVEL_BASE = 1000
"""Every chained level starts at this on the index's first value."""


FIXING_SCHEMA: dict[str, Any] = {
    "index_id": pl.String,
    "ref_date": pl.Date,
    "vintage": pl.String,
    "waterfall": pl.String,
    "numerator": pl.Int128,
    "denominator": pl.Int128,
    "value_units": pl.Int64,
    "decimals": pl.Int64,
    "chained_level": pl.Int64,
    "groups": pl.Int64,
    "panel": pl.Int64,
    "weight": pl.Int64,
    "fresh": pl.Int64,
    "evidenced": pl.Int64,
    "is_dispersed": pl.Boolean,
    "has_panel_break": pl.Boolean,
    "has_held": pl.Boolean,
    "has_imputed": pl.Boolean,
    "is_confirmed_same_path": pl.Boolean,
    "is_covered": pl.Boolean,
}
"""Columns of ``Series.fixings``; units in the description of :class:`Series`."""


@dataclass(frozen=True)
class Plan:
    """One index ready to be determined: its candidates and the vintage of each day.

    ``rows`` are :func:`panels.candidates` with refused offers kept; ``day`` counts in
    ``index_days``. ``covered`` says on which days the sources speak at all; ``needs_two_paths``
    that jumps are confirmed as live prints require. ``decimals`` are the published ones;
    ``ranked_by`` is the register whose tiers say when a price of another source stands in
    (rulebook 2.6); ``None`` under rules that know no ranks.
    """

    index_id: str
    meter: str
    definition: RateDefinition
    rows: pl.DataFrame
    vintages: list[Vintage | None]
    covered: npt.NDArray[np.bool_]
    needs_two_paths: bool = False
    decimals: int = field(kw_only=True)
    ranked_by: Rights | None = field(kw_only=True, default=None)

    def speaking(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return admitted rows with the ``slot``, the serving source, that each speaks for."""
        if self.ranked_by is not None:
            return panels.speaking(rows, self.definition, self.ranked_by)
        return rows.with_columns(pl.col("source").alias("slot"))


def decimals_of(definition: RateDefinition, rules: Methodology) -> int:
    """Return how many decimals a rate is published with (rulebook 3.5)."""
    precision = rules.precision
    return precision.gpu_decimals if definition.family == "GPR" else precision.token_decimals


def jump_ratio(p: Plan, rules: Methodology) -> tuple[int, int]:
    """Return the jump ratio of an index as numerator and denominator (rulebook 6.2)."""
    ratio = rules.jump.gpu_ratio if p.definition.family == "GPR" else rules.jump.token_ratio
    return ratio.numerator, ratio.denominator


def parents_of(plans: Sequence[Plan]) -> npt.NDArray[np.intp] | None:
    """Return the place of each index's parent, -1 for none; ``None`` when no index has one.

    Raises:
        DefinitionError: a parent is not among the plans.
    """
    place = {p.index_id: n for n, p in enumerate(plans)}
    found = []
    for p in plans:
        name = p.definition.parent
        if name and name not in place:
            raise DefinitionError(
                f"{p.index_id}: its parent {name} is not determined in the same run; plan both"
            )
        found.append(place[name] if name else -1)
    return np.array(found, np.intp) if any(one >= 0 for one in found) else None


@dataclass(frozen=True)
class PanelState:
    """What one index's day leaves for its next one: the content of a ``panel_state`` record.

    ``groups`` maps a legal group to its state; prices in nano-units, days as ordinals (0: never).
    ``link_level`` (1e-4 points) and ``link_value`` (published units of the rate) are what the
    chained level multiplies; ``is_switched``: a vintage came into force and no value has linked it
    yet; ``value`` is the last published value in units, 0 before the first; ``level`` the chained
    level of the last determined one. ``modelled`` and ``parent_value`` stand for an index with a
    parent alone (rulebook 10.4): days moved with it since the last determined value, and its own
    published value of the day, 0 unless FULL or REDUCED.
    """

    index_id: str
    ref_day: int
    vintage: str
    groups: dict[str, dict[str, Any]]
    value_day: int
    carried: int
    value: int
    link_level: int
    link_value: int
    level: int
    is_switched: bool = False
    modelled: int | None = None
    parent_value: int | None = None

    def as_record(self) -> dict[str, Any]:
        """Return the content of the record; what an index without a parent lacks is left out."""
        content = asdict(self)
        for name in ("modelled", "parent_value"):
            if content[name] is None:
                del content[name]
        return content


@dataclass
class Series:
    """The outcome, as arrays ``[day, index, group]`` and frames made from them on demand.

    ``fixings``: one row per index and day with index_id, ref_date, vintage, level (waterfall),
    numerator and denominator (exact nano rate, Int128, 0/1 without a value), value_units
    (published integer or null), chained_level (1e-4 points or null), groups, weight, fresh,
    evidenced (units of 1e-8), is_dispersed, has_panel_break, has_held, is_covered.
    """

    plans: Sequence[Plan]
    index_days: Sequence[date]
    groups: list[list[str]]
    fixings: pl.DataFrame
    price: Ints
    kept: Ints
    used_weight: Ints
    status: npt.NDArray[np.int8]
    reason: npt.NDArray[np.int8]
    states: dict[tuple[str, int], PanelState]
    links: dict[tuple[str, int], tuple[int, int]]

    def contributions(self, index_id: str, ref_date: date, offers: pl.DataFrame) -> pl.DataFrame:
        """Return every group considered for one fixing, counted or not, and why.

        Args:
            index_id: the index.
            ref_date: the index day.
            offers: :func:`panels.candidates` rows of that day, refused ones included.

        Returns:
            group, source, provider, listing_id, tier, observation_id, quoted_nano (today's
            representative price or null), price_nano (what stood, null if nothing did), status,
            reason, weight_e8, kept: panel members in order of group, then the offers that were
            refused before the panel, with status ``REFUSED``.
        """
        i = next(n for n, p in enumerate(self.plans) if p.index_id == index_id)
        return _contributions(self, i, (ref_date - self.index_days[0]).days, offers)


def _contributions(series: Series, i: int, d: int, today: pl.DataFrame) -> pl.DataFrame:
    vintage = series.plans[i].vintages[d]
    served = dict(zip(vintage.groups, vintage.sources, strict=True)) if vintage else {}
    members = pl.DataFrame(
        {
            "group": series.groups[i],
            "source": [served.get(g) for g in series.groups[i]],
            "price_nano": series.price[d, i, : len(series.groups[i])],
            "status": [det.STATES[c] for c in series.status[d, i, : len(series.groups[i])]],
            "reason": [det.REASONS[c] for c in series.reason[d, i, : len(series.groups[i])]],
            "weight_e8": series.used_weight[d, i, : len(series.groups[i])],
            "kept": series.kept[d, i, : len(series.groups[i])],
        },
        schema={
            "group": pl.String,
            "source": pl.String,
            "price_nano": pl.Int64,
            "status": pl.String,
            "reason": pl.String,
            "weight_e8": pl.Int64,
            "kept": pl.Int64,
        },
    ).filter(pl.col("source").is_not_null())
    members = members.with_columns(
        pl.when(pl.col("price_nano") > 0).then("price_nano").alias("price_nano")
    )
    quoted = today.rename({"price_nano": "quoted_nano", "reason": "refusal"})
    offers = ["group", "source", "provider", "listing_id", "tier", "observation_id", "quoted_nano"]
    admitted = quoted.filter(pl.col("refusal").is_null()).with_columns(pl.lit(d).alias("day"))
    chosen = series.plans[i].speaking(admitted).select("slot", *offers)
    counted = members.rename({"source": "slot"}).join(chosen, on=["group", "slot"], how="left")
    counted = counted.with_columns(pl.coalesce("source", "slot").alias("source"))
    others = quoted.join(
        counted.filter(pl.col("observation_id").is_not_null()).select(
            "group", "source", "observation_id"
        ),
        on=["group", "source", "observation_id"],
        how="anti",
    ).select(
        *offers,
        pl.lit(None, pl.Int64).alias("price_nano"),
        pl.lit("REFUSED").alias("status"),
        pl.col("refusal").fill_null("NOT_IN_PANEL").alias("reason"),
        pl.lit(0, pl.Int64).alias("weight_e8"),
        pl.lit(0, pl.Int64).alias("kept"),
    )
    columns = others.columns
    counted = counted.select(columns).sort("group")
    others = others.sort("group", "source", "provider", "listing_id", "observation_id")
    return pl.concat([counted, others])
