"""OpenRouter's model list. Figures are those of the body of 2026-08-17, read by eye."""

import json
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from collectors.base import Capture
from collectors.tokens.openrouter_models import SOURCE, hhmm, parse
from methodology import schemas
from methodology.errors import ParseError

BODY = Path(__file__).parent / "payloads" / "openrouter_models" / "2026-08-17.json"
SEEN = datetime(2026, 8, 17, 12, 8, tzinfo=UTC)


def capture(body: bytes) -> Capture:
    return Capture(SOURCE.id, SOURCE.url, body, SEEN)


def one_model(pricing: object, model_id: str = "a/b") -> bytes:
    return json.dumps({"data": [{"id": model_id, "pricing": pricing}]}).encode()


@pytest.fixture(scope="module")
def parsed():
    return parse(capture(BODY.read_bytes()))


def test_tariff_hours_become_windows_and_the_plain_price_has_none(parsed):
    found = parsed.quotes.filter(
        (pl.col("listing_id") == "deepseek/deepseek-v4-pro-0813") & (pl.col("meter") == "IN")
    )
    assert found.select("price_text", "window_start_min", "window_end_min").rows() == [
        ("0.00000066", None, None),
        ("0.00000066", 600, 60),  # 10:00 to 01:00, over midnight
        ("0.00000132", 60, 240),
        ("0.00000066", 240, 360),
        ("0.00000132", 360, 600),
    ]


def test_plain_models_are_quoted_per_token(parsed):
    found = parsed.quotes.filter(pl.col("listing_id") == "openai/gpt-oss-120b")
    assert found.select("provider", "meter", "price_text", "quoted_unit").rows() == [
        ("openrouter", "IN", "0.00000003", "per_token"),
        ("openrouter", "OUT", "0.00000017", "per_token"),
        ("openrouter", "CIN", "0.00000003", "per_token"),
    ]


def test_what_is_not_our_good_is_counted(parsed):
    assert parsed.rejections.select("listing_id", "reason").rows() == [
        ("anthropic/claude-sonnet-4.5", "NOT_A_MEASURED_METER"),
        ("anthropic/claude-sonnet-4.5", "CONTEXT_BRACKET"),
        ("openai/gpt-oss-20b:free", "FREE_VARIANT"),
        ("anthropic/claude-haiku-4.5:batch", "BATCH_VARIANT"),
        ("~anthropic/claude-sonnet-latest", "MOVING_ALIAS"),
        ("openrouter/auto", "DYNAMIC_PRICE"),
        ("openrouter/auto", "DYNAMIC_PRICE"),
    ]


def test_frames_satisfy_their_schemas(parsed):
    schemas.validate(schemas.Quote, parsed.quotes, "openrouter_models")
    schemas.validate(schemas.Rejection, parsed.rejections, "openrouter_models")
    assert parsed.quotes.height == 21  # 3 + 4 windows x 3, sonnet 3, gpt-oss 3


OVERRIDES = {
    "an unknown condition": ({"region": "eu", "prompt": "1"}, "UNKNOWN_CONDITION"),
    "hours and a bracket": (
        {"utc_start": 100, "utc_end": 200, "min_prompt_tokens": 9, "prompt": "1"},
        "CONTEXT_BRACKET",
    ),
    "no condition at all": ({"prompt": "1"}, "UNKNOWN_CONDITION"),
    "no object": (3, "UNKNOWN_CONDITION"),
}
HOURS = {"utc_start": 100, "utc_end": 400}
UNREAD = {
    "half a window": ({"utc_start": 100}, "UNKNOWN_CONDITION"),
    "minute 75": ({"utc_start": 175, "utc_end": 200}, "BAD_WINDOW"),
    "hour 25": ({"utc_start": 2500, "utc_end": 200}, "BAD_WINDOW"),
    "an empty window": ({"utc_start": 0, "utc_end": 2400}, "BAD_WINDOW"),
    "hours as a word": ({"utc_start": "one", "utc_end": 200}, "BAD_WINDOW"),
    "days of the week": (HOURS | {"utc_days": [1, 2, 3, 4, 5]}, "UNKNOWN_CONDITION"),
    "a date": ({"valid_until": "2026-12-31"}, "UNKNOWN_CONDITION"),
}


