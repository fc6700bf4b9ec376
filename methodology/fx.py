"""Currency: which published rate holds for a fixing, as an exact ratio (rulebook 9)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction

import polars as pl

from methodology.units import exact, round_half_up

RATE_DECIMALS = 6

SAME_DAY = {"SHA": False, "NYC": True}
"""The ECB publishes at about 16:00 in Frankfurt: after SHA's cut-off, before NYC's."""


@dataclass(frozen=True, slots=True)
class Fx:
    """CNY per USD in force for one fixing: ``rate_e6`` in millionths, its source and date."""

    rate_e6: int
    source: str
    ref_date: date

    @property
    def text(self) -> str:
        """The rate as published, six decimals."""
        return f"{self.rate_e6 // 10**6}.{self.rate_e6 % 10**6:06d}"


def cny_per_usd(rates: pl.DataFrame) -> dict[date, int]:
    """Return CNY per USD by day, in millionths, from rates quoted against the euro.

    The cross is ``(CNY per EUR) / (USD per EUR)`` of one day and one source, rounded half up once
    to six decimals; that published figure, not the ratio behind it, is what converts.

    Args:
        rates: ``schemas.Rate`` rows.
    """
    found: dict[tuple[str, date], dict[str, Fraction]] = {}
    wanted = rates.filter((pl.col("base") == "EUR") & pl.col("quote").is_in(["USD", "CNY"]))
    for source, quote, text, day in wanted.select(
        "source", "quote", "rate_text", "ref_date"
    ).iter_rows():  # two rows a day at most: a table of rates, not of quotes
        found.setdefault((source, day), {})[quote] = exact(text)
    crosses: dict[date, int] = {}
    for (_, day), pair in sorted(found.items()):
        if len(pair) == 2 and pair["USD"] > 0:
            ratio = pair["CNY"] / pair["USD"] * 10**RATE_DECIMALS
            crosses[day] = round_half_up(ratio.numerator, ratio.denominator)
    return crosses


def rate_for(
    session: str, ref_date: date, crosses: Mapping[date, int], max_age_days: int
) -> Fx | None:
    """Return the rate in force for a fixing, or ``None`` when the last one is too old.

    Args:
        session: a rate published after the session's cut-off counts from the next day.
        ref_date: the index day.
        crosses: the output of :func:`cny_per_usd`.
        max_age_days: a rate older than this many calendar days converts nothing.
    """
    latest = ref_date if SAME_DAY[session] else ref_date - timedelta(days=1)
    for back in range(max_age_days + 1):
        day = latest - timedelta(days=back)
        if day in crosses and (ref_date - day).days <= max_age_days:
            return Fx(crosses[day], "ECB", day)
    return None
