"""The raw archive: every body ever received, write-once, under the digest of its bytes.

::

    raw/3f/3f1c….zst      a body, exactly the bytes that were parsed, packed (``bodies.py``)
    raw/captures.jsonl    one line of canonical JSON a capture, in the order they were kept
    raw/.lock             taken while writing, so that two collectors cannot fork the file

The name is the digest of the plain body: ``zstd -dc FILE | sha256sum`` audits it. A capture's line
also carries the digest of the packed file (``stored``), so no byte of the container lies outside a
digest, and the length that unpacking may not pass (``bytes``), so no file can be made to swell. An
unchanged body costs one line.

Each line of ``captures.jsonl`` carries the digest of the line before (``previous``) and its own
(``digest``), so a changed byte, a line dropped, added or moved shows. What no file can show about
itself is that its last lines are missing: keep :meth:`Archive.head` elsewhere and give it back to
:meth:`Archive.check`.

A crash leaves at most a temporary file, a body no line names, or a torn last line; the next
:meth:`Archive.put` clears the first and the last. What was acknowledged is removed only by
:meth:`Archive.expire`, which first writes a line that says so; that line stays.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from collections.abc import Container, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from collectors.base import Capture
from collectors.bodies import PACKED, PART, Bodies, digest, sync_directory, write_all, wrong
from collectors.entries import GENESIS, Entry, Expiry, read_line, write_expiry, write_line
from methodology.errors import VerificationError

CAPTURES = "captures.jsonl"
FIVE_YEARS = "five_years"
"""The one retention class whose bodies may go: records are kept that long (IOSCO principle 18)."""

_LOCK = ".lock"


def _five_years_before(at: datetime) -> datetime:
    try:
        return at.replace(year=at.year - 5)
    except ValueError:  # 29 February
        return at.replace(year=at.year - 5, day=28)


class Archive:
    """The raw archive in ``directory`` (``out/raw``). Reading never writes; ``put`` may repair.

    Any number of objects and processes may read and put at the same time.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = Path(directory)
        self._captures = self.directory / CAPTURES
        self._files_of = Bodies(self.directory)
        self._known: set[tuple[str, str, datetime, str]] = set()
        self._sizes: dict[str, int] = {}
        self._expired: dict[str, Expiry] = {}
        self._head = GENESIS
        self._read_to = 0

    def path(self, sha256: str) -> Path:
        """Return where the body with this digest lies; ValueError for anything but a digest."""
        return self._files_of.path(sha256)

    # --- writing -------------------------------------------------------------------------------

    def put(self, capture: Capture) -> str:
        """Keep a capture and return the digest of its body; both are on disk on return.

        The body is written once; a capture of a body already there adds a line only, and the very
        same capture (source, URL, time and digest) adds nothing.

        Raises:
            VerificationError: what is already stored has been changed; nothing is added to it.
            OSError: the disk refuses. What was acknowledged before is untouched; put again.
            ValueError: the capture's time has no zone.
        """
        if capture.fetched_at.tzinfo is None:
            raise ValueError(f"{capture.source}: fetched_at has no time zone; give aware UTC")
        sha256 = digest(capture.body)
        key = (capture.source, capture.url, capture.fetched_at.astimezone(UTC), sha256)
        self.directory.mkdir(parents=True, exist_ok=True)
        with self._locked():
            handle = os.open(self._captures, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            try:
                self._catch_up(handle)
                if key in self._known:
                    return sha256
                stored = self._store(sha256, capture.body)
                self._append(handle, write_line(capture, sha256, self._head, stored))
            finally:
                os.close(handle)
        return sha256

    def expire(
        self, now: datetime, classes: Mapping[str, str], in_use: Container[str]
    ) -> list[str]:
        """Remove what may go; return the digests of the bodies removed, sorted.

        A body goes when every source that gave it is of class ``five_years`` and the newest of its
        captures is older than that. Its lines stay, and a line that says when it went is on disk
        before the body is touched, so that a crash between the two leaves a body too many and
        never one too few; the next call removes it.

        Args:
            now: aware; what is older than five years of the calendar before it may go.
            classes: retention class by source id; a source without one is kept.
            in_use: digests that a published record cites; these are never removed.

        Raises:
            VerificationError: what is stored has been changed; nothing is removed.
        """
        if not self._captures.exists():
            return []
        limit = _five_years_before(now)
        removed: list[str] = []
        with self._locked():
            handle = os.open(self._captures, os.O_RDWR | os.O_APPEND)
            try:
                self._catch_up(handle)
                kept = {
                    sha256
                    for source, _, fetched_at, sha256 in self._known
                    if classes.get(source) != FIVE_YEARS or fetched_at >= limit
                }
                for sha256 in sorted({key[3] for key in self._known} - kept):
                    if sha256 not in in_use:
                        line = write_expiry(sha256, FIVE_YEARS, now, self._head)
                        self._append(handle, line)
                        removed.append(sha256)
            finally:
                os.close(handle)
            for sha256 in self._expired:
                self._files_of.remove(sha256)
        return removed

    def _append(self, handle: int, line: bytes) -> None:
        write_all(handle, line)
        os.fsync(handle)
        if self._read_to == 0:
            sync_directory(self.directory)
        self._note(read_line(line[:-1], None), len(line))

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        handle = os.open(self.directory / _LOCK, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _note(self, item: Entry | Expiry, size: int) -> None:
        if isinstance(item, Entry):
            self._known.add(item.key)
            self._sizes[item.sha256] = item.size
            self._expired.pop(item.sha256, None)
        else:
            self._known = {key for key in self._known if key[3] != item.sha256}
            self._sizes.pop(item.sha256, None)
            self._expired[item.sha256] = item
        self._head = item.digest
        self._read_to += size

    def _catch_up(self, handle: int) -> None:
        """Read the lines others have added since, checking their chain; mend a torn last line."""
        size = os.fstat(handle).st_size
        if size == self._read_to and size:
            return
        if size < self._read_to:
            raise self._changed("is shorter than it was")
        if self._read_to == 0:
            for stray in self.directory.glob(f"*/{PART}*"):
                stray.unlink()
        tail = os.pread(handle, size - self._read_to, self._read_to)
        *lines, torn = tail.split(b"\n")
        if lines and lines[-1].startswith(b"\0"):
            # Power went between its two pages: the end was written, the start reads as zeros.
            torn = lines.pop() + b"\n" + torn
        for line in lines:
            try:
                entry = read_line(line, self._head)
            except (ValueError, TypeError) as problem:
                raise self._changed(f"at byte {self._read_to}: {problem}") from problem
            self._note(entry, len(line) + 1)
        if not torn:
            return
        for length in (len(torn), len(torn) - 1):
            with contextlib.suppress(ValueError, TypeError):
                read_line(torn[:length], self._head)
                # A whole line: its newline was changed or cut off after it was acknowledged, or
                # lost in the crash. Only the last is ours to mend, and it leaves the length alone.
                if length < len(torn):
                    raise self._changed("ends in a whole line whose newline was changed")
                write_all(handle, b"\n")
                os.fsync(handle)
                self._note(read_line(torn, None), len(torn) + 1)
                return
        os.ftruncate(handle, self._read_to)
        os.fsync(handle)

    def _changed(self, what: str) -> VerificationError:
        return VerificationError(
            f"{self._captures}: {what}; nothing was added. Run `spotfix doctor`, then restore the "
            "file from a backup or a witness."
        )

    def _store(self, sha256: str, body: bytes) -> str | None:
        """Make sure of a body; return the digest of its packed file, None if it lies plain."""
        if not self.path(sha256).exists():
            return self._files_of.write(sha256, body)
        _, stored = self._files_of.read(sha256, len(body))
        if sha256 not in self._sizes:
            # Written by a put that never got to its line: make sure of it before naming it.
            self._files_of.sync(sha256)
        return stored

    # --- reading -------------------------------------------------------------------------------

    def get(self, sha256: str, size: int | None = None) -> bytes:
        """Return the body with this digest, verified.

        ``size`` is the length its line states; without it the lines are read for it.

        Raises:
            VerificationError: there is none, it expired, or its bytes are no longer those of its
                name.
            ValueError: not a digest.
        """
        if size is None and self.path(sha256).name.endswith(PACKED):
            size = self._size_of(sha256)
        if not self.path(sha256).is_file():
            gone = self.expired().get(sha256)
            if gone is not None:
                raise VerificationError(f"{self.path(sha256)}: {gone.told}")
        return self._files_of.read(sha256, size)[0]

    def _size_of(self, sha256: str) -> int | None:
        """Return the length that a line states for a body; None when no line names it."""
        if sha256 not in self._sizes:
            self._sizes |= {
                item.sha256: item.size for _, item in self._lines() if isinstance(item, Entry)
            }
        return self._sizes.get(sha256)

    def expired(self) -> dict[str, Expiry]:
        """Return the bodies that were removed because their class allows it, by digest."""
        found: dict[str, Expiry] = {}
        for _, item in self._lines():
            if isinstance(item, Expiry):
                found[item.sha256] = item
            elif isinstance(item, Entry):
                found.pop(item.sha256, None)
        return found

    def entries(self, source: str | None = None) -> list[Entry]:
        """Return the captures without their bodies, by time, source, URL and digest.

        The order does not depend on which capture was kept first. ``source`` narrows to one.

        Raises:
            VerificationError: a line is not what was written; it names the line.
        """
        found: list[Entry] = []
        for number, item in self._lines():
            if isinstance(item, str):
                raise VerificationError(f"{self._captures}: line {number}: {item}")
            if isinstance(item, Entry) and source in (None, item.source):
                found.append(item)
        return sorted(found, key=lambda one: (one.fetched_at, one.source, one.url, one.sha256))

    def captures(self, source: str | None = None) -> list[Capture]:
        """Return the captures with their bodies, each verified, in the order of :meth:`entries`.

        All bodies are held at once: for a long history, walk :meth:`entries` and :meth:`load`.

        Raises:
            VerificationError: as :meth:`entries` and :meth:`get`.
        """
        return [self.load(entry) for entry in self.entries(source)]

    def load(self, entry: Entry) -> Capture:
        """Return the capture of an entry, its body verified."""
        return Capture(
            source=entry.source,
            url=entry.url,
            body=self.get(entry.sha256, entry.size),
            fetched_at=entry.fetched_at,
            status=entry.status,
            headers=entry.headers,
        )

    def head(self) -> str:
        """Return the digest of the last whole line, 64 zeros when there is none."""
        head = GENESIS
        for number, item in self._lines():
            if isinstance(item, str):
                raise VerificationError(f"{self._captures}: line {number}: {item}")
            head = item.digest
        return head

    def check(self, known_head: str | None = None) -> list[tuple[Path, str]]:
        """Return every problem as (file, what is wrong); an empty list means all is as written.

        Reads each byte of each body and line. With ``known_head``, a value :meth:`head` once gave,
        lines cut off the end show too.
        """
        problems: list[tuple[Path, str]] = []
        named: dict[str, tuple[int, set[str]]] = {}
        heads = {GENESIS}
        for number, item in self._lines(torn=True):
            if isinstance(item, str):
                problems.append((self._captures, f"line {number}: {item}"))
                continue
            heads.add(item.digest)
            if isinstance(item, Expiry):
                named.pop(item.sha256, None)
            else:
                _, stored = named.get(item.sha256, (0, set()))
                named[item.sha256] = (item.size, stored | ({item.stored} if item.stored else set()))
        if known_head is not None and known_head not in heads:
            problems.append((self._captures, f"no line has the known digest {known_head}"))
        held = set()
        for path in self._files():
            sha256 = self._files_of.name_of(path)
            if sha256 is None:
                problems.append((path, "not a body of this archive"))
                continue
            held.add(sha256)
            size, stored = named.get(sha256, (None, set()))
            fault = wrong(path, sha256, size, stored)
            problems += [(path, fault)] if fault else []
        problems += [
            (self.path(sha256), "a line names it, but it is gone") for sha256 in set(named) - held
        ]
        return sorted(problems)

    def _files(self) -> list[Path]:
        """Return the files that are or pretend to be bodies; leftovers of a crash are neither."""
        ours = {self._captures, self.directory / _LOCK}
        found = (path for path in self.directory.rglob("*") if not path.is_dir())
        return sorted(p for p in found if p not in ours and not p.name.startswith(PART))

    def _lines(self, torn: bool = False) -> Iterator[tuple[int, Entry | Expiry | str]]:
        """Yield (line number, entry or what is wrong with it); ``torn`` also tells of a tail."""
        try:
            file = self._captures.open("rb")
        except FileNotFoundError:
            return
        previous = GENESIS
        with file:
            for number, line in enumerate(file, start=1):
                if not line.endswith(b"\n"):
                    if torn:
                        yield number, f"{len(line)} bytes without an end"
                    return
                try:
                    entry = read_line(line[:-1], previous)
                except (ValueError, TypeError) as problem:
                    yield number, str(problem)
                    # Go on from what the line claims, so that one fault is told once.
                    found = re.search(rb'"digest":"([0-9a-f]{64})"', line)
                    previous = found[1].decode() if found else previous
                    continue
                previous = entry.digest
                yield number, entry
