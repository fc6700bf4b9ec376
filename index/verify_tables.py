"""The analysts' tables compared with the log: every row of every table that can be made again.

What the tables must hold is built from the records and the bodies they cite, in the way they are
written; then each file is read and compared, cell by cell.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Final

import duckdb
import polars as pl
from polars.exceptions import PolarsError

from index import projections
from index.frames import from_lines, read_model
from index.ledger.canonical import digest
from index.ledger.tiles import Head
from index.shelves import Folder, Shelf, Within
from index.verifying import Findings, Seen
from index.warehouse import tables, write
from methodology import schemas
from methodology.errors import VerificationError

ALONE: Final[dict[str, str | bool | int | float | list[str]]] = {
    "enable_external_access": False,
    "lock_configuration": True,
}
"""How a file of somebody else is opened."""

Bodies = Callable[[str, str], bytes | None]
"""``bodies(kind, digest)``: a stored body whose digest was checked, ``None`` if out of reach."""

FRAMES = {
    "observations": (schemas.Observation, "observation"),
    "rejections": (schemas.Rejection, "rejection"),
    "volumes": (schemas.Volume, "volume"),
    "rates": (schemas.Rate, "fx_rate"),
}
"""Batches of a manifest, their model, and the table that each one becomes."""


def bodies_from(*shelves: Shelf | None) -> Bodies:
    """Return a reader of stored bodies (``<kind>/<sha256>.jsonl``), the first shelf first."""

    def read(kind: str, sha256: str) -> bytes | None:
        for shelf in shelves:
            held = shelf.read(f"{kind}/{sha256.removeprefix('sha256:')}.jsonl") if shelf else None
            if held is not None and digest(held).endswith(sha256.removeprefix("sha256:")):
                return held
        return None

    return read


def expected(seen: Seen, bodies: Bodies) -> tuple[dict[str, pl.DataFrame], set[str]]:
    """Return every table as the log makes it, and the names of those it cannot make here.

    Raises:
        VerificationError: a record or body has a field these tables do not know.
    """
    records = [(record, digest(body)) for record, body in zip(seen.records, seen.bodies)]
    skipped: set[str] = set()

    def held(kind: str, sha256: str, *names: str) -> bytes:
        body = bodies(kind, sha256)
        if body is None:
            skipped.update(names)
        return body or b""

    cited = {}
    for fixing in tables.current_fixings(records):
        for kind, sha256, name in (
            ("contributions", fixing["contributions"]["sha256"], "contribution"),
            ("basket", fixing["basket_digest"], "basket"),
        ):
            if sha256 not in cited:
                cited[sha256] = held(kind, sha256, name) or (b"{}" if kind == "basket" else b"")
    frames = {name: schemas.empty(model) for name, (model, _) in FRAMES.items()}
    newest = projections.newest_artefact(records, "manifest")
    content = held("manifest", newest) if newest else b""
    if newest and not content:
        skipped.update(table for _, table in FRAMES.values())
    elif newest:
        for name, (model, table) in FRAMES.items():
            body = bodies(name, json.loads(content)["batches"][name]["sha256"])
            if body is None:
                skipped.add(table)
            else:
                frames[name] = read_model(model, body, f"batch {name}")
    backcast = projections.newest_artefact(records, "backcast")
    lines = held("backcast", backcast, "backcast") if backcast else b""
    contents = tables.Contents(
        origin=seen.origin,
        size=seen.head.size,
        root=seen.head.root.hex(),
        records=records,
        backcast=from_lines(lines, tables.BACKCAST),
        bodies=cited,
        resistance=[
            held("resistance", one, "resistance", "resistance_index")
            for one in projections.artefacts(records, "resistance")
        ],
        triple=[held("triple", one, "triple") for one in projections.artefacts(records, "triple")],
        **frames,
    )
    return tables.build(contents), skipped


def check_tables(path: Path, site: Shelf | None, seen: Seen, found: Findings) -> None:
    """Check a DuckDB file, a Parquet file, or a folder of them, against the log.

    Args:
        path: the file or folder.
        site: the published site; a ledger beside the folder is read first.
        seen: the log.
        found: takes what differs.
    """
    folder = path if path.is_dir() else path.parent
    ledger = folder.parent / "ledger" / "batches"
    shelves = Folder(ledger) if ledger.is_dir() else None, Within(site, "batches") if site else None
    made, skipped = expected(seen, bodies_from(*shelves))
    files = [path] if path.is_file() else sorted(p for p in path.iterdir() if _is_table(p))
    for file in files:
        check_file(file, made, skipped, seen, found)
    if skipped:
        names = ", ".join(sorted(skipped))
        found.warnings.append(f"not compared, what they are made from is not at hand: {names}")


def _is_table(path: Path) -> bool:
    return path.suffix == ".duckdb" or path.name in write.PARQUET


def check_file(
    file: Path, made: dict[str, pl.DataFrame], skipped: set[str], seen: Seen, found: Findings
) -> None:
    """Check one file of tables against the tables as they must be."""
    where = file.as_posix()
    try:
        there = _parquet(file, seen) if file.suffix == ".parquet" else _duckdb(file)
    except (OSError, duckdb.Error, PolarsError, VerificationError) as error:
        found.add(where, f"cannot be read: {str(error)[:300]}")
        return
    wanted = [write.PARQUET[file.name]] if file.suffix == ".parquet" else list(made)
    for name in sorted(set(there) ^ set(wanted)):
        found.add(where, f"table {name} is {'missing' if name in wanted else 'not one of ours'}")
    for name in wanted:
        if name in there and name not in skipped:
            _compare(where, name, there[name], made[name], found)
            found.counts["tables"] += 1
            found.counts["rows"] += made[name].height


def _parquet(file: Path, seen: Seen) -> dict[str, pl.DataFrame]:
    if file.name not in write.PARQUET:
        raise VerificationError(f"not one of {', '.join(write.PARQUET)}")
    told = pl.read_parquet_metadata(file)
    try:
        head = Head(int(told.get("log_size", "-1")), bytes.fromhex(told.get("log_root", "")))
    except ValueError as error:
        raise VerificationError(f"log_size or log_root in its metadata: {error}") from error
    if head != seen.head:
        raise VerificationError(
            f"made from a log of size {head.size}, root {head.root.hex()}; this one has "
            f"{seen.head.size}, root {seen.head.root.hex()}"
        )
    return {write.PARQUET[file.name]: pl.read_parquet(file)}


def _duckdb(file: Path) -> dict[str, pl.DataFrame]:
    # Somebody else made the file: it reads and writes nothing else here, and a table whose name
    # ends the quotes is a name, not a statement.
    with duckdb.connect(file, read_only=True, config=ALONE) as connection:
        found = connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
        names = {str(name): str(name).replace('"', '""') for (name,) in found}
        return {
            name: connection.sql(f'SELECT * FROM "{spelled}"').pl()
            for name, spelled in names.items()
        }


def _compare(
    where: str, table: str, there: pl.DataFrame, made: pl.DataFrame, found: Findings
) -> None:
    """Name the first cell in which a table differs from what the log makes."""
    if set(there.columns) != set(made.columns):
        odd = sorted(set(there.columns) ^ set(made.columns))
        found.add(where, f"table {table}: columns {odd} are missing or not ours")
        return
    there = there.select(made.columns).cast(made.schema)
    if there.height != made.height:
        found.add(where, f"table {table}: {there.height} rows; the log makes {made.height}")
    for column in made.columns:
        height = min(there.height, made.height)
        left, right = there[column].head(height), made[column].head(height)
        odd_rows = left.ne_missing(right).arg_true()
        if len(odd_rows):
            row = int(odd_rows[0])
            keys = [c for c in ("seq", "index_id", "ref_date", "place") if c in made.columns]
            place = ", ".join(f"{c} {made[c][row]}" for c in keys) or f"row {row + 1}"
            found.add(
                where,
                f"table {table}, {place}: {column} is {left[row]!r}; the log makes {right[row]!r}",
            )
            return
