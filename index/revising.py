"""Restating a final, or saying in an erratum what it should have been (rulebook 11).

A value is never given: it is determined again, by the road that made it, from the same archived
bodies less what a correction takes out of them, or as today's parsers read them. Everything of the
day that comes out otherwise is decided in one act, each index by the test of rulebook 11.2, and
two officers sign all of it.

:func:`plan` works and writes nothing; :mod:`index.restating` appends what it planned.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from index import corrections, determine, gate, intake, live, manifests, pipeline, prints
from index.corrections import Correction
from index.gate import Difference, Evidence
from index.prints import Draft
from index.records import fixing_record, was_witnessed
from index.revision_plan import LAST_REVISION, Change, Drawer, Plan, Row
from index.rulechange import rules_of
from index.shop import Shop
from methodology.errors import CoverageError, UsageError


def plan(
    shop: Shop,
    index_id: str,
    day: date,
    reason: str,
    correction: Correction,
    at: datetime,
    tell: pipeline.Tell | None = None,
) -> Plan:
    """Return what a revision of one day would do; nothing is written.

    Args:
        shop: an open ledger, read only or not.
        index_id: the index.
        day: its index day.
        reason: in words; it stands in every record of the act.
        correction: what is taken out, and whether bodies are parsed again.
        at: the moment, naive UTC.
        tell: progress.

    Raises:
        CoverageError: no final of that day.
        UsageError: the correction hits nothing, is a draft, or bodies parse otherwise today and
            nobody asked for that.
        ConfigError: the rules changed since.
        VerificationError: the same bytes no longer give the value that was published.
    """
    say = tell or (lambda stage, what: None)
    session = shop.definitions[index_id].session
    standing = _standing(shop, session, day)
    if index_id not in standing:
        raise CoverageError(
            f"{index_id} {day}: no final is published; before that there is nothing to restate"
        )
    own = standing[index_id]
    shop = _under_rules_of(shop, own)
    drawer = Drawer(shop.batches)
    shop = replace(shop, batches=drawer)
    base = _newest_manifest(shop, session, day)
    content = manifests.load_manifest(drawer, base["sha256"])
    known = _recorded(shop, session, day, correction)
    if known is not None:  # the act is done: it is told again from the log
        base = known["content"]["corrects"]
        content = manifests.load_manifest(drawer, base["sha256"])
    taken, hits = _corrected(shop, content, correction, say)
    artefact = drawer.put(corrections.KIND, correction.body(base))
    held = (*content.get("corrections", ()), artefact.reference())
    taken = replace(taken, corrections=held, corrects=dict(base))
    manifest = manifests.store(taken, drawer)
    made = Plan(
        index_id, session, day, reason, correction, artefact, own, manifest, taken, drawer, shop,
        None, hits, [], at,
    )  # fmt: skip
    if known is not None:
        made.done = acts(shop, session, day, known["reference"])
        return made
    drafts, made.before = determined(shop, taken, session, day, say)
    for name, fixing in standing.items():
        draft = drafts.get(name)
        if draft is not None and _is_changed(shop, fixing, draft):
            key = (name, session, day.isoformat(), fixing["revision"])
            made.changes.append(Change(fixing, shop.published.digests[key], draft))
    for one in made.changes:
        one.stopped = _differences(made, one)
    made.decide(at)
    return made


def _standing(shop: Shop, session: str, day: date) -> dict[str, Row]:
    """Return the fixing that stands for each index of a session's day: the newest final."""
    found: dict[str, Row] = {}
    for key, one in sorted(shop.published.fixings.items(), key=lambda item: item[0][3]):
        if key[1:3] == (session, day.isoformat()) and key[3] >= 1:
            found[key[0]] = one
    return found


def _under_rules_of(shop: Shop, fixing: Row) -> Shop:
    """Return the shop with the rules a fixing was made under."""
    under = shop.published.rules_at(fixing["seq"]) or ""
    then = rules_of(under, shop.rules, shop.definitions)
    return replace(shop, rules=then.methodology, definitions=dict(then.definitions))


def _newest_manifest(shop: Shop, session: str, day: date) -> Row:
    """Return the reference to the newest intake of a day, corrected or not."""
    published, text = shop.published, day.isoformat()
    of_day = [r for key, r in published.fixings.items() if key[1:3] == (session, text)]
    of_day += [
        r
        for r in (*published.restatements, *published.errata)
        if (r["session"], r["ref_date"]) == (session, text) and r["manifest"]
    ]
    newest: Row = max(of_day, key=lambda r: r["seq"])["manifest"]
    return newest


def _recorded(shop: Shop, session: str, day: date, correction: Correction) -> Row | None:
    """Return the same correction where this day's records rest on it already."""
    for row in corrections.recorded(shop.published, shop.batches):
        same = Correction.of(row["content"]) == correction
        if same and acts(shop, session, day, row["reference"]):
            return row
    return None


