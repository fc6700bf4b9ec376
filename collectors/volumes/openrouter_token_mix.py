"""OpenRouter's ten busiest models of a week, with the split of their tokens (stored history).

A collection of 26 weekly files, 2025-11-16 to 2026-05-11, that somebody took from
https://openrouter.ai/rankings and the pages of the models. No licence stated; read 2026-11-20. It
feeds no live run: the daily table of ``openrouter_activity`` counts the same for every model.

The week is the seven days before ``date``. Checked on the file of 2026-04-13: a model that was
withdrawn on 2026-04-08 stands in it with 1.66 trillion tokens, as the page showed it for that week.

Column map: ``slug`` subject; ``total_tokens`` total; ``prompt_tokens``, ``completion_tokens``,
``reasoning_tokens``, ``cached_tokens`` the meters of these names; ``date`` end of the week, and the
time at which it was stated. ``is_free`` and the ending ``:free`` mark use at no price; neither
alone is reliable. Prices, ratios and ``estimated_revenue`` are binary floats worked out by the
collector from another list: ignored. ``name``, ``rank``, ``percent_change``, ``request_count``:
no tokens. The sums at the end of the file repeat the models: they are checked, not kept.

Traps:

* From 2026-02-16 on ``total_tokens`` is the label of a chart, three digits (``2.57T``), while
  prompt and completion are counts. The total is told as stated.
* A total far from prompt plus completion: in the first file by a seventh (the split is of other
  days), and all zeros in the last one (the split was not read). The split of a model stands when it
  is within :data:`SPLIT_WITHIN` of its total; otherwise it is refused as ``PART_MISSING``.
"""

from __future__ import annotations

from collections.abc import Generator
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any

from collectors.base import Capture, Parsed, Request, Source
from collectors.rows import is_name, load_json, shape_error
from collectors.volumes.counting import Counted, day_of, is_count, variant_refusal

ID = "openrouter_token_mix"
SPLIT = {
    "prompt_tokens": "prompt",
    "completion_tokens": "completion",
    "reasoning_tokens": "reasoning",
    "cached_tokens": "cached",
}
SPLIT_WITHIN = Fraction(1, 100)
"""Part of the total by which prompt plus completion may miss it: three digits are that coarse."""

_WEEK = timedelta(days=7)


def requests(base_url: str) -> Generator[Request, Capture, None]:
    """Yield nothing: the weeks come with the archive."""
    yield from ()


def parse(capture: Capture) -> Parsed:
    """Return the tokens of each model over one week: total, and its split where it is one.

    Rejections, one per model: ``FREE_VARIANT``, ``VARIANT_NOT_STANDARD``, ``NOT_A_COUNT``,
    ``DUPLICATE_ROW``; and ``PART_MISSING`` beside a total whose split does not belong to it.

    Raises:
        ParseError: ``NOT_JSON``; ``SHAPE``, also when the models do not add up to the file's sum.
    """
    body = load_json(capture)
    models = body.get("models") if isinstance(body, dict) else None
    if not isinstance(models, list) or not models:
        raise shape_error(capture, "no 'models'")
    try:
        end = day_of(body.get("date"))
    except ValueError as error:
        raise shape_error(capture, f"date is {body.get('date')!r:.60}") from error
    if end > capture.observed_at.date():
        raise shape_error(capture, f"date {end} is after the day it was fetched")
    totals = [_total(capture, row) for row in models]
    if all(is_count(total) for total in totals):
        added = sum(int(str(total)) for total in totals)
        if str(body.get("total_tokens")) != str(added):
            raise shape_error(
                capture, f"total_tokens {body.get('total_tokens')!r:.40}, the models add to {added}"
            )
    as_of = datetime(end.year, end.month, end.day)
    period = (end - _WEEK, end)
    out = Counted(capture)
    for row, total in zip(models, totals, strict=True):
        slug, _, variant = row["slug"].partition(":")
        reason = variant_refusal("free" if row.get("is_free") is True else variant)
        if reason:
            out.reject(row["slug"], reason, f"week to {end}: total_tokens {total!r:.40}")
        elif out.count(slug, "total", total, period, as_of):
            _split(out, slug, row, int(total), period, as_of)
    return out.parsed()


def _total(capture: Capture, row: Any) -> Any:
    if not isinstance(row, dict) or not is_name(row.get("slug")) or "total_tokens" not in row:
        raise shape_error(capture, f"row {row!r:.200} has no slug or no total_tokens")
    return row["total_tokens"]


def _split(
    out: Counted,
    slug: str,
    row: dict[str, Any],
    total: int,
    period: tuple[date, date],
    as_of: datetime,
) -> None:
    figures = [row.get(field) for field in SPLIT]
    if all(is_count(figure) for figure in figures):
        parts = int(str(figures[0])) + int(str(figures[1]))
        if abs(parts - total) > SPLIT_WITHIN * total:
            told = f"prompt plus completion is {parts}, total_tokens {total}, week to {period[1]}"
            out.reject(slug, "PART_MISSING", told)
            return
    for figure, meter in zip(figures, SPLIT.values(), strict=True):
        out.count(slug, meter, figure, period, as_of)


SOURCE = Source(
    id=ID,
    kind="volumes",
    url="https://openrouter.ai/rankings",
    parse=parse,
    requests=requests,
    tier="E4",
    code_licence="none stated",
    data_right="none stated",
    terms="A stored collection from the site's pages; no licence stated. Read 2026-11-20.",
    mode="history",
    is_live=False,
)
