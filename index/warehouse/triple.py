"""The lines of the triple artefacts as rows of one table, behind two views (rulebook 13.10-11)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

import polars as pl

from methodology.errors import VerificationError

SCHEMA: Final = "triple/1.0"

_POINTS: Final = pl.Decimal(28, 9)

TRIPLE: Final[dict[str, Any]] = {
    "index_id": pl.String, "ref_date": pl.Date, "waterfall": pl.String, "currency": pl.String,
    "basket": _POINTS, "chain": _POINTS, "matched": pl.Int32, "unit_value": _POINTS,
    "unit_value_points": _POINTS, "unit_value_base": _POINTS, "volume_from": pl.Date,
    "volume_to": pl.Date, "fx_rate": _POINTS, "since": pl.Date, "change": _POINTS,
    "price": _POINTS, "mix": _POINTS, "cache": _POINTS, "entry_exit": _POINTS, "fx": _POINTS,
}  # fmt: skip
"""Columns of the table ``triple``."""


def read_lines(bodies: Sequence[bytes]) -> list[dict[str, Any]]:
    """Return the newest line of each index and day from artefacts in the order of the log.

    Raises:
        VerificationError: a line has another schema than the one known here.
    """
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for body in bodies:
        for text in body.splitlines():
            line = json.loads(text)
            if line.pop("schema", None) != SCHEMA:
                raise VerificationError(
                    f"triple: a line of another schema than {SCHEMA}; rebuild with the software "
                    "that wrote it"
                )
            found[line["index_id"], line["ref_date"]] = line
    return [found[key] for key in sorted(found)]


_PRINT: Final = {
    "index_id": "the composite",
    "ref_date": "index day, local to its session",
    "waterfall": "level of the composite that day (rulebook 10.5)",
    "currency": "currency of the unit value, ISO 4217",
    "basket": "the index itself: fixed quantities; points; null: no value",
    "chain": "matched models chained day by day, weights of the basket; points",
    "matched": "models in the step of the chain; a count",
    "unit_value": "spend by tokens over the same models; currency per million tokens",
    "unit_value_points": "unit value, 1000 on the first day; points",
    "unit_value_base": "unit value of the first day; currency per million tokens",
    "volume_from": "first day of the tokens of the unit value",
    "volume_to": "last day of them",
    "fx_rate": "currency per US dollar; null: an index in US dollars",
}

_MOVE: Final = {
    "since": "the day before it that has a unit value",
    "change": "change of the unit value since then; currency per million tokens; sum of the parts",
    "price": "part of price changes of the same models; currency per million tokens",
    "mix": "part of the mix of models and of input and output; currency per million tokens",
    "cache": "part of the cached share of input; currency per million tokens",
    "entry_exit": "part of models entering and leaving; currency per million tokens",
    "fx": "part of currency rates; currency per million tokens",
}

COMMENTS: Final[dict[str, tuple[str, dict[str, str]]]] = {
    "triple": (
        "Three prints of each composite and day, and what moved the unit value (rulebook 13.10).",
        _PRINT | _MOVE,
    ),
}
"""Table to its comment and the comments of its columns."""

VIEWS: Final[dict[str, tuple[str, dict[str, str]]]] = {
    "triple_print": (
        "Basket, chain and unit value of each composite side by side (rulebook 13.10).",
        _PRINT,
    ),
    "move_attribution": (
        "The change of a unit value in five parts that sum to it (rulebook 13.11).",
        {k: _PRINT[k] for k in ("index_id", "ref_date", "currency", "unit_value")} | _MOVE,
    ),
}
"""View to its comment and the comments of its columns."""
