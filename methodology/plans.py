"""One index ready to be determined, the state between its days, and what the days yielded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from methodology import determination as det
from methodology.definition import RateDefinition
from methodology.estimators import Ints
from methodology.panels import Vintage

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
    that jumps are confirmed as live prints require.
    """

    index_id: str
    meter: str
    definition: RateDefinition
    rows: pl.DataFrame
    vintages: list[Vintage | None]
    covered: npt.NDArray[np.bool_]
    needs_two_paths: bool = False

    @property
    def decimals(self) -> int:
        """Published decimals are looked up by family; see :func:`decimals_of`."""
        return 4 if self.definition.family == "GPR" else 6


@dataclass(frozen=True)
class PanelState:
    """What one index's day leaves for its next one: the content of a ``panel_state`` record.

    ``groups`` maps a legal group to its state; prices in nano-units, days as ordinals (0: never).
    ``link_level`` (1e-4 points) and ``link_value`` (published units of the rate) are what the
    chained level multiplies; ``is_switched``: a vintage came into force and no value has linked it
    yet; ``value`` is the last published value in units, 0 before the first.
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
    chosen = quoted.filter(pl.col("refusal").is_null()).select(offers)
    counted = members.join(chosen, on=["group", "source"], how="left")
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
