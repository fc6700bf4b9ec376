"""The lines of the resistance artefacts as rows of two tables: one per group, one per fixing.

The lines are ``resistance/1.0`` (rulebook 16). A ledger from before they were made has none, and
both tables are then empty.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import polars as pl

from methodology.errors import VerificationError

SCHEMA: Final = "resistance/1.0"

_KEY = ("index_id", "session", "ref_date")
_PERCENT: Final = pl.Decimal(18, 6)
_MONEY: Final = pl.Decimal(28, 9)
_SHARE: Final = pl.Decimal(9, 8)

GROUP: Final[dict[str, Any]] = {
    "index_id": pl.String, "session": pl.String, "ref_date": pl.Date, "place": pl.Int32,
    "legal_group": pl.String, "price": _MONEY, "weight": _SHARE, "status": pl.String,
    "own_up_pct": _PERCENT, "own_down_pct": _PERCENT, "any_price_up_pct": _PERCENT,
    "any_price_down_pct": _PERCENT, "any_price_pct": _PERCENT, "is_unbounded": pl.Boolean,
    "left_out_pct": _PERCENT, "exit_pct": _PERCENT, "price_for_up": _MONEY,
    "price_for_down": _MONEY, "cost_per_unit_volume": _MONEY, "volume_per_day": _MONEY,
    "cost": _MONEY, "cost_reason": pl.String,
}  # fmt: skip
"""Columns of the table ``resistance``."""

INDEX: Final[dict[str, Any]] = {
    "index_id": pl.String, "session": pl.String, "ref_date": pl.Date, "value": _MONEY,
    "waterfall": pl.String, "estimator": pl.String, "members": pl.Int32,
    "own_move_pct": _PERCENT, "mi1_pct": _PERCENT,
    "mi1_ln": _PERCENT, "mi1_group": pl.String, "mi1_is_unbounded": pl.Boolean,
    "mi2_pct": _PERCENT, "mi2_ln": _PERCENT, "mi2_groups": pl.String,
    "mi2_is_unbounded": pl.Boolean, "breakdown_share": _SHARE, "breakdown_groups": pl.Int32,
    "breakdown_weight": _SHARE, "left_out_low_pct": _PERCENT, "left_out_high_pct": _PERCENT,
    "target_bp": pl.Int32, "days": pl.Int32, "position_units": pl.Int64, "gain": _MONEY,
    "cost_per_unit_min": _MONEY, "cost_per_unit_group": pl.String, "break_even_volume": _MONEY,
    "cost_min": _MONEY, "cost_group": pl.String, "gain_to_cost": _PERCENT,
    "alert": pl.Boolean, "value_equal": _MONEY, "value_router": _MONEY, "value_raw": _MONEY,
    "weights_low": _MONEY, "weights_high": _MONEY, "weights_width_pct": _PERCENT,
    "weights_divergence": pl.Boolean, "volumes_known": pl.Int32,
}  # fmt: skip
"""Columns of the table ``resistance_index``."""


def read_lines(bodies: Sequence[bytes]) -> list[dict[str, Any]]:
    """Return the newest line of each fixing from artefacts in the order of the log.

    Raises:
        VerificationError: a line has another schema than the one known here.
    """
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    for body in bodies:
        for text in body.splitlines():
            line = json.loads(text)
            if line.get("schema") != SCHEMA:
                raise VerificationError(
                    f"resistance: a line of schema {line.get('schema')!r}, known is {SCHEMA}; "
                    "rebuild with the software that wrote it"
                )
            found[line["index_id"], line["session"], line["ref_date"]] = line
    return [found[key] for key in sorted(found)]


def group_rows(lines: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return one row per fixing and group, in order."""
    return [
        {**{k: line[k] for k in _KEY}, "place": place}
        | {"legal_group" if k == "group" else k: v for k, v in one.items()}
        for line in lines
        for place, one in enumerate(line["groups"])
    ]


