"""What lies in a raw archive beside what its lines name."""

from __future__ import annotations

from pathlib import Path

from collectors.archive import CAPTURES, Archive


def orphans(archive: Archive) -> list[Path]:
    """Return the bodies that no line names: of a put that was interrupted, or of a line gone."""
    named = {entry.sha256 for entry in archive.entries()}
    files = sorted(path for path in archive.directory.rglob("*") if path.is_file())
    beside = [path for path in files if path.name[:64] not in named]
    return [p for p in beside if p.name not in (CAPTURES, ".lock") and p.name[:6] != ".part-"]
