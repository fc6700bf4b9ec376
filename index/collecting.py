"""One round of collecting: every source that is switched on, at once, into the archive.

All bodies of a round carry the round's own time, so the pages of one catalogue are one capture.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache

from collectors import panel
from collectors.archive import Archive
from collectors.base import Capture, Requests, Source
from collectors.fetch import collect
from collectors.gpus import aws_list, gcp_list
from collectors.held import Shelf
from collectors.jobs import Job, Limits, SourceResult
from collectors.keys import read_key
from collectors.secret import Secret
from collectors.tokens import openrouter_endpoints
from collectors.wire import Refused
from index.config import Settings, SourceSettings
from index.ledger.batches import Batches
from index.ledger.log import Log
from methodology import register
from methodology.definition import RateDefinition, load_definitions


def off_because(source: Source, settings: Settings) -> str | None:
    """Return why a source is not asked over a network, in words; None when it is."""
    mine = _settings_of(settings, source.id)
    if not source.is_live:
        return "a file of the bundled history, no live source"
    if not mine.enabled:
        return "switched off in the settings"
    if source.switch is not None and not mine.accept_terms:
        return (
            f"its terms stand against collecting: {source.switch} Off until the operator says that "
            f"he may: SPOTFIX_SOURCES__{source.id}__ACCEPT_TERMS=true"
        )
    return None


def live_sources(settings: Settings) -> list[Source]:
    """Return the admitted sources that answer over a network and are switched on."""
    return [source for source in panel.load_all() if off_because(source, settings) is None]


def _settings_of(settings: Settings, source_id: str) -> SourceSettings:
    return settings.sources.get(source_id, SourceSettings())


SPACING_SECONDS = 0.1
"""Least time between two requests to one host, unless the source or its site wants more."""

UNASKED = ("NO_KEY", "BAD_KEY")
"""Failures of a source that was never asked."""


def collect_round(
    settings: Settings,
    archive: Archive,
    at: datetime,
    say: Callable[[str, str], None],
    newest: Mapping[str, datetime] | None = None,
) -> list[dict[str, str]]:
    """Ask every source once, archive every body; return the failures with their reasons.

    Args:
        settings: addresses, switches, deadline.
        archive: where bodies go before anyone reads them.
        at: the round's time, naive UTC; every capture of the round carries it.
        say: progress.
        newest: when each source last answered; one asked within its ``every`` is left alone.

    A source that needs a key which is not set is a failure like any other: it is named.
    """
    failures: list[dict[str, str]] = []
    jobs: list[Job] = []
    for source in live_sources(settings):
        last = (newest or {}).get(source.id)
        if last is not None and at - last < source.every:
            continue
        try:
            jobs += jobs_of(source, settings)
        except Refused as problem:
            told = {"reason": problem.reason, "detail": problem.detail}
            failures.append({"source": source.id, **told})
    say("collect", f"{len({j.source.id for j in jobs})} sources")
    moment = at.replace(tzinfo=UTC)
    results = collect(
        jobs,
        settings.deadline_seconds,
        archive=archive.put,
        known=Shelf(archive),
        now=lambda: moment,
        limits=limits_of(settings),
    )
    failures += _folded(results)
    for result in results:
        say("collect", result.source)
    for finding in sorted({f for result in results for f in result.findings if _of_all(f)}):
        say("clock", finding)
    for capture in joined(results):
        archive.put(capture)
    return failures


def limits_of(settings: Settings) -> Limits:
    """Return what a run allows itself under these settings."""
    return Limits(
        contact=settings.contact,
        allow_loopback=settings.allow_loopback,
        # This machine is owed no courtesy, and tests ask it often.
        spacing_seconds=0.0 if settings.allow_loopback else SPACING_SECONDS,
    )


def jobs_of(source: Source, settings: Settings) -> list[Job]:
    """Return what a round asks of one source, with its address and key.

    Raises:
        Refused: ``NO_KEY`` or ``BAD_KEY``.
    """
    secret = read_key(source.auth_env, os.environ) if source.auth_env else None
    return _jobs(source, _settings_of(settings, source.id).url, secret)


def _of_all(finding: str) -> bool:
    """Return whether a finding is about this machine and not about one source."""
    return finding.startswith("CLOCK_SKEW")


def expire_bodies(settings: Settings, at: datetime) -> list[str]:
    """Remove archived bodies whose class allows it at ``at`` (naive UTC); return their digests.

    What any manifest of the log lists is in use and stays, whatever its class.
    """
    archive = Archive(settings.raw)
    in_use: set[str] = set()
    if Log.exists(settings.ledger):
        batches = Batches(settings.ledger)
        for path in sorted((settings.ledger / "batches" / "manifest").glob("*.jsonl")):
            content = json.loads(batches.get("manifest", path.stem))
            in_use |= {row["body_sha256"] for row in content["captures"]}
    classes = {source.id: source.retention for source in panel.load_all()}
    return archive.expire(at.replace(tzinfo=UTC), classes, in_use)


def _folded(results: Sequence[SourceResult]) -> list[dict[str, str]]:
    """Return one failure per source and reason: a source asked per model may fail per model."""
    found: dict[tuple[str, str], list[str]] = {}
    for result in results:
        if result.error is not None:
            key = (result.source, result.error.reason)
            found.setdefault(key, []).append(result.error.detail)
    return [
        {
            "source": source,
            "reason": reason,
            "detail": told[0] + (f" (and {len(told) - 1} more requests)" if told[1:] else ""),
        }
        for (source, reason), told in found.items()
    ]


def _jobs(source: Source, url: str | None, secret: Secret | None) -> list[Job]:
    if source.id == openrouter_endpoints.SOURCE.id:
        base = url or source.url
        return [Job(source, url=base, requests=_endpoints_of(model)) for model in _open_models()]
    if source.id == aws_list.SOURCE.id:
        return [
            Job(
                source,
                url=url,
                secret=secret,
                line_filter=_keep_aws,
                header_lines=6,
                max_raw_bytes=16 * 2**30,
                deadline_seconds=3600.0,
            )
        ]
    return [Job(source, url=url, secret=secret)]


def _endpoints_of(model: str) -> Requests:
    """Return the request flow of one model's hosts; one job a model, so one 404 costs one model."""
    return lambda base: openrouter_endpoints.requests_for(base, [model])


def _open_models() -> list[str]:
    """Return the router's ids of every model that a rate index of this rulebook follows."""
    followed = {d.instrument for d in load_definitions() if isinstance(d, RateDefinition)}
    return sorted(
        listing
        for model in register.load_models()
        if model.id in followed
        for listing in model.listings.get("openrouter_endpoints", ())
    )


@lru_cache(maxsize=4)
def _decoded(header: bytes) -> str:
    return header.decode("utf-8", "replace")


def _keep_aws(header: bytes, line: bytes) -> bool:
    return aws_list.filter_line(_decoded(header), line.decode("utf-8", "replace"))


def joined(results: Sequence[SourceResult]) -> list[Capture]:
    """Return the captures that stand for several: the pages of one GCP catalogue are one body."""
    return [
        gcp_list.join(result.captures)
        for result in results
        if result.source == gcp_list.SOURCE.id and result.error is None and result.captures
    ]
