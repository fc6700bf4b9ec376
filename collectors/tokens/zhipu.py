"""Zhipu: the price page of its Chinese platform, CNY per million tokens.

``https://docs.bigmodel.cn/cn/guide/start/pricing.md``, the Markdown form of the page of prices; no
key. Tier E3. (``open.bigmodel.cn/pricing`` shows the same prices, drawn by scripts.) Shape: the
page as a documentation index stores it (September 2026) and the tables that public parsers hold as
examples, read 2026-11-21; no whole body of it was at hand, so the source is unproven.

Column map, every table whose head begins with 模型名称, 上下文, 输入单价 and 输出单价: 模型名称
listing; 输入单价 IN; 输出单价 OUT; 缓存命中 CIN, where there is such a column; 缓存存储 (storage by
the hour) and 输入模态: ignored. 上下文 is the size of the context window (``1M``), or the bracket
of input that the row is for (``输入长度 [0, 32K)``). Tables of images, speech, search and tuning
have other heads and are not read.

* Struck-out figures (``0.4（~~刊例价 0.8~~）``) are the list price during a discount. The page says
  in a note until when, for each model: the quote ends then (``effective_to``). A discount whose
  end has passed, or a discounted cell without such a note, is ``CONDITIONAL_TARIFF``: which price
  is asked cannot be told.
* 免费 and 限时免费 are ``FREE_OFFER``.
* Some models have tiers of the output's length too: ``CONDITIONAL_TARIFF``.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from collectors.base import Capture, Parsed, Source, single_get
from collectors.pages import Table, known_table, markdown_tables, text_of
from collectors.tokens.cny_tables import Cell, Sheet

ID = "zhipu"
HEADER = ("模型名称", "上下文", "输入单价（元/百万 Tokens）", "输出单价（元/百万 Tokens）")
CACHED = "缓存命中（元/百万 Tokens）"

_WINDOW = re.compile(r"[0-9]{1,4}[KkMm]", re.ASCII)
_EMPTIED = re.compile(r"（\s*）$")
_OFFER = re.compile(
    r"(?P<model>GLM-[\w.-]{1,40})\s*表中划线价格为刊例价[^。\n]{0,60}?活动截止\s*"
    r"(?P<y>20[0-9]{2})\s*年\s*(?P<m>[0-9]{1,2})\s*月\s*(?P<d>[0-9]{1,2})\s*日\s*24:00"
    r"\s*（UTC\+8",
    re.ASCII,
)


def parse(capture: Capture) -> Parsed:
    """Return one quote per model and meter, CNY per million tokens, tier E3.

    Rejections: ``CONTEXT_BRACKET``, ``CONDITIONAL_TARIFF``, ``UNKNOWN_CONDITION``,
    ``NOT_A_LISTING``, ``PRICE_MISSING``, ``FREE_OFFER``, ``NOT_A_NUMBER``, ``MALFORMED_ROW``.

    Raises:
        ParseError: ``NOT_TEXT``; ``SHAPE``; ``TABLE_CHANGED`` without a table that is known.
    """
    out = Sheet(capture, ID)
    tables = markdown_tables(capture)
    known = [table for table in tables if _is_known(table)]
    if not known:
        known_table(capture, tables, header=(*HEADER, ...))
    ends = _ends(capture)
    for table in known:
        cached = table.header.index(CACHED) if CACHED in table.header else None
        for row in table.rows:
            if len(row) != len(table.header):
                out.reject("", "MALFORMED_ROW", f"{len(row)} cells: {row!r:.200}")
                continue
            listing, context = row[0], row[1]
            cells = {"IN": Cell(HEADER[2], row[2]), "OUT": Cell(HEADER[3], row[3])}
            if cached is not None:
                cells["CIN"] = Cell(CACHED, row[cached])
            end = None
            if any(_EMPTIED.search(cell.text) for cell in cells.values()):
                end = ends.get(listing)
                if end is None or end <= capture.observed_at:
                    told = f"discount ends {end}" if end else "a discount without a stated end"
                    out.reject(listing, "CONDITIONAL_TARIFF", told)
                    continue
            condition = "" if _WINDOW.fullmatch(context) else context
            out.offer(listing, condition, cells, effective_to=end)
    return out.parsed()


def _is_known(table: Table) -> bool:
    return tuple(table.header[: len(HEADER)]) == HEADER


def _ends(capture: Capture) -> dict[str, datetime]:
    """End of each model's discount, exclusive, naive UTC; midnight in Beijing is 16:00 UTC."""
    found = {}
    for offer in _OFFER.finditer(text_of(capture)):
        try:
            last = datetime(int(offer["y"]), int(offer["m"]), int(offer["d"]))
        except ValueError:
            continue  # no such day: the discount then has no end that is known
        found[offer["model"]] = last + timedelta(days=1) - timedelta(hours=8)
    return found


SOURCE = Source(
    id=ID,
    kind="tokens",
    url="https://docs.bigmodel.cn/cn/guide/start/pricing.md",
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
