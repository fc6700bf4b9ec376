"""Google Cloud: the Cloud Billing catalogue, whose parts are summed, and a dated mirror.

**List.** ``https://cloudbilling.googleapis.com/v1/services/6F81-5844-456A/skus`` with an API key in
``GCP_API_KEY`` (Cloud Billing API reference, ``services.skus.list``, read 2026-11-20). Google sells
no machine as one item: the hourly price of an A2 or A3 machine is the sum of its GPUs, vCPU cores,
gibibytes of memory and, where the shape has it, local SSD that cannot be left out. The parts lie on
different pages, so the pages of one run are joined into one body with :func:`join` before
:func:`parse`. Tier E3: each part is the seller's own figure and the sum is exact.

Field map (one object of ``skus``):

=======================  ===========================================================================
description              names the part ("A2 Instance Core running in Americas"); its beginning is
                         matched, the place is not used
category.resourceGroup   GPU, CPU, RAM, LocalSSD ...
category.usageType       OnDemand or Preemptible (today's spot); Commit1Yr and Commit3Yr are refused
serviceRegions           the regions in which the part has this price
pricingInfo[-1]          current price: ``tieredRates[].unitPrice`` = units + nanos / 1e9;
                         ``usageUnit`` h, GiBy.h or, for local SSD, GiBy.mo
=======================  ===========================================================================

A month of local SSD is 730 hours, as the provider's own price tables count it.

**History.** Dated machine prices computed weekly from the same catalogue
(github.com/Cyclenerd/google-cloud-pricing-cost-calculator; Apache-2.0): tier E4, an observation at
00:00 UTC of its date; unchanged prices are repeated. ``hour`` is on demand, ``hour_spot`` spot;
month columns follow from these or price commitments and are not used. Until 2024-05-17 its sums
left out the bundled local SSD (a2-ultragpu-8g 40.221616, since then 40.5503831232877): a step in
the mirror, not in the market.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from typing import Any

from collectors import strict
from collectors.base import Capture, Parsed, Request, Source, not_empty, rejection, single_get
from collectors.gpus import tabular
from methodology import schemas
from methodology.errors import ParseError, PriceError
from methodology.units import NANO, round_half_up

ID = "gcp_list"
HISTORY_ID = "gcp_history"
URL = "https://cloudbilling.googleapis.com/v1/services/6F81-5844-456A/skus"
HISTORY_URL = "https://github.com/Cyclenerd/google-cloud-pricing-cost-calculator"
PROVIDER = "gcp"
HOURS_PER_MONTH = 730
MAX_PAGES = 100

SUM_DECIMALS = 18
"""Digits of a sum: exact for hourly parts (9 are possible); local SSD, a 730th, is rounded here."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Parts of one machine type: the series of its cores and memory, GPUs, vCPU, GiB, SSD GiB."""

    series: str
    gpu: str
    gpu_count: int
    vcpu: int
    memory_gib: int
    ssd_gib: int = 0


def _a2(count: int, vcpu: int, memory: int) -> Shape:
    return Shape("A2", "A100-40", count, vcpu, memory)


SHAPES: dict[str, Shape] = {
    "a2-highgpu-1g": _a2(1, 12, 85),
    "a2-highgpu-2g": _a2(2, 24, 170),
    "a2-highgpu-4g": _a2(4, 48, 340),
    "a2-highgpu-8g": _a2(8, 96, 680),
    "a2-megagpu-16g": _a2(16, 96, 1360),
    "a2-ultragpu-1g": Shape("A2", "A100-80", 1, 12, 170, 375),
    "a2-ultragpu-2g": Shape("A2", "A100-80", 2, 24, 340, 750),
    "a2-ultragpu-4g": Shape("A2", "A100-80", 4, 48, 680, 1500),
    "a2-ultragpu-8g": Shape("A2", "A100-80", 8, 96, 1360, 3000),
    "a3-highgpu-1g": Shape("A3", "H100", 1, 26, 234, 750),
    "a3-highgpu-2g": Shape("A3", "H100", 2, 52, 468, 1500),
    "a3-highgpu-4g": Shape("A3", "H100", 4, 104, 936, 3000),
    "a3-highgpu-8g": Shape("A3", "H100", 8, 208, 1872, 6000),
    "a3-megagpu-8g": Shape("A3", "H100-MEGA", 8, 208, 1872, 6000),
}
"""Reviewed 2026-11-20: Compute Engine documentation, "Accelerator-optimized machine family".

The A2 sums made from it meet the prices of the dated mirror to the nano-unit.
"""

