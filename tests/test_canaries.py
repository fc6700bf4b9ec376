"""Canary secrets: placed wherever a key or a server can put one, and then looked for everywhere.

One round of live collection and a published day through the commands, against a loopback server
that gives the keys back in every way it can; then every byte that was written or printed is read.
"""

from __future__ import annotations

import base64
import logging
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from collectors import panel
from collectors.archive import Archive
from tests import live_world as lw
from tests import loopback as lb
from tests.offline import plain_environment

ROOT = Path(__file__).resolve().parents[1]

ENV_KEY = "sk-canary-env-0123456789abcdef"
FILE_KEY = "sk-canary-file-fedcba9876543210"
BAD_KEY = "sk-canary-bad key-13579"
COOKIE = "canary-cookie-24680"
QUERY = "canary-query-97531"
HEADER = "canary-header-86420"
BODY = "canary-body-11223344"
CANARIES = (ENV_KEY, FILE_KEY, BAD_KEY, COOKIE, HEADER)
"""What must be found nowhere. A query is part of a source's address and a body is its statement:
both are kept on purpose, in the archive, and only there."""

RUN = """
import logging, sys
logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
import structlog
structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
from tests import live_world, offline
from index import replay, schedule, shop
from datetime import datetime
offline.close_the_door()
for module in (shop, replay):
    module.load_definitions = live_world.few_indices
at = datetime.fromisoformat(sys.argv.pop(1))
schedule.utc_now = lambda: at
from index.cli import main
main()
"""


def failing(key: str) -> dict[str, lb.Behaviour]:
    """Every way to fail that lets a server speak, each with the key in its words."""
    word = key.encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    gone = b"Content-Length: 0\r\n\r\n"
    return {
        "SECRET_ECHOED": lb.reply(b'{"you": "' + word + b'"}'),
        "SECRET_ECHOED base64": lb.reply(base64.b64encode(b"Bearer " + word)),
        "HTTP_STATUS": lb.raw(b"HTTP/1.1 404 " + word + b"\r\nX: " + word + b"\r\n" + gone),
        "HTTP_STATUS 429": lb.raw(b"HTTP/1.1 429 x\r\nRetry-After: " + word + b"\r\n" + gone),
        "REDIRECT_REFUSED": lb.reply(status=302, location=f"https://{key}.example/{key}?{key}"),
        "REDIRECT_REFUSED inside": lb.reply(status=302, location=f"/x?key={key}"),
        "CONTENT_TYPE": lb.reply(word, content_type=key),
        "CONTENT_TYPE charset": lb.reply(word, content_type=f"application/json; charset={key}"),
        "BAD_ENCODING": lb.reply(word, content_encoding=key),
        "PROTOCOL": lb.raw(word + b"\r\n\r\n"),
        "PROTOCOL header": lb.raw(head + word + b" : x\0\r\n\r\n"),
        "PROTOCOL chunk": lb.raw(head + b"Transfer-Encoding: chunked\r\n\r\n" + word + b"\r\n"),
        "STALE_RESPONSE": lb.reply(b"{}", age=key),
        "TRUNCATED": lb.raw(head + b"Content-Length: 999\r\n\r\n" + word),
        "CONNECT": lb.reset(),
        "TIMEOUT": lb.drip(head, b"X-A: " + word + b"\r\n", 0.05),
        "OK": lb.reply(lw.GENAI, etag=f'"{key}"', last_modified=key, set_cookie=key),
    }


