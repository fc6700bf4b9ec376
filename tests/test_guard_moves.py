"""Sources that change their unit, and real moves that must pass (rulebook 2.11).

Figures are those of real bodies where a comment names one, per million tokens or per GPU-hour.
"""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest

from methodology.guards.crowd import peers
from methodology.guards.releases import Release
from tests.guard_rounds import (
    DAY,
    LIST,
    Prices,
    after,
    body,
    codes,
    crowd,
    gpus,
    look,
    registers,
    times,
    token,
)


@pytest.mark.parametrize(
    ("first", "then", "reason"),
    [
        pytest.param(gpus(), gpus("8"), "UNIT_SWITCH", id="a list of GPU-hours becomes machines"),
        pytest.param(gpus(), gpus("1/2"), "UNIT_SWITCH", id="half of every price: two GPUs"),
        pytest.param(gpus(), gpus("0.865"), "CURRENCY_SWITCH", id="dollars shown in euros"),
        pytest.param(gpus(), gpus("0.8"), "UNIT_SWITCH", id="five sellers by one ratio"),
        pytest.param(LIST, times(LIST, "10000"), "UNIT_SWITCH", id="ten thousand times (Novita)"),
        pytest.param(LIST, times(LIST, "1/1000"), "UNIT_SWITCH", id="per thousand for per million"),
        pytest.param(LIST, times(LIST, "7.08"), "CURRENCY_SWITCH", id="yuan labelled as dollars"),
        pytest.param(LIST, times(LIST, "100/708"), "CURRENCY_SWITCH", id="and the reverse"),
        pytest.param(LIST, times(LIST, "100", "OUT"), "ONE_SIDED", id="all output prices"),
        pytest.param(LIST, times(LIST, "1/10", "IN", "CIN"), "ONE_SIDED", id="all input prices"),
        pytest.param(LIST, times(LIST, "1/2"), "UNIT_SWITCH", id="six listings to a half"),
    ],
)
def test_a_source_that_changes_its_unit_is_refused_whole(
    first: Prices, then: Prices, reason: str
) -> None:
    made = after(first, then)
    assert made.verdict is not None
    assert made.verdict.reason == reason
    assert set(made.rejections["reason"]) == {reason}
    assert made.quotes["price_text"].null_count() == made.quotes.height


def test_a_refused_source_stays_refused_until_its_figures_return() -> None:
    state = look(None, body(gpus())).state
    for day in (1, 2, 40):
        made = look(state, body(gpus("8"), day), day)
        if day == 40:
            break
        state = made.state
        assert made.verdict is not None
        assert (made.verdict.bodies, made.verdict.since) == (day, DAY + timedelta(days=1))
        good = state.offers["nano"].to_list()
        assert good == sorted(good, key=good.index)
        assert max(good) == 6_160_000_000
    back = look(state, body(gpus(), 3), 3)
    assert back.verdict is None
    assert back.rejections.is_empty()
    assert back.state.memory.reason is None


@pytest.mark.parametrize(
    ("first", "then", "reason"),
    [
        pytest.param(gpus(), gpus("8"), "UNIT_SWITCH", id="a unit"),
        pytest.param(LIST, times(LIST, "7.08"), "CURRENCY_SWITCH", id="a currency"),
    ],
)
def test_a_reviewed_line_lets_a_source_back_in_and_only_once(
    first: Prices, then: Prices, reason: str
) -> None:
    state = look(None, body(first)).state
    state = look(state, body(then, 1), 1).state
    day = (DAY + timedelta(days=2)).date()
    line = Release("mirror", reason, "*", day, "who", "why", "https://example.com")
    other = Release("mirror", "SENTINEL", "*", day, "who", "why", "https://example.com")
    assert look(state, body(then, 3), 3, releases=(other,)).verdict is not None
    made = look(state, body(then, 3), 3, releases=(line,))
    assert made.verdict is None
    assert made.rejections.is_empty()
    assert set(made.state.offers["held"]) == {None}
    later = look(made.state, body(first, 4), 4, releases=(line,))
    assert later.verdict is not None


