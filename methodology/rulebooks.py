"""The rules of any day: each version's files, found by their digests (rulebook 23.1).

A *listing* names every rule file of a version with its SHA-256. The listing in force is computed
from ``rules``; those of earlier versions stand in ``rules/past``, and a file that has changed since
keeps its old bytes in ``rules/past/<version>``. A file is taken wherever its bytes have the digest
that the listing states, and nowhere else: what was lost or edited is an error, never a guess.
"""

from __future__ import annotations

import hashlib
import itertools
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache

from methodology import definition
from methodology.definition import IN_FORCE, PAST, Definition, Methodology
from methodology.errors import DefinitionError
from methodology.versions import check_definitions, check_methodology, step_between

VERSIONS = "VERSIONS.toml"


@dataclass(frozen=True)
class Rulebook:
    """One version of the rules, whole.

    ``digest``: SHA-256 of the listing, as a ``methodology`` record states it (``sha256:…``);
    ``texts``: every file by its path below ``rules``.
    """

    version: str
    digest: str
    listing: str
    texts: dict[str, str]
    methodology: Methodology
    definitions: tuple[Definition, ...]


@dataclass(frozen=True)
class Entry:
    """One line of the history of versions: ``listing`` is ``None`` for the version in force."""

    version: str
    adopted: date
    listing: str | None


def history() -> tuple[Entry, ...]:
    """Return every version of the rules, oldest first; the last one is in force.

    Raises:
        DefinitionError: ``VERSIONS.toml`` is malformed, out of order, or ends with another
            version than the one in force.
    """
    file = definition._folder() / PAST / VERSIONS
    try:
        rows = tomllib.loads(file.read_text("utf-8"))["version"]
        found = tuple(Entry(r["version"], r["adopted"], r.get("listing")) for r in rows)
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise DefinitionError(f"{VERSIONS}: {error!r}; restore it or reinstall") from error
    for old, new in itertools.pairwise(found):
        if step_between(old.version, new.version) is None or old.listing is None:
            raise DefinitionError(
                f"{VERSIONS}: {old.version} before {new.version}: versions rise, and each but the "
                "last has the digest of its listing"
            )
    if not found or found[-1].version != IN_FORCE or found[-1].listing is not None:
        raise DefinitionError(f"{VERSIONS}: must end with {IN_FORCE}, in force, without a listing")
    return found


@cache
def rulebook(which: str = IN_FORCE) -> Rulebook:
    """Return the rules of a version, or those whose listing has a digest.

    Args:
        which: a version such as ``"1.0.0"``, or the SHA-256 of a listing with or without
            ``sha256:`` before it; without one, the rules in force.

    Raises:
        DefinitionError: no version has that number or digest, or one of its files is nowhere with
            the bytes that its listing names.
    """
    wanted = which.removeprefix("sha256:")
    for entry in history():
        if wanted not in (entry.version, entry.listing) and entry.listing is not None:
            continue
        listing = definition.frozen_listing() if entry.listing is None else _past(entry)
        if wanted in (entry.version, _sha256(listing.encode())):
            return from_listing(entry.version, listing)
    raise DefinitionError(
        f"rules {which}: no version of this software has them; install the release whose "
        f"methodology/rules/{PAST}/{VERSIONS} names them"
    )


def from_listing(version: str, listing: str) -> Rulebook:
    """Return the rules that a listing names, each file found by its digest.

    Raises:
        DefinitionError: a file is missing or edited, or says something malformed.
    """
    bodies = {}
    for line in listing.splitlines():
        digest, _, path = line.partition("  ")
        bodies[path] = _body(version, path, digest)
    return _assembled(version, listing, bodies)


def from_texts(version: str, listing: str, texts: Mapping[str, str]) -> Rulebook:
    """Return the rules that a ledger holds: a listing and the text of every file it names.

    Raises:
        DefinitionError: a text is missing or has another digest than the listing states.
    """
    bodies = {}
    for line in listing.splitlines():
        digest, _, path = line.partition("  ")
        bodies[path] = texts.get(path, "").encode()
        if _sha256(bodies[path]) != digest:
            raise DefinitionError(
                f"rules {version}: the text of {path} has not the digest {digest}; restore the "
                "ledger from a backup"
            )
    return _assembled(version, listing, bodies)


def _assembled(version: str, listing: str, bodies: Mapping[str, bytes]) -> Rulebook:
    name = f"methodology-{version}.toml"
    if name not in bodies:
        raise DefinitionError(f"rules {version}: the listing has no {name}")
    return Rulebook(
        version,
        "sha256:" + _sha256(listing.encode()),
        listing,
        {path: body.decode("utf-8") for path, body in bodies.items()},
        definition.parse_methodology(name, bodies[name]),
        definition.all_of(
            (path, definition.parse_definition(path, body))
            for path, body in bodies.items()
            if "/" in path
        ),
    )


def check_succession(old: Rulebook, new: Rulebook) -> None:
    """Refuse rules that may not follow those before them (rulebook 23.2, 23.3).

    Raises:
        DefinitionError: the same version with other files, a lower version, or a change that its
            number does not allow.
    """
    step = step_between(old.version, new.version)
    if step is None and old.digest != new.digest:
        raise DefinitionError(
            f"rules {new.version}: were in force as {old.digest} and are now {new.digest}; a file "
            "in force is not edited: restore it, or make a new version (rulebook 23.1)"
        )
    check_methodology(old.methodology, new.methodology)
    ahead = old.methodology.vintage.months_ahead
    check_definitions(old.definitions, new.definitions, step, ahead)


def _past(entry: Entry) -> str:
    name = f"{entry.version}.sha256"
    file = definition._folder() / PAST / name
    body = file.read_bytes() if file.is_file() else b""
    if _sha256(body) != entry.listing:
        raise DefinitionError(
            f"rules {entry.version}: {PAST}/{name} is missing or edited: its digest is not "
            f"{entry.listing}; restore it or reinstall"
        )
    return body.decode("utf-8")


def _body(version: str, path: str, digest: str) -> bytes:
    seen = False
    for place in _places(path):
        seen = True
        if _sha256(place) == digest:
            return place
    what = "has other bytes" if seen else "is missing"
    raise DefinitionError(
        f"rules {version}: {path} {what}: none has the digest {digest}; put the bytes it had back, "
        f"in methodology/rules/{PAST}/{version}/{path} (rulebook 23.1)"
    )


def _places(path: str) -> Iterator[bytes]:
    """Yield the bodies that may be a file: the one in force, then those kept by past versions."""
    root = definition._folder()
    past = root / PAST
    kept = sorted((f for f in past.iterdir() if f.is_dir()), key=lambda f: f.name)
    for folder in (root, *kept):
        file = folder.joinpath(*path.split("/"))
        if file.is_file():
            yield file.read_bytes()


def _sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


__all__ = [
    "Entry",
    "Rulebook",
    "check_succession",
    "from_listing",
    "from_texts",
    "history",
    "rulebook",
]