@pytest.mark.parametrize(("when", "reason"), UNREAD.values(), ids=UNREAD.keys())
def test_a_tariff_whose_time_is_not_understood_gives_its_meters_no_price(when, reason):
    overrides = [{**when, "prompt": "3"}, {**HOURS, "prompt": "2", "completion": "8"}]
    found = parse(capture(one_model({"prompt": "1", "completion": "4", "overrides": overrides})))
    assert found.quotes.select("meter", "price_text", "window_start_min").rows() == [
        ("OUT", "4", None),
        ("OUT", "8", 60),
    ]
    assert found.rejections["reason"].to_list() == [
        *("CONDITIONAL_TARIFF", reason, "CONDITIONAL_TARIFF"),
    ]


@pytest.mark.parametrize(("override", "reason"), OVERRIDES.values(), ids=OVERRIDES.keys())
def test_an_override_that_is_no_tariff_window_is_refused(override, reason):
    found = parse(capture(one_model({"prompt": "0.000001", "overrides": [override]})))
    assert found.quotes["price_text"].to_list() == ["0.000001"]
    assert found.rejections["reason"].to_list() == [reason]


@pytest.mark.parametrize(
    ("value", "minute"),
    [("0", 0), ("30", 30), ("100", 60), ("1000", 600), ("2359", 1439), ("2400", 0)],
)
def test_hhmm_is_a_minute_of_the_day(value, minute):
    assert hhmm(value) == minute


FIGURES = {
    "the sentinel": ("-1", "DYNAMIC_PRICE"),
    "zero": ("0", "FREE_OFFER"),
    "below zero": ("-0.5", "NEGATIVE_PRICE"),
    "a comma": ("0,5", "NOT_A_NUMBER"),
    "nothing": ("", "NOT_A_NUMBER"),
    "null": (None, "NOT_A_NUMBER"),
    "an object": ({"price": "1"}, "NOT_A_NUMBER"),
    "other digits": ("٣", "NOT_A_NUMBER"),
}


@pytest.mark.parametrize(("value", "reason"), FIGURES.values(), ids=FIGURES.keys())
def test_a_figure_that_is_no_price_is_refused(value, reason):
    found = parse(capture(one_model({"prompt": value})))
    assert found.quotes.is_empty()
    assert found.rejections["reason"].to_list() == [reason]


HOSTILE = {
    "html": b"<html></html>",
    "no data": b'{"error":{"code":429}}',
    "no models": b'{"data":[]}',
    "a model without pricing": b'{"data":[{"id":"a/b"}]}',
    "a model without id": b'{"data":[{"pricing":{"prompt":"1"}}]}',
    "one page of several": b'{"data":[{"id":"a","pricing":{}}],"links":{"next":"/p2"}}',
    "deep nesting": b'{"data":' + b"[" * 100 + b"]" * 100 + b"}",
    "infinity": b'{"data":[{"id":"a/b","pricing":{"prompt":Infinity}}]}',
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_body_that_is_something_else_is_an_error(body):
    with pytest.raises(ParseError, match="openrouter_models"):
        parse(capture(body))


def test_one_id_at_two_prices_has_none():
    twice = [{"id": "a/b", "pricing": {"prompt": price}} for price in ("0.000002", "0.000003")]
    found = parse(capture(json.dumps({"data": twice}).encode()))
    assert found.quotes.select("price_text", "status").rows() == [(None, "unknown")]
    assert found.rejections["reason"].to_list() == ["AMBIGUOUS_LISTING"] * 2
