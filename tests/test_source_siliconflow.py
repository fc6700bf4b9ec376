"""SiliconFlow's page: blocks in place of tables, tiers and hours in the cells.

Figures as published in September 2026."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from collectors.base import Capture
from collectors.tokens.siliconflow import SOURCE, parse
from methodology import schemas
from methodology.errors import ParseError
from tests.price_pages import Page

PAGE = Page(SOURCE, parse, "2026-09-12.html", datetime(2026, 9, 12, 12, 0, tzinfo=UTC))
BODY, THEN = PAGE.body, PAGE.then
capture, changed, prices, reasons = PAGE.capture, PAGE.changed, PAGE.prices, PAGE.reasons


def test_the_page_gives_its_list_prices_in_yuan_of_the_seller_itself() -> None:
    found = parse(capture(BODY))
    schemas.validate(schemas.Quote, found.quotes, SOURCE.id)
    schemas.validate(schemas.Rejection, found.rejections, SOURCE.id)
    told = found.quotes.select("provider", "quoted_unit", "currency", "tier", "tax_included")
    assert set(told.rows()) == {("siliconflow", "per_mtok", "CNY", "E3", None)}
    assert prices(BODY) == [
        ("zai-org/GLM-5.2", "IN", "8.00"),
        ("zai-org/GLM-5.2", "OUT", "28.00"),
        ("zai-org/GLM-5.2", "CIN", "2.00"),
        ("Pro/zai-org/GLM-5.1", "IN", "6.00"),
        ("Pro/zai-org/GLM-5.1", "OUT", "24.00"),
        ("Pro/zai-org/GLM-5.1", "CIN", "1.30"),
        ("deepseek-ai/DeepSeek-V4-Flash", "IN", "1.50"),
        ("deepseek-ai/DeepSeek-V4-Flash", "OUT", "4.50"),
        ("deepseek-ai/DeepSeek-V4-Flash", "CIN", "0.15"),
        ("deepseek-ai/DeepSeek-V4-Flash", "IN", "3.00"),
        ("deepseek-ai/DeepSeek-V4-Flash", "OUT", "9.00"),
        ("deepseek-ai/DeepSeek-V4-Flash", "CIN", "0.30"),
        ("deepseek-ai/DeepSeek-V4-Flash", "IN", "3.00"),
        ("deepseek-ai/DeepSeek-V4-Flash", "OUT", "9.00"),
        ("deepseek-ai/DeepSeek-V4-Flash", "CIN", "0.30"),
        ("Qwen/Qwen3.8-27B", "IN", "3.00"),
        ("Qwen/Qwen3.8-27B", "OUT", "12.00"),
    ]
    assert reasons(BODY) == [
        ("Pro/zai-org/GLM-5.1", "CONTEXT_BRACKET"),
        ("BAAI/bge-m3", "FREE_OFFER"),
        ("BAAI/bge-m3", "PRICE_MISSING"),
    ]


def test_hours_of_beijing_are_quoted_in_utc() -> None:
    found = parse(capture(BODY)).quotes.filter(
        listing_id="deepseek-ai/DeepSeek-V4-Flash", meter="IN"
    )
    # 2 to 8 in Beijing is 18:00 to 24:00 UTC; 0 to 2 is 16:00 to 18:00, 8 to 24 is 0:00 to 16:00.
    assert found.select("price_text", "window_start_min", "window_end_min").rows() == [
        ("1.50", 1080, 0),
        ("3.00", 960, 1080),
        ("3.00", 0, 960),
    ]


CELLS = {
    "hours that run backwards": ("费用发生时段: 8点～2点 ", "BAD_WINDOW"),
    "an hour that does not exist": ("费用发生时段: 2点～25点 ", "BAD_WINDOW"),
    "words beside the hours": ("费用发生时段: 工作日2点～8点 ", "BAD_WINDOW"),
    "other words": ("限时优惠 ", "NOT_A_NUMBER"),
}


@pytest.mark.parametrize(("words", "reason"), CELLS.values(), ids=CELLS.keys())
def test_words_that_are_not_understood_refuse_the_three_prices(words: str, reason: str) -> None:
    text = changed("费用发生时段: 2点～8点 ", words)
    assert ("deepseek-ai/DeepSeek-V4-Flash", reason) in reasons(text)
    kept = [row for row in prices(text) if row[0] == "deepseek-ai/DeepSeek-V4-Flash"]
    assert ("deepseek-ai/DeepSeek-V4-Flash", "IN", "1.50") not in kept
    assert bool(kept) is (reason != "BAD_WINDOW")  # beside hours, the rest is half a tariff


def test_a_block_with_another_number_of_cells_is_refused() -> None:
    found = reasons(changed("<div>¥2.00</div>", ""))
    assert ("zai-org/GLM-5.2", "MALFORMED_ROW") in found


def test_a_block_without_a_link_names_no_model() -> None:
    found = reasons(changed('title="zai-org/GLM-5.2"', ""))
    assert ("", "NOT_A_LISTING") in found


FAULTS = {
    "no unit in the heads": (changed("（M Tokens）", ""), "TABLE_CHANGED"),
    "blocks of another name": (changed("pricing-row-text-", "price-row-"), "TABLE_CHANGED"),
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
