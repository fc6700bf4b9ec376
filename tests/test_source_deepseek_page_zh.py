"""DeepSeek's page in Chinese. Figures are those of the page of September 2026, read by eye."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from collectors.base import Capture, Parsed
from collectors.tokens.deepseek_page_zh import SOURCE, parse
from methodology.errors import ParseError
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
    of_a_day = [(60, 240), (360, 600)]  # 9:00 to 12:00 and 14:00 to 18:00 are 8 hours earlier
    assert prices(parsed, FLASH, "IN") == [
        ("1", None, None),
        *(("2", day * 1440 + a, day * 1440 + b) for day in (1, 2, 3, 4, 5) for a, b in of_a_day),
    ]
    assert prices(parsed, FLASH, "CIN")[0][0] == "0.02"
    assert [price for price, *_ in prices(parsed, PRO, "OUT")] == ["13.5", *["27.0"] * 10]
    assert set(parsed.quotes["currency"]) == {"CNY"}
    assert parsed.quotes.height == 66
    assert parsed.rejections.select("listing_id", "reason").rows() == [
        (FLASH, "HOLIDAY_TARIFF"),
        (PRO, "HOLIDAY_TARIFF"),
    ]


@pytest.mark.parametrize(
    ("sentence", "first", "windows", "holidays"),
    [
        pytest.param(
            "高峰时段为北京时间 9:00 - 12:00、14:00 - 18:00（其余为空闲时段）。",
            *((60, 240), 2, False),
            id="every day",
        ),
        pytest.param(
            "高峰时段为北京时间每日 9:00～12:00 和 14:00～18:00。",
            *((60, 240), 2, False),
            id="every day, said so",
        ),
        pytest.param(
            "高峰时段为北京时间周一至周五 9:00 - 12:00、14:00 - 18:00（其余为空闲时段）。",
            *((1500, 1680), 10, False),
            id="Monday to Friday",
        ),
        pytest.param(
            "北京时间周一至周五（不含中国法定节假日）9:00 - 12:00、14:00 - 18:00 为高峰时段。",
            *((1500, 1680), 10, True),
            id="without public holidays",
        ),
        # 02:00 to 07:00 of a Monday in Beijing is 18:00 to 23:00 of Sunday, 10080, in UTC; 07:00 to
        # 09:00 is 23:00 to 01:00, from Sunday into Monday, 1440. The first by start is Monday's
        # 18:00 to 23:00 (Tuesday in Beijing): 1440 + 1080.
        pytest.param(
            "高峰时段为北京时间周一至周五 2:00 - 7:00、7:00 - 9:00。",
            *((2520, 2820), 10, False),
            id="hours of the day before in UTC",
        ),
    ],
)
def test_the_wordings_of_the_hours(
    sentence: str, first: tuple[int, int], windows: int, holidays: bool
) -> None:
    head, _, rest = BODY.read_text().partition("<p>(3) ")
    parsed = read(f"{head}<p>(3) {sentence}</p>{rest.partition('</p>')[2]}")
    found = prices(parsed, PRO, "CIN")
    assert found[:2] == [("0.15", None, None), ("0.30", *first)]
    assert len(found) == 1 + windows
    assert parsed.rejections["reason"].to_list() == ["HOLIDAY_TARIFF"] * (2 if holidays else 0)
    if "2:00 - 7:00" in sentence:
        assert {("0.30", 11160, 11460), ("0.30", 11460, 1500)} < set(found)


@pytest.mark.parametrize(
    "sentence",
    [
        "低谷时段为北京时间 9:00 - 12:00、14:00 - 18:00",
        "高峰时段为北京时间 9:00 - 12:00",
        "北京时间工作日 9:00 - 12:00、14:00 - 18:00 为高峰时段",
        "北京时间周一至周五（含调休的周末）9:00 - 12:00、14:00 - 18:00 为高峰时段",
    ],
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
    assert len(prices(parsed, PRO, "IN")) == 10


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


@pytest.mark.parametrize("said", ["千 tokens", "十亿 tokens", "1K tokens", "tokens"])
def test_a_page_that_says_another_unit_than_its_labels_is_refused(said: str) -> None:
    text = recorded("deepseek_zh_2026-08-01.md")
    assert "以“百万 tokens”为单位" in text
    with pytest.raises(ParseError, match="UNKNOWN_UNIT"):
        read(text.replace("以“百万 tokens”", f"以“{said}”"))


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
