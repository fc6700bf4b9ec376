"""One index day after another: hold, imputation, carry, and what never moves a value."""

from __future__ import annotations

import random
from fractions import Fraction

import numpy as np
import pytest
from panel_days import RULES, Panel
from vectors import vector

from methodology import determination as det
from methodology import waterfall
from methodology.estimators import MEDIAN, TRIM25

EQUAL = [1] * 6
QUIET = [1000] * 6
GONE = [0] * 6


def test_a_jump_is_held_one_day_and_then_confirmed() -> None:
    panel = Panel(EQUAL).day(QUIET).day([2000, *QUIET[1:]])
    assert panel.of(0) == ("HELD", "JUMP_UNCONFIRMED", 1000)
    assert (panel.level, panel.result.groups[0]) == ("REDUCED", 6)
    panel.day([2000, *QUIET[1:]], confirmed=[0])
    assert panel.of(0) == ("OBSERVED", "CONFIRMED_SAME_PATH", 2000)
    panel.day([2000, *QUIET[1:]])
    assert panel.of(0) == ("OBSERVED", "", 2000)


def test_a_jump_nobody_confirms_is_imputed_from_the_second_day() -> None:
    panel = Panel(EQUAL).day(QUIET)
    panel.day([2000, *QUIET[1:]]).day([2000, *[1050] * 5])
    assert panel.of(0) == ("IMPUTED", "JUMP_UNCONFIRMED", 1050)  # moved with the other five
    assert panel.result.groups[0] == 5
    panel.day([2000, *[1050] * 5])
    assert panel.of(0) == ("IMPUTED", "JUMP_UNCONFIRMED", 1050)
    panel.day([1050] * 6)
    assert panel.of(0) == ("OBSERVED", "", 1050)


def test_a_jump_that_goes_away_leaves_no_trace() -> None:
    panel = Panel(EQUAL).day(QUIET).day([2000, *QUIET[1:]]).day(QUIET)
    assert panel.of(0) == ("OBSERVED", "", 1000)
    panel.day([2000, *QUIET[1:]])
    assert panel.of(0) == ("HELD", "JUMP_UNCONFIRMED", 1000)  # held anew


def test_exactly_at_the_ratio_is_not_held() -> None:
    panel = Panel(EQUAL).day(QUIET).day([1600, *QUIET[1:]])
    assert panel.of(0) == ("OBSERVED", "", 1600)


def test_a_move_with_two_others_is_let_through() -> None:
    panel = Panel(EQUAL).day(QUIET).day([500, 900, 900, 1000, 1000, 1000])
    assert panel.of(0) == ("OBSERVED", "MOVED_WITH_CROWD", 500)
    # 1000 to 900 is a factor of 1.11; to 910, of 1.099: no crowd.
    panel = Panel(EQUAL).day(QUIET).day([500, 900, 910, 1000, 1000, 1000])
    assert panel.of(0) == ("HELD", "JUMP_UNCONFIRMED", 1000)


def test_an_output_price_below_half_the_input_price_is_held_even_if_confirmed() -> None:
    panel = Panel(EQUAL).day(QUIET).day([400, *QUIET[1:]], confirmed=[0], suspect=[0])
    assert panel.of(0) == ("HELD", "OUT_BELOW_HALF_IN", 1000)
    panel.day([400, *QUIET[1:]], confirmed=[0], suspect=[0])
    assert panel.of(0)[:2] == ("IMPUTED", "OUT_BELOW_HALF_IN")


def test_a_newcomer_without_a_past_is_not_held() -> None:
    panel = Panel(EQUAL).day([0, *QUIET[1:]])
    assert panel.of(0) == ("DROPPED", "NO_PRICE", 0)  # nothing to impute from
    assert not panel.result.panel_break[0]
    panel.day([2000, *QUIET[1:]])
    assert panel.of(0) == ("OBSERVED", "", 2000)


@pytest.mark.parametrize(
    ("silent", "status"), [(2, "HELD"), (3, "OBSERVED")], ids=["seen 72 h ago", "seen 96 h ago"]
)
def test_a_price_older_than_72_hours_is_nothing_to_compare_with(silent: int, status: str) -> None:
    panel = Panel(EQUAL).day(QUIET)
    for _ in range(silent):
        panel.day([0, *QUIET[1:]])
    panel.day([2000, *QUIET[1:]])
    assert panel.of(0)[0] == status


