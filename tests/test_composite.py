"""Composites: a basket worked by hand, links, imputation, refusals, the unit value."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction

import pytest

from methodology import baskets, composite
from methodology.baskets import Basket, Good, ModelPrice
from methodology.composite import CompositeState
from methodology.definition import CompositeDefinition, load_definitions, load_methodology
from methodology.errors import CoverageError

RULES = load_methodology()
ALL = next(
    d for d in load_definitions() if isinstance(d, CompositeDefinition) and d.family == "TKX"
)
LINK = date(2026, 8, 1)
FIRST, LAST = date(2026, 6, 25), date(2026, 7, 22)
"""28 days that end ten days before the link day."""

# Prices in dollars, million tokens a day: daily spend 200, 80, 40, 40, 20, 20.
DOLLARS = {"a1": 1, "b1": 2, "c1": 4, "d1": 5, "e1": 10, "f1": 20}
TOKENS = {"a1": 200, "b1": 40, "c1": 10, "d1": 8, "e1": 2, "f1": 1}


def goods(*models: str) -> list[Good]:
    """Models named by their developer's letter."""
    return [Good(m, m[0], "CN" if m[0] in "ab" else "US", m[0] != "f") for m in models]


def days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def price(dollars: Fraction | float | int, is_confirmed: bool = True) -> ModelPrice:
    return ModelPrice(round(Fraction(dollars) * 10**9), is_confirmed, "")


def table(dollars: dict[str, int]) -> dict[tuple[str, date], ModelPrice]:
    return {(m, day): price(d) for m, d in dollars.items() for day in days(FIRST, LINK)}


def volumes(millions: dict[str, int]) -> dict[tuple[str, date], int]:
    return {(m, day): n * 10**6 for m, n in millions.items() for day in days(FIRST, LAST)}


def hand_basket() -> Basket:
    source = ALL.sources[1]
    return baskets.make_basket(
        ALL, goods(*DOLLARS), {source: table(DOLLARS)}, volumes(TOKENS), LINK, RULES
    )


def test_the_basket_by_hand() -> None:
    """Shares 50, 20, 10, 10, 5, 5 percent; a model has at most 20.

    a cut to 20: 80 over b to f, as 20:10:10:5:5, gives b 32. b cut too: 60 over c to f, as
    10:10:5:5, gives 20, 20, 10, 10. Quantity = weight / price, in Mtok.
    """
    basket = hand_basket()
    told = {c.model: (c.weight_e8, c.quantity_e12) for c in basket.constituents}
    assert told == {
        "a1": (20_000_000, 200_000_000_000),
        "b1": (20_000_000, 100_000_000_000),
        "c1": (20_000_000, 50_000_000_000),
        "d1": (20_000_000, 40_000_000_000),
        "e1": (10_000_000, 10_000_000_000),
        "f1": (10_000_000, 5_000_000_000),
    }
    assert basket.divisor_e15 == 10**12  # worth one dollar, level 1000
    assert (basket.volume_from, basket.volume_to) == (FIRST, LAST)
    used = {c.model: c.link_price_nano for c in basket.constituents}
    assert baskets.level_units(basket, used) == 100_000  # 1000.00


def test_a_basket_survives_its_record() -> None:
    basket = hand_basket()
    assert baskets.basket_from_record(basket.as_record()) == basket


