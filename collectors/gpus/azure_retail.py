"""Azure: the Retail Prices API, and a dated mirror of it.

**List.** ``https://prices.azure.com/api/retail/prices``, no key (Microsoft Learn, "Azure Retail
Prices overview", read 2026-11-20). A body is a page of ``Items`` with ``NextPageLink``; each page
is parsed on its own. Tier E3.

Field map (one object of ``Items``):

=====================  =============================================================================
serviceName            "Virtual Machines"; other services are refused
type                   "Consumption" is pay as you go. "Reservation" carries the *total* of a term
                       of years under the unit "1 Hour": refused as RESERVATION_TOTAL, never read
                       as an hourly price. "DevTestConsumption" is for subscribers only
reservationTerm        present on reservations; refused the same way whatever ``type`` says
unitOfMeasure          "1 Hour"
productName            contains "Windows" when the licence is included (Linux rows say nothing);
                       "Cloud Services" marks the retired hosting product
armSkuName             the listing, for example Standard_ND96isr_H100_v5. GPU machines are the
                       N families (NC, ND, NV, NG)
skuName, meterName     end in "Spot" (interruptible at a market price) or "Low Priority"
                       (interruptible at a fixed discount, batch pools only): tenors spot and other
retailPrice            per instance and hour, before any agreement. ``unitPrice`` repeats it
armRegionName          region
effectiveStartDate     start of this price, stated by the seller
isPrimaryMeterRegion   false rows repeat a meter for another region's bill: refused
tierMinimumUnits       above zero only for volume tiers: refused
savingsPlan            one- and three-year committed prices nested in the row: unused
=====================  =============================================================================

The number of GPUs is not stated: ``gpu_count`` is null and the reviewed mapping supplies it.

**History.** Dated copies of the price table that a public scheduler generates from the same API
(github.com/Azure/karpenter-provider-azure; Apache-2.0): tier E4, an observation at 00:00 UTC of its
date.
"""

from __future__ import annotations

from collections.abc import Generator
from datetime import timedelta
from typing import Any

from collectors import retail_prices as retail
from collectors import strict
from collectors.base import Capture, Parsed, Request, Source, rejection, single_get
from collectors.gpus import tabular
from collectors.visible import name_fault
from methodology import schemas
from methodology.errors import PriceError
from methodology.units import exact

ID = "azure_retail"
HISTORY_ID = "azure_history"
URL = "https://prices.azure.com/api/retail/prices"
HISTORY_URL = "https://github.com/Azure/karpenter-provider-azure"
PROVIDER = "azure"

FILTER = (
    "serviceName eq 'Virtual Machines' and priceType eq 'Consumption'"
    " and contains(armSkuName, 'Standard_N')"
)
MAX_PAGES = 400
"""Pages hold 100 to 1,000 rows; a list that never ends is a fault, not a price list."""


def requests(base_url: str) -> Generator[Request, Capture, None]:
    """Yield the pages of the list, at most :data:`MAX_PAGES` (``retail_prices.pages``)."""
    yield from retail.pages(base_url, FILTER, MAX_PAGES)


def _text(item: dict[str, Any], field: str) -> str:
    value = item.get(field)
    if not isinstance(value, str) or isinstance(value, strict.Number) or not value:
        raise PriceError("MALFORMED_ROW", f"{field} {value!r} is not a text")
    return value


def _screen(item: dict[str, Any]) -> None:
    """Raise the reason for which a row is no pay-as-you-go Linux machine."""
    if item.get("type") == "Reservation" or item.get("reservationTerm"):
        raise PriceError(
            "RESERVATION_TOTAL",
            f"retailPrice {item.get('retailPrice')} is the total of {item.get('reservationTerm')}"
            f" although unitOfMeasure says {item.get('unitOfMeasure')!r}",
        )
    product = _text(item, "productName")
    checks = (
        (item.get("type") == "Consumption", "NOT_CONSUMPTION", "type"),
        (item.get("serviceName") == "Virtual Machines", "NOT_A_MACHINE", "serviceName"),
        (item.get("unitOfMeasure") == "1 Hour", "UNIT_NOT_HOUR", "unitOfMeasure"),
        (item.get("currencyCode") == "USD", "OTHER_CURRENCY", "currencyCode"),
        ("Windows" not in product, "NOT_LINUX", "productName"),
        ("CloudServices" not in product.replace(" ", ""), "OTHER_SERVICE", "productName"),
        (_text(item, "armSkuName").startswith("Standard_N"), "NOT_GPU", "armSkuName"),
        (item.get("isPrimaryMeterRegion", True) is True, "SECONDARY_METER", "isPrimaryMeterRegion"),
        (
            exact(str(item.get("tierMinimumUnits", strict.Number("0")))) == 0,
            "VOLUME_TIER",
            "tierMinimumUnits",
        ),
    )
    for passes, reason, field in checks:
        if not passes:
            raise PriceError(reason, f"{field} is {item.get(field)!r}")


def _tenor(item: dict[str, Any]) -> str:
    names = f"{item.get('skuName', '')} {item.get('meterName', '')}"
    if "Spot" in names:
        return "spot"
    return "other" if "Low Priority" in names else "on_demand"


