"""Tables out of pages for people: HTML and Markdown, and prices as people write them.

A page is no interface: it changes without notice. So a source names the table it knows, heading and
column heads, and :func:`known_table` refuses the body when that table is not there. Nothing is
looked for by likeness.

What a reader of the page would not take for the price is no text here: struck-out text (``del``,
``s``, ``strike``, the usual style and class), hidden elements and the tables in them, scripts,
footnote marks. A superscript that touches a digit could be a footnote or an exponent; it is kept
as ``^1``, so that no price can be read from that cell.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import EllipsisType

from collectors.base import Capture
from collectors.page_html import Table, clean, html_tables, html_text, text_of, without_marks
from collectors.page_markdown import markdown_tables, plain_text
from collectors.page_money import Money, money, moneys
from methodology.errors import ParseError

__all__ = [
    "Money",
    "Table",
    "clean",
    "html_tables",
    "html_text",
    "known_table",
    "markdown_tables",
    "money",
    "moneys",
    "plain_text",
    "text_of",
    "without_marks",
]


def known_table(
    capture: Capture,
    tables: Iterable[Table],
    *,
    header: Sequence[str | EllipsisType],
    under: str | None = None,
) -> Table:
    """Return the one table with this head, under this heading if one is named.

    Texts are compared without regard to case, white space and footnote marks, otherwise exactly;
    a ``header`` that ends in ``...`` gives only the first columns. ``under`` must be one of the
    headings above the table.

    Raises:
        ParseError: ``TABLE_CHANGED`` when no table or more than one fits; the message has what
            was expected and what the page has instead.
    """
    there = list(tables)
    is_open = bool(header) and header[-1] is ...
    wanted = [_plain(text) for text in header if isinstance(text, str)]
    fits = [
        table
        for table in there
        if [_plain(text) for text in table.header[: len(wanted) if is_open else None]] == wanted
        and (under is None or _plain(under) in {_plain(text) for text in table.headings})
    ]
    if len(fits) == 1:
        return fits[0]
    told = "; ".join(f"{' > '.join(t.headings[-2:])}: {list(t.header)}" for t in there[:6])
    more = f" and {len(there) - 6} more" if len(there) > 6 else ""
    expected = f"a table {[t if isinstance(t, str) else '...' for t in header]}"
    expected += f" under {under!r}" if under is not None else ""
    raise ParseError(
        capture.source,
        "TABLE_CHANGED",
        f"{capture.url}: expected one {expected[2:]}, found {len(fits)}; the page has "
        f"{told[:1500] or 'no table'}{more}; compare the archived body with the page",
    )


def _plain(text: str) -> str:
    return without_marks(clean(text)).casefold()
