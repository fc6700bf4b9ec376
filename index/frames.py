"""Frames to canonical JSON lines and back, byte for byte.

One row is one RFC 8785 object: keys in order, integers as numbers, everything else as text or
null. Times are written as RFC 3339 UTC with microseconds, so nothing is lost.
"""

from __future__ import annotations

import io
from typing import Any

import pandera.polars as pa
import polars as pl

from methodology import schemas

_TIME = "%Y-%m-%dT%H:%M:%S%.6fZ"


def to_lines(rows: pl.DataFrame) -> bytes:
    """Return rows as canonical JSON lines in their order, keys sorted, ``\\n`` after each row.

    Supports text, booleans, integers below 2**53, dates and naive UTC times.

    Raises:
        TypeError: a column of any other type, floats above all.
    """
    columns = []
    for name in sorted(rows.columns):
        dtype = rows.schema[name]
        if dtype.is_float() or dtype.is_decimal() or dtype.is_nested():
            raise TypeError(f"column {name} of type {dtype} has no canonical JSON form here")
        if dtype == pl.Datetime:
            columns.append(pl.col(name).dt.strftime(_TIME))
        elif dtype == pl.Date:
            columns.append(pl.col(name).dt.strftime("%Y-%m-%d"))
        else:
            columns.append(pl.col(name))
    if rows.is_empty():
        return b""
    buffer = io.BytesIO()
    rows.select(columns).write_ndjson(buffer)
    return buffer.getvalue()


def from_lines(body: bytes, schema: dict[str, pl.DataType]) -> pl.DataFrame:
    """Return canonical JSON lines as a frame of ``schema``, rows in their order."""
    if not body:
        return pl.DataFrame(schema=schema)
    text: dict[str, Any] = {n: _read_as(t) for n, t in schema.items()}
    rows = pl.read_ndjson(io.BytesIO(body), schema=text)
    restored = []
    for name, dtype in schema.items():
        if dtype == pl.Datetime:
            restored.append(pl.col(name).str.to_datetime(_TIME, time_unit="us", time_zone=None))
        elif dtype == pl.Date:
            restored.append(pl.col(name).str.to_date("%Y-%m-%d"))
        else:
            restored.append(pl.col(name).cast(dtype))
    return rows.select(restored)


def _read_as(dtype: pl.DataType) -> Any:
    """Return the type the JSON reader is asked for: it knows no narrow integers and no times."""
    if dtype in (pl.Date, pl.Datetime):
        return pl.String
    return pl.Int64 if dtype.is_integer() else dtype


def read_model(model: type[pa.DataFrameModel], body: bytes, where: str) -> pl.DataFrame:
    """Return canonical JSON lines as a validated frame of a model of ``schemas``."""
    return schemas.validate(model, from_lines(body, schemas.schema_of(model)), where)
