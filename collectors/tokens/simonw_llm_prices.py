"""llm-prices.com: Simon Willison's list of vendors' prices, with the days they changed.

``https://www.llm-prices.com/historical-v1.json`` (asked) and ``current-v1.json`` (the same without
dates), no key. Repository simonw/llm-prices: no licence stated (read 2026-11-21), so its rows stay
facts quoted with source and date. Evidence tier E4.
At hand: the repository's vendor files of 2026-08-05 in one object by path. Its program
``scripts/build.py`` (read 2026-11-21) makes the published file of them, one entry a period:
``{"prices": [{"id", "vendor", "name", "input", "output", "input_cached", "from_date",
"to_date"}]}``. An answer of the address itself has not been recorded.

Column map:

* ``vendor``: provider; ``id``: listing_id. ``name``: says the context bracket, see below.
* ``input`` IN, ``output`` OUT, ``input_cached`` CIN, USD per million tokens; null: not given.
* ``from_date``, ``to_date``: valid from 00:00 UTC of the first to 00:00 UTC of the second; null is
  open. They are the author's: kept, not official. A price dated ahead is a row with a later start.
* a name with ``>`` is a bracket of long requests of the listing without it: refused. ``≤`` marks
  the base, which is quoted. Nothing else in the file marks brackets.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from collectors import strict
from collectors.base import Capture, Parsed, Source, not_empty, single_get
from collectors.rows import Rows, is_name, load_json, shape_error
from collectors.tokens.clashes import without_clashes

METERS = {"input": "IN", "output": "OUT", "input_cached": "CIN"}


def parse(capture: Capture) -> Parsed:
    """Return one quote per listing, meter and period of the published file, USD per Mtok.

    Rejections: ``CONTEXT_BRACKET`` per period of a bracket; ``BAD_DATE`` for a date that is none,
    ``NEVER_ACTIVE`` for a period that ends before it begins; ``PRICE_MISSING``, ``FREE_OFFER``,
    ``NEGATIVE_PRICE`` and ``NOT_A_NUMBER`` per figure; ``DUPLICATE_LISTING``,
    ``AMBIGUOUS_LISTING``.

    Raises:
        ParseError: ``NOT_JSON``, or ``SHAPE`` when there is no list of prices.
    """
    body = load_json(capture)
    prices = body.get("prices") if isinstance(body, dict) else None
    if not isinstance(prices, list) or not prices:
        raise shape_error(capture, "no list of prices")
    return _parsed(capture, ((entry, entry) for entry in prices))


def parse_history(capture: Capture) -> Parsed:
    """Return the same for stored vendor files: an object of ``{"vendor", "models"}`` by path.

    Raises:
        ParseError: ``NOT_JSON``, or ``SHAPE`` when it is not vendors with models and periods.
    """
    body = load_json(capture)
    if not isinstance(body, dict) or not body:
        raise shape_error(capture, "no object of vendor files")
    entries = []
    for path, file in body.items():
        models = file.get("models") if isinstance(file, dict) else None
        if not isinstance(models, list):
            raise shape_error(capture, f"{path!r} has no list of models")
        for model in models:
            periods = model.get("price_history") if isinstance(model, dict) else None
            if not isinstance(periods, list) or not periods:
                raise shape_error(capture, f"{path!r}: a model without price_history")
            entries += [({**model, "vendor": file.get("vendor")}, period) for period in periods]
    return _parsed(capture, entries)


def _parsed(capture: Capture, entries: Iterable[tuple[Any, Any]]) -> Parsed:
    rows = Rows(capture, "per_mtok")
    for model, period in entries:
        named = model if isinstance(model, dict) and isinstance(period, dict) else {}
        vendor, listing, name = (named.get(k) for k in ("vendor", "id", "name"))
        if not is_name(vendor) or not is_name(listing) or not is_name(name):
            raise shape_error(capture, f"vendor {vendor!r}, id {listing!r}, name {name!r}")
        if ">" in name:
            told = f"{name}: {period.get('input')} and {period.get('output')}"
            rows.reject(vendor, listing, "CONTEXT_BRACKET", told)
        else:
            _period(rows, (vendor, listing), period)
    return not_empty(capture, without_clashes(capture, rows))


def _period(rows: Rows, seller: tuple[str, str], period: Mapping[str, Any]) -> None:
    bounds = []
    for field in ("from_date", "to_date"):
        value = period.get(field)
        try:
            bounds.append(None if value is None else _midnight(value))
        except (TypeError, ValueError):
            rows.reject(*seller, "BAD_DATE", f"{field} is {value!r}, not YYYY-MM-DD")
            return
    start, end = bounds
    if start is not None and end is not None and end <= start:
        rows.reject(*seller, "NEVER_ACTIVE", f"from {start:%Y-%m-%d} to {end:%Y-%m-%d}")
        return
    for field, meter in METERS.items():
        value = period.get(field)
        if value is None and meter == "CIN":
            continue
        if value is None:
            rows.reject(*seller, "PRICE_MISSING", f"{field} is null from {start}")
            continue
        figure = value if isinstance(value, strict.Number) else None
        rows.price(*seller, meter, field, figure, effective_from=start, effective_to=end)


def _midnight(text: str) -> datetime:
    day = date.fromisoformat(text)
    if text != day.isoformat():
        raise ValueError(text)
    return datetime(day.year, day.month, day.day)


SOURCE = Source(
    id="simonw_llm_prices",
    kind="tokens",
    url="https://www.llm-prices.com/historical-v1.json",
    parse=parse,
    requests=single_get,
    tier="E4",
    code_licence="none stated",
    data_right="prices are facts, quoted with source and date; no licence stated",
    terms="Public, no key; neither site nor repository states a licence; read 2026-11-21",
    mode="schedule",
    every=timedelta(hours=20),
)
