"""Currency: crosses by hand, which day's rate holds, and when none does."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl
import pytest

from methodology import fx, schemas
from methodology.definition import load_methodology
from methodology.errors import PriceError

MAX_AGE = load_methodology().fx.max_age_days
FRIDAY = date(2026, 1, 16)


def rates(*rows: tuple[str, str, date], source: str = "ecb", base: str = "EUR") -> pl.DataFrame:
    return schemas.frame(
        schemas.Rate,
        [
            {
                "source": source,
                "base": base,
                "quote": quote,
                "rate_text": text,
                "ref_date": day,
                "capture_sha256": "0" * 64,
            }
            for quote, text, day in rows
        ],
    )


@pytest.mark.parametrize(
    ("usd", "cny", "expected"),
    [
        pytest.param("1.25", "9", 7_200_000, id="9 / 1.25 = 7.2"),
        # 8.1 / 1.17 = 6.923 076 923: down. 8.2 / 1.17 = 7.008 547 008: up at the sixth place.
        pytest.param("1.17", "8.1", 6_923_077, id="rounded up"),
        pytest.param("1.17", "8.2", 7_008_547, id="rounded down"),
        pytest.param("2", "14.000001", 7_000_001, id="exactly half rounds up: 7.000 000 5"),
        pytest.param("1.0000", "7.0000", 7_000_000, id="equal"),
    ],
)
def test_the_cross_is_rounded_half_up_once_to_six_places(usd: str, cny: str, expected: int) -> None:
    found = fx.cny_per_usd(rates(("USD", usd, FRIDAY), ("CNY", cny, FRIDAY)))
    assert found == {FRIDAY: expected}
    told = fx.Fx(expected, "ECB", FRIDAY).text
    assert told == f"{expected // 10**6}.{expected % 10**6:06d}"


@pytest.mark.parametrize(
    "table",
    [
        rates(("USD", "1.2", FRIDAY)),
        rates(("CNY", "8", FRIDAY)),
        rates(("USD", "1.2", FRIDAY), ("CNY", "8", FRIDAY + timedelta(days=1))),
        rates(("USD", "0", FRIDAY), ("CNY", "8", FRIDAY)),
        rates(("USD", "1.2", FRIDAY), ("CNY", "8", FRIDAY), base="GBP"),
        rates(("USD", "1.2", FRIDAY), ("JPY", "180", FRIDAY)),
        rates(),
    ],
    ids=[
        "no yuan",
        "no dollar",
        "two days",
        "a dollar of nothing",
        "another base",
        "another quote",
        "no rates",
    ],
)
def test_half_a_pair_is_no_cross(table: pl.DataFrame) -> None:
    assert fx.cny_per_usd(table) == {}


def test_two_sources_never_make_one_pair() -> None:
    table = pl.concat([rates(("USD", "1.2", FRIDAY)), rates(("CNY", "8", FRIDAY), source="other")])
    assert fx.cny_per_usd(table) == {}


def test_a_rate_that_is_no_number_is_refused() -> None:
    with pytest.raises(PriceError):
        fx.cny_per_usd(rates(("USD", "n/a", FRIDAY), ("CNY", "8", FRIDAY)))


CROSSES = {FRIDAY: 7_000_000, FRIDAY - timedelta(days=1): 6_900_000}


@pytest.mark.parametrize(
    ("session", "day", "expected"),
    [
        pytest.param("NYC", FRIDAY, FRIDAY, id="New York takes the day's own rate"),
        pytest.param("SHA", FRIDAY, FRIDAY - timedelta(days=1), id="Shanghai closes before it"),
        pytest.param("SHA", date(2026, 1, 17), FRIDAY, id="Shanghai on Saturday"),
        pytest.param("NYC", date(2026, 1, 18), FRIDAY, id="Sunday takes Friday's"),
        pytest.param("NYC", date(2026, 1, 26), FRIDAY, id="ten days old still holds"),
        pytest.param("NYC", date(2026, 1, 27), None, id="eleven days old holds no more"),
        pytest.param("SHA", date(2026, 1, 26), FRIDAY, id="ten days old in Shanghai"),
        pytest.param("SHA", date(2026, 1, 27), None, id="eleven days old in Shanghai"),
        pytest.param("NYC", date(2026, 1, 14), None, id="before the first rate"),
        pytest.param("SHA", date(2026, 1, 15), None, id="only a later rate"),
    ],
)
def test_which_rate_holds(session: str, day: date, expected: date | None) -> None:
    found = fx.rate_for(session, day, CROSSES, MAX_AGE)
    assert (found.ref_date if found else None) == expected
    if found:
        assert found.rate_e6 == CROSSES[found.ref_date]
