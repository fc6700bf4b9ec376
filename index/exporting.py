"""Values of one or all indices as a workbook, CSV or Parquet, straight from the ledger.

One row per index and day: the highest published revision, else the back-cast. The rows are those
of ``spotfix history``; nothing is computed here.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

import polars as pl
import xlsxwriter

from index import history, words
from index.ledger.files import replace_durably
from index.projections import read_backcast, read_records
from index.publication.record import ALWAYS
from index.reading import Ledger, definitions_by_id, family_of
from index.warehouse.tables import current_fixings
from methodology.definition import Definition
from methodology.errors import CoverageError, UsageError

SHEET_NAME: Final = 31
"""Characters that a spreadsheet allows in the name of a sheet."""

DIGITS: Final = 15
"""Significant digits that a spreadsheet's number holds exactly; a longer figure stays text."""

STATUSES: Final = {
    "FULL": "all conditions of the rulebook's first level",
    "REDUCED": "determined, with fewer sellers or as a reference",
    "CARRIED_INPUT": "determined, with prices up to 72 hours old",
    "MODEL": "moved with its parent index",
    "CARRY": "the last value again",
    "NO_FIX": "no value that day; never zero",
    "_BT": "flag of the back-cast: computed later, never published on its day",
}
"""What the words in the columns ``waterfall`` and ``flag`` mean (rulebook 10.1, 11.4)."""

HEADINGS: Final = ("ref_date", "value", "level", "waterfall", "flag", "groups", "vintage")
MONEY: Final = (1, 2)
"""Columns of decimal text."""


def values(
    ledger: Ledger,
    index_ids: Sequence[str],
    first: date | None = None,
    last: date | None = None,
) -> pl.DataFrame:
    """Return the history of indices: ``history.COLUMNS``, by index as asked, then by day.

    Args:
        ledger: the open ledger.
        index_ids: which indices; one without any row is left out.
        first: first day, inclusive; ``None``: from the beginning.
        last: last day, inclusive; ``None``: to the end.

    Raises:
        CoverageError: there is no row at all.
        UsageError: ``first`` is after ``last``.
    """
    if first and last and first > last:
        raise UsageError(f"export: first day {first} is after last day {last}; swap them")
    records = read_records(ledger.log)
    published = pl.DataFrame(
        [history._row(r) for r in current_fixings(records)],
        schema=history.COLUMNS | {"ref_date": pl.String},
        orient="row",
    ).with_columns(pl.col("ref_date").str.to_date("%Y-%m-%d"))
    computed = read_backcast(ledger.batches, records).select(list(history.COLUMNS))
    asked = pl.DataFrame({"index_id": list(index_ids), "order": range(len(index_ids))})
    rows = (
        pl.concat([published, computed.join(published, on=["index_id", "ref_date"], how="anti")])
        .join(asked, on="index_id")
        .filter(pl.col("ref_date").is_between(first or date.min, last or date.max))
        .sort("order", "ref_date")
        .drop("order")
    )
    if rows.is_empty():
        raise CoverageError(
            f"export: no value of {', '.join(index_ids[:3])} in that time; `spotfix list` names "
            "the indices and their days"
        )
    return rows


def workbook(frame: pl.DataFrame) -> bytes:
    """Return a workbook of a frame of :func:`values`: a sheet of notes, then one sheet an index.

    Figures are numbers where a spreadsheet holds them exactly and text where it would not. The
    same frame gives the same bytes.
    """
    known = definitions_by_id()
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True, "strings_to_formulas": False})
    book.set_properties({"created": datetime(2026, 1, 1), "title": "spotfix"})
    bold = book.add_format({"bold": True})
    day = book.add_format({"num_format": "yyyy-mm-dd"})
    formats: dict[int, Any] = {}
    notes = book.add_worksheet("notes")
    names = [str(name) for name in frame["index_id"].unique(maintain_order=True)]
    sheets = sheet_names(names)
    _notes(notes, bold, known, sheets)
    for name in names:
        sheet = book.add_worksheet(sheets[name])
        sheet.set_column(0, 0, 11)
        sheet.freeze_panes(1, 0)
        for column, heading in enumerate(HEADINGS):
            sheet.write_string(0, column, heading, bold)
        rows = frame.filter(pl.col("index_id") == name).select(HEADINGS)
        for number, row in enumerate(rows.iter_rows(), 1):
            sheet.write_datetime(number, 0, datetime.combine(row[0], datetime.min.time()), day)
            for column, cell in enumerate(row[1:], 1):
                _write(book, formats, sheet, number, column, cell)
    book.close()
    return out.getvalue()


def sheet_names(index_ids: Sequence[str]) -> dict[str, str]:
    """Return a name for each index's sheet: its id, cut to 31 characters and told apart."""
    found: dict[str, str] = {}
    taken = {"notes"}
    for name in index_ids:
        short, number = name[:SHEET_NAME], 1
        while short.casefold() in taken:
            number += 1
            short = f"{name[: SHEET_NAME - 1 - len(str(number))]}~{number}"
        taken.add(short.casefold())
        found[name] = short
    return found


def write(frame: pl.DataFrame, kind: str, target: Any) -> None:
    """Write a frame of :func:`values` to a file: ``xlsx``, ``csv`` or ``parquet``; it replaces."""
    if kind == "xlsx":
        body = workbook(frame)
    else:
        out = io.BytesIO()
        history.write(frame, "csv" if kind == "csv" else "parquet", out)
        body = out.getvalue()
    replace_durably(target, body)


def _write(
    book: Any, formats: dict[int, Any], sheet: Any, row: int, column: int, cell: Any
) -> None:
    if cell is None:
        return
    if column not in MONEY:
        (sheet.write_number if isinstance(cell, int) else sheet.write_string)(row, column, cell)
        return
    number = Decimal(cell)
    if len(number.as_tuple().digits) > DIGITS:
        sheet.write_string(row, column, cell)
        return
    places = -int(number.as_tuple().exponent)
    if places not in formats:
        shape = "0." + "0" * places if places else "0"
        formats[places] = book.add_format({"num_format": shape})
    sheet.write_number(row, column, float(number), formats[places])


def _notes(sheet: Any, bold: Any, known: dict[str, Definition], sheets: dict[str, str]) -> None:
    """Write units, words and licence."""
    sheet.set_column(0, 0, 40)
    sheet.set_column(1, 2, 24)
    lines: list[tuple[bool, tuple[str, ...]]] = [
        (True, ("Licence", str(ALWAYS["licence"]))),
        (False, ("Money", "as published; no number was rounded for this workbook")),
        (False, ("Empty cell", "no value; never zero")),
        (False, ()),
        (True, ("index", "sheet", "unit", "session", "admission", "measures")),
    ]
    for name, short in sheets.items():
        one = known.get(name)
        unit = words.UNITS.get(family_of(name), "")
        told = (one.session, one.admission, one.title) if one else ("", "", "")
        lines.append((False, (name, short, unit, *told)))
    lines += [(False, ()), (True, ("word", "meaning"))]
    lines += [(False, item) for item in STATUSES.items()]
    lines += [(False, ()), (True, ("flag of a fixing", "meaning"))]
    lines += [(False, item) for item in words.FLAGS.items()]
    for row, (is_heading, cells) in enumerate(lines):
        for column, cell in enumerate(cells):
            sheet.write_string(row, column, cell, bold if is_heading else None)
