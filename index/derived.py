"""Derived indices over a pass: from what the pass determined, and from volumes (rulebook 18 to 20).

Every family yields the same thing per index day, a :class:`DerivedDay`, and one draft makes the
record of it (``draft_derived``). A derived value is computed from published, rounded values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from index import derived_quality, derived_usage
from index.outcome import DerivedDay, DerivedSeries, Inputs, Outcome
from methodology.definition import Definition, DerivedDefinition, Methodology
from methodology.derived_definitions import (
    QualityDefinition,
    SpreadDefinition,
    UsageDefinition,
)
from methodology.errors import DefinitionError
from methodology.series import Series
from methodology.spread import (
    HEAT_UNITS,
    HeatRate,
    heat_rate_on,
    load_heat_rates,
    spread_units,
    worse_level,
)


@dataclass(frozen=True)
class Leg:
    """What one leg published on a day; ``units`` is ``None`` without a value."""

    index_id: str
    units: int | None = None
    decimals: int = 0
    waterfall: str = "NO_FIX"
    groups: int = 0

    @property
    def nano(self) -> int | None:
        """The published value in nano-units."""
        return None if self.units is None else self.units * 10 ** (9 - self.decimals)


def legs_of(rates: Series, definition: SpreadDefinition) -> dict[date, tuple[Leg, Leg]]:
    """Return both legs by index day; a leg that was not determined has no value."""
    found: dict[str, dict[date, Leg]] = {name: {} for name in definition.legs}
    mine = rates.fixings.filter(pl.col("index_id").is_in(definition.legs))
    for name, day, units, decimals, level, groups in mine.select(
        "index_id", "ref_date", "value_units", "decimals", "waterfall", "groups"
    ).iter_rows():
        found[name][day] = Leg(name, units, decimals, level, groups)
    first, second = definition.legs
    days = sorted({*found[first], *found[second]})
    return {
        day: (found[first].get(day, Leg(first)), found[second].get(day, Leg(second)))
        for day in days
    }


def spread_day(
    definition: SpreadDefinition, legs: tuple[Leg, Leg], line: HeatRate | None, rules: Methodology
) -> DerivedDay:
    """Return one day of a spread from its legs and the heat rate in force (rulebook 18.3)."""
    parts = rules.blend["BLD"]
    hours = line.gpu_hours_e6(definition.meter, (parts["IN"], parts["OUT"])) if line else None
    quantities = (HEAT_UNITS, None if hours is None else -hours)
    rows = [
        {
            "group": leg.index_id,
            "instrument_id": instrument,
            "meter": meter,
            "source": definition.sources[n],
            "status": "OBSERVED" if leg.units is not None else "DROPPED",
            "reason": "" if leg.units is not None else "LEG_NO_FIX",
            "price_nano": leg.nano,
            "quantity_e12": None if quantity is None else str(quantity * 10**6),
        }
        for n, (leg, instrument, meter, quantity) in enumerate(
            zip(
                legs,
                (definition.model, definition.sku),
                (definition.meter, "GPU_H"),
                quantities,
                strict=True,
            )
        )
    ]
    silent = [leg.index_id for leg in legs if leg.units is None]
    state: dict[str, Any] = {
        "legs": {
            leg.index_id: {
                "value_nano": None if leg.nano is None else str(leg.nano),
                "waterfall": leg.waterfall,
            }
            for leg in legs
        },
        "gpu_hours_e6": hours,
    }
    reason = None
    if silent:
        reason = f"{' and '.join(silent)} without a value (rulebook 18.4)"
    elif hours is None:
        reason = "no heat rate is in force (rulebook 18.2)"
    if reason is not None or hours is None:
        return DerivedDay(None, "NO_FIX", reason, tuple(rows), state)
    token, gpu = legs
    assert token.units is not None
    assert gpu.units is not None
    units = spread_units(
        (token.units, token.decimals),
        (gpu.units, gpu.decimals),
        hours,
        rules.precision.token_decimals,
    )
    level = worse_level(leg.waterfall for leg in legs)
    groups = min(leg.groups for leg in legs)
    return DerivedDay(units, level, None, tuple(rows), state, groups=groups)


def spread_series(
    definition: SpreadDefinition,
    rates: Series,
    days: Sequence[date],
    rules: Methodology,
    lines: Sequence[HeatRate] | None = None,
) -> DerivedSeries:
    """Return a spread over index days."""
    table = load_heat_rates() if lines is None else lines
    by_day = legs_of(rates, definition)
    first, second = definition.legs
    made = DerivedSeries(definition, "USD", "USD/1e6tok", rules.precision.token_decimals)
    for day in days:
        line = heat_rate_on(table, definition.model, definition.sku, definition.precision, day)
        legs = by_day.get(day, (Leg(first), Leg(second)))
        made.days[day] = spread_day(definition, legs, line, rules)
    return made


def derive_all(
    inputs: Inputs,
    outcome: Outcome,
    definitions: Sequence[Definition],
    rules: Methodology,
    until: Mapping[str, date | None],
    before: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, DerivedSeries]:
    """Return every derived index of the definitions, by index id."""
    found: dict[str, DerivedSeries] = {}
    for definition in definitions:
        if not isinstance(definition, DerivedDefinition):
            continue
        name, one = definition.index_id, outcome.sessions.get(definition.session)
        stop = until.get(name)
        if one is None or stop is None:
            continue
        days = [
            day
            for day in one.index_days[one.first :]
            if definition.effective_from <= day <= stop and definition.is_due(day)
        ]
        state = (before or {}).get(name)
        if isinstance(definition, SpreadDefinition):
            found[name] = spread_series(definition, outcome.rates[one.session], days, rules)
        elif isinstance(definition, UsageDefinition):
            found[name] = derived_usage.series(definition, inputs, one, days, rules, state)
        else:
            found[name] = derived_quality.series(definition, inputs, one, days, rules)
    return found


def _last(
    masks: Sequence[npt.NDArray[np.bool_]], index_days: Sequence[date], how: np.ufunc
) -> date | None:
    """Return the last day on which any, or all, of some sources speak."""
    spoken = np.flatnonzero(how.reduce(masks)) if masks else np.array([], np.int64)
    return index_days[int(spoken[-1])] if spoken.size else None


def last_days(
    definitions: Sequence[Definition],
    found: Mapping[str, date | None],
    inputs: Inputs,
    index_days: Sequence[date],
    covered: Mapping[str, Mapping[str, npt.NDArray[np.bool_]]],
    rules: Methodology,
) -> dict[str, date | None]:
    """Return the last index day of each derived index.

    Args:
        definitions: all definitions of the pass.
        found: last days of the rates.
        inputs: validated frames.
        index_days: the index days of the inputs' horizon.
        covered: per session and source, on which of the index days the source speaks.
        rules: the parameters.

    A spread ends with the leg that ends first; disclosed use with the last day on which any source
    speaks; measured use with its volumes; a quality-adjusted index with the last month all of whose
    days its sources cover.

    Raises:
        DefinitionError: a spread names a leg of another session.
    """
    sessions = {name: d.session for d in definitions for name in d.index_ids}
    last: dict[str, date | None] = {}
    for definition in definitions:
        if not isinstance(definition, DerivedDefinition):
            continue
        name, masks = definition.index_id, covered[definition.session]
        stop = _last(list(masks.values()), index_days, np.logical_or)
        if isinstance(definition, SpreadDefinition):
            for leg in definition.legs:
                if sessions.get(leg, definition.session) != definition.session:
                    raise DefinitionError(
                        f"{name}: {leg} is of session {sessions[leg]}, the spread of "
                        f"{definition.session}; both legs must be fixed at one cut-off"
                    )
            ends = [found.get(leg) for leg in definition.legs]
            known = [end for end in ends if end is not None]
            stop = min(known) if len(known) == len(ends) else None
        elif isinstance(definition, UsageDefinition) and definition.basis == "measured":
            stop = derived_usage.last_measured(definition, inputs, index_days, stop, rules)
        elif isinstance(definition, QualityDefinition):
            mine = [masks[source] for source in definition.sources if source in masks]
            stop = _last(mine, index_days, np.logical_and)
        if isinstance(definition, QualityDefinition) and stop is not None:
            following = date.fromordinal(stop.toordinal() + 1)
            stop = date.fromordinal(following.replace(day=1).toordinal() - 1)
        last[name] = stop if stop is not None and stop >= definition.effective_from else None
    return last
