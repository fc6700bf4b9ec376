"""One changed byte in any file of the ledger, and that file is named."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from index.ledger.batches import Batches
from index.ledger.canonical import canonical
from index.ledger.check import check_files
from index.ledger.log import Log
from index.ledger.tiles import Pending
from methodology.errors import CoverageError, LogInconsistent, UsageError, VerificationError

ORIGIN = "example.org/test"
SMALL, WIDE = 5, 300


def build(directory: Path, size: int) -> None:
    batches = Batches(directory)
    log = Log.create(directory, ORIGIN)
    for first, last in ((0, 2), (2, size - 1), (size - 1, size)):
        records = []
        for seq in range(first, last):
            record: dict[str, object] = {"type": "fixing", "seq": seq, "value": f"{seq}.5000"}
            if seq < 2:
                stored = batches.put("observations", f'{{"row":{seq}}}\n'.encode())
                record = {"type": "batch", "seq": seq, "inputs": [stored.reference()]}
            records.append(canonical(record))
        log.append(records, expected_first=log.size)


@pytest.fixture(scope="module")
def ledgers(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    directories = {size: tmp_path_factory.mktemp(f"ledger{size}") for size in (SMALL, WIDE)}
    for size, directory in directories.items():
        build(directory, size)
    return directories


def names(directory: Path) -> list[str]:
    return sorted(
        path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file()
    )


def named(directory: Path) -> set[str]:
    return {problem.path for problem in check_files(directory)}


def test_sound_ledger_has_no_problem_and_the_files_expected(ledgers: dict[int, Path]) -> None:
    assert check_files(ledgers[SMALL]) == check_files(ledgers[WIDE]) == []
    assert [name for name in names(ledgers[WIDE]) if name.startswith("log/")] == [
        "log/checkpoint",
        "log/heads",
        "log/tile/0/000",
        "log/tile/0/001.p/44",
        "log/tile/1/000.p/1",
        "log/tile/entries/000",
        "log/tile/entries/001.p/44",
    ]


def refuses_to_open(directory: Path) -> bool:
    try:
        Log.open(directory, read_only=True)
    except LogInconsistent:
        return True
    return False


def test_every_bit_of_every_file_of_a_small_ledger_counts(ledgers: dict[int, Path]) -> None:
    flips = 0
    for name in names(ledgers[SMALL]):
        path = ledgers[SMALL] / name
        body = path.read_bytes()
        for at in range(len(body)):
            bits = range(8) if at % 7 == 0 else [at % 8]
            for bit in bits:
                path.write_bytes(body[:at] + bytes([body[at] ^ 1 << bit]) + body[at + 1 :])
                assert named(ledgers[SMALL]) == {name}, (name, at, bit)
                flips += 1
        path.write_bytes(body)
    assert flips > 1800
    assert check_files(ledgers[SMALL]) == []


@pytest.mark.parametrize("size", [SMALL, WIDE])
def test_log_with_a_changed_file_does_not_open(ledgers: dict[int, Path], size: int) -> None:
    for name in names(ledgers[size]):
        path = ledgers[size] / name
        body = path.read_bytes()
        for at in {0, len(body) // 3, len(body) // 2, len(body) - 1}:
            path.write_bytes(body[:at] + bytes([body[at] ^ 4]) + body[at + 1 :])
            assert named(ledgers[size]) == {name}, (name, at)
            assert refuses_to_open(ledgers[size]) == name.startswith("log/"), (name, at)
        path.write_bytes(body)


DAMAGE: dict[str, Callable[[bytes], bytes | None]] = {
    "deleted": lambda body: None,
    "emptied": lambda body: b"",
    "one_byte_shorter": lambda body: body[:-1],
    "half_as_long": lambda body: body[: len(body) // 2],
    "last_line_cut": lambda body: body[: body.rstrip(b"\n").rfind(b"\n") + 1],
    "last_hash_cut": lambda body: body[:-32],
    "a_blank_line_longer": lambda body: body + b"\n",
    "a_zero_longer": lambda body: body + b"\0",
    "an_empty_entry_longer": lambda body: body + b"\0\0",
    "a_hash_longer": lambda body: body + bytes(32),
    "doubled": lambda body: body + body,
    "replaced_by_zeros": lambda body: bytes(len(body)),
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("size", [SMALL, WIDE])
def test_file_cut_lengthened_or_gone_is_named(
    ledgers: dict[int, Path], size: int, damage: str
) -> None:
    for name in names(ledgers[size]):
        path = ledgers[size] / name
        body = path.read_bytes()
        other = DAMAGE[damage](body)
        path.unlink()
        if other is not None:
            path.write_bytes(other)
        assert named(ledgers[size]) == {name}, name
        path.write_bytes(body)


@pytest.mark.parametrize(
    "name",
    [
        "README",
        "log/notes",
        "log/tile/entries/000",
        "log/tile/0/000.p/4",
        "log/tile/7/000.p/1",
        "log/.checkpoint.tmp",
        "batches/notes.jsonl",
        "batches/Observations/" + "0" * 64 + ".jsonl",
        "batches/observations/" + "0" * 63 + ".jsonl",
        "batches/observations/" + "0" * 64 + ".jsonl.gz",
    ],
)
def test_file_that_does_not_belong_is_named(
    ledgers: dict[int, Path], tmp_path: Path, name: str
) -> None:
    shutil.copytree(ledgers[SMALL], tmp_path, dirs_exist_ok=True)
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_bytes(b"")
    assert named(tmp_path) == {name}


def test_symbolic_link_in_place_of_a_file_is_named(
    ledgers: dict[int, Path], tmp_path: Path
) -> None:
    for name in ("log/tile/0/000.p/5", "batches"):
        copy = tmp_path / name.replace("/", "-")
        shutil.copytree(ledgers[SMALL], copy)
        (copy / name).rename(tmp_path / "elsewhere")
        (copy / name).symlink_to(tmp_path / "elsewhere")
        assert name in named(copy)
        shutil.rmtree(tmp_path / "elsewhere", ignore_errors=True)
        (tmp_path / "elsewhere").unlink(missing_ok=True)


def test_file_of_an_unfinished_write_is_harmless(ledgers: dict[int, Path], tmp_path: Path) -> None:
    shutil.copytree(ledgers[SMALL], tmp_path, dirs_exist_ok=True)
    (tmp_path / "log" / ".checkpoint.123-4.tmp").write_bytes(b"half")
    assert check_files(tmp_path) == []


def test_pending_append_is_sound_and_a_torn_one_is_named(
    ledgers: dict[int, Path], tmp_path: Path
) -> None:
    shutil.copytree(ledgers[SMALL], tmp_path, dirs_exist_ok=True)
    pending = tmp_path / "log/pending"
    body = Pending(SMALL, (b"one", b"two")).encode()
    pending.write_bytes(body)
    assert check_files(tmp_path) == []
    for at in range(len(body)):
        pending.write_bytes(body[:at] + bytes([body[at] ^ 16]) + body[at + 1 :])
        assert named(tmp_path) == {"log/pending"}
    pending.write_bytes(Pending(SMALL - 2, (b"not what was", b"logged")).encode())
    assert named(tmp_path) == {"log/pending"}
    pending.write_bytes(Pending(SMALL + 1, (b"leaves a gap",)).encode())
    assert named(tmp_path) == {"log/pending"}


def test_record_whose_seq_is_not_its_place_is_named(tmp_path: Path) -> None:
    log = Log.create(tmp_path, ORIGIN)
    log.append([canonical({"seq": 0}), canonical({"seq": 2})], expected_first=0)
    assert [str(problem) for problem in check_files(tmp_path)] == [
        "log/tile/entries/000.p/2: entry 1 says seq 2"
    ]


def test_cited_size_is_compared(tmp_path: Path) -> None:
    stored = Batches(tmp_path).put("observations", b"abc")
    record = canonical({"seq": 0, **stored.reference(), "size": 4})
    Log.create(tmp_path, ORIGIN).append([record], expected_first=0)
    assert [str(problem) for problem in check_files(tmp_path)] == [
        f"{stored.name}: has 3 bytes, entry 0 says 4"
    ]


def test_directory_without_a_log_is_not_sound(tmp_path: Path) -> None:
    assert named(tmp_path) == {"log/checkpoint", "log/heads"}


# Batches ------------------------------------------------------------------------------------------


def test_body_is_stored_plain_under_its_published_digest(tmp_path: Path) -> None:
    # SHA-256 of "abc": FIPS 180-2, appendix B.1.
    sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    batches = Batches(tmp_path)
    stored = batches.put("observations", b"abc")
    assert stored.name == f"batches/observations/{sha256}.jsonl"
    assert (tmp_path / stored.name).read_bytes() == b"abc"
    assert batches.put("observations", b"abc") == stored
    assert batches.get("observations", sha256) == b"abc"
    assert batches.get("observations", f"sha256:{sha256}") == b"abc"
    assert list(batches.names()) == [stored.name]
    assert stored.reference()["sha256"] == f"sha256:{sha256}"


def test_changed_body_is_refused_when_read_and_when_put_again(tmp_path: Path) -> None:
    batches = Batches(tmp_path)
    stored = batches.put("observations", b"abc")
    (tmp_path / stored.name).write_bytes(b"abd")
    with pytest.raises(VerificationError, match=stored.name):
        batches.get("observations", stored.sha256)
    with pytest.raises(VerificationError, match=stored.name):
        batches.put("observations", b"abc")


def test_body_that_is_not_there_is_a_gap(tmp_path: Path) -> None:
    with pytest.raises(CoverageError, match="no such body"):
        Batches(tmp_path).get("observations", "0" * 64)


@pytest.mark.parametrize("kind", ["", "../log", "A", "a/b", ".a", "a b", "x" * 65])
def test_kind_that_is_no_plain_name_is_refused(tmp_path: Path, kind: str) -> None:
    with pytest.raises(UsageError, match="batch kind"):
        Batches(tmp_path).put(kind, b"")


@pytest.mark.parametrize("sha256", ["", "0" * 63, "G" * 64, "A" * 64, "../" + "0" * 61])
def test_digest_that_is_no_digest_is_refused(tmp_path: Path, sha256: str) -> None:
    with pytest.raises(UsageError, match="batch digest"):
        Batches(tmp_path).get("observations", sha256)
