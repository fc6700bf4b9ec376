"""Load the feed over loopback: subscribers, reconnects, stalled readers, requests; RESULTS.md.

    python -m benchmarks.feed_load
    python -m benchmarks.feed_load --part stream --seconds 10
    python -m benchmarks.feed_load --part rest

Server, publisher and clients are processes of their own. A latency is the time from the moment
before the publisher moves the checkpoint to the moment a subscriber holds the bytes, for each
record and each subscriber.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.build_workload import WORK
from benchmarks.feed_publisher import make
from benchmarks.feed_server import RECORD
from benchmarks.report import write_results
from benchmarks.run import busy_seconds, machine

ROOT = Path(__file__).resolve().parents[1]
LATEST = "v1/fixings/TKR-one-OUT/NYC/latest"
PARTS = ("stream", "sse_starlette", "reconnect", "fast", "stalled", "rest")
REST = {
    "ours": (RECORD, LATEST),
    "static": (RECORD,),
    "http_server": (RECORD,),
    "fastapi": (RECORD,),
}


class Child:
    """A process of the benchmark, spoken to by lines."""

    def __init__(self, module: str, *words: object) -> None:
        command = [sys.executable, "-m", f"benchmarks.{module}", *map(str, words)]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def line(self) -> str:
        assert self.process.stdout is not None
        found = self.process.stdout.readline()
        if not found:
            raise SystemExit(f"{self.process.args}: ended without a word")
        return found

    def go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def end(self) -> str:
        """Close its input; return the last line it says."""
        said, _ = self.process.communicate(timeout=60)
        return (said or "").strip().rpartition("\n")[2]


@contextlib.contextmanager
def tree() -> Iterator[Path]:
    """A published tree, in memory where the system has a place for that."""
    shared = Path("/dev/shm")
    where = shared if shared.is_dir() and os.access(shared, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="spotfix-bench-", dir=where) as folder:
        make(Path(folder) / "out")
        yield Path(folder) / "out"


def streams(
    server: str, count: int, rate: float, seconds: float, reconnect: float = 0, stalled: int = 0
) -> dict[str, Any]:
    """Return what so many subscribers saw of so many records a second."""
    with tree() as folder:
        serving = Child("feed_server", server, folder)
        port = int(serving.line())
        clients = Child("feed_clients", "stream", port, count, reconnect, stalled)
        publisher = Child("feed_publisher", folder, rate, seconds)
        clients.line()
        publisher.line()
        before = busy_seconds()
        publisher.go()
        published = json.loads(publisher.line())
        busy = busy_seconds() - before
        clients.go()
        seen = json.loads(clients.line())
        for child in (clients, publisher):
            child.end()
        used = json.loads(serving.end())
    found = {
        **seen, "subscribers": count, "rate": rate, "seconds": seconds, "server": server,
        "stalled": stalled, "expected": published["count"] * count, "published": published,
        "server_cpu": used["cpu"], "server_mib": used["mib"], "busy": busy,
    }  # fmt: skip
    print(
        f"  {server:<14} {count:>5} x {rate:g}/s  p50 {found['p50']:7.1f} ms  p99 "
        f"{found['p99']:7.1f} ms  received {found['received']:,} of {found['expected']:,}  gaps "
        f"{found['gaps']}  cut {found['cut']}  stalled {stalled}",
        flush=True,
    )
    return found


def requests(seconds: float, connections: int = 32) -> dict[str, Any]:
    """Return requests a second of each server, for the same file and the same client."""
    results: dict[str, Any] = {}
    with tree() as folder:
        for server, paths in REST.items():
            serving = Child("feed_server", server, folder)
            port = int(serving.line())
            for path in paths:
                asking = Child("feed_clients", "rest", port, connections, seconds, path)
                name = f"{server} latest" if path == LATEST else server
                results[name] = json.loads(asking.line())
                asking.end()
                one = results[name]
                print(f"  {name:<14} {one['rate']:9,.0f}/s  p99 {one['p99']:.1f} ms", flush=True)
            serving.end()
    return results


def measure(parts: list[str], seconds: float) -> dict[str, Any]:
    """Return the figures of the chosen parts."""
    found: dict[str, Any] = {}
    if "stream" in parts:
        found["stream"] = streams("ours", 1_000, 10, seconds)
    if "sse_starlette" in parts:
        found["sse_starlette"] = streams("sse_starlette", 1_000, 10, seconds)
    if "reconnect" in parts:
        found["reconnect"] = streams("ours", 2_000, 10, seconds, reconnect=10)
    if "fast" in parts:
        found["fast"] = streams("ours", 2_000, 50, seconds)
    if "stalled" in parts:
        found["unstalled"] = streams("ours", 100, 10, seconds)
        found["stalled"] = streams("ours", 100, 10, seconds, stalled=500)
    if "rest" in parts:
        found["rest"] = requests(min(seconds, 5))
    return found


def main() -> int:
    """Measure, print, write RESULTS.md; 1 if any subscriber missed a record."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--part", choices=PARTS, nargs="+", default=list(PARTS))
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--no-results", action="store_true", help="leave RESULTS.md alone")
    chosen = parser.parse_args()
    found = measure(chosen.part, chosen.seconds)
    if not chosen.no_results:
        WORK.mkdir(parents=True, exist_ok=True)
        file = WORK / "results-feed.json"
        earlier = json.loads(file.read_text("utf-8"))["parts"] if file.exists() else {}
        told = {
            "kind": "feed", "rows": 0, "parts": {**earlier, **found}, "machine": machine(),
            "when": datetime.now(UTC).strftime("%Y-%m-%d"), "load": os.getloadavg()[0],
            "command": "make bench-feed",
        }  # fmt: skip
        file.write_text(json.dumps(told, indent=1), "utf-8")
        print(write_results(WORK, ROOT / "benchmarks" / "RESULTS.md"), end="")
    missed = [
        name for name, one in found.items()
        if name != "rest" and (one["gaps"] or one["behind"] or one["refused"])
    ]  # fmt: skip
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
