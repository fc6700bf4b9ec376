"""Decimals of the analysts' file: from text and integers to ``DECIMAL``, exactly or not at all."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import polars as pl

from methodology.errors import VerificationError

MONEY: Final = pl.Decimal(28, 9)
"""Money and points: 19 whole digits, nine decimals."""

WEIGHT: Final = pl.Decimal(9, 8)
"""A share of 1: eight decimals."""


def exact(table: str, text: pl.Series, dtype: pl.Decimal) -> pl.Series:
    """Return decimal text as a decimal column of the same name; null stays null.

    Raises:
        VerificationError: a text has more digits than the column, or is no decimal.
    """
    odd = text.filter(~text.str.contains(pattern(dtype)))
    if len(odd):
        raise VerificationError(
            f"{table}.{text.name}: {odd[0]!r} does not fit DECIMAL({dtype.precision},"
            f"{dtype.scale}) exactly; the record is kept, the table must be widened"
        )
    return text.cast(dtype)


def scaled(name: str, decimals: int, dtype: pl.Decimal) -> pl.Expr:
    """Return a column of integer units of ``10**-decimals`` as a decimal; exact, null kept."""
    unit = pl.lit(Decimal(1).scaleb(-decimals), dtype=pl.Decimal(38, decimals))
    return (pl.col(name).cast(pl.Decimal(38, 0)) * unit).cast(dtype)


def pattern(dtype: pl.Decimal) -> str:
    """Return the pattern of every text that fits the column exactly."""
    whole = dtype.precision - dtype.scale
    part = rf"(\.[0-9]{{1,{dtype.scale}}})?" if dtype.scale else ""
    return rf"^-?[0-9]{{1,{whole}}}{part}$"


def shifted(units: str, decimals: int) -> str:
    """Return integer text in units of ``10**-decimals`` as decimal text, digit by digit.

    ``decimals`` is at least 1. Of any length: nothing is rounded or cut.
    """
    sign, digits = ("-", units[1:]) if units.startswith("-") else ("", units)
    digits = digits.zfill(decimals + 1)
    return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}"
