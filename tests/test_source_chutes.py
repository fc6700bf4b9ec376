"""Chutes' list. Figures are those of 2026-07-22, from the copy a public repository keeps."""

from __future__ import annotations

import pytest

from collectors.base import Parsed
from collectors.tokens.chutes import SOURCE, parse
from methodology.errors import ParseError
from tests.sellers import NOT_A_LIST, capture, holds, nanos, payload, prices, reasons


def read(pricing: object, **more: object) -> Parsed:
    return parse(capture(SOURCE, {"data": [{"id": "a/b", "pricing": pricing, **more}]}))


def test_each_model_is_quoted_with_its_precision() -> None:
    found = parse(payload(SOURCE, "2026-07-22.json"))
    four, eight, native = (
        "zai-org/GLM-5.2-TEE|fp4",
        "zai-org/GLM-5.1-TEE|fp8",
        "moonshotai/Kimi-K2.6-TEE|int4",
    )
    assert prices(found) == [
        ("chutes", four, "IN", "1.4"),
        ("chutes", four, "OUT", "4.4"),
        ("chutes", four, "CIN", "0.7"),
        ("chutes", eight, "IN", "0.98"),
        ("chutes", eight, "OUT", "3.08"),
        ("chutes", eight, "CIN", "0.49"),
        ("chutes", native, "IN", "0.66"),
        ("chutes", native, "OUT", "3.5"),
        ("chutes", native, "CIN", "0.33"),
    ]
    assert nanos(found)[3] == ("IN", 980_000_000)
    assert found.rejections.is_empty()
    holds(found, SOURCE)


def test_two_statements_of_a_price_that_differ_are_none() -> None:
    price = {"input": {"usd": 0.000001, "tao": 1}, "output": {"usd": 2.0, "tao": 1}}
    found = read({"prompt": 1.0, "completion": 2}, price=price)
    assert nanos(found) == [("OUT", 2_000_000_000)]
    assert reasons(found) == [("a/b|unknown", "AMBIGUOUS_LISTING")]


def test_without_the_second_statement_the_first_one_stands() -> None:
    found = read({"prompt": 1, "completion": 2, "input_cache_read": None}, price={"input": None})
    assert nanos(found) == [("IN", 1_000_000_000), ("OUT", 2_000_000_000)]


REFUSED = {
    "no prices": (None, {}, ["PRICE_MISSING"]),
    "pictures": ({"prompt": 1}, {"output_modalities": ["image"]}, ["MODE_NOT_TEXT"]),
    "free": ({"prompt": 0, "completion": 0}, {}, ["FREE_OFFER"] * 2),
    "texts": ({"prompt": "1", "completion": "2"}, {}, ["NOT_A_NUMBER"] * 2),
}


@pytest.mark.parametrize(("pricing", "more", "wanted"), REFUSED.values(), ids=REFUSED.keys())
def test_a_model_without_a_price_is_told(
    pricing: object, more: dict[str, object], wanted: list[str]
) -> None:
    found = read(pricing, **more)
    assert (prices(found), [reason for _, reason in reasons(found)]) == ([], wanted)


@pytest.mark.parametrize("wrong", NOT_A_LIST.values(), ids=NOT_A_LIST.keys())
def test_a_body_that_is_something_else_is_an_error(wrong: bytes) -> None:
    with pytest.raises(ParseError, match="chutes"):
        parse(capture(SOURCE, wrong))
