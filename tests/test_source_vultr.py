"""Vultr: whole plans, shares of a GPU, prices nobody can have, paging, and bodies that lie."""

from __future__ import annotations

from typing import Any

import pytest

from collectors.base import Capture, Parsed
from collectors.gpus.vultr import MAX_PAGES, SOURCE, parse, parse_panel_raw, requests
from methodology.errors import ParseError
from methodology.units import to_nano
from tests.machine_lists import capture, check, offers, real, refusals, send_all, small

PLANS = small(SOURCE, "2025-01-08.plans.json")
METAL = small(SOURCE, "2026-09-17.plans-metal.json")


def plan(**changed: Any) -> dict[str, Any]:
    return {
        "id": "vcg-l40s-16c-180g-48vram",
        "gpu_type": "NVIDIA_L40S",
        "gpu_vram_gb": 48,
        "hourly_cost": 1.671,
        "type": "vcg",
        **changed,
    }


def parse_plans(*plans: Any) -> Parsed:
    return parse(capture(SOURCE, {"plans": plans}))


def test_a_whole_card_is_quoted_and_its_shares_are_refused() -> None:
    found = parse(capture(SOURCE, PLANS))
    check(SOURCE, found)
    assert offers(found) == [("vcg-a100-12c-120g-80vram", "on_demand", "2.397", None, 1)]
    assert refusals(found) == [
        ("vcg-a100-1c-6g-4vram", "PARTIAL_GPU"),
        ("vcg-a100-6c-60g-40vram", "PARTIAL_GPU"),
    ]


def test_a_price_at_which_nothing_can_be_had_is_refused() -> None:
    found = parse(capture(SOURCE, METAL))
    check(SOURCE, found)
    assert offers(found) == [("vbm-256c-3072gb-8-b200-gpu", "spot", "25.6", None, 8)]
    assert refusals(found) == [("vbm-256c-3072gb-8-b200-gpu", "PRICE_NOT_OFFERED")]
    assert "hourly_cost 68" in found.rejections["detail"][0]


def test_a_price_of_eight_is_divided_by_eight_and_the_month_is_not_used() -> None:
    row = parse(capture(SOURCE, METAL)).quotes.row(0, named=True)
    assert row["quoted_unit"] == "per_instance_hour"
    assert to_nano(row["price_text"], row["quoted_unit"], row["gpu_count"]) == (
        3200000000,
        False,
    )


@pytest.mark.parametrize(
    ("changed", "gpus"),
    [
        pytest.param({"gpu_count": 1}, 1, id="a number"),
        pytest.param({"gpu_count": "1"}, 1, id="a number as text"),
        pytest.param({"gpu_count": "8/8", "gpu_vram_gb": None}, 1, id="eight eighths"),
        pytest.param({"gpu_vram_gb": 96}, 2, id="memory of two"),
        pytest.param({"gpu_type": None, "gpu_vram_gb": None}, None, id="nothing said"),
        pytest.param(
            {"id": "vcg-mi325x-252c-2872g-1536vram", "gpu_type": "AMD_MI325X", "gpu_vram_gb": 1536},
            None,
            id="a memory that would make six of eight",
        ),
        pytest.param(
            {"id": "vbm-112c-2048gb-8-h100-gpu", "gpu_type": None}, 8, id="metal that names eight"
        ),
        pytest.param(
            {"id": "vbm-64c-2048gb-l40-gpu", "gpu_type": None}, None, id="metal that names none"
        ),
    ],
)
def test_how_many_gpus_a_plan_has(changed: dict[str, Any], gpus: int | None) -> None:
    assert parse_plans(plan(**changed)).quotes["gpu_count"].to_list() == [gpus]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        pytest.param({"gpu_count": "1/8"}, "PARTIAL_GPU", id="an eighth"),
        pytest.param({"gpu_count": "1/0"}, "PARTIAL_GPU", id="a share of nothing"),
        pytest.param({"gpu_count": 0}, "PARTIAL_GPU", id="no whole GPU"),
        pytest.param({"gpu_vram_gb": 12}, "PARTIAL_GPU", id="a quarter of the memory"),
        pytest.param(
            {"gpu_type": "NVIDIA_A100", "gpu_count": 1, "gpu_vram_gb": 40},
            "MEMORY_CONTRADICTS_NAME",
            id="half an A100 counted as one",
        ),
        pytest.param(
            {"id": "vbm-112c-2048gb-8-h100-gpu", "gpu_type": "NVIDIA_H100", "gpu_count": 1},
            "MALFORMED_ROW",
            id="a count that contradicts the name",
        ),
        pytest.param({"gpu_count": 9999}, "MALFORMED_ROW", id="ten thousand GPUs"),
        pytest.param({"gpu_count": 1.5}, "MALFORMED_ROW", id="one GPU and a half"),
        pytest.param({"invoice_type": "monthly"}, "UNIT_NOT_HOUR", id="sold by the month"),
        pytest.param({"deploy_ondemand": False}, "PRICE_NOT_OFFERED", id="switched off"),
        pytest.param({"hourly_cost": 0}, "ZERO_PRICE", id="zero is not offered"),
        pytest.param({"hourly_cost": "1.671"}, "NOT_A_NUMBER", id="a price written as text"),
        pytest.param({"hourly_cost": None}, "NO_PRICE", id="null"),
        pytest.param({"location_cost": ["ewr"]}, "MALFORMED_ROW", id="places as a list"),
        pytest.param({"id": None}, "MALFORMED_ROW", id="no name"),
        pytest.param(
            {"id": "vc2-1c-1gb", "gpu_type": None, "gpu_brand": "none", "hourly_cost": 0.007},
            "NOT_GPU",
            id="a machine without GPU",
        ),
    ],
)
def test_a_bad_plan_is_refused_and_its_neighbour_kept(changed: dict[str, Any], reason: str) -> None:
    found = parse_plans(plan(**changed), plan(id="vcg-a40-24c-120g-48vram", gpu_type="NVIDIA_A40"))
    assert [listing for listing, *_ in offers(found)] == ["vcg-a40-24c-120g-48vram"]
    assert [told for _, told in refusals(found)] == [reason]


