"""Scaleway: instance types of a zone with their prices, in euro.

Address: ``https://api.scaleway.com/instance/v1/zones/{zone}/products/servers``, no key (Scaleway
developers' documentation, Instance API, "List Instance types", read 2026-11-21). At hand: a body of
fr-par-2 of 2026-08-16 that somebody trimmed to six fields, and, public but not stored here, eleven
types captured whole on 2026-10-01. Unproven. Terms of use: not read (2026-11-21).

The list is asked for per zone and by page; the answer has no total, so a page with fewer than
:data:`PER_PAGE` types is the last. A price is in EUR, which the API's reference and the price page
state and the body does not: the source is pinned to EUR. No rule turns EUR into USD, so its quotes
are kept and shown and refused at eligibility (``CURRENCY_NOT_PINNED``).

Field map (``servers``: name of the type to its object):

======================  ============================================================================
name                    the listing, for example H100-SXM-8-80G: chip, form factor, number of GPUs
                        and memory of one. A name without form factor does not state it; the
                        ``gpu_info`` of H100-1-80G says H100-PCIe
gpu                     GPUs of the instance; 0 or null is none. Must not contradict the name
hourly_price            per *instance* and hour; null: not sold here
monthly_price           730 hours at that price, another way to show it: unused
gpu_info.gpu_memory,    bytes of one GPU and its chip ("H100-PCIe"): neither memory nor form factor
gpu_info.gpu_name       may contradict the name. Absent in the trimmed body
mig_profile             anything but null is a share of a GPU: refused
end_of_service          true: no new customer gets one; refused
scratch_storage_...,    included in the price or billed apart; unused
block volumes
======================  ============================================================================
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
from methodology.errors import ParseError, PriceError

ID = "scaleway"
URL = "https://api.scaleway.com/instance/v1/zones"
PROVIDER = "scaleway"

ZONES = ("fr-par-1", "fr-par-2", "nl-ams-1", "pl-waw-2")
"""Zones for which a public capture shows GPU types (2026-10-01)."""

PER_PAGE = 100
MAX_PAGES = 20

_ZONE = re.compile(r"/zones/([a-z]{2}-[a-z]{3}-[0-9])/")
_NAME = re.compile(r"^[A-Z0-9]+(?:-SXM|-PCIE|-NVL)?-([0-9]{1,2})-([0-9]{2,3})G$")
_GIB = 2**30


def requests(base_url: str) -> Generator[Request, Capture, None]:
    """Yield the pages of each zone of :data:`ZONES`.

    Raises:
        ParseError: ``ENDLESS`` after :data:`MAX_PAGES` pages of a zone, or what a page raises.
    """
    for zone in ZONES:
        url = f"{base_url.rstrip('/')}/{zone}/products/servers"
        for number in range(1, MAX_PAGES + 1):
            page = yield Request(url=url, params={"per_page": str(PER_PAGE), "page": str(number)})
            if len(_servers(page)) < PER_PAGE:
                break
        else:
            raise ParseError(ID, "ENDLESS", f"{zone}: page {MAX_PAGES} is still full")


def _servers(capture: Capture) -> dict[str, Any]:
    body = load_json(capture)
    found = body.get("servers") if isinstance(body, dict) else None
    if not isinstance(found, dict):
        raise shape_error(capture, "no object 'servers'")
    return found


def _check_chip(name: str, stated: str, info: dict[str, Any]) -> None:
    memory = info.get("gpu_memory")
    if machines.is_digits(memory) and int(memory) != int(stated) * _GIB:
        raise PriceError(
            "MEMORY_CONTRADICTS_NAME", f"gpu_info.gpu_memory {memory} cannot be {name!r}"
        )
    chip = machines.named(info, "gpu_name")
    if chip and ("SXM" in chip) != ("SXM" in name):
        raise PriceError("MALFORMED_ROW", f"gpu_info.gpu_name {chip!r} contradicts {name!r}")


def parse(capture: Capture) -> Parsed:
    """Return one quote per GPU type of a zone and one rejection per other type, in body order.

    Quotes: ``listing_id`` the type, unit ``per_instance_hour``, EUR, tenor ``on_demand``,
    ``gpu_count`` as stated, ``region`` the zone of the address (null for a saved body without
    one), tier E3. Whether tax is included is not said: null.

    Rejections: ``NOT_GPU``, ``PARTIAL_GPU``, ``NO_PRICE``, ``PRICE_NOT_OFFERED`` (end of service),
    ``MEMORY_CONTRADICTS_NAME``, ``MALFORMED_ROW`` (also GPUs or a form factor that contradict
    the name) and those of ``Sheet.offer``.

    Raises:
        ParseError: ``NOT_JSON``, or ``SHAPE`` without servers.
    """
    sheet = Sheet(capture, PROVIDER, "per_instance_hour", currency="EUR")
    zone = _ZONE.search(capture.url)

    def read(row: dict[str, Any]) -> None:
        """Add one server type; PriceError says why it is refused whole (``Sheet.each``)."""
        name, server = row["name"], row["server"]
        if not isinstance(server, dict):
            raise PriceError("MALFORMED_ROW", f"{name!r} is {type(server).__name__}, no object")
        if server.get("gpu") is None:
            raise PriceError("NOT_GPU", "gpu is null")
        gpus = machines.gpus_of(server, "gpu")
        if gpus == 0:
            raise PriceError("NOT_GPU", "gpu is 0")
        if server.get("mig_profile") is not None:
            raise PriceError("PARTIAL_GPU", f"mig_profile is {str(server['mig_profile'])[:80]!r}")
        stated = _NAME.match(name)
        if stated:
            machines.agree(name, gpus, stated.group(1), "gpu")
            info = server.get("gpu_info")
            _check_chip(name, stated.group(2), info if isinstance(info, dict) else {})
        if server.get("end_of_service") is True:
            price = server.get("hourly_price")
            raise PriceError("PRICE_NOT_OFFERED", f"end_of_service is true, hourly_price {price}")
        sheet.offer(
            name,
            "hourly_price",
            server.get("hourly_price"),
            region=zone.group(1) if zone else None,
            gpu_count=gpus,
        )

    rows = [{"name": name, "server": server} for name, server in _servers(capture).items()]
    sheet.each(rows, lambda row: str(row["name"]), read)
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
    terms="Public, documented, no key; EUR list prices. Terms not read (2026-11-21)",
    currencies=("EUR",),
    every=timedelta(hours=5),
)
