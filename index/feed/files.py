"""Files of the published tree, as they are: tiles, checkpoints, drop, bodies, analysts' files.

A strong ETag needs the digest, so a file is read once when it is first asked for; it is known
again by device, inode, size and time of change. Ranges are served from the open file: one that is
replaced meanwhile is still sent whole and unmixed. A reader too slow to take a part of a large
file within a minute is cut off, and goes on with ``Range``. Names with a leading dot are files that
somebody is still writing; they do not exist here, nor does anything outside the folder.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import anyio
from starlette.types import Receive, Scope, Send

from index.feed.headers import IMMUTABLE, Line, Reply, etag_of, header, matches, prepare, send_reply
from index.feed.problems import Problem
from index.feed.queries import read

SMALL: Final = 1 << 18
"""Up to this size a file is read at once and kept among the recently used."""

CHUNK: Final = 1 << 18
KEPT: Final = 1024
PART_SECONDS: Final = 60.0
"""How long one part may take to leave: 4 KiB a second at least, else the reader holds us up."""

TYPES: Final = {
    ".json": b"application/json",
    ".jsonl": b"application/x-ndjson",
    ".csv": b"text/csv; charset=utf-8; header=present",
    ".xml": b"application/xml",
    ".pem": b"application/x-pem-file",
    ".tsr": b"application/timestamp-reply",
    ".tlog-proof": b"text/plain; charset=utf-8",
    ".parquet": b"application/vnd.apache.parquet",
    ".duckdb": b"application/vnd.duckdb",
}
_BYTES: Final = b"application/octet-stream"
_TEXT: Final = b"text/plain; charset=utf-8"
_RANGE = re.compile(rb"bytes=(?:([0-9]{1,18})-([0-9]{0,18})|-([0-9]{1,18}))")
_PART = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")

Stamp = tuple[int, int, int, int]


class Files:
    """Serves one folder.

    Args:
        root: the folder.
        keep: the cache line for a path below it; :data:`IMMUTABLE` for what never changes.
        plain: names that are text without a suffix, such as ``checkpoint``.
        part_seconds: how long a reader may take for each part of a large file.
    """

    def __init__(
        self,
        root: Path,
        keep: Callable[[str], Line],
        plain: Callable[[str], bool] | None = None,
        part_seconds: float = PART_SECONDS,
    ) -> None:
        self.root = root.resolve()  # a symbolic link to the folder is the operator's business
        self.keep = keep
        self.plain = plain or (lambda path: False)
        self.part_seconds = part_seconds
        self._digests: OrderedDict[Stamp, bytes] = OrderedDict()
        self._small: OrderedDict[tuple[str, Stamp], Reply] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request for a file."""
        read(scope["query_string"], {})
        path = scope["path_params"]["path"]
        descriptor = self._open(path)
        try:
            found = os.fstat(descriptor)
            stamp = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
            if found.st_size <= SMALL:
                reply = self._whole(path, descriptor, stamp)
            else:
                reply = None
                if stamp not in self._digests:
                    made = await anyio.to_thread.run_sync(_hash, descriptor)
                    _keep(self._digests, stamp, made)
            if reply is not None:
                await self._send_small(reply, scope, send)
            else:
                await self._send_large(path, descriptor, stamp, scope, send)
        finally:
            os.close(descriptor)

    def _open(self, path: str) -> int:
        """Return a descriptor of the file, or raise Problem ``not-found``."""
        parts = path.split("/")
        missing = Problem("not-found", f"there is no file {path[:120]!r} here")
        if not all(map(_PART.fullmatch, parts)):
            raise missing
        full = self.root.joinpath(*parts)
        try:
            if not full.is_file() or not full.resolve().is_relative_to(self.root):
                raise missing
            return os.open(full, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            raise missing from None

    def _type(self, path: str) -> bytes:
        name = path.rsplit("/", 1)[-1]
        if self.plain(path):
            return _TEXT
        return TYPES.get("." + name.rsplit(".", 1)[-1], _BYTES) if "." in name else _BYTES

    def _whole(self, path: str, descriptor: int, stamp: Stamp) -> Reply:
        key = (path, stamp)
        reply = self._small.get(key)
        if reply is None:
            body = _read_all(descriptor, stamp[2])
            accept = (b"accept-ranges", b"bytes")
            reply = prepare(body, self._type(path), accept)
            _keep(self._small, key, reply)
        return reply.plus(self.keep(path))

    async def _send_small(self, reply: Reply, scope: Scope, send: Send) -> None:
        if matches(scope, reply.etag):
            await send_reply(reply, scope, send)
            return
        span = _span(scope, len(reply.body), reply.etag)
        if span is None:
            await send_reply(reply, scope, send)
            return
        first, last = span
        lines = _partial(reply.lines, first, last, len(reply.body))
        await send_reply(Reply(206, lines, reply.body[first : last + 1]), scope, send)

    async def _send_large(
        self, path: str, descriptor: int, stamp: Stamp, scope: Scope, send: Send
    ) -> None:
        size, digest = stamp[2], self._digests[stamp]
        whole = prepare(b"", self._type(path), (b"accept-ranges", b"bytes"), digest=digest)
        etag = etag_of(digest.hex())
        lines = [line for line in whole.lines if line[0] != b"content-length"]
        lines += [self.keep(path), (b"content-length", b"%d" % size)]
        if matches(scope, etag):
            await send_reply(Reply(200, lines, b"", etag), scope, send)
            return
        first, last, status = 0, size - 1, 200
        span = _span(scope, size, etag)
        if span is not None:
            first, last = span
            status, lines = 206, _partial(lines, first, last, size)
        await send({"type": "http.response.start", "status": status, "headers": lines})
        if scope["method"] == "HEAD":
            await send({"type": "http.response.body", "body": b""})
            return
        while first <= last:
            wanted = min(CHUNK, last + 1 - first)
            part = await anyio.to_thread.run_sync(os.pread, descriptor, wanted, first)
            if not part:
                raise OSError(f"{path}: the file became shorter while it was sent")
            first += len(part)
            more = first <= last
            with anyio.move_on_after(self.part_seconds) as waited:
                await send({"type": "http.response.body", "body": part, "more_body": more})
            if waited.cancelled_caught:
                raise ConnectionAbortedError(f"{path}: the reader takes it too slowly")


def immutable(path: str) -> Line:
    """Return the cache line of a file that never changes."""
    return IMMUTABLE


def _span(scope: Scope, size: int, etag: bytes) -> tuple[int, int] | None:
    """Return the first and last byte of the one range asked for, ``None`` for the whole file.

    Several ranges, or a form that is not understood, are answered with the whole file, as
    RFC 9110 (14.2) allows; so is a range whose ``If-Range`` names another state of the file.

    Raises:
        Problem: ``range-not-satisfiable``.
    """
    text = header(scope, b"range")
    found = _RANGE.fullmatch(text) if text is not None and scope["method"] == "GET" else None
    if found is None:
        return None
    condition = header(scope, b"if-range")
    if condition is not None and condition != etag:
        return None
    start, end, suffix = found.groups()
    if suffix is not None:
        first, last = max(0, size - int(suffix)), size - 1
        is_empty = int(suffix) == 0 or size == 0
    else:
        first, last = int(start), min(int(end) if end else size - 1, size - 1)
        if end and int(end) < int(start):
            return None
        is_empty = first >= size
    if is_empty:
        raise Problem(
            "range-not-satisfiable",
            f"header Range {found[0].decode()!r} asks for nothing of {size} bytes",
            headers={"Content-Range": f"bytes */{size}"},
        )
    return first, last


def _partial(lines: list[Line], first: int, last: int, size: int) -> list[Line]:
    """Return the header lines of a part; the digest is that of the whole, and is called so."""
    renamed = {b"content-digest": b"repr-digest"}
    kept = [(renamed.get(key, key), text) for key, text in lines if key != b"content-length"]
    return [
        *kept,
        (b"content-length", b"%d" % (last + 1 - first)),
        (b"content-range", b"bytes %d-%d/%d" % (first, last, size)),
    ]


def _keep(kept: OrderedDict[Any, Any], key: object, value: object) -> None:
    kept[key] = value
    while len(kept) > KEPT:
        kept.popitem(last=False)


def _read_all(descriptor: int, size: int) -> bytes:
    parts, at = [], 0
    while at < size:
        part = os.pread(descriptor, size - at, at)
        if not part:
            break
        parts.append(part)
        at += len(part)
    return b"".join(parts)


def _hash(descriptor: int) -> bytes:
    hashed, at = hashlib.sha256(), 0
    while part := os.pread(descriptor, 1 << 20, at):
        hashed.update(part)
        at += len(part)
    return hashed.digest()
