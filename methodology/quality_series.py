"""The quality-adjusted index as it is published: months, windows, splice (rulebook 19.5 to 19.9).

The formulas are those of ``quality_adjusted`` and ``splices``. Here they are computed in decimal
arithmetic of 50 digits, in one stated order: months ascending, models by id, Gaussian elimination
from the first unknown to the last without exchanging rows. Additions, products and quotients are
rounded half even to 50 digits, ln and exp likewise, as the decimal specification demands. So the
published two decimals do not depend on a machine, a library of linear algebra or its threads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

from methodology.usage import DIGITS

POINTS = 100
"""Units of a point: values are published with two decimals."""

SINGULAR = Decimal(1).scaleb(-25)
"""A pivot below this means that the months fall into parts without a common model."""

Prices = Mapping[str, int]
Tokens = Mapping[str, int]
Row = list[Decimal]


@dataclass(frozen=True)
class MonthPrice:
    """One model's mean daily price of a month, nano-units, half up, and what it is the mean of."""

    price_nano: int
    days: int
    source: str


def solve(matrix: Sequence[Sequence[Decimal]], right: Sequence[Decimal]) -> Row | None:
    """Return the solution of a symmetric positive definite system, ``None`` if it is singular.

    Gaussian elimination in the order of the unknowns, no pivoting: none is needed for a positive
    definite matrix, and an order that depends on rounding would not be the same everywhere.
    """
    rows = [[*line, b] for line, b in zip(matrix, right, strict=True)]
    size = len(rows)
    for i in range(size):
        if rows[i][i] < SINGULAR:
            return None
        for j in range(i + 1, size):
            factor = DIGITS.divide(rows[j][i], rows[i][i])
            for k in range(i, size + 1):
                taken = DIGITS.multiply(factor, rows[i][k])
                rows[j][k] = DIGITS.subtract(rows[j][k], taken)
    found = [Decimal(0)] * size
    for i in reversed(range(size)):
        rest = rows[i][size]
        for k in range(i + 1, size):
            rest = DIGITS.subtract(rest, DIGITS.multiply(rows[i][k], found[k]))
        found[i] = DIGITS.divide(rest, rows[i][i])
    return found


@lru_cache(maxsize=65536)
def _ln(number: int) -> Decimal:
    return DIGITS.ln(Decimal(number))


def _total(terms: Sequence[Decimal]) -> Decimal:
    total = Decimal(0)
    for term in terms:
        total = DIGITS.add(total, term)
    return total


def time_product_dummy(months: Sequence[Prices], tokens: Sequence[Tokens]) -> Row | None:
    """Return ln of the index of each month, the first being 0 (rulebook 19.1, 19.6).

    ``ln p = month + model + error``, each observation weighted by the model's share of what was
    spent in its month. Models are eliminated first.

    Args:
        months: prices by model, nano-units; a model without a price is absent.
        tokens: quantities by model of each month; a model without any is left out of it.

    Returns:
        ``None`` when the months are not linked by common models.
    """
    sold = [
        {m: price for m, price in month.items() if used.get(m, 0) > 0}
        for month, used in zip(months, tokens, strict=True)
    ]
    models = sorted({m for month in sold for m in month})
    logs: list[dict[str, Decimal]] = []
    shares: list[dict[str, Decimal]] = []
    for month, used in zip(sold, tokens, strict=True):
        mine = [m for m in models if m in month]
        spent = sum(month[m] * used[m] for m in mine)
        logs.append({m: _ln(month[m]) for m in mine})
        shares.append({m: DIGITS.divide(Decimal(month[m] * used[m]), spent) for m in mine})
    by_model = {m: _total([share[m] for share in shares if m in share]) for m in models}
    mean = {
        m: DIGITS.divide(
            _total(
                [DIGITS.multiply(s[m], y[m]) for s, y in zip(shares, logs, strict=True) if m in s]
            ),
            by_model[m],
        )
        for m in models
    }
    places = range(1, len(months))
    matrix: list[Row] = []
    right: Row = []
    for i in places:
        line: Row = []
        for j in places:
            common = [
                DIGITS.divide(DIGITS.multiply(shares[i][m], shares[j][m]), by_model[m])
                for m in models
                if m in shares[i] and m in shares[j]
            ]
            own = _total([shares[i][m] for m in models if m in shares[i]]) if i == j else Decimal(0)
            line.append(DIGITS.subtract(own, _total(common)))
        matrix.append(line)
        off = [
            DIGITS.multiply(shares[i][m], DIGITS.subtract(logs[i][m], mean[m]))
            for m in models
            if m in shares[i]
        ]
        right.append(_total(off))
    solved = solve(matrix, right)
    return None if solved is None else [Decimal(0), *solved]


