"""Together AI: the seller's own list of models with their prices.

Address: ``https://api.together.ai/v1/models``, key in ``TOGETHER_API_KEY``. Evidence tier E3.

At hand: no body; the documented shape ("List all models", docs.together.ai/reference/models, read
2026-11-21) with its example row.

Field map (the body is a bare list):

* ``id``: listing_id. ``…-Turbo``, ``…-Lite`` and dated ids are ids of their own; a mapping tells.
* ``type``: ``chat``, ``language`` and ``code`` sell text; others are ``MODE_NOT_TEXT``.
* ``pricing.input`` IN, ``output`` OUT, ``cached_input`` CIN (not in every row): USD per million
  tokens, JSON numbers. Models that only run on a machine of one's own show 0: ``FREE_OFFER``.
* ``pricing.hourly``, ``base``, ``finetune``: other goods. Zero there means that there is none.
* ``created``, ``organization``, ``license``, ``context_length`` and the rest: ignored. What an
  account may see can depend on the account.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from collectors.base import Capture, Parsed, Source, single_get
from collectors.model_lists import models_of, name_of, settled, token_prices
from collectors.rows import Rows

PROVIDER = "together"
METERS = {"input": "IN", "output": "OUT", "cached_input": "CIN"}
TEXT_TYPES = ("chat", "language", "code")

_OTHER_GOODS = ("hourly", "base", "finetune")


def parse(capture: Capture) -> Parsed:
    """Return one quote per text model and meter, USD per Mtok, no dates.

    Rejections: ``MODE_NOT_TEXT`` and ``PRICE_MISSING`` per model, those of
    ``model_lists.token_prices`` per figure, ``AMBIGUOUS_LISTING``, ``DUPLICATE_LISTING``.

    Raises:
        ParseError: ``NOT_JSON``, or ``SHAPE`` when the body is no list of models.
    """
    rows = Rows(capture, "per_mtok", "E3")
    for model in models_of(capture, None):
        listing, kind = name_of(capture, model), model.get("type")
        pricing = model.get("pricing")
        if kind not in TEXT_TYPES:
            rows.reject(PROVIDER, listing, "MODE_NOT_TEXT", f"type is {str(kind)[:80]!r}")
        elif not isinstance(pricing, dict):
            rows.reject(PROVIDER, listing, "PRICE_MISSING", f"pricing is {str(pricing)[:80]}")
        else:
            token_prices(
                rows, PROVIDER, listing, pricing, METERS, is_text=False, other=_none(pricing)
            )
    return settled(rows)


def _none(pricing: Mapping[str, Any]) -> dict[str, str]:
    return {field: "" for field in _OTHER_GOODS if pricing.get(field) in ("0", "0.0")}


SOURCE = Source(
    id="together",
    kind="tokens",
    url="https://api.together.ai/v1/models",
    parse=parse,
    requests=single_get,
    tier="E3",
    code_licence="none (an API response)",
    data_right="prices are facts; no licence stated for this endpoint",
    terms=(
        "Documented API, read with the operator's own key; no licence for reuse is stated; the "
        "terms of service were not at hand. Documentation read 2026-11-21 from a stored copy."
    ),
    auth_env="TOGETHER_API_KEY",
    path="together",
)
