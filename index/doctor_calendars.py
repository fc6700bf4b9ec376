"""What the doctor says of calendars: which list ends soon, what stops then, and what to do.

Each line is ``name, state, told, fix``, as :class:`index.doctor.Check` takes them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Literal

from index import calendar_records
from index.config import Settings
from index.ledger.log import Log
from index.reading import open_ledger
from methodology import calendars
from methodology.calendars import Calendar

State = Literal["ok", "warn", "bad"]
Line = tuple[str, State, str, str]


def lists(settings: Settings, at: datetime) -> Iterator[Line]:
    """Tell of each calendar that contracts use how far it reaches (rulebook 17.13).

    Args:
        settings: the installation.
        at: the moment, naive UTC.

    The list that counts is the log's, or the one a log would begin with. ``warn`` from 60 days
    before its end on; ``bad`` after it where a settlement template needs it. Calendar days, on
    which fixings go by, have no end and no line.
    """
    held = {name: calendars.made_by(name, at.date()) for name in calendar_records.users()}
    ready = dict(held)
    if Log.exists(settings.ledger):
        ledger = open_ledger(settings)
        if ledger.published.calendars:
            held = calendar_records.in_force(ledger.published, ledger.batches)
    fine = []
    for name, contracts in calendar_records.users().items():
        listed, left = held[name], calendar_records.days_left(held[name], at.date())
        later = ready[name].rank > listed.rank
        if left > calendar_records.NEAR.days:
            fine.append(f"{name} {listed.version} to {listed.last_day}")
            continue
        settles = any(one.label == "settlement" for one in contracts)
        state: State = "bad" if left < 0 and settles and not later else "warn"
        yield "calendar", state, f"{_when(listed, left)}: {_stops(name)}", _fix(name, later)
    if fine:
        yield "calendar", "ok", "; ".join(fine), ""


def _when(listed: Calendar, left: int) -> str:
    days = f"in {left} days" if left > 1 else "tomorrow" if left else "today"
    told = f"{listed.id} {listed.version} end{'s' if left >= 0 else 'ed'} on {listed.last_day}"
    return told if left < 0 else f"{told}, {days}"


def _stops(name: str) -> str:
    names = ", ".join(one.id for one in calendar_records.users()[name])
    return f"then no price of {names}; fixings go on"


def _fix(name: str, later: bool) -> str:
    if later:
        return "this release has a later edition; the next `spotfix run --live` logs it"
    return (
        f"needs {calendars.NEXT[name]}; write it as methodology/contracts/calendars/"
        f"{name}-VERSION.toml, check with `spotfix calendars --check FILE`"
    )
