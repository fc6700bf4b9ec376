"""Statistics by the name of their convention, worked by hand; restatement at its edge."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from methodology import order_statistics as order
from methodology import restatement, wilcoxon
from methodology.estimators import kept_at_quantile

F = Fraction
HALF = F(1, 2)


def fractions(*values: object) -> list[F]:
    return [F(str(v)) for v in values]


@pytest.mark.parametrize(
    ("convention", "expected"),
    [
        # Weights 1, 1, 2 on 10, 20, 40: cumulative shares 1/4, 1/2, 1.
        pytest.param("average_at_exact_half", 30, id="half is met at 20: the mean of 20 and 40"),
        pytest.param("lower", 20, id="the first to reach half"),
        pytest.param("upper", 40, id="the first beyond half"),
        pytest.param("midpoint_cdf", F(80, 3), id="between middles 3/8 and 6/8: 20 + 20 x 1/3"),
        pytest.param("spatstat_type_2", 20, id="met exactly: the value itself"),
        pytest.param("spatstat_type_4", 20, id="on the line, at its corner"),
    ],
)
def test_one_median_by_six_conventions(convention: str, expected: F) -> None:
    found = order.QUANTILES[convention](fractions(40, 10, 20), fractions(2, 1, 1), HALF)
    assert found == expected


def test_a_member_without_weight_is_not_there() -> None:
    for quantile in order.QUANTILES.values():
        assert quantile(fractions(1, 5, 9), fractions(0, 3, 0), HALF) == 5


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 5)), min_size=1, max_size=8).filter(
        lambda rows: any(w for _, w in rows)
    ),
    st.integers(1, 99),
)
def test_the_adopted_convention_is_the_one_that_makes_fixings(
    rows: list[tuple[int, int]], percent: int
) -> None:
    rows = sorted(rows)
    x, w = [p for p, _ in rows], [q for _, q in rows]
    kept = kept_at_quantile(np.array(w, np.int64), percent, 100)
    ours = F(int((kept * np.array(x)).sum()), int(kept.sum()))
    named = order.average_at_exact_share([F(p) for p in x], [F(q) for q in w], F(percent, 100))
    assert named == ours


@pytest.mark.parametrize(
    ("heads", "expected"),
    [(18, (4, 4, 10)), (15, (4, 4, 7)), (14, (3, 3, 8)), (1, (0, 0, 1)), (4, (1, 1, 2))],
)
def test_a_head_count_trim_rounds_the_quartile(heads: int, expected: tuple[int, int, int]) -> None:
    assert order.trim_counts(heads) == expected


def test_trims_and_tails_by_hand() -> None:
    ten = [F(n) for n in range(1, 11)]
    assert order.trimmed_by_heads(ten, F(1, 4)) == F(11, 2)
    assert order.trimmed_by_heads(fractions(1, 2, 30), F(1, 4)) == 11  # 3/4 of a head is none
    # A fifth of ten is two a tail: 3, 3, 3 .. 8, 8, 8.
    assert order.winsorised_mean(ten, [F(1)] * 10, F(1, 5)) == F(11, 2)
    # All but 1/20 of the weight is at 1 and 2: the tail's edge lies at 2.
    assert order.winsorised_mean(fractions(1, 2, 99), fractions(10, 9, 1), F(1, 20)) == F(30, 20)
    with pytest.raises(ValueError, match="leaves nothing"):
        order.trimmed_by_heads(fractions(1, 2), HALF)


def test_robust_statistics_by_hand() -> None:
    x = fractions(1, 2, 4, 8, 100)
    assert order.median(x) == 4
    assert order.mad(x) == 3  # distances 3, 2, 0, 4, 96
    # 15 pairwise means: 1 1.5 2 2.5 3 4 4.5 5 6 8 50.5 51 52 54 100; the eighth is 5.
    assert order.hodges_lehmann(x) == 5
    assert order.iqr_type_7(x) == 6  # 8 less 2
    assert order.quantile_type_7(x, F(1, 10)) == F("1.4")
    assert order.mad_of_logs(fractions(1, 2, 4)) == pytest.approx(math.log(2))


def test_scales_by_hand() -> None:
    # Distances of 0, 1, 3: 1, 2, 3. h = 2, the first: 1 x 2.21914 x 0.99365.
    assert order.qn(fractions(0, 1, 3)) == pytest.approx(2.21914 * 0.99365)
    # High medians of distances: 1, 1, 2; their low median 1: x 1.1926 x 1.851.
    assert order.sn(fractions(0, 1, 3)) == pytest.approx(1.1926 * 1.851)
    with pytest.raises(ValueError, match="two values"):
        order.qn(fractions(1))


def test_hubers_estimate_without_outliers_is_the_mean() -> None:
    assert order.huber(fractions(1, 2, 3)) == pytest.approx(2)
    assert order.huber(fractions(5, 5, 5, 9)) == 5  # no scale: the median


def test_the_root_of_wilcoxon_is_not_hodges_lehmann() -> None:
    """R's figure for the first sample of TV11, and the exact one."""
    x = [2.49, 2.59, 2.69, 2.99, 2.39, 2.25, 9.98]
    assert wilcoxon.estimate(x) == 2.6236669921875
    assert order.hodges_lehmann(fractions(*x)) == F("2.63")
    with pytest.raises(ValueError, match="two different"):
        wilcoxon.estimate([1.0, 1.0])


# --- restatement ---------------------------------------------------------------------------------

UNTIL = datetime(2026, 11, 20, 23, 59, 59)


@pytest.mark.parametrize(
    ("corrected", "late", "expected"),
    [
        pytest.param("2.0020", 0, "NOT_MATERIAL", id="exactly 0.10% is not more"),
        pytest.param("2.0021", 0, "RESTATE", id="more than 0.10% in the last second"),
        pytest.param("1.9980", 0, "NOT_MATERIAL", id="exactly 0.10% down"),
        pytest.param("1.9979", 0, "RESTATE", id="more than 0.10% down"),
        pytest.param("4.0000", 1, "TOO_LATE", id="a second after the window"),
    ],
)
def test_a_value_is_restated_on_its_own_day_and_for_more_than_a_tenth_of_a_percent(
    corrected: str, late: int, expected: str
) -> None:
    issued = UNTIL + timedelta(seconds=late)
    assert restatement.decide(F("2.0000"), F(corrected), issued, UNTIL) == expected


def test_a_negative_value_has_no_limits() -> None:
    with pytest.raises(ValueError, match="not negative"):
        restatement.limits(F(-1))
