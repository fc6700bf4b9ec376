"""Records and bodies to typed rows: exact, or refused by name."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from index.publication.record import ALWAYS, FIXING_FIELDS
from index.warehouse import tables, write
from index.warehouse.decimals import MONEY, WEIGHT, exact, scaled, shifted
from index.warehouse.tables import Contents
from methodology import schemas
from methodology.errors import VerificationError

HEX = "sha256:" + "ab" * 32


def fixing(**fields: Any) -> dict[str, Any]:
    record: dict[str, Any] = dict.fromkeys(FIXING_FIELDS) | dict(ALWAYS)
    record |= {
        "seq": 3, "index_id": "TKR-a-IN", "session": "NYC", "ref_date": "2026-08-12",
        "revision": 0, "status": "FINAL", "waterfall": "FULL", "flags": ["HELD", "IMPUTED"],
        "alt": [], "value": "0.450114", "currency": "USD", "published_at":
        "2026-08-12T20:45:00.000Z", "basket_digest": None,
        "contributions": {"kind": "contributions", "sha256": HEX, "size": 1},
    }  # fmt: skip
    return record | fields


def contents(*records: dict[str, Any], bodies: dict[str, bytes] | None = None) -> Contents:
    return Contents(
        origin="example/log",
        size=len(records),
        root="00" * 32,
        records=[(r, "sha256:" + hashlib.sha256(rfc8785.dumps(r)).hexdigest()) for r in records],
        backcast=pl.DataFrame(schema=tables.BACKCAST),
        observations=schemas.empty(schemas.Observation),
        rejections=schemas.empty(schemas.Rejection),
        volumes=schemas.empty(schemas.Volume),
        rates=schemas.empty(schemas.Rate),
        bodies=bodies or {},
    )


@given(st.lists(st.one_of(st.none(), st.integers(0, 10**15)), max_size=20))
def test_nano_units_become_the_decimal_with_the_same_digits(nano: list[int | None]) -> None:
    rows = pl.DataFrame({"n": nano}, schema={"n": pl.Int64})
    found = rows.select(scaled("n", 9, MONEY))["n"].to_list()
    assert found == [None if n is None else Decimal(n).scaleb(-9) for n in nano]


@pytest.mark.parametrize(
    ("text", "dtype"),
    [
        pytest.param("0.0000000025", MONEY, id="a tenth decimal would be cut off"),
        pytest.param("1e-9", MONEY, id="an exponent is no decimal text"),
        pytest.param("12345678901234567890", MONEY, id="twenty digits before the point"),
        pytest.param("NaN", MONEY, id="not a number"),
        pytest.param("", MONEY, id="empty text"),
        pytest.param("10.00000000", WEIGHT, id="a weight of two digits"),
        pytest.param("0.123456789", WEIGHT, id="a weight of nine decimals"),
    ],
)
def test_text_that_does_not_fit_its_column_is_refused_by_name(text: str, dtype: Any) -> None:
    with pytest.raises(VerificationError, match=r"fixing\.value: .* does not fit DECIMAL"):
        exact("fixing", pl.Series("value", ["1", None, text]), dtype)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("-4.2788", "-4.2788", id="negative"),
        pytest.param("1234567890123456789.123456789", "1234567890123456789.123456789", id="full"),
        pytest.param("7", "7", id="whole"),
        pytest.param(None, None, id="null stays null"),
    ],
)
def test_text_that_fits_keeps_every_digit(text: str | None, value: str | None) -> None:
    found = exact("t", pl.Series("x", [text], pl.String), MONEY).to_list()
    assert found == [None if value is None else Decimal(value)]


def test_fields_of_a_fixing_have_their_columns() -> None:
    nested = {"contributions", "panel_state", "panel_state_before", "manifest"}
    scalar = set(FIXING_FIELDS) - nested - {"alt", "grade_components"}
    beside = {f"{n}_digest" for n in nested} | {"record_digest"}
    beside |= {n for n in tables.FIXING if n.startswith("grade_")}
    assert set(tables.FIXING) == scalar | beside


def test_flags_are_one_text_with_blanks_between() -> None:
    (row,) = tables.fixings([(fixing(), HEX)]).rows(named=True)
    assert row["flags"] == "HELD IMPUTED"
    assert row["value"] == Decimal("0.450114")
    assert row["published_at"] == datetime(2026, 8, 12, 20, 45)


def test_a_field_from_newer_software_is_refused_not_dropped() -> None:
    with pytest.raises(VerificationError, match=r"fixing: fields \['novelty'\] are not known"):
        tables.fixings([(fixing(novelty="1"), HEX)])


def test_a_contribution_field_from_newer_software_is_refused() -> None:
    body = json.dumps({"group": "a", "novelty": 1}).encode() + b"\n"
    with pytest.raises(VerificationError, match=r"contributions of TKR-a-IN .*novelty"):
        tables.contributions([fixing()], {HEX: body})


def test_contributions_of_two_layouts_stand_in_one_table() -> None:
    rate = {"group": "a", "quoted_nano": None, "price_nano": 5, "weight_e8": 1, "reason": ""}
    model = {"developer": "d", "model": "m", "quantity_e12": "65045646667", "reason": "HELD"}
    other = "sha256:" + "cd" * 32
    records = [
        fixing(),
        fixing(
            index_id="TKX-ALL-BLD", currency="CNY",
            contributions={"kind": "contributions", "sha256": other, "size": 1},
        ),
    ]  # fmt: skip
    bodies = {HEX: json.dumps(rate).encode() + b"\n", other: json.dumps(model).encode() + b"\n"}
    one, two = tables.contributions(records, bodies).rows(named=True)
    assert (one["legal_group"], one["price"], one["quoted"]) == ("a", Decimal("5E-9"), None)
    assert (one["weight"], one["reason"], one["currency"]) == (Decimal("1E-8"), None, "USD")
    assert (two["legal_group"], two["instrument_id"], two["reason"]) == ("d", "m", "HELD")
    # 65,045,646,667 units of 1e-12 Mtok
    assert (two["quantity"], two["currency"]) == (Decimal("0.065045646667"), "CNY")


@pytest.mark.parametrize(
    ("units", "decimals", "text"),
    [
        ("1245387000", 12, "0.001245387000"),
        ("20000000000", 9, "20.000000000"),
        ("7", 8, "0.00000007"),
        ("-5", 2, "-0.05"),
        ("12345678901234567890123456789012345678", 15, "12345678901234567890123.456789012345678"),
    ],
)
def test_integer_text_is_shifted_digit_by_digit(units: str, decimals: int, text: str) -> None:
    assert shifted(units, decimals) == text


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        pytest.param("7.712", Decimal("7.712"), id="an ordinary rate"),
        pytest.param("0.00000000012", None, id="too many decimals: only the text stays"),
    ],
)
def test_a_currency_rate_is_exact_or_only_text(text: str, rate: Decimal | None) -> None:
    row = {
        "source": "ecb", "base": "EUR", "quote": "CNY", "rate_text": text,
        "ref_date": datetime(2026, 1, 2).date(), "capture_sha256": "ab" * 32,
    }  # fmt: skip
    found = tables.fx_rates(schemas.frame(schemas.Rate, [row]))
    assert found["rate"].to_list() == [rate]
    assert found["rate_text"].to_list() == [text]


def test_the_highest_revision_is_current_whatever_the_order_in_the_log() -> None:
    records = [(fixing(revision=n, value=v), HEX) for n, v in ((1, "2"), (2, "3"), (0, "1"))]
    assert [r["value"] for r in tables.current_fixings(records)] == ["3"]


def test_an_empty_log_makes_a_whole_file(tmp_path: Path) -> None:
    written = write.write_all(tables.build(contents()), tmp_path, lambda what: None)
    with duckdb.connect(written[write.ANALYSTS_FILE], read_only=True) as spot:
        assert spot.execute("SELECT count(*) FROM history").fetchall() == [(0,)]
        assert spot.execute("FROM log_head").fetchall() == [("example/log", 0, "00" * 32)]


def test_an_incident_keeps_its_whole_record(tmp_path: Path) -> None:
    record = {
        "type": "incident", "schema": "incident/1.0", "seq": 9, "log_origin": "example/log",
        "kind": "SOURCE_FAILED", "source": "ecb", "reason": "NOT_XML", "detail": "it's empty",
        "at": "2026-08-12T20:00:00.000Z", "manifest": None,
    }  # fmt: skip
    made = tables.build(contents(record))
    write.write_duckdb(made, tmp_path / "spot.duckdb")
    with duckdb.connect(tmp_path / "spot.duckdb", read_only=True) as spot:
        ((kind, detail, at, whole),) = spot.execute(
            "SELECT kind, detail, occurred_at, record FROM incident"
        ).fetchall()
    assert (kind, detail, at) == ("SOURCE_FAILED", "it's empty", datetime(2026, 8, 12, 20))
    assert json.loads(whole) == record
