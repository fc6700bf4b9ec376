"""Correcting a settlement that was published in error, before its window ends (rulebook 17.7).

A price is never given: it is made again from the fixings and calendars that stood in the log
before its first record, by the same contract. So it comes out otherwise only where the program
that made it was wrong and has been mended. Two officers sign what is decided, as for a restated
fixing; the new record is a revision that names the one before by its digest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from index import calendar_records, officers, settlements
from index.ledger.canonical import canonical, digest
from index.officers import Signature
from index.publication import record
from index.shop import Shop
from methodology import clock
from methodology.contracts import Contract
from methodology.errors import ConfigError, CoverageError

Row = dict[str, Any]

CORRECT, STANDS, SAME = "CORRECT", "STANDS", "SAME"

OUTCOMES: Final = {
    CORRECT: "corrected: a new revision",
    STANDS: "stands: the time for corrections is over",
    SAME: "stands: it comes out as it was published",
}
"""What becomes of a price, in words."""


@dataclass
class Plan:
    """What a correction would do: ``standing`` is the record that holds, ``made`` its content."""

    shop: Shop
    contract: Contract
    standing: Row
    made: Row
    until: datetime
    reason: str
    at: datetime

    @property
    def changed(self) -> list[str]:
        """The fields that come out otherwise."""
        return settlements.differences(self.standing, self.made)

    @property
    def outcome(self) -> str:
        """One of :data:`OUTCOMES`."""
        if not self.changed:
            return SAME
        return CORRECT if self.at <= self.until else STANDS

    def decision(self) -> Row:
        """Return the corrected record as officers sign it: without place, time and signatures."""
        return record.settlement(
            {
                "log_origin": self.shop.log.origin,
                "administrator_id": self.shop.settings.administrator_id,
                **self.made,
                "revision": self.standing["revision"] + 1,
                "supersedes": digest(canonical(self.standing)),
                "reason": self.reason,
            }
        )

    def statement(self) -> bytes:
        """Return the exact bytes that two officers sign."""
        return officers.statement(self.shop.log.origin, [self.decision()])


def plan(shop: Shop, contract: Contract, month: date, reason: str, at: datetime) -> Plan:
    """Return what correcting the price of one month would do; nothing is written.

    Args:
        shop: an open ledger, read only or not.
        contract: of kind ``average``.
        month: any day of the delivery month.
        reason: what was wrong, in words; it becomes public.
        at: the moment, naive UTC.

    Raises:
        CoverageError: no price of that month is published.
        ConfigError: the contract is not the one the price was made under, or the clock stands
            before the price.
    """
    period = f"{month:%Y-%m}"
    mine = [
        one
        for one in shop.published.settlements
        if (one["rule_id"], one["period"]) == (contract.id, period)
    ]
    if not mine:
        raise CoverageError(
            f"{contract.id} {period}: no price is published; before that nothing can be corrected"
        )
    first, standing = mine[0], mine[-1]
    if f"sha256:{contract.digest}" != first["rule_digest"]:
        raise ConfigError(
            f"{contract.id}: its terms are others than those of the price ({first['rule_digest']});"
            " correct it with a release that has them"
        )
    if clock.iso(at) < standing["published_at"]:
        raise ConfigError(
            f"this machine's clock says {clock.iso(at)}, before the price was published "
            f"({standing['published_at']}); set it right"
        )
    lists = calendar_records.in_force(shop.published, shop.batches, first["seq"])
    made = settlements.content(shop.published, contract, month, at, first["seq"], shop.batches)
    return Plan(
        shop,
        contract,
        standing,
        made,
        settlements.corrected_until(contract, month, lists),
        reason,
        at,
    )


def carry_out(made: Plan, signatures: Sequence[Signature]) -> Row:
    """Append the corrected record; return it as logged.

    Args:
        made: planned just now, its outcome :data:`CORRECT`.
        signatures: two officers', accepted over :meth:`Plan.statement`.
    """
    shop, seq = made.shop, made.shop.log.size
    stored = shop.batches.put(officers.KIND, made.statement())
    content = {
        **made.decision(),
        "statement": stored.reference(),
        "signatures": [one.as_record() for one in signatures],
    }
    shop.append([lambda place: {**content, "seq": place}])
    return {**content, "seq": seq}
