"""The rulebook as a reader finds it: clause to title and line, parameter to value, name to code."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

RULEBOOK = "methodology/README.md"

_CLAUSE = re.compile(r"^#{2,3} (\d+(?:\.\d+)?) (.+)$")


@dataclass(frozen=True)
class Clause:
    """One clause: its number, title and line in the rulebook."""

    number: str
    title: str
    line: int


@cache
def clauses() -> Mapping[str, Clause]:
    """Return every clause of the rulebook by number, from the text shipped with the code."""
    text = (resources.files("methodology") / "README.md").read_text("utf-8")
    found = {}
    for place, line in enumerate(text.splitlines(), 1):
        match = _CLAUSE.match(line)
        if match:
            found[match[1]] = Clause(match[1], match[2], place)
    return found


def value_at(rules: Any, path: str) -> str:
    """Return a parameter by its dotted path, written as the rulebook writes it.

    A ratio is decimal text where it ends within six places, else numerator over denominator.

    Raises:
        LookupError: the rules have no such parameter.
    """
    here = rules
    for part in path.split("."):
        if isinstance(here, Mapping):
            here = here[part]
        elif hasattr(here, part):
            here = getattr(here, part)
        else:
            raise LookupError(f"no parameter {path!r} in methodology {rules.version}")
    numerator, denominator = getattr(here, "numerator", None), getattr(here, "denominator", None)
    if denominator in (None, 1):
        return str(here)
    if 10**6 % denominator == 0 and denominator not in (2, 4, 5, 8):
        whole, part_ = divmod(numerator * (10**6 // denominator), 10**6)
        return f"{whole}.{part_:06d}".rstrip("0")
    return f"{numerator}/{denominator}"


def place_of(name: str) -> str:
    """Return where a function stands, as ``methodology/units.py:42``.

    Raises:
        LookupError: no such function.
    """
    module, _, attribute = name.rpartition(".")
    try:
        target = getattr(importlib.import_module(module), attribute)
        target = inspect.unwrap(target)
        line = inspect.getsourcelines(target)[1]
        file = Path(inspect.getsourcefile(target) or "")
    except (ImportError, AttributeError, TypeError, OSError) as error:
        raise LookupError(f"no function {name!r}") from error
    return f"{file.parent.name}/{file.name}:{line}"
