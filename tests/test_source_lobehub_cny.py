"""LobeHub's model bank: yuan of sellers that list in yuan. Figures read from it by eye."""

import gzip
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from collectors.base import Capture
from collectors.tokens.lobehub_cny import SOURCE, parse
from collectors.visible import shown
from methodology import schemas
from methodology.errors import ParseError

HERE = Path(__file__).parent / "payloads" / "lobehub_cny"
HOME = Path(
    os.environ.get("SPOTFIX_PAYLOADS")
    or Path(__file__).resolve().parent.parent.parent / "shared" / "payloads"
)
SHOWN = ("provider", "listing_id", "meter", "price_text", "status")


def capture(body: bytes) -> Capture:
    return Capture(SOURCE.id, SOURCE.url, body, datetime(2025, 10, 1, tzinfo=UTC))


def bank(provider: str, pricing: dict, **more: object) -> bytes:
    return json.dumps({provider: [{"id": "m", "pricing": pricing, **more}]}).encode()


def fixed(name: str, rate: object, unit: str = "millionTokens") -> dict:
    return {"name": name, "rate": rate, "strategy": "fixed", "unit": unit}


def by_range(name: str, prices: dict, *params: str) -> dict:
    lookup = {"prices": prices, "pricingParams": list(params)}
    return {"name": name, "strategy": "lookup", "unit": "millionTokens", "lookup": lookup}


def test_an_extract_of_the_later_layout():
    found = parse(capture((HERE / "2025-10-01.json").read_bytes()))
    schemas.validate(schemas.Quote, found.quotes, "lobehub_cny")
    schemas.validate(schemas.Rejection, found.rejections, "lobehub_cny")
    assert found.quotes.select(SHOWN).rows() == [
        ("deepseek", "deepseek-chat", "CIN", "0.5", "offered"),
        ("deepseek", "deepseek-chat", "IN", "4", "offered"),
        ("deepseek", "deepseek-chat", "OUT", "12", "offered"),
        ("qwen", "qwen3-vl-plus", "IN", "1", "offered"),
        ("qwen", "qwen3-vl-plus", "OUT", "10", "offered"),
        ("qwen", "qwen-flash", "IN", "0.15", "offered"),
        ("qwen", "qwen-flash", "OUT", "1.5", "offered"),
        ("volcengine", "doubao-seed-1.6", "IN", "0.8", "offered"),
        # 2 yuan for short answers, 8 for longer ones: neither is the price of the listing
        ("volcengine", "doubao-seed-1.6", "OUT", None, "unknown"),
        ("volcengine", "doubao-seed-1.6", "CIN", "0.16", "offered"),
    ]
    assert set(found.quotes["currency"]) == {"CNY"}
    reasons = found.rejections["reason"].to_list()
    assert reasons[:2] == ["OTHER_CURRENCY", "CONVERTED_CURRENCY"]
    assert reasons.count("CONTEXT_BRACKET") == 12
    assert reasons.count("MODE_NOT_TEXT") == 1
    assert reasons.count("CONDITIONAL_TARIFF") == 1
    assert len(reasons) == 16


def test_an_extract_of_the_first_layout():
    found = parse(capture((HERE / "2024-12-01.json").read_bytes()))
    assert found.quotes.select(SHOWN).rows() == [
        ("deepseek", "deepseek-chat", "IN", "1", "offered"),
        ("deepseek", "deepseek-chat", "OUT", "2", "offered"),
        ("deepseek", "deepseek-chat", "CIN", "0.1", "offered"),
        ("hunyuan", "hunyuan-lite", "IN", None, "unknown"),
        ("hunyuan", "hunyuan-lite", "OUT", None, "unknown"),
        ("hunyuan", "hunyuan-standard", "IN", "4.5", "offered"),
        ("hunyuan", "hunyuan-standard", "OUT", "5", "offered"),
    ]
    assert found.rejections["reason"].to_list() == ["FREE_OFFER", "FREE_OFFER"]


@pytest.mark.parametrize(
    ("provider", "currency", "reason"),
    [
        ("aihubmix", None, "OTHER_CURRENCY"),
        ("aihubmix", "CNY", "CONVERTED_CURRENCY"),
        ("qwen", None, "OTHER_CURRENCY"),
        ("qwen", "USD", "OTHER_CURRENCY"),
    ],
    ids=[
        "AiHubMix's 0.12 and 0.48 of 2025-08-06, in dollars",
        "the same figures on 2025-08-30, now labelled yuan",
        "a figure of a seller in yuan whose label is missing",
        "a figure of a seller in yuan labelled dollars",
    ],
)
def test_a_label_that_does_not_fit_the_seller_is_not_believed(provider, currency, reason):
    pricing = {"units": [fixed("textInput", 0.12), fixed("textOutput", 0.48)]}
    if currency:
        pricing["currency"] = currency
    found = parse(capture(bank(provider, pricing)))
    assert found.quotes.height == 0
    assert found.rejections["reason"].to_list() == [reason]
    assert SOURCE.currencies == ("CNY",)


