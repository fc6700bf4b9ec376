"""Frozen lists of exchange sessions: made once, checked, digested (rulebook 17.2).

Nothing asks a calendar library when a price is made. Two such libraries disagree on a day of 2026,
and one of them ends with the year. A day outside a list is an error, never a guess.
"""

from __future__ import annotations

import hashlib
import tomllib
from bisect import bisect_left, bisect_right
from datetime import date, timedelta
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from itertools import pairwise
from typing import Any, Final, Literal

from pydantic import BaseModel, Field, ValidationError, model_validator

from methodology import clock
from methodology.errors import DefinitionError
from methodology.parameters import Strict

EVERY_DAY: Final = "CAL"
"""The calendar that needs no list: every calendar day (rulebook 9.1)."""


class Disagreement(Strict):
    """A day on which two calendar packages differ, and which of them is adopted."""

    day: date
    first: Literal["open", "closed"]
    second: Literal["open", "closed"]
    adopted: Literal["open", "closed"]


class Calendar(Strict):
    """A frozen list of an exchange's sessions; ``first_day`` and ``last_day`` are covered."""

    schema_id: Literal["calendar/1.0"] = Field(alias="schema")
    id: str
    version: str
    title: str
    first_day: date
    last_day: date
    made_on: date
    made_with: str
    compared_with: str
    disagreements: tuple[Disagreement, ...] = ()
    sessions: dict[str, tuple[int, ...]]
    digest: str

    @model_validator(mode="after")
    def _consistent(self) -> Calendar:
        days = self.days  # raises ValueError for a date that does not exist
        if not days or any(a >= b for a, b in pairwise(days)):
            raise ValueError("sessions are days in order and without repeats")
        if days[0] < self.first_day or days[-1] > self.last_day:
            raise ValueError("a session lies outside first_day to last_day")
        for one in self.disagreements:
            if (one.day in days) != (one.adopted == "open"):
                raise ValueError(f"{one.day} is adopted as {one.adopted} and listed otherwise")
        return self

    @property
    def days(self) -> tuple[date, ...]:
        """Every session, in order."""
        return tuple(
            date.fromisoformat(f"{month}-{number:02d}")
            for month, numbers in self.sessions.items()
            for number in numbers
        )

    def within(self, first: date, last: date) -> tuple[date, ...]:
        """Return the sessions from ``first`` to ``last``, both included.

        Raises:
            DefinitionError: the list does not cover that time.
        """
        if first < self.first_day or last > self.last_day:
            raise _uncovered(self, f"{first} to {last}")
        days = self.days
        return days[bisect_left(days, first) : bisect_right(days, last)]

    def before(self, day: date, count: int) -> tuple[date, ...]:
        """Return the ``count`` sessions before ``day``, the latest first.

        Raises:
            DefinitionError: the list does not reach that far back.
        """
        days = self.days
        place = bisect_left(days, day)
        if place < count:
            raise _uncovered(self, f"{count} sessions before {day}")
        return tuple(reversed(days[place - count : place]))

    def after(self, day: date) -> date | None:
        """Return the first session after ``day``, or ``None`` when the list ends before it."""
        days = self.days
        place = bisect_right(days, day)
        return days[place] if self.first_day <= day and place < len(days) else None


def _uncovered(calendar: Calendar, wanted: str) -> DefinitionError:
    return DefinitionError(
        f"calendar {calendar.id} covers {calendar.first_day} to {calendar.last_day} and not "
        f"{wanted}: add the exchange's list of sessions as a new version of "
        f"methodology/contracts/calendars/{calendar.id}.toml; nothing is guessed"
    )


def folder() -> Traversable:
    """Return the folder of the contracts."""
    return resources.files("methodology") / "contracts"


def toml_files(place: Traversable) -> list[Traversable]:
    """Return the TOML files of a folder by name."""
    found = (one for one in place.iterdir() if one.name.endswith(".toml"))
    return sorted(found, key=lambda one: one.name)


def load(file: Traversable, model: type[BaseModel]) -> Any:
    """Return a TOML file as a model, its digest added.

    Raises:
        DefinitionError: not valid TOML, an unknown or missing key, a wrong type, a contradiction.
    """
    body = file.read_bytes()
    try:
        content = tomllib.loads(body.decode("utf-8"))
        return model.model_validate({**content, "digest": hashlib.sha256(body).hexdigest()})
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        where = f"key {key!r}: " if key else ""
        raise DefinitionError(
            f"{file.name}: {where}{first['msg']}; correct the file or compare it with rulebook 17"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DefinitionError(f"{file.name}: not valid TOML: {error}") from error


def load_calendar(file: Traversable) -> Calendar:
    """Return one calendar from its TOML file.

    Raises:
        DefinitionError: malformed, unknown key, sessions out of order or outside the coverage, or
            an id that is not the file's name.
    """
    found: Calendar = load(file, Calendar)
    if file.name != f"{found.id}.toml":
        raise DefinitionError(f"{file.name}: key 'id': {found.id!r} is not the file's name")
    return found


@cache
def load_calendars() -> dict[str, Calendar]:
    """Return every frozen calendar by id."""
    return {c.id: c for c in map(load_calendar, toml_files(folder() / "calendars"))}


def calendar_of(name: str) -> Calendar | None:
    """Return a calendar; ``None`` for ``CAL``, which needs no list.

    Raises:
        DefinitionError: no such calendar.
    """
    if name == EVERY_DAY:
        return None
    known = load_calendars()
    if name not in known:
        raise DefinitionError(f"no calendar {name!r}; there are CAL, {', '.join(known)}")
    return known[name]


def sessions(name: str, first: date, last: date) -> tuple[date, ...]:
    """Return the days of a calendar from ``first`` to ``last``; ``CAL`` has every day.

    Raises:
        DefinitionError: no such calendar, or it does not cover that time.
    """
    calendar = calendar_of(name)
    return tuple(clock.days(first, last)) if calendar is None else calendar.within(first, last)


def sessions_before(name: str, day: date, count: int) -> tuple[date, ...]:
    """Return the ``count`` days of a calendar before ``day``, the latest first.

    Raises:
        DefinitionError: no such calendar, or it does not reach that far back.
    """
    calendar = calendar_of(name)
    if calendar is None:
        return tuple(day - timedelta(days=n) for n in range(1, count + 1))
    return calendar.before(day, count)
