"""Usage by hand: a volume, a linked level, a quantity beside them, a step of disclosures."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.bundle_disclosures import tokens_of
from index.derived_usage import disclosed_day, measured_day
from methodology import usage
from methodology.definition import load_definitions
from methodology.derived_definitions import UsageDefinition
from methodology.errors import ParseError
from methodology.usage import Disclosure

KNOWN = {d.index_id: d for d in load_definitions() if isinstance(d, UsageDefinition)}
ALL, CN = KNOWN["USE-ALL"], KNOWN["USE-CN-DISCLOSED"]
BUNDLED = Path(__file__).resolve().parents[1] / "data" / "bundled"


def test_the_mean_of_28_days_by_hand() -> None:
    """2,800,000,700 tokens / 28 = 100,000,025 a day: 100.000025 million, published 100.000."""
    assert usage.per_day_units(2_800_000_700, 28) == 100_000
    assert usage.per_day_units(14_000, 28) == 1  # 500 tokens a day: half a thousand goes up


def test_two_days_by_hand() -> None:
    """Day one: ash 600, birch 300, cedar 100, at 2.00, 1.00 and 4.00 USD per million tokens.

    Day two: ash 900, birch 270, dill 500, at 1.00, 1.00 and 3.00. Matched: ash and birch.
    Level: 1000 * (900 + 270) / (600 + 300) = 1300.
    Spending on them: 1200 + 300 = 1500, then 900 + 270 = 1170.
    Shares of ash: 0.8 and 900/1170 = 10/13; their mean (0.8 + 10/13) / 2 = 51/65.
    Price: (1/2) ** (51/65) = 0.58047...; quantity: (1170/1500) / price = 0.78 * 2 ** (51/65).
    """
    sold = {"ash": 600, "birch": 300, "cedar": 100}
    posted = {"ash": 2 * 10**9, "birch": 10**9, "cedar": 4 * 10**9}
    first = measured_day(ALL, sold, posted, 28, {})
    assert first.level_units == 1000 * 10**4
    assert first.state["expenditure_nano"] == str((1200 + 300 + 400) * 10**9)
    sold = {"ash": 900, "birch": 270, "dill": 500}
    posted = {"ash": 10**9, "birch": 10**9, "dill": 3 * 10**9}
    second = measured_day(ALL, sold, posted, 28, first.state)
    assert second.level_units == 1300 * 10**4
    price = 1000 * 2 ** -float(Fraction(51, 65))
    assert float(second.state["price"]) == pytest.approx(price, rel=1e-12)
    assert float(second.state["quantity"]) == pytest.approx(1000 * 780 / price, rel=1e-12)


def test_who_comes_and_goes_moves_the_volume_and_not_the_level() -> None:
    sold, prices = {"ash": 1000, "birch": 1000}, {"ash": 10**9, "birch": 10**9}
    first = measured_day(ALL, sold, prices, 28, {})
    alone = measured_day(ALL, {"ash": 1000}, prices, 28, first.state)
    assert alone.level_units == first.level_units
    assert alone.value_units == usage.per_day_units(1000, 28)
    joined = measured_day(ALL, sold | {"cedar": 9000}, prices, 28, first.state)
    assert joined.level_units == first.level_units
    nobody = measured_day(ALL, {"dill": 5}, prices, 28, first.state)
    assert nobody.level_units == first.level_units


@given(
    st.dictionaries(st.sampled_from("abcdefgh"), st.integers(1, 10**12), min_size=2),
    st.randoms(use_true_random=False),
)
def test_the_order_of_models_changes_nothing(sold: dict[str, int], random: object) -> None:
    later = {m: 2 * t + 1 for m, t in sold.items()}
    price = {m: (10**9 + n, sold[m]) for n, m in enumerate(sorted(sold))}
    keys = list(sold)
    random.shuffle(keys)  # type: ignore[attr-defined]
    mixed, mixed_price = {m: later[m] for m in keys}, {m: price[m] for m in keys}
    assert usage.linked_level(10**7, mixed, sold) == usage.linked_level(10**7, later, sold)
    assert usage.tornqvist(mixed_price, price) == usage.tornqvist(price, mixed_price)


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_a_price_that_all_share_is_the_tornqvist_price(first: int, last: int) -> None:
    before = {m: (first, n) for n, m in enumerate("abc", 1)}
    now = {m: (last, 7 * n) for n, m in enumerate("abc", 1)}
    found = usage.tornqvist(before, now)
    assert found is not None
    assert abs(found - Decimal(last) / Decimal(first)) < Decimal("1e-20")


def figure(tokens: int, last: date, stated: date, days: int = 1) -> Disclosure:
    end = date.fromordinal(last.toordinal() + 1)
    first = date.fromordinal(end.toordinal() - days)
    return Disclosure(tokens, first, end, datetime(stated.year, stated.month, stated.day))


STATED = [
    figure(30 * 10**12, date(2025, 6, 30), date(2025, 8, 14)),
    figure(31 * 10**11, date(2024, 1, 31), date(2025, 8, 14), 31),
    figure(140 * 31 * 10**12, date(2026, 3, 31), date(2026, 3, 31), 31),
]


@pytest.mark.parametrize(
    ("day", "value", "is_stale"),
    [
        pytest.param(date(2025, 8, 13), None, False, id="nothing_was_stated_yet"),
        pytest.param(date(2025, 8, 14), 30_000_000_000, False, id="the_later_period_stands"),
        pytest.param(date(2025, 11, 14), 30_000_000_000, False, id="92_days_are_fresh"),
        pytest.param(date(2025, 11, 15), 30_000_000_000, True, id="93_days_are_stale"),
        pytest.param(date(2026, 3, 30), 30_000_000_000, True, id="a_step_and_no_slope"),
        pytest.param(date(2026, 3, 31), 140_000_000_000, False, id="the_next_statement"),
        pytest.param(date(2027, 4, 1), 140_000_000_000, True, id="366_days_still_stand"),
        pytest.param(date(2027, 4, 2), None, False, id="367_days_do_not"),
    ],
)
def test_a_disclosure_is_a_step_that_ages(day: date, value: int | None, is_stale: bool) -> None:
    told = disclosed_day(CN, STATED, day)
    assert (told.value_units, told.is_stale) == (value, is_stale)
    assert told.waterfall == ("NO_FIX" if value is None else "REDUCED")
    assert told.level_units is None


def test_an_old_period_stated_late_replaces_nothing_and_a_restated_one_does() -> None:
    late = figure(10**12, date(2025, 1, 31), date(2026, 4, 30), 31)
    again = figure(141 * 31 * 10**12, date(2026, 3, 31), date(2026, 5, 1), 31)
    at = datetime(2026, 6, 1)
    assert usage.standing([*STATED, late], at) == STATED[2]
    assert usage.standing([*STATED, late, again], at) == again


def test_what_is_stated_exactly_at_the_cut_off_stands() -> None:
    """New York's cut-off of 2026-04-01 is 20:00 UTC."""
    first, at = date(2026, 3, 31), datetime(2026, 4, 1, 20)
    one = Disclosure(5000, first, date(2026, 4, 1), at)
    told = disclosed_day(CN, [one], date(2026, 4, 1))
    assert told.value_units == 5
    late = Disclosure(5000, first, date(2026, 4, 1), datetime(2026, 4, 1, 20, 0, 1))
    assert disclosed_day(CN, [late], date(2026, 4, 1)).waterfall == "NO_FIX"


