"""Tencent Hunyuan: the page of its text models' prices, CNY per million tokens.

``https://cloud.tencent.com/document/product/1729/97731`` (billing overview), an HTML page; no key.
Tier E3. Shape: a public parser of its tables, read 2026-11-21, and the same prices in a dated
extract; neither a body nor a part of one was at hand. It is the least certain of these sources and
unproven. Newer models are sold through another product of the same company (TokenHub), whose page
is drawn by scripts and is not read here.

Column map, every table whose first head begins with 产品名 and which has one head that begins with
刊例价 (list price): the first column is the listing, written once for several rows and empty below;
the second the bracket of input; the list price one cell with both prices,
``输入：3.975元/百万tokens 输出：15.9元/百万tokens``: input IN, output OUT, 缓存 or 命中缓存
CIN. The unit must stand in the cell or in its head; without one the row is ``UNKNOWN_UNIT``.
Tables of packages, concurrency, pictures and 3D have other heads and are not read.
"""

from __future__ import annotations

import re

from collectors.base import Capture, Parsed, Source, single_get
from collectors.pages import Table, clean, html_tables, known_table
from collectors.tokens.cny_tables import UNITS, Cell, Sheet, unit_in

ID = "tencent_hunyuan"
MODEL, PRICE = "产品名", "刊例价"

_PART = re.compile(
    r"(?P<meter>输入|输出|命中缓存|缓存命中|缓存)[：:]\s*[¥￥]?\s*(?P<figure>[0-9][0-9.]{0,20})\s*"
    r"(?:元)?\s*(?P<unit>/\s*[百千]万?\s*tokens?)?\s*[,，;；、]?\s*",
    re.IGNORECASE | re.ASCII,
)
_METERS = {"输入": "IN", "输出": "OUT"}


def parse(capture: Capture) -> Parsed:
    """Return one quote per model and meter, CNY per million tokens, tier E3.

    Rejections: ``CONTEXT_BRACKET``, ``CONDITIONAL_TARIFF``, ``UNKNOWN_CONDITION``,
    ``UNKNOWN_UNIT``, ``NOT_A_LISTING``, ``FREE_OFFER``, ``NOT_A_NUMBER`` (a cell that is not
    wholly read), ``MALFORMED_ROW``.

    Raises:
        ParseError: ``NOT_TEXT``; ``SHAPE``; ``TABLE_CHANGED`` without a table that is known.
    """
    out = Sheet(capture, ID)
    tables = html_tables(capture)
    known = [(table, n) for table in tables if (n := _price_column(table)) is not None]
    if not known:
        known_table(capture, tables, header=(MODEL, "条件", PRICE))
    for table, at in known:
        listing = ""
        for row in table.rows:
            if len(row) != len(table.header):
                out.reject("", "MALFORMED_ROW", f"{len(row)} cells: {row!r:.200}")
                listing = ""
                continue
            listing = row[0] or listing
            cells = _cells(out, listing, row[at], unit_in(table.header[at]))
            if cells:
                out.offer(listing, row[1] if at > 1 else "", cells)
    return out.parsed()


def _price_column(table: Table) -> int | None:
    found = [n for n, head in enumerate(table.header) if head.startswith(PRICE)]
    if len(found) != 1 or found[0] < 1 or not table.header[0].startswith(MODEL):
        return None
    return found[0]


def _cells(out: Sheet, listing: str, text: str, unit: str | None) -> dict[str, Cell]:
    cells: dict[str, Cell] = {}
    at = 0
    plain = clean(text)
    while part := _PART.match(plain, at):
        at = part.end()
        meter = _METERS.get(part["meter"], "CIN")
        words = "".join((part["unit"] or "").split()).casefold()
        per = UNITS.get(f"元{words}") if words else unit
        if per is None:
            out.reject(listing[:120], "UNKNOWN_UNIT", f"{PRICE} is {plain[:120]!r}")
            return {}
        if meter in cells:
            break
        cells[meter] = Cell(part["meter"], part["figure"], per)
    if at < len(plain) or not {"IN", "OUT"} <= set(cells):
        out.reject(listing[:120], "NOT_A_NUMBER", f"{PRICE} is {plain[:120]!r}")
        return {}
    return cells


SOURCE = Source(
    id=ID,
    kind="tokens",
    url="https://cloud.tencent.com/document/product/1729/97731",
    parse=parse,
    requests=single_get,
    tier="E3",
    code_licence="none (a page)",
    data_right="prices are facts; no licence stated",
    terms=(
        "The seller's public price page; no terms for collecting it were at hand on 2026-11-21, "
        "robots file asked first. Single prices, quoted with address and date."
    ),
    content_types=("text/html",),
    max_raw_bytes=4 * 2**20,
    max_decoded_bytes=8 * 2**20,
    currencies=("CNY",),
    is_page=True,
)
