"""Reading lists of models: what counts as the list, what as a price, what stands there twice."""

from __future__ import annotations

from datetime import datetime

import pytest

from collectors import strict
from collectors.base import Source
from collectors.model_lists import gives_text, models_of, name_of, settled, token_prices
from collectors.panel import load
from collectors.rows import Rows
from methodology.errors import ParseError
from tests.sellers import capture, prices, reasons

ANY: Source = load("together")
METERS = {"input": "IN", "output": "OUT", "cached": "CIN"}
SELLER = ("seller", "model")


def rows() -> Rows:
    return Rows(capture(ANY, b"[]"), "per_mtok")


def read(pricing: dict[str, object], *, is_text: bool = False, **more: object) -> Rows:
    found = rows()
    token_prices(found, *SELLER, pricing, METERS, is_text=is_text, **more)  # type: ignore[arg-type]
    return found


def number(text: str) -> strict.Number:
    return strict.Number(text)


PAGES = {
    "has_more": {"data": [{"id": "a"}], "has_more": True},
    "a cursor": {"data": [{"id": "a"}], "next_cursor": "x"},
    "a page token": {"data": [{"id": "a"}], "nextPageToken": "x"},
    "a link": {"data": [{"id": "a"}], "links": {"next": "https://example.org/2"}},
}


@pytest.mark.parametrize("body", PAGES.values(), ids=PAGES.keys())
def test_one_page_of_several_is_not_the_list(body: object) -> None:
    with pytest.raises(ParseError, match="one page of several"):
        models_of(capture(ANY, body))
    assert models_of(capture(ANY, body), is_page=True) == [{"id": "a"}]


def test_a_list_that_says_there_is_no_more_is_whole() -> None:
    body = {"data": [{"id": "a"}], "has_more": False, "next_cursor": None, "links": {"next": None}}
    assert models_of(capture(ANY, body)) == [{"id": "a"}]


def test_the_body_itself_can_be_the_list_but_only_if_promised() -> None:
    assert models_of(capture(ANY, [{"id": "a"}]), None) == [{"id": "a"}]
    for body, under in (([{"id": "a"}], "data"), ({"data": [{"id": "a"}]}, None)):
        with pytest.raises(ParseError, match="no list of models"):
            models_of(capture(ANY, body), under)


@pytest.mark.parametrize("body", [{"data": []}, {"data": {}}, {}], ids=["empty", "map", "none"])
def test_a_seller_that_lists_nothing_did_not_answer(body: object) -> None:
    with pytest.raises(ParseError, match="no list of models under 'data'"):
        models_of(capture(ANY, body))


def test_a_number_names_nothing() -> None:
    with pytest.raises(ParseError, match="a model whose id is '7'"):
        name_of(capture(ANY, b"[]"), {"id": number("7")})


MODALITIES = {
    "nothing stated": ({}, True),
    "text": ({"output_modalities": ["text"]}, True),
    "text in the architecture": ({"architecture": {"output_modalities": ["text"]}}, True),
    "images only": ({"output_modalities": ["image"]}, False),
    "images only in the architecture": ({"architecture": {"output_modalities": ["image"]}}, False),
    "text and images": ({"output_modalities": ["image", "text"]}, True),
}


@pytest.mark.parametrize(("model", "text"), MODALITIES.values(), ids=MODALITIES.keys())
def test_a_model_gives_text_unless_it_says_otherwise(model: dict[str, object], text: bool) -> None:
    assert gives_text(model) is text


FIGURES = {
    "a zero is a plan or a gap": ("0", "FREE_OFFER"),
    "minus one is decided per request": ("-1", "DYNAMIC_PRICE"),
    "below zero": ("-0.5", "NEGATIVE_PRICE"),
    "null": (None, "PRICE_MISSING"),
}


@pytest.mark.parametrize(("value", "reason"), FIGURES.values(), ids=FIGURES.keys())
def test_a_figure_that_is_no_price_is_told(value: str | None, reason: str) -> None:
    figure = None if value is None else number(value)
    found = settled(read({"input": figure, "output": number("3")}))
    assert prices(found) == [(*SELLER, "OUT", "3")]
    assert reasons(found) == [("model", reason)]


def test_one_side_alone_is_quoted_and_the_other_is_told_missing() -> None:
    found = settled(read({"output": number("15")}))
    assert prices(found) == [(*SELLER, "OUT", "15")]
    assert found.rejections["detail"].to_list() == ["pricing.input is absent"]


def test_a_text_where_a_number_was_promised_is_a_change_of_layout_and_the_reverse() -> None:
    for text, value in ((False, "1.5"), (True, number("1.5"))):
        found = settled(read({"input": value, "output": value}, is_text=text))
        assert prices(found) == []
        assert reasons(found) == [("model", "NOT_A_NUMBER")] * 2


def test_a_price_field_nobody_knows_is_counted_and_a_null_is_not() -> None:
    more = {"image": number("2"), "video": None, "note": number("1"), "fast": number("9")}
    found = settled(
        read(
            {"input": number("1"), "output": number("2"), **more},
            other={"note": "", "fast": "PRICE_VARIANT"},
        )
    )
    assert reasons(found) == [("model", "NOT_A_MEASURED_METER"), ("model", "PRICE_VARIANT")]


def test_the_same_price_twice_counts_once_and_two_prices_not_at_all() -> None:
    found = rows()
    for price in ("1", "1"):
        found.quote(*SELLER, "IN", price)
    for price in ("2", "3"):
        found.quote("seller", "other", "IN", price)
    found.quote("seller", "other", "OUT", "9")
    parsed = settled(found)
    assert prices(parsed) == [(*SELLER, "IN", "1")]
    assert reasons(parsed) == [
        ("model", "DUPLICATE_LISTING"),
        *[("other", "AMBIGUOUS_LISTING")] * 3,
    ]


def test_prices_that_follow_each_other_or_share_the_day_are_no_clash() -> None:
    end = datetime(2026, 12, 1)
    found = rows()
    found.quote(*SELLER, "IN", "1", effective_to=end)
    found.quote(*SELLER, "IN", "2", effective_from=end)
    found.quote(*SELLER, "OUT", "1")
    found.quote(*SELLER, "OUT", "2", window=(0, 60))
    assert settled(found).rejections.is_empty()
