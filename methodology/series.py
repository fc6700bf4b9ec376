"""Many index days of many rate indices: panels in, fixings and contributions out (rulebook 4-10).

The loop over days carries only state; each day is one call of ``determination.determine`` for all
indices of a session at once. A single published day is a series of length one that starts from
the panel state its predecessor recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date

import numpy as np
import numpy.typing as npt
import polars as pl

from methodology import panels
from methodology.definition import Methodology, RateDefinition
from methodology.panels import Vintage
from methodology.plans import FIXING_SCHEMA, LEVEL_BASE, PanelState, Plan, Series, decimals_of
from methodology.representative import PriceTable
from methodology.rights import Rights, load_rights
from methodology.series_run import Run


def plan(
    table: PriceTable,
    definition: RateDefinition,
    meter: str,
    index_days: Sequence[date],
    covered: npt.NDArray[np.bool_],
    rules: Methodology,
    volumes: Callable[[date], Mapping[str, int]] | None = None,
    known: Mapping[str, Vintage] | None = None,
    needs_two_paths: bool = False,
    rights: Rights | None = None,
) -> Plan:
    """Return the plan of one index; arguments as in ``panels``."""
    known_rights = load_rights() if rights is None else rights
    rows = panels.candidates(table, definition, meter, needs_two_paths, rules, known_rights)
    spoken = np.flatnonzero(covered).tolist()
    admitted = rows.filter(pl.col("reason").is_null() & pl.col("day").is_in(spoken))
    frozen = panels.vintages(admitted, index_days, definition, rules, volumes, known)
    name = definition.index_id(meter)
    decimals = decimals_of(definition, rules)
    by_tier = rules.evidence is not None and rules.evidence.best_tier_only
    return Plan(
        name,
        meter,
        definition,
        rows,
        frozen,
        covered,
        needs_two_paths,
        decimals=decimals,
        ranked_by=known_rights if by_tier else None,
    )


def determine_series(
    plans: Sequence[Plan],
    index_days: Sequence[date],
    cuts_us: Sequence[int],
    rules: Methodology,
    before: Mapping[str, PanelState] | None = None,
    keep_states: Collection[tuple[str, date]] = (),
    first: int = 0,
) -> Series:
    """Return the determinations of all plans over unbroken index days.

    Args:
        plans: indices of one session.
        index_days: the days in order.
        cuts_us: their cut-offs, microseconds UTC.
        rules: the parameters.
        before: panel states to start from; an index without one starts empty.
        keep_states: (index_id, ref_date) whose panel state after the day is wanted.
        first: place of the first day to determine. Days before it only lend their prices: a
            series that starts from a state needs those of the day before where a vintage changes
            (rulebook 8.2), or a newcomer has no price to be linked with.
    """
    run = Run(plans, index_days, cuts_us, rules)
    for name, state in (before or {}).items():
        run.load(name, state)
    wanted = {(name, day.toordinal()) for name, day in keep_states}
    for d in range(first, len(index_days)):
        run.step(d, wanted)
    return run.result()


__all__ = [
    "FIXING_SCHEMA",
    "LEVEL_BASE",
    "PanelState",
    "Plan",
    "Series",
    "decimals_of",
    "determine_series",
    "plan",
]
