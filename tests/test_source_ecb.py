"""ECB reference rates. Figures of 2026-10-29, 2026-10-30 and 1999-01-04 as published."""

import io
import zipfile
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from collectors.base import Capture
from collectors.fx import ecb
from methodology import schemas
from methodology.errors import ParseError

HERE = Path(__file__).parent / "payloads" / "ecb"
CSV = (HERE / "eurofxref-hist.csv").read_bytes()
XML = (HERE / "eurofxref-daily.xml").read_bytes()


def capture(body: bytes) -> Capture:
    return Capture(ecb.SOURCE.id, ecb.SOURCE.url, body, datetime(2026, 11, 20, tzinfo=UTC))


def zipped(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name.replace("_csv", ".csv"), text)
    return buffer.getvalue()


HISTORY = [
    ("USD", "1.1789", date(1999, 1, 4)),
    ("JPY", "133.73", date(1999, 1, 4)),
    ("USD", "1.113", date(2026, 10, 29)),
    ("JPY", "175.92", date(2026, 10, 29)),
    ("CNY", "7.4144", date(2026, 10, 29)),
    ("USD", "1.1172", date(2026, 10, 30)),
    ("JPY", "175.68", date(2026, 10, 30)),
    ("CNY", "7.4326", date(2026, 10, 30)),
]


@pytest.mark.parametrize("body", [CSV, zipped(eurofxref_csv=CSV)], ids=["csv", "zip"])
def test_the_history_gives_rates_oldest_first(body):
    found = ecb.parse(capture(body))
    schemas.validate(schemas.Rate, found.rates, "ecb")
    schemas.validate(schemas.Rejection, found.rejections, "ecb")
    assert found.rates.select("quote", "rate_text", "ref_date").rows() == HISTORY
    assert set(found.rates["base"]) == {"EUR"}
    assert found.rejections.select("listing_id", "reason", "detail").rows() == [
        ("EUR/BGN", "NOT_QUOTED", "no rate on 3 days between 1999-01-04 and 2026-10-30"),
        ("EUR/CNY", "NOT_QUOTED", "no rate on 1 days between 1999-01-04 and 1999-01-04"),
    ]


def test_the_daily_file_gives_the_same_rates():
    found = ecb.parse(capture(XML))
    assert found.rates.select("quote", "rate_text", "ref_date").rows() == HISTORY[-3:]
    assert found.rejections.is_empty()


CELLS = {
    "zero": "0",
    "zero with places": "0.000",
    "below zero": "-1.1",
    "a comma": "1,1",
    "exponent": "1e3",
    "empty": "",
    "a word": "n/a",
}


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS.keys())
def test_a_cell_that_is_no_rate_is_refused(cell):
    found = ecb.parse(capture(f'Date,USD,CNY,\n2026-10-30,"{cell}",7.4326,\n'.encode()))
    assert found.rates["quote"].to_list() == ["CNY"]
    assert found.rejections["reason"].to_list() == ["NOT_A_RATE"]


def test_a_day_given_twice_counts_once_and_with_two_rates_not_at_all():
    found = ecb.parse(capture(b"Date,USD,\n2026-10-30,1.1,\n2026-10-30,1.1,\n"))
    assert found.rates["rate_text"].to_list() == ["1.1"]
    assert found.rejections["reason"].to_list() == ["DUPLICATE_ROW"]
    found = ecb.parse(capture(b"Date,USD,\n2026-10-30,1.1,\n2026-10-30,1.2,\n"))
    assert found.rates.is_empty()
    assert found.rejections["reason"].to_list() == ["DUPLICATE_ROW"] * 2


BOMB = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b"><!ENTITY c "&a;&a;">]><x>&c;</x>'
HOSTILE = {
    "an entity declaration": (BOMB, "DTD_REFUSED"),
    "an external entity": (b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>', "DTD_REFUSED"),
    "another encoding": ("<?xml version='1.0'?><x/>".encode("utf-16"), "NOT_CSV"),
    "html": (b"<html><body>Service unavailable</body></html>", "SHAPE"),
    "broken xml": (b"<a><b></a>", "NOT_XML"),
    "a currency without a name": (XML.replace(b"'USD'", b"''"), "SHAPE"),
    "a day that does not exist": (XML.replace(b"2026-10-30", b"2026-02-30"), "SHAPE"),
    "a cut zip": (zipped(eurofxref_csv=CSV)[:60], "NOT_ZIP"),
    "two members": (zipped(a_csv=CSV, b_csv=CSV), "SHAPE"),
    "a member that is no csv": (zipped(readme=CSV), "SHAPE"),
    "a zip bomb": (zipped(eurofxref_csv=b" " * (ecb.MAX_CSV_BYTES + 1)), "TOO_LARGE"),
    "another table": (b"a,b\n1,2\n", "SHAPE"),
    "an unknown column": (b"Date,USD,Note,\n2026-10-30,1.1,x,\n", "SHAPE"),
    "no rows": (b"Date,USD,\n", "SHAPE"),
    "nothing": (b"", "NOT_CSV"),
}


@pytest.mark.parametrize(("body", "reason"), HOSTILE.values(), ids=HOSTILE.keys())
def test_a_body_that_is_something_else_is_an_error(body, reason):
    with pytest.raises(ParseError) as caught:
        ecb.parse(capture(body))
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"2026-10-30", b"2027-10-30", "SEEN_IN_FUTURE"),
        (b"1.1172", b"0." + b"0" * 60 + b"1", "NOT_A_RATE"),
    ],
    ids=["a rate of next year", "a rate of sixty zeros"],
)
def test_a_rate_that_cannot_be_is_refused(old, new, reason):
    found = ecb.parse(capture(CSV.replace(old, new)))
    assert reason in found.rejections["reason"].to_list()
    assert date(2027, 10, 30) not in found.rates["ref_date"].to_list()


@pytest.mark.parametrize("body", [CSV.replace(b"JPY", b"EUR"), XML.replace(b"JPY", b"EUR")])
def test_the_euro_in_euro_is_no_rate(body):
    with pytest.raises(ParseError) as caught:
        ecb.parse(capture(body))
    assert caught.value.reason == "SHAPE"


def test_a_line_cut_short_is_an_error():
    with pytest.raises(ParseError) as caught:
        ecb.parse(capture(CSV[: CSV.rindex(b",N/A")]))
    assert caught.value.reason == "NOT_CSV"
