"""MiniMax: the pay-as-you-go page of its Chinese platform, CNY per million tokens.

``https://platform.minimaxi.com/docs/guides/pricing-paygo.md``, the Markdown form of the page; no
key. Tier E3. Shape: the page as a documentation index stores it (spring 2026) and the forms that
public parsers of it hold as examples (August 2026), both read 2026-11-21; no whole body of it was
at hand, so the source is unproven.

Column map, table under the heading 文本 (text): 模型 listing; 输入价格 IN; 输出价格 OUT; 缓存读取
CIN; 缓存写入 (writing the cache) is no meter of ours: ignored. Each head names 元/百万 tokens.

* A model with tiers says so in its own cell: ``MiniMax-M3 ≤ 512k 输入 tokens``. The first tier is
  the list price, the rest ``CONTEXT_BRACKET``.
* Since summer 2026 the tables stand in tabs: 标准 is the standard service; any other tab (优先,
  priority) is another service level: ``PRICE_VARIANT``. Without tabs the table is the standard one.
* Struck-out figures are former prices and are not read: what stands beside them is asked of all.
* Older models fold away in an accordion below, in a table of the same head; they are still sold.
* Tables of speech, video and music have other heads: not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from collectors.base import Capture, Parsed, Source, single_get
from collectors.pages import Table, known_table, markdown_tables, text_of
from collectors.tokens.cny_tables import Cell, Sheet, unit_in

ID = "minimax"
HEADING = "文本"
HEADER = (
    "模型",
    "输入价格 元/百万 tokens",
    "输出价格 元/百万 tokens",
    "缓存读取 元/百万 tokens",
)
STANDARD = "标准"

_TAB = re.compile(r'\s*<Tab title="([^"]{1,80})">\s*')
_END = re.compile(r"\s*</Tabs?>\s*")
_TIER = re.compile(r"(?P<model>[A-Za-z0-9][\w.-]*)(?: (?P<tier>[≤<>≥].{1,60}))?", re.ASCII)


def parse(capture: Capture) -> Parsed:
    """Return one quote per model and meter of the text tables, CNY per million tokens, tier E3.

    Rejections: ``CONTEXT_BRACKET``, ``PRICE_VARIANT``, ``NOT_A_LISTING``, ``UNKNOWN_CONDITION``,
    ``PRICE_MISSING``, ``FREE_OFFER``, ``NOT_A_NUMBER``, ``MALFORMED_ROW``.

    Raises:
        ParseError: ``NOT_TEXT``; ``SHAPE``; ``TABLE_CHANGED`` without a table that is known.
    """
    out = Sheet(capture, ID)
    tables = list(_tables(capture))
    known = [(tab, table) for tab, table in tables if _is_known(table)]
    if not known:
        known_table(capture, [t for _, t in tables], header=(*HEADER, ...), under=HEADING)
    for tab, table in known:
        for row in table.rows:
            if len(row) != len(table.header):
                out.reject("", "MALFORMED_ROW", f"{len(row)} cells: {row!r:.200}")
                continue
            found = _TIER.fullmatch(row[0])
            listing, tier = (found["model"], found["tier"] or "") if found else (row[0], "")
            if tab.rstrip("*") not in ("", STANDARD):
                out.reject(listing[:120], "PRICE_VARIANT", f"in the tab {tab!r}")
                continue
            units = [unit_in(head) or "" for head in table.header]
            cells = {
                meter: Cell(HEADER[n], row[n], units[n])
                for n, meter in ((1, "IN"), (2, "OUT"), (3, "CIN"))
            }
            out.offer(listing, tier, cells)
    return out.parsed()


def _is_known(table: Table) -> bool:
    heads = tuple(table.header[: len(HEADER)])
    return heads == HEADER and HEADING in table.headings


def _tables(capture: Capture) -> Iterator[tuple[str, Table]]:
    """The tables of the page with the tab they stand in; headings go on from part to part."""
    tab, part, headings = "", [""], ""
    parts: list[tuple[str, str]] = []
    for line in text_of(capture).splitlines():
        opened = _TAB.fullmatch(line)
        if opened or _END.fullmatch(line):
            parts.append((tab, headings + "\n".join(part)))
            headings = "".join(
                f"{text}\n" for text in [*headings.splitlines(), *part] if text.startswith("#")
            )
            tab, part = (opened[1] if opened else ""), [""]
        else:
            part.append(line)
    parts.append((tab, headings + "\n".join(part)))
    for name, text in parts:
        for table in markdown_tables(replace(capture, body=text.encode())):
            yield name, table


SOURCE = Source(
    id=ID,
    kind="tokens",
    url="https://platform.minimaxi.com/docs/guides/pricing-paygo.md",
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
