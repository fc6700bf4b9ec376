"""The bundled history, read once per process, and determinations of a few indices on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl

from index import determine, intake, prints
from index.determine import Outcome
from index.draft_rates import Draft
from index.intake import Intake
from index.selection import offers_of, select
from methodology import clock
from methodology.definition import Definition, Methodology, load_definitions, load_methodology
from methodology.panels import Vintage
from methodology.representative import segments

BUNDLE = Path(__file__).resolve().parents[1] / "data" / "bundled"

NANO = 10**9


@cache
def rules() -> Methodology:
    """Return the parameters in force."""
    return load_methodology()


@cache
def taken() -> Intake:
    """Return what the bundled history yields: observations, rejections, coverage."""
    return intake.read_captures(intake.bundled_captures(BUNDLE), "bundled", rules())


@cache
def price_history() -> pl.DataFrame:
    """Return every interval in which one price held, of every seller, with from and until."""
    inputs = taken().inputs
    return segments(inputs.observations, inputs.coverage, rules()).with_columns(
        pl.from_epoch("from_us", "us").alias("from"), pl.from_epoch("until_us", "us").alias("until")
    )


@dataclass
class Determined:
    """Determinations of some definitions over the whole bundled history."""

    definitions: Mapping[str, Definition]
    until: Mapping[str, date | None]
    outcome: Outcome

    def fixing(self, index_id: str, day: date) -> dict[str, Any]:
        """Return the fixing of one rate on one day."""
        rows = self.series(index_id).filter(pl.col("ref_date") == day)
        return rows.row(0, named=True)

    def series(self, index_id: str) -> pl.DataFrame:
        """Return the fixings of one rate up to the end of its coverage, in order of day."""
        session = self.definitions[index_id].session
        last = self.until[index_id]
        rows = self.outcome.rates[session].fixings.filter(pl.col("index_id") == index_id)
        return rows.filter(pl.lit(False) if last is None else pl.col("ref_date") <= last).sort(
            "ref_date"
        )

    def vintage(self, index_id: str, day: date) -> Vintage:
        """Return the panel in force on a day."""
        one = self.outcome.sessions[self.definitions[index_id].session]
        plan = next(p for p in one.plans if p.index_id == index_id)
        found = plan.vintages[one.index_days.index(day)]
        assert found is not None, f"{index_id} has no panel on {day}"
        return found

    def contributions(self, index_id: str, day: date) -> dict[str, dict[str, Any]]:
        """Return the panel's lines of one fixing by group, prices as decimal text."""
        lines = self._lines(index_id, day).filter(pl.col("status") != "REFUSED")
        return {row["group"]: row for row in lines.iter_rows(named=True)}

    def refused(self, index_id: str, day: date) -> pl.DataFrame:
        """Return the offers of one fixing that never reached the panel."""
        return self._lines(index_id, day).filter(pl.col("status") == "REFUSED")

    def drafts(self) -> dict[str, Draft]:
        """Return what the last covered day of every index publishes."""
        due = {name: day for name, day in self.until.items() if day}
        inputs, sessions = taken().inputs, self.outcome.sessions
        offers = offers_of(inputs, self.definitions, due, rules())
        chosen = select(sessions, offers, self.definitions, due, inputs)
        return prints.draft_all(self.outcome, chosen, rules())

    def _lines(self, index_id: str, day: date) -> pl.DataFrame:
        offers = offers_of(taken().inputs, self.definitions, {index_id: day}, rules())
        rates = self.outcome.rates[self.definitions[index_id].session]
        return rates.contributions(index_id, day, offers[index_id])


def determined(definitions: Sequence[Definition]) -> Determined:
    """Return the determinations of these definitions, as a publishing run makes them."""
    inputs = taken().inputs
    until = determine.last_covered(inputs, definitions, rules())
    planned = determine.plan_all(inputs, definitions, rules(), until=until)
    due = [(name, day) for name, day in until.items() if day]
    outcome = determine.determine_all(
        inputs, planned, definitions, rules(), until=until, keep_states=due
    )
    by_id = {index_id: d for d in definitions for index_id in d.index_ids}
    return Determined(by_id, until, outcome)


def packaged(*index_ids: str) -> list[Definition]:
    """Return the packaged definitions that define any of these indices; all when none is named."""
    return [d for d in load_definitions() if not index_ids or set(index_ids) & set(d.index_ids)]


def nano(text: str) -> int:
    """Return a decimal text as nano-units, exactly."""
    whole, _, part = text.partition(".")
    return int(whole) * NANO + int(part.ljust(9, "0"))


def partitions(session: str, day: date, since: datetime) -> tuple[int, int]:
    """Return how many hourly partitions of a day end at or after a moment, and how many it has."""
    opened, cut = clock.window(session, day)
    ends = [
        opened.timestamp() + 3600 * (n + 1)
        for n in range(int((cut - opened).total_seconds()) // 3600)
    ]
    return sum(end >= since.timestamp() for end in ends), len(ends)


def history_of(provider: str, listing: str, meter: str, source: str) -> list[tuple[datetime, int]]:
    """Return from when which price held, changes only, of one offer on demand."""
    rows = price_history().filter(
        (pl.col("source") == source)
        & (pl.col("provider") == provider)
        & (pl.col("listing_id") == listing)
        & (pl.col("meter") == meter)
    )
    found: list[tuple[datetime, int]] = []
    for when, price in rows.sort("from").select("from", "price_nano").iter_rows():
        if not found or found[-1][1] != price:
            found.append((when, price))
    return found


def units(value: Fraction, decimals: int) -> int:
    """Return a value as published units, half up."""
    return (2 * value.numerator * 10**decimals + value.denominator) // (2 * value.denominator)
