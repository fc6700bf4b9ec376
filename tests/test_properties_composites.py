"""What holds for every basket of a composite, every set of volumes, every text of a price."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from methodology import baskets, units
from methodology.baskets import Basket, Good, ModelPrice
from methodology.composite import CompositeDay, CompositeState, determine_composite, relink
from methodology.definition import CompositeDefinition, load_definitions, load_methodology
from methodology.errors import PriceError
from methodology.estimators import MEDIAN, TRIM40
from methodology.panels import weights_for
from methodology.weights import cap_for, capped_shares

RULES = load_methodology()
ALL = next(
    d for d in load_definitions() if isinstance(d, CompositeDefinition) and d.family == "TKX"
)
SOURCE = ALL.sources[1]
LINK = date(2026, 8, 1)
PERIOD = [LINK - timedelta(days=n) for n in range(38)]
"""The volume period and the days of entry."""

nano = st.one_of(
    st.integers(1, 10**15), st.integers(1, 10**12), st.sampled_from([1, 7, 10**15, 333_333_333])
)
shares = st.one_of(st.integers(1, 10**12), st.integers(1, 3))


@st.composite
def markets(draw: st.DrawFn) -> tuple[list[Good], dict[str, int], dict[str, int]]:
    """Models of developers, with a price and tokens each."""
    count = draw(st.integers(6, 12))
    owners = [draw(st.sampled_from("abcdef")) if n >= 4 else "abcd"[n] for n in range(count)]
    goods = [Good(f"m{n:02d}", owner, "US", True) for n, owner in enumerate(owners)]
    prices = {g.model: draw(nano) for g in goods}
    return goods, prices, {g.model: draw(shares) for g in goods}


def basket_of(
    goods: list[Good], prices: Mapping[str, int], tokens: Mapping[str, int], level: int | None
) -> Basket:
    held = {(m, day): ModelPrice(p, True, "") for m, p in prices.items() for day in PERIOD}
    volumes = {(m, day): v for m, v in tokens.items() for day in PERIOD}
    return baskets.make_basket(ALL, goods, {SOURCE: held}, volumes, LINK, RULES, level)


def one_day(
    basket: Basket, prices: Mapping[str, int], day: date, state: CompositeState
) -> tuple[CompositeDay, CompositeState]:
    """A day of confirmed prices; 0: none."""
    shown = {(m, day): ModelPrice(p, True, "") for m, p in prices.items() if p}
    return determine_composite(basket, {SOURCE: shown}, day, state, RULES)


@given(markets(), st.integers(1, 10**8))
def test_a_level_goes_on_through_a_link_at_any_prices(
    market: tuple[list[Good], dict[str, int], dict[str, int]], level: int
) -> None:
    """Up to a million points: the divisor has fifteen decimals, the level two."""
    basket = basket_of(*market, level)
    assert baskets.level_units(basket, market[1]) == level
    told, _ = one_day(basket, market[1], LINK, relink(CompositeState.empty(), basket, LINK))
    assert told.value_units == level


def test_above_ten_million_points_the_digits_of_a_divisor_are_too_few() -> None:
    """The limit of the property above: a level of 1000 would have to rise 10,000-fold."""
    rng, broken = random.Random(20261120), 0
    for _ in range(50):
        goods = [Good(f"m{n}", "abcdef"[n], "US", True) for n in range(6)]
        prices = {g.model: rng.randint(1, 10**12) for g in goods}
        basket = basket_of(goods, prices, dict.fromkeys(prices, 1), 10**9 - 1)
        broken += baskets.level_units(basket, prices) != 10**9 - 1
    assert broken > 0


@given(markets(), st.integers(1, 6), st.data())
def test_prices_times_a_power_of_ten_give_that_many_points(
    market: tuple[list[Good], dict[str, int], dict[str, int]], k: int, data: st.DataObject
) -> None:
    """Exactly as a ratio; as published, but for the rounding of the smaller level."""
    basket = basket_of(*market, None)
    moved = {m: max(1, p * data.draw(st.integers(80, 125)) // 100) for m, p in market[1].items()}
    scaled = {m: p * 10**k for m, p in moved.items()}
    small, large = (baskets.level_units(basket, p) for p in (moved, scaled))
    worth = sum(c.quantity_e12 * moved[c.model] for c in basket.constituents)
    exact = Fraction(worth * 10**17, basket.divisor_e15 * 10**21)
    assert large == units.round_half_up((exact * 10**k).numerator, (exact * 10**k).denominator)
    assert abs(large - small * 10**k) <= Fraction(10**k, 2)
    state = relink(CompositeState.empty(), basket, LINK)
    told, _ = one_day(basket, scaled, LINK + timedelta(days=1), state)
    assert told.value_units == large


@given(markets(), st.randoms(use_true_random=False))
def test_models_in_any_order_make_the_same_basket_and_the_same_level(
    market: tuple[list[Good], dict[str, int], dict[str, int]], rng: random.Random
) -> None:
    goods, prices, tokens = market
    basket = basket_of(goods, prices, tokens, None)
    mixed = list(goods)
    rng.shuffle(mixed)
    turned = {g.model: prices[g.model] for g in mixed}
    again = basket_of(mixed, turned, {m: tokens[m] for m in reversed(turned)}, None)
    assert again.as_record() == basket.as_record()
    back = replace(basket, constituents=tuple(reversed(basket.constituents)))
    first, state = one_day(basket, prices, LINK, relink(CompositeState.empty(), basket, LINK))
    gone = {m: 0 if n == 0 else p for n, (m, p) in enumerate(prices.items())}
    for day, shown in enumerate((prices, gone), 1):
        one, _ = one_day(basket, shown, LINK + timedelta(days=day), state)
        two, _ = one_day(back, shown, LINK + timedelta(days=day), state)
        assert (one.value_units, one.waterfall) == (two.value_units, two.waterfall)
        assert sorted(map(str, one.rows)) == sorted(map(str, two.rows))
    assert first.value_units == 100_000


@given(markets(), st.data())
def test_a_composite_without_a_price_never_counts_more(
    market: tuple[list[Good], dict[str, int], dict[str, int]], data: st.DataObject
) -> None:
    basket = basket_of(*market, None)
    state = relink(CompositeState.empty(), basket, LINK)
    shown = {m: data.draw(st.sampled_from([0, p, p, p, p, p])) for m, p in market[1].items()}
    gone = data.draw(st.sampled_from(sorted(shown)))
    day = LINK + timedelta(days=1)
    whole, _ = one_day(basket, shown, day, state)
    less, _ = one_day(basket, shown | {gone: 0}, day, state)
    assert less.models <= whole.models
    assert less.weight_e8 <= whole.weight_e8
    order = ("REDUCED", "CARRY", "NO_FIX")
    assert order.index(less.waterfall) >= order.index(whole.waterfall)


# --- weights -------------------------------------------------------------------------------------

volumes = st.lists(
    st.one_of(st.integers(0, 5), st.integers(0, 10**15), st.sampled_from([1, 10**15])),
    min_size=1,
    max_size=60,
)


def weigh(given_volumes: list[int], rooted: bool, name: str) -> list[int]:
    return list(weights_for(given_volumes, "V2" if rooted else "V1", name, RULES))


@given(volumes, st.booleans(), st.sampled_from([MEDIAN, TRIM40]))
def test_weights_are_whole_capped_ordered_and_equal_for_equals(
    given_volumes: list[int], rooted: bool, name: str
) -> None:
    """The cap is on shares: a published weight is the share cut to eight decimals, or one unit
    more, so it can pass the cap by less than one unit of 1e-8.
    """
    found = weigh(given_volumes, rooted, name)
    assert sum(found) == 10**8
    positive = sum(v > 0 for v in given_volumes) or len(given_volumes)
    limit = RULES.weights
    cap = cap_for(positive, limit.cap_floor, limit.cap_numerator)
    cap = limit.cap_largest_panels if name == TRIM40 else cap
    ceiling = max(cap, Fraction(1, positive)) * 10**8
    assert all(w - ceiling < 1 for w in found)
    ranked = sorted(zip(given_volumes, found, strict=True))
    for (_, w), (_, more) in pairwise(ranked):
        assert more >= w - 1  # equal shares, at the cap or of equal volumes, differ by one unit
    for volume in set(given_volumes):
        alike = [w for v, w in ranked if v == volume]
        assert max(alike) - min(alike) <= 1


@given(volumes, st.integers(1, 10**15), st.booleans(), st.data())
def test_more_volume_never_makes_a_smaller_share(
    given_volumes: list[int], more: int, rooted: bool, data: st.DataObject
) -> None:
    """Exact for shares. A published weight can lose a unit of 1e-8 all the same: when the others'
    remainders change, the missing unit may go to one of them.
    """
    mine = data.draw(st.integers(0, len(given_volumes) - 1))
    assume(given_volumes[mine] > 0)  # a new voice changes N and with it the cap of all
    larger = [v + more if n == mine else v for n, v in enumerate(given_volumes)]
    before, after = (weigh(v, rooted, MEDIAN)[mine] for v in (given_volumes, larger))
    assert after >= before - 1
    cap = cap_for(sum(v > 0 for v in larger), Fraction(2, 25), Fraction(6, 5))
    assert capped_shares(larger, cap)[mine] >= capped_shares(given_volumes, cap)[mine]


# --- text to nano-units --------------------------------------------------------------------------

WIDE = Context(prec=400)
numbers = st.from_regex(r"[0-9]{1,20}(\.[0-9]{0,40})?([eE][+-]?[0-9]{1,2})?", fullmatch=True)
plain = st.from_regex(r"[0-9]{1,6}(\.[0-9]{0,20})?([eE]-?[0-9])?", fullmatch=True)
digits = st.integers(0, 10**12).map(str)
halves = st.builds(lambda a, b: f"{a}.{b:09d}5", st.integers(0, 10**5), st.integers(0, 10**9 - 1))
FACTOR = {"per_token": 10**6, "per_ktok": 10**3, "per_mtok": 1, "per_gpu_hour": 1}


@settings(max_examples=400)
@given(
    st.one_of(numbers, plain, digits, halves),
    st.sampled_from([*FACTOR, "per_instance_hour"]),
    st.integers(1, 16),
)
def test_text_becomes_the_nano_units_that_decimal_arithmetic_gives(
    text: str, unit: str, gpus: int
) -> None:
    """400 digits are enough to see that a quotient by 1 to 16 GPUs is not a half; an exact half is
    one that ends.
    """
    with localcontext(WIDE):
        value = Decimal(text) * FACTOR.get(unit, 1) * 10**9
        if unit == "per_instance_hour":
            value /= gpus
        expected = value.quantize(Decimal(1), ROUND_HALF_UP)
        lost = abs(expected - value)
        reason = ""
        if expected > 10**15:
            reason = "OUT_OF_RANGE"
        elif value and lost * 10**6 > value:
            reason = "INEXACT"
    if reason:
        with pytest.raises(PriceError) as told:
            units.to_nano(text, unit, gpus)
        assert told.value.reason == reason
        return
    found, is_inexact = units.to_nano(text, unit, gpus)
    assert found == int(expected)
    assert is_inexact == bool(lost)


HOSTILE = [
    "", " ", "1 ", " 1", "1\n", "\t1", "1_000", "1,5", "1,000.50", "+1", "--1", ".5", "e5", "1e",
    "1e+", "1e100", "1e999999999", "1.2.3", "1e5e5", "0x10", "1/3", "10%", "$1", "1USD", "nan",
    "NaN", "sNaN", "inf", "-inf", "Infinity", "1\u00a0", "\uff11", "\u0661.\u0665", "1\u2009000",
    "\u00bd", "1\u0000", "\ufeff1", "1e\u0662", "1" * 21, "0." + "1" * 41, "True", "None", "null",
    "\u22121", "1\u066b5", "1L", "1.0f", "0b1", "1j", "(1)", "'1'", "=1+1",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_what_is_no_plain_decimal_is_never_a_price(text: str) -> None:
    """Python's Decimal takes several of these; a price does not."""
    with pytest.raises(PriceError) as told:
        units.to_nano(text, "per_mtok")
    assert told.value.reason in {"NOT_A_NUMBER", "NEGATIVE_PRICE"}


def test_decimal_would_have_taken_some_of_them() -> None:
    """Or the list above would only hold what nobody takes."""
    taken = []
    for text in HOSTILE:
        try:
            taken.append(Decimal(text))
        except ArithmeticError:
            continue
    assert len(taken) >= 12
    assert Decimal(1000) in taken


@given(st.integers(0, 10**15), st.integers(0, 9))
def test_nano_units_as_text_are_rounded_as_decimal_rounds(nano_units: int, decimals: int) -> None:
    step = Decimal(1).scaleb(-decimals)
    expected = (Decimal(nano_units) / 10**9).quantize(step, ROUND_HALF_UP)
    assert units.nano_to_text(nano_units, decimals) == f"{expected:f}"


@given(st.integers(0, 10**30), st.integers(1, 10**30))
def test_the_one_rounding_is_half_up(numerator: int, denominator: int) -> None:
    found = units.round_half_up(numerator, denominator)
    assert Fraction(-1, 2) < found - Fraction(numerator, denominator) <= Fraction(1, 2)
