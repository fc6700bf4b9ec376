"""Baidu's page: a row per meter, per thousand tokens, batch in a column beside.

Figures as published on 2026-07-09."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from collectors.base import Capture
from collectors.tokens.baidu_qianfan import SOURCE, parse
from methodology import schemas
from methodology.errors import ParseError
from tests.price_pages import Page

PAGE = Page(SOURCE, parse, "2026-07-09.html", datetime(2026, 7, 9, 12, 0, tzinfo=UTC))
BODY, THEN = PAGE.body, PAGE.then
capture, changed, prices, reasons = PAGE.capture, PAGE.changed, PAGE.prices, PAGE.reasons


def test_the_page_gives_its_list_prices_in_yuan_of_the_seller_itself() -> None:
    found = parse(capture(BODY))
    schemas.validate(schemas.Quote, found.quotes, SOURCE.id)
    schemas.validate(schemas.Rejection, found.rejections, SOURCE.id)
    told = found.quotes.select("provider", "quoted_unit", "currency", "tier", "tax_included")
    assert set(told.rows()) == {("baidu_qianfan", "per_ktok", "CNY", "E3", None)}
    assert prices(BODY) == [
        ("ERNIE-5.1", "IN", "0.004"),
        ("ERNIE-5.1", "OUT", "0.018"),
        ("ERNIE-4.5-Turbo-128K", "IN", "0.0008"),
        ("ERNIE-4.5-Turbo-128K", "BAT_IN", "0.00032"),
        ("ERNIE-4.5-Turbo-128K", "CIN", "0.0002"),
        ("ERNIE-4.5-Turbo-128K", "OUT", "0.0032"),
        ("ERNIE-4.5-Turbo-128K", "BAT_OUT", "0.00128"),
        ("ERNIE-4.5-Turbo-VL", "IN", "0.003"),
        ("ERNIE-4.5-Turbo-VL", "BAT_IN", "0.0012"),
        ("ERNIE-4.5-Turbo-VL-32K", "IN", "0.003"),
        ("ERNIE-4.5-Turbo-VL-32K", "BAT_IN", "0.0012"),
        ("ERNIE-4.5-Turbo-VL", "OUT", "0.009"),
        ("ERNIE-4.5-Turbo-VL", "BAT_OUT", "0.0036"),
        ("ERNIE-4.5-Turbo-VL-32K", "OUT", "0.009"),
        ("ERNIE-4.5-Turbo-VL-32K", "BAT_OUT", "0.0036"),
    ]
    assert reasons(BODY) == [
        ("ERNIE-5.1", "CONTEXT_BRACKET"),
        ("ERNIE-5.1", "CONTEXT_BRACKET"),
        ("ERNIE-4.5-Turbo-128K", "NOT_A_MEASURED_METER"),
    ]


def test_a_row_in_another_unit_is_refused() -> None:
    found = reasons(changed("元/千tokens", "元/千字"))
    assert set(found) == {
        ("ERNIE-5.1", "UNKNOWN_UNIT"),
        ("ERNIE-4.5-Turbo-128K", "UNKNOWN_UNIT"),
        ("ERNIE-4.5-Turbo-128K", "NOT_A_MEASURED_METER"),
        ("ERNIE-4.5-Turbo-VL", "UNKNOWN_UNIT"),
        ("ERNIE-4.5-Turbo-VL-32K", "UNKNOWN_UNIT"),
    }


def test_tuning_is_no_inference() -> None:
    found = reasons(changed("推理服务", "模型精调"))
    assert {reason for _, reason in found} == {"NOT_A_MEASURED_METER"}
    assert prices(changed("推理服务", "模型精调")) == []


def test_a_million_stays_a_million_where_the_page_says_so() -> None:
    found = parse(capture(changed("元/千tokens", "元/百万tokens"))).quotes
    assert set(found["quoted_unit"]) == {"per_mtok"}


FAULTS = {
    "columns exchanged": (changed("<th>在线推理</th>", "<th>价格</th>"), "TABLE_CHANGED"),
    "a span that cannot be": (changed('rowspan="4"', 'rowspan="4000"'), "SHAPE"),
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
