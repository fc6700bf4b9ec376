"""Vultr: plans with GPUs, virtual (``/plans``) and bare metal (``/plans-metal``).

Address: ``https://api.vultr.com/v2/plans?type=all`` and ``.../plans-metal``, no key (Vultr API v2
reference, read 2026-11-21 through docs.vultr.com and clients that quote it). At hand: five plans of
a real body of 2025-01-08, trimmed by whoever kept them; newer fields from public collectors that
quote answers of 2026-09. Unproven. Terms of use: not read (2026-11-21). Without a key the answer
may understate ``locations``, as operators report; they are not used.

Pages hold up to 500 plans; ``meta.links.next`` is a cursor, "" on the last, and ``meta.total``
counts the plans of all pages. What came must be that many.

Field map (one object of ``plans`` or ``plans_metal``):

==========================  ========================================================================
id                          the listing. ``vcg-a100-12c-120g-80vram``: memory of *all* GPUs at the
                            end; ``vbm-112c-2048gb-8-h100-gpu``: GPUs before the chip
gpu_type                    NVIDIA_A100 ...; names no form factor. Missing on some GPU plans, with
                            both fields below
gpu_count                   a number, or a share such as "1/8" of one GPU. Missing in 2025
gpu_vram_gb                 memory of all GPUs: 4 on a twentieth of an A100, 80 on one
hourly_cost                 USD per *plan* and hour, on demand
hourly_cost_preemptible     the same, interruptible: spot
deploy_ondemand,            false: the price beside it is one at which nothing can be had
deploy_preemptible          (B200 at 68 an hour beside 25.60 preemptible, 2026-09-17). Missing in
                            2025
location_cost               prices of places that differ, by place: quotes of their own with region
monthly_cost                a cap at 672 or 730 hours for those who stay a month: unused
invoice_type                "hourly"; a plan sold by the month only has no hourly price
==========================  ========================================================================

A plan with a share of a GPU is refused: a twentieth of an A100 is another good, at 0.123 an hour
cheaper than a share of the whole card's price. Where the body does not state the GPUs and no name
of metal does, they follow from the memory only for :data:`MEMORY_OF_ONE`; else ``gpu_count`` is
null and a reviewed line has to supply it: ``vcg-mi325x-252c-2872g-1536vram`` would be six GPUs of
256 GB by its name and has eight.
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

ID = "vultr"
URL = "https://api.vultr.com/v2"
PROVIDER = "vultr"

PATHS = {"plans": {"type": "all", "per_page": "500"}, "plans-metal": {"per_page": "500"}}
MAX_PAGES = 20

MEMORY_OF_ONE = {"NVIDIA_A16": 16, "NVIDIA_A40": 48, "NVIDIA_A100": 80, "NVIDIA_L40S": 48}
"""Memory in GB of one whole card of the virtual plans; Vultr lets its A100 of 80 GB in parts."""

_METAL = re.compile(r"-([0-9]{1,2})-[a-z0-9]+-gpu$")
_SHARE = re.compile(r"([0-9]{1,3})/([0-9]{1,3})")
_PRICES = (
    ("hourly_cost", "deploy_ondemand", "on_demand"),
    ("hourly_cost_preemptible", "deploy_preemptible", "spot"),
)


def requests(base_url: str) -> Generator[Request, Capture, None]:
    """Yield the pages of both lists.

    Raises:
        ParseError: ``ENDLESS`` after :data:`MAX_PAGES` pages of a list, ``SHORT_LIST`` when fewer
            or more plans came than the list says it has, or what a page raises.
    """
    for path, params in PATHS.items():
        asked, seen = dict(params), 0
        for _ in range(MAX_PAGES):
            page = yield Request(url=f"{base_url.rstrip('/')}/{path}", params=asked)
            body, plans = _plans(page, load_json(page))
            seen += len(plans)
            meta = body.get("meta")
            links = meta.get("links") if isinstance(meta, dict) else None
            cursor = links.get("next") if isinstance(links, dict) else None
            if not cursor:
                total = meta.get("total") if isinstance(meta, dict) else None
                machines.check_total(ID, seen, total)
                break
            asked = {**params, "cursor": str(cursor)}
        else:
            raise ParseError(ID, "ENDLESS", f"{path}: a cursor still after {MAX_PAGES} pages")


def _plans(capture: Capture, body: object) -> tuple[dict[str, Any], list[Any]]:
    for key in ("plans", "plans_metal"):
        if isinstance(body, dict) and isinstance(body.get(key), list):
            return body, body[key]
    raise shape_error(capture, "no list 'plans' or 'plans_metal'")


def _is_gpu(plan: dict[str, Any], listing: str) -> bool:
    brand = machines.named(plan, "gpu_brand").lower()
    by_name = listing.startswith("vcg-") or listing.endswith("-gpu")
    return by_name or bool(machines.named(plan, "gpu_type")) or brand not in ("", "none")


def _gpus(plan: dict[str, Any], listing: str) -> int | None:
    """Return the whole GPUs of a plan, None when the body does not say, or refuse a share."""
    stated, metal = plan.get("gpu_count"), _METAL.search(listing)
    one = MEMORY_OF_ONE.get(machines.named(plan, "gpu_type"))
    memory = machines.whole(plan, "gpu_vram_gb") if plan.get("gpu_vram_gb") is not None else None
    if isinstance(stated, str) and (share := _SHARE.fullmatch(stated)):
        parts, of = int(share.group(1)), int(share.group(2))
        if of == 0 or parts % of:
            raise PriceError("PARTIAL_GPU", f"gpu_count {stated} is a share of a GPU")
        return parts // of
    if stated is not None:
        gpus = machines.gpus_of(plan, "gpu_count")
        machines.agree(listing, gpus, metal.group(1) if metal else None, "gpu_count")
        if gpus == 0:
            raise PriceError("PARTIAL_GPU", "gpu_count is 0")
        if memory and one and memory != gpus * one:
            raise PriceError(
                "MEMORY_CONTRADICTS_NAME", f"gpu_vram_gb {memory} of {gpus} GPUs of {one} GB"
            )
        return gpus
    if metal:
        return int(metal.group(1))
    if not memory or not one:
        return None
    if memory % one:
        raise PriceError(
            "PARTIAL_GPU", f"gpu_vram_gb {memory} is no multiple of the {one} GB of one GPU"
        )
    return memory // one


def parse(capture: Capture) -> Parsed:
    """Return the quotes of each GPU plan and one rejection per other plan or price, in body order.

    Quotes: ``listing_id`` the plan, unit ``per_instance_hour``, USD, tenors ``on_demand`` and
    ``spot``, ``gpu_count`` null where the body does not say, region null (for all places) or the
    place whose price differs, tier E3.

    Rejections: ``NOT_GPU``, ``PARTIAL_GPU``, ``MEMORY_CONTRADICTS_NAME``, ``PRICE_NOT_OFFERED``
    (not to be had on these terms), ``UNIT_NOT_HOUR`` (sold by the month only), ``MALFORMED_ROW``
    and those of ``Sheet.offer``.

    Raises:
        ParseError: ``NOT_JSON``, ``SHAPE`` without a list of plans, ``EMPTY`` for one of none.
    """
    sheet = Sheet(capture, PROVIDER, "per_instance_hour")
    _read_body(sheet, load_json(capture))
    return sheet.parsed()


def parse_panel_raw(capture: Capture) -> Parsed:
    """Return the same for a file that keeps both lists under names.

    Raises:
        ParseError: as :func:`parse`, for any of its parts.
    """
    sheet = Sheet(capture, PROVIDER, "per_instance_hour")
    for body in machines.kept_parts(capture).values():
        _read_body(sheet, body)
    return sheet.parsed()


def _read_body(sheet: Sheet, body: object) -> None:
    def read(plan: dict[str, Any]) -> None:
        """Add one plan; PriceError says why it is refused whole (``Sheet.each``)."""
        listing = machines.text(plan, "id")
        if not _is_gpu(plan, listing):
            raise PriceError("NOT_GPU", f"type {plan.get('type')!r}, no GPU is named")
        gpus = _gpus(plan, listing)
        if plan.get("invoice_type", "hourly") != "hourly":
            raise PriceError("UNIT_NOT_HOUR", f"invoice_type is {plan['invoice_type']!r}")
        places = plan.get("location_cost") or {}
        if not isinstance(places, dict) or not all(isinstance(c, dict) for c in places.values()):
            raise PriceError("MALFORMED_ROW", f"location_cost is {str(places)[:80]!r}")
        for region, costs in [(None, plan), *places.items()]:
            for field, flag, tenor in _PRICES:
                if field not in costs and not (region is None and tenor == "on_demand"):
                    continue
                if plan.get(flag) is False:
                    told = f"{flag} is false, {field} {costs.get(field)}"
                    sheet.refuse(listing, "PRICE_NOT_OFFERED", told)
                    continue
                price = costs.get(field)
                sheet.offer(listing, field, price, tenor=tenor, region=region, gpu_count=gpus)

    plans = _plans(sheet.capture, body)[1]
    machines.not_empty(sheet.capture, plans)
    sheet.each(plans, lambda plan: machines.named(plan, "id"), read)


SOURCE = Source(
    id=ID,
    kind="gpus",
    url=URL,
    parse=parse,
    requests=requests,
    tier="E3",
    code_licence="none: no code is used",
    data_right="prices are facts, quoted with source and date",
    terms="Public, documented, no key; USD list prices. Terms not read (2026-11-21)",
    page_cap=500,
    every=timedelta(hours=5),
)
