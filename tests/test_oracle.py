"""The vectorised settlement arithmetic against a plain second implementation (tests/oracle.py).

Baskets are drawn from coarse grids, so that equal prices, exact halves and prices exactly on a
screen's ratio are common rather than never met. Every comparison is of integers.
"""

from __future__ import annotations

import random
from fractions import Fraction

import numpy as np
import oracle
import pytest

from methodology import determination, estimators, fx, panels, screens
from methodology.definition import load_methodology
from methodology.units import round_half_up

SEED = 20261120
BASKETS = 100_000
BATCH = 500
CEILINGS = (5, 9, 9, 12, 12, 15, 20, 30, 60)
"""Largest panel of a batch: small ones most often, as in life, and each batch as wide as needed."""

RULES = load_methodology()
CODES = {"median": 0, "trim25": 1, "trim40": 2}
NAMES = {
    "median": estimators.MEDIAN,
    "trim25": estimators.TRIM25,
    "trim40": estimators.TRIM40,
}
QUANTILES = [(1, 100), (25, 100), (50, 100), (75, 100), (99, 100)]


def draw_volumes(rng: random.Random, n: int) -> list[int | None]:
    kind = rng.randrange(5)
    if kind == 0:
        return [None] * n
    if kind == 1:  # few distinct values: equal remainders
        volumes: list[int | None] = [rng.choice((0, 1, 2, 3, 1000)) for _ in range(n)]
    elif kind == 2:  # orders of magnitude: caps bind again and again
        volumes = [10 ** rng.randint(0, 15) for _ in range(n)]
    elif kind == 3:
        volumes = [rng.randint(0, 10**15) for _ in range(n)]
    else:
        volumes = [rng.randint(1, 50) * 10**9 for _ in range(n)]
    if rng.random() < 0.4:
        for j in rng.sample(range(n), rng.randint(0, n)):
            volumes[j] = None
    if not any(v != 0 for v in volumes):
        volumes[0] = 1
    if all(v == 0 for v in volumes if v is not None):
        volumes = [1 if v == 0 else v for v in volumes]
    return volumes


def draw_prices(rng: random.Random, n: int) -> list[int]:
    kind = rng.randrange(4)
    if kind == 0:  # a coarse grid around one price: ties, and ratios of exactly 2 and 4
        return [rng.choice((1, 2, 3, 4, 5, 8, 10, 11, 16)) * 125_000_000 for _ in range(n)]
    if kind == 1:  # odd nano-units, close together: halves that must round
        return [1_000_000_001 + 2 * rng.randint(0, 4) for _ in range(n)]
    if kind == 2:
        return [rng.randint(1, 10**15) for _ in range(n)]
    return [rng.choice((1, 10**15, 10**15 - 1, 7 * 10**8, 8 * 10**8)) for _ in range(n)]


def padded(rows: list[list[int]]) -> np.ndarray:
    width = max(len(row) for row in rows)
    return np.array([row + [0] * (width - len(row)) for row in rows], np.int64)


