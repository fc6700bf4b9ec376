"""AWS: the official EC2 price list, and a dated mirror of it.

**List.** ``https://pricing.us-east-1.amazonaws.com/offers/v1.0/aws/AmazonEC2/current/index.csv``,
no key (AWS Price List bulk API, "Reading the service price list file", read 2026-11-20). The file
has five preamble lines, one header line that starts with ``"SKU"``, then millions of quoted rows:
several GB. A fetcher streams it and keeps the header and the lines for which :func:`filter_line` is
true; the archive holds those lines and the SHA-256 of the whole body. :func:`parse` reads the kept
lines (or the whole file, preamble included) and checks every condition again. Tier E3.

Columns used: ``TermType`` OnDemand; ``Unit`` Hrs; ``Currency`` USD; ``PricePerUnit`` per instance
and hour; ``Instance Type`` is the listing; ``Region Code``; ``Location Type`` AWS Region (local
zones have their own prices); ``Tenancy`` Shared; ``Operating System`` Linux; ``Pre Installed S/W``
NA; ``CapacityStatus`` Used (the other values price idle or reserved capacity); ``GPU`` number of
GPUs, empty for other machines; ``MarketOption``, in newer files, OnDemand and not CapacityBlock.
``EffectiveDate`` is used only when it lies after the capture: AWS moves it to the first of each
month in every row, so it does not say when a price began, but a price dated ahead must be held.

**History.** Dated copies of the price tables that a public scheduler generates from the same API
(github.com/aws/karpenter-provider-aws, us-east-1; the repository is Apache-2.0): tier E4. A row is
an observation at 00:00 UTC of its date. Tables of 2023-02 to 2023-09 hold some machines two to four
times under the one region: the tables of the government and China partitions (the latter in CNY)
stood in the same file. The lowest figure is us-east-1's own, the one of the days before and after.
"""

from __future__ import annotations

import csv
from collections.abc import Generator
from datetime import timedelta
from functools import lru_cache

import polars as pl

from collectors.base import Capture, Parsed, Request, Source, single_get
from collectors.gpus import tabular
from methodology.errors import ParseError

ID = "aws_list"
HISTORY_ID = "aws_history"
URL = "https://pricing.us-east-1.amazonaws.com/offers/v1.0/aws/AmazonEC2/current/index.csv"
HISTORY_URL = "https://github.com/aws/karpenter-provider-aws"
PROVIDER = "aws"

CONDITIONS = (
    ("TermType", ("OnDemand",), "NOT_ON_DEMAND"),
    ("GPU", None, "NOT_GPU"),
    ("Operating System", ("Linux",), "NOT_LINUX"),
    ("Tenancy", ("Shared",), "NOT_SHARED"),
    ("CapacityStatus", ("Used",), "NOT_USED_CAPACITY"),
    ("Pre Installed S/W", ("NA",), "PRE_INSTALLED_SOFTWARE"),
    ("Location Type", ("AWS Region",), "NOT_A_REGION"),
    ("Unit", ("Hrs",), "UNIT_NOT_HOUR"),
    ("Currency", ("USD",), "OTHER_CURRENCY"),
)
"""Column, values that pass (None: any number of GPUs from one), and the reason when it fails.

In this order: a row is refused for the first condition that fails. ``g6f`` machines state a
fraction of a GPU and are refused as ``NOT_GPU``: a GPU-hour is a whole GPU.
"""

NEEDED = (*(name for name, _, _ in CONDITIONS), "PricePerUnit", "Instance Type", "Region Code")

GPU_COUNT = r"^[1-9][0-9]{0,2}$"


@lru_cache(maxsize=4)
def _positions(header: str) -> dict[str, int]:
    names = next(csv.reader([header]))
    missing = [name for name in NEEDED if name not in names]
    if missing:
        raise ParseError(
            ID, "COLUMNS", f"column {missing[0]!r} is missing from the header line; review the map"
        )
    return {name: names.index(name) for name in names}


def _is_gpu_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and text[0] != "0" and len(text) <= 3


def filter_line(header: str, line: str) -> bool:
    """Return whether one line of the price list is an on-demand GPU row worth archiving.

    For a fetcher that streams the file: it passes the header line and each line after it, without
    holding more than one. True keeps the line. A line with another number of fields than the header
    is kept, so that :func:`parse` refuses the body instead of losing the row here.

    Raises:
        ParseError: ``COLUMNS`` when the header lacks a needed column.
    """
    positions = _positions(header)
    # The file is some millions of lines: most fall here, without being split.
    if '"OnDemand"' not in line:
        return False
    fields = next(csv.reader([line]))
    if len(fields) != len(positions):
        return True
    for name, passing, _ in CONDITIONS:
        value = fields[positions[name]]
        if value not in passing if passing else not _is_gpu_count(value):
            return False
    market = positions.get("MarketOption")
    return market is None or fields[market] in ("", "OnDemand")


def requests(base_url: str) -> Generator[Request, Capture, None]:
    """Yield the one GET of the list; the fetcher streams it through :func:`filter_line`."""
    yield from single_get(base_url)


def _table(capture: Capture) -> bytes:
    """Return the body from its header line on, without the preamble of names and values.

    Raises:
        ParseError: ``NOT_CSV`` for a preamble with a longer line: a row that came before its head.
    """
    body = capture.body
    at = 0 if body.startswith(b'"SKU"') else body.find(b'\n"SKU"') + 1
    for line in csv.reader(body[:at].decode("utf-8", "replace").splitlines()):
        if len(line) > 2:
            told = f"{len(line)} fields before the head: {','.join(line)[:120]!r}"
            raise ParseError(capture.source, "NOT_CSV", f"{capture.url}: {told}")
    return body[at:]


