"""Prime Intellect: offers of many sellers under one account, with the state of their stock.

Address: ``https://api.primeintellect.ai/api/v1/availability/gpus``, key in ``PRIME_API_KEY`` with
the permission "Availability: read" (docs.primeintellect.ai, "Get availability information" and
"Get GPU availability", read 2026-11-21). A broker: it shows what other sellers offer, so its rows
are mirrors, tier E4. Its terms have not been read; confirm them before going live.

No body of the API is at hand: the shape is the documented one. At hand are half-hourly summaries of
it, made by somebody else (tugot17/gpu-price-tracker, MIT, seven days of 2025-10), read by
:func:`parse_history`. So the source is unproven.

Field map of an offer (``items[]``, with ``totalCount``; 100 to a page):

=================  =================================================================================
provider           seller, kept as spelled (``lambdalabs``, ``crusoecloud``)
gpuType, socket    ``H100_80GB`` and ``SXM5``; the socket may be null. With gpuCount the listing id:
                   ``H100_80GB|SXM5|x8``
gpuCount           GPUs of the offer; a cluster has up to hundreds
prices.onDemand    per hour for the **whole offer**: the summaries divide it by the GPUs
prices.currency    must be USD
prices.communityPrice  the same for hosts of the community: tenor community
prices.isVariable  true: the figure depends on what else is booked; refused as DYNAMIC_PRICE
isSpot             true: may be taken back; tenor spot
security           ``community_cloud``: tenor community
dataCenter         region, else ``country``
stockStatus        Low, Medium, High, Unavailable: a stock band. Available says no band, and
                   ``Unavailable`` is an offer that nobody can take: refused as PRICE_NOT_OFFERED
cloudId            the seller's own id: goes into the subject of the stock
disk, vcpu, memory what comes with it, and what more of it costs: unused
=================  =================================================================================

Field map of a summary (one JSON line per GPU and half hour):

=================  =================================================================================
timestamp          time of observation, UTC
price_stats        quantiles over all sellers, sizes and tenors: no offer, refused (NOT_AN_OFFER)
by_provider        count, lowest and mean of one seller over sizes and tenors: refused alike. The
                   lowest is somebody's price, but of how many GPUs and on what terms is not said
by_config          per number of GPUs: count, lowest and mean. ``best_deal`` names seller, country,
                   socket and spot of the lowest: with ``min_total``, the price of the whole offer
                   in whole cents, this is an offer and is quoted. Without it (the first hours):
                   refused
availability       offers by state of stock. Their number is not a number of GPUs: one machine
                   stands there as 1x, 2x, 4x and 8x. The highest band stated is the stock band
=================  =================================================================================
"""

from __future__ import annotations

from collections.abc import Generator
from datetime import timedelta
from typing import Any

from collectors import strict
from collectors.base import Capture, Parsed, Request, Source
from collectors.gpus.listed import Offers, gpus, joined, name, objects, whole
from collectors.rows import load_json, shape_error
from collectors.times import utc_moment
from methodology.errors import ParseError

ID = "primeintellect"
URL = "https://api.primeintellect.ai/api/v1/availability/gpus"
PAGE_SIZE = 100
MAX_PAGES = 100
MAX_TOTAL = PAGE_SIZE * MAX_PAGES


def requests(base_url: str) -> Generator[Request, Capture, None]:
    """Yield pages of :data:`PAGE_SIZE` offers until ``totalCount`` is reached.

    Raises:
        ParseError: ``ENDLESS`` after :data:`MAX_PAGES` pages, or what a page itself raises.
    """
    for page in range(1, MAX_PAGES + 1):
        got = yield Request(url=base_url, params={"page": str(page), "page_size": str(PAGE_SIZE)})
        items, total = _page(got)
        if not items or page * PAGE_SIZE >= total:
            return
    raise ParseError(ID, "ENDLESS", f"more offers to come after {MAX_PAGES} pages")


def _page(capture: Capture) -> tuple[list[Any], int]:
    body = load_json(capture)
    items = body.get("items") if isinstance(body, dict) else None
    total = whole(body.get("totalCount"), MAX_TOTAL) if isinstance(body, dict) else None
    if not isinstance(items, list) or total is None:
        raise shape_error(capture, "expected an object with items (list) and totalCount (count)")
    return items, total


