"""The site: what any file server can serve, and all that a stranger or the feed reads.

::

    site/log/checkpoint            signed note of the newest size; moves, written last
    site/log/checkpoints/<size>    every signed note ever made
    site/log/tile/...              C2SP tlog-tiles; the ledger's, copied
    site/keys/<key id>.pem         every public key; site/keys/keys.json says what each was for
    site/v1/fixings/...            the drop's files of each fixing, under a second name
    site/batches/<kind>/<sha256>   the bodies that records cite

Here is only where things go; :mod:`index.publication.publisher` writes them.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from index.ledger.canonical import canonical
from index.ledger.tiles import Tree
from index.publication.keys import ED25519, PublicKey
from methodology.errors import VerificationError

CHECKPOINT: Final = "log/checkpoint"
CHECKPOINTS: Final = "log/checkpoints"
KEYS: Final = "keys/keys.json"

_HEX = re.compile(r"[0-9a-f]{64}")

PUBLIC_BODIES: Final = frozenset(
    {
        "contributions", "inputs", "basket", "panel_state", "manifest", "rules", "statement",
        "calendar",
    }
)  # fmt: skip
"""Kinds of cited bodies that are published: what values and prices are made of, what was signed."""


def cited_bodies(record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield kind and bare SHA-256 of every published body that a record cites."""
    if record.get("type") == "fixing" and isinstance(record.get("basket_digest"), str):
        yield "basket", record["basket_digest"].removeprefix("sha256:")
    yield from _references(record)


def _references(value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        kind, sha256 = value.get("kind"), value.get("sha256")
        if kind in PUBLIC_BODIES and isinstance(sha256, str) and "size" in value:
            yield str(kind), sha256.removeprefix("sha256:")
        for item in value.values():
            yield from _references(item)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)


def key_files(records: Sequence[Mapping[str, Any]]) -> tuple[dict[str, bytes], bytes]:
    """Return name and bytes of each key's PEM file, and the bytes of ``keys.json``.

    ``keys.json`` is a list in the order of the log: ``id``, ``name``, ``purpose``, ``algorithm``,
    ``state`` (ACTIVE, REPLACED, REVOKED), ``from_seq`` and ``until_seq`` (first seq for which the
    key's signature counts no more, or null).

    Args:
        records: the ``key/1.0`` records of the log, in order.

    Raises:
        VerificationError: a record's key is not what its ``key_id`` says.
    """
    files: dict[str, bytes] = {}
    listed: dict[str, dict[str, Any]] = {}
    for one in records:
        name, since = one["key_id"], one["effective_seq"]
        if one["action"] == "REVOKE":
            if name in listed:
                listed[name].update(state="REVOKED", until_seq=since)
            continue
        key = PublicKey.from_raw(
            base64.b64decode(one["public_key"]),
            name=one["name"],
            purpose=one["purpose"],
            algorithm=one["algorithm"],
        )
        if key.id != name:
            raise VerificationError(
                f"key record {one['seq']}: key_id is {name!r} and the key's own id {key.id!r}"
            )
        files[f"{name}.pem"] = key.pem()
        listed[name] = {
            "id": name,
            "name": one["name"],
            "purpose": one["purpose"],
            "algorithm": one["algorithm"],
            "state": "ACTIVE",
            "from_seq": since,
            "until_seq": None,
        }
        before = listed.get(one["replaces"] or "")
        if before is not None and before["state"] == "ACTIVE":
            before.update(state="REPLACED", until_seq=since)
    return files, canonical({"schema": "keys/1.0", "keys": list(listed.values())})


def key_at(
    records: Sequence[Mapping[str, Any]], purpose: str, seq: int, algorithm: str = ED25519
) -> str | None:
    """Return the id of the key that signs for a purpose at a place in the log, if one is known.

    A key holds from the later of its ``effective_seq`` and its record's own place; the first of a
    purpose signs what was logged before it, too: the records that name the keys.
    """
    found, is_first = None, True
    for one in records:
        since = one["effective_seq"]
        if one["action"] != "REVOKE":
            since = max(since, one["seq"])
        if (one["purpose"], one["algorithm"]) != (purpose, algorithm):
            continue
        if since > seq and not is_first:
            continue
        is_first = False
        if one["action"] != "REVOKE":
            found = one["key_id"]
        elif found == one["key_id"]:
            found = None
    return found


class Subtrees:
    """Audit paths over a log that only grows, each in logarithmic time.

    Offers what a proof is made from: ``size``, ``origin`` and :meth:`inclusion_proof`. Roots of
    complete subtrees are kept (:class:`index.ledger.tiles.Tree`), about 64 bytes a leaf.
    """

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self._tree = Tree()

    @property
    def size(self) -> int:
        """Number of leaves."""
        return len(self._tree.leaf_hashes)

    def add(self, leaf_hash: bytes) -> None:
        """Take in the next leaf's hash."""
        self._tree.add(leaf_hash)

    def inclusion_proof(self, seq: int, size: int | None = None) -> list[bytes]:
        """Return the audit path of leaf ``seq`` in the tree of ``size`` leaves (now: all).

        Raises:
            IndexError: there is no such leaf or size.
        """
        return self._tree.inclusion_proof(seq, size)


def body_path(kind: str, sha256: str) -> str:
    """Return where a cited body is, below the ledger and below the site.

    Raises:
        VerificationError: kind or digest cannot be part of a path.
    """
    if kind not in PUBLIC_BODIES or not _HEX.fullmatch(sha256):
        raise VerificationError(f"a record cites a body {kind!r} {sha256!r}, which no body is")
    return f"batches/{kind}/{sha256}.jsonl"


def log_file(ledger: Path, path: str) -> Path:
    """Return where the ledger keeps a file of the log."""
    return ledger / "log" / path
