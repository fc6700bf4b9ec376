"""Is what a parser accepted fit to be accepted? An independent judge in plain Python.

Nothing of the project is imported here: the rules are written again from the documented schemas,
so that a hole in a parser and the same hole in a Pandera model do not hide each other.
"""

from __future__ import annotations

import contextlib
import csv
import html
import io
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
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
LONGEST_NAME = 1000
FIRST, LAST = datetime(1990, 1, 1), datetime(2101, 1, 1)
"""No price, volume or rate is of a moment outside these."""

UNSEEN = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
"""Unicode categories of what no reader sees: control, format (zero width, direction), halves of
characters, private use, breaks of lines and paragraphs."""


@lru_cache(maxsize=65536)
def is_shown(text: str) -> bool:
    """Return whether a reader sees every character of a text."""
    if text.isascii() and text.isprintable():
        return True
    return not any(unicodedata.category(c) in UNSEEN for c in text)


def is_text(value: object) -> bool:
    """Return whether a value is a name: a text that is not blank, not endless, and all seen."""
    if not isinstance(value, str) or not value.strip():
        return False
    return len(value) <= LONGEST_NAME and is_shown(value)


def figures(text: str) -> list[str]:
    """Return the decimal figures of a price text; empty when it is not one or a product of two."""
    parts = text.split(" * ")
    return parts if len(parts) <= 2 and all(FIGURE.fullmatch(p) for p in parts) else []


def _within(moment: datetime | None) -> bool:
    return moment is None or FIRST <= moment < LAST


def _named(tests: Mapping[str, bool]) -> list[str]:
    return [name for name, good in tests.items() if not good]


def quote_faults(row: Row, fetched_at: datetime, currencies: Iterable[str]) -> list[str]:
    """Return what is wrong with one accepted quote; nothing when it may stand."""
    unit, price = row["quoted_unit"], row["price_text"]
    found = figures(price) if isinstance(price, str) else []
    start, end = row["window_start_min"], row["window_end_min"]
    begins, ends = row["effective_from"], row["effective_to"]
    is_gpu = isinstance(unit, str) and any(word in unit for word in GPU_WORDS)
    return _named(
        {
            "provider is no name": is_text(row["provider"]),
            "listing is no name": is_text(row["listing_id"]),
            "region is no name": row["region"] is None or is_text(row["region"]),
            "meter": row["meter"] in METERS,
            "a GPU's unit for tokens, or the reverse": is_gpu == (row["meter"] == "GPU_H"),
            "price without an offer, or the reverse": (price is not None)
            == (row["status"] == "offered"),
            "price is no figure": price is None or bool(found),
            "price is not above zero": not found or all(Decimal(f) > 0 for f in found),
            "currency is not one the source is pinned to": row["currency"] in set(currencies),
            "currency": bool(CURRENCY.fullmatch(row["currency"])),
            "tenor": row["tenor"] in TENORS,
            "tokens are not bought by term": is_gpu or row["tenor"] == "on_demand",
            "tier": row["tier"] in TIERS,
            "status": row["status"] in {"offered", "withdrawn", "unknown"},
            "gpu_count": row["gpu_count"] is None or 1 <= row["gpu_count"] <= 1024,
            "GPUs of a token": is_gpu or row["gpu_count"] is None,
            "half a window": (start is None) == (end is None),
            "window": start is None
            or end is None
            or (0 <= start < 11520 and 0 <= end < 11520 and start != end),
            "a window of a day and of a week": (start is None or start < 1440)
            == (end is None or end < 1440),
            "validity ends before it begins": begins is None or ends is None or begins < ends,
            "official date without a date": not row["is_official_date"] or begins is not None,
            "seen after it was fetched": row["observed_at"] <= fetched_at + DAY,
            "a moment no price is of": all(map(_within, (row["observed_at"], begins, ends))),
            "digest": bool(HASH.fullmatch(row["capture_sha256"])),
        }
    )