# --- imputation ----------------------------------------------------------------------------------

RELAXED = RULES.model_copy(
    update={
        "weights": RULES.weights.model_copy(update={"cap_floor": Fraction(1)}),
        "gross": RULES.gross.model_copy(update={"exclude_ratio": 1000}),
    }
)
"""No caps and no gross-error screen: the imputation vector is about nothing else."""


def test_an_exit_is_carried_by_the_movement_of_the_others() -> None:
    told = vector("spec_derived_SD01_exit_imputation.json")
    volumes = [round(w) for w in told["t0"]["w"]]
    nano = [
        [round((x or 0) * 10**9) for x in row] for row in (told["t0"]["x"], told["t1_observed"])
    ]
    panel = Panel(volumes, rules=RELAXED, estimator=TRIM25).day(nano[0])
    assert panel.value == Fraction(told["index_t0"]) * 10**9
    panel.day(nano[1])
    expected = Fraction(told["imputed_price"]) * 10**9
    assert panel.of(0) == ("IMPUTED", "NO_PRICE", int(expected + Fraction(1, 2)))
    assert panel.value == Fraction(told["index_t1"]) * 10**9


def test_all_missing_members_are_imputed_from_the_same_observed_ones() -> None:
    panel = Panel(EQUAL, estimator=MEDIAN).day([100, 200, 300, 400, 500, 600])
    # Observed: 300 and 400 and 500 to 330, 440, 550: their median goes from 400 to 440.
    panel.day([0, 0, 330, 440, 550, 0])
    assert [panel.of(n)[2] for n in range(6)] == [110, 220, 330, 440, 550, 660]
    assert panel.value == 385
    assert panel.result.groups[0] == 3


def test_an_imputed_price_is_the_base_of_the_next_one() -> None:
    panel = Panel(EQUAL).day(QUIET).day([0, *[1100] * 5]).day([0, *[1210] * 5])
    assert panel.of(0)[2] == 1210


def test_thirty_days_of_imputation_and_then_the_panel_breaks() -> None:
    panel = Panel([2, 1, 1, 1, 1, 1]).day(QUIET)
    weight = panel.result.used_weight[0].tolist()
    assert weight == [20_000_000, *[16_000_000] * 5]
    for _ in range(30):
        panel.day([0, *QUIET[1:]])
        assert panel.of(0)[0] == "IMPUTED"
        assert not panel.result.panel_break[0]
        assert panel.result.used_weight[0].tolist() == weight
    panel.day([0, *QUIET[1:]])
    assert panel.of(0) == ("DROPPED", "IMPUTED_TOO_LONG", 0)
    assert panel.result.panel_break[0]
    assert panel.result.used_weight[0].tolist() == [0, *[20_000_000] * 5]
    panel.day(QUIET)
    assert panel.of(0)[0] == "DROPPED"  # for good: until another vintage
    assert panel.result.panel_break[0]


def test_one_day_of_price_starts_the_thirty_days_again() -> None:
    panel = Panel(EQUAL).day(QUIET)
    for _ in range(30):
        panel.day([0, *QUIET[1:]])
    panel.day(QUIET)
    for _ in range(30):
        panel.day([0, *QUIET[1:]])
    assert panel.of(0)[0] == "IMPUTED"


# --- gross errors --------------------------------------------------------------------------------


def test_a_gross_error_is_imputed_not_dropped() -> None:
    panel = Panel(EQUAL).day(QUIET).day([5000, *[1100] * 5], confirmed=[0])
    assert panel.of(0) == ("IMPUTED", "GROSS_ERROR", 1100)
    assert panel.value == 1100
    assert panel.result.groups[0] == 5
    panel.day([3000, *[1100] * 5], confirmed=[0])
    assert panel.of(0)[:2] == ("IMPUTED", "GROSS_ERROR")  # not below half of the bound yet
    panel.day([2000, *[1100] * 5], confirmed=[0])
    assert panel.of(0) == ("OBSERVED", "CONFIRMED_SAME_PATH", 2000)


@pytest.mark.parametrize("covered", [True, False], ids=["a day without a price", "uncovered day"])
def test_silence_is_no_way_back_in_for_a_gross_error(covered: bool) -> None:
    panel = Panel(EQUAL).day([5000, *QUIET[1:]])
    assert panel.of(0)[:2] == ("DROPPED", "GROSS_ERROR")
    panel.day([0, *QUIET[1:]], covered=covered)
    panel.day([3000, *QUIET[1:]], confirmed=[0])
    assert panel.of(0)[1] == "GROSS_ERROR"
    panel.day([1900, *QUIET[1:]], confirmed=[0])
    assert panel.of(0)[0] == "OBSERVED"


