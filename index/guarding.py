"""The guards over the archive: each round of each source once, in the order in which it came.

What the guards remember is a function of the archived bodies, the parsers and the registers; it is
kept as one file below ``out/data`` only to spare the work, and made again from the archive when it
is missing or does not fit. What a determination needs of it, the refused prices, is a batch that
its manifest names (rulebook 2.11).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import groupby
from pathlib import Path

import polars as pl

from collectors import panel
from collectors.archive import Archive
from collectors.base import Capture, Parsed
from collectors.entries import Entry
from collectors.gpus import gcp_list
from index import intake
from index.frames import from_lines, to_lines
from index.ledger.canonical import canonical, digest
from index.ledger.files import replace_durably
from index.refusals import REFUSALS
from index.stamping import Digests, Parses
from methodology import register, schemas
from methodology.definition import Methodology
from methodology.depth import Ask, depth_quotes
from methodology.eligibility import Registers
from methodology.errors import LogInconsistent, SourceError
from methodology.guards import (
    DEFAULT,
    GuardState,
    Inspection,
    Round,
    inspect,
    load_releases,
    peers,
)
from methodology.guards.crowd import PEERS

FILE = "guards.jsonl"
SCHEMA = "guards/1.0"

KEPT = timedelta(days=10)
"""How long refusals stay in the file; a determination reads back less (``intake.LIVE_SPAN``)."""

GUARDED = ("tokens", "gpus")
"""Kinds of sources that show prices."""


KINDS = ("SOURCE_QUARANTINED", "SOURCE_RELEASED")
"""Kinds of incident: a source is refused as a whole, and stands again."""


@dataclass(frozen=True, slots=True)
class Event:
    """A source that was quarantined as a whole, or came back, in one round."""

    kind: str
    source: str
    reason: str
    detail: str
    at: datetime


@dataclass
class Book:
    """What the guards remember after a round, and what they refused of late.

    ``through``: the last round inspected (naive UTC; None: none yet). ``read``: how many archived
    captures lie at or before it, so that one which came in late is noticed. ``rates``: units of
    currency for one US dollar, from the newest published reference rates.
    """

    through: datetime | None = None
    read: int = 0
    states: dict[str, GuardState] = field(default_factory=dict)
    rates: dict[str, Fraction] = field(default_factory=dict)
    refusals: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=REFUSALS))
    events: list[Event] = field(default_factory=list)
    notes: dict[str, dict[str, int]] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """Return the canonical bytes: one line about the whole, one per source, one per refusal."""
        states = [self.states[name].to_bytes() for name in sorted(self.states)]
        head = {
            "schema": SCHEMA,
            "through": self.through.isoformat(timespec="microseconds") if self.through else None,
            "read": self.read,
            "rates": {name: str(rate) for name, rate in sorted(self.rates.items())},
            "notes": self.notes,
            "states": [len(body) for body in states],
        }
        return canonical(head) + b"\n" + b"".join(states) + to_lines(self.refusals)

    @classmethod
    def from_bytes(cls, body: bytes) -> Book:
        """Return the book that :meth:`to_bytes` wrote.

        Raises:
            LogInconsistent: the bytes are not a book's; it can be made again from the archive.
        """
        try:
            first, _, rest = body.partition(b"\n")
            head = json.loads(first)
            if head.pop("schema") != SCHEMA:
                raise ValueError(f"not a {SCHEMA}")
            found = cls(
                datetime.fromisoformat(head["through"]) if head["through"] else None,
                head["read"],
                rates={name: Fraction(text) for name, text in head["rates"].items()},
                notes=head["notes"],
            )
            for size in head["states"]:
                state = GuardState.from_bytes(rest[:size])
                found.states[state.memory.source] = state
                rest = rest[size:]
            found.refusals = from_lines(rest, REFUSALS)
        except (
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            pl.exceptions.PolarsError,
        ) as error:
            raise LogInconsistent(f"{FILE}: {error}; delete it, it is made again") from error
        return found


def is_read(entry: Entry) -> bool:
    """Return whether an archived capture is one a live determination may read."""
    is_live = not entry.url.startswith((intake.BUNDLED, intake.PACKAGED))
    return is_live and entry.source in panel.SOURCES and panel.load(entry.source).is_live


def load(data: Path, archive: Archive) -> tuple[Book, list[Entry]]:
    """Return the book on disk and the captures it has not seen, or an empty one and all of them.

    A file that is damaged, or that a capture was put behind, is not used.
    """
    entries = [one for one in archive.entries() if is_read(one)]
    path = data / FILE
    if path.is_file():
        try:
            book = Book.from_bytes(path.read_bytes())
        except LogInconsistent:
            book = Book()
        old = [e for e in entries if book.through and _moment(e) <= book.through]
        if len(old) == book.read:
            return book, entries[len(old) :]
    return Book(), entries


def _moment(entry: Entry) -> datetime:
    return entry.fetched_at.astimezone(UTC).replace(tzinfo=None)


def advance(
    data: Path,
    archive: Archive,
    rules: Methodology,
    tell: Callable[[str], None] | None = None,
) -> Book:
    """Inspect every round that came since the last time; write the book and return it.

    Args:
        data: folder of the projections (``settings.data``).
        archive: where the bodies are.
        rules: for the depth of marketplaces.
        tell: told each round's time.

    Returns:
        The book; ``events`` are those of the rounds inspected now.
    """
    book, entries = load(data, archive)
    if not entries:
        return book
    registers = registers_of()
    sightings = (((e.source, e.url, e.sha256), _moment(e)) for e in entries)
    parses = Parses(sightings, intake.parsed_of)
    for moment, group in groupby(entries, key=_moment):
        if tell:
            tell(f"{moment:%Y-%m-%d %H:%M}")
        captures = [archive.load(entry) for entry in group]
        book.read += len(captures)
        book.through = moment
        inspect_round(book, moment, captures, rules, registers, parses.of)
    cut = book.through - KEPT if book.through else None
    book.refusals = book.refusals.filter(pl.col("captured_at") > cut)
    data.mkdir(parents=True, exist_ok=True)
    replace_durably(data / FILE, book.to_bytes())
    return book


def registers_of() -> Registers:
    """Return the reviewed lines by which offers of two sources are compared."""
    rights = pl.DataFrame(schema={"source": pl.String, "licence_id": pl.String})
    return Registers(register.provider_map(), register.listing_map(), rights)


def inspect_round(
    book: Book,
    moment: datetime,
    captures: Sequence[Capture],
    rules: Methodology,
    registers: Registers,
    parse: Callable[[Capture, str], Parsed] | None = None,
) -> None:
    """Take one round into the book: every source is judged by what all knew before it.

    ``parse`` gives the rows of a capture with this digest (default: ``intake.parsed_of``).
    """
    digest_of = Digests().of
    before = dict(book.states)
    parsed: dict[str, list[tuple[Capture, Parsed]]] = {}
    for capture in sorted(captures, key=lambda c: (c.source, c.url, digest_of(c))):
        if capture.source == gcp_list.SOURCE.id and not gcp_list.is_joined(capture):
            continue
        try:
            found = parse(capture, digest_of(capture)) if parse else intake.parsed_of(capture)
        except SourceError:
            continue  # the source failed; its failure is recorded where the intake reads it
        parsed.setdefault(capture.source, []).append((capture, found))
        _take_rates(book, found.rates)
    limits = replace(DEFAULT, rates=dict(book.rates))
    releases = load_releases()
    refusals = [book.refusals]
    none = peers([], registers)
    told = {name: peers([state], registers) for name, state in before.items()}
    for name, pages in parsed.items():
        source = panel.load(name)
        if source.kind not in GUARDED:
            continue
        facts = Round(
            name,
            moment,
            _digest(pages),
            tuple(found.seen for _, found in pages),
            source.currencies,
            source.page_cap,
            source.mode,
            source.path,
            panel.is_proven(name),
        )
        state = before.get(name) or GuardState.new(
            name, source.path, is_proven=panel.is_proven(name)
        )
        quotes = quotes_of([found for _, found in pages], rules)
        others = pl.concat([none, *(rows for n, rows in told.items() if n != name)])
        others = others.unique(maintain_order=True).sort(list(PEERS))
        seen = inspect(state, quotes, facts, registers, others, releases, limits)
        book.states[name] = seen.state
        book.notes[name] = dict(sorted(seen.notes["code"].value_counts().iter_rows()))
        refusals.append(refused(quotes, seen, moment))
        book.events += _events(state, seen, moment)
    book.refusals = pl.concat(refusals)


def quotes_of(parsed: Iterable[Parsed], rules: Methodology) -> pl.DataFrame:
    """Return the quotes of one round of a source, those that its depth makes included."""
    pages = list(parsed)
    asks = pl.concat([schemas.empty(Ask), *(p.asks for p in pages)])
    deep, _ = depth_quotes(asks, rules)
    return pl.concat([*(p.quotes for p in pages), deep])


def refused(quotes: pl.DataFrame, seen: Inspection, moment: datetime) -> pl.DataFrame:
    """Return the refused prices of an inspection as rows of :data:`REFUSALS`."""
    hit = quotes["price_text"].is_not_null() & seen.quotes["price_text"].is_null()
    told = seen.rejections.select("reason", "detail")
    return (
        quotes.filter(hit)
        .hstack(told)
        .with_columns(pl.lit(moment).cast(pl.Datetime("us")).alias("captured_at"))
        .select(list(REFUSALS))
    )


def _digest(pages: Sequence[tuple[Capture, Parsed]]) -> str:
    digests = [capture.sha256 for capture, _ in pages]
    return digests[0] if len(digests) == 1 else digest("".join(digests).encode())[7:]


def _take_rates(book: Book, rates: pl.DataFrame) -> None:
    """Remember the newest day's rates of the euro as units for one US dollar."""
    newest = rates.filter((pl.col("base") == "EUR") & (pl.col("ref_date") == pl.max("ref_date")))
    told = {quote: Fraction(text) for quote, text in newest.select("quote", "rate_text").rows()}
    dollar = told.pop("USD", None)
    if dollar:
        book.rates = {name: rate / dollar for name, rate in sorted(told.items())}
        book.rates["EUR"] = 1 / dollar


def _events(before: GuardState, seen: Inspection, at: datetime) -> list[Event]:
    name, old, verdict = before.memory.source, before.memory.reason, seen.verdict
    if verdict is not None and verdict.reason != old:
        return [Event(KINDS[0], name, verdict.reason, verdict.detail, at)]
    if verdict is None and old is not None:
        return [Event(KINDS[1], name, old, "its body stood again", at)]
    return []


def span_of(book: Book, since: datetime, until: datetime) -> pl.DataFrame:
    """Return the refusals of rounds after ``since`` up to ``until``, in a fixed order."""
    found = book.refusals.filter((pl.col("captured_at") > since) & (pl.col("captured_at") <= until))
    return found.sort(list(REFUSALS), nulls_last=True)


def quarantined(book: Book) -> Mapping[str, tuple[str, datetime | None, int]]:
    """Return the sources refused as a whole now: reason, since when, how many bodies."""
    return {
        name: (state.memory.reason, state.memory.since, state.memory.bodies)
        for name, state in sorted(book.states.items())
        if state.memory.reason is not None
    }
