"""``spotfix keys``: which keys sign, where their private parts are, how one follows another."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from index.app import Group, JsonOption, OutOption, screen_of, settings_of
from methodology.errors import UsageError

app = typer.Typer(
    cls=Group,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="See, make, replace and revoke the keys that sign.",
)

RootKey = Annotated[
    Path | None, typer.Option("--root-key", metavar="FILE", help="The root's private key.")
]
StatementFile = Annotated[
    Path | None,
    typer.Option("--statement", metavar="FILE", help="Write here what the root has to sign."),
]
SignedFile = Annotated[
    Path | None, typer.Option("--signed", metavar="FILE", help="What the root signed elsewhere.")
]


@app.command("list")
def list_keys(out: OutOption = None, as_json: JsonOption = False) -> None:
    """List the keys: what for, from which record on, where the private part is.

    \b
    Example:
      spotfix keys list
      spotfix keys list --json
    """
    from index import keyholding
    from index.terminal import table

    settings, screen = settings_of(out=out), screen_of(as_json)
    rows = keyholding.rows(settings)
    if as_json:
        screen.json(rows)
        return
    columns = [
        ("key", "<"), ("name", "~"), ("algorithm", "<"), ("state", "<"), ("from", ">"),
        ("until", ">"), ("revoked from", ">"), ("private part", "~"),
    ]  # fmt: skip
    cells = [
        [
            row["id"],
            row["name"],
            row["algorithm"],
            row["state"],
            *(
                "" if row[name] is None else f"{row[name]:,}"
                for name in ("first_seq", "until_seq", "revoked_from_seq")
            ),
            row["private"],
        ]
        for row in rows
    ]
    screen.grid(table(columns, cells))


@app.command("create")
def create(
    purpose: Annotated[
        str | None,
        typer.Argument(metavar="[PURPOSE]", help="root, fixing, log, log_pq, officer, witness."),
    ] = None,
    root: Annotated[
        Path | None,
        typer.Option("--root", metavar="FILE", help="Make all keys; the root's goes here."),
    ] = None,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FILE", help="Make one key, here.")
    ] = None,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make new keys, readable by their owner alone. Nothing is overwritten.

    With --root all that a new log needs. Take the root's file to a medium that is kept offline.

    \b
    Example:
      spotfix keys create --root /media/safe/root.pem
      spotfix keys create fixing --to out/keys/fixing-2.pem
    """
    from index import keyholding, keymaking
    from index.publication.keyring import DEV_ADMINISTRATOR, DEV_ORIGIN, OPENING, SLOTS
    from index.publication.keys import ED25519, PemSigner, create_pem
    from index.terminal import WARN

    settings, screen = settings_of(out=out), screen_of(as_json)
    if (root is None) == (to is None) or (to is None) != (purpose is None):
        raise UsageError("give --root FILE for all keys, or PURPOSE and --to FILE for one")
    if root is not None:
        made = keymaking.create_all(settings, root, keyholding.utc_now())
    else:
        assert to is not None
        assert purpose is not None
        kinds = {**SLOTS, "officer": ("officer", ED25519), "witness": ("witness", ED25519)}
        if purpose not in kinds:
            raise UsageError(f"purpose {purpose!r} is none of {', '.join(kinds)}")
        kind, algorithm = kinds[purpose]
        create_pem(to, algorithm)
        made = [PemSigner(to, name=f"{settings.administrator_id}/{purpose}", purpose=kind).public]
    if as_json:
        screen.json([{"id": k.id, "purpose": k.purpose, "algorithm": k.algorithm} for k in made])
        return
    for key in made:
        screen.line(f"{key.id}  {key.algorithm}")
    if root is not None:
        screen.say(f"take {root} offline now; {settings.keys} holds the rest")
        if settings.log_origin == DEV_ORIGIN or settings.administrator_id == DEV_ADMINISTRATOR:
            screen.say(
                f"! they are signed for log {settings.log_origin} of {settings.administrator_id}, "
                "names that cannot publish live: set log_origin and administrator_id, remove "
                f"{settings.keys / OPENING}, then: spotfix keys opening --root-key {root}",
                WARN,
            )


