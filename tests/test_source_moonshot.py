"""Moonshot's page: tables in components, columns in changing order, batch beside standard.

Figures as published on 2026-10-05, the batch of 2026."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from collectors.base import Capture
from collectors.tokens.moonshot import SOURCE, parse
from methodology import schemas
from methodology.errors import ParseError
from tests.price_pages import Page

PAGE = Page(SOURCE, parse, "2026-10-05.md", datetime(2026, 10, 5, 12, 0, tzinfo=UTC))
BODY, THEN = PAGE.body, PAGE.then
capture, changed, prices, reasons = PAGE.capture, PAGE.changed, PAGE.prices, PAGE.reasons


def test_the_page_gives_its_list_prices_in_yuan_of_the_seller_itself() -> None:
    found = parse(capture(BODY))
    schemas.validate(schemas.Quote, found.quotes, SOURCE.id)
    schemas.validate(schemas.Rejection, found.rejections, SOURCE.id)
    told = found.quotes.select("provider", "quoted_unit", "currency", "tier", "tax_included")
    assert set(told.rows()) == {("moonshot", "per_mtok", "CNY", "E3", None)}
    assert prices(BODY) == [
        ("kimi-k3", "IN", "20.00"),
        ("kimi-k3", "CIN", "2.00"),
        ("kimi-k3", "OUT", "100.00"),
        ("kimi-k2.7-code", "IN", "6.50"),
        ("kimi-k2.7-code", "CIN", "1.30"),
        ("kimi-k2.7-code", "OUT", "27.00"),
        ("kimi-k2.6", "IN", "6.50"),
        ("kimi-k2.6", "CIN", "1.10"),
        ("kimi-k2.6", "OUT", "27.00"),
        ("kimi-k2.6", "BAT_IN", "3.90"),
        ("kimi-k2.6", "BAT_OUT", "16.20"),
    ]
    assert reasons(BODY) == [
        ("kimi-k2.6", "NOT_A_MEASURED_METER"),
    ]


def test_columns_are_found_by_their_titles() -> None:
    swapped = (
        changed("输入价格（缓存命中）", "X")
        .replace("输入价格（缓存未命中）", "输入价格（缓存命中）")
        .replace("X", "输入价格（缓存未命中）")
    )
    assert ("kimi-k3", "IN", "2.00") in prices(swapped)


def test_another_billing_unit_is_refused() -> None:
    found = reasons(changed('"kimi-k2.6", "1M tokens"', '"kimi-k2.6", "1K tokens"'))
    assert ("kimi-k2.6", "UNKNOWN_UNIT") in found


def test_dollars_are_the_list_of_another_site() -> None:
    found = reasons(changed("¥20.00", "$3.00"))
    assert ("kimi-k3", "OTHER_CURRENCY") in found


FAULTS = {
    "an unknown column": (changed("输出价格", "输出价格（优惠）"), "TABLE_CHANGED"),
    "a column twice": (changed("上下文窗口", "输出价格"), "TABLE_CHANGED"),
    "no unit column": (changed('{ title: "计费单位", width: "14%" },', ""), "TABLE_CHANGED"),
    "a row that is not read": (changed('"¥27.00", "262', '27, "262'), "TABLE_CHANGED"),
    "a comma too few": (changed('"kimi-k2.6", "1M', '"kimi-k2.6" "1M'), "TABLE_CHANGED"),
    "no rows": (changed("rows={", "lines={"), "TABLE_CHANGED"),
    "a page of a megabyte": (BODY + " " * 10**6, "SHAPE"),
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


def test_a_control_character_in_a_cell_refuses_the_table() -> None:
    with pytest.raises(ParseError) as caught:
        parse(capture(changed('["kimi', '["k\x01imi')))
    assert caught.value.reason == "TABLE_CHANGED"
