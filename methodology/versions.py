"""Versions of rules: which change may follow which, and from when (rulebook 23).

PATCH changes no value, MINOR adds indices, sources or tables, MAJOR may change a value on the
same inputs. What software can hold of that is held here: what a version's number promises is
compared with what its files say, and a MAJOR has to show its consultation, notice and parallel run
and must leave every month alone whose vintage is frozen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any, Literal, NamedTuple

from methodology import clock
from methodology.definition import Definition, Methodology
from methodology.errors import DefinitionError
from methodology.parameters import Change

CONSULTATION_DAYS = 60
"""Days for which a MAJOR is open for comment."""

NOTICE_DAYS = 30
"""Days between the notice and the first day of a MAJOR."""

PARALLEL_DAYS = 20
"""Days on which both versions are computed side by side."""

Step = Literal["MAJOR", "MINOR", "PATCH"]

_TOLD = {"version", "digest", "change", "schema_id"}
"""Keys that decide no value, and are free to say something else in another version."""

_METHODOLOGY_TOLD = _TOLD | {"effective_from"}

_DEFINITION_TOLD = _TOLD | {"methodology", "title"}
"""A definition's ``effective_from`` does decide: its panel starts there."""


class Version(NamedTuple):
    """A version number by its parts."""

    major: int
    minor: int
    patch: int

    @classmethod
    def of(cls, text: str) -> Version:
        """Return the version that a text such as ``"1.2.0"`` names.

        Raises:
            DefinitionError: not three whole numbers without leading zeros.
        """
        parts = text.split(".")
        if len(parts) != 3 or any(not p.isascii() or str(_whole(p)) != p for p in parts):
            raise DefinitionError(f"version {text!r}: write three whole numbers, as in 1.2.0")
        return cls(*(int(p) for p in parts))


def _whole(text: str) -> int:
    return int(text) if text.isdigit() else -1


def step_between(old: str, new: str) -> Step | None:
    """Return what the step from one version to a later one claims, ``None`` for the same version.

    Raises:
        DefinitionError: the new version is not above the old one.
    """
    was, now = Version.of(old), Version.of(new)
    if now == was:
        return None
    if now < was:
        raise DefinitionError(f"version {new} stands below {old}; a version only ever rises")
    if now.major > was.major:
        return "MAJOR"
    return "MINOR" if now.minor > was.minor else "PATCH"


def check_methodology(old: Methodology, new: Methodology) -> None:
    """Refuse parameters that change more than their version number says (rulebook 23.2).

    Raises:
        DefinitionError: the message names the table.
    """
    step = step_between(old.version, new.version)
    name = f"methodology {new.version}"
    if step == "MAJOR":
        check_major(name, new.change, new.effective_from, new.vintage.months_ahead)
        return
    was, now = (dict(_leaves(r.model_dump(exclude=_METHODOLOGY_TOLD))) for r in (old, new))
    changed = sorted(key for key in was if now.get(key) != was[key])
    added = sorted(set(now) - set(was))
    if changed:
        raise DefinitionError(
            f"{name}: {changed[0]} differs from {old.version}: a value could differ on the same "
            "inputs, which takes a new major version (rulebook 23.2)"
        )
    if added and step != "MINOR":
        raise DefinitionError(
            f"{name}: {added[0]} is new since {old.version}, which takes a new minor version "
            "(rulebook 23.2)"
        )


def check_definitions(
    old: Iterable[Definition], new: Iterable[Definition], step: Step | None, months_ahead: int
) -> None:
    """Refuse definitions that change more than the version numbers say (rulebook 23.2).

    Args:
        old: the definitions of the earlier rules.
        new: those of the later rules.
        step: what the step of the methodology's version claims.
        months_ahead: months between freezing a vintage and its month.

    Raises:
        DefinitionError: the message names the index and the key.
    """
    before = {name: d for d in old for name in d.index_ids}
    after = {name: d for d in new for name in d.index_ids}
    gone = sorted(set(before) - set(after))
    if gone and step != "MAJOR":
        raise DefinitionError(
            f"{gone[0]}: no longer defined; an index ends only with a new major version and twelve "
            "months of notice (rulebook 23.2)"
        )
    if set(after) - set(before) and step not in ("MAJOR", "MINOR"):
        first = min(set(after) - set(before))
        raise DefinitionError(f"{first}: is new, which takes a new minor version (rulebook 23.2)")
    for name in sorted(set(before) & set(after)):
        _check_definition(name, before[name], after[name], step, months_ahead)


