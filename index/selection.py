"""What a fixing will be computed from, settled before any value exists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import polars as pl

from index import derived_select
from index.composites import goods
from index.determine import Inputs, SessionPlan
from index.frames import to_lines
from index.ledger import merkle
from index.ledger.canonical import canonical
from methodology import panels, representative
from methodology.composite import in_segment
from methodology.continuity import FIRST_RULES
from methodology.definition import (
    CompositeDefinition,
    Definition,
    DerivedDefinition,
    Methodology,
    RateDefinition,
    load_methodology,
)
from methodology.derived_definitions import SpreadDefinition


@dataclass(frozen=True)
class Selection:
    """What one fixing will be computed from, known before any value is.

    ``inputs``: canonical lines of every offer considered; ``basket``: canonical content of the
    panel or basket in force. Their digests stand in the commitment. ``legs``: of a spread, what its
    legs are computed from on that day.
    """

    index_id: str
    definition: Definition
    ref_date: date
    offers: pl.DataFrame
    inputs: bytes
    basket: bytes
    legs: tuple[Selection, ...] = ()

    @property
    def input_digest(self) -> str:
        """Root of the RFC 6962 tree over the input lines."""
        leaves = [merkle.leaf_hash(line) for line in self.inputs.splitlines()]
        return "sha256:" + merkle.root(leaves).hex()


def offers_of(
    inputs: Inputs,
    definitions: Mapping[str, Definition],
    due: Mapping[str, date],
    rules: Methodology,
) -> dict[str, pl.DataFrame]:
    """Return, per rate index, every offer of its due day, refused ones with their reason.

    A spread's legs stand beside them under their id and day (``derived_select.leg_key``).
    """
    pieces = representative.segments(inputs.observations, inputs.coverage, rules)
    found: dict[str, pl.DataFrame] = {}
    by_session: dict[str, set[date]] = {}
    wanted = [(name, name, day) for name, day in due.items()]
    for leg, day in derived_select.legs_due(definitions, due):
        wanted.append((derived_select.leg_key(leg, day), leg, day))
    for _, name, day in wanted:
        if isinstance(definitions[name], RateDefinition):
            by_session.setdefault(definitions[name].session, set()).add(day)
    for session, days in by_session.items():
        ordered = sorted(days)
        table = representative.price_table(
            pieces, representative.window_table(session, ordered), rules
        )
        for key, name, day in wanted:
            definition = definitions[name]
            if not isinstance(definition, RateDefinition) or definition.session != session:
                continue
            meter = next(m for m in definition.meters if definition.index_id(m) == name)
            rows = panels.candidates(table, definition, meter, inputs.is_live, rules)
            found[key] = rows.filter(pl.col("day") == ordered.index(day)).drop("day")
    return found


def select(
    planned: Mapping[str, SessionPlan],
    offers: Mapping[str, pl.DataFrame],
    definitions: Mapping[str, Definition],
    due: Mapping[str, date],
    inputs: Inputs,
    rules: Methodology | None = None,
) -> dict[str, Selection]:
    """Return the selection of every due fixing: offers considered, panel in force; no value."""
    plans = {p.index_id: (p, one) for one in planned.values() for p in one.plans}

    def rate(name: str, day: date, rows: pl.DataFrame) -> Selection:
        p, one = plans[name]
        vintage = p.vintages[one.index_days.index(day)]
        basket = canonical(vintage.as_record() if vintage else {"vintage": None}) + b"\n"
        return Selection(name, definitions[name], day, rows, to_lines(rows), basket)

    made = {}
    for name, day in due.items():
        definition = definitions[name]
        if isinstance(definition, RateDefinition):
            made[name] = rate(name, day, offers[name])
            continue
        if isinstance(definition, DerivedDefinition):
            legs: tuple[Selection, ...] = ()
            if isinstance(definition, SpreadDefinition):
                legs = tuple(
                    rate(leg, day, offers[derived_select.leg_key(leg, day)])
                    for leg in definition.legs
                    if leg in plans
                )
            body, basket = derived_select.content(
                definition,
                planned[definition.session],
                day,
                inputs,
                rules or load_methodology(),
                [_as_leg(leg) for leg in legs],
            )
            none = derived_select.no_offers()
            made[name] = Selection(name, definition, day, none, body, basket, legs)
            continue
        rows = _composite_offers(planned[definition.session], definition, day, inputs)
        basket = b""  # known once linked: see publish
        made[name] = Selection(name, definition, day, rows, to_lines(rows), basket)
    return made


def _as_leg(leg: Selection) -> dict[str, str]:
    """Return what a spread's inputs say of one leg: what that leg is itself computed from."""
    return {
        "index_id": leg.index_id,
        "session": leg.definition.session,
        "ref_date": leg.ref_date.isoformat(),
        "definition_digest": "sha256:" + leg.definition.digest,
        "input_digest": leg.input_digest,
    }


def _composite_offers(
    one: SessionPlan, definition: CompositeDefinition, day: date, inputs: Inputs
) -> pl.DataFrame:
    """Return the first-party prices a composite may read on its day, and its volumes' digest.

    Those of the models that its domiciles and licence admit; a definition of the first rules
    shows those of all models, as it always did.
    """
    at = one.index_days.index(day)
    is_own = pl.col("provider_class") == "first_party"
    if definition.methodology != FIRST_RULES:
        any_tier = definition.model_copy(update={"tier": None})
        mine = [g.model for g in goods() if in_segment(g, any_tier, {})]
        is_own = is_own & pl.col("instrument_id").is_in(mine)
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
        for meter in ((definition.meter,) if definition.meter else ("IN", "CIN", "OUT"))
    ]
    return pl.concat(rows).sort("source", "instrument_id", "provider", "listing_id", "meter")
