"""Where a link out of a body leads: pages of a list stay with the server that gave the first."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

_PORTS = {"http": 80, "https": 443}


def is_same_server(link: str, base_url: str) -> bool:
    """Return whether ``link`` has the scheme, host and port of ``base_url``.

    The port of a scheme is the same written or not: the price list of Azure writes its next page
    as ``https://prices.azure.com:443/…`` (documentation of its retail prices, read 2026-11-21).
    What is no absolute address is on no server.
    """
    try:
        there, home = _server(urlsplit(link)), _server(urlsplit(base_url))
    except ValueError:
        return False
    return there == home and None not in there


def _server(parts: SplitResult) -> tuple[str | None, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)
