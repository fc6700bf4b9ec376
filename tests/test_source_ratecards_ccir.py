"""Rate cards of four clouds: the seller's id decides, parts are no machines."""

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
from collectors.gpus.ratecards_ccir import SOURCE, parse, parse_history
from methodology.errors import ParseError
from methodology.register import load_gpus

FOLDER = Path(__file__).parent / "payloads/ratecards_ccir"
BODY = (FOLDER / "2026-03-03.json").read_bytes()
TABLE = (FOLDER / "2026-03-03.csv").read_bytes()
SEEN = datetime(2026, 3, 3, 15, 30, 46, 769313)
ROOT = Path(
    os.environ.get("SPOTFIX_PAYLOADS")
    or Path(__file__).resolve().parents[2] / "shared" / "payloads"
)
real = pytest.mark.skipif(
    not (ROOT / "gpu").is_dir(), reason="real bodies are not here; set SPOTFIX_PAYLOADS"
)


def capture(body: bytes) -> Capture:
    return Capture(SOURCE.id, SOURCE.url, body, datetime(2026, 11, 21, tzinfo=UTC))


def cards(*rows: Any) -> Parsed:
    return parse(capture(json.dumps({"results": rows}).encode()))


def card(**changed: Any) -> dict[str, Any]:
    row: dict[str, Any] = json.loads(BODY)["results"][1]
    return row | changed


COLUMNS = ("listing_id", "price_text", "quoted_unit", "tenor", "region", "gpu_count")


def test_machines_are_quoted_whole_and_runpod_per_gpu() -> None:
    quotes = parse(capture(BODY)).quotes
    assert quotes.select(COLUMNS).rows() == [
        ("Standard_NC40ads_H100_v5", "6.98", "per_instance_hour", "on_demand", "eastus", 1),
        ("p4d.24xlarge", "21.957642", "per_instance_hour", "on_demand", "us-east-1", 8),
        ("NVIDIA H100 80GB HBM3|secure", "2.69", "per_gpu_hour", "on_demand", None, None),
        ("NVIDIA H100 80GB HBM3|secure-spot", "1.75", "per_gpu_hour", "spot", None, None),
    ]  # fmt: skip
    assert set(quotes["observed_at"]) == {SEEN}
    assert set(quotes["tier"]) == {"E4"}
    # Azure states when its price began; the others do not.
    assert quotes["effective_from"].to_list() == [datetime(2024, 3, 1), None, None, None]
    assert quotes["is_official_date"].to_list() == [True, False, False, False]


def test_a_gpu_without_cores_and_memory_is_no_machine() -> None:
    refused = parse(capture(BODY)).rejections
    assert refused.select("provider", "listing_id", "reason").rows() == [
        ("gcp", "D4E2-451A-15B9", "PART_MISSING")
    ]
    assert "9.796551" in refused["detail"][0]


def test_an_nvl_that_the_publisher_calls_sxm_maps_by_the_sellers_id() -> None:
    said = {row["sku"]: row["gpu_model"] for row in json.loads(BODY)["results"]}
    assert said["Standard_NC40ads_H100_v5"] == "H100 SXM"
    mapped = {g.listing: g.instrument for g in load_gpus() if g.source == SOURCE.id}
    assert mapped["Standard_NC40ads_H100_v5"] == "H100-NVL-94"


def test_both_forms_of_a_day_say_the_same() -> None:
    mine, other = parse(capture(BODY)), parse_history(capture(TABLE))
    for name in ("quotes", "rejections"):
        left, right = getattr(mine, name), getattr(other, name)
        assert left.drop("capture_sha256").equals(right.drop("capture_sha256"))


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        pytest.param({"vm_price_hr": -1}, "NEGATIVE_PRICE", id="below zero"),
        pytest.param({"vm_price_hr": None, "price_per_gpu_hr": 0}, "ZERO_PRICE", id="zero"),
        pytest.param({"vm_price_hr": None, "price_per_gpu_hr": None}, "PRICE_MISSING", id="none"),
        pytest.param({"gpus_per_vm": None}, "GPU_COUNT_UNKNOWN", id="a machine of how many"),
        pytest.param({"price_type": "reserved_1y"}, "NOT_ON_DEMAND", id="another kind of price"),
        pytest.param({"source": None}, "MALFORMED_ROW", id="nobody sells it"),
        pytest.param({"collected_utc": "2026-03-03"}, "MALFORMED_ROW", id="a day is no time"),
        pytest.param(
            {"collected_utc": "0026-03-03T15:30:46+00:00"}, "BAD_DATE", id="the year 26 is no time"
        ),
    ],
)
def test_a_bad_card_is_refused_and_its_neighbour_kept(changed: dict[str, Any], reason: str) -> None:
    found = cards(card(**changed), card(sku="p5.48xlarge"))
    assert found.rejections["reason"].to_list() == [reason]
    assert found.quotes["listing_id"].to_list() == ["p5.48xlarge"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b"x", "NOT_JSON", id="no JSON"),
        pytest.param(b"[]", "SHAPE", id="a list"),
        pytest.param(b'{"results": []}', "EMPTY", id="no card"),
    ],
)
def test_a_body_that_is_not_the_promised_one_is_an_error(body: bytes, reason: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse(capture(body))
    assert caught.value.reason == reason


def test_a_table_without_a_column_is_an_error() -> None:
    with pytest.raises(ParseError) as caught:
        parse_history(capture(TABLE.replace(b"vm_price_hr", b"vm_price")))
    assert caught.value.reason == "COLUMNS"


def test_it_is_history_only() -> None:
    assert not SOURCE.is_live
    assert list(SOURCE.requests(SOURCE.url)) == []


@real
@pytest.mark.parametrize("name", ["2026-03-03.json.gz", "2026-03-03.csv.gz"])
def test_the_18_real_cards(name: str) -> None:
    body = gzip.decompress((ROOT / "gpu/ratecards_ccir" / name).read_bytes())
    found = (parse if "json" in name else parse_history)(capture(body))
    assert Counter(found.quotes["provider"]) == {"azure": 4, "aws": 3, "runpod": 8}
    assert found.rejections.select("provider", "reason").rows() == [("gcp", "PART_MISSING")] * 3
    p5 = found.quotes.filter(listing_id="p5.48xlarge")
    assert p5.select("price_text", "gpu_count").rows() == [("55.04", 8)]
