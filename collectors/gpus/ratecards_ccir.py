"""Rate cards of four clouds on one day, as another index publisher collected them: history only.

Address: repository github.com/ccir-index/cri-h100, data CC BY 4.0 (licence read with the capture of
2026-11-20). Whole bodies of 2026-03-03 at hand, as JSON and as CSV with the same 18 rows; there is
no live address, and the sellers' own lists outrank it. Tier E4.

Field map (one object of ``results``, or one line):

=================  =================================================================================
source             seller: ``azure``, ``aws``, ``gcp``, ``runpod``
sku                listing id; for runpod with the kind of price: ``NVIDIA H200|secure``
gpu_model          the publisher's own reading and **wrong for some**: Standard_NC40ads_H100_v5, an
                   H100 NVL of 94 GB, stands there as "H100 SXM", NC24ads_A100_v4 (PCIe) as "A100
                   SXM". Unused: the listing id decides
price_type         on_demand, spot, spot_posted, secure, community, secure_spot: see :data:`TENORS`
vm_price_hr        price of the machine, quoted where it is given, with ``gpus_per_vm``
gpus_per_vm        GPUs of the machine
price_per_gpu_hr   the publisher's division, cut to six decimals; quoted where no machine price is
effective_date     the seller's own start of the price (Azure); empty for others. That of gcp is the
                   start of a daily catalogue and not of the price: unused
region             ``global`` becomes null
collected_utc      time of observation
source_id, rate_type, reproducible, auth_required: unused
=================  =================================================================================

The rows of gcp are prices of a **part**: an SKU such as D4E2-451A-15B9 is the GPU without cores and
memory, which nobody can rent. Refused as PART_MISSING.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import Any

from collectors.base import Capture, Parsed, Request, Source
from collectors.gpus.listed import Offers, gpus, name, objects
from collectors.gpus.tabular import read_csv
from collectors.rows import load_json, shape_error
from collectors.times import utc_moment
from methodology.errors import ParseError

ID = "ratecards_ccir"
URL = "https://github.com/ccir-index/cri-h100"

TENORS = {
    "on_demand": "on_demand",
    "spot": "spot",
    "spot_posted": "spot",
    "secure": "on_demand",
    "community": "community",
    "secure_spot": "spot",
}
TIERS = {"secure": "secure", "community": "community", "secure_spot": "secure-spot"}
"""Kinds of price that runpod sells beside each other, as that source's listing ids say them."""

COLUMNS = (
    *("source", "price_per_gpu_hr", "vm_price_hr", "gpus_per_vm", "region", "sku"),
    *("price_type", "effective_date", "collected_utc"),
)

_PART = re.compile(r"[0-9A-F]{4}(?:-[0-9A-F]{4}){2}")


def requests(base_url: str) -> Generator[Request, Capture, None]:
    """Yield nothing: the bodies come with the archive."""
    yield from ()


def parse(capture: Capture) -> Parsed:
    """Return one quote or rejection per rate card of a JSON body, in body order.

    Quotes: USD, ``per_instance_hour`` with ``gpu_count`` or ``per_gpu_hour``, the seller's listing
    id and region, ``effective_from`` where Azure states it, tier E4.

    Rejections: ``PART_MISSING``, ``GPU_COUNT_UNKNOWN``, ``NOT_ON_DEMAND`` (an unknown kind of
    price), ``MALFORMED_ROW`` and the reasons of prices.

    Raises:
        ParseError: ``NOT_JSON``, ``SHAPE`` or ``EMPTY``.
    """
    body = load_json(capture)
    cards = body.get("results") if isinstance(body, dict) else None
    if not isinstance(cards, list):
        raise shape_error(capture, "expected an object with results (list)")
    return _cards(capture, cards)


def parse_history(capture: Capture) -> Parsed:
    """Return the same for the CSV of a day.

    Raises:
        ParseError: ``NOT_CSV``, ``COLUMNS`` or ``EMPTY``.
    """
    return _cards(capture, read_csv(capture, capture.body, COLUMNS).to_dicts())


def _cards(capture: Capture, cards: list[Any]) -> Parsed:
    if not cards:
        raise ParseError(capture.source, "EMPTY", f"{capture.url}: no rate card in the body")
    rows = Offers(capture, "per_gpu_hour", "E4")
    for card in objects(rows, "", "results", cards):
        _card(rows, card)
    return rows.parsed()


def _card(rows: Offers, card: dict[str, Any]) -> None:
    seller, sku, kind = (name(card.get(field)) for field in ("source", "sku", "price_type"))
    seen = utc_moment(card.get("collected_utc"))
    if seller is None or sku is None or seen is None:
        said = [str(card.get(f))[:60] for f in ("source", "sku", "collected_utc")]
        rows.reject(seller or "", sku or "", "MALFORMED_ROW", f"source, sku, collected_utc {said}")
        return
    rows.observed_at = seen
    listing = f"{sku}|{TIERS[kind]}" if kind in TIERS else sku
    if kind not in TENORS:
        rows.reject(seller, listing, "NOT_ON_DEMAND", f"price_type is {str(kind)[:40]!r}")
        return
    if _PART.fullmatch(sku):
        told = f"price_per_gpu_hr {card.get('price_per_gpu_hr')} is a GPU without cores and memory"
        rows.reject(seller, listing, "PART_MISSING", told)
        return
    start = utc_moment(card.get("effective_date")) if seller == "azure" else None
    region = name(card.get("region"))
    more: dict[str, Any] = {
        "tenor": TENORS[kind],
        "region": None if region == "global" else region,
        "effective_from": start,
        "is_official_date": start is not None,
    }
    machine, count = card.get("vm_price_hr"), gpus(card.get("gpus_per_vm"))
    if not machine:
        rows.gpu(seller, listing, "price_per_gpu_hr", card.get("price_per_gpu_hr"), **more)
    elif count is None:
        told = f"gpus_per_vm is {card.get('gpus_per_vm')!r} beside vm_price_hr {machine}"
        rows.reject(seller, listing, "GPU_COUNT_UNKNOWN", told)
    else:
        more |= {"gpu_count": count, "unit": "per_instance_hour"}
        rows.gpu(seller, listing, "vm_price_hr", machine, **more)


SOURCE = Source(
    id=ID,
    kind="gpus",
    url=URL,
    parse=parse,
    requests=requests,
    tier="E4",
    code_licence="none: no code is used",
    data_right="CC BY 4.0",
    terms="Data CC BY 4.0, credit ccir-index/cri-h100; read 2026-11-20",
    is_live=False,
)
