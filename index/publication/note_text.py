"""The text of signed notes and of verifier keys (c2sp.org/signed-note, read 2026-11-21).

Each thing has one spelling: base64 that decodes to the same bytes in another way is refused, and
so is a carriage return, a second line of the same key, or a note whose last line is not ended.
Nothing here verifies a signature; :mod:`index.publication.notes` does.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import Final

from index.publication.keys import ED25519, ML_DSA_44, PublicKey, check_name
from methodology.errors import ConfigError, VerificationError

NOTE: Final = 0x01
COSIGNATURE: Final = 0x04
SUBTREE: Final = 0x06
ALGORITHM: Final = {NOTE: ED25519, COSIGNATURE: ED25519, SUBTREE: ML_DSA_44}
"""The kinds of signature lines in use, and the algorithm of each."""

MAX_NOTE_BYTES: Final = 1_000_000
MAX_SIGNATURES: Final = 100
"""More than any policy has witnesses; c2sp.org/signed-note asks readers to accept 16."""

HASH_BYTES: Final = 4

_DASH = "— "
_CONTROL = re.compile("[\x00-\x09\x0b-\x1f]")
_VKEY = re.compile(r"([^+]+)\+([0-9a-f]{8})\+(.+)")


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line: the signer's name, the four bytes of key hash, and what follows them."""

    name: str
    key_hash: bytes
    signature: bytes

    def line(self) -> bytes:
        """Return the line, ended."""
        text = base64.b64encode(self.key_hash + self.signature).decode("ascii")
        return f"{_DASH}{self.name} {text}\n".encode()


@dataclass(frozen=True, slots=True)
class Note:
    """A parsed note: its text with the last newline, and its signatures, none of them checked."""

    body: bytes
    signatures: tuple[NoteSignature, ...]

    def encode(self) -> bytes:
        """Return the bytes the note was parsed from."""
        return self.body + b"\n" + b"".join(each.line() for each in self.signatures)


def parse_note(note: bytes) -> Note:
    """Return text and signature lines of a note; nothing is verified.

    Raises:
        VerificationError: not UTF-8, a control character but newline, no blank line before the
            signatures, a line that is not the one way to write a signature, the same key on two
            lines, no signature at all, or more than 100. The message names the line.
    """
    if len(note) > MAX_NOTE_BYTES:
        raise VerificationError(f"note: {len(note)} bytes; at most {MAX_NOTE_BYTES} are read")
    try:
        text = note.decode("utf-8")
    except UnicodeDecodeError as error:
        raise VerificationError(f"note: byte {error.start} is not UTF-8") from error
    found = _CONTROL.search(text)
    if found is not None:
        line = text.count("\n", 0, found.start()) + 1
        raise VerificationError(
            f"note line {line}: control character {ord(found[0]):#04x}; a newline ends each line"
        )
    body, blank, tail = text.rpartition("\n\n")
    if not blank or not body:
        raise VerificationError("note: no blank line between text and signatures")
    if not tail.endswith("\n"):
        raise VerificationError("note: the last line is not ended")
    lines = tail[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise VerificationError(f"note: {len(lines)} signatures; at most {MAX_SIGNATURES} are read")
    first = body.count("\n") + 3
    signatures = []
    seen: dict[tuple[str, bytes], int] = {}
    for number, each in enumerate(lines, start=first):
        one = _signature(each, number)
        signed_with = one.name, one.key_hash
        if signed_with in seen:
            raise VerificationError(
                f"note line {number}: {one.name} with key hash {one.key_hash.hex()} signed on line "
                f"{seen[signed_with]} already"
            )
        seen[signed_with] = number
        signatures.append(one)
    return Note((body + "\n").encode(), tuple(signatures))


def add_line(note: bytes, line: bytes) -> bytes:
    """Return the note with one more signature line, the whole parsed again.

    Raises:
        VerificationError: the outcome is no note: a malformed line, or a key that signed already.
    """
    return parse_note(note + line).encode()


def key_hash(key: PublicKey, kind: int) -> bytes:
    """Return the four bytes that find ``key`` on a line of ``kind``: 0x01, 0x04 or 0x06.

    Raises:
        ConfigError: keys of that algorithm do not sign such lines.
    """
    if ALGORITHM.get(kind) != key.algorithm:
        raise ConfigError(f"key {key.id}: {key.algorithm} does not sign lines of kind {kind:#04x}")
    text = key.name.encode() + b"\n" + bytes([kind]) + key.raw
    return hashlib.sha256(text).digest()[:HASH_BYTES]


def vkey(key: PublicKey, kind: int) -> str:
    """Return the key as other C2SP tools take it: ``name+hash+base64(kind || raw)``."""
    material = base64.b64encode(bytes([kind]) + key.raw).decode("ascii")
    return f"{key.name}+{key_hash(key, kind).hex()}+{material}"


def parse_vkey(text: str, *, purpose: str) -> tuple[PublicKey, int]:
    """Return key and kind of a C2SP verifier key.

    Raises:
        ConfigError: malformed, of a kind that is not in use here, or its hash is another's.
    """
    found = _VKEY.fullmatch(text)
    where = f"verifier key {text[:120]!r}"
    if found is None:
        raise ConfigError(f"{where}: not of the form name+hash+key")
    try:
        material = base64.b64decode(found[3], validate=True)
    except (binascii.Error, ValueError):
        raise ConfigError(f"{where}: the key is not base64") from None
    if base64.b64encode(material).decode() != found[3]:
        raise ConfigError(f"{where}: the key is not the one way to write its bytes in base64")
    kind = material[0] if material else 0
    if kind not in ALGORITHM:
        raise ConfigError(f"{where}: kind {kind:#04x} is not in use here; 0x01, 0x04 and 0x06 are")
    key = PublicKey.from_raw(
        material[1:], name=found[1], purpose=purpose, algorithm=ALGORITHM[kind]
    )
    if key_hash(key, kind).hex() != found[2]:
        raise ConfigError(f"{where}: its hash should be {key_hash(key, kind).hex()}")
    return key, kind


def _signature(line: str, number: int) -> NoteSignature:
    """Return one parsed signature line."""
    where = f"note line {number}"
    words = line[len(_DASH) :].split(" ")
    if not line.startswith(_DASH) or len(words) != 2:
        raise VerificationError(f"{where}: {line[:120]!r} is not '— NAME SIGNATURE'")
    name, text = words
    try:
        check_name(name)
    except ConfigError as error:
        raise VerificationError(f"{where}: {error}") from error
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise VerificationError(f"{where}: the signature of {name} is not base64") from None
    if base64.b64encode(raw).decode("ascii") != text:
        raise VerificationError(
            f"{where}: the signature of {name} is not the one way to write its bytes in base64"
        )
    if len(raw) <= HASH_BYTES:
        raise VerificationError(f"{where}: the signature of {name} is empty")
    return NoteSignature(name, raw[:HASH_BYTES], raw[HASH_BYTES:])
