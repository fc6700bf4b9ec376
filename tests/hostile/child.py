"""Read the whole table in one run of the collector, and tell what came of it as JSON.

A process of its own, so that its peak memory and every connection it makes are the collector's.
"""

from __future__ import annotations

import faulthandler
import gc
import hashlib
import json
import logging
import sys
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

from collectors import panel
from collectors.base import Capture, Request
from collectors.fetch import Job, Limits, Secret, collect, tls_context
from collectors.held import Held
from methodology.errors import ParseError
from tests.fetching import CANARY, NOON, make_source
from tests.hostile.table import ROWS, Row
from tests.memory import peak_mib

DEADLINE = 12.0
SHORT = 4.0
"""The deadline of rows that must run into it; a busy machine has more for the others."""

HEALTHY_PAGES = 10


class Stock:
    """What the archive would hold for the rows that ask conditionally."""

    def __init__(self) -> None:
        self._bodies = {row.name: row.held for row in ROWS if row.held is not None}

    def find(self, source: str, url: str) -> Held | None:
        body = self._bodies.get(source)
        if body is None:
            return None
        return Held(hashlib.sha256(body).hexdigest(), len(body), '"v1"', None)

    def body(self, held: Held) -> bytes | None:
        found = self._bodies.values()
        return next(b for b in found if b and hashlib.sha256(b).hexdigest() == held.sha256)


def host_of(row: Row) -> str:
    return f"{row.name.replace('_', '-')}.{'tls' if row.scheme == 'https' else 'plain'}.test"


def healthy_pages(base: str) -> Generator[Request, Capture, None]:
    for number in range(HEALTHY_PAGES):
        yield Request(f"{base}?{number}")


def parse_verdict(capture: Capture) -> str:
    """What the parser of a real source, a strict one, makes of a body."""
    parse = panel.load("models_dev").parse
    try:
        found = parse(Capture("models_dev", capture.url, capture.body, capture.fetched_at))
    except ParseError as problem:
        return problem.reason
    return "REJECTED" if found.rejections.height else "OK"


def main() -> None:
    ports: dict[str, int] = json.loads(sys.argv[1])
    logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
    faulthandler.dump_traceback_later(30, exit=True)  # a run that hangs says where
    by_host = {host_of(row): row for row in ROWS}
    looked_up: dict[str, int] = {}
    connected: list[Any] = []
    ended: dict[str, float] = {}
    kept: dict[str, int] = {}

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "socket.connect":
            connected.append(list(arguments[1]))
        elif event == "socket.getaddrinfo" and arguments[0] not in ("127.0.0.1", "127.0.0.9"):
            connected.append(["looked up", str(arguments[0])])

    sys.addaudithook(watch)

    def resolve(host: str, port: int) -> list[str]:
        turn = looked_up[host] = looked_up.get(host, 0) + 1
        row = by_host.get(host)
        answers = row.answers if row else (("127.0.0.1",),)
        answer = answers[min(turn, len(answers)) - 1]
        if isinstance(answer, OSError):
            raise answer
        if isinstance(answer, float):
            time.sleep(answer)
            return []
        return list(answer)

    def keep(capture: Capture) -> None:
        ended[capture.source] = time.monotonic() - begun
        kept[capture.source] = kept.get(capture.source, 0) + 1

    jobs = [
        Job(
            make_source(
                row.name,
                deadline_seconds=SHORT if row.verdict == "TIMEOUT" else DEADLINE,
                **row.source,
            ),
            f"{row.scheme}://{host_of(row)}:{ports[row.server]}/{row.name}",
            secret=Secret(CANARY) if row.has_key else None,
        )
        for row in ROWS
    ]
    well = make_source("healthy", requests=healthy_pages, deadline_seconds=DEADLINE)
    jobs.append(Job(well, f"http://healthy.test:{ports['healthy']}/healthy"))
    gc.collect()
    begun = time.monotonic()
    results = collect(
        jobs,
        60,
        archive=keep,
        known=Stock(),
        now=lambda: NOON,
        limits=Limits(allow_loopback=True, backoff_seconds=0.05),
        resolve=resolve,
        tls=tls_context(sys.argv[2]),
    )
    took = time.monotonic() - begun
    told: dict[str, Any] = {}
    for result in results:
        row = by_host.get(f"{result.source.replace('_', '-')}.plain.test")
        verdict = result.error.reason if result.error else "OK"
        if verdict == "OK" and row is not None and row.verdict.startswith("parse:"):
            verdict = f"parse:{parse_verdict(result.captures[0])}"
        told[result.source] = {
            "verdict": verdict,
            "detail": result.error.detail if result.error else "",
            "bodies": [capture.body.decode("latin-1")[:100] for capture in result.captures],
            "headers": [dict(capture.headers) for capture in result.captures],
            "attempts": result.attempts,
        }
    out = {
        "told": told,
        "took": took,
        "healthy": ended.get("healthy"),
        "kept": kept,
        "peak_mib": peak_mib(),
        "connected": connected,
        "looked_up": looked_up,
    }
    Path(sys.argv[3]).write_text(json.dumps(out))


if __name__ == "__main__":
    main()
