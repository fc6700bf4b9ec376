"""Ways in which a body goes wrong: seeded, at most 8 KiB, most of them still readable."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random
from typing import Literal

LIMIT = 8 * 2**10
"""Longest body, in bytes."""

Kind = Literal["json", "html", "markdown", "csv", "packed"]
Mutation = Callable[[bytes, Random], bytes]

_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_STRING = re.compile(rb'"[^"\\\n]{0,60}"')
_NUMBERS = (
    b"0", b"-1", b"-0", b"0.0", b"NaN", b"Infinity", b"-Infinity", b"1e309", b"1e-400", b"1e99",
    b"00.5", b".5", b"5.", b"+1", b"1_000", b"1,000", b"0x10", b"null", b"true", b'"3"', b'""',
    b"[]", b"{}", b"9" * 5000, b"0." + b"0" * 60 + b"1", b"1" + b"0" * 30, b"1e2147483648",
)  # fmt: skip
_WORDS = (
    b'""', b'" "', b"null", b"0", b"[]", b"{}", b'"USD"', b'"CNY"', b'"EUR"', b'"usd"', b'"free"',
    b'"-1"', b'"NaN"', b'"\\ud800"', b'"\\u0000"', b'"\\u202e"', b'"\xd1\x81laude"',
    b'"\xe2\x80\x8bgpt"', b'"9999-12-31T00:00:00Z"', b'"0001-01-01"', b'"2026-02-30"',
    b'"1 Hour"', b'"per month"', b'"../../etc/passwd"', b'"' + b"x" * 3000 + b'"',
)  # fmt: skip
_BYTES = (b"\x00", b"\xff", b"\xef\xbb\xbf", b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":",
          b"<", b">", b"|", b"\r", b"\n", b"\t", b"\xc2\xa0", b"\xef\xbc\x91")  # fmt: skip

_SIGN = re.compile(rb"US\$|\$|\xc2\xa5|\xef\xbf\xa5|\xe2\x82\xac|\xe5\x85\x83|USD|CNY|EUR|RMB")
_SIGNS = ("$", "US$", "A$", "HK$", "¥", "￥", "€", "£", "元", "美元", "円", "USD", "CNY", "EUR", "")
_UNIT = re.compile(
    rb"[MK]Tok|1[MK]\b|[mM]illion|thousand|per_?[a-z]+|[Hh]our(?:ly)?|[Mm]onth(?:ly)?|cents"
    rb"|\xe7\x99\xbe\xe4\xb8\x87|\xe5\x8d\x83"
)
_UNITS = ("MTok", "KTok", "1M", "1K", "million", "thousand", "hour", "month", "year", "second",
          "cents", "百万", "千", "万", "")  # fmt: skip
_SPAN_OF = re.compile(rb'(row|col)span\s*=\s*"?\d+"?', re.IGNORECASE)
_CELL = re.compile(rb"<t[dh]\b[^<>]*>", re.IGNORECASE)
_KEY = re.compile(rb'"([A-Za-z_]{1,40})"(\s*:)')
_VALUE = re.compile(rb':\s*("[^"\\\n]{0,60}"|-?\d[\d.eE+-]*|true|false|null)')


def _pick(pattern: re.Pattern[bytes], body: bytes, draw: Random) -> tuple[int, int] | None:
    found = [match.span() for match in pattern.finditer(body)]
    return draw.choice(found) if found else None


def _another(pattern: re.Pattern[bytes], new: Callable[[bytes, Random], bytes]) -> Mutation:
    def apply(body: bytes, draw: Random) -> bytes:
        place = _pick(pattern, body, draw)
        if place is None:
            return flipped(body, draw)
        start, end = place
        return body[:start] + new(body[start:end], draw) + body[end:]

    return apply


def _everywhere(pattern: re.Pattern[bytes], words: tuple[str, ...]) -> Mutation:
    """Return a mutation that writes one word in place of another, once or all over the body."""

    def apply(body: bytes, draw: Random) -> bytes:
        place = _pick(pattern, body, draw)
        if place is None:
            return flipped(body, draw)
        old, new = body[slice(*place)], draw.choice(words).encode()
        if draw.random() < 0.5:
            return body.replace(old, new)
        return body[: place[0]] + new + body[place[1] :]

    return apply


def _scaled(figure: bytes, draw: Random) -> bytes:
    power = draw.choice((-6, -5, -4, -3, -2, -1, 1, 2, 3, 4, 5, 6))
    return b"%se%d" % (figure.partition(b"e")[0].partition(b"E")[0], power)


def flipped(body: bytes, draw: Random) -> bytes:
    """Return the body with one bit of one byte turned."""
    if not body:
        return b"\x00"
    at = draw.randrange(len(body))
    return body[:at] + bytes([body[at] ^ (1 << draw.randrange(8))]) + body[at + 1 :]


def _inserted(body: bytes, draw: Random) -> bytes:
    at = draw.randrange(len(body) + 1)
    return body[:at] + draw.choice(_BYTES) * draw.choice((1, 1, 1, 2, 200)) + body[at:]


def _span(body: bytes, draw: Random) -> tuple[int, int]:
    start = draw.randrange(len(body) + 1)
    return start, min(len(body), start + draw.choice((1, 2, 8, 40, 200, 1500)))


def _deleted(body: bytes, draw: Random) -> bytes:
    start, end = _span(body, draw)
    return body[:start] + body[end:]


def _doubled(body: bytes, draw: Random) -> bytes:
    start, end = _span(body, draw)
    return body[:end] + body[start:end] + body[end:]


def _moved(body: bytes, draw: Random) -> bytes:
    start, end = _span(body, draw)
    rest = body[:start] + body[end:]
    at = draw.randrange(len(rest) + 1)
    return rest[:at] + body[start:end] + rest[at:]


def _cut(body: bytes, draw: Random) -> bytes:
    return body[: draw.randrange(len(body) + 1)]


def _line(body: bytes, draw: Random) -> bytes:
    lines = body.split(b"\n")
    at = draw.randrange(len(lines))
    if draw.random() < 0.5:
        lines.insert(draw.randrange(len(lines) + 1), lines[at])
    else:
        del lines[at]
    return b"\n".join(lines)


def _nested(body: bytes, draw: Random) -> bytes:
    deep = draw.choice((2, 40, 500))
    return b"[" * deep + body + b"]" * deep


def _swapped(body: bytes, draw: Random) -> bytes:
    """Return the body with two of its figures exchanged."""
    found = [match.span() for match in _NUMBER.finditer(body)]
    if len(found) < 2:
        return flipped(body, draw)
    (a, b), (c, d) = sorted(draw.sample(found, 2))
    return body[:a] + body[c:d] + body[b:c] + body[a:b] + body[d:]


# --- JSON ----------------------------------------------------------------------------------------


def _key_twice(body: bytes, draw: Random) -> bytes:
    found = list(re.finditer(rb'"[A-Za-z_]{1,30}"\s*:\s*("[^"]{0,40}"|[-0-9.eE]+)', body))
    if not found:
        return _doubled(body, draw)
    one = draw.choice(found)
    return body[: one.start()] + one[0] + b"," + body[one.start() :]


def _key_renamed(body: bytes, draw: Random) -> bytes:
    """Return the body with one key, once or wherever it stands, under another name."""
    found = _KEY.findall(body)
    if not found:
        return flipped(body, draw)
    name, colon = draw.choice(found)
    new = draw.choice((name.upper(), name + b"s", b"_" + name, b"x", b"", draw.choice(found)[0]))
    return body.replace(
        b'"' + name + b'"' + colon, b'"' + new + b'"' + colon, draw.choice((1, 1, -1))
    )


def _of_another_type(body: bytes, draw: Random) -> bytes:
    found = list(_VALUE.finditer(body))
    if not found:
        return flipped(body, draw)
    one = draw.choice(found)
    old = one[1]
    new = draw.choice(
        (b"[" + old + b"]", b'{"value": ' + old + b"}", b"null", b"true", b"[]", b"{}",
         old[1:-1] if old[:1] == b'"' else b'"' + old + b'"')
    )  # fmt: skip
    return body[: one.start(1)] + new + body[one.end(1) :]


def _emptied(body: bytes, draw: Random) -> bytes:
    """Return the body with one of its lists or objects empty."""
    place = _pick(re.compile(rb"[\[{]"), body, draw)
    if place is None:
        return flipped(body, draw)
    depth, start = 0, place[0]
    for at in range(start, len(body)):
        depth += (body[at] in b"[{") - (body[at] in b"]}")
        if not depth:
            return body[: start + 1] + body[at:]
    return body[: start + 1]


# --- tables --------------------------------------------------------------------------------------


def _spanned(body: bytes, draw: Random) -> bytes:
    sizes = (b"0", b"1", b"2", b"3", b"9", b"-1", b"1e3", b"1000", b"")
    new = b'%s="%s"' % (draw.choice((b"rowspan", b"colspan")), draw.choice(sizes))
    found = [match.span() for match in _SPAN_OF.finditer(body)]
    if found and draw.random() < 0.6:
        start, end = draw.choice(found)
        return body[:start] + new + body[end:]
    place = _pick(_CELL, body, draw)
    if place is None:
        return flipped(body, draw)
    return body[: place[1] - 1] + b" " + new + b">" + body[place[1] :]


def _more_columns(body: bytes, draw: Random) -> bytes:
    """Return a table of HTML or Markdown with a cell more, or one less, in a row."""
    if b"<t" in body:
        place = _pick(re.compile(rb"<t[dh]\b[^<>]*>[^<>]*</t[dh]>"), body, draw)
        if place is None:
            return flipped(body, draw)
        new = draw.choice((b"", b"<td>1</td>" + body[slice(*place)], body[slice(*place)] * 2))
        return body[: place[0]] + new + body[place[1] :]
    place = _pick(re.compile(rb"\|[^|\n]*(?=\|)"), body, draw)
    if place is None:
        return flipped(body, draw)
    new = draw.choice((b"", b"| 1 " + body[slice(*place)], body[slice(*place)] * 2))
    return body[: place[0]] + new + body[place[1] :]


def _head_renamed(body: bytes, draw: Random) -> bytes:
    """Return a page or a table with a column head that reads otherwise."""
    heads = re.compile(rb"(?<=>)[^<>\n]{2,60}(?=</th>)|^[^|\n]*\|[^\n]*(?=\n\s*\|?\s*:?-)", re.M)
    place = _pick(heads, body, draw) if b"|" in body or b"</th>" in body else None
    if place is None:
        place = (0, max(body.find(b"\n"), 1))
    line = body[slice(*place)]
    words = re.findall(rb"[^\s|,]{2,}", line) or [line]
    old = draw.choice(words)
    new = draw.choice((old + b"s", old.upper(), b"x", b"", draw.choice(words), old[::-1]))
    return body[: place[0]] + line.replace(old, new, 1) + body[place[1] :]


def _column_moved(body: bytes, draw: Random) -> bytes:
    """Return a CSV with two columns exchanged: everywhere, below the head, or in one line."""
    lines = body.split(b"\n")
    width = lines[0].count(b",") + 1
    if width < 2:
        return flipped(body, draw)
    a, b = draw.sample(range(width), 2)
    first = draw.choice((0, 1, draw.randrange(len(lines))))
    last = draw.choice((len(lines), first + 1))
    for at in range(first, min(last, len(lines))):
        cells = lines[at].split(b",")
        if len(cells) == width:
            cells[a], cells[b] = cells[b], cells[a]
            lines[at] = b",".join(cells)
    return b"\n".join(lines)


def _unbalanced(body: bytes, draw: Random) -> bytes:
    place = _pick(re.compile(rb"[,\n]"), body, draw)
    at = 0 if place is None else draw.choice(place)
    return body[:at] + draw.choice((b'"', b'""', b"'", b'"\n')) + body[at:]


def _delimited(body: bytes, draw: Random) -> bytes:
    new = draw.choice((b";", b"\t", b"|", b", ", b""))
    lines = body.split(b"\n")
    at = draw.randrange(len(lines))
    if draw.random() < 0.5:
        return body.replace(b",", new)
    lines[at] = lines[at].replace(b",", new, draw.choice((1, -1)))
    return b"\n".join(lines)


MUTATIONS: dict[str, Mutation] = {
    "one bit": flipped,
    "odd bytes": _inserted,
    "a hole": _deleted,
    "a piece twice": _doubled,
    "a piece elsewhere": _moved,
    "cut short": _cut,
    "a line more or less": _line,
    "nested": _nested,
    "two figures exchanged": _swapped,
    "a key twice": _key_twice,
    "another figure": _another(_NUMBER, lambda old, draw: draw.choice(_NUMBERS)),
    "a unit slip": _another(_NUMBER, _scaled),
    "a minus": _another(_NUMBER, lambda old, draw: b"-" + old),
    "another word": _another(_STRING, lambda old, draw: draw.choice(_WORDS)),
    "a figure in quotes": _another(_NUMBER, lambda old, draw: b'"' + old + b'"'),
    "another currency": _everywhere(_SIGN, _SIGNS),
    "another unit": _everywhere(_UNIT, _UNITS),
    "a key renamed": _key_renamed,
    "another type": _of_another_type,
    "emptied": _emptied,
    "another span": _spanned,
    "a cell more or less": _more_columns,
    "a head renamed": _head_renamed,
    "a column moved": _column_moved,
    "quotes unbalanced": _unbalanced,
    "another delimiter": _delimited,
}
"""Every mutation by what it does to the body."""

_ONLY: dict[Kind, frozenset[str]] = {
    "json": frozenset({"a key twice", "a key renamed", "another type", "emptied"}),
    "html": frozenset({"another span", "a cell more or less", "a head renamed"}),
    "markdown": frozenset({"a cell more or less", "a head renamed"}),
    "csv": frozenset({"a column moved", "quotes unbalanced", "another delimiter"}),
    "packed": frozenset(),
}
_SOME = frozenset().union(*_ONLY.values())
_NAMES: dict[Kind, tuple[str, ...]] = {
    kind: tuple(name for name in MUTATIONS if name not in _SOME or name in only)
    for kind, only in _ONLY.items()
}


def kind_of(body: bytes) -> Kind:
    """Return what a body is, by its looks: it decides which mutations are typical of it."""
    start = body.removeprefix(b"\xef\xbb\xbf").lstrip()
    if start[:4] == b"PAR1" or start[:2] == b"PK":
        return "packed"
    if start[:1] in (b"{", b"["):
        return "json"
    if start[:1] == b"<" or b"<td" in start or b"<th" in start:
        return "html"
    return "markdown" if b"|-" in start or b"| -" in start or b"\n#" in start else "csv"


def mutations_of(kind: Kind) -> tuple[str, ...]:
    """Return the names of the mutations that a body of this kind can suffer."""
    return _NAMES[kind]


def mutated(body: bytes, draw: Random) -> tuple[str, bytes]:
    """Return one to three mutations of a body, with their names; at most :data:`LIMIT` bytes."""
    names = draw.choices(_NAMES[kind_of(body)], k=draw.choice((1, 1, 1, 2, 3)))
    for name in names:
        body = MUTATIONS[name](body, draw)[:LIMIT]
    return ", ".join(names), body
