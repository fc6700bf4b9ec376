"""Keys on an operator's disk: made, named in the keyring, and signed for by a root elsewhere.

No log is touched here; :mod:`index.keyholding` records changes in it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from index.config import Settings
from index.ledger.files import replace_durably, write_durably
from index.ledger.log import Log
from index.publication import key_records, keyring
from index.publication.keyring import KEYRING, OPENING, SLOTS, Keyring
from index.publication.keys import PemSigner, PublicKey, Signer, create_pem
from methodology.errors import ConfigError

Statement = Mapping[str, Any]

HERE: Final = ("fixing", "log", "log_pq")
"""Keys of a keyring whose private part signs every day and so lies where the publisher runs."""


def create_all(settings: Settings, root: Path, at: datetime) -> list[PublicKey]:
    """Make root, fixing, log and log_pq keys, the keyring, and the signed opening of a new log.

    Args:
        settings: name the directory, the log and the administrator.
        root: where the root's private part goes; take that file offline afterwards.
        at: when, for the opening.

    Raises:
        ConfigError: a log has begun in ``out``, or any of the files is there; none was made.
    """
    folder = settings.keys
    files = {slot: folder / f"{slot}.pem" for slot in HERE}
    public = folder / "root.pub.pem"
    for path in (root, public, folder / KEYRING, folder / OPENING, *files.values()):
        if path.exists():
            raise ConfigError(f"{path}: there already; a key is never overwritten, none was made")
    if Log.exists(settings.ledger):
        raise ConfigError(
            f"{settings.ledger}: this log has begun and names its keys for ever; make all keys for "
            "a new log (--out DIR), or replace one with `spotfix keys rotate`; none was made"
        )
    folder.mkdir(parents=True, exist_ok=True)
    os.chmod(folder, 0o700)
    for path, slot in [(root, "root"), *((path, slot) for slot, path in files.items())]:
        create_pem(path, SLOTS[slot][1])
    signer = PemSigner(root, name=f"{settings.administrator_id}/root", purpose="root")
    write_durably(public, signer.public.pem())
    tables: dict[str, Any] = {"root": {"public": public.name}}
    tables |= {slot: {"kind": "file", "file": path.name} for slot, path in files.items()}
    write_keyring(folder / KEYRING, tables)
    sign_opening(settings, root, at)
    return list(keyring.load(settings).public_keys)


def sign_opening(settings: Settings, root: Path, at: datetime) -> Path:
    """Let the root sign the first records of a log that does not exist yet; return the file.

    Raises:
        ConfigError: ``root`` is not the keyring's root, or an opening is there already.
    """
    ring = keyring.load(settings)
    path = settings.keys / OPENING
    if path.exists():
        held = read_statements(path)
        origins = " and ".join(sorted({str(one.get("log_origin")) for one in held}))
        raise ConfigError(
            f"{path}: the opening of log {origins} is signed already; remove the file to sign one "
            f"of {settings.log_origin}"
        )
    signer = root_signer(ring, root)
    whole = Keyring(ring.root, signer, ring.fixing, ring.log, ring.log_pq, ring.is_demo)
    made = key_records.opening_statements(whole, settings.log_origin, at)
    write_durably(path, statements_json(made))
    return path


def sign_file(statement: Path, key: Path, target: Path) -> list[dict[str, Any]]:
    """Add the root's signature to each statement in a file; return them.

    Needs neither log nor network: it is meant for the machine that holds the root.

    Raises:
        ConfigError: not a file of statements, signed by this key already, or no private key.
    """
    signer = PemSigner(key, name="root", purpose="root")
    signed = []
    for one in read_statements(statement):
        if signer.public.id in [entry["key_id"] for entry in one["signatures"]]:
            raise ConfigError(f"{statement}: {signer.public.id} has signed it already")
        signed.append(key_records.sign(one, signer))
    write_durably(target, statements_json(signed))
    return signed


def read_statements(path: Path) -> list[dict[str, Any]]:
    """Return the statements in a file.

    Raises:
        ConfigError: no such file, or it holds something else.
    """
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: {error}") from error
    if not isinstance(found, list) or not found:
        raise ConfigError(f"{path}: not a file that --statement wrote")
    return [key_records.parse_statement(json.dumps(one).encode(), str(path)) for one in found]


def root_signer(ring: Keyring, path: Path) -> Signer:
    """Return the root's signer, if the file is that of the keyring's root.

    Raises:
        ConfigError: the file holds no private key, or that of another than the root.
    """
    signer = PemSigner(path, name=ring.root.name, purpose="root")
    if signer.public.raw != ring.root.raw:
        raise ConfigError(f"{path}: is {signer.public.id}; the keyring's root is {ring.root.id}")
    return signer


def write_keyring(path: Path, tables: Mapping[str, Mapping[str, Any]]) -> None:
    """Write the tables; words in JSON spelling are TOML as well."""
    lines = ["# Where the private part of each key is. `spotfix keys` writes this file."]
    for slot, table in tables.items():
        lines += ["", f"[{slot}]"]
        lines += [f"{name} = {json.dumps(value)}" for name, value in table.items()]
    replace_durably(path, ("\n".join(lines) + "\n").encode())


def statements_json(statements: Sequence[Statement]) -> bytes:
    """Return the bytes of a file of statements."""
    return (json.dumps(statements, indent=1, sort_keys=True) + "\n").encode()
