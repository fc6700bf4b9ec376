"""The frames that cross a boundary: their columns, units and meanings (rulebook 2).

Each model is a Pandera model of a *collected* Polars frame (checks are skipped on lazy frames, so
nothing lazy is ever validated). Unknown columns are an error; every column has a description that
ends up in the analysts' file. Times are UTC, microseconds, stored without a zone. Hashes are 64
lower-case hex digits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Final, cast

import pandera.errors
import pandera.polars as pa
import polars as pl

from methodology.errors import ParseError
from methodology.units import FACTORS

if TYPE_CHECKING:
    from polars import Datetime as UTC  # noqa: N814
else:
    UTC = pl.Datetime("us")

METERS = ("IN", "CIN", "OUT", "BAT_IN", "BAT_OUT", "GPU_H")
"""Metered goods: input, cached input, output, batch input and output tokens; GPU-hours."""

TENORS = ("on_demand", "spot", "community", "reserved", "other")
"""What a GPU price buys; ``on_demand``: uncommitted, not interruptible, billed per hour or less."""

COUNTS = (
    *("prompt", "completion", "reasoning", "cached", "total"),
    *("token_share_e8", "request_share_e8", "spend_share_e8"),
    *("gpus_available", "gpus_total", "regions_available", "stock_band"),
)
"""What a volume counts: tokens; a share of the day's total in parts of 1e8; GPUs that can be had
and that there are, at one moment; regions with capacity; a stock band (0 none, 1 low, 2 medium,
3 high). Only tokens weigh in a price index; the others are proxies that are shown."""

MONEYS = ("usd", "cny", "eur")
"""Currencies in which a price is kept; no index counts one that is not in its own."""

STATUSES = ("offered", "withdrawn", "unknown")
"""``withdrawn``: the source says the offer ended. ``unknown``: it stopped giving a price."""

TIERS = ("E1", "E2", "E3", "E4", "E5")
"""Evidence, best first: executed, executable, posted by the seller, mirrored, estimated."""

_HASH = r"^[0-9a-f]{64}$"


class _Frame(pa.DataFrameModel):
    class Config:
        strict = True
        ordered = True


class Quote(_Frame):
    """A price in the source's own words; one row per listing, meter and moment it was seen."""

    source: pl.String = pa.Field(description="id of the source that was read")
    provider: pl.String = pa.Field(description="seller, spelled as the source spells it")
    listing_id: pl.String = pa.Field(description="the seller's or source's own product id")
    meter: pl.String = pa.Field(isin=list(METERS), description="metered good")
    price_text: pl.String = pa.Field(
        nullable=True, description="the figure, verbatim; null unless status is offered"
    )
    quoted_unit: pl.String = pa.Field(isin=list(FACTORS), description="what one price_text buys")
    currency: pl.String = pa.Field(str_matches=r"^[A-Z]{3}$", description="ISO 4217 code")
    tax_included: pl.Boolean = pa.Field(nullable=True, description="null: the source does not say")
    tenor: pl.String = pa.Field(isin=list(TENORS), description="commitment; tokens: on_demand")
    region: pl.String = pa.Field(nullable=True, description="the seller's region; null: any")
    gpu_count: pl.Int32 = pa.Field(
        nullable=True, ge=1, le=1024, description="GPUs in the priced instance"
    )
    window_start_min: pl.Int16 = pa.Field(
        nullable=True,
        ge=0,
        lt=11520,
        description="tariff window start: UTC minute of every day, from 1440 on of a Monday, "
        "2880 Tuesday, to 10080 Sunday",
    )
    window_end_min: pl.Int16 = pa.Field(
        nullable=True, ge=0, lt=11520, description="tariff window end, counted so, exclusive"
    )
    effective_from: UTC = pa.Field(nullable=True, description="first moment of validity, if stated")
    effective_to: UTC = pa.Field(nullable=True, description="end of validity, exclusive, if stated")
    is_official_date: pl.Boolean = pa.Field(
        description="effective_from is the seller's own date, not the day someone noticed"
    )
    status: pl.String = pa.Field(isin=list(STATUSES), description="is it on offer")
    observed_at: UTC = pa.Field(description="when the source showed this row, UTC")
    tier: pl.String = pa.Field(isin=list(TIERS), description="evidence tier")
    capture_sha256: pl.String = pa.Field(str_matches=_HASH, description="digest of the body")


