"""Records of a run, each made from what is known of it and its place in the log."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from index import live, moments, prints
from index.gate import Difference
from index.intake import Intake
from index.ledger.batches import Stored
from index.ledger.canonical import canonical, digest
from index.prints import Draft, Selection
from index.publication import record
from index.published import Published
from index.shop import Shop
from methodology import clock
from methodology.definition import Methodology, frozen_listing, rule_bodies
from methodology.errors import LogInconsistent

Make = Callable[[int], dict[str, Any]]


def rules_digest() -> str:
    """Return one digest over every rule file in force."""
    return "sha256:" + hashlib.sha256(frozen_listing().encode()).hexdigest()


def rules_record(shop: Shop, at: datetime) -> list[Make]:
    """Return the record of the rules in force, or none when they are the last that the log names.

    Its artefact holds the listing (``frozen``) and the text of every file (``files``): whoever has
    the ledger has the rules. Ledgers of 1.0.0 hold the listing alone.
    """
    found = rules_digest()
    if found == shop.published.rules_in_force():
        return []
    files = {path: body.decode("utf-8") for path, body in rule_bodies().items()}
    stored = shop.batches.put(
        "rules", canonical({"frozen": frozen_listing(), "files": files}) + b"\n"
    )
    return [
        lambda seq: record.methodology(
            {
                "seq": seq,
                "log_origin": shop.log.origin,
                "methodology_id": "spotfix",
                "methodology_version": shop.rules.version,
                "methodology_digest": found,
                "artefact": stored.reference(),
                "effective_at": clock.iso(at),
            }
        )
    ]


def manifest_record(shop: Shop, manifest: Stored, at: datetime, taken: Intake) -> list[Make]:
    """Return the record of a manifest and of each source it names as failed, or none."""
    if ("manifest", "sha256:" + manifest.sha256) in shop.published.batches:
        return []
    return [
        artefact_record(shop, manifest, manifest, at),
        *(source_failed(shop, failure, at, manifest) for failure in taken.failures),
    ]


def source_failed(
    shop: Shop, failure: Mapping[str, str], at: datetime, manifest: Stored | None = None
) -> Make:
    """Return the incident of a source that gave nothing to use.

    Args:
        shop: the open shop.
        failure: its ``source``, ``reason`` and ``detail``.
        at: the moment, naive UTC.
        manifest: what names the failure; none of a round that asked, which comes before any.
    """
    return lambda seq: record.incident(
        {
            "seq": seq,
            "log_origin": shop.log.origin,
            "kind": "SOURCE_FAILED",
            "source": failure["source"],
            "reason": failure["reason"],
            "detail": failure["detail"],
            "manifest": None if manifest is None else manifest.reference(),
            "at": clock.iso(at),
        }
    )


def artefact_record(shop: Shop, artefact: Stored, manifest: Stored, at: datetime) -> Make:
    """Return the record that cites one artefact of a run."""
    return lambda seq: record.batch(
        {
            "seq": seq,
            "log_origin": shop.log.origin,
            "artefact": artefact.reference(),
            "manifest": manifest.reference(),
            "at": clock.iso(at),
        }
    )


def artefact_records(
    shop: Shop, bodies: Mapping[str, bytes], manifest: Stored, at: datetime
) -> list[Make]:
    """Return a record of each artefact of a run that the log does not cite for this manifest."""
    made = []
    for kind, body in bodies.items():
        stored = shop.batches.put(kind, body)
        key = (kind, "sha256:" + stored.sha256, "sha256:" + manifest.sha256)
        if key not in shop.published.artefacts:
            made.append(artefact_record(shop, stored, manifest, at))
    return made


def commitment_record(
    shop: Shop, chosen: Selection, manifest: Stored, inputs: Stored, at: datetime
) -> Make:
    """Return the record that commits to one fixing's inputs before it has a value."""
    return lambda seq: record.commitment(
        {
            "seq": seq,
            "log_origin": shop.log.origin,
            "index_id": chosen.index_id,
            "session": chosen.definition.session,
            "ref_date": chosen.ref_date.isoformat(),
            "input_digest": chosen.input_digest,
            "inputs": inputs.reference(),
            "methodology_digest": "sha256:" + shop.rules.digest,
            "definition_digest": "sha256:" + chosen.definition.digest,
            "basket_digest": digest(chosen.basket) if chosen.basket else None,
            "manifest": manifest.reference(),
            "committed_at": clock.iso(at),
        }
    )


