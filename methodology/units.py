"""Decimal text to fixed point, exactly once (rulebook 3).

A price travels as the source's own text until this module turns it into an integer number of
nano-units: 1e-9 of the currency per million tokens, or per GPU-hour. No float is involved. The
result is rounded half up once; a result that is not exact is marked, and one whose relative error
exceeds 1e-6 is refused.
"""

from __future__ import annotations

import re
from fractions import Fraction

from methodology.errors import PriceError

NANO = 10**9
"""Nano-units in one unit of currency."""

MAX_RELATIVE_ERROR = Fraction(1, 10**6)
"""A conversion that loses more than this is refused (rulebook 3.3)."""

MAX_PRICE_NANO = 10**15
"""Bound on a price in nano-units (a million per unit): keeps every product below 2**127."""

HOURS_PER_MONTH = 730
"""Hours of a month that is billed as one twelfth of a year of 8,760 hours."""

FACTORS: dict[str, Fraction] = {
    "per_token": Fraction(10**6),
    "per_ktok": Fraction(10**3),
    "per_mtok": Fraction(1),
    "cents_per_token": Fraction(10**4),
    "cents_per_mtok": Fraction(1, 100),
    "e4_per_mtok": Fraction(1, 10**4),
    "e8_per_token": Fraction(1, 100),
    "per_gpu_hour": Fraction(1),
    "per_gpu_second": Fraction(3600),
    "cents_per_gpu_hour": Fraction(1, 100),
    "per_instance_hour": Fraction(1),
    "cents_per_instance_hour": Fraction(1, 100),
    "per_instance_month": Fraction(1, HOURS_PER_MONTH),
    "per_instance_1y": Fraction(1, 12 * HOURS_PER_MONTH),
    "per_instance_3y": Fraction(1, 36 * HOURS_PER_MONTH),
}
"""Quoted unit to the multiplier that gives the canonical unit (per Mtok or per GPU-hour).

``cents_``, ``e4_`` and ``e8_`` count hundredths, 1e-4 and 1e-8 of the currency. Units of an
instance (a pod, a node) are further divided by the number of its GPUs; ``_1y`` and ``_3y`` are the
total of a term of 8,760 or 26,280 hours.
"""

GPU_UNITS = frozenset(unit for unit in FACTORS if "gpu" in unit or "instance" in unit)
INSTANCE_UNITS = frozenset(unit for unit in FACTORS if "instance" in unit)

_DECIMAL = re.compile(r"[0-9]{1,20}(?:\.[0-9]{0,40})?(?:[eE][+-]?[0-9]{1,2})?")
_TIMES = " * "
_NEGATIVE = re.compile(r"-[0-9.]")


def exact(text: str) -> Fraction:
    """Return the exact value of a decimal text such as ``"0.0000025"`` or ``"2.5e-06"``.

    A source that states one price as a multiple of another is quoted as both figures, each
    verbatim: ``"0.00003 * 0.1"`` is their exact product.

    Raises:
        PriceError: ``NEGATIVE_PRICE`` for a leading minus (``-1`` is a sentinel for "dynamic" in
            one catalogue, never a price), ``NOT_A_NUMBER`` for anything else that is not a plain
            decimal: NaN, Infinity, thousands marks, blanks, non-ASCII digits.
    """
    if _DECIMAL.fullmatch(text):
        return Fraction(text)
    price, times, multiple = text.partition(_TIMES)
    if times and _DECIMAL.fullmatch(price) and _DECIMAL.fullmatch(multiple):
        return Fraction(price) * Fraction(multiple)
    if _NEGATIVE.match(text):
        raise PriceError("NEGATIVE_PRICE", f"{text!r} is below zero; sentinels are not prices")
    raise PriceError("NOT_A_NUMBER", f"{text!r} is not a plain decimal number")


def round_half_up(numerator: int, denominator: int) -> int:
    """Return ``numerator / denominator`` rounded half up, for a non-negative ratio.

    The one rounding rule of the settlement path (rulebook 3.2), in integers.

    Raises:
        ValueError: the ratio is negative or the denominator not positive.
    """
    if denominator <= 0 or numerator < 0:
        raise ValueError(f"round_half_up needs a non-negative ratio, got {numerator}/{denominator}")
    return half_up(numerator, denominator)


def half_up(numerator: int, denominator: int) -> int:
    """Return the same for a ratio of any sign: ``floor((2n + d) / (2d))``, so -0.5 becomes 0.

    Only a difference of published values can be negative (rulebook 18.3); prices go through
    :func:`round_half_up`, which refuses what is below zero.

    Raises:
        ValueError: the denominator is not positive.
    """
    if denominator <= 0:
        raise ValueError(f"rounding needs a positive denominator, got {numerator}/{denominator}")
    return (2 * numerator + denominator) // (2 * denominator)


def to_nano(text: str, quoted_unit: str, gpu_count: int | None = None) -> tuple[int, bool]:
    """Return a quoted price in nano-units of the canonical unit, and whether it was rounded.

    Args:
        text: the source's own decimal text.
        quoted_unit: a key of :data:`FACTORS`.
        gpu_count: GPUs in the instance, needed for :data:`INSTANCE_UNITS` and only there.

    Returns:
        ``(price_nano, is_inexact)``: nano-units per Mtok or per GPU-hour, zero or more.

    Raises:
        PriceError: ``UNKNOWN_UNIT``, ``GPU_COUNT_UNKNOWN``, ``NOT_A_NUMBER``, ``NEGATIVE_PRICE``,
            ``INEXACT`` (relative error above 1e-6) or ``OUT_OF_RANGE`` (above
            :data:`MAX_PRICE_NANO`).
    """
    factor = FACTORS.get(quoted_unit)
    if factor is None:
        raise PriceError("UNKNOWN_UNIT", f"{quoted_unit!r} is none of {sorted(FACTORS)}")
    if quoted_unit in INSTANCE_UNITS:
        if gpu_count is None or gpu_count < 1:
            raise PriceError("GPU_COUNT_UNKNOWN", "an instance price needs its number of GPUs")
        factor /= gpu_count
    value = exact(text) * factor * NANO
    nano = round_half_up(value.numerator, value.denominator)
    if nano > MAX_PRICE_NANO:
        raise PriceError("OUT_OF_RANGE", f"{text!r} {quoted_unit} exceeds a million per unit")
    if value and abs(nano - value) > MAX_RELATIVE_ERROR * value:
        raise PriceError("INEXACT", f"{text!r} {quoted_unit} cannot be held in nano-units")
    return nano, nano != value


def nano_to_text(nano: int, decimals: int = 9) -> str:
    """Return nano-units as decimal text with ``decimals`` (0 to 9) places, rounded half up."""
    step = 10 ** (9 - decimals)
    units = round_half_up(abs(nano), step)
    sign = "-" if nano < 0 and units else ""
    if decimals == 0:
        return f"{sign}{units}"
    return f"{sign}{units // 10**decimals}.{units % 10**decimals:0{decimals}d}"
