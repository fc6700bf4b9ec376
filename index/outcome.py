"""What a pass reads, plans and yields: plain containers, no arithmetic."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from methodology.composite import Basket, CompositeDay, CompositeState
from methodology.definition import CompositeDefinition, DerivedDefinition
from methodology.representative import Coverage, PriceTable
from methodology.series import Plan, Series


@dataclass(frozen=True)
class Inputs:
    """Everything a determination reads: validated frames, nothing else.

    ``is_live``: coverage is not declared by a bundle; a silent source shows in the waterfall.
    """

    observations: pl.DataFrame
    volumes: pl.DataFrame
    rates: pl.DataFrame
    coverage: Coverage
    is_live: bool = False


@dataclass
class SessionPlan:
    """One session's days, prices and plans.

    ``first``: place of the first day to determine; days before it only lend their prices to a
    vintage that comes into force (rulebook 8.2). ``needs_two_paths``: a live run, whose jumps the
    seller's own date or a second source confirms (rulebook 6.2). ``memo``: prices of models, once
    they were read; every composite of a session reads the same.
    """

    session: str
    index_days: list[date]
    cuts_us: list[int]
    table: PriceTable
    plans: list[Plan]
    covered: dict[str, npt.NDArray[np.bool_]]
    first: int = 0
    needs_two_paths: bool = False
    memo: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass
class CompositeSeries:
    """One composite over its days: what each day yielded and the baskets in force."""

    definition: CompositeDefinition
    days: dict[date, CompositeDay] = field(default_factory=dict)
    baskets: dict[date, Basket] = field(default_factory=dict)
    states: dict[date, CompositeState] = field(default_factory=dict)
    skipped_links: list[date] = field(default_factory=list)
    no_basket_reason: str | None = None

    def basket_on(self, day: date) -> Basket | None:
        """Return the basket in force on a day: the last one linked before it, or on inception."""
        held = [linked for linked in self.baskets if linked <= day]
        return self.baskets[max(held)] if held else None


@dataclass(frozen=True)
class DerivedDay:
    """One index day of a derived index: value or reason, and what it was made from.

    ``value_units`` and ``level_units`` are integers of the series' decimals and of four decimals
    of a point (two where the value is the level). ``rows``: contributions. ``state``: canonical
    content of the state the day leaves.
    """

    value_units: int | None
    waterfall: str
    no_fix_reason: str | None
    rows: tuple[dict[str, Any], ...]
    state: dict[str, Any]
    level_units: int | None = None
    groups: int = 0
    is_stale: bool = False
    footnotes: tuple[str, ...] = ()


@dataclass
class DerivedSeries:
    """One derived index over its days, and how its values are written."""

    definition: DerivedDefinition
    currency: str
    unit: str
    decimals: int
    days: dict[date, DerivedDay] = field(default_factory=dict)

    def base_date(self) -> date | None:
        """Return the first day with a value."""
        return min((d for d, one in self.days.items() if one.value_units is not None), default=None)

    def before(self, day: date) -> int | None:
        """Return the value of the last day before this one, ``None`` if it had none."""
        earlier = [d for d in self.days if d < day]
        return self.days[max(earlier)].value_units if earlier else None


@dataclass
class Outcome:
    """Everything one pass determined."""

    sessions: dict[str, SessionPlan]
    rates: dict[str, Series]
    composites: dict[str, CompositeSeries]
    unit_values: dict[str, dict[date, tuple[int, int]]]
    crosses: dict[date, int]
    derived: dict[str, DerivedSeries] = field(default_factory=dict)
