"""What the screens held, excluded or found suspect, and the values there would be without them.

One row per index, day and group. The value without screens comes from a second determination of
the whole history under :func:`without_screens`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from fractions import Fraction
from typing import Any, Final

import numpy as np
import polars as pl

from index.backtest.scenarios import change_pct
from index.outcome import Outcome
from index.publication.record import decimal_text
from methodology import determination as det
from methodology.definition import Methodology
from methodology.plans import Series

Row = dict[str, Any]
Values = Mapping[tuple[str, str], str | None]

NEVER_BEYOND: Final = 10**6
"""A factor that no two prices inside the bounds of rulebook 6.1 reach within one market."""

SCREENED: Final = (det.R_JUMP, det.R_SUSPECT, det.R_GROSS)

COLUMNS: Final = (
    "index_id", "day", "group", "source", "quoted", "stood", "status", "reason", "published",
    "without_screens", "difference_pct", "afterwards",
)  # fmt: skip
"""Of a row. ``quoted``: the price of the day; ``stood``: what took its place, null if nothing did;
``afterwards``: of a held price, what became of it on the next day."""


def without_screens(rules: Methodology) -> Methodology:
    """Return the same parameters with screens that never decide anything.

    Jumps and gross errors begin at a factor of a million, and no output price is too cheap for its
    input price. So nothing is held, excluded or suspect. Bounds (6.1) stay: what they refuse never
    became an observation.
    """
    far = Fraction(NEVER_BEYOND)
    return rules.model_copy(
        update={
            "jump": rules.jump.model_copy(update={"token_ratio": far, "gpu_ratio": far}),
            "gross": rules.gross.model_copy(
                update={
                    "exclude_ratio": NEVER_BEYOND,
                    "reenter_ratio": NEVER_BEYOND,
                    "max_excluded_share": Fraction(1),
                }
            ),
            "bounds": rules.bounds.model_copy(update={"out_to_in_min": Fraction(0)}),
        }
    )


def values_of(back_cast: bytes) -> dict[tuple[str, str], str | None]:
    """Return published values by index and day from the lines of a back-cast."""
    rows = (json.loads(line) for line in back_cast.splitlines())
    return {(row["index_id"], row["ref_date"]): row["value"] for row in rows}


def anomalies(
    outcome: Outcome,
    until: Mapping[str, date | None],
    first: date,
    published: Values,
    without: Values,
) -> list[Row]:
    """Return one row per index, day and group that a screen decided on, by day, index, group.

    Args:
        outcome: the determinations as published.
        until: last day per index.
        first: earlier days are left out.
        published: values by index and day.
        without: the same of the pass without screens.
    """
    found: list[Row] = []
    for series in outcome.rates.values():
        found += _of_rates(series, until, first)
    for name, made in outcome.composites.items():
        for day, told in made.days.items():
            if day < first:
                continue
            found += [
                {
                    "index_id": name,
                    "day": day.isoformat(),
                    "group": r["model"],
                    "source": r["source"],
                    "quoted": _price(r["quoted_nano"]),
                    "stood": _price(r["price_nano"]),
                    "status": r["status"],
                    "reason": r["reason"],
                    "afterwards": None,
                }
                for r in told.rows
                if r["reason"] == "JUMP_UNCONFIRMED"
            ]
    for row in found:
        key = row["index_id"], row["day"]
        row["published"], row["without_screens"] = published.get(key), without.get(key)
        row["difference_pct"] = change_pct(row["published"], row["without_screens"])
    found.sort(key=lambda r: (r["day"], r["index_id"], r["group"]))
    return [{name: row[name] for name in COLUMNS} for row in found]


def _of_rates(series: Series, until: Mapping[str, date | None], first: date) -> list[Row]:
    found: list[Row] = []
    hits = np.isin(series.reason, SCREENED) & np.isin(
        series.status, (det.HELD, det.IMPUTED, det.DROPPED)
    )
    start = series.index_days[0]
    for i in np.flatnonzero(hits.any((0, 2))).tolist():
        p = series.plans[i]
        stop = until.get(p.index_id)
        rows = p.speaking(p.rows.filter(pl.col("reason").is_null()))
        quoted = {
            (day, group, slot): price
            for day, group, slot, price in rows.select(
                "day", "group", "slot", "price_nano"
            ).iter_rows()
        }
        for d, g in np.argwhere(hits[:, i]).tolist():
            day = start + timedelta(days=d)
            vintage = p.vintages[d]
            if stop is None or day > stop or day < first or vintage is None or not p.covered[d]:
                continue
            group = series.groups[i][g]
            source = dict(zip(vintage.groups, vintage.sources, strict=True))[group]
            stood = int(series.price[d, i, g])
            status = det.STATES[series.status[d, i, g]]
            found.append(
                {
                    "index_id": p.index_id,
                    "day": day.isoformat(),
                    "group": group,
                    "source": source,
                    "quoted": _price(quoted.get((d, group, source))),
                    "stood": _price(stood or None),
                    "status": status,
                    "reason": det.REASONS[series.reason[d, i, g]],
                    "afterwards": _afterwards(series, d, i, g) if status == "HELD" else None,
                }
            )
    return found


def _price(nano: int | None) -> str | None:
    """Return nano-units as decimal text without zeros that say nothing."""
    text = decimal_text(nano, 9)
    return text.rstrip("0").rstrip(".") if text else None


def _afterwards(series: Series, d: int, i: int, g: int) -> str | None:
    """Return what became of a held price on the next day: it stood, went back, or neither."""
    if d + 1 >= len(series.index_days) or not series.plans[i].covered[d + 1]:
        return None
    status, reason = series.status[d + 1, i, g], series.reason[d + 1, i, g]
    if status == det.OBSERVED:
        accepted = (det.R_CONFIRMED, det.R_TWO_PATHS, det.R_CROWD)
        return "accepted" if reason in accepted else "went back"
    return "excluded" if reason == det.R_GROSS else "gone"


def runs(rows: Sequence[Row]) -> list[Row]:
    """Return unbroken runs of days on which the same thing was said of the same group.

    Largest absolute difference first, then day, index, group; a run without one comes last. ``day``
    is its first day, ``last`` its last, ``days`` how many.
    """
    same = [name for name in COLUMNS if name not in ("day", "afterwards")]
    made: list[Row] = []
    newest: dict[tuple[Any, ...], Row] = {}
    for row in rows:
        key = tuple(row[name] for name in same)
        before = newest.get(key)
        day = date.fromisoformat(row["day"])
        if before and date.fromisoformat(before["last"]) + timedelta(days=1) == day:
            before["last"], before["days"] = row["day"], before["days"] + 1
            before["afterwards"] = row["afterwards"]
            continue
        newest[key] = {**row, "last": row["day"], "days": 1}
        made.append(newest[key])

    def order(row: Row) -> tuple[Any, ...]:
        text = row["difference_pct"]
        size = abs(Fraction(text)) if text is not None else Fraction(-1)
        return (-size, row["day"], row["index_id"], row["group"])

    return sorted(made, key=order)


def after_effects(
    rows: Sequence[Row], published: Values, without: Values, first: date
) -> list[Row]:
    """Return index days that differ without screens though none of their own decided that day.

    ``since``: the last day before with a decision in that index (an imputed price or a link goes
    on from it); null where the index has none and reads another index (13.2, 18).
    """
    decided: dict[str, list[str]] = {}
    for row in rows:
        decided.setdefault(row["index_id"], []).append(row["day"])
    own = {(row["index_id"], row["day"]) for row in rows}
    found = []
    for key, value in sorted(published.items(), key=lambda item: (item[0][1], item[0][0])):
        name, day = key
        if day < first.isoformat() or key in own or without.get(key) == value:
            continue
        earlier = [d for d in decided.get(name, []) if d < day]
        found.append(
            {
                "index_id": name,
                "day": day,
                "published": value,
                "without_screens": without.get(key),
                "difference_pct": change_pct(value, without.get(key)),
                "since": max(earlier, default=None),
            }
        )
    return found


def summary(rows: Sequence[Row]) -> list[Row]:
    """Return counts by reason and status: rows, index days, indices, and how far values moved."""
    found = []
    for reason, status in sorted({(r["reason"], r["status"]) for r in rows}):
        mine = [r for r in rows if (r["reason"], r["status"]) == (reason, status)]
        days = {(r["index_id"], r["day"]): r["difference_pct"] for r in mine}
        sizes = sorted(abs(Fraction(x)) for x in days.values() if x is not None)
        middle = sizes[len(sizes) // 2] if sizes else None
        found.append(
            {
                "reason": reason,
                "status": status,
                "rows": len(mine),
                "index_days": len(days),
                "indices": len({r["index_id"] for r in mine}),
                "days_value_differs": sum(size > 0 for size in sizes),
                "median_difference_pct": _pct(middle),
                "largest_difference_pct": _pct(sizes[-1] if sizes else None),
            }
        )
    return found


def _pct(size: Fraction | None) -> str | None:
    return None if size is None else decimal_text(int(size * 10**6), 6)


def refused(rejections: pl.DataFrame) -> list[Row]:
    """Return how many quotes were refused on arrival, by source and reason (rulebook 2.4)."""
    counted = rejections.group_by("source", "reason").len("rows").sort("source", "reason")
    return counted.to_dicts()
