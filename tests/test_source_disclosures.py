"""Statements of use: the reviewed ones, exactly; the others refused by name."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from collectors.base import Capture
from collectors.volumes.disclosures import LINES, SOURCE, parse
from methodology import schemas
from methodology.errors import ParseError

ROOT = Path(__file__).resolve().parents[1]
BODY = (Path(__file__).parent / "payloads" / SOURCE.id / "2026-11-20.csv").read_bytes()
HEAD = BODY.splitlines()[0].decode()
GOOGLE = 'Google,2024-05,"monthly tokens, all surfaces",9.7,trillion/month,page'


def capture(body: bytes) -> Capture:
    return Capture(SOURCE.id, "list", body, datetime(2026, 11, 20, tzinfo=UTC))


def listed(*rows: str) -> bytes:
    return "\n".join([HEAD, *rows]).encode()


def test_a_statement_becomes_the_tokens_of_its_whole_period() -> None:
    found = parse(capture(BODY))
    schemas.validate(schemas.Volume, found.volumes, SOURCE.id)
    schemas.validate(schemas.Rejection, found.rejections, SOURCE.id)
    assert found.volumes.drop("source", "meter", "capture_sha256").rows() == [
        # 100 billion a day over the 31 days of January 2024, told on 2025-08-14
        (
            *("cn-national", 3_100_000_000_000, date(2024, 1, 1), date(2024, 2, 1)),
            datetime(2025, 8, 14),
        ),
        # 9.7 trillion in May 2024, told a year later
        (
            *("google", 9_700_000_000_000, date(2024, 5, 1), date(2024, 6, 1)),
            datetime(2025, 5, 20),
        ),
        # over 120 trillion a day in March 2026: 31 days of 120 trillion
        (
            *("bytedance-doubao", 3_720_000_000_000_000, date(2026, 3, 1), date(2026, 4, 1)),
            datetime(2026, 4, 2),
        ),
    ]
    assert found.rejections.select("provider", "reason").rows() == [
        ("CCTV Finance via ITHome", "UNMAPPED_LISTING"),
        ("Vercel AI Gateway", "UNMAPPED_LISTING"),
    ]


FAULTS = {
    "a reviewed statement twice": (listed(GOOGLE, GOOGLE), "ROWS"),
    "a figure that is a word": (listed(GOOGLE.replace("9.7", "many")), "NOT_A_NUMBER"),
    "a figure with a thousands mark": (listed(GOOGLE.replace("9.7", '"9,700"')), "NOT_A_NUMBER"),
    "a part of a token": (listed(GOOGLE.replace("9.7", "9.70000000000001")), "INEXACT"),
    "another unit": (listed(GOOGLE.replace("trillion", "many")), "UNKNOWN_UNIT"),
    "other columns": (b"who,date\nGoogle,2024-05\n", "SHAPE"),
    "a row with a field too many": (listed(GOOGLE + ",x"), "SHAPE"),
    "no statement": (HEAD.encode(), "SHAPE"),
    "html": (b"<html></html>", "SHAPE"),
    "empty": (b"", "SHAPE"),
    "another encoding": (HEAD.encode("utf-16"), "NOT_CSV"),
    "a quote without an end": (listed('Google,"2024'), "NOT_CSV"),
}


@pytest.mark.parametrize(("body", "reason"), FAULTS.values(), ids=FAULTS.keys())
def test_a_list_that_is_not_the_reviewed_one_is_an_error(body: bytes, reason: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse(capture(body))
    assert caught.value.reason == reason


def test_no_reviewed_line_names_a_statement_twice_or_ends_before_it_begins() -> None:
    assert len({(line.who, line.at, line.metric) for line in LINES}) == len(LINES) == 14
    assert all(line.first <= line.last and line.url.startswith("https://") for line in LINES)


def test_the_collected_list_holds_every_reviewed_statement() -> None:
    found = Path(os.environ.get("SPOTFIX_PAYLOADS", ROOT.parent / "shared" / "payloads"))
    path = found / "volume/disclosures.csv"
    if not path.is_file():
        pytest.skip(f"no captured body at {path}; set SPOTFIX_PAYLOADS")
    parsed = parse(capture(path.read_bytes()))
    assert (parsed.volumes.height, parsed.rejections.height) == (14, 19)
    # The bundled table was made from the same list: the same figures stand in both.
    bundled = pl.read_csv(ROOT / "data/bundled/disclosures.csv", try_parse_dates=True)
    columns = ["subject", "quantity", "period_start", "period_end"]
    assert sorted(bundled.select(columns).rows()) == sorted(parsed.volumes.select(columns).rows())


def test_more_tokens_than_a_count_can_hold_are_refused() -> None:
    found = parse(capture(listed(GOOGLE.replace("9.7", "320000000"))))
    assert found.volumes.is_empty()
    assert found.rejections["reason"].to_list() == ["NOT_A_COUNT"]
