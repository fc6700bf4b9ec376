"""Properties of resistance: brute force on small panels, exact bounds, who owns what is one."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from methodology import manipulation
from methodology import resistance as power
from methodology.determination import leave_one_out
from methodology.estimators import MEDIAN, TRIM25, TRIM40
from methodology.resistance import Panel
from methodology.weights import publish_weights
from tests.test_resistance import TRIMS, value

ESTIMATORS = st.sampled_from([MEDIAN, TRIM25, TRIM40])


@st.composite
def panels(draw: st.DrawFn, largest: int = 30, least: int = 1, most: int = 9) -> Panel:
    """Small panels with prices from a coarse grid, so that ties happen."""
    count = draw(st.integers(least, most))
    prices = draw(st.lists(st.integers(1, largest), min_size=count, max_size=count))
    parts = draw(st.lists(st.integers(1, 8), min_size=count, max_size=count))
    weights = publish_weights([Fraction(p, sum(parts)) for p in parts])
    groups = tuple(f"g{n}" for n in range(count))
    return Panel(groups, tuple(prices), tuple(weights), draw(ESTIMATORS))


def at(mine: Panel, member: int, price: int) -> Fraction:
    prices = [*mine.prices[:member], price, *mine.prices[member + 1 :]]
    return value(prices, list(mine.weights), mine.estimator)


@given(panels(), st.data())
def test_pieces_give_the_rate_at_every_own_price(mine: Panel, data: st.DataObject) -> None:
    member = data.draw(st.integers(0, len(mine.groups) - 1))
    price = data.draw(st.integers(1, 60))
    inside = [
        piece.at(price)
        for piece in power.pieces(mine, member)
        if piece.low <= price and (piece.high is None or price <= piece.high)
    ]
    assert at(mine, member, price) in inside


@given(panels(), st.integers(1, 60), st.data())
def test_no_own_price_leaves_the_reach(mine: Panel, price: int, data: st.DataObject) -> None:
    member = data.draw(st.integers(0, len(mine.groups) - 1))
    reach = power.any_price(mine, member)
    reached = at(mine, member, price)
    assert reach.low <= reached
    assert reach.high is None or reached <= reach.high
    assert power.together(mine, [member]) == reach


@given(panels(least=2), st.data())
def test_one_move_is_bounded_by_the_neighbours_at_the_trims(
    mine: Panel, data: st.DataObject
) -> None:
    """From zero to infinity a price of weight w moves a trimmed mean by the difference of two
    slices of w of the others' prices: the one below the upper trim and the one below the lower.
    """
    assume(mine.estimator != MEDIAN)
    member = data.draw(st.integers(0, len(mine.groups) - 1))
    trim, whole = TRIMS[mine.estimator], sum(mine.weights)
    own = mine.weights[member]
    assume(own <= trim * whole)
    others = sorted(
        (p, w) for g, (p, w) in enumerate(zip(mine.prices, mine.weights)) if g != member
    )

    def slice_of(start: Fraction, end: Fraction) -> Fraction:
        reached, total = 0, Fraction(0)
        for p, w in others:
            first, last = max(start, Fraction(reached)), min(end, Fraction(reached + w))
            total += p * max(Fraction(0), last - first)
            reached += w
        return total

    upper, lower = (1 - trim) * whole, trim * whole
    bound = (slice_of(upper - own, upper) - slice_of(lower - own, lower)) / (upper - lower)
    reach = power.any_price(mine, member)
    assert reach.high is not None
    assert reach.high - reach.low == bound


@given(panels(least=2), st.integers(1, 400), st.booleans(), st.data())
def test_nearest_price_is_the_first_that_a_search_finds(
    mine: Panel, basis_points: int, up: bool, data: st.DataObject
) -> None:
    member = data.draw(st.integers(0, len(mine.groups) - 1))
    target = Fraction(basis_points if up else -basis_points, 1000)
    goal = power.rate(mine) * (1 + target)
    start = mine.prices[member]
    road = range(start, 400) if up else range(start, 0, -1)
    first = next(
        (p for p in road if (at(mine, member, p) >= goal if up else at(mine, member, p) <= goal)),
        None,
    )
    found = manipulation.nearest_price(mine, member, target)
    assert found == first or (first is None and found is not None and found >= 400)


@given(panels(least=2), st.integers(2, 5), st.data())
def test_an_owner_in_many_pieces_has_the_same_power(
    mine: Panel, count: int, data: st.DataObject
) -> None:
    assume(mine.estimator != MEDIAN)  # a median's slack grows with the members it counts
    member = data.draw(st.integers(0, len(mine.groups) - 1))
    own = mine.weights[member]
    parts = [own // count] * (count - 1) + [own - own // count * (count - 1)]
    many = Panel(
        (*mine.groups, *(f"z{n}" for n in range(count - 1))),
        (*mine.prices, *[mine.prices[member]] * (count - 1)),
        (*mine.weights[:member], parts[0], *mine.weights[member + 1 :], *parts[1:]),
        mine.estimator,
    )
    places = [member, *range(len(mine.groups), len(many.groups))]
    assert power.rate(many) == power.rate(mine)
    assert power.together(many, places) == power.any_price(mine, member)


@given(panels(largest=10**6, least=2))
def test_left_out_agrees_with_the_band_beside_a_value(mine: Panel) -> None:
    base = power.rate(mine)
    found = [power.leave_out_change(mine, g) for g in range(len(mine.groups))]
    values = sorted(base * (1 + change) for change in found if change is not None)
    band = leave_one_out(
        np.array(mine.prices, np.int64), np.array(mine.weights, np.int64), mine.estimator
    )
    assert band is not None
    assert [Fraction(*band[0]), Fraction(*band[1])] == [values[0], values[-1]]


@given(panels())
def test_search_and_theory_agree_on_the_breakdown_point(mine: Panel) -> None:
    assert power.breakdown(mine).groups == power.groups_by_theory(mine)


@given(panels(least=2), st.integers(2, 1000))
def test_a_currency_changes_nothing(mine: Panel, rate: int) -> None:
    other = replace(mine, prices=tuple(p * rate for p in mine.prices))
    for g in range(len(mine.groups)):
        assert power.own_change(other, g, Fraction(1, 10)) == power.own_change(
            mine, g, Fraction(1, 10)
        )
        assert power.leave_out_change(other, g) == power.leave_out_change(mine, g)
