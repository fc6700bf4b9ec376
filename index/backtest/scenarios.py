"""What happens to an index when its market breaks: edits of observations, then the usual road.

Each scenario edits the observations of one index from a quiet day on (:mod:`edits`), and that day
and the next ones are determined by the functions that publish, from the panel state of the day
before. What should happen stands in :mod:`expected`; a test works it out by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any, Final

import polars as pl

from index import determine, prints
from index.backtest import edits
from index.backtest.expected import EXPECTED
from index.outcome import Inputs, Outcome
from index.prints import Draft
from index.publication.record import decimal_text, ratio_text
from index.selection import offers_of, select
from methodology import clock
from methodology import determination as det
from methodology.definition import CompositeDefinition, Definition, Methodology, RateDefinition

Row = dict[str, Any]

WATCHED: Final = 4
"""Days looked at from the first edited one on; the index is quiet on all of them and before."""

SHOWN_AT: Final = timedelta(minutes=30)
"""An edit shows so long after the window opens: inside its first partition (rulebook 4.2)."""

HOUR: Final = timedelta(hours=1)

CLASSES: Final[Mapping[str, tuple[str, ...]]] = {
    "catalogues kept by others": ("models_dev", "litellm", "gpurentalprices"),
    "sellers' own lists, by mirror": ("aws_history", "azure_history", "gcp_history"),
    "dated price list": ("genai_prices",),
}
"""Classes of sources that can fail together, as they share how they are made."""

REPRESENTATIVE: Final = (
    "TKR-gpt-oss-120b-BLD",
    "TKR-mistral-nemo-BLD",
    "GPR-H200-ANY-OD-NEO-GLB",
    "GPR-H100-SXM-80-OD-HYP-US",
    "TKX-ALL-BLD",
)
"""A trimmed panel, a median panel, neoclouds, three hyperscalers, a composite."""


@dataclass(frozen=True)
class Member:
    """Who counts on the day before: prices in nano-units, weights of 1e-8.

    ``name``: legal group, for a composite the model; ``seller``: who posts the price; ``pull``:
    kept weight of a rate, weight of a composite.
    """

    name: str
    seller: str
    source: str
    price: int
    weight: int
    pull: int


@dataclass(frozen=True)
class Case:
    """One index at its quiet day: what a scenario may edit, and what the next days start from."""

    index_id: str
    definition: Definition
    inputs: Inputs
    day: date
    members: tuple[Member, ...]
    base: Outcome
    rules: Methodology

    def opens(self, n: int = 0) -> datetime:
        """Return when the window of the n-th edited day opens."""
        return clock.window(self.definition.session, self.day + timedelta(days=n))[0]

    @property
    def shown(self) -> datetime:
        """When the edit shows."""
        return self.opens() + SHOWN_AT

    def of(self, members: Sequence[Member]) -> pl.Expr:
        """Return the condition that names what some members post."""
        if isinstance(self.definition, CompositeDefinition):
            models = pl.col("instrument_id").is_in([one.name for one in members])
            return models & pl.col("group").is_in([one.seller for one in members])
        return pl.col("group").is_in([one.seller for one in members])


@dataclass(frozen=True)
class Scenario:
    """One edit: its frames, the days that are shown, and whom it touches, in words."""

    id: str
    observations: pl.DataFrame
    days: tuple[int, ...]
    touched: str


def scenarios(case: Case) -> Iterator[Scenario]:
    """Return the scenarios of an index; what an index has not (a second source) is left out."""
    rows, coverage, at = case.inputs.observations, case.inputs.coverage, case.shown
    bounds, everyone = case.rules.bounds, pl.lit(True)
    served: dict[str, int] = {}
    for one in case.members:
        served[one.source] = served.get(one.source, 0) + one.weight
    largest = max(served, key=lambda source: (served[source], source))
    name, lost = next((n, c) for n, c in CLASSES.items() if largest in c)
    gone = edits.gone(rows, coverage, pl.col("source").is_in(lost), at)
    yield Scenario(
        "source_class", gone, (0,), f"{name}: {', '.join(s for s in lost if s in served)}"
    )
    if sum(s in served for s in lost) > 1:
        gone = edits.gone(rows, coverage, pl.col("source") == largest, at)
        yield Scenario("first_source", gone, (0,), largest)
    third = case.members[::3][: len(case.members) // 3]
    gone = edits.gone(rows, coverage, case.of(third), at)
    yield Scenario("third", gone, (0,), _named(third))
    seller = _heaviest(case.members)
    theirs = [one for one in case.members if one.seller == seller]
    far = edits.times(rows, coverage, case.of(theirs), at, Fraction(1000), bounds)
    yield Scenario("thousandfold", far, (0, 1), seller)
    if isinstance(case.definition, CompositeDefinition):
        far = edits.times(rows, coverage, pl.col("group") == INSIDE, at, Fraction(1000), bounds)
        yield Scenario("thousandfold_inside", far, (0,), INSIDE)
    sellers = sorted({one.seller for one in case.members})
    opened = case.opens()
    moments = {s: opened + HOUR * n / len(sellers) for n, s in enumerate(sellers)}
    half = edits.times_each(rows, coverage, moments, Fraction(1, 2), bounds)
    yield Scenario("all_halve", half, (0, 1), f"{len(sellers)} sellers")
    half = edits.times(rows, coverage, case.of(theirs), at, Fraction(1, 2), bounds)
    yield Scenario("one_halves", half, (0, 1), seller)
    silent = edits.gone(rows, coverage, everyone, at)
    for n in (1, 2, 3):
        back = edits.back_again(silent, rows, coverage, case.opens(n) + SHOWN_AT)
        yield Scenario(f"silent_{n}", back, (n - 1, n), "everybody")


INSIDE: Final = "mistral"
"""A developer in the composite whose prices stay inside the bounds at a thousand times."""


def _heaviest(members: Sequence[Member]) -> str:
    pull: dict[str, int] = {}
    for one in members:
        pull[one.seller] = pull.get(one.seller, 0) + one.pull
    return min(pull, key=lambda seller: (-pull[seller], seller))


def _named(members: Sequence[Member]) -> str:
    return ", ".join(one.name for one in members)


def run(
    inputs: Inputs,
    definitions: Sequence[Definition],
    rules: Methodology,
    until: Mapping[str, date | None],
    tell: Callable[[str], None] = lambda what: None,
    wanted: Sequence[str] = REPRESENTATIVE,
) -> list[Row]:
    """Return one row per index, scenario and shown day; an index without a quiet day has none."""
    found: list[Row] = []
    for index_id in wanted:
        tell(index_id)
        case = case_of(index_id, inputs, definitions, rules, until.get(index_id))
        if case is None:
            continue
        for one in scenarios(case):
            drafts = outcome_of(case, one.observations)
            found += [_row(case, one, n, drafts) for n in one.days]
    return found


def case_of(
    index_id: str,
    inputs: Inputs,
    definitions: Sequence[Definition],
    rules: Methodology,
    until: date | None,
) -> Case | None:
    """Return an index at its last quiet day, ``None`` if it has none by ``until``.

    Quiet: from the day before to :data:`WATCHED` days on, every day has a determined value, and
    nobody's price or status changes.
    """
    definition = next((d for d in definitions if index_id in d.index_ids), None)
    if definition is None or until is None:
        return None
    if isinstance(definition, RateDefinition):
        meter = next(m for m in definition.meters if definition.index_id(m) == index_id)
        definition = definition.model_copy(update={"meters": (meter,)})
    mine = replace(inputs, observations=_relevant(inputs.observations, definition))
    stop = {index_id: until}
    planned = determine.plan_all(mine, [definition], rules, until=stop)
    base = determine.determine_all(mine, planned, [definition], rules, until=stop)
    found = _quiet_day(base, definition, index_id, until)
    if found is None:
        return None
    day, members = found
    if isinstance(definition, RateDefinition):  # once more: the state that the day starts from
        before = [(index_id, day - timedelta(days=1))]
        base = determine.determine_all(
            mine, planned, [definition], rules, until=stop, keep_states=before
        )
    return Case(index_id, definition, mine, day, members, base, rules)


def _relevant(observations: pl.DataFrame, definition: Definition) -> pl.DataFrame:
    if isinstance(definition, RateDefinition):
        return observations.filter(
            (pl.col("instrument_id") == definition.instrument)
            & pl.col("source").is_in(definition.sources)
        )
    return observations.filter(
        (pl.col("provider_class") == "first_party") & pl.col("source").is_in(definition.sources)
    )


def _quiet_day(
    base: Outcome, definition: Definition, index_id: str, until: date
) -> tuple[date, tuple[Member, ...]] | None:
    seen = _days(base, definition, index_id)
    first = min(seen, default=until)
    day = until - timedelta(days=WATCHED - 1)
    while day > first:
        stretch = [seen.get(day + timedelta(days=n)) for n in range(-1, WATCHED)]
        members = stretch[0]
        if members and all(one == members for one in stretch):
            return day, members
        day -= timedelta(days=1)
    return None


def _days(
    base: Outcome, definition: Definition, index_id: str
) -> dict[date, tuple[Member, ...] | None]:
    """Return, of each day with a determined value, who counted; ``None`` for another day."""
    if isinstance(definition, CompositeDefinition):
        return {
            day: tuple(
                Member(
                    r["model"], r["developer"], r["source"], r["price_nano"], r["weight_e8"],
                    r["weight_e8"],
                )
                for r in told.rows
                if r["status"] == "OBSERVED"
            )
            if told.waterfall == "REDUCED"
            else None
            for day, told in base.composites[index_id].days.items()
        }  # fmt: skip
    series = base.rates[definition.session]
    i = next(n for n, p in enumerate(series.plans) if p.index_id == index_id)
    kept: dict[date, tuple[Member, ...] | None] = {}
    for row in series.fixings.filter(pl.col("index_id") == index_id).iter_rows(named=True):
        day = row["ref_date"]
        d = (day - series.index_days[0]).days
        vintage = series.plans[i].vintages[d]
        if row["waterfall"] not in ("FULL", "REDUCED") or vintage is None:
            kept[day] = None
            continue
        place = {g: n for n, g in enumerate(series.groups[i])}
        members = [
            Member(
                g, g, s, int(series.price[d, i, place[g]]), int(series.used_weight[d, i, place[g]]),
                int(series.kept[d, i, place[g]]),
            )
            for g, s in zip(vintage.groups, vintage.sources, strict=True)
            if series.status[d, i, place[g]] == det.OBSERVED
        ]  # fmt: skip
        is_whole = len(members) == row["groups"] and not row["has_imputed"]
        kept[day] = tuple(members) if is_whole else None
    return kept


def outcome_of(case: Case, observations: pl.DataFrame) -> dict[date, Draft]:
    """Return what the watched days of an index publish from other observations.

    They start from the unedited state of the day before, with the panels frozen before.
    """
    name, definition, rules = case.index_id, case.definition, case.rules
    days = [case.day + timedelta(days=n) for n in range(-1, WATCHED)]
    inputs = replace(case.inputs, observations=observations)
    until = {name: days[-1]}
    known = {}
    if isinstance(definition, RateDefinition):
        (plan,) = case.base.sessions[definition.session].plans
        held = plan.vintages[plan_day(case, days[0]) : plan_day(case, days[-1]) + 1]
        known = {name: {v.id: v for v in held if v is not None}}
    planned = determine.plan_all(
        inputs, [definition], rules, until=until, only_days={definition.session: days},
        lent_days=1, known=known,
    )  # fmt: skip
    watched = [(name, day) for day in days[1:]]
    if isinstance(definition, RateDefinition):
        state = case.base.rates[definition.session].states[name, days[0].toordinal()]
        made = determine.determine_all(
            inputs, planned, [definition], rules, until=until, before={name: state},
            keep_states=watched,
        )  # fmt: skip
    else:
        past = case.base.composites[name]
        basket = past.basket_on(days[0])
        assert basket is not None, f"{name} has a value on {days[0]}"
        made = determine.determine_all(
            inputs, planned, [definition], rules, until=until,
            composites_before={name: (basket, past.states[days[0]])},
        )  # fmt: skip
        made.composites[name].days[days[0]] = past.days[days[0]]
    drafts = {}
    for day in days[1:]:
        due, by_id = {name: day}, {name: definition}
        chosen = select(planned, offers_of(inputs, by_id, due, rules), by_id, due, inputs, rules)
        drafts[day] = prints.draft_all(made, chosen, rules)[name]
    return drafts


def plan_day(case: Case, day: date) -> int:
    """Return the place of a day in the base determination."""
    return (day - case.base.sessions[case.definition.session].index_days[0]).days


def _row(case: Case, one: Scenario, n: int, drafts: Mapping[date, Draft]) -> Row:
    day = case.day + timedelta(days=n)
    draft = drafts[day]
    before = value_before(case)
    value = draft.fields["value"]
    told = EXPECTED.get((case.index_id, one.id, n))
    flags = sorted(draft.flags)
    row: Row = {
        "index_id": case.index_id,
        "scenario": one.id,
        "touched": one.touched,
        "day": day.isoformat(),
        "day_of_scenario": n + 1,
        "value_before": before,
        "waterfall": draft.fields["waterfall"],
        "value": value,
        "change_pct": change_pct(before, value),
        "counted": draft.fields["n_used"],
        "flags": flags,
        "clauses": told.clauses if told else None,
        "says": told.says if told else None,
        "expected_waterfall": told.waterfall if told else None,
        "expected_value": told.value if told else None,
        "expected_flags": sorted(told.flags) if told else None,
    }
    row["as_expected"] = told is not None and (
        (row["waterfall"], value, flags) == (told.waterfall, told.value, sorted(told.flags))
    )
    return row


def value_before(case: Case) -> str:
    """Return the published value of the day before a scenario, as decimal text."""
    day = case.day - timedelta(days=1)
    if isinstance(case.definition, CompositeDefinition):
        units = case.base.composites[case.index_id].days[day].value_units
        decimals = 2
    else:
        rows = case.base.rates[case.definition.session].fixings
        found = rows.filter((pl.col("index_id") == case.index_id) & (pl.col("ref_date") == day))
        units, decimals = found["value_units"][0], found["decimals"][0]
    text = decimal_text(units, decimals)
    assert text is not None, f"{case.index_id} has a value on {day}"
    return text


def change_pct(before: str | None, after: str | None) -> str | None:
    """Return the change between two published values in percent, six decimals, half up."""
    if before is None or after is None or Fraction(before) == 0:
        return None
    change = 100 * (Fraction(after) / Fraction(before) - 1)
    return ratio_text(change.numerator, change.denominator, 6)
