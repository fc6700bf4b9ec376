"""Query strings read strictly: an unknown, repeated or malformed parameter is refused by name.

A misspelled ``as_of`` that were ignored would answer with today's values and settle on them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qsl

from index.feed.problems import Problem

Reader = Callable[[str, str], Any]
"""Takes a parameter's name and text; returns its value or raises :class:`Problem`."""

STATUSES: Final = ("PROVISIONAL", "FINAL", "REVISED", "NO_FIX", "WITHDRAWN")
MAX_LIMIT: Final = 1000
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INSTANT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(\.[0-9]+)?"
    r"(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))"
)
_DURATION = re.compile(r"P(?:T([0-9]{1,6})([HMS])|([0-9]{1,4})D)")
_WHOLE = re.compile(r"0|[1-9][0-9]{0,15}")
_TYPES = re.compile(r"[a-z_]{1,32}(,[a-z_]{1,32}){0,31}")
_INDEX = re.compile(r"[A-Za-z0-9.-]{1,80}(,[A-Za-z0-9.-]{1,80}){0,63}")
_EDITION = re.compile(r"[0-9]{1,4}\.[0-9]{1,4}\.[0-9]{1,4}|sha256:[0-9a-f]{64}")
_SEAL_BYTES = 12


def read(raw: bytes, known: Mapping[str, Reader]) -> dict[str, Any]:
    """Return the parameters of a query string by name, each one read.

    Args:
        raw: the query string as it came.
        known: what this resource knows, by name.

    Raises:
        Problem: ``unknown-parameter``, ``duplicate-parameter`` or ``invalid-parameter``.
    """
    if not raw:
        return {}
    try:
        pairs = parse_qsl(
            raw.decode("ascii"), keep_blank_values=True, strict_parsing=True, errors="strict",
            max_num_fields=64,
        )  # fmt: skip
    except ValueError as error:
        text = raw[:80].decode("ascii", "replace")
        raise invalid("query string", text, f"cannot be read: {error}") from None
    found: dict[str, Any] = {}
    for name, text in pairs:
        if name not in known:
            allowed = ", ".join(sorted(known)) or "none"
            raise Problem(
                "unknown-parameter",
                f"parameter {name[:80]!r} is not known here; known are: {allowed}",
                parameter=name[:80],
            )
        if name in found:
            raise Problem(
                "duplicate-parameter", f"parameter {name!r} was given twice", parameter=name
            )
        found[name] = known[name](name, text)
    return found


def invalid(name: str, text: str, why: str) -> Problem:
    """Return the refusal of one value."""
    detail = f"parameter {name!r} {why}; it was {text[:120]!r}"
    return Problem("invalid-parameter", detail, parameter=name, value=text[:120])


def day(name: str, text: str) -> str:
    """Read a date, ``YYYY-MM-DD``; returned as text, which sorts as dates do."""
    if not _DATE.fullmatch(text):
        raise invalid(name, text, "is not a date YYYY-MM-DD")
    try:
        date.fromisoformat(text)
    except ValueError:
        raise invalid(name, text, "is not a day of the calendar") from None
    return text


def instant(name: str, text: str) -> datetime:
    """Read an RFC 3339 time with its offset; return naive UTC, digits below microseconds cut."""
    found = _INSTANT.fullmatch(text)
    if not found:
        raise invalid(name, text, "is not an RFC 3339 time such as 2026-11-20T16:00:00Z")
    the_day, hour, minute, second, fraction, sign, hours, minutes = found.groups()
    if int(hours or 0) > 23 or int(minutes or 0) > 59 or int(second) > 60:
        raise invalid(name, text, "is not a time of the day")
    leap = second == "60"  # the last moment of that minute: a leap second is no later than it
    try:
        moment = datetime.fromisoformat(f"{the_day}T{hour}:{minute}:{'59' if leap else second}")
    except ValueError:
        raise invalid(name, text, "is not a time of the calendar") from None
    micro = 999_999 if leap else int((fraction or ".0")[1:7].ljust(6, "0"))
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    try:
        moment = moment.replace(microsecond=micro)
        return moment + offset if sign == "-" else moment - offset
    except OverflowError:
        return datetime.max if sign == "-" else datetime.min


