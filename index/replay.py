"""Recompute what was published from what was recorded, and compare every byte.

The road is the one publishing took: manifest, frames, selection, determination, draft, record.
``from_archive`` starts one step earlier, at the archived bodies, so it also shows whether a parser
would read them differently today.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from collectors.archive import Archive
from index import corrections, determine, intake, live, manifests, prints
from index.artefacts import Pass, artefacts_of, earlier_lines
from index.config import Settings
from index.ledger.batches import Stored
from index.ledger.canonical import canonical, digest
from index.ledger.check import check_files
from index.ledger.log import Log
from index.pipeline import Shop, choose, compute, fixing_record
from index.prints import Draft
from index.published import Key, Published, commitment_key
from index.record_checks import (
    VerifyReport,
    check_links,
    check_others,
    check_rules,
    known_differences,
    read_records,
    rules_at,
    second_engine,
)
from index.records import was_witnessed
from index.revising import determined
from index.revision_checks import (
    check_revisions,
    corrected_again,
    errata_of,
    parsed_again,
)
from index.revision_plan import LAST_REVISION
from index.rulechange import rules_of
from methodology.errors import CoverageError, VerificationError

Tell = Callable[[str, str], None]


def verify(
    settings: Settings, *, from_archive: bool = False, tell: Tell | None = None
) -> VerifyReport:
    """Return the report of a complete check of ledger, log and every published value.

    Args:
        settings: where the ledger is.
        from_archive: parse the archived bodies again instead of trusting the batches.
        tell: progress.

    Raises:
        VerificationError: something differs; the message names the file or the fixing, and all
            problems are in its ``report`` attribute.
        CoverageError: nothing has been published here yet.
    """
    say = tell or (lambda stage, what: None)
    report = VerifyReport(from_archive=from_archive)
    if not Log.exists(settings.ledger):
        raise CoverageError(f"{settings.ledger}: no ledger here; run `spotfix run` first")
    say("files", "ledger")
    report.files = sum(1 for path in settings.ledger.rglob("*") if path.is_file())
    problems = [f"ledger/{problem}" for problem in check_files(settings.ledger)]
    if from_archive:
        say("files", "archive")
        found = Archive(settings.raw).check()
        problems += [f"raw/{path}: {what}" for path, what in found]
    if problems:
        _fail(report, problems)
    log = Log.open(settings.ledger, read_only=True)
    report.root = log.root.hex()
    shop = Shop.over(settings, log, Published())
    bodies = list(log.entries())
    read_records(bodies, log.origin, shop.published, problems)
    report.records, report.fixings = len(bodies), len(shop.published.fixings)
    if not problems:
        check_rules(shop, report, problems)
    if not problems:
        check_links(shop, bodies, problems)
        check_others(shop, problems)
        check_revisions(shop, bodies, problems)
    if problems:
        _fail(report, problems)
    for manifest in sorted({k[1] for k in shop.published.batches if k[0] == "manifest"}):
        report.manifests += 1
        say("recompute", manifest[:19])
        _recompute(shop, manifest, from_archive, report, problems, say)
    say("second engine", f"{report.fixings} fixings")
    second_engine(shop, report, problems)
    if problems:
        _fail(report, problems)
    return report


def _fail(report: VerifyReport, problems: list[str]) -> None:
    report.problems = problems
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    error = VerificationError(problems[0] + more)
    error.report = report  # type: ignore[attr-defined]
    raise error


def _recompute(
    shop: Shop,
    manifest: str,
    from_archive: bool,
    report: VerifyReport,
    problems: list[str],
    say: Tell,
) -> None:
    """Recompute what one intake led to, each part under the rules that held at its place."""
    published = shop.published
    places = {
        key: record["seq"]
        for key, record in published.fixings.items()
        if record["manifest"]["sha256"] == manifest
    }
    made = {
        key: seq
        for key, seq in published.artefacts.items()
        if key[2] == manifest and key[0] not in ("manifest", corrections.KIND)
    }
    content = manifests.load_manifest(shop.batches, manifest)
    if from_archive and manifest not in parsed_again(published, shop.batches):
        listed = published.batches["manifest", manifest]["seq"]
        rules = rules_at(shop, listed).methodology
        taken = manifests.reparse(content, shop.archive, shop.batches, rules)
        problems += manifests.differences(taken, content)
    else:
        taken = manifests.read_manifest(shop.batches, manifest)
    if problems:
        return
    told = {one["seq"]: one for one in errata_of(published, manifest)}
    for under in dict.fromkeys(
        published.rules_at(s) for s in (*places.values(), *made.values(), *told)
    ):
        rules_then = rules_of(under or "", shop.rules, shop.definitions)
        then = replace(shop, rules=rules_then.methodology, definitions=dict(rules_then.definitions))
        mine = {
            key: published.fixings[key]
            for key, seq in places.items()
            if published.rules_at(seq) == under
        }
        cited = {key[:2] for key, seq in made.items() if published.rules_at(seq) == under}
        found: set[tuple[str, str]] = set()
        for part in _parts(mine, taken.inputs.is_live):
            found |= _recompute_part(then, manifest, part, taken, report, problems, say)
        if not problems:
            problems += [
                f"{kind} {sha256}: no pass over its intake makes these bytes again"
                for kind, sha256 in sorted(cited - found)
            ]
        report.artefacts += len(cited & found)
        mine_told = [one for seq, one in told.items() if published.rules_at(seq) == under]
        if mine_told and not problems:
            _recompute_errata(then, mine_told, taken, problems, say)


def _recompute_errata(
    shop: Shop,
    errata: list[dict[str, Any]],
    taken: intake.Intake,
    problems: list[str],
    say: Tell,
) -> None:
    """Determine again what the errata of one intake say that values should have been."""
    for session, text in sorted({(one["session"], one["ref_date"]) for one in errata}):
        day = date.fromisoformat(text)
        drafts, _ = determined(shop, taken, session, day, say)
        for one in errata:
            if (one["session"], one["ref_date"]) != (session, text):
                continue
            draft = drafts.get(one["index_id"])
            value = draft.fields["value"] if draft else None
            if draft is None or value != one["should_be"]:
                problems.append(
                    f"erratum {one['seq']} of {one['index_id']} {text}: says it should have been "
                    f"{one['should_be']}; it recomputes to {value}"
                )


def _parts(mine: Mapping[Key, dict[str, Any]], is_live: bool) -> list[dict[Key, dict[str, Any]]]:
    """Return the fixings that were determined in one pass: all, or one session's day when live."""
    if not is_live:
        return [dict(mine)]
    found: dict[tuple[str, str], dict[Key, dict[str, Any]]] = {}
    for key, record in mine.items():
        found.setdefault(key[1:3], {})[key] = record
    return [found[name] for name in sorted(found)]


