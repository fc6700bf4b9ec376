"""The register of sources: what their evidence is worth and what may be done with it.

One reviewed line per source in ``instruments/rights.toml`` (rulebook 2.8). A source without a line
has no right on record. Which codes refuse its prices, and where, :func:`refusal` decides.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import date
from functools import cache
from importlib import resources
from typing import Literal

from pydantic import Field, ValidationError

from methodology.errors import DefinitionError
from methodology.parameters import Strict

FILE = "rights.toml"


class Right(Strict):
    """One source's line: evidence tier, what it permits, what it shows.

    ``path`` names whose statement its rows are, where two sources carry the same one (a seller's
    API and its page, a list and the history taken from it); without it a source is its own path.
    """

    id: str = Field(min_length=1)
    tier: Literal["E1", "E2", "E3", "E4", "E5"]
    use: bool
    redistribute: bool
    depth: bool = False
    path: str | None = Field(None, min_length=1)
    right: str = Field(min_length=1)
    reviewed: date
    why: str = Field(min_length=1)


class _Register(Strict):
    source: tuple[Right, ...]


Rights = Mapping[str, Right]
"""Lines by source id."""


def parse_rights(text: str, where: str = FILE) -> dict[str, Right]:
    """Return the lines of a register by source id.

    Raises:
        DefinitionError: not TOML, an unknown or missing key, a wrong type, a source listed twice.
    """
    try:
        lines = _Register.model_validate(tomllib.loads(text)).source
    except tomllib.TOMLDecodeError as error:
        raise DefinitionError(f"{where}: not valid TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise DefinitionError(
            f"{where}: {key}: {first['msg']} (saw {first.get('input')!r}); correct the line"
        ) from error
    found: dict[str, Right] = {}
    for line in lines:
        if line.id in found:
            raise DefinitionError(f"{where}: source {line.id!r} stands twice; remove one line")
        found[line.id] = line
    return found


def path_of(source: str, rights: Rights) -> str:
    """Return whose statement the rows of a source are: its path, or the source itself."""
    line = rights.get(source)
    return (line.path if line else None) or source


@cache
def load_rights() -> Rights:
    """Return the packaged register; raises as :func:`parse_rights`."""
    file = resources.files("methodology") / "instruments" / FILE
    if not file.is_file():
        raise DefinitionError(f"{FILE}: missing from methodology/instruments; reinstall")
    return parse_rights(file.read_text("utf-8"))


def refusal(source: str, admission: str, rights: Rights) -> str | None:
    """Return why a source may not enter a print of this admission, or ``None`` (rulebook 2.8).

    ``settlement`` needs both rights, ``reference`` the one to redistribute, ``internal`` neither.
    """
    if admission == "internal":
        return None
    line = rights.get(source)
    if admission == "settlement" and not (line and line.use):
        return "NO_RIGHT_TO_USE"
    return None if line and line.redistribute else "NO_RIGHT_TO_REDISTRIBUTE"
