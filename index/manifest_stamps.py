"""Time stamps over manifests: asked for once a manifest is out, kept, and put beside it.

A manifest names every file of its publication with its digest, so one RFC 3161 token over it dates
all of them by somebody else's clock. It is asked for when everything that was due is published:
an authority that is down, slow or wrong delays no value. What it did not stamp is asked again at
the next live run; the token then says when it was made, which is later.

Nothing can make a token again. The ledger keeps each one (``stamps/<sha256 of the manifest>.tsr``)
before it gets its name in the drop, and a drop that is made anew takes it from there.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from index import evidence
from index.config import Settings
from index.evidence import Seen, Unwitnessed
from index.ledger.canonical import parse_record
from index.ledger.files import write_durably
from index.ledger.log import Log
from index.outside import Outside, Unreachable
from index.publication import drop, record, timestamps
from index.published import Published
from index.records import Make
from index.shop import Shop
from index.verifying import Findings
from methodology import clock
from methodology.errors import LogInconsistent, SpotfixError

KIND: Final = "STAMP_FAILED"

NOTICES: Final = "v1/notices"

MOST: Final = 32
"""So many manifests are stamped after one run; an authority named late is not asked for a year."""

PATIENCE: Final = 5.0
"""Seconds for which a command by hand waits for an authority."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest of the drop: its file, its bytes, and the size of the log when it was made."""

    path: Path
    body: bytes
    log_size: int

    @property
    def token(self) -> Path:
        """Where its token stands."""
        return self.path.with_name(self.path.name + timestamps.SUFFIX)


def manifests(published: Published, folder: Path) -> Iterator[Path]:
    """Yield the files of all manifests of a drop, folder by folder, each in its order.

    Args:
        published: the log: which folders there are follows from it.
        folder: the drop.
    """
    places = {f"v1/{day.replace('-', '/')}/{session}" for _, session, day, _ in published.fixings}
    found = (drop.place_of(one) for one in published.settlements)
    places |= {place.folder for place in found if place is not None} | {NOTICES}
    for name in sorted(places):
        number = 1
        while (path := folder / name / drop.manifest_name(number)).exists():
            yield path
            number += 1


def waiting(shop: Shop) -> list[Manifest]:
    """Return the manifests without a token beside them, the newest first.

    Raises:
        LogInconsistent: a published manifest does not say how long the log was.
        OSError: a manifest cannot be read.
    """
    found = []
    for path in manifests(shop.published, shop.settings.drop):
        if path.with_name(path.name + timestamps.SUFFIX).exists():
            continue
        body = path.read_bytes()
        size = parse_record(body)["log_size"]
        if not isinstance(size, int):
            raise LogInconsistent(f"{path}: log_size is {size!r}; restore it")
        found.append(Manifest(path, body, size))
    return sorted(found, key=lambda one: (-one.log_size, one.path))


def stamp(shop: Shop, at: datetime) -> int:
    """Put tokens beside the manifests that have none; return how many records were logged.

    Args:
        shop: the open shop, everything that is due published.
        at: the moment (naive UTC): dates what went wrong.

    Tokens that the ledger keeps are put beside their manifests first. The rest is asked of the
    authority that the settings name, for ``witness_seconds`` in all; the first refusal ends the
    asking. If nothing was stamped, an incident says why, once for each newest manifest and reason.

    Raises:
        LogInconsistent: a file with other bytes stands where a token is to be; it was kept.
        OSError: the disk refused.
    """
    settings, ledger = shop.settings, shop.settings.ledger
    if settings.timestamp_authority is None and not (ledger / timestamps.SHELF).is_dir():
        return 0
    asked = []
    for one in waiting(shop):
        token = timestamps.held(ledger, one.body)
        if token is not None:
            write_durably(one.token, token)
        else:
            asked.append(one)
    if settings.timestamp_authority is None or not asked:
        return 0
    done, failed = 0, None
    for one, answer in _answers(settings, asked[:MOST]):
        if isinstance(answer, Unwitnessed):
            failed = one, answer
            break
        timestamps.keep(ledger, one.body, answer.evidence)
        write_durably(one.token, answer.evidence)
        done += 1
    if failed is None or (done and failed[1].reason == "DEADLINE"):
        return 0  # the rest of a backlog waits for the next run
    one, why = failed
    told = [
        r for r in shop.published.incidents if r["kind"] == KIND and r["size"] == asked[0].log_size
    ]
    if told and told[-1]["reason"] == why.reason:
        return 0
    return shop.append([_failed(shop, asked[0], one, why, at)])


