"""Mutated bodies through parse and validation, as a campaign: ``python -m tests.fuzzing.campaign``.

A body must end in one of two ways: the source is refused with a typed error, or every row of it is
accepted or refused by name, and what is accepted passes a judge that shares no code with us.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
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
from tests.fuzzing.mutate import Kind, kind_of, mutated

FETCHED_AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
CHUNK = 500
"""Bodies of one source that are validated together: Pandera costs the same for one row."""

LIGHT = 4
"""A body of a GPU source costs several of another; the others get so many times its bodies."""

QUIET_SECONDS = 30
"""Where no person watches, progress is told no oftener than this."""

REPEATS_ARE_JUDGED = {
    "litellm": "a hand-edited map with whole entries twice: its parser judges each repeated key",
}
"""Sources whose parser may go on where a key is repeated, and why."""

MADE_UP = {
    "aws_history": "a stored extract without its own text",
    "cudo": "the price of the least machine is the sum of its parts",
    "gcp_history": "parts that are summed",
    "gcp_list": "a machine is the sum of its component SKUs",
}
"""Sources whose price text need not stand in the body, and why."""


def _unbroken(body: bytes) -> str:
    return "".join(body.decode("utf-8", "replace").split())


MULTIPLES: dict[str, tuple[str, Callable[[bytes, str], bool]]] = {
    "alibaba_bailian": (
        "the page says half price in words",
        lambda body, multiple: multiple == "0.5" and "半价" in _unbroken(body),
    ),
    "deepinfra": (
        "the body states what is taken off, the quote what is left",
        validator.is_what_is_left,
    ),
}
"""Sources whose second figure stands in the body otherwise: why, and what it must satisfy."""

COUNTED = {
    "disclosures": "a figure in trillions a day becomes the tokens of its period",
    "digitalocean": "regions with capacity are counted, not stated",
    "akash": "what is free of one GPU is summed",
    "jarvislabs": "what is free of one GPU is summed",
    "lambda_cloud": "regions with capacity are counted, not stated",
    "shadeform": "regions with capacity are counted, not stated",
    "vast": "the GPUs of machines are summed",
    "vercel_leaderboard": "a share in percent becomes parts of 1e8",
}
"""Sources whose quantities need not stand in the body, and why."""

EMPTY = {
    "azure_history": "a page without items is a valid last page",
    "azure_openai": "a page without items is a valid last page",
    "azure_retail": "a page without items is a valid last page",
    "cfets": "a week of holidays has no rate",
}
"""Sources that may accept a body of which nothing is told, and why."""

TORN: dict[str, str] = {}
"""Sources that may state two prices of one offer in one body, and why."""

GATHERED = {
    "gcp_list": "the parts of a machine make one row",
    "lambda_cloud": "it lists its types by name; the lists in them are regions",
}
"""Sources that may tell less than their body lists, and why."""

FRAMES_OF = {
    "tokens": ("quotes", "rejections"),
    "gpus": ("quotes", "volumes", "rejections", "asks"),
    "volumes": ("volumes", "rejections"),
    "fx": ("rates", "rejections"),
}
"""What each kind of source may tell."""

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
    kind: Kind


@dataclass
class Tally:
    """What became of the bodies: counts, and every body that ended in neither of the two ways."""

    bodies: int = 0
    cpu: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    accepted: int = 0
    rows: Counter[str] = field(default_factory=Counter)
    crashes: list[str] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Take another tally in."""
        self.bodies += other.bodies
        self.cpu += other.cpu
        self.accepted += other.accepted
        self.refused += other.refused
        self.rows += other.rows
        self.crashes += other.crashes
        self.silent += other.silent


def parsers_of(source_id: str) -> list[Callable[[Capture], Parsed]]:
    """Return a source's own parser, then those for stored histories in the same file."""
    return [parse for _, parse in saved.parsers(source_id)]


@cache
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
    began = time.process_time()
    draw = Random(zlib.crc32(source_id.encode()) * 1_000_003 + seed)
    bodies = parseable(source_id)
    tally = Tally()
    accepted: list[Accepted] = []
    for number in range(count):
        whole, parse = draw.choice(bodies)
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
            accepted.append(Accepted(where, capture, found, kind_of(whole)))
    _validate(accepted, tally)
    for where, capture, found, kind in accepted:
        faults = judged(capture, found, kind)
        tally.rows.update({name: getattr(found, name).height for name in FRAMES})
        tally.silent += [f"{where}: {fault}" for fault in faults[:3]]
    tally.cpu[source_id] += time.process_time() - began
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
                except (Exception, pl.exceptions.PanicException) as error:  # noqa: BLE001 - a crash
                    tally.crashes.append(f"{entry.where}: in validation: {error!r}"[:300])
                    accepted.remove(entry)


