"""One vector file: its fields, its tolerance, and the rows of what we found.

A field is *taken* when a rule has used it or compared it. What is left at the end and holds
figures is a row with the verdict UNKNOWN: a figure nobody looked at must not look like a pass.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

from methodology.errors import SpotfixError
from methodology.units import round_half_up

PASS, FAIL, UNKNOWN = "PASS", "FAIL", "UNKNOWN"

Number = int | float | Decimal | Fraction

_TALK: Final = re.compile(
    r"^(id|case|name|title|kind|use|how|why|what|note.*|comment.*|reading|seed|version|licence|source"
    r"|produced.*|generated.*|peers?|.*_peers?|peers_.*|.*_source|spec|rule|rule_.*|.*toleranc.*"
    r"|.*agree.*|.*_diff.*|known_.*|warnings?|naming|conventions?|calendars|unit|units|traps?"
    r"|description|software|run_on|read_on|date_read|url|decimals)$"
)
"""Names of fields that talk about a vector and hold nothing to compare."""

_FIGURE: Final = re.compile(r"\s*[+-]?\d+(\.\d+)?([eE][+-]?\d+)?(/\d+)?%?\s*")


class NotUnderstood(SpotfixError):
    """A vector, or a part of it, has a form that no rule here knows."""


@dataclass(frozen=True, slots=True)
class Row:
    """One figure compared: ``verdict`` is PASS, FAIL or UNKNOWN, ``note`` the convention or why."""

    vector: str
    case: str
    expected: str
    got: str
    verdict: str
    note: str


@dataclass
class Sheet:
    """A vector file while it is worked through."""

    vector: str
    told: dict[str, Any]
    folder: Path
    rows: list[Row] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)

    @property
    def relative(self) -> float | None:
        """The file's relative tolerance; ``None``: exact."""
        found = self.told.get("tolerance_rel", self.told.get("rel_tol"))
        return None if found is None else float(found)

    @property
    def absolute(self) -> float | None:
        """The file's absolute tolerance; ``None``: exact."""
        found = self.told.get("tolerance_abs", self.told.get("abs_tol"))
        if found is None and isinstance(self.told.get("tolerance"), Decimal | int | float):
            found = self.told["tolerance"]
        return None if found is None else float(found)

    def take(self, *names: str) -> None:
        """Mark fields as used."""
        self.taken.update(names)

    def get(self, *names: str, default: Any = None) -> Any:
        """Return the first of these fields that is there, and mark it as used."""
        for name in names:
            if name in self.told:
                self.taken.add(name)
                return self.told[name]
        return default

    def each(self, one: Callable[[Sheet, Mapping[str, Any], str], None]) -> None:
        """Give each data set of the file to ``one``, with a prefix for its rows; then the file."""
        cases = self.get("cases", "datasets")
        for n, case in enumerate(cases if isinstance(cases, list) else [], 1):
            with self.guard(str(case.get("id", n))):
                one(self, case, f"{case.get('id', n)}.")
        if any(name.startswith("expected") for name in self.told):
            one(self, self.told, "")

    def check(
        self, case: str, expected: Any, got: Any, note: str = "", decimals: int | None = None
    ) -> None:
        """Compare one figure, or each figure of a list, and note the outcome.

        Args:
            case: names the figure inside its file.
            expected: as the file has it: number, text, truth, ``None`` or a list of these.
            got: ours, in a form of the same depth.
            note: the convention, or how the figure was made.
            decimals: the file gives the figure rounded to so many decimals (half up); ``None``:
                as the file's tolerance says, exact if it has none.
        """
        if isinstance(expected, list):
            found = list(got) if isinstance(got, Iterable) and not isinstance(got, str) else [got]
            if len(found) != len(expected):
                told = f"{len(expected)} figures", f"{len(found)} figures"
                self.rows.append(Row(self.vector, case, *told, FAIL, note))
                return
            for n, (one, ours) in enumerate(zip(expected, found, strict=True), 1):
                self.check(f"{case}[{n}]", one, ours, note, decimals)
            return
        is_same = same(expected, got, self.relative, self.absolute, decimals)
        verdict = PASS if is_same else FAIL
        self.rows.append(Row(self.vector, case, told_of(expected), told_of(got), verdict, note))

    def unknown(self, case: str, expected: Any, reason: str) -> None:
        """Note a figure that nothing here can check, and why."""
        self.rows.append(Row(self.vector, case, told_of(expected), "", UNKNOWN, reason))

    @contextlib.contextmanager
    def guard(self, case: str, told: Any = None) -> Iterator[None]:
        """Turn whatever is not understood inside a case into a row; the next case goes on."""
        try:
            yield
        except SpotfixError as error:
            self.unknown(case, told, str(error))
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            kind = type(error).__name__
            self.unknown(case, told, f"a form not understood: {kind}: {error}")

    def leftovers(self) -> None:
        """Note every field with figures that no rule has taken."""
        self.rest(self.told, "", self.taken)

    def rest(self, part: Mapping[str, Any], case: str, taken: Iterable[str]) -> None:
        """Note every field of a case with figures that is not among ``taken``."""
        known = set(taken)
        for name, value in part.items():
            is_expected = name.startswith("expected")
            if name in known or (_TALK.match(name) and not is_expected):
                continue
            if is_expected or has_figures(value):
                where = f"{case}.{name}" if case else name
                self.unknown(where, value, "no rule here knows this field")


