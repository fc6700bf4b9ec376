"""Kilo Gateway. Figures are those of the captured fragment of 2026-05-26."""

from __future__ import annotations

import json

import pytest

from collectors.base import Parsed
from collectors.tokens.kilo import SOURCE, parse
from methodology.errors import ParseError
from tests.sellers import NOT_A_LIST, capture, holds, nanos, payload, prices, reasons, shared

QWEN = "qwen/qwen3.7-max"
PLAIN = {"prompt": "0.000001", "completion": "0.000004"}


def read(pricing: object = PLAIN, listing: str = "a/b", **more: object) -> Parsed:
    return parse(capture(SOURCE, {"data": [{"id": listing, "pricing": pricing, **more}]}))


def test_a_model_is_quoted_verbatim_with_its_trailing_zeros() -> None:
    found = parse(payload(SOURCE, "2026-05-26.json"))
    assert prices(found) == [
        ("kilo", QWEN, "IN", "0.000001250000"),
        ("kilo", QWEN, "OUT", "0.000003750000"),
        ("kilo", QWEN, "CIN", "0.000000125000"),
    ]
    # cached input at 0.125 dollars per million, where OpenRouter showed 0.25 that day
    assert nanos(found) == [("IN", 1_250_000_000), ("OUT", 3_750_000_000), ("CIN", 125_000_000)]
    assert reasons(found) == [(QWEN, "NOT_A_MEASURED_METER")]
    holds(found, SOURCE)


def test_the_captured_fragment_gives_the_same_rows() -> None:
    path = shared("tokens", "provider_fixtures", "vercel_poe_kilo_requesty_2026-05.fragments.json")
    row = json.loads(path.read_bytes())["kilo"]
    found = parse(capture(SOURCE, {"data": [row]}))
    assert nanos(found) == [("IN", 1_250_000_000), ("OUT", 3_750_000_000), ("CIN", 125_000_000)]
    assert found.seen == len(row["pricing"]) == 4


ALIASES = {
    "a choice per request": ("kilo-auto/frontier", "MOVING_ALIAS"),
    "the older choice": ("kilo/auto", "MOVING_ALIAS"),
    "a moving alias": ("~anthropic/claude-sonnet-latest", "MOVING_ALIAS"),
    "a free twin": ("a/b:free", "FREE_VARIANT"),
    "a batch twin": ("a/b:batch", "BATCH_VARIANT"),
}


@pytest.mark.parametrize(("listing", "reason"), ALIASES.values(), ids=ALIASES.keys())
def test_an_id_of_another_good_is_one_rejection(listing: str, reason: str) -> None:
    found = read(listing=listing)
    assert (prices(found), reasons(found)) == ([], [(listing, reason)])


def test_a_route_that_is_not_to_be_had_shows_minus_one() -> None:
    found = read({"prompt": "-1", "completion": "-1"})
    assert (prices(found), reasons(found)) == ([], [("a/b", "DYNAMIC_PRICE")] * 2)


def test_a_free_model_and_a_missing_side_are_told() -> None:
    assert reasons(read({"prompt": "0"}, isFree=True)) == [
        ("a/b", "FREE_OFFER"),
        ("a/b", "PRICE_MISSING"),
    ]


def test_pictures_are_another_good() -> None:
    wide = {"output_modalities": ["image"]}
    assert reasons(read(architecture=wide)) == [("a/b", "MODE_NOT_TEXT")]


def test_it_confirms_no_price_of_the_router_it_repeats() -> None:
    from collectors.tokens import openrouter_models

    assert SOURCE.path == openrouter_models.SOURCE.id


HOSTILE = {**NOT_A_LIST, "no prices": {"data": [{"id": "a"}]}}


@pytest.mark.parametrize("wrong", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_body_that_is_something_else_is_an_error(wrong: object) -> None:
    with pytest.raises(ParseError, match="kilo"):
        parse(capture(SOURCE, wrong))
