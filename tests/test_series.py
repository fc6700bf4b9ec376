"""Series of days: links at vintage changes, and a day alone equal to the day in a series."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from methodology.definition import RateDefinition, load_definitions, load_methodology
from methodology.panels import Vintage, estimator_for, weights_for
from methodology.plans import PanelState, Plan, Series
from methodology.series import determine_series

RULES = load_methodology()
DEFINITION = next(
    d for d in load_definitions() if isinstance(d, RateDefinition) and d.family == "TKR"
)
SOURCE = DEFINITION.sources[0]
START = date(2026, 1, 29)
DAY_US = 86_400_000_000


def vintage(name: str, groups: str) -> Vintage:
    """A panel of one-letter groups with equal weights."""
    estimator = estimator_for(len(groups), RULES)
    volumes: tuple[int | None, ...] = (None,) * len(groups)
    weights = weights_for(volumes, "V4", estimator, RULES)
    served = (SOURCE,) * len(groups)
    return Vintage(name, START, tuple(sorted(groups)), served, weights, volumes, "V4", estimator)


def plan(panels: list[Vintage | None], prices: list[dict[str, int]]) -> Plan:
    """A plan of one index: each day's panel and each day's prices in thousandths of a dollar."""
    rows = [
        (
            n,
            group,
            SOURCE,
            group,
            group,
            price * 10**6,
            True,
            False,
            n * DAY_US,
            "E3",
            f"{group}{n}",
            None,
        )
        for n, today in enumerate(prices)
        for group, price in sorted(today.items())
    ]
    schema = {
        "day": pl.Int64,
        "group": pl.String,
        "source": pl.String,
        "provider": pl.String,
        "listing_id": pl.String,
        "price_nano": pl.Int64,
        "is_confirmed": pl.Boolean,
        "is_suspect": pl.Boolean,
        "seen_us": pl.Int64,
        "tier": pl.String,
        "observation_id": pl.String,
        "reason": pl.String,
    }
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    covered = np.ones(len(prices), np.bool_)
    index_id = DEFINITION.index_id("BLD")
    return Plan(index_id, "BLD", DEFINITION, frame, panels, covered, decimals=6)


def run(
    made: Plan,
    first: int = 0,
    before: dict[str, PanelState] | None = None,
    lend: int = 0,
) -> Series:
    """Determine the plan's days from the ``first`` one on; ``lend`` days before lend prices."""
    start = first - lend
    count = len(made.vintages) - start
    days = [START + timedelta(days=start + n) for n in range(count)]
    part = Plan(
        made.index_id,
        made.meter,
        made.definition,
        made.rows.filter(pl.col("day") >= start).with_columns(pl.col("day") - start),
        made.vintages[start:],
        made.covered[start:],
        decimals=made.decimals,
    )
    cuts = [DAY_US * (start + n) for n in range(count)]
    wanted = [(made.index_id, day) for day in days]
    return determine_series([part], days, cuts, RULES, before, wanted, lend)


OLD, NEW = vintage("BOOTSTRAP", "abcde"), vintage("2026-02", "abcdf")
FLAT = {"a": 1000, "b": 1100, "c": 1200, "d": 1300, "e": 1400, "f": 100}
CHANGE = [OLD] * 3 + [NEW] * 3
"""The panel changes on 1 February: e (dear) leaves, f (cheap) comes."""


def told(found: Series, column: str) -> list[object]:
    return found.fixings[column].to_list()


def test_a_new_panel_moves_the_rate_and_not_the_chained_level() -> None:
    flat = {**FLAT, "f": 500}  # inside a factor of four of the others
    found = run(plan(CHANGE, [flat] * 6))
    assert told(found, "vintage") == ["BOOTSTRAP"] * 3 + ["2026-02"] * 3
    # Median of five: 1.2 of a to e, 1.1 of a, b, c, d, f.
    assert told(found, "value_units") == [1_200_000] * 3 + [1_100_000] * 3
    assert told(found, "chained_level") == [10_000_000] * 6


