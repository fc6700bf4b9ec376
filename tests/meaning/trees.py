"""JSON bodies as trees that can be changed at one kind of place and written back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

Path = tuple[str, ...]


class Figure(str):
    """A JSON number, verbatim."""

    __slots__ = ()


def load(body: bytes) -> Any:
    """Return the tree, or None for what is no JSON."""
    try:
        return json.loads(body, parse_float=Figure, parse_int=Figure)
    except ValueError:
        return None


def dump(tree: Any) -> bytes:
    """Return the tree as JSON with its numbers as they were."""
    return _text(tree).encode()


def _text(tree: Any) -> str:
    if isinstance(tree, Figure):
        return str(tree)
    if isinstance(tree, dict):
        return "{" + ",".join(f"{json.dumps(k)}:{_text(v)}" for k, v in tree.items()) + "}"
    if isinstance(tree, list):
        return "[" + ",".join(map(_text, tree)) + "]"
    return json.dumps(tree, ensure_ascii=False)


def _is_map(node: dict[str, Any]) -> bool:
    """Whether the keys of an object are names of entries: several objects of one shape."""
    if len(node) < 2 or not all(isinstance(v, dict) and v for v in node.values()):
        return False
    shapes = [set(v) for v in node.values()]
    return bool(set.intersection(*shapes)) and len(set.union(*shapes)) <= 3 * len(shapes[0]) + 6


def leaves(tree: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield (kind of place, value) of every leaf: entries of a list or a map share one kind."""
    if isinstance(tree, dict):
        star = _is_map(tree)
        for key, value in tree.items():
            yield from leaves(value, (*path, "*" if star else key))
    elif isinstance(tree, list):
        for value in tree:
            yield from leaves(value, (*path, "*"))
    else:
        yield path, tree


def changed(
    tree: Any, where: Path, change: Callable[[dict[str, Any], str], None], limit: int | None = None
) -> Any:
    """Return a copy in which ``change(object, key)`` was done at every place of one kind.

    ``limit``: only at the first so many.
    """
    copy = load(dump(tree))
    left = [limit if limit is not None else 10**9]

    def walk(node: Any, path: Path) -> None:
        if isinstance(node, dict):
            star = _is_map(node)
            for key in list(node):
                here = (*path, "*" if star else key)
                if here == where and left[0]:
                    left[0] -= 1
                    change(node, key)
                elif where[: len(here)] == here:
                    walk(node[key], here)
        elif isinstance(node, list):
            here = (*path, "*")
            for n, one in enumerate(node):
                if here == where and left[0]:
                    left[0] -= 1
                    change(node, n)  # type: ignore[arg-type]
                elif where[: len(here)] == here:
                    walk(one, here)

    walk(copy, ())
    return copy
