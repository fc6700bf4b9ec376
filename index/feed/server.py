"""Granian around the feed: the listening socket, TLS, several workers, and a stop without loss.

Granian's own listener lets the kernel keep up to four mebibytes for each reader that stalls, for
as long as the reader likes. Ours limits the send buffer and gives a peer that acknowledges nothing
half a minute, so five hundred stalled readers hold 64 MiB at most and are gone soon. Both are set
on the listening socket, from which every connection inherits them.

A worker is one event loop in one process with its own copy of the log. The embedded form of
granian is used because it lets the streams end before the server does.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server import embed
from starlette.applications import Starlette
from starlette.types import ASGIApp

from methodology.errors import ConfigError

SEND_BUFFER: Final = 64 * 1024
"""Asked of the kernel, which doubles it."""

SILENT_MILLISECONDS: Final = 30_000
"""How long sent bytes may stay unacknowledged before the kernel ends the connection."""

BACKLOG: Final = 4096
STOP_SECONDS: Final = 5


@dataclass(frozen=True, slots=True)
class Tls:
    """The server's certificate and key (PEM), and the authority of clients' certificates."""

    certificate: Path
    key: Path
    client_ca: Path | None = None

    def check(self) -> None:
        """Raise ConfigError if a file cannot be read."""
        for path in (self.certificate, self.key, self.client_ca):
            if path is not None and not os.access(path, os.R_OK):
                raise ConfigError(f"TLS: {path} cannot be read; name a PEM file")


def listen(host: str, port: int, *, is_shared: bool = False) -> socket.socket:
    """Return a listening socket; port 0 takes any free one.

    Args:
        host: an address of this machine.
        port: TCP port.
        is_shared: let several workers listen on it; the kernel spreads the connections.

    Raises:
        ConfigError: the address is not ours, or the port is taken.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        made = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ConfigError(f"--host {host!r}: {error}") from error
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if is_shared:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENT_MILLISECONDS)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        made.bind(address)
        made.listen(BACKLOG)
    except OSError as error:
        made.close()
        raise ConfigError(f"cannot listen on {host} port {port}: {error}") from error
    made.setblocking(False)
    return made


def listen_at(path: Path) -> socket.socket:
    """Return a listening Unix socket that our user and group may open.

    A socket that nobody listens on any more, as a killed server leaves it, is replaced.

    Raises:
        ConfigError: something else is there, somebody listens, or it cannot be made.
    """
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if path.is_socket():
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
                if probe.connect_ex(str(path)) == 0:
                    raise ConfigError(f"--unix {path}: a server listens there; stop it first")
            path.unlink()
        made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        before = os.umask(0o117)
        try:
            made.bind(str(path))
        finally:
            os.umask(before)
        made.listen(BACKLOG)
    except OSError as error:
        made.close()
        raise ConfigError(f"--unix {path}: cannot listen there: {error}") from error
    except ConfigError:
        made.close()
        raise
    made.setblocking(False)
    return made


class Server(embed.Server):
    """Granian's embedded server on a socket of ours."""

    def __init__(self, app: ASGIApp, listening: socket.socket, tls: Tls | None = None) -> None:
        self._is_unix = listening.family == socket.AF_UNIX
        host, port = ("", 0) if self._is_unix else listening.getsockname()[:2]
        self.port: int = port
        self._listening = listening
        options: dict[str, Any] = {}
        if tls is not None:
            tls.check()
            options = {
                "ssl_cert": tls.certificate,
                "ssl_key": tls.key,
                "ssl_ca": tls.client_ca,
                "ssl_client_verify": tls.client_ca is not None,
            }
        super().__init__(
            app,
            address=host,
            port=port,
            interface=Interfaces.ASGI,
            # One protocol less to attack; resumable streams and small bodies gain nothing by it.
            http=HTTPModes.http1,
            http1_settings=HTTP1Settings(header_read_timeout=10_000, max_buffer_size=64 * 1024),
            backlog=BACKLOG,
            backpressure=1_000_000,
            websockets=False,
            log_enabled=False,
            **options,
        )
        self.workers_kill_timeout = STOP_SECONDS

    def _init_shared_socket(self) -> None:
        from granian import _granian

        holder: Any = _granian.SocketHolder
        self._ssp = None
        self._shd: Any = holder(self._listening.detach(), self._is_unix, BACKLOG)


