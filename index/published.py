"""What the log already holds, looked up by what a publisher needs to know."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from index.ledger.canonical import digest
from index.ledger.log import Log

Key = tuple[str, str, str, int]
"""index_id, session, ref_date, revision: unique for ever."""


@dataclass
class Published:
    """The log's records by kind.

    ``digests`` maps a fixing's key to the digest of its bytes; ``panels`` maps index and vintage to
    the digest of a panel frozen ahead of its month.
    """

    fixings: dict[Key, dict[str, Any]] = field(default_factory=dict)
    digests: dict[Key, str] = field(default_factory=dict)
    commitments: dict[tuple[str, str, str, str], int] = field(default_factory=dict)
    batches: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    methodologies: set[str] = field(default_factory=set)
    incidents: list[dict[str, Any]] = field(default_factory=list)
    panels: dict[str, dict[str, str]] = field(default_factory=dict)

    @classmethod
    def read(cls, log: Log) -> Published:
        """Return everything in the log, in one pass."""
        found = cls()
        for body in log.entries():
            found.add(body)
        return found

    def add(self, body: bytes) -> None:
        """Take one logged record into account."""
        record = json.loads(body)
        kind = record["type"]
        if kind == "fixing":
            key = fixing_key(record)
            self.fixings[key], self.digests[key] = record, digest(body)
        elif kind == "commitment":
            self.commitments[commitment_key(record)] = record["seq"]
        elif kind == "batch":
            self.batches[record["artefact"]["kind"], record["artefact"]["sha256"]] = record
        elif kind == "methodology":
            self.methodologies.add(record["methodology_digest"])
        elif kind == "basket":
            mine = self.panels.setdefault(record["index_id"], {})
            mine[record["vintage"]] = record["artefact"]["sha256"]
        elif kind == "incident":
            self.incidents.append(record)

    def latest(self, index_id: str, before: date | None = None) -> dict[str, Any] | None:
        """Return the newest fixing of an index (highest day, then revision), or ``None``.

        Args:
            index_id: the index.
            before: only fixings of earlier index days.
        """
        mine = [
            (key[2], key[3], record)
            for key, record in self.fixings.items()
            if key[0] == index_id and (before is None or key[2] < before.isoformat())
        ]
        return max(mine, key=lambda item: item[:2])[2] if mine else None


def fixing_key(record: Mapping[str, Any]) -> Key:
    """Return a fixing's key."""
    return record["index_id"], record["session"], record["ref_date"], record["revision"]


def commitment_key(record: Mapping[str, Any]) -> tuple[str, str, str, str]:
    """Return a commitment's key: index, session, day, and the manifest it commits to."""
    manifest = record["manifest"]["sha256"]
    return record["index_id"], record["session"], record["ref_date"], manifest
