"""What stands here now, on one screen: log, prints and when they are due, keys, sources, disk.

The doctor says what must be mended; this says where things are, so that somebody who was called
at night, or a monitor that reads ``--json``, knows at once. Nothing is changed and no lock is held.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Final

from rich.text import Text

from index import doctor, doctor_published
from index.collecting import live_sources
from index.config import Settings
from index.feed.timetable import DUE
from index.ledger.check import check_files
from index.ledger.log import Log
from index.listing import quarantined
from index.published import Published
from index.reading import Row, definitions_by_id, failures_by_source, has_records
from index.schedule import next_due
from index.terminal import BAD, DIM, GOOD, HEAD, WARN, Screen, table
from methodology import clock
from methodology.definition import Definition
from methodology.errors import LogInconsistent

LATE: Final = 12
INCONSISTENT: Final = LogInconsistent.exit_code

_STYLES = {"ok": "", "warn": WARN, "bad": BAD}


def read(settings: Settings, at: datetime) -> Row:
    """Return what stands at a moment, as plain values.

    Args:
        settings: the installation.
        at: the moment, naive UTC.

    ``state`` is ``ok``, ``late`` (a print is overdue) or ``inconsistent`` (the log contradicts
    itself: then what is read from it, ``sessions`` to ``incidents``, is empty). ``log`` is null
    where nothing was published. Times are ISO 8601 in UTC; a null is something that never was.
    """
    log, published, wrong = None, Published(), ""
    try:
        if has_records(settings):
            log, wrong = _log(settings)
            if log is not None:
                published = Published.read(log)
    except LogInconsistent as error:
        log, wrong = None, str(error)
    sessions = [] if wrong else _sessions(published, definitions_by_id(), at)
    is_late = any(one["late_since"] for one in sessions)
    seen = doctor.last_seen(settings)
    asked = [source.id for source in live_sources(settings)]
    answered = [name for name in asked if name in seen and at - seen[name] <= doctor.STALE]
    return {
        "at": clock.iso(at),
        "state": "inconsistent" if wrong else "late" if is_late else "ok",
        "origin": settings.log_origin,
        "administrator": settings.administrator_id,
        "log": None if log is None else {"size": log.size, "root": log.root.hex()},
        "problem": wrong or None,
        "publisher": doctor.holder(settings.lock) or None,
        "sessions": sessions,
        "keys": [] if wrong else _lines(doctor_published.keys(settings)),
        "published": [] if wrong else _lines(doctor_published.published(settings)),
        "witnesses": [] if wrong else _lines(doctor_published.witnesses(settings)),
        "live": {
            "last_round": clock.iso(max(seen.values())) if seen else None,
            "asked": len(asked),
            "answered": len(answered),
        },
        "incidents": [] if wrong else _open_incidents(settings, published),
        "disk": _lines((c.name, c.state, c.told, c.fix) for c in doctor.disk(settings)),
    }


def code_of(found: Mapping[str, object]) -> int:
    """Return the exit code of a reading: 0, 12 when a print is late, 21 for a broken log."""
    return {"ok": 0, "late": LATE, "inconsistent": INCONSISTENT}[str(found["state"])]


def _log(settings: Settings) -> tuple[Log | None, str]:
    log = Log.open(settings.ledger, read_only=True)
    problems = [] if doctor.holder(settings.lock) else check_files(settings.ledger)
    if not problems:
        return log, ""
    more = f" (and {len(problems) - 1} more)" if problems[1:] else ""
    return None, f"{problems[0]}{more}"


def _lines(found: Iterable[tuple[str, str, str, str]]) -> list[Row]:
    names = ("name", "state", "told", "fix")
    return [dict(zip(names, one, strict=True)) for one in found]


def _sessions(
    published: Published, definitions: Mapping[str, Definition], at: datetime
) -> list[Row]:
    found = []
    for session, due in next_due(at).items():
        ours = {name: d for name, d in definitions.items() if d.session == session}
        prints = [key for key in published.fixings if key[1] == session]
        day, revision = max(((key[2], key[3]) for key in prints), default=(None, None))
        newest = [published.fixings[k] for k in prints if (k[2], k[3]) == (day, revision)]
        late = late_since(session, ours, published, at)
        found.append(
            {
                "session": session,
                "ref_date": day,
                "revision": revision,
                "is_live": bool(newest) and "BUNDLED" not in newest[0]["flags"],
                "indices": len(newest),
                "values": sum(one["value"] is not None for one in newest),
                "next_due": clock.iso(due),
                "late_since": clock.iso(late) if late else None,
                "late_seconds": int((at - late).total_seconds()) if late else 0,
            }
        )
    return found


def late_since(
    session: str, ours: Mapping[str, Definition], published: Published, at: datetime
) -> datetime | None:
    """Return when the earliest print that is due and not there was due; ``None``: none is late.

    Args:
        session: ``SHA`` or ``NYC``.
        ours: the session's definitions by index id.
        published: the log's content.
        at: the moment, naive UTC.

    A print is late five minutes after it was due. Days before the session's last live day are
    past, a day that the log declares missed is told there, and a session that was never live, such
    as one of a bundled history, owes nothing.
    """
    live = [
        key[2]
        for key, record in published.fixings.items()
        if key[0] in ours and "BUNDLED" not in record["flags"]
    ]
    if not live:
        return None
    declared = {
        one["ref_date"]
        for one in published.incidents
        if one["kind"] == "MISSED_FIXING" and one["session"] == session
    }
    for day in clock.days(date.fromisoformat(max(live)), clock.last_cut_off(session, at)):
        text = day.isoformat()
        mine = {n for n, d in ours.items() if d.is_due(day) and not published.has_ended(n, day)}
        prints = (clock.provisional_at(session, day), clock.final_at(session, day))
        for revision, due in enumerate(prints):
            if text in declared or due + DUE > at:
                continue
            if any((name, session, text, revision) not in published.fixings for name in mine):
                return due
    return None


def _open_incidents(settings: Settings, published: Published) -> list[Row]:
    """Return what went wrong and was not made good since, newest kind last.

    A source is open until it gives a body again, a quarantine until it is released, a blocked
    print until it is in the log.
    """
    found = [
        {"kind": "SOURCE_FAILED", "about": source, "told": told, "count": count}
        for source, told, count in failures_by_source(doctor.failures(settings))
    ]
    found += [
        {"kind": "QUARANTINE", "about": source, "told": reason, "count": 1}
        for source, reason in sorted(quarantined(settings).items())
    ]
    for one in published.incidents:
        if one["kind"] != "ENGINE_DIFFERENCE":
            continue
        key = (one["index_id"], one["session"], one["ref_date"], one["revision"])
        if key not in published.fixings:
            about = f"{key[0]} {key[1]} {key[2]} r{key[3]}"
            found.append(
                {"kind": one["kind"], "about": about, "told": one["detail"], "count": 1}
            )  # fmt: skip
    return found


def show(screen: Screen, found: Row) -> None:
    """Print a reading on one screen."""
    screen.line(
        (f"{found['origin']} of {found['administrator']}", HEAD), (f"   {found['at']}", DIM)
    )
    log = found["log"]
    if found["problem"]:
        screen.pair("log", ("inconsistent: ", BAD), found["problem"])
        screen.pair("", "publish nothing; then: spotfix verify")
    elif log is None:
        screen.pair("log", "nothing has been published here; spotfix run")
    else:
        screen.pair("log", ("consistent", GOOD), f", size {log['size']}, root {log['root']}")
    if found["publisher"]:
        screen.pair("publisher", found["publisher"])
    for title, name in (("shown", "published"), ("signs", "keys"), ("seen by", "witnesses")):
        for one in found[name]:
            screen.pair(title, (one["told"], _STYLES[one["state"]]))
    live = found["live"]
    told = f"{live['last_round']}, {live['answered']} of {live['asked']} sources in the last 26 h"
    screen.pair("last round", told if live["last_round"] else "none was collected live yet")
    screen.pair("incidents", f"{len(found['incidents']) or 'none'} open")
    for one in found["incidents"]:
        often = f" ({one['count']} times)" if one["count"] > 1 else ""
        screen.pair("", (f"{one['kind']} {one['about']}: {one['told']}{often}", WARN))
    for one in found["disk"]:
        screen.pair("disk", (one["told"], _STYLES[one["state"]]))
    if found["sessions"]:
        screen.line()
        _show_sessions(screen, found["sessions"])


def _show_sessions(screen: Screen, sessions: list[Row]) -> None:
    columns = [
        ("session", "<"), ("newest print", "<"), ("values", ">"), ("next due", "<"), ("late", "<"),
    ]  # fmt: skip
    rows: list[list[str | Text]] = []
    for one in sessions:
        kind = "live" if one["is_live"] else "bundled"
        newest = f"{one['ref_date']} r{one['revision']} {kind}" if one["ref_date"] else "none"
        values = f"{one['values']} of {one['indices']}" if one["indices"] else ""
        minutes = one["late_seconds"] // 60
        late = Text("no", DIM)
        if one["late_since"]:
            late = Text(f"{minutes // 60} h {minutes % 60} min, since {one['late_since']}", BAD)
        rows.append([one["session"], newest, values, one["next_due"], late])
    screen.grid(table(columns, rows))
