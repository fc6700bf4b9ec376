"""Runpod: prices per GPU-hour of its secure and community clouds, and the state of its stock.

Address: ``POST https://api.runpod.io/graphql``, a GraphQL query as JSON; the documentation asks for
a key in ``RUNPOD_API_KEY`` (docs.runpod.io, "GraphQL API" and "List GPU types", read 2026-11-21 in
stored copies). **Off unless the operator holds a licence**: see ``switch``. Tier E3.

At hand: one whole answer of 2026-07-18 (49 GPU types, without the two spot prices, which that query
did not ask for), and trimmed answers about CPU machines. So the source is proven for the secure and
community prices.

Field map (one object of ``data.gpuTypes``):

=======================  ===========================================================================
id                       the GPU type; with the tier the listing id: ``NVIDIA H200|secure``
displayName              says the form factor where the id does not ("NVIDIA H100 80GB HBM3" is
                         "H100 SXM", "NVIDIA H200" is "H200 SXM"): read by the reviewed mapping
memoryInGb               143 for the H200 NVL is its 141 GB as a driver prints them; unused
secureCloud,             whether the tier is offered. Where it is false the price beside it is a
communityCloud           placeholder: 0.5 for a B300's or a GTX 1050's alike, or zero. Refused as
                         PRICE_NOT_OFFERED, whatever stands there
securePrice              USD per GPU-hour in partner data centres: tenor on_demand
communityPrice           the same on machines of private hosts: tenor community
secureSpotPrice,         the same, interruptible: tenors spot and community (a community offer is
communitySpotPrice       never spot, rulebook 2.9); absent in answers that were not asked for them
lowestPrice              what a *pod* costs that the query names: 21.52 beside a price of 2.69 is a
                         pod of 8. How many GPUs it has is not in the answer: refused as
                         GPU_COUNT_UNKNOWN. Its ``stockStatus`` (High, Medium, Low, null for no
                         pod of that size) is the stock band
=======================  ===========================================================================

Serverless workers are sold by the second of a request and are not asked for; an answer about CPU
machines (``data.cpuFlavors``, with ``slsPrice``) is refused row by row as NOT_GPU. A slice of a GPU
("MIG") is refused as PARTIAL_GPU.
"""

from __future__ import annotations

import json
from collections.abc import Generator
from datetime import timedelta
from typing import Any

from collectors.base import Capture, Parsed, Request, Source
from collectors.gpus.listed import Offers, name, objects
from collectors.rows import load_json, shape_error
from methodology.errors import ParseError

ID = "runpod"
URL = "https://api.runpod.io/graphql"
PROVIDER = "runpod"

QUERY = (
    "query Prices { gpuTypes { id displayName memoryInGb secureCloud communityCloud "
    "securePrice communityPrice secureSpotPrice communitySpotPrice "
    "lowestPrice(input: {gpuCount: 1}) "
    "{ stockStatus uninterruptablePrice minimumBidPrice } } }"
)

PRICES = (
    ("securePrice", "secureCloud", "secure", "on_demand"),
    ("communityPrice", "communityCloud", "community", "community"),
    ("secureSpotPrice", "secureCloud", "secure-spot", "spot"),
    ("communitySpotPrice", "communityCloud", "community-spot", "community"),
)
"""Field of the price, flag that it is offered, tier in the listing id, tenor."""

POD_PRICES = ("uninterruptablePrice", "minimumBidPrice")


def requests(base_url: str) -> Generator[Request, Capture, None]:
    """Yield the one query."""
    yield Request(
        url=base_url,
        method="POST",
        headers={"Content-Type": "application/json"},
        body=json.dumps({"query": QUERY}).encode(),
    )


