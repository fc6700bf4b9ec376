"""Responses that were prepared once: body, digest and header lines, handed out as they are.

``ETag`` is strong and is the digest of the body; ``Content-Digest`` says the same in the form of
RFC 9530. A client that sends ``If-None-Match`` gets 304 without a body.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from starlette.types import Receive, Scope, Send

Line = tuple[bytes, bytes]
JSON: Final = b"application/json"
NDJSON: Final = b"application/x-ndjson"
IMMUTABLE: Final[Line] = (b"cache-control", b"public, max-age=31536000, immutable")
NO_STORE: Final[Line] = (b"cache-control", b"no-store")
_WITHOUT_BODY: Final = {b"content-type", b"content-length", b"content-digest"}


@dataclass(slots=True)
class Reply:
    """One response: status, header lines as they go out, body, and the ETag among the lines."""

    status: int
    lines: list[Line]
    body: bytes
    etag: bytes = b""

    def plus(self, *lines: Line) -> Reply:
        """Return the same response with further header lines."""
        return Reply(self.status, [*self.lines, *lines], self.body, self.etag)


def moving(seconds: int) -> Line:
    """Return the cache line of a resource that will change, at the latest after ``seconds``."""
    return (b"cache-control", b"public, max-age=%d" % seconds)


def etag_of(hexdigest: str) -> bytes:
    """Return the strong entity tag of a SHA-256: ``"sha256-<64 hex digits>"``."""
    return b'"sha256-' + hexdigest.encode("ascii") + b'"'


def prepare(body: bytes, media_type: bytes, *lines: Line, digest: bytes | None = None) -> Reply:
    """Return a 200 response of ``body`` with its length, type, ETag and Content-Digest.

    Args:
        body: the exact bytes.
        media_type: for ``Content-Type``.
        lines: further header lines.
        digest: the SHA-256 of ``body`` if it is known already.
    """
    digest = hashlib.sha256(body).digest() if digest is None else digest
    etag = etag_of(digest.hex())
    made = [
        (b"content-type", media_type),
        (b"content-length", b"%d" % len(body)),
        (b"etag", etag),
        (b"content-digest", b"sha-256=:" + base64.b64encode(digest) + b":"),
        *lines,
    ]
    return Reply(200, made, body, etag)


def header(scope: Scope, name: bytes) -> bytes | None:
    """Return a request header, several of one name joined by commas, ``None`` if there is none."""
    found = [value for key, value in scope["headers"] if key == name]
    return b", ".join(found) if found else None


def matches(scope: Scope, etag: bytes) -> bool:
    """Return whether ``If-None-Match`` names this tag, or any (RFC 9110, 13.1.2)."""
    asked = header(scope, b"if-none-match")
    if asked is None or not etag:
        return False
    tags = {part.strip().removeprefix(b"W/") for part in asked.split(b",")}
    return etag in tags or b"*" in tags


async def send_reply(reply: Reply, scope: Scope, send: Send) -> None:
    """Send a response: 304 if the client has it, no body to HEAD."""
    status, lines, body = reply.status, reply.lines, reply.body
    if status == 200 and matches(scope, reply.etag):
        status, body = 304, b""
        lines = [line for line in lines if line[0] not in _WITHOUT_BODY]
    elif scope["method"] == "HEAD":
        body = b""
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": body})


class Endpoint:
    """A resource as an ASGI application: ``handler`` takes the scope and returns its response.

    It runs on the event loop, so it answers from memory or from small files; a handler that is a
    coroutine function may leave the loop for longer work.
    """

    def __init__(self, handler: Callable[[Scope], Reply]) -> None:
        self.handler = handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await send_reply(self.handler(scope), scope, send)


class SlowEndpoint:
    """As :class:`Endpoint`, for a handler that is a coroutine function."""

    def __init__(self, handler: Callable[[Scope], Awaitable[Reply]]) -> None:
        self.handler = handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await send_reply(await self.handler(scope), scope, send)
