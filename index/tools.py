"""Commands around the benchmark: health, sources, saved bodies, the schedule, settings."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from index.app import (
    BundleOption,
    JsonOption,
    OutOption,
    moment_of,
    screen_of,
    settings_of,
    source_named,
)
from methodology.errors import UsageError


def doctor(
    show_unmapped: Annotated[
        bool, typer.Option("--unmapped", help="List the listings no reviewed line maps.")
    ] = False,
    out: OutOption = None,
    bundle: BundleOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check log, lock, disk, versions, bundle, sources, schedule.

    Exit code 1 if something must be mended.

    \b
    Example:
      spotfix doctor
      spotfix doctor --unmapped
    """
    from index import doctor as health
    from index import reading, schedule, unmapped
    from index.terminal import Bars, table

    settings, screen = settings_of(out=out, bundle=bundle), screen_of(as_json)
    if show_unmapped:
        rows = unmapped.unmapped(reading.open_ledger(settings))
        if as_json:
            screen.json(rows)
            return
        columns = [
            ("source", "<"), ("provider", "<"), ("listing", "~"), ("rows", ">"), ("could be", "<"),
        ]  # fmt: skip
        cells = [
            [r["source"], r["provider"], r["listing_id"], str(r["rows"]), unmapped.could_be(r)]
            for r in rows
        ]
        screen.grid(table(columns, cells))
        lines = sorted({r["suggestion"]["line"] for r in rows if r["suggestion"]})
        if lines:
            screen.line()
            screen.line("Lines to check against the seller's page, then to add (none is used yet):")
            for line in lines:
                screen.line(f"  {line}")
        screen.say(f"{len(rows):,} listings; a line in methodology/instruments/ maps one")
        return
    with Bars(screen) as bars:
        bars.tell("check", "")
        checks = health.examine(settings, schedule.utc_now())
    screen.json(health.as_values(checks)) if as_json else health.print_checks(screen, checks)
    raise typer.Exit(int(any(one.state == "bad" for one in checks)))


def status(out: OutOption = None, as_json: JsonOption = False) -> None:
    """Say what stands: log, newest prints, next due, late by, keys.

    Exit code 12 when a print is late, 21 when the log contradicts itself.

    \b
    Example:
      spotfix status
      spotfix status --json
    """
    from index import schedule
    from index import status as standing

    settings, screen = settings_of(out=out), screen_of(as_json)
    found = standing.read(settings, schedule.utc_now())
    screen.json(found) if as_json else standing.show(screen, found)
    raise typer.Exit(standing.code_of(found))


def sources(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SOURCE]...", help="Only these, with their terms."),
    ] = None,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the admitted sources, their terms, their last success.

    \b
    Example:
      spotfix sources
      spotfix sources deepinfra lambda_cloud
    """
    from index import listing

    settings, screen = settings_of(out=out), screen_of(as_json)
    rows = listing.rows(settings, [source_named(name) for name in names or ()])
    screen.json(rows) if as_json else listing.show(screen, rows, with_terms=bool(names))


def parse(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="A source id; `spotfix sources` lists them.")
    ],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A saved body, plain or .gz.")],
    fetched_at: Annotated[
        str | None,
        typer.Option("--fetched-at", metavar="TIME", help="Default: the file's own time."),
    ] = None,
    rows: Annotated[int, typer.Option("--rows", min=0, help="Print this many rows.")] = 20,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print the rows as CSV.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Read a saved body: its rows, and what was refused and why.

    \b
    Example:
      spotfix parse models_dev api.json --fetched-at 2026-08-12T00:00:00Z
      spotfix parse litellm changes.parquet --csv | head
    """
    from index import saved

    if as_csv and as_json:
        raise UsageError("--csv and --json: give one of them")
    screen = screen_of(as_json)
    reading = saved.read(source_named(source), file, moment_of(fetched_at, "--fetched-at"))
    if fetched_at is None:
        screen.say(f"fetched at {reading.capture.observed_at:%Y-%m-%dT%H:%M:%SZ}, the file's time")
    if as_csv:
        sys.stdout.write(saved.as_csv(reading))
        if reading.parsed.rejections.height:
            screen.say(f"{reading.parsed.rejections.height:,} rows refused; --json has them")
    elif as_json:
        screen.json(saved.as_values(reading))
    else:
        saved.print_reading(screen, reading, rows)


