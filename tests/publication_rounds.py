"""Rounds of hand-made records, and a process that publishes them: what the campaign kills."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from index.config import Settings
from index.ledger.canonical import canonical
from index.ledger.lock import PublisherLock
from index.ledger.log import Log
from index.publication.publisher import Publisher
from tests import fixing_records as made

RING = made.ring()


class Broken(AssertionError):
    """A promise was not kept; the directory is left for a look."""


def round_of(number: int, first: int) -> list[dict[str, Any]]:
    """Return the records of one append: the keys, or one print of two indices and a notice."""
    if number == 0:
        return made.opening(RING)
    step, revision = divmod(number - 1, 2)
    day = (date(2026, 1, 1) + timedelta(days=step)).isoformat()
    status = "FINAL" if revision else "PROVISIONAL"
    records = []
    for place, name in enumerate(("TKR-one-OUT", "TKR-two-OUT")):
        supersedes = None
        if revision:
            supersedes = "sha256:" + f"{number}".zfill(64)
        records.append(
            made.fixing(
                first + place,
                index_id=name,
                ref_date=day,
                revision=revision,
                status=status,
                supersedes=supersedes,
                value=f"{number}.{place:06d}",
            )
        )
    if number % 3 == 0:
        records.append({**made.incident(first + 2), "type": "notice"})
    records.append(made.incident(first + len(records)))
    return records


def next_round(size: int) -> int:
    """Return the number of the round that follows a log of ``size`` records."""
    number, first = 0, 0
    while first < size:
        first += len(round_of(number, first))
        number += 1
    if first != size:
        raise Broken(f"the log has {size} records: part of an append")
    return number


def expected(size: int) -> list[bytes]:
    """Return every record of a log of ``size``."""
    bodies: list[bytes] = []
    number = 0
    while len(bodies) < size:
        bodies += map(canonical, round_of(number, len(bodies)))
        number += 1
    return bodies


def publish(settings: Settings, rounds: int, say: Callable[[int], object]) -> None:
    """Take the lock, recover, then append and publish; ``say`` is told each size published."""
    with PublisherLock(settings.lock):
        exists = Log.exists(settings.ledger)
        log = Log.open(settings.ledger) if exists else Log.create(settings.ledger, made.ORIGIN)
        # Each process has a clock of its own: a checkpoint signed twice would have two bodies.
        clock = made.at() + timedelta(seconds=os.getpid())
        publisher = Publisher(settings, RING, lambda: clock)
        publisher.catch_up(log)
        say(log.size)
        number = next_round(log.size)
        for _ in range(rounds):
            made.add(log, *round_of(number, log.size))
            number += 1
            publisher.catch_up(log)
            say(log.size)
