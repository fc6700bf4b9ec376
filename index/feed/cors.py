"""Pages of other sites that read the feed in a browser (CORS, and ``OPTIONS`` in general).

What is published is public and no cookie is ever read, so any page may read it unless the
operator names the sites. Refusals carry the same lines, so that a page can read why. Credentials
that a browser would add by itself (cookies, its own client certificate) are never asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from starlette.types import Scope, Send

from index.feed.headers import Line, header

Origins = tuple[str, ...]
ANY: Final[Origins] = ("*",)
"""Any page may read; an empty tuple is none."""

METHODS: Final = b"GET, HEAD, OPTIONS"
_ASKABLE: Final = (
    b"Authorization, Cache-Control, If-None-Match, If-Range, Last-Event-ID, Range, X-Request-Id"
)
_EXPOSED: Final = (b"access-control-expose-headers", b"*")
_VARY: Final = (b"vary", b"Origin")
_DAY: Final = b"86400"


def origins(texts: Sequence[str]) -> Origins:
    """Return the sites of ``--allow-origin``: ``*`` is any, ``none`` no site.

    Raises:
        ValueError: one is not ``scheme://host`` or ``scheme://host:port``.
    """
    if list(texts) in ([], ["*"]):
        return ANY
    if list(texts) == ["none"]:
        return ()
    for text in texts:
        parts = urlsplit(text)
        if parts.scheme not in ("http", "https") or text != f"{parts.scheme}://{parts.netloc}":
            raise ValueError(f"{text!r} is no site; write it like https://desk.example")
    return tuple(text.lower() for text in texts)


def lines(scope: Scope, allowed: Origins) -> list[Line]:
    """Return the header lines that let the page that asks read an answer and all its headers."""
    if allowed == ANY:
        # To everybody, also without a page: a cache may keep one answer for all.
        return [(b"access-control-allow-origin", b"*"), _EXPOSED]
    if not allowed:
        return []
    page = header(scope, b"origin")
    if page is None or page.decode("latin-1").lower() not in allowed:
        return [_VARY]
    return [_VARY, (b"access-control-allow-origin", page), _EXPOSED]


async def answer(scope: Scope, send: Send, allowed: Origins) -> None:
    """Answer ``OPTIONS`` of any address: what may be asked, and for how long that holds."""
    told: list[Line] = [(b"allow", METHODS)]
    is_asked = header(scope, b"access-control-request-method") is not None
    if is_asked and any(key == b"access-control-allow-origin" for key, _ in lines(scope, allowed)):
        told += [
            (b"access-control-allow-methods", METHODS),
            (b"access-control-allow-headers", _ASKABLE),
            (b"access-control-max-age", _DAY),
        ]
    await send({"type": "http.response.start", "status": 204, "headers": told})
    await send({"type": "http.response.body", "body": b""})
