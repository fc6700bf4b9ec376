"""Vast.ai: a marketplace that shows each machine on offer with its host; asks, not quotes.

Address: ``POST https://console.vast.ai/api/v0/bundles/``, a filter as JSON; the documentation asks
for a key in ``VAST_API_KEY`` (docs.vast.ai, "Search offers" and "Authentication", read 2026-11-21
in stored copies). **Off unless the operator holds a licence**: see ``switch``. Tier E3.

At hand: four days of raw answers (2026-02-27 to 03-02, nine queries each; ccir-index/cri-h100), in
one file a day, read by :func:`parse_history`; and one answer of 2026-07-18, the whole of it as
somebody captured it. So the source is proven.

What the answers taught:

- *Names have spaces*, and a name that is not the marketplace's own returns nothing: "A100 SXM"
  gave an empty list on each of the four days, the name is "A100 SXM4". An answer without offers is
  therefore an error (``NO_OFFERS``), never an empty market.
- *Answers stop at 64 rows* and do not say so ("RTX 4090": exactly 64 on each of the four days),
  sorted by a score of the marketplace's own and not by price. What is left of a market then has no
  depth: its rows are refused (``CUT_AT_CAP``). One name is asked for at a time, and only machines
  the marketplace vouches for, to stay below.
- *One machine stands there as 1, 2, 4 and 8 GPUs*: 15 GPUs are counted, 8 are real. Asks keep them
  all with machine and host; rulebook 4.5 reduces them. The volume counts a machine once.
- *One name, several cards*: "A100 PCIE" has 40 and 80 GB, "RTX 4090" 24 and 48 (rebuilt cards). A
  market is name and memory: ``A100 PCIE|80``.
- *Asks stand that nobody takes*: 40.00 a GPU-hour for a week, 66 times the market. They stay asks;
  the depth never reaches them.

Field map (one object of ``offers``):

=================  =================================================================================
gpu_name           the marketplace's name of the GPU
gpu_ram            memory of one GPU in MiB, as its driver prints it: see :data:`MEMORY`
id                 listing
machine_id, host_id  the machine, and who lets it
num_gpus           GPUs of this listing
dph_total          USD per hour for all of them, with the disk space that a search assumes
verification       ``verified``, ``unverified`` or ``deverified``: only the first counts
rentable, rented   on offer; the answers never show another state
is_bid             true: a running interruptible contract, not an offer
min_bid            least bid for an interruptible contract: what others bid decides; unused
discounted_...     a discount for prepaying months: unused, it needs a commitment
geolocation        region: the market is worldwide; unused
=================  =================================================================================
"""

from __future__ import annotations

import json
from collections.abc import Generator
from datetime import timedelta
from typing import Any

from collectors.base import Capture, Parsed, Request, Source
from collectors.gpus.listed import Offers, gpus, name, objects, price_reason, whole
from collectors.rows import load_json, shape_error
from collectors.times import utc_moment
from collectors.visible import name_fault
from methodology.errors import ParseError

ID = "vast"
URL = "https://console.vast.ai/api/v0/bundles/"
PROVIDER = "vast"
PAGE_CAP = 64

NAMES = (
    "A100 PCIE",
    "A100 SXM4",
    "B200",
    "H100 NVL",
    "H100 PCIE",
    "H100 SXM",
    "H200",
    "H200 NVL",
)
"""Names asked for, each as the marketplace spells it."""

MEMORY: dict[str, dict[str, tuple[int, int]]] = {
    "A100 PCIE": {"40": (40_000, 41_500), "80": (79_000, 82_500)},
    "A100 SXM4": {"40": (40_000, 41_500), "80": (79_000, 82_500)},
    "B200": {"180": (178_000, 196_700)},
    "H100 NVL": {"94": (94_000, 96_300)},
    "H100 PCIE": {"80": (79_000, 82_500)},
    "H100 SXM": {"80": (79_000, 82_500)},
    "H200": {"141": (139_000, 145_000)},
    "H200 NVL": {"141": (139_000, 145_000)},
    "L40S": {"48": (45_000, 49_500)},
    "RTX 4090": {"24": (22_500, 24_700)},
    "Tesla V100": {"16": (16_000, 16_500), "32": (32_000, 33_000)},
}
"""MiB that a card of each memory shows, by name: what error correction takes varies.

A card outside (an RTX 4090 of 49,140 MiB) is another good under the same name and is refused. Names
that do not stand here keep their MiB in the market's name and map to no good.
"""


