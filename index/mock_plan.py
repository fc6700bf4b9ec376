"""What a mock feed publishes and when, and where a seed puts its faults.

=================  ================================================================================
``late``           a ``DELAYED`` notice ten minutes after a fixing was due; the fixing 30 min after
``revision``       one revision more, ``REVISED``, its value a hundredth higher
``no-fix``         a fixing without a value where there was one
``gap``            a record that is in the log and never in the stream: the ids skip it
``bad-signature``  one byte of a ``.sig`` is wrong, and so of the header that repeats it
=================  ================================================================================

The restatement record that two officers sign before a real ``REVISED`` is left out.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from index.ledger.log import Log
from index.publication import record
from index.publication.keyring import SLOTS
from methodology import clock
from methodology.errors import CoverageError, UsageError

FAULTS: Final = ("late", "revision", "no-fix", "gap", "bad-signature")
FLAG: Final = "MOCK"
GRACE: Final = timedelta(minutes=10)
LATE: Final = timedelta(minutes=30)
REVISED_AFTER: Final = timedelta(minutes=45)
NO_FIX_REASON: Final = "mock feed: a value was taken away"

_WITHOUT_VALUE: Final = (
    "value", "level", "change_pct", "p1", "p25", "p50", "p75", "p99", "min", "max", "dispersion",
    "ci_low", "ci_high", "loo_low", "loo_high",
)  # fmt: skip

Fields = dict[str, Any]


@dataclass
class Item:
    """One record to come: when, and its fields but for its place in the mock log."""

    at: datetime
    fields: Fields
    fault: str | None = None
    commitment: int | None = None
    """The source's ``seq`` of the commitment, or of the fixing's commitment."""

    @property
    def key(self) -> tuple[str, str, str]:
        """Index, session, day."""
        return self.fields["index_id"], self.fields["session"], self.fields["ref_date"]


@dataclass
class Plan:
    """Everything a mock feed will publish: ``seq`` of the first item is ``opening``."""

    origin: str
    opening: int
    items: list[Item] = field(default_factory=list)

    def left_out(self) -> frozenset[int]:
        """Return the places that the stream skips."""
        return frozenset(s for s, item in self._placed() if item.fault == "gap")

    def unsigned(self) -> frozenset[int]:
        """Return the places whose signature will be wrong."""
        return frozenset(s for s, item in self._placed() if item.fault == "bad-signature")

    def _placed(self) -> list[tuple[int, Item]]:
        return list(enumerate(self.items, start=self.opening))

    def faults(self) -> list[dict[str, Any]]:
        """Return each fault with the record it shows in."""
        return [
            {
                "fault": item.fault,
                "seq": seq,
                "type": item.fields["type"],
                "index_id": item.fields["index_id"],
                "session": item.fields["session"],
                "ref_date": item.fields["ref_date"],
                "revision": item.fields.get("revision"),
                "at": clock.iso(item.at),
            }
            for seq, item in self._placed()
            if item.fault is not None
        ]


def plan(
    ledger: Path,
    faults: Sequence[str] = FAULTS,
    *,
    first: date | None = None,
    last: date | None = None,
    seed: int = 1,
) -> Plan:
    """Return what will be published from a ledger's fixings between two days, and the faults.

    Args:
        ledger: of any log that holds fixings; it is only read.
        faults: names of :data:`FAULTS`; one of each is planted.
        first: the first index day.
        last: the last index day.
        seed: places the faults.

    Raises:
        UsageError: an unknown fault.
        CoverageError: no log, no fixing between the days, or too few for the faults.
    """
    unknown = sorted(set(faults) - set(FAULTS))
    if unknown:
        raise UsageError(f"--faults {','.join(unknown)}: there are {', '.join(FAULTS)}")
    log = Log.open(ledger, read_only=True)
    items = _items(log, first, last)
    if not items:
        span = f"{first or 'the first day'} to {last or 'the last'}"
        raise CoverageError(f"{ledger}: no fixing from {span}; `spotfix history INDEX` shows days")
    luck = random.Random(seed)
    for name in FAULTS:
        if name in faults:
            _plant(items, name, luck)
    items.sort(key=lambda item: item.at)  # stable: what was together stays in its order
    return Plan(f"{log.origin}/mock", len(SLOTS), items)


def _items(log: Log, first: date | None, last: date | None) -> list[Item]:
    """Return commitments and fixings as they were published, marked as mock."""
    items: list[Item] = []
    for body in log.entries():
        if not body.count(b'"type":"fixing"') and not body.count(b'"type":"commitment"'):
            continue
        found = json.loads(body)
        if found["type"] not in ("fixing", "commitment"):
            continue
        day = date.fromisoformat(found["ref_date"])
        if (first and day < first) or (last and day > last):
            continue
        if found["type"] == "commitment":
            items.append(Item(_moment(found["committed_at"]), found, None, found["seq"]))
            continue
        found["flags"] = sorted({*found["flags"], FLAG})
        found["settlement_eligible"] = False
        items.append(Item(_moment(found["published_at"]), found, None, found["commit_seq"]))
    # A commitment that was logged in time and stamped later still comes before its fixings.
    soonest: dict[int | None, datetime] = {}
    for item in items:
        if item.fields["type"] == "fixing":
            soonest[item.commitment] = min(item.at, soonest.get(item.commitment, item.at))
    kept = [item for item in items if item.commitment in soonest]
    for item in kept:
        if item.fields["type"] == "commitment":
            item.at = min(item.at, soonest[item.commitment])
    return kept


def _plant(items: list[Item], name: str, luck: random.Random) -> None:
    fixings = [i for i in items if i.fields["type"] == "fixing" and i.fault is None]
    touched = {i.key for i in items if i.fault is not None}
    free = [i for i in fixings if i.key not in touched]
    wanted: Callable[[Item], bool] = lambda item: True  # noqa: E731
    if name == "late":
        wanted = lambda item: item.fields["revision"] == 0  # noqa: E731
    elif name == "no-fix":
        wanted = lambda item: item.fields["revision"] == 0 and item.fields["value"]  # noqa: E731
    elif name == "revision":
        newest = {i.key: i.fields["revision"] for i in free}
        wanted = lambda i: i.fields["value"] and i.fields["revision"] == newest[i.key]  # noqa: E731
    chosen = [item for item in free if wanted(item)]
    if not chosen:
        raise CoverageError(f"--faults {name}: too few fixings for it between these days")
    _PLANTERS[name](items, luck.choice(chosen))


def _late(items: list[Item], item: Item) -> None:
    due = item.at
    for each in items:
        if each.key == item.key and each.fields["type"] == "fixing":
            # A final that was due before the late provisional follows it.
            each.at = max(each.at, due + LATE)
    item.fields["calculated_at"] = item.fields["published_at"] = clock.iso(item.at)
    item.fields["flags"] = sorted({*item.fields["flags"], "LATE"})
    text = f"MOCK: the provisional print due at {clock.iso(due)} is late"
    at = due + GRACE
    said = {
        "kind": "DELAYED", "index_id": item.key[0], "session": item.key[1],
        "ref_date": item.key[2], "concerns": None, "text": text, "at": clock.iso(at),
    }  # fmt: skip
    items.append(Item(at, record.notice(said), "late"))
    item.fault = "late"


def _revision(items: list[Item], item: Item) -> None:
    fields = dict(item.fields)
    at = item.at + REVISED_AFTER
    digits = fields["value"].replace(".", "")
    raised = str(int(digits) + max(1, int(digits) // 100))
    places = len(fields["value"].partition(".")[2])
    fields["value"] = _decimal(raised, places)
    fields |= {
        "revision": fields["revision"] + 1,
        "status": "REVISED",
        "obs_status": "A",
        "revision_reason": "mock feed: a changed value",
        "calculated_at": clock.iso(at),
        "published_at": clock.iso(at),
    }
    items.append(Item(at, fields, "revision", item.commitment))


def _no_fix(items: list[Item], item: Item) -> None:
    for each in items:
        if each.key == item.key and each.fields["type"] == "fixing":
            each.fields |= dict.fromkeys(_WITHOUT_VALUE)
            each.fields |= {
                "status": "NO_FIX", "waterfall": "NO_FIX", "obs_status": "U", "grade": "D",
                "alt": [], "no_fix_reason": NO_FIX_REASON,
            }  # fmt: skip
            each.fault = "no-fix"


def _gap(items: list[Item], item: Item) -> None:
    item.fault = "gap"


def _bad_signature(items: list[Item], item: Item) -> None:
    item.fault = "bad-signature"


_PLANTERS: Final[dict[str, Callable[[list[Item], Item], None]]] = {
    "late": _late,
    "revision": _revision,
    "no-fix": _no_fix,
    "gap": _gap,
    "bad-signature": _bad_signature,
}


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.removesuffix("Z"))


def _decimal(digits: str, places: int) -> str:
    if not places:
        return digits
    digits = digits.zfill(places + 1)
    return f"{digits[:-places]}.{digits[-places:]}"
