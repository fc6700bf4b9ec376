"""LLM Abacus: yuan only, base bracket only. Figures read from its files by eye."""

import gzip
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from collectors.base import Capture
from collectors.tokens.llmabacus import SOURCE, parse
from methodology import schemas
from methodology.errors import ParseError

HERE = Path(__file__).parent / "payloads" / "llmabacus"
HOME = Path(
    os.environ.get("SPOTFIX_PAYLOADS")
    or Path(__file__).resolve().parent.parent.parent / "shared" / "payloads"
)
SHOWN = ("provider", "listing_id", "meter", "price_text", "currency", "status")


def capture(body: bytes, day: int = 16) -> Capture:
    return Capture(SOURCE.id, SOURCE.url, body, datetime(2026, 8, day, 9, 0, tzinfo=UTC))


def body() -> dict:
    return json.loads((HERE / "2026-08-16.json").read_bytes())


def of(listing: str, **changes: object) -> bytes:
    """The body with one listing, changed."""
    told = body()
    told["models"] = [{**m, **changes} for m in told["models"] if m["id"] == listing]
    return json.dumps(told).encode()


def test_a_file_gives_the_yuan_of_listings_billed_in_yuan():
    found = parse(capture((HERE / "2026-08-16.json").read_bytes()))
    schemas.validate(schemas.Quote, found.quotes, "llmabacus")
    schemas.validate(schemas.Rejection, found.rejections, "llmabacus")
    assert found.quotes.select(SHOWN).rows() == [
        ("deepseek", "deepseek-v4-flash", "IN", "1", "CNY", "offered"),
        ("deepseek", "deepseek-v4-flash", "OUT", "2", "CNY", "offered"),
        ("deepseek", "deepseek-v4-flash", "CIN", "0.02", "CNY", "offered"),
        ("deepseek", "deepseek-v3-2-legacy", "IN", None, "CNY", "withdrawn"),
        ("deepseek", "deepseek-v3-2-legacy", "OUT", None, "CNY", "withdrawn"),
        ("deepseek", "deepseek-v3-2-legacy", "CIN", None, "CNY", "withdrawn"),
        ("zhipu", "glm-4-7", "IN", "2", "CNY", "offered"),
        ("zhipu", "glm-4-7", "OUT", "8", "CNY", "offered"),
        ("zhipu", "glm-4-7", "CIN", "0.4", "CNY", "offered"),
        ("moonshot", "kimi-k2-6", "IN", "6.5", "CNY", "offered"),
        ("moonshot", "kimi-k2-6", "OUT", "27", "CNY", "offered"),
    ]
    assert found.rejections.select("listing_id", "reason").rows() == [
        ("gemini-2-5-flash-lite", "OTHER_CURRENCY"),
        ("glm-4-7", "CONTEXT_BRACKET"),
    ]
    assert set(found.quotes["quoted_unit"]) == {"per_mtok"}


def test_the_source_is_pinned_to_yuan():
    assert SOURCE.currencies == ("CNY",)


@pytest.mark.parametrize(
    "changes",
    [
        {"billing_currency": "USD"},
        {"input_price_orig_per_m": 0.9615, "output_price_orig_per_m": 3.9937},
        {"input_price_usd_per_m": 6.5, "output_price_usd_per_m": 27},
    ],
    ids=[
        "yuan under the label of dollars",
        "yuan that are a conversion of the original",
        "the same figure as yuan and as dollars",
    ],
)
def test_a_figure_whose_label_is_contradicted_is_no_price(changes):
    found = parse(capture(of("kimi-k2-6", **changes)))
    assert set(found.quotes["status"]) <= {"unknown"}
    assert set(found.rejections["reason"]) <= {"OTHER_CURRENCY", "CONVERTED_CURRENCY"}
    assert found.rejections.height


def test_a_converted_figure_beside_the_yuan_is_no_contradiction():
    changes = {"input_price_usd_per_m": 0.9579, "output_price_usd_per_m": 3.9791}
    assert parse(capture(of("kimi-k2-6", **changes))).quotes["price_text"].to_list() == [
        "6.5",
        "27",
    ]


def test_a_bound_that_turns_from_tokens_to_millions_moves_no_price():
    tiers = next(m for m in body()["models"] if m["id"] == "glm-4-7")["price_tiers"]
    small = [{**tiers[0], "up_to_input_tokens": 0.032}, tiers[1]]
    before, after = (parse(capture(of("glm-4-7", price_tiers=t))) for t in (tiers, small))
    assert after.quotes["price_text"].to_list() == ["2", "8", "0.4"]
    assert before.quotes["price_text"].to_list() == after.quotes["price_text"].to_list()
    assert after.rejections["reason"].to_list() == ["CONTEXT_BRACKET"]


