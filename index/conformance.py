"""The command ``spotfix conformance``: vectors of other people's software against our rules."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from index.app import JsonOption, screen_of
from methodology.errors import VerificationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from index.conformance_cases.sheet import Row
    from index.terminal import Screen


def conformance(
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="A vector file (JSON), or a folder of them.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Compare our rules with figures that other software gave.

    One line a figure: vector, case, expected, got, verdict, convention. A figure that differs, or
    that no rule here knows, ends with exit code 20.

    \b
    Example:
      spotfix conformance vectors
      spotfix conformance vectors/TV05_weighted_median_percentiles.json --json
    """
    from index.conformance_cases.run import conformance as compared

    screen = screen_of(as_json)
    rows = list(compared(path))
    count = Counter(row.verdict for row in rows)
    bad = [row for row in rows if row.verdict != "PASS"]
    if as_json:
        screen.json({"ok": not bad, "summary": _summary(rows), "rows": [_values(r) for r in rows]})
    else:
        _print(screen, rows)
        told = f"{len(rows):,} rows of {len({r.vector for r in rows})} vectors: "
        told += f"{count['PASS']:,} pass, {count['FAIL']:,} differ, {count['UNKNOWN']:,} unknown"
        screen.line(told)
    if bad:
        one = bad[0]
        first = f"{one.vector} {one.case}: "
        if one.verdict == "FAIL":
            first += f"expected {one.expected}, got {one.got}"
        else:
            first += one.note
        raise VerificationError(f"{len(bad):,} of {len(rows):,} rows do not pass; first {first}")


def _values(row: Row) -> dict[str, Any]:
    return {name: getattr(row, name) for name in row.__dataclass_fields__}


def _summary(rows: Sequence[Row]) -> dict[str, dict[str, int]]:
    """Return the number of rows by verdict, of all vectors and of each."""
    names = ("PASS", "FAIL", "UNKNOWN")
    by_vector = {row.vector: Counter[str]() for row in rows}
    for row in rows:
        by_vector[row.vector][row.verdict] += 1
    whole = sum(by_vector.values(), Counter[str]())
    return {
        name: {v: count[v] for v in names} for name, count in {"all": whole, **by_vector}.items()
    }


def _print(screen: Screen, rows: Sequence[Row]) -> None:
    from rich.text import Text

    from index.terminal import BAD, GOOD, WARN, table

    style = {"PASS": GOOD, "FAIL": BAD, "UNKNOWN": WARN}
    columns = [("vector", "<"), ("case", "~"), ("expected", "~"), ("got", "~")]
    columns += [("verdict", "<"), ("note", "~")]
    cells: list[list[str | Text]] = [
        [r.vector, r.case, r.expected, r.got, Text(r.verdict, style[r.verdict]), r.note]
        for r in rows
    ]
    screen.grid(table(columns, cells))
