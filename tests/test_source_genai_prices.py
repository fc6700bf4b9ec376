"""genai-prices: what each price set of the catalogue becomes.

Figures are those of the catalogue, read from its file and package by eye: o3 fell from 10/40 to
2/8 on 2025-06-10; DeepSeek's V4 tariff began on 2026-08-17 with peak hours 01-04 and 06-10 UTC.
"""

import json
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from collectors.base import Capture
from collectors.tokens.genai_prices import SOURCE, installed_body, parse
from methodology import schemas
from methodology.errors import ParseError

HERE = Path(__file__).parent / "payloads" / "genai_prices"
SEEN = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
START = datetime(2026, 8, 17)


def capture(body: bytes) -> Capture:
    return Capture(SOURCE.id, SOURCE.url, body, SEEN)


def one_model(prices: object, **more: object) -> bytes:
    model = {"id": "m", "prices": prices, **more}
    return json.dumps([{"id": "p", "models": [model]}]).encode()


def rows(quotes: pl.DataFrame, provider: str, listing: str, meter: str) -> list[tuple]:
    return (
        quotes.filter(
            (pl.col("provider") == provider)
            & (pl.col("listing_id") == listing)
            & (pl.col("meter") == meter)
        )
        .select(
            "price_text",
            "window_start_min",
            "window_end_min",
            "effective_from",
            "effective_to",
            "is_official_date",
        )
        .rows()
    )


def reasons(rejections: pl.DataFrame) -> dict[str, int]:
    return dict(rejections["reason"].value_counts().rows())


@pytest.fixture(scope="module")
def parsed():
    return parse(capture((HERE / "2026-11-20.json").read_bytes()))


CASES = {
    "a dated cut has its own day and ends what came before": (
        ("openai", "o3", "IN"),
        [
            ("10", None, None, None, datetime(2025, 6, 10), False),
            ("2", None, None, datetime(2025, 6, 10), None, True),
        ],
    ),
    "an unchanged meter of a dated cut is dated with it": (
        ("openai", "o3", "CIN"),
        [
            ("0.5", None, None, None, datetime(2025, 6, 10), False),
            ("0.5", None, None, datetime(2025, 6, 10), None, True),
        ],
    ),
    "peak hours begin with the latest dated set before them": (
        ("deepseek", "deepseek-v4-pro", "OUT"),
        [
            ("0.87", None, None, None, START, False),
            ("1.98", None, None, START, None, True),
            ("3.96", 60, 240, START, None, True),
            ("3.96", 360, 600, START, None, True),
        ],
    ),
    "hours without any date hold since the listing exists": (
        ("deepseek", "deepseek-chat", "IN"),
        [
            ("0.135", None, None, None, None, False),
            ("0.27", 30, 990, None, None, False),
        ],
    ),
    "the lowest context bracket is the price": (
        ("anthropic", "claude-haiku-5-5", "IN"),
        [("0.1", None, None, None, None, False)],
    ),
    "a batch variant is the batch meter, dated by the day it was verified": (
        ("anthropic", "claude-fable-5", "BAT_OUT"),
        [("25", None, None, datetime(2026, 10, 14), None, False)],
    ),
    "a fast variant is not the standard meter": (
        ("anthropic", "claude-fable-5", "OUT"),
        [("50", None, None, None, None, False)],
    ),
    "a free listing has no price": (("openrouter", "openai/gpt-oss-20b:free", "IN"), []),
}


@pytest.mark.parametrize(("key", "expected"), CASES.values(), ids=CASES.keys())
def test_price_sets(parsed, key, expected):
    assert rows(parsed.quotes, *key) == expected


def test_frames_satisfy_their_schemas(parsed):
    schemas.validate(schemas.Quote, parsed.quotes, "genai_prices")
    schemas.validate(schemas.Rejection, parsed.rejections, "genai_prices")
    assert set(parsed.quotes["quoted_unit"]) == {"per_mtok"}
    assert set(parsed.quotes["tier"]) == {"E4"}
    assert set(parsed.quotes["observed_at"]) == {datetime(2026, 11, 20, 3, 0)}


