"""Catwalk's catalogue and its change rows. Figures read from them by eye."""

import gzip
import io
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from collectors.base import Capture
from collectors.tokens.catwalk import SOURCE, parse, parse_history
from methodology import schemas
from methodology.errors import ParseError

HERE = Path(__file__).parent / "payloads" / "catwalk"
HOME = Path(
    os.environ.get("SPOTFIX_PAYLOADS")
    or Path(__file__).resolve().parent.parent.parent / "shared" / "payloads"
)
SHOWN = ("provider", "listing_id", "meter", "price_text", "status")


def capture(body: bytes) -> Capture:
    return Capture(SOURCE.id, SOURCE.url, body, datetime(2026, 8, 21, 9, 0, tzinfo=UTC))


def sold(*models: dict, provider: str = "groq") -> bytes:
    return json.dumps([{"id": provider, "models": list(models)}]).encode()


def model(price_in: object, price_out: object, **more: object) -> dict:
    return {"id": "m", "cost_per_1m_in": price_in, "cost_per_1m_out": price_out, **more}


def test_a_dump_gives_input_and_output_and_no_cached_price():
    found = parse(capture((HERE / "2026-08-21.json").read_bytes()))
    schemas.validate(schemas.Quote, found.quotes, "catwalk")
    schemas.validate(schemas.Rejection, found.rejections, "catwalk")
    assert found.quotes.select(SHOWN).rows() == [
        ("anthropic", "claude-opus-5", "IN", "5", "offered"),
        ("anthropic", "claude-opus-5", "OUT", "25", "offered"),
        ("fireworks", "accounts/fireworks/models/gpt-oss-120b", "IN", "0.15", "offered"),
        ("fireworks", "accounts/fireworks/models/gpt-oss-120b", "OUT", "0.6", "offered"),
        # the file is called kimi, the provider kimi-coding: a plan at zero
        ("kimi-coding", "k3", "IN", None, "unknown"),
        ("kimi-coding", "k3", "OUT", None, "unknown"),
    ]
    assert found.rejections.select("provider", "reason").rows() == [
        ("anthropic", "NOT_A_MEASURED_METER"),
        ("anthropic", "NOT_A_MEASURED_METER"),
        ("fireworks", "NOT_A_MEASURED_METER"),
        ("kimi-coding", "FREE_OFFER"),
        ("kimi-coding", "FREE_OFFER"),
    ]


def test_a_list_of_providers_gives_the_same_as_an_object_by_file():
    dump = json.loads((HERE / "2026-08-21.json").read_bytes())
    listed = parse(capture(json.dumps(list(dump.values())).encode()))
    stored = parse(capture(json.dumps(dump).encode()))
    assert listed.quotes.select(SHOWN).rows() == stored.quotes.select(SHOWN).rows()


def test_the_later_layout_names_the_cached_read():
    pricing = {"input": 5, "output": 25, "cache_create": 6.25, "cache_hit": 0.5}
    found = parse(capture(sold({"id": "claude-opus-5", "pricing": pricing}, provider="anthropic")))
    assert found.quotes.select("meter", "price_text").rows() == [
        ("IN", "5"),
        ("OUT", "25"),
        ("CIN", "0.5"),
    ]
    assert found.rejections["detail"].to_list() == ["cache_create is 6.25"]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (0, "FREE_OFFER"),
        (-1, "NEGATIVE_PRICE"),
        ("1.0", "NOT_A_NUMBER"),
        (None, "PRICE_MISSING"),
        ([1], "NOT_A_NUMBER"),
    ],
    ids=["zero", "below zero", "a text", "null", "a list"],
)
def test_a_figure_that_is_no_price_ends_the_older_one(value, reason):
    found = parse(capture(sold(model(value, 2))))
    assert found.quotes.select("meter", "status").rows() == [("IN", "unknown"), ("OUT", "offered")]
    assert found.rejections["reason"].to_list() == [reason]


def test_a_listing_given_twice():
    same = parse(capture(sold(model(2.25, 2.75), model(2.25, 2.75))))
    assert same.quotes["price_text"].to_list() == ["2.25", "2.75"]
    assert same.rejections["reason"].to_list() == ["DUPLICATE_LISTING"] * 2
    other = parse(capture(sold(model(1, 2), model(3, 2))))
    assert other.quotes.select("meter", "status").rows() == [("IN", "unknown"), ("OUT", "offered")]
    assert other.rejections["reason"].to_list().count("AMBIGUOUS_LISTING") == 2