def test_a_bound_that_turned_from_tokens_to_millions_moves_no_price():
    """Qwen3 VL Plus on 2025-10-01 and 2026-01-25: same three prices, other bounds."""
    before = {"[0, 32_000]": 1, "[32_000, 128_000]": 1.5, "[128_000, infinity]": 3}
    after = {"[0, 0.032]": 1, "[0.032, 0.128]": 1.5, "[0.128, infinity]": 3}
    for prices in (before, after):
        units = [by_range("textInput", prices, "textInputRange"), fixed("textOutput", 10)]
        found = parse(capture(bank("qwen", {"currency": "CNY", "units": units})))
        assert found.quotes["price_text"].to_list() == ["1", "10"]
        assert found.rejections["reason"].to_list() == ["CONTEXT_BRACKET"] * 2


def test_a_base_range_with_one_price_for_every_mode_has_a_price():
    prices = {"[0, 0.128]_[false]": 8, "[0, 0.128]_[true]": 8, "[0.128, infinity]_[true]": 9}
    out = by_range("textOutput", prices, "textInputRange", "thinkingMode")
    units = [fixed("textInput", 0.8), out]
    found = parse(capture(bank("qwen", {"currency": "CNY", "units": units})))
    assert found.quotes["price_text"].to_list() == ["0.8", "8"]


@pytest.mark.parametrize(
    ("unit", "reason"),
    [
        (fixed("textInput", 4, "millionCharacters"), "UNKNOWN_UNIT"),
        (by_range("textInput", {"5m": 20}, "ttl"), "UNKNOWN_CONDITION"),
        (by_range("textInput", {"[0.1, infinity]": 3}, "textInputRange"), "PRICE_MISSING"),
        (
            {"name": "textInput", "strategy": "auction", "unit": "millionTokens"},
            "UNKNOWN_CONDITION",
        ),
        (fixed("textInput", "4"), "NOT_A_NUMBER"),
        (fixed("textInput", None), "NOT_A_NUMBER"),
        (fixed("textInput", -1), "NEGATIVE_PRICE"),
        ({"name": "textInput", "strategy": "tiered", "unit": "millionTokens"}, "PRICE_MISSING"),
        (by_range("textInput", {"[0, 1]": {"a": 1}}, "textInputRange"), "NOT_A_NUMBER"),
    ],
    ids=[
        "per million characters",
        "by another parameter",
        "no range from 0",
        "an unknown strategy",
        "a text",
        "null",
        "below zero",
        "no tiers",
        "an object in place of a price",
    ],
)
def test_a_unit_that_states_no_price_ends_the_older_one(unit, reason):
    pricing = {"currency": "CNY", "units": [unit, fixed("textOutput", 5)]}
    found = parse(capture(bank("zhipu", pricing)))
    assert found.quotes.select("meter", "status").rows() == [("IN", "unknown"), ("OUT", "offered")]
    assert found.rejections["reason"].to_list()[0] == reason


def test_a_listing_given_twice_with_other_figures_has_no_price():
    one = {"id": "m", "pricing": {"currency": "CNY", "input": 38, "output": 120}}
    two = {"id": "m", "pricing": {"currency": "CNY", "input": 35, "output": 120}}
    found = parse(capture(json.dumps({"stepfun": [one, two]}).encode()))
    assert found.quotes.select("meter", "price_text").rows() == [("IN", None), ("OUT", "120")]
    reasons = found.rejections["reason"].to_list()
    assert sorted(reasons) == ["AMBIGUOUS_LISTING"] * 2 + ["DUPLICATE_LISTING"]


@pytest.mark.parametrize(
    "text",
    [b"[]", b"{}", b'{"qwen": {}}', b'{"qwen": [{"id": "m"}]}', b'{"qwen": [{"pricing": {}}]}'],
    ids=["a list", "nothing", "no list", "no pricing", "no id"],
)
def test_a_body_of_another_shape_is_refused(text):
    with pytest.raises(ParseError, match="SHAPE"):
        parse(capture(text))


def test_there_is_nobody_to_ask():
    assert list(SOURCE.requests(SOURCE.url)) == []
    assert not SOURCE.is_live


@pytest.mark.skipif(not HOME.is_dir(), reason=f"no stored bodies at {HOME}; set SPOTFIX_PAYLOADS")
def test_every_stored_extract_is_read_and_every_listing_told():
    paths = sorted((HOME / "tokens" / "lobehub_cny").glob("*.gz"))
    if not paths:
        pytest.skip("no stored extracts of lobehub_cny")
    yuan = {}
    for path in paths:
        text = gzip.decompress(path.read_bytes())
        listed = [
            (p, m["id"], m["pricing"].get("currency"))
            for p, models in json.loads(text).items()
            for m in models
        ]
        found = parse(capture(text))
        schemas.validate(schemas.Quote, found.quotes, path.name)
        named = set(found.quotes.select("provider", "listing_id").rows())
        named |= set(found.rejections.select("provider", "listing_id").rows())
        assert named == {(p, shown(i)) for p, i, _ in listed}  # one id ends in a tab
        reasons = found.rejections["reason"].to_list()
        assert reasons.count("OTHER_CURRENCY") == sum(c != "CNY" for _, _, c in listed)
        yuan[path.name[:10]] = sum(c == "CNY" for _, _, c in listed)
    assert (yuan["2024-12-01"], yuan["2026-09-27"]) == (141, 677)
    newest = found.quotes.filter(found.quotes["status"] == "offered")
    assert newest.height == 1012
