"""Representative prices on days worked by hand.

``NYC`` cuts off at 16:00 in New York: 21:00 UTC in winter, 20:00 UTC in summer. A window of 24
hours has 24 partitions, each priced by what stood at its end; more than twelve must agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from offers import ALWAYS, RULES, WINTER, at, coverage, observations, seen

from methodology import representative as rep
from methodology import segments as seg


def fix(
    rows: list[dict[str, Any]],
    mode: str = "history",
    day: date = WINTER,
    days: int = 1,
    session: str = "NYC",
    spans: Sequence[tuple[str, str]] = ALWAYS,
    captures: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """Representative prices of ``days`` days from ``day`` on, as rows."""
    if mode == "snapshot" and not captures:
        captures = sorted({str(r["observed_at"]) for r in rows})
    pieces = seg.segments(observations(rows), coverage(mode, spans, captures), RULES)
    windows = rep.window_table(session, [day + timedelta(days=n) for n in range(days)])
    return rep.representative_prices(pieces, windows, RULES).rows(named=True)


def prices(*args: Any, **more: Any) -> dict[int, int]:
    return {row["day"]: row["price_nano"] for row in fix(*args, **more)}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        # A change at hh:00 prices the partition that ends then, so 21 - hh + 1 of 24.
        pytest.param("2026-01-15 08:00", 200, id="14 of 24 hours: the new price"),
        pytest.param("2026-01-15 09:00", 200, id="13 of 24 hours: the new price"),
        pytest.param("2026-01-15 10:00", 100, id="12 of 24 hours: a tie keeps the earlier"),
        pytest.param("2026-01-15 09:01", 100, id="one minute after: it prices 12 partitions"),
        pytest.param("2026-01-15 21:00", 100, id="at the cut-off: one partition"),
        pytest.param("2026-01-15 21:01", 100, id="after the cut-off: none"),
        pytest.param("2026-01-14 21:00", 200, id="at the opening: all"),
        pytest.param("2026-01-15 00:00", 200, id="at midnight UTC"),
    ],
)
def test_a_price_counts_once_it_stood_more_than_half_the_window(change: str, expected: int) -> None:
    rows = [seen("2026-01-01 00:00", 100), seen(change, 200)]
    assert prices(rows) == {0: expected}


def test_a_tie_keeps_the_earlier_price_also_when_it_is_the_higher() -> None:
    assert prices([seen("2026-01-01 00:00", 300), seen("10:00", 200)]) == {0: 300}


def test_a_price_that_stood_only_at_the_cut_off_counts_nothing() -> None:
    rows = [seen("2026-01-01 00:00", 100), seen("20:30", 1), seen("21:30", 100)]
    assert prices(rows, days=2) == {0: 100, 1: 100}


def test_the_middle_of_three_prices_stands() -> None:
    # Partitions end at 22:00 ... 21:00: 8 at 100, 8 at 900, 8 at 200: the median is 200.
    rows = [seen("2026-01-01 00:00", 100), seen("06:00", 900), seen("14:00", 200)]
    assert prices(rows) == {0: 200}


def test_a_price_that_returns_counts_its_hours_together() -> None:
    # 100 until 04:00 (partitions ending 22:00 to 03:00: 6), 200 until 14:00 (10), 100 again (8).
    rows = [seen("2026-01-01 00:00", 100), seen("04:00", 200), seen("14:00", 100)]
    assert prices(rows) == {0: 100}


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        pytest.param("2026-01-15 10:01", {0: 100}, id="13 hours of price"),
        pytest.param("2026-01-15 10:00", {}, id="12 hours: no representative price"),
    ],
)
def test_a_withdrawn_offer_ends_its_price(end: str, expected: dict[int, int]) -> None:
    assert prices([seen("2026-01-01 00:00", 100), seen(end, None)]) == expected


@pytest.mark.parametrize(
    ("day", "window_hours", "change", "expected"),
    [
        # Clocks go forward on 8 March 2026: 7 March 21:00 UTC to 8 March 20:00 UTC.
        pytest.param(date(2026, 3, 8), 23, "2026-03-08 09:00", 200, id="23 hours: 12 of 23"),
        pytest.param(date(2026, 3, 8), 23, "2026-03-08 10:00", 100, id="23 hours: 11 of 23"),
        # Clocks go back on 1 November 2026: 31 October 20:00 UTC to 1 November 21:00 UTC.
        pytest.param(date(2026, 11, 1), 25, "2026-11-01 09:00", 200, id="25 hours: 13 of 25"),
        pytest.param(date(2026, 11, 1), 25, "2026-11-01 10:00", 100, id="25 hours: 12 of 25"),
    ],
)
def test_days_on_which_clocks_change_have_23_or_25_partitions(
    day: date, window_hours: int, change: str, expected: int
) -> None:
    assert rep.window_table("NYC", [day])["partitions"].to_list() == [window_hours]
    assert prices([seen("2026-01-01 00:00", 100), seen(change, 200)], day=day) == {0: expected}


def test_shanghai_never_changes_its_clocks() -> None:
    days = [date(2026, 3, 8), date(2026, 3, 29), date(2026, 10, 25), date(2026, 11, 1)]
    for day in days:
        assert rep.window_table("SHA", [day])["partitions"].to_list() == [24]


def test_a_change_at_midnight_utc_moves_new_york_that_day_and_shanghai_the_next() -> None:
    rows = [seen("2026-01-01 00:00", 100), seen("2026-01-15 00:00", 200)]
    assert prices(rows, days=2) == {0: 200, 1: 200}  # 22 of 24 partitions
    # Shanghai's window ends at 07:00 UTC: 00:00 to 07:00 are 8 of 24.
    assert prices(rows, days=2, session="SHA") == {0: 100, 1: 200}


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        # A capture speaks for 26 hours: it prices the partitions that end before then.
        pytest.param("2026-01-14 08:01", {0: 100}, id="until 10:01: thirteen partitions"),
        pytest.param("2026-01-14 08:00", {}, id="until 10:00: twelve are not enough"),
    ],
)
def test_a_capture_speaks_for_26_hours(last: str, expected: dict[int, int]) -> None:
    assert prices([seen(last, 100)], mode="snapshot") == expected


def test_a_listing_gone_from_the_next_capture_has_no_price_after_it() -> None:
    rows = [seen("2026-01-14 22:00", 100)]
    assert prices(rows, mode="snapshot") == {0: 100}
    gone = ["2026-01-14 22:00", "2026-01-15 02:00"]
    assert prices(rows, mode="snapshot", captures=gone) == {}
    late = ["2026-01-14 22:00", "2026-01-15 11:00"]
    assert prices(rows, mode="snapshot", captures=late) == {0: 100}  # 22:00 to 10:00 is thirteen


def test_a_listing_that_comes_back_counts_the_hours_it_was_there() -> None:
    rows = [seen("2026-01-14 22:00", 100), seen("14:00", 100)]
    captures = ["2026-01-14 22:00", "2026-01-15 04:00", "2026-01-15 14:00"]
    # 22:00 to 03:00 are 6, 14:00 to 21:00 are 8: fourteen.
    assert prices(rows, mode="snapshot", captures=captures) == {0: 100}


def test_a_history_speaks_inside_its_spans_and_never_after() -> None:
    rows = [seen("2026-01-01 00:00", 100)]
    spans = [("2026-01-01 00:00", "2026-01-14 23:30")]
    days = {"day": date(2026, 1, 13), "days": 4}
    assert prices(rows, spans=spans, **days) == {0: 100, 1: 100}


def test_a_gap_in_the_spans_is_a_gap_in_the_prices() -> None:
    rows = [seen("2026-01-01 00:00", 100)]
    spans = [("2026-01-01 00:00", "2026-01-13 00:00"), ("2026-01-14 23:00", "2026-02-01 00:00")]
    assert prices(rows, spans=spans, day=date(2026, 1, 12), days=4) == {0: 100, 3: 100}


@pytest.mark.parametrize(
    ("change", "confirmed"),
    [
        pytest.param("2026-01-15 03:00", False, id="changed after midnight: seen once"),
        pytest.param(
            "2026-01-14 23:00", False, id="changed an hour before midnight: an hour apart"
        ),
        pytest.param("2026-01-14 18:00", True, id="changed six hours before midnight"),
        pytest.param("2026-01-14 18:01", False, id="a minute less than six hours before"),
    ],
)
def test_a_history_counts_as_seen_at_midnights(change: str, confirmed: bool) -> None:
    rows = [seen("2026-01-01 00:00", 100), seen(change, 200)]
    (row,) = fix(rows)
    assert (row["price_nano"], row["is_confirmed"]) == (200, confirmed)


def test_a_history_is_fresh_as_of_the_last_midnight_of_its_coverage() -> None:
    rows = [seen("2026-01-01 00:00", 100)]
    (row,) = fix(rows)
    assert row["seen_us"] == micros("2026-01-15 00:00")
    (row,) = fix(rows, spans=[("2026-01-01 00:00", "2026-01-15 18:00")])
    assert row["seen_us"] == micros("2026-01-15 00:00")
    (row,) = fix(rows, day=date(2026, 1, 1))
    assert row["seen_us"] == micros("2026-01-01 00:00")


def micros(text: str) -> int:
    return (at(text) - datetime(1970, 1, 1)) // timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("second", "confirmed"),
    [
        pytest.param("2026-01-15 05:00", True, id="six hours after the first"),
        pytest.param("2026-01-15 04:59", False, id="a minute less"),
        pytest.param("2026-01-15 21:30", False, id="after the cut-off"),
    ],
)
def test_two_captures_six_hours_apart_confirm(second: str, confirmed: bool) -> None:
    rows = [seen("2026-01-14 23:00", 200), seen(second, 200)]
    (row,) = fix(rows, mode="snapshot")
    assert (row["price_nano"], row["is_confirmed"]) == (200, confirmed)


def test_a_price_seen_again_after_silence_starts_anew() -> None:
    # 30 hours apart: the first capture stopped speaking after 26.
    rows = [seen("2026-01-13 20:00", 200), seen("2026-01-15 02:00", 200)]
    (row,) = fix(rows, mode="snapshot")
    assert (row["price_nano"], row["is_confirmed"]) == (200, False)


def test_an_official_date_confirms_by_itself() -> None:
    rows = [seen("2026-01-01 00:00", 100), seen("03:00", 200, is_official_date=True)]
    (row,) = fix(rows)
    assert (row["price_nano"], row["is_confirmed"]) == (200, True)


def test_schedule_rows_dated_ahead_hold_from_their_own_date() -> None:
    rows = [
        seen("2026-01-02 12:00", 100, effective_from=at("2026-01-01 00:00")),
        seen("2026-01-02 12:00", 200, effective_from=at("2026-01-16 00:00")),
        seen("2026-01-02 12:00", 300, effective_from=at("2026-01-17 00:00")),
    ]
    assert prices(rows, mode="schedule", days=4) == {0: 100, 1: 200, 2: 300, 3: 300}


def test_a_schedule_row_ends_on_its_stated_day() -> None:
    rows = [
        seen(
            "2026-01-02 12:00",
            100,
            effective_from=at("2026-01-01 00:00"),
            effective_to=at("2026-01-16 00:00"),
        )
    ]
    assert prices(rows, mode="schedule", days=3) == {0: 100}


def test_the_last_word_on_one_date_wins() -> None:
    start = at("2026-01-10 00:00")
    rows = [
        seen("2026-01-02 12:00", 100, effective_from=start),
        seen("2026-01-03 12:00", 200, effective_from=start),
    ]
    assert prices(rows, mode="schedule") == {0: 200}


def test_an_announced_price_holds_from_its_day_not_from_its_notice() -> None:
    rows = [
        seen("2026-01-01 00:00", 100),
        seen("2026-01-13 12:00", 200, effective_from=at("2026-01-16 00:00")),
    ]
    assert prices(rows, days=2) == {0: 100, 1: 200}


def test_a_date_in_the_past_does_not_reach_behind_the_day_it_was_seen() -> None:
    rows = [
        seen("2026-01-01 00:00", 100),
        seen("2026-01-16 00:00", 200, effective_from=at("2026-01-10 00:00")),
    ]
    assert prices(rows, days=2) == {0: 100, 1: 200}


def test_a_source_without_coverage_is_unused() -> None:
    assert prices([seen("2026-01-01 00:00", 100, source="other")]) == {}


def test_series_stand_apart_and_the_order_of_rows_does_not_matter() -> None:
    rows = [
        seen("2026-01-01 00:00", 100),
        seen("2026-01-01 00:00", 400, meter="OUT"),
        seen("2026-01-01 00:00", 700, provider="zeta", group="zeta"),
        seen("08:00", 200),
        seen("2026-01-01 00:00", 900, region="us-east-1"),
    ]
    first, second = fix(rows), fix(rows[::-1])
    assert first == second
    assert sorted(r["price_nano"] for r in first) == [200, 400, 700, 900]
