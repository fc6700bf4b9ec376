"""gpurentalprices.com: posted GPU-hour prices of 34 sellers, one JSON body a day.

Address: ``https://gpurentalprices.com/api/latest.json``, no key. Data CC BY 4.0, credit
"gpurentalprices.com" (licence recorded with the captures of 2026-07-05 to 2026-08-22). The
publisher reads sellers' pages, so its rows are mirrors: tier E4. Published around 06:00 to 09:00
UTC on most days, with outliers up to 23:04, and the date in the body is the UTC day of
``generated_at``.

Field map (one object of ``offers``):

=============  =====================================================================================
provider       seller, kept as spelled
gpu            chip key. ``h100-sxm`` states its form factor, ``h100`` does not and never means SXM
vram_gb        memory of one GPU as the publisher read it; must not contradict the key
usd_hr         USD per GPU and hour already, also where ``min_gpus`` is 8: kept verbatim
kind           ``on-demand``, ``secure`` (RunPod's own on-demand class), ``community``, ``spot``,
               ``serverless``; see :data:`TENOR_OF_KIND`
min_gpus       smallest order; absent in some rows. Not the size of a priced instance
fetched_at     when the publisher last read this row. It is the time of observation: after a failed
               read the publisher repeats old rows under a new ``generated_at``
source_url     the page read; evidence for the reviewed mapping, unused here
=============  =====================================================================================

``providers`` and ``meta`` describe the publisher's own health and are not used: the time stamp of
each row decides. Region is never stated: null.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator
from datetime import datetime, timedelta
from typing import Any

from collectors import strict
from collectors.base import Capture, Parsed, Request, Source, rejection, single_get
from collectors.gpus import tabular
from collectors.rows import load_json
from collectors.times import utc_moment
from collectors.visible import name_fault
from methodology import schemas
from methodology.errors import ParseError, PriceError
from methodology.units import exact

ID = "gpurentalprices"
URL = "https://gpurentalprices.com/api/latest.json"

MAX_AGE = timedelta(hours=26)
"""A row older than this against its own body was carried forward: not seen in this daily run."""

TENOR_OF_KIND = {
    "on-demand": "on_demand",
    "secure": "on_demand",
    "community": "community",
    "spot": "spot",
    "serverless": "other",
}
"""``serverless`` bills per second of a request, not per rented hour: never an on-demand rent."""

MEMORY_OF_KEY = {
    "a100-pcie-40": (40,),
    "a100-pcie-80": (80,),
    "a100-sxm-40": (40,),
    "a100-sxm-80": (80,),
    "a40": (48,),
    "b200": (180, 192),
    "gh200": (96, 144),
    "h100": (80,),
    "h100-nvl": (94,),
    "h100-pcie": (80,),
    "h100-sxm": (80,),
    "h200": (141, 143),
    "h200-nvl": (141, 143),
    "l4": (24,),
    "l40": (48,),
    "l40s": (48,),
    "rtx-pro-6000": (96,),
}
"""Memory, in GB, that a key's chip can have; 143 is the H200's 141 GB as a driver prints it.

