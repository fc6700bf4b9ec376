"""Write-once bodies named by their own SHA-256: observation batches and artefacts.

A body is stored as it is, uncompressed: the header of a compressed file has bytes that a digest
of the content would not cover, and one of those could change unseen. Each read computes the
digest again.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from index.ledger.files import is_temporary, walk, write_durably
from methodology.errors import CoverageError, LogInconsistent, UsageError, VerificationError

FOLDER = "batches"
SUFFIX = ".jsonl"
_KIND = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_HEX = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Stored:
    """One stored body: where it is below the ledger, its digest and its size in bytes."""

    name: str
    kind: str
    sha256: str
    size: int

    def reference(self) -> dict[str, object]:
        """Return what a record carries to cite this body: ``kind``, ``sha256``, ``size``.

        :func:`index.ledger.check.check_files` looks for these three keys together in every
        logged record and names a cited body that is missing.
        """
        return {"kind": self.kind, "sha256": "sha256:" + self.sha256, "size": self.size}


class Batches:
    """The write-once bodies below ``<ledger>/batches/``."""

    def __init__(self, directory: Path) -> None:
        """Look at the ledger in ``directory``; nothing is created until something is put."""
        self.directory = directory

    def put(self, kind: str, body: bytes) -> Stored:
        """Store ``body`` durably and return how it is named; the same body again is no error.

        Args:
            kind: what it is: lower-case letters, digits, ``_`` and ``-``, a letter first.
            body: the exact bytes, any length.

        Raises:
            UsageError: ``kind`` is not such a name.
            VerificationError: a file of that name exists and its bytes are not this body.
            OSError: the disk refused.
        """
        sha256 = hashlib.sha256(body).hexdigest()
        name = batch_name(kind, sha256)
        try:
            write_durably(self.directory / name, body)
        except LogInconsistent as error:
            raise VerificationError(
                f"{name}: the stored bytes no longer have the digest in their name; "
                "restore the file from a backup"
            ) from error
        return Stored(name, kind, sha256, len(body))

    def get(self, kind: str, sha256: str) -> bytes:
        """Return a stored body, its digest checked now.

        Args:
            kind: as given to :meth:`put`.
            sha256: 64 hex digits, with or without ``sha256:`` before them.

        Raises:
            UsageError: ``kind`` or ``sha256`` is malformed.
            CoverageError: there is no such body here.
            VerificationError: the bytes on disk have another digest.
        """
        bare = sha256.removeprefix("sha256:")
        name = batch_name(kind, bare)
        try:
            body = (self.directory / name).read_bytes()
        except FileNotFoundError:
            raise CoverageError(
                f"{name}: no such body in {self.directory}; restore it from a backup"
            ) from None
        found = hashlib.sha256(body).hexdigest()
        if found != bare:
            raise VerificationError(
                f"{name}: {len(body)} bytes with SHA-256 {found}; "
                "the file was changed, restore it from a backup"
            )
        return body

    def names(self) -> Iterator[str]:
        """Yield the path of each stored body below the ledger, sorted; digests not checked."""
        for path in walk(self.directory / FOLDER):
            if not is_temporary(path.name):
                yield path.relative_to(self.directory).as_posix()


def batch_name(kind: str, sha256: str) -> str:
    """Return the path of a body below the ledger: ``batches/<kind>/<sha256>.jsonl``.

    Raises:
        UsageError: ``kind`` or ``sha256`` cannot be part of that path.
    """
    if not _KIND.fullmatch(kind):
        raise UsageError(f"batch kind {kind!r}: use lower-case letters, digits, '_' and '-'")
    if not _HEX.fullmatch(sha256):
        raise UsageError(f"batch digest {sha256!r}: give 64 lower-case hex digits")
    return f"{FOLDER}/{kind}/{sha256}{SUFFIX}"


def digest_in_name(name: str) -> str | None:
    """Return the digest that a path below the ledger claims, or None for any other path."""
    parts = name.split("/")
    if len(parts) != 3 or parts[0] != FOLDER or not parts[2].endswith(SUFFIX):
        return None
    digest = parts[2].removesuffix(SUFFIX)
    return digest if _KIND.fullmatch(parts[1]) and _HEX.fullmatch(digest) else None
