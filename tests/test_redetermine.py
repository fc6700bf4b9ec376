"""Years from Parquet: the same values by any number of threads and any cut of the files."""

from __future__ import annotations

import sys
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from index import redetermine as years
from index.redetermine import Market, redetermine
from methodology.definition import load_methodology
from methodology.errors import UsageError
from methodology.kernel import Layout

RULES = load_methodology()
FIRST = date(2024, 1, 30)
MARKET = Market(
    index_of=np.array([0, 0, 1, -1]),
    layout=Layout(indices=2, providers=12, highest_price=500_000),
    tick_nano=100_000,
    rooted=True,
)


def drawn(days: int, rows: int, seed: int = 1) -> pl.DataFrame:
    """Some days of quotes in order of day, about ``rows`` each."""
    rng = np.random.default_rng(seed)
    count = rng.integers(rows // 2, rows + 1, days)
    size = int(count.sum())
    when = [FIRST + timedelta(days=day) for day in range(days) for _ in range(count[day])]
    return pl.DataFrame(
        {
            "day": pl.Series(when, dtype=pl.Date),
            "instrument": rng.integers(0, 4, size).astype(np.int16),
            "provider": rng.integers(0, 12, size).astype(np.uint8),
            "price": rng.integers(20_000, 40_000, size).astype(np.int32),
            "volume": rng.integers(0, 999, size).astype(np.int32),
        }
    )


def written(folder: Path, *frames: pl.DataFrame) -> list[Path]:
    paths = [folder / f"part-{number}.parquet" for number in range(len(frames))]
    for path, frame in zip(paths, frames, strict=True):
        frame.write_parquet(path, compression="lz4", row_group_size=500)
    return paths


def months(quotes: pl.DataFrame) -> list[pl.DataFrame]:
    month = pl.col("day").dt.strftime("%Y-%m")
    named = sorted(quotes.select(month.unique()).to_series().to_list())
    return [quotes.filter(month == name) for name in named]


def test_threads_files_spans_and_row_order_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quotes = drawn(40, 300)
    whole = redetermine(written(tmp_path, quotes), MARKET, RULES, threads=1)
    assert whole.height == 80
    assert whole["members"].min() > 0
    parts = months(quotes)
    assert len(parts) == 3
    by_month = written(tmp_path, *parts)
    for threads in (1, 2, 4):
        assert redetermine(by_month, MARKET, RULES, threads=threads).equals(whole)
    assert redetermine(by_month[::-1], MARKET, RULES).equals(whole)
    shuffled = quotes.sample(fraction=1, shuffle=True, seed=3).sort("day", maintain_order=True)
    assert not shuffled.equals(quotes)
    assert redetermine(written(tmp_path, shuffled), MARKET, RULES).equals(whole)
    for rows in (1, 150, 700):
        monkeypatch.setattr(years, "SPAN_ROWS", rows)
        monkeypatch.setattr(years, "BLOCK_ROWS", rows)
        assert redetermine(written(tmp_path, quotes), MARKET, RULES).equals(whole)


def test_one_day_worked_by_hand(tmp_path: Path) -> None:
    """Three providers with equal volumes at 2, 3 and 5; 40 is beyond four times 4.

    The cap is 1.2/3 and does not bind; weights are 0.33333334, 0.33333333, 0.33333333. A quarter
    cut from each tail leaves 0.08333334 of 2, 0.33333333 of 3, 0.08333333 of 5:
    (0.16666668 + 0.99999999 + 0.41666665) / 0.5 = 3.16666664.
    """
    rows = {
        "day": [FIRST] * 5,
        "instrument": [0, 1, 0, 1, 3],
        "provider": [1, 2, 3, 3, 4],
        "price": [20_000, 30_000, 50_000, 400_000, 7],
        "volume": [4, 4, 4, 1_000, 4],
    }
    frame = pl.DataFrame(rows, schema_overrides={"day": pl.Date})
    found = redetermine(written(tmp_path, frame), MARKET, RULES)
    assert found.columns == list(years.SCHEMA)
    assert dict(found.schema) == years.SCHEMA
    assert found.drop("trimmed_numerator", "trimmed_denominator").rows() == [
        (
            *(0, FIRST, 4, 3, 3),
            *(2_000_000_000, 2_000_000_000, 3_000_000_000, 5_000_000_000, 5_000_000_000),
            *(3_166_666_640, False),
        ),
        (1, FIRST, 0, 0, 0, None, None, None, None, None, None, False),
    ]


def test_no_files_and_empty_files_give_no_rows(tmp_path: Path) -> None:
    empty = drawn(2, 10).clear()
    for paths in ([], written(tmp_path, empty)):
        found = redetermine(paths, MARKET, RULES)
        assert found.is_empty()
        assert dict(found.schema) == years.SCHEMA
    beside = written(tmp_path, empty, drawn(2, 10))
    assert redetermine(beside, MARKET, RULES).height == 4


FAULTS = {
    "a_column_is_missing": (lambda q: q.drop("volume"), "part-0.parquet: a column is missing"),
    "the_day_is_missing": (lambda q: q.drop("day"), "a column is missing; it has instrument"),
    "a_float_price": (lambda q: q.cast({"price": pl.Float64}), "price is Float64, not an integer"),
    "a_moment_for_a_day": (
        lambda q: q.cast({"day": pl.Datetime("us")}),
        "day is Datetime.*not a date",
    ),
    "a_missing_figure": (
        lambda q: q.with_columns(pl.when(pl.col("price") != q["price"][4]).then(pl.col("price"))),
        "price: . rows have none",
    ),
    "days_in_disorder": (lambda q: q.reverse(), "rows are not sorted"),
    "a_day_that_comes_back": (lambda q: pl.concat([q, q.head(3)]), "rows are not sorted"),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("rows", [3_000_000, 7])
def test_a_wrong_file_is_refused_with_its_fault(
    fault: str, rows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(years, "SPAN_ROWS", rows)
    spoil, message = FAULTS[fault]
    with pytest.raises(UsageError, match=message):
        redetermine(written(tmp_path, spoil(drawn(4, 20))), MARKET, RULES)


def test_a_day_in_two_files_is_refused(tmp_path: Path) -> None:
    quotes = drawn(4, 20)
    with pytest.raises(UsageError, match=r"2024-02-02 is in part-0.parquet and in part-1.parquet"):
        redetermine(written(tmp_path, quotes, quotes.tail(1)), MARKET, RULES)


def test_a_price_outside_the_layout_is_refused(tmp_path: Path) -> None:
    quotes = drawn(3, 20).with_columns(pl.col("price") * 30)
    with pytest.raises(OverflowError, match="price: "):
        redetermine(written(tmp_path, quotes), MARKET, RULES)


def test_preparing_a_process_says_whether_memory_is_kept() -> None:
    before = sys.getswitchinterval()
    try:
        sys.setswitchinterval(0.005)  # another test of this process may have prepared it
        assert years.prepare_process() in (True, False)
        assert sys.getswitchinterval() < 0.005
    finally:
        sys.setswitchinterval(before)
