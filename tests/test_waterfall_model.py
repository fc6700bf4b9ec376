"""Days without a value: moved with the parent, carried, none; each figure worked by hand.

Three sellers make the child, six the parent. Two of the child's three fall silent, and what the
waterfall makes of each day afterwards is written out beside it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from index.draft_rates import draft_rate
from index.selection import Selection
from methodology import waterfall
from methodology.definition import load_definitions, load_methodology
from methodology.errors import DefinitionError
from methodology.plans import PanelState, Plan, Series
from tests import small_market as sm

RULES = sm.RULES
PARENT = sm.gpu_rate(instrument="H100-ANY", title="parent", small_panel=False)
PARENT_ID, CHILD_ID = "GPR-H100-ANY-OD-NEO-GLB", "GPR-H100-SXM-80-OD-NEO-GLB"
CHILD = sm.gpu_rate(parent=PARENT_ID)
ORPHAN = sm.gpu_rate()

PARENT_SELLERS = "fghij"
QUIET = 4
"""Day on which two of the child's three sellers stop; carried input holds for three days."""


def rows(parent_moves: dict[int, str], back: int | None = None) -> list[dict[str, object]]:
    """Return the market: child 2.00, 2.10, 2.40; all of the parent at one price a day."""
    found = [sm.shown(0, s, p) for s, p in (("a", "2.00"), ("b", "2.10"), ("c", "2.40"))]
    found += [sm.shown(QUIET, s, None) for s in "bc"]
    if back is not None:
        found += [sm.shown(back, s, p) for s, p in (("b", "2.10"), ("c", "2.40"))]
    for n, price in {0: "3.00", **parent_moves}.items():
        found += [sm.shown(n, s, price, instrument_id="H100-ANY") for s in PARENT_SELLERS]
    return found


def plans(
    moves: dict[int, str],
    days: int,
    child: object = CHILD,
    back: int | None = None,
    silent_parent: tuple[int, ...] = (),
) -> list[Plan]:
    market = rows(moves, back)
    covered = [n not in silent_parent for n in range(days)]
    made = sm.plan_of(market, child, days)  # type: ignore[arg-type]
    return [made, sm.plan_of(market, PARENT, days, covered=covered)]


def told(found: Series, first: int, last: int) -> list[tuple[str, str | None]]:
    return [sm.value(found, n, CHILD_ID) for n in range(first, last + 1)]


MOVES = {7: "3.03", 8: "3.12", 9: "3.06"}
"""Parent: 3.00 to day 6, then up 1%, up 2.97%, down 1.92%, and flat."""


def test_a_day_without_a_value_moves_with_the_parent_and_then_is_carried_and_then_is_none() -> None:
    found = sm.determined(plans(MOVES, 14))
    # Days 0 to 3: the median of 2.00, 2.10, 2.40.
    assert told(found, 0, 3) == [("REDUCED", "2.1000")] * 4
    # Days 4 to 6: one of three counts; the other two counted at most 72 h ago. Both are imputed
    # with a, which stays at 2.00: the median stays.
    assert told(found, 4, 6) == [("CARRIED_INPUT", "2.1000")] * 3
    assert told(found, 7, 13) == [
        ("MODEL", "2.1210"),  # 2.1000 * 3.0300 / 3.0000 = 2.1210
        ("MODEL", "2.1634"),  # 3.12/3.03 is 1.0297: cut to 1.02; 2.1210 * 1.02 = 2.16342
        ("MODEL", "2.1218"),  # 2.1634 * 3.06/3.12 = 2.1634 * 0.980769 = 2.12179...
        ("CARRY", "2.1218"),  # three days were modelled
        ("CARRY", "2.1218"),
        ("NO_FIX", None),
        ("NO_FIX", None),
    ]


def test_the_same_index_without_a_parent_is_carried_at_once() -> None:
    found = sm.determined(plans(MOVES, 10, ORPHAN))
    assert told(found, 6, 9) == [
        ("CARRIED_INPUT", "2.1000"),
        ("CARRY", "2.1000"),
        ("CARRY", "2.1000"),
        ("NO_FIX", None),
    ]


def test_a_fall_is_cut_at_two_percent_a_day_too() -> None:
    found = sm.determined(plans({7: "2.70"}, 9))
    # 2.70/3.00 is a fall of a tenth: 2.1000 * 0.98 = 2.0580. Next day the parent stands still.
    assert told(found, 7, 8) == [("MODEL", "2.0580"), ("MODEL", "2.0580")]


def test_a_parent_without_a_value_of_its_own_lends_nothing() -> None:
    # The parent is not covered on day 7: no value that day, so none to move from on day 8.
    found = sm.determined(plans({9: "3.03"}, 12, silent_parent=(7,)))
    assert told(found, 7, 11) == [
        ("CARRY", "2.1000"),
        ("CARRY", "2.1000"),
        ("MODEL", "2.1210"),  # parent at 3.00 on day 8 and 3.03 on day 9
        ("MODEL", "2.1210"),
        ("MODEL", "2.1210"),
    ]


def test_a_parent_that_is_itself_carried_lends_nothing() -> None:
    market = rows({7: "3.03"})
    market += [sm.shown(8, s, None, instrument_id="H100-ANY") for s in PARENT_SELLERS]
    found = sm.determined([sm.plan_of(market, CHILD, 10), sm.plan_of(market, PARENT, 10)])
    assert sm.value(found, 8, PARENT_ID) == ("CARRY", "3.0300")
    assert told(found, 7, 9) == [("MODEL", "2.1210"), ("CARRY", "2.1210"), ("CARRY", "2.1210")]


