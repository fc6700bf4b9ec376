"""From the log to the public: every record appended becomes files, once, and the same every time.

:meth:`Publisher.catch_up` brings drop and site up to the log. It keeps no state of its own: what
is published is what ``site/log/checkpoint`` covers, and that file moves last. An append to the log
(a *head*) is one publication, whether its files are written right after it or by a later run that
found them missing, so the files follow from the log alone. The steps, each one durable before the
next:

1. hash tiles and entry bundles;
2. a signed checkpoint for each head, kept for ever;
3. the files of the drop, then of each folder its manifest, signature first;
4. bodies that records cite, public keys;
5. second names of the fixings below ``site/v1``;
6. ``site/log/checkpoint``.

A publisher killed anywhere leaves what the next call completes. Nothing is computed or serialised
here: a record's file holds the bytes of its leaf. The caller holds the publisher's lock.
"""

from __future__ import annotations

import itertools
import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from index.ledger.canonical import digest
from index.ledger.log import Log
from index.ledger.tiles import Head, checkpoint_text, parse_checkpoint, tiles_of
from index.publication import ctp, drop, fix, proofs, texts, timestamps, tree
from index.publication.drop import Line
from index.publication.failpoints import passing
from index.publication.keyring import Keyring
from index.publication.notes import parse_note, sign_checkpoint
from index.publication.writing import Writer
from methodology.errors import ConfigError, CoverageError, LogInconsistent, SpotfixError


class Places(Protocol):
    """Where things are: the settings, as far as a publisher needs them."""

    @property
    def ledger(self) -> Path:
        """The one truth."""
        ...

    @property
    def drop(self) -> Path:
        """What an exchange fetches."""
        ...

    @property
    def site(self) -> Path:
        """The public tree."""
        ...


_TOLD_AGAIN = re.compile(rb'"type":"(?:key|calendar)"')


@dataclass
class PublishReport:
    """What one call did: ``records`` of the log taken in, ``files`` written, names ``linked``."""

    size: int
    root: str
    heads: int = 0
    records: int = 0
    files: int = 0
    linked: int = 0
    seconds: float = 0.0


