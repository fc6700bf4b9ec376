"""What happened to a model between two links, one reviewed line each (rulebook 13.9)."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib import resources

from methodology.errors import DefinitionError

FILE = "continuity.toml"

KINDS = ("exit", "sudden_exit", "redirect", "new_terms")
"""``exit``: announced, ``day`` is the last one with an offer. The others take effect on ``day``:
``sudden_exit`` the offer is gone, ``redirect`` the id serves another model, ``new_terms`` meter,
tokenizer or rounding unit changed. The last two are an exit and an entry."""

_KEYS = {"kind", "model", "day", "sources", "url", "reviewed", "why"}


@dataclass(frozen=True, slots=True)
class Event:
    """One line. ``sources``: the price sources it touches (``TKR`` or a source); empty: all."""

    kind: str
    model: str
    day: date
    sources: tuple[str, ...]
    url: str
    reviewed: date
    why: str

    def touches(self, source: str) -> bool:
        """Return whether it ends the prices that this source states."""
        return not self.sources or source in self.sources


def parse_events(text: str, where: str = FILE) -> tuple[Event, ...]:
    """Return the lines of a continuity register, in order of day, then model.

    Raises:
        DefinitionError: not TOML, an unknown or missing key, an unknown kind, a wrong type, or
            two lines of one model and day. The message names the line.
    """
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DefinitionError(f"{where}: not valid TOML: {error}") from error
    if set(content) - {"event"}:
        raise DefinitionError(f"{where}: unknown table {sorted(set(content) - {'event'})}")
    found: dict[tuple[date, str], Event] = {}
    for row in content.get("event", []):
        told = f"{where}: {row.get('model')} {row.get('day')}"
        if set(row) != _KEYS:
            raise DefinitionError(f"{told}: keys {sorted(set(row) ^ _KEYS)} differ; correct them")
        if row["kind"] not in KINDS:
            raise DefinitionError(f"{told}: kind {row['kind']!r} is none of {KINDS}")
        texts = [row["model"], row["url"], row["why"], *row["sources"]]
        dates = [row["day"], row["reviewed"]]
        if not all(isinstance(t, str) and t for t in texts) or any(
            type(d) is not date for d in dates
        ):
            raise DefinitionError(f"{told}: a text or a date is of the wrong type")
        key = (row["day"], row["model"])
        if key in found:
            raise DefinitionError(f"{told}: is listed twice; remove one line")
        found[key] = Event(**{**row, "sources": tuple(row["sources"])})
    return tuple(found[key] for key in sorted(found))


@cache
def load_events() -> tuple[Event, ...]:
    """Return the packaged lines; raises as :func:`parse_events`."""
    file = resources.files("methodology") / "instruments" / FILE
    if not file.is_file():
        raise DefinitionError(f"{FILE}: missing from methodology/instruments; reinstall")
    return parse_events(file.read_text("utf-8"))


def breaks(events: Iterable[Event], model: str, source: str) -> list[date]:
    """Return the days from which prices of a model at a source are those of another product.

    An announced exit ends the series the day after its last one. Prices before and after such a
    day are never one series (rulebook 13.9).
    """
    return [
        date.fromordinal(e.day.toordinal() + (e.kind == "exit"))
        for e in events
        if e.model == model and e.touches(source)
    ]


__all__ = ["KINDS", "Event", "breaks", "load_events", "parse_events"]
