"""Vercel AI Gateway. Figures are those of the captured fragment of 2026-05-26."""

from __future__ import annotations

import json

import pytest

from collectors.base import Parsed
from collectors.tokens.vercel_gateway import SOURCE, parse
from methodology.errors import ParseError
from tests.sellers import NOT_A_LIST, capture, holds, nanos, payload, prices, reasons, shared

QWEN = "alibaba/qwen3.7-max"
WANTED = [
    ("vercel", QWEN, "IN", "0.00000125"),
    ("vercel", QWEN, "OUT", "0.00000375"),
    ("vercel", QWEN, "CIN", "0.00000025"),
]
PLAIN = {"input": "0.000001", "output": "0.000004"}


def read(pricing: object, **more: object) -> Parsed:
    model = {"id": "a/b", "type": "language", "pricing": pricing, **more}
    return parse(capture(SOURCE, {"data": [model]}))


def tier(cost: str, start: int | None, end: int | None = None) -> dict[str, object]:
    found = {"cost": cost, "min": start, "max": end}
    return {key: value for key, value in found.items() if value is not None}


def test_a_model_is_quoted_and_what_is_not_measured_is_told() -> None:
    found = parse(payload(SOURCE, "2026-05-26.json"))
    assert prices(found) == WANTED
    # 1.25, 3.75 and 0.25 dollars per million: half of the list, a promotion
    assert nanos(found) == [("IN", 1_250_000_000), ("OUT", 3_750_000_000), ("CIN", 250_000_000)]
    assert reasons(found) == [
        (QWEN, "NOT_A_MEASURED_METER"),
        ("openai/text-embedding-3-small", "MODE_NOT_TEXT"),
    ]
    holds(found, SOURCE)


def test_the_captured_fragment_gives_the_same_rows() -> None:
    path = shared("tokens", "provider_fixtures", "vercel_poe_kilo_requesty_2026-05.fragments.json")
    row = json.loads(path.read_bytes())["vercel"]
    found = parse(capture(SOURCE, {"object": "list", "data": [row]}))
    assert prices(found) == WANTED
    assert found.seen == len(row["pricing"]) == 4


def test_a_bracket_above_the_base_is_refused() -> None:
    tiers = [tier("0.000001", 0, 200_001), tier("0.000002", 200_001)]
    found = read({**PLAIN, "input_tiers": tiers})
    assert [price for *_, price in prices(found)] == ["0.000001", "0.000004"]
    assert found.rejections.select("reason", "detail").rows() == [
        ("CONTEXT_BRACKET", "pricing.input_tiers from 200001: 0.000002")
    ]


def test_without_a_plain_figure_the_base_bracket_is_quoted() -> None:
    tiers = [tier("0.000001", None, 32_000), tier("0.000002", 32_000)]
    found = read({"output": "0.000004", "input_tiers": tiers})
    assert [price for *_, price in prices(found)] == ["0.000001", "0.000004"]
    assert reasons(found) == [("a/b", "CONTEXT_BRACKET")]


def test_only_brackets_above_the_base_leave_the_price_missing() -> None:
    found = read({"output": "0.000004", "input_tiers": [tier("0.000002", 32_000)]})
    assert reasons(found) == [("a/b", "CONTEXT_BRACKET"), ("a/b", "PRICE_MISSING")]


def test_a_base_bracket_that_contradicts_the_plain_figure_leaves_neither() -> None:
    found = read({**PLAIN, "input_tiers": [tier("0.0000005", 0)]})
    assert [price for *_, price in prices(found)] == ["0.000004"]
    assert ("a/b", "AMBIGUOUS_LISTING") in reasons(found)


def test_service_levels_and_regions_are_other_goods() -> None:
    other = {"fast": {"input": "1"}, "service_tiers": {"priority": {}}, "regional": {"us": {}}}
    found = read({**PLAIN, **other, "varies_by_provider": True, "web_search": "10"})
    assert reasons(found) == [("a/b", "PRICE_VARIANT")] * 3 + [("a/b", "NOT_A_MEASURED_METER")]


REFUSED = {
    "no prices": ({}, {}, "PRICE_MISSING"),
    "a picture model": (PLAIN, {"type": "image"}, "MODE_NOT_TEXT"),
    "an unknown kind": (PLAIN, {"type": None}, "MODE_NOT_TEXT"),
}


@pytest.mark.parametrize(("pricing", "more", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_not_sold_by_the_token_is_one_rejection(
    pricing: object, more: dict[str, object], reason: str
) -> None:
    found = read(pricing, **more)
    assert (prices(found), reasons(found)) == ([], [("a/b", reason)])


def test_a_number_in_place_of_a_text_is_a_change_of_layout() -> None:
    assert reasons(read({"input": 1, "output": 2})) == [("a/b", "NOT_A_NUMBER")] * 2


HOSTILE = {
    **NOT_A_LIST,
    "prices in a list": {"data": [{"id": "a", "type": "language", "pricing": [1]}]},
    "one page of several": {"data": [{"id": "a"}], "has_more": True},
}


@pytest.mark.parametrize("wrong", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_body_that_is_something_else_is_an_error(wrong: object) -> None:
    with pytest.raises(ParseError, match="vercel_gateway"):
        parse(capture(SOURCE, wrong))