GPU_BEGINNINGS = {
    "Nvidia Tesla A100 GPU": "A100-40",
    "Nvidia Tesla A100 80GB GPU": "A100-80",
    "Nvidia H100 80GB GPU": "H100",
    "Nvidia H100 80GB Mega GPU": "H100-MEGA",
    "Nvidia H100 80GB Plus GPU": "H100-MEGA",
}
"""First words of a GPU part. The A3 Mega part is called Mega in some regions and Plus in others."""

TENOR_OF_USAGE = {"OnDemand": "on_demand", "Preemptible": "spot"}


def requests(base_url: str) -> Generator[Request, Capture, None]:
    """Yield pages until ``nextPageToken`` is empty; the fetcher adds the key itself.

    Raises:
        ParseError: ``ENDLESS`` after :data:`MAX_PAGES` pages, or what a page itself raises.
    """
    params = {"pageSize": "5000", "currencyCode": "USD"}
    for _ in range(MAX_PAGES):
        page = yield Request(url=base_url, params=params)
        token = _page(strict_loads(page), page.source).get("nextPageToken")
        if not token:
            return
        params = {**params, "pageToken": str(token)}
    raise ParseError(ID, "ENDLESS", f"nextPageToken still set after {MAX_PAGES} pages")


def join(pages: Sequence[Capture]) -> Capture:
    """Return the pages of one run as one capture, ``{"pages":[page, ...]}``, bytes unchanged.

    The digest of the result follows from the archived pages in their order. ``fetched_at`` is the
    time of the last page, url and source those of the first.

    Raises:
        ParseError: ``EMPTY`` when there is no page.
    """
    if not pages:
        raise ParseError(ID, "EMPTY", "no page to join; fetch the catalogue first")
    body = b'{"pages":[' + b",".join(page.body for page in pages) + b"]}"
    first = pages[0]
    return Capture(first.source, first.url, body, max(page.fetched_at for page in pages))


def is_joined(capture: Capture) -> bool:
    """Return whether a capture is a whole catalogue of :func:`join`, not one page of it."""
    return capture.body.startswith(b'{"pages":[')


def strict_loads(capture: Capture) -> Any:
    """Return the parsed body; ``ParseError`` ``NOT_JSON`` when it is not strict JSON."""
    try:
        return strict.loads(capture.body)
    except ValueError as error:
        raise ParseError(capture.source, "NOT_JSON", f"{error}; keep the body, retry") from error


def _page(body: Any, source: str) -> dict[str, Any]:
    if not isinstance(body, dict) or not isinstance(body.get("skus"), list):
        raise ParseError(source, "SHAPE", "expected an object with skus (list)")
    return body


def _part(sku: dict[str, Any]) -> str | None:
    """Return the part a SKU prices ("A2 core", "A2 memory", "GPU H100", "SSD"), or None."""
    group = sku["category"].get("resourceGroup")
    bare = str(sku.get("description", "")).removeprefix("Spot Preemptible ")
    name = bare.split(" running in ")[0].split(" attached to Spot Preemptible VMs")[0]
    if group == "GPU":
        return f"GPU {GPU_BEGINNINGS[name]}" if name in GPU_BEGINNINGS else None
    # Split at the place: the same words go on differently for capacity booked ahead.
    if group == "LocalSSD" and name.split(" in ")[0] == "SSD backed Local Storage":
        return "SSD"
    for series in ("A2", "A3"):
        if name == f"{series} Instance Core":
            return f"{series} core"
        if name == f"{series} Instance Ram":
            return f"{series} memory"
    return None


UNITS = {"core": "h", "memory": "GiBy.h", "GPU": "h", "SSD": "GiBy.mo"}


