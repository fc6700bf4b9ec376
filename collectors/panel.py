"""The panel: every admitted source, one reviewed line each.

A source that is not here is never read. A line is ``id: (module, name of the Source in it)``;
modules are imported only when their source is asked for, so that one command need not load them
all. A new source is one file, one folder of payloads and one line here, and a test holds the three
together.
"""

from __future__ import annotations

import importlib

from collectors.base import Source
from methodology.errors import ConfigError

SOURCES: dict[str, tuple[str, str]] = {
    # prices of tokens
    "genai_prices": ("collectors.tokens.genai_prices", "SOURCE"),
    "litellm": ("collectors.tokens.litellm", "SOURCE"),
    "models_dev": ("collectors.tokens.models_dev", "SOURCE"),
    "openrouter_endpoints": ("collectors.tokens.openrouter_endpoints", "SOURCE"),
    "openrouter_models": ("collectors.tokens.openrouter_models", "SOURCE"),
    # prices of GPU-hours
    "aws_history": ("collectors.gpus.aws_list", "HISTORY"),
    "aws_list": ("collectors.gpus.aws_list", "SOURCE"),
    "azure_history": ("collectors.gpus.azure_retail", "HISTORY"),
    "azure_retail": ("collectors.gpus.azure_retail", "SOURCE"),
    "gcp_history": ("collectors.gpus.gcp_list", "HISTORY"),
    "gcp_list": ("collectors.gpus.gcp_list", "SOURCE"),
    "gpurentalprices": ("collectors.gpus.gpurentalprices", "SOURCE"),
    # volumes
    "openrouter_activity": ("collectors.volumes.openrouter_activity", "SOURCE"),
    # exchange rates
    "ecb": ("collectors.fx.ecb", "SOURCE"),
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
    module, name = SOURCES[source_id]
    source = getattr(importlib.import_module(module), name, None)
    if not isinstance(source, Source) or source.id != source_id:
        raise ConfigError(f"{module}: {name} is not the Source {source_id!r} the panel names")
    return source


def load_all() -> tuple[Source, ...]:
    """Return every admitted source, in the order of the panel."""
    return tuple(load(source_id) for source_id in SOURCES)
