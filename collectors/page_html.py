"""HTML tables of pages for people, as a reader sees them (``collectors.pages`` tells the rules)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from selectolax.lexbor import LexborHTMLParser, LexborNode

from collectors.base import Capture
from methodology.errors import ParseError

MAX_CELLS = 50_000
"""Cells of one page, spans counted; the largest price page seen has some 2,000."""
MAX_SPAN = 200
MAX_TAGS = 40_000
"""Opening and closing tags of one page. The parser's time grows with the square of their depth:
this many, all nested, cost some seconds."""
MAX_TEXT = 8_000
"""Characters of one cell or heading, white space of its source counted."""

_STRUCK = frozenset({"del", "s", "strike"})
_SILENT = frozenset(
    {"script", "style", "template", "noscript", "head", "select", "svg", "rp", "rt"}
)
_INLINE = frozenset(
    {"a", "abbr", "b", "bdi", "code", "em", "font", "i", "ins", "kbd", "mark", "small", "span"}
    | {"strong", "sub", "sup", "tt", "u", "var", "wbr"}
)
_HEADINGS = {f"h{n}": n for n in range(1, 7)}
_UNSEEN_STYLE = re.compile(
    r"display:none|visibility:(?:hidden|collapse)|line-through"
    r"|(?:opacity|font-size):0(?:\.0*)?(?:[a-z%]+)?(?:!important)?(?:;|$)",
    re.IGNORECASE,
)
_UNSEEN_CLASS = frozenset(
    {"line-through", "strikethrough", "strike", "sr-only", "visually-hidden", "d-none"}
    | {"invisible", "opacity-0"}
)
_SHOWN_WIDER = re.compile(r"[a-z0-9]+:(?:block|inline|flex|grid|table|contents|list-item)[a-z-]*")
"""``hidden md:table-cell`` hides from a narrow screen only; ``hidden`` alone from everyone."""
_ZERO_WIDTH = re.compile("[\u00ad\u180e\u200b-\u200f\u2060-\u2064\ufeff]")
_TURNED = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""Marks that turn the order of what follows: the eye would read other digits than we do."""
_MARK = re.compile(
    r"(?:[(\uff08\[\u3010][0-9]{1,2}[)\uff09\]\u3011]|[*†‡§¶]|\[\^[^\]\s]{1,20}\]"
    r"|(?<![0-9¹²³⁴⁵⁶⁷⁸⁹⁰])[¹²³⁴⁵⁶⁷⁸⁹⁰]{1,2})$"
)
_SUP = re.compile(r"[(\uff08\[]?(?:[0-9]{1,2}|[a-z]|[*†‡§¶]{1,3})[)\uff09\]]?")


@dataclass(frozen=True, slots=True)
class Table:
    """One table: its path of headings (outermost first, a caption last), head and rows.

    Spans are expanded: a cell stands in every row and column that it covers. A row with fewer
    cells than the head stays short, so that a missing cell cannot pass for an empty one.
    ``header`` is the head of the columns; where a page has several rows of heads, each column has
    their different texts joined by ``" | "``.
    """

    headings: tuple[str, ...]
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def clean(text: str) -> str:
    """Return text with every run of white space (no-break ones too) as one blank, and trimmed.

    Zero-width characters are taken out. A mark that turns the direction of text becomes
    ``\\ufffd``: a cell with one holds no price.
    """
    return " ".join(_TURNED.sub("\ufffd", _ZERO_WIDTH.sub("", text)).split())


def without_marks(text: str) -> str:
    """Return text without footnote marks at its end: ``(1)``, ``[2]``, ``*``, ``†``, ``¹``.

    A ``²`` that touches a digit could be an exponent and stays, so that no price can be read.
    """
    text = text.strip()
    while found := _MARK.search(text[-24:]):
        text = text[: -len(found[0])].rstrip()
    return text


