"""Pipe tables of Markdown pages (``collectors.pages`` tells the rules)."""

from __future__ import annotations

import re

from selectolax.lexbor import LexborHTMLParser

from collectors.base import Capture
from collectors.page_html import MAX_CELLS, MAX_TEXT, Table, cell_text, clean, shape, text_of

_HEADING = re.compile(r" {0,3}(#{1,6})[ \t]+(.*)")
_DASHES = re.compile(r":?-+:?")
_BARS = re.compile(r"(?<!\\)\|")
_IMAGE = re.compile(r"!\[[^\]]*\]\([^()\s]*\)")
_LINK = re.compile(r"\[([^\[\]]*)\]\([^()]*(?:\([^()]*\)[^()]*)*\)")
_FOOTNOTE = re.compile(r"\[\^[^\]\s]{1,40}\]")
_STRIKE = re.compile(r"~~[^~]*~~")
_BOLD = re.compile(r"(\*\*\*|\*\*|\*)(?=\S)([^*]+)(?<=\S)\1")
_UNDERLINED = re.compile(r"(?<!\w)(__|_)(?=\S)([^_]+)(?<=\S)\1(?!\w)")
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
_CODE = re.compile(r"(`{1,3})([^`]+)\1")


def markdown_tables(capture: Capture) -> list[Table]:
    """Return every pipe table of a Markdown page (GitHub's), in order.

    Cells are plain text: links give their words, code and bold their content, ``~~struck~~`` and
    footnote marks nothing, HTML inside a cell what :func:`html_tables` reads. Tables in fenced code
    or comments are none.

    Raises:
        ParseError: ``NOT_TEXT``; ``SHAPE`` as :func:`html_tables`.
    """
    lines = _without_comments(text_of(capture)).splitlines()
    found: list[Table] = []
    path: list[tuple[int, str]] = []
    fence, at, cells = "", 0, 0
    while at < len(lines):
        line = lines[at]
        at += 1
        mark = line.strip()[:3]
        if fence or mark in ("```", "~~~"):
            fence = ("" if mark == fence else fence) if fence else mark
            continue
        if heading := _HEADING.fullmatch(line):
            level = len(heading[1])
            path = [(n, text) for n, text in path if n < level]
            path.append((level, plain_text(capture, heading[2].rstrip("# \t"))))
            continue
        if "|" not in line or at == len(lines) or not _is_ruler(lines[at], line):
            continue
        header = _cells(capture, line)
        at += 1
        rows = []
        while at < len(lines) and "|" in lines[at]:
            rows.append(_cells(capture, lines[at]))
            cells += len(rows[-1])
            if cells > MAX_CELLS:
                raise shape(capture, f"more than {MAX_CELLS} table cells")
            at += 1
        found.append(Table(tuple(text for _, text in path), header, tuple(rows)))
    return found


def _without_comments(text: str) -> str:
    kept, at = [], 0
    while (start := text.find("<!--", at)) >= 0:
        kept.append(text[at:start])
        end = text.find("-->", start + 4)
        if end < 0:
            return "".join(kept)
        at = end + 3
    return "".join(kept) + text[at:]


def _split(line: str) -> list[str]:
    parts = _BARS.split(line.strip())
    if len(parts) > 1 and not parts[0].strip():
        parts = parts[1:]
    if len(parts) > 1 and not parts[-1].strip():
        parts = parts[:-1]
    return [part.strip() for part in parts]


def _is_ruler(line: str, head: str) -> bool:
    parts = _split(line)
    return len(parts) == len(_split(head)) and all(_DASHES.fullmatch(part) for part in parts)


def _cells(capture: Capture, line: str) -> tuple[str, ...]:
    return tuple(plain_text(capture, part) for part in _split(line))


def plain_text(capture: Capture, text: str) -> str:
    """Return a heading or cell of Markdown as a reader sees it."""
    if len(text) > MAX_TEXT:
        raise shape(capture, f"a cell or heading of more than {MAX_TEXT} characters")
    text = _STRIKE.sub("", text.replace("\\|", "|"))
    text = _LINK.sub(r"\1", _FOOTNOTE.sub("", _IMAGE.sub("", text)))
    text = _CODE.sub(r"\2", text)
    for pattern in (_BOLD, _UNDERLINED):
        text = pattern.sub(r"\2", text)
    text = _ESCAPED.sub(r"\1", text)
    if "<" in text or "&" in text:
        body = LexborHTMLParser(f"<div>{text}</div>").body
        text = cell_text(capture, body) if body is not None else ""
    return clean(text)
