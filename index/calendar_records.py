"""Records of the frozen calendars that contracts use (rulebook 17.2, 17.13).

Whoever has the ledger has the lists: the artefact holds the frozen file as it stands, and its
digest is the one that every settlement names. A later edition of a list is a later record, and
each settlement goes by the edition that stood in the log before it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any, Final, Protocol

from index.ledger.canonical import canonical
from index.publication import record
from index.published import Published
from index.records import Make
from index.shop import Shop
from methodology import calendars, clock
from methodology.calendars import EVERY_DAY, Calendar, folder
from methodology.contracts import Contract, load_contracts
from methodology.errors import DefinitionError, SpotfixError

NEAR: Final = timedelta(days=60)
"""So long before a list ends it is told (rulebook 17.13)."""


class Bodies(Protocol):
    """Where copies of lists lie: a ledger's, or those that its site shows."""

    def get(self, kind: str, sha256: str) -> bytes:
        """Return a body, its digest checked; raise SpotfixError if it is gone or damaged."""


def users() -> dict[str, list[Contract]]:
    """Return the contracts that average a calendar's days or publish on them, by its id."""
    found: dict[str, list[Contract]] = {}
    for one in load_contracts().values():
        names = {one.publication.calendar, one.averaging.calendar if one.averaging else EVERY_DAY}
        for name in sorted(names - {EVERY_DAY}):
            found.setdefault(name, []).append(one)
    return dict(sorted(found.items()))


def missing(shop: Shop, at: datetime) -> list[Make]:
    """Return a record for each edition of a calendar in use that the log lacks at a moment.

    A log begins with the newest edition made by then; a log that has one gets every later edition
    made by then, in order. A log that has a later one than this release gets none.

    Args:
        shop: open ledger; the frozen files are stored in it.
        at: the moment that the records state (naive UTC).

    Raises:
        DefinitionError: the log has an edition of the same version and other bytes.
    """
    newest = {one["calendar_id"]: one for one in shop.published.calendars}
    made: list[Make] = []
    for name in users():
        wanted = calendars.made_by(name, at.date())
        held = newest.get(name)
        for one in calendars.editions()[name]:
            if held is None:
                is_due = one is wanted
            else:
                is_due = _rank(held) < one.rank <= wanted.rank
                if held["version"] == one.version and held["digest"] != f"sha256:{one.digest}":
                    raise DefinitionError(
                        f"calendar {name} {one.version}: record {held['seq']} of the log has "
                        f"{held['digest']} and this file sha256:{one.digest}; an edition is never "
                        "edited: bring the file back and add what is new as a later edition"
                    )
            if is_due:
                made.append(_record(shop, one, at))
    return made


def in_force(
    published: Published, batches: Bodies | None = None, before: int | None = None
) -> dict[str, Calendar]:
    """Return the edition of each calendar that holds at a place in the log.

    Args:
        published: the log's content.
        batches: where the log's own copies lie, for editions that this release does not have.
        before: the place; ``None``: the end of the log.

    A calendar without a record before that place is in its first edition: what every log that
    names none was made with.

    Raises:
        DefinitionError: an edition is not at hand, or its copy is no calendar.
    """
    found = {name: mine[0] for name, mine in calendars.editions().items()}
    for one in published.calendars:
        if before is None or one["seq"] < before:
            found[one["calendar_id"]] = edition(one, batches)
    return found


def edition(one: dict[str, Any], batches: Bodies | None = None) -> Calendar:
    """Return the calendar that a record names: of this release, or the log's own copy.

    Raises:
        DefinitionError: it is neither here nor there, or the copy is no calendar.
        CoverageError, VerificationError: the copy is gone or damaged.
    """
    known = calendars.by_digest(one["digest"][7:])
    if known is not None or batches is None:
        if known is None:
            raise DefinitionError(
                f"record {one['seq']}: no edition of calendar {one['calendar_id']} with digest "
                f"{one['digest']} is at hand; use a release that has it"
            )
        return known
    body = _file(one, batches)
    found: Calendar = calendars.parse(f"record {one['seq']}", body, Calendar)
    return found


