"""Dated events and outside levels beside the published values (rulebook 12.5)."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import date, timedelta
from fractions import Fraction
from importlib import resources
from typing import Any, Final

from index.backtest.anomalies import Values
from index.backtest.scenarios import change_pct
from methodology.errors import DefinitionError

Row = dict[str, Any]

FILE: Final = "market_events.toml"

_EVENT = {"day": date, "title": str, "what": str, "source": str, "moves": list, "stays": list}
_MOVE = {"index": str, "day": date, "before": str, "after": str}
_LEVEL = {
    "title": str, "low": str, "high": str, "from": date, "to": date, "unit": str,
    "indices": list, "source": str,
}  # fmt: skip


def load(text: str | None = None) -> tuple[list[Row], list[Row]]:
    """Return the events, by day, and the levels of the register.

    Args:
        text: another text than the packaged file's.

    Raises:
        DefinitionError: not TOML, an unknown or missing key, or a value of another type; the
            message names the line.
    """
    if text is None:
        file = resources.files("methodology") / "instruments" / FILE
        text = file.read_text("utf-8")
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DefinitionError(f"{FILE}: not valid TOML: {error}; correct it") from error
    if set(content) - {"event", "level"}:
        raise DefinitionError(f"{FILE}: only [[event]] and [[level]] are known tables")
    for row in content.get("event", []):
        _check(row, _EVENT)
        for move in row["moves"]:
            _check(move, _MOVE)
    for row in content.get("level", []):
        _check(row, _LEVEL)
    return sorted(content.get("event", []), key=lambda r: r["day"]), content.get("level", [])


def _check(row: Mapping[str, Any], keys: Mapping[str, type]) -> None:
    told = f"{FILE}: {row.get('title') or row.get('index')}"
    if set(row) != set(keys):
        raise DefinitionError(f"{told}: keys {sorted(set(row) ^ set(keys))} differ; correct them")
    for name, kind in keys.items():
        if type(row[name]) is not kind:
            raise DefinitionError(f"{told}: {name} = {row[name]!r} is no {kind.__name__}")


def compared(events: list[Row], published: Values, first: date, last: date) -> list[Row]:
    """Return each event inside a span with what the indices did, and whether as worked out.

    ``moves``: the value of the day before and of the day, beside those expected. ``stays``: the
    value the day before the event, on its day and the day after. ``as_expected`` is null where an
    index has no value on a day that is needed: nothing can be said.
    """
    found = []
    for event in events:
        if not first <= event["day"] <= last:
            continue
        moves = [_moved(move, published) for move in event["moves"]]
        stays = [_stayed(name, event["day"], published) for name in event["stays"]]
        found.append(
            {
                "day": event["day"].isoformat(),
                "title": event["title"],
                "what": event["what"],
                "source": event["source"],
                "moves": moves,
                "stays": stays,
            }
        )
    return found


def _moved(move: Mapping[str, Any], published: Values) -> Row:
    day = move["day"]
    before = published.get((move["index"], (day - timedelta(days=1)).isoformat()))
    after = published.get((move["index"], day.isoformat()))
    is_known = before is not None and after is not None
    return {
        "index_id": move["index"],
        "day": day.isoformat(),
        "expected_before": move["before"],
        "expected_after": move["after"],
        "before": before,
        "after": after,
        "change_pct": change_pct(before, after),
        "as_expected": (before, after) == (move["before"], move["after"]) if is_known else None,
    }


def _stayed(name: str, day: date, published: Values) -> Row:
    days = [(day + timedelta(days=n)).isoformat() for n in (-1, 0, 1)]
    values = [published.get((name, one)) for one in days]
    is_known = None not in values
    return {
        "index_id": name,
        "days": days,
        "values": values,
        "as_expected": len(set(values)) == 1 if is_known else None,
    }


def levels(rows: list[Row], published: Values, first: date, last: date) -> list[Row]:
    """Return each outside level with the last value of each index beside it.

    ``distance_pct``: how far that value is outside the range, from its nearer end; zero inside.
    The day of the value is stated: sources of the bundle end before some of the ranges begin.
    """
    found = []
    for row in rows:
        beside = []
        for name in row["indices"]:
            known = [
                (day, value)
                for (index_id, day), value in published.items()
                if index_id == name and value is not None and first.isoformat() <= day
            ]
            day, value = max(known, default=(None, None))
            beside.append(
                {
                    "index_id": name,
                    "day": day,
                    "value": value,
                    "distance_pct": _distance(value, row["low"], row["high"]),
                }
            )
        told = {name: row[name] for name in ("title", "low", "high", "unit", "source")}
        told |= {"from": row["from"].isoformat(), "to": row["to"].isoformat(), "beside": beside}
        if row["from"] <= last:
            found.append(told)
    return found


def _distance(value: str | None, low: str, high: str) -> str | None:
    if value is None:
        return None
    one = Fraction(value)
    if Fraction(low) <= one <= Fraction(high):
        return "0.000000"
    return change_pct(low if one < Fraction(low) else high, value)
