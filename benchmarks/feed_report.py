"""The feed's section of RESULTS.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

BUSY_LOAD = 2.5
"""With more waiting for the processors than this, no time decides a target."""

TARGET_MILLISECONDS = 30
STREAMS = {
    "stream": "1,000 subscribers, 10 a second",
    "sse_starlette": "the same, `sse_starlette.EventSourceResponse`",
    "reconnect": "2,000 subscribers, 10 a second, each cut every 10 s and resumed",
    "fast": "2,000 subscribers, 50 a second",
    "unstalled": "100 subscribers, 10 a second",
    "stalled": "the same beside 500 that never read",
}
RESTS = {
    "ours": "this project, `r0.json`, access log kept",
    "ours latest": "this project, `latest`, access log kept",
    "static": "Starlette `StaticFiles` on granian",
    "fastapi": "FastAPI with a model, on granian",
    "http_server": "`http.server`",
}


def section(found: Mapping[str, Any]) -> str:
    """Return the section as Markdown."""
    told, parts = found["machine"], found["parts"]
    lines = [
        "## Feed",
        "",
        f"{found['when']}, `{found['command']}`, records of 2 kB, everything over loopback.",
        f"{told['cores']} cores of {told['processor']}, {told['memory']}, Python {told['python']},"
        f" load {found['load']:.1f} at the end. Publisher, server and subscribers share the cores.",
        "",
    ]
    streams = [name for name in STREAMS if name in parts]
    if streams:
        lines += [
            "| Stream | p50 ms | p99 ms | Last ms | Received | Gaps | Cut | Server's processor"
            " seconds | Server MiB |",
            "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
        ]
    for name in streams:
        one = parts[name]
        lines.append(
            f"| {STREAMS[name]} | {one['p50']:.1f} | {one['p99']:.1f} | {one['max']:.1f}"
            f" | {one['received']:,} of {one['expected']:,} | {one['gaps']} | {one['cut']}"
            f" | {one['server_cpu']:.1f} | {one['server_mib']:.0f} |"
        )
    if "rest" in parts:
        head = "| Requests, 32 connections | A second | p50 ms | p99 ms |"
        lines += ["", head, "|---|---:|---:|---:|"]
        rows = sorted(parts["rest"].items(), key=lambda item: -item[1]["rate"])
        lines += [
            f"| {RESTS[name]} | {one['rate']:,.0f} | {one['p50']:.1f} | {one['p99']:.1f} |"
            for name, one in rows
        ]
    return "\n".join([*lines, "", *_verdicts(found), ""])


def _verdicts(found: Mapping[str, Any]) -> list[str]:
    parts, lines = found["parts"], []
    missed = sum(parts[name]["gaps"] + parts[name]["behind"] for name in STREAMS if name in parts)
    lines.append(
        "- No subscriber missed a record." if not missed else f"- **{missed} RECORDS MISSED.**"
    )
    if "stream" in parts:
        p99 = parts["stream"]["p99"]
        verdict = "met" if p99 <= TARGET_MILLISECONDS else "**missed**"
        if found["load"] > BUSY_LOAD and p99 > TARGET_MILLISECONDS:
            verdict = "undecided: other programs were running"
        lines.append(
            f"- Target: p99 at most {TARGET_MILLISECONDS} ms with 1,000 subscribers at 10 a second;"
            f" measured {p99:.1f} ms; {verdict}."
        )
    if "stalled" in parts and "unstalled" in parts:
        beside, without = (
            parts[name]["published"]["p99"] * 1e3 for name in ("stalled", "unstalled")
        )
        lines.append(
            f"- A publication takes its publisher {beside:.1f} ms (p99) beside 500 stalled readers"
            f" and {without:.1f} ms without them."
        )
    return lines
