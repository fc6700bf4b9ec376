"""Every captured body through its parser, counted: ``python -m tests.payload_census``.

Every file of the folder is a body or is known to be none. A row is a quote, a volume, a rate or an
ask, or a refusal with a reason. Where more than 5% of a source's rows are refused, or a body as a
whole, ``payload_census.toml`` beside this file says why that is right, and names each reason that
takes more than 5% of the rows by its code.
"""

from __future__ import annotations

import argparse
import resource
import time
import tomllib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from collectors.base import Parsed
from index import intake, saved
from methodology.errors import ParseError
from tests import real_bodies

EXPLAINED = Path(__file__).with_name("payload_census.toml")
MUCH = 0.05
FRAMES = ("quotes", "volumes", "rates", "asks", "rejections")


@dataclass
class Count:
    """What the bodies of one source held, and what could not be read at all."""

    bodies: int = 0
    rows: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    refused_bodies: list[tuple[str, str]] = field(default_factory=list)
    """Reason, and a sentence that begins with the body's name."""
    empty_bodies: list[str] = field(default_factory=list)

    @property
    def seen(self) -> int:
        """Rows of every kind, refused ones included."""
        return sum(self.rows.values())

    @property
    def refused_share(self) -> float:
        """Part of the rows that was refused, 0 to 1."""
        return self.rows["rejections"] / self.seen if self.seen else 0.0

    @property
    def main_reasons(self) -> list[str]:
        """The reasons that take more than 5% of the rows, most often first."""
        return [why for why, n in self.reasons.most_common() if n > MUCH * self.seen]


@dataclass(frozen=True)
class Explanations:
    """The reviewed sentences: by source for rows, by source and reason for whole bodies."""

    rows: dict[str, str]
    bodies: dict[str, dict[str, str]]


def parse(body: real_bodies.Body) -> Parsed:
    """Return what a body yields, by the parser that takes it, every frame validated.

    Raises:
        ParseError: that of the source's own parser, when none takes it.
    """
    capture = body.capture()
    first: ParseError | None = None
    for _, read in saved.parsers(body.source):
        try:
            return intake.validated(read(capture), capture)
        except ParseError as error:
            first = first or error
    assert first is not None
    raise first


def census(bodies: Iterable[real_bodies.Body]) -> dict[str, Count]:
    """Return one count per source; a body that is refused as a whole is named in it."""
    found: dict[str, Count] = {}
    for body in bodies:
        count = found.setdefault(body.source, Count())
        count.bodies += 1
        try:
            parsed = parse(body)
        except ParseError as error:
            told = f"{body.name}: {error.reason}: {error.detail}"
            count.refused_bodies.append((error.reason, told))
            continue
        if not parsed.seen:
            count.empty_bodies.append(f"{body.name}: not a row, and not refused")
        count.rows.update({name: getattr(parsed, name).height for name in FRAMES})
        count.reasons.update(parsed.rejections["reason"].to_list())
    return dict(sorted(found.items()))


def explanations(file: Path = EXPLAINED) -> Explanations:
    """Return the reviewed explanations of a file."""
    told = tomllib.loads(file.read_text("utf-8"))
    return Explanations(told.get("rows", {}), told.get("bodies", {}))


def unexplained(found: dict[str, Count], told: Explanations) -> list[str]:
    """Return a sentence on every refusal that nobody explained, and on every body without a row."""
    wrong = []
    for source, count in found.items():
        said = told.rows.get(source, "")
        if count.refused_share > MUCH and not said:
            wrong.append(f"{source}: {count.refused_share:.1%} of its rows refused, unexplained")
        elif missing := [why for why in count.main_reasons if why not in said]:
            wrong.append(f"{source}: its explanation does not name {', '.join(missing)}")
        known = told.bodies.get(source, {})
        wrong += [line for reason, line in count.refused_bodies if reason not in known]
        wrong += count.empty_bodies
    return wrong


def needless(found: dict[str, Count], told: Explanations) -> list[str]:
    """Return a sentence on every explanation of what did not happen, counted over all bodies."""
    rows = [
        f"{source}: explained, but {found[source].refused_share if source in found else 0:.1%} "
        "of its rows are refused"
        for source in told.rows
        if source not in found or found[source].refused_share <= MUCH
    ]
    return rows + [
        f"{source}: {reason} is explained, but no body is refused so"
        for source, reasons in told.bodies.items()
        for reason in reasons
        if source not in found or reason not in dict(found[source].refused_bodies)
    ]


def _table(found: dict[str, Count]) -> Table:
    table = Table(box=None)
    for name in ("source", "bodies", *FRAMES, "refused", "most often"):
        table.add_column(name, justify="left" if name in ("source", "most often") else "right")
    for source, count in found.items():
        often = ", ".join(f"{n:,} {why}" for why, n in count.reasons.most_common(3))
        rows = [f"{count.rows[name]:,}" for name in FRAMES]
        table.add_row(source, f"{count.bodies:,}", *rows, f"{count.refused_share:.1%}", often)
    total = [f"{sum(c.rows[name] for c in found.values()):,}" for name in FRAMES]
    table.add_row("all", f"{sum(c.bodies for c in found.values()):,}", *total)
    return table


def main() -> int:
    """Print the census; exit 1 for a file, a body or a share of refusals that nobody explained."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--no-series", action="store_true", help="leave out the packed 1,106")
    given = parser.parse_args()
    if not real_bodies.FOLDER.is_dir():
        print(real_bodies.NO_BODIES)
        return 2
    console = Console(width=160)
    began = time.monotonic()
    bodies = real_bodies.bodies(whole_series=not given.no_series)
    found = census(track(bodies, "parsing", total=None, console=Console(stderr=True)))
    seconds = time.monotonic() - began
    told = explanations()
    console.print(_table(found))
    print("\nWhy more than 5% are refused:")
    for source, count in found.items():
        if source in told.rows and count.refused_share > MUCH:
            print(f"  {source} ({count.refused_share:.1%}): {told.rows[source]}")
    print("\nBodies refused as a whole:")
    for source, count in found.items():
        for reason in dict(count.refused_bodies):
            print(f"  {source}: {told.bodies.get(source, {}).get(reason, 'unexplained')}")
            for line in [line for why, line in count.refused_bodies if why == reason]:
                print(f"    {line}")
    print("\nFiles that are no bodies:")
    for name, why in real_bodies.NO_BODY.items():
        print(f"  {name}: {why}")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(
        f"\n{sum(c.seen for c in found.values()):,} rows in {seconds:.0f} s, {memory} MiB at most"
    )
    wrong = real_bodies.unaccounted() + unexplained(found, told) + needless(found, told)
    print("\n" + ("\n".join(wrong) if wrong else "Everything is a row or a refusal with a reason."))
    return int(bool(wrong))


if __name__ == "__main__":
    raise SystemExit(main())
