"""Bodies are packed: what the files hold, what older archives held, what a bomb gets."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import zstandard

from collectors.archive import CAPTURES, GENESIS, Archive
from collectors.bodies import pack, unpack
from collectors.entries import write_line
from methodology.errors import VerificationError
from tests.test_archive import ABC, capture, filled, lines

__all__ = ["filled"]


def test_a_body_is_packed_to_a_fraction(tmp_path: Path) -> None:
    rows = b"".join(b'{"sku":"gpu-%d","usd":"%d.25"},' % (n, n % 97) for n in range(20_000))
    Archive(tmp_path).put(capture(rows))
    [path] = tmp_path.glob("??/*")
    assert path.stat().st_size * 8 < len(rows)


def test_the_commands_zstd_and_sha256sum_alone_audit_a_body(filled: Path) -> None:
    if shutil.which("sha256sum") is None or shutil.which("zstd") is None:
        pytest.skip("no sha256sum or no zstd command here")
    path = filled / "ba" / f"{ABC}.zst"
    plain = subprocess.run(["zstd", "-dcq", path], capture_output=True, check=True).stdout
    told = subprocess.run(["sha256sum"], input=plain, capture_output=True, check=True)
    assert told.stdout.split()[0].decode() == ABC


def test_the_plain_bodies_of_an_older_archive_stay_readable(tmp_path: Path) -> None:
    """As the releases before this one wrote it: no ending, no ``stored`` in the line."""
    (tmp_path / "ba").mkdir(parents=True)
    (tmp_path / "ba" / ABC).write_bytes(b"abc")
    (tmp_path / CAPTURES).write_bytes(write_line(capture(), ABC, GENESIS))
    archive = Archive(tmp_path)
    assert b"stored" not in lines(tmp_path)[0]
    assert [one.body for one in archive.captures()] == [b"abc"]
    assert archive.path(ABC) == tmp_path / "ba" / ABC
    archive.put(capture(minutes=5))
    archive.put(capture(b"new", 6))
    assert archive.check() == []
    assert [one.stored is None for one in archive.entries()] == [True, True, False]
    assert [path.name for path in (tmp_path / "ba").iterdir()] == [ABC]


def test_a_frame_that_swells_is_stopped_at_the_size_its_line_says(filled: Path) -> None:
    path = filled / "ba" / f"{ABC}.zst"
    bomb = zstandard.ZstdCompressor(level=19).compress(bytes(2**28))
    assert len(bomb) < 30_000
    for data in (bomb, bomb + b"", zstandard.ZstdCompressor().compressobj().compress(b"x" * 99)):
        path.chmod(0o644)
        path.write_bytes(data)
        with pytest.raises(VerificationError, match="its bytes were changed"):
            Archive(filled).get(ABC)
        assert path in {where for where, _ in Archive(filled).check()}


@pytest.mark.parametrize("tail", [b"x", zstandard.ZstdCompressor().compress(b"more")])
def test_nothing_may_follow_a_frame(tail: bytes) -> None:
    with pytest.raises(ValueError, match="not a zstd frame"):
        unpack(pack(b"abc") + tail, 100)
