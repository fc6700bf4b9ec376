"""Weighted order statistics: published vectors, hand figures and properties."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vectors import vector

from methodology import estimators
from methodology.estimators import MEDIAN, TRIM25, TRIM40
from methodology.weights import publish_weights

SCALE = 10**6
"""Weights of the vectors are small integers; scaled up, the tie distance is far below one."""


def value(prices: list[int], weights: list[int], estimator: str, slack: int = 0) -> Fraction:
    """The estimate as an exact fraction, by the road a determination takes."""
    price, weight = np.array([prices], np.int64), np.array([weights], np.int64)
    _, by_price, by_weight = estimators.sort_panel(price, weight)
    kept = estimators.kept(by_weight, estimator, np.array([slack]))
    top, bottom = estimators.exact_sums(by_price, kept)
    return Fraction(top[0], bottom[0])


def percentile(prices: list[int], weights: list[int], n: int, d: int, slack: int = 0) -> Fraction:
    order = np.argsort(prices, kind="stable")
    kept = estimators.kept_at_quantile(np.array(weights, np.int64)[order], n, d, slack)
    held = np.array(prices, np.int64)[order]
    return Fraction(int((kept * held).sum()), int(kept.sum()))


def nano(x: float) -> int:
    return round(x * 10**9)


def close(ours: Fraction, expected: float, tolerance: float) -> bool:
    return abs(float(ours) / 1e9 - expected) <= tolerance * abs(expected)


def test_median_and_percentiles_average_where_a_share_is_met_exactly() -> None:
    told = vector("TV05_weighted_median_percentiles.json")
    for case in told["cases"]:
        prices, weights = [nano(x) for x in case["x"]], [w * SCALE for w in case["w"]]
        for slack in (0, len(prices)):
            ours = value(prices, weights, MEDIAN, slack)
            assert close(ours, case["expected_spec_median"], told["tolerance_rel"]), case["id"]
            for name, expected in case["expected_percentiles_spec"].items():
                ours = percentile(prices, weights, int(name[1:]), 100, slack)
                assert close(ours, expected, told["tolerance_rel"]), (case["id"], name)


def test_trimmed_mean_allots_the_edges_in_proportion() -> None:
    told = vector("TV06_trimmed_winsorised_mean.json")
    for case in told["cases"]:
        prices, weights = [nano(x) for x in case["x"]], [w * SCALE for w in case["w"]]
        ours = value(prices, weights, TRIM25)
        assert close(ours, case["expected_trim25"], told["tolerance_rel"]), case["id"]
        third = estimators.kept_trimmed(np.array(sorted_weights(prices, weights)), (1, 3))
        mean = Fraction(int((third * np.sort(prices)).sum()), int(third.sum()))
        assert close(mean, case["expected_trim_third"], told["tolerance_rel"]), case["id"]
    example = told["external_published_example"]
    assert value(example["x"], example["w"], TRIM25) == Fraction(example["value"])


def sorted_weights(prices: list[int], weights: list[int]) -> list[int]:
    return [w for _, w in sorted(zip(prices, weights, strict=True))]


def test_influence_of_one_seller_is_what_other_software_finds() -> None:
    told = vector("TV16_influence.json")
    prices, weights = [nano(x) for x in told["x"]], [w * SCALE for w in told["w"]]
    base = value(prices, weights, TRIM25)
    assert close(base, told["base"], told["tolerance_rel"])
    changes = told["relative_change"]
    for i in range(len(prices)):

        def moved(to: int, i: int = i) -> float:
            now = value([*prices[:i], to, *prices[i + 1 :]], weights, TRIM25)
            return float(now / base - 1)

        without = value(prices[:i] + prices[i + 1 :], weights[:i] + weights[i + 1 :], TRIM25)
        ours = {
            "own_plus_10pct": moved(prices[i] * 11 // 10),
            "own_minus_10pct": moved(prices[i] * 9 // 10),
            "leave_one_out": float(without / base - 1),
            "own_to_plus_infinity": moved(10**15),
            "own_to_zero": moved(0),
        }
        for name, change in ours.items():
            assert change == pytest.approx(changes[name][i], rel=1e-9, abs=1e-12), (name, i)


@pytest.mark.parametrize(
    ("prices", "weights", "estimator", "expected"),
    [
        pytest.param([5], [10**8], MEDIAN, "5", id="one seller"),
        pytest.param([1, 3], [1, 1], MEDIAN, "2", id="two equal sellers average"),
        pytest.param([1, 3], [2, 1], MEDIAN, "1", id="the heavier of two"),
        pytest.param([9, 1, 5], [1, 1, 1], MEDIAN, "5", id="odd number, any order"),
        pytest.param([1, 2, 3], [0, 5, 0], MEDIAN, "2", id="weightless sellers keep nothing"),
        pytest.param([1, 7, 3], [5, 0, 5], MEDIAN, "2", id="a tie skips the weightless"),
        # W = 4: keep the weight from 1 to 3: half of nobody at the ends, all of 2 and 3.
        pytest.param([1, 2, 3, 4], [1, 1, 1, 1], TRIM25, "5/2", id="quarters fall on the edges"),
        # W = 3: keep 0.75 to 2.25: 0.25 of 1, 1 of 2, 0.25 of 10: (0.25 + 2 + 2.5) / 1.5.
        pytest.param([1, 2, 10], [1, 1, 1], TRIM25, "19/6", id="fractional edges"),
        # W = 10: keep 4 to 6: the fifth and sixth.
        pytest.param(list(range(1, 11)), [1] * 10, TRIM40, "11/2", id="the middle fifth"),
        # W = 3: keep 1.2 to 1.8: all of it inside the second.
        pytest.param([1, 2, 10], [1, 1, 1], TRIM40, "2", id="a 40% trim inside one seller"),
        # W = 100: keep 40 to 60: 5 of the second (35 to 45), 15 of the third: (20 + 120) / 20.
        pytest.param([1, 4, 8, 9], [35, 10, 50, 5], TRIM40, "7", id="parts of two sellers"),
    ],
)
def test_estimates_by_hand(
    prices: list[int], weights: list[int], estimator: str, expected: str
) -> None:
    assert value(prices, weights, estimator) == Fraction(expected)


@pytest.mark.parametrize("unlucky", range(6))
def test_six_equal_sellers_tie_whoever_got_the_odd_units(unlucky: int) -> None:
    """10**8 does not divide by six: four members carry one unit more, wherever they stand."""
    weights = publish_weights([Fraction(1, 6)] * 6)
    assert sorted(weights) == [16_666_666] * 2 + [16_666_667] * 4
    weights = weights[unlucky:] + weights[:unlucky]
    assert value([1, 2, 3, 5, 6, 7], weights, MEDIAN, slack=6) == 4


@pytest.mark.parametrize(
    ("distance", "expected"),
    [(4, "2"), (5, "2"), (6, "1")],
    ids=["inside the slack", "exactly at the slack", "beyond the slack"],
)
def test_the_tie_distance_is_inclusive(distance: int, expected: str) -> None:
    weights = [100 + 2 * distance, 100]  # the first ends ``distance`` above one half
    assert value([1, 3], weights, MEDIAN, slack=5) == Fraction(expected)


def test_a_panel_without_weight_keeps_nothing() -> None:
    assert estimators.kept_at_quantile(np.zeros(4, np.int64), 1, 2).tolist() == [0, 0, 0, 0]
    assert estimators.kept_trimmed(np.zeros(4, np.int64), (1, 4)).tolist() == [0, 0, 0, 0]


def test_each_panel_gets_its_own_estimator() -> None:
    weights = np.array([[1, 1, 1, 1, 1]] * 3, np.int64) * SCALE
    kept = estimators.kept_by_panel(weights, np.array([0, 1, 2], np.int8), np.array([5, 5, 5]))
    # Median: the third alone. Quarter trim keeps 1.25 to 3.75. 40% trim keeps 2 to 3.
    assert kept[0].tolist() == [0, 0, 2, 0, 0]
    assert [Fraction(k, 4 * SCALE) for k in kept[1].tolist()] == [
        0,
        Fraction(3, 4),
        1,
        Fraction(3, 4),
        0,
    ]
    assert [Fraction(k, 5 * SCALE) for k in kept[2].tolist()] == [0, 0, 1, 0, 0]


@pytest.mark.parametrize(
    ("price", "weight"),
    [(10**15 + 1, 1), (1, 5 * 10**8 + 1), (-1, 1), (1, -1)],
    ids=["price too high", "weight too high", "price below zero", "weight below zero"],
)
def test_sums_refuse_what_could_wrap(price: int, weight: int) -> None:
    with pytest.raises(OverflowError):
        estimators.exact_sums(np.array([[price]], np.int64), np.array([[weight]], np.int64))


def test_sums_refuse_more_members_than_they_can_hold() -> None:
    wide = np.ones((1, 513), np.int64)
    with pytest.raises(OverflowError):
        estimators.exact_sums(wide, wide)


def test_sums_are_exact_at_their_bounds() -> None:
    price, weight = np.full((1, 512), 10**15), np.full((1, 512), 5 * 10**8)
    assert estimators.exact_sums(price, weight) == ([512 * 10**15 * 5 * 10**8], [512 * 5 * 10**8])


# A coarse grid, so that ties happen; weights that are published ones, scaled to be far from 1e-8.
PRICES = st.integers(min_value=1, max_value=20).map(lambda n: n * 250_000_000)
WEIGHTS = st.integers(min_value=1, max_value=40).map(lambda n: n * SCALE)
PANELS = st.lists(st.tuples(PRICES, WEIGHTS), min_size=1, max_size=40)
ESTIMATORS = st.sampled_from([MEDIAN, TRIM25, TRIM40])


def estimate(panel: list[tuple[int, int]], estimator: str) -> Fraction:
    return value([p for p, _ in panel], [w for _, w in panel], estimator, slack=len(panel))


@settings(max_examples=150, deadline=None)
@given(PANELS, ESTIMATORS)
def test_a_value_never_leaves_the_range_of_its_prices(
    panel: list[tuple[int, int]], estimator: str
) -> None:
    prices = [p for p, _ in panel]
    assert min(prices) <= estimate(panel, estimator) <= max(prices)


@settings(max_examples=150, deadline=None)
@given(PANELS, ESTIMATORS, st.randoms(use_true_random=False))
def test_order_changes_nothing(panel: list[tuple[int, int]], estimator: str, rng: object) -> None:
    mixed = list(panel)
    rng.shuffle(mixed)  # type: ignore[attr-defined]
    assert estimate(mixed, estimator) == estimate(panel, estimator)


@settings(max_examples=100, deadline=None)
@given(PANELS, ESTIMATORS, st.integers(min_value=0, max_value=5))
def test_scaling_prices_scales_the_value_exactly(
    panel: list[tuple[int, int]], estimator: str, k: int
) -> None:
    scaled = [(p * 10**k, w) for p, w in panel]
    assert estimate(scaled, estimator) == estimate(panel, estimator) * 10**k


@settings(max_examples=100, deadline=None)
@given(PANELS, ESTIMATORS, st.integers(min_value=1, max_value=3))
def test_scaling_weights_changes_nothing(
    panel: list[tuple[int, int]], estimator: str, k: int
) -> None:
    assert estimate([(p, w * k) for p, w in panel], estimator) == estimate(panel, estimator)


@settings(max_examples=150, deadline=None)
@given(PANELS, ESTIMATORS, st.data())
def test_a_higher_price_never_lowers_the_value(
    panel: list[tuple[int, int]], estimator: str, data: st.DataObject
) -> None:
    i = data.draw(st.integers(min_value=0, max_value=len(panel) - 1))
    rise = data.draw(st.integers(min_value=0, max_value=20)) * 250_000_000
    higher = [(p + rise if j == i else p, w) for j, (p, w) in enumerate(panel)]
    assert estimate(higher, estimator) >= estimate(panel, estimator)


@settings(max_examples=100, deadline=None)
@given(st.lists(WEIGHTS, min_size=1, max_size=40), PRICES, ESTIMATORS)
def test_equal_prices_give_that_price(weights: list[int], price: int, estimator: str) -> None:
    assert estimate([(price, w) for w in weights], estimator) == price


@settings(max_examples=100, deadline=None)
@given(PANELS, ESTIMATORS, st.data())
def test_one_owner_gains_nothing_by_two_names_of_the_same_total_weight(
    panel: list[tuple[int, int]], estimator: str, data: st.DataObject
) -> None:
    """After grouping a legal group has one weight; cut in two at one price it decides the same."""
    i = data.draw(st.integers(min_value=0, max_value=len(panel) - 1))
    price, weight = panel[i]
    part = data.draw(st.integers(min_value=1, max_value=weight // SCALE)) * SCALE
    split = [*panel[:i], (price, part), *panel[i + 1 :]]
    if weight > part:
        split.append((price, weight - part))
    assert estimate(split, estimator) == estimate(panel, estimator)


@settings(max_examples=100, deadline=None)
@given(PANELS, ESTIMATORS)
def test_sellers_without_weight_change_nothing(
    panel: list[tuple[int, int]], estimator: str
) -> None:
    prices = [1, *(p for p, _ in panel), 10**15]
    weights = [0, *(w for _, w in panel), 0]
    assert value(prices, weights, estimator, len(panel)) == estimate(panel, estimator)
