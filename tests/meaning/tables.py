"""Tables of a body as rows of cells that can be changed and written back: CSV, Markdown, HTML."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

Rows = list[list[str]]

_TABLE = re.compile(r"<table\b.*?</table>", re.DOTALL | re.IGNORECASE)
_ROW = re.compile(r"(<tr\b[^>]*>)(.*?)(</tr>)", re.DOTALL | re.IGNORECASE)
_CELL = re.compile(r"(<t[dh]\b[^>]*>)(.*?)(</t[dh]>)", re.DOTALL | re.IGNORECASE)
_RULER = re.compile(r"\|?(?:\s*:?-+:?\s*\|)+(?:\s*:?-+:?\s*)?")


@dataclass(frozen=True)
class Grid:
    """One table: its rows (the head first), how the body reads with others in their place.

    ``is_even``: each row has a cell for each column, so that columns can be moved.
    """

    name: str
    rows: Rows
    written: Callable[[Rows], bytes]

    @property
    def is_even(self) -> bool:
        """Whether all rows are as long as the head and none has a cell over several places."""
        cells = [cell for row in self.rows for cell in row]
        spans = any(re.match(r"<t[dh][^>]*(row|col)span", cell) for cell in cells)
        return not spans and {len(row) for row in self.rows} == {len(self.rows[0])}


def grids(body: bytes, kind: str) -> Iterator[Grid]:
    """Yield the tables of a body that have a head, a row and two columns."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return
    makers = {"csv": _csv, "html": _html, "md": _markdown}
    if kind in makers:
        for grid in makers[kind](text):
            if len(grid.rows) > 1 and len(grid.rows[0]) > 1:
                yield grid


def _csv(text: str) -> Iterator[Grid]:
    def written(rows: Rows) -> bytes:
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows(rows)
        return out.getvalue().encode()

    rows = [row for row in csv.reader(io.StringIO(text)) if row]
    yield Grid("table", rows, written)


def _markdown(text: str) -> Iterator[Grid]:
    lines = text.splitlines(keepends=True)
    at = 0
    while at + 1 < len(lines):
        if "|" not in lines[at] or not _RULER.fullmatch(lines[at + 1].strip()):
            at += 1
            continue
        end = at + 2
        while end < len(lines) and "|" in lines[end]:
            end += 1
        rows = [_parts(line) for n, line in enumerate(lines[at:end]) if n != 1]
        yield Grid(f"line {at + 1}", rows, _markdown_writer(lines, at, end))
        at = end


def _parts(line: str) -> list[str]:
    return [part.strip() for part in re.split(r"(?<!\\)\|", line.strip().strip("|"))]


def _markdown_writer(lines: list[str], at: int, end: int) -> Callable[[Rows], bytes]:
    def written(rows: Rows) -> bytes:
        made = ["| " + " | ".join(row) + " |\n" for row in rows]
        made.insert(1, "|" + "---|" * len(rows[0]) + "\n")
        return "".join([*lines[:at], *made, *lines[end:]]).encode()

    return written


def _html(text: str) -> Iterator[Grid]:
    for table in _TABLE.finditer(text):
        found = list(_ROW.finditer(table[0]))
        rows = [[cell[0] for cell in _CELL.finditer(row[2])] for row in found]
        if found and all(rows):
            yield Grid(f"at {table.start()}", rows, _html_writer(text, table, found))


def _html_writer(
    text: str, table: re.Match[str], found: list[re.Match[str]]
) -> Callable[[Rows], bytes]:
    def written(rows: Rows) -> bytes:
        inner, at = "", 0
        last = found[-1]
        for n, row in enumerate(rows):
            old = found[n] if n < len(found) else last
            if n < len(found):
                inner += table[0][at : old.start()]
                at = old.end()
            inner += old[1] + "".join(row) + old[3]
        if len(rows) < len(found):
            at = last.end()
        inner += table[0][at:]
        return (text[: table.start()] + inner + text[table.end() :]).encode()

    return written


def inner(cell: str) -> str:
    """Return what stands in a cell without the tags around it."""
    found = _CELL.fullmatch(cell)
    return found[2] if found else cell


def with_inner(cell: str, text: str) -> str:
    """Return the cell with another content."""
    found = _CELL.fullmatch(cell)
    return f"{found[1]}{text}{found[3]}" if found else text
