"""``spotfix export``: tables for a spreadsheet, and its words."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from datetime import date
from decimal import Decimal
from pathlib import Path
from xml.etree import ElementTree

import polars as pl
import pytest
from typer.testing import CliRunner

from index import cli, exporting, history, reading
from index.config import Settings

H100 = "GPR-H100-ANY-OD-NEO-GLB"
SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def spotfix(settings: Settings, *words: str) -> tuple[int, str]:
    made = CliRunner().invoke(cli.app, ["export", *words, "--out", str(settings.out)])
    return made.exit_code, made.output


def cells(body: bytes, number: int) -> dict[str, str]:
    """Return the cells of a sheet by place, read from the file's own XML."""
    with zipfile.ZipFile(io.BytesIO(body)) as file:
        texts = [
            "".join(t.itertext())
            for t in ElementTree.fromstring(file.read("xl/sharedStrings.xml")).iter(f"{SHEET}si")
        ]
        sheet = ElementTree.fromstring(file.read(f"xl/worksheets/sheet{number}.xml"))
    found = {}
    for cell in sheet.iter(f"{SHEET}c"):
        value = cell.find(f"{SHEET}v")
        if value is not None and value.text is not None:
            is_text = cell.get("t") == "s"
            found[cell.get("r", "")] = texts[int(value.text)] if is_text else value.text
    return found


def test_a_table_has_the_rows_of_history(small_ledger: Settings, tmp_path: Path) -> None:
    code, said = spotfix(small_ledger, H100, "--csv", str(tmp_path / "a.csv"))
    assert code == 0, said
    rows = list(csv.DictReader(io.StringIO((tmp_path / "a.csv").read_text("utf-8"))))
    told = history.history(small_ledger, H100)
    assert len(rows) == told.height
    newest = rows[-1]
    assert (newest["index_id"], newest["ref_date"], newest["value"]) == (
        H100, "2026-08-22", "3.9000",
    )  # fmt: skip
    assert newest["flag"] == ""
    assert {r["flag"] for r in rows[:-1]} == {"_BT"}


def test_several_indices_in_the_order_asked(small_ledger: Settings, tmp_path: Path) -> None:
    names = ["TKR-gpt-oss-120b-OUT", H100]
    ledger = reading.open_ledger(small_ledger)
    frame = exporting.values(ledger, names, date(2026, 8, 1), date(2026, 8, 5))
    assert frame["index_id"].unique(maintain_order=True).to_list() == names
    assert frame["ref_date"].to_list() == [date(2026, 8, n) for n in range(1, 6)] * 2


def test_parquet_money_is_decimal(small_ledger: Settings, tmp_path: Path) -> None:
    target = tmp_path / "a.parquet"
    assert spotfix(small_ledger, H100, "--parquet", str(target))[0] == 0
    frame = pl.read_parquet(target)
    assert frame.schema["value"] == pl.Decimal(28, 9)
    assert frame["value"].to_list()[-1] == Decimal("3.9")


def test_a_workbook_has_notes_and_a_sheet_for_each_index(
    small_ledger: Settings, tmp_path: Path
) -> None:
    target = tmp_path / "a.xlsx"
    words = (H100, "TKR-gpt-oss-120b-BLD", "--from", "2026-08-10", "--xlsx", str(target))
    assert spotfix(small_ledger, *words)[0] == 0
    body = target.read_bytes()
    notes, first = cells(body, 1), cells(body, 2)
    said = set(notes.values())
    assert {"Licence", "CC-BY-4.0", H100, "USD/gpu-h", "NO_FIX", "COMMIT_UNWITNESSED"} <= said
    assert [first[f"{c}1"] for c in "ABC"] == ["ref_date", "value", "level"]
    assert first["B14"] == "3.9"  # 2026-08-22 is the thirteenth day from the tenth
    with zipfile.ZipFile(target) as file:
        assert sum(n.startswith("xl/worksheets/sheet") for n in file.namelist()) == 3


def test_a_workbook_is_the_same_bytes_twice(small_ledger: Settings) -> None:
    ledger = reading.open_ledger(small_ledger)
    frame = exporting.values(ledger, [H100], date(2026, 8, 1), None)
    assert exporting.workbook(frame) == exporting.workbook(frame)


def test_a_figure_that_a_spreadsheet_cannot_hold_stays_text() -> None:
    row = (H100, date(2026, 8, 1), "12345678901234.5678", None, "REDUCED", None, 5, None)
    frame = pl.DataFrame([row], schema=history.COLUMNS, orient="row")
    assert cells(exporting.workbook(frame), 2)["B2"] == "12345678901234.5678"


def test_sheets_of_long_names_are_told_apart() -> None:
    names = [f"GPR-H100-SXM-80-OD-NEO-GLB-SETTLEMENT{n}" for n in range(12)]
    found = exporting.sheet_names(["notes", *names])
    assert len({one.casefold() for one in found.values()}) == 13
    assert max(map(len, found.values())) == 31
    assert found["notes"] != "notes"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param((), "give --audit MONTH --to PATH, or", id="nothing"),
        pytest.param(("--audit", "2026-08"), "needs --to PATH", id="no_target"),
        pytest.param(("--audit", "August", "--to", "x"), "write it like 2026-08", id="no_month"),
        pytest.param(("--audit", "days", "--to", "x"), "needs --from DATE", id="no_days"),
        pytest.param(("--csv", "x", "--to", "y"), "go with --audit", id="target_of_a_table"),
        pytest.param(("TKX-ALL-BLT", "--csv", "x"), "did you mean TKX-ALL-BLD", id="misspelt"),
        pytest.param(
            ("--audit", "2026-08", "--csv", "x", "--to", "y"), "give --audit MONTH", id="both"
        ),
        pytest.param(
            ("--audit", "2026-08", "--to", "x", "--from", "2026-08-01"), "go with", id="both_spans"
        ),
        pytest.param(
            ("--csv", "x", "--from", "2026-08-09", "--until", "2026-08-01"), "swap", id="backwards"
        ),
    ],
)  # fmt: skip
def test_wrong_words_say_what_to_write(
    words: tuple[str, ...], said: str, small_ledger: Settings, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    code, text = spotfix(small_ledger, *words)
    assert code == 2
    assert said in " ".join(text.split())
    assert list(tmp_path.iterdir()) == []


def test_no_value_in_that_time(small_ledger: Settings, tmp_path: Path) -> None:
    words = (H100, "--csv", str(tmp_path / "x"), "--from", "2030-01-01")
    code, text = spotfix(small_ledger, *words)
    assert code not in (0, 2)
    assert "no value of GPR-H100" in " ".join(text.split())


def test_an_audit_says_what_it_wrote(small_ledger: Settings, tmp_path: Path) -> None:
    words = (H100, "--audit", "2026-08", "--to", str(tmp_path / "b"), "--json")
    code, text = spotfix(small_ledger, *words)
    assert code == 0, text
    told = json.loads(text[text.index("{") :])
    lines = (tmp_path / "b" / "records.jsonl").read_bytes().splitlines()
    assert told["records"] == len(lines)
    assert told["files"] == sum(p.is_file() for p in (tmp_path / "b").rglob("*"))
