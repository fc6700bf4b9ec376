"""From observations to determinations of every index: one pass for publishing and for replay.

``plan_all`` selects and freezes (who may count, from which basket) and needs no value;
``determine_all`` then computes. A commitment is logged between the two.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from methodology import clock, composite, fx, register, representative, series
from methodology.composite import Basket, CompositeDay, CompositeState, Good, ModelPrice
from methodology.definition import (
    CompositeDefinition,
    Definition,
    Methodology,
    RateDefinition,
)
from methodology.errors import CoverageError
from methodology.panels import Vintage
from methodology.representative import Coverage, PriceTable
from methodology.series import PanelState, Plan, Series
from methodology.units import round_half_up

Progress = Callable[[str], None]

SESSIONS = ("SHA", "NYC")


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
    """One session's days, prices and plans."""

    session: str
    index_days: list[date]
    cuts_us: list[int]
    table: PriceTable
    plans: list[Plan]
    covered: dict[str, npt.NDArray[np.bool_]]


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


@dataclass
class Outcome:
    """Everything one pass determined."""

    sessions: dict[str, SessionPlan]
    rates: dict[str, Series]
    composites: dict[str, CompositeSeries]
    unit_values: dict[str, dict[date, tuple[int, int]]]
    crosses: dict[date, int]


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

    Composites in CNY also need a currency rate of that day, unit values a day of volumes.
    """
    first, last = _horizon(inputs)
    index_days = clock.days(first, last)
    crosses = fx.cny_per_usd(inputs.rates)
    found: dict[str, date | None] = {}
    by_session = {s: covered_days(inputs, s, index_days, rules) for s in SESSIONS}
    spoken = set(inputs.volumes["period_start"].to_list())
    for definition in definitions:
        mask = _is_covered(definition, by_session[definition.session], inputs, len(index_days))
        days = [index_days[n] for n in np.flatnonzero(mask)]
        if isinstance(definition, CompositeDefinition):
            days = [d for d in days if d >= definition.inception]
            if definition.currency == "CNY":
                age = rules.fx.max_age_days
                days = [d for d in days if fx.rate_for(definition.session, d, crosses, age)]
            if definition.family == "TEX":
                days = [d for d in days if d - timedelta(days=1) in spoken]
        for index_id in definition.index_ids:
            found[index_id] = days[-1] if days else None
    return found


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
        table = representative.price_table(_countable(pieces, mine), windows, rules)
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
                    series.plan(table, definition, meter, index_days, inside, rules, known=frozen)
                )
        cuts = windows["cut_us"].to_list()
        planned[session] = SessionPlan(session, index_days, cuts, table, plans, covered)
    return planned


def _countable(pieces: pl.DataFrame, definitions: Sequence[Definition]) -> pl.DataFrame:
    """Return the segments that some index of the session could count.

    Composites read first parties. The rest are refused for their class alone, and are looked up
    only for the days whose refusals are shown.
    """
    wanted = pl.lit(False)
    for definition in definitions:
        if isinstance(definition, RateDefinition):
            wanted = wanted | (
                (pl.col("instrument_id") == definition.instrument)
                & pl.col("source").is_in(definition.sources)
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
            mine.plans, mine.index_days, mine.cuts_us, rules, states, keep_states
        )
    crosses = fx.cny_per_usd(inputs.rates)
    tell("composites")
    outcome = Outcome(planned, rates, {}, {}, crosses)
    volumes = model_tokens(inputs.volumes)
    for definition in definitions:
        if not isinstance(definition, CompositeDefinition):
            continue
        one = planned.get(definition.session)
        stop = until.get(definition.index_id)
        if one is None or stop is None:
            continue
        if definition.family == "TKX":
            outcome.composites[definition.index_id] = _composite(
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
            outcome.unit_values[definition.index_id] = _unit_values(
                definition, one, rates, volumes, stop, rules
            )
    return outcome


def model_tokens(volumes: pl.DataFrame) -> dict[str, dict[tuple[str, date], int]]:
    """Return daily tokens per model by what they pay: IN (uncached prompt), CIN (cached), OUT.

    Prompt counts include cached tokens, completion counts include reasoning tokens; subjects are
    mapped to models by exact id, unmapped subjects are left out.
    """
    known = register.token_listing_map().rename({"listing_id": "subject"})
    rows = volumes.join(known, on=["source", "subject"], how="inner").with_columns(
        pl.col("period_start").alias("day")
    )
    wide = rows.group_by("instrument_id", "day").agg(
        *(
            pl.col("quantity").filter(pl.col("meter") == meter).sum().alias(meter)
            for meter in ("prompt", "completion", "cached")
        )
    )
    found: dict[str, dict[tuple[str, date], int]] = {"IN": {}, "CIN": {}, "OUT": {}}
    for model, day, prompt, completion, cached in wide.sort("instrument_id", "day").iter_rows():
        found["IN"][model, day] = max(0, prompt - cached)
        found["CIN"][model, day] = min(cached, prompt)
        found["OUT"][model, day] = completion
    return found


def goods() -> list[Good]:
    """Return every model of the register as a possible constituent."""
    return [Good(m.id, m.developer, m.domicile, m.open_weights) for m in register.load_models()]


def model_prices(
    one: SessionPlan, rates: Mapping[str, Series], meter: str, min_groups: int
) -> dict[str, dict[tuple[str, date], ModelPrice]]:
    """Return prices by source, model and index day: first-party posts, and TKR fixings.

    A developer's own price is the lowest of its listings of that model on one source. A TKR
    fixing counts on the index day of the first cut-off at or after its own.
    """
    developers = pl.DataFrame(
        [(m.id, m.developer) for m in register.load_models()],
        schema=["instrument_id", "developer"],
        orient="row",
    )
    is_own = (pl.col("provider_class") == "first_party") & (pl.col("unit") == "usd_per_mtok")
    rows = (
        one.table.select(is_own, meter)
        .filter(~pl.col("is_suspect"))
        .join(developers, on="instrument_id")
        .filter(pl.col("group") == pl.col("developer"))
        .sort("source", "instrument_id", "day", "price_nano", "provider", "listing_id")
        .unique(["source", "instrument_id", "day"], keep="first", maintain_order=True)
    )
    found: dict[str, dict[tuple[str, date], ModelPrice]] = {}
    for source, model, day, price, confirmed, observation in rows.select(
        "source", "instrument_id", "day", "price_nano", "is_confirmed", "observation_id"
    ).iter_rows():
        key = (model, one.index_days[day])
        found.setdefault(source, {})[key] = ModelPrice(price, confirmed, observation)
    for session, made in rates.items():
        later = (
            1
            if clock.cut_off(session, date(2026, 1, 2))
            > clock.cut_off(one.session, date(2026, 1, 2))
            else 0
        )
        wanted = made.fixings.filter(
            pl.col("index_id").str.starts_with("TKR-")
            & pl.col("index_id").str.ends_with(f"-{meter}")
            & pl.col("waterfall").is_in(["FULL", "REDUCED", "CARRIED_INPUT"])
            & (pl.col("groups") >= min_groups)
        )
        for name, day, units, decimals in wanted.select(
            "index_id", "ref_date", "value_units", "decimals"
        ).iter_rows():
            model = name.removeprefix("TKR-").removesuffix(f"-{meter}")
            key = (model, day + timedelta(days=later))
            price = ModelPrice(units * 10 ** (9 - decimals), True, name)
            found.setdefault("TKR", {})[key] = price
    return found


def _in_currency(
    prices: dict[str, dict[tuple[str, date], ModelPrice]],
    definition: CompositeDefinition,
    crosses: Mapping[date, int],
    rules: Methodology,
) -> dict[str, dict[tuple[str, date], ModelPrice]]:
    if definition.currency == "USD":
        return prices
    converted: dict[str, dict[tuple[str, date], ModelPrice]] = {}
    for source, held in prices.items():
        for (model, day), price in held.items():
            rate = fx.rate_for(definition.session, day, crosses, rules.fx.max_age_days)
            if rate is not None:
                nano = round_half_up(price.price_nano * rate.rate_e6, 10**6)
                converted.setdefault(source, {})[model, day] = ModelPrice(
                    nano, price.is_confirmed, price.observation_id
                )
    return converted


def _composite(
    definition: CompositeDefinition,
    one: SessionPlan,
    rates: Mapping[str, Series],
    crosses: Mapping[date, int],
    volumes: Mapping[str, Mapping[tuple[str, date], int]],
    stop: date,
    rules: Methodology,
    before: tuple[Basket, CompositeState] | None,
) -> CompositeSeries:
    prices = _in_currency(
        model_prices(one, rates, definition.meter or "BLD", rules.composite.tkr_min_groups),
        definition,
        crosses,
        rules,
    )
    tokens: dict[tuple[str, date], int] = {}
    for held in volumes.values():
        for key, quantity in held.items():
            tokens[key] = tokens.get(key, 0) + quantity
    made = CompositeSeries(definition)
    everything = goods()
    if before is not None:
        basket, state = before
        todo = [day for day in one.index_days if day <= stop]
    elif definition.inception in one.index_days:
        try:
            basket = composite.make_basket(
                definition, everything, prices, tokens, definition.inception, rules
            )
        except CoverageError as error:
            made.no_basket_reason = str(error)
            return made
        state = CompositeState.empty()
        todo = clock.days(definition.inception, stop)
    else:
        return made
    made.baskets[basket.linked_on] = basket
    for day in todo:
        told, state = composite.determine_composite(basket, prices, day, state, rules)
        made.days[day], made.states[day] = told, state
        due = day.day == 1 and day.month in (1, 4, 7, 10) and day != definition.inception
        if due and told.value_units is not None:
            try:
                basket = composite.make_basket(
                    definition, everything, prices, tokens, day, rules, told.value_units
                )
            except CoverageError:
                made.skipped_links.append(day)
                continue
            made.baskets[day] = basket
            state = composite.relink(state, basket, day)
    return made


def _unit_values(
    definition: CompositeDefinition,
    one: SessionPlan,
    rates: Mapping[str, Series],
    volumes: Mapping[str, Mapping[tuple[str, date], int]],
    stop: date,
    rules: Methodology,
) -> dict[date, tuple[int, int]]:
    by_meter = {
        meter: model_prices(one, rates, meter, rules.composite.tkr_min_groups)
        for meter in ("IN", "CIN", "OUT")
    }
    wanted = {
        g.model for g in goods() if not definition.domiciles or g.domicile in definition.domiciles
    }
    found: dict[date, tuple[int, int]] = {}
    for day in clock.days(definition.inception, stop):
        used = day - timedelta(days=1)
        tokens: dict[str, dict[str, int]] = {}
        prices: dict[str, dict[str, int]] = {}
        for meter, held in volumes.items():
            for (model, when), quantity in held.items():
                if when == used and model in wanted:
                    tokens.setdefault(model, {})[meter] = quantity
        for model in tokens:
            quoted: dict[str, int] = {}
            for source in definition.sources:
                here = {
                    meter: by_meter[meter].get(source, {}).get((model, day)) for meter in by_meter
                }
                if here["IN"] and here["OUT"]:
                    quoted = {meter: p.price_nano for meter, p in here.items() if p}
                    break
            if quoted:
                prices[model] = quoted
        value = composite.unit_value_nano(tokens, prices)
        if value is not None:
            found[day] = value
    return found
