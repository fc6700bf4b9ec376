"""The short way of checking a frame says what Pandera says, of every column and every condition."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pandera.errors
import pandera.polars as pa
import polars as pl
import pytest

from methodology import depth, schemas
from methodology.errors import ParseError

MODELS = (
    *(schemas.Quote, schemas.Volume, schemas.Rate, schemas.Rejection, schemas.Observation),
    depth.Ask,
)
WORDS = {
    "meter": "IN", "quoted_unit": "per_mtok", "tenor": "spot", "status": "offered",
    "tier": "E3", "currency": "USD", "base": "EUR", "quote": "CNY", "stage": "parse",
    "reason": "NOT_JSON", "unit": "usd_per_mtok", "capture_sha256": "0" * 64,
    "observation_id": "f" * 64,
}  # fmt: skip
OTHER = {schemas.Volume: {"meter": "total"}, depth.Ask: {"quoted_unit": "per_gpu_hour"}}
WRONG: dict[str, list[Any]] = {
    "meter": ["", "in", "GPU_HOUR"], "quoted_unit": [""], "tenor": ["Spot"], "status": ["gone"],
    "tier": ["E6"], "currency": ["usd", "US", "USDT"], "base": ["€"], "quote": [""],
    "stage": ["read"], "reason": ["A", "1X", "a_b"], "unit": ["usd"],
    "capture_sha256": ["0" * 63, "0" * 65, "F" * 64, "0" * 64 + "\n"], "observation_id": ["g" * 64],
    "gpu_count": [0, 1025], "gpus": [0, 1025], "window_start_min": [-1, 11520],
    "window_end_min": [-1, 11520], "quantity": [-1], "price_nano": [-1, 10**15 + 1],
}  # fmt: skip
"""Values that no row may have; the bounds are those of the models' descriptions."""


def plain(model: type[pa.DataFrameModel]) -> pl.DataFrame:
    """Return two rows that satisfy a model, one of them with every null that is allowed."""
    words = WORDS | OTHER.get(model, {})
    rows: list[dict[str, Any]] = [{}, {}]
    for name, dtype in schemas.schema_of(model).items():
        value: Any = words.get(name, "x") if dtype == pl.String else 1
        if dtype == pl.Boolean:
            value = True
        elif dtype == pl.Date:
            value = date(2026, 8, 12)
        elif dtype == pl.Datetime("us"):
            value = datetime(2026, 8, 12, 7)
        rows[0][name] = value
        rows[1][name] = None if model.to_schema().columns[name].nullable else value
    return schemas.frame(model, rows)


def pandera_takes(model: type[pa.DataFrameModel], rows: pl.DataFrame) -> bool:
    try:
        model.validate(rows, lazy=True)
    except pandera.errors.SchemaErrors:
        return False
    return True


each = pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)


@each
def test_a_sound_frame_is_taken_on_the_short_way(model: type[pa.DataFrameModel]) -> None:
    rows = plain(model)
    for frame in (rows, rows.clear(), rows.head(1)):
        assert pandera_takes(model, frame)
        assert schemas._is_sound(model, frame)
        assert schemas.validate(model, frame, "here") is frame


@each
def test_each_wrong_value_of_each_column_is_refused_by_both(model: type[pa.DataFrameModel]) -> None:
    rows = plain(model)
    tried = set()
    for name, column in model.to_schema().columns.items():
        wrong: list[Any] = list(WRONG.get(name, ())) if column.checks else []
        for value in wrong if column.nullable else [*wrong, None]:
            bad = rows.with_columns(
                pl.Series(name, [rows[name][0], value], dtype=rows.schema[name])
            )
            assert not schemas._is_sound(model, bad), (name, value)
            with pytest.raises(ParseError, match=name):
                schemas.validate(model, bad, "here")
            tried.add(name)
    assert tried >= {n for n, c in model.to_schema().columns.items() if c.checks or not c.nullable}


@each
def test_other_columns_types_and_orders_are_refused_by_both(model: type[pa.DataFrameModel]) -> None:
    rows = plain(model)
    first, *rest = rows.columns
    numbered = rows.with_columns(pl.lit(1, pl.Int8).alias(rows.columns[-1]))
    for bad in (rows.drop(first), rows.with_columns(more=1), rows.select(*rest, first), numbered):
        assert not pandera_takes(model, bad)
        assert not schemas._is_sound(model, bad)
        with pytest.raises(ParseError, match="SCHEMA"):
            schemas.validate(model, bad, "here")


def test_a_condition_that_is_not_known_goes_to_pandera() -> None:
    class Odd(pa.DataFrameModel):
        class Config:
            strict = True
            ordered = True

        name: pl.String = pa.Field(str_endswith="a")

    class Share(pa.DataFrameModel):
        class Config:
            strict = True
            ordered = True

        share: pl.Float64 = pa.Field(ge=0)

    class Loose(pa.DataFrameModel):
        name: pl.String = pa.Field()

    for model in (Odd, Share, Loose):
        assert schemas._conditions(model) is None
    good, bad = (pl.DataFrame({"name": [word]}) for word in ("pa", "po"))
    assert schemas.validate(Odd, good, "here").equals(good)
    with pytest.raises(ParseError, match="str_endswith"):
        schemas.validate(Odd, bad, "here")
    with pytest.raises(ParseError):
        schemas.validate(Share, pl.DataFrame({"share": [float("nan")]}), "here")
