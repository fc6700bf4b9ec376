"""One API's table of model ratios: what a gateway charged for input, back to May 2023.

History only: change rows read from the Go source of ``https://github.com/songquanpeng/one-api``
(MIT; read 2026-11-21), one per model and commit that changed it, 2023-05-11 to 2025-02-16, input
side only. Evidence tier E4. A row is an observation at 00:00 UTC of its date. The table names no
seller: the provider is always ``one-api``, and which vendor an id belongs to is for a reviewed line
to say.

Column map (``date,commit,path,model,currency,input_per_million,expr,comment``):

* ``model``: listing_id. ``commit``, ``path``: where it stood; ignored. ``comment``: the rest of the
  line, sometimes the heading of the next block; ignored.
* ``currency`` CNY: ``expr`` is yuan per thousand tokens, ``0.12 * RMB``. Its number is quoted, and
  must agree with ``input_per_million``, which the extract computed from it.
* ``currency`` USD_ratio: ``expr`` is a bare ratio, and ``input_per_million`` reads it at two
  dollars a million. **Refused**, all of them (``CONVERTED_CURRENCY``). The gateway's unit was not
  a dollar: for Chinese vendors the ratio was the yuan price divided by 0.014 and cut to four
  decimals (``ERNIE-Bot-4`` 8.572 for ¥0.12 a thousand, where 17.144 "dollars" would be seven times
  the price), for other new entries a placeholder (1.4286 for sixty-two models in one commit,
  2024-12-22). Nothing in a row says which it is. "8.572 * 2" would be exact and wrong.
* ``currency`` expr: what the extract could not read (``0.04 * USD`` per image, ``return 5``,
  ``-500000.0`` for "varies"). Refused: in dollars ``OTHER_CURRENCY``, else by what it is.
* image models are priced per image in the same column (``cogview-3`` 0.25), embeddings per
  thousand tokens of another good: ``MODE_NOT_TEXT`` (:data:`NOT_TEXT`).

A refused row ends an older price of its model.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping

import polars as pl

from collectors.base import Capture, Parsed, Request, Source
from collectors.csv_tables import read_text
from collectors.rows import Rows, problem, shape_error
from collectors.times import moments
from collectors.tokens.clashes import without_clashes
from methodology.units import exact

PROVIDER = "one-api"
COLUMNS = ("date", "commit", "path", "model", "currency", "input_per_million", "expr", "comment")
NOT_TEXT = ("bge-", "cogview", "embedding-", "text-embedding-", "hunyuan-embedding", "tao-8k")
"""How ids of image models and embeddings begin, in lower case."""

_YUAN = re.compile(r"([0-9.]+) \* RMB")


def parse(capture: Capture) -> Parsed:
    """Return one quote per CNY row, meter IN, CNY per thousand tokens, observed on its date.

    Rejections: ``CONVERTED_CURRENCY``, ``OTHER_CURRENCY``, ``MODE_NOT_TEXT``, ``NEGATIVE_PRICE``,
    ``NOT_A_NUMBER``, ``FREE_OFFER``, ``BAD_DATE``, ``MALFORMED_ROW`` (no model; an expression that
    contradicts its figure), each with a row ``unknown`` where the model had a price before;
    ``DUPLICATE_LISTING``, ``AMBIGUOUS_LISTING`` for two rows of a model and day.

    Raises:
        ParseError: ``NOT_CSV``, or ``SHAPE`` for other columns.
    """
    table = read_text(capture, capture.body).fill_null("")
    if tuple(table.columns) != COLUMNS:
        raise shape_error(capture, f"columns are {table.columns}")
    if table.is_empty():
        raise shape_error(capture, "a head and no row")
    rows = Rows(capture, "per_ktok", currency="CNY")
    priced: set[str] = set()
    ordered = table.with_columns(moments(pl.col("date"), "%Y-%m-%d").alias("day"))
    ordered = ordered.sort("day", maintain_order=True)
    for row in ordered.iter_rows(named=True):
        if row["day"] is None or not row["model"]:
            reason = "BAD_DATE" if row["day"] is None else "MALFORMED_ROW"
            rows.reject(
                PROVIDER, row["model"], reason, f"date {row['date']!r}, expr {row['expr']!r}"
            )
            continue
        rows.observed_at = row["day"]
        refusal, told = _read(row)
        if refusal is None:
            priced.add(row["model"])
            rows.quote(PROVIDER, row["model"], "IN", told)
            continue
        rows.reject(PROVIDER, row["model"], refusal, f"{told} on {row['date']}")
        if row["model"] in priced:
            rows.quote(PROVIDER, row["model"], "IN", None, status="unknown")
    return without_clashes(capture, rows)


def _read(row: Mapping[str, str]) -> tuple[str | None, str]:
    """Return the reason and its detail, or None and the yuan per thousand tokens."""
    kind, expr = row["currency"], row["expr"]
    if row["model"].lower().startswith(NOT_TEXT):
        return "MODE_NOT_TEXT", f"expr is {expr!r}"
    if kind == "USD_ratio":
        return "CONVERTED_CURRENCY", f"expr is {expr!r}, a ratio of no stated currency"
    if "USD" in expr:
        return "OTHER_CURRENCY", f"expr is {expr!r}"
    yuan = _YUAN.fullmatch(expr)
    if kind != "CNY" or yuan is None:
        return problem(expr) or "NOT_A_NUMBER", f"expr is {expr!r} under currency {kind!r}"
    figure, million = yuan[1], row["input_per_million"]
    wrong = problem(figure)
    if wrong:
        return wrong, f"expr is {expr!r}"
    if problem(million) or exact(figure) * 1000 != exact(million):
        return "MALFORMED_ROW", f"expr is {expr!r}, input_per_million {million!r}"
    return None, figure


def requests(base_url: str) -> Generator[Request, Capture, None]:
    """Yield nothing: the table is a file of the past, there is nobody to ask."""
    yield from ()


SOURCE = Source(
    id="oneapi_cny",
    kind="tokens",
    url="https://github.com/songquanpeng/one-api",
    parse=parse,
    requests=requests,
    tier="E4",
    code_licence="MIT",
    data_right="MIT (the table is part of the licensed repository); prices are facts",
    terms="MIT licence of the repository, which asks for its notice to be kept; read 2026-11-21",
    mode="history",
    content_types=("text/csv",),
    currencies=("CNY",),
    is_live=False,
)
