"""Rows out of the cells of a price page: a quote, a rejection, nothing where nothing is offered."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from collectors.base import Capture, Parsed, not_empty
from collectors.page_html import Table, without_marks
from collectors.page_money import Money, money
from collectors.rows import Rows
from collectors.tokens.clashes import without_clashes
from methodology.errors import PriceError

_SIGN = re.compile(r"[$¥\uffe5€元]")
_MONTHS = "January February March April May June July August September October November December"
_DAY = re.compile(r"(?P<month>[A-Z][a-z]+) (?P<day>[0-9]{1,2}), (?P<year>20[0-9]{2})")


class PageRows(Rows):
    """Rows of one page of a seller: tier E3, one currency, one unit."""

    def __init__(self, capture: Capture, provider: str, currency: str = "USD") -> None:
        super().__init__(capture, "per_mtok", "E3", currency=currency)
        self.provider = provider
        self.currency = currency

    def no(self, listing: str, reason: str, detail: str) -> None:
        """Add one rejection of the page's seller."""
        self.reject(self.provider, listing, reason, detail)

    def cell(
        self, listing: str, meter: str, field: str, text: str, *, per: bool = False, **more: Any
    ) -> None:
        """Add the quote of a cell or the rejection that says why it is none.

        A cell that says there is no price (``-``) adds nothing. ``per``: the cell must say its
        unit itself. ``more`` goes to ``Rows.quote``.
        """
        try:
            found = money(without_marks(text))
        except PriceError as error:
            self.no(listing, error.reason, f"{field}: {error.detail}")
            return
        if found is not None:
            self.money(listing, meter, field, found, per=per, **more)

    def money(
        self, listing: str, meter: str, field: str, found: Money, *, per: bool = False, **more: Any
    ) -> None:
        """Add a quote, or a rejection: ``CURRENCY_NOT_PINNED`` or ``UNKNOWN_UNIT``."""
        told = f"{field} is {found.price_text} {found.currency} {found.per or 'without a unit'}"
        if found.currency != self.currency:
            self.no(listing, "CURRENCY_NOT_PINNED", f"{told}; this page is read in {self.currency}")
        elif found.per is None and per:
            self.no(listing, "UNKNOWN_UNIT", told)
        else:
            unit = found.per or "per_mtok"
            self.quote(self.provider, listing, meter, found.price_text, unit=unit, **more)

    def others(
        self,
        tables: Iterable[Table],
        reason: str = "NOT_A_MEASURED_METER",
        listing: str | None = None,
    ) -> None:
        """Refuse each row with a price of tables that hold no good of ours.

        The listing is the row's first cell unless one is named.
        """
        for table in tables:
            for row in table.rows:
                if _SIGN.search("".join(row)):
                    where = " > ".join(table.headings[-2:])
                    self.no(listing or row[0][:120], reason, f"{where}: {' | '.join(row)}")

    def parsed(self) -> Parsed:
        """Return everything added; two prices of one offer are refused (``without_clashes``).

        A heading that changes can make two tables look like one.

        Raises:
            ParseError: ``EMPTY`` when nothing was: the table that was known has no row left.
        """
        return not_empty(self.capture, without_clashes(self.capture, self))


def day_after(text: str) -> datetime:
    """Return 00:00 of the day after ``December 31, 2026``: the end of "through" that day.

    Raises:
        ValueError: not a day of the calendar written so.
    """
    return day_of(text) + timedelta(days=1)


def day_of(text: str) -> datetime:
    """Return 00:00 of a day written ``January 1, 2027``; pages give no zone, it is taken as UTC.

    Raises:
        ValueError: not a day of the calendar written so.
    """
    found = _DAY.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no day such as January 1, 2027")
    month = _MONTHS.split().index(found["month"]) + 1
    return datetime(int(found["year"]), month, int(found["day"]))