def parse(capture: Capture) -> Parsed:
    """Return a quote per on-demand Linux GPU machine and region, a rejection for any other row.

    Quotes: ``listing_id`` the instance type, ``region`` the region code, unit
    ``per_instance_hour``, USD, ``gpu_count`` from the body, tenor ``on_demand``, tier E3, observed
    when fetched. One quote per machine and region: of several the cheapest is kept
    (``DUPLICATE_ROW``, ``DUPLICATE_LISTING``).

    Rejections: the reasons of :data:`CONDITIONS`, ``CAPACITY_BLOCK``, ``MALFORMED_ROW`` (no
    machine or no region), and those of ``collectors.gpus.tabular.price_reason``.

    Raises:
        ParseError: ``NOT_CSV``, ``COLUMNS`` or ``EMPTY``.
    """
    rows = tabular.read_csv(capture, _table(capture), NEEDED)
    if "MarketOption" not in rows.columns:
        rows = rows.with_columns(pl.lit(None, dtype=pl.String).alias("MarketOption"))
    if "EffectiveDate" not in rows.columns:
        rows = rows.with_columns(pl.lit(None, dtype=pl.String).alias("EffectiveDate"))
    reasons = [
        pl.when(
            ~pl.col(name).fill_null("").is_in(list(passing))
            if passing
            else ~pl.col(name).fill_null("").str.contains(GPU_COUNT)
        ).then(pl.lit(reason))
        for name, passing, reason in CONDITIONS
    ]
    is_block = ~pl.col("MarketOption").fill_null("").is_in(["", "OnDemand"])
    failed = [
        pl.when(pl.col("reason") == reason).then(
            pl.format("{} is {}", pl.lit(name), pl.col(name).fill_null("empty"))
        )
        for name, _, reason in CONDITIONS
    ]
    other = [
        pl.when(pl.col("reason") == "CAPACITY_BLOCK").then(
            pl.format("MarketOption is {}", pl.col("MarketOption").fill_null("empty"))
        ),
        pl.when(pl.col("reason") == "MALFORMED_ROW").then(
            pl.format(
                "Instance Type is {}, Region Code is {}",
                pl.col("Instance Type").fill_null("empty"),
                pl.col("Region Code").fill_null("empty"),
            )
        ),
    ]
    price = pl.col("PricePerUnit").fill_null("empty")
    starts = tabular.day_utc("EffectiveDate")
    is_ahead = (starts > capture.observed_at).fill_null(False)
    rows = rows.with_columns(
        pl.coalesce(
            *reasons,
            pl.when(is_block).then(pl.lit("CAPACITY_BLOCK")),
            pl.when(pl.any_horizontal(pl.col("Instance Type", "Region Code").is_null())).then(
                pl.lit("MALFORMED_ROW")
            ),
            tabular.price_reason("PricePerUnit"),
        ).alias("reason")
    ).with_columns(
        pl.coalesce(*failed, *other, pl.format("PricePerUnit is {}", price)).alias("detail"),
        pl.lit(PROVIDER).alias("provider"),
        pl.col("Instance Type").alias("listing_id"),
        pl.lit("GPU_H").alias("meter"),
        pl.col("PricePerUnit").alias("price_text"),
        pl.lit("per_instance_hour").alias("quoted_unit"),
        pl.lit("USD").alias("currency"),
        pl.lit("on_demand").alias("tenor"),
        pl.col("Region Code").alias("region"),
        pl.col("GPU").cast(pl.Int32, strict=False).alias("gpu_count"),
        pl.when(is_ahead).then(starts).alias("effective_from"),
        is_ahead.alias("is_official_date"),
        pl.lit("offered").alias("status"),
        pl.lit(capture.observed_at, dtype=pl.Datetime("us")).alias("observed_at"),
        pl.lit("E3").alias("tier"),
    )
    key = ["listing_id", "region", "effective_from"]
    return tabular.split(capture, tabular.refuse_duplicates(rows, key, "price_text"))


HISTORY_COLUMNS = ("date", "commit", "region", "instance_type", "usd_per_instance_hour")


def parse_history(capture: Capture) -> Parsed:
    """Return one quote per row of the dated mirror: a price seen at 00:00 UTC of its date.

    ``listing_id`` is the instance type, unit ``per_instance_hour``, USD, ``gpu_count`` null (the
    table does not state it), tier E4. Rejections: ``DUPLICATE_ROW`` and ``DUPLICATE_LISTING``
    (cheapest kept), ``BAD_DATE`` and price reasons.

    Raises:
        ParseError: ``NOT_CSV``, ``COLUMNS`` or ``EMPTY``.
    """
    return tabular.dated_instances(
        capture, HISTORY_COLUMNS, PROVIDER, "instance_type", {"usd_per_instance_hour": "on_demand"}
    )


SOURCE = Source(
    id=ID,
    kind="gpus",
    url=URL,
    parse=parse,
    requests=requests,
    tier="E3",
    code_licence="none: no code is used",
    data_right="prices are facts, quoted with source and date",
    terms="Public price list without key; its disclaimer calls it informational; read 2026-11-20",
    content_types=("text/csv", "application/octet-stream"),
    max_raw_bytes=16 * 2**30,
    max_decoded_bytes=16 * 2**30,
    deadline_seconds=3600.0,
    every=timedelta(hours=22),
)

HISTORY = Source(
    id=HISTORY_ID,
    kind="gpus",
    url=HISTORY_URL,
    parse=parse_history,
    requests=requests,
    tier="E4",
    code_licence="Apache-2.0",
    data_right="prices are facts, quoted with source and date",
    terms="Extracted from dated tables in the repository's history; read 2026-11-20",
    mode="history",
    is_live=False,
    path="aws_list",
    content_types=("text/csv",),
    max_decoded_bytes=64 * 2**20,
)
