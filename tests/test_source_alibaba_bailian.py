"""Alibaba's page: brackets, modes, regions, batch at half.

Figures as published in August 2026; those of Singapore stand for a refused row."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from collectors.base import Capture
from collectors.tokens.alibaba_bailian import SOURCE, parse
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
    assert set(told.rows()) == {("alibaba_bailian", "per_mtok", "CNY", "E3", None)}
    assert prices(BODY) == [
        ("qwen3-max", "IN", "2.5"),
        ("qwen3-max", "OUT", "10"),
        ("qwen3-max", "BAT_IN", "2.5 * 0.5"),
        ("qwen3-max", "BAT_OUT", "10 * 0.5"),
        ("qwen3.8-max", "IN", "12"),
        ("qwen3.8-max", "OUT", "36"),
    ]
    assert reasons(BODY) == [
        ("qwen3-max", "CONTEXT_BRACKET"),
        ("qwen3-max", "CONTEXT_BRACKET"),
        ("qwen-plus", "CONDITIONAL_TARIFF"),
        ("qwen-plus", "CONDITIONAL_TARIFF"),
        ("qwen3-max", "PRICE_VARIANT"),
    ]


def test_batch_is_quoted_as_the_product_the_page_states() -> None:
    assert ("qwen3-max", "BAT_OUT", "10 * 0.5") in prices(BODY)
    assert not [p for p in prices(changed("Batch调用半价", "")) if p[1].startswith("BAT")]


def test_one_price_for_both_modes_is_the_list_price() -> None:
    text = changed(
        "<tr><td>思考模式</td><td>0&lt;Token≤128K</td><td>0.8元</td><td>8元</td><td>无</td></tr>",
        "",
    )
    text = text.replace('<td rowspan="2">qwen-plus</td>', "<td>qwen-plus</td>")
    assert ("qwen-plus", "OUT", "2") in prices(text)


def test_notes_that_stick_to_the_model_are_no_part_of_its_name() -> None:
    text = changed("qwen3-max<blockquote>Batch", "qwen3-maxBatch<blockquote>")
    assert ("qwen3-maxBatch 调用半价 上下文缓存享有折扣", "NOT_A_LISTING") in reasons(text)


CELLS = {
    "a discount in words": ("12元（限时5折）", "NOT_A_NUMBER"),
    "day and night": ("忙时12元 闲时6元", "TWO_PRICES"),
    "free for a time": ("限时免费", "FREE_OFFER"),
}


@pytest.mark.parametrize(("cell", "reason"), CELLS.values(), ids=CELLS.keys())
def test_a_price_with_a_condition_in_it_is_no_list_price(cell: str, reason: str) -> None:
    assert ("qwen3.8-max", reason) in reasons(changed("<td>12元</td>", f"<td>{cell}</td>"))


FAULTS = {
    "another unit": (changed("每百万Token", "每千Token"), "TABLE_CHANGED"),
    "no Beijing": (changed("华北2（北京）", "德国"), "TABLE_CHANGED"),
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
