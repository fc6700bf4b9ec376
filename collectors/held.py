"""What the archive already holds of an address, and what a server can be asked to confirm.

A server that has nothing new answers 304 without a body (RFC 9110 13); the body is then the one
in the archive. It is taken only after its digest was checked, so what a server confirms is what
was archived, byte for byte.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from collectors.archive import Archive
from methodology.errors import VerificationError

_LONGEST = 512  # of a validator that is worth sending back


@dataclass(frozen=True, slots=True)
class Held:
    """A body of one source and URL, with the validators its server gave."""

    sha256: str
    size: int
    etag: str | None
    last_modified: str | None

    @property
    def conditions(self) -> dict[str, str]:
        """The request header fields that ask whether the body still stands."""
        found = {"if-none-match": self.etag, "if-modified-since": self.last_modified}
        return {name: value for name, value in found.items() if value is not None}


class Known(Protocol):
    """Where the fetcher looks up what is held."""

    def find(self, source: str, url: str) -> Held | None:
        """Return what is held of this source and URL and can be confirmed; None for nothing."""

    def body(self, held: Held) -> bytes | None:
        """Return the body, verified; None when it is gone or was changed."""


class Shelf:
    """The archive as :class:`Known`; reads its lines once, when made."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._held: dict[tuple[str, str], Held] = {}
        for entry in archive.entries():
            if not entry.headers:
                continue  # made here out of several bodies, not received
            key = (entry.source, entry.url)
            one = Held(
                entry.sha256,
                entry.size,
                _validator(entry.headers.get("etag")),
                _validator(entry.headers.get("last-modified")),
            )
            before = self._held.get(key)
            if entry.status == 304 and before is not None and before.sha256 == one.sha256:
                one = replace(
                    one,
                    etag=one.etag or before.etag,
                    last_modified=one.last_modified or before.last_modified,
                )
            self._held[key] = one

    def find(self, source: str, url: str) -> Held | None:
        """Return what is held of this source and URL and can be confirmed; None for nothing."""
        held = self._held.get((source, url))
        return held if held is not None and held.conditions else None

    def body(self, held: Held) -> bytes | None:
        """Return the body, verified; None when it is gone or was changed."""
        try:
            return self._archive.get(held.sha256, held.size)
        except (VerificationError, OSError):
            return None


def _validator(value: str | None) -> str | None:
    """Return a validator fit to be sent back; one that was blotted out or is absurd is not."""
    if not value or len(value) > _LONGEST or not value.isascii() or not value.isprintable():
        return None
    return None if "***" in value else value
