"""The log: records in order, in a tree that shows each of them was there and none was changed.

A record's place is its leaf index, its ``seq``. Files are static and follow C2SP ``tlog-tiles``
(:mod:`index.ledger.tiles`), so the log can be copied to any web server and read there.

An append makes these steps, each one durable before the next:

1. ``pending``: the entries and a digest over them, under its final name.
2. entry bundles, then hash tiles, of the new size.
3. ``checkpoint`` renamed into place. **This is the commit point.**
4. one line added to ``heads``.
5. partial tiles and bundles of the old size, now superseded, removed.
6. ``pending`` removed; only then does :meth:`Log.append` return.

Opening takes up wherever a crash left off. Without a whole ``pending`` file nothing had been
written. With one, steps 2 to 6 are done again from its bytes: no record is ever computed twice,
so one ``seq`` never has two bodies. Between appends the set of files follows from the size
alone, and any other file, or any other byte, is an inconsistency.

The caller holds :class:`index.ledger.lock.PublisherLock` while it has a log open for writing.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from index.ledger import merkle
from index.ledger.examine import LOG, Examination, Problem, examine
from index.ledger.files import (
    append_durably,
    flush_directories,
    is_temporary,
    remove_durably,
    remove_empty_directory,
    replace_durably,
    sweep,
    walk,
    write_durably,
)
from index.ledger.tiles import (
    CHECKPOINT,
    ENTRIES,
    HEADS,
    MAX_ENTRY_BYTES,
    PENDING,
    WIDTH,
    Head,
    Pending,
    Tile,
    Tree,
    check_origin,
    checkpoint_text,
    decode_bundle,
    encode_bundle,
    head_line,
    heads_line,
    parse_heads,
    tiles_of,
)
from methodology.errors import CoverageError, LogInconsistent

_READ_ATTEMPTS = 20


class Log:
    """An append-only log below ``<ledger>/log/``. Make one with :meth:`create` or :meth:`open`.

    ``recovery`` says in words what opening found unfinished and did about it; empty after a clean
    stop. Put it into the record of the day.
    """

    def __init__(self, directory: Path, found: Examination, tree: Tree, writable: bool) -> None:
        """Not to be called directly: the files were examined before."""
        self.directory = directory
        self.origin = found.origin
        self.recovery: list[str] = []
        self._tree = tree
        self._heads = list(found.heads)
        if not writable and self._heads[-1] != tree.head:
            self._heads.append(tree.head)  # a publisher has yet to add the line
        self._writable = writable
        self._unfinished = False

    # Making and opening -------------------------------------------------------------------------

    @staticmethod
    def exists(directory: Path) -> bool:
        """Return whether ``directory`` holds a log, sound or not; False means: create one.

        The first line of ``heads`` alone is what a creation cut short leaves, and no log yet.
        """
        log = directory / LOG
        found = [path for path in walk(log) if not is_temporary(path.name)]
        if found != [log / HEADS]:
            return bool(found)
        try:
            _, heads, tail = parse_heads(found[0].read_bytes())
        except (OSError, ValueError):
            return True
        return bool(tail) or heads != [Head(0, merkle.EMPTY_ROOT)]

    @classmethod
    def create(cls, directory: Path, origin: str) -> Log:
        """Start an empty log named ``origin`` below ``directory`` and return it open for writing.

        Args:
            directory: the ledger's directory; made if missing.
            origin: the log's name for ever, such as ``example.org/spotfix``: printable ASCII
                without blanks or ``+``, at most 200 characters.

        Raises:
            ValueError: ``origin`` cannot name a log.
            LogInconsistent: there is a log, or part of one, in ``directory`` already.
        """
        check_origin(origin)
        log = directory / LOG
        empty = Head(0, merkle.EMPTY_ROOT)
        heads = (heads_line(origin) + head_line(empty)).encode()
        if cls.exists(directory):
            raise LogInconsistent(f"{log}: there is a log here already; open it instead")
        sweep(log)
        replace_durably(log / HEADS, heads)
        write_durably(log / CHECKPOINT, checkpoint_text(origin, empty).encode())
        return cls.open(directory)

    @classmethod
    def open(cls, directory: Path, *, read_only: bool = False) -> Log:
        """Return the log below ``directory``, every file of it checked, an append finished.

        The tree is computed again from the entries and compared with the checkpoint, every
        earlier checkpoint and every hash tile.

        Args:
            directory: the ledger's directory.
            read_only: change nothing, and accept that a publisher may be appending meanwhile: an
                unfinished append is then simply not seen. Otherwise the caller holds the lock,
                and unfinished files anywhere below ``directory`` are removed.

        Raises:
            LogInconsistent: a file contradicts the rest; the message names it. Nothing was
                changed. Exit code 21.
            CoverageError: there is no log in ``directory``.
        """
        if not cls.exists(directory):
            raise CoverageError(f"{directory / LOG}: no log here; create one first")
        found = _examine_moving(directory) if read_only else examine(directory)
        if found.torn is not None and found.problems:
            found.problems.insert(0, Problem(f"{LOG}/{PENDING}", found.torn))
        if found.problems or found.tree is None:
            shown = "; ".join(str(problem) for problem in found.problems[:3])
            more = f"; and {len(found.problems) - 3} more" if len(found.problems) > 3 else ""
            raise LogInconsistent(
                f"{directory}: {shown}{more}. Nothing may be appended: "
                "compare with a backup and find out what wrote there"
            )
        log = cls(directory, found, found.tree, writable=not read_only)
        if not read_only:
            log._recover(found)
        return log

    # Reading ------------------------------------------------------------------------------------

    @property
    def size(self) -> int:
        """Number of entries, which is the ``seq`` of the next one."""
        return self._tree.head.size

    @property
    def root(self) -> bytes:
        """The 32-byte root over all entries."""
        return self._tree.head.root

    @property
    def heads(self) -> Sequence[Head]:
        """Every head this log ever had, oldest first, the current one last."""
        return tuple(self._heads)

    def checkpoint_text(self) -> str:
        """Return the current checkpoint: origin, size and root in base64, a line each."""
        return checkpoint_text(self.origin, self._tree.head)

    def root_at(self, size: int) -> bytes:
        """Return the root over the first ``size`` entries: compare it with a head noted elsewhere.

        Raises:
            CoverageError: the log is shorter. If such a head was seen, the log was cut.
        """
        if not 0 <= size <= self.size:
            raise CoverageError(
                f"{self.origin}: no tree of {size} entries; the log has {self.size}"
            )
        return self._tree.root_at(size)

    def leaf_hash(self, seq: int) -> bytes:
        """Return the leaf hash of entry ``seq``. Raises CoverageError beyond the end."""
        self._within(seq)
        return self._tree.leaf_hashes[seq]

    def inclusion_proof(self, seq: int, size: int | None = None) -> list[bytes]:
        """Return the audit path of entry ``seq`` in the tree of ``size`` entries (now: all).

        Raises:
            IndexError: there is no such entry or size.
        """
        return self._tree.inclusion_proof(seq, size)

    def consistency_proof(self, old: int, new: int | None = None) -> list[bytes]:
        """Return the proof that the tree at ``old`` is a prefix of the one at ``new`` (now: all).

        Raises:
            IndexError: not ``0 <= old <= new <= size``.
        """
        return self._tree.consistency_proof(old, new)

    def entry(self, seq: int) -> bytes:
        """Return the bytes of entry ``seq``, checked against the tree.

        Raises:
            CoverageError: the log has no such entry.
            LogInconsistent: its bundle was changed since the log was opened.
        """
        self._within(seq)
        return self._bundle(seq // WIDTH)[seq % WIDTH]

    def entries(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Yield entries ``start`` to ``stop`` (exclusive; now: the end), each one checked.

        Raises:
            CoverageError: the log does not have them all.
            LogInconsistent: a bundle was changed since the log was opened.
        """
        stop = self.size if stop is None else stop
        if not 0 <= start <= stop <= self.size:
            raise CoverageError(f"entries {start} to {stop}: {self.origin} has {self.size}")
        while start < stop:
            index, offset = divmod(start, WIDTH)
            part = self._bundle(index)[offset : offset + stop - start]
            yield from part
            start += len(part)

    # Writing ------------------------------------------------------------------------------------

    def append(self, entries: Sequence[bytes], *, expected_first: int) -> range:
        """Add ``entries`` at the end, durably and all together; return their ``seq`` numbers.

        When it returns, the entries survive a power cut. When it raises anything after the first
        write, they may or may not be logged: this object then refuses to go on, and opening the
        log again completes them or shows that they are absent.

        Args:
            entries: the exact bytes of each record, at most 65,535 each. None at all is allowed.
            expected_first: the ``seq`` the first record was built with.

        Raises:
            ValueError: an entry is too long; store the body as a batch and log its digest.
            LogInconsistent: ``expected_first`` is not the size of the log, the checkpoint on disk
                was moved by someone else, or an earlier append failed or the log is read-only.
            OSError: the disk refused.
        """
        pending = Pending(expected_first, tuple(entries))
        for place, entry in enumerate(pending.entries):
            if len(entry) > MAX_ENTRY_BYTES:
                raise ValueError(
                    f"entry {expected_first + place} has {len(entry)} bytes and a leaf holds "
                    f"{MAX_ENTRY_BYTES}; store the body as a batch and log its digest"
                )
        self._refuse_unless_ready(expected_first)
        if not pending.entries:
            return range(self.size, self.size)
        self._unfinished = True
        write_durably(self._path(PENDING), pending.encode())
        self._complete(pending)
        self._unfinished = False
        return range(expected_first, self.size)

    def _refuse_unless_ready(self, expected_first: int) -> None:
        where = f"{self.directory}: cannot append"
        if not self._writable:
            raise LogInconsistent(f"{where}: the log was opened for reading only")
        if self._unfinished:
            raise LogInconsistent(f"{where}: an earlier append failed; open the log again")
        if expected_first != self.size:
            raise LogInconsistent(
                f"{where}: the records were built for seq {expected_first} and the next one is "
                f"{self.size}; build them again"
            )
        on_disk = self._path(CHECKPOINT).read_bytes()
        if on_disk != self.checkpoint_text().encode() or self._path(PENDING).exists():
            raise LogInconsistent(
                f"{where}: {CHECKPOINT} or {PENDING} on disk is not as this process left it; "
                "is a second publisher running without the lock?"
            )

    def _complete(self, pending: Pending) -> None:
        """Do steps 2 to 6 of an append, whichever of them were done before."""
        old, last = pending.first, pending.first + len(pending.entries)
        if self.size == old:
            tail = old - old % WIDTH
            bodies = [*self.entries(tail), *pending.entries]
            tree = self._tree.copy()  # a failed append must not change what this object shows
            for entry in pending.entries:
                tree.add(merkle.leaf_hash(entry))
            before = set(tiles_of(old))
            for tile in tiles_of(last):
                if tile in before:
                    continue
                if tile.level == ENTRIES:
                    start = tile.index * WIDTH - tail
                    body = encode_bundle(bodies[start : start + tile.width])
                else:
                    body = b"".join(tree.hashes(tile))
                write_durably(self._path(tile.path), body)
            text = checkpoint_text(self.origin, tree.head)
            replace_durably(self._path(CHECKPOINT), text.encode())
            self._tree = tree
        if self._heads[-1] != self._tree.head:
            append_durably(self._path(HEADS), head_line(self._tree.head).encode())
            self._heads.append(self._tree.head)
        for tile in set(tiles_of(old)) - set(tiles_of(last)):
            remove_durably(self._path(tile.path))
            remove_empty_directory(self._path(tile.path).parent)
        remove_durably(self._path(PENDING))

    def _recover(self, found: Examination) -> None:
        """Finish what a crash left unfinished, and note it."""
        for path in sweep(self.directory):
            self.recovery.append(f"removed unfinished file {path.relative_to(self.directory)}")
        # A directory or a checkpoint may have its new name without having been flushed.
        flush_directories(self.directory)
        if found.torn is not None:
            self.recovery.append(f"discarded a torn pending file, never acknowledged: {found.torn}")
            remove_durably(self._path(PENDING))
        if found.pending is None:
            return
        pending = found.pending
        count = len(pending.entries)
        done = "kept" if pending.first < self.size else "logged"
        # Its last line may be half written, or whole and not flushed.
        lines = heads_line(self.origin) + "".join(map(head_line, self._heads))
        replace_durably(self._path(HEADS), lines.encode())
        self._complete(pending)
        self.recovery.append(
            f"{done} {count} pending entries, seq {pending.first} to {pending.first + count - 1}, "
            "byte for byte"
        )

    # Small things -------------------------------------------------------------------------------

    def _path(self, name: str) -> Path:
        return self.directory / LOG / name

    def _within(self, seq: int) -> None:
        if not 0 <= seq < self.size:
            raise CoverageError(f"entry {seq}: {self.origin} has entries 0 to {self.size - 1}")

    def _bundle(self, index: int) -> list[bytes]:
        """Return the entries of one bundle that this log knows of, checked."""
        width = min(WIDTH, self.size - index * WIDTH)
        path = self._path(Tile(ENTRIES, index, width).path)
        if not path.exists():  # superseded by a publisher while we read: a wider one has it all
            folder = self._path(Tile(ENTRIES, index, 1).path).parent
            wider = sorted(folder.glob("[0-9]*"), key=lambda each: int(each.name))
            path = next(iter(reversed(wider)), self._path(Tile(ENTRIES, index, WIDTH).path))
        try:
            bodies = decode_bundle(path.read_bytes())[:width]
        except (OSError, ValueError) as error:
            raise LogInconsistent(f"{path}: {error}; restore it from a backup") from error
        hashes = self._tree.hashes(Tile(ENTRIES, index, width))
        if [merkle.leaf_hash(body) for body in bodies] != hashes:
            raise LogInconsistent(f"{path}: its entries are not those of the tree; restore it")
        return bodies


def _examine_moving(directory: Path) -> Examination:
    """Examine while a publisher may be appending: look again as long as the files move."""
    for attempt in range(_READ_ATTEMPTS):
        before = _position(directory)
        found = examine(directory)
        settled = _position(directory) == before and not before[1]
        if not found.problems or settled:
            break
        time.sleep(0.01 * attempt)
    return found


def _position(directory: Path) -> tuple[bytes, bool]:
    """Return the checkpoint's bytes and whether an append is under way."""
    log = directory / LOG
    checkpoint = log / CHECKPOINT
    return checkpoint.read_bytes() if checkpoint.exists() else b"", (log / PENDING).exists()
