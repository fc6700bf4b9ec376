"""What a derived fixing will be computed from, settled before any value exists (rulebook 18.5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

import polars as pl

from index import derived_quality, derived_usage
from index.frames import to_lines
from index.ledger.canonical import canonical
from index.outcome import Inputs, SessionPlan
from methodology import schemas
from methodology.composite import volume_period
from methodology.definition import Definition, DerivedDefinition, Methodology
from methodology.derived_definitions import SpreadDefinition, UsageDefinition
from methodology.spread import HeatRate, heat_rate_on, load_heat_rates


def legs_due(
    definitions: Mapping[str, Definition], due: Mapping[str, date]
) -> list[tuple[str, date]]:
    """Return (leg, day) of every spread that is due, without repeats, where the leg is defined."""
    wanted = {
        (leg, day): None
        for name, day in due.items()
        if isinstance(found := definitions[name], SpreadDefinition)
        for leg in found.legs
        if leg in definitions
    }
    return list(wanted)


def leg_key(leg: str, day: date) -> str:
    """Return the name under which a leg's offers of a day are kept."""
    return f"{leg} {day.isoformat()}"


def spread_content(
    definition: SpreadDefinition, day: date, legs: Iterable[Mapping[str, Any]]
) -> tuple[bytes, bytes]:
    """Return the input lines of a spread, and the content of its basket: the heat rate in force.

    Args:
        definition: the spread.
        day: the index day.
        legs: what each leg is itself computed from: id, day, digests of definition and inputs.
    """
    line = heat_rate_on(
        load_heat_rates(), definition.model, definition.sku, definition.precision, day
    )
    told = _line(line)
    lines = [canonical({"kind": "leg", **leg}) + b"\n" for leg in legs]
    if told is not None:
        lines.append(canonical({"kind": "heat_rate", **told}) + b"\n")
    return b"".join(lines), canonical({"basket": None, "heat_rate": told}) + b"\n"


def _line(line: HeatRate | None) -> dict[str, Any] | None:
    if line is None:
        return None
    return {
        "sku": line.sku,
        "precision": line.precision,
        "in_tokens_per_second": line.in_tokens_per_second,
        "out_tokens_per_second": line.out_tokens_per_second,
        "gpus": line.gpus,
        "stated": line.stated.isoformat(),
        "effective_from": line.effective_from.isoformat(),
        "review_due": line.review_due.isoformat(),
        "source": line.source,
    }


def content(
    definition: DerivedDefinition,
    one: SessionPlan,
    day: date,
    inputs: Inputs,
    rules: Methodology,
    legs: Iterable[Mapping[str, Any]],
) -> tuple[bytes, bytes]:
    """Return the input lines of a derived fixing, and the content of its basket."""
    if isinstance(definition, SpreadDefinition):
        return spread_content(definition, day, legs)
    if isinstance(definition, UsageDefinition):
        rows = derived_usage.rows_on(definition, inputs, day, rules)
        basket: dict[str, Any] = {"basket": None}
        if definition.basis == "measured":
            first, last = volume_period(day, rules)
            basket |= {"volume_from": f"{first}", "volume_to": f"{last}"}
        return to_lines(rows), canonical(basket) + b"\n"
    if inputs.is_live:
        return b"", canonical({"basket": None}) + b"\n"
    fed = derived_quality.feed(definition, inputs, one, rules)
    lines = [canonical(row) + b"\n" for row in derived_quality.input_rows(fed, day)]
    basket = {"basket": None, "volume_from": f"{fed.volume_from}", "volume_to": f"{fed.volume_to}"}
    return b"".join(lines), canonical(basket) + b"\n"


def no_offers() -> pl.DataFrame:
    """Return the offers of a derived index: it reads none of its own."""
    return schemas.empty(schemas.Observation)
