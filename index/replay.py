"""Recompute what was published from what was recorded, and compare every byte.

The road is the one publishing took: manifest, frames, selection, determination, draft, record.
``from_archive`` starts one step earlier, at the archived bodies, so it also shows whether a parser
would read them differently today.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from collectors.archive import Archive
from index import determine, intake, live, prints
from index.config import Settings
from index.frames import to_lines
from index.ledger.batches import Batches, Stored
from index.ledger.canonical import canonical, digest, parse_record
from index.ledger.check import check_files
from index.ledger.log import Log
from index.pipeline import Shop, by_id, choose, compute, fixing_record, rules_digest
from index.prints import Draft
from index.publication.record import FIXING_FIELDS
from index.published import Key, Published, commitment_key, fixing_key
from methodology.definition import load_definitions, load_methodology
from methodology.errors import CoverageError, VerificationError

Tell = Callable[[str, str], None]

COMMITTED = (
    "index_id", "session", "ref_date", "input_digest", "methodology_digest", "definition_digest",
    "manifest",
)  # fmt: skip
"""Fields of a commitment that its fixing repeats; the panel's digest too, where it is known."""


@dataclass
class VerifyReport:
    """What was checked. ``problems`` is empty when everything is as published."""

    files: int = 0
    records: int = 0
    manifests: int = 0
    fixings: int = 0
    recomputed: int = 0
    back_cast_rows: int = 0
    from_archive: bool = False
    root: str = ""
    problems: list[str] = field(default_factory=list)


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
    shop = Shop(
        settings=settings,
        log=log,
        batches=Batches(settings.ledger),
        archive=Archive(settings.raw),
        published=Published(),
        rules=load_methodology(),
        definitions=by_id(load_definitions()),
    )
    bodies = list(log.entries())
    _read_records(bodies, log.origin, shop.published, problems)
    report.records, report.fixings = len(bodies), len(shop.published.fixings)
    if not problems:
        _check_links(shop, bodies, problems)
    if problems:
        _fail(report, problems)
    if shop.published.methodologies - {rules_digest()}:
        problems.append(
            "rules: some records were made under rule files that are not the ones installed "
            f"({rules_digest()}); verify them with the version that made them"
        )
        _fail(report, problems)
    for manifest in sorted({k[1] for k in shop.published.batches if k[0] == "manifest"}):
        report.manifests += 1
        say("recompute", manifest[:19])
        _recompute(shop, manifest, from_archive, report, problems, say)
    if problems:
        _fail(report, problems)
    return report


def _fail(report: VerifyReport, problems: list[str]) -> None:
    report.problems = problems
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    error = VerificationError(problems[0] + more)
    error.report = report  # type: ignore[attr-defined]
    raise error


def _read_records(
    bodies: list[bytes], origin: str, published: Published, problems: list[str]
) -> None:
    for seq, body in enumerate(bodies):
        content = parse_record(body)
        if content.get("seq") != seq:
            problems.append(f"record {seq}: says seq {content.get('seq')}; a record was moved")
            continue
        if content.get("log_origin") != origin:
            problems.append(f"record {seq}: of the log {content.get('log_origin')}, not {origin}")
        if content["type"] == "fixing":
            odd = sorted(set(content) ^ set(FIXING_FIELDS))
            if odd:
                problems.append(f"record {seq}: a fixing with other fields than fixing/1.0: {odd}")
                continue
            if fixing_key(content) in published.fixings:
                problems.append(f"record {seq}: {fixing_key(content)} was published before")
        published.add(body)


def _check_links(shop: Shop, bodies: list[bytes], problems: list[str]) -> None:
    """Check what each fixing cites: commitment, revision replaced, manifest, state before."""
    published = shop.published
    for key, record in published.fixings.items():
        name = f"{key[0]} {key[2]} r{key[3]}"
        definition = shop.definitions.get(key[0])
        if definition is None or definition.session != key[1]:
            problems.append(f"{name}: no index of that id and session {key[1]} is defined")
            continue
        if ("manifest", record["manifest"]["sha256"]) not in published.batches:
            problems.append(f"{name}: no record lists its manifest {record['manifest']['sha256']}")
        earlier = published.digests.get((*key[:3], key[3] - 1))
        if record["supersedes"] != earlier:
            problems.append(f"{name}: supersedes {record['supersedes']}, the log has {earlier}")
        seq = record["commit_seq"]
        commit = json.loads(bodies[seq]) if seq in range(len(bodies)) else {"type": "nothing"}
        if commit["type"] != "commitment" or seq >= record["seq"]:
            problems.append(f"{name}: record {seq} is no commitment before it")
        else:
            other = [field for field in COMMITTED if commit[field] != record[field]]
            if commit["basket_digest"] not in (None, record["basket_digest"]):
                other.append("basket_digest")
            if other:
                problems.append(f"{name}: differs from what it committed to in {', '.join(other)}")
        said, due = record["panel_state_before"], _state_before(published, record)
        if said != due and "BUNDLED" not in record["flags"]:
            problems.append(f"{name}: continues from {said}, the newest state before it is {due}")


