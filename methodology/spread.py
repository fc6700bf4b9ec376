"""Token-compute spreads: a million tokens, less the GPU-hours they take (rulebook 18).

``S = P - h * G``: P a published token rate, G a published GPU rate, h the GPU-hours per million
tokens of a dated table of documented throughputs. Everything is integers; the spread may be
negative, and the one rounding is the same half up below zero (rulebook 18.3).
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from datetime import date
from functools import cache
from importlib import resources

from pydantic import Field, ValidationError, field_validator

from methodology.errors import DefinitionError, PriceError
from methodology.parameters import Strict
from methodology.units import exact, half_up
from methodology.waterfall import LEVELS

HEAT_UNITS = 10**6
"""A heat rate is published with six decimals of a GPU-hour per million tokens."""

SECONDS = 3600
NANO = 10**9
GRADES = "ABCD"


class HeatRate(Strict):
    """One documented throughput, as its source states it."""

    models: tuple[str, ...] = Field(min_length=1)
    sku: str
    precision: str
    in_tokens_per_second: str | None = None
    out_tokens_per_second: str
    gpus: int = Field(ge=1)
    stated: date
    effective_from: date
    reviewed: date
    review_due: date
    source: str = Field(pattern="^https://")
    why: str = Field(min_length=1)

    @field_validator("in_tokens_per_second", "out_tokens_per_second")
    @classmethod
    def _positive(cls, text: str | None) -> str | None:
        if text is not None and exact(text) <= 0:
            raise ValueError("a throughput is above zero")
        return text

    def gpu_hours_e6(self, meter: str, blend: tuple[int, int] = (3, 1)) -> int | None:
        """Return GPU-hours per million tokens in units of 1e-6, half up; ``None`` if not stated.

        Args:
            meter: ``IN``, ``OUT``, or ``BLD``: parts of the two published figures.
            blend: parts of input and of output in ``BLD`` (rulebook 2.3).
        """
        if meter == "BLD":
            first, second = self.gpu_hours_e6("IN"), self.gpu_hours_e6("OUT")
            if first is None or second is None:
                return None
            return half_up(blend[0] * first + blend[1] * second, sum(blend))
        text = self.in_tokens_per_second if meter == "IN" else self.out_tokens_per_second
        if text is None:
            return None
        hours = self.gpus * 10**6 * HEAT_UNITS / (exact(text) * SECONDS)
        return half_up(hours.numerator, hours.denominator)


class _Table(Strict):
    heat_rate: tuple[HeatRate, ...]


def parse_heat_rates(text: str, name: str = "heat_rates.toml") -> tuple[HeatRate, ...]:
    """Return the lines of a heat-rate table, in file order.

    Raises:
        DefinitionError: not TOML, a wrong key or figure, a line in force before it was stated, or
            two lines for one model, SKU and precision from the same day.
    """
    try:
        lines = _Table.model_validate(tomllib.loads(text)).heat_rate
    except (tomllib.TOMLDecodeError, ValidationError, PriceError) as error:
        raise DefinitionError(f"{name}: {error}; correct the line") from error
    seen = set()
    for line in lines:
        if line.effective_from <= line.stated:
            raise DefinitionError(
                f"{name}: {line.source}: in force from {line.effective_from}, but stated only on "
                f"{line.stated}; a line holds from the day after"
            )
        for model in line.models:
            key = (model, line.sku, line.precision, line.effective_from)
            if key in seen:
                raise DefinitionError(f"{name}: {key} stands twice; a review adds a later day")
            seen.add(key)
    return lines


@cache
def load_heat_rates() -> tuple[HeatRate, ...]:
    """Return the packaged table; raises as :func:`parse_heat_rates`."""
    file = resources.files("methodology") / "instruments" / "heat_rates.toml"
    return parse_heat_rates(file.read_text("utf-8"))


def heat_rate_on(
    lines: Iterable[HeatRate], model: str, sku: str, precision: str, day: date
) -> HeatRate | None:
    """Return the line in force on an index day, ``None`` if there is none (rulebook 18.2)."""
    mine = [
        line
        for line in lines
        if model in line.models
        and (line.sku, line.precision) == (sku, precision)
        and line.effective_from <= day
    ]
    return max(mine, key=lambda line: line.effective_from) if mine else None


def spread_units(
    token: tuple[int, int], gpu: tuple[int, int], gpu_hours_e6: int, decimals: int
) -> int:
    """Return the spread in units of ``10**-decimals`` per million tokens (rulebook 18.3).

    Args:
        token: published token rate as units and their decimals.
        gpu: published GPU rate, likewise.
        gpu_hours_e6: the heat rate.
        decimals: published decimals of the spread.
    """
    rate, hour = token[0] * 10 ** (9 - token[1]), gpu[0] * 10 ** (9 - gpu[1])
    return half_up(rate * HEAT_UNITS - gpu_hours_e6 * hour, HEAT_UNITS * 10 ** (9 - decimals))


def worse_level(levels: Iterable[str]) -> str:
    """Return the lowest of some waterfall levels (rulebook 18.4)."""
    return max(levels, key=LEVELS.index)


def worse_grade(grades: Iterable[str]) -> str:
    """Return the lowest of some grades (rulebook 18.4)."""
    return max(grades, key=GRADES.index)
