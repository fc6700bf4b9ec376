"""The most memory this process ever held, of itself and not of who started it."""

from __future__ import annotations

import re
import resource
import sys
from pathlib import Path

STATUS = Path("/proc/self/status")


def peak_mib() -> float:
    """Return the peak resident memory of this process in MiB.

    ``getrusage`` counts what the parent held at the fork as well, and keeps it across an exec; the
    high-water mark of the address space begins anew.
    """
    if STATUS.exists():
        found = re.search(r"^VmHWM:\s+(\d+) kB", STATUS.read_text("ascii"), re.MULTILINE)
        if found:
            return int(found[1]) / 1024
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
