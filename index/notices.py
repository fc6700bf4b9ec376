"""Notices that the software itself gives: a print that is late (rulebook 9.2)."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from index.moments import is_late
from index.publication import record
from index.records import Make
from index.shop import Shop
from methodology import clock

PRINTS: Final = {0: "provisional", 1: "final"}


def delayed(shop: Shop, at: datetime) -> list[Make]:
    """Return a notice for each print of the day that is late, told once.

    Args:
        shop: the log.
        at: the moment (naive UTC).

    A print is late when an index that has live fixings already, and is due on that day, has no
    record of it ten minutes after its time. A session speaks of its last index day only; days
    before it that passed without anything are declared missed.
    """
    made: list[Make] = []
    for session in clock.SESSIONS:
        day = clock.last_cut_off(session, at - clock.PROVISIONAL_AFTER)
        begun = {
            key[0]
            for key, one in shop.published.fixings.items()
            if key[1] == session and key[2] < day.isoformat() and "BUNDLED" not in one["flags"]
        }
        due = [
            n
            for n in begun
            if n in shop.definitions
            and shop.definitions[n].is_due(day)
            and not shop.published.has_ended(n, day)
        ]
        times = {0: clock.provisional_at(session, day), 1: clock.final_at(session, day)}
        for revision, when in times.items():
            has_all = all(
                (name, session, day.isoformat(), revision) in shop.published.fixings for name in due
            )
            if has_all or not is_late(at, when):
                continue
            text = f"the {PRINTS[revision]} print due at {clock.iso(when)} is late"
            told = (session, day.isoformat(), text)
            if told not in {
                (one["session"], one["ref_date"], one["text"]) for one in shop.published.notices
            }:
                made.append(_notice(shop, *told, at))
    return made


def _notice(shop: Shop, session: str, ref_date: str, text: str, at: datetime) -> Make:
    return lambda seq: record.notice(
        {
            "seq": seq,
            "log_origin": shop.log.origin,
            "kind": "DELAYED",
            "index_id": None,
            "session": session,
            "ref_date": ref_date,
            "concerns": None,
            "text": text,
            "at": clock.iso(at),
        }
    )
