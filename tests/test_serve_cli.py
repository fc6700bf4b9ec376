"""``spotfix serve``, ``spotfix replay`` and ``spotfix clients``, as commands of their own."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from index.cli import app
from index.config import Settings
from tests.offline import plain_environment
from tests.sse import ask

COMMAND = [sys.executable, "-m", "index"]
ROOT = Path(__file__).resolve().parents[1]


@dataclass
class Done:
    """What a command wrote."""

    stdout: str
    stderr: str


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Run a command in this process: what it wrote, once its exit code is as expected."""

    def run(*words: str, code: int = 0) -> Done:
        with pytest.raises(SystemExit) as left:
            app(args=list(words))
        done = Done(*capsys.readouterr())
        assert (left.value.code or 0) == code, done.stderr
        return done

    return run


@contextmanager
def running(*words: str) -> Iterator[tuple[dict[str, Any], subprocess.Popen[str]]]:
    """A server as a process; yields the JSON it says once it listens."""
    process = subprocess.Popen(
        [*COMMAND, *words, "--port", "0", "--json"], cwd=ROOT, env=plain_environment(),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        text = process.stdout.readline()
        while text and not text.rstrip().endswith("}"):
            text += process.stdout.readline()
        assert text, process.communicate()[1]
        yield json.loads(text), process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_a_served_ledger_answers_streams_and_ends_whole_on_sigterm(small_ledger: Settings) -> None:
    async def read(port: int, process: subprocess.Popen[str]) -> tuple[list[int], bytes]:
        async with (
            ask(port, "/v1/stream?after=-1") as answer,
            ask(port, "/v1/status") as status,
        ):
            assert status.status == 200
            seen = [int(event["id"]) for event in await answer.take(40)]
            process.send_signal(signal.SIGTERM)
            return seen, await answer.body()

    with running("serve", "--out", str(small_ledger.out)) as (told, process):
        seen, rest = asyncio.run(read(told["port"], process))
        assert seen == list(range(40))
        assert rest.endswith(b": the server is stopping; resume with Last-Event-ID\n\n")
        assert process.wait(timeout=20) == 0
        assert process.stderr is not None
        lines = [line for line in process.stderr.read().splitlines() if line.startswith("{")]
        assert [json.loads(line)["path"] for line in lines] == ["/v1/status", "/v1/stream"]


def test_without_anything_published_nothing_is_served(
    tmp_path: Path, said: Callable[..., Done]
) -> None:
    done = said("serve", "--out", str(tmp_path), "--port", "0", code=1)
    assert "nothing is published here" in done.stderr


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("--workers", "2", "--port", "0"), 3, "--workers 2"),
        (("--trusted-proxy", "ten"), 2, "--trusted-proxy"),
        (("--client-cert-header", "Client-Cert"), 2, "anybody could send it"),
        (("--client-cert-header", "Host", "--unix", "feed.sock"), 2, "such as Client-Cert"),
        (("--allow-origin", "desk.example"), 2, "--allow-origin: 'desk.example'"),
        (("--unix", "feed.sock", "--workers", "2", "--port", "1"), 3, "one worker"),
        (("--unix", "missing/feed.sock"), 3, "cannot listen there"),
        (("--tls-cert", "missing.pem"), 2, "go together"),
        (("--tls-cert", "missing.pem", "--tls-key", "missing.pem"), 3, "cannot be read"),
    ],
)
def test_what_cannot_be_served_is_told_before(
    small_ledger: Settings,
    said: Callable[..., Done],
    words: tuple[str, ...],
    code: int,
    told: str,
) -> None:
    assert told in said("serve", "--out", str(small_ledger.out), *words, code=code).stderr


def test_a_plan_is_printed_without_serving(
    small_ledger: Settings, said: Callable[..., Done]
) -> None:
    done = said(
        "replay", "--out", str(small_ledger.out), "--print-plan", "--faults", "gap,late",
        "--from", "2026-06-18", "--to", "2026-06-18", "--seed", "3",
    )  # fmt: skip
    plan = json.loads(done.stdout)
    assert plan["origin"] == "spotfix-dev/log/mock"
    assert sorted(one["fault"] for one in plan["faults"]) == ["gap", "late", "late"]


def test_keys_of_clients_from_the_first_to_the_last(
    tmp_path: Path, said: Callable[..., Done]
) -> None:
    out = ("--out", str(tmp_path))
    first = said("clients", "add", "acme", "--scopes", "read", *out)
    key = first.stdout.strip()
    assert key.startswith("spk_")
    assert key not in first.stderr
    second = json.loads(said("clients", "rotate", "acme", "--json", *out).stdout)
    assert second["key"] != key
    rows = json.loads(said("clients", "list", "--json", *out).stdout)
    assert [row["live"] for row in rows] == [True, True]
    assert key.rpartition("_")[2] not in json.dumps(rows)
    assert "acme" in said("clients", "list", *out).stdout
    ended = said("clients", "revoke", "acme", "--key", key[4:12], *out).stdout
    assert ended.strip() == key[4:12]
    name = "dns:feed.acme.example"
    assert said("clients", "certify", "acme", "dns:Feed.acme.example", *out).stdout.strip() == name
    assert name in said("clients", "list", *out).stdout
    assert json.loads(said("clients", "list", "--json", *out).stdout)[-1]["certificate"] == name
    left = said("clients", "certify", "acme", name, "--remove", "--json", *out).stdout
    assert json.loads(left) == {"client": "acme", "certificates": []}
    assert "client 'nobody'" in said("clients", "revoke", "nobody", *out, code=2).stderr
    assert "has passed" in said(
        "clients", "add", "late", "--expires", "2020-01-01", *out, code=2
    ).stderr  # fmt: skip
