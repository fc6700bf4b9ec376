"""Years of marketplace quotes to values, day by day: Polars reads, the kernel determines.

Quotes lie in Parquet files sorted by index day, each day in one file; months are a good size. A
file is read in spans of whole days, so memory is bounded by :data:`SPAN_ROWS` a thread and not by
the size of a file. Spans are determined by threads of one process; each value depends on the quotes
of its own day only, so their number and order change nothing.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from datetime import date, timedelta
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
import polars as pl

from methodology import kernel
from methodology.definition import Methodology
from methodology.errors import UsageError
from methodology.estimators import Ints

COLUMNS = ("instrument", "provider", "price", "volume")
"""What a file must have beside ``day``; all integers, none missing."""

SPAN_ROWS = 3_000_000
"""A span takes days until it has this many rows; a single day is never divided."""

BATCH_DAYS = 4
"""Panels of this many days are determined in one call: long enough for NumPy, short for cache."""

EPOCH = date(1970, 1, 1)

SCHEMA = {
    "index": pl.Int32,
    "day": pl.Date,
    "quotes": pl.Int64,
    "counted": pl.Int64,
    "members": pl.Int64,
    **{f"p{percent}_nano": pl.Int64 for percent in kernel.PERCENTILES},
    "trimmed_nano": pl.Int64,
    "trimmed_numerator": pl.Int64,
    "trimmed_denominator": pl.Int64,
    "is_trimmed": pl.Boolean,
}
"""Columns of :func:`redetermine`."""


@dataclass(frozen=True)
class Market:
    """What the quotes refer to.

    ``index_of``: index of each instrument, or -1; ``layout``: shape of the keys; ``tick_nano``:
    nano-units in a tick; ``rooted``: volumes are a proxy and enter by their root (rulebook 5.2).
    """

    index_of: Ints
    layout: kernel.Layout
    tick_nano: int
    rooted: bool


@dataclass(frozen=True)
class Span:
    """Whole days of one file: ``days`` since 1970, and the row where each starts and ends."""

    path: Path
    days: tuple[int, ...]
    edges: tuple[int, ...]


def redetermine(
    paths: Sequence[Path], market: Market, rules: Methodology, *, threads: int = 2
) -> pl.DataFrame:
    """Return one row per index and day of the files, sorted by index and day.

    Columns as in :data:`SCHEMA`: ``quotes`` all quotes of the index that day and ``counted`` those
    that passed the screen; ``members`` providers with a price; percentiles (``p50_nano`` is the
    median) and the trimmed mean in nano-units, rounded half up once; the exact trimmed mean in
    ticks as a ratio; ``is_trimmed`` says that the panel is large enough for the trimmed mean to be
    its value (rulebook 7.1). A day without a quote of an index has a row with nulls for figures.

    Args:
        paths: Parquet files with ``day`` and :data:`COLUMNS`, sorted by ``day``, prices in ticks.
        market: what they refer to.
        rules: the parameters.
        threads: how many spans are in work at a time; memory grows with it.

    Raises:
        UsageError: a file lacks a column, has a missing figure, is not sorted by day, or shares
            a day with another file.
        OverflowError: a figure is outside the market's layout.
    """
    with ThreadPoolExecutor(max_workers=threads) as pool:
        spans = list(chain.from_iterable(pool.map(spans_of, paths)))
        refuse_divided_days(spans)
        parts = list(pool.map(lambda span: _determine(span, market, rules), spans))
    if not parts:
        return pl.DataFrame(schema=SCHEMA)
    return pl.concat(parts).sort("index", "day")


def spans_of(path: Path) -> list[Span]:
    """Return the spans of one file.

    Raises:
        UsageError: as :func:`redetermine` says.
    """
    schema = pl.read_parquet_schema(path)
    missing = [name for name in ("day", *COLUMNS) if name not in schema]
    if missing:
        raise UsageError(f"{path.name}: no column {missing[0]!r}; it has {', '.join(schema)}")
    if schema["day"] != pl.Date:
        raise UsageError(f"{path.name}: day is {schema['day']}, not a date")
    column = pl.read_parquet(path, columns=["day"])["day"]
    if column.null_count():
        raise UsageError(f"{path.name}: day: {column.null_count()} rows have none")
    day = column.to_physical().to_numpy()
    if not day.size:
        return []
    changes = np.flatnonzero(day[1:] != day[:-1]) + 1
    starts = np.concatenate([[0], changes])
    if (np.diff(day[starts].astype(np.int64)) < 0).any():
        raise UsageError(f"{path.name}: rows are not sorted by day; sort them and write it again")
    days, edges = day[starts].tolist(), [*starts.tolist(), len(day)]
    spans, first = [], 0
    for last in range(1, len(days) + 1):
        if last == len(days) or edges[last + 1] - edges[first] > SPAN_ROWS:
            spans.append(Span(path, tuple(days[first:last]), tuple(edges[first : last + 1])))
            first = last
    return spans


def refuse_divided_days(spans: Sequence[Span]) -> None:
    """Refuse a day that stands in two files: it would be determined twice, each time from a part.

    Raises:
        UsageError: names the day and both files.
    """
    seen: dict[int, Path] = {}
    for span in spans:
        for day in span.days:
            if day in seen:
                when = EPOCH + timedelta(days=day)
                raise UsageError(f"{when} is in {seen[day].name} and in {span.path.name}")
            seen[day] = span.path


def _determine(span: Span, market: Market, rules: Methodology) -> pl.DataFrame:
    """Return the rows of one span, in order of day and index."""
    start, stop = span.edges[0], span.edges[-1]
    rows = pl.scan_parquet(span.path).select(COLUMNS).slice(start, stop - start).collect()
    for name in COLUMNS:
        if rows[name].null_count():
            raise UsageError(f"{span.path.name}: {name}: a figure is missing")
    columns = [rows[name].to_numpy() for name in COLUMNS]
    del rows
    panels = []
    parts = []
    edges = [edge - start for edge in span.edges]
    for first, last in pairwise(edges):
        day = [column[first:last] for column in columns]
        panels.append(
            kernel.panels_of_day(
                day[0], day[1], day[2], day[3], market.index_of, market.layout, rules
            )
        )
        if len(panels) == BATCH_DAYS or last == edges[-1]:
            parts.append(_frame(panels, market, rules))
            panels = []
    days = pl.Series("day", np.repeat(np.array(span.days, np.int32), market.layout.indices))
    return pl.concat(parts).with_columns(days.cast(pl.Date)).select(*SCHEMA).cast(SCHEMA)


def _frame(
    panels: Sequence[kernel.Panels], market: Market, rules: Methodology
) -> pl.DataFrame:
    """Return the figures of some days as a frame without the day."""
    whole = kernel.Panels(
        **{
            part.name: np.concatenate([getattr(panel, part.name) for panel in panels])
            for part in fields(kernel.Panels)
        }
    )
    found = kernel.determine_panels(
        whole.twice_price, whole.volume, market.tick_nano, market.rooted, rules
    )
    frame = pl.DataFrame(
        {
            "index": np.tile(np.arange(market.layout.indices, dtype=np.int32), len(panels)),
            "quotes": whole.quotes,
            "counted": whole.counted,
            "members": found.members,
            **{
                f"p{percent}_nano": found.percentile_nano[:, place]
                for place, percent in enumerate(kernel.PERCENTILES)
            },
            "trimmed_nano": found.trimmed_nano,
            "trimmed_numerator": found.trimmed_numerator,
            "trimmed_denominator": found.trimmed_denominator,
            "is_trimmed": found.is_trimmed,
        }
    )
    figures = [name for name in frame.columns if name.startswith(("p", "trimmed"))]
    return frame.with_columns(
        pl.when(pl.col("members") > 0).then(pl.col(name)).alias(name) for name in figures
    )


def keep_freed_memory() -> bool:
    """Ask the C library to reuse freed arrays instead of returning each one to the system.

    NumPy's arrays of a day are just large enough that glibc maps and unmaps each of them, and the
    system clears every page again. Call it once, in a process whose work is this module's. It
    changes no result. Returns whether the library took the settings; another than glibc does not.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    trim_threshold, mmap_threshold = -1, -3
    taken = [mallopt(mmap_threshold, 32 << 20), mallopt(trim_threshold, 256 << 20)]
    return all(taken)
