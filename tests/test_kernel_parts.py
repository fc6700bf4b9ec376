"""Weights and order statistics of many panels at once, each against the function for one panel."""

from __future__ import annotations

from fractions import Fraction
from math import isqrt

import numpy as np
import oracle
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from methodology import estimators, kernel, weights
from methodology.definition import load_methodology

RULES = load_methodology()
ONE = 10**8


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(st.integers(0, 10**15), st.integers(0, 31622776)), min_size=1))
@example([10**15, 10**15 - 1, 0, 1, 2, 3])
def test_roots_are_the_integer_roots(volumes: list[int]) -> None:
    squares = [v * v for v in volumes if v * v <= 10**15]
    below = [v - 1 for v in squares if v]
    drawn = [*volumes, *squares, *below]
    found = weights.root_volumes(np.array(drawn))
    assert found.tolist() == [isqrt(v * 10**12) for v in drawn]


@pytest.mark.parametrize("volume", [-1, 10**15 + 1])
def test_roots_outside_their_range_are_refused(volume: int) -> None:
    with pytest.raises(ValueError, match="0 to 1000000000000000"):
        weights.root_volumes(np.array([volume]))


@pytest.mark.parametrize("error", [-2, -1, 0, 1, 2])
def test_a_root_proposed_one_off_is_put_right(error: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another machine's square root may be off in its last place; two off would show here."""
    sqrt = np.sqrt
    monkeypatch.setattr(weights.np, "sqrt", lambda v: sqrt(v) + error / 10**6)
    drawn = [10**14 + 1, 7, 10**12, 123_456_789_012_345]
    found = weights.root_volumes(np.array(drawn)).tolist()
    assert (found == [isqrt(v * 10**12) for v in drawn]) == (abs(error) < 2)


PANELS = st.integers(1, 40).flatmap(
    lambda size: st.lists(
        st.lists(
            st.one_of(
                st.none(),
                st.integers(0, 3),
                st.integers(0, 10**6),
                st.integers(0, 10**15),
                st.integers(10**15, 10**17),
            ),
            min_size=size,
            max_size=size,
        ),
        min_size=1,
        max_size=4,
    )
)
CAPS = st.fractions(min_value=Fraction(1, 100), max_value=2, max_denominator=400)


@settings(max_examples=300, deadline=None)
@given(PANELS, CAPS, st.booleans())
@example([[None] * 3], Fraction(1, 20), True)
@example([[0, 0, None]], Fraction(1, 20), True)
@example([[1] * 30], Fraction(1, 20), False)
@example([[1] * 3 + [0] * 20], Fraction(1, 4), False)
@example([[10**15] * 12 + [1] * 12], Fraction(2, 25), False)
def test_weights_of_many_panels_are_those_of_each(
    panels: list[list[int | None]], cap: Fraction, rooted: bool
) -> None:
    """``None`` is somebody who is not there."""
    volumes = np.array([[v or 0 for v in panel] for panel in panels])
    present = np.array([[v is not None for v in panel] for panel in panels])
    count = np.full(len(panels), 1)
    caps = count * cap.numerator, count * cap.denominator
    found = weights.panel_weights_many(volumes, present, rooted=rooted, caps=caps)
    for panel, units in zip(panels, found.tolist(), strict=True):
        there = [v for v in panel if v is not None]
        expected: list[int] = []
        if there:
            base = [weights.root_volume(v) for v in there] if rooted else there
            expected = weights.publish_weights(weights.capped_shares(base, cap))
        assert [u for u, v in zip(units, panel, strict=True) if v is not None] == expected
        assert sum(units) == (ONE if there else 0)


@pytest.mark.parametrize("members", [1, 5, 9, 10, 14, 15, 24, 25, 60])
def test_caps_are_those_of_the_rulebook(members: int) -> None:
    """And the whole road is that of the oracle, which knows no arrays."""
    volumes = [(7 * one) ** 3 + one for one in range(members)]
    counted = sum(1 for v in volumes if v)
    cap = Fraction(1, 20) if members >= 25 else oracle.cap_of(max(1, counted))
    shape = np.array([members]), np.array([counted])
    top, bottom = kernel.caps(*shape, RULES)
    assert Fraction(int(top[0]), int(bottom[0])) == cap
    present = np.ones((1, members), bool)
    found = weights.panel_weights_many(
        np.array([volumes]), present, rooted=True, caps=(top, bottom)
    )
    known: list[int | None] = list(volumes) if any(volumes) else [None] * members
    assert found[0].tolist() == oracle.weights(known, rooted=True, cap=cap)


@pytest.mark.parametrize(
    ("volume", "cap", "message"),
    [
        (-1, (1, 20), "never negative"),
        (1, (0, 20), "a cap is"),
        (1, (1, 0), "a cap is"),
        (1, (1, 5000), "a cap is"),
    ],
)
def test_weights_refuse_what_is_no_panel(volume: int, cap: tuple[int, int], message: str) -> None:
    caps = np.array(cap[:1]), np.array(cap[1:])
    with pytest.raises(ValueError, match=message):
        weights.panel_weights_many(
            np.array([[volume, 3]]), np.ones((1, 2), bool), rooted=True, caps=caps
        )


def test_no_panels_have_no_weights() -> None:
    none = np.zeros((0, 5), np.int64)
    caps = np.zeros(0, np.int64), np.zeros(0, np.int64)
    found = weights.panel_weights_many(none, none > 0, rooted=True, caps=caps)
    assert found.shape == (0, 5)


def places_in_words(weight: list[int], n: int, d: int, slack: int) -> list[int]:
    """The rule of rulebook 7.4 read aloud: kept weights of one panel in order of price."""
    kept = [0] * len(weight)
    holders = [i for i, w in enumerate(weight) if w > 0]
    total, reached = sum(weight), 0
    for position, i in enumerate(holders):
        reached += weight[i]
        if abs(reached * d - total * n) <= slack * d:
            following = holders[position + 1 : position + 2]
            for one in [i, *(following or [i])]:
                kept[one] += 1
            return kept
        if reached * d > total * n:
            kept[i] = 2
            return kept
    return kept


SMALL = st.lists(st.integers(0, 4), min_size=1, max_size=9)
SHARES = st.sampled_from([(1, 100), (1, 4), (1, 2), (3, 4), (99, 100)])


@settings(max_examples=300, deadline=None)
@given(SMALL, SHARES, st.integers(0, 3))
@example([0, 0, 1, 0, 0, 1, 0], (1, 2), 0)
@example([0, 0], (1, 2), 2)
@example([0, 1], (1, 100), 1)
def test_a_quantile_is_held_by_whom_the_rule_names(
    weight: list[int], share: tuple[int, int], slack: int
) -> None:
    found = estimators.kept_at_quantile(np.array(weight), *share, slack)
    assert found.tolist() == places_in_words(weight, *share, slack)
    rows = np.array([weight, weight[::-1]])
    both = estimators.kept_at_quantile(rows, *share, np.array([slack, 0]))
    assert both[0].tolist() == found.tolist()
    assert both[1].tolist() == places_in_words(weight[::-1], *share, 0)


def test_a_quantile_of_nobody_has_no_place() -> None:
    first, second = estimators.places_at_quantile(np.zeros((2, 3), np.int64), 1, 2)
    assert first.tolist() == second.tolist() == [3, 3]
    assert estimators.kept_at_quantile(np.zeros((2, 0), np.int64), 1, 2).shape == (2, 0)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=40))
