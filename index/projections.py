"""Everything that can be made again from the ledger: the analysts' file and Parquet.

No published number is ever read back from a projection; this module reads the log and the bodies
it cites, each checked against its digest, and hands plain rows to :mod:`index.warehouse`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl

from index import manifests
from index.config import Settings
from index.frames import from_lines, read_model
from index.ledger.batches import Batches
from index.ledger.canonical import digest
from index.ledger.log import Log
from index.warehouse import tables, write
from index.warehouse.files import exclusive
from index.warehouse.tables import Contents
from methodology import schemas
from methodology.errors import CoverageError

Tell = Callable[[str, str], None]
"""Told ``(stage, what)`` as work goes on; the stage is always ``project``."""

Records = Sequence[tuple[Mapping[str, Any], str]]
"""Records of the log in order, each with the digest of its bytes."""


def rebuild(settings: Settings, tell: Tell | None = None) -> dict[str, Any]:
    """Write every projection again from the ledger, and say what was written.

    Each file is replaced in one step. The log is only read: a publisher may hold it.

    Args:
        settings: where the ledger is and where projections go.
        tell: progress.

    Returns:
        ``log_size``; ``files``: file name to bytes; ``rows``: table to rows.

    Raises:
        CoverageError: there is no log, or a cited body is missing.
        LogInconsistent: the log contradicts itself.
        VerificationError: a cited body was changed, or holds what the tables cannot.
        LockHeld: another projection is at work and did not finish in time.
    """
    say = tell or (lambda stage, what: None)
    if not Log.exists(settings.ledger):
        raise CoverageError(f"{settings.ledger}: no log here yet; publish something first")
    with exclusive(settings.data):
        say("project", "log")
        contents = read_contents(settings)
        say("project", "tables")
        made = tables.build(contents)
        written = write.write_all(made, settings.data, lambda what: say("project", what))
    return {
        "log_size": contents.size,
        "files": {name: path.stat().st_size for name, path in written.items()},
        "rows": {name: rows.height for name, rows in made.items()},
    }


def is_current(settings: Settings) -> bool:
    """Return whether every projection file is there and was made from the log as it is now."""
    if not Log.exists(settings.ledger):
        return False
    log = Log.open(settings.ledger, read_only=True)
    return write.is_made_from(settings.data, log.size, log.root.hex())


def read_records(log: Log) -> Records:
    """Return every record of a log with the digest of its bytes."""
    return [(json.loads(body), digest(body)) for body in log.entries()]


def newest_artefact(records: Records, kind: str) -> str | None:
    """Return the digest of the last logged artefact of a kind, ``None`` without one."""
    found = artefacts(records, kind)
    return found[-1] if found else None


def artefacts(records: Records, kind: str) -> list[str]:
    """Return the digests of all logged artefacts of a kind, in the order of the log."""
    return [
        record["artefact"]["sha256"]
        for record, _ in records
        if record["type"] == "batch" and record["artefact"]["kind"] == kind
    ]


def read_backcast(batches: Batches, records: Records) -> pl.DataFrame:
    """Return the newest back-cast, value and level as decimal text; empty if none was made."""
    found = newest_artefact(records, "backcast")
    return from_lines(batches.get("backcast", found) if found else b"", tables.BACKCAST)


def read_contents(settings: Settings) -> Contents:
    """Return what the tables are made from, every body checked against its digest."""
    log = Log.open(settings.ledger, read_only=True)
    batches = Batches(settings.ledger)
    records = read_records(log)
    bodies = {}
    for fixing in tables.current_fixings(records):
        cited = (
            ("contributions", fixing["contributions"]["sha256"]),
            ("basket", fixing["basket_digest"]),
        )
        for kind, sha256 in cited:
            if sha256 not in bodies:
                bodies[sha256] = batches.get(kind, sha256)
    manifest = newest_artefact(records, "manifest")
    frames = _manifest_frames(batches, manifest) if manifest else _no_frames()
    return Contents(
        origin=log.origin,
        size=log.size,
        root=log.root.hex(),
        records=records,
        backcast=read_backcast(batches, records),
        bodies=bodies,
        resistance=[batches.get("resistance", d) for d in artefacts(records, "resistance")],
        triple=[batches.get("triple", d) for d in artefacts(records, "triple")],
        **frames,
    )


_FRAMES = {
    "observations": schemas.Observation,
    "rejections": schemas.Rejection,
    "volumes": schemas.Volume,
    "rates": schemas.Rate,
}


def _manifest_frames(batches: Batches, sha256: str) -> dict[str, pl.DataFrame]:
    content = manifests.load_manifest(batches, sha256)
    return {
        name: read_model(
            model, batches.get(name, content["batches"][name]["sha256"]), f"batch {name}"
        )
        for name, model in _FRAMES.items()
    }


def _no_frames() -> dict[str, pl.DataFrame]:
    return {name: schemas.empty(model) for name, model in _FRAMES.items()}
