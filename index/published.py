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

_LISTS = {
    "incident": "incidents", "key": "keys", "calendar": "calendars", "witness": "witnesses",
    "settlement": "settlements", "notice": "notices", "erratum": "errata",
    "complaint": "complaints", "cessation": "cessations", "restatement": "restatements",
}  # fmt: skip
"""Types of record that are only kept, and the attribute that holds them."""


@dataclass
class Published:
    """The log's records by kind.

    ``digests`` maps a fixing's key to the digest of its bytes; ``panels`` maps index and vintage to
    the digest of a panel frozen ahead of its month; ``rules`` maps the place of each record of
    rules to their digest, in order; ``artefacts`` maps kind, digest and manifest of each artefact
    of a run to the first record that cites it; ``committed`` maps a commitment's place to the
    digests of methodology and definition it was made under; ``keys`` to ``restatements`` hold
    whole records in the order of the log.
    """

    fixings: dict[Key, dict[str, Any]] = field(default_factory=dict)
    digests: dict[Key, str] = field(default_factory=dict)
    commitments: dict[tuple[str, str, str, str], int] = field(default_factory=dict)
    batches: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    committed: dict[int, tuple[str, str]] = field(default_factory=dict)
    rules: dict[int, str] = field(default_factory=dict)
    artefacts: dict[tuple[str, str, str], int] = field(default_factory=dict)
    incidents: list[dict[str, Any]] = field(default_factory=list)
    panels: dict[str, dict[str, str]] = field(default_factory=dict)
    keys: list[dict[str, Any]] = field(default_factory=list)
    calendars: list[dict[str, Any]] = field(default_factory=list)
    witnesses: list[dict[str, Any]] = field(default_factory=list)
    settlements: list[dict[str, Any]] = field(default_factory=list)
    notices: list[dict[str, Any]] = field(default_factory=list)
    errata: list[dict[str, Any]] = field(default_factory=list)
    complaints: list[dict[str, Any]] = field(default_factory=list)
    cessations: list[dict[str, Any]] = field(default_factory=list)
    restatements: list[dict[str, Any]] = field(default_factory=list)

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
            under = record["methodology_digest"], record["definition_digest"]
            self.committed[record["seq"]] = under
        elif kind == "batch":
            self.batches[record["artefact"]["kind"], record["artefact"]["sha256"]] = record
            self.artefacts.setdefault(artefact_key(record), record["seq"])
        elif kind == "methodology":
            self.rules[record["seq"]] = record["methodology_digest"]
        elif kind == "basket":
            mine = self.panels.setdefault(record["index_id"], {})
            mine[record["vintage"]] = record["artefact"]["sha256"]
        elif kind in _LISTS:
            getattr(self, _LISTS[kind]).append(record)

    def rules_at(self, seq: int) -> str | None:
        """Return the digest of the rules in force for the record at a place in the log."""
        before = [digest for place, digest in self.rules.items() if place < seq]
        return before[-1] if before else None

    def rules_in_force(self) -> str | None:
        """Return the digest of the last rules that the log names, ``None`` before the first."""
        return next(reversed(self.rules.values()), None)

    def has_ended(self, index_id: str, day: date) -> bool:
        """Return whether an index has no fixing on a day because it ended before (24.4)."""
        return any(
            one["index_id"] == index_id and one["last_ref_date"] < day.isoformat()
            for one in self.cessations
        )

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


def artefact_key(record: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return the key of a ``batch`` record: kind and digest of its artefact, and the manifest."""
    artefact = record["artefact"]
    return artefact["kind"], artefact["sha256"], record["manifest"]["sha256"]
