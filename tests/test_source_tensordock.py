"""TensorDock: host nodes of the legacy marketplace."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from collectors.base import Capture, Parsed
from collectors.gpus.tensordock import SOURCE, parse
from methodology.errors import ParseError

BODY = (Path(__file__).parent / "payloads/tensordock/2024-10-28.json").read_bytes()
ROOT = Path(
    os.environ.get("SPOTFIX_PAYLOADS")
    or Path(__file__).resolve().parents[2] / "shared" / "payloads"
)
real = pytest.mark.skipif(
    not (ROOT / "gpu").is_dir(), reason="real bodies are not here; set SPOTFIX_PAYLOADS"
)


def capture(body: bytes) -> Capture:
    return Capture(SOURCE.id, SOURCE.url, body, datetime(2024, 10, 28, tzinfo=UTC))


def node(**changed: Any) -> dict[str, Any]:
    offer = {"amount": 8, "price": 1.05, "vram": 48}
    return {"specs": {"gpu": {"l40-pcie-48gb": offer | changed}}}


def nodes(**told: Any) -> Parsed:
    return parse(capture(json.dumps({"hostnodes": told}).encode()))


def test_the_price_of_the_gpu_itself_and_what_is_free() -> None:
    found = parse(capture(BODY))
    row = found.quotes.row(0, named=True)
    assert (row["listing_id"], row["price_text"], row["quoted_unit"]) == (
        "l40-pcie-48gb",
        "1.05",
        "per_gpu_hour",
    )
    assert (row["tenor"], row["region"], row["tier"]) == ("on_demand", None, "E3")
    assert found.volumes.select("subject", "meter", "quantity").rows() == [
        ("l40-pcie-48gb|node", "gpus_available", 8)
    ]


def test_the_place_becomes_a_region() -> None:
    place = {"country": "United States", "region": "Idaho", "city": "Chubbuck"}
    found = nodes(a=node() | {"location": place})
    assert found.quotes["region"].to_list() == ["unitedstates-idaho-chubbuck"]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        pytest.param({"amount": 0}, "PRICE_NOT_OFFERED", id="nothing is free"),
        pytest.param({"amount": None}, "NOT_A_COUNT", id="how many"),
        pytest.param({"vram": 80}, "MEMORY_CONTRADICTS_NAME", id="80 GB under a name of 48"),
        pytest.param({"price": 0}, "ZERO_PRICE", id="zero is not offered"),
        pytest.param({"price": None}, "PRICE_MISSING", id="no price"),
        pytest.param({"price": "1,05"}, "NOT_A_NUMBER", id="a comma"),
    ],
)
def test_a_bad_offer_is_refused_and_its_neighbour_kept(
    changed: dict[str, Any], reason: str
) -> None:
    found = nodes(a=node(**changed), b=node(price=1.1))
    assert found.rejections["reason"].to_list() == [reason]
    assert found.quotes["price_text"].to_list() == ["1.1"]


def test_a_node_that_is_offline_has_nothing_to_rent() -> None:
    found = nodes(a=node() | {"status": {"online": False, "listed": True}})
    assert found.rejections["reason"].to_list() == ["PRICE_NOT_OFFERED"]
    assert found.volumes["quantity"].to_list() == [0]


def test_a_node_that_is_online_is_on_offer() -> None:
    found = nodes(a=node() | {"status": {"online": True, "listed": True}})
    assert (found.quotes.height, found.volumes["quantity"].to_list()) == (1, [8])


def test_a_node_without_gpus_is_none() -> None:
    found = nodes(a={"specs": {"gpu": {}}}, b={"specs": {}}, c=7)
    assert found.rejections["reason"].to_list() == ["NOT_GPU", "MALFORMED_ROW", "MALFORMED_ROW"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b"<html>", "NOT_JSON", id="an error page"),
        pytest.param(b'{"success": false}', "SHAPE", id="a refusal"),
        pytest.param(b'{"hostnodes": {}}', "EMPTY", id="no node"),
    ],
)
def test_a_body_that_is_not_the_promised_one_is_an_error(body: bytes, reason: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse(capture(body))
    assert caught.value.reason == reason


def test_a_replaced_interface_is_not_asked() -> None:
    assert not SOURCE.is_live


@real
def test_the_trimmed_node_of_2024_10_28() -> None:
    specs = json.loads((ROOT / "gpu/fixtures_gpuhunt/2024-10-28_tensordock.json").read_text())
    found = nodes(a={"specs": specs["return_10"]})
    assert (found.quotes["price_text"].to_list(), found.rejections.height) == (["1.05"], 0)


def test_a_gpu_without_a_readable_name_is_refused() -> None:
    offer = {"amount": 8, "price": 1.05, "vram": 48}
    for name in (" ", "l40\u200b-pcie"):
        found = nodes(a={"specs": {"gpu": {name: offer}}})
        assert found.quotes.is_empty()
        assert found.volumes.is_empty()
        assert "MALFORMED_ROW" in found.rejections["reason"].to_list()
