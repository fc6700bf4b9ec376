"""Charts as inline SVG: step lines with gaps, strips of levels. No script, colours from the page.

Coordinates are floats, written with one decimal; no figure of the report passes through them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from html import escape
from typing import Final

Place = Callable[[int], float]
Height = Callable[[float], float]

WIDTH: Final = 880
LEFT, RIGHT, TOP, BOTTOM = 58, 275, 30, 30
NAME: Final = 200
"""Space for the names of strips."""


@dataclass(frozen=True)
class Line:
    """One step line: a day and a value each, ``None`` where there is none (a gap)."""

    label: str
    days: Sequence[str]
    values: Sequence[str | None]
    style: str = ""


@dataclass(frozen=True)
class Chart:
    """A chart of steps over time: lines, numbered marks of days, bands of outside levels."""

    title: str
    unit: str
    lines: Sequence[Line]
    marks: Sequence[tuple[str, str]] = ()
    bands: Sequence[tuple[str, str, str, str, str]] = field(default=())
    from_zero: bool = False
    height: int = 300
    is_count: bool = False


def _ordinal(day: str) -> int:
    return date.fromisoformat(day).toordinal()


def steps(low: float, high: float, most: int = 6) -> list[float]:
    """Return round ticks that span a range, at most about ``most``."""
    if high <= low:
        high = low + (abs(low) or 1.0) * 0.1
    rough, unit = (high - low) / most, 1.0
    while unit * 10 <= rough:
        unit *= 10
    while unit > rough:
        unit /= 10
    step = next(unit * f for f in (1, 2, 2.5, 5, 10) if unit * f >= rough)
    first = int(low // step)
    ticks = [first * step]
    while ticks[-1] < high - step * 1e-9:
        ticks.append((first + len(ticks)) * step)
    return ticks


def _number(value: float) -> str:
    text = f"{value:,.4f}".rstrip("0").rstrip(".")
    return text or "0"


def line_chart(chart: Chart) -> str:
    """Return a chart as one ``svg`` element: y axis with its unit, labels beside the line ends."""
    known = [
        (_ordinal(d), float(v))
        for one in chart.lines
        for d, v in zip(one.days, one.values, strict=True)
        if v is not None
    ]
    if not known:
        return '<p class="none">No value in this span.</p>'
    ends = [_ordinal(d) for _, _, _, a, b in chart.bands for d in (a, b)]
    sizes = [float(v) for _, low, high, _, _ in chart.bands for v in (low, high)]
    x0, x1 = min(x for x, _ in known), max([x for x, _ in known] + ends) + 1
    y0, y1 = min([y for _, y in known] + sizes), max([y for _, y in known] + sizes)
    margin = (y1 - y0) * 0.08 or abs(y1) * 0.02 or 1.0
    low_end = 0.0 if chart.from_zero else y0 - margin
    ticks = steps(low_end, max(y1, 4.0) if chart.is_count else y1 + margin)
    low, high = ticks[0], ticks[-1]
    inner = WIDTH - LEFT - RIGHT

    def x_of(day: int) -> float:
        return LEFT + inner * (day - x0) / (x1 - x0)

    def y_of(value: float) -> float:
        return chart.height - BOTTOM - (chart.height - TOP - BOTTOM) * (value - low) / (high - low)

    told = "; ".join(one.label for one in chart.lines)
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {chart.height}" role="img" '
        f'aria-label="{escape(chart.title)}: {escape(told)}">',
        f'<text class="unit" x="4" y="14">{escape(chart.unit)}</text>',
    ]
    for tick in ticks:
        y = y_of(tick)
        parts.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>')
        parts.append(f'<text class="tick" x="{LEFT - 6}" y="{y + 4:.1f}">{_number(tick)}</text>')
    parts += _time_axis(x0, x1, x_of, chart.height - BOTTOM)
    parts += _bands(chart, x_of, y_of)
    for mark, day in chart.marks:
        if x0 <= _ordinal(day) <= x1:
            x = x_of(_ordinal(day))
            parts.append(f'<path class="mark" d="M{x:.1f} {TOP}V{chart.height - BOTTOM}"/>')
            parts.append(f'<text class="number" x="{x:.1f}" y="{TOP - 4}">{escape(mark)}</text>')
    labels: list[tuple[float, float, int, str]] = []
    for n, one in enumerate(chart.lines):
        path, end = _step_path(one, x_of, y_of)
        parts.append(f'<path class="line c{n} {one.style}" d="{path}"/>')
        if end is not None:
            labels.append((end[1], end[0], n, f"{one.label} {end[2]}"))
    parts += _labels(labels, chart.height)
    return "".join([*parts, "</svg>"])


def _bands(chart: Chart, x_of: Place, y_of: Height) -> list[str]:
    """Return bands, each with its label beside it: above, below, above again further off."""
    parts = []
    for n, (label, low, high, begin, end) in enumerate(chart.bands):
        x, right = x_of(_ordinal(begin)), x_of(_ordinal(end) + 1)
        top, bottom = y_of(float(high)), y_of(float(low))
        parts.append(
            f'<rect class="band" x="{x:.1f}" y="{top:.1f}" width="{right - x:.1f}" '
            f'height="{max(bottom - top, 2.0):.1f}"/>'
        )
        is_late = x + 6.5 * len(label) > WIDTH
        at, anchor = (right, "end") if is_late else (x, "start")
        y = top - 5 if n % 2 == 0 else max(y_of(float(b[1])) for b in chart.bands) + 14
        parts.append(
            f'<text class="outside" style="text-anchor:{anchor}" x="{at:.1f}" y="{y:.1f}">'
            f"{escape(label)}</text>"
        )
    return parts


def _time_axis(x0: int, x1: int, x_of: Place, y: float) -> list[str]:
    """Return ticks on the first of months (or days when the span is short), with labels."""
    span = x1 - x0
    every = 1 if span <= 200 else 3 if span <= 760 else 6
    parts, day = [], date.fromordinal(x0)
    if span < 75:
        days = [date.fromordinal(n) for n in range(x0, x1 - 2, max(1, span // 5))]
        names = [(one, f"{one:%d %b %Y}" if one == days[0] else f"{one:%d %b}") for one in days]
    else:
        names, year, month = [], day.year, day.month
        while date(year, month, 1).toordinal() < x1:
            one = date(year, month, 1)
            if one.toordinal() >= x0 and (month - 1) % every == 0:
                names.append((one, f"{one:%b %Y}"))
            year, month = (year + 1, 1) if month == 12 else (year, month + 1)
    parts.append(f'<path class="axis" d="M{x_of(x0):.1f} {y:.1f}H{x_of(x1):.1f}"/>')
    for one, name in names:
        x = x_of(one.toordinal())
        parts.append(f'<path class="axis" d="M{x:.1f} {y:.1f}v5"/>')
        parts.append(f'<text class="time" x="{x:.1f}" y="{y + 18:.1f}">{name}</text>')
    return parts


def _step_path(
    line: Line, x_of: Place, y_of: Height
) -> tuple[str, tuple[float, float, str] | None]:
    """Return a path of steps that ends where a value is missing, and its last point."""
    parts: list[str] = []
    before: str | None = None
    expected, end = None, None
    for n, (day, value) in enumerate(zip(line.days, line.values, strict=True)):
        at = _ordinal(day)
        if value is None:
            before = None
            continue
        x, y = x_of(at), y_of(float(value))
        if before is None or expected != at:
            parts.append(f"M{x:.1f} {y:.1f}")
        elif value != before:
            parts.append(f"H{x:.1f}V{y:.1f}")
        right = x_of(at + 1)
        before, expected, end = value, at + 1, (right, y, value)
        is_next = n + 1 < len(line.days) and _ordinal(line.days[n + 1]) == at + 1
        if not is_next or line.values[n + 1] is None:
            parts.append(f"H{right:.1f}")
    return "".join(parts), end


def _labels(labels: list[tuple[float, float, int, str]], height: int) -> list[str]:
    """Return the labels of line ends, moved apart so that none covers another.

    A line that ends well before the chart does has its label above its end.
    """
    at = float(TOP)
    parts = []
    for y, x, n, text in sorted(labels):
        if x < WIDTH - RIGHT - 40:
            fits = x - 6.6 * len(text) > LEFT
            anchor, left = ("end", x) if fits else ("start", LEFT + 4.0)
            beside = y - 6 if fits or at == TOP else y + 16
            at = max(at, beside)
            parts.append(
                f'<text class="label c{n}" style="text-anchor:{anchor}" x="{left:.1f}" '
                f'y="{beside:.1f}">{escape(text)}</text>'
            )
            continue
        at = max(at, y + 4)
        parts.append(
            f'<path class="lead c{n}" d="M{x:.1f} {y:.1f}L{x + 8:.1f} {at - 4:.1f}"/>'
            f'<text class="label c{n}" x="{x + 10:.1f}" y="{min(at, height - 4):.1f}">'
            f"{escape(text)}</text>"
        )
        at += 15
    return parts


LEVELS: Final = ("FULL", "REDUCED", "CARRIED_INPUT", "MODEL", "CARRY", "NO_FIX")


def strips(
    rows: Sequence[tuple[str, Sequence[tuple[str, str, str]]]], first: str, last: str
) -> str:
    """Return one strip per name, coloured by waterfall level; days without a fixing stay empty.

    Args:
        rows: name and its runs: first day, last day, level.
        first: left end.
        last: right end.
    """
    x0, x1 = _ordinal(first), _ordinal(last) + 1
    tall, top = 22, 8
    height = top + tall * len(rows) + BOTTOM
    inner = WIDTH - NAME - 30

    def x_of(day: int) -> float:
        return NAME + inner * (day - x0) / (x1 - x0)

    parts = [f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="Waterfall level by day">']
    for n, (name, runs) in enumerate(rows):
        y = top + tall * n
        parts.append(f'<text class="name" x="{NAME - 8}" y="{y + 13}">{escape(name)}</text>')
        parts.append(f'<path class="grid" d="M{NAME} {y + 18}H{NAME + inner}"/>')
        for begin, end, level in runs:
            x, right = x_of(_ordinal(begin)), x_of(_ordinal(end) + 1)
            parts.append(
                f'<rect class="level {level}" x="{x:.1f}" y="{y}" '
                f'width="{max(right - x, 0.6):.1f}" height="16"><title>{escape(name)} {begin} to '
                f"{end}: {level}</title></rect>"
            )
    parts += _time_axis(x0, x1, x_of, top + tall * len(rows))
    return "".join([*parts, "</svg>"])
