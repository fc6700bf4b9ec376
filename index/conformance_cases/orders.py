"""Order statistics, caps, trims, influence (vectors TV05 to TV07, TV11, TV12, TV14, TV16)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from index.conformance_cases.sheet import NotUnderstood, Sheet, exact
from index.conformance_cases.statistics import (
    by_convention,
    integers,
    quantile,
    share_of,
    statistic,
)
from index.conformance_cases.tables import column, rows_of
from methodology import resistance
from methodology.estimators import MEDIAN, TRIM25, TRIM40
from methodology.order_statistics import trim_counts
from methodology.weights import capped_shares

HALF = Fraction(1, 2)
_SAMPLE = ("x", "values", "prices", "p")
_WEIGHTS = ("w", "weights", "volumes")


def cases_of(sheet: Sheet) -> list[Mapping[str, Any]]:
    """Return the cases of a vector; a file with figures at its top is its own single case."""
    cases = sheet.get("cases", "scenarios", "rows")
    if isinstance(cases, list):
        return [one for one in cases if isinstance(one, Mapping)]
    return [sheet.told]


def first(part: Mapping[str, Any], names: Sequence[str]) -> Any:
    """Return the first of these fields that is there, else ``None``."""
    return next((part[name] for name in names if name in part), None)


def samples(sheet: Sheet) -> None:
    """Check statistics of samples: a field's name says which one (TV05, TV06, TV11)."""
    for n, case in enumerate(cases_of(sheet), 1):
        name = "" if case is sheet.told else str(case.get("id", n))
        with sheet.guard(name or "file"):
            _sample(sheet, case, name)
    for name in ("external_published_example", "published_example", "external_example"):
        example = sheet.get(name)
        if isinstance(example, Mapping) and "value" in example:
            alpha = exact(example.get("alpha", "1/4"))
            got, note = statistic(f"trim_{float(alpha)}", example["x"], example.get("w"))
            sheet.check(name, example["value"], got, note)


def _sample(sheet: Sheet, case: Mapping[str, Any], name: str) -> None:
    x, w = first(case, _SAMPLE), first(case, _WEIGHTS)
    taken = {*_SAMPLE, *_WEIGHTS}
    if not isinstance(x, list):
        if case is not sheet.told:
            sheet.unknown(name, dict(case), "a case without a sample x")
        return
    dot = f"{name}." if name else ""
    for field, expected in case.items():
        if field == "by_convention" and isinstance(expected, Mapping):
            _conventions(sheet, expected, x, w, dot)
        elif re.match(r"expected_percentiles|percentiles|expected_quantiles", field):
            if not isinstance(expected, Mapping):
                sheet.unknown(f"{dot}{field}", expected, "percentiles stand by name")
                continue
            convention = "average" if "spec" in field or convention_free(field) else field
            for level, value in expected.items():
                share = share_of(str(level))
                if share is None:
                    sheet.unknown(f"{dot}{level}", value, "a percentile is called p25 or the like")
                    continue
                got, note = by_convention(x, w, convention, share)
                sheet.check(f"{dot}{level}", value, got, note)
        elif field == "expected" and isinstance(expected, Mapping):
            for inner, value in expected.items():
                _one(sheet, f"{dot}{inner}", inner, value, x, w)
        elif field.startswith("expected"):
            if isinstance(expected, Mapping | list):
                sheet.unknown(f"{dot}{field}", expected, "one figure is expected here")
            else:
                _one(sheet, f"{dot}{field}", field, expected, x, w)
        elif "wilcox" in field and not isinstance(expected, str):
            _one(sheet, f"{dot}{field}", field, expected, x, w)
        else:
            continue
        taken.add(field)
    if case is sheet.told:
        sheet.take(*taken)
    else:
        sheet.rest(case, name, taken)


def convention_free(field: str) -> bool:
    """Return whether a field of percentiles names no convention of its own."""
    return field in ("expected_percentiles", "percentiles", "expected_quantiles")


def _one(sheet: Sheet, case: str, name: str, expected: Any, x: Any, w: Any) -> None:
    try:
        got, note = statistic(name, x, w)
    except NotUnderstood as error:
        sheet.unknown(case, expected, str(error))
        return
    sheet.check(case, expected, got, note)


