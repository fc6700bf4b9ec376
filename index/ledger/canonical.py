"""One record, one byte string: RFC 8785 JSON, made once and never made again.

The bytes made here are the log leaf, the feed message and the file an exchange receives. Whoever
checks a record hashes the bytes they were given; they never serialise anything themselves.

A float has no place in a record: two languages print the same one differently, and money that
has passed through binary is no longer the price that was quoted. Money is decimal text; counts
are integers that every JSON reader holds exactly.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping
from typing import NoReturn

import rfc8785

from methodology.errors import VerificationError

MAX_INTEGER = 2**53 - 1
"""Largest integer that a reader with binary64 numbers holds exactly (RFC 8785, 3.2.2.3)."""

MAX_DEPTH = 32
"""Deepest nesting of lists and objects in a record."""

_ENCODER = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, sort_keys=True, separators=(",", ":")
)


def canonical(record: Mapping[str, object]) -> bytes:
    """Return the RFC 8785 bytes of one record: keys sorted by UTF-16, no blanks, UTF-8.

    Args:
        record: text, integers within ±(2**53 − 1), booleans, ``None``, and lists and objects of
            these. ``None`` is written as ``null``: an unknown field is present and null.

    Raises:
        ValueError: a float, an integer out of range, a key that is not text, text with a lone
            surrogate, any other type, or nesting deeper than 32. The message names the field.
            It means a caller built the record wrongly: turn money into decimal text first.
    """
    _refuse(record, "record", 0)
    # Of what is left, only keys beyond U+FFFF have another order in the encoder written in C.
    with contextlib.suppress(TypeError):  # a mapping that is no dictionary
        text = _ENCODER.encode(record)
        if text.isascii():
            return text.encode("ascii")
    try:
        return bytes(rfc8785.dumps(dict(record)))  # type: ignore[arg-type]
    except rfc8785.CanonicalizationError as error:
        raise ValueError(f"record cannot be written as RFC 8785 JSON: {error}") from error


def digest(body: bytes) -> str:
    """Return ``"sha256:"`` and 64 hex digits: how every digest is written in a record."""
    return "sha256:" + hashlib.sha256(body).hexdigest()


def parse_record(body: bytes) -> dict[str, object]:
    """Return the record that ``body`` holds, once the bytes are shown to be canonical.

    Duplicate keys, floats, blanks, another key order and trailing bytes all fail, because the
    record is written again and compared with ``body``.

    Raises:
        VerificationError: ``body`` is not exactly what :func:`canonical` makes of its content.
    """
    try:
        record = json.loads(body.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise VerificationError(f"a record is not JSON: {error}") from error
    if not isinstance(record, dict):
        raise VerificationError(f"a record is a JSON object, not {type(record).__name__}")
    try:
        again = canonical(record)
    except ValueError as error:
        raise VerificationError(f"a record holds what no record may: {error}") from error
    if again != body:
        raise VerificationError(
            f"a record of {len(body)} bytes is not canonical JSON: written again it has "
            f"{len(again)} bytes and digest {digest(again)}, not {digest(body)}"
        )
    return record


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _refuse(value: object, field: str, depth: int) -> None:
    """Raise ValueError for the first thing below ``field`` that no record may hold."""
    if depth > MAX_DEPTH:
        raise ValueError(f"{field}: nested deeper than {MAX_DEPTH}")
    if value is None or isinstance(value, str | bool):
        return
    if isinstance(value, int):
        if abs(value) > MAX_INTEGER:
            raise ValueError(f"{field}: {value} is beyond ±(2**53 − 1); write it as text")
        return
    if isinstance(value, float):
        raise ValueError(f"{field}: {value!r} is a float; write money as decimal text")
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                raise ValueError(f"{field}: key {key!r} is not text")
            _refuse(item, f"{field}.{key}", depth + 1)
        return
    if isinstance(value, list | tuple):
        for position, item in enumerate(value):
            _refuse(item, f"{field}[{position}]", depth + 1)
        return
    raise ValueError(f"{field}: {type(value).__name__} {value!r} has no form in a record")
