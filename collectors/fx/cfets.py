"""China Foreign Exchange Trade System: the central parity of the yuan against the dollar.

``POST https://www.chinamoney.com.cn/ags/ms/cm-u-bk-ccpr/CcprHisNew`` with a form: ``startDate``,
``endDate`` (Beijing days), ``currency=USD/CNY``, ``pageNum``, ``pageSize``. No key; the site wants
a ``Referer``. Published at 09:15 Beijing on trading days of the interbank market, so it is there
when the session ``SHA`` closes; on holidays there is no record, and none is made up. Shape: stored
notes read 2026-11-20 and public clients with a recorded answer of 2026-10-03, read 2026-11-21. No
body of the source's own was at hand, so it is unproven.

Column map: ``data.searchlist`` names the pairs that the values answer, in their order;
``records[].date`` -> ref_date; ``records[].values[i]`` -> rate_text, verbatim; the pair ``A/B`` ->
base A, quote B: one A costs so many B. ``data.head`` lists what could be asked for (with an empty
``currency`` it names the values): used only when ``searchlist`` is empty. ``data.total``: ignored;
``data.pageTotal`` ends the paging.

Traps:

* A pair written the other way round (``CNY/USD``) is dropped in silence and the answer is of
  nothing, or of every pair. An answer without the pair asked for is refused: ``PAIR_MISSING``.
* A span of a year or more gives no records and a sentence in ``data.flagMessage``:
  ``QUERY_REFUSED``. Sixty days are asked for.
* ``---`` where there is no rate that day: counted once per pair as ``NOT_QUOTED``.
* ``100JPY/CNY`` is per hundred yen. A rate is kept as it is written, per one unit, so such a pair
  is refused as ``UNKNOWN_UNIT``.
* Page sizes above 50 were refused to one client and taken from another: 50 it is.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from collectors.base import Capture, Parsed, Request, Source, rejection
from collectors.rows import is_name, load_json, shape_error
from collectors.volumes.counting import day_of
from methodology import schemas
from methodology.errors import ParseError

ID = "cfets"
PAIR = "USD/CNY"
SPAN_DAYS = 60
PAGE_SIZE = 50
MAX_PAGES = 8
HEADERS = {
    "Content-Type": "application/x-www-form-urlencoded",
    "Referer": "https://www.chinamoney.com.cn/chinese/bkccpr/",
}

_BEIJING = timedelta(hours=8)
_PAIR = re.compile(r"([0-9]*)([A-Z]{3})/([A-Z]{3})")
_RATE = re.compile(r"0\.[0-9]{0,20}[1-9][0-9]{0,15}|[1-9][0-9]{0,8}(?:\.[0-9]{1,30})?", re.ASCII)


def requests_until(base_url: str, last: date) -> Generator[Request, Capture, None]:
    """Yield the pages of the :data:`SPAN_DAYS` days that end with ``last``, a day in Beijing.

    Raises:
        ParseError: ``ENDLESS`` for more than :data:`MAX_PAGES` pages, or what a page raises.
    """
    for number in range(1, MAX_PAGES + 1):
        form = {
            "startDate": (last - timedelta(days=SPAN_DAYS - 1)).isoformat(),
            "endDate": last.isoformat(),
            "currency": PAIR,
            "pageNum": str(number),
            "pageSize": str(PAGE_SIZE),
        }
        body = urlencode(form).encode("ascii")
        page = yield Request(url=base_url, headers=HEADERS, method="POST", body=body)
        data, _ = _shape(page)
        pages = str(data.get("pageTotal") or "1")
        if not re.fullmatch(r"[0-9]{1,4}", pages, re.ASCII):
            raise shape_error(page, f"pageTotal is {pages!r:.40}")
        if number >= int(pages):
            return
    raise ParseError(ID, "ENDLESS", f"pageTotal above {MAX_PAGES} for {SPAN_DAYS} days")


def requests(base_url: str) -> Generator[Request, Capture, None]:
    """Yield the pages of the days until today in Beijing: what is asked for needs a date."""
    return requests_until(base_url, (datetime.now(UTC) + _BEIJING).date())


def parse(capture: Capture) -> Parsed:
    """Return one Rate row per day and pair, oldest day first; USD/CNY is yuan per dollar.

    Rejections: ``NOT_QUOTED`` once per pair (days with ``---``, counted), ``NOT_A_RATE`` per value
    that is neither a positive decimal nor ``---``, ``DUPLICATE_ROW`` for a day given again, and
    for all of it where its rates differ,
    ``SEEN_IN_FUTURE`` for a day that has not begun in Beijing,
    ``UNKNOWN_UNIT`` once per pair that is not per one unit.

    Raises:
        ParseError: ``NOT_JSON``; ``SHAPE``; ``QUERY_REFUSED`` with the words of the source;
            ``PAIR_MISSING`` when the answer is not of the pair asked for.
    """
    data, records = _shape(capture)
    labels = data.get("searchlist") or data.get("head")
    if not isinstance(labels, list) or not all(is_name(label) for label in labels):
        raise shape_error(capture, f"searchlist is {labels!r:.200}")
    if PAIR not in labels:
        raise ParseError(
            ID,
            "PAIR_MISSING",
            f"{capture.url}: asked for {PAIR}, the answer is of {', '.join(labels[:8])}; a pair "
            "that is not written as the source writes it is dropped in silence",
        )
    rates: list[dict[str, Any]] = []
    refused: list[dict[str, Any]] = []
    seen: set[tuple[str, date]] = set()
    today = (capture.observed_at + _BEIJING).date()
    for label, days in _cells(capture, labels, records).items():
        pair = _PAIR.fullmatch(label)
        if pair is None or pair[1]:
            told = f"{label} on {len(days)} days: a rate is per one unit of its base"
            refused.append(rejection(capture, "", label, "UNKNOWN_UNIT", told))
            continue
        gaps = [day for day, text in days if text == "---"]
        if gaps:
            told = f"no rate on {len(gaps)} days between {min(gaps)} and {max(gaps)}"
            refused.append(rejection(capture, "", label, "NOT_QUOTED", told))
        told_of: dict[date, set[Any]] = {}
        for day, text in days:
            told_of.setdefault(day, set()).add(str(text))
        for day, text in days:
            if text == "---":
                continue
            reason = None if is_name(text) and _RATE.fullmatch(text) else "NOT_A_RATE"
            reason = reason or ("SEEN_IN_FUTURE" if day > today else None)
            if (label, day) in seen or len(told_of[day]) > 1:  # which of two is not said
                reason = reason or "DUPLICATE_ROW"
            if reason:
                refused.append(rejection(capture, "", label, reason, f"{text!r:.60} on {day}"))
                continue
            seen.add((label, day))
            rates.append(
                {
                    "source": capture.source,
                    "base": pair[2],
                    "quote": pair[3],
                    "rate_text": text,
                    "ref_date": day,
                    "capture_sha256": capture.sha256,
                }
            )
    return Parsed(
        rates=schemas.frame(schemas.Rate, rates).sort("ref_date", maintain_order=True),
        rejections=schemas.frame(schemas.Rejection, refused),
    )


def _shape(capture: Capture) -> tuple[dict[str, Any], list[Any]]:
    body = load_json(capture)
    data = body.get("data") if isinstance(body, dict) else None
    records = body.get("records") if isinstance(body, dict) else None
    if not isinstance(data, dict) or not isinstance(records, list):
        raise shape_error(capture, "no 'data' and 'records'")
    head = body.get("head")
    code = head.get("rep_code", "200") if isinstance(head, dict) else "200"
    flag = str(data.get("flagMessage") or "").strip()
    if code != "200" or (flag and not records):
        message = head.get("rep_message") if isinstance(head, dict) else ""
        raise ParseError(
            ID,
            "QUERY_REFUSED",
            f"{capture.url}: rep_code {code!r:.20}, {flag or message!r:.200}; a span must be "
            "shorter than a year",
        )
    return data, records


def _cells(
    capture: Capture, labels: list[str], records: list[Any]
) -> dict[str, list[tuple[date, Any]]]:
    found: dict[str, list[tuple[date, Any]]] = {label: [] for label in labels}
    if len(found) != len(labels):
        raise shape_error(capture, f"a pair stands twice in {labels[:8]}")
    for record in records:
        try:
            day, values = day_of(record["date"]), record["values"]
            if not isinstance(values, list) or len(values) != len(labels):
                raise ValueError(f"{len(values)} values for {len(labels)} pairs")
        except (TypeError, KeyError, ValueError) as error:
            raise shape_error(capture, f"record {record!r:.200}: {error!r}") from error
        for label, value in zip(labels, values, strict=True):
            found[label].append((day, value))
    return found


SOURCE = Source(
    id=ID,
    kind="fx",
    url="https://www.chinamoney.com.cn/ags/ms/cm-u-bk-ccpr/CcprHisNew",
    parse=parse,
    requests=requests,
    tier="E3",
    code_licence="none (an API response)",
    data_right="facts: the official parity, quoted with its source",
    terms=(
        "The official parity of the day. No licence for reuse was found in what could be read; "
        "read 2026-11-20 from stored notes, before use on the site itself."
    ),
    mode="history",
    currencies=("CNY",),
    every=timedelta(hours=5),
)
