"""The command ``spotfix backtest``: what the rules would have published, as a page and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from index.app import BundleOption, JsonOption, OutOption, day_of, screen_of, settings_of
from methodology.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from index.terminal import Screen


def backtest(
    first: Annotated[
        str, typer.Option("--from", metavar="DAY", help="First day shown.")
    ] = "2024-01-01",
    last: Annotated[
        str | None, typer.Option("--to", metavar="DAY", help="Last day; default: the newest.")
    ] = None,
    out: OutOption = None,
    bundle: BundleOption = None,
    as_json: JsonOption = False,
) -> None:
    """Back-test the rules on the bundled history: a report page.

    Writes site/backtest.html and site/backtest.json below the folder of all state. It reads the
    bundle alone and publishes nothing.

    \b
    Example:
      spotfix backtest --from 2024-01-01
      spotfix backtest --to 2026-06-30 --json
    """
    from index.terminal import Bars

    settings, screen = settings_of(out=out, bundle=bundle), screen_of(as_json)
    begin, end = day_of(first, "--from"), day_of(last, "--to")
    assert begin is not None, "--from has a default"
    if end is not None and begin > end:
        raise UsageError(f"--from {first} is after --to {last}")
    (settings.out / "site").mkdir(parents=True, exist_ok=True)  # refused now, not in a minute
    with Bars(screen) as bars:
        told = make(settings.bundle, begin, end, bars.tell)
        bars.tell("write", "site")
        files = write(settings.out / "site", told)
    if as_json:
        screen.json(told)
    else:
        _print(screen, told, files)


def make(bundle: Path, first: Any, last: Any, tell: Any) -> dict[str, Any]:
    """Return the report of a bundle: one pass here, one without screens in a second process.

    Raises:
        UsageError: no index has a day from ``first`` on.
    """
    from index.backtest import passes
    from index.backtest.report import report

    tell("read", "bundle")
    history = passes.read(bundle, last)
    if not any(day and day >= first for day in history.until.values()):
        raise UsageError(f"--from {first}: every index ends before it; choose an earlier day")
    with passes.beside(bundle, last) as aside:
        outcome, back_cast = passes.determined(
            history, history.rules, lambda step: tell("determine", step)
        )
        tell("compare", "without screens, scenarios")
        without, rows = aside.result()
    tell("report", "figures")
    return report(history, outcome, back_cast, without, rows, first, last)


def write(folder: Path, told: dict[str, Any]) -> list[Path]:
    """Write page and figures, each in one step, and return their paths.

    The JSON has a line per top-level key, so that two reports can be compared.
    """
    import json

    from index.backtest.page import render

    lines = [
        f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False, separators=(',', ':'))}"
        for key, value in told.items()
    ]
    folder.mkdir(parents=True, exist_ok=True)
    bodies = {"backtest.html": render(told), "backtest.json": "{\n" + ",\n".join(lines) + "\n}\n"}
    made = []
    for name, body in bodies.items():
        part = folder / f"{name}.part"
        part.write_text(body, "utf-8")
        made.append(part.replace(folder / name))
    return made


def _print(screen: Screen, told: dict[str, Any], files: list[Path]) -> None:
    found, tested = told["anomalies"], told["scenarios"]
    checks = [m for e in told["events"] for m in (*e["moves"], *e["stays"])]
    known = [m for m in checks if m["as_expected"] is not None]
    right = sum(m["as_expected"] for m in known)
    screen.pair("days", f"{told['from']} to {told['to']}, {told['index_days']:,} index days")
    screen.pair("events", f"{right} of {len(known)} checks as worked by hand")
    screen.pair("screens", f"{found['count']:,} prices held, excluded or suspect")
    screen.pair(
        "scenarios", f"{tested['as_expected']} of {tested['count']} days as the rulebook says"
    )
    for file in files:
        screen.pair("file", str(file))
