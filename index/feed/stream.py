"""``GET /v1/stream``: records as server-sent events, from any place in the log, without a gap.

One task watches the published tree; the publisher is another process and knows nothing of who
listens. A subscriber is a place in the log (:mod:`index.feed.ring`): it is sent what lies between
its place and the head, then waits. A reader that stalls keeps a place and the operating system's
buffer, nothing more; one that has been up to date and falls a mebibyte behind is disconnected and
resumes with ``Last-Event-ID``.

The response is plain ASGI and not ``sse_starlette.EventSourceResponse``: that one encodes each
event anew for each subscriber, starts three tasks and a cancel scope for each and one more scope
for each send, and cannot tell who is behind. ``benchmarks/feed_load.py`` measures both.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from index.feed import queries
from index.feed.problems import Problem
from index.feed.ring import EVERYTHING, Ring, Selection

POLL_SECONDS: Final = 0.005
"""How often the checkpoint's stat is read: 200 system calls a second, under 1% of a core."""

HEARTBEAT_SECONDS: Final = 15.0
RETRY_MILLISECONDS: Final = 2_000
MAX_BEHIND: Final = 2**20
SEND_SECONDS: Final = 60.0
"""How long one send of a replay may block before its reader counts as gone."""

MAX_LAGS: Final = 1000
"""Lags kept until the next scrape takes them."""

RAW_SEND: Final = "spotfix.send"
"""Scope key: the server's own ``send``, so that no frame passes through every middleware."""

TYPES: Final = frozenset(
    {
        "fixing", "settlement", "notice", "commitment", "methodology", "basket", "key", "calendar",
        "batch", "incident", "erratum", "complaint", "cessation", "witness", "restatement",
        "panel_state",
    }
)  # fmt: skip
"""Record types a client may ask for beside any that the log holds."""

_PLACE = re.compile(r"-1|0|[1-9][0-9]{0,17}")

HEADERS: Final = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
    (b"x-content-type-options", b"nosniff"),
)


class Record(Protocol):
    """What the stream needs of one record: :class:`index.feed.store.Entry` has it."""

    seq: int
    type: str
    body: bytes


class Source(Protocol):
    """What the stream needs of the published tree: :class:`index.feed.store.Store` has it."""

    @property
    def entries(self) -> Sequence[Record]:
        """All records in order."""
        ...

    def poll(self) -> object:
        """Take over what a moved checkpoint brought, if it verifies."""
        ...


@dataclass(eq=False, slots=True)
class Subscriber:
    """One open stream: where it stands and whether it ever was up to date."""

    cursor: int
    selection: Selection
    beats: int = 0
    is_live: bool = False
    sending_since: float | None = None
    is_dropped: bool = False
    pump: asyncio.Task[None] | None = None


@dataclass(slots=True)
class Figures:
    """What the stream counts; :mod:`index.feed.metrics` shows it."""

    subscribers: int = 0
    opened: int = 0
    dropped: int = 0
    lags: list[float] = field(default_factory=list)


