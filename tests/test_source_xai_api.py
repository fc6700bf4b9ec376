"""xAI's list of language models, in the documented shape."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from collectors.base import Capture, Parsed
from collectors.tokens.xai_api import SOURCE, parse
from methodology import schemas
from methodology.errors import ParseError
from methodology.units import to_nano

BODY = Path(__file__).parent / "payloads" / "xai_api" / "2026-06-17.json"


def read(body: bytes) -> Parsed:
    return parse(Capture(SOURCE.id, SOURCE.url, body, datetime(2026, 6, 17, tzinfo=UTC)))


def model(**fields: object) -> Parsed:
    return read(json.dumps({"models": [{"id": "grok-x", **fields}]}).encode())


def test_thirty_thousand_is_three_dollars() -> None:
    """USD cents per 100 million tokens: 30000 cents are $300 for 100 million, $3 for one."""
    parsed = read(BODY.read_bytes())
    rows = parsed.quotes.select("listing_id", "meter", "price_text", "quoted_unit", "currency")
    assert rows.rows() == [
        ("grok-3", "IN", "30000", "e4_per_mtok", "USD"),
        ("grok-3", "CIN", "7500", "e4_per_mtok", "USD"),
        ("grok-3", "OUT", "150000", "e4_per_mtok", "USD"),
        ("grok-4.7", "IN", "20000", "e4_per_mtok", "USD"),
        ("grok-4.7", "CIN", "5000", "e4_per_mtok", "USD"),
        ("grok-4.7", "OUT", "60000", "e4_per_mtok", "USD"),
    ]
    nano = [to_nano(text, unit)[0] for _, _, text, unit, _ in rows.rows()]
    assert nano[:3] == [3_000_000_000, 750_000_000, 15_000_000_000]
    schemas.validate(schemas.Quote, parsed.quotes, SOURCE.id)


def test_long_context_and_search_are_counted_and_images_at_zero_are_none() -> None:
    rejections = read(BODY.read_bytes()).rejections
    assert rejections.select("listing_id", "reason").rows() == [
        ("grok-3", "NOT_A_MEASURED_METER"),
        ("grok-4.7", "CONTEXT_BRACKET"),
    ]
    assert "from 200000 tokens" in rejections["detail"][1]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (0, "FREE_OFFER"),
        (-1, "NEGATIVE_PRICE"),
        (2.5, "UNKNOWN_UNIT"),
        ("30000", "NOT_A_NUMBER"),
        (True, "NOT_A_NUMBER"),
        ({"usd": 3}, "NOT_A_NUMBER"),
    ],
    ids=["zero", "below zero", "dollars", "a text", "a truth value", "an object"],
)
def test_a_figure_that_is_no_price_is_refused(value: object, reason: str) -> None:
    parsed = model(prompt_text_token_price=value, completion_text_token_price=60000)
    assert parsed.quotes["meter"].to_list() == ["OUT"]
    assert parsed.rejections["reason"].to_list() == [reason]


def test_a_model_that_gives_no_text_is_no_good_of_ours() -> None:
    parsed = model(prompt_text_token_price=30000, output_modalities=["image"])
    assert parsed.quotes.is_empty()
    assert parsed.rejections["reason"].to_list() == ["NOT_A_MEASURED_METER"]


def test_an_id_twice_counts_once_and_with_two_prices_not_at_all() -> None:
    one = {"id": "a", "prompt_text_token_price": 30000}
    parsed = read(json.dumps({"models": [one, one]}).encode())
    assert parsed.quotes["price_text"].to_list() == ["30000"]
    assert parsed.rejections["reason"].to_list() == ["DUPLICATE_LISTING"]
    parsed = read(json.dumps({"models": [one, {**one, "prompt_text_token_price": 1}]}).encode())
    assert parsed.quotes.is_empty()
    assert parsed.rejections["reason"].to_list() == ["AMBIGUOUS_LISTING"] * 2


def test_the_key_goes_into_a_header() -> None:
    assert (SOURCE.auth_env, SOURCE.auth.header) == ("XAI_API_KEY", "Authorization")
    (request,) = SOURCE.requests(SOURCE.url)
    assert not request.params


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"<html>", "NOT_JSON"),
        (b'{"models": [{"id": "a", "prompt_text_token_price": NaN}]}', "NOT_JSON"),
        (b'{"models": [{"id": "a", "id": "b"}]}', "NOT_JSON"),
        (b'{"data": []}', "SHAPE"),
        (b'{"models": []}', "SHAPE"),
        (b'{"models": [{}]}', "SHAPE"),
        (b'{"models": [{"id": 7}]}', "SHAPE"),
        (b"[]", "SHAPE"),
    ],
)
def test_a_body_of_another_shape_is_refused(body: bytes, reason: str) -> None:
    with pytest.raises(ParseError, match=reason):
        read(body)


def test_rows_are_the_same_each_time() -> None:
    first, again = (read(BODY.read_bytes()) for _ in range(2))
    assert first.quotes.equals(again.quotes)
    assert pl.concat([first.rejections, again.rejections]).unique().height == 2
