"""TOML to frozen definitions: what each index is and which parameters decide (rulebook 1).

An unknown key, a missing key or a wrong type is an error that names file and key: a rule that is
silently ignored is worse than none. The bytes of every file are digested; the digest stands in
each fixing, and ``rules/FROZEN.sha256`` lists what is in force.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterable, Iterator
from datetime import date
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError, model_validator

from methodology.definition_base import Admission, BaseDefinition, SessionId
from methodology.derived_definitions import (
    DerivedDefinition,
    QualityDefinition,
    SpreadDefinition,
    UsageDefinition,
)
from methodology.errors import DefinitionError
from methodology.parameters import Methodology

Meter = Literal["IN", "CIN", "OUT", "BLD", "AGT", "BAT", "GPU_H"]


class RateDefinition(BaseDefinition):
    """A rate index: one instrument, one or more meters, many sellers (rulebook 1.2).

    One file may define several meters of one instrument; each is an index of its own. A file with
    ``instruments`` is read as one definition for each, with the same digest.
    """

    family: Literal["TKR", "GPR"]
    instrument: str = ""
    instruments: tuple[str, ...] = ()
    meters: tuple[Meter, ...] = Field(min_length=1)
    classes: tuple[str, ...] = Field(min_length=1)
    tenor: Literal["on_demand", "spot"] = "on_demand"
    region: str = "GLB"
    regions: tuple[str, ...] = ()
    currencies: tuple[Literal["USD", "CNY"], ...] = ("USD",)
    small_panel: bool = False
    parent: str | None = None

    def index_id(self, meter: str) -> str:
        """Return the id of one index of this file, e.g. ``TKR-glm-5-BLD``."""
        if self.family == "TKR":
            return f"TKR-{self.instrument}-{meter}{self.suffix}"
        tenor = {"on_demand": "OD", "spot": "SPT"}[self.tenor]
        return f"GPR-{self.instrument}-{tenor}-{self.classes[0]}-{self.region}{self.suffix}"

    @property
    def index_ids(self) -> tuple[str, ...]:
        """Every index id this file defines."""
        return tuple(one.index_id(meter) for one in self.each() for meter in self.meters)

    @model_validator(mode="after")
    def _consistent(self) -> RateDefinition:
        if (self.family == "GPR") != (self.meters == ("GPU_H",)):
            raise ValueError("GPR has the one meter GPU_H, TKR never has it")
        if self.family == "GPR" and len(self.classes) != 1:
            raise ValueError("GPU classes are never pooled: name exactly one")
        if self.small_panel and self.admission == "settlement":
            raise ValueError("a small panel is reference only")
        if bool(self.instrument) == bool(self.instruments):
            raise ValueError("name exactly one of instrument and instruments")
        if len(set(self.instruments)) != len(self.instruments):
            raise ValueError("an instrument stands twice in instruments")
        if self.parent and (len(self.meters) != 1 or self.instruments):
            raise ValueError("a parent lends to one index: one instrument, one meter")
        if self.parent and self.parent in self.index_ids:
            raise ValueError("an index is not its own parent")
        return self

    def each(self) -> tuple[RateDefinition, ...]:
        """Return one definition per instrument, with the digest of the file they share.

        ``{instrument}`` in the title of a file of several stands for each one's id.
        """
        if not self.instruments:
            return (self,)
        return tuple(
            self.model_copy(
                update={
                    "instrument": one,
                    "instruments": (),
                    "title": self.title.replace("{instrument}", one),
                }
            )
            for one in self.instruments
        )


class CompositeDefinition(BaseDefinition):
    """A composite of models: a level in points, or the unit value beside it (rulebook 13).

    ``tier``, ``open_weights`` and ``domiciles`` say which models it is of (13.8); without them,
    all of them.
    """

    family: Literal["TKX", "TEX"]
    segment: str
    meter: Literal["IN", "CIN", "OUT", "BLD", "AGT", "MIX"] | None = None
    currency: Literal["USD", "CNY"]
    domiciles: tuple[str, ...] = ()
    tier: Literal["frontier", "mid", "small"] | None = None
    open_weights: bool | None = None
    volume_source: str
    inception: date

    @property
    def index_id(self) -> str:
        """The index id, e.g. ``TKX-ALL-BLD`` or ``TEX-ALL``."""
        meter = f"-{self.meter}" if self.meter else ""
        return f"{self.family}-{self.segment}{meter}{self.suffix}"

    @property
    def index_ids(self) -> tuple[str, ...]:
        """The one id, as a tuple."""
        return (self.index_id,)

    @model_validator(mode="after")
    def _metered(self) -> CompositeDefinition:
        if (self.family == "TKX") != (self.meter is not None):
            raise ValueError("TKX has one meter, TEX none")
        return self


Definition = RateDefinition | CompositeDefinition | DerivedDefinition


def _load(name: str, body: bytes, model: type[BaseModel]) -> Any:
    try:
        content = tomllib.loads(body.decode("utf-8"))
        return model.model_validate({**content, "digest": hashlib.sha256(body).hexdigest()})
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise DefinitionError(
            f"{name}: key {key!r}: {first['msg']} (saw {first.get('input')!r}); "
            "correct the file or compare it with the rulebook"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DefinitionError(f"{name}: not valid TOML: {error}") from error


def _folder() -> Traversable:
    return resources.files("methodology") / "rules"


IN_FORCE = "1.1.0"
"""The methodology version that a new fixing is made under."""


@cache
def load_methodology(version: str = IN_FORCE) -> Methodology:
    """Return the parameters of a methodology version; without one, of that in force.

    Raises:
        DefinitionError: no such version, an unknown or missing key, or a wrong type.
    """
    file = _folder() / f"methodology-{version}.toml"
    if not file.is_file():
        raise DefinitionError(f"methodology {version}: no file {file.name} in methodology/rules")
    return parse_methodology(file.name, file.read_bytes())


def parse_methodology(name: str, body: bytes) -> Methodology:
    """Return the parameters that a file's bytes state; ``name`` stands in the error.

    Raises:
        DefinitionError: an unknown or missing key, or a wrong type.
    """
    loaded: Methodology = _load(name, body, Methodology)
    return loaded


def load_definition(file: Traversable) -> Definition:
    """Return one definition from its TOML file; raises as :func:`parse_definition`."""
    return parse_definition(file.name, file.read_bytes())


def parse_definition(name: str, body: bytes) -> Definition:
    """Return the definition that a file's bytes state; ``name`` stands in the error.

    Raises:
        DefinitionError: malformed, unknown key, unknown family, contradicting keys.
    """
    try:
        family = tomllib.loads(body.decode("utf-8")).get("family")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DefinitionError(f"{name}: not valid TOML: {error}") from error
    models: dict[object, type[BaseModel]] = {
        "TKR": RateDefinition,
        "GPR": RateDefinition,
        "TKX": CompositeDefinition,
        "TEX": CompositeDefinition,
        "SPK": SpreadDefinition,
        "USE": UsageDefinition,
        "QAX": QualityDefinition,
    }
    if family not in models:
        raise DefinitionError(
            f"{name}: key 'family': {family!r} is none of {sorted(map(str, models))}"
        )
    loaded: Definition = _load(name, body, models[family])
    return loaded


PAST = "past"
"""Folder of ``rules`` that holds what is no longer in force; see ``methodology.rulebooks``."""


def _files() -> Iterator[tuple[str, Traversable]]:
    """Yield path and file of every definition in force, in order of path."""
    for folder in sorted(_folder().iterdir(), key=lambda item: item.name):
        if folder.is_dir() and folder.name != PAST:
            for file in sorted(folder.iterdir(), key=lambda item: item.name):
                if file.name.endswith(".toml"):
                    yield f"{folder.name}/{file.name}", file


@cache
def load_definitions() -> tuple[Definition, ...]:
    """Return every definition of the rulebook, in file order.

    Raises:
        DefinitionError: one of the files is wrong, or two define the same index id.
    """
    return all_of((file.name, load_definition(file)) for _, file in _files())


def all_of(found: Iterable[tuple[str, Definition]]) -> tuple[Definition, ...]:
    """Return definitions given with the names of their files, once no id stands twice.

    A file of several instruments gives one definition for each (rulebook 1.4).

    Raises:
        DefinitionError: two files define the same index id, or a parent is no rate index of the
            same session.
    """
    seen: dict[str, str] = {}
    kept: list[Definition] = []
    for name, definition in found:
        for index_id in definition.index_ids:
            if index_id in seen:
                raise DefinitionError(
                    f"{name}: {index_id} is defined twice, first by {seen[index_id]}: remove "
                    "one of the files or change its instrument, meters or suffix"
                )
            seen[index_id] = name
        kept += definition.each() if isinstance(definition, RateDefinition) else (definition,)
    _check_parents(kept)
    return tuple(kept)


def _check_parents(found: Iterable[Definition]) -> None:
    rates = [d for d in found if isinstance(d, RateDefinition)]
    sessions = {name: d.session for d in rates for name in d.index_ids}
    for child in rates:
        if child.parent and sessions.get(child.parent) != child.session:
            raise DefinitionError(
                f"{child.index_ids[0]}: parent {child.parent!r} is no rate index of session "
                f"{child.session}; name one that is, or leave the key out"
            )


def rule_bodies() -> dict[str, bytes]:
    """Return the bytes of every rule file in force by its path below ``rules``, sorted."""
    found = {f.name: f.read_bytes() for f in _folder().iterdir() if f.name.endswith(".toml")}
    found |= {path: file.read_bytes() for path, file in _files()}
    return dict(sorted(found.items()))


def frozen_listing() -> str:
    """Return the digests of all rule files as text, one ``<sha256>  <path>`` line each, sorted."""
    return "".join(
        f"{hashlib.sha256(body).hexdigest()}  {path}\n" for path, body in rule_bodies().items()
    )


__all__ = [
    "IN_FORCE",
    "PAST",
    "Admission",
    "CompositeDefinition",
    "Definition",
    "DerivedDefinition",
    "Methodology",
    "QualityDefinition",
    "RateDefinition",
    "SessionId",
    "all_of",
    "frozen_listing",
    "load_definition",
    "load_definitions",
    "load_methodology",
    "parse_definition",
    "parse_methodology",
    "rule_bodies",
]
