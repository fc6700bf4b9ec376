"""AWS: the price list as a stream of lines, what is kept of it, and the dated mirror."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from collectors.base import Capture
from collectors.gpus.aws_list import HISTORY, SOURCE, filter_line, parse, parse_history
from methodology.errors import ParseError

HERE = Path(__file__).parent / "payloads/aws_list"
FILE = (HERE / "index.csv").read_bytes()
HEADER, *LINES = FILE.decode().splitlines()[5:]


def capture(body: bytes, source: str = SOURCE.id) -> Capture:
    return Capture(source, SOURCE.url, body, datetime(2026, 7, 20, 7, 0, tzinfo=UTC))


def test_the_list_holds_two_on_demand_machines() -> None:
    found = parse(capture(FILE))
    assert found.quotes.select("listing_id", "region", "price_text", "gpu_count").rows() == [
        ("p5.48xlarge", "us-east-1", "55.0400000000", 8),
        ("p4de.24xlarge", "us-east-1", "27.4470500000", 8),
    ]
    row = found.quotes.row(0, named=True)
    assert (row["provider"], row["quoted_unit"], row["tier"]) == ("aws", "per_instance_hour", "E3")
    assert (row["tenor"], row["currency"]) == ("on_demand", "USD")
    assert row["observed_at"] == datetime(2026, 7, 20, 7)


def test_every_other_row_is_refused_for_its_own_reason() -> None:
    found = parse(capture(FILE))
    assert found.rejections.select("listing_id", "reason").rows() == [
        ("p5.48xlarge", "PRE_INSTALLED_SOFTWARE"),
        ("p5.48xlarge", "NOT_ON_DEMAND"),
        ("p5.48xlarge", "NOT_LINUX"),
        ("p5.48xlarge", "NOT_USED_CAPACITY"),
        ("p5.48xlarge", "CAPACITY_BLOCK"),
        ("p5.48xlarge", "NOT_SHARED"),
        ("g4dn.2xlarge", "NOT_A_REGION"),
        ("m4.xlarge", "NOT_GPU"),
    ]
    assert found.seen == len(LINES)
    assert found.rejections["detail"].to_list()[1] == "TermType is Reserved"


def test_the_streaming_filter_keeps_what_parse_would_quote() -> None:
    kept = [line for line in LINES if filter_line(HEADER, line)]
    assert [line.split(",")[0] for line in kept] == ['"SKUP5LINUX"', '"SKUP4DELX"']
    filtered = parse(capture("\n".join([HEADER, *kept]).encode()))
    assert filtered.rejections.is_empty()
    columns = ["listing_id", "price_text"]
    assert filtered.quotes.select(columns).equals(parse(capture(FILE)).quotes.select(columns))


def test_a_line_torn_inside_a_field_is_kept_and_refuses_the_body() -> None:
    torn = LINES[0].removesuffix('A","us-east-1"')
    assert filter_line(HEADER, torn)
    with pytest.raises(ParseError) as caught:
        parse(capture(f"{HEADER}\n{LINES[7]}\n{torn}\n".encode()))
    assert caught.value.reason == "NOT_CSV"


def test_a_line_torn_between_fields_is_kept_and_refuses_the_body() -> None:
    torn = LINES[0].removesuffix(',"us-east-1"')
    assert filter_line(HEADER, torn)
    with pytest.raises(ParseError) as caught:
        parse(capture(f"{HEADER}\n{torn}\n{LINES[7]}\n".encode()))
    assert caught.value.reason == "NOT_CSV"


def test_a_row_before_its_head_is_no_preamble() -> None:
    with pytest.raises(ParseError, match="fields before the head") as caught:
        parse(capture(f'"Version","1"\n{LINES[0]}\n{HEADER}\n{LINES[7]}\n'.encode()))
    assert caught.value.reason == "NOT_CSV"


def test_a_line_with_too_many_fields_refuses_the_body() -> None:
    with pytest.raises(ParseError) as caught:
        parse(capture(f"{HEADER}\n{LINES[7]}\n{LINES[0]},,,\n".encode()))
    assert caught.value.reason == "NOT_CSV"


def test_a_header_without_a_needed_column_is_an_error() -> None:
    with pytest.raises(ParseError, match="CapacityStatus"):
        filter_line(HEADER.replace('"CapacityStatus"', '"Capacity"'), LINES[0])


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        pytest.param('"55.0400000000"', '"0.0000000000"', "ZERO_PRICE", id="zero"),
        pytest.param('"55.0400000000"', '""', "NO_PRICE", id="empty"),
        pytest.param('"55.0400000000"', '"-1"', "NEGATIVE_PRICE", id="negative"),
        pytest.param('"55.0400000000"', '"55,04"', "NOT_A_NUMBER", id="a decimal comma"),
        pytest.param('"USD"', '"CNY"', "OTHER_CURRENCY", id="yuan"),
        pytest.param('"Hrs"', '"Quantity"', "UNIT_NOT_HOUR", id="an upfront fee"),
        pytest.param('"8","OnDemand"', '"0.125","OnDemand"', "NOT_GPU", id="an eighth of a GPU"),
        pytest.param(
            '"NA","us-east-1"', '"NA",""', "MALFORMED_ROW", id="a machine without a region"
        ),
    ],
)
def test_one_changed_field_refuses_the_row(old: str, new: str, reason: str) -> None:
    assert old in LINES[0]
    found = parse(capture(f"{HEADER}\n{LINES[0].replace(old, new)}\n".encode()))
    assert found.quotes.is_empty()
    assert found.rejections["reason"].to_list() == [reason]


def test_a_price_dated_ahead_carries_its_date_and_a_running_one_none() -> None:
    ahead = LINES[0].replace('"2026-07-01"', '"2026-08-01"').replace("55.0400000000", "60.0")
    rows = parse(capture(f"{HEADER}\n{LINES[0]}\n{ahead}\n".encode())).quotes
    assert rows.select("price_text", "effective_from", "is_official_date").rows() == [
        ("55.0400000000", None, False),
        ("60.0", datetime(2026, 8, 1), True),
    ]


def test_of_two_prices_for_one_machine_the_cheaper_stands() -> None:
    dear = LINES[0].replace('"55.0400000000"', '"100.0"')
    found = parse(capture(f"{HEADER}\n{dear}\n{LINES[0]}\n{LINES[0]}\n".encode()))
    assert found.quotes["price_text"].to_list() == ["55.0400000000"]
    assert found.rejections["reason"].to_list() == ["DUPLICATE_LISTING", "DUPLICATE_ROW"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b"", "NOT_CSV", id="nothing"),
        pytest.param(b"<html>\n", "COLUMNS", id="an error page"),
        pytest.param(b'"SKU"\n\xff\xfe\n', "NOT_CSV", id="not UTF-8"),
        pytest.param(f"{HEADER}\n".encode(), "EMPTY", id="a header alone"),
    ],
)
def test_a_body_that_is_no_price_list_is_an_error(body: bytes, reason: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse(capture(body))
    assert caught.value.reason == reason


def test_the_mirror_is_seen_at_midnight_and_keeps_the_cheaper_of_two() -> None:
    found = parse_history(capture((HERE / "history.csv").read_bytes(), HISTORY.id))
    assert found.quotes.select("observed_at", "listing_id", "price_text", "tier").rows() == [
        (datetime(2023, 2, 1), "p4d.24xlarge", "32.7726", "E4"),
        (datetime(2025, 4, 28), "p5.48xlarge", "98.32", "E4"),
        (datetime(2025, 6, 23), "p5.48xlarge", "55.04", "E4"),
    ]
    assert found.quotes["gpu_count"].null_count() == 3
    assert found.rejections.select("reason", "detail").rows() == [
        ("DUPLICATE_LISTING", "price_text 39.33; the row at 32.7726 is kept")
    ]


def test_a_mirror_row_without_a_date_is_refused() -> None:
    body = b"date,commit,region,instance_type,usd_per_instance_hour\n2025-02-30,c,r,p5.48xlarge,1\n"
    assert parse_history(capture(body, HISTORY.id)).rejections["reason"].to_list() == ["BAD_DATE"]
