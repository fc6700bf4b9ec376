"""A witness: it signs that a log only ever grew, and never signs two histories.

For each log it remembers one head, the last it cosigned. It signs a checkpoint of the same head
again, or a larger one whose consistency with that head is proved. What it is about to sign is on
the disk before the signature leaves, so a witness that was killed, or whose machine lost power,
cannot sign a second history afterwards.

Logs hand their checkpoints in (C2SP ``tlog-witness``, :func:`make_app`), or the witness fetches
them and makes the proof itself from the log's tiles (:class:`Watch`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from index import witness_keys
from index.foreign_log import Break, ForeignLog, broken, check_growth
from index.ledger import merkle
from index.ledger.files import replace_durably, write_durably
from index.ledger.tiles import Head, parse_checkpoint
from index.publication.keys import PublicKey, Signer
from index.publication.notes import Note, cosign, parse_note, verify_checkpoint
from index.shelves import Shelf
from methodology.errors import LogInconsistent, VerificationError

if TYPE_CHECKING:
    from starlette.applications import Starlette

MAX_PROOF = 63
"""Most hashes of a consistency proof (c2sp.org/tlog-witness)."""

MAX_REQUEST = 256 * 1024
"""Most bytes of a request; a checkpoint with thirty post-quantum signatures has fewer."""

NOTHING = Head(0, merkle.EMPTY_ROOT)
"""What a witness has seen of a log that it never cosigned."""

_OLD = re.compile(rb"old (0|[1-9][0-9]{0,17})")


class Refusal(Exception):
    """A request that is not granted: HTTP ``status`` and what the answer says."""

    def __init__(self, status: int, text: str, content_type: str = "text/plain") -> None:
        super().__init__(text)
        self.status, self.text, self.content_type = status, text, content_type


@dataclass(frozen=True)
class Request:
    """What a log hands in: the size it believes was cosigned last, a proof, a checkpoint."""

    old: int
    proof: tuple[bytes, ...]
    note: bytes


def parse_request(body: bytes) -> Request:
    """Return what the body of an ``add-checkpoint`` request says.

    Raises:
        Refusal: 400, the body is not of that form.
    """
    top, empty, note = body.partition(b"\n\n")
    first, *lines = top.split(b"\n")
    found = _OLD.fullmatch(first)
    if found is None or not empty or not note:
        raise Refusal(400, "the body is 'old SIZE', proof lines, an empty line, a checkpoint")
    if len(lines) > MAX_PROOF:
        raise Refusal(400, f"{len(lines)} proof lines; at most {MAX_PROOF}")
    return Request(int(found[1]), tuple(map(_hash, lines)), note)


def request_body(request: Request) -> bytes:
    """Return the body of an ``add-checkpoint`` request."""
    lines = [f"old {request.old}", *(base64.b64encode(one).decode() for one in request.proof)]
    return "".join(line + "\n" for line in lines).encode() + b"\n" + request.note


class Witness:
    """Heads of known logs below a directory, and the keys to cosign with.

    One process at a time may hold the directory: the caller takes a lock on it.
    """

    def __init__(
        self,
        state: Path,
        signers: Sequence[Signer],
        logs: Mapping[str, Sequence[PublicKey]],
        now: Callable[[], datetime],
    ) -> None:
        """Prepare; the state is read at each request.

        Args:
            state: where heads are kept, one file a log.
            signers: the witness's keys; each one adds a line.
            logs: the keys a log signs with, by its origin. Where others were proved from these
                since (:meth:`adopt`), those count.
            now: the time that a cosignature states.
        """
        self.state, self.signers, self.now = state, list(signers), now
        self._given = {origin: [witness_keys.spelled(k) for k in ks] for origin, ks in logs.items()}
        self.logs = {
            origin: witness_keys.kept(self._path(origin, "keys.json"), keys)
            for origin, keys in logs.items()
        }
        self._one = threading.Lock()

    def adopt(self, origin: str, keys: Sequence[PublicKey]) -> None:
        """Take other keys of a log from now on, once they were proved; on the disk first."""
        with self._one:
            witness_keys.keep(self._path(origin, "keys.json"), self._given[origin], keys)
            self.logs = {**self.logs, origin: tuple(keys)}

    def head(self, origin: str) -> Head:
        """Return the head cosigned last, size 0 before the first.

        Raises:
            LogInconsistent: the file is not as this class writes it; nothing may be signed.
        """
        path = self._path(origin, "json")
        if not path.exists():
            return NOTHING
        try:
            told = json.loads(path.read_bytes())
            root = base64.b64decode(told["root"], validate=True)
            if told["origin"] != origin or type(told["size"]) is not int or len(root) != 32:
                raise ValueError("another log's, or not a head")
        except (ValueError, KeyError, TypeError) as error:
            raise LogInconsistent(
                f"{path}: not the head of {origin} ({error}); nothing is signed until it is "
                "restored, since another history might be signed"
            ) from error
        return Head(told["size"], root)

    def add(self, request: Request) -> bytes:
        """Return the cosignature lines for a checkpoint that continues what was cosigned before.

        Raises:
            Refusal: as c2sp.org/tlog-witness says: 400, 403, 404, 409, 422.
            LogInconsistent: the state cannot be read.
            OSError: the state could not be written; nothing was signed.
        """
        origin = request.note.partition(b"\n")[0].decode("utf-8", "replace")
        if origin not in self.logs:
            raise Refusal(404, "no log of that origin is known here")
        try:
            shown = verify_checkpoint(request.note, self.logs[origin])
        except VerificationError as error:
            raise Refusal(403, str(error)) from error
        head = Head(shown.size, shown.root)
        if request.old > head.size:
            raise Refusal(400, f"old size {request.old} is above the checkpoint's {head.size}")
        with self._one:
            last = self.head(origin)
            if request.old != last.size:
                raise _conflict(last)
            if head.size == last.size and head.root != last.root:
                self._keep_evidence(origin, head, request.note)
                raise _conflict(last)
            if not merkle.verify_consistency(
                last.size, head.size, last.root, head.root, request.proof
            ):
                raise Refusal(422, f"the proof from {last.size} to {head.size} does not hold")
            self._remember(origin, head)
            at = self.now()
            lines = b"".join(cosign(request.note, signer, at) for signer in self.signers)
            replace_durably(self._path(origin, "checkpoint"), self._without_ours(request) + lines)
            return lines

    def _without_ours(self, request: Request) -> bytes:
        """Return the checkpoint without lines of our own, which a log may have taken up before."""
        names = {signer.public.name for signer in self.signers}
        parsed = parse_note(request.note)
        return Note(
            parsed.body, tuple(one for one in parsed.signatures if one.name not in names)
        ).encode()

    def cosigned(self, origin: str) -> bytes | None:
        """Return the checkpoint cosigned last, with our lines; ``None`` before the first."""
        path = self._path(origin, "checkpoint")
        return path.read_bytes() if path.exists() else None

    def keep_evidence(self, origin: str, head: Head, note: bytes) -> Path:
        """Keep a signed checkpoint that contradicts what was cosigned; return where."""
        with self._one:
            return self._keep_evidence(origin, head, note)

    def _keep_evidence(self, origin: str, head: Head, note: bytes) -> Path:
        name = f"evidence-{head.size}-{head.root.hex()[:16]}"
        path = self._path(origin, name)
        if not path.exists():
            write_durably(path, note)
        return path

    def _remember(self, origin: str, head: Head) -> None:
        root = base64.b64encode(head.root).decode("ascii")
        told = {"origin": origin, "size": head.size, "root": root}
        replace_durably(self._path(origin, "json"), json.dumps(told, indent=1).encode() + b"\n")

    def _path(self, origin: str, ending: str) -> Path:
        return self.state / f"{hashlib.sha256(origin.encode()).hexdigest()[:16]}.{ending}"


class Watch:
    """Look at one log's files and cosign what it shows, if it only grew."""

    def __init__(self, witness: Witness, log: Shelf, origin: str) -> None:
        self.witness, self.log, self.origin = witness, log, origin

    def look(self) -> bytes:
        """Fetch the checkpoint, prove that it continues the last one, return it cosigned.

        Only the tiles that the proof needs and the new entries are fetched: a record of a key may
        be among these. Where the keys changed, all of the log is read once.

        Raises:
            Unreachable: the log did not answer.
            VerificationError: a wrong signature, a fork, a log that shrank, tiles that do not
                make the root. Nothing was signed; what was shown is kept as evidence.
        """
        self.log.forget("checkpoint")
        note = self.log.read("checkpoint")
        where = self.log.where("checkpoint")
        if note is None:
            raise VerificationError(f"{where}: no checkpoint here; name the folder of a log")
        head, last = self._head(note), self.witness.head(self.origin)
        tiles = ForeignLog(self.log, head.size)
        is_followed = self._check_signed(tiles, note, last)
        try:
            if head.size < last.size:
                raise broken(Break(self.origin, last, head, "the log is shorter than it was"))
            proof = tiles.consistency_proof(last.size)
            check_growth(self.origin, tiles, head, last)
            is_grown = 0 < last.size < head.size and not is_followed
            if is_grown and witness_keys.turns_keys(tiles, last, head):
                self._follow(tiles, note, last)
        except VerificationError as error:
            if getattr(error, "evidence", None) is not None:
                kept = self.witness.keep_evidence(self.origin, head, note)
                error.args = (f"{error.args[0]}. Kept: {kept}",)
            raise
        try:
            self.witness.add(Request(last.size, tuple(proof), note))
        except Refusal as error:
            raise VerificationError(f"{where}: {error.text}") from error
        made = self.witness.cosigned(self.origin)
        if made is None:
            raise LogInconsistent(f"{self.witness.state}: the cosigned checkpoint is gone")
        return made

    def _head(self, note: bytes) -> Head:
        """Return what a checkpoint of this log says; its signatures are checked later."""
        where = self.log.where("checkpoint")
        try:
            origin, head = parse_checkpoint(parse_note(note).body)
        except ValueError as error:
            raise VerificationError(f"{where}: {error}") from error
        if origin != self.origin:
            raise VerificationError(f"{where}: of the log {origin}, not {self.origin}")
        return head

    def _check_signed(self, tiles: ForeignLog, note: bytes, last: Head) -> bool:
        """Check who signed, before anything else is believed; return whether others were proved."""
        try:
            verify_checkpoint(note, self.witness.logs[self.origin])
            return False
        except VerificationError as error:
            try:
                self._follow(tiles, note, last)
                return True
            except VerificationError as why:  # no evidence: the log's keys did not sign this
                raise VerificationError(f"{error}; no other key is proved: {why}") from why

    def _follow(self, tiles: ForeignLog, note: bytes, last: Head) -> None:
        """Take the keys that the log's own records prove, if they signed the checkpoint."""
        held = self.witness.logs[self.origin]
        keys = witness_keys.follow(tiles, note, last, held)
        verify_checkpoint(note, keys)
        if {key.raw for key in keys} != {key.raw for key in held}:
            self.witness.adopt(self.origin, keys)


