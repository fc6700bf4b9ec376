"""The kernel for large markets against plain integers, one quote at a time.

The oracle below shares no line with the kernel: lists, :mod:`statistics`, fractions, and the
weights and estimators of ``oracle.py``, which was written from the rulebook's prose.
"""

from __future__ import annotations

from fractions import Fraction
from statistics import median

import numpy as np
import oracle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from methodology.definition import load_methodology
from methodology.kernel import (
    KEY_BITS,
    PERCENTILES,
    Determined,
    Layout,
    Panels,
    determine_panels,
    panels_of_days,
)

RULES = load_methodology()
TICK = 100_000
PROVIDERS = 30

Quote = tuple[int, int, int, int]
"""Instrument, provider, price in ticks, volume. Instruments 0 to 5 belong to index 0, 0, 1, 1, 2
and to none."""

INDEX_OF = np.array([0, 0, 1, 1, 2, -1])
LAYOUT = Layout(indices=3, providers=PROVIDERS, highest_price=500_000)


def determined(days: list[list[Quote]], layout: Layout = LAYOUT) -> tuple[Panels, Determined]:
    """What the kernel makes of some days of quotes."""
    rows = np.array([quote for day in days for quote in day], np.int64).reshape(-1, 4)
    edges = np.cumsum([0, *(len(day) for day in days)])
    panels = panels_of_days(
        rows[:, 0].astype(np.int16),
        rows[:, 1].astype(np.uint8),
        rows[:, 2],
        rows[:, 3],
        edges,
        INDEX_OF,
        layout,
        RULES,
    )
    return panels, determine_panels(panels.twice_price, panels.volume, TICK, True, RULES)


def by_hand(quotes: list[Quote], index: int) -> dict[str, object]:
    """The same for one index and day, in integers and fractions."""
    own = [quote for quote in quotes if INDEX_OF[quote[0]] == index]
    if not own:
        return {"members": 0, "quotes": 0, "counted": 0}
    middle = median(Fraction(quote[2]) for quote in own)
    good = [quote for quote in own if middle / 4 <= quote[2] <= middle * 4]
    members = sorted({quote[1] for quote in good})
    prices = [median(Fraction(q[2]) for q in good if q[1] == one) for one in members]
    volumes: list[int | None] = [sum(q[3] for q in good if q[1] == one) for one in members]
    # Nobody with a volume: equal weights, as the rulebook has it for rank V4.
    known = volumes if any(volumes) else [None for _ in members]
    counted = sum(1 for volume in known if volume != 0)
    cap = Fraction(5, 100) if len(members) >= 25 else oracle.cap_of(counted)
    units = oracle.weights(known, rooted=True, cap=cap)
    twice = [int(2 * price) for price in prices]
    trim = Fraction(2, 5) if len(members) >= 25 else Fraction(1, 4)
    top, bottom = oracle.trimmed_parts(twice, units, trim)
    slack = sum(1 for unit in units if unit)
    found: dict[str, object] = {
        "members": len(members),
        "quotes": len(own),
        "counted": len(good),
        "trimmed": Fraction(top, 2 * bottom),
        "trimmed_nano": oracle.half_up(top * TICK, 2 * bottom),
    }
    for percent in PERCENTILES:
        top, bottom = oracle.quantile_parts(twice, units, percent, 100, slack)
        found[f"p{percent}"] = oracle.half_up(top * TICK, 2 * bottom)
    return found


def same_as_by_hand(days: list[list[Quote]]) -> None:
    panels, found = determined(days)
    for number, day in enumerate(days):
        for index in range(3):
            row = number * 3 + index
            ours: dict[str, object] = {
                "members": int(found.members[row]),
                "quotes": int(panels.quotes[row]),
                "counted": int(panels.counted[row]),
            }
            if found.members[row]:
                top, bottom = found.trimmed_numerator[row], found.trimmed_denominator[row]
                ours["trimmed"] = Fraction(int(top), int(bottom))
                ours["trimmed_nano"] = int(found.trimmed_nano[row])
                for place, percent in enumerate(PERCENTILES):
                    ours[f"p{percent}"] = int(found.percentile_nano[row, place])
            assert ours == by_hand(day, index), (number, index)


def crowd(size: int, *, price: int = 20_000, step: int = 0, volume: int = 100) -> list[Quote]:
    """One quote each of the first ``size`` providers, in index 0."""
    return [(0, one, price + step * one, volume) for one in range(size)]


