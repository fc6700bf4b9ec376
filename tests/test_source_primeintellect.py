"""Prime Intellect: single offers of the documented shape, and seven days of stored summaries."""

from __future__ import annotations

import gzip
import json
import os
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from collectors.base import Capture, Parsed
from collectors.gpus.primeintellect import PAGE_SIZE, SOURCE, parse, parse_history
from methodology.errors import ParseError

FOLDER = Path(__file__).parent / "payloads/primeintellect"
BODY = (FOLDER / "2026-11-21.documented.json").read_bytes()
LINES = (FOLDER / "2025-10-19.summary.jsonl").read_bytes()
ROOT = Path(
    os.environ.get("SPOTFIX_PAYLOADS")
    or Path(__file__).resolve().parents[2] / "shared" / "payloads"
)
real = pytest.mark.skipif(
    not (ROOT / "gpu").is_dir(), reason="real bodies are not here; set SPOTFIX_PAYLOADS"
)


def capture(body: bytes) -> Capture:
    return Capture(SOURCE.id, SOURCE.url, body, datetime(2026, 11, 21, tzinfo=UTC))


def offer(prices: dict[str, Any] | None = None, **changed: Any) -> dict[str, Any]:
    row: dict[str, Any] = json.loads(BODY)["items"][1]
    return row | changed | {"prices": row["prices"] | (prices or {})}


def page(*items: Any, total: Any = 1) -> Parsed:
    return parse(capture(json.dumps({"items": items, "totalCount": total}).encode()))


def test_the_documented_offers() -> None:
    found = parse(capture(BODY))
    columns = ("provider", "listing_id", "price_text", "tenor", "region", "gpu_count")
    assert found.quotes.select(columns).rows() == [
        ("runpod", "H100_80GB|PCIe|x1", "2.69", "on_demand", "US-KS-2", 1),
        ("hyperstack", "H100_80GB|PCIe|x1", "1.9", "on_demand", "CANADA-1", 1),
    ]
    row = found.quotes.row(0, named=True)
    assert (row["quoted_unit"], row["currency"], row["tier"]) == ("per_instance_hour", "USD", "E4")
    # "Low" is a band, "Available" is none: it says that there is stock and not how much.
    assert found.volumes.select("subject", "meter", "quantity").rows() == [
        ("runpod|NVIDIA H100 PCIe|x1|US-KS-2", "stock_band", 1)
    ]
    assert found.rejections.is_empty()


def test_an_offer_listed_twice_has_one_band_of_stock() -> None:
    low, high = offer(stockStatus="Low"), offer(stockStatus="High")
    assert page(low, low).volumes["quantity"].to_list() == [1]
    found = page(low, high)
    assert found.volumes.is_empty()
    assert found.rejections["reason"].to_list() == ["AMBIGUOUS_LISTING"] * 2


def test_a_price_is_of_all_gpus_of_the_offer() -> None:
    quotes = page(offer({"onDemand": 10.79}, gpuCount=3, provider="runpod")).quotes
    assert quotes.select("listing_id", "price_text", "gpu_count").rows() == [
        ("H100_80GB|PCIe|x3", "10.79", 3)
    ]


@pytest.mark.parametrize(
    ("prices", "changed", "listing", "tenor"),
    [
        pytest.param({}, {"isSpot": True}, "H100_80GB|PCIe|x1", "spot", id="may be taken back"),
        pytest.param(
            {},
            {"security": "community_cloud"},
            "H100_80GB|PCIe|x1",
            "community",
            id="of the community",
        ),
        pytest.param(
            {"onDemand": None, "communityPrice": 1.5},
            {},
            "H100_80GB|PCIe|x1|community",
            "community",
            id="only a community price",
        ),
        pytest.param({}, {"socket": None}, "H100_80GB|x1", "on_demand", id="no form factor stated"),
    ],
)
def test_terms_decide_the_tenor(
    prices: dict[str, Any], changed: dict[str, Any], listing: str, tenor: str
) -> None:
    quotes = page(offer(prices, **changed)).quotes
    assert quotes.select("listing_id", "tenor").rows() == [(listing, tenor)]


def test_a_price_of_its_own_and_one_of_the_community_are_two_offers() -> None:
    quotes = page(offer({"onDemand": 1.9, "communityPrice": 1.5})).quotes
    assert quotes.select("listing_id", "price_text", "tenor").rows() == [
        ("H100_80GB|PCIe|x1", "1.9", "on_demand"),
        ("H100_80GB|PCIe|x1|community", "1.5", "community"),
    ]


@pytest.mark.parametrize(
    ("prices", "changed", "reasons"),
    [
        pytest.param({"isVariable": True}, {}, ["DYNAMIC_PRICE"], id="depends on what is booked"),
        pytest.param({"currency": "EUR"}, {}, ["OTHER_CURRENCY"], id="in euros"),
        pytest.param({"currency": None}, {}, ["OTHER_CURRENCY"], id="in no currency"),
        pytest.param({"onDemand": None}, {}, ["PRICE_MISSING"], id="no price"),
        pytest.param({"onDemand": 0}, {}, ["ZERO_PRICE"], id="zero is not offered"),
        pytest.param({"onDemand": "x"}, {}, ["NOT_A_NUMBER"], id="no figure"),
        pytest.param({}, {"gpuCount": 0}, ["GPU_COUNT_UNKNOWN"], id="no GPU"),
        pytest.param({}, {"gpuCount": None}, ["GPU_COUNT_UNKNOWN"], id="how many GPUs"),
        pytest.param({}, {"provider": None}, ["MALFORMED_ROW"], id="nobody sells it"),
        pytest.param({}, {"stockStatus": "Unavailable"}, ["PRICE_NOT_OFFERED"], id="sold out"),
    ],
)
def test_a_bad_offer_is_refused_and_its_neighbour_kept(
    prices: dict[str, Any], changed: dict[str, Any], reasons: list[str]
) -> None:
    found = page(offer(prices, **changed), offer(provider="nebius"))
    assert found.rejections["reason"].to_list() == reasons
    assert found.quotes["provider"].to_list() == ["nebius"]


