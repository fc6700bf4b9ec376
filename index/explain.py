"""From a published value to the clause, the parameter and the function that made it.

Everything told is read from the ledger: the record, the lines it cites, the rules it names. The
arithmetic is done again here from those published numbers, so a reader can follow it with a pocket
calculator.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from index import clauses, records, rulechange
from index.explain_composite import composite_steps, unit_value_steps
from index.explain_derived import derived_steps
from index.explain_rate import rate_steps
from index.explain_step import Step
from index.reading import Ledger, acts_on, definitions_by_id, family_of, nano
from index.trail import Trail
from methodology.definition import Definition, Methodology, RateDefinition, load_methodology
from methodology.tariffs import spelled

Row = dict[str, Any]

MAX_TRAILS = 400
"""Observations followed to their sources in one go; a panel has fewer."""


@dataclass(frozen=True)
class Told:
    """What one fixing cites, read and checked, and the rules of its day."""

    record: Row
    contributions: Sequence[Row]
    basket: Row
    state: Row
    definition: Definition
    rules: Methodology


def read(ledger: Ledger, record: Row) -> Told:
    """Return what a fixing cites and the rules it was made under, each checked by its digest.

    Raises:
        DefinitionError: its rules are those of no version of this software.
        VerificationError: a batch is missing or was changed.
    """
    digest = ledger.published.rules_at(record["seq"]) or records.rules_digest()
    rules = rulechange.rules_of(digest, load_methodology(), definitions_by_id())
    cited = {"basket": {"kind": "basket", "sha256": record["basket_digest"]}}
    basket, state = ledger.lines(cited, "basket"), ledger.lines(record, "panel_state")
    return Told(
        record,
        ledger.lines(record, "contributions"),
        basket[0] if basket else {},
        state[0] if state else {},
        rules.definitions[record["index_id"]],
        rules.methodology,
    )


def explain(ledger: Ledger, told: Told) -> Row:
    """Return the whole explanation of one fixing.

    Returns:
        ``steps``: in the order in which the value came about, each with what it said, its clause
        (number, title, line of the rulebook), parameters (path and value) and function (name and
        place). ``panel``: who weighed, with price, weight, kept weight and their product.
        ``sources``: one row per observation behind it: seller, the source's own text, archived
        file and line, digest of the body.
    """
    record = told.record
    family = family_of(record["index_id"])
    trail = Trail(ledger, record["manifest"]["sha256"], told.rules)
    wanted = _wanted(told)
    observations = trail.observations(wanted[:MAX_TRAILS])
    legs = {name: observations[name] for name in wanted[:MAX_TRAILS] if name in observations}
    if isinstance(told.definition, RateDefinition):
        steps = rate_steps(
            record, told.contributions, told.basket, told.definition, told.rules, legs
        )
    elif family == "TKX":
        steps = composite_steps(record, told.contributions, told.basket, told.definition)
    elif family == "TEX":
        steps = unit_value_steps(record, told.basket)
    else:
        steps = derived_steps(record, told.contributions, told.basket, told.state)
    return {
        "index_id": record["index_id"],
        "title": told.definition.title,
        "session": record["session"],
        "ref_date": record["ref_date"],
        "revision": record["revision"],
        "status": record["status"],
        "value": record["value"],
        "unit": record["unit"],
        "no_fix_reason": record["no_fix_reason"],
        "record": record["seq"],
        "acts": acts_on(ledger, record),
        "rules": {
            "version": record["methodology_version"],
            "methodology_digest": record["methodology_digest"],
            "definition_digest": record["definition_digest"],
        },
        "steps": [_with_places(step, told.rules) for step in steps],
        "panel": _panel(told.contributions),
        "sources": [_source(trail, name, one) for name, one in legs.items()],
        "sources_left_out": max(0, len(wanted) - MAX_TRAILS),
        "volumes": _volumes(trail, told),
    }


def _volumes(trail: Trail, told: Told) -> list[Row]:
    """Return the volumes an index of quantities reads, with file and line; rates read none."""
    source = getattr(told.definition, "volume_source", None)
    if source is None:
        return []
    rows = trail.volumes(source, getattr(told.definition, "subject", None) or None)
    since, until = told.state.get("period_start"), told.state.get("period_end")
    return [
        r for r in rows if since is None or (r["period_start"], r["period_end"]) == (since, until)
    ]


def _wanted(told: Told) -> list[str]:
    """Return ids of the observations that weigh, those that only stood in the panel after them."""
    found: dict[str, None] = {}
    rows = [r for r in told.contributions if r.get("status") != "REFUSED"]
    for row in rows:
        for name in (row.get("observation_id") or "").split("+"):
            if len(name) == 64:
                found[name] = None
    return list(found)


def _with_places(step: Step, rules: Methodology) -> Row:
    clause = clauses.clauses()[step.clause]
    return {
        "what": step.what,
        "told": step.told,
        "clause": step.clause,
        "title": clause.title,
        "rulebook": f"{clauses.RULEBOOK}:{clause.line}",
        "parameters": {path: clauses.value_at(rules, path) for path in step.parameters},
        "function": step.function,
        "code": clauses.place_of(step.function),
    }


def _panel(rows: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Return the rows that stood, by price, with the products that the value sums."""
    stood = [r for r in rows if r.get("kept") is not None and r["status"] != "REFUSED"]
    return [
        {
            "group": r["group"],
            "status": r["status"],
            "reason": r["reason"],
            "price_nano": r["price_nano"],
            "price": nano(r["price_nano"]),
            "weight_e8": r["weight_e8"],
            "kept": r["kept"],
            "product": str((r["price_nano"] or 0) * r["kept"]),
        }
        for r in sorted(stood, key=lambda r: (r["price_nano"] is None, r["price_nano"], r["group"]))
    ]


def _source(trail: Trail, name: str, observation: Mapping[str, Any]) -> Row:
    words = trail.words_of(observation)
    start, end = observation["window_start_min"], observation["window_end_min"]
    return {
        "observation_id": name,
        "source": observation["source"],
        "group": observation["group"],
        "listing_id": observation["listing_id"],
        "meter": observation["meter"],
        "observed_at": observation["observed_at"],
        "tier": observation["tier"],
        "licence_id": observation["licence_id"],
        "price": nano(observation["price_nano"]),
        "unit": observation["unit"],
        "hours": None if start is None or end is None else spelled(start, end),
        **words,
    }


__all__ = ["Told", "explain", "read"]
