"""Signed notes and checkpoints, byte for byte as C2SP defines them (pages read 2026-11-21).

A signed note is text, a blank line, and signature lines (c2sp.org/signed-note)::

    — <key name> base64(key hash, 4 bytes || signature)

A checkpoint is the note whose text is origin, size and root (c2sp.org/tlog-checkpoint). Three
kinds of lines stand below it:

====  ============================================================================================
0x01  Ed25519 by the log's key over the text itself
0x04  Ed25519 by a witness: eight bytes of time, then a signature over ``cosignature/v1``, the
      time and the text (c2sp.org/tlog-cosignature)
0x06  ML-DSA-44 by the log's second key or a witness: eight bytes of time, then a signature over
      the ``subtree/v1`` message, which names signer, time, log, size and root (the same page)
====  ============================================================================================

A key hash is the first four bytes of SHA-256 over name, newline, kind and raw public key. It only
finds the key; the signature decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

from index.ledger.tiles import Head, parse_checkpoint
from index.publication.keys import ED25519, SIGNATURE_BYTES, PublicKey, Signer
from index.publication.note_text import (
    ALGORITHM,
    COSIGNATURE,
    MAX_NOTE_BYTES,
    NOTE,
    SUBTREE,
    Note,
    NoteSignature,
    add_line,
    key_hash,
    parse_note,
    parse_vkey,
    vkey,
)
from methodology.errors import ConfigError, VerificationError

__all__ = [
    "COSIGNATURE",
    "MAX_NOTE_BYTES",
    "NOTE",
    "SUBTREE",
    "Checkpoint",
    "CheckpointKeys",
    "Note",
    "NoteSignature",
    "add_line",
    "cosign",
    "key_hash",
    "parse_note",
    "parse_vkey",
    "sign_checkpoint",
    "sign_note",
    "verify_checkpoint",
    "verify_note",
    "vkey",
]

TIME_BYTES: Final = 8

_LABEL = b"subtree/v1\n\x00"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint whose signatures were checked.

    ``signed_by`` are the ids of the log's keys whose lines verified; ``signed_at`` is the time in
    the log's own ML-DSA-44 line, ``None`` without one. ``cosigned`` are id and time of each
    witness whose line verified; the log's own keys are never among them.
    """

    origin: str
    size: int
    root: bytes
    signed_by: list[str]
    cosigned: list[tuple[str, datetime]]
    signed_at: datetime | None = None

    @property
    def head(self) -> Head:
        """Size and root."""
        return Head(self.size, self.root)


class CheckpointKeys(Protocol):
    """The two signers of checkpoints; a ``Keyring`` is one."""

    @property
    def log(self) -> Signer:
        """The Ed25519 key of the log."""
        ...

    @property
    def log_pq(self) -> Signer:
        """The ML-DSA-44 key of the log."""
        ...


# Signing ------------------------------------------------------------------------------------------


def sign_note(body: bytes, signer: Signer) -> bytes:
    """Return a note over ``body`` with one Ed25519 line of kind 0x01.

    Raises:
        VerificationError: ``body`` is not text that ends in a newline.
        ConfigError: the key is not Ed25519, or the signer failed.
    """
    hashed = key_hash(signer.public, NOTE)
    line = NoteSignature(signer.public.name, hashed, signer.sign(body)).line()
    return parse_note(body + b"\n" + line).encode()


def sign_checkpoint(body: bytes, keyring: CheckpointKeys, at: datetime) -> bytes:
    """Return the signed note of a checkpoint: the Ed25519 line, then the ML-DSA-44 one.

    Args:
        body: the three lines of the checkpoint.
        keyring: ``log`` and ``log_pq`` sign; both must bear the log's origin as their name.
        at: when, aware; the ML-DSA-44 line holds it in whole seconds.

    Raises:
        VerificationError: ``body`` is no checkpoint.
        ConfigError: a key bears another name than the origin, or a signer failed.
    """
    origin, _ = _checkpoint(body)
    for signer in (keyring.log, keyring.log_pq):
        if signer.public.name != origin:
            raise ConfigError(
                f"key {signer.public.id}: its name is {signer.public.name!r} and the log's origin "
                f"{origin!r}; a log signs under its own name"
            )
    note = sign_note(body, keyring.log)
    return add_line(note, cosign(note, keyring.log_pq, at))


def cosign(note: bytes, signer: Signer, at: datetime) -> bytes:
    """Return the line a cosigner adds: kind 0x04 by an Ed25519 key, 0x06 by ML-DSA-44.

    Whoever cosigns has verified the note and its consistency with every earlier one before.

    Args:
        note: the signed checkpoint.
        signer: the witness's signer.
        at: when, aware; the line holds whole seconds.

    Raises:
        VerificationError: ``note`` is no checkpoint.
        ConfigError: the signer failed.
    """
    body = parse_note(note).body
    kind = COSIGNATURE if signer.public.algorithm == ED25519 else SUBTREE
    if at.tzinfo is None:
        raise ValueError(f"cosignature time {at!r} has no zone")
    seconds = int(at.timestamp())
    if seconds < 0:
        raise ValueError(f"cosignature time {at!r} is before 1970")
    signature = signer.sign(_cosigned_message(kind, signer.public.name, seconds, body))
    stamped = seconds.to_bytes(TIME_BYTES, "big") + signature
    return NoteSignature(signer.public.name, key_hash(signer.public, kind), stamped).line()


# Verifying ----------------------------------------------------------------------------------------


