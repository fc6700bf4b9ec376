"""Tariffs by days of the week: windows, their zone, and the mean against a count of minutes."""

from __future__ import annotations

import random
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from offers import observations, seen

from methodology import tariffs
from methodology.tariffs import collapse_tariffs, windows

MONDAY_TO_FRIDAY = (1, 2, 3, 4, 5)
Row = tuple[int | None, int | None, int | None]


def collapsed(rows: list[Row]) -> int | None:
    told: list[dict[str, Any]] = [
        seen("2026-01-01 00:00", price, window_start_min=start, window_end_min=end)
        for price, start, end in rows
    ]
    (price,) = collapse_tariffs(observations(told))["price_nano"].to_list()
    return price  # type: ignore[no-any-return]


def counted(rows: list[Row]) -> int | None:
    """Return the mean by counting all minutes of a week; ``None`` where one has not one price."""
    prices: list[list[int | None]] = [[] for _ in range(10_080)]
    outside = [price for price, start, _ in rows if start is None]
    for price, start, end in rows:
        if start is None or end is None:
            continue
        span, days = (1440, range(7)) if start < 1440 else (10_080, range(1))
        for day in days:
            first = start % 1440 + 1440 * (day if start < 1440 else start // 1440 - 1)
            for n in range((end - start) % span or span):
                prices[(first + n) % 10_080].append(price)
    whole = [found or outside for found in prices]
    if len(outside) > 1 or any(len(found) != 1 or found[0] is None for found in whole):
        return None
    total = sum(found[0] or 0 for found in whole)
    return int(Fraction(total, 10_080) + Fraction(1, 2))


@pytest.mark.parametrize(
    ("hours", "days", "zone", "expected"),
    [
        pytest.param((60, 240), range(1, 8), 0, [(60, 240)], id="every day is one window"),
        pytest.param((540, 720), range(1, 8), 480, [(60, 240)], id="every day in Beijing"),
        pytest.param((540, 1440), [1], 480, [(1500, 2400)], id="Monday 09:00 to 24:00 in Beijing"),
        # 00:30 to 08:30 of a Monday in Beijing: 16:30 of Sunday (10080 + 990) to 00:30 of Monday.
        pytest.param((30, 510), [1], 480, [(11070, 1470)], id="Monday begins on Sunday in UTC"),
        # 00:30 to 08:30 of Saturday: Friday (7200) 16:30 to Saturday (8640) 00:30.
        pytest.param((30, 510), [6], 480, [(8190, 8670)], id="Saturday begins on Friday in UTC"),
        # 22:00 to 02:00 of Sunday in New York, five hours behind: 03:00 to 07:00 of Monday.
        pytest.param((1320, 120), [7], -300, [(1620, 1860)], id="Sunday is Monday in UTC"),
        pytest.param((1320, 120), [7], 0, [(11400, 1560)], id="a night from Sunday into Monday"),
        pytest.param((0, 1440), [6, 7], 0, [(8640, 10080), (10080, 1440)], id="whole days"),
    ],
)
def test_hours_of_days_become_windows_of_the_week_in_utc(
    hours: tuple[int, int], days: Any, zone: int, expected: list[tuple[int, int]]
) -> None:
    assert windows(*hours, days=days, zone=zone) == expected


@pytest.mark.parametrize(
    ("hours", "days"),
    [((0, 60), []), ((0, 60), [0, 1]), ((0, 60), [8]), ((1440, 60), [1]), ((0, 0), [1])],
    ids=["no day", "day 0", "day 8", "starts at the end", "ends at nothing"],
)
def test_what_is_no_window_is_an_error(hours: tuple[int, int], days: list[int]) -> None:
    with pytest.raises(ValueError, match=r"needs (some|minutes) of"):
        windows(*hours, days=days)


@pytest.mark.parametrize(
    ("window", "words"),
    [
        ((60, 240), "every day 01:00 to 04:00 UTC"),
        ((11400, 1560), "Sunday 22:00 to Monday 02:00 UTC"),
        ((8190, 8670), "Friday 16:30 to Saturday 00:30 UTC"),
    ],
)
def test_a_window_in_words(window: tuple[int, int], words: str) -> None:
    assert tariffs.spelled(*window) == words


@pytest.mark.parametrize("window", [(60, 1500), (1500, 60), (-1, 60), (1440, 11520)])
def test_ends_of_two_kinds_are_no_window(window: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="no window"):
        tariffs.spelled(*window)
    assert collapsed([(100, None, None), (200, *window)]) is None


PEAK = [w for a, b in ((60, 240), (360, 600)) for w in windows(a, b, days=MONDAY_TO_FRIDAY)]
WEEKEND = [(8640, 1440)]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        # DeepSeek, 2026-09-12, USD per million: 35 of 168 hours are peak hours. In nano-dollars
        # (133 * 0.15 + 35 * 0.3) / 168 = 0.18125, and of the output (133 * 1.98 + 35 * 3.96) / 168
        # = 2.3925; on every day it was 0.19375 and 2.5575.
        pytest.param(
            [(150_000_000, None, None), *((300_000_000, *w) for w in PEAK)], 181_250_000, id="input"
        ),
        pytest.param(
            [(1_980_000_000, None, None), *((3_960_000_000, *w) for w in PEAK)],
            2_392_500_000,
            id="output of the larger model",
        ),
        pytest.param([(700, None, None), (1400, *WEEKEND[0])], 900, id="(5 * 700 + 2 * 1400) / 7"),
        pytest.param([(7, 1440, 1440)], 7, id="one window round the week"),
        pytest.param([(700, 1440, 8640), (1400, 8640, 1440)], 900, id="no price outside"),
        # Hours of every day beside a weekend: 8 h of 5 days at 21, 48 h at 42, 80 h at 84:
        # (40 * 21 + 48 * 42 + 80 * 84) / 168 = 57.
        pytest.param(
            [
                (84, None, None),
                (42, 8640, 1440),
                *((21, *w) for w in windows(0, 480, days=range(1, 6))),
            ],
            57,
            id="nights of weekdays and a weekend",
        ),
        pytest.param([(84, None, None), (21, 0, 480), (42, 8640, 1440)], None, id="both at once"),
        pytest.param([(700, 1440, 8640)], None, id="a weekend without a price"),
        pytest.param([(700, None, None), (None, 8640, 1440)], None, id="a price is missing"),
        pytest.param(
            [(1, None, None), (2, 11400, 1560), (3, 1500, 1600)], None, id="overlap after Sunday"
        ),
        pytest.param([(1, None, None), (1, None, 60)], None, id="a window without its start"),
        # 5,040 more in one minute of 10,080 are one half: up; one less is not.
        pytest.param([(10**6, None, None), (10**6 + 5040, 1440, 1441)], 10**6 + 1, id="one half"),
        pytest.param([(10**6, None, None), (10**6 + 5039, 1440, 1441)], 10**6, id="less"),
        pytest.param([(10**15, None, None), (10**15, 1440, 1441)], 10**15, id="the largest price"),
    ],
)
def test_tariffs_of_a_week_by_hand(rows: list[Row], expected: int | None) -> None:
    assert collapsed(rows) == counted(rows) == expected


