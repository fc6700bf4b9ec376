"""Hyperstack: price book and stock of the documented shape."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from collectors.base import Capture, Parsed
from collectors.gpus.hyperstack import SOURCE, parse
from methodology.errors import ParseError

FOLDER = Path(__file__).parent / "payloads/hyperstack"
BOOK = (FOLDER / "2026-11-21.pricebook.json").read_bytes()
STOCKS = (FOLDER / "2026-11-21.stocks.json").read_bytes()


def capture(body: bytes) -> Capture:
    return Capture(SOURCE.id, SOURCE.url, body, datetime(2026, 11, 21, tzinfo=UTC))


def entry(**changed: Any) -> dict[str, Any]:
    row: dict[str, Any] = json.loads(BOOK)[1]
    return row | changed


def book(*rows: Any) -> Parsed:
    return parse(capture(json.dumps(rows).encode()))


def test_the_documented_price_book() -> None:
    found = parse(capture(BOOK))
    columns = ("listing_id", "price_text", "quoted_unit", "tenor", "gpu_count", "tier")
    assert found.quotes.select(columns).rows() == [
        ("RTX-A4000", "0.58", "per_gpu_hour", "on_demand", None, "E3"),
        ("H100-80G-SXM5", "3.20", "per_gpu_hour", "on_demand", None, "E3"),
    ]
    assert found.rejections.is_empty()


def test_the_end_of_a_name_makes_it_spot() -> None:
    found = book(entry(), entry(name="H100-80G-SXM5-spot", value=2.56, original_value=2.56))
    assert found.quotes.select("listing_id", "price_text", "tenor").rows() == [
        ("H100-80G-SXM5", "3.20", "on_demand"),
        ("H100-80G-SXM5", "2.56", "spot"),
    ]


def test_a_price_with_dates_is_held_to_them() -> None:
    found = book(entry(start_time="2027-01-01T00:00:00Z", end_time="2027-02-01T00:00:00+00:00"))
    row = found.quotes.row(0, named=True)
    assert (row["effective_from"], row["effective_to"], row["is_official_date"]) == (
        datetime(2027, 1, 1),
        datetime(2027, 2, 1),
        True,
    )


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        pytest.param({"discount_applied": True}, "PRICE_VARIANT", id="a discount of this account"),
        pytest.param({"value": "2.90"}, "PRICE_VARIANT", id="less than the undiscounted price"),
        pytest.param({"discount_applied": None}, "PRICE_VARIANT", id="discounted or not"),
        pytest.param({"name": "vCPU (cpu-only-flavors)"}, "NOT_GPU", id="a vCPU"),
        pytest.param({"name": "Cloud-SSD"}, "NOT_GPU", id="storage"),
        pytest.param({"name": None}, "MALFORMED_ROW", id="no name"),
        pytest.param({"value": 0, "original_value": 0}, "ZERO_PRICE", id="zero is not offered"),
        pytest.param({"value": None}, "PRICE_MISSING", id="no price"),
        pytest.param({"end_time": "soon"}, "BAD_DATE", id="an end that is no time"),
        pytest.param({"start_time": "2026-11-21T00:00:00"}, "BAD_DATE", id="a time without zone"),
    ],
)
def test_a_bad_entry_is_refused_and_its_neighbour_kept(
    changed: dict[str, Any], reason: str
) -> None:
    found = book(entry(**changed), entry(name="L40"))
    assert found.rejections["reason"].to_list() == [reason]
    assert found.quotes["listing_id"].to_list() == ["L40"]


def test_machines_of_one_two_four_and_eight_are_the_same_gpus() -> None:
    # 396 as ones, 197 as twos (394), 98 as fours (392), 45 as eights (360): 396 GPUs, not 1,542.
    assert parse(capture(STOCKS)).volumes.select("subject", "meter", "quantity").rows() == [
        ("RTX-A6000|CANADA-1", "gpus_available", 396)
    ]


@pytest.mark.parametrize(
    "sizes",
    [
        pytest.param(None, id="none"),
        pytest.param({"2x": 4}, id="no machines of one"),
        pytest.param({"1x": "200+"}, id="a floor"),
    ],
)
def test_a_stock_that_is_no_count_is_refused(sizes: Any) -> None:
    model = {"model": "L40", "configurations": sizes}
    body = {"stocks": [{"region": "US-1", "models": [model]}]}
    found = parse(capture(json.dumps(body).encode()))
    assert found.rejections.select("listing_id", "reason").rows() == [("L40|US-1", "NOT_A_COUNT")]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b"<html>", "NOT_JSON", id="an error page"),
        pytest.param(b"[]", "EMPTY", id="an empty book"),
        pytest.param(b'{"stocks": []}', "EMPTY", id="a stock of nothing"),
        pytest.param(b'{"status": false, "message": "Unauthorized"}', "SHAPE", id="a refusal"),
    ],
)
def test_a_body_that_is_not_the_promised_one_is_an_error(body: bytes, reason: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse(capture(body))
    assert caught.value.reason == reason


def test_price_book_and_stock_are_asked_for() -> None:
    assert [request.url for request in SOURCE.requests("http://127.0.0.1:1/v1/")] == [
        "http://127.0.0.1:1/v1/pricebook",
        "http://127.0.0.1:1/v1/core/stocks",
    ]
    assert (SOURCE.auth.header, SOURCE.auth.prefix) == ("api_key", "")
