"""Kilo Gateway: the price of every model a coding tool's router sells.

Address: ``https://api.kilo.ai/api/gateway/models``, no key. It resells OpenRouter's catalogue in
OpenRouter's shape, with deviations of its own (on 2026-05-26 its cached input of ``qwen3.7-max``
stood at half of OpenRouter's). A router; evidence tier E4. Because it repeats OpenRouter's
headline, the two are one path: neither confirms the other.

At hand: a fragment, one model of 2026-05-26 in the true shape. Not seen: a whole body.

Field map (``data[]``):

* ``id``: listing_id; the provider is always ``kilo``. ``…:free``, ``…:batch``, ``~…-latest`` as
  ``openrouter_models``; ``kilo-auto/…`` and ``kilo/auto`` choose a model per request: refused.
* ``pricing``: as ``openrouter_models``, USD per token as decimal texts. ``"-1"`` stands for routes
  that are not to be had as well as for a price decided per request: ``DYNAMIC_PRICE``.
* ``isFree``: a zero price follows from it; ignored. ``name`` may announce a promotion ("(50%
  off)") without an end: the price shown is what a buyer pays.
* ``architecture.output_modalities`` without ``text``: ``MODE_NOT_TEXT``. The rest is ignored.
"""

from __future__ import annotations

from collectors.base import Capture, Parsed, Source, single_get
from collectors.model_lists import gives_text, models_of, name_of, settled
from collectors.rows import Rows, shape_error
from collectors.tokens.openrouter_models import pricing_rows, variant_reason

PROVIDER = "kilo"

_CHOOSES = ("kilo-auto/", "kilo/auto")


def parse(capture: Capture) -> Parsed:
    """Return one quote per text model and meter, USD per token, no dates.

    Rejections: ``MODE_NOT_TEXT``, ``MOVING_ALIAS``, ``FREE_VARIANT``, ``BATCH_VARIANT`` per model;
    per figure as ``openrouter_models``; ``AMBIGUOUS_LISTING``, ``DUPLICATE_LISTING``.

    Raises:
        ParseError: ``NOT_JSON``, or ``SHAPE`` when there is no list of models or only a part.
    """
    rows = Rows(capture, "per_token")
    for model in models_of(capture):
        listing, pricing = name_of(capture, model), model.get("pricing")
        if not isinstance(pricing, dict):
            raise shape_error(capture, f"{listing}: pricing is {str(pricing)[:80]!r}")
        alias = "MOVING_ALIAS" if listing.startswith(_CHOOSES) else None
        refused = alias or variant_reason(listing)
        if refused:
            rows.reject(PROVIDER, listing, refused, f"id {listing!r}")
        elif not gives_text(model):
            rows.reject(PROVIDER, listing, "MODE_NOT_TEXT", "output_modalities has no 'text'")
        else:
            pricing_rows(rows, PROVIDER, listing, pricing)
            for field in ("prompt", "completion"):
                if field not in pricing:
                    rows.reject(PROVIDER, listing, "PRICE_MISSING", f"pricing.{field} is absent")
    return settled(rows)


SOURCE = Source(
    id="kilo",
    kind="tokens",
    url="https://api.kilo.ai/api/gateway/models",
    parse=parse,
    requests=single_get,
    tier="E4",
    code_licence="none (an API response)",
    data_right="prices are facts; no licence stated for this endpoint",
    terms=(
        "Public, no key; no licence for reuse is stated; the terms of service were not at hand. "
        "A router's prices: a cross-check, never a list. Shape read 2026-11-21."
    ),
    path="openrouter_models",
)
