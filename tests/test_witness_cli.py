"""`spotfix witness`: what it prints, what it keeps, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from index.cli import app
from index.config import Settings
from index.ledger.lock import PublisherLock
from index.publication.keys import PemSigner, PublicKey, create_pem
from index.publication.note_text import NOTE, SUBTREE, vkey
from index.publication.notes import verify_checkpoint
from tests import loopback as lb
from tests.foreign_logs import ORIGIN, Grown, grown
from tests.published_trees import ORIGIN as TREE
from tests.published_trees import Published, make_tree


@pytest.fixture
def key(tmp_path: Path) -> Path:
    create_pem(tmp_path / "venue.pem")
    return tmp_path / "venue.pem"


@pytest.fixture
def vkeys(tmp_path: Path) -> list[str]:
    keys = grown(1).keys
    (tmp_path / "pq.vkey").write_text(vkey(keys.log_pq.public, SUBTREE) + "\n", "ascii")
    return ["--log-key", vkey(keys.log.public, NOTE), "--log-key", str(tmp_path / "pq.vkey")]


def public(key: Path) -> PublicKey:
    return PemSigner(key, name="venue", purpose="witness").public


def call(key: Path, *words: object) -> Any:
    state = key.parent / "state"
    given = ["witness", "--key", str(key), "--state", str(state), *map(str, words)]
    return CliRunner().invoke(app, given)


def routes(log: Grown) -> dict[str, lb.Behaviour]:
    return {f"/log/{name}": lb.reply(body) for name, body in log.files.items()}


def test_a_log_over_http_is_cosigned_then_followed_then_found_forked(
    key: Path, vkeys: list[str]
) -> None:
    log = grown(20)
    with lb.Server(routes(log)) as server:
        words = ["--log", f"{server.url}/log", "--once", *vkeys]
        first = call(key, *words)
        assert first.exit_code == 0, first.output
        checked = verify_checkpoint(first.stdout.encode(), [*log.keys.public, public(key)])
        assert [who for who, _ in checked.cosigned] == [public(key).id]
        assert "witness venue+" in first.stderr

        server.routes = routes(log.grow([b"one more"]))
        told = json.loads(call(key, *words, "--json").stdout)
        assert (told["origin"], told["size"]) == (ORIGIN, 21)

        server.routes = routes(grown(22, word="fork"))
        forked = call(key, *words)
        assert (forked.exit_code, forked.stdout) == (20, "")
        assert "the log was forked" in forked.stderr
        assert list((key.parent / "state").glob("*.evidence-22-*"))


def test_at_first_sight_the_keys_are_those_the_log_names_and_are_kept(
    key: Path, small_ledger: Settings, tmp_path: Path
) -> None:
    tree: Published = make_tree(small_ledger.ledger, tmp_path / "tree")
    words = ["--log", tree.out / "site" / "log", "--once"]
    first = call(key, *words)
    assert first.exit_code == 0, first.output
    assert f"first sight of {TREE}: its keys are kept" in first.stderr
    kept = json.loads((tmp_path / "state" / "log-keys.json").read_bytes())
    assert len(kept[TREE]) == 2
    assert "first sight" not in call(key, *words).stderr


def test_a_log_that_does_not_answer_is_worth_another_try(key: Path, vkeys: list[str]) -> None:
    with lb.Server({}) as gone:
        url = gone.url
    assert call(key, "--log", f"{url}/log", "--once", *vkeys).exit_code == 75


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        ([], 2, "name the log with --log"),
        (["--serve", "127.0.0.1:0"], 2, "name the log with --log"),
        (["--log", "nowhere", "--once"], 2, "neither an address nor the folder"),
        (["--log", "http://index.example/log", "--once"], 2, "plain http"),
        (["--log", "x", "--serve", "127.0.0.1:0", "--once"], 2, "give one of them"),
    ],
    ids=["no_log", "no_key_of_the_log", "no_folder", "plain_http", "both"],
)
def test_a_word_that_cannot_be_used(key: Path, words: list[str], code: int, why: str) -> None:
    result = call(key, *words)
    assert (result.exit_code, why in result.stderr) == (code, True)


def test_the_keys_of_another_log_are_refused(key: Path, tmp_path: Path) -> None:
    other = grown(3, "example.org/other").keys
    for name, body in grown(3).files.items():
        path = tmp_path / "log" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    result = call(
        key, "--log", tmp_path / "log", "--once", "--log-key", vkey(other.log.public, NOTE)
    )
    assert (result.exit_code, "this log is example.org/log" in result.stderr) == (2, True)


def test_a_private_key_that_others_can_read_signs_nothing(key: Path, vkeys: list[str]) -> None:
    key.chmod(0o644)
    with lb.Server(routes(grown(3))) as server:
        result = call(key, "--log", f"{server.url}/log", "--once", *vkeys)
    assert (result.exit_code, "chmod 600" in result.stderr) == (3, True)


def test_two_witnesses_never_share_a_state(key: Path, vkeys: list[str]) -> None:
    with (
        lb.Server(routes(grown(3))) as server,
        PublisherLock(key.parent / "state" / "witness.lock"),
    ):
        result = call(key, "--log", f"{server.url}/log", "--once", *vkeys)
    assert result.exit_code == 75