class Volume(_Frame):
    """A quantity sold or used over a period; the raw material of weights."""

    source: pl.String = pa.Field(description="id of the source")
    subject: pl.String = pa.Field(description="model or seller, as the source spells it")
    meter: pl.String = pa.Field(
        isin=list(COUNTS),
        description="what was counted; completion includes reasoning, prompt includes cached",
    )
    quantity: pl.Int64 = pa.Field(ge=0, description="tokens, GPUs, or parts of 1e8")
    period_start: pl.Date = pa.Field(description="first day counted, UTC")
    period_end: pl.Date = pa.Field(description="day after the last one counted, UTC")
    as_of: UTC = pa.Field(description="when the source stated this figure")
    capture_sha256: pl.String = pa.Field(str_matches=_HASH, description="digest of the body")


class Rate(_Frame):
    """A published currency reference rate."""

    source: pl.String = pa.Field(description="id of the source")
    base: pl.String = pa.Field(str_matches=r"^[A-Z]{3}$", description="one unit of this ...")
    quote: pl.String = pa.Field(str_matches=r"^[A-Z]{3}$", description="... costs this currency")
    rate_text: pl.String = pa.Field(description="the rate, verbatim")
    ref_date: pl.Date = pa.Field(description="day the rate is for")
    capture_sha256: pl.String = pa.Field(str_matches=_HASH, description="digest of the body")


class Rejection(_Frame):
    """A row that was refused, with the reason; nothing vanishes without one."""

    source: pl.String = pa.Field(description="id of the source")
    provider: pl.String = pa.Field(description="seller as spelled, or empty")
    listing_id: pl.String = pa.Field(description="product id, or empty")
    stage: pl.String = pa.Field(isin=["parse", "validate", "normalise", "eligibility"])
    reason: pl.String = pa.Field(str_matches=r"^[A-Z][A-Z0-9_]+$", description="reason code")
    detail: pl.String = pa.Field(description="field and value, in words")
    capture_sha256: pl.String = pa.Field(str_matches=_HASH, description="digest of the body")


class Observation(_Frame):
    """One canonical price: exact integer, mapped instrument, mapped legal group."""

    observation_id: pl.String = pa.Field(
        str_matches=_HASH, description="SHA-256 over the row's own canonical content"
    )
    source: pl.String = pa.Field(description="id of the source")
    provider: pl.String = pa.Field(description="provider id of the register")
    group: pl.String = pa.Field(description="legal group: one vote")
    provider_class: pl.String = pa.Field(description="first_party, host, HYP, NEO, MKT ...")
    instrument_id: pl.String = pa.Field(description="the standard good")
    listing_id: pl.String = pa.Field(description="the source's product id")
    meter: pl.String = pa.Field(isin=list(METERS), description="metered good")
    price_nano: pl.Int64 = pa.Field(
        nullable=True, ge=0, le=10**15, description="1e-9 currency per Mtok or GPU-hour"
    )
    unit: pl.String = pa.Field(
        isin=[f"{money}_per_{good}" for good in ("mtok", "gpu_hour") for money in MONEYS],
        description="canonical unit",
    )
    is_inexact: pl.Boolean = pa.Field(description="the text did not fit nano-units exactly")
    tenor: pl.String = pa.Field(isin=list(TENORS), description="commitment")
    region: pl.String = pa.Field(nullable=True, description="the seller's region; null: any")
    gpu_count: pl.Int32 = pa.Field(nullable=True, description="GPUs in the priced instance")
    window_start_min: pl.Int16 = pa.Field(
        nullable=True, description="tariff window, UTC minute of every day; from 1440 of a week day"
    )
    window_end_min: pl.Int16 = pa.Field(nullable=True, description="tariff window, exclusive")
    effective_from: UTC = pa.Field(nullable=True, description="stated start of validity")
    effective_to: UTC = pa.Field(nullable=True, description="stated end of validity, exclusive")
    is_official_date: pl.Boolean = pa.Field(description="the seller's own effective date")
    status: pl.String = pa.Field(isin=list(STATUSES), description="is it on offer")
    observed_at: UTC = pa.Field(description="when the source showed it")
    tier: pl.String = pa.Field(isin=list(TIERS), description="evidence tier")
    licence_id: pl.String = pa.Field(description="right under which the row is used")
    capture_sha256: pl.String = pa.Field(str_matches=_HASH, description="digest of the body")


