"""The published log in memory, verified, and looked up by what clients ask for.

Only ``site`` is read, the tree that anybody can copy, and nothing below it is ever written. On
opening every entry is hashed again, the root is compared with each signed checkpoint, and each
checkpoint with the keys of the log: a server that cannot show its log to be sound does not start.
When the checkpoint has moved, :meth:`Store.poll` reads what is new and checks it in the same way.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from bisect import bisect_right, insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from index.feed.headers import Reply
from index.ledger import merkle
from index.ledger.tiles import (
    ENTRIES,
    WIDTH,
    Head,
    Tree,
    decode_bundle,
    parse_checkpoint,
    tiles_of,
)
from index.publication.key_history import KeyHistory
from index.publication.keys import PublicKey
from index.publication.notes import Checkpoint, parse_note, verify_checkpoint
from methodology.errors import CoverageError, SpotfixError, VerificationError

CHECKPOINT = "log/checkpoint"
CHECKPOINTS = "log/checkpoints"
KEYS = "keys"
_SIZE = re.compile(r"0|[1-9][0-9]{0,17}")


@dataclass(slots=True, eq=False)
class Entry:
    """One record: its exact bytes, their SHA-256, and the fields that find it.

    ``prepared`` holds the response that was made of it, once it was asked for.
    """

    seq: int
    type: str
    body: bytes
    sha256: bytes
    index_id: str | None = None
    session: str | None = None
    ref_date: str | None = None
    revision: int = 0
    status: str | None = None
    published_at: datetime = datetime.min
    next_at: datetime = datetime.min
    is_bundled: bool = False
    prepared: Reply | None = None
    signature: tuple[str, bytes] | None = None

    def record(self) -> dict[str, Any]:
        """Return the record's fields, parsed anew."""
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass(slots=True)
class Series:
    """The fixings of one index in one session: days in order, revisions of each in order."""

    index_id: str
    session: str
    days: list[str] = field(default_factory=list)
    by_day: dict[str, list[Entry]] = field(default_factory=dict)

    def add(self, entry: Entry) -> None:
        """Take one more revision into account; the log holds them in order."""
        day = entry.ref_date or ""
        if day not in self.by_day:
            self.by_day[day] = []
            insort(self.days, day)
        if entry.revision != len(self.by_day[day]):
            raise VerificationError(
                f"record {entry.seq}: revision {entry.revision} of {self.index_id} {day} follows "
                f"{len(self.by_day[day])} others"
            )
        self.by_day[day].append(entry)

    @property
    def newest(self) -> Entry:
        """The current revision of the newest day."""
        return self.by_day[self.days[-1]][-1]


