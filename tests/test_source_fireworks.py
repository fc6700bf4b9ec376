"""Fireworks' serverless list. Figures are those of its price table of 2026-10, from its readers."""

from __future__ import annotations

import pytest

from collectors.base import Parsed, Request
from collectors.tokens.fireworks import MAX_PAGES, SOURCE, parse, requests
from methodology.errors import ParseError
from tests.sellers import NOT_A_LIST, capture, holds, nanos, payload, prices, reasons

IN, CIN, OUT = "LLM input tokens (uncached)", "LLM input tokens (cached)", "LLM output tokens"


def sku(name: object, amount: object = "1", unit: object = "1M tokens") -> dict[str, object]:
    return {"sku": name, "amount": amount, "unit": unit}


def model(*pricing: object, **more: object) -> dict[str, object]:
    return {"id": "a", "serverless_mode": "default", "pricing": list(pricing), **more}


def read(*pricing: object, **more: object) -> Parsed:
    return parse(capture(SOURCE, {"data": [model(*pricing, **more)]}))


def test_only_the_standard_service_is_quoted() -> None:
    found = parse(payload(SOURCE, "2026-10-06.json"))
    kimi, glm = "accounts/fireworks/models/kimi-k3", "accounts/fireworks/models/glm-5p3"
    assert prices(found) == [
        ("fireworks", kimi, "CIN", "0.3"),
        ("fireworks", kimi, "IN", "3"),
        ("fireworks", kimi, "OUT", "15"),
        ("fireworks", glm, "CIN", "0.26"),
        ("fireworks", glm, "IN", "1.4"),
        ("fireworks", glm, "OUT", "4.4"),
    ]
    assert nanos(found)[3] == ("CIN", 260_000_000)
    assert found.rejections.select("reason", "detail").rows() == [
        ("PRICE_VARIANT", "serverless_mode is 'priority'"),
        ("PRICE_VARIANT", "serverless_mode is 'fast'"),
    ]
    holds(found, SOURCE)


VARIANTS = {
    "spot": {"serverless_mode": "spot"},
    "an unknown mode": {"serverless_mode": None},
    "a tier beside the standard mode": {"service_tier": "priority"},
    "an id of its own": {"usage_identifier": "accounts/fireworks/routers/a-fast"},
}


@pytest.mark.parametrize("more", VARIANTS.values(), ids=VARIANTS.keys())
def test_another_way_of_serving_is_another_good(more: dict[str, object]) -> None:
    assert reasons(read(sku(IN), sku(OUT), **more)) == [("a", "PRICE_VARIANT")]


REFUSED = {
    "no prices": ([], ["PRICE_MISSING"] * 2),
    "per thousand": ([sku(IN, unit="1K tokens"), sku(OUT)], ["UNKNOWN_UNIT"]),
    "no unit": ([sku(IN, unit=None), sku(OUT)], ["UNKNOWN_UNIT"]),
    "a number": ([sku(IN, 1.5), sku(OUT)], ["NOT_A_NUMBER"]),
    "an object of money": ([sku(IN, {"units": "1"}), sku(OUT)], ["NOT_A_NUMBER"]),
    "a zero": ([sku(IN, "0"), sku(OUT)], ["FREE_OFFER"]),
    "below zero": ([sku(IN, "-1"), sku(OUT)], ["NEGATIVE_PRICE"]),
    "another meter": ([sku(IN), sku(OUT), sku("Image")], ["NOT_A_MEASURED_METER"]),
    "two prices of one meter": ([sku(IN), sku(IN, "2"), sku(OUT)], ["AMBIGUOUS_LISTING"] * 3),
    "one price twice": ([sku(IN), sku(IN), sku(OUT)], ["DUPLICATE_LISTING"]),
}


@pytest.mark.parametrize(("pricing", "wanted"), REFUSED.values(), ids=REFUSED.keys())
def test_a_figure_that_is_no_price_is_told(pricing: list[object], wanted: list[str]) -> None:
    assert [reason for _, reason in reasons(read(*pricing))] == wanted


def test_a_model_that_gives_no_text_is_one_rejection() -> None:
    found = read(sku(IN), sku(OUT), output_modalities=["embeddings"])
    assert reasons(found) == [("a", "MODE_NOT_TEXT")]


@pytest.mark.parametrize("key", ["nextPageToken", "next_page_token"])
def test_pages_are_followed_to_the_last(key: str) -> None:
    flow = requests(SOURCE.url)
    asked = [next(flow)]
    asked.append(flow.send(capture(SOURCE, {"data": [model()], key: "two"})))
    with pytest.raises(StopIteration):
        flow.send(capture(SOURCE, {"data": [model()], key: ""}))
    assert asked == [Request(SOURCE.url), Request(SOURCE.url, {"pageToken": "two"})]


def test_a_page_that_links_a_next_one_is_read() -> None:
    body = {"data": [model(sku(IN), sku(OUT))], "nextPageToken": "two"}
    assert len(prices(parse(capture(SOURCE, body)))) == 2


def test_a_page_token_that_repeats_ends_the_flow_with_an_error() -> None:
    flow = requests(SOURCE.url)
    next(flow)
    flow.send(capture(SOURCE, {"nextPageToken": "two"}))
    with pytest.raises(ParseError, match="pages do not end"):
        flow.send(capture(SOURCE, {"nextPageToken": "two"}))


def test_pages_without_an_end_are_not_followed_for_ever() -> None:
    flow = requests(SOURCE.url)
    next(flow)
    for page in range(MAX_PAGES):
        flow.send(capture(SOURCE, {"nextPageToken": str(page)}))
    with pytest.raises(ParseError, match="pages do not end"):
        flow.send(capture(SOURCE, {"nextPageToken": "one too many"}))


HOSTILE = {
    **NOT_A_LIST,
    "prices as an object": {"data": [{**model(), "pricing": {}}]},
    "a price that is a text": {"data": [model("1")]},
}


@pytest.mark.parametrize("wrong", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_body_that_is_something_else_is_an_error(wrong: object) -> None:
    with pytest.raises(ParseError, match="fireworks"):
        parse(capture(SOURCE, wrong))
