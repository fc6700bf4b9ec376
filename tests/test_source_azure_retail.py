"""Azure: a page of the Retail Prices API with its traps, paging, and the dated mirror."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from collectors.base import Capture, Parsed
from collectors.gpus.azure_retail import HISTORY, MAX_PAGES, SOURCE, parse, parse_history
from methodology.errors import ParseError

HERE = Path(__file__).parent / "payloads/azure_retail"
PAGE = (HERE / "page.json").read_bytes()


def capture(body: bytes) -> Capture:
    return Capture(SOURCE.id, SOURCE.url, body, datetime(2026, 7, 27, 6, 0, tzinfo=UTC))


def parse_items(*items: Any) -> Parsed:
    return parse(capture(json.dumps({"Items": items, "NextPageLink": None}).encode()))


def item(**changed: Any) -> dict[str, Any]:
    return {**json.loads(PAGE)["Items"][0], **changed}


def test_three_linux_prices_of_the_page_are_quotes() -> None:
    found = parse(capture(PAGE))
    assert found.quotes.select("listing_id", "tenor", "price_text", "effective_from").rows() == [
        ("Standard_ND96isr_H100_v5", "on_demand", "98.32", datetime(2023, 12, 1)),
        ("Standard_ND96amsr_A100_v4", "other", "6.554", datetime(2021, 12, 1)),
        ("Standard_ND96asr_v4", "spot", "5.98334", datetime(2025, 3, 1)),
    ]
    row = found.quotes.row(0, named=True)
    assert (row["region"], row["gpu_count"], row["is_official_date"]) == ("eastus", None, True)
    assert (row["quoted_unit"], row["tier"]) == ("per_instance_hour", "E3")


def test_a_reservation_total_labelled_one_hour_never_becomes_a_price() -> None:
    found = parse(capture(PAGE))
    refused = found.rejections.select("reason", "listing_id").rows()
    assert refused[:2] == [("RESERVATION_TOTAL", "Standard_ND96isr_H100_v5")] * 2
    assert "551221.0 is the total of 1 Year" in found.rejections["detail"][0]
    assert [reason for reason, _ in refused[2:]] == ["NOT_LINUX", "NOT_CONSUMPTION", "NOT_GPU"]
    assert found.seen == 8


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        pytest.param(
            {"reservationTerm": "1 Year"}, "RESERVATION_TOTAL", id="a term under consumption"
        ),
        pytest.param({"unitOfMeasure": "1 Month"}, "UNIT_NOT_HOUR", id="a monthly price"),
        pytest.param({"currencyCode": "EUR"}, "OTHER_CURRENCY", id="euros"),
        pytest.param({"serviceName": "Azure Machine Learning"}, "NOT_A_MACHINE", id="a service"),
        pytest.param(
            {"productName": "NDsr H100 v5 Series Cloud Services"}, "OTHER_SERVICE", id="hosting"
        ),
        pytest.param({"isPrimaryMeterRegion": False}, "SECONDARY_METER", id="a repeated meter"),
        pytest.param({"tierMinimumUnits": 100.0}, "VOLUME_TIER", id="a volume tier"),
        pytest.param({"retailPrice": 0.0}, "ZERO_PRICE", id="zero"),
        pytest.param({"retailPrice": -1}, "NEGATIVE_PRICE", id="negative"),
        pytest.param({"retailPrice": "98.32"}, "NOT_A_NUMBER", id="a text"),
        pytest.param({"armRegionName": ""}, "MALFORMED_ROW", id="no region"),
        pytest.param({"armRegionName": "\u202e"}, "MALFORMED_ROW", id="a region nobody sees"),
        pytest.param({"armSkuName": None}, "MALFORMED_ROW", id="no machine"),
        pytest.param(
            {"armSkuName": "Standard_ND96" + "9" * 400}, "MALFORMED_ROW", id="an endless machine"
        ),
        pytest.param({"effectiveStartDate": "soon"}, "MALFORMED_ROW", id="no date"),
        pytest.param({"effectiveStartDate": 20231201}, "MALFORMED_ROW", id="a number as date"),
        pytest.param({"effectiveStartDate": "2023-12-01"}, "MALFORMED_ROW", id="no zone"),
        pytest.param(
            {"effectiveStartDate": "0001-01-01T00:00:00+14:00"}, "MALFORMED_ROW", id="year nought"
        ),
        pytest.param({"effectiveStartDate": "0202-12-01T00:00:00Z"}, "BAD_DATE", id="year 202"),
    ],
)
def test_one_changed_field_refuses_the_row(changed: dict[str, Any], reason: str) -> None:
    found = parse_items(item(**changed), item(armRegionName="westus3"))
    assert found.quotes["region"].to_list() == ["westus3"]
    assert found.rejections["reason"].to_list() == [reason]


def test_an_item_that_is_no_object_is_refused() -> None:
    assert parse_items("x").rejections["reason"].to_list() == ["MALFORMED_ROW"]


def test_a_row_that_states_no_start_has_no_official_date() -> None:
    bare = {name: value for name, value in item().items() if name != "effectiveStartDate"}
    rows = parse_items(bare).quotes
    assert rows.select("effective_from", "is_official_date").rows() == [(None, False)]


def test_of_two_prices_with_one_start_the_cheaper_stands() -> None:
    found = parse_items(item(), item(retailPrice=90.5), item(retailPrice=90.5))
    assert found.quotes["price_text"].to_list() == ["90.5"]
    assert found.rejections["reason"].to_list() == ["DUPLICATE_LISTING", "DUPLICATE_ROW"]


def test_a_price_with_a_later_start_stands_beside_the_running_one() -> None:
    found = parse_items(item(), item(effectiveStartDate="2027-01-01T00:00:00Z", retailPrice=90.0))
    assert found.quotes["price_text"].to_list() == ["98.32", "90.0"]


BASE = "http://127.0.0.1:8080/api/retail/prices"


def page(link: str | None) -> Capture:
    return capture(json.dumps({"Items": [], "NextPageLink": link}).encode())


def test_paging_follows_the_link_until_there_is_none() -> None:
    flow = SOURCE.requests(BASE)
    first = next(flow)
    assert first.url == BASE
    assert "Virtual Machines" in first.params["$filter"]
    assert flow.send(page(f"{BASE}?$skip=100")).url == f"{BASE}?$skip=100"
    with pytest.raises(StopIteration):
        flow.send(page(None))


@pytest.mark.parametrize(
    "link",
    [
        pytest.param("http://evil.example/api/retail/prices?$skip=100", id="another host"),
        pytest.param("http://evil.example:8080/api/retail/prices", id="another host, same port"),
        pytest.param("http://127.0.0.1:8081/api/retail/prices", id="another port"),
        pytest.param("file:///etc/passwd", id="a file"),
        pytest.param("https://127.0.0.1:8080/api/retail/prices", id="another scheme"),
    ],
)
def test_paging_never_leaves_the_host(link: str) -> None:
    flow = SOURCE.requests(BASE)
    next(flow)
    with pytest.raises(ParseError) as caught:
        flow.send(page(link))
    assert caught.value.reason == "FOREIGN_LINK"


def test_paging_that_never_ends_is_an_error() -> None:
    flow = SOURCE.requests(BASE)
    next(flow)
    for _ in range(MAX_PAGES):
        flow.send(page(f"{BASE}?$skip=100"))
    with pytest.raises(ParseError, match="ENDLESS"):
        flow.send(page(f"{BASE}?$skip=100"))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b"", "NOT_JSON", id="nothing"),
        pytest.param(b"[]", "SHAPE", id="a list"),
        pytest.param(b'{"Items": null}', "SHAPE", id="no items"),
        pytest.param(PAGE.replace(b"98.32", b"Infinity"), "NOT_JSON", id="Infinity"),
    ],
)
def test_a_body_that_is_no_page_is_an_error(body: bytes, reason: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse(capture(body))
    assert caught.value.reason == reason


def test_the_mirror_is_seen_at_midnight() -> None:
    body = (HERE / "history.csv").read_bytes()
    rows = parse_history(Capture(HISTORY.id, "x", body, datetime(2026, 9, 1, tzinfo=UTC))).quotes
    assert rows.select("observed_at", "region", "listing_id", "price_text").rows() == [
        (datetime(2024, 12, 13), "westus3", "Standard_ND96isr_H200_v5", "118.0"),
        (datetime(2025, 5, 16), "westus3", "Standard_ND96isr_H200_v5", "84.8"),
    ]
    assert rows["source"].unique().to_list() == ["azure_history"]
