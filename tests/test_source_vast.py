"""Vast.ai: asks with machines and hosts, and what its answers hide; on real figures."""

from __future__ import annotations

import gzip
import json
import os
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from collectors.base import Capture, Parsed
from collectors.gpus.vast import NAMES, PAGE_CAP, SOURCE, parse, parse_history
from methodology import depth
from methodology.definition import load_methodology
from methodology.errors import ParseError

BODY = (Path(__file__).parent / "payloads/vast/2026-02-27.json").read_bytes()
ROOT = Path(
    os.environ.get("SPOTFIX_PAYLOADS")
    or Path(__file__).resolve().parents[2] / "shared" / "payloads"
)
real = pytest.mark.skipif(
    not (ROOT / "gpu").is_dir(), reason="real bodies are not here; set SPOTFIX_PAYLOADS"
)
DAYS = ("2026-02-27", "2026-02-28", "2026-03-01", "2026-03-02")


def capture(body: bytes) -> Capture:
    return Capture(SOURCE.id, SOURCE.url, body, datetime(2026, 2, 27, 15, tzinfo=UTC))


def offer(**changed: Any) -> dict[str, Any]:
    """Return the whole machine 27602 of host 317686, as it stood on 2026-02-27."""
    row = {
        "id": 24568663,
        "gpu_name": "H100 SXM",
        "gpu_ram": 81559,
        "num_gpus": 8,
        "machine_id": 27602,
        "host_id": 317686,
        "dph_total": 14.944444444444445,
        "is_bid": False,
        "rentable": True,
        "rented": False,
        "verification": "verified",
    }
    return row | changed


def answer(*offers: Any) -> Parsed:
    return parse(capture(json.dumps({"offers": offers}).encode()))


def stored(day: str) -> Parsed:
    return parse_history(
        capture(gzip.decompress((ROOT / f"gpu/vast_ccir/{day}.json.gz").read_bytes()))
    )


def test_each_offer_is_an_ask_at_the_price_of_the_whole_of_it() -> None:
    asks = parse(capture(BODY)).asks
    columns = ("market", "listing_id", "machine_id", "host_id", "gpus", "price_text", "is_verified")
    assert asks.select(columns).rows()[2:6] == [
        ("H100 SXM|80", "24568663", "27602", "317686", 8, "14.944444444444445", True),
        ("H100 SXM|80", "31103527", "55059", "402705", 1, "1.3348148148148147", False),
        ("H100 SXM|80", "31103519", "55059", "402705", 2, "2.668148148148148", False),
        ("H100 SXM|80", "31103521", "55059", "402705", 4, "5.3348148148148145", False),
    ]
    assert set(asks["quoted_unit"]) == {"per_instance_hour"}
    assert (set(asks["tenor"]), set(asks["tier"]), set(asks["region"])) == (
        {"on_demand"},
        {"E3"},
        {None},
    )


def test_fifteen_gpus_are_counted_and_eight_are_real() -> None:
    # Machine 55059 stood there as 1, 2, 4 and 8 GPUs on 2026-02-27. Were it verified:
    sizes = ((31103527, 1), (31103519, 2), (31103521, 4), (31103531, 8))
    found = answer(*(offer(id=i, num_gpus=n, machine_id=55059, host_id=402705) for i, n in sizes))
    assert int(found.asks["gpus"].sum()) == 15
    assert found.volumes.select("subject", "meter", "quantity").rows() == [
        ("H100 SXM|80", "gpus_available", 8)
    ]


def test_only_verified_machines_are_counted_as_available() -> None:
    # The body: one verified machine of 8 listed as 2, 4 and 8; everything else is not verified.
    assert parse(capture(BODY)).volumes.select("subject", "quantity").rows() == [("H100 SXM|80", 8)]
    assert parse(capture(BODY)).volumes["period_start"].to_list() == [datetime(2026, 2, 27).date()]


def test_cards_of_40_and_80_gigabytes_are_two_markets_and_a_rebuilt_one_is_refused() -> None:
    found = parse(capture(BODY))
    assert found.asks["market"].to_list()[-2:] == ["A100 PCIE|80", "A100 PCIE|40"]
    assert found.rejections.select("listing_id", "reason", "detail").rows() == [
        ("31024551", "MEMORY_CONTRADICTS_NAME", "gpu_ram 49140 MiB is none of 'RTX 4090'")
    ]


