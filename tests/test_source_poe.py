"""Poe. Figures are those of the captured fragment of 2026-05-26 and of a described response."""

from __future__ import annotations

import json

import pytest

from collectors.base import Parsed
from collectors.tokens.poe import SOURCE, parse
from methodology.errors import ParseError
from tests.sellers import NOT_A_LIST, capture, holds, nanos, payload, prices, reasons, shared


def read(pricing: object, **more: object) -> Parsed:
    return parse(capture(SOURCE, {"data": [{"id": "bot", "pricing": pricing, **more}]}))


def test_a_model_is_quoted_at_poes_own_dollars() -> None:
    found = parse(payload(SOURCE, "2026-05-26.json"))
    assert prices(found) == [
        ("poe", "qwen3.7-max", "IN", "0.0000025253"),
        ("poe", "qwen3.7-max", "OUT", "0.0000075758"),
        ("poe", "claude-sonnet-4.5", "IN", "0.0000026"),
        ("poe", "claude-sonnet-4.5", "OUT", "0.000013"),
        ("poe", "claude-sonnet-4.5", "CIN", "0.00000026"),
    ]
    assert nanos(found)[:2] == [("IN", 2_525_300_000), ("OUT", 7_575_800_000)]
    assert reasons(found) == [("claude-sonnet-4.5", "NOT_A_MEASURED_METER")]
    holds(found, SOURCE)


def test_the_captured_fragment_gives_the_same_rows() -> None:
    path = shared("tokens", "provider_fixtures", "vercel_poe_kilo_requesty_2026-05.fragments.json")
    row = json.loads(path.read_bytes())["poe"]
    found = parse(capture(SOURCE, {"data": [row]}))
    assert nanos(found) == [("IN", 2_525_300_000), ("OUT", 7_575_800_000)]
    assert found.seen == sum(value is not None for value in row["pricing"].values()) == 2


REFUSED = {
    "pricing is null": (None, {}, ["PRICE_MISSING"]),
    "sold by the request": (
        {"prompt": None, "completion": None, "request": "0.018"},
        {},
        ["PRICE_MISSING", "PRICE_MISSING", "NOT_A_MEASURED_METER"],
    ),
    "free": ({"prompt": "0", "completion": "0"}, {}, ["FREE_OFFER"] * 2),
    "pictures": (
        {"prompt": "1"},
        {"architecture": {"output_modalities": ["image"]}},
        ["MODE_NOT_TEXT"],
    ),
}


@pytest.mark.parametrize(("pricing", "more", "wanted"), REFUSED.values(), ids=REFUSED.keys())
def test_what_has_no_price_per_token_is_told(
    pricing: object, more: dict[str, object], wanted: list[str]
) -> None:
    found = read(pricing, **more)
    assert (prices(found), [reason for _, reason in reasons(found)]) == ([], wanted)


HOSTILE = {**NOT_A_LIST, "prices in a list": {"data": [{"id": "a", "pricing": [1]}]}}


@pytest.mark.parametrize("wrong", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_body_that_is_something_else_is_an_error(wrong: object) -> None:
    with pytest.raises(ParseError, match="poe"):
        parse(capture(SOURCE, wrong))