def test_the_level_goes_on_from_the_last_determined_day() -> None:
    found = sm.determined(plans(MOVES, 12, back=10))
    levels = found.fixings.filter(found.fixings["index_id"] == CHILD_ID)["chained_level"].to_list()
    # Shown on the days between: 1000 * R / 2.1000, four decimals, half up.
    assert levels[6:10] == [10_000_000, 10_100_000, 10_301_905, 10_103_810]
    # Day 10: b and c are back at their old prices; the rate is what it was on day 6, and so is
    # the level: what was modelled between is forgotten.
    assert told(found, 10, 11) == [("REDUCED", "2.1000")] * 2
    assert levels[10:] == [10_000_000, 10_000_000]


def test_modelled_days_are_counted_anew_after_a_determined_value() -> None:
    market = [*rows({7: "3.03", 15: "3.06"}, back=9)]
    market += [sm.shown(10, s, None) for s in "bc"]
    made = [sm.plan_of(market, CHILD, 18), sm.plan_of(market, PARENT, 18)]
    found = sm.determined(made)
    levels = [level for level, _ in told(found, 7, 17)]
    carried = ["CARRIED_INPUT"] * 3
    assert levels == ["MODEL"] * 2 + ["REDUCED"] + carried + ["MODEL"] * 3 + ["CARRY"] * 2


@pytest.mark.parametrize("cut", range(5, 13))
def test_a_run_that_starts_from_a_recorded_state_gives_the_same_days(cut: int) -> None:
    whole = sm.determined(plans(MOVES, 14))
    states = {
        p.index_id: whole.states[p.index_id, sm.day(cut - 1).toordinal()] for p in whole.plans
    }
    kept = {name: PanelState(**state.as_record()) for name, state in states.items()}
    rest = sm.determined(plans(MOVES, 14), before=kept, first=cut)
    assert told(rest, cut, 13) == told(whole, cut, 13)
    assert (
        rest.states[CHILD_ID, sm.day(13).toordinal()]
        == whole.states[CHILD_ID, sm.day(13).toordinal()]
    )


def test_a_gap_between_the_fixings_lends_nothing() -> None:
    whole = sm.determined(plans(MOVES, 14))
    state = whole.states[CHILD_ID, sm.day(6).toordinal()]
    stale = {CHILD_ID: replace(state, ref_day=state.ref_day - 1)}
    rest = sm.determined(plans(MOVES, 14), before=stale, first=7)
    assert told(rest, 7, 7) == [("CARRY", "2.1000")]


def test_only_the_state_of_an_index_with_a_parent_says_more() -> None:
    found = sm.determined(plans(MOVES, 9))
    child = found.states[CHILD_ID, sm.day(8).toordinal()].as_record()
    parent = found.states[PARENT_ID, sm.day(8).toordinal()].as_record()
    assert set(child) - set(parent) == {"modelled", "parent_value"}
    assert (child["modelled"], child["parent_value"]) == (2, 31_200)
    assert (child["value"], child["level"]) == (21_634, 10_000_000)


def test_an_index_whose_parent_is_not_in_the_run_is_refused() -> None:
    with pytest.raises(DefinitionError, match=r"H100-ANY.* is not determined in the same run"):
        sm.determined(plans(MOVES, 5)[:1])


@pytest.mark.parametrize(
    ("last", "before", "now", "expected"),
    [
        (21_000, 30_000, 30_600, 21_420),
        (21_000, 30_000, 30_601, 21_420),
        (21_000, 30_000, 29_400, 20_580),
        (21_000, 30_000, 29_399, 20_580),
        (21_000, 30_000, 30_001, 21_001),
        (15_000, 30_000, 30_001, 15_001),
        (14_999, 30_000, 30_001, 14_999),
    ],
    ids=[
        "two percent up is not cut",
        "above it is",
        "two percent down is not cut",
        "below it is",
        "0.7 of a unit rounds up",
        "half a unit rounds up",
        "less than half rounds down",
    ],
)
def test_movement_with_the_parent(last: int, before: int, now: int, expected: int) -> None:
    assert waterfall.moved_with_parent(last, before, now, RULES.waterfall) == expected


def draft_flags(found: Series, n: int, name: str = CHILD_ID, rules: object = RULES) -> set[str]:
    plan = next(p for p in found.plans if p.index_id == name)
    chosen = Selection(name, plan.definition, sm.day(n), sm.offers_on(plan, n), b"", b"")
    return set(draft_rate(found, plan, chosen, {}, rules).flags)  # type: ignore[arg-type]


def test_three_days_without_a_determined_value_are_told_to_oversight() -> None:
    found = sm.determined(plans(MOVES, 16, back=14))
    has = [n for n in range(16) if "OVERSIGHT_NOTICE" in draft_flags(found, n)]
    # Last determined on day 6; 7, 8 and 9 are modelled: the third of them is the first notice.
    assert has == [9, 10, 11, 12, 13]
    parent = [n for n in range(16) if "OVERSIGHT_NOTICE" in draft_flags(found, n, PARENT_ID)]
    assert parent == []


def test_methodology_1_0_0_gives_no_notice() -> None:
    found = sm.determined(plans(MOVES, 12))
    assert "OVERSIGHT_NOTICE" in draft_flags(found, 11)
    assert "OVERSIGHT_NOTICE" not in draft_flags(found, 11, rules=load_methodology("1.0.0"))


def test_a_shipped_index_has_a_parent() -> None:
    named = {
        name: d.parent
        for d in load_definitions()
        if d.family == "GPR" and d.parent
        for name in d.index_ids
    }
    assert named == {"GPR-H100-PCIE-80-OD-NEO-GLB": "GPR-H100-ANY-OD-NEO-GLB"}
    assert date(2026, 7, 10) == next(
        d.effective_from for d in load_definitions() if "GPR-H100-PCIE-80-OD-NEO-GLB" in d.index_ids
    )
