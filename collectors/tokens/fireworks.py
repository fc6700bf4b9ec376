"""Fireworks AI: the seller's own serverless prices, one row per model and way of serving.

Address: ``https://api.fireworks.ai/v1/serverless/models``, key in ``FIREWORKS_API_KEY``, pages
linked by a token. Evidence tier E3.

At hand: no body; the shape is that of the seller's own open client and of two public readers of
the address (2026-10, read 2026-11-21), who report 26 rows of which one has no price.

Field map (``data[]``):

* ``id``: listing_id, ``accounts/fireworks/models/…``.
* ``serverless_mode``: ``default`` or ``standard`` is the standard service. ``priority``, ``fast``,
  ``spot`` and every other mode, a ``service_tier`` or a ``usage_identifier`` name another good:
  ``PRICE_VARIANT``.
* ``output_modalities`` without ``text``: ``MODE_NOT_TEXT``.
* ``pricing[]``: ``sku``, ``amount`` (USD, a decimal text), ``unit``. Only ``1M tokens`` is read
  (``UNKNOWN_UNIT``). ``LLM input tokens (uncached)`` IN, ``LLM input tokens (cached)`` CIN,
  ``LLM output tokens`` OUT; every other sku is no measured meter.
* ``aliases`` move between models and are not listed. ``context_length``, ``use_cases``,
  ``created`` and the rest: ignored.
* ``nextPageToken`` or ``next_page_token``: there is another page, asked for with ``pageToken``.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any

from collectors.base import Capture, Parsed, Request, Source
from collectors.model_lists import gives_text, models_of, name_of, settled
from collectors.rows import Rows, is_name, load_json, shape_error
from methodology.errors import ParseError

PROVIDER = "fireworks"
METERS = {
    "LLM input tokens (uncached)": "IN",
    "LLM input tokens (cached)": "CIN",
    "LLM output tokens": "OUT",
}
MODES = ("default", "standard")
MAX_PAGES = 20
"""Pages after which a list that still has a next one is not a list of a few dozen rows."""

_TOKENS = ("nextPageToken", "next_page_token")


def requests(base_url: str) -> Generator[Request, Capture, None]:
    """Yield one request per page.

    Raises:
        ParseError: ``NOT_JSON`` of a page; ``ENDLESS`` for a page token that repeats, or more than
            :data:`MAX_PAGES` pages.
    """
    params: dict[str, str] = {}
    seen: set[str] = set()
    while True:
        capture = yield Request(url=base_url, params=params)
        token = _next(load_json(capture))
        if token is None:
            return
        if token in seen or len(seen) == MAX_PAGES:
            raise ParseError("fireworks", "ENDLESS", f"page token {token[:80]!r}: pages do not end")
        seen.add(token)
        params = {"pageToken": token}


def _next(body: Any) -> str | None:
    if not isinstance(body, dict):
        return None
    return next((body[key] for key in _TOKENS if is_name(body.get(key))), None)


def parse(capture: Capture) -> Parsed:
    """Return one quote per model and meter of the standard service, USD per Mtok, for one page.

    Rejections: ``PRICE_VARIANT`` and ``MODE_NOT_TEXT`` per row, ``PRICE_MISSING``,
    ``UNKNOWN_UNIT``, ``NOT_A_MEASURED_METER``, ``NOT_A_NUMBER``, ``NEGATIVE_PRICE``,
    ``FREE_OFFER`` per figure, ``AMBIGUOUS_LISTING``, ``DUPLICATE_LISTING``.

    Raises:
        ParseError: ``NOT_JSON``, or ``SHAPE`` when there is no list of models.
    """
    rows = Rows(capture, "per_mtok", "E3")
    for model in models_of(capture, is_page=True):
        listing, pricing = name_of(capture, model), model.get("pricing")
        variant = _variant(model)
        if variant:
            rows.reject(PROVIDER, listing, "PRICE_VARIANT", variant)
        elif not gives_text(model):
            rows.reject(PROVIDER, listing, "MODE_NOT_TEXT", "output_modalities has no 'text'")
        elif pricing is not None and not isinstance(pricing, list):
            raise shape_error(capture, f"{listing}: pricing is {str(pricing)[:80]!r}")
        else:
            _prices(capture, rows, listing, pricing or [])
    return settled(rows)


def _variant(model: Mapping[str, Any]) -> str | None:
    mode = model.get("serverless_mode")
    if mode not in MODES:
        return f"serverless_mode is {str(mode)[:80]!r}"
    named = (key for key in ("service_tier", "usage_identifier") if model.get(key))
    return next((f"{key} is {str(model[key])[:80]!r}" for key in named), None)


def _prices(capture: Capture, rows: Rows, listing: str, pricing: list[Any]) -> None:
    told: set[str] = set()
    for entry in pricing:
        if not isinstance(entry, dict):
            raise shape_error(capture, f"{listing}: a price is {str(entry)[:80]!r}")
        sku, amount, unit = (entry.get(key) for key in ("sku", "amount", "unit"))
        meter = METERS.get(str(sku))
        name = f"{str(sku)[:60]!r}"
        told.add(meter or "")
        if meter is None:
            rows.reject(
                PROVIDER, listing, "NOT_A_MEASURED_METER", f"sku {name} is {str(amount)[:80]!r}"
            )
        elif unit != "1M tokens":
            rows.reject(PROVIDER, listing, "UNKNOWN_UNIT", f"sku {name}: unit {str(unit)[:80]!r}")
        else:
            figure = amount if is_name(amount) else None
            rows.price(PROVIDER, listing, meter, f"sku {name}: amount", figure)
    for meter in ("IN", "OUT"):
        if meter not in told:
            rows.reject(PROVIDER, listing, "PRICE_MISSING", f"no sku for {meter}")


SOURCE = Source(
    id="fireworks",
    kind="tokens",
    url="https://api.fireworks.ai/v1/serverless/models",
    parse=parse,
    requests=requests,
    tier="E3",
    code_licence="none (an API response)",
    data_right="prices are facts; no licence stated for this endpoint",
    terms=(
        "Read with the operator's own key; no licence for reuse is stated; the terms of service "
        "were not at hand. Shape read 2026-11-21 from stored readers of the address."
    ),
    auth_env="FIREWORKS_API_KEY",
    path="fireworks",
)
