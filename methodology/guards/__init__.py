"""Guards at the fetch: what of a new body may be believed (rulebook 2.11).

:func:`inspect` takes one round of one source and what is remembered of it, and returns what may
be believed and what to remember. Nothing here reads a clock or a file but the packaged register
of releases.
"""

from methodology.guards.crowd import peers
from methodology.guards.inspection import Inspection, Verdict, inspect
from methodology.guards.releases import Release, load_releases
from methodology.guards.state import GuardState, Round
from methodology.guards.thresholds import DEFAULT, Thresholds

__all__ = [
    "DEFAULT",
    "GuardState",
    "Inspection",
    "Release",
    "Round",
    "Thresholds",
    "Verdict",
    "inspect",
    "load_releases",
    "peers",
]
