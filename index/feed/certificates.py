"""Client certificates that the operator's own proxy has checked and hands on in a header.

The proxy ends TLS, so it alone knows the certificate. It must demand or verify the certificate
and must set the header on every request, empty where there is none; then the header says what
TLS said. What anybody else sends in it is refused (:mod:`index.feed.gate`).

The names inside, its subject alternative names (RFC 5280, 4.2.1.6), are looked up in the file of
clients. The subject's common name is no identity (RFC 9525) and is not read.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final
from urllib.parse import unquote_to_bytes

from cryptography import x509

LONGEST: Final = 32_768
"""Bytes of a header that is read at all."""

_BEGIN: Final = b"-----BEGIN CERTIFICATE-----"
_NAME: Final = re.compile(
    r"dns:[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_])?"
    r"|email:[^\s@,]{1,64}@[A-Za-z0-9.-]{1,253}"
    r"|uri:[A-Za-z][A-Za-z0-9+.-]*:[^\s,]{1,500}"
)


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a certificate says of its holder: names as ``dns:``, ``email:`` or ``uri:`` and text.

    ``not_before`` and ``not_after`` are naive UTC, both inclusive.
    """

    names: frozenset[str]
    not_before: datetime
    not_after: datetime

    def is_current(self, now: datetime) -> bool:
        """Return whether ``now`` (naive UTC) lies in its term."""
        return self.not_before <= now <= self.not_after


def name(text: str) -> str:
    """Return a subject alternative name as it is kept and compared: DNS names in small letters.

    Raises:
        ValueError: it is not ``dns:<host>``, ``email:<address>`` or ``uri:<uri>``. A wildcard is
            none: it names whole families of holders.
    """
    kind, _, rest = text.partition(":")
    told = f"dns:{rest.lower().rstrip('.')}" if kind == "dns" else text
    if not _NAME.fullmatch(told):
        raise ValueError(
            f"{text[:80]!r}: write dns:feed.acme.example, email:ops@acme.example or "
            "uri:spiffe://acme.example/feed"
        )
    return told


@lru_cache(maxsize=1024)
def read(value: bytes) -> Certificate:
    """Return the certificate in a header's value.

    Three forms are known: ``:<base64 of DER>:`` as RFC 9440 has it (HAProxy, Envoy), the base64
    alone (Caddy), and PEM escaped as in an address (nginx, ``$ssl_client_escaped_cert``). Of
    several certificates in PEM the first is the client's.

    Raises:
        ValueError: it is none of these.
    """
    if len(value) > LONGEST:
        raise ValueError(f"it has {len(value)} bytes, more than {LONGEST}")
    text = value.strip()
    try:
        plain = unquote_to_bytes(text)
        if plain.startswith(_BEGIN):
            found = x509.load_pem_x509_certificate(plain)
        else:
            bare = text[1:-1] if text[:1] == b":" and text[-1:] == b":" else text
            found = x509.load_der_x509_certificate(base64.b64decode(bare, validate=True))
        names = frozenset(_names(found))
    except (ValueError, binascii.Error, x509.DuplicateExtension) as error:
        raise ValueError(f"it cannot be read: {error}") from None
    return Certificate(
        names,
        found.not_valid_before_utc.replace(tzinfo=None),
        found.not_valid_after_utc.replace(tzinfo=None),
    )


def _names(found: x509.Certificate) -> list[str]:
    try:
        told = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    texts = [
        *(f"dns:{each}" for each in told.get_values_for_type(x509.DNSName)),
        *(f"email:{each}" for each in told.get_values_for_type(x509.RFC822Name)),
        *(f"uri:{each}" for each in told.get_values_for_type(x509.UniformResourceIdentifier)),
    ]
    kept = []
    for text in texts:
        try:
            kept.append(name(text))
        except ValueError:
            continue  # a wildcard, or a name nobody can be registered under
    return kept
