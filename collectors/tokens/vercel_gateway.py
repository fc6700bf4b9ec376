"""Vercel AI Gateway: the router's price of every model it sells.

Address: ``https://ai-gateway.vercel.sh/v1/models``, no key. A router: one price per model,
whichever of its providers answers. Evidence tier E4.

At hand: a fragment, one model of 2026-05-26 in the true shape. The other keys are as three public
readers of this address take them (their code read 2026-11-21). Not seen: a whole body.

Field map (``data[]``):

* ``id``: listing_id; the provider is always ``vercel``.
* ``type``: only ``language`` sells text (``MODE_NOT_TEXT``).
* ``pricing.input`` IN, ``output`` OUT, ``input_cache_read`` CIN: USD per token, decimal texts.
* ``pricing.input_tiers`` and the like: ``[{"cost", "min", "max"}]``, context brackets. The first
  one, from 0, is the base bracket; a plain figure beside it must repeat it, otherwise neither is
  taken (``AMBIGUOUS_LISTING``). The brackets above are refused (``CONTEXT_BRACKET``).
* ``pricing.fast``, ``service_tiers``: other service levels; ``regional``: dearer routes in one
  region. Other goods, ``PRICE_VARIANT``. ``varies_by_provider`` is no price: ignored.
* every other key of ``pricing``: a meter that is not measured.
* ``owned_by``, ``context_window``, ``max_tokens``, ``tags``, ``released``, ``deprecated_at`` (its
  unit is not documented) and the rest describe the model: ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from collectors.base import Capture, Parsed, Source, single_get
from collectors.model_lists import models_of, name_of, settled, token_prices
from collectors.rows import Rows, shape_error

PROVIDER = "vercel"
METERS = {"input": "IN", "output": "OUT", "input_cache_read": "CIN"}

_TIERS = "_tiers"
_OTHER = {
    "fast": "PRICE_VARIANT",
    "service_tiers": "PRICE_VARIANT",
    "regional": "PRICE_VARIANT",
    "varies_by_provider": "",
    **{f"{field}{_TIERS}": "" for field in METERS},
}


def parse(capture: Capture) -> Parsed:
    """Return one quote per language model and meter, USD per token, no dates.

    Rejections: ``MODE_NOT_TEXT`` and ``PRICE_MISSING`` per model, ``CONTEXT_BRACKET`` per bracket
    above the base, ``AMBIGUOUS_LISTING`` where base bracket and plain figure differ,
    ``PRICE_VARIANT``, and those of ``model_lists.token_prices`` per figure.

    Raises:
        ParseError: ``NOT_JSON``, or ``SHAPE`` when there is no list of models or only a part.
    """
    rows = Rows(capture, "per_token")
    for model in models_of(capture):
        listing, kind = name_of(capture, model), model.get("type")
        pricing = model.get("pricing")
        if kind != "language":
            rows.reject(PROVIDER, listing, "MODE_NOT_TEXT", f"type is {str(kind)[:80]!r}")
        elif not pricing:
            rows.reject(PROVIDER, listing, "PRICE_MISSING", f"pricing is {pricing!r}")
        elif not isinstance(pricing, dict):
            raise shape_error(capture, f"{listing}: pricing is {str(pricing)[:80]!r}")
        else:
            figures = {**pricing, **_bases(rows, listing, pricing)}
            token_prices(rows, PROVIDER, listing, figures, METERS, is_text=True, other=_OTHER)
    return settled(rows)


def _bases(rows: Rows, listing: str, pricing: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures that hold from the first token on, and refuse the brackets above."""
    found: dict[str, Any] = {}
    for field in METERS:
        tiers = pricing.get(f"{field}{_TIERS}")
        if not isinstance(tiers, list):
            continue
        for tier in tiers:
            entry = tier if isinstance(tier, dict) else {}
            cost, start, plain = entry.get("cost"), entry.get("min"), pricing.get(field)
            told = f"pricing.{field}{_TIERS} from {start}: {str(cost)[:80]}"
            if start not in (None, "0", "1"):
                rows.reject(PROVIDER, listing, "CONTEXT_BRACKET", told)
            elif plain is None:
                found[field] = cost
            elif cost != plain:
                told += f", pricing.{field} is {str(plain)[:80]!r}"
                rows.reject(PROVIDER, listing, "AMBIGUOUS_LISTING", told)
                found[field] = None
    return found


SOURCE = Source(
    id="vercel_gateway",
    kind="tokens",
    url="https://ai-gateway.vercel.sh/v1/models",
    parse=parse,
    requests=single_get,
    tier="E4",
    code_licence="none (an API response)",
    data_right="prices are facts; no licence stated for this endpoint",
    terms=(
        "Public, no key; no licence for reuse is stated for this address; the terms of service "
        "were not at hand. A router's prices: a cross-check, never a list. Read 2026-11-21."
    ),
)
