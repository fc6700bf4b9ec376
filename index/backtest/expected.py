"""What the rulebook says should happen in each scenario, worked by hand before the code is asked.

Values stand on the bundled history; ``tests/test_backtest_scenarios.py`` works each of them out
from prices and weights alone. Another history has other values: there a row is not as expected.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Expected:
    """One row: clauses, what they say in words, and level, value, flags that follow."""

    clauses: str
    says: str
    waterfall: str
    value: str | None
    flags: tuple[str, ...]


TITLES: Final = {
    "source_class": "Every source of one class is gone",
    "first_source": "The source that serves most of the panel is gone",
    "third": "A third of the panel is gone",
    "thousandfold": "One seller asks a thousand times its price",
    "thousandfold_inside": "One small developer asks a thousand times, inside the bounds",
    "all_halve": "All sellers halve their prices within an hour",
    "one_halves": "One seller halves its price, alone",
    "silent_1": "Everybody is silent for one day",
    "silent_2": "Everybody is silent for two days",
    "silent_3": "Everybody is silent for three days",
}

OSS, NEMO = "TKR-gpt-oss-120b-BLD", "TKR-mistral-nemo-BLD"
H200, HYP, TKX = "GPR-H200-ANY-OD-NEO-GLB", "GPR-H100-SXM-80-OD-HYP-US", "TKX-ALL-BLD"

MIRROR, IMPUTED, HELD, SAME = "MIRRORED_EVIDENCE", "IMPUTED", "HELD", "CONFIRMED_SAME_PATH"
DISPERSED, OUTLIER, NOTICE = "DISPERSED", "OUTLIER", "OVERSIGHT_NOTICE"

ALWAYS: Final[dict[str, tuple[str, ...]]] = {
    OSS: (),
    NEMO: (),
    H200: ("BOOTSTRAP_VINTAGE",),
    HYP: ("SMALL_PANEL",),
    TKX: ("LINK_SKIPPED",),
}
"""Flags of an index on every day near its scenarios, with or without prices."""

QUIET: Final = {
    OSS: (MIRROR,),
    NEMO: (MIRROR, DISPERSED),
    H200: (MIRROR,),
    HYP: (MIRROR, OUTLIER),
    TKX: (MIRROR,),
}
"""Flags of its prices on a quiet day. NEMO: two of seven sellers at a sixth of the middle are more
than a quarter of the weight (6.3). HYP: two prices agree, so the third is an outlier (6.4)."""

VALUE: Final = {OSS: "0.230750", NEMO: "0.150000", H200: "4.2900", HYP: "11.0610", TKX: "1059.73"}

KNOWN_DIFFERENCES: Final[dict[tuple[str, str, int], str]] = {}
"""Rows in which the code does not do what the rulebook says, and what it does instead."""

EXPECTED: Final[dict[tuple[str, str, int], Expected]] = {}


def _say(
    index_id: str,
    scenario: str,
    day: int,
    clauses: str,
    says: str,
    level: str = "REDUCED",
    value: str | None = "as before",
    flags: tuple[str, ...] | None = None,
) -> None:
    told = VALUE[index_id] if value == "as before" else value
    seen = QUIET[index_id] if flags is None else flags
    every = tuple(sorted({*ALWAYS[index_id], *seen}))
    EXPECTED[index_id, scenario, day] = Expected(clauses, says, level, told, every)


for _name in (OSS, NEMO, H200, HYP):
    _say(_name, "source_class", 0, "10.1, 10.2", "nobody counts: the last value is carried",
         "CARRY", flags=())  # fmt: skip
    _say(_name, "silent_1", 0, "10.1", "first day without a value: carried", "CARRY", flags=())
    _say(_name, "silent_2", 1, "10.1", "second day: carried", "CARRY", flags=())
    _say(_name, "silent_3", 2, "10.1, 10.6", "two days have been carried: none, and a notice",
         "NO_FIX", None, (NOTICE,))  # fmt: skip
for _name in (OSS, NEMO, H200, HYP, TKX):
    for _n in (1, 2, 3):
        _say(_name, f"silent_{_n}", _n, "10.1, 8.3", "everybody is back at the old price")

_say(OSS, "first_source", 0, "10.1, 8.4, 6.3",
     "2 of 16 are left, one of them out until then; each is a gross error to the other, so nobody "
     "is excluded: it comes in, and the trim takes it",
     "CARRIED_INPUT", "0.236250", (MIRROR, IMPUTED, DISPERSED, OUTLIER))  # fmt: skip
_say(NEMO, "first_source", 0, "10.1, 8.4, 6.3",
     "3 of 7 count, all did within 72 hours; of the three one is far off, a third of the weight",
     "CARRIED_INPUT", flags=(MIRROR, IMPUTED, DISPERSED))  # fmt: skip
_say(HYP, "first_source", 0, "10.1, 8.4", "2 of 3 count, all did within 72 hours",
     "CARRIED_INPUT", flags=(MIRROR, IMPUTED, OUTLIER))  # fmt: skip

_say(OSS, "third", 0, "10.1, 8.4", "10 of 15 count with two thirds of the weight; 5 are imputed",
     flags=(MIRROR, IMPUTED))  # fmt: skip
_say(NEMO, "third", 0, "10.1, 8.4, 6.3",
     "5 of 7 count; the two far-off ones are gone, so nothing is dispersed",
     flags=(MIRROR, IMPUTED))  # fmt: skip
_say(H200, "third", 0, "10.1, 8.4", "5 of 7 count; 2 are imputed", flags=(MIRROR, IMPUTED))
_say(HYP, "third", 0, "10.1, 8.4", "2 of 3 count, all did within 72 hours",
     "CARRIED_INPUT", flags=(MIRROR, IMPUTED, OUTLIER))  # fmt: skip
_say(TKX, "third", 0, "13.5", "44 of 66 observed with more than half of the weight",
     flags=(MIRROR, IMPUTED))  # fmt: skip

_say(OSS, "thousandfold", 0, "6.2", "a jump nobody follows: held", flags=(MIRROR, HELD))
_say(OSS, "thousandfold", 1, "6.2, 6.3, 8.4",
     "confirmed by a second sighting, excluded as a gross error, imputed at its old price",
     flags=(MIRROR, IMPUTED))  # fmt: skip
_say(NEMO, "thousandfold", 0, "6.2", "a jump nobody follows: held",
     flags=(MIRROR, HELD, DISPERSED))  # fmt: skip
_say(NEMO, "thousandfold", 1, "6.2, 6.3, 6.4, 7.4",
     "confirmed; with it three of seven are far off, so nobody is excluded; the median is the same",
     flags=(MIRROR, SAME, DISPERSED, OUTLIER))  # fmt: skip
for _n in (0, 1):
    _say(H200, "thousandfold", _n, "6.1, 2.4, 8.4",
         "4,290 a GPU-hour is out of bounds: refused, the old price ends, imputed",
         flags=(MIRROR, IMPUTED))  # fmt: skip
    _say(HYP, "thousandfold", _n, "6.1, 2.4, 8.4, 10.1",
         "11,061 a GPU-hour is out of bounds: refused; 2 of 3 count",
         "CARRIED_INPUT", flags=(MIRROR, IMPUTED, OUTLIER))  # fmt: skip
    _say(TKX, "thousandfold", _n, "6.1, 2.4, 13.5",
         "an output price above 1,000 is out of bounds: no blend, imputed",
         flags=(MIRROR, IMPUTED))  # fmt: skip
_say(TKX, "thousandfold_inside", 0, "13.5, 6.2, 16.7",
     "the seller's own date confirms the jump at once; no price of a composite is trimmed",
     value="2190.22", flags=(MIRROR, SAME))  # fmt: skip

for _name, _half in ((OSS, "0.115375"), (NEMO, "0.075000"), (HYP, "5.5305")):
    _say(_name, "all_halve", 0, "6.2", "the crowd moved: accepted at once", value=_half)
    _say(_name, "all_halve", 1, "6.2", "no jump any more", value=_half)
_say(H200, "all_halve", 0, "6.2", "the crowd moved, and later bodies of the day confirm it",
     value="2.1450", flags=(MIRROR, SAME))  # fmt: skip
_say(H200, "all_halve", 1, "6.2", "no jump any more", value="2.1450")
_say(TKX, "all_halve", 0, "13.5",
     "dated prices move at once; those of a catalogue without dates are held, no crowd frees them",
     value="531.55", flags=(MIRROR, HELD, SAME))  # fmt: skip
_say(TKX, "all_halve", 1, "13.5", "those held are confirmed by a second sighting",
     value="529.87", flags=(MIRROR, SAME))  # fmt: skip

_say(OSS, "one_halves", 0, "6.2", "a jump nobody follows: held", flags=(MIRROR, HELD))
_say(OSS, "one_halves", 1, "6.2, 7.2", "confirmed; the trimmed mean follows in part",
     value="0.215125", flags=(MIRROR, SAME))  # fmt: skip
_say(NEMO, "one_halves", 0, "6.2", "a jump nobody follows: held", flags=(MIRROR, HELD, DISPERSED))
_say(NEMO, "one_halves", 1, "6.2, 7.4", "confirmed; it is the median and is so still",
     value="0.075000", flags=(MIRROR, SAME, DISPERSED))  # fmt: skip
_say(H200, "one_halves", 0, "6.2, 7.4",
     "later bodies of the day confirm it; the median goes to the next price below",
     value="4.0000", flags=(MIRROR, SAME))  # fmt: skip
_say(H200, "one_halves", 1, "6.2, 7.4", "no jump any more", value="4.0000")
_say(HYP, "one_halves", 0, "6.2", "a jump nobody follows: held", flags=(MIRROR, HELD, OUTLIER))
_say(HYP, "one_halves", 1, "6.2, 7.4", "confirmed; the median goes to the next price below",
     value="6.8800", flags=(MIRROR, SAME))  # fmt: skip
_say(TKX, "one_halves", 0, "13.5, 6.2, 16.7",
     "dated by the seller: a developer with a quarter of the link's weight takes half of it",
     value="934.73", flags=(MIRROR, SAME))  # fmt: skip
_say(TKX, "one_halves", 1, "13.5", "no jump any more", value="934.73")

_say(TKX, "source_class", 0, "13.5, 10.5", "7 of 66 observed, far below half the weight: carried",
     "CARRY")  # fmt: skip
_say(TKX, "silent_1", 0, "10.5", "no constituent is observed: nothing is carried",
     "NO_FIX", None, ())  # fmt: skip
_say(TKX, "silent_2", 1, "10.5", "no constituent is observed: nothing is carried",
     "NO_FIX", None, ())  # fmt: skip
_say(TKX, "silent_3", 2, "10.5, 10.6", "no constituent is observed; third day: a notice",
     "NO_FIX", None, (NOTICE,))  # fmt: skip
