"""Akash: GPUs counted, prices over bids refused, and bodies that lie."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from collectors.base import Parsed
from collectors.gpus.akash import SOURCE, parse, requests
from methodology.errors import ParseError
from methodology.rights import load_rights
from tests.machine_lists import SEEN, capture, check, counts, real, refusals, small

BODY = small(SOURCE, "2026-09-28.json")
GOOD = "nvidia|h100|80Gi|SXM5"


def model(**changed: Any) -> dict[str, Any]:
    return {
        "vendor": "nvidia",
        "model": "h100",
        "ram": "80Gi",
        "interface": "SXM5",
        "availability": {"total": 68, "available": 15},
        "price": {"currency": "USD", "min": 2.04, "max": 3.16, "avg": 2.58, "med": 2.56},
        **changed,
    }


def parse_models(*models: Any) -> Parsed:
    return parse(capture(SOURCE, {"models": models}))


def test_gpus_are_counted_and_no_price_over_bids_is_quoted() -> None:
    found = parse(capture(SOURCE, BODY))
    check(SOURCE, found)
    assert found.quotes.is_empty()
    assert found.asks.is_empty()
    assert counts(found) == {(GOOD, "gpus_total"): 68, (GOOD, "gpus_available"): 15}
    assert refusals(found) == [(GOOD, "NO_VERIFIED_DEPTH")]
    told = found.rejections["detail"][0]
    assert "min 2.04, max 3.16, avg 2.58, weightedAverage 2.72, med 2.56" in told


def test_a_count_is_of_the_day_and_moment_it_was_seen() -> None:
    row = parse(capture(SOURCE, BODY)).volumes.row(0, named=True)
    assert (row["period_start"], row["period_end"]) == (date(2026, 8, 16), date(2026, 8, 17))
    assert row["as_of"] == SEEN.replace(tzinfo=None)


def test_cards_of_40_and_80_gb_are_two_goods() -> None:
    found = parse_models(
        model(model="a100", ram="40Gi", availability={"total": 4, "available": 4}),
        model(model="a100", ram="80Gi", availability={"total": 8, "available": 0}),
    )
    assert counts(found) == {
        ("nvidia|a100|40Gi|SXM5", "gpus_total"): 4,
        ("nvidia|a100|40Gi|SXM5", "gpus_available"): 4,
        ("nvidia|a100|80Gi|SXM5", "gpus_total"): 8,
        ("nvidia|a100|80Gi|SXM5", "gpus_available"): 0,
    }


def test_a_model_nobody_bid_for_is_counted_too() -> None:
    found = parse_models(model(price=None))
    assert refusals(found) == [(GOOD, "NO_PRICE")]
    assert counts(found)[GOOD, "gpus_total"] == 68


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        pytest.param({"availability": None}, "MALFORMED_ROW", id="no counts"),
        pytest.param(
            {"availability": {"total": 8, "available": 9}},
            "MALFORMED_ROW",
            id="more free than there are",
        ),
        pytest.param(
            {"availability": {"total": -1, "available": -2}}, "NOT_A_COUNT", id="below zero"
        ),
        pytest.param(
            {"availability": {"total": 1.5, "available": 0.5}}, "NOT_A_COUNT", id="half a GPU"
        ),
        pytest.param({"availability": {"total": "8", "available": "1"}}, "NOT_A_COUNT", id="texts"),
        pytest.param({"interface": ""}, "MALFORMED_ROW", id="no form factor"),
        pytest.param({"ram": 80}, "MALFORMED_ROW", id="memory as a number"),
    ],
)
def test_a_bad_count_is_refused(changed: dict[str, Any], reason: str) -> None:
    found = parse_models(model(**changed))
    assert found.volumes.is_empty()
    assert refusals(found)[-1][1] == reason


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b"[]", "SHAPE", id="a bare list"),
        pytest.param({"models": None}, "SHAPE", id="no models"),
        pytest.param({"models": []}, "EMPTY", id="an empty network"),
        pytest.param(b"", "NOT_JSON", id="nothing"),
    ],
)
def test_a_body_that_is_not_the_network_is_refused_whole(body: Any, reason: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse(capture(SOURCE, body))
    assert caught.value.reason == reason


def test_it_asks_once_and_not_for_the_undocumented_answer() -> None:
    (request,) = requests(SOURCE.url)
    assert (request.url, dict(request.params)) == (SOURCE.url, {})


def test_no_right_and_no_depth_are_on_record() -> None:
    line = load_rights()[SOURCE.id]
    assert (line.use, line.redistribute, line.depth) == (False, False, False)


def test_the_real_fragment_counts_what_its_providers_hold() -> None:
    body = real("akash_console/2026-09-28_h100_trimmed.json")
    hosts = body["models"][0]["providerAvailability"]["providers"]
    found = parse(capture(SOURCE, body))
    check(SOURCE, found)
    total = sum(host["allocatable"] for host in hosts)
    free = total - sum(host["allocated"] for host in hosts)
    assert (total, free) == (68, 15)
    assert counts(found) == {(GOOD, "gpus_total"): total, (GOOD, "gpus_available"): free}
    assert (found.quotes.height, found.rejections.height, found.seen) == (0, 1, 3)
