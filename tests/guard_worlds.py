"""Source-days to put faults into, and real series to run the guards over.

A *world* is one source on one day: what a state would remember of it and what its next body says.
Worlds come from the bundled tables, and from the daily bodies of the payloads where they are.
"""

from __future__ import annotations

import gzip
import importlib
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from functools import cache
from pathlib import Path

import polars as pl

from collectors import panel
from collectors.base import Capture
from index import intake
from methodology import register
from methodology.eligibility import Registers
from methodology.guards.crowd import PEERS, peers
from methodology.guards.figures import KEY, figures, standing
from methodology.guards.inspection import Inspection, inspect
from methodology.guards.state import OFFERS, GuardState, Round
from methodology.guards.thresholds import Thresholds
from tests.bundled_history import BUNDLE

ROOT = Path(__file__).resolve().parents[1]
PAYLOADS = Path(os.environ.get("SPOTFIX_PAYLOADS", ROOT.parent / "shared" / "payloads"))

RATES = {
    "EUR": Fraction(10000, 11561),
    "CNY": Fraction(71, 10),
    "GBP": Fraction(3, 4),
    "INR": Fraction(88),
    "JPY": Fraction(152),
}
LIMITS = Thresholds(rates=RATES)
"""The guards' figures with currency rates of October 2026."""

SERIES: dict[str, tuple[str, str, str | None]] = {
    "gpurentalprices": ("gpu/gpurentalprices", "snapshot", None),
    "genai_prices": ("tokens/genai_prices", "schedule", None),
    "litellm": ("tokens/litellm", "snapshot", None),
    "openrouter_models": ("tokens/openrouter_models", "snapshot", None),
    "openrouter_endpoints": ("tokens/openrouter_endpoints_csv", "snapshot", "parse_panel_csv"),
    "llmabacus": ("tokens/llmabacus_cn", "snapshot", None),
    "lobehub_cny": ("tokens/lobehub_cny", "snapshot", None),
    "catwalk": ("tokens/catwalk", "snapshot", None),
    "primeintellect": ("gpu/primeintellect_tugot17", "snapshot", "parse_history"),
}
"""Dated series of the payloads: folder, mode, parser (None: the source's own)."""


@cache
def registers() -> Registers:
    """The packaged registers; licences do not matter here."""
    none = pl.DataFrame(schema={"source": pl.String, "licence_id": pl.String})
    return Registers(register.provider_map(), register.listing_map(), none)


@dataclass(frozen=True)
class Body:
    """One real body of a source: its day, its quotes, and how many rows it held."""

    source: str
    day: datetime
    quotes: pl.DataFrame
    seen: int
    mode: str


@cache
def bodies(source: str) -> tuple[Body, ...]:
    """Return the daily bodies of a source in the payloads, oldest first (none: empty)."""
    folder, mode, name = SERIES[source]
    module = importlib.import_module(panel.SOURCES[source].module)
    parse = panel.load(source).parse if name is None else getattr(module, name)
    found = []
    for file in sorted((PAYLOADS / folder).glob("*.gz")):
        day = re.search(r"\d{4}-\d{2}-\d{2}", file.name)
        if day is None:
            continue
        at = datetime.fromisoformat(day[0]) + timedelta(hours=23, minutes=59)
        capture = Capture(source, "x", gzip.decompress(file.read_bytes()), at.replace(tzinfo=UTC))
        parsed = parse(capture)
        found.append(Body(source, at, parsed.quotes, parsed.seen, mode))
    return tuple(found)


def replay(
    series: Iterable[Body], limits: Thresholds = LIMITS
) -> Iterator[tuple[Body, GuardState, Inspection]]:
    """Yield each body in order of time with the state before it and what the guards made of it.

    Every source sees the states of the others, as in a run.
    """
    states: dict[str, GuardState] = {}
    for body in sorted(series, key=lambda b: (b.day, b.source)):
        before = states.get(body.source) or GuardState.new(body.source)
        far = peers([s for name, s in states.items() if name != body.source], registers())
        pinned = panel.load(body.source).currencies
        facts = Round(
            body.source, body.day, "0" * 64, (body.seen,), pinned, mode=body.mode, is_proven=True
        )
        made = inspect(before, body.quotes, facts, registers(), far, (), limits)
        states[body.source] = made.state
        yield body, before, made