def schedule(
    once: Annotated[
        bool, typer.Option("--next", help="Only say when the next prints are due.")
    ] = False,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Stay, collect hourly, publish each print when it is due.

    \b
    Example:
      spotfix schedule --next
      spotfix schedule
    """
    from index import schedule as calendar
    from methodology import clock

    settings, screen = settings_of(out=out), screen_of(as_json)
    if once:
        due = {
            session: clock.iso(at) for session, at in calendar.next_due(calendar.utc_now()).items()
        }
        if as_json:
            screen.json(due)
            return
        for session, at in due.items():
            screen.line(f"next {session} print due {at}")
        return
    from index import collecting, liverun, metrics
    from index.reading import failures_by_source
    from index.shop import refuse_unless_ready

    refuse_unless_ready(settings)  # now, and not at every wake-up

    cleaned: list[date] = []

    def say(stage: str, what: str) -> None:
        screen.say(f"{clock.iso(calendar.utc_now())}  {stage:<9}  {what}", style="")

    def wake(settings: Any, at: Any) -> None:
        report = liverun.run_due(settings)
        metrics.write(settings, at)
        if cleaned != [at.date()]:
            cleaned[:] = [at.date()]
            gone = collecting.expire_bodies(settings, at)
            if gone:
                say("expired", f"{len(gone)} bodies past their retention; their lines stay")
        if report.appended:
            from index import projections

            projections.rebuild(settings)
        say("published", f"{report.appended} records, log size {report.log_size}")
        for source, told, count in failures_by_source(report.failures):
            say("failed", f"{source}: {told}" + (f" ({count} times)" if count > 1 else ""))

    calendar.serve(settings, wake, say)


def bundle(
    payloads: Annotated[Path, typer.Argument(metavar="PAYLOADS", help="Folder of saved bodies.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write.")] = Path(
        "data/bundled"
    ),
    as_json: JsonOption = False,
) -> None:
    """Make the bundled history from saved bodies.

    \b
    Example:
      spotfix bundle payloads --out data/bundled
    """
    from index import bundle as making
    from index.terminal import table

    screen = screen_of(as_json)
    if not payloads.is_dir():
        raise UsageError(f"{payloads}: no such folder; name the folder of saved bodies")
    report = making.build_bundle(payloads, out)
    names = ("file", "rows", "bytes", "refused")
    if as_json:
        files = [dict(zip(names, one, strict=True)) for one in report.files]
        screen.json({"files": files, "total_bytes": report.total_bytes})
        return
    columns = [(names[0], "<"), *((one, ">") for one in names[1:])]
    cells = [[file, f"{n:,}", f"{size:,}", f"{no:,}"] for file, n, size, no in report.files]
    screen.grid(table(columns, cells))
    screen.line(f"{out}/: {report.total_bytes:,} bytes in all")


def config_show(
    out: OutOption = None, bundle: BundleOption = None, as_json: JsonOption = False
) -> None:
    """Print the settings in force and where each came from.

    \b
    Example:
      spotfix config show
      SPOTFIX_OUT=state spotfix config show --json
    """
    from index.terminal import DIM, table

    flags = {"out": out, "bundle": bundle}
    rows = _origins(settings_of(**flags), flags)
    screen = screen_of(as_json)
    if as_json:
        screen.json(rows)
        return
    columns = [("setting", "<"), ("value", "~"), ("from", "<"), ("meaning", "~")]
    screen.grid(
        table(columns, [[r["name"], str(r["value"]), r["from"], r["meaning"]] for r in rows])
    )
    screen.line(("flag, then SPOTFIX_ variable, then spotfix.toml, then default", DIM))


def _origins(settings: Any, flags: Mapping[str, object]) -> list[dict[str, Any]]:
    """Return name, value, origin and meaning of each setting, those of sources one by one."""
    from pydantic_settings import EnvSettingsSource, TomlConfigSettingsSource

    kind = type(settings)
    given = [
        ("flag", {k: v for k, v in flags.items() if v is not None}),
        ("env", EnvSettingsSource(kind)()),
        ("file", TomlConfigSettingsSource(kind)()),
    ]

    def origin(*path: str) -> str:
        for name, values in given:
            found: Any = values
            for part in path:
                found = found.get(part) if isinstance(found, dict) else None
            if found is not None:
                return name
        return "default"

    rows = []
    for name, field in kind.model_fields.items():
        value = getattr(settings, name)
        meaning = field.description or ""
        if name != "sources":
            shown = value if isinstance(value, bool | int | float) else str(value)
            rows.append({"name": name, "value": shown, "from": origin(name), "meaning": meaning})
            continue
        for source, one in sorted(value.items()):
            for part, inner in one.model_dump(exclude_none=True).items():
                where = origin(name, source, part)
                told = {"name": f"{name}.{source}.{part}", "value": inner, "from": where}
                rows.append({**told, "meaning": "of this source alone"})
    return rows
