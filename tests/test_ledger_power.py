"""Power cuts at any moment of a publisher's life: what was acknowledged is still there.

The disk-changing calls of real runs are noted (:class:`test_ledger_crash.Disk`) and played to a
model of the medium, which then loses what had not been flushed, in any combination.
"""

from __future__ import annotations

import os
import random
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from index.ledger import files
from index.ledger.batches import Batches
from index.ledger.check import check_files
from index.ledger.log import Log
from tests.test_ledger_crash import Disk, Killed, crash, entries, made, steps_of


@dataclass
class Medium:
    """What is on the platter, and what is only in memory, by the strictest reading of POSIX.

    A file's data last only from its own fsync on; a name made, moved or removed lasts only from
    the fsync of its directory on. What was not flushed may be there in part, in any combination.
    """

    names: dict[Path, int] = field(default_factory=dict)  # as the process sees them
    kept: dict[Path, int] = field(default_factory=dict)  # as a power cut leaves them for sure
    loose: list[tuple[str, Path, Path, int]] = field(default_factory=list)
    cache: dict[int, bytes] = field(default_factory=dict)
    platter: dict[int, bytes] = field(default_factory=dict)
    count: int = 0

    def new(self, body: bytes | None) -> int:
        self.count += 1
        if body is not None:
            self.cache[self.count] = self.platter[self.count] = body
        return self.count

    def take(self, root: Path) -> None:
        for path in [root, *sorted(root.rglob("*"))]:
            number = self.new(path.read_bytes() if path.is_file() else None)
            self.names[path] = self.kept[path] = number

    def play(self, event: tuple[Any, ...]) -> None:
        kind, path = event[0], event[1]
        if kind in ("create", "mkdir"):
            number = self.names[path] = self.new(b"" if kind == "create" else None)
            self.loose.append(("link", path, path, number))
        elif kind == "write":
            self.cache[self.names[path]] += event[2]
        elif kind == "replace":
            number = self.names.pop(path)
            self.names[event[2]] = number
            self.loose.append(("move", path, event[2], number))
        elif kind in ("unlink", "rmdir"):
            self.loose.append(("drop", path, path, self.names.pop(path)))
        elif kind == "fsync" and self.names.get(path) in self.cache:
            self.platter[self.names[path]] = self.cache[self.names[path]]
        elif kind == "fsync":
            held = [change for change in self.loose if change[1].parent == path]
            self.loose = [change for change in self.loose if change[1].parent != path]
            for change in held:
                self.apply(self.kept, change)

    @staticmethod
    def apply(names: dict[Path, int], change: tuple[str, Path, Path, int]) -> None:
        kind, source, target, number = change
        names.pop(source, None)
        if kind != "drop":
            names[target] = number

    def cut(self, draw: random.Random, root: Path, *, worst: bool = False) -> None:
        """Leave below ``root`` one state that a power cut now could leave; or the worst one."""
        names = dict(self.kept)
        likely = 0.0 if worst else draw.choice((0.0, 0.5, 1.0))
        for change in self.loose:
            if draw.random() < likely:
                self.apply(names, change)
        shutil.rmtree(root)
        for path in sorted(names, key=lambda each: len(each.parts)):
            number = names[path]
            if path != root and not path.parent.is_dir():
                continue  # its directory never made it
            if number not in self.cache:
                path.mkdir()
                continue
            safe, seen = self.platter[number], self.cache[number]
            extra = seen[len(safe) :]
            choices = [b"", extra, extra[: len(extra) // 2], bytes(len(extra))]
            path.write_bytes(safe + (b"" if worst else draw.choice(choices)))


def live_through(root: Path, draw: random.Random) -> tuple[Disk, list[tuple[int, int, int]]]:
    """A publisher's life with one kill in it; what was acknowledged and offered, by event."""
    disk = Disk(draw.randrange(10, 90), draw.choice(("before", "middle", "after")))
    marks: list[tuple[int, int, int]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "os", disk)
        for _ in range(2):
            try:
                log = Log.open(root)
                marks.append((len(disk.journal), log.size, log.size))
                for count in (1, 3, 2):
                    body = b"".join(entries(log.size, log.size + count))
                    Batches(root).put("observations", body)
                    new = log.size + count
                    marks.append((len(disk.journal), log.size, new))
                    log.append(entries(log.size, new), expected_first=log.size)
                    marks.append((len(disk.journal), new, new))
            except Killed:
                pass
    return disk, marks


def power_cuts(tmp_path: Path, seed: int, lives: int, cuts: int) -> int:
    """Cut the power ``cuts`` times in each of ``lives`` lives; return how many states differ."""
    draw = random.Random(seed)
    states = set()
    for life in range(lives):
        start = draw.choice((1, 5, 252, 254))
        root = tmp_path / f"life{life}" / "ledger"
        root.parent.mkdir()
        made(root, start)
        medium = Medium()
        medium.take(root)
        disk, marks = live_through(root, draw)
        moments = sorted(draw.randrange(len(disk.journal) + 1) for _ in range(cuts))
        done = 0
        for moment in moments:
            for event in disk.journal[done:moment]:
                medium.play(event)
            done = moment
            # A mark stands until the next: an offer no one completed is void once reopened.
            past = [mark for mark in marks if mark[0] <= moment]
            _, acknowledged, offered = past[-1] if past else (0, start, start)
            medium.cut(draw, root)
            states.add(tuple((path.name, path.stat().st_size) for path in files.walk(root)))
            try:
                log = Log.open(root)
                assert log.size in (acknowledged, offered)
                assert list(log.entries()) == entries(0, log.size)
                problems = [str(each) for each in check_files(root)]
                assert all(each.startswith("batches/") for each in problems), problems
                log.append(entries(log.size, log.size + 1), expected_first=log.size)
                assert list(Log.open(root).entries()) == entries(0, log.size)
            except Exception as error:
                raise AssertionError(f"seed {seed}, life {life}, event {moment}") from error
        shutil.rmtree(root.parent)
    return len(states)


def test_power_cut_at_any_moment_loses_nothing_acknowledged(tmp_path: Path) -> None:
    assert power_cuts(tmp_path, seed=20261120, lives=12, cuts=25) > 100


@pytest.mark.parametrize("old", [0, 255])
def test_kill_then_recovery_then_power_cut_keeps_what_recovery_showed(
    tmp_path: Path, old: int
) -> None:
    # The killed process may have left names unflushed: whoever takes over must flush them.
    root = tmp_path / "ledger"
    made(root, old)

    def work(directory: Path) -> None:
        Log.open(directory).append(entries(old, old + 2), expected_first=old)

    for step in range(len(steps_of(root, work))):
        shutil.rmtree(root)
        made(root, old)
        medium = Medium()
        medium.take(root)
        disk = Disk(step, "after")
        crash(root, disk, work)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(files, "os", disk)
            shown = Log.open(root).size
        for event in disk.journal:
            medium.play(event)
        medium.cut(random.Random(0), root, worst=True)
        log = Log.open(root)
        assert log.size == shown, step
        assert list(log.entries()) == entries(0, shown), step


@pytest.mark.campaign
@pytest.mark.timeout(7200)
def test_many_power_cuts_lose_nothing_acknowledged(tmp_path: Path) -> None:
    lives = int(os.environ.get("SPOTFIX_LIVES", "400"))
    assert power_cuts(tmp_path, seed=int(time.time()), lives=lives, cuts=25) > lives
