"""Public evaluations to tiers of capability (rulebook 13.8).

Each reading of ``instruments/evaluations.toml`` holds the scores of one day. The capability of a
model is the mean, over the evaluations of the reading, of its score as a part of the best score of
that reading; the mean is an exact ratio, and so is every comparison.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from functools import cache
from importlib import resources

from methodology.errors import DefinitionError
from methodology.parameters import Tiers

TIERS = ("small", "mid", "frontier")
"""From the least capable to the most."""

FILE = "evaluations.toml"
_KEYS = {"read_on", "evaluator", "source", "origin", "body_sha256", "evaluations", "scores"}


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read on one day: ``scores`` by model, one score per evaluation, in their order."""

    read_on: date
    evaluator: str
    source: str
    origin: str
    body_sha256: str
    evaluations: tuple[str, ...]
    scores: Mapping[str, tuple[Fraction, ...]]


def parse_evaluations(text: str, where: str = FILE) -> tuple[Reading, ...]:
    """Return the readings of an evaluations register, oldest first.

    Raises:
        DefinitionError: not TOML, an unknown or missing key, a score that is no plain decimal
            text above zero, a model with another number of scores than there are evaluations, or
            readings out of order. The message names reading and model.
    """
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DefinitionError(f"{where}: not valid TOML: {error}") from error
    if set(content) - {"reading"}:
        raise DefinitionError(f"{where}: unknown table {sorted(set(content) - {'reading'})}")
    found: list[Reading] = []
    for row in content.get("reading", []):
        if set(row) != _KEYS:
            odd = sorted(set(row) ^ _KEYS)
            raise DefinitionError(f"{where}: reading {row.get('read_on')}: keys {odd} differ")
        names = tuple(row["evaluations"])
        if type(row["read_on"]) is not date or len(set(names)) != len(names) or not names:
            raise DefinitionError(f"{where}: reading {row['read_on']!r}: date or evaluations wrong")
        if found and row["read_on"] <= found[-1].read_on:
            raise DefinitionError(f"{where}: reading {row['read_on']} stands out of order")
        scores = {}
        for model, values in row["scores"].items():
            told = f"{where}: reading {row['read_on']}: {model}"
            if len(values) != len(names):
                raise DefinitionError(f"{told}: {len(values)} scores for {len(names)} evaluations")
            scores[model] = tuple(_score(value, told) for value in values)
        found.append(
            Reading(
                read_on=row["read_on"],
                evaluator=row["evaluator"],
                source=row["source"],
                origin=row["origin"],
                body_sha256=row["body_sha256"],
                evaluations=names,
                scores=scores,
            )
        )
    return tuple(found)


def _score(value: object, told: str) -> Fraction:
    try:
        number = Decimal(value) if isinstance(value, str) else None
    except InvalidOperation:
        number = None
    if number is None or not number.is_finite() or number <= 0:
        raise DefinitionError(f"{told}: score {value!r} is not decimal text above zero; correct it")
    return Fraction(number)


@cache
def load_evaluations() -> tuple[Reading, ...]:
    """Return the packaged readings; raises as :func:`parse_evaluations`."""
    file = resources.files("methodology") / "instruments" / FILE
    if not file.is_file():
        raise DefinitionError(f"{FILE}: missing from methodology/instruments; reinstall")
    return parse_evaluations(file.read_text("utf-8"))


def capabilities(reading: Reading) -> dict[str, Fraction]:
    """Return capability by model, at most 1: the mean of ``score / best score`` (rulebook 13.8)."""
    if not reading.scores:
        return {}
    count = len(reading.evaluations)
    best = [max(s[n] for s in reading.scores.values()) for n in range(count)]
    return {
        model: sum((score / top for score, top in zip(scores, best, strict=True)), Fraction(0))
        / count
        for model, scores in reading.scores.items()
    }


def tiers_on(
    day: date, limits: Tiers | None, readings: Sequence[Reading] | None = None
) -> dict[str, str]:
    """Return the tier of every model that has one, by the readings made until ``day``.

    Readings are taken in order of day. A model that had a tier at the reading before changes it
    only when its part of the best capability is beyond the border by the buffer. A reading of too
    few evaluations gives no tier to anybody, and a model the newest reading lacks has none.

    Args:
        day: the last day whose reading counts.
        limits: borders, buffer, least number of evaluations; ``None`` (a version without tiers)
            gives no tier to anybody.
        readings: the packaged ones unless given.
    """
    if limits is None:
        return {}
    if readings is None:
        count = sum(reading.read_on <= day for reading in load_evaluations())
        return dict(_packaged_tiers(count, limits))
    return _tiers([reading for reading in readings if reading.read_on <= day], limits)


@cache
def _packaged_tiers(count: int, limits: Tiers) -> dict[str, str]:
    return _tiers(load_evaluations()[:count], limits)


def _tiers(readings: Sequence[Reading], limits: Tiers) -> dict[str, str]:
    found: dict[str, str] = {}
    for reading in readings:
        known = capabilities(reading)
        if len(reading.evaluations) < limits.min_evaluations:
            found = {}
            continue
        top = max(known.values(), default=Fraction(1))
        found = {
            model: _tier(capability / top, found.get(model), limits)
            for model, capability in known.items()
        }
    return found


def _tier(part: Fraction, before: str | None, limits: Tiers) -> str:
    def place(value: Fraction) -> int:
        return (value >= limits.mid) + (value >= limits.frontier)

    if before is None:
        return TIERS[place(part)]
    was = TIERS.index(before)
    if place(part) > was:
        return TIERS[max(was, place(part - limits.buffer))]
    return TIERS[min(was, place(part + limits.buffer))]


__all__ = [
    "TIERS",
    "Reading",
    "capabilities",
    "load_evaluations",
    "parse_evaluations",
    "tiers_on",
]
