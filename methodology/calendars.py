"""Frozen lists of exchange sessions: made once, checked, digested (rulebook 17.2, 17.13).

Nothing asks a calendar library when a price is made. Two such libraries disagree on a day of 2026,
and one of them ends with the year. A day outside a list is an error, never a guess. A list grows by
editions: ``CMES.toml`` is the first, ``CMES-1.1.0.toml`` a later one; none is ever edited, because
logs name them by digest.
"""

from __future__ import annotations

import hashlib
import tomllib
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
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

NEXT: Final = {
    "CMES": "the exchange's holidays of the year after, on cmegroup.com under holiday calendar",
    "IEPA": "the exchange's trading schedule of the year after, with the day closed for Christmas",
    "XNYS": "the exchange's holidays, announced two to three years ahead by NYSE Group",
    "XSHG": "the State Council's notice on the holidays of the year after, usually of November "
    "(that for 2026: politics.gmw.cn/2025-11/04/content_38391083.htm, read 2026-11-21), and the "
    "exchange's own notice",
}
"""What a calendar's next edition is made from, and so what it waits for."""

EVERY_DAY: Final = "CAL"
"""The calendar that needs no list: every calendar day (rulebook 9.1)."""


class CalendarEnd(DefinitionError):
    """A list does not cover the days that were asked for; ``calendar`` is the list.

    Nothing is determined beyond a list's end: whoever catches this says so and waits for the next
    edition (rulebook 17.13).
    """

    def __init__(self, calendar: Calendar, wanted: str) -> None:
        because = f" ({calendar.ends_because})" if calendar.ends_because else ""
        super().__init__(
            f"calendar {calendar.id} covers {calendar.first_day} to {calendar.last_day} and not "
            f"{wanted}{because}: add the exchange's list of sessions as a new edition, "
            f"methodology/contracts/calendars/{calendar.id}-VERSION.toml; nothing is guessed"
        )
        self.calendar = calendar


class Holiday(Strict):
    """A weekday without a session: the rule that gives it, and where that was read."""

    day: date
    name: str
    rule: str
    source: str = Field(pattern="^https://")
    read_on: date


class Change(Strict):
    """A day to come on which an edition says otherwise than the one before it, and why."""

    day: date
    was: Literal["open", "closed"]
    becomes: Literal["open", "closed"]
    because: str
    source: str = Field(pattern="^https://")
    read_on: date


class Disagreement(Strict):
    """A day on which two calendar packages differ, and which of them is adopted."""

    day: date
    first: Literal["open", "closed"]
    second: Literal["open", "closed"]
    adopted: Literal["open", "closed"]


