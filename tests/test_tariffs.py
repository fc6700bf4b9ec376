"""Tariffs with peak hours, and blends: one price from several, formed exactly."""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction
from typing import Any

import polars as pl
import pytest
from offers import ALWAYS, RULES, WINTER, coverage, observations, seen
from vectors import vector

from methodology import representative as rep
from methodology import segments as seg
from methodology import tariffs


def tariff(price: int | None, start: int | None = None, end: int | None = None) -> dict[str, Any]:
    return seen("2026-01-01 00:00", price, window_start_min=start, window_end_min=end)


def collapsed(*rows: dict[str, Any]) -> list[int | None]:
    frame = tariffs.collapse_tariffs(observations(list(rows)))
    return frame["price_nano"].to_list()


def test_a_peak_tariff_is_its_mean_around_the_clock() -> None:
    """Peak 09:00 to 12:00 and 14:00 to 18:00 in Beijing: 01:00 to 04:00 and 06:00 to 10:00 UTC."""
    told = vector("TV18_time_of_use_tariff.json")
    for meter, exact in told["expected_atc"].items():
        off = round(told["official_off_peak"][meter] * 10**9)
        peak = round(told["official_peak"][meter] * 10**9)
        ours = collapsed(tariff(off), tariff(peak, 60, 240), tariff(peak, 360, 600))
        expected = Fraction(exact["exact"]) * 10**9
        assert ours == [int(expected + Fraction(1, 2))], meter


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param([(100, None, None), (200, 720, 0)], [150], id="noon to midnight"),
        # 22:00 to 04:00 is 360 of 1,440 minutes: (1080 * 100 + 360 * 200) / 1440 = 125.
        pytest.param([(100, None, None), (200, 1320, 240)], [125], id="a window around midnight"),
        pytest.param([(100, 0, 720), (200, 720, 0)], [150], id="two windows and nothing outside"),
        pytest.param([(100, 1320, 240), (200, 240, 1320)], [175], id="two that wrap: 360 and 1080"),
        pytest.param([(100, 600, 600)], [100], id="one window around the clock"),
        # One minute dearer by 1,440 raises the mean by one; by 720, by one half: rounds up.
        pytest.param([(1000, None, None), (1720, 0, 1)], [1001], id="one half rounds up"),
        pytest.param([(1000, None, None), (1719, 0, 1)], [1000], id="less than one half does not"),
        pytest.param([(100, 0, 720)], [None], id="half a day without a price is no tariff"),
        pytest.param([(100, None, None), (None, 0, 720)], [None], id="one price missing"),
        pytest.param([(100, None, None), (200, 0, 300), (300, 200, 400)], [None], id="overlapping"),
        pytest.param(
            [(100, None, None), (200, 60, 120), (300, 1380, 90)], [None], id="overlap past midnight"
        ),
        pytest.param(
            [(200, 0, 900), (300, 800, 1340)], [None], id="overlap that adds up to a whole day"
        ),
    ],
)
def test_tariffs_by_hand(
    rows: list[tuple[int | None, int | None, int | None]], expected: list[int | None]
) -> None:
    assert collapsed(*(tariff(*row) for row in rows)) == expected


def test_rows_without_windows_pass_untouched() -> None:
    assert collapsed(tariff(100)) == [100]


def test_a_broken_tariff_ends_the_older_price() -> None:
    rows = [seen("2026-01-01 00:00", 100), seen("02:00", 200, window_start_min=0, window_end_min=9)]
    pieces = seg.segments(observations(rows), coverage("history", ALWAYS), RULES)
    windows = rep.window_table("NYC", [WINTER, WINTER + timedelta(days=1)])
    assert rep.representative_prices(pieces, windows, RULES).is_empty()


# --- blends --------------------------------------------------------------------------------------


def blended(legs: dict[str, int], **more: Any) -> dict[str, dict[str, Any]]:
    rows = [seen("2026-01-01 00:00", p, meter=m, **more) for m, p in legs.items()]
    pieces = seg.segments(observations(rows), coverage("history", ALWAYS), RULES)
    windows = rep.window_table("NYC", [WINTER])
    table = rep.price_table(pieces, windows, RULES)
    return {row["meter"]: row for row in table.prices.rows(named=True)}


def test_a_blend_is_three_parts_in_and_one_part_out() -> None:
    found = blended({"IN": 100, "OUT": 402})
    assert found["BLD"]["price_nano"] == 176  # (300 + 402) / 4 = 175.5, half up
    assert len(found["BLD"]["pieces"]) == 2


def test_no_blend_without_both_legs() -> None:
    assert set(blended({"IN": 100})) == {"IN"}
    assert set(blended({"OUT": 100})) == {"OUT"}


@pytest.mark.parametrize(("out", "suspect"), [(50, False), (49, True)])
def test_an_output_price_below_half_the_input_price_marks_every_meter(
    out: int, suspect: bool
) -> None:
    found = blended({"IN": 100, "CIN": 10, "OUT": out})
    assert {row["is_suspect"] for row in found.values()} == {suspect}
    assert {"IN", "CIN", "OUT", "BLD", "AGT"} <= set(found)


def test_a_missing_cached_price_is_the_input_price() -> None:
    parts = {"AGT": {"IN": 20, "CIN": 70, "OUT": 10}}
    rows = [seen("2026-01-01 00:00", p, meter=m) for m, p in (("IN", 100), ("OUT", 400))]
    pieces = seg.segments(observations(rows), coverage("history", ALWAYS), RULES)
    windows = rep.window_table("NYC", [WINTER])
    told = rep.blend(rep.representative_prices(pieces, windows, RULES), parts, RULES)
    assert told.filter(pl.col("meter") == "AGT")["price_nano"].to_list() == [130]


def test_a_price_table_names_every_observation_behind_a_blend() -> None:
    rows = [seen("2026-01-01 00:00", p, meter=m) for m, p in (("IN", 100), ("OUT", 400))]
    pieces = seg.segments(observations(rows), coverage("history", ALWAYS), RULES)
    table = rep.price_table(pieces, rep.window_table("NYC", [WINTER]), RULES)
    (row,) = table.select(pl.col("provider") == "acme", "BLD").rows(named=True)
    assert row["observation_id"] == "+".join(r["observation_id"] for r in rows)
    assert (row["tier"], row["price_nano"]) == ("E3", 175)
