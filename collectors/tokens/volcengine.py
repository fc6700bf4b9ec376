"""Volcengine Ark (ByteDance): the document of model prices, CNY per million tokens.

``GET https://www.volcengine.com/api/doc/getDocDetail?DocumentID=1544106``: the JSON that the page
``/docs/82379/1544106`` is drawn from by scripts; no key. Tier E3. Shape: the beginning of an answer
of 2026-09-21 as a documentation index stores it, and public parsers of the same answer, read
2026-11-21; no whole body of it was at hand, so the source is unproven.

``Result.DocumentID`` must be 1544106; ``Result.MDContent`` is the document in Markdown.
``Result.Content`` (the same as an editor's delta), titles and menus: ignored.

Column map, table under 在线推理（常规） (online inference, regular): 模型名称 listing, written once
for several rows and empty below; 条件 the bracket of input, in thousands of tokens (``输入长度
[0, 32]``); 输入(非音频) IN, 缓存命中(非音频) CIN, 输出 OUT, whose heads must name 元/百万token;
audio and 缓存存储 (storage by the hour): ignored. Heads are compared without white space, by their
beginning. Models of other developers stand in the same table: kept, under their own names.

* A bracket that does not begin at 0 is ``CONTEXT_BRACKET``; one that the length of the *output*
  shares in (且输出长度) is ``CONDITIONAL_TARIFF``.
* 在线推理（低延迟） (low latency) is another service level: each of its rows is ``PRICE_VARIANT``.
  Batch, tuning and images have tables of their own: not read.
"""

from __future__ import annotations

from dataclasses import replace

from collectors.base import Capture, Parsed, Source, single_get
from collectors.pages import Table, markdown_tables
from collectors.rows import is_name, load_json, shape_error
from collectors.tokens.cny_tables import Cell, Sheet, unit_in
from methodology.errors import ParseError

ID = "volcengine"
DOCUMENT = "1544106"
REGULAR, LOW_LATENCY = "在线推理（常规）", "在线推理（低延迟）"
COLUMNS = {"IN": "输入(非音频)", "CIN": "缓存命中(非音频)", "OUT": "输出"}


def parse(capture: Capture) -> Parsed:
    """Return one quote per model and meter of regular inference, CNY per million tokens, tier E3.

    Rejections: ``CONTEXT_BRACKET``, ``CONDITIONAL_TARIFF``, ``UNKNOWN_CONDITION``,
    ``PRICE_VARIANT``, ``NOT_A_LISTING``, ``PRICE_MISSING``, ``FREE_OFFER``, ``NOT_A_NUMBER``,
    ``MALFORMED_ROW``.

    Raises:
        ParseError: ``NOT_JSON``; ``SHAPE``; ``TABLE_CHANGED`` without the one table of regular
            inference, or when a column or its unit is not the known one.
    """
    body = load_json(capture)
    result = body.get("Result") if isinstance(body, dict) else None
    text = result.get("MDContent") if isinstance(result, dict) else None
    if not isinstance(result, dict) or not is_name(text):
        raise shape_error(capture, "no 'Result' with 'MDContent'")
    if str(result.get("DocumentID")) != DOCUMENT:
        raise shape_error(capture, f"DocumentID is {result.get('DocumentID')!r:.40}")
    tables = markdown_tables(replace(capture, body=text.encode()))
    regular = [table for table in tables if REGULAR in table.headings]
    if len(regular) != 1:
        heads = sorted({" > ".join(table.headings[-2:]) for table in tables})
        raise ParseError(
            ID,
            "TABLE_CHANGED",
            f"{capture.url}: {len(regular)} tables under {REGULAR!r}; there are {heads!r:.800}; "
            "compare the archived body with the page",
        )
    out = Sheet(capture, ID)
    at = _columns(capture, regular[0])
    for listing, row in _rows(out, regular[0]):
        cells = {meter: Cell(COLUMNS[meter], row[n]) for meter, n in at.items()}
        out.offer(listing, row[1], cells)
    for table in tables:
        if LOW_LATENCY in table.headings:
            for listing, row in _rows(out, table):
                out.reject(listing, "PRICE_VARIANT", f"low latency, {row[1]!r:.100}")
    return out.parsed()


def _columns(capture: Capture, table: Table) -> dict[str, int]:
    heads = ["".join(head.split()).replace("（", "(").replace("）", ")") for head in table.header]
    at = {}
    for meter, name in COLUMNS.items():
        found = [n for n, head in enumerate(heads) if head.startswith(name)]
        if len(found) != 1 or unit_in(heads[found[0]]) != "per_mtok":
            raise ParseError(
                ID,
                "TABLE_CHANGED",
                f"{capture.url}: no one column {name!r} per million tokens in {heads!r:.600}; "
                "compare the archived body with the page",
            )
        at[meter] = found[0]
    if heads[:2] != ["模型名称", "条件"]:
        raise ParseError(
            ID, "TABLE_CHANGED", f"{capture.url}: the table begins with {heads[:2]}, not the model"
        )
    return at


def _rows(out: Sheet, table: Table) -> list[tuple[str, tuple[str, ...]]]:
    """Rows with the model they are of: an empty cell goes on with the model above."""
    found, listing = [], ""
    for row in table.rows:
        if len(row) != len(table.header):
            out.reject("", "MALFORMED_ROW", f"{len(row)} cells: {row!r:.200}")
            listing = ""
            continue
        listing = row[0] or listing
        found.append((listing, row))
    return found


SOURCE = Source(
    id=ID,
    kind="tokens",
    url="https://www.volcengine.com/api/doc/getDocDetail?DocumentID=1544106",
    parse=parse,
    requests=single_get,
    tier="E3",
    code_licence="none (a page)",
    data_right="prices are facts; no licence stated",
    terms=(
        "The seller's public price page and the answer it is drawn from; no terms for collecting "
        "it were at hand on 2026-11-21, robots file asked first. Single prices, quoted with "
        "address and date."
    ),
    max_raw_bytes=4 * 2**20,
    max_decoded_bytes=8 * 2**20,
    currencies=("CNY",),
    is_page=True,
)