def read_all(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder, packed bodies also unpacked."""
    found = {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    archive = Archive(folder / "raw")
    for entry in archive.entries():
        found[f"body {entry.sha256}"] = archive.get(entry.sha256)
    return found


def seen_in(everything: Mapping[str, bytes]) -> list[tuple[str, str]]:
    return [
        (canary, name)
        for name, data in everything.items()
        for canary in CANARIES
        if canary.lower().encode() in data.lower() or canary.encode("utf-16-le") in data
    ]


def command(out: Path, env: Mapping[str, str], at: str, *words: str) -> bytes:
    """Run one command in a process of its own; return all it printed and logged."""
    done = subprocess.run(
        [sys.executable, "-c", RUN, at, *words, "--out", str(out)],
        cwd=ROOT,
        env=plain_environment(PYTHONPATH=str(ROOT), **env),
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr[-3000:]
    return done.stdout + b"\n" + done.stderr


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], list[lb.Asked]]:
    """Everything that two rounds, a published day and the commands on it wrote and printed."""
    out = tmp_path_factory.mktemp("canary")
    file = out.parent / "canary-key-file"
    file.write_text(FILE_KEY + "\n")
    file.chmod(0o600)
    routes = lw.healthy()
    routes["/litellm"] = lb.reply(lw.litellm(), set_cookie=COOKIE, x_canary=HEADER, etag='"1"')
    routes["/openrouter_activity"] = lb.reply(b'{"you": "' + ENV_KEY.encode() + b'"}')
    routes["/gcp_list"] = lb.reply(status=302, location=f"https://{FILE_KEY}.example/")
    env = {
        "OPENROUTER_API_KEY": ENV_KEY,
        "GCP_API_KEY_FILE": str(file),
        "SPOTFIX_ALLOW_LOOPBACK": "true",
        "SPOTFIX_ALLOW_DEMO_LIVE": "true",
        "SPOTFIX_DEADLINE_SECONDS": "20",
    }
    printed: dict[str, bytes] = {}
    with lb.Server(routes) as server:
        on = {*lw.PATHS, "openrouter_activity", "gcp_list"}
        for source in panel.SOURCES:
            env[f"SPOTFIX_SOURCES__{source}__ENABLED"] = str(source in on).lower()
            if source in on:
                env[f"SPOTFIX_SOURCES__{source}__URL"] = f"{server.url}/{source}?q={QUERY}"
        for number, (at, words) in enumerate(
            [
                ("2026-08-12T07:30:00", ("run", "--live", "--json")),
                ("2026-08-12T19:30:00", ("run", "--live")),
                ("2026-08-12T22:30:00", ("run", "--live", "--json")),
                ("2026-08-12T22:31:00", ("sources", "--json")),
                ("2026-08-12T22:31:00", ("doctor", "--json")),
                ("2026-08-12T22:31:00", ("config", "show", "--json")),
            ]
        ):
            if number == 1:
                bad = {**env, "OPENROUTER_API_KEY": BAD_KEY}
                printed[f"{number} {words}"] = command(out, bad, at, *words)
                continue
            printed[f"{number} {words}"] = command(out, env, at, *words)
        asked = list(server.asked)
    return {**read_all(out), **printed}, asked


def test_the_keys_were_sent_to_their_servers(
    written: tuple[dict[str, bytes], list[lb.Asked]],
) -> None:
    _, asked = written
    values = {value for one in asked for value in one.headers.values()}
    assert any(ENV_KEY in value for value in values)
    assert any(FILE_KEY in value for value in values)
    assert not any(COOKIE in value for value in values)


def test_no_canary_stands_in_any_byte_written_or_printed(
    written: tuple[dict[str, bytes], list[lb.Asked]],
) -> None:
    everything, _ = written
    assert len(everything) > 40
    assert any(name.endswith(".duckdb") for name in everything)
    assert any("captures.jsonl" in name for name in everything)
    assert seen_in(everything) == []


def test_the_failures_are_told_all_the_same(
    written: tuple[dict[str, bytes], list[lb.Asked]],
) -> None:
    everything, _ = written
    first = next(data for name, data in everything.items() if name.startswith("0 "))
    for code in (b"SECRET_ECHOED", b"REDIRECT_REFUSED"):
        assert code in first
    second = next(data for name, data in everything.items() if name.startswith("1 "))
    assert b"BAD_KEY" in second


def test_the_search_would_find_one(tmp_path: Path) -> None:
    (tmp_path / "note").write_bytes(b"x" + ENV_KEY.upper().encode())
    assert seen_in(read_all(tmp_path)) == [(ENV_KEY, str(tmp_path / "note"))]


def test_no_reason_code_shows_the_key_that_a_server_gave_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Each way to fail beside the others, with every logger at its most talkative."""
    from collectors.fetch import Job, Limits, Secret, collect
    from tests.fetching import NOON, make_source, outcome

    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore", "h11", "asyncio", "structlog"):
        logging.getLogger(name).setLevel(logging.DEBUG)
    ways = failing(ENV_KEY)
    archive = Archive(tmp_path / "raw")
    with lb.Server({f"/{n}": way for n, way in enumerate(ways.values())}) as server:
        jobs = [
            Job(
                make_source(
                    f"s{n}", auth_env="K", deadline_seconds=2.0 if way == "TIMEOUT" else 40.0
                ),
                f"http://h{n}.test:{server.port}/{n}",
                secret=Secret(ENV_KEY),
            )
            for n, way in enumerate(ways)
        ]
        results: list[Any] = collect(
            jobs,
            60,
            archive=archive.put,
            now=lambda: NOON,
            limits=Limits(allow_loopback=True, backoff_seconds=0.01),
            resolve=lambda host, port: ["127.0.0.1"],
        )
        assert all(ENV_KEY not in path for path in server.paths())
    assert [outcome(one) for one in results] == [name.partition(" ")[0] for name in ways]
    shown = capfd.readouterr()
    told = repr(results) + "".join(str(one.error) for one in results)
    everything = {
        **read_all(tmp_path),
        "results": told.encode(),
        "log": caplog.text.encode(),
        "printed": (shown.out + shown.err).encode(),
        "threads": repr(os.environ.get("K")).encode(),
    }
    assert seen_in(everything) == []
