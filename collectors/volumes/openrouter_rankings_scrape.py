"""OpenRouter's page of rankings as somebody scraped it, wrong charts and all (stored history).

Forty-four files, 2026-03-28 to 2026-05-16, taken from https://openrouter.ai/rankings by a script
that looked for charts in the page's data. No licence stated; read 2026-11-20. It feeds no live run.

What the chart ``models`` counts: the running week, Monday 00:00 UTC to the moment of the scrape.
The implied total (tokens divided by share) falls back every Monday and grows by about 3 trillion a
day until Sunday: 20.4 trillion on Sunday 2026-03-29, 0.95 on Monday morning, 4.5 on Tuesday
morning. So a small figure on a Monday is no fault, and a figure is never that of a whole week. Rows
are told with the days from Monday to the day of the scrape, and ``as_of`` inside the last one says
that this day is a part.

The trap: on ten days the script took another chart (one language, one kind of call, one day) for
that of all models. Its rows look alike; only their size is impossible, by a factor of ten to ten
thousand. The body tells: the total that its first row implies, spread over the time since Monday,
must reach :data:`LEAST_PER_DAY`. Whole weeks of that spring ran at 2 to 4 trillion a day.
Otherwise the body is refused whole, as ``WRONG_CHART``: 2026-04-01, 04-14, 04-16, 04-19, 04-29,
04-30, 05-02, 05-06, 05-07 and 05-13.

Column map: ``models`` only: ``model_id`` subject, its ending after ``:`` the variant; ``tokens``
total; ``share_pct`` and the tokens of the first row imply the total of the chart;
``meta.fetched_at`` as_of. The other charts (by language, by kind of call, ``market_share``, apps)
are of other periods, which the file does not state, or not of tokens: ignored. So are names, ranks,
addresses and ``change``.
"""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

from collectors.base import Capture, Parsed, Request, Source
from collectors.rows import is_name, load_json, shape_error
from collectors.strict import Number
from collectors.times import is_within, utc_moment
from collectors.volumes.counting import Counted, is_count, variant_refusal
from methodology.errors import ParseError, PriceError
from methodology.units import exact

ID = "openrouter_rankings_scrape"
LEAST_PER_DAY = 10**12
"""Tokens a day below which a chart cannot be that of all models."""

_DAY = timedelta(days=1)


def requests(base_url: str) -> Generator[Request, Capture, None]:
    """Yield nothing: the pages come with the archive."""
    yield from ()


def parse(capture: Capture) -> Parsed:
    """Return the tokens of each model of the chart from Monday to the scrape.

    Rejections: ``FREE_VARIANT``, ``VARIANT_NOT_STANDARD``, ``NOT_A_COUNT``, ``DUPLICATE_ROW``.

    Raises:
        ParseError: ``NOT_JSON``; ``SHAPE``; ``EMPTY`` when the chart has no model (a page that
            was built anew); ``WRONG_CHART`` when the chart is not that of all models.
    """
    body = load_json(capture)
    models = body.get("models") if isinstance(body, dict) else None
    meta = body.get("meta") if isinstance(body, dict) else None
    if not isinstance(models, list) or not isinstance(meta, dict):
        raise shape_error(capture, "no 'models' and 'meta'")
    as_of = _time(capture, meta.get("fetched_at"))
    if as_of > capture.observed_at:
        raise shape_error(capture, f"meta.fetched_at {as_of} is after it was fetched")
    if not models:
        raise ParseError(
            ID, "EMPTY", f"{capture.url}: no model in the chart of {as_of}; the page was rebuilt"
        )
    for row in models:
        if not isinstance(row, dict) or not is_name(row.get("model_id")):
            raise shape_error(capture, f"row {row!r:.200} has no model_id")
    today = as_of.date()
    monday = today - timedelta(days=today.weekday())
    since = as_of - datetime(monday.year, monday.month, monday.day)
    total = _implied_total(capture, models[0])
    days = Fraction(since // timedelta(microseconds=1), _DAY // timedelta(microseconds=1))
    if total < LEAST_PER_DAY * days:
        raise ParseError(
            ID,
            "WRONG_CHART",
            f"{capture.url}: the chart of {as_of} implies {int(total)} tokens since {monday}, less "
            f"than {LEAST_PER_DAY} a day: it is not that of all models; leave this day out",
        )
    out = Counted(capture)
    for row in models:
        slug, _, variant = row["model_id"].partition(":")
        reason = variant_refusal(variant)
        if reason:
            out.reject(row["model_id"], reason, f"tokens {row.get('tokens')!r:.40} as of {as_of}")
        else:
            out.count(slug, "total", row.get("tokens"), (monday, today + _DAY), as_of)
    return out.parsed()


def _time(capture: Capture, value: object) -> datetime:
    at = utc_moment(value)
    if at is None:
        raise shape_error(capture, f"meta.fetched_at {value!r:.60} is no time with a zone")
    if not is_within(at):
        raise shape_error(capture, f"meta.fetched_at {value!r:.60} is out of bounds")
    return at


def _implied_total(capture: Capture, row: dict[str, Any]) -> Fraction:
    tokens, share = row.get("tokens"), row.get("share_pct")
    try:
        percent = Fraction(exact(share)) if isinstance(share, Number) else Fraction(0)
    except PriceError:
        percent = Fraction(0)
    if not is_count(tokens) or not 0 < percent <= 100:
        raise shape_error(
            capture, f"first row has tokens {tokens!r:.40}, share_pct {share!r:.40}: no total"
        )
    return int(str(tokens)) * 100 / percent


SOURCE = Source(
    id=ID,
    kind="volumes",
    url="https://openrouter.ai/rankings",
    parse=parse,
    requests=requests,
    tier="E4",
    code_licence="none stated",
    data_right="none stated",
    terms="A stored scrape of a page; no licence stated. Read 2026-11-20.",
    mode="history",
    is_live=False,
)
