"""DeepSeek's price page in English: USD per million tokens, by peak and off-peak hours.

Address ``https://api-docs.deepseek.com/quick_start/pricing/``, no key. The slash at the end
matters: since 2026-08-20 the address without it has answered with the page on the first API call.
Tier E3.

At hand: a hand-trimmed table of 2026-08 (structure and figures agree with other sources) and, of
the Chinese page, a clipped whole page of 2026-08-01 and a trimmed table of 2026-09-12. The notes
below the table were read in stored copies of 2026-08-23 to 2026-09-17 on 2026-11-21. Unproven.

Table map (the one table with a row "MODEL VERSION"):

* first row: model ids, one column each; footnote marks are taken off.
* ``MODEL VERSION``: the weights behind the id. The listing id is ``model|version``
  (``deepseek-v4-pro|DeepSeek-V4-Pro-0813``), because the ids move: ``deepseek-flash``,
  ``deepseek-chat`` and, on 2026-07-31, ``deepseek-v4-flash`` went on to other weights.
* ``1M INPUT TOKENS (CACHE MISS)`` IN, ``(CACHE HIT)`` CIN, ``1M OUTPUT TOKENS`` OUT; until August
  2026 one row each, since then ``OFF-PEAK`` and ``PEAK``. The off-peak price is quoted without a
  window and the peak price once for each window of the note "Peak hours are 01:00 - 04:00 and
  06:00 - 10:00 UTC" (``peak_hours``). Without a note that is understood, days included, the whole
  tariff is refused.
* ``$0.435 (75% off)``: the figure is what a buyer pays and is quoted; the old price is struck out
  in the page and is no text here. Two figures that are not struck are ``TWO_PRICES``.
* features, context length, concurrency: no price, not read.

The sentence above the table, "The prices listed below are in units of per 1M tokens" (read in
stored copies of 2025-08-21 to 2026-09-10 on 2026-11-21), must name the unit of the row labels. A
page that says it of any other number of tokens contradicts itself and is refused whole; the
recorded tables that lost the sentence are taken by their labels.

Notes that change a price:

* "Monday through Friday": ten windows of the week in the place of two of the day. Until the note
  had days, to 2026-08-22, the hours held on every day.
* "excluding public holidays" (Chinese page): no week can say it. The windows are quoted as those of
  a week without holidays, and a rejection ``HOLIDAY_TARIFF`` stands beside each listing.
* "From 12:00 Beijing Time on September 14, 2026 ... requests to deepseek-v4-pro will all be routed
  to V4.1 Flash and billed at the V4.1 Flash price": the column ends then. Quotes carry the end, and
  once it has passed the listing is ``MOVING_ALIAS``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from collectors.base import Capture, Parsed, Source, single_get
from collectors.page_rows import PageRows, day_of
from collectors.pages import Table, html_tables, html_text, known_table, without_marks
from collectors.tokens import peak_hours
from collectors.tokens.peak_hours import CLOCK, Hours, Wording
from methodology.errors import ParseError

PROVIDER = "deepseek"
BEIJING = timedelta(hours=8)

_OFF = re.compile(r"\s*\([0-9]{1,2}% off\)", re.IGNORECASE)
_ROUTED = re.compile(
    rf"(?:From|After) {CLOCK} Beijing Time on ([A-Z][a-z]+ [0-9]{{1,2}}, [0-9]{{4}}),"
    r".{0,160}?requests to `?(?P<model>[\w.-]+?)`? will (?:all )?be routed",
)


@dataclass(frozen=True, slots=True)
class Words:
    """The words of one language of the page."""

    currency: str
    model: str
    version: str
    meters: Mapping[str, str]
    off_peak: str
    peak: str
    hours: Wording
    routed: re.Pattern[str]
    unit: re.Pattern[str]
    units: frozenset[str]


ENGLISH = Words(
    currency="USD",
    model="MODEL",
    version="MODEL VERSION",
    meters={
        "1minputtokens(cachehit)": "CIN",
        "1minputtokens(cachemiss)": "IN",
        "1moutputtokens": "OUT",
    },
    off_peak="OFF-PEAK",
    peak="PEAK",
    hours=peak_hours.ENGLISH,
    routed=_ROUTED,
    unit=re.compile(
        r"(?:\bunits? of (?:per )?|\bprices?\b[^.;|]{0,40}?\bper |"
        r"\bper (?=[0-9]|hundred|thousand|million|billion))([^.;|]{0,20}?)\s?tokens?\b",
        re.IGNORECASE,
    ),
    units=frozenset({"1m", "1million", "million", "onemillion", "1,000,000"}),
)


def parse(capture: Capture) -> Parsed:
    """Return one quote per model, meter and tariff window, USD per million tokens, tier E3.

    Rejections: ``HOLIDAY_TARIFF`` and ``MOVING_ALIAS`` per listing, ``BAD_WINDOW`` for a tariff
    whose hours the page does not say, ``TWO_PRICES``, ``NOT_A_NUMBER``, ``FREE_OFFER``,
    ``CURRENCY_NOT_PINNED``, ``UNKNOWN_UNIT`` per cell, ``NOT_A_MEASURED_METER`` per other row with
    a price, ``MALFORMED_ROW`` for a price row without a cell for each model.

    Raises:
        ParseError: ``NOT_TEXT``, ``SHAPE``, ``TABLE_CHANGED`` when the table is not there, or
            ``UNKNOWN_UNIT`` when the page says its prices are of another number of tokens.
    """
    return parse_in(capture, ENGLISH)


def parse_in(capture: Capture, words: Words) -> Parsed:
    """Return the same for a language of the page; ``deepseek_page_zh`` uses it too."""
    tables = html_tables(capture)
    mine = [t for t in tables if any(_is(row[0], words.version) for row in t.rows)]
    known_table(capture, mine or tables, header=(words.model, ...))
    if not mine:
        raise ParseError(
            capture.source, "TABLE_CHANGED", f"{capture.url}: no row {words.version!r}"
        )
    table = mine[0]
    models = [without_marks(text) for text in table.header if text != table.header[0]]
    versions = next(row for row in table.rows if _is(row[0], words.version))[-len(models) :]
    rows = PageRows(capture, PROVIDER, words.currency)
    note = html_text(capture)
    _same_unit(capture, words, note)
    listings = [
        _Listing(model, f"{model}|{without_marks(version)}", *_routed(rows, words, note, model))
        for model, version in zip(models, versions, strict=False)
    ]
    if len(listings) != len(models) or not models:
        raise ParseError(
            capture.source, "TABLE_CHANGED", f"{capture.url}: {len(models)} models, {versions}"
        )
    _prices(rows, words, table, listings, peak_hours.peak_hours(note, words.hours))
    rows.others(other for other in tables if other is not table)
    return rows.parsed()


@dataclass(frozen=True, slots=True)
class _Listing:
    model: str
    id: str
    ends: datetime | None
    is_gone: bool


def _same_unit(capture: Capture, words: Words, note: str) -> None:
    """Refuse a page whose words name another number of tokens than its row labels do."""
    for found in words.unit.finditer(note):
        if _squeezed(found[1]) not in words.units:
            said = " ".join(found[0].split())
            told = f"{capture.url}: the page says {said!r}, its labels say a million tokens"
            raise ParseError(capture.source, "UNKNOWN_UNIT", f"{told}; read the page")


def _is(text: str, word: str) -> bool:
    return without_marks(text).casefold() == word.casefold()


def _squeezed(text: str) -> str:
    text = without_marks(text).replace("\uff08", "(").replace("\uff09", ")")
    return "".join(text.split()).casefold()


def _routed(rows: PageRows, words: Words, note: str, model: str) -> tuple[datetime | None, bool]:
    """Return when the id goes on to another model, if the page says so, and whether it has."""
    for found in words.routed.finditer(note):
        if found["model"] != model:
            continue
        if found.re is not _ROUTED:
            return None, True
        hour, minute = int(found[1]), int(found[2])
        try:
            day = day_of(found[3])
        except ValueError:
            return None, True  # it goes on, from a day that cannot be read
        ends = day + timedelta(hours=hour, minutes=minute) - BEIJING
        return ends, ends <= rows.observed_at
    return None, False


def _prices(
    rows: PageRows,
    words: Words,
    table: Table,
    listings: list[_Listing],
    hours: Hours | None,
) -> None:
    meter: str | None = None
    told: set[str] = set()
    gone: set[str] = set()
    for row in table.rows:
        labels, cells = row[: -len(listings)], row[-len(listings) :]
        meters = [
            words.meters[_squeezed(text)] for text in labels if _squeezed(text) in words.meters
        ]
        is_peak = any(_is(text, words.peak) for text in labels)
        is_tariff = is_peak or any(_is(text, words.off_peak) for text in labels)
        if not meters and not is_tariff:
            rows.others([Table(table.headings, table.header, (row,))])
            continue
        # A label that covers several rows stands in the first alone where spans were lost.
        meter = meters[0] if meters else meter
        if meter is None or len(row) <= len(listings):
            rows.no("", "MALFORMED_ROW", f"{' | '.join(row)}: a price row without its meter")
            continue
        for listing, cell in zip(listings, cells, strict=True):
            field = f"{' '.join(labels)} of {listing.model}"
            if listing.is_gone:
                if listing.id not in gone:
                    gone.add(listing.id)
                    told_end = f"its requests go to another model (since {listing.ends})"
                    rows.no(listing.id, "MOVING_ALIAS", told_end)
            elif is_tariff and hours is None:
                rows.no(listing.id, "BAD_WINDOW", f"{field} is {cell!r}; the page names no hours")
            else:
                text = _OFF.sub("", cell)
                for window in hours.windows if hours is not None and is_peak else [None]:
                    rows.cell(
                        listing.id, meter, field, text, window=window, effective_to=listing.ends
                    )
                has_holidays = is_tariff and hours is not None and hours.has_holidays
                if hours is not None and has_holidays and listing.id not in told:
                    told.add(listing.id)
                    rows.no(listing.id, "HOLIDAY_TARIFF", f"hours: {hours.told!r}")


SOURCE = Source(
    id="deepseek_page",
    kind="tokens",
    url="https://api-docs.deepseek.com/quick_start/pricing/",
    parse=parse,
    requests=single_get,
    tier="E3",
    code_licence="none (a page)",
    data_right="prices are facts; no licence stated",
    terms=(
        "The seller's public price page; no terms for collecting it were at hand on 2026-11-21, "
        "robots file asked first. Single prices, quoted with address and date."
    ),
    content_types=("text/html",),
    max_raw_bytes=2 * 2**20,
    max_decoded_bytes=4 * 2**20,
    is_page=True,
    path="deepseek",
)