class Hub:
    """Everybody who listens, and the task that watches the published tree.

    Args:
        store: the published tree, already verified.
        now: the clock of heartbeats, naive UTC.
        checkpoint: the file whose move is a publication, to measure the lag of the fan-out.
        ring: frames with other than the usual bounds (tests, the mock feed).
    """

    def __init__(
        self,
        store: Source,
        *,
        now: Callable[[], datetime] = queries.utc_now,
        checkpoint: Path | None = None,
        ring: Ring | None = None,
        poll_seconds: float = POLL_SECONDS,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
        max_behind: int = MAX_BEHIND,
        send_seconds: float = SEND_SECONDS,
    ) -> None:
        self.store, self.now, self.checkpoint = store, now, checkpoint
        self.ring = ring if ring is not None else Ring(lambda seq: store.entries[seq].body)
        self.figures = Figures()
        self._poll_seconds, self._heartbeat_seconds = poll_seconds, heartbeat_seconds
        self._max_behind, self._send_seconds = max_behind, send_seconds
        self._subscribers: set[Subscriber] = set()
        self._waiting: dict[Selection, list[asyncio.Future[None]]] = {}
        self._beat, self._beats = b"", 0
        self._is_stopping = False
        self._tasks: list[asyncio.Task[None]] = []
        self._take_new()

    # The watching task --------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Hub]:
        """Watch, beat and look for stalled readers until left; then end every stream."""
        self._tasks = [
            asyncio.create_task(each)
            for each in (self._watch(), self._keep_beating(), self._look_for_stalled())
        ]
        try:
            yield self
        finally:
            await self.stop()

    async def stop(self, patience: float = 2.0) -> None:
        """End every stream with a comment, so that each client resumes elsewhere or later."""
        self._is_stopping = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        self._wake_all()
        pumps = [each.pump for each in self._subscribers if each.pump is not None]
        if pumps:
            _, late = await asyncio.wait(pumps, timeout=patience)
            for pump in late:
                pump.cancel()

    async def _watch(self) -> None:
        while True:
            self.store.poll()
            self.publish()
            await asyncio.sleep(self._poll_seconds)

    def _take_new(self) -> None:
        for each in self.store.entries[self.ring.size :]:
            self.ring.add(each.seq, each.type, each.body)

    def publish(self) -> None:
        """Take the records that the store has and the ring has not; wake whoever wants one."""
        first = self.ring.size
        if len(self.store.entries) == first:
            return
        self._take_new()
        for selection in list(self._waiting):
            cursor, has_news = first, False
            while cursor < self.ring.size and not has_news:
                body, cursor = self.ring.chunk(cursor, selection)
                has_news = bool(body)
            if has_news:
                _wake(self._waiting.pop(selection))
        # Callbacks run in order: by the time of this one, all that were woken have sent.
        asyncio.get_running_loop().call_soon(self._measure_lag)

    def _measure_lag(self) -> None:
        if self.checkpoint is None:
            return
        with contextlib.suppress(OSError):
            lag = time.time() - self.checkpoint.stat().st_mtime_ns / 1e9
            self.figures.lags.append(max(lag, 0.0))
            del self.figures.lags[:-MAX_LAGS]

    async def _keep_beating(self) -> None:
        while True:
            self._make_beat()
            self._wake_all()
            await asyncio.sleep(self._heartbeat_seconds)

    def _make_beat(self) -> None:
        self._beat = self.heartbeat()
        self._beats += 1

    def heartbeat(self) -> bytes:
        """Return a heartbeat frame: head, time, when the next fixing is due. It has no id."""
        now = self.now().isoformat(timespec="milliseconds") + "Z"
        content = {
            "head": self.ring.size - 1,
            "now": now,
            "next_publication_at": self.ring.next_publication_at(now),
        }
        text = json.dumps(content, separators=(",", ":"))
        return f"event: heartbeat\ndata: {text}\n\n".encode()

    async def _look_for_stalled(self) -> None:
        """Once a second, disconnect whoever did not even read what was there a second ago."""
        while True:
            seen = self.ring.size
            await asyncio.sleep(1.0)
            self.drop_stalled(seen)

    def drop_stalled(self, seen: int) -> None:
        """Disconnect readers too far behind record ``seen``, and replays that stand still."""
        now = time.monotonic()
        behind_head = self.ring.behind(seen)
        for each in list(self._subscribers):
            if each.sending_since is None:
                continue
            is_behind = each.is_live and (
                self.ring.behind(each.cursor) - behind_head > self._max_behind
            )
            if is_behind or now - each.sending_since > self._send_seconds:
                each.is_dropped = True
                self.figures.dropped += 1
                if each.pump is not None:
                    each.pump.cancel()

    def _wake_all(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for futures in waiting.values():
            _wake(futures)

    # One subscriber -----------------------------------------------------------------------------

    async def serve(self, receive: Receive, send: Send, body: Send, one: Subscriber) -> None:
        """Send the stream until the client leaves, the server stops or the reader stalls.

        ``send`` takes the head of the response, ``body`` every frame: the second may be the
        server's own function where the first passes through middleware.
        """
        self._subscribers.add(one)
        self.figures.opened += 1
        self.figures.subscribers = len(self._subscribers)
        await send({"type": "http.response.start", "status": 200, "headers": list(HEADERS)})
        one.pump = asyncio.create_task(self._pump(body, one))
        gone = asyncio.create_task(_until_gone(receive))
        try:
            await asyncio.wait({one.pump, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._subscribers.discard(one)
            self.figures.subscribers = len(self._subscribers)
            one.pump.cancel()
            gone.cancel()
            await asyncio.gather(one.pump, gone, return_exceptions=True)

    async def _pump(self, send: Send, one: Subscriber) -> None:
        # One block with the heartbeat: alone, some clients hand it on as an empty event.
        opening = f"retry: {RETRY_MILLISECONDS}\n".encode() + self.heartbeat()
        one.beats = self._beats
        await send({"type": "http.response.body", "body": opening, "more_body": True})
        while not self._is_stopping:
            at = one.cursor
            frames, one.cursor = self.ring.chunk(at, one.selection)
            if frames:
                one.sending_since = time.monotonic()
                await send({"type": "http.response.body", "body": frames, "more_body": True})
                one.sending_since = None
            elif one.cursor != at:
                await asyncio.sleep(0)  # a filtered replay: let the others in
            elif one.beats != self._beats:
                one.beats, one.is_live = self._beats, True
                one.sending_since = time.monotonic()
                await send({"type": "http.response.body", "body": self._beat, "more_body": True})
                one.sending_since = None
            else:
                one.is_live = True
                woken = asyncio.get_running_loop().create_future()
                self._waiting.setdefault(one.selection, []).append(woken)
                await woken
        text = b": the server is stopping; resume with Last-Event-ID\n\n"
        await send({"type": "http.response.body", "body": text, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _wake(futures: Sequence[asyncio.Future[None]]) -> None:
    for each in futures:
        if not each.done():
            each.set_result(None)


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


# What was asked for -----------------------------------------------------------------------------


def subscription(scope: Scope, ring: Ring) -> Subscriber:
    """Return the subscriber that a request describes.

    ``Last-Event-ID`` wins over ``after``. Both name the last record the client has; -1 is none.
    Without either the stream begins with the next record published.

    Raises:
        Problem: 400 for an unknown or repeated parameter, an unknown type, a place that is no
            number or beyond the head (the head is told); 404 for an index that no record names.
    """
    asked = queries.read(scope.get("query_string", b""), PARAMETERS)
    types, indices = asked.get("types", frozenset()), asked.get("index", frozenset())
    for kind in sorted(types - TYPES - ring.kinds):
        raise queries.invalid("types", kind, f"is none of {', '.join(sorted(TYPES | ring.kinds))}")
    for index_id in sorted(indices - ring.index_ids if indices else ()):
        raise Problem("unknown-index", f"parameter 'index': no record names {index_id!r}")
    selection = Selection(types, indices) if types or indices else EVERYTHING
    given = [value for name, value in scope["headers"] if name == b"last-event-id"]
    if len(given) > 1:
        raise Problem("duplicate-parameter", "header Last-Event-ID was given more than once")
    name, last = "after", asked.get("after")
    if given:
        name = "Last-Event-ID"
        last = place(name, given[0].decode("latin-1"))
    if last is None:
        return Subscriber(ring.size, selection)
    if last >= ring.size:
        raise Problem(
            "invalid-parameter",
            f"{name} {last} is beyond the head, {ring.size - 1}: it belongs to another log, or to "
            "a later state of this one than is served here",
            parameter=name,
            head=ring.size - 1,
        )
    return Subscriber(last + 1, selection)


def place(name: str, text: str) -> int:
    """Read the ``seq`` of the last record a client has; -1 is none."""
    if not _PLACE.fullmatch(text):
        raise queries.invalid(name, text, "is not a seq: a whole number, or -1 for none")
    return int(text)


PARAMETERS: Final[Mapping[str, queries.Reader]] = {
    "types": queries.types,
    "index": queries.indices,
    "after": place,
}


class StreamEndpoint:
    """``/v1/stream`` as an ASGI application."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the stream; HEAD with its headers alone."""
        if scope["method"] not in ("GET", "HEAD"):
            detail = f"{scope['method']} {scope['path']}: use GET"
            raise Problem("method-not-allowed", detail, headers={"Allow": "GET, HEAD, OPTIONS"})
        one = subscription(scope, self.hub.ring)
        if scope["method"] == "HEAD":
            await send({"type": "http.response.start", "status": 200, "headers": list(HEADERS)})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        await self.hub.serve(receive, send, scope.get(RAW_SEND, send), one)


def routes(hub: Hub) -> list[Route]:
    """Return the stream's routes; run the application inside :meth:`Hub.running`."""
    return [Route("/v1/stream", StreamEndpoint(hub))]