def test_a_segmented_market_keeps_everybody_and_says_so() -> None:
    panel = Panel(EQUAL).day([9000, 9000, *QUIET[2:]])
    assert panel.result.dispersed[0]
    assert [panel.of(n)[0] for n in range(6)] == ["OBSERVED"] * 6


def test_a_seller_a_thousand_times_dearer_moves_nothing() -> None:
    volumes = [30, 20, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10]
    prices = [1000, 1010, 990, 1020, 980, 1030, 970, 1005, 995, 1015, 985, 1000]
    for culprit in range(len(prices)):
        quiet, loud = Panel(volumes).day(prices), Panel(volumes).day(prices)
        shouted = [p * 1000 if n == culprit else p for n, p in enumerate(prices)]
        loud.day(shouted)
        assert loud.of(culprit)[0] == "HELD"
        assert loud.value == quiet.day(prices).value
        loud.day(shouted, confirmed=[culprit])
        assert loud.of(culprit) == ("IMPUTED", "GROSS_ERROR", prices[culprit])
        assert loud.value == quiet.value


# --- waterfall -----------------------------------------------------------------------------------


def test_two_days_are_carried_and_the_third_has_no_fixing() -> None:
    panel = Panel(EQUAL).day(QUIET)
    levels = [panel.day(GONE).level for _ in range(5)]
    assert levels == ["CARRY", "CARRY", "NO_FIX", "NO_FIX", "NO_FIX"]
    assert panel.value is None
    assert panel.day(QUIET).level == "REDUCED"
    assert [panel.day(GONE).level for _ in range(3)] == ["CARRY", "CARRY", "NO_FIX"]


def test_too_few_today_count_with_those_seen_within_72_hours() -> None:
    panel = Panel(EQUAL).day(QUIET)
    levels = [panel.day([1000, 1000, 0, 0, 0, 0]).level for _ in range(7)]
    assert levels == [*["CARRIED_INPUT"] * 3, "CARRY", "CARRY", "NO_FIX", "NO_FIX"]


def test_a_first_day_without_prices_has_nothing_to_carry() -> None:
    assert Panel(EQUAL).day(GONE).level == "NO_FIX"


def test_an_uncovered_day_is_never_carried() -> None:
    panel = Panel(EQUAL).day(QUIET).day(QUIET, covered=False)
    assert panel.level == "NO_FIX"
    assert panel.result.groups[0] == 0
    assert panel.day(GONE).level == "NO_FIX"  # the last value is two days old: no chain of days
    assert panel.day(QUIET).level == "REDUCED"


@pytest.mark.parametrize(
    ("groups", "is_small", "expected"),
    [
        (5, False, "REDUCED"),
        (4, False, "NO_FIX"),
        (4, True, "REDUCED"),
        (3, True, "REDUCED"),
        (2, True, "NO_FIX"),
    ],
)
def test_small_panels_print_only_by_their_own_rule(
    groups: int, is_small: bool, expected: str
) -> None:
    panel = Panel([1] * groups, is_small=is_small)
    assert panel.day([1000] * groups).level == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, "FULL", id="all that is asked"),
        pytest.param({"groups": 9}, "REDUCED", id="nine groups"),
        pytest.param({"weight": 90, "fresh": 85, "evidenced": 90}, "FULL", id="each at its limit"),
        pytest.param({"weight": 80, "fresh": 80, "evidenced": 80}, "REDUCED", id="too little"),
        pytest.param({"weight": 79}, "REDUCED", id="weight below 80%"),
        pytest.param({"fresh": 84}, "REDUCED", id="fresh below 85%"),
        pytest.param({"evidenced": 89}, "REDUCED", id="evidence below 90%"),
        pytest.param({"is_capped": True}, "REDUCED", id="reference prints"),
        pytest.param({"groups": 5, "weight": 50}, "REDUCED", id="five groups and half the weight"),
        pytest.param({"groups": 5, "weight": 49}, "CARRIED_INPUT", id="less weight, but recent"),
        pytest.param({"groups": 4}, "CARRIED_INPUT", id="four groups, five recent"),
        pytest.param({"groups": 4, "recent": 4}, "NO_FIX", id="four groups, four recent"),
        pytest.param({"groups": 0, "weight": 0}, "NO_FIX", id="nobody today, all recent"),
        pytest.param({"groups": 4, "recent": 4, "is_small": True}, "REDUCED", id="small panel"),
        pytest.param(
            {"groups": 4, "weight": 49, "recent_weight": 49},
            "NO_FIX",
            id="recent weight below half",
        ),
    ],
)
def test_levels_follow_from_numbers_alone(changes: dict[str, int], expected: str) -> None:
    of = {
        "groups": 10,
        "weight": 100,
        "fresh": 100,
        "evidenced": 100,
        "recent": 10,
        "recent_weight": 100,
        "total": 100,
        "is_small": False,
        "is_capped": False,
    } | changes
    arrays = [np.array([v]) for v in of.values()]
    (level,) = waterfall.level_from_inputs(*arrays, RULES.waterfall)
    assert waterfall.LEVELS[level] == expected


