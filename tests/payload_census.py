"""Every captured body through its parser, counted: ``python -m tests.payload_census``.

A row is a quote, a volume, a rate or an ask, or a refusal with a reason; where more than 5% of a
source's rows are refused, ``payload_census.toml`` beside this file says why that is right.
"""

from __future__ import annotations

import argparse
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
    refused_bodies: list[str] = field(default_factory=list)

    @property
    def seen(self) -> int:
        """Rows of every kind, refused ones included."""
        return sum(self.rows.values())

    @property
    def refused_share(self) -> float:
        """Part of the rows that was refused, 0 to 1."""
        return self.rows["rejections"] / self.seen if self.seen else 0.0


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
            count.refused_bodies.append(f"{body.name}: {error.reason}: {error.detail}")
            continue
        count.rows.update({name: getattr(parsed, name).height for name in FRAMES})
        count.reasons.update(parsed.rejections["reason"].to_list())
    return dict(sorted(found.items()))


def explanations() -> dict[str, dict[str, str]]:
    """Return the reviewed explanations: ``rows`` and ``bodies`` by source."""
    return tomllib.loads(EXPLAINED.read_text("utf-8"))


def unexplained(found: dict[str, Count]) -> list[str]:
    """Return every source whose refusals nobody explained, and every explanation without need."""
    told = explanations()
    wrong = []
    for source, count in found.items():
        if count.refused_share > MUCH and source not in told.get("rows", {}):
            wrong.append(f"{source}: {count.refused_share:.1%} of its rows refused, unexplained")
        if count.refused_bodies and source not in told.get("bodies", {}):
            wrong.append(f"{source}: {count.refused_bodies[0]}")
    wrong += [
        f"{source}: explained, but {count.refused_share:.1%} refused"
        for source, count in found.items()
        if source in told.get("rows", {}) and count.refused_share <= MUCH
    ]
    return wrong


def main() -> int:
    """Print the census; exit 1 for a body or a share of refusals that nobody explained."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--no-series", action="store_true", help="leave out the packed 1,106")
    given = parser.parse_args()
    if not real_bodies.FOLDER.is_dir():
        print(real_bodies.NO_BODIES)
        return 2
    console = Console(width=160)
    bodies = list(real_bodies.bodies(whole_series=not given.no_series))
    found = census(track(bodies, "parsing", console=Console(stderr=True)))
    table = Table(box=None)
    for name in ("source", "bodies", *FRAMES, "refused", "most often"):
        table.add_column(name, justify="left" if name in ("source", "most often") else "right")
    for source, count in found.items():
        often = ", ".join(f"{n:,} {why}" for why, n in count.reasons.most_common(3))
        rows = [f"{count.rows[name]:,}" for name in FRAMES]
        table.add_row(source, f"{count.bodies:,}", *rows, f"{count.refused_share:.1%}", often)
    total = [f"{sum(c.rows[name] for c in found.values()):,}" for name in FRAMES]
    table.add_row("all", f"{sum(c.bodies for c in found.values()):,}", *total)
    console.print(table)
    told = explanations()
    print("\nWhy more than 5% are refused:")
    for source, why in told.get("rows", {}).items():
        print(f"  {source}: {why}")
    print("\nBodies refused as a whole:")
    for source, count in found.items():
        for line in count.refused_bodies:
            print(f"  {line}  ({told.get('bodies', {}).get(source, 'unexplained')})")
    wrong = unexplained(found)
    print("\n" + ("\n".join(wrong) if wrong else "Everything is a row or a refusal with a reason."))
    return int(bool(wrong))


if __name__ == "__main__":
    raise SystemExit(main())
