"""Hosts of one model on OpenRouter. Figures are those of 2026-08-07, read by eye."""

import json
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from collectors.base import Capture
from collectors.tokens.openrouter_endpoints import (
    MODELS,
    SOURCE,
    parse,
    parse_panel_csv,
    parse_panel_raw,
    requests,
    requests_for,
)
from methodology import schemas
from methodology.errors import ParseError, UsageError

HERE = Path(__file__).parent / "payloads" / "openrouter_endpoints"
SEEN = datetime(2026, 8, 8, 15, 31, tzinfo=UTC)
SHOWN = ("provider", "listing_id", "meter", "price_text")


def capture(body: bytes) -> Capture:
    return Capture(SOURCE.id, SOURCE.url, body, SEEN)


def endpoint(tag: str, price: str, **more: object) -> dict[str, object]:
    return {"provider_name": "Host", "tag": tag, "pricing": {"prompt": price}, **more}


def body(*endpoints: object, model: object = "a/b") -> bytes:
    return json.dumps({"data": {"id": model, "endpoints": list(endpoints)}}).encode()


def test_each_host_is_quoted_at_the_price_shown_whatever_its_precision():
    found = parse(capture((HERE / "2026-08-07.deepseek-v3.2.json").read_bytes()))
    assert found.quotes.filter(pl.col("meter") == "IN").select(SHOWN).rows() == [
        ("StreamLake", "deepseek/deepseek-v3.2|streamlake/fp8|fp8", "IN", "0.0000002145"),
        ("DeepInfra", "deepseek/deepseek-v3.2|deepinfra/fp4|fp4", "IN", "0.00000026"),
        ("Google", "deepseek/deepseek-v3.2|google-vertex|unknown", "IN", "0.00000056"),
        ("Venice", "deepseek/deepseek-v3.2|venice|unknown", "IN", "0.00000033"),
    ]
    assert found.quotes.height == 11  # three hosts with cache reads, one without
    assert found.rejections.is_empty()
    schemas.validate(schemas.Quote, found.quotes, "openrouter_endpoints")


def test_the_daily_table_is_quoted_at_its_own_time():
    found = parse_panel_csv(capture((HERE / "2026-08-07.panel.csv").read_bytes()))
    assert set(found.quotes["observed_at"]) == {datetime(2026, 8, 7, 15, 57, 25)}
    kept = found.quotes.filter(pl.col("meter") == "OUT").select(*SHOWN, "region").rows()
    assert kept == [
        ("CoreWeave", "openai/gpt-oss-120b|coreweave/fp4|fp4", "OUT", "0.00000017", None),
        ("DeepInfra", "openai/gpt-oss-120b|deepinfra/turbo|bf16", "OUT", "0.0000006", None),
        (
            "Amazon Bedrock",
            "openai/gpt-oss-120b|amazon-bedrock/eu-west-1|unknown",
            "OUT",
            "0.0000006",
            "eu-west-1",
        ),
        ("Anthropic", "anthropic/claude-sonnet-4.5|anthropic|unknown", "OUT", "0.000015", None),
    ]
    # Together lists one model twice under one tag at two prices: 4 figures, none of them kept
    assert dict(found.rejections["reason"].value_counts().rows()) == {
        "AMBIGUOUS_LISTING": 4,
        "FREE_VARIANT": 1,
        "NOT_A_MEASURED_METER": 2,
        "CONTEXT_BRACKET": 1,
    }
    schemas.validate(schemas.Quote, found.quotes, "openrouter_endpoints")
    schemas.validate(schemas.Rejection, found.rejections, "openrouter_endpoints")


def test_raw_sections_give_the_same_listing_ids():
    lines = [
        {
            "model_slug": "a/b",
            "variant": "standard",
            "endpoints": [
                {
                    "provider_name": "Novita",
                    "provider_slug": "novita/bf16",
                    "quantization": "bf16",
                    "pricing": {"prompt": "0.000000135", "discount": 0, "display_pricing": []},
                }
            ],
        },
        {"model_slug": "a/old", "variant": "standard", "endpoints": None},
        {"model_slug": "a/b", "variant": "free", "endpoints": [endpoint("x", "0")]},
    ]
    lines[2]["endpoints"][0]["provider_slug"] = "x"
    found = parse_panel_raw(capture(b"\n".join(json.dumps(line).encode() for line in lines)))
    assert found.quotes.select(SHOWN).rows() == [
        ("Novita", "a/b|novita/bf16|bf16", "IN", "0.000000135")
    ]
    assert found.rejections["reason"].to_list() == ["NO_ENDPOINTS", "FREE_VARIANT"]


