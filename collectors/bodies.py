"""The files of the raw archive that hold bodies: packed, named by what they unpack to.

``raw/3f/3f1c….zst`` is one zstd frame (RFC 8878) that says its own length and carries a checksum;
its name is the SHA-256 of the plain body, so ``zstd -dc FILE | sha256sum`` audits it. Archives
made before bodies were packed hold ``raw/3f/3f1c…`` without an ending, the plain bytes; those are
read as they are and never written again.

A frame is unpacked only into the room its reader allows: a length beyond it is refused before any
memory is taken, and nothing may follow the frame.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Container
from pathlib import Path

import zstandard

from methodology.errors import VerificationError

PACKED = ".zst"
PART = ".part-"
MAX_BODY = 2**30
"""Largest body unpacked when no line says how long it is, in bytes."""

# Six packs price lists to a twelfth at some 100 MB/s; higher levels win a few per cent.
_LEVEL = 6
_SHA256 = re.compile(r"[0-9a-f]{64}")


def digest(data: bytes) -> str:
    """Return the SHA-256 of ``data``, 64 hex digits."""
    return hashlib.sha256(data).hexdigest()


def is_digest(text: str) -> bool:
    """Return whether ``text`` is a SHA-256 in lower-case hex."""
    return _SHA256.fullmatch(text) is not None


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_all(handle: int, data: bytes) -> None:
    """Write every byte of ``data``, however few the system takes at a time."""
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


def pack(body: bytes) -> bytes:
    """Return ``body`` as one zstd frame with its length and a checksum."""
    made: bytes = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compress(body)
    return made


def unpack(data: bytes, room: int) -> bytes:
    """Return what one zstd frame holds.

    Raises:
        ValueError: not exactly one frame that says its length, or a length above ``room`` bytes.
    """
    try:
        size = zstandard.get_frame_parameters(data).content_size
        if size in (zstandard.CONTENTSIZE_UNKNOWN, zstandard.CONTENTSIZE_ERROR) or size > room:
            raise ValueError(f"the frame claims {size} bytes where {room} are allowed")
        found: bytes = zstandard.ZstdDecompressor().decompress(
            data, max_output_size=room, allow_extra_data=False
        )
    except zstandard.ZstdError as problem:
        raise ValueError(f"not a zstd frame: {problem}") from problem
    if len(found) != size:
        raise ValueError(f"{len(found)} bytes where the frame claims {size}")
    return found


def wrong(path: Path, sha256: str, size: int | None, stored: Container[str]) -> str | None:
    """Return what is wrong with a file that should hold a body; None when nothing is.

    ``size`` is what its line says, ``stored`` the digests its lines give for the packed file.
    """
    data = path.read_bytes()
    if path.name.endswith(PACKED):
        if stored and digest(data) not in stored:
            return "its bytes are not those its line names"
        try:
            data = unpack(data, MAX_BODY if size is None else size)
        except ValueError as problem:
            return str(problem)
    if digest(data) != sha256:
        return "its bytes are not those of its name"
    if size is not None and size != len(data):
        return f"{len(data)} bytes, its line says {size}"
    return None


class Bodies:
    """The bodies below ``directory``, each found by the digest of its plain bytes."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def path(self, sha256: str) -> Path:
        """Return the file of a body: the packed one, else the plain one of an older archive.

        Where neither is there, the packed one that would be. ValueError for anything but a digest.
        """
        if not is_digest(sha256):
            raise ValueError(f"{sha256[:80]!r} is not a SHA-256 in lower-case hex")
        plain = self.directory / sha256[:2] / sha256
        packed = plain.with_name(sha256 + PACKED)
        return plain if plain.is_file() and not packed.is_file() else packed

    def read(self, sha256: str, size: int | None) -> tuple[bytes, str | None]:
        """Return a body, verified, and the digest of its packed file (None when it is plain).

        ``size`` is the length its line states, None when no line is at hand.

        Raises:
            VerificationError: there is none, or its bytes are no longer those of its name.
        """
        path = self.path(sha256)
        try:
            data = path.read_bytes()
        except FileNotFoundError as problem:
            raise VerificationError(f"{path}: no such body; restore it from a copy") from problem
        body, stored = data, None
        if path.name.endswith(PACKED):
            stored = digest(data)
            try:
                body = unpack(data, MAX_BODY if size is None else size)
            except ValueError as problem:
                raise VerificationError(
                    f"{path}: its bytes were changed ({problem}); restore it from a copy"
                ) from problem
        if digest(body) != sha256:
            raise VerificationError(f"{path}: its bytes were changed; restore it from a copy")
        return body, stored

    def write(self, sha256: str, body: bytes) -> str:
        """Store a body that is not there yet; return the digest of its packed file.

        Durable on return. A crash leaves a file whose name begins with :data:`PART`.
        """
        path = self.path(sha256)
        if not path.parent.exists():
            path.parent.mkdir()
            sync_directory(self.directory)
        packed = pack(body)
        part = path.with_name(f"{PART}{os.getpid()}")
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o444)
        try:
            write_all(handle, packed)
            os.fsync(handle)
        except OSError:
            part.unlink(missing_ok=True)
            raise
        finally:
            os.close(handle)
        part.rename(path)
        sync_directory(path.parent)
        return digest(packed)

    def sync(self, sha256: str) -> None:
        """Make a body that an interrupted writer left durable."""
        path = self.path(sha256)
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
        sync_directory(path.parent)

    def remove(self, sha256: str) -> bool:
        """Remove a body in either form; return whether there was one. Durable on return."""
        folder = self.directory / sha256[:2]
        mine = [folder / sha256, folder / (sha256 + PACKED)]
        found = [path for path in mine if path.is_file()]
        for path in found:
            path.unlink()
        if found:
            sync_directory(folder)
        return bool(found)

    def name_of(self, path: Path) -> str | None:
        """Return the digest that a file's name states; None when it is no body of ours."""
        name = path.name.removesuffix(PACKED)
        return name if is_digest(name) and path.parent.name == name[:2] else None
