"""Makers of the bundled tables: one per source, from captured bodies to mapped rows.

Each maker reads its bodies, parses them with the project's own parser, keeps the rows that a
reviewed register line maps to a standard good, and says what the table covers and whose it is.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl

from collectors import strict
from collectors.base import Capture, Parsed
from collectors.bundled import SNAPSHOT_LIFE, Layout, merge
from collectors.fx import ecb
from collectors.gpus import aws_list, azure_retail, gcp_list, gpurentalprices
from collectors.tokens import litellm, models_dev
from collectors.volumes import openrouter_activity
from index.bundle_rows import body_diff, change_rows, last_known
from methodology import register
from methodology.errors import UsageError

Spans = list[tuple[datetime, datetime]]


@dataclass(frozen=True, slots=True)
class Table:
    """One table before it is written."""

    file: str
    source: str
    kind: str
    mode: str
    layout: Layout
    rows: pl.DataFrame
    coverage: Spans
    captures: list[datetime]
    licence: str
    attribution: str
    origin: str
    refused: int


def capture_of(payloads: Path, name: str, source: str, at: datetime, url: str) -> Capture:
    """Return one captured body, unpacked; UsageError if it is missing."""
    file = payloads / name
    if not file.is_file():
        raise UsageError(f"{name} is missing from {payloads}; name the folder of captured bodies")
    body = file.read_bytes()
    if name.endswith(".gz"):
        body = gzip.decompress(body)
    return Capture(source=source, url=url, body=body, fetched_at=at.replace(tzinfo=UTC))


def _mapped(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows that a register line maps, with ``instrument_id``; others are left out."""
    lines = register.listing_map().drop("gpu_count")
    exact = lines.filter(pl.col("spelling") != register.ANY_PROVIDER)
    anyone = lines.filter(pl.col("spelling") == register.ANY_PROVIDER).drop("spelling")
    return (
        rows.join(
            exact.rename({"spelling": "provider", "instrument_id": "_exact"}),
            on=["source", "provider", "listing_id"],
            how="left",
            maintain_order="left",
        )
        .join(
            anyone.rename({"instrument_id": "_any"}),
            on=["source", "listing_id"],
            how="left",
            maintain_order="left",
        )
        .with_columns(pl.coalesce("_exact", "_any").alias("instrument_id"))
        .filter(pl.col("instrument_id").is_not_null())
        .drop("_exact", "_any")
    )


ORDER = ["observed_at", "provider", "listing_id", "meter", "tenor", "region", "gpu_count"]


def _licensed(rows: pl.DataFrame, licence: str) -> pl.DataFrame:
    return rows.with_columns(pl.lit(licence).alias("licence_id")).sort(
        ORDER, nulls_last=False, maintain_order=True
    )


def _models_dev(payloads: Path) -> Table:
    day = datetime(2026, 8, 12)
    past_end = datetime(2026, 7, 2)
    past = models_dev.parse_history(
        capture_of(
            payloads,
            "tokens/models_dev_changes.parquet",
            "models_dev",
            past_end,
            models_dev.SOURCE.url,
        )
    )
    now = models_dev.parse(
        capture_of(
            payloads,
            "tokens/models_dev/2026-08-12.api.json.gz",
            "models_dev",
            day,
            models_dev.SOURCE.url,
        )
    )
    known = last_known(_mapped(past.quotes))
    fresh = _mapped(now.quotes)
    rows = pl.concat([_mapped(past.quotes), fresh, body_diff(known, fresh)])
    return Table(
        file="tokens_models_dev.csv",
        source="models_dev",
        kind="tokens",
        mode="history",
        layout="quotes",
        rows=_licensed(rows, "MIT"),
        coverage=[(datetime(2025, 6, 4, 22, 41, 51), past_end), (day, datetime(2026, 8, 13))],
        captures=[],
        licence="MIT",
        attribution="models.dev contributors, MIT licence",
        origin=(
            "change rows from the history of github anomalyco/models.dev, 2025-06-04 to 2026-07-01;"
            " one body of the models.dev API of 2026-08-12 kept by github"
            " Yingshu-Li/llm-price-tracker at 52373eb"
        ),
        refused=past.rejections.height + now.rejections.height,
    )


