"""Google Cloud: machines summed from their parts, paging, and the dated mirror."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from collectors.base import Capture, Parsed
from collectors.gpus.gcp_list import HISTORY, MAX_PAGES, SOURCE, join, parse, parse_history
from methodology.errors import ParseError
from methodology.units import to_nano

HERE = Path(__file__).parent / "payloads/gcp_list"
PAGES = [(HERE / f"page{n}.json").read_bytes() for n in (1, 2)]
CORE, MEMORY = 1, 2
A100_40, A100_80, SSD, H100_SPOT = 4, 5, 6, 7


def capture(body: bytes, minute: int = 0) -> Capture:
    return Capture(SOURCE.id, SOURCE.url, body, datetime(2026, 7, 30, 6, minute, tzinfo=UTC))


def skus() -> list[dict[str, Any]]:
    return [sku for body in PAGES for sku in json.loads(body)["skus"]]


def parse_skus(rows: list[Any]) -> Parsed:
    return parse(capture(json.dumps({"skus": rows, "nextPageToken": ""}).encode()))


def rate(sku: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = sku["pricingInfo"][0]["pricingExpression"]
    return found


def test_a_machine_costs_the_sum_of_its_parts() -> None:
    rows = parse(join([capture(body) for body in PAGES])).quotes
    prices = dict(rows.select("listing_id", "price_text").rows())
    # By hand: 12 x 0.031611 + 85 x 0.004237 + 2.933908, and eight of each.
    assert prices["a2-highgpu-1g"] == "3.673385"
    assert prices["a2-highgpu-8g"] == "29.38708"
    # By hand: 12 x 0.031611 + 170 x 0.004237 + 3.92808 = 5.027702; local SSD 375 x 0.08 / 730.
    assert prices["a2-ultragpu-1g"] == "5.068797890410958904"
    # The megagpu machine: 96 x 0.031611 + 1360 x 0.004237 + 16 x 2.933908.
    assert prices["a2-megagpu-16g"] == "55.739504"


def test_the_sums_meet_the_dated_mirror_in_nano_units() -> None:
    rows = parse(join([capture(body) for body in PAGES])).quotes
    prices = dict(rows.select("listing_id", "price_text").rows())
    mirrored = {  # us-central1 on 2026-07-30
        "a2-highgpu-1g": "3.673385",
        "a2-highgpu-8g": "29.38708",
        "a2-ultragpu-1g": "5.06879789041096",
        "a2-ultragpu-8g": "40.5503831232877",
    }
    for machine, text in mirrored.items():
        ours, theirs = (to_nano(t, "per_instance_hour", 1)[0] for t in (prices[machine], text))
        assert ours == theirs, machine


def test_a_quote_states_its_region_and_gpus() -> None:
    row = parse(join([capture(body) for body in PAGES])).quotes.row(0, named=True)
    assert (row["provider"], row["listing_id"], row["region"]) == (
        "gcp",
        "a2-highgpu-1g",
        "us-central1",
    )
    assert (row["gpu_count"], row["tenor"], row["tier"]) == (1, "on_demand", "E3")
    assert row["quoted_unit"] == "per_instance_hour"


def test_a_gpu_whose_machine_parts_have_no_price_is_refused_not_understated() -> None:
    refused = parse(join([capture(body) for body in PAGES])).rejections
    assert refused.select("listing_id", "reason").rows() == [
        ("0000-0000-0003", "UNREVIEWED_SKU"),
        ("a3-highgpu-1g", "PART_MISSING"),
        ("a3-highgpu-2g", "PART_MISSING"),
        ("a3-highgpu-4g", "PART_MISSING"),
        ("a3-highgpu-8g", "PART_MISSING"),
    ]
    assert refused["detail"][1] == "A3 core, A3 memory, SSD has no spot price in us-central1"


def test_a_page_alone_lacks_the_parts_of_the_other() -> None:
    found = parse(capture(PAGES[1]))
    assert found.quotes.is_empty()
    assert set(found.rejections["reason"]) == {"PART_MISSING"}


def test_a_third_generation_machine_sums_its_own_parts() -> None:
    rows = skus()
    rows[CORE]["description"] = "Spot Preemptible A3 Instance Core running in Americas"
    rows[MEMORY]["description"] = "Spot Preemptible A3 Instance Ram running in Americas"
    rows[SSD]["description"] = "SSD backed Local Storage attached to Spot Preemptible VMs"
    for at in (CORE, MEMORY, SSD):
        rows[at]["category"]["usageType"] = "Preemptible"
    prices = parse_skus(rows).quotes.select("listing_id", "tenor", "price_text").rows()
    # By hand: 8 x 4 + 208 x 0.031611 + 1872 x 0.004237 + 6000 x 0.08 / 730.
    assert prices[-1] == ("a3-highgpu-8g", "spot", "47.164286246575342466")


@pytest.mark.parametrize("word", ["Mega", "Plus"])
def test_the_mega_machine_goes_by_two_names(word: str) -> None:
    rows = skus()
    rows[CORE]["description"] = "A3 Instance Core running in Americas"
    rows[MEMORY]["description"] = "A3 Instance Ram running in Americas"
    rows[A100_80]["description"] = f"Nvidia H100 80GB {word} GPU running in Americas"
    found = parse_skus(rows).quotes["listing_id"].to_list()
    assert found == ["a3-megagpu-8g"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param(lambda e: e.update(usageUnit="mo"), "UNKNOWN_UNIT", id="per month"),
        pytest.param(
            lambda e: e["tieredRates"].append(e["tieredRates"][0]), "VOLUME_TIER", id="two tiers"
        ),
        pytest.param(
            lambda e: e["tieredRates"][0]["unitPrice"].update(currencyCode="EUR"),
            "OTHER_CURRENCY",
            id="euros",
        ),
        pytest.param(
            lambda e: e["tieredRates"][0]["unitPrice"].update(nanos=-5), "NOT_A_NUMBER", id="below"
        ),
        pytest.param(
            lambda e: e["tieredRates"][0]["unitPrice"].update(nanos=10**9),
            "NOT_A_NUMBER",
            id="a billion nanos",
        ),
        pytest.param(
            lambda e: e["tieredRates"][0]["unitPrice"].update(units="²"),
            "NOT_A_NUMBER",
            id="a raised two",
        ),
        pytest.param(
            lambda e: e["tieredRates"][0]["unitPrice"].update(units="9" * 5000),
            "NOT_A_NUMBER",
            id="five thousand nines",
        ),
        pytest.param(
            lambda e: e["tieredRates"][0]["unitPrice"].update(units="0", nanos=0),
            "ZERO_PRICE",
            id="zero",
        ),
        pytest.param(lambda e: e.pop("tieredRates"), "MALFORMED_ROW", id="no rates"),
        pytest.param(lambda e: e.update(tieredRates=[]), "MALFORMED_ROW", id="empty rates"),
    ],
)
def test_a_part_with_a_bad_price_takes_its_machines_along(change: Any, reason: str) -> None:
    rows = skus()
    change(rate(rows[A100_40]))
    found = parse_skus(rows)
    assert ("0000-0000-0004", reason) in found.rejections.select("listing_id", "reason").rows()
    assert not any("highgpu" in name for name in found.quotes["listing_id"])
    assert found.quotes.height == 4


def test_a_part_with_two_prices_in_a_region_is_no_price() -> None:
    rows = skus()
    twin = copy.deepcopy(rows[CORE])
    rate(twin)["tieredRates"][0]["unitPrice"]["nanos"] = 1
    found = parse_skus([*rows, twin])
    assert found.quotes.is_empty()
    assert "AMBIGUOUS_PART" in found.rejections["reason"].to_list()


def test_a_part_printed_twice_at_one_price_is_one_part() -> None:
    rows = skus()
    assert parse_skus([*rows, rows[CORE]]).quotes.equals(parse_skus([*rows, rows[CORE]]).quotes)
    assert parse_skus([*rows, rows[CORE]]).quotes.height == 9


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b"", "NOT_JSON", id="nothing"),
        pytest.param(b"[]", "SHAPE", id="a list"),
        pytest.param(b'{"skus": []}', "EMPTY", id="no SKU"),
        pytest.param(b'{"pages": {}}', "SHAPE", id="pages that are no list"),
        pytest.param(b'{"pages": [{}]}', "SHAPE", id="a page without SKUs"),
    ],
)
def test_a_body_that_is_no_catalogue_is_an_error(body: bytes, reason: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse(capture(body))
    assert caught.value.reason == reason


def test_joined_pages_keep_their_bytes_and_the_last_time() -> None:
    joined = join([capture(PAGES[0]), capture(PAGES[1], minute=3)])
    assert joined.body == b'{"pages":[' + PAGES[0] + b"," + PAGES[1] + b"]}"
    assert joined.fetched_at == datetime(2026, 7, 30, 6, 3, tzinfo=UTC)
    with pytest.raises(ParseError, match="EMPTY"):
        join([])


def test_paging_sends_the_token_until_there_is_none() -> None:
    flow = SOURCE.requests("http://127.0.0.1:1/skus")
    assert next(flow).params == {"pageSize": "5000", "currencyCode": "USD"}
    assert flow.send(capture(PAGES[0])).params["pageToken"] == "PAGE-2"
    with pytest.raises(StopIteration):
        flow.send(capture(PAGES[1]))
    assert SOURCE.auth_env == "GCP_API_KEY"


def test_paging_that_never_ends_is_an_error() -> None:
    flow = SOURCE.requests("http://127.0.0.1:1/skus")
    next(flow)
    for _ in range(MAX_PAGES - 1):
        flow.send(capture(PAGES[0]))
    with pytest.raises(ParseError, match="ENDLESS"):
        flow.send(capture(PAGES[0]))


def test_the_mirror_gives_on_demand_and_spot_where_it_has_them() -> None:
    body = (HERE / "history.csv").read_bytes()
    rows = parse_history(Capture(HISTORY.id, "x", body, datetime(2026, 9, 1, tzinfo=UTC))).quotes
    assert rows.select("observed_at", "listing_id", "tenor", "price_text").rows() == [
        (datetime(2022, 2, 9), "a2-highgpu-1g", "on_demand", "3.558986"),
        (datetime(2026, 7, 30), "a2-ultragpu-8g", "on_demand", "40.5503831232877"),
        (datetime(2026, 7, 30), "a2-ultragpu-8g", "spot", "22.0763704109589"),
    ]


def test_a_mirror_row_without_an_hourly_price_is_refused() -> None:
    body = b"date,commit,machine_type,region,hour,hour_spot\n2026-07-30,c,a2-highgpu-1g,r,,1.5\n"
    found = parse_history(Capture(HISTORY.id, "x", body, datetime(2026, 9, 1, tzinfo=UTC)))
    assert found.rejections["reason"].to_list() == ["NO_PRICE"]
    assert found.quotes["tenor"].to_list() == ["spot"]


def test_parts_that_make_no_machine_are_no_answer() -> None:
    one = json.loads(json.dumps(skus()[CORE]))
    with pytest.raises(ParseError) as caught:
        parse_skus([one])
    assert caught.value.reason == "EMPTY"
