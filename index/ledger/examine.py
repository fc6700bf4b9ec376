"""What is on disk, and which file is to blame where two disagree. Reads only.

Four witnesses speak of one tree: the checkpoint, the last line of ``heads``, the entry bundles
and the level-0 hash tiles. A head counts as true when the entries or the hash tiles give its
root; every file is then compared with the tree below that head. One damaged file is therefore
named, and not the sound files that contradict it. Of two true heads the larger one holds, so an
old checkpoint put back does not hide what came after it.

Which files there may be follows from the size alone: the tiles of that size, and, while a
``pending`` file shows that an append was not finished, those of the size before or after it.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from index.ledger.files import is_temporary, walk
from index.ledger.merkle import EMPTY_ROOT, CompactRange, leaf_hash, root
from index.ledger.tiles import (
    CHECKPOINT,
    ENTRIES,
    HEADS,
    PENDING,
    Head,
    Pending,
    Tile,
    Tree,
    decode_bundle,
    head_line,
    parse_checkpoint,
    parse_heads,
    parse_pending,
    tiles_of,
)

LOG = "log"
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Problem:
    """One file that is not as it must be: its path below the ledger, and what is wrong."""

    path: str
    what: str

    def __str__(self) -> str:
        """Return ``path: what``."""
        return f"{self.path}: {self.what}"


@dataclass
class Examination:
    """What the files of a log say.

    ``tree`` holds the leaves below the true head, and is None if no head is true. ``pending`` is
    an append to complete; ``torn`` says why a pending file is no such thing. ``heads`` may lack
    the checkpoint's line while there is a pending append.
    """

    origin: str = ""
    tree: Tree | None = None
    checkpoint: Head | None = None
    heads: list[Head] = field(default_factory=list)
    pending: Pending | None = None
    torn: str | None = None
    temporaries: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def examine(ledger: Path) -> Examination:
    """Return what is on disk below ``<ledger>/log/``, with every contradiction as a problem.

    Raises:
        OSError: a directory cannot be listed. An unreadable file is a problem, not an error.
    """
    return _Examiner(ledger / LOG).run()


class _Examiner:
    def __init__(self, log: Path) -> None:
        self.log = log
        self.found = Examination()
        self.present: set[str] = set()
        self.bodies: dict[str, bytes] = {}

    def run(self) -> Examination:
        found = self.found
        for path in walk(self.log):
            name = path.relative_to(self.log).as_posix()
            if path.is_symlink() or not path.is_file():
                self.blame(name, "is not a regular file; remove it")
            elif is_temporary(path.name):
                found.temporaries.append(name)
            else:
                self.present.add(name)

        if PENDING in self.present:
            try:
                found.pending = parse_pending(self.read(PENDING))
            except (OSError, ValueError) as error:
                found.torn = str(error)
        checkpoint = self.parse(CHECKPOINT, parse_checkpoint)
        heads = self.parse(HEADS, self.parse_heads)
        if checkpoint:
            found.origin, found.checkpoint = checkpoint
        if heads:
            # The first line of heads carries its own digest: of two origins it is the true one.
            found.origin, found.heads = heads[0], heads[1]
            if checkpoint and checkpoint[0] != found.origin:
                self.blame(CHECKPOINT, f"origin {checkpoint[0]!r}, where heads has {heads[0]!r}")

        said = {head: None for head in (found.checkpoint, *found.heads[-1:]) if head is not None}
        for head in sorted(said, key=lambda each: each.size, reverse=True):
            if self.accept(head):
                break
        if found.tree is None:
            self.blame_all(list(said))
            return found
        self.compare(found.tree, heads[2] if heads else b"")
        return found

    # Reading ------------------------------------------------------------------------------------

    def blame(self, name: str, what: str) -> None:
        self.found.problems.append(Problem(f"{LOG}/{name}", what))

    def read(self, name: str) -> bytes:
        if name not in self.bodies:
            self.bodies[name] = (self.log / name).read_bytes()
        return self.bodies[name]

    def parse(self, name: str, parser: Callable[[bytes], _T]) -> _T | None:
        if name not in self.present:
            self.blame(name, "is missing; restore it from a backup")
            return None
        try:
            return parser(self.read(name))
        except (OSError, ValueError) as error:
            self.blame(name, str(error))
            return None

    def hashes(self, tile: Tile) -> list[bytes] | str:
        """Return the hashes a tile holds (of its leaves, for a bundle), or what is wrong."""
        if tile.path not in self.present:
            return "is missing; restore it from a backup"
        try:
            body = (self.log / tile.path).read_bytes()
            if tile.level == ENTRIES:
                hashes = [leaf_hash(entry) for entry in decode_bundle(body)]
            else:
                hashes = [body[at : at + 32] for at in range(0, len(body), 32)]
                if len(body) % 32:
                    return f"{len(body)} bytes are not a whole number of hashes"
        except (OSError, ValueError) as error:
            return str(error)
        if len(hashes) != tile.width:
            return f"holds {len(hashes)}, not {tile.width}"
        return hashes

    def parse_heads(self, body: bytes) -> tuple[str, list[Head], bytes]:
        """Parse ``heads``; during an append a malformed last line counts as not yet written."""
        try:
            return parse_heads(body)
        except ValueError:
            if self.found.pending is None:
                raise
            at = body.rfind(b"\n", 0, -1) + 1
            origin, heads, tail = parse_heads(body[:at])
            return origin, heads, tail + body[at:]

    # Which head is true -------------------------------------------------------------------------

    def accept(self, head: Head) -> bool:
        """Take ``head`` for true if the entries or the hash tiles give its root."""
        for level in (ENTRIES, 0):
            leaves = self.leaves(head.size, level)
            if leaves is not None and root(leaves) == head.root:
                self.found.tree = Tree()
                for hashed in leaves:
                    self.found.tree.add(hashed)
                return True
        return False

    def leaves(self, size: int, level: int) -> list[bytes] | None:
        """Return the leaf hashes that one kind of file gives, or None where one is amiss."""
        if size and not any(tile.path in self.present for tile in _last(size, level)):
            return None  # a damaged size may be huge: do not walk towards it
        leaves: list[bytes] = []
        for tile in tiles_of(size, level):
            hashes = self.hashes(tile)
            if isinstance(hashes, str):
                return None
            leaves += hashes
        return leaves

    def blame_all(self, said: Sequence[Head]) -> None:
        """No head is true: name the heads, and every bundle that differs from its hash tile."""
        for head in said:
            name = CHECKPOINT if head == self.found.checkpoint else HEADS
            self.blame(name, f"neither entries nor hash tiles give its root at size {head.size}")
        for name in sorted(self.present):
            if not name.startswith("tile/entries/"):
                continue
            hashes = name.replace("tile/entries/", "tile/0/", 1)
            try:
                leaves = b"".join(map(leaf_hash, decode_bundle(self.read(name))))
            except (OSError, ValueError) as error:
                self.blame(name, str(error))
                continue
            if hashes not in self.present or self.read(hashes) != leaves:
                self.blame(name, f"its leaves are not those hashed in {hashes}")

    # Every file against the tree ----------------------------------------------------------------

    def compare(self, tree: Tree, tail: bytes) -> None:
        found, size = self.found, tree.head.size
        if found.checkpoint and found.checkpoint != tree.head:
            self.blame(
                CHECKPOINT, f"says {_show(found.checkpoint)}, the log has {_show(tree.head)}"
            )
        other = self.compare_pending(tree)
        self.compare_heads(tree, tail)

        required = set(tiles_of(size))
        allowed = required | set(tiles_of(other.head.size))
        larger = other if other.head.size > size else tree
        for tile in sorted(allowed, key=lambda each: (each.level, each.index, each.width)):
            if tile not in required and tile.path not in self.present:
                continue
            hashes = self.hashes(tile)
            if isinstance(hashes, str):
                self.blame(tile.path, hashes)
            elif hashes != larger.hashes(tile):
                at = next(
                    i
                    for i, pair in enumerate(zip(hashes, larger.hashes(tile)))
                    if pair[0] != pair[1]
                )
                what = "the leaf" if tile.level == ENTRIES else "the hash"
                self.blame(tile.path, f"{what} at place {at} is not the one in the tree")
        known = {tile.path for tile in allowed} | {CHECKPOINT, HEADS, PENDING}
        for name in sorted(self.present - known):
            self.blame(name, f"is no file of a log of {size} entries; find out what wrote it")

    def compare_pending(self, tree: Tree) -> Tree:
        """Check the pending entries; return the tree of the other size that files may be of."""
        found, size = self.found, tree.head.size
        other = Tree()
        pending = found.pending
        if pending is None:
            return tree
        hashes = [leaf_hash(entry) for entry in pending.entries]
        if pending.first == size:
            for hashed in [*tree.leaf_hashes, *hashes]:
                other.add(hashed)
            return other
        if pending.first + len(hashes) == size:
            if list(tree.leaf_hashes[pending.first :]) != hashes:
                self.blame(PENDING, f"its entries from {pending.first} on are not the logged ones")
            for hashed in tree.leaf_hashes[: pending.first]:
                other.add(hashed)
            return other
        self.blame(PENDING, f"starts at {pending.first} with {len(hashes)}, the log has {size}")
        return tree

    def compare_heads(self, tree: Tree, tail: bytes) -> None:
        found, now = self.found, tree.head
        if not found.heads:
            return
        wanted = {head.size: head.root for head in found.heads}
        edge = CompactRange()
        if wanted.pop(0, EMPTY_ROOT) != EMPTY_ROOT:
            self.blame(HEADS, "the root at size 0 is not that of an empty tree")
        for hashed in tree.leaf_hashes:
            edge.add(hashed)
            expected = wanted.pop(edge.size, None)
            if expected is not None and expected != edge.root():
                self.blame(
                    HEADS, f"says {_show(Head(edge.size, expected))}, the tree gives another root"
                )
        for size in wanted:
            self.blame(HEADS, f"names {size} entries and the log has {now.size}: it was cut short")
        last = found.heads[-1]
        pending = found.pending
        finishing = pending is not None and pending.first + len(pending.entries) == now.size
        if finishing and pending is not None and last.size == pending.first:
            if len(tail) > len(head_line(now)):
                self.blame(HEADS, f"{len(tail)} bytes follow the last line; remove them")
        elif last.size < now.size:
            self.blame(HEADS, f"ends at size {last.size} and the log has {now.size}")
        elif tail:
            self.blame(HEADS, f"{len(tail)} bytes follow the last line; remove them")


def _last(size: int, level: int) -> list[Tile]:
    """Return the last tile of a level without walking to it."""
    index, width = divmod(size, 256)
    return [Tile(level, index, width) if width else Tile(level, index - 1, 256)]


def _show(head: Head) -> str:
    return f"size {head.size} with root {base64.b64encode(head.root).decode()}"