def requests(base_url: str) -> Generator[Request, Capture, None]:
    """Yield one search per name of :data:`NAMES`: verified machines on offer, cheapest first."""
    for gpu in NAMES:
        wanted = {
            "gpu_name": {"eq": gpu},
            "rentable": {"eq": True},
            "rented": {"eq": False},
            "verified": {"eq": True},
            "type": "on-demand",
            "order": [["dph_total", "asc"]],
        }
        yield Request(
            url=base_url,
            method="POST",
            headers={"Content-Type": "application/json"},
            body=json.dumps(wanted, sort_keys=True).encode(),
        )


def parse(capture: Capture) -> Parsed:
    """Return one ask or rejection per offer of one answer, in body order, and each market's GPUs.

    Asks: market ``gpu_name|memory``, USD ``per_instance_hour``, tenor ``on_demand``, tier E3; those
    of machines that are not verified too, marked as such. Volumes: ``gpus_available`` per market,
    verified machines only, each once.

    Rejections: ``CUT_AT_CAP``, ``PRICE_NOT_OFFERED`` (rented, or a bid), ``GPU_COUNT_UNKNOWN``,
    ``MEMORY_CONTRADICTS_NAME``, ``ZERO_PRICE``, ``NEGATIVE_PRICE``, ``NOT_A_NUMBER``,
    ``PRICE_MISSING``, ``MALFORMED_ROW``.

    Raises:
        ParseError: ``NOT_JSON``, ``SHAPE``, or ``NO_OFFERS`` for an answer without offers.
    """
    body = load_json(capture)
    offers = body.get("offers") if isinstance(body, dict) else None
    if not isinstance(offers, list):
        raise shape_error(capture, "expected an object with offers (list)")
    if not offers:
        raise ParseError(capture.source, "NO_OFFERS", f"{capture.url}: {_EMPTY}")
    rows = Offers(capture, "per_instance_hour", "E3")
    _answer(rows, offers)
    return rows.parsed()


_EMPTY = (
    "a search returned nothing; compare the name with the marketplace's own, which has spaces "
    "(A100 SXM4)"
)


def parse_history(capture: Capture) -> Parsed:
    """Return the same for a stored day: several answers under ``offers_by_model``.

    ``observed_at`` is ``collected_utc`` of the body. A search that returned nothing is one
    rejection ``NO_OFFERS`` with its name, so that the other markets of the day stand.

    Raises:
        ParseError: ``NOT_JSON`` or ``SHAPE``.
    """
    body = load_json(capture)
    answers = body.get("offers_by_model") if isinstance(body, dict) else None
    seen = utc_moment(body.get("collected_utc")) if isinstance(body, dict) else None
    if not isinstance(answers, dict) or seen is None:
        raise shape_error(
            capture, "expected an object with offers_by_model (object) and collected_utc (time)"
        )
    rows = Offers(capture, "per_instance_hour", "E3")
    rows.observed_at = seen
    for gpu, offers in answers.items():
        if not isinstance(offers, list):
            raise shape_error(capture, f"offers_by_model {gpu!r} is no list")
        if not offers:
            rows.reject(PROVIDER, gpu, "NO_OFFERS", _EMPTY)
        _answer(rows, offers)
    return rows.parsed()


