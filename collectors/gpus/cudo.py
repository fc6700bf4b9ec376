"""CUDO Compute: machine types per data centre, priced by their parts, with what is free.

Address: ``https://rest.compute.cudo.org/v1/vms/machine-types-2``, no key (as public price tools
ask it; the documented successor is ``/v1/data-centers/{id}/machine-type-prices``; cudocompute.com
API documentation, read 2026-11-21 in stored copies). Terms not read: confirm before going live.
Tier E3: a marketplace's own list. Unproven: two rows of 2024-10 are at hand, trimmed by others.

CUDO sells no GPU alone: a machine is GPUs, vCPUs and memory, each at its price, in ratios that the
row states. So the price of one GPU-hour is the **least machine** with one GPU: one GPU, the fewest
vCPUs it needs, and the fewest whole GiB of memory those vCPUs need. The sum is exact. Boot disk and
address come on top for every renter of every cloud and are left out.

Field map (one object of ``machineTypes``):

========================  ==========================================================================
gpuModelId, machineType   listing id: ``nvidia-rtx-a5000|epyc-rome-rtx-a5000``
gpuModel                  the marketplace's name of the GPU, such as "H100 SXM"; unused
dataCenterId              region
gpuPriceHr, vcpuPriceHr,  ``value``: USD per unit and hour as text. The currency is not in the
memoryGibPriceHr          body: pinned on review
minVcpuPerGpu             fewest vCPUs for one GPU
maxVcpuPerMemoryGib       most vCPUs for one GiB of memory, so least memory for the vCPUs
totalGpuFree              GPUs that can be had in the data centre: ``gpus_available``
maxGpuFree                the most in one machine; zero: none can be had, refused
the others                storage, addresses, free vCPUs and memory: unused
========================  ==========================================================================
"""

from __future__ import annotations

from collections.abc import Generator
from datetime import timedelta
from decimal import Context, Decimal
from fractions import Fraction
from typing import Any

from collectors.base import Capture, Parsed, Request, Source, single_get
from collectors.gpus.listed import Offers, joined, name, objects, price_reason, whole
from collectors.rows import load_json, shape_error
from methodology.errors import ParseError
from methodology.units import exact

ID = "cudo"
URL = "https://rest.compute.cudo.org/v1/vms/machine-types-2"
PROVIDER = "cudo"

_EXACT = Context(prec=60)


def requests(base_url: str) -> Generator[Request, Capture, None]:
    """Yield the one GET."""
    yield from single_get(base_url)


def parse(capture: Capture) -> Parsed:
    """Return one quote or rejection per machine type, and its free GPUs, in body order.

    Quotes: ``gpuModelId|machineType``, the sum of the least machine with one GPU, USD
    ``per_instance_hour`` with ``gpu_count`` 1, the data centre as region, tier E3. Volumes:
    ``gpus_available`` per ``gpuModelId|machineType|dataCenterId``.

    Rejections: ``NOT_GPU``, ``PRICE_NOT_OFFERED``, ``PART_MISSING`` (a part or a ratio of the
    least machine has no figure: the sum would understate), ``ZERO_PRICE``, ``NEGATIVE_PRICE``,
    ``NOT_A_NUMBER``, ``PRICE_MISSING``, ``NOT_A_COUNT``, ``MALFORMED_ROW``.

    Raises:
        ParseError: ``NOT_JSON``, ``SHAPE`` or ``EMPTY``.
    """
    body = load_json(capture)
    types = body.get("machineTypes") if isinstance(body, dict) else None
    if not isinstance(types, list):
        raise shape_error(capture, "expected an object with machineTypes (list)")
    if not types:
        raise ParseError(capture.source, "EMPTY", f"{capture.url}: machineTypes is empty")
    rows = Offers(capture, "per_instance_hour", "E3")
    for item in objects(rows, PROVIDER, "machineTypes", types):
        _machine(rows, item)
    return rows.parsed()


def _machine(rows: Offers, item: dict[str, Any]) -> None:
    region, kind = name(item.get("dataCenterId")), name(item.get("machineType"))
    gpu = item.get("gpuModelId")
    if region is None or kind is None:
        told = f"dataCenterId {item.get('dataCenterId')!r}, machineType {item.get('machineType')!r}"
        rows.reject(PROVIDER, kind or "", "MALFORMED_ROW", told)
        return
    if not name(gpu):
        rows.reject(PROVIDER, kind, "NOT_GPU", f"gpuModelId is {gpu!r}")
        return
    listing = joined(gpu, kind)
    free = whole(item.get("totalGpuFree"), 10**6)
    if free is None:
        told = f"totalGpuFree is {str(item.get('totalGpuFree'))[:40]!r}"
        rows.reject(PROVIDER, listing, "NOT_A_COUNT", told)
    else:
        rows.stock(joined(listing, region), "gpus_available", free)
    if item.get("maxGpuFree") == "0":
        told = f"maxGpuFree is 0 in {region}: none can be had"
        rows.reject(PROVIDER, listing, "PRICE_NOT_OFFERED", told)
        return
    price = _value(item, "gpuPriceHr")
    reason = price_reason(price)
    if reason:
        told = f"gpuPriceHr.value is {str(price)[:80]!r} in {region}"
        rows.reject(PROVIDER, listing, reason, told)
        return
    total = _least(item, price)
    if total is None:
        told = f"vCPUs or memory of the least machine have no figure in {region}"
        rows.reject(PROVIDER, listing, "PART_MISSING", told)
        return
    rows.gpu(PROVIDER, listing, "sum of parts", total, region=region, gpu_count=1)


def _value(item: dict[str, Any], field: str) -> Any:
    money = item.get(field)
    return money.get("value") if isinstance(money, dict) else None


def _least(item: dict[str, Any], gpu_price: str) -> str | None:
    """Return the price of the least machine with one GPU as exact decimal text; None: unknown."""
    core, memory = _value(item, "vcpuPriceHr"), _value(item, "memoryGibPriceHr")
    fewest, most = item.get("minVcpuPerGpu"), item.get("maxVcpuPerMemoryGib")
    if any(price_reason(value) for value in (core, memory, fewest, most)):
        return None
    vcpus = _up(exact(str(fewest)))
    gib = _up(vcpus / exact(str(most)))
    total = exact(gpu_price) + exact(core) * vcpus + exact(memory) * gib
    text = _EXACT.divide(Decimal(total.numerator), Decimal(total.denominator))
    return format(text.normalize(_EXACT), "f")


def _up(value: Fraction) -> int:
    return -(-value.numerator // value.denominator)


SOURCE = Source(
    id=ID,
    kind="gpus",
    url=URL,
    parse=parse,
    requests=requests,
    tier="E3",
    code_licence="none: no code is used",
    data_right="prices are facts, quoted with source and date",
    terms="Public API without key; terms not read: confirm before going live (2026-11-21)",
    every=timedelta(minutes=50),
)
