"""Small published trees, made from records of the small bundle: about forty records, true bodies.

A tree is site and drop as bytes by path, so that one file can be changed without touching a disk.
Other histories of the same log (a fork), other logs, and the log as it was earlier come from the
same maker, signed by the same demonstration keys: sound in themselves, as an operator could make
them who wanted to.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from index.config import Settings
from index.ledger.canonical import canonical, digest
from index.ledger.log import Log
from index.ledger.tiles import Head
from index.publication import key_records, keyring
from index.publication.publisher import Publisher
from index.shelves import Held
from index.verify_targets import Target

ORIGIN = "example.org/spotfix"
AT = datetime(2026, 8, 31, 23, 30, tzinfo=UTC)
MOST = 10
"""Indices in a tree: eight with a value, two without, of both sessions."""

Record = dict[str, Any]


@dataclass(frozen=True)
class Published:
    """A published tree: files of site and drop by path, the log's entries and its heads."""

    site: dict[str, bytes]
    drop: dict[str, bytes]
    bodies: tuple[bytes, ...]
    heads: tuple[Head, ...]
    out: Path

    @property
    def files(self) -> dict[str, bytes]:
        """Every file, ``site/`` or ``drop/`` before its path."""
        return {
            **{f"site/{name}": body for name, body in self.site.items()},
            **{f"drop/{name}": body for name, body in self.drop.items()},
        }

    def record(self, seq: int) -> Record:
        found: Record = json.loads(self.bodies[seq])
        return found


def target_of(files: dict[str, bytes]) -> Target:
    """Return what to verify: site and drop of files in memory."""
    site = Held({n[5:]: b for n, b in files.items() if n.startswith("site/")}, "site/")
    drop = Held({n[5:]: b for n, b in files.items() if n.startswith("drop/")}, "drop/")
    log = Held({n[4:]: b for n, b in site.files.items() if n.startswith("log/")}, "site/log/")
    return Target("site", "tree", log, site, drop)


def read_files(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder by its path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def chosen(records: Sequence[Record]) -> list[str]:
    """Return the indices of a tree: of each family and session some, with a value first."""
    last = {r["index_id"]: r for r in records if r["type"] == "fixing" and r["revision"] == 1}
    with_value = [n for n, r in last.items() if r["value"] is not None]
    shanghai = [n for n in last if last[n]["session"] == "SHA"]
    families: dict[str, list[str]] = {}
    for name in with_value:
        families.setdefault(name[:3], []).append(name)
    mixed = [n for rank in range(4) for names in families.values() for n in names[rank : rank + 1]]
    without = [n for n, r in last.items() if r["value"] is None and r["session"] == "NYC"]
    picked = list(dict.fromkeys([*shanghai[:2], *mixed]))[: MOST - 2]
    return [*picked, *without[:2]]


def make_tree(
    source: Path,
    out: Path,
    *,
    origin: str = ORIGIN,
    change: Callable[[Record], Record] = lambda record: record,
    appends: int = 5,
) -> Published:
    """Publish a small log below ``out`` and return it.

    Args:
        source: a ledger of the small bundle.
        out: an empty folder.
        origin: the new log's name.
        change: applied to each fixing before it is logged: another history.
        appends: keys, rules, commitments, first and final revisions: how many of these are made.
    """
    told = Log.open(source, read_only=True)
    records = [json.loads(body) for body in told.entries()]
    names = chosen(records)
    settings = Settings(out=out, log_origin=origin)
    ring = keyring.demo(origin)
    log = Log.create(settings.ledger, origin)
    publisher = Publisher(settings, ring, now=lambda: AT)
    kept = [r for r in records if r["type"] in ("methodology", "batch")]
    rules = [r for r in kept if r.get("artefact", {}).get("kind") in ("rules", "manifest")]
    mine = [r for r in records if r.get("index_id") in names]
    commits = [r for r in mine if r["type"] == "commitment"]
    fixings = [r for r in mine if r["type"] == "fixing"]
    steps: list[list[Record]] = [
        [make(seq) for seq, make in enumerate(key_records.opening(ring, origin, AT))],
        rules,
        commits,
        [r for r in fixings if r["revision"] == 0],
        [r for r in fixings if r["revision"] == 1],
    ]
    places: dict[int, int] = {}
    digests: dict[tuple[str, int], str] = {}
    for step in steps[:appends]:
        first, bodies = log.size, []
        for seq, record in enumerate(step, start=first):
            if record["type"] == "key":
                bodies.append(canonical(record))
                continue
            places[record["seq"]] = seq
            made = {**record, "seq": seq, "log_origin": origin}
            if record["type"] == "fixing":
                key = record["index_id"], record["revision"]
                made["commit_seq"] = places[record["commit_seq"]]
                made["supersedes"] = digests.get((key[0], key[1] - 1))
                made = change(made)
                digests[key] = digest(canonical(made))
            bodies.append(canonical(made))
        _copy_bodies(source, settings.ledger, bodies)
        log.append(bodies, expected_first=first)
        publisher.catch_up(log)
    return Published(
        read_files(settings.site),
        read_files(settings.drop),
        tuple(log.entries()),
        tuple(head for head in log.heads if head.size),
        out,
    )


def _copy_bodies(source: Path, ledger: Path, bodies: Sequence[bytes]) -> None:
    """Copy every stored body that these records cite."""
    text = b"\n".join(bodies)
    for path in sorted((source / "batches").rglob("*.jsonl")):
        copy = ledger / "batches" / path.parent.name / path.name
        if path.stem.encode() in text and not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
