"""What a stranger checks: a log, its keys and its records, from published files alone.

Nothing that the publisher says is believed but the signatures of keys, and those only as far as a
pinned key vouches for them. Whatever does not hold becomes a :class:`Problem` that names the file
or the place in the log. Work on the same bytes is done once in a process.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from index.foreign_log import ForeignLog
from index.ledger import merkle
from index.ledger.canonical import parse_record
from index.ledger.tiles import ENTRIES, WIDTH, Head, Tree, parse_checkpoint
from index.publication import notes, schema
from index.publication.key_records import KeyHistory
from index.publication.keys import PURPOSES, PublicKey, is_demo
from index.shelves import Shelf
from methodology.errors import ConfigError, SpotfixError, VerificationError

Record = Mapping[str, Any]

_KEY_FILE = re.compile(rf"({'|'.join(PURPOSES)})-([0-9a-f]{{16}})(?:\.pem)?")

_KEPT = 1 << 14
"""Results of pure functions that are kept, by their arguments."""


@dataclass(frozen=True)
class Problem:
    """One thing that does not hold: the file or the place in the log, and what is wrong there."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


@dataclass
class Findings:
    """What was checked (``counts``, by its plural name) and what did not hold."""

    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, where: str, what: object) -> None:
        """Note a problem, once."""
        found = Problem(where, str(what))
        if found not in self.problems:
            self.problems.append(found)

    def refuse(self, evidence: object = None) -> None:
        """Raise VerificationError if anything did not hold; all of it is in its ``report``."""
        if not self.problems:
            return
        more = f" (and {len(self.problems) - 1} more)" if self.problems[1:] else ""
        error = VerificationError(f"{self.problems[0]}{more}")
        error.report = self  # type: ignore[attr-defined]
        error.evidence = evidence  # type: ignore[attr-defined]
        raise error


# Keys -------------------------------------------------------------------------------------------


EVERYONES = "EVERYONE HAS THE PRIVATE PART of"
"""How the warning of demonstration and mock keys begins."""


@dataclass(frozen=True)
class Trust:
    """Public keys that the verifier got elsewhere, by what they are made of.

    A PEM does not say what its key is for. Where the name of the file did (``fixing-<id>.pem``),
    ``purposes`` holds it by raw key, and the key is trusted for nothing else: whoever steals a
    fixing key could make it the root of a log of his own. ``authorities`` are certificates (PEM) of
    time-stamp authorities that the verifier trusts (RFC 3161).
    """

    pinned: tuple[PublicKey, ...] = ()
    purposes: Mapping[bytes, str] = field(default_factory=dict)
    authorities: tuple[bytes, ...] = ()

    def may(self, key: PublicKey, purpose: str) -> bool:
        """Return whether nothing that was said of a pinned key speaks against this purpose."""
        return self.purposes.get(key.raw, purpose) == purpose

    def holds(self, key: PublicKey) -> bool:
        """Return whether a key is one of the pinned ones, and for what it is used for."""
        return self.may(key, key.purpose) and any(
            (one.algorithm, one.raw) == (key.algorithm, key.raw) for one in self.pinned
        )

    @property
    def names(self) -> str:
        """What was pinned, for a message."""
        return ", ".join(one.id.partition("-")[2] for one in self.pinned)


def pinned_key(pem: bytes, origin: str = "pinned") -> PublicKey:
    """Return a public key given as PEM; what it is for, the log says.

    Raises:
        ConfigError: not a public key.
    """
    return PublicKey.from_pem(pem, name=origin, purpose="log")


def purpose_in_name(name: str, key: PublicKey) -> str | None:
    """Return what a key is for if the name of its file says it, as the names of published ones do.

    Raises:
        ConfigError: the name says another key's id.
    """
    stated = _KEY_FILE.fullmatch(name)
    if stated is None:
        return None
    if stated[2] != key.id.rpartition("-")[2]:
        raise ConfigError(f"{name}: this file holds another key, {key.id.rpartition('-')[2]}")
    return stated[1]


@lru_cache(_KEPT)
def signed_by(key: PublicKey, body: bytes, signature: bytes) -> bool:
    """Return whether a signature over bytes is a key's."""
    return key.verify(body, signature)


@lru_cache(_KEPT)
def checked_note(note: bytes, keys: tuple[PublicKey, ...]) -> notes.Checkpoint:
    """Return a checkpoint whose signatures are right; VerificationError otherwise."""
    return notes.verify_checkpoint(note, keys)


