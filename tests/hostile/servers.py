"""The servers of the hostile table: one that speaks HTTP as scripted, some that fail at TLS."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from tests import loopback as lb
from tests.hostile.table import ROWS

ROOT = Path(__file__).parents[2]
_HELLO = b"\3\2" + bytes(32) + b"\0" + b"\0\x2f" + b"\0"
TLS_1_1 = b"\x16\3\2\0\x2a" + b"\2\0\0\x26" + _HELLO
"""The ServerHello of a server that speaks TLS 1.1 and AES128-SHA (RFC 4346 7.4.1.3)."""


class Blurter:
    """A raw socket that says the same bytes to whoever connects, without reading a word."""

    def __init__(self, words: bytes, is_reset: bool = False) -> None:
        self._words = words
        self._is_reset = is_reset
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._kept: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                one, _ = self._socket.accept()
                if self._is_reset:
                    linger = b"\1\0\0\0\0\0\0\0"
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    one.close()
                    continue
                self._kept.append(one)
                with contextlib.suppress(OSError):
                    one.sendall(self._words)

    def close(self) -> None:
        for one in (self._socket, *self._kept):
            one.close()


def make_certificates(folder: Path) -> None:
    """Make an authority and the certificates that are good, of another name, and too old."""

    def run(words: str) -> None:
        subprocess.run(["openssl", *words.split()], check=True, capture_output=True, cwd=folder)

    curve = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
    run(f"req -x509 {curve} -days 2 -subj /CN=authority -keyout ca.key -out ca.pem")
    for name, host, days in (
        ("good", "*.tls.test", 2),
        ("wrong_name", "elsewhere.test", 2),
        ("expired", "*.tls.test", 0),
    ):
        run(f"req {curve} -subj /CN={name} -keyout {name}.key -out {name}.csr")
        (folder / "names").write_text(f"subjectAltName=DNS:{host}")
        run(
            f"x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days {days} "
            f"-extfile names -out {name}.pem"
        )
    run(
        f"req -x509 {curve} -days 2 -subj /CN=x -addext subjectAltName=DNS:*.tls.test "
        "-keyout self_signed.key -out self_signed.pem"
    )


def _context(folder: Path, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    return context


HEALTHY = """
import sys
from tests import loopback
with loopback.Server({"/healthy": loopback.reply(b"[1, 2, 3]")}) as server:
    print(server.port, flush=True)
    sys.stdin.read()
"""


@contextlib.contextmanager
def healthy() -> Iterator[int]:
    """A server that is well, in a process of its own: those that misbehave must not slow it."""
    command = [sys.executable, "-c", HEALTHY]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.communicate()


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[tuple[dict[str, int], dict[str, lb.Server]]]:
    """Run every server; give their ports by kind, and those that record what they were asked."""
    make_certificates(folder)
    routes = {f"/{row.name}": row.behaviour for row in ROWS if row.behaviour is not None}
    for row in ROWS:
        routes |= {f"/{row.name}{path}": one for path, one in row.more.items()}
    with contextlib.ExitStack() as stack:
        servers = {"plain": stack.enter_context(lb.Server(routes))}
        for name in ("good", "wrong_name", "expired", "self_signed"):
            server = lb.Server(routes, tls=_context(folder, name))
            servers[name] = stack.enter_context(server)
        raw = {
            "silent": Blurter(b""),
            "chatty": Blurter(b"HTTP/1.1 200 OK\r\n\r\n{}"),
            "broken": Blurter(b"", is_reset=True),
            "tls_1_1": Blurter(TLS_1_1),
        }
        for one in raw.values():
            stack.callback(one.close)
        ports = {"healthy": stack.enter_context(healthy())}
        gone = socket.create_server(("127.0.0.1", 0))
        ports |= {name: server.port for name, server in servers.items()}
        ports |= {name: one.port for name, one in raw.items()}
        ports["nobody"] = gone.getsockname()[1]
        gone.close()
        yield ports, servers
