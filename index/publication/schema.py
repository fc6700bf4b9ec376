"""JSON Schema 2020-12 of every record type, and the check that a record keeps its own.

The schemas are the files next to this module; one speaks for each ``type`` at version 1.0. They
are closed: a field that they do not name is refused, and so is one that is missing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from functools import cache
from importlib import resources
from typing import Any, Final

import jsonschema
from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError

from methodology.errors import VerificationError

SCHEMAS: Final = (
    "basket", "batch", "calendar", "cessation", "commitment", "complaint", "erratum", "fixing",
    "incident", "key", "methodology", "notice", "restatement", "settlement", "witness",
)  # fmt: skip
"""Every type of record, by name; ``<type>-1.0.json`` is its schema."""

SHOWN: Final = 120
"""So many characters of a wrong value stand in the message."""


def schema_of(kind: str) -> dict[str, Any]:
    """Return the schema of a record type as it stands in its file.

    Raises:
        KeyError: there is no such type.
    """
    if kind not in SCHEMAS:
        raise KeyError(kind)
    found: dict[str, Any] = json.loads(schema_text(kind))
    return found


def schema_text(kind: str) -> str:
    """Return the text of a schema's file; for whoever serves it."""
    folder = resources.files("index") / "publication" / "schemas"
    return (folder / f"{kind}-1.0.json").read_text("utf-8")


def check(record: Mapping[str, Any]) -> None:
    """Check one record against the schema of its type.

    Args:
        record: the whole record, its place in the log included.

    Raises:
        VerificationError: unknown type, or a field that is missing, not known, of another type or
            outside what its description allows. The message names seq, type, field and value.
    """
    for problem in problems(record):
        raise VerificationError(problem)


def problems(record: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for everything in which a record differs from its schema."""
    kind, seq = record.get("type"), record.get("seq")
    if kind not in SCHEMAS:
        known = ", ".join(SCHEMAS)
        yield f"record {seq}: field type = {_shown(kind)}: there is no such type; write {known}"
        return
    said = _validator(str(kind))
    if said.is_valid(record):
        return
    found = (
        told for error in sorted(said.iter_errors(record), key=_order) for told in _told(error)
    )
    yield from dict.fromkeys(
        f"record {seq} ({kind}/1.0): field {field} = {_shown(value)}: {what}"
        for field, value, what in found
    )


def _told(error: ValidationError) -> Iterator[tuple[str, Any, str]]:
    """Yield field, value and what is wrong with it, for one error."""
    path = ".".join(str(part) for part in error.absolute_path)
    here = f"{path}." if path else ""
    if error.validator == "required" and isinstance(error.instance, Mapping):
        for name in error.validator_value:
            if name not in error.instance:
                yield f"{here}{name}", _Missing(), "is missing; write null for unknown"
    elif error.validator == "additionalProperties" and isinstance(error.instance, Mapping):
        for name in sorted(set(error.instance) - set(error.schema["properties"])):
            yield f"{here}{name}", error.instance[name], "is not a field of the schema"
    elif error.validator is None:  # a property that another field rules out
        yield path, error.instance, "has no place beside the other fields"
    else:
        wanted = json.dumps(error.validator_value, ensure_ascii=False)
        yield path or "record", error.instance, f"{error.validator} is {_cut(wanted)}"


class _Missing:
    def __repr__(self) -> str:
        return "nothing"


def _shown(value: object) -> str:
    return _cut(repr(value))


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"


def _order(error: ValidationError) -> tuple[bool, int, str]:
    # What one field asks of another comes last: it often only follows from what is wrong with one.
    return "allOf" in error.absolute_schema_path, len(error.absolute_path), error.json_path


@cache
def _validator(kind: str) -> Any:
    return _Validator(schema_of(kind), format_checker=_FORMATS)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    # In JSON Schema (ECMA-262) "$" is the very end; Python's also stands before a line feed.
    return re.compile(pattern[:-1] + r"\Z" if pattern.endswith("$") else pattern, re.ASCII)


def _pattern(
    validator: Any, pattern: str, instance: object, schema: Mapping[str, Any]
) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not _compiled(pattern).search(instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


_SOUND: set[tuple[int, type, object]] = set()
_KEPT: Final = 50_000


def _properties(
    validator: Any, properties: Mapping[str, Any], instance: object, schema: Mapping[str, Any]
) -> Iterator[ValidationError]:
    """Check each property, but not a plain value that stood before under the same subschema.

    Whether it stands depends on nothing else, and most values of a record are those of the last.
    """
    if not isinstance(instance, Mapping):
        return
    for name, wanted in properties.items():
        if name not in instance:
            continue
        value = instance[name]
        if wanted is False:  # the library does not say where
            yield ValidationError("", validator=None, instance=value, schema=wanted, path=[name])
            continue
        known = None
        if value is None or isinstance(value, str | int):
            known = id(wanted), type(value), value
            if known in _SOUND:
                continue
        is_sound = True
        for error in validator.descend(value, wanted, path=name, schema_path=name):
            is_sound = False
            yield error
        if is_sound and known is not None:
            if len(_SOUND) >= _KEPT:
                _SOUND.clear()
            _SOUND.add(known)


_Validator: Final = jsonschema.validators.extend(
    Draft202012Validator, {"pattern": _pattern, "properties": _properties}
)


def _is_date(value: object) -> bool:
    if isinstance(value, str):
        date.fromisoformat(value)
    return True


def _is_time(value: object) -> bool:
    if isinstance(value, str):
        datetime.fromisoformat(value)
    return True


_FORMATS: Final = FormatChecker(formats=())
_FORMATS.checks("date", raises=ValueError)(_is_date)
_FORMATS.checks("date-time", raises=ValueError)(_is_time)
