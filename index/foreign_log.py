"""Somebody else's log, read from its static files (C2SP ``tlog-tiles``), believed in nothing.

A proof is made here from the tiles and then verified against heads that were signed, so a wrong
tile gives a proof that fails and never one that passes. Only the tiles a proof needs are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from index.ledger import merkle
from index.ledger.tiles import (
    ENTRIES,
    WIDTH,
    Head,
    Tile,
    decode_bundle,
    tiles_of,
)
from index.shelves import Shelf
from methodology.errors import VerificationError


@dataclass(frozen=True)
class Break:
    """Two heads of one log that cannot both be true, or one that took records back."""

    origin: str
    older: Head
    newer: Head
    what: str

    def __str__(self) -> str:
        return (
            f"{self.origin}: {self.what}: size {self.older.size} root {self.older.root.hex()} was "
            f"seen before, size {self.newer.size} root {self.newer.root.hex()} is shown now; keep "
            "both signed checkpoints, they are evidence"
        )


class ForeignLog:
    """A log of ``size`` entries whose files are on a shelf (``tile/...`` directly below it)."""

    def __init__(self, shelf: Shelf, size: int) -> None:
        self.shelf, self.size = shelf, size
        self._tiles: dict[tuple[int, int], list[bytes]] = {}
        self._names: dict[tuple[int, int], str] = {}

    def name_of(self, level: int, index: int) -> str:
        """Return the path of the tile or bundle that was read, or would be."""
        key = level, index
        return self._names.get(key) or Tile(level, index, self._width(level, index)).path

    def entries(self, start: int = 0) -> list[bytes]:
        """Return the entries from ``start`` on, as the bundles have them: check the root over them.

        Raises:
            VerificationError: a bundle is missing, torn, or has too few entries; it is named.
        """
        found: list[bytes] = []
        first = start // WIDTH
        for tile in tiles_of(self.size, ENTRIES):
            if tile.index < first:
                continue
            name, body = self._body(ENTRIES, tile.index)
            try:
                part = decode_bundle(body)
            except ValueError as error:
                raise VerificationError(f"{self.shelf.where(name)}: {error}") from error
            if len(part) < tile.width or (name == tile.path and len(part) > tile.width):
                raise VerificationError(
                    f"{self.shelf.where(name)}: {len(part)} entries where the checkpoint of "
                    f"{self.size} has {tile.width}; first wrong is seq {tile.index * WIDTH}"
                )
            found += part[: tile.width]
        return found[start - first * WIDTH :]

    def root_of(self, low: int, high: int) -> bytes:
        """Return the root over entries ``low`` to ``high``, from tiles; ``low`` as RFC 6962 splits.

        Raises:
            VerificationError: a tile is missing or torn; it is named.
        """
        if high - low == 0:
            return merkle.EMPTY_ROOT
        size = high - low
        if size & (size - 1) == 0:
            return self._node(size.bit_length() - 1, low)
        middle = low + merkle.split(size)
        return merkle.node_hash(self.root_of(low, middle), self.root_of(middle, high))

    def leaf_hash(self, seq: int) -> bytes:
        """Return the leaf hash of one entry, from its level-0 tile."""
        return self.root_of(seq, seq + 1)

    def inclusion_proof(self, seq: int) -> list[bytes]:
        """Return the audit path of an entry below the root at ``size``, lowest sibling first.

        Raises:
            IndexError: no such entry.
            VerificationError: a tile is missing or torn.
        """
        if not 0 <= seq < self.size:
            raise IndexError(f"entry {seq} of {self.size}")
        return merkle.inclusion_path(self.root_of, seq, self.size)

    def consistency_proof(self, old: int, new: int | None = None) -> list[bytes]:
        """Return the proof that the tree at ``old`` is a prefix of the one at ``new`` (now: size).

        Raises:
            IndexError: not ``0 <= old <= new <= size``.
            VerificationError: a tile is missing or torn.
        """
        new = self.size if new is None else new
        if not 0 <= old <= new <= self.size:
            raise IndexError(f"sizes {old} and {new} of {self.size}")
        return merkle.consistency_path(self.root_of, old, new)

    def _width(self, level: int, index: int) -> int:
        count: int = self.size // WIDTH ** max(level, 0)
        return min(WIDTH, count - index * WIDTH)

    def _body(self, level: int, index: int) -> tuple[str, bytes]:
        """Return name and bytes of a tile: as wide as the tree has it, or full when it grew."""
        width = self._width(level, index)
        for each in dict.fromkeys((width, WIDTH)):
            name = Tile(level, index, each).path
            body = self.shelf.read(name)
            if body is not None:
                self._names[level, index] = name
                return name, body
        name = Tile(level, index, width).path
        raise VerificationError(
            f"{self.shelf.where(name)}: is missing; the checkpoint of {self.size} entries needs it"
        )

    def _tile(self, level: int, index: int) -> list[bytes]:
        key = level, index
        if key not in self._tiles:
            name, body = self._body(level, index)
            step = merkle.HASH_BYTES
            least = self._width(level, index) * step
            if len(body) % step or len(body) < least:
                raise VerificationError(
                    f"{self.shelf.where(name)}: {len(body)} bytes where {least} were due"
                )
            self._tiles[key] = [body[at : at + step] for at in range(0, len(body), step)]
        return self._tiles[key]

    def _node(self, height: int, low: int) -> bytes:
        """Return the hash of the whole subtree of ``2**height`` leaves that starts at ``low``."""
        level, above = divmod(height, 8)
        first = low >> (8 * level)
        index, offset = divmod(first, WIDTH)
        return merkle.root(self._tile(level, index)[offset : offset + (1 << above)])


def check_growth(
    origin: str, log: ForeignLog, head: Head, older: Head, proof: Sequence[bytes] | None = None
) -> None:
    """Check that a head seen before is a prefix of the one shown now.

    Args:
        origin: the log's name.
        log: where tiles are read, unless ``proof`` is given.
        head: shown now, its signature checked.
        older: seen before, or held by somebody else.
        proof: the consistency proof, made elsewhere.

    Raises:
        VerificationError: a fork, a log that shrank, or tiles that do not make the head; its
            ``evidence`` is the :class:`Break` where there is one.
    """
    if older.size > head.size:
        raise broken(Break(origin, older, head, "the log is shorter than it was"))
    made = log.consistency_proof(older.size) if proof is None else proof
    if merkle.verify_consistency(older.size, head.size, older.root, head.root, made):
        return
    if proof is None and log.root_of(0, head.size) != head.root:
        raise VerificationError(
            f"{log.shelf.where(log.name_of(0, 0))}: the tiles do not make root "
            f"{head.root.hex()} of the checkpoint of {head.size} entries"
        )
    raise broken(Break(origin, older, head, "the log was forked"))


def broken(found: Break) -> VerificationError:
    """Return the error of a fork, with both heads in its ``evidence``."""
    error = VerificationError(str(found))
    error.evidence = found  # type: ignore[attr-defined]
    return error
