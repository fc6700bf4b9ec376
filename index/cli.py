"""The command ``spotfix``: what each word does, and nothing of how.

Results go to stdout, talk to stderr. Everything heavy is imported inside the command that needs
it. Exit codes: 0 done, 2 usage, 3 settings, 10 and 11 with ``--strict``, 12 a final was blocked or
a print is late, 20 verification, 21 log, 75 another publisher.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from index import (
    backtesting,
    calendars_cli,
    conformance,
    explaining,
    export_cli,
    keys_cli,
    oversight_cli,
    recording,
    revise_cli,
    serve_cli,
    settle,
    tools,
    verify_cli,
    witness_cli,
)
from index.app import (
    AllOption,
    BundleOption,
    Group,
    IndexArgument,
    JsonOption,
    OutOption,
    day_of,
    moment_of,
    screen_of,
    settings_of,
)
from methodology.errors import UsageError

if TYPE_CHECKING:
    from index.pipeline import Report
    from index.terminal import Screen

DEGRADED, NO_VALUE, BLOCKED = 10, 11, 12

app = typer.Typer(
    name="spotfix",
    cls=Group,
    rich_markup_mode=None,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
config_app = typer.Typer(
    cls=Group, rich_markup_mode=None, no_args_is_help=True, help="Look at the settings."
)
app.add_typer(config_app, name="config")


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version

        try:
            typer.echo(f"spotfix {version('spotfix')}")
        except PackageNotFoundError:
            typer.echo("spotfix (not installed, run from its folder)")
        raise typer.Exit


@app.callback()
def frame(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Open, recomputable spot price benchmarks for AI tokens and GPU-hours.

    \b
    First steps:
      spotfix run                     publish the bundled history, offline
      spotfix list                    every index with its newest value
      spotfix show TKX-ALL-BLD        one value, and what it was made from
      spotfix verify                  recompute everything that was published
    """


@app.command()
def run(
    live: Annotated[bool, typer.Option("--live", help="Collect now, publish what is due.")] = False,
    due: Annotated[
        bool, typer.Option("--due", help="One wake-up: collect hourly, publish what is due.")
    ] = False,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="TIME", help="With --live or --due: another moment than now."),
    ] = None,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Exit 10 below REDUCED, 11 for a NO_FIX."),
    ] = False,
    out: OutOption = None,
    bundle: BundleOption = None,
    every: AllOption = False,
    as_json: JsonOption = False,
) -> None:
    """Publish every due fixing; a second run changes nothing.

    Without options it reads the bundled history and touches no network. A final on which two
    engines disagree is not released: exit 12.

    \b
    Example:
      spotfix run
      spotfix run --live --strict
    """
    from index import show
    from index.terminal import Bars

    settings, screen, moment = settings_of(out=out, bundle=bundle), screen_of(as_json), None
    if at is not None:
        if not (live or due):
            raise UsageError("--at goes with --live or --due; the bundled history has its own days")
        moment = moment_of(at, "--at")
    if live and due:
        raise UsageError("--live and --due: give one of them")
    with Bars(screen) as bars:
        if live or due:
            from index import liverun

            work = liverun.run_live if live else liverun.run_due
            report = work(settings, moment.replace(tzinfo=None) if moment else None, bars.tell)
        else:
            from index import pipeline

            report = pipeline.run_bundled(settings, bars.tell)
        from index import metrics, projections, schedule

        if report.appended or not projections.is_current(settings):
            projections.rebuild(settings, bars.tell)
        metrics.write(settings, schedule.utc_now())
    if as_json:
        screen.json({**vars(report), "is_nothing_due": report.is_nothing_due})
    else:
        show.run(screen, report, settings, settings.log_origin, every)
    if report.blocked:
        for one in report.blocked:
            screen.say(f"blocked: final of {one['index_id']} {one['ref_date']}: {one['detail']}")
        raise typer.Exit(BLOCKED)
    raise typer.Exit(_strictly(report, screen) if strict else 0)


def _strictly(report: Report, screen: Screen) -> int:
    """Return the exit code of ``--strict`` and say why it is not 0."""
    silent = [f["index_id"] for f in report.fixings if f["value"] is None]
    low = [
        f["index_id"]
        for f in report.fixings
        if f["value"] is not None and f["waterfall"] not in ("FULL", "REDUCED")
    ]
    if silent:
        screen.say(f"strict: {len(silent)} without a value, first {silent[0]}")
        return NO_VALUE
    if low:
        screen.say(f"strict: {len(low)} below REDUCED, first {low[0]}")
        return DEGRADED
    return 0


