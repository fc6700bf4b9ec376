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
import resource
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
from collectors.gpus import scaleway, vast
from collectors.tokens import mistral_docs
from collectors.volumes import vercel_leaderboard
from index import collecting, config, guarding, liverun, replay, shop
from index.config import Settings
from tests import live_world as lw
from tests import loopback as lb
from tests.offline import close_the_door, plain_environment

ROOT = Path(__file__).resolve().parents[1]
PAYLOADS = ROOT / "tests" / "payloads"

MORNING = datetime(2026, 11, 20, 7, 30)
EVENING = datetime(2026, 11, 20, 23, 30)
"""After the final print of NYC (21:00 UTC in winter, plus two hours)."""

CHANGED = "Thu, 19 Nov 2026 06:00:00 GMT"
ROBOTS = b"User-agent: *\nDisallow: /account/\n"

ANY = "*"
"""As the value of a field: any, but it must be there; ``*words*``: any that holds the words."""

Made = Callable[[bytes, str], bytes]
"""``made(body, address)``: what is sent in place of a stored body by the server at ``address``."""


class Page(NamedTuple):
    """One answer: a body of the source's folder, and exactly what must be asked for it.

    ``below`` follows the path of the source's address; ``asks`` are the fields of the query, of a
    form or of a JSON object, each as text.
    """

    file: str
    below: str = ""
    asks: Mapping[str, str] = {}
    made: Made = lambda body, address: body
    method: str = "GET"


# --- bodies that are made of stored ones ---------------------------------------------------------


def part(number: int, key: str, **fields: Any) -> Made:
    """Return how a list under ``key`` is cut in two pages; ``$`` in a text is the address."""

    def cut(body: bytes, address: str) -> bytes:
        told = json.loads(body)
        middle = len(told[key]) // 2 + 1
        told[key] = told[key][:middle] if number == 1 else told[key][middle:]
        if not told[key]:
            raise ValueError(f"{key} is too short to be cut in two")
        more = json.loads(json.dumps(fields).replace("$$", address))
        return json.dumps(told | more).encode()

    return cut


def with_words(**words: str) -> Made:
    """Return how texts of a body are put in the place of others; each must be there."""

    def change(body: bytes, address: str) -> bytes:
        for old, new in words.items():
            if old.encode() not in body:
                raise ValueError(f"{old!r} is not in the body")
            body = body.replace(old.encode(), new.encode())
        return body

    return change


def machines_of(name: str) -> Made:
    """Return how the marketplace's machines are those of one name, as it filters them."""
    low = min(bounds[0] for bounds in vast.MEMORY[name].values())

    def keep(body: bytes, address: str) -> bytes:
        offers = json.loads(body)["offers"]
        own = [one for one in offers if one["gpu_name"] == name]
        lent = [one | {"gpu_name": name, "gpu_ram": low} for one in offers[:2]]
        return json.dumps({"offers": own or lent}).encode()

    return keep


def endpoints_of(model: str) -> Made:
    return with_words(**{"deepseek/deepseek-v3.2": model})


def shifted(body: bytes, address: str) -> bytes:
    """Return the month's view as of the day before the round; it refuses what is older."""
    days = sorted({row["date"] for row in json.loads(body)["data"]})
    last = datetime.fromisoformat(days[-1])
    for day in days:
        moved = datetime.fromisoformat(day) + (datetime(2026, 11, 19) - last)
        body = body.replace(day.encode(), moved.isoformat(" ").encode())
    return body


AZURE_NEXT = "$$/api/retail/prices?%24filter={}&%24skip=1000"
LIST = {"per_page": "500"}


def two_pages(file: str, good: str) -> tuple[Page, ...]:
    """Return Azure's list of one good on two pages, the second behind the first one's link."""
    link, first = AZURE_NEXT.format(good), {"$filter": f"*{good}*", "currencyCode": "USD"}
    return (
        Page(file, asks=first, made=part(1, "Items", NextPageLink=link)),
        Page(file, asks={"$filter": good, "$skip": "1000"}, made=part(2, "Items")),
    )


