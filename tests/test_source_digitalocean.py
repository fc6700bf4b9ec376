"""DigitalOcean: Droplets of one and eight GPUs, commitments, paging, and bodies that lie."""

from __future__ import annotations

import json
from typing import Any

import pytest

from collectors.base import Capture, Parsed
from collectors.gpus.digitalocean import MAX_PAGES, SOURCE, parse, parse_panel_raw, requests
from methodology.errors import ParseError
from methodology.units import to_nano
from tests.machine_lists import capture, check, counts, offers, real, refusals, send_all, small

BODY = small(SOURCE, "2025-08-29.json")
H100 = "gpu-h100x8-640gb"


def size(slug: str = H100, **changed: Any) -> dict[str, Any]:
    return {**json.loads(BODY)["sizes"][1], "slug": slug, **changed}


def parse_sizes(*sizes: Any) -> Parsed:
    return parse(capture(SOURCE, {"sizes": sizes}))


def test_each_gpu_size_is_a_quote_with_its_regions_counted() -> None:
    found = parse(capture(SOURCE, BODY))
    check(SOURCE, found)
    assert offers(found) == [
        (H100, "on_demand", "23.92", None, 8),
        ("gpu-mi300x8-1536gb", "on_demand", "15.92", None, 8),
    ]
    assert counts(found) == {
        (H100, "regions_available"): 1,
        ("gpu-mi300x8-1536gb", "regions_available"): 1,
    }
    assert refusals(found) == [("s-1vcpu-512mb-10gb", "NOT_GPU")]


def test_a_price_of_eight_is_divided_by_eight() -> None:
    row = parse(capture(SOURCE, BODY)).quotes.row(0, named=True)
    assert row["quoted_unit"] == "per_instance_hour"
    assert to_nano(row["price_text"], row["quoted_unit"], row["gpu_count"]) == (
        2990000000,
        False,
    )


@pytest.mark.parametrize(
    ("slug", "tenor"),
    [
        pytest.param("gpu-h100x8-640gb-contracted", "reserved", id="under a commitment"),
        pytest.param("gpu-h100x8-640gb-fabric-contracted", "reserved", id="several nodes of it"),
        pytest.param("gpu-h100x8-640gb-spot", "spot", id="interruptible"),
        pytest.param("gpu-h100x8-640gb-lc-spot", "spot", id="interruptible of another kind"),
        pytest.param(H100, "on_demand", id="plain"),
    ],
)
def test_the_slug_says_on_what_terms(slug: str, tenor: str) -> None:
    assert parse_sizes(size(slug)).quotes["tenor"].to_list() == [tenor]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        pytest.param(
            {"gpu_info": {"count": 1, "vram": {"amount": 640}}},
            "MALFORMED_ROW",
            id="one GPU under a slug of eight",
        ),
        pytest.param(
            {"gpu_info": {"count": 8, "vram": {"amount": 320}}},
            "MEMORY_CONTRADICTS_NAME",
            id="cards of 40 GB under a slug of 80",
        ),
        pytest.param({"available": False}, "PRICE_NOT_OFFERED", id="no new one"),
        pytest.param({"price_hourly": 0}, "ZERO_PRICE", id="zero is not offered"),
        pytest.param({"price_hourly": None}, "NO_PRICE", id="null"),
        pytest.param({"price_hourly": "23.92"}, "NOT_A_NUMBER", id="a price written as text"),
        pytest.param({"gpu_info": {"count": 0}}, "NOT_GPU", id="none of them"),
        pytest.param({"gpu_info": []}, "MALFORMED_ROW", id="GPUs as a list"),
    ],
)
def test_a_bad_size_is_refused_and_its_neighbour_kept(changed: dict[str, Any], reason: str) -> None:
    other = json.loads(BODY)["sizes"][2]
    found = parse_sizes(size(**changed), other)
    assert [listing for listing, *_ in offers(found)] == ["gpu-mi300x8-1536gb"]
    assert refusals(found) == [(H100, reason)]


def test_a_size_that_no_region_has_is_counted_as_none() -> None:
    assert counts(parse_sizes(size(regions=[]))) == {(H100, "regions_available"): 0}
    found = parse_sizes(size(regions=None))
    assert (found.quotes.height, refusals(found)) == (1, [(H100, "NOT_A_COUNT")])


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b'{"id":"Unauthorized","message":"x"}', "SHAPE", id="an error answer"),
        pytest.param(b'{"sizes":null}', "SHAPE", id="no sizes"),
        pytest.param(b'{"sizes":[{"price_hourly":Infinity}]}', "NOT_JSON", id="infinity"),
    ],
)
def test_a_body_that_is_no_list_of_sizes_is_refused_whole(body: bytes, reason: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse(capture(SOURCE, body))
    assert caught.value.reason == reason


def page(sizes: int, total: int, link: str | None = None) -> Capture:
    links = {"pages": {"next": link}} if link else {}
    return capture(SOURCE, {"sizes": [{}] * sizes, "links": links, "meta": {"total": total}})


def test_pages_are_followed_to_the_last() -> None:
    flow = requests(SOURCE.url)
    asked = [next(flow), flow.send(page(200, 240, f"{SOURCE.url}?page=2"))]
    with pytest.raises(StopIteration):
        flow.send(page(40, 240))
    assert [dict(request.params) for request in asked] == [
        {"per_page": "200", "page": "1"},
        {"per_page": "200", "page": "2"},
    ]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param(page(20, 147), "SHORT_LIST", id="a list cut at the default of 20"),
        pytest.param(
            page(1, 2, "https://example.org/v2/sizes?page=2"), "FOREIGN_LINK", id="another host"
        ),
        pytest.param(page(1, 2, f"{SOURCE.url}?page=2"), "ENDLESS", id="no end"),
    ],
)
def test_a_list_that_cannot_be_whole_is_a_fault(answer: Capture, reason: str) -> None:
    with pytest.raises(ParseError) as caught:
        send_all(requests(SOURCE.url), answer, MAX_PAGES)
    assert caught.value.reason == reason


def test_the_real_sizes_of_2025_08_29() -> None:
    body = real("fixtures_gpuhunt/2025-08-29_digitalocean.json")["sizes_response"]
    found = parse(capture(SOURCE, body))
    check(SOURCE, found)
    assert (len(body["sizes"]), body["meta"]["total"]) == (3, 147)
    assert offers(found) == [
        (H100, "on_demand", "23.92", None, 8),
        ("gpu-mi300x8-1536gb", "on_demand", "15.92", None, 8),
    ]
    assert (found.volumes.height, found.rejections.height) == (2, 1)
    assert offers(parse_panel_raw(capture(SOURCE, {"sizes_response": body}))) == offers(found)
    # 744 hours a month here, 730 in the rulebook: the month is never used
    assert round(17796.48 / 23.92) == 744
