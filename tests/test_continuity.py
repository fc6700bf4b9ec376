"""Composites between two quarterly links, each case worked by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

import pytest

from methodology import baskets, composite, continuity
from methodology.baskets import Basket, Good, ModelPrice
from methodology.composite import CompositeDay, CompositeState
from methodology.continuity import Market
from methodology.definition import CompositeDefinition, load_definitions, load_methodology
from methodology.errors import CoverageError, DefinitionError
from methodology.register_continuity import Event, breaks, load_events, parse_events

RULES = load_methodology()
COMPOSITES = {d.index_id: d for d in load_definitions() if isinstance(d, CompositeDefinition)}
OPEN = COMPOSITES["TKX-OPEN-BLD"].model_copy(update={"open_weights": None})
LINK = date(2026, 8, 1)
LIST = "litellm"
PRICES = {"a1": 1, "b1": 2, "c1": 4, "d1": 5, "e1": 10, "f1": 20, "g1": 25}
"""Seven models of seven developers; each is weighted alike, so quantities are 1 / 7 / price."""


def days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def event(kind: str, model: str, day: date, sources: tuple[str, ...] = ()) -> Event:
    return Event(kind, model, day, sources, "https://example.org", day, "a test")


def market(
    last: date,
    events: tuple[Event, ...] = (),
    dollars: dict[str, int] | None = None,
    millions: dict[str, int] | None = None,
    spoken_to: date | None = None,
    since: dict[str, date] | None = None,
) -> Market:
    """Prices that never move; equal spend unless said otherwise; tokens of every day."""
    told = dollars or PRICES
    sold = millions or {m: 100 // p for m, p in told.items()}
    held = {
        (m, d): ModelPrice(p * 10**9, True, "")
        for m, p in told.items()
        for d in days((since or {}).get(m, date(2026, 6, 1)), last)
    }
    volumes = {
        (m, d): n * 10**6
        for m, n in sold.items()
        for d in days(date(2026, 6, 1), spoken_to or last)
    }
    goods = [Good(m, m[0], "US", True) for m in told]
    return Market(goods, {LIST: held}, volumes, {}, events)


def linked(world: Market) -> Basket:
    return baskets.make_basket(OPEN, world.goods, world.prices, world.volumes, LINK, RULES)


class Walk:
    """A composite from its link day on, links between quarters included."""

    def __init__(self, world: Market, definition: CompositeDefinition = OPEN) -> None:
        self.world, self.definition = world, definition
        self.basket = linked(replace(world, events=()))
        self.state = composite.relink(CompositeState.empty(), self.basket, LINK)
        self.links: dict[date, Basket] = {}
        self.told: dict[date, CompositeDay] = {}

    def to(self, last: date) -> Walk:
        for day in days(max(self.told, default=LINK) + timedelta(days=1), last):
            gone = continuity.ended(self.basket, day, self.world.events)
            told, self.state = composite.determine_composite(
                self.basket, self.world.prices, day, self.state, RULES, gone
            )
            self.told[day] = told
            assert told.value_units is not None
            new = continuity.link_between(
                self.definition, self.world, self.basket, day, self.state.used, self.state.seen,
                told.value_units, RULES,
            )  # fmt: skip
            if new is not None:
                self.links[day] = self.basket = new
                self.state = composite.relink(self.state, new, day)
        return self

    @property
    def models(self) -> list[str]:
        return [c.model for c in self.basket.constituents]

    def row(self, day: date, model: str) -> dict[str, Any]:
        return next(r for r in self.told[day].rows if r["model"] == model)


def test_linking_out_by_hand() -> None:
    """Seven models of a seventh each; a has doubled, so the level is 8/7 of 1000; then g goes.

    Quantities stay, and the divisor makes what is left worth the level of the day.
    """
    basket = linked(market(LINK))
    used = {m: p * 10**9 for m, p in PRICES.items()} | {"a1": 2 * 10**9}
    level = baskets.level_units(basket, used)  # eight sevenths: 1142.86
    assert level == 114_286
    new = continuity.link_out(basket, {"g1"}, used, date(2026, 8, 9), level, RULES)
    quantities = {c.model: c.quantity_e12 for c in basket.constituents}
    assert {c.model: c.quantity_e12 for c in new.constituents} == {
        m: q for m, q in quantities.items() if m != "g1"
    }
    # Worth left: a two sevenths, five others a seventh each. Shares 2/7 and 1/7 of what is left.
    weights = [c.weight_e8 for c in new.constituents]
    assert (weights[0], set(weights[1:]), sum(weights)) == (
        28_571_429, {14_285_714, 14_285_715}, 10**8,
    )  # fmt: skip
    # Published weights: a and b 0.14285715, the others 0.14285714. So what is left is worth
    # 2 * 0.14285715 + 0.14285715 + 4 * 0.14285714, and D is that by 1142.86.
    worth = sum(Fraction(quantities[m] * used[m], 10**21) for m in quantities if m != "g1")
    assert worth == Fraction("1.00000001")
    assert new.divisor_e15 == round(worth / Fraction(114_286, 100) * 10**15)
    assert baskets.level_units(new, used) == level
    assert (new.linked_on, new.volume_from) == (date(2026, 8, 9), basket.volume_from)


def test_too_few_would_be_left() -> None:
    basket = linked(market(LINK))
    used = {m: p * 10**9 for m, p in PRICES.items()}
    with pytest.raises(CoverageError, match="without f1, g1: 5 models of 5 developers"):
        continuity.link_out(basket, {"f1", "g1"}, used, LINK, 100_000, RULES)


def test_an_announced_exit_is_linked_out_on_its_last_day() -> None:
    last = date(2026, 8, 20)
    world = market(date(2026, 9, 30), (event("exit", "g1", last),))
    walk = Walk(world).to(date(2026, 8, 25))
    assert list(walk.links) == [last]
    assert walk.row(last, "g1")["status"] == "OBSERVED"
    assert walk.models == ["a1", "b1", "c1", "d1", "e1", "f1"]
    assert {t.value_units for t in walk.told.values()} == {100_000}


def test_a_sudden_exit_of_a_seventh_calls_for_a_basket_on_the_first_day() -> None:
    gone = date(2026, 8, 20)
    walk = Walk(market(date(2026, 9, 30), (event("sudden_exit", "g1", gone),))).to(gone)
    row = walk.row(gone, "g1")
    assert (row["status"], row["reason"], row["quoted_nano"]) == ("IMPUTED", "EXITED", None)
    assert list(walk.links) == [gone]
    assert walk.models == ["a1", "b1", "c1", "d1", "e1", "f1"]
    assert walk.basket.volume_to == date(2026, 8, 10)  # a new basket: its own 28 days
    assert {c.weight_e8 for c in walk.basket.constituents} == {16_666_666, 16_666_667}


def test_without_volumes_it_is_linked_out_on_the_fifth_day() -> None:
    gone = date(2026, 8, 20)
    world = market(
        date(2026, 9, 30), (event("sudden_exit", "g1", gone),), spoken_to=date(2026, 7, 22)
    )
    walk = Walk(world).to(date(2026, 8, 30))
    assert list(walk.links) == [date(2026, 8, 24)]
    assert walk.basket.volume_to == date(2026, 7, 22)
    statuses = [walk.row(d, "g1")["status"] for d in days(date(2026, 8, 19), date(2026, 8, 24))]
    assert statuses == ["OBSERVED", *["IMPUTED"] * 5]


SMALL = {m: 100 // p for m, p in PRICES.items()} | {"g1": 2}
"""g1 with half the spend of each other: a thirteenth of the worth, less than a tenth."""


def test_a_small_sudden_exit_is_imputed_as_long_as_it_may_be_and_then_linked_out() -> None:
    gone = date(2026, 8, 20)
    world = market(date(2026, 9, 30), (event("sudden_exit", "g1", gone),), millions=SMALL)
    walk = Walk(world).to(date(2026, 9, 20))
    # Last seen on 08-19; thirty days later is 09-18.
    assert list(walk.links) == [date(2026, 9, 18)]
    assert walk.row(date(2026, 9, 18), "g1")["status"] == "IMPUTED"
    assert {t.waterfall for t in walk.told.values()} == {"REDUCED"}


def test_two_small_exits_together_are_a_large_one() -> None:
    sold = SMALL | {"f1": 2}  # twelfths: f a 1/5 of the others' spend, 40 and 50 against 100
    world = market(
        date(2026, 9, 30),
        (event("sudden_exit", "g1", date(2026, 8, 20)),
         event("sudden_exit", "f1", date(2026, 8, 22))),
        dollars=PRICES | {"h1": 1, "i1": 1},
        millions=sold | {"h1": 100, "i1": 100},
    )  # fmt: skip
    walk = Walk(world).to(date(2026, 8, 23))
    # Spend 7 x 100, f 40, g 50: g alone 50/790 is below a tenth, both 90/790 are above.
    assert list(walk.links) == [date(2026, 8, 22)]
    assert walk.models == ["a1", "b1", "c1", "d1", "e1", "h1", "i1"]


@pytest.mark.parametrize("kind", ["redirect", "new_terms"])
def test_an_id_that_serves_something_else_is_an_exit_and_an_entry(kind: str) -> None:
    """The list goes on stating a price for g, three times as high: it moves nothing."""
    gone = date(2026, 8, 20)
    world = market(date(2026, 12, 31), (event(kind, "g1", gone, (LIST,)),))
    held = {
        (m, d): ModelPrice(75 * 10**9, True, "") if m == "g1" and d >= gone else p
        for (m, d), p in world.prices[LIST].items()
    }
    world = replace(world, prices={LIST: held})
    walk = Walk(world).to(date(2026, 9, 10))
    assert {t.value_units for t in walk.told.values()} == {100_000}
    assert "g1" not in walk.models
    # The entry waits for fifteen days of the new product: 08-20 to 09-03.
    goods = [Good("g1", "g", "US", True)]
    for day, expected in ((date(2026, 9, 2), {}), (date(2026, 9, 3), {"g1": LIST})):
        assert baskets.choose_sources(goods, world.prices, [LIST], day, world.events) == expected


def test_a_line_of_one_source_leaves_the_others_alone() -> None:
    lines = [event("redirect", "g1", date(2026, 8, 20), ("genai_prices",))]
    assert breaks(lines, "g1", "genai_prices") == [date(2026, 8, 20)]
    assert breaks(lines, "g1", LIST) == []
    assert breaks([event("exit", "g1", date(2026, 8, 20))], "g1", LIST) == [date(2026, 8, 21)]
    assert continuity.ended(linked(market(LINK)), date(2026, 9, 1), lines) == {}


def test_a_successor_is_a_product_of_its_own() -> None:
    """g2 follows g1 at half its price on 08-20. The composite does not fall; g2 waits its turn."""
    born = date(2026, 8, 20)
    world = market(
        date(2026, 12, 31),
        (event("exit", "g1", born),),
        dollars=PRICES | {"g2": 12},
        millions={m: 100 // p for m, p in PRICES.items()} | {"g2": 0},
        since={"g2": born},
    )
    walk = Walk(world).to(date(2026, 9, 30))
    assert {t.value_units for t in walk.told.values()} == {100_000}
    assert list(walk.links) == [born]
    assert not {"g1", "g2"} & set(walk.models)


def test_fast_entry_waits_for_the_first_of_the_month() -> None:
    """h has more than a twentieth of the tokens, k less; both are priced from 08-10 on."""
    sold = dict.fromkeys(PRICES, 100) | {"h1": 50, "k1": 30}
    world = market(
        date(2026, 12, 31),
        dollars=PRICES | {"h1": 3, "k1": 3},
        millions=sold,
        since={"h1": date(2026, 8, 10), "k1": date(2026, 8, 10)},
    )
    walk = Walk(world).to(date(2026, 9, 2))
    # 50 / 780 is above a twentieth, 30 / 780 below; fifteen days of price by 08-24.
    assert list(walk.links) == [date(2026, 9, 1)]
    assert walk.models == [*PRICES, "h1"]
    assert (walk.basket.volume_from, walk.basket.volume_to) == (
        date(2026, 7, 26),
        date(2026, 8, 22),
    )
    assert walk.told[date(2026, 9, 2)].value_units == 100_000


@pytest.mark.parametrize(
    ("tokens", "since", "expected"),
    [
        # 700 + x: x = 36 is 36/736 = 0.0489; 37 is 37/737 = 0.0502.
        (36, date(2026, 8, 1), []),
        (37, date(2026, 8, 1), ["h1"]),
        (37, date(2026, 8, 18), ["h1"]),
        (37, date(2026, 8, 19), []),
    ],
    ids=["a twentieth is not reached", "passed", "fifteen days of price", "fourteen"],
)
def test_who_has_fast_entry(tokens: int, since: date, expected: list[str]) -> None:
    sold = dict.fromkeys(PRICES, 100) | {"h1": tokens}
    world = market(date(2026, 9, 1), dollars=PRICES | {"h1": 3}, millions=sold, since={"h1": since})
    basket = baskets.make_basket(
        OPEN, world.goods, world.prices, world.volumes, LINK, RULES, only=set(PRICES)
    )
    found = continuity.fast_entrants(OPEN, world, basket, date(2026, 9, 1), RULES)
    assert found == expected
    assert continuity.fast_entrants(OPEN, world, basket, date(2026, 9, 2), RULES) == []
    silent = replace(world, volumes={k: v for k, v in world.volumes.items() if k[1].day != 8})
    assert continuity.fast_entrants(OPEN, silent, basket, date(2026, 9, 1), RULES) == []


def test_a_definition_of_the_first_rules_is_linked_quarterly_only() -> None:
    first = COMPOSITES["TKX-ALL-BLD"]
    assert first.methodology == "1.0.0"
    assert not continuity.has_continuity(first, RULES)
    assert continuity.has_continuity(OPEN, RULES)
    world = market(date(2026, 9, 30), (event("exit", "g1", date(2026, 8, 20)),))
    basket = linked(replace(world, events=()))
    used = {m: p * 10**9 for m, p in PRICES.items()}
    day = date(2026, 8, 20)
    arguments = (world, basket, day, used, dict.fromkeys(PRICES, day), 100_000, RULES)
    assert continuity.link_between(first, *arguments) is None
    assert continuity.link_between(OPEN, *arguments) is not None


def test_the_basket_shown_ahead_has_the_weights_of_the_link() -> None:
    """Shown on 09-26 for 10-01; a's price doubles on 09-29: its quantity halves, weights stay."""
    world = market(date(2026, 10, 1))
    due = date(2026, 10, 1)
    shown = continuity.pro_forma(OPEN, world, due, 100_000, RULES)
    assert (shown.volume_from, shown.volume_to) == (date(2026, 8, 25), date(2026, 9, 21))
    held = {
        (m, d): ModelPrice(2 * p.price_nano, True, "")
        if m == "a1" and d >= date(2026, 9, 29)
        else p
        for (m, d), p in world.prices[LIST].items()
    }
    moved = replace(world, prices={LIST: held})
    made = baskets.make_basket(OPEN, moved.goods, moved.prices, moved.volumes, due, RULES, 107_143)
    assert continuity.pro_forma(OPEN, moved, due, 100_000, RULES) == shown
    assert [c.weight_e8 for c in made.constituents] == [c.weight_e8 for c in shown.constituents]
    first, now = shown.constituents[0], made.constituents[0]
    assert (first.quantity_e12, now.quantity_e12) == (142_857_150_000, 71_428_575_000)


# --- the register --------------------------------------------------------------------------------

LINE = """
[[event]]
kind = "exit"
model = "m"
day = 2026-08-01
sources = []
url = "https://example.org"
reviewed = 2026-08-02
why = "told on its page"
"""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LINE.replace('"exit"', '"gone"'), "kind 'gone' is none of"),
        (LINE.replace("sources = []\n", ""), "keys .'sources'. differ"),
        (LINE + "more = 1\n", "keys .'more'. differ"),
        (LINE.replace("2026-08-01", '"2026-08-01"'), "wrong type"),
        (LINE + LINE, "m 2026-08-01: is listed twice"),
        ("[[events]]\n", "unknown table .'events'"),
        ("[[event", "not valid TOML"),
    ],
    ids=["kind", "missing key", "unknown key", "date as text", "twice", "table", "no TOML"],
)
def test_a_wrong_line_is_refused(text: str, message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        parse_events(text)


def test_the_packaged_lines_name_models_of_the_register() -> None:
    from methodology.register import load_models

    known = {m.id for m in load_models()}
    assert load_events()
    assert {e.model for e in load_events()} <= known
