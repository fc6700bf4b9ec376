"""Requesty: the router's price of every model it sells.

Address: ``https://router.requesty.ai/v1/models``, no key. A router: its price can differ from the
list (on 2026-05-26 it showed the list of ``qwen3.7-max``, 2.5 and 7.5 dollars, while three other
routers passed on a promotion at half of it). Evidence tier E4.

At hand: a fragment, one model of 2026-05-26 in the true shape. Not seen: a whole body.

Field map (``data[]``):

* ``id``: listing_id; the provider is always ``requesty``. ``policy/…`` ids are a buyer's own
  routing rules and no model (``MOVING_ALIAS``).
* ``api``: only ``chat`` sells text (``MODE_NOT_TEXT``).
* ``input_price`` IN, ``output_price`` OUT, ``cached_price`` CIN: USD per token, JSON numbers.
  ``caching_price`` is for cache writes: not measured. The prices stand beside the other fields of
  a model, so every other field that ends in ``_price`` is counted too.
* ``geolocation``, ``context_window``, ``supports_*``, ``description`` and the rest: ignored.
"""

from __future__ import annotations

from collectors.base import Capture, Parsed, Source, single_get
from collectors.model_lists import models_of, name_of, settled, token_prices
from collectors.rows import Rows

PROVIDER = "requesty"
METERS = {"input_price": "IN", "output_price": "OUT", "cached_price": "CIN"}


def parse(capture: Capture) -> Parsed:
    """Return one quote per chat model and meter, USD per token, no dates.

    Rejections: ``MODE_NOT_TEXT`` and ``MOVING_ALIAS`` per model, those of
    ``model_lists.token_prices`` per figure, ``AMBIGUOUS_LISTING``, ``DUPLICATE_LISTING``.

    Raises:
        ParseError: ``NOT_JSON``, or ``SHAPE`` when there is no list of models or only a part.
    """
    rows = Rows(capture, "per_token")
    for model in models_of(capture):
        listing, api = name_of(capture, model), model.get("api", "chat")
        if api != "chat":
            rows.reject(PROVIDER, listing, "MODE_NOT_TEXT", f"api is {str(api)[:80]!r}")
        elif listing.startswith("policy/"):
            rows.reject(PROVIDER, listing, "MOVING_ALIAS", f"id {listing!r} is a routing rule")
        else:
            prices = {field: value for field, value in model.items() if field.endswith("_price")}
            token_prices(rows, PROVIDER, listing, prices, METERS, is_text=False, where="")
    return settled(rows)


SOURCE = Source(
    id="requesty",
    kind="tokens",
    url="https://router.requesty.ai/v1/models",
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
