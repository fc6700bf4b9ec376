"""What every request passes: its id, who asks, how much is left, one line in the access log.

One plain ASGI layer does all of it. Nothing of a key reaches the line, an answer or a figure: a
key is looked for in address and headers before anything is said about the request.
"""

from __future__ import annotations

import json
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TextIO
from urllib.parse import parse_qsl

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from index.feed import access, certificates, cors, retirement
from index.feed.access import Caller, Clients
from index.feed.certificates import Certificate
from index.feed.metrics import Metrics
from index.feed.problems import Problem, answer, request_id
from index.feed.queries import utc_now
from index.feed.quota import Network, Quota, address_of, is_limited, is_within, refusal
from index.feed.stream import RAW_SEND

STREAM: Final = "/v1/stream"
_SHOWN: Final = frozenset(
    {
        "after", "as_of", "as_of_seq", "cursor", "format", "from", "index", "limit", "max_age",
        "status", "to", "types", "year",
    }
)  # fmt: skip
"""Parameters whose values stand in the access log; of others only the name does."""

_LONGEST: Final = 400
_LISTS: Final = (b"link", b"vary")
"""Headers of which one answer may have several lines."""

_NO_SNIFFING: Final = (b"x-content-type-options", b"nosniff")


@dataclass(slots=True)
class Rules:
    """How a server admits requests.

    ``clients`` is the file of keys; ``keys_required`` closes reading to those without one;
    ``proxies`` are the operator's own, whose ``X-Forwarded-For`` is believed, and
    ``behind_socket`` says that every peer is one: only a proxy can open our Unix socket.
    ``certificate_header`` is the header in which a proxy hands on the client certificate it has
    verified; ``None`` takes none. ``origins`` are the sites whose pages may read in a browser.
    ``log`` takes one line a request, ``None`` keeps no access log.
    """

    clients: Clients | None = None
    keys_required: bool = False
    quota: Quota = field(default_factory=Quota)
    proxies: Sequence[Network] = ()
    behind_socket: bool = False
    certificate_header: str | None = None
    origins: cors.Origins = cors.ANY
    log: TextIO | None = None
    now: Callable[[], datetime] = utc_now
    seconds: Callable[[], float] = time.monotonic


