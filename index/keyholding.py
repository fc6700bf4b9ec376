"""Keys of an operator in the log: how one begins, hands over and is revoked.

Nothing here prints; :mod:`index.keys_cli` does. :mod:`index.keymaking` has the files.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from index import publishing
from index.config import Settings
from index.keymaking import (
    Statement,
    read_statements,
    statements_json,
    write_keyring,
)
from index.ledger.files import write_durably
from index.ledger.log import Log
from index.publication import key_records, keyring
from index.publication.key_records import KeyHistory
from index.publication.keyring import KEYRING, SLOTS, Keyring
from index.publication.keys import ED25519, ML_DSA_44, PemSigner, PublicKey, Signer
from index.publication.note_text import NOTE, SUBTREE, vkey
from index.shop import Shop, open_shop
from methodology.errors import ConfigError, UsageError


@dataclass(frozen=True, slots=True)
class Way:
    """How the root signs: here (``root_key``), or elsewhere (``statement``, later ``signed``)."""

    root_key: Path | None = None
    statement: Path | None = None
    signed: Path | None = None

    def __post_init__(self) -> None:
        if sum(one is not None for one in (self.root_key, self.statement, self.signed)) != 1:
            raise UsageError(
                "the root must sign: give --root-key FILE where it is at hand; otherwise "
                "--statement FILE to write what it signs, and --signed FILE once it has"
            )


# In the log ---------------------------------------------------------------------------------------


def rotate(settings: Settings, slot: str, new: Path, way: Way, at: datetime) -> Sequence[Statement]:
    """Let another key take over from the one in force; return what was stated.

    Args:
        settings: where ledger and keyring are.
        slot: ``fixing``, ``log``, ``log_pq`` or ``root``.
        new: the new private key.
        way: how the root signs.
        at: when.

    Raises:
        ConfigError: demonstration keys, a key of another algorithm, or nobody is in force.
        VerificationError: the log's rules refuse it; nothing was logged.
    """
    if slot not in SLOTS:
        raise UsageError(f"purpose {slot!r} is none of {', '.join(SLOTS)}")
    ring = _own(settings)
    signer = _signer(settings, slot, new)

    def state(history: KeyHistory, seq: int, root: Signer | None) -> list[dict[str, Any]]:
        return [_rotation(settings, ring, history, seq, slot, signer, root, at)]

    return _carry_out(settings, way, state, {slot: new}, signer.public)


def revoke(
    settings: Settings,
    key_id: str,
    from_seq: int,
    reason: str,
    way: Way,
    at: datetime,
    replacement: Path | None = None,
) -> Sequence[Statement]:
    """State that a key's signatures count no more from a record on; return what was stated.

    A key that signs every day is replaced in the same append, before it is revoked, so that there
    is no record which nobody can sign.

    Raises:
        ConfigError: the key is in force and no replacement was given.
        VerificationError: the log's rules refuse it; nothing was logged.
    """
    ring = _own(settings)
    slots: dict[str, Path] = {}
    replacing: PublicKey | None = None
    history, size = read_history(settings)
    held = history.tenures.get(key_id)
    if held is None:
        raise ConfigError(f"key {key_id}: no record of the log creates it; see `spotfix keys list`")
    slot = _slot_of(held.key)
    serving = slot is not None and held.until is None
    if serving and replacement is None:
        raise ConfigError(
            f"key {key_id} is in force at seq {size}: make another with `spotfix keys create "
            f"{slot} --to FILE` and give --replacement FILE, or nobody could sign what follows"
        )
    signer: Signer | None = None
    if serving and slot is not None and replacement is not None:
        signer = _signer(settings, slot, replacement)
        slots, replacing = {slot: replacement}, signer.public

    def state(known: KeyHistory, seq: int, root: Signer | None) -> list[dict[str, Any]]:
        made = []
        if signer is not None and slot is not None:
            made.append(_rotation(settings, ring, known, seq, slot, signer, root, at, is_lost=True))
        made.append(
            key_records.revoke(
                held.key,
                origin=settings.log_origin,
                at=at,
                effective_seq=from_seq,
                reason=reason,
                root=root,
            )
        )
        return made

    return _carry_out(settings, way, state, slots, replacing)


def admit(
    settings: Settings, purpose: str, name: str, key: Path, way: Way, at: datetime
) -> Sequence[Statement]:
    """Begin a key of an officer or a witness in the log; return what was stated.

    Raises:
        UsageError: another purpose: those keys come from the opening or a rotation.
        VerificationError: the log's rules refuse it; nothing was logged.
    """
    if purpose not in ("officer", "witness"):
        raise UsageError(
            f"purpose {purpose!r} is not officer or witness; use `spotfix keys rotate`"
        )
    signer = PemSigner(key, name=name, purpose=purpose)

    def state(_: KeyHistory, seq: int, root: Signer | None) -> list[dict[str, Any]]:
        origin = settings.log_origin
        return [key_records.create(signer, origin=origin, at=at, effective_seq=seq, root=root)]

    return _carry_out(settings, way, state, {}, signer.public)


def read_history(settings: Settings) -> tuple[KeyHistory, int]:
    """Return the keys of the log and its size; of a log that does not exist yet, none and 0."""
    if not Log.exists(settings.ledger):
        return KeyHistory(settings.log_origin), 0
    log = Log.open(settings.ledger, read_only=True)
    records = [json.loads(body) for body in log.entries() if b'"type":"key"' in body]
    return KeyHistory.read(records, origin=log.origin), log.size


def rows(settings: Settings) -> list[dict[str, Any]]:
    """Return every key of log and keyring with its state and where its private part is."""
    history, size = read_history(settings)
    ring = keyring.load(settings)
    places = dict(zip((key.raw for key in ring.public_keys), ring.places.values(), strict=True))
    states = history.states(size)
    logged = {row["public_key"] for row in states}
    for key in ring.public_keys:
        if key.base64() not in logged:
            alone = KeyHistory(settings.log_origin, {key.id: key_records.Tenure(key, 0, 0)})
            states += [{**row, "state": "NOT_LOGGED"} for row in alone.states(0)]
    where = {key.base64(): places[key.raw] for key in ring.public_keys}
    return [{**row, "private": where.get(row["public_key"], "not here")} for row in states]


def export(settings: Settings, folder: Path) -> list[Path]:
    """Write the public keys of log and keyring as PEM, a file each; return the files.

    A key of the log stands in a ``.vkey`` too (c2sp.org/signed-note), as witnesses take it.
    """
    history, _ = read_history(settings)
    keys = [one.key for one in history.tenures.values()] + [*keyring.load(settings).public_keys]
    found = {f"{key.id}.pem": key.pem() for key in keys}
    kinds = {ED25519: NOTE, ML_DSA_44: SUBTREE}
    for key in keys:
        if key.purpose == "log":
            found[f"{key.id}.vkey"] = vkey(key, kinds[key.algorithm]).encode() + b"\n"
    for name, body in found.items():
        write_durably(folder / name, body)
    return [folder / name for name in found]


# How it is done -----------------------------------------------------------------------------------


def _rotation(
    settings: Settings,
    ring: Keyring,
    history: KeyHistory,
    seq: int,
    slot: str,
    signer: Signer,
    root: Signer | None,
    at: datetime,
    *,
    is_lost: bool = False,
) -> dict[str, Any]:
    """Return the statement that ``signer`` takes over from the key in force."""
    purpose, algorithm = SLOTS[slot]
    held = [key for key in history.at(purpose, seq) if key.algorithm == algorithm]
    if not held:
        raise ConfigError(f"log {settings.log_origin!r}: no {slot} key is in force at seq {seq}")
    daily = {"fixing": ring.fixing, "log": ring.log, "log_pq": ring.log_pq}.get(slot)
    can_sign = daily is not None and daily.public.raw == held[0].raw and not is_lost
    return key_records.rotate(
        signer,
        held[0],
        origin=settings.log_origin,
        at=at,
        effective_seq=seq,
        root=root,
        old=daily if can_sign else None,
    )


def _carry_out(
    settings: Settings,
    way: Way,
    state: Callable[[KeyHistory, int, Signer | None], list[dict[str, Any]]],
    slots: Mapping[str, Path],
    begins: PublicKey | None,
) -> Sequence[Statement]:
    """Write the statements for the root, or log them once it has signed."""
    if way.statement is not None:
        history, size = read_history(settings)
        made = state(history, size, None)
        write_durably(way.statement, statements_json(made))
        return made
    with open_shop(settings) as shop:
        history = KeyHistory.read(shop.published.keys, origin=shop.log.origin)
        if way.signed is not None:
            made = read_statements(way.signed)
            _same(way.signed, made, state(history, shop.log.size, None))
        else:
            assert way.root_key is not None
            made = state(history, shop.log.size, _root(history, shop.log.size, way.root_key))
        for place, one in enumerate(made):  # refuse before anything on the disk changes
            history.add({**one, "seq": shop.log.size + place})
        if slots:
            _switch(settings, shop, slots)
        shop.append([key_records.at_place(one) for one in made])
    return made


def _switch(settings: Settings, shop: Shop, slots: Mapping[str, Path]) -> None:
    """Let the keyring name new keys, and the open shop sign with them.

    Opening the shop has published everything before, signed with the old ones. Stopped between
    this and the append, the next run refuses to sign with a key the log does not name, and the
    same command does it again.
    """
    path = settings.keys / KEYRING
    tables = tomllib.loads(path.read_text("utf-8"))
    for slot, file in slots.items():
        inside = file.resolve().parent == path.resolve().parent
        name = file.name if inside else str(file.resolve())
        if slot == "root":
            public = path.parent / f"{_signer(settings, slot, file).public.id}.pub.pem"
            write_durably(public, _signer(settings, slot, file).public.pem())
            tables[slot] = {"public": public.name}
        else:
            tables[slot] = {"kind": "file", "file": name}
    write_keyring(path, tables)
    shop.keyring = keyring.load(settings)
    publishing.attach(shop)


def _same(path: Path, signed: Sequence[Statement], wanted: Sequence[Statement]) -> None:
    """Refuse a signed file that states something else than the command asks for."""
    fields = ("action", "key_id", "replaces", "log_origin", "reason")
    for one, other in zip(signed, wanted, strict=False):
        for name in fields:
            if one[name] != other[name]:
                raise ConfigError(
                    f"{path}: {name} {one[name]!r} was signed and {other[name]!r} is asked for now"
                )
        if one["action"] == "REVOKE" and one["effective_seq"] != other["effective_seq"]:
            raise ConfigError(
                f"{path}: a revocation from seq {one['effective_seq']} was signed and from "
                f"{other['effective_seq']} is asked for now"
            )
    if len(signed) != len(wanted):
        raise ConfigError(f"{path}: {len(signed)} statements were signed, not {len(wanted)}")


def _own(settings: Settings) -> Keyring:
    """Return the keyring, unless it is the demonstration's: everyone would know the next one."""
    ring = keyring.load(settings)
    if ring.is_demo:
        raise ConfigError(
            f"setting 'keys': {settings.keys} holds no {KEYRING}; demonstration keys are for ever. "
            "Make your own with `spotfix keys create --root FILE` and start a log of your own"
        )
    return ring


