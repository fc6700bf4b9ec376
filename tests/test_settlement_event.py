"""Yes-or-no contracts: strictly greater than the strike, at two decimals; cases by hand."""

from __future__ import annotations

from fractions import Fraction

import pytest

from methodology.settlement import decide

EVENTS = {
    "above_is_yes": (28600, "FULL", "2.85", "YES"),
    "equal_is_no": (28500, "FULL", "2.85", "NO"),
    "below_is_no": (28400, "FULL", "2.85", "NO"),
    # 2.8549 is 2.85 at two decimals: not greater
    "greater_only_before_rounding_is_no": (28549, "FULL", "2.85", "NO"),
    # 2.8550 is 2.86, half up
    "half_a_cent_rounds_up_and_is_yes": (28550, "FULL", "2.85", "YES"),
    # 2.8450 is 2.85: equal
    "rounding_up_to_the_strike_is_no": (28450, "FULL", "2.85", "NO"),
    "no_fix_determines_nothing": (None, "NO_FIX", "2.85", "NO_DETERMINATION"),
    "a_carried_value_determines_nothing": (99999, "CARRY", "2.85", "NO_DETERMINATION"),
    "a_modelled_value_determines_nothing": (99999, "MODEL", "2.85", "NO_DETERMINATION"),
    "older_inputs_do": (28600, "CARRIED_INPUT", "2.85", "YES"),
}


@pytest.mark.parametrize("name", EVENTS)
def test_strictly_greater_at_two_decimals(name: str) -> None:
    units, level, strike, answer = EVENTS[name]
    assert decide(units, level, Fraction(strike), decimals=4, places=2) == answer


def test_an_annex_may_admit_carried_values() -> None:
    said = decide(28600, "CARRY", Fraction("2.85"), decimals=4, places=2, is_filled_admitted=True)
    assert said == "YES"
