"""The panel: every admitted source, one reviewed line each.

A source that is not here is never read. A line is ``id: Line(module, name, proven_on)``: where its
``Source`` stands, and the day of the newest whole body *of the source itself* that its parser has
been tried on; None means unproven: it was written against a documented shape or a fragment. An
unproven source is asked, archived and parsed, and its rows are shown; none of them enters a print
until a person has compared a recorded body with the seller's page (``spotfix record``) and
written the day here.

Modules are imported only when their source is asked for, so that one command need not load them
all. A new source is one file, one folder of payloads and one line here, and a test holds the three
together.
"""

from __future__ import annotations

import importlib
from typing import NamedTuple

from collectors.base import Source
from methodology.errors import ConfigError


class Line(NamedTuple):
    """Where a source stands, and since when a whole body of it is known (ISO day; None: never)."""

    module: str
    name: str = "SOURCE"
    proven_on: str | None = None


SOURCES: dict[str, Line] = {
    # prices of tokens
    "alibaba_bailian": Line("collectors.tokens.alibaba_bailian"),
    "anthropic_page": Line("collectors.tokens.anthropic_page"),
    "aws_bedrock": Line("collectors.tokens.aws_bedrock"),
    "azure_openai": Line("collectors.tokens.azure_openai"),
    "baidu_qianfan": Line("collectors.tokens.baidu_qianfan"),
    "catwalk": Line("collectors.tokens.catwalk"),
    "chutes": Line("collectors.tokens.chutes"),
    "deepinfra": Line("collectors.tokens.deepinfra"),
    "deepseek_page": Line("collectors.tokens.deepseek_page"),
    "deepseek_page_zh": Line("collectors.tokens.deepseek_page_zh"),
    "fireworks": Line("collectors.tokens.fireworks"),
    "genai_prices": Line("collectors.tokens.genai_prices", proven_on="2026-11-19"),
    "google_page": Line("collectors.tokens.google_page"),
    "groq": Line("collectors.tokens.groq"),
    "huggingface_router": Line("collectors.tokens.huggingface_router"),
    "kilo": Line("collectors.tokens.kilo"),
    "litellm": Line("collectors.tokens.litellm", proven_on="2026-11-19"),
    "llmabacus": Line("collectors.tokens.llmabacus"),
    "lobehub_cny": Line("collectors.tokens.lobehub_cny", proven_on="2026-09-27"),
    "minimax": Line("collectors.tokens.minimax"),
    "mistral_docs": Line("collectors.tokens.mistral_docs"),
    "modelpricewatch": Line("collectors.tokens.modelpricewatch"),
    "models_dev": Line("collectors.tokens.models_dev", proven_on="2026-08-12"),
    "moonshot": Line("collectors.tokens.moonshot"),
    "novita": Line("collectors.tokens.novita"),
    "oneapi_cny": Line("collectors.tokens.oneapi_cny", proven_on="2025-02-16"),
    "openai_page": Line("collectors.tokens.openai_page"),
    "openrouter_endpoints": Line("collectors.tokens.openrouter_endpoints", proven_on="2026-08-08"),
    "openrouter_models": Line("collectors.tokens.openrouter_models", proven_on="2026-08-22"),
    "openrouter_providers": Line("collectors.tokens.openrouter_providers"),
    "poe": Line("collectors.tokens.poe"),
    "requesty": Line("collectors.tokens.requesty"),
    "siliconflow": Line("collectors.tokens.siliconflow"),
    "simonw_llm_prices": Line("collectors.tokens.simonw_llm_prices"),
    "tencent_hunyuan": Line("collectors.tokens.tencent_hunyuan"),
    "together": Line("collectors.tokens.together"),
    "vercel_gateway": Line("collectors.tokens.vercel_gateway"),
    "volcengine": Line("collectors.tokens.volcengine"),
    "xai_api": Line("collectors.tokens.xai_api"),
    "zhipu": Line("collectors.tokens.zhipu"),
    # prices of GPU-hours
    "akash": Line("collectors.gpus.akash"),
    "aws_history": Line("collectors.gpus.aws_list", "HISTORY", "2026-07-20"),
    "aws_list": Line("collectors.gpus.aws_list"),
    "azure_history": Line("collectors.gpus.azure_retail", "HISTORY", "2026-06-18"),
    "azure_retail": Line("collectors.gpus.azure_retail"),
    "crusoe": Line("collectors.gpus.crusoe"),
    "cudo": Line("collectors.gpus.cudo"),
    "digitalocean": Line("collectors.gpus.digitalocean"),
    "gcp_history": Line("collectors.gpus.gcp_list", "HISTORY", "2026-07-30"),
    "gcp_list": Line("collectors.gpus.gcp_list"),
    "gpurentalprices": Line("collectors.gpus.gpurentalprices", proven_on="2026-08-22"),
    "hyperstack": Line("collectors.gpus.hyperstack"),
    "jarvislabs": Line("collectors.gpus.jarvislabs"),
    "lambda_cloud": Line("collectors.gpus.lambda_cloud"),
    "nebius": Line("collectors.gpus.nebius"),
    "oci": Line("collectors.gpus.oci"),
    "primeintellect": Line("collectors.gpus.primeintellect"),
    "ratecards_ccir": Line("collectors.gpus.ratecards_ccir", proven_on="2026-03-03"),
    "runpod": Line("collectors.gpus.runpod", proven_on="2026-07-18"),
    "scaleway": Line("collectors.gpus.scaleway"),
    "seeweb": Line("collectors.gpus.seeweb"),
    "shadeform": Line("collectors.gpus.shadeform"),
    "tensordock": Line("collectors.gpus.tensordock"),
    "vast": Line("collectors.gpus.vast", proven_on="2026-07-18"),
    "verda": Line("collectors.gpus.verda"),
    "vultr": Line("collectors.gpus.vultr"),
    # volumes
    "disclosures": Line("collectors.volumes.disclosures", proven_on="2026-11-20"),
    "openrouter_activity": Line("collectors.volumes.openrouter_activity", proven_on="2026-08-08"),
    "openrouter_effective_pricing": Line(
        "collectors.volumes.openrouter_effective_pricing", proven_on="2026-08-07"
    ),
    "openrouter_rankings_month": Line("collectors.volumes.openrouter_rankings_month"),
    "openrouter_rankings_scrape": Line(
        "collectors.volumes.openrouter_rankings_scrape", proven_on="2026-05-16"
    ),
    "openrouter_token_mix": Line("collectors.volumes.openrouter_token_mix", proven_on="2026-05-11"),
    "vercel_leaderboard": Line("collectors.volumes.vercel_leaderboard"),
    # exchange rates
    "cfets": Line("collectors.fx.cfets"),
    "ecb": Line("collectors.fx.ecb", proven_on="2026-10-30"),
}
"""Every admitted source by id, grouped by kind and sorted within."""


def load(source_id: str) -> Source:
    """Return the admitted source with this id.

    Raises:
        ConfigError: no line of the panel has it, or its file does not hold what the line says.
    """
    if source_id not in SOURCES:
        known = ", ".join(SOURCES)
        raise ConfigError(f"source {source_id!r} is not admitted; the panel has {known}")
    module, name, _ = SOURCES[source_id]
    source = getattr(importlib.import_module(module), name, None)
    if not isinstance(source, Source) or source.id != source_id:
        raise ConfigError(f"{module}: {name} is not the Source {source_id!r} the panel names")
    return source


def load_all() -> tuple[Source, ...]:
    """Return every admitted source, in the order of the panel."""
    return tuple(load(source_id) for source_id in SOURCES)


def is_proven(source_id: str) -> bool:
    """Return whether a whole body of this source has been recorded and compared by a person."""
    return SOURCES[source_id].proven_on is not None
