"""Judging what a server said: which URLs are the source's own, which answers are worth reading.

No connection is opened here; ``collectors.fetch`` asks these before and after each exchange.
"""

from __future__ import annotations

import email.utils
import re
import ssl
from datetime import UTC, datetime

import httpx

from collectors.base import Source
from collectors.wire import Again, Refused

KEPT_HEADERS = (
    "age",
    "cache-control",
    "content-encoding",
    "content-type",
    "date",
    "etag",
    "expires",
    "last-modified",
)
"""Response headers that go with a capture: what it is and how fresh. Cookies are never kept."""

_REDIRECTS = (301, 302, 303, 307, 308)


def own_url(text: str | httpx.URL, base: httpx.URL | None = None) -> httpx.URL:
    """Return ``text`` as a URL of the source that lives at ``base``, without its fragment.

    Raises:
        Refused: ADDRESS_REFUSED for anything but http(s), for a user or password in the URL, and
            for another scheme, host or port than those of ``base``.
    """
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as problem:
        raise Refused("ADDRESS_REFUSED", f"not a URL: {problem}") from problem
    if url.scheme not in ("http", "https") or not url.host:
        raise Refused(
            "ADDRESS_REFUSED", f"{url.scheme or 'no scheme'}: only http and https URLs are read"
        )
    if url.userinfo:
        raise Refused("ADDRESS_REFUSED", f"{url.host}: a URL must not carry a user or password")
    if base is not None and (url.scheme, url.netloc) != (base.scheme, base.netloc):
        raise Refused(
            "ADDRESS_REFUSED",
            f"{url.scheme}://{url.host}:{url.port or ''} is not where this source lives "
            f"({base.scheme}://{base.netloc.decode()})",
        )
    return url.copy_with(fragment=None)


def _is_tls(problem: BaseException | None) -> bool:
    while problem is not None:
        if isinstance(problem, ssl.SSLError):
            return True
        problem = problem.__cause__ or problem.__context__
    return False


def explain(problem: httpx.TransportError, in_body: bool) -> Refused:
    """Return the refusal that stands for a failure of the connection."""
    text = str(problem) or type(problem).__name__
    if _is_tls(problem):
        return Refused("TLS", text)
    if isinstance(problem, httpx.ConnectError | httpx.ConnectTimeout):
        return Again("CONNECT", f"no connection: {text}")
    if isinstance(problem, httpx.TimeoutException):
        return Refused("TIMEOUT", f"the server fell silent ({type(problem).__name__})")
    if in_body and (isinstance(problem, httpx.ReadError) or "complete message body" in text):
        return Refused("TRUNCATED", f"the connection ended inside the body: {text}")
    if in_body and "incomplete chunked read" in text:
        return Refused("TRUNCATED", f"the connection ended inside the body: {text}")
    if not in_body and (isinstance(problem, httpx.NetworkError) or "disconnected" in text):
        return Again("CONNECT", f"the connection ended before an answer: {text}")
    return Refused("PROTOCOL", f"this is not HTTP as we speak it: {text}")


def wait_asked(value: str | None, now: datetime) -> float | None:
    """Return the seconds a Retry-After asks for, in either of its forms; None when unreadable."""
    if value is None:
        return None
    if re.fullmatch(r"[0-9]{1,9}", value.strip()):
        return float(value)
    try:
        until = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (until - now).total_seconds())


def judge(source: Source, response: httpx.Response, path: str, now: datetime) -> str | None:
    """Return where a redirect points, or None for a body worth reading.

    Raises:
        Refused: HTTP_STATUS for anything but 200 (as :class:`Again` for 429 and 5xx), and
            CONTENT_TYPE for a kind of content the source does not list: a page of HTML with
            status 200 is how most refusals look.
    """
    status, headers = response.status_code, response.headers
    if status in _REDIRECTS and "location" in headers:
        return str(headers["location"])
    if status == 429 or 500 <= status <= 599:
        after = wait_asked(headers.get("retry-after"), now)
        raise Again("HTTP_STATUS", f"{status} at {path}", after)
    if status != 200:
        asks = status in (401, 403) and source.auth_env
        key = f"; check the key in {source.auth_env}" if asks else ""
        raise Refused("HTTP_STATUS", f"{status} at {path}{key}")
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in source.content_types:
        wanted = " or ".join(source.content_types)
        raise Refused("CONTENT_TYPE", f"{path} is {kind[:80]!r}, not {wanted}")
    return None
