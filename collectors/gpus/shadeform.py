"""Shadeform: machines of many clouds through one broker, in cents, with where they can be had.

Address: ``https://api.shadeform.ai/v1/instances/types``, key in ``SHADEFORM_API_KEY``, sent as
``X-API-KEY`` (docs.shadeform.ai, "Quickstart" and "/instances/types", read 2026-11-21 in stored
copies). **Off unless the operator holds a licence**: see ``switch``. A broker: its rows are mirrors
of what clouds charge through it, tier E4. Unproven: the documented example is at hand.

Field map (one object of ``instance_types``):

===========================  =======================================================================
cloud                        the seller, as the broker spells it: provider
shade_instance_type          the broker's name of the machine, the same across clouds; with
                             ``cloud_instance_type``, the seller's own, the listing id
hourly_price                 **cents** per machine and hour, a whole number: 57 is 0.57. The
                             currency is not in the body; the broker bills in USD (pinned on review)
configuration.num_gpus       GPUs of the machine; ``num_gpus`` beside it repeats it and must agree
configuration.interconnect   "pcie", "sxm4", ...: read by the reviewed mapping through the type
availability[]               ``region`` and ``available``: one quote for each region where it can be
                             had now, a rejection for each where it cannot
deployment_type              "container" is no machine: refused; "vm" and "baremetal" are
===========================  =======================================================================
"""

from __future__ import annotations

from collections.abc import Generator
from datetime import timedelta
from typing import Any

from collectors.base import Auth, Capture, Parsed, Request, Source, single_get
from collectors.gpus.listed import Offers, gpus, joined, name, objects
from collectors.rows import load_json, shape_error
from methodology.errors import ParseError

ID = "shadeform"
URL = "https://api.shadeform.ai/v1/instances/types"
MACHINES = (None, "vm", "baremetal")
"""Kinds of deployment that are machines; null where the body does not say."""


def requests(base_url: str) -> Generator[Request, Capture, None]:
    """Yield the one GET; the fetcher adds the key itself."""
    yield from single_get(base_url)


def parse(capture: Capture) -> Parsed:
    """Return one quote or rejection per machine and region, and in how many it can be had.

    Quotes: the cloud as spelled, ``shade_instance_type|cloud_instance_type``, USD
    ``cents_per_instance_hour`` with ``gpu_count``, tier E4. Volumes: ``regions_available`` per
    ``cloud|shade_instance_type|cloud_instance_type``.

    Rejections: ``PRICE_NOT_OFFERED``, ``GPU_COUNT_UNKNOWN`` (also when two counts contradict),
    ``NOT_A_MACHINE``, ``ZERO_PRICE``, ``NEGATIVE_PRICE``, ``NOT_A_NUMBER``, ``PRICE_MISSING``,
    ``MALFORMED_ROW``.

    Raises:
        ParseError: ``NOT_JSON``, ``SHAPE`` or ``EMPTY``.
    """
    body = load_json(capture)
    types = body.get("instance_types") if isinstance(body, dict) else None
    if not isinstance(types, list):
        raise shape_error(capture, "expected an object with instance_types (list)")
    if not types:
        raise ParseError(capture.source, "EMPTY", f"{capture.url}: instance_types is empty")
    rows = Offers(capture, "cents_per_instance_hour", "E4")
    for item in objects(rows, "", "instance_types", types):
        _machine(rows, item)
    return rows.parsed()


def _machine(rows: Offers, item: dict[str, Any]) -> None:
    cloud, kind = name(item.get("cloud")), name(item.get("shade_instance_type"))
    shape, places = item.get("configuration"), item.get("availability")
    if cloud is None or kind is None or not isinstance(shape, dict) or not isinstance(places, list):
        detail = f"cloud {item.get('cloud')!r}, shade_instance_type, configuration, availability"
        rows.reject(cloud or "", kind or "", "MALFORMED_ROW", f"{detail}: one is missing")
        return
    listing = joined(kind, name(item.get("cloud_instance_type")))
    if item.get("deployment_type") not in MACHINES:
        told = f"deployment_type is {str(item['deployment_type'])[:40]!r}"
        rows.reject(cloud, listing, "NOT_A_MACHINE", told)
        return
    count = gpus(shape.get("num_gpus"))
    if count is None or item.get("num_gpus", shape["num_gpus"]) != shape["num_gpus"]:
        told = f"configuration.num_gpus {shape.get('num_gpus')!r}, num_gpus {item.get('num_gpus')}"
        rows.reject(cloud, listing, "GPU_COUNT_UNKNOWN", told)
        return
    had = 0
    for place in objects(rows, cloud, "availability", places):
        region, is_there = name(place.get("region")), place.get("available")
        if region is None or not isinstance(is_there, bool):
            rows.reject(cloud, listing, "MALFORMED_ROW", f"availability {str(place)[:120]}")
        elif not is_there:
            rows.reject(cloud, listing, "PRICE_NOT_OFFERED", f"available is false in {region}")
        else:
            had += 1
            price = item.get("hourly_price")
            rows.gpu(cloud, listing, "hourly_price", price, region=region, gpu_count=count)
    rows.stock(joined(cloud, listing), "regions_available", had)


SOURCE = Source(
    id=ID,
    kind="gpus",
    url=URL,
    parse=parse,
    requests=requests,
    tier="E4",
    code_licence="none: no code is used",
    data_right="none",
    terms="Terms of service, shadeform.ai/terms-of-service: see switch (read 2026-11-21)",
    switch=(
        "shadeform.ai/terms-of-service, read 2026-11-21 as others sum them up (state of "
        "2026-09-06): no systematic compilation of a database and no automated access without "
        "permission; a key for ordinary use is none"
    ),
    auth_env="SHADEFORM_API_KEY",
    auth=Auth("X-API-KEY", ""),
    every=timedelta(minutes=50),
)
