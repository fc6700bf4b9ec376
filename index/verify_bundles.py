"""An audit bundle checked by the script that auditors run, and by keys pinned here.

The script (``index/audit/verify_offline.py``) shares no line with the rest of the software; only
its signatures are checked by the library here, since plain Python takes milliseconds for each.
"""

from __future__ import annotations

import json
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from index.audit import verify_offline
from index.known_heads import Known
from index.publication.keys import ED25519, PublicKey
from index.verifying import Findings, Trust, signed_by
from methodology.errors import SpotfixError


@dataclass(frozen=True)
class _Key:
    """A key as the script wants it."""

    id: str
    public: PublicKey

    @property
    def raw(self) -> bytes:
        """The 32 bytes of the key."""
        return self.public.raw

    def signed(self, message: bytes, signature: bytes) -> bool:
        """Return whether a signature over bytes is this key's."""
        return signed_by(self.public, message, signature)


def check_bundle(path: Path, trust: Trust, known: Known | None, found: Findings) -> None:
    """Check every file, signature, proof and value of a bundle.

    Args:
        path: the folder or ``.tar``.
        trust: pinned keys; without one the bundle's own are used, and it is said loudly.
        known: a head of the log that was seen before.
        found: takes what does not hold.
    """
    try:
        files = verify_offline.files_of(str(path))
    except tarfile.TarError as error:
        found.add(str(path), f"is no whole tar file: {error}")
        return
    except (OSError, ValueError) as error:
        found.add(str(path), f"cannot be read: {error}")
        return
    check_files(files, trust, known, found)


def check_files(
    files: dict[str, bytes], trust: Trust, known: Known | None, found: Findings
) -> None:
    """Check a bundle whose files are in memory, by name; see :func:`check_bundle`."""
    pinned = [key for key in trust.pinned if key.algorithm == ED25519]
    if not pinned:
        pinned = _own_keys(files, found)
        found.warnings.append(
            "signed by keys this bundle names itself; anybody can make such a bundle: pin them "
            "with --trusted-key"
        )
    # What a key is for is not in its PEM: each pinned key may be either, and none of them both, or
    # whoever has the log's key alone could sign records as well.
    keys = [_Key("fixing" + k.id[k.id.index("-") :], k) for k in pinned if trust.may(k, "fixing")]
    logs = [_Key("log" + k.id[k.id.index("-") :], k) for k in pinned if trust.may(k, "log")]
    tried: list[tuple[_Key | None, Any]] = []
    script: Any = verify_offline
    signers: list[_Key | None] = [one for one in logs if _signs_log(files, one)]
    for log_key in signers or [None]:
        others = [one for one in keys if log_key is None or one.raw != log_key.raw]
        audit = script.Audit(files, others, log_key)
        audit.run((known.head.size, known.head.root.hex()) if known else (0, ""))
        tried.append((log_key, audit))
    log_key, audit = min(tried, key=lambda one: len(one[1].wrong))
    for one in audit.wrong:
        found.add(one["where"], one["what"])
    if log_key is None:
        found.add("checkpoint", "no key at hand signed it as the log's")
    found.counts.update(audit.done)
    found.warnings += audit.warned


def _signs_log(files: dict[str, bytes], key: _Key) -> bool:
    """Return whether the note has a line of this key's, named for the log."""
    from index.publication.notes import NOTE, key_hash, parse_note

    note = files.get("checkpoint", b"")
    origin = note.partition(b"\n")[0].decode("utf-8", "replace")
    try:
        named = PublicKey(origin, "log", ED25519, key.public.raw)
        lines = parse_note(note).signatures
        return any((x.name, x.key_hash) == (origin, key_hash(named, NOTE)) for x in lines)
    except SpotfixError:
        return False


def _own_keys(files: dict[str, bytes], found: Findings) -> list[PublicKey]:
    keys = []
    try:
        for line in files.get("keys.jsonl", b"").splitlines():
            told: dict[str, Any] = json.loads(line)
            if told["algorithm"] == ED25519:
                pem = str(told["pem"]).encode()
                keys.append(PublicKey.from_pem(pem, name="bundle", purpose="log"))
    except (ValueError, LookupError, TypeError, SpotfixError) as error:
        found.add("keys.jsonl", f"cannot be read: {error}")
    return keys


__all__ = ["check_bundle", "check_files"]
