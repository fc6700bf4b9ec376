"""A live run: collect a round, publish what is due, declare what was missed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, datetime

from collectors import panel
from collectors.archive import Archive
from collectors.base import Capture
from collectors.entries import Entry
from collectors.gpus import gcp_list
from index import (
    calendar_records,
    corrections,
    guarding,
    intake,
    live,
    manifest_stamps,
    moments,
    notices,
    opening,
    pipeline,
    schedule,
    settlements,
)
from index.collecting import UNASKED, collect_round
from index.config import Settings
from index.moments import Now
from index.pipeline import Report, Shop, open_shop
from index.publication import record
from index.records import source_failed
from index.schedule import Due
from index.shop import refuse_unless_ready
from methodology import clock

Tell = Callable[[str, str], None]


def run_live(settings: Settings, at: datetime | None = None, tell: Tell | None = None) -> Report:
    """Collect one round now and publish what is due; return what was done.

    Args:
        settings: addresses, switches, deadline.
        at: the moment of everything that the run does, naive UTC; default: the present, read from
            the clock at each step, so that what took minutes is dated when it was done.
        tell: progress.
    """
    return _run(settings, _clock(at), tell, always_collect=True)


def run_due(settings: Settings, at: datetime | None = None, tell: Tell | None = None) -> Report:
    """Do one wake-up: collect if the last round is an hour old, publish what is due.

    The same arguments as :func:`run_live`; made for cron and for ``spotfix schedule``.
    """
    return _run(settings, _clock(at), tell, always_collect=False)


def _clock(at: datetime | None) -> Now:
    if at is not None:
        return moments.fixed(at)
    return moments.running(schedule.utc_now(), schedule.utc_now)


def _run(settings: Settings, now: Now, tell: Tell | None, *, always_collect: bool) -> Report:
    say = tell or (lambda stage, what: None)
    at = now()
    refuse_unless_ready(settings)
    with open_shop(settings) as shop:
        refuse_unless_ready(settings, shop.log)
        opened = opening.append(shop, at)
        rounds = _rounds(shop)
        failures: list[dict[str, str]] = []
        if always_collect or not rounds or at - max(rounds) >= schedule.COLLECT_EVERY:
            newest = {} if always_collect else dict(sorted(_seen(shop.archive)))
            failures = collect_round(settings, shop.archive, at, say, newest)
        total = Report(mode="live", failures=failures, appended=opened)
        total.appended += shop.append(
            [source_failed(shop, f, at) for f in failures if not _is_logged(shop, f, at)]
        )
        book = guarding.advance(
            settings.data, shop.archive, shop.rules, lambda when: say("validate", f"guards {when}")
        )
        total.appended += shop.append([_guarded(shop, event) for event in _new(shop, book)])
        rounds = _rounds(shop)
        total.sources = len({s for s, when in _seen(shop.archive) if when == at})
        total.appended += shop.append(notices.delayed(shop, at))
        for one in schedule.due_now(at, shop.definitions, shop.published, rounds):
            total.appended += _declare_missed(shop, one, at)
            if one.revisions:
                report = _publish_session(shop, one, book, say, now)
                _merge(total, report)
        total.appended += shop.append(calendar_records.ending(shop, now()))
        total.appended += shop.append(settlements.due(shop, now()))
        total.appended += manifest_stamps.stamp(shop, now())
        total.log_size, total.root = shop.log.size, shop.log.root.hex()
        total.recovery = list(shop.log.recovery)
        return total


def _seen(archive: Archive) -> list[tuple[str, datetime]]:
    """Return source and time of every live capture in the archive."""
    return [
        (e.source, e.fetched_at.replace(tzinfo=None))
        for e in archive.entries()
        if not e.url.startswith((intake.BUNDLED, intake.PACKAGED))
    ]


def _rounds(shop: Shop) -> list[datetime]:
    """Return the times at which sources were asked, whether or not one of them answered.

    A failure that names a manifest is one of reading, dated when it was read.
    """
    failed = {
        datetime.fromisoformat(one["at"]).replace(tzinfo=None)
        for one in shop.published.incidents
        if one["kind"] == "SOURCE_FAILED"
        and one["reason"] not in UNASKED
        and one["manifest"] is None
    }
    return sorted({when for _, when in _seen(shop.archive)} | failed)


def _is_logged(shop: Shop, failure: Mapping[str, str], at: datetime) -> bool:
    """Return whether this failure is in the log: of this very round, when it was run before.

    A source that was never asked, for want of a key, is told once and not every hour: it is in the
    log as long as its newest failure says the same and it never gave a body since.
    """
    if failure["reason"] in UNASKED:
        mine = [
            one
            for one in shop.published.incidents
            if one["kind"] == "SOURCE_FAILED" and one["source"] == failure["source"]
        ]
        if mine and (mine[-1]["reason"], mine[-1]["detail"]) == (
            failure["reason"],
            failure["detail"],
        ):
            seen = [when for name, when in _seen(shop.archive) if name == failure["source"]]
            return not seen or clock.iso(max(seen)) < mine[-1]["at"]
    told = (failure["source"], failure["reason"], failure["detail"], clock.iso(at))
    return any(
        one["kind"] == "SOURCE_FAILED"
        and (one["source"], one["reason"], one["detail"], one["at"]) == told
        for one in shop.published.incidents
    )


def _new(shop: Shop, book: guarding.Book) -> list[guarding.Event]:
    """Return the quarantines and releases that the log does not tell of yet.

    Those of the rounds inspected just now; and, should an earlier run have been killed between the
    book and the log, what the book says now where the log says otherwise.
    """
    told = {(one["kind"], one.get("source"), one["at"]) for one in shop.published.incidents}
    found = [e for e in book.events if (e.kind, e.source, clock.iso(e.at)) not in told]
    last = {
        one["source"]: (one["kind"], one["reason"])
        for one in shop.published.incidents
        if one["kind"] in guarding.KINDS
    } | {e.source: (e.kind, e.reason) for e in found}
    held = guarding.quarantined(book)
    quarantine, release = guarding.KINDS
    for name, (reason, since, _) in held.items():
        if last.get(name) != (quarantine, reason) and since is not None:
            found.append(guarding.Event(quarantine, name, reason, "found in the book", since))
    for name, (kind, reason) in sorted(last.items()):
        if kind == quarantine and name not in held and book.through is not None:
            found.append(guarding.Event(release, name, reason, "found in the book", book.through))
    return found


def _guarded(shop: Shop, event: guarding.Event) -> pipeline.Make:
    return lambda seq: record.incident(
        {
            "seq": seq,
            "log_origin": shop.log.origin,
            "kind": event.kind,
            "source": event.source,
            "reason": event.reason,
            "detail": event.detail,
            "manifest": None,
            "at": clock.iso(event.at),
        }
    )


def _publish_session(shop: Shop, due: Due, book: guarding.Book, say: Tell, now: Now) -> Report:
    """Publish one session's day from what was captured by its cut-off, and nothing later."""
    cut = clock.cut_off(due.session, due.ref_date)
    captures = live_captures(shop.archive, cut)
    refusals = guarding.span_of(book, cut - intake.LIVE_SPAN, cut)
    corrected = corrections.hold(shop.published, shop.batches, captures, refusals, shop.rules)
    taken = intake.read_captures(
        corrected.captures,
        "live",
        shop.rules,
        refusals=corrected.refusals,
        progress=lambda s: say("validate", s),
    )
    taken = replace(taken, corrections=corrected.references)
    names = {
        n: due.ref_date
        for n, d in shop.definitions.items()
        if d.session == due.session
        and d.is_due(due.ref_date)
        and not shop.published.has_ended(n, due.ref_date)
    }
    before = live.before_of(
        {due.session: due.ref_date}, shop.definitions, shop.published, shop.batches
    )
    return pipeline.publish(
        shop, taken, names, say, until=names, before=before, revisions=due.revisions, now=now
    )


