"""Somebody outside sees the commitments before a value is made (rulebook 11.6).

After the commitments of a session are logged, and before anything is computed, the log's
checkpoint goes to the witnesses that the settings name (c2sp.org/tlog-witness) and to a
time-stamp authority (RFC 3161). What they answer is logged as ``witness/1.0``; a fixing whose
commitment nobody saw is flagged ``COMMIT_UNWITNESSED``. Whoever is silent, slow or wrong becomes
an incident and never holds up a publication: there is one deadline for all of them.
"""

from __future__ import annotations

import base64
import hashlib
import queue
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from index.config import Settings
from index.ledger.log import Log
from index.ledger.tiles import Head, checkpoint_text
from index.outside import Outside, Unreachable
from index.publication import note_text, notes, record
from index.publication.key_records import KeyHistory
from index.publication.keys import ED25519, PublicKey
from index.published import Published
from index.records import Make, was_witnessed
from index.shop import Shop
from index.witness import Request, request_body
from methodology import clock
from methodology.errors import ConfigError, SpotfixError, VerificationError

MAX_ANSWER: Final = 256 * 1024
"""Most bytes of an answer that are read."""

TSA_TYPE: Final = "application/timestamp-query"

_SIZE = re.compile("0|[1-9][0-9]{0,15}")