def index_rows(lines: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return one row per fixing, the weightings spread over columns."""
    rows = []
    for line in lines:
        row = {k: v for k, v in line.items() if k not in ("schema", "groups", "weights")}
        row["mi2_groups"] = " ".join(line["mi2_groups"])
        told = line["weights"] or {}
        row |= {f"value_{k}": told.get(k) for k in ("equal", "router", "raw")}
        row |= {f"weights_{k}": told.get(k) for k in ("low", "high", "width_pct")}
        row |= {k: told.get(k) for k in ("weights_divergence", "volumes_known")}
        rows.append(row)
    return rows


_PCT = "the value's change, percent"

_FIXING: Final = {
    "index_id": "index: TKR rate of one model, TKX composite, GPR GPU-hour rate",
    "session": "fixing of the day: SHA 15:00 Asia/Shanghai, NYC 16:00 America/New_York",
    "ref_date": "index day, local to the session",
}

COMMENTS: Final[dict[str, tuple[str, dict[str, str]]]] = {
    "resistance": (
        "What each group could do to a fixing's value (rulebook 16); one row per group.",
        {
            **_FIXING,
            "place": "place in the published list of groups, from 0; a number",
            "legal_group": "legal group with one vote; TKX: developer, or the rate it reads",
            "price": "price that stood, in the index's currency and unit; null: TKX",
            "weight": "published weight; share of 1",
            "status": "OBSERVED, HELD or IMPUTED; null: TKX",
            "own_up_pct": f"own price up by own_move_pct: {_PCT}",
            "own_down_pct": f"own price down by own_move_pct: {_PCT}",
            "any_price_up_pct": f"best own price for a rise: {_PCT}; null: no bound",
            "any_price_down_pct": f"best own price for a fall: {_PCT}",
            "any_price_pct": f"the larger of the two: {_PCT}; null: no bound",
            "is_unbounded": "whether its own price alone moves the value without bound",
            "left_out_pct": f"left out, others as weighted: {_PCT}; null: TKX, or it stood alone",
            "exit_pct": f"gone for good, weights formed anew: {_PCT}; null as left_out_pct",
            "price_for_up": "nearest own price, in currency, that lifts the value by target_bp; "
            "null: none does",
            "price_for_down": "nearest own price, in currency, that lowers it by target_bp; "
            "null: none does",
            "cost_per_unit_volume": "forgone per unit of daily volume over days, in currency; null:"
            " no own price reaches it",
            "volume_per_day": "router-observed volume, million tokens per day; null: not known",
            "cost": "cost of the move over days, in currency; null: see cost_reason",
            "cost_reason": "why there is no cost: VOLUME_UNKNOWN, VOLUME_BY_METER_UNKNOWN or "
            "NO_OWN_PRICE_REACHES_IT; null when there is one",
        },
    ),
    "resistance_index": (
        "Worst cases, breakdown, cost and weightings of each fixing's value (rulebook 16).",
        {
            **_FIXING,
            "value": "the fixing's value, in its currency and unit",
            "waterfall": "level of the fixing (rulebook 10); CARRY has no figures",
            "estimator": "estimator of the vintage; fixed_quantities: TKX",
            "members": "groups that stood in the value; a count",
            "own_move_pct": "move of the own price in table resistance; percent",
            "mi1_pct": f"any price of one group, furthest: {_PCT}; null: no bound",
            "mi1_ln": "largest absolute logarithm of the value's ratio, one group; null: no bound",
            "mi1_group": "the group of mi1",
            "mi1_is_unbounded": "whether one group moves the value without bound",
            "mi2_pct": f"any prices of two groups together, furthest: {_PCT}; null: no bound",
            "mi2_ln": "largest absolute logarithm, two groups; null: no bound",
            "mi2_groups": "the pair of mi2 with a blank between; empty: fewer than two groups",
            "mi2_is_unbounded": "whether that pair moves the value without bound",
            "breakdown_share": "weight from which the estimator has no bound; share of 1",
            "breakdown_groups": "fewest groups that have that weight; a count; null: not even all",
            "breakdown_weight": "their weight; share of 1",
            "left_out_low_pct": f"lowest with any one group left out: {_PCT}",
            "left_out_high_pct": f"highest with any one group left out: {_PCT}",
            "target_bp": "move whose cost is stated; hundredths of a percent",
            "days": "how long it is kept up; days",
            "position_units": "position limit of a contract, in GPU-hours; null: no contract known",
            "gain": "what that position earns by the move, in currency; null: no contract known",
            "cost_per_unit_min": "lowest cost_per_unit_volume of any group, in currency",
            "cost_per_unit_group": "the group with it",
            "break_even_volume": "GPU-hours per day at which that cost equals the gain",
            "cost_min": "lowest known cost, in currency; null: no volume is known",
            "cost_group": "the group with it",
            "gain_to_cost": "gain over cost_min; ratio",
            "alert": "whether that ratio is above the limit; null: not known",
            "value_equal": "value under equal weights, in currency",
            "value_router": "value under capped roots of router-observed volumes, in currency; "
            "null: not known",
            "value_raw": "value under router-observed volumes as they are, in currency; "
            "null: not known",
            "weights_low": "lowest value of the weightings, the own included, in currency",
            "weights_high": "highest value of the weightings, the own included, in currency",
            "weights_width_pct": "width of that band; percent of the value",
            "weights_divergence": "whether the band is wider than the limit",
            "volumes_known": "groups with a router-observed volume; a count",
        },
    ),
}
"""Table to its comment and the comments of its columns."""
