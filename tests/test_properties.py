"""What holds for every day of a rate, whatever its prices.

``test_estimators.py`` has the properties of the estimators alone. Here a day goes through screens,
imputation, estimator and level; ``test_properties_series.py`` has series from observations on.
Where a property does not hold for the whole road, the exception is stated and tested beside it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import fields, replace
from fractions import Fraction
from typing import Any

import numpy as np
import oracle
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from panel_days import RULES, Panel

from methodology import determination as det
from methodology import waterfall
from methodology.estimators import MEDIAN, TRIM25, TRIM40

ORACLE = {MEDIAN: "median", TRIM25: "trim25", TRIM40: "trim40"}
GRID = (0, 1000, 1000, 1000, 1100, 1200, 1250, 1400, 1600, 1601, 2400, 4000, 4001, 9000)
"""Prices with ties, prices exactly at a screen's ratio and one beyond it, and none."""

sizes = st.integers(3, 12)
names = st.sampled_from([None, None, MEDIAN, TRIM25, TRIM40])


@st.composite
def histories(draw: st.DrawFn, grid: Sequence[int] = GRID, least: int = 1) -> dict[str, Any]:
    """A panel, and some days of prices with what is known of each."""
    size = draw(sizes)
    places = st.sets(st.integers(0, size - 1), max_size=size)
    row = st.lists(st.sampled_from(grid), min_size=size, max_size=size)
    days = st.fixed_dictionaries(
        {
            "prices": row,
            "confirmed": places,
            "suspect": st.one_of(st.just(set()), places),
            "stale": st.one_of(st.just(set()), places),
            "mirrored": st.one_of(st.just(set()), places),
            "covered": st.sampled_from([True] * 9 + [False]),
        }
    )
    return {
        "volumes": draw(st.lists(st.integers(1, 9), min_size=size, max_size=size)),
        "estimator": draw(names),
        "is_capped": draw(st.booleans()),
        "days": draw(st.lists(days, min_size=least, max_size=5)),
    }


def panel_of(history: dict[str, Any]) -> Panel:
    return Panel(history["volumes"], estimator=history["estimator"], is_capped=history["is_capped"])


def step(panel: Panel, day: dict[str, Any]) -> Panel:
    return panel.day(day["prices"], **{k: v for k, v in day.items() if k != "prices"})


def told(panel: Panel) -> dict[str, Any]:
    """Every figure of a day as bytes or numbers: equal means equal to the last bit."""
    made = {f.name: getattr(panel.result, f.name) for f in fields(panel.result)}
    left = {f.name: getattr(panel.state, f.name) for f in fields(panel.state)}
    return {
        name: (value.dtype.str, value.shape, value.tobytes())
        if isinstance(value, np.ndarray)
        else value
        for name, value in (made | left).items()
    }


# --- scale ---------------------------------------------------------------------------------------


@given(histories(), st.integers(1, 11))
def test_prices_times_a_power_of_ten_give_that_rate_exactly(
    history: dict[str, Any], k: int
) -> None:
    """Exact as long as nobody has been imputed: an imputed price is rounded to nano (8.4), and
    what is rounded does not scale. Every price stays inside the bound of arithmetic (3.4).
    """
    small, large = panel_of(history), panel_of(history)
    for day in history["days"]:
        step(small, day)
        step(large, day | {"prices": [p * 10**k for p in day["prices"]]})
        imputed = (small.result.price > 0) & (small.result.status == det.IMPUTED)
        if imputed.any():
            return
        assert large.level == small.level
        assert large.result.status.tolist() == small.result.status.tolist()
        assert large.result.kept.tolist() == small.result.kept.tolist()
        if small.value is not None:
            assert large.value == small.value * 10**k


def test_an_imputed_price_is_rounded_before_it_is_scaled() -> None:
    """2 nano moved by 1001/1000 stays 2; 2,000 becomes 2,002."""
    for scale, imputed in ((1, 2), (1000, 2002)):
        panel = Panel([1] * 5).day([2 * scale, *[2 * scale, *[1000 * scale] * 3]])
        panel.day([0, 2 * scale, *[1001 * scale] * 3])
        assert panel.of(0) == ("IMPUTED", "NO_PRICE", imputed)


def test_a_price_imputed_beyond_the_bound_of_arithmetic_is_refused() -> None:
    panel = Panel([1] * 6).day([9 * 10**14, *[3 * 10**14] * 5])
    with pytest.raises(OverflowError, match="beyond the exact range: 1200000000000000"):
        panel.day([0, *[4 * 10**14] * 5])


# --- order ---------------------------------------------------------------------------------------


