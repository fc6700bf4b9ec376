"""The moments that live records state: true, in milliseconds, and never backwards (rulebook 9.2).

A record of a live run states the moment at which the run made it, read from this machine's clock.
Whoever recomputes a record cannot find that moment again; it is an input, like the bodies that
were collected. What can be checked of it is checked by :func:`check`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from index import prints
from index.published import Published
from index.shop import Shop
from methodology import clock
from methodology.errors import ConfigError

Now = Callable[[], datetime]
"""Tells the present, naive UTC; never less than it told before."""


def fixed(at: datetime) -> Now:
    """Return what tells the same moment always: runs that are repeated give the same bytes."""
    return lambda: at


def running(start: datetime, read: Now) -> Now:
    """Return what tells the time by ``read``, from ``start`` on and never backwards.

    A clock that is set back while a run is at work stands still for it.
    """
    newest = start

    def now() -> datetime:
        nonlocal newest
        newest = max(newest, read())
        return newest

    return now


def in_milliseconds(at: datetime) -> datetime:
    """Return a moment as records state it: what is below a millisecond is cut."""
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def is_late(at: datetime, due: datetime) -> bool:
    """Return whether a print that was due at ``due`` and appeared at ``at`` is late.

    So it is from ten minutes after its time on, as in the notice ``DELAYED`` (rulebook 9.2).
    """
    return at >= due + clock.GRACE


def is_in_window(at: datetime, session: str, ref_date: date) -> bool:
    """Return whether a moment belongs to a day's window; its last second does (rulebook 11.1)."""
    return at.replace(microsecond=0) <= clock.restatement_until(session, ref_date)


def of_run(
    shop: Shop,
    prints_due: Sequence[tuple[str, date, int]],
    commitments: Iterable[int],
    now: Now,
) -> datetime:
    """Return the moment that the records of a live pass state now, naive UTC, in milliseconds.

    Args:
        shop: the log.
        prints_due: index, day and revision of each fixing of the pass.
        commitments: places of the commitments that they cite, as far as they are logged.
        now: the clock.

    Raises:
        ConfigError: the clock says less than a moment that has passed for certain: the time of
            one of these prints, of its commitment, or of the session's newest live fixing.
            Nothing is appended then; the record would say what is not so.
    """
    at = in_milliseconds(now())
    passed: list[tuple[str, str]] = []
    for name, day, revision in prints_due:
        due = prints.scheduled(shop.definitions[name], day, revision)
        passed.append((clock.iso(due), f"{name} {day} r{revision} was due"))
    for seq in commitments:
        record = json.loads(shop.log.entry(seq))
        passed.append((record["committed_at"], f"record {seq} was committed"))
    sessions = {shop.definitions[name].session for name, _, _ in prints_due}
    for key, record in shop.published.fixings.items():
        if key[1] in sessions and _is_live(record):
            passed.append((record["published_at"], f"record {record['seq']} was published"))
    last, what = max(passed, default=("", ""))
    if clock.iso(at) < last:
        raise ConfigError(
            f"this machine's clock says {clock.iso(at)}, before {last}, when {what}; set it right"
        )
    return at


def check(published: Published, bodies: Sequence[bytes]) -> Iterator[str]:
    """Yield a sentence for each fixing whose moment cannot be true (rulebook 9.2).

    Args:
        published: the log's content.
        bodies: its records, in order.

    A live print is not published before it is due, nor before its commitment, which is not made
    before the cut-off; nothing is published before what stands earlier in the log for its
    session, nor a revision before the one that it replaces. That the times of bundled prints are
    those of the schedule, and that ``LATE`` stands where it must, is found by recomputing.
    """
    newest: dict[str, tuple[str, int]] = {}
    for key, record in sorted(published.fixings.items(), key=lambda item: item[1]["seq"]):
        index_id, session, day, revision = key
        said, name = record["published_at"], f"{index_id} {day} r{revision}"
        due = clock.iso(_due(session, date.fromisoformat(day), revision))
        if _is_live(record) and said < due:
            yield f"{name}: published_at {said} is before {due}, when it was due"
        earlier = published.fixings.get((index_id, session, day, revision - 1))
        if earlier is not None and said < earlier["published_at"]:
            yield (
                f"{name}: published_at {said} is before {earlier['published_at']}, when the "
                "revision that it replaces was published"
            )
        if not _is_live(record):
            continue
        committed = _committed_at(bodies, record["commit_seq"])
        if said < committed:
            yield f"{name}: published_at {said} is before {committed}, when it was committed to"
        if committed and committed < record["cutoff_at"]:
            yield f"{name}: was committed to at {committed}, before its cut-off"
        last, seq = newest.get(session, ("", 0))
        if said < last:
            yield (
                f"{name}: published_at {said} is before {last}, the moment of record {seq}, which "
                "stands before it"
            )
        newest[session] = max((last, seq), (said, record["seq"]))


def _due(session: str, day: date, revision: int) -> datetime:
    return clock.provisional_at(session, day) if revision == 0 else clock.final_at(session, day)


def _committed_at(bodies: Sequence[bytes], seq: int) -> str:
    # One that is no commitment is told with the links; it has no moment.
    record = json.loads(bodies[seq]) if seq in range(len(bodies)) else {}
    return str(record.get("committed_at", ""))


def _is_live(record: Mapping[str, Any]) -> bool:
    return "BUNDLED" not in record["flags"]