def _recompute_part(
    shop: Shop,
    manifest: str,
    mine: Mapping[Key, dict[str, Any]],
    taken: intake.Intake,
    report: VerifyReport,
    problems: list[str],
    say: Tell,
) -> set[tuple[str, str]]:
    """Recompute one pass; return kind and digest of the artefacts it makes."""
    before = None
    session, day = next((key[1], date.fromisoformat(key[2])) for key in mine)
    if taken.inputs.is_live:
        due = {
            name: day
            for name, one in shop.definitions.items()
            if one.session == session
            and one.is_due(day)
            and not shop.published.has_ended(name, day)
        }
        before = _before(shop, mine, due)
        until: Mapping[str, date | None] = due
    else:
        until = determine.last_covered(taken.inputs, list(shop.definitions.values()), shop.rules)
        due = {name: day for name, day in until.items() if day is not None}
        wrong = [key for key in mine if date.fromisoformat(key[2]) != until.get(key[0])]
        problems += [
            f"{key[0]} {key[2]} r{key[3]}: its sources cover the index until {until.get(key[0])}"
            for key in wrong
        ]
        if wrong:
            return set()
    selections, planned = choose(taken.inputs, shop, due, until, before, say)
    outcome = compute(taken.inputs, planned, shop, due, until, before, say)
    drafts = prints.draft_all(outcome, selections, shop.rules)
    known = known_differences(shop.published) | corrected_again(shop.published, shop.batches)
    for key, record in mine.items():
        say("compare", key[0])
        again = _again(shop, drafts[key[0]], key, record, before)
        report.recomputed += 1
        if digest(again) != shop.published.digests[key]:
            if key in known:
                report.known_differences += 1
            else:
                problems.append(_difference(key, record, json.loads(again)))
    for commit in _commitments(shop, manifest):
        chosen = selections.get(commit["index_id"])
        if chosen is None or commit["ref_date"] != chosen.ref_date.isoformat():
            continue
        if commit["input_digest"] != chosen.input_digest:
            problems.append(f"commitment {commit['seq']}: its inputs do not recompute")
    earlier = earlier_lines(shop.published, shop.batches, session, day, shop.log.size)
    one = Pass(outcome, selections, shop.definitions, shop.rules, taken.inputs, until, earlier)
    made = artefacts_of(one)
    report.back_cast_rows += made.get("backcast", b"").count(b"\n")
    return {(kind, digest(body)) for kind, body in made.items()}


