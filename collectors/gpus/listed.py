"""What the JSON sources of GPU rents share: prices with their reasons, stock, reading of fields.

Nothing here knows a provider. :class:`Offers` collects quotes, volumes, asks and rejections of one
capture in reading order; a figure that is no price gets the reason codes of the other GPU sources
(``ZERO_PRICE`` where the token catalogues say ``FREE_OFFER``: nobody lends GPUs for nothing).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from collectors import strict
from collectors.base import Capture, Parsed, not_empty
from collectors.rows import Rows, is_name
from collectors.visible import name_fault
from methodology import schemas
from methodology.depth import Ask
from methodology.errors import PriceError
from methodology.units import exact

BANDS = {"unavailable": 0, "low": 1, "medium": 2, "high": 3}
"""Words for stock, in lower case, to the ``stock_band`` of a volume.

"Available" is no band: it says that there is stock and not how much.
"""

MAX_GPUS = 1024
"""GPUs of one machine or cluster, at most (``schemas.Quote``)."""


def price_reason(value: Any) -> str | None:
    """Return why a JSON value is no price: None for a positive plain decimal, number or text.

    ``PRICE_MISSING`` for null, ``ZERO_PRICE`` (not offered, never free), ``NEGATIVE_PRICE`` and
    ``NOT_A_NUMBER`` as ``methodology.units``.
    """
    if value is None:
        return "PRICE_MISSING"
    if not isinstance(value, str) or " " in value:  # a product of two figures is ours to write
        return "NOT_A_NUMBER"
    try:
        return None if exact(value) else "ZERO_PRICE"
    except PriceError as error:
        return error.reason


def whole(value: Any, most: int = MAX_GPUS) -> int | None:
    """Return a number or text of digits from 0 to ``most`` as an integer, None for all else."""
    if not isinstance(value, str) or not value.isascii() or not value.isdigit() or len(value) > 12:
        return None
    return int(value) if int(value) <= most else None


def gpus(value: Any) -> int | None:
    """Return the GPUs of a machine, 1 to :data:`MAX_GPUS`; None when a value is no such count."""
    return whole(value) or None


def name(value: Any) -> str | None:
    """Return a text that can name something; None for numbers, blanks and everything else."""
    return value if is_name(value) and value.strip() else None


def joined(*parts: Any) -> str:
    """Return the parts of a listing id, joined by ``|``; a part that is not stated is left out."""
    return "|".join(str(part) for part in parts if part not in (None, ""))


def stock_row(
    source: str, sha256: str, at: datetime, subject: str, meter: str, quantity: int
) -> dict[str, Any]:
    """Return a row of Volume for what could be had at a moment: its period is the UTC day."""
    return {
        "source": source,
        "subject": subject,
        "meter": meter,
        "quantity": quantity,
        "period_start": at.date(),
        "period_end": at.date() + timedelta(days=1),
        "as_of": at,
        "capture_sha256": sha256,
    }


class Offers(Rows):
    """The rows of one capture of GPU rents: as :class:`Rows`, with stock and asks beside prices.

    ``observed_at`` may be set before rows are added, for stored bodies that state times of their
    own.
    """

    def __init__(self, capture: Capture, unit: str, tier: str, **more: Any) -> None:
        super().__init__(capture, unit, tier, **more)
        self.volumes: list[dict[str, Any]] = []
        self.asks: list[dict[str, Any]] = []

    def gpu(self, provider: str, listing_id: str, field: str, value: Any, **more: Any) -> bool:
        """Add a quote of GPU-hours, or the rejection that says why it is none; True for a quote.

        ``more`` goes to :meth:`Rows.quote`.
        """
        reason = price_reason(value)
        if reason is None:
            self.quote(provider, listing_id, "GPU_H", str(value), **more)
        else:
            said = "null" if value is None else repr(str(value)[:80])
            self.reject(provider, listing_id, reason, f"{field} is {said}")
        return reason is None

    def stock(self, subject: str, meter: str, quantity: int) -> None:
        """Add one count of what could be had on the day of ``observed_at``.

        Refused: ``MALFORMED_ROW`` for a subject that is no name (``collectors.visible``).
        """
        if fault := name_fault(subject):
            self.reject("", subject, "MALFORMED_ROW", f"{meter}: {subject[:80]!a} {fault}")
            return
        self.volumes.append(
            stock_row(self._source, self._sha256, self.observed_at, subject, meter, quantity)
        )

    def band(self, provider: str, subject: str, field: str, value: Any) -> None:
        """Add a ``stock_band`` for a word of :data:`BANDS`, or refuse it as ``NOT_A_COUNT``."""
        known = BANDS.get(value.lower()) if is_name(value) else None
        if known is None:
            said = "null" if value is None else repr(str(value)[:80])
            self.reject(provider, subject, "NOT_A_COUNT", f"{field} is {said}: no known stock band")
        else:
            self.stock(subject, "stock_band", known)

    def ask(self, **fields: Any) -> None:
        """Add one ask (``methodology.depth.Ask``); source, time, tier and digest are filled in."""
        self.asks.append(
            {
                "source": self._source,
                "currency": "USD",
                "observed_at": self.observed_at,
                "tier": self._tier,
                "capture_sha256": self._sha256,
                **fields,
            }
        )

    def parsed(self) -> Parsed:
        """Return everything added so far as frames; whoever takes them in validates them.

        Raises:
            ParseError: ``EMPTY`` when nothing was.
        """
        self._keep_cheapest()
        self._count_once()
        found = self.frames()
        whole = replace(
            found,
            volumes=schemas.frame(schemas.Volume, self.volumes),
            asks=schemas.frame(Ask, self.asks),
        )
        return not_empty(self.capture, whole)

    def _keep_cheapest(self) -> None:
        """Refuse the dearer of two prices of one offer: a new customer pays the other."""
        best: dict[tuple[Any, ...], dict[str, Any]] = {}
        for quote in self.quotes:
            if quote["price_text"] is not None:
                rival = best.setdefault(_offer(quote), quote)
                if exact(quote["price_text"]) < exact(rival["price_text"]):
                    best[_offer(quote)] = quote
        kept = []
        for quote in self.quotes:
            stands = best.get(_offer(quote), quote)["price_text"]
            if quote["price_text"] is None or exact(quote["price_text"]) == exact(stands):
                kept.append(quote)
            else:
                told = f"{quote['price_text']}, beside {stands} for the same offer"
                self.reject(quote["provider"], quote["listing_id"], "DUPLICATE_LISTING", told)
        self.quotes = kept

    def _count_once(self) -> None:
        """Refuse a count that stands again: one stock listed twice is no larger stock.

        The same figure again is ``DUPLICATE_LISTING``. Where figures differ nothing says which of
        them holds, and each is ``AMBIGUOUS_LISTING``.
        """
        figures: dict[tuple[Any, ...], set[int]] = {}
        for row in self.volumes:
            figures.setdefault(_counted(row), set()).add(row["quantity"])
        kept: dict[tuple[Any, ...], dict[str, Any]] = {}
        for row in self.volumes:
            told = f"{row['meter']} is {row['quantity']}"
            if len(figures[_counted(row)]) > 1:
                told = f"{told}; another row of the same moment differs"
                self.reject("", row["subject"], "AMBIGUOUS_LISTING", told)
            elif kept.setdefault(_counted(row), row) is not row:
                self.reject("", row["subject"], "DUPLICATE_LISTING", f"{told}, listed again")
        self.volumes = list(kept.values())


def _counted(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["subject"], row["meter"], row["as_of"]


def _offer(quote: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(value for name, value in quote.items() if name != "price_text")


def objects(rows: Offers, provider: str, field: str, values: Iterable[Any]) -> list[dict[str, Any]]:
    """Return the JSON objects of a list; everything else in it is refused as ``MALFORMED_ROW``."""
    kept = []
    for value in values:
        if isinstance(value, dict):
            kept.append(value)
        else:
            kind = "a number" if isinstance(value, strict.Number) else type(value).__name__
            rows.reject(provider, "", "MALFORMED_ROW", f"{field} holds {kind}, no object")
    return kept
