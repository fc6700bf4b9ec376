"""A log's keys and their records, made as a test needs them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from index.publication import key_records as kr
from index.publication import keyring
from index.publication.key_records import KeyHistory
from index.publication.keys import ED25519, PublicKey, Signer, private_from_seed

ORIGIN = "example.org/log"
AT = datetime(2026, 11, 21, 7, 0)
RING = keyring.demo(ORIGIN, "example.org")
Record = dict[str, Any]


class Seeded:
    """A key of a seed: whatever a test needs beside the demonstration keys."""

    def __init__(self, number: int, purpose: str, name: str, algorithm: str = ED25519) -> None:
        self._private = private_from_seed(algorithm, bytes([number]) * 32)
        raw = self._private.public_key().public_bytes_raw()
        self.public = PublicKey(name, purpose, algorithm, raw)

    def sign(self, message: bytes) -> bytes:
        return self._private.sign(message)


ROOT: Signer = RING.root_signer  # type: ignore[assignment]
NEXT = Seeded(1, "fixing", "example.org/fixing")
AFTER = Seeded(2, "fixing", "example.org/fixing")
ALICE = Seeded(3, "officer", "alice")
NEW_ROOT = Seeded(4, "root", "example.org/root")
NEW_LOG = Seeded(5, "log", ORIGIN)
STRANGER = Seeded(6, "root", "stranger")


def opening() -> list[Record]:
    return [make(seq) for seq, make in enumerate(kr.opening(RING, ORIGIN, AT))]


def rotated(seq: int, new: Signer = NEXT, held: Signer = RING.fixing, **given: Any) -> Record:
    words = {"origin": ORIGIN, "at": AT, "effective_seq": seq, "root": ROOT, "old": held, **given}
    return {**kr.rotate(new, held.public, **words), "seq": seq}


def revoked(seq: int, key: PublicKey, start: int, **given: Any) -> Record:
    words = {"origin": ORIGIN, "at": AT, "reason": "copied", "root": ROOT, **given}
    return {**kr.revoke(key, effective_seq=start, **words), "seq": seq}


def created(seq: int, new: Signer, root: Signer | None = ROOT, start: int = 0) -> Record:
    made = kr.create(new, origin=ORIGIN, at=AT, effective_seq=start, root=root)
    return {**made, "seq": seq}


def ids(history: KeyHistory, purpose: str, seq: int) -> list[str]:
    return [key.id for key in history.at(purpose, seq)]


FIXING = RING.fixing.public.id
