"""CSV bodies as text columns, every line as long as the head.

The engine's reader fills a short line with nulls, so that a body cut inside a row would be read
without a word. A second reader, of the standard library, counts the fields of each line first.
"""

from __future__ import annotations

import csv
import io
import sys

import polars as pl
from polars.exceptions import PolarsError

from collectors.base import Capture
from methodology.errors import ParseError

csv.field_size_limit(min(sys.maxsize, 2**31 - 1))


def read_text(capture: Capture, body: bytes) -> pl.DataFrame:
    """Return a CSV body as text columns; an empty field is null, a quoted empty one ``""``.

    Args:
        capture: names the source in messages.
        body: the CSV with its head first; a mark of byte order before it is dropped.

    Raises:
        ParseError: ``NOT_CSV`` for what is not UTF-8, a line that has not as many fields as the
            head, a quote without its end, or two readers that see other numbers of lines.
    """
    try:
        # Line by line: a second copy of a large body as text would be the peak of a round.
        text = io.TextIOWrapper(io.BytesIO(body), encoding="utf-8-sig", newline="")
        widths = [len(row) for row in csv.reader(text, strict=True) if row]
        table = pl.read_csv(io.BytesIO(body), infer_schema=False, truncate_ragged_lines=False)
    except (UnicodeDecodeError, csv.Error, PolarsError) as error:
        raise _not_csv(capture, f"{error}") from error
    odd = next((n for n, width in enumerate(widths) if width != widths[0]), None)
    if odd is not None:
        raise _not_csv(capture, f"row {odd} has {widths[odd]} fields, the head {widths[0]}")
    if len(widths) != table.height + 1:
        raise _not_csv(capture, f"{table.height} rows by one reader, {len(widths) - 1} by another")
    return table


def _not_csv(capture: Capture, told: str) -> ParseError:
    return ParseError(
        capture.source, "NOT_CSV", f"{capture.url}: no regular CSV table: {told}; fetch it again"
    )
