"""What a composite says of its days: carried or not, and which flags, each case by hand.

Six models of six developers with weights 20, 20, 20, 20, 10 and 10 percent at prices 1, 2, 4, 5,
10 and 20: the basket that ``tests/test_composite.py`` works out.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from typing import Any, cast

import pytest

from index import composites, live
from index.draft_composites import composite_flags
from index.ledger.batches import Batches
from index.outcome import SessionPlan
from methodology import composite
from methodology.composite import CompositeDay, CompositeState
from methodology.definition import Methodology, load_methodology
from methodology.errors import CoverageError
from tests.test_composite import ALL, DOLLARS, LINK, hand_basket, price, without

RULES, FIRST_RULES = load_methodology(), load_methodology("1.0.0")
VERSIONS = pytest.mark.parametrize(
    "rules", [RULES, FIRST_RULES], ids=["rules of 1.1.0", "rules of 1.0.0"]
)


class Walk:
    """The basket from its link day on, under one version; flags as a print would carry them."""

    def __init__(self, rules: Methodology = RULES) -> None:
        self.rules, self.basket, self.today = rules, hand_basket(), LINK
        self.state = composite.relink(CompositeState.empty(), self.basket, LINK)
        self.step(DOLLARS)

    def step(
        self, dollars: dict[str, int] | dict[str, float], unconfirmed: str = ""
    ) -> tuple[CompositeDay, set[str]]:
        """Return the next day and its flags."""
        shown = {
            (m, self.today): price(d, m not in unconfirmed.split()) for m, d in dollars.items()
        }
        told, self.state = composite.determine_composite(
            self.basket, {ALL.sources[1]: shown}, self.today, self.state, self.rules
        )
        self.today += timedelta(days=1)
        return told, set(composite_flags(told, self.state, self.rules))


def levels(walk: Walk, *markets: dict[str, int]) -> list[str]:
    return [walk.step(shown)[0].waterfall for shown in markets]


# --- carried only while one is observed (10.5) -------------------------------------------------


def test_nothing_is_carried_on_a_day_on_which_no_constituent_is_observed() -> None:
    walk = Walk()
    told, _ = walk.step({})
    assert (told.waterfall, told.value_units, told.models) == ("NO_FIX", None, 0)
    # One is observed again, but the day before carried nothing: the chain is broken (10.1).
    assert levels(walk, {"a1": 1}, without("f1")) == ["NO_FIX", "NO_FIX"]
    assert walk.step(DOLLARS)[0].value_units == 100_000


def test_one_observed_constituent_is_enough_to_carry() -> None:
    walk = Walk()
    assert levels(walk, {"a1": 1}, {"f1": 20}, {"a1": 1}) == ["CARRY", "CARRY", "NO_FIX"]


def test_a_constituent_that_is_held_counts_as_observed() -> None:
    walk = Walk()
    told, flags = walk.step({"a1": 3}, unconfirmed="a1")
    assert (told.waterfall, told.value_units) == ("CARRY", 100_000)
    assert flags == {"MIRRORED_EVIDENCE", "HELD"}
    # Held for one day at most: on the second nobody is observed.
    assert walk.step({"a1": 3}, unconfirmed="a1")[0].waterfall == "NO_FIX"


def test_a_carried_day_before_a_silent_one_is_the_last_that_is_carried() -> None:
    assert levels(Walk(), {"a1": 1}, {}, {"a1": 1}) == ["CARRY", "NO_FIX", "NO_FIX"]


def test_rules_of_1_0_0_carried_over_silence() -> None:
    assert levels(Walk(FIRST_RULES), {}, {}, {}) == ["CARRY", "CARRY", "NO_FIX"]


# --- flags of a day (11.5) ---------------------------------------------------------------------


def test_a_quiet_day_says_that_mirrored_prices_count_and_nothing_else() -> None:
    assert Walk().step(DOLLARS)[1] == {"MIRRORED_EVIDENCE"}


def test_a_day_without_any_price_has_no_flag_of_prices() -> None:
    assert Walk().step({})[1] == set()


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        pytest.param(RULES, {"MIRRORED_EVIDENCE"}, id="1.1.0: the value repeats, none is imputed"),
        pytest.param(FIRST_RULES, {"MIRRORED_EVIDENCE", "IMPUTED"}, id="1.0.0"),
    ],
)
def test_a_carried_day_imputes_nothing(rules: Methodology, expected: set[str]) -> None:
    told, flags = Walk(rules).step(without("f1"))  # five of six: too few
    assert (told.waterfall, flags) == ("CARRY", expected)


@VERSIONS
def test_a_day_with_a_value_and_an_imputed_price_says_so(rules: Methodology) -> None:
    """No basket of six can have one; five constituents are let stand for the day."""
    few = rules.composite.model_copy(update={"min_models": 5})
    walk = Walk(rules.model_copy(update={"composite": few}))
    told, flags = walk.step(without("f1"))
    assert (told.waterfall, flags) == ("REDUCED", {"MIRRORED_EVIDENCE", "IMPUTED"})


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        pytest.param(RULES, {"MIRRORED_EVIDENCE", "CONFIRMED_SAME_PATH"}, id="1.1.0"),
        pytest.param(FIRST_RULES, {"MIRRORED_EVIDENCE"}, id="1.0.0 did not say it"),
    ],
)
def test_a_jump_that_its_own_source_confirms(rules: Methodology, expected: set[str]) -> None:
    """a at half its price: 1 to 0.5 is beyond 5/8. Held while unconfirmed, then confirmed."""
    walk = Walk(rules)
    halved = {**DOLLARS, "a1": 0.5}
    assert walk.step(halved, unconfirmed="a1")[1] == {"MIRRORED_EVIDENCE", "HELD"}
    told, flags = walk.step(halved)
    assert (told.value_units, flags) == (90_000, expected)
    assert walk.step(halved)[1] == {"MIRRORED_EVIDENCE"}  # no jump any more


def test_a_move_that_is_no_jump_needs_no_confirmation() -> None:
    """1 to 1.6 is exactly 8/5, no jump (6.2): a fifth of the basket rises by 60 percent."""
    told, flags = Walk().step({**DOLLARS, "a1": 1.6})
    assert (told.value_units, flags) == (112_000, {"MIRRORED_EVIDENCE"})


# --- notice (10.6) -----------------------------------------------------------------------------


def test_three_days_without_a_determined_value_are_told_to_oversight() -> None:
    walk = Walk()
    told = [walk.step(without("f1")) for _ in range(4)]
    assert [t.waterfall for t, _ in told] == ["CARRY", "CARRY", "NO_FIX", "NO_FIX"]
    assert ["OVERSIGHT_NOTICE" in flags for _, flags in told] == [False, False, True, True]
    assert walk.step(DOLLARS)[1] == {"MIRRORED_EVIDENCE"}


def test_days_without_any_fixing_count_too() -> None:
    """The last value is of 1 August; the 2nd and 3rd have no fixing, the 4th has no value."""
    walk = Walk()
    walk.today = date(2026, 8, 4)
    assert walk.step({})[1] == {"OVERSIGHT_NOTICE"}


def test_rules_of_1_0_0_give_no_notice() -> None:
    walk = Walk(FIRST_RULES)
    assert not any("OVERSIGHT_NOTICE" in walk.step({})[1] for _ in range(5))


def test_a_composite_that_never_had_a_value_is_not_flagged() -> None:
    walk = Walk()
    walk.state, walk.today = CompositeState.empty(), date(2026, 9, 1)
    told, flags = walk.step({})
    assert (told.waterfall, flags) == ("NO_FIX", set())
    assert composite_flags(None, None, RULES) == ()


def test_rules_of_1_0_0_flag_a_day_without_a_basket_as_they_did() -> None:
    assert composite_flags(None, None, FIRST_RULES) == ("MIRRORED_EVIDENCE",)


# --- a skipped link (13.6) ---------------------------------------------------------------------


def series(
    monkeypatch: pytest.MonkeyPatch, first: date, last: date, before: Any
) -> composites.CompositeSeries:
    """The basket at its link prices over some days, on which no basket can be linked."""

    def refuse(*_: Any, **__: Any) -> None:
        raise CoverageError("no volumes")

    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    shown = {(m, day): price(d) for m, d in DOLLARS.items() for day in days}
    monkeypatch.setattr(composites, "model_prices", lambda *_: {ALL.sources[1]: shown})
    monkeypatch.setattr(composites.composite, "make_basket", refuse)
    one = SessionPlan(ALL.session, days, [], cast("Any", None), [], {})
    return composites.composite_series(ALL, one, {}, {}, {}, last, RULES, before)


def flagged(made: composites.CompositeSeries, rules: Methodology = RULES) -> list[int]:
    """Days of the month on which the series says that a link was skipped."""
    return [
        day.day
        for day, told in made.days.items()
        if "LINK_SKIPPED"
        in composite_flags(
            told, made.states[day], rules, has_skipped=any(d <= day for d in made.skipped_links)
        )
    ]


def test_a_skipped_link_is_told_from_its_day_on_however_often_the_series_is_taken_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    basket = hand_basket()
    start = composite.relink(CompositeState.empty(), basket, LINK)
    whole = series(monkeypatch, date(2026, 9, 29), date(2026, 10, 4), (basket, start))
    assert whole.skipped_links == [date(2026, 10, 1)]
    assert flagged(whole) == [1, 2, 3, 4]
    state, told = start, list[int]()
    for day in whole.days:  # one day at a time, each from what the day before left
        one = series(monkeypatch, day, day, (basket, state))
        state, told = one.states[day], told + flagged(one)
    assert told == [1, 2, 3, 4]
    assert state == whole.states[date(2026, 10, 4)]


def test_rules_of_1_0_0_said_it_of_the_skipped_day_alone_when_taken_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    basket = hand_basket()
    start = composite.relink(CompositeState.empty(), basket, LINK)
    state = replace(start, link_skipped=True)
    taken_up = series(monkeypatch, date(2026, 10, 2), date(2026, 10, 3), (basket, state))
    assert (flagged(taken_up), flagged(taken_up, FIRST_RULES)) == ([2, 3], [])


@pytest.mark.parametrize("flags", [["LINK_SKIPPED", "HELD"], ["HELD"], []], ids=str)
def test_a_live_day_takes_it_from_the_fixing_that_it_continues_from(flags: list[str]) -> None:
    """The flag stands in the fixing; the bytes of the state stay those of every earlier one."""
    walk = Walk()
    kept = {
        "state": json.dumps({"index_id": ALL.index_id, **walk.state.as_record()}),
        "basket": json.dumps(walk.basket.as_record()),
    }

    class Store:
        def get(self, kind: str, digest: str) -> bytes:
            return kept[digest].encode()

    last = {
        "seq": 7, "panel_state": {"sha256": "state"}, "basket_digest": "basket", "flags": flags,
    }  # fmt: skip
    found = live.Before({})
    live.take(found, ALL.index_id, ALL, last, cast("Batches", Store()))
    is_skipped = "LINK_SKIPPED" in flags
    expected = replace(walk.state, link_skipped=is_skipped)
    assert found.composites[ALL.index_id] == (walk.basket, expected)
    assert expected.as_record() == walk.state.as_record()
    after = composite.relink(expected, walk.basket, LINK)
    assert after.link_skipped is is_skipped
