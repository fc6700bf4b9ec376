"""Runpod: secure and community prices, placeholders, pods and stock; on real figures."""

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
from collectors.gpus.runpod import QUERY, SOURCE, parse
from methodology.errors import ParseError

BODY = (Path(__file__).parent / "payloads/runpod/2026-07-18.json").read_bytes()
ROOT = Path(
    os.environ.get("SPOTFIX_PAYLOADS")
    or Path(__file__).resolve().parents[2] / "shared" / "payloads"
)
real = pytest.mark.skipif(
    not (ROOT / "gpu").is_dir(), reason="real bodies are not here; set SPOTFIX_PAYLOADS"
)


def capture(body: bytes) -> Capture:
    return Capture(SOURCE.id, SOURCE.url, body, datetime(2026, 7, 18, 12, tzinfo=UTC))


def gpu(**changed: Any) -> dict[str, Any]:
    row = {
        "id": "NVIDIA H100 80GB HBM3",
        "displayName": "H100 SXM",
        "memoryInGb": 80,
        "secureCloud": True,
        "communityCloud": True,
        "securePrice": 2.99,
        "communityPrice": 2.69,
        "lowestPrice": {
            "minimumBidPrice": None,
            "uninterruptablePrice": None,
            "stockStatus": "High",
        },
    }
    return row | changed


def types(*rows: Any) -> Parsed:
    return parse(capture(json.dumps({"data": {"gpuTypes": rows}}).encode()))


def test_prices_per_gpu_and_their_tenors() -> None:
    quotes = parse(capture(BODY)).quotes
    assert quotes.select("listing_id", "price_text", "tenor").rows() == [
        ("AMD Instinct MI300X OAM|secure", "2.19", "on_demand"),
        ("NVIDIA A100-SXM4-40GB|community", "1", "community"),
        ("NVIDIA H100 80GB HBM3|secure", "2.99", "on_demand"),
        ("NVIDIA H100 80GB HBM3|community", "2.69", "community"),
        ("NVIDIA H200|secure", "4.39", "on_demand"),
        ("NVIDIA H200|community", "3.59", "community"),
    ]
    row = quotes.row(0, named=True)
    assert (row["quoted_unit"], row["currency"], row["tier"]) == ("per_gpu_hour", "USD", "E3")
    assert (row["region"], row["gpu_count"]) == (None, None)


def test_a_placeholder_of_one_half_beside_a_false_flag_is_no_price() -> None:
    # 0.5 stands beside an MI300X of 2.19 and beside a GTX 1050 alike; zero beside others.
    refused = parse(capture(BODY)).rejections.filter(reason="PRICE_NOT_OFFERED")
    assert refused["listing_id"].to_list() == [
        "AMD Instinct MI300X OAM|community",
        "NVIDIA A100-SXM4-40GB|secure",
        "NVIDIA GeForce GTX 1050|secure",
        "NVIDIA GeForce GTX 1050|community",
        "unknown|secure",
        "unknown|community",
    ]


def test_the_price_of_a_pod_of_eight_is_never_read_as_that_of_a_gpu() -> None:
    # 21.52 is eight times the community price of 2.69, 28.72 eight times 3.59.
    refused = parse(capture(BODY)).rejections.filter(reason="GPU_COUNT_UNKNOWN")
    assert [detail.split()[1] for detail in refused["detail"]] == ["21.52", "21.52", "28.72"]


def test_stock_is_a_band_and_null_is_none_of_that_size() -> None:
    assert parse(capture(BODY)).volumes.select("subject", "meter", "quantity").rows() == [
        ("AMD Instinct MI300X OAM", "stock_band", 0),
        ("NVIDIA A100-SXM4-40GB", "stock_band", 0),
        ("NVIDIA H100 80GB HBM3", "stock_band", 3),
        ("NVIDIA H200", "stock_band", 2),
    ]


def test_interruptible_prices_are_spot_only_in_the_secure_cloud() -> None:
    found = types(gpu(secureSpotPrice=1.75, communitySpotPrice=1.5))
    assert found.quotes.select("listing_id", "price_text", "tenor").rows()[2:] == [
        ("NVIDIA H100 80GB HBM3|secure-spot", "1.75", "spot"),
        ("NVIDIA H100 80GB HBM3|community-spot", "1.5", "community"),
    ]


def test_serverless_and_cpu_machines_are_not_read() -> None:
    flavor = {
        "id": "cpu3c",
        "specifics": {"stockStatus": "High", "securePrice": 0.06, "slsPrice": 0.072},
    }
    found = parse(capture(json.dumps({"data": {"cpuFlavors": [flavor]}}).encode()))
    assert found.rejections.select("listing_id", "reason").rows() == [("cpu3c", "NOT_GPU")]
    assert found.seen == 1
    assert "sls" not in QUERY


