"""Vercel AI Gateway leaderboards: shares of tokens, requests and spend, by day.

``GET https://vercel.com/api/ai/leaderboard-export?dataset=models&modality=text&format=json``; also
``dataset=labs`` and ``dataset=providers``. No key. Licence CC BY 4.0, stated in the body itself
(``license``, ``license_url``). History from 2025-10-01 (``from=``, ``to=``); without dates the
default window. Shape and terms read 2026-11-20 from stored notes and 2026-11-21 from public scripts
that read this export; no body of it was at hand, so the source is unproven.

Shares only: there is no total, so nothing here can weigh an index. They show how the use of models
splits elsewhere than at the router that the baskets are weighted by.

Column map:

* ``dataset`` of the body -> first part of the subject, ``models:`` and the like: names of a lab and
  of a model may be the same word. ``name`` -> the rest of it, as spelled.
* ``metric`` -> meter: ``tokens`` token_share_e8, ``requests`` request_share_e8, ``spend``
  spend_share_e8; any other is no meter of ours.
* ``share_percent`` -> quantity in parts of 1e8, exactly: percent times 1,000,000. A figure with
  more than six decimals does not fit and is refused as ``INEXACT``.
* ``date`` -> the UTC day. ``modality`` must be ``text``. ``group``: which leaderboard the row is
  of, the same as ``dataset``: ignored.
* ``license`` must be CC-BY-4.0: another one changes what may be done with the figures.

Traps: the running day is in the export, and an answer may come from a cache of 24 hours. A day
counts once it was over 24 hours before the body was fetched; until then it is a part of a day
(``PARTIAL_DAY``). The shares of a day and metric add up to 100 with the row ``Other``; where they
do not come within a percent of it, rows are missing, and none of that day and metric stands
(``PART_MISSING``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any, NamedTuple

from collectors.base import Capture, Parsed, Request, Source
from collectors.rows import is_name, load_json, shape_error
from collectors.strict import Number
from collectors.volumes.counting import Counted, day_of
from methodology.errors import ParseError, PriceError
from methodology.units import exact

ID = "vercel_leaderboard"
DATASETS = ("models", "labs", "providers")
METERS = {
    "tokens": "token_share_e8",
    "requests": "request_share_e8",
    "spend": "spend_share_e8",
}
LICENCE = "CC-BY-4.0"
TAILS = frozenset({"other", "others"})
"""Names of the row that holds the rest; it is no subject."""
CACHED = timedelta(hours=24)
SUM_WITHIN = 1
"""Percent by which the shares of a day and metric may miss 100: each of them is rounded."""

_DAY = timedelta(days=1)


class _Row(NamedTuple):
    name: str
    metric: str
    day: date
    modality: str
    text: str
    share: Fraction | None


def requests(base_url: str) -> Generator[Request, Capture, None]:
    """Yield one GET for each of :data:`DATASETS`."""
    for dataset in DATASETS:
        yield Request(
            url=base_url, params={"dataset": dataset, "modality": "text", "format": "json"}
        )


def parse(capture: Capture) -> Parsed:
    """Return one Volume row per name, metric and finished UTC day, in parts of 1e8.

    Rejections, one per row of the body: ``NOT_A_MEASURED_METER`` (another metric),
    ``MODE_NOT_TEXT``, ``PARTIAL_DAY``, ``TAIL_BUCKET`` (the row ``Other``), ``NOT_A_NUMBER``,
    ``OUT_OF_BOUNDS`` (above 100), ``INEXACT``, ``PART_MISSING``, ``DUPLICATE_ROW``.

    Raises:
        ParseError: ``NOT_JSON``; ``SHAPE``; ``LICENCE_CHANGED`` when the body states another.
    """
    body = load_json(capture)
    if not isinstance(body, dict) or not isinstance(body.get("rows"), list):
        raise shape_error(capture, "no 'rows'")
    dataset = body.get("dataset")
    if dataset not in DATASETS:
        raise shape_error(capture, f"dataset is {dataset!r:.60}, not one of {DATASETS}")
    if body.get("license") != LICENCE:
        raise ParseError(
            ID,
            "LICENCE_CHANGED",
            f"{capture.url}: license is {body.get('license')!r:.80}, expected {LICENCE!r}; read "
            "the terms before the figures are used",
        )
    rows = [_row(capture, row) for row in body["rows"]]
    sums: defaultdict[tuple[date, str, str], Fraction] = defaultdict(Fraction)
    for row in rows:
        sums[row.day, row.metric, row.modality] += row.share or 0
    out = Counted(capture)
    last = capture.observed_at - CACHED
    for row in rows:
        subject = f"{dataset}:{row.name}"
        reason = _refusal(row, last, sums[row.day, row.metric, row.modality])
        if reason or row.share is None:
            told = f"{row.metric} of {row.day}: share_percent {row.text!r:.60}"
            if reason == "PART_MISSING":
                total = sums[row.day, row.metric, row.modality]
                told += f", the rows add up to {_percent(total)}"
            out.reject(subject, reason or "NOT_A_NUMBER", told)
            continue
        parts = row.share * 10**6
        if parts.denominator != 1:
            out.reject(subject, "INEXACT", f"share_percent {row.text!r:.60} has over six decimals")
            continue
        period = (row.day, row.day + _DAY)
        out.count(subject, METERS[row.metric], parts.numerator, period, capture.observed_at)
    return out.parsed()


def _percent(value: Fraction) -> str:
    """Return a percentage to four decimals, for a message, without a binary float on the way."""
    whole, rest = divmod(round(value * 10**4), 10**4)
    return f"{whole}.{rest:04d}"


def _row(capture: Capture, row: Any) -> _Row:
    try:
        name, metric, day, modality = (row[key] for key in ("name", "metric", "date", "modality"))
        share = row["share_percent"]
        if not all(is_name(text) for text in (name, metric, day, modality)):
            raise TypeError("a name that is no text")
        on = day_of(day)
    except (TypeError, KeyError, ValueError) as error:
        raise shape_error(capture, f"row {row!r:.200}: {error!r}") from error
    try:
        value = Fraction(exact(share)) if isinstance(share, Number) else None
    except PriceError:
        value = None
    return _Row(name, metric, on, modality, str(share), value)


def _refusal(row: _Row, last: datetime, total: Fraction) -> str | None:
    if row.modality != "text":
        return "MODE_NOT_TEXT"
    if row.metric not in METERS:
        return "NOT_A_MEASURED_METER"
    if datetime(row.day.year, row.day.month, row.day.day) + _DAY > last:
        return "PARTIAL_DAY"
    if row.share is None:
        return "NOT_A_NUMBER"
    if row.share > 100:
        return "OUT_OF_BOUNDS"
    if abs(total - 100) > SUM_WITHIN:
        return "PART_MISSING"
    return "TAIL_BUCKET" if row.name.casefold() in TAILS else None


SOURCE = Source(
    id=ID,
    kind="volumes",
    url="https://vercel.com/api/ai/leaderboard-export",
    parse=parse,
    requests=requests,
    tier="E4",
    code_licence="none (an API response)",
    data_right="CC BY 4.0, Vercel named as source",
    terms=(
        "The export states CC-BY-4.0 in each body; no key; answers are cached for 24 hours. "
        "Read 2026-11-20 from stored notes."
    ),
    mode="history",
    every=timedelta(hours=20),
)
