"""DeepSeek's page in English. Figures are those of the page of September 2026, read by eye."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from collectors.base import Capture, Parsed
from collectors.tokens.deepseek_page import SOURCE, parse
from methodology import schemas
from methodology.errors import ParseError
from methodology.tariffs import collapse_tariffs
from tests import real_bodies

BODY = Path(__file__).parent / "payloads" / "deepseek_page" / "2026-09-12.html"
SEEN = datetime(2026, 9, 12, 12, tzinfo=UTC)
FLASH = "deepseek-flash|DeepSeek-V4.1-Flash"
PRO = "deepseek-v4-pro|DeepSeek-V4-Pro-0813"


WEEKDAYS = [
    *[(1500, 1680), (1800, 2040)],  # Monday, 1440: 01:00 to 04:00 and 06:00 to 10:00 UTC
    *[(2940, 3120), (3240, 3480)],  # Tuesday, 2880
    *[(4380, 4560), (4680, 4920)],  # Wednesday, 4320
    *[(5820, 6000), (6120, 6360)],  # Thursday, 5760
    *[(7260, 7440), (7560, 7800)],  # Friday, 7200; Saturday and Sunday have none
]


def read(body: str, seen: datetime = SEEN) -> Parsed:
    return parse(Capture(SOURCE.id, SOURCE.url, body.encode(), seen))


def changed(old: str, new: str) -> Parsed:
    text = BODY.read_text()
    assert old in text
    return read(text.replace(old, new))


def prices(parsed: Parsed, listing: str, meter: str) -> list[tuple[str, int | None, int | None]]:
    here = (pl.col("listing_id") == listing) & (pl.col("meter") == meter)
    rows = parsed.quotes.filter(here)
    return rows.select("price_text", "window_start_min", "window_end_min").rows()  # type: ignore[return-value]


@pytest.fixture(scope="module")
def parsed() -> Parsed:
    return read(BODY.read_text())


def test_a_break_inside_a_label_changes_nothing(parsed: Parsed) -> None:
    again = changed("TOKENS (CACHE", "TOKENS<br>(CACHE")
    assert prices(again, FLASH, "IN") == prices(parsed, FLASH, "IN")
    assert again.quotes.height == 66


@pytest.mark.parametrize(
    ("listing", "meter", "off_peak", "peak"),
    [
        (FLASH, "CIN", "0.003", "0.006"),
        (FLASH, "IN", "0.15", "0.3"),
        (FLASH, "OUT", "0.6", "1.2"),
        (PRO, "CIN", "0.022", "0.044"),
        (PRO, "IN", "0.66", "1.32"),
        (PRO, "OUT", "1.98", "3.96"),
    ],
)
def test_off_peak_is_the_price_outside_the_two_peak_windows_of_each_weekday(
    parsed: Parsed, listing: str, meter: str, off_peak: str, peak: str
) -> None:
    assert prices(parsed, listing, meter) == [
        (off_peak, None, None),
        *((peak, start, end) for start, end in WEEKDAYS),
    ]


def test_every_quote_is_the_sellers_own_in_dollars_per_million(parsed: Parsed) -> None:
    shown = parsed.quotes.select("provider", "currency", "quoted_unit", "tier", "status").unique()
    assert shown.rows() == [("deepseek", "USD", "per_mtok", "E3", "offered")]
    schemas.validate(schemas.Quote, parsed.quotes, SOURCE.id)


@pytest.mark.parametrize(
    ("days", "nano"),
    [
        # 35 of 168 hours at the peak: (133 * 0.15 + 35 * 0.30) / 168
        pytest.param(", Monday through Friday", 181_250_000, id="on weekdays"),
        # 7 of 24 hours: (17 * 0.15 + 7 * 0.30) / 24
        pytest.param("", 193_750_000, id="on every day"),
        # 21 of 168 hours: (147 * 0.15 + 21 * 0.30) / 168
        pytest.param(", Saturday to Monday", 168_750_000, id="over Sunday"),
    ],
)
def test_the_tariff_makes_one_price_of_a_week(days: str, nano: int) -> None:
    parsed = changed(", Monday through Friday", days)
    rows = parsed.quotes.filter((pl.col("listing_id") == FLASH) & (pl.col("meter") == "IN"))
    figure = (pl.col("price_text").cast(pl.Decimal(20, 9)) * 10**9).cast(pl.Int64)
    observations = rows.with_columns(
        figure.alias("price_nano"),
        pl.lit("f" * 64).alias("observation_id"),
        pl.lit("deepseek").alias("group"),
        pl.lit("first_party").alias("provider_class"),
        pl.lit("m").alias("instrument_id"),
        pl.lit("usd_per_mtok").alias("unit"),
        pl.lit("facts").alias("licence_id"),
        pl.lit(False).alias("is_inexact"),
    ).select(list(schemas.schema_of(schemas.Observation)))
    assert collapse_tariffs(observations)["price_nano"].to_list() == [nano]


def test_only_holidays_are_told_beside_each_listing(parsed: Parsed) -> None:
    assert parsed.rejections.is_empty()
    holidays = "Monday through Friday, excluding Chinese public holidays"
    said = changed("Monday through Friday", holidays)
    assert said.rejections.select("listing_id", "reason").rows() == [
        (FLASH, "HOLIDAY_TARIFF"),
        (PRO, "HOLIDAY_TARIFF"),
    ]
    assert holidays in said.rejections["detail"][0]
    assert prices(said, FLASH, "IN") == prices(parsed, FLASH, "IN")
    daily = changed(", Monday through Friday", "")
    assert daily.rejections.is_empty()
    assert prices(daily, FLASH, "IN")[1:] == [("0.3", 60, 240), ("0.3", 360, 600)]


def test_an_id_that_goes_on_to_another_model_ends_at_that_moment(parsed: Parsed) -> None:
    ends = dict(parsed.quotes.select("listing_id", "effective_to").unique().rows())
    # noon in Beijing is 04:00 UTC
    assert ends == {FLASH: None, PRO: datetime(2026, 9, 14, 4)}


def test_once_it_has_gone_on_it_has_no_price() -> None:
    before = read(BODY.read_text(), datetime(2026, 9, 14, 3, 59, 59, tzinfo=UTC))
    after = read(BODY.read_text(), datetime(2026, 9, 14, 4, tzinfo=UTC))
    assert prices(before, PRO, "IN")
    assert set(after.quotes["listing_id"]) == {FLASH}
    assert after.rejections.select("listing_id", "reason").rows() == [(PRO, "MOVING_ALIAS")]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Peak hours are", "Busy hours are"),
        ("06:00 - 10:00 UTC", "06:00 - 10:00 PST"),
        ("01:00 - 04:00", "04:00 - 01:00"),
        ("01:00 - 04:00", "05:00 - 07:00"),
        ("06:00 - 10:00", "06:75 - 10:00"),
        ("06:00 - 10:00", "06:00 - 26:00"),
        ("Monday through Friday", "working days"),
        ("Monday through Friday", "Monday through Friday and on 2026-10-10, a Saturday"),
        ("Monday through Friday", "Monday, Wednesday and Friday"),
        ("Peak hours are", "On weekdays: Peak hours are"),
    ],
    ids=[
        *("no note", "another zone", "turned round", "overlapping", "no minute", "no hour"),
        *("days without a name", "one more day", "a list of days", "days said before"),
    ],
)
def test_a_tariff_without_hours_that_are_understood_is_refused_whole(old: str, new: str) -> None:
    parsed = changed(old, new)
    assert parsed.quotes.is_empty()
    # two listings, three meters, two prices each
    assert parsed.rejections["reason"].to_list() == ["BAD_WINDOW"] * 12


def test_one_price_all_day_needs_no_hours() -> None:
    rows = (
        "<tr><td>MODEL</td><td>deepseek-chat</td></tr>"
        "<tr><td>MODEL VERSION</td><td>DeepSeek-V3.2</td></tr>"
        "<tr><td>1M INPUT TOKENS (CACHE MISS)</td><td>$0.28</td></tr>"
        "<tr><td>1M OUTPUT TOKENS</td><td>{}</td></tr>"
    )
    parsed = read(f"<table>{rows.format('$0.42')}</table>")
    assert parsed.quotes.select("listing_id", "meter", "price_text").rows() == [
        ("deepseek-chat|DeepSeek-V3.2", "IN", "0.28"),
        ("deepseek-chat|DeepSeek-V3.2", "OUT", "0.42"),
    ]
    for cell, read_as in (
        ("$0.87 (75% off) <del>$3.48</del>", "0.87"),
        ("<s>$3.48</s> $0.87", "0.87"),
        ('<span style="text-decoration: line-through">$3.48</span>$0.87', "0.87"),
    ):
        again = read(f"<table>{rows.format(cell)}</table>")
        assert prices(again, "deepseek-chat|DeepSeek-V3.2", "OUT") == [(read_as, None, None)]
    both = read(f"<table>{rows.format('$0.87 (75% off) $3.48')}</table>")
    assert both.rejections["reason"].to_list() == ["TWO_PRICES"]
    assert both.quotes["meter"].to_list() == ["IN"]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("$0.15", "$0.00", "FREE_OFFER"),
        ("$0.15", "0.15", "NOT_A_NUMBER"),
        ("$0.15", "1元", "CURRENCY_NOT_PINNED"),
        ("$0.15", "$0.15 / 1K tokens / day", "UNKNOWN_UNIT"),
        ("$0.15", "from $0.15", "NOT_A_NUMBER"),
    ],
)
def test_a_cell_that_is_no_price_is_refused_by_name(old: str, new: str, reason: str) -> None:
    parsed = changed(f"<td>{old}</td>", f"<td>{new}</td>")
    refused = parsed.rejections.filter(pl.col("reason") == reason)
    assert refused["listing_id"].to_list() == [FLASH]
    assert "1M INPUT TOKENS (CACHE MISS) OFF-PEAK" in refused["detail"][0]
    assert [price for price, *_ in prices(parsed, FLASH, "IN")] == ["0.3"] * 10


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('<td colspan="3">MODEL</td>', '<td colspan="3">NAME</td>'),
        ("MODEL VERSION", "WEIGHTS"),
        ("<table>", "<div>"),
        ("</main>", BODY.read_text().split("<main>")[1]),
    ],
    ids=["another first column", "no versions", "no table", "the table twice"],
)
def test_a_page_without_the_known_table_is_refused(old: str, new: str) -> None:
    with pytest.raises(ParseError, match="TABLE_CHANGED"):
        changed(old, new)


@pytest.mark.parametrize(
    "said",
    [
        "in units of per 1K tokens",
        "in units of per 1,000 tokens",
        "in units of 1B tokens",
        "per thousand tokens",
        "in units of per token",
    ],
)
def test_a_page_that_says_another_unit_than_its_labels_is_refused(said: str) -> None:
    with pytest.raises(ParseError, match=r"UNKNOWN_UNIT.*its labels say a million tokens"):
        changed("in units of per 1M tokens", said)


@pytest.mark.parametrize(
    "said", ["per million tokens", "in units of per 1,000,000 tokens", "below", "billed per token"]
)
def test_the_same_unit_in_other_words_or_in_none_changes_nothing(said: str) -> None:
    text = BODY.read_text().replace("The prices listed below are in units of per 1M tokens", said)
    assert read(text).quotes.height == 66


def test_another_table_with_prices_is_counted() -> None:
    parsed = changed("</main>", "<table><tr><td>Tool<tr><td>Search<td>$5</table></main>")
    assert parsed.rejections.row(-1, named=True)["reason"] == "NOT_A_MEASURED_METER"
    assert parsed.quotes.height == 66


def test_a_new_row_with_prices_is_counted() -> None:
    row = "<tr><td colspan=3>1M AUDIO TOKENS</td><td>$1</td><td>$2</td></tr>"
    parsed = changed('<tr><td colspan="3">Conc', row + '<tr><td colspan="3">Conc')
    assert "1M AUDIO TOKENS" in parsed.rejections.row(-1, named=True)["listing_id"]


def test_the_recorded_table_without_notes_has_no_hours() -> None:
    """Three models, three meters, two prices each; the notes were trimmed away."""
    body = real_bodies.FOLDER / "tokens/official_pages/deepseek_en_2026-08.trimmed.html"
    if not body.exists():
        pytest.skip(real_bodies.NO_BODIES)
    text = body.read_text()
    assert read(text).rejections["reason"].to_list() == ["BAD_WINDOW"] * 18
    note = "<p>Peak hours are 01:00 - 04:00 and 06:00 - 10:00 UTC, Monday through Friday</p>"
    whole = read(text.replace("</main>", f"{note}</main>"))
    assert prices(whole, "deepseek-v4-flash|DeepSeek-V4-Flash-0731", "IN") == [
        ("0.22", None, None),
        *(("0.44", start, end) for start, end in WEEKDAYS),
    ]


def test_a_table_whose_price_rows_are_gone_is_refused() -> None:
    text = re.sub(r"(?s)<tr>(?:(?!</tr>).)*\$(?:(?!</tr>).)*</tr>", "", BODY.read_text())
    assert "$" not in text
    with pytest.raises(ParseError) as caught:
        read(text)
    assert caught.value.reason == "EMPTY"


def test_a_day_that_cannot_be_read_ends_the_listing_at_once() -> None:
    said = "From 12:00 Beijing Time on Septptember 14, 2026, requests to deepseek-v4-pro will be"
    found = changed("</table>", f"</table><p>{said} routed elsewhere.</p>")
    mine = found.rejections.filter(pl.col("listing_id") == PRO)
    assert "MOVING_ALIAS" in mine["reason"].to_list()
    assert PRO not in found.quotes["listing_id"].to_list()
