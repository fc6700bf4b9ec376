"""Complete records and small logs, made by hand, for tests of what is published from them."""

from __future__ import annotations

import base64
from datetime import datetime
from pathlib import Path
from typing import Any

from index import config
from index.config import Settings
from index.ledger.batches import Batches
from index.ledger.canonical import canonical, digest
from index.ledger.log import Log
from index.publication import keyring
from index.publication.publisher import Publisher

ORIGIN = "example.test/log"
BODY = b'{"a":1}\n'
REFERENCE = {"kind": "contributions", "sha256": digest(BODY), "size": len(BODY)}
NOTHING = "sha256:" + "0" * 64


def fixing(seq: int, **changes: Any) -> dict[str, Any]:
    """Return a complete fixing; a first, provisional one unless ``changes`` say otherwise."""
    return {
        "type": "fixing",
        "schema": "fixing/1.0",
        "seq": seq,
        "log_origin": ORIGIN,
        "administrator_id": "example",
        "index_id": "TKR-one-OUT",
        "family": "TOKEN",
        "session": "NYC",
        "ref_date": "2026-11-20",
        "revision": 0,
        "supersedes": None,
        "label": "reference",
        "value": "4.187500",
        "currency": "USD",
        "unit": "USD/1e6tok",
        "decimals": 6,
        "level": "642.1180",
        "base_date": "2026-05-01",
        "prev_value": "4.000000",
        "change_pct": "4.6875",
        "alt": [
            {
                "currency": "CNY",
                "value": "29.731250",
                "fx_rate": "7.100000",
                "fx_source": "ECB",
                "fx_date": "2026-11-19",
            }
        ],
        **dict.fromkeys(("p1", "min"), "3.000000"),
        **dict.fromkeys(("p25", "p50", "loo_low"), "4.100000"),
        **dict.fromkeys(("p75", "p99", "max", "loo_high"), "5.250000"),
        "dispersion": "0.100000",
        "ci_low": None,
        "ci_high": None,
        "volume": None,
        "volume_unit": None,
        "volume_basis": "FIXED_WEIGHT",
        "n_collected": 12,
        "n_used": 10,
        "n_excluded": 2,
        "n_sources": 3,
        "n_providers": 10,
        "top_weight": "0.10000000",
        "effective_n": "10.000000",
        "executable_share": "0.00000000",
        "weight_share": "1.00000000",
        "fresh_share": "1.00000000",
        "status": "PROVISIONAL",
        "obs_status": "P",
        "settlement_eligible": False,
        "waterfall": "REDUCED",
        "grade": "C",
        "grade_components": None,
        "flags": ["BUNDLED", "COMMIT_UNWITNESSED"],
        "footnotes": [],
        "no_fix_reason": None,
        "revision_reason": None,
        "window_open": "2026-11-19T21:00:00.000Z",
        "cutoff_at": "2026-11-20T21:00:00.000Z",
        "calculated_at": "2026-11-20T21:45:00.000Z",
        "published_at": "2026-11-20T21:45:00.125Z",
        "final_at": "2026-11-21T04:59:59.000Z",
        "next_publication_at": "2026-11-20T23:00:00.000Z",
        "calendar_id": "calendar-day/1",
        "methodology_id": "spotfix",
        "methodology_version": "1.0.0",
        "methodology_digest": NOTHING,
        "definition_digest": NOTHING,
        "basket_version": "2026-11",
        "basket_digest": digest(BODY),
        "software": "spotfix/1.0.0",
        "input_digest": NOTHING,
        "input_count": 12,
        "input_uri": f"batches/inputs/{'0' * 64}.jsonl",
        "commit_seq": 0,
        "contributions": REFERENCE,
        "panel_state": {**REFERENCE, "kind": "panel_state"},
        "panel_state_before": None,
        "manifest": {**REFERENCE, "kind": "manifest"},
        "licence": "CC-BY-4.0",
        "disclaimer_id": "example-1",
        **changes,
    }


def no_fix(seq: int, **changes: Any) -> dict[str, Any]:
    """Return a fixing that has no value, and says why."""
    gone = ("value", "level", "p1", "p25", "p50", "p75", "p99", "min", "max", "loo_low", "loo_high")
    return fixing(
        seq,
        **{
            **dict.fromkeys((*gone, "change_pct", "dispersion")),
            "alt": [],
            "status": "NO_FIX",
            "obs_status": "U",
            "waterfall": "NO_FIX",
            "grade": "D",
            "no_fix_reason": "too few providers: 2 of 3",
            **changes,
        },
    )


def incident(seq: int) -> dict[str, Any]:
    """Return a record that stands in the log alone."""
    return {"type": "incident", "schema": "incident/1.0", "seq": seq, "log_origin": ORIGIN}


def key(seq: int, ring: keyring.Keyring, slot: str = "fixing", **changes: Any) -> dict[str, Any]:
    """Return the record that names one key of a keyring."""
    public = {
        "root": ring.root,
        "fixing": ring.fixing.public,
        "log": ring.log.public,
        "log_pq": ring.log_pq.public,
    }[slot]
    return {
        "type": "key",
        "schema": "key/1.0",
        "seq": seq,
        "log_origin": ORIGIN,
        "action": "CREATE",
        "key_id": public.id,
        "name": public.name,
        "purpose": public.purpose,
        "algorithm": public.algorithm,
        "public_key": base64.b64encode(public.raw).decode(),
        "replaces": None,
        "effective_seq": seq,
        "reason": None,
        "at": "2026-11-20T00:00:00.000Z",
        "signatures": [],
        **changes,
    }


def opening(ring: keyring.Keyring) -> list[dict[str, Any]]:
    """Return the first records of a log: its four keys."""
    return [key(seq, ring, slot) for seq, slot in enumerate(("root", "fixing", "log", "log_pq"))]


def ring() -> keyring.Keyring:
    """Return the demonstration keyring, named for these logs."""
    return keyring.demo(ORIGIN, "example")


def settings(out: Path) -> Settings:
    """Return settings of a directory whose ledger holds the bodies that the records cite."""
    found = config.load(out=out, log_origin=ORIGIN, administrator_id="example")
    batches = Batches(found.ledger)
    for kind in ("contributions", "panel_state", "manifest", "basket"):
        batches.put(kind, BODY)
    return found


def add(log: Log, *records: dict[str, Any]) -> list[bytes]:
    """Append records in one go and return their bytes."""
    bodies = [canonical(one) for one in records]
    log.append(bodies, expected_first=log.size)
    return bodies


def publish(settings: Settings, *appends: list[dict[str, Any]]) -> tuple[Log, Publisher]:
    """Append each list of records, publish after each, and return log and publisher."""
    exists = Log.exists(settings.ledger)
    log = Log.open(settings.ledger) if exists else Log.create(settings.ledger, ORIGIN)
    publisher = Publisher(settings, ring(), at)
    publisher.catch_up(log)
    for records in appends:
        add(log, *records)
        publisher.catch_up(log)
    return log, publisher


def at() -> datetime:
    """Return the moment at which the tests' checkpoints are signed."""
    return datetime.fromisoformat("2026-11-20T21:46:00+00:00")
