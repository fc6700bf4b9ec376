"""No way out: a process that called ``close_the_door`` reaches loopback and nothing else.

The interpreter itself asks before each connection, so it makes no difference which library tries,
or whether it does so from an event loop.
"""

from __future__ import annotations

import ipaddress
import os
import sys
from typing import Any

_SENDING = ("socket.connect", "socket.sendto", "socket.sendmsg")
_ASKING = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "ftp_proxy")


class OutwardConnection(RuntimeError):
    """A test tried to reach another machine."""


def is_here(host: object) -> bool:
    """Return whether a host is this machine: loopback, the unnamed address, or no host at all."""
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    if name is None or name in ("", "localhost"):
        return True
    try:
        address = ipaddress.ip_address(str(name).partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _ask(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _SENDING:
        target = arguments[1]
        if target is None or not isinstance(target, tuple):
            return  # a connected socket, or a path on this machine
        host = target[0]
    elif event in _ASKING:
        host = arguments[0]
    else:
        return
    if not is_here(host):
        raise OutwardConnection(f"{event} to {host!r}: tests reach loopback only")


def close_the_door() -> None:
    """Refuse every outward connection and name look-up of this process, for good."""
    for name in _PROXIES:
        os.environ.pop(name, None)
        os.environ.pop(name.upper(), None)
    os.environ["NO_PROXY"] = "*"
    sys.addaudithook(_ask)


def plain_environment(**more: str) -> dict[str, str]:
    """Return an environment for child processes that no setting of the caller's shell reaches."""
    kept = {"PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "SYSTEMROOT"}
    mine = {name: value for name, value in os.environ.items() if name in kept}
    return {**mine, "NO_PROXY": "*", **more}
