"""What the price tables of Chinese vendors have in common: brackets of length, cells in yuan.

Their pages write the unit into the head of a column and a bare figure into the cell, and post
tiers: a row holds for requests whose input is so long. The bracket that begins at nothing is the
list price; a row for longer requests, or for a length of the *answer*, is another good.

What a page says of tax decides ``tax_included``; none of those read says anything, so it is null
(rulebook 2.4: taken to be without).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from collectors.base import Capture, Parsed
from collectors.pages import clean, money, without_marks
from collectors.rows import Rows
from collectors.tokens.clashes import without_clashes
from methodology.errors import ParseError, PriceError

UNITS = {"元/百万tokens": "per_mtok", "元/百万token": "per_mtok", "元/千tokens": "per_ktok"}
"""Units as heads of columns write them, without white space and in lower case."""

_NOT_YUAN = tuple("美港欧日韩澳加新坡台十百千万亿")
"""What stands before 元 where the amount is not in yuan."""

_LISTING = re.compile(r"[A-Za-z0-9][\w.:+-]*(?:[ /][A-Za-z0-9][\w.:+-]*)*", re.ASCII)
_FIGURE = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,12})?", re.ASCII)
_NONE = frozenset({"", "-", "--", "—", "——", "–", "/", "无", "不支持", "暂不支持"})
_FREE = frozenset({"免费", "限时免费", "free"})
_EMPTIED = re.compile(r"[(（]\s*[)）]$")

_PLAIN = str.maketrans("（）【】，：＜＞～", "()[],:<>~")
_N = r"(?:[0-9]+(?:\.[0-9]+)?)"
_UP_TO = r"(?:<=|≤|=<|<)"
_INPUT = r"(?:输入(?:长度|token数|tokens)?|token)"
_INTERVAL = re.compile(rf"{_INPUT}?:?[\[(](?P<from>{_N})[km]?,(?:{_N}[km]?|\+?∞)[\])]")
_CHAIN = re.compile(rf"(?P<from>{_N})[km]?{_UP_TO}{_INPUT}{_UP_TO}{_N}[km]?")
_BELOW = re.compile(rf"{_INPUT}?{_UP_TO}{_N}[km]?(?:输入)?(?:tokens?)?")
_ABOVE = re.compile(rf"{_INPUT}?(?:>=|≥|>){_N}[km]?(?:输入)?(?:tokens?)?")


class Cell(NamedTuple):
    """One price as a page shows it: name of its column, text, and what the column is per."""

    field: str
    text: str
    unit: str = "per_mtok"


def bracket_refusal(condition: str) -> str | None:
    """Return why a row for requests of some length is not the list price, or None if it is.

    ``CONTEXT_BRACKET`` for a bracket that does not begin at nothing, ``CONDITIONAL_TARIFF`` when
    the length of the output decides too, ``UNKNOWN_CONDITION`` for words that are not understood.
    """
    text = "".join(condition.split()).casefold().translate(_PLAIN)
    if text in _NONE or text in ("无阶梯计价", "不区分"):
        return None
    if "输出" in text:
        return "CONDITIONAL_TARIFF"
    if found := _INTERVAL.fullmatch(text) or _CHAIN.fullmatch(text):
        return "CONTEXT_BRACKET" if found["from"].strip("0.") else None
    if _BELOW.fullmatch(text):
        return None
    return "CONTEXT_BRACKET" if _ABOVE.fullmatch(text) else "UNKNOWN_CONDITION"


def unit_in(head: str) -> str | None:
    """Return the unit that stands at the end or in brackets of a column's head, or None."""
    text = "".join(head.split()).casefold().translate(_PLAIN).rstrip(")")
    for words, unit in UNITS.items():
        if text.endswith(words):
            # US, Hong Kong or other dollars are 元 too, and ten thousand yuan end with it.
            return None if text.removesuffix(words).endswith(_NOT_YUAN) else unit
    return None


def figure_of(text: str, unit: str) -> tuple[str, str] | None:
    """Return the figure of a cell and what it is per; None where it says that there is no price.

    Raises:
        PriceError: ``FREE_OFFER``, ``OTHER_CURRENCY``, or as ``collectors.pages.money``.
    """
    plain = _EMPTIED.sub("", without_marks(clean(text))).strip()
    if plain.casefold() in _NONE:
        return None
    if plain.casefold() in _FREE:
        raise PriceError("FREE_OFFER", f"{plain!r}")
    if _FIGURE.fullmatch(plain):
        if not plain.strip("0."):
            raise PriceError("FREE_OFFER", f"{plain!r} is zero")
        return plain, unit
    found = money(plain)
    if found is None:
        return None
    if not _FIGURE.fullmatch(found.price_text):
        raise PriceError("NOT_A_NUMBER", f"{plain[:80]!r} has more digits than a price")
    if found.currency != "CNY":
        raise PriceError("OTHER_CURRENCY", f"{plain[:80]!r} is in {found.currency}")
    return found.price_text, found.per or unit


class Sheet:
    """Collects the prices of one page; ``provider`` is the seller, spelled once for the page."""

    def __init__(self, capture: Capture, provider: str) -> None:
        self._capture = capture
        self._provider = provider
        self._rows = Rows(capture, "per_mtok", "E3", currency="CNY")

    def reject(self, listing: str, reason: str, detail: str) -> None:
        """Add one rejection at the parse stage."""
        self._rows.reject(self._provider, listing, reason, detail or "nothing")

    def offer(self, listing: str, condition: str, cells: Mapping[str, Cell], **more: Any) -> None:
        """Add the prices of one row of a table, by meter.

        A row that is none of our goods is one rejection (``NOT_A_LISTING``, and as
        :func:`bracket_refusal`); otherwise each cell is a quote, or a rejection, or nothing where
        the page shows a dash for a meter that is not offered. A dash for input or output is
        ``PRICE_MISSING``. ``more`` goes to ``Rows.quote``; ``times`` in it is a multiple that the
        page states, quoted as the product of both figures.
        """
        times = more.pop("times", None)
        if not _LISTING.fullmatch(listing):
            self.reject(listing[:120], "NOT_A_LISTING", f"model is {listing[:120]!r}")
            return
        if reason := bracket_refusal(condition):
            self.reject(listing, reason, f"for {condition[:200]!r}")
            return
        for meter, cell in cells.items():
            try:
                found = figure_of(cell.text, cell.unit)
            except PriceError as error:
                self.reject(listing, error.reason, f"{cell.field}: {error.detail}")
                continue
            if found is not None:
                price = found[0] if times is None else f"{found[0]} * {times}"
                self._rows.quote(self._provider, listing, meter, price, unit=found[1], **more)
            elif meter in ("IN", "OUT"):
                self.reject(listing, "PRICE_MISSING", f"{cell.field} is {cell.text[:60]!r}")

    def parsed(self) -> Parsed:
        """Return everything added; two prices of one offer are refused (``without_clashes``).

        Raises:
            ParseError: ``TABLE_CHANGED`` when nothing was: the tables that were known are empty.
        """
        found = without_clashes(self._capture, self._rows)
        if not found.seen:
            raise ParseError(
                self._capture.source,
                "TABLE_CHANGED",
                f"{self._capture.url}: no row in the tables; compare the archived body with the "
                "page",
            )
        return found
