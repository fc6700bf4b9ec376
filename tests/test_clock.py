"""Cut-offs, windows and months, from a wall clock and a calendar."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest

from methodology import clock


@pytest.mark.parametrize(
    ("session", "day", "expected"),
    [
        # New York is five hours behind in winter, four in summer: 8 March and 1 November 2026.
        ("NYC", date(2026, 1, 15), datetime(2026, 1, 15, 21)),
        ("NYC", date(2026, 3, 7), datetime(2026, 3, 7, 21)),
        ("NYC", date(2026, 3, 8), datetime(2026, 3, 8, 20)),
        ("NYC", date(2026, 7, 4), datetime(2026, 7, 4, 20)),
        ("NYC", date(2026, 10, 31), datetime(2026, 10, 31, 20)),
        ("NYC", date(2026, 11, 1), datetime(2026, 11, 1, 21)),
        ("NYC", date(2024, 2, 29), datetime(2024, 2, 29, 21)),
        # Shanghai is eight hours ahead all year.
        ("SHA", date(2026, 1, 15), datetime(2026, 1, 15, 7)),
        ("SHA", date(2026, 7, 4), datetime(2026, 7, 4, 7)),
    ],
)
def test_cut_offs_in_utc(session: str, day: date, expected: datetime) -> None:
    assert clock.cut_off(session, day) == expected
    assert clock.provisional_at(session, day) == expected + timedelta(minutes=45)
    assert clock.final_at(session, day) == expected + timedelta(hours=2)


@pytest.mark.parametrize(
    ("session", "day", "hours"),
    [
        ("NYC", date(2026, 3, 7), 24),
        ("NYC", date(2026, 3, 8), 23),
        ("NYC", date(2026, 3, 9), 24),
        ("NYC", date(2026, 11, 1), 25),
        ("NYC", date(2026, 11, 2), 24),
        ("SHA", date(2026, 3, 8), 24),
    ],
)
def test_windows_lie_end_to_end(session: str, day: date, hours: int) -> None:
    opens, closes = clock.window(session, day)
    assert closes - opens == timedelta(hours=hours)
    assert closes == clock.cut_off(session, day)
    assert opens == clock.window(session, day - timedelta(days=1))[1]


@pytest.mark.parametrize(
    ("session", "day", "expected"),
    [
        # 23:59:59 in New York is 04:59:59 UTC of the next day in winter, 03:59:59 in summer.
        ("NYC", date(2026, 1, 15), datetime(2026, 1, 16, 4, 59, 59)),
        ("NYC", date(2026, 7, 4), datetime(2026, 7, 5, 3, 59, 59)),
        ("NYC", date(2026, 3, 8), datetime(2026, 3, 9, 3, 59, 59)),
        ("NYC", date(2026, 11, 1), datetime(2026, 11, 2, 4, 59, 59)),
        ("SHA", date(2026, 1, 15), datetime(2026, 1, 15, 15, 59, 59)),
    ],
)
def test_restatement_ends_with_the_local_day(session: str, day: date, expected: datetime) -> None:
    assert clock.restatement_until(session, day) == expected


@pytest.mark.parametrize(
    ("session", "moment", "expected"),
    [
        ("NYC", datetime(2026, 1, 15, 21), date(2026, 1, 15)),
        ("NYC", datetime(2026, 1, 15, 20, 59, 59, 999_999), date(2026, 1, 14)),
        ("NYC", datetime(2026, 1, 16, 0), date(2026, 1, 15)),
        ("NYC", datetime(2026, 3, 8, 20), date(2026, 3, 8)),
        ("NYC", datetime(2026, 11, 1, 20), date(2026, 10, 31)),
        ("NYC", datetime(2026, 11, 1, 21), date(2026, 11, 1)),
        ("SHA", datetime(2026, 1, 15, 7), date(2026, 1, 15)),
        ("SHA", datetime(2026, 1, 15, 6, 59), date(2026, 1, 14)),
        ("SHA", datetime(2026, 1, 1, 0), date(2025, 12, 31)),
    ],
)
def test_the_last_cut_off_is_at_or_before_the_moment(
    session: str, moment: datetime, expected: date
) -> None:
    assert clock.last_cut_off(session, moment) == expected


@pytest.mark.parametrize("session", ["SHA", "NYC"])
def test_the_last_cut_off_of_each_hour_of_two_years(session: str) -> None:
    moment = datetime(2025, 1, 1)
    while moment < datetime(2027, 1, 1):
        day = clock.last_cut_off(session, moment)
        assert clock.cut_off(session, day) <= moment, moment
        assert moment < clock.cut_off(session, day + timedelta(days=1)), moment
        moment += timedelta(hours=5)


@pytest.mark.parametrize(
    ("day", "months", "expected"),
    [
        (date(2026, 1, 31), 0, date(2026, 1, 1)),
        (date(2026, 1, 31), 1, date(2026, 2, 1)),
        (date(2026, 2, 28), -3, date(2025, 11, 1)),
        (date(2026, 12, 5), 1, date(2027, 1, 1)),
        (date(2026, 1, 5), -1, date(2025, 12, 1)),
        (date(2026, 3, 1), -3, date(2025, 12, 1)),
        (date(2026, 6, 30), -18, date(2024, 12, 1)),
    ],
)
def test_first_days_of_months(day: date, months: int, expected: date) -> None:
    assert clock.month_start(day, months) == expected


def test_every_calendar_day_is_an_index_day() -> None:
    leap = clock.days(date(2024, 2, 27), date(2024, 3, 1))
    assert [d.isoformat() for d in leap] == ["2024-02-27", "2024-02-28", "2024-02-29", "2024-03-01"]
    assert clock.days(date(2026, 1, 2), date(2026, 1, 1)) == []
    assert len(clock.days(date(2025, 1, 1), date(2025, 12, 31))) == 365


def test_times_are_written_with_milliseconds_and_z() -> None:
    assert clock.iso(datetime(2026, 1, 15, 21)) == "2026-01-15T21:00:00.000Z"
    assert clock.iso(datetime(2026, 1, 15, 21, 0, 0, 123_999)) == "2026-01-15T21:00:00.123Z"


@pytest.mark.parametrize("ask", [clock.cut_off, clock.restatement_until, clock.final_at])
def test_an_unknown_session_is_an_error(ask: object) -> None:
    with pytest.raises(KeyError, match="LON"):
        ask("LON", date(2026, 1, 15))  # type: ignore[operator]
