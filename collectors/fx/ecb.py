"""European Central Bank: euro foreign exchange reference rates.

Address: ``https://www.ecb.europa.eu/stats/eurofxref/``, no key; read 2026-11-20. Published about
16:00 CET on TARGET working days; on other days there is none, and none is made up.

Column map:

* ``eurofxref-hist.zip`` (one CSV, 1999-01-04 on): ``Date``, then one column per currency, units of
  it per euro; the last column is empty because lines end with a comma. ``N/A``: no rate that day,
  for a currency that had not begun, had ended or was suspended; counted once per currency.
* ``eurofxref-daily.xml``, ``eurofxref-hist-90d.xml``: ``Cube time=…`` per day, in it
  ``Cube currency=… rate=…``.

All currencies are kept; USD and CNY carry the benchmark (their quotient is CNY per USD).
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from datetime import timedelta
from typing import Any
from xml.etree import ElementTree as ET

import polars as pl

from collectors.base import Capture, Parsed, Source, single_get
from collectors.changes import rejection_frame
from collectors.csv_tables import read_text
from collectors.rows import shape_error
from collectors.times import days
from methodology import schemas
from methodology.errors import ParseError

MAX_CSV_BYTES = 16 * 2**20
"""The whole history is 2 MB; a member that claims or delivers more than this is refused."""

_NAMESPACE = "{http://www.ecb.int/vocabulary/2002-08-01/eurofxref}"
DAY = timedelta(days=1)
_RATE = r"^(?:0\.[0-9]{0,20}[1-9][0-9]{0,15}|[1-9][0-9]{0,8}(?:\.[0-9]{1,30})?)$"
_CURRENCY = r"^[A-Z]{3}$"
_REFUSED = dict.fromkeys(["provider", "listing_id", "reason", "detail"], pl.String)


def parse(capture: Capture) -> Parsed:
    """Return one Rate row per day and currency, base EUR, oldest day first.

    Reads the zip, its CSV, or either XML, told apart by the first bytes. Rejections:
    ``NOT_QUOTED`` once per currency (days without a rate, counted), ``NOT_A_RATE`` per cell that
    is neither a positive decimal nor ``N/A``, ``DUPLICATE_ROW`` for a day and currency given again,
    and for all of it where the rates differ.

    Raises:
        ParseError: ``NOT_ZIP``, ``TOO_LARGE``, ``NOT_CSV``, ``NOT_XML``, ``DTD_REFUSED`` (no rate
            file has one; entities are how a small file becomes a large one) or ``SHAPE``.
    """
    start = capture.body.lstrip(b"\xef\xbb\xbf \r\n\t")[:4]
    if start.startswith(b"PK"):
        cells = _read_csv(capture, _unzip(capture))
    elif start.startswith(b"<"):
        cells = _read_xml(capture)
    else:
        cells = _read_csv(capture, capture.body)
    return _rates(capture, cells)


def _unzip(capture: Capture) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(capture.body)) as archive:
            members = archive.infolist()
            if len(members) != 1 or not members[0].filename.endswith(".csv"):
                raise shape_error(capture, f"members {[m.filename for m in members][:5]}")
            # the size in the header is the sender's claim; reading stops at the limit anyway
            with archive.open(members[0]) as member:
                text = member.read(MAX_CSV_BYTES + 1)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError) as error:
        raise ParseError(capture.source, "NOT_ZIP", f"{capture.url}: {error}") from error
    if len(text) > MAX_CSV_BYTES:
        raise ParseError(
            capture.source, "TOO_LARGE", f"{capture.url}: more than {MAX_CSV_BYTES} bytes unpacked"
        )
    return text


def _read_csv(capture: Capture, text: bytes) -> pl.DataFrame:
    table = read_text(capture, text)
    currencies = [name for name in table.columns if re.fullmatch(_CURRENCY, name)]
    other = set(table.columns) - set(currencies) - {"Date", ""}
    if "Date" not in table.columns or "USD" not in currencies or "EUR" in currencies or other:
        raise shape_error(capture, f"columns are {table.columns[:8]}")
    return table.unpivot(
        on=currencies, index="Date", variable_name="quote", value_name="rate_text"
    ).rename({"Date": "day"})


def _read_xml(capture: Capture) -> pl.DataFrame:
    try:
        text = capture.body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ParseError(capture.source, "NOT_XML", f"{capture.url}: {error}") from error
    if "<!" in text.replace("<!--", ""):
        raise ParseError(capture.source, "DTD_REFUSED", f"{capture.url}: a declaration in the file")
    try:
        root = ET.fromstring(text)
    except (ET.ParseError, ValueError) as error:
        raise ParseError(capture.source, "NOT_XML", f"{capture.url}: {error}") from error
    found: list[tuple[Any, ...]] = [
        (day.get("time"), cell.get("currency"), cell.get("rate"))
        for day in root.iterfind(f"{_NAMESPACE}Cube/{_NAMESPACE}Cube[@time]")
        for cell in day.iterfind(f"{_NAMESPACE}Cube")
    ]
    if not found or any(not _is_foreign(row[1] or "") for row in found):
        raise shape_error(capture, "no days with currencies and rates")
    columns = dict.fromkeys(["day", "quote", "rate_text"], pl.String)
    return pl.DataFrame(found, schema=columns, orient="row")


def _is_foreign(currency: str) -> bool:
    return re.fullmatch(_CURRENCY, currency) is not None and currency != "EUR"


def _rates(capture: Capture, cells: pl.DataFrame) -> Parsed:
    cells = cells.with_columns(
        days(pl.col("day")).alias("ref_date"),
        pl.col("rate_text").str.strip_chars().alias("rate_text"),
    ).with_columns(
        pl.when(pl.col("rate_text") == "N/A")
        .then(pl.lit("NOT_QUOTED"))
        .when(~pl.col("rate_text").fill_null("").str.contains(_RATE))
        .then(pl.lit("NOT_A_RATE"))
        .when(pl.col("ref_date") > (capture.observed_at + DAY).date())
        .then(pl.lit("SEEN_IN_FUTURE"))
        .when(
            ~pl.struct("ref_date", "quote").is_first_distinct()
            # Two rates of one day: which of them is the rate is not said.
            | (pl.col("rate_text").n_unique().over("ref_date", "quote") > 1)
        )
        .then(pl.lit("DUPLICATE_ROW"))
        .alias("reason")
    )
    if cells.is_empty() or cells["ref_date"].null_count():
        odd = cells.filter(pl.col("ref_date").is_null())["day"].head(1).to_list()
        raise shape_error(capture, f"no rows, or a date that is not YYYY-MM-DD: {odd}")
    gaps = (
        cells.filter(pl.col("reason") == "NOT_QUOTED")
        .group_by("quote")
        .agg(pl.len().alias("days"), pl.col("day").min().alias("a"), pl.col("day").max().alias("b"))
        .sort("quote")
        .select(
            pl.lit("").alias("provider"),
            pl.format("EUR/{}", "quote").alias("listing_id"),
            pl.lit("NOT_QUOTED").alias("reason"),
            pl.format("no rate on {} days between {} and {}", "days", "a", "b").alias("detail"),
        )
    )
    odd_cells = cells.filter(
        pl.col("reason").is_in(["NOT_A_RATE", "SEEN_IN_FUTURE", "DUPLICATE_ROW"])
    ).select(
        pl.lit("").alias("provider"),
        pl.format("EUR/{}", "quote").alias("listing_id"),
        "reason",
        pl.format("{} on {}", pl.col("rate_text").fill_null("empty"), "day").alias("detail"),
    )
    rates = (
        cells.filter(pl.col("reason").is_null())
        .sort("ref_date", maintain_order=True)
        .select(
            pl.lit(capture.source).alias("source"),
            pl.lit("EUR").alias("base"),
            "quote",
            "rate_text",
            "ref_date",
            pl.lit(capture.sha256).alias("capture_sha256"),
        )
    )
    if rates.is_empty():
        rates = schemas.empty(schemas.Rate)
    return Parsed(
        rates=rates,
        rejections=rejection_frame(
            capture, pl.concat([pl.DataFrame(schema=_REFUSED), gaps, odd_cells])
        ),
    )


SOURCE = Source(
    id="ecb",
    kind="fx",
    url="https://www.ecb.europa.eu/stats/eurofxref/eurofxref-hist-90d.xml",
    parse=parse,
    requests=single_get,
    tier="E3",
    code_licence="none (a data file)",
    data_right="free reuse with the European Central Bank named as source",
    terms=(
        "Reference rates for information; reuse is free when the source is named and the figures "
        "are not altered. Read 2026-11-20 from stored documentation."
    ),
    mode="history",
    content_types=(
        "text/xml",
        "application/xml",
        "application/zip",
        "application/x-zip-compressed",
        "text/csv",
    ),
    every=timedelta(hours=5),
)
