"""One value per index and day, straight from the ledger: published fixings, else the back-cast."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import IO, Any, Final, Literal

import polars as pl

from index.config import Settings
from index.ledger.batches import Batches
from index.ledger.log import Log
from index.projections import read_backcast, read_records
from index.warehouse.decimals import MONEY, exact
from index.warehouse.tables import current_fixings
from methodology.errors import CoverageError, UsageError

COLUMNS: Final[dict[str, Any]] = {
    "index_id": pl.String, "ref_date": pl.Date, "value": pl.String, "level": pl.String,
    "waterfall": pl.String, "flag": pl.String, "groups": pl.Int64, "vintage": pl.String,
}  # fmt: skip
"""Value and level are decimal text, as published; ``flag`` is ``_BT`` or null when published."""

Format = Literal["csv", "json", "parquet"]
FORMATS: Final = ("csv", "json", "parquet")


def history(
    settings: Settings, index_id: str, first: date | None = None, last: date | None = None
) -> pl.DataFrame:
    """Return the history of one index, by day.

    The highest published revision of a day stands before the back-cast's figure for it. A day
    without a fix is a row of waterfall ``NO_FIX`` with a null value, never a missing row; days
    before the index or after its sources have no row.

    Args:
        settings: where the ledger is; projections are not read.
        index_id: the index.
        first: first day wanted, inclusive; ``None``: from the beginning.
        last: last day wanted, inclusive; ``None``: to the end.

    Returns:
        :data:`COLUMNS`, sorted by day. ``value`` is decimal text in the index's currency and unit,
        ``level`` decimal text in points, ``groups`` how many groups (TKX: models) had a price.

    Raises:
        UsageError: ``first`` is after ``last``.
        CoverageError: there is no log, or the ledger holds nothing of this index in that time.
    """
    if first and last and first > last:
        raise UsageError(f"history: first day {first} is after last day {last}; swap them")
    log = Log.open(settings.ledger, read_only=True)
    records = read_records(log)
    computed = read_backcast(Batches(settings.ledger), records)
    published = pl.DataFrame(
        [_row(r) for r in current_fixings(records) if r["index_id"] == index_id],
        schema=COLUMNS | {"ref_date": pl.String},
        orient="row",
    ).with_columns(pl.col("ref_date").str.to_date("%Y-%m-%d"))
    rows = computed.filter(pl.col("index_id") == index_id).select(list(COLUMNS))
    if rows.is_empty() and published.is_empty():
        known = {
            *computed["index_id"].unique(),
            *(r["index_id"] for r, _ in records if "value" in r),
        }
        raise CoverageError(
            f"history: nothing of index {index_id!r} in {settings.ledger}; it holds {len(known)} "
            f"indices, such as {', '.join(sorted(known)[:3]) or 'none'}"
        )
    rows = pl.concat([published, rows.join(published, on="ref_date", how="anti")]).sort("ref_date")
    begin, end = rows["ref_date"][0], rows["ref_date"][-1]
    rows = rows.filter(pl.col("ref_date").is_between(first or begin, last or end))
    if rows.is_empty():
        raise CoverageError(
            f"history: {index_id} runs from {begin} to {end}; "
            f"no day between {first or begin} and {last or end}"
        )
    return rows


def _row(record: Mapping[str, Any]) -> tuple[Any, ...]:
    kind = record["index_id"][:4]
    groups = record["n_used"] if kind == "TKX-" else record["n_providers"]
    return (
        record["index_id"],
        record["ref_date"],
        record["value"],
        record["level"],
        record["waterfall"],
        None,
        None if kind == "TEX-" else groups,
        record["basket_version"],
    )


def write(frame: pl.DataFrame, format: Format, out: IO[bytes]) -> None:
    """Write a history to a binary stream.

    CSV: UTF-8, LF, header, null as an empty field. JSON: one array of objects, money as text, a
    row a line. Parquet: zstd, value and level ``DECIMAL(28,9)``.

    Args:
        frame: as :func:`history` returns it.
        format: ``csv``, ``json`` or ``parquet``.
        out: where the bytes go.

    Raises:
        UsageError: ``format`` is another word.
    """
    if format == "csv":
        out.write(frame.write_csv(line_terminator="\n").encode())
    elif format == "json":
        days = frame.with_columns(pl.col("ref_date").dt.strftime("%Y-%m-%d"))
        lines = days.write_ndjson().rstrip("\n").replace("\n", ",\n")
        out.write(f"[\n{lines}\n]\n".encode() if lines else b"[]\n")
    elif format == "parquet":
        money = [exact("history", frame[name], MONEY) for name in ("value", "level")]
        frame.with_columns(money).write_parquet(out, compression="zstd")
    else:
        raise UsageError(f"history: format {format!r} is none of {', '.join(FORMATS)}")
