"""Bilateral, chained, multilateral and spliced indices (vectors TV01 to TV04)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

import numpy as np

from index.conformance_cases.sheet import NotUnderstood, Sheet, by_column
from index.conformance_cases.tables import price_panel
from methodology import quality_adjusted as multilateral
from methodology import quality_series
from methodology.bilateral import FORMULAS, Floats, Panel, chained, fixed_base
from methodology.splices import SPLICES, rolling
from methodology.units import NANO

_LEAF = (int, float, Decimal)

_METHODS: Final = (
    (r"(geks|ccdi|gini).*(full|gpindex|na_?rm)", "geks_tornqvist_fullbasket_shares"),
    (r"(geks|gini).*(fisher|_f\b|_f_)", "geks_fisher"),
    (r"(geks|gini).*walsh", "geks_walsh"),
    (r"(geks|gini).*jevons", "geks_jevons"),
    (r"geks|ccdi|gini", "geks_tornqvist"),
    (r"geary|khamis|\bgk\b|(^|[_. ])gk([_. ]|$)", "geary_khamis"),
    (r"tpd.*(raw|multilateral)|(raw|multilateral).*tpd", "tpd_raw_expenditure_weights"),
    (r"(tpd|dummy).*(unweighted|ols|unit_w)", "tpd_unweighted"),
    (r"tpd|time_product_dummy", "wtpd"),
)
"""Pattern of a field's path to the convention it names; the first match counts."""

_SPLICES: Final = (
    (r"mean_?_?pub", "mean_pub"),
    (r"(window|half|mean)_(?:splice_)?(?:on_)?published", r""),
    (r"wisp", "wisp"),
    (r"hasp", "hasp"),
    (r"movement", "movement"),
    (r"geo_?mean|mean_splice|(^|[_. ])mean([_. ]|$)", "mean"),
    (r"half", "half"),
    (r"(^|[_. ])window([_. ]|$)|window_splice", "window"),
)

_PUBLISHED: Final = {"window": "wisp", "half": "hasp", "mean": "mean_pub"}

_NOTES: Final = {
    "geks_tornqvist": "GEKS-T, shares over the matched goods of each pair (adopted)",
    "geks_tornqvist_fullbasket_shares": "GEKS-T, full-basket shares (gpindex na.rm = TRUE)",
    "geary_khamis": "GK, solved directly",
    "wtpd": "WTPD, weights = expenditure share within the period (adopted)",
    "tpd_raw_expenditure_weights": "TPD, weights = raw expenditure (multilateral)",
}


def method_of(path: str) -> str | None:
    """Return the multilateral convention that a field's path names; ``None`` if none."""
    return next((name for pattern, name in _METHODS if re.search(pattern, path)), None)


def splice_of(path: str) -> str | None:
    """Return the splice that a field's path names; ``None`` if none."""
    for pattern, name in _SPLICES:
        found = re.search(pattern, path)
        if found:
            return name or _PUBLISHED[found[1]]
    return None


def formula_of(path: str) -> str | None:
    """Return the bilateral formula that a field's path names; ``None`` if none."""
    if re.search(r"geometric|harmonic|log[_ -]", path):
        return None  # geometric Laspeyres and the like: other formulas
    return next((name for name in FORMULAS if name in path), None)


def indices(sheet: Sheet) -> None:
    """Check every series of a vector of index formulas.

    The path of a figure says what it is: ``expected_chained.fisher``,
    ``expected.gk.half``, ``expected.geks_tornqvist``. Several data sets stand in ``cases``.
    """
    cases = sheet.get("cases", "datasets")
    sheet.take("window", "window_length", "base", "base_period", "length")
    if isinstance(cases, list):
        for n, case in enumerate(cases, 1):
            name = str(case.get("id", n))
            with sheet.guard(name):
                _part(sheet, {**case}, name + ".", _series(case), case)
    _part(sheet, None, "", _series(sheet.told), sheet.told)


