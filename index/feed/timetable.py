"""When the next print of a session is due: what caches and ``Retry-After`` go by."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Final

from methodology import clock

MOVING_SECONDS: Final = 30
"""The longest a moving resource may be kept."""

DUE: Final = timedelta(minutes=5)
"""So long after a print was due a moving resource may be kept one second only."""

LATE: Final = timedelta(days=2)
"""A print that is overdue by more than this is no longer announced."""


class Timetable:
    """Due times by session, each looked up once until it has passed. All times are naive UTC."""

    def __init__(self) -> None:
        self._span: dict[str, tuple[datetime, datetime]] = {}

    def around(self, session: str, now: datetime) -> tuple[datetime, datetime]:
        """Return when the last print of a session was due and when the next one is."""
        span = self._span.get(session)
        if span is None or not span[0] <= now < span[1]:
            day = clock.last_cut_off(session, now)
            times = sorted(
                when
                for offset in (-1, 0, 1)
                for one in [day + timedelta(days=offset)]
                for when in (clock.provisional_at(session, one), clock.final_at(session, one))
            )
            past = max(t for t in times if t <= now)
            span = self._span[session] = past, min(t for t in times if t > now)
        return span

    def keep(self, session: str, now: datetime) -> int:
        """Return for how many seconds a cache may keep what moves with a session."""
        if session not in clock.SESSIONS:
            return 1
        last, following = self.around(session, now)
        if now - last < DUE:
            return 1
        return min(MOVING_SECONDS, max(1, int((following - now).total_seconds())))

    def keep_all(self, now: datetime) -> int:
        """Return for how many seconds a cache may keep what moves with any session."""
        return min(self.keep(session, now) for session in clock.SESSIONS)


def provisional_due(session: str, day: str) -> datetime | None:
    """Return when the first print of a day is due, ``None`` where the calendar has no such day."""
    if session not in clock.SESSIONS or not "2020" <= day[:4] <= "2099":
        return None
    return clock.provisional_at(session, date.fromisoformat(day))


def wait(now: datetime, until: datetime) -> str:
    """Return ``Retry-After`` in whole seconds, at least one."""
    return str(max(1, -int((now - until).total_seconds() // 1)))
