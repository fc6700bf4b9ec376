"""The store: what it refuses to serve, and how it follows a publisher that it knows nothing of."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from index.config import Settings
from index.feed.app import open_store
from index.ledger.tiles import Head, checkpoint_text
from index.publication.notes import sign_checkpoint
from methodology.errors import CoverageError, VerificationError
from tests import feed_tree
from tests import fixing_records as made
from tests.feed_tree import ONE, Tree, notice

LAST = "log/tile/entries/000.p/31"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    return feed_tree.shared(tmp_path_factory)


@pytest.fixture
def copy(whole: Tree, tmp_path: Path) -> Settings:
    """The published tree alone, without its ledger; one test may change it."""
    out = tmp_path / "out"
    for name in ("site", "drop", "data"):
        shutil.copytree(whole.settings.out / name, out / name)
    return whole.settings.model_copy(update={"out": out})


def flip(path: Path, at: int = 100) -> None:
    body = bytearray(path.read_bytes())
    body[at] ^= 1
    path.write_bytes(body)


def forge(site: Path) -> None:
    """A checkpoint of the true tree, signed by another log's keys."""
    other = made.keyring.demo("other.test/log", "example")
    note = (site / "log/checkpoint").read_bytes()
    body = note.partition(b"\n\n")[0] + b"\n"
    forged = sign_checkpoint(
        body.replace(made.ORIGIN.encode(), b"other.test/log"), other, datetime.now(UTC)
    )
    (site / "log/checkpoint").write_bytes(forged.replace(b"other.test/log", made.ORIGIN.encode()))


def sign_another_root(site: Path) -> None:
    """The log's own keys over a root that the entries do not have."""
    body = checkpoint_text(made.ORIGIN, Head(31, hashlib.sha256(b"").digest())).encode()
    note = sign_checkpoint(body, made.ring(), datetime(2026, 11, 17, tzinfo=UTC))
    (site / "log/checkpoint").write_bytes(note)


def sign_another_past(site: Path) -> None:
    body = checkpoint_text(made.ORIGIN, Head(9, hashlib.sha256(b"").digest())).encode()
    note = sign_checkpoint(body, made.ring(), datetime(2026, 11, 17, tzinfo=UTC))
    (site / "log/checkpoints/9").write_bytes(note)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param(
            lambda site: flip(site / LAST), "tile/entries have the root", id="entry_changed"
        ),
        pytest.param(lambda site: (site / LAST).unlink(), "is missing", id="entries_gone"),
        pytest.param(
            lambda site: (site / LAST).write_bytes((site / LAST).read_bytes()[:-9]),
            "entries/000.p/31",
            id="entries_cut",
        ),
        pytest.param(
            lambda site: flip(site / "log/tile/0/000.p/31"), "0/000.p/31", id="tile_changed"
        ),
        pytest.param(lambda site: flip(site / "log/checkpoint", 30), "checkpoint", id="size"),
        pytest.param(lambda site: flip(site / "log/checkpoint", 200), "checkpoint", id="signature"),
        pytest.param(lambda site: flip(site / "log/checkpoints/9", 200), "checkpoints/9"),
        pytest.param(forge, "not signed", id="signed_by_somebody_else"),
        pytest.param(sign_another_root, "have the root", id="signed_over_other_entries"),
        pytest.param(sign_another_past, "checkpoints/9", id="signed_over_another_past"),
        pytest.param(
            lambda site: flip(next((site / "keys").glob("log-*.pem")), 60),
            "not the key that the log records",
            id="key_file_changed",
        ),
    ],
)
def test_a_tree_that_does_not_verify_is_not_served(
    copy: Settings, change: Callable[[Path], None], says: str
) -> None:
    change(copy.site)
    with pytest.raises(VerificationError, match=says.replace(".", r"\.")):
        open_store(copy)


def test_an_empty_place_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CoverageError, match="nothing is published here; run `spotfix run`"):
        open_store(made.config.load(out=tmp_path))


def test_the_published_tree_alone_is_enough(copy: Settings, whole: Tree) -> None:
    store = open_store(copy)
    assert [entry.body for entry in store.entries] == whole.bodies
    assert store.head.root == whole.log.root
    assert store.origin == made.ORIGIN
    assert store.fault is None


# Following --------------------------------------------------------------------------------------


