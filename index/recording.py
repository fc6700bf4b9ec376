"""``spotfix record``: ask one source once, keep what it says, draft the rows to be checked."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from index.app import JsonOption, OutOption, moment_of, screen_of, settings_of, source_named
from methodology.errors import ConfigError, FetchError, SourceError, UsageError

if TYPE_CHECKING:
    from collectors.base import Capture, Source
    from index.config import Settings
    from index.recorded import Kept
    from index.terminal import Screen


def record(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="A source id; `spotfix sources` lists them.")
    ],
    from_file: Annotated[
        Path | None,
        typer.Option(
            "--from-file", metavar="BODY", help="A body saved by hand; no network is touched."
        ),
    ] = None,
    fetched_at: Annotated[
        str | None,
        typer.Option(
            "--fetched-at", metavar="TIME", help="With --from-file; default: the file's own time."
        ),
    ] = None,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask one source once, keep its bodies, draft rows to check.

    Nothing is published or archived: the bodies and drafts go to out/recorded/SOURCE/. A body that
    does not parse is kept too; the exit code is then 1.

    \b
    Example:
      spotfix record groq
      spotfix record anthropic_page --from-file pricing.md --fetched-at 2026-11-21T09:00:00Z
    """
    from index.recorded import as_value, next_steps, unmapped

    settings, screen = settings_of(out=out), screen_of(as_json)
    source = source_named(source)
    moment = moment_of(fetched_at, "--fetched-at")
    if from_file is None:
        if moment is not None:
            raise UsageError("--fetched-at goes with --from-file; what is asked now is dated now")
        made = ask(source, settings)
    else:
        made = take(source, from_file, moment, settings)
        if fetched_at is None and made.kept:
            at = made.kept[0].capture.observed_at
            screen.say(f"fetched at {at:%Y-%m-%dT%H:%M:%SZ}, the file's time")
    parts = [one.parsed for one in made.kept if one.parsed is not None]
    strangers = unmapped(made.source, parts)
    steps = next_steps(made.source, made.kept)
    if as_json:
        refused = sorted(_refused(made).items())
        screen.json(
            {
                "source": made.source.id,
                "bodies": [as_value(one) for one in made.kept],
                "seen": sum(part.seen for part in parts),
                "refused": dict(refused),
                "unmapped": strangers,
                "failures": [{"reason": e.reason, "detail": e.detail} for e in made.failures],
                "next": steps,
            }
        )
    else:
        _print(screen, made, strangers, steps)
    if made.errors:
        raise made.errors[0]


@dataclass
class Recording:
    """What came of asking one source once: bodies in the order they came, and what failed."""

    source: Source
    kept: list[Kept] = field(default_factory=list)
    failures: list[SourceError] = field(default_factory=list)

    @property
    def errors(self) -> list[SourceError]:
        """Everything that went wrong, failures to fetch first."""
        return self.failures + [one.error for one in self.kept if one.error is not None]


def folder_of(settings: Settings, source_id: str) -> Path:
    """Return where the recorded bodies of a source lie."""
    return settings.out / "recorded" / source_id


def ask(source_id: str, settings: Settings) -> Recording:
    """Ask a source as a round would, but for everything (nothing is held), and keep what it says.

    Raises:
        ConfigError: no such source, or it is switched off, by its terms or in the settings.
        UsageError: a source that answers over no network.
        FetchError: ``NO_KEY`` or ``BAD_KEY``; nothing was asked. Other failures stand in the
            result, beside the bodies that came before them.
        OSError: a body could not be written.
    """
    from collectors import panel
    from collectors.fetch import collect
    from collectors.wire import Refused
    from index import collecting
    from index.recorded import draft, keep

    source = panel.load(source_id)
    reason = collecting.off_because(source, settings)
    if reason is not None and not source.is_live:
        raise UsageError(f"{source_id} is {reason}; give a body with --from-file")
    if reason is not None:
        raise ConfigError(f"{source_id} is not asked: {reason}")
    try:
        jobs = collecting.jobs_of(source, settings)
    except Refused as problem:
        raise FetchError(source_id, problem.reason, problem.detail) from None
    made = Recording(source)
    folder = folder_of(settings, source_id)
    secret = jobs[0].secret if jobs else None
    by_body: dict[int, Kept] = {}

    def put(capture: Capture) -> None:
        one = keep(folder, capture, secret)
        by_body[id(capture)] = one
        made.kept.append(one)

    results = collect(
        jobs, settings.deadline_seconds, archive=put, limits=collecting.limits_of(settings)
    )
    made.failures += [result.error for result in results if result.error is not None]
    joined = collecting.joined(results)
    for capture in joined:
        put(capture)
    for one in made.kept:
        if not joined or any(one.capture is capture for capture in joined):
            draft(one, source)
    if not made.kept and not made.failures:
        raise UsageError(f"{source_id} asks for nothing by itself; give a body with --from-file")
    return made


