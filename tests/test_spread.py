"""Token-compute spreads: heat rates from throughputs, the value by hand, levels, missing legs."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.derived import Leg, spread_day
from index.publication.record import decimal_text
from methodology import register, spread
from methodology.definition import load_definitions, load_methodology
from methodology.derived_definitions import SpreadDefinition
from methodology.errors import DefinitionError

RULES = load_methodology()
SPREADS = [d for d in load_definitions() if isinstance(d, SpreadDefinition)]
V3 = next(d for d in SPREADS if d.index_id == "SPK-deepseek-v3-0324-H100-SXM-80")
DAY = date(2026, 8, 12)
TOKEN, GPU = V3.legs

TABLE = """
[[heat_rate]]
models = ["m"]
sku = "H100-SXM-80"
precision = "FP8"
out_tokens_per_second = "22300"
gpus = 8
stated = 2025-05-05
effective_from = 2025-05-06
reviewed = 2026-11-20
review_due = 2027-05-20
source = "https://example.org/a"
why = "a page"
"""


def line(model: str = "deepseek-v3-0324") -> spread.HeatRate:
    found = spread.heat_rate_on(spread.load_heat_rates(), model, "H100-SXM-80", "FP8", DAY)
    assert found is not None
    return found


def test_hours_of_a_million_tokens_by_hand() -> None:
    """8 GPUs, 22,300 tokens/s: 8e6 / (22300 * 3600) = 8e6 / 80,280,000 = 0.09965122 GPU-hours.

    Input: 8e6 / (52300 * 3600) = 8e6 / 188,280,000 = 0.04248991. Three of input and one of output,
    as published: (3 * 0.042490 + 0.099651) / 4 = 0.227121 / 4 = 0.05678025.
    """
    assert line().gpu_hours_e6("OUT") == 99651
    assert line().gpu_hours_e6("IN") == 42490
    assert line().gpu_hours_e6("BLD") == 56780


def test_a_day_by_hand() -> None:
    """0.836667 - 0.099651 * 3.2000 = 0.836667 - 0.3188832 = 0.5177838, rounded 0.517784."""
    legs = (Leg(TOKEN, 836667, 6, "REDUCED", 6), Leg(GPU, 32000, 4, "REDUCED", 5))
    told = spread_day(V3, legs, line(), RULES)
    assert decimal_text(told.value_units, 6) == "0.517784"
    assert (told.waterfall, told.groups, told.no_fix_reason) == ("REDUCED", 5, None)
    assert [r["quantity_e12"] for r in told.rows] == ["1000000000000", "-99651000000"]


def test_the_day_of_the_rulebook_is_negative() -> None:
    """18.6: 0.836667 - 0.099651 * 11.0610 = -0.265572711."""
    legs = (Leg(TOKEN, 836667, 6, "REDUCED", 6), Leg(GPU, 110610, 4, "REDUCED", 3))
    assert decimal_text(spread_day(V3, legs, line(), RULES).value_units, 6) == "-0.265573"
    rulebook = (Path(__file__).parents[1] / "methodology" / "README.md").read_text("utf-8")
    page = rulebook.partition("### 18.6")[2].partition("## 19")[0]
    for figure in ("80,280,000", "0.099651", "1.102239711", "-0.265572711", "-0.265573"):
        assert figure in page


@pytest.mark.parametrize(
    ("numerator", "expected"),
    [(-15, -1), (-14, -1), (-16, -2), (-5, 0), (-4, 0), (-6, -1), (5, 1), (4, 0), (15, 2), (0, 0)],
)
def test_a_half_goes_up_below_zero_too(numerator: int, expected: int) -> None:
    assert spread.half_up(numerator, 10) == expected


def test_a_level_is_the_worse_of_its_legs() -> None:
    legs = (Leg(TOKEN, 1, 6, "CARRIED_INPUT", 6), Leg(GPU, 1, 4, "REDUCED", 5))
    assert spread_day(V3, legs, line(), RULES).waterfall == "CARRIED_INPUT"
    assert spread.worse_level(["FULL", "CARRY", "REDUCED"]) == "CARRY"
    assert spread.worse_grade(["A", "C", "B"]) == "C"


@pytest.mark.parametrize(
    ("legs", "named"),
    [
        pytest.param((Leg(TOKEN), Leg(GPU, 32000, 4, "REDUCED", 5)), [TOKEN], id="no_token_rate"),
        pytest.param((Leg(TOKEN, 836667, 6, "REDUCED", 6), Leg(GPU)), [GPU], id="no_gpu_rate"),
        pytest.param((Leg(TOKEN), Leg(GPU)), [TOKEN, GPU], id="neither"),
    ],
)
def test_a_spread_without_a_leg_has_no_fix_and_names_it(
    legs: tuple[Leg, Leg], named: list[str]
) -> None:
    told = spread_day(V3, legs, line(), RULES)
    assert (told.value_units, told.waterfall) == (None, "NO_FIX")
    assert told.no_fix_reason is not None
    assert [leg for leg in V3.legs if leg in told.no_fix_reason] == named
    assert [r["group"] for r in told.rows if r["reason"] == "LEG_NO_FIX"] == named


def test_without_a_heat_rate_there_is_no_fix() -> None:
    legs = (Leg(TOKEN, 836667, 6, "REDUCED", 6), Leg(GPU, 32000, 4, "REDUCED", 5))
    told = spread_day(V3, legs, None, RULES)
    assert (told.value_units, told.waterfall) == (None, "NO_FIX")
    assert "no heat rate" in (told.no_fix_reason or "")


AMOUNT = st.integers(min_value=1, max_value=10**9)


@given(token=AMOUNT, gpu=AMOUNT, hours=st.integers(min_value=1, max_value=10**7))
def test_ten_times_the_prices_give_ten_times_the_exact_spread(
    token: int, gpu: int, hours: int
) -> None:
    exact = Fraction(token, 10**6) - Fraction(hours, 10**6) * Fraction(gpu, 10**4)
    units = spread.spread_units((token, 6), (gpu, 4), hours, 6)
    tenfold = spread.spread_units((10 * token, 6), (10 * gpu, 4), hours, 6)
    assert -1 < 2 * (units - exact * 10**6) <= 1 or 2 * (units - exact * 10**6) == 1
    assert -1 <= 2 * (tenfold - exact * 10**7) <= 1
    assert abs(tenfold - 10 * units) <= 5


@given(token=AMOUNT, gpu=AMOUNT, hours=st.integers(min_value=1, max_value=10**7))
def test_a_dearer_gpu_never_widens_the_spread(token: int, gpu: int, hours: int) -> None:
    cheap = spread.spread_units((token, 6), (gpu, 4), hours, 6)
    assert spread.spread_units((token, 6), (gpu + 1, 4), hours, 6) <= cheap
    assert spread.spread_units((token + 1, 6), (gpu, 4), hours, 6) == cheap + 1


def test_a_line_holds_until_a_later_one_of_the_same_good() -> None:
    later = TABLE.replace("22300", "30000").replace("2025-05-06", "2026-05-20")
    lines = spread.parse_heat_rates(TABLE + later)

    def on(day: date) -> str | None:
        found = spread.heat_rate_on(lines, "m", "H100-SXM-80", "FP8", day)
        return found.out_tokens_per_second if found else None

    assert on(date(2025, 5, 5)) is None
    assert on(date(2025, 5, 6)) == on(date(2026, 5, 19)) == "22300"
    assert on(date(2026, 5, 20)) == "30000"
    assert spread.heat_rate_on(lines, "m", "H100-SXM-80", "FP4", DAY) is None


@pytest.mark.parametrize(
    ("body", "told"),
    [
        pytest.param(TABLE + TABLE, "stands twice", id="two_lines_of_one_day"),
        pytest.param(TABLE.replace("2025-05-06", "2025-05-05"), "day after", id="before_stated"),
        pytest.param(TABLE.replace('"22300"', '"0"'), "above zero", id="no_throughput"),
        pytest.param(TABLE.replace('"22300"', '"NaN"'), "decimal", id="not_a_number"),
        pytest.param(TABLE.replace("https://", "ftp://"), "source", id="no_page"),
        pytest.param(TABLE + "note = 1\n", "note", id="unknown_key"),
        pytest.param("[[heat_rate", "heat_rates.toml", id="not_toml"),
    ],
)
def test_a_bad_line_is_refused(body: str, told: str) -> None:
    with pytest.raises(DefinitionError, match=told):
        spread.parse_heat_rates(body)


def test_the_packaged_table_names_models_of_the_register_and_is_reviewed_half_yearly() -> None:
    models = {m.id for m in register.load_models()}
    rates = spread.load_heat_rates()
    assert rates
    for one in rates:
        assert set(one.models) <= models
        assert 0 < (one.review_due - one.reviewed).days <= 184
        assert one.stated < one.effective_from


@pytest.mark.parametrize("definition", SPREADS, ids=[d.index_id for d in SPREADS])
def test_every_spread_has_its_legs_its_session_and_a_heat_rate(
    definition: SpreadDefinition,
) -> None:
    known = {name: d for d in load_definitions() for name in d.index_ids}
    for leg in definition.legs:
        assert known[leg].session == definition.session
    held = spread.heat_rate_on(
        spread.load_heat_rates(), definition.model, definition.sku, definition.precision,
        definition.effective_from,
    )  # fmt: skip
    assert held is not None
    assert held.gpu_hours_e6(definition.meter) is not None
