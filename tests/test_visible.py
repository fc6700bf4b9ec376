"""Names that name nothing, and texts that are shown: the rules that every source shares."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest

from collectors.base import Capture, Parsed, not_empty, rejection
from collectors.csv_tables import read_text
from collectors.gpus.tabular import split
from collectors.rows import Rows
from collectors.visible import name_fault, no_name, shown, told
from methodology.errors import ParseError

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
BAD = {
    "blank": " ",
    "a zero byte": "a\x00b",
    "an escape of a terminal": "a\x1b[2Jb",
    "a line break": "a\nb",
    "a letter without width": "gpt\u200b-5",
    "text turned round": "\u202e5-tpg",
    "half a character": "a\ud800",
    "a lost character": "a\ufffd",
    "private use": "a\ue000",
    "endless": "x" * 3000,
}


def capture(body: bytes = b"") -> Capture:
    return Capture("acme", "list", body, AT)


@pytest.mark.parametrize("name", BAD.values(), ids=BAD.keys())
def test_a_name_that_names_nothing_is_refused_with_its_price(name: str) -> None:
    rows = Rows(capture(), "per_mtok")
    rows.quote("acme", name, "IN", "1.5")
    rows.quote(name, "gpt-5", "IN", "1.5")
    rows.quote("acme", "gpt-5", "IN", "1.5", region=name)
    found = rows.parsed()
    assert found.quotes.is_empty()
    assert found.rejections["reason"].to_list() == ["MALFORMED_ROW"] * 3
    for field in ("provider", "listing_id", "detail"):
        assert all(shown(text) == text for text in found.rejections[field])


@pytest.mark.parametrize("name", [n for n in BAD.values() if n != "a\ud800"])
def test_a_table_judges_names_as_a_row_does(name: str) -> None:
    names = pl.DataFrame({"n": [name, "gpt-5", "模型 (新)", None]})
    assert names.select(no_name("n")).to_series().to_list() == [True, False, False, False]
    assert name_fault(name)


def test_a_name_of_any_script_is_a_name() -> None:
    assert [name_fault(n) for n in ("gpt-5", "豆包 1.6", "Modèle é", "a/b:free", "H100 🚀")] == (
        [None] * 5
    )


def test_a_table_of_offers_loses_none_of_its_rows_to_a_bad_name() -> None:
    row = {
        "provider": "acme", "listing_id": "h100", "meter": "GPU_H", "price_text": "2",
        "quoted_unit": "per_gpu_hour", "currency": "USD", "tenor": "on_demand", "region": None,
        "is_official_date": False, "status": "offered", "tier": "E3", "reason": None, "detail": "",
        "observed_at": datetime(2026, 11, 20),
    }  # fmt: skip
    rows = [row, {**row, "listing_id": "h\u200b100"}, {**row, "observed_at": datetime(2027, 1, 1)}]
    texts = {"region": pl.String, "reason": pl.String}
    found = split(capture(), pl.DataFrame(rows, schema_overrides=texts))
    assert found.quotes["listing_id"].to_list() == ["h100"]
    assert found.rejections["reason"].to_list() == ["MALFORMED_ROW", "SEEN_IN_FUTURE"]


def test_a_refusal_is_never_without_a_word_and_moves_no_terminal() -> None:
    row = rejection(capture(), "a\x1b[2J", "b\r", "MALFORMED_ROW", " \n")
    assert (row["provider"], row["listing_id"]) == ("a\ufffd[2J", "b\ufffd")
    assert row["detail"].strip()
    assert told("x" * 600) == "x" * 500


def test_a_validity_in_no_year_of_prices_is_refused() -> None:
    rows = Rows(capture(), "per_mtok")
    rows.quote("acme", "a", "IN", "1", effective_to=datetime(9999, 12, 31))
    rows.quote("acme", "a", "IN", "1", effective_from=datetime(1, 1, 1))
    rows.observed_at = datetime(2026, 11, 22)
    rows.quote("acme", "a", "IN", "1")
    reasons = rows.parsed().rejections["reason"].to_list()
    assert reasons == ["BAD_DATE", "BAD_DATE", "SEEN_IN_FUTURE"]


def test_a_body_of_which_nothing_is_told_is_refused() -> None:
    with pytest.raises(ParseError) as caught:
        not_empty(capture(), Parsed())
    assert caught.value.reason == "EMPTY"


CSVS = {
    "a short line": b"a,b,c\n1,2,3\n1,2\n",
    "a long line": b"a,b\n1,2,3\n",
    "a quote without its end": b'a,b\n1,"2\n3,4\n',
    "another delimiter in a line": b"a,b\n1;2\n",
    "another encoding": "a,b\n1,2\n".encode("utf-16"),
}


@pytest.mark.parametrize("body", CSVS.values(), ids=CSVS.keys())
def test_an_irregular_table_is_refused_whole(body: bytes) -> None:
    with pytest.raises(ParseError) as caught:
        read_text(capture(), body)
    assert caught.value.reason == "NOT_CSV"


def test_a_regular_table_is_read_as_text() -> None:
    found = read_text(capture(), b'\xef\xbb\xbfa,b\n"x, y",007\n,1e-6\n')
    assert found.columns == ["a", "b"]
    assert found.rows() == [("x, y", "007"), (None, "1e-6")]
