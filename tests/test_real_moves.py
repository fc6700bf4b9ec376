"""Known real price moves, followed from the source into every index that could feel them.

The prices were read from the stored bodies and from the packaged price list; the days on which a
fixing moves are worked out here by hand from rulebook 4 (a price counts once it stands in more
than half of the hourly partitions before the cut-off) and 6.2 (a jump is held until confirmed).
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from datetime import UTC, date, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from collectors.base import Capture
from collectors.tokens import genai_prices
from methodology import clock, register
from methodology.definition import load_definitions
from methodology.eligibility import Registers, normalise
from methodology.representative import (
    Coverage,
    collapse_tariffs,
    price_table,
    segments,
    window_table,
)
from tests.bundled_history import (
    BUNDLE,
    NANO,
    Determined,
    determined,
    nano,
    packaged,
    price_history,
    rules,
    taken,
)

H100_ANY = "GPR-H100-ANY-OD-NEO-GLB"
H200_ANY = "GPR-H200-ANY-OD-NEO-GLB"
H100_SXM = "GPR-H100-SXM-80-OD-NEO-GLB"
NEO = (H100_ANY, H200_ANY, H100_SXM, "GPR-B200-ANY-OD-NEO-GLB", "GPR-A100-SXM-80-OD-NEO-GLB")
LATER = "-LATER"
"""Ends the ids of two indices that exist only here: the same rules, frozen after the growth."""

TKX = ("TKX-ALL-BLD", "TKX-CN-BLD", "TKX-US-BLD")

PAYLOADS = Path(
    os.environ.get("SPOTFIX_PAYLOADS") or Path(__file__).resolve().parents[2] / "shared/payloads"
)


@pytest.fixture(scope="module")
def made() -> Determined:
    """The indices of neoclouds, their later-frozen twins, and the composites."""
    twins = [
        d.model_copy(update={"effective_from": date(2026, 7, 21), "suffix": LATER})
        for d in packaged(H100_ANY, H200_ANY)
    ]
    return determined([*packaged(*NEO, *TKX), *twins])


def partitions(session: str, day: date, since: datetime) -> tuple[int, int]:
    """Return how many hourly partitions of a day end at or after a moment, and how many it has."""
    opened, cut = clock.window(session, day)
    ends = [
        opened.timestamp() + 3600 * (n + 1)
        for n in range(int((cut - opened).total_seconds()) // 3600)
    ]
    return sum(end >= since.timestamp() for end in ends), len(ends)


def history_of(provider: str, listing: str, meter: str, source: str) -> list[tuple[datetime, int]]:
    """Return from when which price held, changes only, of one offer on demand."""
    rows = price_history().filter(
        (pl.col("source") == source)
        & (pl.col("provider") == provider)
        & (pl.col("listing_id") == listing)
        & (pl.col("meter") == meter)
    )
    found: list[tuple[datetime, int]] = []
    for when, price in rows.sort("from").select("from", "price_nano").iter_rows():
        if not found or found[-1][1] != price:
            found.append((when, price))
    return found


def median(prices: list[str]) -> Fraction:
    """Return the median of equal members: the middle one, or the mean of the two."""
    ordered = sorted(Fraction(p) for p in prices)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def quarter_trimmed(prices: list[str]) -> Fraction:
    """Return the mean of ten equal members between the first and the third quarter of weight.

    2.5 members are cut from each end: half of the third and half of the eighth stay.
    """
    p = sorted(Fraction(x) for x in prices)
    assert len(p) == 10
    return (p[2] / 2 + sum(p[3:7]) + p[7] / 2) / 5


def units(value: Fraction, decimals: int) -> int:
    """Return a value as published units, half up."""
    return (2 * value.numerator * 10**decimals + value.denominator) // (2 * value.denominator)


# --- DigitalOcean, 2026-08-02 -------------------------------------------------------------------

SEEN = datetime(2026, 8, 2, 7, 41, 40, 769000)
"""The first body with the new prices; the one before is of 08-01 07:38:51, the next of 08-03."""


@pytest.mark.parametrize(
    ("listing", "before", "after"),
    [
        pytest.param("h200|141|on-demand", "3.44", "4.47", id="H200 from 3.44 to 4.47"),
        pytest.param("h100|80|on-demand", "2.99", "4.41", id="plain H100 from 2.99 to 4.41"),
    ],
)
def test_digitalocean_moved_in_its_own_price_history_when_it_was_first_seen(
    listing: str, before: str, after: str
) -> None:
    told = history_of("digitalocean", listing, "GPU_H", "gpurentalprices")
    assert told == [
        (datetime(2026, 7, 20, 13, 32, 59, 474000), nano(before)),
        (SEEN, nano(after)),
    ]


def test_the_new_price_stands_more_than_half_of_the_window_but_is_a_jump_seen_once() -> None:
    # The window of 08-02 runs from 08-01 20:00Z to 08-02 20:00Z. The partitions that end at
    # 08:00, 09:00, ... 20:00 come after 07:41: 13 of 24, more than half.
    assert partitions("NYC", date(2026, 8, 2), SEEN) == (13, 24)
    # 4.47/3.44 = 1.299 and 4.41/2.99 = 1.475; a GPU price may move by 5/4 unconfirmed.
    assert Fraction("4.47") / Fraction("3.44") > Fraction(5, 4)
    assert Fraction("4.41") / Fraction("2.99") > Fraction(5, 4)
    # Seen again at 08-03 08:44, more than six hours later: confirmed on 08-03.
    assert (datetime(2026, 8, 3, 8, 44, 11) - SEEN).total_seconds() > 6 * 3600


@pytest.mark.parametrize("index_id", NEO)
def test_no_published_index_has_digitalocean_in_its_panel_that_day(
    made: Determined, index_id: str
) -> None:
    # The panels were frozen on 07-10; DigitalOcean was first listed on 07-20.
    vintage = made.vintage(index_id, date(2026, 8, 2))
    assert vintage.frozen_on == date(2026, 7, 10)
    assert "digitalocean" not in vintage.groups
    told = made.refused(index_id, date(2026, 8, 2)).filter(pl.col("group") == "digitalocean")
    expected = {H100_ANY: ["4.41"], H200_ANY: ["4.47"]}.get(index_id, [])
    assert told["quoted_nano"].to_list() == [nano(p) for p in expected]
    assert told["reason"].to_list() == ["NOT_IN_PANEL"] * len(expected)


PANELS = {
    # RunPod's plain H100 left the list on 07-18 for its SXM key: imputed, with 2.99 as before.
    H100_ANY: {
        "coreweave": "6.155",
        "crusoe": "3.9",
        "massedcompute": "2.73",
        "nexgen": "2.5",
        "runpod": "2.99",
        "together": "3.99",
    },
    H200_ANY: {
        "coreweave": "6.305",
        "crusoe": "4.29",
        "jarvislabs": "3.99",
        "nexgen": "3.99",
        "runpod": "4.39",
        "together": "5.99",
        "verda": "4",
    },
    H100_SXM: {
        "jarvislabs": "2.69",
        "lambda": "3.99",
        "massedcompute": "3.14",
        "nexgen": "3.2",
        "verda": "3.25",
    },
}
"""What the panels frozen on 07-10 showed on 08-01, 08-02 and 08-03: nothing moved."""


@pytest.mark.parametrize("day", [date(2026, 8, n) for n in (1, 2, 3)], ids=str)
@pytest.mark.parametrize(
    ("index_id", "value"),
    [
        pytest.param(H100_ANY, 34450, id="plain H100: (2.99 + 3.90) / 2"),
        pytest.param(H200_ANY, 42900, id="H200: the fourth of seven"),
        pytest.param(H100_SXM, 32000, id="H100 SXM: the third of five"),
    ],
)
def test_a_published_index_without_digitalocean_stands_still(
    made: Determined, index_id: str, value: int, day: date
) -> None:
    panel = PANELS[index_id]
    told = made.contributions(index_id, day)
    assert {g: r["price_nano"] for g, r in told.items()} == {g: nano(p) for g, p in panel.items()}
    away = {g for g, r in told.items() if r["status"] == "IMPUTED"}
    assert away == ({"runpod"} if index_id == H100_ANY else set())
    assert units(median(list(panel.values())), 4) == value
    fixing = made.fixing(index_id, day)
    assert (fixing["value_units"], fixing["chained_level"]) == (value, 10_000_000)


TWINS = {
    H100_ANY: {
        "coreweave": "6.155",
        "crusoe": "3.9",
        "gmicloud": "2",
        "latitude": "3.37",
        "massedcompute": "2.73",
        "nexgen": "2.5",
        "ovh": "2.99",
        "together": "3.99",
    },
    H200_ANY: {
        "coreweave": "6.305",
        "crusoe": "4.29",
        "gmicloud": "2.6",
        "jarvislabs": "3.99",
        "nexgen": "3.99",
        "ovh": "6.195",
        "runpod": "4.39",
        "together": "5.99",
        "verda": "4",
    },
}
"""The other members of a panel frozen on 07-21, the first day DigitalOcean has a price to show."""


@pytest.mark.parametrize(
    ("day", "status", "reason"),
    [
        pytest.param(date(2026, 8, 1), "OBSERVED", "", id="08-01 the old price"),
        pytest.param(date(2026, 8, 2), "HELD", "JUMP_UNCONFIRMED", id="08-02 held"),
        pytest.param(date(2026, 8, 3), "OBSERVED", "CONFIRMED_SAME_PATH", id="08-03 moved"),
        pytest.param(date(2026, 8, 4), "OBSERVED", "", id="08-04 no jump any more"),
    ],
)
@pytest.mark.parametrize(
    ("index_id", "before", "after", "mean", "values"),
    [
        # nine members: the fifth of 2 2.5 2.73 2.99 [2.99] 3.37 3.9 3.99 6.155, then
        # of 2 2.5 2.73 2.99 [3.37] 3.9 3.99 4.41 6.155
        pytest.param(H100_ANY, "2.99", "4.41", median, (29900, 33700), id="H100, nine members"),
        # ten members: (3.99/2 + 3.99 + 4 + 4.29 + 4.39 + 5.99/2) / 5 = 4.332, then
        # (3.99/2 + 4 + 4.29 + 4.39 + 4.47 + 5.99/2) / 5 = 4.428
        pytest.param(H200_ANY, "3.44", "4.47", quarter_trimmed, (43320, 44280), id="H200, ten"),
    ],
)
def test_with_digitalocean_in_the_panel_the_fixing_holds_on_the_2nd_and_moves_on_the_3rd(
    made: Determined,
    index_id: str,
    before: str,
    after: str,
    mean: Callable[[list[str]], Fraction],
    values: tuple[int, int],
    day: date,
    status: str,
    reason: str,
) -> None:
    name = index_id + LATER
    moved = day >= date(2026, 8, 3)
    stands = after if moved else before
    told = made.contributions(name, day)
    line = told["digitalocean"]
    assert (line["status"], line["reason"]) == (status, reason)
    assert line["price_nano"] == nano(stands)
    assert line["quoted_nano"] == nano(before if day == date(2026, 8, 1) else after)
    panel = TWINS[index_id] | {"digitalocean": stands}
    assert {g: r["price_nano"] for g, r in told.items()} == {g: nano(p) for g, p in panel.items()}
    value = values[moved]
    assert units(mean(list(panel.values())), 4) == value
    fixing = made.fixing(name, day)
    assert fixing["value_units"] == value
    assert fixing["chained_level"] == units(Fraction(1000 * value, values[0]), 4)


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


# --- more sellers on 2026-07-20 -----------------------------------------------------------------

NEW_SELLERS = {"digitalocean", "gmicloud", "latitude", "primeintellect"}
UNREAD = {"voltagepark", "azure", "aws"}
"""In the bodies, not in the bundle: the register says why next to its lines of listings."""


def bundled_h100(day: str) -> dict[tuple[str, str], str]:
    """Return prices by seller and listing of both H100 keys, on demand and secure, of one body."""
    rows = pl.read_csv(BUNDLE / "gpus_gpurentalprices.csv", infer_schema=False).filter(
        pl.col("observed_at").str.starts_with(day)
        & pl.col("listing_id").str.contains(r"^h100(-sxm)?\|80\|(on-demand|secure)$")
    )
    return {(p, n): x for p, n, x in rows.select("provider", "listing_id", "price_text").rows()}


def body_h100(day: str) -> dict[tuple[str, str], str]:
    """Return the same from the whole body, every seller."""
    file = PAYLOADS / "gpu/gpurentalprices" / f"{day}.json.gz"
    if not file.is_file():
        pytest.skip("captured bodies are not here; set SPOTFIX_PAYLOADS")
    content = json.loads(gzip.decompress(file.read_bytes()), parse_float=str, parse_int=str)
    return {
        (row["provider"], f"{row['gpu']}|{row['vram_gb']}|{row['kind']}"): row["usd_hr"]
        for row in content["offers"]
        if row["gpu"] in ("h100", "h100-sxm") and row["kind"] in ("on-demand", "secure")
    }


def test_the_whole_bodies_grew_from_17_rows_to_24_and_no_matched_price_changed() -> None:
    before, after = body_h100("2026-07-19"), body_h100("2026-07-20")
    assert (len(before), len(after)) == (17, 24)
    assert {key: after[key] for key in before} == before
    added = {seller for seller, _ in set(after) - set(before)}
    assert added == NEW_SELLERS | {"scaleway", "gcp"}  # scaleway has two rows
    # The bundle has the rows of reviewed lines only.
    unread = {seller for seller, _ in set(after) - set(bundled_h100("2026-07-20"))}
    assert unread == UNREAD | {"scaleway", "gcp"}


def test_the_bundle_grew_by_four_sellers_and_no_matched_price_changed() -> None:
    before, after = bundled_h100("2026-07-19"), bundled_h100("2026-07-20")
    assert (len(before), len(after)) == (14, 18)
    assert {key: after[key] for key in before} == before
    assert {seller for seller, _ in set(after) - set(before)} == NEW_SELLERS


@pytest.mark.parametrize("index_id", NEO)
def test_the_growth_moves_no_chained_series(made: Determined, index_id: str) -> None:
    days = [date(2026, 7, n) for n in range(18, 24)]
    told = [made.fixing(index_id, day) for day in days]
    assert len({(f["chained_level"], f["value_units"], f["panel"]) for f in told}) == 1
    assert told[0]["chained_level"] == 10_000_000
    before, after = (made.contributions(index_id, day) for day in (days[1], days[3]))
    assert {g: r["price_nano"] for g, r in before.items()} == {
        g: r["price_nano"] for g, r in after.items()
    }


def test_the_new_sellers_are_shown_beside_the_panel(made: Determined) -> None:
    # Seen at 13:33, they price 7 of 24 partitions of 07-20: no representative price that day.
    first = datetime(2026, 7, 20, 13, 32, 59)
    assert partitions("NYC", date(2026, 7, 20), first) == (7, 24)
    assert not NEW_SELLERS & set(made.refused(H100_ANY, date(2026, 7, 20))["group"])
    rows = made.refused(H100_ANY, date(2026, 7, 21)).filter(
        pl.col("group").is_in(sorted(NEW_SELLERS))
    )
    assert dict(rows.select("group", "reason").iter_rows()) == {
        "digitalocean": "NOT_IN_PANEL",
        "gmicloud": "NOT_IN_PANEL",
        "latitude": "NOT_IN_PANEL",
        "primeintellect": "CLASS_BROKER",
    }
