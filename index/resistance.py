"""What one seller could do to each published value, as lines of one artefact (rulebook 16).

A line is a function of determinations, due days, rules and volumes alone, so publishing and
verifying make the same bytes. Percentages, logarithms and money are decimal text; null is a figure
without a bound, or one that the line says is not known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from fractions import Fraction
from functools import lru_cache
from typing import Any, Final

import numpy as np
import polars as pl

from index.ledger.canonical import canonical
from index.outcome import CompositeSeries, Outcome
from index.publication.record import decimal_text, ratio_text
from methodology import determination as det
from methodology import manipulation
from methodology import resistance as power
from methodology.definition import Definition, Methodology
from methodology.panels import Vintage, weights_for
from methodology.parameters import Resistance
from methodology.plans import Plan, Series
from methodology.resistance import Panel, Reach
from methodology.units import round_half_up
from methodology.volumes import VOLUME_DAYS, host_volumes
from methodology.weights import fill_unknown

SCHEMA: Final = "resistance/1.0"
KIND: Final = "resistance"
"""The kind of the artefact in the ledger."""

PERCENT_DECIMALS: Final = 6
VALUED: Final = ("FULL", "REDUCED", "CARRIED_INPUT")
RATE_SOURCE: Final = "TKR"
"""What a composite calls a price that it takes from a rate (rulebook 13.2)."""

Row = dict[str, Any]


def resistance_lines(
    outcome: Outcome,
    due: Mapping[str, date],
    definitions: Mapping[str, Definition],
    rules: Methodology,
    volumes: pl.DataFrame,
) -> bytes:
    """Return one canonical JSON line per due fixing that has a value, in order of index id.

    Args:
        outcome: the determinations.
        due: index day of each index whose fixing cites this run's manifest.
        definitions: by index id.
        rules: parameters; those of a version without the table ``resistance`` give no line.
        volumes: ``schemas.Volume`` rows of the intake; volumes by host are looked up there.

    Returns:
        Lines of schema ``resistance/1.0``, ``\\n`` after each; unit values have none (16.1).
    """
    if rules.resistance is None:
        return b""
    plans = {p.index_id: (s, p) for s in outcome.rates.values() for p in s.plans}
    sold: dict[date, dict[str, dict[str, int]]] = {}
    lines = []
    for name, day in sorted(due.items()):
        definition = definitions[name]
        line: Row | None = None
        if name in plans:
            series, p = plans[name]
            if day not in sold:
                sold[day] = host_volumes(volumes, day)
            hosts = sold[day].get(p.definition.instrument, {})
            line = _rate_line(series, p, day, rules, hosts)
        elif name in outcome.composites:
            line = _composite_line(outcome.composites[name], day, rules.resistance)
        if line is not None:
            key = {"schema": SCHEMA, "index_id": name, "session": definition.session}
            lines.append(canonical({**key, "ref_date": day.isoformat(), **line}) + b"\n")
    return b"".join(lines)


def _rate_line(
    series: Series, p: Plan, day: date, rules: Methodology, sold: Mapping[str, int]
) -> Row | None:
    found = series.fixings.filter(
        (pl.col("index_id") == p.index_id) & (pl.col("ref_date") == day)
    ).rows(named=True)
    if not found or found[0]["value_units"] is None:
        return None
    level, units = found[0]["waterfall"], found[0]["value_units"]
    d = (day - series.index_days[0]).days
    vintage = p.vintages[d]
    limits = rules.resistance
    if level not in VALUED or vintage is None or limits is None:
        return _line(level, decimal_text(units, p.decimals))
    i = next(n for n, plan in enumerate(series.plans) if plan.index_id == p.index_id)
    width = len(series.groups[i])
    price, weight = series.price[d, i, :width], series.used_weight[d, i, :width]
    places = np.flatnonzero((weight > 0) & (price > 0)).tolist()
    panel = Panel(
        tuple(series.groups[i][g] for g in places),
        tuple(int(price[g]) for g in places),
        tuple(int(weight[g]) for g in places),
        vintage.estimator,
    )
    statuses = [det.STATES[series.status[d, i, g]] for g in places]
    volumes = [sold.get(group) for group in panel.groups]
    line = _line(level, decimal_text(units, p.decimals))
    line |= _shape(panel, limits)
    groups = _groups(panel, statuses, vintage, rules, limits)
    line |= _costs(panel, groups, volumes, p, limits)
    line |= _left_out(groups)
    line["weights"] = _weightings(panel, volumes, p.decimals, rules, limits)
    line["groups"] = groups
    return line


def _line(level: str, value: str | None) -> Row:
    """Return a line without figures: a carried value, and what every other line starts from."""
    return {
        "value": value, "waterfall": level, "estimator": None, "members": 0,
        "own_move_pct": None,
        "mi1_pct": None, "mi1_ln": None, "mi1_group": None, "mi1_is_unbounded": False,
        "mi2_pct": None, "mi2_ln": None, "mi2_groups": [], "mi2_is_unbounded": False,
        "breakdown_share": None, "breakdown_groups": None, "breakdown_weight": None,
        "left_out_low_pct": None, "left_out_high_pct": None,
        "target_bp": None, "days": None, "position_units": None, "gain": None,
        "cost_per_unit_min": None, "cost_per_unit_group": None, "break_even_volume": None,
        "cost_min": None, "cost_group": None, "gain_to_cost": None, "alert": None,
        "weights": None, "groups": [],
    }  # fmt: skip


@lru_cache(maxsize=512)
def _shape(panel: Panel, limits: Resistance) -> Row:
    """Return estimator, worst cases and breakdown point of a panel; do not change what it gives."""
    base = power.rate(panel)
    worst: tuple[int, Reach] | None = None
    for g in range(len(panel.groups)):
        reach = power.any_price(panel, g)
        if worst is None or _further(base, reach, worst[1]):
            worst = (g, reach)
    pair = power.worst_pair(panel, limits.pair_groups)
    broken = power.breakdown(panel)
    told: Row = {"estimator": panel.estimator, "members": len(panel.groups)}
    told["own_move_pct"] = _percent(limits.own_move)
    if worst is not None:
        told |= _case("mi1", base, worst[1]) | {"mi1_group": panel.groups[worst[0]]}
    if pair is not None:
        told |= _case("mi2", base, pair[1])
        told["mi2_groups"] = [panel.groups[g] for g in pair[0]]
    return told | {
        "breakdown_share": _text(broken.share, 8),
        "breakdown_groups": broken.groups,
        "breakdown_weight": decimal_text(broken.weight, 8) if broken.groups else None,
    }


def _further(base: Fraction, reach: Reach, than: Reach) -> bool:
    mine, best = power.largest_change(base, reach), power.largest_change(base, than)
    if mine is None or best is None:
        return mine is None and best is not None
    return abs(mine) > abs(best)


def _case(name: str, base: Fraction, reach: Reach) -> Row:
    logarithm = power.largest_ln(base, reach)
    return {
        f"{name}_pct": _percent(power.largest_change(base, reach)),
        f"{name}_ln": decimal_text(logarithm, 6),
        f"{name}_is_unbounded": reach.high is None,
    }


def _groups(
    panel: Panel,
    statuses: Sequence[str],
    vintage: Vintage,
    rules: Methodology,
    limits: Resistance,
) -> list[Row]:
    """Return one row per member, in group order: own, any price, left out, exit, nearest prices."""
    base, target = power.rate(panel), Fraction(limits.target_bp, 10_000)
    behind = dict(zip(vintage.groups, vintage.volumes, strict=True))
    rows = []
    for g, group in enumerate(panel.groups):
        reach = power.any_price(panel, g)
        others = [behind.get(name) for name in panel.groups if name != group]
        anew = weights_for(others, vintage.basis, vintage.estimator, rules) if others else None
        up, down = (manipulation.nearest_price(panel, g, x) for x in (target, -target))
        rows.append(
            {
                "group": group,
                "price": decimal_text(panel.prices[g], 9),
                "weight": decimal_text(panel.weights[g], 8),
                "status": statuses[g],
                "own_up_pct": _percent(power.own_change(panel, g, limits.own_move)),
                "own_down_pct": _percent(power.own_change(panel, g, -limits.own_move)),
                "any_price_up_pct": _percent(_minus(reach.high, base)),
                "any_price_down_pct": _percent(_minus(reach.low, base)),
                "any_price_pct": _percent(power.largest_change(base, reach)),
                "is_unbounded": reach.high is None,
                "left_out_pct": _percent(power.leave_out_change(panel, g)),
                "exit_pct": _percent(power.leave_out_change(panel, g, anew)),
                "price_for_up": decimal_text(up, 9),
                "price_for_down": decimal_text(down, 9),
            }
        )
    return rows


def _minus(value: Fraction | None, base: Fraction) -> Fraction | None:
    return None if value is None else value / base - 1


def _left_out(groups: Sequence[Row]) -> Row:
    found = [Fraction(r["left_out_pct"]) for r in groups if r["left_out_pct"] is not None]
    if not found:
        return {}
    return {
        "left_out_low_pct": _text(min(found), PERCENT_DECIMALS),
        "left_out_high_pct": _text(max(found), PERCENT_DECIMALS),
    }


def _costs(
    panel: Panel,
    groups: Sequence[Row],
    volumes: Sequence[int | None],
    p: Plan,
    limits: Resistance,
) -> Row:
    """Add each group's cost of the move to its row and return the index's own figures (16.5)."""
    base, target = power.rate(panel), Fraction(limits.target_bp, 10_000)
    is_gpu = p.definition.family == "GPR"
    position = limits.position_contracts * limits.contract_hours if is_gpu else None
    gained = None if position is None else manipulation.gain(base, target, position) / 10**9
    per_unit: dict[str, Fraction] = {}
    known: dict[str, Fraction] = {}
    for g, row in enumerate(groups):
        moves = [_nano(row[f"price_for_{way}"]) for way in ("up", "down")]
        costs = [manipulation.cost_per_unit(panel.prices[g], moved, limits.days) for moved in moves]
        least = min((c for c in costs if c is not None), default=None)
        unit_cost = None if least is None else Fraction(least, 10**9)
        daily = volumes[g]
        reason, cost = None, None
        if unit_cost is None:
            reason = "NO_OWN_PRICE_REACHES_IT"
        elif is_gpu or daily is None:
            reason = "VOLUME_UNKNOWN"
        elif p.meter not in ("BLD", "AGT"):
            reason = "VOLUME_BY_METER_UNKNOWN"
        if unit_cost is not None:
            per_unit[panel.groups[g]] = unit_cost
            if reason is None and daily is not None:
                cost = unit_cost * Fraction(daily, VOLUME_DAYS * 10**6)
                known[panel.groups[g]] = cost
        row["cost_per_unit_volume"] = _text(unit_cost, 9)
        row["volume_per_day"] = (
            _text(Fraction(daily, VOLUME_DAYS * 10**6), 6) if daily is not None else None
        )
        row["cost"] = _text(cost, 2)
        row["cost_reason"] = reason
    told: Row = {
        "target_bp": limits.target_bp,
        "days": limits.days,
        "position_units": position,
        "gain": _text(gained, 2),
    }
    if per_unit:
        cheapest = min(per_unit, key=lambda name: (per_unit[name], name))
        told["cost_per_unit_min"] = _text(per_unit[cheapest], 9)
        told["cost_per_unit_group"] = cheapest
        if gained is not None:
            told["break_even_volume"] = _text(gained / per_unit[cheapest], 2)
    if known:
        cheapest = min(known, key=lambda name: (known[name], name))
        told |= {"cost_min": _text(known[cheapest], 2), "cost_group": cheapest}
        if gained is not None and known[cheapest] > 0:
            ratio = gained / known[cheapest]
            told |= {"gain_to_cost": _text(ratio, 6), "alert": ratio > limits.alert_ratio}
    return told


def _weightings(
    panel: Panel,
    volumes: Sequence[int | None],
    decimals: int,
    rules: Methodology,
    limits: Resistance,
) -> Row:
    """Return the value under each weighting, their band, and whether it is too wide (16.6)."""
    own = power.rate(panel)
    found: dict[str, Fraction | None] = {
        "own": own,
        "equal": power.under_weights(panel, power.equal_weights(panel)),
        "router": None,
        "raw": None,
    }
    known = sum(v is not None for v in volumes)
    if known and 4 * known >= 3 * len(volumes):
        rooted = weights_for(volumes, "V2", panel.estimator, rules)
        found["router"] = power.under_weights(panel, rooted)
        raw = power.raw_weights(fill_unknown(volumes))
        found["raw"] = power.under_weights(panel, raw) if raw else None
    values = [v for v in found.values() if v is not None]
    width = (max(values) - min(values)) / own
    step = 10 ** (9 - decimals)

    def published(value: Fraction | None) -> str | None:
        if value is None:
            return None
        units = round_half_up(value.numerator, value.denominator * step)
        return decimal_text(units, decimals)

    return {
        **{name: published(value) for name, value in found.items()},
        "low": published(min(values)),
        "high": published(max(values)),
        "width_pct": _percent(width),
        "weights_divergence": width > limits.divergence,
        "volumes_known": known,
    }


def _composite_line(made: CompositeSeries, day: date, limits: Resistance) -> Row | None:
    """Return a composite's line: linear in every price, so a share says it all (16.7)."""
    told = made.days.get(day)
    if told is None or told.value_units is None:
        return None
    line = _line(told.waterfall, decimal_text(told.value_units, 2))
    worth: dict[str, int] = {}
    weight: dict[str, int] = {}
    if told.waterfall in VALUED:
        for row in told.rows:
            is_rate = row["source"] == RATE_SOURCE
            name = f"TKR-{row['model']}-{made.definition.meter}" if is_rate else row["developer"]
            worth[name] = worth.get(name, 0) + row["quantity_e12"] * (row["price_nano"] or 0)
            weight[name] = weight.get(name, 0) + row["weight_e8"]
    total = sum(worth.values())
    if not total:
        return line
    shares = {name: Fraction(worth[name], total) for name in sorted(worth)}
    for name, share in shares.items():
        row = dict.fromkeys(GROUP_FIELDS)
        row |= {
            "group": name,
            "weight": decimal_text(weight[name], 8),
            "own_up_pct": _percent(share * limits.own_move),
            "own_down_pct": _percent(-share * limits.own_move),
            "any_price_down_pct": _percent(-share),
            "is_unbounded": True,
        }
        line["groups"].append(row)
    order = sorted(shares, key=lambda name: (-shares[name], name))
    top = order[0]
    return line | {
        "estimator": "fixed_quantities",
        "members": len(shares),
        "own_move_pct": _percent(limits.own_move),
        "mi1_group": top,
        "mi1_is_unbounded": True,
        "mi2_groups": order[:2] if len(order) > 1 else [],
        "mi2_is_unbounded": len(order) > 1,
        "breakdown_share": _text(Fraction(0), 8),
        "breakdown_groups": 1,
        "breakdown_weight": decimal_text(min(weight.values()), 8),
    }


GROUP_FIELDS: Final = (
    "group", "price", "weight", "status", "own_up_pct", "own_down_pct", "any_price_up_pct",
    "any_price_down_pct", "any_price_pct", "is_unbounded", "left_out_pct", "exit_pct",
    "price_for_up", "price_for_down", "cost_per_unit_volume", "volume_per_day", "cost",
    "cost_reason",
)  # fmt: skip
"""Every field of one group, in a rate's line and a composite's alike."""


def _percent(change: Fraction | None) -> str | None:
    return None if change is None else _text(100 * change, PERCENT_DECIMALS)


def _text(value: Fraction | None, decimals: int) -> str | None:
    return None if value is None else ratio_text(value.numerator, value.denominator, decimals)


def _nano(text: str | None) -> int | None:
    return None if text is None else int(text.replace(".", ""))