@pytest.mark.parametrize(
    "part", [0, *(pytest.param(n, marks=pytest.mark.campaign) for n in (1, 2, 3))]
)
def test_a_hundred_thousand_baskets_agree_to_the_last_digit(part: int) -> None:
    rng = random.Random(SEED + part)
    for batch in range(BASKETS // 4 // BATCH):
        where = f"seed {SEED} + {part}, batch {batch}"
        compare_batch(rng, where)


def compare_batch(rng: random.Random, where: str) -> None:
    volumes, prices, names, ranks = [], [], [], []
    ceiling = rng.choice(CEILINGS)
    for _ in range(BATCH):
        n = rng.randint(1, ceiling)
        volumes.append(draw_volumes(rng, n))
        prices.append(draw_prices(rng, n))
        # A vintage keeps its estimator while its panel shrinks, so size and estimator may differ.
        fitting = oracle.estimator_of(n)
        names.append(fitting if rng.random() < 0.8 and n > 2 else rng.choice(list(CODES)))
        ranks.append(rng.choice(("V1", "V2", "V3")))
        if n > 2 and names[-1] == fitting:
            assert panels.estimator_for(n, RULES) == NAMES[fitting], f"{where}: {n} groups"

    weights = []
    for v, name, rank in zip(volumes, names, ranks, strict=True):
        ours = list(panels.weights_for(v, rank, NAMES[name], RULES))
        cap = Fraction(1, 20) if name == "trim40" else None
        theirs = oracle.weights(v, rank != "V1", cap)
        assert ours == theirs, f"{where}: weights of {v}, {rank}, {name}: {ours} != {theirs}"
        weights.append(theirs)

    price, weight = padded(prices), padded(weights)
    codes = np.array([CODES[name] for name in names], np.int8)
    tops, bottoms, _ = determination.estimate(price, weight, codes, np.ones(BATCH, np.bool_))
    for p, w, name, top, bottom in zip(prices, weights, names, tops, bottoms, strict=True):
        parts = oracle.value_parts(p, w, name)
        assert top * parts[1] == bottom * parts[0], f"{where}: {name} of {p} at {w}"
        for decimals in (4, 6):
            ours_units = round_half_up(top, bottom * 10 ** (9 - decimals))
            assert ours_units == oracle.published(parts, decimals), f"{where}: {name} of {p} at {w}"

    order, by_price, by_weight = estimators.sort_panel(price, weight)
    assert (np.diff(by_price, axis=-1) >= 0).all(), where
    assert order.shape == price.shape
    slack = (by_weight > 0).sum(-1)
    for numerator, denominator in QUANTILES:
        kept = estimators.kept_at_quantile(by_weight, numerator, denominator, slack)
        sums = estimators.exact_sums(by_price, kept)
        for p, w, n, top, bottom in zip(prices, weights, slack.tolist(), *sums, strict=True):
            part = oracle.quantile_parts(p, w, numerator, denominator, n)
            assert top * part[1] == bottom * part[0], f"{where}: {numerator}% of {p} at {w}"

    half = BATCH // 2  # the screens cost the square of a panel
    compare_screens(rng, prices[:half], weights[:half], where)


def compare_screens(
    rng: random.Random, prices: list[list[int]], weights: list[list[int]], where: str
) -> None:
    """Gross error and jump screens on the same baskets, in one call each."""
    was = [[rng.random() < 0.2 for _ in p] for p in prices]
    flags = padded([[int(x) for x in row] for row in was]).astype(np.bool_)
    price, weight = padded(prices), padded(weights)
    out, dispersed = screens.gross_errors(price, weight, flags, RULES.gross)
    for i, (p, w, state) in enumerate(zip(prices, weights, was, strict=True)):
        expected, spread = oracle.excluded(p, w, state)
        theirs = [x and w[j] > 0 for j, x in enumerate(expected)]
        ours = out[i, : len(p)].tolist()
        assert (ours, bool(dispersed[i])) == (theirs, spread), (
            f"{where}: gross errors among {p} at {w}, out before: {state}"
        )

    previous = [
        [rng.choice((x, x, x * 5 // 4, x * 8 // 5, x * 10 // 11)) for x in p] for p in prices
    ]
    ratios = [rng.choice(((8, 5), (5, 4))) for _ in prices]
    member = padded([[1] * len(p) for p in prices]).astype(np.bool_)
    jumped, crowd = screens.jumps(
        price, padded(previous), member, np.array(ratios, np.int64), RULES.jump
    )
    for i, (p, q, ratio) in enumerate(zip(prices, previous, ratios, strict=True)):
        pairs = list(zip(p, q, strict=True))
        for j, (now, before) in enumerate(pairs[:6]):
            others = [pair for k, pair in enumerate(pairs) if k != j and pair[1] > 0]
            held = before > 0 and oracle.holds(now, before, Fraction(*ratio), others)
            ours = bool(jumped[i, j] and not crowd[i, j])
            assert ours is held, f"{where}: hold of {now} after {before}, others {others}"


def test_imputed_prices_agree() -> None:
    rng = random.Random(SEED)
    for case in range(1500):
        n = rng.randint(5, 30)
        name = oracle.estimator_of(n)
        volumes = [rng.randint(1, 1000) for _ in range(n)]
        before, now = draw_close(rng, n), draw_close(rng, n)
        missing = set(rng.sample(range(n), rng.randint(1, n // 2)))
        there = [j for j in range(n) if j not in missing]
        cap = Fraction(1, 20) if name == "trim40" else None
        own = oracle.weights([volumes[j] for j in there], False, cap)
        after = oracle.value_parts([now[j] for j in there], own, name)
        first = oracle.value_parts([before[j] for j in there], own, name)
        frozen = frozen_panel(volumes, name)
        state = determination.State.empty(1, n)
        state.used[0] = before
        counted = np.array([[j not in missing for j in range(n)]])
        filled = determination._impute(
            0,
            np.where(counted[0], np.array(now, np.int64), 0),
            counted[0],
            ~counted[0],
            frozen,
            state,
            RULES,
        )
        for j in missing:
            expected = oracle.imputed(before[j], after, first)
            assert filled[j] == expected, f"seed {SEED}, case {case}, member {j}"


def draw_close(rng: random.Random, n: int) -> list[int]:
    return [rng.randint(900_000_000, 1_100_000_000) for _ in range(n)]


def frozen_panel(volumes: list[int], name: str) -> determination.Frozen:
    n = len(volumes)
    weights = panels.weights_for(volumes, "V1", NAMES[name], RULES)
    groups = tuple(f"g{j:02d}" for j in range(n))
    vintage = panels.Vintage(
        "BOOTSTRAP",
        RULES.effective_from,
        groups,
        ("s",) * n,
        weights,
        tuple(volumes),
        "V1",
        NAMES[name],
    )
    no = np.zeros(1, np.bool_)
    return determination.Frozen(
        weight=np.array([weights], np.int64),
        estimator=np.array([CODES[name]], np.int8),
        jump_ratio=np.array([[8, 5]], np.int64),
        is_small=no,
        is_capped=no,
        is_covered=~no,
        vintages=[vintage],
        places=[np.arange(n)],
    )


def test_yuan_values_are_the_exact_rate_times_the_published_parity() -> None:
    rng = random.Random(SEED)
    for case in range(2000):
        parts = (rng.randint(1, 10**21), rng.randint(1, 2 * 10**8))
        rate = fx.Fx(rng.randint(6_000_000, 8_000_000), "ECB", RULES.effective_from)
        converted = round_half_up(parts[0] * rate.rate_e6, parts[1] * 10**9)
        expected = oracle.published(parts, 6, rate.rate_e6)
        by_fraction = Fraction(*parts) * Fraction(rate.text) / 10**3
        assert converted == expected == int(by_fraction + Fraction(1, 2)), (
            f"seed {SEED}, case {case}"
        )
