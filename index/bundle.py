"""Build the bundled history: real bodies in, small dated CSV tables and a manifest out.

``build_bundle`` reads captured bodies, parses them with the project's own parsers, keeps the rows
that a reviewed register line maps to a standard good, and writes ``data/bundled``. The same bodies
and registers give the same bytes. ``data/README.md`` tells what was left out and why.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from collectors.bundled import SCHEMA, Layout, columns_of, moment_text
from index.bundle_disclosures import disclosures
from index.bundle_tables import TABLES, Table

MANIFEST = "MANIFEST.json"


@dataclass(frozen=True, slots=True)
class BundleReport:
    """What was written: (file, rows, bytes, rows the parsers refused), and the bytes in all."""

    files: tuple[tuple[str, int, int, int], ...]
    total_bytes: int


def build_bundle(payloads: Path, out: Path) -> BundleReport:
    """Write the bundled tables and their manifest into ``out``, and say what was written.

    Args:
        payloads: the folder of captured bodies.
        out: the folder to write; tables of the same name are replaced, others are not touched.

    Raises:
        UsageError: a needed body is missing.
        ParseError: a body is not what its source promised.
        DefinitionError: a register is wrong.
    """
    tables = [build(payloads) for build in (*TABLES, disclosures)]
    out.mkdir(parents=True, exist_ok=True)  # all bodies are there: nothing is left half written
    entries, told = [], []
    for table in tables:
        body = render(table.rows, table.layout)
        (out / table.file).write_bytes(body)
        entries.append(_entry(table, body))
        told.append((table.file, table.rows.height, len(body), table.refused))
    text = json.dumps({"schema": SCHEMA, "files": entries}, indent=2, sort_keys=True)
    manifest = (text + "\n").encode()
    (out / MANIFEST).write_bytes(manifest)
    return BundleReport(tuple(told), sum(size for _, _, size, _ in told) + len(manifest))


def _entry(table: Table, body: bytes) -> dict[str, object]:
    return {
        "file": table.file,
        "source": table.source,
        "kind": table.kind,
        "mode": table.mode,
        "coverage": [[moment_text(a), moment_text(b)] for a, b in table.coverage],
        "captures": [moment_text(at) for at in table.captures],
        "licence": table.licence,
        "attribution": table.attribution,
        "origin": table.origin,
        "rows": table.rows.height,
        "sha256": hashlib.sha256(body).hexdigest(),
    }


def render(rows: pl.DataFrame, layout: Layout) -> bytes:
    """Return rows as CSV: UTF-8, LF, a header, nothing quoted, null as an empty field.

    Raises:
        ValueError: a text holds a comma, a quotation mark or a line break, or is empty.
    """
    texts = rows.select(columns_of(layout)).with_columns(
        _as_text(name, dtype) for name, dtype in rows.schema.items() if name in columns_of(layout)
    )
    for name in texts.columns:
        odd = texts.filter(pl.col(name).str.contains(r'[,"\r\n]') | (pl.col(name) == ""))
        if odd.height:
            raise ValueError(f"{name} {odd[name][0]!r} would need quotes; leave the row out")
    return texts.write_csv(quote_style="never", line_terminator="\n").encode()


def _as_text(name: str, dtype: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if isinstance(dtype, pl.Datetime):
        return column.dt.strftime("%Y-%m-%dT%H:%M:%S%.fZ")
    return column.cast(pl.String)
