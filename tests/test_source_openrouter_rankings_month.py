"""The rankings of a month: thirty days under the date of one."""

from __future__ import annotations

import gzip
import json
import os
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from collectors.base import Capture
from collectors.volumes.openrouter_rankings_month import SOURCE, parse
from methodology import schemas
from methodology.errors import ParseError

ROOT = Path(__file__).resolve().parents[1]
BODY = (Path(__file__).parent / "payloads" / SOURCE.id / "2026-08-05.json").read_bytes()
THEN = datetime(2026, 8, 5, 16, 0, tzinfo=UTC)


def payloads(folder: str) -> list[Path]:
    found = Path(os.environ.get("SPOTFIX_PAYLOADS", ROOT.parent / "shared" / "payloads"))
    if not (found / folder).is_dir():
        pytest.skip(f"no captured bodies at {found / folder}; set SPOTFIX_PAYLOADS")
    return sorted(path for path in (found / folder).iterdir() if path.name[0] == "2")


def capture(body: bytes, at: datetime = THEN) -> Capture:
    return Capture(SOURCE.id, SOURCE.url, body, at)


def row(**changed: object) -> dict[str, object]:
    tokens = {"total_prompt_tokens": 7, "total_completion_tokens": 3}
    unused = {"total_native_tokens_reasoning": 0, "total_native_tokens_cached": 0}
    name = {"date": "2026-08-04 00:00:00", "model_permaslug": "a/b", "variant": "standard"}
    return {**name, **tokens, **unused, **changed}


def month(*rows: object) -> bytes:
    return json.dumps({"data": rows}).encode()


def test_every_row_is_told_with_the_thirty_days_and_not_with_its_own_date() -> None:
    found = parse(capture(BODY))
    schemas.validate(schemas.Volume, found.volumes, SOURCE.id)
    schemas.validate(schemas.Rejection, found.rejections, SOURCE.id)
    assert found.volumes.select("subject", "meter", "quantity").rows() == [
        ("deepseek/deepseek-v4-flash-20260731", "prompt", 3_394_620_216_411),
        ("deepseek/deepseek-v4-flash-20260731", "completion", 57_754_587_120),
        # last used on 2026-07-07, and still a sum over the same thirty days
        ("liquid/lfm-2.5-1.2b-thinking-20260120", "prompt", 3_323_935),
        ("liquid/lfm-2.5-1.2b-thinking-20260120", "completion", 88_095),
    ]
    assert set(found.volumes.select("period_start", "period_end", "as_of").rows()) == {
        (date(2026, 7, 6), date(2026, 8, 5), datetime(2026, 8, 5, 16, 0))
    }
    assert found.rejections.select("listing_id", "reason").rows() == [
        (":standard", "NOT_A_LISTING"),
        ("tencent/hy3-20260706:free", "FREE_VARIANT"),
        ("openai/gpt-5-nano-2025-08-07:batch", "VARIANT_NOT_STANDARD"),
    ]


def test_a_body_of_the_running_day_is_a_part() -> None:
    found = parse(capture(month(row()), datetime(2026, 8, 4, 23, 59, tzinfo=UTC)))
    assert found.rejections["reason"].to_list() == ["PARTIAL_DAY"]
    over = parse(capture(month(row()), datetime(2026, 8, 5, 0, 0, tzinfo=UTC)))
    assert over.volumes["quantity"].to_list() == [7, 3]


def test_tokens_that_this_view_has_never_counted_are_told_once_it_does() -> None:
    found = parse(capture(month(row(total_native_tokens_cached=5))))
    assert found.volumes.select("meter", "quantity").rows()[-1] == ("cached", 5)


COUNTS = {"a decimal": 7.5, "below zero": -7, "a text": "7", "null": None, "1e12": 1e12}


