"""Mutated bodies through parse and validation, as a campaign: ``python -m tests.fuzzing.campaign``.

A body must end in one of two ways: the source is refused with a typed error, or every row of it is
accepted or refused by name, and what is accepted passes a judge that shares no code with us.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any, NamedTuple

import polars as pl

from collectors import panel
from collectors.base import Capture, Parsed
from index import intake, saved
from methodology import schemas
from methodology.depth import Ask
from methodology.errors import ParseError, SourceError
from tests.fuzzing import corpus, validator
from tests.fuzzing.mutate import mutated

FETCHED_AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
CHUNK = 500
"""Bodies of one source that are validated together: Pandera costs the same for one row."""

TABLES_COST = 4
"""A table read by a query engine costs so many times a tree; it gets that much fewer bodies."""

REPEATS_ARE_JUDGED = {
    "litellm": "a hand-edited map with whole entries twice: its parser judges each repeated key",
}
"""Sources whose parser may go on where a key is repeated, and why."""

MADE_UP = {
    "alibaba_bailian": "batch is half of the price, which its page says in a word",
    "aws_history": "a stored extract without its own text",
    "gcp_history": "parts that are summed",
    "gcp_list": "a machine is the sum of its component SKUs",
}
"""Sources whose price text need not stand in the body, and why."""

FRAMES = ("quotes", "volumes", "rates", "rejections", "asks")
MODELS: dict[str, type[Any]] = {
    "quotes": schemas.Quote,
    "volumes": schemas.Volume,
    "rates": schemas.Rate,
    "rejections": schemas.Rejection,
    "asks": Ask,
}


class Accepted(NamedTuple):
    """A body that a parser took, and what it made of it."""

    where: str
    capture: Capture
    found: Parsed
    is_json: bool


@dataclass
class Tally:
    """What became of the bodies: counts, and every body that ended in neither of the two ways."""

    bodies: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    accepted: int = 0
    rows: Counter[str] = field(default_factory=Counter)
    crashes: list[str] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Take another tally in."""
        self.bodies += other.bodies
        self.accepted += other.accepted
        self.refused += other.refused
        self.rows += other.rows
        self.crashes += other.crashes
        self.silent += other.silent


def parsers_of(source_id: str) -> list[Callable[[Capture], Parsed]]:
    """Return a source's own parser, then those for stored histories in the same file."""
    return [parse for _, parse in saved.parsers(source_id)]


def parseable(source_id: str) -> list[tuple[bytes, Callable[[Capture], Parsed]]]:
    """Return the bodies that stand for a source, each with the parser that takes it unharmed.

    A folder may hold bodies of two sources of one file; those of the other are left out.

    Raises:
        LookupError: no body parses, so the source would go untried.
    """
    found: list[tuple[bytes, Callable[[Capture], Parsed]]] = []
    first: SourceError | None = None
    for body in corpus.bodies_of(source_id):
        for parse in parsers_of(source_id):
            try:
                parse(Capture(source_id, "corpus", body, FETCHED_AT))
            except SourceError as error:
                first = first or error
            else:
                found.append((body, parse))
                break
    if not found:
        raise LookupError(f"{source_id}: no body of the corpus parses: {first}")
    return found


def chunk(source_id: str, count: int, seed: int) -> Tally:
    """Return what became of ``count`` mutated bodies of one source, drawn from ``seed``."""
    draw = Random(zlib.crc32(source_id.encode()) * 1_000_003 + seed)
    bodies = parseable(source_id)
    tally = Tally()
    accepted: list[Accepted] = []
    for number in range(count):
        whole, parse = draw.choice(bodies)
        is_json = whole.lstrip()[:1] in (b"{", b"[")
        names, body = mutated(whole, draw)
        capture = Capture(source_id, "fuzz", body, FETCHED_AT)
        where = f"{source_id} seed {seed} body {number} ({names})"
        tally.bodies += 1
        try:
            found = parse(capture)
        except SourceError as error:
            tally.refused[error.reason] += 1
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            tally.crashes.append(f"{where}: {type(error).__name__}: {error}"[:300])
        else:
            tally.accepted += 1
            accepted.append(Accepted(where, capture, found, is_json))
    _validate(accepted, tally)
    for where, capture, found, is_json in accepted:
        faults = judged(capture, found, is_json=is_json)
        tally.rows.update({name: getattr(found, name).height for name in FRAMES})
        tally.silent += [f"{where}: {fault}" for fault in faults[:3]]
    return tally


