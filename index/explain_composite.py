"""The steps of a composite and of a unit value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from index.explain_step import Step
from index.reading import nano
from methodology.composite import DIVISOR_UNITS, POINT_UNITS, QUANTITY_UNITS
from methodology.definition import Definition
from methodology.units import NANO, round_half_up

Rows = Sequence[Mapping[str, Any]]


def composite_steps(
    record: Mapping[str, Any], rows: Rows, basket: Mapping[str, Any], definition: Definition
) -> list[Step]:
    """Return the steps of one TKX fixing.

    Args:
        record: the fixing.
        rows: its contribution lines, one per constituent.
        basket: the basket it cites.
        definition: the index.
    """
    if not rows or basket.get("divisor_e15") is None:
        return [
            Step(
                "basket", record["no_fix_reason"] or "none", "13.4",
                ("composite.min_models", "composite.min_developers"),
                "methodology.baskets.make_basket",
            )
        ]  # fmt: skip
    missing = [f"{r['model']} ({r['status']} {r['reason']})" for r in rows
               if r["status"] != "OBSERVED"]  # fmt: skip
    worth = sum(int(r["quantity_e12"]) * (r["price_nano"] or 0) for r in rows)
    divisor = int(basket["divisor_e15"])
    top = max(rows, key=lambda r: int(r["quantity_e12"]) * (r["price_nano"] or 0))
    steps = [
        Step(
            "basket",
            f"linked on {record['basket_version']}, {len(rows)} models of "
            f"{len({r['developer'] for r in rows})} developers",
            "13.4",
            ("composite.min_models", "composite.min_developers"),
            "methodology.baskets.make_basket",
        ),
        Step(
            "weights",
            f"capped expenditure shares, from {_e8(min(r['weight_e8'] for r in rows))} to "
            f"{_e8(max(r['weight_e8'] for r in rows))}",
            "13.3",
            ("composite.developer_cap", "composite.model_cap", "composite.volume_days",
             "composite.volume_lag_days"),
            "methodology.baskets.basket_shares",
        ),
        Step(
            "prices",
            f"{sum(1 for r in rows if r['status'] == 'OBSERVED')} of {len(rows)} seen today; "
            f"{top['model']} weighs most today, at {nano(top['price_nano'])}",
            "13.2",
            ("composite.tkr_min_groups",),
            "methodology.baskets.choose_sources",
        ),
        Step(
            "held, imputed",
            ", ".join(missing) or "none",
            "13.5",
            ("jump.token_ratio", "jump.max_held_days", "imputation.max_days"),
            "methodology.composite.determine_composite",
        ),
    ]  # fmt: skip
    if record["value"] is not None and record["waterfall"] == "REDUCED":
        steps.append(_level(worth, divisor))
    steps.append(
        Step(
            "level of the waterfall",
            f"{record['waterfall']}: weight seen {record['weight_share']}",
            "10.5",
            ("composite.min_models", "waterfall.reduced_weight"),
            "methodology.composite.determine_composite",
        )
    )
    return steps


def _level(worth: int, divisor: int) -> Step:
    """Return the last step: sum(q p) by the divisor, worked again from what the record cites."""
    units = round_half_up(worth * DIVISOR_UNITS * POINT_UNITS, divisor * QUANTITY_UNITS * NANO)
    whole, part = divmod(units, POINT_UNITS)
    return Step(
        "level",
        f"sum(q*p) / D = {worth} / {divisor} (q in 1e-12, p in 1e-9, D in 1e-15) = "
        f"{whole}.{part:02d}",
        "13.3",
        ("composite.quantity_decimals", "precision.points_decimals"),
        "methodology.baskets.level_units",
    )


def unit_value_steps(record: Mapping[str, Any], period: Mapping[str, Any]) -> list[Step]:
    """Return the steps of one TEX fixing."""
    return [
        Step(
            "tokens",
            f"of {period.get('volume_from')} to {period.get('volume_to')}",
            "13.7",
            ("composite.volume_days", "composite.volume_lag_days"),
            "methodology.baskets.volume_period",
        ),
        Step(
            "value",
            f"spend / tokens = {record['value']} {record['unit']}"
            if record["value"]
            else str(record["no_fix_reason"]),
            "13.7",
            ("precision.token_decimals",),
            "methodology.composite.unit_value_nano",
        ),
    ]


def _e8(units: int) -> str:
    return f"{units // 10**8}.{units % 10**8:08d}"
