"""Determinations to the content of records: what a fixing says of itself.

A *draft* is everything of a fixing but its place in the log. Drafts are a function of the inputs
and the rules alone, so publishing and verifying make the same ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from fractions import Fraction
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import polars as pl

from index.determine import CompositeSeries, Inputs, Outcome, SessionPlan
from index.frames import to_lines
from index.ledger import merkle
from index.ledger.canonical import canonical
from index.publication.record import decimal_text, ratio_text
from methodology import clock, fx, panels, quality, representative
from methodology.definition import CompositeDefinition, Definition, Methodology, RateDefinition
from methodology.determination import leave_one_out
from methodology.estimators import kept_at_quantile
from methodology.fx import Fx
from methodology.series import LEVEL_BASE, Plan, Series
from methodology.units import round_half_up


def software() -> str:
    """Return name and version of this software, as records state it."""
    try:
        return f"spotfix/{version('spotfix')}"
    except PackageNotFoundError:
        return "spotfix/0"


@dataclass(frozen=True)
class Selection:
    """What one fixing will be computed from, known before any value is.

    ``inputs``: canonical lines of every offer considered; ``basket``: canonical content of the
    panel or basket in force. Their digests stand in the commitment.
    """

    index_id: str
    definition: Definition
    ref_date: date
    offers: pl.DataFrame
    inputs: bytes
    basket: bytes

    @property
    def input_digest(self) -> str:
        """Root of the RFC 6962 tree over the input lines."""
        leaves = [merkle.leaf_hash(line) for line in self.inputs.splitlines()]
        return "sha256:" + merkle.root(leaves).hex()


@dataclass(frozen=True)
class Draft:
    """One determined fixing: record fields, and the artefacts it cites by digest."""

    selection: Selection
    fields: dict[str, Any]
    contributions: bytes
    panel_state: bytes
    flags: tuple[str, ...] = field(default=())


def offers_of(
    inputs: Inputs,
    definitions: Mapping[str, Definition],
    due: Mapping[str, date],
    rules: Methodology,
) -> dict[str, pl.DataFrame]:
    """Return, per rate index, every offer of its due day, refused ones with their reason."""
    pieces = representative.segments(inputs.observations, inputs.coverage, rules)
    found: dict[str, pl.DataFrame] = {}
    by_session: dict[str, set[date]] = {}
    for name, day in due.items():
        if isinstance(definitions[name], RateDefinition):
            by_session.setdefault(definitions[name].session, set()).add(day)
    for session, days in by_session.items():
        ordered = sorted(days)
        table = representative.price_table(
            pieces, representative.window_table(session, ordered), rules
        )
        for name, day in due.items():
            definition = definitions[name]
            if not isinstance(definition, RateDefinition) or definition.session != session:
                continue
            meter = next(m for m in definition.meters if definition.index_id(m) == name)
            rows = panels.candidates(table, definition, meter)
            found[name] = rows.filter(pl.col("day") == ordered.index(day)).drop("day")
    return found


def select(
    planned: Mapping[str, SessionPlan],
    offers: Mapping[str, pl.DataFrame],
    definitions: Mapping[str, Definition],
    due: Mapping[str, date],
    inputs: Inputs,
) -> dict[str, Selection]:
    """Return the selection of every due fixing: offers considered, panel in force; no value."""
    plans = {p.index_id: (p, one) for one in planned.values() for p in one.plans}
    made = {}
    for name, day in due.items():
        definition = definitions[name]
        if isinstance(definition, RateDefinition):
            p, one = plans[name]
            vintage = p.vintages[one.index_days.index(day)]
            basket = canonical(vintage.as_record() if vintage else {"vintage": None}) + b"\n"
            rows = offers[name]
        else:
            one = planned[definition.session]
            rows = _composite_offers(one, definition, day, inputs)
            basket = b""  # known once linked: see publish
        made[name] = Selection(name, definition, day, rows, to_lines(rows), basket)
    return made


def _composite_offers(
    one: SessionPlan, definition: CompositeDefinition, day: date, inputs: Inputs
) -> pl.DataFrame:
    """Return the first-party prices a composite may read on its day, and its volumes' digest."""
    at = one.index_days.index(day)
    is_own = pl.col("provider_class") == "first_party"
    rows = [
        one.table.select(is_own, meter)
        .filter(pl.col("day") == at)
        .select(
            "source",
            "provider",
            "group",
            "instrument_id",
            "listing_id",
            "meter",
            "price_nano",
            "is_confirmed",
            "is_suspect",
            "seen_us",
            "tier",
            "observation_id",
        )
        for meter in (("BLD",) if definition.family == "TKX" else ("IN", "CIN", "OUT"))
    ]
    return pl.concat(rows).sort("source", "instrument_id", "provider", "listing_id", "meter")


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
        "weight_share": decimal_text(row["weight"], 8),
        "fresh_share": ratio_text(row["fresh"], row["weight"] or 1, 8),
        **_history(mine, day, units, decimals),
        **_distribution(price, weight, decimals, is_valued),
        **_band(price, weight, vintage.estimator if vintage else None, decimals, is_valued),
        **_concentration(weight, is_valued),
        "alt": _alternates(definition, row, crosses, rules),
    }
    weights = counted["weight_e8"].to_list()
    fields |= _grade(fields, counted, weights, price, weight, row, definition, rules)
    flags = [
        ("MIRRORED_EVIDENCE", bool(set(counted["tier"].drop_nulls()) & {"E4"})),
        ("BOOTSTRAP_VINTAGE", bool(vintage and vintage.id == panels.BOOTSTRAP)),
        ("PANEL_BREAK", row["has_panel_break"]),
        ("DISPERSED", row["is_dispersed"]),
        ("HELD", row["has_held"]),
        ("IMPUTED", row["has_imputed"] and is_valued),
        ("CONFIRMED_SAME_PATH", row["is_confirmed_same_path"]),
        ("SMALL_PANEL", definition.small_panel),
        ("NO_FX", is_valued and "CNY" in definition.currencies and not fields["alt"]),
    ]
    fields["no_fix_reason"] = _why_none(row, chosen.offers, definition, rules, vintage is None)
    state = series.states.get((p.index_id, day.toordinal()))
    return Draft(
        chosen,
        fields,
        to_lines(told),
        canonical(asdict(state) if state else {"index_id": p.index_id}) + b"\n",
        tuple(name for name, is_on in flags if is_on),
    )


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


