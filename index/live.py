"""What a live determination continues from: the states that earlier fixings recorded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

from index.ledger.batches import Batches
from index.published import Published
from methodology.composite import (
    Basket,
    CompositeState,
    basket_from_record,
    state_from_record,
)
from methodology.definition import CompositeDefinition, Definition, DerivedDefinition
from methodology.panels import Vintage, vintage_from_record
from methodology.series import PanelState


@dataclass
class Before:
    """States, panels and baskets by index, with the references that records cite.

    ``days``: per session the index day to determine, after ``lent_days`` earlier ones that only
    lend their prices to a vintage that comes into force.
    """

    days: dict[str, list[date]]
    lent_days: int = 1
    states: dict[str, PanelState] = field(default_factory=dict)
    vintages: dict[str, dict[str, Vintage]] = field(default_factory=dict)
    composites: dict[str, tuple[Basket, CompositeState]] = field(default_factory=dict)
    derived: dict[str, dict[str, Any]] = field(default_factory=dict)
    references: dict[str, dict[str, Any] | None] = field(default_factory=dict)


def before_of(
    due: Mapping[str, date],
    definitions: Mapping[str, Definition],
    published: Published,
    batches: Batches,
) -> Before:
    """Return what each index's newest earlier fixing left.

    Args:
        due: the index day to determine, per session.
        definitions: by index id.
        published: the log's content.
        batches: where panel states and baskets are.
    """
    found = Before({session: [day - timedelta(days=1), day] for session, day in due.items()})
    for name, definition in definitions.items():
        day = due.get(definition.session)
        for digest in published.panels.get(name, {}).values() if day else ():
            ahead = vintage_from_record(json.loads(batches.get("basket", digest)))
            if day and ahead.frozen_on < day:
                found.vintages.setdefault(name, {})[ahead.id] = ahead
        last = published.latest(name, before=day) if day else None
        if last is None:
            found.references[name] = None
            continue
        take(found, name, definition, last, batches)
    return found


def take(
    found: Before, name: str, definition: Definition, last: Mapping[str, Any], batches: Batches
) -> None:
    """Read the state and panel that one record cites into ``found``.

    That a composite's link was skipped stands in the record's flags (rulebook 13.6).
    """
    reference = last["panel_state"]
    found.references[name] = {"record": last["seq"], **reference}
    state = json.loads(batches.get("panel_state", reference["sha256"]))
    basket = json.loads(batches.get("basket", last["basket_digest"]))
    if isinstance(definition, CompositeDefinition):
        if basket.get("constituents") and "used" in state:
            is_skipped = "LINK_SKIPPED" in last["flags"]
            composite = replace(state_from_record(state), link_skipped=is_skipped)
            found.composites[name] = (basket_from_record(basket), composite)
        return
    if isinstance(definition, DerivedDefinition):
        found.derived[name] = state
        return
    if basket.get("members"):
        vintage = vintage_from_record(basket)
        found.vintages.setdefault(name, {})[vintage.id] = vintage
    if "groups" in state:
        found.states[name] = PanelState(**state)
