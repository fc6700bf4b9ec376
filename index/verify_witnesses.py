"""A stranger checks who else saw a log, and when: the dates that its publisher did not set.

A publisher dates its records itself, and who holds its keys can date a whole log anew. Only what
others signed bounds that: a witness's line or an authority's time stamp over the first N records
shows that they existed at its date. Days without one rest on the publisher's word, and that is
said of each.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from index import moments
from index.ledger.tiles import Head, checkpoint_text
from index.publication.keys import ED25519
from index.publication.note_text import parse_vkey
from index.published import Published
from index.verifying import Findings, Record, Seen, Trust, checked_note
from methodology import clock
from methodology.errors import SpotfixError, VerificationError

SKEW: Final = timedelta(minutes=5)
"""Two machines' clocks may differ by so much before it is told."""


@dataclass(frozen=True, slots=True)
class OutsideDate:
    """Somebody's date over the first ``size`` records: ``at`` as records write it.

    ``seq`` is the place of the witness record. ``is_trusted``: the verifier pinned the witness's
    key, or the certificate behind the time stamp; otherwise the log alone says who it is.
    """

    seq: int
    size: int
    at: str
    by: str
    kind: str
    is_trusted: bool


@dataclass(frozen=True, slots=True)
class Bound:
    """A day of the log and the earliest outside dates over all its records; ``None``: none is."""

    session: str
    ref_date: str
    trusted: OutsideDate | None
    stated: OutsideDate | None


def check_witnesses(seen: Seen, trust: Trust, found: Findings) -> list[OutsideDate]:
    """Return the outside dates of a log; what witnesses saw must be it, by the keys they state.

    Args:
        seen: the log.
        trust: pinned keys of witnesses, certificates of time-stamp authorities.
        found: takes what does not hold.

    Who a witness is nobody can see from the log: whoever publishes it can countersign under any
    name. A key of the log itself is no witness; of all others a warning names the keys. Of a time
    stamp (RFC 3161) the imprint is always looked for; its signature is checked if a certificate
    was given, and said to be unchecked if not.
    """
    own = {held.key.raw for held in seen.history.tenures.values() if held.key.purpose != "witness"}
    others: dict[str, str] = {}
    dates: list[OutsideDate] = []
    for seq, record in enumerate(seen.records):
        if record["type"] != "witness":
            continue
        where, size = f"seq {seq} (witness by {record['by']})", record["size"]
        if size > seq or base64.b64encode(seen.root_at(size)).decode() != record["root"]:
            found.add(where, f"saw root {record['root']} at size {size}, which is not this log's")
            continue
        at: str | None
        try:
            if record["kind"] == "COSIGNATURE":
                at, is_trusted = _cosigned(seen, record, own, others, trust)
                found.counts["cosignatures"] += 1
            else:
                at, is_trusted = _stamped(seen, record, trust)
                found.counts["time stamps" if is_trusted else "time stamps not checked"] += 1
            if at is not None and at != record["at"]:
                raise VerificationError(f"its evidence is dated {at}, the record {record['at']}")
        except (SpotfixError, ValueError) as error:
            found.add(where, error)
            continue
        dates.append(OutsideDate(seq, size, record["at"], record["by"], record["kind"], is_trusted))
    if others:
        told = ", ".join(f"{name} ({key_id})" for key_id, name in sorted(others.items()))
        found.warnings.append(f"countersigned by keys that the log states: {told}; ask them")
    if found.counts["time stamps not checked"]:
        found.warnings.append(
            f"{found.counts['time stamps not checked']} time stamps: signature not checked, no "
            "certificate given: name the authority's with --tsa-cert, or give their evidence to "
            "`openssl ts -verify`"
        )
    return dates


def _cosigned(
    seen: Seen, record: Record, own: set[bytes], others: dict[str, str], trust: Trust
) -> tuple[str, bool]:
    """Return the date of a witness's line, and whether its key is pinned."""
    size = record["size"]
    key, _ = parse_vkey(record["key"] or "", purpose="witness")
    logs = [k for k in seen.history.checkpoint_keys(size) if k.algorithm == ED25519]
    shown = checked_note(base64.b64decode(record["evidence"]), (*logs, key))
    lines = dict(shown.cosigned)
    if key.raw in own:
        raise VerificationError(f"{key.id} is a key of the log itself: nobody else saw it")
    is_trusted = trust.holds(key)
    if not is_trusted:
        others[key.id] = key.name
    is_mine = key.id == record["by"] and key.id in lines
    if (shown.origin, shown.size, shown.root) != (seen.origin, size, seen.root_at(size)):
        raise VerificationError(f"its evidence is of another tree than this log's at size {size}")
    if not is_mine:
        raise VerificationError(f"its evidence has no line by {key.id} at size {size}")
    return _text(lines[key.id]), is_trusted


