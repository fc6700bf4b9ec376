"""Anthropic's price page: USD per million tokens of the Claude models, as the docs page states it.

Address ``https://platform.claude.com/docs/en/about-claude/pricing.md``, no key: the docs page as
Markdown. Tier E3.

At hand: an excerpt of late 2025 (model, batch and long-context tables). The later wording of the
head ("Cache hits and refreshes"), footnote marks and the qualifiers below were read in stored
copies of August to November 2026 on 2026-11-21. Unproven.

Column map:

* ``Model``: listing id, in the page's own words and without links (``Claude Opus 4.5``). What may
  follow the name: ``(deprecated)`` is still sold and dropped from the id; ``(retired ...)`` is
  refused as ``RETIRED``, also where another cloud still sells it; ``(limited availability)`` is
  refused as ``LIMITED_AVAILABILITY``; ``(for prompts up to N tokens)`` is the base bracket and
  ``(for prompts over N tokens)`` a ``CONTEXT_BRACKET``; ``through`` or ``starting`` a day gives the
  price an end or a start (00:00 UTC: the page names no zone); anything else is part of the name.
* ``Base input tokens`` IN, ``Cache hits and refreshes`` CIN, ``Output tokens`` OUT. Writing to the
  cache (``5m``, ``1h``) is no measured meter.
* table ``Batch input``, ``Batch output``: BAT_IN, BAT_OUT.
* long-context table: ``CONTEXT_BRACKET``. Tables of fast mode are ``PRICE_VARIANT``; any other row
  with a price (tools, hosting) is ``NOT_A_MEASURED_METER``.

Each cell says its unit (``$3 / MTok``); one that does not is refused.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from collectors.base import Capture, Parsed, Source, single_get
from collectors.page_rows import PageRows, day_after, day_of
from collectors.pages import Table, known_table, markdown_tables

PROVIDER = "anthropic"

HEAD = ("Model", "Base input tokens", "5m cache writes", "1h cache writes")
HITS = ("Cache hits and refreshes", "Cache hits & refreshes")
"""The one column head that has had two spellings."""
METERS = ("IN", "", "", "CIN", "OUT")
BATCH_HEAD = ("Model", "Batch input", "Batch output")

_DATED = re.compile(r"\s*\(?(through|starting) ([A-Z][a-z]+ [0-9]{1,2}, 20[0-9]{2})\)?$")
_BRACKETS = re.compile(r"\s*\(([^()]*)\)$")
_BASE = re.compile(r"for prompts up to [0-9,]+K? tokens", re.IGNORECASE)
_ABOVE = re.compile(r"for prompts over [0-9,]+K? tokens", re.IGNORECASE)


def parse(capture: Capture) -> Parsed:
    """Return one quote per model and measured meter, USD per million tokens, tier E3.

    Rejections: ``RETIRED``, ``LIMITED_AVAILABILITY``, ``CONTEXT_BRACKET``, ``PRICE_VARIANT``,
    ``NOT_A_MEASURED_METER``, ``MALFORMED_ROW``, ``BAD_DATE`` per row; ``TWO_PRICES``,
    ``NOT_A_NUMBER``, ``UNKNOWN_UNIT``, ``FREE_OFFER``, ``CURRENCY_NOT_PINNED`` per cell.

    Raises:
        ParseError: ``NOT_TEXT``, ``SHAPE``, or ``TABLE_CHANGED`` when the model or the batch table
            is not there as known.
    """
    tables = markdown_tables(capture)
    heads = {text.casefold() for table in tables for text in table.header}
    hits = next((text for text in HITS if text.casefold() in heads), HITS[0])
    head = (*HEAD, hits, "Output tokens")
    models = known_table(capture, tables, header=head, under="Model pricing")
    batch = known_table(capture, tables, header=BATCH_HEAD)
    rows = PageRows(capture, PROVIDER)
    for table, meters in ((models, METERS), (batch, ("BAT_IN", "BAT_OUT"))):
        for row in table.rows:
            if len(row) == len(table.header):
                _row(rows, table, row, meters)
            else:
                rows.no(row[0][:120], "MALFORMED_ROW", " | ".join(row))
    for table in tables:
        if table not in (models, batch):
            rows.others([table], _reason(table))
    return rows.parsed()


def _reason(table: Table) -> str:
    where = " ".join(table.headings[-1:]).casefold()
    if "long context" in where:
        return "CONTEXT_BRACKET"
    return "PRICE_VARIANT" if "fast" in where else "NOT_A_MEASURED_METER"


def _row(rows: PageRows, table: Table, row: tuple[str, ...], meters: tuple[str, ...]) -> None:
    try:
        name, dates, refused = _named(row[0])
    except ValueError as error:
        rows.no(row[0][:120], "BAD_DATE", str(error))
        return
    if refused:
        rows.no(name, refused, " | ".join(row))
        return
    for column, meter, cell in zip(table.header[1:], meters, row[1:], strict=True):
        if meter:
            rows.cell(name, meter, column, cell, per=True, **dates)
        elif cell:
            rows.no(name, "NOT_A_MEASURED_METER", f"{column} is {cell!r}")


def _named(text: str) -> tuple[str, dict[str, Any], str | None]:
    """Return the name, its dates of validity, and why the row is no list price of it (or None)."""
    dates: dict[str, datetime | bool] = {}
    refused: str | None = None
    while True:
        if found := _DATED.search(text):
            if found[1] == "through":
                dates["effective_to"] = day_after(found[2])
            else:
                dates |= {"effective_from": day_of(found[2]), "is_official_date": True}
        elif found := _BRACKETS.search(text):
            said = found[1].strip()
            if _ABOVE.fullmatch(said):
                refused = "CONTEXT_BRACKET"
            elif said.casefold().startswith("retired"):
                refused = refused or "RETIRED"
            elif said.casefold() == "limited availability":
                refused = refused or "LIMITED_AVAILABILITY"
            elif said.casefold() != "deprecated" and not _BASE.fullmatch(said):
                return text, dates, refused
        else:
            return text, dates, refused
        text = text[: found.start()].rstrip()


SOURCE = Source(
    id="anthropic_page",
    kind="tokens",
    url="https://platform.claude.com/docs/en/about-claude/pricing.md",
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
    path="anthropic",
)