@contextlib.asynccontextmanager
async def serving(
    app: Starlette, host: str = "127.0.0.1", port: int = 0, *,
    tls: Tls | None = None, is_shared: bool = False, at: Path | None = None,
) -> Any:  # fmt: skip
    """Serve ``app`` on this event loop until left; yields the port.

    ``at`` is a Unix socket to listen on instead; the port is then 0, and the file goes at the end.

    On leaving, streams end with a comment, then open requests, then the server. ``app.state.hub``
    is the stream's hub, if the application has one.

    Raises:
        ConfigError: the port is taken, or a TLS file cannot be read.
    """
    server = Server(app, listen_at(at) if at else listen(host, port, is_shared=is_shared), tls)
    task = asyncio.ensure_future(server.serve())
    try:
        await _accepting(server, task)
        yield server.port
    finally:
        hub = getattr(app.state, "hub", None)
        if hub is not None:
            await hub.stop()
        server.stop()  # type: ignore[no-untyped-call]
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(task, STOP_SECONDS * 2)
        if at is not None:
            at.unlink(missing_ok=True)


async def _accepting(server: Server, task: asyncio.Future[Any]) -> None:
    """Return when the worker runs: the application's lifespan has then begun."""
    while not task.done() and not server.wrks:
        await asyncio.sleep(0.005)
    if task.done():
        await task


def run(
    make: Callable[[], Starlette],
    host: str,
    port: int,
    *,
    workers: int = 1,
    tls: Tls | None = None,
    told: Callable[[int], None] = lambda port: None,
    also: Callable[[], Awaitable[None]] | None = None,
    at: Path | None = None,
) -> int:
    """Serve until SIGTERM or SIGINT; return 0.

    Args:
        make: returns the application; called once in each worker.
        host: where to listen.
        port: where to listen; 0 takes any free port and needs one worker.
        workers: processes. Each one holds the log; an access quota holds in each one by itself.
        tls: serve HTTPS.
        told: called with the port once the first worker listens.
        also: something to run beside it on the same loop (the mock feed).
        at: a Unix socket to listen on instead of host and port; needs one worker.
    """
    _raise_file_limit()
    if workers < 1 or (workers > 1 and port == 0):
        raise ConfigError(f"--workers {workers}: at least 1, and with several --port must be given")
    if at is not None and workers > 1:
        raise ConfigError(f"--unix {at}: one worker listens there; for more give each its own")
    children: list[int] = []
    for _ in range(workers - 1):
        child = os.fork()
        if child == 0:
            os._exit(_one(make, host, port, tls, True, lambda port: None, None, None))
        children.append(child)
    try:
        return _one(make, host, port, tls, workers > 1, told, also, at)
    finally:
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGTERM)
        for child in children:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(child, 0)


def settle_memory() -> None:
    """Take what a started server holds out of Python's search for garbage.

    Modules and records live as long as the process. Looking through them took 15 to 25 ms, in
    the middle of a fan-out; what a request leaves behind is found without it.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 1_000)


def _raise_file_limit() -> None:
    """Allow as many open files as the system lets us: each subscriber is one."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _one(
    make: Callable[[], Starlette], host: str, port: int, tls: Tls | None, is_shared: bool,
    told: Callable[[int], None], also: Callable[[], Awaitable[None]] | None, at: Path | None,
) -> int:  # fmt: skip
    async def worker() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(each, stop.set)
        async with serving(make(), host, port, tls=tls, is_shared=is_shared, at=at) as bound:
            settle_memory()
            told(bound)
            beside = asyncio.ensure_future(also()) if also is not None else None
            await stop.wait()
            if beside is not None:
                beside.cancel()
                await asyncio.gather(beside, return_exceptions=True)

    try:
        asyncio.run(worker())
    except ConfigError:
        if is_shared:  # a forked worker: nobody above it prints
            sys.stderr.write("a worker could not start\n")
        raise
    return 0
