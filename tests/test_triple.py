"""Three prints side by side: lines worked by hand, and days of the bundled history."""

from __future__ import annotations

import csv
import json
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import polars as pl
import pytest

from index.outcome import CompositeSeries, Inputs, Outcome
from index.triple import triple_lines
from methodology import schemas
from methodology.attribution import EFFECTS
from methodology.baskets import Basket, Constituent
from methodology.composite import CompositeDay
from methodology.definition import CompositeDefinition, load_definitions
from methodology.representative import Coverage
from tests.bundled_history import BUNDLE, NANO, Determined, determined, packaged, rules, units
from tests.bundled_history import taken as bundled

COMPOSITES = {d.index_id: d for d in load_definitions() if isinstance(d, CompositeDefinition)}
FIRST = date(2026, 8, 1)
A, B = "deepseek-v3.2", "gpt-oss-120b"
SUBJECTS = {A: "deepseek/deepseek-v3.2", B: "openai/gpt-oss-120b"}


def row(model: str, nano: int, weight: int, status: str = "OBSERVED") -> dict[str, Any]:
    return {
        "model": model, "developer": model, "source": "litellm", "weight_e8": weight,
        "quantity_e12": 1, "quoted_nano": nano, "price_nano": nano, "status": status,
        "reason": "", "observation_id": None,
    }  # fmt: skip


def day(
    when: date, level: int | None, *rows: dict[str, Any], waterfall: str = "REDUCED"
) -> CompositeDay:
    return CompositeDay(when, waterfall, level, len(rows), 10**8, rows)


def basket(linked_on: date, **prices: int) -> Basket:
    made = tuple(
        Constituent({"a": A, "b": B}[m], m, "litellm", p, 5 * 10**7, 1) for m, p in prices.items()
    )
    return Basket(linked_on, made, 1, date(2026, 6, 25), date(2026, 7, 22))


def told(series: CompositeSeries, crosses: dict[date, int] | None = None) -> list[dict[str, Any]]:
    """Lines of one composite; a has 30, b 10 million tokens over the 28 days before 07-23."""
    counts = {A: 30_000_000, B: 10_000_000}
    rows = [
        ("openrouter_activity", SUBJECTS[m], "total", n, date(2026, 6, 25), date(2026, 7, 23),
         datetime(2026, 8, 8), "0" * 64, m, "CC-BY-4.0")
        for m, n in counts.items()
    ]  # fmt: skip
    volumes = pl.DataFrame(
        rows,
        schema=["source", "subject", "meter", "quantity", "period_start", "period_end", "as_of",
                "capture_sha256", "instrument_id", "licence_id"],
        orient="row",
    )  # fmt: skip
    empty = pl.DataFrame()
    inputs = Inputs(
        schemas.empty(schemas.Observation), volumes, schemas.empty(schemas.Rate),
        Coverage(empty, empty),
    )  # fmt: skip
    outcome = Outcome({}, {}, {series.definition.index_id: series}, {}, crosses or {})
    return [json.loads(line) for line in triple_lines(outcome, inputs, rules()).splitlines()]


def test_four_days_by_hand() -> None:
    """a doubles, a day is carried, b is linked out.

    08-01: (30*2 + 10*6)/40 = 3. Chain 1000.
    08-02: (30*4 + 10*6)/40 = 4.5: 1500 points. Chain: 0.6*2 + 0.4*1 = 1.6. All of it is price.
    08-03: carried, so nothing is determined.
    08-04: a alone: 4, so 1333.33 points. The exit of b takes half a dollar away; the chain of a
    stays where it was.
    """
    series = CompositeSeries(COMPOSITES["TKX-OPEN-BLD"])
    two, three, four = (FIRST + timedelta(days=n) for n in (1, 2, 3))
    both = (row(A, 4 * NANO, 60_000_000), row(B, 6 * NANO, 40_000_000))
    series.days = {
        FIRST: day(FIRST, 100_000, row(A, 2 * NANO, 60_000_000), row(B, 6 * NANO, 40_000_000)),
        two: day(two, 160_000, *both),
        three: day(three, 160_000, *both, waterfall="CARRY"),
        four: day(four, 160_000, row(A, 4 * NANO, 100_000_000)),
    }
    series.baskets = {FIRST: basket(FIRST, a=2 * NANO, b=6 * NANO), two: basket(two, a=4 * NANO)}
    lines = told(series)
    keys = ("basket", "chain", "unit_value", "unit_value_points", "matched", "since", "change")
    assert [tuple(line[k] for k in keys) for line in lines] == [
        ("1000.00", "1000.000000", "3.000000", "1000.00", 0, None, None),
        ("1600.00", "1600.000000", "4.500000", "1500.00", 2, "2026-08-01", "1.500000"),
        ("1600.00", None, None, None, None, None, None),
        ("1600.00", "1600.000000", "4.000000", "1333.33", 1, "2026-08-02", "-0.500000"),
    ]
    parts = [{n: line[n] for n in EFFECTS if line[n] not in (None, "0.000000")} for line in lines]
    assert parts == [{}, {"price": "1.500000"}, {}, {"entry_exit": "-0.500000"}]
    assert {(x["volume_from"], x["volume_to"], x["unit_value_base"]) for x in lines} == {
        ("2026-06-25", "2026-07-22", "3.000000")
    }


