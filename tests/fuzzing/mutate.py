"""Ways in which a body goes wrong: seeded, at most 8 KiB, most of them still readable."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

LIMIT = 8 * 2**10
"""Longest body, in bytes."""

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


def _key_twice(body: bytes, draw: Random) -> bytes:
    found = list(re.finditer(rb'"[A-Za-z_]{1,30}"\s*:\s*("[^"]{0,40}"|[-0-9.eE]+)', body))
    if not found:
        return _doubled(body, draw)
    one = draw.choice(found)
    return body[: one.start()] + one[0] + b"," + body[one.start() :]


Mutation = Callable[[bytes, Random], bytes]

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
}
"""Every mutation by what it does to the body."""

_NAMES = tuple(MUTATIONS)


def mutated(body: bytes, draw: Random) -> tuple[str, bytes]:
    """Return one to three mutations of a body, with their names; at most :data:`LIMIT` bytes."""
    names = draw.choices(_NAMES, k=draw.choice((1, 1, 1, 2, 3)))
    for name in names:
        body = MUTATIONS[name](body, draw)[:LIMIT]
    return ", ".join(names), body
