"""Kills at every step of an append: nothing acknowledged is lost or doubled.

Two ways to die: an exception no code catches, before, after and in the middle of each call that
changes the disk; and SIGKILL to a real process. test_ledger_power.py cuts the power.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from index.ledger import files
from index.ledger.check import check_files
from index.ledger.log import Log
from methodology.errors import LogInconsistent

ORIGIN = "example.org/test"
REPOSITORY = Path(__file__).parent.parent


class Killed(BaseException):
    """The process is gone: no handler of ours may run on it."""


class Disk:
    """Stands in for ``os`` inside :mod:`index.ledger.files`: counts, notes and breaks calls."""

    def __init__(self, step: int = -1, when: str = "") -> None:
        self.step, self.when = step, when
        self.calls: list[str] = []
        self.journal: list[tuple[Any, ...]] = []
        self.paths: dict[int, Path] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def _do(self, name: str, event: tuple[Any, ...], act: Callable[[], Any]) -> Any:
        here = len(self.calls) == self.step
        self.calls.append(name)
        if here and self.when == "before":
            raise Killed
        if here and self.when == "full":
            raise OSError(28, "No space left on device")
        result = act()
        self.journal.append(event)
        if here and self.when == "after":
            raise Killed
        return result

    def open(self, path: Path, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_CREAT:
            descriptor = self._do("open", ("create", path), lambda: os.open(path, flags, mode))
        else:
            descriptor = os.open(path, flags, mode)
        self.paths[descriptor] = path
        return int(descriptor)

    def write(self, descriptor: int, body: bytes) -> int:
        path, data = self.paths[descriptor], bytes(body)
        if len(self.calls) == self.step and self.when == "middle":
            data = data[: len(data) // 2]
            self.journal.append(("write", path, data))
            os.write(descriptor, data)
            raise Killed
        event = ("write", path, data)
        return int(self._do("write", event, lambda: os.write(descriptor, data)))

    def fsync(self, descriptor: int) -> None:
        self._do("fsync", ("fsync", self.paths[descriptor]), lambda: os.fsync(descriptor))

    def replace(self, source: Path, target: Path) -> None:
        self._do("replace", ("replace", source, target), lambda: os.replace(source, target))

    def unlink(self, path: Path) -> None:
        self._do("unlink", ("unlink", path), lambda: os.unlink(path))

    def mkdir(self, path: Path) -> None:
        self._do("mkdir", ("mkdir", path), lambda: os.mkdir(path))

    def rmdir(self, path: Path) -> None:
        self._do("rmdir", ("rmdir", path), lambda: os.rmdir(path))


def entries(first: int, last: int) -> list[bytes]:
    return [f"record {number}".encode() * (1 + number % 3) for number in range(first, last)]


def made(directory: Path, size: int) -> None:
    log = Log.create(directory, ORIGIN)
    log.append(entries(0, size), expected_first=0)


def steps_of(directory: Path, work: Callable[[Path], object]) -> list[str]:
    """The disk-changing calls of ``work``, run once on a copy."""
    copy = directory.with_name("dry")
    shutil.copytree(directory, copy)
    disk = Disk()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "os", disk)
        work(copy)
    shutil.rmtree(copy)
    return disk.calls


def crash(directory: Path, disk: Disk, work: Callable[[Path], object]) -> None:
    """Run ``work`` until it is killed, or ends because the step lies beyond it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "os", disk)
        try:
            work(directory)
        except Killed:
            pass
        except OSError as error:
            assert error.errno == 28  # noqa: PT017


def sound(directory: Path, acknowledged: int, offered: int) -> Log:
    """Open after a crash; every promise of the log is checked."""
    assert check_files(directory) == []
    assert Log.open(directory, read_only=True).size in (acknowledged, offered)
    log = Log.open(directory)
    assert log.size in (acknowledged, offered)
    assert list(log.entries()) == entries(0, log.size)
    assert check_files(directory) == []
    log.append(entries(log.size, log.size + 3), expected_first=log.size)
    again = Log.open(directory)
    assert again.recovery == []
    assert list(again.entries()) == entries(0, log.size)
    assert check_files(directory) == []
    return again