def test_the_first_rules_took_shares_of_the_weight_that_counts() -> None:
    arrays = [np.array([v]) for v in (10, 80, 68, 72, 10, 80, 100, False, False)]
    (level,) = waterfall.level_from_inputs(*arrays, RULES.waterfall, is_of_vintage=False)
    assert waterfall.LEVELS[level] == "FULL"


def test_a_panel_that_does_not_exist_has_no_level() -> None:
    nothing = np.zeros(1, np.int64)
    no = np.zeros(1, np.bool_)
    (level,) = waterfall.level_from_inputs(*[nothing] * 7, no, no, RULES.waterfall)
    assert waterfall.LEVELS[level] == "NO_FIX"


def test_a_full_print_needs_ten_fresh_groups_of_good_evidence() -> None:
    panel = Panel([1] * 10, is_capped=False)
    assert panel.day([1000] * 10).level == "FULL"
    assert panel.day([1000] * 10, stale=[0, 1]).level == "REDUCED"
    assert panel.day([1000] * 10, mirrored=[0]).level == "FULL"
    assert panel.day([1000] * 10, mirrored=[0, 1]).level == "REDUCED"


RANK = {"FULL": 0, "REDUCED": 1, "CARRIED_INPUT": 2, "MODEL": 3, "CARRY": 4, "NO_FIX": 5}


def test_a_removed_input_never_raises_groups_weight_or_level() -> None:
    """Prices within 40% of one another, so that no screen stands between input and count."""
    rng = random.Random(20261120)
    for case in range(400):
        size = rng.randint(3, 14)
        volumes = [rng.randint(1, 9) for _ in range(size)]
        prices = [rng.choice((0, 1000, 1000, 1100, 1200, 1400)) for _ in range(size)]
        whole, less = Panel(volumes, is_capped=False), Panel(volumes, is_capped=False)
        first = [rng.choice((1000, 1000, 1100, 1200)) for _ in range(size)]
        whole.day(first)
        less.day(first)
        removed = rng.randrange(size)
        whole.day(prices)
        less.day([0 if n == removed else p for n, p in enumerate(prices)])
        told = f"seed 20261120, case {case}: {volumes} {first} {prices} without {removed}"
        assert less.result.groups[0] <= whole.result.groups[0], told
        assert less.result.weight[0] <= whole.result.weight[0], told
        assert RANK[less.level] >= RANK[whole.level], told


def test_the_state_given_is_not_changed() -> None:
    panel = Panel(EQUAL).day(QUIET)
    before = panel.state
    copies = {name: getattr(before, name).copy() for name in det.State.__dataclass_fields__}
    panel.day([0, 5000, 2000, *QUIET[3:]])
    for name, copy in copies.items():
        assert np.array_equal(getattr(before, name), copy), name


def test_leaving_one_out_gives_the_lowest_and_the_highest_rate() -> None:
    # Median of 100, 200, 300, 400 of equal weight: without 100 or 200 it is 300 ... by hand:
    # without 100: 300; without 200: 300; without 300: 200; without 400: 200.
    prices = np.array([100, 200, 300, 400, 0], np.int64)
    weights = np.array([1000, 1000, 1000, 1000, 1000], np.int64)
    found = det.leave_one_out(prices, weights, MEDIAN)
    assert found is not None
    assert [Fraction(*rate) for rate in found] == [200, 300]
    assert det.leave_one_out(prices[-2:], weights[-2:], MEDIAN) is None