@given(histories(), st.randoms(use_true_random=False))
def test_columns_in_another_order_change_no_figure_of_any_group(
    history: dict[str, Any], rng: random.Random
) -> None:
    """Groups keep their ids and weights; only the places of the arrays are others.

    Kept weights are left out: of two groups at one price the earlier column keeps first (7.1).
    """
    usual = panel_of(history)
    order = list(range(usual.size))
    rng.shuffle(order)
    state = det.State.empty(1, usual.size)
    for number, day in enumerate(history["days"], 1):
        step(usual, day)
        frozen = usual.frozen(day["covered"])
        mixed = replace(
            frozen, weight=frozen.weight[:, order], places=[np.argsort(np.array(order))]
        )

        def marks(chosen: set[int]) -> np.ndarray:
            return np.array([[n in chosen for n in order]])

        given_prices = det.Prices(
            np.array([day["prices"]], np.int64)[:, order],
            marks(day["confirmed"]),
            marks(day["suspect"]),
            ~marks(day["stale"]),
            ~marks(day["mirrored"]),
        )
        result, state = det.determine(number, given_prices, mixed, state, RULES)
        one = usual.result
        for name in ("level", "groups", "weight", "fresh", "evidenced", "dispersed", "panel_break"):
            assert getattr(result, name).tolist() == getattr(one, name).tolist(), name
        for name in ("price", "used_weight", "status", "reason"):
            assert (getattr(result, name) == getattr(one, name)[:, order]).all(), name
        assert (result.numerator, result.denominator) == (one.numerator, one.denominator)


# --- the same again ------------------------------------------------------------------------------


@given(histories())
def test_the_same_day_from_the_same_state_gives_the_same_bytes(history: dict[str, Any]) -> None:
    panel, again = panel_of(history), panel_of(history)
    for day in history["days"]:
        before = {f.name: getattr(panel.state, f.name).copy() for f in fields(det.State)}
        again.state, again.today = panel.state, panel.today
        first = told(step(panel, day))
        assert told(step(again, day)) == first
        # The state given is not written to, or a second determination would differ.
        again.state, again.today = det.State(**before), panel.today - 1
        assert told(step(again, day)) == first


# --- where a rate lies ---------------------------------------------------------------------------


@given(histories())
def test_a_rate_lies_among_the_prices_that_stood(history: dict[str, Any]) -> None:
    panel = panel_of(history)
    for day in history["days"]:
        step(panel, day)
        stood = panel.result.price[(panel.result.used_weight > 0) & (panel.result.price > 0)]
        if panel.value is not None:
            assert stood.min() <= panel.value <= stood.max()


@given(histories(grid=(1000, 1100, 1200, 1400, 1590), least=1), st.data())
def test_one_group_moves_the_day_no_further_than_its_neighbours(
    history: dict[str, Any], data: st.DataObject
) -> None:
    """Any price of one group, one nano or a million, screened or not: the rate stays between what
    the oracle finds with that group below all others and above all others.

    Its weight is less than what is cut from a tail (for the median: less than half), else the
    group decides alone.
    """
    panel = panel_of(history)
    prices = history["days"][0]["prices"]
    mine = data.draw(st.integers(0, panel.size - 1))
    weights, name = list(panel.vintage.weights), panel.vintage.estimator
    cut = {MEDIAN: Fraction(1, 2), TRIM25: Fraction(1, 4), TRIM40: Fraction(2, 5)}[name]
    assume(weights[mine] + 2 * panel.size < cut * 10**8)
    others = [p for n, p in enumerate(prices) if n != mine]

    def at(price: int) -> Fraction:
        moved = [price if n == mine else p for n, p in enumerate(prices)]
        return Fraction(*oracle.value_parts(moved, weights, ORACLE[name]))

    low, high = at(1), at(10**15)
    assert min(others) <= low <= high <= max(others)
    assert (low, high) == (at(min(others)), at(max(others)))  # beyond them nothing is gained
    panel.day(prices)
    assume(panel.value is not None)
    new = data.draw(st.one_of(st.integers(1, 10**15), st.integers(1, 8000)))
    panel.day([new if n == mine else p for n, p in enumerate(prices)], confirmed=[mine])
    assert panel.value is not None
    assert low <= panel.value <= high


# --- monotone, and where not ---------------------------------------------------------------------


@given(histories(grid=(1000, 1000, 1100, 1200, 1400, 1590)), st.data())
def test_a_higher_price_never_lowers_a_day_on_which_no_screen_acts(
    history: dict[str, Any], data: st.DataObject
) -> None:
    """Everybody stands at an observed price on both sides: the whole day is monotone then."""
    day = history["days"][0]["prices"]
    mine = data.draw(st.integers(0, len(day) - 1))
    higher = [p + data.draw(st.integers(0, 900)) if n == mine else p for n, p in enumerate(day)]
    less, more = panel_of(history).day(day), panel_of(history).day(higher)
    for panel in (less, more):
        assume((panel.result.status == det.OBSERVED).all() and panel.value is not None)
    assert less.value is not None
    assert more.value is not None
    assert more.value >= less.value


