"""Lists of records: a series by day, events, notices; pages that stay the same meanwhile.

``data`` holds each record's bytes as they are, so an element cut out of a list hashes to the log
leaf. The first page fixes ``as_of_seq``; its cursor carries that on, so that a publication in
between neither adds a row to a later page nor moves one.
"""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import anyio
from starlette.types import Scope

from index.feed import formats, queries
from index.feed.headers import JSON, Line, Reply, moving, prepare
from index.feed.problems import Problem
from index.feed.queries import read
from index.feed.resources import Feed
from index.feed.ring import Selection
from index.feed.store import Entry, Series
from index.feed.stream import TYPES
from methodology import clock

NOTICES: Final = ("notice", "erratum", "complaint", "cessation", "restatement")
"""Types of records that people should read."""

PAGE: Final = 100
"""Rows of a page unless ``limit`` says otherwise."""

_WINDOW: Final = {
    "from": queries.day,
    "to": queries.day,
    "as_of": queries.instant,
    "as_of_seq": queries.whole,
}
_PAGED: Final = {**_WINDOW, "cursor": queries.plain, "limit": queries.limit}
_EVENTS: Final = {
    "after": queries.place,
    "types": queries.types,
    "index": queries.indices,
    "limit": queries.limit,
}
_NOTICES: Final = {"cursor": queries.plain, "limit": queries.limit, "index": queries.indices}


