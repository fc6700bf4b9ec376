"""From observations to determinations of every index: one pass for publishing and for replay.

``plan_all`` selects and freezes (who may count, from which basket) and needs no value;
``determine_all`` then computes. A commitment is logged between the two.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from index import composites, derived
from index.outcome import CompositeSeries, Inputs, Outcome, SessionPlan
from methodology import clock, fx, representative, series
from methodology.composite import Basket, CompositeState, volume_period
from methodology.definition import (
    CompositeDefinition,
    Definition,
    DerivedDefinition,
    Methodology,
    RateDefinition,
)
from methodology.errors import CoverageError
from methodology.panels import Vintage
from methodology.series import PanelState
from methodology.volumes import host_volumes

Progress = Callable[[str], None]

SESSIONS = ("SHA", "NYC")


def covered_days(
    inputs: Inputs, session: str, index_days: Sequence[date], rules: Methodology
) -> dict[str, npt.NDArray[np.bool_]]:
    """Return, per source, on which index days it speaks about more than half of the window."""
    windows = representative.window_table(session, index_days)
    spans, captures = inputs.coverage.spans, inputs.coverage.captures
    limit = timedelta(hours=rules.window.max_fetch_age_hours)
    snapshots = (
        captures.sort("source", "captured_at")
        .with_columns(
            pl.min_horizontal(
                pl.col("captured_at") + limit, pl.col("captured_at").shift(-1).over("source")
            ).alias("covered_to")
        )
        .select("source", pl.col("captured_at").alias("covered_from"), "covered_to")
    )
    declared = spans.filter(pl.col("mode") != "snapshot").select(
        "source", "covered_from", "covered_to"
    )
    pieces = pl.concat([declared, snapshots]).select(
        "source",
        pl.col("covered_from").dt.epoch("us").alias("from_us"),
        pl.col("covered_to").dt.epoch("us").alias("until_us"),
    )
    counted = (
        representative.spread(pieces, windows)
        .group_by("source", "day")
        .agg(pl.col("count").sum(), pl.col("partitions").first())
        .filter(2 * pl.col("count") > pl.col("partitions"))
    )
    found = {}
    for source in spans["source"].unique().to_list():
        mask = np.zeros(len(index_days), np.bool_)
        mask[counted.filter(pl.col("source") == source)["day"].to_numpy()] = True
        found[source] = mask
    return found


def _is_covered(
    definition: Definition, covered: Mapping[str, npt.NDArray[np.bool_]], inputs: Inputs, days: int
) -> npt.NDArray[np.bool_]:
    if inputs.is_live:
        return np.ones(days, np.bool_)
    masks = [covered[source] for source in definition.sources if source in covered]
    if not masks:
        return np.zeros(days, np.bool_)
    result: npt.NDArray[np.bool_] = np.logical_and.reduce(masks)
    return result


def last_covered(
    inputs: Inputs, definitions: Sequence[Definition], rules: Methodology
) -> dict[str, date | None]:
    """Return the last index day inside the coverage of each index's sources, ``None`` if none.

    Composites in CNY also need a currency rate of that day, unit values 28 days of volumes.
    """
    first, last = _horizon(inputs)
    index_days = clock.days(first, last)
    crosses = fx.cny_per_usd(inputs.rates)
    found: dict[str, date | None] = {}
    by_session = {s: covered_days(inputs, s, index_days, rules) for s in SESSIONS}
    for definition in definitions:
        if isinstance(definition, DerivedDefinition):
            continue
        mask = _is_covered(definition, by_session[definition.session], inputs, len(index_days))
        days = [index_days[n] for n in np.flatnonzero(mask)]
        if isinstance(definition, CompositeDefinition):
            days = [d for d in days if d >= definition.inception]
            if definition.currency == "CNY":
                age = rules.fx.max_age_days
                days = [d for d in days if fx.rate_for(definition.session, d, crosses, age)]
            if definition.family == "TEX":
                spoken = {day for _, day in _tokens_for(inputs, definition)}
                days = [d for d in days if spoken.issuperset(_volume_days(d, rules))]
        for index_id in definition.index_ids:
            found[index_id] = days[-1] if days else None
    return found | derived.last_days(definitions, found, inputs, index_days, by_session, rules)


def _tokens_for(inputs: Inputs, definition: CompositeDefinition) -> dict[tuple[str, date], int]:
    """Return tokens by model and day from the one source that the definition names."""
    named = pl.col("source") == definition.volume_source
    return composites.model_tokens(inputs.volumes.filter(named))


def _volume_days(day: date, rules: Methodology) -> list[date]:
    return clock.days(*volume_period(day, rules))


def _horizon(inputs: Inputs) -> tuple[date, date]:
    spans, captures = inputs.coverage.spans, inputs.coverage.captures
    starts = [spans["covered_from"].min(), captures["captured_at"].min()]
    ends = [spans["covered_to"].max(), captures["captured_at"].max()]
    known_starts = [t for t in starts if isinstance(t, datetime)]
    known_ends = [t for t in ends if isinstance(t, datetime)]
    if not known_starts or not known_ends:
        raise CoverageError("no source covers any moment: nothing can be determined")
    return min(known_starts).date(), max(known_ends).date() + timedelta(days=1)


def plan_all(
    inputs: Inputs,
    definitions: Sequence[Definition],
    rules: Methodology,
    *,
    until: Mapping[str, date | None] | None = None,
    only_days: Mapping[str, Sequence[date]] | None = None,
    lent_days: int = 0,
    known: Mapping[str, Mapping[str, Vintage]] | None = None,
    progress: Progress | None = None,
) -> dict[str, SessionPlan]:
    """Return per session the days, representative prices and frozen panels; no value yet.

    Args:
        inputs: validated frames.
        definitions: indices to plan.
        rules: the parameters.
        until: last day per index (a back-cast stops where coverage ends).
        only_days: per session, determine just these days (a live run); else the whole history.
        lent_days: how many of the first days only lend their prices (a live run).
        known: per index, vintages frozen earlier.
        progress: told the name of each step.
    """
    tell = progress or (lambda step: None)
    whole = None if only_days else clock.days(*_horizon(inputs))
    pieces = representative.segments(inputs.observations, inputs.coverage, rules)
    planned = {}
    for session in SESSIONS:
        index_days = whole or list((only_days or {}).get(session, ()))
        mine = [d for d in definitions if d.session == session]
        if not index_days or not mine:
            continue
        tell(f"representative prices {session}")
        windows = representative.window_table(session, index_days)
        counted = _countable(pieces, mine, any_source=inputs.is_live)
        table = representative.price_table(counted, windows, rules)
        covered = covered_days(inputs, session, index_days, rules)
        tell(f"panels {session}")
        plans = []
        for definition in mine:
            if not isinstance(definition, RateDefinition):
                continue
            mask = _is_covered(definition, covered, inputs, len(index_days))
            for meter in definition.meters:
                name = definition.index_id(meter)
                stop = (until or {}).get(name)
                inside = mask & np.array([not stop or d <= stop for d in index_days])
                frozen = (known or {}).get(name)
                plans.append(
                    series.plan(
                        table,
                        definition,
                        meter,
                        index_days,
                        inside,
                        rules,
                        volumes=_volumes_of(inputs, definition.instrument),
                        known=frozen,
                        needs_two_paths=inputs.is_live,
                    )
                )
        cuts = windows["cut_us"].to_list()
        planned[session] = SessionPlan(
            session, index_days, cuts, table, plans, covered, lent_days, inputs.is_live
        )
    return planned


def _volumes_of(inputs: Inputs, instrument: str) -> Callable[[date], Mapping[str, int]]:
    """Return what gives an instrument's host volumes for a freeze day (empty: equal weights)."""
    return lambda day: host_volumes(inputs.volumes, day).get(instrument, {})


