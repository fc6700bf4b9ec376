"""``spotfix export``: a month for an auditor, or values for a spreadsheet."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from index.app import JsonOption, OutOption, day_of, screen_of, settings_of
from methodology.errors import UsageError


def export(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[INDEX]...", help="Only these indices; default: all."),
    ] = None,
    audit: Annotated[
        str | None,
        typer.Option("--audit", metavar="MONTH", help="An audit bundle of a month, or `days`."),
    ] = None,
    target: Annotated[
        Path | None, typer.Option("--to", metavar="PATH", help="Where the audit bundle goes.")
    ] = None,
    tar: Annotated[bool, typer.Option("--tar", help="One .tar instead of a folder.")] = False,
    since: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help="First index day.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="DATE", help="Last index day.")
    ] = None,
    xlsx: Annotated[
        Path | None, typer.Option("--xlsx", metavar="FILE", help="A workbook, a sheet an index.")
    ] = None,
    csv: Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="One table.")] = None,
    parquet: Annotated[
        Path | None, typer.Option("--parquet", metavar="FILE", help="One table.")
    ] = None,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a month for an auditor, or values for a spreadsheet.

    An audit bundle holds records, signatures, proofs and everything they cite;
    index/audit/verify_offline.py checks it with Python alone.

    \b
    Example:
      spotfix export --audit 2026-08 --to audit-2026-08
      spotfix export --audit days --from 2026-08-01 --until 2026-08-12 --to two-weeks.tar --tar
      spotfix export TKX-ALL-BLD --xlsx values.xlsx
    """
    from index import reading
    from index.terminal import Bars

    tables = {"xlsx": xlsx, "csv": csv, "parquet": parquet}
    wanted = {kind: path for kind, path in tables.items() if path is not None}
    if (audit is None) == (not wanted):
        raise UsageError(
            "export: give --audit MONTH --to PATH, or one or more of --xlsx, --csv, --parquet"
        )
    settings, screen = settings_of(out=out), screen_of(as_json)
    first, last = day_of(since, "--from"), day_of(until, "--until")
    known = reading.definitions_by_id()
    index_ids = [reading.resolve(name, known) for name in names or ()]
    if audit is None:
        if target is not None or tar:
            raise UsageError("export: --to and --tar go with --audit")
        from index import exporting

        with Bars(screen) as bars:
            bars.tell("read", "ledger")
            ledger = reading.open_ledger(settings)
            frame = exporting.values(ledger, index_ids or list(known), first, last)
            for kind, path in wanted.items():
                bars.tell("write", path.name)
                exporting.write(frame, kind, path)
        told = {
            "files": [str(path) for path in wanted.values()],
            "indices": frame["index_id"].n_unique(),
            "rows": frame.height,
        }
        if as_json:
            screen.json(told)
            return
        for path in wanted.values():
            screen.line(f"{path}: {told['indices']:,} indices, {frame.height:,} rows")
        return
    if target is None:
        raise UsageError("export: --audit needs --to PATH, a new folder, or a file with --tar")
    from index import audit_bundle

    if audit == "days":
        if first is None or last is None or first > last:
            raise UsageError("export: --audit days needs --from DATE and a later --until DATE")
        span = audit_bundle.Span(first, last, tuple(index_ids) or None)
    elif first or last:
        raise UsageError("export: --from and --until go with --audit days, or without --audit")
    else:
        span = audit_bundle.month(audit, index_ids)
    with Bars(screen) as bars:
        bars.tell("read", "ledger")
        files = audit_bundle.build(settings, span)
        bars.tell("write", target.name)
        (audit_bundle.write_tar if tar else audit_bundle.write)(files, target)
    records = files["records.jsonl"].count(b"\n")
    size = sum(map(len, files.values()))
    if as_json:
        screen.json({"to": str(target), "files": len(files), "records": records, "bytes": size})
        return
    screen.line(f"{target}: {records:,} records, {len(files):,} files, {size:,} bytes")
    screen.say(f"its README.txt says how to check it; the verifier is {audit_bundle.VERIFIER}")
