"""Which key signs what, from which record on: the ``key/1.0`` records of a log, checked.

A key begins with ``CREATE`` or, in the place of another, with ``ROTATE``, and ends with ``REVOKE``.
The root signs all of them and is offline otherwise; a new key signs its own record too, which
shows that its private part exists.

What is signed is the canonical form of the record without ``signatures`` and without ``seq``
(:func:`signed_part`). The place in the log is left out because the root is elsewhere: a statement
carried to it and back must still be true when other records were logged meanwhile. Logged twice
it says nothing new: a key begins once and is revoked once.

A key holds from the later of ``effective_seq`` and the place of its own record, so that nothing
logged before changes hands; only the first key of its kind may reach back to the start of the log.
A revocation may reach back: signatures by that key on records from ``effective_seq`` on count for
nothing, however right they are. Those on earlier records hold, because the order of the log is
fixed by checkpoints that others have seen.

A checkpoint of size N is signed by the log's keys in force at seq N - 1.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, NoReturn

from index.ledger.canonical import canonical
from index.publication.keys import ED25519, PublicKey
from methodology.errors import SpotfixError, VerificationError

CREATE: Final = "CREATE"
ROTATE: Final = "ROTATE"
REVOKE: Final = "REVOKE"

ONE_HOLDER: Final = ("root", "fixing", "log")
"""Purposes with one key of each algorithm at a time; the others may have many."""

KINDS: Final = {"root": ED25519, "fixing": ED25519}
"""Purposes with one algorithm: a first key of another kind could reach back over the whole log."""

FIELDS: Final = (
    "type", "schema", "log_origin", "action", "key_id", "name", "purpose", "algorithm",
    "public_key", "replaces", "effective_seq", "reason", "at",
)  # fmt: skip
"""The fields that are signed; ``seq`` and ``signatures`` are the others."""


def signed_part(record: Mapping[str, Any]) -> bytes:
    """Return the bytes that the signatures of a key record are over."""
    return canonical({k: v for k, v in record.items() if k not in ("seq", "signatures")})


@dataclass(frozen=True, slots=True)
class Tenure:
    """A key and the records it signs: from ``first`` up to, not including, ``until``.

    ``revoked_from`` is the first record for which its signatures count for nothing.
    """

    key: PublicKey
    recorded: int
    first: int
    until: int | None = None
    revoked_from: int | None = None
    reason: str | None = None

    def holds(self, seq: int) -> bool:
        """Return whether the key is in force for the record at ``seq``."""
        before = self.until is None or seq < self.until
        return self.first <= seq and before and not self.revoked(seq)

    def revoked(self, seq: int) -> bool:
        """Return whether a revocation reaches the record at ``seq``."""
        return self.revoked_from is not None and seq >= self.revoked_from


@dataclass
class KeyHistory:
    """The keys of one log over its whole life, every record of them checked.

    ``tenures`` holds them in the order of their records, by key id.
    """

    origin: str | None = None
    tenures: dict[str, Tenure] = field(default_factory=dict)
    _last: int = -1
    _by_root: dict[str, int] = field(default_factory=dict)

    @classmethod
    def read(
        cls,
        records: Iterable[Mapping[str, Any]],
        *,
        origin: str | None = None,
        root: PublicKey | None = None,
    ) -> KeyHistory:
        """Return the history that the key records of a log tell, in the order of the log.

        Args:
            records: the records of type ``key``; others are passed over.
            origin: the log they must be of; ``None`` takes that of the first.
            root: the root that the caller trusts; the first record must be of it.

        Raises:
            VerificationError: a record contradicts the rules of this module. The message names
                the key id and the seq.
        """
        history = cls(origin)
        for record in records:
            if record.get("type") == "key":
                history.add(record, root=root)
        return history

    def add(self, record: Mapping[str, Any], *, root: PublicKey | None = None) -> None:
        """Take the next key record into account.

        Raises:
            VerificationError: as for :meth:`read`; the history is then as before.
        """
        seq, key = self._form(record)
        where = f"key record at seq {seq}, key {key.id}"
        if not self.tenures:
            if record["action"] != CREATE or key.purpose != "root":
                _refuse(where, "the first key record of a log creates its root")
            if root is not None and key.raw != root.raw:
                _refuse(where, f"the log's root is not the trusted one, {root.id}")
        signed = self._signatures(where, record, key)
        if record["action"] == REVOKE:
            changed = [self._revoked(where, record, seq, key, signed)]
        else:
            changed = self._begun(where, record, seq, key, signed)
        self.tenures.update((one.key.id, one) for one in changed)
        self._last = seq
        for one in signed:
            if one.purpose == "root":
                self._by_root[one.id] = seq

    # Asking ---------------------------------------------------------------------------------------

    def at(self, purpose: str, seq: int) -> tuple[PublicKey, ...]:
        """Return the keys of a purpose in force for the record at ``seq``; may be none."""
        return tuple(
            one.key
            for one in self.tenures.values()
            if one.key.purpose == purpose and one.holds(seq)
        )

    def checkpoint_keys(self, size: int) -> tuple[PublicKey, ...]:
        """Return the log's keys that sign a checkpoint of ``size`` entries."""
        return self.at("log", max(size - 1, 0))

    def key(self, key_id: str, purpose: str, seq: int) -> PublicKey:
        """Return a key that may sign the record at ``seq`` for a purpose.

        Raises:
            VerificationError: the key is unknown, of another purpose, not in force yet or no
                more, or revoked for that record. The message names key id and seq.
        """
        held = self.tenures.get(key_id)
        where = f"signature at seq {seq}, key {key_id}"
        if held is None:
            known = ", ".join(self.tenures) or "none"
            _refuse(where, f"no record of the log creates this key; known are {known}")
        if held.key.purpose != purpose:
            _refuse(where, f"it is a key for {held.key.purpose} and {purpose} is needed")
        if held.revoked(seq):
            _refuse(where, f"revoked from seq {held.revoked_from} on ({held.reason})")
        if seq < held.first:
            _refuse(where, f"it holds from seq {held.first} on")
        if held.until is not None and seq >= held.until:
            _refuse(where, f"another key took over at seq {held.until}")
        return held.key

    def verify(
        self, purpose: str, seq: int, message: bytes, signature: bytes, key_id: str | None = None
    ) -> str:
        """Return the id of the key that signed the record at ``seq``.

        Args:
            purpose: what the key must be for.
            seq: place of the record that was signed.
            message: the bytes that were signed.
            signature: the raw signature.
            key_id: who is said to have signed; ``None`` tries each key in force.

        Raises:
            VerificationError: no key that may sign there made this signature.
        """
        keys = self.at(purpose, seq) if key_id is None else (self.key(key_id, purpose, seq),)
        for key in keys:
            if key.verify(message, signature):
                return key.id
        for one in self.tenures.values():  # say it when a key that holds no more made it
            if key_id is None and one.key.purpose == purpose and one.key.verify(message, signature):
                self.key(one.key.id, purpose, seq)
        names = ", ".join(key.id for key in keys) or "none in force"
        raise VerificationError(
            f"signature at seq {seq}: not made by a key for {purpose} ({names})"
        )

    def states(self, seq: int) -> list[dict[str, Any]]:
        """Return every key with its state for the record at ``seq``, in the order of the log.

        Each has ``id, name, purpose, algorithm, public_key, state, first_seq, until_seq,
        revoked_from_seq, reason``; ``state`` is ``IN_FORCE``, ``PLANNED``, ``REPLACED`` or
        ``REVOKED``.
        """
        rows = []
        for one in self.tenures.values():
            state = "IN_FORCE" if one.holds(seq) else "REPLACED"
            if seq < one.first:
                state = "PLANNED"
            if one.revoked_from is not None:
                state = "REVOKED"
            rows.append(
                {
                    "id": one.key.id,
                    "name": one.key.name,
                    "purpose": one.key.purpose,
                    "algorithm": one.key.algorithm,
                    "public_key": one.key.base64(),
                    "state": state,
                    "first_seq": one.first,
                    "until_seq": one.until,
                    "revoked_from_seq": one.revoked_from,
                    "reason": one.reason,
                }
            )
        return rows

    # Checking -------------------------------------------------------------------------------------

    def _form(self, record: Mapping[str, Any]) -> tuple[int, PublicKey]:
        """Return place and key of a record whose fields fit together."""
        seq = record.get("seq")
        where = f"key record at seq {seq}, key {record.get('key_id')}"
        missing = {*FIELDS, "seq", "signatures"} ^ set(record)
        if missing:
            _refuse(where, f"fields {sorted(missing)} are missing or unknown")
        if type(seq) is not int or seq <= self._last:
            _refuse(where, f"it follows the key record at seq {self._last}")
        if type(record["effective_seq"]) is not int or record["effective_seq"] < 0:
            _refuse(where, f"effective_seq {record['effective_seq']!r} is no place in a log")
        if record["action"] not in (CREATE, ROTATE, REVOKE):
            _refuse(where, f"action {record['action']!r} is not one of CREATE, ROTATE, REVOKE")
        self.origin = self.origin or record["log_origin"]
        if record["log_origin"] != self.origin:
            _refuse(where, f"it is of the log {record['log_origin']!r}, not {self.origin!r}")
        if (record["action"] == ROTATE) != (record["replaces"] is not None):
            _refuse(where, "'replaces' names a key in a rotation and nowhere else")
        try:
            raw = base64.b64decode(record["public_key"], validate=True)
            key = PublicKey.from_raw(
                raw,
                name=record["name"],
                purpose=record["purpose"],
                algorithm=record["algorithm"],
            )
        except (SpotfixError, binascii.Error, ValueError, TypeError, AttributeError) as error:
            _refuse(where, f"its key cannot be read: {error}")
        if key.base64() != record["public_key"] or key.id != record["key_id"]:
            _refuse(where, f"the id of its public_key is {key.id}")
        return seq, key

    def _signatures(self, where: str, record: Mapping[str, Any], key: PublicKey) -> list[PublicKey]:
        """Return the keys that signed a record; one wrong signature refuses it."""
        message = signed_part(record)
        signed: list[PublicKey] = []
        for one in record["signatures"]:
            held = self.tenures.get(one["key_id"])
            signer = key if one["key_id"] == key.id else held.key if held else None
            if signer is None:
                _refuse(where, f"signed by {one['key_id']}, which no record of the log creates")
            if signer.id in [other.id for other in signed]:
                _refuse(where, f"signed twice by {signer.id}")
            try:
                signature = base64.b64decode(one["signature"], validate=True)
            except (binascii.Error, ValueError, TypeError):
                _refuse(where, f"the signature of {signer.id} is not base64")
            if not signer.verify(message, signature):
                _refuse(where, f"the signature of {signer.id} does not verify")
            signed.append(signer)
        return signed

    def _by_the_root(self, where: str, seq: int, signed: Sequence[PublicKey]) -> None:
        """Refuse a record that the root in force did not sign."""
        roots = self.at("root", seq)
        if not roots:
            _refuse(where, "no root is in force any more; nothing can be changed in this log")
        if not {key.id for key in roots} & {key.id for key in signed}:
            _refuse(where, f"the root in force, {roots[0].id}, did not sign it")

    def _begun(
        self,
        where: str,
        record: Mapping[str, Any],
        seq: int,
        key: PublicKey,
        signed: Sequence[PublicKey],
    ) -> list[Tenure]:
        """Return the tenures that a CREATE or ROTATE changes."""
        for one in self.tenures.values():
            if one.key.raw == key.raw:
                told = "" if one.revoked_from is None else f", revoked from seq {one.revoked_from}"
                _refuse(where, f"this key began at seq {one.recorded}{told}; no key begins twice")
        if key.id in self.tenures:  # 64 bits: two keys of one id can be searched for
            _refuse(where, "another key of this log has that id; make a new one")
        if KINDS.get(key.purpose, key.algorithm) != key.algorithm:
            _refuse(where, f"a key for {key.purpose} is {KINDS[key.purpose]}, not {key.algorithm}")
        if key.id not in [one.id for one in signed]:
            _refuse(where, "the new key did not sign its own record")
        if self.tenures:
            self._by_the_root(where, seq, signed)
        first = max(record["effective_seq"], 0 if self._opening(record, key) else seq)
        begun = Tenure(key, seq, first)
        if record["action"] == ROTATE:
            return [self._handed_over(where, record["replaces"], key, first), begun]
        others = [
            one
            for one in self.tenures.values()
            if key.purpose in ONE_HOLDER
            and (one.key.purpose, one.key.algorithm) == (key.purpose, key.algorithm)
            and (one.until is None or one.until > first)
            and not one.revoked(first)
        ]
        if others:
            _refuse(where, f"{others[0].key.id} is in force at seq {first}; rotate or revoke it")
        return [begun]

    def _opening(self, record: Mapping[str, Any], key: PublicKey) -> bool:
        """Return whether this is the first key of its kind: it may hold for earlier records."""
        return (
            record["action"] == CREATE
            and not any(
                (one.key.purpose, one.key.algorithm) == (key.purpose, key.algorithm)
                for one in self.tenures.values()
            )
            and key.purpose in ONE_HOLDER
        )

    def _handed_over(self, where: str, old_id: str, key: PublicKey, first: int) -> Tenure:
        """Return the tenure of the key that hands over, ended."""
        old = self.tenures.get(old_id)
        if old is None:
            _refuse(where, f"it replaces {old_id}, which no record of the log creates")
        if (old.key.purpose, old.key.algorithm) != (key.purpose, key.algorithm):
            _refuse(where, f"it replaces {old_id}, which has another purpose or algorithm")
        if old.revoked_from is not None:
            _refuse(where, f"it replaces {old_id}, revoked from seq {old.revoked_from}: create one")
        if old.until is not None:
            _refuse(where, f"it replaces {old_id}, which handed over at seq {old.until} already")
        if first <= old.first:
            _refuse(where, f"it replaces {old_id}, which holds only from seq {old.first} on")
        return replace(old, until=first)

    def _revoked(
        self,
        where: str,
        record: Mapping[str, Any],
        seq: int,
        key: PublicKey,
        signed: Sequence[PublicKey],
    ) -> Tenure:
        """Return the tenure of a key that a REVOKE ends."""
        held = self.tenures.get(key.id)
        if held is None:
            _refuse(where, "it revokes a key that no record of the log creates")
        if held.revoked_from is not None:
            _refuse(where, f"revoked from seq {held.revoked_from} on already")
        if held.key != key:
            _refuse(where, "its name or key differs from the record that created it")
        if not record["reason"]:
            _refuse(where, "a revocation says why")
        self._by_the_root(where, seq, signed)
        start = record["effective_seq"]
        if key.purpose == "root" and start <= self._by_root.get(key.id, -1):
            _refuse(
                where,
                f"from seq {start} on this root would count for nothing, yet it signed the key "
                f"record at seq {self._by_root[key.id]}; a root is revoked from a later seq on",
            )
        return replace(held, revoked_from=start, reason=record["reason"])


def _refuse(where: str, why: str) -> NoReturn:
    raise VerificationError(f"{where}: {why}")