def ask_faults(row: Row, fetched_at: datetime) -> list[str]:
    """Return what is wrong with one accepted ask of a marketplace."""
    price, unit = row["price_text"], row["quoted_unit"]
    found = figures(price) if isinstance(price, str) else []
    names = {name: row[name] for name in ("provider", "market", "listing_id", "host_id")}
    named = {f"{name} is no name": is_text(value) for name, value in names.items()}
    return _named(
        {
            **named,
            "machine_id is no name": row["machine_id"] is None or is_text(row["machine_id"]),
            "region is no name": row["region"] is None or is_text(row["region"]),
            "gpus": 1 <= row["gpus"] <= 1024,
            "price is no figure": bool(found),
            "price is not above zero": all(Decimal(f) > 0 for f in found),
            "not a GPU's unit": any(word in unit for word in GPU_WORDS),
            "currency": row["currency"] == "USD",
            "tenor": row["tenor"] in {"on_demand", "spot"},
            "tier": row["tier"] in TIERS,
            "seen after it was fetched": row["observed_at"] <= fetched_at + DAY,
            "a moment no price is of": _within(row["observed_at"]),
            "digest": bool(HASH.fullmatch(row["capture_sha256"])),
        }
    )


def volume_faults(row: Row, fetched_at: datetime) -> list[str]:
    """Return what is wrong with one accepted volume."""
    start, end = row["period_start"], row["period_end"]
    return _named(
        {
            "subject is no name": is_text(row["subject"]),
            "quantity": isinstance(row["quantity"], int) and 0 <= row["quantity"] < 2**62,
            "share above the whole": "share" not in row["meter"] or row["quantity"] <= 10**8,
            "more GPUs than there can be": "gpus" not in row["meter"] or row["quantity"] <= 10**9,
            "no stock band": row["meter"] != "stock_band" or row["quantity"] <= 3,
            "period ends before it begins": start < end,
            "stated before it happened": row["as_of"].date() >= start,
            "stated after it was fetched": row["as_of"] <= fetched_at + DAY,
            "period in the future": start <= (fetched_at + DAY).date(),
            "a day no volume is of": FIRST.date() <= start and end <= LAST.date(),
            "digest": bool(HASH.fullmatch(row["capture_sha256"])),
        }
    )


def rate_faults(row: Row, fetched_at: datetime) -> list[str]:
    """Return what is wrong with one accepted exchange rate."""
    text = row["rate_text"]
    return _named(
        {
            "rate is no figure": bool(FIGURE.fullmatch(text)),
            "rate is not above zero": bool(FIGURE.fullmatch(text)) and Decimal(text) > 0,
            "currency": bool(CURRENCY.fullmatch(row["base"]) and CURRENCY.fullmatch(row["quote"])),
            "a currency in itself": row["base"] != row["quote"],
            "a rate of tomorrow": row["ref_date"] <= (fetched_at + DAY).date(),
            "a day no rate is of": row["ref_date"] >= FIRST.date(),
            "digest": bool(HASH.fullmatch(row["capture_sha256"])),
        }
    )


def rejection_faults(row: Row) -> list[str]:
    """Return what is wrong with one refusal: it must say why, in a code and in words."""
    detail = row["detail"]
    return _named(
        {
            "reason": bool(CODE.fullmatch(row["reason"])),
            "refused without a word": bool(detail.strip()) and len(detail) <= 500,
            "refused in characters that nobody sees": all(
                is_shown(row[name]) for name in ("provider", "listing_id", "detail")
            ),
            "stage": row["stage"] in {"parse", "validate", "normalise", "eligibility"},
        }
    )


KEY = (
    *("provider", "listing_id", "meter", "tenor", "region", "gpu_count", "quoted_unit", "currency"),
    *("window_start_min", "window_end_min", "effective_from", "effective_to", "observed_at"),
)
"""What tells two offers apart."""


def torn(rows: Iterable[Row]) -> list[str]:
    """Return the offers that one body states at two prices, with nothing to tell them apart."""
    prices: dict[tuple[Any, ...], Decimal] = {}
    found = []
    for row in rows:
        parts = figures(row["price_text"] or "")
        if not parts:
            continue
        key, price = tuple(row[name] for name in KEY), Decimal(parts[0])
        for part in parts[1:]:
            price *= Decimal(part)
        if prices.setdefault(key, price) != price:
            found.append(f"{key[:3]} at {price} and at {prices[key]}")
    return found


# --- the body ------------------------------------------------------------------------------------


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


def entries(body: bytes) -> int:
    """Return how many things a body lists: objects of the outermost JSON list, lines of a CSV.

    Every one of them must become a row or a refusal. Zero where the body is neither.
    """
    if body.lstrip()[:1] in (b"{", b"["):
        try:
            return _listed(json.loads(body))
        except (ValueError, RecursionError):
            return 0
    lines = _table(body)
    return max(len(lines) - 1, 0)


