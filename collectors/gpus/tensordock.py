"""TensorDock: host nodes of its legacy marketplace, each with what is free and what it asks.

Address: ``https://marketplace.tensordock.com/api/v0/client/deploy/hostnodes``, no key (TensorDock
marketplace API, read 2026-11-21 in stored copies). A legacy interface: its owner has replaced it by
one that needs a key, and nothing shows that it still answers. So it is not asked (``is_live``
False); stored bodies are read. Terms not read. Tier E3. Unproven: the specifications of one node
of 2024-10 are at hand, trimmed by others.

Field map (``hostnodes``: node id to object):

=====================  =============================================================================
key                    the node: part of the subject of the stock
specs.gpu              GPU key to offer; the key is the listing id: ``l40-pcie-48gb``
specs.gpu.*.price      USD per GPU-hour **of the GPU**; vCPUs, memory and disk cost extra at
                       ``specs.cpu.price`` and the like, in amounts that the renter chooses. The
                       body states no least amounts, so the GPU's own price is quoted
specs.gpu.*.amount     GPUs that can be had; zero: refused
specs.gpu.*.vram       GB of one GPU; the end of the key repeats it, and they must agree
location               country, region, city: the region, in this order
status                 ``online`` or ``listed`` false: not on offer, where stated
=====================  =============================================================================

Who owns a node is not stated, and neither is whether the marketplace vouches for it. So the nodes
are quotes and no asks: rulebook 4.5 needs hosts. Of several nodes with one GPU in one place the
cheapest stands (``CONFLICTING_ROWS`` for the others, rulebook 2.4).
"""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import Any

from collectors.base import Capture, Parsed, Request, Source, single_get
from collectors.gpus.listed import Offers, joined, name, whole
from collectors.rows import load_json, shape_error
from collectors.visible import name_fault
from methodology.errors import ParseError

ID = "tensordock"
URL = "https://marketplace.tensordock.com/api/v0/client/deploy/hostnodes"
PROVIDER = "tensordock"

_MEMORY = re.compile(r"-([0-9]{1,4})gb")


def requests(base_url: str) -> Generator[Request, Capture, None]:
    """Yield the one GET."""
    yield from single_get(base_url)


def parse(capture: Capture) -> Parsed:
    """Return one quote or rejection per GPU of each node, and its free GPUs, in body order.

    Quotes: the GPU key, USD ``per_gpu_hour``, region ``country-region-city`` in lower case, tier
    E3. Volumes: ``gpus_available`` per ``key|node``.

    Rejections: ``PRICE_NOT_OFFERED``, ``MEMORY_CONTRADICTS_NAME``, ``ZERO_PRICE``,
    ``NEGATIVE_PRICE``, ``NOT_A_NUMBER``, ``PRICE_MISSING``, ``NOT_A_COUNT``, ``NOT_GPU`` (a node
    without GPUs), ``MALFORMED_ROW``.

    Raises:
        ParseError: ``NOT_JSON``, ``SHAPE`` or ``EMPTY``.
    """
    body = load_json(capture)
    nodes = body.get("hostnodes") if isinstance(body, dict) else None
    if not isinstance(nodes, dict):
        raise shape_error(capture, "expected an object with hostnodes (object)")
    if not nodes:
        raise ParseError(capture.source, "EMPTY", f"{capture.url}: hostnodes is empty")
    rows = Offers(capture, "per_gpu_hour", "E3")
    for node, told in nodes.items():
        specs = told.get("specs") if isinstance(told, dict) else None
        offers = specs.get("gpu") if isinstance(specs, dict) else None
        if not isinstance(offers, dict):
            rows.reject(PROVIDER, node, "MALFORMED_ROW", "no specs.gpu (object)")
            continue
        if not offers:
            rows.reject(PROVIDER, node, "NOT_GPU", "specs.gpu is empty")
        for key, offer in offers.items():
            _offer(rows, node, told, key, offer)
    return rows.parsed()


def _offer(rows: Offers, node: str, told: dict[str, Any], key: str, offer: Any) -> None:
    if not isinstance(offer, dict):
        rows.reject(PROVIDER, key, "MALFORMED_ROW", f"{node}: the offer is no object")
        return
    if fault := name_fault(key):
        rows.reject(PROVIDER, key, "MALFORMED_ROW", f"{node}: the name {key[:80]!a} {fault}")
        return
    free = whole(offer.get("amount"))
    if free is None:
        rows.reject(PROVIDER, key, "NOT_A_COUNT", f"{node}: amount is {offer.get('amount')!r}")
        return
    status = told.get("status")
    shut = [f for f in ("online", "listed") if isinstance(status, dict) and status.get(f) is False]
    rows.stock(joined(key, node), "gpus_available", 0 if shut else free)
    memory = _MEMORY.search(key)
    if memory and str(offer.get("vram")) != memory[1]:
        detail = f"{node}: vram is {offer.get('vram')!r}"
        rows.reject(PROVIDER, key, "MEMORY_CONTRADICTS_NAME", detail)
        return
    if shut or not free:
        detail = f"{node}: {shut[0]} is false" if shut else f"{node}: amount is 0"
        rows.reject(PROVIDER, key, "PRICE_NOT_OFFERED", detail)
        return
    rows.gpu(PROVIDER, key, f"{node}: price", offer.get("price"), region=_region(told))


def _region(told: dict[str, Any]) -> str | None:
    place = told.get("location")
    if not isinstance(place, dict):
        return None
    parts = [name(place.get(field)) for field in ("country", "region", "city")]
    return "-".join(part for part in parts if part).lower().replace(" ", "") or None


SOURCE = Source(
    id=ID,
    kind="gpus",
    url=URL,
    parse=parse,
    requests=requests,
    tier="E3",
    code_licence="none: no code is used",
    data_right="prices are facts, quoted with source and date",
    terms="Legacy API without key; terms not read (2026-11-21); not asked",
    is_live=False,
)