def _series(part: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a part that hold series."""
    wanted = r"expected|official|published|by_(peer|software|convention)|peer_values|cross_checks"
    return {name: value for name, value in part.items() if re.match(wanted, name)}


def _part(
    sheet: Sheet,
    part: Mapping[str, Any] | None,
    prefix: str,
    series: Mapping[str, Any],
    place: Mapping[str, Any],
) -> None:
    if not series:
        return
    if place is sheet.told:
        sheet.take(*series)
    panel = price_panel(sheet, part)
    cache: dict[tuple[str, ...], Floats] = {}
    for path, expected in _leaves(series):
        _check(sheet, panel, prefix, path, expected, place, cache)


def _leaves(tree: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every list or number of a tree, with the names that lead to it."""
    tree = by_column(tree)
    if isinstance(tree, Mapping):
        keys = list(tree)
        is_by_period = keys and all(re.fullmatch(r"[pt]?_?\d+(-\d\d)*", str(k)) for k in keys)
        if is_by_period and all(isinstance(v, _LEAF) for v in tree.values()):
            yield path, list(tree.values())
            return
        for name, value in tree.items():
            yield from _leaves(value, (*path, str(name)))
    elif isinstance(tree, list) or (isinstance(tree, _LEAF) and not isinstance(tree, bool)):
        yield path, tree


def _check(
    sheet: Sheet,
    panel: Panel,
    prefix: str,
    path: tuple[str, ...],
    expected: Any,
    place: Mapping[str, Any],
    cache: dict[tuple[str, ...], Floats],
) -> None:
    case = prefix + ".".join(path)
    text = " ".join(path).lower().replace("-", "_").replace("ö", "o")
    if "==" in text or "diff" in text:
        return  # a peer compared with another peer: no figure of an index
    period = re.search(r"period[ _-]?(\d+)", text)
    try:
        got, note = _series_of(panel, path, text, place, sheet, cache)
    except NotUnderstood as error:
        sheet.unknown(case, expected, str(error))
        return
    digits = re.search(r"(\d+)[ _]?dp", text)
    decimals = int(digits[1]) if digits else None
    if not isinstance(expected, list):
        at = int(period[1]) if period else len(got)
        if at > len(got):
            sheet.unknown(case, expected, f"period {at} of {len(got)}")
            return
        sheet.check(case, expected, float(got[at - 1]), note, decimals)
        return
    ours: list[float | None] = [None if np.isnan(one) else float(one) for one in got]
    sheet.check(case, expected, ours, note, decimals)
    if note == _NOTES["wtpd"]:
        published = "WTPD in 50 digits, the function that publishes QAX"
        sheet.check(f"{case} as published", expected, _as_published(panel), published, decimals)


def _as_published(panel: Panel) -> list[float]:
    """Return the index of ``quality_series``: prices in nano, quantities in millionths."""
    prices = [
        {g: round(Decimal(repr(p)) * NANO) for g, p in zip(panel.goods, row, strict=True) if p > 0}
        for row in panel.price.tolist()
    ]
    sold = [
        {g: round(Decimal(repr(q)) * 10**6) for g, q in zip(panel.goods, row, strict=True) if q > 0}
        for row in panel.quantity.tolist()
    ]
    logs = quality_series.time_product_dummy(prices, sold)
    if logs is None:
        raise NotUnderstood("the periods are not linked by common goods")
    return [float(log.exp()) for log in logs]


def _series_of(
    panel: Panel,
    path: tuple[str, ...],
    text: str,
    place: Mapping[str, Any],
    sheet: Sheet,
    cache: dict[tuple[str, ...], Floats],
) -> tuple[Floats, str]:
    """Return our series for a path, and the name of its convention."""
    method, formula = method_of(text), formula_of(text)
    splice = splice_of(" ".join(path[1:]).lower()) if method else None
    if method is None and formula is None:
        raise NotUnderstood("names no index formula that is built here")
    if method is None:
        assert formula is not None
        is_chained = "chain" in text
        key: tuple[str, ...] = (formula, "chained" if is_chained else "fixed")
        if key not in cache:
            made = chained(panel, formula) if is_chained else fixed_base(panel, formula)
            cache[key] = made
        kind = "chained, matched" if is_chained else "fixed base, matched"
        return cache[key], f"{formula}, {kind}"
    window = window_of(sheet, place)
    if splice is None and window is not None and window < len(panel.periods):
        raise NotUnderstood(f"a window of {window} needs a splice: {', '.join(SPLICES)}")
    key = (method, splice or "")
    if key not in cache:
        function = multilateral.METHODS[method]
        if splice is None:
            cache[key] = function(panel)
        elif window is None:
            raise NotUnderstood("a splice needs the length of its window")
        else:
            cache[key] = rolling(panel, function, window, splice)
    note = _NOTES.get(method, method)
    return cache[key], f"{note}; {splice} splice, window {window}" if splice else note


def window_of(sheet: Sheet, place: Mapping[str, Any]) -> int | None:
    """Return the length of the rolling window: a field, the file's name, or its own words."""
    for part in (place, sheet.told):
        for name in ("window", "window_length", "length"):
            if isinstance(part.get(name), int):
                return int(part[name])
    words = f"{sheet.vector} {sheet.told.get('what', '')}"
    found = re.search(r"window[ _]?(?:of )?\(?(\d+)|(\d+)[ -](?:period|month)s? window", words)
    return int(found[1] or found[2]) if found else None
