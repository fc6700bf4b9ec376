"""The commands ``spotfix oversight …``: what people decide about published values (rulebook 24)."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from index.app import Group, IndexArgument, JsonOption, OutOption, day_of, screen_of, settings_of
from index.revise_cli import CosignOption, KeyOption, SignatureOption, StatementOption
from methodology.errors import UsageError

if TYPE_CHECKING:
    from index.shop import Shop

Row = dict[str, Any]

app = typer.Typer(
    cls=Group,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Complaints, cessations, errata, notices, the list of errors.",
)
complaint_app = typer.Typer(
    cls=Group, rich_markup_mode=None, no_args_is_help=True, help="Take complaints in, answer them."
)
app.add_typer(complaint_app, name="complaint")

DayArgument = Annotated[str, typer.Argument(metavar="DATE", help="The index day.")]
IndexOption = Annotated[
    str | None, typer.Option("--index", metavar="INDEX", help="The index it is about.")
]
DayOption = Annotated[str | None, typer.Option("--date", metavar="DAY", help="Its index day.")]
TextOption = Annotated[
    str, typer.Option("--text", metavar="TEXT", help="In words; it becomes public and stays.")
]


def _tell(logged: Row, as_json: bool, text: str, statement: Path | None = None) -> None:
    screen = screen_of(as_json)
    if as_json:
        screen.json(logged)
    elif statement is not None:
        screen.line(f"{statement}: sign these bytes as they are; nothing was logged")
    else:
        screen.line(f"record {logged['seq']}: {text}")


def _named(index_id: str) -> str:
    from index import reading

    return reading.resolve(index_id, reading.definitions_by_id())


@complaint_app.command("receive")
def receive(
    text: TextOption,
    index_id: IndexOption = None,
    day: DayOption = None,
    complainant: Annotated[
        str | None, typer.Option("--by", metavar="NAME", help="A pseudonym; it becomes public.")
    ] = None,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Log a complaint with the value it is about.

    \b
    Example:
      spotfix oversight complaint receive --index TKX-ALL-BLD --date 2026-11-20 --text "too high"
    """
    from index import oversight, oversight_log

    name, when = _named(index_id) if index_id else None, day_of(day, "--date")
    logged = oversight_log.log(
        settings_of(out=out),
        lambda shop, at: oversight.complaint(
            shop, at, text, index_id=name, day=when, complainant=complainant
        ),
    )
    about = f" about {logged['index_id']} {logged['ref_date']}, {logged['value']}" if name else ""
    told = (
        f"{logged['complaint_id']} received{about}; answer it within {oversight.ANSWER_DAYS} days"
    )
    _tell(logged, as_json, told)


