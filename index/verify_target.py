"""What one call of ``spotfix verify`` is to check, once it is known where each part is read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from index.shelves import Shelf


@dataclass(frozen=True)
class Target:
    """What is to be checked. ``kind``: site, log, drop, record, tables, bundle.

    ``log``, ``site`` and ``drop`` are where each is read, ``None`` if it is out of reach. ``under``
    is the folder of the drop, ``stem`` the record's file without its ending.
    """

    kind: str
    label: str
    log: Shelf | None = None
    site: Shelf | None = None
    drop: Shelf | None = None
    under: str = ""
    stem: str = ""
    beside: Shelf | None = None
    path: Path | None = None


__all__ = ["Target"]
