"""OpenRouter volumes: the stored daily table and the documented Data API."""

import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from collectors.base import Capture
from collectors.volumes.openrouter_activity import SOURCE, parse
from methodology import schemas
from methodology.errors import ParseError

HERE = Path(__file__).parent / "payloads" / "openrouter_activity"
HEAD = (
    "variant,model_slug,date,total_prompt_tokens,total_completion_tokens,"
    "total_native_tokens_reasoning,total_native_tokens_cached,last_scraped_at\n"
)


def capture(body: bytes) -> Capture:
    return Capture(SOURCE.id, SOURCE.url, body, datetime(2026, 8, 9, tzinfo=UTC))


def table(*rows: str) -> bytes:
    return (HEAD + "\n".join(rows) + "\n").encode()


def rankings(*rows: dict, as_of: object = "2026-05-12T02:00:00Z") -> bytes:
    return json.dumps({"data": list(rows), "meta": {"as_of": as_of}}).encode()


def row(**changed: object) -> dict:
    return {"date": "2026-05-11", "model_permaslug": "a/b", "total_tokens": "5", **changed}


def test_a_finished_day_gives_four_meters_and_the_running_day_none():
    found = parse(capture((HERE / "model_activity.csv").read_bytes()))
    schemas.validate(schemas.Volume, found.volumes, "openrouter_activity")
    schemas.validate(schemas.Rejection, found.rejections, "openrouter_activity")
    assert found.volumes.select("subject", "meter", "quantity").rows() == [
        ("deepseek/deepseek-v4-flash", "prompt", 814944360561),
        ("deepseek/deepseek-v4-flash", "completion", 41980030241),
        ("deepseek/deepseek-v4-flash", "reasoning", 15936982091),
        ("deepseek/deepseek-v4-flash", "cached", 533008752108),
    ]
    assert set(found.volumes.select("period_start", "period_end", "as_of").rows()) == {
        (date(2026, 8, 7), date(2026, 8, 8), datetime(2026, 8, 8, 15, 31, 24))
    }
    assert found.rejections["reason"].to_list() == [
        "PARTIAL_DAY",
        "FREE_VARIANT",
        "VARIANT_NOT_STANDARD",
    ]


def test_the_data_api_gives_totals_of_finished_days():
    found = parse(capture((HERE / "rankings-daily.json").read_bytes()))
    schemas.validate(schemas.Volume, found.volumes, "openrouter_activity")
    assert found.volumes.select("subject", "meter", "quantity", "as_of").rows() == [
        ("openai/gpt-4o-2024-05-13", "total", 12345678, datetime(2026, 5, 12, 2, 0)),
        ("anthropic/claude-3.5-sonnet-20241022", "total", 9876543, datetime(2026, 5, 12, 2, 0)),
    ]
    assert found.rejections.select("listing_id", "reason").rows() == [
        ("other", "TAIL_BUCKET"),
        ("openai/gpt-4o-2024-05-13", "PARTIAL_DAY"),
    ]


DAYS = {
    "stated at the day's end counts": ("2026-08-08T00:00:00+00:00", []),
    "stated a second earlier is a part": ("2026-08-07T23:59:59+00:00", ["PARTIAL_DAY"]),
    "an offset is taken off first": ("2026-08-08T01:00:00+02:00", ["PARTIAL_DAY"]),
}


@pytest.mark.parametrize(("as_of", "reasons"), DAYS.values(), ids=DAYS.keys())
def test_a_day_is_over_at_midnight_utc(as_of, reasons):
    found = parse(capture(table(f"standard,a/b,2026-08-07,4,3,2,1,{as_of}")))
    assert found.rejections["reason"].to_list() == reasons
    assert found.volumes.height == 4 - 4 * len(reasons)
    day = row(date="2026-08-07")
    assert parse(capture(rankings(day, as_of=as_of))).rejections["reason"].to_list() == reasons


COUNTS = {
    "a decimal": "4.5",
    "below zero": "-4",
    "empty": "",
    "exponent": "1e9",
    "twenty digits": "9" * 20,
}


@pytest.mark.parametrize("count", COUNTS.values(), ids=COUNTS.keys())
def test_a_count_that_is_none_is_refused_in_both_shapes(count):
    line = f"standard,a/b,2026-08-07,{count},3,2,1,2026-08-09T00:00:00+00:00"
    assert parse(capture(table(line))).rejections["reason"].to_list() == ["NOT_A_COUNT"]
    body = rankings(row(total_tokens=count))
    assert parse(capture(body)).rejections["reason"].to_list() == ["NOT_A_COUNT"]


