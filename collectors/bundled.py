"""The bundled history: our own CSV tables of dated facts, and a manifest of what they cover.

``data/bundled`` holds what the project's own parsers made of other people's public catalogues
(``index.bundle`` writes it). Four layouts, told apart by their header line: prices (the columns of
``schemas.Quote``), volumes (``schemas.Volume``) and rates (``schemas.Rate``), each followed by
``instrument_id`` and ``licence_id``, or ``licence_id`` alone for rates; and disclosures, volumes
followed by the figure and unit as stated, who stated it, and where. Times are ``…Z``, dates
ISO, truth values ``true`` and ``false``, an empty field is null, figures are verbatim.

Each row keeps the id of the source it came from and the digest of the body that said so.
``instrument_id`` is for readers of the table: mapping is done again, from the registers.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, cast

import pandera.polars as pa
import polars as pl
from polars.exceptions import PolarsError

from collectors.base import Capture, Kind, Mode, Parsed
from methodology import schemas
from methodology.errors import ParseError

SCHEMA = "bundle/1.0"

Layout = Literal["quotes", "volumes", "rates", "disclosures"]

EXTRA: dict[Layout, tuple[str, ...]] = {
    "quotes": ("instrument_id", "licence_id"),
    "volumes": ("instrument_id", "licence_id"),
    "rates": ("licence_id",),
    "disclosures": ("figure_text", "unit", "who", "url", "licence_id"),
}
"""Columns that follow those of the frame."""

_MODELS: dict[Layout, type[pa.DataFrameModel]] = {
    "quotes": schemas.Quote,
    "volumes": schemas.Volume,
    "rates": schemas.Rate,
    "disclosures": schemas.Volume,
}
_TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{3}|\.[0-9]{6})?Z$"


@dataclass(frozen=True, slots=True)
class BundledFile:
    """One table of the bundle.

    ``coverage``: [from, to) intervals, naive UTC, in which the table speaks for its source. Mode
    ``history``: a price counts as observed daily inside them. Mode ``snapshot``: each row speaks
    from its own ``observed_at`` for at most 26 hours; ``captures`` are the times of the bodies.
    """

    file: str
    source: str
    kind: Kind
    mode: Mode
    coverage: tuple[tuple[datetime, datetime], ...]
    captures: tuple[datetime, ...]
    licence: str
    attribution: str
    origin: str
    rows: int
    sha256: str


@dataclass(frozen=True, slots=True)
class BundleManifest:
    """The tables of the bundle, in the order of the manifest."""

    files: tuple[BundledFile, ...]

    def spans(self) -> pl.DataFrame:
        """Return source, mode, covered_from, covered_to: one row per interval of price tables."""
        return pl.DataFrame(
            [(f.source, f.mode, *span) for f in self._prices() for span in f.coverage],
            schema={
                "source": pl.String,
                "mode": pl.String,
                "covered_from": pl.Datetime("us"),
                "covered_to": pl.Datetime("us"),
            },
            orient="row",
        )

    def captures(self) -> pl.DataFrame:
        """Return source, captured_at: one row per body of the snapshot price tables."""
        return pl.DataFrame(
            [(f.source, at) for f in self._prices() for at in f.captures],
            schema={"source": pl.String, "captured_at": pl.Datetime("us")},
            orient="row",
        )

    def licences(self) -> pl.DataFrame:
        """Return source, licence_id: the right under which each table's rows are used."""
        return pl.DataFrame(
            [(f.source, f.licence) for f in self.files],
            schema={"source": pl.String, "licence_id": pl.String},
            orient="row",
        )

    def _prices(self) -> tuple[BundledFile, ...]:
        return tuple(f for f in self.files if f.kind in ("tokens", "gpus"))


def columns_of(layout: Layout) -> list[str]:
    """Return the header of a layout."""
    return [*schemas.schema_of(_MODELS[layout]), *EXTRA[layout]]


