"""Every change of meaning of every source's bodies: ``python -m tests.meaning.campaign``.

A change that no parser sees and no guard catches is a silent error. Those that stay are named in
:data:`KNOWN` with the reason; any other makes the campaign fail. What only a person can judge (a
word that stands beside prices, a field that says something) is printed with ``--look``.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from typing import Any, NamedTuple

import polars as pl

from collectors import panel
from collectors.base import Capture, Parsed
from methodology.errors import PriceError, SourceError
from methodology.guards import GuardState, Round, inspect
from methodology.units import to_nano
from tests import guard_worlds
from tests.fuzzing.campaign import FETCHED_AT, parseable
from tests.meaning.changes import Change, words
from tests.meaning.columns import of_tables
from tests.meaning.entries import of_trees

KNOWN: dict[tuple[str, str], str] = {
    ("aws_bedrock", "every currency '$'"): "of a description; the currency is a field of its own",
    ("aws_list", "every currency '$'"): "of a description; the currency is a column of its own",
    ("aws_list", "a figure as"): "a machine listed twice: the lowest sound price stands (2.4)",
    ("aws_list", "a cell"): "the same",
    ("aws_history", "a figure as"): "the same",
    ("aws_history", "a cell"): "the same",
    ("baidu_qianfan", "a row again"): "a row under a cell over two rows; the older price ends",
    ("chutes", "field renamed"): "the price is stated twice; the other statement is read",
    ("google_page", "every unit 'per hour'"): "of storage, which is no good of ours",
    ("lobehub_cny", "field renamed"): "a key is a range and a mode; any that begins at 0 is base",
    ("oneapi_cny", "every currency"): "of the comments of a table that is history",
    ("openrouter_endpoints", "every unit '/M'"): "a label for display beside the price per token",
    ("together", "every unit 'hourly'"): "a field that is zero",
    ("openrouter_rankings_scrape", "entries again"): "counted volumes, none a price",
}
"""Source and first words of a change: why the same rows, or other ones, are right."""

CHEAPEST = "again with other prices"
"""GPU lists that name an offer twice: one row stands, the lowest, as a buyer would have it.

``CONFLICTING_ROWS`` of rulebook 2.4 says so, and decision i of chapter 14 takes the lowest of the
offers of a group. A second row that is wrong and low is a jump like any other (6.1, 6.2).
"""

FRAMES = ("quotes", "volumes", "rates", "asks")


class Found(NamedTuple):
    """One change after which something stands that should not, or that a person must judge."""

    source: str
    rule: str
    name: str
    where: str
    verdict: str


def priced(found: Parsed) -> Counter[tuple[Any, ...]]:
    """Return what is told of prices, rates and volumes: each row without its digest, counted."""
    told: Counter[tuple[Any, ...]] = Counter()
    for name in FRAMES:
        rows = getattr(found, name)
        if name == "quotes":
            for row in rows.rows(named=True):
                if row["status"] == "offered" and row["price_text"] is not None:
                    told[_quote(row)] += 1
        else:
            # The figure comes last, as it does in a quote.
            figure = [n for n in ("quantity", "rate_text", "price_text") if n in rows.columns]
            told.update(rows.select(pl.exclude("capture_sha256", *figure), *figure).rows())
    return told


def _quote(row: dict[str, Any]) -> tuple[Any, ...]:
    text, unit = row.pop("price_text"), row.pop("quoted_unit")
    row.pop("capture_sha256")
    try:
        nano: Any = to_nano(text, unit, row["gpu_count"]).nano
    except (PriceError, ValueError, AttributeError, TypeError):
        nano = (text, unit)
    return (*row.values(), nano)


def kind_of(body: bytes) -> str:
    """Return how a body is read: json, html, md, csv or text."""
    start = body.lstrip()[:400].lower()
    if start[:1] in (b"{", b"["):
        return "json"
    if b"<table" in body.lower() or b"<html" in start or b"<!doctype" in start:
        return "html"
    if b"|--" in body or b"| --" in body or b"|:-" in body:
        return "md"
    first = body.split(b"\n", 1)[0]
    return "csv" if first.count(b",") > 1 and b"{" not in first else "text"


def outcome_of(source_id: str, parse: Callable[[Capture], Parsed]) -> Callable[[bytes], Any]:
    """Return a function from a body to what is told of it, or to the reason of its refusal."""
    seen: dict[bytes, Any] = {}

    def outcome(made: bytes) -> Any:
        if made not in seen:
            try:
                seen[made] = priced(parse(Capture(source_id, "meaning", made, FETCHED_AT)))
            except SourceError as error:
                seen[made] = error.reason
        return seen[made]

    return outcome


def run(source_id: str) -> tuple[Counter[str], list[Found]]:
    """Return how many changes of a source's bodies were tried, and what came of them."""
    out: list[Found] = []
    tried: Counter[str] = Counter()
    source = panel.load(source_id)
    for number, (body, parse) in enumerate(parseable(source_id)):
        outcome = outcome_of(source_id, parse)
        base = outcome(body)
        if not base:
            tried["bodies without a price"] += 1
            continue
        kind = kind_of(body)
        changes = list(words(body)) if body[:4] != b"PAR1" else []
        changes += of_trees(body, outcome) if kind == "json" else of_tables(body, kind, outcome)
        tried["changes"] += len(changes)
        for change in changes:
            after = outcome(change.body)
            for rule in change.rules:
                verdict = judged(rule, base, after)
                if rule == "guard" and verdict:
                    verdict = guarded(source, parse, body, change, verdict)
                if verdict:
                    where = f"body {number} {change.where}"
                    out.append(Found(source_id, rule, change.name, where, verdict))
    return tried, out