@app.command("list")
def list_indices(out: OutOption = None, as_json: JsonOption = False) -> None:
    """Name every index with its newest day and value.

    \b
    Example:
      spotfix list
      spotfix list --json | jq '.[] | select(.value != null) | .index_id'
    """
    from index import reading, show

    screen = screen_of(as_json)
    rows = reading.listed(settings_of(out=out))
    screen.json(rows) if as_json else show.listing(screen, rows)


@app.command("show")
def show_fixing(
    index_id: IndexArgument,
    day: Annotated[
        str | None, typer.Option("--date", metavar="DAY", help="An index day; default: newest.")
    ] = None,
    revision: Annotated[
        int | None, typer.Option("--revision", min=0, max=2, help="Default: the last one.")
    ] = None,
    out: OutOption = None,
    every: AllOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show one fixing: value, panel, who did not count, proof.

    \b
    Example:
      spotfix show TKR-gpt-oss-120b-BLD
      spotfix show GPR-H100-SXM-80-OD-NEO-GLB --all
    """
    from index import reading, show_fixing

    settings, screen = settings_of(out=out), screen_of(as_json)
    name = reading.resolve(index_id, reading.definitions_by_id())
    ledger = reading.open_ledger(settings)
    record = reading.fixing_of(ledger, name, day_of(day, "--date"), revision)
    told = reading.shown(ledger, record)
    screen.json(told) if as_json else show_fixing.fixing(screen, told, settings, every)


@app.command()
def history(
    index_id: IndexArgument,
    first: Annotated[
        str | None, typer.Option("--from", metavar="DAY", help="First day; default: the earliest.")
    ] = None,
    last: Annotated[
        str | None, typer.Option("--to", metavar="DAY", help="Last day; default: the newest.")
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    parquet: Annotated[
        Path | None, typer.Option("--parquet", metavar="FILE", help="Write a Parquet file.")
    ] = None,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the values of one index, day by day.

    \b
    Example:
      spotfix history TKX-ALL-BLD --from 2026-08-01
      spotfix history GPR-H100-SXM-80-OD-HYP-US --csv > h100.csv
    """
    from index import history as past
    from index import reading, show

    if sum((as_csv, as_json, parquet is not None)) > 1:
        raise UsageError("--csv, --json and --parquet: give one of them")
    settings, screen = settings_of(out=out), screen_of(as_json)
    name = reading.resolve(index_id, reading.definitions_by_id())
    span = day_of(first, "--from"), day_of(last, "--to")
    if span[0] and span[1] and span[0] > span[1]:
        raise UsageError(f"--from {first} is after --to {last}")
    reading.require_ledger(settings)
    rows = past.history(settings, name, *span)
    if parquet is not None:
        part = parquet.with_name(parquet.name + ".part")
        with part.open("wb") as file:
            past.write(rows, "parquet", file)
        part.replace(parquet)
        screen.say(f"{parquet}: {rows.height:,} days")
    elif as_csv or as_json:
        sys.stdout.flush()
        past.write(rows, "csv" if as_csv else "json", sys.stdout.buffer)
    else:
        show.history(screen, rows.to_dicts())


app.command()(verify_cli.verify)


@app.command()
def rebuild(out: OutOption = None, as_json: JsonOption = False) -> None:
    """Make the tables for analysis again, from the ledger.

    \b
    Example:
      spotfix rebuild
    """
    from index import projections, reading
    from index.terminal import Bars

    settings, screen = settings_of(out=out), screen_of(as_json)
    reading.require_ledger(settings)
    with Bars(screen) as bars:
        made = projections.rebuild(settings, bars.tell)
    told: Any = made if made is not None else {"folder": settings.data}
    screen.json(told) if as_json else screen.line(f"made again: {settings.data}/")


app.command()(explaining.explain)
app.command()(settle.settle)
app.command()(calendars_cli.calendars)
app.command()(export_cli.export)
app.command()(backtesting.backtest)
app.command()(conformance.conformance)
app.command()(tools.doctor)
app.command()(tools.status)
app.command()(tools.sources)
app.command()(tools.parse)
app.command()(recording.record)
app.command()(tools.schedule)
app.command()(tools.bundle)
app.command()(witness_cli.witness)
app.command()(revise_cli.revise)
app.add_typer(oversight_cli.app, name="oversight")
config_app.command("show")(tools.config_show)
app.command()(serve_cli.serve)
app.command()(serve_cli.replay)
app.add_typer(serve_cli.clients_app, name="clients")
app.add_typer(keys_cli.app, name="keys")


def main() -> None:
    """Run the command with the words of the command line; the way in for ``spotfix``."""
    app()