def _rate(sku: dict[str, Any], part: str) -> Fraction:
    """Return USD per part and hour, exactly."""
    try:
        expression = sku["pricingInfo"][-1]["pricingExpression"]
        rates = expression["tieredRates"]
        unit = expression["usageUnit"]
        price = rates[0]["unitPrice"]
        currency, units, nanos = price["currencyCode"], price.get("units", "0"), price["nanos"]
    except (KeyError, IndexError, TypeError) as error:
        raise PriceError("MALFORMED_ROW", f"pricingInfo lacks {error}") from error
    if len(rates) != 1:
        raise PriceError("VOLUME_TIER", f"tieredRates has {len(rates)} tiers")
    wanted = next(u for word, u in UNITS.items() if word in part.split())
    if unit != wanted:
        raise PriceError("UNKNOWN_UNIT", f"usageUnit is {unit!r}, expected {wanted!r}")
    if currency != "USD":
        raise PriceError("OTHER_CURRENCY", f"currencyCode is {currency!r}")
    # "²" is a digit to Python and no integer; no price has more digits than an Int64
    figures = (str(units), str(nanos))
    if not all(f.isascii() and f.isdigit() and len(f) < 19 for f in figures) or int(nanos) >= NANO:
        raise PriceError("NOT_A_NUMBER", f"unitPrice {units!r} units and {nanos!r} nanos")
    value = Fraction(int(units) * NANO + int(nanos), NANO)
    if value == 0:
        raise PriceError("ZERO_PRICE", "unitPrice 0 means not offered, never free")
    return value / HOURS_PER_MONTH if unit == "GiBy.mo" else value


def _text(value: Fraction) -> str:
    """Return a sum as decimal text of at most :data:`SUM_DECIMALS` places, rounded half up once."""
    scaled = round_half_up(value.numerator * 10**SUM_DECIMALS, value.denominator)
    whole, rest = divmod(scaled, 10**SUM_DECIMALS)
    return f"{whole}.{rest:0{SUM_DECIMALS}d}".rstrip("0").rstrip(".")


Rates = dict[tuple[str, str, str], Fraction]


def _rates(capture: Capture, skus: list[Any]) -> tuple[Rates, list[dict[str, Any]]]:
    """Return the rate of each (part, tenor, region), and the SKUs refused on the way."""
    rates: Rates = {}
    ambiguous: set[tuple[str, str, str]] = set()
    refused = []
    for sku in skus:
        try:
            if not isinstance(sku, dict) or not isinstance(sku.get("category"), dict):
                raise PriceError("MALFORMED_ROW", "a SKU has no category object")
            part = _part(sku)
            tenor = TENOR_OF_USAGE.get(str(sku["category"].get("usageType")))
            if part is None or tenor is None:
                if sku["category"].get("resourceGroup") != "GPU":
                    continue
                raise PriceError("UNREVIEWED_SKU", f"GPU part {sku.get('description')!r}")
            rate = _rate(sku, part)
            keys = [(part, tenor, str(region)) for region in sku.get("serviceRegions") or []]
            clashes = [key for key in keys if rates.setdefault(key, rate) != rate]
            ambiguous.update(clashes)
            if clashes:
                told = f"{clashes[0]} costs {_text(rates[clashes[0]])} and {_text(rate)}"
                raise PriceError("AMBIGUOUS_PART", told)
        except PriceError as error:
            named = str(sku.get("skuId", "")) if isinstance(sku, dict) else ""
            refused.append(
                rejection(capture, PROVIDER, named, error.reason, tabular.detail_of(error))
            )
    return {key: rate for key, rate in rates.items() if key not in ambiguous}, refused