def is_ragged(body: bytes) -> bool:
    """Return whether a CSV has a line that is not as long as its head: a row cut inside."""
    return len({len(line) for line in _table(body)}) > 1


def _table(body: bytes) -> list[list[str]]:
    """Return the head and the lines of a CSV; lines before the head are narrow and left out."""
    if body.lstrip()[:1] in (b"<", b"#") or b"," not in body.split(b"\n", 1)[0]:
        return []
    try:
        lines = [one for one in csv.reader(io.StringIO(body.decode("utf-8-sig"))) if any(one)]
    except (UnicodeDecodeError, csv.Error):
        return []
    width = max(map(len, lines), default=0)
    head = next((n for n, line in enumerate(lines) if len(line) == width), 0)
    return lines[head:]


def _listed(tree: Any) -> int:
    """Return the length of the outermost list of objects, by breadth."""
    level = [tree]
    while level:
        for node in level:
            if isinstance(node, list) and node and all(isinstance(one, dict) for one in node):
                return len(node)
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else [])
            if isinstance(child, (dict, list))
        ]
    return 0


_DELIMITED = re.compile(
    r"(?<![\w.])-\d[\d.]*|(?<![\d.])(\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)(?!\d)", re.ASCII
)
_TAG = re.compile(r"<!--.*?-->|<[^>]*>", re.DOTALL)
_MARKS = re.compile(r"~~[^~]*~~|[\\*_`]")
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")


def _figures_of(text: str) -> set[str]:
    """Return the figures of a text that stand for themselves: whole, and without a minus."""
    found = set(_DELIMITED.findall(text))
    return found | {one[:-1] for one in found if one.endswith(".")}


class Body:
    """The figures that stand in a body, read once for all rows of it."""

    def __init__(self, body: bytes) -> None:
        self._text = body.decode("utf-8", "replace")
        self._plain = _figures_of(self._text)
        self._drawn: set[str] | None = None

    def holds(self, figure: str) -> bool:
        """Return whether a figure stands in the body, verbatim and delimited.

        A page is also read as it is drawn: without tags, marks and what has no width.
        """
        if figure in self._plain:
            return True
        if self._drawn is None:
            self._drawn = set().union(*map(_figures_of, _drawn(self._text)))
        return figure in self._drawn


def _drawn(text: str) -> list[str]:
    seen = "".join(c for c in text if c.isascii() or unicodedata.category(c) != "Cf")
    seen = html.unescape(_ESCAPED.sub(lambda code: chr(int(code[1], 16)), seen))
    texts = [seen, _MARKS.sub("", seen)]
    # Data of a script may stand inside a tag, so the text with its tags counts as well.
    return texts + [_TAG.sub(by, one) for one in texts for by in ("", " ")]


def stands_in(body: bytes | Body, price: str) -> bool:
    """Return whether every figure of a price text stands in the body, verbatim and delimited.

    A figure that is nowhere in the body, or only inside another number, was made up.
    """
    there = body if isinstance(body, Body) else Body(body)
    return all(there.holds(figure) for figure in figures(price))


_DISCOUNT = re.compile(rb'"discount"\s*:\s*"?([0-9][0-9.eE+-]*)')
_CACHED = re.compile(rb'"rate_per_input_token_cached"\s*:\s*"?([0-9][0-9.eE+-]*)')


def is_what_is_left(body: bytes, multiple: str) -> bool:
    """Return whether a multiple is 1 - discount, times a multiple for cached input, of a body.

    One source states a discount; what a buyer pays is the rest (its documentation's formula).
    """
    try:
        rests = [1 - one for one in _stated(_DISCOUNT, body)]
        wanted = Decimal(multiple)
    except ArithmeticError:
        return False
    more = [Decimal(1), *_stated(_CACHED, body)]
    return any(rest * each == wanted for rest in [Decimal(1), *rests] for each in more)


def _stated(pattern: re.Pattern[bytes], body: bytes) -> list[Decimal]:
    """Return the figures of a field; one of 1e2147483648 is none, nor is a product with it."""
    found = []
    for text in pattern.findall(body):
        with contextlib.suppress(ArithmeticError):
            figure = Decimal(text.decode())
            if abs(figure.adjusted()) < 40:
                found.append(figure)
    return found
