"""The command ``spotfix explain``: from a published value to the rule and the source."""

from __future__ import annotations

from typing import Annotated

import typer

from index.app import (
    AllOption,
    IndexArgument,
    JsonOption,
    OutOption,
    day_of,
    screen_of,
    settings_of,
)


def explain(
    index_id: IndexArgument,
    day: Annotated[
        str | None, typer.Argument(metavar="DATE", help="An index day; default: the newest.")
    ] = None,
    revision: Annotated[
        int | None, typer.Option("--revision", min=0, max=2, help="Default: the last one.")
    ] = None,
    out: OutOption = None,
    every: AllOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show how a value was made: clause, parameter, code, source.

    \b
    Example:
      spotfix explain GPR-H100-ANY-OD-NEO-GLB 2026-08-22
      spotfix explain TKX-ALL-BLD --json
    """
    from index import explain as telling
    from index import reading, show_explain

    settings, screen = settings_of(out=out), screen_of(as_json)
    name = reading.resolve(index_id, reading.definitions_by_id())
    ledger = reading.open_ledger(settings)
    record = reading.fixing_of(ledger, name, day_of(day, "DATE"), revision)
    told = telling.explain(ledger, telling.read(ledger, record))
    screen.json(told) if as_json else show_explain.explanation(screen, told, every)
