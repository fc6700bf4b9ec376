"""Hyperstack (NexGen Cloud): its price book, and what is in stock.

Address: ``https://infrahub-api.nexgencloud.com/v1`` + ``/pricebook`` and ``/core/stocks``, key in
``HYPERSTACK_API_KEY``, sent as ``api_key`` (docs.hyperstack.cloud, "Retrieve pricebook" and
"Retrieve GPU stock", read 2026-11-21). Terms not read: confirm before going live. Tier E3.
Unproven: the documented examples are at hand, no body.

Field map of the price book (a bare list):

==================  ================================================================================
name                the resource. GPUs are told by the beginning of their name (:data:`GPUS`); the
                    others are vCPUs, memory, storage, addresses. The end ``-spot`` marks the
                    interruptible price, and is no part of the listing id
value               USD per GPU-hour **of this account**; CPU, memory and local disk are included
original_value      the same before a discount
discount_applied    true, or ``value`` other than ``original_value``: this account pays something
                    that others do not. No list price: refused as PRICE_VARIANT
start_time,         validity of the price, null for none: effective_from and effective_to. A time
end_time            that states no zone is not used, and the row is refused
id                  unused
==================  ================================================================================

Field map of the stock (``stocks[].models[]``):

==================  ================================================================================
region, model       subject: ``model|region``
configurations      how many machines of 1, 2, 4, 8 GPUs could be started: **the same GPUs each
                    time**, so they are never summed. ``1x`` is the number of GPUs: gpus_available
available           a floor such as "200+": unused
planned_...         unused
==================  ================================================================================
"""

from __future__ import annotations

import re
from collections.abc import Generator
from datetime import datetime, timedelta
from typing import Any

from collectors.base import Auth, Capture, Parsed, Request, Source
from collectors.gpus.listed import Offers, joined, name, objects, price_reason, whole
from collectors.rows import load_json, shape_error
from collectors.times import utc_moment
from methodology.errors import ParseError
from methodology.units import exact

ID = "hyperstack"
URL = "https://infrahub-api.nexgencloud.com/v1"
PROVIDER = "hyperstack"
SPOT = "-spot"

GPUS = re.compile(
    r"(?:A100|A40|A6000|B200|B300|GB200|GB300|GH200|H100|H200|L4|L40|L40S|RTX)(?:-|$)"
)
"""How the name of a GPU begins."""


def requests(base_url: str) -> Generator[Request, Capture, None]:
    """Yield the price book, then the stock; the fetcher adds the key itself."""
    yield Request(url=f"{base_url.rstrip('/')}/pricebook")
    yield Request(url=f"{base_url.rstrip('/')}/core/stocks")


def parse(capture: Capture) -> Parsed:
    """Return the quotes of a price book, or the volumes of a stock, and rejections, in body order.

    Quotes: the name without ``-spot``, USD ``per_gpu_hour``, tenor ``on_demand`` or ``spot``,
    tier E3. Volumes: ``gpus_available`` per ``model|region``.

    Rejections: ``NOT_GPU``, ``PRICE_VARIANT``, ``BAD_DATE``, ``ZERO_PRICE``, ``NEGATIVE_PRICE``,
    ``NOT_A_NUMBER``, ``PRICE_MISSING``, ``NOT_A_COUNT``, ``MALFORMED_ROW``.

    Raises:
        ParseError: ``NOT_JSON``, ``SHAPE``, or ``EMPTY`` for a price book without a row.
    """
    body = load_json(capture)
    rows = Offers(capture, "per_gpu_hour", "E3")
    if isinstance(body, list):
        if not body:
            raise ParseError(capture.source, "EMPTY", f"{capture.url}: the price book is empty")
        for item in objects(rows, PROVIDER, "the price book", body):
            _price(rows, item)
    elif isinstance(body, dict) and isinstance(body.get("stocks"), list):
        for stock in objects(rows, PROVIDER, "stocks", body["stocks"]):
            _stock(rows, stock)
    else:
        raise shape_error(capture, "expected a list (price book) or an object with stocks (list)")
    return rows.parsed()


def _price(rows: Offers, item: dict[str, Any]) -> None:
    said = name(item.get("name"))
    if said is None:
        rows.reject(PROVIDER, "", "MALFORMED_ROW", f"name is {str(item.get('name'))[:60]!r}")
        return
    if not GPUS.match(said):
        rows.reject(PROVIDER, said, "NOT_GPU", f"value {str(item.get('value'))[:40]}")
        return
    listing = said.removesuffix(SPOT)
    value, original = item.get("value"), item.get("original_value")
    if item.get("discount_applied") is not False or _differ(value, original):
        told = f"discount_applied {item.get('discount_applied')}, value {value} of {original}"
        rows.reject(PROVIDER, listing, "PRICE_VARIANT", told)
        return
    times: list[datetime | None] = []
    for field in ("start_time", "end_time"):
        times.append(None if item.get(field) is None else utc_moment(item[field]))
        if times[-1] is None and item.get(field) is not None:
            rows.reject(PROVIDER, listing, "BAD_DATE", f"{field} is {str(item[field])[:40]!r}")
            return
    rows.gpu(
        PROVIDER,
        listing,
        "value",
        value,
        tenor="spot" if said.endswith(SPOT) else "on_demand",
        effective_from=times[0],
        effective_to=times[1],
        is_official_date=times[0] is not None,
    )


def _differ(value: Any, original: Any) -> bool:
    if original is None or price_reason(value) or price_reason(original):
        return False
    return exact(value) != exact(original)


def _stock(rows: Offers, stock: dict[str, Any]) -> None:
    region, models = name(stock.get("region")), stock.get("models")
    if region is None or not isinstance(models, list):
        rows.reject(PROVIDER, "", "MALFORMED_ROW", f"stocks: region {stock.get('region')!r}")
        return
    for item in objects(rows, PROVIDER, "models", models):
        sizes = item.get("configurations")
        free = whole(sizes.get("1x"), 10**6) if isinstance(sizes, dict) else None
        subject = joined(name(item.get("model")), region)
        if free is None or not name(item.get("model")):
            told = f"model {item.get('model')!r}, configurations {str(sizes)[:80]}"
            rows.reject(PROVIDER, subject, "NOT_A_COUNT", told)
        else:
            rows.stock(subject, "gpus_available", free)


SOURCE = Source(
    id=ID,
    kind="gpus",
    url=URL,
    parse=parse,
    requests=requests,
    tier="E3",
    code_licence="none: no code is used",
    data_right="prices are facts, quoted with source and date",
    terms="Key required; terms not read: confirm before going live (2026-11-21)",
    auth_env="HYPERSTACK_API_KEY",
    auth=Auth("api_key", ""),
    every=timedelta(minutes=50),
)