HOSTILE: dict[str, list[list[Quote]]] = {
    "one_quote": [[(0, 7, 123_457, 5)]],
    "one_quote_without_volume": [[(0, 7, 123_457, 0)]],
    "two_members": [[(0, 1, 100, 1), (0, 2, 101, 1)]],
    "nobody_has_a_volume": [[*crowd(7, step=11, volume=0)]],
    "one_of_many_has_a_volume": [[*crowd(9, step=3, volume=0), (1, 9, 20_100, 8)]],
    "all_prices_equal": [crowd(30)],
    "equal_weights_of_six": [crowd(6, step=1)],
    "equal_weights_of_ten": [crowd(10, step=7)],
    "equal_weights_of_twenty_five": [crowd(25, step=2)],
    "one_below_the_largest_panels": [crowd(24, step=2)],
    "weights_of_a_few_units": [
        [(0, one, 20_000 + one, 10**14 if one < 12 else 1) for one in range(24)]
    ],
    "one_holds_nearly_everything": [[*crowd(29, step=5, volume=1), (0, 29, 25_000, 10**12)]],
    "two_middle_quotes_of_a_provider": [[(0, 1, 10, 1), (1, 1, 13, 1), (0, 2, 12, 1)]],
    "prices_at_both_ends_of_the_layout": [[(0, 1, 1, 3), (2, 29, 500_000, 3), (4, 0, 499_999, 1)]],
    "exactly_four_times_the_median_counts": [
        [(0, 1, 100, 1), (0, 2, 100, 1), (0, 3, 400, 1), (0, 4, 25, 1), (0, 5, 100, 1)]
    ],
    "just_beyond_four_times_does_not": [
        [(0, 1, 100, 1), (0, 2, 100, 1), (0, 3, 401, 1), (0, 4, 24, 1), (0, 5, 100, 1)]
    ],
    "the_median_itself_lies_between_two_quotes": [[(0, 1, 10, 1), (0, 2, 45, 1), (0, 2, 3, 9)]],
    "a_median_of_which_nothing_is_near": [[(0, 1, 1, 1), (0, 2, 500_000, 1)]],
    "an_instrument_of_no_index": [[(5, 1, 77, 1), (5, 2, 78, 1), (0, 3, 79, 1)]],
    "only_instruments_of_no_index": [[(5, 1, 77, 1)]],
    "an_empty_day_alone": [[]],
    "no_day_at_all": [],
    "an_empty_day_between_two": [crowd(5, step=9), [], crowd(12, step=4)],
    "indices_beside_each_other": [
        [*crowd(8, step=9), *((2, one, 300 + one, one) for one in range(30)), (4, 3, 9, 9)]
    ],
    "the_first_and_the_last_cell": [[(0, 0, 5, 5)], [(4, PROVIDERS - 1, 500_000, 5)]],
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_panels_are_what_plain_integers_say(case: str) -> None:
    same_as_by_hand(HOSTILE[case])


def test_one_panel_worked_by_hand() -> None:
    """Rulebook 15.1 in ticks of 1e-4: volumes 900, 400, 100, 25, 25 have roots 30 to 5."""
    quotes: list[Quote] = [
        (0, 0, 21_000, 900),  # ash
        (0, 1, 24_000, 400),  # birch
        (0, 2, 19_900, 100),  # cedar
        (0, 3, 27_900, 25),  # elm
        (0, 4, 35_000, 25),  # fir
    ]
    _, found = determined([quotes])
    assert found.percentile_nano[0].tolist() == [
        1_990_000_000,
        2_100_000_000,  # 0.24, 0.48: the first above a quarter
        2_400_000_000,  # as the rulebook says
        2_790_000_000,  # 0.72, 0.86
        3_500_000_000,
    ]
    # A quarter cut from each tail of 0.24 0.24 0.24 0.14 0.14 leaves 0.23 0.24 0.03 of 0.50:
    # (0.23 * 2.10 + 0.24 * 2.40 + 0.03 * 2.79) / 0.50 = 1.1427 / 0.5
    assert found.trimmed_nano[0] == 2_285_400_000
    assert not found.is_trimmed[0]


QUOTE = st.tuples(
    st.integers(0, 5),
    st.integers(0, PROVIDERS - 1),
    st.one_of(st.integers(95, 105), st.integers(20, 480), st.sampled_from([1, 25, 400, 500_000])),
    st.one_of(st.just(0), st.integers(0, 4), st.integers(0, 10**9), st.just(10**13)),
)
DAYS = st.lists(st.lists(QUOTE, max_size=70), max_size=3)


@settings(max_examples=150, deadline=None)
@given(DAYS)
def test_drawn_days_are_what_plain_integers_say(days: list[list[Quote]]) -> None:
    same_as_by_hand(days)


@settings(max_examples=30, deadline=None)
@given(st.lists(QUOTE, min_size=1, max_size=60), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(quotes: list[Quote], luck: object) -> None:
    shuffled = list(quotes)
    luck.shuffle(shuffled)  # type: ignore[attr-defined]
    for ours, theirs in zip(determined([quotes]), determined([shuffled]), strict=True):
        for name in vars(ours):
            assert getattr(ours, name).tobytes() == getattr(theirs, name).tobytes(), name


def drawn_day(rows: int, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [
        rng.integers(0, 6, rows).astype(np.int16),
        rng.integers(0, PROVIDERS, rows).astype(np.uint8),
        rng.integers(90_000, 110_000, rows),
        rng.integers(0, 1000, rows),
    ]


def test_a_day_of_more_than_131072_rows_is_like_any_other() -> None:
    """A row number in the key would need an eighteenth bit from here on."""
    rows = 131_072 + 4_321
    columns = drawn_day(rows, 5)
    panels = panels_of_days(*columns, np.array([0, rows]), INDEX_OF, LAYOUT, RULES)
    instrument, provider, price, volume = (column.astype(np.int64) for column in columns)
    for index in range(3):
        for one in range(PROVIDERS):
            here = (INDEX_OF[instrument] == index) & (provider == one)
            assert panels.twice_price[index, one] == int(2 * median(price[here].tolist()))
            assert panels.volume[index, one] == sum(volume[here].tolist())
    assert panels.quotes.sum() == int((instrument < 5).sum())


def test_days_together_are_the_days_one_by_one() -> None:
    parts = [drawn_day(rows, rows) for rows in (300, 1, 2500, 40)]
    together = [np.concatenate(column) for column in zip(*parts, strict=True)]
    edges = np.cumsum([0, *(len(part[0]) for part in parts)])
    whole = panels_of_days(*together, edges, INDEX_OF, LAYOUT, RULES)
    single = [
        panels_of_days(*part, np.array([0, len(part[0])]), INDEX_OF, LAYOUT, RULES)
        for part in parts
    ]
    for name in vars(whole):
        expected = np.concatenate([getattr(one, name) for one in single])
        assert getattr(whole, name).tobytes() == expected.tobytes()


@pytest.mark.parametrize("highest", [500_000, 2**30, 2**40])
def test_narrow_and_wide_keys_give_the_same(highest: int) -> None:
    days = [crowd(30, step=17), crowd(9, step=1, volume=3)]
    wide = Layout(indices=3, providers=PROVIDERS, highest_price=highest)
    for ours, theirs in zip(determined(days), determined(days, wide), strict=True):
        for name in vars(ours):
            assert getattr(ours, name).tobytes() == getattr(theirs, name).tobytes(), name


def test_a_layout_that_needs_too_many_bits_is_refused() -> None:
    Layout(indices=100, providers=60, highest_price=10**15)  # 13 + 50 bits: all there are
    with pytest.raises(OverflowError, match=r"64 bits does not fit in 63.*larger ticks"):
        Layout(indices=200, providers=60, highest_price=10**15)
    with pytest.raises(OverflowError, match="beyond 1000000000000000"):
        Layout(indices=1, providers=1, highest_price=10**15 + 1)
    with pytest.raises(ValueError, match="needs indices"):
        Layout(indices=0, providers=60, highest_price=1)


def test_days_that_together_need_too_many_bits_are_refused() -> None:
    layout = Layout(indices=3, providers=PROVIDERS, highest_price=10**15)
    assert layout.bits <= KEY_BITS < layout.bits + 8
    with pytest.raises(OverflowError, match="fewer indices at a time"):
        determined([crowd(2)] * 256, layout)


@pytest.mark.parametrize(
    ("quote", "named"),
    [
        ((0, PROVIDERS, 100, 1), "provider"),
        ((6, 0, 100, 1), "instrument"),
        ((-1, 0, 100, 1), "instrument"),
        ((0, 0, 0, 1), "price"),
        ((0, 0, -5, 1), "price"),
        ((0, 0, 500_001, 1), "price"),
        ((0, 0, 100, -1), "volume"),
        ((0, 0, 100, 2**62), "volume"),
    ],
)
def test_a_figure_outside_the_layout_is_refused_and_named(quote: Quote, named: str) -> None:
    with pytest.raises(OverflowError, match=f"^{named}: .* outside"):
        determined([[*crowd(3), quote]])


def test_an_index_outside_the_layout_is_refused() -> None:
    columns = drawn_day(10, 1)
    with pytest.raises(OverflowError, match=r"^index: "):
        panels_of_days(*columns, np.array([0, 10]), INDEX_OF + 1, LAYOUT, RULES)


def test_floats_are_refused() -> None:
    instrument, provider, price, volume = drawn_day(10, 1)
    with pytest.raises(TypeError, match="price: float64"):
        panels_of_days(
            instrument,
            provider,
            price.astype(np.float64),
            volume,
            np.array([0, 10]),
            INDEX_OF,
            LAYOUT,
            RULES,
        )


def test_prices_whose_sums_could_wrap_are_refused() -> None:
    twice = np.full((1, 60), 2 * 10**15)
    with pytest.raises(OverflowError, match="beyond 63 bits"):
        determine_panels(twice, np.ones((1, 60), np.int64), 1, True, RULES)


@pytest.mark.parametrize("tick", [0, 10**9 + 1])
def test_a_tick_has_bounds(tick: int) -> None:
    with pytest.raises(ValueError, match="a tick is"):
        determine_panels(np.array([[2, 4]]), np.array([[1, 1]]), tick, True, RULES)


def test_a_large_tick_is_rounded_once_and_exactly() -> None:
    """Prices of 1.5 and 2 ticks with equal weights: the median is 1.75 ticks."""
    _, found = determined([[(0, 0, 1, 1), (0, 0, 2, 0), (0, 1, 2, 1)]])
    assert found.percentile_nano[0, 2] == 7 * TICK // 4
    twice, volume = np.array([[3, 4]]), np.array([[1, 1]])
    whole = determine_panels(twice, volume, 10**9, True, RULES)
    assert whole.percentile_nano[0, 2] == 1_750_000_000
