"""Final settlement prices: other people's figures (TV09, TV17), and cases worked by hand.

Hand-worked cases use ten pricing days, 1 to 10 June 2026, and values of four decimals written as
integers: 30000 is 3.0000. Each row says what must come out and why.
"""

from __future__ import annotations

import csv
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from methodology.calendars import sessions
from methodology.settlement import (
    Missing,
    Settlement,
    settle,
    ticks_text,
    to_ticks,
    units_text,
)
from tests.vectors import vector

CENT, MILL = Fraction(1, 100), Fraction(1, 1000)
DAYS = [date(2026, 6, n) for n in range(1, 11)]
EARLIER = [date(2026, 6, 1) - timedelta(days=n) for n in range(1, 31)]
LENIENT = Missing(look_back_days=1, accept_share=Fraction(0), needs_last_day=True)
"""Take what there is after one earlier day, if only the last day is there."""


def made(
    values: list[int | None], before: list[int | None] | None = None, **more: Any
) -> Settlement:
    """Settle the ten days: ``None`` is NO_FIX, -1 is not published; ``before`` latest first."""
    told = {d: v for d, v in zip(DAYS, values, strict=True) if v != -1}
    told |= {d: v for d, v in zip(EARLIER, before or []) if v != -1}
    return settle(told, DAYS, EARLIER, decimals=4, tick=more.pop("tick", CENT), **more)


# Figures of others ------------------------------------------------------------------------------

MONTHS = ("2026-02", "2026-05", "2026-11")
LISTS = ("CAL", "XSHG", "CMES", "XNYS", "IEPA")


def daily() -> dict[date, int]:
    vector("TV09_monthly_settlement.json")  # skips where the vectors are not at hand
    import os

    at_hand = Path(__file__).resolve().parents[2] / "shared" / "vectors"
    folder = Path(os.environ.get("SPOTFIX_VECTORS", at_hand))
    with (folder / "data" / "daily_h100_2026.csv").open() as file:
        rows = list(csv.DictReader(file))
    return {date.fromisoformat(r["date"]): int(r["value"].replace(".", "")) for r in rows}


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("month", MONTHS)
def test_a_month_settles_where_others_computed_it(month: str, name: str) -> None:
    expected = vector("TV09_monthly_settlement.json")["expected"][month][name]
    first = date.fromisoformat(month + "-01")
    last = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    days = sessions(name, first, last)
    assert (len(days), str(days[0]), str(days[-1])) == (
        expected["n"],
        expected["first"],
        expected["last"],
    )
    closed = [d for d in map(date.fromisoformat, expected["weekday_non_sessions"]) if d in days]
    assert closed == []
    for tick, key in (("0.0001", "fsp_0_0001"), ("0.001", "fsp_0_001"), ("0.01", "fsp_0_01")):
        found = settle(daily(), days, decimals=4, tick=Fraction(tick))
        assert found.status == "FINAL"
        assert found.fsp == expected[key]
    assert found.mean is not None
    assert (
        ticks_text(to_ticks(found.mean, Fraction(1, 10**12)), Fraction(1, 10**12))
        == (expected["mean_exact"])
    )


def test_half_ticks_go_up_where_binary_floats_go_down() -> None:
    cases = vector("TV17_rounding.json")["cases"]
    assert len(cases) == 7
    for case in cases:
        quantum = Fraction(case["quantum"])
        assert ticks_text(to_ticks(Fraction(case["value"]), quantum), quantum) == case["half_up"]


# Days without a value, by hand ------------------------------------------------------------------


def test_the_example_of_the_rulebook() -> None:
    """Rulebook 17.12: 23.0000 / 8 = 2.875, a half tick; then 22.9100 / 8 = 2.86375."""
    eight = [28600, 28900, 28600, None, 28900, 28600, None, 28900, 28600, 28900]
    found = made(eight, [28000])
    assert (found.total_units, found.count, found.fsp) == (230000, 8, "2.88")
    assert found.looked_back == ()
    eight[9] = None
    found = made(eight, [28000, 99999])
    assert (found.total_units, found.count, found.fsp) == (229100, 8, "2.86")
    assert [d.day for d in found.looked_back] == [date(2026, 5, 31)]


