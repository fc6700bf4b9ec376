"""Random baskets by four engines to the last digit, and what none of them may settle."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import oracle
import pytest

from index import gate_sql
from methodology import estimators, panels
from methodology.units import MAX_PRICE_NANO
from methodology.weights import panel_weights_many
from tests import basket_draws, three_engines
from tests import basket_engines as engines
from tests.basket_engines import NAMES, Baskets

SEED = 20261120
ENGINES = {
    "arrays": engines.by_arrays,
    "integers": engines.by_integers,
    "polars": engines.by_polars,
    "sql": engines.by_sql,
}


def baskets(prices: list[int], volumes: list[int], name: str = NAMES[0]) -> Baskets:
    """One basket, rates in nano-units."""
    return Baskets(
        starts=np.array([0, len(prices)]),
        price=np.array(prices, np.int64),
        volume=np.array(volumes, np.int64),
        estimator=np.array([NAMES.index(name)]),
        rooted=np.array([False]),
        decimals=np.array([9]),
    )


def test_twenty_thousand_baskets_are_settled_alike_by_four_engines(
    capsys: pytest.CaptureFixture[str],
) -> None:
    met = basket_draws.campaign(SEED, 20_000, 2_000)
    assert f"seed {SEED}" in capsys.readouterr().out
    assert met.baskets == 20_000
    least = {
        "weight_ties": 1000, "rounding_ties": 500, "equal_prices": 1500, "zero_weights": 1000,
        "one_member": 1500, "at_bounds": 300, "capped": 5000, "without_value": 20,
    }  # fmt: skip
    short = {name: getattr(met, name) for name, n in least.items() if getattr(met, name) < n}
    assert not short, f"hard cases were too few: {short}"


@pytest.mark.campaign
def test_campaign_of_baskets() -> None:
    """``make campaign-baskets``; BASKETS and SEED say how many, and which."""
    count = int(os.environ.get("BASKETS") or 1_000_000)
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(10**9))
    print(f"\n{count:,} baskets, seed {seed}")
    met = basket_draws.campaign(seed, count, 10_000, workers=2)
    assert met.baskets == count


@pytest.mark.parametrize("broken", ["weight", "kept", "units"])
def test_one_unit_in_one_engine_is_seen(broken: str) -> None:
    drawn = basket_draws.draw(SEED, 3, 50)
    good = engines.by_integers(drawn)
    column = getattr(good, broken).copy()
    column[17] += 1
    with pytest.raises(AssertionError, match=r"basket \d+: (weight|kept weight|rate) of"):
        basket_draws.differ(drawn, {"a": good, "b": replace(good, **{broken: column})}, "here")


# Worked by hand: expected weights in units of 1e-8 and the rate in nano-units.
WORKED = [
    pytest.param([7], [0], [10**8], 7, id="one member without a volume"),
    pytest.param([1, 2], [1, 1], [50_000_000] * 2, 2, id="one and a half is two"),
    pytest.param([10**15] * 2, [10**15, 1], [60_000_000, 40_000_000], 10**15, id="the bounds"),
    # A cap of 0.3 for four: 97, 1, 1, 1 is cut to 30, and 70 is spread over three equals.
    pytest.param(
        [4, 1, 2, 3], [97, 1, 1, 1], [30_000_000, 23_333_334, 23_333_333, 23_333_333], 3,
        id="the excess is spread and the missing unit goes to the first",
    ),
    pytest.param([5, 0, 9], [1, 0, 1], [50_000_000, 0, 50_000_000], 7, id="no volume, no weight"),
]  # fmt: skip


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("prices", "volumes", "weights", "units"), WORKED)
def test_every_engine_gives_what_was_worked_by_hand(
    prices: list[int], volumes: list[int], weights: list[int], units: int, engine: str
) -> None:
    found = ENGINES[engine](baskets(prices, volumes))
    assert (found.weight.tolist(), found.units.tolist()) == (weights, [units])


BEYOND = {
    "price above the bound": baskets([1, MAX_PRICE_NANO + 1], [1, 1]),
    "price of a member without weight above the bound": baskets(
        [1, 1, MAX_PRICE_NANO + 1], [1, 1, 0]
    ),
    "price near the end of 64 bits": baskets([1, 2**63 - 1], [1, 1]),
    "price below zero": baskets([1, -1], [1, 1]),
    "513 members": baskets([1] * 513, [1] * 513),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", BEYOND)
@pytest.mark.parametrize("name", NAMES)
def test_every_engine_refuses_what_it_could_not_hold(case: str, engine: str, name: str) -> None:
    one = replace(BEYOND[case], estimator=np.array([NAMES.index(name)]))
    with pytest.raises(OverflowError, match=r"beyond|never negative|at most|prices are 0 to"):
        ENGINES[engine](one)


@pytest.mark.parametrize("name", NAMES)
def test_every_engine_settles_the_largest_basket(name: str) -> None:
    """512 members at a million a unit and volumes of 1e15: no sum leaves its integers."""
    one = baskets([10**15] * 512, [10**15] * 512, name)
    found = {engine: by(one) for engine, by in ENGINES.items()}
    basket_draws.differ(one, found, "largest")
    assert found["sql"].units.tolist() == [10**15]


@pytest.mark.parametrize("engine", ["integers", "polars", "sql"])
@pytest.mark.parametrize("volume", [10**15 + 1, 2**63 - 1, -1])
def test_test_engines_refuse_volumes_that_their_products_are_not_made_for(
    engine: str, volume: int
) -> None:
    with pytest.raises(OverflowError, match=f"volumes .*{volume}.*: beyond"):
        ENGINES[engine](baskets([1, 2], [5, volume]))


@pytest.mark.parametrize("rooted", [True, False])
def test_larger_volumes_are_weighed_exactly_by_what_publishes(rooted: bool) -> None:
    """Publishing has no bound on volumes: above 1e15 it takes Python's integers instead."""
    rng = random.Random(SEED)
    for _ in range(100):
        n = rng.randint(1, 20)
        volumes = [rng.choice((10**15 + 1, 2**63 - 1, rng.randrange(2**63))) for _ in range(n)]
        expected = oracle.weights([*volumes], rooted)
        cap = oracle.cap_of(n)
        caps = np.array([cap.numerator]), np.array([cap.denominator])
        here = np.ones((1, n), np.bool_)
        many = panel_weights_many(np.array([volumes]), here, rooted=rooted, caps=caps)
        assert many[0].tolist() == expected
        rank = "V2" if rooted else "V1"
        frozen = panels.weights_for(volumes, rank, estimators.MEDIAN, engines.RULES)
        assert list(frozen) == expected
        longer = [v * 10**30 for v in volumes]
        assert oracle.weights([*longer], False) == list(
            panels.weights_for(longer, "V1", estimators.MEDIAN, engines.RULES)
        )