@pytest.mark.parametrize(
    ("changed", "reasons"),
    [
        pytest.param({"securePrice": 0}, ["ZERO_PRICE"], id="zero is not offered"),
        pytest.param({"securePrice": None}, ["PRICE_MISSING"], id="offered without a figure"),
        pytest.param({"securePrice": -1}, ["NEGATIVE_PRICE"], id="below zero"),
        pytest.param({"securePrice": True}, ["NOT_A_NUMBER"], id="a truth value"),
        pytest.param({"secureCloud": None}, ["MALFORMED_ROW"], id="a flag that is not there"),
        pytest.param({"id": None}, ["MALFORMED_ROW"], id="no id"),
        pytest.param({"id": "X MIG 1g.24gb"}, ["PARTIAL_GPU"], id="a slice of a GPU"),
        pytest.param({"lowestPrice": 3}, ["MALFORMED_ROW"], id="a pod that is no object"),
        pytest.param(
            {"lowestPrice": {"stockStatus": "Plenty"}}, ["NOT_A_COUNT"], id="a band nobody knows"
        ),
    ],
)
def test_a_bad_row_is_refused_and_its_neighbour_kept(
    changed: dict[str, Any], reasons: list[str]
) -> None:
    found = types(gpu(**changed), gpu(id="NVIDIA L4"))
    assert found.rejections["reason"].to_list() == reasons
    assert found.quotes.filter(listing_id="NVIDIA L4|secure").height == 1


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b"<html>", "NOT_JSON", id="an error page"),
        pytest.param(BODY.replace(b"2.19", b"NaN"), "NOT_JSON", id="NaN"),
        pytest.param(b"[]", "SHAPE", id="a list"),
        pytest.param(b'{"data": {}}', "SHAPE", id="no GPU types"),
        pytest.param(b'{"data": {"gpuTypes": []}}', "EMPTY", id="not one GPU type"),
        pytest.param(b'{"data": null, "errors": [{"message": "x"}]}', "GRAPHQL", id="a refusal"),
    ],
)
def test_a_body_that_is_not_the_promised_one_is_an_error(body: bytes, reason: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse(capture(body))
    assert (caught.value.source, caught.value.reason) == ("runpod", reason)


def test_it_is_off_unless_the_operator_holds_a_licence() -> None:
    assert SOURCE.switch is not None
    assert "without written permission" in SOURCE.switch
    request = next(SOURCE.requests(SOURCE.url))
    assert (request.method, json.loads(request.body or b"")["query"]) == ("POST", QUERY)


@real
def test_the_whole_answer_of_2026_07_18() -> None:
    # 49 types, 2 of them slices: 94 prices. jq: 66 with a true flag; each of these is above zero.
    name = "gpu/fixtures_live_shape/2026-07-18_runpod_gputypes.json.gz"
    found = parse(capture(gzip.decompress((ROOT / name).read_bytes())))
    assert found.quotes.height == 66
    assert Counter(found.rejections["reason"]) == {
        "PRICE_NOT_OFFERED": 28,
        "GPU_COUNT_UNKNOWN": 7,
        "PARTIAL_GPU": 2,
    }
    assert Counter(found.volumes["quantity"]) == {0: 39, 1: 3, 2: 1, 3: 1}


@real
def test_trimmed_answers_about_cpu_machines() -> None:
    name = "gpu/fixtures_gpuhunt/2026-08-14_runpod.json"
    bodies = json.loads((ROOT / name).read_text())
    for flavors, count in ((bodies["cpu_flavors"], 6), (bodies["return_151"], 1)):
        found = parse(capture(json.dumps({"data": {"cpuFlavors": flavors}}).encode()))
        assert found.rejections["reason"].to_list() == ["NOT_GPU"] * count


def test_of_two_prices_of_one_id_the_cheaper_stands() -> None:
    found = types(gpu(), gpu(securePrice=1.99))
    prices = dict(found.quotes.select("listing_id", "price_text").rows())
    assert prices["NVIDIA H100 80GB HBM3|secure"] == "1.99"
    assert "DUPLICATE_LISTING" in found.rejections["reason"].to_list()


def test_an_answer_without_a_machine_is_refused() -> None:
    with pytest.raises(ParseError) as caught:
        parse(capture(b'{"data": {"cpuFlavors": []}}'))
    assert caught.value.reason == "EMPTY"
