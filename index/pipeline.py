"""The day, in order: archive, parse, record, select, commit, determine, publish.

This file alone knows the order. Every step can be repeated: what is already in the log is left
alone, so a run that was killed is finished by the next one, byte for byte.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import polars as pl

from collectors.archive import Archive
from index import determine, intake, live, prints
from index.config import Settings
from index.determine import Inputs, Outcome
from index.intake import Intake
from index.ledger.batches import Batches, Stored
from index.ledger.canonical import canonical, digest
from index.ledger.lock import PublisherLock
from index.ledger.log import Log
from index.prints import Draft, Selection
from index.publication import record
from index.published import Published, fixing_key
from methodology import clock, panels
from methodology.definition import (
    Definition,
    Methodology,
    frozen_listing,
    load_definitions,
    load_methodology,
)

Tell = Callable[[str, str], None]
"""Told ``(stage, what)`` as work goes on: collect, validate, commit, compute, publish."""


@dataclass
class Report:
    """What a run did, for people and for ``--json``."""

    mode: str
    sources: int = 0
    quotes: int = 0
    observations: int = 0
    rejections: dict[str, int] = field(default_factory=dict)
    failures: list[dict[str, str]] = field(default_factory=list)
    fixings: list[dict[str, Any]] = field(default_factory=list)
    appended: int = 0
    due: int = 0
    log_size: int = 0
    root: str = ""
    recovery: list[str] = field(default_factory=list)

    @property
    def is_nothing_due(self) -> bool:
        """Whether everything had been published before."""
        return self.appended == 0


@dataclass
class Shop:
    """Everything a run works with while it holds the lock."""

    settings: Settings
    log: Log
    batches: Batches
    archive: Archive
    published: Published
    rules: Methodology
    definitions: dict[str, Definition]

    def append(self, make: Sequence[Callable[[int], dict[str, Any]]]) -> int:
        """Append records, each made from its own seq; return how many."""
        if not make:
            return 0
        first = self.log.size
        bodies = [canonical(one(first + n)) for n, one in enumerate(make)]
        self.log.append(bodies, expected_first=first)
        for body in bodies:
            self.published.add(body)
        return len(bodies)


def by_id(definitions: Sequence[Definition]) -> dict[str, Definition]:
    """Return definitions by index id."""
    return {name: d for d in definitions for name in d.index_ids}


@contextmanager
def open_shop(settings: Settings) -> Iterator[Shop]:
    """Take the publisher's lock and open ledger and archive, recovering what a crash left.

    Raises:
        LockHeld: another process publishes.
        LogInconsistent: the log contradicts itself; nothing may be appended.
    """
    settings.out.mkdir(parents=True, exist_ok=True)
    with PublisherLock(settings.lock):
        exists = Log.exists(settings.ledger)
        log = (
            Log.open(settings.ledger)
            if exists
            else Log.create(settings.ledger, settings.log_origin)
        )
        yield Shop(
            settings=settings,
            log=log,
            batches=Batches(settings.ledger),
            archive=Archive(settings.raw),
            published=Published.read(log),
            rules=load_methodology(),
            definitions=by_id(load_definitions()),
        )


def run_bundled(settings: Settings, tell: Tell | None = None) -> Report:
    """Publish every due fixing of the bundled history, offline; idempotent.

    Each index publishes its last day inside the coverage of its sources, as the provisional and
    the final print of that day's schedule, and the whole back-cast as one artefact.
    """
    say = tell or (lambda stage, what: None)
    with open_shop(settings) as shop:
        captures = intake.bundled_captures(settings.bundle)
        for capture in captures:
            say("collect", capture.source)
            shop.archive.put(capture)
        taken = intake.read_captures(
            captures, "bundled", shop.rules, progress=lambda s: say("validate", s)
        )
        until = determine.last_covered(taken.inputs, list(shop.definitions.values()), shop.rules)
        due = {name: day for name, day in until.items() if day is not None}
        return publish(shop, taken, due, say, until=until)


def publish(
    shop: Shop,
    taken: Intake,
    due: Mapping[str, date],
    say: Tell,
    *,
    until: Mapping[str, date | None],
    before: live.Before | None = None,
    revisions: Sequence[int] = (0, 1),
) -> Report:
    """Commit to, determine and publish the due fixings of one intake.

    Args:
        shop: open ledger and archive.
        taken: what was read.
        due: index day to publish per index.
        say: progress.
        until: last day to determine per index; the back-cast ends there.
        before: a live run continues from recorded states; a bundled one starts at the beginning.
        revisions: which prints are due: 0 provisional, 1 final.
    """
    report = _report(taken, shop, due)
    manifest = intake.store(taken, shop.batches)
    wanted = [(name, day, r) for r in revisions for name, day in due.items()]
    open_keys = [
        (name, day, r)
        for name, day, r in wanted
        if (name, shop.definitions[name].session, day.isoformat(), r) not in shop.published.fixings
    ]
    if open_keys:
        names = {name for name, _, _ in open_keys}
        _publish_open(
            shop, taken, {n: due[n] for n in names}, open_keys, manifest, until, before, say, report
        )
    report.fixings = [
        shop.published.fixings[key]
        for name, day in sorted(due.items())
        if (key := _newest(shop, name, day)) is not None
    ]
    report.log_size, report.root = shop.log.size, shop.log.root.hex()
    report.recovery = list(shop.log.recovery)
    return report


def _newest(shop: Shop, name: str, day: date) -> tuple[str, str, str, int] | None:
    session = shop.definitions[name].session
    keys = [(name, session, day.isoformat(), r) for r in (2, 1, 0)]
    return next((key for key in keys if key in shop.published.fixings), None)


def _report(taken: Intake, shop: Shop, due: Mapping[str, date]) -> Report:
    reasons = taken.rejections["reason"].value_counts(sort=True)
    return Report(
        mode=taken.mode,
        sources=taken.sources,
        quotes=taken.quotes_seen,
        observations=taken.inputs.observations.height,
        rejections=dict(reasons.iter_rows()),
        failures=list(taken.failures),
        due=len(due),
        log_size=shop.log.size,
    )


def _publish_open(
    shop: Shop,
    taken: Intake,
    due: Mapping[str, date],
    open_keys: Sequence[tuple[str, date, int]],
    manifest: Stored,
    until: Mapping[str, date | None],
    before: live.Before | None,
    say: Tell,
    report: Report,
) -> None:
    selections, planned = choose(taken.inputs, shop, due, until, before, say)
    say("commit", f"{len(selections)} indices")
    stored = {
        name: (shop.batches.put("inputs", s.inputs), shop.batches.put("basket", s.basket))
        for name, s in selections.items()
    }
    at = {name: clock.cut_off(s.definition.session, s.ref_date) for name, s in selections.items()}
    opening = [
        *_rules_record(shop, min(at.values())),
        *_manifest_record(shop, manifest, max(at.values()), taken),
        *(
            _commitment(shop, selections[name], manifest, stored[name][0], at[name])
            for name in sorted(selections, key=lambda n: (at[n], n))
            if (
                name,
                selections[name].definition.session,
                due[name].isoformat(),
                "sha256:" + manifest.sha256,
            )
            not in shop.published.commitments
        ),
    ]
    if taken.inputs.is_live:
        opening += _panels_ahead(shop, planned, due)
    report.appended += shop.append(opening)
    outcome = compute(taken.inputs, planned, shop, due, until, before, say)
    drafts = prints.draft_all(outcome, selections, shop.rules)
    events: dict[datetime, list[tuple[str, int]]] = {}
    for name, day, revision in open_keys:
        when = prints.scheduled(shop.definitions[name], day, revision)
        events.setdefault(when, []).append((name, revision))
    for when in sorted(events):
        batch = []
        for name, revision in sorted(events[when]):
            say("publish", name)
            batch.append(_fixing(shop, drafts[name], revision, manifest, before))
        report.appended += shop.append(batch)
    if not taken.inputs.is_live:
        body = prints.back_cast(outcome, shop.definitions, until)
        artefact = shop.batches.put("backcast", body)
        last = max(events) if events else max(at.values())
        if ("backcast", "sha256:" + artefact.sha256) not in shop.published.batches:
            report.appended += shop.append([_artefact_record(shop, artefact, manifest, last)])


def _panels_ahead(
    shop: Shop, planned: Mapping[str, determine.SessionPlan], due: Mapping[str, date]
) -> list[Make]:
    """Freeze, on the first day of a month, the panels that the month after next but one uses."""
    made: list[Make] = []
    for one in planned.values():
        for p in one.plans:
            day = due.get(p.index_id)
            if day is None or day.day != 1:
                continue
            name = f"{clock.month_start(day, shop.rules.vintage.months_ahead):%Y-%m}"
            rows = p.rows.filter(
                pl.col("reason").is_null() & (pl.col("day") == one.index_days.index(day))
            )
            enough = rows["group"].n_unique() >= panels.start_size(p.definition, shop.rules)
            if not enough or name in shop.published.panels.get(p.index_id, {}):
                continue
            vintage = panels.freeze(name, day, rows, p.definition, shop.rules)
            stored = shop.batches.put("basket", canonical(vintage.as_record()) + b"\n")
            made.append(_basket_record(shop, p.index_id, name, stored, day))
    return made


def _basket_record(shop: Shop, index_id: str, vintage: str, stored: Stored, day: date) -> Make:
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


def choose(
    inputs: Inputs,
    shop: Shop,
    due: Mapping[str, date],
    until: Mapping[str, date | None],
    before: live.Before | None,
    say: Tell,
) -> tuple[dict[str, Selection], dict[str, determine.SessionPlan]]:
    """Return selections and plans: everything that is fixed before a value exists."""
    definitions = list({id(d): d for d in shop.definitions.values()}.values())
    planned = determine.plan_all(
        inputs,
        definitions,
        shop.rules,
        until=until,
        only_days=before.days if before else None,
        known=before.vintages if before else None,
        progress=lambda step: say("compute", step),
    )
    offers = prints.offers_of(inputs, shop.definitions, due, shop.rules)
    return prints.select(planned, offers, shop.definitions, due, inputs), planned


def compute(
    inputs: Inputs,
    planned: dict[str, determine.SessionPlan],
    shop: Shop,
    due: Mapping[str, date],
    until: Mapping[str, date | None],
    before: live.Before | None,
    say: Tell,
) -> Outcome:
    """Return the determinations of everything planned."""
    definitions = list({id(d): d for d in shop.definitions.values()}.values())
    return determine.determine_all(
        inputs,
        planned,
        definitions,
        shop.rules,
        until=until,
        before=before.states if before else None,
        composites_before=before.composites if before else None,
        keep_states=list(due.items()),
        progress=lambda step: say("compute", step),
    )


Make = Callable[[int], dict[str, Any]]


def rules_digest() -> str:
    """Return one digest over every rule file in force."""
    return "sha256:" + hashlib.sha256(frozen_listing().encode()).hexdigest()


def _rules_record(shop: Shop, at: datetime) -> list[Make]:
    found = rules_digest()
    if found in shop.published.methodologies:
        return []
    stored = shop.batches.put("rules", canonical({"frozen": frozen_listing()}) + b"\n")
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


def _manifest_record(shop: Shop, manifest: Stored, at: datetime, taken: Intake) -> list[Make]:
    if ("manifest", "sha256:" + manifest.sha256) in shop.published.batches:
        return []

    def incident(failure: Mapping[str, str]) -> Make:
        return lambda seq: record.incident(
            {
                "seq": seq,
                "log_origin": shop.log.origin,
                "kind": "SOURCE_FAILED",
                "source": failure["source"],
                "reason": failure["reason"],
                "detail": failure["detail"],
                "manifest": manifest.reference(),
                "at": clock.iso(at),
            }
        )

    return [
        _artefact_record(shop, manifest, manifest, at),
        *(incident(failure) for failure in taken.failures),
    ]


def _artefact_record(shop: Shop, artefact: Stored, manifest: Stored, at: datetime) -> Make:
    return lambda seq: record.batch(
        {
            "seq": seq,
            "log_origin": shop.log.origin,
            "artefact": artefact.reference(),
            "manifest": manifest.reference(),
            "at": clock.iso(at),
        }
    )


def _commitment(
    shop: Shop, chosen: Selection, manifest: Stored, inputs: Stored, at: datetime
) -> Make:
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


def _fixing(
    shop: Shop, draft: Draft, revision: int, manifest: Stored, before: live.Before | None
) -> Make:
    chosen = draft.selection
    cited = {
        "inputs": shop.batches.put("inputs", chosen.inputs),
        "basket": shop.batches.put("basket", chosen.basket),
        "contributions": shop.batches.put("contributions", draft.contributions),
        "panel_state": shop.batches.put("panel_state", draft.panel_state),
    }
    session, day = chosen.definition.session, chosen.ref_date.isoformat()
    committed = shop.published.commitments[
        chosen.index_id, session, day, "sha256:" + manifest.sha256
    ]

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
) -> dict[str, Any]:
    """Return the complete record of one revision; a function of its arguments alone."""
    chosen = draft.selection
    definition, day = chosen.definition, chosen.ref_date
    session = definition.session
    has_value = draft.fields["value"] is not None
    is_final = revision > 0
    due_at = prints.scheduled(definition, day, revision)
    following = (
        clock.provisional_at(session, date.fromordinal(day.toordinal() + 1))
        if is_final
        else clock.final_at(session, day)
    )
    opened, cut = clock.window(session, day)
    flags = [*draft.flags, "COMMIT_UNWITNESSED"]
    if is_bundled:
        flags.append("BUNDLED")
    regular = "BOOTSTRAP_VINTAGE" not in draft.flags
    eligible = (
        definition.admission == "settlement"
        and has_value
        and is_final
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
            "status": ("FINAL" if is_final else "PROVISIONAL") if has_value else "NO_FIX",
            "obs_status": obs_status,
            "settlement_eligible": eligible,
            "flags": sorted(flags),
            "window_open": clock.iso(opened),
            "cutoff_at": clock.iso(cut),
            "calculated_at": clock.iso(due_at),
            "published_at": clock.iso(due_at),
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


__all__ = [
    "Report",
    "Shop",
    "by_id",
    "choose",
    "compute",
    "fixing_key",
    "fixing_record",
    "open_shop",
    "publish",
    "run_bundled",
]
