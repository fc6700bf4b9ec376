"""Grade of a fixing: six published components, one exact decision (rulebook 12).

Each component is published with six decimals and the product is compared with a power of the
threshold in integers, so the grade is a function of published numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from methodology.parameters import Grade
from methodology.screens import RATIO_UNITS, ln_micro
from methodology.units import round_half_up

COMPONENTS = ("effective_n", "weight", "fresh", "evidence", "spread", "concentration")
"""Names of the components, in the order they are published."""


@dataclass(frozen=True, slots=True)
class Quality:
    """The six components in millionths, and the grade they give."""

    components: tuple[int, ...]
    grade: str

    def as_record(self) -> dict[str, str]:
        """Return the components as decimal text by name."""
        return {
            name: f"{value // RATIO_UNITS}.{value % RATIO_UNITS:06d}"
            for name, value in zip(COMPONENTS, self.components, strict=True)
        }


def _micro(value: Fraction) -> int:
    bounded = min(Fraction(1), max(Fraction(0), value))
    return round_half_up(bounded.numerator * RATIO_UNITS, bounded.denominator)


def effective_n(weights: Sequence[int]) -> Fraction:
    """Return ``1 / sum(w**2)`` over published weights, 0 for an empty panel."""
    squares = sum(w * w for w in weights)
    return Fraction(sum(weights) ** 2, squares) if squares else Fraction(0)


def grade(
    weights: Sequence[int],
    weight_share: Fraction,
    fresh_share: Fraction,
    tier_weights: Mapping[str, int],
    p25_nano: int,
    p75_nano: int,
    level: str,
    is_small_panel: bool,
    is_limited: bool,
    rules: Grade,
) -> Quality:
    """Return the quality of one fixing.

    Args:
        weights: published weights of the members that counted.
        weight_share: their share of the vintage's weight.
        fresh_share: the share of that seen within the fetch-age limit.
        tier_weights: weight by evidence tier.
        p25_nano: weighted 25th percentile.
        p75_nano: weighted 75th percentile.
        level: waterfall level; A needs FULL, B needs FULL or REDUCED.
        is_small_panel: the panel lives by the small-panel rule: at most C.
        is_limited: a reference or internal print, or one with a panel break: at most C.
        rules: the parameters.

    Returns:
        Components effective_n, weight, fresh, evidence, spread, concentration, each 0 to 1 in
        millionths, and A, B, C or D.
    """
    total = sum(tier_weights.values())
    scored = sum(rules.tier_scores.get(t, Fraction(0)) * w for t, w in tier_weights.items())
    spread = (
        Fraction(ln_micro(p75_nano) - ln_micro(p25_nano), RATIO_UNITS) / rules.spread_full
        if p25_nano > 0
        else Fraction(1)
    )
    top = Fraction(max(weights, default=0), 10**8)
    over = max(Fraction(0), top - rules.concentration_free)
    parts = (
        _micro(effective_n(weights) / rules.effective_n_full),
        _micro(weight_share),
        _micro(fresh_share),
        _micro(Fraction(scored, 1) / total if total else Fraction(0)),
        _micro(1 - min(1 - rules.spread_floor, spread)),
        _micro(1 - over / rules.concentration_span),
    )
    product = 1
    for part in parts:
        product *= part

    def reaches(score: Fraction) -> bool:
        return product * score.denominator**6 >= (score.numerator * RATIO_UNITS) ** 6

    capped = is_small_panel or is_limited
    if level == "FULL" and reaches(rules.a_score) and not capped:
        found = "A"
    elif level in ("FULL", "REDUCED") and reaches(rules.b_score) and not capped:
        found = "B"
    elif level in ("FULL", "REDUCED", "CARRIED_INPUT") and reaches(rules.c_score):
        found = "C"
    else:
        found = "D"
    return Quality(parts, found)
