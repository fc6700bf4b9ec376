"""One round of collecting: every source that is switched on, at once, into the archive.

All bodies of a round carry the round's own time, so the pages of one catalogue are one capture.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache

from collectors import panel
from collectors.archive import Archive
from collectors.base import Requests, Source
from collectors.fetch import collect
from collectors.gpus import aws_list, gcp_list
from collectors.jobs import Job, Limits, Secret, SourceResult
from collectors.tokens import openrouter_endpoints
from index.config import Settings, SourceSettings
from methodology import register
from methodology.definition import RateDefinition, load_definitions


def live_sources(settings: Settings) -> list[Source]:
    """Return the admitted sources that answer over a network and are switched on."""
    return [
        source
        for source in panel.load_all()
        if source.is_live and _settings_of(settings, source.id).enabled
    ]


def _settings_of(settings: Settings, source_id: str) -> SourceSettings:
    return settings.sources.get(source_id, SourceSettings())


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
        secret = None
        if source.auth_env:
            key = os.environ.get(source.auth_env, "")
            if not key:
                failures.append(
                    {
                        "source": source.id,
                        "reason": "NO_KEY",
                        "detail": f"set {source.auth_env} or switch the source off",
                    }
                )
                continue
            try:
                secret = Secret(key)
            except ValueError as error:
                failures.append(
                    {
                        "source": source.id,
                        "reason": "BAD_KEY",
                        "detail": f"{source.auth_env}: {error}",
                    }
                )
                continue
        jobs += _jobs(source, _settings_of(settings, source.id).url, secret)
    say("collect", f"{len({j.source.id for j in jobs})} sources")
    limits = Limits(contact=settings.contact, allow_loopback=settings.allow_loopback)
    moment = at.replace(tzinfo=UTC)
    results = collect(
        jobs, settings.deadline_seconds, archive=archive.put, now=lambda: moment, limits=limits
    )
    failures += _folded(results)
    for result in results:
        say("collect", result.source)
    _join_gcp(results, archive)
    return failures


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


def _join_gcp(results: Sequence[SourceResult], archive: Archive) -> None:
    """Archive the pages of one GCP catalogue as the one capture that its parser needs."""
    for result in results:
        if result.source == gcp_list.SOURCE.id and result.error is None and result.captures:
            archive.put(gcp_list.join(result.captures))
