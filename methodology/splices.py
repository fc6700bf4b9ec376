"""Extending a multilateral index without revising it: rolling windows and splices (rulebook 19.2).

A window of fixed length moves on by one period; its index has a new scale, and a splice says how
the newest period joins the published series. The choice moves the series: on a token panel of 20
months by as much as a seventh. So it is fixed in advance, and settles nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from methodology.bilateral import Floats, Panel

SPLICES: Final = ("movement", "window", "half", "mean", "mean_pub", "wisp", "hasp")
"""Splices by name: ``mean_pub`` (mean splice on the published series) is the adopted one."""

ADOPTED_SPLICE: Final = "mean_pub"


def rolling(
    panel: Panel, method: Callable[[Panel], Floats], window: int, splice: str = ADOPTED_SPLICE
) -> Floats:
    """Return a series in which each period is published once and never revised.

    The first ``window`` periods are the index of the first window. After that a period t joins by
    the ratio of t to earlier periods l of the new window:

    - ``movement``: l is the period before;
    - ``window``: l is the window's first period, ``half`` its middle one (the period with
      ``(window - 1) / 2`` others on either side), ``mean`` the geometric mean over all of the
      overlap; the level at l is that of the *previous window*, scaled to the last published one;
    - ``wisp``, ``hasp``, ``mean_pub``: the same with the level at l as it was *published*.

    Args:
        panel: all periods.
        method: a multilateral index, for example :func:`methodology.quality_adjusted.wtpd`.
        window: periods in a window, 2 or more.
        splice: one of :data:`SPLICES`.

    Returns:
        Float64 per period, the first being 1.

    Raises:
        ValueError: an unknown splice, or a window shorter than 2.
    """
    if splice not in SPLICES:
        raise ValueError(f"{splice!r} is none of {', '.join(SPLICES)}")
    if window < 2:
        raise ValueError(f"a window needs at least 2 periods, got {window}")
    periods = len(panel.periods)
    before = method(panel.window(0, min(window, periods)))
    published = list(before)
    for now in range(window, periods):
        first = now - window + 1
        after = method(panel.window(first, now + 1))
        # In both windows: periods first .. now-1; in the old one from place 1, in the new from 0.
        rise = after[-1] / after[:-1]
        if splice in ("mean_pub", "wisp", "hasp"):
            levels = np.array(published[first:now])
        else:
            levels = published[-1] * before[1:] / before[-1]
        candidates = levels * rise
        published.append(float(_choose(candidates, splice, window)))
        before = after
    return np.array(published)


def _choose(candidates: Floats, splice: str, window: int) -> float:
    if splice == "movement":
        return float(candidates[-1])
    if splice in ("window", "wisp"):
        return float(candidates[0])
    if splice in ("half", "hasp"):
        return float(candidates[(window - 1) // 2])
    return float(np.exp(np.mean(np.log(candidates))))
