"""Is this installation fit to publish? One check a line, each with what to do about it."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Literal

import polars as pl
from rich.text import Text

from collectors import panel
from collectors.archive import Archive
from index import doctor_calendars, doctor_published, guarding, intake, schedule
from index.app import told_of
from index.collecting import live_sources
from index.config import Settings
from index.ledger.check import check_files
from index.ledger.log import Log
from index.reading import Row, failures_by_source, open_ledger
from index.terminal import BAD, DIM, GOOD, WARN, Screen, table
from index.unmapped import unmapped
from methodology import clock
from methodology.errors import SpotfixError

State = Literal["ok", "warn", "bad"]

LOW_DISK, NO_DISK = 2 * 10**9, 2 * 10**8
STALE = timedelta(hours=26)
"""A snapshot speaks for this long (rulebook 4): a source silent for longer counts no more."""

DEMO_ORIGIN = "spotfix-dev/log"


@dataclass(frozen=True, slots=True)
class Check:
    """One finding: ``ok``, ``warn`` (works, but should be known) or ``bad`` (must be mended)."""

    name: str
    state: State
    told: str
    fix: str = ""


def examine(settings: Settings, at: datetime) -> list[Check]:
    """Return every finding, in a fixed order. Changes nothing.

    Args:
        settings: the installation.
        at: the moment, naive UTC.
    """
    found: list[Check] = []
    steps: list[Callable[[], Iterator[Check]]] = [
        lambda: _demo(settings),
        lambda: (Check(*one) for one in doctor_published.keys(settings)),
        lambda: _python(),
        lambda: _libraries(),
        lambda: disk(settings),
        lambda: _lock(settings),
        lambda: _log(settings),
        lambda: (Check(*one) for one in doctor_published.published(settings)),
        lambda: (Check(*one) for one in doctor_published.witnesses(settings)),
        lambda: (Check(*one) for one in doctor_published.stamps(settings)),
        lambda: _archive(settings),
        lambda: _bundle(settings),
        lambda: _sources(settings, at),
        lambda: _proofs(settings),
        lambda: _guards(settings),
        lambda: _unmapped(settings),
        lambda: _schedule(at),
        lambda: (Check(*one) for one in doctor_calendars.lists(settings, at)),
    ]
    for step in steps:
        try:
            found += step()
        except SpotfixError as error:
            found.append(Check("log", "bad", str(error), "restore the files from a backup"))
        except OSError as error:
            said, _, fix = told_of(error).rpartition("; ")
            found.append(Check("files", "bad", said, fix))
    return list(dict.fromkeys(found))


def _demo(settings: Settings) -> Iterator[Check]:
    if settings.log_origin == DEMO_ORIGIN or settings.administrator_id == "spotfix-dev":
        yield Check(
            "name", "warn", f"demo names (log {settings.log_origin}, administrator "
            f"{settings.administrator_id}): not for publication",
            "set log_origin and administrator_id before the first run",
        )  # fmt: skip
    else:
        yield Check("name", "ok", f"log {settings.log_origin} of {settings.administrator_id}")


def _python() -> Iterator[Check]:
    yield Check("python", "ok", ".".join(map(str, sys.version_info[:3])))


def _libraries() -> Iterator[Check]:
    pins = _pins()
    if not pins:
        yield Check(
            "libraries", "warn", "no constraints.txt found, versions not compared",
            "run from the project's folder",
        )  # fmt: skip
        return
    other, missing = [], []
    for name in _direct():
        wanted = pins.get(name)
        try:
            installed = version(name)
        except PackageNotFoundError:
            missing.append(name)
            continue
        if wanted is not None and installed != wanted:
            other.append(f"{name} {installed}, tested with {wanted}")
    fix = "pip install -c constraints.txt -e ."
    if missing:
        yield Check("libraries", "bad", f"missing: {', '.join(missing)}", fix)
    if other:
        yield Check("libraries", "warn", "; ".join(other), fix)
    if not missing and not other:
        yield Check("libraries", "ok", "the versions this was tested with")


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _pins() -> dict[str, str]:
    for folder in (Path(), Path(__file__).resolve().parents[1]):
        file = folder / "constraints.txt"
        if file.is_file():
            lines = file.read_text("utf-8").splitlines()
            pairs = [re.match(r"([A-Za-z0-9._-]+)==([^\s;#]+)", line) for line in lines]
            return {_normal(p[1]): p[2] for p in pairs if p}
    return {}


def _direct() -> list[str]:
    try:
        wanted = [r for r in requires("spotfix") or [] if "extra ==" not in r]
    except PackageNotFoundError:
        wanted = ["polars", "duckdb", "pyarrow", "pandera", "numpy", "httpx", "genai-prices"]
    return [_normal(re.split(r"[^A-Za-z0-9._-]", r, maxsplit=1)[0]) for r in wanted]


def disk(settings: Settings) -> Iterator[Check]:
    """Yield the free space of each disk that is written to, and whether it may be written."""
    for named in doctor_published.places(settings):
        yield _room(named)


def _room(named: Path) -> Check:
    place = named.absolute()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    state: State = "ok" if free >= LOW_DISK else "warn" if free >= NO_DISK else "bad"
    fix = "" if state == "ok" else "make room, or name another folder with --out"
    if not os.access(place, os.W_OK):
        state, fix = "bad", "give this user the right to write there"
    return Check("disk", state, f"{free / 10**9:.1f} GB free at {named}", fix)


def _lock(settings: Settings) -> Iterator[Check]:
    name = holder(settings.lock)
    if name:
        yield Check("lock", "warn", f"held by {name}", "wait for it, or end it if it is stuck")
    else:
        yield Check("lock", "ok", "free")


def holder(lock: Path) -> str:
    """Return who holds the lock, empty when nobody does.

    A publisher clears its name when it lets go. Only where a name was left is the lock tried, so
    that looking can hardly ever make a publisher wait.
    """
    try:
        handle = os.open(lock, os.O_RDONLY)
    except FileNotFoundError:
        return ""
    try:
        name = os.read(handle, 4096).decode("utf-8", "replace").strip()
        if not name:
            return ""
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return name
    finally:
        os.close(handle)
    return ""


def _log(settings: Settings) -> Iterator[Check]:
    if not Log.exists(settings.ledger):
        yield Check("log", "warn", "nothing has been published here", "spotfix run")
        return
    log = Log.open(settings.ledger, read_only=True)
    if not holder(settings.lock):
        problems = check_files(settings.ledger)
        if problems:
            more = f" (and {len(problems) - 1} more)" if problems[1:] else ""
            yield Check("log", "bad", f"{problems[0]}{more}", "then: spotfix verify")
            return
    yield Check("log", "ok", f"consistent, size {log.size}, root {log.root.hex()[:16]}…")


def _archive(settings: Settings) -> Iterator[Check]:
    archive = Archive(settings.raw)
    entries = archive.entries()
    if not entries:
        return
    expired = archive.expired()
    lost = [e for e in entries if e.sha256 not in expired and not archive.path(e.sha256).is_file()]
    if lost:
        yield Check(
            "archive", "bad", f"{lost[0].source}: body {lost[0].sha256} is gone",
            "restore it from a backup",
        )  # fmt: skip
        return
    bodies = len({e.sha256 for e in entries} - set(expired))
    told = f"{len(entries)} captures, {bodies} bodies"
    if expired:
        last = max(one.expired_at for one in expired.values())
        told += f"; {len(expired)} expired as their class allows, last on {last:%Y-%m-%d}"
    yield Check("archive", "ok", told)


def _bundle(settings: Settings) -> Iterator[Check]:
    try:
        captures = intake.bundled_captures(settings.bundle)
    except (SpotfixError, OSError) as error:
        yield Check("bundle", "bad", str(error), "restore data/bundled, or --bundle FOLDER")
        return
    size = sum(len(c.body) for c in captures)
    yield Check("bundle", "ok", f"{len(captures)} bodies, {size / 10**6:.1f} MB, digests agree")


def last_seen(settings: Settings) -> dict[str, datetime]:
    """Return when each source last gave a body over the network (naive UTC)."""
    found: dict[str, datetime] = {}
    for entry in Archive(settings.raw).entries():
        if not entry.url.startswith((intake.BUNDLED, intake.PACKAGED)):
            found[entry.source] = entry.fetched_at.replace(tzinfo=None)
    return found


def _sources(settings: Settings, at: datetime) -> Iterator[Check]:
    seen = last_seen(settings)
    wanted = [s.id for s in live_sources(settings)]
    if not seen:
        yield Check(
            "sources", "ok", f"{len(panel.SOURCES)} admitted; none was asked live yet "
            "(spotfix run --live)"
        )  # fmt: skip
    else:
        late = sorted(s for s in wanted if s not in seen or at - seen[s] > STALE)
        newest = clock.iso(max(seen.values()))
        fresh = f"{len(wanted) - len(late)} of {len(wanted)} seen in the last 26 h, newest {newest}"
        yield Check("sources", "ok" if not late else "warn", fresh, "")
        failed = {one["source"] for one in failures(settings)}
        for one in late:
            if one not in failed:
                told = f"last body {clock.iso(seen[one])}" if one in seen else "never gave a body"
                yield Check(f"  {one}", "warn", told)
    for source, told, count in failures_by_source(failures(settings)):
        often = f" ({count} times)" if count > 1 else ""
        yield Check(
            f"  {source}", "warn", f"failed last time: {told}{often}",
            f"mend that, or switch it off: SPOTFIX_SOURCES__{source}__ENABLED=false",
        )  # fmt: skip


def failures(settings: Settings) -> list[Row]:
    """Return each source's failures of the last time it failed, unless it gave a body since."""
    if not Log.exists(settings.ledger):
        return []
    seen = last_seen(settings)
    newest: dict[str, list[Row]] = {}
    for one in open_ledger(settings).published.incidents:
        if one["kind"] != "SOURCE_FAILED":
            continue
        held = newest.get(one["source"], [])
        newest[one["source"]] = [*held, one] if held and held[0]["at"] == one["at"] else [one]
    off = {name for name, one in settings.sources.items() if not one.enabled}
    return [
        one
        for source, mine in newest.items()
        if source not in off
        for one in mine
        if source not in seen or clock.iso(seen[source]) < one["at"]
    ]


