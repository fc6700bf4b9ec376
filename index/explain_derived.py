"""The steps of an index that is made from other published values: spread, use, quality."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from index.explain_step import Step
from index.reading import family_of, nano

Rows = Sequence[Mapping[str, Any]]


def derived_steps(
    record: Mapping[str, Any], rows: Rows, basket: Mapping[str, Any], state: Mapping[str, Any]
) -> list[Step]:
    """Return the steps of one SPK, USE or QAX fixing.

    Args:
        record: the fixing.
        rows: its contribution lines: legs, models or one disclosure.
        basket: heat rate or volume period, as the basket it cites.
        state: the panel state it cites.
    """
    family = family_of(record["index_id"])
    if record["value"] is None:
        clause = {"SPK": "18.4", "USE": "20.5", "QAX": "19.9"}[family]
        return [
            Step("value", str(record["no_fix_reason"]), clause, (),
                 "index.draft_derived.draft_derived"),
        ]  # fmt: skip
    if family == "SPK":
        return _spread(record, rows, basket, state)
    if family == "QAX":
        return _quality(record, rows, basket, state)
    return _disclosed(record, state) if "stated_at" in state else _measured(record, rows, basket)


def _value(record: Mapping[str, Any]) -> str:
    return f"{record['value']} {record['unit']}"


def _spread(
    record: Mapping[str, Any], rows: Rows, basket: Mapping[str, Any], state: Mapping[str, Any]
) -> list[Step]:
    token, gpu = rows[0], rows[1]
    rate = basket["heat_rate"]
    hours = int(state["gpu_hours_e6"])
    h = f"{hours // 10**6}.{hours % 10**6:06d}"
    names = {str(row["group"]): nano(row["price_nano"]) for row in (token, gpu)}
    levels = ", ".join(f"{k} {v['waterfall']}" for k, v in state["legs"].items())
    return [
        Step(
            "legs",
            ", ".join(f"{name} = {price}" for name, price in names.items())
            + " (published; `spotfix explain` tells each)",
            "18.5",
            (),
            "index.derived.derive_all",
        ),
        Step(
            "heat rate",
            f"{h} GPU-hours per million tokens: {rate['precision']} on {rate['gpus']} "
            f"{rate['sku']}, stated {rate['stated']}, {rate['source']}",
            "18.2",
            (),
            "methodology.spread.heat_rate_on",
        ),
        Step(
            "value",
            f"{nano(token['price_nano'])} - {h} * {nano(gpu['price_nano'])} = {_value(record)}",
            "18.3",
            ("precision.token_decimals",),
            "methodology.spread.spread_units",
        ),
        Step(
            "level, grade",
            f"the worse of its legs: {record['waterfall']}, {record['grade']} ({levels})",
            "18.4",
            (),
            "methodology.spread.worse_level",
        ),
    ]


def _measured(record: Mapping[str, Any], rows: Rows, basket: Mapping[str, Any]) -> list[Step]:
    tokens = sum(int(row["quantity_e12"]) for row in rows) // 10**6
    return [
        Step(
            "tokens",
            f"{tokens} of {len(rows)} models, {basket['volume_from']} to {basket['volume_to']}",
            "20.1",
            ("composite.volume_days", "composite.volume_lag_days"),
            "methodology.baskets.volume_period",
        ),
        Step("value", f"per day: {_value(record)}", "20.1", (), "methodology.usage.per_day_units"),
        Step(
            "linked level",
            f"{record['level']}, by the models of both days",
            "20.2",
            ("precision.level_decimals",),
            "methodology.usage.linked_level",
        ),
    ]


def _disclosed(record: Mapping[str, Any], state: Mapping[str, Any]) -> list[Step]:
    return [
        Step(
            "disclosure",
            f"{state['tokens']} tokens of {state['period_start']} to {state['period_end']} "
            f"(exclusive), stated {state['stated_at'][:10]}, {state['age_days']} days old",
            "20.4",
            (),
            "methodology.usage.standing",
        ),
        Step("value", f"per day: {_value(record)}", "20.4", (), "methodology.usage.per_day_units"),
    ]


def _quality(
    record: Mapping[str, Any], rows: Rows, basket: Mapping[str, Any], state: Mapping[str, Any]
) -> list[Step]:
    return [
        Step(
            "models",
            f"{len(rows)} priced in {state['months'][-1]}, tokens of "
            f"{basket['volume_from']} to {basket['volume_to']}",
            "19.5",
            ("composite.volume_days",),
            "methodology.quality_series.time_product_dummy",
        ),
        Step(
            "window, splice",
            f"{state['months'][0]} to {state['months'][-1]}",
            "19.2",
            ("quality_adjusted.window_months", "quality_adjusted.splice"),
            "methodology.quality_series.publish_next",
        ),
        Step(
            "value",
            f"{_value(record)}; hedonic beside it {state['hedonic'] or 'none'}",
            "19.6",
            ("precision.points_decimals",),
            "methodology.quality_series.publish_next",
        ),
    ]
