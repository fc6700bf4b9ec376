"""The command ``spotfix revise``: show what a correction changes, then restate or tell (11.7)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from index.app import IndexArgument, JsonOption, OutOption, day_of, screen_of, settings_of
from methodology.errors import UsageError

if TYPE_CHECKING:
    from index.revision_plan import Plan


BLOCKED, STANDS, SAME = 12, 13, 14
"""Exit codes: two engines disagree; the value stands, with an erratum; nothing changes."""

KeyOption = Annotated[
    Path | None, typer.Option("--key", metavar="PEM", help="Private key of the first officer.")
]
CosignOption = Annotated[
    Path | None, typer.Option("--cosign", metavar="PEM", help="Private key of the second officer.")
]
SignatureOption = Annotated[
    list[str] | None,
    typer.Option("--signature", metavar="KEYID=FILE", help="A signature made elsewhere."),
]
StatementOption = Annotated[
    Path | None,
    typer.Option("--statement", metavar="FILE", help="Write the bytes to sign, change nothing."),
]


def revise(
    index_id: IndexArgument,
    day: Annotated[str, typer.Argument(metavar="DATE", help="The index day, such as 2026-11-20.")],
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="What was wrong; it becomes public.")
    ],
    correction: Annotated[
        Path | None,
        typer.Option("--correction", metavar="FILE", help="What is taken out of the day (TOML)."),
    ] = None,
    from_archive: Annotated[
        bool, typer.Option("--from-archive", help="Parse the archived bodies as of today.")
    ] = False,
    key: KeyOption = None,
    cosign: CosignOption = None,
    signature: SignatureOption = None,
    statement: StatementOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show everything, change nothing.")
    ] = False,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Restate a final for a wrong input, or log an erratum.

    No value is given: the day is determined again without what the correction takes out, or as
    today's parsers read it. Exit code 0 restated, 12 two engines disagree, 13 the value stands
    and an erratum is logged, 14 nothing changes.

    \b
    A correction takes captures or listings out; it cannot put a figure in:
      schema = "correction/1.0"
      [[correction]]
      action = "refuse-listing"       # or refuse-capture, with capture = "sha256:..."
      source = "models_dev"
      provider = "nebius"             # only this seller; may be left out, as may meter
      listing = "openai/gpt-oss-120b"
      reason = "shown per thousand tokens"
      evidence = "https://example.org/prices"
      evidence_date = 2026-11-20
      status = "reviewed"

    \b
    Example:
      spotfix revise GPR-H100-ANY-OD-NEO-GLB 2026-11-20 --reason "unit error, source x" \\
          --correction unit.toml --dry-run
      spotfix revise GPR-H100-ANY-OD-NEO-GLB 2026-11-20 --reason "unit error, source x" \\
          --correction unit.toml --key a.pem --cosign b.pem
    """
    from index import (
        corrections,
        manifest_stamps,
        officers,
        projections,
        reading,
        restating,
        revising,
        revision_show,
    )
    from index.shop import look, open_shop
    from index.terminal import Bars

    settings, screen, when = settings_of(out=out), screen_of(as_json), day_of(day, "DATE")
    if when is None or not (correction or from_archive):
        raise UsageError(
            "say what was wrong: --correction FILE names what is taken out, --from-archive parses "
            "the archived bodies again; a value cannot be given"
        )
    reading.require_ledger(settings)
    actions = corrections.read_file(correction) if correction else ()
    wanted = corrections.Correction(actions, from_archive)
    is_trial = dry_run or statement is not None
    if wanted.drafts and not dry_run:
        raise UsageError(
            f'{correction}: correction {wanted.drafts[0]} has status "draft"; it is carried out '
            'once somebody else has reviewed it and it says "reviewed"'
        )
    with Bars(screen) as bars:
        if is_trial:
            shop = look(settings)
            name = reading.resolve(index_id, shop.definitions)
            made = revising.plan(shop, name, when, reason, wanted, _now(), bars.tell)
        else:
            with open_shop(settings) as shop:
                name = reading.resolve(index_id, shop.definitions)
                made = revising.plan(shop, name, when, reason, wanted, _now(), bars.tell)
                if made.changes and not made.done:
                    made.decide(_now())
                    text = made.statement()
                    signed = officers.gather(shop, text, (key, cosign), signature or ())
                    made.done = restating.carry_out(made, signed, shop)
                    bars.tell("publish", f"{len(made.done)} decisions")
                    manifest_stamps.after(shop)
            if made.done and not projections.is_current(settings):
                projections.rebuild(settings, bars.tell)
    if statement is not None:
        _write_statement(made, statement)
    told = revision_show.as_values(made, is_trial=is_trial)
    screen.json(told) if as_json else revision_show.show(screen, told)
    if statement is not None and not as_json:
        screen.say(f"{statement}: sign these bytes as they are, then give --signature KEYID=FILE")
    raise typer.Exit(0 if is_trial else _code(made))


def _now() -> Any:
    from index import schedule

    return schedule.utc_now()


def _write_statement(made: Plan, file: Path) -> None:
    if made.done or not made.changes:
        raise UsageError(
            "there is nothing to sign: " + ("it is done" if made.done else "no change")
        )
    try:
        file.write_bytes(made.statement())
    except OSError as error:
        raise UsageError(f"--statement: {file}: {error.strerror or error}") from error


def _code(made: Plan) -> int:
    """Return the exit code: what became of the index that was asked for."""
    mine = [one for one in made.done if one["index_id"] == made.index_id]
    if not mine:
        return SAME
    if any(one["type"] == "restatement" for one in mine):
        return 0
    return BLOCKED if mine[-1]["outcome"] == "BLOCKED" else STANDS


__all__ = ["CosignOption", "KeyOption", "SignatureOption", "StatementOption", "revise"]
