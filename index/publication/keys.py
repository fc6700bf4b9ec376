"""Keys: what a public key is called, who can sign with the private half, and how either is checked.

Two algorithms are in use. Ed25519 (RFC 8032) signs every record and every checkpoint: its
signatures have 64 bytes and stock OpenSSL verifies them. ML-DSA-44 (FIPS 204) signs checkpoints
as well, because contracts may outlive Ed25519.

A private key never leaves its signer. A signer is a PEM file that only its owner can read
(:class:`PemSigner`), a command that talks to a token or a key service (:class:`CommandSigner`),
or a key that everybody can derive (:class:`DemoSigner`), which proves nothing and says so.
"""

from __future__ import annotations

import base64
import hashlib
import os
import stat
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn, Protocol

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

from methodology.errors import ConfigError

if TYPE_CHECKING:
    from index.publication.mldsa import Deterministic

ED25519: Final = "ed25519"
ML_DSA_44: Final = "ml-dsa-44"

PURPOSES: Final = ("root", "fixing", "log", "officer", "witness", "mock")
"""What a key may be for. A signature by a key of another purpose counts for nothing."""

RAW_BYTES: Final = {ED25519: 32, ML_DSA_44: 1312}
"""Length of a raw public key."""

SIGNATURE_BYTES: Final = {ED25519: 64, ML_DSA_44: 2420}
"""Length of a signature."""

MAX_NAME_BYTES: Final = 255
"""A cosignature states the signer's name after one byte of length."""

DEMO_SEED: Final = b"spotfix demonstration key, known to everyone: "
"""What the private demonstration keys are derived from; see :class:`DemoSigner`."""

MOCK_SEED: Final = b"spotfix mock key, known to everyone: "
"""What the keys of the mock feed are derived from, with the name of each."""

_EIGHTH_1 = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc"
_EIGHTH_2 = "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03"
SMALL_ORDER: Final = frozenset(
    bytes.fromhex(text)
    for text in (
        "00" * 31 + "00", "00" * 31 + "80", "01" + "00" * 31, "01" + "00" * 30 + "80",
        "ec" + "ff" * 30 + "7f", "ec" + "ff" * 31, "ed" + "ff" * 30 + "7f", "ed" + "ff" * 31,
        "ee" + "ff" * 30 + "7f", "ee" + "ff" * 31,
        _EIGHTH_1 + "05", _EIGHTH_1 + "85", _EIGHTH_2 + "7a", _EIGHTH_2 + "fa",
    )
)  # fmt: skip
"""Ed25519 points that vanish when multiplied by eight, in every spelling.

Nobody has to know a private key to sign for them: with the first of them as key, one signature
fits every message, and OpenSSL accepts it. They are refused as keys and verify nothing.
"""

_FIELD: Final = 2**255 - 19

PrivateKey = Ed25519PrivateKey | MLDSA44PrivateKey