class Calendar(Strict):
    """A frozen list of an exchange's sessions; ``first_day`` and ``last_day`` are covered.

    ``calendar/1.1`` is a later edition: it names the one it supersedes, why it ends where it does,
    and each holiday after that edition's end.
    """

    schema_id: Literal["calendar/1.0", "calendar/1.1"] = Field(alias="schema")
    id: str
    version: str = Field(pattern=r"^\d+\.\d+\.\d+$")
    title: str
    first_day: date
    last_day: date
    made_on: date
    made_with: str
    compared_with: str
    supersedes: str | None = None
    ends_because: str = ""
    disagreements: tuple[Disagreement, ...] = ()
    changes: tuple[Change, ...] = ()
    holidays: tuple[Holiday, ...] = ()
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
        is_later = self.schema_id == "calendar/1.1"
        if is_later != bool(self.supersedes and self.ends_because and self.holidays):
            raise ValueError("supersedes, ends_because and holidays go with schema calendar/1.1")
        return self

    @property
    def rank(self) -> tuple[int, ...]:
        """The version as numbers, so that 1.10.0 comes after 1.9.0."""
        return tuple(int(part) for part in self.version.split("."))

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
            CalendarEnd: the list does not cover that time.
        """
        if first < self.first_day or last > self.last_day:
            raise CalendarEnd(self, f"{first} to {last}")
        days = self.days
        return days[bisect_left(days, first) : bisect_right(days, last)]

    def before(self, day: date, count: int) -> tuple[date, ...]:
        """Return the ``count`` sessions before ``day``, the latest first.

        Raises:
            CalendarEnd: the list does not reach that far back.
        """
        days = self.days
        place = bisect_left(days, day)
        if place < count:
            raise CalendarEnd(self, f"{count} sessions before {day}")
        return tuple(reversed(days[place - count : place]))

    def after(self, day: date) -> date | None:
        """Return the first session after ``day``, or ``None`` when the list ends before it."""
        days = self.days
        place = bisect_right(days, day)
        return days[place] if self.first_day <= day and place < len(days) else None


Lists = Mapping[str, Calendar]
"""One edition of each calendar by id, as they hold at some place in a log."""


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
    return parse(file.name, file.read_bytes(), model)


def parse(name: str, body: bytes, model: type[BaseModel]) -> Any:
    """Return TOML text as a model, its digest added; ``name`` is what errors call it.

    Raises:
        DefinitionError: not valid TOML, an unknown or missing key, a wrong type, a contradiction.
    """
    try:
        content = tomllib.loads(body.decode("utf-8"))
        return model.model_validate({**content, "digest": hashlib.sha256(body).hexdigest()})
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        where = f"key {key!r}: " if key else ""
        raise DefinitionError(
            f"{name}: {where}{first['msg']}; correct the file or compare it with rulebook 17"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DefinitionError(f"{name}: not valid TOML: {error}") from error


def load_calendar(file: Traversable) -> Calendar:
    """Return one edition of a calendar from its TOML file.

    Raises:
        DefinitionError: malformed, unknown key, sessions out of order or outside the coverage, or
            a name that is not made of id and version.
    """
    found: Calendar = load(file, Calendar)
    wanted = f"{found.id}-{found.version}" if found.supersedes else found.id
    if file.name != f"{wanted}.toml":
        raise DefinitionError(f"{file.name}: key 'id': {wanted!r} is not the file's name")
    return found


def check_successor(old: Calendar, new: Calendar) -> None:
    """Raise DefinitionError unless an edition continues the one before it (rulebook 17.13).

    It covers at least as much; a day of the earlier edition differs only if it is still to come and
    is named as a change; after the earlier edition's end every weekday is a session or a holiday.
    """

    def wrong(told: str) -> DefinitionError:
        return DefinitionError(f"calendar {new.id} {new.version}: {told}")

    if (old.id, old.version) != (new.id, new.supersedes) or new.rank <= old.rank:
        raise wrong(f"key 'supersedes': it follows {old.id} {old.version}")
    if new.first_day != old.first_day or new.last_day < old.last_day or new.made_on < old.made_on:
        raise wrong(f"it starts with {old.first_day} and reaches {old.last_day} at least")
    before, after = set(old.days), set(new.days)
    said = {one.day: one for one in new.changes}
    moved = {day for day in before ^ after if day <= old.last_day}
    for day in sorted(moved | said.keys()):
        if day not in said or day not in moved or (said[day].becomes == "open") != (day in after):
            raise wrong(f"{day} differs from {old.version} if and only if [[changes]] says so")
        if day <= new.made_on:
            raise wrong(f"{day} was over on {new.made_on}; a day that is over is not changed")
    holidays = {one.day for one in new.holidays}
    for day in clock.days(old.last_day + timedelta(days=1), new.last_day):
        if (day in holidays) + (day in after) != (day.weekday() < 5):
            raise wrong(f"{day} is a session, a weekend or one of [[holidays]], and only one")
    if any(day <= old.last_day for day in holidays):
        raise wrong("a day before the earlier edition's end belongs into [[changes]]")


@cache
def editions() -> dict[str, tuple[Calendar, ...]]:
    """Return every edition of every calendar by id, the first one first.

    Raises:
        DefinitionError: a file is wrong, or an edition does not continue the one before it.
    """
    found: dict[str, list[Calendar]] = {}
    for one in map(load_calendar, toml_files(folder() / "calendars")):
        found.setdefault(one.id, []).append(one)
    for mine in found.values():
        mine.sort(key=lambda one: one.rank)
        for old, new in pairwise(mine):
            check_successor(old, new)
    return {name: tuple(found[name]) for name in sorted(found)}


def load_calendars() -> dict[str, Calendar]:
    """Return the newest edition of every calendar by id."""
    return {name: mine[-1] for name, mine in editions().items()}


def made_by(name: str, day: date) -> Calendar:
    """Return the newest edition made on a day or before; the first one before any was made."""
    mine = editions()[name]
    return next((one for one in reversed(mine) if one.made_on <= day), mine[0])


def by_digest(digest: str) -> Calendar | None:
    """Return the edition whose file has a SHA-256 (hexadecimal), ``None`` when none has."""
    return next((c for mine in editions().values() for c in mine if c.digest == digest), None)


def calendar_of(name: str, lists: Lists | None = None) -> Calendar | None:
    """Return a calendar; ``None`` for ``CAL``, which needs no list.

    Args:
        name: its id.
        lists: the editions to look in; ``None``: the newest of each.

    Raises:
        DefinitionError: no such calendar.
    """
    if name == EVERY_DAY:
        return None
    known = load_calendars() if lists is None else lists
    if name not in known:
        raise DefinitionError(f"no calendar {name!r}; there are CAL, {', '.join(known)}")
    return known[name]


def sessions(name: str, first: date, last: date, lists: Lists | None = None) -> tuple[date, ...]:
    """Return the days of a calendar from ``first`` to ``last``; ``CAL`` has every day.

    Raises:
        DefinitionError: no such calendar.
        CalendarEnd: it does not cover that time.
    """
    calendar = calendar_of(name, lists)
    return tuple(clock.days(first, last)) if calendar is None else calendar.within(first, last)


def sessions_before(
    name: str, day: date, count: int, lists: Lists | None = None
) -> tuple[date, ...]:
    """Return the ``count`` days of a calendar before ``day``, the latest first.

    Raises:
        DefinitionError: no such calendar.
        CalendarEnd: it does not reach that far back.
    """
    calendar = calendar_of(name, lists)
    if calendar is None:
        return tuple(day - timedelta(days=n) for n in range(1, count + 1))
    return calendar.before(day, count)
