"""Decimal text to nano-units: hand tables, traps and refusals."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vectors import vector

from methodology import units
from methodology.errors import PriceError


def test_rounding_is_half_up_on_the_decimal_value() -> None:
    cases = vector("TV17_rounding.json")["cases"]
    assert cases
    for case in cases:
        value, quantum = Fraction(case["value"]), Fraction(case["quantum"])
        ratio = value / quantum
        ours = units.round_half_up(ratio.numerator, ratio.denominator)
        assert ours * quantum == Fraction(case["half_up"]), case["value"]
        decimals = len(case["quantum"].split(".")[1])
        nano = value * 10**9
        if nano.denominator == 1:
            assert units.nano_to_text(int(nano), decimals) == case["half_up"]


@pytest.mark.parametrize(
    ("numerator", "denominator", "expected"),
    [
        (0, 3, 0),
        (1, 2, 1),
        (3, 2, 2),
        (5, 2, 3),
        (1, 3, 0),
        (2, 3, 1),
        (7, 7, 1),
        pytest.param(10**40, 3, int("3" * 40), id="forty digits"),
    ],
)
def test_round_half_up_by_hand(numerator: int, denominator: int, expected: int) -> None:
    assert units.round_half_up(numerator, denominator) == expected


@pytest.mark.parametrize(("numerator", "denominator"), [(-1, 2), (1, 0), (1, -2)])
def test_round_half_up_refuses_what_it_cannot_mean(numerator: int, denominator: int) -> None:
    with pytest.raises(ValueError, match="non-negative ratio"):
        units.round_half_up(numerator, denominator)


@pytest.mark.parametrize(
    ("text", "unit", "gpus", "nano", "inexact"),
    [
        # 0.0000000025 USD a token is 0.0025 USD a million: 2,500,000 nano, not 2,499,999 or 0.
        pytest.param("0.0000000025", "per_token", None, 2_500_000, False, id="trap per token"),
        pytest.param("2.5e-09", "per_token", None, 2_500_000, False, id="the same as exponent"),
        pytest.param("2.5E-9", "per_token", None, 2_500_000, False, id="capital exponent"),
        pytest.param("0.0025", "per_ktok", None, 2_500_000_000, False, id="per thousand"),
        pytest.param("2.5", "per_mtok", None, 2_500_000_000, False, id="per million"),
        pytest.param("2.50", "per_mtok", None, 2_500_000_000, False, id="trailing zero"),
        pytest.param("3", "per_mtok", None, 3_000_000_000, False, id="whole number"),
        pytest.param("3.", "per_mtok", None, 3_000_000_000, False, id="point and nothing after"),
        pytest.param("007.5", "per_mtok", None, 7_500_000_000, False, id="leading zeros"),
        pytest.param("1e3", "per_mtok", None, 10**12, False, id="positive exponent"),
        pytest.param("0", "per_mtok", None, 0, False, id="zero is exact; bounds refuse it later"),
        pytest.param("1.1234567894", "per_mtok", None, 1_123_456_789, True, id="rounded down"),
        pytest.param("1.1234567895", "per_mtok", None, 1_123_456_790, True, id="half rounds up"),
        pytest.param("1.1234567890", "per_mtok", None, 1_123_456_789, False, id="tenth digit zero"),
        pytest.param("0.1", "per_gpu_hour", None, 100_000_000, False, id="a tenth, exactly"),
        pytest.param("98.32", "per_instance_hour", 8, 12_290_000_000, False, id="eight GPUs"),
        pytest.param("10", "per_instance_hour", 3, 3_333_333_333, True, id="a third is inexact"),
        pytest.param("20", "per_instance_hour", 3, 6_666_666_667, True, id="two thirds round up"),
        pytest.param("55.04", "per_instance_hour", 1, 55_040_000_000, False, id="one GPU"),
        pytest.param("1000000", "per_mtok", None, 10**15, False, id="at the bound"),
    ],
)
def test_text_becomes_nano_units(
    text: str, unit: str, gpus: int | None, nano: int, inexact: bool
) -> None:
    assert units.to_nano(text, unit, gpus) == (nano, inexact)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("NaN", "NOT_A_NUMBER", id="NaN"),
        pytest.param("nan", "NOT_A_NUMBER", id="nan"),
        pytest.param("Infinity", "NOT_A_NUMBER", id="Infinity"),
        pytest.param("inf", "NOT_A_NUMBER", id="inf"),
        pytest.param("-inf", "NOT_A_NUMBER", id="minus infinity"),
        pytest.param("-1", "NEGATIVE_PRICE", id="the sentinel of a dynamic price"),
        pytest.param("-0.5", "NEGATIVE_PRICE", id="below zero"),
        pytest.param("-0", "NEGATIVE_PRICE", id="minus zero"),
        pytest.param("1e309", "NOT_A_NUMBER", id="beyond a double"),
        pytest.param("1e99", "OUT_OF_RANGE", id="largest readable exponent"),
        pytest.param("1e-99", "INEXACT", id="smallest readable exponent"),
        pytest.param("1,000.50", "NOT_A_NUMBER", id="thousands mark"),
        pytest.param("1.000,50", "NOT_A_NUMBER", id="decimal comma"),
        pytest.param("1 000", "NOT_A_NUMBER", id="thousands blank"),
        pytest.param("1_000", "NOT_A_NUMBER", id="underscore that Python would read"),
        pytest.param("1/3", "NOT_A_NUMBER", id="fraction that Fraction would read"),
        pytest.param("١٢٣", "NOT_A_NUMBER", id="Arabic digits that Python would read"),
        pytest.param("２", "NOT_A_NUMBER", id="full-width digit"),
        pytest.param("", "NOT_A_NUMBER", id="empty"),
        pytest.param(" ", "NOT_A_NUMBER", id="blank"),
        pytest.param(" 1", "NOT_A_NUMBER", id="leading blank"),
        pytest.param("1\n", "NOT_A_NUMBER", id="line end"),
        pytest.param("+1", "NOT_A_NUMBER", id="plus sign"),
        pytest.param(".5", "NOT_A_NUMBER", id="no digit before the point"),
        pytest.param("$1", "NOT_A_NUMBER", id="currency sign"),
        pytest.param("0x10", "NOT_A_NUMBER", id="hexadecimal"),
        pytest.param("9" * 5000, "NOT_A_NUMBER", id="five thousand digits"),
        pytest.param("0." + "1" * 5000, "NOT_A_NUMBER", id="five thousand decimals"),
        pytest.param("1000000.000000001", "OUT_OF_RANGE", id="one nano above the bound"),
    ],
)
def test_what_is_no_price_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(PriceError) as caught:
        units.to_nano(text, "per_mtok")
    assert caught.value.reason == reason
    assert repr(text)[:12] in caught.value.detail


@pytest.mark.parametrize(
    ("text", "nano"),
    [
        # Half a nano-unit lost of x nano-units is one millionth at x = 500,000.
        pytest.param("0.0005000005", 500_001, id="half a nano of 500,000.5: below a millionth"),
        pytest.param("0.0004999995", None, id="half a nano of 499,999.5: just above"),
        pytest.param("0.0000000004", None, id="vanishes entirely"),
    ],
)
def test_a_loss_above_a_millionth_is_refused(text: str, nano: int | None) -> None:
    if nano is not None:
        assert units.to_nano(text, "per_mtok") == (nano, True)
        return
    with pytest.raises(PriceError) as caught:
        units.to_nano(text, "per_mtok")
    assert caught.value.reason == "INEXACT"


@pytest.mark.parametrize("gpus", [None, 0, -8])
def test_an_instance_without_gpus_has_no_price(gpus: int | None) -> None:
    with pytest.raises(PriceError) as caught:
        units.to_nano("98.32", "per_instance_hour", gpus)
    assert caught.value.reason == "GPU_COUNT_UNKNOWN"


def test_an_unknown_unit_is_named() -> None:
    with pytest.raises(PriceError, match="per_fortnight") as caught:
        units.to_nano("1", "per_fortnight")
    assert caught.value.reason == "UNKNOWN_UNIT"


@pytest.mark.parametrize(
    ("nano", "decimals", "text"),
    [
        (2_500_000_000, 9, "2.500000000"),
        (2_500_000_000, 0, "3"),
        (2_499_999_999, 0, "2"),
        (123_456_500, 6, "0.123457"),
        (1, 9, "0.000000001"),
        (0, 4, "0.0000"),
        (-1_500_000_000, 0, "-2"),
        (-1, 4, "0.0000"),
        (-50_000, 4, "-0.0001"),
    ],
)
def test_nano_units_as_text(nano: int, decimals: int, text: str) -> None:
    assert units.nano_to_text(nano, decimals) == text


@given(st.integers(min_value=500_000, max_value=10**15))
def test_what_nano_units_can_hold_survives_the_way_there_and_back(nano: int) -> None:
    assert units.to_nano(units.nano_to_text(nano), "per_mtok") == (nano, False)


@given(st.text(max_size=30))
def test_any_text_is_a_price_or_a_refusal(text: str) -> None:
    reason, nano = "", 0
    try:
        nano, _ = units.to_nano(text, "per_mtok")
    except PriceError as error:
        reason = error.reason
    if reason:
        assert reason in {"NOT_A_NUMBER", "NEGATIVE_PRICE", "INEXACT", "OUT_OF_RANGE"}
    else:
        assert text.isascii()
        assert abs(Fraction(text) * 10**9 - nano) <= Fraction(1, 2)
