"""What moved a unit value: parts worked by hand, parts that always add up, and the real figures."""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import os
import random
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import pytest

from methodology import attribution
from methodology.attribution import EFFECTS, TOTAL, Use


def total(tokens: int, price: object, rate: object = 1) -> Use:
    return Use({TOTAL: tokens}, {TOTAL: Fraction(str(price))}, Fraction(str(rate)))


def metered(tokens: tuple[int, int, int], prices: tuple[object, ...]) -> Use:
    """Input, cached input, output; two prices: cached input costs as input."""
    names = ("IN", "OUT") if len(prices) == 2 else ("IN", "CIN", "OUT")
    told = {n: Fraction(str(p)) for n, p in zip(names, prices, strict=True)}
    return Use(dict(zip(("IN", "CIN", "OUT"), tokens, strict=True)), told)


def parts(**given: object) -> dict[str, Fraction]:
    return {name: Fraction(str(given.get(name, 0))) for name in EFFECTS}


HAND = [
    # (30*2 + 10*6)/40 = 3, then (30*4 + 10*6)/40 = 4.5: three quarters of 2.
    pytest.param(
        {"a": total(30, 2), "b": total(10, 6)},
        {"a": total(30, 4), "b": total(10, 6)},
        parts(price="1.5"),
        id="a_price_doubles_and_nothing_else",
    ),
    # 3, then (10*2 + 30*6)/40 = 5: shares move by a half, prices apart by 4.
    pytest.param(
        {"a": total(30, 2), "b": total(10, 6)},
        {"a": total(10, 2), "b": total(30, 6)},
        parts(mix=2),
        id="users_change_models_and_no_price_moves",
    ),
    # 3, then (10*4 + 30*6)/40 = 5.5. Price: mean share of a 1/2 times 2. Mix: mean prices 3 and 6,
    # shares by -1/2 and 1/2: 1.5. Together 2.5.
    pytest.param(
        {"a": total(30, 2), "b": total(10, 6)},
        {"a": total(10, 4), "b": total(30, 6)},
        parts(price=1, mix="1.5"),
        id="both_at_once_are_split_by_the_means",
    ),
    # 3, then with c (30*2 + 10*6 + 40*9)/80 = 6; without it 3.
    pytest.param(
        {"a": total(30, 2), "b": total(10, 6)},
        {"a": total(30, 2), "b": total(10, 6), "c": total(40, 9)},
        parts(entry_exit=3),
        id="an_entry_is_no_price_change",
    ),
    # A successor at three times the price: 3 becomes (30*2 + 10*18)/40 = 6; a alone is 2 on both
    # days, so the exit takes 1 away and the entry brings 4.
    pytest.param(
        {"a": total(30, 2), "b": total(10, 6)},
        {"a": total(30, 2), "b2": total(10, 18)},
        parts(entry_exit=3),
        id="a_successor_is_an_exit_and_an_entry",
    ),
    # Yuan: 3 dollars at 7 is 21, at 7.2 it is 21.6.
    pytest.param(
        {"a": total(30, 2, 7), "b": total(10, 6, 7)},
        {"a": total(30, 2, "7.2"), "b": total(10, 6, "7.2")},
        parts(fx="0.6"),
        id="the_rate_moves_and_no_posted_price",
    ),
    # 40 of 100 input tokens cached, then 60: 60*1 + 40*0.1 = 64, then 40 + 6 = 46, by 100.
    pytest.param(
        {"a": metered((60, 40, 0), (1, "0.1", 5))},
        {"a": metered((40, 60, 0), (1, "0.1", 5))},
        parts(cache="-0.18"),
        id="more_cache_is_neither_price_nor_mix",
    ),
    # 90 input 10 output at 1 and 5: 1.4; then 80 and 20: 1.8.
    pytest.param(
        {"a": metered((90, 0, 10), (1, 5))},
        {"a": metered((80, 0, 20), (1, 5))},
        parts(mix="0.4"),
        id="more_output_is_mix",
    ),
    pytest.param(
        {"a": total(30, 2)}, {"b": total(10, 5)}, parts(entry_exit=3), id="no_model_in_common"
    ),
    pytest.param(
        {"a": total(30, 2), "b": total(0, 6)},
        {"a": total(30, 2), "b": total(10, 6)},
        parts(mix=1),
        id="a_model_that_nobody_used_yet",
    ),
]


