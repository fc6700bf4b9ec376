"""``spotfix calendars``: how far the lists reach that contracts go by; is a new one right."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from index.app import JsonOption, OutOption, screen_of, settings_of
from methodology.errors import UsageError

if TYPE_CHECKING:
    from methodology.calendars import Calendar


def calendars(
    check: Annotated[
        Path | None,
        typer.Option("--check", metavar="FILE", help="Check a later edition before it is added."),
    ] = None,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how far lists of pricing days reach; check a new one.

    Fixings need none: every day of the calendar is an index day.

    \b
    Example:
      spotfix calendars
      spotfix calendars --check XSHG-1.1.0.toml
    """
    screen = screen_of(as_json)
    if check is not None:
        told = _checked(check)
        if as_json:
            screen.json(told)
            return
        screen.line(
            f"{told['calendar_id']} {told['version']} continues {told['supersedes']}: "
            f"{told['sessions_added']} sessions more, up to {told['last_day']}"
        )
        for one in told["changes"]:
            screen.line(f"changed: {one['day']} is {one['becomes']}, because {one['because']}")
        screen.line(
            "next: put it into methodology/contracts/calendars and refresh FROZEN.sha256 there "
            "(CONTRIBUTING.md, Add an edition of a calendar); the next live run logs it"
        )
        return
    from index import schedule
    from index.terminal import table

    rows = _rows(out, schedule.utc_now().date())
    if as_json:
        screen.json(rows)
        return
    columns = [
        ("calendar", "<"), ("edition", "<"), ("up to", "<"), ("days left", ">"),
        ("in the log", "<"), ("contracts", "~"),
    ]  # fmt: skip
    cells = [
        [
            r["calendar_id"], r["version"], r["last_day"] or "no end",
            "" if r["days_left"] is None else str(r["days_left"]), r["in_log"] or "",
            ", ".join(r["contracts"]),
        ]
        for r in rows
    ]  # fmt: skip
    screen.grid(table(columns, cells))


def _rows(out: Path | None, day: date) -> list[dict[str, Any]]:
    """Return the calendar of fixings and the newest edition of each list in use."""
    from index import calendar_records
    from index.feed.formats import CALENDAR
    from index.ledger.log import Log
    from index.reading import open_ledger
    from methodology.calendars import made_by

    settings = settings_of(out=out)
    logged: dict[str, str] = {}
    if Log.exists(settings.ledger):
        for one in open_ledger(settings).published.calendars:
            logged[one["calendar_id"]] = one["version"]
    name, _, version = CALENDAR.partition("/")
    rows: list[dict[str, Any]] = [
        {
            "calendar_id": name, "version": version, "last_day": None, "days_left": None,
            "in_log": None, "contracts": [], "digest": None,
        }
    ]  # fmt: skip
    for name, contracts in calendar_records.users().items():
        listed = made_by(name, day)
        rows.append(
            {
                "calendar_id": name,
                "version": listed.version,
                "last_day": listed.last_day.isoformat(),
                "days_left": calendar_records.days_left(listed, day),
                "in_log": logged.get(name),
                "contracts": [contract.id for contract in contracts],
                "digest": f"sha256:{listed.digest}",
            }
        )
    return rows


def _checked(file: Path) -> dict[str, Any]:
    """Return what a later edition adds, once it is one.

    Raises:
        UsageError: the file cannot be read.
        DefinitionError: it is no calendar, or does not continue the newest edition.
    """
    from methodology.calendars import check_successor, load_calendar, load_calendars

    try:
        new: Calendar = load_calendar(file)
    except OSError as error:
        raise UsageError(f"--check {file}: {error.strerror}; name a TOML file") from None
    known = load_calendars()
    if new.id not in known:
        raise UsageError(f"--check {file}: no calendar {new.id}; there are {', '.join(known)}")
    old = known[new.id]
    check_successor(old, new)
    return {
        "calendar_id": new.id,
        "version": new.version,
        "supersedes": new.supersedes,
        "last_day": new.last_day.isoformat(),
        "sessions_added": len(new.days) - len(old.days),
        "changes": [one.model_dump(mode="json") for one in new.changes],
        "digest": f"sha256:{new.digest}",
    }
