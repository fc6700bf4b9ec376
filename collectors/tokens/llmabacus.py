"""LLM Abacus: what Chinese vendors charge in yuan, copied from their own price pages.

``https://www.llmabacus.com/api/prices``, no key. The data set is under CC BY 4.0 and asks for the
words "LLM Abacus, https://llmabacus.com" with a link (README of the publisher's repository
szp2005/llm-prices-cn, read 2026-11-21). Evidence tier E4: one person's copy of price pages.
At hand: twelve whole files of 2026-07-07 to 08-22 from that repository, which names the address
above as the same data; an answer of the address itself has not been recorded.

Column map:

* ``vendor_id``: provider; ``id``: listing_id. Names, tags, limits and scores: ignored.
* ``pricing_unit`` must be ``per_million_tokens``.
* ``billing_currency``: CNY or USD, the currency of the vendor's own list. Only CNY is what this
  source is for: a USD row is refused (``OTHER_CURRENCY``), and its yuan are a conversion at
  ``usd_to_cny_rate``, which nobody posted.
* ``input_price_cny_per_m`` IN, ``output_price_cny_per_m`` OUT, ``cached_input_price_cny_per_m``
  CIN. In a CNY row ``*_orig_per_m`` repeats the figure, and the first layout had a converted
  ``*_usd_per_m``. Where the original differs from the yuan, or dollars equal them, one of the two
  labels is wrong and the figure is refused (``CONVERTED_CURRENCY``).
* ``price_tiers``: brackets by the length of the request, ``up_to_input_tokens`` ascending. The
  base figure is that of the first. A bound decides nothing here, only the order does: another
  catalogue turned 32,000 tokens into 0.032 of a million, and a price must not move with that.
* ``retired``: the vendor sells it no more; ``withdrawn``.
* ``last_checked`` stood at 2026-06-05 while ``last_updated`` went on: neither dates a price.

DeepSeek bills its V4 models by the hour of the day since 2026-08-16 16:00 UTC (its price page).
The file has one figure for them: 1.5 of V4 Flash on 08-17, which is the price outside peak hours,
3 from 08-21 on, which is the peak price. No price changed on 08-21. One figure cannot say both,
and it does not say which: refused as ``CONDITIONAL_TARIFF`` (:data:`BY_THE_HOUR`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from collectors import strict
from collectors.base import Capture, Parsed, Source, not_empty, single_get
from collectors.rows import Rows, is_name, load_json, problem, shape_error
from collectors.tokens.clashes import without_clashes
from methodology.units import exact

METERS = {"input": "IN", "output": "OUT", "cached_input": "CIN"}
UNIT = "per_million_tokens"

BY_THE_HOUR = {
    "deepseek-v4-flash": datetime(2026, 8, 16, 16),
    "deepseek-v4-pro": datetime(2026, 8, 16, 16),
}
"""Listings with hours of a higher price, and since when (UTC), which the file cannot say."""


def parse(capture: Capture) -> Parsed:
    """Return one quote per CNY listing and meter, CNY per Mtok, no dates.

    Rejections: ``OTHER_CURRENCY`` once per listing of another currency; ``CONVERTED_CURRENCY``,
    ``CONDITIONAL_TARIFF``, ``PRICE_MISSING``, ``FREE_OFFER``, ``NEGATIVE_PRICE`` and
    ``NOT_A_NUMBER`` per figure, with a row ``unknown``; ``CONTEXT_BRACKET`` per higher bracket, and
    for a base figure that is not that of the first bracket; ``DUPLICATE_LISTING``,
    ``AMBIGUOUS_LISTING``.

    Raises:
        ParseError: ``NOT_JSON``, or ``SHAPE`` when it is no list of models or another unit.
    """
    body = load_json(capture)
    models = body.get("models") if isinstance(body, dict) else None
    if not isinstance(models, list) or not models:
        raise shape_error(capture, "no list of models")
    if body.get("pricing_unit") != UNIT:
        raise shape_error(capture, f"pricing_unit is {body.get('pricing_unit')!r}, not {UNIT}")
    rows = Rows(capture, "per_mtok", currency="CNY")
    for model in models:
        named = model if isinstance(model, dict) else {}
        vendor, listing = named.get("vendor_id"), named.get("id")
        if not is_name(vendor) or not is_name(listing):
            raise shape_error(capture, f"a model of vendor {vendor!r} with id {listing!r}")
        currency = named.get("billing_currency")
        if currency != "CNY":
            rows.reject(vendor, listing, "OTHER_CURRENCY", f"billing_currency is {currency!r}")
        else:
            _listing(rows, (vendor, listing), named)
    return not_empty(capture, without_clashes(capture, rows))


def _listing(rows: Rows, seller: tuple[str, str], model: Mapping[str, Any]) -> None:
    tiers = model.get("price_tiers")
    tiers = [tier for tier in tiers if isinstance(tier, dict)] if isinstance(tiers, list) else []
    since = BY_THE_HOUR.get(seller[1])
    for name, meter in METERS.items():
        field = f"{name}_price_cny_per_m"
        value = model.get(field)
        if value is None and meter == "CIN":
            continue
        figure = value if isinstance(value, strict.Number) else None
        base = tiers[0].get(field) if tiers else value
        if model.get("retired") is True:
            rows.quote(*seller, meter, None, status="withdrawn")
            continue
        wrong = _mislabelled(name, model, figure)
        if value is None:
            refusal = ("PRICE_MISSING", f"{field} is null")
        elif since is not None and rows.observed_at >= since:
            refusal = ("CONDITIONAL_TARIFF", f"{field} is {value} of hours it does not name")
        elif wrong:
            refusal = ("CONVERTED_CURRENCY", wrong)
        elif base != value:
            refusal = ("CONTEXT_BRACKET", f"{field} is {value}, the first bracket has {base}")
        else:
            rows.price_or_unknown(*seller, meter, field, figure)
            continue
        rows.reject(*seller, *refusal)
        rows.quote(*seller, meter, None, status="unknown")
    for tier in tiers[1:]:
        bound = tier.get("up_to_input_tokens")
        told = f"up to {bound} tokens: {tier.get('input_price_cny_per_m')} and "
        rows.reject(*seller, "CONTEXT_BRACKET", f"{told}{tier.get('output_price_cny_per_m')}")


def _mislabelled(name: str, model: Mapping[str, Any], yuan: str | None) -> str | None:
    """Return what contradicts the label CNY of a figure, or None."""
    if yuan is None or problem(yuan):
        return None
    for field, must_equal in (
        (f"{name}_price_orig_per_m", True),
        (f"{name}_price_usd_per_m", False),
    ):
        other = model.get(field)
        if not isinstance(other, strict.Number) or problem(other):
            continue
        if (exact(other) == exact(yuan)) is not must_equal:
            return f"{name}_price_cny_per_m is {yuan} and {field} is {other}"
    return None


SOURCE = Source(
    id="llmabacus",
    kind="tokens",
    url="https://www.llmabacus.com/api/prices",
    parse=parse,
    requests=single_get,
    tier="E4",
    code_licence="CC-BY-4.0",
    data_right="CC BY 4.0: LLM Abacus, https://llmabacus.com",
    terms="CC BY 4.0 with a link to llmabacus.com; no terms page was at hand; read 2026-11-21",
    currencies=("CNY",),
    every=timedelta(hours=20),
)
