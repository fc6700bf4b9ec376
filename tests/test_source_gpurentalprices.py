"""gpurentalprices: a body of true shape and true figures, and bodies that lie."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from collectors.base import Capture, Parsed
from collectors.gpus.gpurentalprices import SOURCE, parse
from methodology.errors import ParseError

BODY = (Path(__file__).parent / "payloads/gpurentalprices/2026-08-02.json").read_bytes()
GENERATED = "2026-08-02T07:41:44.989Z"


def capture(body: bytes) -> Capture:
    return Capture(SOURCE.id, SOURCE.url, body, datetime(2026, 8, 2, 7, 50, tzinfo=UTC))


def offer(**changed: Any) -> dict[str, Any]:
    row = {
        "provider": "lambda",
        "gpu": "h100-sxm",
        "vram_gb": 80,
        "usd_hr": 3.99,
        "kind": "on-demand",
        "source_url": "https://lambda.ai/service/gpu-cloud",
        "fetched_at": "2026-08-02T07:41:38.094Z",
    }
    row.update(changed)
    return {name: value for name, value in row.items() if value is not None}


def parse_offers(*offers: Any) -> Parsed:
    return parse(capture(json.dumps({"generated_at": GENERATED, "offers": offers}).encode()))


def test_each_offer_of_the_body_is_a_quote_in_body_order() -> None:
    found = parse(capture(BODY))
    assert found.rejections.is_empty()
    assert found.quotes.select("provider", "listing_id", "price_text", "tenor").rows() == [
        ("runpod", "h100-sxm|80|secure", "2.99", "on_demand"),
        ("runpod", "h100-sxm|80|community", "2.69", "community"),
        ("digitalocean", "h100|80|on-demand", "4.41", "on_demand"),
        ("digitalocean", "h200|141|on-demand", "4.47", "on_demand"),
        ("coreweave", "h100|80|on-demand", "6.155", "on_demand"),
        ("gcp", "a100-sxm-40|40|on-demand", "2.9339079999999997", "on_demand"),
        ("aws", "l4|24|on-demand|min8", "1.6688", "on_demand"),
        ("aws", "l4|24|on-demand", "0.8048", "on_demand"),
        ("sfcompute", "h100|80|spot", "2.1", "spot"),
        ("modal", "h100|80|serverless", "3.9492000000000003", "other"),
    ]


def test_a_quote_carries_the_row_own_time_and_no_region() -> None:
    row = parse(capture(BODY)).quotes.row(2, named=True)
    assert row["observed_at"] == datetime(2026, 8, 2, 7, 41, 40, 769000)
    assert (row["quoted_unit"], row["currency"], row["tier"]) == ("per_gpu_hour", "USD", "E4")
    assert (row["region"], row["gpu_count"], row["effective_from"]) == (None, None, None)


def test_the_same_bytes_give_the_same_frames() -> None:
    assert parse(capture(BODY)).quotes.equals(parse(capture(BODY)).quotes)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        pytest.param(
            {"fetched_at": "2026-08-01T05:41:44.988Z"},
            "CARRIED_FORWARD",
            id="a row one millisecond over 26 h old was carried forward",
        ),
        pytest.param(
            {"fetched_at": "2026-07-23T07:41:44.989Z"},
            "CARRIED_FORWARD",
            id="a row ten days old was carried forward",
        ),
        pytest.param(
            {"fetched_at": "2026-08-02T07:47:00.000Z"},
            "SEEN_IN_FUTURE",
            id="a row seen after its body was written cannot be",
        ),
        pytest.param(
            {"gpu": "a100-pcie-80", "vram_gb": 40},
            "MEMORY_CONTRADICTS_NAME",
            id="an 80 GB name on a 40 GB card",
        ),
        pytest.param(
            {"gpu": "h100-nvl", "vram_gb": 80},
            "MEMORY_CONTRADICTS_NAME",
            id="an NVL of 80 GB does not exist",
        ),
        pytest.param({"usd_hr": 0}, "ZERO_PRICE", id="zero is not offered"),
        pytest.param({"usd_hr": -1}, "NEGATIVE_PRICE", id="minus one is a sentinel"),
        pytest.param({"usd_hr": "3.99"}, "NOT_A_NUMBER", id="a price that is a text"),
        pytest.param({"usd_hr": True}, "NOT_A_NUMBER", id="a price that is a truth value"),
        pytest.param({"provider": ""}, "MALFORMED_ROW", id="nobody sells it"),
        pytest.param({"kind": 7}, "MALFORMED_ROW", id="a kind that is a number"),
        pytest.param({"vram_gb": 80.5}, "MALFORMED_ROW", id="half a gigabyte"),
        pytest.param({"fetched_at": "2026-08-02"}, "MALFORMED_ROW", id="a day is not a time"),
        pytest.param({"fetched_at": None}, "MALFORMED_ROW", id="no time at all"),
    ],
)
def test_a_bad_offer_is_refused_and_its_neighbour_kept(
    changed: dict[str, Any], reason: str
) -> None:
    found = parse_offers(offer(**changed), offer(provider="nebius"))
    assert found.quotes["provider"].to_list() == ["nebius"]
    assert found.rejections["reason"].to_list() == [reason]
    assert found.seen == 2


def test_a_row_of_exactly_26_hours_stands() -> None:
    found = parse_offers(offer(fetched_at="2026-08-01T05:41:44.989Z"))
    assert found.quotes["observed_at"].to_list() == [datetime(2026, 8, 1, 5, 41, 44, 989000)]


def test_an_offer_that_is_no_object_is_refused() -> None:
    assert parse_offers(["h100"], offer()).rejections["reason"].to_list() == ["MALFORMED_ROW"]


def test_a_row_printed_twice_counts_once() -> None:
    found = parse_offers(offer(), offer())
    assert found.quotes.height == 1
    assert found.rejections["reason"].to_list() == ["DUPLICATE_ROW"]


@pytest.mark.parametrize(
    "prices",
    [
        pytest.param((1.99, 1.89), id="the cheaper one comes second"),
        pytest.param((1.89, 1.99), id="the cheaper one comes first"),
        pytest.param((10.0, 9.5), id="nine and a half is below ten as a number, not as a text"),
    ],
)
def test_of_two_prices_nothing_tells_apart_the_cheaper_stands(prices: tuple[float, float]) -> None:
    found = parse_offers(*(offer(usd_hr=price) for price in prices))
    assert found.quotes["price_text"].to_list() == [str(min(prices))]
    assert found.rejections["reason"].to_list() == ["DUPLICATE_LISTING"]
    assert found.rejections["listing_id"].to_list() == ["h100-sxm|80|on-demand"]


@pytest.mark.parametrize(
    ("kind", "tenor"),
    [
        ("on-demand", "on_demand"),
        ("secure", "on_demand"),
        ("community", "community"),
        ("spot", "spot"),
        ("serverless", "other"),
        ("reserved-1y", "reserved"),
        ("auction", "other"),
    ],
)
def test_the_kind_decides_the_tenor(kind: str, tenor: str) -> None:
    assert parse_offers(offer(kind=kind)).quotes["tenor"].to_list() == [tenor]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b"", "NOT_JSON", id="nothing"),
        pytest.param(b"<html>502</html>", "NOT_JSON", id="an error page"),
        pytest.param(BODY[:-40], "NOT_JSON", id="cut off"),
        pytest.param(BODY.replace(b"4.41", b"NaN"), "NOT_JSON", id="NaN"),
        pytest.param(b'{"generated_at": "x", "generated_at": "y"}', "NOT_JSON", id="a key twice"),
        pytest.param(b"[]", "SHAPE", id="a list"),
        pytest.param(b'{"offers": []}', "SHAPE", id="no time"),
        pytest.param(
            b'{"offers": [], "generated_at": "2026-08-02T07:41:44Z"}', "EMPTY", id="no offers"
        ),
        pytest.param(
            b'{"offers": {}, "generated_at": "2026-08-02T07:41:44Z"}', "SHAPE", id="no list"
        ),
    ],
)
def test_a_body_that_is_not_the_promised_one_is_an_error(body: bytes, reason: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse(capture(body))
    assert (caught.value.source, caught.value.reason) == ("gpurentalprices", reason)


def test_one_get_without_a_key() -> None:
    assert [request.url for request in SOURCE.requests("http://127.0.0.1:1/x")] == [
        "http://127.0.0.1:1/x"
    ]
    assert SOURCE.auth_env is None


@pytest.mark.parametrize("name", [" ", "run\u200bpod", "run\x00pod", "\u202edopnur"])
def test_a_seller_without_a_readable_name_is_refused(name: str) -> None:
    found = parse_offers(offer(provider=name))
    assert found.quotes.is_empty()
    assert found.rejections["reason"].to_list() == ["MALFORMED_ROW"]
    assert not {"\u200b", "\x00", "\u202e"} & set("".join(found.rejections["provider"]))


def test_a_body_that_was_made_after_it_was_fetched_is_refused() -> None:
    body = json.dumps({"generated_at": "2026-08-04T00:00:00Z", "offers": [offer()]}).encode()
    with pytest.raises(ParseError) as caught:
        parse(capture(body))
    assert caught.value.reason == "SHAPE"
