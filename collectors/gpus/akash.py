"""Akash Network: how many GPUs its providers hold and how many are free. No price is quoted.

Address: ``https://console-api.akash.network/v1/gpu-prices``, no key. Shape: the project's own
schema and service of that route (akash-network/console, ``apps/api/src/gpu``, read 2026-11-21) and
one model of a real body of 2026-09-28, cut down by whoever kept it. Unproven. Terms of use: none
found in the stored pages; not read (2026-11-21).

Field map (one object of ``models``):

============================  ======================================================================
vendor, model, ram,           the good as Akash names it: ``nvidia|h100|80Gi|SXM5``. ``ram`` tells
interface                     40 from 80 GB cards of one model, ``interface`` the form factor
availability.total            GPUs that online providers let: ``gpus_total``
availability.available        those not leased at this moment: ``gpus_available``
price                         minimum, maximum, averages and median over one bid a provider, of the
                              last 14 to 31 days; refused, see below. Null when nobody bid
providerAvailability          providers with such a GPU; not a count of GPUs, unused
priceUakt, bidCount,          only in the answer to ``?debug=true``, which no document offers:
providersWithBestBid          not asked for, unused
============================  ======================================================================

Why no price. Akash's own service says that its figures come from recent bids and are a stopgap. A
bid answered one customer's order, was for one GPU together with that order's cores, memory and
disk, may be a month old, and does not stand for the next customer. Where a provider made no bid
for a card of that memory, its cheapest bid for *any* card of the model is taken, so a 40 GB card
can price an 80 GB one. The service prices the 68 GPUs of the real body at 2.04, 2.56, 2.58, 2.72
or 3.16 USD: none of them is an offer, and without machines and hosts at their own asks there is
no depth (rulebook 4.5). So each price is one rejection, ``NO_VERIFIED_DEPTH``, that shows it.
"""

from __future__ import annotations

from collections.abc import Generator
from datetime import timedelta
from typing import Any

from collectors.base import Capture, Parsed, Request, Source, single_get
from collectors.gpus import machines
from collectors.gpus.machines import Sheet
from collectors.rows import load_json
from methodology.errors import PriceError

ID = "akash"
URL = "https://console-api.akash.network/v1/gpu-prices"
PROVIDER = "akash"

GOOD = ("vendor", "model", "ram", "interface")
PRICES = ("min", "max", "avg", "weightedAverage", "med")


def requests(base_url: str) -> Generator[Request, Capture, None]:
    """Yield the one GET."""
    yield from single_get(base_url)


def _good(row: dict[str, Any]) -> str:
    return "|".join(machines.named(row, part) for part in GOOD)


def parse(capture: Capture) -> Parsed:
    """Return two counts per model, GPUs in all and free, and one rejection per price; no quotes.

    Volumes: ``subject`` is ``vendor|model|ram|interface``, meters ``gpus_total`` and
    ``gpus_available``, for the UTC day of the capture.

    Rejections: ``NO_VERIFIED_DEPTH`` (a price over bids), ``NO_PRICE`` (nobody bid),
    ``NOT_A_COUNT``, ``MALFORMED_ROW`` (no such good, or more GPUs free than there are).

    Raises:
        ParseError: ``NOT_JSON``, ``SHAPE`` without a list of models, ``EMPTY`` when it has none.
    """
    sheet = Sheet(capture, PROVIDER, "per_gpu_hour")

    def read(row: dict[str, Any]) -> None:
        """Add the counts of one model; PriceError says why it is refused whole (``Sheet.each``)."""
        good = "|".join(machines.text(row, part) for part in GOOD)
        price = row.get("price")
        if isinstance(price, dict):
            told = ", ".join(f"{name} {price.get(name)}" for name in PRICES)
            currency = price.get("currency")
            sheet.refuse(good, "NO_VERIFIED_DEPTH", f"price over bids, {currency}: {told}")
        else:
            sheet.refuse(good, "NO_PRICE", f"price is {price!r}")
        gpus = machines.table(row, "availability")
        free, total = gpus.get("available"), gpus.get("total")
        if machines.is_count(free) and machines.is_count(total) and int(free) > int(total):
            raise PriceError("MALFORMED_ROW", f"availability {free} of {total} GPUs are free")
        sheet.count(good, "gpus_total", "availability.total", total)
        sheet.count(good, "gpus_available", "availability.available", free)

    models = machines.list_of(capture, load_json(capture), "models")
    machines.not_empty(capture, models)
    sheet.each(models, _good, read)
    return sheet.parsed()


SOURCE = Source(
    id=ID,
    kind="gpus",
    url=URL,
    parse=parse,
    requests=requests,
    tier="E3",
    code_licence="none: no code is used",
    data_right="none stated",
    terms="Public route of the project's console, no key; no terms found, none read (2026-11-21)",
    every=timedelta(hours=1),
)
