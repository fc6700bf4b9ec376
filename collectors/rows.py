"""What the token catalogues have in common: building rows once, naming what is wrong with a price.

A catalogue is a tree of listings with a few price fields each. :class:`Rows` collects quotes and
rejections in reading order and hashes the body once. :func:`problem` decides why a text is not a
price; the reasons are rejection codes and mean the same for every source.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, TypeGuard

from collectors import said, strict
from collectors.base import Capture, Parsed, not_empty
from collectors.times import is_within
from collectors.visible import name_fault, shown, told
from methodology import schemas
from methodology.errors import ParseError, PriceError
from methodology.units import exact

DAY = timedelta(days=1)


@lru_cache(maxsize=65536)
def problem(text: str) -> str | None:
    """Return the rejection code of a text that is not a positive price, or None for a price.

    ``FREE_OFFER`` for zero: a plan, a promotion or a gap in the catalogue, never a price at which
    anyone can be said to sell. ``NEGATIVE_PRICE`` and ``NOT_A_NUMBER`` as ``methodology.units``.
    """
    try:
        return None if exact(text) else "FREE_OFFER"
    except PriceError as error:
        return error.reason


def load_json(capture: Capture) -> Any:
    """Return the body as JSON with numbers kept as text.

    Raises:
        ParseError: ``NOT_JSON``; the body is not the JSON that money needs (``collectors.strict``).
            As ``collectors.said`` where it says a currency or unit that its parser does not read.
    """
    try:
        found = strict.loads(capture.body)
    except (ValueError, RecursionError) as error:
        raise ParseError(
            capture.source, "NOT_JSON", f"{capture.url}: {error}; look at the archived body"
        ) from error
    said.check(capture)
    return found


class Repeated(list[Any]):
    """The values of a key that one object gives several times, in the order of the body."""


def load_json_with_repeats(capture: Capture) -> Any:
    """Return the body as :func:`load_json`, but keep repeated keys for the caller to judge.

    A map that people edit by hand has had whole entries twice, for months. Refusing the body would
    lose thousands of good entries; the standard parser would silently keep the last. Here a key
    whose values are objects, or differ, becomes :class:`Repeated`; equal plain values become one.

    Raises:
        ParseError: ``NOT_JSON`` for everything else that ``collectors.strict`` refuses; else as
            :func:`load_json`.
    """
    try:
        found = strict.loads(capture.body)
    except (ValueError, RecursionError) as error:
        if "appears twice" not in str(error):
            raise ParseError(
                capture.source, "NOT_JSON", f"{capture.url}: {error}; look at the archived body"
            ) from error
        found = _with_repeats(capture)
    said.check(capture)
    return found


def _with_repeats(capture: Capture) -> Any:
    try:
        return json.loads(
            capture.body,
            parse_float=_bounded,
            parse_int=_bounded,
            parse_constant=_bounded,
            object_pairs_hook=_keep_repeats,
        )
    except (ValueError, RecursionError) as error:
        raise ParseError(capture.source, "NOT_JSON", f"{capture.url}: {error}") from error


def _bounded(text: str) -> strict.Number:
    if len(text) > 64 or text in ("NaN", "Infinity", "-Infinity"):
        raise ValueError(f"{text[:20]!r} is not a price")
    return strict.Number(text)


def _keep_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key not in found:
            found[key] = value
        elif isinstance(found[key], Repeated):
            found[key].append(value)
        elif found[key] != value or isinstance(value, dict):
            found[key] = Repeated([found[key], value])
    return found


def is_name(value: object) -> TypeGuard[str]:
    """Return whether a JSON value is a text that can name something: not a number, not empty."""
    return isinstance(value, str) and not isinstance(value, strict.Number) and bool(value)


def shape_error(capture: Capture, found: str) -> ParseError:
    """Return the error for a body that parses but is not what the source promised."""
    return ParseError(
        capture.source, "SHAPE", f"{capture.url}: {found}; compare with the documented shape"
    )


class Rows:
    """Collects the Quote and Rejection rows of one capture, in the order they are added.

    ``unit``, ``tier``, ``currency`` and ``tax_included`` (null: the source does not say) hold for
    all quotes of the source unless a quote says otherwise; so does the tenor ``on_demand``.
    """

    def __init__(
        self,
        capture: Capture,
        unit: str,
        tier: str = "E4",
        *,
        currency: str = "USD",
        tax_included: bool | None = None,
    ) -> None:
        self.capture = capture
        self._currency = currency
        self._tax_included = tax_included
        self._source = capture.source
        self._sha256 = capture.sha256
        self._unit = unit
        self._tier = tier
        self._fetched_at = self.observed_at = capture.observed_at
        self.quotes: list[dict[str, Any]] = []
        self.rejections: list[dict[str, Any]] = []

    def quote(
        self,
        provider: str,
        listing_id: str,
        meter: str,
        price_text: str | None,
        *,
        status: str = "offered",
        region: str | None = None,
        window: tuple[int, int] | None = None,
        effective_from: datetime | None = None,
        effective_to: datetime | None = None,
        is_official_date: bool = False,
        unit: str | None = None,
        currency: str | None = None,
        tenor: str = "on_demand",
        gpu_count: int | None = None,
        tier: str | None = None,
    ) -> None:
        """Add one quote; ``window`` is start and end in UTC minutes, the end exclusive.

        Refused instead: ``MALFORMED_ROW`` for a name that is none (``collectors.visible``),
        ``BAD_DATE`` for a moment outside the years a price can be of (``collectors.times``) or a
        validity that ends before it begins, and
        ``SEEN_IN_FUTURE`` for a row of a history that is later than the day after its fetching.
        """
        what = f"{meter} {price_text} {status}"
        for name in (provider, listing_id, "any" if region is None else region):
            if fault := name_fault(name):
                told_of = f"{what}: the name {name[:80]!a} {fault}"
                self.reject(provider, listing_id, "MALFORMED_ROW", told_of)
                return
        moments = (self.observed_at, effective_from, effective_to)
        is_backwards = bool(effective_from and effective_to and effective_from >= effective_to)
        if is_backwards or not all(map(is_within, moments)):
            when = f"{what}: observed {moments[0]}, valid from {effective_from} to {effective_to}"
            self.reject(provider, listing_id, "BAD_DATE", when)
            return
        if self.observed_at > self._fetched_at + DAY:
            when = f"{what}: observed {self.observed_at}, fetched {self._fetched_at}"
            self.reject(provider, listing_id, "SEEN_IN_FUTURE", when)
            return
        start, end = window if window else (None, None)
        self.quotes.append(
            {
                "source": self._source,
                "provider": provider,
                "listing_id": listing_id,
                "meter": meter,
                "price_text": None if price_text is None else str(price_text),
                "quoted_unit": unit or self._unit,
                "currency": currency or self._currency,
                "tax_included": self._tax_included,
                "tenor": tenor,
                "region": region,
                "gpu_count": gpu_count,
                "window_start_min": start,
                "window_end_min": end,
                "effective_from": effective_from,
                "effective_to": effective_to,
                "is_official_date": is_official_date,
                "status": status,
                "observed_at": self.observed_at,
                "tier": tier or self._tier,
                "capture_sha256": self._sha256,
            }
        )

    def reject(self, provider: str, listing_id: str, reason: str, detail: str) -> None:
        """Add one rejection at the parse stage, its texts fit to be shown."""
        self.rejections.append(
            {
                "source": self._source,
                "provider": shown(provider),
                "listing_id": shown(listing_id),
                "stage": "parse",
                "reason": reason,
                "detail": told(detail),
                "capture_sha256": self._sha256,
            }
        )

    def price(
        self, provider: str, listing_id: str, meter: str, field: str, value: Any, **more: Any
    ) -> bool:
        """Add a quote for a price, or the rejection that says why it is none; True for a quote.

        ``more`` goes to :meth:`quote`.
        """
        reason = problem(str(value)) if isinstance(value, str) else "NOT_A_NUMBER"
        if reason is None:
            self.quote(provider, listing_id, meter, value, **more)
        else:
            self.reject(provider, listing_id, reason, f"{field} is {str(value)[:80]!r}")
        return reason is None

    def price_or_unknown(
        self, provider: str, listing_id: str, meter: str, field: str, value: Any
    ) -> None:
        """Add a quote, or a rejection *and* a row of status ``unknown``.

        The unknown row ends an older price of the same listing and meter, which would otherwise
        live on although the catalogue no longer shows it.
        """
        if not self.price(provider, listing_id, meter, field, value):
            self.quote(provider, listing_id, meter, None, status="unknown")

    def parsed(self) -> Parsed:
        """Return everything added so far as frames.

        Raises:
            ParseError: ``EMPTY`` when nothing was.
        """
        return not_empty(self.capture, self.frames())

    def frames(self) -> Parsed:
        """Return the same, also when it is nothing."""
        return Parsed(
            quotes=schemas.frame(schemas.Quote, self.quotes),
            rejections=schemas.frame(schemas.Rejection, self.rejections),
        )
