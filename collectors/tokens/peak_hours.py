"""The sentence of a price page that names its peak hours: windows of the day or of the week.

A sentence that speaks of days in words that are not known gives no hours: read without its days it
would state a price for days that have another one (rulebook 4.4).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from methodology import tariffs

CLOCK = r"([0-9]{1,2}):([0-9]{2})"
SPAN = rf"{CLOCK}\s*(?:-|–|~|\uff5e)\s*{CLOCK}"


@dataclass(frozen=True, slots=True)
class Wording:
    """How a language says its hours.

    ``hours``: four clock times as its unnamed groups, two spans. ``days``: groups ``first`` and
    ``last``, names of days or null for every day, and ``holidays``, what is said of them, searched
    in the sentence of the hours. ``of_days``: any word of days; one that ``days`` has not read
    makes the sentence unknown. ``stops``: what ends a sentence. ``zone``: minutes ahead of UTC.
    """

    hours: re.Pattern[str]
    days: re.Pattern[str]
    names: Mapping[str, int]
    of_days: re.Pattern[str]
    stops: str
    zone: int


@dataclass(frozen=True, slots=True)
class Hours:
    """Peak windows as ``methodology.tariffs`` counts them, by start, and the words they are from.

    ``has_holidays``: they do not hold on public holidays, which no week can say.
    """

    windows: tuple[tariffs.Window, ...]
    has_holidays: bool
    told: str


def peak_hours(note: str, wording: Wording) -> Hours | None:
    """Return the peak hours that a text names; ``None``: none, or not in words that are known.

    Two spans of one day by the page's clock, the first before the second. Days are a span of
    names, the last one included; a span may run over Sunday.
    """
    found = wording.hours.search(note)
    if found is None:
        return None
    start = max(note.rfind(stop, 0, found.start()) for stop in wording.stops) + 1
    ends = [at for stop in wording.stops if (at := note.find(stop, found.end())) >= 0]
    sentence = note[start : min(ends, default=len(note))]
    said = wording.days.search(sentence)
    rest = sentence if said is None else sentence[: said.start()] + sentence[said.end() :]
    if wording.of_days.search(rest):
        return None
    figures = [int(text) for text in found.groups()]
    clocks = [60 * hour + minute for hour, minute in zip(figures[::2], figures[1::2], strict=True)]
    if len(clocks) != 4 or max(figures[1::2]) > 59 or max(clocks) > tariffs.DAY:
        return None
    if not clocks[0] < clocks[1] <= clocks[2] < clocks[3]:
        return None
    days = tariffs.EVERY_DAY
    if said is not None and said["first"]:
        first, last = (wording.names[said[name].casefold()] for name in ("first", "last"))
        days = frozenset((first - 1 + n) % 7 + 1 for n in range((last - first) % 7 + 1))
    opened = [
        window
        for a, b in (clocks[:2], clocks[2:])
        for window in tariffs.windows(a, b, days=days, zone=wording.zone)
    ]
    has_holidays = said is not None and bool(said["holidays"])
    return Hours(tuple(sorted(opened)), has_holidays, sentence.strip())


_NAMES = "|".join(tariffs.DAYS)
ENGLISH = Wording(
    hours=re.compile(rf"Peak hours are {SPAN} and {SPAN} UTC\b"),
    days=re.compile(
        rf",?\s*(?:on |from )?(?P<first>{_NAMES})(?:\s*[-–]\s*| through | to )(?P<last>{_NAMES})"
        r"(?P<holidays>,?\s*\(?(?:excluding|except|except for) (?:\w+ )?public holidays\)?)?",
        re.IGNORECASE,
    ),
    names={name.casefold(): day for day, name in enumerate(tariffs.DAYS, 1)},
    of_days=re.compile(r"\w+day\b|\w+days\b|week|\bdays?\b", re.IGNORECASE),
    stops=".;\n",
    zone=0,
)
"""``Peak hours are 01:00 - 04:00 and 06:00 - 10:00 UTC, Monday through Friday``."""

_LIST = rf"{SPAN}\s*[、,\uff0c和]\s*{SPAN}"
_DAY = "(?:周|星期)(?P<{}>[一二三四五六日天])"
_CHINESE_DAYS = (
    rf"(?:{_DAY.format('first')}\s*[至到]\s*{_DAY.format('last')}"
    r"(?P<holidays>[\uff08(]\s*(?:不含|除|不包括)(?:中国)?(?:法定)?节假日(?:除外|外)?\s*[\uff09)])?"
    r"|每[日天])"
)
_ANY_DAYS = re.sub(r"\?P<\w+>", "?:", _CHINESE_DAYS)
CHINESE = Wording(
    # One sentence, two orders of words: "peak hours are Beijing time ..." and "... is peak".
    hours=re.compile(
        rf"(?:(?<=高峰时段为)北京时间|北京时间(?=[^。]{{0,80}}为高峰时段))\s*(?:{_ANY_DAYS})?\s*{_LIST}"
    ),
    days=re.compile(_CHINESE_DAYS),
    names={name: day for day, name in enumerate("一二三四五六日", 1)} | {"天": 7},
    of_days=re.compile(r"周|星期|礼拜|节假|假日|工作日|休息日|每[日天]|除外"),
    stops="。\uff1b;\n",
    zone=8 * 60,
)
"""``北京时间周一至周五（不含中国法定节假日）9:00 - 12:00、14:00 - 18:00 为高峰时段``."""
