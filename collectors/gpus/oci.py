"""Oracle Cloud: the public price list, per GPU and hour.

Address: ``https://apexapps.oracle.com/pls/apex/cetools/api/v1/products/``, no key
(docs.oracle.com, "Estimating costs", section on list pricing; shape of the answer from the price
server that Oracle publishes under UPL 1.0 and from tests of public collectors that pin captures of
2026-08-22 and 2026-09-06; all read 2026-11-21). At hand: no body of this route; of 2026-08-03 an
excerpt of ``shapes.json``, the other half of the cost estimator. Unproven. Terms of use: not read
(2026-11-21); the list says that it is information and no quote.

Field map (one object of ``items``):

===========================  =======================================================================
partNumber, displayName      together the listing: ``B98415|... - Compute - GPU - H100``. Two
                             on-premises parts share one name, and a part that is renamed must not
                             keep an old mapping
metricName                   "GPU Per Hour" is a price of one GPU already: never divided. "... Node
                             Per Hour" beside it is a machine under a commitment: refused
serviceCategory              :data:`RENTAL` categories rent GPUs in the public cloud. Software
                             licences (H100 at 2.50 beside the GPU at 10) say so in their name;
                             machines in the customer's own hall have other categories
currencyCodeLocalizations    prices by currency; USD is asked for
prices[].model               PAY_AS_YOU_GO; anything else is a commitment
prices[].value               the figure; zero is a free tier or a part that is not sold
prices[].rangeMin            start of a volume tier; above zero refused
lastUpdated                  of the whole list; says nothing about one price, unused
===========================  =======================================================================

The name does not state a form factor. No region is stated: one price holds in all. ``shapes.json``
(``shapeType``, ``gpuQty``, ``products[].partNumber``) says which machines consist of which parts
and has no price; the price being per GPU, it is not needed.
"""

from __future__ import annotations

from collections.abc import Generator
from datetime import timedelta
from typing import Any

from collectors import strict
from collectors.base import Capture, Parsed, Request, Source
from collectors.gpus import machines
from collectors.gpus.machines import Sheet
from collectors.rows import load_json
from methodology.errors import PriceError
from methodology.units import exact

ID = "oci"
URL = "https://apexapps.oracle.com/pls/apex/cetools/api/v1/products/"
PROVIDER = "oracle"

METRIC = "GPU Per Hour"
RENTAL = ("Compute - GPU", "Compute - GPU - Other")
NOT_RENT = ("enterprise", "cloud@customer", "roving", "vmware", "license", "subscription")
"""Words of a name that mark software, or machines that stand at the customer's."""


def requests(base_url: str) -> Generator[Request, Capture, None]:
    """Yield the one GET; the whole list comes at once."""
    yield Request(url=base_url, params={"currencyCode": "USD"})


def _listing(item: dict[str, Any]) -> str:
    part = machines.named(item, "partNumber") or machines.named(item, "name")
    return f"{part}|{machines.named(item, 'displayName')}".rstrip("|")


def _screen(item: dict[str, Any]) -> None:
    """Raise the reason for which an item is no rented GPU."""
    if "shapeType" in item:
        gpus = item.get("gpuQty")
        if gpus is None:
            raise PriceError("NOT_GPU", "a shape without GPUs: gpuQty is null")
        raise PriceError("NO_PRICE", f"a shape of {gpus} GPUs has parts, no price of its own")
    name, metric = machines.text(item, "displayName"), machines.text(item, "metricName")
    machines.text(item, "partNumber")
    if metric != METRIC:
        is_gpu = "gpu" in f"{name} {metric} {machines.named(item, 'serviceCategory')}".lower()
        raise PriceError(
            "UNKNOWN_UNIT" if is_gpu else "NOT_GPU", f"{name!r} is sold per {metric!r}"
        )
    category = item.get("serviceCategory")
    if category not in RENTAL or any(word in name.lower() for word in NOT_RENT):
        raise PriceError("OTHER_SERVICE", f"{name!r} in {category!r} rents no GPU in the cloud")


def _prices(sheet: Sheet, listing: str, item: dict[str, Any]) -> list[Any]:
    """Return the pay-as-you-go figures of an item in USD; refuse every other price it has."""
    found = []
    for place in machines.rows_of(item, "currencyCodeLocalizations"):
        currency = place.get("currencyCode")
        for price in machines.rows_of(place, "prices"):
            model, value, start = (price.get(key) for key in ("model", "value", "rangeMin"))
            told = f"value {value} {currency}, model {model}"
            if currency != "USD":
                sheet.refuse(listing, "OTHER_CURRENCY", told)
            elif model != "PAY_AS_YOU_GO":
                sheet.refuse(listing, "NOT_CONSUMPTION", told)
            elif isinstance(start, strict.Number) and exact(start) != 0:
                sheet.refuse(listing, "VOLUME_TIER", f"{told}, from {start} on")
            else:
                found.append(value)
    return found


def parse(capture: Capture) -> Parsed:
    """Return one quote per rented GPU and one rejection per other item or price, in body order.

    Quotes: ``listing_id`` is ``partNumber|displayName``, unit ``per_gpu_hour``, USD, tenor
    ``on_demand``, region and ``gpu_count`` null, tier E3.

    Rejections: ``NOT_GPU``, ``UNKNOWN_UNIT`` (a GPU sold per node or day), ``OTHER_SERVICE``,
    ``OTHER_CURRENCY``, ``NOT_CONSUMPTION``, ``VOLUME_TIER``, ``NO_PRICE``, ``AMBIGUOUS_LISTING``
    (two figures for the same terms: both), ``MALFORMED_ROW`` and those of ``Sheet.offer``.

    Raises:
        ParseError: ``NOT_JSON``, ``SHAPE`` without a list of items, ``EMPTY`` when it has none.
    """
    sheet = Sheet(capture, PROVIDER, "per_gpu_hour")
    _read_body(sheet, load_json(capture))
    return sheet.parsed()


def parse_panel_raw(capture: Capture) -> Parsed:
    """Return the same for a file that keeps answers under names: ``SHAPES``, ``PRODUCTS``.

    Raises:
        ParseError: as :func:`parse`, for any of its parts.
    """
    sheet = Sheet(capture, PROVIDER, "per_gpu_hour")
    for body in machines.kept_parts(capture).values():
        _read_body(sheet, body)
    return sheet.parsed()


def _read_body(sheet: Sheet, body: object) -> None:
    def read(item: dict[str, Any]) -> None:
        """Add one item; PriceError says why it is refused whole (``Sheet.each``)."""
        _screen(item)
        listing = _listing(item)
        values = _prices(sheet, listing, item)
        if not values:
            raise PriceError("NO_PRICE", "no pay-as-you-go price in USD")
        if len(values) > 1:
            raise PriceError("AMBIGUOUS_LISTING", f"prices {values}; which one holds is not said")
        sheet.offer(listing, "value", values[0])

    items = machines.list_of(sheet.capture, body, "items")
    machines.not_empty(sheet.capture, items)
    sheet.each(items, _listing, read)


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
    max_decoded_bytes=64 * 2**20,
    every=timedelta(hours=5),
)