def hedonic(months: Sequence[Prices], traits: Mapping[str, Sequence[int]]) -> Row | None:
    """Return ln of a time-dummy hedonic index of each month, the first being 0 (rulebook 19.8).

    Least squares of ln p on a constant, month dummies and the traits of each model, one vote per
    price; ``None`` when they do not determine the coefficients.
    """
    size = 1 + (len(months) - 1) + (len(next(iter(traits.values()))) if traits else 0)
    counts = [[0] * size for _ in range(size)]
    right = [Decimal(0)] * size
    for place, month in enumerate(months):
        for m in sorted(month):
            row = [1, *(int(place == n) for n in range(1, len(months))), *traits[m]]
            log = _ln(month[m])
            at = [n for n, x in enumerate(row) if x]
            for a in at:
                right[a] = DIGITS.add(right[a], DIGITS.multiply(Decimal(row[a]), log))
                for b in at:
                    counts[a][b] += row[a] * row[b]
    solved = solve([[Decimal(n) for n in line] for line in counts], right)
    return None if solved is None else [Decimal(0), *solved[1 : len(months)]]


def publish_next(
    published: Sequence[int], months: Sequence[Prices], tokens: Sequence[Tokens], window: int
) -> list[int] | None:
    """Return the months that become published with the last of ``months``, in units of 1e-2.

    Before the first window is full: nothing. With it: all its months, the first at 1000 points.
    After that: the newest month, joined by the mean splice on published (rulebook 19.7):

    ``level(t) = exp( mean over l of ln( level(l) * a(t) / a(l) ) )``, l the earlier months of the
    window and a its index.

    Args:
        published: levels of all months published so far, oldest first.
        months: prices of all months up to and including the new one.
        tokens: quantities of the same months.
        window: months in a window.

    Returns:
        ``None`` when the window's months are not linked by common models.
    """
    if len(months) < window:
        return []
    logs = time_product_dummy(months[-window:], tokens[-window:])
    if logs is None:
        return None
    if not published:
        return [_units(DIGITS.multiply(Decimal(1000), DIGITS.exp(log))) for log in logs]
    levels = published[len(months) - window : len(months) - 1]
    parts = [
        DIGITS.subtract(
            DIGITS.add(DIGITS.ln(DIGITS.divide(Decimal(level), Decimal(POINTS))), logs[-1]), log
        )
        for level, log in zip(levels, logs[:-1], strict=True)
    ]
    mean = DIGITS.divide(_total(parts), Decimal(len(parts)))
    return [_units(DIGITS.exp(mean))]


def _units(points: Decimal) -> int:
    scaled = DIGITS.multiply(points, Decimal(POINTS))
    return int(scaled.quantize(Decimal(1), rounding=ROUND_HALF_UP, context=DIGITS))


def series(months: Sequence[Prices], tokens: Sequence[Tokens], window: int) -> list[int | None]:
    """Return the published level of each month, units of 1e-2; ``None`` where there is none.

    Each month is published once and never revised.
    """
    published: list[int] = []
    for n in range(1, len(months) + 1):
        more = publish_next(published, months[:n], tokens[:n], window)
        if more is None:
            break
        published += more
    return [*published, *[None] * (len(months) - len(published))]


def drift_pct(
    composite: Mapping[date, int], adjusted: Mapping[date, int], last: date, months: int = 12
) -> Decimal | None:
    """Return how far a composite moved from the quality-adjusted index, in percent.

    ``100 * ( (T(last)/T(first)) / (Q(last)/Q(first)) - 1 )`` over month ends, first being
    ``months`` month ends before ``last`` or, where the composite is younger, its first one.

    Args:
        composite: published units by month end.
        adjusted: published units by month end.
        last: the month end to compare up to.
        months: how far back.

    Returns:
        ``None`` when fewer than two month ends stand in both.
    """
    both = sorted(d for d in composite if d in adjusted and d <= last)
    if not both or both[-1] != last or len(both) < 2:
        return None
    first = both[max(0, len(both) - 1 - months)]
    top = Decimal(composite[last] * adjusted[first])
    ratio = DIGITS.divide(top, Decimal(composite[first] * adjusted[last]))
    return DIGITS.multiply(Decimal(100), DIGITS.subtract(ratio, Decimal(1)))
