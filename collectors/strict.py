"""JSON as money needs it: no NaN, no duplicate keys, bounded depth, numbers kept as text.

The standard parser accepts ``NaN``, ``1e309`` and repeated keys; each of these has been seen in
price lists. Numbers come back as :class:`Number`, a ``str`` that remembers it was a number, so no
price ever becomes a float.
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

import numpy as np

MAX_DEPTH = 32
"""Nesting no price list needs; deeper bodies are refused before they cost memory."""


_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_OPEN = np.frombuffer(b"[{", dtype=np.uint8)
_CLOSE = np.frombuffer(b"]}", dtype=np.uint8)


class Number(str):
    """A JSON number, verbatim."""

    __slots__ = ()


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _number(text: str) -> Number:
    if len(text) > 64:
        raise ValueError(f"a number of {len(text)} characters is not a price")
    return Number(text)


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"key {twice!r} appears twice in one object")
    return found


def _check_depth(body: bytes) -> None:
    bare = np.frombuffer(_STRINGS.sub(b"", body), dtype=np.uint8)
    step = np.isin(bare, _OPEN).astype(np.int8) - np.isin(bare, _CLOSE).astype(np.int8)
    if bare.size and int(np.cumsum(step, dtype=np.int64).max()) > MAX_DEPTH:
        raise ValueError(f"nested deeper than {MAX_DEPTH}")


def loads(body: bytes) -> Any:
    """Return the parsed body with every number as :class:`Number`.

    Raises:
        ValueError: not UTF-8, not JSON, NaN or Infinity, a key repeated in one object, nesting
            deeper than :data:`MAX_DEPTH`, or a number longer than 64 characters.
    """
    text = body.decode("utf-8")
    _check_depth(body)
    return json.loads(
        text,
        parse_float=_number,
        parse_int=_number,
        parse_constant=_constant,
        object_pairs_hook=_pairs,
    )