def parse(capture: Capture) -> Parsed:
    """Return a quote per machine type, region and tenor whose parts are all priced.

    The body is a page, or the pages of a run joined by :func:`join`. A quote has the machine type
    as ``listing_id``, the exact sum as ``price_text`` (unit ``per_instance_hour``, USD), the
    region, ``gpu_count`` from :data:`SHAPES`, tier E3. Order: machine type as in :data:`SHAPES`,
    tenor, region.

    SKUs that are neither a GPU nor a part of a reviewed shape are other products, not rows.

    Rejections: ``PART_MISSING`` (the GPU has a price in the region and another part has none: the
    sum would understate), ``UNREVIEWED_SKU`` (a GPU no shape uses, commitments included),
    ``AMBIGUOUS_PART``, ``VOLUME_TIER``, ``UNKNOWN_UNIT``, ``OTHER_CURRENCY``, ``NOT_A_NUMBER``,
    ``ZERO_PRICE``, ``MALFORMED_ROW``.

    Raises:
        ParseError: ``NOT_JSON``, ``SHAPE``, or ``EMPTY`` when no page has a SKU.
    """
    body = strict_loads(capture)
    pages = body["pages"] if isinstance(body, dict) and "pages" in body else [body]
    if not isinstance(pages, list):
        raise ParseError(capture.source, "SHAPE", "pages is not a list")
    skus = [sku for page in pages for sku in _page(page, capture.source)["skus"]]
    if not skus:
        raise ParseError(capture.source, "EMPTY", "no SKU in any page")
    rates, rejections = _rates(capture, skus)
    quotes = []
    for machine, shape in SHAPES.items():
        gpu = f"GPU {shape.gpu}"
        needed = {
            gpu: shape.gpu_count,
            f"{shape.series} core": shape.vcpu,
            f"{shape.series} memory": shape.memory_gib,
            "SSD": shape.ssd_gib,
        }
        for _, tenor, region in sorted(key for key in rates if key[0] == gpu):
            parts = [(rates.get((part, tenor, region)), n) for part, n in needed.items() if n]
            absent = [p for p, n in needed.items() if n and (p, tenor, region) not in rates]
            if absent:
                detail = f"{', '.join(absent)} has no {tenor} price in {region}"
                rejections.append(rejection(capture, PROVIDER, machine, "PART_MISSING", detail))
                continue
            total = sum((rate * n for rate, n in parts if rate is not None), Fraction(0))
            quotes.append(_quote(capture, machine, shape, tenor, region, _text(total)))
    whole = Parsed(
        quotes=schemas.validate(
            schemas.Quote, schemas.frame(schemas.Quote, quotes), capture.source
        ),
        rejections=schemas.frame(schemas.Rejection, rejections),
    )
    return not_empty(capture, whole)


def _quote(
    capture: Capture, machine: str, shape: Shape, tenor: str, region: str, price: str
) -> dict[str, Any]:
    return {
        "source": capture.source,
        "provider": PROVIDER,
        "listing_id": machine,
        "meter": "GPU_H",
        "price_text": price,
        "quoted_unit": "per_instance_hour",
        "currency": "USD",
        "tenor": tenor,
        "region": region,
        "gpu_count": shape.gpu_count,
        "is_official_date": False,
        "status": "offered",
        "observed_at": capture.observed_at,
        "tier": "E3",
        "capture_sha256": capture.sha256,
    }


HISTORY_COLUMNS = ("date", "commit", "machine_type", "region", "hour", "hour_spot")


def parse_history(capture: Capture) -> Parsed:
    """Return a quote for ``hour`` and one for ``hour_spot``, where given, of each dated row.

    Seen at 00:00 UTC of the date; ``listing_id`` the machine type, unit ``per_instance_hour``, USD,
    ``gpu_count`` null, tier E4. Rejections: ``NO_PRICE`` (``hour`` empty), ``DUPLICATE_ROW``,
    ``DUPLICATE_LISTING``, ``BAD_DATE``, ``MALFORMED_ROW`` and price reasons.

    Raises:
        ParseError: ``NOT_CSV``, ``COLUMNS`` or ``EMPTY``.
    """
    tenors = {"hour": "on_demand", "hour_spot": "spot"}
    return tabular.dated_instances(capture, HISTORY_COLUMNS, PROVIDER, "machine_type", tenors)


SOURCE = Source(
    id=ID,
    kind="gpus",
    url=URL,
    parse=parse,
    requests=requests,
    tier="E3",
    code_licence="none: no code is used",
    data_right="prices are facts, quoted with source and date",
    terms=(
        "Key required; the terms the key was issued under apply and were not read (2026-11-21): "
        "confirm before going live"
    ),
    auth_env="GCP_API_KEY",
    max_raw_bytes=64 * 2**20,
    max_decoded_bytes=256 * 2**20,
    deadline_seconds=600.0,
    every=timedelta(hours=22),
)

HISTORY = Source(
    id=HISTORY_ID,
    kind="gpus",
    url=HISTORY_URL,
    parse=parse_history,
    requests=single_get,
    tier="E4",
    code_licence="Apache-2.0",
    data_right="prices are facts, quoted with source and date",
    terms="Extracted from dated tables in the repository's history; read 2026-11-20",
    mode="history",
    is_live=False,
    path="gcp_list",
    content_types=("text/csv",),
    max_raw_bytes=64 * 2**20,
    max_decoded_bytes=128 * 2**20,
)
