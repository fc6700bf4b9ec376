r"""Google's price page of the Gemini API: USD per million tokens, paid tier.

Address ``https://ai.google.dev/gemini-api/docs/pricing.md.txt``, no key: the docs page as Markdown.
Tier E3. No body was at hand; the shape was read on 2026-11-21 in stored excerpts of the page of
March to November 2026. The site has been seen to send a client with a browser's name to a log-in
page; that is a refused redirect, not a price. Unproven.

A model is a heading of the second level; the ids it is called by stand below it in an italic line
(``*[`gemini-3.8-flash`](...)*``). The listing id is that id; a price holds for each id of the line.
Under it one table per way of processing: ``Standard``, ``Batch``, and others that are no good of
ours (``Flex``, ``Priority``: ``PRICE_VARIANT``).

Table map (head: empty, ``Free Tier``, ``Paid Tier, per 1M tokens in USD``):

* ``Input price`` IN, ``Output price`` (with or without "including thinking tokens") OUT, ``Context
  caching price`` CIN; in the batch table BAT_IN and BAT_OUT. Other rows with a price (grounding,
  live audio, images) are ``NOT_A_MEASURED_METER``.
* the free tier is another good: one ``FREE_VARIANT`` per model.
* a paid cell may hold several prices, each with its words: ``$1.25, prompts <= 200k tokens $2.50,
  prompts > 200k tokens`` (the first is the base bracket, the second a ``CONTEXT_BRACKET``),
  ``$0.30 (text / image / video) $1.00 (audio)`` (text is ours), ``$0.75 through December 31, 2026.
  $1.50 starting January 1, 2027.`` (an end and a start, 00:00 UTC: the page names no zone), ``$1.00
  / 1,000,000 tokens per hour (storage price)`` (no measured meter). Words that are not known refuse
  their price as ``UNKNOWN_CONDITION``, and two prices that nothing tells apart are ``TWO_PRICES``.
"""

from __future__ import annotations

import re
from typing import Any

from collectors.base import Capture, Parsed, Source, single_get
from collectors.page_rows import PageRows, day_after, day_of
from collectors.pages import (
    Money,
    Table,
    markdown_tables,
    money,
    moneys,
    plain_text,
    text_of,
    without_marks,
)
from methodology.errors import ParseError, PriceError

PROVIDER = "google"

HEAD = ("", "Free Tier", "Paid Tier, per 1M tokens in USD")
METERS = {
    "Standard": {"input": "IN", "output": "OUT", "context caching": "CIN"},
    "Batch": {"input": "BAT_IN", "output": "BAT_OUT"},
}
FEWEST = 3
"""Models with a standard table below which the page is not the one that is known."""

_LABEL = re.compile(r"(input|output|context caching) price(?: \([a-z ]+\))?", re.IGNORECASE)
_ID = re.compile(r"`([a-z0-9][a-z0-9.-]{2,80})`")
_WORDS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), what)
    for pattern, what in (
        (r"\((?:[a-z/ ]+[/ ])?text(?:[/ ][a-z/ ]+)?\)", ""),
        (r"\((?:audio|images?|video|image output|storage price)\)", "NOT_A_MEASURED_METER"),
        (r"/ 1,000,000 tokens per hour \(storage price\)", "NOT_A_MEASURED_METER"),
        (r"per (?:[0-9.]+k )?(?:image|minute|second)s?", "NOT_A_MEASURED_METER"),
        (r"prompts <= ?[0-9]+k(?: tokens)?", ""),
        (r"prompts > ?[0-9]+k(?: tokens)?", "CONTEXT_BRACKET"),
    )
)
_DATED = re.compile(r"(through|starting) ([A-Z][a-z]+ [0-9]{1,2}, 20[0-9]{2})")


def parse(capture: Capture) -> Parsed:
    """Return one quote per model id and measured meter, USD per million tokens, tier E3.

    Quotes of a price that the page dates carry ``effective_from`` or ``effective_to``.
    Rejections: ``CONTEXT_BRACKET``, ``NOT_A_MEASURED_METER``, ``UNKNOWN_CONDITION``, ``BAD_DATE``,
    ``TWO_PRICES``, ``FREE_OFFER``, ``NOT_A_NUMBER`` per price; ``PRICE_VARIANT``, ``NO_MODEL_ID``
    per row; ``FREE_VARIANT`` per model.

    Raises:
        ParseError: ``NOT_TEXT``, ``SHAPE``, or ``TABLE_CHANGED`` when fewer than :data:`FEWEST`
            models have a standard table as known.
    """
    ids = _ids(capture)
    tables = markdown_tables(capture)
    rows = PageRows(capture, PROVIDER)
    models = set()
    for table in tables:
        model, way = ("", "", *table.headings)[-2:]
        if table.header != HEAD:
            rows.others([table])
        elif way not in METERS:
            rows.others([table], "PRICE_VARIANT", ", ".join(ids.get(model, [model])))
        elif not ids.get(model):
            rows.others([table], "NO_MODEL_ID", model)
        else:
            models.add(model)
            for listing in ids[model]:
                _table(rows, listing, table, METERS[way])
    if len(models) < FEWEST:
        heads = [list(table.header) for table in tables[:4]]
        raise ParseError(
            capture.source,
            "TABLE_CHANGED",
            f"{capture.url}: expected a table {list(HEAD)} under 'Standard' for each model, found "
            f"{len(models)}; the page has {heads}",
        )
    return rows.parsed()