def _stamped(seen: Seen, record: Record, trust: Trust) -> tuple[str | None, bool]:
    """Return the date of a time stamp, and whether a certificate that was given stands behind."""
    token = base64.b64decode(record["evidence"], validate=True)
    head = Head(record["size"], seen.root_at(record["size"]))
    imprint = hashlib.sha256(checkpoint_text(seen.origin, head).encode()).digest()
    if imprint not in token:
        raise VerificationError(
            f"its time stamp is not over sha256:{imprint.hex()}, the checkpoint of {head.size}"
        )
    if not trust.authorities:
        return None, False
    from index.publication import timestamps

    stamp = timestamps.check(token, imprint, trust.authorities)
    if stamp.by != record["by"]:
        raise VerificationError(f"its time stamp is by {stamp.by}")
    return _text(stamp.at), True


def _text(at: datetime) -> str:
    return clock.iso(at.astimezone(UTC).replace(tzinfo=None))


# Times ------------------------------------------------------------------------------------------


def check_times(seen: Seen, dates: Sequence[OutsideDate], found: Findings) -> list[Bound]:
    """Check the moments that fixings state, and return what bounds each day from outside.

    Args:
        seen: the log.
        dates: from :func:`check_witnesses`.
        found: takes what cannot be true: of a live fixing, a moment before it was due, before its
            commitment, or out of order (rulebook 9.2); and one that a date of somebody else
            contradicts, which is a problem if that one is trusted and a warning otherwise.
    """
    published = Published()
    for body in seen.bodies:
        published.add(body)
    for text in moments.check(published, seen.bodies):
        found.add("log", text)
    _check_against(seen, dates, found)
    return _bounds(seen, dates)


def _check_against(seen: Seen, dates: Sequence[OutsideDate], found: Findings) -> None:
    """Compare live fixings with the dates that others set before and after them."""
    for seq, record in enumerate(seen.records):
        if record["type"] != "fixing" or "BUNDLED" in record["flags"]:
            continue
        said = record["published_at"]
        for one in dates:
            if one.seq < seq and said < _moved(one.at, -SKEW):
                what = f"stands after record {one.seq}, which {one.by} dates {one.at}"
            elif seq < one.size and said > _moved(one.at, SKEW):
                what = f"was seen at {one.at} by {one.by} (record {one.seq})"
            else:
                continue
            text = f"says it was published at {said} and {what}"
            if one.is_trusted:
                found.add(f"seq {seq}", text)
            elif f"seq {seq} {text}" not in found.warnings:
                found.warnings.append(f"seq {seq} {text}")


def _moved(text: str, by: timedelta) -> str:
    return clock.iso(datetime.fromisoformat(text.removesuffix("Z")) + by)


def _bounds(seen: Seen, dates: Sequence[OutsideDate]) -> list[Bound]:
    last: dict[tuple[str, str], int] = {}
    for seq, record in enumerate(seen.records):
        if record["type"] == "fixing":
            last[record["session"], record["ref_date"]] = seq
    rows = []
    for (session, day), seq in sorted(last.items(), key=lambda item: (item[0][1], item[0][0])):
        over = [one for one in dates if one.size > seq]
        trusted = [one for one in over if one.is_trusted]
        first = [min(some, key=lambda one: one.at, default=None) for some in (trusted, over)]
        rows.append(Bound(session, day, first[0], first[1]))
    return rows


def told(bounds: Sequence[Bound]) -> list[dict[str, Any]]:
    """Return the bounds as ``--json`` prints them: one row a day and session."""
    return [
        {
            "session": one.session,
            "ref_date": one.ref_date,
            "seen_by_others_at": one.trusted.at if one.trusted else None,
            "seen_by": one.trusted.by if one.trusted else None,
            "stated_at": one.stated.at if one.stated else None,
            "stated_by": one.stated.by if one.stated else None,
        }
        for one in bounds
    ]


def summary(bounds: Sequence[Bound]) -> list[str]:
    """Return what a person reads of the outside dates: the ones there are, and what has none."""
    if not bounds:
        return []
    trusted = [one for one in bounds if one.trusted]
    stated = [one for one in bounds if one.stated and not one.trusted]
    none = [one for one in bounds if not one.stated]
    lines = []
    for some, name, what in (
        (trusted, "trusted", "dated by others whom you trust"),
        (stated, "stated", "dated by others as the log states, none of them pinned"),
    ):
        firsts = [(getattr(one, name), one) for one in some]
        if firsts:
            at = [date.at for date, _ in firsts]
            lines.append(
                f"{len(some)} of {len(bounds)} days {what}: existed by {min(at)} (first) to "
                f"{max(at)} (last)"
            )
    if none:
        days = f"{none[0].ref_date} {none[0].session}"
        more = f" to {none[-1].ref_date} {none[-1].session}" if none[1:] else ""
        lines.append(
            f"{len(none)} of {len(bounds)} days have no outside date ({days}{more}): when they "
            "were made rests on the publisher's word"
        )
    return lines
