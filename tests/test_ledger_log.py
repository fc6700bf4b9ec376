"""The log: its files byte for byte, what it refuses, what opening it notices."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest

from index.ledger import merkle
from index.ledger.check import check_files
from index.ledger.files import write_durably
from index.ledger.log import Log
from index.ledger.tiles import ENTRIES, Tile, tiles_of
from methodology.errors import CoverageError, LogInconsistent

ORIGIN = "example.org/test"
# The eight leaves and the root of the Certificate Transparency reference vectors.
LEAVES = [b"", b"\0", b"\x10", b"\x20\x21", b"01", b"@ABC", b"PQRSTUVW", b"`abcdefghijklmno"]
ROOT = bytes.fromhex("5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328")


def entry(number: int) -> bytes:
    return f"record {number}".encode()


def filled(directory: Path, *sizes: int) -> Log:
    """A log of made entries whose checkpoints are at ``sizes``."""
    log = Log.create(directory, ORIGIN)
    for size in sizes:
        log.append([entry(n) for n in range(log.size, size)], expected_first=log.size)
    return log


def names(directory: Path) -> list[str]:
    log = directory / "log"
    return sorted(path.relative_to(log).as_posix() for path in log.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("index", "width", "path"),
    [
        (0, 256, "tile/entries/000"),
        (0, 1, "tile/entries/000.p/1"),
        (999, 256, "tile/entries/999"),
        (1000, 256, "tile/entries/x001/000"),
        (1234067, 256, "tile/entries/x001/x234/067"),
        (1234067, 8, "tile/entries/x001/x234/067.p/8"),
    ],
)
def test_paths_are_those_of_the_tile_specification(index: int, width: int, path: str) -> None:
    assert Tile(ENTRIES, index, width).path == path


def test_tree_of_70000_leaves_has_the_tiles_of_the_specifications_example() -> None:
    # 70,000 = 273 * 256 + 112 leaves; 273 = 256 + 17 full tiles; one tile of 256 of those.
    paths = [tile.path for tile in tiles_of(70_000)]
    assert len(paths) == 274 + 274 + 2 + 1
    assert "tile/entries/273.p/112" in paths
    assert "tile/0/273.p/112" in paths
    assert {"tile/1/000", "tile/1/001.p/17", "tile/2/000.p/1"} <= set(paths)


def test_files_of_the_reference_leaves_are_as_worked_by_hand(tmp_path: Path) -> None:
    log = Log.create(tmp_path, ORIGIN)
    assert log.append(LEAVES, expected_first=0) == range(8)
    assert names(tmp_path) == ["checkpoint", "heads", "tile/0/000.p/8", "tile/entries/000.p/8"]
    root = base64.b64encode(ROOT).decode()
    checkpoint = f"example.org/test\n8\n{root}\n"
    assert (tmp_path / "log/checkpoint").read_text() == checkpoint == log.checkpoint_text()
    assert (tmp_path / "log/tile/entries/000.p/8").read_bytes() == bytes.fromhex(
        "0000 000100 000110 00022021 00023031 000440414243 00085051525354555657"
        "0010606162636465666768696a6b6c6d6e6f"
    )
    tile = b"".join(hashlib.sha256(b"\0" + leaf).digest() for leaf in LEAVES)
    assert (tmp_path / "log/tile/0/000.p/8").read_bytes() == tile
    assert log.root == ROOT
    assert list(log.entries()) == LEAVES


def test_full_tiles_rise_a_level_and_superseded_partial_ones_go(tmp_path: Path) -> None:
    filled(tmp_path, 3, 255, 300, 513)
    assert names(tmp_path) == [
        "checkpoint",
        "heads",
        "tile/0/000",
        "tile/0/001",
        "tile/0/002.p/1",
        "tile/1/000.p/2",
        "tile/entries/000",
        "tile/entries/001",
        "tile/entries/002.p/1",
    ]
    upper = (tmp_path / "log/tile/1/000.p/2").read_bytes()
    second = [merkle.leaf_hash(entry(number)) for number in range(256, 512)]
    assert upper[32:] == merkle.root(second)


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 600])
def test_log_reopened_is_the_log_that_was_written(tmp_path: Path, size: int) -> None:
    written = filled(tmp_path, *([size] if size else []))
    log = Log.open(tmp_path)
    assert (log.size, log.root, log.origin) == (size, written.root, ORIGIN)
    assert log.recovery == []
    assert list(log.entries()) == [entry(number) for number in range(size)]
    assert check_files(tmp_path) == []
    for seq in range(0, size, 50):
        assert log.entry(seq) == entry(seq)
        proof = log.inclusion_proof(seq)
        assert merkle.verify_inclusion(log.leaf_hash(seq), seq, size, proof, log.root)
    assert list(log.entries(size // 3, size // 2)) == [
        entry(number) for number in range(size // 3, size // 2)
    ]


def test_every_earlier_head_is_kept_and_consistent_with_now(tmp_path: Path) -> None:
    filled(tmp_path, 1, 7, 256, 258)
    log = Log.open(tmp_path)
    assert [head.size for head in log.heads] == [0, 1, 7, 256, 258]
    for head in log.heads:
        assert log.root_at(head.size) == head.root
        proof = log.consistency_proof(head.size)
        assert merkle.verify_consistency(head.size, log.size, head.root, log.root, proof)
    with pytest.raises(CoverageError, match="the log has 258"):
        log.root_at(259)


def test_two_ways_of_batching_give_one_tree(tmp_path: Path) -> None:
    one = filled(tmp_path / "one", 600)
    many = filled(tmp_path / "many", *range(1, 20), 400, 512, 600)
    assert one.checkpoint_text() == many.checkpoint_text()
    assert names(tmp_path / "one") == names(tmp_path / "many")


def test_append_of_nothing_changes_nothing(tmp_path: Path) -> None:
    log = filled(tmp_path, 3)
    assert log.append([], expected_first=3) == range(3, 3)
    assert [head.size for head in log.heads] == [0, 3]


def test_records_built_for_another_seq_are_refused(tmp_path: Path) -> None:
    log = filled(tmp_path, 3)
    with pytest.raises(LogInconsistent, match="built for seq 2 and the next one is 3"):
        log.append([b"x"], expected_first=2)
    assert log.append([b"x"], expected_first=3) == range(3, 4)


def test_leaf_of_65535_bytes_is_the_longest(tmp_path: Path) -> None:
    log = filled(tmp_path, 3)
    with pytest.raises(ValueError, match="entry 4 has 65536 bytes"):
        log.append([b"", bytes(65_536)], expected_first=3)
    log.append([bytes(65_535), b""], expected_first=3)
    assert list(Log.open(tmp_path).entries(3)) == [bytes(65_535), b""]


def test_second_writer_without_the_lock_is_noticed(tmp_path: Path) -> None:
    first = filled(tmp_path, 3)
    Log.open(tmp_path).append([b"x"], expected_first=3)
    with pytest.raises(LogInconsistent, match="second publisher"):
        first.append([b"y"], expected_first=3)
    # A reader that was open all along still reads what it knew, from the wider bundle.
    assert list(first.entries()) == [entry(0), entry(1), entry(2)]


def test_bundle_changed_under_an_open_log_is_noticed(tmp_path: Path) -> None:
    log = filled(tmp_path, 3)
    bundle = tmp_path / "log/tile/entries/000.p/3"
    bundle.write_bytes(bundle.read_bytes().replace(b"record 1", b"record 7"))
    with pytest.raises(LogInconsistent, match=r"tile/entries/000\.p/3"):
        log.entry(0)
    bundle.unlink()
    with pytest.raises(LogInconsistent, match="tile/entries/000"):
        log.entry(0)


@pytest.mark.parametrize("seq", [-1, 3])
def test_entry_outside_the_log_is_refused(tmp_path: Path, seq: int) -> None:
    with pytest.raises(CoverageError):
        filled(tmp_path, 3).entry(seq)


def test_read_only_log_cannot_append_and_changes_nothing(tmp_path: Path) -> None:
    filled(tmp_path, 3)
    leftover = tmp_path / "log" / ".checkpoint.1-1.tmp"
    leftover.write_bytes(b"half")
    log = Log.open(tmp_path, read_only=True)
    assert log.size == 3
    assert leftover.exists()
    with pytest.raises(LogInconsistent, match="for reading only"):
        log.append([b"x"], expected_first=3)
    assert Log.open(tmp_path).recovery == ["removed unfinished file log/.checkpoint.1-1.tmp"]
    assert not leftover.exists()


@pytest.mark.parametrize("origin", ["", "two words", "a+b", "a\nb", "ü", "x" * 201])
def test_origin_that_cannot_name_a_key_is_refused(tmp_path: Path, origin: str) -> None:
    with pytest.raises(ValueError, match="log origin"):
        Log.create(tmp_path, origin)


def test_log_is_created_once(tmp_path: Path) -> None:
    with pytest.raises(CoverageError, match="no log here"):
        Log.open(tmp_path)
    assert not Log.exists(tmp_path)
    filled(tmp_path, 1)
    assert Log.exists(tmp_path)
    with pytest.raises(LogInconsistent, match="already"):
        Log.create(tmp_path, ORIGIN)
    (tmp_path / "log/checkpoint").unlink()
    with pytest.raises(LogInconsistent, match="already"):
        Log.create(tmp_path, ORIGIN)


def put_back(directory: Path, saved: dict[str, bytes]) -> None:
    for name in names(directory):
        (directory / "log" / name).unlink()
    for name, body in saved.items():
        (directory / "log" / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / "log" / name).write_bytes(body)


def save(directory: Path) -> dict[str, bytes]:
    return {name: (directory / "log" / name).read_bytes() for name in names(directory)}


def test_older_state_put_back_without_its_heads_is_a_truncation(tmp_path: Path) -> None:
    log = filled(tmp_path, 5)
    old = save(tmp_path)
    log.append([b"x"], expected_first=5)
    old["heads"] = (tmp_path / "log/heads").read_bytes()
    put_back(tmp_path, old)
    with pytest.raises(LogInconsistent, match=r"log/heads: names 6 entries.* 5: it was cut short"):
        Log.open(tmp_path)


def test_old_checkpoint_alone_put_back_is_named(tmp_path: Path) -> None:
    log = filled(tmp_path, 256)
    old = save(tmp_path)["checkpoint"]
    log.append([b"x"], expected_first=256)
    (tmp_path / "log/checkpoint").write_bytes(old)
    with pytest.raises(LogInconsistent, match="log/checkpoint: says size 256"):
        Log.open(tmp_path)


def test_history_rewritten_with_matching_tiles_and_checkpoint_betrays_itself(
    tmp_path: Path,
) -> None:
    log = filled(tmp_path / "true", 2, 5)
    forged = Log.create(tmp_path / "forged", ORIGIN)
    forged.append([entry(0), b"another price", *map(entry, (2, 3, 4))], expected_first=0)
    state = save(tmp_path / "forged")
    now = state["heads"].splitlines(keepends=True)[-1]
    true = save(tmp_path / "true")["heads"].splitlines(keepends=True)
    state["heads"] = b"".join([*true[:-1], now])
    put_back(tmp_path / "true", state)
    with pytest.raises(LogInconsistent, match="log/heads: says size 2"):
        Log.open(tmp_path / "true")
    # With every file exchanged only a head noted elsewhere tells.
    put_back(tmp_path / "true", save(tmp_path / "forged"))
    assert Log.open(tmp_path / "true").root_at(5) != log.root


def test_write_once_file_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b"
    assert write_durably(path, b"one") is True
    assert write_durably(path, b"one") is False
    with pytest.raises(LogInconsistent, match="exists with other bytes"):
        write_durably(path, b"two")
    assert path.read_bytes() == b"one"
    assert list(path.parent.iterdir()) == [path]
