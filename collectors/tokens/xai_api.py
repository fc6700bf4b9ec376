"""xAI's list of language models with prices, by its own interface.

Address ``https://api.x.ai/v1/language-models``, key in ``XAI_API_KEY`` (``Authorization: Bearer``).
Tier E3. No body was at hand; fields and units as documented at
``https://docs.x.ai/developers/rest-api-reference/inference/models``, read on 2026-11-21 in copies
of June 2026 and before. Unproven.

Unit: all token prices are whole numbers of "USD cents per 100 million tokens". One cent per
100 million is 1e-4 USD per million: 30000 is $3 (``e4_per_mtok``).

Column map (one object of ``models``):

* ``id``: listing id. ``aliases`` point at it and move: not read.
* ``prompt_text_token_price`` IN, ``cached_prompt_text_token_price`` CIN,
  ``completion_text_token_price`` OUT. Zero is no price (``FREE_OFFER``).
* ``..._long_context`` (from ``long_context_threshold`` tokens on): one ``CONTEXT_BRACKET`` per
  model that has any.
* any other ``..._price`` (images, search): ``NOT_A_MEASURED_METER`` when it is not zero.
* ``output_modalities`` without ``text``: no good of ours, ``NOT_A_MEASURED_METER``.
* fingerprint, dates, version, input modalities, context length: not a price, not read.
"""

from __future__ import annotations

from typing import Any

from collectors.base import Capture, Parsed, Source, single_get
from collectors.model_lists import settled
from collectors.rows import Rows, is_name, load_json, shape_error
from collectors.strict import Number

PROVIDER = "xai"
METERS = {
    "prompt_text_token_price": "IN",
    "cached_prompt_text_token_price": "CIN",
    "completion_text_token_price": "OUT",
}


def parse(capture: Capture) -> Parsed:
    """Return one quote per model and measured meter, 1e-4 USD per million tokens, tier E3.

    Rejections: ``FREE_OFFER``, ``NOT_A_NUMBER``, ``NEGATIVE_PRICE`` per figure (one that is not a
    whole number is in another unit than documented: ``UNKNOWN_UNIT``); ``CONTEXT_BRACKET``,
    ``NOT_A_MEASURED_METER``, ``DUPLICATE_LISTING``, ``AMBIGUOUS_LISTING`` as the column map says.

    Raises:
        ParseError: ``NOT_JSON``, or ``SHAPE`` when there is no list of models with ids.
    """
    body = load_json(capture)
    models = body.get("models") if isinstance(body, dict) else None
    if not isinstance(models, list) or not models:
        raise shape_error(capture, "no list of models under 'models'")
    rows = Rows(capture, "e4_per_mtok", "E3")
    for model in models:
        listing = model.get("id") if isinstance(model, dict) else None
        if not is_name(listing):
            raise shape_error(capture, f"a model with id {listing!r}")
        _model(rows, listing, model)
    return settled(rows)


def _model(rows: Rows, listing: str, model: dict[str, Any]) -> None:
    gives = model.get("output_modalities")
    if isinstance(gives, list) and "text" not in gives:
        rows.reject(PROVIDER, listing, "NOT_A_MEASURED_METER", f"output_modalities are {gives!r}")
        return
    long_context = []
    for field, value in model.items():
        if value is None or "price" not in field:
            continue
        if field.endswith("_long_context"):
            long_context.append(f"{field} {value!r}")
        elif field not in METERS:
            if value != "0":
                told = f"{field} is {str(value)[:80]!r}"
                rows.reject(PROVIDER, listing, "NOT_A_MEASURED_METER", told)
        elif not isinstance(value, Number):
            rows.reject(PROVIDER, listing, "NOT_A_NUMBER", f"{field} is {str(value)[:80]!r}")
        elif not value.lstrip("-").isdigit():
            rows.reject(PROVIDER, listing, "UNKNOWN_UNIT", f"{field} is {value}, no whole number")
        else:
            rows.price(PROVIDER, listing, METERS[field], field, value)
    if long_context:
        at = model.get("long_context_threshold")
        told = f"from {at} tokens: {', '.join(long_context)}"
        rows.reject(PROVIDER, listing, "CONTEXT_BRACKET", told)


SOURCE = Source(
    id="xai_api",
    kind="tokens",
    url="https://api.x.ai/v1/language-models",
    parse=parse,
    requests=single_get,
    tier="E3",
    code_licence="none (an API response)",
    data_right="prices are facts; no licence stated",
    terms=(
        "The seller's own interface, with a key of the operator; its terms of service were not at "
        "hand on 2026-11-21 and bind the holder of the key: read them before going live."
    ),
    auth_env="XAI_API_KEY",
    max_raw_bytes=2 * 2**20,
    max_decoded_bytes=4 * 2**20,
    path="xai",
)