X = 30000
Y = 20000
LOOK_BACKS = {
    # pricing days, earlier days; counted, days looked at, price
    "all_there": ([X] * 10, [Y] * 10, 10, 0, "3.00"),
    "exactly_eighty_percent_is_enough": ([X] * 8 + [None] * 2, [Y] * 10, 8, 0, "3.00"),
    "seven_of_ten_take_one_earlier_day": ([X] * 7 + [None] * 3, [Y] * 10, 8, 1, "2.88"),
    "not_published_is_missing_too": ([X] * 7 + [-1] * 3, [Y] * 10, 8, 1, "2.88"),
    # 7*3 + 2 = 23 over 8 = 2.875, half a tick, up
    "an_earlier_day_without_value_is_looked_through": (
        [X] * 7 + [None] * 3, [None, -1, Y], 8, 3, "2.88",
    ),
    # 6*3 + 2*2 = 22 over 8
    "two_short_take_two": ([X] * 6 + [None] * 4, [Y] * 10, 8, 2, "2.75"),
    "the_tenth_earlier_day_still_counts": (
        [X] * 7 + [None] * 3, [None] * 9 + [Y], 8, 10, "2.88",
    ),
    "the_eleventh_does_not": ([X] * 7 + [None] * 3, [None] * 10 + [Y], 7, 10, None),
    # 0*3 + 8*2 = 16 over 8
    "none_of_the_month_but_eight_before": ([None] * 10, [Y] * 10, 8, 8, "2.00"),
    "seven_before_are_not_enough": ([None] * 10, [Y] * 7 + [None] * 3, 7, 10, None),
    "nothing_anywhere": ([None] * 10, [None] * 10, 0, 10, None),
    "never_published": ([-1] * 10, [], 0, 10, None),
    "zero_is_a_value": ([0] * 8 + [None] * 2, [], 8, 0, "0.00"),
}  # fmt: skip


@pytest.mark.parametrize("name", LOOK_BACKS)
def test_look_back(name: str) -> None:
    values, before, counted, looked, price = LOOK_BACKS[name]
    found = made(values, before)
    assert (found.count, len(found.looked_back), found.fsp) == (counted, looked, price)
    assert found.status == ("FINAL" if price else "FSP_FAIL")
    assert found.failure == ("" if price else "TOO_FEW_DAYS")


def test_just_below_eighty_percent_is_too_few() -> None:
    """7,999 of 10,000 days is 79.99%: one earlier day is taken; 8,000 is 80%: none is."""
    days = [date(2000, 1, 1) + timedelta(days=n) for n in range(10_000)]
    earlier = [date(1999, 12, 31) - timedelta(days=n) for n in range(10)]
    told = dict.fromkeys(days[:7999], X) | {earlier[0]: X}
    found = settle(told, days, earlier, decimals=4, tick=CENT)
    assert (found.count, len(found.looked_back)) == (8_000, 1)
    found = settle({**told, days[9_999]: X}, days, earlier, decimals=4, tick=CENT)
    assert (found.count, len(found.looked_back)) == (8_000, 0)
    del told[earlier[0]]
    found = settle(told, days, earlier, decimals=4, tick=CENT)
    assert (found.status, found.count) == ("FSP_FAIL", 7_999)


@pytest.mark.parametrize(
    ("days", "needed"),
    [
        (14, 12),
        (18, 15),
        (20, 16),
        (21, 17),
        (22, 18),
        (23, 19),
        (28, 23),
        (30, 24),
        (31, 25),
        (3, 3),
    ],
)
def test_how_many_days_of_a_month_are_enough(days: int, needed: int) -> None:
    """The least whole number at or above 0.8 times the days, by hand."""
    mine = [date(2026, 1, 1) + timedelta(days=n) for n in range(days)]
    for known, status in ((needed, "FINAL"), (needed - 1, "FSP_FAIL")):
        told = dict.fromkeys(mine[:known], X)
        assert settle(told, mine, decimals=4, tick=CENT).status == status


# Filled days ------------------------------------------------------------------------------------


def filled(*places: int, level: str = "CARRY") -> dict[date, str]:
    return {DAYS[n]: level for n in places}


def test_exactly_twenty_percent_of_filled_days_count() -> None:
    """8 x 3.00 + 2 x 2.00 = 28.00 over 10."""
    found = made([X] * 3 + [Y] * 2 + [X] * 5, levels=filled(3, 4))
    assert (found.count, found.fsp) == (10, "2.80")