def parse(capture: Capture) -> Parsed:
    """Return one quote or rejection per offer of a page, and its stock, in body order.

    Quotes: seller as spelled, ``gpuType|socket|x<GPUs>``, USD ``per_instance_hour`` with
    ``gpu_count``, tenor ``on_demand``, ``spot`` or ``community``, tier E4. Volumes: ``stock_band``
    per ``provider|cloudId|x<GPUs>|region``.

    Rejections: ``PRICE_NOT_OFFERED``, ``DYNAMIC_PRICE``, ``OTHER_CURRENCY``, ``PRICE_MISSING``,
    ``ZERO_PRICE``, ``NEGATIVE_PRICE``, ``NOT_A_NUMBER``, ``GPU_COUNT_UNKNOWN``, ``NOT_A_COUNT``
    (a stock that is no band), ``MALFORMED_ROW``.

    Raises:
        ParseError: ``NOT_JSON`` or ``SHAPE``. A page without offers is a valid last page.
    """
    rows = Offers(capture, "per_instance_hour", "E4")
    for item in objects(rows, "", "items", _page(capture)[0]):
        _offer(rows, item)
    return rows.parsed()


def _offer(rows: Offers, item: dict[str, Any]) -> None:
    seller, kind = name(item.get("provider")), name(item.get("gpuType"))
    prices = item.get("prices")
    if seller is None or kind is None or not isinstance(prices, dict):
        what = f"provider {item.get('provider')!r}, gpuType {item.get('gpuType')!r}, prices"
        rows.reject(seller or "", kind or "", "MALFORMED_ROW", f"{what}: one of them is no name")
        return
    count = gpus(item.get("gpuCount"))
    listing = joined(kind, item.get("socket"), f"x{item.get('gpuCount')}")
    if count is None:
        detail = f"gpuCount is {str(item.get('gpuCount'))[:40]!r}"
        rows.reject(seller, listing, "GPU_COUNT_UNKNOWN", detail)
        return
    region = name(item.get("dataCenter")) or name(item.get("country"))
    stock = item.get("stockStatus")
    subject = joined(seller, item.get("cloudId"), f"x{count}", region)
    if stock != "Available":
        rows.band(seller, subject, "stockStatus", stock)
    if stock == "Unavailable":
        rows.reject(seller, listing, "PRICE_NOT_OFFERED", "stockStatus is 'Unavailable'")
        return
    if prices.get("isVariable") is True:
        rows.reject(seller, listing, "DYNAMIC_PRICE", "prices.isVariable is true")
        return
    if prices.get("currency") != "USD":
        detail = f"prices.currency is {str(prices.get('currency'))[:20]!r}"
        rows.reject(seller, listing, "OTHER_CURRENCY", detail)
        return
    own, shared = prices.get("onDemand"), prices.get("communityPrice")
    is_community = item.get("security") == "community_cloud"
    if own is not None or shared is None:
        tenor = "spot" if item.get("isSpot") is True else "on_demand"
        tenor = "community" if is_community else tenor
        rows.gpu(
            seller, listing, "prices.onDemand", own, tenor=tenor, region=region, gpu_count=count
        )
    if shared is not None:
        rows.gpu(
            seller,
            f"{listing}|community",
            "prices.communityPrice",
            shared,
            tenor="community",
            region=region,
            gpu_count=count,
        )


