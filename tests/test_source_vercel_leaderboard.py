"""Vercel's leaderboard: shares to the last digit, finished days only.

No figure of this export was at hand: the shares of the small body are made to add up to 100.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from collectors.base import Capture
from collectors.volumes.vercel_leaderboard import SOURCE, parse
from methodology import schemas
from methodology.errors import ParseError

BODY = (Path(__file__).parent / "payloads" / SOURCE.id / "2026-09-15.models.json").read_bytes()


def capture(body: bytes, at: datetime | None = None) -> Capture:
    return Capture(SOURCE.id, SOURCE.url, body, at or datetime(2026, 9, 15, 0, 0, tzinfo=UTC))


def export(*rows: dict[str, object], **more: object) -> bytes:
    return json.dumps({"dataset": "models", "license": "CC-BY-4.0", "rows": rows, **more}).encode()


def row(**changed: object) -> dict[str, object]:
    one = {"date": "2026-09-01", "metric": "tokens", "modality": "text", "name": "A"}
    return {"group": "models", "share_percent": 100, **one, **changed}


def test_shares_are_held_in_parts_of_a_hundred_million_without_rounding() -> None:
    found = parse(capture(BODY))
    schemas.validate(schemas.Volume, found.volumes, SOURCE.id)
    schemas.validate(schemas.Rejection, found.rejections, SOURCE.id)
    # 41.234567 percent of 1e8 is 41,234,567; a millionth of a percent is one part.
    assert found.volumes.select("subject", "meter", "quantity").rows() == [
        ("models:DeepSeek V4 Flash", "token_share_e8", 41_234_567),
        ("models:Claude Sonnet 5", "token_share_e8", 12_500_000),
        ("models:Claude Sonnet 5", "spend_share_e8", 55_000_000),
        ("models:Claude Sonnet 5", "request_share_e8", 1),
    ]
    assert set(found.volumes.select("period_start", "period_end").rows()) == {
        (date(2026, 9, 13), date(2026, 9, 14))
    }
    reasons = found.rejections["reason"].to_list()
    assert reasons == ["TAIL_BUCKET"] * 3 + ["PARTIAL_DAY"] * 2
    assert found.seen == 9


DAYS = {
    "over for 24 hours counts": (datetime(2026, 9, 3, 0, 0, tzinfo=UTC), []),
    "a minute less may be an answer of the running day": (
        datetime(2026, 9, 2, 23, 59, tzinfo=UTC),
        ["PARTIAL_DAY"],
    ),
    "the running day": (datetime(2026, 9, 1, 12, 0, tzinfo=UTC), ["PARTIAL_DAY"]),
}


@pytest.mark.parametrize(("at", "reasons"), DAYS.values(), ids=DAYS.keys())
def test_a_day_counts_when_no_cache_can_hold_a_part_of_it(at: datetime, reasons: list[str]) -> None:
    found = parse(capture(export(row()), at))
    assert found.rejections["reason"].to_list() == reasons
    assert found.volumes.height == 1 - len(reasons)


REFUSED = {
    "seven decimals do not fit": (row(share_percent=99.1234567), "INEXACT"),
    "a share above all": (row(share_percent=100.5), "OUT_OF_BOUNDS"),
    "a share below zero": (row(share_percent=-1), "NOT_A_NUMBER"),
    "a share as text": (row(share_percent="100"), "NOT_A_NUMBER"),
    "no share": (row(share_percent=None), "NOT_A_NUMBER"),
    "another metric": (row(metric="users"), "NOT_A_MEASURED_METER"),
    "images": (row(modality="image"), "MODE_NOT_TEXT"),
    "the rest": (row(name="Other"), "TAIL_BUCKET"),
    "rows are missing": (row(share_percent=98.9), "PART_MISSING"),
}


@pytest.mark.parametrize(("one", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_a_row_that_is_no_share_is_refused_with_its_reason(
    one: dict[str, object], reason: str
) -> None:
    found = parse(capture(export(one)))
    assert found.volumes.is_empty()
    assert found.rejections["reason"].to_list() == [reason]


def test_the_sum_of_a_day_that_lacks_rows_is_told_as_it_is() -> None:
    # 49.3 and 49.30001, each as stated, are 98.60001
    found = parse(capture(export(row(share_percent=49.3), row(name="B", share_percent=49.30001))))
    told = found.rejections["detail"].to_list()
    assert [text.rpartition(", ")[2] for text in told] == ["the rows add up to 98.6000"] * 2


def test_the_same_row_twice_counts_once() -> None:
    found = parse(capture(export(row(share_percent=50), row(share_percent=50))))
    assert found.volumes.height == 1
    assert found.rejections["reason"].to_list() == ["DUPLICATE_ROW"]


def test_a_lab_and_a_model_of_one_name_are_two_subjects() -> None:
    found = parse(capture(export(row(name="Grok"), dataset="labs")))
    assert found.volumes["subject"].to_list() == ["labs:Grok"]


def test_each_leaderboard_is_asked_for_once() -> None:
    asked = [dict(request.params) for request in SOURCE.requests(SOURCE.url)]
    assert [params["dataset"] for params in asked] == ["models", "labs", "providers"]
    assert {params["modality"] for params in asked} == {"text"}


HOSTILE = {
    "html": (b"<html></html>", "NOT_JSON"),
    "a list": (b"[]", "SHAPE"),
    "no rows": (b'{"dataset":"models","license":"CC-BY-4.0"}', "SHAPE"),
    "apps, which are no sellers": (export(row(), dataset="apps"), "SHAPE"),
    "another licence": (export(row(), license="CC-BY-NC-4.0"), "LICENCE_CHANGED"),
    "no licence": (export(row(), license=None), "LICENCE_CHANGED"),
    "a row without a day": (export({"name": "A"}), "SHAPE"),
    "no such day": (export(row(date="2026-02-30")), "SHAPE"),
    "a row that is a word": (export("x"), "SHAPE"),  # type: ignore[arg-type]
    "a name that is a number": (export(row(name=5)), "SHAPE"),
    "not a number": (b'{"dataset":"models","license":"CC-BY-4.0","rows":[NaN]}', "NOT_JSON"),
}


@pytest.mark.parametrize(("body", "reason"), HOSTILE.values(), ids=HOSTILE.keys())
def test_a_body_that_is_something_else_is_an_error(body: bytes, reason: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse(capture(body))
    assert caught.value.reason == reason
