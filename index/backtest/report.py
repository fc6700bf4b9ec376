"""The whole report as one value: every figure of the page, and nothing the page computes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from index.backtest import anomalies, events, measures
from index.backtest.expected import KNOWN_DIFFERENCES, TITLES
from index.backtest.passes import History
from index.outcome import Outcome

SCHEMA: Final = "backtest/1.0"
SHOWN_RUNS: Final = 50

Row = dict[str, Any]


def report(
    history: History,
    outcome: Outcome,
    back_cast: bytes,
    without: bytes,
    scenario_rows: list[Row],
    first: date,
    last: date | None = None,
) -> Row:
    """Return the figures of the report, of days from ``first`` to ``last``.

    Args:
        history: what both passes read.
        outcome: the determinations as published.
        back_cast: their lines.
        without: the lines of the pass without screens.
        scenario_rows: of :func:`index.backtest.scenarios.run`.
        first: first day shown. Determination itself always starts with the history.
        last: last day shown; ``None``: where the sources end.
    """
    stops = [day for day in history.until.values() if day]
    end = min(last, max(stops)) if last else max(stops)
    published = anomalies.values_of(back_cast)
    screenless = anomalies.values_of(without)
    rows = anomalies.anomalies(outcome, history.until, first, published, screenless)
    happened, outside = events.load()
    shown = {(n, d): v for (n, d), v in published.items() if first.isoformat() <= d}
    return {
        "schema": SCHEMA,
        "from": first.isoformat(),
        "to": end.isoformat(),
        "methodology": history.rules.version,
        "inputs": history.inputs_digest,
        "indices": len(history.until),
        "index_days": len(shown),
        "index_days_with_value": sum(v is not None for v in shown.values()),
        "charts": [{"title": title, "indices": list(names)} for title, names in measures.CHARTS],
        "series": measures.series(history, published, first, end),
        "events": events.compared(happened, published, first, end),
        "levels": events.levels(outside, published, first, end),
        "drift": measures.drift(published, first, end),
        "triple": measures.triple(history, outcome, first),
        "families": measures.families(history, published, first, end),
        "panels": measures.panels(history, outcome, first, end),
        "grades": measures.grades(history, outcome, first, end),
        "anomalies": _anomalies(rows, published, screenless, first, history),
        "scenarios": _scenarios(scenario_rows),
        "resistance": measures.resistance(history, outcome, end),
    }


def _anomalies(
    rows: list[Row],
    published: Mapping[tuple[str, str], str | None],
    screenless: Mapping[tuple[str, str], str | None],
    first: date,
    history: History,
) -> Row:
    runs = anomalies.runs(rows)
    after = anomalies.after_effects(rows, published, screenless, first)
    held = [row["afterwards"] for row in rows if row["status"] == "HELD"]
    words = ("accepted", "went back", "excluded", "gone")
    return {
        "summary": anomalies.summary(rows),
        "held_afterwards": {word: held.count(word) for word in words},
        "refused_on_arrival": anomalies.refused(history.taken.rejections),
        "columns": list(anomalies.COLUMNS),
        "count": len(rows),
        "rows": [[row[name] for name in anomalies.COLUMNS] for row in rows],
        "runs_count": len(runs),
        "largest": runs[:SHOWN_RUNS],
        "after_effects_count": len(after),
        "after_effects": after,
    }


def _scenarios(rows: list[Row]) -> Row:
    told = []
    for row in rows:
        key = row["index_id"], row["scenario"], row["day_of_scenario"] - 1
        known = None if row["as_expected"] else KNOWN_DIFFERENCES.get(key)
        told.append({**row, "title": TITLES[row["scenario"]], "known_difference": known})
    return {
        "count": len(told),
        "as_expected": sum(row["as_expected"] for row in told),
        "rows": told,
    }
