"""OpenRouter endpoints: what each host of one model charges through the router.

Address: ``https://openrouter.ai/api/v1/models/…/endpoints``, no key. Tier E4: the host's price as
the router shows it. This is the widest panel of hosts per open-weights model.

Column map (documented ``GET /api/v1/models/{author}/{slug}/endpoints``; daily tables of
2026-07-17 to 08-07 and raw sections of 2026-07-17 and 08-08 from the router's own site):

* ``provider_name``: provider.
* listing_id is ``model|tag|quantization``. One host may list a model several times: by
  precision, by region, by speed. ``tag`` (``deepinfra/fp8``, ``deepinfra/turbo``,
  ``amazon-bedrock/eu-west-1``) tells most of them apart and ``quantization`` the precision, which
  a mapping must read because below 8 bit is another good unless it is the developer's own. Nothing
  is refused here for its precision. Where two rows still share an id and differ in price, which
  one a buyer gets is not knowable and both are refused (``AMBIGUOUS_LISTING``).
* ``pricing.prompt``, ``completion``, ``input_cache_read``, ``overrides``: as in
  ``openrouter_models``. ``pricing.discount`` is a fraction that is **already taken off** these
  figures: host's list = price / (1 - discount). Checked against what was paid: on 2026-08-07
  StreamLake's ``deepseek-chat`` showed 0.0000002574 at discount 0.1, and buyers without cache
  hits paid 0.2572 per million. The figure shown is quoted; it is what a buyer pays.
* ``status`` below zero marks an endpoint the router uses last because of errors; its price stands.
  ``is_hidden`` and ``is_disabled``: not on offer, refused.
* context and output limits, latency and throughput decide eligibility elsewhere: ignored.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable
from typing import Any

import polars as pl

from collectors import strict
from collectors.base import Capture, Parsed, Request, Source
from collectors.csv_tables import read_text
from collectors.model_lists import settled
from collectors.rows import Rows, is_name, load_json, shape_error
from collectors.times import moments
from collectors.tokens.openrouter_models import pricing_rows, variant_reason
from methodology.errors import ParseError, UsageError

MODELS = (
    "deepseek/deepseek-v3.2",
    "deepseek/deepseek-v4-flash",
    "deepseek/deepseek-v4-pro",
    "meta-llama/llama-3.3-70b-instruct",
    "moonshotai/kimi-k2.6",
    "openai/gpt-oss-120b",
    "openai/gpt-oss-20b",
    "qwen/qwen3-235b-a22b-2507",
    "z-ai/glm-5.1",
    "z-ai/glm-5.2",
)
"""Open-weights models asked for when nobody says which."""

_OFFER = ("provider", "listing_id", "meter", "window_start_min", "window_end_min")
"""What one endpoint has one price for; the region follows from the listing."""

_MODEL_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}/[a-z0-9][a-z0-9._:-]{0,99}")
_REGION = re.compile(
    r"(?:[a-z]+-)+[a-z]*[0-9]+|[a-z]{2,}[0-9]+|[a-z]+(?:north|south|east|west)?central|global|eu|us"
)
_PANEL_COLUMNS = {
    "scraped_at",
    "model_slug",
    "variant",
    "provider_name",
    "provider_slug",
    "provider_region",
    "quantization",
    "price_prompt",
    "price_completion",
    "price_cache_read",
    "price_cache_write",
    "price_image",
    "price_request",
    "price_web_search",
    "price_internal_reasoning",
    "is_hidden",
    "is_disabled",
    "pricing_json",
}


def requests_for(base_url: str, model_ids: Iterable[str]) -> Generator[Request, Capture, None]:
    """Yield one request per model, for its hosts.

    Raises:
        UsageError: an id that is not ``author/slug`` in lower case, which could not be put into a
            path safely.
    """
    for model_id in model_ids:
        if not _MODEL_ID.fullmatch(model_id):
            raise UsageError(f"openrouter_endpoints: {model_id!r} is not a model id author/slug")
        yield Request(url=f"{base_url.rstrip('/')}/models/{model_id}/endpoints")


def requests(base_url: str) -> Generator[Request, Capture, None]:
    """Yield one request per model of :data:`MODELS`."""
    return requests_for(base_url, MODELS)


def parse(capture: Capture) -> Parsed:
    """Return one quote per endpoint and meter of one model, USD per token.

    Rejections as ``openrouter_models``, and ``AMBIGUOUS_LISTING`` or ``DUPLICATE_LISTING`` per
    endpoint that shares its id with another, and ``NO_ENDPOINTS`` when nobody serves the model.

    Raises:
        ParseError: ``NOT_JSON``, or ``SHAPE`` when this is not one model with its endpoints.
    """
    body = load_json(capture)
    data = body.get("data") if isinstance(body, dict) else None
    if not isinstance(data, dict) or not isinstance(data.get("endpoints"), list):
        raise shape_error(capture, "no 'data' with a list of endpoints")
    model = data.get("id")
    if not is_name(model):
        raise shape_error(capture, f"model id is {model!r}")
    rows = Rows(capture, "per_token")
    _model_rows(capture, rows, model, data["endpoints"], "tag")
    return settled(rows, _OFFER, "another endpoint differs")


def parse_panel_raw(capture: Capture) -> Parsed:
    """Return the same for stored raw sections: one JSON object per line, model by variant.

    Lines without endpoints are one rejection each, ``NO_ENDPOINTS``.

    Raises:
        ParseError: ``NOT_JSON`` or ``SHAPE``, naming the line.
    """
    rows = Rows(capture, "per_token")
    for number, line in enumerate(capture.body.splitlines(), 1):
        if not line.strip():
            continue
        try:
            entry = strict.loads(line)
            model, variant = entry["model_slug"], entry["variant"]
        except (ValueError, KeyError, TypeError) as error:
            raise ParseError(capture.source, "NOT_JSON", f"line {number}: {error!r}") from error
        if not is_name(model) or not is_name(variant):
            raise shape_error(capture, f"line {number}: model {model!r}, variant {variant!r}")
        endpoints = entry.get("endpoints") or []
        if not isinstance(endpoints, list):
            raise shape_error(capture, f"line {number}: endpoints {str(endpoints)[:80]!r}")
        _model_rows(capture, rows, _model_id(model, variant), endpoints, "provider_slug")
    if not rows.quotes and not rows.rejections:
        raise shape_error(capture, "no line holds an object")
    return settled(rows, _OFFER, "another endpoint differs")


def parse_panel_csv(capture: Capture) -> Parsed:
    """Return the same for a stored daily table; ``observed_at`` is the row's ``scraped_at``.

    The table has no ``tag``; it is rebuilt from host, region and precision, which gives the
    router's own spelling (checked against the raw sections of the same day).

    Raises:
        ParseError: ``NOT_CSV``, or ``SHAPE`` for a missing column or an unreadable time.
    """
    table = read_text(capture, capture.body)
    missing = sorted(_PANEL_COLUMNS - set(table.columns))
    if missing:
        raise shape_error(capture, f"columns {missing} are missing")
    times = table.select(moments(pl.col("scraped_at"), "%Y-%m-%dT%H:%M:%S%z")).to_series()
    if times.null_count():
        raise shape_error(capture, "scraped_at is not an ISO time with an offset")
    rows = Rows(capture, "per_token")
    for row, observed_at in zip(table.iter_rows(named=True), times.to_list(), strict=True):
        rows.observed_at = observed_at
        pricing = {
            field.replace("cache_", "input_cache_"): row[f"price_{field}"]
            for field in ("prompt", "completion", "cache_read", "cache_write")
        }
        for field in ("image", "request", "web_search", "internal_reasoning"):
            pricing[field] = row[f"price_{field}"]
        if "overrides" in (row["pricing_json"] or ""):
            pricing["overrides"] = _panel_overrides(capture, row["pricing_json"])
        endpoint = {
            "provider_name": row["provider_name"],
            "quantization": row["quantization"],
            "provider_region": row["provider_region"],
            "is_hidden": row["is_hidden"] == "True",
            "is_disabled": row["is_disabled"] == "True",
            "tag": _panel_tag(row),
            "pricing": {k: v for k, v in pricing.items() if v is not None},
        }
        model = _model_id(row["model_slug"] or "", row["variant"] or "")
        _model_rows(capture, rows, model, [endpoint], "tag")
    return settled(rows, _OFFER, "another endpoint differs")


def _panel_tag(row: dict[str, Any]) -> str:
    slug, region, precision = row["provider_slug"], row["provider_region"], row["quantization"]
    if not slug or "/" in slug:
        return slug or ""
    if region:
        return f"{slug}/{region}"
    return slug if precision in (None, "unknown") else f"{slug}/{precision}"


def _panel_overrides(capture: Capture, text: str) -> Any:
    try:
        return strict.loads(text.encode())["overrides"]
    except (ValueError, KeyError, TypeError) as error:
        raise shape_error(capture, f"pricing_json {text[:80]!r}: {error!r}") from error


def _model_id(slug: str, variant: str) -> str:
    return slug if variant == "standard" else f"{slug}:{variant}"


def _model_rows(
    capture: Capture, rows: Rows, model: str, endpoints: list[Any], tag_field: str
) -> None:
    if not endpoints:
        rows.reject("", model, "NO_ENDPOINTS", "no host serves this model")
    for endpoint in endpoints:
        if not isinstance(endpoint, dict) or not isinstance(endpoint.get("pricing"), dict):
            raise shape_error(capture, f"{model}: an endpoint without pricing")
        provider, tag = endpoint.get("provider_name"), endpoint.get(tag_field)
        if not is_name(provider) or not is_name(tag):
            raise shape_error(capture, f"{model}: provider {provider!r}, tag {tag!r}")
        listing = f"{model}|{tag}|{endpoint.get('quantization') or 'unknown'}"
        refused = variant_reason(model)
        hidden = [k for k in ("is_hidden", "is_disabled") if endpoint.get(k)]
        if refused or hidden:
            told = f"model {model!r}" if refused else f"{hidden[0]} is set"
            rows.reject(provider, listing, refused or "ENDPOINT_DISABLED", told)
            continue
        region = endpoint.get("provider_region") or _region(tag)
        pricing_rows(rows, provider, listing, endpoint["pricing"], region)


def _region(tag: str) -> str | None:
    last = tag.partition("/")[2]
    # precisions such as fp8 or int4 look like a region to a loose pattern
    if re.fullmatch(r"(?:mx|nv)?(?:fp|bf|int)[0-9]+", last):
        return None
    return last if _REGION.fullmatch(last) else None


SOURCE = Source(
    id="openrouter_endpoints",
    kind="tokens",
    url="https://openrouter.ai/api/v1",
    parse=parse,
    requests=requests,
    tier="E4",
    code_licence="none (an API response)",
    data_right="prices are facts; no licence stated for this endpoint",
    terms=(
        "Public, documented, no key; no licence for reuse is stated, so rows stay a mirror until "
        "one is. Prices are net of the discount shown. Read 2026-11-20 from stored documentation."
    ),
)
