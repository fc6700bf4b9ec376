"""Judging what a server said: which URLs are the source's own, which answers are worth reading.

No connection is opened here; ``collectors.fetch`` asks these before and after each exchange.
"""

from __future__ import annotations

import email.utils
import re
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime

import httpx

from collectors.base import Source
from collectors.held import Held
from collectors.http1 import Head
from collectors.secret import Secret
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

ANY_TYPE = "*/*"
"""As a content type of a source: whatever comes is taken for what was asked."""

Url = httpx.URL
BadUrl = httpx.InvalidURL
Fields = httpx.Headers

_UTF_8 = ("", "utf-8", "utf8", "us-ascii", "ascii")
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
        # A connection reset while more was wanted is a reset.
        if isinstance(problem, ssl.SSLError) and not isinstance(problem, ssl.SSLWantReadError):
            return True
        problem = problem.__cause__ or problem.__context__
    return False


def unreachable(problem: BaseException) -> Refused:
    """Return the refusal that stands for a connection that was never made."""
    if _is_tls(problem):
        return Refused("TLS", str(problem) or type(problem).__name__)
    if isinstance(problem, TimeoutError):
        return Again("CONNECT", "no connection in time")
    return Again("CONNECT", f"no connection: {problem}")


def explain(problem: BaseException, in_body: bool) -> Refused:
    """Return the refusal that stands for a failure of a connection that was made."""
    text = str(problem) or type(problem).__name__
    if _is_tls(problem):
        return Refused("TLS", text)
    if isinstance(problem, TimeoutError):
        return Refused("TIMEOUT", "the server fell silent, or its head never ended")
    is_cut = "complete message body" in text or "incomplete chunked read" in text
    if in_body and (isinstance(problem, OSError) or is_cut):
        return Refused("TRUNCATED", f"the connection ended inside the body: {text}")
    if isinstance(problem, OSError):
        return Again("CONNECT", f"the connection ended before an answer: {text}")
    return Refused("PROTOCOL", f"this is not HTTP as we speak it: {text}")


def fields_of(head: Head, secret: Secret | None) -> Fields:
    """Return the header fields of an answer with the key blotted out of every value.

    Raises:
        Refused: REDIRECT_REFUSED when an address to go to holds the key.
    """
    if secret is None:
        return _as_fields(head.fields)
    clean = [(name, secret.scrub(value)) for name, value in head.fields]
    for (name, before), (_, after) in zip(head.fields, clean, strict=True):
        if name == "location" and before != after and head.status in _REDIRECTS:
            raise Refused("REDIRECT_REFUSED", "the redirect carries the key")
    return _as_fields(clean)


def _as_fields(found: Sequence[tuple[str, str]]) -> Fields:
    return Fields([(name.encode("ascii"), value.encode("latin-1")) for name, value in found])


def refutes(fields: Fields, held: Held) -> bool:
    """Return whether a 304 names another body than the one that was asked about."""
    told = fields.get("etag")
    if told is None or held.etag is None:
        return False
    return bool(told.removeprefix("W/") != held.etag.removeprefix("W/"))


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


def judge(source: Source, status: int, headers: Fields, path: str, now: datetime) -> str | None:
    """Return where a redirect points, or None for a body worth reading.

    Raises:
        Refused: HTTP_STATUS for anything but 200 (as :class:`Again` for 429 and 5xx), and
            CONTENT_TYPE for a kind of content the source does not list: a page of HTML with
            status 200 is how most refusals look. JSON is UTF-8 (RFC 8259 8.1): another charset
            is refused as well.
    """
    if status in _REDIRECTS and "location" in headers:
        return str(headers["location"])
    if status == 429 or 500 <= status <= 599:
        after = wait_asked(headers.get("retry-after"), now)
        raise Again("HTTP_STATUS", f"{status} at {path}", after, status)
    if status != 200:
        asks = status in (401, 403) and source.auth_env
        key = f"; check the key in {source.auth_env}" if asks else ""
        raise Refused("HTTP_STATUS", f"{status} at {path}{key}", status)
    kind, _, more = headers.get("content-type", "").partition(";")
    kind = kind.strip().lower()
    charset = re.search(r"charset\s*=\s*[\"']?([^\"';\s]*)", more, re.IGNORECASE)
    if kind.endswith("json") and charset and charset[1].lower() not in _UTF_8:
        raise Refused("CONTENT_TYPE", f"{path} is JSON in {charset[1][:40]!r}, not UTF-8")
    if kind not in source.content_types and ANY_TYPE not in source.content_types:
        wanted = " or ".join(source.content_types)
        raise Refused("CONTENT_TYPE", f"{path} is {kind[:80]!r}, not {wanted}")
    return None