# A log ------------------------------------------------------------------------------------------


@dataclass
class Seen:
    """A log that was read whole and whose root was signed: ``bodies`` are its entries.

    ``vouched_by`` is the purpose of the pinned key that vouches for it: ``root``, ``log``,
    ``fixing``; empty when nothing was pinned, or nothing that vouches.
    """

    shelf: Shelf
    note: bytes
    origin: str
    head: Head
    bodies: list[bytes]
    records: list[Record]
    hashes: list[bytes]
    history: KeyHistory
    vouched_by: str = ""
    _roots: dict[int, bytes] = field(default_factory=dict)

    def root_at(self, size: int) -> bytes:
        """Return the root over the first ``size`` entries."""
        if size not in self._roots:
            self._roots[size] = merkle.root(self.hashes[:size])
        return self._roots[size]

    def check_signature(self, seq: int, body: bytes, signature: bytes) -> None:
        """Raise VerificationError unless a fixing key in force at ``seq`` signed these bytes."""
        keys = self.history.at("fixing", seq)
        if not any(signed_by(key, body, signature) for key in keys):
            self.history.verify("fixing", seq, body, signature)

    def check_note(self, note: bytes) -> Head:
        """Return the head of a signed checkpoint of this log.

        Raises:
            VerificationError: a wrong form or signature, another log, a size or root it never had.
        """
        try:
            origin, head = parse_checkpoint(notes.parse_note(note).body)
        except ValueError as error:
            raise VerificationError(f"is no checkpoint: {error}") from error
        if origin != self.origin:
            raise VerificationError(f"is a checkpoint of {origin}, not of {self.origin}")
        if head.size > self.head.size:
            raise VerificationError(
                f"is of size {head.size} and the newest checkpoint of {self.head.size}: records "
                "were taken back"
            )
        if head.root != self.root_at(head.size):
            raise VerificationError(
                f"root {head.root.hex()} at size {head.size}; the log has "
                f"{self.root_at(head.size).hex()}: it was forked"
            )
        checked_note(note, self.history.checkpoint_keys(head.size))
        return head


@lru_cache(_KEPT)
def _record(body: bytes) -> Record:
    return parse_record(body)


@lru_cache(_KEPT)
def _schema_problems(body: bytes) -> tuple[str, ...]:
    return tuple(schema.problems(_record(body)))


@lru_cache(64)
def _leaves(bodies: tuple[bytes, ...]) -> tuple[tuple[bytes, ...], Head]:
    tree = Tree()
    for body in bodies:
        tree.add(_leaf(body))
    return tuple(tree.leaf_hashes), tree.head


@lru_cache(_KEPT)
def _leaf(body: bytes) -> bytes:
    return merkle.leaf_hash(body)


@lru_cache(64)
def _history(bodies: tuple[bytes, ...]) -> KeyHistory:
    return KeyHistory.read([_record(body) for body in bodies])


def read_log(shelf: Shelf, trust: Trust, found: Findings) -> Seen | None:
    """Return the log on a shelf if its entries make the root that its own keys signed.

    Args:
        shelf: ``checkpoint`` and ``tile/...`` stand directly below it.
        trust: pinned keys.
        found: takes problems, warnings and counts.

    Returns:
        ``None`` when the log cannot be used for anything further.
    """
    where = shelf.where("checkpoint")
    note = shelf.read("checkpoint")
    if note is None:
        found.add(where, "is missing; name the folder of a log")
        return None
    try:
        origin, head = parse_checkpoint(notes.parse_note(note).body)
    except (VerificationError, ValueError) as error:
        found.add(where, error)
        return None
    log = ForeignLog(shelf, head.size)
    try:
        bodies = log.entries()
    except VerificationError as error:
        where, _, what = str(error).partition(": ")
        found.add(where, what)
        return None
    hashes, made = _leaves(tuple(bodies))
    if made.root != head.root:
        _blame(log, list(hashes), head, found)
        return None
    found.counts["records"] = head.size
    records = _read_records(log, bodies, origin, found)
    if records is None:
        return None
    try:
        history = _history(tuple(b for b, r in zip(bodies, records) if r["type"] == "key"))
    except SpotfixError as error:
        found.add(shelf.where(log.name_of(ENTRIES, 0)), error)
        return None
    try:
        checked_note(note, history.checkpoint_keys(head.size))
    except SpotfixError as error:
        found.add(where, error)
        return None
    seen = Seen(shelf, note, origin, head, bodies, records, list(hashes), history)
    _check_trust(seen, trust, found)
    return seen


