"""A record of each type that keeps its schema, made from the schema alone.

Each field gets the first of a few plain values that its subschema admits; what depends on another
field stands in ``FITTING``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from index.publication import schema

TEXTS = (
    "2.5000", "2026-08-12", "2026-08-12T20:00:00.000Z", "sha256:" + "ab" * 32, "USD", "2026-08",
    "TKR-gpt-oss-120b-IN", "log-0123456789abcdef", "QUJDRA==", "DELAYED", "1.1.0", "spotfix/1.0",
    "batches/inputs/" + "ab" * 32 + ".jsonl", "0.250000", "manifest", "XNYS", "7",
    "plain words about it",
)  # fmt: skip

FITTING: dict[str, dict[str, Any]] = {
    "fixing": {"status": "FINAL", "waterfall": "REDUCED", "grade": "C", "no_fix_reason": None,
               "revision_reason": None, "settlement_eligible": False, "label": "reference"},
    "key": {"replaces": None},
    "complaint": {"state": "RECEIVED", "answers": None},
    "settlement": {"status": "FINAL", "failure": None, "revision": 0, "supersedes": None},
    "witness": {"kind": "COSIGNATURE"},
    "incident": {"kind": "MISSED_FIXING"},
}  # fmt: skip


def sample(kind: str, /, **changes: Any) -> dict[str, Any]:
    """Return a record of a type that its schema admits, with some fields changed."""
    whole = schema.schema_of(kind)
    wanted = {name: whole["properties"][name] for name in whole["required"]}
    made = {name: _value(sub) for name, sub in wanted.items()}
    if kind == "incident":
        made |= {"session": "NYC", "ref_date": "2026-08-12"}
    return {**made, **FITTING.get(kind, {}), **changes}


def _value(sub: Mapping[str, Any]) -> Any:
    if "const" in sub:
        return sub["const"]
    if "enum" in sub:
        return sub["enum"][0]
    kinds = sub["type"] if isinstance(sub["type"], list) else [sub["type"]]
    if "object" in kinds:
        return {name: _value(sub["properties"][name]) for name in sub["required"]}
    if "array" in kinds:
        return [_value(sub["items"])]
    if "boolean" in kinds:
        return False
    if "integer" in kinds:
        return max(2, int(sub.get("minimum", 0)))
    fitting = [t for t in TEXTS if re.search(sub.get("pattern", "plain words"), t)]
    assert fitting, sub
    if sub.get("format") is None and "pattern" not in sub:
        return "plain words about it"
    return fitting[0]
