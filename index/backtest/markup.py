"""Small pieces of HTML: tables, figures, headings."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any


def cell(value: Any) -> str:
    """Return a figure as the page writes it: text as it stands, a dash for null."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)


def table(
    heads: Sequence[str], rows: Sequence[Sequence[Any]], right: Sequence[int] = (), keep: int = 0
) -> str:
    """Return a table; columns of ``right`` hold figures, ``keep`` is never folded."""
    top = "".join(
        f'<th class="n">{escape(h)}</th>' if n in right else f"<th>{escape(h)}</th>"
        for n, h in enumerate(heads)
    )
    body = []
    for row in rows:
        cells = []
        for n, value in enumerate(row):
            told = escape(cell(value))
            kind = ' class="n"' if n in right else ' class="k"' if n == keep else ""
            if value is False:
                kind, told = ' class="no"', "no"
            cells.append(f"<td{kind}>{told}</td>")
        body.append(f"<tr>{''.join(cells)}</tr>\n")
    return (
        f'<div class="wide"><table><thead><tr>{top}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def twin(name: str, made: str) -> str:
    """Return a table that stands behind a chart, folded."""
    return f"<details><summary>{escape(name)}</summary>{made}</details>\n"


def head(key: str, title: str) -> str:
    """Return the heading of a chapter."""
    return f'<h2 id="{key}">{escape(title)}</h2>\n'


def figure(chart: str, caption: str) -> str:
    """Return a chart with its caption."""
    return f"<figure>{chart}<figcaption>{escape(caption)}</figcaption></figure>\n"


def changes(days: Sequence[str], values: Sequence[Any]) -> list[list[Any]]:
    """Return spans of days on which a value stood: first day, last day, value."""
    spans: list[list[Any]] = []
    for day, value in zip(days, values, strict=True):
        if spans and spans[-1][2] == value:
            spans[-1][1] = day
        else:
            spans.append([day, day, value])
    return spans