def after(shop: Shop) -> None:
    """Ask at the end of a command that published between two live runs; nothing can fail it.

    As a run does, but for :data:`PATIENCE` seconds at most. What goes wrong is left to the next
    live run, which asks again and says why in the log.
    """
    if shop.settings.timestamp_authority is None:
        return
    seconds = min(PATIENCE, shop.settings.witness_seconds)
    settings = shop.settings.model_copy(update={"witness_seconds": seconds})
    with contextlib.suppress(SpotfixError, OSError, ValueError, KeyError):
        asked = [m for m in waiting(shop) if timestamps.held(settings.ledger, m.body) is None]
        for one, answer in _answers(settings, asked[:MOST]):
            if isinstance(answer, Unwitnessed):
                return
            timestamps.keep(settings.ledger, one.body, answer.evidence)
            write_durably(one.token, answer.evidence)


def _failed(shop: Shop, newest: Manifest, one: Manifest, why: Unwitnessed, at: datetime) -> Make:
    name = one.path.relative_to(shop.settings.drop).as_posix()
    return lambda seq: record.incident(
        {
            "seq": seq,
            "log_origin": shop.log.origin,
            "kind": KIND,
            "witness": shop.settings.timestamp_authority,
            "size": newest.log_size,
            "reason": why.reason,
            "detail": f"{name}: {why.detail}",
            "at": clock.iso(at),
        }
    )


def _answers(
    settings: Settings, asked: Sequence[Manifest]
) -> Iterator[tuple[Manifest, Seen | Unwitnessed]]:
    """Yield what the authority says of each manifest, in order; ends with the first failure."""
    answers: queue.SimpleQueue[Seen | Unwitnessed] = queue.SimpleQueue()
    url, seconds = settings.timestamp_authority or "", settings.witness_seconds

    def work() -> None:
        try:
            roots = evidence.roots_of(settings)
            with Outside(seconds, evidence.MAX_ANSWER, is_insecure=True) as outside:
                for one in asked:
                    answers.put(evidence.stamper(url, roots, one.body)(outside))
        except Unwitnessed as error:
            answers.put(error)
        except Unreachable as error:
            answers.put(Unwitnessed("UNREACHABLE", str(error)[:300]))
        except Exception as error:  # noqa: BLE001 - told as an incident; publication is over
            answers.put(Unwitnessed("ERROR", f"{type(error).__name__}: {error}"[:300]))

    # A daemon: one that hangs in a dripping answer must not keep the process alive.
    threading.Thread(target=work, daemon=True).start()
    end = time.monotonic() + seconds
    for one in asked:
        try:
            answer = answers.get(timeout=max(0.0, end - time.monotonic()))
        except queue.Empty:
            answer = Unwitnessed("DEADLINE", f"no answer within {seconds:g} s")
        yield one, answer
        if isinstance(answer, Unwitnessed):
            return


# Looking back -----------------------------------------------------------------------------------


def check(settings: Settings, authorities: Sequence[bytes], found: Findings) -> None:
    """Hold the drop's tokens against those that the ledger keeps.

    Args:
        settings: where ledger and drop are.
        authorities: trusted certificates in PEM; without any, signatures are not looked at.
        found: takes a token that is missing, another than the one kept, or kept for nothing, and
            one that proves nothing.
    """
    shelf = settings.ledger / timestamps.SHELF
    kept = {path.name for path in shelf.glob("*" + timestamps.SUFFIX)}
    published = Published.read(Log.open(settings.ledger, read_only=True))
    for path in manifests(published, settings.drop):
        body = path.read_bytes()
        beside = path.with_name(path.name + timestamps.SUFFIX)
        shelved = timestamps.shelved(settings.ledger, body)
        if shelved.name not in kept:
            if beside.exists():
                found.add(str(beside), f"the ledger keeps no such token ({shelved})")
            continue
        kept.remove(shelved.name)
        token = shelved.read_bytes()
        if not beside.exists():
            found.add(str(beside), "is missing; the next live run takes it from the ledger")
        elif beside.read_bytes() != token:
            found.add(str(beside), f"is another token than the one that was kept, {shelved}")
        try:
            timestamps.check_over(token, body, authorities)
        except SpotfixError as error:
            found.add(str(shelved), error)
    for name in sorted(kept):
        found.add(str(shelf / name), "is a token over no manifest of this drop")


def summary(settings: Settings, published: Published) -> tuple[int, int, str | None]:
    """Return how many manifests there are, how many have a token, and what failed last.

    The last is ``None`` once the manifest that it names has its token.
    """
    tokens = [
        path.with_name(path.name + timestamps.SUFFIX).exists()
        for path in manifests(published, settings.drop)
    ]
    failed = [one for one in published.incidents if one["kind"] == KIND]
    if failed:
        name = failed[-1]["detail"].partition(": ")[0] + timestamps.SUFFIX
        if not (settings.drop / name).exists():
            why = f"{failed[-1]['reason']} ({failed[-1]['detail']})"
            return len(tokens), sum(tokens), why
    return len(tokens), sum(tokens), None
