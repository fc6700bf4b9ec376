"""Rounds over the whole panel on a loopback server, each in a process that may be killed.

``python -m tests.live_rounds`` measures two rounds of it; ``python -m tests.live_rounds child`` is
such a round. The server is ``tests/live_panel.py``.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from collectors import fetch, panel
from collectors.archive import Archive
from collectors.base import Capture
from index import collecting, config, guarding, liverun, replay, shop
from index.config import Settings
from tests import live_world as lw
from tests.live_bodies import EVENING, MORNING
from tests.live_panel import Market, keys
from tests.memory import peak_mib
from tests.offline import close_the_door, plain_environment

ROOT = Path(__file__).resolve().parents[1]


def settings(out: Path, addresses: Mapping[str, str], **flags: Any) -> Settings:
    """Return settings in which every live source is on, at these addresses, its terms accepted."""
    sources = {
        source: {"url": addresses[source], "accept_terms": True}
        if source in addresses
        else {"enabled": False}
        for source in panel.SOURCES
    }
    given: dict[str, Any] = {"deadline_seconds": 30.0, "allow_demo_live": True, **flags}
    return config.load(out=out, allow_loopback=True, sources=sources, **given)


def child(
    out: Path,
    addresses: Mapping[str, str],
    moment: datetime,
    *,
    deadline: float = 30.0,
    die: str = "",
) -> tuple[int, dict[str, Any]]:
    """Run one round in a process of its own; return how it ended and what it told.

    ``die`` is ``WHERE N``: at the N-th time it comes to WHERE it is killed, as by SIGKILL from
    outside: ``between`` two puts, ``body`` on disk but no line yet, ``torn`` line, ``book`` of the
    guards not yet written.
    """
    told = out.parent / "told.json"
    told.unlink(missing_ok=True)
    given = {
        "out": str(out),
        "addresses": dict(addresses),
        "moment": moment.isoformat(),
        "deadline": deadline,
        "die": die,
        "told": str(told),
    }
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.live_rounds", "child"],
        cwd=ROOT,
        env=plain_environment(**keys()),
        input=json.dumps(given),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode not in (0, -signal.SIGKILL):
        raise AssertionError(done.stderr[-4000:])
    return done.returncode, json.loads(told.read_text()) if told.is_file() else {}


def _die_at(words: str) -> None:
    """Arrange that this process is killed at a place and time of its choosing."""
    where, _, number = words.partition(" ")
    left = [int(number)]

    def is_now() -> bool:
        left[0] -= 1
        return left[0] == 0

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    put, append = Archive.put, Archive._append

    def then_die(self: Archive, capture: Capture) -> str:
        found = put(self, capture)
        if is_now():
            die()
        return found

    def die_first(self: Archive, handle: int, line: bytes) -> None:
        if is_now():
            if where == "torn":
                os.write(handle, line[: len(line) // 2])
                os.fsync(handle)
            die()
        append(self, handle, line)

    if where == "between":
        Archive.put = then_die  # type: ignore[method-assign]
    elif where in ("body", "torn"):
        Archive._append = die_first  # type: ignore[method-assign]
    elif where == "book":
        guarding.replace_durably = lambda path, body: die()  # type: ignore[assignment]
    else:
        raise ValueError(words)


class Heart:
    """A thread that wakes every 20 ms and notes when it could not: how a busy machine held us."""

    BEAT = 0.02

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._missed: list[tuple[float, float]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            before = time.monotonic()
            time.sleep(self.BEAT)
            now = time.monotonic()
            self._missed.append((now - self._begun, now - before - self.BEAT))

    def missed(self, since: float = 0.0) -> float:
        """Return the seconds lost after ``since`` seconds; beats that come soon enough are none."""
        return sum(late for when, late in self._missed if when >= since and late > self.BEAT)

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()


class Watch:
    """Stands where the collector is called: its clock runs, so that each result has its time.

    A round dates all its bodies with one moment; here only the results' own times run on.
    ``held_seconds`` is what a busy machine, and not the collector, added in all; ``late_seconds``
    what it added after the deadline.
    """

    def __init__(self) -> None:
        self.results: dict[str, dict[str, Any]] = {}
        self.seconds = 0.0
        self.held_seconds = self.late_seconds = 0.0

    def __call__(
        self,
        jobs: Sequence[fetch.Job],
        seconds: float,
        *,
        archive: Callable[[Capture], object],
        now: Callable[[], datetime],
        **more: Any,
    ) -> list[fetch.SourceResult]:
        heart = Heart()
        moment, begun = now(), time.monotonic()
        found = fetch.collect(
            jobs,
            seconds,
            archive=lambda one: archive(replace(one, fetched_at=moment)),
            now=lambda: moment + timedelta(seconds=time.monotonic() - begun),
            **more,
        )
        self.seconds = time.monotonic() - begun
        heart.stop()
        self.held_seconds, self.late_seconds = heart.missed(), heart.missed(seconds - 0.1)
        for one in found:
            seen = self.results.setdefault(
                one.source, {"seconds": 0.0, "reason": None, "bodies": 0}
            )
            took = (one.finished_at - moment).total_seconds()
            seen["seconds"] = max(seen["seconds"], took)
            seen["bodies"] += len(one.captures)
            seen["reason"] = one.error.reason if one.error else seen["reason"]
            seen.setdefault("findings", []).extend(one.findings)
        return [
            replace(one, captures=tuple(replace(c, fetched_at=moment) for c in one.captures))
            for one in found
        ]


def run_child() -> None:
    """Do what :func:`child` wants, told on standard input."""
    given = json.loads(sys.stdin.read())
    close_the_door()
    if given["die"]:
        _die_at(given["die"])
    watch = Watch()
    collecting.collect = watch  # type: ignore[assignment]
    shop.load_definitions = replay.load_definitions = lw.few_indices
    mine = settings(Path(given["out"]), given["addresses"], deadline_seconds=given["deadline"])
    begun = time.monotonic()
    report = liverun.run_live(mine, datetime.fromisoformat(given["moment"]))
    peak = peak_mib()
    told = {
        "seconds": time.monotonic() - begun,
        "cpu_seconds": time.process_time(),
        "collect_seconds": watch.seconds,
        "held_seconds": watch.held_seconds,
        "late_seconds": watch.late_seconds,
        "peak_mib": peak,
        "results": watch.results,
        "failures": report.failures,
        "sources": report.sources,
        "root": report.root,
    }
    Path(given["told"]).write_text(json.dumps(told))


def figures(told: Mapping[str, Any], market: Market) -> str:
    """Return what a round took, in words."""
    counts = Counter(status for _, status in market.answered)
    by_status = dict(sorted(counts.items()))
    return (
        f"{told['sources']} sources, {sum(counts.values())} answers {by_status}: "
        f"collected in {told['collect_seconds']:.2f} s, the whole round {told['seconds']:.2f} s "
        f"({told['cpu_seconds']:.1f} s of processor with start-up), "
        f"peak {told['peak_mib']:.0f} MiB"
    )


def main() -> None:
    """Measure two rounds of the whole panel and print the figures."""
    with tempfile.TemporaryDirectory() as folder, Market() as market:
        for moment in (MORNING, EVENING):
            market.moment = moment
            market.answered.clear()
            _, told = child(Path(folder) / "out", market.addresses(), moment)
            print(f"{moment:%H:%M}  {figures(told, market)}")
            for one in told["failures"]:
                print(f"  {one['source']}: {one['reason']}: {one['detail']}")
        for one in market.unknown:
            print(f"  not known: {one}")


if __name__ == "__main__":
    run_child() if sys.argv[1:] == ["child"] else main()
