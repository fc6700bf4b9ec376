"""Figures for a monitor, as a text file in the format Prometheus reads.

A projection like the others: made from the log and the archive, replaced in one step, never read
back. A node exporter's textfile collector, or any agent, picks it up from ``out/site``.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

from collectors import panel
from index import doctor, manifest_stamps
from index.collecting import live_sources
from index.config import Settings
from index.ledger.log import Log
from index.reading import Ledger, open_ledger

FILE = "metrics.prom"


def _seconds(moment: datetime) -> float:
    return moment.replace(tzinfo=UTC).timestamp()


def _gauge(
    registry: CollectorRegistry, name: str, told: str, labels: tuple[str, ...] = ()
) -> Gauge:
    return Gauge(f"spotfix_{name}", told, labels, registry=registry)


def write(settings: Settings, at: datetime) -> Path:
    """Write the figures as they are at ``at`` (naive UTC); return the file.

    Times are Unix seconds. A source that never answered has no time of success: a monitor alerts
    on what is absent, and 0 would read as 1970.

    Raises:
        OSError: the disk refuses; the earlier file stays.
    """
    registry = CollectorRegistry(auto_describe=False)
    _gauge(registry, "written_seconds", "When this file was made").set(_seconds(at))
    _sources(registry, settings)
    if Log.exists(settings.ledger):
        _log(registry, open_ledger(settings))
    folder = settings.out / "site"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE
    write_to_textfile(str(path), registry)
    return path


def _sources(registry: CollectorRegistry, settings: Settings) -> None:
    asked = {source.id for source in live_sources(settings)}
    is_asked = _gauge(registry, "source_asked", "1: asked in each round", ("source",))
    is_proven = _gauge(
        registry, "source_proven", "1: its parser was tried on a whole body", ("source",)
    )
    for name in panel.SOURCES:
        is_asked.labels(name).set(name in asked)
        is_proven.labels(name).set(panel.is_proven(name))
    success = _gauge(
        registry, "source_last_success_seconds", "When it last gave a body", ("source",)
    )
    for name, moment in doctor.last_seen(settings).items():
        success.labels(name).set(_seconds(moment))


def _log(registry: CollectorRegistry, ledger: Ledger) -> None:
    _gauge(registry, "log_records", "Records in the log").set(ledger.log.size)
    incidents = _gauge(registry, "incidents", "Incidents in the log", ("kind", "source", "reason"))
    counts = Counter(
        (one["kind"], one.get("source") or "", one.get("reason") or "")
        for one in ledger.published.incidents
    )
    for labels, count in counts.items():
        incidents.labels(*labels).set(count)
    every, stamped, _ = manifest_stamps.summary(ledger.settings, ledger.published)
    _gauge(registry, "manifests", "Manifests in the drop").set(every)
    _gauge(registry, "manifests_stamped", "Manifests with a time stamp").set(stamped)
    refused = _gauge(
        registry, "rows_refused", "Rows the newest intake refused", ("source", "reason")
    )
    for key, count in Counter((r["source"], r["reason"]) for r in ledger.rejections()).items():
        refused.labels(*key).set(count)
    days = _gauge(registry, "fixing_day_seconds", "Newest index day", ("index",))
    missing = _gauge(registry, "fixing_is_missing", "1: the newest day is NO_FIX", ("index",))
    for name in sorted({key[0] for key in ledger.published.fixings}):
        last = ledger.published.latest(name)
        if last is not None:
            days.labels(name).set(_seconds(datetime.fromisoformat(last["ref_date"])))
            missing.labels(name).set(last["value"] is None)
