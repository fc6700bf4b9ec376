"""Officers: people whose two signatures an act of governance needs (rulebook 24.1).

What an officer signs is a *statement*: the exact bytes of everything that will be decided, stored
in the ledger and cited by each record that rests on it. A record is covered by a statement when
the statement holds its content, place, time and signatures aside.

Each signature is by a key whose own record (purpose ``officer``) stands in the log and is in force
where the act is logged. Two keys of one name are one officer.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from index.ledger.canonical import canonical, digest, parse_record
from index.publication.key_records import KeyHistory
from index.publication.keys import PemSigner
from methodology.errors import ConfigError, UsageError, VerificationError

if TYPE_CHECKING:
    from index.shop import Shop

SCHEMA: Final = "statement/1.0"
KIND: Final = "statement"
"""Kind of the artefact that holds what was signed."""

PURPOSE: Final = "officer"
OUTSIDE: Final = frozenset(("seq", "at", "published_at", "signatures", "statement"))
"""Fields of a record that its statement does not hold: they come after the signature."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Signature:
    """One officer's signature over a statement, as a record carries it."""

    key_id: str
    name: str
    raw: bytes

    def as_record(self) -> Row:
        """Return ``key_id``, ``name`` and the signature in base64."""
        text = base64.b64encode(self.raw).decode("ascii")
        return {"key_id": self.key_id, "name": self.name, "signature": text}


def statement(origin: str, decisions: Sequence[Mapping[str, Any]]) -> bytes:
    """Return the exact bytes that officers sign: log, and the content of every decision."""
    content = {
        "schema": SCHEMA,
        "log_origin": origin,
        "decisions": [bare(one) for one in decisions],
    }
    return canonical(content) + b"\n"


def bare(record: Mapping[str, Any]) -> Row:
    """Return a record's content as its statement holds it: without :data:`OUTSIDE`."""
    return {name: value for name, value in record.items() if name not in OUTSIDE}


def sign(path: Path, message: bytes) -> tuple[str, bytes]:
    """Return key id and signature of a statement by the private key in a PEM file.

    Raises:
        ConfigError: the file is no private key, or others can read it.
    """
    signer = PemSigner(path, name=PURPOSE, purpose=PURPOSE)
    return signer.public.id, signer.sign(message)


def detached(text: str) -> tuple[str, bytes]:
    """Return key id and signature of ``KEYID=FILE``: raw bytes, or base64 text, made elsewhere.

    Raises:
        UsageError: not of that form, or the file cannot be read or holds no signature.
    """
    key_id, _, name = text.partition("=")
    if not name:
        raise UsageError(f"--signature {text!r}: write KEYID=FILE, such as officer-0123…=a.sig")
    try:
        body = Path(name).read_bytes()
    except OSError as error:
        raise UsageError(f"--signature: {name}: {error.strerror or error}") from error
    if len(body) != 64:
        try:
            body = base64.b64decode(b"".join(body.split()), validate=True)
        except ValueError:
            raise UsageError(
                f"--signature: {name}: {len(body)} bytes; a signature has 64, or is base64 of them"
            ) from None
    return key_id, body


def accept(
    message: bytes,
    given: Sequence[tuple[str, bytes]],
    history: KeyHistory,
    seq: int,
    need: int = 2,
) -> list[Signature]:
    """Return the signatures of a statement once enough different officers have signed it.

    Args:
        message: the statement.
        given: key id and raw signature of each.
        history: the keys of the log.
        seq: where the act is logged; keys count that are in force there.
        need: how many officers.

    Raises:
        ConfigError: a key is not an officer's in force, signs twice, belongs to somebody who has
            signed already, or its signature is not over this statement; or too few have signed.
    """
    found: list[Signature] = []
    for key_id, raw in given:
        try:
            key = history.key(key_id, PURPOSE, seq)
        except VerificationError as error:
            raise ConfigError(f"{error}; `spotfix keys` lists the officers' keys") from None
        if key_id in (one.key_id for one in found):
            raise ConfigError(f"{key_id}: signed twice; another officer has to sign as well")
        if key.name in (one.name for one in found):
            raise ConfigError(
                f"{key_id}: {key.name} has signed with another key; another officer has to sign"
            )
        if not key.verify(message, raw):
            raise ConfigError(
                f"{key_id}: its signature is not over this statement ({digest(message)}); sign "
                "the bytes that --statement writes now"
            )
        found.append(Signature(key_id, key.name, raw))
    if len(found) < need:
        told = ", ".join(one.key_id for one in found) or "nobody"
        raise ConfigError(
            f"signed by {told}: {need} officer{'s' * (need > 1)} must sign; give --key"
            + (" and --cosign" if need > 1 else "")
            + ", or --signature KEYID=FILE"
        )
    return found


def gather(
    shop: Shop,
    message: bytes,
    files: Sequence[Path | None],
    elsewhere: Sequence[str],
    need: int = 2,
) -> list[Signature]:
    """Return enough signatures of a statement, by keys at hand and from files of signatures.

    Args:
        shop: the log in which the act will stand.
        message: the statement.
        files: private keys; ``None`` was not given.
        elsewhere: ``KEYID=FILE`` of each signature made elsewhere.
        need: how many officers.

    Raises:
        ConfigError, UsageError: see :func:`sign`, :func:`detached` and :func:`accept`.
    """
    given = [sign(file, message) for file in files if file is not None]
    given += [detached(one) for one in elsewhere]
    history = KeyHistory.read(shop.published.keys, origin=shop.log.origin)
    return accept(message, given, history, shop.log.size, need)


def problems_of(
    record: Mapping[str, Any], body: bytes, history: KeyHistory, need: int
) -> list[str]:
    """Return what is wrong with the signatures of one logged record; nothing, as a rule.

    Args:
        record: with ``statement`` and ``signatures``.
        body: the statement it cites.
        history: the keys of the log.
        need: how many must have signed.
    """
    name = f"{record['type']} {record['seq']}"
    try:
        content = parse_record(body.removesuffix(b"\n"))
        decisions = content["decisions"]
        if not isinstance(decisions, list):
            raise ValueError("its decisions are no list")
    except (VerificationError, LookupError, ValueError) as error:
        return [f"{name}: what was signed cannot be read: {error}"]
    if content.get("schema") != SCHEMA or content.get("log_origin") != record["log_origin"]:
        return [f"{name}: what was signed is no statement of this log"]
    if bare(record) not in decisions:
        return [f"{name}: the statement that was signed does not hold this record"]
    try:
        given = [
            (one["key_id"], base64.b64decode(one["signature"], validate=True))
            for one in record["signatures"]
        ]
        found = accept(body, given, history, record["seq"], need)
    except (ConfigError, ValueError) as error:
        return [f"{name}: {error}"]
    if [one.as_record() for one in found] != record["signatures"]:
        return [f"{name}: a signature stands under a name that is not that of its key"]
    return []
