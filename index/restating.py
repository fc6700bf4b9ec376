"""Carrying a revision out: what an act of two officers appends to the log (rulebook 11.7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from index import officers, pipeline
from index.officers import Signature
from index.publication import record
from index.records import artefact_record, commitment_record, engine_difference
from index.revising import acts, revision
from index.revision_plan import BLOCKED, Change, Plan, Row
from index.shop import Shop
from methodology import clock
from methodology.errors import ConfigError


def carry_out(made: Plan, signatures: Sequence[Signature], shop: Shop) -> list[Row]:
    """Append everything an act consists of, in one append; return the decisions as logged.

    Args:
        made: planned and decided.
        signatures: two officers', accepted over :meth:`Plan.statement`.
        shop: the ledger, open for writing under the lock.

    Raises:
        ConfigError: the clock is before the final's publication, or the rules changed since.
        VerificationError: a record does not keep its schema; nothing was appended.
    """
    if clock.iso(made.at) < made.base["published_at"]:
        raise ConfigError(
            f"this machine's clock says {clock.iso(made.at)}, before the final was published "
            f"({made.base['published_at']}); set it right"
        )
    in_force = shop.published.rules_in_force()
    if made.restated() and in_force != shop.published.rules_at(made.base["seq"]):
        raise ConfigError(
            "the rules changed since the final was published; restate it with the release that "
            "published it"
        )
    drawer, first = made.drawer, shop.log.size
    text = drawer.put(officers.KIND, made.statement())
    outside = {
        "statement": text.reference(),
        "signatures": [one.as_record() for one in signatures],
        "at": clock.iso(made.at),
    }
    make: list[pipeline.Make] = [
        artefact_record(shop, one, made.manifest, made.at) for one in (made.artefact, made.manifest)
    ]
    committed: dict[str, int] = {}
    for one in made.restated():
        committed[one.index_id] = first + len(make)
        chosen = one.draft.selection
        inputs = drawer.put("inputs", chosen.inputs)
        make.append(commitment_record(shop, chosen, made.manifest, inputs, made.at))
    decisions = {d["index_id"]: d for d in made.decisions()}
    for one in made.restated():
        make += [
            _placed(decisions[one.index_id] | outside),
            revision(made, one, committed[one.index_id], drawer),
        ]
    for one in made.errata():
        if one.outcome == BLOCKED:
            content = revision(made, one, 0, drawer)(first)  # the incident cites these bodies
            make += engine_difference(shop, content, one.stopped, made.at)
        make += [_placed(decisions[one.index_id] | outside), _placed(_notice(made, one))]
    drawer.empty_into(shop.batches)
    shop.append(make)
    return acts(shop, made.session, made.ref_date, made.artefact.reference())


def _placed(content: Mapping[str, Any]) -> pipeline.Make:
    return lambda seq: {**content, "seq": seq}


def _notice(made: Plan, one: Change) -> Row:
    before, after = one.before or "no value", one.after or "no value"
    return record.notice(
        {
            "log_origin": made.shop.log.origin,
            "kind": "CORRECTION",
            "index_id": one.index_id,
            "session": made.session,
            "ref_date": made.ref_date.isoformat(),
            "concerns": one.standing["seq"],
            "text": f"{one.index_id} of {made.ref_date} stands at {before}; it should have been "
            f"{after}. {made.reason}",
            "at": clock.iso(made.at),
        }
    )
