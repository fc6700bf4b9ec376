"""``spotfix serve``, ``spotfix replay``, ``spotfix clients``: the feed and who may read it."""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from index.app import Group, JsonOption, OutOption, day_of, moment_of, screen_of, settings_of
from methodology.errors import UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from index.feed.access import Clients
    from index.feed.server import Tls

clients_app = typer.Typer(
    cls=Group, rich_markup_mode=None, no_args_is_help=True, help="Keys of the feed's clients."
)

HostOption = Annotated[str, typer.Option("--host", metavar="ADDRESS", help="Where to listen.")]
PortOption = Annotated[int, typer.Option("--port", min=0, max=65_535, help="0: any free port.")]
ClientArgument = Annotated[str, typer.Argument(metavar="CLIENT", help="The client's name.")]
ExpiresOption = Annotated[
    str | None, typer.Option("--expires", metavar="TIME", help="When the key ends; default: never.")
]


def serve(
    host: HostOption = "127.0.0.1",
    port: PortOption = 8080,
    workers: Annotated[
        int, typer.Option("--workers", min=1, max=64, help="Processes, each with the whole log.")
    ] = 1,
    require_keys: Annotated[
        bool, typer.Option("--require-keys", help="Answer only clients with a key.")
    ] = False,
    per_minute: Annotated[
        int, typer.Option("--per-minute", min=0, help="Requests a minute of an address; 0: any.")
    ] = 60,
    per_minute_key: Annotated[
        int, typer.Option("--per-minute-key", min=0, help="The same of a client with a key.")
    ] = 600,
    streams: Annotated[
        int, typer.Option("--streams", min=0, help="Open streams of one caller; 0: any.")
    ] = 4,
    trusted_proxy: Annotated[
        list[str] | None,
        typer.Option("--trusted-proxy", metavar="NET", help="Believe its X-Forwarded-For."),
    ] = None,
    access_log: Annotated[
        bool, typer.Option("--access-log/--no-access-log", help="A line a request, on stderr.")
    ] = True,
    tls_cert: Annotated[
        Path | None, typer.Option("--tls-cert", metavar="PEM", help="Serve HTTPS with it.")
    ] = None,
    tls_key: Annotated[
        Path | None, typer.Option("--tls-key", metavar="PEM", help="Its private key.")
    ] = None,
    tls_client_ca: Annotated[
        Path | None,
        typer.Option("--tls-client-ca", metavar="PEM", help="Ask clients for certificates of it."),
    ] = None,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Serve what is published: REST, event stream, files.

    Only out/site, out/drop and out/data are read. A log that does not verify is not served.

    \b
    Example:
      spotfix serve
      spotfix serve --host 0.0.0.0 --port 443 --tls-cert c.pem --tls-key k.pem --require-keys
    """
    from index.feed.app import open_store
    from index.feed.assembly import assemble
    from index.feed.gate import Rules
    from index.feed.quota import Quota, networks
    from index.feed.server import run

    settings, screen = settings_of(out=out), screen_of(as_json)
    tls = _tls(tls_cert, tls_key, tls_client_ca)
    clients = _clients(settings.out)
    clients.load()
    try:
        proxies = networks(trusted_proxy or [])
    except ValueError as error:
        raise UsageError(f"--trusted-proxy: {error}; write it like 10.0.0.0/8") from None

    def make() -> Any:
        rules = Rules(
            clients,
            require_keys,
            Quota(per_minute, per_minute_key, streams),
            proxies,
            sys.stderr if access_log else None,
        )
        return assemble(open_store(settings), rules)

    def told(bound: int) -> None:
        address = f"{'https' if tls else 'http'}://{host}:{bound}"
        if as_json:
            screen.json({"address": address, "port": bound})
            sys.stdout.flush()
        screen.say(f"serving {settings.site} at {address}; stop with Ctrl-C")

    _leave(run(make, host, port, workers=workers, tls=tls, told=told))


def replay(
    speed: Annotated[
        float, typer.Option("--speed", min=0.001, help="Simulated seconds in a second.")
    ] = 60.0,
    first: Annotated[
        str | None, typer.Option("--from", metavar="DAY", help="First index day.")
    ] = None,
    last: Annotated[str | None, typer.Option("--to", metavar="DAY", help="Last index day.")] = None,
    faults: Annotated[
        str, typer.Option("--faults", metavar="LIST", help="Commas between; empty: none.")
    ] = "late,revision,no-fix,gap,bad-signature",
    seed: Annotated[int, typer.Option("--seed", help="Places the faults.")] = 1,
    longest_wait: Annotated[
        float, typer.Option("--longest-wait", min=0.0, help="Cut quiet spans to so many seconds.")
    ] = 10.0,
    host: HostOption = "127.0.0.1",
    port: PortOption = 8081,
    tree: Annotated[
        Path | None,
        typer.Option("--tree", metavar="DIR", help="Keep the mock tree here; it must not exist."),
    ] = None,
    print_plan: Annotated[
        bool, typer.Option("--print-plan", help="Only print the planted faults, as JSON.")
    ] = False,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Serve a mock feed: old fixings as if live, with planted faults.

    Its log's name ends in /mock, its keys are known to everybody, each fixing is flagged MOCK.

    \b
    Example:
      spotfix replay --speed 600
      spotfix replay --faults gap,bad-signature --print-plan
    """
    import tempfile

    from index import mock_plan

    settings, screen = settings_of(out=out), screen_of(as_json)
    made = mock_plan.plan(
        settings.ledger,
        [name for name in faults.split(",") if name],
        first=day_of(first, "--from"),
        last=day_of(last, "--to"),
        seed=seed,
    )
    if print_plan:
        screen.json({"origin": made.origin, "faults": made.faults()})
        return
    if tree is not None and tree.exists():
        raise UsageError(f"--tree {tree}: it exists; name a place for a new one")
    with tempfile.TemporaryDirectory(prefix="spotfix-mock-") as temporary:
        code = _play(
            made, settings.ledger, tree or Path(temporary) / "tree", host, port, speed,
            longest_wait, screen, as_json,
        )  # fmt: skip
    _leave(code)


def _play(
    made: Any, ledger: Path, tree: Path, host: str, port: int, speed: float, longest_wait: float,
    screen: Any, as_json: bool,
) -> int:  # fmt: skip
    from index.feed.gate import Rules
    from index.feed.quota import Quota
    from index.feed.server import run
    from index.mock_feed import Mock

    mock = Mock(made, ledger, tree, speed=speed, longest_wait=longest_wait)
    rules = Rules(quota=Quota(per_address=6_000, streams=0), now=mock.now)

    def told(bound: int) -> None:
        address = f"http://{host}:{bound}"
        if as_json:
            screen.json({"address": address, "port": bound, "faults": made.faults()})
            sys.stdout.flush()
        screen.say(
            f"mock feed of {len(made.items)} records at {address}/v1/stream?after=-1, "
            f"{len(made.faults())} of them faulty (--print-plan); stop with Ctrl-C"
        )

    async def play() -> None:
        await mock.play()
        screen.say("everything is published; the feed goes on answering")

    return run(lambda: mock.app(rules), host, port, told=told, also=play)


def _leave(code: int) -> NoReturn:
    """End the process at once.

    Threads of the server may still call into an interpreter that is being torn down, and that
    aborts the process after all was done.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _tls(cert: Path | None, key: Path | None, client_ca: Path | None) -> Tls | None:
    from index.feed.server import Tls

    if cert is None and key is None and client_ca is None:
        return None
    if cert is None or key is None:
        raise UsageError("--tls-cert and --tls-key go together; --tls-client-ca needs both")
    made = Tls(cert, key, client_ca)
    made.check()
    return made


# Clients ----------------------------------------------------------------------------------------


def _clients(out: Path) -> Clients:
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
    clients = _clients(settings_of(out=out).out)
    text = clients.add(client, [s for s in scopes.split(",") if s], now, _ends(expires, now))
    _show_key(client, text, as_json)


@clients_app.command("list")
def listed(out: OutOption = None, as_json: JsonOption = False) -> None:
    """List clients, their scopes and the ids of their keys.

    \b
    Example:
      spotfix clients list
    """
    from index.terminal import table

    screen, now = screen_of(as_json), _now()
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
        for client in _clients(settings_of(out=out).out).load().values()
        for key in client.keys
    ]
    if as_json:
        screen.json(rows)
        return
    columns = [
        ("client", "<"), ("scopes", "<"), ("key", "<"), ("state", "<"), ("created", "<"),
        ("ends", "<"),
    ]  # fmt: skip
    cells = [
        [
            row["client"],
            ",".join(row["scopes"]),
            row["key_id"],
            "live" if row["live"] else "ended",
            row["created_at"],
            row["revoked_at"] or row["expires_at"] or "never",
        ]
        for row in rows
    ]
    if cells:
        screen.grid(table(columns, cells))
    screen.say(f"{len(rows)} keys; `spotfix clients add CLIENT` makes one")


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
    clients = _clients(settings_of(out=out).out)
    text = clients.rotate(client, now, timedelta(days=grace_days), _ends(expires, now))
    _show_key(client, text, as_json)


@clients_app.command("revoke")
def revoke(
    client: ClientArgument,
    key_id: Annotated[
        str | None, typer.Option("--key", metavar="ID", help="Only this key; default: all.")
    ] = None,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a client's keys at once, also in servers that run.

    \b
    Example:
      spotfix clients revoke acme
    """
    screen = screen_of(as_json)
    ended = _clients(settings_of(out=out).out).revoke(client, _now(), key_id)
    screen.json({"client": client, "revoked": ended}) if as_json else screen.line(*ended)
    if not as_json:
        screen.say(f"{len(ended)} keys of {client} ended")