def take(source_id: str, file: Path, fetched_at: datetime | None, settings: Settings) -> Recording:
    """Keep a body that a person saved, as if the source had just given it; touch no network.

    The switch of a source does not matter here: nobody is asked. Its caps do.

    Raises:
        ConfigError: no such source.
        UsageError: no such file, damaged gzip, or a time that is still to come.
        FetchError: ``TOO_LARGE_DECODED``, or ``SECRET_ECHOED`` when the body holds the key.
    """
    from datetime import UTC

    from collectors import panel
    from collectors.base import Capture
    from collectors.fetch import utc_now
    from collectors.keys import read_key
    from collectors.wire import Refused
    from index import saved
    from index.recorded import draft, keep

    source = panel.load(source_id)
    try:
        body = saved.plain(file.read_bytes(), file)
        written = datetime.fromtimestamp(file.stat().st_mtime, UTC)
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror or error}; name a saved body") from error
    at = fetched_at or written
    if at > utc_now():
        raise UsageError(f"--fetched-at {at.isoformat()} is still to come; give the moment of BODY")
    if len(body) > source.max_decoded_bytes:
        raise FetchError(
            source_id,
            "TOO_LARGE_DECODED",
            f"{file} has {len(body)} bytes; cap {source.max_decoded_bytes}",
        )
    if source.auth_env:
        try:
            secret = read_key(source.auth_env, os.environ)
        except Refused:
            secret = None
        if secret is not None and secret.is_in(body):
            raise FetchError(source_id, "SECRET_ECHOED", f"{file} holds the key; it was not kept")
    made = Recording(source)
    one = keep(folder_of(settings, source_id), Capture(source.id, file.name, body, at))
    draft(one, source)
    made.kept.append(one)
    return made


def _refused(made: Recording) -> Counter[str]:
    return Counter(
        reason
        for one in made.kept
        if one.parsed is not None
        for reason in one.parsed.rejections["reason"]
    )


def _print(
    screen: Screen, made: Recording, strangers: list[dict[str, Any]], steps: list[str]
) -> None:
    import polars as pl

    from index.recorded import FRAMES
    from index.terminal import BAD, DIM, HEAD, WARN, table
    from index.unmapped import could_be

    seen = sum(one.parsed.seen for one in made.kept if one.parsed is not None)
    bodies = f"{len(made.kept):,} bod{'y' if len(made.kept) == 1 else 'ies'}"
    screen.line((made.source.id, HEAD), f"   {bodies} kept, {seen:,} rows drafted")
    for one in made.kept:
        size = f"   {len(one.capture.body):,} bytes   sha256 {one.capture.sha256[:16]}"
        screen.line(f"  {one.file}", (size, DIM))
        if one.error is not None:
            screen.line("    ", (one.error.reason, BAD), f"   {one.error.detail}")
        elif one.parsed is None:
            screen.line(("    one page of several; read joined with the others", DIM))
        else:
            frames = [(name, getattr(one.parsed, name).height) for name in FRAMES]
            told = ", ".join(f"{count:,} {name}" for name, count in frames if count)
            screen.line(f"    {told or 'no rows'}")
    for error in made.failures:
        screen.line("  ", (error.reason, BAD), f"   {error.detail}")
    refused = _refused(made)
    if refused:
        screen.line()
        screen.line(("Refused", HEAD))
        rows = pl.concat([o.parsed.rejections for o in made.kept if o.parsed is not None])
        for reason, count in sorted(refused.items(), key=lambda item: (-item[1], item[0])):
            one_row = rows.filter(pl.col("reason") == reason).row(0, named=True)
            named = " ".join(t for t in (one_row["provider"], one_row["listing_id"]) if t)
            example = f"   e.g. {named}: {one_row['detail']}"
            screen.line(f"  {count:>6,}  ", (reason, WARN), (example, DIM))
    if strangers:
        screen.line()
        screen.line(("Listings no reviewed line maps", HEAD))
        columns = [("provider", "<"), ("listing", "~"), ("rows", ">"), ("could be", "<")]
        cells = [[r["provider"], r["listing_id"], str(r["rows"]), could_be(r)] for r in strangers]
        screen.grid(table(columns, cells))
        for line in sorted({r["suggestion"]["line"] for r in strangers if r["suggestion"]}):
            screen.line((f"  {line}", DIM))
    if steps:
        screen.line()
        screen.line(("Next", HEAD))
        for place, step in enumerate(steps, 1):
            screen.line(f"  {place}. {step}")