@dataclass
class _Step:
    """One head and what it publishes: records with their bytes, in order."""

    head: Head
    records: list[tuple[dict[str, Any], bytes]] = field(default_factory=list)
    note: bytes = b""


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Publisher:
    """Projects one log into drop and site.

    Args:
        places: ledger, drop and site.
        keyring: the fixing key signs files, the log's keys sign checkpoints.
        now: the time that a new checkpoint's cosignature bears; default: the present.
    """

    def __init__(
        self, places: Places, keyring: Keyring, now: Callable[[], datetime] = _utc_now
    ) -> None:
        self._places = places
        self._keyring = keyring
        self._now = now
        self._published: int | None = None
        self._trees: tree.Subtrees | None = None
        self._keys: list[Mapping[str, Any]] = []
        self._calendars: list[Mapping[str, Any]] = []

    def catch_up(self, log: Log) -> PublishReport:
        """Publish everything in the log that drop and site do not have yet.

        A call that finds nothing to do reads a few files and writes none.

        Raises:
            LogInconsistent: what was published contradicts the log; nothing was changed.
            ConfigError: the keyring's fixing key is not the one in force, or a signer failed.
            OSError: the disk refused; run again when it has space, the log is not affected.
        """
        begun = time.monotonic()
        if self._published is None:
            self._published = self._check(log)
            self._read_keys(log, self._published)
        start = self._published
        report = PublishReport(log.size, log.root.hex())
        steps = self._steps(log, start)
        if steps:
            self._published = None  # should this fail, the next call looks again at everything
            with Writer(self._places.drop, self._places.site) as writer:
                self._publish(log, start, steps, writer)
                report.files, report.linked = writer.written, writer.linked
            self._published = log.size
            report.heads, report.records = len(steps), log.size - start
        report.seconds = time.monotonic() - begun
        return report

    # What is there -------------------------------------------------------------------------------

    def _check(self, log: Log) -> int:
        """Return the size up to which everything is published; compare all checkpoints with it."""
        heads = {head.size: head for head in log.heads}
        folder = self._places.site / tree.CHECKPOINTS
        kept = [path for path in folder.glob("[0-9]*") if path.name.isdigit()]
        for path in kept:
            if self._compared(log, heads, path) != int(path.name):
                raise LogInconsistent(f"{path}: is a checkpoint of another size; restore it")
        moving = self._places.site / tree.CHECKPOINT
        if not moving.exists():
            return 0
        size = self._compared(log, heads, moving)
        # Drop or site taken away by somebody: all of it is made again, to the same bytes.
        return size if (self._places.drop / "v1").is_dir() else 0

    def _compared(self, log: Log, heads: Mapping[int, Head], path: Path) -> int:
        """Return the size of a published checkpoint whose root is the log's at that size."""
        try:
            origin, head = parse_checkpoint(parse_note(path.read_bytes()).body)
        except (SpotfixError, ValueError) as error:
            raise LogInconsistent(f"{path}: is no signed checkpoint: {error}; restore it") from None
        known = heads.get(head.size)
        if known is None and head.size <= log.size:
            known = Head(head.size, log.root_at(head.size))
        if origin != log.origin or known is None:
            raise LogInconsistent(
                f"{path}: says {origin} had {head.size} records; the log is {log.origin} with "
                f"{log.size}. A published record is gone: restore the ledger from a backup"
            )
        if known.root != head.root:
            raise LogInconsistent(
                f"{path}: root {head.root.hex()} at size {head.size}, where the log has "
                f"{known.root.hex()}. The log was changed after it was published: restore it"
            )
        return head.size

    def _read_keys(self, log: Log, size: int) -> None:
        """Read what the site may have to show again: keys, and lists of sessions."""
        found = [json.loads(body) for body in log.entries(0, size) if _TOLD_AGAIN.search(body)]
        self._keys = [one for one in found if one["type"] == "key"]
        self._calendars = [one for one in found if one["type"] == "calendar"]

    def _steps(self, log: Log, start: int) -> list[_Step]:
        steps = [_Step(head) for head in log.heads if head.size > start]
        if not steps:
            return []
        entries = log.entries(start)
        seq = start
        for step in steps:
            for _ in range(step.head.size - seq):
                body = next(entries)
                record = json.loads(body)
                step.records.append((record, body))
                if record.get("type") == "key":
                    self._keys.append(record)
            seq = step.head.size
        return steps

    # Publishing ----------------------------------------------------------------------------------

    def _publish(self, log: Log, start: int, steps: Sequence[_Step], writer: Writer) -> None:
        site = self._places.site
        old = set(tiles_of(start))
        writer.put(
            [
                (site / "log" / t.path, tree.log_file(self._places.ledger, t.path).read_bytes())
                for t in tiles_of(log.size)
                if t not in old
            ]
        )
        passing("tiles")
        self._sign(log, steps)
        writer.put([(site / tree.CHECKPOINTS / str(s.head.size), s.note) for s in steps])
        passing("checkpoint-kept")
        links = self._drop(log, start, steps, writer)
        self._bodies(steps, writer)
        passing("bodies")
        if any(record.get("type") == "key" for s in steps for record, _ in s.records):
            files, listing = tree.key_files(self._keys)
            writer.put([(site / "keys" / name, body) for name, body in files.items()])
            writer.move(site / tree.KEYS, listing)
        passing("keys")
        writer.link(links, lambda done, of: _half(done, of, "links-half"))
        passing("links")
        writer.move(site / tree.CHECKPOINT, steps[-1].note)
        passing("checkpoint-moved")

    def _sign(self, log: Log, steps: Sequence[_Step]) -> None:
        """Give each step its signed checkpoint: the one that was made already, or a new one."""
        for step in steps:
            body = checkpoint_text(log.origin, step.head).encode()
            path = self._places.site / tree.CHECKPOINTS / str(step.head.size)
            if path.exists():
                step.note = path.read_bytes()
                continue
            step.note = self._salvaged(step, body) or sign_checkpoint(
                body, self._keyring, self._now()
            )

    def _salvaged(self, step: _Step, body: bytes) -> bytes | None:
        """Return the note inside a proof that the drop holds: the site was lost, the drop not."""
        for record, _ in step.records:
            place = drop.place_of(record)
            if place is None:
                continue
            path = self._places.drop / place.folder / f"{place.stem}.tlog-proof"
            if path.exists():
                note = proofs.parse(path.read_bytes()).note
                return note if parse_note(note).body == body else None
        return None

    def _drop(
        self, log: Log, start: int, steps: Sequence[_Step], writer: Writer
    ) -> list[tuple[Path, Path]]:
        """Write the files and manifests of all steps; return the pairs to link below the site."""
        trees = self._tree(log)
        files: list[tuple[Path, bytes]] = []
        manifests: list[tuple[Path, bytes]] = []
        links: list[tuple[Path, Path]] = []
        chains: dict[str, tuple[int, str | None]] = {}
        for step in steps:
            folders: dict[str, list[Line]] = {}
            fixings: dict[str, list[dict[str, Any]]] = {}
            for record, body in step.records:
                place = drop.place_of(record)
                if place is None:
                    continue
                made = self._files(record, body, step.note, trees)
                lines = folders.setdefault(place.folder, [])
                for suffix, content in made.items():
                    lines.append(Line(place.stem + suffix, content, record["seq"]))
                if record["type"] == "fixing":
                    fixings.setdefault(place.folder, []).append(record)
                    target = self._places.site / drop.site_path(record)
                    source = self._places.drop / place.folder
                    links += [
                        (source / (place.stem + s), target.with_name(target.name + s)) for s in made
                    ]
            for name, lines in folders.items():
                folder = self._places.drop / name
                if name not in chains:
                    chains[name] = drop.last_before(folder, start)
                number, previous = chains[name][0] + 1, chains[name][1]
                if name in fixings:
                    first = fixings[name][0]
                    day = first["ref_date"].replace("-", "")
                    table = f"ctp_{day}_{first['session']}_{number:04d}.csv"
                    lines.append(Line(table, ctp.table(fixings[name]), None))
                files += [(folder / one.name, one.body) for one in lines]
                body = drop.manifest(
                    log_origin=log.origin,
                    log_size=step.head.size,
                    folder=name,
                    number=number,
                    previous=previous,
                    lines=lines,
                )
                path = folder / drop.manifest_name(number)
                # The signature gets its name first: who sees the manifest finds it signed.
                manifests.append((path.with_name(path.name + ".sig"), self._signed(body)))
                token = timestamps.held(self._places.ledger, body)
                if token is not None:  # the drop was lost: what an authority said is not made again
                    manifests.append((path.with_name(path.name + timestamps.SUFFIX), token))
                manifests.append((path, body))
                chains[name] = number, digest(body)
        writer.put(files, lambda done, of: _named(done, of, "drop"))
        passing("drop-named")
        writer.put(manifests, lambda done, of: _named(done, of, "manifest"))
        passing("manifest-named")
        return links

    def _files(
        self, record: Mapping[str, Any], body: bytes, note: bytes, trees: proofs.Provable
    ) -> dict[str, bytes]:
        """Return the files of one record by suffix."""
        self._require_key(record["seq"])
        signature = self._signed(body)
        made = {".json": body, ".json.sig": signature}
        if record["type"] == "fixing":
            made[".csv"] = texts.csv_table([record])
            made[".xml"] = texts.xml_document(record)
            made[".fix"] = fix.messages(record, signature)
        made[".tlog-proof"] = proofs.make(trees, record["seq"], note)
        return made

    def _signed(self, body: bytes) -> bytes:
        return self._keyring.fixing.sign(body)

    def _require_key(self, seq: int) -> None:
        """Refuse to sign with a key that the log does not name for this place."""
        wanted = tree.key_at(self._keys, "fixing", seq)
        mine = self._keyring.fixing.public.id
        if self._keys and wanted != mine:
            raise ConfigError(
                f"record {seq}: the log names {wanted or 'no key'} for signing fixings and the "
                f"keyring holds {mine}; put that key into keyring.toml, or rotate with "
                "`spotfix keys rotate`"
            )

    def _tree(self, log: Log) -> tree.Subtrees:
        if self._trees is None or self._trees.origin != log.origin or self._trees.size > log.size:
            self._trees = tree.Subtrees(log.origin)
        for seq in range(self._trees.size, log.size):
            self._trees.add(log.leaf_hash(seq))
        return self._trees

    def _bodies(self, steps: Sequence[_Step], writer: Writer) -> None:
        """Publish the bodies that the records cite, under the names the ledger gives them.

        Those of earlier lists of sessions again: a site of an earlier release lacks them.
        """
        new = (record for step in steps for record, _ in step.records)
        wanted = dict.fromkeys(
            tree.body_path(kind, sha256)
            for record in itertools.chain(self._calendars, new)
            for kind, sha256 in tree.cited_bodies(record)
        )
        pairs = [(self._places.ledger / name, self._places.site / name) for name in wanted]
        for source, _ in pairs:
            if not source.exists():
                raise CoverageError(f"{source}: a record cites it and it is gone; restore it")
        writer.link(pairs)


def _half(done: int, of: int, name: str) -> None:
    if of and done == of // 2:
        passing(name)


def _named(done: int, of: int, what: str) -> None:
    """Pass the failpoints of a set of files: all flushed and none named; half of them named."""
    if not of:
        return
    if done == 0:
        passing(f"{what}-flushed")
    if what == "drop":
        _half(done, of, "drop-half-named")
    elif done == 1:
        passing("manifest-signed")
