"""Hand-written observations of one host's offer, for the tests of representative prices."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import polars as pl

from methodology import schemas
from methodology import segments as seg
from methodology.definition import load_methodology

RULES = load_methodology()
WINTER = date(2026, 1, 15)
"""An ordinary winter day: its NYC window runs from the 14th, 21:00 UTC to the 15th, 21:00 UTC."""


def at(text: str) -> datetime:
    """``2026-01-15 09:00`` as a naive UTC time; a time alone is on the winter day."""
    return datetime.fromisoformat(text if len(text) > 5 else f"{WINTER} {text}")


def seen(when: str, price: int | None, **more: Any) -> dict[str, Any]:
    """One observation of a host's input price, in nano-units; ``None``: nothing on offer."""
    row = {
        "source": "snap",
        "provider": "acme",
        "group": "acme",
        "provider_class": "host",
        "instrument_id": "glm-5",
        "listing_id": "acme/glm-5",
        "meter": "IN",
        "price_nano": price,
        "unit": "usd_per_mtok",
        "is_inexact": False,
        "tenor": "on_demand",
        "is_official_date": False,
        "status": "offered" if price else "withdrawn",
        "observed_at": at(when),
        "tier": "E3",
        "licence_id": "facts",
        "capture_sha256": "0" * 64,
    } | more
    row["observation_id"] = hashlib.sha256(repr(sorted(row.items(), key=str)).encode()).hexdigest()
    return row


def observations(rows: list[dict[str, Any]]) -> pl.DataFrame:
    return schemas.frame(schemas.Observation, rows)


def coverage(
    mode: str, spans: Sequence[tuple[str, str]], captures: Sequence[str] = ()
) -> seg.Coverage:
    moment = pl.Datetime("us")
    return seg.Coverage(
        pl.DataFrame(
            [("snap", mode, at(a), at(b)) for a, b in spans],
            schema={
                "source": pl.String,
                "mode": pl.String,
                "covered_from": moment,
                "covered_to": moment,
            },
            orient="row",
        ),
        pl.DataFrame(
            [("snap", at(c)) for c in captures],
            schema={"source": pl.String, "captured_at": moment},
            orient="row",
        ),
    )


ALWAYS = [("2025-01-01 00:00", "2027-01-01 00:00")]
