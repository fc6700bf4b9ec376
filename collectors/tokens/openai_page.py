"""OpenAI's price page: USD per million tokens of its models, by way of processing.

Address ``https://developers.openai.com/api/docs/pricing.md``, no key: the docs page as Markdown.
Tier E3. No body was at hand; the shape was read on 2026-11-21 in stored copies of the page of
September and October 2026 (an earlier form, with arrays in place of tables, is refused as
``TABLE_CHANGED``). Unproven.

Table map: one table under each of the headings ``Standard``, ``Batch``, ``Flex`` and ``Fast pricing
data`` (``Priority`` until July 2026), with the same nine columns.

* ``Model``: listing id. ``(<272K context length)`` says which bracket the short columns are and is
  dropped; the page's own ids are dated or not, and undated ones may move.
* ``Short context input`` IN, ``cached input`` CIN, ``output`` OUT; ``cache writes`` is no measured
  meter. In the batch table BAT_IN and BAT_OUT, its cached input no measured meter.
* ``Long context ...``: one ``CONTEXT_BRACKET`` per model that has any.
* Flex, Fast and Priority are other service levels: one ``PRICE_VARIANT`` per row.
* other tables (cyber models, realtime, images, video, tools): ``NOT_A_MEASURED_METER`` per row.

The unit stands once above the tables, "Prices per 1M tokens"; a page without it is refused. Notes
about promotional prices name only a day until which they hold "at least"; they give no end.
Endpoints with data residency cost 10% more and are not listed apart.
"""

from __future__ import annotations

import re

from collectors.base import Capture, Parsed, Source, single_get
from collectors.page_rows import PageRows
from collectors.pages import Table, known_table, markdown_tables, text_of
from methodology.errors import ParseError

PROVIDER = "openai"

PARTS = ("input", "cached input", "cache writes", "output")
HEAD = ("Model", *(f"{size} context {part}" for size in ("Short", "Long") for part in PARTS))
STANDARD = "Standard pricing data"
BATCH = "Batch pricing data"
VARIANTS = ("Flex pricing data", "Fast pricing data", "Priority pricing data")
METERS = {STANDARD: ("IN", "CIN", "", "OUT"), BATCH: ("BAT_IN", "", "", "BAT_OUT")}
UNIT = "Prices per 1M tokens"

_BRACKET = re.compile(r"\s*\(<\s*[0-9]+K context length\)$")


def parse(capture: Capture) -> Parsed:
    """Return one quote per model and measured meter, USD per million tokens, tier E3.

    Rejections: ``CONTEXT_BRACKET`` and ``PRICE_VARIANT`` per row, ``NOT_A_MEASURED_METER`` per cell
    or row, ``MALFORMED_ROW``, and the reasons of a cell that is no price.

    Raises:
        ParseError: ``NOT_TEXT``, ``SHAPE``, or ``TABLE_CHANGED`` when the standard or the batch
            table, or the sentence with the unit, is not there as known.
    """
    tables = markdown_tables(capture)
    if UNIT.casefold() not in text_of(capture).casefold():
        raise ParseError(
            capture.source, "TABLE_CHANGED", f"{capture.url}: the page does not say {UNIT!r}"
        )
    rows = PageRows(capture, PROVIDER)
    read = []
    for under, meters in METERS.items():
        table = known_table(capture, tables, header=HEAD, under=under)
        read.append(table)
        for row in table.rows:
            if len(row) == len(HEAD):
                _row(rows, row, meters)
            else:
                rows.no(row[0][:120], "MALFORMED_ROW", " | ".join(row))
    for table in tables:
        if not any(table is other for other in read):
            rows.others([table], _reason(table))
    return rows.parsed()


def _reason(table: Table) -> str:
    is_variant = bool({*table.headings} & {*VARIANTS}) and table.header[0] == HEAD[0]
    return "PRICE_VARIANT" if is_variant else "NOT_A_MEASURED_METER"


def _row(rows: PageRows, row: tuple[str, ...], meters: tuple[str, ...]) -> None:
    listing = _BRACKET.sub("", row[0])
    for column, meter, cell in zip(HEAD[1:5], meters, row[1:5], strict=True):
        if meter:
            rows.cell(listing, meter, column, cell)
        elif cell not in ("", "-"):
            rows.no(listing, "NOT_A_MEASURED_METER", f"{column} is {cell!r}")
    if any(cell not in ("", "-") for cell in row[5:]):
        rows.no(listing, "CONTEXT_BRACKET", f"long context: {' | '.join(row[5:])}")


SOURCE = Source(
    id="openai_page",
    kind="tokens",
    url="https://developers.openai.com/api/docs/pricing.md",
    parse=parse,
    requests=single_get,
    tier="E3",
    code_licence="none (a page)",
    data_right="prices are facts; no licence stated",
    terms=(
        "The seller's public documentation; no terms for collecting it were at hand on 2026-11-21, "
        "robots file asked first. Single prices, quoted with address and date."
    ),
    content_types=("text/markdown", "text/plain"),
    max_raw_bytes=2 * 2**20,
    max_decoded_bytes=4 * 2**20,
    is_page=True,
    path="openai",
)
