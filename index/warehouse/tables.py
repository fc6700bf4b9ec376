"""From records and batches to the typed rows of the analysts' file; exact, sorted, pure.

Everything arrives as an argument: plain records of the log, bodies it cites, validated frames.
Money is decimal text or integer nano-units there and ``DECIMAL`` here, and no float stands between
the two. Rows are sorted, so the same log gives the same rows in the same order.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import polars as pl

from index.warehouse import records as logged
from index.warehouse import resistance, triple
from index.warehouse.decimals import MONEY, WEIGHT, exact, pattern, scaled, shifted
from methodology.errors import VerificationError

TIME: Final = pl.Datetime("us")

BACKCAST: Final[dict[str, Any]] = {
    "index_id": pl.String, "ref_date": pl.Date, "flag": pl.String, "waterfall": pl.String,
    "value": pl.String, "level": pl.String, "vintage": pl.String, "groups": pl.Int64,
    "weight": pl.Int64, "is_covered": pl.Boolean, "has_held": pl.Boolean,
    "has_imputed": pl.Boolean,
}  # fmt: skip
"""The columns of the back-cast artefact; value and level are decimal text, weight 1e-8."""

FIXING: Final[dict[str, Any]] = {
    "index_id": pl.String, "session": pl.String, "ref_date": pl.Date, "revision": pl.Int32,
    "value": MONEY, "currency": pl.String, "unit": pl.String, "decimals": pl.Int32,
    "level": MONEY, "status": pl.String, "waterfall": pl.String, "grade": pl.String,
    "flags": pl.String, "no_fix_reason": pl.String, "label": pl.String,
    "settlement_eligible": pl.Boolean, "obs_status": pl.String, "revision_reason": pl.String,
    "footnotes": pl.String, "prev_value": MONEY, "change_pct": pl.Decimal(18, 4),
    "base_date": pl.Date, "p1": MONEY, "p25": MONEY, "p50": MONEY, "p75": MONEY, "p99": MONEY,
    "min": MONEY, "max": MONEY, "dispersion": pl.Decimal(18, 6), "ci_low": MONEY,
    "ci_high": MONEY, "loo_low": MONEY, "loo_high": MONEY, "volume": MONEY,
    "volume_unit": pl.String, "volume_basis": pl.String, "n_collected": pl.Int32,
    "n_used": pl.Int32, "n_excluded": pl.Int32, "n_sources": pl.Int32, "n_providers": pl.Int32,
    "top_weight": WEIGHT, "effective_n": pl.Decimal(18, 6), "executable_share": WEIGHT,
    "weight_share": WEIGHT, "fresh_share": WEIGHT, "grade_weight": pl.Decimal(9, 6),
    "grade_fresh": pl.Decimal(9, 6), "grade_evidence": pl.Decimal(9, 6),
    "grade_effective_n": pl.Decimal(9, 6), "grade_spread": pl.Decimal(9, 6),
    "grade_concentration": pl.Decimal(9, 6), "window_open": TIME, "cutoff_at": TIME,
    "calculated_at": TIME, "published_at": TIME, "final_at": TIME, "next_publication_at": TIME,
    "calendar_id": pl.String, "methodology_id": pl.String, "methodology_version": pl.String,
    "methodology_digest": pl.String, "definition_digest": pl.String, "basket_version": pl.String,
    "basket_digest": pl.String, "software": pl.String, "input_digest": pl.String,
    "input_count": pl.Int32, "input_uri": pl.String, "commit_seq": pl.Int64,
    "contributions_digest": pl.String, "panel_state_digest": pl.String,
    "panel_state_before_digest": pl.String, "manifest_digest": pl.String, "type": pl.String,
    "schema": pl.String, "seq": pl.Int64, "log_origin": pl.String, "administrator_id": pl.String,
    "family": pl.String, "supersedes": pl.String, "record_digest": pl.String,
    "licence": pl.String, "disclaimer_id": pl.String,
}  # fmt: skip

_ALTERNATE: Final[dict[str, Any]] = {
    "index_id": pl.String, "session": pl.String, "ref_date": pl.Date, "revision": pl.Int32,
    "currency": pl.String, "value": MONEY, "fx_rate": MONEY, "fx_source": pl.String,
    "fx_date": pl.Date,
}  # fmt: skip
_COMMITMENT: Final[dict[str, Any]] = {
    "seq": pl.Int64, "log_origin": pl.String, "index_id": pl.String, "session": pl.String,
    "ref_date": pl.Date, "committed_at": TIME, "input_digest": pl.String,
    "inputs_digest": pl.String, "methodology_digest": pl.String, "definition_digest": pl.String,
    "basket_digest": pl.String, "manifest_digest": pl.String,
}  # fmt: skip
_INCIDENT: Final[dict[str, Any]] = {
    "seq": pl.Int64, "log_origin": pl.String, "kind": pl.String, "source": pl.String,
    "reason": pl.String, "detail": pl.String, "occurred_at": TIME, "record": pl.String,
}  # fmt: skip
_BASKET: Final[dict[str, Any]] = {
    "index_id": pl.String, "vintage": pl.String, "basket_digest": pl.String,
    "frozen_on": pl.Date, "place": pl.Int32, "legal_group": pl.String,
    "instrument_id": pl.String, "source": pl.String, "weight": WEIGHT,
    "volume": pl.Decimal(38, 0), "volume_rank": pl.String, "estimator": pl.String,
    "link_price": MONEY, "quantity": pl.Decimal(28, 12), "divisor": pl.Decimal(38, 15),
    "volume_from": pl.Date, "volume_to": pl.Date,
}  # fmt: skip
_CONTRIBUTED: Final[dict[str, Any]] = {
    "group": pl.String, "developer": pl.String, "provider": pl.String,
    "instrument_id": pl.String, "model": pl.String, "listing_id": pl.String, "meter": pl.String,
    "source": pl.String, "tier": pl.String, "status": pl.String, "reason": pl.String,
    "quoted_nano": pl.Int64, "price_nano": pl.Int64, "weight_e8": pl.Int64, "kept": pl.Int64,
    "quantity_e12": pl.String, "is_confirmed": pl.Boolean, "is_suspect": pl.Boolean,
    "seen_us": pl.Int64, "observation_id": pl.String,
}  # fmt: skip
"""What the three layouts of contributions hold together: rates, composites, unit values."""

_REFERENCES = ("contributions", "panel_state", "panel_state_before", "manifest")
_KEY = ("index_id", "session", "ref_date", "revision")


@dataclass(frozen=True)
class Contents:
    """What a projection is made from; nothing else is read.

    ``records``: every record of the log in order, with the digest of its bytes. ``bodies``: the
    baskets and contributions that fixings cite, by digest. ``backcast``: the newest back-cast
    (:data:`BACKCAST`). ``observations``, ``rejections``, ``volumes``, ``rates``: the newest
    manifest's frames, as ``methodology.schemas`` has them. ``resistance`` and ``triple``: the
    artefacts of that kind in the order of the log; none in an older ledger.
    """

    origin: str
    size: int
    root: str
    records: Sequence[tuple[Mapping[str, Any], str]]
    backcast: pl.DataFrame
    observations: pl.DataFrame
    rejections: pl.DataFrame
    volumes: pl.DataFrame
    rates: pl.DataFrame
    bodies: Mapping[str, bytes] = field(default_factory=dict)
    resistance: Sequence[bytes] = ()
    triple: Sequence[bytes] = ()


def current_fixings(
    records: Sequence[tuple[Mapping[str, Any], str]],
) -> list[Mapping[str, Any]]:
    """Return the highest revision of each fixing, in order of index, session and day."""
    found: dict[tuple[str, str, str], Mapping[str, Any]] = {}
    for record, _ in records:
        if record["type"] == "fixing":
            key = (record["index_id"], record["session"], record["ref_date"])
            if key not in found or found[key]["revision"] < record["revision"]:
                found[key] = record
    return [found[key] for key in sorted(found)]


def build(contents: Contents) -> dict[str, pl.DataFrame]:
    """Return every table of the analysts' file by name, rows sorted.

    Raises:
        VerificationError: a record or a body has a field these tables do not know, or a figure
            that would not fit its column exactly.
    """
    current = current_fixings(contents.records)
    lines = resistance.read_lines(contents.resistance)
    head = {"origin": [contents.origin], "size": [contents.size], "root": [contents.root]}
    return {
        "fixing": fixings(contents.records),
        "fixing_alternate": alternates(contents.records),
        "backcast": backcast(contents.backcast),
        "contribution": contributions(current, contents.bodies),
        "observation": observations(contents.observations),
        "rejection": contents.rejections.sort(contents.rejections.columns),
        "volume": contents.volumes.sort(contents.volumes.columns),
        "fx_rate": fx_rates(contents.rates),
        "basket": baskets(current, contents.bodies),
        "commitment": commitments(contents.records),
        "incident": incidents(contents.records),
        "resistance": _typed("resistance", resistance.group_rows(lines), resistance.GROUP),
        "resistance_index": _typed(
            "resistance_index", resistance.index_rows(lines), resistance.INDEX
        ),
        "triple": _typed("triple", triple.read_lines(contents.triple), triple.TRIPLE),
        "log_head": pl.DataFrame(head),
        **{
            name: _typed(name, rows, schema)
            for name, (rows, schema) in logged.rows_of(contents.records).items()
        },
    }


def fixings(records: Sequence[tuple[Mapping[str, Any], str]]) -> pl.DataFrame:
    """Return one row per fixing revision; nested fields are spread, ``alt`` has its own table."""
    rows = []
    for record, digest in records:
        if record["type"] != "fixing":
            continue
        row = dict(record) | {"record_digest": digest}
        row.pop("alt")
        row["flags"] = " ".join(row["flags"])
        row["footnotes"] = "\n".join(row["footnotes"])
        for name in _REFERENCES:
            row[f"{name}_digest"] = _cited(row.pop(name))
        for name, figure in (row.pop("grade_components") or {}).items():
            row[f"grade_{name}"] = figure
        rows.append(row)
    return _typed("fixing", rows, FIXING).sort(_KEY)


def alternates(records: Sequence[tuple[Mapping[str, Any], str]]) -> pl.DataFrame:
    """Return each fixing revision's value in other currencies."""
    rows = [
        {**{k: record[k] for k in _KEY}, **other}
        for record, _ in records
        if record["type"] == "fixing"
        for other in record["alt"]
    ]
    return _typed("fixing_alternate", rows, _ALTERNATE).sort(*_KEY, "currency")


