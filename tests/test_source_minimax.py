"""MiniMax's page: tiers, tabs of service levels, former prices struck out.

Figures as published in summer 2026; those of the priority tab stand for a refused row."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from collectors.base import Capture
from collectors.tokens.minimax import SOURCE, parse
from methodology import schemas
from methodology.errors import ParseError
from tests.price_pages import Page

PAGE = Page(SOURCE, parse, "2026-08-22.md", datetime(2026, 8, 22, 12, 0, tzinfo=UTC))
BODY, THEN = PAGE.body, PAGE.then
capture, changed, prices, reasons = PAGE.capture, PAGE.changed, PAGE.prices, PAGE.reasons


def test_the_page_gives_its_list_prices_in_yuan_of_the_seller_itself() -> None:
    found = parse(capture(BODY))
    schemas.validate(schemas.Quote, found.quotes, SOURCE.id)
    schemas.validate(schemas.Rejection, found.rejections, SOURCE.id)
    told = found.quotes.select("provider", "quoted_unit", "currency", "tier", "tax_included")
    assert set(told.rows()) == {("minimax", "per_mtok", "CNY", "E3", None)}
    assert prices(BODY) == [
        ("MiniMax-M3", "IN", "2.10"),
        ("MiniMax-M3", "OUT", "8.40"),
        ("MiniMax-M3", "CIN", "0.42"),
        ("MiniMax-M2.7", "IN", "2.1"),
        ("MiniMax-M2.7", "OUT", "8.4"),
        ("MiniMax-M2.7", "CIN", "0.42"),
        ("MiniMax-M2.5", "IN", "2.1"),
        ("MiniMax-M2.5", "OUT", "8.4"),
        ("MiniMax-M2.5", "CIN", "0.21"),
        ("M2-her", "IN", "2.1"),
        ("M2-her", "OUT", "8.4"),
    ]
    assert reasons(BODY) == [
        ("MiniMax-M3", "CONTEXT_BRACKET"),
        ("MiniMax-M3", "PRICE_VARIANT"),
    ]


def test_a_former_price_that_is_struck_out_is_not_read() -> None:
    assert ("MiniMax-M3", "IN", "2.10") in prices(BODY)
    assert not any(price == "4.20" for _, _, price in prices(BODY))


def test_without_the_strike_two_figures_are_no_price() -> None:
    found = reasons(changed("~~4.20~~ 2.10", "4.20 2.10"))
    assert ("MiniMax-M3", "NOT_A_NUMBER") in found


def test_without_tabs_two_prices_of_one_model_are_none() -> None:
    text = "\n".join(line for line in BODY.splitlines() if "Tab" not in line)
    # Nothing says any more which of two prices is which: neither is one.
    assert ("MiniMax-M3", "IN", None) in prices(text)


def test_a_row_with_a_cell_too_few_is_refused() -> None:
    found = reasons(changed("| **MiniMax-M2.7** | 2.1 |", "| **MiniMax-M2.7** |"))
    assert ("", "MALFORMED_ROW") in found


FAULTS = {
    "another unit": (changed("元/百万 tokens", "元/千 tokens"), "TABLE_CHANGED"),
    "columns exchanged": (changed("**输入价格**", "**价格**"), "TABLE_CHANGED"),
    "another heading": (changed("## 文本", "## 图像"), "TABLE_CHANGED"),
    "an error page": ("<html><body>404</body></html>", "TABLE_CHANGED"),
    "nothing": ("", "TABLE_CHANGED"),
}


@pytest.mark.parametrize(("text", "reason"), FAULTS.values(), ids=FAULTS.keys())
def test_a_page_that_changed_is_refused_whole(text: str, reason: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse(capture(text))
    assert caught.value.reason == reason


def test_another_encoding_is_refused() -> None:
    body = Capture(SOURCE.id, SOURCE.url, BODY.encode("utf-16"), THEN)
    with pytest.raises(ParseError):
        parse(body)


def test_the_page_is_asked_for_once_and_pinned_to_yuan() -> None:
    (asked,) = SOURCE.requests(SOURCE.url)
    assert asked.url == SOURCE.url
    assert SOURCE.currencies == ("CNY",)
    assert SOURCE.is_page