@pytest.mark.parametrize(("before", "after", "expected"), HAND)
def test_the_parts_by_hand(
    before: Mapping[str, Use], after: Mapping[str, Use], expected: dict[str, Fraction]
) -> None:
    assert attribution.split(before, after) == expected


def drawn(rng: random.Random, models: str) -> dict[str, Use]:
    made = {}
    for model in models:
        if model in "abc":
            price = Fraction(rng.randint(1, 40), 8)
            made[model] = total(rng.randint(0, 9), price, Fraction(rng.randint(650, 730), 100))
        else:
            tokens = (rng.randint(0, 9), rng.randint(0, 9), rng.randint(0, 3))
            made[model] = metered(tokens, tuple(Fraction(rng.randint(1, 40), 8) for _ in "123"))
    return made


def test_parts_always_sum_to_the_change_and_published_ones_to_the_published_change() -> None:
    rng = random.Random(20261120)
    done = 0
    for case in range(600):
        before = drawn(rng, rng.choice(("abcd", "abde", "ad", "be", "abcde")))
        after = drawn(rng, rng.choice(("abcd", "bcde", "ad", "ce", "abcde")))
        then, now = attribution.unit_value(before), attribution.unit_value(after)
        if then is None or now is None:
            continue
        told = f"seed 20261120, case {case}"
        found = attribution.split(before, after)
        assert sum(found.values()) == now - then, told
        back = attribution.split(after, before)
        assert back == {n: -p for n, p in found.items()}, told
        units = {n: p * 1000 for n, p in found.items()}
        half_up = [
            (2 * v.numerator * 1000 + v.denominator) // (2 * v.denominator) for v in (then, now)
        ]
        change = half_up[1] - half_up[0]
        shown = attribution.publish(units, change)
        assert sum(shown.values()) == change, told
        assert all(abs(shown[n] - units[n]) < 1 for n in EFFECTS), told
        assert all(shown[n] == units[n] for n in EFFECTS if units[n].denominator == 1), told
        done += 1
    assert done > 400


@pytest.mark.parametrize(
    ("exact", "change", "expected"),
    [
        # Down to 3 and 1; one unit is missing, and .6 is the larger remainder.
        (parts(price="3.4", mix="1.6"), 5, {"price": 3, "mix": 2}),
        # Down to -4 and 1: two are missing.
        (parts(price="-3.4", mix="1.5"), -1, {"price": -3, "mix": 2}),
        # Equal remainders: price comes before mix.
        (parts(price="0.5", mix="0.5"), 1, {"price": 1, "mix": 0}),
        (parts(price="0.5", mix="0.5", fx=2), 3, {"price": 1, "mix": 0, "fx": 2}),
        (parts(price="0.4"), 0, {"price": 0}),
        (parts(price="0.4"), 1, {"price": 1}),
    ],
    ids=[
        "largest remainder",
        "a fall",
        "a tie goes by the order",
        "whole parts stay",
        "both values rounded to the same",
        "both values rounded apart",
    ],
)
def test_units_that_are_missing_go_by_remainder(
    exact: dict[str, Fraction], change: int, expected: dict[str, int]
) -> None:
    assert attribution.publish(exact, change) == dict.fromkeys(EFFECTS, 0) | expected


def test_a_change_that_is_not_of_these_parts_is_refused() -> None:
    with pytest.raises(ValueError, match="a change of 7 units is not that of parts that sum to 5"):
        attribution.publish(parts(price=5), 7)


def test_a_model_metered_otherwise_on_both_days_is_refused() -> None:
    with pytest.raises(ValueError, match="in total on one day"):
        attribution.split({"a": total(1, 1)}, {"a": metered((1, 0, 0), (1, 1))})
    with pytest.raises(ValueError, match="without tokens"):
        attribution.split({}, {"a": total(1, 1)})