def _proofs(settings: Settings) -> Iterator[Check]:
    """Tell which sources are asked although no whole body of them was ever compared."""
    asked = [source.id for source in live_sources(settings)]
    unproven = [name for name in asked if not panel.is_proven(name)]
    if not unproven:
        yield Check("proofs", "ok", f"all {len(asked)} asked sources were compared with a body")
        return
    yield Check(
        "proofs", "warn", f"{len(unproven)} of {len(asked)} asked sources are unproven, their rows "
        f"move no number: {', '.join(unproven)}",
        "spotfix record SOURCE, compare with the page, then write the day in collectors/panel.py",
    )  # fmt: skip


def _guards(settings: Settings) -> Iterator[Check]:
    """Tell what the guards refuse now: whole sources, and single prices of the last round."""
    book, left = guarding.load(settings.data, Archive(settings.raw))
    if book.through is None:
        told = f"{len(left)} captures not inspected yet" if left else "nothing to guard yet"
        yield Check("guards", "ok", told)
        return
    held = guarding.quarantined(book)
    last = book.refusals.filter(pl.col("captured_at") == book.through)
    single = last.filter(~pl.col("source").is_in(list(held)))
    yield Check(
        "guards",
        "warn" if held or single.height else "ok",
        f"{len(book.states)} sources inspected up to {clock.iso(book.through)}: {len(held)} "
        f"quarantined, {single.height} single prices refused",
    )
    for name, (reason, since, bodies) in held.items():
        when = clock.iso(since) if since else "its first body"
        yield Check(
            f"  {name}", "warn", f"quarantined since {when} ({bodies} bodies): {reason}",
            "compare with the seller's page; a line in methodology/instruments/releases.toml "
            "accepts what it shows",
        )  # fmt: skip
    rows = single.group_by("source", "reason").len().sort("source", "reason").rows()
    for name, reason, count in rows:
        yield Check(f"  {name}", "warn", f"{count} prices refused in the last round: {reason}")


