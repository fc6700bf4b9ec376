"""The report as one HTML page: it writes figures of :mod:`report` down and computes none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from index.backtest import sections
from index.backtest.style import CSS

Row = Mapping[str, Any]


def render(told: Row) -> str:
    """Return the whole page: one file that loads nothing, the same bytes for the same figures."""
    parts = [
        "<!DOCTYPE html>\n",
        '<html lang="en"><head><meta charset="utf-8"/>',
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>',
        f"<title>Back-test {told['from']} to {told['to']}</title>",
        f"<style>{CSS}</style></head><body>\n",
        *_head(told),
        *sections.events(told),
        *sections.drift(told),
        *sections.triple(told),
        *sections.panels(told),
        *sections.anomalies(told),
        *sections.scenarios(told),
        *sections.resistance(told),
        "</body></html>\n",
    ]
    return "".join(parts)


def _head(told: Row) -> list[str]:
    checks = [m for e in told["events"] for m in (*e["moves"], *e["stays"])]
    right = sum(m["as_expected"] is True for m in checks)
    known = [m for m in checks if m["as_expected"] is not None]
    found, tested = told["anomalies"], told["scenarios"]
    held = found["held_afterwards"]
    months = told["drift"]["months"]
    tiles: Sequence[tuple[str, str]] = (
        (f"{right} of {len(known)}", "event checks came out as worked by hand"),
        (f"{found['count']:,}", "prices held, excluded or suspect"),
        (f"{held['accepted']} of {sum(held.values())}", "held prices stood the next day"),
        (f"{tested['as_expected']} of {tested['count']}", "scenario days as the rulebook says"),
        (
            f"{months[-1]['drift_pct']}%" if months else "none",
            "drift against quality-adjusted",
        ),
    )
    cells = "".join(f"<div><b>{escape(b)}</b><i>{escape(i)}</i></div>" for b, i in tiles)
    links = "".join(f'<a href="#{key}">{escape(name)}</a>' for key, name in sections.CHAPTERS)
    return [
        "<h1>Back-test of the rules</h1>",
        f'<p class="dim">{told["from"]} to {told["to"]}, methodology {told["methodology"]}, '
        f"{told['indices']} indices, {told['index_days']:,} index days, "
        f"{told['index_days_with_value']:,} with a value. Inputs {told['inputs'][:19]}…</p>",
        "<p>What the rules, as they stand, would have published on the bundled history, and what "
        "they did with what went wrong in it. Every value here is made by the functions that "
        "publish. It is a back-cast (rulebook 11.4): the rules were written with this history at "
        "hand, so it shows what they do and does not prove how they will fare.</p>",
        f'<div class="tiles">{cells}</div><nav>{links}</nav>\n',
    ]
