"""A rate index's day as the fields of its record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

import numpy as np
import polars as pl

from index.frames import to_lines
from index.ledger.canonical import canonical
from index.publication.record import decimal_text, ratio_text
from index.selection import Selection
from methodology import fx, panels, quality, screens
from methodology.definition import Methodology, RateDefinition
from methodology.determination import leave_one_out
from methodology.estimators import kept_at_quantile
from methodology.fx import Fx
from methodology.rights import load_rights
from methodology.series import PanelState, Plan, Series
from methodology.units import round_half_up


@dataclass(frozen=True)
class Draft:
    """One determined fixing: record fields, and the artefacts it cites by digest."""

    selection: Selection
    fields: dict[str, Any]
    contributions: bytes
    panel_state: bytes
    flags: tuple[str, ...] = field(default=())


def draft_rate(
    series: Series,
    p: Plan,
    chosen: Selection,
    crosses: Mapping[date, int],
    rules: Methodology,
) -> Draft:
    """Return the draft of one rate index's day."""
    day, definition = chosen.ref_date, p.definition
    i = next(n for n, plan in enumerate(series.plans) if plan.index_id == p.index_id)
    d = (day - series.index_days[0]).days
    mine = series.fixings.filter(pl.col("index_id") == p.index_id).sort("ref_date")
    row = _row_of(mine, day)
    vintage = p.vintages[d]
    told = series.contributions(p.index_id, day, chosen.offers)
    width = len(series.groups[i])
    price, weight = series.price[d, i, :width], series.used_weight[d, i, :width]
    state = series.states.get((p.index_id, day.toordinal()))
    status = told.filter(pl.col("status") != "REFUSED")
    counted = status.filter(pl.col("status").is_in(["OBSERVED", "HELD"]))
    units, decimals = row["value_units"], p.decimals
    is_valued = row["waterfall"] in ("FULL", "REDUCED", "CARRIED_INPUT")
    fields: dict[str, Any] = {
        "family": "GPU" if definition.family == "GPR" else "TOKEN",
        "currency": "USD",
        "unit": "USD/gpu-h" if definition.family == "GPR" else "USD/1e6tok",
        "decimals": decimals,
        "value": decimal_text(units, decimals),
        "level": decimal_text(row["chained_level"], rules.precision.level_decimals),
        "volume_basis": "SAMPLED" if vintage and vintage.basis == "V2" else "FIXED_WEIGHT",
        "basket_version": vintage.id if vintage else None,
        "n_collected": told.height,
        "n_used": counted.height,
        "n_excluded": told.height - counted.height,
        "n_sources": counted["source"].n_unique(),
        "n_providers": counted["group"].n_unique(),
        "waterfall": row["waterfall"],
        "weight_share": decimal_text(row["weight"], rules.precision.weight_decimals),
        "fresh_share": ratio_text(
            row["fresh"], row["weight"] or 1, rules.precision.weight_decimals
        ),
        **_history(mine, day, units, decimals),
        **_distribution(price, weight, decimals, is_valued),
        **_band(price, weight, vintage.estimator if vintage else None, decimals, is_valued),
        **concentration(weight, is_valued),
        "alt": _alternates(definition, row, crosses, rules),
    }
    weights = counted["weight_e8"].to_list()
    fields |= _grade(fields, counted, weights, price, weight, row, definition, rules)
    flags = [
        ("MIRRORED_EVIDENCE", bool(set(counted["tier"].drop_nulls()) & {"E4"})),
        ("BOOTSTRAP_VINTAGE", bool(vintage and vintage.id == panels.BOOTSTRAP)),
        ("PANEL_BREAK", row["has_panel_break"]),
        ("DISPERSED", row["is_dispersed"]),
        ("OUTLIER", is_valued and _has_outlier(price, weight, rules)),
        ("HELD", row["has_held"]),
        ("IMPUTED", row["has_imputed"] and is_valued),
        ("CONFIRMED_SAME_PATH", row["is_confirmed_same_path"]),
        ("SMALL_PANEL", definition.small_panel),
        ("NO_FX", is_valued and "CNY" in definition.currencies and not fields["alt"]),
        ("OVERSIGHT_NOTICE", _needs_notice(state, rules)),
    ]
    fields["no_fix_reason"] = _why_none(row, chosen.offers, definition, rules, vintage is None)
    return Draft(
        chosen,
        fields,
        to_lines(told),
        canonical(state.as_record() if state else {"index_id": p.index_id}) + b"\n",
        tuple(name for name, is_on in flags if is_on),
    )