def _root(history: KeyHistory, seq: int, path: Path) -> Signer:
    """Return the root's signer, if the file is that of the root in force.

    The log is asked, not the keyring: a rotation of the root that was cut short has changed that.
    """
    signer = PemSigner(path, name="root", purpose="root")
    roots = [key.id for key in history.at("root", seq)]
    if signer.public.id not in roots:
        told = ", ".join(roots) or "not there yet"
        raise ConfigError(f"{path}: is {signer.public.id}; the log's root is {told}")
    return signer


def _signer(settings: Settings, slot: str, path: Path) -> PemSigner:
    """Return the signer of a new key for a slot, with the name such keys bear."""
    purpose, algorithm = SLOTS[slot]
    name = settings.log_origin if purpose == "log" else f"{settings.administrator_id}/{slot}"
    signer = PemSigner(path, name=name, purpose=purpose)
    if signer.public.algorithm != algorithm:
        raise ConfigError(f"{path}: {signer.public.algorithm}; a {slot} key is {algorithm}")
    return signer


def _slot_of(key: PublicKey) -> str | None:
    wanted = key.purpose, key.algorithm
    return next((slot for slot, kind in SLOTS.items() if kind == wanted), None)


def utc_now() -> datetime:
    """Return the present."""
    return datetime.now(UTC)
