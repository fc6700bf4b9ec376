"""CUDO Compute: the least machine with one GPU, as exact sum of its parts."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from collectors.base import Capture, Parsed
from collectors.gpus.cudo import SOURCE, parse
from methodology.errors import ParseError

BODY = (Path(__file__).parent / "payloads/cudo/2024-10-28.json").read_bytes()
ROOT = Path(
    os.environ.get("SPOTFIX_PAYLOADS")
    or Path(__file__).resolve().parents[2] / "shared" / "payloads"
)
real = pytest.mark.skipif(
    not (ROOT / "gpu").is_dir(), reason="real bodies are not here; set SPOTFIX_PAYLOADS"
)


def capture(body: bytes) -> Capture:
    return Capture(SOURCE.id, SOURCE.url, body, datetime(2024, 10, 28, tzinfo=UTC))


def machines(*rows: Any) -> Parsed:
    return parse(capture(json.dumps({"machineTypes": rows}).encode()))


def machine(**changed: Any) -> dict[str, Any]:
    row: dict[str, Any] = json.loads(BODY)["machineTypes"][1]
    return row | changed


def test_one_gpu_with_the_least_that_must_come_with_it() -> None:
    # 0.05 + 1 vCPU 0.0025 + 1 GiB 0.0038; 0.52 + 1 vCPU 0.0021 + 1 GiB 0.0034, one vCPU needing
    # 1 / 1.036437 GiB, so one whole.
    found = parse(capture(BODY))
    assert found.quotes.select("listing_id", "region", "price_text", "gpu_count").rows() == [
        ("nvidia-rtx-3080|cascade-lake", "br-saopaulo-1", "0.0563", 1),
        ("nvidia-rtx-a5000|epyc-rome-rtx-a5000", "no-luster-1", "0.5255", 1),
    ]
    assert set(found.quotes["quoted_unit"]) == {"per_instance_hour"}
    assert set(found.quotes["tier"]) == {"E3"}
    assert found.volumes.select("subject", "meter", "quantity").rows() == [
        ("nvidia-rtx-3080|cascade-lake|br-saopaulo-1", "gpus_available", 24),
        ("nvidia-rtx-a5000|epyc-rome-rtx-a5000|no-luster-1", "gpus_available", 7),
    ]


@pytest.mark.parametrize(
    ("again", "counts", "reasons"),
    [
        pytest.param(7, [7], ["DUPLICATE_LISTING"], id="the same count again is no more stock"),
        pytest.param(8, [], ["AMBIGUOUS_LISTING"] * 2, id="two counts of one stock are none"),
    ],
)
def test_a_machine_listed_twice_is_counted_once(
    again: int, counts: list[int], reasons: list[str]
) -> None:
    found = machines(machine(totalGpuFree=7), machine(totalGpuFree=again))
    assert found.volumes["quantity"].to_list() == counts
    assert found.rejections["reason"].to_list() == reasons
    assert set(found.rejections["listing_id"]) == {
        "nvidia-rtx-a5000|epyc-rome-rtx-a5000|no-luster-1"
    }
    assert set(found.quotes["price_text"]) == {"0.5255"}


def test_the_ratios_of_the_row_are_obeyed() -> None:
    # 12 vCPUs a GPU, at most 0.25 a GiB: 48 GiB. 0.52 + 12 * 0.0021 + 48 * 0.0034 = 0.7084.
    found = machines(machine(minVcpuPerGpu=11.5, maxVcpuPerMemoryGib=0.25))
    assert found.quotes["price_text"].to_list() == ["0.7084"]


def money(text: Any) -> dict[str, Any]:
    return {"value": text}


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        pytest.param({"gpuModelId": ""}, "NOT_GPU", id="a machine of CPUs"),
        pytest.param({"maxGpuFree": 0}, "PRICE_NOT_OFFERED", id="none can be had"),
        pytest.param({"gpuPriceHr": money("0")}, "ZERO_PRICE", id="a GPU at the price of its CPUs"),
        pytest.param({"gpuPriceHr": money("-1")}, "NEGATIVE_PRICE", id="below zero"),
        pytest.param({"gpuPriceHr": None}, "PRICE_MISSING", id="no price"),
        pytest.param({"gpuPriceHr": money("1,05")}, "NOT_A_NUMBER", id="a comma"),
        pytest.param({"vcpuPriceHr": None}, "PART_MISSING", id="no price of a vCPU"),
        pytest.param({"memoryGibPriceHr": money("x")}, "PART_MISSING", id="no price of memory"),
        pytest.param({"maxVcpuPerMemoryGib": 0}, "PART_MISSING", id="no ratio"),
        pytest.param({"minVcpuPerGpu": None}, "PART_MISSING", id="how many vCPUs"),
        pytest.param({"dataCenterId": None}, "MALFORMED_ROW", id="nowhere"),
    ],
)
def test_a_bad_row_is_refused_and_its_neighbour_kept(changed: dict[str, Any], reason: str) -> None:
    found = machines(machine(**changed), machine(machineType="other"))
    assert found.rejections["reason"].to_list() == [reason]
    assert found.quotes["listing_id"].to_list() == ["nvidia-rtx-a5000|other"]


def test_free_gpus_that_are_no_count_leave_the_price() -> None:
    found = machines(machine(totalGpuFree="many"))
    assert (found.quotes.height, found.rejections["reason"].to_list()) == (1, ["NOT_A_COUNT"])


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b"<html>", "NOT_JSON", id="an error page"),
        pytest.param(b'{"code": 5}', "SHAPE", id="a refusal"),
        pytest.param(b'{"machineTypes": []}', "EMPTY", id="no machine type"),
    ],
)
def test_a_body_that_is_not_the_promised_one_is_an_error(body: bytes, reason: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse(capture(body))
    assert caught.value.reason == reason


@real
def test_the_trimmed_body_of_2024_10_28() -> None:
    rows = json.loads((ROOT / "gpu/fixtures_gpuhunt/2024-10-28_cudo.json").read_text())
    found = machines(*rows["return_16"])
    assert (found.quotes.height, found.volumes.height, found.rejections.height) == (2, 2, 0)
