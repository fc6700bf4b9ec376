"""Index formulas between two periods, and chains of them (rulebook 19.4).

They judge and compare; no value that settles anything comes from this module, so binary floats
are allowed here and nowhere near a fixing. A panel is two matrices, price and quantity, periods
by goods, with 0 where a good was not sold. Every formula looks only at the goods that were sold
in both periods ("matched"); a good that comes or goes says nothing about prices.

Formulas as in the ILO and IMF Producer Price Index Manual, chapters 15, 16 and 19.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Formula = Callable[[Floats, Floats, Floats, Floats], float]


@dataclass(frozen=True)
class Panel:
    """Prices and quantities, float64 ``[periods, goods]``, 0 where a good was not sold."""

    periods: tuple[object, ...]
    goods: tuple[str, ...]
    price: Floats
    quantity: Floats

    @property
    def sold(self) -> Bools:
        """Return where a good has both a price and a quantity."""
        result: Bools = (self.price > 0) & (self.quantity > 0)
        return result

    def window(self, first: int, last: int) -> Panel:
        """Return the periods ``first`` to ``last``, the end not included, with the goods sold."""
        seen = np.flatnonzero(self.sold[first:last].any(0))
        goods = tuple(self.goods[n] for n in seen)
        cut = slice(first, last)
        return Panel(self.periods[cut], goods, self.price[cut, seen], self.quantity[cut, seen])


def panel_of(frame: pl.DataFrame) -> Panel:
    """Return a panel from rows of ``period, product, price, quantity``.

    Args:
        frame: one row per period and good; prices and quantities numeric and positive. Periods
            sort by their value, goods by their name; a pair without a row was not sold. Without
            a column ``quantity`` every quantity is 1.

    Raises:
        ValueError: a pair stands twice, a price or quantity is missing or not positive.
    """
    if "quantity" not in frame.columns:
        frame = frame.with_columns(pl.lit(1.0).alias("quantity"))
    bad = frame.filter(
        pl.any_horizontal(
            pl.col(c).is_null() | ~pl.col(c).cast(pl.Float64).is_finite() | (pl.col(c) <= 0)
            for c in ("price", "quantity")
        )
    )
    if bad.height:
        raise ValueError(f"price and quantity must be positive numbers, got {bad.row(0)}")
    if frame.select("period", "product").is_duplicated().any():
        raise ValueError("a good stands twice in one period; one row per period and product")
    periods = frame["period"].unique().sort().to_list()
    goods = frame["product"].unique().sort().to_list()
    row = {p: n for n, p in enumerate(periods)}
    column = {g: n for n, g in enumerate(goods)}
    at = ([row[p] for p in frame["period"]], [column[g] for g in frame["product"]])
    price, quantity = np.zeros((len(row), len(column))), np.zeros((len(row), len(column)))
    price[at] = frame["price"].cast(pl.Float64).to_numpy()
    quantity[at] = frame["quantity"].cast(pl.Float64).to_numpy()
    return Panel(tuple(periods), tuple(str(g) for g in goods), price, quantity)


def laspeyres(p0: Floats, q0: Floats, p1: Floats, q1: Floats) -> float:
    """Return what the first period's basket costs now, over what it cost."""
    return float(p1 @ q0 / (p0 @ q0))


def paasche(p0: Floats, q0: Floats, p1: Floats, q1: Floats) -> float:
    """Return what today's basket costs now, over what it would have cost."""
    return float(p1 @ q1 / (p0 @ q1))


def fisher(p0: Floats, q0: Floats, p1: Floats, q1: Floats) -> float:
    """Return the geometric mean of Laspeyres and Paasche."""
    return float(np.sqrt(laspeyres(p0, q0, p1, q1) * paasche(p0, q0, p1, q1)))


def tornqvist(p0: Floats, q0: Floats, p1: Floats, q1: Floats) -> float:
    """Return price ratios averaged geometrically by the mean of both periods' shares."""
    share = (p0 * q0 / (p0 @ q0) + p1 * q1 / (p1 @ q1)) / 2
    return float(np.exp(share @ np.log(p1 / p0)))


def walsh(p0: Floats, q0: Floats, p1: Floats, q1: Floats) -> float:
    """Return the cost ratio of the basket of geometric mean quantities."""
    basket = np.sqrt(q0 * q1)
    return float(p1 @ basket / (p0 @ basket))


def jevons(p0: Floats, q0: Floats, p1: Floats, q1: Floats) -> float:
    """Return the geometric mean of price ratios, without weights."""
    return float(np.exp(np.mean(np.log(p1 / p0))))


def carli(p0: Floats, q0: Floats, p1: Floats, q1: Floats) -> float:
    """Return the arithmetic mean of price ratios, without weights."""
    return float(np.mean(p1 / p0))


