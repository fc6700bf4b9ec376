"""Whether a final value is restated: a two-part test, decided exactly (rulebook 11.1, 11.2).

Both parts must hold: the correction came before the window of its own index day closed, and the
value would move by *more* than 0.10% of the published one. Exactly 0.10% is not more. The same
form is used by other administrators of daily rates; see vector TV13.
"""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction
from typing import Final, Literal

THRESHOLD: Final = Fraction(1, 1000)
"""Share of the published value that a correction must exceed (rulebook 11.2)."""

Outcome = Literal["RESTATE", "TOO_LATE", "NOT_MATERIAL"]


def limits(published: Fraction, threshold: Fraction = THRESHOLD) -> tuple[Fraction, Fraction]:
    """Return the lowest and the highest corrected value that is *not* restated.

    Raises:
        ValueError: the published value is negative, or the threshold is.
    """
    if published < 0 or threshold < 0:
        raise ValueError(f"a value and a threshold are not negative, got {published}, {threshold}")
    return published * (1 - threshold), published * (1 + threshold)


def is_material(published: Fraction, corrected: Fraction, threshold: Fraction = THRESHOLD) -> bool:
    """Return whether a correction moves a value by more than the threshold, exactly.

    Args:
        published: the value as published; an exact fraction or an integer of units.
        corrected: what it should have been, in the same unit.
        threshold: share of the published value.
    """
    low, high = limits(Fraction(published), threshold)
    return not low <= corrected <= high


def decide(
    published: Fraction,
    corrected: Fraction,
    issued_at: datetime,
    until: datetime,
    threshold: Fraction = THRESHOLD,
) -> Outcome:
    """Return what becomes of a correction.

    Args:
        published: the final value as published.
        corrected: the corrected value, rounded as it would be published.
        issued_at: when the correction was issued, in the same form of time as ``until``.
        until: the last second of the window, as :func:`methodology.clock.restatement_until` has
            it; a correction in that second is in time.
        threshold: see :data:`THRESHOLD`.

    Returns:
        ``RESTATE``: a new revision; ``TOO_LATE`` or ``NOT_MATERIAL``: the value stands and an
        erratum says what it should have been.
    """
    if issued_at > until:
        return "TOO_LATE"
    return "RESTATE" if is_material(published, corrected, threshold) else "NOT_MATERIAL"