def text_of(capture: Capture) -> str:
    """Return the body as text.

    Raises:
        ParseError: ``NOT_TEXT``; the body is not UTF-8, or has a zero byte, which a browser would
            pass over.
    """
    try:
        text = capture.body.decode("utf-8-sig")
        if "\0" in text:
            raise ValueError(f"a zero byte at {text.index(chr(0))}")
    except ValueError as error:  # UnicodeDecodeError is one
        raise ParseError(
            capture.source, "NOT_TEXT", f"{capture.url}: {error}; look at the archived body"
        ) from error
    return text


def shape(capture: Capture, found: str) -> ParseError:
    """Return the error for a page that is no page of ours: too large, or spans that cannot be."""
    return ParseError(capture.source, "SHAPE", f"{capture.url}: {found}; look at the archived body")


@dataclass(slots=True)
class _Open:
    """A table while it is read: rows of (text, columns, rows, is it a head, is it in thead)."""

    headings: tuple[str, ...]
    rows: list[list[tuple[str, int, int, bool, bool]]] = field(default_factory=list)
    caption: str = ""


def html_tables(capture: Capture) -> list[Table]:
    """Return every visible table of an HTML page that has a cell, in the order they begin.

    The head is what stands in ``thead``, else the leading rows made of ``th``, else the first row.
    A nested table is a table of its own and its text no part of the cell around it.

    Raises:
        ParseError: ``NOT_TEXT``; ``SHAPE`` for a span that is no whole number from 1 to
            :data:`MAX_SPAN`, cells that overlap, more than :data:`MAX_CELLS` cells or
            :data:`MAX_TAGS` tags, or a text over :data:`MAX_TEXT`.
    """
    page = text_of(capture)
    if page.count("<") > MAX_TAGS:
        raise shape(capture, f"more than {MAX_TAGS} tags")
    root = LexborHTMLParser(page).root
    found: list[_Open] = []
    path: list[tuple[int, str]] = []
    # An explicit stack: a page of a hundred thousand nested elements must not end the process.
    todo: list[tuple[LexborNode, _Open | None, bool]] = [(root, None, False)] if root else []
    cells = 0
    while todo:
        node, table, in_head = todo.pop()
        tag = node.tag or ""
        if not node.is_element_node or _is_unseen(node, tag):
            continue
        if tag in _HEADINGS:
            path = [(n, text) for n, text in path if n < _HEADINGS[tag]]
            path.append((_HEADINGS[tag], cell_text(capture, node)))
            continue  # its content is read: going on inside could cost the square of its depth
        if tag == "table":
            table, in_head = _Open(tuple(text for _, text in path)), False
            found.append(table)
        elif table is not None:
            if tag == "thead":
                in_head = True
            elif tag == "caption":
                table.caption = cell_text(capture, node)
                continue
            elif tag == "tr":
                table.rows.append([])
            elif tag in ("td", "th") and table.rows:
                wide, high = (_span(capture, node, name) for name in ("colspan", "rowspan"))
                cells += wide * high
                if cells > MAX_CELLS:
                    raise shape(capture, f"more than {MAX_CELLS} table cells")
                text = cell_text(capture, node)
                table.rows[-1].append((text, wide, high, tag == "th", in_head))
        todo += [(child, table, in_head) for child in reversed(list(_children(node)))]
    return [_closed(capture, table) for table in found if any(table.rows)]


def _children(node: LexborNode) -> Iterator[LexborNode]:
    child = node.child
    while child is not None:
        yield child
        child = child.next


def _is_unseen(node: LexborNode, tag: str) -> bool:
    if tag in _STRUCK or tag in _SILENT:
        return True
    attributes = node.attributes
    if not attributes:
        return False
    style = "".join((attributes.get("style") or "").split())
    classes = (attributes.get("class") or "").split()
    return (
        "hidden" in attributes
        or bool(_UNSEEN_STYLE.search(style))
        or not _UNSEEN_CLASS.isdisjoint(classes)
        or ("hidden" in classes and not any(map(_SHOWN_WIDER.fullmatch, classes)))
    )