@pytest.mark.parametrize(
    ("spend", "expected"),
    [
        pytest.param(
            {"a1": 50, "b1": 20, "c1": 10, "d1": 10, "e1": 5, "f1": 5},
            ["1/5", "1/5", "1/5", "1/5", "1/10", "1/10"],
            id="models above a fifth, again and again",
        ),
        # a is cut to 25: 75 over four gives 18.75 each. Inside a: 50 of 60 is above 20 of 25.
        pytest.param(
            {"a1": 50, "a2": 10, "b1": 5, "b2": 5, "c1": 10, "d1": 10, "e1": 10},
            ["1/5", "1/20", "3/32", "3/32", "3/16", "3/16", "3/16"],
            id="a developer above a quarter and its model above a fifth",
        ),
        # Ceilings 25, 25, 20, 20 make 90: each is scaled by 10/9. Inside a, 40:20 of 5/18;
        # inside b, 15:5 is 75:25, cut to 72:28 of 5/18 because a model has 20 at most.
        pytest.param(
            {"a1": 40, "a2": 20, "b1": 15, "b2": 5, "c1": 12, "d1": 8},
            ["5/27", "5/54", "1/5", "7/90", "2/9", "2/9"],
            id="six models of four developers cannot keep both caps",
        ),
        pytest.param(
            {"a1": 1, "b1": 1, "c1": 1, "d1": 1, "e1": 1, "f1": 1},
            ["1/6"] * 6,
            id="nothing to cap",
        ),
    ],
)
def test_shares_under_both_caps(spend: dict[str, int], expected: list[str]) -> None:
    shares = baskets.basket_shares(goods(*spend), spend, RULES)
    assert list(shares.values()) == [Fraction(e) for e in expected]
    assert list(shares) == sorted(spend)
    assert sum(shares.values()) == 1


def test_caps_hold_wherever_they_can() -> None:
    rng = random.Random(20261120)
    for case in range(200):
        models = [f"{d}{n}" for d in "abcdefg" for n in range(rng.randint(1, 3))]
        spend = {m: rng.choice((1, 10, 100, 1000)) * rng.randint(1, 9) for m in models}
        shares = baskets.basket_shares(goods(*models), spend, RULES)
        told = f"seed 20261120, case {case}: {spend}"
        assert sum(shares.values()) == 1, told
        assert max(shares.values()) <= Fraction(1, 5), told
        for developer in "abcdefg":
            own = sum(s for m, s in shares.items() if m[0] == developer)
            assert own <= Fraction(1, 4), told


def test_a_link_leaves_the_published_level_where_it_was() -> None:
    rng = random.Random(20261120)
    source = ALL.sources[1]
    for case in range(60):
        models = [f"{d}{n}" for d in "abcdef" for n in range(rng.randint(1, 3))]
        nano = {m: rng.randint(1_000_000, 50_000_000_000) for m in models}
        prices = {
            (m, day): ModelPrice(nano[m], True, "") for m in models for day in days(FIRST, LINK)
        }
        tokens = {(m, day): rng.randint(1, 10**13) for m in models for day in (days(FIRST, LAST))}
        level = rng.randint(100, 10**7)
        basket = baskets.make_basket(
            ALL, goods(*models), {source: prices}, tokens, LINK, RULES, level
        )
        assert baskets.level_units(basket, nano) == level, f"seed 20261120, case {case}"
        assert sum(c.weight_e8 for c in basket.constituents) == 10**8


def test_spend_uses_the_mean_price_of_the_volume_days() -> None:
    """a's price was 3 in half of the volume days and is 1 on the link day: its spend doubles."""
    source, prices = ALL.sources[1], table(DOLLARS)
    for day in days(FIRST, FIRST + timedelta(days=13)):
        prices["a1", day] = price(3)
    tokens = {**TOKENS, "a1": 10, "b1": 10, "c1": 5, "d1": 4, "e1": 2, "f1": 1}
    basket = baskets.make_basket(
        ALL, goods(*DOLLARS), {source: prices}, volumes(tokens), LINK, RULES
    )
    # Spend: 10 x 2, 10 x 2, 5 x 4, 4 x 5, 2 x 10, 1 x 20: all alike.
    assert {c.weight_e8 for c in basket.constituents} == {16_666_666, 16_666_667}
    assert basket.constituents[0].link_price_nano == 10**9


