"""Novita's list, in ten-thousandths of a dollar. Figures are those of the captured fragment of
2025-05-02 and of a row that two readers of the address quote (2026-10)."""

from __future__ import annotations

import json

import pytest

from collectors.base import Parsed
from collectors.tokens.novita import SOURCE, parse
from methodology.errors import ParseError
from tests.sellers import NOT_A_LIST, capture, holds, nanos, payload, prices, reasons, shared

PROVER, QWEN = "deepseek/deepseek-prover-v2-671b", "qwen/qwen3-235b-a22b-fp8"
OLD = [
    ("novita", PROVER, "IN", "7000"),
    ("novita", PROVER, "OUT", "25000"),
    ("novita", QWEN, "IN", "2000"),
    ("novita", QWEN, "OUT", "8000"),
]


def model(**more: object) -> dict[str, object]:
    flat = {"input_token_price_per_m": 1500, "output_token_price_per_m": 5000}
    return {"id": "a/b", "model_type": "chat", "status": 1, **flat, **more}


def read(**more: object) -> Parsed:
    return parse(capture(SOURCE, {"data": [model(**more)]}))


def part(decimal: object = None, scaled: object = None) -> dict[str, object]:
    found = {"price_per_m_decimal": decimal, "price_per_m": scaled}
    return {key: value for key, value in found.items() if value is not None}


def test_seven_thousand_is_seventy_cents() -> None:
    found = parse(payload(SOURCE, "2025-05-02.json"))
    assert prices(found) == OLD
    assert nanos(found) == [
        *[("IN", 700_000_000), ("OUT", 2_500_000_000)],
        *[("IN", 200_000_000), ("OUT", 800_000_000)],
    ]
    assert found.rejections.is_empty()
    holds(found, SOURCE)


def test_the_captured_fragment_gives_the_same_rows() -> None:
    raw = shared("tokens", "provider_fixtures", "novita_models_2025-05.fragment.json").read_bytes()
    found = parse(capture(SOURCE, raw))
    assert prices(found) == OLD
    assert found.seen == 2 * len(json.loads(raw)["data"]) == 4


def test_the_decimal_text_is_quoted_where_there_is_one() -> None:
    found = parse(payload(SOURCE, "2026-10-09.json"))
    glm = "zai-org/glm-5.3-flash"
    assert prices(found) == [
        ("novita", glm, "IN", "0.15"),
        ("novita", glm, "OUT", "0.5"),
        ("novita", glm, "CIN", "0.03"),
    ]
    assert nanos(found) == [("IN", 150_000_000), ("OUT", 500_000_000), ("CIN", 30_000_000)]
    holds(found, SOURCE)


TORN = {
    "the text off by ten": {"prompt": part("1.5", 1500)},
    "the text in whole units": {"prompt": part("1500", 1500)},
    "the two whole numbers apart": {"prompt": part("0.15", 150)},
    "no text, two whole numbers": {"prompt": part(None, 15000)},
}


@pytest.mark.parametrize("pricing", TORN.values(), ids=TORN.keys())
def test_statements_of_one_price_that_differ_are_none(pricing: dict[str, object]) -> None:
    found = read(pricing=pricing)
    assert reasons(found) == [("a/b", "AMBIGUOUS_LISTING")]
    assert nanos(found) == [("OUT", 500_000_000)]


def test_a_whole_number_may_lose_what_the_text_still_says() -> None:
    fine = {"prompt": part("0.00255", 25), "completion": part("0.5", 5000)}
    found = read(pricing=fine, input_token_price_per_m=25)
    assert nanos(found) == [("IN", 2_550_000), ("OUT", 500_000_000)]


BRACKETS = [
    {"min_tokens": 32000, "pricing": {"prompt": part("3"), "completion": part("9")}},
    {"min_tokens": 1, "pricing": {"prompt": part("0.2"), "completion": part("0.6")}},
]


def test_of_brackets_the_one_from_the_start_is_quoted() -> None:
    found = read(is_tiered_billing=True, tiered_billing_configs=BRACKETS)
    assert nanos(found) == [("IN", 200_000_000), ("OUT", 600_000_000)]
    assert reasons(found) == [("a/b", "CONTEXT_BRACKET")]


@pytest.mark.parametrize("configs", [BRACKETS[:1], BRACKETS[1:] * 2], ids=["none", "two"])
def test_without_one_bracket_from_the_start_nothing_is_quoted(configs: list[object]) -> None:
    found = read(is_tiered_billing=True, tiered_billing_configs=configs)
    assert (prices(found), set(reasons(found))) == ([], {("a/b", "CONTEXT_BRACKET")})


def test_brackets_that_are_not_there_are_told() -> None:
    found = read(is_tiered_billing=True)
    assert (prices(found), reasons(found)) == ([], [("a/b", "PRICE_MISSING")])


REFUSED = {
    "a picture model": ({"model_type": "image"}, ["MODE_NOT_TEXT"]),
    "a chat that answers in pictures": ({"output_modalities": ["image"]}, ["MODE_NOT_TEXT"]),
    "off": ({"status": 0}, ["ENDPOINT_DISABLED"]),
    "no price at all": (
        {"input_token_price_per_m": None, "output_token_price_per_m": None},
        ["PRICE_MISSING"] * 2,
    ),
    "free": (
        {"input_token_price_per_m": 0, "output_token_price_per_m": 0},
        ["FREE_OFFER"] * 2,
    ),
    "whole numbers as texts": (
        {"input_token_price_per_m": "1500", "output_token_price_per_m": "5000"},
        ["NOT_A_NUMBER"] * 2,
    ),
}


@pytest.mark.parametrize(("more", "wanted"), REFUSED.values(), ids=REFUSED.keys())
def test_a_model_without_a_price_is_told(more: dict[str, object], wanted: list[str]) -> None:
    found = read(**more)
    assert (prices(found), [reason for _, reason in reasons(found)]) == ([], wanted)


def test_a_free_cache_and_a_cache_write_are_told() -> None:
    pricing = {"input_cache_read": part("0", 0), "input_cache_write": part("1", 10000)}
    found = read(pricing=pricing)
    assert nanos(found) == [("IN", 150_000_000), ("OUT", 500_000_000)]
    assert reasons(found) == [("a/b", "FREE_OFFER"), ("a/b", "NOT_A_MEASURED_METER")]


HOSTILE = {**NOT_A_LIST, "prices in a list": {"data": [model(pricing=[1])]}}


@pytest.mark.parametrize("wrong", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_body_that_is_something_else_is_an_error(wrong: object) -> None:
    with pytest.raises(ParseError, match="novita"):
        parse(capture(SOURCE, wrong))


def test_the_key_travels_in_a_header() -> None:
    assert SOURCE.auth_env == "NOVITA_API_KEY"
    assert [request.url for request in SOURCE.requests(SOURCE.url)] == [SOURCE.url]