def test_negative_volumes_are_refused_by_what_publishes() -> None:
    with pytest.raises(ValueError, match="never negative"):
        engines.by_arrays(baskets([1, 2], [5, -1]))
    with pytest.raises(ValueError, match="non-negative"):
        panels.weights_for([5, -1], "V1", estimators.MEDIAN, engines.RULES)


# --- weights given -------------------------------------------------------------------------------

WRAPPING: dict[str, tuple[list[int], list[int]]] = {
    "weights whose sum passes 64 bits": ([1, 2, 3, 4, 5], [2**62] * 5),
    "weights whose sum comes around to a small one": ([1, 2, 3, 4], [2**62] * 3 + [2**62 + 7]),
    "a weight below zero": ([1, 2, 3], [-5, 10**8, 10**8]),
    "price above the bound": ([1, 10**15 + 1], [50_000_000] * 2),
    "price below zero": ([1, -2], [50_000_000] * 2),
    "513 members": ([1] * 513, [100_000] * 513),
}
GIVEN: dict[str, Callable[[Any], object]] = {
    "arrays": three_engines.by_arrays,
    "integers": three_engines.by_integers,
    "sql": three_engines.by_sql,
}


@pytest.mark.parametrize("engine", GIVEN)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("case", WRAPPING)
def test_weights_and_prices_that_could_wrap_are_refused(case: str, name: str, engine: str) -> None:
    with pytest.raises(OverflowError, match=r"beyond|never|at most|prices are 0 to"):
        GIVEN[engine]([(*WRAPPING[case], name, 6)])


def test_more_than_a_whole_weight_is_refused_where_weights_are_published_ones() -> None:
    for rates in (gate_sql.rates, three_engines.by_integers):
        with pytest.raises(OverflowError, match="weights 0 to 100000000"):
            rates([([1, 2], [10**8 + 1, 1], NAMES[0], 6)])
    most = np.array([[1]], np.int64)
    with pytest.raises(OverflowError, match="500000001"):
        estimators.exact_sums(most, most * (5 * 10**8 + 1))


@pytest.mark.parametrize(
    "kept",
    [
        lambda weight: estimators.kept_at_quantile(weight, 1, 2),
        lambda weight: estimators.kept_trimmed(weight, (1, 4)),
    ],
    ids=["quantile", "trimmed"],
)
def test_each_estimator_refuses_sums_of_weights_from_2_to_the_53(
    kept: Callable[[Any], np.ndarray],
) -> None:
    most = 2**53 // 4
    assert kept(np.array([most - 1] * 4)).sum() > 0
    for weights in ([most] * 4, [2**62] * 4, [1, 1, 1, -1]):
        with pytest.raises(OverflowError, match=r"sum to less than 2\*\*53"):
            kept(np.array(weights))


# n is 4: cumulative weight c is half while |2c - W| is 8 at most (rulebook 7.4), W being 10**8.
@pytest.mark.parametrize(
    ("two", "units"),
    [(-5, 3_000_000), (-4, 2_500_000), (4, 2_500_000), (5, 2_000_000)],
    ids=["5 units short", "4 units short", "4 units over", "5 units over"],
)
def test_the_slack_of_a_median_ends_exactly_where_the_rulebook_says(two: int, units: int) -> None:
    weights = [25_000_000, 25_000_000 + two, 25_000_000 - two, 25_000_000]
    prices = [n * 10**9 for n in (1, 2, 3, 4)]
    assert three_engines.agree([(prices, weights, estimators.MEDIAN, 6)]) == [units]
