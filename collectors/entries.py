"""The lines of the raw archive: how a capture is written down, chained and read again."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import rfc8785

from collectors.base import Capture

GENESIS = "0" * 64
"""``previous`` of the first line."""

_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"
_FIELDS = frozenset(
    ("bytes", "digest", "fetched_at", "headers", "previous", "sha256", "source", "status", "url")
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of ``captures.jsonl``: a capture without its body. Times are aware UTC."""

    source: str
    url: str
    fetched_at: datetime
    status: int
    headers: dict[str, str]
    sha256: str
    size: int
    digest: str

    @property
    def key(self) -> tuple[str, str, datetime, str]:
        """What makes a capture itself: who, where, when, what."""
        return (self.source, self.url, self.fetched_at, self.sha256)


def digest(data: bytes) -> str:
    """Return the SHA-256 of ``data``, 64 hex digits."""
    return hashlib.sha256(data).hexdigest()


def write_line(capture: Capture, sha256: str, previous: str) -> bytes:
    """Return the line that records ``capture`` after the line whose digest is ``previous``."""
    fields: dict[str, Any] = {
        "bytes": len(capture.body),
        "fetched_at": capture.fetched_at.astimezone(UTC).strftime(_TIME),
        "headers": {name.lower(): value for name, value in capture.headers.items()},
        "previous": previous,
        "sha256": sha256,
        "source": capture.source,
        "status": capture.status,
        "url": capture.url,
    }
    fields["digest"] = digest(rfc8785.dumps(fields))
    return rfc8785.dumps(fields) + b"\n"


def read_line(line: bytes, previous: str | None) -> Entry:
    """Return what a line (without its newline) says.

    With ``previous`` None the chain and the line's own digest are not checked.

    Raises:
        ValueError: the line is not one this module writes, or not the one that was written.
    """
    try:
        fields = json.loads(line)
    except ValueError as problem:
        raise ValueError(f"not JSON: {problem}") from problem
    if not isinstance(fields, dict) or set(fields) != _FIELDS:
        raise ValueError("not the fields of a capture")
    entry = Entry(
        source=str(fields["source"]),
        url=str(fields["url"]),
        fetched_at=datetime.fromisoformat(fields["fetched_at"]),
        status=int(fields["status"]),
        headers=dict(fields["headers"]),
        sha256=str(fields["sha256"]),
        size=int(fields["bytes"]),
        digest=str(fields["digest"]),
    )
    if previous is not None:
        # Over the bytes as they are, so that another spelling of the same values shows too.
        rest = line.replace(b'"digest":"%s",' % entry.digest.encode(), b"", 1)
        if digest(rest) != entry.digest:
            raise ValueError("the line is not what its digest says")
        if fields["previous"] != previous:
            raise ValueError(f"it follows {fields['previous'][:12]}…, found after {previous[:12]}…")
    return entry
