"""Settlement templates and frozen calendars: TOML to typed contracts (rulebook 17.2, 17.7).

A contract says what it averages, over which days, at which tick, and what follows from days
without a value. The days come from ``contracts/calendars``: lists that were made once, checked and
frozen. An unknown key, a missing key or a contradiction is an error that names file and key, and a
day outside a calendar is an error too: a settlement day that a library guessed is worth nothing.
"""

from __future__ import annotations

import hashlib
from datetime import date, time, timedelta
from functools import cache
from importlib.resources.abc import Traversable
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field, model_validator

from methodology import clock
from methodology.calendars import (
    EVERY_DAY,
    CalendarEnd,
    Lists,
    calendar_of,
    folder,
    load,
    sessions,
    sessions_before,
    toml_files,
)
from methodology.definition import load_definitions
from methodology.errors import DefinitionError
from methodology.parameters import Ratio, Strict
from methodology.settlement import Missing

WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def _clock_time(value: object) -> time:
    if isinstance(value, str) and len(value) == 5:
        return time.fromisoformat(value)
    raise ValueError("write a time as HH:MM text")


ClockTime = Annotated[time, BeforeValidator(_clock_time)]


class Averaging(Strict):
    """Which days are averaged, and the tick of the price (rulebook 17.2)."""

    days: Literal["CAL", "BUS", "LAST_K"]
    tick: Ratio
    calendar: str = EVERY_DAY
    k: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _consistent(self) -> Averaging:
        if (self.days == "LAST_K") != (self.k is not None):
            raise ValueError("k goes with days LAST_K, and only there")
        if self.days == "BUS" and self.calendar == EVERY_DAY:
            raise ValueError("days BUS needs the name of a calendar")
        if self.days == "CAL" and self.calendar != EVERY_DAY:
            raise ValueError("days CAL needs no calendar")
        if self.tick <= 0 or (10**18 * self.tick).denominator != 1:
            raise ValueError("a tick is a finite decimal above zero")
        return self


class Size(Strict):
    """Quantity of one contract: fixed, or 24 UTC hours for each day of the month."""

    rule: Literal["fixed", "utc_hours_of_month"]
    unit: str
    quantity: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _consistent(self) -> Size:
        if (self.rule == "fixed") != (self.quantity is not None):
            raise ValueError("quantity goes with rule fixed, and only there")
        return self

    def of(self, first: date, last: date) -> int:
        """Return the quantity of a contract whose month runs from ``first`` to ``last``."""
        return self.quantity or 24 * ((last - first).days + 1)


class MissingDays(Strict):
    """Days without a value of their own (rulebook 17.4, 17.5)."""

    filled_share: Ratio
    enough_share: Ratio
    look_back_days: int = Field(ge=0)
    accept_share: Ratio | None = None
    needs_last_day: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> MissingDays:
        for name in ("filled_share", "enough_share", "accept_share"):
            share = getattr(self, name)
            if share is not None and not 0 <= share <= 1:
                raise ValueError(f"{name} is a share from 0 to 1")
        if self.accept_share is not None and self.accept_share > self.enough_share:
            raise ValueError("accept_share is at most enough_share, where the look-back ends")
        return self

    @property
    def rules(self) -> Missing:
        """The same for :func:`methodology.settlement.settle`."""
        return Missing(
            self.filled_share, self.enough_share, self.look_back_days, self.accept_share,
            self.needs_last_day,
        )  # fmt: skip


class Event(Strict):
    """A yes-or-no question about one value (rulebook 17.9)."""

    comparison: Literal["strictly_greater"]
    places: int = Field(ge=0, le=9)
    weekday: Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
    lag_days: int = Field(ge=1)
    is_filled_admitted: bool


class PublicationTime(Strict):
    """When a price is published and until when it is corrected (rulebook 17.7)."""

    calendar: str
    zone: str
    time: ClockTime
    corrections_until: ClockTime


class Fallback(Strict):
    """What follows where there is no price: a clause, and it in words."""

    clause: str
    text: str


