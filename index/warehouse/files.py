"""Projection files: written aside, flushed, renamed; a kill leaves the file that was there."""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from methodology.errors import LockHeld

LOCK: Final = ".projection.lock"
WAIT_SECONDS: Final = 60.0
"""How long a second projection waits for the first; it then reads the log as it is by then."""

_TEMPORARY = re.compile(r"\..+\.[0-9]+-[0-9]+\.tmp(\.wal)?")
_COUNTER = itertools.count()


@contextlib.contextmanager
def exclusive(directory: Path, wait: float = WAIT_SECONDS) -> Iterator[None]:
    """Hold the directory for one projection and remove what a killed one left in it.

    Whoever comes second reads the log after the first has finished, so the files never go back.

    Raises:
        LockHeld: another projection was still at work after ``wait`` seconds.
    """
    directory.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        _take(descriptor, directory, wait)
        sweep(directory)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, directory: Path, wait: float) -> None:
    until = time.monotonic() + wait
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                raise LockHeld(
                    f"{directory}: another process writes the projections; try again when it is "
                    "done"
                ) from None
            time.sleep(0.05)
        else:
            return


def sweep(directory: Path) -> list[Path]:
    """Remove unfinished files directly below ``directory``; return their paths, sorted."""
    found = sorted(p for p in directory.iterdir() if _TEMPORARY.fullmatch(p.name))
    for path in found:
        path.unlink(missing_ok=True)
    return found


@contextlib.contextmanager
def aside(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; afterwards flush it and rename it into place.

    On an error the temporary file is removed and ``path`` stays as it was.
    """
    temporary = path.parent / f".{path.name}.{os.getpid()}-{next(_COUNTER)}.tmp"
    try:
        yield temporary
        flush(temporary)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        temporary.with_name(temporary.name + ".wal").unlink(missing_ok=True)
        raise
    flush(path.parent)


def flush(path: Path) -> None:
    """Have the disk keep a file's bytes, or a directory's names."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
