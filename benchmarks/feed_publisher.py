"""A publisher for the feed's benchmark: signed records at a rate, and nothing else.

    python -m benchmarks.feed_publisher FOLDER RATE SECONDS

Each publication writes the entry bundle and moves the signed checkpoint, as the real one does,
without its files for exchanges and without fsync: what is measured is the feed. The record holds
the monotonic clock of this machine right before the checkpoint moves. Prints one line of JSON.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from index.feed.app import open_store
from index.ledger import merkle
from index.ledger.tiles import ENTRIES, WIDTH, Tile, Tree, checkpoint_text, encode_bundle
from index.publication import keys, notes
from tests import feed_tree
from tests import fixing_records as made

PADDING = "x" * 1_800
"""So that a record has the size of a fixing, about two thousand bytes."""


class Signer:
    """The demonstration key with the library's own signing, which is fast."""

    def __init__(self, purpose: str, algorithm: str, name: str) -> None:
        seed = hashlib.sha256(keys.DEMO_SEED + purpose.encode() + algorithm.encode()).digest()
        self._private = keys.private_from_seed(algorithm, seed)
        raw = self._private.public_key().public_bytes_raw()
        self.public = keys.PublicKey(name, purpose, algorithm, raw)

    def sign(self, message: bytes) -> bytes:
        return self._private.sign(message)


class Ring:
    """The two keys that sign checkpoints."""

    def __init__(self, origin: str) -> None:
        self.log = Signer("log", keys.ED25519, origin)
        self.log_pq = Signer("log", keys.ML_DSA_44, origin)


class Publisher:
    """Goes on with a published tree."""

    def __init__(self, folder: Path) -> None:
        store = open_store(made.settings(folder))
        self.site, self.origin = store.site, store.origin
        self.ring = Ring(self.origin)
        self.tree = Tree()
        self.bundle: list[bytes] = []
        for entry in store.entries:
            self._add(entry.body)

    def _add(self, body: bytes) -> None:
        if len(self.bundle) == WIDTH:
            self.bundle = []
        self.bundle.append(body)
        self.tree.add(merkle.leaf_hash(body))

    def publish(self) -> float:
        """Publish one record; return the seconds it took."""
        started = time.monotonic_ns()
        seq = self.tree.head.size
        record = {
            "at": f"{started:020d}", "concerns": None, "index_id": None, "kind": "OTHER",
            "log_origin": self.origin, "ref_date": None, "schema": "notice/1.0", "seq": seq,
            "session": None, "text": PADDING, "type": "notice",
        }  # fmt: skip
        self._add(json.dumps(record, separators=(",", ":")).encode())
        head = self.tree.head
        place = Tile(ENTRIES, (head.size - 1) // WIDTH, len(self.bundle))
        path = self.site / "log" / place.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_bundle(self.bundle))
        body = checkpoint_text(self.origin, head).encode()
        note = notes.sign_checkpoint(body, self.ring, datetime.now(UTC))
        moving = self.site / "log" / "checkpoint"
        fresh = moving.with_name(".checkpoint")
        fresh.write_bytes(note)
        os.replace(fresh, moving)
        return (time.monotonic_ns() - started) / 1e9


def make(folder: Path) -> None:
    """Make the tree that the servers serve."""
    feed_tree.make(folder)


def main() -> None:
    folder, rate, seconds = Path(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
    publisher = Publisher(folder)
    print("ready", flush=True)
    sys.stdin.readline()
    first = publisher.tree.head.size
    started, took = time.monotonic(), []
    for number in range(int(rate * seconds)):
        wait = started + number / rate - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        took.append(publisher.publish())
    took.sort()
    told: dict[str, Any] = {
        "first": first,
        "count": len(took),
        "seconds": time.monotonic() - started,
        "p50": took[len(took) // 2],
        "p99": took[len(took) * 99 // 100],
    }
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