def _concentration(weight: Any, is_valued: bool) -> dict[str, Any]:
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
    share = decimal_text(row["weight"], 8)
    return f"{row['groups']} groups with {share} of the weight (rulebook 10.2)"


def draft_composite(
    made: CompositeSeries, chosen: Selection, outcome: Outcome, rules: Methodology
) -> Draft:
    """Return the draft of one TKX day."""
    definition, day = made.definition, chosen.ref_date
    told, state = made.days.get(day), made.states.get(day)
    basket = made.basket_on(day)
    units = told.value_units if told else None
    before = made.days.get(day - timedelta(days=1))
    prev = before.value_units if before else None
    rows = list(told.rows) if told else []
    counted = [r for r in rows if r["status"] in ("OBSERVED", "HELD")]
    weights = [r["weight_e8"] for r in rows if r["weight_e8"]]
    converted = definition.currency != "USD"
    rate = fx.rate_for(definition.session, day, outcome.crosses, rules.fx.max_age_days)
    fields: dict[str, Any] = {
        "family": "TOKEN",
        "currency": definition.currency,
        "unit": "points",
        "decimals": rules.precision.points_decimals,
        "value": decimal_text(units, 2),
        "level": decimal_text(units, 2),
        "base_date": definition.inception.isoformat(),
        "prev_value": decimal_text(prev, 2),
        "change_pct": ratio_text((units - prev) * 100, prev, 4) if units and prev else None,
        "alt": [],
        **dict.fromkeys(("p1", "p25", "p50", "p75", "p99", "min", "max", "dispersion")),
        "loo_low": None,
        "loo_high": None,
        "volume_basis": "OBSERVED",
        "basket_version": basket.linked_on.isoformat() if basket else None,
        "n_collected": chosen.offers.height,
        "n_used": len(counted),
        "n_excluded": chosen.offers.height - len(counted),
        "n_sources": len({r["source"] for r in counted}),
        "n_providers": len({r["developer"] for r in counted}),
        **_concentration(weights, units is not None),
        "weight_share": decimal_text(told.weight_e8 if told else 0, 8),
        "fresh_share": decimal_text(10**8 if told and told.weight_e8 else 0, 8),
        "waterfall": told.waterfall if told else "NO_FIX",
        "grade": "C" if told and told.waterfall == "REDUCED" else "D",
        "grade_components": None,
        "no_fix_reason": None,
    }
    if units is None:
        fields["no_fix_reason"] = (
            f"no basket: {made.no_basket_reason or 'none was linked'} (rulebook 13.4)"
            if basket is None
            else f"{len(counted)} of {len(rows)} constituents priced (rulebook 13.5)"
        )
    flags = [
        ("MIRRORED_EVIDENCE", True),
        ("FX_CONVERTED_INPUTS", converted and rate is not None),
        ("LINK_SKIPPED", any(d <= day for d in made.skipped_links)),
        ("HELD", any(r["status"] == "HELD" for r in rows)),
        ("IMPUTED", any(r["status"] == "IMPUTED" for r in rows) and units is not None),
    ]
    content = basket.as_record() if basket else {"basket": None}
    selection = Selection(
        chosen.index_id, definition, day, chosen.offers, chosen.inputs, canonical(content) + b"\n"
    )
    schema: dict[str, Any] = {
        "model": pl.String, "developer": pl.String, "source": pl.String, "weight_e8": pl.Int64,
        "quantity_e12": pl.String, "quoted_nano": pl.Int64, "price_nano": pl.Int64,
        "status": pl.String, "reason": pl.String, "observation_id": pl.String,
    }  # fmt: skip
    text = [{**r, "quantity_e12": str(r["quantity_e12"])} for r in rows]
    kept = {"index_id": chosen.index_id, **(state.as_record() if state else {})}
    return Draft(
        selection,
        fields,
        to_lines(pl.DataFrame(text, schema=schema)),
        canonical(kept) + b"\n",
        tuple(name for name, is_on in flags if is_on),
    )


