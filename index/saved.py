"""Read a saved body by hand: which parser it calls for, and what that parser makes of it."""

from __future__ import annotations

import importlib
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from collectors import panel
from collectors.base import Capture, Parsed
from index.reading import Row
from index.terminal import DIM, HEAD, WARN, Screen, table
from methodology.errors import ParseError, UsageError

MAX_BYTES = 2**30
"""An unpacked body may be this long; a small file can claim to be a huge one."""

OTHERS = ("parse_history", "parse_panel_csv", "parse_panel_raw")
"""Parsers of stored histories that a source's file may offer beside its own."""

FRAMES = ("quotes", "asks", "volumes", "rates")


@dataclass(frozen=True)
class Reading:
    """What became of one saved body: by which parser, and its rows."""

    capture: Capture
    parser: str
    parsed: Parsed


def read(source_id: str, file: Path, fetched_at: datetime | None) -> Reading:
    """Return what a saved body yields.

    The source's own parser is tried first, then those for stored histories in the same file; a
    Parquet body goes to the history parser at once.

    Args:
        source_id: a source of the panel.
        file: the body, plain or gzipped.
        fetched_at: when it was fetched, aware UTC; default: the file's time.

    Raises:
        ConfigError: no such source.
        UsageError: no such file, or not readable as gzip.
        ParseError: no parser of the source takes it; the message is that of its own parser.
    """
    source = panel.load(source_id)
    try:
        body = plain(file.read_bytes(), file)
        written = datetime.fromtimestamp(file.stat().st_mtime, UTC)
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror or error}; name a saved body") from error
    capture = Capture(source.id, file.name, body, fetched_at or written)
    found = parsers(source_id)
    if body[:4] == b"PAR1":
        found.sort(key=lambda item: item[0] != "parse_history")
    first: ParseError | None = None
    for name, parse in found:
        try:
            return Reading(capture, name, parse(capture))
        except ParseError as error:
            first = first or error
    if first is None:
        raise UsageError(f"{source_id}: has no parser")
    raise first


def parsers(source_id: str) -> list[tuple[str, Callable[[Capture], Parsed]]]:
    """Return a source's own parser, then those of :data:`OTHERS` that stand in the same file."""
    line = panel.SOURCES[source_id]
    module = importlib.import_module(line.module)
    found: list[tuple[str, Callable[[Capture], Parsed]]] = [("parse", panel.load(source_id).parse)]
    return found + [(name, getattr(module, name)) for name in OTHERS if hasattr(module, name)]


def plain(body: bytes, file: Path) -> bytes:
    """Return a body without gzip; UsageError when that is damaged, cut or absurdly long."""
    if body[:2] != b"\x1f\x8b":
        return body
    unpack = zlib.decompressobj(wbits=31)
    try:
        plain = unpack.decompress(body, MAX_BYTES)
    except zlib.error as error:
        raise UsageError(f"{file}: damaged gzip ({error}); fetch it again") from error
    if not unpack.eof:
        why = "longer than 1 GiB unpacked" if len(plain) >= MAX_BYTES else "cut short"
        raise UsageError(f"{file}: {why}; fetch it again")
    return plain


def as_values(reading: Reading) -> Row:
    """Return everything read as plain values for JSON."""
    parsed = reading.parsed
    rows = {name: _rows(getattr(parsed, name)) for name in (*FRAMES, "rejections")}
    return {
        "source": reading.capture.source,
        "parser": reading.parser,
        "capture_sha256": reading.capture.sha256,
        "fetched_at": reading.capture.observed_at.isoformat() + "Z",
        "seen": parsed.seen,
        **rows,
    }


def as_csv(reading: Reading) -> str:
    """Return the frame that has rows (quotes, else volumes, else rates) as CSV."""
    return _main(reading)[1].write_csv()


def print_reading(screen: Screen, reading: Reading, limit: int) -> None:
    """Print the first rows of what was read, then what was refused, by reason with examples."""
    parsed = reading.parsed
    name, rows = _main(reading)
    screen.line(
        (reading.capture.source, HEAD),
        f"   {reading.parser}   sha256 {reading.capture.sha256}",
    )
    counts = ", ".join(f"{getattr(parsed, one).height:,} {one}" for one in FRAMES)
    screen.line(f"{parsed.seen:,} candidate rows: {counts}, {parsed.rejections.height:,} refused")
    if rows.height:
        screen.line()
        hide = {"source", "capture_sha256"} | {
            c for c in rows.columns if rows[c].null_count() == rows.height
        }
        constant = {
            c: rows[c][0] for c in rows.columns if c not in hide and rows[c].n_unique() == 1
        }
        shown = [c for c in rows.columns if c not in hide and c not in constant]
        if constant and rows.height > 1:
            same = ", ".join(f"{c} {v}" for c, v in constant.items())
            screen.line((f"in every row: {same}", DIM))
        else:
            shown = [c for c in rows.columns if c not in hide]
        screen.line((name.capitalize(), HEAD))
        cells = [
            ["" if v is None else str(v) for v in row]
            for row in rows.head(limit).select(shown).rows()
        ]
        screen.grid(table([(c, "~") for c in shown], cells))
        if rows.height > limit:
            screen.line((f"  and {rows.height - limit:,} more; --rows, --csv, --json", DIM))
    refused = parsed.rejections
    if refused.height:
        screen.line()
        screen.line(("Refused", HEAD))
        for reason, count in sorted(
            Counter(refused["reason"]).items(), key=lambda item: (-item[1], item[0])
        ):
            one = refused.filter(pl.col("reason") == reason).row(0, named=True)
            example = " ".join(t for t in (one["provider"], one["listing_id"]) if t)
            screen.line(
                f"  {count:>6,}  ", (reason, WARN), (f"   e.g. {example}: {one['detail']}", DIM)
            )


def _main(reading: Reading) -> tuple[str, pl.DataFrame]:
    frames = [(name, getattr(reading.parsed, name)) for name in FRAMES]
    return next(((n, f) for n, f in frames if f.height), frames[0])


def _rows(rows: pl.DataFrame) -> list[Row]:
    return rows.to_dicts()