def test_a_place_with_a_price_of_its_own_is_an_offer_of_its_own() -> None:
    dear = {"hourly_cost": 2.005, "hourly_cost_preemptible": 1.1}
    found = parse_plans(plan(location_cost={"sao": dear}))
    assert offers(found) == [
        ("vcg-l40s-16c-180g-48vram", "on_demand", "1.671", None, 1),
        ("vcg-l40s-16c-180g-48vram", "on_demand", "2.005", "sao", 1),
        ("vcg-l40s-16c-180g-48vram", "spot", "1.1", "sao", 1),
    ]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b'{"error":"Invalid API token.","status":401}', "SHAPE", id="an error"),
        pytest.param(b'{"plans":{}}', "SHAPE", id="plans as an object"),
        pytest.param(b'{"plans":[{"hourly_cost":1e999}]', "NOT_JSON", id="a cut body"),
    ],
)
def test_a_body_that_is_no_list_of_plans_is_refused_whole(body: bytes, reason: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse(capture(SOURCE, body))
    assert caught.value.reason == reason


def page(key: str, plans: int, total: int, cursor: str = "") -> Capture:
    meta = {"total": total, "links": {"next": cursor, "prev": ""}}
    return capture(SOURCE, {key: [{}] * plans, "meta": meta})


def test_both_lists_are_read_to_the_last_page() -> None:
    flow = requests(SOURCE.url)
    asked = [next(flow), flow.send(page("plans", 500, 620, "bmV4dA=="))]
    asked.append(flow.send(page("plans", 120, 620)))
    with pytest.raises(StopIteration):
        flow.send(page("plans_metal", 24, 24))
    assert [(request.url, dict(request.params)) for request in asked] == [
        (f"{SOURCE.url}/plans", {"type": "all", "per_page": "500"}),
        (f"{SOURCE.url}/plans", {"type": "all", "per_page": "500", "cursor": "bmV4dA=="}),
        (f"{SOURCE.url}/plans-metal", {"per_page": "500"}),
    ]


def test_a_list_that_was_cut_is_a_fault() -> None:
    flow = requests(SOURCE.url)
    next(flow)
    with pytest.raises(ParseError) as caught:
        flow.send(page("plans", 500, 620))
    assert caught.value.reason == "SHORT_LIST"


def test_a_list_that_never_ends_is_a_fault() -> None:
    with pytest.raises(ParseError) as caught:
        send_all(requests(SOURCE.url), page("plans", 1, 1, "again"), MAX_PAGES)
    assert caught.value.reason == "ENDLESS"


def test_the_real_plans_of_2025_01_08() -> None:
    body = real("fixtures_gpuhunt/2025-01-08_vultr.json")
    metal = parse(capture(SOURCE, body["bare_metal"]))
    check(SOURCE, metal)
    assert metal.rejections.is_empty()
    assert offers(metal) == [
        ("vbm-256c-2048gb-8-mi300x-gpu", "on_demand", "17.52", None, 8),
        ("vbm-256c-2048gb-8-mi300x-gpu", "spot", "14.72", None, 8),
        ("vbm-112c-2048gb-8-h100-gpu", "on_demand", "23.92", None, 8),
        ("vbm-112c-2048gb-8-h100-gpu", "spot", "18.4", None, 8),
    ]
    # the month is the hour times 672, a cap: over 730 hours it would be 8% below the hourly price
    assert all(
        round(row["monthly_cost"] / row["hourly_cost"]) == 672
        for row in body["bare_metal"]["plans_metal"]
    )
    virtual = parse(capture(SOURCE, body["vm_instances"]))
    check(SOURCE, virtual)
    assert offers(virtual) == [("vcg-a100-12c-120g-80vram", "on_demand", "2.397", None, 1)]
    assert [reason for _, reason in refusals(virtual)] == ["PARTIAL_GPU", "PARTIAL_GPU"]
    assert offers(parse_panel_raw(capture(SOURCE, body))) == offers(metal) + offers(virtual)


@pytest.mark.parametrize("key", ["plans", "plans_metal"])
def test_a_list_without_a_plan_is_refused(key: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse(capture(SOURCE, {key: []}))
    assert caught.value.reason == "EMPTY"


def test_a_plan_whose_name_nobody_sees_does_not_take_the_place_of_another() -> None:
    found = parse_plans(
        plan(id="vcg-\u200bl40s"), plan(id="vcg-a"), plan(id="vcg-a", hourly_cost=1.5)
    )
    assert [(name, price) for name, _, price, *_ in offers(found)] == [("vcg-a", "1.5")]
    assert sorted(reason for _, reason in refusals(found)) == [
        "DUPLICATE_LISTING",
        "MALFORMED_ROW",
    ]