def test_a_step_of_the_chain_by_hand() -> None:
    """a up a fifth with weight 0.6, b down a quarter with 0.2, c not seen: (0.72 + 0.15) / 0.8."""
    weights = {"a": 60_000_000, "b": 20_000_000, "c": 20_000_000}
    before, after = {"a": 100, "b": 400, "c": 7}, {"a": 120, "b": 300}
    assert attribution.chain_step(1000_000000, weights, before, after) == 1087_500000
    assert attribution.chain_step(1000_000000, weights, before, {}) == 1000_000000
    # Back again, the chain is not where it was: (0.6/1.2 + 0.2/0.75) / 0.8 is above 1/1.0875.
    assert attribution.chain_step(1087_500000, weights, after, before) == 1042_187500


# --- the real figures ----------------------------------------------------------------------------

PAYLOADS = Path(
    os.environ.get("SPOTFIX_PAYLOADS", Path(__file__).resolve().parents[2] / "shared" / "payloads")
)
ACTIVITY = PAYLOADS / "volume/openrouter_model_activity/model_activity.csv.gz"
PAID = PAYLOADS / "volume/openrouter_effective_pricing"


def rows_of(file: Path) -> list[dict[str, str]]:
    with gzip.open(file, "rt", encoding="utf-8") as stream:
        return list(csv.DictReader(io.StringIO(stream.read())))


@pytest.fixture(scope="module")
def real() -> list[dict[str, Use]]:
    """Models of eleven days from 2026-07-17 to 08-07: tokens of the day at the prices paid."""
    if not ACTIVITY.is_file() or not PAID.is_dir():
        pytest.skip("no captured bodies: set SPOTFIX_PAYLOADS")
    counts: dict[tuple[str, str], list[int]] = {}
    for row in rows_of(ACTIVITY):
        if row["variant"] == "standard":
            had = counts.setdefault((row["model_slug"], row["date"]), [0, 0])
            had[0] += int(row["total_prompt_tokens"])
            had[1] += int(row["total_completion_tokens"])
    days = []
    for file in sorted(PAID.glob("*.csv.gz")):
        day, uses = file.name[:10], {}
        for row in rows_of(file):
            sold = counts.get((row["model_slug"], day))
            paid = Fraction(row["weighted_input_price"]), Fraction(row["weighted_output_price"])
            if row["variant"] == "standard" and sold and paid[0] > 0:
                prices = {"IN": paid[0], "OUT": paid[1]}
                uses[row["model_slug"]] = Use({"IN": sold[0], "CIN": 0, "OUT": sold[1]}, prices)
        days.append(uses)
    return days


def test_the_average_price_fell_by_two_fifths_while_matched_prices_rose(
    real: list[dict[str, Use]],
) -> None:
    """The average paid went from 0.5579 to 0.3260 dollars, matched models by 1.6% the other way.

    Matched models are priced with the tokens of the earlier day, link by link. The average is
    spend by tokens; both are over the models with tokens and a price, of standard service.
    """
    assert len(real) == 11
    first, last = attribution.unit_value(real[0]), attribution.unit_value(real[-1])
    assert first is not None
    assert last is not None
    assert round(float(first), 4) == 0.5579
    assert round(float(last), 4) == 0.3260
    assert Fraction(41, 100) < 1 - last / first < Fraction(42, 100)
    chain = Fraction(1)
    for before, after in itertools.pairwise(real):
        both = set(before) & set(after)
        old = sum(before[m].spend for m in both)
        new = sum(Use(before[m].tokens, after[m].prices).spend for m in both)
        chain *= new / old
    assert Fraction(1015, 1000) < chain < Fraction(1017, 1000)


def test_the_real_fall_is_mix_and_the_parts_still_add_up(real: list[dict[str, Use]]) -> None:
    summed = dict.fromkeys(EFFECTS, Fraction(0))
    for before, after in itertools.pairwise(real):
        found = attribution.split(before, after)
        summed = {n: summed[n] + found[n] for n in EFFECTS}
    first, last = attribution.unit_value(real[0]), attribution.unit_value(real[-1])
    assert first is not None
    assert last is not None
    assert sum(summed.values()) == last - first
    assert summed["mix"] < Fraction(9, 10) * (last - first)  # more than nine tenths of the fall
    assert summed["cache"] == summed["fx"] == 0
    assert abs(summed["price"]) < Fraction(2, 100)
