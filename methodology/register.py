"""The reviewed registers: which seller and which standard good a source's own spelling means.

Four TOML files in ``methodology/instruments`` hold one reviewed line each per seller
(``providers.toml``, ``gpu_providers.toml``), per model (``models.toml``) and per GPU listing
(``gpus.toml``). This module reads them, refuses what is malformed or ambiguous, and offers them as
frames. Mapping is by exact match only: a spelling that no line holds maps to nothing, and nothing
is derived from a name that looks similar (rulebook 1.3, 2.2).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from importlib import resources

import polars as pl

from methodology.errors import DefinitionError
from methodology.register_lines import (
    GPU_CLASSES,
    GpuMap,
    Model,
    Provider,
    parse_gpus,
    parse_models,
    parse_providers,
)

ANY_PROVIDER = "*"
"""A listing line that holds for every seller of the source."""


@cache
def load_providers() -> tuple[Provider, ...]:
    """Return the packaged register of token sellers; raises as :func:`parse_providers`."""
    return parse_providers(_packaged("providers.toml"))


@cache
def load_models() -> tuple[Model, ...]:
    """Return the packaged register of models; raises as :func:`parse_models`.

    Raises:
        DefinitionError: also when a first-party pair names a seller that ``providers.toml`` does
            not hold as a first party of the same group.
    """
    models = parse_models(_packaged("models.toml"))
    _check_first_parties(models, load_providers())
    return models


@cache
def load_gpu_providers() -> tuple[Provider, ...]:
    """Return the packaged register of sellers of GPU-hours; raises as :func:`parse_providers`."""
    text = _packaged("gpu_providers.toml")
    return parse_providers(text, "gpu_providers.toml", GPU_CLASSES, None)


@cache
def load_gpus() -> tuple[GpuMap, ...]:
    """Return the packaged GPU listing lines; raises as :func:`parse_gpus`."""
    return parse_gpus(_packaged("gpus.toml"))


def token_listing_map(models: Iterable[Model] | None = None) -> pl.DataFrame:
    """Return source, listing_id, instrument_id: one row per exact id, sorted by source and id."""
    rows = [
        (source, listing, model.id)
        for model in (load_models() if models is None else models)
        for source, listings in model.listings.items()
        for listing in listings
    ]
    return _frame(rows, ["source", "listing_id", "instrument_id"])


def listing_map() -> pl.DataFrame:
    """Return every reviewed listing line, tokens and GPU-hours together.

    Columns source, spelling (``*``: any seller of the source), listing_id, instrument_id,
    gpu_count (null where none was reviewed), sorted; the shape ``eligibility`` joins on.
    """
    tokens = token_listing_map().select(
        "source",
        pl.lit(ANY_PROVIDER).alias("spelling"),
        "listing_id",
        "instrument_id",
        pl.lit(None, pl.Int32).alias("gpu_count"),
    )
    columns = ["source", "spelling", "listing_id", "instrument_id"]
    lines = load_gpus()
    gpus = pl.DataFrame(
        [(g.source, g.provider, g.listing, g.instrument, g.gpu_count) for g in lines],
        schema={**dict.fromkeys(columns, pl.String), "gpu_count": pl.Int32},
        orient="row",
    )
    return pl.concat([tokens, gpus]).sort(columns)


def provider_map(providers: Iterable[Provider] | None = None) -> pl.DataFrame:
    """Return source, spelling, provider, group, provider_class, domicile, sorted.

    One row per exact spelling of one source; by default token sellers and sellers of GPU-hours.
    """
    sellers = load_providers() + load_gpu_providers() if providers is None else providers
    rows = [
        (source, spelling, p.id, p.group, p.provider_class, p.domicile)
        for p in sellers
        for source, spellings in p.spellings.items()
        for spelling in spellings
    ]
    columns = ["source", "spelling", "provider", "group", "provider_class", "domicile"]
    return _frame(rows, columns)


def _frame(rows: Sequence[tuple[str, ...]], columns: list[str]) -> pl.DataFrame:
    schema = dict.fromkeys(columns, pl.String)
    return pl.DataFrame(rows, schema=schema, orient="row").sort(columns)


def _packaged(name: str) -> str:
    file = resources.files("methodology") / "instruments" / name
    if not file.is_file():
        raise DefinitionError(f"{name}: missing from methodology/instruments; reinstall")
    return file.read_text("utf-8")


def _check_first_parties(models: Iterable[Model], providers: Iterable[Provider]) -> None:
    sellers = {
        (source, spelling): p
        for p in providers
        for source, spellings in p.spellings.items()
        for spelling in spellings
    }
    for model in models:
        for source, spelling, listing in model.first_party:
            seller = sellers.get((source, spelling))
            if seller is None or (seller.group, seller.provider_class) != (
                model.developer,
                "first_party",
            ):
                raise DefinitionError(
                    f"models.toml: {model.id}: {spelling}/{listing} of {source} is not a first "
                    f"party of group {model.developer} in providers.toml; correct one of the two"
                )