@pytest.mark.parametrize(
    "text",
    [
        b"7",
        b"[]",
        b"{}",
        b"[7]",
        b'[{"models": []}]',
        b'{"a": {"id": "a", "models": {}}}',
        b'[{"id": "a", "models": [{"cost_per_1m_in": 1}]}]',
        b'[{"id": "a", "models": [7]}]',
    ],
    ids=[
        "a number",
        "an empty list",
        "an empty object",
        "no provider",
        "no id",
        "no list of models",
        "a model without id",
        "no model",
    ],
)
def test_a_body_of_another_shape_is_refused(text):
    with pytest.raises(ParseError, match="SHAPE"):
        parse(capture(text))


def changes(*rows: tuple) -> bytes:
    """Rows of (day, status, input, output, in_cached) of one listing, as Parquet."""
    table = pl.DataFrame(
        [
            {
                "committed_at": datetime(2026, 1, day, tzinfo=UTC),
                "provider": "openai",
                "model": "m",
                "status": status,
                "input": price,
                "output": out,
                "in_cached": cached,
                "out_cached": None,
            }
            for day, status, price, out, cached in rows
        ],
        schema={
            "committed_at": pl.Datetime("us", "UTC"),
            **dict.fromkeys(["provider", "model", "status"], pl.String),
            **dict.fromkeys(["input", "output", "in_cached", "out_cached"], pl.Float64),
        },
    )
    buffer = io.BytesIO()
    table.write_parquet(buffer)
    return buffer.getvalue()


def test_change_rows_give_prices_and_their_end():
    found = parse_history(
        capture(
            changes(
                (1, "ok", 2.5, 15.0, 0.25), (3, "ok", 2.0, 12.0, 0.0), (5, "deleted", *[None] * 3)
            )
        )
    )
    assert found.quotes.select("meter", "price_text", "status", "observed_at").rows() == [
        ("IN", "2.5", "offered", datetime(2026, 1, 1)),
        ("OUT", "15.0", "offered", datetime(2026, 1, 1)),
        ("IN", "2.0", "offered", datetime(2026, 1, 3)),
        ("OUT", "12.0", "offered", datetime(2026, 1, 3)),
        ("IN", None, "withdrawn", datetime(2026, 1, 5)),
        ("OUT", None, "withdrawn", datetime(2026, 1, 5)),
    ]
    assert found.rejections["reason"].to_list() == ["NOT_A_MEASURED_METER"]


def test_a_change_row_of_another_status_is_refused():
    with pytest.raises(ParseError, match="neither ok nor deleted"):
        parse_history(capture(changes((1, "renamed", 1.0, 1.0, None))))


@pytest.mark.skipif(not HOME.is_dir(), reason=f"no stored bodies at {HOME}; set SPOTFIX_PAYLOADS")
def test_every_stored_dump_is_read_and_every_listing_told():
    paths = sorted((HOME / "tokens" / "catwalk").glob("*.gz"))
    if not paths:
        pytest.skip("no stored dumps of catwalk")
    for path in paths:
        text = gzip.decompress(path.read_bytes())
        models = [m for entry in json.loads(text).values() for m in entry["models"]]
        found = parse(capture(text))
        reasons = found.rejections["reason"].to_list()
        assert found.quotes.height == 2 * len(models) - reasons.count("DUPLICATE_LISTING")
        free = sum((m["cost_per_1m_in"] == 0) + (m["cost_per_1m_out"] == 0) for m in models)
        assert reasons.count("FREE_OFFER") == free
        cached = sum(
            bool(m.get(f"cost_per_1m_{side}_cached")) for m in models for side in ("in", "out")
        )
        assert reasons.count("NOT_A_MEASURED_METER") == cached


@pytest.mark.skipif(not HOME.is_dir(), reason=f"no stored bodies at {HOME}; set SPOTFIX_PAYLOADS")
def test_the_stored_change_rows_are_read():
    path = HOME / "tokens" / "catwalk_changes.parquet"
    if not path.exists():
        pytest.skip("the change rows are not among the stored bodies")
    found = parse_history(capture(path.read_bytes()))
    table = pl.read_parquet(path)
    ok = table.filter(pl.col("status") == "ok")
    assert found.quotes.filter(pl.col("status") == "withdrawn").height == 2 * 1462
    assert found.quotes.filter(pl.col("status") != "withdrawn").height == 2 * ok.height
    assert ok.height == 15156


def test_a_provider_without_its_list_of_models_is_told():
    body = json.dumps([{"id": "acme", "name": "Acme", "modelss": [{"id": "m"}]}]).encode()
    found = parse(capture(body))
    assert found.rejections.select("provider", "reason").rows() == [("acme", "NOT_A_LISTING")]
