"""Groq's page of models. Rows are those of 2026-10, from readers of the page."""

from __future__ import annotations

import pytest

from collectors.base import Parsed
from collectors.tokens.groq import SOURCE, parse
from methodology.errors import ParseError
from tests.sellers import capture, holds, nanos, payload, prices, reasons

HEAD = "| MODEL ID | SPEED (T/SEC) | PRICE PER 1M TOKENS | CONTEXT WINDOW (TOKENS) |\n"
RULE = "| --- | --- | --- | --- |\n"
LINK = "[Name](/docs/model/a/b)a/b"


def page(price: str, model: str = LINK) -> bytes:
    return f"## Production Models\n\n{HEAD}{RULE}| {model} | 1 | {price} | 9 |\n".encode()


def read(price: str, model: str = LINK) -> Parsed:
    return parse(capture(SOURCE, page(price, model)))


def test_every_table_of_the_page_is_read() -> None:
    found = parse(payload(SOURCE, "2026-10-04.md"))
    assert prices(found) == [
        ("groq", "openai/gpt-oss-120b", "IN", "0.15"),
        ("groq", "openai/gpt-oss-120b", "OUT", "0.60"),
        ("groq", "openai/gpt-oss-20b", "IN", "0.075"),
        ("groq", "openai/gpt-oss-20b", "OUT", "0.30"),
        ("groq", "qwen/qwen3.8-27b", "IN", "0.80"),
        ("groq", "qwen/qwen3.8-27b", "OUT", "4.00"),
    ]
    assert nanos(found)[2] == ("IN", 75_000_000)
    assert reasons(found) == [
        ("llama-3.3-70b-versatile", "PRICE_MISSING"),
        ("whisper-large-v3", "NOT_A_MEASURED_METER"),
    ]
    holds(found, SOURCE)


def test_the_id_is_that_of_the_link_whatever_is_glued_to_it() -> None:
    badge = "[![Logo](https://example.org/l.png)A B](/docs/model/a/b)EnterprisePreviewa/b"
    assert [row[1] for row in prices(read("$1 input$2 output", badge))] == ["a/b", "a/b"]


CELLS = {
    "by agreement": ("ContactSales", "PRICE_MISSING"),
    "by agreement, two words": ("Contact Sales", "PRICE_MISSING"),
    "a dash": ("\\-", "PRICE_MISSING"),
    "empty": ("", "PRICE_MISSING"),
    "per hour": ("$0.111 per hour", "NOT_A_MEASURED_METER"),
    "per character": ("$22.00 per 1M characters", "NOT_A_MEASURED_METER"),
    "one side only": ("$0.15 input", "NOT_A_NUMBER"),
    "the sides the other way round": ("$0.60 output$0.15 input", "NOT_A_NUMBER"),
    "from a price on": ("from $0.15 input$0.60 output", "NOT_A_NUMBER"),
    "another currency": ("€0.15 input€0.60 output", "NOT_A_NUMBER"),
    "thousands marks": ("$1,000 input$2 output", "NOT_A_NUMBER"),
    "a third price": ("$0.15 input$0.60 output$0.07 cached", "NOT_A_NUMBER"),
}


@pytest.mark.parametrize(("price", "reason"), CELLS.values(), ids=CELLS.keys())
def test_a_cell_that_is_no_pair_of_prices_is_told(price: str, reason: str) -> None:
    found = read(price)
    assert (prices(found), reasons(found)) == ([], [("a/b", reason)])


def test_a_free_side_is_no_price() -> None:
    found = read("$0 input$2 output")
    assert prices(found) == [("groq", "a/b", "OUT", "2")]
    assert reasons(found) == [("a/b", "FREE_OFFER")]


def test_a_struck_price_is_not_read_as_the_price() -> None:
    found = read("~~$0.30 input~~ $0.15 input$0.60 output")
    assert [row[3] for row in prices(found)] == ["0.15", "0.60"]


def test_one_model_in_two_tables_at_two_prices_is_no_price() -> None:
    found = parse(capture(SOURCE, page("$1 input$2 output") + page("$10 input$20 output")))
    assert (prices(found), set(reasons(found))) == ([], {("a/b", "AMBIGUOUS_LISTING")})


HOSTILE = {
    "nothing": (b"", "TABLE_CHANGED"),
    "html": (b"<html></html>", "TABLE_CHANGED"),
    "no table": (b"# Models\n\nNone today.\n", "TABLE_CHANGED"),
    "another head": (page("$1").replace(b"PRICE PER 1M", b"PRICE PER 1K"), "TABLE_CHANGED"),
    "a row cut short": (page("x").replace(b" | 1 | x | 9 |", b" | 1 |"), "SHAPE"),
    "a row with a cell more": (page("$1 input$2 output | 7"), "SHAPE"),
    "a model without a link": (page("$1 input$2 output", "a/b"), "SHAPE"),
    "words that end in another id": (
        page("$1 input$2 output", "[N](/docs/model/a/b)a/c"),
        "SHAPE",
    ),
}


@pytest.mark.parametrize(("wrong", "reason"), HOSTILE.values(), ids=HOSTILE.keys())
def test_a_page_that_is_something_else_is_an_error(wrong: bytes, reason: str) -> None:
    with pytest.raises(ParseError, match="groq") as error:
        parse(capture(SOURCE, wrong))
    assert error.value.reason == reason


def test_the_robots_file_is_asked_first() -> None:
    assert SOURCE.is_page


def test_a_table_without_a_row_is_refused() -> None:
    with pytest.raises(ParseError) as caught:
        parse(capture(SOURCE, (HEAD + RULE).encode()))
    assert caught.value.reason == "SHAPE"
