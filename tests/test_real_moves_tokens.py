"""Known real moves of token prices: DeepSeek's tariff of 2026-08-17, OpenAI's o3 of 2025-06-10.

The prices were read from the packaged price list; the days on which a composite moves, and its
new level, are worked out here by hand. GPU-hours: ``test_real_moves``.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Any

import polars as pl
import pytest

from collectors.base import Capture
from collectors.tokens import genai_prices
from methodology import register
from methodology.definition import load_definitions
from methodology.eligibility import Registers, normalise
from methodology.representative import (
    Coverage,
    price_table,
    segments,
    window_table,
)
from methodology.tariffs import collapse_tariffs
from tests.bundled_history import (
    NANO,
    Determined,
    determined,
    history_of,
    nano,
    packaged,
    partitions,
    rules,
    taken,
    units,
)

TKX = ("TKX-ALL-BLD", "TKX-CN-BLD", "TKX-US-BLD")


@pytest.fixture(scope="module")
def made() -> Determined:
    """The three composites; their baskets of 2026-08-01 take no price from a token rate."""
    return determined(packaged(*TKX))


# --- DeepSeek's tariff, 2026-08-17 --------------------------------------------------------------

TARIFF = datetime(2026, 8, 17)
PRO, FLASH = "deepseek-v4-pro", "deepseek-v4-flash"
OLD = {PRO: Fraction("0.54375"), FLASH: Fraction("0.175")}
"""(3*0.435 + 0.87) / 4 and (3*0.14 + 0.28) / 4, USD per million tokens."""
NEW = {PRO: Fraction("1.27875"), FLASH: Fraction("0.33")}
"""(3*0.8525 + 2.5575) / 4 and (3*0.22 + 0.66) / 4."""


def test_the_tariffs_two_prices_become_their_mean_over_the_day() -> None:
    # Peak 01:00-04:00 and 06:00-10:00 UTC at twice the price: 7 of 24 hours, so (24 + 7) / 24.
    day = Fraction(24 + 3 + 4, 24)
    assert (Fraction("0.66") * day, Fraction("1.98") * day) == (
        Fraction("0.8525"),
        Fraction("2.5575"),
    )
    assert (3 * Fraction("0.8525") + Fraction("2.5575")) / 4 == NEW[PRO]
    assert (3 * Fraction("0.435") + Fraction("0.87")) / 4 == OLD[PRO]
    assert (3 * Fraction("0.22") + Fraction("0.66")) / 4 == NEW[FLASH]
    assert (3 * Fraction("0.14") + Fraction("0.28")) / 4 == OLD[FLASH]
    rows = collapse_tariffs(
        taken().inputs.observations.filter(
            (pl.col("source") == "genai_prices")
            & (pl.col("provider") == "deepseek")
            & (pl.col("listing_id") == PRO)
            & (pl.col("effective_from") == TARIFF)
        )
    )
    assert dict(rows.select("meter", "price_nano").iter_rows()) == {
        "IN": 852_500_000,
        "OUT": 2_557_500_000,
        "CIN": 28_416_667,  # 0.022 * 31/24 = 0.02841666...
    }


@pytest.mark.parametrize(
    ("listing", "meter", "before", "after"),
    [
        pytest.param(PRO, "IN", "0.435", "0.8525", id="V4 Pro, input"),
        pytest.param(PRO, "OUT", "0.87", "2.5575", id="V4 Pro, output"),
        pytest.param(FLASH, "IN", "0.14", "0.22", id="V4 Flash, input"),
        pytest.param(FLASH, "OUT", "0.28", "0.66", id="V4 Flash, output"),
    ],
)
def test_deepseeks_own_price_history_changes_at_its_stated_date(
    listing: str, meter: str, before: str, after: str
) -> None:
    told = history_of("deepseek", listing, meter, "genai_prices")
    begins = datetime(2025, 6, 22)  # since then the list exists
    assert told[:2] == [(begins, nano(before)), (TARIFF, nano(after))]


def test_the_tariff_counts_that_day_in_new_york_and_a_day_later_in_shanghai() -> None:
    # NYC 08-17: 08-16 20:00Z to 08-17 20:00Z, the partitions ending 00:00 ... 20:00.
    assert partitions("NYC", date(2026, 8, 17), TARIFF) == (21, 24)
    # SHA 08-17: 08-16 07:00Z to 08-17 07:00Z, the partitions ending 00:00 ... 07:00: no majority.
    assert partitions("SHA", date(2026, 8, 17), TARIFF) == (8, 24)
    assert partitions("SHA", date(2026, 8, 18), TARIFF) == (24, 24)


def composite_prices(made: Determined, index_id: str, day: date) -> dict[str, dict[str, Any]]:
    """Return the lines of one composite's day by model."""
    return {r["model"]: r for r in made.outcome.composites[index_id].days[day].rows}


