"""llm-prices.com: prices with dates, brackets told by name. Figures read from the file by eye."""

import gzip
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from collectors.base import Capture
from collectors.tokens.simonw_llm_prices import SOURCE, parse, parse_history
from methodology import schemas
from methodology.errors import ParseError

HERE = Path(__file__).parent / "payloads" / "simonw_llm_prices"
HOME = Path(
    os.environ.get("SPOTFIX_PAYLOADS")
    or Path(__file__).resolve().parent.parent.parent / "shared" / "payloads"
)
JULY, SEPTEMBER = datetime(2026, 7, 30), datetime(2026, 9, 1)


def capture(body: bytes) -> Capture:
    return Capture(SOURCE.id, SOURCE.url, body, datetime(2026, 8, 5, 9, 0, tzinfo=UTC))


def listed(**changes: object) -> bytes:
    one = {
        "id": "m",
        "vendor": "openai",
        "name": "M",
        "input": 1.0,
        "output": 6.0,
        "input_cached": None,
        "from_date": None,
        "to_date": None,
    }
    return json.dumps({"prices": [{**one, **changes}]}).encode()


def test_the_published_file_gives_periods():
    found = parse(capture((HERE / "2026-08-05.historical-v1.json").read_bytes()))
    schemas.validate(schemas.Quote, found.quotes, "simonw_llm_prices")
    shown = ("listing_id", "meter", "price_text", "effective_from", "effective_to")
    assert found.quotes.select(shown).rows() == [
        ("gpt-5.6-luna", "IN", "1.0", None, JULY),
        ("gpt-5.6-luna", "OUT", "6.0", None, JULY),
        ("gpt-5.6-luna", "CIN", "0.1", None, JULY),
        ("gpt-5.6-luna", "IN", "0.2", JULY, None),
        ("gpt-5.6-luna", "OUT", "1.2", JULY, None),
        ("gpt-5.6-luna", "CIN", "0.02", JULY, None),
        ("claude-sonnet-5", "IN", "2", None, SEPTEMBER),
        ("claude-sonnet-5", "OUT", "10", None, SEPTEMBER),
        # dated ahead of the capture of 2026-08-05: held, not applied
        ("claude-sonnet-5", "IN", "3", SEPTEMBER, None),
        ("claude-sonnet-5", "OUT", "15", SEPTEMBER, None),
    ]
    assert found.rejections.select("listing_id", "reason").rows() == [
        ("gpt-5.6-luna-272k", "CONTEXT_BRACKET")
    ]
    assert not found.quotes["is_official_date"].any()


def test_vendor_files_give_the_same_as_the_published_one():
    prices = json.loads((HERE / "2026-08-05.historical-v1.json").read_bytes())["prices"]
    files: dict = {}
    for price in prices:
        file = files.setdefault(f"data/{price['vendor']}.json", {"vendor": price["vendor"]})
        file.setdefault("models", []).append(
            {"id": price["id"], "name": price["name"], "price_history": [price]}
        )
    stored = parse_history(capture(json.dumps(files).encode()))
    live = parse(capture((HERE / "2026-08-05.historical-v1.json").read_bytes()))
    shown = ("provider", "listing_id", "meter", "price_text", "effective_from", "effective_to")
    assert stored.quotes.select(shown).rows() == live.quotes.select(shown).rows()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"name": "M >200k"}, "CONTEXT_BRACKET"),
        ({"from_date": "2026-9-1"}, "BAD_DATE"),
        ({"to_date": 20260901}, "BAD_DATE"),
        ({"from_date": "20260901"}, "BAD_DATE"),
        ({"from_date": "2026-09-01", "to_date": "2026-09-01"}, "NEVER_ACTIVE"),
    ],
    ids=[
        "a bracket of long requests",
        "a date that is none",
        "a number in place of a date",
        "a date of another form",
        "a period that ends when it begins",
    ],
)
def test_a_period_that_is_none_is_refused(changes, reason):
    found = parse(capture(listed(**changes)))
    assert found.quotes.height == 0
    assert found.rejections["reason"].to_list() == [reason]


@pytest.mark.parametrize(
    ("value", "reason"),
    [(0, "FREE_OFFER"), (-1, "NEGATIVE_PRICE"), ("1", "NOT_A_NUMBER"), (None, "PRICE_MISSING")],
    ids=["zero", "below zero", "a text", "null"],
)
def test_a_figure_that_is_no_price_is_refused(value, reason):
    found = parse(capture(listed(input=value)))
    assert found.quotes["meter"].to_list() == ["OUT"]
    assert found.rejections["reason"].to_list() == [reason]


@pytest.mark.parametrize("text", [b"[]", b"{}", b'{"prices": []}', b'{"prices": [7]}'])
def test_a_body_of_another_shape_is_refused(text):
    with pytest.raises(ParseError, match="SHAPE"):
        parse(capture(text))


@pytest.mark.parametrize(
    "text",
    [b"[]", b'{"a": 7}', b'{"a": {"models": [7]}}', b'{"a": {"models": [{"price_history": []}]}}'],
    ids=["a list", "no file", "no model", "no periods"],
)
def test_vendor_files_of_another_shape_are_refused(text):
    with pytest.raises(ParseError, match="SHAPE"):
        parse_history(capture(text))


@pytest.mark.skipif(not HOME.is_dir(), reason=f"no stored bodies at {HOME}; set SPOTFIX_PAYLOADS")
def test_every_period_of_the_stored_file_is_told():
    path = HOME / "tokens" / "simonw_llm_prices" / "2026-08-05.json.gz"
    if not path.exists():
        pytest.skip("the file is not among the stored bodies")
    text = gzip.decompress(path.read_bytes())
    figures = brackets = 0
    for file in json.loads(text).values():
        for model in file["models"]:
            for period in model["price_history"]:
                if ">" in model["name"]:
                    brackets += 1
                else:
                    figures += sum(
                        period[k] is not None for k in ("input", "output", "input_cached")
                    )
    found = parse_history(capture(text))
    reasons = found.rejections["reason"].to_list()
    assert reasons.count("CONTEXT_BRACKET") == brackets == 27
    assert found.quotes.height + reasons.count("DUPLICATE_LISTING") == figures
    assert set(reasons) == {"CONTEXT_BRACKET", "DUPLICATE_LISTING"}
