"""Who may read: keys of clients, kept as digests, taken from one header and from nowhere else.

A key is ``spk_<8 characters: its id>_<32 random characters>`` (190 bits). The file holds the id
and the SHA-256 of the whole key, so it opens nothing. Reading is free to anybody unless the
operator closes it; a key that is sent must be good all the same.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
import string
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import unquote_plus

from index.feed import certificates
from index.feed.certificates import Certificate
from index.feed.problems import Problem
from methodology.errors import ConfigError, UsageError

SCOPES: Final = ("read", "stream", "data", "metrics")
FILE: Final = "clients.json"
LIVE_KEYS: Final = 2
"""A client has at most this many keys in force: the old one and its successor."""

_DIGITS: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_KEY: Final = re.compile(r"spk_([0-9A-Za-z]{8})_([0-9A-Za-z]{32})")
_TRACE: Final = re.compile(r"spk_[0-9A-Za-z_-]*", re.IGNORECASE)
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9.-]{0,62}")
_NO_DIGEST: Final = "0" * 64
REDACTED: Final = "[key]"
_BAD: Final = "invalid_token"


@dataclass(frozen=True, slots=True)
class Key:
    """One key as it is kept. Times are RFC 3339 text, UTC; ``None`` is: never."""

    id: str
    sha256: str
    created_at: str
    expires_at: str | None = None
    revoked_at: str | None = None

    def is_live(self, now: datetime) -> bool:
        """Return whether the key is in force at ``now`` (naive UTC)."""
        return self.revoked_at is None and (
            self.expires_at is None or now < _moment(self.expires_at)
        )


@dataclass(frozen=True, slots=True)
class Client:
    """Somebody with keys: a name, what the keys are good for, and the keys.

    ``certificates`` are subject alternative names, such as ``dns:feed.acme.example``: whoever
    holds a certificate with one of them is this client, where a proxy hands certificates on.
    """

    name: str
    scopes: tuple[str, ...]
    keys: tuple[Key, ...] = ()
    certificates: tuple[str, ...] = ()

    def live(self, now: datetime) -> list[Key]:
        """Return the keys in force at ``now``."""
        return [key for key in self.keys if key.is_live(now)]


@dataclass(slots=True)
class Clients:
    """The file of clients, read again whenever it has changed.

    Raises ConfigError when it is malformed, or others than its owner may read it.
    """

    path: Path
    _stamp: tuple[int, int, int] | None = None
    _by_id: dict[str, tuple[Client, Key]] = field(default_factory=dict)
    _by_san: dict[str, Client] = field(default_factory=dict)
    _clients: dict[str, Client] = field(default_factory=dict)

    def load(self) -> Mapping[str, Client]:
        """Return the clients by name; none if there is no file."""
        try:
            found = os.stat(self.path)
        except FileNotFoundError:
            self._stamp, self._clients, self._by_id, self._by_san = None, {}, {}, {}
            return self._clients
        stamp = found.st_ino, found.st_mtime_ns, found.st_size
        if stamp != self._stamp:
            if found.st_mode & 0o077:
                raise ConfigError(f"{self.path}: others may read it; run chmod 600 {self.path}")
            self._clients = _parse(self.path)
            self._by_id = {k.id: (c, k) for c in self._clients.values() for k in c.keys}
            self._by_san = {n: c for c in self._clients.values() for n in c.certificates}
            self._stamp = stamp
        return self._clients

    def find(self, text: str, now: datetime) -> tuple[Client, Key] | None:
        """Return whose key ``text`` is, ``None`` for one that is unknown, expired or revoked.

        The id is no secret and finds the line; the digests are compared in constant time, and
        one is compared even when the id is unknown.
        """
        self.load()
        shaped = _KEY.fullmatch(text)
        line = self._by_id.get(shaped[1]) if shaped else None
        expected = line[1].sha256 if line else _NO_DIGEST
        is_same = hmac.compare_digest(hashlib.sha256(text.encode()).hexdigest(), expected)
        return line if line is not None and is_same and line[1].is_live(now) else None

    def certified(self, names: frozenset[str]) -> dict[str, Client]:
        """Return the clients that a certificate with these names belongs to, by such a name."""
        self.load()
        return {name: self._by_san[name] for name in sorted(names & self._by_san.keys())}

    # Changing the file --------------------------------------------------------------------------

    def add(
        self, name: str, scopes: Sequence[str], now: datetime, expires_at: datetime | None = None
    ) -> str:
        """Add a client with a first key and return that key, which nothing can show again.

        Raises:
            UsageError: the name is malformed or taken, or a scope is unknown.
        """
        clients = dict(self.load())
        if not _NAME.fullmatch(name):
            raise UsageError(f"client {name!r}: use a-z, 0-9, '.' and '-', at most 63 characters")
        if name in clients:
            raise UsageError(f"client {name!r} is there already; `spotfix clients rotate {name}`")
        unknown = sorted(set(scopes) - set(SCOPES))
        if unknown or not scopes:
            raise UsageError(f"scope {', '.join(unknown)!r}: there are {', '.join(SCOPES)}")
        text, key = _new_key(now, expires_at)
        ordered = tuple(each for each in SCOPES if each in scopes)
        self._write({**clients, name: Client(name, ordered, (key,))})
        return text

    def rotate(
        self, name: str, now: datetime, grace: timedelta, expires_at: datetime | None = None
    ) -> str:
        """Give a client a second key and return it; the first one ends after ``grace``.

        Raises:
            UsageError: no such client, or two of its keys are in force already.
        """
        clients = dict(self.load())
        client = self._named(clients, name)
        live = client.live(now)
        if len(live) >= LIVE_KEYS:
            told = ", ".join(key.id for key in live)
            raise UsageError(f"client {name!r} has {LIVE_KEYS} live keys, {told}; revoke one first")
        text, made = _new_key(now, expires_at)
        ends = now + grace
        keys = tuple(
            replace(key, expires_at=_text(ends))
            if key in live and (key.expires_at is None or _moment(key.expires_at) > ends)
            else key
            for key in client.keys
        )
        self._write({**clients, name: replace(client, keys=(*keys, made))})
        return text

    def certify(self, name: str, san: str, *, is_removed: bool = False) -> Client:
        """Let certificates with a subject alternative name be a client's, or no more; return it.

        Raises UsageError: no such client; the name is malformed, another client's, or not there.
        """
        clients = dict(self.load())
        client = self._named(clients, name)
        try:
            told = certificates.name(san)
        except ValueError as error:
            raise UsageError(f"name of a certificate {error}") from None
        owner = self._by_san.get(told)
        if is_removed:
            if owner is not client:
                raise UsageError(f"client {name!r} has no certificate name {told!r}")
            kept = tuple(each for each in client.certificates if each != told)
        else:
            if owner is not None and owner is not client:
                raise UsageError(f"{told!r} is the name of client {owner.name!r}; remove it there")
            kept = tuple(sorted({*client.certificates, told}))
        clients[name] = replace(client, certificates=kept)
        self._write(clients)
        return clients[name]

    def revoke(self, name: str, now: datetime, key_id: str | None = None) -> list[str]:
        """End a client's keys and certificates at once, or one key; return what ended.

        Raises UsageError: no such client, or nothing of it in force.
        """
        clients = dict(self.load())
        client = self._named(clients, name)
        ended = [key.id for key in client.live(now) if key_id in (None, key.id)]
        names = () if key_id else client.certificates
        if not ended and not names:
            which = f"key {key_id!r}" if key_id else "any key"
            raise UsageError(f"client {name!r} does not have {which} in force")
        keys = tuple(
            replace(key, revoked_at=_text(now)) if key.id in ended else key for key in client.keys
        )
        left = client.certificates if key_id else ()
        self._write({**clients, name: replace(client, keys=keys, certificates=left)})
        return [*ended, *names]

    @staticmethod
    def _named(clients: Mapping[str, Client], name: str) -> Client:
        if name not in clients:
            raise UsageError(f"client {name!r} is not there; `spotfix clients list`")
        return clients[name]

    def _write(self, clients: Mapping[str, Client]) -> None:
        content = {"clients": [asdict(clients[name]) for name in sorted(clients)]}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.tmp")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(json.dumps(content, indent=1) + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, self.path)
        self._stamp = None


def _new_key(now: datetime, expires_at: datetime | None) -> tuple[str, Key]:
    key_id = "".join(secrets.choice(_DIGITS) for _ in range(8))
    text = f"spk_{key_id}_" + "".join(secrets.choice(_DIGITS) for _ in range(32))
    digest = hashlib.sha256(text.encode()).hexdigest()
    return text, Key(key_id, digest, _text(now), _text(expires_at) if expires_at else None)


def _parse(path: Path) -> dict[str, Client]:
    try:
        content = json.loads(path.read_text("utf-8"))
        found = [
            Client(
                one["name"],
                tuple(one["scopes"]),
                tuple(Key(**key) for key in one["keys"]),
                tuple(map(certificates.name, one.get("certificates", ()))),
            )
            for one in content["clients"]
        ]
        named = [name for client in found for name in client.certificates]
        if len(set(named)) < len(named):
            raise ValueError("a name of a certificate stands at two clients")
        for client in found:
            for key in client.keys:
                key.is_live(datetime.min)
                bytes.fromhex(key.sha256)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path}: is not a file of clients ({error}); restore it") from error
    return {client.name: client for client in found}


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds") + "Z"


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.removesuffix("Z"))


# Requests ---------------------------------------------------------------------------------------


def holds_key(text: str) -> bool:
    """Return whether text holds a key or the beginning of one, however often percent-encoded."""
    for _ in range(4):
        if _TRACE.search(text):
            return True
        text, before = unquote_plus(text), text
        if text == before:
            return False
    return False


def redacted(text: str) -> str:
    """Return text without any key, for a log line or an answer."""
    plain = _TRACE.sub(REDACTED, text)
    return REDACTED if holds_key(plain) else plain


def scope_of(path: str) -> str | None:
    """Return the scope that a path needs, ``None`` for what is open even when keys are needed."""
    first, _, rest = path.lstrip("/").partition("/")
    if first == "healthz":
        return None
    if first == "metrics":
        return "metrics"
    if first in ("data", "drop"):
        return "data"
    if first == "v1":
        return {"stream": "stream", "data": "data", "metrics": "metrics"}.get(
            rest.partition("/")[0], "read"
        )
    return "read"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: a client by the id of its key or a name of its certificate, or an address."""

    address: str
    client: Client | None = None
    key_id: str | None = None
    certificate: str | None = None

    @property
    def name(self) -> str:
        """What the caller's requests are counted under."""
        return f"client {self.client.name}" if self.client else f"address {self.address}"


