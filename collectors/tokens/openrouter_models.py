"""OpenRouter's model list: the router's headline price of every model it sells.

Address: ``https://openrouter.ai/api/v1/models``, no key. Tier E4, and the headline is **not a list
price**: it follows whichever host the router shows first at the moment. It serves as history, as a
cross-check, and for the router's own time-of-use tariffs. The hosts of one model are in
``openrouter_endpoints``.

Column map (``GET /api/v1/models``; bodies of 2024-09-21 to 2026-08-22):

* ``id``: listing_id, provider is always ``openrouter``. ``…:free`` and ``…:batch`` are other
  goods; ``~vendor/name-latest`` is an alias whose target changes under a fixed id: all refused.
  ``canonical_slug``, ``created``, ``context_length`` and the rest describe the model: ignored.
* ``pricing``: USD per token as decimal strings. ``prompt`` IN, ``completion`` OUT,
  ``input_cache_read`` CIN; every other key is a meter that is not measured, and is counted.
  ``"-1"`` means the price is decided per request: ``DYNAMIC_PRICE``. Zero is no price.
* ``pricing.overrides`` (since 2026-07-14): prices under a condition. ``min_prompt_tokens`` is a
  context bracket: counted, not quoted. ``utc_start``/``utc_end`` (since 2026-08-17) are HHMM
  integers of a daily UTC window, the end exclusive, wrapping midnight: quoted with the window.
  The price outside any window is the plain one; in the bodies seen the windows fill the day. An
  override by other words of time (days of the week, a date) takes the plain price of its meters
  with it: half a tariff is not a price (rulebook 4.4).
* top level ``links``, ``total_count`` (since 2026-07-14): a page that links a next one is not
  the whole list, and is refused.
"""

from __future__ import annotations

import re
from typing import Any

from collectors.base import Capture, Parsed, Source, single_get
from collectors.rows import Rows, is_name, load_json, problem, shape_error
from collectors.tokens.clashes import without_clashes

PROVIDER = "openrouter"
METERS = {"prompt": "IN", "completion": "OUT", "input_cache_read": "CIN"}

_WINDOW = {"utc_start", "utc_end"}
_OF_TIME = re.compile(r"utc|zone|time|hour|day|week|month|date|from|until|start|end")
_PRICED = {
    "audio",
    "audio_output",
    "image",
    "image_output",
    "image_token",
    "input_audio_cache",
    "input_cache_write",
    "input_cache_write_1h",
    "internal_reasoning",
    "request",
    "web_search",
    *METERS,
}
"""Keys of an override that are prices; any other key is a condition."""

_ABOUT_PRICES = {"overrides", "discount", "display_pricing"}
"""Keys of ``pricing`` that are no price of their own."""


def parse(capture: Capture) -> Parsed:
    """Return one quote per model and meter, and one more per meter and tariff window.

    Quotes are USD per token, no effective date. Each key of each ``pricing`` object that holds a
    price is a quote or a rejection; a listing that is not our good (``FREE_VARIANT``,
    ``BATCH_VARIANT``, ``MOVING_ALIAS``) is one rejection; so is each override that is not a
    tariff window (``CONTEXT_BRACKET``, ``UNKNOWN_CONDITION``, ``BAD_WINDOW``), and each figure
    beside an override whose time is not understood (``CONDITIONAL_TARIFF``).

    Raises:
        ParseError: ``NOT_JSON``, or ``SHAPE`` when there is no list of models or only a part.
    """
    body = load_json(capture)
    models = body.get("data") if isinstance(body, dict) else None
    if not isinstance(models, list) or not models:
        raise shape_error(capture, "no list of models under 'data'")
    links = body.get("links")
    if isinstance(links, dict) and links.get("next"):
        raise shape_error(capture, "the list is one page of several ('links.next' is set)")
    rows = Rows(capture, "per_token")
    for model in models:
        listing = model.get("id") if isinstance(model, dict) else None
        pricing = model.get("pricing") if isinstance(model, dict) else None
        if not is_name(listing) or not isinstance(pricing, dict):
            raise shape_error(capture, f"model {listing!r} without an id or pricing")
        refused = variant_reason(listing)
        if refused:
            rows.reject(PROVIDER, listing, refused, f"id {listing!r}")
        else:
            pricing_rows(rows, PROVIDER, listing, pricing)
    return without_clashes(capture, rows)


