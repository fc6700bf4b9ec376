"""DeepInfra: the seller's own list, with discounts and the day on which they end.

Address: ``https://api.deepinfra.com/models/list``, no key. Evidence tier E3.

At hand: no body; the shape is the published API schema as three public clients carry it, and single
rows that they quote (2026-09 and 2026-10, read 2026-11-21). What ``discount`` means is the formula
that DeepInfra documents, as one of them cites it: cents per token times (1 - discount).

Field map (the body is a bare list):

* ``model_name`` and ``quantization``: listing_id is ``model|precision`` (``unknown`` where none is
  stated), because below 8 bit is another good; a mapping must read it.
* ``type`` (``reported_type`` in newer bodies): only ``text-generation`` (``MODE_NOT_TEXT``).
* ``private``: not sold to everybody. ``deprecated``: null, or Unix seconds from which the model is
  gone: a time to come ends the quotes (``effective_to``), a past one is ``ENDPOINT_DISABLED``.
  ``replaced_by`` without such a time: the id serves another model by now, ``MOVING_ALIAS``.
* ``pricing.type``: only ``tokens``.
* ``cents_per_input_token`` IN, ``cents_per_output_token`` OUT: **cents** per token, before the
  discount.
* ``rate_per_input_token_cached``: a **multiple** of the input price, not a price: CIN is quoted as
  both figures, ``0.000015 * 0.2``. Null: no lower price for cached input.
* ``discount``: the part that is taken off every price, 0 to 1. The factor quoted is what is left,
  1 - discount, times the multiple if there is one: with ``discount`` 0.35 and a multiple of 0.2
  ``0.00006 * 0.130``. It is what a buyer pays.
* ``discount_ends_at``: Unix seconds, or an ISO time with its offset; readers disagree, both are
  taken. The discounted price then ends at that moment and the list price begins: two quotes.
  A discount that was over when the body was read counts no more.
* ``full``: prose. It states context brackets (``$1.2 in $6 out $0.24 cached <= 32K, $2.4 in …``)
  that the flat figures do not show. The first bracket is quoted from it, in dollars per million,
  the others are refused (``CONTEXT_BRACKET``). Prose that says anything else, prose beside a
  discount, and a non-empty ``table`` put the price under a condition that is not read
  (``CONDITIONAL_TARIFF``): nothing of that listing is quoted. ``short`` repeats: ignored.
* ``rate_per_service_tier_*``: other service levels (``PRICE_VARIANT``). Every other ``rate_`` and
  ``cents_`` field is a meter that is not measured, cache writes among them.
* ``is_partner``, ``tags``, ``max_tokens``, ``description`` and the rest: ignored. Models of
  partners are resold; whether a listing counts is decided by the mapping.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Context, Decimal
from typing import Any

from collectors import strict
from collectors.base import Capture, Parsed, Source, single_get
from collectors.model_lists import models_of, name_of, settled
from collectors.rows import Rows, problem
from collectors.times import utc_moment

PROVIDER = "deepinfra"
METERS = {"cents_per_input_token": "IN", "cents_per_output_token": "OUT"}
CACHED = "rate_per_input_token_cached"

_EXACT = Context(prec=200)
_FIGURE = r"\$([0-9]+(?:\.[0-9]+)?)"
_BRACKET = re.compile(
    rf"{_FIGURE} in {_FIGURE} out(?: {_FIGURE} cached)?(?: (<=|>) ?([0-9.]+[KM]))?"
)
_TIER = "rate_per_service_tier_"


def parse(capture: Capture) -> Parsed:
    """Return one quote per model and meter, and a second one where a discount has an end.

    Quotes are in cents per token (``full``: USD per Mtok), tier E3. Rejections per listing:
    ``MODE_NOT_TEXT``, ``ENDPOINT_DISABLED``, ``MOVING_ALIAS``, ``PRICE_MISSING``,
    ``CONDITIONAL_TARIFF``, ``UNKNOWN_CONDITION`` (a discount or its end that cannot be read); per
    figure ``FREE_OFFER``, ``NEGATIVE_PRICE``, ``NOT_A_NUMBER``, ``NOT_A_MEASURED_METER``,
    ``CONTEXT_BRACKET``, ``PRICE_VARIANT``, ``AMBIGUOUS_LISTING``, ``DUPLICATE_LISTING``.

    Raises:
        ParseError: ``NOT_JSON``, or ``SHAPE`` when the body is no list of models.
    """
    rows = Rows(capture, "cents_per_token", "E3")
    for model in models_of(capture, None):
        precision = model.get("quantization")
        listing = f"{name_of(capture, model, 'model_name')}|{precision or 'unknown'}"
        refused, until = _offer(model, rows.observed_at)
        pricing = model.get("pricing")
        if refused:
            rows.reject(PROVIDER, listing, *refused)
        elif not isinstance(pricing, dict):
            rows.reject(PROVIDER, listing, "PRICE_MISSING", f"pricing is {str(pricing)[:80]}")
        elif pricing.get("type", "tokens") != "tokens":
            told = f"pricing.type is {str(pricing['type'])[:80]!r}"
            rows.reject(PROVIDER, listing, "NOT_A_MEASURED_METER", told)
        elif pricing.get("full") or pricing.get("table"):
            _prose(rows, listing, pricing, until)
        else:
            _listing(rows, listing, pricing, until)
    return settled(rows)


def _offer(
    model: Mapping[str, Any], observed_at: datetime
) -> tuple[tuple[str, str] | None, datetime | None]:
    """Return why a listing is not on offer, and until when it is."""
    kind = model.get("type") or model.get("reported_type")
    if kind != "text-generation":
        return ("MODE_NOT_TEXT", f"type is {str(kind)[:80]!r}"), None
    if model.get("private") not in (None, False, "0"):
        return ("ENDPOINT_DISABLED", f"private is {str(model['private'])[:80]!r}"), None
    gone, successor = model.get("deprecated"), model.get("replaced_by")
    if gone not in (None, False):
        try:
            until = _moment(gone)
        except ValueError as error:
            return ("ENDPOINT_DISABLED", f"deprecated: {error}"), None
        if until > observed_at:
            return None, until
        return ("ENDPOINT_DISABLED", f"deprecated since {until}"), None
    if successor is not None:
        return ("MOVING_ALIAS", f"replaced_by is {str(successor)[:80]!r}"), None
    return None, None


def _moment(value: object) -> datetime:
    if isinstance(value, strict.Number) and value.isdigit() and len(value) <= 11:
        return datetime.fromtimestamp(int(value), UTC).replace(tzinfo=None)
    if at := utc_moment(value):
        return at
    raise ValueError(f"{str(value)[:80]!r} is neither Unix seconds nor a time with an offset")


def _listing(rows: Rows, listing: str, pricing: Mapping[str, Any], until: datetime | None) -> None:
    discount, ends = pricing.get("discount"), pricing.get("discount_ends_at")
    left = Decimal(1)
    if discount is not None:
        # exact() bounds the digits before any arithmetic is done with them
        if not isinstance(discount, strict.Number) or problem(discount) not in (None, "FREE_OFFER"):
            told = f"pricing.discount is {str(discount)[:80]!r}"
            rows.reject(PROVIDER, listing, "UNKNOWN_CONDITION", told)
            return
        left = _EXACT.subtract(Decimal(1), Decimal(discount))
        if left < 0:
            told = f"pricing.discount {discount} takes off more than the price"
            rows.reject(PROVIDER, listing, "UNKNOWN_CONDITION", told)
            return
    over: datetime | None = None
    if left != 1 and ends is not None:
        try:
            over = _moment(ends)
        except ValueError as error:
            rows.reject(
                PROVIDER, listing, "UNKNOWN_CONDITION", f"pricing.discount_ends_at: {error}"
            )
            return
        if over <= rows.observed_at:
            over, left = None, Decimal(1)
    if over is not None and (until is None or over < until):
        _figures(rows, listing, pricing, left, None, over)
        _figures(rows, listing, pricing, Decimal(1), over, until)
    else:
        _figures(rows, listing, pricing, left, None, until)
    _others(rows, listing, pricing)


def _figures(
    rows: Rows,
    listing: str,
    pricing: Mapping[str, Any],
    left: Decimal,
    since: datetime | None,
    until: datetime | None,
) -> None:
    figures: list[tuple[str, str, Any, str | None]] = []
    for field, meter in METERS.items():
        figures.append((meter, field, pricing.get(field), None))
    if pricing.get(CACHED) is not None:
        figures.append(("CIN", CACHED, pricing.get("cents_per_input_token"), pricing[CACHED]))
    for meter, field, price, multiple in figures:
        told = f"pricing.{field}"
        if price is None:
            rows.reject(PROVIDER, listing, "PRICE_MISSING", f"{meter}: no price for {told}")
            continue
        wrong = [
            f"{problem(part) if isinstance(part, strict.Number) else 'NOT_A_NUMBER'} {part!s:.80}"
            for part in (price, multiple)
            if part is not None and (not isinstance(part, strict.Number) or problem(part))
        ]
        if wrong:
            reason, _, value = wrong[-1].partition(" ")
            rows.reject(PROVIDER, listing, reason, f"{told} ({meter}) is {value!r}")
            continue
        text = _times(price, multiple, left)
        dates = {"effective_from": since, "effective_to": until}
        official = since is not None
        rows.price(PROVIDER, listing, meter, told, text, is_official_date=official, **dates)


def _times(price: str, multiple: str | None, left: Decimal) -> str:
    """Return price, multiple and what a discount leaves as one exact product of two figures."""
    if left == 1:
        return price if multiple is None else f"{price} * {multiple}"
    factor = left if multiple is None else _EXACT.multiply(left, Decimal(multiple))
    return f"{price} * {factor:f}"


def _prose(rows: Rows, listing: str, pricing: Mapping[str, Any], until: datetime | None) -> None:
    full = str(pricing.get("full") or "")
    found = [_BRACKET.fullmatch(part.strip()) for part in full.split(",")]
    brackets = [match for match in found if match is not None]
    plain = pricing.get("discount") in (None, "0") and not pricing.get("table")
    bounded = len(brackets) > 1 and brackets[0][4] == "<="
    if not plain or not bounded or len(brackets) < len(found):
        told = f"pricing.full {full[:200]!r}, table {str(pricing.get('table'))[:80]}"
        rows.reject(PROVIDER, listing, "CONDITIONAL_TARIFF", told)
        return
    for meter, text in zip(("IN", "OUT", "CIN"), brackets[0].group(1, 2, 3), strict=True):
        if text is not None:
            rows.price(
                PROVIDER,
                listing,
                meter,
                "pricing.full",
                text,
                unit="per_mtok",
                effective_to=until,
            )
    for match in brackets[1:]:
        rows.reject(PROVIDER, listing, "CONTEXT_BRACKET", f"pricing.full: {match[0]}")
    _others(rows, listing, pricing)


def _others(rows: Rows, listing: str, pricing: Mapping[str, Any]) -> None:
    for field, value in pricing.items():
        priced = field.startswith(("rate_", "cents_")) and field not in (*METERS, CACHED)
        if priced and value is not None:
            reason = "PRICE_VARIANT" if field.startswith(_TIER) else "NOT_A_MEASURED_METER"
            rows.reject(PROVIDER, listing, reason, f"pricing.{field} is {str(value)[:80]}")


SOURCE = Source(
    id="deepinfra",
    kind="tokens",
    url="https://api.deepinfra.com/models/list",
    parse=parse,
    requests=single_get,
    tier="E3",
    code_licence="none (an API response)",
    data_right="prices are facts; no licence stated for this endpoint",
    terms=(
        "Public, no key; no licence for reuse is stated; the terms of service were not at hand. "
        "API schema read 2026-11-21 from stored clients."
    ),
    path="deepinfra",
)