def parse_history(capture: Capture) -> Parsed:
    """Return what stored half-hourly summaries show of single offers, and their stock.

    Quotes: the cheapest offer of each number of GPUs whose seller is named, USD
    ``per_instance_hour`` (``min_total``) with ``gpu_count``, region the country, ``observed_at``
    the time of the summary, tier E4. Volumes: ``stock_band`` per ``gpu_type|socket_type``.

    Rejections: ``NOT_AN_OFFER`` once for ``price_stats``, once per seller of ``by_provider`` and
    once per number of GPUs without ``best_deal``; ``NOT_A_COUNT`` when no offer states a band;
    ``MALFORMED_ROW``; the reasons of prices.

    Raises:
        ParseError: ``NOT_JSON`` for a line that is no JSON, ``SHAPE`` for one that is no summary,
            ``EMPTY`` without a line.
    """
    rows = Offers(capture, "per_instance_hour", "E4")
    lines = [line for line in capture.body.split(b"\n") if line.strip()]
    if not lines:
        raise ParseError(capture.source, "EMPTY", f"{capture.url}: no summary in the body")
    for number, line in enumerate(lines, 1):
        try:
            summary = strict.loads(line)
        except (ValueError, RecursionError) as error:
            raise ParseError(
                capture.source, "NOT_JSON", f"{capture.url} line {number}: {error}"
            ) from error
        _summary(capture, rows, number, summary)
    return rows.parsed()


def _summary(capture: Capture, rows: Offers, number: int, summary: Any) -> None:
    tables = ("price_stats", "availability", "by_provider", "by_config")
    found = summary if isinstance(summary, dict) else {}
    seen, kind = utc_moment(found.get("timestamp")), name(found.get("gpu_type"))
    if seen is None or kind is None or any(not isinstance(found.get(t), dict) for t in tables):
        raise shape_error(
            capture, f"line {number} lacks timestamp, gpu_type or one of {', '.join(tables)}"
        )
    rows.observed_at = seen
    market = joined(kind, found.get("socket_type"))
    when = f"{seen.isoformat()}Z"
    rows.reject(
        "", market, "NOT_AN_OFFER", f"{when} price_stats: quantiles over sellers, sizes and terms"
    )
    for seller, told in found["by_provider"].items():
        least = told.get("min") if isinstance(told, dict) else None
        rows.reject(
            seller,
            market,
            "NOT_AN_OFFER",
            f"{when} by_provider min {least}: size and terms are not stated",
        )
    for size, told in found["by_config"].items():
        _size(rows, kind, found.get("socket_type"), when, size, told)
    _bands(rows, market, when, found["availability"])


def _size(rows: Offers, kind: str, socket: Any, when: str, size: str, told: Any) -> None:
    count = gpus(size.removesuffix("x"))
    listing = joined(kind, socket, f"x{size.removesuffix('x')}")
    if not isinstance(told, dict) or count is None:
        rows.reject("", listing, "MALFORMED_ROW", f"{when} by_config {size!r} is no summary")
        return
    deal = told.get("best_deal")
    if not isinstance(deal, dict) or not name(deal.get("provider")):
        rows.reject(
            "", listing, "NOT_AN_OFFER", f"{when} by_config {size!r}: the seller is not stated"
        )
        return
    rows.gpu(
        deal["provider"],
        joined(kind, deal.get("socket") or socket, f"x{count}"),
        f"{when} by_config {size!r} min_total",
        told.get("min_total"),
        tenor="spot" if deal.get("spot") is True else "on_demand",
        region=name(deal.get("location")),
        gpu_count=count,
    )


def _bands(rows: Offers, market: str, when: str, told: dict[str, Any]) -> None:
    counts = {state: whole(told.get(state), 10**6) for state in ("total", "high", "medium", "low")}
    if any(count is None for count in counts.values()):
        rows.reject("", market, "NOT_A_COUNT", f"{when} availability is {str(told)[:200]}")
        return
    bands = [band for state, band in (("high", 3), ("medium", 2), ("low", 1)) if counts[state]]
    if bands or not counts["total"]:
        rows.stock(market, "stock_band", max(bands, default=0))
    else:
        said = f"{when} availability: {counts['total']} offers are available, none states a band"
        rows.reject("", market, "NOT_A_COUNT", said)


SOURCE = Source(
    id=ID,
    kind="gpus",
    url=URL,
    parse=parse,
    requests=requests,
    tier="E4",
    code_licence="MIT for the stored summaries' repository; no code is used",
    data_right="prices are facts, quoted with source and date",
    terms=(
        "Documentation read 2026-11-21; the terms the key is issued under have not been read: "
        "confirm before going live"
    ),
    auth_env="PRIME_API_KEY",
    every=timedelta(minutes=50),
)
