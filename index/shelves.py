"""Where published files are read from: a folder, an address, or memory; checked by nobody here.

Paths are relative, with slashes, and never lead out of the shelf: they may come from a file that
somebody else wrote.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from index.ledger.files import is_temporary
from index.outside import Outside
from methodology.errors import VerificationError


class Shelf(Protocol):
    """A tree of files that can be read."""

    def read(self, path: str) -> bytes | None:
        """Return a file's bytes, ``None`` when there is none of that name."""

    def names(self, under: str = "") -> list[str] | None:
        """Return every file below a folder, sorted; ``None`` where nothing can be listed."""

    def forget(self, path: str) -> None:
        """Read a file anew the next time: it may have moved."""

    def where(self, path: str) -> str:
        """Return what a person calls that file."""


def inside(path: str) -> str:
    """Return a relative path that stays where it is.

    Raises:
        VerificationError: it would lead elsewhere.
    """
    parts = path.split("/")
    odd = any(part in ("", ".", "..") for part in parts) or "\\" in path or "\0" in path
    if odd:
        raise VerificationError(f"{path!r} is not the name of a file below the folder that says it")
    return path


class Folder:
    """The files below a directory. Links to directories are not followed when listing."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def read(self, path: str) -> bytes | None:
        """Return a file's bytes, ``None`` when there is none of that name."""
        place = self.root / inside(path)
        try:
            mode = place.stat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            return None
        if stat.S_ISDIR(mode):
            return None
        if not stat.S_ISREG(mode):  # a copied tree may hold a link to a device, or a pipe
            raise VerificationError(f"{place}: is no plain file; find out what put it there")
        return place.read_bytes()

    def names(self, under: str = "") -> list[str] | None:
        """Return every file below a folder, sorted; unfinished ones of a writer are left out."""
        start = self.root / under if under else self.root
        found = []
        for folder, _, names in os.walk(start):
            place = Path(folder).relative_to(self.root)
            found += [(place / n).as_posix() for n in names if not is_temporary(n)]
        return sorted(found)

    def forget(self, path: str) -> None:
        """Do nothing: every file is read anew each time."""

    def where(self, path: str) -> str:
        """Return the path as it was asked for."""
        return (self.root / path).as_posix()


class Served:
    """The files below an address; each is fetched once. Nothing can be listed."""

    def __init__(self, outside: Outside, base: str) -> None:
        self.outside, self.base = outside, base.rstrip("/")
        self._held: dict[str, bytes | None] = {}

    def read(self, path: str) -> bytes | None:
        """Return a file's bytes, ``None`` when the server has none of that name.

        Raises:
            Unreachable: the server did not answer.
        """
        if path not in self._held:
            self._held[path] = self.outside.get(f"{self.base}/{inside(path)}")
        return self._held[path]

    def names(self, under: str = "") -> list[str] | None:
        """Return ``None``: a web server does not say what it has."""
        return None

    def forget(self, path: str) -> None:
        """Fetch a file anew the next time it is read."""
        self._held.pop(path, None)

    def where(self, path: str) -> str:
        """Return the address."""
        return f"{self.base}/{path}"


class Held:
    """Files in memory: ``files`` by path."""

    def __init__(self, files: Mapping[str, bytes], label: str = "") -> None:
        self.files, self.label = files, label

    def read(self, path: str) -> bytes | None:
        """Return a file's bytes, ``None`` when there is none of that name."""
        return self.files.get(inside(path))

    def names(self, under: str = "") -> list[str] | None:
        """Return every file below a folder, sorted."""
        start = under.rstrip("/") + "/" if under else ""
        return sorted(name for name in self.files if name.startswith(start))

    def forget(self, path: str) -> None:
        """Do nothing: every file is read anew each time."""

    def where(self, path: str) -> str:
        """Return the path, the label before it."""
        return f"{self.label}{path}"


class Within:
    """One folder of another shelf, seen as a shelf."""

    def __init__(self, shelf: Shelf, under: str) -> None:
        self.shelf, self.under = shelf, under.strip("/")

    def read(self, path: str) -> bytes | None:
        """Return a file's bytes, ``None`` when there is none of that name."""
        return self.shelf.read(f"{self.under}/{inside(path)}")

    def names(self, under: str = "") -> list[str] | None:
        """Return every file below a folder, sorted; ``None`` where nothing can be listed."""
        found = self.shelf.names(f"{self.under}/{under}".rstrip("/"))
        return None if found is None else [name[len(self.under) + 1 :] for name in found]

    def forget(self, path: str) -> None:
        """Read a file anew the next time: it may have moved."""
        self.shelf.forget(f"{self.under}/{path}")

    def where(self, path: str) -> str:
        """Return what a person calls that file."""
        return self.shelf.where(f"{self.under}/{path}")
