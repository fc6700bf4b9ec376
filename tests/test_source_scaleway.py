"""Scaleway: a zone in euro, names against figures, paging, and bodies that lie."""

from __future__ import annotations

from typing import Any

import pytest

from collectors.base import Parsed
from collectors.gpus.scaleway import MAX_PAGES, SOURCE, ZONES, parse, requests
from methodology.errors import ParseError
from methodology.units import to_nano
from tests.machine_lists import capture, check, offers, real, refusals, send_all, small

BODY = small(SOURCE, "2026-10-01.json")
AT = f"{SOURCE.url}/fr-par-2/products/servers?per_page=100&page=1"
GIB = 2**30


def parse_servers(**servers: Any) -> Parsed:
    named = {name.replace("_", "-"): server for name, server in servers.items()}
    return parse(capture(SOURCE, {"servers": named}, AT))


def h100(**changed: Any) -> dict[str, Any]:
    info = {"gpu_manufacturer": "NVIDIA", "gpu_name": "H100-PCIe", "gpu_memory": 80 * GIB}
    return {"gpu": 1, "hourly_price": 2.8665, "gpu_info": info, "end_of_service": False, **changed}


def test_each_gpu_type_is_a_quote_in_euro_for_its_zone() -> None:
    found = parse(capture(SOURCE, BODY, AT))
    check(SOURCE, found)
    assert offers(found) == [
        ("L4-1-24G", "on_demand", "0.7875", "fr-par-2", 1),
        ("H100-1-80G", "on_demand", "2.8665", "fr-par-2", 1),
        ("H100-SXM-8-80G", "on_demand", "25.3308", "fr-par-2", 8),
        ("RENDER-S", "on_demand", "1.221", "fr-par-2", 1),
    ]
    assert refusals(found) == [("DEV1-S", "NOT_GPU")]
    assert set(found.quotes["currency"]) == {"EUR"}
    assert SOURCE.currencies == ("EUR",)


def test_a_price_of_eight_is_divided_by_eight() -> None:
    row = parse(capture(SOURCE, BODY, AT)).quotes.row(2, named=True)
    assert row["quoted_unit"] == "per_instance_hour"
    # 25.3308 / 8 = 3.16635
    assert to_nano(row["price_text"], row["quoted_unit"], row["gpu_count"]) == (3166350000, False)


def test_a_saved_body_without_its_address_has_no_zone() -> None:
    found = parse(capture(SOURCE, BODY, "2026-10-01.json"))
    assert found.quotes["region"].null_count() == 4


@pytest.mark.parametrize(
    ("server", "reason"),
    [
        pytest.param(h100(gpu=None), "NOT_GPU", id="no GPU"),
        pytest.param(h100(hourly_price=None), "NO_PRICE", id="not sold here"),
        pytest.param(h100(hourly_price=0), "ZERO_PRICE", id="zero is not offered"),
        pytest.param(h100(hourly_price="2.8665"), "NOT_A_NUMBER", id="a price written as text"),
        pytest.param(h100(end_of_service=True), "PRICE_NOT_OFFERED", id="at its end"),
        pytest.param(h100(gpu=8), "MALFORMED_ROW", id="eight GPUs under a name of one"),
        pytest.param(
            h100(gpu_info={"gpu_memory": 40 * GIB}),
            "MEMORY_CONTRADICTS_NAME",
            id="a 40 GB card under a name of 80",
        ),
        pytest.param(
            h100(gpu_info={"gpu_name": "H100-SXM", "gpu_memory": 80 * GIB}),
            "MALFORMED_ROW",
            id="an SXM card under a name without it",
        ),
        pytest.param(h100(mig_profile="1g.10gb"), "PARTIAL_GPU", id="a slice of a GPU"),
        pytest.param(h100(gpu=1.5), "MALFORMED_ROW", id="one GPU and a half"),
        pytest.param([], "MALFORMED_ROW", id="a type that is a list"),
    ],
)
def test_a_bad_type_is_refused_and_its_neighbour_kept(server: Any, reason: str) -> None:
    found = parse_servers(H100_1_80G=server, L4_1_24G={"gpu": 1, "hourly_price": 0.7875})
    assert [listing for listing, *_ in offers(found)] == ["L4-1-24G"]
    assert refusals(found) == [("H100-1-80G", reason)]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b'{"servers":[]}', "SHAPE", id="a list of servers"),
        pytest.param(b'{"message":"unknown zone"}', "SHAPE", id="an error answer"),
        pytest.param(b'{"servers":{"A":{},"A":{}}}', "NOT_JSON", id="a type twice"),
    ],
)
def test_a_body_that_is_not_the_zone_is_refused_whole(body: bytes, reason: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse(capture(SOURCE, body))
    assert caught.value.reason == reason


def page(types: int) -> Any:
    return capture(SOURCE, {"servers": {f"T-{n}": {} for n in range(types)}})


def test_a_full_page_is_followed_by_another_and_each_zone_is_asked() -> None:
    flow = requests(SOURCE.url)
    asked = [next(flow)]
    asked.append(flow.send(page(100)))
    for _ in ZONES[1:]:
        asked.append(flow.send(page(41)))
    with pytest.raises(StopIteration):
        flow.send(page(0))
    assert [request.params["page"] for request in asked] == ["1", "2", "1", "1", "1"]
    assert [request.url.split("/")[-3] for request in asked] == [ZONES[0], *ZONES]


def test_a_zone_that_never_ends_is_a_fault() -> None:
    with pytest.raises(ParseError) as caught:
        send_all(requests(SOURCE.url), page(100), MAX_PAGES)
    assert caught.value.reason == "ENDLESS"


def test_the_real_zone_of_2026_08_16() -> None:
    body = real("fixtures_live_shape/2026-08-16_scaleway_fr_par_2.json.gz")
    found = parse(capture(SOURCE, body, AT))
    check(SOURCE, found)
    assert (len(body["servers"]), found.quotes.height, found.seen) == (11, 9, 11)
    assert refusals(found) == [("H100-4-80G", "NO_PRICE"), ("DEV1-S", "NOT_GPU")]
    prices = {listing: price for listing, _, price, *_ in offers(found)}
    assert prices["H100-SXM-2-80G"] == "6.6198"
    assert prices["B300-SXM-8-288G"] == "60.0"
