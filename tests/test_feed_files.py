"""Files of the tree over HTTP: whole, in part, unchanged, and nothing beside them."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from starlette.types import Message

from index.feed.files import Files, immutable
from tests import feed_tree
from tests.feed_tree import Tree

BIG = "/data/big.parquet"
BODY = bytes(range(256)) * 2048


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    return feed_tree.shared(tmp_path_factory)


@pytest.fixture(scope="module")
def client(tree: Tree) -> Iterator[TestClient]:
    with feed_tree.serving(tree.settings) as found:
        yield found


def test_every_published_file_is_served_as_it_is(client: TestClient, tree: Tree) -> None:
    settings, seen = tree.settings, 0
    for prefix, root in (
        ("/log/", settings.site / "log"),
        ("/keys/", settings.site / "keys"),
        ("/batches/", settings.site / "batches"),
        ("/v1/fixings/", settings.site / "v1/fixings"),
        ("/drop/", settings.drop),
    ):
        for path in sorted(p for p in root.rglob("*") if p.is_file()):
            answer = client.get(prefix + path.relative_to(root).as_posix())
            assert answer.status_code == 200, path
            assert answer.content == path.read_bytes()
            digest = hashlib.sha256(answer.content).hexdigest()
            assert answer.headers["etag"] == f'"sha256-{digest}"'
            seen += 1
    assert seen > 200


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("/log/checkpoint", "public, max-age=30"),
        ("/log/checkpoints/5", "public, max-age=31536000, immutable"),
        ("/log/tile/entries/000.p/31", "public, max-age=31536000, immutable"),
        ("/drop/v1/notices/MANIFEST_0001.json", "public, max-age=31536000, immutable"),
        ("/keys/keys.json", "public, max-age=30"),
        (BIG, "public, max-age=30"),
    ],
)
def test_only_what_never_changes_is_kept(client: TestClient, path: str, line: str) -> None:
    assert client.get(path).headers["cache-control"] == line


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        pytest.param("bytes=0-0", 0, 0, id="the_first_byte"),
        pytest.param("bytes=100-199", 100, 199, id="a_hundred"),
        pytest.param("bytes=524287-", 524287, 524287, id="the_last_byte"),
        pytest.param("bytes=-5", 524283, 524287, id="the_last_five"),
        pytest.param("bytes=-9999999", 0, 524287, id="more_than_there_is"),
        pytest.param("bytes=300000-9999999", 300000, 524287, id="beyond_the_end"),
    ],
)
def test_a_range_is_sent_alone(client: TestClient, asked: str, first: int, last: int) -> None:
    answer = client.get(BIG, headers={"Range": asked})
    assert answer.status_code == 206
    assert answer.content == BODY[first : last + 1]
    assert answer.headers["content-range"] == f"bytes {first}-{last}/{len(BODY)}"
    assert "content-digest" not in answer.headers
    whole = base64.b64encode(hashlib.sha256(BODY).digest()).decode()
    assert answer.headers["repr-digest"] == f"sha-256=:{whole}:"
    assert answer.headers["etag"] == client.head(BIG).headers["etag"]


@pytest.mark.parametrize("asked", ["bytes=0-1,5-6", "items=0-1", "bytes=9-3", "bytes=a-"])
def test_what_is_no_single_range_gets_the_whole(client: TestClient, asked: str) -> None:
    answer = client.get(BIG, headers={"Range": asked})
    assert (answer.status_code, answer.content) == (200, BODY)


@pytest.mark.parametrize("path", [BIG, "/log/checkpoint"])
@pytest.mark.parametrize("asked", ["bytes=524288-", "bytes=-0"])
def test_a_range_outside_the_file_is_refused(client: TestClient, path: str, asked: str) -> None:
    answer = client.get(path, headers={"Range": asked})
    assert answer.status_code == 416
    assert answer.headers["content-range"].startswith("bytes */")
    assert answer.json()["type"] == "/v1/problems/range-not-satisfiable"


def test_a_download_is_resumed_only_of_the_same_file(client: TestClient) -> None:
    tag = client.get(BIG).headers["etag"]
    same = client.get(BIG, headers={"Range": "bytes=5-9", "If-Range": tag})
    assert (same.status_code, same.content) == (206, BODY[5:10])
    other = client.get(BIG, headers={"Range": "bytes=5-9", "If-Range": '"sha256-00"'})
    assert (other.status_code, other.content) == (200, BODY)
    assert client.get(BIG, headers={"If-None-Match": tag}).status_code == 304


@pytest.mark.parametrize(
    "path",
    [
        "/data/.half.parquet.tmp",
        "/data/none.parquet",
        "/data/",
        "/data",
        "/drop/v1",
        "/drop/v1/notices",
        "/log/../../ledger/log/checkpoint",
        "/data/..%2fledger/log/checkpoint",
        "/data/%2e%2e/ledger/log/checkpoint",
        "/data//big.parquet",
        "/data/%2fetc/passwd",
        "/data/big.parquet%00",
        "/keys/../keys.toml",
    ],
)
def test_nothing_else_can_be_read(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.json()["type"] == "/v1/problems/not-found"


def test_a_link_out_of_the_folder_leads_nowhere(client: TestClient, tree: Tree) -> None:
    secret = tree.settings.out / "secret.json"
    secret.write_text("{}")
    (tree.settings.data / "link.json").symlink_to(secret)
    assert client.get("/data/link.json").status_code == 404


def test_a_file_replaced_is_served_new_at_once(client: TestClient, tree: Tree) -> None:
    path = tree.settings.data / "moving.json"
    for body in (b"{}", b"[]" * 200_000, b"{1}"):
        aside = path.with_name(".moving.tmp")
        aside.write_bytes(body)
        os.replace(aside, path)
        answer = client.get("/data/moving.json")
        assert answer.content == body
        assert hashlib.sha256(body).hexdigest() in answer.headers["etag"]


def test_reading_writes_nothing_not_even_on_a_tree_that_cannot_be_written(
    tree: Tree, tmp_path: Path
) -> None:
    """Digests, sizes and times of every file are the same after everything was asked for."""
    tree = feed_tree.copied(tree, tmp_path / "out")

    def state() -> dict[str, tuple[int, int, str]]:
        found = {}
        for path in sorted(tree.settings.out.rglob("*")):
            told = path.lstat()
            digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
            found[str(path)] = (told.st_mode, told.st_mtime_ns, digest)
        return found

    for path in sorted(tree.settings.out.rglob("*"), reverse=True):
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = state()
    try:
        with feed_tree.serving(tree.settings) as client:
            base = "/v1/fixings/TKR-one-OUT/NYC"
            for path in (
                base, base + ".csv", base + ".parquet", base + ".xlsx", base + "/latest",
                base + "/2026-11-12/r2/inputs.parquet", "/v1/indices", "/v1/events", "/v1/status",
                "/v1/log/proof/3", BIG, "/log/checkpoint",
            ):  # fmt: skip
                assert client.get(path).status_code == 200, path
            client.app.state.store.poll()  # type: ignore[attr-defined]
        assert state() == before
    finally:
        for path in tree.settings.out.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)


def test_a_reader_that_takes_nothing_is_let_go(tmp_path: Path) -> None:
    (tmp_path / "big.parquet").write_bytes(BODY)
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)
        if len(sent) == 3:  # the head and one part have left; the second part never does
            await asyncio.get_running_loop().create_future()

    scope = {
        "type": "http", "method": "GET", "headers": [], "query_string": b"",
        "path_params": {"path": "big.parquet"},
    }  # fmt: skip
    app = Files(tmp_path, immutable, part_seconds=0.01)
    with pytest.raises(ConnectionAbortedError, match="too slowly"):
        asyncio.run(asyncio.wait_for(app(scope, receive, send), 30))
    assert sent[1]["body"] == BODY[: 1 << 18]