def verify_note(note: bytes, keys: Sequence[PublicKey]) -> Note:
    """Return a note that at least one of ``keys`` signed with a line of kind 0x01.

    Raises:
        VerificationError: none of the keys signed, or a line of one of them does not verify.
    """
    parsed = parse_note(note)
    known = {(k.name, key_hash(k, NOTE)): k for k in keys if k.algorithm == ED25519}
    valid = False
    for one in parsed.signatures:
        key = known.get((one.name, one.key_hash))
        if key is not None and not key.verify(parsed.body, one.signature):
            raise VerificationError(f"note: the line of key {key.id} ({key.name}) does not verify")
        valid = valid or key is not None
    if not valid:
        raise VerificationError(_unsigned("note", keys, parsed))
    return parsed


def verify_checkpoint(
    note: bytes, keys: Sequence[PublicKey], *, not_after: datetime | None = None
) -> Checkpoint:
    """Return what a signed checkpoint says, once its signatures are shown to be right.

    Lines of keys that were not given count for nothing. A line of a given key must verify, or the
    whole note is refused. Of each algorithm for which a key of purpose ``log`` was given, one such
    key must have signed: who holds the log's ML-DSA-44 key is not content with Ed25519 alone.

    Args:
        note: the signed checkpoint.
        keys: of purpose ``log`` and ``witness``; others are not asked.
        not_after: refuse cosignatures dated later than this; ``None`` asks no clock.

    Raises:
        VerificationError: not a checkpoint, no key of the log was given or none signed, a line
            does not verify, or its time is beyond ``not_after``. The message names the key.
    """
    parsed = parse_note(note)
    origin, head = _checkpoint(parsed.body)
    where = f"checkpoint {origin} at size {head.size}"
    known = {
        (key.name, key_hash(key, kind)): (key, kind)
        for key in keys
        for kind, algorithm in ALGORITHM.items()
        if key.algorithm == algorithm and _may(key, kind)
    }
    needed = {key.algorithm for key in keys if key.purpose == "log"}
    signed: dict[str, str] = {}
    signed_at: datetime | None = None
    cosigned: dict[str, datetime] = {}
    for one in parsed.signatures:
        key, kind = known.get((one.name, one.key_hash), (None, 0))
        if key is None:
            continue
        if key.purpose == "log" and key.name != origin:
            raise VerificationError(f"{where}: key {key.id} belongs to the log {key.name!r}")
        at = _check_line(where, parsed.body, one, key, kind)
        if at is not None and not_after is not None and at > not_after:
            raise VerificationError(
                f"{where}: the line of key {key.id} is dated {at.isoformat()}, after "
                f"{not_after.isoformat()}"
            )
        if key.purpose == "log":
            signed[key.id] = key.algorithm
            signed_at = at or signed_at
        elif at is not None:
            cosigned[key.id] = at
    if not needed or needed - set(signed.values()):
        raise VerificationError(_unsigned(where, [k for k in keys if k.purpose == "log"], parsed))
    return Checkpoint(origin, head.size, head.root, list(signed), list(cosigned.items()), signed_at)


def _may(key: PublicKey, kind: int) -> bool:
    """Return whether a key of its purpose may stand on a line of ``kind``."""
    return kind in {"log": (NOTE, SUBTREE), "witness": (COSIGNATURE, SUBTREE)}.get(key.purpose, ())


def _check_line(
    where: str, body: bytes, one: NoteSignature, key: PublicKey, kind: int
) -> datetime | None:
    """Return the time on a line that verifies (``None`` for kind 0x01), or raise."""
    if kind == NOTE:
        if not key.verify(body, one.signature):
            raise VerificationError(f"{where}: the line of key {key.id} does not verify")
        return None
    if len(one.signature) != TIME_BYTES + SIGNATURE_BYTES[key.algorithm]:
        raise VerificationError(
            f"{where}: the line of key {key.id} holds {len(one.signature)} bytes after the key "
            f"hash, not {TIME_BYTES + SIGNATURE_BYTES[key.algorithm]}"
        )
    seconds = int.from_bytes(one.signature[:TIME_BYTES], "big")
    message = _cosigned_message(kind, key.name, seconds, body)
    if not key.verify(message, one.signature[TIME_BYTES:]):
        raise VerificationError(f"{where}: the line of key {key.id} does not verify")
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        raise VerificationError(
            f"{where}: the line of key {key.id} is dated {seconds} s after 1970, which is no date"
        ) from None


def _cosigned_message(kind: int, name: str, seconds: int, body: bytes) -> bytes:
    """Return what a cosigner signs."""
    if kind == COSIGNATURE:
        return f"cosignature/v1\ntime {seconds}\n".encode() + body
    origin, head = _checkpoint(body)
    start = 0
    return b"".join(
        (
            _LABEL,
            _short(name.encode()),
            seconds.to_bytes(TIME_BYTES, "big"),
            _short(origin.encode()),
            start.to_bytes(8, "big"),
            head.size.to_bytes(8, "big"),
            head.root,
        )
    )


def _short(text: bytes) -> bytes:
    """Return text after its length in one byte (RFC 8446, 3.4); names have at most 255 bytes."""
    return bytes([len(text)]) + text


def _checkpoint(body: bytes) -> tuple[str, Head]:
    try:
        return parse_checkpoint(body)
    except ValueError as error:
        raise VerificationError(f"checkpoint: {error}") from error


def _unsigned(where: str, keys: Sequence[PublicKey], parsed: Note) -> str:
    """Return the words for a note that the keys at hand did not sign as they must."""
    asked = ", ".join(f"{key.id} ({key.name})" for key in keys) or "none"
    there = ", ".join(f"{one.name} {one.key_hash.hex()}" for one in parsed.signatures)
    return (
        f"{where}: not signed as it must be by the keys given ({asked}); the lines are of {there}. "
        "Take the log's keys from where its operator announced them"
    )
