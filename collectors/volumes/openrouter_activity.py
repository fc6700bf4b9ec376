"""OpenRouter token volumes: how much each model is used through the router.

Three shapes of the same facts:

* ``GET /api/v1/datasets/rankings-daily``, the documented Data API at
  ``https://openrouter.ai`` (key in ``OPENROUTER_API_KEY``, CC BY 4.0): the fifty
  busiest models per UTC day and one row ``other``. Column map: ``model_permaslug`` subject,
  ``total_tokens`` (a decimal *string*) meter ``total``, prompt plus completion; ``date`` the day;
  ``meta.as_of`` as_of, kept because figures are restated. ``other`` has no subject and is refused.
* a stored daily table (CSV, 2026-06-17 to 08-08): ``model_slug`` subject (``permaslug`` names the
  release behind it: ignored), ``total_prompt_tokens`` prompt, ``total_completion_tokens``
  completion, ``total_native_tokens_reasoning`` reasoning, ``total_native_tokens_cached`` cached,
  ``last_scraped_at`` as_of. Request, tool-call and media counts are not tokens: ignored.
  Native counts come from another counter than completion and may exceed it: kept as stated.
* a stored table of hosts (CSV, 2026-07-17 to 08-07): ``total_tokens`` routed to each host of a
  model, meter ``total``, subject ``model_slug|provider_name``. The length of the window behind a
  figure is not stated, so only shares of one scrape mean anything; the day is the scrape's.
  Prices paid, cache rates and ``provider_slug`` are not volumes: ignored. Rows without a host are
  models that nobody routed: refused as ``NO_HOST``.

Only the variant ``standard`` counts: ``free`` is use at no price and says nothing about what is
bought, ``batch`` and ``thinking`` are other goods. A day is counted once it is over: a row stated
before the end of its own UTC day is a part of that day.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl

from collectors import strict
from collectors.base import Capture, Parsed, Request, Source
from collectors.changes import rejection_frame
from collectors.csv_tables import read_text
from collectors.rows import load_json, shape_error
from collectors.times import days, moments
from collectors.visible import name_fault, no_name
from collectors.volumes.counting import day_of
from methodology import schemas

METERS = {
    "total_prompt_tokens": "prompt",
    "total_completion_tokens": "completion",
    "total_native_tokens_reasoning": "reasoning",
    "total_native_tokens_cached": "cached",
}

_COLUMNS = {"variant", "model_slug", "date", "last_scraped_at", *METERS}
_HOST_COLUMNS = {
    "model_slug",
    "variant",
    "scrape_date",
    "scraped_at",
    "provider_name",
    "total_tokens",
}
_COUNT = re.compile(r"(?:0|[1-9][0-9]{0,17})")
_DAY = timedelta(days=1)


def requests(base_url: str) -> Generator[Request, Capture, None]:
    """Yield one GET; without dates the API answers its default window of recent days."""
    yield Request(url=base_url)


def parse(capture: Capture) -> Parsed:
    """Return one Volume row per model, UTC day and meter, in tokens.

    A body that begins with ``{`` is the Data API's JSON, any other the stored table. Rejections,
    one per row of the body: ``PARTIAL_DAY``, ``FREE_VARIANT``, ``VARIANT_NOT_STANDARD``,
    ``TAIL_BUCKET`` (the row ``other``), ``NOT_A_COUNT``, ``SEEN_IN_FUTURE``, ``MALFORMED_ROW`` (no
    name), ``DUPLICATE_ROW``.

    Raises:
        ParseError: ``NOT_JSON``, ``NOT_CSV`` or ``SHAPE``.
    """
    if capture.body.lstrip()[:1] == b"{":
        return _parse_rankings(capture)
    if b"provider_name" in capture.body.split(b"\n", 1)[0]:
        return _parse_hosts(capture)
    return _parse_table(capture)


def _parse_hosts(capture: Capture) -> Parsed:
    table = read_text(capture, capture.body)
    missing = sorted(_HOST_COLUMNS - set(table.columns))
    if missing:
        raise shape_error(capture, f"columns {missing} are missing")
    if table.is_empty():
        raise shape_error(capture, "a head and no row")
    rows = table.with_columns(
        days(pl.col("scrape_date")).alias("day"),
        moments(pl.col("scraped_at"), "%Y-%m-%dT%H:%M:%S%z").alias("as_of"),
    )
    if rows["day"].null_count() or rows["as_of"].null_count() or rows["model_slug"].null_count():
        raise shape_error(capture, "a row without model_slug, scrape_date or scraped_at")
    key = pl.struct("model_slug", "provider_name", "variant", "day")
    rows = rows.with_columns(
        pl.when(pl.col("provider_name").fill_null("") == "")
        .then(pl.lit("NO_HOST"))
        .when(pl.col("variant") == "free")
        .then(pl.lit("FREE_VARIANT"))
        .when(pl.col("variant").fill_null("") != "standard")
        .then(pl.lit("VARIANT_NOT_STANDARD"))
        .when(~pl.col("total_tokens").fill_null("").str.contains(r"^(?:0|[1-9][0-9]{0,17})$"))
        .then(pl.lit("NOT_A_COUNT"))
        .when(pl.col("as_of") > capture.observed_at + _DAY)
        .then(pl.lit("SEEN_IN_FUTURE"))
        .when(no_name("model_slug") | no_name("provider_name"))
        .then(pl.lit("MALFORMED_ROW"))
        .when(~key.is_first_distinct())
        .then(pl.lit("DUPLICATE_ROW"))
        .alias("reason")
    )
    volumes = rows.filter(pl.col("reason").is_null()).select(
        pl.lit(capture.source).alias("source"),
        pl.format("{}|{}", "model_slug", "provider_name").alias("subject"),
        pl.lit("total").alias("meter"),
        pl.col("total_tokens").cast(pl.Int64).alias("quantity"),
        pl.col("day").alias("period_start"),
        (pl.col("day") + pl.duration(days=1)).alias("period_end"),
        "as_of",
        pl.lit(capture.sha256).alias("capture_sha256"),
    )
    refused = rows.filter(pl.col("reason").is_not_null()).select(
        pl.col("provider_name").fill_null("").alias("provider"),
        pl.format("{}:{}", "model_slug", pl.col("variant").fill_null("")).alias("listing_id"),
        "reason",
        pl.format("{} as of {}", "day", "as_of").alias("detail"),
    )
    return Parsed(volumes=volumes, rejections=rejection_frame(capture, refused))


def _parse_rankings(capture: Capture) -> Parsed:
    body = load_json(capture)
    data, meta = body.get("data"), body.get("meta")
    if not isinstance(data, list) or not isinstance(meta, dict):
        raise shape_error(capture, "no 'data' with rows and 'meta'")
    if not data:
        raise shape_error(capture, "'data' has no row")
    as_of = _as_of(capture, meta.get("as_of"))
    volumes: list[dict[str, Any]] = []
    refused: list[tuple[str, str, str]] = []
    told: set[tuple[str, date]] = set()
    for row in data:
        subject, day, count = _ranking(capture, row)
        reason = _refusal(subject, day, as_of)
        # the figure is documented as a string; a JSON number may have passed through a float
        if isinstance(count, strict.Number) or not _COUNT.fullmatch(str(count)):
            reason = "NOT_A_COUNT"
        elif not reason and (subject, day) in told:
            reason = "DUPLICATE_ROW"
        if reason:
            refused.append((subject, reason, f"{day}: total_tokens {count!r}, as of {as_of}"))
            continue
        told.add((subject, day))
        volumes.append(
            {
                "source": capture.source,
                "subject": subject,
                "meter": "total",
                "quantity": int(count),
                "period_start": day,
                "period_end": day + _DAY,
                "as_of": as_of,
            }
        )
    digest = capture.sha256
    for row in volumes:
        row["capture_sha256"] = digest
    return Parsed(
        volumes=schemas.frame(schemas.Volume, volumes),
        rejections=rejection_frame(
            capture,
            pl.DataFrame(
                [("", *line) for line in refused],
                schema=dict.fromkeys(["provider", "listing_id", "reason", "detail"], pl.String),
                orient="row",
            ),
        ),
    )


def _ranking(capture: Capture, row: Any) -> tuple[str, date, Any]:
    try:
        subject, day = row["model_permaslug"], day_of(row["date"])
        count = row["total_tokens"]
    except (TypeError, KeyError, ValueError) as error:
        raise shape_error(capture, f"row {row!r}: {error!r}") from error
    if not isinstance(subject, str) or name_fault(subject):
        raise shape_error(capture, f"model_permaslug is {subject!r}")
    return subject, day, count


def _refusal(subject: str, day: date, as_of: datetime) -> str | None:
    variant = subject.partition(":")[2]
    if subject == "other":
        return "TAIL_BUCKET"
    if variant:
        return "FREE_VARIANT" if variant == "free" else "VARIANT_NOT_STANDARD"
    over = datetime(day.year, day.month, day.day) + _DAY
    return "PARTIAL_DAY" if as_of < over else None


def _as_of(capture: Capture, value: object) -> datetime:
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError as error:
        raise shape_error(capture, f"meta.as_of is {value!r}, not an ISO time") from error
    # a date alone, or a time without offset, is UTC: the datasets are kept in UTC days
    try:
        found = (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC).replace(tzinfo=None)
    except OverflowError as error:
        raise shape_error(capture, f"meta.as_of is {value!r}") from error
    if found > capture.observed_at + _DAY:
        raise shape_error(capture, f"meta.as_of is {value!r}, after {capture.observed_at}")
    return found


def _parse_table(capture: Capture) -> Parsed:
    table = read_text(capture, capture.body)
    missing = sorted(_COLUMNS - set(table.columns))
    if missing:
        raise shape_error(capture, f"columns {missing} are missing")
    if table.is_empty():
        raise shape_error(capture, "a head and no row")
    rows = table.with_columns(
        days(pl.col("date")).alias("day"),
        moments(pl.col("last_scraped_at"), "%Y-%m-%dT%H:%M:%S%z").alias("as_of"),
        *(
            pl.when(pl.col(name).str.contains(r"^(?:0|[1-9][0-9]{0,17})$"))
            .then(pl.col(name))
            .cast(pl.Int64)
            .alias(name)
            for name in METERS
        ),
    )
    if rows["day"].null_count() or rows["as_of"].null_count() or rows["model_slug"].null_count():
        raise shape_error(capture, "a row without model_slug, date or last_scraped_at")
    counted = pl.all_horizontal(pl.col(name).is_not_null() for name in METERS)
    rows = rows.with_columns(
        pl.when(pl.col("variant") == "free")
        .then(pl.lit("FREE_VARIANT"))
        .when(pl.col("variant").fill_null("") != "standard")
        .then(pl.lit("VARIANT_NOT_STANDARD"))
        .when(pl.col("as_of") < pl.col("day").cast(pl.Datetime("us")) + pl.duration(days=1))
        .then(pl.lit("PARTIAL_DAY"))
        .when(~counted)
        .then(pl.lit("NOT_A_COUNT"))
        .when(pl.col("as_of") > capture.observed_at + _DAY)
        .then(pl.lit("SEEN_IN_FUTURE"))
        .when(no_name("model_slug"))
        .then(pl.lit("MALFORMED_ROW"))
        .when(~pl.struct("model_slug", "variant", "day").is_first_distinct())
        .then(pl.lit("DUPLICATE_ROW"))
        .alias("reason")
    )
    volumes = (
        rows.filter(pl.col("reason").is_null())
        .with_row_index("row")
        .unpivot(
            on=list(METERS),
            index=["row", "model_slug", "day", "as_of"],
            variable_name="field",
            value_name="quantity",
        )
        .with_columns(
            pl.col("field").replace_strict(METERS, return_dtype=pl.String).alias("meter"),
            pl.col("field")
            .replace_strict({name: i for i, name in enumerate(METERS)}, return_dtype=pl.Int8)
            .alias("rank"),
        )
        .sort("row", "rank")
        .select(
            pl.lit(capture.source).alias("source"),
            pl.col("model_slug").alias("subject"),
            "meter",
            "quantity",
            pl.col("day").alias("period_start"),
            (pl.col("day") + pl.duration(days=1)).alias("period_end"),
            "as_of",
            pl.lit(capture.sha256).alias("capture_sha256"),
        )
    )
    refused = rows.filter(pl.col("reason").is_not_null()).select(
        pl.lit("").alias("provider"),
        pl.format("{}:{}", "model_slug", pl.col("variant").fill_null("")).alias("listing_id"),
        "reason",
        pl.format("{} as of {}", "day", "as_of").alias("detail"),
    )
    return Parsed(volumes=volumes, rejections=rejection_frame(capture, refused))


SOURCE = Source(
    id="openrouter_activity",
    kind="volumes",
    url="https://openrouter.ai/api/v1/datasets/rankings-daily",
    parse=parse,
    requests=requests,
    tier="E4",
    code_licence="none (an API response)",
    data_right='CC BY 4.0; "Source: OpenRouter (openrouter.ai/rankings), as of {as_of}."',
    terms=(
        "Data API under CC BY 4.0 with attribution and its time stamp; any valid key, 30 requests "
        "a minute and 500 a day; the stored table's endpoint states no licence. "
        "Read 2026-11-20 from stored documentation."
    ),
    mode="history",
    auth_env="OPENROUTER_API_KEY",
    every=timedelta(hours=5),
)
