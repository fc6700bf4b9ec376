"""models.dev: a community catalogue of models and prices by seller.

Address: ``https://models.dev/api.json``, no key. MIT licensed. Evidence tier E4: contributors copy
price pages. Hosts, routers that resell others' prices, plans at zero and regional twins of one
company stand side by side; which of them count is decided by the register of providers, not here.

Column map (``api.json`` as of 2026-08-12; change rows rebuilt from the repository, 2025-06-04 to
2026-07-01):

* top-level key: provider; key under ``models``: listing_id.
* ``cost.input`` IN, ``cost.output`` OUT, ``cost.cache_read`` CIN, USD per million tokens.
  ``cache_write``, ``reasoning``, ``input_audio``, ``output_audio``: meters that are not measured.
  ``tiers`` and ``context_over_200k``: context brackets above the one quoted.
* a model without ``cost`` is sold under a plan, or its price is not known: ``PRICE_MISSING``.
* ``status`` (deprecated, beta) does not end an offer: ignored. ``experimental.modes`` prices a
  faster service level: ignored, it is another good.
* history, ``status``: ``ok``; ``deleted``; ``extends:…``, an entry that takes what it does not say
  from another entry. A price left out there is inherited and cannot be read from the row:
  ``PRICE_INHERITED``. ``extra`` holds keys of older layouts (``inputCached``, ``outputCached``,
  ``cached``), which contributors filled in either order: never quoted.

A zero is a plan or a gap, never a price. Where a price is missing, zero or inherited, the listing
gets a row of status ``unknown`` besides the rejection, so that an older price ends.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from collectors import strict
from collectors.base import Capture, Parsed, Source, single_get
from collectors.changes import field_refusals, parse_changes, read_table
from collectors.rows import Rows, load_json, shape_error

METERS = {"input": "IN", "output": "OUT", "cache_read": "CIN"}
BRACKETS = frozenset({"tiers", "context_over_200k"})

_COLUMNS: dict[str, pl.DataType] = {
    "committed_at": pl.Datetime("us", "UTC"),
    "provider": pl.String(),
    "model": pl.String(),
    "status": pl.String(),
    "extra": pl.String(),
    **dict.fromkeys([*METERS, "reasoning", "cache_write"], pl.Float64()),
}


def parse(capture: Capture) -> Parsed:
    """Return one quote per listing and meter of ``api.json``, USD per Mtok, no dates.

    Rejections: ``FREE_OFFER``, ``NEGATIVE_PRICE``, ``NOT_A_NUMBER`` and ``PRICE_MISSING`` come
    with a quote of status ``unknown``; ``NOT_A_MEASURED_METER`` and ``CONTEXT_BRACKET`` are one
    per listing and field.

    Raises:
        ParseError: ``NOT_JSON``, or ``SHAPE`` when it is not providers with their models.
    """
    body = load_json(capture)
    if not isinstance(body, dict) or not body:
        raise shape_error(capture, "no object of providers")
    rows = Rows(capture, "per_mtok")
    for provider, entry in body.items():
        models = entry.get("models") if isinstance(entry, dict) else None
        if not isinstance(models, dict):
            raise shape_error(capture, f"provider {provider!r} without models")
        for listing, model in models.items():
            if not isinstance(model, dict):
                raise shape_error(capture, f"{provider} {listing!r} is {type(model).__name__}")
            _listing(rows, provider, listing, model.get("cost"))
    return rows.parsed()


def _listing(rows: Rows, provider: str, listing: str, cost: Any) -> None:
    if not isinstance(cost, dict):
        cost = {}
    for field, meter in METERS.items():
        if field in cost:
            value = cost[field]
            # a quoted figure would be a change of layout: only JSON numbers are prices here
            figure = value if isinstance(value, strict.Number) else None
            rows.price_or_unknown(provider, listing, meter, f"cost.{field}", figure)
        elif meter != "CIN":
            rows.reject(provider, listing, "PRICE_MISSING", f"no cost.{field}")
            rows.quote(provider, listing, meter, None, status="unknown")
    for field in cost:
        if field not in METERS:
            reason = "CONTEXT_BRACKET" if field in BRACKETS else "NOT_A_MEASURED_METER"
            rows.reject(provider, listing, reason, f"cost.{field} carries a price")


def parse_history(capture: Capture) -> Parsed:
    """Return the quotes of the catalogue's change rows (Parquet), in time order.

    ``observed_at`` is ``committed_at``: the catalogue said so from that moment, which is when
    someone noticed, not when a seller changed a price. Statuses and rejections as
    ``collectors.changes``; the fields that are no meter are refused once per listing and field.

    Raises:
        ParseError: ``NOT_PARQUET``, or ``SHAPE`` for a missing column, another type, or an
            ``extra`` that is not a JSON object.
    """
    table = read_table(capture, _COLUMNS)
    status = pl.col("status")
    inherits = status.str.starts_with("extends:")
    changes = table.select(
        "provider",
        pl.col("model").alias("listing_id"),
        pl.col("committed_at").dt.replace_time_zone(None).alias("observed_at"),
        pl.when(status == "ok")
        .then(pl.lit("ok"))
        .when(status == "deleted")
        .then(pl.lit("deleted"))
        .when(inherits)
        .then(pl.lit("inherited"))
        .otherwise(pl.lit("refused"))
        .alias("state"),
        pl.format("status {}", status.fill_null("is missing")).alias("note"),
        *METERS,
        "reasoning",
        "cache_write",
        "extra",
    ).sort("observed_at", maintain_order=True)
    odd = changes.filter(pl.col("state") == "refused").select(
        "provider",
        "listing_id",
        pl.lit("UNKNOWN_STATUS").alias("reason"),
        pl.col("note").alias("detail"),
    )
    other = dict.fromkeys(["reasoning", "cache_write"], "NOT_A_MEASURED_METER")
    refused = pl.concat([odd, field_refusals(changes, other), _extra_refusals(capture, changes)])
    return parse_changes(capture, changes, METERS, "per_mtok", refused)


def _extra_refusals(capture: Capture, changes: pl.DataFrame) -> pl.DataFrame:
    texts = changes["extra"].drop_nulls().unique(maintain_order=True).to_list()
    keys: dict[str, list[str]] = {}
    for text in texts:
        try:
            keys[text] = sorted(strict.loads(text.encode()).keys())
        except (ValueError, AttributeError) as error:
            raise shape_error(capture, f"extra {text[:80]!r}: {error}") from error
    return (
        changes.select("provider", "listing_id", "extra")
        .join(
            pl.DataFrame(
                {"extra": list(keys), "field": list(keys.values())},
                schema={"extra": pl.String, "field": pl.List(pl.String)},
            ),
            on="extra",
            how="inner",
            maintain_order="left",
        )
        .explode("field", empty_as_null=True)
        .drop_nulls("field")
        .unique(["provider", "listing_id", "field"], keep="first", maintain_order=True)
        .select(
            "provider",
            "listing_id",
            pl.when(pl.col("field").is_in(list(BRACKETS)))
            .then(pl.lit("CONTEXT_BRACKET"))
            .otherwise(pl.lit("NOT_A_MEASURED_METER"))
            .alias("reason"),
            pl.format("{} carries a price", "field").alias("detail"),
        )
    )


SOURCE = Source(
    id="models_dev",
    kind="tokens",
    url="https://models.dev/api.json",
    parse=parse,
    requests=single_get,
    tier="E4",
    code_licence="MIT",
    data_right="MIT (the catalogue is the licensed repository); prices are facts",
    terms=(
        "MIT licence of the repository the API is built from, which asks for its notice to be "
        "kept; public, no key; read 2026-11-20 from stored documentation."
    ),
)
