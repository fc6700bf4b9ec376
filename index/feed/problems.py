"""Refusals over HTTP: RFC 9457 problem documents, one type for each thing that can be wrong.

A client decides by ``type``; ``detail`` names the parameter and the value for whoever reads the
log. The types are part of the contract of ``/v1``: new ones may come, none changes its meaning.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

PROBLEM_JSON: Final = "application/problem+json"
BASE: Final = "/v1/problems/"
"""Types are references relative to the server; each one answers with its own description."""


class Kind(NamedTuple):
    """What a problem type means: status, title, and what the client should do."""

    status: int
    title: str
    remedy: str


KINDS: Final[Mapping[str, Kind]] = {
    "unknown-parameter": Kind(
        400, "The query has a parameter that this resource does not know",
        "Remove it or correct its name; nothing is ignored silently.",
    ),
    "duplicate-parameter": Kind(
        400, "A parameter was given more than once", "Give each parameter once.",
    ),
    "missing-parameter": Kind(
        400, "Several records fit and a parameter must choose", "Give the parameter in detail.",
    ),
    "invalid-parameter": Kind(
        400, "A parameter has a value that cannot be read",
        "Correct the value named in detail; dates are YYYY-MM-DD, times RFC 3339.",
    ),
    "unauthorized": Kind(
        401, "A key is required and none that is known was given",
        "Send a current key in the header Authorization: Bearer.",
    ),
    "forbidden": Kind(
        403, "The key does not cover this resource", "Ask the administrator for the scope.",
    ),
    "not-found": Kind(404, "There is nothing at this address", "See /v1/openapi.json."),
    "unknown-index": Kind(404, "No such index has ever been published", "See /v1/indices."),
    "unknown-session": Kind(
        404, "The index is not fixed in this session", "See sessions at /v1/indices/{id}.",
    ),
    "not-a-publication-day": Kind(
        404, "Nothing was or will be published for this day",
        "The day lies before the first fixing or was declared missed; see /v1/notices.",
    ),
    "not-yet-published": Kind(
        404, "The fixing of this day or revision is not due or not there yet",
        "Ask again at next_publication_at or after Retry-After seconds.",
    ),
    "unknown-revision": Kind(
        404, "The fixing of this day has no such revision", "Ask for the current one.",
    ),
    "method-not-allowed": Kind(
        405, "The resource is only read", "Use a method that the header Allow names.",
    ),
    "withdrawn": Kind(
        410, "The fixing was withdrawn",
        "Read the record at record_url; it says since when. It must not settle anything.",
    ),
    "stale": Kind(
        412, "The newest record is older than max_age",
        "Do not use the old value; see /v1/status and /v1/notices.",
    ),
    "body-too-large": Kind(413, "A request to this server has no body", "Send none."),
    "range-not-satisfiable": Kind(
        416, "The range lies outside the file", "See Content-Range for its length.",
    ),
    "future-as-of": Kind(
        422, "as_of or as_of_seq lies after what can be known now", "Give an earlier one.",
    ),
    "rate-limited": Kind(429, "Too many requests", "Wait for Retry-After seconds."),
    "internal-error": Kind(
        500, "The server failed", "Report request_id; static files may still be read.",
    ),
    "unavailable": Kind(
        503, "The server cannot answer from a verified log now", "Ask again after Retry-After.",
    ),
}  # fmt: skip
"""Every problem type by name."""

_BY_STATUS: Final = {
    401: "unauthorized", 403: "forbidden", 404: "not-found", 405: "method-not-allowed",
    413: "body-too-large", 416: "range-not-satisfiable", 429: "rate-limited", 503: "unavailable",
}  # fmt: skip
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")


class Problem(Exception):
    """A refusal; the application answers with its document.

    Args:
        name: one of :data:`KINDS`.
        detail: one sentence with the parameter, the value and what to do.
        headers: further response headers, such as ``Retry-After``.
        more: further members of the document, such as ``next_publication_at``.
    """

    def __init__(
        self,
        name: str,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(f"{name}: {detail}")
        self.name, self.detail = name, detail
        self.kind = KINDS[name]
        self.headers = dict(headers or {})
        self.more = more


def request_id(scope: Scope) -> str:
    """Return the client's ``X-Request-Id`` if it is a plain token, otherwise a new one."""
    for name, value in scope.get("headers", ()):
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            return str(value.decode("ascii"))
    return uuid.uuid4().hex


def answer(scope: Scope, problem: Problem) -> Response:
    """Return the response of a problem: its document, its headers, never stored by a cache."""
    name = request_id(scope)
    document = {
        "type": BASE + problem.name,
        "title": problem.kind.title,
        "status": problem.kind.status,
        "detail": problem.detail,
        "instance": scope.get("path", ""),
        "request_id": name,
        **problem.more,
    }
    headers = {"Cache-Control": "no-store", "X-Request-Id": name, **problem.headers}
    body = b"" if scope.get("method") == "HEAD" else document_bytes(document)
    if not body:
        headers["Content-Length"] = str(len(document_bytes(document)))
    return Response(body, problem.kind.status, headers, PROBLEM_JSON)


def document_bytes(document: Mapping[str, Any]) -> bytes:
    """Return a document as compact JSON; text that is not Unicode is escaped, never an error."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace")


async def on_problem(request: Request, error: Exception) -> Response:
    """Answer a :class:`Problem`."""
    assert isinstance(error, Problem)
    return answer(request.scope, error)


async def on_http_error(request: Request, error: Exception) -> Response:
    """Answer what Starlette itself refuses: no route, no such method."""
    assert isinstance(error, HTTPException)
    name = _BY_STATUS.get(error.status_code, "internal-error")
    headers = dict(error.headers or {})
    if allowed := headers.pop("Allow", None):
        headers["Allow"] = ", ".join(sorted({*allowed.split(", "), "OPTIONS"}))
    where = f"{request.method} {request.url.path}"
    detail = {
        "not-found": f"{request.url.path}: there is no such resource; /v1/openapi.json lists them",
        "method-not-allowed": f"{where}: allowed are {headers.get('Allow', 'GET, HEAD, OPTIONS')}",
    }.get(name, f"{where}: {error.detail}")
    return answer(request.scope, Problem(name, detail, headers=headers))


async def on_failure(request: Request, error: Exception) -> Response:
    """Answer an error nobody foresaw; nothing of it but the request's id leaves the server."""
    detail = "an unforeseen error; the administrator finds it by request_id"
    return answer(request.scope, Problem("internal-error", detail))


HANDLERS: Final[Mapping[Any, Any]] = {
    Problem: on_problem,
    HTTPException: on_http_error,
    Exception: on_failure,
}
"""What :class:`starlette.applications.Starlette` takes as ``exception_handlers``."""


def described(name: str) -> dict[str, Any] | None:
    """Return the description of a problem type, ``None`` if there is none of that name."""
    kind = KINDS.get(name)
    if kind is None:
        return None
    return {"type": BASE + name, "status": kind.status, "title": kind.title, "remedy": kind.remedy}
