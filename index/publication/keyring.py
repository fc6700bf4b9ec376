"""The keys an installation signs with: where each private part is, and which may go live.

``keyring.toml`` in the directory of keys says it, a table for each key::

    [root]
    public = "root.pub.pem"          # the private part is offline
    [fixing]
    kind = "file"
    file = "fixing.pem"
    [log]
    kind = "command"
    public = "log.pub.pem"
    argv = ["sign-with-token", "--slot", "2"]
    timeout_seconds = 10
    [log_pq]
    kind = "file"
    file = "log_pq.pem"

Without that file the demonstration keys sign, whose private parts everyone knows. They keep the
bundled run the same bytes everywhere and are refused for live publication.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from index.publication.commands import CommandSigner
from index.publication.keys import (
    ED25519,
    ML_DSA_44,
    DemoSigner,
    PemSigner,
    PublicKey,
    Signer,
    is_demo,
)
from methodology.errors import ConfigError

KEYRING: Final = "keyring.toml"
OPENING: Final = "opening.json"
SLOTS: Final[Mapping[str, tuple[str, str]]] = {
    "root": ("root", ED25519),
    "fixing": ("fixing", ED25519),
    "log": ("log", ED25519),
    "log_pq": ("log", ML_DSA_44),
}
"""The keys of a keyring: purpose and algorithm of each."""

DEV_ADMINISTRATOR: Final = "spotfix-dev"
DEV_ORIGIN: Final = "spotfix-dev/log"

_FIELDS = {"kind", "file", "public", "argv", "timeout_seconds", "name"}


class KeySettings(Protocol):
    """What of the settings matters here."""

    @property
    def keys(self) -> Path:
        """The directory of keys."""
        ...

    @property
    def log_origin(self) -> str:
        """The log's name."""
        ...

    @property
    def administrator_id(self) -> str:
        """Who is responsible for the values."""
        ...

    @property
    def allow_demo_live(self) -> bool:
        """Whether demonstration keys may publish live (tests on this machine)."""
        ...


@dataclass(frozen=True)
class Keyring:
    """The signers of an installation. ``root_signer`` is ``None`` while the root is offline.

    ``places`` says in words where the private part of each key is. ``opening`` are the key records
    a root that is offline signed beforehand for the start of the log, without their places.
    """

    root: PublicKey
    root_signer: Signer | None
    fixing: Signer
    log: Signer
    log_pq: Signer
    is_demo: bool
    places: Mapping[str, str] = field(default_factory=dict)
    opening: Sequence[Mapping[str, Any]] = ()

    @property
    def public_keys(self) -> tuple[PublicKey, ...]:
        """Root, fixing, log and log_pq, in this order."""
        return self.root, self.fixing.public, self.log.public, self.log_pq.public

    @property
    def log_keys(self) -> tuple[PublicKey, ...]:
        """The keys that sign checkpoints."""
        return self.log.public, self.log_pq.public


def demo(origin: str = DEV_ORIGIN, administrator: str = DEV_ADMINISTRATOR) -> Keyring:
    """Return the demonstration keyring, named for a log and an administrator."""
    root = DemoSigner("root", name=f"{administrator}/root")
    return Keyring(
        root=root.public,
        root_signer=root,
        fixing=DemoSigner("fixing", name=f"{administrator}/fixing"),
        log=DemoSigner("log", name=origin),
        log_pq=DemoSigner("log", ML_DSA_44, name=origin),
        is_demo=True,
        places=dict.fromkeys(SLOTS, "demo"),
    )


def load(settings: KeySettings, *, live: bool = False) -> Keyring:
    """Return the keyring of an installation; without a ``keyring.toml`` the demonstration one.

    Args:
        settings: names the directory, the log and the administrator.
        live: refuse what may not publish live, as :func:`check_live` does.

    Raises:
        ConfigError: the file or a key in it is wrong, or may not go live.
    """
    path = settings.keys / KEYRING
    if path.exists():
        ring = _read(path, settings)
    else:
        ring = demo(settings.log_origin, settings.administrator_id)
    if live:
        check_live(ring, settings)
    return ring


def check_live(keyring: Keyring, settings: KeySettings) -> None:
    """Raise ConfigError unless this keyring and these names may publish live.

    ``allow_demo_live`` lets everything pass: it is for tests on one machine.
    """
    if settings.allow_demo_live:
        return
    if settings.administrator_id == DEV_ADMINISTRATOR:
        raise ConfigError(
            f"setting 'administrator_id': {DEV_ADMINISTRATOR!r} is nobody; name who is responsible "
            "for the values before you publish live"
        )
    if settings.log_origin == DEV_ORIGIN:
        raise ConfigError(
            f"setting 'log_origin': {DEV_ORIGIN!r} is every developer's log; give yours a name of "
            "its own, such as 'example.org/spotfix', before you publish live"
        )
    for key in keyring.public_keys:
        if is_demo(key):
            raise ConfigError(
                f"setting 'keys': everyone knows the private part of {key.id}, which "
                f"{settings.keys} signs with; make keys of your own with `spotfix keys create`"
            )