def access_logger(stream: TextIO | None = None) -> Any:
    """Return a logger that writes one line of JSON for each event, to stderr unless told."""
    return structlog.wrap_logger(
        structlog.PrintLogger(stream or sys.stderr),
        processors=[
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            structlog.processors.JSONRenderer(serializer=_dumps),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(20),
        cache_logger_on_first_use=True,
    ).bind()


_encode = json.JSONEncoder(separators=(",", ":"), default=str).encode


def _dumps(event: Any, **_: Any) -> str:
    return _encode(event)


class Gate:
    """The layer; put it around the application before any other."""

    def __init__(self, app: ASGIApp, rules: Rules, metrics: Metrics | None = None) -> None:
        self.app, self.rules, self.metrics = app, rules, metrics
        self._log = access_logger(rules.log) if rules.log is not None else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Admit one request, or answer why not."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500
        scope["headers"], name = _named(scope)
        caller = Caller(self._address(scope))
        lines: list[tuple[bytes, bytes]] = [(b"x-request-id", name.encode("ascii")), _NO_SNIFFING]
        lines += cors.lines(scope, self.rules.origins)
        lines += retirement.lines(scope["path"])

        async def told(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                present = {key for key, _ in message["headers"]}
                extra = [line for line in lines if line[0] in _LISTS or line[0] not in present]
                message = {**message, "headers": [*message["headers"], *extra]}
            await send(message)

        scope[RAW_SEND] = send
        try:
            try:
                if scope["method"] == "OPTIONS":
                    # A browser asks this before it sends a key, so nothing is demanded.
                    await cors.answer(scope, told, self.rules.origins)
                    return
                caller = self._admit(scope, lines)
                if is_limited(scope["path"]):
                    self._take(caller, lines)
                if scope["path"] == STREAM and scope["method"] == "GET":
                    await self._stream(scope, receive, told, caller)
                else:
                    await self.app(scope, receive, told)
            except Problem as problem:
                shown = {**scope, "path": access.redacted(scope["path"])}
                await answer(shown, problem)(scope, receive, told)
        finally:
            self._note(scope, name, caller, status, time.perf_counter() - started)

    def _admit(self, scope: Scope, lines: list[tuple[bytes, bytes]]) -> Caller:
        rules = self.rules
        where = f"{scope['path']} {scope['query_string'].decode('latin-1')}"
        if access.holds_key(where):
            raise Problem(
                "invalid-parameter",
                "the address holds a key, so logs on its way may hold it now: revoke it, and send "
                "the new one in the header Authorization: Bearer",
            )
        headers, address = scope["headers"], self._address(scope)
        try:
            certificate = self._certificate(scope)
            caller = access.identify(headers, rules.clients, address, rules.now(), certificate)
            access.admit(caller, scope["path"], keys_required=rules.keys_required)
        except Problem:
            # Guessing keys costs as much as reading does, also at a static path.
            self._take(Caller(address), lines)
            raise
        return caller

    def _address(self, scope: Scope) -> str:
        forwarded = [value for key, value in scope["headers"] if key == b"x-forwarded-for"]
        return address_of(
            _peer(scope), forwarded, self.rules.proxies, is_proxy=self.rules.behind_socket
        )

    def _certificate(self, scope: Scope) -> Certificate | None:
        """Return the client certificate that the operator's proxy vouches for.

        Raises:
            Problem: 401: somebody else sends the header, or it cannot be read.
        """
        rules = self.rules
        if rules.certificate_header is None:
            return None
        wanted = rules.certificate_header.lower().encode("ascii")
        given = [value for key, value in scope["headers"] if key == wanted]
        if not given:
            return None
        said = f"header {rules.certificate_header}"
        if not rules.behind_socket and not is_within(_peer(scope), rules.proxies):
            raise access.unauthorized(
                f"{said} is taken from the operator's proxy alone; send none", "invalid_request"
            )
        if len(given) > 1:
            raise access.unauthorized(f"{said} was given more than once", "invalid_request")
        try:
            return certificates.read(given[0])
        except ValueError as error:
            raise access.unauthorized(f"{said}: {error}", "invalid_request") from None

    def _take(self, caller: Caller, lines: list[tuple[bytes, bytes]]) -> None:
        found = self.rules.quota.take(
            caller.name, is_client=caller.client is not None, at=self.rules.seconds()
        )
        if found is None:
            return
        if not found.is_allowed:
            raise refusal(found)
        lines += [(key.lower().encode(), text.encode()) for key, text in found.headers.items()]

    async def _stream(self, scope: Scope, receive: Receive, send: Send, caller: Caller) -> None:
        self.rules.quota.open_stream(caller.name)
        try:
            await self.app(scope, receive, send)
        finally:
            self.rules.quota.close_stream(caller.name)

    def _note(self, scope: Scope, name: str, caller: Caller, status: int, seconds: float) -> None:
        if self.metrics is not None:
            self.metrics.count(scope["path"], status, seconds)
        if self._log is None:
            return
        self._log.info(
            "request",
            request_id=name,
            client=caller.client.name if caller.client else None,
            key=caller.key_id or caller.certificate,
            address=caller.address,
            method=scope["method"],
            path=access.redacted(scope["path"])[:_LONGEST],
            query=query_shown(scope["query_string"]),
            status=status,
            ms=round(seconds * 1000, 3),
        )


def _peer(scope: Scope) -> str:
    return str((scope.get("client") or ("", 0))[0])


def query_shown(raw: bytes) -> str:
    """Return a query as it may stand in a log: values only of parameters that are known."""
    if not raw:
        return ""
    text = raw.decode("latin-1")
    if access.holds_key(text):
        return access.REDACTED
    pairs = parse_qsl(text, keep_blank_values=True)
    shown = [f"{key}={value}" if key in _SHOWN else f"{key}=..." for key, value in pairs]
    return "&".join(shown)[:_LONGEST]


def _named(scope: Scope) -> tuple[list[tuple[bytes, bytes]], str]:
    """Return the headers with one ``X-Request-Id``, and what it says: the client's or a new one."""
    name = request_id(scope)
    if access.holds_key(name):
        name = uuid.uuid4().hex
    kept = [line for line in scope["headers"] if line[0] != b"x-request-id"]
    return [*kept, (b"x-request-id", name.encode("ascii"))], name