@pytest.mark.parametrize("count", COUNTS.values(), ids=COUNTS.keys())
def test_a_count_that_is_none_is_refused(count: object) -> None:
    found = parse(capture(month(row(total_prompt_tokens=count))))
    assert found.rejections["reason"].to_list() == ["NOT_A_COUNT"]
    assert found.volumes["meter"].to_list() == ["completion"]


def test_a_model_given_twice_counts_once() -> None:
    found = parse(capture(month(row(), row(total_prompt_tokens=9))))
    assert found.volumes["quantity"].to_list() == [7, 3]
    assert found.rejections["reason"].to_list() == ["DUPLICATE_ROW"] * 2


def test_the_month_is_asked_for() -> None:
    (asked,) = SOURCE.requests(SOURCE.url)
    assert dict(asked.params) == {"view": "month"}


HOSTILE = {
    "html": b"<html></html>",
    "no models": b'{"data":[]}',
    "an error": b'{"error":{"code":404}}',
    "a row without a date": month({"model_permaslug": "a/b", "variant": "standard"}),
    "no such day": month(row(date="2026-02-30 00:00:00")),
    "a slug that is a number": month(row(model_permaslug=5)),
    "used before the thirty days began": month(row(), row(date="2026-07-05 00:00:00")),
    "a row that is a word": month("x"),
    "a day in another form": month(row(date="20260804")),
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_body_that_is_something_else_is_an_error(body: bytes) -> None:
    with pytest.raises(ParseError, match=SOURCE.id):
        parse(capture(body))


def test_all_captured_bodies_parse_with_rows_as_counted_apart() -> None:
    files = payloads("volume/openrouter_rankings_models_month")
    kept, refused = 0, Counter[str]()
    for path in files:
        body = gzip.decompress(path.read_bytes())
        at = datetime.fromisoformat(path.name[:10]).replace(hour=16, tzinfo=UTC)
        found = parse(capture(body, at))
        listed = json.loads(body)
        standard = [r for r in listed if r["variant"] == "standard" and r["model_permaslug"]]
        assert found.volumes.height == 2 * len(standard)
        assert found.rejections.height == len(listed) - len(standard)
        prompt = found.volumes.filter(pl.col("meter") == "prompt")["quantity"].sum()
        assert prompt == sum(r["total_prompt_tokens"] for r in standard)
        kept += found.volumes.height
        refused.update(found.rejections["reason"].to_list())
    assert len(files) == 19
    assert kept == 16_754
    assert refused == {"FREE_VARIANT": 625, "VARIANT_NOT_STANDARD": 264, "NOT_A_LISTING": 3}


def test_thirty_days_of_the_daily_table_are_what_a_month_says() -> None:
    """The period is measured, not stated: thirty daily figures add up to the month's."""
    root = Path(os.environ.get("SPOTFIX_PAYLOADS", ROOT.parent / "shared" / "payloads"))
    path = root / "volume/openrouter_model_activity/model_activity.csv.gz"
    if not path.is_file():
        pytest.skip(f"no captured bodies at {path}; set SPOTFIX_PAYLOADS")
    daily = pl.read_csv(gzip.decompress(path.read_bytes()), infer_schema=False).filter(
        pl.col("variant") == "standard",
        pl.col("date").is_between(pl.lit("2026-06-27"), pl.lit("2026-07-26")),
    )
    days = daily.group_by("permaslug").agg(pl.col("total_prompt_tokens").cast(pl.Int64).sum())
    body = (root / "volume/openrouter_rankings_models_month/2026-07-27.json.gz").read_bytes()
    at = datetime(2026, 7, 27, 16, tzinfo=UTC)
    told = parse(capture(gzip.decompress(body), at)).volumes.filter(pl.col("meter") == "prompt")
    both = told.join(days, left_on="subject", right_on="permaslug")
    same = both.filter(pl.col("quantity") == pl.col("total_prompt_tokens"))
    assert told["period_start"].unique().to_list() == [date(2026, 6, 27)]
    assert both.height > 300
    assert same.height > both.height * 9 // 10