def test_every_figure_is_a_quote_or_a_counted_refusal(parsed):
    # by hand: v4-pro 4 sets x 3, chat 2 x 2, o3 2 x 3, haiku 2, fable 2 + 2 batch = 28 quotes
    assert parsed.quotes.height == 28
    assert reasons(parsed.rejections) == {
        "NOT_A_MEASURED_METER": 2,  # o3 web searches (once for both sets), fable cache writes
        "CONTEXT_BRACKET": 2,
        "PRICE_VARIANT": 1,
        "FREE_OFFER": 2,
    }


def test_the_same_bytes_give_the_same_rows(parsed):
    again = parse(capture((HERE / "2026-11-20.json").read_bytes()))
    assert again.quotes.equals(parsed.quotes)
    assert again.rejections.equals(parsed.rejections)


def test_a_dated_set_between_hours_splits_them():
    base, cut = {"prices": {"input_mtok": 1}}, {"prices": {"input_mtok": 2}}
    cut["constraint"] = {"start_date": "2026-01-01"}
    night = {"constraint": {"start_time": "22:00:00Z", "end_time": "02:00:00Z"}}
    listed = [base, {**night, "prices": {"input_mtok": 3}}, cut]
    quotes = parse(capture(one_model(listed))).quotes
    assert rows(quotes, "p", "m", "IN") == [
        ("1", None, None, None, datetime(2026, 1, 1), False),
        ("3", 1320, 120, None, datetime(2026, 1, 1), False),  # wraps midnight
        ("2", None, None, datetime(2026, 1, 1), None, True),
    ]


def test_hours_with_an_offset_become_utc():
    beijing = {"start_time": "09:00:00+08:00", "end_time": "12:00:00+08:00"}
    listed = [{"prices": {"input_mtok": 1}}, {"constraint": beijing, "prices": {"input_mtok": 2}}]
    assert rows(parse(capture(one_model(listed))).quotes, "p", "m", "IN")[1][1:3] == (60, 240)


def test_among_batch_variants_the_first_active_one_wins():
    batch = {"when": {"processing": "batch"}}
    later = {**batch, "constraint": {"start_date": "2026-10-29"}, "prices": {"input_mtok": 3}}
    first = {**batch, "constraint": {"start_date": "2026-10-14"}, "prices": {"input_mtok": 4}}
    found = parse(capture(one_model({"input_mtok": 8}, price_variants=[later, first])))
    assert rows(found.quotes, "p", "m", "BAT_IN") == [
        ("4", None, None, datetime(2026, 10, 14), datetime(2026, 10, 29), False),
        ("3", None, None, datetime(2026, 10, 29), None, False),
    ]


def test_a_resellers_date_is_the_day_someone_looked():
    cut = {"constraint": {"start_date": "2026-10-19"}, "prices": {"input_mtok": 2}}
    body = one_model([{"prices": {"input_mtok": 1}}, cut]).replace(b'"p"', b'"openrouter"')
    quotes = parse(capture(body)).quotes
    assert quotes["effective_from"].to_list() == [None, datetime(2026, 10, 19)]
    assert quotes["is_official_date"].to_list() == [False, False]


@pytest.mark.parametrize(
    ("provider", "model", "reasons"),
    [
        ("zhipuai", "GLM-5.3", ["CONVERTED_CURRENCY"]),
        ("minimax", "MiniMax-M2", ["CONVERTED_CURRENCY"]),
        ("minimax", "MiniMax-M3", []),
    ],
)
def test_dollars_converted_from_another_currency_are_refused(provider, model, reasons):
    body = one_model({"input_mtok": 1}).replace(b'"p"', f'"{provider}"'.encode())
    found = parse(capture(body.replace(b'"m"', f'"{model}"'.encode())))
    assert found.rejections["reason"].to_list() == reasons
    assert found.quotes.height == 1 - len(reasons)


def test_a_future_date_is_kept_with_its_date():
    listed = [
        {"prices": {"input_mtok": 1}},
        {"constraint": {"start_date": "2027-01-01"}, "prices": {"input_mtok": 2}},
    ]
    quotes = parse(capture(one_model(listed))).quotes
    assert rows(quotes, "p", "m", "IN")[0][4] == datetime(2027, 1, 1)
    assert rows(quotes, "p", "m", "IN")[1][3] == datetime(2027, 1, 1)


