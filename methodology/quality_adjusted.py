"""Multilateral and hedonic indices: what prices did at unchanged quality (rulebook 19).

Goods come and go so fast that two distant periods share almost none. A multilateral index uses
every pair of periods of a window at once. The rule adopted is the weighted time-product-dummy
regression (WTPD) with expenditure shares within each period; the others stand beside it because
they disagree, and a reader should see by how much.

These are estimates in binary floats and settle nothing. Results depend on the machine in the last
digits, which is why no fixing may read them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from methodology.bilateral import Floats, Panel, between, fisher, tornqvist

ADOPTED: Final = "wtpd"
"""The multilateral method of rulebook 19.1."""


def geks(panel: Panel, formula: str = "tornqvist") -> Floats:
    """Return the GEKS index: each comparison taken through every third period, and averaged.

    ``P(t) = prod over s of ( I(0, s) * I(s, t) ) ** (1/T)`` with matched bilateral indices I. For
    ``tornqvist`` the shares are those of the *matched* goods of each pair, as IndexNumR,
    multilateral, PriceIndices and PriceIndexCalc have it (named ``geks_tornqvist``).

    Returns:
        Float64 per period, the first being 1. A pair without a common good is left out of the
        means of both; NaN when no path is left.
    """
    return _geks(_pairs(panel, formula))


def geks_full_basket(panel: Panel) -> Floats:
    """Return GEKS-Törnqvist with shares of the *full* basket of each period.

    The convention of gpindex with ``na.rm = TRUE``: a share is a share of all that was spent in
    the period, the mean of both shares is then scaled to sum to 1 over the matched goods. On a
    market with churn it differs from the adopted convention in the third digit.
    """
    periods = len(panel.periods)
    spent = panel.price * panel.quantity
    share = spent / spent.sum(1, keepdims=True)
    table = np.full((periods, periods), np.nan)
    for i in range(periods):
        for j in range(periods):
            both = panel.sold[i] & panel.sold[j]
            if both.any():
                weight = share[i, both] + share[j, both]
                logs = np.log(panel.price[j, both] / panel.price[i, both])
                table[i, j] = np.exp(weight @ logs / weight.sum())
    return _geks(table)


def _pairs(panel: Panel, formula: str) -> Floats:
    function = {"tornqvist": tornqvist, "fisher": fisher}.get(formula, formula)
    periods = range(len(panel.periods))
    return np.array([[between(panel, i, j, function) for j in periods] for i in periods])


def _geks(table: Floats) -> Floats:
    logs = np.log(table)
    through = logs[0][None, :] + logs.T  # [t, s]: from 0 to s, then from s to t
    known = np.isfinite(through)
    count = known.sum(1)
    total = np.where(known, through, 0.0).sum(1)
    mean = np.where(count > 0, np.exp(total / np.maximum(count, 1)), np.nan)
    level: Floats = mean / mean[0]
    return level


def geary_khamis(panel: Panel) -> Floats:
    """Return the Geary-Khamis index: one reference price per good, quantities adding up.

    ``v(g) = sum over t of (q(t,g) / q(g)) * p(t,g) / P(t)`` and
    ``P(t) = sum(p q) / sum(v q)``: linear in ``1/P`` once one period is fixed, so it is solved
    directly and not by iteration, which stops short in the seventh digit.

    Returns:
        Float64 per period, the first being 1.
    """
    spent = panel.price * panel.quantity
    part = panel.quantity / panel.quantity.sum(0, keepdims=True)
    # With b = 1/P: b(t) * spent(t) = sum over g of q(t,g) * sum over s of part(s,g) p(s,g) b(s).
    matrix = panel.quantity @ (part * panel.price).T - np.diag(spent.sum(1))
    rows, right = matrix[1:, 1:], -matrix[1:, 0]
    inverse = np.concatenate([[1.0], np.linalg.solve(rows, right)])
    level: Floats = 1.0 / inverse
    return level


def time_product_dummy(panel: Panel, weights: Floats) -> Floats:
    """Return the index of ``ln p = period + good + error`` fitted by weighted least squares.

    Args:
        panel: prices; a good sold in a single period fits itself and moves nothing.
        weights: float64 ``[periods, goods]``, used where the good was sold.

    Returns:
        Float64 per period, the first being 1.
    """
    weight = np.where(panel.sold, weights, 0.0)
    logs = np.log(np.where(panel.sold, panel.price, 1.0))
    by_good, by_period = weight.sum(0), weight.sum(1)
    seen = by_good > 0
    weight, logs, by_good = weight[:, seen], logs[:, seen], by_good[seen]
    # Goods eliminated: (diag(W_t) - W diag(1/W_g) W') d = sum of w (y - mean of y over the good).
    matrix = np.diag(by_period) - (weight / by_good) @ weight.T
    centred = logs - (weight * logs).sum(0) / by_good
    right = (weight * centred).sum(1)
    solved = np.linalg.lstsq(matrix[1:, 1:], right[1:], rcond=None)[0]
    level: Floats = np.exp(np.concatenate([[0.0], solved]))
    return level


def wtpd(panel: Panel) -> Floats:
    """Return the time-product-dummy index weighted by expenditure *shares* within each period.

    The adopted rule (rulebook 19.1): each period weighs the same, whatever was spent in it.
    """
    spent = panel.price * panel.quantity
    return time_product_dummy(panel, spent / spent.sum(1, keepdims=True))


def tpd_raw_expenditure(panel: Panel) -> Floats:
    """Return the time-product-dummy index weighted by raw expenditure.

    The convention of the R package multilateral: periods with more spending pull harder.
    """
    return time_product_dummy(panel, panel.price * panel.quantity)


METHODS: Final[dict[str, Callable[[Panel], Floats]]] = {
    "geks_tornqvist": lambda panel: geks(panel, "tornqvist"),
    "geks_fisher": lambda panel: geks(panel, "fisher"),
    "geks_walsh": lambda panel: geks(panel, "walsh"),
    "geks_jevons": lambda panel: geks(panel, "jevons"),
    "geks_tornqvist_fullbasket_shares": geks_full_basket,
    "geary_khamis": geary_khamis,
    "wtpd": wtpd,
    "tpd_raw_expenditure_weights": tpd_raw_expenditure,
    "tpd_unweighted": lambda panel: time_product_dummy(panel, np.ones_like(panel.price)),
}
"""Convention by its full name to the function of a panel."""


@dataclass(frozen=True)
class Hedonic:
    """A fitted time-dummy hedonic regression.

    ``index``: per period, the first being 1; ``coefficients``: by name, the intercept and the
    period dummies included; ``errors``: their standard errors, NaN where nothing is left to
    estimate them from; ``r_squared``: share of the (weighted) variance explained.
    """

    periods: tuple[object, ...]
    index: Floats
    coefficients: dict[str, float]
    errors: dict[str, float]
    r_squared: float


def time_dummy_hedonic(
    period: Sequence[object],
    price: Floats,
    characteristics: dict[str, Floats],
    weights: Floats | None = None,
) -> Hedonic:
    """Return the regression of ``ln p`` on period dummies and characteristics (rulebook 19.3).

    Args:
        period: one per row; periods sort by value, the first is the base.
        price: float64, positive.
        characteristics: name to values as they enter (already logged where logs are meant).
        weights: non-negative; ``None`` is ordinary least squares.

    Raises:
        ValueError: a price is not positive, a weight negative, or the characteristics and the
            periods do not determine the coefficients (one is a combination of others).
    """
    if np.any(price <= 0) or (weights is not None and np.any(weights < 0)):
        raise ValueError("prices must be positive and weights not negative")
    periods = tuple(sorted(set(period)))  # type: ignore[type-var]
    place = {p: n for n, p in enumerate(periods)}
    at = np.array([place[p] for p in period])
    dummies = np.eye(len(periods))[at][:, 1:]
    columns = [np.ones(len(at)), *dummies.T, *characteristics.values()]
    names = ["intercept", *(f"period_{p}" for p in periods[1:]), *characteristics]
    design, logs = np.column_stack(columns), np.log(price)
    weight = np.ones(len(at)) if weights is None else weights
    root = np.sqrt(weight)
    if np.linalg.matrix_rank(design * root[:, None]) < design.shape[1]:
        raise ValueError("characteristics and periods are collinear; leave one out")
    left, upper = np.linalg.qr(design * root[:, None])
    fitted = np.linalg.solve(upper, left.T @ (logs * root))
    centre = (weight @ logs) / weight.sum()
    rest = weight @ (logs - design @ fitted) ** 2
    index = np.exp(np.concatenate([[0.0], fitted[1 : len(periods)]]))
    spread = float(weight @ (logs - centre) ** 2)
    r_squared = 1.0 - float(rest) / spread if spread else 1.0
    left_over = int((weight > 0).sum()) - design.shape[1]
    scale = float(rest) / left_over if left_over > 0 else float("nan")
    errors = np.sqrt(np.square(np.linalg.inv(upper)).sum(1) * scale)
    told = {name: float(value) for name, value in zip(names, fitted, strict=True)}
    sure = {name: float(value) for name, value in zip(names, errors, strict=True)}
    return Hedonic(periods, index, told, sure, r_squared)
