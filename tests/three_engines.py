"""One panel, three engines: the arrays that publish, plain integers, and SQL on 128 bits.

``agree`` is what other tests call: it takes panels as plain lists and returns their rates, once
all three have given the same.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np

from index import gate, gate_sql
from index.gate_sql import Panel
from methodology import determination
from methodology.estimators import CODES, MEDIAN, TRIM25, TRIM40
from methodology.units import round_half_up

NAMES = (MEDIAN, TRIM25, TRIM40)


def by_arrays(panels: Sequence[Panel]) -> list[int | None]:
    """The engine that publishes, all panels in one call."""
    width = max(len(p[0]) for p in panels)
    price, weight = (np.zeros((len(panels), width), np.int64) for _ in range(2))
    for i, (prices, weights, _, _) in enumerate(panels):
        price[i, : len(prices)], weight[i, : len(weights)] = prices, weights
    codes = np.array([CODES[p[2]] for p in panels], np.int8)
    tops, bottoms, kept = determination.estimate(
        price, weight, codes, np.ones(len(panels), np.bool_)
    )
    stands = kept.sum(-1) > 0
    return [
        round_half_up(top, bottom * 10 ** (9 - panel[3])) if is_there else None
        for top, bottom, panel, is_there in zip(tops, bottoms, panels, stands, strict=True)
    ]


def by_integers(panels: Sequence[Panel]) -> list[int | None]:
    """The release gate's engine, one panel at a time."""
    found: list[int | None] = []
    for prices, weights, estimator, decimals in panels:
        # Groups in order of place, as text that sorts like the numbers.
        members = [
            (price, f"{n:06d}", weight)
            for n, (price, weight) in enumerate(zip(prices, weights, strict=True))
        ]
        top, bottom = gate.exact_rate(members, estimator)
        none = not any(price > 0 and weight > 0 for price, _, weight in members)
        found.append(None if none else gate.half_up(top, bottom * 10 ** (9 - decimals)))
    return found


def by_sql(panels: Sequence[Panel]) -> list[int | None]:
    """DuckDB, all panels in one query."""
    return gate_sql.rates(panels)


def agree(panels: Sequence[Panel]) -> list[int | None]:
    """Return the published rates in units of the last decimal, once all three engines agree."""
    arrays, integers, sql = by_arrays(panels), by_integers(panels), by_sql(panels)
    for panel, *three in zip(panels, arrays, integers, sql, strict=True):
        assert len(set(three)) == 1, f"{panel}: arrays, integers, SQL give {three}"
    return arrays


def random_panel(draw: random.Random) -> Panel:
    """Return a panel of 1 to 40 members on a coarse grid of prices, so that ties happen."""
    many = draw.randint(1, 40)
    coarse = draw.choice((1, 10**6, 10**8, 5 * 10**8))
    prices = [coarse * draw.randint(0, 40) for _ in range(many)]
    if draw.random() < 0.1:
        prices[draw.randrange(many)] = draw.randint(1, 10**15)
    shares = [1] * many if draw.random() < 0.4 else [draw.randint(0, 9) for _ in range(many)]
    whole = sum(shares) or 1
    weights = [10**8 * share // whole for share in shares]
    for n in range(10**8 - sum(weights)):
        weights[n % many] += 1 if shares[n % many] or whole == 1 else 0
        if n >= many:
            break
    return prices, weights, draw.choice(NAMES), draw.choice((4, 6))