def _needs_notice(state: PanelState | None, rules: Methodology) -> bool:
    """Return whether no value was determined for so many days in a row (rulebook 10.6)."""
    days = rules.waterfall.notice_days
    if state is None or days is None or not state.value_day:
        return False
    return state.ref_day - state.value_day >= days


def _has_outlier(price: Any, weight: Any, rules: Methodology) -> bool:
    standing = (weight > 0) & (price > 0)
    return bool(screens.outliers(price, standing, rules.gross).any())


def _row_of(mine: pl.DataFrame, day: date) -> dict[str, Any]:
    found = mine.filter(pl.col("ref_date") == day).rows(named=True)
    if found:
        return found[0]
    return {
        "waterfall": "NO_FIX", "value_units": None, "chained_level": None, "weight": 0,
        "fresh": 0, "groups": 0, "has_panel_break": False, "is_dispersed": False,
        "has_held": False, "has_imputed": False, "is_confirmed_same_path": False,
        "is_covered": True, "numerator": 0, "denominator": 1, "decimals": 0, "panel": 0,
    }  # fmt: skip


def _history(mine: pl.DataFrame, day: date, units: int | None, decimals: int) -> dict[str, Any]:
    valued = mine.filter(pl.col("value_units").is_not_null())
    before = valued.filter(pl.col("ref_date") == day - timedelta(days=1))["value_units"].to_list()
    started = valued["ref_date"].min()
    change = None
    if units is not None and before:
        change = ratio_text((units - before[0]) * 100, before[0], 4)
    return {
        "base_date": started.isoformat() if isinstance(started, date) else None,
        "prev_value": decimal_text(before[0], decimals) if before else None,
        "change_pct": change,
    }


def _distribution(price: Any, weight: Any, decimals: int, is_valued: bool) -> dict[str, Any]:
    names = {"p1": (1, 100), "p25": (1, 4), "p50": (1, 2), "p75": (3, 4), "p99": (99, 100)}
    standing = (weight > 0) & (price > 0)
    if not is_valued or not standing.any():
        return dict.fromkeys((*names, "min", "max", "dispersion"))
    order = np.argsort(price[standing], kind="stable")
    prices, weights = price[standing][order], weight[standing][order]
    slack = len(weights)
    step = 10 ** (9 - decimals)
    told: dict[str, Any] = {}
    for name, (n, d) in names.items():
        kept = kept_at_quantile(weights, n, d, slack)
        twice = int((kept * prices).sum())
        told[name] = decimal_text(round_half_up(twice, 2 * step), decimals)
    told["min"] = decimal_text(round_half_up(int(prices[0]), step), decimals)
    told["max"] = decimal_text(round_half_up(int(prices[-1]), step), decimals)
    twice_median = _twice_median(prices)
    twice_off = np.sort(np.abs(2 * prices - twice_median))
    told["dispersion"] = ratio_text(_twice_median(twice_off), 2 * twice_median, 6)
    return told


def _twice_median(ordered: Any) -> int:
    half = len(ordered) // 2
    low = ordered[half] if len(ordered) % 2 else ordered[half - 1]
    return int(low) + int(ordered[half])


def _band(
    price: Any, weight: Any, estimator: str | None, decimals: int, is_valued: bool
) -> dict[str, Any]:
    found = leave_one_out(price, weight, estimator) if is_valued and estimator else None
    if found is None:
        return {"loo_low": None, "loo_high": None}
    step = 10 ** (9 - decimals)
    low, high = (decimal_text(round_half_up(n, d * step), decimals) for n, d in found)
    return {"loo_low": low, "loo_high": high}


