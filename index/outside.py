"""Read what somebody else serves: one request, a deadline over all of it, a cap on its bytes.

Prices are fetched by :mod:`collectors.fetch`; this is the small way out for everything else: a
published log, a drop, a witness, a time-stamping authority. What comes back is checked by whoever
asked, so nothing here judges it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Final
from urllib.parse import urljoin, urlsplit

import httpx

from collectors.wire import is_loopback_literal
from methodology.errors import SpotfixError, UsageError

MAX_BYTES = 64 * 2**20
"""Most bytes of one answer unless the caller says otherwise."""

MAX_TOTAL: Final = 4 * 2**30
"""Most bytes of all answers to one program."""

REDIRECTS = 3
_PIECE_SECONDS = 10.0
_GONE = (404, 410)


class Unreachable(SpotfixError):
    """Another machine did not answer, or not in time, or with nothing of use: try again later."""

    exit_code = 75


class Answer:
    """What came back: ``status``, ``body``, and ``headers`` with lower-case names."""

    def __init__(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.status = status
        self.body = body
        self.headers = dict(headers)


class Outside:
    """Requests to other machines, over kept connections. Close it, or use it in ``with``.

    Only ``https`` addresses are asked, and plain ``http`` on this machine; redirects are followed
    on the same host alone. No proxy, netrc or certificate variable of the environment is obeyed.
    """

    def __init__(
        self,
        timeout: float = 30.0,
        cap: int = MAX_BYTES,
        *,
        total: int = MAX_TOTAL,
        is_insecure: bool = False,
        agent: str = "spotfix",
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Prepare; nothing is asked yet.

        Args:
            timeout: seconds for one request with everything it needs, redirects too.
            cap: most bytes of one answer's body.
            total: most bytes of all of them: who reads a log as long as its checkpoint says it is
                holds all of it.
            is_insecure: allow plain ``http`` to other machines.
            agent: the ``User-Agent``.
            transport: how requests travel, for tests.
        """
        self.timeout, self.cap, self.is_insecure = timeout, cap, is_insecure
        self.total, self._taken = total, 0
        self._client = httpx.Client(
            transport=transport,
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(min(timeout, _PIECE_SECONDS)),
            headers={"user-agent": agent, "accept-encoding": "identity"},
        )

    def __enter__(self) -> Outside:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def get(self, url: str) -> bytes | None:
        """Return a body; ``None`` when the server says there is no such thing (404, 410).

        Raises:
            UsageError: the address is not one that is asked.
            Unreachable: no whole answer in time, or one with another status.
        """
        found = self.ask("GET", url)
        if found.status in _GONE:
            return None
        if found.status != 200:
            raise Unreachable(f"{url}: HTTP {found.status}; try again later or ask its operator")
        return found.body

    def post(self, url: str, body: bytes, content_type: str) -> Answer:
        """Send a body and return the answer, whatever its status.

        Raises:
            UsageError: the address is not one that is asked.
            Unreachable: no whole answer in time.
        """
        return self.ask("POST", url, body, {"content-type": content_type})

    def ask(
        self,
        method: str,
        url: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Return the answer to one request, redirects on the same host followed.

        Raises:
            UsageError: the address is not one that is asked.
            Unreachable: no whole answer in time, too long a one, or a redirect elsewhere.
        """
        end = time.monotonic() + self.timeout
        at = check_address(url, self.is_insecure)
        for _ in range(REDIRECTS + 1):
            found = self._once(method, at, body, headers or {}, end)
            if found.status not in (301, 302, 303, 307, 308):
                return found
            following = urljoin(at, found.headers.get("location", ""))
            if urlsplit(following)[:2] != urlsplit(at)[:2]:
                raise Unreachable(f"{at}: sends on to {following[:200]}, another place")
            at = following
        raise Unreachable(f"{url}: sends on more than {REDIRECTS} times")

    def _once(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str], end: float
    ) -> Answer:
        held, size = [], 0
        try:
            with self._client.stream(method, url, content=body, headers=dict(headers)) as got:
                if got.headers.get("content-encoding", "identity") != "identity":
                    raise Unreachable(f"{url}: answers packed though asked not to")
                for piece in got.iter_raw():
                    size += len(piece)
                    held.append(piece)
                    self._taken += len(piece)
                    if self._taken > self.total:
                        raise Unreachable(f"{url}: more than {self.total:,} bytes in all")
                    if size > self.cap:
                        raise Unreachable(f"{url}: more than {self.cap:,} bytes")
                    if time.monotonic() > end:
                        raise Unreachable(f"{url}: not done after {self.timeout:g} s")
                return Answer(got.status_code, b"".join(held), dict(got.headers))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            what = str(error) or type(error).__name__
            raise Unreachable(f"{url}: {what}; try again later") from error


def check_address(url: str, is_insecure: bool = False) -> str:
    """Return an address that may be asked.

    Raises:
        UsageError: no host, credentials in it, or plain ``http`` to another machine.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or not host:
        raise UsageError(f"{url!r} is no address; write https://host/path")
    if parts.username is not None or parts.password is not None:
        raise UsageError(f"the address of {host} holds a name or a password; leave it out")
    is_here = host == "localhost" or is_loopback_literal(host)
    if parts.scheme == "http" and not (is_here or is_insecure):
        raise UsageError(f"{url}: plain http to another machine; use https, or --insecure")
    return url
