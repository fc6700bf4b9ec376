"""JSON as money needs it: no NaN, no duplicate keys, bounded depth, numbers kept as text.

The standard parser accepts ``NaN``, ``1e309`` and repeated keys; each of these has been seen in
price lists. Numbers come back as :class:`Number`, a ``str`` that remembers it was a number, so no
price ever becomes a float.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any, NoReturn

import numpy as np

MAX_DEPTH = 32
"""Nesting no price list needs; deeper bodies are refused before they cost memory."""


# Possessive, and content with a string that has no end: a body made of quotes and backslashes
# would otherwise be searched again from every quote.
_STRINGS = re.compile(rb'"(?:[^"\\]++|\\.?)*+"?', re.DOTALL)
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_STEP = np.zeros(256, dtype=np.int32)
_STEP[list(b"[{")] = 1
_STEP[list(b"]}")] = -1
_SLICE = 2**20


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
        keys = Counter(key for key, _ in pairs)
        twice = next(key for key, times in keys.items() if times > 1)
        raise ValueError(f"key {twice[:80]!r} appears twice in one object")
    return found


def _check_depth(body: bytes) -> None:
    brackets = _STRINGS.sub(b"", body).translate(None, _NOT_BRACKETS)
    depth = 0
    for at in range(0, len(brackets), _SLICE):
        depths = _STEP[np.frombuffer(brackets[at : at + _SLICE], dtype=np.uint8)].cumsum() + depth
        if int(depths.max()) > MAX_DEPTH:
            raise ValueError(f"nested deeper than {MAX_DEPTH}")
        depth = int(depths[-1])


def loads(body: bytes) -> Any:
    """Return the parsed body with every number as :class:`Number`.

    Raises:
        ValueError: not UTF-8, not JSON, NaN or Infinity, a key repeated in one object, nesting
            deeper than :data:`MAX_DEPTH`, a number longer than 64 characters, or half of a
            surrogate pair.
    """
    text = body.decode("utf-8")
    _check_depth(body)
    found = json.loads(
        text,
        parse_float=_number,
        parse_int=_number,
        parse_constant=_constant,
        object_pairs_hook=_pairs,
    )
    if _SURROGATE.search(body):
        # Half a character is legal JSON and no text: no frame or file could hold it.
        json.dumps(found, ensure_ascii=False).encode("utf-8")
    return found
