"""OpenRouter effective pricing: what was paid on average, per model and host (stored history).

Eleven stored tables (CSV), 2026-07-17 to 2026-08-07, made from
``/api/frontend/v1/stats/effective-pricing`` of openrouter.ai, an address of the site's own pages.
It is not documented and states no licence: read 2026-11-20 from stored notes. It feeds no live run,
and nothing of it may be published (``rights.toml``).

**Why no quote comes from it.** An average paid is no offer: nobody can buy at it. The input price
mixes uncached with cached reads, two goods with two prices (rulebook 1.2), at whatever rate the
host's callers happened to hit the cache. And it is a router's statistic, no invoice: it is not
evidence E1 (rulebook 2.5). So the parser yields volumes, and :func:`prices_paid` the figures as
they stand, for whoever compares lists with what is paid.

**What the tokens count.** All scrapes were made about 16 to 18 hours into a UTC day, and the
tokens of a model over all its hosts are about two thirds (0.59 to 0.68) of that same day in the
daily table of ``openrouter_activity``. So a figure is of the running day until ``scraped_at``:
``as_of`` inside the period says that it is a part. Only shares of one scrape compare.

Column map: ``model_slug`` and ``provider_name`` -> subject ``model|host`` (``provider_slug`` groups
several hosts of one company, up to 156 rows of a scrape, and ``permaslug`` names the release
behind the slug: ignored); ``total_tokens`` -> total, prompt plus completion; ``scrape_date`` ->
the day; ``scraped_at`` -> as_of. ``variant`` must be ``standard``. A row without a host is a model
that nobody routed that day. ``effective_*`` and ``cache_hit_rate`` -> :func:`prices_paid`;
``weighted_*`` are their means over hosts: ignored.
"""

from __future__ import annotations

from collections.abc import Generator
from datetime import timedelta

import polars as pl

from collectors.base import Capture, Parsed, Request, Source
from collectors.changes import rejection_frame
from collectors.csv_tables import read_text
from collectors.rows import shape_error
from collectors.times import days, moments
from collectors.visible import no_name

ID = "openrouter_effective_pricing"
PAID = ("effective_input_price", "effective_output_price", "cache_hit_rate")
"""USD per million tokens, USD per million tokens, part of prompt tokens read from cache."""

_COLUMNS = {
    *("scrape_date", "scraped_at", "model_slug", "variant", "provider_name", "total_tokens"),
    *PAID,
}
_FIGURE = r"^[0-9]{1,12}(?:\.[0-9]{1,40})?(?:[eE]-?[0-9]{1,2})?$"


def requests(base_url: str) -> Generator[Request, Capture, None]:
    """Yield nothing: the tables come with the archive."""
    yield from ()


def parse(capture: Capture) -> Parsed:
    """Return one Volume row per model and host that served standard traffic, in tokens.

    Rejections, one per row: ``NO_HOST``, ``FREE_VARIANT``, ``VARIANT_NOT_STANDARD``,
    ``NOT_A_COUNT``, ``SEEN_IN_FUTURE`` (a day after the scrape, or a scrape after the
    body was fetched), ``MALFORMED_ROW`` (no name), ``DUPLICATE_ROW``.

    Raises:
        ParseError: ``NOT_CSV`` or ``SHAPE``.
    """
    rows = _rows(capture)
    volumes = rows.filter(pl.col("reason").is_null()).select(
        pl.lit(capture.source).alias("source"),
        "subject",
        pl.lit("total").alias("meter"),
        pl.col("total_tokens").cast(pl.Int64).alias("quantity"),
        pl.col("day").alias("period_start"),
        (pl.col("day") + pl.duration(days=1)).alias("period_end"),
        "as_of",
        pl.lit(capture.sha256).alias("capture_sha256"),
    )
    refused = rows.filter(pl.col("reason").is_not_null()).select(
        pl.col("provider_name").alias("provider"),
        pl.format("{}:{}", "model_slug", "variant").alias("listing_id"),
        "reason",
        pl.format("total_tokens {} of {} as of {}", "total_tokens", "day", "as_of").alias("detail"),
    )
    return Parsed(volumes=volumes, rejections=rejection_frame(capture, refused))


def prices_paid(capture: Capture) -> pl.DataFrame:
    """Return what was paid on average, for the rows that :func:`parse` keeps and that had traffic.

    Columns: ``subject`` (``model|host``), ``day``, ``as_of``, ``tokens``, and as decimal text,
    verbatim, ``effective_input_price`` and ``effective_output_price`` (USD per million tokens, over
    cached and uncached input together) and ``cache_hit_rate`` (0 to 1). A figure that is no plain
    decimal is null. In the order of the body.

    Raises:
        ParseError: as :func:`parse`.
    """
    kept = _rows(capture).filter(pl.col("reason").is_null() & (pl.col("total_tokens") != "0"))
    return kept.select(
        "subject",
        "day",
        "as_of",
        pl.col("total_tokens").cast(pl.Int64).alias("tokens"),
        *(pl.when(pl.col(name).str.contains(_FIGURE)).then(name).alias(name) for name in PAID),
    )


def _rows(capture: Capture) -> pl.DataFrame:
    table = read_text(capture, capture.body)
    missing = sorted(_COLUMNS - set(table.columns))
    if missing:
        raise shape_error(capture, f"columns {missing} are missing")
    if table.is_empty():
        raise shape_error(capture, "a head and no row")
    rows = table.with_columns(
        days(pl.col("scrape_date")).alias("day"),
        moments(pl.col("scraped_at"), "%Y-%m-%dT%H:%M:%S%z").alias("as_of"),
        pl.col("provider_name", "variant", "total_tokens").fill_null(""),
    ).with_columns(pl.format("{}|{}", "model_slug", "provider_name").alias("subject"))
    if rows["day"].null_count() or rows["as_of"].null_count() or rows["model_slug"].null_count():
        raise shape_error(capture, "a row without model_slug, scrape_date or scraped_at")
    return rows.with_columns(
        pl.when(pl.col("provider_name") == "")
        .then(pl.lit("NO_HOST"))
        .when(pl.col("variant") == "free")
        .then(pl.lit("FREE_VARIANT"))
        .when(pl.col("variant") != "standard")
        .then(pl.lit("VARIANT_NOT_STANDARD"))
        .when(~pl.col("total_tokens").str.contains(r"^(?:0|[1-9][0-9]{0,17})$"))
        .then(pl.lit("NOT_A_COUNT"))
        .when(pl.col("day") > pl.col("as_of").dt.date())
        .then(pl.lit("SEEN_IN_FUTURE"))
        .when(pl.col("as_of") > capture.observed_at + timedelta(days=1))
        .then(pl.lit("SEEN_IN_FUTURE"))
        .when(no_name("subject"))
        .then(pl.lit("MALFORMED_ROW"))
        .when(~pl.struct("subject", "variant", "day").is_first_distinct())
        .then(pl.lit("DUPLICATE_ROW"))
        .alias("reason")
    )


SOURCE = Source(
    id=ID,
    kind="volumes",
    url="https://openrouter.ai/api/frontend/v1/stats/effective-pricing",
    parse=parse,
    requests=requests,
    tier="E4",
    code_licence="none stated",
    data_right="none stated",
    terms=(
        "A stored table from an address of the site's own pages; no licence stated for either. "
        "Read 2026-11-20."
    ),
    mode="history",
    content_types=("text/csv",),
    is_live=False,
)
