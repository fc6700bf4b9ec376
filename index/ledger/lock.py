"""One publisher at a time, by the kernel's word.

``flock`` on a file of its own, outside the ledger: opening and closing the ledger's files can
then never let go of it. There is no lease and no clock. A holder that is stopped still holds and
may finish; a holder that is killed holds nothing, because the kernel closes its files.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import sys
import weakref
from pathlib import Path
from types import TracebackType

from methodology.errors import LockHeld

_HELD: weakref.WeakSet[PublisherLock] = weakref.WeakSet()


class PublisherLock:
    """Context manager: inside it, this process is the only publisher.

    ``with PublisherLock(out / "publisher.lock"): ...``. The file stays when the lock is released,
    since removing it would let two processes lock two files of one name.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    @property
    def held(self) -> bool:
        """Whether this process holds the lock through this object."""
        return self._descriptor is not None

    def __enter__(self) -> PublisherLock:
        """Take the lock at once or not at all.

        Raises:
            LockHeld: another process (or another object in this one) has it; the message names
                the holder's process, host and command. Exit code 75: try again later.
        """
        if self.held:
            raise LockHeld(f"{self.path}: this object holds the lock already")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.pread(descriptor, 4096, 0).decode("utf-8", "replace").strip()
                os.close(descriptor)
                raise LockHeld(
                    f"{self.path}: held by {holder or 'a process that has not yet said its name'}; "
                    "wait for it, or end it if it is stuck"
                ) from None
            except BaseException:
                os.close(descriptor)
                raise
            if self._is_the_named_file(descriptor):
                break
            os.close(descriptor)  # removed or replaced while we waited: lock the new one
        self._descriptor = descriptor
        _HELD.add(self)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, _holder().encode(), 0)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let go of the lock and clear the holder's name."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            _HELD.discard(self)
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, 0)
            os.close(descriptor)

    def _is_the_named_file(self, descriptor: int) -> bool:
        try:
            named = os.stat(self.path)
        except FileNotFoundError:
            return False
        return os.path.samestat(named, os.fstat(descriptor))

    def _forget(self) -> None:
        """Close the copy a fork made, without unlocking what the parent holds."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def _holder() -> str:
    # Only the command and its first word: later arguments may hold what should not be kept.
    command = " ".join([Path(sys.argv[0]).name or "python", *sys.argv[1:2]])
    return f"process {os.getpid()} on {socket.gethostname()} running {command[:200]!r}\n"


def _forget_in_child() -> None:
    # A forked child shares the locked file: it would keep the lock after the parent is killed.
    for lock in list(_HELD):
        lock._forget()
    _HELD.clear()


os.register_at_fork(after_in_child=_forget_in_child)
