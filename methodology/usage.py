"""Usage: tokens per day, measured over matched models or as disclosed (rulebook 20).

The volume and the linked level are integers. The quantity index beside them divides spending by a
Törnqvist price; its logarithms are decimal arithmetic of a stated precision, correctly rounded, so
every machine gets the same digits. None of it settles anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Context, Decimal

from methodology.units import round_half_up

LEVEL_START = 1000 * 10**4
"""The linked level starts at 1000 points, in units of 1e-4."""

DECIMALS = 3
"""Published decimals of a volume in millions of tokens a day: thousands of tokens."""

DIGITS = Context(prec=50)
"""Decimal arithmetic of the statistics beside the values: 50 digits, half even, ln and exp exact
to the last of them."""


def per_day_units(tokens: int, days: int) -> int:
    """Return a volume as thousands of tokens a day, half up (rulebook 20.1)."""
    return round_half_up(tokens, days * 1000)


def linked_level(level: int, now: Mapping[str, int], before: Mapping[str, int]) -> int | None:
    """Return the level moved by the use of the models that stand in both periods (rulebook 20.2).

    Args:
        level: of the earlier day, units of 1e-4.
        now: tokens by model of today's period.
        before: tokens by model of the earlier day's period.

    Returns:
        The level of today; ``None`` when no model stands in both.
    """
    matched = sorted(m for m in now if now[m] > 0 and before.get(m, 0) > 0)
    if not matched:
        return None
    return round_half_up(level * sum(now[m] for m in matched), sum(before[m] for m in matched))


def tornqvist(
    before: Mapping[str, tuple[int, int]], now: Mapping[str, tuple[int, int]]
) -> Decimal | None:
    """Return the Törnqvist price ratio of the models priced and used in both periods.

    Args:
        before: model to price (nano) and tokens; both positive where they count.
        now: the same of the later period.

    Returns:
        A ratio, 1 meaning no change; ``None`` without a matched model.
    """
    both = sorted(m for m in now if m in before and min(*now[m], *before[m]) > 0)
    if not both:
        return None
    first = {m: before[m][0] * before[m][1] for m in both}
    last = {m: now[m][0] * now[m][1] for m in both}
    sums = sum(first.values()), sum(last.values())
    logs = Decimal(0)
    for m in both:
        halves = first[m] * sums[1] + last[m] * sums[0]
        share = DIGITS.divide(Decimal(halves), Decimal(2 * sums[0] * sums[1]))
        ratio = DIGITS.divide(Decimal(now[m][0]), Decimal(before[m][0]))
        logs = DIGITS.add(logs, DIGITS.multiply(share, DIGITS.ln(ratio)))
    return DIGITS.exp(logs)


def quantity_ratio(spent_before: int, spent_now: int, price_ratio: Decimal) -> Decimal:
    """Return the quantity ratio: spending over price (rulebook 20.3)."""
    spent = DIGITS.divide(Decimal(spent_now), Decimal(spent_before))
    return DIGITS.divide(spent, price_ratio)


def text(value: Decimal, decimals: int) -> str:
    """Return a statistic with so many decimals, half up, as plain text."""
    step = Decimal(1).scaleb(-decimals)
    return f"{value.quantize(step, rounding=ROUND_HALF_UP, context=DIGITS):f}"


@dataclass(frozen=True)
class Disclosure:
    """One figure that somebody disclosed: tokens of a period, and when it was stated (UTC)."""

    tokens: int
    period_start: date
    period_end: date
    stated_at: datetime

    @property
    def days(self) -> int:
        """Days of the period; the end is exclusive."""
        return (self.period_end - self.period_start).days

    def age(self, day: date) -> int:
        """Return the days since the figure was stated."""
        return (day - self.stated_at.date()).days


def standing(found: Iterable[Disclosure], cut_off: datetime) -> Disclosure | None:
    """Return the figure that stands at a cut-off: of those stated, the one of the latest period.

    A later statement about the same period replaces an earlier one; a statement about an older
    period replaces nothing (rulebook 20.4).
    """
    known = [one for one in found if one.stated_at <= cut_off]
    return max(known, key=lambda one: (one.period_end, one.stated_at)) if known else None
