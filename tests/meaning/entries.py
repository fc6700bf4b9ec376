"""Changes of the fields and entries of a JSON body."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

from tests.meaning import trees
from tests.meaning.changes import (
    FORMS,
    WORDS,
    Change,
    Outcome,
    Rule,
    form,
    is_priced,
    scaled,
)
from tests.meaning.trees import Path

_PLAIN = re.compile(r"[0-9]+(?:\.[0-9]+)?")


def of_trees(body: bytes, of: Outcome) -> Iterator[Change]:
    """Yield changes of every kind of field of a JSON body."""
    tree = trees.load(body)
    if tree is None:
        return
    base = of(body)
    if of(trees.dump(tree)) != base:
        yield Change("written again", "whole", trees.dump(tree), ("noticed",))
        return
    kinds: dict[Path, list[Any]] = {}
    for path, value in trees.leaves(tree):
        kinds.setdefault(path, []).append(value)
    read: list[Path] = []
    for path, values in kinds.items():
        if any(_figure(v) for v in values):
            made = trees.dump(trees.changed(tree, path, _times("1.25")))
            if made != body and is_priced(of(made), base):
                read.append(path)
    for path in read:
        yield from _fields(tree, path)
    for path, values in kinds.items():
        if path not in read:
            yield from _said(tree, path, values)
    for one, two in pairwise(read):
        if one[:-1] == two[:-1] and "*" not in (one[-1], two[-1]):
            made = trees.dump(trees.changed(tree, one, _exchange(two[-1])))
            yield Change(
                "figures of two fields exchanged", f"{_dot(one)} {two[-1]}", made, ("guard",)
            )
    yield from _entries(tree, read)


def _dot(path: Path) -> str:
    return ".".join(path)


def _figure(value: Any) -> bool:
    return isinstance(value, str) and bool(_PLAIN.fullmatch(value)) and float(value) > 0


def _set(value: Any) -> Callable[[Any, Any], None]:
    def change(node: Any, key: Any) -> None:
        node[key] = value

    return change


def _times(by: str) -> Callable[[Any, Any], None]:
    def change(node: Any, key: Any) -> None:
        if _figure(node[key]):
            node[key] = type(node[key])(scaled(node[key], by))

    return change


def _exchange(other: str) -> Callable[[Any, Any], None]:
    def change(node: Any, key: Any) -> None:
        if other in node:
            node[key], node[other] = node[other], node[key]

    return change


def _rename(new: str) -> Callable[[Any, Any], None]:
    def change(node: Any, key: Any) -> None:
        if isinstance(node, dict):
            node[new.format(key)] = node.pop(key)

    return change


def _drop(node: Any, key: Any) -> None:
    if isinstance(node, dict):
        del node[key]


def _as(template: str) -> Callable[[Any, Any], None]:
    def change(node: Any, key: Any) -> None:
        if _figure(node[key]):
            node[key] = form(template, str(node[key]))

    return change


def _fields(tree: Any, path: Path) -> Iterator[Change]:
    where = _dot(path)
    if path[-1] != "*":
        for new in ("promo_{}", "{}_per_1k", "{}_eur"):
            made = trees.dump(trees.changed(tree, path, _rename(new)))
            yield Change(f"field renamed {new}", where, made, ("noticed",))
    for template, name, rules in FORMS:
        made = trees.dump(trees.changed(tree, path, _as(template)))
        yield Change(f"a figure as {name}", where, made, rules)
    for template in ("${}", "€{}", "{} EUR", "{}/month", "{} USD"):
        made = trees.dump(trees.changed(tree, path, _as(template)))
        rules: tuple[Rule, ...] = (
            ("no new price",) if "$" in template or "USD" in template else ("noticed",)
        )
        yield Change(f"a figure as {template}", where, made, rules)
    for by, name in (("10", "up"), ("0.1", "down"), ("1000", "up three"), ("0.001", "down three")):
        one = trees.dump(trees.changed(tree, path, _times(by), limit=1))
        yield Change(f"a point moved {name}", where, one, ("guard",))
        every = trees.dump(trees.changed(tree, path, _times(by)))
        yield Change(f"a column's points moved {name}", where, every, ("guard",))


_SAYS = re.compile(
    r"currency|unit|per|period|interval|billing|type|mode|tier|status|deprecat|spot|tax|vat|active"
    r"|enabled|available|disabled|term|commit|reserved|legacy|preview|promo|discount|free|beta",
    re.IGNORECASE,
)


def _said(tree: Any, path: Path, values: list[Any]) -> Iterator[Change]:
    """Yield changes of a field that is no price and may say what the prices are."""
    if path[-1:] == ("*",) and len(path) < 2:
        return
    told = next((v for v in values if v is not None), None)
    where = f"{_dot(path)} ({str(told)[:30]!r}, {len(set(map(str, values)))} values)"
    name = next((part for part in reversed(path) if part != "*"), "")
    says = bool(_SAYS.search(name)) or str(told) in ("USD", "CNY", "EUR")
    if not says:
        return
    if isinstance(told, bool):
        made = trees.dump(trees.changed(tree, path, lambda n, k: n.__setitem__(k, not n[k])))
    elif isinstance(told, str) and not isinstance(told, trees.Figure):
        made = trees.dump(trees.changed(tree, path, _set(_another(told))))
    else:
        return
    yield Change("field says another", where, made, ("look",))
    if path[-1] != "*":
        yield Change(
            "field is gone", where, trees.dump(trees.changed(tree, path, _drop)), ("look",)
        )


def _another(told: str) -> str:
    for pattern, (new, _) in WORDS.items():
        if re.search(pattern, told):
            return re.sub(pattern, new, told)
    return f"{told}-other"


ADDED: tuple[tuple[str, Any], ...] = (
    ("currency", "EUR"),
    ("unit", "per_1k_tokens"),
    ("billing_period", "month"),
    ("discount", trees.Figure("0.5")),
    ("deprecated", True),
)


def _entries(tree: Any, read: list[Path]) -> Iterator[Change]:
    """Yield changes of whole entries: one again with other prices, half of them gone, more said."""
    seen: set[Path] = set()
    for path in read:
        stars = [n for n, part in enumerate(path) if part == "*"]
        if not stars or path[: stars[0] + 1] in seen:
            continue
        where = path[: stars[0] + 1]
        seen.add(where)
        mine = [p[len(where) :] for p in read if p[: len(where)] == where]
        node = tree
        for part in where[:-1]:
            node = node[part]
        yield from _twice(tree, where, node, mine)
        for key, value in ADDED:
            made = trees.changed(tree, where, _added(key, value))
            yield Change(f"more said: {key} {value}", _dot(where), trees.dump(made), ("look",))
    if isinstance(tree, dict):
        for key, value in ADDED[:2]:
            if key not in tree:
                yield Change(
                    f"more said: {key} {value}", "top", trees.dump({**tree, key: value}), ("look",)
                )


def _added(key: str, value: Any) -> Callable[[Any, Any], None]:
    def change(node: Any, at: Any) -> None:
        if isinstance(node[at], dict) and key not in node[at]:
            node[at] = {**node[at], key: value}

    return change


def _twice(tree: Any, where: Path, node: Any, mine: list[Path]) -> Iterator[Change]:
    if isinstance(node, list):
        twins = trees.load(trees.dump(node))
        for path in mine:
            for n in range(len(twins)):
                if path:
                    twins[n] = trees.changed(twins[n], path, _times("0.8"))
        for name, made in (
            ("entries again with other prices, last", node + twins),
            ("entries again with other prices, first", twins + node),
        ):
            yield Change(
                name, _dot(where), trees.dump(_put(tree, where[:-1], made)), ("no new price",)
            )
        if len(node) > 1:
            half = _put(tree, where[:-1], node[: len(node) // 2])
            yield Change("half of the entries gone", _dot(where), trees.dump(half), ("guard",))
    elif isinstance(node, dict) and len(node) > 1:
        half = _put(tree, where[:-1], dict(list(node.items())[: len(node) // 2]))
        yield Change("half of the entries gone", _dot(where), trees.dump(half), ("guard",))


def _put(tree: Any, where: Path, value: Any) -> Any:
    if not where:
        return value
    copy = trees.load(trees.dump(tree))
    node = copy
    for part in where[:-1]:
        node = node[part]
    node[where[-1]] = value
    return copy
