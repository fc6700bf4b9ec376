"""A scraped page: weeks that begin on Monday, and ten days of another chart."""

from __future__ import annotations

import gzip
import json
import os
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from collectors.base import Capture
from collectors.volumes.openrouter_rankings_scrape import SOURCE, parse
from methodology import schemas
from methodology.errors import ParseError

ROOT = Path(__file__).resolve().parents[1]
HERE = Path(__file__).parent / "payloads" / SOURCE.id

WRONG = {
    *("2026-04-01", "2026-04-14", "2026-04-16", "2026-04-19", "2026-04-29", "2026-04-30"),
    *("2026-05-02", "2026-05-06", "2026-05-07", "2026-05-13"),
}
"""Days whose first model has fewer than 150 million tokens for a tenth of the chart, and 05-02."""


def captured() -> list[Path]:
    found = Path(os.environ.get("SPOTFIX_PAYLOADS", ROOT.parent / "shared" / "payloads"))
    folder = found / "volume/openrouter_rankings_page_scrape"
    if not folder.is_dir():
        pytest.skip(f"no captured bodies at {folder}; set SPOTFIX_PAYLOADS")
    return sorted(folder.glob("2*.json.gz"))


def capture(body: bytes) -> Capture:
    return Capture(SOURCE.id, "page", body, datetime(2026, 11, 20, tzinfo=UTC))


def page(*rows: object, at: object = "2026-04-07T00:00:00+00:00") -> bytes:
    return json.dumps({"meta": {"fetched_at": at}, "models": rows}).encode()


def row(**changed: object) -> dict[str, object]:
    return {"model_id": "a/b", "tokens": 500_000_000_000, "share_pct": 50, **changed}


def test_a_monday_morning_has_little_of_its_week_and_is_told_as_that() -> None:
    found = parse(capture((HERE / "2026-03-30.json").read_bytes()))
    schemas.validate(schemas.Volume, found.volumes, SOURCE.id)
    schemas.validate(schemas.Rejection, found.rejections, SOURCE.id)
    assert found.volumes.drop("source", "capture_sha256").rows() == [
        (
            "xiaomi/mimo-v2-pro-20260318",
            "total",
            207_880_945_963,
            date(2026, 3, 30),
            date(2026, 3, 31),
            datetime(2026, 3, 30, 7, 21, 42, 748778),
        )
    ]
    assert found.rejections.select("listing_id", "reason").rows() == [
        ("stepfun/step-3.5-flash:free", "FREE_VARIANT")
    ]


def test_another_chart_is_refused_whole_and_loudly() -> None:
    with pytest.raises(ParseError, match="not that of all models") as caught:
        parse(capture((HERE / "2026-04-01.json").read_bytes()))
    assert caught.value.reason == "WRONG_CHART"


SIZES = {
    "a trillion in a day counts": (row(), None),
    "a token less is another chart": (row(tokens=499_999_999_999), "WRONG_CHART"),
    "two days need two trillion": (row(), "WRONG_CHART"),
}


@pytest.mark.parametrize(("one", "reason"), SIZES.values(), ids=SIZES.keys())
def test_the_size_of_a_chart_is_measured_from_monday(
    one: dict[str, object], reason: str | None
) -> None:
    # 2026-04-06 is a Monday.
    days = 2 if one == row() and reason else 1
    body = page(one, at=f"2026-04-{6 + days:02d}T00:00:00+00:00")
    if reason is None:
        (found,) = parse(capture(body)).volumes.select("period_start", "period_end").rows()
        assert found == (date(2026, 4, 6), date(2026, 4, 8))
        return
    with pytest.raises(ParseError) as caught:
        parse(capture(body))
    assert caught.value.reason == reason


def test_an_offset_is_taken_off_before_the_week_is_named() -> None:
    # Monday 01:00 in Berlin is Sunday 23:00 UTC: the week before, nearly full.
    body = page(row(tokens=10**13), at="2026-04-13T01:00:00+02:00")
    assert parse(capture(body)).volumes["period_start"].to_list() == [date(2026, 4, 6)]


def test_counts_that_are_none_and_models_told_twice_are_refused() -> None:
    found = parse(capture(page(row(), row(model_id="c/d", tokens=1.5), row(tokens=7))))
    assert found.rejections["reason"].to_list() == ["NOT_A_COUNT", "DUPLICATE_ROW"]
    assert found.volumes["quantity"].to_list() == [500_000_000_000]


HOSTILE = {
    "html": (b"<html></html>", "NOT_JSON"),
    "a list": (b"[]", "SHAPE"),
    "no time": (page(row(), at=None), "SHAPE"),
    "a time without a zone": (page(row(), at="2026-04-07T00:00:00"), "SHAPE"),
    "a time after it was fetched": (page(row(), at="2026-11-21T00:00:00Z"), "SHAPE"),
    "a page that was rebuilt": (page(), "EMPTY"),
    "a model without an id": (page({"tokens": 5}), "SHAPE"),
    "a share of nothing": (page(row(share_pct=0)), "SHAPE"),
    "a share above all": (page(row(share_pct=101)), "SHAPE"),
    "no share": (page(row(share_pct=None)), "SHAPE"),
    "a first figure that is a label": (page(row(tokens="3.11T")), "SHAPE"),
}


@pytest.mark.parametrize(("body", "reason"), HOSTILE.values(), ids=HOSTILE.keys())
def test_a_body_that_is_something_else_is_an_error(body: bytes, reason: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse(capture(body))
    assert caught.value.reason == reason


def test_ten_of_the_captured_days_are_refused_and_the_others_are_whole() -> None:
    kept = 0
    assert {path.name[:10] for path in captured()} > WRONG
    for path in captured():
        body = gzip.decompress(path.read_bytes())
        models = json.loads(body)["models"]
        if path.name[:10] in WRONG:
            with pytest.raises(ParseError, match="WRONG_CHART"):
                parse(capture(body))
            continue
        found = parse(capture(body))
        paid = [m for m in models if ":" not in m["model_id"]]
        assert found.volumes["quantity"].to_list() == [m["tokens"] for m in paid]
        assert found.seen == len(models) == 9
        kept += found.volumes.height
    assert len(captured()) == 44
    assert kept == 277
