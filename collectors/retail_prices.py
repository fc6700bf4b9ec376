"""Azure's Retail Prices API: what its lists of machines and of tokens have in common.

A page is an object with ``Items`` and ``NextPageLink`` (Microsoft Learn, "Azure Retail Prices
overview", read 2026-11-21).
"""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime
from typing import Any

from collectors.base import Capture, Request
from collectors.links import is_same_server
from collectors.rows import load_json, shape_error
from collectors.times import is_within, utc_moment
from methodology.errors import ParseError, PriceError


def pages(base_url: str, asked: str, most: int) -> Generator[Request, Capture, None]:
    """Yield the first page of the filter ``asked``, then each ``NextPageLink``.

    Raises:
        ParseError: ``FOREIGN_LINK`` when a link leaves the host and scheme of ``base_url``,
            ``ENDLESS`` after ``most`` pages, or what :func:`body_of` raises.
    """
    page = yield Request(url=base_url, params={"$filter": asked, "currencyCode": "USD"})
    for _ in range(most):
        link = body_of(page).get("NextPageLink")
        if not link:
            return
        if not is_same_server(str(link), base_url):
            raise ParseError(
                page.source, "FOREIGN_LINK", f"NextPageLink {str(link)[:120]!r} leaves the host"
            )
        page = yield Request(url=str(link))
    raise ParseError(page.source, "ENDLESS", f"NextPageLink still set after {most} pages")


def body_of(capture: Capture) -> dict[str, Any]:
    """Return a page.

    Raises:
        ParseError: ``NOT_JSON``, or ``SHAPE`` when it is no object with a list of items.
    """
    body = load_json(capture)
    if not isinstance(body, dict) or not isinstance(body.get("Items"), list):
        raise shape_error(capture, "no object with Items (list)")
    return body


def start_of(item: dict[str, Any]) -> datetime | None:
    """Return the start of an item's price as naive UTC, None when it states none.

    Raises:
        PriceError: ``MALFORMED_ROW`` for no time with a zone, ``BAD_DATE`` for one outside the
            years a price can be of.
    """
    value = item.get("effectiveStartDate")
    if value is None:
        return None
    found = utc_moment(value)
    if found is None:
        raise PriceError("MALFORMED_ROW", f"effectiveStartDate {value!r:.80} is no time of a zone")
    if not is_within(found):
        raise PriceError("BAD_DATE", f"effectiveStartDate {value!r:.80} is in no year of a price")
    return found
