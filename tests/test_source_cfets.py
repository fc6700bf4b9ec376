"""The central parity. Figures of 2026-09-28 to 09-30 as published."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from collectors.base import Capture
from collectors.fx.cfets import SOURCE, parse, requests_until
from methodology import schemas
from methodology.errors import ParseError

BODY = (Path(__file__).parent / "payloads" / SOURCE.id / "2026-10-03.json").read_bytes()


def capture(body: bytes) -> Capture:
    return Capture(SOURCE.id, SOURCE.url, body, datetime(2026, 10, 3, tzinfo=UTC))


def answer(
    *records: object, pairs: object = ("USD/CNY",), code: str = "200", **data: object
) -> bytes:
    told = {"searchlist": pairs, "flagMessage": "", "pageTotal": 1, **data}
    head = {"rep_code": code, "rep_message": "m"}
    return json.dumps({"head": head, "data": told, "records": records}).encode()


def on(day: str, *values: object) -> dict[str, object]:
    return {"date": day, "values": values}


def test_the_parity_is_yuan_per_dollar_oldest_day_first() -> None:
    found = parse(capture(BODY))
    schemas.validate(schemas.Rate, found.rates, SOURCE.id)
    assert found.rates.select("base", "quote", "rate_text", "ref_date").rows() == [
        ("USD", "CNY", "6.7399", date(2026, 9, 28)),
        ("USD", "CNY", "6.7411", date(2026, 9, 29)),
        ("USD", "CNY", "6.7351", date(2026, 9, 30)),
    ]
    assert found.rejections.is_empty()


def test_values_follow_the_pairs_that_were_answered_and_not_those_that_exist() -> None:
    body = answer(on("2026-09-30", "6.7351"), head=["EUR/CNY", "USD/CNY"])
    assert parse(capture(body)).rates.select("base", "rate_text").rows() == [("USD", "6.7351")]


def test_without_a_list_of_what_was_asked_the_head_names_the_values() -> None:
    pairs = ["USD/CNY", "100JPY/CNY", "CNY/THB"]
    body = answer(on("2026-09-30", "6.7351", "4.5012", "4.8100"), pairs=[], head=pairs)
    found = parse(capture(body))
    assert found.rates.select("base", "quote", "rate_text").rows() == [
        ("USD", "CNY", "6.7351"),
        ("CNY", "THB", "4.8100"),
    ]
    # A hundred yen are not one yen: the figure is not moved by two places in silence.
    assert found.rejections.select("listing_id", "reason").rows() == [
        ("100JPY/CNY", "UNKNOWN_UNIT")
    ]


def test_a_missing_rate_is_counted_and_not_made_up() -> None:
    body = answer(on("2026-09-30", "---"), on("2026-09-29", "6.7411"), on("2026-09-28", "---"))
    found = parse(capture(body))
    assert found.rates["ref_date"].to_list() == [date(2026, 9, 29)]
    assert found.rejections.select("reason", "detail").rows() == [
        ("NOT_QUOTED", "no rate on 2 days between 2026-09-28 and 2026-09-30")
    ]


VALUES = {
    "zero": "0.0000",
    "below zero": "-6.7",
    "a comma": "6,7351",
    "exponent": "6e0",
    "a word": "n/a",
    "a dash": "-",
    "empty": "",
    "null": None,
    "a list": [],
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES.keys())
def test_a_value_that_is_no_rate_is_refused(value: object) -> None:
    found = parse(capture(answer(on("2026-09-30", value))))
    assert found.rates.is_empty()
    assert found.rejections["reason"].to_list() == ["NOT_A_RATE"]


def test_a_day_given_twice_counts_once_and_with_two_rates_not_at_all() -> None:
    found = parse(capture(answer(on("2026-09-30", "6.7351"), on("2026-09-30", "6.7351"))))
    assert found.rates["rate_text"].to_list() == ["6.7351"]
    assert found.rejections["reason"].to_list() == ["DUPLICATE_ROW"]
    found = parse(capture(answer(on("2026-09-30", "6.7351"), on("2026-09-30", "6.8"))))
    assert found.rates.is_empty()
    assert found.rejections["reason"].to_list() == ["DUPLICATE_ROW"] * 2


def test_a_rate_of_a_day_that_has_not_begun_in_beijing_is_refused() -> None:
    # fetched on 2026-10-03 at 00:00 UTC, 08:00 in Beijing
    body = answer(on("2026-10-04", "6.7"), on("2026-10-03", "6.8"))
    found = parse(capture(body))
    assert found.rates["rate_text"].to_list() == ["6.8"]
    assert found.rejections["reason"].to_list() == ["SEEN_IN_FUTURE"]


def test_a_week_of_holidays_has_no_rate_and_is_no_fault() -> None:
    assert parse(capture(answer())).seen == 0


FAULTS = {
    "the pair written the other way round was dropped": (
        answer(pairs=[], head=["EUR/CNY", "CNY/THB"]),
        "PAIR_MISSING",
    ),
    "another pair was answered": (
        answer(on("2026-09-30", "7.9"), pairs=["EUR/CNY"]),
        "PAIR_MISSING",
    ),
    "a span of a year": (answer(flagMessage="只提供一年历史数据查询及下载"), "QUERY_REFUSED"),
    "an error of the source": (answer(code="500"), "QUERY_REFUSED"),
    "more values than pairs": (answer(on("2026-09-30", "6.7", "7.9")), "SHAPE"),
    "no values": (answer(on("2026-09-30")), "SHAPE"),
    "no such day": (answer(on("2026-02-30", "6.7")), "SHAPE"),
    "a record that is a word": (answer("x"), "SHAPE"),
    "a pair twice": (answer(pairs=["USD/CNY", "USD/CNY"]), "SHAPE"),
    "pairs that are no texts": (answer(pairs=[5]), "SHAPE"),
    "no records": (b'{"data":{}}', "SHAPE"),
    "html": (b"<html></html>", "NOT_JSON"),
}


@pytest.mark.parametrize(("body", "reason"), FAULTS.values(), ids=FAULTS.keys())
def test_an_answer_that_is_not_to_the_question_is_an_error(body: bytes, reason: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse(capture(body))
    assert caught.value.reason == reason


def test_sixty_days_are_asked_for_page_by_page_in_a_form() -> None:
    flow = requests_until(SOURCE.url, date(2026, 10, 3))
    first = next(flow)
    assert first.method == "POST"
    assert first.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert first.headers["Referer"].startswith("https://www.chinamoney.com.cn/")
    form = parse_qs((first.body or b"").decode())
    assert form == {
        "startDate": ["2026-08-05"],
        "endDate": ["2026-10-03"],
        "currency": ["USD/CNY"],
        "pageNum": ["1"],
        "pageSize": ["50"],
    }
    second = flow.send(capture(answer(pageTotal=2)))
    assert parse_qs((second.body or b"").decode())["pageNum"] == ["2"]
    with pytest.raises(StopIteration):
        flow.send(capture(answer(pageTotal=2)))


@pytest.mark.parametrize(("pages", "reason"), [("many", "SHAPE"), (10**9, "SHAPE"), (9, "ENDLESS")])
def test_paging_that_cannot_be_true_ends(pages: object, reason: str) -> None:
    flow = requests_until(SOURCE.url, date(2026, 10, 3))
    next(flow)
    pages_read = capture(answer(pageTotal=pages))
    with pytest.raises(ParseError) as caught:
        list(map(flow.send, [pages_read] * 10))
    assert caught.value.reason == reason


def test_the_question_of_the_day_ends_today_in_beijing() -> None:
    request = next(SOURCE.requests(SOURCE.url))
    form = parse_qs((request.body or b"").decode())
    days = date.fromisoformat(form["endDate"][0]) - date.fromisoformat(form["startDate"][0])
    assert days.days == 59


@pytest.mark.parametrize("rate", ["0." + "0" * 60 + "1", "1." + "2" * 50, "9" * 5000])
def test_a_rate_of_endless_digits_is_refused(rate: str) -> None:
    found = parse(capture(answer(on("2026-10-02", rate), on("2026-10-01", "7.0998"))))
    assert found.rates["rate_text"].to_list() == ["7.0998"]
    assert found.rejections["reason"].to_list() == ["NOT_A_RATE"]
