"""Statistics of one sample by the name a vector gives them.

The adopted ones (weighted median, quantiles, trimmed means) run through the estimators that make
fixings, on integers; the others through :mod:`methodology.order_statistics`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from math import lcm
from typing import Any

import numpy as np

from index.conformance_cases.sheet import NotUnderstood, exact
from methodology import estimators, wilcoxon
from methodology import order_statistics as order
from methodology.estimators import Ints

Figure = Fraction | float

ADOPTED = "average_at_exact_half (adopted), estimators.py on integers"


def integers(values: Sequence[Any]) -> tuple[list[int], int]:
    """Return figures as integers over one denominator, exactly.

    Raises:
        NotUnderstood: a figure is none, or is below zero.
    """
    parts = [exact(one) for one in values]
    if not parts or min(parts) < 0:
        raise NotUnderstood("a sample holds figures of zero or more")
    scale = lcm(*(one.denominator for one in parts))
    return [int(one * scale) for one in parts], scale


def _sorted(x: Sequence[Any], w: Sequence[Any] | None) -> tuple[Ints, Ints, int]:
    prices, scale = integers(x)
    weights, _ = integers(w if w is not None else [1] * len(x))
    if len(prices) != len(weights):
        raise NotUnderstood(f"{len(prices)} values and {len(weights)} weights")
    if max(prices) > 10**15 or sum(weights) > 10**12:
        raise NotUnderstood("figures with too many digits for the exact range of the estimators")
    price, weight = np.array([prices], np.int64), np.array([weights], np.int64)
    _, by_price, by_weight = estimators.sort_panel(price, weight)
    return by_price, by_weight, scale


def _rate(price: Ints, kept: Ints, scale: int) -> Fraction:
    top, bottom = estimators.exact_sums(price, kept)
    return Fraction(top[0], bottom[0]) / scale


def quantile(x: Sequence[Any], w: Sequence[Any] | None, share: Fraction) -> Fraction:
    """Return the adopted weighted quantile (rulebook 7.4, 7.6)."""
    price, weight, scale = _sorted(x, w)
    kept = estimators.kept_at_quantile(weight, share.numerator, share.denominator)
    return _rate(price, kept, scale)


def trimmed(x: Sequence[Any], w: Sequence[Any] | None, trim: Fraction) -> Fraction:
    """Return the adopted trimmed mean, the edges in proportion (rulebook 7.2)."""
    price, weight, scale = _sorted(x, w)
    kept = estimators.kept_trimmed(weight, (trim.numerator, trim.denominator))
    return _rate(price, kept, scale)


def share_of(name: str) -> Fraction | None:
    """Return the share a name states: ``third``, ``5pct``, ``25``, ``0.25``, ``p75``."""
    if "third" in name:
        return Fraction(1, 3)
    if "quarter" in name:
        return Fraction(1, 4)
    found = re.search(r"(\d+(?:[.p]\d+)?)", name)
    if found is None:
        return None
    number = Fraction(found[1].replace("p", "."))
    return number if number < 1 else number / 100


def convention_of(name: str) -> str | None:
    """Return which weighted-quantile convention a name means; ``None`` if none is known."""
    text = name.lower().replace("-", " ").replace("_", " ")
    found = re.search(r"type ?(\d)", text)
    if "spatstat" in text or (found and found[1] == "4"):
        number = found[1] if found else "2"
        return {"1": "lower", "2": "spatstat_type_2", "4": "spatstat_type_4"}.get(number)
    table = (
        ("average", "average_at_exact_half"),
        ("spec", "average_at_exact_half"),
        ("adopted", "average_at_exact_half"),
        ("midpoint", "midpoint_cdf"),
        ("interpol", "midpoint_cdf"),
        ("low", "lower"),
        ("inverted", "lower"),
        ("up", "upper"),
        ("hi median", "upper"),
        ("himedian", "upper"),
        ("high", "upper"),
    )
    if found and found[1] in "12":
        return "lower" if found[1] == "1" else "average_at_exact_half"
    return next((ours for word, ours in table if word in text), None)


def by_convention(
    x: Sequence[Any], w: Sequence[Any] | None, name: str, share: Fraction
) -> tuple[Fraction, str]:
    """Return a weighted quantile in the convention that a vector names, and our name of it.

    Raises:
        NotUnderstood: the convention is not built here.
    """
    ours = convention_of(name)
    if ours is None:
        raise NotUnderstood(f"no convention {name!r} here; known: {', '.join(order.QUANTILES)}")
    if ours == "average_at_exact_half":
        return quantile(x, w, share), ADOPTED
    weights = [exact(one) for one in (w if w is not None else [1] * len(x))]
    return order.QUANTILES[ours]([exact(one) for one in x], weights, share), f"convention {ours}"


def statistic(name: str, x: Sequence[Any], w: Sequence[Any] | None = None) -> tuple[Figure, str]:
    """Return the statistic a vector's field names, and a note on how it was made.

    Raises:
        NotUnderstood: the name is none of those built here.
    """
    text = re.sub(r"^expected_|_expected$", "", name.lower())
    values = [exact(one) for one in x]
    weights = [exact(one) for one in w] if w is not None else [Fraction(1)] * len(values)
    if not values or len(weights) != len(values):
        raise NotUnderstood(f"{len(values)} values and {len(weights)} weights")
    share = share_of(text)
    if "winsor" in text and share is not None:
        return order.winsorised_mean(values, weights, share), f"winsorised {share} a tail"
    if "trim" in text and share is not None and w is None:
        return order.trimmed_by_heads(values, share), f"convention: whole heads, {share} a tail"
    if "trim" in text and share is not None:
        note = f"trim {share} a tail, estimators.py on integers"
        return trimmed(x, w, share), note
    if re.search(r"interquartile_mean|iq_mean|midmean", text):
        return trimmed(x, w, Fraction(1, 4)), "trim 1/4 a tail, estimators.py on integers"
    if "iqr" in text:
        return order.iqr_type_7(values), "quartiles of type 7"
    if text.startswith("mad") or "_mad" in text:
        return _mad(text, values)
    if "wilcox" in text:
        note = "convention: R wilcox.test(exact = FALSE), a root to 1e-4, not Hodges-Lehmann"
        return wilcoxon.estimate([float(one) for one in values]), note
    if "hodges" in text or re.search(r"(^|_)hl(_|$)", text):
        return order.hodges_lehmann(values), "exact Walsh averages, the diagonal included"
    if "huber" in text:
        found = re.search(r"k_?(\d+(?:\.\d+)?)", text)
        k = float(found[1]) if found else 1.5
        return order.huber(values, k), f"k = {k:g}, stops as MASS and robustbase do"
    if re.fullmatch(r"qn(_.*)?", text):
        return order.qn(values), "robustbase's constants"
    if re.fullmatch(r"sn(_.*)?", text):
        return order.sn(values), "robustbase's constants"
    if "median" in text:
        return quantile(x, w, Fraction(1, 2)), ADOPTED
    if re.fullmatch(r"(weighted_|arithmetic_|unweighted_)?mean", text):
        return order.weighted_mean(values, weights), "exact"
    found = re.fullmatch(r"p_?(\d+(?:\.\d+)?)", text)
    if found:
        return quantile(x, w, Fraction(found[1]) / 100), ADOPTED
    raise NotUnderstood("no statistic of this name is built here")


def _mad(text: str, values: Sequence[Fraction]) -> tuple[Figure, str]:
    is_raw = "raw" in text or not re.search(r"scal|1\.?48|normal", text)
    if "log" in text:
        raw = order.mad_of_logs(values)
        return raw if is_raw else float(order.MAD_SCALE) * raw, "of natural logarithms"
    deviation = order.mad(values)
    return deviation if is_raw else order.MAD_SCALE * deviation, "raw" if is_raw else "times 1.4826"