def test_of_three_filled_days_the_latest_drops_out() -> None:
    """Days 2, 5 and 9 are filled with 2, 1 and 9: 7 x 3.00 + 2.00 + 1.00 = 24.00 over 9 = 2.67."""
    values: list[int | None] = [X] * 10
    values[1], values[4], values[8] = 20000, 10000, 90000
    levels = filled(1) | filled(4, level="MODEL") | filled(8)
    found = made(values, levels=levels)
    assert [d.state for d in found.days].index("OVER_CAP") == 8
    assert (found.total_units, found.count, found.fsp) == (240000, 9, "2.67")
    assert found.meter.days_lost == 1


def test_filled_days_beyond_the_cap_can_bring_on_the_look_back() -> None:
    """7 of the day itself, 3 filled, 2 of which count: 9 count and that is enough.

    With 5 filled, 5 + 2 = 7 count: one earlier day is taken.
    """
    assert made([X] * 10, levels=filled(0, 1, 2)).count == 9
    found = made([X] * 10, [Y], levels=filled(0, 1, 2, 3, 4))
    assert [d.state for d in found.days].count("OVER_CAP") == 3
    assert (found.count, found.fsp) == (8, "2.88")


def test_a_filled_earlier_day_counts_only_while_there_is_room() -> None:
    carried = {EARLIER[0]: "CARRY", EARLIER[1]: "CARRY"}
    found = made([X] * 6 + [None] * 4, [Y, Y, X], levels=carried)
    assert (found.count, len(found.looked_back)) == (8, 2)
    found = made([X] * 6 + [None] * 4, [Y, Y, X], levels=carried | filled(0))
    assert [d.state for d in found.looked_back] == ["COUNTED", "OVER_CAP", "COUNTED"]
    assert found.fsp == "2.88"


def test_three_days_have_no_room_for_a_filled_one() -> None:
    """A fifth of three days is 0.6, no whole day."""
    found = settle(dict.fromkeys(DAYS[:3], X), DAYS[:3], decimals=4, tick=CENT, levels=filled(1))
    assert (found.status, found.count) == ("FSP_FAIL", 2)


def test_a_level_of_its_own_takes_no_room() -> None:
    levels = dict.fromkeys(DAYS, "CARRIED_INPUT")
    assert made([X] * 10, levels=levels).count == 10


# Other annexes ----------------------------------------------------------------------------------


def test_an_annex_may_accept_fewer_days_once_its_look_back_is_spent() -> None:
    three = [date(2026, 6, 3), date(2026, 6, 4), date(2026, 6, 5)]
    earlier = [date(2026, 6, 2), date(2026, 6, 1)]
    told = {three[2]: 30000, earlier[0]: 20000, earlier[1]: 90000}
    found = settle(told, three, earlier, decimals=4, tick=CENT, missing=LENIENT)
    assert (found.status, found.count, found.fsp) == ("FINAL", 2, "2.50")
    del told[earlier[0]]
    assert settle(told, three, earlier, decimals=4, tick=CENT, missing=LENIENT).fsp == "3.00"


def test_an_annex_may_insist_on_the_last_day() -> None:
    found = made([X] * 9 + [None], missing=Missing(needs_last_day=True))
    assert (found.status, found.failure, found.fsp) == ("FSP_FAIL", "LAST_DAY_MISSING", None)


def test_no_day_is_no_price_even_if_the_annex_accepts_any_share() -> None:
    found = made([None] * 10, missing=LENIENT)
    assert (found.status, found.failure, found.mean) == ("FSP_FAIL", "TOO_FEW_DAYS", None)


# While it runs ----------------------------------------------------------------------------------


def test_the_meter_of_a_running_month() -> None:
    """Six days are over, one of them lost: 5 x 3.0000 locked; nothing later is looked at."""
    values: list[int | None] = [X, X, None, X, X, X, 90000, 90000, 90000, 90000]
    found = made(values, [Y] * 10, as_of=DAYS[5])
    meter = found.meter
    assert (found.status, found.fsp, found.failure) == ("RUNNING", None, "")
    assert (meter.days_fixed, meter.days_left, meter.days_counted, meter.days_lost) == (6, 4, 5, 1)
    assert meter.locked_units == 150000
    assert meter.share_fixed == Fraction(3, 5)
    assert (found.mean, found.mean_ticks) == (Fraction(3), 300)
    assert [d.state for d in found.days[6:]] == ["PENDING"] * 4
    assert all(d.units is None for d in found.days[6:])
    assert found.looked_back == ()


