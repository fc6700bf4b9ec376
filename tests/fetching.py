"""What the tests of the fetcher share: a source, a way to read it, what came of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from collectors.base import Parsed, Source, single_get
from collectors.fetch import Job, Limits, SourceResult, collect
from tests import loopback as lb

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
QUICK = Limits(backoff_seconds=0.01, contact="https://example.org/contact")
GOOD = b'{"prices": [1, 2, 3]}'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
MIB = 2**20


def make_source(name: str = "acme", **changes: Any) -> Source:
    fields: dict[str, Any] = {
        "id": name,
        "kind": "tokens",
        "url": "https://unused.example/",
        "parse": lambda capture: Parsed(),
        "requests": single_get,
        "tier": "E2",
        "code_licence": "n/a",
        "data_right": "n/a",
        "terms": "n/a",
        "deadline_seconds": 5.0,
    }
    return Source(**(fields | changes))


def read(
    url: str, source: Source | None = None, limits: Limits = QUICK, **job: Any
) -> SourceResult:
    task = Job(source or make_source(), url=url, **job)
    [result] = collect([task], 20, now=lambda: NOON, limits=limits)
    return result


def outcome(result: SourceResult) -> str:
    return result.error.reason if result.error else "OK"


def served(behaviour: lb.Behaviour, **source: Any) -> SourceResult:
    with lb.Server({"/p": behaviour}) as server:
        return read(f"{server.url}/p", make_source(**source))


CANARY = "sk-canary-0123456789"