@pytest.mark.parametrize(
    ("drop", "message"),
    [
        pytest.param(
            lambda v: {k: n for k, n in v.items() if k[1] != date(2026, 7, 3)},
            "no volumes on 2026-07-03",
            id="a day without any volume",
        ),
        pytest.param(lambda v: {}, "no volumes on 2026-06-25", id="no volumes at all"),
        pytest.param(
            lambda v: {k: n for k, n in v.items() if k[0] != "f1"},
            "5 models of 5 developers",
            id="five models",
        ),
        pytest.param(
            lambda v: {k: 0 if k[0] == "f1" else n for k, n in v.items()},
            "5 models of 5 developers",
            id="a sixth without tokens",
        ),
    ],
)
def test_a_basket_without_its_volumes_is_refused(drop: object, message: str) -> None:
    source = ALL.sources[1]
    with pytest.raises(CoverageError, match=message):
        baskets.make_basket(
            ALL,
            goods(*DOLLARS),
            {source: table(DOLLARS)},
            drop(volumes(TOKENS)),  # type: ignore[operator]
            LINK,
            RULES,
        )


def test_three_developers_are_too_few() -> None:
    dollars = dict.fromkeys(("a1", "a2", "b1", "b2", "c1", "c2"), 1)
    source = ALL.sources[1]
    with pytest.raises(CoverageError, match="6 models of 3 developers"):
        baskets.make_basket(
            ALL, goods(*dollars), {source: table(dollars)}, volumes(dollars), LINK, RULES
        )


def test_a_domicile_keeps_the_others_out() -> None:
    chinese = ALL.model_copy(update={"domiciles": ("CN",)})
    source = ALL.sources[1]
    with pytest.raises(CoverageError, match="2 models of 2 developers"):
        baskets.make_basket(
            chinese, goods(*DOLLARS), {source: table(DOLLARS)}, volumes(TOKENS), LINK, RULES
        )


def test_sources_serve_in_order_and_only_after_fifteen_days() -> None:
    recent = days(LINK - timedelta(days=14), LINK)
    whole = {("a1", d): price(1) for d in recent} | {("f1", d): price(1) for d in recent}
    short = {("b1", d): price(1) for d in recent[1:]}
    prices = {"TKR": whole | short, "list": whole | short | {("b1", recent[0]): price(1)}}
    chosen = baskets.choose_sources(goods("a1", "b1", "f1", "c1"), prices, ["TKR", "list"], LINK)
    # b had 14 days of TKR; f is not open, so no rate of hosts prices it; c has no price.
    assert chosen == {"a1": "TKR", "b1": "list", "f1": "list"}


# --- days ----------------------------------------------------------------------------------------


class Walk:
    """The hand basket, one day after another from its link day."""

    def __init__(self) -> None:
        self.basket = hand_basket()
        self.state = composite.relink(CompositeState.empty(), self.basket, LINK)
        self.today = LINK
        self.step(DOLLARS)

    def step(
        self, dollars: dict[str, float] | dict[str, int], unconfirmed: str = ""
    ) -> composite.CompositeDay:
        source = ALL.sources[1]
        prices = {
            (m, self.today): price(Fraction(str(d)), m not in unconfirmed.split())
            for m, d in dollars.items()
        }
        told, self.state = composite.determine_composite(
            self.basket, {source: prices}, self.today, self.state, RULES
        )
        self.today += timedelta(days=1)
        return told


def status(day: composite.CompositeDay, model: str) -> tuple[str, str, int | None]:
    row = next(r for r in day.rows if r["model"] == model)
    return row["status"], row["reason"], row["price_nano"]


def without(*models: str) -> dict[str, int]:
    return {m: d for m, d in DOLLARS.items() if m not in models}


def test_the_level_moves_with_prices_at_fixed_quantities() -> None:
    walk = Walk()
    told = walk.step(DOLLARS)
    assert (told.value_units, told.waterfall, told.models) == (100_000, "REDUCED", 6)
    # a 1 to 0.9: its fifth falls by a tenth. f 20 to 30: its tenth rises by a half.
    assert walk.step({**DOLLARS, "a1": 0.9, "f1": 30}).value_units == 103_000
    # All by one third: 1333.333... rounds down.
    third = {m: Fraction(d * 4, 3) for m, d in DOLLARS.items()}
    nano = {m: round(v * 10**9) for m, v in third.items()}
    assert baskets.level_units(walk.basket, nano) == 133_333