def _ids(capture: Capture) -> dict[str, list[str]]:
    """Return the ids that stand in the italic line below each heading of the second level."""
    found: dict[str, list[str]] = {}
    at: str | None = None
    for line in text_of(capture).splitlines():
        if line.startswith("#"):
            is_model = line.startswith("## ")
            at = plain_text(capture, line[3:].rstrip("# ")) if is_model else None
        elif at is not None and line.startswith("*") and line.rstrip().endswith("*"):
            found.setdefault(at, []).extend(_ID.findall(line))
    return found


def _table(rows: PageRows, listing: str, table: Table, meters: dict[str, str]) -> None:
    is_free = False
    for row in table.rows:
        label = _LABEL.fullmatch(without_marks(row[0]))
        if label is None or len(row) != len(HEAD):
            rows.others([Table(table.headings, table.header, (row,))], listing=listing)
            continue
        is_free |= row[1].casefold() == "free of charge"
        meter = meters.get(label[1].casefold())
        if meter is None:
            rows.others([Table(table.headings, table.header, (row,))], listing=listing)
        else:
            _cell(rows, listing, meter, row[0], row[2])
    if is_free and "IN" in meters.values():
        rows.no(listing, "FREE_VARIANT", f"{HEAD[1]} under {table.headings[-1]}")


def _cell(rows: PageRows, listing: str, meter: str, label: str, text: str) -> None:
    """Add what a paid cell holds: one price, or several that its words tell apart."""
    text = without_marks(text)
    try:
        found = money(text)
    except PriceError as error:
        if error.reason == "FREE_OFFER":
            rows.no(listing, error.reason, f"{label}: {error.detail}")
            return
    else:
        if found is not None:
            rows.money(listing, meter, label, found)
        return
    try:
        parts = moneys(text)
    except PriceError as error:
        rows.no(listing, error.reason, f"{label}: {error.detail}")
        return
    ours: list[tuple[Money, dict[str, Any]]] = []
    for found, words in parts:
        refused, dates = _judged(without_marks(words))
        if refused:
            rows.no(listing, refused, f"{label}: {found.price_text} {words}")
        else:
            ours.append((found, dates))
    spans = [tuple(sorted((key, str(value)) for key, value in dates.items())) for _, dates in ours]
    if len(ours) > 1 and (() in spans or len(set(spans)) < len(spans)):
        rows.no(listing, "TWO_PRICES", f"{label}: {text!r}: which of them holds is not said")
        return
    for found, dates in ours:
        rows.money(listing, meter, label, found, **dates)


def _judged(words: str) -> tuple[str, dict[str, Any]]:
    """Return why a price with these words is not ours (empty: it is) and its dates."""
    refused = ""
    dates: dict[str, Any] = {}
    rest = words.strip(" .,;")
    while rest:
        dated = _DATED.match(rest)
        known = [(m, what) for pattern, what in _WORDS if (m := pattern.match(rest.casefold()))]
        if dated is not None:
            try:
                if dated[1] == "through":
                    dates["effective_to"] = day_after(dated[2])
                else:
                    dates |= {"effective_from": day_of(dated[2]), "is_official_date": True}
            except ValueError:
                return "BAD_DATE", {}
        elif not known:
            return "UNKNOWN_CONDITION", {}
        else:
            refused = refused or known[0][1]
        end = dated.end() if dated is not None else known[0][0].end()
        rest = rest[end:].lstrip(" .,;")
    return refused, dates


SOURCE = Source(
    id="google_page",
    kind="tokens",
    url="https://ai.google.dev/gemini-api/docs/pricing.md.txt",
    parse=parse,
    requests=single_get,
    tier="E3",
    code_licence="none (a page)",
    data_right="prices are facts; no licence was read",
    terms=(
        "The seller's public documentation; no terms for collecting it were at hand on 2026-11-21, "
        "robots file asked first. Single prices, quoted with address and date."
    ),
    content_types=("text/markdown", "text/plain"),
    max_raw_bytes=2 * 2**20,
    max_decoded_bytes=4 * 2**20,
    is_page=True,
    path="google",
)