REFUSED = {
    "a constraint nobody knows": ({"weekday": 6}, "UNKNOWN_CONSTRAINT"),
    "a date and hours at once": (
        {"start_date": "2026-01-01", "start_time": "01:00:00Z"},
        "UNKNOWN_CONSTRAINT",
    ),
    "a day that does not exist": ({"start_date": "2026-02-30"}, "BAD_WINDOW"),
    "hours that begin when they end": (
        {"start_time": "01:00:00Z", "end_time": "01:00:00Z"},
        "BAD_WINDOW",
    ),
    "hours with seconds": ({"start_time": "01:00:30Z", "end_time": "02:00:00Z"}, "BAD_WINDOW"),
}


@pytest.mark.parametrize(("constraint", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_a_set_under_such_a_constraint_is_refused_with_the_sets_it_replaces(constraint, reason):
    listed = [
        {"prices": {"input_mtok": 1}},
        {"constraint": constraint, "prices": {"input_mtok": 2}},
        {"constraint": {"start_date": "2026-05-01"}, "prices": {"input_mtok": 3}},
    ]
    found = parse(capture(one_model(listed)))
    # 1 holds at times that nobody can tell, and half a tariff is no price; 3 replaces both.
    assert found.quotes.select("price_text", "effective_from").rows() == [
        ("3", datetime(2026, 5, 1))
    ]
    assert found.rejections["reason"].to_list() == [reason, "CONDITIONAL_TARIFF"]


def test_a_set_that_a_later_one_always_replaces_is_refused():
    listed = [{"prices": {"input_mtok": 1}}, {"prices": {"input_mtok": 2}}]
    found = parse(capture(one_model(listed)))
    assert found.quotes["price_text"].to_list() == ["2"]
    assert found.rejections["reason"].to_list() == ["NEVER_ACTIVE"]


def test_an_id_that_stands_twice_has_no_price_where_the_figures_differ():
    models = [
        {"id": "m", "prices": {"input_mtok": 1, "output_mtok": 3}},
        {"id": "m", "prices": {"input_mtok": 2, "output_mtok": 3}},
    ]
    found = parse(capture(json.dumps([{"id": "p", "models": models}]).encode()))
    told = found.quotes.select("meter", "price_text", "status").rows()
    assert told == [("IN", None, "unknown"), ("OUT", "3", "offered")]
    assert found.rejections["reason"].to_list() == [
        *("AMBIGUOUS_LISTING", "AMBIGUOUS_LISTING", "DUPLICATE_LISTING"),
    ]


FIGURES = {
    "zero": (0, "FREE_OFFER"),
    "below zero": (-1, "NEGATIVE_PRICE"),
    "true": (True, "NOT_A_NUMBER"),
    "a word": ("free", "NOT_A_NUMBER"),
    "a list": ([1], "NOT_A_NUMBER"),
}


@pytest.mark.parametrize(("value", "reason"), FIGURES.values(), ids=FIGURES.keys())
def test_a_figure_that_is_no_price_is_refused(value, reason):
    found = parse(capture(one_model({"input_mtok": value})))
    assert found.quotes.is_empty()
    assert found.rejections["reason"].to_list() == [reason]


HOSTILE = {
    "html": b"<html>rate limited</html>",
    "nothing": b"",
    "an empty list": b"[]",
    "nan": one_model({"input_mtok": 1}).replace(b'"input_mtok": 1', b'"input_mtok": NaN'),
    "a key twice": b'[{"id":"p","id":"q","models":[]}]',
    "a provider without models": b'[{"id":"p","models":3}]',
    "a model without an id": b'[{"id":"p","models":[{"prices":{"input_mtok":1}}]}]',
    "a model without prices": b'[{"id":"p","models":[{"id":"m"}]}]',
    "not text": b"\xff\xfe[]",
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_body_that_is_something_else_is_an_error(body):
    with pytest.raises(ParseError, match="genai_prices"):
        parse(capture(body))


def test_the_installed_package_gives_the_same_bytes_twice_and_true_figures():
    body = installed_body()
    assert body == installed_body()
    quotes = parse(capture(body)).quotes
    assert rows(quotes, "openai", "o3", "OUT") == [
        ("40", None, None, None, datetime(2025, 6, 10), False),
        ("8", None, None, datetime(2025, 6, 10), None, True),
    ]
    assert rows(quotes, "deepseek", "deepseek-v4-pro", "IN") == [
        ("0.435", None, None, None, START, False),
        ("0.66", None, None, START, None, True),
        ("1.32", 60, 240, START, None, True),
        ("1.32", 360, 600, START, None, True),
    ]
    schemas.validate(schemas.Quote, quotes, "genai_prices")