@pytest.mark.parametrize(
    ("before", "lower", "higher", "reason", "falls"),
    [
        # 1600 is exactly the jump ratio and stands; a nano more is held at 1000 of the day before.
        pytest.param(
            [1000, 1000, 1300, 1600, 1700], [1600, 1000, 1500, 1600, 1700],
            [1601, 1000, 1500, 1600, 1700], "JUMP_UNCONFIRMED", (1600, 1500), id="held",
        ),
        # Four times the others' median stands; more is a gross error: moved with the others.
        pytest.param(
            [1000, 1000, 1000, 1300, 1300], [4000, 1000, 1000, 1300, 1300],
            [5300, 1000, 1000, 1300, 1300], "GROSS_ERROR", (1300, 1000), id="excluded",
        ),
    ],
)  # fmt: skip
def test_a_screen_is_where_a_higher_price_can_lower_the_value(
    before: list[int], lower: list[int], higher: list[int], reason: str, falls: tuple[int, int]
) -> None:
    """The documented exception: beyond a screen a price no longer speaks, so the value steps back
    to what the others and the past say. That is what a screen is for.
    """
    confirmed = [0] if reason == "GROSS_ERROR" else []
    found = []
    for today, (place, said) in ((lower, (0, "OBSERVED")), (higher, (1, reason))):
        panel = Panel([1] * 5).day(before).day(today, confirmed=confirmed)
        assert panel.of(0)[place] == said
        found.append(panel.value)
    assert tuple(found) == falls


# --- inputs taken away ---------------------------------------------------------------------------

CLOSE = (1000, 1000, 1100, 1200, 1400, 1590)
"""Within a factor of 1.6: no gross error, so nobody's verdict hangs on who else is there."""


@given(histories(grid=CLOSE), st.data())
def test_an_input_taken_away_raises_no_count_no_weight_and_no_level(
    history: dict[str, Any], data: st.DataObject
) -> None:
    """N, W, fresh and evidenced weight never rise, and the level does not, whatever goes. What a
    screen says of the others may change with it: that exception stands below.
    """
    whole, less = panel_of(history), panel_of(history)
    *past, last = history["days"]
    for day in past:
        step(whole, day)
        step(less, day)
    gone = data.draw(st.integers(0, whole.size - 1))
    step(whole, last)
    step(less, last | {"prices": [0 if n == gone else p for n, p in enumerate(last["prices"])]})
    for name in ("groups", "weight", "fresh", "evidenced"):
        assert getattr(less.result, name)[0] <= getattr(whole.result, name)[0], name
    assert less.result.level[0] >= whole.result.level[0]


@pytest.mark.parametrize("marked", ["stale", "mirrored"])
def test_a_print_does_not_become_full_because_a_stale_or_mirrored_input_goes(marked: str) -> None:
    """Fresh and evidenced are shares of the vintage's weight (10.2): of 12 equal groups 2 stale
    leave 10/12 < 17/20, and without one of them still 10/12. Of the weight that counts it would
    be 10/11 > 17/20. The same for evidence.
    """
    panel, less = (Panel([1] * 12, is_capped=False) for _ in range(2))
    assert panel.day([1000] * 12, **{marked: [0, 1]}).level == "REDUCED"
    assert less.day([0, *[1000] * 11], **{marked: [0, 1]}).level == "REDUCED"
    assert less.result.groups[0] == panel.result.groups[0] - 1


def test_without_one_input_errors_can_count_again_but_never_lift_the_print() -> None:
    """The documented exception: three of twelve are exactly a quarter of the weight and are out;
    three of eleven are more, so nobody is (6.3) and N rises from 9 to 11. The day is flagged, and
    a dispersed day is not FULL (10.1).
    """
    prices = [1000] * 9 + [4500] * 3
    whole, less = (Panel([1] * 12, is_capped=False) for _ in range(2))
    whole.day(prices)
    assert (whole.result.groups[0], whole.level) == (9, "REDUCED")
    less.day([0, *prices[1:]])
    assert (less.result.groups[0], less.level) == (11, "REDUCED")
    assert [bool(panel.result.dispersed[0]) for panel in (whole, less)] == [False, True]


@given(
    st.integers(0, 12), st.integers(0, 10**8), st.integers(0, 10**8), st.integers(0, 10**8),
    st.integers(0, 10**7), st.booleans(), st.booleans(),
)  # fmt: skip
def test_the_waterfall_never_rises_when_a_fresh_and_evidenced_weight_goes(
    groups: int, weight: int, stale: int, mirrored: int, part: int, small: bool, capped: bool
) -> None:
    assume(groups > 0 and part <= weight - max(stale, mirrored))

    def level(n: int, less: int) -> int:
        column = [np.array([x]) for x in (n, weight - less, weight - stale - less)]
        column += [np.array([x]) for x in (weight - mirrored - less, groups, weight, 10**8)]
        flags = np.array([small]), np.array([capped])
        return int(waterfall.level_from_inputs(*column, *flags, RULES.waterfall)[0])

    assert level(groups - 1, part) >= level(groups, 0)
