"""The history of an index, read from the ledger."""

from __future__ import annotations

import io
import json
import shutil
from datetime import date, timedelta
from decimal import Decimal

import duckdb
import polars as pl
import pytest

from index import history, projections
from index.config import Settings
from methodology.errors import CoverageError, UsageError, VerificationError

RATE = "TKR-gpt-oss-120b-BLD"


def test_the_published_day_stands_unflagged_at_the_end(small_ledger: Settings) -> None:
    rows = history.history(small_ledger, RATE)
    last = rows.row(-1, named=True)
    assert (last["ref_date"], last["flag"], last["vintage"]) == (
        date(2026, 8, 12),
        None,
        "2026-08",
    )
    assert last["value"] == "0.227500"
    assert rows["flag"].to_list() == ["_BT"] * (rows.height - 1) + [None]
    assert rows.columns == list(history.COLUMNS)


def test_each_day_is_there_once_in_order(small_ledger: Settings) -> None:
    days = history.history(small_ledger, RATE)["ref_date"].to_list()
    assert days == [days[0] + timedelta(days=n) for n in range(len(days))]


def test_a_day_without_a_fix_is_a_row_without_a_value(small_ledger: Settings) -> None:
    # models.dev says nothing between 2026-07-02 and 2026-08-12 in the bundle
    rows = history.history(small_ledger, RATE, date(2026, 7, 10), date(2026, 7, 20))
    assert rows["waterfall"].unique().to_list() == ["NO_FIX"]
    assert rows["value"].null_count() == rows.height == 11


def test_projections_are_not_read(small_copy: Settings) -> None:
    projections.rebuild(small_copy)
    before = history.history(small_copy, RATE)
    shutil.rmtree(small_copy.data)
    assert history.history(small_copy, RATE).equals(before)


def test_a_changed_back_cast_is_refused(small_copy: Settings) -> None:
    (path,) = (small_copy.ledger / "batches" / "backcast").iterdir()
    body = path.read_bytes()
    path.write_bytes(body.replace(b'"value":"0.2275', b'"value":"0.2276', 1))
    assert path.read_bytes() != body
    with pytest.raises(VerificationError, match="restore it from a backup"):
        history.history(small_copy, RATE)


def test_the_file_says_the_same_as_the_ledger(small_copy: Settings) -> None:
    projections.rebuild(small_copy)
    with duckdb.connect(small_copy.data / "spot.duckdb", read_only=True) as spot:
        for name in (RATE, "TEX-ALL", "GPR-H100-SXM-80-OD-NEO-GLB", "TKX-ALL-BLD"):
            told = spot.execute(
                "FROM history WHERE index_id = ? ORDER BY ref_date", [name]
            ).fetchall()
            own = [
                (i, d, v and Decimal(v), lv and Decimal(lv), w, f, g, p)
                for i, d, v, lv, w, f, g, p in history.history(small_copy, name).iter_rows()
            ]
            assert told == own, name


@pytest.mark.parametrize(
    ("first", "last", "count"),
    [
        pytest.param(date(2026, 8, 12), None, 1, id="from the last day"),
        pytest.param(date(2026, 8, 10), date(2026, 8, 11), 2, id="both ends belong to it"),
        pytest.param(date(2026, 8, 12), date(2027, 1, 1), 1, id="an end beyond the last day"),
    ],
)
def test_days_are_cut_to_those_asked_for(
    small_ledger: Settings, first: date, last: date | None, count: int
) -> None:
    assert history.history(small_ledger, RATE, first, last).height == count


def test_an_unknown_index_is_named_with_some_that_exist(small_ledger: Settings) -> None:
    with pytest.raises(CoverageError, match=r"'TKR-none-IN' .* such as GPR-"):
        history.history(small_ledger, "TKR-none-IN")


def test_days_outside_are_told_with_the_days_there_are(small_ledger: Settings) -> None:
    with pytest.raises(CoverageError, match=r"runs from .* to 2026-08-12"):
        history.history(small_ledger, RATE, date(2020, 1, 1), date(2020, 1, 2))


def test_swapped_days_are_a_usage_error(small_ledger: Settings) -> None:
    with pytest.raises(UsageError, match="swap them"):
        history.history(small_ledger, RATE, date(2026, 8, 12), date(2026, 8, 1))


# Formats ------------------------------------------------------------------------------------------

TWO = pl.DataFrame(
    [
        ("TKR-a-IN", date(2026, 8, 11), None, None, "NO_FIX", "_BT", 0, None),
        ("TKR-a-IN", date(2026, 8, 12), "0.450114", "1820.5609", "REDUCED", None, 11, "2026-08"),
    ],
    schema=history.COLUMNS,
    orient="row",
)


def written(format: str) -> bytes:
    out = io.BytesIO()
    history.write(TWO, format, out)  # type: ignore[arg-type]
    return out.getvalue()


def test_csv_has_a_header_line_feeds_and_empty_fields() -> None:
    assert written("csv") == (
        b"index_id,ref_date,value,level,waterfall,flag,groups,vintage\n"
        b"TKR-a-IN,2026-08-11,,,NO_FIX,_BT,0,\n"
        b"TKR-a-IN,2026-08-12,0.450114,1820.5609,REDUCED,,11,2026-08\n"
    )


def test_json_keeps_money_as_text() -> None:
    first, second = json.loads(written("json"))
    assert first["value"] is None
    assert second == {
        "index_id": "TKR-a-IN", "ref_date": "2026-08-12", "value": "0.450114",
        "level": "1820.5609", "waterfall": "REDUCED", "flag": None, "groups": 11,
        "vintage": "2026-08",
    }  # fmt: skip


def test_json_of_no_days_is_an_empty_list() -> None:
    out = io.BytesIO()
    history.write(TWO.clear(), "json", out)
    assert json.loads(out.getvalue()) == []


def test_parquet_holds_decimals() -> None:
    found = pl.read_parquet(io.BytesIO(written("parquet")))
    assert found.schema["value"] == pl.Decimal(28, 9)
    assert found["value"].to_list() == [None, Decimal("0.450114")]


def test_another_format_is_refused() -> None:
    with pytest.raises(UsageError, match="csv, json, parquet"):
        written("xlsx")
