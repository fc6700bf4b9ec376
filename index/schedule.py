"""What is due and unpublished, and the process that wakes up to do it.

The calendar decides; APScheduler only wakes it, every quarter of an hour, in UTC, so no change of
clocks can run a fixing twice or drop one. A wake-up that comes late publishes what is due then; a
fixing whose cut-off passed while nothing was collected is declared missed and never filled in.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from index.config import Settings
from index.published import Published
from methodology import clock
from methodology.definition import Definition
from methodology.errors import SpotfixError

WAKE_MINUTES = 15
COLLECT_EVERY = timedelta(minutes=55)
"""A wake-up collects when the newest round is older than this: about once an hour."""


@dataclass(frozen=True, slots=True)
class Due:
    """One session's index day that may be published now, and which prints of it."""

    session: str
    ref_date: date
    revisions: tuple[int, ...]
    missed: tuple[date, ...]


def due_now(
    at: datetime,
    definitions: dict[str, Definition],
    published: Published,
    rounds: list[datetime],
) -> list[Due]:
    """Return what is due at a moment, per session; an empty list when nothing is.

    Args:
        at: the moment, naive UTC.
        definitions: by index id.
        published: the log's content.
        rounds: times of the collecting rounds in the archive, naive UTC.

    A session is due for its last index day whose provisional print is due by ``at``, if at least
    one round was collected inside that day's window. Days between the session's last live day and
    this one, and a day without any round, are returned as ``missed``.
    """
    found = []
    for session in clock.SESSIONS:
        day = clock.last_cut_off(session, at - clock.PROVISIONAL_AFTER)
        ours = {name: d for name, d in definitions.items() if d.session == session}
        mine = {
            name for name, d in ours.items() if d.is_due(day) and not published.has_ended(name, day)
        }
        live_days = sorted(
            {
                date.fromisoformat(key[2])
                for key, record in published.fixings.items()
                if key[0] in ours and "BUNDLED" not in record["flags"]
            }
        )
        opened, cut = clock.window(session, day)
        has_round = any(opened <= moment <= cut for moment in rounds)
        declared = {
            one["ref_date"]
            for one in published.incidents
            if one["kind"] == "MISSED_FIXING" and one["session"] == session
        }
        missed = [
            d
            for d in (clock.days(live_days[-1], day)[1:-1] if live_days else [])
            if d.isoformat() not in declared
        ]
        if not has_round:
            if live_days and day > live_days[-1] and day.isoformat() not in declared:
                missed.append(day)
            if missed:
                found.append(Due(session, day, (), tuple(missed)))
            continue
        at_hand = [0] if at < clock.final_at(session, day) else [0, 1]
        revisions = tuple(
            r
            for r in at_hand
            if any((n, session, day.isoformat(), r) not in published.fixings for n in mine)
        )
        if revisions or missed:
            found.append(Due(session, day, revisions, tuple(missed)))
    return found


def next_due(at: datetime) -> dict[str, datetime]:
    """Return per session when its next print is due after ``at`` (naive UTC)."""
    found = {}
    for session in clock.SESSIONS:
        day = clock.last_cut_off(session, at)
        times = [
            when
            for offset in (0, 1)
            for d in [day + timedelta(days=offset)]
            for when in (clock.provisional_at(session, d), clock.final_at(session, d))
            if when > at
        ]
        found[session] = min(times)
    return found


def utc_now() -> datetime:
    """Return the present moment, naive UTC: the one place of the schedule that asks a clock."""
    return datetime.now(UTC).replace(tzinfo=None)


def serve(
    settings: Settings,
    wake: Callable[[Settings, datetime], object],
    say: Callable[[str, str], None],
) -> None:
    """Run until SIGTERM or SIGINT, waking every quarter of an hour and once at the start.

    Args:
        settings: the installation.
        wake: one wake-up, ``liverun.run_due``; an error of ours is told and does not stop the
            schedule, any other error does.
        say: told what each wake-up did.
    """
    from apscheduler.schedulers.background import BackgroundScheduler
    from apscheduler.triggers.cron import CronTrigger

    stop = threading.Event()
    broken: list[BaseException] = []

    def once() -> None:
        at = utc_now()
        try:
            wake(settings, at)
        except SpotfixError as error:
            say("error", str(error))
        except Exception as error:
            broken.append(error)
            stop.set()
            raise

    scheduler = BackgroundScheduler(timezone=UTC)
    scheduler.add_job(
        once,
        CronTrigger(minute=f"*/{WAKE_MINUTES}", timezone=UTC),
        misfire_grace_time=None,
        coalesce=True,
        max_instances=1,
        next_run_time=datetime.now(UTC),
    )
    before = {s: signal.signal(s, lambda *_: stop.set()) for s in (signal.SIGTERM, signal.SIGINT)}
    scheduler.start()
    try:
        for session, when in next_due(utc_now()).items():
            say("schedule", f"next {session} print due {clock.iso(when)}")
        stop.wait()
    finally:
        scheduler.shutdown(wait=True)
        for number, handler in before.items():
            signal.signal(number, handler)
    if broken:
        raise broken[0]
