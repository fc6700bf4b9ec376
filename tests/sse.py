"""A small client of event streams for tests, and a published tree that lives in memory."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route

from index.feed import metrics, stream
from index.feed.gate import Gate, Rules
from index.feed.problems import HANDLERS
from index.feed.server import serving
from index.feed.stream import Hub

Event = dict[str, str]


@dataclass
class Record:
    seq: int
    type: str
    body: bytes


@dataclass
class Memory:
    """A log that a test appends to; what is appended is seen at the next poll."""

    entries: list[Record] = field(default_factory=list)
    waiting: list[Record] = field(default_factory=list)

    def append(self, kind: str = "fixing", **more: Any) -> bytes:
        seq = len(self.entries) + len(self.waiting)
        content = {"seq": seq, "type": kind, **more}
        body = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
        self.waiting.append(Record(seq, kind, body))
        return body

    def poll(self) -> None:
        self.entries += self.waiting
        self.waiting = []


def memory(count: int, **more: Any) -> Memory:
    made = Memory()
    for _ in range(count):
        made.append(index_id="TKX-ALL-BLD", **more)
    made.poll()
    return made


@contextlib.asynccontextmanager
async def feed(
    store: Memory, *, rules: Rules | None = None, routes: tuple[Route, ...] = (), **options: Any
) -> AsyncIterator[tuple[int, Hub]]:
    """Serve ``store`` on loopback; yields port and hub."""
    hub = Hub(store, **options)
    seen = metrics.Metrics(hub)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with hub.running():
            yield

    app = Starlette(
        routes=[*stream.routes(hub), *metrics.routes(seen), *routes],
        lifespan=lifespan,
        exception_handlers=dict(HANDLERS),
        middleware=[Middleware(Gate, rules=rules, metrics=seen)] if rules else [],
    )
    app.state.hub = hub
    async with serving(app) as port:
        yield port, hub


async def until(is_so: Callable[[], bool]) -> None:
    """Wait for what must come about, however slow the machine; after a minute it has not."""
    async with asyncio.timeout(60):
        while not is_so():
            await asyncio.sleep(0.001)


@dataclass
class Answer:
    """The head of a response, and its body while it comes."""

    status: int
    headers: dict[str, str]
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def body(self) -> bytes:
        """Read the body to its end."""
        if self.status in (204, 304):
            return b""
        if "content-length" in self.headers:
            return await self.reader.readexactly(int(self.headers["content-length"]))
        parts = [part async for part in self.parts()]
        return b"".join(parts)

    async def problem(self) -> dict[str, Any]:
        assert self.headers["content-type"] == "application/problem+json"
        found: dict[str, Any] = json.loads(await self.body())
        return found

    async def parts(self) -> AsyncIterator[bytes]:
        """Yield chunks as they come; a body cut short raises IncompleteReadError."""
        while True:
            size = int(await self.reader.readuntil(b"\r\n"), 16)
            part = await self.reader.readexactly(size + 2)
            if not size:
                return
            yield part[:-2]

    async def blocks(self) -> AsyncIterator[bytes]:
        """Yield what stands between empty lines."""
        rest = b""
        async for part in self.parts():
            *whole, rest = (rest + part).split(b"\n\n")
            for block in whole:
                yield block

    async def events(
        self, wanted: Callable[[dict[str, str]], bool]
    ) -> AsyncIterator[dict[str, str]]:
        """Yield events as their fields; comments and ``retry`` are left out."""
        async for block in self.blocks():
            lines = [line.partition(b": ") for line in block.split(b"\n")]
            event = {name.decode(): value.decode() for name, _, value in lines if name}
            if "event" in event and wanted(event):
                yield event

    async def take(self, count: int) -> list[Event]:
        """Read so many events, heartbeats aside."""
        found: list[Event] = []
        async with asyncio.timeout(10):
            async for event in self.events(lambda event: event["event"] != "heartbeat"):
                found.append(event)
                if len(found) == count:
                    break
        return found

    async def heartbeat(self) -> dict[str, Any]:
        """Read up to the next heartbeat."""
        async with asyncio.timeout(10):
            async for event in self.events(lambda event: event["event"] == "heartbeat"):
                assert "id" not in event
                found: dict[str, Any] = json.loads(event["data"])
                return found
        raise AssertionError("the stream ended")


@contextlib.asynccontextmanager
async def ask(
    port: int, path: str, *, method: str = "GET", headers: tuple[str, ...] = ()
) -> AsyncIterator[Answer]:
    """Open a connection, send one request, read the head of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**22)
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *headers]
    writer.write("\r\n".join([*lines, "", ""]).encode())
    try:
        async with asyncio.timeout(10):
            first, *rest = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        pairs = [line.partition(": ") for line in rest if line]
        found = {name.lower(): value for name, _, value in pairs}
        yield Answer(int(first.split(" ")[1]), found, reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
