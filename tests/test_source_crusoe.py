"""Crusoe: the section of GPU instances, and what looks alike behind it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from collectors.base import Capture, Parsed
from collectors.gpus.crusoe import SOURCE, parse
from methodology.errors import ParseError

PAGE = (Path(__file__).parent / "payloads/crusoe/2026-08-22.html").read_text("utf-8")


def read(page: str) -> Parsed:
    moment = datetime(2026, 8, 22, tzinfo=UTC)
    return parse(Capture(SOURCE.id, SOURCE.url, page.encode(), moment))


def test_prices_of_the_section_and_of_nothing_behind_it() -> None:
    # Behind it stand 0.04 a vCPU-hour and an "NVIDIA H100" at 5.50 as a managed deployment.
    quotes = read(PAGE).quotes
    assert quotes.select("listing_id", "price_text", "tenor").rows() == [
        ("NVIDIA H100 80GB HGX", "3.90", "on_demand"),
        ("NVIDIA A100 80GB SXM", "2.30", "on_demand"),
        ("NVIDIA A100 80GB PCIe", "2.00", "on_demand"),
        ("NVIDIA L40S 48GB", "1.50", "on_demand"),
    ]
    assert set(quotes["quoted_unit"]) == {"per_gpu_hour"}
    assert set(quotes["tier"]) == {"E3"}


def test_what_is_sold_by_talking_is_not_offered() -> None:
    refused = read(PAGE).rejections
    # The B200 in both columns, the four others in the column of spot.
    assert refused["reason"].to_list() == ["PRICE_NOT_OFFERED"] * 6
    assert refused["listing_id"].to_list()[:2] == ["NVIDIA B200 180GB HGX"] * 2


def test_a_spot_price_is_quoted_the_day_it_is_posted() -> None:
    spot = '<p>$3.90/GPU-hr</p></div><div class="pricing-rich w-richtext"><p>$1.60/GPU-hr</p></div>'
    page = PAGE.replace("<p>$3.90/GPU-hr</p></div>", spot, 1)
    # The row then has three cells and is refused; with two of them it is read.
    assert "MALFORMED_ROW" in read(page).rejections["reason"].to_list()
    link = '<p><a href="/contact-sales">Contact sales</a></p>'
    sales = f'<div class="pricing-rich w-richtext">{link}</div>'
    found = read(page.replace(spot + sales, spot, 1))
    assert found.quotes.select("price_text", "tenor").rows()[:2] == [
        ("3.90", "on_demand"),
        ("1.60", "spot"),
    ]


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        pytest.param("<p>$3.90/hr</p>", "UNKNOWN_UNIT", id="per hour of what"),
        pytest.param(
            "<p>$31.20/GPU-hr</p><p>per 8-GPU node</p>", "UNKNOWN_UNIT", id="a second line"
        ),
        pytest.param("<p>$3.90/GPU-hr</p> reserved", "UNKNOWN_UNIT", id="a word behind it"),
        pytest.param("<p><s>$4.29/GPU-hr</s> $3.90/GPU-hr</p>", "UNKNOWN_UNIT", id="an old price"),
        pytest.param("<p>€3.90/GPU-hr</p>", "NOT_A_NUMBER", id="euros"),
        pytest.param("<p>$0/GPU-hr</p>", "ZERO_PRICE", id="zero is not offered"),
    ],
)
def test_a_cell_that_is_not_wholly_a_price_is_refused(cell: str, reason: str) -> None:
    found = read(PAGE.replace("<p>$3.90/GPU-hr</p>", cell, 1))
    told = found.rejections.filter(listing_id="NVIDIA H100 80GB HGX")["reason"].to_list()
    assert told == [reason, "PRICE_NOT_OFFERED"]
    assert found.quotes.height == 3


def test_a_row_without_a_name_is_refused() -> None:
    found = read(PAGE.replace(">NVIDIA H100</h4>", "></h4>", 1))
    assert found.rejections["reason"].to_list().count("MALFORMED_ROW") == 1
    assert "3.90" not in found.quotes["price_text"].to_list()


@pytest.mark.parametrize(
    "page",
    [
        pytest.param("<html></html>", id="an empty page"),
        pytest.param(PAGE.replace("CPU instances pricing", "CPUs"), id="no end of the section"),
        pytest.param(PAGE.replace("GPU instances pricing", "GPUs"), id="no section"),
        pytest.param(PAGE.replace("Current spot", "Reserved"), id="a renamed column"),
        pytest.param(PAGE.replace("pricing_gpu-item", "row"), id="no rows"),
        pytest.param(PAGE + PAGE, id="two sections"),
        pytest.param(PAGE[: PAGE.index("CPU instances")], id="cut off"),
    ],
)
def test_a_page_that_changed_is_an_error(page: str) -> None:
    with pytest.raises(ParseError) as caught:
        read(page)
    assert (caught.value.source, caught.value.reason) == ("crusoe", "TABLE_CHANGED")


def test_it_is_a_page_for_people() -> None:
    assert SOURCE.is_page
    assert SOURCE.content_types == ("text/html",)
