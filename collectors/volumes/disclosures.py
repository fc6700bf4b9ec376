"""What authorities and companies say about tokens they use: their own statements (stored list).

A hand-kept CSV, ``who,date,metric,value,unit,where_stated``: official and company figures, media
digests, estimates by third parties, figures measured elsewhere. There is no address to read it at;
it feeds the bundled history and no live run. Statements are facts, quoted with who said it, when,
and the page (read 2026-11-20).

Which lines are kept is reviewed one by one in :data:`LINES`: only what an authority or a company
said of its own use, with its period, the day it was said and the page. The list itself is too loose
for a rule: ``date`` is a day, a month or a financial year, ``unit`` carries remarks. Everything
else is refused as ``UNMAPPED_LISTING``: no reviewed line names it.

Column map: ``who``, ``date``, ``metric`` together name the statement; ``value`` and ``unit`` -> the
tokens of the whole period, exactly (:func:`tokens_of`); subject, period and as_of from the reviewed
line. ``where_stated`` is how the list remembers the page: ignored, the reviewed line has its
address. ``(over)`` in a unit means that more was used; the figure is told as stated (rulebook
20.4).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Generator
from datetime import date, datetime, timedelta
from typing import NamedTuple

from collectors.base import Capture, Parsed, Request, Source
from collectors.rows import shape_error
from collectors.volumes.counting import Counted
from methodology.errors import ParseError, PriceError
from methodology.units import exact

ID = "disclosures"
COLUMNS = ("who", "date", "metric", "value", "unit", "where_stated")


class Line(NamedTuple):
    """One line to keep: its key in the list, whose use it is, its period, when and where stated."""

    who: str
    at: str
    metric: str
    subject: str
    first: date
    last: date
    stated: date
    url: str


_NDA = "daily tokens, national"
_CN, _DOUBAO, _GOOGLE = "cn-national", "bytedance-doubao", "google"
_AUG = "https://www.ithome.com/0/875/414.htm"
_FORUM = "https://www.163.com/dy/article/KOSFJRDJ0530SFP3.html"
_IO26 = "https://blog.google/innovation-and-ai/sundar-pichai-io-2026/"
_Q3 = "https://blog.google/inside-google/message-ceo/alphabet-earnings-q3-2025/"

# A day that is not known is the last of the month: never earlier than the statement.
LINES = (
    Line("China NDA (Liu Liehong)", "2024-01", _NDA, _CN, date(2024, 1, 1), date(2024, 1, 31),
         date(2025, 8, 14), _AUG),
    Line("China NDA", "2025-06-30", _NDA, _CN, date(2025, 6, 30), date(2025, 6, 30),
         date(2025, 8, 14), _AUG),
    Line("China NDA", "2025-12-31", _NDA, _CN, date(2025, 12, 31), date(2025, 12, 31),
         date(2026, 3, 31), _FORUM),
    Line("China NDA", "2026-03", _NDA, _CN, date(2026, 3, 1), date(2026, 3, 31),
         date(2026, 3, 31), _FORUM),
    Line("ByteDance Doubao (Volcengine)", "2024-05", "daily tokens", _DOUBAO, date(2024, 5, 1),
         date(2024, 5, 31), date(2024, 9, 30), "https://aicnews.cn/keji/moxing/17951.html"),
    Line("ByteDance Doubao", "2024-09", "daily tokens", _DOUBAO, date(2024, 9, 1),
         date(2024, 9, 30), date(2024, 9, 30), "https://aicnews.cn/keji/moxing/17951.html"),
    Line("ByteDance Doubao", "2025-09-30", "daily tokens", _DOUBAO, date(2025, 9, 30),
         date(2025, 9, 30), date(2025, 10, 16),
         "https://www.jinantimes.com.cn/news-62-5153636.html"),
    Line("ByteDance Doubao", "2025-12", "daily tokens", _DOUBAO, date(2025, 12, 1),
         date(2025, 12, 31), date(2025, 12, 18), "https://hao.cnyes.com/post/217684"),
    Line("ByteDance Doubao", "2026-03", "daily tokens", _DOUBAO, date(2026, 3, 1),
         date(2026, 3, 31), date(2026, 4, 2), "https://www.36kr.com/p/3764435023102472"),
    Line("Google", "2024-05", "monthly tokens, all surfaces", _GOOGLE, date(2024, 5, 1),
         date(2024, 5, 31), date(2025, 5, 20), "https://blog.google/technology/ai/io-2025-keynote/"),
    Line("Google", "2025-05", "monthly tokens", _GOOGLE, date(2025, 5, 1), date(2025, 5, 31),
         date(2025, 5, 20), "https://blog.google/technology/ai/io-2025-keynote/"),
    Line("Google", "2025-07", "monthly tokens", _GOOGLE, date(2025, 7, 1), date(2025, 7, 31),
         date(2025, 7, 23),
         "https://blog.google/inside-google/message-ceo/alphabet-earnings-q2-2025/"),
    Line("Google", "2025-10", "monthly tokens", _GOOGLE, date(2025, 10, 1), date(2025, 10, 31),
         date(2025, 10, 29), _Q3),
    Line("Google", "2026-05", "monthly tokens", _GOOGLE, date(2026, 5, 1), date(2026, 5, 31),
         date(2026, 5, 20), _IO26),
)  # fmt: skip
"""Reviewed 2026-11-20."""

_SCALES = {"billion": 10**9, "trillion": 10**12}


def tokens_of(figure: str, unit: str, days: int) -> int:
    """Return the tokens of a whole period from a figure as stated, exactly.

    Args:
        figure: decimal text.
        unit: ``trillion/day``, ``billion/day``, ``trillion/month``; words after it are ignored.
        days: days of the period; a figure per day is the mean of them, one per month is their sum.

    Raises:
        ParseError: another unit, or a figure that is no whole number of tokens.
    """
    scale, _, per = unit.partition(" ")[0].partition("/")
    if scale not in _SCALES or per not in ("day", "month"):
        raise ParseError(ID, "UNKNOWN_UNIT", f"unit {unit!r}: write trillion/day and the like")
    tokens = exact(figure) * _SCALES[scale] * (days if per == "day" else 1)
    if tokens.denominator != 1:
        raise ParseError(ID, "INEXACT", f"{figure!r} {unit!r} is no whole number of tokens")
    return tokens.numerator


def requests(base_url: str) -> Generator[Request, Capture, None]:
    """Yield nothing: the list comes with the archive."""
    yield from ()


def parse(capture: Capture) -> Parsed:
    """Return one Volume row per statement of :data:`LINES` that the list has, in its order.

    Rejections: ``UNMAPPED_LISTING`` for a row that no reviewed line names.

    Raises:
        ParseError: ``NOT_CSV``; ``SHAPE`` for other columns or a row of another length; ``ROWS``
            for a reviewed statement that stands twice; ``NOT_A_NUMBER``, ``UNKNOWN_UNIT`` or
            ``INEXACT`` for a figure that is not what was reviewed.
    """
    reviewed = {(line.who, line.at, line.metric): line for line in LINES}
    out = Counted(capture)
    for row in _listed(capture):
        key = (row["who"], row["date"], row["metric"])
        line = reviewed.pop(key, None)
        if line is None:
            if any((one.who, one.at, one.metric) == key for one in LINES):
                raise ParseError(ID, "ROWS", f"{key} stands twice in the list; keep one")
            told = f"{row['metric']} of {row['date']}: {row['value']} {row['unit']}"
            out.reject(row["metric"], "UNMAPPED_LISTING", told, provider=row["who"])
            continue
        end = line.last + timedelta(days=1)
        try:
            tokens = tokens_of(row["value"], row["unit"], (end - line.first).days)
        except PriceError as error:
            raise ParseError(ID, error.reason, f"value of {key}: {error}") from error
        as_of = datetime(line.stated.year, line.stated.month, line.stated.day)
        out.count(line.subject, "total", tokens, (line.first, end), as_of)
    return out.parsed()


def _listed(capture: Capture) -> list[dict[str, str]]:
    try:
        rows = list(csv.reader(io.StringIO(capture.body.decode("utf-8-sig")), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ParseError(ID, "NOT_CSV", f"{capture.url}: {error}") from error
    if not rows or tuple(rows[0]) != COLUMNS:
        raise shape_error(capture, f"columns are {rows[:1]!r:.200}, expected {COLUMNS}")
    if len(rows) == 1:
        raise shape_error(capture, "no statement in the list")
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(COLUMNS):
            raise shape_error(capture, f"line {number} has {len(row)} fields")
    return [dict(zip(COLUMNS, row, strict=True)) for row in rows[1:]]


SOURCE = Source(
    id=ID,
    kind="volumes",
    url=LINES[0].url,  # one of the pages; nothing is asked of it
    parse=parse,
    requests=requests,
    tier="E3",
    code_licence="none (a list of facts)",
    data_right="facts: statements quoted with who made them, when, and the page",
    terms="Single figures, quoted; each reviewed line names its page. Read 2026-11-20.",
    mode="history",
    content_types=("text/csv",),
    is_live=False,
)
