"""RFC 3161 time stamps: what to ask an authority, and what its answer proves.

An authority signs a digest together with the time. Its answer shows that the digest existed at
that time to whoever trusts the authority's certificate. Nothing here opens a connection: the
caller sends the request (``application/timestamp-query``) and hands in the answer.

Answers are read by ``rfc3161-client``, which is optional: ``pip install spotfix[timestamps]``.
``openssl ts -verify`` reads the same files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from index.ledger.files import write_durably
from methodology.errors import ConfigError, VerificationError

SUFFIX: Final = ".tsr"
SHELF: Final = "stamps"
"""Folder of the ledger that keeps the tokens over manifests: nothing else can make them again."""

MAX_ANSWER_BYTES: Final = 65_536
"""An answer with a chain of certificates has a few thousand bytes."""

# SEQUENCE { OBJECT 2.16.840.1.101.3.4.2.1 (SHA-256), NULL }
_SHA256 = bytes.fromhex("300d06096086480165030402010500")


@dataclass(frozen=True, slots=True)
class Timestamp:
    """What an authority said: the time (aware UTC), who it is, its policy and serial number."""

    at: datetime
    by: str
    policy: str
    serial: int


def request(digest: bytes, *, nonce: int | None = None, certificates: bool = True) -> bytes:
    """Return the DER bytes of a request to stamp a SHA-256 digest (RFC 3161, 2.4.1).

    Args:
        digest: 32 bytes.
        nonce: a random number below 2**64 that the answer must repeat; ``None`` sends none.
        certificates: ask for the authority's certificate, without which nobody else can check.

    Raises:
        ValueError: not 32 bytes, or a nonce out of range.
    """
    if len(digest) != 32:
        raise ValueError(f"a SHA-256 digest has 32 bytes, not {len(digest)}")
    if nonce is not None and not 0 <= nonce < 1 << 64:
        raise ValueError(f"nonce {nonce} is not below 2**64")
    parts = [_der(0x02, b"\x01"), _der(0x30, _SHA256 + _der(0x04, digest))]
    if nonce is not None:
        parts.append(_der(0x02, nonce.to_bytes(nonce.bit_length() // 8 + 1, "big")))
    if certificates:
        parts.append(_der(0x01, b"\xff"))
    return _der(0x30, b"".join(parts))


def check(
    token: bytes, digest: bytes, roots: Sequence[bytes], *, nonce: int | None = None
) -> Timestamp:
    """Return what an authority's answer says about ``digest``, once it is shown to be right.

    Args:
        token: the DER answer, as in a ``.tsr`` file.
        digest: the SHA-256 digest that was to be stamped.
        roots: the trusted certificates in PEM; at least one.
        nonce: what the request held; ``None`` for a token read later.

    Raises:
        VerificationError: the answer is malformed, refuses, is about another digest or nonce, or
            no trusted certificate stands behind it.
        ConfigError: ``rfc3161-client`` is not installed, or a root is no certificate.
    """
    client = _client()
    answer = _decoded(client, token)
    if answer.status != 0:
        said = ", ".join(answer.status_string or ()) or "no reason given"
        raise VerificationError(f"time stamp: refused with status {answer.status} ({said})")
    certificates = _certificates(roots)
    try:
        client.VerifierBuilder(roots=certificates, nonce=nonce).build().verify(answer, digest)
        info = answer.tst_info
        by = _signer(answer)
        at = info.gen_time.astimezone(UTC)
        return Timestamp(at, by, info.policy.dotted_string, int(info.serial_number))
    except (client.VerificationError, ValueError) as error:
        raise VerificationError(
            f"time stamp: {error}; the digest is sha256:{digest.hex()} and "
            f"{len(certificates)} certificates are trusted"
        ) from error


def check_imprint(token: bytes, digest: bytes) -> None:
    """Check that a token is one about ``digest``; whose it is stays open.

    Raises:
        VerificationError: malformed, or about another digest.
    """
    try:
        client = _client()
    except ConfigError:
        # Less than reading the token, and all that can be done without the package.
        found = digest if digest in token else b""
    else:
        try:
            found = bytes(_decoded(client, token).tst_info.message_imprint.message)
        except ValueError as error:
            raise VerificationError(f"time stamp: holds no token: {error}") from error
    if found != digest:
        raise VerificationError(f"time stamp: it is not over sha256:{digest.hex()}")


def check_over(token: bytes, body: bytes, roots: Sequence[bytes]) -> bool:
    """Check a token over a file's bytes; return whether its signature was looked at.

    Args:
        token: the DER answer.
        body: what was stamped, such as a manifest.
        roots: the trusted certificates in PEM; with none, only what it is about is checked.

    Raises:
        VerificationError: malformed, over other bytes, or no trusted certificate stands behind it.
        ConfigError: roots are given and ``rfc3161-client`` is not installed.
    """
    digest = hashlib.sha256(body).digest()
    check_imprint(token, digest)
    if roots:
        check(token, digest, roots)
    return bool(roots)


# The tokens that are kept -----------------------------------------------------------------------


def shelved(ledger: Path, body: bytes) -> Path:
    """Return where the ledger keeps the token over these bytes: ``stamps/<sha256>.tsr``."""
    return ledger / SHELF / f"{hashlib.sha256(body).hexdigest()}{SUFFIX}"


def held(ledger: Path, body: bytes) -> bytes | None:
    """Return the token over these bytes that the ledger keeps, ``None`` if it has none."""
    try:
        return shelved(ledger, body).read_bytes()
    except FileNotFoundError:
        return None


def keep(ledger: Path, body: bytes, token: bytes) -> None:
    """Keep a token over these bytes in the ledger, durably.

    Raises:
        LogInconsistent: another token over them is kept already; it stays.
        OSError: the disk refused.
    """
    write_durably(shelved(ledger, body), token)


# Reading ----------------------------------------------------------------------------------------


def _decoded(client: Any, token: bytes) -> Any:
    """Return an answer that is one DER element and nothing beside it."""
    if len(token) > MAX_ANSWER_BYTES:
        raise VerificationError(f"time stamp: {len(token)} bytes; at most {MAX_ANSWER_BYTES}")
    try:
        return client.decode_timestamp_response(token)
    except ValueError as error:
        raise VerificationError(f"time stamp: not an RFC 3161 answer: {error}") from error


def _signer(answer: Any) -> str:
    """Return the subject of the certificate that signed, or its serial number."""
    from cryptography import x509

    infos = list(answer.signed_data.signer_infos)
    for body in answer.signed_data.certificates:
        found = x509.load_der_x509_certificate(body)
        if infos and found.serial_number == infos[0].serial_number:
            return found.subject.rfc4514_string()
    return f"certificate {infos[0].serial_number:x}" if infos else "unknown"


def _certificates(roots: Sequence[bytes]) -> list[Any]:
    """Return the certificates in PEM texts."""
    from cryptography import x509

    found: list[Any] = []
    for number, pem in enumerate(roots, start=1):
        try:
            found += x509.load_pem_x509_certificates(pem)
        except ValueError as error:
            raise ConfigError(f"trusted certificate {number}: not PEM: {error}") from error
    if not found:
        raise ConfigError("time stamp: no trusted certificate was given; name the authority's root")
    return found


def _client() -> Any:
    try:
        import rfc3161_client
    except ImportError:
        raise ConfigError(
            "time stamps are read by rfc3161-client; pip install 'spotfix[timestamps]', or check "
            "the file with `openssl ts -verify`"
        ) from None
    return rfc3161_client


def _der(tag: int, content: bytes) -> bytes:
    """Return one DER element of less than 128 bytes."""
    return bytes((tag, len(content))) + content
