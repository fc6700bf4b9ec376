"""Is what a parser accepted fit to be accepted? An independent judge in plain Python.

Nothing of the project is imported here: the rules are written again from the documented schemas,
so that a hole in a parser and the same hole in a Pandera model do not hide each other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

Row = Mapping[str, Any]

FIGURE = re.compile(r"\d{1,20}(\.\d{0,40})?([eE][+-]?\d{1,2})?", re.ASCII)
CODE = re.compile(r"[A-Z][A-Z0-9_]+")
HASH = re.compile(r"[0-9a-f]{64}")
CURRENCY = re.compile(r"[A-Z]{3}")
METERS = {"IN", "CIN", "OUT", "BAT_IN", "BAT_OUT", "GPU_H"}
GPU_WORDS = ("gpu", "instance")
TENORS = {"on_demand", "spot", "community", "reserved", "other"}
TIERS = {"E1", "E2", "E3", "E4", "E5"}
DAY = timedelta(days=1)


def is_text(value: object) -> bool:
    """Return whether a value is a name: not empty, encodable, without line or control breaks."""
    if not isinstance(value, str) or not value.strip():
        return False
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return "\x00" not in value


def figures(text: str) -> list[str]:
    """Return the decimal figures of a price text; empty when it is not one or a product of two."""
    parts = text.split(" * ")
    return parts if len(parts) <= 2 and all(FIGURE.fullmatch(p) for p in parts) else []


def quote_faults(row: Row, fetched_at: datetime, currencies: Iterable[str]) -> list[str]:
    """Return what is wrong with one accepted quote; nothing when it may stand."""
    unit, price = row["quoted_unit"], row["price_text"]
    found = figures(price) if isinstance(price, str) else []
    start, end = row["window_start_min"], row["window_end_min"]
    begins, ends = row["effective_from"], row["effective_to"]
    is_gpu = isinstance(unit, str) and any(word in unit for word in GPU_WORDS)
    tests = {
        "provider is no name": is_text(row["provider"]),
        "listing is no name": is_text(row["listing_id"]),
        "meter": row["meter"] in METERS,
        "a GPU's unit for tokens, or the reverse": is_gpu == (row["meter"] == "GPU_H"),
        "price without an offer, or the reverse": (price is not None)
        == (row["status"] == "offered"),
        "price is no figure": price is None or bool(found),
        "price is not above zero": not found or all(Decimal(f) > 0 for f in found),
        "currency is not one the source is pinned to": row["currency"] in set(currencies),
        "currency": bool(CURRENCY.fullmatch(row["currency"])),
        "tenor": row["tenor"] in TENORS,
        "tier": row["tier"] in TIERS,
        "status": row["status"] in {"offered", "withdrawn", "unknown"},
        "gpu_count": row["gpu_count"] is None or 1 <= row["gpu_count"] <= 1024,
        "half a window": (start is None) == (end is None),
        "window": start is None or (0 <= start < 1440 and 0 <= end < 1440 and start != end),
        "validity ends before it begins": begins is None or ends is None or begins < ends,
        "official date without a date": not row["is_official_date"] or begins is not None,
        "seen after it was fetched": row["observed_at"] <= fetched_at + DAY,
        "digest": bool(HASH.fullmatch(row["capture_sha256"])),
    }
    return [name for name, good in tests.items() if not good]


def volume_faults(row: Row, fetched_at: datetime) -> list[str]:
    """Return what is wrong with one accepted volume."""
    tests = {
        "subject is no name": is_text(row["subject"]),
        "quantity": isinstance(row["quantity"], int) and 0 <= row["quantity"] < 2**62,
        "share above the whole": "share" not in row["meter"] or row["quantity"] <= 10**8,
        "period ends before it begins": row["period_start"] < row["period_end"],
        "stated after it was fetched": row["as_of"] <= fetched_at + DAY,
        "period in the future": row["period_start"] <= (fetched_at + DAY).date(),
    }
    return [name for name, good in tests.items() if not good]


def rate_faults(row: Row, fetched_at: datetime) -> list[str]:
    """Return what is wrong with one accepted exchange rate."""
    text = row["rate_text"]
    tests = {
        "rate is no figure": bool(FIGURE.fullmatch(text)),
        "rate is not above zero": bool(FIGURE.fullmatch(text)) and Decimal(text) > 0,
        "currency": bool(CURRENCY.fullmatch(row["base"]) and CURRENCY.fullmatch(row["quote"])),
        "a currency in itself": row["base"] != row["quote"],
        "a rate of tomorrow": row["ref_date"] <= (fetched_at + DAY).date(),
    }
    return [name for name, good in tests.items() if not good]


def rejection_faults(row: Row) -> list[str]:
    """Return what is wrong with one refusal: it must say why, in a code and in words."""
    tests = {
        "reason": bool(CODE.fullmatch(row["reason"])),
        "refused without a word": bool(row["detail"].strip()) and len(row["detail"]) <= 500,
        "stage": row["stage"] in {"parse", "validate", "normalise", "eligibility"},
    }
    return [name for name, good in tests.items() if not good]


def json_faults(body: bytes) -> set[str]:
    """Return the faults of a JSON body that no parser of money may overlook.

    ``text`` (not UTF-8), ``json`` (not JSON), ``constant`` (NaN, Infinity), ``twice`` (a key
    repeated with another value in one object).
    """
    found: set[str] = set()

    def constant(name: str) -> None:
        found.add("constant")

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        kept = dict(items)
        if len(kept) != len(items):
            found.add("twice")
        return kept

    try:
        json.loads(body.decode("utf-8"), parse_constant=constant, object_pairs_hook=pairs)
    except UnicodeDecodeError:
        return {"text"}
    except (ValueError, RecursionError):
        return {"json"}
    return found


def stands_in(body: bytes, price: str, spell: Callable[[str], Iterable[str]] | None = None) -> bool:
    """Return whether every figure of a price text stands in the body, verbatim.

    A figure that is nowhere in the body was made up. ``spell`` gives the other spellings a format
    may use for a figure (thousands marks in a page).
    """
    text = body.decode("utf-8", "replace")
    return all(
        any(one in text for one in (figure, *(spell(figure) if spell else ())))
        for figure in figures(price)
    )
