"""SIGKILL a publisher at every step of a publication, and look each time what the public sees.

``python -m tests.publication_killer --kills 1000`` lets children publish rounds of hand-made
records into one directory and kills them, in turn at each named failpoint and at random moments.
After each kill the files that are there are compared with all that was ever seen; then a fresh
process recovers, in less than :data:`LONGEST` seconds, and everything is compared again:

* nothing lost: what was acknowledged (``catch_up`` returned) is in log, drop and site;
* nothing doubled: one record for each key, in one manifest, under one name;
* nothing contradictory: leaf, drop and site hold the same bytes, and no file ever changed;
* whoever sees a manifest sees its signature and all its files, whole.

``--rounds 1000`` stops a publisher (SIGSTOP) in the middle of a publication instead, starts a
second one, which must give way with exit code 75 and the first one's name, and resumes the first.

The children are forked from this process, which has one thread, so a kill costs milliseconds.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from index.config import Settings
from index.ledger.files import is_temporary
from index.ledger.log import Log
from index.publication import drop, notes, proofs, tree
from index.publication.failpoints import NAMES
from methodology.errors import LockHeld
from tests import fixing_records as made
from tests.publication_rounds import RING, Broken, expected, next_round, publish

LONGEST = 5.0
"""Seconds a recovery may take."""

MOVING = {f"site/{tree.CHECKPOINT}", f"site/{tree.KEYS}"}
"""The published files that change."""


class Child:
    """A forked process that publishes; what it acknowledged can be read while and after it runs."""

    def __init__(self, settings: Settings, rounds: int, **environment: str) -> None:
        reading, writing = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(reading)
            os.environ.update(environment)
            code = 1
            try:
                publish(settings, rounds, lambda size: os.write(writing, f"{size}\n".encode()))
                code = 0
            except LockHeld as error:
                os.write(writing, f"{error}\n".encode())
                code = error.exit_code
            except Exception as error:  # noqa: BLE001
                print(f"child: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
            finally:
                os._exit(code)
        os.close(writing)
        self._reading = reading
        self.status: int | None = None

    def wait(self, options: int = 0) -> int:
        """Wait for the end, or for a stop with ``WUNTRACED``; return the raw status."""
        _, self.status = os.waitpid(self.pid, options)
        return self.status

    def said(self) -> list[str]:
        """Return the lines it wrote, after its end."""
        with os.fdopen(self._reading, "rb") as stream:
            return stream.read().decode().splitlines()


@dataclass
class Tally:
    """What a campaign did."""

    seed: int
    kills: int = 0
    survived: int = 0
    records: int = 0
    published: int = 0
    directories: int = 1
    slowest: float = 0.0
    seconds: float = 0.0
    places: Counter[str] = field(default_factory=Counter)

    def text(self) -> str:
        """Return the figures as lines for people."""
        places = "\n".join(
            f"  {name:<20} {count:>5}" for name, count in sorted(self.places.items())
        )
        return (
            f"seed {self.seed}: {self.kills} hits on a living publisher ({self.survived} children "
            f"came through), {self.records} records in {self.directories} directories, "
            f"{self.published} files compared\n{places}\n  slowest recovery "
            f"{self.slowest:.2f} s; {self.seconds:.0f} s in all; nothing lost, doubled or changed"
        )


class Campaign:
    """Kills below ``folder``; the same seed draws the same places."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.draw = random.Random(seed)
        self.tally = Tally(seed)
        self.acknowledged = 0
        self.seen: dict[str, str] = {}
        self._begin()

    def _begin(self) -> None:
        shutil.rmtree(self.folder / "out", ignore_errors=True)
        self.settings = made.settings(self.folder / "out")
        self.acknowledged, self.seen = 0, {}

    def kills(self, wanted: int) -> Tally:
        """Kill until ``wanted`` have hit a living process, every other one at a failpoint."""
        begun = time.monotonic()
        turn = 0
        while self.tally.kills < wanted:
            turn += 1
            place = NAMES[turn // 2 % len(NAMES)] if turn % 2 else "at random"
            self._life(place)
            if self.acknowledged > self.draw.randrange(24, 72):
                self._renew()
        self._renew()
        self.tally.seconds = time.monotonic() - begun
        missed = set(NAMES) - set(self.tally.places)
        if wanted >= 4 * len(NAMES) and missed:
            self._break(f"no kill came at {sorted(missed)}")
        return self.tally

    def _life(self, place: str) -> None:
        if place == "at random":
            child = Child(self.settings, rounds=6)
            time.sleep(self.draw.uniform(0.0, 0.12))
            with contextlib.suppress(ProcessLookupError):
                os.kill(child.pid, signal.SIGKILL)
        else:
            child = Child(
                self.settings,
                rounds=4,
                SPOTFIX_FAILPOINTS_ALLOWED="1",
                SPOTFIX_FAILPOINT=f"{place}:{self.draw.randint(1, 3)}",
            )
        status = child.wait()
        was_killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        if not was_killed and status != 0:
            self._break(f"a child ended by itself with status {status}")
        said = child.said()
        self.acknowledged = max([self.acknowledged, *map(int, said)])
        self.tally.kills += was_killed
        self.tally.survived += not was_killed
        if was_killed:
            self.tally.places[place] += 1
        self._look(is_recovered=False)
        begun = time.monotonic()
        self._recover()
        self.tally.slowest = max(self.tally.slowest, time.monotonic() - begun)
        if self.tally.slowest > LONGEST:
            self._break(f"a recovery took {self.tally.slowest:.1f} s")
        self._look(is_recovered=True)

    def _recover(self) -> None:
        child = Child(self.settings, rounds=0)
        if child.wait() != 0:
            self._break("a fresh process could not recover")
        (size,) = map(int, child.said())
        if size < self.acknowledged:
            self._break(f"{self.acknowledged} records were acknowledged and {size} are left")
        self.acknowledged = size

    def _renew(self) -> None:
        self.tally.records += self.acknowledged
        self.tally.published += len(self.seen)
        self.tally.directories += 1
        self._begin()

    # Looking -------------------------------------------------------------------------------------

    def _look(self, *, is_recovered: bool) -> None:
        """Compare all that is published with what was seen before, and with itself."""
        out = self.settings.out
        found: dict[str, bytes] = {}
        for tree_ in ("drop", "site"):
            for folder, _, names in os.walk(out / tree_):
                for name in names:
                    path = Path(folder) / name
                    if is_temporary(name):
                        if is_recovered:
                            self._break(f"{path} is left over")
                        continue
                    found[path.relative_to(out).as_posix()] = path.read_bytes()
        now = {k: hashlib.sha256(v).hexdigest() for k, v in found.items() if k not in MOVING}
        for name, digest in self.seen.items():
            if now.get(name) != digest:
                self._break(f"{name} was seen and is {'changed' if name in now else 'gone'}")
        self.seen = now
        self._manifests(found)
        if is_recovered:
            self._whole(found)

    def _manifests(self, found: dict[str, bytes]) -> None:
        """Whoever sees a manifest sees its signature and its files; each file in one of them."""
        listed: Counter[str] = Counter()
        for name in found:
            folder, _, bare = name.rpartition("/")
            if not bare.startswith("MANIFEST_") or bare.endswith(".sig"):
                continue
            told = json.loads(found[name])
            if not RING.fixing.public.verify(found[name], found.get(f"{name}.sig", b"")):
                self._break(f"{name} is not signed")
            number = told["number"]
            if number > 1:
                before = f"{folder}/{drop.manifest_name(number - 1)}"
                if told["previous"] != "sha256:" + hashlib.sha256(found[before]).hexdigest():
                    self._break(f"{name} does not follow {before}")
            for one in told["files"]:
                path = f"{folder}/{one['name']}"
                listed[path] += 1
                body = found.get(path, b"")
                if "sha256:" + hashlib.sha256(body).hexdigest() != one["sha256"]:
                    self._break(f"{name} names {one['name']}, which is not there as it says")
        doubled = [name for name, count in listed.items() if count > 1]
        if doubled:
            self._break(f"{doubled[0]} stands in two manifests")

    def _whole(self, found: dict[str, bytes]) -> None:
        """After a recovery everything in the log is published, once, and nothing else is."""
        log = Log.open(self.settings.ledger, read_only=True)
        entries = list(log.entries())
        if entries != expected(log.size):
            self._break("the log holds other records than were appended")
        if log.size == 0:
            return
        size = notes.verify_checkpoint(found[f"site/{tree.CHECKPOINT}"], RING.log_keys).size
        if size != log.size:
            self._break(f"{size} of {log.size} records are published")
        places = set()
        for body in entries:
            record = json.loads(body)
            place = drop.place_of(record)
            if place is None:
                continue
            stem = f"drop/{place.folder}/{place.stem}"
            if stem in places:
                self._break(f"{stem} belongs to two records")
            places.add(stem)
            if found.get(f"{stem}.json") != body:
                self._break(f"{stem}.json is not the leaf")
            if not RING.fixing.public.verify(body, found.get(f"{stem}.json.sig", b"")):
                self._break(f"{stem}.json is not signed")
            proofs.verify(found[f"{stem}.tlog-proof"], body, RING.log_keys)
            if record["type"] != "fixing":
                continue
            for suffix in (".json", ".json.sig", ".csv", ".xml", ".fix", ".tlog-proof"):
                second = f"site/{drop.site_path(record)}{suffix}"
                if found.get(second) != found[stem + suffix]:
                    self._break(f"{second} and {stem}{suffix} differ")
        bodies = {name for name in found if name.startswith("drop/") and name.endswith(".json")}
        bare = {name[:-5] for name in bodies if "MANIFEST_" not in name}
        if bare != places:
            self._break(f"the drop holds {sorted(bare ^ places)[0]}, the log does not say so")

    def _break(self, what: str) -> NoReturn:
        raise Broken(f"{what} (seed {self.tally.seed}, kill {self.tally.kills}; {self.folder})")

    # Two publishers ------------------------------------------------------------------------------

    def rounds(self, wanted: int) -> Tally:
        """Stop one publisher in the middle, start another, resume the first; ``wanted`` times."""
        begun = time.monotonic()
        for turn in range(wanted):
            place = NAMES[turn % len(NAMES)]
            first = Child(
                self.settings,
                rounds=3,  # the first of a directory publishes keys, and passes fewer places
                SPOTFIX_FAILPOINTS_ALLOWED="1",
                SPOTFIX_FAILPOINT=f"{place}:{self.draw.randint(1, 2)}",
                SPOTFIX_FAILPOINT_STOP="1",
            )
            if not os.WIFSTOPPED(first.wait(os.WUNTRACED)):
                self._break(f"the first publisher did not stop at {place}")
            second = Child(self.settings, rounds=1)
            code = os.waitstatus_to_exitcode(second.wait())
            said = second.said()
            if code != LockHeld.exit_code or f"process {first.pid} " not in " ".join(said):
                self._break(f"the second publisher ended with {code} and said {said}")
            self._look(is_recovered=False)
            os.kill(first.pid, signal.SIGCONT)
            if first.wait() != 0:
                self._break(f"the first publisher did not complete: status {first.status}")
            sizes = [int(one) for one in first.said()]
            if next_round(sizes[-1]) - next_round(sizes[0]) != 3:
                self._break(f"the first publisher published {sizes}")
            self.acknowledged = sizes[-1]
            self._look(is_recovered=True)
            self.tally.kills += 1
            self.tally.places[place] += 1
            if self.acknowledged > 48:
                self._renew()
        self._renew()
        self.tally.seconds = time.monotonic() - begun
        return self.tally


def main() -> None:
    """Run a campaign from the command line and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=0, help="two publishers, so many times")
    parser.add_argument(
        "--swift", action="store_true", help="flush nothing: a kill takes nothing from the kernel"
    )
    parser.add_argument("--seed", type=int, default=None, help="repeat the draws of a campaign")
    given = parser.parse_args()
    seed = random.SystemRandom().randrange(2**32) if given.seed is None else given.seed
    print(f"seed {seed}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="spotfix-publications-"))
    if given.swift:
        os.fsync = lambda fd: None
    if given.kills:
        print(Campaign(folder / "kills", seed).kills(given.kills).text(), flush=True)
    if given.rounds:
        print(Campaign(folder / "rounds", seed).rounds(given.rounds).text(), flush=True)
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