def test_a_reviewed_line_can_speak_of_one_listing() -> None:
    two = {("x", "m"): token("1", "4"), ("x", "n"): token("2", "8")}
    state = look(look(None, body(two)).state, body(times(two, "100"), 1), 1).state
    day = (DAY + timedelta(days=1)).date()
    line = Release("mirror", "UNIT_SWITCH", "n", day, "who", "why", "https://example.com")
    made = look(state, body(times(two, "100"), 2), 2, releases=(line,))
    assert codes(made) == {"m": "UNIT_SWITCH"}


# openrouter_models: DeepSeek V4 Pro on 2026-04-26 and -27, ring-2.6-1t on 06-01, Mistral's and
# Xiaomi's cached prices; litellm: o3 on 2025-06-14
@pytest.mark.parametrize(
    ("was", "now"),
    [
        pytest.param(token("1.74", "3.48", "0.145"), token("0.435", "0.87", "0.03625"), id="-75%"),
        pytest.param(
            token("0.435", "0.87", "0.03625"), token("0.435", "0.87", "0.003625"), id="cache / 10"
        ),
        pytest.param(token("0.4", "2", "0.08"), token("0.14", "0.28", "0.0028"), id="cache / 29"),
        pytest.param(
            token("0.075", "0.625", "0.015"), token("0.3", "2.5", "0.06"), id="a promotion ends"
        ),
        pytest.param(token("10", "40", "2.5"), token("2", "8", "0.5"), id="o3 to a fifth"),
        pytest.param(token("0.2", "1.5"), token("1", "1.5"), id="input times five, alone known"),
    ],
)
def test_real_moves_of_one_offer_pass(was: dict[str, str], now: dict[str, str]) -> None:
    rest = dict(list(LIST.items())[:5])
    made = after({**rest, ("x", "m"): was}, {**rest, ("x", "m"): now})
    assert made.rejections.is_empty()
    assert made.verdict is None


def test_a_promotion_that_ends_far_from_its_last_price_but_near_the_others_passes() -> None:
    # openrouter_endpoints 2026-07-21: Baidu's glm-5.2, 4.5 times in a day
    others = crowd("glm-5.2", {"IN": ("1.0", "1.12", "1.4"), "OUT": ("3.2", "3.52", "4.4")})
    was, now = token("0.28", "0.88", "0.052"), token("1.26", "3.96", "0.234")
    made = after({("Baidu", "glm"): was}, {("Baidu", "glm"): now}, others=others)
    assert made.rejections.is_empty()


def test_a_list_that_turns_to_peak_prices_is_refused_and_comes_back_by_itself() -> None:
    # litellm 2026-08-21 and -22: deepseek-v4-flash, 0.14/0.28 to 0.44/1.32 for one day
    others = crowd("deepseek-v4-flash", {"IN": ("0.14", "0.14", "0.15"), "OUT": ("0.28",) * 3})
    was, now = token("0.14", "0.28", "0.0028"), token("0.44", "1.32", "0.014")
    state = look(None, body({("deepseek", "ds"): was})).state
    made = look(state, body({("deepseek", "ds"): now}, 1), 1, others=others)
    assert codes(made) == {"ds": "UNIT_SWITCH"}
    assert made.rejections.height == 3
    back = look(made.state, body({("deepseek", "ds"): was}, 2), 2, others=others)
    assert back.rejections.is_empty()


def test_the_same_price_on_another_path_confirms_a_move() -> None:
    was, now = token("0.14", "0.28"), token("0.44", "1.32")
    alone = crowd("deepseek-v4-flash", {"IN": ("0.14",) * 3, "OUT": ("0.28",) * 3})
    same = alone.clear().vstack(
        pl.concat(
            [crowd("deepseek-v4-flash", {"IN": ("0.44",), "OUT": ("1.32",)}, path="router")]
        ).with_columns(pl.lit("deepseek").alias("owner"))
    )
    made = after({("deepseek", "ds"): was}, {("deepseek", "ds"): now}, others=alone)
    assert codes(made) == {"ds": "UNIT_SWITCH"}
    both = pl.concat([alone, same])
    assert after(
        {("deepseek", "ds"): was}, {("deepseek", "ds"): now}, others=both
    ).rejections.is_empty()


