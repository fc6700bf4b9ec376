"""Hours of a lower price as LiteLLM's catalogue writes them: windows of the day or of the week.

``hours_utc`` is ``HH:MM-HH:MM`` in UTC or a list of such spans, the end exclusive, 00:00 as an end
being midnight; ``windows`` is a list of them with ``weekdays``, 1 (Monday) to 7, or without, for
every day. A span past midnight on some days only is not read: the catalogue does not say whether
its days are those of its start.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from collectors import strict
from methodology import tariffs

_SPAN = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]):([0-5][0-9])", re.ASCII)


def off_peak_windows(pricing: Mapping[str, Any]) -> list[tariffs.Window]:
    """Return the windows of one ``off_peak_pricing``, as ``methodology.tariffs`` counts them.

    Raises:
        ValueError: no hours, hours twice, a condition beside them, or words that are not known.
    """
    conditions = {name for name in pricing if "cost" not in name}
    if conditions == {"hours_utc"}:
        listed = [{"hours_utc": pricing["hours_utc"]}]
    elif conditions == {"windows"} and isinstance(pricing["windows"], list):
        listed = pricing["windows"]
    else:
        raise ValueError(f"conditions {sorted(conditions)}: needs windows or hours_utc alone")
    found = [window for one in listed for window in _windows(one)]
    if not found:
        raise ValueError("no window")
    return found


def _windows(one: Any) -> list[tariffs.Window]:
    if not isinstance(one, dict) or not {"hours_utc"} <= set(one) <= {"hours_utc", "weekdays"}:
        raise ValueError(f"window {one!r:.80}")
    hours = one["hours_utc"] if isinstance(one["hours_utc"], list) else [one["hours_utc"]]
    days = _days(one["weekdays"]) if "weekdays" in one else tariffs.EVERY_DAY
    found = []
    for text in hours:
        span = _SPAN.fullmatch(text) if isinstance(text, str) else None
        if span is None:
            raise ValueError(f"hours {text!r:.80}")
        start, end = (60 * int(span[n]) + int(span[n + 1]) for n in (1, 3))
        end = end or tariffs.DAY
        if start == end or (end < start and days != tariffs.EVERY_DAY):
            raise ValueError(f"hours {text!r:.80} on days {sorted(days)}")
        found += tariffs.windows(start, end, days=days)
    return found


def _days(listed: Any) -> frozenset[int]:
    """Return days written as JSON numbers 1 to 7; names of days have no agreed spelling."""
    known = {str(day): day for day in tariffs.EVERY_DAY}
    days = listed if isinstance(listed, list) else []
    if not days or not all(isinstance(d, strict.Number) and str(d) in known for d in days):
        raise ValueError(f"weekdays {listed!r:.80}")
    return frozenset(known[str(day)] for day in days)
