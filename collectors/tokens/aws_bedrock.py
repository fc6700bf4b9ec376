"""AWS: token meters of the public Bedrock price lists.

``https://pricing.us-east-1.amazonaws.com/offers/v1.0/aws/<offer>/current/<region>/index.json``, no
key (AWS Billing, "Getting price list files manually" and "Reading the service price list file",
read 2026-11-21). The seller's own list: tier E3. Written against those pages and products quoted by
programs that read the lists; no whole body was at hand.

Two offers: ``AmazonBedrock`` (Amazon's models and most open-weights ones) and
``AmazonBedrockFoundationModels`` (those sold through the marketplace). The list of one region is
asked for: all regions of one offer are some 16 MB, one is a small part of it, so it is read whole
and not by line as the EC2 list is.

Map: ``products[sku].attributes`` say what is sold, ``terms.OnDemand[sku]`` at what price.

* ``regionCode``: region. ``offerCode`` tells the two layouts apart.
* AmazonBedrock: ``model``, else ``titanModel``: listing. ``inferenceType`` is the meter: Input
  tokens IN, Output tokens OUT, Prompt cache read input tokens CIN. ``feature``, ``service_tier``,
  the ends of ``inferenceType`` and of ``usagetype`` each may say batch, flex or priority, and none
  of them always does, so all are read.
* AmazonBedrockFoundationModels: ``servicename``: listing. Only ``usagetype`` says the meter, in
  two spellings: ``USE1-MP:USE1_InputTokenCount_Global-Units`` and
  ``USE1-MP:USE1_input_tokens_global_standard-Units``.
* global routing (``cross-region-global``, ``_Global``) is an offer of its own, priced below the
  regional one: the listing then ends in ``|global`` and has no region.
* batch: BAT_IN and BAT_OUT. Provisioned and reserved throughput, customised models, flex, priority
  and latency-optimised service, long-context brackets, cache writes, images, speech and
  embeddings are refused.
* ``unit``: "1K tokens" or "1M tokens". The marketplace offer also says "Units": a million where the
  description says "Million". Descriptions that say "thousand" beside a figure per million, or
  nothing, were seen: ``UNKNOWN_UNIT``.
* ``pricePerUnit.USD``: decimal text. One term with one price from 0 to Inf; several are
  ``VOLUME_TIER``.
* ``effectiveDate`` is used only when it lies after the capture: AWS moves it to the first of each
  month in every row, so it does not say when a price began, but a price dated ahead must be held.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from datetime import datetime, timedelta
from typing import Any

from collectors.base import Capture, Parsed, Request, Source
from collectors.rows import Rows, is_name, load_json, problem, shape_error
from collectors.times import utc_moment
from collectors.tokens.clashes import without_clashes
from methodology.errors import PriceError

PROVIDER = "aws"
OFFERS = ("AmazonBedrock", "AmazonBedrockFoundationModels")
REGION = "us-east-1"

INFERENCE = {
    "input tokens": "IN",
    "output tokens": "OUT",
    "prompt cache read input tokens": "CIN",
}
"""``inferenceType`` in lower case, without the level of service at its end."""

UNITS = {"1k tokens": "per_ktok", "1m tokens": "per_mtok"}

OTHERS = (
    ("NOT_ON_DEMAND", r"provisioned|reserved|tpm"),
    ("PRICE_VARIANT", r"flex|priority|latency|custom"),
    ("CONTEXT_BRACKET", r"lctx|long[_ -]?c(?:on)?te?xt|longcontext"),
    ("NOT_A_MEASURED_METER", r"cache[ _-]?write|storage|guardrail|grounding|search"),
    ("MODE_NOT_TEXT", r"image|audio|video|speech|sonic|embed|rerank"),
)
"""What makes a product another good: the reason and how any of its attributes says so."""

_MARKETPLACE = re.compile(
    r"[A-Z0-9]+-MP:[A-Z0-9]+_(?P<kind>InputTokenCount|OutputTokenCount|CacheReadInputTokenCount|"
    r"input_tokens|output_tokens|cache_read_tokens)"
    r"(?P<world>_Global|_global)?(?P<batch>_Batch|_batch)?(?:_standard)?-Units"
)
_KINDS = {
    **dict.fromkeys(("InputTokenCount", "input_tokens"), "IN"),
    **dict.fromkeys(("OutputTokenCount", "output_tokens"), "OUT"),
    **dict.fromkeys(("CacheReadInputTokenCount", "cache_read_tokens"), "CIN"),
}


def requests(base_url: str) -> Generator[Request, Capture, None]:
    """Yield one GET per offer, for the list of :data:`REGION`."""
    for offer in OFFERS:
        yield Request(url=f"{base_url.rstrip('/')}/{offer}/current/{REGION}/index.json")


def parse(capture: Capture) -> Parsed:
    """Return one quote or one rejection per product of one offer, in body order.

    Quotes: USD per thousand or per million tokens as the term says, tier E3, ``region`` the region
    code or null for global routing. Rejections: the reasons of :data:`OTHERS`,
    ``NOT_A_MEASURED_METER``, ``PRICE_VARIANT``, ``UNKNOWN_CONDITION``, ``UNKNOWN_UNIT``,
    ``VOLUME_TIER``, ``OTHER_CURRENCY``, ``PRICE_MISSING``, ``FREE_OFFER``, ``NEGATIVE_PRICE``,
    ``NOT_A_NUMBER``, ``BAD_DATE``, ``MALFORMED_ROW``, ``DUPLICATE_LISTING``,
    ``AMBIGUOUS_LISTING``.

    Raises:
        ParseError: ``NOT_JSON``, or ``SHAPE`` when it is not one of the two offers with products
            and terms.
    """
    body = load_json(capture)
    offer = body.get("offerCode") if isinstance(body, dict) else None
    products = body.get("products") if isinstance(body, dict) else None
    terms = body.get("terms") if isinstance(body, dict) else None
    if offer not in OFFERS or not isinstance(products, dict) or not isinstance(terms, dict):
        raise shape_error(capture, f"offerCode {offer!r}, or no products or terms")
    on_demand = terms.get("OnDemand")
    if not products or not isinstance(on_demand, dict):
        raise shape_error(capture, "no products, or no terms.OnDemand")
    rows = Rows(capture, "per_mtok", "E3")
    for sku, product in products.items():
        attributes = product.get("attributes") if isinstance(product, dict) else None
        said = attributes if isinstance(attributes, dict) else {}
        try:
            _product(rows, offer, said, on_demand.get(sku))
        except PriceError as error:
            told = f"{said.get('usagetype', sku)}: {error.detail}"
            rows.reject(PROVIDER, _name(offer, said), error.reason, told)
    return without_clashes(capture, rows)


def _name(offer: str, said: Mapping[str, Any]) -> str:
    fields = ("servicename",) if offer == OFFERS[1] else ("model", "titanModel")
    return next((said[field] for field in fields if is_name(said.get(field))), "")


def _product(rows: Rows, offer: str, said: Mapping[str, Any], term: Any) -> None:
    listing, region = _name(offer, said), said.get("regionCode")
    usage = said.get("usagetype")
    if not listing or not is_name(region) or not is_name(usage):
        told = f"model {listing!r}, regionCode {region!r}, usagetype {usage!r}"
        raise PriceError("MALFORMED_ROW", told)
    fields = ("usagetype", "feature", "inferenceType", "service_tier", "serviceTier", "tokenType")
    words = " ".join(str(said[field]) for field in fields if said.get(field)).lower()
    for reason, pattern in OTHERS:
        if re.search(pattern, f"{words} {listing.lower()}"):
            raise PriceError(reason, f"its attributes say {words!r}")
    world = "global" in words
    meter = _marketplace_meter(usage) if offer == OFFERS[1] else _meter(said, words)
    price, unit, start = _price(term, rows.observed_at)
    rows.quote(
        PROVIDER,
        f"{listing}|global" if world else listing,
        meter,
        price,
        unit=unit,
        region=None if world else region,
        effective_from=start,
        is_official_date=start is not None,
    )


def _meter(said: Mapping[str, Any], words: str) -> str:
    tier = str(said.get("service_tier") or said.get("serviceTier") or "standard").lower()
    if tier not in ("standard", "batch"):
        raise PriceError("PRICE_VARIANT", f"service_tier is {tier!r}")
    kind = re.sub(r" (?:standard|batch)$", "", str(said.get("inferenceType") or "").lower())
    meter = INFERENCE.get(kind)
    if meter is None:
        raise PriceError("NOT_A_MEASURED_METER", f"inferenceType is {said.get('inferenceType')!r}")
    if "batch" not in words:
        return meter
    if meter == "CIN":
        raise PriceError("NOT_A_MEASURED_METER", "cached input in batch")
    return f"BAT_{meter}"


def _marketplace_meter(usage: str) -> str:
    found = _MARKETPLACE.fullmatch(usage)
    if found is None:
        raise PriceError("NOT_A_MEASURED_METER", "usagetype is none of those known")
    meter = _KINDS[found["kind"]]
    if not found["batch"]:
        return meter
    if meter == "CIN":
        raise PriceError("NOT_A_MEASURED_METER", "cached input in batch")
    return f"BAT_{meter}"


def _price(term: Any, now: datetime) -> tuple[str, str, datetime | None]:
    """Return the figure, its unit and a start after ``now`` of the one term of a product."""
    offers = list(term.values()) if isinstance(term, dict) else []
    if not offers:
        raise PriceError("PRICE_MISSING", "no term under OnDemand")
    dimensions = [
        (offer.get("effectiveDate"), dimension)
        for offer in offers
        if isinstance(offer, dict) and isinstance(offer.get("priceDimensions"), dict)
        for dimension in offer["priceDimensions"].values()
        if isinstance(dimension, dict)
    ]
    if len(dimensions) != 1:
        raise PriceError("VOLUME_TIER", f"{len(dimensions)} prices under OnDemand")
    effective, dimension = dimensions[0]
    if dimension.get("beginRange", "0") != "0" or dimension.get("endRange", "Inf") != "Inf":
        told = f"from {dimension.get('beginRange')} to {dimension.get('endRange')}"
        raise PriceError("VOLUME_TIER", told)
    stated, about = str(dimension.get("unit")), str(dimension.get("description"))
    unit = UNITS.get(stated.lower())
    if unit is None and stated == "Units" and re.search(r"\bmillion\b", about, re.IGNORECASE):
        unit = "per_mtok"
    if unit is None:
        raise PriceError("UNKNOWN_UNIT", f"unit is {stated!r}, description {about[:120]!r}")
    figures = dimension.get("pricePerUnit")
    if not isinstance(figures, dict) or set(figures) != {"USD"}:
        raise PriceError("OTHER_CURRENCY", f"pricePerUnit is {figures!r}")
    price = figures["USD"]
    wrong = problem(price) if isinstance(price, str) else "NOT_A_NUMBER"
    if wrong:
        raise PriceError(wrong, f"pricePerUnit.USD is {price!r}")
    return str(price), unit, _ahead(effective, now)


def _ahead(value: Any, now: datetime) -> datetime | None:
    if value is None:
        return None
    moment = utc_moment(value)
    if moment is None:
        raise PriceError("BAD_DATE", f"effectiveDate {value!r:.80} is no time with a zone")
    return moment if moment > now else None


SOURCE = Source(
    id="aws_bedrock",
    kind="tokens",
    url="https://pricing.us-east-1.amazonaws.com/offers/v1.0/aws",
    parse=parse,
    requests=requests,
    tier="E3",
    code_licence="none: no code is used",
    data_right="prices are facts, quoted with source and date",
    terms="Public price list without key; its disclaimer calls it informational; read 2026-11-21",
    content_types=("application/json", "application/octet-stream"),
    max_raw_bytes=64 * 2**20,
    max_decoded_bytes=64 * 2**20,
    deadline_seconds=120.0,
    every=timedelta(hours=22),
)