@st.composite
def schedules(draw: st.DrawFn) -> list[Row]:
    """Cuts of a week: most are whole, some lose a price or have a window drawn out."""
    cuts = sorted(draw(st.sets(st.integers(0, 10_079), min_size=2, max_size=7)))
    price = st.integers(1, 10**10)
    rows: list[Row] = [
        (draw(price), 1440 + a, 1440 + b) for a, b in zip(cuts, [*cuts[1:], cuts[0]], strict=True)
    ]
    kind = draw(st.sampled_from(["whole", "whole", "outside", "hole", "overlap", "daily"]))
    if kind in ("outside", "hole"):
        rows.pop(draw(st.integers(0, len(rows) - 1)))
    if kind == "overlap":
        first = rows[0]
        rows[0] = (first[0], first[1], 1440 + ((first[2] or 0) - 1440 + 1) % 10_080)
    if kind == "daily":
        start = draw(st.integers(0, 1439))
        rows = [rows[0], (draw(price), start, draw(st.integers(0, 1439)))]
    if kind in ("outside", "daily"):
        rows.append((draw(price), None, None))
    return rows


@settings(max_examples=20, deadline=None)
@given(schedules(), st.randoms(use_true_random=False))
def test_the_mean_is_that_of_all_minutes_in_any_order(
    rows: list[Row], chance: random.Random
) -> None:
    expected = counted(rows)
    chance.shuffle(rows)
    assert collapsed(rows) == expected


@settings(max_examples=15, deadline=None)
@given(
    st.sets(st.integers(1, 7), min_size=1),
    st.integers(0, 1439),
    st.integers(1, 1440),
    st.integers(-720, 840),
    st.integers(1, 10**12),
)
def test_zone_and_days_do_not_change_how_many_hours_there_are(
    days: set[int], start: int, end: int, zone: int, more: int
) -> None:
    def mean(made: list[tuple[int, int]]) -> int | None:
        return collapsed([(10**9, None, None), *((10**9 + more, *w) for w in made)])

    here = mean(windows(start, end, days=days))
    assert mean(windows(start, end, days=days, zone=zone)) == here
    length = (end - start) % 1440 or 1440
    assert here == 10**9 + int(Fraction(more * length * len(days), 10_080) + Fraction(1, 2))
    if len(days) == 7:  # said day by day it is the same number
        assert mean([w for day in days for w in windows(start, end, days=[day])]) == here
