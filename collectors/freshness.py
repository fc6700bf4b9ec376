"""Whether an answer is of now. An unchanged price is legal, an old answer is not.

A list price may stand for a year; an answer that left its server a day ago proves nothing about
today. ``Date`` says when the server made it, ``Age`` how long a cache in between has kept it
(RFC 9110 6.6.1, RFC 9111 5.1). Servers that send no ``Date`` are read, and a finding says so.

Our own clock is tried against theirs: when many servers at once are ahead of it, or behind, by
more than two seconds, it is ours that is wrong, and a finding says so (rulebook: times of quotes
are times of this clock).
"""

from __future__ import annotations

import email.utils
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from collectors.wire import Refused

MAX_AHEAD = timedelta(minutes=10)
"""A ``Date`` further in the future than this is of no use to anybody."""

SKEW = timedelta(seconds=2)
FEWEST = 3
"""So many servers must agree before our own clock is doubted."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What one answer says of the time: the server's ``Date``, and when we asked and were told.

    ``date`` is None when there was none; ``is_cached`` when a cache answered.
    """

    host: str
    date: datetime | None
    is_cached: bool
    asked_at: datetime
    told_at: datetime

    @property
    def skew(self) -> tuple[timedelta, timedelta] | None:
        """Least and most that the server's clock may be ahead of ours; None when unknown.

        ``Date`` is cut to whole seconds, and was written between our question and its answer.
        """
        if self.date is None or self.is_cached:
            return None
        return (self.date - self.told_at, self.date + timedelta(seconds=1) - self.asked_at)


def when(value: str | None) -> datetime | None:
    """Return an HTTP date as an aware time; None when absent or unreadable."""
    if value is None:
        return None
    try:
        found = email.utils.parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def prove(
    headers: Mapping[str, str],
    host: str,
    max_age: timedelta,
    asked_at: datetime,
    told_at: datetime,
) -> Seen:
    """Return what an answer says of the time.

    Args:
        headers: its header fields, names in lower case.
        host: who answered.
        max_age: how old it may be.
        asked_at: our time when it was asked for, aware.
        told_at: our time when it began to arrive.

    Raises:
        Refused: STALE_RESPONSE when ``Date`` or ``Age`` make it older than ``max_age``, when
            ``Date`` is far in the future, or when a cache gave it past its own ``Expires``.
    """
    date = when(headers.get("date"))
    told = headers.get("age", "").strip()
    is_number = told.isascii() and told.isdigit() and len(told) < 10
    age = timedelta(seconds=int(told)) if is_number else None
    if told and age is None:
        raise Refused("STALE_RESPONSE", f"Age is {told[:40]!r}, which is no number of seconds")
    if age is not None and age > max_age:
        raise Refused("STALE_RESPONSE", f"a cache has kept it for {age}; {max_age} is allowed")
    if date is not None and told_at - date > max_age:
        raise Refused("STALE_RESPONSE", f"made {date:%Y-%m-%dT%H:%M:%SZ}; {max_age} is allowed")
    if date is not None and date - told_at > MAX_AHEAD:
        raise Refused("STALE_RESPONSE", f"made {date:%Y-%m-%dT%H:%M:%SZ}, which is yet to come")
    expires = when(headers.get("expires"))
    directives = headers.get("cache-control", "")
    if age and expires is not None and "max-age" not in directives:
        late = told_at - expires
        if late > MAX_AHEAD and expires > (date or expires):
            raise Refused("STALE_RESPONSE", f"a cache gave it {late} past its own Expires")
    return Seen(host, date, bool(age), asked_at, told_at)


def skew_of(seen: Sequence[Seen]) -> str | None:
    """Return the finding that our clock is off, in words; None when it is not, or unknown.

    One server with a wrong clock says nothing; more than half of at least three hosts do.
    """
    by_host = {one.host: one.skew for one in seen if one.skew is not None}
    known = [skew for skew in by_host.values() if skew is not None]
    if len(known) < FEWEST:
        return None
    ahead = [least for least, _ in known if least > SKEW]
    behind = [most for _, most in known if most < -SKEW]
    for one, word, gaps in (
        (ahead, "ahead of", sorted(ahead)),
        (behind, "behind", sorted(-gap for gap in behind)),
    ):
        if 2 * len(one) > len(known):
            middle = gaps[len(gaps) // 2].total_seconds()
            return (
                f"CLOCK_SKEW: {len(one)} of {len(known)} servers are {word} this machine's clock, "
                f"by about {middle:.1f} s; set the clock"
            )
    return None
