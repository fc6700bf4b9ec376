"""LobeHub's model bank: vendors' list prices in yuan, kept by hand in a chat client's source.

History only: eighteen extracts of published packages (``@lobehub/chat``, later ``model-bank``) of
``https://github.com/lobehub/lobehub``,
2024-12-01 to 2026-09-27, holding ids, names and the ``pricing`` blocks. A file is not dated inside;
the capture's time is the day of the package, by which the figures held. The repository was under
MIT at first; the packages are under the LobeHub Community License (Apache-2.0 with conditions on
the product; read 2026-11-21). The extract holds facts. Evidence tier E4.

Column map:

* top-level key: provider; ``id``: listing_id. Names, limits and release days: ignored.
* ``type``: ``chat`` sells text; before 2025-07 there was none and all entries were chat models.
* ``pricing.currency``: absent means USD. Only CNY is what this source is for; the rest is refused
  (``OTHER_CURRENCY``), whatever its figures look like. The label alone is not believed either: on
  2025-08-30 AiHubMix's Qwen3-30B turned from USD to CNY with 0.12 and 0.48 unchanged, dollars under
  the label of yuan. So a figure in yuan counts from sellers only whose list is in yuan
  (:data:`IN_YUAN`); from others it is ``CONVERTED_CURRENCY``.
* first layout: ``input`` IN, ``output`` OUT, ``cachedInput`` CIN, per million tokens; other keys
  are no meter.
* later layout: ``units``, each with ``name`` (``textInput`` IN, ``textOutput`` OUT,
  ``textInput_cacheRead`` CIN), ``unit`` (``millionTokens``) and a ``strategy``. ``fixed`` has a
  ``rate``. ``tiered`` has ``tiers`` by length of the request, ascending by ``upTo``. ``lookup`` has
  prices by a key such as ``[0, 32_000]_[8192, infinity]``: ranges of input, of output, or a mode.
* a bound is in tokens or in millions of tokens, and turned from one to the other between two
  packages (``[0, 32_000]`` to ``[0, 0.032]``, 2026-01-25) at unchanged prices. No bound is read as
  a number here: the base is the first tier, or the range that begins at 0.
* where the base range has several prices (by length of the answer, by thinking), none of them is
  the price of the listing: ``CONDITIONAL_TARIFF``.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any

from collectors import strict
from collectors.base import Capture, Parsed, Request, Source, not_empty
from collectors.rows import Rows, is_name, load_json, shape_error
from collectors.tokens.clashes import without_clashes

OLD_METERS = {"input": "IN", "output": "OUT", "cachedInput": "CIN"}
METERS = {"textInput": "IN", "textOutput": "OUT", "textInput_cacheRead": "CIN"}
UNIT = "millionTokens"

IN_YUAN = frozenset(
    {"ai360", "antgroup", "baichuan", "deepseek", "hunyuan", "infiniai", "minimax", "moonshot"}
    | {"ppio", "qiniu", "qwen", "sensenova", "siliconcloud", "stepfun", "streamlake", "taichu"}
    | {"tencentcloud", "volcengine", "wenxin", "xiaomimimo", "zeroone", "zhipu"}
)
"""Keys of sellers whose own list is in yuan; the two left out that carry the label resell."""

_LABELS = {"currency", "units"}


def parse(capture: Capture) -> Parsed:
    """Return one quote per CNY listing and meter, CNY per Mtok, no dates.

    Rejections: ``OTHER_CURRENCY``, ``CONVERTED_CURRENCY`` and ``MODE_NOT_TEXT`` once per listing;
    ``CONTEXT_BRACKET`` per higher bracket; ``NOT_A_MEASURED_METER`` per other price;
    ``CONDITIONAL_TARIFF``, ``UNKNOWN_UNIT``, ``UNKNOWN_CONDITION``, ``PRICE_MISSING``,
    ``FREE_OFFER``, ``NEGATIVE_PRICE`` and ``NOT_A_NUMBER`` per figure, with a row ``unknown``;
    ``DUPLICATE_LISTING``, ``AMBIGUOUS_LISTING``.

    Raises:
        ParseError: ``NOT_JSON``, or ``SHAPE`` when it is not lists of models by provider.
    """
    body = load_json(capture)
    if not isinstance(body, dict) or not body:
        raise shape_error(capture, "no object of providers")
    rows = Rows(capture, "per_mtok", currency="CNY")
    for provider, models in body.items():
        if not isinstance(models, list):
            raise shape_error(capture, f"provider {provider!r} is no list of models")
        for model in models:
            listing = model.get("id") if isinstance(model, dict) else None
            pricing = model.get("pricing") if isinstance(model, dict) else None
            if not is_name(listing) or not isinstance(pricing, dict):
                raise shape_error(capture, f"{provider}: model {listing!r} without id or pricing")
            seller = (provider, listing)
            currency, kind = pricing.get("currency", "USD"), model.get("type", "chat")
            if currency != "CNY":
                rows.reject(*seller, "OTHER_CURRENCY", f"pricing.currency is {currency!r}")
            elif kind != "chat":
                rows.reject(*seller, "MODE_NOT_TEXT", f"type is {kind!r}")
            elif provider not in IN_YUAN:
                told = f"pricing.currency is CNY, the list of {provider} is not"
                rows.reject(*seller, "CONVERTED_CURRENCY", told)
            elif isinstance(pricing.get("units"), list):
                _units(capture, rows, seller, pricing["units"])
            else:
                _old_layout(rows, seller, pricing)
    return not_empty(capture, without_clashes(capture, rows))


def _old_layout(rows: Rows, seller: tuple[str, str], pricing: Mapping[str, Any]) -> None:
    for field, meter in OLD_METERS.items():
        if field in pricing:
            _figure(rows, seller, meter, field, pricing[field])
        elif meter != "CIN":
            _refuse(rows, seller, meter, "PRICE_MISSING", f"no pricing.{field}")
    for field in pricing:
        if field not in OLD_METERS and field not in _LABELS:
            rows.reject(*seller, "NOT_A_MEASURED_METER", f"{field} is {str(pricing[field])[:80]}")


def _units(capture: Capture, rows: Rows, seller: tuple[str, str], units: list[Any]) -> None:
    named: set[str] = set()
    for unit in units:
        name = unit.get("name") if isinstance(unit, dict) else None
        if not is_name(name):
            raise shape_error(capture, f"{seller}: a unit named {name!r}")
        meter = METERS.get(name)
        if meter is None:
            rows.reject(*seller, "NOT_A_MEASURED_METER", f"{name} carries a price")
            continue
        named.add(meter)
        strategy = unit.get("strategy")
        if unit.get("unit") != UNIT:
            _refuse(rows, seller, meter, "UNKNOWN_UNIT", f"{name} is per {unit.get('unit')!r}")
        elif strategy == "fixed":
            _figure(rows, seller, meter, name, unit.get("rate"))
        elif strategy == "tiered":
            tiers = [(t.get("upTo"), t.get("rate")) for t in _dicts(unit.get("tiers"))]
            _brackets(rows, seller, (meter, name), tiers[:1], tiers[1:])
        elif strategy == "lookup":
            _lookup(rows, seller, (meter, name), unit.get("lookup"))
        else:
            _refuse(rows, seller, meter, "UNKNOWN_CONDITION", f"{name} by {strategy!r}")
    for meter in ("IN", "OUT"):
        if meter not in named:
            _refuse(rows, seller, meter, "PRICE_MISSING", f"no unit for {meter}")


def _lookup(rows: Rows, seller: tuple[str, str], good: tuple[str, str], lookup: Any) -> None:
    prices = lookup.get("prices") if isinstance(lookup, dict) else None
    asked = lookup.get("pricingParams") if isinstance(lookup, dict) else None
    # the first parameter is the length of the request, under two names
    by_length = isinstance(asked, list) and asked[:1] in (["textInputRange"], ["textInput"])
    if not by_length or not isinstance(prices, dict):
        _refuse(rows, seller, good[0], "UNKNOWN_CONDITION", f"{good[1]} by {asked!r}")
        return
    base = [(key, rate) for key, rate in prices.items() if key.startswith("[0, ")]
    _brackets(rows, seller, good, base, [p for p in prices.items() if p not in base])


def _brackets(
    rows: Rows,
    seller: tuple[str, str],
    good: tuple[str, str],
    base: list[tuple[Any, Any]],
    higher: list[tuple[Any, Any]],
) -> None:
    """Quote what the base range costs, if that is one figure; refuse the ranges above it."""
    meter, name = good
    figures = {str(rate) for _, rate in base}
    if not figures:
        _refuse(rows, seller, meter, "PRICE_MISSING", f"{name} has no range from 0")
    elif len(figures) > 1:
        told = ", ".join(f"{key} {rate}" for key, rate in base)
        _refuse(rows, seller, meter, "CONDITIONAL_TARIFF", f"{name}: {told}")
    else:
        _figure(rows, seller, meter, name, base[0][1])
    for key, rate in higher:
        rows.reject(*seller, "CONTEXT_BRACKET", f"{name} {key} is {rate}")


def _dicts(values: Any) -> list[Mapping[str, Any]]:
    return (
        [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []
    )


def _figure(rows: Rows, seller: tuple[str, str], meter: str, field: str, value: Any) -> None:
    figure = value if isinstance(value, strict.Number) else None
    rows.price_or_unknown(*seller, meter, field, figure)


def _refuse(rows: Rows, seller: tuple[str, str], meter: str, reason: str, detail: str) -> None:
    rows.reject(*seller, reason, detail)
    rows.quote(*seller, meter, None, status="unknown")


def requests(base_url: str) -> Generator[Request, Capture, None]:
    """Yield nothing: the extracts are files of the past, there is nobody to ask."""
    yield from ()


SOURCE = Source(
    id="lobehub_cny",
    kind="tokens",
    url="https://github.com/lobehub/lobehub",
    parse=parse,
    requests=requests,
    tier="E4",
    code_licence="LobeHub Community License: no code is used",
    data_right="prices are facts, quoted with source and date",
    terms="Facts of the pricing blocks of published packages; licence read 2026-11-21",
    currencies=("CNY",),
    is_live=False,
)
