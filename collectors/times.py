"""Days and moments out of a table's text, within the years a price can be of.

Polars reads ``-2026-07-17`` and ``262143-01-01`` as dates that Python cannot hold: the first person
to look at such a row would meet an exception. Here they are null, like any text that is no date.
"""

from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl

from collectors import strict

FIRST = date(1990, 1, 1)
LAST = date(2099, 12, 31)
"""No price, volume or rate is of a day outside these."""


def days(text: pl.Expr, form: str = "%Y-%m-%d") -> pl.Expr:
    """Return texts as dates; null for what is no date of ``form`` or outside the bounds."""
    found = text.str.to_date(form, strict=False)
    return pl.when(found.is_between(FIRST, LAST)).then(found)


def moments(text: pl.Expr, form: str) -> pl.Expr:
    """Return texts as naive UTC times in microseconds; null for what is none or out of bounds.

    A form with an offset (``%z``) gives the moment in UTC.
    """
    found = text.str.to_datetime(form, time_unit="us", strict=False)
    if "%z" in form:
        found = found.dt.replace_time_zone(None)  # the offset has become UTC while reading
    first = datetime(FIRST.year, FIRST.month, FIRST.day)
    last = datetime(LAST.year, LAST.month, LAST.day)
    return pl.when(found.is_between(first, last)).then(found)


def utc_moment(value: object) -> datetime | None:
    """Return an ISO time that states its zone as naive UTC.

    None for everything else: a number, a text that is no time, a time without a zone (the zone of
    the machine that reads it is no answer), one that UTC moves out of the years there are.
    """
    if not isinstance(value, str) or isinstance(value, strict.Number):
        return None
    try:
        found = datetime.fromisoformat(value)
        return None if found.tzinfo is None else found.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return None


def is_within(moment: datetime | None) -> bool:
    """Return whether a stated moment is one that a price can be of; none stated is."""
    return moment is None or FIRST <= moment.date() <= LAST