def concentration(weight: Any, is_valued: bool) -> dict[str, Any]:
    """Return the largest weight and the effective number of members, null without a value."""
    weights = [int(w) for w in weight if w > 0]
    if not is_valued or not weights:
        return {"top_weight": None, "effective_n": None}
    effective = quality.effective_n(weights)
    return {
        "top_weight": decimal_text(max(weights), 8),
        "effective_n": ratio_text(effective.numerator, effective.denominator, 6),
    }


def _alternates(
    definition: RateDefinition,
    row: Mapping[str, Any],
    crosses: Mapping[date, int],
    rules: Methodology,
) -> list[dict[str, str]]:
    rate = (
        fx.rate_for(
            definition.session, row.get("ref_date", date.min), crosses, rules.fx.max_age_days
        )
        if row["value_units"] is not None
        else None
    )
    if rate is None or "CNY" not in definition.currencies or row["numerator"] == 0:
        return []
    step = 10 ** (9 - row["decimals"])
    top, bottom = row["numerator"] * rate.rate_e6, row["denominator"] * 10**6 * step
    return [_alternate(round_half_up(top, bottom), row["decimals"], rate)]


def _alternate(units: int, decimals: int, rate: Fx) -> dict[str, str]:
    return {
        "currency": "CNY",
        "value": decimal_text(units, decimals) or "",
        "fx_rate": rate.text,
        "fx_source": rate.source,
        "fx_date": rate.ref_date.isoformat(),
    }


def _grade(
    fields: Mapping[str, Any],
    counted: pl.DataFrame,
    weights: list[int],
    price: Any,
    weight: Any,
    row: Mapping[str, Any],
    definition: RateDefinition,
    rules: Methodology,
) -> dict[str, Any]:
    if fields["p25"] is None:
        return {"grade": "D", "grade_components": None}
    step = 10 ** (9 - fields["decimals"])
    p25, p75 = (int(fields[k].replace(".", "")) * step for k in ("p25", "p75"))
    tiers: dict[str, int] = {}
    for tier, share in counted.select("tier", "weight_e8").iter_rows():
        tiers[tier or "E5"] = tiers.get(tier or "E5", 0) + share
    found = quality.grade(
        weights,
        Fraction(row["weight"], 10**8),
        Fraction(row["fresh"], row["weight"] or 1),
        tiers,
        p25,
        p75,
        row["waterfall"],
        definition.small_panel,
        definition.admission != "settlement" or row["has_panel_break"],
        rules.grade,
    )
    return {"grade": found.grade, "grade_components": found.as_record()}


def _shows_depth(definition: RateDefinition) -> bool:
    lines = load_rights()
    return any(s in lines and lines[s].depth for s in definition.sources)


def _why_none(
    row: Mapping[str, Any],
    offers: pl.DataFrame,
    definition: RateDefinition,
    rules: Methodology,
    has_no_vintage: bool,
) -> str | None:
    if row["waterfall"] != "NO_FIX":
        return None
    if not row["is_covered"]:
        return "no coverage: the sources do not speak about this day"
    reasons = offers["reason"].drop_nulls().to_list()
    if rules.marketplace and "MKT" in definition.classes and not _shows_depth(definition):
        return "no admitted source shows verified depth (rulebook 4.5)"
    if reasons and set(reasons) <= {"NO_RIGHT_TO_USE", "NO_RIGHT_TO_REDISTRIBUTE"}:
        return "no source with the right that this print needs (rulebook 2.8)"
    if (
        offers.height
        and offers["reason"].null_count() == 0
        and any(r.startswith("EVIDENCE_") for r in reasons)
    ):
        return "no admissible evidence"
    need = (
        rules.waterfall.small_groups if definition.small_panel else rules.waterfall.reduced_groups
    )
    if has_no_vintage:
        return f"no panel yet: never {need} groups at once (rulebook 8.1)"
    if row["groups"] < need:
        return f"{row['groups']} groups < {need} (rulebook 10.2)"
    share = decimal_text(row["weight"], rules.precision.weight_decimals)
    return f"{row['groups']} groups with {share} of the weight (rulebook 10.2)"
