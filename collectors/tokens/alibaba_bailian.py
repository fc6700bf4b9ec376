"""Alibaba Cloud Bailian (Model Studio): the page of model prices, CNY per million tokens.

``https://help.aliyun.com/zh/model-studio/model-pricing``, an HTML page; no key. Tier E3. Shape: the
page's Markdown copies and public parsers of its tables, read 2026-11-21; no whole body of the HTML
was at hand (readers report that parts of it are drawn by scripts), so the source is unproven.

Column map, every table that has heads beginning with 输入单价（每百万Token） and
输出单价（每百万Token）: the first column, 模型 ID, begins with the listing; notes follow in the
same cell (``Batch调用半价``, ``上下文缓存享有折扣``). 单次请求的输入Token数 the bracket of input
(``0<Token≤32K``); input IN, output (thinking and answer) OUT; 模式 (thinking or not) and 免费额度
(free quota): ignored where they do not decide the price.

* The whole request is billed in the bracket of its input: all but the first are
  ``CONTEXT_BRACKET``.
* A model with several rows for its first bracket is priced by mode: ``CONDITIONAL_TARIFF``, each.
  So is one in a table with two output columns.
* Batch is half: the page says so (``Batch调用半价``), and the quote is the product ``2.5 * 0.5``.
* A cache discount is named without its rate: no CIN.
* Regions stand under headings of their own. Only 华北2（北京） is the list here; the others are
  ``PRICE_VARIANT``: a listing has the same id in all of them.
* ``限时5折`` and day and night prices in one cell are no single price: ``NOT_A_NUMBER`` or
  ``TWO_PRICES``.
"""

from __future__ import annotations

import re
from collections import Counter

from collectors.base import Capture, Parsed, Source, single_get
from collectors.pages import Table, html_tables, known_table
from collectors.tokens.cny_tables import Cell, Sheet, bracket_refusal

ID = "alibaba_bailian"
REGION = "华北2（北京）"
INPUT, OUTPUT = "输入单价（每百万Token）", "输出单价（每百万Token）"
BRACKETS = ("单次请求的输入Token数", "单次请求的输入Token范围", "输入Token范围")
HALF_BATCH = "Batch调用半价"

_MODEL = re.compile(r"(?P<id>[A-Za-z0-9][A-Za-z0-9._/-]{0,80})(?:\s(?P<notes>.*))?", re.DOTALL)


def parse(capture: Capture) -> Parsed:
    """Return one quote per model and meter of the Beijing region, CNY per million tokens, tier E3.

    Rejections: ``CONTEXT_BRACKET``, ``CONDITIONAL_TARIFF``, ``UNKNOWN_CONDITION``,
    ``PRICE_VARIANT`` (another region), ``NOT_A_LISTING``, ``PRICE_MISSING``, ``FREE_OFFER``,
    ``TWO_PRICES``, ``NOT_A_NUMBER``, ``OTHER_CURRENCY``, ``MALFORMED_ROW``.

    Raises:
        ParseError: ``NOT_TEXT``; ``SHAPE``; ``TABLE_CHANGED`` without a table that is known.
    """
    out = Sheet(capture, ID)
    tables = html_tables(capture)
    known = [table for table in tables if _columns(table, INPUT) and _columns(table, OUTPUT)]
    if not any(REGION in table.headings for table in known):
        known_table(capture, tables, header=("模型 ID（Model ID）", ...), under=REGION)
    for table in known:
        _table(out, table)
    return out.parsed()


def _columns(table: Table, name: str) -> list[int]:
    return [n for n, head in enumerate(table.header) if "".join(head.split()).startswith(name)]


def _table(out: Sheet, table: Table) -> None:
    inputs, outputs = _columns(table, INPUT), _columns(table, OUTPUT)
    at = next((n for n, head in enumerate(table.header) if head.startswith(BRACKETS)), None)
    rows: list[tuple[str, str, str, tuple[str, ...]]] = []
    for row in table.rows:
        if len(row) != len(table.header):
            out.reject("", "MALFORMED_ROW", f"{len(row)} cells: {row!r:.200}")
            continue
        found = _MODEL.fullmatch(row[0])
        if found is None or "batch" in found["id"].casefold():
            out.reject(row[0][:120], "NOT_A_LISTING", f"model is {row[0][:120]!r}")
            continue
        rows.append((found["id"], found["notes"] or "", "" if at is None else row[at], row))
    bases = Counter(listing for listing, _, bracket, _ in rows if bracket_refusal(bracket) is None)
    for listing, notes, bracket, row in rows:
        if REGION not in table.headings:
            out.reject(listing, "PRICE_VARIANT", f"under {' > '.join(table.headings)[:200]!r}")
        elif bracket_refusal(bracket) is None and (bases[listing] > 1 or len(outputs) > 1):
            out.reject(
                listing, "CONDITIONAL_TARIFF", f"priced by mode: {' | '.join(row[1:])[:200]}"
            )
        else:
            price_in, price_out = row[inputs[0]], row[outputs[0]]
            out.offer(
                listing, bracket, {"IN": Cell(INPUT, price_in), "OUT": Cell(OUTPUT, price_out)}
            )
            if HALF_BATCH in "".join(notes.split()) and bracket_refusal(bracket) is None:
                batch = {"BAT_IN": Cell(INPUT, price_in), "BAT_OUT": Cell(OUTPUT, price_out)}
                out.offer(listing, bracket, batch, times="0.5")


SOURCE = Source(
    id=ID,
    kind="tokens",
    url="https://help.aliyun.com/zh/model-studio/model-pricing",
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
    max_raw_bytes=8 * 2**20,
    max_decoded_bytes=16 * 2**20,
    currencies=("CNY",),
    is_page=True,
)
