"""Lambda: cents per instance, regions with some, and bodies that lie."""

from __future__ import annotations

import json
from typing import Any

import pytest

from collectors.base import Parsed
from collectors.gpus.lambda_cloud import SOURCE, parse, requests
from methodology.errors import ParseError
from methodology.units import to_nano
from tests.machine_lists import capture, check, counts, offers, refusals, small

BODY = small(SOURCE, "2026-08-23.json")
B200 = "gpu_8x_b200"


def parse_types(**types: Any) -> Parsed:
    return parse(capture(SOURCE, {"data": types}))


def b200(**changed: Any) -> dict[str, Any]:
    offer = json.loads(BODY)["data"][B200]
    return {**offer, "instance_type": {**offer["instance_type"], **changed}}


def test_each_type_is_a_quote_in_cents_with_its_regions_counted() -> None:
    found = parse(capture(SOURCE, BODY))
    check(SOURCE, found)
    assert offers(found) == [
        ("gpu_1x_a100_pcie", "on_demand", "199", None, 1),
        ("gpu_1x_h100_pcie", "on_demand", "329", None, 1),
        (B200, "on_demand", "5352", None, 8),
    ]
    assert counts(found) == {
        ("gpu_1x_a100_pcie", "regions_available"): 1,
        ("gpu_1x_h100_pcie", "regions_available"): 0,
        (B200, "regions_available"): 2,
    }
    assert found.rejections.is_empty()


def test_cents_of_eight_become_dollars_of_one() -> None:
    row = parse(capture(SOURCE, BODY)).quotes.row(2, named=True)
    assert row["quoted_unit"] == "cents_per_instance_hour"
    # 53.52 USD for eight
    assert to_nano(row["price_text"], row["quoted_unit"], row["gpu_count"]) == (
        6690000000,
        False,
    )


@pytest.mark.parametrize(
    ("offer", "reason"),
    [
        pytest.param(b200(specs={"gpus": 0}), "NOT_GPU", id="a machine without GPU"),
        pytest.param(b200(specs={"gpus": 1}), "MALFORMED_ROW", id="one GPU under a name of eight"),
        pytest.param(b200(name="gpu_8x_h100_sxm5"), "MALFORMED_ROW", id="another name inside"),
        pytest.param(b200(price_cents_per_hour=0), "ZERO_PRICE", id="zero is not offered"),
        pytest.param(b200(price_cents_per_hour="5352"), "NOT_A_NUMBER", id="a price as text"),
        pytest.param(b200(price_cents_per_hour=None), "NO_PRICE", id="null"),
        pytest.param(b200(specs=None), "MALFORMED_ROW", id="no specs"),
        pytest.param(
            {**b200(), "regions_with_capacity_available": {"us-west-1": True}},
            "MALFORMED_ROW",
            id="regions as an object",
        ),
        pytest.param(None, "MALFORMED_ROW", id="a type that is null"),
    ],
)
def test_a_bad_type_is_refused_and_its_neighbour_kept(offer: Any, reason: str) -> None:
    found = parse_types(
        gpu_8x_b200=offer, gpu_1x_h100_pcie=json.loads(BODY)["data"]["gpu_1x_h100_pcie"]
    )
    assert [listing for listing, *_ in offers(found)] == ["gpu_1x_h100_pcie"]
    assert refusals(found) == [(B200, reason)]


def test_where_regions_are_not_said_nothing_is_counted_and_the_price_stands() -> None:
    found = parse_types(gpu_8x_b200={"instance_type": b200()["instance_type"]})
    assert (found.quotes.height, found.volumes.height) == (1, 0)
    assert refusals(found) == [(B200, "NOT_A_COUNT")]


def test_a_region_listed_twice_is_one() -> None:
    twice = {**b200(), "regions_with_capacity_available": [{"name": "us-west-1"}] * 2}
    assert counts(parse_types(gpu_8x_b200=twice)) == {(B200, "regions_available"): 1}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b'{"error":{"code":"global/invalid-api-key"}}', "SHAPE", id="no such key"),
        pytest.param(b'{"data":[]}', "SHAPE", id="a list"),
        pytest.param(b'{"data":{}}', "EMPTY", id="no type at all"),
        pytest.param(b'{"data":{"a":{},"a":{}}}', "NOT_JSON", id="a type twice"),
    ],
)
def test_a_body_that_is_not_the_list_is_refused_whole(body: bytes, reason: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse(capture(SOURCE, body))
    assert caught.value.reason == reason


def test_it_asks_once_with_the_key_of_an_account() -> None:
    (request,) = requests(SOURCE.url)
    assert request.url == SOURCE.url
    assert (SOURCE.auth_env, SOURCE.auth.prefix) == ("LAMBDA_API_KEY", "Bearer ")
