"""Zhipu's page: discounts with an end, brackets of length, free models.

Figures as published in August and September 2026."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from collectors.base import Capture
from collectors.tokens.zhipu import SOURCE, parse
from methodology import schemas
from methodology.errors import ParseError
from tests.price_pages import Page

PAGE = Page(SOURCE, parse, "2026-09-01.md", datetime(2026, 9, 1, 12, 0, tzinfo=UTC))
BODY, THEN = PAGE.body, PAGE.then
capture, changed, prices, reasons = PAGE.capture, PAGE.changed, PAGE.prices, PAGE.reasons


def test_the_page_gives_its_list_prices_in_yuan_of_the_seller_itself() -> None:
    found = parse(capture(BODY))
    schemas.validate(schemas.Quote, found.quotes, SOURCE.id)
    schemas.validate(schemas.Rejection, found.rejections, SOURCE.id)
    told = found.quotes.select("provider", "quoted_unit", "currency", "tier", "tax_included")
    assert set(told.rows()) == {("zhipu", "per_mtok", "CNY", "E3", None)}
    assert prices(BODY) == [
        ("GLM-5.3", "IN", "8"),
        ("GLM-5.3", "OUT", "28"),
        ("GLM-5.3", "CIN", "2"),
        ("GLM-5.3-Flash", "IN", "0.4"),
        ("GLM-5.3-Flash", "OUT", "1.4"),
        ("GLM-5.3-Flash", "CIN", "0.115"),
        ("GLM-5.1", "IN", "6"),
        ("GLM-5.1", "OUT", "24"),
        ("GLM-5.1", "CIN", "1.3"),
    ]
    assert reasons(BODY) == [
        ("GLM-5.1", "CONTEXT_BRACKET"),
        ("GLM-4.7-Flash", "FREE_OFFER"),
        ("GLM-4.7-Flash", "FREE_OFFER"),
        ("GLM-4.7-Flash", "FREE_OFFER"),
    ]


def test_a_discount_ends_at_midnight_in_beijing() -> None:
    flash = parse(capture(BODY)).quotes.filter(listing_id="GLM-5.3-Flash")
    assert set(flash["effective_to"]) == {datetime(2026, 9, 9, 16, 0)}
    others = parse(capture(BODY)).quotes.filter(listing_id="GLM-5.3")
    assert set(others["effective_to"]) == {None}


def test_a_discount_that_has_ended_is_no_price() -> None:
    late = datetime(2026, 9, 9, 16, 0, tzinfo=UTC)
    assert ("GLM-5.3-Flash", "CONDITIONAL_TARIFF") in reasons(BODY, late)
    assert not [price for price in prices(BODY, late) if price[0] == "GLM-5.3-Flash"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("活动截止", "活动", id="no end is stated"),
        pytest.param("GLM-5.3-Flash 表中", "GLM-5.3 表中", id="the note is of another model"),
        pytest.param("9 月 9 日", "9 月 31 日", id="there is no such day"),
    ],
)
def test_a_discount_without_an_end_that_can_be_read_is_refused(old: str, new: str) -> None:
    assert ("GLM-5.3-Flash", "CONDITIONAL_TARIFF") in reasons(changed(old, new))


def test_a_tier_of_the_output_too_is_conditional() -> None:
    found = reasons(changed("[0, 32K)", "[0, 32K)，输出长度 [0, 0.2K)"))
    assert ("GLM-5.1", "CONDITIONAL_TARIFF") in found


FAULTS = {
    "another unit": (changed("元/百万 Tokens", "元/千 Tokens"), "TABLE_CHANGED"),
    "columns exchanged": (changed("输入单价", "单价"), "TABLE_CHANGED"),
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