def make_app(witness: Witness) -> Starlette:
    """Return an ASGI application that answers ``POST /add-checkpoint`` (c2sp.org/tlog-witness)."""
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import Request as Asked
    from starlette.responses import Response
    from starlette.routing import Route

    async def add_checkpoint(asked: Asked) -> Response:
        body = b""
        async for piece in asked.stream():
            body += piece
            if len(body) > MAX_REQUEST:
                return Response(f"more than {MAX_REQUEST} bytes\n", 413, media_type="text/plain")
        try:
            lines = await run_in_threadpool(lambda: witness.add(parse_request(body)))
        except Refusal as error:
            headers = {"content-type": error.content_type}
            return Response(error.text + "\n", error.status, headers=headers)
        return Response(lines, headers={"content-type": "text/plain; charset=utf-8"})

    return Starlette(routes=[Route("/add-checkpoint", add_checkpoint, methods=["POST"])])


def _conflict(last: Head) -> Refusal:
    return Refusal(409, str(last.size), "text/x.tlog.size")


def _hash(line: bytes) -> bytes:
    try:
        found = base64.b64decode(line, validate=True)
    except (binascii.Error, ValueError):
        found = b""
    if len(found) != merkle.HASH_BYTES or base64.b64encode(found) != line:
        raise Refusal(400, "a proof line is not one hash in base64")
    return found
