"""Many write-once files at once, as durable as one at a time and much faster.

All files of a set are written under dot-names and flushed by a few threads before the first one
gets its name; directories are flushed once each. A reader never sees part of a file, and whoever
sees the last file of a set finds all files before it.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from index.ledger import files
from index.ledger.files import fsync_directory, is_temporary, replace_durably
from methodology.errors import LogInconsistent

THREADS = 8
"""Threads that flush: the kernel writes their files out together."""

_COUNTER = itertools.count()


class Writer:
    """Writes below one or more roots for the holder of the publisher's lock.

    Use as a context manager. The first visit to a directory removes the unfinished files that a
    killed publisher left in it.

    Args:
        roots: the directories below which everything is written; their names are flushed too.
    """

    def __init__(self, *roots: Path) -> None:
        self.roots = roots
        self.written = 0
        self.linked = 0
        self._visited: set[Path] = set()
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="flush")

    def __enter__(self) -> Writer:
        """Return the writer."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def put(
        self,
        bodies: Sequence[tuple[Path, bytes]],
        passing: Callable[[int, int], None] = lambda done, of: None,
    ) -> None:
        """Write every file that is not there yet; they get their names in the order given.

        Args:
            bodies: path and bytes of each file.
            passing: called with the count of names given so far and their sum, from 0 on.

        Raises:
            LogInconsistent: one exists with other bytes; it is kept, nothing was written.
            OSError: the disk refused; the message names the file and the next step. None of the
                files that had no name yet has one now.
        """
        fresh = [(path, body) for path, body in bodies if not is_there(path, body)]
        folders = sorted({path.parent for path, _ in bodies})
        self._make(folders)
        waiting = [(self._temporary(path), path, body) for path, body in fresh]
        try:
            for _ in self._pool.map(_write, waiting):
                pass
            passing(0, len(waiting))
            for count, (temporary, path, _) in enumerate(waiting, start=1):
                with explained(path):
                    os.rename(temporary, path)
                passing(count, len(waiting))
        except BaseException:
            self._pool.shutdown(wait=True, cancel_futures=True)
            for temporary, _, _ in waiting:
                with contextlib.suppress(OSError):
                    os.unlink(temporary)
            self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="flush")
            raise
        self.written += len(waiting)
        self._flush(folders)

    def link(
        self,
        pairs: Sequence[tuple[Path, Path]],
        passing: Callable[[int, int], None] = lambda done, of: None,
    ) -> None:
        """Give every file a second name: a hard link, or a copy where the disk has no links.

        Args:
            pairs: source and target of each; the source is durable already.
            passing: as for :meth:`put`.

        Raises:
            LogInconsistent: a target exists with other bytes.
            OSError: the disk refused.
        """
        folders = sorted({target.parent for _, target in pairs})
        self._make(folders)
        copies = []
        for count, (source, target) in enumerate(pairs):
            passing(count, len(pairs))
            try:
                os.link(source, target)
                self.linked += 1
            except FileExistsError:
                if not os.path.samefile(source, target):
                    is_there(target, source.read_bytes())
            except OSError as error:
                if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP):
                    raise explain(error, target) from error
                copies.append((target, source.read_bytes()))
        passing(len(pairs), len(pairs))
        if copies:
            self.put(copies)
        self._flush(folders)

    def move(self, path: Path, body: bytes) -> None:
        """Put ``body`` at ``path`` in one step, whatever stood there: one of the few that move."""
        self._make([path.parent])
        with explained(path):
            replace_durably(path, body)
        self.written += 1

    def _temporary(self, path: Path) -> Path:
        return path.parent / f".{path.name}.{os.getpid()}-{next(_COUNTER)}.tmp"

    def _make(self, folders: Iterable[Path]) -> None:
        """Create directories; on the first visit, sweep each one."""
        for folder in folders:
            if folder in self._visited:
                continue
            with explained(folder):
                folder.mkdir(parents=True, exist_ok=True)
                for name in os.listdir(folder):
                    if is_temporary(name):
                        files.remove_durably(folder / name)
            self._visited.add(folder)

    def _flush(self, folders: Iterable[Path]) -> None:
        """Flush the directories and all above them down to the roots.

        Those above too: a publisher killed between making a directory and flushing it leaves one
        that is there to see and that a power cut would still take away.
        """
        wanted: set[Path] = set()
        for folder in folders:
            for each in (folder, *folder.parents):
                wanted.add(each)
                if any(each == root.parent for root in self.roots):
                    break
        for _ in self._pool.map(_flush_one, sorted(wanted)):
            pass


def is_there(path: Path, body: bytes) -> bool:
    """Return whether a write-once file is there with these bytes; False if there is none.

    Raises:
        LogInconsistent: it has other bytes.
    """
    try:
        present = path.read_bytes()
    except FileNotFoundError:
        return False
    except NotADirectoryError as error:
        raise LogInconsistent(f"{path}: a file stands where a directory must be") from error
    if present != body:
        raise LogInconsistent(
            f"{path}: was published with other bytes ({len(present)} there, {len(body)} to be "
            "written); it was kept. Compare it with a backup and find out what wrote it"
        )
    return True


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Name the file and the next step in an error of the operating system."""
    try:
        yield
    except OSError as error:
        raise explain(error, path) from error


def explain(error: OSError, path: Path) -> OSError:
    """Return the same kind of error that says which file, and what to do."""
    what = error.strerror or str(error)
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    step = "free some space" if full else "correct that"
    return OSError(
        error.errno or errno.EIO,
        f"{what}: the records are in the log and safe, their publication is not complete; "
        f"{step} and run the command again",
        str(path),
    )


def _write(one: tuple[Path, Path, bytes]) -> None:
    temporary, path, body = one
    with explained(path):
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        try:
            files._write_all(descriptor, body)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _flush_one(folder: Path) -> None:
    with explained(folder):
        fsync_directory(folder)