def test_a_jump_is_held_one_day_then_imputed_and_a_confirmed_one_counts() -> None:
    walk = Walk()
    halved = {**DOLLARS, "a1": 0.5}
    told = walk.step(halved, unconfirmed="a1")
    assert status(told, "a1") == ("HELD", "JUMP_UNCONFIRMED", 10**9)
    assert told.value_units == 100_000
    told = walk.step(halved)
    assert status(told, "a1") == ("OBSERVED", "CONFIRMED_SAME_PATH", 5 * 10**8)
    assert told.value_units == 90_000


def test_a_missing_price_moves_with_the_worth_of_the_others() -> None:
    """With one of six missing, five are too few: seven models, so that six remain."""
    dollars = {**DOLLARS, "g1": 1}
    source = ALL.sources[1]
    basket = baskets.make_basket(
        ALL, goods(*dollars), {source: table(dollars)}, volumes({**TOKENS, "g1": 20}), LINK, RULES
    )
    state = composite.relink(CompositeState.empty(), basket, LINK)
    day = LINK + timedelta(days=1)
    dearer = {(m, day): price(Fraction(d * 11, 10)) for m, d in dollars.items() if m != "a1"}
    told, state = composite.determine_composite(basket, {source: dearer}, day, state, RULES)
    assert status(told, "a1") == ("IMPUTED", "NO_PRICE", 1_100_000_000)
    assert (told.value_units, told.models) == (110_000, 6)
    for n in range(2, 31):
        day = LINK + timedelta(days=n)
        same = {(m, day): found for (m, _), found in dearer.items()}
        told, state = composite.determine_composite(basket, {source: same}, day, state, RULES)
        assert (told.waterfall, told.value_units) == ("REDUCED", 110_000), n
    day = LINK + timedelta(days=31)
    same = {(m, day): found for (m, _), found in dearer.items()}
    told, state = composite.determine_composite(basket, {source: same}, day, state, RULES)
    assert status(told, "a1") == ("DROPPED", "IMPUTED_TOO_LONG", None)
    assert (told.waterfall, told.value_units) == ("CARRY", 110_000)


def test_too_few_models_are_carried_two_days_and_then_there_is_no_value() -> None:
    walk = Walk()
    told = [walk.step(without("f1")) for _ in range(4)]
    assert [t.waterfall for t in told] == ["CARRY", "CARRY", "NO_FIX", "NO_FIX"]
    assert [t.value_units for t in told] == [100_000, 100_000, None, None]
    assert walk.step(DOLLARS).value_units == 100_000


def test_a_day_without_any_price_has_no_value_and_ends_the_carrying() -> None:
    walk = Walk()
    told = [walk.step({}) for _ in range(3)]
    assert [t.waterfall for t in told] == ["NO_FIX"] * 3
    assert walk.step(without("f1")).waterfall == "NO_FIX"  # the chain of days is broken


def test_a_state_survives_its_record() -> None:
    walk = Walk()
    walk.step({**without("b1"), "a1": 0.5}, unconfirmed="a1")
    assert composite.state_from_record(walk.state.as_record()) == walk.state
    empty = CompositeState.empty()
    assert composite.state_from_record(empty.as_record()) == empty
    assert replace(walk.state, held={}) != walk.state


# --- unit value ----------------------------------------------------------------------------------


def test_the_unit_value_is_spend_over_tokens() -> None:
    # a: 160 at 2; b: 40 at 3; c has no price and is in neither sum.
    tokens = {"a1": 160, "b1": 40, "c1": 1_000_000}
    assert composite.unit_value_nano(tokens, {"a1": 2, "b1": 3}) == (440, 200)


@pytest.mark.parametrize(
    ("tokens", "prices"),
    [({}, {}), ({"a1": 5}, {}), ({"a1": 0}, {"a1": 2})],
    ids=["nothing", "no price", "no tokens"],
)
def test_no_tokens_with_a_price_have_no_unit_value(
    tokens: dict[str, int], prices: dict[str, int]
) -> None:
    assert composite.unit_value_nano(tokens, prices) is None
