"""Settlement prices, missing days, and a seller who leaves (TV09, TV15, SD01)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, timedelta
from fractions import Fraction
from typing import Any, Final

import numpy as np

from index.conformance_cases.orders import cases_of, first
from index.conformance_cases.sheet import NotUnderstood, Sheet, decimals_of, exact
from index.conformance_cases.statistics import integers
from index.conformance_cases.tables import column, rows_of
from methodology import calendars, contracts, settlement
from methodology import determination as det
from methodology.definition import load_methodology
from methodology.errors import DefinitionError
from methodology.estimators import CODES, MEDIAN, TRIM25
from methodology.panels import Vintage, weights_for
from methodology.settlement import Missing
from methodology.units import NANO, round_half_up


def monthly(sheet: Sheet) -> None:
    """Check final settlement prices by month and calendar of pricing days (TV09)."""
    rows = rows_of(sheet)
    when, value = column(rows, "period"), column(rows, "weight") or column(rows, "price")
    if when is None or value is None:
        raise NotUnderstood("daily values need the columns date and value")
    decimals = decimals_of([str(r[value]) for r in rows])
    values = {date.fromisoformat(str(r[when])): _units(r[value], decimals) for r in rows}
    expected = sheet.get("expected", "expected_by_month", "months", default={})
    for month, by_calendar in expected.items():
        if not re.fullmatch(r"\d{4}-\d\d", month) or not isinstance(by_calendar, Mapping):
            sheet.unknown(month, by_calendar, "months are called 2026-02 and hold calendars")
            continue
        for name, told in by_calendar.items():
            _month(sheet, month, name, told, values, decimals)


def _units(text: Any, decimals: int) -> int | None:
    return None if text in (None, "") else int(exact(text) * 10**decimals)


def _month(
    sheet: Sheet,
    month: str,
    name: str,
    told: Mapping[str, Any],
    values: Mapping[date, int | None],
    decimals: int,
) -> None:
    start, end = contracts.month_of(date.fromisoformat(f"{month}-01"))
    try:
        days = list(calendars.sessions(name, start, end))
        note = f"settlement.settle, frozen calendar {name}"
    except DefinitionError as error:
        closed = told.get("weekday_non_sessions")
        if not isinstance(closed, list):
            sheet.unknown(f"{month}.{name}", dict(told), str(error))
            return
        days = [d for d in _span(start, end) if d.weekday() < 5 and d.isoformat() not in closed]
        note = "settlement.settle, pricing days as the file lists them"
    _priced(sheet, f"{month}.{name}", told, days, values, decimals, note)
    weekdays = [d for d in _span(start, end) if d.weekday() < 5]
    if "weekday_non_sessions" in told:
        off = [d.isoformat() for d in weekdays if d not in days]
        sheet.check(f"{month}.{name}.closed", told["weekday_non_sessions"], off, note)
    for field, other in told.items():
        if isinstance(other, Mapping):
            _second(sheet, f"{month}.{name}.{field}", name, other, days, values, decimals)
    known = {"n", "first", "last", "mean_exact", "weekday_non_sessions"}
    known |= {f for f, v in told.items() if f.startswith("fsp_") or isinstance(v, Mapping)}
    sheet.rest(told, f"{month}.{name}", known)


def _span(start: date, end: date) -> list[date]:
    return [start + timedelta(days=n) for n in range((end - start).days + 1)]


def _priced(
    sheet: Sheet,
    case: str,
    told: Mapping[str, Any],
    days: list[date],
    values: Mapping[date, int | None],
    decimals: int,
    note: str,
) -> None:
    """Check count, ends, mean and prices at each tick over a list of pricing days."""
    for field, got in (
        ("n", len(days)),
        ("first", days[0].isoformat()),
        ("last", days[-1].isoformat()),
    ):
        if field in told:
            sheet.check(f"{case}.{field}", told[field], got, note)
    for field, expected in told.items():
        if not (field.startswith("fsp_") or field == "mean_exact"):
            continue
        tick = "0." + field.removeprefix("fsp_0_") if field.startswith("fsp_0_") else "1"
        made = settlement.settle(values, days, decimals=decimals, tick=Fraction(tick))
        if field == "mean_exact":
            places = decimals_of(expected)
            mean = made.mean or Fraction(0)
            units = round_half_up(*(mean * 10**places).as_integer_ratio())
            got_mean = settlement.units_text(units, places)
            sheet.check(f"{case}.{field}", expected, got_mean, note)
        else:
            sheet.check(f"{case}.{field}", expected, made.fsp, f"{note}, tick {tick}")


def _second(
    sheet: Sheet,
    case: str,
    name: str,
    told: Mapping[str, Any],
    days: list[date],
    values: Mapping[date, int | None],
    decimals: int,
) -> None:
    """Check a second calendar package: the same days, or those on which it is known to differ."""
    calendar = calendars.load_calendars().get(name)
    month = (days[0].year, days[0].month)
    other = set(days)
    for one in calendar.disagreements if calendar else ():
        if (one.day.year, one.day.month) == month:
            other = other | {one.day} if one.second == "open" else other - {one.day}
    differs = sorted(other ^ set(days))
    note = f"convention: {told.get('name', 'second package')}"
    note += f", which differs on {', '.join(map(str, differs))}" if differs else ", same days"
    if "same" in told:
        sheet.check(f"{case}.same", told["same"], not differs, note)
    _priced(sheet, case, told, sorted(other), values, decimals, note)
    lists = [f for f, v in told.items() if isinstance(v, list)]
    for field in lists:
        extra, lost = sorted(other - set(days)), sorted(set(days) - other)
        is_missing = re.search("miss|lack|exchange|xcals?|first|not_in_(p|second)", field)
        got = lost if is_missing else extra if re.search("extra|only|add", field) else differs
        sheet.check(f"{case}.{field}", told[field], [d.isoformat() for d in got], note)
    known = {"n", "first", "last", "mean_exact", "name", "same", *lists}
    sheet.rest(told, case, known | {f for f in told if f.startswith("fsp_")})


# --- look-back -----------------------------------------------------------------------------------

LOOK_BACK: Final = Missing(
    enough_share=Fraction(1),
    look_back_days=1,
    accept_share=Fraction(0),
    needs_last_day=True,
)
"""E0, E-1 and E-2; E-3 stands in for whichever of E-1 and E-2 has no price.