def duration(name: str, text: str) -> timedelta:
    """Read one unit of an ISO 8601 duration: ``PT26H``, ``PT90M``, ``PT30S`` or ``P2D``."""
    found = _DURATION.fullmatch(text)
    if not found:
        raise invalid(name, text, "is not a duration such as PT26H, PT90M, PT30S or P2D")
    amount, unit, days = found.groups()
    if days is not None:
        return timedelta(days=int(days))
    key = {"H": "hours", "M": "minutes", "S": "seconds"}[unit]
    return timedelta(**{key: int(amount)})


def whole(name: str, text: str) -> int:
    """Read a whole number of zero or more, without sign or leading zero."""
    if not _WHOLE.fullmatch(text):
        raise invalid(name, text, "is not a whole number of zero or more")
    return int(text)


def place(name: str, text: str) -> int:
    """Read the ``seq`` of the last record a client has; -1 is none."""
    return -1 if text == "-1" else whole(name, text)


def limit(name: str, text: str) -> int:
    """Read how many rows a page may have: 1 to 1,000."""
    found = whole(name, text)
    if not 1 <= found <= MAX_LIMIT:
        raise invalid(name, text, f"is not between 1 and {MAX_LIMIT}")
    return found


def year(name: str, text: str) -> int:
    """Read a year that the calendar covers: 2020 to 2099."""
    found = whole(name, text)
    if not 2020 <= found <= 2099:
        raise invalid(name, text, "is not a year between 2020 and 2099")
    return found


def edition(name: str, text: str) -> str:
    """Read an edition of a list of sessions: its version, or ``sha256:`` and its digest."""
    if not _EDITION.fullmatch(text):
        raise invalid(name, text, "is no version such as 1.0.0 and no digest sha256:<64 hex>")
    return text


def statuses(name: str, text: str) -> frozenset[str]:
    """Read statuses with commas between them. ``FINAL`` admits its restatement, ``REVISED``."""
    asked = text.split(",")
    if not set(asked) <= set(STATUSES) or len(set(asked)) != len(asked):
        raise invalid(name, text, f"is not one or more of {', '.join(STATUSES)}, each once")
    return frozenset(asked) | ({"REVISED"} if "FINAL" in asked else frozenset())


def types(name: str, text: str) -> frozenset[str]:
    """Read record types with commas between them."""
    if not _TYPES.fullmatch(text):
        raise invalid(name, text, "is not a list of record types such as fixing,notice")
    return frozenset(text.split(","))


def indices(name: str, text: str) -> frozenset[str]:
    """Read index ids with commas between them."""
    if not _INDEX.fullmatch(text):
        raise invalid(name, text, "is not a list of index ids")
    return frozenset(text.split(","))


def plain(name: str, text: str) -> str:
    """Read text that is taken as it is."""
    if not text:
        raise invalid(name, text, "is empty")
    return text


# Cursors ----------------------------------------------------------------------------------------


def cursor(told: Mapping[str, Any], salt: bytes) -> str:
    """Return an opaque cursor over ``told``, sealed with a digest over it and ``salt``.

    The salt is the log's own: a cursor of another log, or of a fork of this one, does not pass.
    It needs no secret: whoever forges one gets a page they could have asked for anyway.
    """
    body = json.dumps(told, sort_keys=True, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_seal(body, salt) + body).decode("ascii").rstrip("=")


def open_cursor(name: str, text: str, salt_of: Callable[[int], bytes | None]) -> dict[str, Any]:
    """Return what a cursor was made from.

    Args:
        name: the parameter.
        text: as the client sent it.
        salt_of: the salt of the log as of a seq, ``None`` when the log has no such record.

    Raises:
        Problem: ``invalid-parameter``: altered, cut, or made by another log.
    """
    bad = invalid(name, text, "is not a cursor that this log gave out")
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        told = json.loads(raw[_SEAL_BYTES:])
        salt = salt_of(told["as_of_seq"])
    except (ValueError, binascii.Error, KeyError, TypeError, RecursionError):
        raise bad from None
    if salt is None or not isinstance(told, dict) or cursor(told, salt) != text:
        raise bad
    return dict(told)


def _seal(body: bytes, salt: bytes) -> bytes:
    return hashlib.sha256(b"spotfix cursor\x00" + salt + body).digest()[:_SEAL_BYTES]


def utc_now() -> datetime:
    """Return the present moment, naive UTC."""
    return datetime.now(UTC).replace(tzinfo=None)
