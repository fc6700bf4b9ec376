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
from fractions import Fraction
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from methodology.errors import DefinitionError

Admission = Literal["settlement", "reference", "internal"]
SessionId = Literal["SHA", "NYC"]


def _fraction(value: object) -> Fraction:
    try:
        if isinstance(value, str):
            return Fraction(value)
        if isinstance(value, list) and len(value) == 2 and all(type(v) is int for v in value):
            return Fraction(value[0], value[1])
    except ZeroDivisionError as error:
        raise ValueError("a ratio needs a denominator above zero") from error
    if type(value) is int:
        return Fraction(value)
    raise ValueError("write a ratio as [numerator, denominator] or as decimal text, not as a float")


Ratio = Annotated[Fraction, BeforeValidator(_fraction)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Window(_Strict):
    """Parameters of the input window (rulebook 4)."""

    max_fetch_age_hours: int
    confirm_after_hours: int
    steady_hours: int


class Bounds(_Strict):
    """Bounds of a credible price per canonical unit (rulebook 6.1)."""

    token_min: Ratio
    token_max: Ratio
    gpu_min: Ratio
    gpu_max: Ratio
    out_to_in_min: Ratio


class Jump(_Strict):
    """Parameters of the jump screen (rulebook 6.2)."""

    token_ratio: Ratio
    gpu_ratio: Ratio
    crowd_ratio: Ratio
    crowd_groups: int
    max_held_days: int


class Gross(_Strict):
    """Parameters of the gross-error screen (rulebook 6.3)."""

    exclude_ratio: int
    reenter_ratio: int
    max_excluded_share: Ratio
    outlier_mads: Ratio
    mad_scale: Ratio


class Weights(_Strict):
    """Caps on one legal group's weight (rulebook 5.3)."""

    cap_floor: Ratio
    cap_numerator: Ratio
    cap_largest_panels: Ratio


class Estimator(_Strict):
    """Panel sizes from which each estimator holds (rulebook 7.1)."""

    small_panel: int
    median: int
    trimmed_25: int
    trimmed_40: int


class Waterfall(_Strict):
    """Triggers of the waterfall (rulebook 10)."""

    full_groups: int
    full_weight: Ratio
    full_fresh: Ratio
    full_evidence: Ratio
    reduced_groups: int
    reduced_weight: Ratio
    small_groups: int
    carried_input_hours: int
    model_daily_limit: Ratio
    model_max_days: int
    carry_max_days: int


class Imputation(_Strict):
    """How long a missing price may be imputed (rulebook 8.4)."""

    max_days: int


class Vintage(_Strict):
    """When a panel is frozen, and how many groups start an index (rulebook 8.1)."""

    months_ahead: int
    start_groups: int


class Grade(_Strict):
    """Parameters of the data sufficiency grade (rulebook 12)."""

    tier_scores: dict[str, Ratio]
    effective_n_full: int
    spread_full: Ratio
    spread_floor: Ratio
    concentration_free: Ratio
    concentration_span: Ratio
    a_score: Ratio
    b_score: Ratio
    c_score: Ratio


class Precision(_Strict):
    """Published decimals (rulebook 3.5)."""

    token_decimals: int
    gpu_decimals: int
    points_decimals: int
    weight_decimals: int
    level_decimals: int


class Fx(_Strict):
    """Currency conversion (rulebook 9)."""

    max_age_days: int


class CompositeRules(_Strict):
    """Parameters of composites (rulebook 13)."""

    base: int
    volume_days: int
    volume_lag_days: int
    developer_cap: Ratio
    model_cap: Ratio
    min_models: int
    min_developers: int
    tkr_min_groups: int
    quantity_decimals: int


class Methodology(_Strict):
    """Every parameter of one methodology version; a field per table of the TOML file."""

    schema_id: Literal["methodology/1.0"] = Field(alias="schema")
    version: str
    effective_from: date
    window: Window
    bounds: Bounds
    jump: Jump
    gross: Gross
    weights: Weights
    estimator: Estimator
    waterfall: Waterfall
    imputation: Imputation
    vintage: Vintage
    grade: Grade
    precision: Precision
    fx: Fx
    composite: CompositeRules
    blend: dict[str, dict[str, int]]
    digest: str


class _Definition(_Strict):
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


@cache
def load_methodology(version: str = "1.0.0") -> Methodology:
    """Return the parameters of a methodology version.

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