def mistral() -> Iterator[Page]:
    own = {path.name.split(".", 1)[1]: path.name for path in folder_of("mistral_docs").iterdir()}
    for slug in mistral_docs.MODELS:
        if f"{slug}.ts" in own:
            yield Page(own[f"{slug}.ts"], f"/{slug}.ts")
            continue
        words = with_words(**{"slug: 'mistral-large-4-0'": f"slug: '{slug}'"})
        yield Page("2026-10-06.mistral-large-4-0.ts", f"/{slug}.ts", made=words)


def folder_of(source_id: str) -> Path:
    return PAYLOADS / panel.SOURCES[source_id].module.rpartition(".")[2]


TABLE: dict[str, Callable[[], Sequence[Page]]] = {
    "aws_bedrock": lambda: [
        Page(f"{day}.{offer}.json", f"/{offer}/current/us-east-1/index.json")
        for day, offer in (
            ("2026-09-11", "AmazonBedrock"),
            ("2026-09-30", "AmazonBedrockFoundationModels"),
        )
    ],
    "aws_list": lambda: [Page("index.csv")],
    "azure_openai": lambda: two_pages("2026-08-01.json", "Foundry"),
    "azure_retail": lambda: two_pages("page.json", "Machines"),
    "cfets": lambda: [
        Page(
            "2026-10-03.json",
            asks={
                "startDate": ANY, "endDate": ANY, "currency": "USD/CNY", "pageNum": "1",
                "pageSize": ANY,
            },
            method="POST",
        )
    ],
    "digitalocean": lambda: [
        Page(
            "2025-08-29.json",
            asks={"per_page": "200", "page": "1"},
            made=part(1, "sizes", links={"pages": {"next": "$$/v2/sizes?page=2"}}),
        ),
        Page("2025-08-29.json", asks={"per_page": "200", "page": "2"}, made=part(2, "sizes")),
    ],
    "ecb": lambda: [Page("eurofxref-daily.xml")],
    "fireworks": lambda: [
        Page("2026-10-06.json", made=part(1, "data", nextPageToken="2")),
        Page("2026-10-06.json", asks={"pageToken": "2"}, made=part(2, "data")),
    ],
    "gcp_list": lambda: [
        Page("page1.json", asks={"pageSize": "5000", "currencyCode": "USD"}),
        Page(
            "page2.json", asks={"pageSize": "5000", "currencyCode": "USD", "pageToken": "PAGE-2"}
        ),
    ],
    "gpurentalprices": lambda: [
        Page("2026-08-02.json", made=lambda *_: lw.gpus(f"{MORNING:%Y-%m-%d}"))
    ],
    "hyperstack": lambda: [
        Page("2026-11-21.pricebook.json", "/pricebook"),
        Page("2026-11-21.stocks.json", "/core/stocks"),
    ],
    "litellm": lambda: [Page("2026-11-19.json")],
    "mistral_docs": lambda: list(mistral()),
    "modelpricewatch": lambda: [Page("2026-08-22.json")],
    "models_dev": lambda: [Page("2026-08-12.api.json", made=lambda *_: lw.models_dev())],
    "novita": lambda: [Page("2026-10-09.json")],
    "oci": lambda: [Page("2026-09-06.json", asks={"currencyCode": "USD"})],
    "openrouter_activity": lambda: [Page("rankings-daily.json")],
    "openrouter_endpoints": lambda: [
        Page("2026-08-07.deepseek-v3.2.json", f"/models/{one}/endpoints", made=endpoints_of(one))
        for one in collecting._open_models()
    ],
    "openrouter_providers": lambda: [Page("2026-11-21.documented.json")],
    "openrouter_rankings_month": lambda: [
        Page("2026-08-05.json", asks={"view": "month"}, made=shifted)
    ],
    "primeintellect": lambda: [
        Page("2026-11-21.documented.json", asks={"page": "1", "page_size": "100"})
    ],
    "runpod": lambda: [Page("2026-07-18.json", asks={"query": ANY}, method="POST")],
    "scaleway": lambda: [
        Page("2026-10-01.json", f"/{zone}/products/servers", {"per_page": "100", "page": "1"})
        for zone in scaleway.ZONES
    ],
    "vast": lambda: [
        Page(
            "2026-02-27.json",
            asks={
                "gpu_name": f'{{"eq": "{name}"}}', "rentable": '{"eq": true}',
                "rented": '{"eq": false}', "verified": '{"eq": true}', "type": "on-demand",
                "order": '[["dph_total", "asc"]]',
            },
            made=machines_of(name),
            method="POST",
        )
        for name in vast.NAMES
    ],
    "vercel_leaderboard": lambda: [
        Page(
            "2026-09-15.models.json",
            asks={"dataset": name, "modality": "text", "format": "json"},
            made=with_words(**{'"dataset":"models"': f'"dataset":"{name}"'}),
        )
        for name in vercel_leaderboard.DATASETS
    ],
    "verda": lambda: [Page("2026-08-14.json", asks={"currency": "usd"})],
    "volcengine": lambda: [Page("2026-09-21.json", asks={"DocumentID": "1544106"})],
    "vultr": lambda: [
        Page(
            "2025-01-08.plans.json",
            "/plans",
            {"type": "all", **LIST},
            part(1, "plans", meta={"total": 3, "links": {"next": "bmV4dA==", "prev": ""}}),
        ),
        Page(
            "2025-01-08.plans.json",
            "/plans",
            {"type": "all", **LIST, "cursor": "bmV4dA=="},
            part(2, "plans"),
        ),
        Page("2026-09-17.plans-metal.json", "/plans-metal", LIST),
    ],
}  # fmt: skip
"""Sources that ask for more than their one address, or whose folder holds several bodies.

The stored bodies of models.dev and gpurentalprices.com name too few sellers for a number; both are
answered with the market of ``tests/live_world.py``.
"""