@dataclass(frozen=True)
class World:
    """A source-day: remembered offers, the rows of its next body, and the other sources."""

    name: str
    before: pl.DataFrame
    now: pl.DataFrame
    others: pl.DataFrame


def remembered(now: pl.DataFrame, at: datetime) -> pl.DataFrame:
    """Return the offers that a state would hold if exactly these figures had been accepted."""
    stamp, none = pl.lit(at, pl.Datetime("us")), pl.lit([], pl.List(pl.Int64))
    rows = now.filter(pl.col("nano") > 0).select(
        *KEY,
        "currency",
        "nano",
        good_at=stamp,
        since=stamp,
        streak=pl.lit(1, pl.Int64),
        recent=none,
        day=pl.lit(None, pl.Date),
        today=none,
        shown="nano",
        shown_at=stamp,
        held=pl.lit(None, pl.String),
        held_since=pl.lit(None, pl.Datetime("us")),
    )
    return rows.select(pl.col(name).cast(dtype) for name, dtype in OFFERS.items())


@cache
def bundled_figures() -> pl.DataFrame:
    """Return the figures of all price tables of the bundle, with ``at``: when they were said."""
    parsed = [intake.parse_capture(c).quotes for c in intake.bundled_captures(BUNDLE)]
    quotes = pl.concat([rows for rows in parsed if rows.height])
    return figures(quotes, registers()).with_columns(
        pl.coalesce("effective_from", "observed_at").alias("at")
    )


def bundled_day(day: datetime) -> pl.DataFrame:
    """Return what each bundled source last said of each offer by a moment, priced ones only."""
    rows = bundled_figures().filter(
        (pl.col("at") <= day)
        & ((pl.col("source") != "gpurentalprices") | (pl.col("at") > day - timedelta(hours=24)))
    )
    last = rows.sort("at", "row").unique(KEY, keep="last", maintain_order=True).drop("at")
    return last.filter(pl.col("nano") > 0)


def others_of(rows: pl.DataFrame) -> pl.DataFrame:
    """Return figures as peers of each other source: ``path`` is the source."""
    return (
        rows.filter(pl.col("instrument_id").is_not_null())
        .with_columns(pl.col("source").alias("path"), pl.col("nano").alias("shown"))
        .select(pl.col(name).cast(dtype) for name, dtype in PEERS.items())
        .unique(maintain_order=True)
    )


def bundled_worlds(days: Iterable[datetime]) -> list[World]:
    """Return the source-days of the bundle: each source on each day and the day after."""
    found = []
    for day in days:
        was, now = bundled_day(day), bundled_day(day + timedelta(days=1))
        for source in sorted(now["source"].unique()):
            mine = now.filter(pl.col("source") == source)
            before = was.filter(pl.col("source") == source)
            if before.is_empty():
                continue
            far = others_of(was.filter(pl.col("source") != source))
            found.append(World(f"{source} {day:%Y-%m-%d}", remembered(before, day), mine, far))
    return found


def payload_worlds() -> list[World]:
    """Return the pairs of consecutive days of the payloads' series, three days apart at most."""
    latest: dict[str, pl.DataFrame] = {}
    found = []
    every = sorted((b for s in SERIES for b in bodies(s)), key=lambda b: (b.day, b.source))
    seen: dict[str, datetime] = {}
    for body in every:
        now = standing(figures(body.quotes, registers()), body.day).filter(pl.col("nano") > 0)
        was = latest.get(body.source)
        if was is not None and body.day - seen[body.source] <= timedelta(days=3):
            far = [others_of(rows) for name, rows in latest.items() if name != body.source]
            others = pl.concat([pl.DataFrame(schema=PEERS), *far])
            name = f"{body.source} {body.day:%Y-%m-%d}"
            found.append(World(name, remembered(was, seen[body.source]), now, others))
        latest[body.source], seen[body.source] = now, body.day
    return found
