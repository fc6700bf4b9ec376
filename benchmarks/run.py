"""Time every implementation on one workload, each in a process of its own, and write RESULTS.md.

    python -m benchmarks.run --rows 100000000
    python -m benchmarks.run --rows 10000000 --only ours floor duckdb_windows

A figure is the fastest of up to three runs; a program that has used half a minute is not started
again. Wall time runs from the start of the process to its end, imports and the writing of the
answer included; files are in the page cache. The share of the processors that other programs took
meanwhile stands beside each figure.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks import check, task
from benchmarks.build_workload import WORK, build
from benchmarks.report import write_results

IMPLEMENTATIONS = (
    "floor",
    "ours",
    "duckdb_windows",
    "polars_windows",
    "pandas_vectorised",
    "pandas_apply",
)
APPLY_LIMIT = 10_000_000
RUNS, ENOUGH_SECONDS = 3, 30
ROOT = Path(__file__).resolve().parents[1]


def busy_seconds() -> float:
    """Return the processor seconds that all programs used since the machine started."""
    try:
        fields = Path("/proc/stat").read_text("ascii").splitlines()[0].split()[1:]
    except OSError:
        return float("nan")
    user, nice, system, _idle, _wait, irq, soft, steal = (int(field) for field in fields[:8])
    return (user + nice + system + irq + soft + steal) / os.sysconf("SC_CLK_TCK")


def timed(name: str, folder: Path, target: Path) -> dict[str, float]:
    """Run one implementation once: seconds of wall and processor, peak memory, foreign share."""
    target.unlink(missing_ok=True)
    before, started = busy_seconds(), time.perf_counter()
    command = [sys.executable, "-m", f"benchmarks.{name}", str(folder), str(target)]
    # Nobody here multiplies matrices; the idle threads of OpenBLAS would spin while others work.
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    process = os.posix_spawn(sys.executable, command, environment)
    _, status, used = os.wait4(process, 0)
    wall = time.perf_counter() - started
    if status or not target.exists():
        raise SystemExit(f"{name} failed with status {os.waitstatus_to_exitcode(status)}")
    own = used.ru_utime + used.ru_stime
    foreign = (busy_seconds() - before - own) / (wall * (os.cpu_count() or 1))
    unit = 1 if sys.platform == "darwin" else 1024
    return {
        "wall": wall,
        "cpu": own,
        "gib": used.ru_maxrss * unit / 2**30,
        "foreign": max(0.0, foreign),
    }


def warm(folder: Path) -> None:
    """Read every file once, so that nobody is timed on the disk."""
    for file in task.quotes(folder):
        with file.open("rb") as stream:
            while stream.read(1 << 24):
                pass


def machine() -> dict[str, str]:
    """Return what the figures depend on: processor, memory, versions."""
    told = {"processor": platform.processor() or platform.machine()}
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                told["processor"] = line.partition(":")[2].strip()
        pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        told["memory"] = f"{pages / 2**30:.0f} GiB"
    except (OSError, ValueError):
        told["memory"] = "unknown"
    told["cores"] = str(os.cpu_count())
    told["python"] = platform.python_version()
    for name in ("numpy", "polars", "duckdb", "pandas", "pyarrow"):
        try:
            told[name] = version(name)
        except PackageNotFoundError:
            told[name] = "not installed"
    return told


def chosen_for(rows: int, only: list[str] | None) -> list[str]:
    """Return the implementations to run; a loop over groups only where it ends in minutes."""
    if only:
        return [name for name in IMPLEMENTATIONS if name in {*only, "ours"}]
    return [n for n in IMPLEMENTATIONS if n != "pandas_apply" or rows <= APPLY_LIMIT]


def measure(rows: int, seed: int, only: list[str] | None) -> dict[str, object]:
    """Return everything known of one workload: times, agreement, machine."""
    started = time.perf_counter()
    folder = build(rows, seed)
    print(f"{rows:,} quotes in {folder} ({time.perf_counter() - started:.0f} s)", flush=True)
    warm(folder)
    results: dict[str, dict[str, object]] = {}
    targets = {name: folder / f"answer-{name}.parquet" for name in IMPLEMENTATIONS}
    digests = set()
    for name in chosen_for(rows, only):
        runs: list[dict[str, float]] = []
        while len(runs) < RUNS and sum(run["wall"] for run in runs) < ENOUGH_SECONDS:
            runs.append(timed(name, folder, targets[name]))
            print(
                f"  {name:<18} {runs[-1]['wall']:8.2f} s   {runs[-1]['gib']:5.2f} GiB"
                f"   others took {runs[-1]['foreign']:.0%} of the processors",
                flush=True,
            )
            if name == "ours":
                digests.add(targets[name].read_bytes())
        results[name] = {**min(runs, key=lambda run: run["wall"]), "runs": len(runs)}
    for name in results:
        if name not in ("ours", "floor"):
            found = check.differences(targets["ours"], targets[name])
            results[name] |= {"differences": found, "agrees": check.agrees(found)}
    return {
        "rows": rows,
        "seed": seed,
        "bytes": sum(file.stat().st_size for file in task.quotes(folder)),
        "when": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": machine(),
        "command": f"make bench-methodology ROWS={rows}",
        "results": results,
        "same_bytes": len(digests) == 1,
        "wrong_by_plain_integers": check.against_plain_integers(targets["ours"], folder),
    }


def main() -> int:
    """Measure, print, write RESULTS.md; 1 if any two implementations disagree."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000_000])
    parser.add_argument("--seed", type=int, default=20261120)
    parser.add_argument("--only", nargs="+", choices=IMPLEMENTATIONS)
    chosen = parser.parse_args()
    is_right = True
    for rows in chosen.rows:
        found = measure(rows, chosen.seed, chosen.only)
        results = found["results"]
        assert isinstance(results, dict)
        is_right &= found["same_bytes"] is True and not found["wrong_by_plain_integers"]
        is_right &= all(result.get("agrees", True) for result in results.values())
        (WORK / f"results-{rows}.json").write_text(json.dumps(found, indent=1), "utf-8")
    print(write_results(WORK, ROOT / "benchmarks" / "RESULTS.md"), end="")
    return 0 if is_right else 1


if __name__ == "__main__":
    raise SystemExit(main())
