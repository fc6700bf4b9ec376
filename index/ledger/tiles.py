"""The files of the log as text and bytes: where each one is and what must be in it.

The layout is C2SP ``tlog-tiles`` (c2sp.org/tlog-tiles): tiles are 256 hashes wide and eight
levels high; an entry bundle holds the 256 leaves below one level-0 tile. Paths are relative to
``<ledger>/log/``. Nothing here opens a file.

============================  ==================================================================
``checkpoint``                origin, size and root, one line each: the body of a signed note
``heads``                     the origin, then size and root of every checkpoint there ever was
``pending``                   the entries of an append that is not finished
``tile/<level>/<index>``      hashes; ``.p/<width>`` after it while it has fewer than 256
``tile/entries/<index>``      leaves, each after its length as two bytes, big-endian
============================  ==================================================================

Each text form has exactly one spelling: it is written again after parsing and compared, so that
no changed byte can pass for the same meaning.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from index.ledger.merkle import (
    EMPTY_ROOT,
    HASH_BYTES,
    consistency_path,
    inclusion_path,
    node_hash,
)

WIDTH = 256
MAX_ENTRY_BYTES = 65_535
_DOUBLINGS = WIDTH.bit_length() - 1
ENTRIES = -1
"""The ``level`` of an entry bundle."""

CHECKPOINT = "checkpoint"
HEADS = "heads"
PENDING = "pending"

# An origin becomes the name of a signing key, which may hold neither blanks nor plus signs.
_ORIGIN = re.compile(r"[!-*,-~]{1,200}")
_SIZE = re.compile(r"0|[1-9][0-9]{0,17}")


@dataclass(frozen=True, slots=True)
class Head:
    """A size of the tree and its root at that size."""

    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class Tile:
    """One tile or entry bundle, full or partial. ``level`` is :data:`ENTRIES` for a bundle."""

    level: int
    index: int
    width: int

    @property
    def path(self) -> str:
        """Where it is below ``log/``: index 1234567 is ``x001/x234/567``."""
        text = str(self.index)
        text = text.zfill(-(-len(text) // 3) * 3)
        groups = [text[at : at + 3] for at in range(0, len(text), 3)]
        path = "/".join([*("x" + group for group in groups[:-1]), groups[-1]])
        level = "entries" if self.level == ENTRIES else str(self.level)
        partial = "" if self.width == WIDTH else f".p/{self.width}"
        return f"tile/{level}/{path}{partial}"


def tiles_of(size: int, level: int | None = None) -> Iterator[Tile]:
    """Yield the tiles and bundles of a tree of ``size`` leaves: bundles first, then level by level.

    With ``level`` only those of that level.
    """
    for each in _levels(size) if level is None else [level]:
        count = size // WIDTH ** max(each, 0)
        for index in range(count // WIDTH):
            yield Tile(each, index, WIDTH)
        if count % WIDTH:
            yield Tile(each, count // WIDTH, count % WIDTH)


class Tree:
    """Every node whose leaves are all there, in memory: about 64 bytes a leaf.

    ``_nodes[k][i]`` is the root over leaves ``i * 2**k`` up to ``(i + 1) * 2**k``; tiles hold those
    of every eighth ``k``. So a root at any size, or a proof, costs a few hashes for each doubling
    of the size, and not one for each leaf.
    """

    def __init__(self) -> None:
        self._nodes: list[list[bytes]] = [[]]

    @property
    def leaf_hashes(self) -> Sequence[bytes]:
        """The leaf hashes, oldest first."""
        return self._nodes[0]

    @property
    def head(self) -> Head:
        """Size and root now."""
        size = len(self._nodes[0])
        return Head(size, self.root_at(size))

    def add(self, hashed: bytes) -> None:
        """Add one leaf hash."""
        for here in self._nodes:
            here.append(hashed)
            if len(here) % 2:
                return
            hashed = node_hash(here[-2], hashed)
        self._nodes.append([hashed])

    def copy(self) -> Tree:
        """Return a tree of the same leaves that can grow by itself."""
        twin = Tree()
        twin._nodes = [list(level) for level in self._nodes]
        return twin

    def hashes(self, tile: Tile) -> list[bytes]:
        """Return the hashes of a tile; for a bundle, the hashes of its leaves."""
        start = tile.index * WIDTH
        return self._nodes[_DOUBLINGS * max(tile.level, 0)][start : start + tile.width]

    def root_at(self, size: int) -> bytes:
        """Return the root over the first ``size`` leaves.

        Raises:
            IndexError: there are fewer.
        """
        self._within(size, size)
        return self._over(0, size) if size else EMPTY_ROOT

    def inclusion_proof(self, index: int, size: int | None = None) -> list[bytes]:
        """Return the same as :func:`index.ledger.merkle.inclusion_proof`, from stored nodes.

        Raises:
            IndexError: not ``0 <= index < size``, or there are fewer leaves.
        """
        size = len(self._nodes[0]) if size is None else size
        self._within(index + 1 if index >= 0 else index, size)
        return inclusion_path(self._over, index, size)

    def consistency_proof(self, old: int, new: int | None = None) -> list[bytes]:
        """Return the same as :func:`index.ledger.merkle.consistency_proof`, from stored nodes.

        Raises:
            IndexError: not ``0 <= old <= new``, or there are fewer leaves.
        """
        new = len(self._nodes[0]) if new is None else new
        self._within(old, new)
        return consistency_path(self._over, old, new)

    def _within(self, first: int, size: int) -> None:
        """Raise IndexError unless ``first`` leaves are part of ``size`` and all of them exist."""
        if not 0 <= first <= size <= len(self._nodes[0]):
            raise IndexError(f"{first} of {size} leaves, from {len(self._nodes[0])}")

    def _over(self, low: int, high: int) -> bytes:
        """Return the root over leaves ``low`` to ``high``, which begin where a subtree does."""
        peaks = []
        while low < high:
            k = (high - low).bit_length() - 1
            peaks.append(self._nodes[k][low >> k])
            low += 1 << k
        result = peaks.pop()
        while peaks:
            result = node_hash(peaks.pop(), result)
        return result


def encode_bundle(entries: Sequence[bytes]) -> bytes:
    """Return the entries one after another, each after its length (two bytes, big-endian).

    Raises:
        ValueError: an entry is longer than 65,535 bytes, the most a leaf can hold.
    """
    parts: list[bytes] = []
    for entry in entries:
        if len(entry) > MAX_ENTRY_BYTES:
            raise ValueError(
                f"an entry has {len(entry)} bytes and a leaf holds {MAX_ENTRY_BYTES}; "
                "store the body as a batch and log its digest"
            )
        parts += (len(entry).to_bytes(2, "big"), entry)
    return b"".join(parts)


def decode_bundle(body: bytes) -> list[bytes]:
    """Return the entries of a bundle.

    Raises:
        ValueError: the bytes end inside an entry.
    """
    entries: list[bytes] = []
    at = 0
    while at < len(body):
        end = at + 2 + int.from_bytes(body[at : at + 2], "big")
        if at + 2 > len(body) or end > len(body):
            raise ValueError(f"{len(body)} bytes end inside entry {len(entries)} of the bundle")
        entries.append(body[at + 2 : end])
        at = end
    return entries


def check_origin(origin: str) -> None:
    """Raise ValueError unless ``origin`` can name a log: printable ASCII, no blank, no plus."""
    if not _ORIGIN.fullmatch(origin):
        raise ValueError(
            f"log origin {origin!r}: use 1 to 200 printable ASCII characters without blanks or "
            "'+', such as 'example.org/spotfix'"
        )


def checkpoint_text(origin: str, head: Head) -> str:
    """Return the body of the checkpoint: origin, size, root, each line ended."""
    return f"{origin}\n{head.size}\n{_base64(head.root)}\n"


def parse_checkpoint(body: bytes) -> tuple[str, Head]:
    """Return origin and head of a checkpoint body.

    Raises:
        ValueError: anything but the three lines in their one spelling.
    """
    lines = _text(body).split("\n")
    if len(lines) != 4 or lines[3]:
        raise ValueError("a checkpoint is three lines, origin, size and root, each one ended")
    check_origin(lines[0])
    head = _head(lines[1], lines[2])
    if checkpoint_text(lines[0], head).encode() != body:
        raise ValueError(f"root {lines[2]!r} is not the one way to spell its 32 bytes")
    return lines[0], head


def heads_line(origin: str) -> str:
    """Return the first line of ``heads``: the origin with its own digest after it."""
    return f"heads {origin} {hashlib.sha256(origin.encode()).hexdigest()}\n"


def head_line(head: Head) -> str:
    """Return the line of one checkpoint in ``heads``."""
    return f"{head.size} {_base64(head.root)}\n"


def parse_heads(body: bytes) -> tuple[str, list[Head], bytes]:
    """Return the origin, the heads in order, and the unfinished last line (usually empty).

    Raises:
        ValueError: a finished line is malformed, or sizes do not grow.
    """
    finished, _, tail = body.rpartition(b"\n")
    lines = _text(finished).split("\n")
    words = lines[0].split(" ")
    if len(words) != 3 or heads_line(words[1]) != lines[0] + "\n":
        raise ValueError(f"line 1, {lines[0][:300]!r}, is not the log's origin with its digest")
    heads: list[Head] = []
    for number, line in enumerate(lines[1:], start=2):
        size, _, hashed = line.partition(" ")
        try:
            head = _head(size, hashed)
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from error
        if head_line(head) != line + "\n":
            raise ValueError(f"line {number}: {line[:300]!r} is not the one way to spell a head")
        if heads and head.size <= heads[-1].size:
            raise ValueError(f"line {number}: size {head.size} follows {heads[-1].size}")
        heads.append(head)
    if not heads:
        raise ValueError("no head follows the first line")
    return words[1], heads, tail


@dataclass(frozen=True, slots=True)
class Pending:
    """The entries of an unfinished append and the leaf index of the first of them."""

    first: int
    entries: tuple[bytes, ...]

    def encode(self) -> bytes:
        """Return the bytes of the pending file; its last line is the digest of all before it."""
        body = f"pending {self.first} {len(self.entries)}\n".encode() + encode_bundle(self.entries)
        return body + _seal(body)


def parse_pending(body: bytes) -> Pending:
    """Return what a pending file holds.

    Raises:
        ValueError: its last line is not the digest of the rest, or the rest is not what was meant.
    """
    content, seal = body[:-_SEAL_BYTES], body[-_SEAL_BYTES:]
    if _seal(content) != seal:
        raise ValueError(f"{len(body)} bytes do not end in the digest of what comes before")
    line, _, bundle = content.partition(b"\n")
    words = _text(line).split(" ")
    if len(words) != 3 or words[0] != "pending" or not all(map(_SIZE.fullmatch, words[1:])):
        raise ValueError(f"first line {line[:300]!r} is not 'pending FIRST COUNT'")
    pending = Pending(int(words[1]), tuple(decode_bundle(bundle)))
    if len(pending.entries) != int(words[2]) or not pending.entries:
        raise ValueError(f"{len(pending.entries)} entries where the first line says {words[2]}")
    return pending


def _levels(size: int) -> Iterator[int]:
    yield ENTRIES
    level = 0
    while size >= WIDTH**level:
        yield level
        level += 1


def _seal(body: bytes) -> bytes:
    return f"\nsha256:{hashlib.sha256(body).hexdigest()}\n".encode()


_SEAL_BYTES = len(_seal(b""))


def _text(body: bytes) -> str:
    try:
        return body.decode("ascii")
    except UnicodeDecodeError as error:
        raise ValueError(f"byte {error.start} is not ASCII") from error


def _base64(hashed: bytes) -> str:
    return base64.b64encode(hashed).decode("ascii")


def _head(size: str, hashed: str) -> Head:
    if not _SIZE.fullmatch(size):
        raise ValueError(f"size {size[:300]!r} is not a decimal number")
    try:
        decoded = base64.b64decode(hashed, validate=True)
    except binascii.Error as error:
        raise ValueError(f"root {hashed[:300]!r} is not base64") from error
    if len(decoded) != HASH_BYTES:
        raise ValueError(f"root {hashed[:300]!r} has {len(decoded)} bytes, not {HASH_BYTES}")
    return Head(int(size), decoded)
