"""Time the collector on 500 addresses of 100 providers beside what people write; RESULTS.md.

    python -m benchmarks.collect
    python -m benchmarks.collect --urls 500 --hosts 100 --runs 5

Server and contenders are processes of their own. A figure is the fastest of several runs by the
clock; its p50, p99 and maximum say when that share of the bodies was complete.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.build_workload import WORK
from benchmarks.collect_contenders import CONTENDERS
from benchmarks.report import write_results
from benchmarks.run import busy_seconds, machine

ROOT = Path(__file__).resolve().parents[1]


def once(name: str, port: int, urls: int, hosts: int) -> dict[str, Any]:
    """Run one contender once; what it told, and the share of the processors others took."""
    before = busy_seconds()
    command = [sys.executable, "-m", "benchmarks.collect_contenders", name]
    done = subprocess.run(
        [*command, str(port), str(urls), str(hosts)],
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{name} failed: {done.stderr.strip()[-500:]}")
    told: dict[str, Any] = json.loads(done.stdout)
    told["busy"] = busy_seconds() - before
    return told


def measure(urls: int, hosts: int, runs: int) -> dict[str, Any]:
    """Return everything measured: fastest run of each contender, machine, workload."""
    results: dict[str, Any] = {}
    server = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.collect_server"],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        for name in CONTENDERS:
            # A loop takes half a minute and hardly varies.
            times = [once(name, port, urls, hosts) for _ in range(1 if "loop" in name else runs)]
            best = min(times, key=lambda one: one["seconds"])
            results[name] = {**best, "runs": len(times)}
            print(
                f"  {name:<14} {best['seconds']:7.2f} s   cpu {best['cpu']:.2f} s   "
                f"p99 {best['p99']:.2f} s   {best['mib']:.0f} MiB",
                flush=True,
            )
    finally:
        server.communicate()
    return {
        "kind": "collect",
        "rows": 0,
        "urls": urls,
        "hosts": hosts,
        "when": datetime.now(UTC).strftime("%Y-%m-%d"),
        "load": os.getloadavg()[0],
        "machine": machine(),
        "command": "make bench-collect",
        "results": results,
    }


def main() -> int:
    """Measure, print, write RESULTS.md; 1 if contenders did not get the same bytes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--urls", type=int, default=500)
    parser.add_argument("--hosts", type=int, default=100)
    parser.add_argument("--runs", type=int, default=5)
    chosen = parser.parse_args()
    found = measure(chosen.urls, chosen.hosts, chosen.runs)
    WORK.mkdir(parents=True, exist_ok=True)
    (WORK / "results-collect.json").write_text(json.dumps(found, indent=1), "utf-8")
    print(write_results(WORK, ROOT / "benchmarks" / "RESULTS.md"), end="")
    got = {(one["bodies"], one["bytes"]) for one in found["results"].values()}
    return 0 if got == {(chosen.urls, max(size for _, size in got))} else 1


if __name__ == "__main__":
    raise SystemExit(main())
