"""A planned or carried-out revision, as plain values and for people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from index.revision_plan import OUTCOMES, Change, Plan
from index.terminal import BAD, DIM, GOOD, HEAD, WARN, Screen, table
from methodology import clock

Row = dict[str, Any]

_WHO = ("group", "model", "index_id", "source", "provider", "listing_id", "meter")
"""What names a contribution line, as far as its family has it."""

_SHOWN = ("status", "reason", "price_nano", "weight_e8", "kept", "quantity_e12")
"""Figures of a contribution that are compared."""


def as_values(made: Plan, *, is_trial: bool) -> Row:
    """Return everything about a revision: window, test, what changes, what was logged."""
    zone = clock.SESSIONS[made.session].zone
    final = datetime.fromisoformat(made.base["published_at"]).replace(tzinfo=None)
    return {
        "index_id": made.index_id,
        "session": made.session,
        "ref_date": made.ref_date.isoformat(),
        "reason": made.reason,
        "is_trial": is_trial,
        "state": "DONE" if made.done else "CHANGES" if made.changes else "SAME",
        "window": {
            "opens": clock.iso(final),
            "closes": clock.iso(made.until),
            "opens_local": _local(final, zone),
            "closes_local": _local(made.until, zone),
            "zone": zone,
            "decided_at": clock.iso(made.at),
            "is_open": made.at <= made.until,
        },
        "threshold_pct": "0.10",
        "correction": {
            "sha256": "sha256:" + made.artefact.sha256,
            "parsed_again": made.correction.parsed_again,
            "actions": [
                {**one.as_record(), "hits": hits}
                for one, hits in zip(made.correction.actions, made.hits, strict=True)
            ],
        },
        "changes": [_change(made, one) for one in made.changes],
        "records": made.done,
    }


def _change(made: Plan, one: Change) -> Row:
    return {
        "index_id": one.index_id,
        "concerns": one.standing["seq"],
        "value_before": one.before,
        "value_after": one.after,
        "delta_pct": one.delta_pct,
        "waterfall_before": one.standing["waterfall"],
        "waterfall_after": one.draft.fields["waterfall"],
        "alt_before": one.standing["alt"],
        "alt_after": one.draft.fields["alt"],
        "outcome": one.outcome,
        "engine_differences": [d.text for d in one.stopped],
        "contributions": contributions(
            made.drawer.get("contributions", one.standing["contributions"]["sha256"]),
            one.draft.contributions,
        ),
    }


def contributions(before: bytes, after: bytes) -> list[Row]:
    """Return the lines that differ between two bodies of contributions.

    Each has ``who`` and the figures that changed, ``before`` and ``after``; a line that is new or
    gone has ``None`` on the other side.
    """
    old, new = _lines(before), _lines(after)
    found = []
    for who in sorted({*old, *new}):
        left, right = old.get(who), new.get(who)
        fields = [name for name in _SHOWN if (left or {}).get(name) != (right or {}).get(name)]
        if fields:
            found.append(
                {
                    "who": " ".join(part for part in who if part),
                    "before": left and {name: left.get(name) for name in fields},
                    "after": right and {name: right.get(name) for name in fields},
                }
            )
    return found


def _lines(body: bytes) -> dict[tuple[str, ...], Mapping[str, Any]]:
    rows = [json.loads(line) for line in body.splitlines()]
    return {tuple(str(row.get(name) or "") for name in _WHO): row for row in rows}


def _local(moment: datetime, zone: str) -> str:
    from zoneinfo import ZoneInfo

    return moment.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M:%S")


def show(screen: Screen, told: Row) -> None:
    """Print a revision for people."""
    window = told["window"]
    screen.line((f"{told['index_id']}  {told['session']} {told['ref_date']}", HEAD))
    screen.pair("reason", told["reason"])
    screen.pair(
        "window",
        f"{window['opens_local']} to {window['closes_local']} {window['zone']}",
        (f"   {window['opens']} to {window['closes']}", DIM),
    )
    is_open = ("open", GOOD) if window["is_open"] else ("closed", WARN)
    screen.pair("decided", f"{window['decided_at']}: the window is ", is_open)
    screen.pair("threshold", f"more than {told['threshold_pct']}% of the value that stands")
    for one in told["correction"]["actions"]:
        what = one["capture"] or one["listing"]
        screen.pair("taken out", f"{one['source']} {what}: {one['reason']} ({one['hits']} hits)")
    if told["correction"]["parsed_again"]:
        screen.pair("parsed again", "every archived body of the day, by the parsers of today")
    if told["state"] == "DONE":
        _done(screen, told)
        return
    if not told["changes"]:
        screen.line("no figure of the day comes out otherwise; nothing is logged")
        return
    screen.line()
    columns = [("index", "<"), ("stands", ">"), ("comes out", ">"), ("%", ">"), ("decision", "<")]
    cells = [
        [c["index_id"], c["value_before"] or "–", c["value_after"] or "–", c["delta_pct"] or "–",
         OUTCOMES[c["outcome"]]]
        for c in told["changes"]
    ]  # fmt: skip
    screen.grid(table(columns, cells))
    for one in told["changes"]:
        for text in one["engine_differences"]:
            screen.line((f"{one['index_id']}: {text}", BAD))
        if one["index_id"] == told["index_id"]:
            for row in one["contributions"]:
                screen.line(f"  {row['who']}: {_told(row['before'])} → {_told(row['after'])}")
    if told["is_trial"]:
        screen.say("nothing was changed")


def _done(screen: Screen, told: Row) -> None:
    for one in told["records"]:
        if one["type"] == "restatement":
            what = f"{one['value_before']} → {one['value_after']}, restated"
        else:
            what = f"{one['value']} stands, it should have been {one['should_be']}"
        by = ", ".join(s["name"] for s in one["signatures"])
        screen.line(f"  {one['index_id']}: {what} at {one['at']}; record {one['seq']}, signed {by}")


def _told(figures: Mapping[str, Any] | None) -> str:
    if figures is None:
        return "not there"
    return ", ".join(f"{name} {value}" for name, value in figures.items())