@complaint_app.command("answer")
def answer(
    complaint_id: Annotated[str, typer.Argument(metavar="ID", help="Such as C2026-0001.")],
    findings: Annotated[
        str, typer.Option("--findings", metavar="TEXT", help="What was found; it becomes public.")
    ],
    reviewer: Annotated[
        str | None,
        typer.Option("--reviewer", metavar="KEYID", help="Who will sign, with --statement."),
    ] = None,
    key: KeyOption = None,
    signature: SignatureOption = None,
    statement: StatementOption = None,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Answer a complaint; the reviewer signed neither restatement nor erratum of that value.

    \b
    Example:
      spotfix oversight complaint answer C2026-0001 --findings "recomputed, it stands" --key a.pem
    """
    from index import officers, oversight, oversight_log

    who = reviewer
    if key is not None:
        who = officers.sign(key, b"")[0]
    elif signature:
        who = signature[0].partition("=")[0]
    if who is None:
        raise UsageError(
            "say who reviews it: --key PEM, --signature KEYID=FILE or --reviewer KEYID"
        )
    logged = oversight_log.log(
        settings_of(out=out),
        lambda shop, at: oversight.answer(shop, complaint_id, findings, who),
        oversight_log.Signing(1, (key,), signature or (), statement),
    )
    _tell(logged, as_json, f"{complaint_id} answered", statement)


@app.command()
def cessation(
    index_id: IndexArgument,
    last: Annotated[str, typer.Option("--last", metavar="DAY", help="Last day with a fixing.")],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why it ends.")],
    successor: Annotated[
        str | None, typer.Option("--successor", metavar="INDEX", help="The index that follows it.")
    ] = None,
    emergency: Annotated[
        bool, typer.Option("--emergency", help="Less than 12 months of notice; it is recorded.")
    ] = False,
    key: KeyOption = None,
    cosign: CosignOption = None,
    signature: SignatureOption = None,
    statement: StatementOption = None,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Announce that an index ends, 12 months before.

    \b
    Example:
      spotfix oversight cessation TKX-ALL-BLD --last 2027-12-31 --reason "no use" \\
          --key a.pem --cosign b.pem
    """
    from index import oversight, oversight_log

    name, when = _named(index_id), day_of(last, "--last")
    if when is None:
        raise UsageError("--last: name the last index day")
    follows = _named(successor) if successor else None
    logged = oversight_log.log(
        settings_of(out=out),
        lambda shop, at: oversight.cessation(
            shop, at, name, when, reason, successor=follows, is_emergency=emergency
        ),
        oversight_log.Signing(2, (key, cosign), signature or (), statement),
    )
    _tell(logged, as_json, f"{name} ends on {when}", statement)


@app.command()
def erratum(
    index_id: IndexArgument,
    day: DayArgument,
    cause: Annotated[
        str, typer.Option("--cause", metavar="TEXT", help="What is wrong; it becomes public.")
    ],
    evidence: Annotated[
        list[Path] | None,
        typer.Option("--evidence", metavar="FILE", help="A file that shows it; it is published."),
    ] = None,
    key: KeyOption = None,
    cosign: CosignOption = None,
    signature: SignatureOption = None,
    statement: StatementOption = None,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell in words what is wrong with a value; `spotfix revise` also determines it again.

    \b
    Example:
      spotfix oversight erratum TKX-ALL-BLD 2026-11-20 --cause "footnote names the wrong source" \\
          --key a.pem --cosign b.pem
    """
    from index import oversight, oversight_log

    name, when = _named(index_id), day_of(day, "DATE")
    bodies = [_read(one) for one in evidence or ()]

    def make(shop: Shop, at: datetime) -> Row:
        if when is None:
            raise UsageError("DATE: name the index day")
        cited = [_cited(shop, body, statement is None) for body in bodies]
        return oversight.erratum(shop, name, when, cause, cited)

    logged = oversight_log.log(
        settings_of(out=out),
        make,
        oversight_log.Signing(2, (key, cosign), signature or (), statement),
    )
    _tell(logged, as_json, f"erratum of {name} {day}; {logged['value']} stands", statement)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise UsageError(f"--evidence: {file}: {error.strerror or error}") from error


def _cited(shop: Shop, body: bytes, store: bool) -> Row:
    from index.revision_plan import Drawer

    return dict((shop.batches if store else Drawer(shop.batches)).put("evidence", body).reference())


@app.command()
def notice(
    text: TextOption,
    kind: Annotated[str, typer.Option("--kind", help="CHANGE or OTHER.")] = "OTHER",
    index_id: IndexOption = None,
    day: DayOption = None,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell readers something that changes no record.

    \b
    Example:
      spotfix oversight notice --kind CHANGE --text "a new source from December on"
    """
    from index import oversight, oversight_log

    name, when = _named(index_id) if index_id else None, day_of(day, "--date")
    logged = oversight_log.log(
        settings_of(out=out),
        lambda shop, at: oversight.notice(shop, kind, text, index_id=name, day=when),
    )
    _tell(logged, as_json, f"notice {kind}: {text}")


@app.command()
def errors(
    month: Annotated[str, typer.Option("--month", metavar="MONTH", help="Such as 2026-11.")],
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the errors of more than 0.01% told in a month.

    \b
    Example:
      spotfix oversight errors --month 2026-11 --json
    """
    from index import oversight, reading
    from index.terminal import table

    if len(month) != 7 or day_of(f"{month}-01", "--month") is None:
        raise UsageError(f"--month {month!r}: write it like 2026-11")
    rows = oversight.errors(reading.open_ledger(settings_of(out=out)).published, month)
    screen = screen_of(as_json)
    if as_json:
        screen.json({"month": month, "more_than_pct": "0.01", "errors": rows})
        return
    if not rows:
        screen.line(f"{month}: no error of more than 0.01% was told")
        return
    columns = [("index", "<"), ("day", "<"), ("published", ">"), ("should be", ">"), ("%", ">"),
               ("became", "<"), ("cause", "~")]  # fmt: skip
    cells = [
        [r["index_id"], r["ref_date"], r["published"] or "–", r["should_be"] or "–",
         r["delta_pct"] or "–", r["became"], r["cause"]]
        for r in rows
    ]  # fmt: skip
    screen.grid(table(columns, cells))


@app.command("list")
def list_records(out: OutOption = None, as_json: JsonOption = False) -> None:
    """List complaints with their time limits, cessations, restatements, errata and notices.

    \b
    Example:
      spotfix oversight list
    """
    from index import oversight, reading, schedule

    published = reading.open_ledger(settings_of(out=out)).published
    screen = screen_of(as_json)
    waiting = oversight.complaints(published, schedule.utc_now())
    if as_json:
        screen.json(
            {
                "complaints": waiting,
                "cessations": published.cessations,
                "restatements": published.restatements,
                "errata": published.errata,
                "notices": published.notices,
            }
        )
        return
    for one in waiting:
        about = f"{one['index_id']} {one['ref_date']}" if one["index_id"] else "no value"
        screen.line(
            f"{one['complaint_id']}  {one['state']}  about {about}, answer due "
            f"{one['answer_due'][:10]}: {one['text']}"
        )
    for one in published.cessations:
        screen.line(f"{one['index_id']} ends on {one['last_ref_date']}: {one['reason']}")
    for one in published.restatements:
        screen.line(
            f"{one['index_id']} {one['ref_date']} restated: {one['value_before']} → "
            f"{one['value_after']} ({one['delta_pct']}%), {one['reason']}"
        )
    for one in published.errata:
        screen.line(
            f"{one['index_id']} {one['ref_date']} erratum: {one['value']} stands, should be "
            f"{one['should_be'] or 'not determined'}: {one['cause']}"
        )
    for one in published.notices:
        screen.line(f"notice {one['kind']} {one['at'][:10]}: {one['text']}")
    screen.say(f"{len(waiting)} complaints, {len(published.cessations)} cessations")
