"""Baidu Qianfan: the page of model prices, CNY per *thousand* tokens.

``https://cloud.baidu.com/doc/qianfan/s/wmh4sv6ya``, an HTML page; no key. Tier E3. Shape and
figures: an extract of the page of 2026-07-09 and a public parser of its tables, read 2026-11-21; no
whole body of it was at hand, so the source is unproven.

Column map, every table with the head 模型名称, 版本名称, 服务内容, 子项, 在线推理, 批量推理,
单位: one row per meter. 版本名称 listing, several of them in one cell where they cost the same;
服务内容 must be 推理服务 (inference); 子项 the meter: 输入 IN, 输出 OUT, 命中缓存 or 缓存命中
CIN, with the bracket of input in brackets (``输入（32k<输入<=128k）``); 在线推理 the price of
immediate service; 批量推理 that of the batch service (BAT_IN, BAT_OUT); 单位 the unit,
元/千tokens: a thousand, not a million.
模型名称 groups versions: ignored. A trigger of search and the like (元/次) is no meter of ours.

Prices of holidays and of offers for a time stand in tables of another head, which are not read.
"""

from __future__ import annotations

import re

from collectors.base import Capture, Parsed, Source, single_get
from collectors.pages import html_tables, known_table
from collectors.tokens.cny_tables import UNITS, Cell, Sheet

ID = "baidu_qianfan"
HEADER = ("模型名称", "版本名称", "服务内容", "子项", "在线推理", "批量推理", "单位")
INFERENCE = "推理服务"
METERS = {"输入": "IN", "输出": "OUT", "命中缓存": "CIN", "缓存命中": "CIN"}
BATCH = {"IN": "BAT_IN", "OUT": "BAT_OUT"}

_ITEM = re.compile(
    r"(?P<meter>输入|输出|命中缓存|缓存命中)\s*(?:[（(](?P<bracket>[^（）()]{1,60})[）)])?"
)


def parse(capture: Capture) -> Parsed:
    """Return one quote per version and meter, CNY per thousand tokens, tier E3.

    Rejections: ``CONTEXT_BRACKET``, ``CONDITIONAL_TARIFF``, ``UNKNOWN_CONDITION``,
    ``NOT_A_MEASURED_METER``, ``UNKNOWN_UNIT``, ``NOT_A_LISTING``, ``PRICE_MISSING``,
    ``FREE_OFFER``, ``NOT_A_NUMBER``, ``MALFORMED_ROW``.

    Raises:
        ParseError: ``NOT_TEXT``; ``SHAPE``; ``TABLE_CHANGED`` without a table that is known.
    """
    out = Sheet(capture, ID)
    tables = html_tables(capture)
    known = [table for table in tables if tuple(table.header) == HEADER]
    if not known:
        known_table(capture, tables, header=HEADER)
    for table in known:
        for row in table.rows:
            if len(row) != len(HEADER):
                out.reject("", "MALFORMED_ROW", f"{len(row)} cells: {row!r:.200}")
                continue
            _row(out, row)
    return out.parsed()


def _row(out: Sheet, row: tuple[str, ...]) -> None:
    _, versions, service, item, online, batch, words = row
    found = _ITEM.fullmatch(item)
    unit = UNITS.get("".join(words.split()).casefold())
    for listing in versions.split() or [""]:
        if service != INFERENCE or found is None:
            out.reject(listing, "NOT_A_MEASURED_METER", f"{service} {item}: {online} {words}")
            continue
        if unit is None:
            out.reject(listing, "UNKNOWN_UNIT", f"{item}: {online} {words!r:.60}")
            continue
        meter = METERS[found["meter"]]
        cells = {meter: Cell(item, online, unit)}
        if meter in BATCH:
            cells[BATCH[meter]] = Cell(f"batch {item}", batch, unit)
        out.offer(listing, found["bracket"] or "", cells)


SOURCE = Source(
    id=ID,
    kind="tokens",
    url="https://cloud.baidu.com/doc/qianfan/s/wmh4sv6ya",
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
