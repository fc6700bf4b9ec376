"""models.dev: the catalogue and its dated change rows. Figures read from them by eye."""

import io
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from collectors.base import Capture
from collectors.tokens.models_dev import SOURCE, parse, parse_history
from methodology import schemas
from methodology.errors import ParseError

BODY = Path(__file__).parent / "payloads" / "models_dev" / "2026-08-12.api.json"
SHOWN = ("provider", "listing_id", "meter", "price_text", "status")


def capture(body: bytes) -> Capture:
    return Capture(SOURCE.id, SOURCE.url, body, datetime(2026, 8, 12, 9, 0, tzinfo=UTC))


def history(*rows: tuple, **types: pl.DataType) -> bytes:
    """Rows of (day, model, status, input, output, cache_read) as the catalogue's Parquet."""
    table = pl.DataFrame(
        [
            {
                "committed_at": datetime(2026, 1, day, 12, 0, tzinfo=UTC),
                "commit": "0" * 40,
                "provider": "host",
                "model": model,
                "status": status,
                "input": paid,
                "output": out,
                "reasoning": None,
                "cache_read": cached,
                "cache_write": None,
                "extra": "{}",
            }
            for day, model, status, paid, out, cached in rows
        ],
        schema={
            "committed_at": pl.Datetime("us", "UTC"),
            **dict.fromkeys(["commit", "provider", "model", "status"], pl.String),
            **dict.fromkeys(
                ["input", "output", "reasoning", "cache_read", "cache_write"], pl.Float64
            ),
            "extra": pl.String,
        },
    )
    buffer = io.BytesIO()
    table.cast(types).write_parquet(buffer)
    return buffer.getvalue()


def told(body: bytes) -> list[tuple]:
    quotes = parse_history(capture(body)).quotes
    schemas.validate(schemas.Quote, quotes, "models_dev")
    return [
        (at.day, *rest)
        for at, *rest in quotes.select("observed_at", "meter", "price_text", "status").rows()
    ]


def test_the_catalogue_gives_prices_per_million():
    found = parse(capture(BODY.read_bytes()))
    schemas.validate(schemas.Quote, found.quotes, "models_dev")
    assert found.quotes.select(SHOWN).rows() == [
        ("openai", "o3", "IN", "2", "offered"),
        ("openai", "o3", "OUT", "8", "offered"),
        ("openai", "o3", "CIN", "0.5", "offered"),
        ("openai", "gpt-5.5", "IN", "5", "offered"),
        ("openai", "gpt-5.5", "OUT", "30", "offered"),
        ("openai", "gpt-5.5", "CIN", "0.5", "offered"),
        ("deepseek", "deepseek-v4-pro", "IN", "0.435", "offered"),
        ("deepseek", "deepseek-v4-pro", "OUT", "0.87", "offered"),
        ("deepseek", "deepseek-v4-pro", "CIN", "0.003625", "offered"),
        ("plan", "glm-5", "IN", None, "unknown"),
        ("plan", "glm-5", "OUT", None, "unknown"),
        ("plan", "no-cost", "IN", None, "unknown"),
        ("plan", "no-cost", "OUT", None, "unknown"),
    ]
    assert found.rejections.select("listing_id", "reason").rows() == [
        ("gpt-5.5", "CONTEXT_BRACKET"),
        ("gpt-5.5", "CONTEXT_BRACKET"),
        ("deepseek-v4-pro", "NOT_A_MEASURED_METER"),
        ("glm-5", "FREE_OFFER"),
        ("glm-5", "FREE_OFFER"),
        ("no-cost", "PRICE_MISSING"),
        ("no-cost", "PRICE_MISSING"),
    ]


