"""The lines of the raw archive: how a capture or an expiry is written down, chained, read again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import rfc8785

from collectors.base import Capture
from collectors.bodies import digest

GENESIS = "0" * 64
"""``previous`` of the first line."""

_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"
_FIELDS = frozenset(
    ("bytes", "digest", "fetched_at", "headers", "previous", "sha256", "source", "status", "url")
)
_EXPIRY_FIELDS = frozenset(("digest", "expired_at", "previous", "retention", "sha256"))


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of ``captures.jsonl``: a capture without its body. Times are aware UTC.

    ``sha256`` and ``size`` are those of the plain body; ``stored`` is the SHA-256 of the file that
    held it packed, None where the archive held it plain.
    """

    source: str
    url: str
    fetched_at: datetime
    status: int
    headers: dict[str, str]
    sha256: str
    size: int
    digest: str
    stored: str | None = None

    @property
    def key(self) -> tuple[str, str, datetime, str]:
        """What makes a capture itself: who, where, when, what."""
        return (self.source, self.url, self.fetched_at, self.sha256)


@dataclass(frozen=True, slots=True)
class Expiry:
    """The line that says a body was removed because its retention class allows it."""

    sha256: str
    retention: str
    expired_at: datetime
    digest: str

    @property
    def told(self) -> str:
        """The expiry in words."""
        return f"expired on {self.expired_at:%Y-%m-%d} as its class {self.retention} allows"


def _line(fields: dict[str, Any], previous: str) -> bytes:
    fields["previous"] = previous
    fields["digest"] = digest(rfc8785.dumps(fields))
    return rfc8785.dumps(fields) + b"\n"


def write_line(capture: Capture, sha256: str, previous: str, stored: str | None = None) -> bytes:
    """Return the line that records ``capture`` after the line whose digest is ``previous``."""
    fields: dict[str, Any] = {
        "bytes": len(capture.body),
        "fetched_at": capture.fetched_at.astimezone(UTC).strftime(_TIME),
        "headers": {name.lower(): value for name, value in capture.headers.items()},
        "sha256": sha256,
        "source": capture.source,
        "status": capture.status,
        "url": capture.url,
    }
    if stored is not None:
        fields["stored"] = stored
    return _line(fields, previous)


def write_expiry(sha256: str, retention: str, at: datetime, previous: str) -> bytes:
    """Return the line that says the body ``sha256`` was removed at ``at`` (aware)."""
    told = at.astimezone(UTC).strftime(_TIME)
    return _line({"expired_at": told, "retention": retention, "sha256": sha256}, previous)


def read_line(line: bytes, previous: str | None) -> Entry | Expiry:
    """Return what a line (without its newline) says.

    With ``previous`` None the chain and the line's own digest are not checked.

    Raises:
        ValueError: the line is not one this module writes, or not the one that was written.
    """
    try:
        fields = json.loads(line)
    except ValueError as problem:
        raise ValueError(f"not JSON: {problem}") from problem
    found = _read(fields)
    if previous is not None:
        # Over the bytes as they are, so that another spelling of the same values shows too.
        rest = line.replace(b'"digest":"%s",' % found.digest.encode(), b"", 1)
        if digest(rest) != found.digest:
            raise ValueError("the line is not what its digest says")
        if fields["previous"] != previous:
            raise ValueError(f"it follows {fields['previous'][:12]}…, found after {previous[:12]}…")
    return found


def _read(fields: Mapping[str, Any]) -> Entry | Expiry:
    names = frozenset(fields) if isinstance(fields, dict) else frozenset()
    if names == _EXPIRY_FIELDS:
        return Expiry(
            sha256=str(fields["sha256"]),
            retention=str(fields["retention"]),
            expired_at=datetime.fromisoformat(fields["expired_at"]),
            digest=str(fields["digest"]),
        )
    if names - {"stored"} != _FIELDS:
        raise ValueError("not the fields of a capture")
    return Entry(
        source=str(fields["source"]),
        url=str(fields["url"]),
        fetched_at=datetime.fromisoformat(fields["fetched_at"]),
        status=int(fields["status"]),
        headers=dict(fields["headers"]),
        sha256=str(fields["sha256"]),
        size=int(fields["bytes"]),
        digest=str(fields["digest"]),
        stored=str(fields["stored"]) if "stored" in fields else None,
    )