def parse(capture: Capture) -> Parsed:
    """Return a quote or rejection per price of each GPU type, and its stock, in body order.

    Quotes: listing ``id|secure``, ``id|community``, ``id|secure-spot`` or ``id|community-spot``,
    USD ``per_gpu_hour``, tenor as :data:`PRICES`, tier E3. Volumes: ``stock_band`` per id that some
    tier offers; null is 0.

    Rejections: ``PRICE_NOT_OFFERED``, ``ZERO_PRICE``, ``PRICE_MISSING``, ``NEGATIVE_PRICE``,
    ``NOT_A_NUMBER``, ``GPU_COUNT_UNKNOWN``, ``NOT_GPU``, ``PARTIAL_GPU``, ``NOT_A_COUNT``,
    ``MALFORMED_ROW``.

    Raises:
        ParseError: ``NOT_JSON``; ``SHAPE``; ``GRAPHQL`` when the answer has errors and no data;
            ``EMPTY`` without a GPU type.
    """
    body = load_json(capture)
    data = body.get("data") if isinstance(body, dict) else None
    if not isinstance(data, dict):
        errors = body.get("errors") if isinstance(body, dict) else None
        if errors:
            raise ParseError(
                capture.source, "GRAPHQL", f"{capture.url}: {str(errors)[:300]}; mend the query"
            )
        raise shape_error(capture, "expected an object with data (object)")
    rows = Offers(capture, "per_gpu_hour", "E3")
    flavors = data.get("cpuFlavors")
    for flavor in objects(rows, PROVIDER, "cpuFlavors", flavors or []):
        rows.reject(PROVIDER, str(flavor.get("id", "")), "NOT_GPU", "a machine of cpuFlavors")
    types = data.get("gpuTypes")
    if not isinstance(types, list):
        if isinstance(flavors, list):
            return rows.parsed()
        raise shape_error(capture, "data has no gpuTypes (list)")
    if not types:
        raise ParseError(capture.source, "EMPTY", f"{capture.url}: gpuTypes is empty")
    for item in objects(rows, PROVIDER, "gpuTypes", types):
        _type(rows, item)
    return rows.parsed()


def _type(rows: Offers, item: dict[str, Any]) -> None:
    gpu = name(item.get("id"))
    flags = [item.get("secureCloud"), item.get("communityCloud")]
    if gpu is None or any(not isinstance(flag, bool) for flag in flags):
        detail = f"id {item.get('id')!r}, secureCloud and communityCloud {flags}"
        rows.reject(PROVIDER, gpu or "", "MALFORMED_ROW", detail)
        return
    if " MIG " in gpu:
        rows.reject(PROVIDER, gpu, "PARTIAL_GPU", "id says MIG: a slice of a GPU")
        return
    for field, flag, tier, tenor in PRICES:
        if field not in item:
            continue
        if item[flag] is not True:
            detail = f"{flag} is false; {field} {str(item[field])[:40]} is a placeholder"
            rows.reject(PROVIDER, f"{gpu}|{tier}", "PRICE_NOT_OFFERED", detail)
            continue
        rows.gpu(PROVIDER, f"{gpu}|{tier}", field, item[field], tenor=tenor)
    _pod(rows, gpu, item.get("lowestPrice"), any(flags))


def _pod(rows: Offers, gpu: str, pod: Any, is_offered: bool) -> None:
    if pod is None:
        return
    if not isinstance(pod, dict):
        rows.reject(PROVIDER, gpu, "MALFORMED_ROW", "lowestPrice is no object")
        return
    for field in POD_PRICES:
        if pod.get(field) is not None:
            detail = f"lowestPrice.{field} {str(pod[field])[:40]} is of a pod of unstated size"
            rows.reject(PROVIDER, f"{gpu}|pod", "GPU_COUNT_UNKNOWN", detail)
    if not is_offered or "stockStatus" not in pod:
        return
    if pod["stockStatus"] is None:
        rows.stock(gpu, "stock_band", 0)
    else:
        rows.band(PROVIDER, gpu, "lowestPrice.stockStatus", pod["stockStatus"])


SOURCE = Source(
    id=ID,
    kind="gpus",
    url=URL,
    parse=parse,
    requests=requests,
    tier="E3",
    code_licence="none: no code is used",
    data_right="none",
    terms="Terms of service of 2026-03-24, runpod.io/legal/terms-of-service: see switch",
    switch=(
        "runpod.io/legal/terms-of-service of 2026-03-24, read 2026-11-21 as others quote them, "
        "prohibited activities, for the site and its subdomains: 'Systematically retrieve data or "
        "other content from the Site to create or compile, directly or indirectly, a collection, "
        "compilation, database, or directory without written permission from us.'"
    ),
    auth_env="RUNPOD_API_KEY",
    every=timedelta(minutes=50),
)
