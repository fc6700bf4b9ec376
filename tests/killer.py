"""SIGKILL a publisher again and again, and look each time whether it kept its word.

``python -m tests.killer --kills 200`` publishes the small bundle into one directory, kills the
process at a random moment, looks, starts it again on what is left, until a run has come through;
then begins with an empty directory, until enough kills have hit a living process.

Every other kill is *timed*: uniform over the duration of a whole run, start-up and recovery
included. The rest are *aimed*: an append takes a hundredth of a run, so these wait until one is
under way, and their log lies on a slow disk, or on a fast machine it would be over by then. At
the moment itself the process is stopped first, what a reader can see is read, and then it is
killed: exactly that must still be there afterwards, and after every restart, byte for byte, once,
in its place. A campaign that never hit an append, or never came through, fails.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import duckdb

from index import config, replay
from index.config import Settings
from index.ledger.check import check_files
from index.ledger.files import is_temporary
from index.ledger.log import Log
from index.ledger.tiles import PENDING
from index.published import fixing_key
from tests.offline import plain_environment
from tests.small_bundle import make_small_bundle

REPOSITORY = Path(__file__).resolve().parents[1]

LONGEST = 120.0
"""Seconds a run may take before the campaign calls it hung."""

PHASES = (
    "before anything was written",
    "before an append",
    "within an append",
    "between appends",
    "after the last append",
)


class Broken(AssertionError):
    """The publisher did not keep its word; the directory is left for a look."""


@dataclass
class Tally:
    """What a campaign did. ``phases`` counts kills; ``timed`` and ``aimed`` too."""

    seed: int
    kills: int = 0
    missed: int = 0
    cycles: int = 0
    timed: int = 0
    aimed: int = 0
    phases: Counter[str] = field(default_factory=Counter)
    sizes: Counter[int] = field(default_factory=Counter)
    verified: int = 0
    duration: float = 0.0
    seconds: float = 0.0

    def text(self) -> str:
        """Return the figures as lines for people."""
        by_phase = "\n".join(f"  {name:<28} {self.phases[name]:>5}" for name in PHASES)
        return (
            f"seed {self.seed}: {self.kills} kills of a living publisher ({self.timed} timed, "
            f"{self.aimed} aimed; {self.missed} came too late), {self.cycles} cycles to the end, "
            f"{self.verified} verified in full\n{by_phase}\n"
            f"  log sizes at the kill: {dict(sorted(self.sizes.items()))}\n"
            f"  an undisturbed run takes {self.duration:.1f} s; {self.seconds:.0f} s in all; "
            "nothing lost, doubled or changed"
        )


def without_token_tables(bundle: Path) -> None:
    """Take the token prices out of a bundle: a dozen indices remain, and a run half as long."""
    manifest = json.loads((bundle / "MANIFEST.json").read_bytes())
    manifest["files"] = [f for f in manifest["files"] if f["kind"] != "tokens"]
    (bundle / "MANIFEST.json").write_text(json.dumps(manifest), "utf-8")


def command(settings: Settings, program: str = "index") -> list[str]:
    """Return the command line that publishes: the one people use."""
    out, bundle = str(settings.out), str(settings.bundle)
    return [sys.executable, "-m", program, "run", "--out", out, "--bundle", bundle]


def start(settings: Settings, said: Path, *, is_log_slow: bool = False) -> subprocess.Popen[bytes]:
    """Start a publisher, with its log on a slow disk if asked; what it says goes to a file."""
    with said.open("wb") as stream:
        return subprocess.Popen(
            command(settings, "tests.slow_log_disk" if is_log_slow else "index"),
            cwd=REPOSITORY,
            env=plain_environment(),
            stdout=stream,
            stderr=stream,
            stdin=subprocess.DEVNULL,
        )


def leaves(settings: Settings) -> list[bytes]:
    """Return every record a reader can see, in order; none before the log exists."""
    if not Log.exists(settings.ledger):
        return []
    return list(Log.open(settings.ledger, read_only=True).entries())


def names(out: Path) -> frozenset[str]:
    """Return the names of all files below ``out``, while they may be moving."""
    found: set[str] = set()
    for folder, _, files in os.walk(out):
        below = os.path.relpath(folder, out)
        found |= {f"{below}/{name}" for name in files}
    return frozenset(found)


def is_appending(settings: Settings) -> bool:
    """Return whether an append has begun and is not finished."""
    log = settings.ledger / "log"
    if (log / PENDING).exists():
        return True
    return log.is_dir() and any(is_temporary(name) for name in os.listdir(log))


class Campaign:
    """One campaign below ``folder``: the same seed draws the same moments."""

    def __init__(self, folder: Path, seed: int, *, is_brief: bool = False) -> None:
        """Publish once undisturbed: the log every other run must arrive at.

        ``is_brief``: GPU tables only, and only the last cycle is recomputed in full, which takes
        as long as a run; every cycle must arrive at the same root in any case.
        """
        self.draw = random.Random(seed)
        self.tally = Tally(seed)
        self.is_brief = is_brief
        self.said = folder / "said.txt"
        self.known: list[bytes] = []
        bundle = make_small_bundle(folder / "bundle")
        if is_brief:
            without_token_tables(bundle)
        reference = config.load(out=folder / "reference", bundle=bundle)
        self.settings = config.load(out=folder / "out", bundle=bundle)
        begun = time.monotonic()
        self._come_through(start(reference, self.said))
        self.tally.duration = time.monotonic() - begun
        self.whole = leaves(reference)
        self.files = names(reference.out)
        if not self.whole:
            raise Broken(f"the undisturbed run published nothing: {self._last_words()}")

    def run(self, kills: int) -> Tally:
        """Kill until ``kills`` have hit, then let the last cycle come through.

        Raises:
            Broken: something acknowledged was lost, doubled or changed, a run failed by itself, or
                the campaign did not test what it promises.
        """
        begun = time.monotonic()
        while self._is_wanting(kills):
            if not self._life():
                self._complete()
        self._come_through(start(self.settings, self.said))
        self._complete(is_last=True)
        self.tally.seconds = time.monotonic() - begun
        self._require(kills)
        return self.tally

    def _is_wanting(self, kills: int) -> bool:
        """Return whether to kill again: too few yet, or few that by chance all hit alike."""
        if self.tally.kills < kills:
            return True
        return self.is_brief and self._untested() is not None and self.tally.kills < 6 * kills

    def _life(self) -> bool:
        """Start, kill, look; return False if the publisher came through before it was hit."""
        before, held = names(self.settings.out), len(self.known)
        is_aimed = self.tally.kills % 2 == 1
        process = start(self.settings, self.said, is_log_slow=is_aimed)
        wait = self._is_appending_after if is_aimed else self._is_alive_after
        if not wait(process):
            self._come_through(process)
            self.tally.missed += 1
            return False
        process.send_signal(signal.SIGSTOP)
        self._look("beside the running publisher")
        is_within, after = is_appending(self.settings), names(self.settings.out)
        process.kill()
        if process.wait(LONGEST) != -signal.SIGKILL:
            self._come_through(process)
            self.tally.missed += 1
            return False
        self._look("after the kill")
        tally = self.tally
        tally.kills += 1
        tally.aimed += is_aimed
        tally.timed += not is_aimed
        tally.sizes[len(self.known)] += 1
        tally.phases[self._phase(is_within, len(self.known) > held, after != before)] += 1
        return True

    def _is_alive_after(self, process: subprocess.Popen[bytes]) -> bool:
        # The first kill of a brief campaign is placed before anything can have been appended.
        latest = 0.3 if self.is_brief and not self.tally.kills else 1.05
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(self.draw.uniform(0.0, latest * self.tally.duration))
        return process.poll() is None

    def _is_appending_after(self, process: subprocess.Popen[bytes]) -> bool:
        """Wait for an append other than the first few drawn at random, and for a moment in it."""
        skipped, moment = self.draw.randrange(4), self.draw.uniform(0.0, 0.02)
        end, was = time.monotonic() + LONGEST, True
        while process.poll() is None and time.monotonic() < end:
            now = is_appending(self.settings)
            if now and not was:
                if skipped == 0:
                    time.sleep(moment)
                    return process.poll() is None
                skipped -= 1
            was = now
            time.sleep(0.0005)
        return False

    def _phase(self, is_within: bool, has_grown: bool, has_written: bool) -> str:
        if is_within:
            return "within an append"
        if len(self.known) == len(self.whole):
            return "after the last append"
        if has_grown:
            return "between appends"
        return "before an append" if has_written else "before anything was written"

    # Looking ------------------------------------------------------------------------------------

    def _look(self, where: str) -> None:
        """Read the log; everything seen earlier must be there, in its place, unchanged."""
        found = leaves(self.settings)
        if found[: len(self.known)] != self.known:
            self._break(f"{where}: a record seen earlier is gone or changed")
        if found != self.whole[: len(found)]:
            self._break(f"{where}: a record is not that of an undisturbed run")
        records = [json.loads(body) for body in found]
        if [record["seq"] for record in records] != list(range(len(records))):
            self._break(f"{where}: the numbers of the records have a gap")
        keys = Counter(fixing_key(r) for r in records if r["type"] == "fixing")
        if keys and max(keys.values()) > 1:
            self._break(f"{where}: {keys.most_common(1)[0][0]} was published twice")
        self.known = found

    def _complete(self, *, is_last: bool = False) -> None:
        """Check a directory whose run has come through, count the cycle, and clear it away."""
        self._look("after a complete run")
        if self.known != self.whole:
            self._break(f"{len(self.known)} of {len(self.whole)} records after a complete run")
        if problems := check_files(self.settings.ledger):
            self._break(f"after a complete run: {problems[0]}")
        if missing := self.files - names(self.settings.out):
            self._break(f"after a complete run: {sorted(missing)[:3]} are not there")
        self._look_at_projection()
        if is_last or not self.is_brief:
            replay.verify(self.settings, from_archive=True)
            self.tally.verified += 1
        self.tally.cycles += 1
        shutil.rmtree(self.settings.out)
        self.known = []

    def _look_at_projection(self) -> None:
        """The analysts' file opens and shows the newest print of every index and day."""
        newest = {}
        for record in map(json.loads, self.whole):
            if record["type"] == "fixing":
                *day, _ = fixing_key(record)
                newest[tuple(day)] = record
        with duckdb.connect(str(self.settings.data / "spot.duckdb"), read_only=True) as base:
            fixings = base.execute("SELECT count(*) FROM fixing_current").fetchall()
            head = base.execute("SELECT max(size) FROM log_head").fetchall()
        if fixings != [(len(newest),)] or head != [(len(self.whole),)]:
            self._break(
                f"spot.duckdb shows {fixings} fixings of {len(newest)} and the log at {head} "
                f"of {len(self.whole)}"
            )

    def _come_through(self, process: subprocess.Popen[bytes]) -> None:
        try:
            code = process.wait(LONGEST)
        except subprocess.TimeoutExpired:
            process.kill()
            self._break(f"a run is still busy after {LONGEST:.0f} s")
        if code != 0:
            self._break(f"a run left alone ended with {code}: {self._last_words()}")

    def _last_words(self) -> str:
        return self.said.read_text("utf-8", "replace")[-2000:]

    def _break(self, what: str) -> NoReturn:
        done = f"seed {self.tally.seed}, kill {self.tally.kills}, cycle {self.tally.cycles}"
        raise Broken(f"{what} ({done}; look at {self.settings.out})")

    def _untested(self) -> str | None:
        """Return what no kill of this campaign has tried yet, or None if it tried everything."""
        phases, sizes = self.tally.phases, self.tally.sizes
        if not phases["within an append"]:
            return "no kill hit an append"
        if not phases["before an append"] + phases["before anything was written"]:
            return "no kill came before the first append"
        if len(sizes) < 2:
            return f"the log always had the same size: {dict(sizes)}"
        return None

    def _require(self, kills: int) -> None:
        """A campaign that tested nothing is a failed one."""
        tally = self.tally
        if tally.kills < kills or tally.cycles < 1:
            self._break(f"only {tally.kills} kills hit and {tally.cycles} cycles came through")
        if untested := self._untested():
            self._break(untested)


def main() -> None:
    """Run a campaign from the command line and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=None, help="repeat the draws of a campaign")
    parser.add_argument("--keep", type=Path, default=None, help="work here, and leave it there")
    given = parser.parse_args()
    seed = random.SystemRandom().randrange(2**32) if given.seed is None else given.seed
    print(f"seed {seed}", flush=True)
    folder = given.keep or Path(tempfile.mkdtemp(prefix="spotfix-kills-"))
    folder.mkdir(parents=True, exist_ok=True)
    print(Campaign(folder, seed).run(given.kills).text())
    if given.keep is None:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
