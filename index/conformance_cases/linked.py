"""Baskets with links: by chain, by divisor, geometrically (TV08)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

from index.conformance_cases.sheet import NotUnderstood, Sheet, by_column, exact
from index.conformance_cases.tables import column, ordered, rows_of
from methodology.bilateral import Basket, Linked, linked_index

_LINKS = (
    *("links", "link_periods", "link_period", "link", "link_at"),
    *("rebalance_periods", "rebalance_period", "rebalance_at", "relink_at", "relink"),
)
_EMPTY = (None, "", "NA", "null")
_LINK = ("link", "from", "start", "period", "t", "at", "from_period", "link_period", "first_period")


def linked(sheet: Sheet) -> None:
    """Check a basket index with links; several data sets stand in ``cases``."""
    sheet.each(_one)


def _one(sheet: Sheet, part: Mapping[str, Any], prefix: str) -> None:
    periods, prices, rows = _prices(sheet, part)
    baskets, names = _baskets(part, sheet.told, periods, prices, rows)
    expected = {k: v for k, v in part.items() if k.startswith("expected") or k == "official"}
    leaves = list(_leaves(expected))
    base = _base(part, sheet.told, leaves)
    try:
        made = linked_index(prices, baskets, base)
        direct = linked_index(prices, baskets[:1], base) if _is_whole(prices, baskets) else None
    except ValueError as error:
        raise NotUnderstood(str(error)) from None
    if part is sheet.told:
        sheet.take(*expected, *names)
        sheet.take("base", "base_level", "level_base", "input", "data", "prices", "periods")
    for path, told in leaves:
        _check(sheet, prefix + ".".join(path), path, told, made, direct, periods, len(baskets))


def _prices(
    sheet: Sheet, part: Mapping[str, Any]
) -> tuple[list[Any], list[dict[str, Fraction]], list[Mapping[str, Any]]]:
    """Return the periods in order, the prices of each as exact fractions, and the rows."""
    inline = part.get("prices", sheet.told.get("prices"))
    if isinstance(inline, Mapping) and all(isinstance(v, list) for v in inline.values()):
        count = max(len(v) for v in inline.values())
        found = [
            {g: exact(v[t]) for g, v in inline.items() if t < len(v) and v[t] not in _EMPTY}
            for t in range(count)
        ]
        return list(range(count)), found, []
    if isinstance(inline, list) and all(isinstance(one, Mapping) for one in inline):
        skip = {*_LINK, "date"}
        table = [
            {g: exact(v) for g, v in one.items() if g not in skip and v not in _EMPTY}
            for one in inline
        ]
        return list(range(len(table))), table, []
    if isinstance(inline, list) and all(isinstance(one, list) for one in inline):
        lines = [{str(n): exact(v) for n, v in enumerate(one) if v not in _EMPTY} for one in inline]
        return list(range(len(lines))), lines, []
    rows = rows_of(sheet, part)
    when, good, price = (column(rows, one) for one in ("period", "product", "price"))
    if when is None:
        raise NotUnderstood(f"no column for the period among {', '.join(rows[0])}")
    at = ordered([r[when] for r in rows])
    periods = sorted(set(at))
    found = [{} for _ in periods]
    for period, row in zip(at, rows, strict=True):
        place = found[periods.index(period)]
        if good is not None and price is not None:
            if row[price] not in _EMPTY:
                place[str(row[good])] = exact(row[price])
            continue
        for name, cell in row.items():
            if name != when and cell not in _EMPTY:
                place[name] = exact(cell)
    return periods, found, list(rows)


def _place(value: Any, periods: Sequence[Any]) -> int:
    """Return the place of a period that a link names, by its value."""
    (one,) = ordered([value])
    if one in periods:
        return periods.index(one)
    if str(value) in [str(p) for p in periods]:
        return [str(p) for p in periods].index(str(value))
    raise NotUnderstood(f"a link at {value!r}, which is none of the periods")


def _baskets(
    part: Mapping[str, Any],
    told: Mapping[str, Any],
    periods: Sequence[Any],
    prices: Sequence[Mapping[str, Fraction]],
    rows: Sequence[Mapping[str, Any]],
) -> tuple[list[Basket], list[str]]:
    """Return the baskets in order of link, and the fields they were read from."""
    for name in (
        "baskets",
        "weights",
        "quantities",
        "links",
        "rebalancing",
        "rebalances",
        "segments",
    ):
        value = part.get(name, told.get(name))
        if isinstance(value, list | Mapping) and value:
            is_quantity = name == "quantities"
            found = list(_read(value, part, told, periods, prices, is_quantity))
            names = [name, *_LINKS]
            return sorted(found, key=lambda one: one.link), names
    several = _several(part, told, periods, prices)
    if several:
        return several
    weight = column(rows, "weight") if rows else None
    good, when = (column(rows, one) for one in ("product", "period")) if rows else (None, None)
    if weight and good and when:
        at = ordered([r[when] for r in rows])
        found = []
        for place, period in enumerate(periods):
            own = {
                str(r[good]): exact(r[weight])
                for p, r in zip(at, rows, strict=True)
                if p == period and r[weight] not in _EMPTY
            }
            if own and (not found or own != found[-1].weights):
                found.append(Basket(place, own))
        return found, []
    sold = column(rows, "quantity") if rows else None
    if sold and good and when:
        at = ordered([r[when] for r in rows])
        start = {str(r[good]): r[sold] for p, r in zip(at, rows, strict=True) if p == periods[0]}
        return [Basket(0, _weights(start, prices[0], True))], []
    if "equal" in f"{told.get('what', '')} {told.get('weights', '')}":
        return [Basket(0, dict.fromkeys(prices[0], Fraction(1)))], ["weights"]
    raise NotUnderstood("no weights: baskets, weights, quantities, or a column weight")


_ORDER = {"old": 1, "first": 1, "before": 1, "a": 1, "new": 2, "second": 2, "after": 2, "b": 2}


def _several(
    part: Mapping[str, Any],
    told: Mapping[str, Any],
    periods: Sequence[Any],
    prices: Sequence[Mapping[str, Fraction]],
) -> tuple[list[Basket], list[str]] | None:
    """Return baskets from fields such as ``weights_1``, ``weights_7`` or ``weights_old``, ``_new``.

    Numbers are the periods of the links, unless a field of its own names those.
    """
    fields: list[tuple[int, str, Any]] = []
    for name in {**told, **part}:
        found = re.fullmatch(r"(?:weights?|basket|w)_?(?:[a-z]+_)*?([a-z]+|[a-z]*(\d+))", name)
        value = part.get(name, told.get(name))
        if found and isinstance(value, Mapping | list) and (found[2] or found[1] in _ORDER):
            fields.append((int(found[2]) if found[2] else _ORDER[found[1]], name, value))
    if not fields:
        return None
    fields.sort(key=lambda one: one[0])
    links = _links(part, told) or [number for number, _, _ in fields]
    links = [periods[0], *links][-len(fields) :] if len(links) < len(fields) else links
    made = []
    for link, (_, _, value) in zip(links, fields, strict=True):
        place = _place(link, periods)
        made.append(Basket(place, _weights(value, prices[place], False)))
    return made, [*(name for _, name, _ in fields), *_LINKS]


def _read(
    value: Any,
    part: Mapping[str, Any],
    told: Mapping[str, Any],
    periods: Sequence[Any],
    prices: Sequence[Mapping[str, Fraction]],
    is_quantity: bool,
) -> Iterator[Basket]:
    """Yield baskets from weights by good, from weights by link, or from a list of either."""
    if isinstance(value, Mapping) and all(
        isinstance(v, Mapping) and {"weights", "w", "quantities", "q"} & set(v)
        for v in value.values()
    ):
        value = list(value.values())  # baskets by name
    if isinstance(value, Mapping) and all(isinstance(v, Mapping) for v in value.values()):
        for link, own in value.items():
            place = _place(link, periods)
            yield Basket(place, _weights(own, prices[place], is_quantity))
        return
    if isinstance(value, Mapping) or not isinstance(value[0], Mapping | list):
        yield Basket(0, _weights(value, prices[0], is_quantity))
        return
    links = _links(part, told)
    if links and len(links) == len(value) - 1:
        links = [periods[0], *links]
    for n, one in enumerate(value):
        own, at, is_worth = one, links[n] if links else None, is_quantity
        if isinstance(one, Mapping):
            key = next((k for k in _LINK if k in one), None)
            at = one[key] if key else at
            inner = next((k for k in ("weights", "quantities", "w", "q") if k in one), None)
            own = one[inner] if inner else one
            is_worth = is_quantity or inner in ("quantities", "q")
        place = 0 if at is None and n == 0 else _place(at, periods)
        yield Basket(place, _weights(own, prices[place], is_worth))


def _links(part: Mapping[str, Any], told: Mapping[str, Any]) -> list[Any]:
    """Return the link periods, where a list of plain values names them."""
    for place in (part, told):
        for name in _LINKS:
            value = place.get(name)
            if isinstance(value, int | str) and not isinstance(value, bool):
                return [value]
            if isinstance(value, list) and not any(isinstance(x, Mapping | list) for x in value):
                return value
    return []


def _weights(own: Any, prices: Mapping[str, Fraction], is_quantity: bool) -> dict[str, Fraction]:
    if isinstance(own, list):
        own = dict(zip(prices, own, strict=True))
    found = {
        str(g): exact(v)
        for g, v in own.items()
        if isinstance(v, int | float | Decimal | str) and g not in _LINK and v not in _EMPTY
    }
    if is_quantity:
        return {g: q * prices[g] for g, q in found.items() if q}
    return found


def _base(
    part: Mapping[str, Any], told: Mapping[str, Any], leaves: Sequence[tuple[tuple[str, ...], Any]]
) -> Fraction:
    """Return the level of the first period: a field, else what a level series starts with."""
    for place in (part, told):
        for name in ("base", "base_level", "level_base"):
            if isinstance(place.get(name), int | Decimal):
                return exact(place[name])
    for path, value in leaves:
        if isinstance(value, list) and value and "divisors" not in path[-1]:
            start = value[0]
            if isinstance(start, int | Decimal) and start in (1, 100, 1000):
                return exact(start)
    return Fraction(1)


def _is_whole(prices: Sequence[Mapping[str, Fraction]], baskets: Sequence[Basket]) -> bool:
    return bool(baskets) and all(g in one for one in prices for g in baskets[0].weights)


def _leaves(tree: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    tree = by_column(tree)
    if isinstance(tree, Mapping):
        values = list(tree.values())
        is_series = all(
            isinstance(v, int | Decimal | str) and not isinstance(v, bool) for v in values
        )
        if values and is_series and all(re.fullmatch(r"[\d-]+", str(k)) for k in tree):
            yield path, values
            return
        for name, value in tree.items():
            yield from _leaves(value, (*path, str(name)))
    else:
        yield path, tree


def _check(
    sheet: Sheet,
    case: str,
    path: tuple[str, ...],
    told: Any,
    made: Linked,
    direct: Linked | None,
    periods: Sequence[Any],
    baskets: int,
) -> None:
    text = " ".join(path).lower()
    if isinstance(told, str) and not re.fullmatch(r"[-\d./eE+]+", told):
        return
    chained, note = made.chained, "chain of baskets, exact fractions"
    source: Linked | None = made
    if "direct" in text or "unlinked" in text or "fixed_base" in text:
        source, note = direct, "first basket throughout, exact fractions"
        if direct is None:
            sheet.unknown(case, told, "the first basket has no price in every period")
            return
    assert source is not None
    got: list[Any] = list(source.chained)
    if isinstance(told, bool):
        chained_equal = made.chained == made.by_divisor
        whole = (
            chained_equal
            if "direct" not in text
            else direct is not None and chained == direct.chained
        )
        sheet.check(case, told, whole, "compared as exact fractions")
        return
    if "geo" in text or "jevons" in text:
        got, note = list(source.geometric), "geometric twin, same weights"
        if re.search("gap|diff|twin_over|ratio", text) and not isinstance(told, list):
            sheet.unknown(case, told, "a gap of two indices is not built here")
            return
    elif "divisor" in text and (
        (isinstance(told, list) and len(told) == baskets != len(periods)) or "divisors" in text
    ):
        got, note = list(source.divisors), "divisor of each basket, quantities w / p(link)"
    elif "divisor" in text:
        got, note = list(source.by_divisor), "worth of quantities over the divisor"
    if isinstance(told, list):
        is_after_base = len(told) == len(got) - 1 and len(got) == len(periods)
        sheet.check(case, told, got[1:] if is_after_base else got, note)
        return
    number = re.search(r"(?:^|[ _])(?:p|t|period|day)?_?(\d+)$", text)
    at = len(got) - 1
    if number:
        try:
            at = _place(number[1], periods)
        except NotUnderstood:
            at = len(got)
    if "max_diff" in text or "max_abs_diff" in text or "drift" in text:
        off = max(abs(a - b) for a, b in zip(made.chained, made.by_divisor, strict=True))
        sheet.check(case, told, off, "largest distance of chain and divisor")
    elif at < len(got):
        sheet.check(case, told, got[at], f"{note}; period {periods[at]}")
    else:
        sheet.unknown(case, told, "a figure of no period of the data")
