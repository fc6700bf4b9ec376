"""Index days, sessions, cut-offs: functions of their arguments, never of "now" (rulebook 9).

Every calendar day is an index day. Two sessions exist: ``SHA`` with its cut-off at 15:00 in
Shanghai and ``NYC`` with its cut-off at 16:00 in New York. Zone rules come from the pinned
``tzdata`` distribution, not from the machine, so a replay in ten years uses the same hours.
All times are naive UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from importlib import resources
from zoneinfo import ZoneInfo

PROVISIONAL_AFTER = timedelta(minutes=45)
"""A provisional fixing is due this long after the cut-off."""

FINAL_AFTER = timedelta(minutes=120)
"""The final fixing is due this long after the cut-off."""

GRACE = timedelta(minutes=10)
"""From so long after its time on, a live print is late (rulebook 9.2)."""


@dataclass(frozen=True, slots=True)
class Session:
    """One daily fixing: its id, zone and local cut-off hour."""

    id: str
    zone: str
    hour: int


SESSIONS = {
    "SHA": Session("SHA", "Asia/Shanghai", 15),
    "NYC": Session("NYC", "America/New_York", 16),
}
"""The two sessions by id (rulebook 9.1)."""


@cache
def _zone(name: str) -> ZoneInfo:
    package, _, leaf = name.rpartition("/")
    folder = resources.files("tzdata.zoneinfo")
    for part in package.split("/"):
        folder = folder / part
    with (folder / leaf).open("rb") as stored:
        return ZoneInfo.from_file(stored, key=name)


@cache
def cut_off(session: str, ref_date: date) -> datetime:
    """Return the last moment an observation may count for a fixing, naive UTC.

    Args:
        session: ``SHA`` or ``NYC``.
        ref_date: the index day.

    Raises:
        KeyError: an unknown session.
    """
    chosen = SESSIONS[session]
    local = datetime.combine(ref_date, time(chosen.hour), tzinfo=_zone(chosen.zone))
    return local.astimezone(UTC).replace(tzinfo=None)


def window(session: str, ref_date: date) -> tuple[datetime, datetime]:
    """Return the input window: the previous day's cut-off and this day's, naive UTC.

    It lasts 24 hours, or 23 or 25 when the clocks change between the two (rulebook 4.2).
    """
    return cut_off(session, ref_date - timedelta(days=1)), cut_off(session, ref_date)


def final_at(session: str, ref_date: date) -> datetime:
    """Return when the final fixing is due, naive UTC."""
    return cut_off(session, ref_date) + FINAL_AFTER


def provisional_at(session: str, ref_date: date) -> datetime:
    """Return when the provisional fixing is due, naive UTC."""
    return cut_off(session, ref_date) + PROVISIONAL_AFTER


def restatement_until(session: str, ref_date: date) -> datetime:
    """Return the last second in which a final may be restated, naive UTC (rulebook 11.1)."""
    zone = _zone(SESSIONS[session].zone)
    local = datetime.combine(ref_date, time(23, 59, 59), tzinfo=zone)
    return local.astimezone(UTC).replace(tzinfo=None)


def last_cut_off(session: str, moment: datetime) -> date:
    """Return the latest index day whose cut-off is at or before ``moment`` (naive UTC)."""
    day = moment.date() + timedelta(days=1)
    while cut_off(session, day) > moment:
        day -= timedelta(days=1)
    return day


def days(first: date, last: date) -> list[date]:
    """Return the index days from ``first`` to ``last``, both included; empty if reversed."""
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def month_start(day: date, months: int = 0) -> date:
    """Return the first day of the month ``months`` after (or before) that of ``day``."""
    count = day.year * 12 + day.month - 1 + months
    return date(count // 12, count % 12 + 1, 1)


def iso(moment: datetime) -> str:
    """Return a naive UTC time as RFC 3339 with milliseconds and ``Z``."""
    return moment.isoformat(timespec="milliseconds") + "Z"
