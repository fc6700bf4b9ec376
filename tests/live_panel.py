"""The whole panel on one loopback server: each live source is answered with its own body.

Every host of the panel is a port of this machine, so that sources of one host share its slots and
its robots file as they do outside. The server is strict: it answers a URL, a method, fields and a
key that it knows, and nothing else. ``python -m tests.live_panel`` measures two rounds of it;
``python -m tests.live_panel child`` is such a round, in a process that may be killed.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from collectors import fetch, panel
from collectors.archive import Archive
from collectors.base import Capture, Source
from index import collecting, config, guarding, liverun, replay, shop
from index.config import Settings
from tests import live_world as lw
from tests import loopback as lb
from tests.live_bodies import ANY, EVENING, MORNING, Page, folder_of, pages_of
from tests.memory import peak_mib
from tests.offline import close_the_door, plain_environment

ROOT = Path(__file__).resolve().parents[1]

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


# --- rounds --------------------------------------------------------------------------------------


def settings(out: Path, addresses: Mapping[str, str], **flags: Any) -> Settings:
    """Return settings in which every live source is on, at these addresses, its terms accepted."""
    sources = {
        source: {"url": addresses[source], "accept_terms": True}
        if source in addresses
        else {"enabled": False}
        for source in panel.SOURCES
    }
    given: dict[str, Any] = {"deadline_seconds": 30.0, "allow_demo_live": True, **flags}
    return config.load(out=out, allow_loopback=True, sources=sources, **given)


def child(
    out: Path,
    addresses: Mapping[str, str],
    moment: datetime,
    *,
    deadline: float = 30.0,
    die: str = "",
) -> tuple[int, dict[str, Any]]:
    """Run one round in a process of its own; return how it ended and what it told.

    ``die`` is ``WHERE N``: at the N-th time it comes to WHERE it is killed, as by SIGKILL from
    outside: ``between`` two puts, ``body`` on disk but no line yet, ``torn`` line, ``book`` of the
    guards not yet written.
    """
    told = out.parent / "told.json"
    told.unlink(missing_ok=True)
    given = {
        "out": str(out),
        "addresses": dict(addresses),
        "moment": moment.isoformat(),
        "deadline": deadline,
        "die": die,
        "told": str(told),
    }
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.live_panel", "child"],
        cwd=ROOT,
        env=plain_environment(**keys()),
        input=json.dumps(given),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode not in (0, -signal.SIGKILL):
        raise AssertionError(done.stderr[-4000:])
    return done.returncode, json.loads(told.read_text()) if told.is_file() else {}


def _die_at(words: str) -> None:
    """Arrange that this process is killed at a place and time of its choosing."""
    where, _, number = words.partition(" ")
    left = [int(number)]

    def is_now() -> bool:
        left[0] -= 1
        return left[0] == 0

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    put, append = Archive.put, Archive._append

    def then_die(self: Archive, capture: Capture) -> str:
        found = put(self, capture)
        if is_now():
            die()
        return found

    def die_first(self: Archive, handle: int, line: bytes) -> None:
        if is_now():
            if where == "torn":
                os.write(handle, line[: len(line) // 2])
                os.fsync(handle)
            die()
        append(self, handle, line)

    if where == "between":
        Archive.put = then_die  # type: ignore[method-assign]
    elif where in ("body", "torn"):
        Archive._append = die_first  # type: ignore[method-assign]
    elif where == "book":
        guarding.replace_durably = lambda path, body: die()  # type: ignore[assignment]
    else:
        raise ValueError(words)


class Heart:
    """A thread that wakes every 20 ms and notes when it could not: how a busy machine held us."""

    BEAT = 0.02

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._missed: list[tuple[float, float]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            before = time.monotonic()
            time.sleep(self.BEAT)
            now = time.monotonic()
            self._missed.append((now - self._begun, now - before - self.BEAT))

    def missed(self, since: float = 0.0) -> float:
        """Return the seconds lost after ``since`` seconds; beats that come soon enough are none."""
        return sum(late for when, late in self._missed if when >= since and late > self.BEAT)

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()


class Watch:
    """Stands where the collector is called: its clock runs, so that each result has its time.

    A round dates all its bodies with one moment; here only the results' own times run on.
    ``held_seconds`` is what a busy machine, and not the collector, added in all; ``late_seconds``
    what it added after the deadline.
    """

    def __init__(self) -> None:
        self.results: dict[str, dict[str, Any]] = {}
        self.seconds = 0.0
        self.held_seconds = self.late_seconds = 0.0

    def __call__(
        self,
        jobs: Sequence[fetch.Job],
        seconds: float,
        *,
        archive: Callable[[Capture], object],
        now: Callable[[], datetime],
        **more: Any,
    ) -> list[fetch.SourceResult]:
        heart = Heart()
        moment, begun = now(), time.monotonic()
        found = fetch.collect(
            jobs,
            seconds,
            archive=lambda one: archive(replace(one, fetched_at=moment)),
            now=lambda: moment + timedelta(seconds=time.monotonic() - begun),
            **more,
        )
        self.seconds = time.monotonic() - begun
        heart.stop()
        self.held_seconds, self.late_seconds = heart.missed(), heart.missed(seconds - 0.1)
        for one in found:
            seen = self.results.setdefault(
                one.source, {"seconds": 0.0, "reason": None, "bodies": 0}
            )
            took = (one.finished_at - moment).total_seconds()
            seen["seconds"] = max(seen["seconds"], took)
            seen["bodies"] += len(one.captures)
            seen["reason"] = one.error.reason if one.error else seen["reason"]
            seen.setdefault("findings", []).extend(one.findings)
        return [
            replace(one, captures=tuple(replace(c, fetched_at=moment) for c in one.captures))
            for one in found
        ]


def run_child() -> None:
    """Do what :func:`child` wants, told on standard input."""
    given = json.loads(sys.stdin.read())
    close_the_door()
    if given["die"]:
        _die_at(given["die"])
    watch = Watch()
    collecting.collect = watch  # type: ignore[assignment]
    shop.load_definitions = replay.load_definitions = lw.few_indices
    mine = settings(Path(given["out"]), given["addresses"], deadline_seconds=given["deadline"])
    begun = time.monotonic()
    report = liverun.run_live(mine, datetime.fromisoformat(given["moment"]))
    peak = peak_mib()
    told = {
        "seconds": time.monotonic() - begun,
        "cpu_seconds": time.process_time(),
        "collect_seconds": watch.seconds,
        "held_seconds": watch.held_seconds,
        "late_seconds": watch.late_seconds,
        "peak_mib": peak,
        "results": watch.results,
        "failures": report.failures,
        "sources": report.sources,
        "root": report.root,
    }
    Path(given["told"]).write_text(json.dumps(told))


def figures(told: Mapping[str, Any], market: Market) -> str:
    """Return what a round took, in words."""
    counts = Counter(status for _, status in market.answered)
    by_status = dict(sorted(counts.items()))
    return (
        f"{told['sources']} sources, {sum(counts.values())} answers {by_status}: "
        f"collected in {told['collect_seconds']:.2f} s, the whole round {told['seconds']:.2f} s "
        f"({told['cpu_seconds']:.1f} s of processor with start-up), "
        f"peak {told['peak_mib']:.0f} MiB"
    )


def main() -> None:
    """Measure two rounds of the whole panel and print the figures."""
    with tempfile.TemporaryDirectory() as folder, Market() as market:
        for moment in (MORNING, EVENING):
            market.moment = moment
            market.answered.clear()
            _, told = child(Path(folder) / "out", market.addresses(), moment)
            print(f"{moment:%H:%M}  {figures(told, market)}")
            for one in told["failures"]:
                print(f"  {one['source']}: {one['reason']}: {one['detail']}")
        for one in market.unknown:
            print(f"  not known: {one}")


if __name__ == "__main__":
    run_child() if sys.argv[1:] == ["child"] else main()
