"""DigitalOcean: sizes of Droplets with GPUs.

Address: ``https://api.digitalocean.com/v2/sizes`` with a token in ``DIGITALOCEAN_TOKEN`` (Bearer,
scope ``sizes:read``; DigitalOcean API reference, "List All Droplet Sizes", generated 2026-04-28,
read 2026-11-21). At hand: three of the 147 sizes of a real body of 2025-08-29, kept in a test of a
public catalogue. Unproven. Terms of use: not read (2026-11-21).

Pages hold 20 sizes unless ``per_page`` asks for up to 200; ``links.pages.next`` is the next page's
address and ``meta.total`` the number of sizes. What came must be that many.

Field map (one object of ``sizes``):

=====================  =============================================================================
slug                   the listing: ``gpu-h100x8-640gb``, GPUs and memory of all. A slug ending in
                       ``-spot`` is interruptible; one with ``contracted`` is sold under a
                       commitment at its own price: tenor reserved, never on demand
gpu_info.count         GPUs of the Droplet; must not contradict the slug
gpu_info.vram          memory of *all* GPUs; must not contradict the slug
gpu_info.model         nvidia_h100: no form factor
price_hourly           USD per *Droplet* and hour: 23.92 for eight
price_monthly          an estimate of 744 hours, in older lists a cap: unused
available              false: no new Droplet of this size
regions                where it can be made now; their number is ``regions_available``
=====================  =============================================================================
"""

from __future__ import annotations

import re
from collections.abc import Generator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from collectors import strict
from collectors.base import Capture, Parsed, Request, Source
from collectors.gpus import machines
from collectors.gpus.machines import Sheet
from collectors.rows import load_json
from methodology.errors import ParseError, PriceError

ID = "digitalocean"
URL = "https://api.digitalocean.com/v2/sizes"
PROVIDER = "digitalocean"

PER_PAGE = 200
MAX_PAGES = 50

_SLUG = re.compile(r"^gpu-[a-z0-9]+?x([0-9]{1,2})-([0-9]{2,4})gb(?:-|$)")


def requests(base_url: str) -> Generator[Request, Capture, None]:
    """Yield page after page until no next one is named.

    Raises:
        ParseError: ``ENDLESS`` after :data:`MAX_PAGES` pages, ``FOREIGN_LINK`` when a link leaves
            the host, ``SHORT_LIST`` when another number of sizes came than stated, or what a page
            raises.
    """
    seen = 0
    for number in range(1, MAX_PAGES + 1):
        params = {"per_page": str(PER_PAGE), "page": str(number)}
        page = yield Request(url=base_url, params=params)
        body = load_json(page)
        seen += len(machines.list_of(page, body, "sizes"))
        link = _next(body)
        if link is None:
            meta = body.get("meta")
            machines.check_total(ID, seen, meta.get("total") if isinstance(meta, dict) else None)
            return
        if urlsplit(link)[:2] != urlsplit(base_url)[:2]:
            raise ParseError(ID, "FOREIGN_LINK", f"links.pages.next {link[:120]!r}")
    raise ParseError(ID, "ENDLESS", f"links.pages.next still set after {MAX_PAGES} pages")


def _next(body: dict[str, Any]) -> str | None:
    links = body.get("links")
    pages = links.get("pages") if isinstance(links, dict) else None
    link = pages.get("next") if isinstance(pages, dict) else None
    return str(link) if link else None


def _gpus(size: dict[str, Any], slug: str) -> int:
    info = machines.table(size, "gpu_info")
    gpus = machines.gpus_of(info, "count")
    if gpus == 0:
        raise PriceError("NOT_GPU", "gpu_info.count is 0")
    stated = _SLUG.match(slug)
    if stated:
        machines.agree(slug, gpus, stated.group(1), "gpu_info.count")
        vram = machines.table(info, "vram")
        if machines.whole(vram, "amount") != int(stated.group(2)):
            raise PriceError(
                "MEMORY_CONTRADICTS_NAME", f"gpu_info.vram {vram['amount']} cannot be {slug!r}"
            )
    return gpus


def _tenor(slug: str) -> str:
    parts = slug.split("-")
    if "contracted" in parts:
        return "reserved"
    return "spot" if "spot" in parts else "on_demand"


def parse(capture: Capture) -> Parsed:
    """Return one quote and one count per GPU size, one rejection per other size, in body order.

    Quotes: ``listing_id`` the slug, unit ``per_instance_hour``, USD, tenor by the slug,
    ``gpu_count`` as stated, region null (one price everywhere), tier E3. Volumes: ``subject`` the
    slug, meter ``regions_available``.

    Rejections: ``NOT_GPU``, ``PRICE_NOT_OFFERED``, ``MEMORY_CONTRADICTS_NAME``, ``NOT_A_COUNT``,
    ``MALFORMED_ROW`` and those of ``Sheet.offer``.

    Raises:
        ParseError: ``NOT_JSON``, or ``SHAPE`` without sizes.
    """
    sheet = Sheet(capture, PROVIDER, "per_instance_hour")
    _read_body(sheet, load_json(capture))
    return sheet.parsed()


def parse_panel_raw(capture: Capture) -> Parsed:
    """Return the same for a file that keeps answers under names.

    Raises:
        ParseError: as :func:`parse`, for any of its parts.
    """
    sheet = Sheet(capture, PROVIDER, "per_instance_hour")
    for body in machines.kept_parts(capture).values():
        _read_body(sheet, body)
    return sheet.parsed()


def _read_body(sheet: Sheet, body: object) -> None:
    def read(size: dict[str, Any]) -> None:
        """Add one size; PriceError says why it is refused whole (``Sheet.each``)."""
        slug = machines.text(size, "slug")
        if size.get("gpu_info") is None:
            raise PriceError("NOT_GPU", "no gpu_info")
        gpus = _gpus(size, slug)
        regions = size.get("regions")
        number = strict.Number(len(regions)) if isinstance(regions, list) else None
        sheet.count(slug, "regions_available", "regions", number)
        if size.get("available") is False:
            price = size.get("price_hourly")
            raise PriceError("PRICE_NOT_OFFERED", f"available is false, price_hourly {price}")
        price = size.get("price_hourly")
        sheet.offer(slug, "price_hourly", price, tenor=_tenor(slug), gpu_count=gpus)

    sizes = machines.list_of(sheet.capture, body, "sizes")
    sheet.each(sizes, lambda size: machines.named(size, "slug"), read)


SOURCE = Source(
    id=ID,
    kind="gpus",
    url=URL,
    parse=parse,
    requests=requests,
    tier="E3",
    code_licence="none: no code is used",
    data_right="prices are facts, quoted with source and date",
    terms="Documented API with an account's token; USD list prices. Terms not read (2026-11-21)",
    auth_env="DIGITALOCEAN_TOKEN",
    page_cap=PER_PAGE,
    every=timedelta(hours=1),
)