def test_an_answer_as_long_as_the_cap_is_cut_and_gives_no_depth() -> None:
    cut = answer(*(offer(id=n, machine_id=n, host_id=n) for n in range(PAGE_CAP)))
    assert (cut.asks.height, cut.volumes.height, cut.seen) == (0, 0, 64)
    assert set(cut.rejections["reason"]) == {"CUT_AT_CAP"}
    whole = answer(*(offer(id=n, machine_id=n, host_id=n) for n in range(PAGE_CAP - 1)))
    assert whole.asks.height == 63
    assert SOURCE.page_cap == 64


def test_a_search_that_returns_nothing_is_an_error_and_no_empty_market() -> None:
    with pytest.raises(ParseError, match="A100 SXM4") as caught:
        answer()
    assert caught.value.reason == "NO_OFFERS"


def test_names_are_asked_for_as_the_marketplace_spells_them() -> None:
    asked = [json.loads(request.body or b"") for request in SOURCE.requests(SOURCE.url)]
    assert [one["gpu_name"]["eq"] for one in asked] == list(NAMES)
    assert "A100 SXM4" in NAMES
    assert "A100 SXM" not in NAMES
    assert all(one["verified"] == {"eq": True} for one in asked)


def test_an_ask_of_forty_dollars_stays_an_ask_that_the_depth_does_not_reach() -> None:
    # 16 GPUs of four hosts at .6011 and one at 40.0015: D is half of 17, 8; a host gives 2.
    four = [
        offer(
            id=n,
            machine_id=n,
            host_id=n,
            num_gpus=4,
            dph_total=2.4044,
            gpu_name="A100 PCIE",
            gpu_ram=81920,
        )
        for n in range(4)
    ]
    dear = offer(id=9, machine_id=55932, host_id=410959, num_gpus=1, dph_total=40.001481481481484)
    found = answer(*four, dear | {"gpu_name": "A100 PCIE", "gpu_ram": 81920})
    assert found.asks.height == 5
    quotes, refused = depth.depth_quotes(found.asks, load_methodology())
    assert quotes.select("listing_id", "price_text").rows() == [("A100 PCIE|80", "0.601100000")]
    assert refused.is_empty()


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        pytest.param({"rented": True}, "PRICE_NOT_OFFERED", id="rented to somebody"),
        pytest.param({"rentable": False}, "PRICE_NOT_OFFERED", id="not for rent"),
        pytest.param({"is_bid": True}, "PRICE_NOT_OFFERED", id="an interruptible contract"),
        pytest.param({"dph_total": 0}, "ZERO_PRICE", id="zero is not offered"),
        pytest.param({"dph_total": -1}, "NEGATIVE_PRICE", id="below zero"),
        pytest.param({"dph_total": None}, "PRICE_MISSING", id="no price"),
        pytest.param(
            {"dph_total": "1.0 * 2"}, "NOT_A_NUMBER", id="a product is no figure of theirs"
        ),
        pytest.param({"num_gpus": 0}, "GPU_COUNT_UNKNOWN", id="no GPU"),
        pytest.param({"num_gpus": 1.5}, "GPU_COUNT_UNKNOWN", id="half a GPU"),
        pytest.param({"host_id": None}, "MALFORMED_ROW", id="nobody's machine"),
        pytest.param({"verification": None}, "MALFORMED_ROW", id="vouched for or not"),
        pytest.param({"gpu_name": 7}, "MALFORMED_ROW", id="a name that is a number"),
        pytest.param({"gpu_ram": None}, "MALFORMED_ROW", id="no memory"),
        pytest.param({"gpu_ram": 40960}, "MEMORY_CONTRADICTS_NAME", id="an H100 of 40 GB"),
    ],
)
def test_a_bad_offer_is_refused_and_its_neighbour_kept(
    changed: dict[str, Any], reason: str
) -> None:
    found = answer(offer(**changed), offer(id=1))
    assert found.asks["listing_id"].to_list() == ["1"]
    assert found.rejections["reason"].to_list() == [reason]


