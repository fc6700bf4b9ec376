"""TOML to frozen definitions: what each index is and which parameters decide (rulebook 1).

An unknown key, a missing key or a wrong type is an error that names file and key: a rule that is
silently ignored is worse than none. The bytes of every file are digested; the digest stands in
each fixing, and ``rules/FROZEN.sha256`` lists what is in force.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterator
from datetime import date
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError, model_validator

from methodology.errors import DefinitionError
from methodology.parameters import Methodology, Strict

Admission = Literal["settlement", "reference", "internal"]
SessionId = Literal["SHA", "NYC"]


class _Definition(Strict):
    schema_id: Literal["definition/1.0"] = Field(alias="schema")
    version: str
    methodology: str
    effective_from: date
    title: str
    session: SessionId
    admission: Admission
    suffix: str = ""
    sources: tuple[str, ...] = Field(min_length=1)
    digest: str


class RateDefinition(_Definition):
    """A rate index: one instrument, one or more meters, many sellers (rulebook 1.2).

    One file may define several meters of one instrument; each is an index of its own.
    """

    family: Literal["TKR", "GPR"]
    instrument: str
    meters: tuple[Literal["IN", "CIN", "OUT", "BLD", "GPU_H"], ...] = Field(min_length=1)
    classes: tuple[str, ...] = Field(min_length=1)
    tenor: Literal["on_demand", "spot"] = "on_demand"
    region: str = "GLB"
    regions: tuple[str, ...] = ()
    currencies: tuple[Literal["USD", "CNY"], ...] = ("USD",)
    small_panel: bool = False

    def index_id(self, meter: str) -> str:
        """Return the id of one index of this file, e.g. ``TKR-glm-5-BLD``."""
        if self.family == "TKR":
            return f"TKR-{self.instrument}-{meter}{self.suffix}"
        tenor = {"on_demand": "OD", "spot": "SPT"}[self.tenor]
        return f"GPR-{self.instrument}-{tenor}-{self.classes[0]}-{self.region}{self.suffix}"

    @property
    def index_ids(self) -> tuple[str, ...]:
        """Every index id this file defines."""
        return tuple(self.index_id(meter) for meter in self.meters)

    @model_validator(mode="after")
    def _consistent(self) -> RateDefinition:
        if (self.family == "GPR") != (self.meters == ("GPU_H",)):
            raise ValueError("GPR has the one meter GPU_H, TKR never has it")
        if self.family == "GPR" and len(self.classes) != 1:
            raise ValueError("GPU classes are never pooled: name exactly one")
        if self.small_panel and self.admission == "settlement":
            raise ValueError("a small panel is reference only")
        return self


class CompositeDefinition(_Definition):
    """A composite of models: a level in points, or the unit value beside it (rulebook 13)."""

    family: Literal["TKX", "TEX"]
    segment: str
    meter: Literal["BLD"] | None = None
    currency: Literal["USD", "CNY"]
    domiciles: tuple[str, ...] = ()
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


Definition = RateDefinition | CompositeDefinition


def _load(file: Traversable, model: type[BaseModel]) -> Any:
    body = file.read_bytes()
    try:
        content = tomllib.loads(body.decode("utf-8"))
        return model.model_validate({**content, "digest": hashlib.sha256(body).hexdigest()})
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise DefinitionError(
            f"{file.name}: key {key!r}: {first['msg']} (saw {first.get('input')!r}); "
            "correct the file or compare it with the rulebook"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DefinitionError(f"{file.name}: not valid TOML: {error}") from error


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
    loaded: Methodology = _load(file, Methodology)
    return loaded


def load_definition(file: Traversable) -> Definition:
    """Return one definition from its TOML file.

    Raises:
        DefinitionError: malformed, unknown key, unknown family, contradicting keys.
    """
    try:
        family = tomllib.loads(file.read_text("utf-8")).get("family")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DefinitionError(f"{file.name}: not valid TOML: {error}") from error
    models: dict[object, type[BaseModel]] = {
        "TKR": RateDefinition,
        "GPR": RateDefinition,
        "TKX": CompositeDefinition,
        "TEX": CompositeDefinition,
    }
    if family not in models:
        raise DefinitionError(
            f"{file.name}: key 'family': {family!r} is none of {sorted(map(str, models))}"
        )
    loaded: Definition = _load(file, models[family])
    return loaded


def _files() -> Iterator[Traversable]:
    for folder in sorted(_folder().iterdir(), key=lambda item: item.name):
        if folder.is_dir():
            for file in sorted(folder.iterdir(), key=lambda item: item.name):
                if file.name.endswith(".toml"):
                    yield file


@cache
def load_definitions() -> tuple[Definition, ...]:
    """Return every definition of the rulebook, in file order.

    Raises:
        DefinitionError: one of the files is wrong, or two define the same index id.
    """
    files = list(_files())
    found = tuple(load_definition(file) for file in files)
    seen: dict[str, str] = {}
    for file, definition in zip(files, found, strict=True):
        for index_id in definition.index_ids:
            if index_id in seen:
                raise DefinitionError(
                    f"{file.name}: {index_id} is defined twice, first by {seen[index_id]}: remove "
                    "one of the files or change its instrument, meters or suffix"
                )
            seen[index_id] = file.name
    return found


def frozen_listing() -> str:
    """Return the digests of all rule files as text, one ``<sha256>  <path>`` line each, sorted."""
    files = [("", file) for file in _folder().iterdir() if file.name.endswith(".toml")]
    for folder in _folder().iterdir():
        if folder.is_dir():
            files += [(f"{folder.name}/", f) for f in folder.iterdir() if f.name.endswith(".toml")]
    lines = (
        f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {prefix}{file.name}\n"
        for prefix, file in files
    )
    return "".join(sorted(lines, key=lambda line: line[66:]))


__all__ = [
    "IN_FORCE",
    "Admission",
    "CompositeDefinition",
    "Definition",
    "Methodology",
    "RateDefinition",
    "SessionId",
    "frozen_listing",
    "load_definition",
    "load_definitions",
    "load_methodology",
]
