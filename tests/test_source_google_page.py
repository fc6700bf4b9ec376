"""Google's page of the Gemini API. Figures are those of autumn 2026, read by eye."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from collectors.base import Capture, Parsed
from collectors.tokens.google_page import SOURCE, parse
from methodology import schemas
from methodology.errors import ParseError

BODY = Path(__file__).parent / "payloads" / "google_page" / "2026-10-02.md"
NEW_YEAR = datetime(2027, 1, 1)


def read(body: str) -> Parsed:
    seen = datetime(2026, 10, 2, 12, tzinfo=UTC)
    return parse(Capture(SOURCE.id, SOURCE.url, body.encode(), seen))


def cell(text: str) -> Parsed:
    """Return the page with this paid input price of Gemini 2.5 Flash."""
    old = "$0.30 (text / image / video) $1.00 (audio)"
    assert old in BODY.read_text()
    return read(BODY.read_text().replace(old, text))


def of(parsed: Parsed, listing: str, meter: str) -> list[tuple[object, ...]]:
    here = (pl.col("listing_id") == listing) & (pl.col("meter") == meter)
    return parsed.quotes.filter(here).select("price_text", "effective_from", "effective_to").rows()


def refused(parsed: Parsed, listing: str) -> list[str]:
    return parsed.rejections.filter(pl.col("listing_id") == listing)["reason"].to_list()


@pytest.fixture(scope="module")
def parsed() -> Parsed:
    return read(BODY.read_text())


def test_a_price_that_ends_as_it_begins_is_refused() -> None:
    parsed = cell("$0.30 through December 31, 2026starting January 1, 2027.")
    assert of(parsed, "gemini-2.5-flash", "IN") == []
    assert "BAD_DATE" in refused(parsed, "gemini-2.5-flash")


def test_prices_with_an_end_and_a_start_carry_both(parsed: Parsed) -> None:
    for meter, now, later in (
        ("IN", "0.75", "1.50"),
        ("OUT", "3.75", "7.50"),
        ("CIN", "0.075", "0.15"),
        ("BAT_IN", "0.375", "0.75"),
        ("BAT_OUT", "1.875", "3.75"),
    ):
        assert of(parsed, "gemini-3.8-flash", meter) == [
            (now, None, NEW_YEAR),
            (later, NEW_YEAR, None),
        ]
    official = parsed.quotes.filter(pl.col("is_official_date"))
    assert official["effective_from"].null_count() == 0
    schemas.validate(schemas.Quote, parsed.quotes, SOURCE.id)


def test_the_base_bracket_is_the_list_price(parsed: Parsed) -> None:
    for listing in ("gemini-3.1-pro-preview", "gemini-3.1-pro-preview-customtools"):
        assert [of(parsed, listing, meter)[0][0] for meter in ("IN", "OUT", "CIN")] == [
            "2.00",
            "12.00",
            "0.20",
        ]
        assert Counter(refused(parsed, listing)) == {
            "CONTEXT_BRACKET": 3,
            "NOT_A_MEASURED_METER": 1,  # storage by the hour
        }


def test_text_is_told_from_audio_and_storage(parsed: Parsed) -> None:
    assert of(parsed, "gemini-2.5-flash", "IN") == [("0.30", None, None)]
    assert of(parsed, "gemini-2.5-flash", "CIN") == [("0.03", None, None)]
    assert Counter(refused(parsed, "gemini-2.5-flash")) == {
        "NOT_A_MEASURED_METER": 3,
        "FREE_VARIANT": 1,
    }


def test_other_ways_images_and_tools_are_counted(parsed: Parsed) -> None:
    both = "gemini-3.1-pro-preview, gemini-3.1-pro-preview-customtools"
    assert refused(parsed, both) == ["PRICE_VARIANT"]
    assert refused(parsed, "Imagen 4 Standard image price") == ["NOT_A_MEASURED_METER"]
    assert of(parsed, "gemini-2.5-flash-image", "OUT") == []
    assert parsed.quotes.height == 10 + 6 + 3 + 1


@pytest.mark.parametrize(
    ("text", "read_as"),
    [
        ("$0.30", ["0.30"]),
        ("$0.30 (text)", ["0.30"]),
        ("$1.00 (audio) $0.30 (text/image)", ["0.30"]),
        ("~~$0.60~~ $0.30", ["0.30"]),
        ("$0.30, prompts <= 200k tokens", ["0.30"]),
        ("$1.00 (audio)", []),
        ("Not available", []),
    ],
)
def test_what_a_paid_cell_says(text: str, read_as: list[str]) -> None:
    assert [row[0] for row in of(cell(text), "gemini-2.5-flash", "IN")] == read_as


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Free of charge", "FREE_OFFER"),
        ("$0.00", "FREE_OFFER"),
        ("$0.30 (text) $0.20 (text)", "TWO_PRICES"),
        ("$0.30 $0.20 starting January 1, 2027.", "TWO_PRICES"),
        ("$0.30 (on weekends)", "UNKNOWN_CONDITION"),
        ("$0.30 through Smarch 31, 2026.", "BAD_DATE"),
        ("$0.30 through February 31, 2026.", "BAD_DATE"),
        ("from $0.30 (text)", "NOT_A_NUMBER"),
        ("was $0.60 now $0.30", "NOT_A_NUMBER"),
        ("A$0.30", "NOT_A_NUMBER"),
        ("€0.30", "CURRENCY_NOT_PINNED"),
    ],
)
def test_a_paid_cell_that_is_not_understood_is_refused(text: str, reason: str) -> None:
    parsed = cell(text)
    assert reason in refused(parsed, "gemini-2.5-flash")
    assert of(parsed, "gemini-2.5-flash", "IN") == []


def test_a_model_without_an_id_is_refused() -> None:
    line = "*[`gemini-2.5-flash`](https://ai.google.dev/gemini-api/docs/models/gemini-2.5-flash)*"
    parsed = read(BODY.read_text().replace(line, "Our fastest."))
    assert of(parsed, "gemini-2.5-flash", "IN") == []
    assert refused(parsed, "Gemini 2.5 Flash") == ["NO_MODEL_ID"] * 3


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Paid Tier, per 1M tokens in USD", "Paid Tier, per 1K tokens in USD"),
        ("### Standard", "### Regular"),
        ("*[`gemini", "[`gemini"),
        ("Free Tier |", "|"),
    ],
    ids=["another unit", "another name of the list price", "ids elsewhere", "another head"],
)
def test_a_page_without_the_known_tables_is_refused(old: str, new: str) -> None:
    text = BODY.read_text()
    assert old in text
    with pytest.raises(ParseError, match="TABLE_CHANGED"):
        read(text.replace(old, new))
