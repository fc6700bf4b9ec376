"""Hugging Face router: many sellers in one body. Figures are those of the captured fragments."""

from __future__ import annotations

import json

import pytest

from collectors.tokens.huggingface_router import SOURCE, parse
from methodology.errors import ParseError
from tests.sellers import NOT_A_LIST, capture, holds, nanos, payload, prices, reasons, shared

PRO, FLASH = "deepseek-ai/DeepSeek-V4-Pro", "zai-org/GLM-5.3-Flash"
WANTED = [
    ("novita", PRO, "IN", "1.69"),
    ("novita", PRO, "OUT", "3.38"),
    ("together", PRO, "IN", "2.1"),
    ("together", PRO, "OUT", "4.4"),
    ("novita", FLASH, "IN", "0.075"),
    ("novita", FLASH, "OUT", "0.25"),
]


def body(*sellers: object, **model: object) -> dict[str, object]:
    return {"data": [{"id": "a/b", "providers": list(sellers), **model}]}


def seller(**more: object) -> dict[str, object]:
    pricing = {"input": 1, "output": 2}
    return {"provider": "host", "status": "live", "pricing": pricing, **more}


def test_each_seller_is_quoted_and_the_one_without_a_price_is_told() -> None:
    found = parse(payload(SOURCE, "2026-08-29.json"))
    assert prices(found) == WANTED
    assert found.rejections.select("provider", "listing_id", "reason").rows() == [
        ("fireworks-ai", PRO, "PRICE_MISSING")
    ]
    # 1.69 dollars per million are 1,690,000,000 nano-dollars
    assert nanos(found)[0] == ("IN", 1_690_000_000)
    holds(found, SOURCE)


def test_the_captured_fragment_gives_the_same_rows() -> None:
    raw = shared("tokens", "provider_fixtures", "hf_router_models_2026.fragments.json").read_bytes()
    sellers = [p for m in json.loads(raw)["data"] for p in m["providers"]]
    found = parse(capture(SOURCE, raw))
    assert prices(found) == WANTED
    assert found.quotes.height == 2 * sum("pricing" in p for p in sellers) == 6
    assert found.rejections.height == sum("pricing" not in p for p in sellers) == 1
    assert found.seen == 7


REFUSED = {
    "a seller that is not live": (seller(status="staging"), "ENDPOINT_DISABLED"),
    "a seller without a status": (seller(status=None), "ENDPOINT_DISABLED"),
    "a free one without a price": (seller(pricing=None, is_free=True), "FREE_OFFER"),
    "one without a price": (seller(pricing=None), "PRICE_MISSING"),
}


@pytest.mark.parametrize(("one", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_a_seller_that_does_not_sell_is_one_rejection(one: object, reason: str) -> None:
    found = parse(capture(SOURCE, body(one)))
    assert (prices(found), reasons(found)) == ([], [("a/b", reason)])


def test_a_free_price_of_zero_is_no_price() -> None:
    found = parse(capture(SOURCE, body(seller(pricing={"input": 0, "output": 0}, is_free=True))))
    assert reasons(found) == [("a/b", "FREE_OFFER")] * 2


def test_a_model_that_gives_no_text_is_one_rejection() -> None:
    wide = {"output_modalities": ["image"]}
    found = parse(capture(SOURCE, body(seller(), architecture=wide)))
    assert reasons(found) == [("a/b", "MODE_NOT_TEXT")]


def test_a_model_nobody_serves_is_told() -> None:
    assert reasons(parse(capture(SOURCE, body()))) == [("a/b", "NO_ENDPOINTS")]


def test_one_seller_twice_at_two_prices_is_no_price() -> None:
    dear = seller(pricing={"input": 10, "output": 20})
    found = parse(capture(SOURCE, body(seller(), dear)))
    assert (prices(found), reasons(found)) == ([], [("a/b", "AMBIGUOUS_LISTING")] * 4)


HOSTILE = {
    **NOT_A_LIST,
    "a model without providers": {"data": [{"id": "a/b"}]},
    "a provider that is a text": body("novita"),
    "a provider without a name": body({"status": "live"}),
    "a price that is a text": body(seller(pricing="1")),
}


@pytest.mark.parametrize("wrong", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_body_that_is_something_else_is_an_error(wrong: object) -> None:
    with pytest.raises(ParseError, match="huggingface_router"):
        parse(capture(SOURCE, wrong))
