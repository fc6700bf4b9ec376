"""``spotfix clients``: who may read the feed by a key, or by a certificate."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from index.app import Group, JsonOption, OutOption, moment_of, screen_of, settings_of
from methodology.errors import UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from index.feed.access import Clients

clients_app = typer.Typer(
    cls=Group, rich_markup_mode=None, no_args_is_help=True, help="Keys of the feed's clients."
)

ClientArgument = Annotated[str, typer.Argument(metavar="CLIENT", help="The client's name.")]
ExpiresOption = Annotated[
    str | None, typer.Option("--expires", metavar="TIME", help="When the key ends; default: never.")
]


def clients_of(out: Path) -> Clients:
    """Return the file of clients below ``out``, which need not be there yet."""
    from index.feed.access import FILE, Clients

    return Clients(out / FILE)


def _now() -> datetime:
    from index.feed.queries import utc_now

    return utc_now()


def _ends(text: str | None, now: datetime) -> datetime | None:
    moment = moment_of(text, "--expires")
    if moment is None:
        return None
    naive = moment.replace(tzinfo=None)
    if naive <= now:
        raise UsageError(f"--expires {text}: that has passed")
    return naive


def _show_key(name: str, text: str, as_json: bool) -> None:
    screen = screen_of(as_json)
    if as_json:
        screen.json({"client": name, "key_id": text[4:12], "key": text})
    else:
        screen.line(text)
    screen.say("this key is shown once and kept as a digest only; send it to the client now")


@clients_app.command("add")
def add(
    client: ClientArgument,
    scopes: Annotated[
        str, typer.Option("--scopes", metavar="LIST", help="Of read, stream, data, metrics.")
    ] = "read,stream,data",
    expires: ExpiresOption = None,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a client and print its key, once.

    \b
    Example:
      spotfix clients add acme --scopes read,stream --expires 2027-12-31
    """
    now = _now()
    clients = clients_of(settings_of(out=out).out)
    text = clients.add(client, [s for s in scopes.split(",") if s], now, _ends(expires, now))
    _show_key(client, text, as_json)


@clients_app.command("list")
def listed(out: OutOption = None, as_json: JsonOption = False) -> None:
    """List clients, their scopes, the ids of their keys and the names of their certificates.

    \b
    Example:
      spotfix clients list
    """
    from index.terminal import table

    screen, now = screen_of(as_json), _now()
    found = list(clients_of(settings_of(out=out).out).load().values())
    rows: list[dict[str, Any]] = [
        {
            "client": client.name,
            "scopes": list(client.scopes),
            "key_id": key.id,
            "live": key.is_live(now),
            "created_at": key.created_at,
            "expires_at": key.expires_at,
            "revoked_at": key.revoked_at,
        }
        for client in found
        for key in client.keys
    ]
    rows += [
        {
            "client": client.name,
            "scopes": list(client.scopes),
            "certificate": name,
            "live": True,
        }
        for client in found
        for name in client.certificates
    ]
    if as_json:
        screen.json(rows)
        return
    columns = [
        ("client", "<"), ("scopes", "<"), ("key or certificate", "<"), ("state", "<"),
        ("created", "<"), ("ends", "<"),
    ]  # fmt: skip
    cells = [
        [
            row["client"],
            ",".join(row["scopes"]),
            row.get("key_id") or row["certificate"],
            "live" if row["live"] else "ended",
            row.get("created_at", ""),
            row.get("revoked_at") or row.get("expires_at") or "never",
        ]
        for row in rows
    ]
    if cells:
        screen.grid(table(columns, cells))
    screen.say(f"{len(rows)} keys and certificates; `spotfix clients add CLIENT` makes a key")


@clients_app.command("rotate")
def rotate(
    client: ClientArgument,
    grace_days: Annotated[
        int, typer.Option("--grace-days", min=0, max=365, help="The old key lives so long.")
    ] = 7,
    expires: ExpiresOption = None,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give a client its next key; the one before ends after some days.

    \b
    Example:
      spotfix clients rotate acme --grace-days 14
    """
    now = _now()
    clients = clients_of(settings_of(out=out).out)
    text = clients.rotate(client, now, timedelta(days=grace_days), _ends(expires, now))
    _show_key(client, text, as_json)


@clients_app.command("revoke")
def revoke(
    client: ClientArgument,
    key_id: Annotated[
        str | None, typer.Option("--key", metavar="ID", help="Only this key; default: everything.")
    ] = None,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a client's keys and certificates at once, also in servers that run.

    \b
    Example:
      spotfix clients revoke acme
    """
    screen = screen_of(as_json)
    ended = clients_of(settings_of(out=out).out).revoke(client, _now(), key_id)
    screen.json({"client": client, "revoked": ended}) if as_json else screen.line(*ended)
    if not as_json:
        screen.say(f"{len(ended)} keys and certificates of {client} ended")


@clients_app.command("certify")
def certify(
    client: ClientArgument,
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="dns:, email: or uri: and a name in it.")
    ],
    remove: Annotated[
        bool, typer.Option("--remove", help="The client's no more, at once.")
    ] = False,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let certificates with a subject alternative name stand for a client, as a key does.

    It needs `spotfix serve --client-cert-header`, behind a proxy that verifies certificates.

    \b
    Example:
      spotfix clients certify acme dns:feed.acme.example
      spotfix clients certify acme dns:feed.acme.example --remove
    """
    screen = screen_of(as_json)
    found = clients_of(settings_of(out=out).out).certify(client, name, is_removed=remove)
    names = list(found.certificates)
    screen.json({"client": client, "certificates": names}) if as_json else screen.line(*names)
    if not as_json:
        screen.say(f"{len(names)} names of certificates stand for {client}")