def check(published: Published, batches: Bodies) -> Iterator[str]:
    """Yield a sentence for each calendar record that its list does not bear out."""
    last: dict[str, Calendar] = {}
    for one in published.calendars:
        where = f"record {one['seq']} (calendar/1.0): {one['calendar_id']} {one['version']}"
        try:
            digest = "sha256:" + hashlib.sha256(_file(one, batches)).hexdigest()
            if digest != one["digest"]:
                yield f"{where}: cites a file with {digest} and states {one['digest']}"
                continue
            listed = edition(one, batches)
            for name, value in _stated(listed).items():
                if one[name] != value:
                    yield f"{where}: {name} is stated as {one[name]!r}, the list has {value!r}"
            if listed.id in last:
                calendars.check_successor(last[listed.id], listed)
            last[listed.id] = listed
        except (SpotfixError, KeyError, ValueError) as error:
            yield f"{where}: {error}"


def ending(shop: Shop, at: datetime) -> list[Make]:
    """Return a notice for each calendar in use that ends soon or has ended, unless it was given.

    Args:
        shop: the log.
        at: the moment (naive UTC).
    """
    given = {one["text"] for one in shop.published.notices}
    made: list[Make] = []
    for name, listed in in_force(shop.published, shop.batches).items():
        if name not in users() or listed.last_day - at.date() > NEAR:
            continue
        text = told(listed)
        if text not in given:
            made.append(notice(shop, "CALENDAR_END", text, None, at))
    return made


def told(listed: Calendar) -> str:
    """Return what the end of a list means, in words that do not change from day to day."""
    names = ", ".join(one.id for one in users()[listed.id])
    return (
        f"calendar {listed.id} {listed.version} ends on {listed.last_day}; until a later edition "
        f"is logged, no price that needs a day after it is made ({names}); fixings go on"
    )


def days_left(listed: Calendar, day: date) -> int:
    """Return how many days after ``day`` a list still covers; negative when it has ended."""
    return (listed.last_day - day).days


def notice(shop: Shop, kind: str, text: str, index_id: str | None, at: datetime) -> Make:
    """Return a notice record that concerns no day."""
    return lambda seq: record.notice(
        {
            "seq": seq,
            "log_origin": shop.log.origin,
            "kind": kind,
            "index_id": index_id,
            "session": None,
            "ref_date": None,
            "concerns": None,
            "text": text,
            "at": clock.iso(at),
        }
    )


def _rank(one: dict[str, Any]) -> tuple[int, ...]:
    return tuple(int(part) for part in one["version"].split("."))


def _file(one: dict[str, Any], batches: Bodies) -> bytes:
    """Return the log's own copy of a record's list."""
    content = json.loads(batches.get("calendar", one["artefact"]["sha256"]))
    return str(content["file"]).encode("utf-8")


def _stated(one: Calendar) -> dict[str, Any]:
    """Return what a record states of a list."""
    return {
        "calendar_id": one.id,
        "version": one.version,
        "digest": f"sha256:{one.digest}",
        "first_day": one.first_day.isoformat(),
        "last_day": one.last_day.isoformat(),
        "sessions": len(one.days),
    }


def _record(shop: Shop, one: Calendar, at: datetime) -> Make:
    name = f"{one.id}-{one.version}" if one.supersedes else one.id
    text = (folder() / "calendars" / f"{name}.toml").read_text("utf-8")
    if hashlib.sha256(text.encode("utf-8")).hexdigest() != one.digest:
        raise DefinitionError(f"calendar {one.id}: the file changed while it was read")
    stored = shop.batches.put("calendar", canonical({"calendar_id": one.id, "file": text}) + b"\n")
    return lambda seq: record.calendar(
        {
            "seq": seq,
            "log_origin": shop.log.origin,
            **_stated(one),
            "artefact": stored.reference(),
            "at": clock.iso(at),
        }
    )
