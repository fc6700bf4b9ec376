"""Jarvislabs: pools of GPUs with the price of one and the number that is free.

Address: ``https://backendn.jarvislabs.net/misc/server_meta`` with a key in ``JL_API_KEY`` (Bearer).
No reference documents the route; the seller's own client uses it. Shape: public programs that read
it with a key (SkyPilot's and dstack's catalogues, read 2026-11-21) and seven rows of a real body
of 2026-08-14, kept in a test of one of them. Unproven. Terms of use: not read (2026-11-21). A key
sees what its account may rent, so two accounts may see different lists.

Field map (one object of ``server_meta``):

==========================  ========================================================================
currency (of the body)      "USD" or "INR", by the country in which the account pays. The figures do
                            not tell: an L4 at 0.44 and one at 37 both look like prices. Where it is
                            missing, as in the body at hand, every price is refused. A header by
                            which a known client is always told USD is that client's: not sent
gpu_type, vram              with ``workload_type`` the listing: ``A100-80GB|80|vm``; the name does
                            not state a form factor
workload_type               vm, container, or null in one region: part of the listing
region                      region
price_per_hour              per *GPU* and hour, on demand. ``num_gpus`` beside it is the most GPUs
                            that one machine of the pool can have, not what the price buys
spot_price                  per GPU and hour, interruptible; null: no spot in this pool
spot_only_server            true: the pool is let as spot only
num_free_devices            GPUs free now. The same GPUs may be offered as vm and as container: one
                            count per listing and region, never added up over listings; pools of one
                            listing and region are added
effective_num_free_...,     free after evicting spot users, and for spot: unused
spot_num_free_devices
reserved_pricing            commitments: unused
cpu_meta                    machines without GPU: refused, one by one
==========================  ========================================================================
"""

from __future__ import annotations

from collections.abc import Generator
from datetime import timedelta
from typing import Any

from collectors.base import Capture, Parsed, Request, Source, single_get
from collectors.gpus import machines
from collectors.gpus.machines import Sheet
from collectors.rows import load_json
from methodology.errors import PriceError

ID = "jarvislabs"
URL = "https://backendn.jarvislabs.net/misc/server_meta"
PROVIDER = "jarvislabs"


def requests(base_url: str) -> Generator[Request, Capture, None]:
    """Yield the one GET; the fetcher adds the key."""
    yield from single_get(base_url)


def _listing(row: dict[str, Any]) -> str:
    parts = (row.get("gpu_type"), row.get("vram"), row.get("workload_type") or "any")
    return "|".join(str(part) for part in parts)


def _prices(sheet: Sheet, row: dict[str, Any], listing: str, region: str, currency: object) -> None:
    for field, tenor in (("price_per_hour", "on_demand"), ("spot_price", "spot")):
        value = row.get(field)
        if value is None and tenor == "spot":
            continue
        if currency != "USD":
            told = "is not stated" if currency is None else f"is {currency!r}"
            sheet.refuse(listing, "OTHER_CURRENCY", f"currency {told}; {field} {value} in {region}")
        elif tenor == "on_demand" and row.get("spot_only_server") is True:
            sheet.refuse(listing, "PRICE_NOT_OFFERED", f"spot_only_server is true, {field} {value}")
        else:
            sheet.offer(listing, field, value, tenor=tenor, region=region)


def parse(capture: Capture) -> Parsed:
    """Return the quotes and the free GPUs of each pool, and rejections, in body order.

    Quotes: ``listing_id`` is ``gpu_type|vram|workload_type`` (``any`` for null), unit
    ``per_gpu_hour``, USD, tenors ``on_demand`` and ``spot``, region, ``gpu_count`` null, tier E3.
    Volumes: ``subject`` is ``listing_id|region``, meter ``gpus_available``.

    Rejections: ``OTHER_CURRENCY`` (also one that is not stated), ``PRICE_NOT_OFFERED``,
    ``NOT_GPU``, ``NOT_A_COUNT``, ``MALFORMED_ROW`` and those of ``Sheet.offer``.

    Raises:
        ParseError: ``NOT_JSON``, ``SHAPE`` without ``server_meta``, ``EMPTY`` when it has no pool.
    """
    sheet = Sheet(capture, PROVIDER, "per_gpu_hour")
    _read_body(sheet, load_json(capture))
    return sheet.parsed()


def parse_panel_raw(capture: Capture) -> Parsed:
    """Return the same for a file that keeps several answers under names.

    Raises:
        ParseError: as :func:`parse`, for any of its parts.
    """
    sheet = Sheet(capture, PROVIDER, "per_gpu_hour")
    for body in machines.kept_parts(capture).values():
        _read_body(sheet, body)
    return sheet.parsed()


def _read_body(sheet: Sheet, body: Any) -> None:
    pools = machines.list_of(sheet.capture, body, "server_meta")
    machines.not_empty(sheet.capture, pools)

    def read(row: dict[str, Any]) -> None:
        machines.text(row, "gpu_type")
        machines.whole(row, "vram")
        region, listing = machines.text(row, "region"), _listing(row)
        _prices(sheet, row, listing, region, body.get("currency"))
        free = row.get("num_free_devices")
        sheet.count(f"{listing}|{region}", "gpus_available", "num_free_devices", free)

    def refuse_cpu(row: dict[str, Any]) -> None:
        raise PriceError("NOT_GPU", f"{row.get('vcpus')} vcpus at price {row.get('price')}")

    sheet.each(pools, _listing, read)
    cpus = body.get("cpu_meta") or {"combinations": []}
    sheet.each(
        machines.list_of(sheet.capture, cpus, "combinations"),
        lambda row: f"cpu|{row.get('vcpus')}|{row.get('ram_gb')}",
        refuse_cpu,
    )


SOURCE = Source(
    id=ID,
    kind="gpus",
    url=URL,
    parse=parse,
    requests=requests,
    tier="E3",
    code_licence="none: no code is used",
    data_right="none stated",
    terms="Route of the seller's client, key of an account; terms not read (2026-11-21)",
    auth_env="JL_API_KEY",
    every=timedelta(hours=1),
)
