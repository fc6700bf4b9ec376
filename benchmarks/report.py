"""Measured figures as benchmarks/RESULTS.md."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks import collect_report, feed_report

NAMES = {
    "floor": "floor: read the columns, sort one integer a quote",
    "ours": "this project",
    "duckdb_windows": "DuckDB, SQL windows",
    "polars_windows": "Polars, windows",
    "pandas_vectorised": "pandas, vectorised",
    "pandas_apply": "pandas, groupby.apply",
}

TARGETS = {
    10_000_000: {
        "pandas_apply": 100,
        "pandas_vectorised": 10,
        "polars_windows": 5,
        "duckdb_windows": 5,
    }
}
"""At least this many times the speed, by size and implementation."""

FLOOR_TARGET, GIB_TARGET, LARGE = 5, 1, 100_000_000

MEMORY = "peak memory"

BUSY = 0.05
"""With more than this share of the processors taken by others, no time decides a target."""

HEAD = """# Results

Written by `benchmarks/run.py`, `benchmarks/collect.py` and `benchmarks/feed_load.py`.
[README.md](README.md) says what is measured and how.
Absolute figures move with the machine. Compare ratios, and only inside one table.
"""


def section(found: Mapping[str, Any]) -> str:
    """Return one workload's section."""
    told, results = found["machine"], found["results"]
    ours = results["ours"]["wall"]
    lines = [
        f"## {found['rows']:,} quotes",
        "",
        f"{found['when']}, `{found['command']}`, seed {found['seed']},"
        f" {found['bytes'] / 2**30:.2f} GiB of Parquet.",
        f"{told['cores']} cores of {told['processor']}, {told['memory']}, Python {told['python']},"
        f" numpy {told['numpy']}, polars {told['polars']}, duckdb {told['duckdb']},"
        f" pandas {told['pandas']}.",
        "",
        "| Implementation | Seconds | Processor seconds | Peak GiB | Times ours | Taken by others |"
        " Runs |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for name in sorted(results, key=lambda name: results[name]["wall"]):
        one = results[name]
        lines.append(
            f"| {NAMES[name]} | {one['wall']:.2f} | {one['cpu']:.2f} | {one['gib']:.2f}"
            f" | {one['wall'] / ours:.2f} | {one['foreign']:.0%} | {one['runs']} |"
        )
    return "\n".join([*lines, "", *agreement(found), "", *targets(found), ""])


def agreement(found: Mapping[str, Any]) -> list[str]:
    """Return whether the answers are the same, in sentences."""
    lines = []
    for name, one in found["results"].items():
        if "differences" in one:
            seen = one["differences"]
            verdict = "agrees" if one["agrees"] else "**DISAGREES**"
            lines.append(
                f"- {NAMES[name]} {verdict}: {seen['percentiles']:.0f} percentiles differ, trimmed"
                f" means by {seen['trimmed']:.1e} at most, {seen['members']:.0f} panel sizes,"
                f" {seen['groups']:.0f} groups in one answer only."
            )
    same = "The same bytes in every run of ours." if found["same_bytes"] else "**BYTES DIFFER.**"
    wrong = found["wrong_by_plain_integers"]
    return [*lines, f"- {same} Of 200 groups done again in plain integers, {wrong} differ."]


def targets(found: Mapping[str, Any]) -> list[str]:
    """Return each target with what was measured."""
    results = found["results"]
    ours = results["ours"]["wall"]
    rows: list[tuple[str, str, str, bool]] = []
    for name, least in TARGETS.get(found["rows"], {}).items():
        if name in results:
            ratio = results[name]["wall"] / ours
            rows.append(
                (NAMES[name], f"at least {least} times ours", f"{ratio:.1f}", ratio >= least)
            )
    if found["rows"] >= LARGE:
        peak = results["ours"]["gib"]
        rows.append((MEMORY, f"at most {GIB_TARGET} GiB", f"{peak:.2f}", peak <= GIB_TARGET))
        if "floor" in results:
            ratio = ours / results["floor"]["wall"]
            wanted = f"at most {FLOOR_TARGET} times the floor"
            rows.append(("time", wanted, f"{ratio:.1f}", ratio <= FLOOR_TARGET))
    if not rows:
        return ["No targets are set for this size."]
    is_busy = max(one["foreign"] for one in results.values()) > BUSY
    lines = ["| Target | | Measured | |", "|---|---|---:|---|"]
    for what, wanted, measured, is_met in rows:
        verdict = "met" if is_met else "**missed**"
        if is_busy and what != MEMORY:
            verdict = "undecided"
        lines.append(f"| {what} | {wanted} | {measured} | {verdict} |")
    if is_busy:
        lines += [
            "",
            f"Other programs took more than {BUSY:.0%} of the processors, and not the same share"
            " from everybody: no ratio of this table is fit to quote. Measure on a quiet machine.",
        ]
    return lines


def write_results(work: Path, target: Path) -> str:
    """Write one section for each size measured so far; return the text."""
    found = [json.loads(file.read_text("utf-8")) for file in work.glob("results-*.json")]
    # Collecting and the feed have no rows and come last.
    found.sort(key=lambda one: (one["rows"] or float("inf"), one.get("kind", "")))
    written = {"collect": collect_report.section, "feed": feed_report.section}
    sections = (written.get(one.get("kind", ""), section)(one) for one in found)
    text = "\n".join([HEAD, *sections])
    target.write_text(text.rstrip() + "\n", "utf-8")
    return text
