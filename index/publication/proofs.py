"""A record's proof in one small file: ``.tlog-proof`` (c2sp.org/tlog-proof, read 2026-11-21).

::

    c2sp.org/tlog-proof@v1
    index 41
    <audit path, lowest sibling first, one base64 hash a line>

    <the signed checkpoint, verbatim>

Whoever holds the record's bytes, this file and the log's public keys needs nothing else, and
nobody else, to see that the record stands in the log.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from index.ledger.merkle import HASH_BYTES, leaf_hash, verify_inclusion
from index.ledger.tiles import parse_checkpoint
from index.publication.keys import PublicKey
from index.publication.notes import MAX_NOTE_BYTES, Checkpoint, parse_note, verify_checkpoint
from methodology.errors import VerificationError

HEADER: Final = "c2sp.org/tlog-proof@v1"
MAX_PATH: Final = 63
"""No tree that a 64-bit size describes is deeper."""

_INDEX = re.compile(r"index (0|[1-9][0-9]{0,17})")


class Provable(Protocol):
    """Whatever holds the tree: the log, or a tree read from published tiles."""

    def inclusion_proof(self, seq: int, size: int | None = None) -> list[bytes]:
        """Return the audit path of entry ``seq`` in the tree of ``size`` entries."""
        ...


@dataclass(frozen=True, slots=True)
class Proof:
    """A parsed proof: the entry's index, its audit path, the signed checkpoint; unverified."""

    index: int
    path: tuple[bytes, ...]
    note: bytes
    extra: bytes | None = None

    def encode(self) -> bytes:
        """Return the proof's bytes."""
        lines = [HEADER]
        if self.extra is not None:
            lines.append("extra " + _base64(self.extra))
        lines.append(f"index {self.index}")
        lines += map(_base64, self.path)
        return ("\n".join(lines) + "\n\n").encode() + self.note


def make(log_like: Provable, seq: int, note: bytes) -> bytes:
    """Return the proof that entry ``seq`` stands in the tree of a signed checkpoint.

    Args:
        log_like: holds the tree; asked for one audit path.
        seq: the entry.
        note: the signed checkpoint, of any size above ``seq``.

    Raises:
        VerificationError: ``note`` is no signed checkpoint.
        IndexError: the checkpoint does not cover ``seq``, or the tree is smaller.
    """
    try:
        _, head = parse_checkpoint(parse_note(note).body)
    except ValueError as error:
        raise VerificationError(f"proof of entry {seq}: checkpoint: {error}") from error
    return Proof(seq, tuple(log_like.inclusion_proof(seq, head.size)), note).encode()


def parse(proof: bytes) -> Proof:
    """Return what a proof file says; nothing is verified but its form.

    Raises:
        VerificationError: not the one way to write such a file. The message names the line.
    """
    if len(proof) > 2 * MAX_NOTE_BYTES:
        raise VerificationError(f"proof: {len(proof)} bytes; at most {2 * MAX_NOTE_BYTES} are read")
    top, blank, note = proof.partition(b"\n\n")
    if not blank:
        raise VerificationError("proof: no blank line before the checkpoint")
    try:
        lines = top.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise VerificationError(f"proof: byte {error.start} is not ASCII") from error
    if lines[0] != HEADER:
        raise VerificationError(f"proof line 1: {lines[0][:120]!r} is not {HEADER!r}")
    at = 1
    extra = None
    if len(lines) > 1 and lines[1].startswith("extra "):
        extra = _unbase64(lines[1].removeprefix("extra "), 2)
        at = 2
    found = _INDEX.fullmatch(lines[at]) if len(lines) > at else None
    if found is None:
        shown = lines[at][:120] if len(lines) > at else ""
        raise VerificationError(f"proof line {at + 1}: {shown!r} is not 'index NUMBER'")
    path = []
    for number, line in enumerate(lines[at + 1 :], start=at + 2):
        hashed = _unbase64(line, number)
        if len(hashed) != HASH_BYTES:
            raise VerificationError(
                f"proof line {number}: {len(hashed)} bytes where a hash has {HASH_BYTES}"
            )
        path.append(hashed)
    if len(path) > MAX_PATH:
        raise VerificationError(f"proof: {len(path)} hashes; no tree is that deep")
    return Proof(int(found[1]), tuple(path), note, extra)


def verify(
    proof: bytes,
    record_bytes: bytes,
    keys: Sequence[PublicKey],
    *,
    not_after: datetime | None = None,
) -> Checkpoint:
    """Return the checkpoint below which ``record_bytes`` stands at the index the proof names.

    Args:
        proof: the bytes of a ``.tlog-proof`` file.
        record_bytes: the record exactly as it was received.
        keys: the log's keys, and those of witnesses whose cosignatures should count.
        not_after: as in :func:`index.publication.notes.verify_checkpoint`.

    Raises:
        VerificationError: the form, a signature, or the path is wrong. The message says which.
    """
    parsed = parse(proof)
    checkpoint = verify_checkpoint(parsed.note, keys, not_after=not_after)
    hashed = leaf_hash(record_bytes)
    if not verify_inclusion(hashed, parsed.index, checkpoint.size, parsed.path, checkpoint.root):
        raise VerificationError(
            f"proof: these {len(record_bytes)} bytes do not stand at index {parsed.index} of "
            f"{checkpoint.origin} at size {checkpoint.size}: leaf {hashed.hex()[:16]} and "
            f"{len(parsed.path)} hashes do not lead to root {_base64(checkpoint.root)}"
        )
    return checkpoint


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


def _unbase64(text: str, number: int) -> bytes:
    """Return the bytes of a line that is base64 in its one spelling."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise VerificationError(f"proof line {number}: {text[:120]!r} is not base64") from None
    if _base64(raw) != text:
        raise VerificationError(f"proof line {number}: {text[:120]!r} is not the one spelling")
    return raw
