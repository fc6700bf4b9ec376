"""The raw archive: write-once bodies, chained lines, every changed byte found."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import zstandard

from collectors import bodies as bodies_module
from collectors.archive import CAPTURES, GENESIS, Archive
from collectors.base import Capture
from collectors.bodies import pack
from methodology.errors import VerificationError
from tests.archive_files import orphans

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
# printf abc | sha256sum, the example of FIPS 180-2 appendix B.1
ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def capture(body: bytes = b"abc", minutes: float = 0, source: str = "acme") -> Capture:
    return Capture(
        source=source,
        url=f"https://{source}.example/prices?page=1",
        body=body,
        fetched_at=NOON + timedelta(minutes=minutes),
        headers={"Date": "Fri, 20 Nov 2026 12:00:00 GMT", "ETag": '"é"'},
    )


def lines(folder: Path) -> list[bytes]:
    return (folder / CAPTURES).read_bytes().splitlines(keepends=True)


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """Three lines over two bodies."""
    archive = Archive(tmp_path)
    for minutes, body in enumerate((b"abc", b"abcd" * 10, b"abc")):
        archive.put(capture(body, minutes))
    return tmp_path


def test_a_body_lies_packed_under_the_digest_of_its_plain_bytes(tmp_path: Path) -> None:
    assert Archive(tmp_path).put(capture()) == ABC
    packed = (tmp_path / "ba" / f"{ABC}.zst").read_bytes()
    assert packed[:4] == bytes.fromhex("28b52ffd")  # RFC 8878, 3.1.1
    assert zstandard.ZstdDecompressor().decompress(packed) == b"abc"
    assert Archive(tmp_path).get(ABC) == b"abc"


def test_a_line_says_where_when_and_what_and_follows_the_one_before(filled: Path) -> None:
    first, second, third = (json.loads(line) for line in lines(filled))
    # Worked out from the documented rule: the digest is over the line without its digest member.
    bare = {key: value for key, value in first.items() if key != "digest"}
    text = json.dumps(bare, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert first["digest"] == hashlib.sha256(text.encode()).hexdigest()
    packed = (filled / "ba" / f"{ABC}.zst").read_bytes()
    assert bare == {
        "bytes": 3,
        "fetched_at": "2026-11-20T12:00:00.000000Z",
        "headers": {"date": "Fri, 20 Nov 2026 12:00:00 GMT", "etag": '"é"'},
        "previous": "0" * 64,
        "sha256": ABC,
        "source": "acme",
        "status": 200,
        "stored": hashlib.sha256(packed).hexdigest(),
        "url": "https://acme.example/prices?page=1",
    }
    assert second["previous"] == first["digest"]
    assert third["previous"] == second["digest"] != first["digest"]


def test_an_unchanged_body_costs_one_line(filled: Path) -> None:
    assert len(lines(filled)) == 3
    assert sorted(path.name for path in filled.glob("??/*")) == sorted(
        {f"{ABC}.zst", hashlib.sha256(b"abcd" * 10).hexdigest() + ".zst"}
    )


def test_the_same_capture_twice_is_one_line_even_for_another_process(filled: Path) -> None:
    zone = timezone(timedelta(hours=8))
    same = capture()
    same = Capture(same.source, same.url, same.body, NOON.astimezone(zone), 200, same.headers)
    for archive in (Archive(filled), Archive(filled)):
        archive.put(capture())
        archive.put(same)
    assert len(lines(filled)) == 3


def test_captures_come_back_whole_and_in_order_of_time(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    late, early, other = capture(b"2", 5), capture(b"1", 0), capture(b"3", 1, source="zeta")
    for one in (late, other, early):
        archive.put(one)
    assert [one.body for one in archive.captures()] == [b"1", b"3", b"2"]
    [found] = archive.captures("zeta")
    assert (found.url, found.fetched_at, found.status) == (other.url, other.fetched_at, 200)
    assert found.headers == {"date": "Fri, 20 Nov 2026 12:00:00 GMT", "etag": '"é"'}
    assert archive.captures("nobody") == []


def test_an_empty_archive_reads_as_empty_and_reading_writes_nothing(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "raw")
    assert archive.captures() == []
    assert archive.check() == []
    assert orphans(archive) == []
    assert archive.head() == GENESIS
    assert not (tmp_path / "raw").exists()


def test_a_time_without_zone_is_refused(tmp_path: Path) -> None:
    naive = Capture("acme", "https://acme.example/", b"", datetime(2026, 11, 20))
    with pytest.raises(ValueError, match="time zone"):
        Archive(tmp_path).put(naive)


@pytest.mark.parametrize("name", ["../../etc/hosts", "", ABC.upper(), ABC + "\n", "ba"])
def test_only_a_digest_names_a_body(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="not a SHA-256"):
        Archive(tmp_path).get(name)


def test_a_body_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(VerificationError, match="no such body"):
        Archive(tmp_path).get(ABC)


# --- changed bytes -----------------------------------------------------------------------------


def test_every_single_flipped_bit_of_every_file_is_found_and_named(filled: Path) -> None:
    assert Archive(filled).check() == []
    files = [path for path in filled.rglob("*") if path.is_file() and path.name != ".lock"]
    assert len(files) == 3
    draw = random.Random(7)
    tried = 0
    for path in files:
        good = path.read_bytes()
        path.chmod(0o644)
        for at in range(len(good)):
            bad = bytearray(good)
            bad[at] ^= 1 << draw.randrange(8)
            path.write_bytes(bad)
            found = Archive(filled).check()
            assert path in {where for where, _ in found}, (path.name, at, bytes(bad[at : at + 1]))
            tried += 1
        path.write_bytes(good)
    assert tried > 1000
    assert Archive(filled).check() == []


def test_a_changed_body_is_not_given_back_nor_written_to(filled: Path) -> None:
    path = filled / "ba" / f"{ABC}.zst"
    path.chmod(0o644)
    path.write_bytes(pack(b"abd"))
    with pytest.raises(VerificationError, match=ABC):
        Archive(filled).get(ABC)
    with pytest.raises(VerificationError, match=ABC):
        Archive(filled).captures()
    with pytest.raises(VerificationError, match=ABC):
        Archive(filled).put(capture(minutes=9))
    assert len(lines(filled)) == 3


def drop_first(all_lines: list[bytes]) -> list[bytes]:
    return all_lines[1:]


def drop_middle(all_lines: list[bytes]) -> list[bytes]:
    return [all_lines[0], all_lines[2]]


def swap(all_lines: list[bytes]) -> list[bytes]:
    return [all_lines[1], all_lines[0], all_lines[2]]


def double(all_lines: list[bytes]) -> list[bytes]:
    return [*all_lines, all_lines[-1]]


def respell(all_lines: list[bytes]) -> list[bytes]:
    return [all_lines[0].replace(b'"status":200', b'"status": 200'), *all_lines[1:]]


def repeat_key(all_lines: list[bytes]) -> list[bytes]:
    return [all_lines[0].replace(b'"status":200', b'"status":200,"status":200'), *all_lines[1:]]


def lose_newline(all_lines: list[bytes]) -> list[bytes]:
    return [all_lines[0][:-1], *all_lines[1:]]


@pytest.mark.parametrize(
    "tamper", [drop_first, drop_middle, swap, double, respell, repeat_key, lose_newline]
)
def test_changed_lines_are_found_and_stop_all_writing(
    filled: Path, tamper: Callable[[list[bytes]], list[bytes]]
) -> None:
    changed = b"".join(tamper(lines(filled)))
    (filled / CAPTURES).write_bytes(changed)
    assert (filled / CAPTURES) in {path for path, _ in Archive(filled).check()}
    with pytest.raises(VerificationError, match="nothing was added"):
        Archive(filled).put(capture(minutes=9))
    assert (filled / CAPTURES).read_bytes() == changed


def test_lines_cut_off_the_end_show_against_a_head_kept_elsewhere(filled: Path) -> None:
    head = Archive(filled).head()
    assert head == json.loads(lines(filled)[-1])["digest"]
    assert Archive(filled).check(known_head=head) == []
    (filled / CAPTURES).write_bytes(b"".join(lines(filled)[:-1]))
    assert Archive(filled).check() == []
    [(path, problem)] = Archive(filled).check(known_head=head)
    assert path.name == CAPTURES
    assert head in problem


def test_an_older_head_still_holds_after_more_lines(filled: Path) -> None:
    head = Archive(filled).head()
    Archive(filled).put(capture(minutes=9))
    assert Archive(filled).check(known_head=head) == []


def test_missing_and_foreign_files_are_named(filled: Path) -> None:
    (filled / "ba" / f"{ABC}.zst").unlink()
    (filled / "ba" / "notes.txt").write_bytes(b"hello")
    problems = {path.name: problem for path, problem in Archive(filled).check()}
    assert problems == {
        f"{ABC}.zst": "a line names it, but it is gone",
        "notes.txt": "not a body of this archive",
    }


def test_a_file_that_shrinks_under_a_writer_stops_it(filled: Path) -> None:
    archive = Archive(filled)
    archive.put(capture(minutes=8))
    (filled / CAPTURES).write_bytes(b"".join(lines(filled)[:-1]))
    with pytest.raises(VerificationError, match="shorter"):
        archive.put(capture(minutes=9))


# --- crashes -----------------------------------------------------------------------------------


def test_a_line_torn_anywhere_is_cleared_by_the_next_put(filled: Path) -> None:
    whole = (filled / CAPTURES).read_bytes()
    *before, last = lines(filled)
    for length in range(1, len(last) - 1, 7):
        (filled / CAPTURES).write_bytes(b"".join(before) + last[:length])
        assert [path.name for path, _ in Archive(filled).check()] == [CAPTURES]
        assert len(Archive(filled).captures()) == 2
        Archive(filled).put(capture(minutes=2))
        assert (filled / CAPTURES).read_bytes() == whole, length


@pytest.mark.parametrize(
    "tail",
    [
        pytest.param(bytes(300), id="all_zeros"),
        pytest.param(bytes(300) + b'de":1}\n', id="first_page_never_written"),
    ],
)
def test_pages_that_never_reached_the_disk_are_cleared(filled: Path, tail: bytes) -> None:
    whole = (filled / CAPTURES).read_bytes()
    (filled / CAPTURES).write_bytes(whole + tail)
    Archive(filled).put(capture(minutes=2))
    assert (filled / CAPTURES).read_bytes() == whole


def test_a_last_line_that_only_lacks_its_newline_is_kept(filled: Path) -> None:
    whole = (filled / CAPTURES).read_bytes()
    (filled / CAPTURES).write_bytes(whole[:-1])
    Archive(filled).put(capture(minutes=2))
    assert (filled / CAPTURES).read_bytes() == whole


def test_a_changed_final_newline_never_costs_an_acknowledged_line(filled: Path) -> None:
    whole = (filled / CAPTURES).read_bytes()
    (filled / CAPTURES).write_bytes(whole[:-1] + b"\x0b")
    with pytest.raises(VerificationError, match="newline was changed"):
        Archive(filled).put(capture(minutes=9))
    assert (filled / CAPTURES).read_bytes() == whole[:-1] + b"\x0b"


def test_a_body_without_a_line_and_a_leftover_part_are_harmless(tmp_path: Path) -> None:
    (tmp_path / "ba").mkdir(parents=True)
    (tmp_path / "ba" / ABC).write_bytes(b"abc")
    (tmp_path / "ba" / ".part-77").write_bytes(b"ab")
    archive = Archive(tmp_path)
    assert archive.check() == []
    assert [path.name for path in orphans(archive)] == [ABC]
    archive.put(capture())
    assert orphans(archive) == []
    assert sorted(path.name for path in (tmp_path / "ba").iterdir()) == [ABC]


def test_a_disk_that_fills_up_leaves_what_was_acknowledged(
    filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = (filled / CAPTURES).read_bytes()
    real = os.write

    def full(handle: int, data: bytes) -> int:
        if len(data) > 3:
            return real(handle, bytes(data[:3]))
        raise OSError(28, "No space left on device")

    archive = Archive(filled)
    monkeypatch.setattr(bodies_module.os, "write", full)
    for body in (b"new body", b"abc"):  # the body does not fit; then only the line does not
        with pytest.raises(OSError, match="No space left"):
            archive.put(capture(body, 9))
    monkeypatch.undo()
    archive.put(capture(b"abc", 9))
    assert archive.check() == []
    assert (filled / CAPTURES).read_bytes().startswith(whole)
    assert len(archive.captures()) == 4


def put_for_ever(folder: Path, number: int, acks: str) -> None:
    archive = Archive(folder)
    handle = os.open(acks, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for step in range(100_000):
        body = b"%d %d" % (number, step) * 500
        sha256 = archive.put(capture(body, step, source=f"s{number}"))
        os.write(handle, sha256.encode() + b"\n")


def test_killed_writers_lose_nothing_they_acknowledged(tmp_path: Path) -> None:
    """Two processes on one archive, both killed at once, five times over."""
    folder, acks = tmp_path / "raw", tmp_path / "acks"
    context = multiprocessing.get_context("spawn")
    for turn in range(5):
        writers = [
            context.Process(target=put_for_ever, args=(folder, 10 * turn + n, str(acks)))
            for n in range(2)
        ]
        grown = acks.stat().st_size if acks.exists() else 0
        for writer in writers:
            writer.start()
        until = time.monotonic() + 20
        while time.monotonic() < until:  # let both get going before the kill
            if acks.exists() and acks.stat().st_size > grown + 65 * 20:
                break
            time.sleep(0.01)
        for writer in writers:
            assert writer.pid is not None
            os.kill(writer.pid, signal.SIGKILL)
            writer.join()
    archive = Archive(folder)
    archive.put(capture())
    assert archive.check() == []
    acknowledged = acks.read_text().split()
    assert len(acknowledged) >= 100
    assert {entry.sha256 for entry in archive.entries()} >= set(acknowledged)