def identify(
    headers: Sequence[tuple[bytes, bytes]],
    clients: Clients | None,
    address: str,
    now: datetime,
    certificate: Certificate | None = None,
) -> Caller:
    """Return who asks; ``certificate`` is the one that the operator's proxy has verified.

    Raises:
        Problem: 401: a key or a certificate is there and is not good, or they are two clients'.
    """
    by_key = _by_key(headers, clients, address, now)
    if certificate is None:
        return by_key
    if not certificate.is_current(now):
        raise unauthorized("the term of the client certificate is over or has not begun", _BAD)
    found = clients.certified(certificate.names) if clients is not None else {}
    owners = {client.name for client in (*found.values(), by_key.client) if client is not None}
    if len(owners) != 1:
        what = "two clients are named by it" if owners else "no client is named by it"
        raise unauthorized(f"the client certificate is not accepted: {what}", _BAD)
    if by_key.client is not None:
        return by_key
    name, client = next(iter(found.items()))
    return Caller(address, client, certificate=name)


def _by_key(
    headers: Sequence[tuple[bytes, bytes]], clients: Clients | None, address: str, now: datetime
) -> Caller:
    given = [value for name, value in headers if name == b"authorization"]
    if not given:
        return Caller(address)
    scheme, _, text = given[0].decode("latin-1").partition(" ")
    if len(given) > 1 or scheme.lower() != "bearer" or clients is None:
        raise unauthorized("send one header, Authorization: Bearer <key>", "invalid_request")
    found = clients.find(text.strip(), now)
    if found is None:
        raise unauthorized("the key is unknown, expired or revoked", _BAD)
    return Caller(address, found[0], found[1].id)


def admit(caller: Caller, path: str, *, keys_required: bool) -> None:
    """Let a caller pass, or not.

    Raises:
        Problem: 401 without a key where one is required; 403 if the key is not for this.
    """
    if not keys_required:
        return
    needed = scope_of(path)
    if needed is None:
        return
    if caller.client is None:
        raise unauthorized(
            "this server answers clients with a key: send Authorization: Bearer spk_...", None
        )
    if needed not in caller.client.scopes:
        raise Problem(
            "forbidden",
            f"client {caller.client.name!r} is not admitted to {needed!r}",
            headers={
                "WWW-Authenticate": f'Bearer realm="spotfix", error="insufficient_scope", '
                f'scope="{needed}"'
            },
        )


def unauthorized(detail: str, error: str | None) -> Problem:
    """Return the 401 that says why and asks for a key."""
    told = 'Bearer realm="spotfix"' + (f', error="{error}"' if error else "")
    return Problem("unauthorized", detail, headers={"WWW-Authenticate": told})