def by_column(table: Any) -> Any:
    """Return a list of objects as an object of lists, without what only numbers its lines."""
    if not (isinstance(table, list) and table and all(isinstance(r, Mapping) for r in table)):
        return table
    names = [n for n in table[0] if n not in ("t", "period", "month", "date", "day", "p", "n")]
    return {name: [row.get(name) for row in table] for name in names}


def has_figures(value: Any) -> bool:
    """Return whether a value of a JSON file holds a number or a truth, at any depth."""
    if isinstance(value, Mapping):
        return any(has_figures(one) for one in value.values())
    if isinstance(value, list):
        return any(has_figures(one) for one in value)
    if isinstance(value, str):
        return bool(_FIGURE.fullmatch(value))
    return isinstance(value, bool | int | float | Decimal)


def exact(value: Any) -> Fraction:
    """Return a figure of a vector file as an exact fraction: number, decimal text or ``"a/b"``.

    Raises:
        NotUnderstood: it is no figure.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | Fraction | str):
        raise NotUnderstood(f"{value!r} is not a number")
    try:
        return Fraction(str(value).strip() if isinstance(value, str | float) else value)
    except (ValueError, ZeroDivisionError, OverflowError):
        raise NotUnderstood(f"{value!r} is not a number") from None


def same(
    expected: Any, got: Any, relative: float | None, absolute: float | None, decimals: int | None
) -> bool:
    """Return whether ours is what the file expects.

    Without a tolerance a number must be the same number or the same double: files print the
    shortest decimal of a double, which is exact in that sense only.
    """
    if expected is None or got is None or isinstance(expected, bool) or isinstance(got, bool):
        return type(expected) is type(got) and bool(expected == got)
    if isinstance(got, str) and isinstance(expected, str):
        return bool(expected == got)
    try:
        told, ours = exact(expected), exact(got)
    except NotUnderstood:
        return False
    is_ratio = isinstance(expected, str) and "/" in expected
    if is_ratio or (told == ours and decimals is None):
        return told == ours
    if decimals is not None:
        sign = -1 if ours < 0 else 1
        size = abs(ours) * 10**decimals
        units = sign * round_half_up(size.numerator, size.denominator)
        return told == Fraction(units, 10**decimals)
    if relative is None and absolute is None:
        return not isinstance(expected, str) and float(told) == float(ours)
    off = abs(told - ours)
    within = Fraction(absolute or 0)
    if relative is not None:
        within = max(within, Fraction(relative) * abs(told))
        if told == 0:  # a relative tolerance says nothing about zero
            within = max(within, Fraction(relative))
    return off <= within


def told_of(value: Any) -> str:
    """Return a value as a table shows it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Fraction):
        scaled = 10**12 * value
        if value.denominator == 1:
            return str(value.numerator)
        return f"{float(value):.15g}" if scaled.denominator != 1 or value < 1 else _plain(value)
    if isinstance(value, float):
        return "NaN" if math.isnan(value) else f"{value:.15g}"
    if isinstance(value, list | dict):
        text = str(value)
        return text if len(text) <= 60 else f"{text[:57]}..."
    return str(value)


def _plain(value: Fraction) -> str:
    return format((Decimal(value.numerator) / Decimal(value.denominator)).normalize(), "f")


def decimals_of(*figures: Any) -> int:
    """Return the most decimals any of these figures is printed with, at any depth."""
    found = 0
    for one in figures:
        if isinstance(one, Mapping):
            found = max(found, decimals_of(*one.values()))
        elif isinstance(one, list):
            found = max(found, decimals_of(*one))
        elif isinstance(one, Decimal):
            found = max(found, -int(one.as_tuple().exponent))
        elif isinstance(one, str) and _FIGURE.fullmatch(one) and "." in one:
            found = max(found, len(one.strip().partition(".")[2]))
    return found
