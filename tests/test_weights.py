"""Volumes to published weights: vector, hand figures, properties."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vectors import vector

from methodology import panels, weights
from methodology.definition import load_methodology
from methodology.estimators import MEDIAN, TRIM25, TRIM40

RULES = load_methodology()


def test_capping_spreads_the_excess_in_proportion() -> None:
    told = vector("TV07_capping.json")
    for case in told["cases"]:
        shares = weights.capped_shares(case["w"], Fraction(str(case["c"])))
        assert sum(shares) == 1, case["id"]
        for ours, expected in zip(shares, case["expected"], strict=True):
            assert abs(float(ours) - expected) <= told["tolerance_abs"], case["id"]
        effective = 1 / sum(s * s for s in shares)
        assert float(effective) == pytest.approx(case["eff_n"], rel=1e-9), case["id"]


@pytest.mark.parametrize(
    ("volumes", "cap", "expected"),
    [
        pytest.param([7], "0.08", ["1"], id="one member has everything"),
        pytest.param([9, 1], "0.08", ["1/2", "1/2"], id="a cap that cannot hold: equal"),
        pytest.param([3, 1], "0.5", ["1/2", "1/2"], id="a cap that just holds"),
        pytest.param([60, 40], "0.6", ["3/5", "2/5"], id="exactly at the cap is not above it"),
        pytest.param([0, 0, 0], "0.5", ["1/3", "1/3", "1/3"], id="no volume at all: equal"),
        pytest.param([8, 0, 1, 1], "0.5", ["1/2", "0", "1/4", "1/4"], id="no volume, no weight"),
        # 70 of 100 cut to 40; the rest shares 60 as 20:10 = 40:20. Nobody is above 40.
        pytest.param([70, 20, 10], "0.4", ["2/5", "2/5", "1/5"], id="the second just reaches it"),
        # 50 cut to 30, the rest shares 70 as 30:15:5 = 42:21:7; 42 cut too: 40 as 15:5.
        pytest.param([50, 30, 15, 5], "0.3", ["3/10"] * 3 + ["1/10"], id="the cap cascades"),
    ],
)
def test_capped_shares_by_hand(volumes: list[int], cap: str, expected: list[str]) -> None:
    assert weights.capped_shares(volumes, Fraction(cap)) == [Fraction(e) for e in expected]


@pytest.mark.parametrize(
    ("volumes", "cap"), [([], "0.5"), ([1, -1], "0.5"), ([1], "0"), ([1], "-1")]
)
def test_impossible_panels_are_refused(volumes: list[int], cap: str) -> None:
    with pytest.raises(ValueError, match="capped_shares needs"):
        weights.capped_shares(volumes, Fraction(cap))


@pytest.mark.parametrize(
    ("members", "expected"),
    [(1, "1.2"), (5, "0.24"), (10, "0.12"), (15, "0.08"), (16, "0.08"), (60, "0.08")],
)
def test_the_cap_falls_with_the_panel_to_its_floor(members: int, expected: str) -> None:
    limits = RULES.weights
    assert weights.cap_for(members, limits.cap_floor, limits.cap_numerator) == Fraction(expected)


@pytest.mark.parametrize(
    ("volume", "root"),
    [(0, 0), (1, 10**6), (2, 1_414_213), (3, 1_732_050), (10**15, 31_622_776_601_683)],
)
def test_roots_are_cut_to_millionths(volume: int, root: int) -> None:
    """Square roots of 2 and 3 from any table: 1.414 213 56, 1.732 050 80; of 10**15: 10**7.5."""
    assert weights.root_volume(volume) == root


def test_a_volume_is_never_negative() -> None:
    with pytest.raises(ValueError, match="never negative"):
        weights.root_volume(-1)


@pytest.mark.parametrize(
    ("volumes", "filled"),
    [
        ([None, None], [1, 1]),
        ([None, 8], [8, 8]),
        ([9, None, 3], [9, 3, 3]),
        ([4, 3, None, 2, 1], [4, 3, 1, 2, 1]),
        ([5, 4, 3, 2, 1, None], [5, 4, 3, 2, 1, 2]),
        ([0, None, 4], [0, 0, 4]),
    ],
    ids=[
        "nobody known: all equal",
        "one known",
        "the lower of two",
        "a quarter of four is the lowest",
        "a quarter of five is the second lowest",
        "a zero is known",
    ],
)
def test_unknown_volumes_take_the_lower_quartile(
    volumes: list[int | None], filled: list[int]
) -> None:
    assert weights.fill_unknown(volumes) == filled


@pytest.mark.parametrize(
    ("shares", "units"),
    [
        (["1/3", "1/3", "1/3"], [33_333_334, 33_333_333, 33_333_333]),
        (["1/2", "1/2"], [50_000_000, 50_000_000]),
        # 1/7 = 14,285,714.29; 2/7 = 28,571,428.57; 4/7 = 57,142,857.14: the second is owed most.
        (["1/7", "2/7", "4/7"], [14_285_714, 28_571_429, 57_142_857]),
        (["0", "1"], [0, 10**8]),
    ],
)
def test_largest_remainders_get_the_missing_units(shares: list[str], units: list[int]) -> None:
    assert weights.publish_weights([Fraction(s) for s in shares]) == units


def test_shares_that_do_not_sum_to_one_are_refused() -> None:
    with pytest.raises(ValueError, match="not 1"):
        weights.publish_weights([Fraction(1, 2), Fraction(1, 3)])


def test_equal_weights_where_no_volume_counts() -> None:
    assert panels.weights_for([None] * 6, "V4", MEDIAN, RULES) == (
        *[16_666_667] * 4,
        *[16_666_666] * 2,
    )


def test_router_volumes_are_rooted_and_attested_ones_are_not() -> None:
    volumes = [4 * 10**6, 10**6, 10**6, 10**6, 10**6]
    # Rooted 2:1:1:1:1 = one third, cut to 24%; 76% over four. Not rooted: one half, cut alike.
    assert panels.weights_for(volumes, "V2", MEDIAN, RULES) == (24_000_000, *[19_000_000] * 4)
    volumes = [121 * 10**4] + [100 * 10**4] * 9
    # 11/101 = 10,891,089.109 units, 10/101 = 9,900,990.099: the one missing unit goes to the first.
    rooted = panels.weights_for(volumes, "V3", TRIM25, RULES)
    assert rooted == (10_891_090, *[9_900_990] * 9)
    # 121/1021 = 11,851,126.35 units, 100/1021 = 9,794,319.29: three are missing.
    attested = panels.weights_for(volumes, "V1", TRIM25, RULES)
    assert attested == (11_851_127, *[9_794_320] * 2, *[9_794_319] * 7)


def test_the_largest_panels_have_the_lowest_cap() -> None:
    volumes = [10**9] + [10**6] * 29
    assert panels.weights_for(volumes, "V1", TRIM40, RULES)[0] == 5_000_000
    assert panels.weights_for(volumes, "V1", TRIM25, RULES)[0] == 8_000_000


@pytest.mark.parametrize(
    ("members", "estimator"),
    [(3, MEDIAN), (5, MEDIAN), (9, MEDIAN), (10, TRIM25), (24, TRIM25), (25, TRIM40), (60, TRIM40)],
)
def test_the_panel_size_chooses_the_estimator(members: int, estimator: str) -> None:
    assert panels.estimator_for(members, RULES) == estimator


VOLUMES = st.lists(
    st.one_of(st.integers(0, 3), st.integers(0, 10**15), st.integers(1, 9).map(lambda n: 10**n)),
    min_size=1,
    max_size=60,
)
CAPS = st.fractions(min_value=Fraction(1, 100), max_value=1, max_denominator=1000)


@settings(max_examples=150, deadline=None)
@given(VOLUMES, CAPS)
def test_shares_sum_to_one_and_stay_under_a_cap_that_can_hold(
    volumes: list[int], cap: Fraction
) -> None:
    shares = weights.capped_shares(volumes, cap)
    assert sum(shares) == 1
    positive = sum(1 for v in volumes if v > 0) or len(volumes)
    if cap * positive >= 1:
        assert max(shares) <= cap
    else:
        assert {s for s in shares if s} == {Fraction(1, positive)}


@settings(max_examples=150, deadline=None)
@given(VOLUMES, CAPS)
def test_published_weights_sum_to_exactly_one_and_miss_by_less_than_a_unit(
    volumes: list[int], cap: Fraction
) -> None:
    shares = weights.capped_shares(volumes, cap)
    units = weights.publish_weights(shares)
    assert sum(units) == 10**8
    assert all(abs(u - s * 10**8) < 1 for u, s in zip(units, shares, strict=True))


@settings(max_examples=100, deadline=None)
@given(VOLUMES, CAPS)
def test_a_larger_volume_never_has_the_smaller_share(volumes: list[int], cap: Fraction) -> None:
    shares = weights.capped_shares(volumes, cap)
    ranked = sorted(zip(volumes, shares, strict=True))
    assert [s for _, s in ranked] == sorted(shares)


@settings(max_examples=100, deadline=None)
@given(VOLUMES, CAPS, st.integers(min_value=2, max_value=1000))
def test_the_unit_of_volume_changes_nothing(volumes: list[int], cap: Fraction, k: int) -> None:
    scaled = [v * k for v in volumes]
    assert weights.capped_shares(scaled, cap) == weights.capped_shares(volumes, cap)
