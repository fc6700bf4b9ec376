"""Model Price Watch: list prices of vendors and hosts, checked by hand, with a daily history.

``https://modelpricewatch.com/api/v1/models.json``, no key. The data are under CC BY 4.0 and ask for
the words "modelpricewatch.com" (README of romanshumy/llm-prices-data, read 2026-11-21). Evidence
tier E4. At hand: the repository's whole files of 2026-08-22; an answer of the address itself has
not been recorded.

Column map of ``models.json`` (a list):

* ``provider``: provider; ``id``: listing_id. Descriptions, dates of release and tags: ignored.
* ``input_per_mtok`` IN, ``output_per_mtok`` OUT, ``cached_input_per_mtok`` CIN (null: not given),
  USD per million tokens. The figure is of the shortest context bracket; longer ones stand in the
  words of ``price_note`` and are nowhere as numbers.
* ``category``: embedding, image and the like sell no text: ``MODE_NOT_TEXT``.
* ``status``: Current, Preview and Deprecated are on sale; Retired is ``withdrawn``, its figure is
  what it last cost. ``shutdown_date`` announces an end and is ignored: the status ends an offer.
* ``promo_until``: last day of the figure shown; the quote ends at 00:00 UTC of the next.
  ``promo`` alone says nothing: of some listings the list price is shown, of others the reduced one.
* ``price_note`` that speaks of off-peak: the figure is the peak price of a tariff by hours, and
  the hours are words. ``CONDITIONAL_TARIFF``.

``price-history.csv``: ``model_id,model,provider,date,event,source`` and the three prices, one row a
day and listing, seen at 00:00 UTC of its date. Event ``removed`` ends the listing. It has no notes:
listings known to be sold by the hour are refused from the day they were (:data:`BY_THE_HOUR`).
Rows whose ``source`` begins with ``litellm`` (191 of 10,462) were read from LiteLLM's past, so they
are no second witness of it. ``llm-price-index.csv`` (an average) and ``providers.json`` (addresses)
price no listing: each of their rows is ``NOT_A_LISTING``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl

from collectors import strict
from collectors.base import Capture, Parsed, Source, single_get
from collectors.csv_tables import read_text
from collectors.rows import Rows, is_name, load_json, shape_error
from collectors.times import moments
from collectors.tokens.clashes import without_clashes

METERS = {"input_per_mtok": "IN", "output_per_mtok": "OUT", "cached_input_per_mtok": "CIN"}
ON_SALE = ("Current", "Preview", "Deprecated")
NOT_TEXT = ("embedding", "image")
BY_THE_HOUR = {
    "deepseek-v4-flash": datetime(2026, 8, 16),
    "deepseek-v4-flash-vision-exp": datetime(2026, 8, 16),
    "deepseek-v4-pro": datetime(2026, 8, 16),
}
"""Listings sold by the hour, and the day (UTC) whose row first has the price of peak hours."""

_HISTORY = ("model_id", "model", "provider", "date", "event", "source", *METERS)
_INDEX = ("date", "index_usd_per_mtok")


def parse(capture: Capture) -> Parsed:
    """Return one quote per listing and meter of ``models.json``, USD per Mtok.

    ``effective_to`` is the end of a stated promotion. Rejections: ``MODE_NOT_TEXT`` once per
    listing; ``CONDITIONAL_TARIFF``, ``UNKNOWN_STATUS``, ``BAD_DATE``, ``PRICE_MISSING``,
    ``FREE_OFFER``, ``NEGATIVE_PRICE`` and ``NOT_A_NUMBER`` per figure, with a row ``unknown``;
    ``NOT_A_LISTING`` per entry of the list of providers; ``DUPLICATE_LISTING``,
    ``AMBIGUOUS_LISTING``.

    Raises:
        ParseError: ``NOT_JSON``, or ``SHAPE`` when it is no list of models.
    """
    body = load_json(capture)
    if not isinstance(body, list) or not body or not all(isinstance(e, dict) for e in body):
        raise shape_error(capture, "no list of models")
    rows = Rows(capture, "per_mtok")
    if not any("input_per_mtok" in entry for entry in body):
        if not all(is_name(entry.get("id")) and "pricing_url" in entry for entry in body):
            raise shape_error(capture, "no entry has input_per_mtok")
        for entry in body:
            rows.reject(entry["id"], "", "NOT_A_LISTING", f"provider {entry.get('name')!r}")
        return rows.parsed()
    for entry in body:
        seller = entry.get("provider"), entry.get("id")
        if not is_name(seller[0]) or not is_name(seller[1]):
            raise shape_error(capture, f"provider {seller[0]!r}, id {seller[1]!r}")
        if entry.get("category") in NOT_TEXT:
            rows.reject(*seller, "MODE_NOT_TEXT", f"category is {entry['category']!r}")
        else:
            _listing(rows, (seller[0], seller[1]), entry)
    return without_clashes(capture, rows)


def _listing(rows: Rows, seller: tuple[str, str], entry: Mapping[str, Any]) -> None:
    status, note, until = (entry.get(k) for k in ("status", "price_note", "promo_until"))
    refusal: tuple[str, str] | None = None
    end: datetime | None = None
    try:
        end = None if until is None else _midnight(until) + timedelta(days=1)
    except (TypeError, ValueError):
        refusal = ("BAD_DATE", f"promo_until is {until!r}, not YYYY-MM-DD")
    if isinstance(note, str) and "off-peak" in note.lower():
        refusal = ("CONDITIONAL_TARIFF", f"price_note: {note[:200]}")
    if status not in (*ON_SALE, "Retired"):
        refusal = ("UNKNOWN_STATUS", f"status is {status!r}")
    for field, meter in METERS.items():
        value = entry.get(field)
        if value is None and meter == "CIN":
            continue
        if status == "Retired":
            rows.quote(*seller, meter, None, status="withdrawn")
        elif refusal or value is None:
            rows.reject(*seller, *(refusal or ("PRICE_MISSING", f"{field} is null")))
            rows.quote(*seller, meter, None, status="unknown")
        else:
            figure = value if isinstance(value, strict.Number) else None
            if rows.price(*seller, meter, field, figure, effective_to=end):
                continue
            rows.quote(*seller, meter, None, status="unknown")


def _midnight(text: str) -> datetime:
    day = date.fromisoformat(text)
    if text != day.isoformat():
        raise ValueError(text)
    return datetime(day.year, day.month, day.day)


def parse_panel_csv(capture: Capture) -> Parsed:
    """Return the quotes of ``price-history.csv``, USD per Mtok, in order of date.

    ``observed_at`` is 00:00 UTC of the row's date. A figure of cached input that a later row leaves
    out becomes ``unknown``. Rejections as :func:`parse`. Rows of ``llm-price-index.csv`` are
    ``NOT_A_LISTING``.

    Raises:
        ParseError: ``NOT_CSV``, or ``SHAPE`` for other columns or a date that is none.
    """
    table = read_text(capture, capture.body)
    if table.is_empty():
        raise shape_error(capture, "a head and no row")
    rows = Rows(capture, "per_mtok")
    if tuple(table.columns) == _INDEX:
        for day, level in table.iter_rows():
            rows.reject("", "", "NOT_A_LISTING", f"an average of {level} on {day}")
        return rows.parsed()
    if tuple(table.columns) != _HISTORY:
        raise shape_error(capture, f"columns are {table.columns}")
    table = table.with_columns(moments(pl.col("date"), "%Y-%m-%d").alias("day"))
    if (
        table["day"].null_count()
        or table["model_id"].null_count()
        or table["provider"].null_count()
    ):
        raise shape_error(capture, "a row without a date, a model_id or a provider")
    known: set[tuple[str, str]] = set()
    for row in table.sort("day", maintain_order=True).to_dicts():
        rows.observed_at = row["day"]
        seller = (row["provider"], row["model_id"])
        since = BY_THE_HOUR.get(row["model_id"])
        hours = since is not None and row["day"] >= since
        for field, meter in METERS.items():
            key, text = (row["model_id"], meter), row[field]
            if meter == "CIN" and text is None and key not in known:
                continue
            known.add(key)
            if row["event"] == "removed":
                rows.quote(*seller, meter, None, status="withdrawn")
            elif text is None or hours:
                reason = "CONDITIONAL_TARIFF" if hours else "PRICE_MISSING"
                rows.reject(*seller, reason, f"{field} is {text} on {row['date']}")
                rows.quote(*seller, meter, None, status="unknown")
            else:
                rows.price_or_unknown(*seller, meter, field, text)
    return without_clashes(capture, rows)


SOURCE = Source(
    id="modelpricewatch",
    kind="tokens",
    url="https://modelpricewatch.com/api/v1/models.json",
    parse=parse,
    requests=single_get,
    tier="E4",
    code_licence="CC-BY-4.0",
    data_right="CC BY 4.0: modelpricewatch.com",
    terms="CC BY 4.0 with attribution; no terms page was at hand; read 2026-11-21",
    every=timedelta(hours=20),
)