def _quote(capture: Capture, item: dict[str, Any]) -> dict[str, Any]:
    _screen(item)
    price = item.get("retailPrice")
    if not isinstance(price, strict.Number):
        raise PriceError("NOT_A_NUMBER", f"retailPrice {price!r} is not a number")
    if exact(price) == 0:
        raise PriceError("ZERO_PRICE", f"retailPrice {price} means not offered, never free")
    start = retail.start_of(item)
    for field in ("armSkuName", "armRegionName"):
        if fault := name_fault(_text(item, field)):
            raise PriceError("MALFORMED_ROW", f"{field} {str(item[field])[:80]!a} {fault}")
    return {
        "source": capture.source,
        "provider": PROVIDER,
        "listing_id": _text(item, "armSkuName"),
        "meter": "GPU_H",
        "price_text": str(price),
        "quoted_unit": "per_instance_hour",
        "currency": "USD",
        "tenor": _tenor(item),
        "region": _text(item, "armRegionName"),
        "effective_from": start,
        "is_official_date": start is not None,
        "status": "offered",
        "observed_at": capture.observed_at,
        "tier": "E3",
        "capture_sha256": capture.sha256,
    }


def parse(capture: Capture) -> Parsed:
    """Return one quote or one rejection per item of a page, each in body order.

    Quotes: ``listing_id`` the ARM name, ``region``, unit ``per_instance_hour``, USD, ``gpu_count``
    null, tenor ``on_demand``, ``spot`` or ``other`` (low priority), ``effective_from`` the stated
    start with ``is_official_date`` true (null and false when none is stated), tier E3. Rows for
    the same machine, region, tenor and start: the cheapest is kept, the price a new customer pays.

    Rejections: ``RESERVATION_TOTAL``, ``NOT_CONSUMPTION``, ``NOT_A_MACHINE``, ``UNIT_NOT_HOUR``,
    ``OTHER_CURRENCY``, ``NOT_LINUX``, ``OTHER_SERVICE``, ``NOT_GPU``, ``SECONDARY_METER``,
    ``VOLUME_TIER``, ``ZERO_PRICE``, ``NEGATIVE_PRICE``, ``NOT_A_NUMBER``, ``DUPLICATE_ROW``,
    ``DUPLICATE_LISTING``, ``MALFORMED_ROW``, ``BAD_DATE`` (a start in no year of a price).

    Raises:
        ParseError: ``NOT_JSON`` or ``SHAPE``. A page without items is a valid last page.
    """
    quotes: dict[tuple[Any, ...], dict[str, Any]] = {}
    rejections = []
    for item in retail.body_of(capture)["Items"]:
        named = item if isinstance(item, dict) else {}
        listing = str(named.get("armSkuName") or named.get("meterName") or "")
        try:
            if not isinstance(item, dict):
                raise PriceError("MALFORMED_ROW", f"an item is {type(item).__name__}, no object")
            quote = _quote(capture, item)
            key = (quote["listing_id"], quote["region"], quote["tenor"], quote["effective_from"])
            rival = quotes.get(key)
            if rival is None:
                quotes[key] = quote
                continue
            new, old = exact(quote["price_text"]), exact(rival["price_text"])
            if new < old:
                quotes[key] = quote
                quote, rival = rival, quote
            raise PriceError(
                "DUPLICATE_ROW" if new == old else "DUPLICATE_LISTING",
                f"retailPrice {quote['price_text']} beside {rival['price_text']} in"
                f" {quote['region']} as {quote['tenor']}",
            )
        except PriceError as error:
            rejections.append(
                rejection(capture, PROVIDER, listing, error.reason, tabular.detail_of(error))
            )
    kept = schemas.frame(schemas.Quote, list(quotes.values()))
    return Parsed(
        quotes=schemas.validate(schemas.Quote, kept, capture.source),
        rejections=schemas.frame(schemas.Rejection, rejections),
    )


HISTORY_COLUMNS = ("date", "commit", "region", "sku", "usd_per_instance_hour")


def parse_history(capture: Capture) -> Parsed:
    """Return one quote per row of the dated mirror: a price seen at 00:00 UTC of its date.

    ``listing_id`` is the ARM name, unit ``per_instance_hour``, USD, tenor ``on_demand``,
    ``gpu_count`` null, tier E4. Rejections: ``DUPLICATE_ROW`` and ``DUPLICATE_LISTING`` (cheapest
    kept), ``BAD_DATE``, ``MALFORMED_ROW`` and price reasons.

    Raises:
        ParseError: ``NOT_CSV``, ``COLUMNS`` or ``EMPTY``.
    """
    return tabular.dated_instances(
        capture, HISTORY_COLUMNS, PROVIDER, "sku", {"usd_per_instance_hour": "on_demand"}
    )


SOURCE = Source(
    id=ID,
    kind="gpus",
    url=URL,
    parse=parse,
    requests=requests,
    tier="E3",
    code_licence="none: no code is used",
    data_right="prices are facts, quoted with source and date",
    terms="Public API without key; USD prices are retail prices (Microsoft Learn, 2026-11-20)",
    every=timedelta(hours=5),
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
    path="azure_retail",
    content_types=("text/csv",),
    max_decoded_bytes=64 * 2**20,
)
