"""A composite's day, and a unit value's, as the fields of their records."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import polars as pl

from index.determine import CompositeSeries, Outcome
from index.draft_rates import Draft, concentration
from index.frames import to_lines
from index.ledger.canonical import canonical
from index.publication.record import decimal_text, ratio_text
from index.selection import Selection
from methodology import fx
from methodology.composite import CompositeDay, CompositeState, speaks_as_rates, volume_period
from methodology.definition import CompositeDefinition, Methodology
from methodology.units import round_half_up


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
        **concentration(weights, units is not None),
        "weight_share": decimal_text(told.weight_e8 if told else 0, 8),
        "fresh_share": None,
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
    flags = composite_flags(
        told, state, rules,
        is_converted=converted and rate is not None,
        has_skipped=any(d <= day for d in made.skipped_links),
    )  # fmt: skip
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
        flags,
    )


def composite_flags(
    told: CompositeDay | None,
    state: CompositeState | None,
    rules: Methodology,
    *,
    is_converted: bool = False,
    has_skipped: bool = False,
) -> tuple[str, ...]:
    """Return the flags of one TKX day (rulebook 11.5).

    Args:
        told: the day; ``None`` without a basket.
        state: what the day left; ``None`` without a basket.
        rules: the version. Under 1.0.0 a composite said of each day that mirrored prices count,
            of a carried one that prices were imputed, and nothing of confirmed jumps, of days
            without a value, and of links skipped before the fixing that it continued from.
        is_converted: prices were converted into the currency of the composite.
        has_skipped: a link was skipped in this pass, by the day.
    """
    rows = told.rows if told else ()
    status = {r["status"] for r in rows}
    as_rates = speaks_as_rates(rules)
    counts = bool(status & {"OBSERVED", "HELD"})
    is_repeated = told is None or told.value_units is None
    if as_rates:
        is_repeated = told is None or told.waterfall != "REDUCED"
    flags = [
        ("MIRRORED_EVIDENCE", counts or not as_rates),
        ("FX_CONVERTED_INPUTS", is_converted),
        ("LINK_SKIPPED", has_skipped or (as_rates and state is not None and state.link_skipped)),
        ("HELD", "HELD" in status),
        ("IMPUTED", "IMPUTED" in status and not is_repeated),
        (
            "CONFIRMED_SAME_PATH",
            as_rates and any(r["reason"] == "CONFIRMED_SAME_PATH" for r in rows),
        ),
        ("OVERSIGHT_NOTICE", _needs_notice(told, state, rules)),
    ]
    return tuple(name for name, is_on in flags if is_on)


def _needs_notice(
    told: CompositeDay | None, state: CompositeState | None, rules: Methodology
) -> bool:
    """Return whether no value was determined for so many days in a row (rulebook 10.6)."""
    days = rules.waterfall.notice_days
    if told is None or state is None or days is None or state.value_day is None:
        return False
    return (told.ref_date - state.value_day).days >= days


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
        "unit": f"{definition.currency}/1e6tok",
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
        "weight_share": None,
        "fresh_share": None,
        "waterfall": "REDUCED" if units is not None else "NO_FIX",
        "grade": "C" if units is not None else "D",
        "grade_components": None,
        "no_fix_reason": None
        if units is not None
        else "volumes of its 28 days are missing (rulebook 13.7)",
    }
    first, last = volume_period(day, rules)
    selection = Selection(
        chosen.index_id,
        definition,
        day,
        chosen.offers,
        chosen.inputs,
        canonical({"basket": None, "volume_from": f"{first}", "volume_to": f"{last}"}) + b"\n",
    )
    found = values.get(day)
    state = {
        "index_id": chosen.index_id,
        "spend_nano": str(found[0]) if found else None,
        "tokens": str(found[1]) if found else None,
    }
    flags = ("MIRRORED_EVIDENCE", "UNIT_VALUE")
    return Draft(selection, fields, chosen.inputs, canonical(state) + b"\n", flags)
