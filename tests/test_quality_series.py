"""The quality-adjusted index as published: by hand, against other software, the same everywhere."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from methodology import quality_series, splices
from methodology.bilateral import Panel
from methodology.quality_adjusted import time_dummy_hedonic, wtpd
from methodology.quality_series import drift_pct, hedonic, publish_next, series, time_product_dummy
from tests.vectors import vector

ROOT = Path(__file__).resolve().parents[1]


def points(logs: list[Decimal] | None) -> list[float]:
    assert logs is not None
    return [float(log.exp()) for log in logs]


def test_two_models_by_hand() -> None:
    """Two months, tokens 1 and 1; prices 2 and 2, then 1 and 4.

    Shares: half and half, then 1/5 and 4/5. With two months the estimate is the mean of the two
    price relatives' logarithms by the harmonic means of the shares:
    w1 = (1/2 * 1/5) / (1/2 + 1/5) = 1/7, w2 = (1/2 * 4/5) / (1/2 + 4/5) = 4/13.
    ln index = (w1 ln(1/2) + w2 ln 2) / (w1 + w2) = ln 2 * (4/13 - 1/7) / (4/13 + 1/7)
             = ln 2 * (15/91) / (41/91) = ln 2 * 15/41.
    """
    months, tokens = [{"a": 2, "b": 2}, {"a": 1, "b": 4}], [{"a": 1, "b": 1}] * 2
    assert points(time_product_dummy(months, tokens))[1] == pytest.approx(2 ** (15 / 41), rel=1e-14)
    # 1000 * 2 ** (15/41) = 1288.67...
    assert series(months, tokens, 2) == [100000, round(100000 * 2 ** (15 / 41))]


def test_a_window_moves_on_by_hand() -> None:
    """One model at 2, 3, 6: every window says 1.5 and 2. Window of two: 1000, 1500, 3000.

    Month three: mean over l = month two alone: 1500 * 2 = 3000.
    """
    months, tokens = [{"a": 2}, {"a": 3}, {"a": 6}], [{"a": 1}] * 3
    assert series(months, tokens, 2) == [100000, 150000, 300000]
    assert series(months, tokens, 3) == [100000, 150000, 300000]


def test_the_splice_takes_the_published_level() -> None:
    """Level published as 999.99 in place of 1000.00: the next month keeps that: 999.99 * 2."""
    months, tokens = [{"a": 1}, {"a": 1}, {"a": 2}], [{"a": 1}] * 3
    assert publish_next([100000, 99999], months, tokens, 2) == [199998]


def test_before_the_first_window_is_full_there_is_no_value() -> None:
    months, tokens = [{"a": 2}, {"a": 3}], [{"a": 1}] * 2
    assert series(months, tokens, 3) == [None, None]


def test_months_without_a_common_model_give_no_value() -> None:
    months = [{"a": 2}, {"a": 2}, {"b": 3}, {"b": 3}]
    assert series(months, [{"a": 1, "b": 1}] * 4, 4) == [None] * 4
    assert time_product_dummy(months, [{"a": 1, "b": 1}] * 4) is None


def churn() -> tuple[list[dict[str, int]], list[dict[str, int]], Panel]:
    """Return the panel of the vectors as integers: prices in 1e-9, quantities in tenths."""
    at_hand = ROOT.parent / "shared" / "vectors"
    file = Path(os.environ.get("SPOTFIX_VECTORS", at_hand)) / "data" / "llm_churn.csv"
    if not file.is_file():
        pytest.skip("the panel of the vectors is not at hand; set SPOTFIX_VECTORS")
    rows = list(csv.DictReader(file.read_text("utf-8").splitlines()))
    last = max(int(r["period"]) for r in rows)
    prices: list[dict[str, int]] = [{} for _ in range(last)]
    tokens: list[dict[str, int]] = [{} for _ in range(last)]
    for r in rows:
        prices[int(r["period"]) - 1][r["product"]] = int(Fraction(r["price"]) * 10**9)
        tokens[int(r["period"]) - 1][r["product"]] = int(Fraction(r["quantity"]) * 10)
    goods = tuple(sorted({r["product"] for r in rows}))
    price = np.array([[p.get(g, 0) for g in goods] for p in prices], np.float64)
    quantity = np.array([[q.get(g, 0) for g in goods] for q in tokens], np.float64)
    return prices, tokens, Panel(tuple(range(last)), goods, price, quantity)


def test_it_agrees_with_other_software_on_a_panel_with_churn() -> None:
    prices, tokens, _ = churn()
    expected = vector("TV03_multilateral_churn_full.json")["expected"]
    mine = points(time_product_dummy(prices, tokens))
    assert mine == pytest.approx(expected["wtpd_expenditure_share_weights"], rel=1e-9)


def test_its_splice_agrees_with_other_software_to_the_published_digits() -> None:
    """Levels are rounded before they are spliced, so they agree to about two units of the last."""
    prices, tokens, _ = churn()
    expected = vector("TV04_splices_window13.json")["expected"]["wtpd"]["mean_pub"]
    mine = series(prices, tokens, 13)
    assert [abs(units - 100000 * e) <= 2 for units, e in zip(mine, expected, strict=True)] == (
        [True] * 20
    )


def test_it_agrees_with_the_formulas_in_binary_floats() -> None:
    prices, tokens, panel = churn()
    mine = points(time_product_dummy(prices, tokens))
    assert mine == pytest.approx(list(wtpd(panel)), rel=1e-10)
    floats = splices.rolling(panel, wtpd, 13)
    assert [u / 100000 for u in series(prices, tokens, 13) if u] == pytest.approx(
        list(floats), abs=3e-5
    )


def test_the_hedonic_index_agrees_with_the_formula_in_binary_floats() -> None:
    months = [{"a": 200, "b": 300, "c": 500}, {"a": 150, "b": 290, "c": 400, "d": 90}]
    traits = {"a": (0, 1), "b": (0, 0), "c": (1, 0), "d": (1, 1)}
    logs = hedonic(months, traits)
    rows = [(n, m, p) for n, month in enumerate(months) for m, p in sorted(month.items())]
    told = time_dummy_hedonic(
        [n for n, _, _ in rows],
        np.array([p for _, _, p in rows], np.float64),
        {k: np.array([traits[m][k] for _, m, _ in rows], np.float64) for k in (0, 1)},
    )
    assert points(logs) == pytest.approx(list(told.index), rel=1e-12)
    assert hedonic(months, dict.fromkeys(traits, (1, 1))) is None  # no trait differs


MONTHS = st.lists(
    st.dictionaries(st.sampled_from("abcde"), st.integers(1, 10**10), min_size=3),
    min_size=3,
    max_size=5,
)


@settings(max_examples=60, deadline=None)
@given(MONTHS, st.integers(2, 1000), st.randoms(use_true_random=False))
def test_scale_and_order_of_models_change_nothing(
    months: list[dict[str, int]], factor: int, random: object
) -> None:
    tokens = [{m: n for n, m in enumerate("abcde", 1)}] * len(months)
    mine = series(months, tokens, 3)
    scaled = series([{m: factor * p for m, p in month.items()} for month in months], tokens, 3)
    assert scaled == mine
    mixed = []
    for month in months:
        keys = list(month)
        random.shuffle(keys)  # type: ignore[attr-defined]
        mixed.append({m: month[m] for m in keys})
    assert series(mixed, tokens, 3) == mine


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 10**6), st.integers(2, 10**6))
def test_prices_that_move_alike_give_their_movement(first: int, last: int) -> None:
    months = [{m: n * first for n, m in enumerate("abc", 1)}, {m: n * last for n, m in
              enumerate("abc", 1)}]  # fmt: skip
    found = time_product_dummy(months, [{"a": 5, "b": 9, "c": 2}, {"a": 1, "b": 1, "c": 1}])
    assert found is not None
    assert abs(found[1] - (Decimal(last) / Decimal(first)).ln()) < Decimal("1e-20")


SCRIPT = """
from methodology.quality_series import series
months = [{f"m{n}": 1000 + (37 * n * t) % 911 for n in range(40) if (n + t) % 7} for t in range(20)]
tokens = [{f"m{n}": 1 + n * n for n in range(40)}] * 20
print(series(months, tokens, 13))
"""


@pytest.mark.parametrize("threads", ["1", "2", "8"])
def test_the_same_digits_with_any_number_of_threads_and_any_hash_seed(threads: str) -> None:
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS")
    env = dict.fromkeys(names, threads) | {"PYTHONHASHSEED": threads, "PYTHONPATH": str(ROOT)}
    told = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=env, capture_output=True, text=True, check=True
    ).stdout
    months = [
        {f"m{n}": 1000 + (37 * n * t) % 911 for n in range(40) if (n + t) % 7} for t in range(20)
    ]
    tokens = [{f"m{n}": 1 + n * n for n in range(40)}] * 20
    assert told.strip() == str(series(months, tokens, 13))


def test_drift_by_hand() -> None:
    """Composite 1000 to 1100, adjusted 1000 to 1045: 1.1 / 1.045 - 1 = 5.2631...%."""
    ends = [date(2026, 8, 31), date(2026, 9, 30), date(2026, 10, 31)]
    composite = dict(zip(ends, (100000, 105000, 110000), strict=True))
    adjusted = dict(zip(ends, (100000, 101000, 104500), strict=True))
    found = drift_pct(composite, adjusted, ends[-1])
    assert found is not None
    assert float(found) == pytest.approx(100 * (1.1 / 1.045 - 1), rel=1e-12)
    one_back = drift_pct(composite, adjusted, ends[-1], 1)
    assert one_back is not None
    assert float(one_back) == pytest.approx(100 * ((1100 / 1050) / (1045 / 1010) - 1), rel=1e-12)
    assert drift_pct(composite, {}, ends[-1]) is None
    assert drift_pct({ends[0]: 1}, adjusted, ends[0]) is None


def test_the_stated_digits_are_those_of_the_context() -> None:
    assert quality_series.DIGITS.prec == 50