NSE Clearing, commodity derivatives, settlement price, bullion: the last three trading days'
polled spot prices, and "whichever available" of the last four where one or two are missing
(nseclearing.in, read 2026-11-20).
"""

_DAY = re.compile(r"^[Ee](?:[-_ ]?(?:minus_?)?|m)(\d+)$")
_YES = {"yes", "y", "true", "available", "1", "yes/no", "no/yes", "either", "any"}
_NO = {"no", "n", "false", "missing", "unavailable", "na", "none", "", "not available", "0"}


def look_back(sheet: Sheet) -> None:
    """Check which days a price is the mean of when polled prices are missing (TV15)."""
    inner = sheet.get("prices", "spot_prices", "polled_prices")
    shared = inner if isinstance(inner, Mapping) else {}
    for n, case in enumerate(cases_of(sheet), 1):
        name = f"scenario {case.get('scenario', case.get('id', n))}"
        with sheet.guard(name, dict(case)):
            days = _available(case)
            if not days:
                raise NotUnderstood("a scenario says for E0, E-1 ... what is available")
            _scenario(sheet, name, case, days, {_back(k): v for k, v in shared.items()})


def _back(name: str) -> int | None:
    found = _DAY.match(str(name).replace("−", "-").strip())
    return int(found[1]) if found else None


def _available(case: Mapping[str, Any]) -> dict[int, Any]:
    """Return, by days before expiry, a price, or whether there is one."""
    for name in ("available", "availability", "polled", "inputs", "input", "days", "prices"):
        inner = case.get(name)
        if isinstance(inner, Mapping):
            return {b: v for k, v in inner.items() if (b := _back(k)) is not None}
        if isinstance(inner, str):
            inner = re.split(r"[,; ]+", inner) if re.search(r"[,; ]", inner) else list(inner)
        if isinstance(inner, list) and inner:
            if all(isinstance(one, str) and _back(one) is not None for one in inner):
                there = {_back(one) for one in inner}
                return {b: b in there for b in range(4)}
            return dict(enumerate(inner))
    return {b: v for k, v in case.items() if (b := _back(k)) is not None}


def _is_there(value: Any) -> bool:
    if value is None or isinstance(value, bool):
        return bool(value)
    text = str(value).strip().lower()
    if text in _NO and isinstance(value, str):
        return False
    if text in _YES or not isinstance(value, str):
        return True
    try:
        exact(text)
    except NotUnderstood:
        raise NotUnderstood(f"{value!r} is neither yes nor no nor a price") from None
    return True


def _scenario(
    sheet: Sheet, name: str, case: Mapping[str, Any], days: Mapping[int, Any], shared: Any
) -> None:
    origin = date(2026, 1, 31)
    prices: dict[int, Fraction] = {}
    for back, value in days.items():
        is_price = not isinstance(value, bool | str) or re.fullmatch(r"\d+\.\d+|\d{2,}", str(value))
        if _is_there(value):
            own = value if is_price and value is not None else shared.get(back, 10**back)
            prices[back] = exact(own)
    units, scale = integers(list(prices.values()) or [0])
    values = {origin - timedelta(days=b): u for b, u in zip(prices, units, strict=False)}
    made = settlement.settle(
        values,
        [origin - timedelta(days=b) for b in (2, 1, 0)],
        [origin - timedelta(days=3)],
        decimals=0,
        tick=Fraction(1),
        missing=LOOK_BACK,
    )
    used = [d.day for d in (*made.days, *made.looked_back) if d.state == "COUNTED"]
    backs = sorted((origin - day).days for day in used) if not made.failure else []
    note = "settlement.settle: three days, one looked back to, the last one needed"
    seen = False
    for field, told in case.items():
        if _back(field) is not None or not re.search("aver|use|expect|fsp|mean|result", field):
            continue
        seen = True
        named = _named_days(told)
        if named is not None:
            got: Any = ", ".join("E0" if b == 0 else f"E-{b}" for b in backs)
            want = ", ".join("E0" if b == 0 else f"E-{b}" for b in sorted(named))
            sheet.check(f"{name}.{field}", want, got, note)
        elif re.search("count|(^|_)n(_|$)|days", field):
            sheet.check(f"{name}.{field}", told, len(backs), note)
        else:
            mean = None if made.failure or made.mean is None else made.mean / scale
            digits = decimals_of(told) if isinstance(told, str) else None
            value = exact(told) if isinstance(told, str) else told
            sheet.check(f"{name}.{field}", value, mean, note, digits)
    if not seen:
        sheet.unknown(name, dict(case), "a scenario without the days its price is the mean of")


def _named_days(told: Any) -> list[int] | None:
    """Return the days an expectation names, as days before expiry; ``None`` if it is a figure."""
    if isinstance(told, str):
        found = re.findall(r"[Ee]\s*[-−_]?\s*(\d+)", told)
        return [int(one) for one in found] if re.match(r"\s*[Ee(]", told) and found else None
    if isinstance(told, list) and all(isinstance(one, str) for one in told):
        return [b for one in told if (b := _back(one)) is not None]
    return None


# --- imputation ----------------------------------------------------------------------------------


def exits(sheet: Sheet) -> None:
    """Check a seller's exit carried by the movement of the others (SD01)."""
    start = sheet.get("t0")
    after = sheet.get("t1_observed", "t1")
    if not isinstance(start, Mapping) or after is None:
        raise NotUnderstood("an exit needs t0 with x and w, and t1_observed")
    now = after["x"] if isinstance(after, Mapping) else after
    volumes, _ = integers(first(start, ("w", "weights")))
    estimator = MEDIAN if "median" in str(sheet.get("estimator", default="")) else TRIM25
    days = [[int(exact(one or 0) * NANO) for one in row] for row in (start["x"], now)]
    note = "determination.py; no caps, no gross-error screen"
    whole = _walk(volumes, days, estimator)
    rest_volumes = [v for v, p in zip(volumes, days[1], strict=True) if p]
    rest_days = [[p for p, q in zip(row, days[1], strict=True) if q] for row in days]
    rest = _walk(rest_volumes, rest_days, estimator)
    gone = [n for n, p in enumerate(days[1]) if not p]
    imputed = [Fraction(int(whole[1].price[0, n]), NANO) for n in gone]
    index, panel = [_rate(d) for d in whole], [_rate(d) for d in rest]
    for field, got in (
        ("index_t0", index[0]),
        ("remaining_panel_t0", panel[0]),
        ("remaining_panel_t1", panel[1]),
        ("index_t1", index[1]),
    ):
        told = sheet.get(field)
        if told is not None:
            sheet.check(field, told, got, note)
    told = sheet.get("imputed_price", "imputed_prices")
    if told is not None:
        many = told if isinstance(told, list) else [told]
        nano = [Fraction(round_half_up(*(exact(m) * NANO).as_integer_ratio()), NANO) for m in many]
        sheet.check("imputed_price", nano, imputed, f"{note}; published in nano-units (3.5)")
    moves: dict[str, Fraction | None] = {
        "index_t0": index[0],
        "index_t1": index[1],
        "imputed_price": imputed[0] if imputed else None,
        "naive_drop_t1": panel[1],
        "movement_panel": panel[1] / panel[0] - 1,
        "movement_index": index[1] / index[0] - 1,
        "naive_movement": panel[1] / index[0] - 1,
    }
    for field, value in (sheet.get("floats", default={})).items():
        if field not in moves:
            sheet.unknown(f"floats.{field}", value, "no rule here knows this field")
            continue
        expected = value
        if field == "imputed_price":
            expected = Fraction(round_half_up(*(exact(value) * NANO).as_integer_ratio()), NANO)
        sheet.check(f"floats.{field}", expected, moves[field], note)