def variant_reason(model_id: str) -> str | None:
    """Return why a model id of this router names another good than its plain model, or None."""
    if model_id.startswith("~"):
        return "MOVING_ALIAS"
    variant = model_id.partition(":")[2]
    return {"free": "FREE_VARIANT", "batch": "BATCH_VARIANT"}.get(variant)


def pricing_rows(
    rows: Rows, provider: str, listing: str, pricing: dict[str, Any], region: str | None = None
) -> None:
    """Add the rows of one ``pricing`` object; shared with the list of endpoints."""
    overrides = pricing.get("overrides")
    overrides = overrides if isinstance(overrides, list) else []
    unread = {name for override in overrides for name in _unread(override) if name in METERS}
    for field, value in pricing.items():
        if field in unread:
            told = f"{field} is {value!r:.80} outside hours that are not understood"
            rows.reject(provider, listing, "CONDITIONAL_TARIFF", told)
        elif field not in _ABOUT_PRICES:
            _price(rows, provider, listing, field, value, region, None)
    for override in overrides:
        _override(rows, provider, listing, override, region, unread)


def _unread(override: Any) -> set[str]:
    """Return the prices of an override whose time is not understood; none where it is."""
    keys = set(override) if isinstance(override, dict) else set()
    conditions = keys - _PRICED
    if "min_prompt_tokens" in conditions or not any(map(_OF_TIME.search, conditions)):
        return set()
    try:
        is_window = conditions == _WINDOW and bool(_window(override))
    except ValueError:
        is_window = False
    return set() if is_window else keys & _PRICED


def _window(override: dict[str, Any]) -> tuple[int, int]:
    window = (hhmm(override["utc_start"]), hhmm(override["utc_end"]))
    if window[0] == window[1]:
        raise ValueError("it begins when it ends")
    return window


def _override(
    rows: Rows,
    provider: str,
    listing: str,
    override: Any,
    region: str | None,
    unread: set[str],
) -> None:
    keys = set(override) if isinstance(override, dict) else set()
    conditions = keys - _PRICED
    if "min_prompt_tokens" in conditions:
        told = f"overrides from {override['min_prompt_tokens']} prompt tokens"
        rows.reject(provider, listing, "CONTEXT_BRACKET", told)
        return
    if conditions != _WINDOW:
        rows.reject(provider, listing, "UNKNOWN_CONDITION", f"override {override!r}")
        return
    try:
        window = _window(override)
    except ValueError as error:
        rows.reject(provider, listing, "BAD_WINDOW", f"override {override!r}: {error}")
        return
    for field in sorted(keys - _WINDOW):
        if field in unread:
            told = f"{field} is {override[field]!r:.80} beside hours that are not understood"
            rows.reject(provider, listing, "CONDITIONAL_TARIFF", told)
            continue
        _price(rows, provider, listing, field, override[field], region, window)


def hhmm(value: object) -> int:
    """Return the minute of the day of an HHMM integer; 2400 is midnight, 0.

    Raises:
        ValueError: not four digits of a time of day.
    """
    text = str(value)
    if not isinstance(value, str) or not text.isascii() or not text.isdigit() or len(text) > 4:
        raise ValueError(f"{value!r} is not HHMM")
    hour, minute = divmod(int(text), 100)
    if minute > 59 or hour * 60 + minute > 1440:
        raise ValueError(f"{value!r} is no time of day")
    return (hour * 60 + minute) % 1440


def _price(
    rows: Rows,
    provider: str,
    listing: str,
    field: str,
    value: Any,
    region: str | None,
    window: tuple[int, int] | None,
) -> None:
    meter = METERS.get(field)
    text = str(value)[:80]
    if meter is None:
        rows.reject(provider, listing, "NOT_A_MEASURED_METER", f"{field} is {text!r}")
        return
    reason = problem(text) if isinstance(value, str) else "NOT_A_NUMBER"
    if reason:
        reason = "DYNAMIC_PRICE" if text == "-1" else reason
        rows.reject(provider, listing, reason, f"{field} is {text!r}")
        return
    rows.quote(provider, listing, meter, text, region=region, window=window)


SOURCE = Source(
    id="openrouter_models",
    kind="tokens",
    url="https://openrouter.ai/api/v1/models",
    parse=parse,
    requests=single_get,
    tier="E4",
    code_licence="none (an API response)",
    data_right="prices are facts; no licence stated for this endpoint",
    terms=(
        "Public, documented, no key; no licence for reuse is stated, so its rows stay a mirror and "
        "a cross-check. The headline is the price of the host shown, not a list price. "
        "Read 2026-11-20 from stored documentation."
    ),
)