def dutot(p0: Floats, q0: Floats, p1: Floats, q1: Floats) -> float:
    """Return the ratio of mean prices, without weights."""
    return float(p1.sum() / p0.sum())


FORMULAS: Final[dict[str, Formula]] = {
    "laspeyres": laspeyres,
    "paasche": paasche,
    "fisher": fisher,
    "tornqvist": tornqvist,
    "walsh": walsh,
    "jevons": jevons,
    "carli": carli,
    "dutot": dutot,
}
"""Name to formula; each takes prices and quantities of the matched goods of two periods."""


def between(panel: Panel, base: int, now: int, formula: str | Formula = "fisher") -> float:
    """Return the index of period ``now`` on period ``base``, over the goods sold in both.

    Returns:
        A positive ratio, 1 meaning no change; NaN when no good was sold in both periods.

    Raises:
        KeyError: no formula has this name.
    """
    function = FORMULAS[formula] if isinstance(formula, str) else formula
    both = panel.sold[base] & panel.sold[now]
    if not both.any():
        return float("nan")
    p, q = panel.price, panel.quantity
    return function(p[base, both], q[base, both], p[now, both], q[now, both])


def fixed_base(panel: Panel, formula: str | Formula, base: int = 0) -> Floats:
    """Return the index of every period on one base period."""
    return np.array([between(panel, base, t, formula) for t in range(len(panel.periods))])


def chained(panel: Panel, formula: str | Formula) -> Floats:
    """Return the product of the steps from each period to the next, the first period being 1.

    On a panel with births and deaths this is the chained matched index: each step compares the
    goods sold in both its periods.
    """
    steps = [between(panel, t - 1, t, formula) for t in range(1, len(panel.periods))]
    return np.cumprod(np.array([1.0, *steps])).astype(np.float64)


@dataclass(frozen=True)
class Basket:
    """Shares of a basket from a link period on: ``link`` counts periods from 0."""

    link: int
    weights: dict[str, Fraction]


@dataclass(frozen=True)
class Linked:
    """A linked index three ways, exact except the geometric one.

    ``chained``: each basket's mean of price ratios since its link, times the level at the link.
    ``by_divisor``: worth of quantities over a divisor. ``divisors``: one per basket.
    ``geometric``: the chain with a weighted geometric mean in place of the arithmetic one.
    """

    chained: list[Fraction]
    by_divisor: list[Fraction]
    divisors: list[Fraction]
    geometric: list[float]


def linked_index(
    prices: Sequence[dict[str, Fraction]], baskets: Sequence[Basket], base: Fraction
) -> Linked:
    """Return a basket index with overlap links, by chain, by divisor and geometrically.

    The divisor makes a change of basket seamless: ``D = sum(q * p(link)) / level(link)`` with
    ``q = w / p(link)`` (rulebook 13.3, there with published decimals; here nothing is rounded, so
    the chain and the divisor must agree to the last digit).

    Args:
        prices: good to price, one mapping per period; a good of a basket must have a price in
            each period in which the basket holds, and at its link.
        baskets: in order of link, the first at period 0; weights are scaled to sum to 1.
        base: the level of the first period.

    Raises:
        ValueError: no basket at period 0, or a price is missing; the message names it.
    """
    if not baskets or baskets[0].link != 0:
        raise ValueError("the first basket must start in the first period")
    chain, divisor, geometric = [base], [base], [float(base)]
    divisors: list[Fraction] = []
    for place, basket in enumerate(baskets):
        total = sum(basket.weights.values())
        share = {g: w / total for g, w in basket.weights.items() if w > 0}
        end = baskets[place + 1].link if place + 1 < len(baskets) else len(prices) - 1
        at = prices[basket.link]
        for t in range(basket.link, end + 1):
            missing = sorted(g for g in share if g not in prices[t])
            if missing:
                raise ValueError(f"{missing[0]} has no price in period {t}")
        quantity = {g: w / at[g] for g, w in share.items()}
        start, start_geometric = chain[basket.link], geometric[basket.link]
        divisors.append(sum(q * at[g] for g, q in quantity.items()) / divisor[basket.link])
        for t in range(basket.link + 1, end + 1):
            ratio = {g: prices[t][g] / at[g] for g in share}
            chain.append(start * sum(w * ratio[g] for g, w in share.items()))
            worth = sum((q * prices[t][g] for g, q in quantity.items()), Fraction(0))
            divisor.append(worth / divisors[-1])
            logs = sum(float(w) * float(np.log(float(ratio[g]))) for g, w in share.items())
            geometric.append(start_geometric * float(np.exp(logs)))
    return Linked(chain, divisor, divisors, geometric)
