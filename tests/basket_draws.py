"""Adversarial baskets, drawn by seed and batch, and the comparison of all engines on them."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields
from multiprocessing import get_context

import numpy as np
import numpy.typing as npt

from tests import basket_engines as engines
from tests.basket_engines import NAMES, Baskets, Settled

Ints = npt.NDArray[np.int64]

CEILINGS = (3, 6, 9, 12, 12, 15, 20, 30, 64)
"""Largest panel of a batch: small ones most often, as in life."""

EVERY = 20
"""Of one basket in so many the weights are also made by the fractions that freeze a vintage."""


@dataclass
class Tally:
    """What a run met, so that nobody has to believe that the hard cases were in it."""

    baskets: int = 0
    members: int = 0
    weight_ties: int = 0
    rounding_ties: int = 0
    equal_prices: int = 0
    zero_weights: int = 0
    one_member: int = 0
    at_bounds: int = 0
    capped: int = 0
    without_value: int = 0

    def add(self, other: Tally) -> None:
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))

    @property
    def text(self) -> str:
        return ", ".join(
            f"{f.name.replace('_', ' ')} {getattr(self, f.name):,}" for f in fields(self)
        )


def draw(seed: int, batch: int, count: int) -> Baskets:
    """Return the baskets of one batch: the same for the same seed, batch and count."""
    rng = np.random.default_rng([seed, batch])
    sizes = rng.integers(1, CEILINGS[batch % len(CEILINGS)] + 1, count)
    sizes[rng.random(count) < 0.03] = 1
    starts = np.concatenate([[0], np.cumsum(sizes)])
    rows, basket = int(starts[-1]), np.repeat(np.arange(count), sizes)
    # The estimator is mostly the one that the size calls for; a shrunken panel keeps its own.
    fitting = np.where(sizes < 10, 0, np.where(sizes < 25, 1, 2))
    other = rng.integers(0, len(NAMES), count)
    decimals = rng.choice([4, 6, 9], count, p=[0.45, 0.45, 0.1])
    return Baskets(
        starts=starts,
        price=_prices(rng, rows, basket, decimals),
        volume=_volumes(rng, rows, basket),
        estimator=np.where(rng.random(count) < 0.6, fitting, other),
        rooted=rng.random(count) < 0.5,
        decimals=decimals,
    )


def _prices(rng: np.random.Generator, rows: int, basket: Ints, decimals: Ints) -> Ints:
    count = len(decimals)
    # Half of the last published decimal, where nano-units hold one.
    half = 5 * 10 ** np.maximum(8 - decimals[basket], 0)
    common = rng.integers(1, 10**15 + 1, count)
    kinds = [
        rng.integers(1, 7, rows) * 125_000_000,  # few prices: ties, and medians between two
        rng.choice([1, 2, 3, 4, 5, 8, 10, 11, 16], rows) * 250_000_000,
        rng.integers(1, 9, rows) * half,  # halves of the last decimal
        1_000_000_001 + 2 * rng.integers(0, 5, rows),
        rng.integers(1, 10**15 + 1, rows),
        rng.choice([1, 10**15, 10**15 - 1, 7 * 10**8, 8 * 10**8], rows),
        common[basket],  # one price for all
        np.full(rows, 10**15),
        10 ** rng.integers(0, 16, rows),
    ]
    chances = [0.14, 0.1, 0.16, 0.1, 0.2, 0.12, 0.08, 0.04, 0.06]
    chosen = rng.choice(len(kinds), count, p=chances)[basket]
    price = np.choose(chosen, kinds)
    price[rng.random(rows) < 0.02] = 0  # somebody without a price
    return price.astype(np.int64)


def _volumes(rng: np.random.Generator, rows: int, basket: Ints) -> Ints:
    count = int(basket[-1]) + 1
    largest = rng.random(rows)
    kinds = [
        np.ones(rows, np.int64),
        rng.choice([0, 1, 2, 3, 1000], rows),  # few volumes: equal remainders, zero weights
        rng.integers(1, 5, rows),
        10 ** rng.integers(0, 16, rows),  # orders of magnitude: the cap binds again and again
        rng.integers(0, 10**15 + 1, rows),
        np.full(rows, 10**15),
        np.where(largest < 0.1, 10**15, rng.integers(1, 10, rows)),
        rng.integers(1, 51, rows) * 10**9,
        np.zeros(rows, np.int64),
    ]
    chances = [0.15, 0.18, 0.15, 0.12, 0.15, 0.07, 0.08, 0.08, 0.02]
    chosen = rng.choice(len(kinds), count, p=chances)[basket]
    return np.choose(chosen, kinds).astype(np.int64)


def check(seed: int, batch: int, count: int) -> Tally:
    """Settle one batch by every engine.

    Raises:
        AssertionError: two engines differ; the message has the seed, the batch and the basket.
    """
    baskets = draw(seed, batch, count)
    found = {
        "arrays": engines.by_arrays(baskets),
        "integers": engines.by_integers(baskets),
        "polars": engines.by_polars(baskets),
        "sql": engines.by_sql(baskets),
    }
    differ(baskets, found, f"seed {seed}, batch {batch} of {count}")
    first = found["arrays"]
    for b, weights in engines.published_weights(baskets, EVERY):
        mine = first.weight[baskets.starts[b] : baskets.starts[b + 1]].tolist()
        assert weights == mine, f"seed {seed}, batch {batch}: frozen weights of {baskets.one(b)}"
    return _tally(baskets, first)


def differ(baskets: Baskets, found: dict[str, Settled], where: str) -> None:
    """Raise an assertion that names the first basket on which engines do not agree."""
    (name, first), *others = found.items()
    for other, second in others:
        per_member = [("weight", first.weight, second.weight)]
        if first.kept is not None and second.kept is not None:
            per_member.append(("kept weight", first.kept, second.kept))
        for what, a, b in per_member:
            off = np.flatnonzero(a != b)
            if off.size:
                one = int(np.searchsorted(baskets.starts, off[0], "right")) - 1
                here = slice(baskets.starts[one], baskets.starts[one + 1])
                raise AssertionError(
                    f"{where}, basket {one}: {what} of {baskets.one(one)}: {name} gives"
                    f" {a[here].tolist()}, {other} {b[here].tolist()}"
                )
        off = np.flatnonzero(first.units != second.units)
        if off.size:
            one = int(off[0])
            raise AssertionError(
                f"{where}, basket {one}: rate of {baskets.one(one)}: {name} gives"
                f" {first.units[one]}, {other} {second.units[one]}"
            )


def _tally(baskets: Baskets, found: Settled) -> Tally:
    """Count the hard cases; kept weights of one and one are the median's exact halves."""
    starts, sizes = baskets.starts[:-1], baskets.sizes
    assert found.kept is not None
    kept = np.add.reduceat(found.kept, starts)
    median = baskets.estimator == 0
    tied = median & (np.maximum.reduceat(found.kept, starts) == 1) & (kept == 2)
    high, low = (f.reduceat(baskets.price, starts) for f in (np.maximum, np.minimum))
    largest = np.maximum.reduceat(found.weight, starts)
    repeats = np.add.reduceat(found.weight == np.repeat(largest, sizes), starts)
    by_volume = np.maximum.reduceat(baskets.volume, starts)
    second = by_volume > np.minimum.reduceat(baskets.volume, starts)
    return Tally(
        baskets=len(sizes),
        members=int(sizes.sum()),
        weight_ties=int(tied.sum()),
        rounding_ties=_rounding_ties(baskets, found, kept),
        equal_prices=int((high == low)[sizes > 1].sum()),
        zero_weights=int((np.minimum.reduceat(found.weight, starts) == 0).sum()),
        one_member=int((sizes == 1).sum()),
        at_bounds=int(((high == 10**15) & (by_volume == 10**15)).sum()),
        capped=int((second & (repeats > 1) & (sizes > 2)).sum()),
        without_value=int((found.units < 0).sum()),
    )