class Unwitnessed(SpotfixError):
    """One witness or time-stamp authority gave nothing that counts; ``reason`` says why."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


@dataclass(frozen=True, slots=True)
class Seen:
    """What one of them answered, checked."""

    kind: str
    by: str
    key: str | None
    evidence: bytes
    at: datetime


def gather(shop: Shop, commitments: Sequence[int], at: datetime) -> int:
    """Ask whoever is configured to see the log as it stands; return how many records were logged.

    Args:
        shop: the log, its commitments appended.
        commitments: places of the commitments that values will be computed from.
        at: the moment (naive UTC): dates the log's own signature and what went wrong.

    Nobody is asked when nobody is configured, or when all commitments were seen by enough.
    """
    settings, size = shop.settings, shop.log.size
    asked = _asked(shop, at)
    if not asked or all(was_witnessed(shop.published, seq, size) for seq in commitments):
        return 0
    made: list[Make] = []
    root = base64.b64encode(shop.log.root).decode("ascii")
    for name, answer in _all(asked, settings.witness_seconds):
        if isinstance(answer, Unwitnessed):
            made.append(_failed(shop, name, answer, size, at))
        else:
            made.append(_record(shop, answer, size, root))
    return shop.append(made)


def _record(shop: Shop, seen: Seen, size: int, root: str) -> Make:
    return lambda seq: record.witness(
        {
            "seq": seq,
            "log_origin": shop.log.origin,
            "size": size,
            "root": root,
            "kind": seen.kind,
            "by": seen.by,
            "key": seen.key,
            "evidence": base64.b64encode(seen.evidence).decode("ascii"),
            "quorum": shop.settings.witness_quorum,
            "at": clock.iso(seen.at),
        }
    )


def _failed(shop: Shop, name: str, why: Unwitnessed, size: int, at: datetime) -> Make:
    return lambda seq: record.incident(
        {
            "seq": seq,
            "log_origin": shop.log.origin,
            "kind": "WITNESS_FAILED",
            "witness": name,
            "size": size,
            "reason": why.reason,
            "detail": why.detail,
            "at": clock.iso(at),
        }
    )


# Asking -----------------------------------------------------------------------------------------

Ask = Callable[[Outside], Seen]


def _asked(shop: Shop, at: datetime) -> dict[str, Ask]:
    """Return what to do for each of them, by name, in the order of the settings."""
    found: dict[str, Ask] = {}
    settings = shop.settings
    if not (settings.witnesses or settings.timestamp_authority):
        return found
    body = shop.log.checkpoint_text().encode("utf-8")
    if settings.witnesses:
        note = notes.sign_checkpoint(body, shop.keyring, at.replace(tzinfo=UTC))
        for one in settings.witnesses:
            key, _ = note_text.parse_vkey(one.key, purpose="witness")
            found[key.name] = _cosigner(shop, one.url, one.key, key, note)
    if settings.timestamp_authority:
        url = settings.timestamp_authority
        found[url] = stamper(url, roots_of(settings), body)
    return found


def _cosigner(shop: Shop, url: str, spelled: str, key: PublicKey, note: bytes) -> Ask:
    """Return what asks one witness to countersign the log as it stands."""
    log, size, body = shop.log, shop.log.size, note_text.parse_note(note).body
    seen = [one["size"] for one in shop.published.witnesses if one["by"] == key.id]
    plain = notes.sign_note(body, shop.keyring.log)

    def ask(outside: Outside) -> Seen:
        old = max(seen, default=0)
        for _ in range(2):
            proof = tuple(log.consistency_proof(old)) if 0 < old < size else ()
            sent = request_body(Request(old, proof, note))
            got = outside.post(url.rstrip("/") + "/add-checkpoint", sent, "text/plain")
            told = got.body.decode("utf-8", "replace").strip()
            if got.status != 409 or not _SIZE.fullmatch(told) or int(told) > size:
                break
            old = int(told)  # it saw more of this log, or less, than our records say
        if got.status != 200:
            raise Unwitnessed(f"HTTP_{got.status}", told[:200] or "no words")
        return _cosignature(got.body, plain, shop.keyring.log.public, key, spelled)

    return ask


def _cosignature(answer: bytes, plain: bytes, log: PublicKey, key: PublicKey, spelled: str) -> Seen:
    """Return what stands in an answer by this key, once it verifies; other lines are dropped."""
    try:
        given = note_text.parse_note(note_text.parse_note(plain).body + b"\n" + answer)
        mine = [one for one in given.signatures if one.name == key.name]
        evidence = plain + b"".join(one.line() for one in mine)
        found = notes.verify_checkpoint(evidence, [log, key])
    except VerificationError as error:
        raise Unwitnessed("NO_COSIGNATURE", str(error)[:300]) from None
    if not found.cosigned:
        raise Unwitnessed("NO_COSIGNATURE", f"no line by {key.id} ({key.name})")
    return Seen("COSIGNATURE", key.id, spelled, evidence, _naive(found.cosigned[0][1]))


def stamper(url: str, roots: bytes, body: bytes) -> Ask:
    """Return what asks a time-stamp authority for a token over some bytes.

    Args:
        url: the authority.
        roots: its trusted certificates in PEM.
        body: a checkpoint, or a manifest.

    The answer counts once it verifies; :class:`Unwitnessed` says why it does not.
    """

    def ask(outside: Outside) -> Seen:
        from index.publication import timestamps

        digest = hashlib.sha256(body).digest()
        nonce = secrets.randbits(63)
        try:
            got = outside.post(url, timestamps.request(digest, nonce=nonce), TSA_TYPE)
            if got.status != 200:
                raise Unwitnessed(f"HTTP_{got.status}", got.body[:200].decode("utf-8", "replace"))
            stamp = timestamps.check(got.body, digest, [roots], nonce=nonce)
        except (VerificationError, ConfigError) as error:
            raise Unwitnessed("NO_TIME_STAMP", str(error)[:300]) from None
        return Seen("RFC3161", stamp.by, None, got.body, _naive(stamp.at))

    return ask


def _all(asked: Mapping[str, Ask], seconds: float) -> list[tuple[str, Seen | Unwitnessed]]:
    """Ask all of them at once; who has not answered when the time is over has failed."""
    answers: queue.SimpleQueue[tuple[str, Seen | Unwitnessed]] = queue.SimpleQueue()

    def one(name: str, ask: Ask) -> None:
        try:
            with Outside(seconds, MAX_ANSWER, is_insecure=True) as outside:
                answers.put((name, ask(outside)))
        except Unwitnessed as error:
            answers.put((name, error))
        except Unreachable as error:
            answers.put((name, Unwitnessed("UNREACHABLE", str(error)[:300])))
        except Exception as error:  # noqa: BLE001 - told as an incident; a fixing never waits for it
            answers.put((name, Unwitnessed("ERROR", f"{type(error).__name__}: {error}"[:300])))

    end = time.monotonic() + seconds
    for name, ask in asked.items():
        # Daemons: one that hangs in a dripping answer must not keep the process alive.
        threading.Thread(target=one, args=(name, ask), daemon=True).start()
    found: dict[str, Seen | Unwitnessed] = {}
    while len(found) < len(asked):
        try:
            name, answer = answers.get(timeout=max(0.0, end - time.monotonic()))
        except queue.Empty:
            break
        found[name] = answer
    late = Unwitnessed("DEADLINE", f"no answer within {seconds:g} s")
    return [(name, found.get(name, late)) for name in asked]


# Checking ---------------------------------------------------------------------------------------


def check(published: Published, log: Log, settings: Settings) -> Iterator[str]:
    """Yield a sentence for each witness record that does not show what it says.

    The tree it names must be this log's, a countersignature must verify with the key it states,
    and a time stamp must be over the checkpoint. Whose keys and authorities deserve trust is for
    the reader to decide.
    """
    for one in published.witnesses:
        where = f"record {one['seq']} (witness/1.0)"
        if one["size"] > one["seq"]:
            yield f"{where}: size {one['size']} is beyond its own place in the log"
            continue
        head = Head(one["size"], log.root_at(one["size"]))
        if base64.b64encode(head.root).decode("ascii") != one["root"]:
            yield f"{where}: root {one['root']} is not that of the first {one['size']} records"
            continue
        try:
            _check_evidence(
                one, checkpoint_text(log.origin, head).encode("utf-8"), published, settings
            )
        except (SpotfixError, ValueError) as error:
            yield f"{where}: evidence of {one['by']}: {error}"


def _check_evidence(
    one: Mapping[str, Any], body: bytes, published: Published, settings: Settings
) -> None:
    evidence = base64.b64decode(one["evidence"], validate=True)
    if one["kind"] == "RFC3161":
        digest = hashlib.sha256(body).digest()
        if digest not in evidence:
            raise VerificationError(f"it is not over sha256:{digest.hex()}, the checkpoint")
        if settings.timestamp_roots is None:
            return  # whose stamp it is, nobody said; openssl ts -verify can
        from index.publication import timestamps

        at = timestamps.check(evidence, digest, [roots_of(settings)]).at
    else:
        key, _ = note_text.parse_vkey(one["key"], purpose="witness")
        if key.id != one["by"]:
            raise VerificationError(f"its key is {key.id}")
        if note_text.parse_note(evidence).body != body:
            raise VerificationError("it is about another checkpoint")
        history = KeyHistory.read(published.keys)
        ours = [k for k in history.checkpoint_keys(one["size"]) if k.algorithm == ED25519]
        seen = dict(notes.verify_checkpoint(evidence, [*ours, key]).cosigned)
        if key.id not in seen:
            raise VerificationError("it has no line by that key")
        at = seen[key.id]
    said = clock.iso(_naive(at))
    if said != one["at"]:
        raise VerificationError(f"it is dated {said}, the record {one['at']}")


def roots_of(settings: Settings) -> bytes:
    """Return the certificates of the time-stamp authority that the operator trusts."""
    path = settings.timestamp_roots
    if path is None:
        raise ConfigError(
            "setting 'timestamp_roots': name the file with the authority's certificates in PEM"
        )
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"setting 'timestamp_roots': {path}: {error.strerror}") from error


def _naive(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(tzinfo=None)