@dataclass(frozen=True, slots=True)
class PublicKey:
    """The public half of a key.

    ``name`` stands in the signature lines of checkpoints: printable, without blanks or ``+``, at
    most 255 bytes. ``raw`` is 32 bytes for Ed25519 and 1,312 for ML-DSA-44.

    Raises:
        ConfigError: name, purpose, algorithm or length is not one of these.
    """

    name: str
    purpose: str
    algorithm: str
    raw: bytes

    def __post_init__(self) -> None:
        check_name(self.name)
        if self.purpose not in PURPOSES:
            raise ConfigError(f"key {self.name!r}: purpose {self.purpose!r} is none of {PURPOSES}")
        if self.algorithm not in RAW_BYTES:
            raise ConfigError(
                f"key {self.name!r}: algorithm {self.algorithm!r} is none of {tuple(RAW_BYTES)}"
            )
        if len(self.raw) != RAW_BYTES[self.algorithm]:
            raise ConfigError(
                f"key {self.name!r}: an {self.algorithm} public key has "
                f"{RAW_BYTES[self.algorithm]} bytes, not {len(self.raw)}"
            )

    @property
    def id(self) -> str:
        """``<purpose>-`` and the first 16 hex digits of SHA-256 over the raw key."""
        return f"{self.purpose}-{hashlib.sha256(self.raw).hexdigest()[:16]}"

    def pem(self) -> bytes:
        """Return the key as SubjectPublicKeyInfo in PEM, as OpenSSL reads it."""
        return _public(self.algorithm, self.raw).public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def base64(self) -> str:
        """Return the raw key in base64, as a ``key`` record holds it."""
        return base64.b64encode(self.raw).decode("ascii")

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Return whether ``signature`` over ``message`` was made by this key. Never raises."""
        if len(signature) != SIGNATURE_BYTES[self.algorithm] or self.raw in SMALL_ORDER:
            return False
        if self.algorithm == ED25519 and not _is_reduced(self.raw):
            return False
        try:
            _public(self.algorithm, self.raw).verify(signature, message)
        except (InvalidSignature, ValueError, UnsupportedAlgorithm):
            return False
        return True

    @classmethod
    def from_raw(
        cls, raw: bytes, *, name: str, purpose: str, algorithm: str = ED25519
    ) -> PublicKey:
        """Return the key of these raw bytes.

        Raises:
            ConfigError: the bytes are no key of that algorithm, or the name or purpose is wrong.
        """
        key = cls(name, purpose, algorithm, bytes(raw))
        if key.raw in SMALL_ORDER:
            raise ConfigError(f"key {name!r}: a point of small order, for which anyone can sign")
        if algorithm == ED25519 and not _is_reduced(key.raw):
            raise ConfigError(f"key {name!r}: not the one spelling of its point (RFC 8032, 5.1.3)")
        try:
            _public(algorithm, key.raw)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise ConfigError(f"key {name!r}: not an {algorithm} public key: {error}") from error
        return key

    @classmethod
    def from_pem(cls, pem: bytes, *, name: str, purpose: str) -> PublicKey:
        """Return the key of a SubjectPublicKeyInfo in PEM.

        Raises:
            ConfigError: not a PEM public key, or of an algorithm that is not in use here.
        """
        try:
            found = serialization.load_pem_public_key(pem)
        except (ValueError, UnsupportedAlgorithm):
            raise ConfigError(
                f"key {name!r}: not a public key in PEM (-----BEGIN PUBLIC KEY-----); "
                "`spotfix keys export` writes them"
            ) from None
        if isinstance(found, Ed25519PublicKey):
            return cls.from_raw(found.public_bytes_raw(), name=name, purpose=purpose)
        if isinstance(found, MLDSA44PublicKey):
            return cls(name, purpose, ML_DSA_44, found.public_bytes_raw())
        raise ConfigError(
            f"key {name!r}: {type(found).__name__} is not in use here; use Ed25519 or ML-DSA-44"
        )


class Signer(Protocol):
    """Whoever can sign with a key."""

    @property
    def public(self) -> PublicKey:
        """The public half."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Return the signature over ``message``.

        Raises:
            ConfigError: the signer did not deliver a signature that verifies.
        """
        ...


class _Held:
    """A private key in this process, which no text, copy or pickle ever shows."""

    __slots__ = ("_private", "public")

    def __init__(self, private: PrivateKey, *, name: str, purpose: str) -> None:
        self._private = private
        algorithm = ED25519 if isinstance(private, Ed25519PrivateKey) else ML_DSA_44
        raw = private.public_key().public_bytes_raw()
        self.public = PublicKey(name, purpose, algorithm, raw)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.public.id})"

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{self!r} cannot be copied or pickled: it holds a private key")

    def sign(self, message: bytes) -> bytes:
        """Return the signature over ``message``, verified with the public key.

        Raises:
            ConfigError: the signature does not verify: memory or library is at fault.
        """
        signature = self._private.sign(message)
        if not self.public.verify(message, signature):
            raise ConfigError(f"key {self.public.id}: its own signature does not verify; stop here")
        return signature


class PemSigner(_Held):
    """A private key in a PKCS#8 PEM file that nobody but its owner can read.

    Args:
        path: the file. It is read once, here.
        name: the key's name in signature lines.
        purpose: what the key is for.

    Raises:
        ConfigError: no such file, readable by group or others, encrypted, not a private key in
            PEM, or of an algorithm that is not in use here. The file's content is in no message.
    """

    __slots__ = ()

    def __init__(self, path: Path, *, name: str, purpose: str) -> None:
        super().__init__(_load_private(path), name=name, purpose=purpose)


class DemoSigner(_Held):
    """A key whose private half is known to everyone, for the bundled run and for tests.

    Its seed is SHA-256 over :data:`DEMO_SEED`, the purpose and the algorithm. Its signatures are
    the same bytes on every machine, so the bundled run's files are as well.

    Args:
        purpose: what the key is for.
        algorithm: :data:`ED25519` or :data:`ML_DSA_44`.
        name: the key's name in signature lines; ``spotfix-dev/<purpose>`` if not given.
    """

    __slots__ = ("_seed",)

    def __init__(self, purpose: str, algorithm: str = ED25519, *, name: str | None = None) -> None:
        self._seed = hashlib.sha256(DEMO_SEED + purpose.encode() + algorithm.encode()).digest()
        private = private_from_seed(algorithm, self._seed)
        super().__init__(private, name=name or f"spotfix-dev/{purpose}", purpose=purpose)

    def sign(self, message: bytes) -> bytes:
        """Return the signature over ``message``, the same bytes each time."""
        if self.public.algorithm == ML_DSA_44:
            return _deterministic(self._seed).sign(message)
        return super().sign(message)


@lru_cache(maxsize=1)
def demo_keys() -> frozenset[bytes]:
    """Return the raw public keys whose private half everyone knows."""
    mock = {
        private_from_seed(algorithm, hashlib.sha256(MOCK_SEED + slot).digest())
        for slot, algorithm in (
            (b"root", ED25519), (b"fixing", ED25519), (b"log", ED25519), (b"log_pq", ML_DSA_44),
        )
    }  # fmt: skip
    return frozenset(
        DemoSigner(purpose, algorithm).public.raw
        for purpose in PURPOSES
        for algorithm in (ED25519, ML_DSA_44)
    ) | frozenset(private.public_key().public_bytes_raw() for private in mock)


def is_demo(key: PublicKey) -> bool:
    """Return whether everyone knows the private half of ``key``."""
    return key.raw in demo_keys()


def private_from_seed(algorithm: str, seed: bytes) -> PrivateKey:
    """Return the private key of a 32-byte seed (RFC 8032, 5.1.5; FIPS 204, algorithm 1).

    Raises:
        ConfigError: the algorithm is none that keys have.
        ValueError: the seed has another length than 32 bytes.
    """
    if algorithm == ED25519:
        return Ed25519PrivateKey.from_private_bytes(seed)
    if algorithm == ML_DSA_44:
        return MLDSA44PrivateKey.from_seed_bytes(seed)
    raise ConfigError(f"algorithm {algorithm!r} is none of {tuple(RAW_BYTES)}")


def create_pem(path: Path, algorithm: str = ED25519) -> None:
    """Make a new private key and write it to ``path``, readable by its owner alone (mode 0600).

    Raises:
        ConfigError: there is a file at ``path``: a key is never overwritten.
        OSError: the disk refused; no file is left behind.
    """
    private = private_from_seed(algorithm, os.urandom(32))
    pem = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    try:
        # The mode is given at creation: there is no moment at which others could read it.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise ConfigError(
            f"{path}: there is a file already and a key is never overwritten; name another place"
        ) from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        path.unlink(missing_ok=True)
        raise


def check_name(name: str) -> None:
    """Raise ConfigError unless ``name`` can stand in a signature line (c2sp.org/signed-note)."""
    size = len(name.encode("utf-8", "surrogatepass"))
    if not 0 < size <= MAX_NAME_BYTES or "+" in name or not name.isprintable() or " " in name:
        raise ConfigError(
            f"key name {name[:300]!r}: use 1 to {MAX_NAME_BYTES} bytes without blanks, '+' or "
            "control characters, such as 'example.org/fixing'"
        )


def _load_private(path: Path) -> PrivateKey:
    """Return the private key in a PEM file; see :class:`PemSigner`."""
    try:
        with path.open("rb") as file:
            # The open file is asked, not the path: between the two the file could be another one.
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if mode & 0o077:
                raise ConfigError(
                    f"{path}: mode {mode:04o} lets others read a private key; "
                    f"chmod 600 {path}, and replace the key if anybody could have copied it"
                )
            body = file.read()
    except OSError as error:
        raise ConfigError(
            f"{path}: no private key can be read here ({error.strerror}); "
            "`spotfix keys create` makes one"
        ) from error
    try:
        found = serialization.load_pem_private_key(body, password=None)
    except TypeError:
        raise ConfigError(
            f'{path}: the private key is encrypted; keep it in a token and use kind = "command"'
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        # Without the cause: a parser's message may quote what it read.
        raise ConfigError(f"{path}: not a private key in PKCS#8 PEM") from None
    if isinstance(found, Ed25519PrivateKey | MLDSA44PrivateKey):
        return found
    raise ConfigError(
        f"{path}: {type(found).__name__} is not in use here; use Ed25519 or ML-DSA-44"
    )


def _is_reduced(raw: bytes) -> bool:
    """Return whether the y of an Ed25519 key is below the prime: OpenSSL takes others as well."""
    return int.from_bytes(raw, "little") & (2**255 - 1) < _FIELD


@lru_cache(maxsize=256)
def _public(algorithm: str, raw: bytes) -> Ed25519PublicKey | MLDSA44PublicKey:
    if algorithm == ED25519:
        return Ed25519PublicKey.from_public_bytes(raw)
    return MLDSA44PublicKey.from_public_bytes(raw)


@lru_cache(maxsize=16)
def _deterministic(seed: bytes) -> Deterministic:
    from index.publication.mldsa import Deterministic  # numpy, which only this needs

    return Deterministic(seed)
