"""The day, in order: archive, parse, record, select, commit, determine, publish.

This file alone knows the order. Every step can be repeated: what is already in the log is left
alone, so a run that was killed is finished by the next one, byte for byte.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import polars as pl

from index import (
    determine,
    evidence,
    gate,
    intake,
    live,
    manifests,
    moments,
    opening,
    prints,
    records,
    rulechange,
)
from index.artefacts import Pass, artefacts_of, earlier_lines
from index.config import Settings
from index.determine import Inputs, Outcome
from index.gate import Difference, Evidence
from index.intake import Intake
from index.ledger.batches import Stored
from index.ledger.canonical import canonical
from index.moments import Now
from index.prints import Selection
from index.published import fixing_key
from index.records import Make, fixing_record, rules_digest
from index.shop import Shop, by_id, open_shop
from methodology import clock, panels
from methodology.volumes import host_volumes

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
    blocked: list[dict[str, str]] = field(default_factory=list)

    @property
    def is_nothing_due(self) -> bool:
        """Whether everything had been published before."""
        return self.appended == 0 and not self.blocked


def run_bundled(settings: Settings, tell: Tell | None = None) -> Report:
    """Publish every due fixing of the bundled history, offline; idempotent.

    Each index publishes its last day inside the coverage of its sources, as the provisional and
    the final print of that day's schedule, and the whole back-cast as one artefact.
    """
    say = tell or (lambda stage, what: None)
    captures = intake.bundled_captures(settings.bundle)  # first: without it no log is begun
    with open_shop(settings) as shop:
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
    now: Now | None = None,
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
        now: the clock of a live run, whose moments its records state, and which lets others
            outside see its commitments; ``None``: the times of the schedule, and nobody is asked.
    """
    report = _report(taken, shop, due)
    manifest = manifests.store(taken, shop.batches)
    wanted = [(name, day, r) for r in revisions for name, day in due.items()]
    open_keys = [
        (name, day, r)
        for name, day, r in wanted
        if (name, shop.definitions[name].session, day.isoformat(), r) not in shop.published.fixings
    ]
    if open_keys:
        rulechange.check(shop, {name: due[name] for name, _, _ in open_keys})
        if now is None:  # a live run opened its log before it told of its sources
            cuts = (clock.cut_off(shop.definitions[n].session, day) for n, day in due.items())
            report.appended += opening.append(shop, min(cuts))
        _publish_open(shop, taken, due, open_keys, manifest, until, before, say, report, now)
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
    now: Now | None,
) -> None:
    selections, planned = choose(taken.inputs, shop, due, until, before, say)
    still_open = {name for name, _, _ in open_keys}
    say("commit", f"{len(still_open)} indices")
    stored = {
        name: shop.batches.put("inputs", selections[name].inputs) for name in sorted(still_open)
    }
    for name in sorted(still_open):
        shop.batches.put("basket", selections[name].basket)
    at = {name: clock.cut_off(s.definition.session, s.ref_date) for name, s in selections.items()}
    if now is not None:
        at = dict.fromkeys(at, moments.of_run(shop, open_keys, (), now))
    first = [
        *records.rules_record(shop, min(at[name] for name in still_open)),
        *records.manifest_record(shop, manifest, max(at.values()), taken),
        *(
            records.commitment_record(shop, selections[name], manifest, stored[name], at[name])
            for name in sorted(still_open, key=lambda n: (at[n], n))
            if records.commitment_of(shop, selections[name], manifest) is None
        ),
    ]
    if taken.inputs.is_live:
        first += _panels_ahead(shop, planned, due, taken.inputs)
    report.appended += shop.append(first)
    committed: list[int] = []
    if now is not None:
        found = (records.commitment_of(shop, selections[n], manifest) for n in sorted(still_open))
        committed = [seq for seq in found if seq is not None]
        report.appended += evidence.gather(shop, committed, now())
    outcome = compute(taken.inputs, planned, shop, due, until, before, say)
    drafts = prints.draft_all(outcome, selections, shop.rules)
    moment = None if now is None else moments.of_run(shop, open_keys, committed, now)
    events: dict[datetime, list[tuple[str, int]]] = {}
    for name, day, revision in open_keys:
        when = prints.scheduled(shop.definitions[name], day, revision)
        events.setdefault(when, []).append((name, revision))
    for when in sorted(events):
        batch: list[Make] = []
        for name, revision in sorted(events[when]):
            say("publish", name)
            made = records.fixing(shop, drafts[name], revision, manifest, before, moment)
            stopped = _stopped(shop, drafts[name], revision, made)
            if not stopped:
                batch.append(made)
                continue
            content = made(shop.log.size)
            batch += records.engine_difference(shop, content, stopped, moment or when)
            report.blocked.append(
                {
                    "index_id": name,
                    "ref_date": content["ref_date"],
                    "detail": "; ".join(one.text for one in stopped),
                }
            )
        if when == max(events) and not report.blocked:
            # In one append with the last fixings: once those are there, nothing is due any more.
            any_one = selections[min(still_open)]
            session = any_one.definition.session
            earlier = earlier_lines(
                shop.published, shop.batches, session, any_one.ref_date, shop.log.size
            )
            one = Pass(
                outcome, selections, shop.definitions, shop.rules, taken.inputs, until, earlier
            )
            batch += records.artefact_records(shop, artefacts_of(one), manifest, moment or when)
        report.appended += shop.append(batch)


def _stopped(shop: Shop, draft: prints.Draft, revision: int, made: Make) -> list[Difference]:
    """Return what keeps a final from being released: nothing, as a rule (rulebook 22.1)."""
    if revision == 0:
        return []
    evidence = Evidence(draft.contributions, draft.selection.basket, draft.panel_state)
    content = made(shop.log.size)
    return gate.stops(content, evidence)


def _panels_ahead(
    shop: Shop,
    planned: Mapping[str, determine.SessionPlan],
    due: Mapping[str, date],
    inputs: Inputs,
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
            sold = host_volumes(inputs.volumes, day).get(p.definition.instrument)
            vintage = panels.freeze(name, day, rows, p.definition, shop.rules, sold)
            stored = shop.batches.put("basket", canonical(vintage.as_record()) + b"\n")
            made.append(records.basket_record(shop, p.index_id, name, stored, day))
    return made


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
        lent_days=before.lent_days if before else 0,
        known=before.vintages if before else None,
        progress=lambda step: say("compute", step),
    )
    offers = prints.offers_of(inputs, shop.definitions, due, shop.rules)
    return prints.select(planned, offers, shop.definitions, due, inputs, shop.rules), planned


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
        derived_before=before.derived if before else None,
        keep_states=list(due.items()),
        progress=lambda step: say("compute", step),
    )


__all__ = [
    "Make",
    "Report",
    "Shop",
    "by_id",
    "choose",
    "compute",
    "fixing_key",
    "fixing_record",
    "open_shop",
    "publish",
    "rules_digest",
    "run_bundled",
]
