"""Bodies of GPU sellers for tests: small ones of this folder, real ones where they are at hand."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Generator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from collectors.base import Capture, Parsed, Request, Source
from methodology import schemas

HERE = Path(__file__).parent / "payloads"
SEEN = datetime(2026, 8, 16, 6, 30, tzinfo=UTC)


def small(source: Source, name: str) -> bytes:
    """Return the hand-written body ``name`` of a source."""
    return (HERE / source.id / name).read_bytes()


def capture(source: Source, body: Any, url: str | None = None) -> Capture:
    """Return a body, or what becomes one as JSON, as if fetched at :data:`SEEN`."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Capture(source.id, url or source.url, raw, SEEN)


def real(name: str) -> Any:
    """Return a real body of GPU prices as JSON, or skip."""
    fallback = Path(__file__).parents[2] / "shared" / "payloads"
    file = Path(os.environ.get("SPOTFIX_PAYLOADS", fallback)) / "gpu" / name
    if not file.is_file():
        pytest.skip(f"real body {name} is not here; set SPOTFIX_PAYLOADS")
    raw = file.read_bytes()
    return json.loads(gzip.decompress(raw) if name.endswith(".gz") else raw)


def offers(found: Parsed) -> list[tuple[Any, ...]]:
    """Return listing, tenor, price, region and GPUs of each quote."""
    columns = ("listing_id", "tenor", "price_text", "region", "gpu_count")
    return found.quotes.select(columns).rows()


def counts(found: Parsed) -> dict[tuple[str, str], int]:
    """Return each count by subject and meter."""
    rows = found.volumes.select("subject", "meter", "quantity").rows()
    return {(subject, meter): quantity for subject, meter, quantity in rows}


def refusals(found: Parsed) -> list[tuple[str, str]]:
    """Return listing and reason of each rejection."""
    return found.rejections.select("listing_id", "reason").rows()


def check(source: Source, found: Parsed) -> None:
    """Hold what is true of every parsed body: frames valid, pinned currency, one moment."""
    schemas.validate(schemas.Quote, found.quotes, source.id)
    schemas.validate(schemas.Volume, found.volumes, source.id)
    schemas.validate(schemas.Rejection, found.rejections, source.id)
    assert set(found.quotes["currency"]) <= set(source.currencies)
    assert set(found.quotes["observed_at"]) <= {SEEN.replace(tzinfo=None)}
    assert set(found.quotes["tier"]) <= {source.tier}
    key = ("listing_id", "region", "tenor")
    assert found.quotes.select(key).is_duplicated().sum() == 0


def send_all(flow: Generator[Request, Capture, None], answer: Capture, times: int) -> None:
    """Start a flow of requests and give it the same answer so many times."""
    next(flow)
    for _ in range(times):
        flow.send(answer)
