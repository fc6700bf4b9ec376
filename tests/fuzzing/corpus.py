"""What is mutated: bodies of every source, cut to at most 8 KiB so that they still parse."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl

from collectors import panel
from tests import real_bodies
from tests.fuzzing.mutate import LIMIT

OURS = Path(__file__).parents[1] / "payloads"
BODIES_OF_A_SOURCE = 6
"""So many bodies stand for a source: the first and last captured, and our own."""


class _Figure(float):
    """A number that is written again as it was read."""

    text: str

    def __new__(cls, text: str) -> _Figure:
        one = super().__new__(cls, 0.0)
        one.text = text
        return one

    def __repr__(self) -> str:
        return self.text


def _thinned(value: Any, keep: int) -> Any:
    """Return a tree with at most ``keep`` entries of every list and of every big object."""
    if isinstance(value, list):
        return [_thinned(one, keep) for one in value[:keep]]
    if isinstance(value, dict):
        entries = list(value.items())
        is_map = len(entries) > 40
        return {k: _thinned(v, keep) for k, v in (entries[:keep] if is_map else entries)}
    return value[:400] if isinstance(value, str) else value


def _cut_json(body: bytes) -> bytes | None:
    try:
        tree = json.loads(body, parse_float=_Figure)
    except ValueError:
        return None
    for keep in (60, 20, 8, 4, 2, 1):
        # The C encoder writes a float subclass by float.__repr__, the Python one by its own.
        small = _dumps(_thinned(tree, keep))
        if len(small) <= LIMIT:
            return small
    return None


def _dumps(tree: Any) -> bytes:
    if isinstance(tree, _Figure):
        return tree.text.encode()
    if isinstance(tree, dict):
        parts = (json.dumps(k).encode() + b": " + _dumps(v) for k, v in tree.items())
        return b"{" + b", ".join(parts) + b"}"
    if isinstance(tree, list):
        return b"[" + b", ".join(map(_dumps, tree)) + b"]"
    return json.dumps(tree).encode()


def _cut_lines(body: bytes) -> bytes | None:
    kept = b""
    for line in body.splitlines(keepends=True):
        if len(kept) + len(line) > LIMIT:
            break
        kept += line
    return kept or None


def _cut_parquet(body: bytes) -> bytes | None:
    table = pl.read_parquet(io.BytesIO(body))
    for rows in (40, 10, 3):
        file = io.BytesIO()
        table.head(rows).write_parquet(file, compression="uncompressed", statistics=False)
        if file.tell() <= LIMIT:
            return file.getvalue()
    return None


def cut(body: bytes) -> bytes | None:
    """Return a body of at most 8 KiB that is still what it was, or None when none can be made."""
    if body[:4] == b"PAR1":
        return _cut_parquet(body)
    if len(body) <= LIMIT:
        return body
    if body.lstrip()[:1] in (b"{", b"["):
        return _cut_json(body) or _cut_lines(body)
    return None if body[:2] == b"PK" else _cut_lines(body)


def _own(source_id: str) -> Iterator[bytes]:
    folder = OURS / panel.SOURCES[source_id].module.rpartition(".")[2]
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield real_bodies.plain(path)


@cache
def _captured() -> dict[str, list[real_bodies.Body]]:
    found: dict[str, list[real_bodies.Body]] = {}
    if real_bodies.FOLDER.is_dir():
        for body in real_bodies.bodies():
            found.setdefault(body.source, []).append(body)
    return found


def bodies_of(source_id: str) -> list[bytes]:
    """Return the bodies that stand for a source: at least one, each at most 8 KiB.

    Raises:
        LookupError: not one can be cut down; the source would go untried.
    """
    captured = _captured().get(source_id, [])
    chosen = captured if len(captured) <= 3 else [captured[0], captured[-1]]
    real = [cut(one.load()) for one in chosen]
    own = [cut(body) for body in _own(source_id)]
    found = [body for body in dict.fromkeys([*own, *real]) if body]
    if not found:
        raise LookupError(f"{source_id}: no body of at most {LIMIT} bytes")
    return found[:BODIES_OF_A_SOURCE]
