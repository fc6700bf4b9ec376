"""Quotes of one day to panels, for many indices at once: the fast road for large markets.

A marketplace shows tens of thousands of quotes a day. This module takes one day of them and
returns, for each index, the members' representative prices and published weights and the order
statistics over them. The steps are those of the rulebook on integers, for quotes in ticks:

1. A quote beyond ``gross.exclude_ratio`` from the median quote of its index and day does not count
   (the ratio and the arithmetic of rulebook 6.3, against the median of all quotes).
2. The representative price of a provider is the median of its quotes that count. Of two middle
   quotes it is the mean, kept exactly by counting in half ticks.
3. Weights come from the providers' volumes as in rulebook 5, with the cap of the panel's size.
4. Percentiles, median and trimmed mean are those of rulebook 7, by the functions that publish.

Why it is fast: a quote becomes one integer, (index, price) or (index, provider, price), and
NumPy sorts plain integers of a day inside the processor's cache. After that every order
statistic is a place in a sorted array. The integer holds no row number, so the number of rows does
not widen it; what does is checked by :class:`Layout`, which refuses what does not fit.

Nothing depends on the order of the rows: they only enter through sorts and integer sums.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from methodology.definition import Methodology
from methodology.estimators import (
    TRIM25,
    TRIM40,
    TRIMS,
    Ints,
    kept_between,
    places_at_quantile,
    small_sums,
    sort_panel,
)
from methodology.units import MAX_PRICE_NANO
from methodology.weights import WEIGHT_UNITS, Bools, cap_for, panel_weights_many

Column = npt.NDArray[np.integer[Any]]
"""One column of quotes: integers of any width."""

KEY_BITS = 63
"""Bits of a packed key; the sign stays free."""

PERCENTILES = (1, 25, 50, 75, 99)
"""Order of the percentiles in :attr:`Determined.percentile_nano`."""


@dataclass(frozen=True)
class Layout:
    """How a quote is packed into one integer: index, provider and price in ticks, side by side.

    ``indices`` and ``providers`` are counts; ``highest_price`` is the largest price in ticks.

    Raises:
        OverflowError: they need more bits than a key has. Packing anyway would let prices run
            into providers without a sound; use larger ticks or fewer indices at a time.
    """

    indices: int
    providers: int
    highest_price: int

    def __post_init__(self) -> None:
        if min(self.indices, self.providers, self.highest_price) < 1:
            raise ValueError(f"a layout needs indices, providers and a price, got {self}")
        if self.highest_price > MAX_PRICE_NANO:
            raise OverflowError(
                f"prices up to {self.highest_price} ticks are beyond {MAX_PRICE_NANO};"
                " use larger ticks"
            )
        if self.bits > KEY_BITS:
            raise OverflowError(
                f"a key of {self.bits} bits does not fit in {KEY_BITS}: {self.indices} indices,"
                f" {self.providers} providers, prices up to {self.highest_price} ticks;"
                " use larger ticks or fewer indices at a time"
            )

    @property
    def cells(self) -> int:
        """Return the number of pairs of index and provider; the cell after them takes the rest."""
        return self.indices * self.providers

    @property
    def price_bits(self) -> int:
        """Return the bits of a price."""
        return self.highest_price.bit_length()

    @property
    def bits(self) -> int:
        """Return the bits of the widest key."""
        return self.cells.bit_length() + self.price_bits


@dataclass(frozen=True)
class Panels:
    """What quotes say of each index, day and provider; arrays ``[i, p]`` or ``[i]``.

    ``twice_price``: representative price in half ticks, 0 where there is none; ``volume``: sum over
    the quotes that count; ``quotes``: all quotes of the index; ``counted``: those that count.
    """

    twice_price: Ints
    volume: Ints
    quotes: Ints
    counted: Ints


@dataclass(frozen=True)
class Determined:
    """Figures per panel, arrays ``[i]``; a panel without members has zeros.

    ``members``: providers with a price; ``percentile_nano`` ``[i, 5]``: :data:`PERCENTILES` in
    nano-units, rounded half up once; ``trimmed_numerator`` over ``trimmed_denominator``: the exact
    trimmed mean in ticks; ``trimmed_nano``: the same in nano-units, rounded half up once;
    ``is_trimmed``: the panel is large enough for the trimmed mean to be its value (rulebook 7.1).
    """

    members: Ints
    percentile_nano: Ints
    trimmed_numerator: Ints
    trimmed_denominator: Ints
    trimmed_nano: Ints
    is_trimmed: Bools


def panels_of_days(
    instrument: Column,
    provider: Column,
    price: Column,
    volume: Column,
    edges: Ints,
    index_of: Ints,
    layout: Layout,
    rules: Methodology,
) -> Panels:
    """Return the panels of some days from their quotes; inside a day in any order.

    One day at a time is fastest when a day has tens of thousands of quotes. Shorter days go
    together, since below that NumPy spends more time on starting than on sorting.

    Args:
        instrument: places in ``index_of``.
        provider: 0 to ``layout.providers - 1``.
        price: ticks, 1 to ``layout.highest_price``.
        volume: zero or more, summing to less than 2**63.
        edges: int64 ``[d + 1]``: day k has the rows from ``edges[k]`` to before ``edges[k + 1]``;
            the first is 0 and the last the number of rows.
        index_of: index of each instrument, or -1 for one that belongs to none: its quotes are not
            counted anywhere.
        layout: the shape of the keys of one day.
        rules: for the ratio of step 1.

    Returns:
        Panels of all days, those of the first day first.

    Raises:
        OverflowError: a figure lies outside what the layout was made for, or the days together
            need wider keys than there are: give fewer at a time.
    """
    _check(instrument, provider, price, volume, index_of, layout)
    days = len(edges) - 1
    whole = Layout(layout.indices * max(1, days), layout.providers, layout.highest_price)
    shape, bits = (layout.indices * days, layout.providers), whole.price_bits
    cells = shape[0] * shape[1]
    # Rows of no index go to a group of their own, after all others.
    group = index_of + layout.indices * np.arange(days)[:, None]
    group = np.where(index_of < 0, shape[0], group).reshape(-1)
    if days > 1:
        place = np.repeat(np.arange(days) * len(index_of), np.diff(edges))
        place += instrument
        instrument = place
    key = _key_type(shape[0].bit_length() + bits)
    by_price = (group << bits).astype(key).take(instrument)
    by_price |= price.astype(key)
    by_price.sort()
    ends = np.searchsorted(by_price, (np.arange(shape[0] + 1) << bits).astype(key))
    quotes = np.diff(ends)
    lowest, highest = _bounds(by_price, ends[:-1], quotes, bits, rules)
    counts = price >= lowest.take(group).take(instrument)
    counts &= price <= highest.take(group).take(instrument)
    cell = (group * layout.providers).take(instrument)
    cell += provider
    # Refused quotes, and those of no index, meet in the cell after the last.
    cell[~counts] = cells
    key = _key_type(whole.bits)
    by_provider = cell.astype(key)
    by_provider <<= bits
    by_provider |= price.astype(key)
    by_provider.sort()
    sizes = np.bincount(cell, minlength=cells + 1)[:cells]
    total = np.zeros(cells + 1, np.int64)
    np.add.at(total, cell, volume.astype(np.int64))
    twice = _twice_middle(by_provider, np.cumsum(sizes) - sizes, sizes, bits)
    return Panels(
        twice_price=twice.reshape(shape),
        volume=total[:-1].reshape(shape),
        quotes=quotes,
        counted=sizes.reshape(shape).sum(-1),
    )


def _key_type(bits: int) -> np.dtype[np.integer[Any]]:
    """Return the narrowest type for a key: half the width sorts twice as fast."""
    return np.dtype(np.uint32 if bits <= 32 else np.int64)


def _check(
    instrument: Column,
    provider: Column,
    price: Column,
    volume: Column,
    index_of: Ints,
    layout: Layout,
) -> None:
    limits = {
        "instrument": (instrument, 0, len(index_of) - 1),
        "provider": (provider, 0, layout.providers - 1),
        "price": (price, 1, layout.highest_price),
        "volume": (volume, 0, ((1 << 63) - 1) // max(1, len(volume))),
        "index": (index_of, -1, layout.indices - 1),
    }
    for name, (column, least, most) in limits.items():
        if column.dtype.kind not in "iu":
            raise TypeError(f"{name}: {column.dtype} is not an integer type")
        if column.size and not (least <= column.min() and column.max() <= most):
            seen = f"{column.min()} to {column.max()}"
            raise OverflowError(f"{name}: {seen} is outside {least} to {most}, the layout's range")


def _twice_middle(keys: Column, starts: Ints, sizes: Ints, bits: int) -> Ints:
    """Return twice the median price of each run of sorted keys; 0 where a run is empty."""
    if not keys.size:
        return np.zeros(len(starts), np.int64)
    low = keys.take(starts + ((sizes - 1) >> 1), mode="clip").astype(np.int64)
    high = keys.take(starts + (sizes >> 1), mode="clip").astype(np.int64)
    mask = (1 << bits) - 1
    return np.where(sizes > 0, (low & mask) + (high & mask), 0)


def _bounds(
    by_price: Column, starts: Ints, sizes: Ints, bits: int, rules: Methodology
) -> tuple[Ints, Ints]:
    """Return the lowest and highest price in ticks that counts, per index and for no index."""
    ratio = rules.gross.exclude_ratio
    twice = _twice_middle(by_price, starts, sizes, bits)
    # 2p < m2 / ratio and 2p > m2 * ratio are beyond; exactly at the ratio is not.
    lowest = -(-twice // (2 * ratio))
    highest = twice * ratio // 2
    return np.append(lowest, 1), np.append(highest, 0)


def caps(members: Ints, positive: Ints, rules: Methodology) -> tuple[Ints, Ints]:
    """Return numerator and denominator of each panel's cap (rulebook 5.3).

    Args:
        members: providers in each panel: the size decides which cap holds.
        positive: those whose volume is not zero.
        rules: the parameters.
    """
    limits = rules.weights
    most = int(members.max(initial=1))
    usual = _caps_by_count(most, limits.cap_floor, limits.cap_numerator)
    is_largest = members >= rules.estimator.trimmed_40
    counted = np.where(positive > 0, positive, members)
    top, bottom = usual[:, counted]
    top[is_largest] = limits.cap_largest_panels.numerator
    bottom[is_largest] = limits.cap_largest_panels.denominator
    return top, bottom


@lru_cache(maxsize=64)
def _caps_by_count(most: int, floor: Fraction, numerator: Fraction) -> Ints:
    """Return numerators and denominators of the cap ``[2, most + 1]``, by number of groups."""
    by_count = [cap_for(max(1, count), floor, numerator) for count in range(most + 1)]
    return np.array([[c.numerator for c in by_count], [c.denominator for c in by_count]])


def determine_panels(
    twice_price: Ints, volume: Ints, tick_nano: int, rooted: bool, rules: Methodology
) -> Determined:
    """Return percentiles, median and trimmed mean of many panels at once (rulebook 5 and 7).

    The panels of several days can be given together; no panel sees another.

    Args:
        twice_price: int64 ``[i, p]``, representative prices in half ticks, 0 where there is none.
        volume: int64 ``[i, p]``, zero or more.
        tick_nano: nano-units in a tick, 1 to 10**9.
        rooted: take square roots of the volumes, as for capacity (rulebook 5.1).
        rules: the parameters.

    Raises:
        OverflowError: prices so large that a sum could leave 63 bits; nothing is ever wrapped.
    """
    present = twice_price > 0
    members = np.count_nonzero(present, axis=-1)
    positive = np.count_nonzero(present & (volume > 0), axis=-1)
    limits = caps(members, positive, rules)
    weight = panel_weights_many(volume, present, rooted=rooted, caps=limits)
    price, weight = _by_price(twice_price, weight)
    upper = np.cumsum(weight, -1)
    slack = np.count_nonzero(weight, axis=-1)
    row, last = np.arange(len(price)), price.shape[-1] - 1
    twice = np.empty((len(price), len(PERCENTILES)), np.int64)
    for column, percent in enumerate(PERCENTILES):
        first, second = places_at_quantile(upper, percent, 100, slack)
        twice[:, column] = price[row, np.minimum(first, last)]
        twice[:, column] += price[row, np.minimum(second, last)]
    is_largest = (members >= rules.estimator.trimmed_40)[:, None]
    cut, of = (np.where(is_largest, TRIMS[TRIM40][i], TRIMS[TRIM25][i]) for i in (0, 1))
    numerator, kept = small_sums(price, kept_between(upper, (cut, of)))
    denominator = 2 * kept
    return Determined(
        members=members,
        percentile_nano=_to_nano(twice, np.full_like(twice, 4), tick_nano),
        trimmed_numerator=numerator,
        trimmed_denominator=denominator,
        trimmed_nano=_to_nano(numerator, denominator, tick_nano),
        is_trimmed=members >= rules.estimator.trimmed_25,
    )


def _by_price(price: Ints, weight: Ints) -> tuple[Ints, Ints]:
    """Return :func:`sort_panel` without the order, by one sort of packed integers if they fit."""
    size = price.shape[-1]
    for_weight, for_place = WEIGHT_UNITS.bit_length(), size.bit_length()
    if not price.size or int(price.max()).bit_length() + for_weight + for_place > KEY_BITS:
        return sort_panel(price, weight)[1:]
    packed = price << (for_weight + for_place)
    packed |= np.arange(size) << for_weight  # equal prices stay in order of their columns
    packed |= weight
    packed.sort(axis=-1)
    return packed >> (for_weight + for_place), packed & ((1 << for_weight) - 1)


def _to_nano(numerator: Ints, denominator: Ints, tick_nano: int) -> Ints:
    """Return ``numerator / denominator`` ticks in nano-units, rounded half up once.

    Whole ticks are set aside first, so that only a remainder is multiplied.
    """
    if not 1 <= tick_nano <= 10**9:
        raise ValueError(f"a tick is 1 to 10**9 nano-units, got {tick_nano}")
    whole, rest = np.divmod(numerator, np.maximum(1, denominator))
    if whole.size and int(whole.max()) * tick_nano >= 1 << 62:
        raise OverflowError(f"a price of {whole.max()} ticks of {tick_nano} is beyond 62 bits")
    # Kept weights sum to 3 * 10**8 at most, so 2 * rest * tick_nano stays below 2**62.
    part = (2 * rest * tick_nano + denominator) // np.maximum(1, 2 * denominator)
    result: Ints = whole * tick_nano + part
    return result