def test_an_entrant_joins_the_chain_at_its_link_price() -> None:
    """b enters at 6 on 08-02 and is 9 on 08-03: 0.5*1 + 0.5*1.5 = 1.25."""
    series = CompositeSeries(COMPOSITES["TKX-OPEN-BLD"])
    two, three = FIRST + timedelta(days=1), FIRST + timedelta(days=2)
    series.days = {
        FIRST: day(FIRST, 100_000, row(A, 2 * NANO, 10**8)),
        two: day(two, 100_000, row(A, 2 * NANO, 10**8)),
        three: day(three, 125_000, row(A, 2 * NANO, 5 * 10**7), row(B, 9 * NANO, 5 * 10**7)),
    }
    series.baskets = {FIRST: basket(FIRST, a=2), two: basket(two, a=2 * NANO, b=6 * NANO)}
    line = told(series)[-1]
    assert (line["chain"], line["matched"]) == ("1250.000000", 2)
    # 2, then (30*2 + 10*9)/40 = 3.75: entry.
    assert (line["change"], line["entry_exit"]) == ("1.750000", "1.750000")


def test_an_imputed_price_is_no_link_of_the_chain() -> None:
    series = CompositeSeries(COMPOSITES["TKX-OPEN-BLD"])
    two = FIRST + timedelta(days=1)
    series.days = {
        FIRST: day(FIRST, 100_000, row(A, 2 * NANO, 5 * 10**7), row(B, 6 * NANO, 5 * 10**7)),
        two: day(two, 150_000, row(A, 3 * NANO, 5 * 10**7), row(B, 9 * NANO, 5 * 10**7, "IMPUTED")),
    }
    series.baskets = {FIRST: basket(FIRST, a=2 * NANO, b=6 * NANO)}
    line = told(series)[-1]
    assert (line["chain"], line["matched"]) == ("1500.000000", 1)


def test_the_rate_of_exchange_is_a_part_of_its_own() -> None:
    """Yuan. 2 and 6 dollars at 7.0, then at 7.2, a now 2.5 dollars.

    21, then (30*18 + 10*43.2)/40 = 24.3. Price: mean rate 7.1 times 3/4 of 0.5: 2.6625. Currency:
    mean of 3 and 3.375 dollars times 0.2: 0.6375.
    """
    series = CompositeSeries(COMPOSITES["TKX-CN-AGT"])
    three, four = date(2026, 8, 3), date(2026, 8, 4)
    series.days = {
        three: day(three, 100_000, row(A, 14 * NANO, 6 * 10**7), row(B, 42 * NANO, 4 * 10**7)),
        four: day(four, 118_000, row(A, 18 * NANO, 6 * 10**7), row(B, 43_200_000_000, 4 * 10**7)),
    }
    series.baskets = {three: basket(three, a=14 * NANO, b=42 * NANO)}
    crosses = {date(2026, 7, 31): 7_000_000, three: 7_200_000}
    line = told(series, crosses)[-1]
    assert (line["unit_value"], line["change"], line["fx_rate"]) == (
        "24.300000", "3.300000", "7.200000",
    )  # fmt: skip
    assert (line["price"], line["fx"]) == ("2.662500", "0.637500")
    assert (line["mix"], line["cache"], line["entry_exit"]) == ("0.000000",) * 3