def _rounding_ties(baskets: Baskets, found: Settled, kept: Ints) -> int:
    """Baskets whose exact rate is half a unit of the last decimal above a whole one."""
    assert found.kept is not None
    ties = 0
    for b in np.flatnonzero((kept > 0) & (baskets.decimals < 9)).tolist():
        part = slice(baskets.starts[b], baskets.starts[b + 1])
        pairs = zip(baskets.price[part].tolist(), found.kept[part].tolist(), strict=True)
        step = int(kept[b]) * 10 ** (9 - int(baskets.decimals[b]))
        ties += 2 * (sum(p * k for p, k in pairs) % step) == step
    return ties


def campaign(
    seed: int, baskets: int, batch: int, workers: int = 1, say: Callable[[str], None] = print
) -> Tally:
    """Check that many baskets in batches, on some processes of their own, and say what was met."""
    started, total = time.monotonic(), Tally()
    jobs = [(seed, n, min(batch, baskets - n * batch)) for n in range(-(-baskets // batch))]
    if workers == 1:
        for job in jobs:
            total.add(check(*job))
    else:
        # Polars has threads: a forked child would hang on their locks.
        with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
            for done, one in enumerate(pool.map(check, *zip(*jobs, strict=True)), 1):
                total.add(one)
                if done % 10 == 0:
                    say(f"{total.baskets:>9,} baskets, {time.monotonic() - started:5.0f} s")
    say(f"seed {seed}, {time.monotonic() - started:.0f} s: {total.text}")
    return total


__all__ = ["Tally", "campaign", "check", "differ", "draw"]