def test_a_base_figure_that_is_not_that_of_the_first_bracket_is_refused():
    found = parse(capture(of("glm-4-7", input_price_cny_per_m=4, input_price_orig_per_m=4)))
    rows = found.quotes.select("meter", "price_text", "status").rows()
    assert rows[0] == ("IN", None, "unknown")
    assert rows[1] == ("OUT", "8", "offered")


def test_a_tariff_by_the_hour_has_no_one_price():
    """On 2026-08-17 the file showed 1.5 and 4.5 of V4 Flash, on 08-21 3 and 9: no price changed."""
    changes = {"input_price_cny_per_m": 1.5, "input_price_orig_per_m": 1.5}
    found = parse(capture(of("deepseek-v4-flash", **changes), day=17))
    assert found.quotes["status"].to_list() == ["unknown"] * 3
    assert found.rejections["reason"].to_list() == ["CONDITIONAL_TARIFF"] * 3


@pytest.mark.parametrize(
    ("listing", "changes", "reason"),
    [
        ("kimi-k2-6", {"input_price_cny_per_m": 0, "input_price_orig_per_m": 0}, "FREE_OFFER"),
        ("kimi-k2-6", {"input_price_cny_per_m": -1}, "NEGATIVE_PRICE"),
        ("kimi-k2-6", {"input_price_cny_per_m": "6.5"}, "NOT_A_NUMBER"),
        ("kimi-k2-6", {"input_price_cny_per_m": None}, "PRICE_MISSING"),
    ],
    ids=["zero", "below zero", "a text in place of a number", "null"],
)
def test_a_figure_that_is_no_price_ends_the_older_one(listing, changes, reason):
    found = parse(capture(of(listing, **changes)))
    assert found.quotes.select("meter", "status").rows()[0] == ("IN", "unknown")
    assert found.rejections["reason"].to_list() == [reason]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"<html>", "NOT_JSON"),
        (b"[]", "SHAPE"),
        (b'{"pricing_unit": "per_million_tokens", "models": []}', "SHAPE"),
        (b'{"pricing_unit": "per_thousand_tokens", "models": [{"id": "m"}]}', "SHAPE"),
        (b'{"pricing_unit": "per_million_tokens", "models": [7]}', "SHAPE"),
        (b'{"pricing_unit": "per_million_tokens", "models": [{"id": "m"}]}', "SHAPE"),
    ],
    ids=["a page", "a list", "no models", "another unit", "a number", "no vendor"],
)
def test_a_body_of_another_shape_is_refused(text, reason):
    with pytest.raises(ParseError) as error:
        parse(capture(text))
    assert error.value.reason == reason


def test_a_file_in_another_unit_is_refused():
    told = {**body(), "pricing_unit": "per_thousand_tokens"}
    with pytest.raises(ParseError, match="per_thousand_tokens"):
        parse(capture(json.dumps(told).encode()))


@pytest.mark.skipif(not HOME.is_dir(), reason=f"no stored bodies at {HOME}; set SPOTFIX_PAYLOADS")
def test_every_stored_file_is_read_and_every_listing_told():
    paths = sorted((HOME / "tokens" / "llmabacus_cn").glob("*.gz"))
    if not paths:
        pytest.skip("no stored files of llmabacus_cn")
    for path in paths:
        text = gzip.decompress(path.read_bytes())
        models = json.loads(text)["models"]
        found = parse(capture(text, int(path.name[8:10]) if "-08-" in path.name else 1))
        yuan = [m for m in models if m["billing_currency"] == "CNY"]
        figures = sum(
            m.get(f"{name}_price_cny_per_m") is not None
            for m in yuan
            for name in ("input", "output", "cached_input")
        )
        assert found.quotes.height == figures
        count = found.rejections["reason"].to_list().count
        assert count("OTHER_CURRENCY") == len(models) - len(yuan)
        higher = sum(len(m.get("price_tiers") or [1]) - 1 for m in yuan)
        assert count("CONTEXT_BRACKET") == higher
        assert count("CONVERTED_CURRENCY") == 0
        late = path.name >= "2026-08-17"
        assert count("CONDITIONAL_TARIFF") == (6 if late else 0)
