"""A small published tree for the feed's tests: two indices, every status, notices, settlements.

``TKR-one-OUT`` is fixed in NYC and live: each day is published at its own time. ``GPR-two`` is
fixed in SHA and comes from the bundled history: all of it is published on the first day. The
publisher is the real one; only its clock is set.

===========  ==================================================================
2026-11-10   r0, r1
2026-11-11   r0, r1
2026-11-12   r0, r1, then r2 ``REVISED`` with its restatement
2026-11-13   r0 and r1 ``NO_FIX``
2026-11-14   missed: nothing
2026-11-15   r0, r1, then r2 ``WITHDRAWN``
2026-11-16   r0, r1
2026-11-17   r0 alone: the final one is due at 23:00Z
===========  ==================================================================
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from index.config import Settings
from index.feed.app import make_app, open_store
from index.feed.store import Store
from index.ledger.batches import Batches
from index.ledger.canonical import canonical
from index.ledger.log import Log
from index.publication import key_records
from index.publication.publisher import Publisher
from tests import fixing_records as made

ONE, TWO = "TKR-one-OUT", "GPR-two"
NOW = datetime(2026, 11, 17, 22, 0)
"""A quarter of an hour after the last print."""

INPUTS = b"".join(
    canonical(
        {
            "observation_id": f"q{n}", "source": "models_dev", "tier": "E4", "provider": f"p{n}",
            "group": f"g{n}", "instrument_id": "one", "listing_id": f"l{n}", "meter": "OUT",
            "price_nano": price, "seen_us": 1_794_182_400_000_000, "is_confirmed": True,
            "is_suspect": False,
        }
    )
    + b"\n"
    for n, price in enumerate((4_187_500_000, None, 5_000_000_001))
)  # fmt: skip
"""Three quotes; the licence of the second withholds its price."""

CONTRIBUTIONS = b"".join(
    canonical(row) + b"\n"
    for row in (
        {
            "observation_id": "q0", "group": "g0", "kept": 100_000_000, "weight_e8": 60_000_000,
            "listing_id": "l0", "price_nano": 4_187_500_000, "provider": "p0",
            "quoted_nano": 4_187_500_000, "reason": "", "source": "models_dev",
            "status": "OBSERVED", "tier": "E4",
        },
        {
            "observation_id": "q2", "group": "g2", "kept": 0, "weight_e8": 0, "listing_id": "l2",
            "price_nano": 5_000_000_001, "provider": "p2", "quoted_nano": 5_000_000_001,
            "reason": "OUTLIER", "source": "models_dev", "status": "DROPPED", "tier": "E4",
        },
        {
            "observation_id": None, "group": "g3", "kept": 0, "weight_e8": 40_000_000,
            "listing_id": None, "price_nano": 4_000_000_000, "provider": None,
            "quoted_nano": None, "reason": "", "source": "models_dev", "status": "IMPUTED",
            "tier": None,
        },
    )
)  # fmt: skip


def text(moment: datetime) -> str:
    """RFC 3339 with milliseconds, as records have it."""
    return moment.isoformat(timespec="milliseconds") + "Z"


@dataclass
class Tree:
    """The tree while it is made: ``at`` is the publisher's clock, ``bodies`` what was logged."""

    settings: Settings
    log: Log
    at: datetime = datetime(2026, 11, 10, 8, 0)
    bodies: list[bytes] = field(default_factory=list)
    digests: dict[tuple[str, str, int], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.publisher = Publisher(
            self.settings, made.ring(), now=lambda: self.at.replace(tzinfo=UTC)
        )

    def append(self, *records: dict[str, Any]) -> None:
        """Log records together and publish them; each gets its seq here."""
        first = self.log.size
        self.bodies += made.add(self.log, *({**r, "seq": first + n} for n, r in enumerate(records)))
        self.publisher.catch_up(self.log)

    def fixing(self, index: str, day: str, revision: int, **changes: Any) -> dict[str, Any]:
        """A fixing with the times of its session's calendar in November, when NYC is UTC-5."""
        hour = {"TKR-one-OUT": 21, "GPR-two": 7}[index]
        cut = datetime.fromisoformat(day).replace(hour=hour)
        session = "NYC" if index == ONE else "SHA"
        due = cut + timedelta(minutes=(45, 120, 180)[revision])
        status = changes.get("status", ("PROVISIONAL", "FINAL", "REVISED")[revision])
        build = made.no_fix if status in ("NO_FIX", "WITHDRAWN") else made.fixing
        following = cut + (timedelta(minutes=120) if revision == 0 else timedelta(hours=24.75))
        record = build(
            0,
            **{
                "index_id": index, "session": session, "ref_date": day, "revision": revision,
                "family": "TOKEN" if index == ONE else "GPU",
                "unit": "USD/1e6tok" if index == ONE else "USD/gpu-h",
                "supersedes": self.digests.get((index, day, revision - 1)),
                "status": status, "waterfall": "REDUCED" if build is made.fixing else "NO_FIX",
                "grade": "C" if build is made.fixing else "D",
                "flags": ["BUNDLED"] if index == TWO else [],
                "cutoff_at": text(cut), "calculated_at": text(due), "published_at": text(due),
                "next_publication_at": text(following),
                "input_uri": f"batches/inputs/{hashlib.sha256(INPUTS).hexdigest()}.jsonl",
                "contributions": self.cited["contributions"],
            }
            | changes,
        )  # fmt: skip
        numbered = canonical({**record, "seq": self.log.size})
        self.digests[index, day, revision] = "sha256:" + hashlib.sha256(numbered).hexdigest()
        return record

    def publish(self, index: str, day: str, revision: int, **changes: Any) -> None:
        """Log one fixing at its scheduled time plus a second, and publish it."""
        record = self.fixing(index, day, revision, **changes)
        if index == ONE:
            due = datetime.fromisoformat(record["published_at"].removesuffix("Z"))
            self.at = due + timedelta(seconds=1)
        self.append(record)

    def cite(self) -> None:
        """Store the bodies that the fixings cite."""
        batches = Batches(self.settings.ledger)
        bodies = {"contributions": CONTRIBUTIONS, "inputs": INPUTS}
        self.cited = {kind: batches.put(kind, b).reference() for kind, b in bodies.items()}


def notice(index: str | None, words: str) -> dict[str, Any]:
    """A notice about an index."""
    return {
        "type": "notice", "schema": "notice/1.0", "log_origin": made.ORIGIN, "kind": "OTHER",
        "index_id": index, "session": None, "ref_date": None, "concerns": None, "text": words,
        "at": "2026-11-10T08:00:00.000Z",
    }  # fmt: skip


def settlement(index: str, rule: str, revision: int = 0) -> dict[str, Any]:
    """A complete settlement of one pricing day."""
    return {
        "type": "settlement", "schema": "settlement/1.0", "log_origin": made.ORIGIN,
        "administrator_id": "example", "rule_id": rule, "rule_version": "1.0.0",
        "rule_digest": made.NOTHING, "title": "one day", "label": "reference", "index_id": index,
        "period": "2026-10", "revision": revision,
        "supersedes": made.NOTHING if revision else None, "status": "FINAL", "failure": None,
        "value": "4.1875", "currency": "USD", "unit": "USD/1e6tok", "decimals": 6,
        "tick": "0.0001", "rounding": "HALF_UP", "sum": "4.1875", "count": 1,
        "mean": {"numerator": "41875", "denominator": "10000"},
        "multiplier": {"quantity": 1000, "unit": "1e6tok"}, "contract_value": "4187.5",
        "basis": "indicative", "settlement_eligible": False,
        "pricing_days": {
            "rule": "CAL", "k": None, "calendar": "CAL", "calendar_digest": None, "days": 1,
            "first": "2026-10-30", "last": "2026-10-30",
        },
        "inputs": [
            {
                "date": "2026-10-30", "seq": None, "digest": None, "value": "4.1875",
                "state": "COUNTED", "is_look_back": False,
            }
        ],
        "fallback_clause": "17.5", "published_at": "2026-11-10T08:00:00.000Z",
    }  # fmt: skip


def make(out: Path) -> Tree:
    """Write the whole tree below ``out``."""
    settings = made.settings(out)
    log = Log.create(settings.ledger, made.ORIGIN)
    tree = Tree(settings, log)
    tree.cite()
    opening = key_records.opening(made.ring(), made.ORIGIN, datetime(2026, 11, 10))
    commitment = {
        "type": "commitment", "schema": "commitment/1.0", "log_origin": made.ORIGIN,
        "index_id": ONE, "session": "NYC", "ref_date": "2026-11-10", "input_digest": made.NOTHING,
        "methodology_digest": made.NOTHING, "definition_digest": made.NOTHING,
        "basket_digest": made.NOTHING, "manifest": {**made.REFERENCE, "kind": "manifest"},
        "committed_at": "2026-11-10T08:00:00.000Z",
        "inputs": tree.cited["inputs"],
    }  # fmt: skip
    tree.append(*(one(seq) for seq, one in enumerate(opening)), commitment)
    for day in ("2026-11-08", "2026-11-09"):
        for revision in (0, 1):
            tree.publish(TWO, day, revision)
    tree.append(notice(TWO, "Straße, 中文"), settlement(ONE, "LAST"), settlement(TWO, "MEAN"))
    tree.append(settlement(ONE, "MEAN"), settlement(ONE, "LAST", 1))
    for day, value in (("10", "4.187500"), ("11", "4.200000"), ("12", "4.210000")):
        for revision in (0, 1):
            tree.publish(ONE, f"2026-11-{day}", revision, value=value)
    words = {"revision_reason": "unit error at one source", "value": "4.300000"}
    tree.publish(ONE, "2026-11-12", 2, **words)
    for revision in (0, 1):
        tree.publish(ONE, "2026-11-13", revision, status="NO_FIX")
    for revision in (0, 1):
        tree.publish(ONE, "2026-11-15", revision)
    tree.publish(ONE, "2026-11-15", 2, status="WITHDRAWN", revision_reason="computed twice")
    tree.append(notice(None, "to all"), notice(ONE, "about one"))
    for revision in (0, 1):
        tree.publish(ONE, "2026-11-16", revision)
    tree.publish(ONE, "2026-11-17", 0)
    settings.data.mkdir(exist_ok=True)
    (settings.data / "datapackage.json").write_bytes(b'{"name":"spotfix"}')
    (settings.data / "big.parquet").write_bytes(bytes(range(256)) * 2048)
    (settings.data / ".half.parquet.tmp").write_bytes(b"half")
    return tree


_SHARED: list[Tree] = []


def shared(factory: pytest.TempPathFactory) -> Tree:
    """The tree for tests that only read it, made once in this process."""
    if not _SHARED:
        _SHARED.append(make(factory.mktemp("feed-tree") / "out"))
    return _SHARED[0]


def copied(tree: Tree, out: Path) -> Tree:
    """A tree of its own for one test, to be published into."""
    shutil.copytree(tree.settings.out, out)
    settings = tree.settings.model_copy(update={"out": out, "keys": out / "keys"})
    found = Tree(settings, Log.open(settings.ledger), tree.at, [*tree.bodies], {**tree.digests})
    found.cited = tree.cited
    return found


@contextmanager
def serving(settings: Settings, now: datetime = NOW) -> Iterator[TestClient]:
    """A client of the application over a published tree, in this process."""
    app = make_app(open_store(settings), now=lambda: now)
    with TestClient(app, base_url="http://feed.test", raise_server_exceptions=False) as client:
        yield client


def opened(settings: Settings) -> Store:
    """The store alone."""
    return open_store(settings)


def record(body: bytes) -> dict[str, Any]:
    """A record's fields."""
    found: dict[str, Any] = json.loads(body)
    return found
