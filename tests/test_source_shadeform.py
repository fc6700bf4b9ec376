"""Shadeform: cents of a broker, per region where a machine can be had."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from collectors.base import Capture, Parsed
from collectors.gpus.shadeform import SOURCE, parse
from methodology.errors import ParseError
from methodology.units import to_nano

BODY = (Path(__file__).parent / "payloads/shadeform/2026-11-21.documented.json").read_bytes()


def capture(body: bytes) -> Capture:
    return Capture(SOURCE.id, SOURCE.url, body, datetime(2026, 11, 21, tzinfo=UTC))


def machine(**changed: Any) -> dict[str, Any]:
    row: dict[str, Any] = json.loads(BODY)["instance_types"][0]
    return row | {"availability": row["availability"][:1]} | changed


def types(*rows: Any) -> Parsed:
    return parse(capture(json.dumps({"instance_types": rows}).encode()))


def test_the_documented_machine() -> None:
    found = parse(capture(BODY))
    columns = ("provider", "listing_id", "price_text", "quoted_unit", "region", "gpu_count", "tier")
    listing = "A6000_plus|gpu_1x_A6000_high_perf"
    assert found.quotes.select(columns).rows() == [
        ("massedcompute", listing, "57", "cents_per_instance_hour", "us-central-1", 1, "E4")
    ]
    assert found.rejections.select("listing_id", "reason").rows() == [
        (listing, "PRICE_NOT_OFFERED")
    ]
    assert found.volumes.select("subject", "meter", "quantity").rows() == [
        (f"massedcompute|{listing}", "regions_available", 1)
    ]


def test_a_machine_listed_twice_is_in_as_many_regions_as_before() -> None:
    found = types(machine(), machine())
    assert found.volumes["quantity"].to_list() == types(machine()).volumes["quantity"].to_list()
    assert "regions_available" in found.rejections["detail"][-1]


def test_cents_of_a_machine_of_eight() -> None:
    # 2400 cents for 8 GPUs: 3.00 a GPU-hour.
    found = types(machine(num_gpus=8, configuration={"num_gpus": 8}, hourly_price=2400))
    row = found.quotes.row(0, named=True)
    assert to_nano(row["price_text"], row["quoted_unit"], row["gpu_count"]) == (3 * 10**9, False)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        pytest.param({"hourly_price": 0}, "ZERO_PRICE", id="zero is not offered"),
        pytest.param({"hourly_price": None}, "PRICE_MISSING", id="no price"),
        pytest.param({"hourly_price": "$0.57"}, "NOT_A_NUMBER", id="dollars in a field of cents"),
        pytest.param({"num_gpus": 2}, "GPU_COUNT_UNKNOWN", id="two counts that contradict"),
        pytest.param({"configuration": {}}, "GPU_COUNT_UNKNOWN", id="no count"),
        pytest.param({"configuration": None}, "MALFORMED_ROW", id="no configuration"),
        pytest.param({"cloud": ""}, "MALFORMED_ROW", id="nobody sells it"),
        pytest.param({"deployment_type": "container"}, "NOT_A_MACHINE", id="a container"),
        pytest.param({"availability": [{"region": "x"}]}, "MALFORMED_ROW", id="there or not"),
    ],
)
def test_a_bad_machine_is_refused_and_its_neighbour_kept(
    changed: dict[str, Any], reason: str
) -> None:
    found = types(machine(**changed), machine(cloud="hyperstack"))
    assert found.rejections["reason"].to_list() == [reason]
    assert found.quotes["provider"].to_list() == ["hyperstack"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b"", "NOT_JSON", id="nothing"),
        pytest.param(b'{"error": "x"}', "SHAPE", id="a refusal"),
        pytest.param(b'{"instance_types": []}', "EMPTY", id="no machine"),
    ],
)
def test_a_body_that_is_not_the_promised_one_is_an_error(body: bytes, reason: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse(capture(body))
    assert caught.value.reason == reason


def test_it_is_off_unless_the_operator_holds_a_licence() -> None:
    assert SOURCE.switch is not None
    assert "permission" in SOURCE.switch