def schema_of(model: type[pa.DataFrameModel]) -> dict[str, pl.DataType]:
    """Return the Polars schema of a frame model: column name to data type, in order."""
    columns = model.to_schema().columns
    return {name: cast(Any, column.dtype).type for name, column in columns.items()}


def describe(model: type[pa.DataFrameModel]) -> dict[str, str]:
    """Return column name to description, in order; the analysts' file carries them as comments."""
    return {n: c.description or "" for n, c in model.to_schema().columns.items()}


def empty(model: type[pa.DataFrameModel]) -> pl.DataFrame:
    """Return a frame of the model without rows."""
    return pl.DataFrame(schema=schema_of(model))


def frame(model: type[pa.DataFrameModel], rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Return rows as a frame of the model; missing keys become null, unknown keys are an error.

    Raises:
        ValueError: a key that is no column of the model.
        TypeError: a value that is not of its column's type.
    """
    schema = schema_of(model)
    unknown = {key for row in rows for key in row} - set(schema)
    if unknown:
        raise ValueError(f"{model.__name__} has no column {sorted(unknown)}")
    return pl.DataFrame(
        {name: [row.get(name) for row in rows] for name in schema}, schema=schema, strict=True
    )


_CONDITIONS: Final[Mapping[str, Callable[[pl.Expr, Any], pl.Expr]]] = {
    "isin": lambda column, values: column.is_in(values),
    "str_matches": lambda column, pattern: column.str.contains(pattern),
    "greater_than_or_equal_to": lambda column, bound: column >= bound,
    "less_than_or_equal_to": lambda column, bound: column <= bound,
    "less_than": lambda column, bound: column < bound,
}
"""Pandera's checks that the models use, as conditions of Polars; null satisfies each."""


@cache
def _conditions(model: type[pa.DataFrameModel]) -> tuple[pl.Schema, pl.Expr] | None:
    """Return columns and one condition that say what the model says; ``None``: it says more."""
    found = model.to_schema()
    if not (found.strict and found.ordered) or found.checks or found.coerce or found.unique:
        return None
    all_hold: list[pl.Expr] = []
    for name, column in found.columns.items():
        dtype = cast(Any, column.dtype).type
        is_plain = column.required and not (column.unique or column.coerce or column.regex)
        if not is_plain or dtype.is_float():  # of floats Pandera counts NaN as missing
            return None
        if not column.nullable:
            all_hold.append(pl.col(name).is_not_null().all())
        for check in column.checks:
            told = list((check.statistics or {}).values())
            is_kept = check.ignore_na and not check.raise_warning and len(told) == 1
            if not is_kept or check.name not in _CONDITIONS:
                return None
            if check.name == "str_matches" and not str(told[0]).startswith("^"):
                return None
            all_hold.append(_CONDITIONS[check.name](pl.col(name), told[0]).all())
    return pl.Schema(schema_of(model)), pl.all_horizontal(all_hold)


def _is_sound(model: type[pa.DataFrameModel], rows: pl.DataFrame) -> bool:
    """Return whether a frame satisfies its model, asked in one go; ``False`` may mean: unknown.

    Pandera asks column by column, which costs a small frame fifty times as much. It names what is
    wrong, so whatever is not plainly sound goes to it.
    """
    plain = _conditions(model)
    if plain is None or rows.schema != plain[0] or rows.columns != plain[0].names():
        return False
    return rows.is_empty() or bool(rows.select(plain[1]).item())


def validate(model: type[pa.DataFrameModel], rows: pl.DataFrame, where: str) -> pl.DataFrame:
    """Return ``rows`` unchanged when they satisfy the model.

    Args:
        model: one of the models of this module.
        rows: a collected frame (a lazy one would pass unchecked and is refused by type).
        where: source or file, for the message.

    Raises:
        ParseError: names the source, the column and the first offending values.
    """
    if not isinstance(rows, pl.DataFrame):
        raise TypeError("validate needs a collected frame")
    if _is_sound(model, rows):
        return rows
    try:
        return cast(pl.DataFrame, model.validate(rows, lazy=True))
    except pandera.errors.SchemaErrors as error:
        cases = error.failure_cases.head(3).rows(named=True)
        told = "; ".join(f"{c['column']}: {c['check']} ({c['failure_case']})" for c in cases)
        raise ParseError(where, "SCHEMA", f"{model.__name__} refused: {told}") from error
