"""What sellers' model lists have in common: a JSON list of models, each with a few price fields.

Most sellers of tokens answer ``/models`` with ``{"data": [...]}``: an id, a ``pricing`` object, and
much that is no price. A source says which of the fields are which meter; :func:`token_prices`
turns every figure of the object into a quote or a rejection, so that a meter that is added one day
is counted and not overlooked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from collectors import strict
from collectors.base import Capture, Parsed, not_empty
from collectors.rows import Rows, is_name, load_json, shape_error
from methodology import schemas

_MORE = ("has_more", "next_cursor", "nextPageToken", "next_page_token", "next_page", "next")
_REQUIRED = ("IN", "OUT")
_WINDOW = ("window_start_min", "window_end_min")
_OFFER = ("provider", "listing_id", "meter", "region", "effective_from", *_WINDOW)


def models_of(
    capture: Capture, under: str | None = "data", *, is_page: bool = False
) -> list[dict[str, Any]]:
    """Return the models of a list: objects, at least one.

    Args:
        capture: the body.
        under: key of the list; None: the body itself is the list.
        is_page: the source asks for all pages, so that a link to the next one is expected.

    Raises:
        ParseError: ``NOT_JSON``; ``SHAPE`` for no list, an empty one, an entry that is no object,
            or one page of several where the whole list was promised.
    """
    body = load_json(capture)
    found = body
    if under is not None:
        found = body.get(under) if isinstance(body, dict) else None
    if not isinstance(found, list) or not found:
        where = f"under {under!r}" if under else "as the body"
        raise shape_error(capture, f"no list of models {where}")
    if isinstance(body, dict) and not is_page:
        links = body.get("links")
        more = [key for key in _MORE if body.get(key)]
        more += ["links.next"] if isinstance(links, dict) and links.get("next") else []
        if more:
            raise shape_error(capture, f"one page of several ({more[0]} is set), not the list")
    for model in found:
        if not isinstance(model, dict):
            raise shape_error(capture, f"an entry of the list is {type(model).__name__}")
    return found


def name_of(capture: Capture, model: Mapping[str, Any], field: str = "id") -> str:
    """Return the id of a model.

    Raises:
        ParseError: ``SHAPE``; it has none, or a number in its place.
    """
    name = model.get(field)
    if not is_name(name):
        raise shape_error(capture, f"a model whose {field} is {str(name)[:80]!r}")
    return name


def gives_text(model: Mapping[str, Any]) -> bool:
    """Return whether a model's output is text, from ``output_modalities`` where it states them.

    The list stands in the model or in its ``architecture``. A model that states none is taken to
    give text: the older lists say nothing.
    """
    architecture = model.get("architecture")
    nested = architecture.get("output_modalities") if isinstance(architecture, dict) else None
    stated = model.get("output_modalities", nested)
    return not isinstance(stated, list) or "text" in stated


def token_prices(
    rows: Rows,
    provider: str,
    listing: str,
    pricing: Mapping[str, Any],
    meters: Mapping[str, str],
    *,
    is_text: bool,
    other: Mapping[str, str] | None = None,
    where: str = "pricing.",
    **more: Any,
) -> None:
    """Add a quote or a rejection for each field of one object of prices.

    Args:
        rows: collects them.
        provider: seller, as spelled.
        listing: its product id.
        pricing: the object.
        meters: field to meter. ``IN`` and ``OUT`` must be there: ``PRICE_MISSING`` where one is
            absent or null; the others may be.
        is_text: prices are promised as texts (else as JSON numbers); the other kind is a change of
            layout and no price, ``NOT_A_NUMBER``.
        other: field to the reason for which it is refused, empty text for "is no price and needs
            no word". A field that stands in neither is ``NOT_A_MEASURED_METER``; nulls are none.
        where: what stands before the field in a detail.
        more: goes to ``Rows.quote``.
    """
    for field, meter in meters.items():
        value = pricing.get(field)
        told = f"{where}{field}"
        if value is None:
            if meter in _REQUIRED:
                missing = "null" if field in pricing else "absent"
                rows.reject(provider, listing, "PRICE_MISSING", f"{told} is {missing}")
        elif str(value) == "-1":
            rows.reject(provider, listing, "DYNAMIC_PRICE", f"{told} is '-1'")
        else:
            kept = value if is_price_kind(value, is_text=is_text) else None
            if kept is None:
                rows.reject(provider, listing, "NOT_A_NUMBER", f"{told} is {str(value)[:80]!r}")
            else:
                rows.price(provider, listing, meter, told, kept, **more)
    reasons = other or {}
    for field, value in pricing.items():
        reason = reasons.get(field, "NOT_A_MEASURED_METER")
        if field not in meters and value is not None and reason:
            rows.reject(provider, listing, reason, f"{where}{field} is {str(value)[:80]}")


def is_price_kind(value: object, *, is_text: bool) -> bool:
    """Return whether a JSON value is of the promised kind: a text, or a number."""
    return isinstance(value, str) and isinstance(value, strict.Number) != is_text


def settled(
    rows: Rows, key: Sequence[str] = _OFFER, why: str = "the id stands there twice"
) -> Parsed:
    """Return the rows of a list after looking for ids that stand in it twice.

    Two prices for one ``key`` (listing, meter, region, window and start) refuse every price of the
    listing (``AMBIGUOUS_LISTING``, with ``why`` in its detail): which one a buyer gets is not
    knowable. The same price twice counts once (``DUPLICATE_LISTING``).

    Raises:
        ParseError: ``EMPTY`` for a list of which nothing is told.
    """
    prices: dict[tuple[Any, ...], set[Any]] = {}
    for quote in rows.quotes:
        found = prices.setdefault(tuple(quote[k] for k in key), set())
        found.add((quote["price_text"], quote["quoted_unit"], quote["effective_to"]))
    torn = {name[:2] for name, found in prices.items() if len(found) > 1}
    kept, told = [], set()
    for quote in rows.quotes:
        seller, name = (quote["provider"], quote["listing_id"]), tuple(quote[k] for k in key)
        detail = f"{quote['meter']} {quote['price_text']}"
        if seller in torn:
            rows.reject(*seller, "AMBIGUOUS_LISTING", f"{detail}; {why}")
        elif name in told:
            rows.reject(*seller, "DUPLICATE_LISTING", f"{detail} is listed twice")
        else:
            told.add(name)
            kept.append(quote)
    whole = Parsed(
        quotes=schemas.frame(schemas.Quote, kept),
        rejections=schemas.frame(schemas.Rejection, rows.rejections),
    )
    return not_empty(rows.capture, whole)
