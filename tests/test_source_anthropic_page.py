"""Anthropic's page. Figures are those of the page of 2026-09-14 and of late 2025, read by eye."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from collectors.base import Capture, Parsed
from collectors.tokens.anthropic_page import SOURCE, parse
from methodology import schemas
from methodology.errors import ParseError
from tests import real_bodies

BODY = Path(__file__).parent / "payloads" / "anthropic_page" / "2026-09-14.md"


def read(body: str) -> Parsed:
    seen = datetime(2026, 9, 14, 12, tzinfo=UTC)
    return parse(Capture(SOURCE.id, SOURCE.url, body.encode(), seen))


def changed(old: str, new: str) -> Parsed:
    text = BODY.read_text()
    assert old in text
    return read(text.replace(old, new))


def prices(parsed: Parsed, listing: str) -> dict[str, str]:
    rows = parsed.quotes.filter(pl.col("listing_id") == listing)
    return dict(rows.select("meter", "price_text").rows())


def refused(parsed: Parsed, listing: str) -> list[str]:
    return parsed.rejections.filter(pl.col("listing_id") == listing)["reason"].to_list()


@pytest.fixture(scope="module")
def parsed() -> Parsed:
    return read(BODY.read_text())


def test_models_have_their_meters(parsed: Parsed) -> None:
    assert prices(parsed, "Claude Opus 5") == {"IN": "5", "CIN": "0.50", "OUT": "25"}
    assert prices(parsed, "Claude Haiku 4.5") == {
        "IN": "1", "CIN": "0.10", "OUT": "5", "BAT_IN": "0.50", "BAT_OUT": "2.50",
    }  # fmt: skip
    shown = parsed.quotes.select("provider", "currency", "quoted_unit", "tier").unique()
    assert shown.rows() == [("anthropic", "USD", "per_mtok", "E3")]
    schemas.validate(schemas.Quote, parsed.quotes, SOURCE.id)


def test_a_footnote_mark_is_no_digit_of_the_price(parsed: Parsed) -> None:
    """The cell is ``$0.25 / MTok`` with a raised 1: neither 0.251 nor a unit ``MTok1``."""
    assert prices(parsed, "Claude Fable 5.1")["CIN"] == "0.25"
    for mark in ("¹", "[^1]", " <sup>(1)</sup>"):
        again = changed("$0.25 / MTok<sup>1</sup>", f"$0.25 / MTok{mark}")
        assert prices(again, "Claude Fable 5.1")["CIN"] == "0.25"
    lost = changed("$0.25 / MTok<sup>1</sup>", "$0.25 / MTok1")
    assert "CIN" not in prices(lost, "Claude Fable 5.1")
    assert "UNKNOWN_UNIT" in refused(lost, "Claude Fable 5.1")


def test_what_is_no_list_price_of_a_model_is_told(parsed: Parsed) -> None:
    assert refused(parsed, "Claude Opus 4") == ["RETIRED"]
    assert refused(parsed, "Claude Mythos 5.1") == ["LIMITED_AVAILABILITY"]
    assert refused(parsed, "Claude Opus 5 / Claude Opus 4.8") == ["PRICE_VARIANT"]
    # four models sold, two columns of cache writes each; the table without prices is none
    assert Counter(parsed.rejections["reason"]) == {
        "NOT_A_MEASURED_METER": 8, "RETIRED": 1, "LIMITED_AVAILABILITY": 1, "PRICE_VARIANT": 1,
    }  # fmt: skip
    assert parsed.quotes.height == 4 * 3 + 2 * 2


@pytest.mark.parametrize(
    ("name", "listing", "told", "start", "end"),
    [
        ("Claude Sonnet 5 ([deprecated](/x))", "Claude Sonnet 5", None, None, None),
        ("**[Claude Sonnet 5](/models)**", "Claude Sonnet 5", None, None, None),
        ("Claude Sonnet 5 (for prompts up to 200,000 tokens)", "Claude Sonnet 5", None, None, None),
        ("Claude Sonnet 5 (for prompts over 200,000 tokens)", "Claude Sonnet 5",
         "CONTEXT_BRACKET", None, None),
        ("Claude Sonnet 5 through August 31, 2026", "Claude Sonnet 5",
         None, None, datetime(2026, 9, 1)),
        ("Claude Sonnet 5 (starting September 1, 2026)", "Claude Sonnet 5",
         None, datetime(2026, 9, 1), None),
        ("Claude Sonnet 5 (starting Septober 1, 2026)",
         "Claude Sonnet 5 (starting Septober 1, 2026)", "BAD_DATE", None, None),
        ("Claude Sonnet 5 (beta)", "Claude Sonnet 5 (beta)", None, None, None),
    ],
    ids=[
        *("still sold", "a link in bold", "the base bracket", "above the bracket"),
        *("until a day", "from a day", "no such day", "another name"),
    ],
)  # fmt: skip
def test_what_follows_a_name(
    name: str, listing: str, told: str | None, start: datetime | None, end: datetime | None
) -> None:
    parsed = changed("| Claude Sonnet 5 |", f"| {name} |")
    rows = parsed.quotes.filter(pl.col("listing_id") == listing)
    if told:
        assert rows.is_empty()
        assert refused(parsed, listing) == [told]
    else:
        dates = rows.select("effective_from", "effective_to", "is_official_date").unique().rows()
        assert dates == [(start, end, start is not None)]
        assert prices(parsed, listing)["IN"] == "2"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("5m cache writes", "Cache writes"),
        ("| Base input tokens | 5m", "| Output tokens | 5m"),
        ("## Model pricing", "## Models"),
        ("Batch input", "Input"),
        ("| :--- | :--- | :--- | :--- | :--- | :--- |", ""),
        ("# Pricing", "```"),
    ],
    ids=[
        *("a renamed column", "columns swapped", "another heading", "another batch table"),
        *("no table", "a page of code"),
    ],
)
def test_a_page_without_the_known_tables_is_refused(old: str, new: str) -> None:
    with pytest.raises(ParseError, match="TABLE_CHANGED"):
        changed(old, new)


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("$2", "UNKNOWN_UNIT"),
        ("$2 / KTok / hour", "UNKNOWN_UNIT"),
        ("$2 / MTok $3 / MTok", "TWO_PRICES"),
        ("€2 / MTok", "CURRENCY_NOT_PINNED"),
        ("Free", "FREE_OFFER"),
        ("Contact sales", "NOT_A_NUMBER"),
    ],
)
def test_a_cell_that_is_no_price_is_refused_by_name(cell: str, reason: str) -> None:
    parsed = changed("| Claude Sonnet 5 | $2 / MTok |", f"| Claude Sonnet 5 | {cell} |")
    assert reason in refused(parsed, "Claude Sonnet 5")
    assert prices(parsed, "Claude Sonnet 5") == {"CIN": "0.20", "OUT": "10"}


def test_a_struck_price_is_not_the_price() -> None:
    for struck in ("~~$3 / MTok~~ $2 / MTok", "<del>$3 / MTok</del> $2 / MTok"):
        parsed = changed("| Claude Sonnet 5 | $2 / MTok |", f"| Claude Sonnet 5 | {struck} |")
        assert prices(parsed, "Claude Sonnet 5")["IN"] == "2"


def test_a_row_with_a_cell_too_few_is_refused_whole() -> None:
    parsed = changed("| $0.20 / MTok | $10 / MTok |", "| $0.20 / MTok |")
    assert refused(parsed, "Claude Sonnet 5") == ["MALFORMED_ROW"]
    assert prices(parsed, "Claude Sonnet 5") == {}


def test_the_recorded_excerpt() -> None:
    """Ten models of three prices and two cache writes, ten batch rows of two, two bracket rows."""
    body = real_bodies.FOLDER / "tokens/official_pages/anthropic_pricing_2025-11.excerpt.md"
    if not body.exists():
        pytest.skip(real_bodies.NO_BODIES)
    parsed = read(body.read_text())
    assert parsed.quotes.height == 10 * 3 + 10 * 2
    assert Counter(parsed.rejections["reason"]) == {
        "NOT_A_MEASURED_METER": 20, "CONTEXT_BRACKET": 2,
    }  # fmt: skip
    assert prices(parsed, "Claude Sonnet 3.7") == {
        "IN": "3", "CIN": "0.30", "OUT": "15", "BAT_IN": "1.50", "BAT_OUT": "7.50",
    }  # fmt: skip
    assert prices(parsed, "Claude Haiku 3")["BAT_IN"] == "0.125"
