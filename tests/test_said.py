"""A list of prices that begins to say its currency or unit (``collectors.said``)."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from collectors import panel, said
from collectors.base import Capture
from collectors.rows import load_json, load_json_with_repeats
from methodology.errors import ParseError

AT = datetime(2026, 11, 21, 6, 0, tzinfo=UTC)


def capture(source: str, **fields: object) -> Capture:
    body = {"data": [{"id": "m", "pricing": {"prompt": "0.1"}} | fields]}
    return Capture(source, "https://example.org/list", json.dumps(body).encode(), AT)


@pytest.mark.parametrize("load", [load_json, load_json_with_repeats])
@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        pytest.param({"currency": "EUR"}, "CURRENCY_SWITCH", id="another currency"),
        pytest.param({"priceCurrency": "cny"}, "CURRENCY_SWITCH", id="in a field with a prefix"),
        pytest.param({"currency_code": "€"}, "CURRENCY_SWITCH", id="as a sign"),
        pytest.param({"unit": "1K tokens"}, "SHAPE", id="a unit"),
        pytest.param({"price_unit": "per_token"}, "SHAPE", id="a unit of the price"),
        pytest.param({"billingPeriod": "month"}, "SHAPE", id="a period"),
    ],
)
def test_a_list_that_says_what_its_parser_does_not_read_is_refused(
    load: object, fields: dict[str, object], reason: str
) -> None:
    assert callable(load)
    with pytest.raises(ParseError) as told:
        load(capture("openrouter_models", **fields))
    assert told.value.reason == reason
    (name,) = fields
    assert name in str(told.value)


@pytest.mark.parametrize(
    ("source", "fields"),
    [
        pytest.param("openrouter_models", {"currency": "usd"}, id="the pinned currency"),
        pytest.param("volcengine", {"currency": "CNY"}, id="the pinned one of another source"),
        pytest.param("openrouter_models", {"unit": None, "currency": None}, id="nothing"),
        pytest.param("openrouter_models", {"units": "12"}, id="a count"),
        pytest.param("openrouter_models", {"community": "yes", "pricing": "x"}, id="other words"),
        pytest.param("fireworks", {"unit": "1M tokens"}, id="a unit that its parser reads"),
    ],
)
def test_a_list_that_says_what_is_known_is_read(source: str, fields: dict[str, object]) -> None:
    assert load_json(capture(source, **fields))


def test_the_pinned_currencies_are_those_of_the_panel() -> None:
    ours = {
        source.id: source.currencies
        for source in panel.load_all()
        if source.currencies != said.DOLLARS and "application/json" in source.content_types
    }
    assert ours == said.PINNED
    assert set(said.READ) <= set(panel.SOURCES)
