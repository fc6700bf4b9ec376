"""genai-prices: list prices of model vendors and hosts, with dates and time-of-day windows.

A community catalogue under the MIT licence, published as a Python package and as
``prices/data.json`` of the repository, read at
``https://raw.githubusercontent.com/pydantic/genai-prices/main/``, no key. Its worth here is that an
entry may carry the day from which it holds, so that history does not depend on when someone looked.
Evidence tier E4: it mirrors price pages and lags them.

Column map (read from the package 0.2.3 and from dated files, 2025-06 to 2026-11):

* provider ``id``: provider. Model ``id``: listing_id. The rest of a model (match rules, comments,
  context window) says how to recognise a request, not what it costs: ignored.
* ``prices``: one price set, or a list of sets with constraints; the *last* set in the list that
  is active wins. USD per million tokens.
* ``input_mtok`` IN, ``output_mtok`` OUT, ``cache_read_mtok`` CIN. A price may be
  ``{"base", "tiers"}``: the base is the lowest context bracket and is quoted, the brackets are not.
* ``price_variants``: a price set for a way of asking (``when``). ``{"processing": "batch"}`` gives
  BAT_IN and BAT_OUT, the *first* active one winning; faster or slower service levels and
  regional routes are other goods: refused.
* any other priced field (cache writes, audio, images, searches, requests) is not a measured meter.
* ``constraint.start_date``: from 00:00 UTC of that day. A set ends when a later set of the list
  begins, whichever meters that one prices: it replaces the whole set.
* ``constraint.start_time``/``end_time``: inside these UTC hours of the day, wrapping midnight. The
  file cannot give one set both a date and hours; hours therefore hold from the latest dated set
  listed before them. The set without hours is the price outside the hours.
* a set under any other condition (days of the week, say) is refused, and so are the sets before it,
  which it replaces at times that nothing here can tell; a dated set after it counts again.

Read in the catalogue's own comments (package 0.2.3), and acted on here:

* ``zhipuai`` bills in CNY only and MiniMax's M2 and M2.1 were inferred from CNY: their dollars are
  a conversion at a fixed rate, not a price anyone posts. Refused, ``CONVERTED_CURRENCY``.
* dates of batch variants are the day they were verified, and dates of the resellers ``openrouter``
  and ``quicksilverpro`` are days of refresh, shared by up to 130 models: kept, not official.

What the file cannot say, and a user of its windows must know: DeepSeek's peak hours hold from
Monday to Friday only since 2026-08-23; and ``deepseek-v4-flash`` had peak hours already from
2026-08-17 to 09-10, at figures the file no longer holds; since then that id is served by V4.1
Flash, another model.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from collectors.base import Capture, Parsed, Source, not_empty, single_get
from collectors.rows import Rows, is_name, load_json, problem, shape_error
from collectors.tokens.clashes import without_clashes

METERS = {"input_mtok": "IN", "output_mtok": "OUT", "cache_read_mtok": "CIN"}
BATCH_METERS = {"input_mtok": "BAT_IN", "output_mtok": "BAT_OUT"}
BATCH = {"processing": "batch"}

RESELLERS = frozenset({"openrouter", "quicksilverpro"})
"""Providers whose start dates are days on which someone looked."""

CONVERTED = frozenset(
    {("zhipuai", ""), ("minimax", "MiniMax-M2"), ("minimax", "MiniMax-M2.1")}
    | {("minimax", "MiniMax-M2.1-highspeed")}
)
"""Provider and model (empty: all of them) whose figures were converted from another currency."""

_DAY = timedelta(days=1)


def installed_body() -> bytes:
    """Return the installed package's price list as canonical JSON, UTF-8.

    Keys are sorted, prices are decimal text, so the same version of the package always gives the
    same bytes. Shape: ``{"package", "version", "providers": [{"id", "models": [...]}]}`` with the
    models of ``data.json``. No network: this is how a run without one still has dated prices.

    Raises:
        ImportError: the package ``genai-prices`` is not installed.
    """
    from importlib.metadata import version

    from genai_prices.data import providers

    body = {
        "package": "genai-prices",
        "version": version("genai-prices"),
        "providers": [
            {
                "id": provider.id,
                "models": [
                    {
                        "id": model.id,
                        "prices": _installed_sets(model),
                        "price_variants": [
                            {"when": dict(variant.when), **_installed_set(variant)}
                            for variant in model.price_variants or []
                        ],
                    }
                    for model in provider.models
                ],
            }
            for provider in providers
        ],
    }
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _installed_sets(model: Any) -> list[dict[str, Any]]:
    if isinstance(model.prices, list):
        return [_installed_set(entry) for entry in model.prices]
    return [{"constraint": None, "prices": _installed_prices(model.prices)}]


def _installed_set(entry: Any) -> dict[str, Any]:
    return {
        "constraint": _installed_constraint(entry.constraint),
        "prices": _installed_prices(entry.prices),
    }


def _installed_prices(prices: Any) -> dict[str, Any]:
    given = {name: value for name, value in vars(prices).items() if value is not None}
    return {name: _installed_price(given[name]) for name in sorted(given)}


def _installed_constraint(constraint: Any) -> dict[str, str] | None:
    if constraint is None:
        return None
    return {key: value.isoformat() for key, value in sorted(vars(constraint).items())}


def _installed_price(value: Any) -> Any:
    if isinstance(value, Decimal):
        return format(value, "f")
    return {
        "base": format(value.base, "f"),
        "tiers": [{"start": tier.start, "price": format(tier.price, "f")} for tier in value.tiers],
    }


def parse(capture: Capture) -> Parsed:
    """Return one quote per listing, meter and price set, plus what was refused.

    Accepts the body of :func:`installed_body`, the catalogue's ``data.json`` of any age, and a
    flat list of ``{"provider", "model", "prices"}``.

    Quotes are USD per Mtok. ``effective_from`` null: valid since the listing exists;
    ``effective_to`` null: no later set. ``is_official_date`` where a ``start_date`` set it and
    that date is the seller's.
    Rejections: ``FREE_OFFER``, ``NOT_A_NUMBER``, ``NEGATIVE_PRICE`` per figure;
    ``NOT_A_MEASURED_METER`` and ``CONTEXT_BRACKET`` once per listing and field;
    ``UNKNOWN_CONSTRAINT``, ``BAD_WINDOW``, ``CONDITIONAL_TARIFF`` (a set before one of these),
    ``NEVER_ACTIVE`` and ``PRICE_VARIANT`` (a set for a service level that is not measured) per
    price set; ``CONVERTED_CURRENCY`` per listing;
    ``AMBIGUOUS_LISTING`` and ``DUPLICATE_LISTING`` where one id stands twice (see ``clashes``).

    Raises:
        ParseError: ``NOT_JSON``, or ``SHAPE`` when it is none of the three.
    """
    rows = Rows(capture, "per_mtok")
    for provider, listing, model in _listings(capture):
        if {(provider, ""), (provider, listing)} & CONVERTED:
            rows.reject(provider, listing, "CONVERTED_CURRENCY", "dollars converted from CNY")
            continue
        listed = model.get("prices")
        sets = listed if isinstance(listed, list) else [{"prices": listed}]
        told: set[str] = set()
        _parse_sets(capture, rows, (provider, listing), sets, METERS, told)
        batch = []
        for variant in model.get("price_variants") or []:
            when = variant.get("when") if isinstance(variant, dict) else None
            if when == BATCH:
                batch.append(variant)
            else:
                rows.reject(provider, listing, "PRICE_VARIANT", f"price set for {when!r}")
        # among variants the first active one wins, so the list is read from its end
        _parse_sets(capture, rows, (provider, listing), batch[::-1], BATCH_METERS, told)
    return not_empty(capture, without_clashes(capture, rows))


def _listings(capture: Capture) -> list[tuple[str, str, dict[str, Any]]]:
    body = load_json(capture)
    if isinstance(body, dict):
        body = body.get("providers")
    if not isinstance(body, list) or not body:
        raise shape_error(capture, "no list of providers")
    found = []
    for entry in body:
        models = entry.get("models", [entry]) if isinstance(entry, dict) else None
        if not isinstance(models, list):
            raise shape_error(capture, "a provider without a list of models")
        for model in models:
            provider = entry.get("id", entry.get("provider"))
            listing = model.get("id", model.get("model")) if isinstance(model, dict) else None
            if not is_name(provider) or not is_name(listing):
                raise shape_error(capture, f"provider {provider!r}, model {listing!r}: no id")
            found.append((provider, listing, model))
    return found


@dataclass(slots=True)
class _Set:
    """One price set: since ``start``, within ``window`` of each day if there is one."""

    prices: Mapping[str, Any]
    start: datetime | None = None
    window: tuple[int, int] | None = None


def _parse_sets(
    capture: Capture,
    rows: Rows,
    seller: tuple[str, str],
    listed: list[Any],
    meters: Mapping[str, str],
    told: set[str],
) -> None:
    """Add the rows of one list of price sets; ``told`` holds the fields already refused."""
    sets = []
    for entry in listed:
        if not isinstance(entry, dict) or not isinstance(entry.get("prices"), dict):
            raise shape_error(capture, f"{seller}: a price set without prices")
        try:
            sets.append(_read_set(entry["prices"], entry.get("constraint")))
        except _Refused as refused:
            rows.reject(*seller, refused.reason, refused.detail)
            for before in sets:
                what = f"{sorted(before.prices)!r:.200} holds unless {refused.detail}"
                rows.reject(*seller, "CONDITIONAL_TARIFF", what)
            sets.clear()  # half a tariff is not a price (rulebook 4.4)
    for i, entry in enumerate(sets):
        later = [other.start for other in sets[i + 1 :] if other.window is None]
        start = entry.start
        if entry.window is not None:
            dates = [o.start for o in sets[:i] if o.window is None and o.start is not None]
            start = max(dates, default=None)
        end = min((s for s in later if s is not None), default=None)
        if None in later or (start is not None and end is not None and end <= start):
            rows.reject(*seller, "NEVER_ACTIVE", f"price set {i + 1} is always replaced")
            continue
        for field, value in entry.prices.items():
            if value is None:
                continue  # older files write null for every meter a model does not have
            meter = meters.get(field)
            reason = "CONTEXT_BRACKET" if meter else "NOT_A_MEASURED_METER"
            told_as = f"{meter or field} {reason}"
            if (meter is None or isinstance(value, dict)) and told_as not in told:
                told.add(told_as)
                rows.reject(*seller, reason, f"{field} is {value!r}")
            if meter:
                _parse_price(rows, seller, (meter, field), value, (start, end), entry.window)


def _parse_price(
    rows: Rows,
    seller: tuple[str, str],
    good: tuple[str, str],
    value: Any,
    valid: tuple[datetime | None, datetime | None],
    window: tuple[int, int] | None,
) -> None:
    meter, field = good
    text = value.get("base") if isinstance(value, dict) else value
    wrong = problem(str(text)) if isinstance(text, str) else "NOT_A_NUMBER"
    if wrong:
        rows.reject(*seller, wrong, f"{field} ({meter}) is {text!r} from {valid[0]}")
        return
    rows.quote(
        *seller,
        meter,
        text,
        window=window,
        effective_from=valid[0],
        effective_to=valid[1],
        is_official_date=(
            valid[0] is not None and seller[0] not in RESELLERS and meter in METERS.values()
        ),
    )


class _Refused(Exception):
    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


def _read_set(prices: Mapping[str, Any], constraint: Any) -> _Set:
    if constraint is None:
        return _Set(prices)
    keys = set(constraint) - {"type"} if isinstance(constraint, dict) else set()
    try:
        if keys == {"start_date"}:
            day = date.fromisoformat(constraint["start_date"])
            return _Set(prices, start=datetime(day.year, day.month, day.day))
        if keys == {"start_time", "end_time"}:
            start, end = (_utc_minute(constraint[k]) for k in ("start_time", "end_time"))
            if start == end:
                raise ValueError("it begins when it ends")
            return _Set(prices, window=(start, end))
    except (TypeError, ValueError) as error:
        raise _Refused("BAD_WINDOW", f"constraint {constraint!r}: {error}") from error
    raise _Refused("UNKNOWN_CONSTRAINT", f"constraint {constraint!r} is neither a date nor hours")


def _utc_minute(text: str) -> int:
    at = time.fromisoformat(text)
    if at.second or at.microsecond:
        raise ValueError(f"{text!r} is not on a minute")
    ahead = at.utcoffset() or timedelta(0)
    return int((timedelta(hours=at.hour, minutes=at.minute) - ahead) % _DAY / timedelta(minutes=1))


SOURCE = Source(
    id="genai_prices",
    kind="tokens",
    url="https://raw.githubusercontent.com/pydantic/genai-prices/main/prices/data.json",
    parse=parse,
    requests=single_get,
    tier="E4",
    code_licence="MIT",
    data_right="MIT (the price file is part of the licensed repository); prices are facts",
    terms=(
        "MIT licence of the repository and package, which asks for its notice to be kept; "
        "read 2026-11-20 from stored documentation."
    ),
    mode="schedule",
    content_types=("application/json", "text/plain"),
)
