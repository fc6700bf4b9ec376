"""Groq: the seller's own prices, from its page of models.

Address: ``https://console.groq.com/docs/models.md``, a page for people in Markdown, no key. The
documented ``/openai/v1/models`` has no prices (its reference was read 2026-11-21), so the page is
the list. Evidence tier E3.

At hand: no body; rows of the page as two public readers quote them (2026-08 and 2026-10, read
2026-11-21). They report three tables under one head: production models, systems, previews.

Column map:

* ``MODEL ID``: a link to ``/docs/model/<id>`` and, glued to it, badges and the id again. The id of
  the link is listing_id, and the cell must end with it.
* ``PRICE PER 1M TOKENS``: ``$0.15 input$0.60 output``, without a space between: IN and OUT, USD
  per million tokens. ``ContactSales``, a dash and an empty cell: ``PRICE_MISSING``. A price per
  hour or per character is no measured meter. Anything else is a cell this file does not know:
  ``NOT_A_NUMBER``.
* The page states no price for cached input, and batch prices stand elsewhere.
* speed, rate limits, context window, output limit, file size: ignored.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

from collectors.base import Capture, Parsed, Source, single_get
from collectors.model_lists import settled
from collectors.pages import clean, known_table, markdown_tables
from collectors.rows import Rows, shape_error

PROVIDER = "groq"
HEADER = ("MODEL ID", "SPEED (T/SEC)", "PRICE PER 1M TOKENS", ...)

_MODEL = re.compile(r"/docs/model/(\S+)")
_LINK = re.compile(rb"\(\s*(/docs/model/[^\s()]+)\s*\)")
_FIGURE = r"\$([0-9]+(?:\.[0-9]+)?)"
_PRICE = re.compile(rf"{_FIGURE} ?input[ ,/]*{_FIGURE} ?output")
_NO_PRICE = ("contactsales", "contact sales", "-", "–", "—", "")
_OTHER_METER = re.compile(r"per (?:hour|\d*[KM]? ?characters?|1M characters)\b")


def parse(capture: Capture) -> Parsed:
    """Return the IN and OUT quotes of each model of the page's tables, USD per Mtok, no dates.

    Rejections per model: ``PRICE_MISSING``, ``NOT_A_MEASURED_METER``, ``NOT_A_NUMBER``; per figure
    ``FREE_OFFER``; ``AMBIGUOUS_LISTING`` and ``DUPLICATE_LISTING`` for an id in two tables.

    Raises:
        ParseError: ``TABLE_CHANGED`` when no table has the known head; ``SHAPE`` for tables
            without a row, and for a row of another length, without a model's link or with another
            id in words.
    """
    # a table gives the words of a link and not its target, where the id stands
    body = _LINK.sub(rb"() \1 ", capture.body)
    tables = markdown_tables(replace(capture, body=body))
    known = [t for t in tables if _head(t.header) == _head(HEADER[:3])]
    if not known:
        known_table(capture, tables, header=HEADER)
    rows = Rows(capture, "per_mtok", "E3")
    for table in known:
        for cells in table.rows:
            if len(cells) != len(table.header):
                raise shape_error(capture, f"a row of {len(cells)} cells: {str(cells)[:200]}")
            _row(capture, rows, cells[0], clean(cells[2]))
    if not rows.quotes and not rows.rejections:
        raise shape_error(capture, "the tables have a head and no row")
    return settled(rows)


def _head(header: tuple[object, ...]) -> list[str]:
    return [clean(str(text)).casefold() for text in header[:3]]


def _row(capture: Capture, rows: Rows, model: str, price: str) -> None:
    link = _MODEL.search(model)
    if link is None or not clean(model).endswith(link[1]):
        raise shape_error(capture, f"model cell {model[:120]!r} has no link that it ends with")
    listing, figures = link[1], _PRICE.fullmatch(price)
    told = f"price cell {price[:120]!r}"
    if price.casefold() in _NO_PRICE:
        rows.reject(PROVIDER, listing, "PRICE_MISSING", told)
    elif figures is not None:
        for meter, figure in zip(("IN", "OUT"), figures.groups(), strict=True):
            rows.price(PROVIDER, listing, meter, told, figure)
    else:
        reason = "NOT_A_MEASURED_METER" if _OTHER_METER.search(price) else "NOT_A_NUMBER"
        rows.reject(PROVIDER, listing, reason, told)


SOURCE = Source(
    id="groq",
    kind="tokens",
    url="https://console.groq.com/docs/models.md",
    parse=parse,
    requests=single_get,
    tier="E3",
    code_licence="none (a page)",
    data_right="prices are facts; no licence stated for this page",
    terms=(
        "A public page for people; its robots file is asked first; the terms of service were not "
        "at hand. Rows of the page read 2026-11-21 from stored readers of it."
    ),
    content_types=("text/markdown", "text/plain"),
    is_page=True,
    path="groq",
    every=timedelta(hours=5),
)
