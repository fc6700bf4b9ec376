"""One publisher: another process is refused, stopped holders keep the lock, killed ones do not."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from index.ledger.lock import PublisherLock
from index.ledger.log import Log
from methodology.errors import LockHeld

REPOSITORY = Path(__file__).parent.parent
HOLDER = """
import sys
from pathlib import Path
from index.ledger.lock import PublisherLock
from index.ledger.log import Log
root = Path(sys.argv[1])
with PublisherLock(root / "publisher.lock"):
    print("held", flush=True)
    sys.stdin.readline()
    log = Log.open(root / "ledger")
    log.append([b"by the holder"], expected_first=log.size)
    print("done", flush=True)
"""
CONTENDER = """
import sys
from pathlib import Path
from index.ledger.lock import PublisherLock
from methodology.errors import SpotfixError
try:
    with PublisherLock(Path(sys.argv[1]) / "publisher.lock"):
        print("held")
except SpotfixError as error:
    print(error)
    sys.exit(error.exit_code)
"""


@contextlib.contextmanager
def holder(root: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", HOLDER, str(root)]
    with subprocess.Popen(
        command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def contend(root: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", CONTENDER, str(root)]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60)


def test_second_process_exits_75_and_names_the_first(tmp_path: Path) -> None:
    with holder(tmp_path) as first:
        second = contend(tmp_path)
        assert second.returncode == 75
        assert f"process {first.pid} on " in second.stdout


def test_killed_holder_leaves_the_lock_free(tmp_path: Path) -> None:
    with holder(tmp_path) as first:
        first.kill()
        first.wait()
    assert contend(tmp_path).returncode == 0


def test_stopped_holder_keeps_the_lock_and_completes_when_it_resumes(tmp_path: Path) -> None:
    Log.create(tmp_path / "ledger", "example.org/test")
    with holder(tmp_path) as first:
        first.send_signal(signal.SIGSTOP)
        os.waitpid(first.pid, os.WUNTRACED)  # returns when it has stopped
        assert contend(tmp_path).returncode == 75
        first.send_signal(signal.SIGCONT)
        assert first.communicate("go\n", timeout=60)[0] == "done\n"
    assert list(Log.open(tmp_path / "ledger").entries()) == [b"by the holder"]
    assert contend(tmp_path).returncode == 0


def test_second_object_in_the_same_process_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "publisher.lock"
    with PublisherLock(path) as lock:
        assert lock.held
        with pytest.raises(LockHeld, match=f"process {os.getpid()} on"):
            PublisherLock(path).__enter__()
        with pytest.raises(LockHeld, match="already"):
            lock.__enter__()
    assert not lock.held
    assert path.read_bytes() == b""
    with lock:
        assert lock.held


def test_lock_is_released_when_the_work_fails(tmp_path: Path) -> None:
    path = tmp_path / "publisher.lock"
    with pytest.raises(ZeroDivisionError), PublisherLock(path):
        _ = 1 // 0
    with PublisherLock(path):
        pass


def sleeper(ready: str) -> None:
    Path(ready).touch()
    time.sleep(60)


def test_forked_child_does_not_keep_its_parents_lock(tmp_path: Path) -> None:
    path = tmp_path / "publisher.lock"
    child = multiprocessing.get_context("fork").Process(
        target=sleeper, args=(str(tmp_path / "ready"),)
    )
    with PublisherLock(path):
        child.start()
        while not (tmp_path / "ready").exists():
            time.sleep(0.01)
        with pytest.raises(LockHeld):
            PublisherLock(path).__enter__()
    try:
        with PublisherLock(path):
            pass
    finally:
        child.kill()
        child.join()


def test_command_line_beyond_its_first_word_is_not_written_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/spotfix", "run", "--key", "canary-secret"])
    with PublisherLock(tmp_path / "publisher.lock") as lock:
        text = lock.path.read_text()
    assert "running 'spotfix run'" in text
    assert "canary" not in text
