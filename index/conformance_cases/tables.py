"""The rows a vector works on: a CSV under ``data/`` or figures inside the JSON file."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

import polars as pl

from index.conformance_cases.sheet import NotUnderstood, Sheet
from methodology.bilateral import Panel, panel_of

_FILE: Final = re.compile(r"[\w./-]+\.csv")

NAMES: Final[dict[str, tuple[str, ...]]] = {
    "period": ("period", "t", "time", "month", "date", "day", "index_day", "quarter", "week"),
    "product": ("product", "good", "model", "item", "prod", "business", "component", "name", "id"),
    "price": ("price", "p", "unit_price", "price_usd"),
    "quantity": ("quantity", "q", "qty", "volume", "tokens", "units"),
    "weight": ("weight", "w", "weights", "share", "expenditure_share", "expenditure", "value"),
}
"""Standard column to the names by which files call it, the first match counting."""


def file_named(sheet: Sheet, part: Mapping[str, Any] | None = None) -> str | None:
    """Return the path of the CSV that a vector, or one case of it, names; ``None`` if none."""
    for place in (part or {}, sheet.told):
        for name in ("input", "data", "input_file", "data_file", "file", "csv"):
            if isinstance(place.get(name), str):
                found = _FILE.search(place[name])
                if found:
                    if place is sheet.told:
                        sheet.take(name)
                    return found[0]
    return None


def read_rows(sheet: Sheet, name: str) -> list[dict[str, str]]:
    """Return the rows of a CSV beside the vector file, every cell as its text.

    Raises:
        NotUnderstood: the file is not there or has no rows; the message names it.
    """
    file: Path = sheet.folder / name
    if not file.is_file():
        raise NotUnderstood(
            f"{name}: no such file beside {sheet.vector}; copy the folder data, too"
        )
    with file.open(encoding="utf-8-sig", newline="") as stream:
        rows = [
            {k.strip(): (v or "").strip() for k, v in r.items() if k}
            for r in csv.DictReader(stream)
        ]
    if not rows:
        raise NotUnderstood(f"{name}: no rows")
    return rows


def rows_of(sheet: Sheet, part: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """Return a vector's rows: from its CSV, or from a list of objects inside it.

    Raises:
        NotUnderstood: there is neither.
    """
    for place in (part or {}, sheet.told):
        for name in ("rows", "input_rows", "input", "data", "observations", "panel"):
            value = place.get(name)
            if isinstance(value, dict) and isinstance(value.get("rows"), list):
                value = value["rows"]
            if isinstance(value, list) and value and isinstance(value[0], dict):
                if place is sheet.told:
                    sheet.take(name)
                return value
            if (
                isinstance(value, dict)
                and value
                and all(isinstance(v, list) for v in value.values())
            ):
                lengths = {len(v) for v in value.values()}
                is_deep = any(isinstance(one, list) for v in value.values() for one in v)
                if len(lengths) == 1 and not is_deep:
                    if place is sheet.told:
                        sheet.take(name)
                    return [dict(zip(value, one)) for one in zip(*value.values(), strict=True)]
    file = file_named(sheet, part)
    if file is None:
        raise NotUnderstood("no rows inside the file and no CSV named")
    return read_rows(sheet, file)


def column(rows: Sequence[Mapping[str, Any]], standard: str) -> str | None:
    """Return which column of the rows is the standard one; ``None`` if none is."""
    have = {name.lower(): name for name in rows[0]}
    return next((have[name] for name in NAMES[standard] if name in have), None)


def number(value: Any) -> float | None:
    """Return a cell as a float; ``None`` for an empty one or a text that is no number."""
    if value is None or isinstance(value, bool) or value in ("", "NA", "NaN", "null", "None"):
        return None
    try:
        return float(Decimal(str(value)))
    except InvalidOperation:
        return None


def ordered(values: Sequence[Any]) -> list[Any]:
    """Return periods as numbers where all of them are, else as they are, for sorting."""
    numbers = [number(one) for one in values]
    return numbers if all(one is not None for one in numbers) else [str(one) for one in values]


def price_panel(sheet: Sheet, part: Mapping[str, Any] | None = None) -> Panel:
    """Return the panel of prices and quantities that a vector, or one case of it, works on.

    Long rows (period, product, price, quantity) from a CSV or a list; or matrices ``prices`` and
    ``quantities`` of periods by goods, or of good to a list over periods.

    Raises:
        NotUnderstood: none of these is there, or the figures are no panel.
    """
    for place in (part or {}, sheet.told):
        for inner in (place, place.get("input"), place.get("data")):
            if isinstance(inner, Mapping) and ("prices" in inner or "p" in inner):
                if place is sheet.told:
                    sheet.take(
                        "prices", "p", "quantities", "q", "input", "data", "products", "goods"
                    )
                return _matrices(inner)
    rows = rows_of(sheet, part)
    when, good, price = (column(rows, one) for one in ("period", "product", "price"))
    sold = column(rows, "quantity")
    if when is None or good is None or price is None:
        return _wide(rows, when)
    frame = pl.DataFrame(
        {
            "period": ordered([r[when] for r in rows]),
            "product": [str(r[good]) for r in rows],
            "price": [number(r[price]) for r in rows],
            "quantity": [number(r[sold]) if sold else 1.0 for r in rows],
        }
    )
    return _panel(frame.filter(pl.col("price").is_not_null() & pl.col("quantity").is_not_null()))


def _panel(frame: pl.DataFrame) -> Panel:
    try:
        return panel_of(frame)
    except ValueError as error:
        raise NotUnderstood(str(error)) from None


def _wide(rows: Sequence[Mapping[str, Any]], period: str | None) -> Panel:
    if period is None:
        raise NotUnderstood(f"no column for the period among {', '.join(rows[0])}")
    at = ordered([r[period] for r in rows])
    long = [
        (when, name, value)
        for when, row in zip(at, rows, strict=True)
        for name, cell in row.items()
        if name != period and (value := number(cell)) is not None
    ]
    return _panel(pl.DataFrame(long, schema=["period", "product", "price"], orient="row"))


def _matrices(inner: Mapping[str, Any]) -> Panel:
    prices = inner.get("prices", inner.get("p"))
    quantities = inner.get("quantities", inner.get("q"))
    long: list[tuple[int, str, float, float]] = []
    for (t, good), price in _cells(prices).items():
        cell = 1.0 if quantities is None else _cells(quantities).get((t, good))
        if price is not None and cell is not None:
            long.append((t, good, price, cell))
    schema = ["period", "product", "price", "quantity"]
    return _panel(pl.DataFrame(long, schema=schema, orient="row"))


def _cells(matrix: Any) -> dict[tuple[int, str], float | None]:
    if isinstance(matrix, Mapping):
        return {
            (t, str(good)): number(cell)
            for good, cells in matrix.items()
            for t, cell in enumerate(cells)
        }
    if isinstance(matrix, list) and all(isinstance(line, list) for line in matrix):
        return {
            (t, f"{n:06d}"): number(cell)
            for t, line in enumerate(matrix)
            for n, cell in enumerate(line)
        }
    raise NotUnderstood("prices and quantities are lists by period, or lists by good")