def _conventions(sheet: Sheet, told: Mapping[str, Any], x: Any, w: Any, dot: str) -> None:
    for name, entry in told.items():
        expected = entry.get("value") if isinstance(entry, Mapping) else entry
        try:
            got, note = by_convention(x, w, name, HALF)
        except NotUnderstood as error:
            sheet.unknown(f"{dot}{name}", expected, str(error))
            continue
        sheet.check(f"{dot}{name}", expected, got, note)


def capping(sheet: Sheet) -> None:
    """Check capped shares, their concentration and the water level (TV07)."""
    for n, case in enumerate(cases_of(sheet), 1):
        name = str(case.get("id", n))
        w, c = first(case, _WEIGHTS), first(case, ("c", "cap", "ceiling"))
        expected = first(case, ("expected", "expected_weights", "expected_shares"))
        if not isinstance(w, list) or c is None or expected is None:
            sheet.unknown(name, dict(case), "capping needs w, c and expected")
            continue
        with sheet.guard(name, expected):
            _capped(sheet, case, name, w, c, expected)


def _capped(
    sheet: Sheet, case: Mapping[str, Any], name: str, w: list[Any], c: Any, expected: Any
) -> None:
    volumes, _ = integers(w)
    cap = exact(c)
    shares = capped_shares(volumes, cap)
    sheet.check(name, expected, shares, "weights.py, exact fractions")
    square = sum((s * s for s in shares), Fraction(0))
    for field, got in (("hhi", square), ("eff_n", 1 / square), ("n_eff", 1 / square)):
        if field in case:
            sheet.check(f"{name}.{field}", case[field], got)
    if "lambda" in case:
        _level(sheet, name, case["lambda"], volumes, shares, cap)
    known = {*_WEIGHTS, "c", "cap", "ceiling", "expected", "expected_weights"}
    known |= {"expected_shares", "hhi", "eff_n", "n_eff", "lambda"}
    sheet.rest(case, name, known)


def _level(
    sheet: Sheet, name: str, told: Any, volumes: list[int], shares: list[Fraction], cap: Fraction
) -> None:
    """Check the factor on all shares that, cut at the cap, makes them sum to one."""
    total = sum(volumes)
    loose = [s * total / v for s, v in zip(shares, volumes, strict=True) if v and s < cap]
    if loose:
        sheet.check(f"{name}.lambda", told, loose[0])
        return
    least = max(cap * total / v for v in volumes if v)
    got = exact(told) if exact(told) >= least else least
    sheet.check(f"{name}.lambda", told, got, f"all at the cap: any factor from {float(least):g} on")


def partitioned(sheet: Sheet) -> None:
    """Check the volume-weighted median of each partition, and the mean of those (TV12)."""
    rows = rows_of(sheet)
    price = column(rows, "price")
    size = next((c for c in ("size", "volume", "quantity", "amount") if c in rows[0]), None)
    part = next((c for c in ("partition", "bucket", "k") if c in rows[0]), None)
    if price is None or size is None or part is None:
        raise NotUnderstood("trades need the columns partition, price and size")
    note = "estimators.py on integers; an empty partition is dropped"

    def middle(of: list[dict[str, Any]]) -> Fraction:
        return quantile([r[price] for r in of], [r[size] for r in of], HALF)

    expected = sheet.get("expected_partition_medians")
    found = {int(exact(r[part])) for r in rows}
    start = min(0 if 0 in found else 1, *found)
    count = sheet.get("partitions", "n_partitions")
    last = start + (len(expected) if isinstance(expected, list) else int(count or len(found)))
    medians: list[Fraction | None] = []
    for k in range(start, last):
        own = [r for r in rows if int(exact(r[part])) == k]
        medians.append(middle(own) if own else None)
    if isinstance(expected, list):
        sheet.check("partition", expected, medians, note)
    elif isinstance(expected, Mapping):
        for k, value in expected.items():
            sheet.check(f"partition {k}", value, medians[int(k) - start], note)
    told = sheet.get("expected_mean", "expected_rate", "expected_index")
    full = [m for m in medians if m is not None]
    if told is not None:
        sheet.check("mean", told, sum(full, Fraction(0)) / len(full), "equal weights")
    venues = sheet.get("expected_venue_medians")
    if isinstance(venues, Mapping):
        for venue, value in venues.items():
            own = [r for r in rows if r.get("venue") == venue]
            sheet.check(f"venue {venue}", value, middle(own) if own else None, note)
    whole = sheet.get("expected_median", "expected_overall_median", "expected_vwm")
    if whole is not None:
        sheet.check("all trades", whole, middle(rows), note)
    vwap = sheet.get("expected_vwap", "expected_weighted_mean")
    if vwap is not None:
        got, _ = statistic("weighted_mean", [r[price] for r in rows], [r[size] for r in rows])
        sheet.check("vwap", vwap, got)


