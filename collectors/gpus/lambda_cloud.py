"""Lambda: instance types, their price in cents and the regions that have some.

Address: ``https://cloud.lambda.ai/api/v1/instance-types`` with a key in ``LAMBDA_API_KEY`` (Lambda
Cloud API 1.10.0, "List available instance types", read 2026-11-21 from a stored copy of its OpenAPI
file; the older host ``cloud.lambdalabs.com`` is named by older clients). The key goes as Bearer,
or as the user of HTTP Basic; Bearer is used. One request a second is allowed. At hand: no body,
only the documented shape and public tests that follow it. Unproven. Terms of use: not read
(2026-11-21).

Field map (``data``: name of the type to its object):

================================  ==================================================================
name                              the listing: ``gpu_8x_h100_sxm5``; must not contradict its key or
                                  the number of GPUs. ``gpu_8x_a100`` is of 40 GB, ``..._80gb_sxm4``
                                  of 80: the name alone tells them apart
instance_type.specs.gpus          GPUs of the instance; 0 is a machine without
price_cents_per_hour              *cents* per *instance* and hour: 3192 is 31.92 USD for eight
gpu_description                   "H100 (80 GB SXM5)": for the reviewed mapping, unused here
regions_with_capacity_available   where one can be launched now; their number is
                                  ``regions_available``. None: the list price stands, and the
                                  machine cannot be had
================================  ==================================================================
"""

from __future__ import annotations

import re
from collections.abc import Generator
from datetime import timedelta
from typing import Any

from collectors import strict
from collectors.base import Capture, Parsed, Request, Source, single_get
from collectors.gpus import machines
from collectors.gpus.machines import Sheet
from collectors.rows import load_json, shape_error
from methodology.errors import PriceError

ID = "lambda_cloud"
URL = "https://cloud.lambda.ai/api/v1/instance-types"
PROVIDER = "lambda"

CAPACITY = "regions_with_capacity_available"

_NAME = re.compile(r"^gpu_([0-9]{1,2})x_")


def requests(base_url: str) -> Generator[Request, Capture, None]:
    """Yield the one GET; the fetcher adds the key."""
    yield from single_get(base_url)


def _number_of(offer: dict[str, Any]) -> strict.Number | None:
    """Return how many regions have some now, None when the body does not say."""
    if CAPACITY not in offer:
        return None
    regions = machines.rows_of(offer, CAPACITY)
    return strict.Number(len({machines.text(region, "name") for region in regions}))


def parse(capture: Capture) -> Parsed:
    """Return one quote and one count per GPU type, one rejection per other type, in body order.

    Quotes: ``listing_id`` the name, unit ``cents_per_instance_hour``, USD, tenor ``on_demand``,
    ``gpu_count`` as stated, region null (one price everywhere), tier E3. Volumes: ``subject`` the
    name, meter ``regions_available``.

    Rejections: ``NOT_GPU``, ``NOT_A_COUNT``, ``MALFORMED_ROW`` and those of ``Sheet.offer``.

    Raises:
        ParseError: ``NOT_JSON``, ``SHAPE`` without an object ``data``, as in an error answer, or
            ``EMPTY`` when it has no type.
    """
    sheet = Sheet(capture, PROVIDER, "cents_per_instance_hour")
    body = load_json(capture)
    types = body.get("data") if isinstance(body, dict) else None
    if not isinstance(types, dict):
        raise shape_error(capture, "no object 'data'")
    machines.not_empty(capture, types)

    def read(row: dict[str, Any]) -> None:
        """Add one machine type; PriceError says why it is refused whole (``Sheet.each``)."""
        key, offer = row["key"], row["offer"]
        if not isinstance(offer, dict):
            raise PriceError("MALFORMED_ROW", f"{key!r} is {type(offer).__name__}, no object")
        kind = machines.table(offer, "instance_type")
        name = machines.text(kind, "name")
        if name != key:
            raise PriceError("MALFORMED_ROW", f"name {name!r} stands under {key!r}")
        gpus = machines.gpus_of(machines.table(kind, "specs"), "gpus")
        if gpus == 0:
            raise PriceError("NOT_GPU", "specs.gpus is 0")
        stated = _NAME.match(name)
        machines.agree(name, gpus, stated.group(1) if stated else None, "specs.gpus")
        sheet.count(name, "regions_available", CAPACITY, _number_of(offer))
        cents = kind.get("price_cents_per_hour")
        sheet.offer(name, "price_cents_per_hour", cents, gpu_count=gpus)

    rows = [{"key": key, "offer": offer} for key, offer in types.items()]
    sheet.each(rows, lambda row: str(row["key"]), read)
    return sheet.parsed()


SOURCE = Source(
    id=ID,
    kind="gpus",
    url=URL,
    parse=parse,
    requests=requests,
    tier="E3",
    code_licence="none: no code is used",
    data_right="prices are facts, quoted with source and date",
    terms="Documented API with an account's key; USD list prices. Terms not read (2026-11-21)",
    auth_env="LAMBDA_API_KEY",
    every=timedelta(hours=1),
)
