"""Volcengine's document: models written once, brackets of input and output, latency levels.

Figures of 2026; those of low latency stand for a refused row."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from collectors.base import Capture
from collectors.tokens.volcengine import SOURCE, parse
from methodology import schemas
from methodology.errors import ParseError
from tests.price_pages import Page

PAGE = Page(SOURCE, parse, "2026-09-21.json", datetime(2026, 9, 21, 12, 0, tzinfo=UTC))
BODY, THEN = PAGE.body, PAGE.then
capture, changed, prices, reasons = PAGE.capture, PAGE.changed, PAGE.prices, PAGE.reasons


def test_the_page_gives_its_list_prices_in_yuan_of_the_seller_itself() -> None:
    found = parse(capture(BODY))
    schemas.validate(schemas.Quote, found.quotes, SOURCE.id)
    schemas.validate(schemas.Rejection, found.rejections, SOURCE.id)
    told = found.quotes.select("provider", "quoted_unit", "currency", "tier", "tax_included")
    assert set(told.rows()) == {("volcengine", "per_mtok", "CNY", "E3", None)}
    assert prices(BODY) == [
        ("doubao-seed-2.1-pro", "IN", "6"),
        ("doubao-seed-2.1-pro", "CIN", "1.2"),
        ("doubao-seed-2.1-pro", "OUT", "30"),
        ("doubao-seed-2.0-pro", "IN", "3.2"),
        ("doubao-seed-2.0-pro", "CIN", "0.64"),
        ("doubao-seed-2.0-pro", "OUT", "16"),
    ]
    assert reasons(BODY) == [
        ("doubao-seed-2.0-pro", "CONTEXT_BRACKET"),
        ("doubao-seed-1.6", "CONDITIONAL_TARIFF"),
        ("doubao-seed-1.6", "CONDITIONAL_TARIFF"),
        ("doubao-seed-2.1-pro", "PRICE_VARIANT"),
    ]


def test_an_empty_cell_goes_on_with_the_model_above() -> None:
    assert ("doubao-seed-2.0-pro", "CONTEXT_BRACKET") in reasons(BODY)


def test_after_a_row_that_is_not_read_no_model_is_assumed() -> None:
    text = changed("|doubao\\\\-seed\\\\-2.0\\\\-pro |输入长度 [0, 32] |", "|输入长度 [0, 32] |")
    assert ("", "MALFORMED_ROW") in reasons(text)
    assert ("", "NOT_A_LISTING") in reasons(text)


FAULTS = {
    "another document": (changed("1544106", "1544107"), "SHAPE"),
    "no Markdown": (changed("MDContent", "Content"), "SHAPE"),
    "another heading": (changed("在线推理（常规）", "在线推理"), "TABLE_CHANGED"),
    "two regular tables": (changed("在线推理（低延迟）", "在线推理（常规）"), "TABLE_CHANGED"),
    "another unit of output": (
        changed("输出<br>元/百万token", "输出<br>元/千token"),
        "TABLE_CHANGED",
    ),
    "the model is not first": (changed("|模型名称 |条件", "|条件 |模型名称"), "TABLE_CHANGED"),
    "an error page": ("<html><body>404</body></html>", "NOT_JSON"),
    "nothing": ("", "NOT_JSON"),
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
