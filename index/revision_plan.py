"""What a revision would do: the shapes of a plan, and the test of rulebook 11.2."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from fractions import Fraction
from typing import Any, Final

from index import intake, live, officers
from index.corrections import Correction
from index.gate import Difference
from index.ledger.batches import Batches, Stored, batch_name
from index.ledger.canonical import digest
from index.prints import Draft
from index.publication import record
from index.publication.record import ratio_text
from index.shop import Shop
from methodology import clock, restatement

Row = dict[str, Any]

RESTATE, TOO_LATE, NOT_MATERIAL = "RESTATE", "TOO_LATE", "NOT_MATERIAL"
REVISED_BEFORE, BLOCKED = "REVISED_BEFORE", "BLOCKED"

OUTCOMES: Final = {
    RESTATE: "restated: a new revision",
    TOO_LATE: "stands, with an erratum: the window is closed",
    NOT_MATERIAL: "stands, with an erratum: it moves by 0.10% or less",
    REVISED_BEFORE: "stands, with an erratum: a value is restated once",
    BLOCKED: "stands, with an erratum: two engines disagree on the new value",
}
"""What becomes of each value, in words."""

LAST_REVISION: Final = 2
"""A value is restated once (rulebook 11.7)."""


class Drawer(Batches):
    """Bodies that are not stored yet; what the ledger has is read from there."""

    def __init__(self, behind: Batches) -> None:
        super().__init__(behind.directory)
        self.held: dict[str, tuple[str, bytes]] = {}

    def put(self, kind: str, body: bytes) -> Stored:
        """Hold a body; return how it will be named."""
        sha256 = digest(body)[7:]
        name = batch_name(kind, sha256)
        self.held[name] = (kind, body)
        return Stored(name, kind, sha256, len(body))

    def get(self, kind: str, sha256: str) -> bytes:
        """Return a body, held here or stored."""
        name = batch_name(kind, sha256.removeprefix("sha256:"))
        return self.held[name][1] if name in self.held else super().get(kind, sha256)

    def empty_into(self, batches: Batches) -> None:
        """Store every body that is held."""
        for kind, body in self.held.values():
            batches.put(kind, body)


@dataclass
class Change:
    """One index of the day whose figures come out otherwise."""

    standing: Row
    digest: str
    draft: Draft
    stopped: list[Difference] = field(default_factory=list)
    outcome: str = ""

    @property
    def index_id(self) -> str:
        """The index."""
        return str(self.standing["index_id"])

    @property
    def before(self) -> str | None:
        """The value that stands."""
        value: str | None = self.standing["value"]
        return value

    @property
    def after(self) -> str | None:
        """The value as determined again."""
        value: str | None = self.draft.fields["value"]
        return value

    @property
    def delta_pct(self) -> str | None:
        """See :func:`delta_pct`."""
        return delta_pct(self.before, self.after)


@dataclass
class Plan:
    """Everything an act would do, computed and not written."""

    index_id: str
    session: str
    ref_date: date
    reason: str
    correction: Correction
    artefact: Stored
    base: Row
    manifest: Stored
    corrected: intake.Intake
    drawer: Drawer
    shop: Shop
    before: live.Before | None
    hits: list[int]
    changes: list[Change]
    at: datetime
    done: list[Row] = field(default_factory=list)

    @property
    def until(self) -> datetime:
        """The last second of the window, naive UTC."""
        return clock.restatement_until(self.session, self.ref_date)

    @property
    def own(self) -> Change | None:
        """The change of the index that was asked for; ``None`` if its figures stay."""
        return next((c for c in self.changes if c.index_id == self.index_id), None)

    def decide(self, at: datetime) -> None:
        """Decide every change at a moment; what was in time at the start may be late by now."""
        self.at = at.replace(microsecond=0)
        for one in self.changes:
            one.outcome = decide(
                one.before, one.after, self.at, self.until, one.standing["revision"]
            )
            if one.outcome == RESTATE and one.stopped:
                one.outcome = BLOCKED

    def restated(self) -> list[Change]:
        """Return the changes that lead to a new revision."""
        return [c for c in self.changes if c.outcome == RESTATE]

    def errata(self) -> list[Change]:
        """Return the changes that lead to an erratum."""
        return [c for c in self.changes if c.outcome != RESTATE]

    def decisions(self) -> list[Row]:
        """Return the content of every record the officers sign, in the order of the log."""
        return [self._restatement(c) for c in self.restated()] + [
            self._erratum(c) for c in self.errata()
        ]

    def statement(self) -> bytes:
        """Return the exact bytes that two officers sign."""
        return officers.statement(self.shop.log.origin, self.decisions())

    def _restatement(self, one: Change) -> Row:
        return record.restatement(
            {
                "log_origin": self.shop.log.origin,
                "index_id": one.index_id,
                "session": self.session,
                "ref_date": self.ref_date.isoformat(),
                "revision": LAST_REVISION,
                "concerns": one.standing["seq"],
                "supersedes": one.digest,
                "value_before": one.before,
                "value_after": one.after,
                "delta_pct": one.delta_pct,
                "reason": self.reason,
                "correction": self.artefact.reference(),
                "manifest": self.manifest.reference(),
            }
        )

    def _erratum(self, one: Change) -> Row:
        return record.erratum(
            {
                "log_origin": self.shop.log.origin,
                "index_id": one.index_id,
                "session": self.session,
                "ref_date": self.ref_date.isoformat(),
                "concerns": one.standing["seq"],
                "value": one.before,
                "should_be": one.after,
                "delta_pct": one.delta_pct,
                "outcome": one.outcome,
                "cause": self.reason,
                "evidence": [self.artefact.reference()],
                "manifest": self.manifest.reference(),
            }
        )


# --- the test ------------------------------------------------------------------------------------


def delta_pct(before: str | None, after: str | None) -> str | None:
    """Return by how much a value moves, in percent with four decimals, half up; exact.

    ``None`` where one of the two is missing, or the first is zero.
    """
    if before is None or after is None or not Fraction(before):
        return None
    share = (Fraction(after) - Fraction(before)) / abs(Fraction(before)) * 100
    return ratio_text(share.numerator, share.denominator, 4)


def decide(
    before: str | None, after: str | None, at: datetime, until: datetime, revision: int = 1
) -> str:
    """Return what becomes of a value (rulebook 11.2, 11.7), decided exactly.

    Args:
        before: the value that stands, as published; ``None``: there was none.
        after: as it comes out now, in the same decimals.
        at: when it is decided; the last second of the window counts as a whole.
        until: that last second.
        revision: of the fixing that stands.
    """
    if revision >= LAST_REVISION:
        return REVISED_BEFORE
    issued = at.replace(microsecond=0)
    if before is None or after is None:
        moves = before != after  # between a value and none there is no small step
        return TOO_LATE if issued > until else RESTATE if moves else NOT_MATERIAL
    old, new = Fraction(before), Fraction(after)
    return restatement.decide(abs(old), new if old >= 0 else -new, issued, until)
