"""A projection that is killed, refused or overtaken leaves the files that were there."""

from __future__ import annotations

import fcntl
import hashlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import duckdb
import polars as pl
import pytest

from index import config, projections
from index.config import Settings
from index.ledger.log import Log
from index.warehouse import files, package, tables, write
from methodology.errors import CoverageError, LockHeld

ROOT = Path(__file__).resolve().parents[1]
NAMES = (write.ANALYSTS_FILE, package.PACKAGE, *write.PARQUET)

KILLED = """
import os, signal, sys
import duckdb
from index import config, projections
from index.warehouse import files

where, at = sys.argv[1], int(sys.argv[2])
seen = 0

def step(frame, event, arg):
    # counts the calls made while files are written, and dies at the chosen one
    global seen
    if event in ("call", "c_call") and frame.f_code.co_filename.endswith(
        ("warehouse/write.py", "warehouse/package.py", "warehouse/files.py")
    ):
        seen += 1
        if seen == at:
            os.kill(os.getpid(), signal.SIGKILL)

settings = config.load(out=where)
sys.setprofile(step)
projections.rebuild(settings)
sys.setprofile(None)
print(seen)
"""


def digests(settings: Settings) -> dict[str, str]:
    return {n: hashlib.sha256((settings.data / n).read_bytes()).hexdigest() for n in NAMES}


def leftovers(settings: Settings) -> list[str]:
    known = {*NAMES, files.LOCK}
    return sorted(p.name for p in settings.data.iterdir() if p.name not in known)


def readable(settings: Settings) -> None:
    for name in write.PARQUET:
        assert pl.read_parquet(settings.data / name).height > 0
    with duckdb.connect(settings.data / write.ANALYSTS_FILE, read_only=True) as spot:
        (size,) = spot.execute("SELECT size FROM log_head").fetchall()[0]
    assert size == Log.open(settings.ledger, read_only=True).size


def rebuild_killed(settings: Settings, at: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", KILLED, str(settings.out), str(at)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_kill_at_any_step_leaves_whole_files_and_the_next_run_sweeps(
    few_copy: Settings,
) -> None:
    projections.rebuild(few_copy)
    whole = rebuild_killed(few_copy, -1)
    assert whole.returncode == 0, whole.stderr
    steps = int(whole.stdout)
    left_behind = 0
    for at in (steps // 5, steps // 2, steps - 8, steps - 1):
        done = rebuild_killed(few_copy, at)
        assert done.returncode == -signal.SIGKILL, (at, done.stderr)
        readable(few_copy)
        left_behind += len(leftovers(few_copy))
    assert left_behind > 0, "no kill fell while a file was being written"
    projections.rebuild(few_copy)
    assert leftovers(few_copy) == []
    assert projections.is_current(few_copy)


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_file_means_not_current(few_copy: Settings, name: str) -> None:
    assert not projections.is_current(few_copy)
    projections.rebuild(few_copy)
    assert projections.is_current(few_copy)
    (few_copy.data / name).unlink()
    assert not projections.is_current(few_copy)


def test_a_file_of_another_log_head_means_not_current(few_copy: Settings) -> None:
    projections.rebuild(few_copy)
    assert not write.is_made_from(few_copy.data, 520, "00" * 32)
    (few_copy.data / write.ANALYSTS_FILE).write_bytes(b"torn")
    assert not projections.is_current(few_copy)


def test_a_refusal_while_writing_keeps_the_old_file(
    few_copy: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    projections.rebuild(few_copy)
    before = digests(few_copy)

    def full(path: Path) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(files, "flush", full)
    with pytest.raises(OSError, match="No space left"):
        projections.rebuild(few_copy)
    assert digests(few_copy) == before
    assert leftovers(few_copy) == []


def test_a_reader_keeps_its_file_while_a_new_one_takes_the_place(few_copy: Settings) -> None:
    projections.rebuild(few_copy)
    path = few_copy.data / write.ANALYSTS_FILE
    with duckdb.connect(path, read_only=True) as reader:
        inode = path.stat().st_ino
        (before,) = reader.execute("SELECT count(*) FROM fixing").fetchall()
        projections.rebuild(few_copy)
        assert path.stat().st_ino != inode
        assert reader.execute("SELECT count(*) FROM fixing").fetchall() == [before]
        assert before == (36,)


def test_a_second_projection_waits_and_then_gives_up_by_name(tmp_path: Path) -> None:
    with (
        files.exclusive(tmp_path),
        pytest.raises(LockHeld, match="try again") as refused,
        files.exclusive(tmp_path, wait=0.1),
    ):
        pytest.fail("two projections at once")
    assert refused.value.exit_code == 75


def test_a_second_projection_goes_on_when_the_first_is_done(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path / files.LOCK, os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    timer = threading.Timer(0.2, os.close, [descriptor])
    timer.start()
    with files.exclusive(tmp_path, wait=20):
        assert not timer.is_alive() or timer.finished.is_set()
    timer.join()


@pytest.mark.parametrize(
    ("name", "is_swept"),
    [
        pytest.param(".spot.duckdb.123-0.tmp", True, id="an unfinished file goes"),
        pytest.param(".spot.duckdb.123-0.tmp.wal", True, id="its write-ahead log goes"),
        pytest.param("spot.duckdb", False, id="the file itself stays"),
        pytest.param("notes.tmp", False, id="someone's own file stays"),
        pytest.param(".hidden", False, id="a hidden file of someone stays"),
    ],
)
def test_only_files_of_this_module_are_swept(tmp_path: Path, name: str, is_swept: bool) -> None:
    (tmp_path / name).write_bytes(b"x")
    assert files.sweep(tmp_path) == ([tmp_path / name] if is_swept else [])
    assert (tmp_path / name).exists() is not is_swept


def test_without_a_log_nothing_is_written(tmp_path: Path) -> None:
    settings = config.load(out=tmp_path / "out")
    with pytest.raises(CoverageError, match="publish something first"):
        projections.rebuild(settings)
    assert not settings.out.exists()
    assert not projections.is_current(settings)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param("table", "tables differ from schema.sql", id="a table is missing"),
        pytest.param("column", "columns differ from schema.sql", id="a column is missing"),
    ],
)
def test_a_table_that_is_not_the_schemas_is_refused(
    few_ledger: Settings, tmp_path: Path, change: str, message: str
) -> None:
    made = tables.build(projections.read_contents(few_ledger))
    if change == "table":
        made.pop("incident")
    else:
        made["incident"] = made["incident"].drop("record")
    with pytest.raises(ValueError, match=message):
        write.write_duckdb(made, tmp_path / "spot.duckdb")
    assert list(tmp_path.iterdir()) == []
