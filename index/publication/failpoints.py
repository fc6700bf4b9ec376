"""Named places at which a test may kill the publisher, so that each gap between writes is tried.

Without ``SPOTFIX_FAILPOINTS_ALLOWED=1`` in the environment nothing here does anything.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from typing import Final

NAMES: Final = (
    "tiles",
    "checkpoint-kept",
    "drop-flushed",
    "drop-half-named",
    "drop-named",
    "manifest-flushed",
    "manifest-signed",
    "manifest-named",
    "bodies",
    "keys",
    "links-half",
    "links",
    "checkpoint-moved",
)
"""Every failpoint, in the order in which one publication passes them."""

_passed: Counter[str] = Counter()


def passing(name: str) -> None:
    """Kill this process with SIGKILL, or stop it, if it was started to end here; else nothing.

    ``SPOTFIX_FAILPOINT`` is a name of :data:`NAMES`, ``name:3`` for the third time it is passed;
    with ``SPOTFIX_FAILPOINT_STOP=1`` the process is stopped (SIGSTOP) and may be resumed.
    """
    if os.environ.get("SPOTFIX_FAILPOINTS_ALLOWED") != "1":
        return
    wanted, _, times = os.environ.get("SPOTFIX_FAILPOINT", "").partition(":")
    if wanted != name:
        return
    _passed[name] += 1
    if _passed[name] == int(times or 1):
        is_stop = os.environ.get("SPOTFIX_FAILPOINT_STOP") == "1"
        os.kill(os.getpid(), signal.SIGSTOP if is_stop else signal.SIGKILL)
