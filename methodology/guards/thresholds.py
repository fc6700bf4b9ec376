"""The figures of the guards, with what each was chosen by (rulebook 2.11).

Ratios are integers in thousandths and always 1,000 or more: a fall to a tenth and a rise to ten
times are both 10,000, with a sign beside it. Nothing here is a float, because the verdicts of one
fixing are part of the state that the next one reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

ONE = 1000
"""A ratio of one, in thousandths."""

NO_RATES: Mapping[str, Fraction] = {}


@dataclass(frozen=True, slots=True)
class Thresholds:
    """When a figure, a seller or a source is refused. Ratios in thousandths."""

    jump: int = 4 * ONE
    """Above this against its own history *and* the cross-section a figure is refused. A cut by
    three quarters is exactly this, and stands."""

    cut: int = 6 * ONE
    """A token offer whose meters all move by one ratio, not above this, is repriced:
    o3 and gpt-5.6-luna went to a fifth in one step."""

    own: int = 9 * ONE
    """From this on its own history is enough where nobody else sells the good."""

    cached: int = 100 * ONE
    """From this on a cached-input price is refused for itself."""

    first: int = 30 * ONE
    """A figure without history is refused this far from the cross-section of three groups."""

    first_groups: int = 3
    """Groups of others that a figure without history is compared with."""

    share_numerator: int = 3
    share_denominator: int = 5
    """Share of a source's matched quotes that move by one ratio: three fifths."""

    tolerance: int = 100
    """One ratio: within one part in this many of the median ratio."""

    unit_tolerance: int = 200
    """A whole factor of GPUs: within one part in this many."""

    matched: int = 4
    """A shared move is one of at least this part of the offers shown: a quarter."""

    uniform: int = 2 * ONE
    """A uniform move of one seller is only noted below this factor."""

    moved: int = 1020
    """Less than two percent is no move that a unit or a currency could explain."""

    few: int = 3
    """Listings that a uniform move needs; below `many` its ratio must be that of a unit."""

    many: int = 5
    """Listings of one seller from which any uniform factor of two or more is refused."""

    crowd: int = 3
    """Sellers from which a uniform move below a factor of two is refused too."""

    out_in_max: int = 25 * ONE
    """Highest credible output price, in thousandths of the input price."""

    out_in_min: int = 60
    """Lowest credible output price, in thousandths of the input price."""

    swap: int = 1050
    """Two exchanged prices differ by this ratio at least."""

    placeholder: int = 4
    """Listings on one figure that make a placeholder, and the ratio of their usual prices."""

    rows: tuple[int, int] = (7, 10)
    """A body with less than this part of the last count of rows is held for a second one."""

    rows_from: int = 10
    """Fewer rows than this show nothing by their number."""

    prices_a_day: int = 2
    """Different prices of one offer in one UTC day; the next one is refused."""

    memory_days: int = 31
    """An accepted price older than this is no history any more."""

    recent: int = 4
    """Earlier accepted prices of an offer to which it may return."""

    confirm: int = 100
    """Another path confirms a price within one part in this many."""

    fixed_days: int = 30
    """A price that stood this long while most of its source moved is noted as hard-coded."""

    stale_hours: int = 26
    """A row that its source saw longer ago than this is noted as carried forward."""

    currency_tolerance: int = 100
    """A ratio is a currency rate within one part in this many."""

    rates: Mapping[str, Fraction] = field(default_factory=lambda: NO_RATES)
    """Units of each currency for one US dollar, as published on the day (``{}``: not tested)."""


DEFAULT = Thresholds()
"""The figures of rulebook 2.11."""
