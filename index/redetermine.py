"""Years of marketplace quotes to values, day by day: Polars reads, the kernel determines.

Quotes lie in Parquet files sorted by index day, each day in one file; months are a good size. A
file is read in spans of whole days, so memory is bounded by :data:`SPAN_ROWS` a thread and not by
the size of a file. Files are determined by threads of one process; each value depends on the quotes
of its own day only, so the number and order of threads change nothing.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
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
"""A file is read in frames of at most this many rows, unless a single day has more."""

BLOCK_ROWS = 1 << 17
"""Days go to the kernel together until they have this many rows: enough work, still in cache."""

BATCH_DAYS = 8
"""Panels of at least this many days are determined in one call, for the same reason."""

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
class Part:
    """What one file gives: its days since 1970, and figures of each day and index by column."""

    path: Path
    days: Ints
    figures: Mapping[str, Ints]


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
        threads: how many files are in work at a time; memory grows with it.

    Raises:
        UsageError: a file lacks a column, has a missing figure, is not sorted by day, or shares
            a day with another file.
        OverflowError: a figure is outside the market's layout.
    """
    with ThreadPoolExecutor(max_workers=threads) as pool:
        parts = list(pool.map(lambda path: _determine(path, market, rules), paths))
    _refuse_divided_days(parts)
    parts = [part for part in parts if part.days.size]
    if not parts:
        return pl.DataFrame(schema=SCHEMA)
    days = np.concatenate([part.days for part in parts])
    in_order, indices = np.argsort(days), market.layout.indices
    columns = {
        name: np.concatenate([part.figures[name] for part in parts])
        .reshape(-1, indices)[in_order]
        .T.reshape(-1)
        for name in parts[0].figures
    }
    columns["index"] = np.repeat(np.arange(indices), len(days))
    columns["day"] = np.tile(days[in_order].astype("datetime64[D]"), indices)
    frame = pl.DataFrame({name: columns[name] for name in SCHEMA}, schema_overrides=SCHEMA)
    if columns["members"].all():
        return frame
    figures = [name for name in frame.columns if name.startswith(("p", "trimmed"))]
    return frame.with_columns(pl.when(pl.col("members") > 0).then(pl.col(*figures)))


def _refuse_divided_days(parts: Sequence[Part]) -> None:
    """Refuse a day that stands in two files: it was determined twice, each time from a part."""
    seen: dict[int, Path] = {}
    for part in parts:
        for day in part.days.tolist():
            if day in seen:
                when = EPOCH + timedelta(days=day)
                raise UsageError(
                    f"day: {when} is in {seen[day].name} and in {part.path.name};"
                    " put each day into one file"
                )
            seen[day] = part.path


def spans(path: Path) -> Iterator[pl.DataFrame]:
    """Yield the rows of a file in frames of whole days, each as small as :data:`SPAN_ROWS` allows.

    Raises:
        UsageError: as :func:`redetermine` says.
    """
    start, size = 0, SPAN_ROWS
    while True:
        try:
            lazy = pl.scan_parquet(path).select("day", *COLUMNS).slice(start, size + 1)
            rows = lazy.collect(engine="in-memory")  # starts sooner than the streaming engine
        except pl.exceptions.ColumnNotFoundError as error:
            has = ", ".join(pl.read_parquet_schema(path))
            raise UsageError(f"{path.name}: a column is missing; it has {has}") from error
        _refuse_odd_columns(rows, path)
        if len(rows) <= size:
            yield rows
            return
        day = rows["day"].to_physical()
        whole = int((day < day[-1]).sum())  # the last day may go on behind this frame
        if whole == 0:
            size *= 2
            continue
        yield rows.head(whole)
        start, size = start + whole, SPAN_ROWS


def _refuse_odd_columns(rows: pl.DataFrame, path: Path) -> None:
    for name, column in zip(rows.columns, rows, strict=True):
        is_right = column.dtype == pl.Date if name == "day" else column.dtype.is_integer()
        if not is_right:
            wanted = "a date" if name == "day" else "an integer"
            raise UsageError(f"{path.name}: {name} is {column.dtype}, not {wanted}; convert it")
        if column.null_count():
            raise UsageError(f"{path.name}: {name}: {column.null_count()} rows have none")


