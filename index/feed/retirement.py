"""Resources that will end: told by header a year ahead, never by surprise.

``/v1`` only grows, so this list is empty until a resource is given up. A line here is the whole
of it: every answer below the path then says since when the resource is deprecated (RFC 9745),
when it may end (RFC 8594) and where that is explained; the OpenAPI document must say the same.
"""

from __future__ import annotations

from calendar import timegm
from dataclasses import dataclass
from datetime import date, timedelta
from email.utils import formatdate
from typing import Final

from index.feed.headers import Line

NOTICE: Final = timedelta(days=365)
"""How long at least a resource goes on answering once its end has been told."""


@dataclass(frozen=True, slots=True)
class Retirement:
    """The end of all resources below a path.

    Args:
        path: with its leading slash; it and whatever follows it after a slash.
        deprecated: from this day on, 00:00 UTC, nobody should begin to use it.
        sunset: from this day on, 00:00 UTC, it may be gone.
        told_at: where the reason and what to use instead are told.

    Raises:
        ValueError: less than :data:`NOTICE` lies between the days.
    """

    path: str
    deprecated: date
    sunset: date
    told_at: str

    def __post_init__(self) -> None:
        if self.sunset - self.deprecated < NOTICE:
            raise ValueError(
                f"{self.path}: {self.deprecated} to {self.sunset} is less than {NOTICE.days} days"
            )

    def covers(self, path: str) -> bool:
        """Return whether a resource lies below the path."""
        return path == self.path or path.startswith(self.path.rstrip("/") + "/")

    @property
    def lines(self) -> list[Line]:
        """``Deprecation``, ``Sunset`` and the two links."""
        since = timegm(self.deprecated.timetuple())
        until = formatdate(timegm(self.sunset.timetuple()), usegmt=True)
        links = [f'<{self.told_at}>; rel="{rel}"' for rel in ("deprecation", "sunset")]
        return [
            (b"deprecation", b"@%d" % since),
            (b"sunset", until.encode("ascii")),
            *((b"link", link.encode("ascii")) for link in links),
        ]


RETIRING: tuple[Retirement, ...] = ()
"""What will end. Empty: nothing of ``/v1`` is given up."""


def lines(path: str) -> list[Line]:
    """Return the header lines of a resource that will end; none for the others."""
    return [line for one in RETIRING if one.covers(path) for line in one.lines]
