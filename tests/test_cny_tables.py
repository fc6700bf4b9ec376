"""Brackets of length and cells in yuan, as Chinese price pages write them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from collectors.base import Capture
from collectors.tokens.cny_tables import Cell, Sheet, bracket_refusal, figure_of, unit_in
from methodology.errors import ParseError, PriceError

LIST, OTHER = None, "CONTEXT_BRACKET"
BRACKETS = {
    "": LIST,
    "-": LIST,
    "无阶梯计价": LIST,
    "0<Token≤32K": LIST,
    "32K<Token≤128K": OTHER,
    "0＜Token≤1M": LIST,
    "输入长度 [0, 32]": LIST,
    "输入长度 (32, 128]": OTHER,
    "输入长度 [0, 32K)": LIST,
    "输入长度 ≥32K": OTHER,
    "输入长度 [32K, 128K)": OTHER,
    "输入<=32k": LIST,
    "输入=<32k": LIST,
    "32k<输入<=128k": OTHER,
    "≤ 512k 输入 tokens": LIST,
    "> 512k 输入 tokens": OTHER,
    "输入 [0, 32k)": LIST,
    "输入 [32k, +∞)": OTHER,
    "输入长度 [0, 32] 且输出长度 [0, 0.2]": "CONDITIONAL_TARIFF",
    "输入长度 [32, +∞) 且输出长度 (0.2, +∞)": "CONDITIONAL_TARIFF",
    "工作日": "UNKNOWN_CONDITION",
    "输入长度 [0, 32] 以内": "UNKNOWN_CONDITION",
    "0.5K<Token≤32K": OTHER,
}


@pytest.mark.parametrize(
    ("words", "reason"), BRACKETS.items(), ids=[b or "no words" for b in BRACKETS]
)
def test_only_the_bracket_that_begins_at_nothing_is_the_list_price(
    words: str, reason: str | None
) -> None:
    assert bracket_refusal(words) == reason


HEADS = {
    "输入价格 元/百万 tokens": "per_mtok",
    "输入单价（元/百万 Tokens）": "per_mtok",
    "输出 元/千tokens": "per_ktok",
    "缓存存储（元/百万 Tokens/小时）": None,
    "单价": None,
    "输入价格 美元/百万 tokens": None,
    "输入单价（港元/百万 Tokens）": None,
    "输出 万元/百万tokens": None,
}


@pytest.mark.parametrize(("head", "unit"), HEADS.items(), ids=HEADS.keys())
def test_a_head_says_what_its_figures_are_per(head: str, unit: str | None) -> None:
    assert unit_in(head) == unit


CELLS: dict[str, tuple[str, tuple[str, str] | None]] = {
    "a bare figure": ("2.1", ("2.1", "per_mtok")),
    "yuan after it": ("2.5元", ("2.5", "per_mtok")),
    "yuan before it": ("¥1.10", ("1.10", "per_mtok")),
    "brackets emptied by struck-out text": ("0.4（）", ("0.4", "per_mtok")),
    "a footnote": ("2.1[1]", ("2.1", "per_mtok")),
    "its own unit": ("0.004元/千tokens", ("0.004", "per_ktok")),
    "a dash": ("——", None),
    "not supported": ("不支持", None),
}


@pytest.mark.parametrize(("text", "found"), CELLS.values(), ids=CELLS.keys())
def test_a_cell_is_one_figure_or_none(text: str, found: tuple[str, str] | None) -> None:
    assert figure_of(text, "per_mtok") == found


NOT_PRICES = {
    "free": ("免费", "FREE_OFFER"),
    "free for a time": ("限时免费", "FREE_OFFER"),
    "zero": ("0", "FREE_OFFER"),
    "zero with places": ("0.00", "FREE_OFFER"),
    "dollars": ("$0.5", "OTHER_CURRENCY"),
    "two figures": ("忙时2元闲时1元", "TWO_PRICES"),
    "a discount in words": ("12元（限时5折）", "NOT_A_NUMBER"),
    "a range": ("2~3", "NOT_A_NUMBER"),
    "a thousands mark": ("1,000", "NOT_A_NUMBER"),
    "below zero": ("-2", "NOT_A_NUMBER"),
    "full-width digits": ("２.１", "NOT_A_NUMBER"),
    "more digits than a price has": ("¥" + "9" * 30, "NOT_A_NUMBER"),
    "to be told": ("待定", "NOT_A_NUMBER"),
}


@pytest.mark.parametrize(("text", "reason"), NOT_PRICES.values(), ids=NOT_PRICES.keys())
def test_a_cell_that_is_no_price_says_why(text: str, reason: str) -> None:
    with pytest.raises(PriceError) as caught:
        figure_of(text, "per_mtok")
    assert caught.value.reason == reason


def sheet() -> Sheet:
    return Sheet(Capture("minimax", "page", b"x", datetime(2026, 11, 21, tzinfo=UTC)), "seller")


def test_a_dash_for_input_or_output_is_missing_and_for_the_cache_no_offer() -> None:
    out = sheet()
    out.offer("m-1", "", {"IN": Cell("in", "-"), "OUT": Cell("out", "2"), "CIN": Cell("c", "-")})
    found = out.parsed()
    assert found.quotes.select(
        "meter", "price_text", "currency", "tier", "tax_included"
    ).rows() == [("OUT", "2", "CNY", "E3", None)]
    assert found.rejections["reason"].to_list() == ["PRICE_MISSING"]


@pytest.mark.parametrize("name", ["", "模型", "a b  c", "<b>", "a" * 10 + "\n", "-x"])
def test_what_names_no_model_is_one_rejection(name: str) -> None:
    out = sheet()
    out.offer(name, "", {"IN": Cell("in", "1"), "OUT": Cell("out", "2")})
    assert out.parsed().rejections["reason"].to_list() == ["NOT_A_LISTING"]


def test_a_multiple_that_the_page_states_is_quoted_with_both_figures() -> None:
    out = sheet()
    out.offer("m-1", "", {"BAT_IN": Cell("in", "2.5元")}, times="0.5")
    assert out.parsed().quotes["price_text"].to_list() == ["2.5 * 0.5"]


def test_tables_without_a_row_are_a_page_that_changed() -> None:
    with pytest.raises(ParseError, match="TABLE_CHANGED"):
        sheet().parsed()


def test_two_prices_of_one_model_are_none_of_it() -> None:
    sheet = Sheet(Capture("acme", "page", b"", datetime(2026, 11, 20, tzinfo=UTC)), "acme")
    for price in ("3.15", "2.10"):
        sheet.offer("qwen3-max", "", {"IN": Cell("输入", price)})
    found = sheet.parsed()
    assert found.quotes.select("price_text", "status").rows() == [(None, "unknown")]
    assert found.rejections["reason"].to_list() == ["AMBIGUOUS_LISTING"] * 2