class Contract(Strict):
    """One settlement template. ``label`` is ``reference`` where no settlement index stands."""

    schema_id: Literal["contract/1.0"] = Field(alias="schema")
    id: str
    version: str
    title: str
    kind: Literal["average", "event"]
    label: Literal["settlement", "reference"]
    settles_on: str | None = None
    indicative_on: tuple[str, ...] = ()
    currency: Literal["USD", "CNY"]
    unit: str
    decimals: int = Field(ge=0, le=9)
    averaging: Averaging | None = None
    size: Size | None = None
    missing: MissingDays | None = None
    event: Event | None = None
    publication: PublicationTime
    fallback: Fallback
    digest: str

    @property
    def indices(self) -> tuple[str, ...]:
        """Every index the template may be read on, the one it settles on first."""
        return (*([self.settles_on] if self.settles_on else []), *self.indicative_on)

    @model_validator(mode="after")
    def _consistent(self) -> Contract:
        is_average = self.kind == "average"
        averaged = (self.averaging, self.size, self.missing)
        if any((part is not None) != is_average for part in averaged):
            raise ValueError("averaging, size and missing go with kind average, and only there")
        if (self.event is not None) == is_average:
            raise ValueError("event goes with kind event, and only there")
        if (self.label == "settlement") != (self.settles_on is not None):
            raise ValueError("settles_on goes with label settlement, and only there")
        if not self.indices:
            raise ValueError("a contract names at least one index")
        if len(set(self.indices)) < len(self.indices):
            raise ValueError("an index is named twice")
        admissions = {i: d.admission for d in load_definitions() for i in d.index_ids}
        for index_id in self.indices:
            wanted = "settlement" if index_id == self.settles_on else "reference"
            if index_id not in admissions:
                raise ValueError(f"there is no index {index_id}")
            if admissions[index_id] != wanted:
                raise ValueError(f"{index_id} is of admission {admissions[index_id]}, not {wanted}")
        if self.label == "reference" and "reference" not in self.title:
            raise ValueError("a template on a reference index says reference in its title")
        return self


def load_contract(file: Traversable) -> Contract:
    """Return one contract from its TOML file, its calendars known to exist.

    Raises:
        DefinitionError: malformed, unknown key, contradicting keys, unknown index or calendar.
    """
    found: Contract = load(file, Contract)
    for name in (found.averaging and found.averaging.calendar, found.publication.calendar):
        if name:
            calendar_of(name)
    return found


@cache
def load_contracts() -> dict[str, Contract]:
    """Return every contract by id, in file order.

    Raises:
        DefinitionError: one of the files is wrong, or two have the same id.
    """
    found: dict[str, Contract] = {}
    for file in toml_files(folder()):
        one = load_contract(file)
        if one.id in found:
            raise DefinitionError(f"{file.name}: key 'id': {one.id} is there twice")
        found[one.id] = one
    return found


def month_of(first: date) -> tuple[date, date]:
    """Return the first and last day of the month that ``first`` lies in."""
    return first.replace(day=1), clock.month_start(first, 1) - timedelta(days=1)


def pricing_days(
    contract: Contract,
    month: date,
    calendar: str | None = None,
    lists: Lists | None = None,
) -> tuple[tuple[date, ...], tuple[date, ...]]:
    """Return the frozen pricing days of a month and the days a look-back may reach.

    Args:
        contract: a contract of kind ``average``.
        month: any day of the delivery month.
        calendar: another calendar than the contract's, for figures that are not the contract's.
        lists: the editions of calendars that hold; ``None``: the newest.

    Returns:
        ``(pricing, earlier)``: pricing days in order; as many earlier days of the same calendar as
        the contract looks back, the latest first.

    Raises:
        CalendarEnd: the calendar does not cover month and look-back.
        DefinitionError: it has too few sessions in the month.
        ValueError: an event contract, which averages nothing.
    """
    if contract.averaging is None or contract.missing is None:
        raise ValueError(f"{contract.id} is an event and averages no days")
    name = calendar or contract.averaging.calendar
    first, last = month_of(month)
    days = sessions(name, first, last, lists)
    if contract.averaging.k is not None:
        if len(days) < contract.averaging.k:
            raise DefinitionError(
                f"{contract.id}: {first:%Y-%m} has {len(days)} days of {name}, fewer than k = "
                f"{contract.averaging.k}; a smaller k is another contract"
            )
        days = days[-contract.averaging.k :]
    return days, sessions_before(name, days[0], contract.missing.look_back_days, lists)


def published_on(contract: Contract, last: date, lists: Lists | None = None) -> date | None:
    """Return the exchange's first session after ``last``; ``None`` past the calendar's end.

    ``lists`` are the editions of calendars that hold; ``None``: the newest.
    """
    calendar = calendar_of(contract.publication.calendar, lists)
    return last + timedelta(days=1) if calendar is None else calendar.after(last)


def due_on(contract: Contract, last: date, lists: Lists | None = None) -> date:
    """Return the session on which a price is due whose last pricing day is ``last``.

    Raises:
        CalendarEnd: the list of the exchange ends before that session.
    """
    calendar = calendar_of(contract.publication.calendar, lists)
    on = published_on(contract, last, lists)
    if calendar is not None and on is None:
        raise CalendarEnd(calendar, f"a session after {last}")
    return on or last + timedelta(days=1)


def frozen_listing() -> str:
    """Return the digests of all contracts and calendars, ``<sha256>  <path>`` lines, by path."""
    places = [("", f) for f in toml_files(folder())]
    places += [("calendars/", f) for f in toml_files(folder() / "calendars")]
    lines = (f"{hashlib.sha256(f.read_bytes()).hexdigest()}  {at}{f.name}\n" for at, f in places)
    return "".join(sorted(lines, key=lambda line: line[66:]))
