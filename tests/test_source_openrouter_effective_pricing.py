"""Averages paid per host: volumes are kept, averages are no quotes."""

from __future__ import annotations

import csv
import gzip
import io
import os
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from collectors.base import Capture
from collectors.volumes.openrouter_effective_pricing import SOURCE, parse, prices_paid
from methodology import schemas
from methodology.errors import ParseError

ROOT = Path(__file__).resolve().parents[1]
BODY = (Path(__file__).parent / "payloads" / SOURCE.id / "2026-08-07.csv").read_bytes()
HEAD = BODY.splitlines()[0]


def captured() -> list[Path]:
    found = Path(os.environ.get("SPOTFIX_PAYLOADS", ROOT.parent / "shared" / "payloads"))
    folder = found / "volume/openrouter_effective_pricing"
    if not folder.is_dir():
        pytest.skip(f"no captured bodies at {folder}; set SPOTFIX_PAYLOADS")
    return sorted(folder.glob("2*.csv.gz"))


def capture(body: bytes) -> Capture:
    return Capture(SOURCE.id, "table", body, datetime(2026, 11, 20, tzinfo=UTC))


def table(*rows: str) -> bytes:
    return b"\n".join([HEAD, *(text.encode() for text in rows)]) + b"\n"


def line(
    host: str = "H", tokens: str = "5", day: str = "2026-08-07", variant: str = "standard"
) -> str:
    return f"{day},2026-08-07T15:57:25+00:00,a/b,a/b,{variant},1,2,0,{host},h,1.5,2.5,0.25,{tokens}"


def test_tokens_are_kept_per_model_and_host_and_no_price_is_a_quote() -> None:
    found = parse(capture(BODY))
    schemas.validate(schemas.Volume, found.volumes, SOURCE.id)
    schemas.validate(schemas.Rejection, found.rejections, SOURCE.id)
    assert found.quotes.is_empty()
    assert found.volumes.select("subject", "meter", "quantity").rows() == [
        ("ai21/jamba-large-1.7|AI21", "total", 14_888_845),
        ("aion-labs/aion-2.0|AionLabs", "total", 240_520_066),
        ("amazon/nova-2-lite-v1|Amazon Bedrock (2)", "total", 14_112_611),
        ("amazon/nova-2-lite-v1|Amazon Bedrock (1)", "total", 13_352_873),
        ("alibaba/wan-2.6|AtlasCloud", "total", 0),
    ]
    # stated at 15:57 of the day it counts: a part of that day, and it says so
    assert set(found.volumes.select("period_start", "period_end", "as_of").rows()) == {
        (date(2026, 8, 7), date(2026, 8, 8), datetime(2026, 8, 7, 15, 57, 25))
    }
    assert found.rejections.select("provider", "listing_id", "reason").rows() == [
        ("Cohere", "cohere/north-mini-code:free", "FREE_VARIANT"),
        ("Anthropic", "anthropic/claude-haiku-4.5:batch", "VARIANT_NOT_STANDARD"),
        ("", "01-ai/yi-1.5-34b-chat:standard", "NO_HOST"),
    ]


def test_what_was_paid_stays_the_text_of_the_body() -> None:
    paid = prices_paid(capture(BODY))
    assert paid.select(
        "subject", "tokens", "effective_input_price", "effective_output_price", "cache_hit_rate"
    ).rows()[:2] == [
        ("ai21/jamba-large-1.7|AI21", 14_888_845, "2", "8", "0"),
        (
            "aion-labs/aion-2.0|AionLabs",
            240_520_066,
            "0.44983619716488477",
            "1.599670787262121",
            "0.5835427168505616",
        ),
    ]
    assert paid.height == 4  # a host without traffic paid nothing and shows no price


def test_a_figure_that_is_no_decimal_is_no_price_paid() -> None:
    body = table(line().replace(",1.5,", ",NaN,"))
    assert prices_paid(capture(body))["effective_input_price"].to_list() == [None]
    assert parse(capture(body)).volumes["quantity"].to_list() == [5]


REFUSED = {
    "no host": (line(host=""), "NO_HOST"),
    "a free variant": (line(variant="free"), "FREE_VARIANT"),
    "a thinking variant": (line(variant="thinking"), "VARIANT_NOT_STANDARD"),
    "no variant": (line(variant=""), "VARIANT_NOT_STANDARD"),
    "a decimal": (line(tokens="5.5"), "NOT_A_COUNT"),
    "no count": (line(tokens=""), "NOT_A_COUNT"),
    "below zero": (line(tokens="-5"), "NOT_A_COUNT"),
    "a day after its scrape": (line(day="2026-08-08"), "SEEN_IN_FUTURE"),
}


@pytest.mark.parametrize(("one", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_a_row_that_is_no_volume_is_refused(one: str, reason: str) -> None:
    found = parse(capture(table(one)))
    assert found.volumes.is_empty()
    assert found.rejections["reason"].to_list() == [reason]


def test_a_host_told_twice_counts_once() -> None:
    found = parse(capture(table(line(), line(tokens="6"))))
    assert found.volumes["quantity"].to_list() == [5]
    assert found.rejections["reason"].to_list() == ["DUPLICATE_ROW"]


HOSTILE = {
    "html": b"<html></html>",
    "empty": b"",
    "other columns": b"a,b\n1,2\n",
    "no such day": table(line(day="2026-02-30")),
    "rows of another length": table("a,b"),
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_body_that_is_something_else_is_an_error(body: bytes) -> None:
    for read in (parse, prices_paid):
        with pytest.raises(ParseError, match=SOURCE.id):
            read(capture(body))


def test_all_captured_tables_parse_with_rows_as_counted_apart() -> None:
    seen, kept, tokens = Counter[str](), 0, 0
    for path in captured():
        body = gzip.decompress(path.read_bytes())
        found = parse(capture(body))
        listed = list(csv.DictReader(io.StringIO(body.decode())))
        hosts = [r for r in listed if r["provider_name"] and r["variant"] == "standard"]
        assert found.volumes.height == len(hosts)
        assert found.seen == len(listed)
        assert found.volumes["quantity"].sum() == sum(int(r["total_tokens"]) for r in hosts)
        assert prices_paid(capture(body)).null_count().sum_horizontal().item() == 0
        seen.update(found.rejections["reason"].to_list())
        kept, tokens = kept + found.volumes.height, tokens + found.volumes["quantity"].sum()
    assert len(captured()) == 11
    assert kept + sum(seen.values()) == 15_800
    assert set(seen) == {"NO_HOST", "FREE_VARIANT", "VARIANT_NOT_STANDARD"}
    assert seen["NO_HOST"] == 4_454


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (line(host="H\u202e"), "MALFORMED_ROW"),
        (line(tokens="05"), "NOT_A_COUNT"),
        (line().replace("2026-08-07T", "2027-08-07T"), "SEEN_IN_FUTURE"),
    ],
    ids=["text turned round", "a zero before the figure", "scraped after it was fetched"],
)
def test_a_row_that_cannot_be_is_refused(row: str, reason: str) -> None:
    found = parse(capture(table(row)))
    assert found.volumes.is_empty()
    assert found.rejections["reason"].to_list() == [reason]


def test_a_head_without_a_row_and_a_row_cut_inside_are_faults() -> None:
    for body in (table(), table(line()[:-4])):
        with pytest.raises(ParseError):
            parse(capture(body))
