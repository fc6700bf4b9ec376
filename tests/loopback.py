"""A scripted HTTP server on 127.0.0.1 that behaves as badly as it is told to.

Each path has a behaviour: a coroutine that is given the request and a writer, and says whatever
bytes it likes. Requests are recorded, so that a test can say what was asked and what never was.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
import zlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass

JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Asked:
    """One request as it arrived; header names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


Behaviour = Callable[[Asked, asyncio.StreamWriter], Awaitable[None]]


def reply(body: bytes = b"{}", status: int = 200, **headers: str) -> Behaviour:
    """Answer properly: JSON with a length unless ``headers`` (underscores for dashes) differ."""
    fields = {"content-type": "application/json", "content-length": str(len(body))}
    fields.update({name.replace("_", "-").lower(): value for name, value in headers.items()})
    head = f"HTTP/1.1 {status} Whatever\r\n".encode()
    head += b"".join(f"{name}: {value}\r\n".encode() for name, value in fields.items() if value)

    async def say(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(head + b"\r\n" + body)

    return say


def raw(*pieces: bytes, pause: float = 0.0) -> Behaviour:
    """Send these bytes, whatever they are, then close."""

    async def say(asked: Asked, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)
        writer.close()

    return say


def hang() -> Behaviour:
    """Take the request and never answer."""

    async def say(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    return say


def drip(start: bytes, piece: bytes, every: float = 0.02) -> Behaviour:
    """Send ``start``, then ``piece`` again and again, slowly and without end."""

    async def say(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        while True:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(every)

    return say


def endless(head: bytes, pieces: Iterator[bytes]) -> Behaviour:
    """Send a head and then pieces as fast as they are taken, in chunked framing."""

    async def say(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + head + b"\r\n")
        for piece in pieces:
            writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            await writer.drain()
        writer.write(b"0\r\n\r\n")

    return say


def in_turn(*behaviours: Behaviour) -> Behaviour:
    """Behave in these ways one after the other; the last one stays."""
    left = list(behaviours)

    async def say(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await (left.pop(0) if len(left) > 1 else left[0])(asked, writer)

    return say


def reset() -> Behaviour:
    """Drop the connection without a word."""

    async def say(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    return say


def gzip_zeros(total: int, step: int = 2**20) -> Iterator[bytes]:
    """Yield a gzip stream that unpacks to ``total`` zero bytes, about a thousandth of that size."""
    pack = zlib.compressobj(9, zlib.DEFLATED, 31)
    for _ in range(total // step):
        piece = pack.compress(bytes(step)) + pack.flush(zlib.Z_SYNC_FLUSH)
        yield piece
    yield pack.flush()


class Server:
    """The server; use it as a context manager. ``asked`` grows as requests arrive."""

    def __init__(self, routes: Mapping[str, Behaviour], tls: ssl.SSLContext | None = None) -> None:
        self.routes = dict(routes)
        self.asked: list[Asked] = []
        self.connections = 0
        self.port = 0
        self._tls = tls
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def url(self) -> str:
        """Base URL by address, without a slash at the end."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def paths(self) -> list[str]:
        """Targets asked for, in order."""
        return [asked.target for asked in self.asked]

    def __enter__(self) -> Server:
        self._thread.start()
        assert self._ready.wait(60)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        # Failed handshakes and torn connections are the point here, not news.
        self._loop.set_exception_handler(lambda loop, context: None)
        start = asyncio.start_server(self._connection, "127.0.0.1", 0, ssl=self._tls)
        server = self._loop.run_until_complete(start)
        self.port = server.sockets[0].getsockname()[1]
        self._loop.call_soon(self._ready.set)
        self._loop.run_forever()
        server.close()
        for task in self._tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*self._tasks, return_exceptions=True))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        gone = (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError)
        with contextlib.suppress(*gone):
            while not writer.is_closing():
                asked = await self._request(reader)
                self.asked.append(asked)
                path = asked.target.partition("?")[0]
                await self.routes.get(path, reply(status=404))(asked, writer)
                await writer.drain()
        writer.transport.abort()
        self._tasks.discard(task)

    @staticmethod
    async def _request(reader: asyncio.StreamReader) -> Asked:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *rest = head.strip().split("\r\n")
        method, target, _ = first.split(" ")
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in rest)
        }
        length = int(headers.get("content-length", "0"))
        return Asked(method, target, headers, await reader.readexactly(length))