def live_captures(archive: Archive, cut: datetime) -> list[Capture]:
    """Return the archived captures that a fixing with this cut-off reads (naive UTC).

    Snapshots of the last two windows and the fetch age before them; of a schedule only the newest
    body, because it states its own past; of a paged catalogue only the joined capture. In order
    of source and time.
    """
    since = cut - intake.LIVE_SPAN
    found: list[Capture] = []
    newest: dict[str, Entry] = {}
    loaded: dict[str, Capture] = {}

    def load(entry: Entry) -> Capture:
        # A body is read and held once, however often it was captured.
        first = loaded.get(entry.sha256) or loaded.setdefault(entry.sha256, archive.load(entry))
        return replace(
            first,
            source=entry.source,
            url=entry.url,
            fetched_at=entry.fetched_at,
            status=entry.status,
            headers=entry.headers,
        )

    for entry in archive.entries():
        when = entry.fetched_at.replace(tzinfo=None)
        if not (guarding.is_read(entry) and since < when <= cut):
            continue
        if panel.load(entry.source).mode == "schedule":
            newest[entry.source] = entry
            continue
        capture = load(entry)
        if entry.source != gcp_list.SOURCE.id or gcp_list.is_joined(capture):
            found.append(capture)
    ordered = [*found, *map(load, newest.values())]
    return sorted(ordered, key=lambda c: (c.source, c.fetched_at, c.url, c.sha256))


def _declare_missed(shop: Shop, due: Due, at: datetime) -> int:
    """Log one incident for each index day that passed without a fixing."""

    def missed(day: date) -> pipeline.Make:
        return lambda seq: record.incident(
            {
                "seq": seq,
                "log_origin": shop.log.origin,
                "kind": "MISSED_FIXING",
                "session": due.session,
                "ref_date": day.isoformat(),
                "reason": "NOTHING_COLLECTED",
                "detail": "no round was collected in this day's window while the service ran; "
                "it is declared and never filled in",
                "at": clock.iso(at),
            }
        )

    return shop.append([missed(day) for day in due.missed])


def _merge(total: Report, report: Report) -> None:
    total.appended += report.appended
    total.due += report.due
    total.quotes += report.quotes
    total.observations += report.observations
    total.fixings += report.fixings
    total.blocked += report.blocked
    total.failures += [f for f in report.failures if f not in total.failures]
    for reason, count in report.rejections.items():
        total.rejections[reason] = total.rejections.get(reason, 0) + count
