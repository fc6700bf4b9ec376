"""Bedrock's price lists: two layouts, levels of service told in four places."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from collectors.base import Capture
from collectors.tokens.aws_bedrock import SOURCE, parse
from methodology import schemas
from methodology.errors import ParseError

HERE = Path(__file__).parent / "payloads" / "aws_bedrock"
SHOWN = ("listing_id", "meter", "price_text", "quoted_unit", "region")
SONNET = "Claude Sonnet 4.6 (Amazon Bedrock Edition)"


def capture(body: bytes) -> Capture:
    return Capture(SOURCE.id, SOURCE.url, body, datetime(2026, 9, 30, 9, 0, tzinfo=UTC))


def term(price: object = "0.0008000000", unit: str = "1K tokens", **more: object) -> dict:
    dimension = {"beginRange": "0", "endRange": "Inf", "unit": unit, "pricePerUnit": {"USD": price}}
    return {
        "T": {
            "effectiveDate": "2026-08-01T00:00:00Z",
            "priceDimensions": {"d": {**dimension, **more}},
        }
    }


def offer(terms: object, code: str = "AmazonBedrock", **attributes: object) -> bytes:
    said = {
        "regionCode": "us-east-1",
        "usagetype": "USE1-NovaPro-input-tokens",
        "model": "Nova Pro",
        "inferenceType": "Input tokens",
        "feature": "On-demand Inference",
    }
    body = {
        "offerCode": code,
        "products": {"SKU": {"attributes": {**said, **attributes}}},
        "terms": {"OnDemand": {"SKU": terms}},
    }
    return json.dumps(body).encode()


def test_the_list_of_amazon_and_open_models():
    found = parse(capture((HERE / "2026-09-11.AmazonBedrock.json").read_bytes()))
    schemas.validate(schemas.Quote, found.quotes, "aws_bedrock")
    assert found.quotes.select(SHOWN).rows() == [
        ("Nova Pro", "IN", "0.0008000000", "per_ktok", "us-east-1"),
        ("Nova Pro", "OUT", "0.0032000000", "per_ktok", "us-east-1"),
        ("Nova Pro", "CIN", "0.0002000000", "per_ktok", "us-east-1"),
        ("Nova 2.0 Lite", "IN", "0.0003300000", "per_ktok", "us-east-1"),
        ("Nova Pro", "BAT_IN", "0.0004000000", "per_ktok", "us-east-1"),
    ]
    assert found.rejections["reason"].to_list() == ["NOT_ON_DEMAND"]
    # 2026-08-01 is the first of a month, not the day the price began
    assert found.quotes["effective_from"].null_count() == 5


def test_the_list_of_the_marketplace():
    found = parse(capture((HERE / "2026-09-30.AmazonBedrockFoundationModels.json").read_bytes()))
    schemas.validate(schemas.Quote, found.quotes, "aws_bedrock")
    assert found.quotes.select(SHOWN).rows() == [
        (SONNET, "IN", "3.3000000000", "per_mtok", "us-east-1"),
        (f"{SONNET}|global", "IN", "3.0000000000", "per_mtok", None),
    ]
    # no unit at all, "thousand" beside a figure per million, throughput by the hour
    assert found.rejections["reason"].to_list() == ["UNKNOWN_UNIT", "UNKNOWN_UNIT", "NOT_ON_DEMAND"]


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({"feature": "Batch Inference"}, ("Nova Pro", "BAT_IN")),
        ({"feature": "BatchInference"}, ("Nova Pro", "BAT_IN")),
        ({"inferenceType": "Output tokens batch"}, ("Nova Pro", "BAT_OUT")),
        ({"service_tier": "Batch"}, ("Nova Pro", "BAT_IN")),
        (
            {"usagetype": "USE1-NovaPro-input-tokens-cross-region-global-batch"},
            ("Nova Pro|global", "BAT_IN"),
        ),
        (
            {"usagetype": "USE1-NovaPro-input-tokens-cross-region-global"},
            ("Nova Pro|global", "IN"),
        ),
        ({"model": None, "titanModel": "Titan Text G1"}, ("Titan Text G1", "IN")),
    ],
    ids=[
        "batch told by the feature",
        "batch told by the feature in one word",
        "batch told by the meter",
        "batch told by the tier",
        "batch told by the usage type alone",
        "global routing",
        "an older Titan model",
    ],
)
def test_what_a_product_is_may_stand_in_any_attribute(attributes, said):
    found = parse(capture(offer(term(), **attributes)))
    assert found.quotes.select("listing_id", "meter").rows() == [said]


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"service_tier": "Flex"}, "PRICE_VARIANT"),
        ({"inferenceType": "Input tokens priority"}, "PRICE_VARIANT"),
        ({"usagetype": "USE1-NovaPro-input-tokens-flex"}, "PRICE_VARIANT"),
        ({"model": "Nova Pro Latency Optimized"}, "PRICE_VARIANT"),
        ({"feature": "Model Customization"}, "PRICE_VARIANT"),
        ({"service_tier": "gold"}, "PRICE_VARIANT"),
        ({"usagetype": "USE1-NovaPro-ProvisionedThroughput"}, "NOT_ON_DEMAND"),
        ({"tokenType": "Input tokens long context"}, "CONTEXT_BRACKET"),
        ({"usagetype": "USE1-NovaPro-cache-write-input-token-count"}, "NOT_A_MEASURED_METER"),
        ({"inferenceType": "T2I 1024 Standard"}, "NOT_A_MEASURED_METER"),
        ({"inferenceType": None}, "NOT_A_MEASURED_METER"),
        ({"model": "Nova Sonic"}, "MODE_NOT_TEXT"),
        ({"model": "Titan Embeddings V2"}, "MODE_NOT_TEXT"),
        ({"model": ""}, "MALFORMED_ROW"),
        ({"regionCode": None}, "MALFORMED_ROW"),
        (
            {"inferenceType": "Prompt cache read input tokens", "feature": "Batch Inference"},
            "NOT_A_MEASURED_METER",
        ),
    ],
    ids=[
        "a flexible tier",
        "priority told by the meter",
        "a flexible tier told by the usage type",
        "low latency told by the model",
        "a customised model",
        "an unknown tier",
        "provisioned throughput",
        "a long context",
        "a cache write",
        "images",
        "no meter",
        "speech",
        "embeddings",
        "no model",
        "no region",
        "cached input in batch",
    ],
)
def test_another_good_is_refused(attributes, reason):
    found = parse(capture(offer(term(), **attributes)))
    assert found.quotes.height == 0
    assert found.rejections["reason"].to_list() == [reason]


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        (None, "PRICE_MISSING"),
        ({}, "PRICE_MISSING"),
        (term(unit="hour"), "UNKNOWN_UNIT"),
        (term(unit="Units"), "UNKNOWN_UNIT"),
        (term(beginRange="1000"), "VOLUME_TIER"),
        (term(endRange="1000"), "VOLUME_TIER"),
        ({"A": term()["T"], "B": term()["T"]}, "VOLUME_TIER"),
        (term(pricePerUnit={"CNY": "0.005"}), "OTHER_CURRENCY"),
        (term("0.0000000000"), "FREE_OFFER"),
        (term("-1"), "NEGATIVE_PRICE"),
        (term("free"), "NOT_A_NUMBER"),
        (term(None), "NOT_A_NUMBER"),
        ({"T": {**term()["T"], "effectiveDate": "August"}}, "BAD_DATE"),
    ],
    ids=[
        "no term",
        "an empty term",
        "per hour",
        "units of nothing",
        "a price from a volume on",
        "a price up to a volume",
        "two terms",
        "another currency",
        "zero",
        "below zero",
        "a word",
        "null",
        "a date that is none",
    ],
)
def test_a_term_that_is_no_price_is_refused(terms, reason):
    found = parse(capture(offer(terms)))
    assert found.quotes.height == 0
    assert found.rejections["reason"].to_list() == [reason]


def test_a_price_dated_ahead_is_held():
    ahead = {"T": {**term()["T"], "effectiveDate": "2026-10-01T00:00:00Z"}}
    found = parse(capture(offer(ahead)))
    assert found.quotes["effective_from"].to_list() == [datetime(2026, 10, 1)]
    assert found.quotes["is_official_date"].to_list() == [True]


SUFFIXES = {
    "OutputTokenCount": "OUT",
    "CacheReadInputTokenCount_Global": "CIN",
    "InputTokenCount_Global_Batch": "BAT_IN",
    "input_tokens_standard": "IN",
    "cache_read_tokens_global_standard": "CIN",
    "CacheWriteInputTokenCount": None,
    "cache_write_tokens_1h_global_standard": None,
    "search_units": None,
    "InputTokenCount_LCtx": None,
    "ResponseCount": None,
}


@pytest.mark.parametrize(("suffix", "meter"), SUFFIXES.items(), ids=list(SUFFIXES))
def test_a_usage_type_of_the_marketplace_is_known_or_refused(suffix, meter):
    attributes = {
        "servicename": SONNET,
        "usagetype": f"USE1-MP:USE1_{suffix}-Units",
        "model": None,
        "inferenceType": None,
        "feature": None,
    }
    body = offer(term("3.0", "1M tokens"), "AmazonBedrockFoundationModels", **attributes)
    found = parse(capture(body))
    assert found.quotes["meter"].to_list() == ([meter] if meter else [])
    assert found.seen == 1


@pytest.mark.parametrize(
    "text",
    [
        b"<html>",
        b"[]",
        b'{"offerCode": "AmazonEC2", "products": {}, "terms": {}}',
        b'{"offerCode": "AmazonBedrock", "products": {"A": {}}, "terms": {}}',
        b'{"offerCode": "AmazonBedrock", "products": {}, "terms": {"OnDemand": {}}}',
    ],
    ids=["a page", "a list", "another offer", "no terms", "no products"],
)
def test_a_body_of_another_shape_is_refused(text):
    with pytest.raises(ParseError):
        parse(capture(text))


def test_both_offers_are_asked_for_in_one_region():
    assert [request.url.removeprefix(SOURCE.url) for request in SOURCE.requests(SOURCE.url)] == [
        "/AmazonBedrock/current/us-east-1/index.json",
        "/AmazonBedrockFoundationModels/current/us-east-1/index.json",
    ]


def test_a_start_in_a_year_no_price_is_of_is_refused():
    terms = term()
    terms["T"]["effectiveDate"] = "2602-08-01T00:00:00Z"
    found = parse(capture(offer(terms)))
    assert found.quotes.is_empty()
    assert found.rejections["reason"].to_list() == ["BAD_DATE"]