def _commitments(shop: Shop, manifest: str) -> list[dict[str, Any]]:
    found = [json.loads(shop.log.entry(seq)) for seq in shop.published.commitments.values()]
    return [c for c in found if commitment_key(c)[3] == manifest]


def _before(shop: Shop, mine: Mapping[Key, dict[str, Any]], due: Mapping[str, date]) -> live.Before:
    sessions: dict[str, date] = {shop.definitions[name].session: day for name, day in due.items()}
    found = live.before_of(
        sessions, shop.definitions, Published(panels=shop.published.panels), shop.batches
    )
    by_seq = {r["seq"]: r for r in shop.published.fixings.values()}
    days = {(session, day.isoformat()) for session, day in sessions.items()}
    of_day = {  # a corrected intake restates some; what they are made from is determined with them
        key: one for key, one in shop.published.fixings.items() if key[1:3] in days
    }
    for key, record in {**of_day, **mine}.items():
        if key[0] not in shop.definitions:
            continue
        reference = record["panel_state_before"]
        found.references[key[0]] = reference
        if reference is not None:
            last = by_seq[reference["record"]]
            live.take(found, key[0], shop.definitions[key[0]], last, shop.batches)
    return found


def _again(
    shop: Shop, draft: Draft, key: Key, record: Mapping[str, Any], before: live.Before | None
) -> bytes:
    chosen = draft.selection
    bodies = {
        "inputs": chosen.inputs,
        "basket": chosen.basket,
        "contributions": draft.contributions,
        "panel_state": draft.panel_state,
    }
    cited = {
        kind: Stored("", kind, digest(body)[7:], len(body)).reference()
        for kind, body in bodies.items()
    }
    is_restated = key[3] >= LAST_REVISION
    at = None
    if before is not None or is_restated:  # an input, checked with the links; see index/moments.py
        at = datetime.fromisoformat(record["published_at"]).replace(tzinfo=None)
    return canonical(
        fixing_record(
            draft,
            key[3],
            seq=record["seq"],
            log_origin=record["log_origin"],
            administrator_id=record["administrator_id"],
            software=record["software"],
            commit_seq=record["commit_seq"],
            supersedes=record["supersedes"],
            manifest=record["manifest"],
            cited=cited,
            before=record["panel_state_before"],
            rules=shop.rules,
            is_bundled=before is None,
            is_witnessed=was_witnessed(shop.published, record["commit_seq"], record["seq"]),
            at=at,
            restated=record["revision_reason"] if is_restated else None,
        )
    )


def _difference(key: Key, old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    fields = [name for name in old if old[name] != new.get(name)]
    first = fields[0] if fields else "bytes"
    return (
        f"{key[0]} {key[2]} r{key[3]} (record {old['seq']}): {first} was published as "
        f"{old.get(first)!r} and recomputes to {new.get(first)!r}"
        + (f"; also {', '.join(fields[1:5])}" if fields[1:] else "")
    )
