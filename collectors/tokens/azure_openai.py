"""Azure: token meters of the Retail Prices API (Azure OpenAI and the other Foundry models).

``https://prices.azure.com/api/retail/prices``, no key (Microsoft Learn, "Azure Retail Prices
overview", read 2026-11-21; the traps of the API are told in ``collectors.gpus.azure_retail``).
USD prices are Microsoft's retail prices, the seller's own list: tier E3. Written against that page
and meters quoted by programs that read the API; no whole body was at hand.

The filter asks for ``serviceName eq 'Foundry Models'``, the name since Azure OpenAI and its
siblings were put together (the older ``productName eq 'Azure OpenAI'`` still answers and misses
every newer family), and for one region, without which the answer is tens of thousands of rows.

Field map (one object of ``Items``):

=====================  =============================================================================
serviceName            "Foundry Models"; others are refused
type                   "Consumption"; "Reservation" is the total of a term, "DevTestConsumption" is
                       for subscribers: both refused
unitOfMeasure          "1K" or "1M" tokens, mixed within one body: the unit of the row, exactly. Any
                       other (``1 Hour``, ``1/Hour``: provisioned units) is ``UNKNOWN_UNIT``, and so
                       is one that the meter's name contradicts
meterName              the product in abbreviations, see below
productName            family; stands in the listing because names such as ``4.3 Inp Glbl`` do not
                       repeat it
retailPrice            before any agreement. ``unitPrice`` repeats it
armRegionName          region of a regional or data-zone deployment. Global prices are the same in
                       every region and carry none
effectiveStartDate     start of this price, stated by the seller
isPrimaryMeterRegion   false: repeats a meter for another region's bill; refused
tierMinimumUnits       above zero only for volume tiers: refused
=====================  =============================================================================

Words of a meter's name, whatever the case and the separator:

* direction: ``inp``, ``inpt``, ``input`` IN; ``outp``, ``out``, ``opt``, ``output`` OUT.
* ``cached``, ``cchd``, ``ccchd``, ``cd`` with an input: CIN; with ``wr`` or ``write``: refused.
* deployment: ``glbl``, ``global``, ``gl``; ``dz``, ``dzone``, ``data zone``; ``regnl`` or
  ``regional``. They are different offers and stand in the listing; a name without one gives
  ``unstated``.
* ``batch``: BAT_IN and BAT_OUT. ``std`` is the standard service. ``pp``, ``priority``, ``flex``:
  another level of service, ``PRICE_VARIANT``.
* ``shortco`` is the base bracket; ``longco`` is ``CONTEXT_BRACKET``; a lone ``L`` at the end has no
  documented meaning: ``UNKNOWN_CONDITION``.
* fine-tuning, hosting, grading: ``PRICE_VARIANT``; audio, image, realtime, embeddings:
  ``MODE_NOT_TEXT``; without a direction: ``NOT_A_MEASURED_METER``.

listing_id is ``productName|what is left of the name|deployment``.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from datetime import timedelta
from typing import Any

from collectors import retail_prices as retail
from collectors import strict
from collectors.base import Capture, Parsed, Request, Source
from collectors.rows import Rows, is_name, problem
from collectors.tokens.clashes import without_clashes
from methodology.errors import PriceError
from methodology.units import exact

PROVIDER = "azure"
REGION = "eastus2"
"""The region asked for: the one with most models."""

FILTER = f"serviceName eq 'Foundry Models' and armRegionName eq '{REGION}'"
MAX_PAGES = 40
"""A region had some 1,800 meters on two pages; a list that never ends is a fault."""

UNITS = {"1K": "per_ktok", "1M": "per_mtok"}
DIRECTIONS = {
    **dict.fromkeys(("inp", "inpt", "input"), "IN"),
    **dict.fromkeys(("outp", "out", "opt", "output"), "OUT"),
}
CACHED = {"cached", "cchd", "ccchd", "cd"}
DEPLOYMENTS = {
    **dict.fromkeys(("glbl", "global", "gl"), "global"),
    **dict.fromkeys(("dz", "dzone", "datazone"), "data_zone"),
    **dict.fromkeys(("regnl", "regional"), "regional"),
}
REFUSED = {
    **dict.fromkeys(("wr", "write"), "NOT_A_MEASURED_METER"),
    **dict.fromkeys(("pp", "priority", "flex"), "PRICE_VARIANT"),
    **dict.fromkeys(("ft", "finetuned", "training", "hosting", "grader"), "PRICE_VARIANT"),
    **dict.fromkeys(("provisioned", "ptu"), "PRICE_VARIANT"),
    **dict.fromkeys(("longco", "lngco"), "CONTEXT_BRACKET"),
    **dict.fromkeys(("rt", "realtime", "aud", "audio", "img", "image"), "MODE_NOT_TEXT"),
    **dict.fromkeys(("transcribe", "tts", "sora", "embedding", "embed"), "MODE_NOT_TEXT"),
}
"""Words that make a meter another good, and the reason for which it is refused."""

_PLAIN = {"std", "shortco", "tokens", "token", "1m", "1k"}


def requests(base_url: str) -> Generator[Request, Capture, None]:
    """Yield the pages of the list, at most :data:`MAX_PAGES` (``retail_prices.pages``)."""
    yield from retail.pages(base_url, FILTER, MAX_PAGES)


def parse(capture: Capture) -> Parsed:
    """Return one quote or one rejection per item of a page, in body order.

    Quotes: USD per thousand or per million tokens as the row says, tier E3, ``effective_from`` the
    stated start with ``is_official_date`` true. Rejections: the reasons of :data:`REFUSED`,
    ``UNKNOWN_CONDITION``, ``RESERVATION_TOTAL``, ``NOT_CONSUMPTION``, ``OTHER_SERVICE``,
    ``OTHER_CURRENCY``, ``UNKNOWN_UNIT``, ``SECONDARY_METER``, ``VOLUME_TIER``, ``FREE_OFFER``,
    ``NEGATIVE_PRICE``, ``NOT_A_NUMBER``, ``MALFORMED_ROW``, ``DUPLICATE_LISTING``,
    ``AMBIGUOUS_LISTING``, ``BAD_DATE`` (a start in no year of a price).

    Raises:
        ParseError: ``NOT_JSON`` or ``SHAPE``. A page without items is a valid last page.
    """
    rows = Rows(capture, "per_mtok", "E3")
    for item in retail.body_of(capture)["Items"]:
        named = item if isinstance(item, dict) else {}
        try:
            _item(rows, named)
        except PriceError as error:
            rows.reject(PROVIDER, str(named.get("meterName") or ""), error.reason, error.detail)
    return without_clashes(capture, rows)


def _item(rows: Rows, item: dict[str, Any]) -> None:
    _screen(item)
    listing, meter, deployment = read_meter(item["productName"], item["meterName"])
    price = item.get("retailPrice")
    wrong = problem(price) if isinstance(price, strict.Number) else "NOT_A_NUMBER"
    if wrong:
        raise PriceError(wrong, f"retailPrice is {price!r}")
    region = item.get("armRegionName")
    if deployment != "global" and not is_name(region):
        raise PriceError("MALFORMED_ROW", f"armRegionName is {region!r}")
    start = retail.start_of(item)
    rows.quote(
        PROVIDER,
        listing,
        meter,
        price,
        unit=UNITS[item["unitOfMeasure"]],
        region=None if deployment == "global" else region,
        effective_from=start,
        is_official_date=start is not None,
    )


def _screen(item: dict[str, Any]) -> None:
    """Raise the reason for which a row is no pay-as-you-go token meter."""
    for field in ("productName", "meterName"):
        if not is_name(item.get(field)):
            raise PriceError("MALFORMED_ROW", f"{field} is {item.get(field)!r}")
    if item.get("type") == "Reservation" or item.get("reservationTerm"):
        term = item.get("reservationTerm")
        raise PriceError("RESERVATION_TOTAL", f"{item.get('retailPrice')} is the total of {term}")
    units = str(item.get("tierMinimumUnits", "0"))
    checks = (
        (item.get("type") == "Consumption", "NOT_CONSUMPTION", "type"),
        (item.get("serviceName") == "Foundry Models", "OTHER_SERVICE", "serviceName"),
        (item.get("currencyCode") == "USD", "OTHER_CURRENCY", "currencyCode"),
        (item.get("unitOfMeasure") in list(UNITS), "UNKNOWN_UNIT", "unitOfMeasure"),
        (item.get("isPrimaryMeterRegion", True) is True, "SECONDARY_METER", "isPrimaryMeterRegion"),
        (exact(units) == 0, "VOLUME_TIER", "tierMinimumUnits"),
    )
    for passes, reason, field in checks:
        if not passes:
            raise PriceError(reason, f"{field} is {item.get(field)!r}")
    said = re.search(r"\b1[KM]\b", item["meterName"])
    if said and said[0] != item["unitOfMeasure"]:
        told = f"unitOfMeasure is {item['unitOfMeasure']!r}, meterName {item['meterName']!r}"
        raise PriceError("UNKNOWN_UNIT", told)


def read_meter(product: str, name: str) -> tuple[str, str, str]:
    """Return listing_id, meter and deployment that a meter's name says.

    Raises:
        PriceError: the meter is another good, or its name is not understood; see the module.
    """
    words = re.split(r"[\s-]+", re.sub(r"(?i)data\s+zone", "datazone", name.strip()))
    lower = [word.lower() for word in words]
    for word in lower:
        if word in REFUSED:
            raise PriceError(REFUSED[word], f"{word!r} in meterName {name!r}")
    directions = {DIRECTIONS[word] for word in lower if word in DIRECTIONS}
    deployments = {DEPLOYMENTS[word] for word in lower if word in DEPLOYMENTS}
    if not directions:
        raise PriceError("NOT_A_MEASURED_METER", f"no direction in meterName {name!r}")
    if len(directions) > 1 or len(deployments) > 1 or "l" in lower:
        raise PriceError("UNKNOWN_CONDITION", f"meterName {name!r} is not understood")
    (meter,) = directions
    cached, batch = bool(CACHED & set(lower)), "batch" in lower
    if cached and (batch or meter == "OUT"):
        raise PriceError("NOT_A_MEASURED_METER", f"cached in meterName {name!r}")
    if cached:
        meter = "CIN"
    elif batch:
        meter = f"BAT_{meter}"
    known = {"batch", *_PLAIN, *DIRECTIONS, *CACHED, *DEPLOYMENTS}
    model = " ".join(word for word, low in zip(words, lower, strict=True) if low not in known)
    deployment = next(iter(deployments), "unstated")
    return f"{product}|{model}|{deployment}", meter, deployment


SOURCE = Source(
    id="azure_openai",
    kind="tokens",
    url="https://prices.azure.com/api/retail/prices",
    parse=parse,
    requests=requests,
    tier="E3",
    code_licence="none: no code is used",
    data_right="prices are facts, quoted with source and date",
    terms="Public API without key; USD prices are retail prices (Microsoft Learn, 2026-11-21)",
    every=timedelta(hours=5),
)
