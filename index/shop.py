"""Ledger and archive, opened under the publisher's lock."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from collectors.archive import Archive
from index import publishing
from index.config import Settings
from index.ledger.batches import Batches
from index.ledger.canonical import canonical
from index.ledger.lock import PublisherLock
from index.ledger.log import Log
from index.publication import keyring, schema
from index.publication.keyring import Keyring
from index.published import Published
from methodology.definition import (
    Definition,
    Methodology,
    load_definitions,
    load_methodology,
)
from methodology.errors import ConfigError


@dataclass
class Shop:
    """Everything a run works with while it holds the lock."""

    settings: Settings
    log: Log
    batches: Batches
    archive: Archive
    published: Published
    rules: Methodology
    definitions: dict[str, Definition]
    projected: Callable[[], object] | None = None
    """Called at the end of each append: publishes what was appended."""

    @classmethod
    def over(cls, settings: Settings, log: Log, published: Published | None = None) -> Shop:
        """Return a shop over a log that is open, with the packaged rules.

        Args:
            settings: where the archive, the keys and the published files are.
            log: the log of ``settings.ledger``; read-only where nothing is to be appended.
            published: what the log says, as far as it has been read; default: read all of it.
        """
        return cls(
            settings=settings,
            log=log,
            batches=Batches(settings.ledger),
            archive=Archive(settings.raw),
            published=Published.read(log) if published is None else published,
            rules=load_methodology(),
            definitions=by_id(load_definitions()),
        )

    @cached_property
    def keyring(self) -> Keyring:
        """The keys this installation signs with; read from the disk when first asked for."""
        return keyring.load(self.settings)

    def append(self, make: Sequence[Callable[[int], dict[str, Any]]]) -> int:
        """Append records, each made from its own seq; return how many.

        Raises:
            VerificationError: a record does not keep its schema; nothing is appended.
            ConfigError: the log names other keys than the keyring holds; nothing is appended.
        """
        if not make:
            return 0
        first = self.log.size
        records = [one(first + n) for n, one in enumerate(make)]
        for record in records:
            schema.check(record)
        publishing.refuse_other_keys(self, records)
        bodies = [canonical(record) for record in records]
        self.log.append(bodies, expected_first=first)
        for body in bodies:
            self.published.add(body)
        if self.projected is not None:
            self.projected()
        return len(bodies)


def refuse_unless_ready(settings: Settings, log: Log | None = None) -> None:
    """Refuse to publish live with keys and names of the demonstration (rulebook 24.6).

    Args:
        settings: names of administrator and log, and where the keys are.
        log: the log that exists already, if one does.

    Raises:
        ConfigError: a demonstration key or name, unless ``allow_demo_live`` is set; or the log
            in ``out`` has another name than ``log_origin``.
    """
    keyring.load(settings, live=True)
    if log is not None and log.origin != settings.log_origin and not settings.allow_demo_live:
        raise ConfigError(
            f"setting 'log_origin': {settings.log_origin!r}, and the log in {settings.out} is "
            f"{log.origin!r} for ever; publish live into an empty directory with --out"
        )


def by_id(definitions: Sequence[Definition]) -> dict[str, Definition]:
    """Return definitions by index id."""
    return {name: d for d in definitions for name in d.index_ids}


@contextmanager
def open_shop(settings: Settings) -> Iterator[Shop]:
    """Take the publisher's lock and open ledger and archive, recovering what a crash left.

    Raises:
        LockHeld: another process publishes.
        LogInconsistent: the log contradicts itself; nothing may be appended.
    """
    settings.out.mkdir(parents=True, exist_ok=True)
    with PublisherLock(settings.lock):
        exists = Log.exists(settings.ledger)
        log = (
            Log.open(settings.ledger)
            if exists
            else Log.create(settings.ledger, settings.log_origin)
        )
        shop = Shop.over(settings, log)
        publishing.attach(shop)
        yield shop


def look(settings: Settings) -> Shop:
    """Return the ledger open for reading: no lock is taken and nothing can be appended."""
    return Shop.over(settings, Log.open(settings.ledger, read_only=True))