def _unmapped(settings: Settings) -> Iterator[Check]:
    if not Log.exists(settings.ledger):
        return
    rows = unmapped(open_ledger(settings))
    if not rows:
        yield Check("unmapped", "ok", "every listing has a reviewed line")
        return
    names = len({(r["source"], r["provider"], r["listing_id"]) for r in rows})
    yield Check(
        "unmapped", "ok", f"{names:,} listings no reviewed line maps: not used "
        "(--unmapped lists them)"
    )  # fmt: skip


def _schedule(at: datetime) -> Iterator[Check]:
    for session, when in schedule.next_due(at).items():
        minutes = int((when - at).total_seconds() // 60)
        yield Check(
            "schedule", "ok", f"next {session} print due {clock.iso(when)}, in "
            f"{minutes // 60} h {minutes % 60} min"
        )  # fmt: skip


_MARKS: dict[State, tuple[str, str]] = {"ok": ("✓", GOOD), "warn": ("!", WARN), "bad": ("✗", BAD)}


def print_checks(screen: Screen, checks: list[Check]) -> None:
    """Print one line a finding, with what to do below it."""
    rows: list[list[str | Text]] = []
    for one in checks:
        mark, style = _MARKS[one.state]
        told = Text(one.told)
        if one.fix and one.state != "ok":
            told.append(f"\nfix: {one.fix}", DIM)
        rows.append([Text(mark, style), one.name, told])
    made = table([("", "<"), ("", "<"), ("", "~")], rows, indent=1)
    made.show_header = False
    screen.grid(made)
    bad = sum(one.state == "bad" for one in checks)
    warned = sum(one.state == "warn" for one in checks)
    screen.line()
    screen.line(f"{bad} to mend, {warned} to know" if bad or warned else "all is well")


def as_values(checks: list[Check]) -> Row:
    """Return the findings for JSON."""
    return {"ok": all(c.state != "bad" for c in checks), "checks": [asdict(c) for c in checks]}
