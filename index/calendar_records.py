"""Records of the frozen calendars that contracts use (rulebook 17.2).

Whoever has the ledger has the lists: the artefact holds the frozen file as it stands, and its
digest is the one that every settlement names. A new version of a list is a new record.
"""

from __future__ import annotations

import hashlib
from datetime import datetime

from index.ledger.canonical import canonical
from index.publication import record
from index.records import Make
from index.shop import Shop
from methodology import clock
from methodology.calendars import EVERY_DAY, Calendar, calendar_of, folder
from methodology.contracts import load_contracts
from methodology.errors import DefinitionError


def calendars_in_use() -> list[Calendar]:
    """Return the calendars whose days contracts average or on which they publish, by id."""
    names = {one.publication.calendar for one in load_contracts().values()}
    names |= {one.averaging.calendar for one in load_contracts().values() if one.averaging}
    found = [calendar_of(name) for name in sorted(names - {EVERY_DAY})]
    return [one for one in found if one is not None]


def missing(shop: Shop, at: datetime) -> list[Make]:
    """Return a record for each calendar in use that the log does not hold as it is now.

    Args:
        shop: open ledger; the frozen files are stored in it.
        at: the moment that the records state (naive UTC).
    """
    logged = {one["digest"] for one in shop.published.calendars}
    return [
        _record(shop, one, at) for one in calendars_in_use() if f"sha256:{one.digest}" not in logged
    ]


def _record(shop: Shop, one: Calendar, at: datetime) -> Make:
    text = (folder() / "calendars" / f"{one.id}.toml").read_text("utf-8")
    if hashlib.sha256(text.encode("utf-8")).hexdigest() != one.digest:
        raise DefinitionError(f"calendar {one.id}: the file changed while it was read")
    stored = shop.batches.put("calendar", canonical({"calendar_id": one.id, "file": text}) + b"\n")
    return lambda seq: record.calendar(
        {
            "seq": seq,
            "log_origin": shop.log.origin,
            "calendar_id": one.id,
            "version": one.version,
            "digest": f"sha256:{one.digest}",
            "first_day": one.first_day.isoformat(),
            "last_day": one.last_day.isoformat(),
            "sessions": len(one.days),
            "artefact": stored.reference(),
            "at": clock.iso(at),
        }
    )
