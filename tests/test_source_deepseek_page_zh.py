"""DeepSeek's page in Chinese. Figures are those of the page of September 2026, read by eye."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from collectors.base import Capture, Parsed
from collectors.tokens.deepseek_page_zh import SOURCE, parse
from tests import real_bodies

BODY = Path(__file__).parent / "payloads" / "deepseek_page_zh" / "2026-09-12.html"
FLASH = "deepseek-flash|DeepSeek-V4.1-Flash"
PRO = "deepseek-v4-pro|DeepSeek-V4-Pro-0813"


def read(body: str) -> Parsed:
    seen = datetime(2026, 9, 12, 12, tzinfo=UTC)
    return parse(Capture(SOURCE.id, SOURCE.url, body.encode(), seen))


def prices(parsed: Parsed, listing: str, meter: str) -> list[tuple[str, int | None, int | None]]:
    here = (pl.col("listing_id") == listing) & (pl.col("meter") == meter)
    rows = parsed.quotes.filter(here)
    return rows.select("price_text", "window_start_min", "window_end_min").rows()  # type: ignore[return-value]


def recorded(name: str) -> str:
    body = real_bodies.FOLDER / "tokens" / "official_pages" / name
    if not body.exists():
        pytest.skip(real_bodies.NO_BODIES)
    return body.read_text()


def test_prices_are_yuan_and_hours_of_beijing_stand_in_utc() -> None:
    parsed = read(BODY.read_text())
    assert prices(parsed, FLASH, "IN") == [("1", None, None), ("2", 60, 240), ("2", 360, 600)]
    assert prices(parsed, FLASH, "CIN")[0][0] == "0.02"
    assert [price for price, *_ in prices(parsed, PRO, "OUT")] == ["13.5", "27.0", "27.0"]
    assert set(parsed.quotes["currency"]) == {"CNY"}
    assert parsed.quotes.height == 18
    assert parsed.rejections.select("listing_id", "reason").rows() == [
        (FLASH, "WEEKDAY_TARIFF"),
        (PRO, "WEEKDAY_TARIFF"),
    ]


@pytest.mark.parametrize(
    ("sentence", "weekdays"),
    [
        ("高峰时段为北京时间 9:00 - 12:00、14:00 - 18:00（其余为空闲时段）。", False),
        ("高峰时段为北京时间周一至周五 9:00 - 12:00、14:00 - 18:00（其余为空闲时段）。", True),
        ("北京时间周一至周五（不含中国法定节假日）9:00 - 12:00、14:00 - 18:00 为高峰时段。", True),
    ],
    ids=["every day", "Monday to Friday", "without public holidays"],
)
def test_the_three_wordings_of_the_hours(sentence: str, weekdays: bool) -> None:
    head, _, rest = BODY.read_text().partition("<p>(3) ")
    parsed = read(f"{head}<p>(3) {sentence}</p>{rest.partition('</p>')[2]}")
    assert prices(parsed, PRO, "CIN") == [
        ("0.15", None, None),
        ("0.30", 60, 240),
        ("0.30", 360, 600),
    ]
    assert (parsed.rejections.height > 0) is weekdays


@pytest.mark.parametrize(
    "sentence",
    ["低谷时段为北京时间 9:00 - 12:00、14:00 - 18:00", "高峰时段为北京时间 9:00 - 12:00"],
)
def test_a_wording_that_is_not_known_gives_no_price(sentence: str) -> None:
    head, _, rest = BODY.read_text().partition("<p>(3) ")
    parsed = read(f"{head}<p>{sentence}</p>{rest.partition('</p>')[2]}")
    assert parsed.quotes.is_empty()
    assert set(parsed.rejections["reason"]) == {"BAD_WINDOW"}


def test_a_model_whose_requests_are_routed_has_no_price() -> None:
    note = "<p>(2) 对 <code>deepseek-v4-pro</code> 的请求将全部路由至 V4.1 Flash。</p>"
    parsed = read(BODY.read_text().replace("</main>", f"{note}</main>"))
    assert set(parsed.quotes["listing_id"]) == {FLASH}
    assert parsed.rejections.filter(pl.col("listing_id") == PRO)["reason"].to_list() == [
        "MOVING_ALIAS"
    ]


def test_dollars_on_this_page_are_refused() -> None:
    parsed = read(BODY.read_text().replace("4.5元", "$0.66"))
    assert "CURRENCY_NOT_PINNED" in set(parsed.rejections["reason"])
    assert len(prices(parsed, PRO, "IN")) == 2


def test_the_recorded_page_of_august() -> None:
    """Before peak hours: two models, three prices each; the note about later hours changes none."""
    parsed = read(recorded("deepseek_zh_2026-08-01.md"))
    assert parsed.quotes.select("listing_id", "meter", "price_text", "window_start_min").rows() == [
        ("deepseek-v4-flash|DeepSeek-V4-Flash-0731", "CIN", "0.02", None),
        ("deepseek-v4-pro|DeepSeek-V4-Pro", "CIN", "0.025", None),
        ("deepseek-v4-flash|DeepSeek-V4-Flash-0731", "IN", "1", None),
        ("deepseek-v4-pro|DeepSeek-V4-Pro", "IN", "3", None),
        ("deepseek-v4-flash|DeepSeek-V4-Flash-0731", "OUT", "2", None),
        ("deepseek-v4-pro|DeepSeek-V4-Pro", "OUT", "6", None),
    ]
    assert parsed.rejections.is_empty()


def test_the_recorded_table_of_september_lost_its_spans_and_notes() -> None:
    """Labels that stood across two rows stand in the first alone; meters are still told apart."""
    text = recorded("deepseek_zh_2026-09-12.trimmed.html")
    assert read(text).rejections["reason"].to_list() == ["BAD_WINDOW"] * 12
    note = "<p>高峰时段为北京时间 9:00 - 12:00、14:00 - 18:00</p>"
    assert prices(read(text + note), PRO, "OUT") == [
        ("13.5", None, None),
        ("27.0", 60, 240),
        ("27.0", 360, 600),
    ]