def _countable(
    pieces: pl.DataFrame, definitions: Sequence[Definition], *, any_source: bool
) -> pl.DataFrame:
    """Return the segments that some index of the session could count, or be confirmed by.

    ``any_source``: a live run, in which a source that an index does not count may confirm the
    jump of one that it does (rulebook 6.2). Composites read first parties. The rest are refused
    for their class alone, and are looked up only for the days whose refusals are shown.
    """
    wanted = pl.lit(False)
    for definition in definitions:
        if isinstance(definition, RateDefinition):
            wanted = wanted | (
                (pl.col("instrument_id") == definition.instrument)
                & (pl.lit(any_source) | pl.col("source").is_in(definition.sources))
                & pl.col("provider_class").is_in(definition.classes)
            )
        else:
            wanted = wanted | (
                (pl.col("provider_class") == "first_party")
                & pl.col("source").is_in(definition.sources)
            )
    return pieces.filter(wanted)


def determine_all(
    inputs: Inputs,
    planned: dict[str, SessionPlan],
    definitions: Sequence[Definition],
    rules: Methodology,
    *,
    until: Mapping[str, date | None],
    before: Mapping[str, PanelState] | None = None,
    composites_before: Mapping[str, tuple[Basket, CompositeState]] | None = None,
    derived_before: Mapping[str, Mapping[str, Any]] | None = None,
    keep_states: Collection[tuple[str, date]] = (),
    progress: Progress | None = None,
) -> Outcome:
    """Return every determination of the planned days.

    Args:
        inputs: validated frames.
        planned: the output of :func:`plan_all`.
        definitions: the same definitions.
        rules: the parameters.
        until: last day per index.
        before: panel states to start from.
        composites_before: basket and state each composite continues from (a live run); without
            it a composite starts at its inception.
        derived_before: state each derived index continues from (a live run).
        keep_states: (index, day) whose state after the day is wanted.
        progress: told the name of each step.
    """
    tell = progress or (lambda step: None)
    rates = {}
    for session, mine in planned.items():
        tell(f"determine {session}")
        names = {p.index_id for p in mine.plans}
        states = {name: state for name, state in (before or {}).items() if name in names}
        rates[session] = series.determine_series(
            mine.plans, mine.index_days, mine.cuts_us, rules, states, keep_states, mine.first
        )
    crosses = fx.cny_per_usd(inputs.rates)
    tell("composites")
    outcome = Outcome(planned, rates, {}, {}, crosses)
    for definition in definitions:
        if not isinstance(definition, CompositeDefinition):
            continue
        volumes = _tokens_for(inputs, definition)
        one = planned.get(definition.session)
        stop = until.get(definition.index_id)
        if one is None or stop is None:
            continue
        if definition.family == "TKX":
            outcome.composites[definition.index_id] = composites.composite_series(
                definition,
                one,
                rates,
                crosses,
                volumes,
                stop,
                rules,
                (composites_before or {}).get(definition.index_id),
            )
        else:
            outcome.unit_values[definition.index_id] = composites.unit_values(
                definition, one, rates, crosses, volumes, stop, rules
            )
    tell("derived")
    outcome.derived = derived.derive_all(inputs, outcome, definitions, rules, until, derived_before)
    return outcome


__all__ = [
    "CompositeSeries",
    "Inputs",
    "Outcome",
    "SessionPlan",
    "covered_days",
    "determine_all",
    "last_covered",
    "plan_all",
]