@pytest.mark.parametrize(
    ("figure", "unit", "days", "tokens"),
    [
        ("100", "billion/day", 31, 3_100_000_000_000),
        ("1.3", "trillion/day", 1, 1_300_000_000_000),
        ("140", "trillion/day (over)", 31, 4_340_000_000_000_000),
        ("9.7", "trillion/month", 31, 9_700_000_000_000),
    ],
)
def test_a_figure_becomes_the_tokens_of_its_period(
    figure: str, unit: str, days: int, tokens: int
) -> None:
    assert tokens_of(figure, unit, days) == tokens


@pytest.mark.parametrize("unit", ["trillion/week", "million/day", "trillion", "percent"])
def test_another_unit_is_refused(unit: str) -> None:
    with pytest.raises(ParseError, match="UNKNOWN_UNIT"):
        tokens_of("1", unit, 1)


def test_every_bundled_statement_names_its_page_and_was_stated_after_its_period_began() -> None:
    rows = pl.read_csv(BUNDLED / "disclosures.csv", infer_schema=False)
    assert rows.height == 14
    assert rows["url"].str.starts_with("https://").all()
    assert (rows["as_of"].str.slice(0, 10) >= rows["period_start"]).all()
    subjects = {d.subject for d in KNOWN.values() if d.basis == "disclosed"}
    assert set(rows["subject"].unique()) == subjects