class Store:
    """The published tree, opened for reading. Make one with :meth:`open`.

    ``entries`` are all records in order; ``series`` the fixings by index and session;
    ``sessions`` the sessions of each index; ``of_type`` the records of each type in order;
    ``index_ids`` every index that any record names;
    ``fault`` is what :meth:`poll` found wrong with the tree, ``None`` while all is well.
    """

    def __init__(self, site: Path, drop: Path, data: Path) -> None:
        """Not to be called directly."""
        self.site, self.drop, self.data = site, drop, data
        self.entries: list[Entry] = []
        self.series: dict[tuple[str, str], Series] = {}
        self.sessions: dict[str, list[str]] = {}
        self.of_type: dict[str, list[Entry]] = {}
        self.index_ids: set[str] = set()
        self.keys = KeyHistory()
        self.note = b""
        self.checkpoint = Checkpoint("", 0, merkle.EMPTY_ROOT, [], [])
        self.fault: str | None = None
        self.changes = 0
        self._tree = Tree()
        self._stamp: tuple[int, ...] | None = None
        self._seen_sizes: list[int] = []
        self._seen_times: list[datetime] = []

    @classmethod
    def open(cls, site: Path, drop: Path, data: Path) -> Store:
        """Return the published tree, every entry and every checkpoint of it verified.

        Raises:
            CoverageError: nothing is published there yet.
            VerificationError: a file contradicts the rest or a signature is wrong. The message
                names the file; nothing is served until it is put right.
        """
        store = cls(site, drop, data)
        if not (site / CHECKPOINT).is_file():
            raise CoverageError(
                f"{site / CHECKPOINT}: nothing is published here; run `spotfix run` first"
            )
        store._stamp = store._now_stamp()
        store._advance()
        store._check_tiles()
        return store

    # What is there -------------------------------------------------------------------------------

    @property
    def head(self) -> Head:
        """Size and root of the log as served."""
        return self._tree.head

    @property
    def origin(self) -> str:
        """The log's name."""
        return self.checkpoint.origin

    def entry(self, seq: int) -> Entry | None:
        """Return one record, ``None`` beyond the end."""
        return self.entries[seq] if 0 <= seq < len(self.entries) else None

    def after(self, seq: int) -> Iterator[Entry]:
        """Yield the records after ``seq``, in order; -1 yields all."""
        for place in range(seq + 1, len(self.entries)):
            yield self.entries[place]

    def size_at(self, moment: datetime) -> int:
        """Return how many records a signed checkpoint had shown by ``moment`` (naive UTC)."""
        place = bisect_right(self._seen_times, moment)
        return self._seen_sizes[place - 1] if place else 0

    def is_known(self, entry: Entry, moment: datetime, size: int) -> bool:
        """Return whether a record was known at a moment at which the log had ``size`` records.

        A live record is known once a signed checkpoint shows it. One that was made from the
        bundled history counts from its scheduled time: it says so itself (flag ``BUNDLED``).
        """
        return entry.seq < size or (entry.is_bundled and entry.published_at <= moment)

    def salt(self, seq: int) -> bytes | None:
        """Return what ties a cursor to this log as of ``seq``; ``None`` beyond the end."""
        if not isinstance(seq, int) or not -1 <= seq < len(self.entries):
            return None
        leaf = self._tree.leaf_hashes[seq] if seq >= 0 else b""
        return self.origin.encode() + b"\x00" + leaf

    def inclusion_proof(self, seq: int, size: int | None = None) -> list[bytes]:
        """Return the audit path of a record in the tree of ``size`` (now: all).

        Raises:
            IndexError: there is no such record or size.
        """
        size = self.head.size if size is None else size
        return self._tree.inclusion_proof(seq, size)

    # Following ------------------------------------------------------------------------------------

    def poll(self) -> list[tuple[int, str, bytes]]:
        """Return what was published since the last call: seq, type and bytes of each record.

        Cheap while the checkpoint stands: one look at its file. A tree that no longer verifies
        changes nothing of what is served; ``fault`` then says what is wrong.
        """
        stamp = self._now_stamp()
        if stamp is None or stamp == self._stamp:
            return []
        self._stamp = stamp
        before = len(self.entries)
        try:
            self._advance()
        except (SpotfixError, OSError) as error:
            self.fault = str(error)
            return []
        self.fault = None
        return [(e.seq, e.type, e.body) for e in self.entries[before:]]

    def _now_stamp(self) -> tuple[int, ...] | None:
        try:
            found = os.stat(self.site / CHECKPOINT)
        except OSError as error:
            self.fault = f"{self.site / CHECKPOINT}: {error.strerror}"
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def _advance(self) -> None:
        """Read up to the signed checkpoint and take over what verifies, all of it or nothing."""
        path = self.site / CHECKPOINT
        note = _read(path)
        try:
            origin, head = parse_checkpoint(parse_note(note).body)
        except (ValueError, VerificationError) as error:
            raise VerificationError(f"{path}: {error}") from error
        if self.entries and origin != self.origin:
            raise VerificationError(f"{path}: of log {origin!r}, not {self.origin!r}")
        old = self.head.size
        if head.size < old:
            raise VerificationError(f"{path}: size {head.size}, but {old} records were seen")
        tree, bodies = self._tree.copy(), []
        for body in self._bodies(old, head.size):
            tree.add(merkle.leaf_hash(body))
            bodies.append(body)
        if tree.head != head:
            raise VerificationError(
                f"{path}: the entries below {self.site / 'log' / 'tile' / 'entries'} have the root "
                f"{tree.head.root.hex()} at size {tree.head.size}, and the checkpoint says "
                f"{head.root.hex()} at {head.size}; remove the site and run `spotfix run`, which "
                "makes it again from the ledger"
            )
        fresh = [_entry(seq, body, origin) for seq, body in enumerate(bodies, start=old)]
        history = self._history(fresh, origin)
        found = _verified(path, note, history.checkpoint_keys(head.size))
        passed = self._passed(old, tree, history, origin)
        self._tree, self.note, self.checkpoint, self.keys = tree, note, found, history
        for entry in fresh:
            self._take(entry)
        for one in (*passed, found):
            self._note_time(one)
        self.changes += 1

    def _history(self, fresh: Sequence[Entry], origin: str) -> KeyHistory:
        """Return the keys of the log with those that new records bring, and look at their files."""
        new = [entry for entry in fresh if entry.type == "key"]
        if not new and self.entries:
            return self.keys
        told = [*self.of_type.get("key", ()), *new]
        if not told:
            raise VerificationError(
                f"{self.site}: the log {origin} names no key; it was published by no version of "
                "this software, so nothing shows who signed it"
            )
        history = KeyHistory.read([entry.record() for entry in told], origin=origin)
        for key_id, held in history.tenures.items():
            path = self.site / KEYS / f"{key_id}.pem"
            if _read(path) != held.key.pem():
                raise VerificationError(f"{path}: is not the key that the log records")
        return history

    def _take(self, entry: Entry) -> None:
        self.entries.append(entry)
        self.of_type.setdefault(entry.type, []).append(entry)
        if entry.index_id:
            self.index_ids.add(entry.index_id)
        if entry.type == "fixing" and entry.index_id and entry.session:
            key = entry.index_id, entry.session
            if key not in self.series:
                self.series[key] = Series(*key)
                self.sessions.setdefault(entry.index_id, []).append(entry.session)
            self.series[key].add(entry)

    def _note_time(self, found: Checkpoint) -> None:
        moment = found.signed_at
        if moment is not None:
            at = moment.astimezone(UTC).replace(tzinfo=None)
            if not self._seen_sizes or self._seen_sizes[-1] < found.size:
                self._seen_sizes.append(found.size)
                last = self._seen_times[-1] if self._seen_times else at
                self._seen_times.append(max(at, last))

    def _bodies(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield the entries from ``start`` on, from the bundles of the tree of ``stop``."""
        for tile in tiles_of(stop, ENTRIES):
            first = tile.index * WIDTH
            if first + tile.width <= start:
                continue
            path = self.site / "log" / tile.path
            try:
                bodies = decode_bundle(_read(path))
            except ValueError as error:
                raise VerificationError(f"{path}: {error}") from error
            if len(bodies) != tile.width:
                raise VerificationError(f"{path}: {len(bodies)} entries, not {tile.width}")
            yield from bodies[max(0, start - first) :]

    # Checking -------------------------------------------------------------------------------------

    def _check_tiles(self) -> None:
        """Compare each published hash tile with the hashes of the entries."""
        for tile in tiles_of(self.head.size):
            if tile.level == ENTRIES:
                continue
            path = self.site / "log" / tile.path
            if _read(path) != b"".join(self._tree.hashes(tile)):
                raise VerificationError(f"{path}: is not the hashes of the entries below it")

    def _passed(self, old: int, tree: Tree, history: KeyHistory, origin: str) -> list[Checkpoint]:
        """Verify the checkpoints kept of sizes between ``old`` and the tree's, oldest first.

        Each says when its records were first shown; on opening these are all there ever were.
        """
        folder = self.site / CHECKPOINTS
        names = (path.name for path in folder.glob("[0-9]*"))
        sizes = sorted(int(name) for name in names if _SIZE.fullmatch(name))
        edge, at, found = merkle.CompactRange(), 0, []
        for size in sizes:
            if size > tree.head.size or (old and size <= old):
                continue  # beyond: the publisher is about to move the checkpoint to it
            path = folder / str(size)
            one = _verified(path, _read(path), history.checkpoint_keys(size))
            while at < size:
                edge.add(tree.leaf_hashes[at])
                at += 1
            if (one.origin, one.size, one.root) != (origin, size, edge.root()):
                raise VerificationError(
                    f"{path}: is signed for size {one.size} and root {one.root.hex()}; the "
                    f"entries have {edge.root().hex()} at size {size}"
                )
            found.append(one)
        return found


def _verified(path: Path, note: bytes, keys: Sequence[PublicKey]) -> Checkpoint:
    try:
        return verify_checkpoint(note, keys)
    except VerificationError as error:
        raise VerificationError(f"{path}: {error}") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise VerificationError(f"{path}: the file is missing from the published tree") from None


def _entry(seq: int, body: bytes, origin: str) -> Entry:
    """Return one record as it is kept; its own seq and origin must be its place."""
    try:
        record = json.loads(body)
        entry = Entry(seq, record["type"], body, hashlib.sha256(body).digest())
        if (record["seq"], record["log_origin"]) != (seq, origin):
            raise ValueError(f"says seq {record['seq']} of {record['log_origin']}")
        entry.index_id = record.get("index_id")
        entry.session = record.get("session")
        entry.ref_date = record.get("ref_date")
        entry.status = record.get("status")
        if entry.type == "fixing":
            entry.revision = record["revision"]
            entry.published_at = _time(record["published_at"])
            entry.next_at = _time(record["next_publication_at"])
            entry.is_bundled = "BUNDLED" in record["flags"]
    except (ValueError, KeyError, TypeError) as error:
        raise VerificationError(f"entry {seq} of {origin}: is no record: {error!r}") from error
    return entry


def _time(text: str | None) -> datetime:
    """Return a record's time as naive UTC."""
    if text is None:
        return datetime.min
    return datetime.fromisoformat(text.removesuffix("Z"))


__all__ = ["Entry", "Series", "Store"]
