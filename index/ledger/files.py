"""Durable writes: when a function here returns, a power cut no longer undoes it.

Every change to a file of the ledger goes through this module, and through nothing else. New
content is written beside its place under a dot-name, flushed, renamed, and the directory flushed:
a reader sees the old file or the new one, never half of either. Without the last flush the new
name itself may be lost.

The order of calls is the safety argument of the log; :mod:`index.ledger.log` states it.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
from collections.abc import Iterator
from pathlib import Path

from methodology.errors import LogInconsistent

_TEMPORARY = re.compile(r"\..+\.[0-9]+-[0-9]+\.tmp")
_COUNTER = itertools.count()


def is_temporary(name: str) -> bool:
    """Return whether ``name`` is one this module gives to a file it has not finished."""
    return _TEMPORARY.fullmatch(name) is not None


def write_durably(path: Path, body: bytes) -> bool:
    """Write a write-once file; return False when it was already there with the same bytes.

    Raises:
        LogInconsistent: the file exists with other bytes. It is left as it is.
        OSError: the disk refused (full, unwritable, failing). The place is unchanged.
    """
    if path.exists():
        present = path.read_bytes()
        if present != body:
            raise LogInconsistent(
                f"{path}: a write-once file exists with other bytes ({len(present)} there, "
                f"{len(body)} offered); it was kept. Find out which process wrote it"
            )
        # The writer may have stopped between its rename and its flush: flush now.
        _flush(path)
        fsync_directory(path.parent)
        return False
    replace_durably(path, body)
    return True


def replace_durably(path: Path, body: bytes) -> None:
    """Put ``body`` at ``path`` in one step, whether or not a file was there.

    Raises:
        OSError: the disk refused; what stood at ``path`` still stands there, unless the refusal
            came from the last flush: then read the file to learn which of the two it is.
    """
    make_directory(path.parent)
    temporary = path.parent / f".{path.name}.{os.getpid()}-{next(_COUNTER)}.tmp"
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        try:
            _write_all(descriptor, body)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(temporary, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    fsync_directory(path.parent)


def append_durably(path: Path, body: bytes) -> None:
    """Add ``body`` at the end of an existing file. A crash may leave part of it: readers decide.

    Raises:
        FileNotFoundError: there is no such file.
        OSError: the disk refused; part of ``body`` may have been written.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    try:
        _write_all(descriptor, body)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_durably(path: Path) -> None:
    """Remove a file; one that is already gone is no error."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    if path.parent.is_dir():
        fsync_directory(path.parent)


def make_directory(path: Path) -> None:
    """Create ``path`` and the directories above it, each one flushed into its parent."""
    if path.is_dir():
        return
    make_directory(path.parent)
    with contextlib.suppress(FileExistsError):
        os.mkdir(path)
    fsync_directory(path.parent)


def remove_empty_directory(path: Path) -> None:
    """Remove ``path`` if nothing is in it; otherwise, or if it is gone, do nothing."""
    with contextlib.suppress(OSError):
        os.rmdir(path)


def fsync_directory(path: Path) -> None:
    """Flush the names in a directory, so that renames and removals in it are kept."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def flush_directories(directory: Path) -> None:
    """Flush ``directory``, every directory below it, and its own name in the one above.

    A process killed between making a directory and flushing it leaves one that is there to see
    and that a power cut would still take away, with all that was put into it later.
    """
    fsync_directory(directory.parent)
    for folder, _, _ in os.walk(directory):
        fsync_directory(Path(folder))


def sweep(directory: Path) -> list[Path]:
    """Remove the unfinished files that a crash left below ``directory``; return their paths.

    Only the holder of the publisher's lock may call it: another writer's file in progress looks
    the same.
    """
    swept = [path for path in walk(directory) if is_temporary(path.name)]
    for path in swept:
        remove_durably(path)
    return swept


def walk(directory: Path) -> Iterator[Path]:
    """Yield every path below ``directory`` that is not a directory, in sorted order.

    Symbolic links are yielded, not followed. Nothing is yielded if there is no such directory.
    """
    for folder, folders, names in os.walk(directory):
        folders.sort()
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        for name in sorted([*names, *links]):
            yield Path(folder) / name


def _write_all(descriptor: int, body: bytes) -> None:
    rest = memoryview(body)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
