"""A disk that is full at any step of a publication: a clear error, nothing half, one record after.

Every call of the operating system that a publication makes to write (create, write, flush, rename,
link, make a directory) fails once, alone, with ENOSPC; then a real limit and a real small disk.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from index.config import Settings
from index.ledger.files import is_temporary
from index.ledger.log import Log
from index.publication import notes, tree
from index.publication.publisher import Publisher
from tests import fixing_records as made
from tests.offline import plain_environment

ROOT = Path(__file__).resolve().parents[1]

CALLS = ("open", "write", "fsync", "rename", "replace", "link", "mkdir")


class Full:
    """Counts what a publication asks of the disk, and refuses the one at ``at``."""

    def __init__(self, at: int | None = None) -> None:
        self.at = at
        self.count = 0
        self.refused: str | None = None

    def asked(self, name: str) -> None:
        self.count += 1
        if self.count == self.at:
            self.refused = name
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@contextlib.contextmanager
def full(disk: Full) -> Iterator[None]:
    """Let the writing calls of ``os`` pass through ``disk``."""
    kept = {name: getattr(os, name) for name in CALLS}

    def standing_in(name: str) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            reads = name == "open" and not args[1] & os.O_CREAT
            is_there = name == "mkdir" and os.path.isdir(args[0])
            if not (reads or is_there):
                disk.asked(name)
            return kept[name](*args, **kwargs)

        return call

    try:
        for name in CALLS:
            setattr(os, name, standing_in(name))
        yield
    finally:
        for name, call in kept.items():
            setattr(os, name, call)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory in which the keys are published and a fixing is appended, not published."""
    out = tmp_path_factory.mktemp("prepared") / "out"
    settings = made.settings(out)
    log = Log.create(settings.ledger, made.ORIGIN)
    made.add(log, *made.opening(made.ring()))
    Publisher(settings, made.ring(), made.at).catch_up(log)
    made.add(log, made.fixing(4))
    return out


def look(out: Path, *, is_done: bool) -> None:
    """Check what the public sees: whole files only, manifests after what they name."""
    found = {path.name: path for path in out.rglob("*") if path.is_file()}
    assert not [name for name in found if is_temporary(name)]
    drop = out / "drop/v1/2026/11/20/NYC"
    for manifest in drop.glob("MANIFEST_*.json"):
        assert (drop / f"{manifest.name}.sig").exists()
        for one in json.loads(manifest.read_bytes())["files"]:
            body = (drop / one["name"]).read_bytes()
            assert "sha256:" + hashlib.sha256(body).hexdigest() == one["sha256"]
    checkpoint = (out / "site" / tree.CHECKPOINT).read_bytes()
    size = notes.verify_checkpoint(checkpoint, made.ring().log_keys).size
    records = [path for path in drop.glob("*.json") if "MANIFEST" not in path.name]
    if is_done:
        assert size == 5
    if size == 5:
        log = Log.open(out / "ledger", read_only=True)
        assert [path.read_bytes() for path in records] == [log.entry(4)]
        assert len(list(drop.glob("MANIFEST_*.json"))) == 1
        second = out / "site/v1/fixings/TKR-one-OUT/NYC/2026-11-20/r0.json"
        assert second.read_bytes() == log.entry(4)


def steps_of(prepared: Path, work: Path) -> int:
    """Return how many times one publication asks the disk to write."""
    shutil.copytree(prepared, work)
    settings = made.settings(work)
    publisher, log = Publisher(settings, made.ring(), made.at), Log.open(settings.ledger)
    disk = Full()
    with full(disk):
        publisher.catch_up(log)
    shutil.rmtree(work)
    return disk.count


def test_every_write_of_a_publication_may_fail_once(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A flush that is let through need not reach the disk: nobody cuts the power here.
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    steps = steps_of(prepared, tmp_path / "out")
    refused: dict[str, int] = {}
    for at in range(1, steps + 1):
        out = tmp_path / str(at)
        shutil.copytree(prepared, out)
        settings = made.settings(out)
        publisher, log = Publisher(settings, made.ring(), made.at), Log.open(settings.ledger)
        disk = Full(at)
        with full(disk), pytest.raises(OSError, match="free some space and run") as failed:
            publisher.catch_up(log)
        assert failed.value.errno == errno.ENOSPC
        assert str(out) in str(failed.value.filename)
        assert "No space left" in str(failed.value)
        assert "safe" in str(failed.value)
        look(out, is_done=False)
        again = publisher if at % 2 else Publisher(settings, made.ring(), made.at)
        again.catch_up(log)
        look(out, is_done=True)
        refused[str(disk.refused)] = refused.get(str(disk.refused), 0) + 1
        shutil.rmtree(out)
    print(f"{steps} steps: {refused}")
    assert steps > 60
    assert set(refused) == set(CALLS)


CHILD = """
import resource, sys
from index.ledger.log import Log
from index.publication.publisher import Publisher
from tests import fixing_records as made
from pathlib import Path
settings = made.settings(Path(sys.argv[1]))
log = Log.open(settings.ledger)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    Publisher(settings, made.ring(), made.at).catch_up(log)
except OSError as error:
    sys.exit(str(error))
"""


def child(settings: Settings, limit: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", CHILD, str(settings.out), str(limit)],
        cwd=ROOT,
        env=plain_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_real_limit_on_the_size_of_files(prepared: Path, tmp_path: Path) -> None:
    """The record has more than 2,000 bytes and its signature 64."""
    out = tmp_path / "out"
    shutil.copytree(prepared, out)
    settings = made.settings(out)
    done = child(settings, 1000)
    assert done.returncode == 1, done.stderr
    assert "File too large" in done.stderr
    assert "free some space and run the command again" in done.stderr
    look(out, is_done=False)
    assert child(settings, 10**7).returncode == 0
    look(out, is_done=True)


def test_a_real_small_disk(prepared: Path, tmp_path: Path) -> None:
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("mounting a small disk needs root")
    disk = tmp_path / "disk"
    disk.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if subprocess.run(words, capture_output=True, timeout=20, check=False).returncode != 0:
        pytest.skip("mounting is not permitted here")
    try:
        out = disk / "out"
        shutil.copytree(prepared, out)
        settings = made.settings(out)
        log = Log.open(settings.ledger)
        ballast = disk / "ballast"
        room = os.statvfs(disk)
        free = room.f_bavail * room.f_frsize
        seen = 0
        for left in (0, 4096, 16384, 32768):  # full at once, then a little later each time
            ballast.write_bytes(b"\0" * (free - left))
            with pytest.raises(OSError, match="free some space and run") as failed:
                Publisher(settings, made.ring(), made.at).catch_up(log)
            assert failed.value.errno == errno.ENOSPC
            look(out, is_done=False)
            ballast.unlink()
            room = os.statvfs(disk)
            free = room.f_bavail * room.f_frsize
            seen += 1
        assert seen == 4
        Publisher(settings, made.ring(), made.at).catch_up(log)
        look(out, is_done=True)
    finally:
        subprocess.run(["umount", str(disk)], timeout=20, check=True)
