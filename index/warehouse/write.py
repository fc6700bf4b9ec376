"""Write the analysts' file and the Parquet files from typed tables."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path
from typing import Final

import duckdb
import polars as pl
from polars.exceptions import PolarsError

from index.warehouse import comments, package
from index.warehouse.files import aside

ANALYSTS_FILE: Final = "spot.duckdb"
STORAGE_VERSION: Final = "v1.0.0"
"""Any DuckDB since 1.0 opens a file of this version; 2.0's own default needs 1.4 or later."""

PARQUET: Final = {
    "fixings.parquet": "fixing",
    "backcast.parquet": "backcast",
    "contributions.parquet": "contribution",
    "observations.parquet": "observation",
}
"""Parquet file to the table it holds."""

_OFFLINE: Final[dict[str, str | bool | int | float | list[str]]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}


def write_all(
    tables: Mapping[str, pl.DataFrame], directory: Path, tell: Callable[[str], None]
) -> dict[str, Path]:
    """Write every projection file below ``directory``; return name to path.

    Each file is replaced in one step; a kill between two leaves both whole, one older. The log
    size in ``log_head`` and in the Parquet metadata (``log_size``, ``log_root``) tells which.
    """
    written = {}
    head = tables["log_head"].row(0, named=True)
    metadata = {"log_origin": head["origin"], "log_size": str(head["size"])}
    metadata["log_root"] = head["root"]
    for name, table in PARQUET.items():
        tell(name)
        written[name] = write_parquet(tables[table], directory / name, metadata)
    tell(ANALYSTS_FILE)
    written[ANALYSTS_FILE] = write_duckdb(tables, directory / ANALYSTS_FILE)
    tell(package.PACKAGE)
    written[package.PACKAGE] = package.write(written, PARQUET, tables, directory / package.PACKAGE)
    return written


def is_made_from(directory: Path, size: int, root: str) -> bool:
    """Return whether every file below ``directory`` is there, readable and of that log head."""
    try:
        for name in PARQUET:
            told = pl.read_parquet_metadata(directory / name)
            if (told.get("log_size"), told.get("log_root")) != (str(size), root):
                return False
        with duckdb.connect(directory / ANALYSTS_FILE, read_only=True) as connection:
            head = connection.execute("SELECT size, root FROM log_head").fetchall()
        told = json.loads((directory / package.PACKAGE).read_bytes())["log"]
    except (OSError, ValueError, KeyError, TypeError, duckdb.Error, PolarsError):
        return False
    return head == [(size, root)] and (told["size"], told["root"]) == (size, root)


def write_parquet(rows: pl.DataFrame, path: Path, metadata: Mapping[str, str]) -> Path:
    """Write one Parquet file (zstd) in one step and return its path."""
    with aside(path) as temporary:
        rows.write_parquet(temporary, compression="zstd", metadata=dict(metadata))
    return path


def write_duckdb(tables: Mapping[str, pl.DataFrame], path: Path) -> Path:
    """Write the analysts' file in one step and return its path.

    Args:
        tables: every table of ``schema.sql`` by name, with exactly its columns.
        path: where the file goes; a file there is replaced, a reader of it keeps the old one.

    Raises:
        ValueError: a table or a column is missing, or is not part of the schema.
    """
    with aside(path) as temporary:
        with duckdb.connect(":memory:", config=_OFFLINE) as connection:
            where = str(temporary).replace("'", "''")
            connection.execute(f"ATTACH '{where}' AS spot (STORAGE_VERSION '{STORAGE_VERSION}')")
            connection.execute("USE spot")
            connection.execute(schema_sql())
            _fill(connection, tables)
            for statement in comments.statements():
                connection.execute(statement)
            connection.execute("CHECKPOINT spot")
            connection.execute("USE memory")
            connection.execute("DETACH spot")
        if temporary.with_name(temporary.name + ".wal").exists():
            raise OSError(f"{temporary}: DuckDB left a write-ahead log behind; nothing replaced")
    return path


def schema_sql() -> str:
    """Return the statements that create every table and view."""
    return resources.files("index.warehouse").joinpath("schema.sql").read_text("utf-8")


def _fill(connection: duckdb.DuckDBPyConnection, tables: Mapping[str, pl.DataFrame]) -> None:
    expected: dict[str, list[str]] = {}
    for table, column in connection.execute(
        "SELECT c.table_name, c.column_name FROM duckdb_columns() AS c "
        "JOIN duckdb_tables() AS t USING (database_name, schema_name, table_name) "
        "WHERE c.database_name = 'spot' ORDER BY c.table_name, c.column_index"
    ).fetchall():
        expected.setdefault(table, []).append(column)
    if set(expected) != set(tables):
        raise ValueError(f"tables differ from schema.sql: {sorted(set(expected) ^ set(tables))}")
    for name, columns in expected.items():
        rows = tables[name]
        if set(rows.columns) != set(columns):
            odd = sorted(set(rows.columns) ^ set(columns))
            raise ValueError(f"{name}: columns differ from schema.sql: {odd}")
        connection.register("incoming", rows.select(columns).to_arrow())
        connection.execute(f"INSERT INTO {name} SELECT * FROM incoming")
        connection.unregister("incoming")