def commitment_of(shop: Shop, chosen: Selection, manifest: Stored) -> int | None:
    """Return the place of the commitment to these inputs under the rules in force, or ``None``.

    One made under other rules, by a run that an upgrade interrupted, is none.
    """
    key = (
        chosen.index_id,
        chosen.definition.session,
        chosen.ref_date.isoformat(),
        "sha256:" + manifest.sha256,
    )
    seq = shop.published.commitments.get(key)
    under = ("sha256:" + shop.rules.digest, "sha256:" + chosen.definition.digest)
    return seq if seq is not None and shop.published.committed[seq] == under else None


def was_witnessed(published: Published, commit_seq: int, seq: int) -> bool:
    """Return whether enough others saw the commitment of the fixing at ``seq`` before it was made.

    The log alone decides (rulebook 11.6): records of witnesses before ``seq`` whose tree holds the
    commitment. How many different ones are enough stands in those records themselves, the largest
    number where they differ; without any of them nobody saw it.
    """
    found = [one for one in published.witnesses if one["seq"] < seq and one["size"] > commit_seq]
    needed = max((one["quorum"] for one in found), default=1)
    return len({one["by"] for one in found}) >= max(1, needed)


def engine_difference(
    shop: Shop, fixing: Mapping[str, Any], found: Sequence[Difference], at: datetime
) -> list[Make]:
    """Return the incident of a final that the release gate stopped, or none if it is logged.

    Both engines' numbers and the digests of what they read stand in it (rulebook 22.3).
    """
    told = {
        "kind": "ENGINE_DIFFERENCE",
        "index_id": fixing["index_id"],
        "session": fixing["session"],
        "ref_date": fixing["ref_date"],
        "revision": fixing["revision"],
        "reason": "BLOCKED",
        "detail": "; ".join(one.text for one in found),
        "differences": [
            {"field": d.field, "first_engine": d.first, "second_engine": d.second} for d in found
        ],
        "contributions": fixing["contributions"],
        "basket_digest": fixing["basket_digest"],
        "panel_state": fixing["panel_state"],
        "manifest": fixing["manifest"],
        "software": fixing["software"],
        "at": clock.iso(at),
    }
    said = {name: value for name, value in told.items() if name != "at"}
    if any({**one, **said} == one for one in shop.published.incidents):
        return []
    return [lambda seq: record.incident({"seq": seq, "log_origin": shop.log.origin, **told})]


def fixing(
    shop: Shop,
    draft: Draft,
    revision: int,
    manifest: Stored,
    before: live.Before | None,
    at: datetime | None,
) -> Make:
    """Return one revision of a fixing, its artefacts stored; its place in the log comes last.

    ``at`` is the moment of a live run, ``None`` of a bundled one.

    Raises:
        LogInconsistent: no commitment to these inputs stands in the log.
    """
    chosen = draft.selection
    cited = {
        "inputs": shop.batches.put("inputs", chosen.inputs),
        "basket": shop.batches.put("basket", chosen.basket),
        "contributions": shop.batches.put("contributions", draft.contributions),
        "panel_state": shop.batches.put("panel_state", draft.panel_state),
    }
    session, day = chosen.definition.session, chosen.ref_date.isoformat()
    committed = commitment_of(shop, chosen, manifest)
    if committed is None:
        raise LogInconsistent(f"{chosen.index_id} {day}: the log has no commitment to its inputs")

    def make(seq: int) -> dict[str, Any]:
        previous = (chosen.index_id, session, day, revision - 1)
        return fixing_record(
            draft,
            revision,
            seq=seq,
            log_origin=shop.log.origin,
            administrator_id=shop.settings.administrator_id,
            software=prints.software(),
            commit_seq=committed,
            supersedes=shop.published.digests.get(previous),
            manifest=manifest.reference(),
            cited={name: one.reference() for name, one in cited.items()},
            before=before.references.get(chosen.index_id) if before else None,
            rules=shop.rules,
            is_bundled=before is None,
            is_witnessed=was_witnessed(shop.published, committed, seq),
            at=at,
        )

    return make


