"""Bilateral, multilateral, spliced and hedonic indices: figures by hand, and what must hold."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from methodology import quality_adjusted as qa
from methodology.bilateral import (
    FORMULAS,
    Basket,
    Panel,
    between,
    chained,
    fixed_base,
    linked_index,
    panel_of,
)
from methodology.splices import SPLICES, rolling


def panel(*rows: tuple[object, str, float, float]) -> Panel:
    names = ["period", "product", "price", "quantity"]
    return panel_of(pl.DataFrame(list(rows), schema=names, orient="row"))


TWO = panel((1, "a", 1, 1), (1, "b", 1, 1), (2, "a", 2, 1), (2, "b", 1, 3))
"""Spent 1 and 1, then 2 and 3: Laspeyres 3/2, Paasche 5/4."""

CHURN = panel(
    (1, "old", 10, 1), (1, "a", 1, 1),
    (2, "old", 20, 1), (2, "a", 2, 1), (2, "new", 7, 5),
    (3, "a", 2, 1), (3, "new", 7, 5),
)  # fmt: skip
"""Every price that can be compared doubles from 1 to 2 and stands from 2 to 3."""


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("laspeyres", 1.5),
        ("paasche", 1.25),
        ("fisher", 1.875**0.5),
        ("tornqvist", 2**0.45),
        ("walsh", (2 + 3**0.5) / (1 + 3**0.5)),
        ("jevons", 2**0.5),
        ("carli", 1.5),
        ("dutot", 1.5),
    ],
)
def test_two_goods_by_hand(formula: str, expected: float) -> None:
    assert fixed_base(TWO, formula).tolist() == pytest.approx([1, expected], rel=1e-15)


@pytest.mark.parametrize("formula", sorted(FORMULAS))
def test_only_goods_sold_in_both_periods_count(formula: str) -> None:
    assert chained(CHURN, formula).tolist() == pytest.approx([1, 2, 2])
    assert between(CHURN, 0, 2, formula) == pytest.approx(2)  # only a is left: 1 to 2


@pytest.mark.parametrize("method", sorted(qa.METHODS))
def test_when_all_prices_move_alike_every_method_says_so(method: str) -> None:
    assert qa.METHODS[method](CHURN).tolist() == pytest.approx([1, 2, 2], rel=1e-12)


def test_nothing_in_common_is_not_a_number() -> None:
    apart = panel((1, "a", 1, 1), (2, "b", 1, 1))
    assert np.isnan(between(apart, 0, 1, "fisher"))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([(1, "a", 1.0, 1.0), (1, "a", 2.0, 1.0)], "stands twice"),
        ([(1, "a", 0.0, 1.0)], "positive"),
        ([(1, "a", float("nan"), 1.0)], "positive"),
        ([(1, "a", 1.0, -1.0)], "positive"),
    ],
    ids=["a good twice in a period", "a price of zero", "a price of NaN", "a negative quantity"],
)
def test_a_panel_refuses_what_is_none(
    rows: list[tuple[int, str, float, float]], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        panel(*rows)


positive = st.floats(0.1, 10.0)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(*[positive] * 8), min_size=2, max_size=5), st.floats(0.1, 10))
def test_multilateral_methods_do_not_depend_on_units_and_scale_with_prices(
    rows: list[tuple[float, ...]], factor: float
) -> None:
    table = np.array(rows)
    price, quantity = table[:, :4], table[:, 4:]
    size = price.shape
    names = tuple(map(str, range(size[1])))
    whole = Panel(tuple(range(size[0])), names, price, quantity)
    unit = np.array([1.0, factor, 1.0, 1.0])  # one good counted in other units
    other = Panel(whole.periods, names, price * unit, quantity / unit)
    dearer = Panel(whole.periods, names, price * np.linspace(1, 2, size[0])[:, None], quantity)
    for name in ("geks_tornqvist", "geks_fisher", "geary_khamis", "wtpd"):
        levels = qa.METHODS[name](whole)
        assert qa.METHODS[name](other) == pytest.approx(levels, rel=1e-8)
        if name != "wtpd" and not name.startswith("geks"):
            continue
        scaled = levels * np.linspace(1, 2, size[0])
        assert qa.METHODS[name](dearer) == pytest.approx(scaled, rel=1e-8)


# --- splices -------------------------------------------------------------------------------------


@pytest.mark.parametrize("splice", SPLICES)
def test_on_a_transitive_index_every_splice_is_the_same(splice: str) -> None:
    """The same two goods always: unweighted TPD is a chain of means, whatever the window."""
    rng = np.random.default_rng(7)
    price = rng.uniform(1, 2, (9, 2))
    whole = Panel(tuple(range(9)), ("a", "b"), price, np.ones((9, 2)))
    method = qa.METHODS["tpd_unweighted"]
    assert rolling(whole, method, 4, splice) == pytest.approx(method(whole), rel=1e-12)


def numbers(*windows: list[float]):  # type: ignore[no-untyped-def]
    """A method that gives these indices, one for each window asked for."""
    made = iter(windows)
    return lambda panel: np.array(next(made))


@pytest.mark.parametrize(
    ("splice", "fourth", "fifth"),
    [
        # Windows of 3: (1, 2, 4), then (1, 3, 6) over periods 2 to 4, then (1, 2, 8) over 3 to 5.
        pytest.param("movement", 8.0, 32.0, id="movement: 4 x 6/3, then 8 x 8/2"),
        pytest.param("window", 12.0, 48.0, id="window: 2 x 6, then 12 x (3/6) x 8"),
        pytest.param("wisp", 12.0, 32.0, id="published window: 2 x 6, then 4 x 8"),
        pytest.param("half", 8.0, 32.0, id="half: the middle of three is the period before"),
        pytest.param("mean", 96**0.5, (48 * 4 * 96**0.5 * 96**0.5 / 12) ** 0.5, id="mean"),
        pytest.param("mean_pub", 96**0.5, (32 * 4 * 96**0.5) ** 0.5, id="mean on published"),
    ],
)
def test_splices_by_hand(splice: str, fourth: float, fifth: float) -> None:
    whole = Panel(tuple(range(5)), ("a",), np.ones((5, 1)), np.ones((5, 1)))
    method = numbers([1, 2, 4], [1, 3, 6], [1, 2, 8])
    got = rolling(whole, method, 3, splice)
    assert got.tolist() == pytest.approx([1, 2, 4, fourth, fifth])


def test_a_published_month_is_never_revised() -> None:
    rng = np.random.default_rng(3)
    price, quantity = rng.uniform(1, 2, (12, 4)), rng.uniform(1, 9, (12, 4))
    whole = Panel(tuple(range(12)), tuple("abcd"), price, quantity)
    for splice in SPLICES:
        before = rolling(whole.window(0, 9), qa.wtpd, 5, splice)
        assert rolling(whole, qa.wtpd, 5, splice)[:9].tolist() == before.tolist()


def test_an_unknown_splice_is_refused() -> None:
    with pytest.raises(ValueError, match="'middle' is none of movement"):
        rolling(TWO, qa.wtpd, 2, "middle")
    with pytest.raises(ValueError, match="at least 2"):
        rolling(TWO, qa.wtpd, 1)


# --- baskets, regressions ------------------------------------------------------------------------

F = Fraction


def test_a_relinked_basket_by_hand() -> None:
    prices = [{"a": F(2), "b": F(4)}, {"a": F(3), "b": F(4)}, {"b": F(6)}]
    made = linked_index(prices, [Basket(0, {"a": F(1), "b": F(1)}), Basket(1, {"b": F(3)})], F(100))
    assert made.chained == made.by_divisor == [100, 125, F(375, 2)]
    assert made.divisors == [F(1, 100), F(1, 125)]
    assert made.geometric == pytest.approx([100, 100 * 1.5**0.5, 150 * 1.5**0.5])


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.lists(st.integers(1, 99), min_size=3, max_size=3), min_size=4, max_size=8),
    st.lists(st.integers(1, 9), min_size=6, max_size=6),
)
def test_chain_and_divisor_agree_to_the_last_digit(rows: list[list[int]], w: list[int]) -> None:
    prices = [dict(zip("abc", map(F, row), strict=True)) for row in rows]
    weights = [dict(zip("abc", map(F, part), strict=True)) for part in (w[:3], w[3:])]
    made = linked_index(prices, [Basket(0, weights[0]), Basket(2, weights[1])], F(1000))
    assert made.chained == made.by_divisor
    assert all(g <= float(a) * 1.0000001 for g, a in zip(made.geometric[:3], made.chained[:3]))


@pytest.mark.parametrize(
    ("baskets", "message"),
    [
        ([], "first basket"),
        ([Basket(1, {"a": F(1)})], "first basket"),
        ([Basket(0, {"z": F(1)})], "z has no price in period 0"),
    ],
    ids=["no basket", "no basket at the start", "a good without a price"],
)
def test_a_basket_that_cannot_be_priced_is_refused(baskets: list[Basket], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        linked_index([{"a": F(1)}, {"a": F(2)}], baskets, F(1))


def test_a_hedonic_regression_takes_quality_out() -> None:
    """Better models at the same price per quality: ln p = ln 2 x quality - ln 2 x (period - 1)."""
    quality = np.array([0.0, 1, 1, 2, 2, 3])
    period = ["2026-01", "2026-01", "2026-02", "2026-02", "2026-03", "2026-03"]
    late = np.array([0, 0, 1, 1, 2, 2])
    made = qa.time_dummy_hedonic(period, 2.0 ** (quality - late), {"quality": quality})
    assert made.index.tolist() == pytest.approx([1, 0.5, 0.25])
    assert made.coefficients["quality"] == pytest.approx(np.log(2))
    assert made.r_squared == pytest.approx(1)


def test_standard_errors_by_hand() -> None:
    """Logarithms 0 and 2 in one period: mean 1, variance 2, so the mean is sure to 1."""
    made = qa.time_dummy_hedonic([1, 1], np.exp(np.array([0.0, 2.0])), {})
    assert made.coefficients["intercept"] == pytest.approx(1)
    assert made.errors["intercept"] == pytest.approx(1)
    assert np.isnan(qa.time_dummy_hedonic([1], np.array([2.0]), {}).errors["intercept"])


@pytest.mark.parametrize(
    ("price", "traits", "weights"),
    [
        ([1.0, 0.0], {}, None),
        ([1.0, 2.0], {}, [1.0, -1.0]),
        ([1.0, 2.0], {"late": [0.0, 1.0]}, None),
    ],
    ids=["a price of zero", "a negative weight", "a trait that is the period"],
)
def test_a_regression_that_is_none_is_refused(
    price: list[float], traits: dict[str, list[float]], weights: list[float] | None
) -> None:
    with pytest.raises(ValueError, match=r"positive|collinear"):
        qa.time_dummy_hedonic(
            [1, 2],
            np.array(price),
            {name: np.array(values) for name, values in traits.items()},
            None if weights is None else np.array(weights),
        )