def test_a_later_pass_goes_on_from_the_line_before() -> None:
    series = CompositeSeries(COMPOSITES["TKX-OPEN-BLD"])
    two, three = FIRST + timedelta(days=1), FIRST + timedelta(days=2)
    at = {FIRST: 2, two: 4, three: 5}
    series.days = {d: day(d, p * 50_000, row(A, p * NANO, 10**8)) for d, p in at.items()}
    series.baskets = {FIRST: basket(FIRST, a=2 * NANO)}
    whole = told(series)
    assert [line["chain"] for line in whole] == ["1000.000000", "2000.000000", "2500.000000"]
    volumes = bundled().inputs.volumes.clear()
    series.days = {three: series.days[three]}
    empty = pl.DataFrame()
    inputs = Inputs(empty, volumes, empty, Coverage(empty, empty))
    outcome = Outcome({}, {}, {"TKX-OPEN-BLD": series}, {}, {})
    (line,) = triple_lines(outcome, inputs, rules(), {"TKX-OPEN-BLD": whole[1]}).splitlines()
    later = json.loads(line)
    # The earlier day's prices are in no line: the chain stands still on the first day of a pass.
    assert (later["chain"], later["unit_value_base"]) == ("2000.000000", "2.000000")
    assert later["volume_to"] == "2026-07-22"


# --- the bundled history -------------------------------------------------------------------------

NAMES = tuple(name for name in COMPOSITES if name.startswith("TKX-"))
SOL = "gpt-5.6-sol"


@pytest.fixture(scope="module")
def made() -> Determined:
    """Every composite; none takes a price from a token rate here."""
    return determined(packaged(*NAMES))


@pytest.fixture(scope="module")
def lines(made: Determined) -> dict[tuple[str, date], dict[str, Any]]:
    body = triple_lines(made.outcome, bundled().inputs, rules())
    rows = [json.loads(line) for line in body.splitlines()]
    return {(r["index_id"], date.fromisoformat(r["ref_date"])): r for r in rows}


CUT = [
    # GPT-5.6 Sol, 2026-08-21: input 5 to 4, cached 0.5 to 0.4, output 30 to 20 dollars. A weight
    # w of the basket falls by 1 - new/old; what is imputed, i, follows the others:
    # level = 1000 * (1 - w * (1 - new/old) / (1 - i)).
    pytest.param("TKX-CLOSED-BLD", "11.25", "8", "0.03636717", "0", 98949, id="segment"),
    pytest.param("TKX-ALL-IN", "5", "4", "0.03649402", "0.05124430", 99231, id="input"),
    pytest.param("TKX-ALL-CIN", "0.5", "0.4", "0.03481771", "0.00337206", 99301, id="cached"),
    pytest.param("TKX-ALL-OUT", "30", "20", "0.03616637", "0.02682685", 98761, id="output"),
    # (2*5 + 7*0.5 + 30)/10 and (2*4 + 7*0.4 + 20)/10
    pytest.param("TKX-ALL-AGT", "4.35", "3.08", "0.03604212", "0.03004494", 98915, id="agentic"),
    # (279*5 + 689*0.5 + 32*30)/1000 and (279*4 + 689*0.4 + 32*20)/1000
    pytest.param("TKX-ALL-MIX", "2.6995", "2.0316", "0.03601862", "0.03506403", 99076, id="mix"),
    pytest.param("TKX-US-AGT", "4.35", "3.08", "0.03604212", "0", 98948, id="domicile and blend"),
]


@pytest.mark.parametrize(("index_id", "old", "new", "weight", "imputed", "level"), CUT)
def test_a_day_of_each_kind_by_hand(
    made: Determined, index_id: str, old: str, new: str, weight: str, imputed: str, level: int
) -> None:
    days = made.outcome.composites[index_id].days
    before, after = days[date(2026, 8, 20)], days[date(2026, 8, 21)]
    was = {r["model"]: r for r in before.rows}
    now = {r["model"]: r for r in after.rows}
    assert Fraction(was[SOL]["price_nano"], NANO) == Fraction(old)
    assert Fraction(now[SOL]["price_nano"], NANO) == Fraction(new)
    moved = {m for m in now if now[m]["price_nano"] != was[m]["price_nano"]}
    assert moved - {SOL} == {m for m in now if now[m]["status"] == "IMPUTED"}
    assert Fraction(now[SOL]["weight_e8"], 10**8) == Fraction(weight)
    missing = sum(Fraction(r["weight_e8"], 10**8) for r in after.rows if r["status"] == "IMPUTED")
    assert missing == Fraction(imputed)
    fall = Fraction(weight) * (1 - Fraction(new) / Fraction(old)) / (1 - missing)
    assert before.value_units == 100_000
    assert after.value_units == units(1000 * (1 - fall), 2) == level


def test_every_split_of_the_history_sums_and_has_neither_mix_nor_cache(
    lines: dict[tuple[str, date], dict[str, Any]],
) -> None:
    split = [line for line in lines.values() if line["change"] is not None]
    assert len(split) > 1000
    for line in split:
        told = {n: Decimal(line[n]) for n in EFFECTS}
        assert sum(told.values()) == Decimal(line["change"]), line
        assert told["mix"] == told["cache"] == 0, line
        if line["currency"] == "USD":
            assert told["fx"] == 0