def acts(shop: Shop, session: str, day: date, reference: Row) -> list[Row]:
    """Return the restatements and errata of a day that rest on a correction."""
    of_day = (session, day.isoformat())
    return [
        one
        for one in (*shop.published.restatements, *shop.published.errata)
        if (one["session"], one["ref_date"]) == of_day
        and reference in (one.get("correction"), *one.get("evidence", ()))
    ]


def _corrected(
    shop: Shop, content: Mapping[str, Any], correction: Correction, say: pipeline.Tell
) -> tuple[intake.Intake, list[int]]:
    """Return the intake of a manifest with a correction applied, and what each action hit."""
    say("validate", "archived bodies")
    if correction.actions and content["mode"] != "live":
        raise UsageError(
            "a correction takes captures of live collection out; a bundled history is corrected "
            "by a new bundle, or with --from-archive when a parser was mended"
        )
    as_it_was = manifests.reparse(content, shop.archive, shop.batches, shop.rules)
    if not correction.parsed_again:
        odd = manifests.differences(as_it_was, content)
        if odd:
            raise UsageError(
                f"{odd[0]}; say --from-archive to restate by what today's parsers read as well"
            )
    captures = manifests.archived_captures(content, shop.archive)
    applied = corrections.apply(correction.actions, captures, as_it_was.refusals, shop.rules)
    for place, (one, hit) in enumerate(zip(correction.actions, applied.hits, strict=True), 1):
        if not hit:
            what = one.capture or one.listing
            raise UsageError(
                f"correction {place}: {one.action} {one.source} {what}: the day read nothing of "
                "that; compare with the captures in `spotfix explain`"
            )
    taken = as_it_was
    if correction.actions:
        taken = intake.read_captures(
            applied.captures, content["mode"], shop.rules, refusals=applied.refusals
        )
    return replace(taken, failures=tuple(content["failures"])), applied.hits


def determined(
    shop: Shop, taken: intake.Intake, session: str, day: date, say: pipeline.Tell
) -> tuple[dict[str, Draft], live.Before | None]:
    """Return the drafts of a session's day from an intake, by the road of publishing."""
    before: live.Before | None = None
    until: Mapping[str, date | None]
    if taken.mode == "live":
        due = {
            name: day
            for name, d in shop.definitions.items()
            if d.session == session and d.is_due(day) and not shop.published.has_ended(name, day)
        }
        before = live.before_of({session: day}, shop.definitions, shop.published, shop.batches)
        until = due
    else:
        until = determine.last_covered(taken.inputs, list(shop.definitions.values()), shop.rules)
        due = {name: last for name, last in until.items() if last is not None}
    selections, planned = pipeline.choose(taken.inputs, shop, due, until, before, say)
    outcome = pipeline.compute(taken.inputs, planned, shop, due, until, before, say)
    drafts = prints.draft_all(outcome, selections, shop.rules)
    of_day = {name: one for name, one in drafts.items() if one.selection.ref_date == day}
    return of_day, before


def _is_changed(shop: Shop, fixing: Row, draft: Draft) -> bool:
    """Return whether a draft's figures differ from those that stand or were last told."""
    told = [e for e in shop.published.errata if e["concerns"] == fixing["seq"] and e["manifest"]]
    value = told[-1]["should_be"] if told else fixing["value"]
    if draft.fields["value"] != value:
        return True
    return not told and draft.fields["alt"] != fixing["alt"]


def revision(made: Plan, one: Change, commit_seq: int, drawer: Drawer) -> pipeline.Make:
    """Return the new revision of one fixing; its place in the log comes last."""
    draft, shop = one.draft, made.shop
    cited = {
        "inputs": drawer.put("inputs", draft.selection.inputs),
        "basket": drawer.put("basket", draft.selection.basket),
        "contributions": drawer.put("contributions", draft.contributions),
        "panel_state": drawer.put("panel_state", draft.panel_state),
    }
    return lambda seq: fixing_record(
        draft,
        LAST_REVISION,
        seq=seq,
        log_origin=shop.log.origin,
        administrator_id=shop.settings.administrator_id,
        software=prints.software(),
        commit_seq=commit_seq,
        supersedes=one.digest,
        manifest=made.manifest.reference(),
        cited={name: stored.reference() for name, stored in cited.items()},
        before=made.before.references.get(one.index_id) if made.before else None,
        rules=shop.rules,
        is_bundled=made.before is None,
        is_witnessed=was_witnessed(shop.published, commit_seq, seq),
        at=made.at,
        restated=made.reason,
    )


def _differences(made: Plan, one: Change) -> list[Difference]:
    """Return what the second engine holds against a new revision (rulebook 22.1)."""
    content = revision(made, one, 0, Drawer(made.drawer))(made.shop.log.size)
    draft = one.draft
    evidence = Evidence(draft.contributions, draft.selection.basket, draft.panel_state)
    return gate.stops(content, evidence)
