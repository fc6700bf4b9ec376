"""OpenRouter's sellers: a list without prices."""

from __future__ import annotations

import gzip
import json

import pytest

from collectors.tokens.openrouter_providers import SOURCE, parse, parse_panel_raw
from methodology.errors import ParseError
from tests.sellers import NOT_A_LIST, capture, holds, payload, shared


def test_each_seller_is_one_row_and_none_is_a_price() -> None:
    found = parse(payload(SOURCE, "2026-11-21.documented.json"))
    assert found.quotes.is_empty()
    assert found.rejections.select("provider", "listing_id", "reason", "detail").rows() == [
        (
            "OpenAI",
            "openai",
            "NOT_A_LISTING",
            "a seller and no price: headquarters US, datacenters ['US', 'IE']",
        )
    ]
    holds(found, SOURCE)


def test_the_sites_own_list_gives_the_same() -> None:
    found = parse_panel_raw(payload(SOURCE, "2026-08-08.site.json"))
    assert found.rejections.select("provider", "listing_id").rows() == [
        ("Cerebras", "cerebras"),
        ("Novita", "novita"),
    ]


def test_the_whole_stored_body_is_read_without_a_gap() -> None:
    raw = gzip.decompress(
        shared("tokens", "openrouter_providers_raw", "2026-08-08.json.gz").read_bytes()
    )
    sellers = json.loads(raw)
    found = parse_panel_raw(capture(SOURCE, raw))
    assert found.seen == found.rejections.height == len(sellers) == 80
    assert found.rejections["provider"].to_list() == [seller["name"] for seller in sellers]
    assert found.rejections["detail"].str.contains("headquarters US,").sum() == 44
    assert not {"input", "output", "prompt", "completion", "pricing"} & set(sellers[0])


def test_each_parser_takes_its_own_shape_only() -> None:
    site, documented = "2026-08-08.site.json", "2026-11-21.documented.json"
    for parser, name in ((parse, site), (parse_panel_raw, documented)):
        with pytest.raises(ParseError, match="no list of models"):
            parser(payload(SOURCE, name))


HOSTILE = {**NOT_A_LIST, "a seller without a slug": {"data": [{"name": "A"}]}}


@pytest.mark.parametrize("wrong", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_body_that_is_something_else_is_an_error(wrong: object) -> None:
    with pytest.raises(ParseError, match="openrouter_providers"):
        parse(capture(SOURCE, wrong))
