"""What a run leaves beside its fixings: one artefact of each kind, logged with the last of them.

Publishing writes them and verifying makes them again, from the same pass and by the same function.
To add one, write a line in :data:`KINDS`; ledgers from before that line have no record of it and
verify as they did.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from index import prints
from index.determine import Inputs, Outcome
from index.ledger.batches import Batches
from index.prints import Selection
from index.published import Published
from index.resistance import resistance_lines
from index.triple import triple_lines
from methodology.definition import Definition, Methodology

Row = dict[str, Any]


@dataclass(frozen=True)
class Pass:
    """One pass over one intake, complete: what any artefact may be made from.

    ``selections`` holds every index that was due, published before or not, so that an artefact
    does not depend on where an earlier run was interrupted.
    """

    outcome: Outcome
    selections: Mapping[str, Selection]
    definitions: Mapping[str, Definition]
    rules: Methodology
    inputs: Inputs
    until: Mapping[str, date | None]
    earlier: Callable[[str], Mapping[str, Row]] = lambda kind: {}

    @property
    def due(self) -> dict[str, date]:
        """Index day by index id."""
        return {name: chosen.ref_date for name, chosen in self.selections.items()}


def earlier_lines(
    published: Published, batches: Batches, session: str, day: date, size: int
) -> Callable[[str], Mapping[str, Row]]:
    """Return what gives, for a kind of artefact, the last line of each index before a live day.

    Only artefacts logged before the first fixing of that session's day count, so that its
    provisional print, its final one and whoever recomputes them go on from the same lines.

    Args:
        published: the log's content.
        batches: where artefacts are.
        session: of the fixings.
        day: their index day.
        size: records in the log; where that first fixing goes if there is none yet.
    """
    text = day.isoformat()
    own = [r["seq"] for key, r in published.fixings.items() if key[1:3] == (session, text)]
    place = min(own, default=size)

    def look(kind: str) -> Mapping[str, Row]:
        cited = [(s, k[1]) for k, s in published.artefacts.items() if k[0] == kind and s < place]
        found: dict[str, tuple[str, int, Row]] = {}
        for seq, sha256 in cited:
            for line in batches.get(kind, sha256).splitlines():
                row = json.loads(line)
                mine = (row["ref_date"], seq)
                if mine[0] < text and mine > found.get(row["index_id"], ("", 0))[:2]:
                    found[row["index_id"]] = (*mine, row)
        return {name: row for name, (_, _, row) in sorted(found.items())}

    return look


def _backcast(one: Pass) -> bytes | None:
    """The values of all days; a live run determines one day and has none (rulebook 11.4)."""
    if one.inputs.is_live:
        return None
    return prints.back_cast(one.outcome, one.definitions, one.until)


def _triple(one: Pass) -> bytes | None:
    """Composites laid side by side (rulebook 13.10); a live day goes on from the lines before."""
    before = one.earlier("triple") if one.inputs.is_live else None
    return triple_lines(one.outcome, one.inputs, one.rules, before) or None


def _resistance(one: Pass) -> bytes | None:
    """What one seller can do to each value (rulebook 16); rules of 1.0.0 have no such table."""
    made = resistance_lines(one.outcome, one.due, one.definitions, one.rules, one.inputs.volumes)
    return made or None


KINDS: dict[str, Callable[[Pass], bytes | None]] = {
    "backcast": _backcast,
    "triple": _triple,
    "resistance": _resistance,
}
"""Kind of artefact to the function that makes its bytes, in the order in which they are logged;
``None``: this pass has none."""


def artefacts_of(one: Pass) -> dict[str, bytes]:
    """Return the artefacts of a pass by kind, in order of :data:`KINDS`."""
    made = {kind: make(one) for kind, make in KINDS.items()}
    return {kind: body for kind, body in made.items() if body is not None}


__all__ = ["KINDS", "Pass", "artefacts_of", "earlier_lines"]
