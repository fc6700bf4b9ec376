"""Nebius: the price table of its price page.

Address: ``https://nebius.com/prices``, no key, a page for people. Its shape is known from the
descriptions of others who read it (state of 2026-08-22; read 2026-11-21): no body is at hand, so
the source is unproven. Terms not read; the site's robots file is asked first. Tier E3.

The tables stand in the page's data as JSON inside of JSON: ``\\"content\\":[[head], [row], ...]``,
each row a list of texts. The one read is the table whose head is exactly :data:`HEAD`; the page has
others of CPUs, storage and services. No such table, or two: it has changed (``TABLE_CHANGED``).

============================  ======================================================================
Item                          the GPU: listing id ("NVIDIA HGX H100"). HGX boards carry SXM modules
vCPUs, RAM, GB                per GPU, included: unused
Preemptible, GPU-hour         USD per GPU-hour, may be taken back: tenor spot
On-demand, GPU-hour           the same without that: tenor on_demand
============================  ======================================================================

A cell is ``$3.85``. ``from $1.82`` is the least of several prices and says of which machine not:
refused. ``--`` and "Contact us" are not offered. The documentation states that prices are without
tax and that companies in Israel pay another list in shekels (docs.nebius.com, "How charges and
prices work"); a figure without ``$`` is refused. The documentation's own table of the same prices
(docs.nebius.com/compute/resources/pricing) would be a second reading of one statement.
"""

from __future__ import annotations

import json
import re
from collections.abc import Generator
from datetime import timedelta
from itertools import islice
from typing import Any

from collectors.base import Capture, Parsed, Request, Source, single_get
from collectors.gpus.listed import Offers
from collectors.page_money import money
from collectors.pages import clean, text_of, without_marks
from methodology.errors import ParseError, PriceError

ID = "nebius"
URL = "https://nebius.com/prices"
PROVIDER = "nebius"

HEAD = ("Item", "vCPUs", "RAM, GB", "Preemptible, GPU-hour", "On-demand, GPU-hour")
COLUMNS = ((3, "spot"), (4, "on_demand"))
"""Column of a price and its tenor."""

MAX_ROWS = 200
MAX_TABLES = 500

_CONTENT = re.compile(r'"content":\s*(?=\[\s*\[)')
_LINK = re.compile(r"\[([^\[\]]*)\]\([^()]*\)")
_UNPRICED = frozenset({"", "-", "--", "–", "—", "contact us", "contact sales"})


def requests(base_url: str) -> Generator[Request, Capture, None]:
    """Yield the one page."""
    yield from single_get(base_url)


def parse(capture: Capture) -> Parsed:
    """Return one quote or rejection per GPU and column of prices, in the order of the page.

    Quotes: the item as printed, USD ``per_gpu_hour``, tax not included, tenor ``on_demand`` or
    ``spot``, region null (the page states none), tier E3.

    Rejections: ``PRICE_NOT_OFFERED``, ``OTHER_CURRENCY``, ``NOT_A_NUMBER`` (``from $1.82`` too),
    ``TWO_PRICES``, ``UNKNOWN_UNIT``, ``ZERO_PRICE``, ``MALFORMED_ROW`` (a row of another width).

    Raises:
        ParseError: ``NOT_TEXT``; ``TABLE_CHANGED`` when the page has not exactly one table with
            :data:`HEAD`, or one without rows.
    """
    rows = Offers(capture, "per_gpu_hour", "E3", tax_included=False)
    for row in _table(capture):
        cells = [clean(cell) if isinstance(cell, str) else "" for cell in row]
        if len(cells) != len(HEAD) or not cells[0]:
            rows.reject(PROVIDER, "", "MALFORMED_ROW", f"a row of {len(row)} cells: {row!r}")
            continue
        for column, tenor in COLUMNS:
            _cell(rows, cells[0], HEAD[column], cells[column], tenor)
    return rows.parsed()


def _table(capture: Capture) -> list[list[Any]]:
    # In the page's data quotes are escaped once; \u0026 and the like are left to the decoder.
    text = text_of(capture).replace('\\"', '"')
    found = []
    for start in islice(_CONTENT.finditer(text), MAX_TABLES):
        try:
            table, _ = json.JSONDecoder().raw_decode(text, start.end())
        except (ValueError, RecursionError):
            continue
        if all(isinstance(row, list) for row in table) and _plain(table[0]) == _plain(list(HEAD)):
            found.append(table)
    if len(found) != 1 or not 1 < len(found[0]) <= MAX_ROWS:
        raise ParseError(
            capture.source,
            "TABLE_CHANGED",
            f"{capture.url}: expected one table {list(HEAD)} with rows, found {len(found)}; "
            "compare the archived body with the page",
        )
    return list(found[0][1:])


def _plain(row: list[Any]) -> list[str]:
    return [without_marks(clean(cell)).casefold() if isinstance(cell, str) else "" for cell in row]


def _cell(rows: Offers, item: str, field: str, text: str, tenor: str) -> None:
    said = _LINK.sub(r"\1", text)
    if said.casefold() in _UNPRICED:
        rows.reject(PROVIDER, item, "PRICE_NOT_OFFERED", f"{field} is {said!r}")
        return
    try:
        price = money(said)
    except PriceError as error:
        reason = "ZERO_PRICE" if error.reason == "FREE_OFFER" else error.reason
        rows.reject(PROVIDER, item, reason, f"{field}: {error.detail}")
        return
    if price is None:
        rows.reject(PROVIDER, item, "PRICE_NOT_OFFERED", f"{field} is {said!r}")
    elif price.currency != "USD":
        rows.reject(PROVIDER, item, "OTHER_CURRENCY", f"{field} is {said!r}")
    elif price.per is not None:
        rows.reject(PROVIDER, item, "UNKNOWN_UNIT", f"{field} is {said!r}")
    else:
        rows.gpu(PROVIDER, item, field, price.price_text, tenor=tenor)


SOURCE = Source(
    id=ID,
    kind="gpus",
    url=URL,
    parse=parse,
    requests=requests,
    tier="E3",
    code_licence="none: no code is used",
    data_right="prices are facts, quoted with source and date",
    terms="A page for people; terms not read: confirm before going live (2026-11-21)",
    content_types=("text/html",),
    is_page=True,
    every=timedelta(hours=5),
)
