"""Small signed logs whose files are in memory, for whoever reads a log from outside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache

from index.ledger import merkle
from index.ledger.tiles import ENTRIES, Head, Tree, checkpoint_text, encode_bundle, tiles_of
from index.publication.keys import ML_DSA_44, DemoSigner, PublicKey, Signer
from index.publication.notes import sign_checkpoint
from index.shelves import Held

ORIGIN = "example.org/log"
AT = datetime(2026, 8, 31, 8, 0, tzinfo=UTC)


@dataclass(frozen=True)
class LogKeys:
    """The two keys of a log, of its name."""

    log: Signer
    log_pq: Signer

    @property
    def public(self) -> list[PublicKey]:
        return [self.log.public, self.log_pq.public]


@cache
def keys_of(origin: str = ORIGIN) -> LogKeys:
    return LogKeys(DemoSigner("log", name=origin), DemoSigner("log", ML_DSA_44, name=origin))


@cache
def _signed(keys: LogKeys, text: bytes) -> bytes:
    # ML-DSA-44 signatures are drawn anew each time; one text is to have one note here.
    return sign_checkpoint(text, keys, AT)


@dataclass
class Grown:
    """A log that can grow; ``shelf`` shows it as it stands on a web server."""

    origin: str = ORIGIN
    bodies: list[bytes] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    keeps_partial: bool = True

    @property
    def keys(self) -> LogKeys:
        return keys_of(self.origin)

    @property
    def shelf(self) -> Held:
        return Held(self.files, "log/")

    @property
    def hashes(self) -> list[bytes]:
        return [merkle.leaf_hash(body) for body in self.bodies]

    def head(self, size: int | None = None) -> Head:
        size = len(self.bodies) if size is None else size
        return Head(size, merkle.root(self.hashes[:size]))

    def note(self, size: int | None = None) -> bytes:
        return _signed(self.keys, checkpoint_text(self.origin, self.head(size)).encode())

    def grow(self, bodies: Sequence[bytes]) -> Grown:
        """Add entries and publish: tiles, then the checkpoint."""
        self.bodies += bodies
        tree = Tree()
        for one in self.hashes:
            tree.add(one)
        if not self.keeps_partial:
            for name in [n for n in self.files if ".p/" in n]:
                del self.files[name]
        for tile in tiles_of(len(self.bodies)):
            start = tile.index * 256
            self.files[tile.path] = (
                encode_bundle(self.bodies[start : start + tile.width])
                if tile.level == ENTRIES
                else b"".join(tree.hashes(tile))
            )
        self.files["checkpoint"] = self.note()
        return self


def grown(count: int, origin: str = ORIGIN, word: str = "record") -> Grown:
    return Grown(origin).grow([f"{word} {n}".encode() for n in range(count)])