def _read(path: Path, settings: KeySettings) -> Keyring:
    """Return the keyring that a file describes."""
    try:
        tables = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: {error}") from error
    missing, unknown = set(SLOTS) - set(tables), set(tables) - set(SLOTS)
    if missing or unknown:
        raise ConfigError(
            f"{path}: a table for each of {', '.join(SLOTS)} is needed; missing "
            f"{sorted(missing)}, unknown {sorted(unknown)}. `spotfix keys create` makes keys"
        )
    signers: dict[str, Signer] = {}
    publics: dict[str, PublicKey] = {}
    places: dict[str, str] = {}
    for slot, (purpose, algorithm) in SLOTS.items():
        table = tables[slot]
        if not isinstance(table, dict) or set(table) - _FIELDS:
            raise ConfigError(f"{path}: [{slot}] is a table of {', '.join(sorted(_FIELDS))}")
        name = table.get("name") or _name(slot, settings)
        if purpose == "log" and name != settings.log_origin:
            raise ConfigError(
                f"{path}: [{slot}] name {name!r} is not the log's origin {settings.log_origin!r}"
            )
        try:
            public, signer, place = _one(path.parent, table, slot, name, purpose, algorithm)
        except ConfigError as error:
            raise ConfigError(f"{path}: [{slot}] {error}") from error
        if public.algorithm != algorithm:
            raise ConfigError(f"{path}: [{slot}] is {public.algorithm}; {algorithm} is needed")
        publics[slot], places[slot] = public, place
        if signer is not None:
            signers[slot] = signer
    raws = [key.raw for key in publics.values()]
    if len(set(raws)) != len(raws):
        raise ConfigError(f"{path}: one key stands in two tables; each purpose has its own key")
    return Keyring(
        root=publics["root"],
        root_signer=signers.get("root"),
        fixing=signers["fixing"],
        log=signers["log"],
        log_pq=signers["log_pq"],
        is_demo=any(place == "demo" for place in places.values()),
        places=places,
        opening=_opening(path.parent / OPENING),
    )


def _opening(path: Path) -> list[dict[str, Any]]:
    """Return the statements in the file of the opening; none without the file."""
    if not path.exists():
        return []
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: {error}") from error
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise ConfigError(f"{path}: not a list of signed statements")
    return found


def _one(
    folder: Path, table: Mapping[str, Any], slot: str, name: str, purpose: str, algorithm: str
) -> tuple[PublicKey, Signer | None, str]:
    """Return public key, signer (``None``: offline) and place of one table."""
    kind = table.get("kind", "offline" if slot == "root" else None)
    if kind == "file":
        path = folder / _text(table, "file")
        signer = PemSigner(path, name=name, purpose=purpose)
        return signer.public, signer, f"file {path}"
    if kind == "demo":
        demo_signer = DemoSigner(purpose, algorithm, name=name)
        return demo_signer.public, demo_signer, "demo"
    if kind not in ("command", "offline") or (kind == "offline" and slot != "root"):
        allowed = "file, command, demo" + (", offline" if slot == "root" else "")
        raise ConfigError(f"kind {kind!r} is none of {allowed}")
    path = folder / _text(table, "public")
    try:
        public = PublicKey.from_pem(path.read_bytes(), name=name, purpose=purpose)
    except OSError as error:
        raise ConfigError(f"public {path}: {error.strerror}") from error
    if kind == "offline":
        return public, None, "offline"
    argv, seconds = table.get("argv"), table.get("timeout_seconds", 10)
    if not isinstance(argv, list) or not argv or not all(isinstance(one, str) for one in argv):
        raise ConfigError(f"argv {type(argv).__name__} is not a list of words")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise ConfigError(f"timeout_seconds {seconds!r} is not a number")
    return public, CommandSigner(public, argv, float(seconds)), f"command {argv[0]}"


def _name(slot: str, settings: KeySettings) -> str:
    """Return a key's name when the file gives none."""
    purpose = SLOTS[slot][0]
    return settings.log_origin if purpose == "log" else f"{settings.administrator_id}/{slot}"


def _text(table: Mapping[str, Any], name: str) -> str:
    value = table.get(name)
    if not isinstance(value, str) or not value:
        raise ConfigError(f'{name} = "..." is missing')
    return value
