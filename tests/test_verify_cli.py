"""`spotfix verify TARGET`: each kind of target, on a disk and at an address, each exit code."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from index import audit_bundle, verify_targets
from index.cli import app
from index.config import Settings
from index.publication.keys import DemoSigner
from tests import loopback as lb
from tests.published_trees import ORIGIN, Published, make_tree

RECORD = "v1/fixings/TEX-ALL/NYC/2026-08-01/r1.json"
DAY = "v1/2026/08/01/SHA"


@pytest.fixture(scope="module")
def tree(small_ledger: Settings, tmp_path_factory: pytest.TempPathFactory) -> Published:
    return make_tree(small_ledger.ledger, tmp_path_factory.mktemp("tree"))


@pytest.fixture
def out(tree: Published, tmp_path: Path) -> Path:
    shutil.copytree(tree.out, tmp_path / "out", copy_function=shutil.copyfile)
    return tmp_path / "out"


@pytest.fixture
def heads(tmp_path: Path) -> Path:
    return tmp_path / "state" / "heads.json"


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    path = tmp_path / "root.pem"
    path.write_bytes(DemoSigner("root").public.pem())
    return path


@pytest.fixture
def server(tree: Published) -> Iterator[lb.Server]:
    routes = {f"/{name}": lb.reply(body) for name, body in tree.site.items()}
    routes |= {f"/drop/{name}": lb.reply(body) for name, body in tree.drop.items()}
    with lb.Server(routes) as running:
        yield running


def call(heads: Path, *words: object) -> Any:
    return CliRunner().invoke(app, ["verify", *map(str, words), "--heads", str(heads)])


def told(heads: Path, *words: object) -> Any:
    result = call(heads, *words, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    # The keys of these trees are everyone's: that is said each time, and tested by itself.
    told = [one for one in found["warnings"] if "everyone has the private part" in one.lower()]
    found["warnings"] = [one for one in found["warnings"] if one not in told]
    assert told
    return found


# --- targets -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "checked"),
    [
        ("drop", {"manifests": 14, "files": 147, "values recomputed": 18}),
        (f"drop/{DAY}", {"manifests": 2, "files": 14, "values recomputed": 2}),
        ("drop/v1/2026/08", {"manifests": 6}),
        ("site", {"checkpoints": 5, "files": 147, "proofs": 45}),
        (".", {"checkpoints": 5, "files": 147, "proofs": 45}),
        ("site/log", {"checkpoints": 5, "tiles": 10}),
        (f"site/{RECORD}", {"proofs": 1, "values recomputed": 1}),
        (f"site/{RECORD}.sig", {"proofs": 1, "values recomputed": 1}),
    ],
    ids=["drop", "session", "month", "site", "out", "log", "record", "its_signature"],
)
def test_a_target_on_the_disk_is_sound(
    out: Path, heads: Path, pem: Path, target: str, checked: dict[str, int]
) -> None:
    found = told(heads, out / target, "--trusted-key", pem)
    assert found["checked"].items() >= checked.items()
    assert (found["origin"], found["size"], found["warnings"]) == (ORIGIN, 36, [])


@pytest.mark.parametrize(
    ("target", "checked"),
    [
        (f"drop/{DAY}/", {"manifests": 2, "files": 14, "values recomputed": 2}),
        (RECORD, {"proofs": 1, "values recomputed": 1}),
        ("log", {"records": 36}),
        ("", {"manifests": 14, "files": 147}),
    ],
    ids=["session", "record", "log", "all"],
)
def test_a_target_at_an_address_is_sound(
    server: lb.Server, heads: Path, pem: Path, target: str, checked: dict[str, int]
) -> None:
    found = told(heads, f"{server.url}/{target}", "--trusted-key", pem)
    assert found["checked"].items() >= checked.items()
    assert found["warnings"] == []
    asked = sum(one.startswith("/v1/fixings/") for one in server.paths())
    # Twenty fixings of six files each: fewer than a sample has, so that all of them are asked for.
    assert target != "" or asked == found["checked"]["copies"] == 120


def test_a_session_is_read_over_http_without_the_rest_of_the_drop(
    server: lb.Server, heads: Path
) -> None:
    told(heads, f"{server.url}/drop/{DAY}/")
    drops = [path for path in server.paths() if path.startswith("/drop/")]
    assert drops
    assert {path for path in drops if not path.startswith(f"/drop/{DAY}/")} == set()
    assert len(drops) == len(set(drops))


def test_what_a_person_reads(out: Path, heads: Path) -> None:
    first, second = (call(heads, out / "drop" / DAY).stdout for _ in range(2))
    for line in ("manifest 2/2 chained ✓", "14 files sha256 ✓", "4 signatures ✓",
                 f"inclusion in log {ORIGIN} size 36 ✓", "recomputed 2 of 2 values"):  # fmt: skip
        assert line in first
    assert f"first look at {ORIGIN}; nothing pinned: size 36 is kept" in first
    assert "pin one with --trusted-key" in first
    assert "days have no outside date (" in first
    assert "consistent with last seen size 36, which was taken with nothing pinned ✓" in second
    assert second.endswith("OK\n")


def test_a_bundle_is_checked_by_the_script_of_auditors(
    out: Path, heads: Path, tmp_path: Path
) -> None:
    from datetime import date

    span = audit_bundle.Span(date(2026, 1, 1), date(2026, 12, 31))
    files = audit_bundle.build(Settings(out=out, log_origin=ORIGIN), span)
    audit_bundle.write(files, tmp_path / "audit")
    found = told(heads, tmp_path / "audit")
    assert "pin them with --trusted-key" in found["warnings"][0]
    keys = []
    for purpose in ("fixing", "log"):
        keys += ["--trusted-key", tmp_path / f"{purpose}.pem"]
        (tmp_path / f"{purpose}.pem").write_bytes(DemoSigner(purpose).public.pem())
    assert told(heads, tmp_path / "audit", *keys)["warnings"] == []
    path = tmp_path / "audit" / "records.jsonl"
    path.write_bytes(path.read_bytes().replace(b"USD", b"EUR", 1))
    result = call(heads, tmp_path / "audit", *keys)
    assert result.exit_code == 20
    assert "contents.json: records.jsonl is not the file it lists" in result.stdout


# --- a record by itself ------------------------------------------------------------------------


def lone(out: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "received"
    folder.mkdir()
    for ending in (".json", ".json.sig", ".tlog-proof"):
        name = f"r1{ending}"
        shutil.copyfile((out / "site" / RECORD).with_name(name), folder / name)
    return folder / "r1.json"


def pinned(tmp_path: Path, *purposes: str) -> list[object]:
    words: list[object] = []
    for purpose in purposes:
        path = tmp_path / f"{purpose}.pem"
        name = ORIGIN if purpose == "log" else None
        path.write_bytes(DemoSigner(purpose, name=name).public.pem())
        words += ["--trusted-key", path]
    return words


def test_a_record_that_was_sent_needs_pinned_keys_and_no_network(
    out: Path, heads: Path, tmp_path: Path
) -> None:
    record = lone(out, tmp_path)
    found = told(heads, record, *pinned(tmp_path, "fixing", "log"))
    assert found["checked"] == {"signatures": 1, "proofs": 1}
    only = told(heads, record, *pinned(tmp_path, "fixing"))
    assert "that the record stands in the log is not checked" in only["warnings"][0]
    result = call(heads, record)
    assert (result.exit_code, "pin the fixing key" in result.stderr) == (2, True)
    wrong = call(heads, record, *pinned(tmp_path, "officer"))
    assert (wrong.exit_code, "r1.json.sig" in wrong.stderr) == (20, True)


def test_a_changed_record_that_was_sent_is_named(out: Path, heads: Path, tmp_path: Path) -> None:
    record = lone(out, tmp_path)
    body = record.read_bytes()
    record.write_bytes(body.replace(b'"TEX-ALL"', b'"TEX-ALX"', 1))
    result = call(heads, record, *pinned(tmp_path, "fixing", "log"))
    assert result.exit_code == 20
    assert f"{record}.sig: no pinned key made this signature over seq 31" in result.stderr


def test_a_record_under_the_name_of_another_revision_is_named(out: Path, heads: Path) -> None:
    record = out / "site" / RECORD
    shutil.copyfile(record.with_name("r0.json"), record)
    result = call(heads, record)
    assert result.exit_code == 20
    assert f"{record}: is named revision 1 and holds revision 0 (seq 21)" in result.stderr


# --- keys and heads ----------------------------------------------------------------------------


def test_a_pinned_key_that_does_not_vouch_ends_with_20(
    out: Path, heads: Path, tmp_path: Path
) -> None:
    result = call(heads, out / "site", *pinned(tmp_path, "officer"))
    assert result.exit_code == 20
    assert "no pinned key vouches for it" in result.stderr
    assert not heads.exists()


def test_the_root_vouches_for_all_of_it(out: Path, heads: Path, tmp_path: Path) -> None:
    assert told(heads, out / "drop", *pinned(tmp_path, "root"))["warnings"] == []


def test_the_logs_key_alone_vouches_for_the_log_and_says_so(
    out: Path, heads: Path, tmp_path: Path
) -> None:
    """Whoever steals it makes a root and a fixing key of his own."""
    [warning] = told(heads, out / "drop", *pinned(tmp_path, "log"))["warnings"]
    assert warning.startswith("the pinned key signs the log and not the keys in it")


def test_a_key_is_trusted_for_nothing_but_what_its_files_name_says(
    out: Path, heads: Path, tmp_path: Path
) -> None:
    """A thief of the fixing key could make it the root of a log of his own."""
    root = DemoSigner("root").public
    path = tmp_path / f"fixing{root.id[4:]}.pem"
    path.write_bytes(root.pem())
    result = call(heads, out / "site", "--trusted-key", path)
    assert result.exit_code == 20
    assert "the key pinned for fixing is this log's key for root" in result.stdout


def test_a_key_file_named_for_another_key_is_refused(heads: Path, tmp_path: Path) -> None:
    path = tmp_path / "root-0123456789abcdef.pem"
    path.write_bytes(DemoSigner("root").public.pem())
    result = call(heads, tmp_path, "--trusted-key", path)
    assert (result.exit_code, "holds another key" in result.stderr) == (2, True)


def test_the_fixing_key_alone_vouches_for_records_and_says_so(
    out: Path, heads: Path, tmp_path: Path
) -> None:
    [warning] = told(heads, out / "drop", *pinned(tmp_path, "fixing"))["warnings"]
    assert warning.startswith("the pinned key signs records and not the log")


def test_a_fork_is_told_with_both_heads_and_kept_as_evidence(
    out: Path, heads: Path, tree: Published, small_ledger: Settings, tmp_path: Path
) -> None:
    told(heads, out / "site")
    before = heads.read_bytes()
    fork = make_tree(
        small_ledger.ledger, tmp_path / "fork", change=lambda r: {**r, "software": "spotfix/9"}
    )
    result = call(heads, fork.out / "site", "--json")
    assert result.exit_code == 20
    evidence = json.loads(result.stdout)["evidence"]
    assert evidence["what"] == "the log was forked"
    assert evidence["older"] == {"size": 36, "root": tree.heads[-1].root.hex()}
    assert evidence["newer"] == {"size": 36, "root": fork.heads[-1].root.hex()}
    [kept] = heads.parent.glob("evidence-example.org-spotfix-36-*.checkpoint")
    assert kept.read_bytes() == fork.site["log/checkpoint"]
    assert heads.read_bytes() == before


def test_a_log_that_shrank_ends_with_20_and_one_that_grew_is_proved(
    heads: Path, tree: Published, small_ledger: Settings, tmp_path: Path
) -> None:
    earlier = make_tree(small_ledger.ledger, tmp_path / "earlier", appends=4)
    assert told(heads, earlier.out / "site")["last_seen"] is None
    grown = told(heads, tree.out / "site")
    assert (grown["last_seen"], grown["checked"]["known heads"]) == (26, 1)
    result = call(heads, earlier.out / "site")
    assert result.exit_code == 20
    assert "the log is shorter than it was: size 36" in result.stderr


@pytest.mark.parametrize("form", ["hex", "base64", "note", "body"])
def test_a_known_head_in_each_of_its_forms(
    out: Path, heads: Path, tree: Published, tmp_path: Path, form: str
) -> None:
    import base64

    head, path = tree.heads[2], tmp_path / "head"
    note = tree.site[f"log/checkpoints/{head.size}"]
    path.write_bytes(note if form == "note" else note.partition(b"\n\n")[0] + b"\n")
    forms = {
        "hex": f"{head.size}:{head.root.hex()}",
        "base64": f"{head.size}:{base64.b64encode(head.root).decode()}",
    }
    found = told(heads, out / "site", "--known-head", forms.get(form, path))
    assert found["checked"]["known heads"] == 1
    wrong = call(heads, out / "site", "--known-head", f"{head.size}:{'0' * 64}")
    assert (wrong.exit_code, "forked" in wrong.stderr) == (20, True)


# --- what else can go wrong --------------------------------------------------------------------


def test_a_server_that_is_not_there_is_worth_another_try(heads: Path) -> None:
    with lb.Server({}) as gone:
        url = gone.url
    result = call(heads, f"{url}/log")
    assert (result.exit_code, "try again later" in result.stderr) == (75, True)


def test_a_changed_file_at_an_address_is_named(server: lb.Server, heads: Path) -> None:
    path = f"/drop/{DAY}/ctp_20260801_SHA_0001.csv"
    server.routes[path] = lb.reply(b"TradingDay\n")
    result = call(heads, f"{server.url}/drop/{DAY}/")
    assert (result.exit_code, f"{server.url}{path}: " in result.stderr) == (20, True)


@pytest.mark.parametrize(
    ("words", "told_text"),
    [
        (["nothing-here"], "no such file or folder"),
        (["http://index.example/log"], "plain http to another machine"),
        (["https://user:word@index.example/log"], "holds a name or a password"),
        (["https://index.example/v1/fixings/TEX-ALL"], "name a record's file"),
        (["."], "neither a record, a drop, a site"),
        ([".", "--from-archive"], "go without a TARGET"),
        (["site", "--known-head", "12:zz"], "no such file|not 32 bytes"),
        (["site", "--trusted-key", "gone.pem"], "gone.pem"),
    ],
    ids=["missing", "plain_http", "password", "no_record", "nothing", "mixed", "head", "key"],
)
def test_a_word_that_cannot_be_used_ends_with_2(
    out: Path, heads: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    words: list[str], told_text: str,
) -> None:  # fmt: skip
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(out if words[0] == "site" else empty)
    result = call(heads, *words)
    assert result.exit_code == 2, result.output
    assert any(one in result.stderr for one in told_text.split("|"))


def test_options_of_a_target_need_a_target(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["verify", "--log", "x", "--out", str(tmp_path)])
    assert (result.exit_code, "go with a TARGET" in result.stderr) == (2, True)


def test_a_name_in_a_manifest_never_leads_out_of_its_folder() -> None:
    from index.shelves import Held, inside
    from methodology.errors import VerificationError

    for path in ("../x", "/etc/passwd", "a/../../b", "a//b", ".", "a\\b", "a\0b"):
        with pytest.raises(VerificationError, match="is not the name of a file"):
            inside(path)
    assert Held({"a/b": b"x"}).read("a/b") == b"x"
    assert verify_targets.locate.__doc__
