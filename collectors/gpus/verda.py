"""Verda, until 2025 DataCrunch: instance types with their prices.

Address: ``https://api.verda.com/v1/instance-types?currency=usd``. The operation is documented as
open without a key by the seller's OpenAPI file, as a public collector that used it on 2026-09-06
reports (read 2026-11-21; the file itself not seen). Shape: the seller's own client libraries
(verda-cloud, ``instance_types``: prices are texts, currency defaults to USD) and four rows each of
two real bodies, 2025-10-19 (``api.datacrunch.io``) and 2026-08-14, kept one by one in tests of a
public catalogue. The older rows lack ``currency``, ``manufacturer``, ``display_name`` and
``supported_os``; nothing else differs. Unproven. Terms of use: not read (2026-11-21).

Field map (the body is a list; one object):

========================  ==========================================================================
instance_type             the listing, for example ``1H100.80S.30V``: GPUs, chip, memory of one GPU
                          and S for SXM, cores. Kept exact
gpu.number_of_gpus        GPUs of the instance; 0 is a machine without
gpu.description           "1x H100 SXM5 80GB": must not contradict the number of GPUs
gpu_memory                memory of *all* GPUs; divided by their number it must be within a tenth of
                          what ``name`` says of one (some cards list less than they are sold as)
price_per_hour            text, per *instance* and hour: 1.98 for two A6000
spot_price                text, per instance and hour, interruptible: 0.70 for the same two
currency                  "usd" or "eur", lower case; absent in the older body, where USD was the
                          documented default
dynamic_price, its        a price that follows demand and its ceiling: another contract, unused
maximum, serverless_...   (serverless: seconds of a request). Not in the rows at hand
id                        opaque, unused; so are texts for people
========================  ==========================================================================

Where a type can be had at the moment is another route (``/v1/instance-availability``) that needs a
key; it is not asked for.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from datetime import timedelta
from typing import Any

from collectors.base import Capture, Parsed, Request, Source
from collectors.gpus import machines
from collectors.gpus.machines import Sheet
from collectors.rows import load_json, shape_error
from methodology.errors import PriceError

ID = "verda"
URL = "https://api.verda.com/v1/instance-types"
PROVIDER = "verda"

_COUNT = re.compile(r"^([0-9]{1,2})x ")
_MEMORY = re.compile(r" ([0-9]{1,3})GB$")


def requests(base_url: str) -> Generator[Request, Capture, None]:
    """Yield the one GET, in USD; the whole list comes at once."""
    yield Request(url=base_url, params={"currency": "usd"})


def _gpus(row: dict[str, Any], listing: str) -> int:
    gpu = machines.table(row, "gpu")
    gpus = machines.gpus_of(gpu, "number_of_gpus")
    if gpus == 0:
        raise PriceError("NOT_GPU", "gpu.number_of_gpus is 0")
    stated = _COUNT.match(machines.named(gpu, "description"))
    machines.agree(listing, gpus, stated.group(1) if stated else None, "gpu.number_of_gpus")
    one = _MEMORY.search(machines.named(row, "name"))
    memory = machines.whole(machines.table(row, "gpu_memory"), "size_in_gigabytes")
    if one and 10 * abs(memory - gpus * int(one.group(1))) > gpus * int(one.group(1)):
        raise PriceError(
            "MEMORY_CONTRADICTS_NAME",
            f"gpu_memory {memory} GB of {gpus} GPUs, name {row['name']!r}",
        )
    return gpus


def parse(capture: Capture) -> Parsed:
    """Return one or two quotes per GPU type and one rejection per other type, in body order.

    Quotes: ``listing_id`` the type, unit ``per_instance_hour``, USD, tenors ``on_demand`` and
    ``spot``, ``gpu_count`` as stated, region null (one price everywhere), tier E3.

    Rejections: ``NOT_GPU``, ``OTHER_CURRENCY``, ``MEMORY_CONTRADICTS_NAME``, ``MALFORMED_ROW``
    and those of ``Sheet.offer`` (``NO_PRICE`` also for a row without a spot price).

    Raises:
        ParseError: ``NOT_JSON``, ``SHAPE`` when the body is not a list, ``EMPTY`` without a row.
    """
    sheet = Sheet(capture, PROVIDER, "per_instance_hour")
    body = load_json(capture)
    if not isinstance(body, list):
        raise shape_error(capture, "no list of instance types")
    machines.not_empty(capture, body)
    _read_rows(sheet, body)
    return sheet.parsed()


def parse_panel_raw(capture: Capture) -> Parsed:
    """Return the same for a file that keeps rows under names, beside parts of other routes.

    A part without ``instance_type`` (places, what is free where) is one rejection,
    ``OTHER_SERVICE``.

    Raises:
        ParseError: ``NOT_JSON``, or ``SHAPE`` without named parts.
    """
    sheet = Sheet(capture, PROVIDER, "per_instance_hour")
    for name, part in machines.kept_parts(capture).items():
        if isinstance(part, dict) and "instance_type" in part:
            _read_rows(sheet, [part])
        else:
            sheet.refuse(name, "OTHER_SERVICE", f"{str(part)[:80]} is of another route")
    return sheet.parsed()


def _read_rows(sheet: Sheet, rows: list[Any]) -> None:
    def read(row: dict[str, Any]) -> None:
        """Add one instance type; PriceError says why it is refused whole (``Sheet.each``)."""
        listing = machines.text(row, "instance_type")
        gpus = _gpus(row, listing)
        if row.get("currency", "usd") != "usd":
            raise PriceError("OTHER_CURRENCY", f"currency is {row['currency']!r}")
        for field, tenor in (("price_per_hour", "on_demand"), ("spot_price", "spot")):
            sheet.offer(
                listing, field, row.get(field), tenor=tenor, gpu_count=gpus, takes_text=True
            )

    sheet.each(rows, lambda row: machines.named(row, "instance_type"), read)


SOURCE = Source(
    id=ID,
    kind="gpus",
    url=URL,
    parse=parse,
    requests=requests,
    tier="E3",
    code_licence="none: no code is used",
    data_right="prices are facts, quoted with source and date",
    terms="Public list, no key as reported; USD list prices. Terms not read (2026-11-21)",
    every=timedelta(hours=5),
)
