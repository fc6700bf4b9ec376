"""OpenAI's page. Figures are those of a stored copy of autumn 2026, read by eye."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from collectors.base import Capture, Parsed
from collectors.tokens.openai_page import SOURCE, parse
from methodology import schemas
from methodology.errors import ParseError

BODY = Path(__file__).parent / "payloads" / "openai_page" / "2026-10-01.md"


def read(body: str) -> Parsed:
    seen = datetime(2026, 10, 1, 12, tzinfo=UTC)
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


def test_short_context_is_the_list_price_and_batch_has_its_own_meters(parsed: Parsed) -> None:
    assert prices(parsed, "gpt-6-astra") == {
        "IN": "10.00", "CIN": "1.00", "OUT": "50.00", "BAT_IN": "5.00", "BAT_OUT": "25.00",
    }  # fmt: skip
    shown = parsed.quotes.select("provider", "currency", "quoted_unit", "tier").unique()
    assert shown.rows() == [("openai", "USD", "per_mtok", "E3")]
    schemas.validate(schemas.Quote, parsed.quotes, SOURCE.id)


def test_the_bracket_behind_a_name_is_no_part_of_the_id(parsed: Parsed) -> None:
    assert prices(parsed, "gpt-5.4") == {"IN": "2.50", "CIN": "0.25", "OUT": "15.00"}
    assert refused(parsed, "gpt-5.4") == ["CONTEXT_BRACKET"]


def test_a_dash_is_no_price_and_no_row(parsed: Parsed) -> None:
    assert prices(parsed, "gpt-5-pro") == {
        "IN": "15.00", "OUT": "120.00", "BAT_IN": "7.50", "BAT_OUT": "60.00",
    }  # fmt: skip
    assert refused(parsed, "gpt-5-pro") == []


def test_other_service_levels_and_tables_are_counted(parsed: Parsed) -> None:
    """Writes of two standard and one batch row, one batch cache, three rows of other tables."""
    assert Counter(parsed.rejections["reason"]) == {
        "NOT_A_MEASURED_METER": 2 + 1 + 1 + 3, "CONTEXT_BRACKET": 4, "PRICE_VARIANT": 2,
    }  # fmt: skip
    assert refused(parsed, "gpt-5-mini") == ["PRICE_VARIANT"]
    assert prices(parsed, "gpt-5-mini") == {}
    # listed once as standard and once more among the cyber models: one list price
    assert parsed.quotes.filter(pl.col("listing_id") == "gpt-5.6-sol").height == 3


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("### Standard pricing data", "### Standard"),
        ("### Batch pricing data", "### Flex pricing data"),
        ("| Model | Short context input |", "| Model | Long context input |"),
        ("Short context cache writes | ", ""),
        ("Prices per 1M tokens.", "Prices per 1K tokens."),
        ("### Flex pricing data", "### Standard pricing data"),
    ],
    ids=[
        *("no standard table", "no batch table", "columns swapped", "a column less"),
        *("another unit", "two standard tables"),
    ],
)
def test_a_page_without_the_known_tables_is_refused(old: str, new: str) -> None:
    with pytest.raises(ParseError, match="TABLE_CHANGED"):
        changed(old, new)


def test_the_older_form_with_arrays_is_refused() -> None:
    body = 'Prices per 1M tokens.\n<TextTokenPricingTables tier="standard" rows={[["a", 5, 0.5]]}/>'
    with pytest.raises(ParseError, match="TABLE_CHANGED"):
        read(body)


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("$0.00", "FREE_OFFER"),
        ("Free", "FREE_OFFER"),
        ("$15.00 / 1M characters", "UNKNOWN_UNIT"),
        ("$1,500.00", "NOT_A_NUMBER"),
        ("$15.00 $12.00", "TWO_PRICES"),
        ("15.00", "NOT_A_NUMBER"),
    ],
)
def test_a_cell_that_is_no_price_is_refused_by_name(cell: str, reason: str) -> None:
    parsed = changed("| gpt-5-pro | $15.00 |", f"| gpt-5-pro | {cell} |")
    assert refused(parsed, "gpt-5-pro") == [reason]
    assert "IN" not in prices(parsed, "gpt-5-pro")


def test_a_struck_price_is_not_the_price() -> None:
    parsed = changed("| gpt-5-pro | $15.00 |", "| gpt-5-pro | ~~$20.00~~ $15.00 |")
    assert prices(parsed, "gpt-5-pro")["IN"] == "15.00"


def test_a_row_of_another_length_is_refused_whole() -> None:
    parsed = changed("| gpt-5-pro | $15.00 | - |", "| gpt-5-pro | $15.00 |")
    assert refused(parsed, "gpt-5-pro") == ["MALFORMED_ROW"]
    assert prices(parsed, "gpt-5-pro") == {"BAT_IN": "7.50", "BAT_OUT": "60.00"}


def test_a_figure_of_five_thousand_digits_is_no_price() -> None:
    figure = re.search(r"\$[0-9.]+", BODY.read_text())
    assert figure is not None
    found = changed(figure[0], "$" + "9" * 5000)
    assert "NOT_A_NUMBER" in found.rejections["reason"].to_list()
    assert max(map(len, found.quotes["price_text"].drop_nulls())) < 20


def test_a_batch_table_under_the_standard_heading_gives_no_price_of_either() -> None:
    rows = BODY.read_text()
    line = next(one for one in rows.splitlines() if one.startswith("| gpt-") and "$" in one)
    dearer = line.replace("$", "$9", 1)
    name = line.split("|")[1].strip()
    found = changed(line, f"{line}\n{dearer}")
    assert "IN" not in {m for m, price in prices(found, name).items() if price}
    assert "AMBIGUOUS_LISTING" in refused(found, name)