def _litellm(payloads: Path) -> Table:
    end = datetime(2026, 11, 20)
    parsed = litellm.parse_history(
        capture_of(payloads, "tokens/litellm_changes.parquet", "litellm", end, litellm.SOURCE.url)
    )
    return Table(
        file="tokens_litellm.csv",
        source="litellm",
        kind="tokens",
        mode="history",
        layout="quotes",
        rows=_licensed(_mapped(parsed.quotes), "MIT"),
        coverage=[(parsed.quotes["observed_at"].min(), end)],  # type: ignore[list-item]
        captures=[],
        licence="MIT",
        attribution="LiteLLM price map, BerriAI and contributors, MIT licence",
        origin=(
            "change rows between 59 dated copies of the price map of github BerriAI/litellm:"
            " litellm package releases 1.9.3 (2023-11-30) and later, and captures to 2026-11-19"
        ),
        refused=parsed.rejections.height,
    )


def _cloud(
    payloads: Path,
    name: str,
    module: Callable[[Capture], Parsed],
    source: str,
    region: str,
    end: datetime,
    file: str,
    origin: str,
) -> Table:
    parsed = module(capture_of(payloads, name, source, end, origin))
    here = parsed.quotes.filter(pl.col("region") == region)
    moments = here["observed_at"].unique().sort()
    rows = change_rows(_mapped(here), moments)
    return Table(
        file=file,
        source=source,
        kind="gpus",
        mode="history",
        layout="quotes",
        rows=_licensed(rows, "Apache-2.0"),
        coverage=[(moments[0], end)],
        captures=[],
        licence="Apache-2.0",
        attribution=f"{origin}, Apache-2.0; the prices are the provider's own list prices",
        origin=origin,
        refused=parsed.rejections.height,
    )


def _aws(payloads: Path) -> Table:
    return _cloud(
        payloads,
        "gpu/aws_gpu_history_us-east-1.csv.gz",
        aws_list.parse_history,
        aws_list.HISTORY_ID,
        "us-east-1",
        datetime(2026, 7, 21),
        "gpus_aws.csv",
        "dated price tables of github aws/karpenter-provider-aws, 2022-06-23 to 2026-07-20",
    )


def _azure(payloads: Path) -> Table:
    return _cloud(
        payloads,
        "gpu/azure_gpu_history.csv.gz",
        azure_retail.parse_history,
        azure_retail.HISTORY_ID,
        "eastus",
        datetime(2026, 6, 19),
        "gpus_azure.csv",
        "dated price tables of github Azure/karpenter-provider-azure, 2023-10-27 to 2026-06-18",
    )


def _gcp(payloads: Path) -> Table:
    return _cloud(
        payloads,
        "gpu/gcp_gpu_history.csv.gz",
        gcp_list.parse_history,
        gcp_list.HISTORY_ID,
        "us-central1",
        datetime(2026, 7, 31),
        "gpus_gcp.csv",
        "weekly price tables of github Cyclenerd/google-cloud-pricing-cost-calculator,"
        " 2022-02-09 to 2026-07-30",
    )


def _gpurentalprices(payloads: Path) -> Table:
    names = sorted((payloads / "gpu" / "gpurentalprices").glob("*.json.gz"))
    if not names:
        raise UsageError(f"gpu/gpurentalprices is missing from {payloads}")
    parts, captures, refused = [], [], 0
    for name in names:
        body = gzip.decompress(name.read_bytes())
        told = datetime.fromisoformat(str(strict.loads(body)["generated_at"])).astimezone(UTC)
        parsed = gpurentalprices.parse(Capture(gpurentalprices.ID, gpurentalprices.URL, body, told))
        captures.append(told.replace(tzinfo=None))
        parts.append(_mapped(parsed.quotes))
        refused += parsed.rejections.height
    rows = pl.concat(parts)
    # a row read once and published in two bodies is one observation
    rows = rows.unique(ORDER, keep="first", maintain_order=True)
    return Table(
        file="gpus_gpurentalprices.csv",
        source=gpurentalprices.ID,
        kind="gpus",
        mode="snapshot",
        layout="quotes",
        rows=_licensed(rows, "CC-BY-4.0"),
        coverage=merge([(at, at + SNAPSHOT_LIFE) for at in captures]),
        captures=captures,
        licence="CC-BY-4.0",
        attribution="gpurentalprices.com, CC BY 4.0; reduced to the listings in our registers",
        origin="49 daily bodies kept by github adriannutiu/gpu-rental-prices",
        refused=refused,
    )


