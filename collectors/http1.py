"""HTTP/1.1 over one connection, by h11, with a cap on everything a server can send.

Nothing here opens a connection: ``collectors.fetch`` does and hands over a :class:`Wire`. A
general client pools, follows, unpacks and logs; each of these has to be switched off or watched
here, and none tells what came after the end of an answer. So the few lines that remain are ours:

- an answer's head has a size, a count of fields and a count of 1xx answers before it;
- the bytes of a whole answer are counted as they come, chunk extensions and trailers included;
- a connection is used again only when the answer ended exactly where its framing says. A server
  that sends a second answer unasked has it thrown away with the connection;
- a length and chunks together, or chunks in HTTP/1.0, are refused: two readers would disagree
  about where the body ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import cast

import h11

from collectors.wire import Refused

MAX_HEAD_BYTES = 64 * 1024
MAX_FIELDS = 128
MAX_INTERIM = 8
"""Answers like 100 Continue that may come before the answer itself."""

_HIGH = 256 * 1024  # bytes unread after which the server is made to wait


NOT_HTTP = (h11.RemoteProtocolError, h11.LocalProtocolError)
"""What is raised when the bytes are not HTTP."""


class Ended(ConnectionError):
    """The connection was over before an answer began."""


class Wire(asyncio.Protocol):
    """The bytes of one connection; a slow reader makes the server wait."""

    def __init__(self) -> None:
        self.received = 0
        self._transport: asyncio.Transport | None = None
        self._unread: list[bytes] = []
        self._unread_bytes = 0
        self._is_over = False
        self._problem: Exception | None = None
        self._news: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Take what came; stop reading when nobody fetches it."""
        self.received += len(data)
        self._unread.append(data)
        self._unread_bytes += len(data)
        if self._unread_bytes > _HIGH and self._transport is not None:
            self._transport.pause_reading()
        self._tell()

    def eof_received(self) -> bool:
        """Note that the server will send no more; the connection closes."""
        self._is_over = True
        self._tell()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the end and why."""
        self._is_over = True
        self._problem = exc
        self._tell()

    def _tell(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    async def read(self, silence: float) -> bytes:
        """Return what came, b"" at the end.

        Raises:
            TimeoutError: nothing came for ``silence`` seconds.
            OSError: the connection broke.
        """
        while not self._unread:
            if self._problem is not None:
                raise self._problem
            if self._is_over:
                return b""
            self._news = asyncio.get_running_loop().create_future()
            # Not asyncio.wait_for: before Python 3.12 it loses a cancellation that comes together
            # with news, and a dripping server would outlive its deadline.
            async with asyncio.timeout(silence):
                await self._news
        data = self._unread[0] if len(self._unread) == 1 else b"".join(self._unread)
        self._unread.clear()
        if self._unread_bytes > _HIGH and self._transport is not None and not self._is_over:
            self._transport.resume_reading()
        self._unread_bytes = 0
        return data

    def write(self, data: bytes) -> None:
        """Send ``data``; what a closed connection does not take shows when reading."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    @property
    def is_idle(self) -> bool:
        """Whether the connection stands and nothing came that nobody asked for."""
        return not self._is_over and not self._unread

    def drop(self) -> None:
        """End the connection at once, without a farewell."""
        if self._transport is not None:
            self._transport.abort()


@dataclass(frozen=True, slots=True)
class Head:
    """Status and header fields of an answer, names in lower case, values as they came."""

    status: int
    fields: Sequence[tuple[str, str]]

    def every(self, name: str) -> list[str]:
        """Return the values of all fields of this name."""
        return [value for field, value in self.fields if field == name]


class Speaker:
    """One connection that asks and is answered, one request at a time."""

    def __init__(self, wire: Wire, silence: float) -> None:
        self._wire = wire
        self._silence = silence
        self._state = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
        self._begun_at = 0
        self.is_used = False

    @property
    def is_idle(self) -> bool:
        """Whether another request may go over this connection."""
        return self._wire.is_idle and self._state.our_state is h11.IDLE

    @property
    def answer_bytes(self) -> int:
        """Bytes of the present answer so far, head and framing included."""
        return self._wire.received - self._begun_at

    def drop(self) -> None:
        """End the connection."""
        self._wire.drop()

    async def ask(
        self, method: str, target: str, fields: Sequence[tuple[str, str]], body: bytes | None
    ) -> Head:
        """Send a request and return the head of its answer.

        Raises:
            Ended: the connection ended before an answer began.
            Refused: PROTOCOL for a head that is too long or ambiguous.
            h11.RemoteProtocolError: what came is not HTTP.
            TimeoutError, OSError: as :meth:`Wire.read`.
        """
        self._begun_at = self._wire.received
        if body is not None:
            fields = [*fields, ("content-length", str(len(body)))]
        request = h11.Request(method=method, target=target, headers=list(fields))
        out = self._state.send(request) or b""
        if body:
            out += self._state.send(h11.Data(data=body)) or b""
        out += self._state.send(h11.EndOfMessage()) or b""
        self._wire.write(out)
        for _ in range(MAX_INTERIM + 1):
            event = await self._event()
            if isinstance(event, h11.Response):
                return self._head(event)
            if not isinstance(event, h11.InformationalResponse):
                raise Refused("PROTOCOL", "an answer without a head")
            if self.answer_bytes > MAX_HEAD_BYTES:
                break
        raise Refused("PROTOCOL", f"more than {MAX_INTERIM} interim answers, or too long ones")

    def _head(self, event: h11.Response) -> Head:
        raw = list(event.headers)
        size = sum(len(name) + len(value) + 4 for name, value in raw)
        if len(raw) > MAX_FIELDS or size > MAX_HEAD_BYTES:
            raise Refused("PROTOCOL", f"{len(raw)} header fields of {size} bytes")
        head = Head(
            event.status_code,
            [(name.decode("ascii"), value.decode("latin-1")) for name, value in raw],
        )
        is_chunked = bool(head.every("transfer-encoding"))
        if is_chunked and head.every("content-length"):
            raise Refused("PROTOCOL", "a length and chunks together: two ends of one body")
        if is_chunked and event.http_version < b"1.1":
            raise Refused("PROTOCOL", "chunks in an answer older than HTTP/1.1")
        return head

    async def _event(self) -> object:
        while True:
            event = self._state.next_event()
            if event is not h11.NEED_DATA:
                return event
            if self._state.their_state is h11.SEND_RESPONSE:
                if self.answer_bytes > MAX_HEAD_BYTES * (MAX_INTERIM + 1):
                    raise Refused("PROTOCOL", "a head without end")
                data = await self._wire.read(self._silence)
                if not data and self.answer_bytes == 0:
                    raise Ended("the server ended the connection before an answer")
            else:
                data = await self._wire.read(self._silence)
            self._state.receive_data(data)

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes, without its framing; raises as :meth:`ask`."""
        while True:
            event = await self._event()
            if isinstance(event, h11.Data):
                yield bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                return
            else:
                raise Refused("PROTOCOL", "the connection was switched to something else")

    def finish(self) -> None:
        """Make ready for the next request, or drop a connection that is not fit for one."""
        self.is_used = True
        states = (self._state.our_state, self._state.their_state)
        is_clean = states == (h11.DONE, h11.DONE) and not self._state.trailing_data[0]
        if is_clean and self._wire.is_idle:
            self._state.start_next_cycle()
        else:
            self.drop()