def test_what_is_published_is_returned_once_and_in_order(whole: Tree, tmp_path: Path) -> None:
    tree = feed_tree.copied(whole, tmp_path / "out")
    store = open_store(tree.settings)
    assert store.poll() == []
    tree.append(notice(ONE, "a"), notice(ONE, "b"))
    tree.append(notice(ONE, "c"))
    found = store.poll()
    assert [(seq, kind) for seq, kind, _ in found] == [(n, "notice") for n in (31, 32, 33)]
    assert [body for _, _, body in found] == tree.bodies[31:]
    assert store.poll() == []
    assert store.head.size == 34


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda site: flip(site / "log/checkpoint", 200), id="signature"),
        pytest.param(forge, id="another_log's_keys"),
        pytest.param(sign_another_root, id="another_root"),
        pytest.param(
            lambda site: shutil.copy(site / "log/checkpoints/9", site / "log/checkpoint"),
            id="an_earlier_checkpoint",
        ),
        pytest.param(lambda site: (site / "log/checkpoint").unlink(), id="no_checkpoint"),
    ],
)
def test_a_tree_that_goes_bad_changes_nothing_of_what_is_served(
    copy: Settings, whole: Tree, change: Callable[[Path], object]
) -> None:
    store = open_store(copy)
    change(copy.site)
    assert store.poll() == []
    assert store.fault is not None
    assert [entry.body for entry in store.entries] == whole.bodies
    shutil.copy(whole.settings.site / "log/checkpoint", copy.site / "log/checkpoint")
    assert store.poll() == []
    assert store.fault is None


def test_a_fault_is_told_by_health_and_status(copy: Settings) -> None:
    with feed_tree.serving(copy) as client:
        flip(copy.site / "log/checkpoint", 200)
        client.app.state.store.poll()  # type: ignore[attr-defined]
        health = client.get("/healthz")
        assert (health.status_code, health.headers["retry-after"]) == (503, "5")
        assert client.get("/v1/status").json()["status"] == "degraded"
        assert client.get(f"/v1/fixings/{ONE}/NYC/latest").status_code == 200


SERVER = """
import sys, time
from pathlib import Path
from index import config
from index.feed.app import open_store
store = open_store(config.load(out=Path(sys.argv[1])))
print("ready", flush=True)
while True:
    store.poll()
    time.sleep(0.001)
"""


def test_a_killed_reader_leaves_the_tree_as_it_was(copy: Settings, whole: Tree) -> None:
    before = {p: p.read_bytes() for p in copy.out.rglob("*") if p.is_file()}
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(copy.out)], stdout=subprocess.PIPE, env=dict(os.environ)
    )
    assert server.stdout is not None
    with server, server.stdout:
        assert server.stdout.readline() == b"ready\n"
        server.send_signal(signal.SIGKILL)
    assert {p: p.read_bytes() for p in copy.out.rglob("*") if p.is_file()} == before
    assert open_store(copy).head.size == len(whole.bodies)


def test_whoever_followed_knows_what_whoever_opens_now_knows(whole: Tree, tmp_path: Path) -> None:
    """Three appends come between two looks; each has its own signed checkpoint and time."""
    tree = feed_tree.copied(whole, tmp_path / "out")
    followed = open_store(tree.settings)
    for minute in (1, 2, 3):
        tree.at = datetime(2026, 11, 17, 22, minute)
        tree.append(notice(ONE, f"{minute} past"))
    assert len(followed.poll()) == 3
    opened = open_store(tree.settings)
    moments = [datetime(2026, 11, 17, 22, minute, 30) for minute in range(5)]
    assert [opened.size_at(at) for at in moments] == [31, 32, 33, 34, 34]
    assert [followed.size_at(at) for at in moments] == [31, 32, 33, 34, 34]


def test_a_bad_checkpoint_in_between_stops_the_follower(whole: Tree, tmp_path: Path) -> None:
    tree = feed_tree.copied(whole, tmp_path / "out")
    store = open_store(tree.settings)
    tree.append(notice(ONE, "a"))
    tree.append(notice(ONE, "b"))
    flip(tree.settings.site / "log/checkpoints/32", 200)
    assert store.poll() == []
    assert "checkpoints/32" in str(store.fault)
    assert store.head.size == 31


def test_a_body_that_was_changed_is_not_served_as_cited(copy: Settings) -> None:
    flip(next((copy.site / "batches/inputs").iterdir()), 3)
    flip(next((copy.site / "batches/basket").iterdir()), 3)
    with feed_tree.serving(copy) as client:
        for path in (
            f"/v1/fixings/{ONE}/NYC/2026-11-12/r1/inputs.parquet",
            f"/v1/indices/{ONE}/basket",
        ):
            answer = client.get(path)
            assert answer.status_code == 503
            assert "were changed on this server" in answer.json()["detail"]


def test_the_calendars_of_contracts_are_served_as_they_were_logged(
    whole: Tree, tmp_path: Path
) -> None:
    tree = feed_tree.copied(whole, tmp_path / "out")
    logged = {
        "type": "calendar", "schema": "calendar/1.0", "log_origin": made.ORIGIN,
        "calendar_id": "XSHG", "version": "1.0.0",
    }  # fmt: skip
    tree.append(logged, {**logged, "version": "1.0.1"})
    with feed_tree.serving(tree.settings) as client:
        assert client.get("/v1/calendar/XSHG").content == tree.bodies[-1]
        missing = client.get("/v1/calendar/XNYS")
        assert missing.status_code == 404
        assert "the log has XSHG" in missing.json()["detail"]