class Lists:
    """The resources that return several records. Each method is a handler."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed

    # A series by day ------------------------------------------------------------------------------

    async def series(self, scope: Scope) -> Reply:
        """Answer ``/v1/fixings/{index}/{session}`` and the same with .csv, .parquet, .xlsx."""
        params = scope["path_params"]
        session, dot, suffix = params["session"].partition(".")
        series = self.feed.of(params["index"], session)
        if not dot:
            return self._page(series, read(scope["query_string"], _PAGED))
        if suffix not in formats.TABLES:
            raise Problem(
                "not-found", f"a list comes as .{', .'.join(formats.TABLES)}, not .{suffix[:20]}"
            )
        asked = read(scope["query_string"], _WINDOW)
        size, moment = self._known(asked)
        rows = [e for e in self._rows(series, asked, size, moment) if e is not None]
        media_type, make = formats.TABLES[suffix]
        name = f"{series.index_id}_{session}.{suffix}"
        lines: list[Line] = [
            self.feed.keep(session),
            (b"spot-as-of-seq", b"%d" % (size - 1)),
            (b"content-disposition", f'attachment; filename="{name}"'.encode()),
        ]
        bodies = [e.body for e in rows]
        body = await anyio.to_thread.run_sync(make, bodies)
        return prepare(body, media_type, *lines)

    def _page(self, series: Series, asked: dict[str, Any]) -> Reply:
        label = [series.index_id, series.session, asked.get("from"), asked.get("to")]
        label.append(clock.iso(asked["as_of"]) if "as_of" in asked else None)
        after, size = self._resumed(asked, label)
        if size is None:
            size, moment = self._known(asked)
        else:
            moment = asked.get("as_of")
        limit = asked.get("limit", PAGE)
        rows: list[Entry] = []
        following = None
        for entry in self._rows(series, asked, size, moment, after):
            if len(rows) == limit:
                following = rows[-1].ref_date
                break
            rows.append(entry)
        cursor = self._cursor(following, size - 1, label) if following else None
        body = envelope([e.body for e in rows], cursor, size - 1)
        return prepare(body, JSON, self.feed.keep(series.session))

    def _rows(
        self,
        series: Series,
        asked: dict[str, Any],
        size: int,
        moment: datetime | None,
        after: str | None = None,
    ) -> Any:
        """Yield the revision of each day that was current at the moment asked for."""
        first = bisect_left(series.days, asked.get("from", ""))
        if after is not None:
            first = max(first, bisect_right(series.days, after))
        last = bisect_right(series.days, asked.get("to", "9999-12-31"))
        shown = self.feed.store.size_at(moment) if moment is not None else 0
        for day in series.days[first:last]:
            for entry in reversed(series.by_day[day]):
                if entry.seq < size and (
                    moment is None or self.feed.store.is_known(entry, moment, shown)
                ):
                    yield entry
                    break

    def _known(self, asked: dict[str, Any]) -> tuple[int, datetime | None]:
        """Return how many records of the log count, and the moment of ``as_of`` if it was given.

        Raises:
            Problem: ``future-as-of``; ``invalid-parameter`` when ``from`` lies after ``to``.
        """
        if asked.get("from", "") > asked.get("to", "9999-12-31"):
            raise queries.invalid("from", asked["from"], f"lies after to, {asked['to']}")
        moment, size = asked.get("as_of"), self.feed.store.head.size
        now = self.feed.now()
        if moment is not None and moment > now:
            raise Problem(
                "future-as-of",
                f"as_of {clock.iso(moment)} is later than now, {clock.iso(now)}",
                parameter="as_of",
            )
        seq = asked.get("as_of_seq")
        if seq is not None:
            self._within(seq, "as_of_seq")
            size = seq + 1
        return size, moment

    def _within(self, seq: int, name: str) -> None:
        if seq >= self.feed.store.head.size:
            raise Problem(
                "future-as-of",
                f"{name} {seq} lies beyond the log, whose last record is "
                f"{self.feed.store.head.size - 1}",
                parameter=name,
            )

    # Cursors --------------------------------------------------------------------------------------

    def _cursor(self, after: Any, as_of_seq: int, label: Sequence[object]) -> str:
        told = {"after": after, "as_of_seq": as_of_seq, "of": _digest(label)}
        return queries.cursor(told, self.feed.store.salt(as_of_seq) or b"")

    def _resumed(self, asked: dict[str, Any], label: Sequence[object]) -> tuple[Any, int | None]:
        """Return where a cursor goes on and the size it holds on to; ``(None, None)`` without.

        Raises:
            Problem: the cursor is none of this log, or belongs to another query.
        """
        text = asked.get("cursor")
        if text is None:
            return None, None
        told = queries.open_cursor("cursor", text, self.feed.store.salt)
        if told.get("of") != _digest(label):
            raise queries.invalid(
                "cursor", text, "belongs to another query; repeat the query with it unchanged"
            )
        seq = int(told["as_of_seq"])
        if asked.get("as_of_seq", seq) != seq:
            raise queries.invalid("cursor", text, f"holds on to as_of_seq {seq}")
        return told["after"], seq + 1

    # Records in the order of the log --------------------------------------------------------------

    def events(self, scope: Scope) -> Reply:
        """Answer ``/v1/events?after=&types=&index=&limit=``: what was logged after a seq."""
        asked = read(scope["query_string"], _EVENTS)
        after = asked.get("after", -1)
        if after >= 0:
            self._within(after, "after")
        selection = self._selection(asked)
        limit, rows = asked.get("limit", PAGE), list[Entry]()
        reached = after
        for entry in self.feed.store.after(after):
            if selection.takes(entry.type, entry.index_id):
                if len(rows) == limit:
                    break
                rows.append(entry)
            reached = entry.seq
        head = self.feed.store.head.size - 1
        tail = b'],"next_after":%d}' % reached
        joined = b",".join(e.body for e in rows)
        body = b'{"as_of_seq":%d,"data":[' % head + joined + tail
        return prepare(body, JSON, moving(1))

    def _selection(self, asked: dict[str, Any]) -> Selection:
        """Return what ``types`` and ``index`` choose, as the stream does.

        A misspelled filter would look like a quiet day, so what no record can have is refused.

        Raises:
            Problem: ``invalid-parameter`` for a type, ``unknown-index``.
        """
        store, nothing = self.feed.store, frozenset[str]()
        chosen = Selection(asked.get("types", nothing), asked.get("index", nothing))
        known = TYPES | store.of_type.keys()
        for kind in sorted(chosen.types - known):
            raise queries.invalid("types", kind, f"is none of {', '.join(sorted(known))}")
        for name in sorted(chosen.indices - store.index_ids):
            raise Problem("unknown-index", f"parameter 'index': no record names {name[:60]!r}")
        return chosen

    def notices(self, scope: Scope) -> Reply:
        """Answer ``/v1/notices``: notices, errata, complaints, cessations, restatements."""
        asked = read(scope["query_string"], _NOTICES)
        selection = self._selection(asked)
        label = ["notices", sorted(selection.indices)]
        after, size = self._resumed(asked, label)
        size = self.feed.store.head.size if size is None else size
        of_type = self.feed.store.of_type
        found = sorted(
            (
                e
                for kind in NOTICES
                for e in of_type.get(kind, ())
                if e.seq < size and (after is None or e.seq > after)
                if selection.takes(e.type, e.index_id)
            ),
            key=lambda e: e.seq,
        )
        limit = asked.get("limit", PAGE)
        rows = found[:limit]
        cursor = self._cursor(rows[-1].seq, size - 1, label) if len(found) > limit else None
        body = envelope([e.body for e in rows], cursor, size - 1)
        return prepare(body, JSON, moving(self.feed.timetable.keep_all(self.feed.now())))


def envelope(bodies: Sequence[bytes], cursor: str | None, as_of_seq: int) -> bytes:
    """Return ``{as_of_seq, data, next_cursor}`` with each record's bytes as they are."""
    tail = b"null" if cursor is None else b'"' + cursor.encode("ascii") + b'"'
    return (
        b'{"as_of_seq":%d,"data":[' % as_of_seq
        + b",".join(bodies)
        + b'],"next_cursor":'
        + tail
        + b"}"
    )


def _digest(label: Sequence[object]) -> str:
    return hashlib.sha256(json.dumps(label).encode()).hexdigest()[:16]
