"""What a live determination continues from: the states that earlier fixings recorded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from index.ledger.batches import Batches
from index.published import Published
from methodology.composite import (
    Basket,
    CompositeState,
    basket_from_record,
    state_from_record,
)
from methodology.definition import CompositeDefinition, Definition
from methodology.panels import Vintage, vintage_from_record
from methodology.series import PanelState


@dataclass
class Before:
    """States, panels and baskets by index, with the references that records cite.

    ``days``: index days to determine, per session.
    """

    days: dict[str, list[date]]
    states: dict[str, PanelState] = field(default_factory=dict)
    vintages: dict[str, dict[str, Vintage]] = field(default_factory=dict)
    composites: dict[str, tuple[Basket, CompositeState]] = field(default_factory=dict)
    references: dict[str, dict[str, Any] | None] = field(default_factory=dict)


def before_of(
    days: Mapping[str, list[date]],
    definitions: Mapping[str, Definition],
    published: Published,
    batches: Batches,
) -> Before:
    """Return what each index's newest earlier fixing left.

    Args:
        days: index days to determine per session.
        definitions: by index id.
        published: the log's content.
        batches: where panel states and baskets are.
    """
    found = Before(dict(days))
    for name, definition in definitions.items():
        todo = days.get(definition.session)
        for digest in published.panels.get(name, {}).values():
            ahead = vintage_from_record(json.loads(batches.get("basket", digest)))
            if todo and ahead.frozen_on < todo[0]:
                found.vintages.setdefault(name, {})[ahead.id] = ahead
        last = published.latest(name, before=todo[0]) if todo else None
        if last is None:
            found.references[name] = None
            continue
        take(found, name, definition, last, batches)
    return found


def take(
    found: Before, name: str, definition: Definition, last: Mapping[str, Any], batches: Batches
) -> None:
    """Read the state and panel that one record cites into ``found``."""
    reference = last["panel_state"]
    found.references[name] = {"record": last["seq"], **reference}
    state = json.loads(batches.get("panel_state", reference["sha256"]))
    basket = json.loads(batches.get("basket", last["basket_digest"]))
    if isinstance(definition, CompositeDefinition):
        if basket.get("constituents") and "used" in state:
            found.composites[name] = (basket_from_record(basket), state_from_record(state))
        return
    if basket.get("members"):
        vintage = vintage_from_record(basket)
        found.vintages.setdefault(name, {})[vintage.id] = vintage
    if "groups" in state:
        found.states[name] = PanelState(**state)
