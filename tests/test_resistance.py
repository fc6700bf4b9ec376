"""How far sellers can move a value: vector TV16 and panels worked by hand."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction

import pytest

from methodology import manipulation
from methodology import resistance as power
from methodology.estimators import MEDIAN, TRIM25, TRIM40
from methodology.resistance import Panel, Reach
from methodology.weights import capped_shares, publish_weights
from tests import oracle
from tests.bundled_history import nano
from tests.vectors import vector

TRIMS = {TRIM25: Fraction(1, 4), TRIM40: Fraction(2, 5)}
NAMES = {MEDIAN: "median", TRIM25: "trim25", TRIM40: "trim40"}


def panel(prices: list[str], weights: list[int], estimator: str) -> Panel:
    groups = tuple(f"g{n:02d}" for n in range(len(prices)))
    return Panel(groups, tuple(map(nano, prices)), tuple(weights), estimator)


def equal(prices: list[str], estimator: str) -> Panel:
    return panel(prices, publish_weights([Fraction(1, len(prices))] * len(prices)), estimator)


def value(prices: list[int], weights: list[int], estimator: str) -> Fraction:
    """The rate by the arithmetic of the oracle, which shares no line with the code."""
    return Fraction(*oracle.value_parts(prices, weights, NAMES[estimator]))


# --- vector TV16 ---------------------------------------------------------------------------------


def to_infinity(mine: Panel, member: int) -> Fraction | None:
    high = power.any_price(mine, member).high
    return None if high is None else high / power.rate(mine) - 1


ROWS: dict[str, Callable[[Panel, int], Fraction | None]] = {
    "own_plus_10pct": lambda p, i: power.own_change(p, i, Fraction(1, 10)),
    "own_minus_10pct": lambda p, i: power.own_change(p, i, Fraction(-1, 10)),
    "leave_one_out": power.leave_out_change,
    "own_to_plus_infinity": to_infinity,
    "own_to_zero": lambda p, i: power.any_price(p, i).low / power.rate(p) - 1,
}


@pytest.mark.parametrize("row", sorted(ROWS))
def test_influence_is_that_of_two_other_programs(row: str) -> None:
    told = vector("TV16_influence.json")
    mine = panel([str(x) for x in told["x"]], [w * 10**6 for w in told["w"]], TRIM25)
    assert power.rate(mine) == nano(str(told["base"]))
    for place, expected in enumerate(told["relative_change"][row]):
        found = ROWS[row](mine, place)
        assert found is not None
        assert float(found) == pytest.approx(expected, rel=told["tolerance_rel"], abs=1e-15)


# --- by hand: the two panels of chapter 15 -------------------------------------------------------

FIVE = panel(
    ["2.10", "2.40", "1.99", "2.79", "3.50"],
    [24_000_000, 24_000_000, 24_000_000, 14_000_000, 14_000_000],
    MEDIAN,
)
ASH, BIRCH, CEDAR, ELM, FIR = range(5)

TEN = equal(
    ["0.10", "0.20", "0.24", "0.25", "0.27", "0.28", "0.30", "0.38", "0.60", "0.90"], TRIM25
)


@pytest.mark.parametrize(
    ("member", "low", "high"),
    [
        # birch .24, cedar .48, ash .72; and cedar .24, ash .48, elm .62
        pytest.param(BIRCH, "2.10", "2.79", id="the median itself moves to either neighbour"),
        # ash .24, birch .48, elm .62; at 0 the order stays
        pytest.param(CEDAR, "2.40", "2.79", id="a price below can only lift the median"),
        pytest.param(ASH, "2.40", "2.79", id="the other price below too"),
        # fir .14, cedar .38, ash .62
        pytest.param(FIR, "2.10", "2.40", id="a price above can only lower it"),
    ],
)
def test_any_price_in_a_median_of_five(member: int, low: str, high: str) -> None:
    assert power.any_price(FIVE, member) == Reach(Fraction(nano(low)), Fraction(nano(high)))


@pytest.mark.parametrize(
    ("member", "up", "down"),
    [
        pytest.param(BIRCH, "2.424", "2.376", id="the median moves by its own move"),
        pytest.param(CEDAR, "2.424", None, id="from below it must pass the median"),
        pytest.param(ELM, None, "2.376", id="from above it must come down below it"),
        pytest.param(FIR, None, "2.376", id="the farthest must come as far"),
    ],
)
def test_nearest_price_for_one_percent_of_a_median(
    member: int, up: str | None, down: str | None
) -> None:
    for told, target in ((up, Fraction(1, 100)), (down, Fraction(-1, 100))):
        assert manipulation.nearest_price(FIVE, member, target) == (nano(told) if told else None)


def test_own_moves_of_a_median_pass_in_full_until_the_next_price() -> None:
    tenth = Fraction(1, 10)
    assert power.own_change(FIVE, BIRCH, tenth) == tenth  # 2.64 is below elm's 2.79
    assert power.own_change(FIVE, BIRCH, -tenth) == -tenth  # 2.16 is above ash's 2.10
    assert power.own_change(FIVE, BIRCH, Fraction(1, 5)) == Fraction(279, 240) - 1
    assert power.own_change(FIVE, CEDAR, tenth) == 0
    # Left out, half of the other .76 is .38: cedar .24, ash .48.
    assert power.leave_out_change(FIVE, BIRCH) == Fraction(210, 240) - 1


def test_worst_cases_of_a_median_of_five() -> None:
    # Two of the three heaviest at infinity: the third .24, elm .38, fir .52.
    pair, reach = power.worst_pair(FIVE, 4) or ((0, 0), Reach(Fraction(0), None))
    assert (pair, reach.high) == ((ASH, BIRCH), Fraction(nano("3.50")))
    assert power.largest_groups(FIVE, 4) == [0, 1, 2, 3, 4]  # elm and fir are equally heavy
    assert power.largest_groups(FIVE, 2) == [0, 1, 2]
    # ln(2.79/2.40) = ln 1.1625 = 0.150573 by a table of logarithms.
    assert power.largest_ln(power.rate(FIVE), power.any_price(FIVE, BIRCH)) == 150573


def test_any_price_in_a_trimmed_mean_of_ten() -> None:
    base = power.rate(TEN)
    assert base == nano("0.282")
    # The last at 0: (.2*.20 + .4*(.24+.25+.27+.28) + .2*.30)/2 = .516/2.
    assert power.any_price(TEN, 9) == Reach(Fraction(nano("0.258")), base)
    # The first at infinity: (.2*.25 + .4*(.27+.28+.30+.38) + .2*.60)/2 = .662/2.
    assert power.any_price(TEN, 0) == Reach(base, Fraction(nano("0.331")))
    # The fifth by a tenth: .297 stays in the middle; .4*.027/2.
    assert power.own_change(TEN, 4, Fraction(1, 10)) == Fraction(54, 2820)
    # The second left out: nine members, W = .9, .225 cut on each side. Third and seventh keep .075:
    # .075*.25 + .1*(.27+.28+.30) + .075*.38 = .13225, over .45.
    assert power.leave_out_change(TEN, 1) == Fraction(13225, 45000) / Fraction("0.282") - 1


def test_the_larger_end_is_told_with_its_sign() -> None:
    base = power.rate(TEN)
    up, down = (power.largest_change(base, power.any_price(TEN, g)) for g in (0, 9))
    assert (up, down) == (Fraction(49, 282), Fraction(-24, 282))
    assert power.largest_change(base, Reach(base, None)) is None


def test_who_is_gone_leaves_the_weights_that_are_given() -> None:
    all_on_the_last = [0] * 8 + [100_000_000]
    assert power.leave_out_change(TEN, 0, all_on_the_last) == Fraction(900, 282) - 1
    assert power.leave_out_change(TEN, 0, [0] * 9) is None


def test_nearest_price_in_a_trimmed_mean_of_ten() -> None:
    # One percent is .00282; the fifth counts .4/2, so it must move .0141, and stays in the middle.
    assert manipulation.nearest_price(TEN, 4, Fraction(1, 100)) == nano("0.2841")
    assert manipulation.nearest_price(TEN, 4, Fraction(-1, 100)) == nano("0.2559")
    # The last passes 0.60 in vain. Below it, between 0.38 and 0.60, it stands ninth and counts
    # nothing; between .30 and .38 it stands eighth and counts .1: .38 - .0282 = .3518.
    assert manipulation.nearest_price(TEN, 9, Fraction(-1, 100)) == nano("0.3518")
    assert manipulation.nearest_price(TEN, 9, Fraction(1, 100)) is None


# --- breakdown -----------------------------------------------------------------------------------


def capped(count: int, cap: Fraction, at_cap: int) -> list[int]:
    """Weights of a panel in which so many groups stand at the cap."""
    volumes = [10**6] * at_cap + [1] * (count - at_cap)
    return publish_weights(capped_shares(volumes, cap))


@pytest.mark.parametrize(
    ("weights", "estimator", "groups", "weight"),
    [
        pytest.param([20_000_000] * 5, MEDIAN, 3, 60_000_000, id="three of five equals"),
        pytest.param(
            publish_weights([Fraction(1, 6)] * 6), MEDIAN, 3, 50_000_001,
            id="three of six are half, and half is enough for a median",
        ),
        pytest.param([10_000_000] * 10, TRIM25, 3, 30_000_000, id="three of ten equals"),
        pytest.param(
            capped(10, Fraction(12, 100), 2), TRIM25, 3, 24_000_000 + 9_500_000,
            id="two at the cap of ten hold 24%, less than one tail",
        ),
        pytest.param([12_500_000] * 8, TRIM25, 3, 37_500_000, id="exactly a tail is not enough"),
        pytest.param([2_500_000] * 40, TRIM40, 17, 42_500_000, id="seventeen of forty equals"),
        pytest.param(
            capped(25, Fraction(5, 100), 10), TRIM40, 9, 45_000_000,
            id="eight at a cap of 5% hold 40%, exactly a tail",
        ),
        pytest.param([50_000_000] * 2, MEDIAN, 1, 50_000_000, id="one of two is half"),
        pytest.param([100_000_000], TRIM25, 1, 100_000_000, id="one alone"),
    ],
)  # fmt: skip
def test_breakdown_point_by_hand(
    weights: list[int], estimator: str, groups: int, weight: int
) -> None:
    mine = panel([f"{n + 1}" for n in range(len(weights))], weights, estimator)
    found = power.breakdown(mine)
    assert found.share == (Fraction(1, 2) if estimator == MEDIAN else TRIMS[estimator])
    assert (found.groups, found.weight) == (groups, weight)
    assert power.groups_by_theory(mine) == groups


# --- what the design says of the estimators ------------------------------------------------------


def spread(count: int) -> list[str]:
    """Prices of a market in which the dearest asks four times the cheapest."""
    return [str(Decimal(28 * (count + n) ** 2) / (10 * count**2))[:10] for n in range(count)]


def worst_own(mine: Panel) -> Fraction:
    moves = [
        power.own_change(mine, g, Fraction(s, 10)) for g in range(len(mine.groups)) for s in (-1, 1)
    ]
    return max(abs(m) for m in moves)


def worst_any(mine: Panel) -> Fraction:
    found = [
        power.largest_change(power.rate(mine), power.any_price(mine, g))
        for g in range(len(mine.groups))
    ]
    assert None not in found
    return max(abs(m) for m in found if m is not None)


def test_at_ten_sellers_a_tenth_of_one_price_is_two_to_three_percent() -> None:
    assert Fraction(15, 1000) < worst_own(equal(spread(10), TRIM25)) < Fraction(35, 1000)


def test_a_median_passes_a_pivotal_move_further_than_a_trimmed_mean() -> None:
    assert worst_own(equal(spread(11), MEDIAN)) > 2 * worst_own(equal(spread(11), TRIM25))


def test_more_sellers_mean_less_influence() -> None:
    ten, sixteen, thirty = (
        worst_any(equal(spread(n), name)) for n, name in ((10, TRIM25), (16, TRIM25), (30, TRIM40))
    )
    assert ten > sixteen > thirty
    assert Fraction(4, 100) < ten < Fraction(25, 100)


def test_two_reach_further_than_one() -> None:
    mine = equal(spread(10), TRIM25)
    found = power.worst_pair(mine, 4)
    assert found is not None
    far = power.largest_change(power.rate(mine), found[1])
    assert far is not None
    assert worst_any(mine) < abs(far) < 1


def test_a_contract_at_its_limit_earns_what_the_design_says() -> None:
    earned = manipulation.gain(Fraction(nano("2.80")), Fraction(1, 100), 7500 * 730) / 10**9
    assert earned == 153_300
    assert manipulation.cost_per_unit(nano("2.80"), nano("2.688"), 30) == nano("3.36")
    assert manipulation.cost_per_unit(nano("2.80"), None, 30) is None


# --- edges ---------------------------------------------------------------------------------------


def test_one_seller_alone_has_no_bound_and_nobody_to_be_left_with() -> None:
    alone = panel(["2.80"], [100_000_000], MEDIAN)
    assert power.any_price(alone, 0) == Reach(Fraction(0), None)
    assert power.leave_out_change(alone, 0) is None
    assert power.worst_pair(alone, 4) is None
    assert power.largest_ln(power.rate(alone), power.any_price(alone, 0)) is None
    assert manipulation.nearest_price(alone, 0, Fraction(1, 100)) == nano("2.828")


@pytest.mark.parametrize(
    ("prices", "weights"),
    [
        pytest.param((), (), id="nobody"),
        pytest.param((1, 2), (100_000_000,), id="a price without a weight"),
        pytest.param((0,), (100_000_000,), id="a price of zero"),
        pytest.param((5,), (0,), id="a weight of zero"),
    ],
)
def test_what_is_no_panel_is_refused(prices: tuple[int, ...], weights: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"panel needs|member stands"):
        Panel(tuple("ab"[: len(prices)]), prices, weights, MEDIAN)


def test_weights_as_they_are_have_no_cap_and_no_root() -> None:
    assert power.raw_weights([900, 100, 0]) == [90_000_000, 10_000_000, 0]
    assert power.raw_weights([0, 0]) is None
    assert power.equal_weights(TEN) == [10_000_000] * 10