CASES = {
    "first_entries": (0, 2),
    "partial_tile_widened": (5, 6),
    "tile_just_filled": (254, 256),
    "tile_boundary_crossed": (255, 257),
    "several_tiles_at_once": (250, 520),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("when", ["before", "middle", "after", "full"])
def test_append_killed_at_any_step_is_whole_or_absent(tmp_path: Path, case: str, when: str) -> None:
    old, new = CASES[case]
    base = tmp_path / "base"
    made(base, old)

    def work(directory: Path) -> None:
        Log.open(directory).append(entries(old, new), expected_first=old)

    calls = steps_of(base, work)
    assert calls.count("replace") >= 4
    outcomes = set()
    for step, call in enumerate(calls):
        if call != "write" if when == "middle" else new - old > 100 and step % 3:
            continue
        copy = tmp_path / "copy"
        shutil.copytree(base, copy)
        crash(copy, Disk(step, when), work)
        outcomes.add(Log.open(copy, read_only=True).size)
        sound(copy, old, new)
        shutil.rmtree(copy)
    assert outcomes == {old, new}


def test_recovery_killed_at_any_step_is_taken_up_again(tmp_path: Path) -> None:
    base = tmp_path / "base"
    made(base, 255)

    def work(directory: Path) -> None:
        Log.open(directory).append(entries(255, 257), expected_first=255)

    kills = 0
    for first in range(1, len(steps_of(base, work)), 4):
        stopped = tmp_path / "stopped"
        shutil.copytree(base, stopped)
        crash(stopped, Disk(first, "after"), work)
        for second in range(0, len(steps_of(stopped, Log.open)), 5):
            copy = tmp_path / "copy"
            shutil.copytree(stopped, copy)
            crash(copy, Disk(second, "before"), Log.open)
            sound(copy, 255, 257)
            shutil.rmtree(copy)
            kills += 1
        shutil.rmtree(stopped)
    assert kills > 30


def test_creation_killed_at_any_step_can_be_done_again(tmp_path: Path) -> None:
    base = tmp_path / "base"
    base.mkdir()

    def work(directory: Path) -> None:
        Log.create(directory / "ledger", ORIGIN)

    for when in ("before", "middle", "after"):
        for step in range(len(steps_of(base, work))):
            copy = tmp_path / "copy"
            shutil.copytree(base, copy)
            crash(copy, Disk(step, when), work)
            if not Log.exists(copy / "ledger"):
                work(copy)
            sound(copy / "ledger", 0, 0)
            shutil.rmtree(copy)


def test_failed_append_stops_this_object_until_the_log_is_opened_again(tmp_path: Path) -> None:
    made(tmp_path / "ledger", 5)
    log = Log.open(tmp_path / "ledger")
    disk = Disk(8, "full")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "os", disk)
        with pytest.raises(OSError, match="No space left"):
            log.append(entries(5, 7), expected_first=5)
    assert log.size == 5
    assert list(log.entries()) == entries(0, 5)
    with pytest.raises(LogInconsistent, match="open the log again"):
        log.append(entries(5, 7), expected_first=5)
    again = Log.open(tmp_path / "ledger")
    assert again.recovery == ["logged 2 pending entries, seq 5 to 6, byte for byte"]
    assert list(again.entries()) == entries(0, 7)


def test_torn_pending_file_was_never_acknowledged_and_is_discarded_aloud(tmp_path: Path) -> None:
    made(tmp_path, 5)
    (tmp_path / "log/pending").write_bytes(b"pending 5 1\n\0\x05abc")
    assert Log.open(tmp_path, read_only=True).size == 5
    log = Log.open(tmp_path)
    assert log.size == 5
    assert len(log.recovery) == 1
    assert log.recovery[0].startswith("discarded a torn pending file")
    assert not (tmp_path / "log/pending").exists()


def test_torn_pending_file_of_an_append_that_had_begun_stops_everything(tmp_path: Path) -> None:
    made(tmp_path, 5)

    def work(directory: Path) -> None:
        Log.open(directory).append(entries(5, 6), expected_first=5)

    calls = steps_of(tmp_path, work)
    crash(tmp_path, Disk(len(calls) - 12, "after"), work)
    pending = tmp_path / "log/pending"
    pending.write_bytes(pending.read_bytes()[:-1])
    with pytest.raises(LogInconsistent, match="log/pending"):
        Log.open(tmp_path)


# Real kills ---------------------------------------------------------------------------------------

APPENDER = """
import sys
from pathlib import Path
from index.ledger.log import Log
log = Log.open(Path(sys.argv[1]))
print("open", log.size, flush=True)
while True:
    count = 1 + log.size % 4
    records = [b"record %d" % n * (1 + n % 3) for n in range(log.size, log.size + count)]
    log.append(records, expected_first=log.size)
    print("logged", log.size, flush=True)
"""


def test_killed_process_loses_nothing_it_acknowledged(tmp_path: Path) -> None:
    Log.create(tmp_path, ORIGIN)
    draw = random.Random(7)
    finished = 0
    for _ in range(8):
        with subprocess.Popen(
            [sys.executable, "-c", APPENDER, str(tmp_path)],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            # After some appends it told of, however long they took, and anywhere in the next.
            said = [process.stdout.readline() for _ in range(draw.randint(3, 8))]
            assert said[0].startswith("open ")
            time.sleep(draw.uniform(0.0, 0.02))
            process.send_signal(signal.SIGKILL)
            said += process.stdout.read().splitlines(keepends=True)
        told = [line for line in said if line.startswith("logged ") and line.endswith("\n")]
        acknowledged = int(told[-1].split()[1])
        assert acknowledged >= finished
        # Half of the time the next appender recovers the log, not this process.
        log = Log.open(tmp_path, read_only=draw.random() < 0.5)
        assert acknowledged <= log.size <= acknowledged + 4
        assert list(log.entries()) == entries(0, log.size)
        finished = log.size
    assert finished > 40  # a suite that made no progress proves nothing
    log = Log.open(tmp_path)
    assert list(log.entries()) == entries(0, log.size)
    assert check_files(tmp_path) == []