def parse_bundled(capture: Capture) -> Parsed:
    """Return the rows of one bundled table, in file order, each with its own source.

    Rejections, one per row: ``MALFORMED_ROW`` for a field that is no value of its column (a time
    without ``Z``, an unknown meter, a missing needed field), ``PRICE_MISSING`` for an offer
    without a price, ``PRICE_NOT_OFFERED`` for a price beside another status, ``DUPLICATE_ROW``.

    Raises:
        ParseError: ``NOT_CSV`` or ``COLUMNS``; nothing of the body is used.
    """
    layout, table = _read(capture)
    model = _MODELS[layout]
    schema = schemas.schema_of(model)
    typed = table.with_row_index("_row").with_columns(
        _typed(name, dtype).alias(f"_{name}") for name, dtype in schema.items()
    )
    typed = typed.with_columns(_reason(layout, model).alias("_reason"))
    kept = typed.filter(pl.col("_reason").is_null()).select(
        pl.col(f"_{name}").alias(name) for name in schema
    )
    seller = "provider" if layout == "quotes" else "quote" if layout == "rates" else "subject"
    listing = "listing_id" if layout == "quotes" else seller
    refused = typed.filter(pl.col("_reason").is_not_null()).select(
        pl.col("source").fill_null(capture.source),
        pl.col(seller).fill_null("").alias("provider"),
        pl.col(listing).fill_null("").alias("listing_id"),
        pl.lit("parse").alias("stage"),
        pl.col("_reason").alias("reason"),
        pl.format(
            "line {}: {}",
            pl.col("_row") + 2,
            pl.concat_str(pl.col(c).fill_null("") for c in columns_of(layout)).str.slice(0, 400),
        ).alias("detail"),
        pl.lit(capture.sha256).alias("capture_sha256"),
    )
    name = "volumes" if layout == "disclosures" else layout
    frames = {name: schemas.validate(model, kept, capture.source)}
    return Parsed(rejections=schemas.validate(schemas.Rejection, refused, capture.source), **frames)


def _read(capture: Capture) -> tuple[Layout, pl.DataFrame]:
    header = capture.body.split(b"\n", 1)[0].decode("utf-8", "replace").split(",")
    layout = next((name for name in _MODELS if columns_of(name) == header), None)
    if layout is None:
        raise ParseError(
            capture.source,
            "COLUMNS",
            f"{capture.url}: header {','.join(header)[:200]!r} is none of the bundled layouts; "
            "rebuild the table",
        )
    try:
        table = pl.read_csv(
            io.BytesIO(capture.body),
            infer_schema=False,
            truncate_ragged_lines=False,
            quote_char=None,
        )
    except PolarsError as error:
        raise ParseError(capture.source, "NOT_CSV", f"{capture.url}: {error}") from error
    return layout, table


def _typed(name: str, dtype: pl.DataType) -> pl.Expr:
    text = pl.col(name)
    if isinstance(dtype, pl.Datetime):
        bare = pl.when(text.str.contains(_TIME)).then(text.str.strip_suffix("Z"))
        return bare.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", time_unit="us", strict=False)
    if dtype == pl.Date:
        return text.str.to_date("%Y-%m-%d", strict=False)
    if dtype == pl.Boolean:
        return text.replace_strict(
            {"true": True, "false": False}, default=None, return_dtype=pl.Boolean
        )
    if dtype.is_integer():
        digits = pl.when(text.str.contains(r"^[0-9]{1,18}$")).then(text)
        return digits.cast(dtype, strict=False)
    return text


def _reason(layout: Layout, model: type[pa.DataFrameModel]) -> pl.Expr:
    broken = []
    for name, column in model.to_schema().columns.items():
        if not column.nullable:
            broken.append(pl.col(f"_{name}").is_null())
        else:
            broken.append(pl.col(f"_{name}").is_null() & pl.col(name).is_not_null())
        broken += [~_passes(f"_{name}", check) for check in column.checks]
    refusals = [(pl.any_horizontal(broken), "MALFORMED_ROW")]
    if layout == "quotes":
        offered, priced = pl.col("status") == "offered", pl.col("price_text").is_not_null()
        refusals.append((offered & ~priced, "PRICE_MISSING"))
        refusals.append((~offered & priced, "PRICE_NOT_OFFERED"))
    refusals.append((~pl.struct(columns_of(layout)).is_first_distinct(), "DUPLICATE_ROW"))
    # the first condition that holds gives the reason
    return pl.coalesce(pl.when(hit).then(pl.lit(reason)) for hit, reason in refusals)


