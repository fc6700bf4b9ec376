"""Runs ``spotfix`` as if the log lay on a slow disk: ``python -m tests.slow_log_disk run --out …``.

An append then lasts long enough on any machine for a kill to be aimed into it. Nothing else is
changed: the same calls, in the same order.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from index.cli import main

if TYPE_CHECKING:
    from _typeshed import HasFileno

SECONDS = 0.01
"""How long the disk takes over one flush: a turning disk, not a fast one."""

_fsync = os.fsync


def _slow_fsync(fd: int | HasFileno) -> None:
    _fsync(fd)
    number = fd if isinstance(fd, int) else fd.fileno()
    if "/ledger/log" in os.readlink(f"/proc/self/fd/{number}"):
        time.sleep(SECONDS)


if __name__ == "__main__":
    os.fsync = _slow_fsync
    main()
