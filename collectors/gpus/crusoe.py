"""Crusoe: the table of GPU instances on its price page.

Address: ``https://www.crusoe.ai/cloud/pricing``, no key, a page for people. Its shape is known from
the description of others who read it (state of 2026-08-22; read 2026-11-21): no body is at hand, so
the source is unproven. Terms not read; the site's robots file is asked first. Tier E3.

The page makes its tables of ``div``: a heading :data:`SECTION`, three captions :data:`CAPTIONS`,
then one ``pricing_gpu-item`` per GPU up to the next heading :data:`NEXT`. What follows there looks
alike and is other goods: CPUs per vCPU-hour, tokens, and "NVIDIA H100" at $5.50 as a managed
deployment. So the section must be there, with these captions, or the page has changed
(``TABLE_CHANGED``).

================================  ==================================================================
``h4.pricing-item-heading``       the GPU: "NVIDIA H100"
``div.pricing-tag`` (two)         memory and form factor: "80GB", "HGX"; the second may be empty.
                                  With the heading the listing id: "NVIDIA H100 80GB HGX". Two rows
                                  of one heading differ in it (A100 SXM and PCIe)
``div.pricing-rich`` (two)        on demand, then spot: ``$3.90/GPU-hr``, or "Contact sales"
================================  ==================================================================

A cell with anything beside ``$x/GPU-hr`` ("per 8-GPU node") is no price per GPU-hour: refused.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from datetime import timedelta

from selectolax.lexbor import LexborHTMLParser, LexborNode

from collectors.base import Capture, Parsed, Request, Source, single_get
from collectors.gpus.listed import Offers
from collectors.pages import clean, text_of
from methodology.errors import ParseError

ID = "crusoe"
URL = "https://www.crusoe.ai/cloud/pricing"
PROVIDER = "crusoe"

SECTION = "GPU instances pricing"
NEXT = "CPU instances pricing"
CAPTIONS = ("GPU model", "On-demand", "Current spot")
TENORS = ("on_demand", "spot")

MAX_ROWS = 200

_PRICE = re.compile(r"\$((?:0|[1-9][0-9]{0,5})(?:\.[0-9]{1,6})?)/GPU-hr", re.ASCII)
_WANTED = "h1, h2, h3, .pricing-heading, .pricing_gpu-item"


def requests(base_url: str) -> Generator[Request, Capture, None]:
    """Yield the one page."""
    yield from single_get(base_url)


def parse(capture: Capture) -> Parsed:
    """Return one quote or rejection per GPU and column of prices, in the order of the page.

    Quotes: heading and tags, USD ``per_gpu_hour``, tenor ``on_demand`` or ``spot``, region null
    (the page states none), tier E3.

    Rejections: ``PRICE_NOT_OFFERED`` ("Contact sales"), ``UNKNOWN_UNIT`` (a figure that is not
    wholly ``$x/GPU-hr``), ``NOT_A_NUMBER``, ``ZERO_PRICE``, ``MALFORMED_ROW`` (no heading, or not
    two cells).

    Raises:
        ParseError: ``NOT_TEXT``; ``TABLE_CHANGED`` when the section, its end, its captions or its
            rows are not there.
    """
    rows = Offers(capture, "per_gpu_hour", "E3")
    for item in _section(capture):
        headings = [_text(node) for node in item.css("h4.pricing-item-heading")]
        cells = [_text(node) for node in item.css(".pricing-rich")]
        tags = [_text(node) for node in item.css(".pricing-tag")]
        listing = " ".join(part for part in (*headings, *tags) if part)
        if len(headings) != 1 or not headings[0] or len(cells) != len(TENORS):
            told = f"{len(headings)} headings and {len(cells)} cells of prices"
            rows.reject(PROVIDER, listing, "MALFORMED_ROW", told)
            continue
        for tenor, caption, cell in zip(TENORS, CAPTIONS[1:], cells, strict=True):
            _cell(rows, listing, caption, cell, tenor)
    return rows.parsed()


def _cell(rows: Offers, listing: str, caption: str, text: str, tenor: str) -> None:
    if text.casefold() in ("contact sales", "-", "--", "–", "—", ""):
        rows.reject(PROVIDER, listing, "PRICE_NOT_OFFERED", f"{caption} is {text!r}")
    elif found := _PRICE.fullmatch(text):
        rows.gpu(PROVIDER, listing, caption, found[1], tenor=tenor)
    else:
        reason = "UNKNOWN_UNIT" if "$" in text else "NOT_A_NUMBER"
        rows.reject(PROVIDER, listing, reason, f"{caption} is {text[:120]!r}")


def _section(capture: Capture) -> list[LexborNode]:
    """Return the GPU rows between the two headings."""
    items: list[LexborNode] = []
    captions: list[str] = []
    state = 0  # before the section, in it, behind it
    for node in _marked(capture):
        if node.tag in ("h1", "h2", "h3"):
            heading = _text(node).casefold()
            if heading == SECTION.casefold():
                if state:
                    raise _changed(capture, f"{SECTION!r} stands twice")
                state = 1
            elif state == 1:
                if heading != NEXT.casefold():
                    raise _changed(capture, f"{SECTION!r} is followed by {_text(node)[:60]!r}")
                state = 2
        elif state == 1:
            if "pricing_gpu-item" in (node.attributes.get("class") or "").split():
                items.append(node)
            else:
                captions.append(_text(node))
    if state != 2 or tuple(captions) != CAPTIONS or not 0 < len(items) <= MAX_ROWS:
        raise _changed(
            capture,
            f"section {'found' if state else 'missing'}, end {'found' if state == 2 else 'missing'}"
            f", captions {captions}, {len(items)} rows",
        )
    return items


def _marked(capture: Capture) -> Iterator[LexborNode]:
    yield from LexborHTMLParser(text_of(capture)).css(_WANTED)


def _text(node: LexborNode) -> str:
    return clean(node.text(deep=True, separator=" "))


def _changed(capture: Capture, found: str) -> ParseError:
    return ParseError(
        capture.source,
        "TABLE_CHANGED",
        f"{capture.url}: expected {SECTION!r} up to {NEXT!r} with {list(CAPTIONS)}; {found}; "
        "compare the archived body with the page",
    )


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