def test_a_stock_that_is_no_band_is_refused_and_the_price_stands() -> None:
    found = page(offer(stockStatus="Plenty"))
    assert (found.quotes.height, found.rejections["reason"].to_list()) == (1, ["NOT_A_COUNT"])


def test_pages_are_asked_for_until_the_total_is_reached() -> None:
    flow = SOURCE.requests(SOURCE.url)
    asked = [next(flow)]
    body = json.dumps({"items": [offer()], "totalCount": PAGE_SIZE + 1}).encode()
    asked.append(flow.send(capture(body)))
    with pytest.raises(StopIteration):
        flow.send(capture(body))
    assert [request.params["page"] for request in asked] == ["1", "2"]
    flow = SOURCE.requests(SOURCE.url)
    next(flow)
    full = json.dumps({"items": [offer()] * PAGE_SIZE, "totalCount": PAGE_SIZE}).encode()
    with pytest.raises(StopIteration):
        flow.send(capture(full))
    assert SOURCE.auth_env == "PRIME_API_KEY"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b"", "NOT_JSON", id="nothing"),
        pytest.param(BODY[:-9], "NOT_JSON", id="cut off"),
        pytest.param(b"[]", "SHAPE", id="a list"),
        pytest.param(b'{"detail": "Unauthorized"}', "SHAPE", id="a refusal"),
        pytest.param(b'{"items": [], "totalCount": "many"}', "SHAPE", id="a total that is none"),
    ],
)
def test_a_body_that_is_not_the_promised_one_is_an_error(body: bytes, reason: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse(capture(body))
    assert (caught.value.source, caught.value.reason) == ("primeintellect", reason)


def test_of_a_summary_the_named_offers_are_quoted_and_the_quantiles_refused() -> None:
    found = parse_history(capture(LINES))
    columns = (
        "provider",
        "listing_id",
        "price_text",
        "tenor",
        "region",
        "gpu_count",
        "observed_at",
    )
    seen = datetime(2025, 10, 25, 23, 33, 45, 83663)
    assert found.quotes.select(columns).rows() == [
        ("nebius", "H200_141GB|SXM5|x1", "2.67", "on_demand", "US", 1, seen),
        ("runpod", "H200_141GB|SXM5|x3", "10.79", "on_demand", "US", 3, seen),
    ]
    # Two lines: two sets of quantiles, one and three sellers, one size without a seller.
    refused = Counter(found.rejections["reason"])
    assert refused == {"NOT_AN_OFFER": 2 + 1 + 3 + 1, "NOT_A_COUNT": 1}
    # 53 offers of H200 are no 53 GPUs: the band is what 5 of them state.
    assert found.volumes.select("subject", "meter", "quantity").rows() == [
        ("H200_141GB", "stock_band", 3)
    ]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b"", "EMPTY", id="nothing"),
        pytest.param(b"\n\n", "EMPTY", id="blank lines"),
        pytest.param(LINES[:-200], "NOT_JSON", id="a line cut off"),
        pytest.param(b"{}\n", "SHAPE", id="no summary"),
        pytest.param(LINES.replace(b"+00:00", b""), "SHAPE", id="a time without a zone"),
    ],
)
def test_lines_that_are_no_summaries_are_an_error(body: bytes, reason: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse_history(capture(body))
    assert caught.value.reason == reason


def test_an_interruptible_offer_of_a_summary_is_spot() -> None:
    # primecompute lent 8 H100 SXM for 8.00 an hour, interruptible, on these days.
    deal = b'"provider": "runpod", "location": "US", "socket": "SXM5", "spot": '
    found = parse_history(capture(LINES.replace(deal + b"false", deal + b"true")))
    assert found.quotes.select("provider", "tenor").rows() == [
        ("nebius", "on_demand"),
        ("runpod", "spot"),
    ]


@real
def test_seven_days_of_395_summaries_are_all_accounted_for() -> None:
    # Counted in the bodies: 395 lines, 1,393 sellers, 2,466 sizes of which 2,352 name the seller.
    quotes, volumes, refused = 0, 0, Counter[str]()
    spot: set[tuple[str, str]] = set()
    for file in sorted((ROOT / "gpu/primeintellect_tugot17").glob("*.jsonl.gz")):
        found = parse_history(capture(gzip.decompress(file.read_bytes())))
        quotes += found.quotes.height
        volumes += found.volumes.height
        refused.update(found.rejections["reason"])
        spot |= set(found.quotes.filter(tenor="spot").select("provider", "listing_id").rows())
    assert quotes == 2352
    assert spot == {("primecompute", "H100_80GB|SXM5|x8")}
    assert refused["NOT_AN_OFFER"] == 395 + 1393 + (2466 - 2352)
    assert volumes + refused["NOT_A_COUNT"] == 395
    assert (volumes, set(refused)) == (328, {"NOT_AN_OFFER", "NOT_A_COUNT"})