def _span(capture: Capture, node: LexborNode, name: str) -> int:
    if name not in node.attributes:
        return 1
    text = (node.attributes[name] or "").strip()
    if not re.fullmatch(r"[0-9]{1,3}", text, re.ASCII) or not 1 <= int(text) <= MAX_SPAN:
        raise shape(capture, f"{name} {text[:20]!r} is not a whole number from 1 to {MAX_SPAN}")
    return int(text)


def html_text(capture: Capture) -> str:
    """Return the running text of an HTML page outside its tables: notes, headings, paragraphs.

    Raises:
        ParseError: ``NOT_TEXT`` or ``SHAPE`` as :func:`html_tables`.
    """
    page = text_of(capture)
    if page.count("<") > MAX_TAGS:
        raise shape(capture, f"more than {MAX_TAGS} tags")
    body = LexborHTMLParser(page).body
    return "" if body is None else cell_text(capture, body, limit=len(page) + MAX_TAGS)


def cell_text(capture: Capture, top: LexborNode, limit: int = MAX_TEXT) -> str:
    """Return what a reader sees in a cell, without tables nested in it."""
    parts: list[str] = []
    size, last = 0, ""
    todo: list[LexborNode | str] = list(reversed(list(_children(top))))
    while todo:
        node = todo.pop()
        if isinstance(node, str) or node.is_text_node:
            part = node if isinstance(node, str) else node.text_content or ""
            parts.append(part)
            size, last = size + len(part), part[-1:] or last
            if size > limit:
                raise shape(capture, f"a cell or heading of more than {limit} characters")
            continue
        tag = node.tag or ""
        if not node.is_element_node or _is_unseen(node, tag):
            continue
        if tag == "sup":
            parts.append(_superscript(last, clean(node.text(deep=True))))
            size, last = size + len(parts[-1]), parts[-1][-1:] or last
            continue
        if tag not in _INLINE:  # a break or a block parts what stands before and after it
            parts.append(" ")
            last = " "
            todo.append(" ")
        if tag == "table":
            continue
        todo += reversed(list(_children(node)))
    return clean("".join(parts))


def _superscript(before: str, mark: str) -> str:
    if _SUP.fullmatch(mark) and not (before.isdigit() and mark.isdigit()):
        return ""
    return f"^{mark}" if mark else ""


def _expanded(capture: Capture, table: _Open) -> list[list[str]]:
    """Return the rows with each cell in every row and column it covers."""
    grid: list[list[str]] = []
    reach: dict[int, tuple[str, int]] = {}  # column: text of a cell above, rows it still covers
    for row in table.rows:
        line = {column: text for column, (text, _) in reach.items()}
        below = {column: (text, more - 1) for column, (text, more) in reach.items() if more > 1}
        at = 0
        for text, wide, high, _, _ in row:
            while at in line:
                at += 1
            for column in range(at, at + wide):
                if column in line:
                    raise shape(capture, f"the cell {text[:40]!r} overlaps one from above")
                line[column] = text
                if high > 1:
                    below[column] = (text, high - 1)
            at += wide
        reach = below
        grid.append([line.get(column, "") for column in range(max(line, default=-1) + 1)])
    return grid


def _closed(capture: Capture, table: _Open) -> Table:
    grid = _expanded(capture, table)
    heads = [bool(row) and all(in_head for *_, in_head in row) for row in table.rows]
    if not any(heads):
        for i, row in enumerate(table.rows):
            if not row or not all(is_head for *_, is_head, _ in row):
                break
            heads[i] = True
    top = [line for line, is_head in zip(grid, heads, strict=True) if is_head and line]
    rest = [line for line, is_head in zip(grid, heads, strict=True) if not is_head and line]
    if not top:
        top, rest = rest[:1], rest[1:]
    elif all(heads) and len(top) > 1:  # a table of nothing but th: its first row is the head
        top, rest = top[:1], top[1:]
    width = max(len(line) for line in top)
    columns = [list(dict.fromkeys(line[i] for line in top if i < len(line))) for i in range(width)]
    header = tuple(" | ".join(text for text in column if text) for column in columns)
    headings = (*table.headings, table.caption) if table.caption else table.headings
    return Table(headings, header, tuple(tuple(line) for line in rest))
