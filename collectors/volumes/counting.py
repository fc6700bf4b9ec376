"""What the sources of volumes have in common: building rows once, telling counts from other texts.

:class:`Counted` collects volumes and rejections in reading order and hashes the body once.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import Any

from collectors import strict
from collectors.base import Capture, Parsed, not_empty, rejection
from collectors.times import FIRST, LAST
from collectors.visible import name_fault
from methodology import schemas

_COUNT = re.compile(r"(?:0|[1-9][0-9]{0,17})", re.ASCII)
DAY = timedelta(days=1)
MOST = 10**18
"""No quantity reaches this; a figure that does is another unit, or a slip."""
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


def is_count(value: object) -> bool:
    """Return whether a JSON number or a text is a whole number of 1 to 18 digits.

    A decimal point, an exponent or a sign says that the figure was rounded, or is none; a zero
    before other digits, that one was lost.
    """
    return isinstance(value, str) and _COUNT.fullmatch(value) is not None


def day_of(text: object) -> date:
    """Return the day that a text ``YYYY-MM-DD`` names, within the bounds of ``collectors.times``.

    Raises:
        ValueError: any other form, a day that does not exist, or one out of bounds.
    """
    if not isinstance(text, str) or not _DAY.fullmatch(text):
        raise ValueError(f"{text!r:.60} is not a day YYYY-MM-DD")
    found = date.fromisoformat(text)
    if not FIRST <= found <= LAST:
        raise ValueError(f"{text!r} is not between {FIRST} and {LAST}")
    return found


def variant_refusal(variant: str) -> str | None:
    """Return why a variant of a model's service does not count, or None for the standard one.

    ``free`` is use at no price and says nothing about what is bought; every other variant
    (``batch``, ``thinking`` and the like) is another good.
    """
    if variant in ("", "standard"):
        return None
    return "FREE_VARIANT" if variant == "free" else "VARIANT_NOT_STANDARD"


class Counted:
    """Collects the Volume and Rejection rows of one capture, in the order they are added."""

    def __init__(self, capture: Capture) -> None:
        self._capture = capture
        self._sha256 = capture.sha256
        self._volumes: list[dict[str, Any]] = []
        self._rejections: list[dict[str, Any]] = []
        self._told: set[tuple[str, str, date, date]] = set()

    def reject(self, listing_id: str, reason: str, detail: str, provider: str = "") -> None:
        """Add one rejection at the parse stage."""
        self._rejections.append(rejection(self._capture, provider, listing_id, reason, detail))

    def count(
        self,
        subject: str,
        meter: str,
        quantity: object,
        period: tuple[date, date],
        as_of: datetime,
    ) -> bool:
        """Add a volume, or the rejection that says why there is none; True for a volume.

        ``quantity`` is a number of a body, or an ``int`` that the caller has made exactly;
        ``period`` is the first day counted and the day after the last. Refused: ``NOT_A_COUNT``;
        ``MALFORMED_ROW`` for a subject that is no name (``collectors.visible``);
        ``SEEN_IN_FUTURE`` for what is stated later than the day after the fetching;
        ``DUPLICATE_ROW`` for a subject, meter and period told before, whatever its figure.
        """
        start, end = period
        key = (subject, meter, start, end)
        if fault := name_fault(subject):
            self.reject(subject, "MALFORMED_ROW", f"{meter}: the name {subject[:80]!a} {fault}")
            return False
        if as_of > self._capture.observed_at + DAY:
            when = f"{meter} of {start}/{end}: stated {as_of}, fetched {self._capture.observed_at}"
            self.reject(subject, "SEEN_IN_FUTURE", when)
            return False
        is_exact = type(quantity) is int and 0 <= quantity < MOST
        if not is_exact and not (isinstance(quantity, strict.Number) and is_count(quantity)):
            self.reject(subject, "NOT_A_COUNT", f"{meter} of {start}/{end} is {quantity!r:.80}")
            return False
        if key in self._told:
            self.reject(subject, "DUPLICATE_ROW", f"{meter} of {start}/{end} told again")
            return False
        self._told.add(key)
        self._volumes.append(
            {
                "source": self._capture.source,
                "subject": subject,
                "meter": meter,
                "quantity": int(str(quantity)),
                "period_start": start,
                "period_end": end,
                "as_of": as_of,
                "capture_sha256": self._sha256,
            }
        )
        return True

    def parsed(self) -> Parsed:
        """Return everything added so far as frames.

        Raises:
            ParseError: ``EMPTY`` when nothing was.
        """
        whole = Parsed(
            volumes=schemas.frame(schemas.Volume, self._volumes),
            rejections=schemas.frame(schemas.Rejection, self._rejections),
        )
        return not_empty(self._capture, whole)
