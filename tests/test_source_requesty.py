"""Requesty. Figures are those of the captured fragment of 2026-05-26."""

from __future__ import annotations

import json

import pytest

from collectors.tokens.requesty import SOURCE, parse
from methodology.errors import ParseError
from tests.sellers import NOT_A_LIST, capture, holds, nanos, payload, prices, reasons, shared

QWEN = "alibaba/qwen3.7-max"
PLAIN = {"input_price": 0.000001, "output_price": 0.000004}


def test_a_model_is_quoted_and_the_cache_write_is_told() -> None:
    found = parse(payload(SOURCE, "2026-05-26.json"))
    assert prices(found) == [
        ("requesty", QWEN, "IN", "0.0000025"),
        ("requesty", QWEN, "OUT", "0.0000075"),
        ("requesty", QWEN, "CIN", "2.5e-7"),
    ]
    assert nanos(found) == [("IN", 2_500_000_000), ("OUT", 7_500_000_000), ("CIN", 250_000_000)]
    assert reasons(found) == [(QWEN, "NOT_A_MEASURED_METER")]
    holds(found, SOURCE)


def test_the_captured_fragment_gives_the_same_prices() -> None:
    path = shared("tokens", "provider_fixtures", "vercel_poe_kilo_requesty_2026-05.fragments.json")
    row = json.loads(path.read_bytes())["requesty"]
    found = parse(capture(SOURCE, {"data": [row]}))
    assert nanos(found) == [("IN", 2_500_000_000), ("OUT", 7_500_000_000), ("CIN", 250_000_000)]
    assert found.seen == sum(key.endswith("_price") for key in row) == 4


REFUSED = {
    "an embedding": ({"id": "a/b", "api": "embedding", **PLAIN}, "MODE_NOT_TEXT"),
    "a routing rule": ({"id": "policy/mine", **PLAIN}, "MOVING_ALIAS"),
    "one side": ({"id": "a/b", "input_price": 1e-6}, "PRICE_MISSING"),
}


@pytest.mark.parametrize(("model", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_what_has_no_price_is_told(model: dict[str, object], reason: str) -> None:
    found = parse(capture(SOURCE, {"data": [model]}))
    assert reasons(found) == [(model["id"], reason)]


@pytest.mark.parametrize("wrong", NOT_A_LIST.values(), ids=NOT_A_LIST.keys())
def test_a_body_that_is_something_else_is_an_error(wrong: bytes) -> None:
    with pytest.raises(ParseError, match="requesty"):
        parse(capture(SOURCE, wrong))
