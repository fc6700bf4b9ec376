"""Prices as people write them on pages: ``$3 / MTok``, ``0.8元``, ``¥2/百万tokens``.

The figure stays the page's own decimal text. A text that is not wholly understood is no price: what
stands around a figure (``from``, ``up to``, a second figure) changes what it means. ``$`` is read
as USD and ``¥`` as CNY; a source's pinned currencies decide whether that is right for its page, and
``A$`` or ``HK$`` are not understood at all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from methodology.errors import PriceError
from methodology.units import exact


@dataclass(frozen=True, slots=True)
class Money:
    """A price of a page: the figure verbatim, ISO currency, quoted unit or None if none is said."""

    price_text: str
    currency: str
    per: str | None


_FIGURE = r"(?:0|[1-9][0-9]*)(?:\.[0-9]+)?"
_BEFORE = {"$": "USD", "US$": "USD", "USD": "USD", "¥": "CNY", "￥": "CNY", "RMB": "CNY"}
_BEFORE |= {"CNY": "CNY", "€": "EUR", "EUR": "EUR"}
_AFTER = {"元": "CNY", "人民币": "CNY", "USD": "USD", "CNY": "CNY", "RMB": "CNY", "美元": "USD"}
_AFTER |= {"EUR": "EUR", "€": "EUR"}


def _any(words: dict[str, str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


_PRICE = (
    rf"(?:(?<![A-Za-z])(?P<before>{_any(_BEFORE)})\s*(?P<a>{_FIGURE})"
    rf"|(?<![\w.,])(?P<b>{_FIGURE})\s*(?P<after>{_any(_AFTER)}))"
)
_ONE = re.compile(rf"{_PRICE}(?:\s*(?:/|per\b)\s*(?P<per>.+))?", re.ASCII)
_SEVERAL = re.compile(rf"{_PRICE}(?![\d.,]*\d|[¹²³⁴⁵⁶⁷⁸⁹⁰^])", re.ASCII)
"""A figure with a superscript could have an exponent."""
_SIGN = re.compile(r"[$¥￥€元]|USD|CNY|RMB|EUR|人民币")

_UNITS = {
    "mtok": "per_mtok",
    "mtoks": "per_mtok",
    "mtokens": "per_mtok",
    "1mtok": "per_mtok",
    "m": "per_mtok",
    "1m": "per_mtok",
    "mtoken": "per_mtok",
    "1mtokens": "per_mtok",
    "milliontokens": "per_mtok",
    "1milliontokens": "per_mtok",
    "百万tokens": "per_mtok",
    "百万token": "per_mtok",
    "1百万tokens": "per_mtok",
    "1ktokens": "per_ktok",
    "ktokens": "per_ktok",
    "1k": "per_ktok",
    "1000tokens": "per_ktok",
    "千tokens": "per_ktok",
    "千token": "per_ktok",
    "token": "per_token",
}
_NONE = frozenset(
    {"", "-", "–", "—", "--", "/", "n/a", "na", "none", "not available", "not supported", "无"}
    | {"不支持", "暂不支持"}
)
_FREE = frozenset({"free", "free of charge", "免费", "限时免费"})


def money(text: str) -> Money | None:
    """Return the one price a text states; None where it says that there is none (``-``, ``N/A``).

    ``per`` is a key of ``methodology.units.FACTORS`` or None.

    Raises:
        PriceError: ``FREE_OFFER`` for "free" and for zero, ``TWO_PRICES`` when two figures stand
            in it, ``UNKNOWN_UNIT`` for a "per" that is not known, ``NOT_A_NUMBER`` for anything
            else that is not wholly a price.
    """
    if text.casefold() in _NONE:
        return None
    if text.casefold() in _FREE:
        raise PriceError("FREE_OFFER", f"{text!r}")
    if len(_SIGN.findall(text)) > 1 and len(_SEVERAL.findall(text)) > 1:
        raise PriceError("TWO_PRICES", f"{text[:120]!r}: which of them holds is not said")
    found = _ONE.fullmatch(text)
    if found is None:
        raise PriceError("NOT_A_NUMBER", f"{text[:120]!r} is not one price in a known currency")
    return _read(found, text, found["per"])


def moneys(text: str) -> list[tuple[Money, str]]:
    """Return every price in a text with the words that follow it up to the next one.

    For cells that say themselves which price is which, such as ``$1.25, prompts <= 200k tokens
    $2.50, prompts > 200k tokens``; the caller must know each of the words. ``per`` is None.

    Raises:
        PriceError: ``NOT_A_NUMBER`` when words stand before the first price, or a currency sign
            belongs to no price that was read; ``FREE_OFFER`` for zero.
    """
    hits = list(_SEVERAL.finditer(text))
    signs = sum(len(_SIGN.findall(hit[0])) for hit in hits)
    if not hits or text[: hits[0].start()].strip() or signs != len(_SIGN.findall(text)):
        raise PriceError("NOT_A_NUMBER", f"{text[:120]!r} is not a list of prices with their words")
    ends = [hit.start() for hit in hits[1:]] + [len(text)]
    return [
        (_read(hit, text, None), text[hit.end() : end].strip(" ,;，；"))
        for hit, end in zip(hits, ends, strict=True)
    ]


def _read(found: re.Match[str], text: str, per: str | None) -> Money:
    figure = found["a"] or found["b"]
    currency = _BEFORE[found["before"]] if found["before"] else _AFTER[found["after"]]
    unit = None
    if per is not None:
        unit = _UNITS.get("".join(per.split()).casefold())
        if unit is None:
            raise PriceError("UNKNOWN_UNIT", f"{text[:120]!r} is per {per[:60]!r}")
    try:
        exact(figure)
    except PriceError as error:
        raise PriceError("NOT_A_NUMBER", f"{text[:120]!r} has more digits than a price") from error
    if not figure.strip("0."):
        raise PriceError("FREE_OFFER", f"{text[:120]!r} is zero")
    return Money(figure, currency, unit)
