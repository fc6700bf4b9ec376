"""Seeweb: plans in euros, one quote for each place."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from collectors.base import Capture, Parsed
from collectors.gpus.seeweb import SOURCE, parse
from methodology.errors import ParseError

BODY = (Path(__file__).parent / "payloads/seeweb/2026-08-14.json").read_bytes()
ROOT = Path(
    os.environ.get("SPOTFIX_PAYLOADS")
    or Path(__file__).resolve().parents[2] / "shared" / "payloads"
)
real = pytest.mark.skipif(
    not (ROOT / "gpu").is_dir(), reason="real bodies are not here; set SPOTFIX_PAYLOADS"
)


def capture(body: bytes) -> Capture:
    return Capture(SOURCE.id, SOURCE.url, body, datetime(2026, 8, 14, tzinfo=UTC))


def plan(**changed: Any) -> dict[str, Any]:
    row: dict[str, Any] = json.loads(BODY)["plans"][1]
    return row | changed


def plans(*rows: Any) -> Parsed:
    return parse(capture(json.dumps({"plans": rows}).encode()))


def test_a_plan_is_quoted_in_euros_wherever_it_is_sold() -> None:
    found = parse(capture(BODY))
    columns = ("listing_id", "price_text", "currency", "region", "gpu_count")
    assert found.quotes.select(columns).rows() == [
        ("ECS1GPU3", "0.99", "EUR", "it-fr2", 1),
        ("ECS1GPU3", "0.99", "EUR", "ch-lug1", 1),
        ("ECS1GPU10", "2.6", "EUR", "it-fr2", 1),
    ]
    assert set(found.quotes["quoted_unit"]) == {"per_instance_hour"}
    assert found.rejections.select("listing_id", "reason").rows() == [("eCS1", "NOT_GPU")]
    assert SOURCE.currencies == ("EUR",)


def test_the_price_is_of_the_plan_and_not_of_its_gpus() -> None:
    found = plans(plan(gpu="2", hourly_price="5.2"))
    assert found.quotes.select("price_text", "gpu_count").rows() == [("5.2", 2)]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        pytest.param({"available": False}, "PRICE_NOT_OFFERED", id="closed"),
        pytest.param({"available_regions": []}, "PRICE_NOT_OFFERED", id="sold nowhere"),
        pytest.param({"available_regions": [{}]}, "MALFORMED_ROW", id="a place without a name"),
        pytest.param({"available_regions": None}, "MALFORMED_ROW", id="no list of places"),
        pytest.param({"gpu": "0"}, "NOT_GPU", id="a label without a GPU"),
        pytest.param({"gpu_label": None}, "NOT_GPU", id="a GPU without a label"),
        pytest.param({"gpu": "two"}, "GPU_COUNT_UNKNOWN", id="a count in words"),
        pytest.param({"hourly_price": 0}, "ZERO_PRICE", id="zero is not offered"),
        pytest.param({"hourly_price": "EUR 2.6"}, "NOT_A_NUMBER", id="a price with its currency"),
        pytest.param({"hourly_price": None}, "PRICE_MISSING", id="no price"),
        pytest.param({"name": 3}, "MALFORMED_ROW", id="no name"),
    ],
)
def test_a_bad_plan_is_refused_and_its_neighbour_kept(changed: dict[str, Any], reason: str) -> None:
    found = plans(plan(**changed), plan(name="other"))
    assert found.rejections["reason"].to_list() == [reason]
    assert found.quotes["listing_id"].to_list() == ["other"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b"<html>", "NOT_JSON", id="an error page"),
        pytest.param(b"[]", "SHAPE", id="a list"),
        pytest.param(b'{"plans": []}', "EMPTY", id="no plan"),
    ],
)
def test_a_body_that_is_not_the_promised_one_is_an_error(body: bytes, reason: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse(capture(body))
    assert caught.value.reason == reason


def test_the_key_travels_in_its_own_header() -> None:
    assert (SOURCE.auth_env, SOURCE.auth.header, SOURCE.auth.prefix) == (
        "SEEWEB_API_TOKEN",
        "X-APITOKEN",
        "",
    )


@real
def test_the_invented_plan_of_2026_08_14() -> None:
    body = json.loads((ROOT / "gpu/fixtures_gpuhunt/2026-08-14_seeweb.json").read_text())
    found = plans(*body["payload"]["plans"])
    assert found.quotes.select("listing_id", "price_text").rows() == [("mystery", "1.0")]