def _answer(rows: Offers, offers: list[Any]) -> None:
    """Add the asks of one search; all are refused when the answer is as long as the cap."""
    is_cut = len(offers) >= PAGE_CAP
    free: dict[str, dict[tuple[str, str], int]] = {}
    for offer in objects(rows, PROVIDER, "offers", offers):
        listing = str(offer.get("id", ""))
        if is_cut:
            detail = f"{offer.get('gpu_name')}: {len(offers)} rows, the answer stops at {PAGE_CAP}"
            rows.reject(PROVIDER, listing, "CUT_AT_CAP", detail)
            continue
        market = _market(offer)
        reason = _refusal(offer, market)
        if reason or market is None:
            rows.reject(PROVIDER, listing, *(reason or ("MALFORMED_ROW", "no gpu_name")))
            continue
        count, is_verified = int(offer["num_gpus"]), offer["verification"] == "verified"
        machine, host = str(offer["machine_id"]), str(offer["host_id"])
        rows.ask(
            provider=PROVIDER,
            market=market,
            listing_id=listing,
            machine_id=machine,
            host_id=host,
            gpus=count,
            price_text=str(offer["dph_total"]),
            quoted_unit="per_instance_hour",
            is_verified=is_verified,
            tenor="on_demand",
            region=None,
        )
        if is_verified:
            machines = free.setdefault(market, {})
            machines[host, machine] = max(count, machines.get((host, machine), 0))
    for market, machines in free.items():
        rows.stock(market, "gpus_available", sum(machines.values()))


def _market(offer: dict[str, Any]) -> str | None:
    """Return name and memory; None when one of them is no such thing, or they contradict."""
    gpu, ram = _gpu(offer), whole(offer.get("gpu_ram"), 10**7)
    if gpu is None or ram is None:
        return None
    if gpu not in MEMORY:
        return f"{gpu}|{ram} MiB"
    fits = [gb for gb, (low, high) in MEMORY[gpu].items() if low <= ram <= high]
    return f"{gpu}|{fits[0]}" if fits else None


def _gpu(offer: dict[str, Any]) -> str | None:
    gpu = name(offer.get("gpu_name"))
    return None if gpu is None or name_fault(gpu) else gpu


def _refusal(offer: dict[str, Any], market: str | None) -> tuple[str, str] | None:
    if _gpu(offer) is None or whole(offer.get("gpu_ram"), 10**7) is None:
        told = f"gpu_name {offer.get('gpu_name')!r}, gpu_ram {offer.get('gpu_ram')!r}"
        return "MALFORMED_ROW", told
    if market is None:
        told = f"gpu_ram {offer['gpu_ram']} MiB is none of {offer['gpu_name']!r}"
        return "MEMORY_CONTRADICTS_NAME", told
    for field, wanted in (("rentable", True), ("rented", False), ("is_bid", False)):
        if offer.get(field) is not wanted:
            return "PRICE_NOT_OFFERED", f"{field} is {offer.get(field)!r}"
    if gpus(offer.get("num_gpus")) is None:
        return "GPU_COUNT_UNKNOWN", f"num_gpus is {offer.get('num_gpus')!r}"
    for field in ("id", "machine_id", "host_id"):
        if whole(offer.get(field), 10**12) is None:
            return "MALFORMED_ROW", f"{field} is {offer.get(field)!r}"
    if not name(offer.get("verification")):
        return "MALFORMED_ROW", f"verification is {offer.get('verification')!r}"
    reason = price_reason(offer.get("dph_total"))
    return (reason, f"dph_total is {str(offer.get('dph_total'))[:80]!r}") if reason else None


SOURCE = Source(
    id=ID,
    kind="gpus",
    url=URL,
    parse=parse,
    requests=requests,
    tier="E3",
    code_licence="none: no code is used",
    data_right="none",
    terms="Terms of use, version of 2025-11-10, vast.ai/terms: see switch",
    switch=(
        "vast.ai/terms, version of 2025-11-10, read 2026-11-21 as others quote them: no systematic "
        "retrieval of data or content to create or compile a collection, compilation, database or "
        "directory without written permission of Vast.ai; its published price file excludes use "
        "in an index"
    ),
    auth_env="VAST_API_KEY",
    page_cap=PAGE_CAP,
    every=timedelta(minutes=50),
    max_raw_bytes=16 * 2**20,
)
