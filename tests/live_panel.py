"""The whole panel on one loopback server: each live source is answered with its own body.

Every host of the panel is a port of this machine, so that sources of one host share its slots and
its robots file as they do outside. The server is strict: it answers a URL, a method, fields and a
key that it knows, and nothing else. ``tests/live_rounds.py`` runs rounds against it.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC
from email.utils import format_datetime
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from collectors import panel
from collectors.base import Source
from tests import loopback as lb
from tests.live_bodies import ANY, MORNING, Page, folder_of, pages_of

CHANGED = "Thu, 19 Nov 2026 06:00:00 GMT"
ROBOTS = b"User-agent: *\nDisallow: /account/\n"


def live() -> list[Source]:
    """Return every source of the panel that answers over a network, those switched off too."""
    return [source for source in panel.load_all() if source.is_live]


def key_of(name: str) -> str:
    """Return the key of the tests for the variable ``name``."""
    return f"sk-{hashlib.sha256(name.encode()).hexdigest()[:24]}"


def keys() -> dict[str, str]:
    """Return the environment in which every source has its key."""
    return {one.auth_env: key_of(one.auth_env) for one in live() if one.auth_env}


def host_of(source: Source) -> str:
    return str(urlsplit(source.url).hostname)


def validator_of(source: Source) -> str | None:
    """Return what a source's server gives to ask by: every third an ETag, every third a date."""
    return ("etag", "last-modified", None)[sorted(panel.SOURCES).index(source.id) % 3]


class Route(NamedTuple):
    """What the server needs to answer one URL."""

    source: Source
    page: Page
    body: bytes


class Market(lb.Server):
    """The server. ``answered`` grows by (source, status); ``sick`` behave otherwise."""

    def __init__(self) -> None:
        super().__init__({})
        self.moment = MORNING
        self.answered: list[tuple[str, int]] = []
        self.unknown: list[str] = []
        self.sick: dict[str, lb.Behaviour] = {}
        self.ports: dict[str, int] = {}
        self._servers: list[asyncio.Server] = []
        self._routes: dict[tuple[int, str, str], list[Route]] = {}
        self._pages = {host_of(one) for one in live() if one.is_page}

    def __enter__(self) -> Market:
        super().__enter__()
        for source in live():
            host = host_of(source)
            if host not in self.ports:
                start = asyncio.start_server(self._connection, "127.0.0.1", 0)
                made = asyncio.run_coroutine_threadsafe(start, self._loop).result(5)
                self._servers.append(made)
                self.ports[host] = made.sockets[0].getsockname()[1]
            port = self.ports[host]
            for page in pages_of(source.id):
                path = urlsplit(source.url).path + page.below
                stored = (folder_of(source.id) / page.file).read_bytes()
                body = page.made(stored, f"http://127.0.0.1:{port}")
                self._routes.setdefault((port, page.method, path), []).append(
                    Route(source, page, body)
                )
        # The base looks a path up; here a port, a method and fields decide too.
        self.routes = _Everything(self.answer)  # type: ignore[assignment]
        return self

    def __exit__(self, *given: object) -> None:
        for one in self._servers:
            self._loop.call_soon_threadsafe(one.close)
        super().__exit__(*given)

    def addresses(self) -> dict[str, str]:
        """Return each live source's address, its host replaced by its port here."""
        found = {}
        for source in live():
            parts = urlsplit(source.url)
            local = parts._replace(scheme="http", netloc=f"127.0.0.1:{self.ports[host_of(source)]}")
            found[source.id] = local.geturl()
        return found

    async def answer(self, asked: lb.Asked, writer: asyncio.StreamWriter) -> None:
        """Answer one request, or say that nobody of the panel asks so."""
        port = writer.get_extra_info("sockname")[1]
        host = next(name for name, one in self.ports.items() if one == port)
        path, _, query = asked.target.partition("?")
        if path == "/robots.txt" and host in self._pages:
            self.answered.append((f"robots {host}", 200))
            await self._say(asked, writer, 200, ROBOTS, {"Content-Type": "text/plain"})
            return
        fields = fields_of(asked, query)
        for route in self._routes.get((port, asked.method, path), ()):
            if route.source.id in self.sick:
                await self.sick[route.source.id](asked, writer)
                return
            if fits(route.page.asks, fields):
                await self._give(route, asked, writer)
                return
        self.unknown.append(f"{asked.method} {host} {asked.target} {asked.body[:200]!r}")
        await self._say(asked, writer, 404, b"{}", {"Content-Type": "application/json"})

    async def _give(self, route: Route, asked: lb.Asked, writer: asyncio.StreamWriter) -> None:
        source, status, headers = route.source, 200, {"Content-Type": route.source.content_types[0]}
        if source.auth_env:
            wanted = f"{source.auth.prefix}{key_of(source.auth_env)}"
            if asked.headers.get(source.auth.header.lower()) != wanted:
                status = 401
        kind = validator_of(source)
        tag = f'"{hashlib.sha256(route.body).hexdigest()[:16]}"'
        if kind == "etag":
            headers["ETag"] = tag
            status = 304 if asked.headers.get("if-none-match") == tag else status
        elif kind == "last-modified":
            headers["Last-Modified"] = CHANGED
            status = 304 if asked.headers.get("if-modified-since") == CHANGED else status
        self.answered.append((source.id, status))
        await self._say(asked, writer, status, route.body if status == 200 else b"", headers)

    async def _say(
        self,
        asked: lb.Asked,
        writer: asyncio.StreamWriter,
        status: int,
        body: bytes,
        headers: dict[str, str],
    ) -> None:
        headers["Date"] = format_datetime(self.moment.replace(tzinfo=UTC), usegmt=True)
        if status == 200 and "gzip" in asked.headers.get("accept-encoding", ""):
            body = gzip.compress(body, mtime=0)
            headers["Content-Encoding"] = "gzip"
        if status != 304:
            headers["Content-Length"] = str(len(body))
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        writer.write(f"HTTP/1.1 {status} Whatever\r\n{head}\r\n".encode() + body)


class _Everything(dict[str, lb.Behaviour]):
    """Routes that send every path to one behaviour."""

    def __init__(self, behaviour: lb.Behaviour) -> None:
        super().__init__()
        self._behaviour = behaviour

    def get(self, key: str, default: Any = None) -> lb.Behaviour:  # type: ignore[override]
        return self._behaviour


def fields_of(asked: lb.Asked, query: str) -> dict[str, str]:
    """Return what a request asks for, wherever it says so."""
    found = dict(parse_qsl(query, keep_blank_values=True))
    if not asked.body:
        return found
    if "json" in asked.headers.get("content-type", ""):
        said = json.loads(asked.body)
        return found | {k: v if isinstance(v, str) else json.dumps(v) for k, v in said.items()}
    return found | dict(parse_qsl(asked.body.decode(), keep_blank_values=True))


def fits(wanted: Mapping[str, str], fields: Mapping[str, str]) -> bool:
    """Return whether the fields are those wanted, no more and no fewer."""
    return wanted.keys() == fields.keys() and all(
        value.strip(ANY) in fields[name] if value[:1] == ANY else value == fields[name]
        for name, value in wanted.items()
    )


@contextmanager
def deaf() -> Iterator[str]:
    """Give an address that takes no connection: its queue is full and nobody serves it."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as one:
        waiting = []
        for _ in range(4):
            waiting.append(socket.socket())
            waiting[-1].setblocking(False)
            waiting[-1].connect_ex(one.getsockname())
        yield f"http://127.0.0.1:{one.getsockname()[1]}/"
        for each in waiting:
            each.close()
