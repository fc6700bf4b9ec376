"""A stranger makes every price again: from the log's fixings and the published lists of sessions.

A release that lacks an edition of a list still checks the prices made with it, because the list
itself is published beside the log (rulebook 17.13).
"""

from __future__ import annotations

from collections.abc import Sequence

from index import calendar_records, settlements
from index.ledger.canonical import digest
from index.published import Published
from index.shelves import Shelf
from index.verifying import Findings, Seen
from methodology.errors import CoverageError, VerificationError


class Copies:
    """Published bodies by kind and digest: ``<kind>/<sha256>.jsonl`` stand below the shelf."""

    def __init__(self, batches: Shelf) -> None:
        self.batches = batches

    def get(self, kind: str, sha256: str) -> bytes:
        """Return a body, its digest checked.

        Args:
            kind: its kind, such as ``calendar``.
            sha256: 64 hex digits, with or without ``sha256:`` before them.

        Raises:
            CoverageError: it is not there.
            VerificationError: the bytes have another digest.
        """
        name = f"{kind}/{sha256.removeprefix('sha256:')}.jsonl"
        body = self.batches.read(name)
        if body is None:
            raise CoverageError(f"{self.batches.where(name)}: is missing")
        if digest(body)[7:] != sha256.removeprefix("sha256:"):
            raise VerificationError(f"{self.batches.where(name)}: has digest {digest(body)}")
        return body


def check_prices(seen: Seen, batches: Shelf, found: Findings, chosen: Sequence[int]) -> None:
    """Check lists of sessions, and every price against the lists that held at its place.

    Args:
        seen: the log.
        batches: ``<kind>/<sha256>.jsonl`` stand below it.
        found: takes what differs.
        chosen: places of the log; what is neither a list nor a price is passed over.
    """
    mine = [n for n in chosen if seen.records[n]["type"] in ("calendar", "settlement")]
    if not mine:
        return
    published, copies = Published(), Copies(batches)
    try:
        for body in seen.bodies:
            published.add(body)
        told = [
            *calendar_records.check(published, copies),
            *settlements.check(published, copies),
        ]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        found.add("prices", f"a record is not what its type promises: {error!r}")
        return
    for seq in mine:
        for one in told:
            where, _, what = one.partition(": ")
            if where.startswith(f"record {seq} ("):
                found.add(f"seq {seq}{where.removeprefix(f'record {seq}')}", what)