def judged(rule: str, base: Any, after: Any) -> str:
    """Return what is wrong with an outcome; empty where the rule of its change is kept."""
    if isinstance(after, str):
        return ""
    if rule in ("noticed", "look"):
        return "same rows" if after == base else ""
    more = after - base
    if rule == "no new price":
        return f"{more.total()} new, {(base - after).total()} lost" if more else ""
    return "" if after == base else f"{more.total()} new, {(base - after).total()} lost"


def guarded(source: Any, parse: Any, body: bytes, change: Change, verdict: str) -> str:
    """Return the verdict, empty where the guards refuse all that is new."""
    state = GuardState.new(source.id)
    made = None
    parts = []
    for n, one in enumerate((body, body, change.body)):
        at = FETCHED_AT + timedelta(hours=12 * n)
        capture = Capture(source.id, "meaning", one, at)
        found = parse(capture)
        if not found.quotes.height:
            return ""
        facts = Round(
            source.id,
            capture.observed_at,
            capture.sha256,
            (found.seen,),
            source.currencies,
            mode=source.mode,
            is_proven=True,
        )
        registers = guard_worlds.registers()
        nobody = guard_worlds.peers([], registers)
        limits = guard_worlds.LIMITS
        made = inspect(state, found.quotes, facts, registers, nobody, (), limits)
        state = made.state
        parts.append(found)
    assert made is not None
    old = {q[:-1]: q[-1] for q in _plain(parts[0])}
    left = [q for q in _plain(Parsed(quotes=made.quotes)) if q[:-1] in old and old[q[:-1]] != q[-1]]
    if "gone" in change.name:
        return (
            "" if made.verdict else f"{parts[1].quotes.height} to {parts[2].quotes.height} quotes"
        )
    return f"{len(left)} other prices stand" if left else ""


def _plain(found: Parsed) -> list[tuple[Any, ...]]:
    rows = []
    for row in found.quotes.rows(named=True):
        if row["status"] == "offered" and row["price_text"] is not None:
            row.pop("observed_at")
            rows.append(_quote(row))
    return rows


def is_known(found: Found) -> bool:
    """Return whether a finding is one of those that were looked at."""
    if CHEAPEST in found.name and panel.load(found.source).kind == "gpus":
        return True
    return any(found.source == source and found.name.startswith(words) for source, words in KNOWN)


def silent(found: list[Found]) -> list[Found]:
    """Return the findings that are silent errors: wrong rows stand and nobody knows why."""
    return [one for one in found if one.rule in ("noticed", "no new price") and not is_known(one)]


def main() -> int:
    """Run the campaign, print what was found, exit 1 for a silent error."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sources", nargs="*", default=[])
    parser.add_argument("--look", action="store_true", help="print what a person must judge")
    given = parser.parse_args()
    names = given.sources or sorted(panel.SOURCES)
    tried: Counter[str] = Counter()
    wrong: list[Found] = []
    with ProcessPoolExecutor(max_workers=os.cpu_count()) as pool:
        for made, found in pool.map(run, names):
            tried.update(made)
            wrong += silent(found)
            tried["left to a person"] += sum(one.rule == "look" for one in found)
            tried["left by the guards"] += sum(one.rule == "guard" for one in found)
            for one in found:
                if given.look and one.rule in ("look", "guard"):
                    print("\t".join(one))
    for one in wrong:
        print("SILENT", *one, sep="\t")
    told = ", ".join(f"{count:,} {name}" for name, count in sorted(tried.items()))
    print(f"{len(names)} sources: {told}; silent: {len(wrong)}")
    return 1 if wrong or not tried["changes"] else 0


if __name__ == "__main__":
    sys.exit(main())