def weight_of(made: Determined, index_id: str, model: str) -> Fraction:
    """Return a constituent's published weight."""
    (basket,) = made.outcome.composites[index_id].baskets.values()
    return next(Fraction(c.weight_e8, 10**8) for c in basket.constituents if c.model == model)


def test_the_dollar_composite_moves_on_the_day_by_the_two_weights_times_the_two_moves(
    made: Determined,
) -> None:
    days = made.outcome.composites["TKX-ALL-BLD"].days
    before, after = (composite_prices(made, "TKX-ALL-BLD", date(2026, 8, n)) for n in (16, 17))
    for model, row in after.items():
        if model in NEW:
            assert before[model]["price_nano"] == OLD[model] * NANO
            assert row["price_nano"] == row["quoted_nano"] == NEW[model] * NANO
            # 1.27875/0.54375 = 2.35 and 0.33/0.175 = 1.89 are beyond 8/5; the seller's own date
            assert (row["status"], row["reason"]) == ("OBSERVED", "CONFIRMED_SAME_PATH")
        else:
            assert row["price_nano"] == before[model]["price_nano"], model
    # Quantities are weight by link price, so a price's move weighs w * (new/old - 1):
    # 0.03582050 * 1.351724 + 0.02324612 * 0.885714 = 0.069009.
    weights = {PRO: Fraction("0.03582050"), FLASH: Fraction("0.02324612")}
    assert {m: weight_of(made, "TKX-ALL-BLD", m) for m in weights} == weights
    quantities = {m: Fraction(after[m]["quantity_e12"], 10**12) for m in weights}
    assert quantities == {PRO: Fraction("0.065876781609"), FLASH: Fraction("0.132834971429")}
    moved = sum(q * (NEW[m] - OLD[m]) for m, q in quantities.items())
    (basket,) = made.outcome.composites["TKX-ALL-BLD"].baskets.values()
    divisor = Fraction("0.000999999999980")
    assert Fraction(basket.divisor_e15, 10**15) == divisor
    assert units(1000 + moved / divisor, 2) == 106901  # 1000 * (1 + 0.069009)
    assert days[date(2026, 8, 16)].value_units == 100000
    assert days[date(2026, 8, 17)].value_units == 106901
    assert days[date(2026, 8, 18)].value_units == 106901


# Yuan per dollar: yuan per euro by dollars per euro, six decimals. SHA takes the rate of the day
# before; 08-15 and 08-16 are a weekend. The basket was linked on 08-01 at the rate of 07-31.
RATES = {
    date(2026, 8, 1): ("7.7539", "1.1485", "6.751328"),
    date(2026, 8, 17): ("7.7977", "1.1567", "6.741333"),
    date(2026, 8, 18): ("7.8130", "1.1593", "6.739412"),
}


def test_the_yuan_composite_moves_a_day_later_at_the_rate_of_the_day_before(
    made: Determined,
) -> None:
    rates = {}
    for day, (cny, usd, text) in RATES.items():
        assert units(Fraction(cny) / Fraction(usd), 6) == int(text.replace(".", ""))
        rates[day] = Fraction(text)
    linked = {
        c.model: Fraction(c.link_price_nano, NANO)
        for c in made.outcome.composites["TKX-ALL-BLD"].baskets[date(2026, 8, 1)].constituents
    }
    weights = {PRO: Fraction("0.14299553"), FLASH: Fraction("0.09279857")}
    assert {m: weight_of(made, "TKX-CN-BLD", m) for m in weights} == weights
    expected = {}
    for day in (date(2026, 8, 17), date(2026, 8, 18)):
        moved = day == date(2026, 8, 18)
        dollars = linked | (NEW if moved else OLD)
        for model, row in composite_prices(made, "TKX-CN-BLD", day).items():
            # every other model still posts its dollars of the link day
            assert row["price_nano"] == units(dollars[model] * rates[day], 9), (model, day)
        change = sum(w * (NEW[m] / OLD[m] - 1) for m, w in weights.items()) if moved else 0
        expected[day] = units(1000 * rates[day] / rates[date(2026, 8, 1)] * (1 + change), 2)
    pro = composite_prices(made, "TKX-CN-BLD", date(2026, 8, 18))[PRO]
    assert pro["price_nano"] == 8_618_023_095  # 1.27875 * 6.739412
    assert pro["reason"] == "CONFIRMED_SAME_PATH"
    # 1000 * 6.741333/6.751328, and 1000 * 6.739412/6.751328 * (1 + 0.193291 + 0.082193)
    assert expected == {date(2026, 8, 17): 99852, date(2026, 8, 18): 127323}
    days = made.outcome.composites["TKX-CN-BLD"].days
    assert {day: days[day].value_units for day in expected} == expected