def test_prices_move_the_chained_level_on_the_day_of_the_change_too() -> None:
    flat = {**FLAT, "f": 500}
    dearer = {g: p * 11 // 10 for g, p in flat.items()}
    found = run(plan(CHANGE, [flat] * 3 + [dearer] * 3))
    assert told(found, "value_units")[3:] == [1_210_000] * 3
    assert told(found, "chained_level") == [10_000_000] * 3 + [11_000_000] * 3


def test_a_member_dropped_from_the_old_panel_enters_the_new_one_without_a_step() -> None:
    """f is 31 days silent, dropped, back in the prices, and a member of the next vintage too."""
    old, new = vintage("BOOTSTRAP", "abcdef"), vintage("2026-03", "abcdefg")
    flat = {"a": 1000, "b": 1100, "c": 1200, "d": 1300, "e": 1400, "f": 2000, "g": 2100}
    silent = {g: p for g, p in flat.items() if g != "f"}
    prices = [flat] + [silent] * 32 + [flat] * 4
    found = run(plan([old] * 35 + [new] * 2, prices))
    assert told(found, "has_panel_break")[30:] == [False, *[True] * 4, False, False]
    # Before the drop: (1.2 + 1.3) / 2. After it: 1.2 of five. Then seven: 1.3.
    assert told(found, "value_units")[29:] == [1_250_000] * 2 + [1_200_000] * 4 + [1_300_000] * 2
    assert set(told(found, "chained_level")) == {10_000_000}  # no price moved, nor does the level


def test_a_level_moves_with_the_common_members_when_one_goes_and_another_price_moves() -> None:
    """f is dropped on day 32; on the same day every other price rises by a tenth."""
    flat = {"a": 1000, "b": 1100, "c": 1200, "d": 1300, "e": 1400, "f": 2000}
    silent = {g: p for g, p in flat.items() if g != "f"}
    dearer = {g: p * 11 // 10 for g, p in silent.items()}
    found = run(plan([vintage("BOOTSTRAP", "abcdef")] * 33, [flat] + [silent] * 30 + [dearer] * 2))
    # 1.2 becomes 1.32 among the five that stand on both days: 1000 * 1.32 / 1.2 = 1100.
    assert told(found, "value_units")[30:32] == [1_250_000, 1_320_000]
    assert told(found, "chained_level")[30:32] == [10_000_000, 11_000_000]


def test_a_newcomer_far_from_all_others_starts_excluded_and_links_nothing() -> None:
    flat = {"a": 1000, "b": 1100, "c": 1200, "d": 1300, "e": 1400, "f": 9000}
    old, new = vintage("BOOTSTRAP", "abcde"), vintage("2026-03", "abcdef")
    found = run(plan([old] * 2 + [new] * 3, [flat] * 5))
    # 9.0 is beyond four times the others' median 1.2: five stand, the rate stays theirs.
    assert told(found, "value_units") == [1_200_000] * 5
    assert set(told(found, "chained_level")) == {10_000_000}


def test_the_first_value_is_the_base_of_the_level() -> None:
    found = run(plan([None, None, OLD, OLD], [FLAT] * 4))
    assert found.fixings.height == 2
    assert told(found, "chained_level") == [10_000_000] * 2


def restart_everywhere(made: Plan, lend: int) -> None:
    """Each day alone, from the state the day before recorded, equals the day in the series."""
    whole = run(made)
    last = (made.index_id, (START + timedelta(days=len(made.vintages) - 1)).toordinal())
    for first in range(1, len(made.vintages)):
        day = START + timedelta(days=first)
        state = whole.states[made.index_id, (day - timedelta(days=1)).toordinal()]
        part = run(made, first, {made.index_id: state}, lend)
        expected = whole.fixings.filter(pl.col("ref_date") >= day)
        assert part.fixings.rows() == expected.rows(), f"from {day} on"
        assert lasting(part.states[last]) == lasting(whole.states[last]), f"from {day} on"


def lasting(state: PanelState) -> PanelState:
    """A state without the groups that left the panel: nothing reads them again."""
    served = {name: held for name, held in state.groups.items() if held["source"]}
    return replace(state, groups=served)


@pytest.mark.parametrize("lend", [0, 1])
def test_a_day_alone_is_the_day_in_the_series(lend: int) -> None:
    jumped = {**FLAT, "a": 2000}
    without = {g: p for g, p in FLAT.items() if g not in "bc"}
    nobody: dict[str, int] = {}
    wild = {**FLAT, "e": 9000}
    days = [FLAT, jumped, jumped, without, without, nobody, nobody, nobody, wild]
    restart_everywhere(plan([OLD] * 9, days), lend)


@pytest.mark.parametrize("lend", [0, 1])
@pytest.mark.parametrize("silence", ["", "a"], ids=["all there", "one imputed at the change"])
def test_a_day_alone_is_the_day_in_the_series_where_members_leave(silence: str, lend: int) -> None:
    fewer = vintage("2026-02", "abcd")
    prices = [FLAT] * 2 + [{g: p for g, p in FLAT.items() if g not in silence}] * 2 + [FLAT] * 2
    restart_everywhere(plan([vintage("BOOTSTRAP", "abcdef")] * 3 + [fewer] * 3, prices), lend)


def test_a_day_alone_links_newcomers_with_the_prices_of_the_day_before() -> None:
    flat = {**FLAT, "f": 500}
    dearer = {g: p * 11 // 10 for g, p in flat.items()}
    restart_everywhere(plan(CHANGE, [flat] * 3 + [dearer] * 3), lend=1)
