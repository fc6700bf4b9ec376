"""Novita: the seller's own list, in ten-thousandths of a dollar.

Address: ``https://api.novita.ai/v3/openai/models``, key in ``NOVITA_API_KEY`` (some readers report
an answer without one). Evidence tier E3.

At hand: a fragment, two models of 2025-05-02 in the true shape. The nested ``pricing`` and the
brackets are as two public readers of the address take them in 2026-10 (read 2026-11-21).

Field map (``data[]``):

* ``id``: listing_id. ``model_type``: only ``chat`` and ``completion`` sell text. ``status``: 1 is
  on offer. ``output_modalities`` without ``text``: another good.
* ``input_token_price_per_m`` IN, ``output_token_price_per_m`` OUT: whole numbers of **1e-4 USD**
  per million tokens (7000 is $0.70).
* ``pricing.prompt`` IN, ``completion`` OUT, ``input_cache_read`` CIN (newer bodies): objects with
  ``price_per_m``, the same whole number, and ``price_per_m_decimal``, dollars per million as a
  text. The text is quoted where there is one, for it can be finer; a whole number beside it must
  agree within its own rounding, otherwise the meter is refused (``AMBIGUOUS_LISTING``): a factor
  of 10,000 is one field away. Any other object of ``pricing`` is no measured meter.
* ``is_tiered_billing`` with ``tiered_billing_configs[]`` (``min_tokens``, ``pricing``): context
  brackets. The one from 0 or 1 token is quoted, in place of the flat figures; the others are
  refused (``CONTEXT_BRACKET``). Brackets without one from the start: nothing is quoted.
* ``created``, ``title``, ``description``, ``context_size``, ``features`` and the rest: ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from collectors import strict
from collectors.base import Capture, Parsed, Source, single_get
from collectors.model_lists import gives_text, models_of, name_of, settled
from collectors.rows import Rows, is_name, problem, shape_error
from methodology.units import exact

PROVIDER = "novita"
NESTED = {"prompt": "IN", "completion": "OUT", "input_cache_read": "CIN"}
FLAT = {"prompt": "input_token_price_per_m", "completion": "output_token_price_per_m"}
TEXT_TYPES = ("chat", "completion")


def parse(capture: Capture) -> Parsed:
    """Return one quote per model and meter, in 1e-4 USD or in USD per Mtok as the body states it.

    Rejections: ``MODE_NOT_TEXT``, ``ENDPOINT_DISABLED`` per model; ``PRICE_MISSING``,
    ``FREE_OFFER``, ``NEGATIVE_PRICE``, ``NOT_A_NUMBER``, ``AMBIGUOUS_LISTING``,
    ``NOT_A_MEASURED_METER`` per figure; ``CONTEXT_BRACKET`` per bracket; ``DUPLICATE_LISTING``.

    Raises:
        ParseError: ``NOT_JSON``, or ``SHAPE`` when there is no list of models or only a part.
    """
    rows = Rows(capture, "e4_per_mtok", "E3")
    for model in models_of(capture):
        listing = name_of(capture, model)
        kind, status = model.get("model_type", "chat"), model.get("status", "1")
        if kind not in TEXT_TYPES or not gives_text(model):
            rows.reject(PROVIDER, listing, "MODE_NOT_TEXT", f"model_type is {str(kind)[:80]!r}")
        elif status != "1":
            rows.reject(PROVIDER, listing, "ENDPOINT_DISABLED", f"status is {str(status)[:80]!r}")
        elif model.get("is_tiered_billing") is True:
            _brackets(rows, listing, model.get("tiered_billing_configs"))
        else:
            _prices(capture, rows, listing, model)
    return settled(rows)


def _prices(capture: Capture, rows: Rows, listing: str, model: Mapping[str, Any]) -> None:
    pricing = model.get("pricing")
    if pricing is not None and not isinstance(pricing, dict):
        raise shape_error(capture, f"{listing}: pricing is {str(pricing)[:80]!r}")
    _figures(rows, listing, pricing or {}, {part: model.get(key) for part, key in FLAT.items()})


def _brackets(rows: Rows, listing: str, configs: Any) -> None:
    entries = [c for c in configs if isinstance(c, dict)] if isinstance(configs, list) else []
    base = [c for c in entries if c.get("min_tokens") in ("0", "1")]
    for config in entries:
        pricing = config.get("pricing")
        if len(base) == 1 and config is base[0] and isinstance(pricing, dict):
            _figures(rows, listing, pricing, {})
        else:
            told = f"tiered_billing_configs from {str(config.get('min_tokens'))[:20]} tokens"
            rows.reject(PROVIDER, listing, "CONTEXT_BRACKET", told)
    if not entries:
        told = f"is_tiered_billing, tiered_billing_configs is {str(configs)[:80]!r}"
        rows.reject(PROVIDER, listing, "PRICE_MISSING", told)


def _figures(rows: Rows, listing: str, pricing: Mapping[str, Any], flat: Mapping[str, Any]) -> None:
    for part, meter in NESTED.items():
        entry = pricing.get(part)
        nested = entry if isinstance(entry, dict) else {}
        decimal = nested.get("price_per_m_decimal")
        scaled = [v for v in (nested.get("price_per_m"), flat.get(part)) if v is not None]
        if decimal is None and not scaled:
            if meter != "CIN":
                rows.reject(PROVIDER, listing, "PRICE_MISSING", f"no price for {part}")
            continue
        told = f"{part}: decimal {str(decimal)[:40]}, whole {[str(v)[:40] for v in scaled]}"
        wrong = next((p for p in map(_scaled_problem, scaled) if p), None)
        if decimal is not None and wrong is None:
            wrong = problem(decimal) if is_name(decimal) else "NOT_A_NUMBER"
        if wrong:
            rows.reject(PROVIDER, listing, wrong, told)
        elif not _agree(decimal, scaled):
            rows.reject(PROVIDER, listing, "AMBIGUOUS_LISTING", f"{told} are not the same price")
        elif decimal is not None:
            rows.price(PROVIDER, listing, meter, told, decimal, unit="per_mtok")
        else:
            rows.price(PROVIDER, listing, meter, told, scaled[0])
    for part, entry in pricing.items():
        if part not in NESTED and entry is not None:
            told = f"pricing.{part} is {str(entry)[:80]}"
            rows.reject(PROVIDER, listing, "NOT_A_MEASURED_METER", told)


def _scaled_problem(value: object) -> str | None:
    return problem(value) if isinstance(value, strict.Number) else "NOT_A_NUMBER"


def _agree(decimal: str | None, scaled: list[str]) -> bool:
    """Return whether all statements of one price agree, a whole number within its rounding."""
    if len({exact(value) for value in scaled}) > 1:
        return False
    if decimal is None or not scaled:
        return True
    return abs(exact(decimal) * 10_000 - exact(scaled[0])) < Fraction(1)


SOURCE = Source(
    id="novita",
    kind="tokens",
    url="https://api.novita.ai/v3/openai/models",
    parse=parse,
    requests=single_get,
    tier="E3",
    code_licence="none (an API response)",
    data_right="prices are facts; no licence stated for this endpoint",
    terms=(
        "Read with the operator's own key; no licence for reuse is stated; the terms of service "
        "were not at hand. Shape read 2026-11-21 from stored readers of the address."
    ),
    auth_env="NOVITA_API_KEY",
    path="novita",
)
