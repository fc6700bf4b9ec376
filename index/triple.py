"""The three prints of a composite side by side, and what moved the unit value (rulebook 13.10-11).

One canonical line per index and day, ``triple/1.0``: the basket (the index itself), the chain of
matched models, the unit value of the same models, and its change in five parts that sum to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from typing import Any, Final

import polars as pl

from index import composites
from index.ledger.canonical import canonical
from index.outcome import CompositeSeries, Inputs, Outcome
from index.publication.record import decimal_text
from methodology import attribution, clock, fx
from methodology.attribution import TOTAL, Use
from methodology.composite import POINT_UNITS, volume_period
from methodology.definition import Methodology
from methodology.units import round_half_up

SCHEMA: Final = "triple/1.0"
MICRO: Final = 10**6
"""Units of the chain (points) and of the unit value (currency per million tokens)."""


@dataclass
class _Walk:
    """What one day leaves for the next, in integers as published."""

    chain_e6: int | None = None
    base_e6: int | None = None
    volumes_to: date | None = None
    valued_on: date | None = None
    unit_e6: int | None = None
    prices: dict[str, int] = field(default_factory=dict)
    uses: dict[str, Use] = field(default_factory=dict)


def triple_lines(
    outcome: Outcome,
    inputs: Inputs,
    rules: Methodology,
    before: Mapping[str, Mapping[str, Any]] | None = None,
) -> bytes:
    """Return the lines of every composite and day of a pass, by index and day.

    Args:
        outcome: composites as determined, with their baskets.
        inputs: for the volumes.
        rules: parameters.
        before: per index the last line of an earlier pass, decoded, from which chain, base and
            volume period go on (a live run); without it an index starts at its inception. The
            first day of such a pass states no parts of a change: the earlier day's tokens and
            prices are not in a line.

    Returns:
        Canonical JSON lines: ``schema``, ``index_id``, ``ref_date``, ``waterfall``, ``currency``,
        ``basket`` (points, two decimals), ``chain`` (points, six), ``matched`` (models in its
        step), ``unit_value`` (currency per million tokens, six), ``unit_value_points`` (two),
        ``unit_value_base``, ``volume_from``, ``volume_to``, ``fx_rate``, ``since`` (the day
        before it that has a value), ``change`` of the unit value and its parts ``price``,
        ``mix``, ``cache``, ``entry_exit``, ``fx``. Null means: not known, or no determined value
        that day.
    """
    lines: list[dict[str, Any]] = []
    for index_id in sorted(outcome.composites):
        made = outcome.composites[index_id]
        named = pl.col("source") == made.definition.volume_source
        tokens = composites.model_tokens(inputs.volumes.filter(named))
        walk = _start((before or {}).get(index_id), made)
        spoken = {day for _, day in tokens}
        for day in sorted(made.days):
            lines.append(_line(made, day, walk, tokens, spoken, outcome.crosses, rules))
    return b"".join(canonical(line) + b"\n" for line in lines)


def _start(last: Mapping[str, Any] | None, made: CompositeSeries) -> _Walk:
    if last is None:
        return _Walk()
    walk = _Walk(
        chain_e6=_e6(last["chain"]),
        base_e6=_e6(last["unit_value_base"]),
        volumes_to=date.fromisoformat(last["volume_to"]) if last["volume_to"] else None,
    )
    first = min(made.days, default=None)
    basket = made.basket_on(first) if first else None
    if basket is not None and first is not None and basket.linked_on == first - timedelta(days=1):
        walk.prices = {c.model: c.link_price_nano for c in basket.constituents}
    return walk


def _e6(text: str | None) -> int | None:
    return int(Fraction(text) * MICRO) if text else None


def _line(
    made: CompositeSeries,
    day: date,
    walk: _Walk,
    tokens: Mapping[tuple[str, date], int],
    spoken: set[date],
    crosses: Mapping[date, int],
    rules: Methodology,
) -> dict[str, Any]:
    definition, told = made.definition, made.days[day]
    basket = made.basket_on(day)
    ends = [volume_period(day, rules)[1]]
    if walk.volumes_to is None and basket is not None:
        ends.append(basket.volume_to)
    known = [end for end in ends if spoken.issuperset(_days_to(end, rules))]
    walk.volumes_to = known[0] if known else walk.volumes_to
    rate = None
    if definition.currency != "USD":
        rate = fx.rate_for(definition.session, day, crosses, rules.fx.max_age_days)
    line: dict[str, Any] = {
        "schema": SCHEMA,
        "index_id": definition.index_id,
        "ref_date": day.isoformat(),
        "waterfall": told.waterfall,
        "currency": definition.currency,
        "basket": decimal_text(told.value_units, 2),
        "matched": None,
        **dict.fromkeys(("unit_value", "unit_value_points", "since", "change")),
        **dict.fromkeys(attribution.EFFECTS),
        "fx_rate": decimal_text(rate.rate_e6, 6) if rate else None,
    }
    if told.waterfall == "REDUCED":
        _determined(made, day, walk, tokens, rate.rate_e6 if rate else None, line, rules)
    last = walk.volumes_to
    first = last - timedelta(days=rules.composite.volume_days - 1) if last else None
    return line | {
        "chain": decimal_text(walk.chain_e6, 6) if told.waterfall == "REDUCED" else None,
        "unit_value_base": decimal_text(walk.base_e6, 6),
        "volume_from": first.isoformat() if first else None,
        "volume_to": last.isoformat() if last else None,
    }


def _days_to(last: date, rules: Methodology) -> list[date]:
    return clock.days(last - timedelta(days=rules.composite.volume_days - 1), last)


def _determined(
    made: CompositeSeries,
    day: date,
    walk: _Walk,
    tokens: Mapping[tuple[str, date], int],
    rate_e6: int | None,
    line: dict[str, Any],
    rules: Methodology,
) -> None:
    """Fill the figures of a day with a determined value, and move the walk to it."""
    rows = made.days[day].rows
    observed = {
        r["model"]: int(r["price_nano"]) for r in rows if r["status"] in ("OBSERVED", "HELD")
    }
    weights = {r["model"]: int(r["weight_e8"]) for r in rows}
    if walk.chain_e6 is None:
        walk.chain_e6 = rules.composite.base * MICRO
        line["matched"] = 0
    else:
        walk.chain_e6 = attribution.chain_step(walk.chain_e6, weights, walk.prices, observed)
        line["matched"] = len(set(walk.prices) & set(observed))
    uses = _uses(rows, tokens, walk.volumes_to, rate_e6, rules)
    value = attribution.unit_value(uses)
    if value is not None:
        units = round_half_up(value.numerator, value.denominator * 1000)  # nano to micro
        walk.base_e6 = walk.base_e6 or units
        points = round_half_up(units * rules.composite.base * POINT_UNITS, walk.base_e6)
        line["unit_value"], line["unit_value_points"] = (
            decimal_text(units, 6),
            decimal_text(points, 2),
        )
        if walk.unit_e6 is not None and walk.valued_on is not None:
            exact = attribution.split(walk.uses, uses)
            change = units - walk.unit_e6
            parts = attribution.publish({n: p / 1000 for n, p in exact.items()}, change)
            line["since"], line["change"] = walk.valued_on.isoformat(), decimal_text(change, 6)
            line |= {name: decimal_text(part, 6) for name, part in parts.items()}
        walk.uses, walk.unit_e6, walk.valued_on = uses, units, day
    walk.prices = observed
    new = made.baskets.get(day)
    if new is not None:  # linked at the close of this day: entrants are priced from here on
        known = set(weights)
        walk.prices = walk.prices | {
            c.model: c.link_price_nano for c in new.constituents if c.model not in known
        }


def _uses(
    rows: tuple[dict[str, Any], ...],
    tokens: Mapping[tuple[str, date], int],
    last: date | None,
    rate_e6: int | None,
    rules: Methodology,
) -> dict[str, Use]:
    if last is None:
        return {}
    days = _days_to(last, rules)
    rate = Fraction(rate_e6, MICRO) if rate_e6 else Fraction(1)
    sold = {r["model"]: sum(tokens.get((r["model"], d), 0) for d in days) for r in rows}
    return {
        r["model"]: Use({TOTAL: sold[r["model"]]}, {TOTAL: Fraction(r["price_nano"]) / rate}, rate)
        for r in rows
        if sold[r["model"]]
    }


__all__ = ["SCHEMA", "triple_lines"]