def head_counts(sheet: Sheet) -> None:
    """Check how many a trim by head count drops and averages (TV14)."""
    for n, row in enumerate(cases_of(sheet), 1):
        heads = first(row, ("contributors", "n", "panel", "banks"))
        if heads is None:
            sheet.unknown(str(row.get("id", n)), dict(row), "a row without contributors")
            continue
        high, low, middle = trim_counts(int(heads))
        names = {"drop_high": high, "drop_low": low, "averaged": middle, "kept": middle}
        names |= {"drop_each": high, "highest": high, "lowest": low, "excluded": high + low}
        for field, got in names.items():
            if field in row:
                sheet.check(f"{heads} heads.{field}", row[field], got, "quartile, half down")
        sheet.rest(row, f"{heads} heads", {"contributors", "n", "panel", "banks", *names})


def influence(sheet: Sheet) -> None:
    """Check what one seller can do to a rate (TV16)."""
    for n, case in enumerate(cases_of(sheet), 1):
        dot = "" if case is sheet.told else f"{case.get('id', n)}."
        x, w = first(case, _SAMPLE), first(case, _WEIGHTS)
        if not isinstance(x, list) or not isinstance(w, list):
            sheet.unknown(dot or "x, w", dict(case), "influence needs x and w")
            continue
        with sheet.guard(dot or "x, w"):
            _influence(sheet, case, dot, x, w)
        known = {*_SAMPLE, *_WEIGHTS, "base", "expected_base", "relative_change", "estimator"}
        known |= {"expected_relative_change", "expected"}
        if case is sheet.told:
            sheet.take(*known)
        else:
            sheet.rest(case, dot, known)


def _estimator(case: Mapping[str, Any], sheet: Sheet) -> str:
    words = f"{case.get('estimator', '')} {case.get('what', '')} {sheet.told.get('what', '')}"
    if "40%" in words or "trim40" in words or "trimmed_mean_40" in words:
        return TRIM40
    return TRIM25 if "trim" in words else MEDIAN if "median" in words else TRIM25


def _influence(sheet: Sheet, case: Mapping[str, Any], dot: str, x: list[Any], w: list[Any]) -> None:
    prices, scale = integers(x)
    weights, _ = integers(w)
    name = _estimator(case, sheet)
    # A weight unit is far above the tie distance of published weights, as in a published panel.
    panel = resistance.Panel(
        tuple(f"{n:03d}" for n in range(len(x))),
        tuple(p * 1000 for p in prices),
        tuple(one * 10**6 for one in weights),
        name,
    )
    base = resistance.rate(panel)
    told = first(case, ("base", "expected_base"))
    if told is not None:
        sheet.check(f"{dot}base", told, base / (1000 * scale), name)
    changes = first(case, ("relative_change", "expected_relative_change", "expected"))
    for field, expected in (changes or {}).items():
        where = f"{dot}{field}"
        got: list[Fraction | None] = []
        try:
            for member in range(len(x)):
                got.append(_change(field, panel, member, base))
        except NotUnderstood as error:
            sheet.unknown(where, expected, str(error))
            continue
        sheet.check(where, expected, got, f"resistance.py, {name}, exact")


def _change(field: str, panel: resistance.Panel, member: int, base: Fraction) -> Fraction | None:
    found = re.search(r"(plus|minus|up|down)_?(\d+(?:\.\d+)?)_?(?:pct|percent)?", field)
    if found:
        move = Fraction(found[2]) / 100
        return resistance.own_change(
            panel, member, -move if found[1] in ("minus", "down") else move
        )
    if "leave" in field or "without" in field or "loo" in field:
        return resistance.leave_out_change(panel, member)
    reach = resistance.any_price(panel, member)
    if "inf" in field:
        return None if reach.high is None else reach.high / base - 1
    if "zero" in field:
        return reach.low / base - 1
    raise NotUnderstood("no such change is built here")