def test_two_sources_that_both_see_a_real_move_release_each_other() -> None:
    was, now = {("xai", "grok"): token("0.2", "1.5")}, {("xai", "grok"): token("3", "15")}
    states = {s: look(None, body(was, source=s), source=s).state for s in ("router", "list")}
    lines = registers("mirror", "router", "list")
    for source, refused in (("router", 2), ("list", 0), ("router", 0)):
        far = peers([s for name, s in states.items() if name != source], lines)
        made = look(states[source], body(now, 1, source), 1, source=source, others=far)
        assert made.rejections.height == refused
        states[source] = made.state


@pytest.mark.parametrize("factor", ["0.8", "0.9", "1.25"])
def test_one_seller_that_moves_all_its_prices_alike_is_noted_and_stands(factor: str) -> None:
    made = after(LIST, times(LIST, factor))
    assert made.verdict is None
    assert made.rejections.is_empty()
    assert "UNIFORM_MOVE" in made.notes["code"].to_list()


def test_one_seller_that_cuts_three_listings_by_three_quarters_stands() -> None:
    few = dict(list(LIST.items())[:3])
    assert after(few, times(few, "1/4")).rejections.is_empty()


def test_a_crowd_that_moves_by_different_ratios_stands() -> None:
    then = gpus(nebius="1.48", runpod="1.2", hyperstack="1.31", coreweave="3.0")
    then["lambda", "h100|80|on-demand"] = {"GPU_H": "2.0"}
    assert after(gpus(), then).rejections.is_empty()


def test_the_first_seller_to_cut_to_a_fifth_passes_though_the_others_stand() -> None:
    # litellm 2025-06-14: o3 from 10/40 to 2/8; Azure's and OpenRouter's still at 10/40
    others = crowd("o3", {"IN": ("10", "10", "10"), "OUT": ("40", "40", "40")})
    was, now = token("10", "40", "2.5"), token("2", "8", "0.5")
    assert after(
        {("openai", "o3"): was}, {("openai", "o3"): now}, others=others
    ).rejections.is_empty()
    alone = token("2", "40", "2.5")
    made = after({("openai", "o3"): was}, {("openai", "o3"): alone}, others=others)
    assert codes(made) == {"o3": "ONE_SIDED"}


def test_an_offer_may_return_to_a_price_it_had() -> None:
    state = None
    for day, factor in enumerate(("1", "1/3", "1/9", "1/18", "1")):
        made = look(state, body(times({("x", "m"): token("9", "36")}, factor), day), day)
        assert made.rejections.is_empty()
        state = made.state


def test_a_seller_whose_list_another_path_shows_too_has_moved_and_not_slipped() -> None:
    seller = {("novita", k): token("2.7", "8.1") for k in ("ds", "glm", "o3")}
    goods = ("deepseek-v4-flash", "glm-5.2", "o3")
    shown = [crowd(good, {"IN": ("0.27",), "OUT": ("0.81",)}, "router") for good in goods]
    same = pl.concat(shown).with_columns(pl.lit("novita").alias("owner"))
    then = times(seller, "1/10")
    assert after(seller, then).verdict is not None
    made = after(seller, then, others=same)
    assert made.verdict is None
    assert made.rejections.is_empty()


def test_a_reviewed_line_ends_no_refusal_that_began_after_it() -> None:
    state = look(look(None, body(gpus())).state, body(gpus("8"), 3), 3).state
    day = (DAY + timedelta(days=2)).date()
    line = Release("mirror", "UNIT_SWITCH", "*", day, "who", "why", "https://example.com")
    made = look(state, body(gpus("8"), 4), 4, releases=(line,))
    assert made.verdict is not None
    assert made.rejections.height == 5