def backcast(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the back-cast with decimal values, levels and weights."""
    return rows.with_columns(
        exact("backcast", rows["value"], MONEY),
        exact("backcast", rows["level"], MONEY),
        scaled("weight", 8, WEIGHT),
    ).sort("index_id", "ref_date")


def observations(rows: pl.DataFrame) -> pl.DataFrame:
    """Return observations with decimal prices."""
    return (
        rows.with_columns(scaled("price_nano", 9, MONEY))
        .rename({"price_nano": "price", "group": "legal_group"})
        .sort("source", "provider", "listing_id", "meter", "observed_at", "observation_id")
    )


def fx_rates(rows: pl.DataFrame) -> pl.DataFrame:
    """Return currency rates with a decimal beside the text; null if nine decimals are too few."""
    is_plain = rows["rate_text"].str.contains(pattern(MONEY))
    plain = pl.when(is_plain).then(pl.col("rate_text")).cast(MONEY)
    return rows.with_columns(plain.alias("rate")).sort("source", "base", "quote", "ref_date")


def contributions(
    current: Sequence[Mapping[str, Any]], bodies: Mapping[str, bytes]
) -> pl.DataFrame:
    """Return every contribution row of the given fixings, in the order of the artefact.

    Raises:
        VerificationError: an artefact has fields that are not known here, or a line of it is not
            one row.
    """
    parts, keys = [], []
    for record in current:
        body = bodies[record["contributions"]["sha256"]]
        lines = body.splitlines(keepends=True)
        unknown = set(json.loads(lines[0])) - set(_CONTRIBUTED) if lines else set()
        if unknown:
            raise VerificationError(
                f"contributions of {record['index_id']} {record['ref_date']}: fields "
                f"{sorted(unknown)} are not known here; rebuild with the software that wrote them"
            )
        parts.append(body)
        key = tuple(record[k] for k in (*_KEY, "currency"))
        keys += [(*key, place) for place in range(len(lines))]
    told = b"".join(parts)
    rows = pl.DataFrame(schema=_CONTRIBUTED)
    if told:
        rows = pl.read_ndjson(io.BytesIO(told), schema=_CONTRIBUTED)
    names = dict.fromkeys(_KEY, pl.String) | {"revision": pl.Int32, "currency": pl.String}
    beside = pl.DataFrame(keys, schema=names | {"place": pl.Int32}, orient="row")
    if rows.height != beside.height:
        raise VerificationError(f"contributions: {beside.height} lines gave {rows.height} rows")
    told_quantity = exact("contribution", rows["quantity_e12"], pl.Decimal(38, 0))
    return (
        pl.concat([beside, rows.with_columns(told_quantity)], how="horizontal")
        .select(
            "index_id",
            "session",
            pl.col("ref_date").str.to_date("%Y-%m-%d"),
            "revision",
            "place",
            "status",
            pl.when(pl.col("reason") != "").then("reason").alias("reason"),
            pl.coalesce("group", "developer").alias("legal_group"),
            "provider",
            pl.coalesce("instrument_id", "model").alias("instrument_id"),
            "listing_id",
            "meter",
            "source",
            "tier",
            "currency",
            scaled("quoted_nano", 9, MONEY).alias("quoted"),
            scaled("price_nano", 9, MONEY).alias("price"),
            scaled("weight_e8", 8, WEIGHT).alias("weight"),
            "kept",
            scaled("quantity_e12", 12, pl.Decimal(28, 12)).alias("quantity"),
            "is_confirmed",
            "is_suspect",
            pl.from_epoch("seen_us", "us").alias("seen_at"),
            "observation_id",
        )
        .sort(*_KEY, "place")
    )


def baskets(current: Sequence[Mapping[str, Any]], bodies: Mapping[str, bytes]) -> pl.DataFrame:
    """Return the members of every panel and basket the given fixings were determined with."""
    rows: list[dict[str, Any]] = []
    cited = {(r["index_id"], r["basket_digest"]) for r in current if r["basket_digest"]}
    for index_id, digest in sorted(cited):
        content = json.loads(bodies[digest])
        key = {"index_id": index_id, "basket_digest": digest}
        if content.get("members"):
            key |= {n: content[n] for n in ("vintage", "frozen_on", "volume_rank", "estimator")}
            rows += [
                {
                    **key, "place": place, "legal_group": one["group"], "source": one["source"],
                    "weight": one["weight"], "volume": one["volume"],
                }
                for place, one in enumerate(content["members"])
            ]  # fmt: skip
        elif content.get("constituents"):
            key |= {"vintage": content["linked_on"], "frozen_on": content["linked_on"]}
            key |= {n: content[n] for n in ("volume_from", "volume_to")}
            key |= {"divisor": shifted(content["divisor_e15"], 15)}
            rows += [
                {
                    **key, "place": place, "legal_group": one["developer"],
                    "instrument_id": one["model"], "source": one["price_source"],
                    "weight": shifted(one["weight_e8"], 8),
                    "link_price": shifted(one["link_price_nano"], 9),
                    "quantity": shifted(one["quantity_e12"], 12),
                }
                for place, one in enumerate(content["constituents"])
            ]  # fmt: skip
    return _typed("basket", rows, _BASKET).sort("index_id", "vintage", "basket_digest", "place")


def commitments(records: Sequence[tuple[Mapping[str, Any], str]]) -> pl.DataFrame:
    """Return every commitment, in order of the log."""
    rows = []
    for record, _ in records:
        if record["type"] == "commitment":
            row = {k: v for k, v in record.items() if k in _COMMITMENT}
            cited = {f"{n}_digest": _cited(record[n]) for n in ("inputs", "manifest")}
            rows.append(row | cited)
    return _typed("commitment", rows, _COMMITMENT)


def incidents(records: Sequence[tuple[Mapping[str, Any], str]]) -> pl.DataFrame:
    """Return every incident, in order of the log, each with its whole record as JSON."""
    rows = [
        {k: v for k, v in record.items() if k in _INCIDENT}
        | {"occurred_at": record.get("at")}
        | {"record": json.dumps(record, sort_keys=True, ensure_ascii=False)}
        for record, _ in records
        if record["type"] == "incident"
    ]
    return _typed("incident", rows, _INCIDENT)


def _cited(reference: Mapping[str, Any] | None) -> str | None:
    return reference["sha256"] if reference else None


def _typed(table: str, rows: list[dict[str, Any]], schema: Mapping[str, Any]) -> pl.DataFrame:
    """Return rows as a frame of ``schema``: decimals from text, times from RFC 3339 text."""
    unknown = {key for row in rows for key in row} - set(schema)
    if unknown:
        raise VerificationError(
            f"{table}: fields {sorted(unknown)} are not known here; "
            "rebuild with the software that wrote them"
        )
    columns = []
    for name, dtype in schema.items():
        values = [row.get(name) for row in rows]
        if isinstance(dtype, pl.Decimal):
            columns.append(exact(table, pl.Series(name, values, pl.String), dtype))
        elif isinstance(dtype, pl.Datetime):
            text = pl.Series(name, values, pl.String)
            columns.append(text.str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="us"))
        elif dtype == pl.Date:
            columns.append(pl.Series(name, values, pl.String).str.to_date("%Y-%m-%d"))
        else:
            columns.append(pl.Series(name, values, dtype))
    return pl.DataFrame(columns)