def _rate(day: det.Day) -> Fraction:
    return Fraction(day.numerator[0], day.denominator[0] * NANO)


def _walk(volumes: list[int], days: list[list[int]], estimator: str) -> list[det.Day]:
    """Return the determinations of days in a row, with screens and caps out of the way."""
    rules = load_methodology()
    rules = rules.model_copy(
        update={
            "weights": rules.weights.model_copy(
                update={"cap_floor": Fraction(1), "cap_largest_panels": Fraction(1)}
            ),
            "gross": rules.gross.model_copy(update={"exclude_ratio": 1000}),
        }
    )
    size = len(volumes)
    names = tuple(f"{n:03d}" for n in range(size))
    weights = weights_for(volumes, "V1", estimator, rules)
    vintage = Vintage(
        "BOOTSTRAP", date(2026, 1, 1), names, ("vector",) * size, weights, tuple(volumes), "V1",
        estimator,
    )  # fmt: skip
    yes = np.array([True])
    frozen = det.Frozen(
        weight=np.array([weights], np.int64),
        estimator=np.array([CODES[estimator]], np.int8),
        jump_ratio=np.array([[1000, 1]], np.int64),
        is_small=yes if size < rules.waterfall.reduced_groups else ~yes,
        is_capped=yes,
        is_covered=yes,
        vintages=[vintage],
        places=[np.arange(size)],
    )
    state, made = det.State.empty(1, size), []
    for number, row in enumerate(days, 1):
        price = np.array([row], np.int64)
        seen, never = price > 0, np.zeros(price.shape, np.bool_)
        day, state = det.determine(
            number, det.Prices(price, seen, never, seen, seen), frozen, state, rules
        )
        made.append(day)
    return made
