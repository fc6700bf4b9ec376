"""OpenRouter rankings of the month: sums over thirty days that carry the date of one.

``GET https://openrouter.ai/api/frontend/v1/rankings/models?view=month``, the data behind the page
of rankings. No key, not documented, no licence stated: the CC BY 4.0 of OpenRouter's Data API
(``openrouter_activity``) does not cover it. Terms read 2026-11-20 from stored notes.

The trap: each row's ``date`` is the *last day on which the model was used*, and its figures are the
sum of the thirty days that end with the newest date of the whole body. Compared on 2026-11-21 with
the daily table of ``openrouter_activity`` over 19 bodies: models in use all the time agree with the
sum of exactly 30 days, to the token for bodies of 2026-07-25 on; 29 or 31 days miss by about a
thirtieth. A model that was last used a week before is summed over the same thirty days. So every
row is told with that period of thirty days, never with its own date.

Nineteen stored bodies (2026-07-20 to 2026-08-08) hold the list alone; live it stands in ``data``.

Column map: ``model_permaslug`` subject; ``total_prompt_tokens`` prompt; ``total_completion_tokens``
completion; ``variant`` must be ``standard``; the newest ``date`` ends the period.
``total_native_tokens_reasoning`` and ``total_native_tokens_cached`` are 0 for every model, which
means that this view does not count them, and are ignored while they are 0.
``variant_permaslug`` repeats slug and variant; ``count``, ``change``, tool calls and media are no
tokens: ignored.
"""

from __future__ import annotations

from collections.abc import Generator
from datetime import date, datetime, timedelta
from typing import Any

from collectors.base import Capture, Parsed, Request, Source
from collectors.rows import is_name, load_json, shape_error
from collectors.volumes.counting import Counted, day_of, variant_refusal

ID = "openrouter_rankings_month"
WINDOW_DAYS = 30
METERS = {"total_prompt_tokens": "prompt", "total_completion_tokens": "completion"}
UNCOUNTED = {"total_native_tokens_reasoning": "reasoning", "total_native_tokens_cached": "cached"}
"""Fields that are 0 in all bodies seen; another figure is told instead of being dropped."""

_DAY = timedelta(days=1)


def requests(base_url: str) -> Generator[Request, Capture, None]:
    """Yield one GET of the month's view."""
    yield Request(url=base_url, params={"view": "month"})


def parse(capture: Capture) -> Parsed:
    """Return prompt and completion tokens per model over the thirty days of the body.

    Rejections: ``FREE_VARIANT``, ``VARIANT_NOT_STANDARD``, ``NOT_A_LISTING`` for a row without a
    slug (three bodies have one, all zeros), ``PARTIAL_DAY`` for every row when the body was fetched
    before its newest day was over, ``NOT_A_COUNT``, ``DUPLICATE_ROW``.

    Raises:
        ParseError: ``NOT_JSON``; ``SHAPE``, also for a row dated outside of the thirty days.
    """
    body = load_json(capture)
    listed = body.get("data") if isinstance(body, dict) else body
    if not isinstance(listed, list) or not listed:
        raise shape_error(capture, "no list of models")
    rows = [_row(capture, row) for row in listed]
    newest = max(day for *_, day in rows)
    start, end = newest - timedelta(days=WINDOW_DAYS - 1), newest + _DAY
    is_over = capture.observed_at >= datetime(end.year, end.month, end.day)
    out = Counted(capture)
    for row, slug, variant, day in rows:
        if day < start:
            raise shape_error(
                capture, f"{slug!r} was last used on {day}, before the {WINDOW_DAYS} days to {end}"
            )
        reason = None if is_over else "PARTIAL_DAY"
        reason = variant_refusal(variant) or (reason if slug.strip() else "NOT_A_LISTING")
        if reason:
            out.reject(f"{slug}:{variant}", reason, f"{start}/{end} as of {capture.observed_at}")
            continue
        meters = METERS | {f: m for f, m in UNCOUNTED.items() if row.get(f) not in (None, "0")}
        for field, meter in meters.items():
            out.count(slug, meter, row.get(field), (start, end), capture.observed_at)
    return out.parsed()


def _row(capture: Capture, row: Any) -> tuple[dict[str, Any], str, str, date]:
    try:
        slug, variant, stamp = row["model_permaslug"], row["variant"], row["date"]
        if (slug != "" and not is_name(slug)) or not is_name(variant) or not is_name(stamp):
            raise TypeError("a name that is no text")
        day = day_of(stamp.partition(" ")[0])
    except (TypeError, KeyError, ValueError) as error:
        raise shape_error(capture, f"row {row!r:.200}: {error!r}") from error
    return row, slug, variant, day


SOURCE = Source(
    id=ID,
    kind="volumes",
    url="https://openrouter.ai/api/frontend/v1/rankings/models",
    parse=parse,
    requests=requests,
    tier="E4",
    code_licence="none (an API response)",
    data_right="none stated",
    terms=(
        "An address of the site's own pages: not documented, may change or close without notice; "
        "no licence stated for it. Read 2026-11-20 from stored notes."
    ),
    mode="history",
    every=timedelta(hours=20),
)