def fixing_record(
    draft: Draft,
    revision: int,
    *,
    seq: int,
    log_origin: str,
    administrator_id: str,
    software: str,
    commit_seq: int,
    supersedes: str | None,
    manifest: dict[str, Any],
    cited: Mapping[str, dict[str, Any]],
    before: dict[str, Any] | None,
    rules: Methodology,
    is_bundled: bool,
    is_witnessed: bool = False,
    at: datetime | None = None,
    restated: str | None = None,
) -> dict[str, Any]:
    """Return the complete record of one revision; a function of its arguments alone.

    ``is_witnessed``: enough others saw the commitment before (:func:`was_witnessed`).
    ``at``: the moment at which it is published (naive UTC); ``None``: when it was due, which is
    what a bundled run states (rulebook 9.2). ``restated``: of a restatement, its reason (11.7).
    """
    chosen = draft.selection
    definition, day = chosen.definition, chosen.ref_date
    session = definition.session
    has_value = draft.fields["value"] is not None
    is_final = revision > 0
    due_at = prints.scheduled(definition, day, revision)
    made_at = moments.in_milliseconds(at or due_at)
    following = (
        clock.provisional_at(session, date.fromordinal(day.toordinal() + 1))
        if is_final
        else clock.final_at(session, day)
    )
    opened, cut = clock.window(session, day)
    flags = list(draft.flags)
    if not is_witnessed:
        flags.append("COMMIT_UNWITNESSED")
    if is_bundled:
        flags.append("BUNDLED")
    if restated is None and moments.is_late(made_at, due_at):
        flags.append("LATE")
    regular = "BOOTSTRAP_VINTAGE" not in draft.flags
    eligible = (
        definition.admission == "settlement"
        and has_value
        and is_final
        and moments.is_in_window(made_at, session, day)
        and regular
        and draft.fields["grade"] in ("A", "B")
        and draft.fields["waterfall"] in ("FULL", "REDUCED", "CARRIED_INPUT")
    )
    if not has_value:
        obs_status = "L" if "coverage" in (draft.fields["no_fix_reason"] or "") else "U"
    elif draft.fields["waterfall"] in ("CARRY", "MODEL"):
        obs_status = "I"
    else:
        obs_status = "A" if is_final else "P"
    return record.fixing(
        {
            **draft.fields,
            "seq": seq,
            "log_origin": log_origin,
            "administrator_id": administrator_id,
            "index_id": chosen.index_id,
            "session": session,
            "ref_date": day.isoformat(),
            "revision": revision,
            "supersedes": supersedes,
            "label": definition.admission,
            "status": _status(has_value, is_final, restated is not None),
            "obs_status": obs_status,
            "settlement_eligible": eligible,
            "flags": sorted(flags),
            "revision_reason": restated,
            "window_open": clock.iso(opened),
            "cutoff_at": clock.iso(cut),
            "calculated_at": clock.iso(made_at),
            "published_at": clock.iso(made_at),
            "final_at": clock.iso(clock.restatement_until(session, day)),
            "next_publication_at": clock.iso(following),
            "methodology_version": rules.version,
            "methodology_digest": "sha256:" + rules.digest,
            "definition_digest": "sha256:" + definition.digest,
            "basket_digest": cited["basket"]["sha256"],
            "software": software,
            "input_digest": chosen.input_digest,
            "input_count": len(chosen.inputs.splitlines()),
            "input_uri": "batches/inputs/" + cited["inputs"]["sha256"][7:] + ".jsonl",
            "commit_seq": commit_seq,
            "contributions": cited["contributions"],
            "panel_state": cited["panel_state"],
            "panel_state_before": before,
            "manifest": manifest,
        }
    )


def _status(has_value: bool, is_final: bool, is_restated: bool) -> str:
    if is_restated:
        return "REVISED" if has_value else "WITHDRAWN"
    return ("FINAL" if is_final else "PROVISIONAL") if has_value else "NO_FIX"


def basket_record(shop: Shop, index_id: str, vintage: str, stored: Stored, day: date) -> Make:
    """Return the record of a panel frozen ahead of its month."""
    return lambda seq: record.basket(
        {
            "seq": seq,
            "log_origin": shop.log.origin,
            "index_id": index_id,
            "vintage": vintage,
            "frozen_on": day.isoformat(),
            "artefact": stored.reference(),
        }
    )
