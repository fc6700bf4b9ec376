"""The chapters of the page, each from its part of the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from html import escape
from typing import Any, Final

from index.backtest.charts import LEVELS, Chart, Line, line_chart, strips
from index.backtest.markup import cell, changes, figure, head, table, twin

Row = Mapping[str, Any]

CHAPTERS: Final = (
    ("events", "Events"),
    ("drift", "Drift"),
    ("triple", "Three prints"),
    ("panels", "Panels"),
    ("anomalies", "Screens"),
    ("scenarios", "Scenarios"),
    ("resistance", "Resistance"),
)


def events(told: Row) -> list[str]:
    """Return the chapter of events and outside levels."""
    series = told["series"]
    numbers = {e["title"]: str(n) for n, e in enumerate(told["events"], 1)}
    parts = [
        head("events", "1 Main indices, real events, outside levels"),
        "<p>Dashed lines are events; their numbers are those of the table below. Steps are "
        "published values, and a gap is a day without one (NO_FIX). Shaded bands are what others "
        "said of the same good. A rate steps when a new panel comes into force on the first of a "
        "month; its chained level does not (8.3).</p>\n",
    ]
    for chart in told["charts"]:
        names = [name for name in chart["indices"] if name in series]
        if not names:
            continue
        unit = series[names[0]]["unit"]
        lines = [Line(n, series[n]["days"], series[n]["values"]) for n in names]
        touched = [
            (numbers[e["title"]], e["day"])
            for e in told["events"]
            if {m["index_id"] for m in (*e["moves"], *e["stays"])} & set(names)
        ]
        bands = [
            (level["title"], level["low"], level["high"], level["from"], level["to"])
            for level in told["levels"]
            if {b["index_id"] for b in level["beside"]} & set(names)
        ]
        if any("HYP" in name for name in names):
            bands = [b for b in bands if "hyper" in b[0]]
        made = Chart(chart["title"], unit, lines, touched, bands, unit != "points")
        parts.append(f"<h3>{escape(chart['title'])}</h3>")
        parts.append(figure(line_chart(made), f"{unit}; published values, day by day"))
        rows = [
            [n, *span] for n in names for span in changes(series[n]["days"], series[n]["values"])
        ]
        parts.append(twin("Table: from when to when each value stood",
                          table(["index", "from", "to", "value"], rows, [3])))  # fmt: skip
    return [*parts, *_event_table(told, numbers), *_level_table(told)]


def _event_table(told: Row, numbers: Mapping[str, str]) -> list[str]:
    rows: list[list[Any]] = []
    for e in told["events"]:
        parts = [numbers[e["title"]], e["day"], e["title"]]
        for m in e["moves"]:
            rows.append(
                [
                    *parts,
                    m["index_id"],
                    m["day"],
                    f"{m['expected_before']} to {m['expected_after']}",
                    f"{cell(m['before'])} to {cell(m['after'])}",
                    m["change_pct"],
                    m["as_expected"],
                ]
            )
        for s in e["stays"]:
            values = " ".join(dict.fromkeys(cell(v) for v in s["values"]))
            rows.append(
                [*parts, s["index_id"], s["days"][1], "stays", values, None, s["as_expected"]]
            )
        if not e["moves"] and not e["stays"]:
            rows.append([*parts, None, None, "no index measures it", None, None, None])
    heads = ["#", "day", "event", "index", "moves on", "worked by hand", "published", "change %",
             "as worked"]  # fmt: skip
    notes = "".join(
        f"<p><b>{numbers[e['title']]} · {escape(e['day'])} · {escape(e['title'])}.</b> "
        f'{escape(e["what"])} <span class="dim">Source: {escape(e["source"])}.</span></p>'
        for e in told["events"]
    )
    return ["<h3>Events</h3>", table(heads, rows, [7]), notes]


def _level_table(told: Row) -> list[str]:
    rows = [
        [x["title"], x["from"], x["to"], f"{x['low']} to {x['high']}", b["index_id"], b["day"],
         b["value"], b["distance_pct"]]
        for x in told["levels"]
        for b in x["beside"]
    ]  # fmt: skip
    heads = ["level", "from", "to", "range", "index", "last day", "value", "outside by %"]
    sources = "; ".join(f"{x['title']}: {x['source']}" for x in told["levels"])
    return [
        "<h3>Outside levels</h3>",
        "<p>The sources of GPU prices in the bundle end before these ranges begin, so the last "
        "value stands beside them and not one of the same day.</p>",
        table(heads, rows, [6, 7]),
        f'<p class="dim">Sources. {escape(sources)}.</p>',
    ]


def drift(told: Row) -> list[str]:
    """Return the chapter of drift."""
    found = told["drift"]
    rows = [
        [m["month"], m["days"], m["composite"], m["adjusted"], m["drift_pct"]]
        for m in found["months"]
    ]
    heads = ["month", "days", found["composite"], found["adjusted"], "drift %"]
    whole = "over a whole window" if found["is_whole_window"] else (
        f"over {len(found['months'])} months: the window of {found['review_months']} is not full, "
        "so this is no review yet"
    )  # fmt: skip
    days = [f"{m['month']}-01" for m in found["months"]]
    lines = [
        Line(found["composite"], days, [m["composite"] for m in found["months"]]),
        Line(found["adjusted"], days, [m["adjusted"] for m in found["months"]]),
    ]
    return [
        head("drift", "2 Composite against quality-adjusted"),
        f"<p>Fixed quantities against the regression of 13 months (rulebook 19), both 1000 in the "
        f"first month they share. Review above {found['review_pct']}% over "
        f"{found['review_months']} months; here {whole}.</p>",
        figure(line_chart(Chart("Drift", "points, monthly", _monthly(lines), height=220)),
               "Means of months; the adjusted index is monthly") if rows else "",
        table(heads, rows, [1, 2, 3, 4]) if rows else "<p>No month has both.</p>",
    ]  # fmt: skip


def _monthly(lines: Sequence[Line]) -> list[Line]:
    """Return monthly values spread over the days of their months, so that they are steps."""
    made = []
    for one in lines:
        days: list[str] = []
        values: list[str | None] = []
        for first, value in zip(one.days, one.values, strict=True):
            day = date.fromisoformat(first)
            while day.isoformat()[:7] == first[:7]:
                days.append(day.isoformat())
                values.append(value)
                day += timedelta(days=1)
        made.append(Line(one.label, days, values))
    return made


def triple(told: Row) -> list[str]:
    """Return the chapter of the three prints."""
    parts = [
        head("triple", "3 Fixed basket, matched chain, unit value"),
        "<p>Three figures of the same models (rulebook 13.10). The basket is the index. The chain "
        "uses the same weights and no quantities. The unit value is spend by tokens; with one "
        "period of volumes in the bundle its mix stands still.</p>",
    ]
    names = sorted({r["index_id"] for r in told["triple"]})
    for name in names:
        mine = [r for r in told["triple"] if r["index_id"] == name]
        days = [r["ref_date"] for r in mine]
        kinds = (("basket", "basket"), ("chain", "chain"), ("unit value", "unit_value_points"))
        lines = [
            Line(label, days, [r[key] for r in mine], "thin" if n else "")
            for n, (label, key) in enumerate(kinds)
        ]
        parts.append(f"<h3>{escape(name)}</h3>")
        parts.append(figure(line_chart(Chart(name, "points, first day 1000", lines)), "Day by day"))
        rows = changes(
            days, [(r["basket"], r["chain"], r["unit_value"], r["unit_value_points"]) for r in mine]
        )
        cells = [[a, b, *v] for a, b, v in rows]
        heads = ["from", "to", "basket", "chain", "unit value", "in points"]
        parts.append(twin("Table", table(heads, cells, [2, 3, 4, 5])))
    return parts


def panels(told: Row) -> list[str]:
    """Return the chapter of panels, levels and grades."""
    key = "".join(f'<span class="{name}"></span>{name}' for name in LEVELS)
    rows = [(name, _levels(runs)) for name, runs in told["panels"].items()]
    parts = [
        head("panels", "4 Panels, levels, grades"),
        "<p>Level of the waterfall by day. A day before an index starts or after its sources end "
        "is empty.</p>",
        figure(strips(rows, told["from"], told["to"]), "Waterfall level of the main indices"),
        f'<p class="key dim">{key}</p>',
    ]
    cells = [
        [name, r["from"], r["to"], r["waterfall"], r["counted"], r["panel"], r["effective_n"],
         r["weight_pct"]]
        for name, runs in told["panels"].items()
        for r in runs
    ]  # fmt: skip
    heads = ["index", "from", "to", "level", "counted", "panel", "effective", "weight %"]
    parts.append(twin("Table: who counted, from when to when", table(heads, cells, [4, 5, 6, 7])))
    for title, family in (
        ("Sellers that count, token rates", "TKR"),
        ("Sellers that count, GPU rates", "GPR"),
    ):
        names = [n for n in told["panels"] if n.startswith(family)][:3]
        lines = [_counted(n, told["panels"][n]) for n in names]
        parts.append(f"<h3>{title}</h3>")
        made = Chart(title, "groups", lines, from_zero=True, height=230, is_count=True)
        caption = "Groups observed or held, by day; gaps are days without a value"
        parts.append(figure(line_chart(made), caption))
    parts.append("<h3>Indices with a value, by family</h3>")
    for family, runs in told["families"].items():
        days = [d for r in runs for d in r[:2]]
        if not any(r[2] for r in runs):
            continue
        line = Line(family, *_filled(runs))
        made = Chart(family, "indices", [line], from_zero=True, height=140, is_count=True)
        caption = f"{family}: indices with a value, {days[0]} to {days[-1]}"
        parts.append(figure(line_chart(made), caption))
    rows2 = [[family, *r] for family, runs in told["families"].items() for r in runs]
    parts.append(twin("Table", table(["family", "from", "to", "indices with a value"], rows2, [3])))
    graded = [[name, g["day"], g["grade"]] for name, gs in told["grades"].items() for g in gs]
    parts.append("<p>Grades are those of publishing (rulebook 12), on the first of each month and "
                 "the last day. A reference index reaches C at most.</p>")  # fmt: skip
    parts.append(twin("Table: grades", table(["index", "day", "grade"], graded)))
    return parts


def _levels(runs: Sequence[Row]) -> list[tuple[str, str, str]]:
    """Return runs of one level, whoever counted."""
    made: list[tuple[str, str, str]] = []
    for r in runs:
        following = date.fromisoformat(r["from"]) - timedelta(days=1)
        if made and made[-1][1:] == (following.isoformat(), r["waterfall"]):
            made[-1] = (made[-1][0], r["to"], r["waterfall"])
        else:
            made.append((r["from"], r["to"], r["waterfall"]))
    return made


def _counted(name: str, runs: Sequence[Row]) -> Line:
    spans = [
        [r["from"], r["to"], r["counted"] if r["waterfall"] != "NO_FIX" else None] for r in runs
    ]
    return Line(name, *_filled(spans))


def _filled(spans: Sequence[Sequence[Any]]) -> tuple[list[str], list[str | None]]:
    days: list[str] = []
    values: list[str | None] = []
    for begin, end, count in spans:
        day, last = date.fromisoformat(begin), date.fromisoformat(end)
        while day <= last:
            days.append(day.isoformat())
            values.append(None if count is None else str(count))
            day += timedelta(days=1)
    return days, values


def anomalies(told: Row) -> list[str]:
    """Return the chapter of what the screens decided."""
    found = told["anomalies"]
    held = found["held_afterwards"]
    rows = [list(r.values()) for r in found["summary"]]
    heads = ["reason", "status", "rows", "index days", "indices", "days value differs",
             "median difference %", "largest %"]  # fmt: skip
    parts = [
        head("anomalies", "5 What the screens decided"),
        f"<p>{found['count']:,} prices were held, excluded or suspect, one for each index, day and "
        "group. Beside each stands what the index would have printed without the screens: a second "
        "determination of the whole history in which no jump, gross error or suspect pair is ever "
        "decided. Bounds of 6.1 stay in both.</p>",
        f"<p>Of {sum(held.values())} held prices, {held['accepted']} were accepted the next day, "
        f"{held['went back']} went back, {held['excluded']} were excluded as a gross error and "
        f"{held['gone']} were gone. An accepted hold is a move published a day late.</p>",
        table(heads, rows, [2, 3, 4, 5, 6, 7]),
        f"<p>Another {found['after_effects_count']:,} index days differ without a decision of "
        "their own: an imputed price or a link goes on from an earlier one, or the index reads "
        "another. They are in the JSON.</p>",
        f"<h3>The {len(found['largest'])} largest</h3>",
        f"<p>Unbroken runs of days with the same price, reason and values, of "
        f"{found['runs_count']:,} in all; every single day is in the JSON.</p>",
    ]
    cells = [
        [r["index_id"], r["day"], r["days"], r["group"], r["quoted"], r["stood"], r["status"],
         r["reason"], r["published"], r["without_screens"], r["difference_pct"], r["afterwards"]]
        for r in found["largest"]
    ]  # fmt: skip
    heads = ["index", "from", "days", "group", "quoted", "stood", "status", "reason", "published",
             "without screens", "difference %", "next day"]  # fmt: skip
    parts.append(table(heads, cells, [2, 4, 5, 8, 9, 10]))
    refused = [[r["source"], r["reason"], r["rows"]] for r in found["refused_on_arrival"]]
    parts.append(
        "<h3>Refused on arrival</h3><p>Quotes that never became an observation (rulebook 2.4), "
        "slips of units among them (OUT_OF_BOUNDS), over the whole bundle.</p>"
    )
    parts.append(table(["source", "reason", "quotes"], refused, [2]))
    return parts


def scenarios(told: Row) -> list[str]:
    """Return the chapter of scenarios."""
    found = told["scenarios"]
    parts = [
        head("scenarios", "6 When the market breaks"),
        "<p>Observations of one index are edited from a quiet day on, and the days that follow are "
        "determined by the functions that publish. What the rulebook says was worked out by hand "
        "first. A source that is gone still counts as asked: on a day that no source covers, a "
        "back-cast has no fixing at all (10.3).</p>",
        f"<p>{found['as_expected']} of {found['count']} days came out as the rulebook says.</p>",
    ]
    for name in dict.fromkeys(r["index_id"] for r in found["rows"]):
        mine = [r for r in found["rows"] if r["index_id"] == name]
        cells = [
            [
                f"{r['title']}: {r['touched']}",
                r["day"],
                f"{r['clauses']}: {r['says']}" if r["says"] else "not worked for this history",
                f"{cell(r['expected_waterfall'])} {cell(r['expected_value'])}",
                f"{r['waterfall']} {cell(r['value'])}",
                r["change_pct"],
                " ".join(r["flags"]),
                r["as_expected"],
            ]
            for r in mine
        ]
        heads = ["scenario and who", "day", "what the rulebook says", "due", "printed"]
        heads += ["change %", "flags", "as due"]
        parts.append(f"<h3>{escape(name)}, {mine[0]['value_before']} the day before</h3>")
        parts.append(table(heads, cells, [5], keep=1))
        known = dict.fromkeys(r["known_difference"] for r in mine if r["known_difference"])
        if known:
            parts.append(f'<p class="no">Not as due: {escape("; ".join(known))}.</p>')
    return parts


def resistance(told: Row) -> list[str]:
    """Return the chapter of resistance."""
    cells = [
        [r["index_id"], r["ref_date"], r["value"], r["members"], r["estimator"], r["mi1_group"],
         "no bound" if r["mi1_is_unbounded"] else r["mi1_pct"],
         "no bound" if r["mi2_is_unbounded"] else r["mi2_pct"],
         r["breakdown_groups"], r["left_out_low_pct"], r["left_out_high_pct"]]
        for r in told["resistance"]
    ]  # fmt: skip
    heads = ["index", "day", "value", "members", "estimator", "who", "one at any price %"]
    heads += ["two at any price %", "groups to break", "left out, low %", "left out, high %"]
    return [
        head("resistance", "7 How far sellers can move it"),
        "<p>On the last day of each main index (rulebook 16). Any price: what one group, or the "
        "worst pair, makes of the value if its prices are let stand. Groups to break: how many of "
        "the heaviest move it without bound.</p>",
        table(heads, cells, [2, 3, 6, 7, 8, 9, 10]),
    ]