HISTORIES = {
    "a change is a new row": (
        [(1, "m", "ok", 2.0, 8.0, None), (2, "m", "ok", 1.5, 8.0, None)],
        [(1, "IN", "2.0", "offered"), (1, "OUT", "8.0", "offered"),
         (2, "IN", "1.5", "offered"), (2, "OUT", "8.0", "offered")],
    ),
    "a deletion withdraws every meter known before": (
        [(1, "m", "ok", 2.0, 8.0, 0.5), (2, "m", "deleted", None, None, None)],
        [(1, "IN", "2.0", "offered"), (1, "OUT", "8.0", "offered"), (1, "CIN", "0.5", "offered"),
         (2, "IN", None, "withdrawn"), (2, "OUT", None, "withdrawn"),
         (2, "CIN", None, "withdrawn")],
    ),
    "a deletion of something never priced says nothing": (
        [(1, "m", "deleted", None, None, None)],
        [],
    ),
    "a cache price that is dropped becomes unknown": (
        [(1, "m", "ok", 2.0, 8.0, 0.5), (2, "m", "ok", 2.0, 8.0, None)],
        [(1, "IN", "2.0", "offered"), (1, "OUT", "8.0", "offered"), (1, "CIN", "0.5", "offered"),
         (2, "IN", "2.0", "offered"), (2, "OUT", "8.0", "offered"), (2, "CIN", None, "unknown")],
    ),
    "a plan at zero ends the older price": (
        [(1, "m", "ok", 2.0, 8.0, None), (2, "m", "ok", 0.0, 0.0, None)],
        [(1, "IN", "2.0", "offered"), (1, "OUT", "8.0", "offered"),
         (2, "IN", None, "unknown"), (2, "OUT", None, "unknown")],
    ),
    "an inherited price ends the older price": (
        [(1, "m", "ok", 2.0, 8.0, None), (2, "m", 'extends:{"from": "x/m"}', None, None, None)],
        [(1, "IN", "2.0", "offered"), (1, "OUT", "8.0", "offered"),
         (2, "IN", None, "unknown"), (2, "OUT", None, "unknown")],
    ),
    "an entry that extends another but says its price is quoted": (
        [(1, "m", 'extends:"x/m"', 2.0, 8.0, None)],
        [(1, "IN", "2.0", "offered"), (1, "OUT", "8.0", "offered")],
    ),
    "small floats keep their shortest text": (
        [(1, "m", "ok", 1e-07, 0.1, 0.30000000000000004)],
        [(1, "IN", "1e-07", "offered"), (1, "OUT", "0.1", "offered"),
         (1, "CIN", "0.30000000000000004", "offered")],
    ),
    "rows out of order are put in order": (
        [(2, "m", "ok", 1.0, 2.0, None), (1, "m", "ok", 3.0, 4.0, None)],
        [(1, "IN", "3.0", "offered"), (1, "OUT", "4.0", "offered"),
         (2, "IN", "1.0", "offered"), (2, "OUT", "2.0", "offered")],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("rows", "expected"), HISTORIES.values(), ids=HISTORIES.keys())
def test_history(rows, expected):
    assert told(history(*rows)) == expected


REFUSALS = {
    "zero, once per figure": ((1, "m", "ok", 0.0, 0.0, None), ["FREE_OFFER"] * 2),
    "inherited, once per row": ((1, "m", 'extends:"x"', None, None, None), ["PRICE_INHERITED"]),
    "missing, once per row": ((1, "m", "ok", None, None, None), ["PRICE_MISSING"]),
    "below zero": ((1, "m", "ok", -1.0, 1.0, None), ["NEGATIVE_PRICE"]),
    "not a number": ((1, "m", "ok", float("nan"), 1.0, None), ["NOT_A_NUMBER"]),
    "infinite": ((1, "m", "ok", float("inf"), 1.0, None), ["NOT_A_NUMBER"]),
    "gone before it was priced": ((1, "m", "deleted", None, None, None), ["NEVER_QUOTED"]),
    "a status nobody knows": ((1, "m", "moved", 1.0, 1.0, None), ["UNKNOWN_STATUS"]),
}


@pytest.mark.parametrize(("row", "reasons"), REFUSALS.values(), ids=REFUSALS.keys())
def test_what_is_no_price_is_counted(row, reasons):
    found = parse_history(capture(history(row)))
    schemas.validate(schemas.Rejection, found.rejections, "models_dev")
    assert found.rejections["reason"].to_list() == reasons
    assert set(found.quotes["status"]) <= {"unknown", "offered"}


HOSTILE = {
    "html": b"<html></html>",
    "a list": b"[]",
    "no providers": b"{}",
    "a provider without models": b'{"p":{"id":"p"}}',
    "a model that is a word": b'{"p":{"models":{"m":"x"}}}',
    "nan": b'{"p":{"models":{"m":{"cost":{"input":NaN}}}}}',
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_body_that_is_something_else_is_an_error(body):
    with pytest.raises(ParseError, match="models_dev"):
        parse(capture(body))


def test_a_quoted_figure_is_a_change_of_layout_and_refused():
    found = parse(capture(b'{"p":{"models":{"m":{"cost":{"input":"3","output":true}}}}}'))
    assert found.rejections["reason"].to_list() == ["NOT_A_NUMBER"] * 2
    assert set(found.quotes["status"]) == {"unknown"}


@pytest.mark.parametrize(
    "body",
    [b"PAR1", b"", history((1, "m", "ok", 1.0, 1.0, None), input=pl.Float32())],
    ids=["cut off", "empty", "another type"],
)
def test_a_table_that_is_something_else_is_an_error(body):
    with pytest.raises(ParseError, match="models_dev"):
        parse_history(capture(body))


@pytest.mark.parametrize(
    ("moment_us", "reason", "shown"),
    [
        pytest.param(
            599_616_000_000_000, "BAD_DATE", "ok at 599616000000000 us since 1970",
            id="a_day_of_1989_is_before_any_price",
        ),
        pytest.param(
            -(2**63) + 1, "BAD_DATE", f"ok at {-(2**63) + 1} us since 1970",
            id="a_time_before_the_calendar",
        ),
        pytest.param(
            2**63 - 1, "SEEN_IN_FUTURE", f"ok at {2**63 - 1} us since 1970",
            id="a_time_after_the_calendar",
        ),
        pytest.param(
            1_798_761_600_000_000, "SEEN_IN_FUTURE", "ok at 2027-01-01 00:00:00.000000",
            id="a_day_of_next_year",
        ),
    ],
)  # fmt: skip
def test_a_row_of_a_time_that_no_price_can_have_is_refused(
    moment_us: int, reason: str, shown: str
) -> None:
    """Python cannot hold some of the times that a table can: whoever showed the row would fail."""
    table = pl.read_parquet(history((1, "m", "ok", 1.0, 2.0, None)))
    odd = pl.lit(moment_us).cast(pl.Datetime("us", "UTC")).alias("committed_at")
    buffer = io.BytesIO()
    table.with_columns(odd).write_parquet(buffer)
    found = parse_history(capture(buffer.getvalue()))
    assert found.quotes.is_empty()
    assert found.rejections.select("reason", "detail").rows() == [(reason, shown)]
