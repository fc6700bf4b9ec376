"""The bundled table of disclosed usage: which lines of a collected list are kept, and their source.

The list gathers what authorities and companies said about tokens they use. Kept are their own
statements, each with the page that reports it; media digests, estimates by third parties and
figures measured elsewhere are left out (``data/README.md``).
"""

from __future__ import annotations

import csv
import io
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import polars as pl

from index.bundle_tables import Table, capture_of
from methodology import schemas
from methodology.errors import ParseError
from methodology.units import exact

SOURCE = "disclosures"


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
        raise ParseError(SOURCE, "UNKNOWN_UNIT", f"unit {unit!r}: write trillion/day and the like")
    tokens = exact(figure) * _SCALES[scale] * (days if per == "day" else 1)
    if tokens.denominator != 1:
        raise ParseError(SOURCE, "INEXACT", f"{figure!r} {unit!r} is no whole number of tokens")
    return tokens.numerator


def disclosures(payloads: Path) -> Table:
    """Return the table of disclosed usage.

    Raises:
        UsageError: the list is missing.
        ParseError: a line to keep is not in it, or stands there twice.
    """
    capture = capture_of(
        payloads, "volume/disclosures.csv", SOURCE, datetime(2026, 11, 20), "bundled:disclosures"
    )
    listed = list(csv.DictReader(io.StringIO(capture.body.decode("utf-8"))))
    rows = []
    for line in LINES:
        key = (line.who, line.at, line.metric)
        found = [r for r in listed if (r["who"], r["date"], r["metric"]) == key]
        if len(found) != 1:
            raise ParseError(SOURCE, "ROWS", f"{key} stands {len(found)} times in the list")
        figure, unit = found[0]["value"], found[0]["unit"]
        end = line.last + timedelta(days=1)
        rows.append(
            {
                "source": SOURCE,
                "subject": line.subject,
                "meter": "total",
                "quantity": tokens_of(figure, unit, (end - line.first).days),
                "period_start": line.first,
                "period_end": end,
                "as_of": datetime(line.stated.year, line.stated.month, line.stated.day),
                "capture_sha256": capture.sha256,
                "figure_text": figure,
                "unit": unit,
                "who": line.who,
                "url": line.url,
                "licence_id": "facts",
            }
        )
    text = dict.fromkeys(("figure_text", "unit", "who", "url", "licence_id"), pl.String())
    schema = schemas.schema_of(schemas.Volume) | text
    return Table(
        file="disclosures.csv",
        source=SOURCE,
        kind="volumes",
        mode="history",
        layout="disclosures",
        rows=pl.DataFrame(rows, schema=schema).sort("subject", "period_start"),
        coverage=[(datetime(2024, 1, 1), datetime(2026, 11, 20))],
        captures=[],
        licence="facts",
        attribution="figures as stated by the named authority or company; each row has its page",
        origin="collected list of official and company statements, reviewed 2026-11-20",
        refused=len(listed) - len(rows),
    )
