"""The price of a delivery month, or the answer of an event, told in full (rulebook 17).

What counts and why is decided in ``methodology.settlement``; here the result becomes plain values:
every day with its revision, place in the log and digest, so that a price can be made again from
the records alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from fractions import Fraction
from typing import Final

from index.daily_values import Series
from index.reading import Row, definitions_by_id
from methodology import contracts, settlement
from methodology.calendars import Lists, calendar_of
from methodology.contracts import Contract
from methodology.errors import PriceError, UsageError
from methodology.units import exact, round_half_up

WHY: Final = {
    "COUNTED": "",
    "OVER_CAP": "enough CARRY and MODEL days count already (17.4)",
    "NO_FIX": "published without a value",
    "NOT_PUBLISHED": "nothing published in its window",
    "PENDING": "not over",
}
"""What a state says to a person; :data:`methodology.settlement.STATES` has them all."""

MEAN_DECIMALS: Final = 12
"""Decimals in which a mean is shown beside its exact ratio."""


def price(
    contract: Contract,
    month: date,
    series: Series,
    *,
    calendar: str | None = None,
    tick: Fraction | None = None,
    lists: Lists | None = None,
) -> Row:
    """Return the price of a delivery month with its full working, as plain values.

    Args:
        contract: of kind ``average``.
        month: any day of the month.
        series: daily values.
        calendar: another calendar than the contract's; then it is no price of the contract.
        tick: another tick, likewise.
        lists: the editions of calendars that hold; ``None``: the newest.

    Raises:
        CalendarEnd: the calendar does not cover month and look-back.
    """
    rule, size, missing = contract.averaging, contract.size, contract.missing
    if rule is None or size is None or missing is None:
        raise UsageError(f"{contract.id} is an event; ask with --week or --day, and --strike")
    days, earlier = contracts.pricing_days(contract, month, calendar, lists)
    found = settlement.settle(
        series.values,
        days,
        earlier,
        decimals=contract.decimals,
        tick=tick or rule.tick,
        missing=missing.rules,
        levels=series.levels,
        as_of=series.as_of,
    )
    first, last = contracts.month_of(month)
    quantity = size.of(first, last)
    name = calendar or rule.calendar
    listed = calendar_of(name, lists)
    counted = [d for d in (*found.days, *found.looked_back) if d.state == "COUNTED"]
    unfit = sorted({series.daily[d.day].unfit for d in counted} - {""})
    basis = _basis(series, unfit)
    mean, meter = found.mean, found.meter
    worth = None if found.fsp is None else Fraction(found.fsp) * quantity
    return {
        **_head(contract, series, basis),
        "period": f"{first:%Y-%m}",
        "status": found.status,
        "failure": found.failure or None,
        "value": found.fsp,
        "settlement_eligible": basis == "settlement" and found.status == "FINAL",
        "unfit_because": unfit,
        "rounding": "HALF_UP",
        "tick": settlement.ticks_text(1, found.tick),
        "sum": settlement.units_text(found.total_units, contract.decimals),
        "count": found.count,
        "mean": None if mean is None else _ratio(mean),
        "mean_as_it_stands": None
        if found.mean_ticks is None
        else settlement.ticks_text(found.mean_ticks, found.tick),
        "size": {"rule": size.rule, "quantity": quantity, "unit": size.unit},
        "contract_value": None if worth is None else _plain(worth),
        "pricing_days": {
            "rule": rule.days,
            "k": rule.k,
            "calendar": name,
            "calendar_version": listed.version if listed else None,
            "calendar_digest": f"sha256:{listed.digest}" if listed else None,
            "days": len(days),
            "first": days[0].isoformat(),
            "last": days[-1].isoformat(),
        },
        "missing": {
            "filled_share": str(missing.filled_share),
            "enough_share": str(missing.enough_share),
            "accept_share": str(missing.accept_share or missing.enough_share),
            "look_back_days": missing.look_back_days,
            "needs_last_day": missing.needs_last_day,
        },
        "meter": {
            "days_fixed": meter.days_fixed,
            "days_left": meter.days_left,
            "days_counted": meter.days_counted,
            "days_lost": meter.days_lost,
            "locked_sum": settlement.units_text(meter.locked_units, contract.decimals),
            "share_fixed": _ratio(meter.share_fixed),
        },
        "days": [_day(d, series, contract) for d in found.days],
        "looked_back": [_day(d, series, contract) for d in found.looked_back],
        **_tail(contract, days[-1], lists),
    }


def answer(
    contract: Contract,
    determined_on: date,
    strike: str,
    series: Series,
    lists: Lists | None = None,
) -> Row:
    """Return what a yes-or-no contract says on its determination day, as plain values.

    ``lists`` are the editions of calendars that hold; ``None``: the newest.

    Raises:
        UsageError: an average contract, or a strike that is not a plain decimal of few enough
            places.
    """
    event = contract.event
    if event is None:
        raise UsageError(f"{contract.id} averages a month; ask with --month")
    try:
        wanted = exact(strike)
    except PriceError as error:
        raise UsageError(f"--strike {error}; write it like 2.85") from None
    if (wanted * 10**event.places).denominator != 1:
        raise UsageError(f"--strike {strike}: a strike has at most {event.places} decimals")
    day = determined_on - timedelta(days=event.lag_days)
    one = series.daily.get(day)
    units, level = (one.units, one.level) if one else (None, "")
    is_over, rounded = day <= series.as_of, None
    said: str = "PENDING"
    if is_over:
        said = settlement.decide(
            units,
            level,
            wanted,
            decimals=contract.decimals,
            places=event.places,
            is_filled_admitted=event.is_filled_admitted,
        )
    if is_over and units is not None:
        kept = round_half_up(units * 10**event.places, 10**contract.decimals)
        rounded = settlement.units_text(kept, event.places)
    is_known = said in ("YES", "NO")
    unfit = [one.unfit] if one and one.unfit and is_known else []
    basis = _basis(series, unfit)
    state: settlement.State = "COUNTED"
    if not is_known:
        state = "PENDING" if not is_over else "NOT_PUBLISHED" if one is None else "NO_FIX"
    shown = _day(settlement.Day(day, units if is_over else None, level, state), series, contract)
    if said == "NO_DETERMINATION" and units is not None:
        shown["why"] = "a CARRY or MODEL value determines nothing (17.9)"
    return {
        **_head(contract, series, basis),
        "determined_on": determined_on.isoformat(),
        "answer": said,
        "settlement_eligible": basis == "settlement" and is_known,
        "unfit_because": unfit,
        "comparison": event.comparison,
        "strike": settlement.units_text(int(wanted * 10**event.places), event.places),
        "value": rounded,
        "rounding": "HALF_UP",
        "days": [shown],
        **_tail(contract, determined_on - timedelta(days=1), lists),
    }


def _basis(series: Series, unfit: Sequence[str]) -> str:
    """Return what a figure is worth (rulebook 17.10)."""
    if series.origin != "published":
        return "illustration"
    settles = definitions_by_id()[series.index_id or ""].admission == "settlement"
    return "settlement" if settles and not unfit else "indicative"


def _head(contract: Contract, series: Series, basis: str) -> Row:
    return {
        "rule_id": contract.id,
        "rule_version": contract.version,
        "rule_digest": f"sha256:{contract.digest}",
        "title": contract.title,
        "label": contract.label,
        "index_id": series.index_id,
        "origin": series.origin,
        "basis": basis,
        "as_of": series.as_of.isoformat(),
        "currency": contract.currency,
        "unit": contract.unit,
        "decimals": contract.decimals,
    }


def _tail(contract: Contract, last: date, lists: Lists | None = None) -> Row:
    on = contracts.published_on(contract, last, lists)
    plan = contract.publication
    return {
        "publication": {
            "on": on.isoformat() if on else None,
            "time": f"{plan.time:%H:%M}",
            "corrections_until": f"{plan.corrections_until:%H:%M}",
            "zone": plan.zone,
            "calendar": plan.calendar,
        },
        "fallback": {"clause": contract.fallback.clause, "text": contract.fallback.text},
    }


def _day(one: settlement.Day, series: Series, contract: Contract) -> Row:
    daily = series.daily.get(one.day) if one.state != "PENDING" else None
    value = None if one.units is None else settlement.units_text(one.units, contract.decimals)
    return {
        "date": one.day.isoformat(),
        "value": value,
        "revision": daily.revision if daily else None,
        "level": one.level or None,
        "state": one.state,
        "is_counted": one.state == "COUNTED",
        "why": WHY[one.state] or (daily.unfit if daily else ""),
        "seq": daily.seq if daily else None,
        "digest": daily.digest if daily else None,
    }


def _ratio(value: Fraction) -> Row:
    """Return an exact ratio, and as decimal text rounded half up once."""
    units = round_half_up(value.numerator * 10**MEAN_DECIMALS, value.denominator)
    return {
        "numerator": str(value.numerator),
        "denominator": str(value.denominator),
        "text": settlement.units_text(units, MEAN_DECIMALS),
    }


def _plain(value: Fraction) -> str:
    """Return a finite decimal as text, at least two places."""
    places = next(p for p in range(2, 40) if (value * 10**p).denominator == 1)
    return settlement.units_text(int(value * 10**places), places)
