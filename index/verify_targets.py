"""What `spotfix verify TARGET` is given, and what is checked of it.

A target is a record's file, a folder of the drop, a site or a log, a file of the analysts' data, an
audit bundle; each in a folder or, but for the last two, at an address.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from index.foreign_log import Break
from index.known_heads import Known
from index.ledger.tiles import Head
from index.outside import Outside, check_address
from index.publication import drop
from index.shelves import Folder, Served, Shelf, Within
from index.verify_copies import Asking
from index.verify_drop import check_bodies, check_drop, check_site
from index.verify_fields import check_fields
from index.verify_log import (
    check_chain,
    check_checkpoints,
    check_head,
    check_tiles,
)
from index.verify_record import check_lone, check_record
from index.verify_target import Target
from index.verify_witnesses import Bound, check_times, check_witnesses
from index.verifying import Findings, Seen, Trust, read_log
from methodology.errors import UsageError, VerificationError

_ENDINGS = (".json", ".json.sig", ".csv", ".xml", ".fix", ".tlog-proof")


@dataclass
class Outcome:
    """What was found, the log if one was read, and what bounds its days from outside."""

    found: Findings
    seen: Seen | None = None
    evidence: Break | None = None
    bounds: list[Bound] = field(default_factory=list)


def locate(text: str, outside: Outside | None, log: str | None = None) -> Target:
    """Return what a command line names.

    Args:
        text: a path or an address.
        outside: for addresses; ``None`` refuses them.
        log: where the log is, if not found from the target.

    Raises:
        UsageError: nothing of that name, or nothing that can be verified.
    """
    given = _log_at(log, outside) if log else None
    if text.startswith(("http://", "https://")):
        return _at_address(text, _served(text, outside), given)
    path = Path(text).absolute()
    if not path.exists():
        what = "an address begins with https://" if "://" in text else "no such file or folder"
        raise UsageError(f"{text}: {what}")
    beside = _batches_beside(log)
    if path.is_file():
        return _file(path, text, given, beside)
    if (path / "records.jsonl").exists():
        return Target("bundle", text, path=path)
    if (path / "checkpoint").is_file():
        site = path.parent if path.name == "log" and (path.parent / "keys").is_dir() else None
        return Target("log", text, given or Folder(path), Folder(site) if site else None)
    if (path / "log" / "checkpoint").is_file() and (path / "keys").is_dir():
        return _site(path, text, path.parent / "drop")
    if (path / "site" / "log" / "checkpoint").is_file():
        return _site(path / "site", text, path / "drop")
    if list(path.glob("*.parquet")) or list(path.glob("*.duckdb")):
        return Target("tables", text, given or _near(path), beside or _site_near(path), path=path)
    root = _drop_root(path)
    if root is None:
        raise UsageError(
            f"{text}: neither a record, a drop, a site, a log, tables nor an audit bundle"
        )
    under = path.relative_to(root).as_posix()
    return Target(
        "drop",
        text,
        given or _near(root),
        beside or _site_near(root),
        Folder(root),
        "" if under == "." else under,
    )


def verify(
    target: Target,
    trust: Trust,
    known: Sequence[Known] = (),
    found: Findings | None = None,
    asking: Asking | None = None,
) -> Outcome:
    """Check a target against its log; nothing is raised for what does not hold.

    Args:
        target: what, from :func:`locate`.
        trust: pinned keys.
        known: heads of this log that were seen before.
        found: takes what was found; a new one if not given.
        asking: how many second copies a server is asked for.

    Raises:
        UsageError: there is nothing to check the target against.
        Unreachable: a server did not answer.
    """
    outcome = Outcome(found or Findings())
    if target.log is None:
        if target.kind != "record":
            raise UsageError(f"{target.label}: its log is out of reach; name it with --log")
        check_lone(target, trust, outcome.found)
        return outcome
    seen = outcome.seen = read_log(target.log, trust, outcome.found)
    if seen is None:
        outcome.evidence = _shown_fork(target.log, known, outcome.found)
        return outcome
    for one in known:
        outcome.evidence = check_head(seen, one.head, one.told, outcome.found) or outcome.evidence
    check_chain(seen, outcome.found)
    check_fields(seen, outcome.found)
    outcome.bounds = check_times(seen, check_witnesses(seen, trust, outcome.found), outcome.found)
    if target.kind in ("site", "log"):
        check_tiles(seen, outcome.found)
        check_checkpoints(seen, outcome.found)
    if target.kind == "site" and target.site is not None:
        check_site(target.site, seen, outcome.found, asking)
    if target.drop is not None and target.kind in ("site", "drop"):
        check_drop(target.drop, seen, outcome.found, target.under, trust.authorities)
    if target.kind == "drop" and target.site is not None:
        below = [
            seq
            for seq, record in enumerate(seen.records)
            if (place := drop.place_of(record)) is not None
            and f"{place.folder}/".startswith(f"{target.under}/".lstrip("/"))
        ]
        check_bodies(Within(target.site, "batches"), seen, outcome.found, below or [0])
    if target.kind == "record":
        check_record(target, seen, outcome.found)
    return outcome


def _shown_fork(log: Shelf, known: Sequence[Known], found: Findings) -> Break | None:
    """Return a fork that the checkpoint alone shows, when its log cannot be read."""
    from index.ledger.tiles import parse_checkpoint
    from index.publication.notes import parse_note

    try:
        origin, head = parse_checkpoint(parse_note(log.read("checkpoint") or b"").body)
    except (VerificationError, ValueError):
        return None
    for one in known:
        if head.size <= one.head.size and head != one.head:
            what = "the log was forked" if head.size == one.head.size else "the log is shorter"
            evidence = Break(origin, one.head, head, what)
            found.add(log.where("checkpoint"), f"{evidence} (known from {one.told})")
            return evidence
    return None


# Where things are -------------------------------------------------------------------------------


def _site(path: Path, label: str, drop_path: Path) -> Target:
    site = Folder(path)
    there = drop_path if drop_path.is_dir() else path / "drop"
    files = Folder(there) if there.is_dir() else None
    return Target("site", label, Within(site, "log"), site, files)


def _batches_beside(log: str | None) -> Folder | None:
    """Return the site of a log that was named, if bodies are published beside it."""
    if log is None or "://" in log:
        return None
    for place in (Path(log).absolute(), Path(log).absolute().parent, Path(log).absolute() / "site"):
        if (place / "batches").is_dir() and (place / "log" / "checkpoint").is_file():
            return Folder(place)
    return None


def _file(path: Path, label: str, given: Shelf | None, beside: Folder | None) -> Target:
    site = beside or _site_near(path.parent)
    if path.suffix in (".duckdb", ".parquet"):
        return Target("tables", label, given or _near(path.parent), site, path=path)
    if path.suffix == ".tar":
        return Target("bundle", label, path=path)
    stem = _stem(path.name)
    if stem is None:
        raise UsageError(f"{label}: not a record's file; those end in {', '.join(_ENDINGS)}")
    log = given or _near(path.parent)
    return Target("record", label, log, site, stem=stem, beside=Folder(path.parent))


def _stem(name: str) -> str | None:
    for ending in sorted(_ENDINGS, key=len, reverse=True):
        if name.endswith(ending):
            return name.removesuffix(ending)
    return None


def _site_near(path: Path) -> Folder | None:
    for above in (path, *path.parents):
        for place in (above, above / "site"):
            if (place / "log" / "checkpoint").is_file():
                return Folder(place)
    return None


def _near(path: Path) -> Shelf | None:
    site = _site_near(path)
    return Within(site, "log") if site is not None else None


def _drop_root(path: Path) -> Path | None:
    for above in (path, *path.parents):
        parts = path.relative_to(above).parts
        if (above / "v1").is_dir() and parts[:1] in ((), ("v1",)):
            return above
    return None


def _log_at(text: str, outside: Outside | None) -> Shelf:
    if text.startswith(("http://", "https://")):
        return _served(text, outside)
    path = Path(text)
    for place in (path, path / "log", path / "site" / "log"):
        if (place / "checkpoint").is_file():
            return Folder(place)
    raise UsageError(f"--log {text}: no checkpoint there")


def _served(url: str, outside: Outside | None) -> Served:
    if outside is None:
        raise UsageError(f"{url}: addresses are not asked here")
    check_address(url, outside.is_insecure)
    return Served(outside, url)


def _at_address(url: str, served: Served, given: Shelf | None) -> Target:
    parts = urlsplit(url)
    path = parts.path.rstrip("/")
    base = f"{parts.scheme}://{parts.netloc}"

    def shelf(under: str) -> Served:
        return Served(served.outside, base + under)

    if path.endswith("/log"):
        return Target("log", url, given or shelf(path))
    for mark in ("/drop/", "/v1/"):
        at = (path + "/").find(mark)
        if at < 0:
            continue
        site = shelf(path[:at])
        log = given or Within(site, "log")
        folder, _, name = path.rpartition("/")
        stem = _stem(name)
        if stem is not None:
            return Target("record", url, log, site, stem=stem, beside=shelf(folder))
        if mark == "/drop/":
            under = path[at + len(mark) :].strip("/")
            return Target("drop", url, log, site, Within(site, "drop"), under)
        raise UsageError(
            f"{url}: name a record's file (.../r1.json; of latest: what its Content-Location "
            "says), a folder below /drop/v1, or the log"
        )
    site = shelf(path)
    return Target("site", url, given or Within(site, "log"), site, Within(site, "drop"))


__all__ = ["Head", "Outcome", "Target", "locate", "verify"]