def test_a_name_nobody_reviewed_keeps_its_memory_and_maps_to_nothing() -> None:
    assert answer(offer(gpu_name="B300", gpu_ram=275040)).asks["market"].to_list() == [
        "B300|275040 MiB"
    ]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b"<html>", "NOT_JSON", id="an error page"),
        pytest.param(BODY[:-30], "NOT_JSON", id="cut off"),
        pytest.param(b"[]", "SHAPE", id="a list"),
        pytest.param(b'{"offers": {}}', "SHAPE", id="offers is no list"),
        pytest.param(b'{"success": false, "error": "auth_error"}', "SHAPE", id="a refusal"),
    ],
)
def test_a_body_that_is_not_the_promised_one_is_an_error(body: bytes, reason: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse(capture(body))
    assert (caught.value.source, caught.value.reason) == ("vast", reason)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"offers_by_model": {}}', id="no time"),
        pytest.param(b'{"collected_utc": "2026-02-27T15:22:46+00:00"}', id="no answers"),
        pytest.param(
            b'{"collected_utc": "2026-02-27T15:22:46+00:00", "offers_by_model": {"H200": 1}}',
            id="an answer that is no list",
        ),
    ],
)
def test_a_stored_day_that_is_none_is_an_error(body: bytes) -> None:
    with pytest.raises(ParseError) as caught:
        parse_history(capture(body))
    assert caught.value.reason == "SHAPE"


def test_an_offer_that_is_no_object_is_refused() -> None:
    assert answer(7, offer()).rejections["reason"].to_list() == ["MALFORMED_ROW"]


def test_it_is_off_unless_the_operator_holds_a_licence() -> None:
    assert SOURCE.switch is not None
    assert "written permission" in SOURCE.switch


@real
@pytest.mark.parametrize(
    ("day", "asks", "cut", "free"),
    [
        # Offers of the day less those of answers of 64; GPUs of verified H100 SXM, machines once.
        ("2026-02-27", 184, 64, 52),
        ("2026-02-28", 106, 128, 29),
        ("2026-03-01", 111, 128, 36),
        ("2026-03-02", 105, 128, 17),
    ],
)
def test_every_stored_offer_is_an_ask_or_refused(day: str, asks: int, cut: int, free: int) -> None:
    found = stored(day)
    assert found.asks.height == asks
    assert Counter(found.rejections["reason"]) == {"CUT_AT_CAP": cut, "NO_OFFERS": 2}
    assert sorted(found.rejections.filter(reason="NO_OFFERS")["listing_id"]) == [
        "A100 SXM",
        "H100 PCIE",
    ]
    h100 = found.volumes.filter(subject="H100 SXM|80")
    assert h100["quantity"].to_list() == [free]
    seen = found.asks["observed_at"].unique().to_list()
    assert [moment.date().isoformat() for moment in seen] == [day]


@real
def test_the_stored_asks_of_2026_03_02_have_the_depth_price_worked_by_hand() -> None:
    # tests/test_marketplace_depth.py works 1.596611111 out for the seven verified hosts.
    quotes, _ = depth.depth_quotes(stored("2026-03-02").asks, load_methodology())
    assert quotes.filter(listing_id="H100 SXM|80")["price_text"].to_list() == ["1.596611111"]


@real
def test_forty_dollars_stand_on_each_of_the_four_days() -> None:
    for day in DAYS:
        dear = stored(day).asks.filter(machine_id="55932")
        assert dear.select("market", "gpus", "is_verified").rows() == [("A100 PCIE|80", 1, False)]
        assert dear["price_text"].to_list()[0].startswith("40.00148148148148")


@real
def test_the_whole_answer_of_2026_07_18() -> None:
    name = "gpu/fixtures_live_shape/2026-07-18_vast_bundles.json.gz"
    found = parse(capture(gzip.decompress((ROOT / name).read_bytes())))
    assert (found.seen - found.volumes.height, found.rejections.height) == (48, 0)
    markets = (
        found.asks.group_by("market").agg(pl.len(), pl.col("is_verified").sum()).sort("market")
    )
    assert markets.rows() == [("H100 NVL|94", 8, 6), ("H100 SXM|80", 40, 18)]


@pytest.mark.parametrize("gpu", [" ", "H100\u200b SXM", "\x1b[2JH100 SXM"])
def test_a_machine_whose_gpu_has_no_readable_name_is_no_ask(gpu: str) -> None:
    found = answer(offer(gpu_name=gpu), offer())
    assert found.asks["market"].to_list() == ["H100 SXM|80"]
    assert found.rejections["reason"].to_list() == ["MALFORMED_ROW"]
