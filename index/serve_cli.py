"""``spotfix serve``, ``spotfix replay``: the feed. ``spotfix clients`` is its neighbour."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from index.app import JsonOption, OutOption, day_of, screen_of, settings_of
from index.clients_cli import clients_app, clients_of
from methodology.errors import UsageError

if TYPE_CHECKING:
    from index.feed.server import Tls

__all__ = ["clients_app", "replay", "serve"]

_TAKEN = frozenset({"authorization", "host", "x-forwarded-for", "x-request-id", "last-event-id"})

HostOption = Annotated[str, typer.Option("--host", metavar="ADDRESS", help="Where to listen.")]
PortOption = Annotated[int, typer.Option("--port", min=0, max=65_535, help="0: any free port.")]


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
    unix: Annotated[
        Path | None,
        typer.Option("--unix", metavar="PATH", help="Listen on this socket, for a proxy alone."),
    ] = None,
    client_cert_header: Annotated[
        str | None,
        typer.Option(
            "--client-cert-header", metavar="NAME", help="The proxy's header with certificates."
        ),
    ] = None,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option("--allow-origin", metavar="SITE", help="Whose pages may read; default: any."),
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
    A quota counts in each worker by itself.

    \b
    Example:
      spotfix serve
      spotfix serve --host 0.0.0.0 --port 443 --tls-cert c.pem --tls-key k.pem --require-keys
      spotfix serve --unix /run/spotfix/feed.sock --client-cert-header Client-Cert
    """
    from index.feed.app import open_store
    from index.feed.assembly import assemble
    from index.feed.cors import origins
    from index.feed.gate import Rules
    from index.feed.quota import Quota, networks
    from index.feed.server import run

    settings, screen = settings_of(out=out), screen_of(as_json)
    tls = _tls(tls_cert, tls_key, tls_client_ca)
    clients = clients_of(settings.out)
    clients.load()
    try:
        proxies = networks(trusted_proxy or [])
    except ValueError as error:
        raise UsageError(f"--trusted-proxy: {error}; write it like 10.0.0.0/8") from None
    try:
        sites = origins(allow_origin or [])
    except ValueError as error:
        raise UsageError(f"--allow-origin: {error}") from None
    _check_header(client_cert_header, is_vouched=bool(proxies) or unix is not None)
    if unix is not None and tls is not None:
        raise UsageError("--unix: the proxy in front of it ends TLS; leave --tls-cert away")

    def make() -> Any:
        rules = Rules(
            clients,
            require_keys,
            Quota(per_minute, per_minute_key, streams),
            proxies,
            behind_socket=unix is not None,
            certificate_header=client_cert_header,
            origins=sites,
            log=sys.stderr if access_log else None,
        )
        return assemble(open_store(settings), rules)

    def told(bound: int) -> None:
        address = f"{'https' if tls else 'http'}://{host}:{bound}" if unix is None else str(unix)
        if as_json:
            screen.json({"address": address, "port": bound})
            sys.stdout.flush()
        screen.say(f"serving {settings.site} at {address}; stop with Ctrl-C")

    _leave(run(make, host, port, workers=workers, tls=tls, told=told, at=unix))


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
    """Serve a mock feed: old fixings as if live, planted faults.

    Its log's name ends in /mock, its keys are known to everybody, each fixing is flagged MOCK.

    \b
    Example:
      spotfix replay --speed 600
      spotfix replay --faults gap,bad-signature --print-plan
    """
    import tempfile

    from index import mock_plan, reading

    settings, screen = settings_of(out=out), screen_of(as_json)
    reading.require_ledger(settings)
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


def _check_header(name: str | None, *, is_vouched: bool) -> None:
    """Refuse a header of certificates that anybody could send, or that says something else."""
    if name is None:
        return
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,62}", name) or name.lower() in _TAKEN:
        raise UsageError(f"--client-cert-header {name!r}: name a header such as Client-Cert")
    if not is_vouched:
        raise UsageError(
            "--client-cert-header: anybody could send it; name the proxy with --trusted-proxy, "
            "or listen with --unix"
        )


def _tls(cert: Path | None, key: Path | None, client_ca: Path | None) -> Tls | None:
    from index.feed.server import Tls

    if cert is None and key is None and client_ca is None:
        return None
    if cert is None or key is None:
        raise UsageError("--tls-cert and --tls-key go together; --tls-client-ca needs both")
    made = Tls(cert, key, client_ca)
    made.check()
    return made