def test_there_is_no_look_back_before_the_month_is_over() -> None:
    found = made([None] * 10, [Y] * 10, as_of=DAYS[8])
    assert (found.status, found.looked_back, found.count) == ("RUNNING", (), 0)
    assert made([None] * 10, [Y] * 10, as_of=DAYS[9]).status == "FINAL"


def test_before_the_first_day_nothing_is_locked() -> None:
    found = made([X] * 10, as_of=EARLIER[0])
    assert (found.status, found.meter.days_left, found.meter.locked_units) == ("RUNNING", 10, 0)


UNITS = st.lists(st.sampled_from([0, 5, 28750, 28850, 30000, None, -1]), min_size=10, max_size=10)
LEVELS = st.lists(st.sampled_from(["FULL", "CARRY", "MODEL"]), min_size=10, max_size=10)


@given(UNITS, LEVELS, UNITS)
def test_it_is_the_rule_counted_out(
    values: list[int | None], kinds: list[str], before: list[int | None]
) -> None:
    """The same rule written down again, plainly, in fractions."""
    found = made(values, before, levels=dict(zip(DAYS, kinds)))
    room, kept = 2, []
    for value, kind in zip(values, kinds):
        if value in (None, -1) or (kind != "FULL" and room == 0):
            continue
        room -= kind != "FULL"
        kept.append(value)
    for value in before:
        if len(kept) < 8 and value not in (None, -1):
            kept.append(value)
    if len(kept) < 8:
        assert (found.status, found.fsp) == ("FSP_FAIL", None)
        return
    mean = Fraction(sum(v for v in kept if v is not None), len(kept) * 10_000)
    assert found.mean == mean
    assert Fraction(found.fsp or "-1") == ((mean * 100 + Fraction(1, 2)) // 1) / Fraction(100)


@given(UNITS, st.integers(min_value=0, max_value=9), st.integers(min_value=1, max_value=1000))
def test_scaling_scales_and_what_is_locked_stays(
    values: list[int | None], over: int, factor: int
) -> None:
    once = made(values, tick=Fraction(1, 10**4))
    more = made([v * factor if v and v > 0 else v for v in values], tick=Fraction(1, 10**4))
    assert (more.status, more.count) == (once.status, once.count)
    assert more.total_units == factor * once.total_units
    early = made(values, as_of=DAYS[over]).meter
    late = made(values, as_of=DAYS[9]).meter
    assert early.locked_units <= late.locked_units
    assert early.days_counted <= late.days_counted
    assert early.days_lost <= late.days_lost


@given(UNITS)
def test_a_price_lies_between_its_days(values: list[int | None]) -> None:
    found = made(values, tick=Fraction(1, 10**4))
    used = [d.units for d in found.days if d.state == "COUNTED" and d.units is not None]
    if found.fsp_ticks is not None:
        assert min(used) <= found.fsp_ticks <= max(used)


# Faults of a caller -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "earlier", "tick", "told"),
    [
        ([], [], CENT, "at least one"),
        ([DAYS[1], DAYS[0]], [], CENT, "in order"),
        ([DAYS[0], DAYS[0]], [], CENT, "without repeats"),
        (DAYS, [DAYS[0]], CENT, "precede"),
        (DAYS, [EARLIER[1], EARLIER[0]], CENT, "latest first"),
        (DAYS, [], Fraction(0), "above zero"),
    ],
)
def test_lists_that_are_no_lists_are_refused(
    days: list[date], earlier: list[date], tick: Fraction, told: str
) -> None:
    with pytest.raises(ValueError, match=told):
        settle({}, days, earlier, decimals=4, tick=tick)


def test_a_value_below_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="2026-06-02: a published value is never below zero"):
        settle({DAYS[1]: -30000}, DAYS, decimals=4, tick=CENT)


@pytest.mark.parametrize(
    ("ticks", "tick", "text"),
    [
        (2884, MILL, "2.884"),
        (288, CENT, "2.88"),
        (5, Fraction(1, 4), "1.25"),
        (3, Fraction(5), "15"),
    ],
)
def test_ticks_as_text(ticks: int, tick: Fraction, text: str) -> None:
    assert ticks_text(ticks, tick) == text


def test_a_third_is_no_tick() -> None:
    with pytest.raises(ValueError, match="finite decimal"):
        ticks_text(1, Fraction(1, 3))


def test_units_as_text() -> None:
    assert (units_text(5, 4), units_text(28800, 4), units_text(7, 0)) == ("0.0005", "2.8800", "7")
