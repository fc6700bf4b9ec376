"""Daily settlement values: published finals, the back-cast, or a file (rulebook 17.1).

Only published finals can settle. The other two exist to illustrate and to reproduce, and every
value of theirs carries the reason why it cannot settle.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, Protocol

import polars as pl

from index.projections import read_backcast, read_records
from index.published import Published
from index.reading import Ledger
from methodology import clock, settlement
from methodology.contracts import Contract
from methodology.errors import CoverageError, DefinitionError, PriceError, UsageError
from methodology.units import exact

Origin = Literal["published", "back-cast", "file"]


@dataclass(frozen=True)
class Daily:
    """The daily settlement value of one day (rulebook 17.1).

    ``units`` is ``None`` for a day without a value. ``unfit`` says why a price made with it cannot
    settle, empty if it can.
    """

    units: int | None
    level: str
    unfit: str
    revision: int | None = None
    seq: int | None = None
    digest: str | None = None


@dataclass(frozen=True)
class Series:
    """Daily values by day, where they come from, and the last day whose window has closed."""

    index_id: str | None
    origin: Origin
    daily: Mapping[date, Daily]
    as_of: date

    @property
    def values(self) -> dict[date, int | None]:
        """Units by day."""
        return {day: one.units for day, one in self.daily.items()}

    @property
    def levels(self) -> dict[date, str]:
        """Level by day."""
        return {day: one.level for day, one in self.daily.items()}


def chosen_index(contract: Contract, wanted: str | None) -> str:
    """Return the index to read: the one the contract settles on, or another that it names.

    Raises:
        UsageError: the contract does not name it.
    """
    if wanted is None:
        return contract.indices[0]
    for one in contract.indices:
        if one.casefold() == wanted.casefold():
            return one
    raise UsageError(
        f"{contract.id} does not read {wanted!r}; it names {', '.join(contract.indices)}"
    )


def last_closed(session: str, moment: datetime) -> date:
    """Return the last index day whose window for restatements is over at ``moment``, naive UTC."""
    day = moment.date() + timedelta(days=1)
    while clock.restatement_until(session, day) >= moment:
        day -= timedelta(days=1)
    return day


class Holder(Protocol):
    """Whatever knows what the log holds: an open ledger, a publisher at work."""

    @property
    def published(self) -> Published:
        """The log's content."""
        ...


def published(ledger: Holder, contract: Contract, index_id: str, as_of: date) -> Series:
    """Return the published daily values of an index, the highest revision of each day.

    Only finals and their revisions count, and only those published before the window closed; a
    day that has none is left out. Back-cast values are never among them.

    Raises:
        DefinitionError: a record has another unit or other decimals than the contract.
    """
    found: dict[date, Daily] = {}
    ordered = sorted(ledger.published.fixings.items(), key=lambda item: item[0][3])
    for key, record in ordered:
        is_late = record["published_at"][:19] > record["final_at"][:19]  # its last second counts
        if key[0] != index_id or record["revision"] < 1 or is_late:
            continue
        if (record["unit"], record["decimals"]) != (contract.unit, contract.decimals):
            raise DefinitionError(
                f"{contract.id}: {index_id} of {record['ref_date']} is published in "
                f"{record['unit']} with {record['decimals']} decimals, the contract says "
                f"{contract.unit} with {contract.decimals}: one of them needs a new version"
            )
        found[date.fromisoformat(record["ref_date"])] = Daily(
            None if record["value"] is None else _units(record["value"], contract.decimals),
            record["waterfall"],
            _unfit(record),
            record["revision"],
            record["seq"],
            ledger.published.digests[key],
        )
    return Series(index_id, "published", found, as_of)


def _unfit(record: Mapping[str, Any]) -> str:
    """Return why a fixing cannot settle (rulebook 11.3, 17.10); empty if it can."""
    if record["label"] != "settlement":
        return f"{record['label']} index"
    if record["settlement_eligible"]:
        return ""
    if "BOOTSTRAP_VINTAGE" in record["flags"]:
        return "BOOTSTRAP vintage"
    if record["waterfall"] in settlement.FILLED:
        return ""
    return f"grade {record['grade']}" if record["value"] is not None else ""


def back_cast(ledger: Ledger, contract: Contract, wanted: str | None, as_of: date | None) -> Series:
    """Return back-cast values of an index: an illustration, never a settlement (rulebook 11.4).

    Without ``wanted`` it is the first index of the contract that the back-cast has.

    Raises:
        CoverageError: the back-cast has none of them.
    """
    rows = read_backcast(ledger.batches, read_records(ledger.log))
    names = [chosen_index(contract, wanted)] if wanted else list(contract.indices)
    held = set(rows["index_id"].unique())
    index_id = next((name for name in names if name in held), None)
    if index_id is None:
        raise CoverageError(
            f"{contract.id}: the back-cast holds no day of {', '.join(names)}; `spotfix run` "
            "makes it from the bundled history"
        )
    mine = rows.filter((pl.col("index_id") == index_id) & (pl.col("flag") == "_BT"))
    daily = {
        r["ref_date"]: Daily(
            None if r["value"] is None else _units(r["value"], contract.decimals),
            r["waterfall"],
            "back-cast",
        )
        for r in mine.iter_rows(named=True)
    }
    return Series(index_id, "back-cast", daily, as_of or max(daily))


def from_file(file: Path, contract: Contract, as_of: date | None) -> Series:
    """Return the values of a CSV file: ``date,value`` and, if wanted, ``level``.

    An empty value is a day without a fix. Without ``as_of`` the last day of the file is the last
    one that is over.

    Raises:
        UsageError: no such file, another header, a line that is no date or no plain decimal, more
            decimals than the contract's index has, or a day twice. The line is named.
    """
    try:
        text = file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--values {file}: cannot be read as UTF-8 text: {error}") from error
    lines = csv.reader(text.splitlines())
    header = [name.strip() for name in next(lines, [])]
    if header not in (["date", "value"], ["date", "value", "level"]):
        raise UsageError(
            f"--values {file}: the first line is {','.join(header)!r}; write date,value or "
            "date,value,level"
        )
    daily: dict[date, Daily] = {}
    for number, cells in enumerate(lines, start=2):
        if not cells:
            continue
        where = f"--values {file}, line {number}"
        if len(cells) != len(header):
            raise UsageError(f"{where}: {len(cells)} cells, the header has {len(header)}")
        try:
            day = date.fromisoformat(cells[0].strip())
        except ValueError:
            raise UsageError(f"{where}: {cells[0]!r} is not a date like 2026-08-01") from None
        if day in daily:
            raise UsageError(f"{where}: {day} is there twice; a day has one settlement value")
        value = cells[1].strip()
        try:
            units = _units(value, contract.decimals) if value else None
        except (PriceError, ValueError) as error:
            raise UsageError(f"{where}: value {value!r}: {error}") from None
        level = cells[2].strip() if len(cells) == 3 else ""
        daily[day] = Daily(units, level or ("" if value else "NO_FIX"), "value of a file")
    if not daily:
        raise UsageError(f"--values {file}: no line with a value")
    return Series(None, "file", daily, as_of or max(daily))


def _units(text: str, decimals: int) -> int:
    """Return decimal text in 10^-decimals, exactly."""
    value = exact(text) * 10**decimals
    if value.denominator != 1:
        raise ValueError(f"more than the {decimals} decimals in which the index is published")
    return int(value)