def _check_definition(
    name: str, old: Definition, new: Definition, step: Step | None, months_ahead: int
) -> None:
    own = step_between(old.version, new.version)
    if own == "MAJOR":
        check_major(f"{name} {new.version}", new.change, new.effective_from, months_ahead)
        return
    was, now = _deciding(old), _deciding(new)
    changed = sorted(key for key in {*was, *now} if now.get(key) != was.get(key))
    if changed == ["sources"] and now["sources"][: len(was["sources"])] == was["sources"]:
        if own == "MINOR" and step in ("MAJOR", "MINOR"):
            return
        raise DefinitionError(
            f"{name}: has a new source, which takes a new minor version of the definition and of "
            "the rules (rulebook 23.2)"
        )
    if changed:
        raise DefinitionError(
            f"{name}: key {changed[0]!r} differs from version {old.version}: a value could differ "
            "on the same inputs, which takes a new major version (rulebook 23.2)"
        )


def _leaves(table: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every parameter by its dotted path; a table that is not there yields nothing."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{path}{key}.")
        elif value is not None:
            yield path + key, value


def _deciding(definition: Definition) -> dict[str, Any]:
    """Return the keys that decide a value. One that stands at its default says what absence says:
    a key that came later changes nothing in a file that does not have it."""
    fields = type(definition).model_fields
    return {
        key: getattr(definition, key)
        for key in fields
        if key not in _DEFINITION_TOLD and getattr(definition, key) != fields[key].default
    }


def check_major(name: str, change: Change | None, effective: date, months_ahead: int) -> None:
    """Refuse a MAJOR that skipped a step of change control (rulebook 23.3).

    Raises:
        DefinitionError: no ``[change]`` table; consultation, notice or parallel run too short or
            in the wrong order; it does not begin with a month; or the vintage of that month was
            frozen when notice was given.
    """
    if change is None:
        raise DefinitionError(
            f"{name}: a major version has a table [change] with consultation, notice, parallel run "
            "and the digest of its evidence (rulebook 23.3)"
        )
    spans = (
        ("consultation", change.consultation_from, change.consultation_to, CONSULTATION_DAYS),
        ("parallel run", change.parallel_from, change.parallel_to, PARALLEL_DAYS),
        ("notice", change.notice, effective, NOTICE_DAYS),
    )
    for what, first, last, need in spans:
        if (last - first).days < need:
            raise DefinitionError(
                f"{name}: its {what} from {first} to {last} is shorter than {need} days "
                "(rulebook 23.3)"
            )
    if change.consultation_to > change.notice or change.parallel_to > effective:
        raise DefinitionError(
            f"{name}: notice is given after the consultation, and the parallel run ends before the "
            "version holds (rulebook 23.3)"
        )
    check_vintage(name, effective, change.notice, months_ahead)


def check_vintage(name: str, effective: date, frozen_by: date, months_ahead: int) -> None:
    """Refuse a MAJOR inside a month whose vintage was frozen by a day (rulebook 23.3).

    Raises:
        DefinitionError: the message names the first month that is free.
    """
    free = first_free_month(frozen_by, months_ahead)
    if effective < free or effective.day != 1:
        raise DefinitionError(
            f"{name}: holds from {effective}, but by {frozen_by} the vintages of all months before "
            f"{free:%Y-%m} were frozen under the earlier version; let it hold from {free} or the "
            "first day of a later month (rulebook 23.3)"
        )


def first_free_month(day: date, months_ahead: int) -> date:
    """Return the first month whose vintage is not frozen on ``day``, as its first day.

    The vintage of a month is frozen on the first day of the month ``months_ahead`` before it, so
    on any day of a month those of the next ``months_ahead`` months are frozen.
    """
    return clock.month_start(day, months_ahead + 1)


__all__ = [
    "CONSULTATION_DAYS",
    "NOTICE_DAYS",
    "PARALLEL_DAYS",
    "Step",
    "Version",
    "check_definitions",
    "check_major",
    "check_methodology",
    "check_vintage",
    "first_free_month",
    "step_between",
]