def _validate(accepted: list[Accepted], tally: Tally) -> None:
    """Run our own validation over all frames at once, then one by one where it refuses."""
    for name, model in MODELS.items():
        frames = [getattr(one.found, name) for one in accepted]
        frames = [rows for rows in frames if rows.height]
        try:
            whole = pl.concat([schemas.empty(model), *frames])
            if whole.height:
                schemas.validate(model, whole, "fuzz")
        except (ParseError, pl.exceptions.PolarsError):
            for entry in list(accepted):
                try:
                    intake.validated(entry.found, entry.capture)
                except SourceError as error:
                    tally.refused[error.reason] += 1
                    tally.accepted -= 1
                    accepted.remove(entry)
                except Exception as error:  # noqa: BLE001 - whatever it is, it is a crash
                    tally.crashes.append(f"{entry.where}: in validation: {error!r}"[:300])
                    accepted.remove(entry)


def judged(capture: Capture, found: Parsed, *, is_json: bool) -> list[str]:
    """Return the faults that an independent judge sees in what was accepted.

    ``is_json``: the source speaks JSON, so a body that is none must have been refused.
    """
    source = panel.load(capture.source)
    at = capture.observed_at
    faults: list[str] = []
    if found.seen == 0:
        faults.append("an accepted body of which nothing is told: no row, no refusal")
    body = capture.body
    if is_json:
        seen = validator.json_faults(body)
        if seen == {"json"} and b"\n{" in body:
            seen = set()  # one object a line
        if capture.source in REPEATS_ARE_JUDGED:
            seen.discard("twice")
        faults += [f"the body's JSON has a fault: {one}" for one in sorted(seen)]
    try:
        rows = {name: getattr(found, name).rows(named=True) for name in FRAMES}
    except (ValueError, OverflowError) as error:
        return [*faults, f"a row that cannot be shown: {error}"]
    for row in rows["quotes"]:
        faults += validator.quote_faults(row, at, source.currencies)
        price = row["price_text"]
        is_text = body[:4] != b"PAR1" and capture.source not in MADE_UP
        if price and is_text and not validator.stands_in(body, price):
            faults.append(f"price {price!r} stands nowhere in the body")
    for row in rows["volumes"]:
        faults += validator.volume_faults(row, at)
    for row in rows["rates"]:
        faults += validator.rate_faults(row, at)
    for row in rows["rejections"]:
        faults += validator.rejection_faults(row)
    return faults


def _is_tabular(source_id: str) -> bool:
    return any(
        body[:1] not in b"{[<" and body[:4] != b"PAR1" for body in corpus.bodies_of(source_id)
    )


def shares(total: int, sources: Iterable[str]) -> list[tuple[str, int, int]]:
    """Return (source, bodies, seed) chunks that make ``total`` bodies, spread over the sources."""
    names = sorted(sources)
    weights = {name: 1 if _is_tabular(name) else TABLES_COST for name in names}
    unit, more = divmod(total, sum(weights.values()))
    found = []
    for place, name in enumerate(names):
        left, seed = unit * weights[name] + (more if place == 0 else 0), 0
        while left:
            take = min(CHUNK, left)
            found.append((name, take, seed))
            left, seed = left - take, seed + 1
    return sorted(found, key=lambda one: one[2])


def campaign(total: int, seed: int, tell: Callable[[int, int], None]) -> Tally:
    """Run ``total`` bodies over all cores; ``tell`` hears how many are done."""
    tally = Tally()
    parts = shares(total, panel.SOURCES)
    with ProcessPoolExecutor(max_workers=os.cpu_count()) as pool:
        waiting = [
            pool.submit(chunk, source, count, seed * 100_003 + part)
            for source, count, part in parts
        ]
        for one in as_completed(waiting):
            tally.add(one.result())
            tell(tally.bodies, total)
    return tally


def main() -> int:
    """Run the campaign, print what was found, exit 1 for a crash or a silent acceptance."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bodies", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    began = time.monotonic()

    def tell(done: int, total: int) -> None:
        if sys.stderr.isatty() or done % 50_000 < CHUNK:
            seconds = time.monotonic() - began
            print(f"\r{done:,} of {total:,} bodies, {seconds:.0f} s", end="", file=sys.stderr)

    tally = campaign(given.bodies, given.seed, tell)
    print(file=sys.stderr)
    rate = tally.bodies / (time.monotonic() - began)
    print(f"seed {given.seed}: {tally.bodies:,} bodies of {len(panel.SOURCES)} sources, "
          f"{rate:,.0f} a second")  # fmt: skip
    print(f"accepted {tally.accepted:,}, with " +
          ", ".join(f"{n:,} {name}" for name, n in tally.rows.items()))  # fmt: skip
    print("refused " + ", ".join(f"{n:,} {why}" for why, n in tally.refused.most_common()))
    for name, found in (("crashes", tally.crashes), ("silent acceptances", tally.silent)):
        print(f"{len(found)} {name}")
        for line in found[:40]:
            print(f"  {line}")
    return int(bool(tally.crashes or tally.silent) or not tally.rows)


if __name__ == "__main__":
    raise SystemExit(main())
