"""One API's ratios: yuan rows exactly, ratios not at all. Rows read from the table by eye."""

import gzip
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from collectors.base import Capture
from collectors.tokens.oneapi_cny import SOURCE, parse
from methodology import schemas
from methodology.errors import ParseError
from methodology.units import to_nano

HERE = Path(__file__).parent / "payloads" / "oneapi_cny"
HOME = Path(
    os.environ.get("SPOTFIX_PAYLOADS")
    or Path(__file__).resolve().parent.parent.parent / "shared" / "payloads"
)
HEADER = "date,commit,path,model,currency,input_per_million,expr,comment\n"


def capture(body: bytes) -> Capture:
    return Capture(SOURCE.id, SOURCE.url, body, datetime(2026, 11, 21, tzinfo=UTC))


def table(*rows: str) -> bytes:
    return (HEADER + "".join(f"{row}\n" for row in rows)).encode()


def test_the_rows_in_yuan_are_quoted_per_thousand_tokens():
    found = parse(capture((HERE / "2025-02-16.csv").read_bytes()))
    schemas.validate(schemas.Quote, found.quotes, "oneapi_cny")
    schemas.validate(schemas.Rejection, found.rejections, "oneapi_cny")
    shown = ("listing_id", "meter", "price_text", "quoted_unit", "currency", "observed_at")
    assert found.quotes.select(shown).rows() == [
        ("ERNIE-Bot-4", "IN", "0.12", "per_ktok", "CNY", datetime(2024, 2, 18)),
        ("qwen-max", "IN", "0.0024", "per_ktok", "CNY", datetime(2025, 2, 16)),
    ]
    assert found.rejections.select("listing_id", "reason").rows() == [
        ("gpt-4", "CONVERTED_CURRENCY"),
        ("ERNIE-Bot-4", "CONVERTED_CURRENCY"),
        ("qwen-max", "CONVERTED_CURRENCY"),
        ("embedding-2", "MODE_NOT_TEXT"),
        ("dall-e-2", "OTHER_CURRENCY"),
        ("openrouter/auto", "NEGATIVE_PRICE"),
    ]


def test_the_yuan_of_a_thousand_tokens_are_those_of_a_million():
    assert to_nano("0.12", "per_ktok") == (120 * 10**9, False)


def test_a_ratio_of_yuan_is_never_read_as_dollars():
    """8.572 was ¥0.12 divided by 0.014: read at two dollars it would be $17.144 for ¥120."""
    row = "2023-10-22,c,p,ERNIE-Bot-4,USD_ratio,17.144,8.572,// ￥0.12 / 1k tokens"
    found = parse(capture(table(row)))
    assert found.quotes.height == 0
    assert found.rejections["reason"].to_list() == ["CONVERTED_CURRENCY"]
    assert SOURCE.currencies == ("CNY",)


def test_a_row_that_is_refused_ends_the_price_before_it():
    found = parse(
        capture(
            table(
                "2024-05-01,c,p,m,USD_ratio,2.0,1,",
                "2024-04-01,c,p,m,CNY,5.0,0.005 * RMB,",
                "2024-03-01,c,p,m,USD_ratio,2.0,1,",
            )
        )
    )
    assert found.quotes.select("price_text", "status", "observed_at").rows() == [
        ("0.005", "offered", datetime(2024, 4, 1)),
        (None, "unknown", datetime(2024, 5, 1)),
    ]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("2024-04-06,c,p,cogview-3,CNY,250.0,0.25 * RMB,", "MODE_NOT_TEXT"),
        ("2024-04-06,c,p,m,CNY,250.0,0.025 * RMB,", "MALFORMED_ROW"),
        ("2024-04-06,c,p,m,CNY,,0.025 * RMB,", "MALFORMED_ROW"),
        ("2024-04-06,c,p,m,CNY,0.0,0 * RMB,", "FREE_OFFER"),
        ("2024-04-06,c,p,m,CNY,5.0,0.5.0 * RMB,", "NOT_A_NUMBER"),
        ("2024-04-06,c,p,m,CNY,5.0,5,", "NOT_A_NUMBER"),
        ("2024-04-06,c,p,m,expr,,return 5,", "NOT_A_NUMBER"),
        ("2024-04-06,c,p,m,expr,,0.14 * MILLI_USD,", "OTHER_CURRENCY"),
        ("2024-04,c,p,m,CNY,5.0,0.005 * RMB,", "BAD_DATE"),
        ("2024-04-06,c,p,,CNY,5.0,0.005 * RMB,", "MALFORMED_ROW"),
    ],
    ids=[
        "an image model priced per image",
        "an expression that contradicts its figure",
        "no figure",
        "zero yuan",
        "two decimal points",
        "a bare number labelled yuan",
        "a statement of the program",
        "thousandths of a dollar",
        "no day",
        "no model",
    ],
)
def test_a_row_that_is_no_yuan_per_thousand_tokens_is_refused(row, reason):
    found = parse(capture(table(row)))
    assert found.quotes.height == 0
    assert found.rejections["reason"].to_list() == [reason]


def test_two_prices_of_a_model_on_one_day_are_none():
    rows = ("2024-04-06,c,p,m,CNY,5.0,0.005 * RMB,", "2024-04-06,c,p,m,CNY,6.0,0.006 * RMB,")
    found = parse(capture(table(*rows)))
    assert found.quotes["status"].to_list() == ["unknown"]
    assert found.rejections["reason"].to_list() == ["AMBIGUOUS_LISTING"] * 2


@pytest.mark.parametrize("text", [b"", b"a,b\n1,2\n"], ids=["nothing", "other columns"])
def test_another_table_is_refused(text):
    with pytest.raises(ParseError):
        parse(capture(text))


@pytest.mark.skipif(not HOME.is_dir(), reason=f"no stored bodies at {HOME}; set SPOTFIX_PAYLOADS")
def test_every_row_of_the_stored_table_is_told():
    path = HOME / "tokens" / "oneapi_cny" / "oneapi_ratio_scd.csv.gz"
    if not path.exists():
        pytest.skip("the table is not among the stored bodies")
    found = parse(capture(gzip.decompress(path.read_bytes())))
    # counted with grep: 664 rows, 157 in yuan, of these 17 of image models and embeddings
    assert found.seen == 664
    assert found.quotes.height == 157 - 17
    assert set(found.quotes["status"]) == {"offered"}
    assert found.rejections["reason"].to_list().count("OTHER_CURRENCY") == 56


@pytest.mark.parametrize(
    "day", ["-0006-10-22", "-2023-10-22", "262143-01-01"], ids=["BC", "a minus", "far off"]
)
def test_a_year_that_no_price_is_of_is_refused(day):
    row = f"{day},c,p,ERNIE-Bot-4,CNY,120.0,0.12 * RMB,"
    found = parse(capture(table(row)))
    assert found.quotes.is_empty()
    assert found.rejections["reason"].to_list() == ["BAD_DATE"]


def test_a_day_after_the_table_was_read_is_refused():
    row = "2026-11-23,c,p,ERNIE-Bot-4,CNY,120.0,0.12 * RMB,"
    assert parse(capture(table(row))).rejections["reason"].to_list() == ["SEEN_IN_FUTURE"]


def test_a_head_without_a_row_is_an_error():
    with pytest.raises(ParseError, match="no row"):
        parse(capture(table()))


def test_a_row_cut_inside_is_an_error():
    with pytest.raises(ParseError) as caught:
        parse(capture(table("2024-02-18,c,p,ERNIE-Bot-4,CNY,120.0,0.12 * RMB")))
    assert caught.value.reason == "NOT_CSV"
