"""Nebius: the price table inside the data of its page."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from collectors.base import Capture, Parsed
from collectors.gpus.nebius import SOURCE, parse
from methodology.errors import ParseError

PAGE = (Path(__file__).parent / "payloads/nebius/2026-08-22.html").read_text("utf-8")


def read(page: str) -> Parsed:
    moment = datetime(2026, 8, 22, tzinfo=UTC)
    return parse(Capture(SOURCE.id, SOURCE.url, page.encode(), moment))


def test_both_columns_of_each_gpu() -> None:
    quotes = read(PAGE).quotes
    assert quotes.select("listing_id", "price_text", "tenor").rows() == [
        ("NVIDIA HGX B300", "4.30", "spot"),
        ("NVIDIA HGX B300", "7.85", "on_demand"),
        ("NVIDIA HGX H100", "2.15", "spot"),
        ("NVIDIA HGX H100", "3.85", "on_demand"),
    ]
    row = quotes.row(0, named=True)
    assert (row["quoted_unit"], row["currency"], row["tax_included"]) == (
        "per_gpu_hour",
        "USD",
        False,
    )
    assert (row["region"], row["tier"]) == (None, "E3")


def test_what_is_sold_by_talking_and_what_begins_at_a_price_is_refused() -> None:
    assert read(PAGE).rejections.select("listing_id", "reason").rows() == [
        ("NVIDIA GB300 NVL72", "PRICE_NOT_OFFERED"),
        ("NVIDIA GB300 NVL72", "PRICE_NOT_OFFERED"),
        ("NVIDIA L40S with AMD CPU", "NOT_A_NUMBER"),
        ("NVIDIA L40S with AMD CPU", "NOT_A_NUMBER"),
    ]


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        pytest.param("$0.00", "ZERO_PRICE", id="zero is not offered"),
        pytest.param("7.85", "NOT_A_NUMBER", id="no currency"),
        pytest.param("$1,23.45", "NOT_A_NUMBER", id="a misplaced comma"),
        pytest.param("₪28.10", "NOT_A_NUMBER", id="shekels"),
        pytest.param("€7.10", "OTHER_CURRENCY", id="euros"),
        pytest.param("$7.85 $6.10", "TWO_PRICES", id="two prices"),
        pytest.param("$62.80 / node", "UNKNOWN_UNIT", id="a node of eight"),
    ],
)
def test_a_cell_that_is_not_one_price_in_dollars_is_refused(cell: str, reason: str) -> None:
    found = read(PAGE.replace("$7.85", cell))
    told = found.rejections.filter(listing_id="NVIDIA HGX B300")
    assert told["reason"].to_list() == [reason]
    assert found.quotes.height == 3


def test_a_row_that_grew_a_column_is_refused_and_the_others_stand() -> None:
    wide = PAGE.replace(r"\"$2.15\",\"$3.85\"", r"\"$2.15\",\"$3.85\",\"$9.99\"")
    found = read(wide)
    assert "MALFORMED_ROW" in found.rejections["reason"].to_list()
    assert set(found.quotes["listing_id"]) == {"NVIDIA HGX B300"}


@pytest.mark.parametrize(
    "page",
    [
        pytest.param("<html></html>", id="an empty page"),
        pytest.param(
            PAGE.replace("Preemptible, GPU-hour", "Reserved, GPU-hour"), id="a renamed column"
        ),
        pytest.param(PAGE + PAGE, id="two tables"),
        pytest.param(PAGE[: PAGE.index("HGX H100")], id="cut off"),
        pytest.param('"content":[[' * 1000, id="tables in tables without end"),
    ],
)
def test_a_page_that_changed_is_an_error(page: str) -> None:
    with pytest.raises(ParseError) as caught:
        read(page)
    assert (caught.value.source, caught.value.reason) == ("nebius", "TABLE_CHANGED")


def test_it_is_a_page_for_people() -> None:
    assert SOURCE.is_page
    assert SOURCE.content_types == ("text/html",)
