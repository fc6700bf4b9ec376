"""Moonshot: the price page of the Chinese Kimi platform, CNY per million tokens.

``https://platform.kimi.com/docs/pricing/chat.md``, the Markdown form of the page
(``platform.moonshot.cn`` leads there); no key. Tier E3. The page for people is drawn by scripts;
this form holds the tables as ``<DocTable columns={[...]} rows={[...]} />``. Shape and figures:
extracts of the page of 2026-10-05 and earlier, read 2026-11-21 in public repositories; no whole
body of it was at hand, so the source is unproven.

Column map: 模型 listing; 计费单位 must be ``1M tokens``; 输入价格（缓存命中） CIN; 输入价格（缓存
未命中） IN; 输出价格 OUT; 缓存写入 (writing the cache, two lifetimes) and 上下文窗口 (context
window): ignored. The order of the columns is not fixed: they are found by their titles, each of
which must be known. A listing that ends in （Batch） is the batch service of the model: its
uncached input is BAT_IN, its output BAT_OUT, and its cached input is no meter of ours.

International prices in USD stand on ``platform.kimi.ai``: another list, not this one.
"""

from __future__ import annotations

import json
import re
from itertools import pairwise

from collectors.base import Capture, Parsed, Source, single_get
from collectors.pages import Table, clean, text_of
from collectors.tokens.cny_tables import Cell, Sheet
from methodology.errors import ParseError

ID = "moonshot"
MODEL, UNIT = "模型", "计费单位"
METERS = {
    "输入价格（缓存未命中）": "IN",
    "输入价格（缓存命中）": "CIN",
    "输出价格": "OUT",
}
IGNORED = {"缓存写入（TTL 5min）", "缓存写入（TTL 1h）", "上下文窗口"}
BATCH = "（Batch）"
MAX_TEXT = 200_000
"""Characters of the page; the largest seen has some 4,000."""

_TITLE = re.compile(r'\{ ?title: ?"([^"\n]{1,40})"[^{}\n]{0,80}\}')
_TEXT = r'"[^"\\\x00-\x1f]{0,200}"'
_ROW = re.compile(rf"\[ ?{_TEXT}(?:, ?{_TEXT}){{0,19}},? ?\]")


def parse(capture: Capture) -> Parsed:
    """Return one quote per model and meter, CNY per million tokens, tier E3.

    Rejections: ``NOT_A_MEASURED_METER`` (cached input of a batch), ``UNKNOWN_UNIT`` (another
    billing unit), ``NOT_A_LISTING``, ``PRICE_MISSING``, ``FREE_OFFER``, ``NOT_A_NUMBER``,
    ``OTHER_CURRENCY``, ``MALFORMED_ROW``.

    Raises:
        ParseError: ``NOT_TEXT``; ``SHAPE``; ``TABLE_CHANGED`` without a table whose columns are
            all known, or with a row that is not read.
    """
    out = Sheet(capture, ID)
    for table in _tables(capture):
        at = {title: n for n, title in enumerate(table.header)}
        for row in table.rows:
            if len(row) != len(table.header):
                out.reject("", "MALFORMED_ROW", f"{len(row)} cells: {row!r:.200}")
                continue
            listing = row[at[MODEL]]
            if row[at[UNIT]] != "1M tokens":
                out.reject(listing, "UNKNOWN_UNIT", f"{UNIT} is {row[at[UNIT]]!r:.60}")
                continue
            cells = {meter: Cell(title, row[at[title]]) for title, meter in METERS.items()}
            if listing.endswith(BATCH):
                listing = listing.removesuffix(BATCH)
                told = f"batch {cells['CIN'].field} is {cells['CIN'].text!r:.60}"
                out.reject(listing, "NOT_A_MEASURED_METER", told)
                cells = {"BAT_IN": cells["IN"], "BAT_OUT": cells["OUT"]}
            out.offer(listing, "", cells)
    return out.parsed()


def _tables(capture: Capture) -> list[Table]:
    text = text_of(capture)
    if len(text) > MAX_TEXT:
        raise ParseError(ID, "SHAPE", f"{capture.url}: {len(text)} characters; no page of ours")
    starts = [found.start() for found in re.finditer(r"<DocTable\b", text)]
    found = []
    for start, end in pairwise([*starts, len(text)]):
        part = text[start:end].partition("/>")[0]
        head, mark, body = part.partition("rows=")
        titles = tuple(clean(title) for title in _TITLE.findall(head))
        needed = {MODEL, UNIT, *METERS}
        rows = tuple(tuple(clean(c) for c in json.loads(_plain(r))) for r in _ROW.findall(body))
        # a row that the pattern does not know must not pass for a table without it
        listed = sum(line.lstrip().startswith('["') for line in body.splitlines())
        is_known = needed <= set(titles) <= needed | IGNORED and len(set(titles)) == len(titles)
        if not mark or not is_known or not rows or listed != len(rows):
            raise ParseError(
                ID,
                "TABLE_CHANGED",
                f"{capture.url}: a table with {list(titles)}, {len(rows)} of {listed} rows read; "
                "compare the archived body with the page",
            )
        found.append(Table((), titles, rows))
    return found


def _plain(row: str) -> str:
    return re.sub(r",\s*\]$", "]", row)


SOURCE = Source(
    id=ID,
    kind="tokens",
    url="https://platform.kimi.com/docs/pricing/chat.md",
    parse=parse,
    requests=single_get,
    tier="E3",
    code_licence="none (a page)",
    data_right="prices are facts; no licence stated",
    terms=(
        "The seller's public price page; no terms for collecting it were at hand on 2026-11-21, "
        "robots file asked first. Single prices, quoted with address and date."
    ),
    content_types=("text/markdown", "text/plain"),
    max_raw_bytes=2 * 2**20,
    max_decoded_bytes=4 * 2**20,
    currencies=("CNY",),
    is_page=True,
)