@app.command("opening")
def opening(
    root_key: Annotated[Path, typer.Option("--root-key", metavar="FILE", help="The root's key.")],
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let the root sign the first records of a log that does not exist yet.

    \b
    Example:
      spotfix keys opening --root-key /media/safe/root.pem
    """
    from index import keyholding, keymaking

    settings, screen = settings_of(out=out), screen_of(as_json)
    path = keymaking.sign_opening(settings, root_key, keyholding.utc_now())
    screen.json({"file": str(path)}) if as_json else screen.line(f"signed: {path}")


@app.command("rotate")
def rotate(
    purpose: Annotated[str, typer.Argument(metavar="PURPOSE", help="root, fixing, log or log_pq.")],
    key: Annotated[Path, typer.Option("--key", metavar="FILE", help="The new private key.")],
    root_key: RootKey = None,
    statement: StatementFile = None,
    signed: SignedFile = None,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a new key take over from the one in force.

    \b
    Example:
      spotfix keys rotate fixing --key out/keys/fixing-2.pem --statement change.json
      spotfix keys sign change.json --key /media/safe/root.pem --to change-signed.json
      spotfix keys rotate fixing --key out/keys/fixing-2.pem --signed change-signed.json
    """
    from index import keyholding

    settings, screen = settings_of(out=out), screen_of(as_json)
    way = keyholding.Way(root_key, statement, signed)
    made = keyholding.rotate(settings, purpose, key, way, keyholding.utc_now())
    _tell(screen, made, statement, as_json)


@app.command("revoke")
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="KEY_ID", help="As `keys list` shows it.")],
    from_seq: Annotated[
        int,
        typer.Option("--from-seq", metavar="N", min=0, help="First record it counts no more for."),
    ],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, in words.")],
    replacement: Annotated[
        Path | None,
        typer.Option("--replacement", metavar="FILE", help="The key that signs from now on."),
    ] = None,
    root_key: RootKey = None,
    statement: StatementFile = None,
    signed: SignedFile = None,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """State that a key's signatures count no more from a record on.

    \b
    Example:
      spotfix keys revoke fixing-44ca4bc3911699e6 --from-seq 512 --reason "copied from a backup" \\
        --replacement out/keys/fixing-2.pem --root-key /media/safe/root.pem
    """
    from index import keyholding

    settings, screen = settings_of(out=out), screen_of(as_json)
    if not reason.strip():
        raise UsageError("--reason: say why; it stands in the log for ever")
    way = keyholding.Way(root_key, statement, signed)
    made = keyholding.revoke(
        settings, key_id, from_seq, reason, way, keyholding.utc_now(), replacement
    )
    _tell(screen, made, statement, as_json)


@app.command("admit")
def admit(
    purpose: Annotated[str, typer.Argument(metavar="PURPOSE", help="officer or witness.")],
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="Whose key it is.")],
    key: Annotated[Path, typer.Option("--key", metavar="FILE", help="The new private key.")],
    root_key: RootKey = None,
    statement: StatementFile = None,
    signed: SignedFile = None,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Begin the key of an officer or a witness.

    \b
    Example:
      spotfix keys create officer --to alice.pem
      spotfix keys admit officer --name alice --key alice.pem --root-key /media/safe/root.pem
    """
    from index import keyholding

    settings, screen = settings_of(out=out), screen_of(as_json)
    way = keyholding.Way(root_key, statement, signed)
    made = keyholding.admit(settings, purpose, name, key, way, keyholding.utc_now())
    _tell(screen, made, statement, as_json)


@app.command("sign")
def sign(
    statement: Annotated[Path, typer.Argument(metavar="STATEMENT", help="What --statement wrote.")],
    key: Annotated[Path, typer.Option("--key", metavar="FILE", help="The root's private key.")],
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="FILE", help="Default: STATEMENT with .signed after it."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Sign statements about keys with the root, where the root is.

    \b
    Example:
      spotfix keys sign change.json --key /media/safe/root.pem --to change-signed.json
    """
    from index import keymaking

    screen = screen_of(as_json)
    target = to or statement.with_name(statement.name + ".signed")
    made = keymaking.sign_file(statement, key, target)
    _tell(screen, made, target, as_json)


@app.command("export")
def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write.")],
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the public keys as PEM, as OpenSSL reads them.

    Those of the log also as .vkey, as witnesses take them.

    \b
    Example:
      spotfix keys export public-keys
    """
    from index import keyholding

    settings, screen = settings_of(out=out), screen_of(as_json)
    paths = [str(path) for path in keyholding.export(settings, folder)]
    if as_json:
        screen.json(paths)
        return
    for path in paths:
        screen.line(path)


def _tell(screen: Any, made: Sequence[Any], written: Path | None, as_json: bool) -> None:
    """Print the statements, and whether they were written to a file or logged."""
    if as_json:
        screen.json(list(made))
        return
    for one in made:
        after = f" in place of {one['replaces']}" if one["replaces"] else ""
        if one["action"] == "REVOKE":
            after = f" from seq {one['effective_seq']} on: {one['reason']}"
        screen.line(f"{one['action']} {one['key_id']}{after}")
    screen.say(f"written to {written}" if written else "logged")
