"""Two rows for one offer: what several sources of token prices do about it.

A list that names one offer twice leaves open which figure a buyer gets. Equal figures are one
offer; different ones are none (rulebook 2.1: what is refused is refused with a reason).
"""

from __future__ import annotations

from typing import Any

from collectors.base import Capture, Parsed
from collectors.rows import Rows
from methodology import schemas

OFFER = (
    "provider",
    "listing_id",
    "meter",
    "region",
    "window_start_min",
    "window_end_min",
    "effective_from",
    "observed_at",
)
"""What makes two quotes statements about the same offer at the same moment."""


def without_clashes(capture: Capture, rows: Rows) -> Parsed:
    """Return the rows with each offer once.

    Of equal quotes the first stands, the others are ``DUPLICATE_LISTING``. Where figures differ
    each is ``AMBIGUOUS_LISTING``, and one row of status ``unknown`` ends an older price.
    """
    figures: dict[tuple[Any, ...], set[tuple[str, str | None, str]]] = {}
    for quote in rows.quotes:
        figures.setdefault(_offer(quote), set()).add(_figure(quote))
    kept: list[dict[str, Any]] = []
    told: set[tuple[Any, ...]] = set()
    for quote in rows.quotes:
        offer = _offer(quote)
        seller = (quote["provider"], quote["listing_id"])
        detail = f"{quote['meter']} is {quote['price_text']} {quote['quoted_unit']}"
        if len(figures[offer]) > 1:
            rows.reject(*seller, "AMBIGUOUS_LISTING", f"{detail}; another row of it differs")
            quote = {**quote, "price_text": None, "status": "unknown"}
        elif offer in told:
            rows.reject(*seller, "DUPLICATE_LISTING", f"{detail}, listed again")
        if offer not in told:
            told.add(offer)
            kept.append(quote)
    return Parsed(
        quotes=schemas.frame(schemas.Quote, kept),
        rejections=schemas.frame(schemas.Rejection, rows.rejections),
    )


def _offer(quote: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(quote[name] for name in OFFER)


def _figure(quote: dict[str, Any]) -> tuple[str, str | None, str]:
    return quote["status"], quote["price_text"], quote["quoted_unit"]
