"""Chutes: the seller's own list, one posted price per model on a network of miners.

Address: ``https://llm.chutes.ai/v1/models``, no key. Evidence tier E3.

At hand: no body of the address itself; a public repository keeps its ``data`` of 2026-07-22, 13
models, sorted and wrapped (Veightor/chutes-agent-toolkit, read 2026-11-21). The field map is
checked against that.

Field map (``data[]``):

* ``id`` and ``quantization``: listing_id is ``id|precision``. The precision matters: on 2026-07-22
  ``zai-org/GLM-5.2-TEE`` was served in fp4, which is another good. ``-TEE`` is how it is served.
* ``output_modalities`` without ``text``: ``MODE_NOT_TEXT``.
* ``pricing.prompt`` IN, ``completion`` OUT, ``input_cache_read`` CIN: USD per **million** tokens,
  JSON numbers, although the names are those that other sellers use per token.
* ``price.input.usd`` and so on state the same figures again; where they differ, the meter is
  refused (``AMBIGUOUS_LISTING``). ``price.*.tao`` is a conversion into a coin: ignored.
* ``root``, ``context_length``, ``confidential_compute``, ``supported_*`` and the rest: ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from collectors.base import Capture, Parsed, Source, single_get
from collectors.model_lists import gives_text, models_of, name_of, settled, token_prices
from collectors.rows import Rows, problem
from methodology.units import exact

PROVIDER = "chutes"
METERS = {"prompt": "IN", "completion": "OUT", "input_cache_read": "CIN"}

_TWINS = {"prompt": "input", "completion": "output", "input_cache_read": "input_cache_read"}


def parse(capture: Capture) -> Parsed:
    """Return one quote per model and meter, USD per Mtok, no dates.

    Rejections: ``MODE_NOT_TEXT`` and ``PRICE_MISSING`` per model, ``AMBIGUOUS_LISTING`` where the
    two statements of a price differ, those of ``model_lists.token_prices`` per figure,
    ``DUPLICATE_LISTING``.

    Raises:
        ParseError: ``NOT_JSON``, or ``SHAPE`` when there is no list of models or only a part.
    """
    rows = Rows(capture, "per_mtok", "E3")
    for model in models_of(capture):
        listing = f"{name_of(capture, model)}|{model.get('quantization') or 'unknown'}"
        pricing = model.get("pricing")
        if not gives_text(model):
            rows.reject(PROVIDER, listing, "MODE_NOT_TEXT", "output_modalities has no 'text'")
        elif not isinstance(pricing, dict):
            rows.reject(PROVIDER, listing, "PRICE_MISSING", f"pricing is {str(pricing)[:80]}")
        else:
            torn = _torn(rows, listing, pricing, model.get("price"))
            meters = {field: meter for field, meter in METERS.items() if field not in torn}
            other = dict.fromkeys(torn, "")
            token_prices(rows, PROVIDER, listing, pricing, meters, is_text=False, other=other)
    return settled(rows)


def _torn(rows: Rows, listing: str, pricing: Mapping[str, Any], price: Any) -> set[str]:
    """Return the fields that ``price`` contradicts, each refused."""
    torn = set()
    for field, twin in _TWINS.items():
        entry = price.get(twin) if isinstance(price, dict) else None
        usd, figure = entry.get("usd") if isinstance(entry, dict) else None, pricing.get(field)
        if usd is None or figure is None or usd == figure:
            continue
        parts = (str(usd), str(figure))
        if any(problem(part) for part in parts) or exact(parts[0]) != exact(parts[1]):
            told = f"pricing.{field} is {parts[1]:.40}, price.{twin}.usd is {parts[0]:.40}"
            rows.reject(PROVIDER, listing, "AMBIGUOUS_LISTING", told)
            torn.add(field)
    return torn


SOURCE = Source(
    id="chutes",
    kind="tokens",
    url="https://llm.chutes.ai/v1/models",
    parse=parse,
    requests=single_get,
    tier="E3",
    code_licence="none (an API response)",
    data_right="prices are facts; no licence stated for this endpoint",
    terms=(
        "Public, no key; no licence for reuse is stated; the terms of service were not at hand. "
        "Shape read 2026-11-21 from a stored copy of its data."
    ),
    path="chutes",
)