def judged(capture: Capture, found: Parsed, kind: Kind) -> list[str]:
    """Return the faults that an independent judge sees in what was accepted.

    ``kind``: what the body was before it was mutated; what is none any more must be refused.
    """
    source = panel.load(capture.source)
    at, body = capture.observed_at, capture.body
    faults: list[str] = []
    if found.seen == 0 and source.id not in EMPTY:
        faults.append("an accepted body of which nothing is told: no row, no refusal")
    if kind == "json":
        seen = validator.json_faults(body)
        if seen == {"json"} and b"\n{" in body:
            seen = set()  # one object a line
        if capture.source in REPEATS_ARE_JUDGED:
            seen.discard("twice")
        faults += [f"the body's JSON has a fault: {one}" for one in sorted(seen)]
    try:
        rows = {name: getattr(found, name).rows(named=True) for name in FRAMES}
    except (ValueError, OverflowError, pl.exceptions.PanicException) as error:
        return [*faults, f"a row that cannot be shown: {error}"]
    digest = hashlib.sha256(body).hexdigest()
    for name, ours in rows.items():
        if ours and name not in FRAMES_OF[source.kind]:
            faults.append(f"{name} from a source of {source.kind}")
        if any((r["source"], r["capture_sha256"]) != (source.id, digest) for r in ours):
            faults.append(f"{name} of another source or body")
    there = None if kind == "packed" or body[:2] == b"PK" else validator.Body(body)
    for row in rows["quotes"]:
        faults += validator.quote_faults(row, at, source.currencies)
        faults += _figure_faults(capture, there, row["price_text"])
    for row in rows["asks"]:
        faults += validator.ask_faults(row, at)
        faults += _figure_faults(capture, there, row["price_text"])
    for row in rows["volumes"]:
        faults += validator.volume_faults(row, at)
        told = str(row["quantity"])
        if row["meter"] == "stock_band":
            continue  # a word of the body, told as its rank
        if there and source.id not in COUNTED and not there.holds(told):
            faults.append(f"quantity {told} stands nowhere in the body")
    for row in rows["rates"]:
        faults += validator.rate_faults(row, at)
        faults += _figure_faults(capture, there, row["rate_text"])
    for row in rows["rejections"]:
        faults += validator.rejection_faults(row)
    # A stored history may repeat a moment; the determination refuses all but one (rulebook 2.4).
    if source.id not in TORN and kind != "packed":
        faults += [f"two prices of one offer: {one}" for one in validator.torn(rows["quotes"])]
    if kind == "csv" and validator.is_ragged(body):
        faults.append("an accepted table with a line of another length")
    if (
        kind in ("json", "csv")
        and source.id not in GATHERED
        and found.seen < validator.entries(body)
    ):
        faults.append(f"{found.seen} told of {validator.entries(body)} listed")
    return faults


def _figure_faults(
    capture: Capture, there: validator.Body | None, price: str | None
) -> Iterator[str]:
    """Yield a fault for a price text with a figure that does not stand in its body."""
    if price is None or there is None or capture.source in MADE_UP:
        return
    first, times, multiple = price.partition(" * ")
    if not there.holds(first):
        yield f"price {price!r}: {first} stands nowhere in the body"
    if times and not there.holds(multiple):
        _, fits = MULTIPLES.get(capture.source, ("", None))
        if fits is None or not fits(capture.body, multiple):
            yield f"price {price!r}: {multiple} stands nowhere in the body"


def shares(total: int, sources: Iterable[str]) -> list[tuple[str, int, int]]:
    """Return (source, bodies, seed) chunks that make ``total`` bodies, spread over the sources.

    Sources of GPUs build their frames by a query engine, at some ten times the cost of a tree of
    tokens; they get fewer bodies, and a chunk of theirs is no shorter.
    """
    names = sorted(sources)
    weights = {name: 1 if panel.load(name).kind == "gpus" else LIGHT for name in names}
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
    began = told = time.monotonic()

    def tell(done: int, total: int) -> None:
        nonlocal told
        now = time.monotonic()
        if sys.stderr.isatty() or done == total or now - told > QUIET_SECONDS:
            told = now
            print(f"\r{done:,} of {total:,} bodies, {now - began:.0f} s", end="", file=sys.stderr)

    tally = campaign(given.bodies, given.seed, tell)
    print(file=sys.stderr)
    return report(tally, given.seed, time.monotonic() - began)


def report(tally: Tally, seed: int, seconds: float) -> int:
    """Print what became of the bodies; return 0 when nothing was found and something was tried."""
    print(f"seed {seed}: {tally.bodies:,} bodies of {len(tally.cpu)} sources in {seconds:,.0f} s, "
          f"{tally.cpu.total():,.0f} s of CPU")  # fmt: skip
    dear = ", ".join(f"{name} {cpu:,.0f} s" for name, cpu in tally.cpu.most_common(5))
    print(f"dearest: {dear}")
    print(f"accepted {tally.accepted:,}, with " +
          ", ".join(f"{n:,} {name}" for name, n in tally.rows.items()))  # fmt: skip
    print(f"refused {tally.refused.total():,}: " +
          ", ".join(f"{n:,} {why}" for why, n in tally.refused.most_common()))  # fmt: skip
    for name, found in (("crashes", tally.crashes), ("silent acceptances", tally.silent)):
        print(f"{len(found)} {name}")
        for line in found[:40]:
            print(f"  {line}")
    is_bitten = bool(tally.accepted and tally.refused)
    return int(bool(tally.crashes or tally.silent) or not is_bitten)


if __name__ == "__main__":
    raise SystemExit(main())
