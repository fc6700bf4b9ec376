"""The collecting benchmark's section of RESULTS.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NAMES = {
    "ours": "this project",
    "ours_archived": "this project, every body archived",
    "httpx_gather": "`httpx.AsyncClient`, gather",
    "requests_loop": "`requests`, a loop",
}

TARGET_SECONDS = 0.5
BUSY_LOAD = 2.5
"""With more waiting for the processors than this, no time decides a target."""


def section(found: Mapping[str, Any]) -> str:
    """Return the section as Markdown."""
    told, results = found["machine"], found["results"]
    ours = results["ours"]["seconds"]
    lines = [
        f"## Collecting: {found['urls']} addresses of {found['hosts']} providers",
        "",
        f"{found['when']}, `{found['command']}`, answers after 50 ms in the median,"
        f" {results['ours']['bytes'] / 2**20:.1f} MiB of bodies.",
        f"{told['cores']} cores of {told['processor']}, {told['memory']}, Python {told['python']},"
        f" load {found['load']:.1f} at the end.",
        "",
        "| Implementation | Seconds | Addresses a second | p50 | p99 | Last | Processor seconds |"
        " Peak MiB | Times ours | Runs |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name in sorted(results, key=lambda name: results[name]["seconds"]):
        one = results[name]
        lines.append(
            f"| {NAMES[name]} | {one['seconds']:.2f} | {one['bodies'] / one['seconds']:,.0f}"
            f" | {one['p50']:.2f} | {one['p99']:.2f} | {one['max']:.2f} | {one['cpu']:.2f}"
            f" | {one['mib']:.0f} | {one['seconds'] / ours:.1f} | {one['runs']} |"
        )
    got = {(one["bodies"], one["bytes"]) for one in results.values()}
    same = "Everybody got the same bytes." if len(got) == 1 else "**BYTES DIFFER.**"
    verdict = "met" if ours <= TARGET_SECONDS else "**missed**"
    if found["load"] > BUSY_LOAD and ours > TARGET_SECONDS:
        verdict = "undecided: other programs were running"
    return "\n".join(
        [
            *lines,
            "",
            f"- {same} p50, p99 and last: seconds until that share of the bodies was complete.",
            f"- Target: at most {TARGET_SECONDS} s; measured {ours:.2f} s; {verdict}.",
            "",
        ]
    )