def test_two_equal_endpoints_count_once():
    found = parse(capture(body(endpoint("host", "0.000001"), endpoint("host", "0.000001"))))
    assert found.quotes.height == 1
    assert found.rejections["reason"].to_list() == ["DUPLICATE_LISTING"]


def test_two_endpoints_that_differ_under_one_id_both_go():
    found = parse(capture(body(endpoint("host", "0.000001"), endpoint("host", "0.000002"))))
    assert found.quotes.is_empty()
    assert found.rejections["reason"].to_list() == ["AMBIGUOUS_LISTING"] * 2


REGIONS = {
    "a cloud region": ("amazon-bedrock/eu-west-1", "eu-west-1"),
    "a region without a second dash": ("google-vertex/us-east5", "us-east5"),
    "a named region": ("azure/swedencentral", "swedencentral"),
    "everywhere": ("google-vertex/global", "global"),
    "a precision is no region": ("host/fp8", None),
    "native four-bit is no region": ("host/mxfp4", None),
    "a speed is no region": ("deepinfra/turbo", None),
    "a bare host": ("groq", None),
}


@pytest.mark.parametrize(("tag", "region"), REGIONS.values(), ids=REGIONS.keys())
def test_the_region_is_read_from_the_tag(tag, region):
    assert parse(capture(body(endpoint(tag, "0.000001")))).quotes["region"].to_list() == [region]


def test_a_disabled_endpoint_is_not_on_offer():
    found = parse(capture(body(endpoint("host", "0.000001", is_disabled=True))))
    assert found.quotes.is_empty()
    assert found.rejections["reason"].to_list() == ["ENDPOINT_DISABLED"]


def test_a_model_nobody_serves_is_told():
    assert parse(capture(body())).rejections["reason"].to_list() == ["NO_ENDPOINTS"]


def test_one_request_per_model():
    urls = [request.url for request in requests(SOURCE.url)]
    assert len(urls) == len(MODELS)
    assert urls[0] == "https://openrouter.ai/api/v1/models/deepseek/deepseek-v3.2/endpoints"


@pytest.mark.parametrize("model", ["../../etc", "a/b?x=1", "a/../b", "A/B", "a", "a/b/c", "a/b#c"])
def test_an_id_that_could_leave_the_path_is_refused(model):
    with pytest.raises(UsageError, match="not a model id"):
        list(requests_for("https://openrouter.ai/api/v1", [model]))


HOSTILE = {
    "html": b"<html></html>",
    "an error": b'{"error":{"message":"no such model"}}',
    "no endpoints": b'{"data":{"id":"a/b"}}',
    "no model id": body(model=None),
    "an endpoint without pricing": body({"provider_name": "H", "tag": "h"}),
    "an endpoint without a host": body({"tag": "h", "pricing": {}}),
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_body_that_is_something_else_is_an_error(text):
    with pytest.raises(ParseError, match="openrouter_endpoints"):
        parse(capture(text))


@pytest.mark.parametrize("text", [b"a,b\n1,2\n", b"", b"{}"], ids=["columns", "empty", "json"])
def test_a_table_that_is_something_else_is_an_error(text):
    with pytest.raises(ParseError, match="openrouter_endpoints"):
        parse_panel_csv(capture(text))


@pytest.mark.parametrize("text", [b"<html>", b'{"model_slug":1,"variant":2}', b"[]"])
def test_a_line_that_is_something_else_is_an_error(text):
    with pytest.raises(ParseError, match="line 1"):
        parse_panel_raw(capture(text))


def test_endpoints_that_are_no_list_are_a_fault():
    line = json.dumps({"model_slug": "a/b", "variant": "standard", "endpoints": True})
    with pytest.raises(ParseError) as caught:
        parse_panel_raw(capture(line.encode()))
    assert caught.value.reason == "SHAPE"
