"""What the tests of sellers' model lists share: captures, short views of what came out, bodies."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from collectors.base import Capture, Parsed, Source
from methodology import schemas
from methodology.units import to_nano

HERE = Path(__file__).parent
SEEN = datetime(2026, 11, 21, 6, 0, tzinfo=UTC)

NOT_A_LIST = {
    "html": b"<html></html>",
    "an error": b'{"error":{"message":"unauthorized"}}',
    "nothing": b"",
    "no models": b'{"data":[]}',
    "an empty list": b"[]",
    "a list of numbers": b'{"data":[1]}',
    "a bare list of numbers": b"[1]",
    "a model without an id": b'{"data":[{"pricing":{}}]}',
    "a bare model without an id": b'[{"pricing":{}}]',
    "an id that is a number": b'{"data":[{"id":7,"pricing":{}}]}',
    "a key twice": b'{"data":[{"id":"a","id":"b"}]}',
    "not a number": b'{"data":[{"id":"a","pricing":{"prompt":NaN}}]}',
}
"""Bodies that no source may take for a list of models."""


def capture(source: Source, body: object, at: datetime = SEEN) -> Capture:
    """Return a capture of bytes as they are, or of anything else as JSON."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Capture(source.id, source.url, raw, at)


def payload(source: Source, name: str, at: datetime = SEEN) -> Capture:
    """Return the hand-written body of this name."""
    return capture(source, (HERE / "payloads" / source.id / name).read_bytes(), at)


def shared(*parts: str) -> Path:
    """Return a real body, or skip: they are not part of the repository."""
    root = Path(os.environ.get("SPOTFIX_PAYLOADS", HERE.parents[1] / "shared" / "payloads"))
    path = root.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"real bodies are not here: {path} (set SPOTFIX_PAYLOADS)")
    return path


def prices(found: Parsed) -> list[tuple[Any, ...]]:
    """Return (provider, listing, meter, figure) of every quote, in order."""
    return found.quotes.select("provider", "listing_id", "meter", "price_text").rows()


def reasons(found: Parsed) -> list[tuple[str, str]]:
    """Return (listing, reason) of every rejection, in order."""
    return found.rejections.select("listing_id", "reason").rows()


def nanos(found: Parsed) -> list[tuple[str, int]]:
    """Return (meter, nano-units per Mtok) of every quote, in order."""
    kept = found.quotes.select("meter", "price_text", "quoted_unit").rows()
    return [(meter, to_nano(text, unit)[0]) for meter, text, unit in kept]


def holds(found: Parsed, source: Source) -> None:
    """Check what is true of every body: valid frames, the source's tier, the pinned currency."""
    schemas.validate(schemas.Quote, found.quotes, source.id)
    schemas.validate(schemas.Rejection, found.rejections, source.id)
    assert set(found.quotes["tier"]) <= {source.tier}
    assert set(found.quotes["currency"]) <= set(source.currencies)
    assert set(found.quotes["tenor"]) <= {"on_demand"}