def _determine(path: Path, market: Market, rules: Methodology) -> Part:
    """Return the figures of one file, in order of day and index."""
    days: list[Ints] = []
    figures: list[dict[str, Ints]] = []
    last_day = None
    for rows in spans(path):
        day = rows["day"].to_physical().to_numpy()
        starts = np.flatnonzero(np.diff(day, prepend=day[:1] - 1))
        here = day[starts].astype(np.int64)
        before = here[:1] - 1 if last_day is None else np.array([last_day])
        if (np.diff(here, prepend=before) <= 0).any():
            raise UsageError(f"{path.name}: day: rows are not sorted; sort them and write it again")
        last_day = here[-1] if here.size else last_day
        days.append(here)
        figures += _determine_span(rows, np.append(starts, len(day)), market, rules)
    named = {name: np.concatenate([one[name] for one in figures]) for name in (figures or [{}])[0]}
    return Part(path, np.concatenate(days), named)


def _determine_span(
    rows: pl.DataFrame, edges: Ints, market: Market, rules: Methodology
) -> Iterator[dict[str, Ints]]:
    """Yield the figures of some days at a time; ``edges`` are the rows where days start and end."""
    columns = [rows[name].to_numpy() for name in COLUMNS]
    panels: list[kernel.Panels] = []
    waiting = 0
    for first, last in blocks(edges):
        block = slice(edges[first], edges[last])
        instrument, provider, price, volume = (column[block] for column in columns)
        panels.append(
            kernel.panels_of_days(
                instrument,
                provider,
                price,
                volume,
                edges[first : last + 1] - edges[first],
                market.index_of,
                market.layout,
                rules,
            )
        )
        waiting += last - first
        if waiting >= BATCH_DAYS or last + 1 == len(edges):
            yield _figures(panels, market, rules)
            panels, waiting = [], 0


def blocks(edges: Ints) -> Iterator[tuple[int, int]]:
    """Yield first and last edge of each block of days: as many as fit, at least one."""
    first = 0
    for last in range(1, len(edges)):
        if last + 1 == len(edges) or edges[last + 1] - edges[first] > BLOCK_ROWS:
            yield first, last
            first = last


def _figures(
    panels: Sequence[kernel.Panels], market: Market, rules: Methodology
) -> dict[str, Ints]:
    """Return the figures of some panels by column."""
    price, volume, quotes, counted = (
        np.concatenate([getattr(panel, name) for panel in panels])
        for name in ("twice_price", "volume", "quotes", "counted")
    )
    found = kernel.determine_panels(price, volume, market.tick_nano, market.rooted, rules)
    percentiles = zip(kernel.PERCENTILES, found.percentile_nano.T, strict=True)
    return {
        "quotes": quotes,
        "counted": counted,
        "members": found.members,
        **{f"p{percent}_nano": figures for percent, figures in percentiles},
        "trimmed_nano": found.trimmed_nano,
        "trimmed_numerator": found.trimmed_numerator,
        "trimmed_denominator": found.trimmed_denominator,
        "is_trimmed": found.is_trimmed,
    }


def prepare_process() -> bool:
    """Set this process up for many arrays of a day; call it once, before the work.

    Two settings that belong to a process and not to a library, so nothing here makes them unasked.
    They change no result.

    - NumPy's arrays of a day are just large enough that glibc maps and unmaps each of them, and the
      system clears every page again: freed memory is kept for the next array instead.
    - A thread that waits for the interpreter asks for it after 0.1 ms instead of 5 ms, which is
      longer than the steps of the kernel take.

    Returns:
        Whether the C library took the first setting; another than glibc does not know it.
    """
    sys.setswitchinterval(0.0001)
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    trim_threshold, mmap_threshold = -1, -3
    taken = [mallopt(mmap_threshold, 32 << 20), mallopt(trim_threshold, 256 << 20)]
    return all(taken)
