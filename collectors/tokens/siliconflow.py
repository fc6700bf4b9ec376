"""SiliconFlow: the price page of its Chinese platform, CNY per million tokens, some by the hour.

``https://siliconflow.cn/pricing``, an HTML page that is complete as delivered; no key. Tier E3.
(``siliconflow.com`` sells in USD: another list.) Shape: public parsers of the page and descriptions
of it of September 2026, read 2026-11-21; no body of it was at hand, so the source is unproven.

Column map: the page has no tables. A model is a block ``<div id="pricing-row-text-...">``: its
first child has a link whose ``title`` is the listing; then cells in threes, input IN, output OUT,
cache CIN, under heads that name M Tokens. ``Pro/`` before a listing is another service of the same
model, with an id of its own: kept. Blocks ``pricing-row-image-``, ``-audio-`` and ``-video-``: not
read.

* Several threes are tiers of input (``输入 [0, 32k) ¥6.00``): the first is the list price, the
  others ``CONTEXT_BRACKET``; or hours (``费用发生时段: 2点～8点 ¥1.50``), Beijing time, one quote
  for each span of hours, eight hours earlier in UTC (rulebook 4.4). The words stand before the
  price of the input; those before the other two prices must be the same, or be left out. Hours in
  other words, of days of the week say, are ``BAD_WINDOW`` for all rows of the listing.
* 免费 is ``FREE_OFFER``; ``-`` in the place of the cache is no offer of it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from selectolax.lexbor import LexborHTMLParser, LexborNode

from collectors.base import Capture, Parsed, Source, single_get
from collectors.page_html import cell_text
from collectors.pages import clean, text_of
from collectors.tokens.cny_tables import Cell, Sheet
from methodology.errors import ParseError

ID = "siliconflow"
METERS = ("IN", "OUT", "CIN")
FIELDS = ("输入价格", "输出价格", "缓存价格")
BEIJING_MINUTES = 8 * 60
MAX_ROWS = 2_000

_HEAD = re.compile(r"输入价格(?:[^¥]{0,400}?)M\s*Tokens", re.IGNORECASE)
_HOURS = re.compile(r"(?P<from>[0-9]{1,2})点[～~](?P<to>[0-9]{1,2})点", re.ASCII)
_CELL = re.compile(
    r"(?:(?P<bracket>输入\s*[\[(（][^¥]{1,40}?[\])）])"
    r"|费用发生时段\s*[:：]\s*(?P<hours>[^¥]{1,80}?))?\s*"
    r"(?P<price>[¥￥]\s*[0-9][0-9.]*(?:\s*/\s*M\s*Tokens)?|免费|-|)"
)


class _Part(NamedTuple):
    bracket: str
    windows: tuple[tuple[int, int], ...]
    price: str


def parse(capture: Capture) -> Parsed:
    """Return one quote per model, meter and span of hours, CNY per million tokens, tier E3.

    Rejections: ``CONTEXT_BRACKET``, ``CONDITIONAL_TARIFF``, ``UNKNOWN_CONDITION``,
    ``BAD_WINDOW``, ``MALFORMED_ROW``, ``NOT_A_LISTING``, ``PRICE_MISSING``, ``FREE_OFFER``,
    ``NOT_A_NUMBER``.

    Raises:
        ParseError: ``NOT_TEXT``; ``TABLE_CHANGED`` without a block of a text model, without heads
            that name the unit, or with too many blocks.
    """
    out = Sheet(capture, ID)
    tree = LexborHTMLParser(text_of(capture))
    blocks = tree.css('div[id^="pricing-row-text-"]')
    words = clean(tree.body.text(deep=True, separator=" ")) if tree.body is not None else ""
    if not 0 < len(blocks) <= MAX_ROWS or not _HEAD.search(words):
        raise ParseError(
            ID,
            "TABLE_CHANGED",
            f"{capture.url}: {len(blocks)} blocks 'pricing-row-text-', heads "
            f"{'found' if _HEAD.search(words) else 'not found'}; compare the body with the page",
        )
    for block in blocks:
        _block(capture, out, block)
    return out.parsed()


def _block(capture: Capture, out: Sheet, block: LexborNode) -> None:
    link = block.css_first("a[title]")
    listing = clean(link.attributes.get("title") or "") if link is not None else ""
    children = [n for n in block.iter(include_text=False) if n.tag == "div"]
    texts = [cell_text(capture, node) for node in children[1:]]
    texts = [clean(text) for text in texts]
    if not texts or len(texts) % len(METERS):
        out.reject(listing[:120], "MALFORMED_ROW", f"{len(texts)} prices: {texts!r:.200}")
        return
    threes = [texts[start : start + len(METERS)] for start in range(0, len(texts), len(METERS))]
    read = [_three(three) for three in threes]
    # Beside hours that are not understood the other rows of a listing are half a tariff.
    is_half = any(
        not parts and "时段" in "".join(three) for three, parts in zip(threes, read, strict=True)
    )
    for three, parts in zip(threes, read, strict=True):
        if is_half or not parts:
            reason = "BAD_WINDOW" if is_half else "NOT_A_NUMBER"
            out.reject(listing[:120], reason, f"prices {three!r:.300}")
            continue
        first = parts[0]
        cells = {
            meter: Cell(field, part.price)
            for meter, field, part in zip(METERS, FIELDS, parts, strict=True)
        }
        if first.windows:
            for window in first.windows:
                out.offer(listing, first.bracket, cells, window=window)
        else:
            out.offer(listing, first.bracket, cells)


def _three(texts: list[str]) -> list[_Part]:
    """Return the three prices of a row; none where one is not understood or they disagree."""
    parts = [part for text in texts if (part := _part(text)) is not None]
    if len(parts) != len(texts):
        return []
    first = (parts[0].bracket, parts[0].windows)
    return parts if all((p.bracket, p.windows) in (("", ()), first) for p in parts) else []


def _part(text: str) -> _Part | None:
    found = _CELL.fullmatch(text)
    if found is None:
        return None
    windows: list[tuple[int, int]] = []
    hours = found["hours"] or ""
    for span in _HOURS.finditer(hours):
        start, end = int(span["from"]), int(span["to"])
        if not start < end <= 24 or end - start == 24:
            return None
        windows.append(((start * 60 - BEIJING_MINUTES) % 1440, (end * 60 - BEIJING_MINUTES) % 1440))
    if re.sub(r"[\s、/,，;；和]", "", _HOURS.sub("", hours)) or bool(hours) != bool(windows):
        return None
    price = re.sub(r"\s*/\s*M\s*Tokens$", "", found["price"], flags=re.IGNORECASE)
    return _Part(found["bracket"] or "", tuple(windows), price.replace("￥", "¥"))


SOURCE = Source(
    id=ID,
    kind="tokens",
    url="https://siliconflow.cn/pricing",
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
