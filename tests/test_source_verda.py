"""Verda: prices as texts, per instance, in the shape of 2026 and that of 2025; bodies that lie."""

from __future__ import annotations

import json
from typing import Any

import pytest

from collectors.base import Parsed
from collectors.gpus.verda import SOURCE, parse, parse_panel_raw, requests
from methodology.errors import ParseError
from methodology.units import to_nano
from tests.machine_lists import capture, check, offers, real, refusals, small

BODY = small(SOURCE, "2026-08-14.json")
FOUR = [
    ("1H100.80S.30V", "on_demand", "3.95", None, 1),
    ("1H100.80S.30V", "spot", "1.70", None, 1),
    ("2A6000.20V", "on_demand", "1.98", None, 2),
    ("2A6000.20V", "spot", "0.70", None, 2),
]


def row(**changed: Any) -> dict[str, Any]:
    return {**json.loads(BODY)[1], **changed}


def parse_rows(*rows: Any) -> Parsed:
    return parse(capture(SOURCE, rows))


def test_each_gpu_type_has_an_on_demand_and_a_spot_price() -> None:
    found = parse(capture(SOURCE, BODY))
    check(SOURCE, found)
    assert offers(found) == FOUR
    assert refusals(found) == [("CPU.120V.480G", "NOT_GPU")]


def test_a_price_of_two_is_divided_by_two() -> None:
    quote = parse(capture(SOURCE, BODY)).quotes.row(2, named=True)
    assert quote["quoted_unit"] == "per_instance_hour"
    assert to_nano(quote["price_text"], quote["quoted_unit"], quote["gpu_count"]) == (
        990000000,
        False,
    )


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        pytest.param({"currency": "eur"}, "OTHER_CURRENCY", id="euros"),
        pytest.param(
            {"gpu": {"description": "2x RTX A6000 48GB", "number_of_gpus": 1}},
            "MALFORMED_ROW",
            id="one GPU beside a description of two",
        ),
        pytest.param(
            {"gpu_memory": {"size_in_gigabytes": 48}},
            "MEMORY_CONTRADICTS_NAME",
            id="memory of one GPU where that of both belongs",
        ),
        pytest.param(
            {"name": "A100 SXM4 80GB", "gpu_memory": {"size_in_gigabytes": 80}},
            "MEMORY_CONTRADICTS_NAME",
            id="two cards of 40 GB under a name of 80",
        ),
        pytest.param({"gpu": {"number_of_gpus": "two"}}, "MALFORMED_ROW", id="two in letters"),
        pytest.param({"gpu": {"number_of_gpus": 2000}}, "MALFORMED_ROW", id="two thousand GPUs"),
        pytest.param({"gpu": None}, "MALFORMED_ROW", id="no word of GPUs"),
        pytest.param({"instance_type": ""}, "MALFORMED_ROW", id="no name"),
    ],
)
def test_a_bad_row_is_refused_and_its_neighbour_kept(changed: dict[str, Any], reason: str) -> None:
    found = parse_rows(row(**changed), json.loads(BODY)[0])
    assert offers(found) == FOUR[:2]
    assert [told for _, told in refusals(found)] == [reason]


@pytest.mark.parametrize(
    ("price", "reason"),
    [
        pytest.param("0.00", "ZERO_PRICE", id="zero is not offered"),
        pytest.param(None, "NO_PRICE", id="null"),
        pytest.param("-1", "NEGATIVE_PRICE", id="below zero"),
        pytest.param("1,98", "NOT_A_NUMBER", id="a comma"),
        pytest.param("1.98 * 2", "NOT_A_NUMBER", id="a product the seller wrote"),
        pytest.param(True, "NOT_A_NUMBER", id="a truth value"),
        pytest.param("", "NOT_A_NUMBER", id="blank"),
    ],
)
def test_a_bad_price_costs_its_own_tenor_only(price: Any, reason: str) -> None:
    found = parse_rows(row(price_per_hour=price))
    assert offers(found) == FOUR[3:]
    assert refusals(found) == [("2A6000.20V", reason)]


def test_a_card_that_lists_a_little_less_than_its_name_stands() -> None:
    name = {"name": "B300 SXM6 288GB", "gpu_memory": {"size_in_gigabytes": 2 * 268}}
    assert parse_rows(row(**name)).quotes.height == 2


def test_of_a_type_listed_twice_the_cheapest_stands() -> None:
    found = parse_rows(row(), row(price_per_hour="1.50", spot_price="0.70"))
    assert [price for _, _, price, *_ in offers(found)] == ["1.50", "0.70"]
    assert [reason for _, reason in refusals(found)] == ["DUPLICATE_LISTING", "DUPLICATE_ROW"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b'{"code":"unauthorized_request"}', "SHAPE", id="an error answer"),
        pytest.param(b"[]", "EMPTY", id="an empty list"),
        pytest.param(b"[", "NOT_JSON", id="a cut body"),
    ],
)
def test_a_body_that_is_not_the_list_is_refused_whole(body: bytes, reason: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse(capture(SOURCE, body))
    assert caught.value.reason == reason


def test_it_asks_once_in_usd() -> None:
    (request,) = requests(SOURCE.url)
    assert dict(request.params) == {"currency": "usd"}


@pytest.mark.parametrize("name", ["2026-08-14_verda", "2025-10-19_datacrunch"])
def test_the_real_rows_of_both_years_read_alike(name: str) -> None:
    body = real(f"fixtures_gpuhunt/{name}.json")
    rows = [body[key] for key in ("one_gpu", "two_gpu", "cpu_instance", "minimal")]
    found = parse(capture(SOURCE, rows))
    check(SOURCE, found)
    assert ("currency" in rows[0]) is (name == "2026-08-14_verda")
    assert offers(found) == [
        *FOUR,
        ("1V100.6V", "on_demand", "0.89", None, 1),
        ("1V100.6V", "spot", "0.25", None, 1),
    ]
    assert refusals(found) == [("CPU.120V.480G", "NOT_GPU")]
    whole = parse_panel_raw(capture(SOURCE, body))
    assert offers(whole) == offers(found)
    assert [reason for _, reason in refusals(whole)] == [
        "NOT_GPU",
        "OTHER_SERVICE",
        "OTHER_SERVICE",
    ]