def _state_before(published: Published, record: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the reference to the state that a live fixing had to continue from."""
    mine = [
        one
        for key, one in published.fixings.items()
        if key[0] == record["index_id"]
        and key[2] < record["ref_date"]
        and one["seq"] < record["seq"]
    ]
    if not mine:
        return None
    last = max(mine, key=lambda one: (one["ref_date"], one["revision"]))
    return {"record": last["seq"], **last["panel_state"]}


def _recompute(
    shop: Shop,
    manifest: str,
    from_archive: bool,
    report: VerifyReport,
    problems: list[str],
    say: Tell,
) -> None:
    mine = {
        key: record
        for key, record in shop.published.fixings.items()
        if record["manifest"]["sha256"] == manifest
    }
    content = intake.load_manifest(shop.batches, manifest)
    if from_archive:
        taken = intake.reparse(content, shop.archive, shop.rules)
        problems += _batch_differences(taken, content)
    else:
        taken = intake.read_manifest(shop.batches, manifest)
    if not mine or problems:
        return
    for part in _parts(mine, taken.inputs.is_live):
        _recompute_part(shop, manifest, part, taken, report, problems, say)


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
) -> None:
    due = {key[0]: date.fromisoformat(key[2]) for key in mine}
    before = None
    if taken.inputs.is_live:
        before = _before(shop, mine, due)
        until: Mapping[str, date | None] = due
    else:
        until = determine.last_covered(taken.inputs, list(shop.definitions.values()), shop.rules)
        wrong = [key for key in mine if date.fromisoformat(key[2]) != until.get(key[0])]
        problems += [
            f"{key[0]} {key[2]} r{key[3]}: its sources cover the index until {until.get(key[0])}"
            for key in wrong
        ]
        if wrong:
            return
    selections, planned = choose(taken.inputs, shop, due, until, before, say)
    outcome = compute(taken.inputs, planned, shop, due, until, before, say)
    drafts = prints.draft_all(outcome, selections, shop.rules)
    for key, record in mine.items():
        say("compare", key[0])
        again = _again(shop, drafts[key[0]], key, record, before)
        report.recomputed += 1
        if digest(again) != shop.published.digests[key]:
            problems.append(_difference(key, record, json.loads(again)))
    for (kind, sha256), one in shop.published.batches.items():
        if kind == "backcast" and one["manifest"]["sha256"] == manifest:
            body = prints.back_cast(outcome, shop.definitions, until)
            report.back_cast_rows += body.count(b"\n")
            if digest(body) != sha256:
                problems.append(f"back-cast {sha256}: recomputes to {digest(body)}")
    for commit in _commitments(shop, manifest):
        chosen = selections.get(commit["index_id"])
        if chosen is None or commit["ref_date"] != chosen.ref_date.isoformat():
            continue
        if commit["input_digest"] != chosen.input_digest:
            problems.append(f"commitment {commit['seq']}: its inputs do not recompute")


def _commitments(shop: Shop, manifest: str) -> list[dict[str, Any]]:
    found = [json.loads(shop.log.entry(seq)) for seq in shop.published.commitments.values()]
    return [c for c in found if commitment_key(c)[3] == manifest]


def _batch_differences(taken: intake.Intake, content: Mapping[str, Any]) -> list[str]:
    frames = {
        "observations": taken.inputs.observations,
        "volumes": taken.inputs.volumes,
        "rates": taken.inputs.rates,
        "rejections": taken.rejections,
    }
    return [
        f"batch {name}: the archived bodies now parse to {digest(to_lines(rows))}, recorded was "
        f"{content['batches'][name]['sha256']}; a parser or register changed: decide whether "
        "this calls for a restatement"
        for name, rows in frames.items()
        if digest(to_lines(rows)) != content["batches"][name]["sha256"]
    ]


def _before(shop: Shop, mine: Mapping[Key, dict[str, Any]], due: Mapping[str, date]) -> live.Before:
    sessions: dict[str, date] = {shop.definitions[name].session: day for name, day in due.items()}
    found = live.before_of(
        sessions, shop.definitions, Published(panels=shop.published.panels), shop.batches
    )
    by_seq = {r["seq"]: r for r in shop.published.fixings.values()}
    for key, record in mine.items():
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
