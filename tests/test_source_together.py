"""Together's list: the documented example row, and figures of its page of 2026-10."""

from __future__ import annotations

import pytest

from collectors.base import Parsed
from collectors.tokens.together import SOURCE, parse
from methodology.errors import ParseError
from tests.sellers import NOT_A_LIST, capture, holds, nanos, payload, prices, reasons


def read(pricing: object, **more: object) -> Parsed:
    return parse(capture(SOURCE, [{"id": "a/b", "type": "chat", "pricing": pricing, **more}]))


def test_text_models_are_quoted_per_million() -> None:
    found = parse(payload(SOURCE, "2026-11-21.json"))
    assert prices(found) == [
        ("together", "Austism/chronos-hermes-13b", "IN", "0.3"),
        ("together", "Austism/chronos-hermes-13b", "OUT", "0.3"),
        ("together", "zai-org/GLM-5.3", "IN", "1.4"),
        ("together", "zai-org/GLM-5.3", "OUT", "4.4"),
        ("together", "zai-org/GLM-5.3", "CIN", "0.26"),
    ]
    assert nanos(found)[-1] == ("CIN", 260_000_000)
    assert reasons(found) == [("BAAI/bge-large-en-v1.5", "MODE_NOT_TEXT")]
    holds(found, SOURCE)


def test_a_model_for_a_machine_of_ones_own_shows_zero_and_has_no_price() -> None:
    found = read({"hourly": 3.2, "input": 0, "output": 0, "base": 0, "finetune": 0})
    assert prices(found) == []
    assert [r for _, r in reasons(found)] == ["FREE_OFFER", "FREE_OFFER", "NOT_A_MEASURED_METER"]


REFUSED = {
    "no prices": (None, {}, ["PRICE_MISSING"]),
    "one side": ({"input": 1}, {}, ["PRICE_MISSING"]),
    "texts": ({"input": "1", "output": "2"}, {}, ["NOT_A_NUMBER"] * 2),
    "dynamic": ({"input": -1, "output": -1}, {}, ["DYNAMIC_PRICE"] * 2),
    "pictures": ({"input": 1, "output": 2}, {"type": "image"}, ["MODE_NOT_TEXT"]),
}


@pytest.mark.parametrize(("pricing", "more", "wanted"), REFUSED.values(), ids=REFUSED.keys())
def test_what_has_no_price_is_told(
    pricing: object, more: dict[str, object], wanted: list[str]
) -> None:
    assert [reason for _, reason in reasons(read(pricing, **more))] == wanted


@pytest.mark.parametrize("wrong", NOT_A_LIST.values(), ids=NOT_A_LIST.keys())
def test_a_body_that_is_something_else_is_an_error(wrong: bytes) -> None:
    with pytest.raises(ParseError, match="together"):
        parse(capture(SOURCE, wrong))
