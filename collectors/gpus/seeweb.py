"""Seeweb: plans of its GPU cloud, in euros.

Address: ``https://api.seeweb.it/ecs/v2/plans``, key in ``SEEWEB_API_TOKEN``, sent as ``X-APITOKEN``
(as public price tools ask it, read 2026-11-21). Terms not read: confirm before going live. Tier E3.
Unproven: one invented plan of 2026-08 in the true shape is at hand.

Prices are in **euros**: the body states no currency, the seller's price page does (seeweb.it). GPU
rates count USD only, so each quote is refused downstream as ``CURRENCY_NOT_PINNED`` until the rule
on euros changes; no figure is converted here.

Field map (one object of ``plans``):

===================  ===============================================================================
name                 listing id: ``ECS1GPU3``
gpu                  GPUs of the plan, as text; absent or 0: a plan without GPU
gpu_label            the GPU, such as "A100 80GB"; empty without GPU. Read by the reviewed mapping
hourly_price         EUR per plan and hour, number or text; "VAT included" or not is not said
available            false: the plan is closed
available_regions    ``location`` of each place where the plan is sold: one quote each. It says
                     where, not whether a machine is free: no volume
cpu, ram, disk       unused
===================  ===============================================================================
"""

from __future__ import annotations

from collections.abc import Generator
from datetime import timedelta
from typing import Any

from collectors.base import Auth, Capture, Parsed, Request, Source, single_get
from collectors.gpus.listed import Offers, gpus, name, objects
from collectors.rows import load_json, shape_error
from methodology.errors import ParseError

ID = "seeweb"
URL = "https://api.seeweb.it/ecs/v2/plans"
PROVIDER = "seeweb"


def requests(base_url: str) -> Generator[Request, Capture, None]:
    """Yield the one GET; the fetcher adds the key itself."""
    yield from single_get(base_url)


def parse(capture: Capture) -> Parsed:
    """Return one quote per plan and place, or one rejection per plan, in body order.

    Quotes: the plan's name, EUR ``per_instance_hour`` with ``gpu_count``, tier E3.

    Rejections: ``NOT_GPU``, ``PRICE_NOT_OFFERED`` (closed, or sold nowhere), ``GPU_COUNT_UNKNOWN``,
    ``ZERO_PRICE``, ``NEGATIVE_PRICE``, ``NOT_A_NUMBER``, ``PRICE_MISSING``, ``MALFORMED_ROW``.

    Raises:
        ParseError: ``NOT_JSON``, ``SHAPE`` or ``EMPTY``.
    """
    body = load_json(capture)
    plans = body.get("plans") if isinstance(body, dict) else None
    if not isinstance(plans, list):
        raise shape_error(capture, "expected an object with plans (list)")
    if not plans:
        raise ParseError(capture.source, "EMPTY", f"{capture.url}: plans is empty")
    rows = Offers(capture, "per_instance_hour", "E3", currency="EUR")
    for plan in objects(rows, PROVIDER, "plans", plans):
        _plan(rows, plan)
    return rows.parsed()


def _plan(rows: Offers, plan: dict[str, Any]) -> None:
    listing, places = name(plan.get("name")), plan.get("available_regions")
    if listing is None or not isinstance(places, list):
        told = f"name {plan.get('name')!r}; available_regions is {type(places).__name__}"
        rows.reject(PROVIDER, listing or "", "MALFORMED_ROW", told)
        return
    if not name(plan.get("gpu_label")) or plan.get("gpu") in (None, "0"):
        told = f"gpu {plan.get('gpu')!r}, gpu_label {plan.get('gpu_label')!r}"
        rows.reject(PROVIDER, listing, "NOT_GPU", told)
        return
    if plan.get("available") is False:
        rows.reject(PROVIDER, listing, "PRICE_NOT_OFFERED", "available is false")
        return
    count = gpus(plan.get("gpu"))
    if count is None:
        rows.reject(PROVIDER, listing, "GPU_COUNT_UNKNOWN", f"gpu is {str(plan['gpu'])[:40]!r}")
        return
    found = [name(p.get("location")) if isinstance(p, dict) else None for p in places]
    regions = list(dict.fromkeys(found))
    if not regions:
        rows.reject(PROVIDER, listing, "PRICE_NOT_OFFERED", "available_regions is empty")
    for region in regions:
        if region is None:
            rows.reject(PROVIDER, listing, "MALFORMED_ROW", "a region without location")
            continue
        price = plan.get("hourly_price")
        rows.gpu(PROVIDER, listing, "hourly_price", price, region=region, gpu_count=count)


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
    auth_env="SEEWEB_API_TOKEN",
    auth=Auth("X-APITOKEN", ""),
    currencies=("EUR",),
    every=timedelta(hours=5),
)