def live() -> list[Source]:
    """Return every source of the panel that answers over a network, those switched off too."""
    return [source for source in panel.load_all() if source.is_live]


def pages_of(source_id: str) -> Sequence[Page]:
    """Return what the server answers for one source: by the table, else its folder's one body."""
    if source_id in TABLE:
        return TABLE[source_id]()
    [only] = (path.name for path in folder_of(source_id).iterdir())
    return [Page(only)]


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
    given: dict[str, Any] = {"deadline_seconds": 30.0, **flags}
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


def queued() -> float:
    """Return how long the main thread has been ready and waited for a processor, in seconds."""
    stat = Path(f"/proc/self/task/{os.getpid()}/schedstat")
    return int(stat.read_text().split()[1]) / 1e9 if stat.is_file() else 0.0


class Watch:
    """Stands where the collector is called: its clock runs, so that each result has its time.

    A round dates all its bodies with one moment; here only the results' own times run on.
    ``queued_seconds`` is what a busy machine, and not the collector, added after the deadline.
    """

    def __init__(self) -> None:
        self.results: dict[str, dict[str, Any]] = {}
        self.seconds = 0.0
        self.queued_seconds = 0.0

    def __call__(
        self,
        jobs: Sequence[fetch.Job],
        seconds: float,
        *,
        archive: Callable[[Capture], object],
        now: Callable[[], datetime],
        **more: Any,
    ) -> list[fetch.SourceResult]:
        marks: list[float] = []
        timer = threading.Timer(seconds - 0.1, lambda: marks.append(queued()))
        timer.daemon = True
        timer.start()
        moment, begun = now(), time.monotonic()
        found = fetch.collect(
            jobs,
            seconds,
            archive=lambda one: archive(replace(one, fetched_at=moment)),
            now=lambda: moment + timedelta(seconds=time.monotonic() - begun),
            **more,
        )
        self.seconds = time.monotonic() - begun
        timer.cancel()
        self.queued_seconds = queued() - marks[0] if marks else 0.0
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
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    told = {
        "seconds": time.monotonic() - begun,
        "cpu_seconds": time.process_time(),
        "collect_seconds": watch.seconds,
        "queued_seconds": watch.queued_seconds,
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
