"""Changes of meaning: what anybody may do to a price list that stays a price list.

Each change says what must follow (:class:`Rule`). None of them is random: every table, column, kind
of field, unit and currency word of a body is tried.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Literal, NamedTuple

Rule = Literal["noticed", "no new price", "guard", "look"]
"""What must follow a change.

``noticed``: the same rows as before would be wrong. ``no new price``: rows may be lost, but nothing
may stand that did not stand before. ``guard``: no parser can see it; its guards must. ``look``: the
same rows may be right; a person has looked.
"""


class Change(NamedTuple):
    """One changed body: what was done, where, what must follow."""

    name: str
    where: str
    body: bytes
    rules: tuple[Rule, ...]


Outcome = Callable[[bytes], object]
"""What a parser makes of a body, comparable; an error is an outcome too."""

FIGURE = re.compile(r"(?<![\w.,-])[0-9]+(?:\.[0-9]+)?(?![\w.,-])")

WORDS: dict[str, tuple[str, str]] = {
    r"1M tokens": ("1K tokens", "unit"),
    r"million tokens": ("thousand tokens", "unit"),
    r"MTok\b": ("KTok", "unit"),
    r"/ ?1?M\b": ("/1K", "unit"),
    r"\bper 1M\b": ("per 1K", "unit"),
    r"\(1M\b": ("(1K", "unit"),
    r"百万 ?[Tt]okens?": ("千tokens", "unit"),
    r"千 ?[Tt]okens?": ("百万tokens", "unit"),
    r"千万 ?[Tt]okens?": ("百万tokens", "unit"),
    r"/ ?(?:GPU[- ]?)?[Hh](?:ou)?r?\b": ("/month", "unit"),
    r"\b[Pp]er[ -](?:GPU[ -])?hour\b": ("per month", "unit"),
    r"\b[Hh]ourly\b": ("monthly", "unit"),
    r"\b1 Hour\b": ("1 Month", "unit"),
    r"\b1K\b": ("1M", "unit"),
    r"\bUSD\b": ("EUR", "currency"),
    r"\bCNY\b": ("USD", "currency"),
    r"\bEUR\b": ("USD", "currency"),
    r"(?<![A-Z])\$(?=\s*[0-9])": ("€", "currency"),
    r"(?<!HK)(?<!A)\$(?=\s*[0-9])": ("HK$", "currency"),
    r"€": ("$", "currency"),
    r"[¥￥]": ("$", "currency"),
    r"元": ("美元", "currency"),
}
"""Words that decide what a figure is of, and what they are turned into."""

FORMS: tuple[tuple[str, str, tuple[Rule, ...]], ...] = (
    ("from {}", "a least price", ("noticed", "no new price")),
    ("up to {}", "a most price", ("noticed", "no new price")),
    ("~{}", "about", ("noticed", "no new price")),
    ("{}+", "and more", ("noticed", "no new price")),
    ("{}–{9}", "a range", ("noticed", "no new price")),
    ("{}-{9}", "a range with a hyphen", ("noticed", "no new price")),
    ("{} {9}", "an old and a new price", ("noticed", "no new price")),
    ("{9} {}", "a new and an old price", ("noticed", "no new price")),
    ("{}/{9}", "two prices", ("noticed", "no new price")),
    ("-{}", "below zero", ("noticed", "no new price")),
    ("{}%", "a share", ("noticed", "no new price")),
    ("{}k", "in thousands", ("noticed", "no new price")),
    ("{,}", "a comma for the point", ("noticed", "no new price")),
    ("1.{,}", "a point for thousands", ("noticed", "no new price")),
    ("1,{}", "a comma for thousands", ("noticed", "no new price")),
    ("{full}", "full-width digits", ("no new price",)),
    ("{arabic}", "Arabic digits", ("no new price",)),
    ("{}²", "an exponent", ("noticed", "no new price")),
    ("{}e3", "an exponent of ten", ("noticed",)),
    ("\u00a0{}\u00a0", "no-break spaces", ("no new price",)),
    ("{0}\u200b{rest}", "a zero-width space inside", ("no new price",)),
    ("\u202e{}", "turned direction", ("noticed", "no new price")),
)
"""How a figure may be written; ``{9}`` is another figure."""


def is_priced(after: object, base: object) -> bool:
    """Return whether the same offers have other figures: what was changed is read as a price."""
    if not isinstance(after, Counter) or not isinstance(base, Counter) or after == base:
        return False
    return {row[:-1] for row in after} == {row[:-1] for row in base}


def form(template: str, figure: str) -> str:
    """Return a figure written another way."""
    other = scaled(figure, "9")
    wide = "".join(chr(ord(c) + 0xFEE0) if c.isdigit() else c for c in figure)
    arabic = "".join(chr(0x660 + int(c)) if c.isdigit() else c for c in figure)
    comma = figure.replace(".", ",") if "." in figure else figure + ",5"
    made = template.replace("{9}", other).replace("{,}", comma).replace("{full}", wide)
    made = made.replace("{arabic}", arabic).replace("{0}", figure[0]).replace("{rest}", figure[1:])
    return made.replace("{}", figure)


def scaled(figure: str, by: str) -> str:
    """Return a figure times another, in plain digits."""
    made = format(Decimal(figure) * Decimal(by), "f")
    return made.rstrip("0").rstrip(".") if "." in made else made


def words(body: bytes) -> Iterator[Change]:
    """Yield bodies in which one word of unit or currency, or all alike, says something else."""
    text = body.decode("utf-8", "replace")
    for pattern, (new, what) in WORDS.items():
        hits = list(re.finditer(pattern, text))
        for number, hit in enumerate(hits[:40]):
            made = text[: hit.start()] + new + text[hit.end() :]
            around = " ".join(text[max(0, hit.start() - 45) : hit.end() + 25].split())
            yield Change(
                f"{what} {hit[0]!r} to {new!r}", f"{number}: {around}", made.encode(), ("look",)
            )
        if len(hits) > 1:
            made = re.sub(pattern, new, text)
            yield Change(
                f"every {what} {hits[0][0]!r} to {new!r}", "all", made.encode(), ("noticed",)
            )