def _passes(name: str, check: Any) -> pl.Expr:
    """Return whether a field satisfies one check of the frame's model; null passes."""
    told: Mapping[str, Any] = check.statistics
    column = pl.col(name)
    tests = []
    for key, value in told.items():
        if key == "allowed_values":
            tests.append(column.is_in(list(value)))
        elif key == "pattern":
            tests.append(column.str.contains(str(value)))
        elif key == "min_value":
            tests.append(column >= value)
        elif check.name == "less_than":
            tests.append(column < value)
        else:
            tests.append(column <= value)
    return pl.all_horizontal(test.fill_null(True) for test in tests)


_ENTRY = {
    *("file", "source", "kind", "mode", "coverage", "captures", "licence"),
    *("attribution", "origin", "rows", "sha256"),
}


def read_manifest(body: bytes) -> BundleManifest:
    """Return the manifest of the bundle.

    Raises:
        ParseError: ``NOT_JSON``, or ``SHAPE`` for another schema id, an unknown or missing key, a
            wrong type, an interval that ends before it begins or overlaps the one before, or a
            file named twice.
    """
    try:
        content = json.loads(body)
    except ValueError as error:
        raise ParseError("bundle", "NOT_JSON", f"MANIFEST.json: {error}") from error
    if not isinstance(content, dict) or set(content) != {"schema", "files"}:
        raise _shape("keys are not schema and files")
    if content["schema"] != SCHEMA:
        raise _shape(f"schema is {content['schema']!r}, not {SCHEMA!r}")
    files = tuple(_entry(row) for row in content["files"])
    names = [f.file for f in files]
    if len(set(names)) != len(names):
        raise _shape(f"a file is named twice: {names}")
    return BundleManifest(files)


def _entry(row: Any) -> BundledFile:
    if not isinstance(row, dict) or set(row) != _ENTRY:
        raise _shape(f"an entry has keys {sorted(row) if isinstance(row, dict) else row}")
    texts = ("file", "source", "kind", "mode", "licence", "attribution", "origin", "sha256")
    if not all(isinstance(row[key], str) and row[key] for key in texts):
        raise _shape(f"{row['file']}: a text is missing")
    if row["kind"] not in ("tokens", "gpus", "volumes", "fx"):
        raise _shape(f"{row['file']}: kind {row['kind']!r}")
    if row["mode"] not in ("snapshot", "history"):
        raise _shape(f"{row['file']}: mode {row['mode']!r}")
    if not re.fullmatch(r"[0-9a-f]{64}", row["sha256"]) or type(row["rows"]) is not int:
        raise _shape(f"{row['file']}: sha256 or rows")
    spans = tuple((_moment(a), _moment(b)) for a, b in row["coverage"])
    ends = [at for span in spans for at in span]
    if ends != sorted(ends) or any(a >= b for a, b in spans):
        raise _shape(f"{row['file']}: coverage intervals are empty, overlap or run backwards")
    return BundledFile(
        file=row["file"],
        source=row["source"],
        kind=cast(Kind, row["kind"]),
        mode=cast(Mode, row["mode"]),
        coverage=spans,
        captures=tuple(_moment(at) for at in row["captures"]),
        licence=row["licence"],
        attribution=row["attribution"],
        origin=row["origin"],
        rows=row["rows"],
        sha256=row["sha256"],
    )


def _moment(text: Any) -> datetime:
    if not isinstance(text, str) or not re.fullmatch(_TIME, text):
        raise _shape(f"time {text!r} is not YYYY-MM-DDThh:mm:ssZ")
    try:
        return datetime.fromisoformat(text.removesuffix("Z"))
    except ValueError as error:
        raise _shape(f"time {text!r}: {error}") from error


def _shape(detail: str) -> ParseError:
    return ParseError("bundle", "SHAPE", f"MANIFEST.json: {detail}; rebuild the bundle")


def moment_text(at: datetime) -> str:
    """Return a naive UTC time as the bundle writes it, e.g. ``2026-07-05T23:04:21.818Z``."""
    digits = "seconds" if at.microsecond == 0 else "milliseconds"
    if at.microsecond % 1000:
        digits = "microseconds"
    return at.isoformat(timespec=digits) + "Z"


def merge(spans: list[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    """Return overlapping or touching [from, to) intervals as few as possible, in order."""
    merged: list[tuple[datetime, datetime]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


SNAPSHOT_LIFE = timedelta(hours=26)
"""How long a row of a snapshot may speak (rulebook 4.2)."""
