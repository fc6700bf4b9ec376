"""LiteLLM's price map: one JSON object, one entry per provider's model id.

Address: the file of that name in BerriAI/litellm at ``https://raw.githubusercontent.com``, no key.
MIT licensed. Evidence tier E4: contributors copy price pages, some of them months late; entries
wrong by a factor of 1e5 have stood for five months. A cross-check and a history.

Column map (``model_prices_and_context_window.json``, bodies of 2023-11-30 to 2026-11-19):

* key: listing_id, as the library's users spell it. ``litellm_provider``: provider.
* ``input_cost_per_token`` IN, ``output_cost_per_token`` OUT, ``cache_read_input_token_cost`` CIN,
  ``input_cost_per_token_batches`` BAT_IN, ``output_cost_per_token_batches`` BAT_OUT: USD per
  token, JSON numbers. Zero stands for free, for unknown and for a plan: never a price.
* fields with ``_above_`` and ``tiered_pricing``: context brackets above the one quoted. Every
  other field that names a cost (priority, flex, images, audio, searches) is not measured.
* ``off_peak_pricing`` (since 2026-09): the plain figures are then the *peak* price and the lower
  ones hold in its windows (``off_peak``): the plain price is quoted without a window, the lower one
  once for each. A meter without a lower price, and hours that are not understood: neither figure.
* ``mode``: ``chat``, ``completion`` and ``responses`` sell text. Others are refused once.
* ``sample_spec`` explains the fields; ``fallback_generalizations`` holds rules: neither is a model.
* ``deprecation_date`` announces an end; the entry's removal is what ends an offer: ignored.
* in 2025 and 2026 some entries stood twice under one key: the same figures count once, different
  ones not at all (``AMBIGUOUS_LISTING``).
* some stored bodies are wrapped: ``{"source", "fetched_at", …, "data"}``. ``fetched_at`` is then
  the time of observation.
* history (Parquet): ``snapshot_at`` is the day's end by which a release held these figures, an
  upper bound. Deletions carry no provider: it is that of the model's earlier rows. The history has
  no ``off_peak_pricing``: since 2026-09 its figures for such models are peak figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import polars as pl

from collectors import strict
from collectors.base import Capture, Parsed, Source, single_get
from collectors.changes import field_refusals, parse_changes, read_table
from collectors.rows import Repeated, Rows, is_name, load_json_with_repeats, problem, shape_error
from collectors.times import is_within, moments, utc_moment
from collectors.tokens.off_peak import off_peak_windows
from methodology import tariffs

METERS = {
    "input_cost_per_token": "IN",
    "output_cost_per_token": "OUT",
    "cache_read_input_token_cost": "CIN",
    "input_cost_per_token_batches": "BAT_IN",
    "output_cost_per_token_batches": "BAT_OUT",
}
MODES = ("chat", "completion", "responses")

_NOT_MODELS = {"sample_spec": "SAMPLE_ENTRY", "fallback_generalizations": "NOT_A_LISTING"}
_OTHER_HISTORY = {
    "cache_creation_input_token_cost": "NOT_A_MEASURED_METER",
    "input_cost_per_token_above_200k_tokens": "CONTEXT_BRACKET",
    "output_cost_per_token_above_200k_tokens": "CONTEXT_BRACKET",
    "output_cost_per_reasoning_token": "NOT_A_MEASURED_METER",
}
_COLUMNS: dict[str, pl.DataType] = {
    **dict.fromkeys(["snapshot_at", "model", "litellm_provider", "mode", "status"], pl.String()),
    **dict.fromkeys([*METERS, *_OTHER_HISTORY], pl.Float64()),
}


def parse(capture: Capture) -> Parsed:
    """Return one quote per model and meter, and per off-peak window, USD per token, no dates.

    Rejections: ``MODE_NOT_TEXT``, ``PROVIDER_MISSING``, ``SAMPLE_ENTRY``, ``NOT_A_LISTING``,
    ``BAD_WINDOW`` once per entry; ``FREE_OFFER``, ``NEGATIVE_PRICE``, ``NOT_A_NUMBER``,
    ``PRICE_MISSING`` and ``CONDITIONAL_TARIFF`` per figure, with a quote of status ``unknown`` so
    that an older price ends; ``CONTEXT_BRACKET`` and ``NOT_A_MEASURED_METER`` per remaining field.

    Raises:
        ParseError: ``NOT_JSON``, or ``SHAPE`` when it is not an object of entries, or a wrapper
            does not say when it was fetched.
    """
    body = load_json_with_repeats(capture)
    rows = Rows(capture, "per_token")
    if isinstance(body, dict) and isinstance(body.get("data"), dict) and "fetched_at" in body:
        rows.observed_at = _fetched_at(capture, body["fetched_at"])
        body = body["data"]
    if not isinstance(body, dict) or not body:
        raise shape_error(capture, "no object of models")
    if not any(isinstance(e, dict) and "input_cost_per_token" in e for e in body.values()):
        raise shape_error(capture, "no entry has input_cost_per_token")
    for listing, entry in body.items():
        if isinstance(entry, Repeated):
            entry = _one_of(rows, listing, entry)
        if not isinstance(entry, dict):
            raise shape_error(capture, f"entry {listing!r} is {type(entry).__name__}")
        provider, mode = entry.get("litellm_provider"), entry.get("mode")
        if listing in _NOT_MODELS:
            rows.reject("", listing, _NOT_MODELS[listing], "not a model")
        elif not is_name(provider):
            rows.reject("", listing, "PROVIDER_MISSING", f"litellm_provider is {provider!r}")
        elif mode not in MODES:
            rows.reject(provider, listing, "MODE_NOT_TEXT", f"mode is {mode!r}")
        else:
            _entry(rows, provider, listing, entry)
    return rows.parsed()


def _one_of(rows: Rows, listing: str, entries: list[Any]) -> Any:
    """Return the first of several entries under one key, without figures if theirs differ."""
    read = ("litellm_provider", "mode", "off_peak_pricing", *METERS)
    told = [[e.get(f) if isinstance(e, dict) else e for f in read] for e in entries]
    first = entries[0]
    provider = str(first.get("litellm_provider", "")) if isinstance(first, dict) else ""
    if any(other != told[0] for other in told):
        rows.reject(provider, listing, "AMBIGUOUS_LISTING", f"{len(entries)} entries that differ")
        return {k: v for k, v in first.items() if k not in METERS} if provider else first
    for _ in entries[1:]:
        rows.reject(provider, listing, "DUPLICATE_LISTING", "the same figures again")
    return first


def _fetched_at(capture: Capture, value: object) -> datetime:
    at = utc_moment(value)
    if at is None or not is_within(at):
        raise shape_error(
            capture, f"fetched_at {value!r:.80} is no time with an offset, or of no year of a price"
        )
    return at


def _entry(rows: Rows, provider: str, listing: str, entry: Mapping[str, Any]) -> None:
    lower = entry.get("off_peak_pricing")
    windows = _lower_hours(rows, provider, listing, lower)
    prices = lower if isinstance(lower, dict) else {}
    for field, meter in METERS.items():
        value = entry.get(field)
        if value is None and meter not in ("IN", "OUT") and prices.get(field) is None:
            continue
        if value is not None and windows and field in prices:
            _tariff(rows, (provider, listing, meter), field, (value, prices[field]), windows)
        elif value is None or lower is not None:
            reason = "PRICE_MISSING" if lower is None else "CONDITIONAL_TARIFF"
            rows.reject(provider, listing, reason, f"{field} is {value!r}")
            rows.quote(provider, listing, meter, None, status="unknown")
        else:
            figure = value if isinstance(value, strict.Number) else None
            rows.price_or_unknown(provider, listing, meter, field, figure)
    for field, value in entry.items():
        named = "cost" in field or field in ("tiered_pricing", "off_peak_pricing")
        if field in METERS or not named or value is None or (windows and value is lower):
            continue
        bracket = "_above_" in field or field == "tiered_pricing"
        reason = "CONTEXT_BRACKET" if bracket else "NOT_A_MEASURED_METER"
        rows.reject(provider, listing, reason, f"{field} is {str(value)[:80]}")


def _lower_hours(rows: Rows, provider: str, listing: str, lower: Any) -> list[tariffs.Window]:
    """Return the windows of a lower price; none, and a rejection, where they are not understood."""
    if not isinstance(lower, dict):
        return []
    try:
        windows = off_peak_windows(lower)
    except ValueError as error:
        rows.reject(provider, listing, "BAD_WINDOW", f"off_peak_pricing: {error}")
        return []
    for field, value in lower.items():
        if "cost" in field and field not in METERS and value is not None:
            told = f"off_peak_pricing.{field} is {str(value)[:80]}"
            rows.reject(provider, listing, "NOT_A_MEASURED_METER", told)
    return windows


def _tariff(
    rows: Rows,
    offer: tuple[str, str, str],
    field: str,
    figures: tuple[Any, Any],
    windows: list[tariffs.Window],
) -> None:
    """Add the plain price and the lower one of each window, or what is wrong with one of them."""
    provider, listing, _ = offer
    reasons = [problem(str(f)) if isinstance(f, strict.Number) else "NOT_A_NUMBER" for f in figures]
    if wrong := next((reason for reason in reasons if reason), None):
        rows.reject(provider, listing, wrong, f"{field} is {figures[0]!r}, off-peak {figures[1]!r}")
        rows.quote(*offer, None, status="unknown")
        return
    rows.quote(*offer, figures[0])
    for window in windows:
        rows.quote(*offer, figures[1], window=window)


def parse_history(capture: Capture) -> Parsed:
    """Return the quotes of dated change rows (Parquet), USD per token, in time order.

    ``observed_at`` is ``snapshot_at``. Statuses and rejections as ``collectors.changes``. A model
    that moves to another ``litellm_provider`` is withdrawn from the earlier one; a model whose
    mode stops selling text becomes ``unknown`` (``MODE_NOT_TEXT``).

    Raises:
        ParseError: ``NOT_PARQUET``, or ``SHAPE`` for a missing column, another type, a time that
            is not ``YYYY-MM-DDThh:mm:ssZ``, or a status that is neither ``ok`` nor ``deleted``.
    """
    table = read_table(capture, _COLUMNS)
    known = table["status"].is_in(["ok", "deleted"])
    times = table.select(moments(pl.col("snapshot_at"), "%Y-%m-%dT%H:%M:%SZ")).to_series()
    if times.null_count() or not known.all():
        raise shape_error(capture, "a snapshot_at or status is none of those documented")
    deleted = pl.col("status") == "deleted"
    carried = pl.col("litellm_provider").forward_fill().over("model")
    dated = (
        table.with_columns(times.alias("observed_at"))
        .sort("observed_at", maintain_order=True)
        .with_columns(carried.alias("provider"), pl.col("model").alias("listing_id"))
        .with_columns(pl.col("provider").shift(1).over("model").alias("before"))
        .with_row_index("place")
        .with_columns(
            pl.when(deleted)
            .then(pl.lit("deleted"))
            .when(pl.col("mode").is_in(MODES))
            .then(pl.lit("ok"))
            .otherwise(pl.lit("refused"))
            .alias("state"),
            pl.format("mode is {}", pl.col("mode").fill_null("missing")).alias("note"),
        )
    )
    nobody = dated.filter(pl.col("provider").is_null())
    dated = dated.filter(pl.col("provider").is_not_null())
    moved = dated.filter(pl.col("before").is_not_null() & (pl.col("before") != pl.col("provider")))
    left = moved.with_columns(
        pl.col("before").alias("provider"),
        pl.lit("deleted").alias("state"),
        pl.format("moved to {}", "provider").alias("note"),
        *(pl.lit(None, dtype=pl.Float64).alias(name) for name in [*METERS, *_OTHER_HISTORY]),
    )
    changes = pl.concat([left, dated]).sort("place", maintain_order=True)
    refused = pl.concat(
        [
            nobody.select(
                pl.lit("").alias("provider"),
                "listing_id",
                pl.lit("PROVIDER_MISSING").alias("reason"),
                pl.format("{} at {}", "status", "observed_at").alias("detail"),
            ),
            changes.filter(pl.col("state") == "refused").select(
                "provider",
                "listing_id",
                pl.lit("MODE_NOT_TEXT").alias("reason"),
                pl.col("note").alias("detail"),
            ),
            field_refusals(changes.filter(pl.col("state") == "ok"), _OTHER_HISTORY),
        ]
    )
    return parse_changes(capture, changes, METERS, "per_token", refused)


SOURCE = Source(
    id="litellm",
    kind="tokens",
    url=(
        "https://raw.githubusercontent.com/BerriAI/litellm/main/"
        "model_prices_and_context_window.json"
    ),
    parse=parse,
    requests=single_get,
    tier="E4",
    code_licence="MIT",
    data_right="MIT (the price map is part of the licensed repository); prices are facts",
    terms=(
        "MIT licence of the repository outside its enterprise folder, where the map is not; asks "
        "for its notice to be kept; read 2026-11-20 from stored documentation."
    ),
    content_types=("application/json", "text/plain"),
)
