"""Poe: the price at which a platform resells other sellers' models.

Address: ``https://api.poe.com/v1/models``, no key. Poe bills in points of its own; the dollars it
shows are its own conversion and differ from every list (on 2026-05-26 ``qwen3.7-max`` stood at
2.5253 and 7.5758 dollars, the list at 2.5 and 7.5). A router; evidence tier E4.

At hand: a fragment, one model of 2026-05-26 in the true shape, and a public description of the
response (read 2026-11-21). Not seen: a whole body.

Field map (``data[]``):

* ``id``: listing_id; the provider is always ``poe``. ``owned_by`` names who serves the model:
  ignored, since Poe is the seller.
* ``architecture.output_modalities`` without ``text``: ``MODE_NOT_TEXT``.
* ``pricing``: null for models that are free or sold by the request (``PRICE_MISSING``).
  ``prompt`` IN, ``completion`` OUT, ``input_cache_read`` CIN: USD per token, decimal texts or null.
  ``image``, ``request``, ``input_cache_write``: not measured.
* ``created`` is in milliseconds here; with ``context_length`` and the rest: ignored.
"""

from __future__ import annotations

from collectors.base import Capture, Parsed, Source, single_get
from collectors.model_lists import gives_text, models_of, name_of, settled, token_prices
from collectors.rows import Rows, shape_error

PROVIDER = "poe"
METERS = {"prompt": "IN", "completion": "OUT", "input_cache_read": "CIN"}


def parse(capture: Capture) -> Parsed:
    """Return one quote per text model and meter, USD per token, no dates.

    Rejections: ``MODE_NOT_TEXT`` and ``PRICE_MISSING`` per model, those of
    ``model_lists.token_prices`` per figure, ``AMBIGUOUS_LISTING``, ``DUPLICATE_LISTING``.

    Raises:
        ParseError: ``NOT_JSON``, or ``SHAPE`` when there is no list of models or only a part.
    """
    rows = Rows(capture, "per_token")
    for model in models_of(capture):
        listing, pricing = name_of(capture, model), model.get("pricing")
        if not gives_text(model):
            rows.reject(PROVIDER, listing, "MODE_NOT_TEXT", "output_modalities has no 'text'")
        elif pricing is None:
            rows.reject(PROVIDER, listing, "PRICE_MISSING", "pricing is null: free or by request")
        elif not isinstance(pricing, dict):
            raise shape_error(capture, f"{listing}: pricing is {str(pricing)[:80]!r}")
        else:
            token_prices(rows, PROVIDER, listing, pricing, METERS, is_text=True)
    return settled(rows)


SOURCE = Source(
    id="poe",
    kind="tokens",
    url="https://api.poe.com/v1/models",
    parse=parse,
    requests=single_get,
    tier="E4",
    code_licence="none (an API response)",
    data_right="prices are facts; no licence stated for this endpoint",
    terms=(
        "Public, no key; no licence for reuse is stated; the terms of service were not at hand. "
        "A router's prices: a cross-check, never a list. Shape read 2026-11-21."
    ),
)
