"""How a witness follows a log whose keys change: by the records its own cosigned past vouches for.

The keys of a log are begun, replaced and revoked by records in the log, under a root that stays
offline. A witness that cosigned the first N records has the log's first root among them. Records
after N change keys only with the signature of the root in force, so whoever holds the log's daily
keys alone can neither bring in a key nor keep one that was revoked.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from index.foreign_log import Break, ForeignLog, broken
from index.ledger import merkle
from index.ledger.canonical import parse_record
from index.ledger.files import replace_durably
from index.ledger.tiles import Head, parse_checkpoint
from index.publication.key_records import KeyHistory
from index.publication.keys import ED25519, PublicKey
from index.publication.note_text import NOTE, SUBTREE, parse_note, parse_vkey, vkey
from methodology.errors import ConfigError, VerificationError

_MARK = b'"type":"key"'


def turns_keys(log: ForeignLog, last: Head, head: Head) -> bool:
    """Return whether a key record is among the entries after those cosigned last.

    The entries are those of the root: the proof from ``last`` to ``head`` is made from them.

    Raises:
        VerificationError: entries are missing, or do not make the root.
    """
    new = log.entries(last.size)
    hashes = [merkle.leaf_hash(body) for body in new]

    def root_of(low: int, high: int) -> bytes:
        if low < last.size:
            return log.root_of(low, high)
        return merkle.root(hashes[low - last.size : high - last.size])

    proof = merkle.consistency_path(root_of, last.size, head.size)
    if not merkle.verify_consistency(last.size, head.size, last.root, head.root, proof):
        raise VerificationError(
            f"{log.shelf.where(log.name_of(-1, last.size // 256))}: the entries from seq "
            f"{last.size} on do not make root {head.root.hex()} of the checkpoint"
        )
    return any(_MARK in body for body in new)


def follow(
    log: ForeignLog, note: bytes, last: Head, held: Sequence[PublicKey]
) -> tuple[PublicKey, ...]:
    """Return the keys that sign a log as it is shown, proved from those held so far.

    Args:
        log: its files.
        note: the checkpoint that is shown; its signatures are for the caller to check.
        last: the head cosigned last.
        held: the keys of the log that are known: its records must know them as well.

    Raises:
        VerificationError: nothing was cosigned under the held keys, the entries are not those of
            the checkpoint or no continuation of ``last``, a key record breaks the rules, or a
            held key was never this log's.
    """
    where = log.shelf.where("checkpoint")
    origin, head = parse_checkpoint(parse_note(note).body)
    if last.size == 0:
        raise VerificationError(
            f"{where}: not signed by the keys held of {origin}, and nothing was cosigned under "
            "them that could prove others; get its keys from elsewhere, --log-key"
        )
    if head.size < last.size:
        raise broken(Break(origin, last, head, "the log is shorter than it was"))
    bodies = log.entries()
    hashes = [merkle.leaf_hash(body) for body in bodies]
    if merkle.root(hashes) != head.root:
        raise VerificationError(f"{where}: the entries do not make root {head.root.hex()}")
    if merkle.root(hashes[: last.size]) != last.root:
        raise broken(Break(origin, last, head, "the log was forked"))
    history = KeyHistory(origin)
    for seq, body in enumerate(bodies):
        if _MARK not in body:
            continue
        record = parse_record(body)
        if record.get("type") != "key":
            continue
        if record.get("seq") != seq:
            raise VerificationError(f"{where}: entry {seq} says seq {record.get('seq')!r}")
        history.add(record)
    known = {one.key.raw for one in history.tenures.values() if one.key.purpose == "log"}
    strange = [key.id for key in held if key.raw not in known]
    if strange:
        raise VerificationError(
            f"{where}: {', '.join(strange)} is no key of this log by its own key records, so they "
            "say nothing about what replaced it"
        )
    return history.checkpoint_keys(head.size)


# What is kept -----------------------------------------------------------------------------------


def spelled(key: PublicKey) -> str:
    """Return a key of a log as a C2SP verifier key."""
    return vkey(key, NOTE if key.algorithm == ED25519 else SUBTREE)


def keep(path: Path, given: Sequence[str], keys: Sequence[PublicKey]) -> None:
    """Keep the keys that were proved, durably, with those that the proof began with."""
    told: dict[str, Any] = {"from": sorted(given), "keys": [spelled(key) for key in keys]}
    replace_durably(path, json.dumps(told, indent=1).encode() + b"\n")


def kept(path: Path, given: Sequence[PublicKey]) -> tuple[PublicKey, ...]:
    """Return the keys proved since, or those given where the proof did not begin with them.

    Raises:
        ConfigError: the file is not as :func:`keep` writes it.
    """
    if not path.exists():
        return tuple(given)
    try:
        told = json.loads(path.read_bytes())
        if told["from"] != sorted(spelled(key) for key in given):
            return tuple(given)
        return tuple(parse_vkey(text, purpose="log")[0] for text in told["keys"])
    except (ValueError, KeyError, TypeError, VerificationError) as error:
        raise ConfigError(
            f"{path}: is not a file of keys ({error}); restore it, or give the log's keys of today "
            "with --log-key"
        ) from error
