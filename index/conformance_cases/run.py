"""A file or a folder of vectors to rows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from index.conformance_cases.kinds import WHOLE, Rule, rule_of
from index.conformance_cases.sheet import UNKNOWN, NotUnderstood, Row, Sheet
from methodology.errors import UsageError


def files_of(path: Path) -> list[Path]:
    """Return the vector files of a path, by name: itself, or every JSON file of the folder.

    Raises:
        UsageError: no such path, or a folder without a JSON file.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise UsageError(f"{path}: no such file or folder; name a vector file or their folder")
    found = sorted(one for one in path.iterdir() if one.suffix == ".json" and one.is_file())
    if not found:
        raise UsageError(f"{path}: no vector files; expected *.json beside a folder data")
    return found


def rows_of_file(file: Path) -> list[Row]:
    """Return the rows of one vector file; whatever cannot be checked is a row UNKNOWN."""
    try:
        told = load(file)
    except NotUnderstood as error:
        return [Row(file.stem, "file", "", "", UNKNOWN, str(error))]
    sheet = Sheet(_name(file, told), told, file.parent)
    rule = rule_of(told, file.stem)
    if rule is None:
        reason = f"{file.name}: neither its id nor its fields name a rule that is built here"
        return [Row(sheet.vector, "file", "", "", UNKNOWN, reason)]
    with sheet.guard("file"):
        if rule in WHOLE and isinstance(told.get("cases"), list):
            _by_case(sheet, rule)
        else:
            rule(sheet)
    sheet.leftovers()
    if not sheet.rows:
        sheet.unknown("file", None, f"{file.name}: nothing in it that could be checked")
    return sheet.rows


def _by_case(sheet: Sheet, rule: Rule) -> None:
    """Work through each case as a vector of its own, with the fields they share."""
    shared = {name: value for name, value in sheet.told.items() if name != "cases"}
    for n, case in enumerate(sheet.get("cases"), 1):
        name = str(case.get("id", n)) if isinstance(case, dict) else str(n)
        with sheet.guard(name, case):
            one = Sheet(sheet.vector, shared | case, sheet.folder)
            rule(one)
            one.rest(case, "", one.taken)
            sheet.take(*one.taken)
            sheet.rows.extend(replace(row, case=f"{name}.{row.case}") for row in one.rows)


def _name(file: Path, told: dict[str, Any]) -> str:
    """Return what rows call a vector: its id, or the file's name where two could share one."""
    name = str(told.get("id", ""))
    alike = [f for f in file.parent.glob("*.json") if name and f.stem.startswith(name)]
    return name if name and len(alike) <= 1 else file.stem


def load(file: Path) -> dict[str, Any]:
    """Return a vector file; decimals stay decimals.

    Raises:
        NotUnderstood: not UTF-8, not JSON, not an object; the message names file and place.
    """
    try:
        told = json.loads(file.read_bytes().decode("utf-8-sig"), parse_float=Decimal,
                          parse_constant=_no_constant)  # fmt: skip
    except UnicodeDecodeError as error:
        raise NotUnderstood(f"{file.name}: not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise NotUnderstood(f"{file.name}: not JSON at {where}: {error.msg}") from None
    except RecursionError:
        raise NotUnderstood(f"{file.name}: nested too deeply") from None
    if not isinstance(told, dict):
        raise NotUnderstood(f"{file.name}: not a JSON object but a {type(told).__name__}")
    return told


def _no_constant(text: str) -> Any:
    raise NotUnderstood(f"the file holds {text}, which is no JSON number")


def conformance(path: Path) -> Iterator[Row]:
    """Yield the rows of a vector file, or of every vector file of a folder, in order of name.

    Raises:
        UsageError: no such path, or no vector files in it.
    """
    for file in files_of(path):
        yield from rows_of_file(file)