def test_what_lies_between_two_cuts_is_the_formula_of_the_rulebook(weight: list[int]) -> None:
    """k = max(0, min(d*b, (d-n)*W) - max(d*a, n*W)), with a trim of its own for each panel."""
    trims = [(1, 4), (2, 5)]
    n, d = (np.array([[trim[i]] for trim in trims]) for i in (0, 1))
    found = estimators.kept_trimmed(np.array([weight, weight]), (n, d))
    for units, (cut, of) in zip(found.tolist(), trims, strict=True):
        whole, a = sum(weight), 0
        for k, w in zip(units, weight, strict=True):
            b = a + w
            assert k == max(0, min(of * b, (of - cut) * whole) - max(of * a, cut * whole))
            a = b


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**8)), min_size=1, max_size=30))
def test_small_sums_are_the_exact_sums(rows: list[tuple[int, int]]) -> None:
    price, kept = np.array(rows).T[:, None, :]
    top, bottom = estimators.small_sums(price, kept)
    assert (top.tolist(), bottom.tolist()) == estimators.exact_sums(price, kept)


@pytest.mark.parametrize(
    ("price", "kept"), [(2**40, 2**22), (-1, 1), (1, -1)], ids=["wraps", "price", "weight"]
)
def test_small_sums_refuse_what_could_wrap(price: int, kept: int) -> None:
    with pytest.raises(OverflowError):
        estimators.small_sums(np.array([[price, 1]]), np.array([[kept, 1]]))


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, ONE)), min_size=1, max_size=30),
    st.sampled_from([1, 2**20, 2**40]),
)
def test_packed_sorting_keeps_equal_prices_in_order(rows: list[tuple[int, int]], unit: int) -> None:
    """With the widest prices there is no room to pack, and the plain road is taken."""
    price, weight = np.array(rows).T[:, None, :]
    _, by_price, by_weight = estimators.sort_panel(price * unit, weight)
    found = kernel._by_price(price * unit, weight)
    assert (found[0].tolist(), found[1].tolist()) == (by_price.tolist(), by_weight.tolist())


def test_a_share_proposed_one_unit_low_is_put_right() -> None:
    """19/95 is a fifth exactly; floats say 19,999,999 units and a bit."""
    assert int(19 * (ONE / 95)) == ONE // 5 - 1
    shares = np.array([[19, 19, 19, 19, 19], [94, 1, 0, 0, 0]])
    found = weights._publish_many(shares, np.array([95, 95]))
    assert found.tolist() == [[ONE // 5] * 5, [98_947_368, 1_052_632, 0, 0, 0]]
