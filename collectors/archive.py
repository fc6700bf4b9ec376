"""The raw archive: every body ever received, write-once, under the digest of its bytes.

::

    raw/3f/3f1c…          a body, exactly the bytes that were parsed
    raw/captures.jsonl    one line of canonical JSON a capture, in the order they were kept
    raw/.lock             taken while writing, so that two collectors cannot fork the file

Bodies are stored plain, not compressed. The name is then the digest of the file itself:
``sha256sum`` alone audits the archive, today and in ten years, no byte of a container format lies
outside the digest, and no decompressor can be made to swell. An unchanged body costs one line, and
a file system that compresses takes the rest.

Each line of ``captures.jsonl`` carries the digest of the line before (``previous``) and its own
(``digest``), so a changed byte, a line dropped, added or moved shows. What no file can show about
itself is that its last lines are missing: keep :meth:`Archive.head` elsewhere (the ledger does)
and give it back to :meth:`Archive.check`.

A crash leaves at most a temporary file, a body no line names, or a torn last line; the next
:meth:`Archive.put` clears the first and the last. Nothing that was acknowledged is ever removed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from collectors.base import Capture
from collectors.entries import GENESIS, Entry, digest, read_line, write_line
from methodology.errors import VerificationError

CAPTURES = "captures.jsonl"
_LOCK = ".lock"
_PART = ".part-"
_SHA256 = re.compile(r"[0-9a-f]{64}")


def _sync_directory(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


class Archive:
    """The raw archive in ``directory`` (``out/raw``). Reading never writes; ``put`` may repair.

    Any number of objects and processes may read and put at the same time.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = Path(directory)
        self._captures = self.directory / CAPTURES
        self._known: set[tuple[str, str, datetime, str]] = set()
        self._bodies: set[str] = set()
        self._head = GENESIS
        self._read_to = 0

    def path(self, sha256: str) -> Path:
        """Return where the body with this digest lies; ValueError for anything but a digest."""
        if not _SHA256.fullmatch(sha256):
            raise ValueError(f"{sha256[:80]!r} is not a SHA-256 in lower-case hex")
        return self.directory / sha256[:2] / sha256

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
                self._store(sha256, capture.body)
                line = write_line(capture, sha256, self._head)
                _write_all(handle, line)
                os.fsync(handle)
                if self._read_to == 0:
                    _sync_directory(self.directory)
            finally:
                os.close(handle)
            self._note(read_line(line[:-1], None), len(line))
        return sha256

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        handle = os.open(self.directory / _LOCK, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _note(self, entry: Entry, size: int) -> None:
        self._known.add(entry.key)
        self._bodies.add(entry.sha256)
        self._head = entry.digest
        self._read_to += size

    def _catch_up(self, handle: int) -> None:
        """Read the lines others have added since, checking their chain; mend a torn last line."""
        size = os.fstat(handle).st_size
        if size == self._read_to and size:
            return
        if size < self._read_to:
            raise self._changed("is shorter than it was")
        if self._read_to == 0:
            for stray in self.directory.glob(f"*/{_PART}*"):
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
                _write_all(handle, b"\n")
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

    def _store(self, sha256: str, body: bytes) -> None:
        path = self.path(sha256)
        if path.exists():
            self.get(sha256)
            if sha256 in self._bodies:
                return
            # Written by a put that never got to its line: make sure of it before naming it.
            self._sync_body(path)
            return
        if not path.parent.exists():
            path.parent.mkdir()
            _sync_directory(self.directory)
        part = path.with_name(f"{_PART}{os.getpid()}")
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o444)
        try:
            _write_all(handle, body)
            os.fsync(handle)
        except OSError:
            part.unlink(missing_ok=True)
            raise
        finally:
            os.close(handle)
        part.rename(path)
        _sync_directory(path.parent)

    @staticmethod
    def _sync_body(path: Path) -> None:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
        _sync_directory(path.parent)

    # --- reading -------------------------------------------------------------------------------

    def get(self, sha256: str) -> bytes:
        """Return the body with this digest, verified.

        Raises:
            VerificationError: there is none, or its bytes are no longer those of its name.
            ValueError: not a digest.
        """
        path = self.path(sha256)
        try:
            body = path.read_bytes()
        except FileNotFoundError as problem:
            raise VerificationError(f"{path}: no such body; restore it from a copy") from problem
        if digest(body) != sha256:
            raise VerificationError(f"{path}: its bytes were changed; restore it from a copy")
        return body

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
            if source is None or item.source == source:
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
            body=self.get(entry.sha256),
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

    def orphans(self) -> list[Path]:
        """Return bodies that no line names: a put was interrupted, or a line is gone."""
        named = {item.sha256 for _, item in self._lines() if isinstance(item, Entry)}
        return [path for path in self._files() if path.name not in named]

    def check(self, known_head: str | None = None) -> list[tuple[Path, str]]:
        """Return every problem as (file, what is wrong); an empty list means all is as written.

        Reads each byte of each body and line. With ``known_head``, a value :meth:`head` once gave,
        lines cut off the end show too.
        """
        problems: list[tuple[Path, str]] = []
        named: dict[str, int] = {}
        heads = {GENESIS}
        for number, item in self._lines(torn=True):
            if isinstance(item, str):
                problems.append((self._captures, f"line {number}: {item}"))
            else:
                heads.add(item.digest)
                named[item.sha256] = item.size
        if known_head is not None and known_head not in heads:
            problems.append((self._captures, f"no line has the known digest {known_head}"))
        for path in self._files():
            if path.parent.name != path.name[:2] or not _SHA256.fullmatch(path.name):
                problems.append((path, "not a body of this archive"))
                continue
            body = path.read_bytes()
            size = named.pop(path.name, None)
            if digest(body) != path.name:
                problems.append((path, "its bytes are not those of its name"))
            elif size is not None and size != len(body):
                problems.append((path, f"{len(body)} bytes, its line says {size}"))
        problems += [(self.path(sha256), "a line names it, but it is gone") for sha256 in named]
        return sorted(problems)

    def _files(self) -> list[Path]:
        """Return the files that are or pretend to be bodies; leftovers of a crash are neither."""
        ours = {self._captures, self.directory / _LOCK}
        found = (path for path in self.directory.rglob("*") if not path.is_dir())
        return sorted(p for p in found if p not in ours and not p.name.startswith(_PART))

    def _lines(self, torn: bool = False) -> Iterator[tuple[int, Entry | str]]:
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
