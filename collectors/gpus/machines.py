"""What the JSON price lists of GPU sellers have in common: one sheet of offers per body.

A seller's list is a list of machines or GPUs with one price or two each. A :class:`Sheet` collects
quotes, counts and rejections in the order of the body. It never guesses: what is not a positive
decimal becomes a rejection that names its field and figure, and of several prices nothing tells
apart the cheapest stands, which is what a new customer pays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sized
from typing import Any, TypeGuard

from collectors import strict
from collectors.base import Capture, Parsed
from collectors.base import not_empty as told
from collectors.gpus import listed, tabular
from collectors.rows import Rows, load_json, shape_error
from collectors.visible import name_fault
from methodology import schemas
from methodology.errors import ParseError, PriceError
from methodology.units import exact

MOST = 999_999
"""No gigabytes or GPUs of one machine come near this."""


class Sheet:
    """The rows of one body of one seller.

    ``provider`` is the seller in its own spelling, ``unit`` what a price buys. Tier E3: the
    seller's own list.
    """

    def __init__(
        self, capture: Capture, provider: str, unit: str, *, currency: str = "USD", tier: str = "E3"
    ) -> None:
        self.capture = capture
        self._provider = provider
        self._rows = Rows(capture, unit, tier, currency=currency)
        self._at: dict[tuple[str, str | None, str], int] = {}
        self._counts: dict[tuple[str, str], int] = {}

    def refuse(self, listing: str, reason: str, detail: str) -> None:
        """Add one rejection at the parse stage."""
        self._rows.reject(self._provider, listing, reason, detail)

    def each(
        self, rows: Iterable[Any], name: Callable[[dict[str, Any]], str], read: Callable[..., None]
    ) -> None:
        """Call ``read(row)`` for every row; a row that raises ``PriceError`` becomes a rejection.

        ``name`` gives the listing id of a refused row as far as it is known.
        """
        for row in rows:
            try:
                if not isinstance(row, dict):
                    raise PriceError("MALFORMED_ROW", f"{str(row)[:80]!r} is not an object")
                read(row)
            except PriceError as error:
                listing = name(row) if isinstance(row, dict) else ""
                self.refuse(listing, error.reason, tabular.detail_of(error))

    def offer(
        self,
        listing: str,
        field: str,
        value: object,
        *,
        tenor: str = "on_demand",
        region: str | None = None,
        gpu_count: int | None = None,
        takes_text: bool = False,
    ) -> None:
        """Add a quote for a price, or the rejection that says why it is none.

        Rejections: ``NO_PRICE`` (null), ``NOT_A_NUMBER`` (also a number written as text, unless
        ``takes_text``), ``NEGATIVE_PRICE``, ``ZERO_PRICE`` (zero means not offered, never free),
        ``DUPLICATE_ROW`` and ``DUPLICATE_LISTING`` (same listing, region and tenor at the same or
        a higher price; the cheapest stands).
        """
        told = f"{field} {value} as {tenor}" + (f" in {region}" if region else "")
        try:
            price = _price(field, value, takes_text)
        except PriceError as error:
            self.refuse(listing, error.reason, f"{tabular.detail_of(error)} ({tenor})")
            return
        quotes, key = self._rows.quotes, (listing, region, tenor)
        at = self._at.setdefault(key, len(quotes))
        if at < len(quotes):
            old = quotes[at]["price_text"]
            if exact(price) >= exact(old):
                same = exact(price) == exact(old)
                reason = "DUPLICATE_ROW" if same else "DUPLICATE_LISTING"
                self.refuse(listing, reason, f"{told}; the row at {old} is kept")
                return
            self.refuse(listing, "DUPLICATE_LISTING", f"{old} as {tenor}; the row at {price} stays")
        self._rows.quote(
            self._provider,
            listing,
            "GPU_H",
            price,
            tenor=tenor,
            region=region,
            gpu_count=gpu_count,
        )
        if at == len(quotes):  # refused for its name
            del self._at[key]
        elif at < len(quotes) - 1:
            quotes[at] = quotes.pop()

    def count(self, subject: str, meter: str, field: str, value: object) -> None:
        """Add a count of the moment, or a rejection ``NOT_A_COUNT``; equal subjects are summed.

        The period of a count is the UTC day on which it was seen, ``as_of`` its moment.
        """
        if fault := name_fault(subject):
            self.refuse(subject, "MALFORMED_ROW", f"{field}: {subject[:80]!a} {fault}")
            return
        if not is_count(value):
            self.refuse(subject, "NOT_A_COUNT", f"{field} {value!r} is not a whole number")
            return
        key = (subject, meter)
        self._counts[key] = self._counts.get(key, 0) + int(value)

    def parsed(self) -> Parsed:
        """Return everything added so far as frames; whoever takes them in validates them.

        Raises:
            ParseError: ``EMPTY`` when nothing was.
        """
        source, sha256, at = self.capture.source, self.capture.sha256, self.capture.observed_at
        volumes = [
            listed.stock_row(source, sha256, at, subject, meter, quantity)
            for (subject, meter), quantity in self._counts.items()
        ]
        kept = self._rows.frames()
        whole = Parsed(
            quotes=kept.quotes,
            volumes=schemas.frame(schemas.Volume, volumes),
            rejections=kept.rejections,
        )
        return told(self.capture, whole)


def is_count(value: object) -> TypeGuard[strict.Number]:
    """Return whether a JSON value is a whole number that can count something, not a text."""
    return isinstance(value, strict.Number) and value.isdigit() and len(value) <= 9


def _price(field: str, value: object, takes_text: bool) -> str:
    if value is None:
        raise PriceError("NO_PRICE", f"{field} is null")
    # a product of two figures is ours to write, so a text with a blank is no price of a seller
    if not isinstance(value, str) or " " in value:
        raise PriceError("NOT_A_NUMBER", f"{field} {value!r} is not a number")
    if not takes_text and not isinstance(value, strict.Number):
        raise PriceError("NOT_A_NUMBER", f"{field} {value!r} is not a number")
    if exact(value) == 0:
        raise PriceError("ZERO_PRICE", f"{field} {value} means not offered, never free")
    return str(value)


def named(row: dict[str, Any], field: str) -> str:
    """Return a field as text for a message, empty when it is no text."""
    value = row.get(field)
    return value if isinstance(value, str) and not isinstance(value, strict.Number) else ""


def text(row: dict[str, Any], field: str) -> str:
    """Return a text that names something, or raise ``MALFORMED_ROW``."""
    value = named(row, field)
    if not value:
        raise PriceError("MALFORMED_ROW", f"{field} {row.get(field)!r} is not a text")
    return value


def whole(row: dict[str, Any], field: str) -> int:
    """Return a small whole number, given as a number or as its digits, or raise a refusal."""
    found = listed.whole(row.get(field), MOST)
    if found is None:
        told = f"{field} {str(row.get(field))[:80]!r} is not a small whole number"
        raise PriceError("MALFORMED_ROW", told)
    return found


def gpus_of(row: dict[str, Any], field: str) -> int:
    """Return a number of GPUs, 0 to ``listed.MAX_GPUS``, or raise ``MALFORMED_ROW``."""
    gpus = whole(row, field)
    if gpus > listed.MAX_GPUS:
        raise PriceError("MALFORMED_ROW", f"{field} {gpus} are more GPUs than an instance has")
    return gpus


def table(row: dict[str, Any], field: str) -> dict[str, Any]:
    """Return an object inside a row, or raise ``MALFORMED_ROW``."""
    value = row.get(field)
    if not isinstance(value, dict):
        raise PriceError("MALFORMED_ROW", f"{field} {str(value)[:80]!r} is not an object")
    return value


def agree(listing: str, gpus: int, stated: str | None, field: str) -> None:
    """Raise ``MALFORMED_ROW`` unless the number of GPUs is that which the name states, if any."""
    if stated is not None and int(stated) != gpus:
        raise PriceError(
            "MALFORMED_ROW", f"{field} {gpus} contradicts {listing!r}, which names {stated}"
        )


def list_of(capture: Capture, body: object, field: str) -> list[Any]:
    """Return a list inside the body.

    Raises:
        ParseError: ``SHAPE``; the body is not what the source promised.
    """
    found = body.get(field) if isinstance(body, dict) else None
    if not isinstance(found, list):
        raise shape_error(capture, f"no list {field!r}")
    return found


def kept_parts(capture: Capture) -> dict[str, Any]:
    """Return the parts of a file that keeps several answers or rows of one day under names.

    Raises:
        ParseError: ``NOT_JSON``, or ``SHAPE`` when it is not an object with parts.
    """
    body = load_json(capture)
    if not isinstance(body, dict) or not body:
        raise shape_error(capture, "no named parts")
    return body


def not_empty(capture: Capture, rows: Sized) -> None:
    """Refuse a whole list without a row: it would look as if every offer had ended.

    Raises:
        ParseError: ``EMPTY``.
    """
    if not rows:
        raise ParseError(capture.source, "EMPTY", f"{capture.url}: the list has no row; retry")


def check_total(source: str, seen: int, total: object) -> None:
    """Compare how many rows the pages held with the total that they state.

    Raises:
        ParseError: ``SHORT_LIST``; a list that was cut would look like offers withdrawn.
    """
    if isinstance(total, strict.Number) and total.isdigit() and int(total) != seen:
        raise ParseError(source, "SHORT_LIST", f"{seen} rows came, meta.total says {total}; retry")


def rows_of(row: dict[str, Any], field: str) -> list[dict[str, Any]]:
    """Return a list of objects inside a row, or raise ``MALFORMED_ROW``; a missing one is empty."""
    found = row.get(field, [])
    if not isinstance(found, list) or not all(isinstance(part, dict) for part in found):
        raise PriceError("MALFORMED_ROW", f"{field} {str(found)[:80]!r} is not a list of objects")
    return found


def is_digits(value: object) -> TypeGuard[strict.Number]:
    """Return whether a JSON value is a whole number of any length, such as one of bytes."""
    return isinstance(value, strict.Number) and value.isdigit()
