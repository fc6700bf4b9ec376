"""One step of an explanation."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """What was decided, with the numbers filled in, and where the rule for it stands.

    ``clause`` is a number of the rulebook, ``parameters`` are dotted paths of the parameter file,
    ``function`` is the full name of the function that did it.
    """

    what: str
    told: str
    clause: str
    parameters: tuple[str, ...]
    function: str
