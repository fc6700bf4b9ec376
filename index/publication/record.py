"""The records of the log: what stands in each, and their canonical bytes (schema ``fixing/1.0``).

A record is made once and never changed. Money and ratios are decimal text, times RFC 3339 UTC
with milliseconds, an unknown field is null and never missing. ``seq`` is the record's place in the
log, so it is filled in under the publisher's lock.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

FIXING_FIELDS: Final = (
    # identity
    "type", "schema", "seq", "log_origin", "administrator_id", "index_id", "family", "session",
    "ref_date", "revision", "supersedes", "label",
    # value
    "value", "currency", "unit", "decimals", "level", "base_date", "prev_value", "change_pct",
    "alt",
    # distribution
    "p1", "p25", "p50", "p75", "p99", "min", "max", "dispersion", "ci_low", "ci_high",
    "loo_low", "loo_high",
    # volume
    "volume", "volume_unit", "volume_basis",
    # panel
    "n_collected", "n_used", "n_excluded", "n_sources", "n_providers", "top_weight",
    "effective_n", "executable_share", "weight_share", "fresh_share",
    # status
    "status", "obs_status", "settlement_eligible", "waterfall", "grade", "grade_components",
    "flags", "footnotes", "no_fix_reason", "revision_reason",
    # time
    "window_open", "cutoff_at", "calculated_at", "published_at", "final_at",
    "next_publication_at", "calendar_id",
    # method
    "methodology_id", "methodology_version", "methodology_digest", "definition_digest",
    "basket_version", "basket_digest", "software",
    # provenance
    "input_digest", "input_count", "input_uri", "commit_seq", "contributions", "panel_state",
    "panel_state_before", "manifest",
    # terms
    "licence", "disclaimer_id",
)  # fmt: skip
"""Every field of a fixing, in the order of the documentation; a record has exactly these."""

ALWAYS: Final[Mapping[str, Any]] = {
    "type": "fixing",
    "schema": "fixing/1.0",
    "calendar_id": "calendar-day/1",
    "methodology_id": "spotfix",
    "licence": "CC-BY-4.0",
    "disclaimer_id": "spotfix-1",
    "footnotes": [],
    "ci_low": None,
    "ci_high": None,
    "executable_share": "0.00000000",
    "volume": None,
    "volume_unit": None,
    "revision_reason": None,
}


def fixing(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a complete fixing record from its fields.

    Raises:
        ValueError: a field of the schema is missing, or one is not part of it.
    """
    record = {**ALWAYS, **fields}
    missing = set(FIXING_FIELDS) - set(record)
    unknown = set(record) - set(FIXING_FIELDS)
    if missing or unknown:
        raise ValueError(f"fixing/1.0: missing {sorted(missing)}, unknown {sorted(unknown)}")
    return record


def commitment(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a commitment: what a fixing will be computed from, logged before it is computed.

    Fields: seq, log_origin, index_id, session, ref_date, input_digest, methodology_digest,
    definition_digest, basket_digest, manifest, committed_at.
    """
    return {"type": "commitment", "schema": "commitment/1.0", **fields}


def batch(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a batch record: one artefact of a run, cited by digest."""
    return {"type": "batch", "schema": "batch/1.0", **fields}


def basket(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a basket record: a panel frozen ahead of the month that settles on it."""
    return {"type": "basket", "schema": "basket/1.0", **fields}


def incident(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return an incident: a source that failed, a recovery, a fixing that was missed."""
    return {"type": "incident", "schema": "incident/1.0", **fields}


def methodology(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a methodology record: the digests of every rule in force from here on."""
    return {"type": "methodology", "schema": "methodology/1.0", **fields}


def key(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a key record: a key that begins to hold, takes over, or holds no more.

    Fields: seq, log_origin, action, key_id, name, purpose, algorithm, public_key, replaces,
    effective_seq, reason, at, signatures.
    """
    return {"type": "key", "schema": "key/1.0", **fields}


def calendar(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a calendar record: a frozen list of sessions on which contracts rely.

    Fields: seq, log_origin, calendar_id, version, digest, first_day, last_day, sessions, artefact,
    at.
    """
    return {"type": "calendar", "schema": "calendar/1.0", **fields}


def witness(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a witness record: what somebody outside said to have seen of this log.

    Fields: seq, log_origin, size, root, kind, by, key, evidence, quorum, at.
    """
    return {"type": "witness", "schema": "witness/1.0", **fields}


def settlement(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a settlement record: the price of a delivery period, or why there is none.

    Fields: those of ``schemas/settlement-1.0.json``; ``index.settlements`` makes them.
    """
    return {"type": "settlement", "schema": "settlement/1.0", **fields}


def notice(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a notice: something readers have to know and that changes no record.

    Fields: seq, log_origin, kind, index_id, session, ref_date, concerns, text, at.
    """
    return {"type": "notice", "schema": "notice/1.0", **fields}


def erratum(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return an erratum: a value that was found wrong after its window; the value stands.

    Fields: seq, log_origin, index_id, session, ref_date, concerns, value, should_be, delta_pct,
    outcome, cause, evidence, manifest, at, statement, signatures.
    """
    return {"type": "erratum", "schema": "erratum/1.0", **fields}


def complaint(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a complaint as it was received, or its answer.

    Fields: seq, log_origin, complaint_id, index_id, session, ref_date, concerns, value,
    received_at, complainant, text, state, findings, reviewer, answers, at, statement, signatures.
    """
    return {"type": "complaint", "schema": "complaint/1.0", **fields}


def cessation(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a cessation: an index that ends, and what follows it.

    Fields: seq, log_origin, index_id, last_ref_date, announced_at, successor, link_factor,
    linked_on, is_emergency, reason, at, statement, signatures.
    """
    return {"type": "cessation", "schema": "cessation/1.0", **fields}


def restatement(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a restatement: why a final is replaced, logged right before the new revision.

    Fields: seq, log_origin, index_id, session, ref_date, revision, concerns, supersedes,
    value_before, value_after, delta_pct, reason, correction, manifest, at, statement, signatures.
    """
    return {"type": "restatement", "schema": "restatement/1.0", **fields}


def decimal_text(units: int | None, decimals: int) -> str | None:
    """Return an integer of ``10**-decimals`` units as decimal text; ``None`` stays ``None``."""
    if units is None:
        return None
    sign, units = ("-", -units) if units < 0 else ("", units)
    if decimals == 0:
        return f"{sign}{units}"
    whole, part = divmod(units, 10**decimals)
    return f"{sign}{whole}.{part:0{decimals}d}"


def ratio_text(numerator: int, denominator: int, decimals: int) -> str:
    """Return a ratio as decimal text, rounded half up (away from zero when negative)."""
    sign = -1 if (numerator < 0) != (denominator < 0) and numerator else 1
    n, d = abs(numerator), abs(denominator)
    units = (2 * n * 10**decimals + d) // (2 * d)
    return decimal_text(sign * units, decimals) or "0"
