"""Hold, gross error and outlier: each rule at its edge, one nano-unit either side."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vectors import vector

from methodology import screens
from methodology.definition import load_methodology

RULES = load_methodology()
GPU, TOKEN = (5, 4), (8, 5)


def row(*values: int) -> np.ndarray:
    return np.array([values], np.int64)


def jump(
    now: list[int],
    before: list[int],
    ratio: tuple[int, int] = TOKEN,
    member: list[bool] | None = None,
) -> tuple[list[bool], list[bool]]:
    inside = np.array([member or [True] * len(now)])
    jumped, crowd = screens.jumps(
        row(*now), row(*before), inside, np.array([ratio], np.int64), RULES.jump
    )
    return jumped[0].tolist(), crowd[0].tolist()


@pytest.mark.parametrize(
    ("now", "before", "ratio", "expected"),
    [
        pytest.param(1600, 1000, TOKEN, False, id="token up by exactly 1.6 is no jump"),
        pytest.param(1601, 1000, TOKEN, True, id="token up by more is one"),
        pytest.param(1000, 1600, TOKEN, False, id="token down by exactly 1.6 is no jump"),
        pytest.param(999, 1600, TOKEN, True, id="token down by more is one"),
        pytest.param(1250, 1000, GPU, False, id="GPU up by exactly 1.25 is no jump"),
        pytest.param(1251, 1000, GPU, True, id="GPU up by more is one"),
        pytest.param(800, 1000, GPU, False, id="GPU down by exactly 1.25 is no jump"),
        pytest.param(799, 1000, GPU, True, id="GPU down by more is one"),
        pytest.param(0, 1000, TOKEN, False, id="no price today"),
        pytest.param(1000, 0, TOKEN, False, id="no price to compare"),
        pytest.param(10**15, 625 * 10**12, TOKEN, False, id="at the bound of prices, at the ratio"),
        pytest.param(10**15, 625 * 10**12 - 1, TOKEN, True, id="at the bound, one nano beyond"),
    ],
)
def test_a_jump_is_beyond_the_ratio(
    now: int, before: int, ratio: tuple[int, int], expected: bool
) -> None:
    assert jump([now], [before], ratio)[0] == [expected]


@pytest.mark.parametrize(
    ("now", "before", "member", "expected"),
    [
        pytest.param([200, 110, 110], [100] * 3, None, True, id="two others up exactly 10%"),
        pytest.param([200, 110, 109], [100] * 3, None, False, id="the second up 9%"),
        pytest.param([200, 150, 100], [100] * 3, None, False, id="one other is no crowd"),
        pytest.param([200, 90, 90], [100] * 3, None, False, id="others the other way"),
        pytest.param([50, 100, 100], [100, 110, 110], None, True, id="two others down 1.1"),
        pytest.param([50, 101, 100], [100, 110, 110], None, False, id="the second down less"),
        pytest.param([200, 200, 100], [100] * 3, None, False, id="oneself does not count"),
        pytest.param(
            [200, 110, 110], [100] * 3, [True, True, False], False, id="only members make a crowd"
        ),
        pytest.param([200, 110, 110], [100, 100, 0], None, False, id="a newcomer moved nowhere"),
    ],
)
def test_a_crowd_of_two_others_the_same_way_releases(
    now: list[int], before: list[int], member: list[bool] | None, expected: bool
) -> None:
    assert jump(now, before, member=member)[1][0] is expected


# Four quiet others around one price: their weighted median is 1000.
OTHERS = [1000, 1000, 1000, 1000]


def gross(price: int, was: bool, weights: list[int] | None = None) -> tuple[bool, bool]:
    units = weights or [20] * 5
    out, dispersed = screens.gross_errors(
        row(price, *OTHERS), row(*units), np.array([[was] + [False] * 4]), RULES.gross
    )
    return bool(out[0, 0]), bool(dispersed[0])


@pytest.mark.parametrize(
    ("price", "was", "expected"),
    [
        pytest.param(4000, False, False, id="exactly 4 times is kept"),
        pytest.param(4001, False, True, id="above 4 times is out"),
        pytest.param(250, False, False, id="exactly a quarter is kept"),
        pytest.param(249, False, True, id="below a quarter is out"),
        pytest.param(3000, True, True, id="out and at 3 times stays out"),
        pytest.param(3000, False, False, id="in and at 3 times stays in"),
        pytest.param(2000, True, True, id="out and at exactly 2 times stays out"),
        pytest.param(1999, True, False, id="out and below 2 times comes back"),
        pytest.param(500, True, True, id="out and at exactly one half stays out"),
        pytest.param(501, True, False, id="out and above one half comes back"),
        pytest.param(0, True, False, id="no price is nobody to exclude"),
    ],
)
def test_gross_errors_by_hand(price: int, was: bool, expected: bool) -> None:
    assert gross(price, was) == (expected, False)


def test_hysteresis_follows_the_published_steps() -> None:
    """The steps of the notice, its 10% and 5% mapped to ln 4 and ln 2.

    A deviation of x times the parameter becomes a factor of 4**x, so 10% is 4 and 5% is 2; the
    prices are rounded away from the limits' own values, which are exact.
    """
    state = False
    for step in vector("TV19_screen_hysteresis.json")["steps"]:
        deviation = float(step["dev"].rstrip("%"))
        price = round(1_000_000 * 4 ** (deviation / 10))
        out, _ = screens.gross_errors(
            row(price, *[1_000_000] * 4),
            row(*[20] * 5),
            np.array([[state] + [False] * 4]),
            RULES.gross,
        )
        state = bool(out[0, 0])
        assert ("OUT" if state else "IN") == step["state"], step


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        pytest.param([25, 25, 25, 15, 10], (True, False), id="exactly a quarter of the weight"),
        pytest.param([26, 24, 25, 15, 10], (False, True), id="just above: nobody is excluded"),
    ],
)
def test_more_than_a_quarter_out_is_a_segmented_market(
    weights: list[int], expected: tuple[bool, bool]
) -> None:
    assert gross(9000, False, weights) == expected


def test_a_dispersed_panel_excludes_nobody_not_even_those_already_out() -> None:
    out, dispersed = screens.gross_errors(
        row(9000, 9000, *[1000] * 3),
        row(*[20] * 5),
        np.array([[True] * 2 + [False] * 3]),
        RULES.gross,
    )
    assert dispersed.tolist() == [True]
    assert not out.any()


def test_panels_are_screened_apart() -> None:
    price = np.array([[9000, 10, 10, 10, 10], [10, 10, 10, 10, 9000]], np.int64)
    out, _ = screens.gross_errors(
        price, np.full((2, 5), 20), np.zeros((2, 5), np.bool_), RULES.gross
    )
    assert out.tolist() == [[True, False, False, False, False], [False, False, False, False, True]]


def test_one_seller_alone_has_no_others_to_differ_from() -> None:
    out, dispersed = screens.gross_errors(
        row(10**15, 0), row(10**8, 0), np.zeros((1, 2), np.bool_), RULES.gross
    )
    assert not out.any()
    assert not dispersed.any()


def test_the_median_of_the_others_leaves_oneself_out() -> None:
    # Equal weights. Without 1: 2, 3, 10 -> 3. Without 2: 1, 3, 10 -> 3. Without 3 or 10: 2.
    assert screens.median_of_others(row(1, 2, 3, 10), row(500, 500, 500, 500)).tolist() == [
        [6, 6, 4, 4]
    ]
    # Two others of equal weight average: without 4: (1 + 2) / 2.
    assert screens.median_of_others(row(1, 2, 4), row(500, 500, 500)).tolist() == [[6, 5, 3]]


def test_beyond_is_strict_and_blind_to_missing_prices() -> None:
    far = screens.beyond(row(4000, 4001, 0, 5), row(1000, 1000, 7, 0), Fraction(4))
    assert far.tolist() == [[False, True, False, False]]


@settings(max_examples=300, deadline=None)
@given(st.integers(min_value=1, max_value=10**15))
def test_logarithms_agree_with_another_library_to_a_millionth(nano: int) -> None:
    assert abs(screens.ln_micro(nano) - math.log(nano) * 10**6) <= 0.51


@pytest.mark.parametrize(
    ("nano", "expected"),
    [(1, 0), (2, 693_147), (10, 2_302_585), (10**9, 20_723_266), (10**15, 34_538_776)],
)
def test_logarithms_from_a_table(nano: int, expected: int) -> None:
    """ln 2 = 0.693 147 18, ln 10 = 2.302 585 09, times 9 and times 15."""
    assert screens.ln_micro(nano) == expected


@pytest.mark.parametrize("nano", [0, -1])
def test_only_positive_prices_have_a_logarithm(nano: int) -> None:
    with pytest.raises(ValueError, match="positive"):
        screens.ln_micro(nano)


@dataclass(frozen=True)
class Case:
    prices: list[int]
    flagged: list[int]


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(Case([100, 110, 120, 130, 140], []), id="an even spread has none"),
        # ln: 4.605, 4.615, 4.625, 4.635, 6.908. Median 4.625; deviations .020 .010 0 .010 2.283;
        # their median .010, times 1.4826 times 4 = .059.
        pytest.param(Case([100, 101, 102, 103, 1000], [4]), id="far above the others"),
        pytest.param(Case([10, 1000, 1010, 1020, 1030], [0]), id="far below the others"),
        pytest.param(Case([100, 100, 100, 100, 900], []), id="no spread at all flags nobody"),
        pytest.param(Case([100, 900], []), id="two sellers have no outlier"),
    ],
)
def test_outliers_stand_four_robust_deviations_out(case: Case) -> None:
    prices = np.array(case.prices, np.int64)
    flagged = screens.outliers(prices, np.ones(len(prices), np.bool_), RULES.gross)
    assert np.flatnonzero(flagged).tolist() == case.flagged


def test_outliers_are_sought_among_the_observed_only() -> None:
    prices = np.array([100, 101, 102, 103, 1000, 0], np.int64)
    observed = np.array([True, True, True, True, False, False])
    assert not screens.outliers(prices, observed, RULES.gross).any()
