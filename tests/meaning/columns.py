"""Changes of columns, heads, rows and cells of the tables of a body."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from tests.meaning import tables
from tests.meaning.changes import (
    FIGURE,
    FORMS,
    Change,
    Outcome,
    Rule,
    form,
    is_priced,
    scaled,
)


def of_tables(body: bytes, kind: str, of: Outcome) -> Iterator[Change]:
    """Yield changes of columns, heads, rows and cells of every table."""
    base = of(body)
    for grid in tables.grids(body, kind):
        if of(grid.written(grid.rows)) != base:
            yield Change("written again", grid.name, grid.written(grid.rows), ("noticed",))
            continue
        head = grid.rows[0]
        read = [
            (at, spots) for at in range(len(head)) if (spots := _read_cells(grid, at, of, base))
        ]
        for at, spots in read:
            where = f"{grid.name} column {tables.inner(head[at])[:40]!r}"
            for new in ("Promo {}", "{} (batch)", "x"):
                named = _with(grid, 0, at, new.format(tables.inner(head[at])))
                yield Change(f"head renamed {new}", where, named, ("noticed",))
            yield from _cells(grid, at, spots, where)
            if grid.is_even:
                promo = [
                    [*row[: at + 1], _promo(row[at], is_head=not n), *row[at + 1 :]]
                    for n, row in enumerate(grid.rows)
                ]
                yield Change("a promo column", where, grid.written(promo), ("no new price",))
        for (one, _), (two, _) in pairwise(read):
            where = (
                f"{grid.name} {tables.inner(head[one])[:30]!r} and {tables.inner(head[two])[:30]!r}"
            )
            swapped = [_swapped(head, one, two), *grid.rows[1:]]
            yield Change("two heads exchanged", where, grid.written(swapped), ("noticed",))
            figures = [head, *(_swapped(row, one, two) for row in grid.rows[1:])]
            yield Change(
                "figures of two columns exchanged", where, grid.written(figures), ("guard",)
            )
            if grid.is_even:
                moved = [_swapped(row, one, two) for row in grid.rows]
                yield Change("two columns moved", where, grid.written(moved), ("no new price",))
        if read:
            yield from _rows(grid, [at for at, _ in read])


def _read_cells(grid: tables.Grid, at: int, of: Outcome, base: object) -> list[int]:
    """Return the rows whose cell of a column holds a figure that is read as a price."""
    found = []
    for n, row in enumerate(grid.rows[1:], 1):
        if at < len(row) and len(found) < 3 and len(FIGURE.findall(tables.inner(row[at]))) == 1:
            text = FIGURE.sub(lambda hit: scaled(hit[0], "1.25"), tables.inner(row[at]))
            if is_priced(of(_with(grid, n, at, text)), base):
                found.append(n)
    return found


def _with(grid: tables.Grid, row: int, at: int, text: str) -> bytes:
    rows = [list(each) for each in grid.rows]
    rows[row][at] = tables.with_inner(rows[row][at], text)
    return grid.written(rows)


def _swapped(row: list[str], one: int, two: int) -> list[str]:
    row = list(row)
    if max(one, two) < len(row):
        row[one], row[two] = row[two], row[one]
    return row


def _promo(cell: str, *, is_head: bool) -> str:
    text = tables.inner(cell)
    if is_head:
        return tables.with_inner(cell, f"Promo {text}")
    return tables.with_inner(cell, FIGURE.sub(lambda hit: scaled(hit[0], "0.5"), text))


def _cells(grid: tables.Grid, at: int, spots: list[int], where: str) -> Iterator[Change]:
    n = spots[0]
    text = tables.inner(grid.rows[n][at])
    figure = FIGURE.search(text)
    if figure is None:
        return
    for template, name, rules in FORMS:
        made = text[: figure.start()] + form(template, figure[0]) + text[figure.end() :]
        yield Change(
            f"a figure as {name}", f"{where} {made[:40]!r}", _with(grid, n, at, made), rules
        )
    whole: tuple[tuple[str, str, tuple[Rule, ...]], ...] = (
        ("from {}", "words before", ("noticed", "no new price")),
        ("{} {9}", "two prices in one cell", ("noticed", "no new price")),
        ("<del>{}</del> {9}", "struck out, with a new price", ("noticed",)),
        ("<del>{}</del>", "struck out", ("noticed", "no new price")),
        ("~~{}~~", "struck out in Markdown", ("noticed", "no new price")),
        ('<span style="display: none">{}</span>', "hidden", ("noticed", "no new price")),
        ("<span hidden>{}</span>", "hidden by a word", ("noticed", "no new price")),
        ('<span class="hidden">{}</span>', "hidden by a class", ("look", "no new price")),
        ('<span class="invisible">{}</span>', "hidden by another class", ("look", "no new price")),
        ('<span style="opacity:0">{}</span>', "transparent", ("look", "no new price")),
        ('<span style="font-size:0">{}</span>', "too small", ("look", "no new price")),
        ("{}<sup>1</sup>", "with a footnote", ("no new price",)),
        ("{}*", "with a star", ("no new price",)),
        ("{} (promo)", "said to be a promotion", ("noticed", "no new price")),
        ("{} plus tax", "without tax", ("noticed", "no new price")),
        ("{} / month", "per month", ("noticed", "no new price")),
        ("{} / 1K tokens", "per thousand", ("noticed",)),
    )
    other = FIGURE.sub(lambda hit: scaled(hit[0], "0.5"), text)
    for template, name, rules in whole:
        made = template.replace("{9}", other).replace("{}", text)
        yield Change(f"a cell {name}", f"{where} {made[:40]!r}", _with(grid, n, at, made), rules)
    for by, name in (("10", "up"), ("0.1", "down"), ("1000", "up three"), ("0.001", "down three")):
        made = FIGURE.sub(lambda hit, by=by: scaled(hit[0], by), text)  # type: ignore[misc]
        yield Change(f"a point moved {name}", where, _with(grid, n, at, made), ("guard",))
        rows = [list(row) for row in grid.rows]
        for row in rows[1:]:
            if at < len(row):
                row[at] = tables.with_inner(
                    row[at],
                    FIGURE.sub(lambda hit, by=by: scaled(hit[0], by), tables.inner(row[at])),  # type: ignore[misc]
                )
        yield Change(f"a column's points moved {name}", where, grid.written(rows), ("guard",))


def _rows(grid: tables.Grid, read: list[int]) -> Iterator[Change]:
    first = next((row for row in grid.rows[1:] if max(read) < len(row)), None)
    if first is None:
        return
    twin = [
        tables.with_inner(c, FIGURE.sub(lambda hit: scaled(hit[0], "0.8"), tables.inner(c)))
        if at in read
        else c
        for at, c in enumerate(first)
    ]
    for name, rows in (
        ("a row again with other prices, last", [*grid.rows, twin]),
        ("a row again with other prices, first", [grid.rows[0], twin, *grid.rows[1:]]),
    ):
        yield Change(name, grid.name, grid.written(rows), ("no new price",))
    half = [grid.rows[0], *grid.rows[1 : 1 + max(1, len(grid.rows) // 2)]]
    yield Change("half of the rows gone", grid.name, grid.written(half), ("guard",))
