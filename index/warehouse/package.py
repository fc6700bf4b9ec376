"""``datapackage.json``: what files there are, their digests, columns, units and licence.

A Data Package, version 2 (datapackage.org, read 2026-11-21): any tool that knows the standard can
fetch, check and type the files without knowing us.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import polars as pl

from index.warehouse import comments
from index.warehouse.files import aside

PACKAGE: Final = "datapackage.json"
PROFILE: Final = "https://datapackage.org/profiles/2.0/datapackage.json"

_TYPES: Final[Mapping[Any, str]] = {
    pl.String: "string", pl.Date: "date", pl.Datetime: "datetime", pl.Boolean: "boolean",
    pl.Int16: "integer", pl.Int32: "integer", pl.Int64: "integer", pl.Decimal: "number",
}  # fmt: skip


def describe(
    files: Mapping[str, Path], holds: Mapping[str, str], tables: Mapping[str, pl.DataFrame]
) -> dict[str, Any]:
    """Return the package of written files.

    Args:
        files: file name to path; each is read once for its digest.
        holds: name of a Parquet file to the table it holds.
        tables: the tables the files were written from; ``log_head`` says from which log.
    """
    head = tables["log_head"].row(0, named=True)
    return {
        "$schema": PROFILE,
        "name": "spotfix",
        "title": "Spot price benchmarks for AI: tokens and GPU-hours",
        "version": f"{head['size']}-{head['root'][:16]}",
        "log": {"origin": head["origin"], "size": head["size"], "root": head["root"]},
        "licenses": [
            {"name": "CC-BY-4.0", "path": "https://creativecommons.org/licenses/by/4.0/"},
        ],
        "sources": _sources(tables),
        "resources": [
            _resource(name, path, holds.get(name), tables) for name, path in sorted(files.items())
        ],
    }


def write(
    files: Mapping[str, Path],
    holds: Mapping[str, str],
    tables: Mapping[str, pl.DataFrame],
    path: Path,
) -> Path:
    """Write the package of :func:`describe` in one step and return its path."""
    text = json.dumps(describe(files, holds, tables), indent=1, sort_keys=True, ensure_ascii=False)
    with aside(path) as temporary:
        temporary.write_text(text + "\n", "utf-8")
    return path


def _sources(tables: Mapping[str, pl.DataFrame]) -> list[dict[str, str]]:
    named = tables["observation"]["source"].unique().sort().to_list()
    return [{"title": name} for name in named]


def _resource(
    name: str, path: Path, table: str | None, tables: Mapping[str, pl.DataFrame]
) -> dict[str, Any]:
    body = path.read_bytes()
    told: dict[str, Any] = {
        "name": name.replace(".", "-"),
        "path": name,
        "bytes": len(body),
        "hash": "sha256:" + hashlib.sha256(body).hexdigest(),
    }
    if table is None:
        return {**told, "format": "duckdb", "mediatype": "application/vnd.duckdb"}
    about, columns = comments.TABLES[table]
    rows = tables[table]
    fields = [
        {"name": column, "type": _TYPES[dtype.base_type()], "description": columns[column]}
        for column, dtype in rows.schema.items()
    ]
    return {
        **told,
        "title": about,
        "type": "table",
        "format": "parquet",
        "mediatype": "application/vnd.apache.parquet",
        "rows": rows.height,
        "schema": {"fields": fields},
    }
