"""Hugging Face router: what each inference provider charges for a model, through the router.

Address: ``https://router.huggingface.co/v1/models``, no key. Many sellers in one body. Hugging
Face says that it passes on the providers' prices without a markup ("Pricing and Billing" of the
Inference Providers documentation, read 2026-11-21); the figures are still the router's word for
them and not the sellers' own pages: evidence tier E4.

At hand: a fragment, two models of 2026 in the true shape. Not seen: a whole body.

Field map (``data[]``, then ``providers[]`` of a model):

* model ``id`` (the repository on the hub): listing_id. The precision a provider serves is not
  stated anywhere in the body.
* ``architecture.output_modalities`` without ``text``: another good, ``MODE_NOT_TEXT``.
* ``provider``: seller, in the router's own spelling. ``status``: only ``live`` takes requests.
* ``pricing.input`` IN, ``pricing.output`` OUT: USD per million tokens, JSON numbers. The key is
  absent for sellers that gave the router no price (``PRICE_MISSING``); ``is_free`` without a
  price is ``FREE_OFFER``. Any other key of ``pricing`` is counted as no measured meter: none is
  documented, cached reads are not priced here.
* ``context_length``, ``supports_*``, ``throughput``, ``first_token_latency_ms``,
  ``is_model_author``: how it is served, not what it costs: ignored.
"""

from __future__ import annotations

from typing import Any

from collectors.base import Capture, Parsed, Source, single_get
from collectors.model_lists import gives_text, models_of, name_of, settled, token_prices
from collectors.rows import Rows, is_name, shape_error

METERS = {"input": "IN", "output": "OUT"}


def parse(capture: Capture) -> Parsed:
    """Return one quote per model, provider and meter, USD per Mtok, no dates.

    Rejections: ``MODE_NOT_TEXT`` and ``NO_ENDPOINTS`` per model; ``ENDPOINT_DISABLED``,
    ``PRICE_MISSING`` and ``FREE_OFFER`` per provider of a model; those of
    ``model_lists.token_prices`` per figure; ``AMBIGUOUS_LISTING`` and ``DUPLICATE_LISTING``.

    Raises:
        ParseError: ``NOT_JSON``, or ``SHAPE`` when it is not models with their providers.
    """
    rows = Rows(capture, "per_mtok")
    for model in models_of(capture):
        listing, sellers = name_of(capture, model), model.get("providers")
        if not isinstance(sellers, list):
            raise shape_error(capture, f"{listing}: providers is {str(sellers)[:80]!r}")
        if not gives_text(model):
            rows.reject("", listing, "MODE_NOT_TEXT", "output_modalities has no 'text'")
        elif not sellers:
            rows.reject("", listing, "NO_ENDPOINTS", "no provider serves this model")
        else:
            for seller in sellers:
                _offer(capture, rows, listing, seller)
    return settled(rows)


def _offer(capture: Capture, rows: Rows, listing: str, seller: Any) -> None:
    name = seller.get("provider") if isinstance(seller, dict) else None
    if not is_name(name):
        raise shape_error(capture, f"{listing}: a provider named {str(name)[:80]!r}")
    pricing, status = seller.get("pricing"), seller.get("status")
    if status != "live":
        rows.reject(name, listing, "ENDPOINT_DISABLED", f"status is {str(status)[:80]!r}")
    elif pricing is None:
        free = seller.get("is_free") is True
        reason = "FREE_OFFER" if free else "PRICE_MISSING"
        rows.reject(name, listing, reason, "no pricing" + (", is_free is true" if free else ""))
    elif not isinstance(pricing, dict):
        raise shape_error(capture, f"{listing} of {name}: pricing is {str(pricing)[:80]!r}")
    else:
        token_prices(rows, name, listing, pricing, METERS, is_text=False)


SOURCE = Source(
    id="huggingface_router",
    kind="tokens",
    url="https://router.huggingface.co/v1/models",
    parse=parse,
    requests=single_get,
    tier="E4",
    code_licence="none (an API response)",
    data_right="prices are facts; no licence stated for this endpoint",
    terms=(
        "Public, no key; no licence for reuse is stated; the terms of service were not at hand. "
        "Documentation of Inference Providers read 2026-11-21 from a stored copy."
    ),
)
