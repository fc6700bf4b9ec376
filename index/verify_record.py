"""One record's files, checked against a log or, without one, by pinned keys and its own proof."""

from __future__ import annotations

import re

from index.ledger.canonical import parse_record
from index.publication import drop, proofs
from index.publication.keys import ED25519, PublicKey, is_demo
from index.shelves import Shelf, Within
from index.verify_drop import check_bodies, check_files
from index.verify_target import Target
from index.verifying import EVERYONES, Findings, Record, Seen, Trust, signed_by
from methodology.errors import SpotfixError, UsageError, VerificationError

_SITE_NAME = re.compile(r"r([0-9]+)")


def _parsed(target: Target, found: Findings) -> tuple[bytes, Record] | None:
    beside = target.beside
    assert beside is not None
    where = beside.where(f"{target.stem}.json")
    body = beside.read(f"{target.stem}.json")
    if body is None:
        found.add(where, "is missing")
        return None
    try:
        record = parse_record(body)
        _check_name(target.stem, record)
    except VerificationError as error:
        found.add(where, error)
        return None
    return body, record


def _check_name(stem: str, record: Record) -> None:
    """Check that a file that is named as published ones are is named for its own record."""
    name = _SITE_NAME.fullmatch(stem)
    if name is not None and record.get("revision") != int(name[1]):
        raise VerificationError(
            f"is named revision {name[1]} and holds revision {record.get('revision')} "
            f"(seq {record.get('seq')})"
        )
    place = drop.place_of(record)
    if stem.startswith("fixing_") and (place is None or place.stem != stem):
        raise VerificationError(
            f"holds the record of {place.stem if place else record.get('type')} "
            f"(seq {record.get('seq')})"
        )


def check_record(target: Target, seen: Seen, found: Findings) -> None:
    """Check a record's files against its log, and the bodies it cites.

    Raises:
        Unreachable: a server did not answer.
    """
    parsed = _parsed(target, found)
    beside = target.beside
    if parsed is None or beside is None:
        return
    where, seq = beside.where(f"{target.stem}.json"), parsed[1].get("seq")
    if type(seq) is not int or not 0 <= seq < seen.head.size:
        found.add(where, f"says seq {seq!r}; the log has {seen.head.size} records")
        return
    check_files(beside, target.stem, seq, seen, found)
    for ending in (".json.sig", ".tlog-proof"):
        if beside.read(target.stem + ending) is None:
            found.warnings.append(f"{beside.where(target.stem + ending)} is not there")
    if target.site is not None:
        check_bodies(Within(target.site, "batches"), seen, found, [seq])


def check_lone(target: Target, trust: Trust, found: Findings) -> None:
    """Check a record by pinned keys and its own proof, no log being within reach.

    Raises:
        UsageError: nothing is pinned, so there is nothing to check it by.
        Unreachable: a server did not answer.
    """
    parsed = _parsed(target, found)
    beside = target.beside
    if parsed is None or beside is None:
        return
    body, record = parsed
    if not trust.pinned:
        raise UsageError(
            f"{target.label}: no log is within reach; name it with --log, or pin the fixing key "
            "and the log's keys with --trusted-key"
        )
    from index.publication import schema

    found.warnings += [f"{EVERYONES} {k.id}" for k in trust.pinned if is_demo(k)]
    where, seq = beside.where(f"{target.stem}.json"), record.get("seq")
    for problem in schema.problems(record):
        found.add(where, problem)
    signature = beside.read(f"{target.stem}.json.sig")
    if signature is None:
        found.add(beside.where(f"{target.stem}.json.sig"), f"is missing (seq {seq})")
    elif not any(signed_by(k, body, signature) for k in _may_sign(beside, target.stem, trust)):
        found.add(
            beside.where(f"{target.stem}.json.sig"),
            f"no pinned key made this signature over seq {seq}; pinned: {trust.names}",
        )
    else:
        found.counts["signatures"] += 1
    proof = beside.read(f"{target.stem}.tlog-proof")
    if proof is None:
        found.warnings.append(f"{beside.where(target.stem + '.tlog-proof')} is not there")
        return
    try:
        keys = _named(trust, str(record.get("log_origin")), proofs.parse(proof).note)
        if not keys:
            found.warnings.append(
                "no pinned key is the log's: that the record stands in the log is not checked"
            )
            return
        proofs.verify(proof, body, keys)
        if proofs.parse(proof).index != seq:
            raise VerificationError(f"is of entry {proofs.parse(proof).index}")
        found.counts["proofs"] += 1
    except SpotfixError as error:
        found.add(beside.where(f"{target.stem}.tlog-proof"), f"{error} (seq {seq})")


def _may_sign(beside: Shelf, stem: str, trust: Trust) -> list[PublicKey]:
    """Return the pinned keys that may sign records: none that signs the log beside this one."""
    try:
        note = proofs.parse(beside.read(f"{stem}.tlog-proof") or b"").note
        logs = {k.raw for k in _named(trust, note.partition(b"\n")[0].decode("utf-8"), note)}
    except (SpotfixError, ValueError):
        logs = set()
    mine = [k for k in trust.pinned if k.algorithm == ED25519 and trust.may(k, "fixing")]
    return [k for k in mine if k.raw not in logs]


def _named(trust: Trust, origin: str, note: bytes) -> list[PublicKey]:
    """Return the pinned keys that stand on a line of this checkpoint, named as its log."""
    from index.publication.notes import NOTE, SUBTREE, key_hash, parse_note

    there = {(one.name, one.key_hash) for one in parse_note(note).signatures}
    found = []
    for one in trust.pinned:
        key = PublicKey(origin, "log", one.algorithm, one.raw)
        kind = NOTE if key.algorithm == ED25519 else SUBTREE
        if (origin, key_hash(key, kind)) in there:
            found.append(key)
    return found
