"""Catwalk: the catalogue of models that a terminal client ships, by seller.

``https://catwalk.charm.sh/v2/providers``, no key; MIT licensed (charmbracelet/catwalk, LICENSE and
``pkg/catwalk/provider.go`` read 2026-11-21). Evidence tier E4: people copy price pages, programs
copy sellers' own lists, and hosts, routers, plans and regional twins stand side by side.
At hand: sixteen dumps of the repository's provider files, one object by provider, 2025-06-25 to
2026-08-21, and its change rows. The address answers with a list of the same providers; such an
answer has not been recorded.

Column map:

* ``id``: provider; ``models[].id``: listing_id. Keys, endpoints, limits and abilities: ignored. In
  the dumps and the change rows a provider also has the name of its file, which differs for a few
  (file ``kimi``, id ``kimi-coding``); the change rows know that name only.
* ``cost_per_1m_in`` IN, ``cost_per_1m_out`` OUT, USD per million tokens, JSON numbers. Zero stands
  for free, for a plan and for unknown.
* ``cost_per_1m_in_cached`` and ``cost_per_1m_out_cached`` mean different things by seller and time.
  For Anthropic and Bedrock the first is 1.25 times input, a cache *write*, and the second a tenth
  of it, a cache read. For DeepSeek and older OpenAI models the first is the read, for OpenAI's of
  July 2026 the write. For Synthetic both repeat the input price. Neither is quoted.
* ``pricing`` (the layout of the repository since autumn 2026): ``input``, ``output``, ``cache_hit``
  CIN and ``cache_create``, no meter of ours. ``cache_hit`` zero means that none is given.
* history, ``status``: ``ok`` or ``deleted``, at the moment of a commit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

from collectors import strict
from collectors.base import Capture, Parsed, Source, not_empty, single_get
from collectors.changes import field_refusals, parse_changes, read_table
from collectors.rows import Rows, is_name, load_json, shape_error
from collectors.tokens.clashes import without_clashes

METERS = {"cost_per_1m_in": "IN", "cost_per_1m_out": "OUT"}
CACHED = ("cost_per_1m_in_cached", "cost_per_1m_out_cached")
NEW_METERS = {"input": "IN", "output": "OUT", "cache_hit": "CIN"}

_COLUMNS: dict[str, pl.DataType] = {
    "committed_at": pl.Datetime("us", "UTC"),
    "provider": pl.String(),
    "model": pl.String(),
    "status": pl.String(),
    **dict.fromkeys(["input", "output", "in_cached", "out_cached"], pl.Float64()),
}


def parse(capture: Capture) -> Parsed:
    """Return one quote per listing and meter, USD per Mtok, no dates.

    Rejections: ``FREE_OFFER``, ``NEGATIVE_PRICE``, ``NOT_A_NUMBER`` and ``PRICE_MISSING`` come with
    a quote of status ``unknown``; ``NOT_A_MEASURED_METER`` once per listing and field of cache
    that is above zero; ``DUPLICATE_LISTING``, ``AMBIGUOUS_LISTING``.

    Raises:
        ParseError: ``NOT_JSON``, or ``SHAPE`` when it is neither a list nor an object of providers
            with an id and their models.
    """
    body = load_json(capture)
    rows = Rows(capture, "per_mtok")
    for provider, models in _providers(capture, body):
        if not models:
            rows.reject(provider, "", "NOT_A_LISTING", f"{provider} has no models")
        for model in models:
            listing = model.get("id") if isinstance(model, dict) else None
            if not is_name(listing):
                raise shape_error(capture, f"{provider}: a model with id {listing!r}")
            if isinstance(model.get("pricing"), dict):
                _figures(rows, (provider, listing), model["pricing"], NEW_METERS, ("cache_create",))
            else:
                _figures(rows, (provider, listing), model, METERS, CACHED)
    return not_empty(capture, without_clashes(capture, rows))


def _providers(capture: Capture, body: Any) -> Iterable[tuple[str, list[Any]]]:
    if isinstance(body, dict):
        listed = list(body.items())
    elif isinstance(body, list):
        listed = [(entry.get("id") if isinstance(entry, dict) else None, entry) for entry in body]
    else:
        listed = []
    if not listed:
        raise shape_error(capture, "no providers")
    for key, entry in listed:
        models = entry.get("models", []) if isinstance(entry, dict) else None
        provider = entry.get("id") if isinstance(entry, dict) else None
        if not is_name(provider) or not isinstance(models, list):
            raise shape_error(capture, f"provider {key!r}: id {provider!r}, or no list of models")
        yield provider, models


def _figures(
    rows: Rows,
    seller: tuple[str, str],
    prices: Mapping[str, Any],
    meters: Mapping[str, str],
    other: Iterable[str],
) -> None:
    for field, meter in meters.items():
        value = prices.get(field)
        figure = value if isinstance(value, strict.Number) else None
        if meter == "CIN" and (value is None or _is_zero(value)):
            continue
        if value is None:
            rows.reject(*seller, "PRICE_MISSING", f"no {field}")
            rows.quote(*seller, meter, None, status="unknown")
        else:
            rows.price_or_unknown(*seller, meter, field, figure)
    for field in other:
        value = prices.get(field)
        if value is not None and not _is_zero(value):
            rows.reject(*seller, "NOT_A_MEASURED_METER", f"{field} is {str(value)[:80]}")


def _is_zero(value: object) -> bool:
    return isinstance(value, strict.Number) and not value.strip("0.")


def parse_history(capture: Capture) -> Parsed:
    """Return the quotes of the catalogue's change rows (Parquet), USD per Mtok, in time order.

    ``observed_at`` is ``committed_at``: someone noticed, or a program copied, no later than then.
    Statuses and rejections as ``collectors.changes``; the two fields of cache are refused once per
    listing and field.

    Raises:
        ParseError: ``NOT_PARQUET``, or ``SHAPE`` for a missing column, another type, or a status
            that is neither ``ok`` nor ``deleted``.
    """
    table = read_table(capture, _COLUMNS)
    if not table["status"].is_in(["ok", "deleted"]).all():
        raise shape_error(capture, "a status is neither ok nor deleted")
    changes = table.select(
        "provider",
        pl.col("model").alias("listing_id"),
        pl.col("committed_at").dt.replace_time_zone(None).alias("observed_at"),
        pl.col("status").alias("state"),
        pl.format("status {}", "status").alias("note"),
        "input",
        "output",
        *(
            pl.when(pl.col(name) != 0).then(pl.col(name)).alias(name)
            for name in ("in_cached", "out_cached")
        ),
    ).sort("observed_at", maintain_order=True)
    refused = field_refusals(
        changes, dict.fromkeys(["in_cached", "out_cached"], "NOT_A_MEASURED_METER")
    )
    meters = {"input": "IN", "output": "OUT"}
    return parse_changes(capture, changes, meters, "per_mtok", refused)


SOURCE = Source(
    id="catwalk",
    kind="tokens",
    url="https://catwalk.charm.sh/v2/providers",
    parse=parse,
    requests=single_get,
    tier="E4",
    code_licence="MIT",
    data_right="MIT (the catalogue is part of the licensed repository); prices are facts",
    terms="MIT licence of the repository, which asks for its notice to be kept; read 2026-11-21",
)
