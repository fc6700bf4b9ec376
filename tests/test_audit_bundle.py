"""An audit bundle, and the one file that checks it: what it finds, and that it says where."""

from __future__ import annotations

import ast
import base64
import json
import os
import random
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from index import audit_bundle
from index.audit import verify_offline as vo
from index.audit_bundle import Span
from index.config import Settings
from index.ledger.canonical import canonical
from index.ledger.log import Log
from methodology.errors import CoverageError, UsageError
from tests.auditing import ALWAYS, FIRST, H100, LAST, SOME, Files, checked, pem

SCRIPT = audit_bundle.VERIFIER

# --- the script itself -------------------------------------------------------------------------


def test_it_is_one_short_file_of_the_standard_library_that_python_3_8_reads() -> None:
    source = SCRIPT.read_text("utf-8")
    assert len(source.splitlines()) < 500
    tree = ast.parse(source, feature_version=(3, 8))
    named = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    named |= {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    assert {str(name).partition(".")[0] for name in named} <= set(sys.stdlib_module_names)
    called = {n.func.id for n in ast.walk(tree) if isinstance(n, ast.Call) if hasattr(n.func, "id")}
    assert not called & {"float", "eval", "exec", "compile", "__import__"}
    assert not [n for n in ast.walk(tree) if isinstance(n, ast.Constant) if type(n.value) is float]


# --- a bundle as it is -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def everything(small_ledger: Settings) -> Files:
    """A bundle of every fixing of the small ledger."""
    return audit_bundle.build(small_ledger, ALWAYS)


@pytest.fixture(scope="module")
def few(small_ledger: Settings) -> Files:
    """A bundle of a few indices, quick to check."""
    return audit_bundle.build(small_ledger, Span(FIRST, LAST, SOME))


@pytest.fixture(scope="module")
def pems(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    for purpose in ("fixing", "log"):
        (folder / f"{purpose}.pem").write_bytes(pem(purpose))
    return folder


def run(*words: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the script as a stranger would: isolated, without site packages."""
    return subprocess.run(
        [sys.executable, "-I", "-S", str(SCRIPT), *map(str, words)],
        capture_output=True, text=True, timeout=60, cwd=cwd or "/", env={"PATH": os.defpath},
    )  # fmt: skip


def test_a_stranger_finds_every_value_again(everything: Files, pems: Path, tmp_path: Path) -> None:
    audit_bundle.write(everything, tmp_path / "bundle")
    head = json.loads(everything["contents.json"])
    known = f"{head['size']}:{head['root']}"
    keys = ("--key", pems / "fixing.pem", "--log-key", pems / "log.pem")
    made = run(tmp_path / "bundle", *keys, "--known-head", known, "--json")
    assert (made.returncode, made.stderr) == (0, "")
    told = json.loads(made.stdout)
    assert (told["ok"], told["differences"]) == (True, [])
    fixings = [
        r for r in map(leaf_of, everything["records.jsonl"].splitlines()) if r["type"] == "fixing"
    ]
    again = sum(n for name, n in told["checked"].items() if name != "signatures of records")
    skipped = sum(len(names) for names in told["not_checked"].values())
    assert again + skipped == len(fixings) > 50
    assert skipped <= 2


def leaf_of(line: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.loads(line)["leaf"])
    return found


def test_a_tar_is_the_same_every_time_and_checked_alike(
    few: Files, pems: Path, tmp_path: Path
) -> None:
    for name in ("one/audit.tar", "two/audit.tar"):
        audit_bundle.write_tar(few, tmp_path / name)
    first, second = (tmp_path / n / "audit.tar" for n in ("one", "two"))
    assert first.read_bytes() == second.read_bytes()
    with tarfile.open(first) as archive:
        assert "audit/README.txt" in archive.getnames()
    made = run(first, "--key", pems / "fixing.pem")
    assert made.returncode == 0, made.stdout
    assert made.stdout.endswith("all good\n")
    assert "the checkpoint's signature: no --log-key was given" in made.stdout


def test_every_leaf_comes_back_byte_for_byte(small_ledger: Settings, few: Files) -> None:
    leaves = list(Log.open(small_ledger.ledger, read_only=True).entries())
    assert few["records.jsonl"].count(b"\n") > 10
    for line in few["records.jsonl"].splitlines():
        told = json.loads(line)
        assert told["leaf"].encode() == leaves[told["seq"]]


def test_a_bundle_is_the_same_bytes_twice(small_ledger: Settings, few: Files) -> None:
    assert audit_bundle.build(small_ledger, Span(FIRST, LAST, SOME)) == few


@pytest.mark.parametrize("text", ["2026", "2026-13", "august", "2026-8", "2026-08-01"])
def test_a_month_is_written_as_one(text: str) -> None:
    with pytest.raises(UsageError, match="write it like 2026-08"):
        audit_bundle.month(text)


def test_a_month_without_fixings_says_so(small_ledger: Settings) -> None:
    with pytest.raises(CoverageError, match="no fixing of 2019-02-01 to 2019-02-28"):
        audit_bundle.build(small_ledger, audit_bundle.month("2019-02"))


def test_a_log_without_records_says_so(tmp_path: Path) -> None:
    settings = Settings(out=tmp_path)
    Log.create(settings.ledger, settings.log_origin)
    with pytest.raises(CoverageError, match="nothing has been published here; `spotfix run`"):
        audit_bundle.build(settings, audit_bundle.month("2026-08"))


def test_a_folder_that_is_in_use_is_left_alone(few: Files, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x")
    with pytest.raises(UsageError, match="name a new folder"):
        audit_bundle.write(few, tmp_path)


def test_wrong_words_are_usage_errors(few: Files, pems: Path, tmp_path: Path) -> None:
    assert run(tmp_path / "nowhere", "--key", pems / "fixing.pem").returncode == 2
    assert run(tmp_path, "--key", pems / "nothing.pem").returncode == 2
    assert run(tmp_path).returncode == 2
    audit_bundle.write(few, tmp_path / "b")
    assert run(tmp_path / "b", "--key", pems / "fixing.pem", "--known-head", "x").returncode == 2
    assert run(tmp_path / "b", "--key", tmp_path / "b" / "README.txt").returncode == 2


# --- damage ------------------------------------------------------------------------------------


def flipped(body: bytes) -> bytes:
    place = len(body) // 2
    return body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]


def lines_changed(files: Files, name: str, change: Callable[[list[bytes]], list[bytes]]) -> None:
    files[name] = b"".join(change(files[name].splitlines(keepends=True)))


def edited(files: Files, name: str, place: int, **fields: Any) -> None:
    def change(lines: list[bytes]) -> list[bytes]:
        lines[place] = canonical({**json.loads(lines[place]), **fields}) + b"\n"
        return lines

    lines_changed(files, name, change)


def first_body(files: Files, kind: str) -> str:
    return next(name for name in sorted(files) if name.startswith(f"bodies/{kind}/"))


def swap_signatures(files: Files) -> None:
    lines = [json.loads(line) for line in files["signatures.jsonl"].splitlines()]
    first, second = lines[-1]["signature"], lines[-2]["signature"]
    edited(files, "signatures.jsonl", -1, signature=second)
    edited(files, "signatures.jsonl", -2, signature=first)


def truncate_proof(files: Files) -> None:
    path = json.loads(files["proofs.jsonl"].splitlines()[-1])["path"]
    edited(files, "proofs.jsonl", -1, path=path[:-1])


def malleable(files: Files) -> None:
    """Write s as s + L: the same signature to whoever does not ask for s below L."""
    raw = base64.b64decode(json.loads(files["signatures.jsonl"].splitlines()[-1])["signature"])
    s = int.from_bytes(raw[32:], "little") + vo.L
    other = base64.b64encode(raw[:32] + s.to_bytes(32, "little")).decode()
    edited(files, "signatures.jsonl", -1, signature=other)


def price_of_a_line(files: Files) -> None:
    name = first_body(files, "contributions")
    rows = [json.loads(line) for line in files[name].splitlines()]
    rows[0]["price_nano"] = 1
    files[name] = b"".join(canonical(row) + b"\n" for row in rows)


def other_checkpoint(files: Files) -> None:
    note = files["checkpoint"].decode()
    lines = note.split("\n")
    lines[2] = base64.b64encode(bytes(32)).decode()
    files["checkpoint"] = "\n".join(lines).encode()


def flip(name: str) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        files[name] = flipped(files[name])

    return change


def flip_body(kind: str) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        files[first_body(files, kind)] = flipped(files[first_body(files, kind)])

    return change


def drop(name: str, place: int) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        lines_changed(files, name, lambda lines: lines[:place] + lines[place:][1:])

    return change


def reorder(name: str) -> Callable[[Files], None]:
    return lambda files: lines_changed(files, name, lambda lines: lines[::-1])


def without(name: str) -> Callable[[Files], None]:
    return lambda files: files.__delitem__(name)


DAMAGE = [
    pytest.param(flip("records.jsonl"), "", "", id="a_byte_of_a_record"),
    pytest.param(flip("signatures.jsonl"), "signatures.jsonl line", "", id="a_byte_of_a_signature"),
    pytest.param(flip("proofs.jsonl"), "proofs.jsonl line", "", id="a_byte_of_a_proof"),
    pytest.param(flip("heads.jsonl"), "heads.jsonl line", "", id="a_byte_of_a_head"),
    pytest.param(flip("checkpoint"), "c", "", id="a_byte_of_the_checkpoint"),
    pytest.param(flip("contents.json"), "contents.json", "", id="a_byte_of_the_contents"),
    pytest.param(
        flip("contents.json.sig"), "contents.json", "no signature", id="a_byte_of_its_sig"
    ),
    pytest.param(flip("keys.jsonl"), "contents.json", "keys.jsonl is not", id="a_byte_of_the_keys"),
    pytest.param(
        flip("README.txt"), "contents.json", "README.txt is not", id="a_byte_of_the_readme"
    ),
    *(
        pytest.param(flip_body(kind), "record ", f"bodies/{kind}/", id=f"a_byte_of_{kind}")
        for kind in ("contributions", "basket", "panel_state", "inputs", "rules")
    ),
    pytest.param(drop("records.jsonl", -1), "signatures.jsonl", "not here", id="the_last_record"),
    pytest.param(drop("records.jsonl", 3), "proofs.jsonl line 4", "not here", id="a_record"),
    pytest.param(drop("signatures.jsonl", 2), "record ", "no signature", id="a_signature_left_out"),
    pytest.param(drop("proofs.jsonl", 2), "record ", "no proof", id="a_proof_left_out"),
    pytest.param(reorder("records.jsonl"), "records.jsonl line 2", "after", id="records_reordered"),
    pytest.param(swap_signatures, "signatures.jsonl", "no signature of", id="signatures_swapped"),
    pytest.param(malleable, "signatures.jsonl", "no signature of", id="a_signature_of_s_plus_l"),
    pytest.param(truncate_proof, "proofs.jsonl", "not in the log", id="a_proof_cut_short"),
    pytest.param(price_of_a_line, "record ", "bodies/contributions/", id="another_price"),
    pytest.param(other_checkpoint, "checkpoint", "not signed by log-", id="another_root"),
    pytest.param(without("checkpoint"), "checkpoint", "not here", id="no_checkpoint"),
    pytest.param(without("records.jsonl"), "records.jsonl", "end of the file", id="no_records"),
    pytest.param(without("README.txt"), "contents.json", "README.txt", id="a_file_left_out"),
    pytest.param(
        lambda files: files.update({"extra.txt": b"x"}), "contents.json", "extra.txt", id="one_more"
    ),
]


@pytest.mark.parametrize(("damage", "where", "what"), DAMAGE)
def test_damage_is_named(
    damage: Callable[[Files], None], where: str, what: str, few: Files
) -> None:
    files = dict(few)
    damage(files)
    if files == few:
        pytest.fail("the damage changed nothing")
    found = checked(files).wrong
    assert found, "nothing was found"
    assert any(one["where"].startswith(where) and what in one["what"] for one in found), found[:3]


def test_the_exit_code_of_a_difference_is_20_and_the_first_line_says_where(
    few: Files, pems: Path, tmp_path: Path
) -> None:
    files = dict(few)
    price_of_a_line(files)
    audit_bundle.write(files, tmp_path / "b")
    made = run(tmp_path / "b", "--key", pems / "fixing.pem")
    assert made.returncode == 20
    first = made.stdout.splitlines()[0]
    assert first.startswith("DIFFERENCE  record ")
    assert "digest of bodies/contributions/" in first


def test_no_flipped_bit_anywhere_goes_unseen_or_ends_in_a_traceback(
    small_ledger: Settings,
) -> None:
    files = audit_bundle.build(small_ledger, Span(FIRST, LAST, (H100,)))
    draw = random.Random(6962)
    names = sorted(files)
    for _ in range(60):
        name = draw.choice(names)
        body = bytearray(files[name])
        body[draw.randrange(len(body))] ^= 1 << draw.randrange(8)
        assert checked({**files, name: bytes(body)}).wrong, name


def test_another_key_signed_nothing(few: Files) -> None:
    found = checked(few, "officer").wrong
    assert "which you did not give" in found[0]["what"]


@pytest.mark.parametrize("shift", [0, 1], ids=["another_root", "a_longer_log"])
def test_a_known_head_that_is_not_of_this_log(shift: int, few: Files) -> None:
    size = json.loads(few["contents.json"])["size"]
    found = checked(few, known=(size + shift, "00" * 32)).wrong
    assert [one["where"] for one in found] == ["known head"]


def test_an_earlier_head_is_a_beginning(small_ledger: Settings, few: Files) -> None:
    log = Log.open(small_ledger.ledger, read_only=True)
    assert len(log.heads) > 3
    for head in log.heads[1:]:
        assert checked(few, known=(head.size, head.root.hex())).wrong == []
