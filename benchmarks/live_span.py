"""The span that a live fixing reads: hourly rounds of the whole panel, most bodies unchanged.

    python -m benchmarks.live_span FOLDER            # fill an archive, then measure every stage
    python -m benchmarks.live_span FOLDER --rounds 24

An archive is filled with rounds of every live source: whole captured bodies where the folder of
captured bodies (``SPOTFIX_PAYLOADS``) has them, the small ones of ``tests/payloads`` elsewhere.
A few change their prices in the course of the span. Each stage is then a process of its own, for
which seconds, seconds of processor and the peak of memory are printed, and the digest of what it
made: two versions of the code that publish the same bytes print the same digests.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

from collectors import panel
from collectors.archive import Archive
from collectors.base import Capture
from index import config, guarding, intake, liverun
from index.config import Settings
from index.frames import to_lines
from methodology.definition import load_methodology
from methodology.errors import SourceError

ROOT = Path(__file__).parents[1]
PAYLOADS = Path(os.environ.get("SPOTFIX_PAYLOADS") or ROOT.parent / "shared" / "payloads")

CUT = datetime(2026, 8, 22, 20)
"""Cut-off of the New York session of a Saturday in summer."""

AT = CUT + timedelta(minutes=45)
LAST = CUT + timedelta(minutes=20)

WHOLE = {
    "models_dev": ("tokens/models_dev/2026-08-12.api.json.gz",),
    "litellm": ("tokens/litellm/2026-11-19.json.gz",),
    "openrouter_models": ("tokens/openrouter_models/2026-04-01.json.gz",),
    "gpurentalprices": tuple(f"gpu/gpurentalprices/2026-08-{d}.json.gz" for d in (19, 20, 21, 22)),
    "vast": ("gpu/fixtures_live_shape/2026-07-18_vast_bundles.json.gz",),
    "runpod": ("gpu/fixtures_live_shape/2026-07-18_runpod_gputypes.json.gz",),
}
"""Whole bodies, the later ones for the later part of the span."""

PERIOD = {"models_dev": 13, "openrouter_models": 9, "litellm": 30, "vast": 1, "runpod": 6}
"""After how many rounds a source changes one of its prices."""

STAGES = ("advance", "advance_one", "captures", "read", "run_due")


@lru_cache(maxsize=256)
def _body(source: str, file: int) -> bytes:
    """Return a whole body of a source, or the first of its small ones that its parser takes."""
    if source in WHOLE and PAYLOADS.is_dir():
        return gzip.decompress((PAYLOADS / WHOLE[source][file]).read_bytes())
    folder = ROOT / "tests" / "payloads" / source
    bodies = [path.read_bytes() for path in sorted(folder.glob("*")) if path.is_file()]
    of = panel.load(source)
    for body in bodies:
        with suppress(SourceError):
            of.parse(Capture(source, of.url, body, AT.replace(tzinfo=UTC)))
            return body
    return bodies[-1]


def _changed(body: bytes, turn: int) -> bytes:
    """Return a body in which one price, another one each turn, has one more digit."""
    places = list(re.finditer(rb'"(?:input|prompt|dph_total|[a-z]*Price)": ?"?(0\.\d+)', body))
    if not turn or not places:
        return body
    at = places[turn * 7919 % len(places)].end()
    return body[:at] + b"1" + body[at:]


def fill(settings: Settings, rounds: int) -> tuple[int, int]:
    """Fill the archive; return how many captures and how many distinct bodies it has then."""
    archive = Archive(settings.raw)
    seen: set[str] = set()
    count = 0
    for source in panel.load_all():
        last = datetime.min
        for number in range(rounds if source.is_live else 0):
            at = LAST - timedelta(hours=rounds - 1 - number)
            if at - last < source.every:
                continue
            last = at
            files = len(WHOLE.get(source.id, ("",)))
            body = _body(source.id, min(files - 1, number * files // rounds))
            body = _changed(body, number // PERIOD.get(source.id, rounds))
            seen.add(archive.put(Capture(source.id, source.url, body, at.replace(tzinfo=UTC))))
            count += 1
    return count, len(seen)


def _digest(*parts: bytes) -> str:
    return hashlib.sha256(b"".join(parts)).hexdigest()[:16]


def _advance(settings: Settings) -> str:
    (settings.data / guarding.FILE).unlink(missing_ok=True)
    guarding.advance(settings.data, Archive(settings.raw), load_methodology())
    book = (settings.data / guarding.FILE).read_bytes()
    return f"{_digest(book)} {len(book) / 2**20:.1f} MiB"


def _advance_one(settings: Settings) -> str:
    """Put one more round, inspect it, and measure that alone; the archive is a copy."""
    copy = settings.out.with_name(settings.out.name + "-one")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(settings.out, copy)
    mine = config.load(out=copy)
    archive = Archive(mine.raw)
    newest = {e.source: e for e in archive.entries()}
    for entry in newest.values():
        capture = archive.load(entry)
        at = (LAST + timedelta(minutes=30)).replace(tzinfo=UTC)
        archive.put(Capture(capture.source, capture.url, capture.body, at))
    start = time.perf_counter()
    guarding.advance(mine.data, Archive(mine.raw), load_methodology())
    took = time.perf_counter() - start
    start = time.perf_counter()
    guarding.load(mine.data, archive)
    loaded = time.perf_counter() - start
    book = (mine.data / guarding.FILE).read_bytes()
    shutil.rmtree(copy)
    return f"{_digest(book)} advance {took:.2f} s, load {loaded:.2f} s"


def _captures(settings: Settings) -> str:
    found = liverun.live_captures(Archive(settings.raw), CUT)
    return f"{len(found)} captures"


def _read(settings: Settings) -> str:
    archive, rules = Archive(settings.raw), load_methodology()
    book, _ = guarding.load(settings.data, archive)
    refusals = guarding.span_of(book, CUT - intake.LIVE_SPAN, CUT)
    captures = liverun.live_captures(archive, CUT)
    start = time.perf_counter()
    taken = intake.read_captures(captures, "live", rules, refusals=refusals)
    took = time.perf_counter() - start
    mine = taken.inputs
    frames = [mine.observations, mine.volumes, mine.rates, taken.rejections, taken.refusals]
    frames += [mine.coverage.spans, mine.coverage.captures]
    told = repr([(c.source, c.fetched_at, c.sha256) for c in taken.captures]).encode()
    told += repr((taken.failures, taken.quotes_seen)).encode()
    heights = "/".join(str(f.height) for f in frames)
    return f"{_digest(told, *map(to_lines, frames))} {took:.2f} s alone, rows {heights}"


def _run_due(settings: Settings) -> str:
    copy = settings.out.with_name(settings.out.name + "-due")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(settings.out, copy)
    report = liverun.run_due(config.load(out=copy), AT)
    size = sum(f.stat().st_size for f in copy.rglob("*") if f.is_file())
    shutil.rmtree(copy)
    return f"root {report.root[:16]}, {len(report.fixings)} fixings, {size / 2**20:.0f} MiB"


_STAGES: dict[str, Callable[[Settings], str]] = {
    "advance": _advance,
    "advance_one": _advance_one,
    "captures": _captures,
    "read": _read,
    "run_due": _run_due,
}


def measure(settings: Settings, stage: str) -> dict[str, object]:
    """Return the figures of one stage run in this process: seconds, peak MiB, what it made."""
    start = time.perf_counter()
    made = _STAGES[stage](settings)
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "stage": stage,
        "seconds": round(time.perf_counter() - start, 2),
        "cpu": round(used.ru_utime + used.ru_stime, 2),
        "peak_mib": used.ru_maxrss // 1024,
        "made": made,
    }


def main() -> None:
    """Fill unless there is an archive, then run the stages, each in its own process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=76)
    parser.add_argument("--stage", choices=STAGES, action="append")
    parser.add_argument("--here", action="store_true", help="one stage in this process")
    told = parser.parse_args()
    settings = config.load(out=told.folder)
    stages = told.stage or list(STAGES)
    if told.here:
        print(json.dumps(measure(settings, stages[0])))
        return
    if not (settings.raw / "captures.jsonl").exists():
        captures, bodies = fill(settings, told.rounds)
        print(f"filled: {captures} captures of {bodies} bodies", flush=True)
    for stage in stages:
        command = [sys.executable, "-m", "benchmarks.live_span", str(told.folder), "--here"]
        subprocess.run([*command, "--stage", stage], check=True, cwd=ROOT)


if __name__ == "__main__":
    main()
