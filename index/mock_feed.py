"""A mock feed: published fixings once more, as if live, with faults for clients to find.

It takes any ledger, makes a log of its own in a temporary tree, appends the fixings in the order
and at the pace they were published (:mod:`index.mock_plan`), and publishes them with the ordinary
publisher. The clock of the feed is simulated. Nothing of it can be mistaken for the benchmark: the
log's name ends in ``/mock``, the keys are its own, every fixing bears the flag ``MOCK`` and none
is eligible for settlement (rulebook 9.2).
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives import serialization
from starlette.applications import Starlette

from index.feed.assembly import assemble
from index.feed.gate import Rules
from index.feed.store import Store
from index.ledger.canonical import canonical, digest
from index.ledger.log import Log
from index.mock_plan import Fields, Item, Plan
from index.publication import drop, key_records
from index.publication.keyring import SLOTS, Keyring
from index.publication.keys import PemSigner, Signer, private_from_seed
from index.publication.publisher import Publisher
from methodology.errors import UsageError

SEED: Final = b"spotfix mock key, known to everyone: "


@dataclass(frozen=True)
class Places:
    """The temporary tree, laid out as an installation's."""

    out: Path

    @property
    def ledger(self) -> Path:
        """The mock log."""
        return self.out / "ledger"

    @property
    def drop(self) -> Path:
        """What an exchange would fetch."""
        return self.out / "drop"

    @property
    def site(self) -> Path:
        """The public tree."""
        return self.out / "site"

    @property
    def data(self) -> Path:
        """The analysts' files; a mock feed has none."""
        return self.out / "data"


class Mock:
    """The mock log and its public tree. :meth:`play` publishes, :meth:`app` serves.

    Args:
        plan: what will be published.
        source: the ledger the plan was made from; its bodies are cited.
        tree: an empty directory of its own.
        speed: seconds of the simulated clock in a second.
        longest_wait: a quiet span is cut to so many real seconds.
        seconds: a monotonic clock; tests give their own.
    """

    def __init__(
        self,
        plan: Plan,
        source: Path,
        tree: Path,
        *,
        speed: float = 60.0,
        longest_wait: float = 10.0,
        seconds: Callable[[], float] | None = None,
    ) -> None:
        if speed <= 0:
            raise UsageError(f"--speed {speed}: give a number above 0")
        self.plan, self.places, self.speed = plan, Places(tree), speed
        self.longest_wait = longest_wait
        self._seconds = seconds or time.monotonic
        self._start, self._real = plan.items[0].at, self._seconds()
        self.keyring = keyring(plan.origin, tree / "keys")
        self._log = Log.create(self.places.ledger, plan.origin)
        (self.places.ledger / "batches").symlink_to((source / "batches").resolve())
        self._fixing = Spoiling(self.keyring.fixing)
        spoiling = replace(self.keyring, fixing=self._fixing)
        self._publisher = Publisher(self.places, spoiling, now=self._aware_now)
        makes = key_records.opening(self.keyring, plan.origin, self._start)
        self._append([make(seq) for seq, make in enumerate(makes)])
        self._places_of: dict[int | None, int] = {}
        self._digests: dict[tuple[str, str, str], str] = {}
        self._done = 0
        self._store: Store | None = None

    def now(self) -> datetime:
        """Return the simulated time, naive UTC."""
        return self._start + timedelta(seconds=(self._seconds() - self._real) * self.speed)

    def _aware_now(self) -> datetime:
        return self.now().replace(tzinfo=UTC)

    def app(self, rules: Rules | None = None, **of_hub: Any) -> Starlette:
        """Return the feed over the mock tree; it is verified like any other."""
        self._store = Store.open(self.places.site, self.places.drop, self.places.data)
        left_out = self.plan.left_out().__contains__
        return assemble(self._store, rules, now=self.now, is_left_out=left_out, **of_hub)

    async def play(self, told: Callable[[Item, int], None] = lambda item, seq: None) -> None:
        """Publish every item when its time has come, those of one time together."""
        while self._done < len(self.plan.items):
            at = self.plan.items[self._done].at
            wait = (at - self.now()).total_seconds() / self.speed
            if wait > self.longest_wait:
                self._real -= wait - self.longest_wait
                wait = self.longest_wait
            if wait > 0:
                await asyncio.sleep(wait)
            first = self._log.size
            group = await asyncio.to_thread(self.publish_next)
            for seq, item in enumerate(group, start=first):
                if item.fault == "bad-signature":
                    await self._show_wrong(seq)
                told(item, seq)

    async def _show_wrong(self, seq: int) -> None:
        """Let the header repeat a wrong signature, which a sound server would not show at all."""
        if self._store is None:
            return
        while (entry := self._store.entry(seq)) is None:
            await asyncio.sleep(0.001)
        target = self.places.site / drop.site_path(entry.record())
        raw = target.with_name(target.name + ".json.sig").read_bytes()
        entry.signature, entry.prepared = (self._fixing.public.id, raw), None

    def publish_next(self) -> list[Item]:
        """Publish the items of the next moment at once; none at the end."""
        items = self.plan.items[self._done :]
        group = [item for item in items if item.at == items[0].at] if items else []
        if group:
            first = self._log.size
            self._append([self._made(item, seq) for seq, item in enumerate(group, start=first)])
            self._done += len(group)
        return group

    def _made(self, item: Item, seq: int) -> Fields:
        made = {**item.fields, "seq": seq, "log_origin": self.plan.origin}
        if made["type"] == "commitment":
            self._places_of[item.commitment] = seq
        if made["type"] == "fixing":
            made["commit_seq"] = self._places_of[item.commitment]
            made["supersedes"] = self._digests.get(item.key) if made["revision"] else None
            self._digests[item.key] = digest(canonical(made))
        return made

    def _append(self, made: Sequence[Fields]) -> None:
        unsigned = self.plan.unsigned()
        self._fixing.wrong |= {canonical(one) for one in made if one["seq"] in unsigned}
        self._log.append([canonical(one) for one in made], expected_first=self._log.size)
        self._publisher.catch_up(self._log)


class Spoiling:
    """A signer whose signature over some messages is wrong in one bit."""

    def __init__(self, signer: Signer) -> None:
        self._signer, self.public = signer, signer.public
        self.wrong: set[bytes] = set()

    def sign(self, message: bytes) -> bytes:
        """Return the signature, or one that does not verify."""
        made = self._signer.sign(message)
        return bytes([made[0] ^ 1]) + made[1:] if message in self.wrong else made


def keyring(origin: str, folder: Path) -> Keyring:
    """Return the mock keys: the same for everybody, of no other log, written below ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    signers: dict[str, PemSigner] = {}
    for slot, (purpose, algorithm) in SLOTS.items():
        seed = hashlib.sha256(SEED + slot.encode()).digest()
        private = private_from_seed(algorithm, seed)
        path = folder / f"{slot}.pem"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(
                private.private_bytes(
                    serialization.Encoding.PEM,
                    serialization.PrivateFormat.PKCS8,
                    serialization.NoEncryption(),
                )
            )
        name = origin if purpose == "log" else f"{origin}/{slot}"
        signers[slot] = PemSigner(path, name=name, purpose=purpose)
    return Keyring(
        root=signers["root"].public,
        root_signer=signers["root"],
        fixing=signers["fixing"],
        log=signers["log"],
        log_pq=signers["log_pq"],
        is_demo=True,
        places=dict.fromkeys(SLOTS, "mock"),
    )