VOLUME_PERIOD = (date(2026, 6, 25), date(2026, 7, 22))
"""The 28 days that weigh the inception basket of 2026-08-01 (rulebook 13.3)."""


def _openrouter(payloads: Path) -> Table:
    capture = capture_of(
        payloads,
        "volume/openrouter_model_activity/model_activity.csv.gz",
        "openrouter_activity",
        datetime(2026, 8, 8, 15, 31, 24),
        openrouter_activity.SOURCE.url,
    )
    parsed = openrouter_activity.parse(capture)
    lines = register.token_listing_map().rename({"listing_id": "subject"})
    first, last = VOLUME_PERIOD
    inside = pl.col("period_start").is_between(first, last)
    rows = (
        parsed.volumes.filter(inside & pl.col("meter").is_in(["prompt", "completion"]))
        .join(lines, on=["source", "subject"], how="inner", maintain_order="left")
        .group_by("source", "subject", "instrument_id")
        .agg(
            pl.lit("total").alias("meter"),
            pl.col("quantity").sum(),
            pl.lit(first).alias("period_start"),
            pl.lit(last + timedelta(days=1)).alias("period_end"),
            pl.col("as_of").max(),
            pl.lit(capture.sha256).alias("capture_sha256"),
            pl.lit("CC-BY-4.0").alias("licence_id"),
        )
        .sort("subject")
    )
    end = last + timedelta(days=1)
    return Table(
        file="volumes_openrouter.csv",
        source="openrouter_activity",
        kind="volumes",
        mode="history",
        layout="volumes",
        rows=rows,
        coverage=[
            (datetime(first.year, first.month, first.day), datetime(end.year, end.month, end.day))
        ],
        captures=[],
        licence="CC-BY-4.0",
        attribution="Source: OpenRouter (openrouter.ai/rankings), as of 2026-08-08",
        origin="token totals by model over 28 days, summed from daily figures kept by github "
        "sui414/openrouter-pricing-data at 83ec0dd",
        refused=parsed.rejections.height,
    )


def _ecb(payloads: Path) -> Table:
    end = datetime(2026, 10, 31)
    capture = capture_of(payloads, "fx/eurofxref-hist.zip", "ecb", end, ecb.SOURCE.url)
    parsed = ecb.parse(capture)
    first = date(2023, 11, 1)
    rows = (
        parsed.rates.filter(pl.col("quote").is_in(["USD", "CNY"]) & (pl.col("ref_date") >= first))
        .with_columns(pl.lit("ECB").alias("licence_id"))
        .sort("ref_date", "quote")
    )
    return Table(
        file="fx_ecb.csv",
        source="ecb",
        kind="fx",
        mode="history",
        layout="rates",
        rows=rows,
        coverage=[(datetime(2023, 11, 1), end)],
        captures=[],
        licence="ECB",
        attribution="Source: European Central Bank, euro foreign exchange reference rates",
        origin="eurofxref-hist.zip of the European Central Bank, to 2026-10-30",
        refused=parsed.rejections.height,
    )


TABLES: tuple[Callable[[Path], Table], ...] = (
    _models_dev,
    _litellm,
    _gpurentalprices,
    _aws,
    _azure,
    _gcp,
    _openrouter,
    _ecb,
)
"""Makers of the tables, in the order of the manifest."""