def test_the_first_day_stands_at_the_base_in_all_three(
    lines: dict[tuple[str, date], dict[str, Any]],
) -> None:
    found = {name for name, when in lines if when == FIRST}
    assert found == set(NAMES) - {"TKX-FRONTIER-BLD"}
    for name in found:
        line = lines[name, FIRST]
        assert (line["basket"], line["chain"], line["unit_value_points"]) == (
            "1000.00", "1000.000000", "1000.00",
        )  # fmt: skip


def tokens() -> dict[str, int]:
    counts: dict[str, int] = {}
    with (BUNDLE / "volumes_openrouter.csv").open(encoding="utf-8") as stream:
        for found in csv.DictReader(stream):
            model = found["instrument_id"]
            counts[model] = counts.get(model, 0) + int(found["quantity"])
    return counts


def test_an_exit_moves_the_unit_value_and_not_the_basket(
    made: Determined, lines: dict[tuple[str, date], dict[str, Any]]
) -> None:
    """DeepSeek's id deepseek-v4-pro served another release from 2026-08-13 on: 14% of the basket.

    No volumes are known for a new basket, so it is linked out on the fifth day, 08-17. It was the
    cheapest of the large ones: without it the rest costs 18% more by token, and the basket stays
    where it was but for the rate of the yuan.
    """
    series = made.outcome.composites["TKX-CN-AGT"]
    assert sorted(series.baskets) == [FIRST, date(2026, 8, 17)]
    first, second = (series.baskets[d] for d in sorted(series.baskets))
    left = {c.model for c in first.constituents} - {c.model for c in second.constituents}
    assert left == {"deepseek-v4-pro"}
    sold = tokens()

    def value(when: date, without: str = "") -> Fraction:
        kept = [r for r in series.days[when].rows if r["model"] != without]
        spend = sum(Fraction(sold[r["model"]] * r["price_nano"], NANO) for r in kept)
        return spend / sum(sold[r["model"]] for r in kept)

    before, after = date(2026, 8, 17), date(2026, 8, 18)
    line = lines["TKX-CN-AGT", after]
    assert units(value(before), 6) == int(Decimal("3.243441") * 10**6)
    assert units(value(after), 6) == int(Decimal(line["unit_value"]) * 10**6)
    exit_part = value(before, "deepseek-v4-pro") - value(before)
    assert abs(Decimal(line["entry_exit"]) - Decimal(units(exit_part, 6)) / 10**6) <= Decimal(
        "1e-6"
    )
    # Nobody else moved a price; the rate went from 6.741333 to 6.739412.
    rest = value(after) - value(before, "deepseek-v4-pro")
    assert abs(Decimal(line["fx"]) - Decimal(units(rest, 6)) / 10**6) <= Decimal("1e-6")
    assert line["price"] == "0.000000"
    levels = [series.days[d].value_units for d in (before, after)]
    ratio = Fraction(6_739_412, 6_741_333)
    assert abs(levels[1] - levels[0] * ratio) < 1
    assert (line["basket"], line["unit_value_points"]) == ("998.24", "1183.46")


def test_a_small_exit_is_linked_out_on_its_thirtieth_day(made: Determined) -> None:
    series = made.outcome.composites["TKX-ALL-AGT"]
    due = date(2026, 8, 12) + timedelta(days=30)
    assert sorted(series.baskets) == [FIRST, due]
    assert series.days[due].value_units == series.days[due + timedelta(days=1)].value_units
    row_of = {r["model"]: r for r in series.days[due].rows}
    assert (row_of["deepseek-v4-pro"]["status"], row_of["deepseek-v4-pro"]["reason"]) == (
        "IMPUTED", "EXITED",
    )  # fmt: skip


GOLDEN = {
    ("TKX-ALL-BLD", date(2026, 11, 19)): 105973,
    ("TKX-US-BLD", date(2026, 11, 19)): 98952,
    ("TKX-CN-BLD", date(2026, 11, 9)): 126162,
}


def test_what_was_published_under_the_first_rules_stays(made: Determined) -> None:
    for (name, when), level in GOLDEN.items():
        series = made.outcome.composites[name]
        assert series.days[when].value_units == level
        assert list(series.baskets) == [FIRST]


def test_frontier_says_why_it_has_no_value(made: Determined) -> None:
    series = made.outcome.composites["TKX-FRONTIER-BLD"]
    assert series.days == {}
    assert series.no_basket_reason is not None
    assert "6 models of 3 developers" in series.no_basket_reason