def _blame(log: ForeignLog, hashes: list[bytes], head: Head, found: Findings) -> None:
    """Say which file makes another root: a bundle, a tile, or the checkpoint itself."""
    try:
        is_tiles = log.root_of(0, head.size) == head.root
        odd = [seq for seq in range(head.size) if log.leaf_hash(seq) != hashes[seq]]
    except VerificationError as error:
        where, _, what = str(error).partition(": ")
        found.add(where, what)
        return
    if is_tiles and odd:
        name = log.shelf.where(log.name_of(ENTRIES, odd[0] // WIDTH))
        found.add(name, f"entry {odd[0]} (seq {odd[0]}) is not the one the signed root covers")
        return
    found.add(
        log.shelf.where("checkpoint"),
        f"root {head.root.hex()} at size {head.size}; the entries make "
        f"{merkle.root(hashes).hex()}"
        + (f", and seq {odd[0]} differs from {log.name_of(0, odd[0] // WIDTH)}" if odd else ""),
    )


def _read_records(
    log: ForeignLog, bodies: Sequence[bytes], origin: str, found: Findings
) -> list[Record] | None:
    """Return the records of the entries; None if one cannot be read at all."""
    records: list[Record] = []
    for seq, body in enumerate(bodies):
        where = f"{log.shelf.where(log.name_of(ENTRIES, seq // WIDTH))} seq {seq}"
        try:
            record = _record(body)
        except VerificationError as error:
            found.add(where, error)
            return None
        records.append(record)
        if record.get("seq") != seq:
            found.add(where, f"says seq {record.get('seq')!r}: a record was moved or doubled")
        if record.get("log_origin") != origin:
            found.add(where, f"is of the log {record.get('log_origin')!r}, not {origin!r}")
        for problem in _schema_problems(body):
            found.add(where, problem)
    return records if not found.problems else None


def _check_trust(seen: Seen, trust: Trust, found: Findings) -> None:
    """Check that a pinned key vouches for this log; without one, say loudly that none does."""
    roots = [t.key for t in seen.history.tenures.values() if t.key.purpose == "root"]
    signers = seen.history.checkpoint_keys(seen.head.size)
    known = [t.key.id for t in seen.history.tenures.values() if is_demo(t.key)]
    if known:
        found.warnings.append(
            f"{EVERYONES} {', '.join(known)}: anybody could have made this log; it shows the way "
            "and proves nothing"
        )
    if not trust.pinned:
        found.warnings.append(
            f"signed by keys this copy names itself (root {roots[0].id}); anybody can make such a "
            "copy: pin one with --trusted-key"
        )
        return
    if any(trust.holds(key) for key in roots):
        seen.vouched_by = "root"
        return
    if any(trust.holds(key) for key in signers):
        seen.vouched_by = "log"
        found.warnings.append(
            "the pinned key signs the log and not the keys in it: that the right key signed its "
            "records rests on what this copy says itself; pin its root"
        )
        return
    fixing = {
        key
        for seq, record in enumerate(seen.records)
        if record["type"] != "key"
        for key in seen.history.at("fixing", seq)
    }
    if fixing and all(trust.holds(key) for key in fixing):
        seen.vouched_by = "fixing"
        found.warnings.append(
            "the pinned key signs records and not the log: that the log is whole and never "
            "changed rests on keys this copy names itself; pin its root"
        )
        return
    found.add(
        seen.shelf.where("checkpoint"),
        f"no pinned key vouches for it: its root is {roots[0].id}, the log signs with "
        f"{', '.join(key.id for key in signers)}; pinned: {trust.names}",
    )
    for key in (*roots, *signers, *fixing):
        if key.raw in trust.purposes and not trust.may(key, key.purpose):
            found.add(
                seen.shelf.where("checkpoint"),
                f"the key pinned for {trust.purposes[key.raw]} is this log's key for {key.purpose}",
            )


__all__ = [
    "Findings",
    "Problem",
    "Record",
    "Seen",
    "Trust",
    "checked_note",
    "pinned_key",
    "purpose_in_name",
    "read_log",
    "signed_by",
]