def test_the_composite_of_american_developers_does_not_feel_it(made: Determined) -> None:
    days = made.outcome.composites["TKX-US-BLD"].days
    assert [days[date(2026, 8, n)].value_units for n in range(14, 21)] == [100000] * 7
    assert PRO not in composite_prices(made, "TKX-US-BLD", date(2026, 8, 17))


# --- OpenAI o3, 2025-06-10 ----------------------------------------------------------------------

CUT = datetime(2025, 6, 10)


def o3_quotes() -> pl.DataFrame:
    """Return what the packaged list says of OpenAI's own o3, batch prices left out."""
    body = genai_prices.installed_body()
    parsed = genai_prices.parse(
        Capture("genai_prices", "package:genai-prices", body, datetime(2026, 11, 19, tzinfo=UTC))
    )
    return parsed.quotes.filter(
        (pl.col("provider") == "openai")
        & (pl.col("listing_id") == "o3")
        & pl.col("meter").is_in(["IN", "OUT"])
    )


def test_the_packaged_list_dates_the_o3_cut() -> None:
    rows = o3_quotes().sort("meter", "effective_from", nulls_last=False)
    assert rows.select(
        "meter", "price_text", "effective_from", "effective_to", "is_official_date"
    ).rows() == [
        ("IN", "10", None, CUT, False),
        ("IN", "2", CUT, None, True),
        ("OUT", "40", None, CUT, False),
        ("OUT", "8", CUT, None, True),
    ]


def test_o3s_price_history_moves_on_the_effective_date() -> None:
    listings = register.listing_map().filter(
        (pl.col("source") == "genai_prices") & (pl.col("listing_id") == "o3")
    )
    if listings.is_empty():  # no reviewed line: no index measures o3
        listings = pl.DataFrame(
            [("genai_prices", register.ANY_PROVIDER, "o3", "o3", None)],
            schema=register.listing_map().schema,
            orient="row",
        )
    licences = pl.DataFrame({"source": ["genai_prices"], "licence_id": ["MIT"]})
    observations, refused = normalise(
        o3_quotes(), Registers(register.provider_map(), listings, licences), rules().bounds
    )
    assert refused.is_empty()
    spans = pl.DataFrame(
        [("genai_prices", "schedule", datetime(2025, 6, 1), datetime(2025, 7, 1))],
        schema=taken().inputs.coverage.spans.schema,
        orient="row",
    )
    no_bodies = taken().inputs.coverage.captures.clear()
    pieces = segments(observations, Coverage(spans, no_bodies), rules())
    told = pieces.with_columns(pl.from_epoch("from_us", "us").alias("from"))
    assert told.sort("meter", "from").select("meter", "from", "price_nano").rows() == [
        ("IN", datetime(2025, 6, 1), 10 * NANO),
        ("IN", CUT, 2 * NANO),
        ("OUT", datetime(2025, 6, 1), 40 * NANO),
        ("OUT", CUT, 8 * NANO),
    ]
    # NYC 06-10: the partitions ending 00:00 ... 20:00 of 06-10 have the new price, 21 of 24.
    assert partitions("NYC", date(2025, 6, 10), CUT) == (21, 24)
    days = [date(2025, 6, n) for n in (9, 10, 11)]
    table = price_table(pieces, window_table("NYC", days), rules())
    for meter, prices in {"IN": (10, 2, 2), "OUT": (40, 8, 8)}.items():
        rows = table.select(pl.lit(True), meter).sort("day")
        assert rows["price_nano"].to_list() == [p * NANO for p in prices]
        assert rows["is_confirmed"].to_list() == [True, True, True]


def test_no_index_could_feel_the_o3_cut(made: Determined) -> None:
    # The list is not counted as observed before 2025-06-22, and no index measures o3.
    begins = taken().inputs.coverage.spans.filter(pl.col("source") == "genai_prices")
    assert begins["covered_from"].to_list() == [datetime(2025, 6, 22)]
    assert not [d for d in load_definitions() if getattr(d, "instrument", None) == "o3"]
    for index_id in TKX:
        assert min(made.outcome.composites[index_id].days) > CUT.date()