def draft_unit_value(
    definition: CompositeDefinition,
    values: Mapping[date, tuple[int, int]],
    chosen: Selection,
    rules: Methodology,
) -> Draft:
    """Return the draft of one TEX day: spend over tokens, never mixed with a price index."""
    day, decimals = chosen.ref_date, rules.precision.token_decimals
    step = 10 ** (9 - decimals)

    def units_on(when: date) -> int | None:
        found = values.get(when)
        return round_half_up(found[0], found[1] * step) if found else None

    units, prev = units_on(day), units_on(day - timedelta(days=1))
    fields: dict[str, Any] = {
        "family": "TOKEN",
        "currency": definition.currency,
        "unit": "USD/1e6tok",
        "decimals": decimals,
        "value": decimal_text(units, decimals),
        "level": None,
        "base_date": definition.inception.isoformat(),
        "prev_value": decimal_text(prev, decimals),
        "change_pct": ratio_text((units - prev) * 100, prev, 4) if units and prev else None,
        "alt": [],
        **dict.fromkeys(("p1", "p25", "p50", "p75", "p99", "min", "max", "dispersion")),
        "loo_low": None,
        "loo_high": None,
        "volume_basis": "OBSERVED",
        "basket_version": None,
        "n_collected": chosen.offers.height,
        "n_used": chosen.offers["instrument_id"].n_unique(),
        "n_excluded": 0,
        "n_sources": chosen.offers["source"].n_unique(),
        "n_providers": chosen.offers["group"].n_unique(),
        "top_weight": None,
        "effective_n": None,
        "weight_share": "1.00000000",
        "fresh_share": "1.00000000",
        "waterfall": "REDUCED" if units is not None else "NO_FIX",
        "grade": "C" if units is not None else "D",
        "grade_components": None,
        "no_fix_reason": None if units is not None else "no volumes of the day before",
    }
    selection = Selection(
        chosen.index_id,
        definition,
        day,
        chosen.offers,
        chosen.inputs,
        canonical({"basket": None, "volumes_of": (day - timedelta(days=1)).isoformat()}) + b"\n",
    )
    found = values.get(day)
    state = {
        "index_id": chosen.index_id,
        "spend_nano": str(found[0]) if found else None,
        "tokens": str(found[1]) if found else None,
    }
    flags = ("MIRRORED_EVIDENCE", "UNIT_VALUE")
    return Draft(selection, fields, chosen.inputs, canonical(state) + b"\n", flags)


