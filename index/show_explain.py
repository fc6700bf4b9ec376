"""How an explanation looks to a person: the steps, the sum, the sources."""

from __future__ import annotations

from typing import Any

from rich.text import Text

from index.show_fixing import acts
from index.terminal import DIM, HEAD, WARN, Screen, table

Row = dict[str, Any]

SHOWN = 25
"""Sources listed without ``--all``."""


def explanation(screen: Screen, told: Row, every: bool) -> None:
    """Print one explanation: steps with clause, parameters and function, the sum, the sources."""
    screen.line((told["index_id"], HEAD), f"   {told['title']}")
    screen.line(
        (
            f"{told['session']} {told['ref_date']}   revision {told['revision']} {told['status']}"
            f"   record {told['record']}   methodology {told['rules']['version']}",
            DIM,
        )
    )
    if told["value"] is None:
        screen.line(("NO_FIX   ", WARN), told["no_fix_reason"] or "")
    else:
        screen.line((f"{told['value']} {told['unit']}", HEAD))
    acts(screen, told["acts"])
    screen.line()
    screen.line(("How it came about", HEAD), ("   clause · parameter · function", DIM))
    for number, step in enumerate(told["steps"], 1):
        screen.pair(f"{number:>2} {step['what']}", step["told"])
        where = [f"{step['clause']} {step['title']} ({step['rulebook']})"]
        where += [f"{path} = {value}" for path, value in step["parameters"].items()]
        where.append(f"{step['function']} ({step['code']})")
        screen.pair("", (" · ".join(where), DIM))
    _panel(screen, told)
    _volumes(screen, told, every)
    _sources(screen, told, every)


def _panel(screen: Screen, told: Row) -> None:
    if not told["panel"]:
        return
    screen.line()
    screen.line(("The sum", HEAD), ("   price p, weight, kept weight k, p*k in nano", DIM))
    columns = [("group", "<"), ("p", ">"), ("weight", ">"), ("k", ">"), ("p*k", ">"), ("", "<")]
    cells: list[list[str | Text]] = [
        [
            r["group"],
            r["price"] or "—",
            f"{r['weight_e8'] // 10**8}.{r['weight_e8'] % 10**8:08d}",
            str(r["kept"]),
            r["product"],
            Text(" ".join([r["status"], r["reason"] or ""]).strip(), DIM),
        ]
        for r in told["panel"]
    ]
    kept = sum(r["kept"] for r in told["panel"])
    total = sum(int(r["product"]) for r in told["panel"])
    cells.append([Text("sum", HEAD), "", "", Text(str(kept), HEAD), Text(str(total), HEAD), ""])
    screen.grid(table(columns, cells))


def _volumes(screen: Screen, told: Row, every: bool) -> None:
    rows = told["volumes"]
    if not rows:
        return
    screen.line()
    screen.line(("Volumes", HEAD), (f"   {len(rows)} figures", DIM), f" {rows[0]['file'] or ''}")
    columns = [("subject", "<"), ("tokens", ">"), ("from", "<"), ("to", "<"), ("line", ">")]
    cells = [
        [r["subject"], str(r["quantity"]), r["period_start"], r["period_end"], str(r["line"] or "")]
        for r in (rows if every else rows[:SHOWN])
    ]
    screen.grid(table(columns, cells))
    if len(rows) > SHOWN and not every:
        screen.line((f"  and {len(rows) - SHOWN} more; --all lists them", DIM))


def _sources(screen: Screen, told: Row, every: bool) -> None:
    rows = told["sources"]
    screen.line()
    screen.line(("From the sources", HEAD), (f"   {len(rows)} observations", DIM))
    if not rows:
        screen.line(("  none is cited", DIM))
        return
    shown = rows if every else rows[:SHOWN]
    for place in dict.fromkeys((r["source"], r["file"]) for r in shown):
        mine = [r for r in shown if (r["source"], r["file"]) == place]
        about = f"   {mine[0]['tier']}, {mine[0]['licence_id']}, archived as"
        screen.line(f"  {place[0]}", (about, DIM), f" {place[1] or 'nothing'}")
        columns = [
            ("group", "<"), ("listing", "~"), ("meter", "<"), ("the source's own text", "<"),
            ("is", ">"), ("line", ">"), ("seen", "<"), ("first said by body", "<"),
        ]  # fmt: skip
        cells: list[list[str | Text]] = [
            [
                r["group"], r["listing_id"], r["meter"], _words(r), r["price"] or "—",
                str(r["line"] or ""), r["observed_at"][:19] + "Z", r["body_sha256"][:12],
            ]
            for r in mine
        ]  # fmt: skip
        screen.grid(table(columns, cells, indent=4))
    left = len(rows) - SHOWN
    if left > 0 and not every:
        screen.line((f"  and {left} more; --all lists them", DIM))
    if told["sources_left_out"]:
        screen.line((f"  {told['sources_left_out']} observations were not followed", WARN))


def _words(row: Row) -> Text:
    if row["missing"] is not None:
        return Text(row["missing"], WARN)
    words = f"{row['price_text']} {row['currency']} {row['quoted_unit']}"
    return Text(words if row["hours"] is None else f"{words}, {row['hours']}")