Keys not listed are not checked: they map to no instrument.
"""


def requests(base_url: str) -> Generator[Request, Capture, None]:
    """Yield the one GET of a day."""
    yield from single_get(base_url)


def _text(row: dict[str, Any], field: str) -> str:
    value = row.get(field)
    if not isinstance(value, str) or isinstance(value, strict.Number) or not value:
        raise PriceError("MALFORMED_ROW", f"{field} {value!r} is not a text")
    if fault := name_fault(value):
        raise PriceError("MALFORMED_ROW", f"{field} {value[:80]!a} {fault}")
    return value


def _whole(row: dict[str, Any], field: str) -> int:
    value = row.get(field)
    if not isinstance(value, strict.Number) or not value.isdigit() or len(value) > 5:
        raise PriceError("MALFORMED_ROW", f"{field} {value!r} is not a small whole number")
    return int(value)


def _tenor(kind: str) -> str:
    if kind.startswith("reserved"):
        return "reserved"
    return TENOR_OF_KIND.get(kind, "other")


def _read(row: dict[str, Any], generated_at: datetime) -> dict[str, Any]:
    """Return one offer as checked fields, or raise the reason for which it is refused."""
    provider, gpu, kind = _text(row, "provider"), _text(row, "gpu"), _text(row, "kind")
    memory = _whole(row, "vram_gb")
    smallest = _whole(row, "min_gpus") if "min_gpus" in row else 1
    price = row.get("usd_hr")
    if not isinstance(price, strict.Number):
        raise PriceError("NOT_A_NUMBER", f"usd_hr {price!r} is not a number")
    value = exact(price)
    if value == 0:
        raise PriceError("ZERO_PRICE", f"usd_hr {price} means not offered, never free")
    seen_at = utc_moment(row.get("fetched_at"))
    if seen_at is None:
        raise PriceError("MALFORMED_ROW", f"fetched_at {row.get('fetched_at')!r} is not a UTC time")
    if generated_at - seen_at > MAX_AGE:
        raise PriceError(
            "CARRIED_FORWARD",
            f"fetched_at {row['fetched_at']} is over 26 h before generated_at {generated_at}",
        )
    if seen_at - generated_at > timedelta(minutes=5):
        raise PriceError(
            "SEEN_IN_FUTURE", f"fetched_at {row['fetched_at']} is after generated_at {generated_at}"
        )
    if memory not in MEMORY_OF_KEY.get(gpu, (memory,)):
        raise PriceError(
            "MEMORY_CONTRADICTS_NAME", f"vram_gb {memory} cannot be {gpu!r}; one of them is wrong"
        )
    return {
        "key": (provider, gpu, memory, kind),
        "price": str(price),
        "value": value,
        "smallest": smallest,
        "seen_at": seen_at,
    }


def _choose(same: list[dict[str, Any]]) -> None:
    """Give each offer of one key its listing id, or the reason for which it gives way.

    A repeated price is one offer printed twice. Different prices for different smallest orders are
    different listings: the smallest order has the plain id, the others end in ``|min8``. Different
    prices that nothing tells apart: the cheapest stands, because it is the price at which a new
    customer can buy now.
    """
    kept: dict[int, dict[str, Any]] = {}
    for offer in same:
        twin = next((k for k in kept.values() if k["value"] == offer["value"]), None)
        rival = kept.get(offer["smallest"])
        if twin is not None:
            offer["refused"] = ("DUPLICATE_ROW", f"usd_hr {offer['price']} is printed twice")
        elif rival is None:
            kept[offer["smallest"]] = offer
        else:
            cheap, dear = sorted((rival, offer), key=lambda o: o["value"])
            kept[offer["smallest"]] = cheap
            dear["refused"] = (
                "DUPLICATE_LISTING",
                f"usd_hr {dear['price']} beside {cheap['price']} for the same offer",
            )
    _, gpu, memory, kind = same[0]["key"]
    for rank, smallest in enumerate(sorted(kept)):
        suffix = f"|min{smallest}" if rank else ""
        kept[smallest]["listing"] = f"{gpu}|{memory}|{kind}{suffix}"


def _offers(capture: Capture) -> tuple[list[Any], datetime]:
    body = load_json(capture)
    offers = body.get("offers") if isinstance(body, dict) else None
    generated_at = utc_moment(body.get("generated_at")) if isinstance(body, dict) else None
    if not isinstance(offers, list) or generated_at is None:
        raise ParseError(
            capture.source, "SHAPE", "expected an object with offers (list) and generated_at (time)"
        )
    if generated_at > capture.observed_at + timedelta(days=1):
        raise ParseError(
            capture.source,
            "SHAPE",
            f"generated_at is {generated_at}, fetched {capture.observed_at}; retry",
        )
    if not offers:
        raise ParseError(capture.source, "EMPTY", "offers is empty; 34 sellers do not stop at once")
    return offers, generated_at


def parse(capture: Capture) -> Parsed:
    """Return one quote or one rejection per offer, each in body order.

    Quotes: ``listing_id`` is ``gpu|vram_gb|kind`` (such as ``h100-sxm|80|secure``), meter
    ``GPU_H``, unit ``per_gpu_hour``, USD, ``observed_at`` the row's own ``fetched_at``, region
    and ``gpu_count`` null, tier E4.

    Rejections: ``CARRIED_FORWARD``, ``SEEN_IN_FUTURE``, ``MEMORY_CONTRADICTS_NAME``,
    ``ZERO_PRICE``, ``NEGATIVE_PRICE``, ``NOT_A_NUMBER``, ``DUPLICATE_ROW``,
    ``DUPLICATE_LISTING``, ``MALFORMED_ROW``.

    Raises:
        ParseError: ``NOT_JSON``, ``SHAPE`` or ``EMPTY``; nothing of the body is used.
    """
    rows, generated_at = _offers(capture)
    taken: list[dict[str, Any]] = []
    same: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        try:
            if not isinstance(row, dict):
                raise PriceError("MALFORMED_ROW", f"an offer is {type(row).__name__}, no object")
            offer = _read(row, generated_at)
            same[offer["key"]].append(offer)
        except PriceError as error:
            named = row if isinstance(row, dict) else {}
            key = "|".join(str(named.get(part, "")) for part in ("gpu", "vram_gb", "kind"))
            offer = {
                "key": (str(named.get("provider", "")),),
                "listing": key,
                "refused": (error.reason, tabular.detail_of(error)),
            }
        taken.append(offer)
    for offers in same.values():
        _choose(offers)
    quotes, rejections = [], []
    for offer in taken:
        if "refused" in offer:
            reason, detail = offer["refused"]
            listing = offer.get("listing") or "|".join(str(part) for part in offer["key"][1:])
            rejections.append(rejection(capture, offer["key"][0], listing, reason, detail))
        else:
            quotes.append(_quote(capture, offer))
    return Parsed(
        quotes=schemas.validate(
            schemas.Quote, schemas.frame(schemas.Quote, quotes), capture.source
        ),
        rejections=schemas.frame(schemas.Rejection, rejections),
    )


def _quote(capture: Capture, offer: dict[str, Any]) -> dict[str, Any]:
    return {
        "source": capture.source,
        "provider": offer["key"][0],
        "listing_id": offer["listing"],
        "meter": "GPU_H",
        "price_text": offer["price"],
        "quoted_unit": "per_gpu_hour",
        "currency": "USD",
        "tenor": _tenor(offer["key"][3]),
        "is_official_date": False,
        "status": "offered",
        "observed_at": offer["seen_at"],
        "tier": "E4",
        "capture_sha256": capture.sha256,
    }


SOURCE = Source(
    id=ID,
    kind="gpus",
    url=URL,
    parse=parse,
    requests=requests,
    tier="E4",
    code_licence="none: no code is used",
    data_right="CC BY 4.0",
    terms=(
        "Data CC BY 4.0, credit gpurentalprices.com; no terms page was at hand (2026-11-21), "
        "confirm on the site before going live"
    ),
    max_raw_bytes=4 * 2**20,
    max_decoded_bytes=8 * 2**20,
)