def draft_all(
    outcome: Outcome, selections: Mapping[str, Selection], rules: Methodology
) -> dict[str, Draft]:
    """Return the draft of every selected fixing."""
    plans = {p.index_id: (s, p) for s in outcome.rates.values() for p in s.plans}
    made = {}
    for name, chosen in selections.items():
        definition = chosen.definition
        if isinstance(definition, RateDefinition):
            series, p = plans[name]
            made[name] = draft_rate(series, p, chosen, outcome.crosses, rules)
        elif definition.family == "TKX":
            composite = outcome.composites.get(name, CompositeSeries(definition))
            made[name] = draft_composite(composite, chosen, outcome, rules)
        else:
            values = outcome.unit_values.get(name, {})
            made[name] = draft_unit_value(definition, values, chosen, rules)
    return made


def back_cast(
    outcome: Outcome, definitions: Mapping[str, Definition], until: Mapping[str, date | None]
) -> bytes:
    """Return the whole back-cast as canonical lines: one row per index and day, flagged ``_BT``.

    Rates carry value, chained level and panel size; composites their points; unit values theirs.
    A day without a value is a row with ``NO_FIX`` and null, never a missing row.
    """
    frames = []
    columns = {
        "index_id": pl.String, "ref_date": pl.Date, "flag": pl.String, "waterfall": pl.String,
        "value": pl.String, "level": pl.String, "vintage": pl.String, "groups": pl.Int64,
        "weight": pl.Int64, "is_covered": pl.Boolean, "has_held": pl.Boolean,
        "has_imputed": pl.Boolean,
    }  # fmt: skip
    stops = pl.DataFrame(
        [(k, v) for k, v in until.items() if v],
        schema={"index_id": pl.String, "stop": pl.Date},
        orient="row",
    )
    for series in outcome.rates.values():
        rows = series.fixings.join(stops, on="index_id").filter(
            pl.col("ref_date") <= pl.col("stop")
        )
        frames.append(
            rows.select(
                "index_id",
                "ref_date",
                pl.lit("_BT").alias("flag"),
                "waterfall",
                _units_text("value_units", pl.col("decimals")).alias("value"),
                _units_text("chained_level", pl.lit(4)).alias("level"),
                "vintage",
                "groups",
                "weight",
                "is_covered",
                "has_held",
                "has_imputed",
            )
        )
    told: list[tuple[Any, ...]] = []
    for name, made in outcome.composites.items():
        for day, one in made.days.items():
            text = decimal_text(one.value_units, 2)
            basket = made.basket_on(day)
            told.append(
                (
                    name, day, "_BT", one.waterfall, text, text,
                    basket.linked_on.isoformat() if basket else None, one.models, one.weight_e8,
                    True, any(r["status"] == "HELD" for r in one.rows),
                    any(r["status"] == "IMPUTED" for r in one.rows),
                )
            )  # fmt: skip
    for name, values in outcome.unit_values.items():
        stop = until.get(name)
        since = definitions[name]
        if stop is None or not isinstance(since, CompositeDefinition):
            continue
        for day in clock.days(since.inception, stop):
            found = values.get(day)
            value = decimal_text(round_half_up(found[0], found[1] * 1000), 6) if found else None
            level = "REDUCED" if found else "NO_FIX"
            told.append(
                (name, day, "_BT", level, value, None, None, None, None, True, False, False)
            )
    frames.append(pl.DataFrame(told, schema=columns, orient="row"))
    return to_lines(pl.concat(frames).sort("index_id", "ref_date"))


def _units_text(column: str, decimals: pl.Expr) -> pl.Expr:
    """Return integer units as decimal text, null kept; exact, without floats."""
    scale = pl.lit(10, pl.Int64).pow(decimals)
    whole = (pl.col(column) // scale).cast(pl.String)
    part = (pl.col(column) % scale).cast(pl.String)
    padded = part.str.pad_start(decimals.cast(pl.UInt64), "0")
    return pl.when(pl.col(column).is_not_null()).then(whole + pl.lit(".") + padded)


def scheduled(definition: Definition, day: date, revision: int) -> datetime:
    """Return when a revision is due: r0 provisional, r1 final (naive UTC)."""
    at = clock.provisional_at if revision == 0 else clock.final_at
    return at(definition.session, day)


__all__ = [
    "LEVEL_BASE",
    "Draft",
    "Selection",
    "back_cast",
    "draft_all",
    "offers_of",
    "scheduled",
    "select",
    "software",
]
