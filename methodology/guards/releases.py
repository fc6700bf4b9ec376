"""Reviewed lines that let a refused source or listing back in (rulebook 2.11).

A refusal by the guards lasts until the figures return, until another path confirms them, or until
a person has compared the source with the seller's own page and written a line here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib import resources

from methodology.errors import DefinitionError
from methodology.register_lines import _check_keys, _failure, _rows, _text

FILE = "releases.toml"

ANY_LISTING = "*"

REASONS = (
    "UNIT_SWITCH",
    "CURRENCY_SWITCH",
    "SWAPPED_MODELS",
    "SWAPPED_METERS",
    "ONE_SIDED",
    "ABSURD_RATIO",
    "SENTINEL",
    "ROW_COUNT",
    "TRUNCATED_AT_CAP",
    "MANY_PRICES",
)
"""Refusals that a line can end. A currency that is not pinned, a name that can be mistaken and a
body without rows are put right in the registers or by the source."""


@dataclass(frozen=True, slots=True)
class Release:
    """One reviewed release. ``listing``: an exact listing id, or ``*`` for the whole source.

    It ends the refusals of ``reason`` that began on ``day`` or earlier, and no later ones.
    """

    source: str
    reason: str
    listing: str
    day: date
    who: str
    why: str
    url: str


def parse_releases(text: str, where: str = FILE) -> tuple[Release, ...]:
    """Return the lines of a register of releases, in file order.

    Raises:
        DefinitionError: not TOML, an unknown or missing key, a wrong type, an unknown reason, an
            address that is none, or a line twice. The message holds the offending line.
    """
    fail = _failure(text, where)
    found: list[Release] = []
    taken: set[tuple[object, ...]] = set()
    needed = {"source", "reason", "from", "who", "why", "url"}
    for row in _rows(text, where, "release"):
        _check_keys(row, needed, {"listing"}, fail)
        told = {key: _text(row, key, fail) for key in ("source", "reason", "who", "why", "url")}
        listing = _text({"listing": row.get("listing", ANY_LISTING)}, "listing", fail)
        if told["reason"] not in REASONS:
            raise fail(f"reason {told['reason']!r} is none of {REASONS}", told["reason"])
        if type(row["from"]) is not date:
            raise fail(f"from {row['from']!r} is not a date", "from")
        if not told["url"].startswith("https://"):
            raise fail(f"url {told['url']!r} is no https address", told["url"])
        key = (told["source"], told["reason"], listing, row["from"])
        if key in taken:
            raise fail(f"{told['source']} {told['reason']} is released twice", told["source"])
        taken.add(key)
        found.append(Release(listing=listing, day=row["from"], **told))
    return tuple(found)


@cache
def load_releases() -> tuple[Release, ...]:
    """Return the packaged register of releases; raises as :func:`parse_releases`."""
    file = resources.files("methodology") / "instruments" / FILE
    if not file.is_file():
        raise DefinitionError(f"{FILE}: missing from methodology/instruments; reinstall")
    return parse_releases(file.read_text("utf-8"))
