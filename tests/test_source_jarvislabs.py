"""Jarvislabs: a price of one GPU beside a pod, a currency that must be stated, free GPUs."""

from __future__ import annotations

from typing import Any

import pytest

from collectors.base import Parsed
from collectors.gpus.jarvislabs import SOURCE, parse, parse_panel_raw, requests
from methodology.errors import ParseError
from methodology.units import to_nano
from tests.machine_lists import capture, check, counts, offers, real, refusals, small

BODY = small(SOURCE, "2026-08-14.json")
CPU = ("cpu|4|16", "NOT_GPU")


def pool(**changed: Any) -> dict[str, Any]:
    return {
        "gpu_type": "H100",
        "vram": "80",
        "region": "india-noida-01",
        "workload_type": "vm",
        "num_free_devices": 4,
        "price_per_hour": 2.69,
        "spot_price": 1.19,
        "num_gpus": "8",
        **changed,
    }


def parse_pools(*pools: Any, currency: Any = "USD") -> Parsed:
    return parse(capture(SOURCE, {"currency": currency, "server_meta": pools}))


def test_each_pool_has_its_prices_and_its_free_gpus() -> None:
    found = parse(capture(SOURCE, BODY))
    check(SOURCE, found)
    assert offers(found) == [
        ("L4|24|container", "on_demand", "0.44", "india-noida-01", None),
        ("L4|24|container", "spot", "0.29", "india-noida-01", None),
        ("L4|24|vm", "on_demand", "0.44", "india-noida-01", None),
        ("L4|24|vm", "spot", "0.29", "india-noida-01", None),
        ("A100-80GB|80|vm", "on_demand", "1.49", "india-noida-01", None),
        ("A100-80GB|80|vm", "spot", "0.89", "india-noida-01", None),
        ("H100|80|any", "on_demand", "2.99", "europe-01", None),
    ]
    assert refusals(found) == [CPU]
    assert counts(found) == {
        ("L4|24|container|india-noida-01", "gpus_available"): 3,
        ("L4|24|vm|india-noida-01", "gpus_available"): 3,
        ("A100-80GB|80|vm|india-noida-01", "gpus_available"): 1,
        ("H100|80|any|europe-01", "gpus_available"): 25,
    }


def test_the_price_of_one_gpu_is_not_divided_by_the_pod_beside_it() -> None:
    row = parse(capture(SOURCE, BODY)).quotes.row(0, named=True)
    assert row["quoted_unit"] == "per_gpu_hour"
    assert to_nano(row["price_text"], row["quoted_unit"], row["gpu_count"]) == (440000000, False)


@pytest.mark.parametrize(
    "currency",
    [pytest.param("INR", id="rupees"), pytest.param(None, id="not stated")],
)
def test_without_usd_stated_gpus_are_counted_and_no_price_is_taken(currency: str | None) -> None:
    # 37 rupees for an L4 would pass as 37 dollars
    found = parse_pools(
        pool(gpu_type="L4", price_per_hour=37.2, spot_price=None), currency=currency
    )
    assert found.quotes.is_empty()
    assert [reason for _, reason in refusals(found)] == ["OTHER_CURRENCY"]
    assert list(counts(found).values()) == [4]


def test_two_pools_of_one_listing_are_one_offer_at_the_lower_price() -> None:
    found = parse_pools(pool(), pool(price_per_hour=2.49, num_free_devices=8))
    assert [(tenor, price) for _, tenor, price, *_ in offers(found)] == [
        ("on_demand", "2.49"),
        ("spot", "1.19"),
    ]
    assert [reason for _, reason in refusals(found)] == ["DUPLICATE_LISTING", "DUPLICATE_ROW"]
    assert list(counts(found).values()) == [12]


@pytest.mark.parametrize(
    ("changed", "reason", "kept"),
    [
        pytest.param({"price_per_hour": "bad"}, "NOT_A_NUMBER", ["spot"], id="a bad price"),
        pytest.param({"price_per_hour": None}, "NO_PRICE", ["spot"], id="no price"),
        pytest.param({"price_per_hour": 0}, "ZERO_PRICE", ["spot"], id="zero is not offered"),
        pytest.param({"spot_only_server": True}, "PRICE_NOT_OFFERED", ["spot"], id="spot only"),
        pytest.param({"spot_price": -1}, "NEGATIVE_PRICE", ["on_demand"], id="spot below zero"),
        pytest.param(
            {"num_free_devices": "bad"}, "NOT_A_COUNT", ["on_demand", "spot"], id="a bad count"
        ),
        pytest.param({"vram": "bad"}, "MALFORMED_ROW", [], id="no memory"),
        pytest.param({"region": None}, "MALFORMED_ROW", [], id="no region"),
        pytest.param({"gpu_type": ""}, "MALFORMED_ROW", [], id="no GPU"),
    ],
)
def test_a_bad_field_costs_no_more_than_it_must(
    changed: dict[str, Any], reason: str, kept: list[str]
) -> None:
    found = parse_pools(pool(**changed))
    assert found.quotes["tenor"].to_list() == kept
    assert [told for _, told in refusals(found)] == [reason]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b'{"detail":"Not authenticated"}', "SHAPE", id="an error answer"),
        pytest.param(b'{"server_meta":[]}', "EMPTY", id="no pool"),
        pytest.param(b'{"server_meta":', "NOT_JSON", id="a cut body"),
        pytest.param(b'{"server_meta":[{}],"cpu_meta":[1]}', "SHAPE", id="CPUs as a list"),
    ],
)
def test_a_body_that_is_not_the_fleet_is_refused_whole(body: bytes, reason: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse(capture(SOURCE, body))
    assert caught.value.reason == reason


def test_it_asks_once_under_its_own_name() -> None:
    (request,) = requests(SOURCE.url)
    assert (request.url, dict(request.headers)) == (SOURCE.url, {})
    assert SOURCE.auth_env == "JL_API_KEY"


def test_the_real_pools_of_2026_08_14_state_no_currency() -> None:
    saved = real("fixtures_gpuhunt/2026-08-14_jarvislabs.json")
    found = parse(capture(SOURCE, saved["SERVER_META_RESPONSE"]))
    check(SOURCE, found)
    pools = saved["SERVER_META_RESPONSE"]["server_meta"]
    priced = len(pools) + sum(row["spot_price"] is not None for row in pools)
    assert (len(pools), priced) == (7, 11)
    reasons = [reason for _, reason in refusals(found)]
    assert reasons == ["OTHER_CURRENCY"] * priced + ["NOT_GPU"]
    assert (found.quotes.height, sum(counts(found).values())) == (0, 36)
    # with the word the live answer has, the same rows are prices
    told = parse(capture(SOURCE, {**saved["SERVER_META_RESPONSE"], "currency": "USD"}))
    assert (told.quotes.height, told.rejections.height) == (priced, 1)
    whole = parse_panel_raw(capture(SOURCE, saved))
    assert (whole.quotes.height, whole.volumes.height) == (0, 7)


def test_the_real_rows_that_are_broken_are_refused() -> None:
    saved = real("fixtures_gpuhunt/2026-08-14_jarvislabs.json")["response"]
    found = parse(capture(SOURCE, {**saved, "currency": "USD"}))
    assert found.quotes.is_empty()
    assert refusals(found) == [
        ("L4|24|vm", "NOT_A_NUMBER"),
        ("L4|24|vm|india-noida-01", "NOT_A_COUNT"),
        ("H100|bad|vm", "MALFORMED_ROW"),
        ("cpu|bad|16", "NOT_GPU"),
    ]
