"""The log as event-stream frames: each record is encoded once, all subscribers send those bytes.

A subscriber is nothing but a place in the log, so replay and live are the same reading and there
is no seam between them: whoever is behind reads on from where it stands, however far that is. The
newest frames are kept in memory; an older one is made again from the log, byte for byte the same.
"""

from __future__ import annotations

import json
import sys
from array import array
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

KEPT_BYTES = 16 * 2**20
"""Frames kept ready. Readers further behind than this cost an encoding each, nothing else."""

CHUNK_BYTES = 64 * 1024
SCAN = 2_000
"""Records looked at in one step of a filtered replay, so that nobody waits for a long one."""


def encode(seq: int, kind: str, record: bytes) -> bytes:
    """Return one frame: ``id``, ``event`` and ``data``, which is the record's bytes as they are.

    Raises:
        ValueError: the record holds a line break, which no canonical record does.
    """
    if b"\n" in record or b"\r" in record:
        raise ValueError(f"record {seq} holds a line break: it is not canonical JSON")
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (seq, kind.encode("ascii"), record)


@dataclass(frozen=True, slots=True)
class Selection:
    """What a subscriber asked for; empty means everything.

    A record that names an index passes if that index was asked for. One that names none, such as
    a notice to everybody, passes whatever index was asked for.
    """

    types: frozenset[str] = frozenset()
    indices: frozenset[str] = frozenset()

    def takes(self, kind: str, index_id: str | None) -> bool:
        """Return whether a record of this type and index is wanted."""
        if self.types and kind not in self.types:
            return False
        return not self.indices or index_id is None or index_id in self.indices


EVERYTHING = Selection()


class Ring:
    """Every record's type, index and place, and the newest records' frames.

    Args:
        read: returns the bytes of the record at a ``seq``; called for records that are no longer
            kept ready.
        kept_bytes: how much to keep ready.
        is_left_out: for the mock feed's gaps: a ``seq`` that is never sent.

    ``kinds`` and ``index_ids`` are every type and every index that any record names.
    """

    def __init__(
        self,
        read: Callable[[int], bytes],
        *,
        kept_bytes: int = KEPT_BYTES,
        is_left_out: Callable[[int], bool] | None = None,
    ) -> None:
        self._read = read
        self._kept_bytes = kept_bytes
        self._is_left_out = is_left_out
        self._kinds: list[str] = []
        self._indices: list[str | None] = []
        self._ends = array("Q", [0])
        self._frames: deque[bytes] = deque()
        self._in_memory = 0
        self._chunks: dict[tuple[Selection, int], tuple[bytes, int]] = {}
        self._next: dict[str, str] = {}
        self.kinds: set[str] = set()
        self.index_ids: set[str] = set()

    @property
    def size(self) -> int:
        """Number of records, which is the ``seq`` of the next one."""
        return len(self._kinds)

    def add(self, seq: int, kind: str, record: bytes) -> None:
        """Take the next record.

        Raises:
            ValueError: ``seq`` is not the next one, or the record is not one line of JSON.
        """
        if seq != self.size:
            raise ValueError(f"record {seq} after {self.size - 1}: the stream would have a gap")
        frame = encode(seq, kind, record)
        content: Mapping[str, Any] = json.loads(record)
        index_id = content.get("index_id")
        if isinstance(content.get("next_publication_at"), str) and index_id is not None:
            self._next[index_id] = content["next_publication_at"]
        self.kinds.add(kind)
        self._kinds.append(sys.intern(kind))
        if isinstance(index_id, str):
            self.index_ids.add(index_id)
        self._indices.append(sys.intern(index_id) if isinstance(index_id, str) else None)
        self._ends.append(self._ends[-1] + len(frame))
        self._frames.append(frame)
        self._in_memory += len(frame)
        while self._in_memory > self._kept_bytes and len(self._frames) > 1:
            self._in_memory -= len(self._frames.popleft())
        self._chunks.clear()

    def frame(self, seq: int) -> bytes:
        """Return the frame of one record, the same bytes each time."""
        behind = self.size - seq
        if behind <= len(self._frames):
            return self._frames[-behind]
        return encode(seq, self._kinds[seq], self._read(seq))

    def behind(self, cursor: int) -> int:
        """Return how many bytes of frames a reader at ``cursor`` has yet to be sent."""
        return self._ends[-1] - self._ends[cursor]

    def chunk(self, cursor: int, selection: Selection = EVERYTHING) -> tuple[bytes, int]:
        """Return the next frames for a reader at ``cursor`` and where it then stands.

        At most 64 KiB and one frame, and at most 2,000 records looked at: the bytes may be empty
        although there is more to look at. All readers at one place get the same object.
        """
        size = self.size
        if cursor >= size:
            return b"", cursor
        found = self._chunks.get((selection, cursor))
        if found is not None:
            return found
        parts: list[bytes] = []
        length, start, stop = 0, cursor, min(size, cursor + SCAN)
        while cursor < stop and length < CHUNK_BYTES:
            is_wanted = selection.takes(self._kinds[cursor], self._indices[cursor])
            if is_wanted and not (self._is_left_out and self._is_left_out(cursor)):
                parts.append(self.frame(cursor))
                length += len(parts[-1])
            cursor += 1
        made = parts[0] if len(parts) == 1 else b"".join(parts), cursor
        if cursor == size:  # whoever is up to date asks for the same; who replays, for its own
            self._chunks[selection, start] = made
        return made

    def next_publication_at(self, now: str) -> str | None:
        """Return the earliest time after ``now`` at which a fixing announced the next one."""
        return min((at for at in self._next.values() if at > now), default=None)
