"""Statements about keys: made here, signed by the root, logged as ``key/1.0`` records.

:mod:`index.publication.key_history` says what they mean and checks them.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from index.publication.key_history import (
    CREATE,
    FIELDS,
    REVOKE,
    ROTATE,
    KeyHistory,
    Tenure,
    signed_part,
)
from index.publication.keyring import Keyring
from index.publication.keys import PublicKey, Signer
from methodology import clock
from methodology.errors import ConfigError

__all__ = [
    "CREATE",
    "REVOKE",
    "ROTATE",
    "KeyHistory",
    "Make",
    "Tenure",
    "at_place",
    "create",
    "opening",
    "opening_statements",
    "parse_statement",
    "revoke",
    "rotate",
    "sign",
    "signed_part",
    "statement",
]

Make = Callable[[int], dict[str, Any]]


def statement(
    action: str,
    key: PublicKey,
    *,
    origin: str,
    at: datetime,
    effective_seq: int,
    replaces: str | None = None,
    reason: str | None = None,
) -> dict[str, Any]:
    """Return a key record without its place, signed by nobody yet.

    Args:
        action: :data:`CREATE`, :data:`ROTATE` or :data:`REVOKE`.
        key: the key that begins or ends.
        origin: the log it is meant for.
        at: when, UTC (naive) or aware.
        effective_seq: the first record it holds for.
        replaces: id of the key that hands over; ``None`` unless it is a rotation.
        reason: why, in words; a revocation needs one.
    """
    moment = at if at.tzinfo is None else at.astimezone(UTC).replace(tzinfo=None)
    return {
        "type": "key",
        "schema": "key/1.0",
        "log_origin": origin,
        "action": action,
        "key_id": key.id,
        "name": key.name,
        "purpose": key.purpose,
        "algorithm": key.algorithm,
        "public_key": key.base64(),
        "replaces": replaces,
        "effective_seq": effective_seq,
        "reason": reason,
        "at": clock.iso(moment),
        "signatures": [],
    }


def sign(record: Mapping[str, Any], *signers: Signer) -> dict[str, Any]:
    """Return the record or statement with the signatures of ``signers`` added."""
    message = signed_part(record)
    added = [
        {"key_id": s.public.id, "signature": base64.b64encode(s.sign(message)).decode("ascii")}
        for s in signers
    ]
    return {**record, "signatures": [*record["signatures"], *added]}


def at_place(signed: Mapping[str, Any]) -> Make:
    """Return what makes the record of a signed statement, once its place is known."""
    return lambda seq: {**signed, "seq": seq}


def opening(keyring: Keyring, origin: str, at: datetime) -> list[Make]:
    """Return the first records of a new log: root, fixing, log and log_pq.

    While the root is offline they are those that it signed beforehand (``keyring.opening``).

    Raises:
        ConfigError: the root is offline and signed nothing for this log and these keys.
    """
    if keyring.root_signer is not None:
        return [at_place(one) for one in opening_statements(keyring, origin, at)]
    wanted = [key.id for key in keyring.public_keys]
    found = [one for one in keyring.opening if one.get("log_origin") == origin]
    if [one.get("key_id") for one in found] != wanted:
        raise ConfigError(
            f"log {origin!r}: the root is offline and has signed no opening for the keys "
            f"{', '.join(wanted)}; let it sign them with `spotfix keys opening "
            "--root-key FILE`"
            + "".join(
                f" (the one at hand is of log {name!r})"
                for name in sorted({str(one.get("log_origin")) for one in keyring.opening})
                if name != origin
            )
        )
    KeyHistory.read([{**one, "seq": seq} for seq, one in enumerate(found)], origin=origin)
    return [at_place(one) for one in found]


def opening_statements(keyring: Keyring, origin: str, at: datetime) -> list[dict[str, Any]]:
    """Return the signed opening of a new log, without places.

    Raises:
        ConfigError: the root is offline.
    """
    root = keyring.root_signer
    if root is None:
        raise ConfigError(f"key {keyring.root.id}: the root is offline; its private part is needed")
    made = [sign(statement(CREATE, root.public, origin=origin, at=at, effective_seq=0), root)]
    for signer in (keyring.fixing, keyring.log, keyring.log_pq):
        unsigned = statement(CREATE, signer.public, origin=origin, at=at, effective_seq=0)
        made.append(sign(unsigned, root, signer))
    return made


def create(
    new: Signer, *, origin: str, at: datetime, effective_seq: int, root: Signer | None
) -> dict[str, Any]:
    """Return the statement that ``new`` begins, signed by itself and by the root if it is here."""
    unsigned = statement(CREATE, new.public, origin=origin, at=at, effective_seq=effective_seq)
    return sign(unsigned, *([root] if root else []), new)


def rotate(
    new: Signer,
    replaces: PublicKey,
    *,
    origin: str,
    at: datetime,
    effective_seq: int,
    root: Signer | None,
    old: Signer | None = None,
    reason: str | None = None,
) -> dict[str, Any]:
    """Return the statement that ``new`` takes over from ``replaces``.

    It is signed by the new key, by the root if it is here, and by the old key if that still can.

    Raises:
        ConfigError: the two keys differ in purpose or algorithm, or are the same.
    """
    if (new.public.purpose, new.public.algorithm) != (replaces.purpose, replaces.algorithm):
        raise ConfigError(
            f"key {new.public.id} ({new.public.algorithm}) cannot take over from {replaces.id} "
            f"({replaces.algorithm}): purpose and algorithm stay the same"
        )
    if new.public.raw == replaces.raw:
        raise ConfigError(f"key {new.public.id} cannot take over from itself")
    unsigned = statement(
        ROTATE,
        new.public,
        origin=origin,
        at=at,
        effective_seq=effective_seq,
        replaces=replaces.id,
        reason=reason,
    )
    return sign(unsigned, *(signer for signer in (root, new, old) if signer is not None))


def revoke(
    key: PublicKey,
    *,
    origin: str,
    at: datetime,
    effective_seq: int,
    reason: str,
    root: Signer | None,
) -> dict[str, Any]:
    """Return the statement that signatures by ``key`` count no more from ``effective_seq`` on."""
    unsigned = statement(
        REVOKE, key, origin=origin, at=at, effective_seq=effective_seq, reason=reason
    )
    return sign(unsigned, *([root] if root else []))


def parse_statement(body: bytes, where: str) -> dict[str, Any]:
    """Return the statement in a file.

    Raises:
        ConfigError: not a JSON object with the fields of a key record and no place.
    """
    try:
        found = json.loads(body)
    except ValueError as error:
        raise ConfigError(f"{where}: not JSON: {error}") from error
    if not isinstance(found, dict) or set(found) != {*FIELDS, "signatures"}:
        raise ConfigError(f"{where}: not a statement of `spotfix keys rotate` or `revoke`")
    return found
