"""Tencent's page: both prices in one cell, models written once for their brackets.

Figures as published in 2026; the page itself was not at hand."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from collectors.base import Capture
from collectors.tokens.tencent_hunyuan import SOURCE, parse
from methodology import schemas
from methodology.errors import ParseError
from tests.price_pages import Page

PAGE = Page(SOURCE, parse, "2026-08-22.html", datetime(2026, 8, 22, 12, 0, tzinfo=UTC))
BODY, THEN = PAGE.body, PAGE.then
capture, changed, prices, reasons = PAGE.capture, PAGE.changed, PAGE.prices, PAGE.reasons


def test_the_page_gives_its_list_prices_in_yuan_of_the_seller_itself() -> None:
    found = parse(capture(BODY))
    schemas.validate(schemas.Quote, found.quotes, SOURCE.id)
    schemas.validate(schemas.Rejection, found.rejections, SOURCE.id)
    told = found.quotes.select("provider", "quoted_unit", "currency", "tier", "tax_included")
    assert set(told.rows()) == {("tencent_hunyuan", "per_mtok", "CNY", "E3", None)}
    assert prices(BODY) == [
        ("Tencent HY 2.0 Think", "IN", "3.975"),
        ("Tencent HY 2.0 Think", "OUT", "15.9"),
        ("Hunyuan-T1", "IN", "1"),
        ("Hunyuan-T1", "OUT", "4"),
    ]
    assert reasons(BODY) == [
        ("Tencent HY 2.0 Think", "CONTEXT_BRACKET"),
    ]


CELLS = {
    "no unit anywhere": ("输入：1元 输出：4元", "UNKNOWN_UNIT"),
    "a meter twice": ("输入：1元/百万tokens 输入：4元/百万tokens", "NOT_A_NUMBER"),
    "no output": ("输入：1元/百万tokens", "NOT_A_NUMBER"),
    "words around it": ("输入：1元/百万tokens 输出：4元/百万tokens 起", "NOT_A_NUMBER"),
    "two points": ("输入：1.0.0元/百万tokens 输出：4元/百万tokens", "NOT_A_NUMBER"),
    "no price": ("联系我们", "NOT_A_NUMBER"),
}
T1 = "输入：1元/百万tokens<br>输出：4元/百万tokens"


@pytest.mark.parametrize(("cell", "reason"), CELLS.values(), ids=CELLS.keys())
def test_a_cell_that_is_not_wholly_read_is_refused(cell: str, reason: str) -> None:
    text = changed(T1, cell)
    assert ("Hunyuan-T1", reason) in reasons(text)


def test_the_unit_may_stand_in_the_head() -> None:
    text = changed(T1, "输入：1元，输出：4元，缓存命中：0.5元")
    text = text.replace("<th>刊例价</th>", "<th>刊例价（元/千tokens）</th>")
    found = parse(capture(text)).quotes.filter(listing_id="Hunyuan-T1")
    assert found.select("meter", "price_text", "quoted_unit").rows() == [
        ("IN", "1", "per_ktok"),
        ("OUT", "4", "per_ktok"),
        ("CIN", "0.5", "per_ktok"),
    ]


FAULTS = {
    "no list price": (changed("刊例价", "价格"), "TABLE_CHANGED"),
    "no product": (changed("产品名", "型号"), "TABLE_CHANGED"),
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
