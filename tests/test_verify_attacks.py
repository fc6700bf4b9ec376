"""What a hostile operator, a hostile server or the thief of one key would try on a stranger."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from index import officers, verify_tables, verify_targets
from index.config import Settings
from index.ledger.canonical import canonical, digest
from index.mock_feed import keyring as mock_keyring
from index.outside import Outside, Unreachable
from index.publication.key_records import KeyHistory
from index.publication.keys import DemoSigner, is_demo
from index.shelves import Folder, Held
from index.verifying import EVERYONES, Findings, Trust
from index.warehouse import write
from methodology.errors import VerificationError
from tests import loopback as lb
from tests.published_trees import ORIGIN, Published, make_tree, target_of
from tests.tampering import logged

ROOT = DemoSigner("root").public
FIXING = DemoSigner("fixing")
LOG = DemoSigner("log", name=ORIGIN)


@pytest.fixture(scope="module")
def tree(small_ledger: Settings, tmp_path_factory: pytest.TempPathFactory) -> Published:
    return make_tree(small_ledger.ledger, tmp_path_factory.mktemp("tree"))


def found_in(files: dict[str, bytes]) -> Findings:
    found = Findings()
    verify_targets.verify(target_of(files), Trust((ROOT,)), [], found)
    return found


def a_final(tree: Published) -> dict[str, Any]:
    records = [tree.record(seq) for seq in range(len(tree.bodies))]
    return next(r for r in records if r["type"] == "fixing" and r["revision"] == 1 and r["value"])


def a_rate(tree: Published) -> dict[str, Any]:
    records = [tree.record(seq) for seq in range(len(tree.bodies))]
    rates = (r for r in records if str(r.get("index_id")).startswith(("GPR", "TKR")))
    return next(r for r in rates if r["type"] == "fixing" and r["revision"] == 1 and r["value"])


# Records ------------------------------------------------------------------------------------------


def test_a_value_restated_without_the_officers_act_is_named(tree: Published) -> None:
    """The thief of the keys of the server is no officer (rulebook 24.1)."""
    seq = len(tree.bodies)
    record = {**a_final(tree), "seq": seq, "revision": 2, "status": "REVISED"}
    record.update(value="1.0", revision_reason="x")
    said = found_in(logged(tree.files, [*tree.bodies, canonical(record)])).problems
    assert any(f"restated, and seq {seq - 1} is no restatement" in str(one) for one in said)


def test_a_commitment_that_nobody_saw_cannot_be_passed_off_as_seen(tree: Published) -> None:
    record = a_final(tree)
    record["flags"] = [one for one in record["flags"] if one != "COMMIT_UNWITNESSED"]
    bodies = list(tree.bodies)
    bodies[record["seq"]] = canonical(record)
    said = [str(one) for one in found_in(logged(tree.files, bodies)).problems]
    assert any(f"seq {record['seq']}" in one and "0 of 1" in one for one in said)


@pytest.mark.parametrize(
    ("body", "what"),
    [
        pytest.param(b'{"decisions":[],"decisions":[]}\n', "cannot be read", id="a_name_twice"),
        pytest.param(b'{"decisions":{}}\n', "cannot be read", id="no_list_of_decisions"),
        pytest.param(b"\xff", "cannot be read", id="no_text"),
    ],
)
def test_a_statement_that_two_readers_read_differently_is_refused(body: bytes, what: str) -> None:
    record = {"type": "erratum", "seq": 7, "log_origin": "o", "signatures": []}
    [problem] = officers.problems_of(record, body, KeyHistory(), 2)
    assert problem.startswith("erratum 7")
    assert what in problem


@pytest.mark.parametrize(
    ("change", "what"),
    [
        pytest.param(lambda b: b + b.split(b"\n")[0] + b"\n", "times", id="a_group_twice"),
        pytest.param(
            lambda b: b.replace(b'"group"', b'"group":"x","group"', 1),
            "two ways",
            id="a_name_twice",
        ),
    ],
)
def test_lines_that_count_or_read_twice_are_named(
    tree: Published, change: Callable[[bytes], bytes], what: str
) -> None:
    record = a_rate(tree)
    name = f"site/batches/contributions/{record['contributions']['sha256'][7:]}.jsonl"
    lines = sorted(tree.files[name].split(b"\n")[:-1], key=lambda one: b"REFUSED" in one)
    body = change(b"\n".join(lines) + b"\n")
    record["contributions"] = {**record["contributions"], "sha256": digest(body)}
    bodies = list(tree.bodies)
    bodies[record["seq"]] = canonical(record)
    files = logged(tree.files, bodies)
    files[f"site/batches/contributions/{digest(body)[7:]}.jsonl"] = body
    said = [str(one) for one in found_in(files).problems]
    assert any(f"seq {record['seq']} (" in one and what in one for one in said), said[-3:]


# Manifests ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "what"),
    [
        pytest.param({"log_size": "36"}, "log_size '36'", id="a_size_that_is_text"),
        pytest.param({"log_size": 0}, "log_size 0 is not beyond", id="a_size_that_goes_nowhere"),
        pytest.param({"files": [{"name": []}]}, "is not the manifest", id="a_name_that_is_a_list"),
        pytest.param({"files": {"a": 1}}, "is no manifest", id="files_that_are_no_list"),
    ],
)
def test_a_hostile_manifest_is_named_and_ends_in_no_traceback(
    tree: Published, change: dict[str, Any], what: str
) -> None:
    path = next(p for p in tree.files if p.endswith("MANIFEST_0001.json"))
    body = canonical({**json.loads(tree.files[path]), **change})
    files = {**tree.files, path: body, f"{path}.sig": FIXING.sign(body)}
    said = [str(one) for one in found_in(files).problems]
    assert any(one.startswith(path) and what in one for one in said), said[:3]


def test_a_server_cannot_feed_manifests_for_ever(tree: Published) -> None:
    """Each manifest has to go further in the log than the one before."""
    drop = {p[5:]: b for p, b in tree.files.items() if p.startswith("drop/")}
    path = next(p for p in drop if p.endswith("MANIFEST_0002.json"))
    asked: list[str] = []

    class Endless(Held):
        def read(self, name: str) -> bytes | None:
            asked.append(name)
            return drop[path] if "MANIFEST" in name else super().read(name)

        def names(self, under: str = "") -> None:
            return None

    target = target_of(tree.files)
    endless = verify_targets.Target("drop", "x", target.log, None, Endless(drop))
    found = Findings()
    verify_targets.verify(endless, Trust((ROOT,)), [], found)
    assert any("is not beyond" in str(one) for one in found.problems)
    assert len(asked) < 1000


# Keys ---------------------------------------------------------------------------------------------


def test_a_log_that_anybody_could_have_made_says_so_even_if_its_root_is_pinned(
    tree: Published,
) -> None:
    [warning] = found_in(tree.files).warnings
    assert warning.startswith(f"{EVERYONES} root-ede3969593c2b035, fixing-44ca4bc3911699e6")


def test_the_keys_of_the_mock_feed_are_everyones(tmp_path: Path) -> None:
    keys = mock_keyring("example.org/mock", tmp_path).public_keys
    assert len(keys) > 2
    assert all(map(is_demo, keys))


@pytest.mark.parametrize(("signer", "wrong"), [(FIXING, False), (LOG, True)], ids=["right", "log"])
def test_the_key_of_the_log_cannot_sign_a_record_that_was_sent(
    tree: Published, signer: DemoSigner, wrong: bool
) -> None:
    base = next(p for p in tree.site if p.endswith("/r1.json"))[: -len(".json")]
    body = tree.site[f"{base}.json"]
    files = {"r1.json": body, "r1.json.sig": signer.sign(body)}
    files["r1.tlog-proof"] = tree.site[f"{base}.tlog-proof"]
    target = verify_targets.Target("record", "r1.json", stem="r1", beside=Held(files))
    found = Findings()
    verify_targets.verify(target, Trust((FIXING.public, LOG.public)), [], found)
    assert any(one.where == "r1.json.sig" for one in found.problems) == wrong


# Files and servers --------------------------------------------------------------------------------


def test_a_pipe_or_a_device_in_a_copied_tree_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "checkpoint")
    (tmp_path / "zero").symlink_to("/dev/zero")
    for name in ("checkpoint", "zero"):
        with pytest.raises(VerificationError, match=f"{name}: is no plain file"):
            Folder(tmp_path).read(name)


def test_a_server_cannot_send_more_in_all_than_anybody_needs() -> None:
    with (
        lb.Server({"/a": lb.reply(b"x" * 60)}) as server,
        Outside(total=100) as outside,
    ):
        assert outside.get(f"{server.url}/a") == b"x" * 60
        with pytest.raises(Unreachable, match="more than 100 bytes in all"):
            outside.get(f"{server.url}/a")


def test_a_table_whose_name_is_a_statement_writes_nothing(tmp_path: Path) -> None:
    written = tmp_path / "written"
    name = f"fixing\"; COPY (SELECT 42) TO '{written}'; --"
    spelled = name.replace('"', '""')
    with duckdb.connect(tmp_path / "spot.duckdb") as made:
        made.execute(f'CREATE TABLE "{spelled}" (a int)')
    found = Findings()
    verify_tables.check_file(tmp_path / "spot.duckdb", {}, set(), None, found)  # type: ignore[arg-type]
    assert not written.exists()
    assert "is not one of ours" in str(found.problems[0])


def test_a_file_of_tables_reads_no_other_file(tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("a\n1\n")
    duckdb.connect(tmp_path / "spot.duckdb").close()
    with duckdb.connect(tmp_path / "spot.duckdb", config=verify_tables.ALONE) as opened:
        for words in (f"FROM '{tmp_path}/secret.csv'", "SET enable_external_access = true"):
            with pytest.raises(duckdb.Error):
                opened.execute(words)


def test_a_parquet_file_with_odd_metadata_is_named(tmp_path: Path) -> None:
    path = tmp_path / next(iter(write.PARQUET))
    pl.DataFrame({"a": [1]}).write_parquet(path, metadata={"log_size": "x", "log_root": "zz"})
    found = Findings()
    verify_tables.check_file(path, {}, set(), None, found)  # type: ignore[arg-type]
    assert "log_size or log_root" in str(found.problems[0])