def test_a_total_that_is_a_json_number_is_refused():
    found = parse(capture(rankings(row(total_tokens=5))))
    assert found.volumes.is_empty()
    assert found.rejections["reason"].to_list() == ["NOT_A_COUNT"]


def test_a_day_given_twice_counts_once():
    line = "standard,a/b,2026-08-07,4,3,2,1,2026-08-09T00:00:00+00:00"
    assert parse(capture(table(line, line))).rejections["reason"].to_list() == ["DUPLICATE_ROW"]
    assert parse(capture(rankings(row(), row()))).rejections["reason"].to_list() == [
        "DUPLICATE_ROW"
    ]


@pytest.mark.parametrize(
    ("slug", "reason"),
    [("a/b:free", "FREE_VARIANT"), ("a/b:batch", "VARIANT_NOT_STANDARD")],
)
def test_variants_of_the_data_api_do_not_count(slug, reason):
    found = parse(capture(rankings(row(model_permaslug=slug))))
    assert found.rejections["reason"].to_list() == [reason]


HOSTILE = {
    "html": b"<html></html>",
    "empty": b"",
    "columns": b"a,b\n1,2\n",
    "no such day": table("standard,a/b,2026-02-30,4,3,2,1,2026-08-09T00:00:00+00:00"),
    "a time without offset": table("standard,a/b,2026-08-07,4,3,2,1,2026-08-09T00:00:00"),
    "json without meta": b'{"data":[]}',
    "json without as_of": b'{"data":[],"meta":{}}',
    "as_of a word": rankings(row(), as_of="soon"),
    "a row without a day": rankings({"model_permaslug": "a", "total_tokens": "1"}),
    "a row that is a word": b'{"data":["x"],"meta":{"as_of":"2026-05-12T02:00:00Z"}}',
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_body_that_is_something_else_is_an_error(body):
    with pytest.raises(ParseError, match="openrouter_activity"):
        parse(capture(body))


def test_the_data_api_is_asked_once_and_without_a_key_of_ours():
    (asked,) = SOURCE.requests(SOURCE.url)
    assert (asked.url, asked.method, asked.body) == (SOURCE.url, "GET", None)
    assert not asked.params
    assert not asked.headers
    assert (SOURCE.auth_env, SOURCE.auth.header) == ("OPENROUTER_API_KEY", "Authorization")


def test_a_restated_day_is_told_with_the_time_of_its_statement():
    first = parse(capture(rankings(row(), as_of="2026-05-12T02:00:00Z"))).volumes
    later = parse(capture(rankings(row(total_tokens="6"), as_of="2026-05-13T02:00:00Z"))).volumes
    assert first.select("quantity", "as_of").rows() == [(5, datetime(2026, 5, 12, 2))]
    assert later.select("quantity", "as_of").rows() == [(6, datetime(2026, 5, 13, 2))]
    assert first["period_start"].to_list() == later["period_start"].to_list()


@pytest.mark.parametrize(
    "body",
    [
        rankings(),
        rankings(row(), as_of="2026-08-11T00:00:01Z"),
        rankings(row(), as_of="0001-01-01T00:00:00+14:00"),
        rankings(row(model_permaslug="a\u200b/b")),
        rankings(row(date="0006-05-11")),
        table(),
    ],
    ids=["no row", "stated after the fetch", "year zero", "a name not seen", "year six", "a head"],
)
def test_rows_that_cannot_be_are_a_fault(body: bytes) -> None:
    with pytest.raises(ParseError) as caught:
        parse(capture(body))
    assert caught.value.reason in ("SHAPE", "NOT_CSV")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("standard,a\u202eb,2026-08-07,1,2,0,0,2026-08-08T02:00:00+00:00", "MALFORMED_ROW"),
        ("standard,a/b,2026-08-07,1,2,0,0,2026-08-12T02:00:00+00:00", "SEEN_IN_FUTURE"),
        ("standard,a/b,2026-08-07,01,2,0,0,2026-08-08T02:00:00+00:00", "NOT_A_COUNT"),
    ],
    ids=["text turned round", "scraped after it was fetched", "a zero before the figure"],
)
def test_a_line_of_the_stored_table_that_cannot_be_is_refused(line: str, reason: str) -> None:
    found = parse(capture(table(line)))
    assert found.volumes.is_empty()
    assert found.rejections["reason"].to_list() == [reason]
